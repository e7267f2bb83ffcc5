/* SPDX-License-Identifier: Apache-2.0
 *
 * wasm.h: what the files of this host share. An instance has one of everything, so its state is plain
 * variables, in the memory that instances of a threaded module have in common. */
#ifndef MOTE_HOST_WASM_WASM_H
#define MOTE_HOST_WASM_WASM_H

#include <stddef.h>
#include <stdint.h>

#include "host/wasm/module.h"

/* All here is for the module alone; what module.h declares is exported. */
#pragma GCC visibility push(hidden)

/* ---- memory.c ---- */

/* Room behind the blocks and behind what scratch() was asked for: 64-aligned, where results are made. NULL,
 * and a fault, if memory cannot grow so far. Valid until the next call of the module. */
void *wasm_room(uint64_t n_bytes);
/* n_bytes, and what it takes to make the next piece 64-aligned. */
uint64_t wasm_rounded(uint64_t n_bytes);

/* Numbers that come from JavaScript, cut to what can be: NaN and what is below 0 is 0. */
static inline uint64_t wasm_size(number n) {
    return __builtin_wasm_trunc_saturate_u_i64_f64(n);
}
static inline uint32_t wasm_count(number n) {
    return __builtin_wasm_trunc_saturate_u_i32_f64(n);
}
static inline void *wasm_pointer(number address) {
    return (void *)(uintptr_t)wasm_size(address);
}
static inline number wasm_address(const void *pointer) {
    return (number)(uintptr_t)pointer;
}

/* ---- pool.c ---- */

/* Makes the host one of so many workers (0: 1), whose stacks are a block of wasm_pool_bytes(n). */
void wasm_pool_describe(mote_host *host, uint32_t n_workers);
uint64_t wasm_pool_bytes(uint32_t n_workers);
void wasm_pool_open(void *stacks);

/* ---- module.c ---- */

extern const mote_model *wasm_model; /* NULL before it is open */
extern mote_error wasm_error;
extern const void *wasm_result;
extern mote_context *wasm_context; /* NULL before it is open */

/* Makes a fault of a status alone. */
mote_status wasm_fail(mote_status status, const char *text);
/* A fault of a status and its numbers: each % of the text stands for the next of two. */
mote_status wasm_fail_numbers(mote_status status, const char *text, uint64_t first, uint64_t second);

#pragma GCC visibility pop

#endif
