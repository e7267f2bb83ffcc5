/* SPDX-License-Identifier: Apache-2.0
 *
 * line.h: lines from the user: edited, with a history, on a terminal; as they come from a pipe. */
#ifndef MOTE_CLI_LINE_H
#define MOTE_CLI_LINE_H

#include <stddef.h>

struct cli_line {
    void *editor, *history; /* NULL: stdin is no terminal */
    char *history_path;
    char *text; /* the line read last */
    size_t room;
};

/* Returns CLI_OK or an exit code with a message. A history that cannot be read is an empty one. */
int cli_line_open(struct cli_line *line);
/* The next line without its newline, valid until the next call. 0 at the end of the input or, from a pipe,
 * after Ctrl-C. On a terminal Ctrl-C clears the line. */
int cli_line_read(struct cli_line *line, const char **text, size_t *n);
void cli_line_close(struct cli_line *line); /* writes the history */

#endif
