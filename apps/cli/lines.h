/* SPDX-License-Identifier: Apache-2.0
 *
 * lines.h: a file or stdin, line by line. A line is what stands before "\n" or "\r\n", or before the end of a
 * file that does not end so; it may hold any bytes. A byte order mark at the beginning is not part of a line. */
#ifndef MOTE_CLI_LINES_H
#define MOTE_CLI_LINES_H

#include "mote/mote.h"

struct cli_lines {
    const char *name; /* of the file, for messages */
    int fd;
    uint64_t number;         /* of the line given last, from 1 */
    uint64_t n_read, n_file; /* bytes given so far; bytes of a regular file, else 0 */
    char *data;              /* [room], of which [from, n) is still to come and holds no "\n" before `seen` */
    size_t from, seen, n, room;
    int ended;
};

/* path NULL or "-": stdin. Zero the struct first; close it in any case. Returns CLI_OK or an exit code with a
 * message printed. */
int cli_lines_open(struct cli_lines *lines, const char *path);
void cli_lines_close(struct cli_lines *lines);

/* The next line, the reader's until the next call; line->data is NULL at the end. CLI_INTERRUPTED when Ctrl-C
 * ended the wait for it. */
int cli_lines_next(struct cli_lines *lines, mote_text *line);

/* Whether the next line would have to be waited for. */
int cli_lines_waits(const struct cli_lines *lines);

#endif
