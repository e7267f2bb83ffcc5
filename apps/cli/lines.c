/* SPDX-License-Identifier: Apache-2.0
 *
 * lines.c: a file or stdin, line by line, by read(2): stdio cannot say whether a line is there already. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/cli/cli.h"
#include "apps/cli/lines.h"

enum { PIECE = 1 << 16 };

int cli_lines_open(struct cli_lines *lines, const char *path) {
    struct stat status;
    int is_stdin = !path || !strcmp(path, "-");
    *lines = (struct cli_lines){.name = is_stdin ? "stdin" : path, .fd = STDIN_FILENO};
    if (!is_stdin) lines->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (lines->fd < 0 || fstat(lines->fd, &status))
        return cli_fail(CLI_FAILED, "%s: %s", lines->name, strerror(errno));
    if (S_ISREG(status.st_mode) && status.st_size > 0) lines->n_file = (uint64_t)status.st_size;
    return CLI_OK;
}

void cli_lines_close(struct cli_lines *lines) {
    if (lines->fd > STDERR_FILENO) close(lines->fd);
    free(lines->data);
    *lines = (struct cli_lines){.fd = -1};
}

/* Makes room for a piece more behind what is there. */
static int make_room(struct cli_lines *lines) {
    if (lines->from) {
        memmove(lines->data, lines->data + lines->from, lines->n - lines->from);
        lines->n -= lines->from;
        lines->seen -= lines->from;
        lines->from = 0;
    }
    if (lines->room - lines->n >= PIECE) return CLI_OK;
    size_t room = lines->room ? 2 * lines->room : 2 * PIECE;
    char *data = lines->room < SIZE_MAX / 2 ? realloc(lines->data, room) : NULL;
    if (!data)
        return cli_fail(CLI_MEMORY, "%s:%llu: not enough memory for this line", lines->name,
                        (unsigned long long)lines->number + 1);
    lines->data = data;
    lines->room = room;
    return CLI_OK;
}

static int read_piece(struct cli_lines *lines) {
    int code = make_room(lines);
    if (code) return code;
    cli_signals_end_reads(1);
    ssize_t n;
    do
        n = read(lines->fd, lines->data + lines->n, PIECE);
    while (n < 0 && errno == EINTR && !cli_interrupted);
    int error = errno;
    cli_signals_end_reads(0);
    if (cli_interrupted) return CLI_INTERRUPTED;
    if (n < 0) return cli_fail(CLI_FAILED, "%s: %s", lines->name, strerror(error));
    lines->n += (size_t)n;
    lines->ended = n == 0;
    return CLI_OK;
}

/* Where the line that begins at `from` ends, or NULL if its end is not there yet. */
static char *find_end(const struct cli_lines *lines) {
    return lines->n > lines->seen ? memchr(lines->data + lines->seen, '\n', lines->n - lines->seen) : NULL;
}

int cli_lines_next(struct cli_lines *lines, mote_text *line) {
    char *end;
    *line = (mote_text){NULL, 0};
    if (cli_interrupted) return CLI_INTERRUPTED;
    while (!(end = find_end(lines)) && !lines->ended) {
        lines->seen = lines->n;
        int code = read_piece(lines);
        if (code) return code;
    }
    if (!end && lines->from == lines->n) return CLI_OK;
    const char *begin = lines->data + lines->from;
    size_t n = (end ? (size_t)(end - lines->data) : lines->n) - lines->from;
    lines->from = lines->seen = lines->from + n + (end != NULL);
    lines->n_read += n + (end != NULL);
    if (end && n && begin[n - 1] == '\r') n--;
    if (!lines->number++ && n >= 3 && !memcmp(begin, "\xef\xbb\xbf", 3)) begin += 3, n -= 3;
    *line = (mote_text){begin, n};
    return CLI_OK;
}

int cli_lines_waits(const struct cli_lines *lines) {
    if (lines->ended || find_end(lines)) return 0;
    struct pollfd wait = {.fd = lines->fd, .events = POLLIN};
    return poll(&wait, 1, 0) == 0;
}
