/* SPDX-License-Identifier: Apache-2.0
 *
 * pool.c: parallel_for over instances of the module that share its memory; in a module without threads,
 * nothing.
 *
 * The scheme is that of host/posix/threads.c: workers are helpers, the caller takes pieces too and never
 * waits for a worker that has not begun; one word, the gate, says whether a job is open, its number, and how
 * many workers are inside:
 *
 *     31           16 15     14                    0
 *     [ number of job ][open] [ workers inside      ]
 *
 * Waiting spins for a bounded while and then sleeps on the gate itself (memory.atomic.wait32 sleeps only if
 * the word still has the value that was seen, so no wake-up is lost). Who changes the gate wakes only if
 * somebody has said that he sleeps. There is no instruction here to offer the core to another thread, so
 * the spins are fewer than the native ones. */
#include "host/wasm/wasm.h"

#ifdef __wasm_atomics__

#include <stdatomic.h>

enum {
    OPEN = 1u << 15,
    INSIDE = OPEN - 1,
    NUMBER = 1u << 16, /* one job later */
    SPINS = 20000,     /* some 20 microseconds, longer than the serial gaps between two calls */
    STACK_BYTES = 1 << 17,
};

static mote_work *job; /* job, argument, n: written only while the gate is shut and empty */
static void *job_argument;
static uint32_t job_n;
static char *worker_stacks; /* [n_workers − 1] of STACK_BYTES */
static _Alignas(64) atomic_uint gate;
static atomic_uint workers_sleep, caller_sleeps, closing;
static _Alignas(64) atomic_uint next_piece;

static void sleep_while(unsigned seen) {
    __builtin_wasm_memory_atomic_wait32((int *)(void *)&gate, (int)seen, -1);
}

static void wake(void) {
    __builtin_wasm_memory_atomic_notify((int *)(void *)&gate, ~0u);
}

static void take_pieces(uint32_t worker) {
    mote_work *work = job;
    void *argument = job_argument;
    uint32_t n = job_n, i;
    while ((i = atomic_fetch_add_explicit(&next_piece, 1, memory_order_relaxed)) < n)
        work(argument, i, worker);
}

static void parallel_for(void *user, uint32_t n, mote_work *work, void *argument) {
    (void)user;
    if (n < 2) {
        if (n) work(argument, 0, 0);
        return;
    }
    job = work;
    job_argument = argument;
    job_n = n;
    atomic_store(&next_piece, 0);
    atomic_exchange(&gate, (atomic_load(&gate) / NUMBER + 1) * NUMBER | OPEN);
    if (atomic_load(&workers_sleep) && atomic_exchange(&workers_sleep, 0)) wake();
    take_pieces(0);
    unsigned seen = atomic_fetch_and(&gate, ~(unsigned)OPEN) & ~(unsigned)OPEN;
    for (int spin = 0; seen & INSIDE; seen = atomic_load(&gate)) {
        if (++spin < SPINS) continue;
        atomic_exchange(&caller_sleeps, 1);
        if ((seen = atomic_load(&gate)) & INSIDE) sleep_while(seen);
        atomic_store(&caller_sleeps, 0);
    }
}

/* Waits for a job other than `served`, goes in and returns its number; or closing. */
static unsigned go_in(unsigned served) {
    for (int spin = 0;;) {
        unsigned seen = atomic_load(&gate);
        if (atomic_load(&closing)) return served;
        if ((seen & OPEN) && seen / NUMBER != served) {
            if (atomic_compare_exchange_weak(&gate, &seen, seen + 1)) return seen / NUMBER;
        } else if (++spin >= SPINS) {
            atomic_exchange(&workers_sleep, 1);
            if (atomic_load(&gate) == seen && !atomic_load(&closing)) sleep_while(seen);
            spin = 0; /* this job may be over before he is awake, but the next follows */
        }
    }
}

void worker_run(int32_t worker) {
    unsigned served = 0; /* the gate starts with number 0 and shut */
    for (;;) {
        served = go_in(served);
        if (atomic_load(&closing)) return;
        take_pieces((uint32_t)worker);
        unsigned left = atomic_fetch_sub(&gate, 1) - 1;
        if (!(left & INSIDE) && atomic_load(&caller_sleeps)) wake();
    }
}

void workers_stop(void) {
    atomic_store(&closing, 1);
    atomic_fetch_add(&gate, NUMBER); /* so that nobody falls asleep on what he saw before */
    wake();
}

/* A stack grows downwards. */
number worker_stack(int32_t worker) {
    return wasm_address(worker_stacks + (size_t)worker * STACK_BYTES);
}

/* There are no thread-local variables. */
void __wasm_init_tls(void *block);
void __wasm_init_tls(void *block) {
    (void)block;
}

number worker_tls(int32_t worker) {
    return worker_stack(worker);
}

uint64_t wasm_pool_bytes(uint32_t n_workers) {
    return n_workers > 1 ? (n_workers - 1) * (uint64_t)STACK_BYTES : 0;
}

void wasm_pool_describe(mote_host *host, uint32_t n_workers) {
    host->n_workers = n_workers > 1 ? n_workers : 1;
    host->parallel_for = n_workers > 1 ? parallel_for : NULL;
}

void wasm_pool_open(void *stacks) {
    worker_stacks = stacks;
}

#else

void wasm_pool_describe(mote_host *host, uint32_t n_workers) {
    (void)n_workers;
    host->n_workers = 1;
}

uint64_t wasm_pool_bytes(uint32_t n_workers) {
    (void)n_workers;
    return 0;
}

void wasm_pool_open(void *stacks) {
    (void)stacks;
}

#endif
