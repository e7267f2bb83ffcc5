/* SPDX-License-Identifier: Apache-2.0
 *
 * guard.h: what the kernel tests share: arrays that end where the memory ends, random numbers, the exact
 * comparison of floats, the walk over CPU features, and a stopwatch for --bench. */
#ifndef TESTS_KERNEL_GUARD_H
#define TESTS_KERNEL_GUARD_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/float.h"
#include "host/posix/posix.h"
#include "kernel/kernel.h"

/* ---- guarded arrays ---- */

/* An array whose last byte is the last of its page; the next page cannot be touched, nor the one before the
 * first. What lies between the first page's begin and the array is filled with CANARY. */
struct guard {
    uint8_t *map, *data;
    size_t map_bytes, bytes;
};
enum { CANARY = 0x5a };

static inline void *guard_open(struct guard *guard, size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inside = (bytes + page - 1) / page * page;
    guard->bytes = bytes;
    guard->map_bytes = inside + 2 * page;
    guard->map = mmap(NULL, guard->map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(guard->map != MAP_FAILED);
    if (inside) assert_int_equal(mprotect(guard->map + page, inside, PROT_READ | PROT_WRITE), 0);
    if (inside) memset(guard->map + page, CANARY, inside);
    guard->data = guard->map + page + inside - bytes;
    return guard->data;
}

/* Fails where something wrote before the array. */
static inline void guard_close(struct guard *guard) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (uint8_t *p = guard->map + page; p < guard->data; p++)
        assert_int_equal(*p, CANARY);
    munmap(guard->map, guard->map_bytes);
}

/* ---- numbers ---- */

static uint64_t random_state = 0x9e3779b97f4a7c15;

static inline uint32_t random_u32(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32);
}

static inline uint32_t random_below(uint32_t n) {
    return (uint32_t)((uint64_t)random_u32() * n >> 32);
}

static inline float random_float(void) { /* −1 … 1 */
    return (float)((int32_t)random_u32()) * 0x1p-31f;
}

/* Now and then something awkward: zeros, subnormals, infinities, NaN, the greatest and the least. */
static inline float random_awkward(uint32_t one_in) {
    static const uint32_t bits[] = {0,          0x80000000, 1,          0x807fffff, 0x00800000, 0x7f800000,
                                    0xff800000, 0x7fc00000, 0x7f800001, 0x7f7fffff, 0xff7fffff, 0x3f800000};
    return random_below(one_in) ? random_float()
                                : mote_base_f32_from_bits(bits[random_below(sizeof bits / sizeof *bits)]);
}

static inline void random_bytes(void *to, size_t n) {
    uint8_t *p = to;
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)random_u32();
}

/* The same bits, or both NaN (IEEE leaves open which NaN an operation gives). */
static inline int same_float(float a, float b) {
    return (a != a && b != b) || mote_base_f32_bits(a) == mote_base_f32_bits(b);
}

static inline void check_floats(const float *got, const float *want, size_t n, const char *what,
                                uint32_t cpu) {
    for (size_t i = 0; i < n; i++)
        if (!same_float(got[i], want[i]))
            fail_msg("%s with CPU bits %x: value %zu is %a (%08x), should be %a (%08x)", what, cpu, i, got[i],
                     mote_base_f32_bits(got[i]), want[i], mote_base_f32_bits(want[i]));
}

/* ---- CPU features ---- */

/* for each subset of what this machine can do, the empty one first */
#define FOR_EACH_CPU(cpu)                                                                                    \
    for (uint32_t cpu_all_ = mote_posix_cpu(), cpu = 0, cpu_more_ = 1; cpu_more_;                            \
         cpu_more_ = cpu != cpu_all_, cpu = (cpu - cpu_all_) & cpu_all_)

/* ---- --bench ---- */

/* Time this thread has had: other programs on the machine do not count. */
static inline uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Cycles per nanosecond, by a chain of additions that take one cycle each. */
static inline double measure_ghz(void) {
    uint64_t best = UINT64_MAX, x = 1;
    for (int round = 0; round < 5; round++) {
        uint64_t start = now_ns();
        for (int i = 0; i < 1000000; i++) {
            for (int j = 0; j < 10; j++) {
                x += 3;
                __asm__ volatile("" : "+r"(x));
            }
        }
        uint64_t took = now_ns() - start;
        best = took < best ? took : best;
    }
    return 1e7 / (double)best;
}

/* Best time of one call in ns: `call` is an expression, run for about 30 ms in ten rounds. */
#define BEST_NS(result, call)                                                                                \
    do {                                                                                                     \
        uint64_t start_ = now_ns(), n_ = 0;                                                                  \
        do {                                                                                                 \
            call;                                                                                            \
            n_++;                                                                                            \
        } while (now_ns() - start_ < 3000000);                                                               \
        (result) = 1e30;                                                                                     \
        for (int round_ = 0; round_ < 10; round_++) {                                                        \
            start_ = now_ns();                                                                               \
            for (uint64_t i_ = 0; i_ < n_; i_++)                                                             \
                call;                                                                                        \
            double ns_ = (double)(now_ns() - start_) / (double)n_;                                           \
            (result) = ns_ < (result) ? ns_ : (result);                                                      \
        }                                                                                                    \
    } while (0)

#endif
