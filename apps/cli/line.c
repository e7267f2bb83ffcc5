/* SPDX-License-Identifier: Apache-2.0
 *
 * line.c: line editing with libedit. The prompt and the echo go to stderr: stdout carries only answers.
 * While a line is edited the terminal sends no signals, so that Ctrl-C reaches the editor as a key (bound to
 * clearing the line); as soon as the line is complete, Ctrl-C is SIGINT again. */
#include <errno.h>
#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/cli/cli.h"
#include "apps/cli/line.h"
#include "apps/cli/paths.h"

enum { HISTORY_LINES = 1000 };

static char *prompt(EditLine *editor) {
    static char text[] = "> ";
    (void)editor;
    return text;
}

static void load_history(struct cli_line *line) {
    HistEvent event;
    history(line->history, &event, H_SETSIZE, HISTORY_LINES);
    history(line->history, &event, H_SETUNIQUE, 1);
    line->history_path = cli_user_path("XDG_STATE_HOME", ".local/state", "mote/history");
    if (line->history_path) history(line->history, &event, H_LOAD, line->history_path);
}

int cli_line_open(struct cli_line *line) {
    *line = (struct cli_line){0};
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) return CLI_OK;
    EditLine *editor = el_init("mote", stdin, stderr, stderr);
    line->editor = editor;
    line->history = history_init();
    if (!line->editor || !line->history) {
        cli_line_close(line);
        return cli_fail(CLI_MEMORY, "not enough memory for line editing");
    }
    load_history(line);
    el_set(editor, EL_PROMPT, prompt);
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_HIST, history, line->history);
    el_source(editor, NULL); /* the user's own bindings, ~/.editrc */
    el_set(editor, EL_SETTY, "-d", "-isig", NULL);
    el_set(editor, EL_BIND, "^C", "em-kill-line", NULL);
    return CLI_OK;
}

static int read_edited(struct cli_line *line, const char **text, size_t *n) {
    int length = 0;
    el_set(line->editor, EL_PREP_TERM, 1); /* libedit does it behind the prompt, too late for a quick key */
    const char *got = el_gets(line->editor, &length);
    if (!got || length <= 0) {
        fputc('\n', stderr);
        return 0;
    }
    HistEvent event;
    if (got[strspn(got, " \t\r\n")]) history(line->history, &event, H_ENTER, got);
    *text = got;
    *n = (size_t)length;
    return 1;
}

int cli_line_read(struct cli_line *line, const char **text, size_t *n) {
    if (line->editor) {
        if (!read_edited(line, text, n)) return 0;
    } else {
        cli_signals_end_reads(1);
        ssize_t length = getline(&line->text, &line->room, stdin);
        cli_signals_end_reads(0);
        if (length < 0 || cli_interrupted) return 0;
        *text = line->text;
        *n = (size_t)length;
    }
    while (*n && ((*text)[*n - 1] == '\n' || (*text)[*n - 1] == '\r'))
        --*n;
    return 1;
}

void cli_line_close(struct cli_line *line) {
    HistEvent event;
    char *directory = line->history_path ? cli_dir_of(line->history_path) : NULL;
    if (directory && !cli_make_dirs(directory)) history(line->history, &event, H_SAVE, line->history_path);
    if (line->history) history_end(line->history);
    if (line->editor) el_end(line->editor);
    free(directory);
    free(line->history_path);
    free(line->text);
    *line = (struct cli_line){0};
}
