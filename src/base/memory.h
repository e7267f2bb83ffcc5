/* SPDX-License-Identifier: Apache-2.0
 *
 * memory.h: the four functions a freestanding C program must be given. The core is closed but for these. */
#ifndef MOTE_BASE_MEMORY_H
#define MOTE_BASE_MEMORY_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#endif
