/* SPDX-License-Identifier: Apache-2.0
 *
 * bare.h: the little that the story of tests/bare needs from the world under it. nolibc.c gives it with
 * system calls alone, hosted.c with a C library, threads and every kernel of the machine. */
#ifndef MOTE_BARE_H
#define MOTE_BARE_H

#include "mote/mote.h"

/* The program itself: opens the model in bytes, generates, prints a digest. Returns the exit code. */
int bare_story(const void *bytes, uint64_t n_bytes, const mote_host *host);

/* A zeroed block aligned to MOTE_ALIGN, never given back; NULL if there is none. */
void *bare_block(uint64_t n_bytes);

/* Writes n bytes to stdout. */
void bare_write(const char *text, size_t n);

#endif
