/* SPDX-License-Identifier: Apache-2.0
 *
 * memory.h: the four functions a freestanding C program must be given, and asking for memory beforehand. The core is
 * closed but for these.
 * A freestanding compiler takes the plain names for calls and nothing else; by their __builtin_ names a copy
 * of a few bytes becomes the one instruction it is. */
#ifndef MOTE_BASE_MEMORY_H
#define MOTE_BASE_MEMORY_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#if !__STDC_HOSTED__
#define memcpy  __builtin_memcpy
#define memmove __builtin_memmove
#define memset  __builtin_memset
#define memcmp  __builtin_memcmp
#endif

/* Asks the cache for what will be read soon; WebAssembly has no word for it. */
static inline void mote_base_prefetch(const void *place) {
#if defined(__wasm__)
    (void)place;
#else
    __builtin_prefetch(place);
#endif
}

#endif
