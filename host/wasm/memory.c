/* SPDX-License-Identifier: Apache-2.0
 *
 * memory.c: the module's memory: blocks that are taken one after the other and given back from the last, and
 * scratch behind them.
 *
 *     0        stack, static data      blocks            scratch             room
 *     |<------------------------|<-------------|<---- scratch() ---->|<---------------- …
 *                          __heap_base        top            top + reserved
 *
 * Scratch is for arguments, room for what calls need while they run and for their results; neither is kept
 * when a block is taken. Also the four functions that a freestanding compiler may call; the
 * three that copy and fill are one instruction each. */
#include "host/wasm/wasm.h"

enum { ALIGN = MOTE_ALIGN, PAGE = 65536 };

extern unsigned char __heap_base[] __attribute__((visibility("hidden"))); /* from the linker */

static uint64_t top, reserved; /* end of the blocks; bytes of scratch */

uint64_t wasm_rounded(uint64_t n_bytes) {
    return (n_bytes + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
}

static uint64_t blocks_end(void) {
    return top ? top : wasm_rounded((uintptr_t)__heap_base);
}

/* Memory for n_bytes from `start`, itself a place in memory or its end. */
static int grow(uint64_t start, uint64_t n_bytes) {
    uint64_t have = (uint64_t)__builtin_wasm_memory_size(0) * PAGE, pages;
    /* far above what a memory can be, far below an overflow */
    if (n_bytes > (uint64_t)1 << 52) n_bytes = (uint64_t)1 << 52;
    if (start + n_bytes <= have) return 1;
    pages = (start + n_bytes - have + PAGE - 1) / PAGE;
    if (pages == (size_t)pages && __builtin_wasm_memory_grow(0, (size_t)pages) != (size_t)-1) return 1;
    wasm_fail_numbers(MOTE_E_MEMORY, "a memory of % bytes is needed, it has % and cannot grow so far",
                      start + n_bytes, have);
    return 0;
}

number take(number n_bytes) {
    uint64_t n = wasm_size(n_bytes), start = blocks_end();
    if (!grow(start, n)) return MOTE_E_MEMORY;
    top = wasm_rounded(start + n);
    reserved = 0;
    return (number)start;
}

void release(number address) {
    uint64_t start = wasm_size(address);
    if (start >= (uintptr_t)__heap_base && start < top) top = start;
    reserved = 0;
}

number scratch(number n_bytes) {
    uint64_t n = wasm_size(n_bytes), start = blocks_end();
    if (!grow(start, n)) return MOTE_E_MEMORY;
    reserved = wasm_rounded(n);
    return (number)start;
}

void *wasm_room(uint64_t n_bytes) {
    uint64_t start = blocks_end() + reserved;
    return grow(start, n_bytes) ? (void *)(uintptr_t)start : NULL;
}

/* ---- what the compiler calls ---- */

#pragma GCC visibility push(hidden)

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    return __builtin_memcpy(to, from, n);
}

void *memmove(void *to, const void *from, size_t n) {
    return __builtin_memmove(to, from, n);
}

void *memset(void *to, int byte, size_t n) {
    return __builtin_memset(to, byte, n);
}

int memcmp(const void *a, const void *b, size_t n) {
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i]) return x[i] - y[i];
    return 0;
}

#pragma GCC visibility pop
