/* SPDX-License-Identifier: Apache-2.0
 *
 * command.h: what the rest of the command gives to its files that are fuzzed alone. */
#ifndef MOTE_FUZZ_COMMAND_H
#define MOTE_FUZZ_COMMAND_H

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include "apps/cli/cli.h"

static char message[4096]; /* the last one */

volatile sig_atomic_t cli_interrupted;
int cli_fail(int code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return code;
}
void cli_signals_end_reads(int yes) {
    (void)yes;
}
char *cli_text(const char *format, ...) {
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int n = vasprintf(&text, format, arguments);
    va_end(arguments);
    return n < 0 ? NULL : text;
}

#endif
