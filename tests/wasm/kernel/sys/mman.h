/* SPDX-License-Identifier: Apache-2.0
 *
 * mman.h: memory has no protection here. What may not be touched is filled with a byte that changes from
 * block to block, so that a kernel that reads it gives different results, and is looked through when the
 * block goes. */
#ifndef TESTS_WASM_MMAN_H
#define TESTS_WASM_MMAN_H

#include <stddef.h>

enum { PROT_NONE, PROT_READ, PROT_WRITE, MAP_PRIVATE = 0, MAP_ANONYMOUS = 0 };
#define MAP_FAILED NULL

void *mmap(void *at, size_t n, int protection, int flags, int file, long offset);
int mprotect(void *at, size_t n, int protection);
int munmap(void *at, size_t n);

#endif
