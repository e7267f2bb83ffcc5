/* SPDX-License-Identifier: Apache-2.0
 *
 * head.h: what is taken from the head of an HTTP answer. */
#ifndef MOTE_CLI_HEAD_H
#define MOTE_CLI_HEAD_H

#include <stddef.h>
#include <stdint.h>

#include "apps/cli/digest.h"

struct cli_head {
    long status;                              /* filled in by who reads the head */
    int64_t length, range_start, range_total; /* -1: not said, or not to be believed */
    long retry_after;                         /* seconds; 0 or less: not said */
    char etag[256], modified[64];             /* "" not said */
    char linked[CLI_SHA256_HEX];              /* x-linked-etag when it is a sha256, else "" */
};

/* Takes in one line of the head, with or without its line end. A status line starts a new head. */
void cli_head_line(struct cli_head *head, const char *line, size_t n);

#endif
