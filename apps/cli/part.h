/* SPDX-License-Identifier: Apache-2.0
 *
 * part.h: a download that is not finished: <path>.part, and what is needed to go on with it in
 * <path>.part.json:
 *
 *     {"url": where it came from, "validator": its ETag or Last-Modified ("" if none), "total": bytes or -1}
 */
#ifndef MOTE_CLI_PART_H
#define MOTE_CLI_PART_H

#include <stddef.h>
#include <stdint.h>

#include "apps/cli/why.h"

struct cli_part {
    const char *url;
    char *path, *state_path;
    int fd;
    uint64_t n_bytes;    /* there now */
    int64_t total;       /* -1: not known */
    char validator[256]; /* for If-Range; "" none */
};

/* Opens or makes the part of path. What is there is kept when its state says it came from url. */
enum cli_got cli_part_open(struct cli_part *part, const char *path, const char *url, struct cli_why *why);
void cli_part_close(struct cli_part *part);

/* Forgets the bytes; the next ones are of a file with this validator and total. */
enum cli_got cli_part_restart(struct cli_part *part, const char *validator, int64_t total,
                              struct cli_why *why);
enum cli_got cli_part_add(struct cli_part *part, const void *bytes, size_t n_bytes, struct cli_why *why);

/* Writes all bytes. Returns 0, or -1 with errno set (EINTR after Ctrl-C). */
int cli_write_all(int fd, const void *bytes, size_t n_bytes);

#endif
