/* SPDX-License-Identifier: Apache-2.0
 *
 * threads.c: parallel_for over a pool of threads.
 *
 * Making a token takes hundreds of calls of parallel_for, each of a few microseconds, so a call must cost
 * well under one when the workers are awake, and the workers must sleep when nobody calls. Workers are
 * helpers: the caller takes pieces too, and never waits for a worker that has not begun. A worker kept off
 * its core by another program thus costs nothing but its help.
 *
 * All is decided by one word, the gate:
 *
 *     31           16 15     14                    0
 *     [ number of job ][open] [ workers inside      ]
 *
 *     caller   writes the job while the gate is shut and nobody is inside; opens it with a new number;
 *              takes pieces; shuts the gate; waits until nobody is inside.
 *     worker   goes in only through an open gate whose number it has not served yet (one compare and swap
 *              that counts it inside); takes pieces; goes out.
 *
 * The pieces of a job lie in ranges, one for each thread, each in a line of the cache of its own:
 *
 *     63             32 31              0
 *     [ end of range   ][ next piece    ]      n·w/T … n·(w+1)/T − 1 for thread w of T
 *
 * Who owns a range takes from its front, one piece after the other; who has none left takes the second half of
 * what another has. So a thread reads long runs of memory in order, finds in its own cache what it wrote in
 * the job before (range by range the same rows), and shares no word with the others until one is done early.
 *
 * A worker inside therefore always sees the job it came for. The number may wrap round while a worker sleeps:
 * it then misses one job, which is no harm. Going in acquires what opening released (the job), shutting and
 * going out release what waiting acquires (the results).
 *
 * Waiting, on both sides, first spins for a bounded while and then sleeps on a condition. Sleepers announce
 * themselves before they look at the gate for the last time, and who changes the gate looks for sleepers
 * afterwards, both sequentially consistent, so that one of the two sees the other.
 *
 * Who spins offers his core now and then (sched_yield), and sleepers are woken once, not by every call until
 * they run: on a machine that is busy with other things two threads are then not slower than one. Measured
 * with three endless loops beside it on two cores; leaving workers out by an account of what they cost and
 * bring was tried on top of that, and gained nothing. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "host/posix/posix.h"

enum {
    OPEN = 1u << 15,
    INSIDE = OPEN - 1,
    NUMBER = 1u << 16, /* one job later */
    SPINS = 2000,      /* some 20 to 60 microseconds, longer than the serial gaps between two calls */
    MOST_THREADS = 1024,
};

struct worker {
    _Alignas(64) _Atomic uint64_t range; /* of pieces not begun: the next, and the end in the upper half */
    struct mote_posix_host *pool;
    pthread_t thread;
    uint32_t index;
};

struct mote_posix_host {
    mote_host host;
    uint32_t n_threads, n_started; /* wanted, and there, including the caller */
    mote_work *work; /* the job: work, argument, ranges; written only while the gate is shut and empty */
    void *argument;
    pthread_mutex_t mutex; /* held only to sleep and to wake */
    pthread_cond_t opened, emptied;
    _Alignas(64) atomic_uint gate;
    atomic_uint workers_sleep; /* some do, and have not been woken since */
    atomic_uint caller_sleeps, closing;
    atomic_flag busy;        /* a call is under way */
    struct worker workers[]; /* [n_workers], the first is the caller and has no thread */
};

/* Where one side writes a word and then reads the other's (gate against the sleepers), the write is an
 * exchange: a store and a load that follows it may be swapped by emulators of AArch64, and both sides would
 * sleep. */

/* One turn of a loop that waits: now and then the core is offered to whoever else wants it, as that may be
 * the very thread that is waited for. */
static inline void relax(int spin) {
    if (spin % 256 == 255) sched_yield();
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static uint64_t range_of(uint64_t begin, uint64_t end) {
    return begin | end << 32;
}

/* Takes half of what a thread has left, the second, or its only piece; returns whether there was any. Ranges
 * order nothing: the gate does. */
static int take_half(struct worker *from, struct worker *to) {
    uint64_t range = atomic_load_explicit(&from->range, memory_order_relaxed);
    for (;;) {
        uint64_t begin = (uint32_t)range, end = range >> 32, middle = begin + (end - begin) / 2;
        if (begin >= end) return 0;
        if (!atomic_compare_exchange_weak_explicit(&from->range, &range, range_of(begin, middle),
                                                   memory_order_relaxed, memory_order_relaxed))
            continue;
        atomic_store_explicit(&to->range, range_of(middle, end), memory_order_relaxed);
        return 1;
    }
}

/* Takes pieces until none is left. Of a range that is empty the next piece may pass the end by one: that is
 * how its owner finds out. (parallel_for sees to it that there is room for that.) */
static void take_pieces(struct mote_posix_host *pool, uint32_t index) {
    mote_work *work = pool->work;
    void *argument = pool->argument;
    struct worker *own = &pool->workers[index];
    for (uint32_t other = 0; other < pool->n_started;) {
        uint64_t range = atomic_fetch_add_explicit(&own->range, 1, memory_order_relaxed);
        if ((uint32_t)range < range >> 32) {
            work(argument, (uint32_t)range, index);
            continue;
        }
        for (other = 1; other < pool->n_started; other++)
            if (take_half(&pool->workers[(index + other) % pool->n_started], own)) break;
    }
}

/* Whether a worker that last served a job of that number should stop waiting. */
static int called(struct mote_posix_host *pool, unsigned served) {
    unsigned gate = atomic_load(&pool->gate);
    return ((gate & OPEN) && gate / NUMBER != served) || atomic_load(&pool->closing);
}

static void wait_for_call(struct mote_posix_host *pool, unsigned served) {
    for (int spin = 0; spin < SPINS; spin++) {
        if (called(pool, served)) return;
        relax(spin);
    }
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        atomic_exchange(&pool->workers_sleep, 1);
        if (called(pool, served)) break;
        pthread_cond_wait(&pool->opened, &pool->mutex);
    }
    pthread_mutex_unlock(&pool->mutex);
}

/* Goes in through an open gate not served yet; returns 0 if it has shut meanwhile. */
static int go_in(struct mote_posix_host *pool, unsigned *served) {
    unsigned gate = atomic_load(&pool->gate);
    while ((gate & OPEN) && gate / NUMBER != *served) {
        if (!atomic_compare_exchange_weak(&pool->gate, &gate, gate + 1)) continue;
        *served = gate / NUMBER;
        return 1;
    }
    return 0;
}

static void go_out(struct mote_posix_host *pool) {
    unsigned gate = atomic_fetch_sub(&pool->gate, 1) - 1;
    if ((gate & INSIDE) || !atomic_load(&pool->caller_sleeps)) return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_signal(&pool->emptied);
    pthread_mutex_unlock(&pool->mutex);
}

static void *serve(void *argument) {
    struct worker *worker = argument;
    struct mote_posix_host *pool = worker->pool;
    unsigned served = 0; /* the gate starts with number 0 and shut */
    for (;;) {
        wait_for_call(pool, served);
        if (atomic_load(&pool->closing)) return NULL;
        if (!go_in(pool, &served)) continue;
        take_pieces(pool, worker->index);
        go_out(pool);
    }
}

static void wait_until_empty(struct mote_posix_host *pool) {
    for (int spin = 0; spin < SPINS; spin++) {
        if (!(atomic_load(&pool->gate) & INSIDE)) return;
        relax(spin);
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_exchange(&pool->caller_sleeps, 1);
    while (atomic_load(&pool->gate) & INSIDE)
        pthread_cond_wait(&pool->emptied, &pool->mutex);
    atomic_store(&pool->caller_sleeps, 0);
    pthread_mutex_unlock(&pool->mutex);
}

static uint64_t clock_ns(void *user) {
    (void)user;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Opens the gate for a job of n pieces. */
static void call_workers(struct mote_posix_host *pool, uint64_t n) {
    unsigned number = atomic_load_explicit(&pool->gate, memory_order_relaxed) / NUMBER + 1;
    for (uint64_t i = 0, begin = 0, end; i < pool->n_started; i++, begin = end) {
        end = n * (i + 1) / pool->n_started;
        atomic_store_explicit(&pool->workers[i].range, range_of(begin, end), memory_order_relaxed);
    }
    atomic_exchange(&pool->gate, number * NUMBER | OPEN);
    if (!atomic_load(&pool->workers_sleep) || !atomic_exchange(&pool->workers_sleep, 0)) return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->opened);
    pthread_mutex_unlock(&pool->mutex);
}

/* A second call while one is under way (two contexts stepped from two threads over one host) runs serially.
 */
static void parallel_for(void *user, uint32_t n, mote_work *work, void *argument) {
    struct mote_posix_host *pool = user;
    if (n < 2 || n == UINT32_MAX || pool->n_started < 2 ||
        atomic_flag_test_and_set_explicit(&pool->busy, memory_order_acquire)) {
        for (uint32_t i = 0; i < n; i++)
            work(argument, i, 0);
        return;
    }
    pool->work = work;
    pool->argument = argument;
    call_workers(pool, n);
    take_pieces(pool, 0);
    atomic_fetch_and(&pool->gate, ~(unsigned)OPEN);
    wait_until_empty(pool);
    atomic_flag_clear_explicit(&pool->busy, memory_order_release);
}

/* Workers take no signals: those are the business of the program's own threads. */
static int start_workers(struct mote_posix_host *pool, uint32_t n_threads) {
    sigset_t all, before;
    sigfillset(&all);
    int error = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (error) return error;
    while (!error && pool->n_started < n_threads) {
        struct worker *worker = &pool->workers[pool->n_started];
        worker->pool = pool;
        worker->index = pool->n_started;
        error = pthread_create(&worker->thread, NULL, serve, worker);
        if (!error) pool->n_started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static uint64_t block_bytes(uint32_t n_threads) {
    return sizeof(struct mote_posix_host) + n_threads * sizeof(struct worker);
}

struct mote_posix_host *mote_posix_host_open(uint32_t n_threads, uint32_t cpu) {
    if (!n_threads) n_threads = mote_posix_cores();
    if (n_threads > MOST_THREADS) return errno = EINVAL, NULL;
    struct mote_posix_host *pool = mote_posix_block_open(block_bytes(n_threads));
    if (!pool) return NULL;
    pool->n_threads = n_threads;
    atomic_init(&pool->gate, 0);
    atomic_init(&pool->workers_sleep, 0);
    atomic_init(&pool->caller_sleeps, 0);
    atomic_init(&pool->closing, 0);
    atomic_flag_clear(&pool->busy);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->opened, NULL);
    pthread_cond_init(&pool->emptied, NULL);
    pool->n_started = 1;
    int error = start_workers(pool, n_threads);
    if (error) {
        mote_posix_host_close(pool);
        return errno = error, NULL;
    }
    pool->host = (mote_host){.user = pool,
                             .cpu = cpu & mote_posix_cpu(),
                             .n_workers = n_threads,
                             .parallel_for = parallel_for,
                             .clock_ns = clock_ns};
    return pool;
}

void mote_posix_host_close(struct mote_posix_host *pool) {
    if (!pool) return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->closing, 1);
    pthread_cond_broadcast(&pool->opened);
    pthread_mutex_unlock(&pool->mutex);
    for (uint32_t i = 1; i < pool->n_started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->emptied);
    pthread_cond_destroy(&pool->opened);
    pthread_mutex_destroy(&pool->mutex);
    mote_posix_block_close(pool, block_bytes(pool->n_threads));
}

const mote_host *mote_posix_host_get(const struct mote_posix_host *pool) {
    return &pool->host;
}
