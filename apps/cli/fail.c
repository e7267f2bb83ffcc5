/* SPDX-License-Identifier: Apache-2.0
 *
 * fail.c: how the program says that something went wrong, and how it is stopped.
 *
 *     SIGINT    the first sets cli_interrupted, which long work looks at; the second ends the program
 *     SIGPIPE   ignored: a write to a closed pipe fails with EPIPE and is handled where it happens
 *     SIGBUS    a mapped model file was cut short by somebody: there is nothing to go on with, so the program
 *               says so and ends; without this the user would read "Bus error" */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/cli/cli.h"

volatile sig_atomic_t cli_interrupted;

int cli_fail(int code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fputs("mote: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return code;
}

int cli_answer(void) {
    char answer[16];
    cli_signals_end_reads(1);
    const char *got = fgets(answer, sizeof answer, stdin);
    cli_signals_end_reads(0);
    return got ? tolower((unsigned char)answer[0]) : 0;
}

#if defined(__wasi__)

void cli_signals(void) {} /* a sandbox has none */

void cli_signals_end_reads(int yes) {
    (void)yes;
}

#else

static void interrupt(int signal_number) {
    (void)signal_number;
    if (cli_interrupted) _exit(CLI_INTERRUPTED);
    cli_interrupted = 1;
}

static void lose_file(int signal_number) {
    static const char text[] = "mote: the model file was cut short or became unreadable while in use\n";
    (void)signal_number;
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    _exit(written < 0 ? CLI_FAILED : CLI_MODEL);
}

void cli_signals_end_reads(int yes) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = interrupt;
    action.sa_flags = yes ? 0 : SA_RESTART;
    sigaction(SIGINT, &action, NULL);
}

void cli_signals(void) {
    struct sigaction action;
    cli_signals_end_reads(0);
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    action.sa_handler = lose_file;
    sigaction(SIGBUS, &action, NULL);
}

#endif
