/* SPDX-License-Identifier: Apache-2.0
 *
 * host_test.c: the POSIX host: every piece runs once, on a worker that runs nothing else, whose writes are
 * seen afterwards; maps and blocks; levels. Meant to be run under ThreadSanitizer too. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "host/posix/posix.h"

enum { MOST_PIECES = 300, MOST_WORKERS = 4 };

struct job {
    uint32_t n_workers;
    uint32_t times[MOST_PIECES]; /* plain, not atomic: a piece that ran twice at once is a data race */
    uint64_t sum[MOST_WORKERS];  /* plain: two pieces at once on one worker are a data race */
    uint64_t sleep_ns;
    int bad_worker;
};

static void count(void *argument, uint32_t i, uint32_t worker) {
    struct job *job = argument;
    if (worker >= job->n_workers) {
        job->bad_worker = 1;
        return;
    }
    job->times[i]++;
    job->sum[worker] += i + 1;
    if (job->sleep_ns) nanosleep(&(struct timespec){0, (long)job->sleep_ns}, NULL);
}

static void run_job(const mote_host *host, struct job *job, uint32_t n) {
    uint64_t sum = 0;
    memset(job->times, 0, sizeof job->times);
    memset(job->sum, 0, sizeof job->sum);
    job->n_workers = host->n_workers;
    job->bad_worker = 0;
    host->parallel_for(host->user, n, count, job);
    assert_false(job->bad_worker);
    for (uint32_t i = 0; i < MOST_PIECES; i++)
        assert_int_equal(job->times[i], i < n);
    for (uint32_t i = 0; i < MOST_WORKERS; i++)
        sum += job->sum[i];
    assert_int_equal(sum, (uint64_t)n * (n + 1) / 2);
}

static void every_piece_runs_once(void **state) {
    struct job job = {0};
    (void)state;
    for (uint32_t n_threads = 1; n_threads <= MOST_WORKERS; n_threads++) {
        struct mote_posix_host *host = mote_posix_host_open(n_threads, 0);
        assert_non_null(host);
        assert_int_equal(mote_posix_host_get(host)->n_workers, n_threads);
        for (uint32_t round = 0; round < 20; round++)
            for (uint32_t n = 0; n <= 100; n++)
                run_job(mote_posix_host_get(host), &job, n);
        run_job(mote_posix_host_get(host), &job, MOST_PIECES);
        mote_posix_host_close(host);
    }
}

struct late {
    uint32_t piece, n;
    atomic_uint done; /* other pieces */
    int waited_in_vain;
};

/* The late piece ends after all others have. */
static void count_or_wait(void *argument, uint32_t i, uint32_t worker) {
    struct late *late = argument;
    (void)worker;
    if (i != late->piece) {
        atomic_fetch_add(&late->done, 1);
        return;
    }
    for (int turn = 0; atomic_load(&late->done) < late->n - 1; turn++) {
        if (turn == 20000) {
            late->waited_in_vain = 1;
            return;
        }
        nanosleep(&(struct timespec){0, 500000}, NULL);
    }
}

/* Whoever is held up by one piece, the others do what he would have done next. */
static void others_take_what_is_left(void **state) {
    (void)state;
    for (uint32_t n_threads = 2; n_threads <= MOST_WORKERS; n_threads++) {
        struct mote_posix_host *host = mote_posix_host_open(n_threads, 0);
        assert_non_null(host);
        const mote_host *h = mote_posix_host_get(host);
        for (uint32_t n = 2; n <= 17; n++)
            for (uint32_t piece = 0; piece < n; piece++) {
                struct late late = {.piece = piece, .n = n};
                h->parallel_for(h->user, n, count_or_wait, &late);
                assert_false(late.waited_in_vain);
                assert_int_equal(atomic_load(&late.done), n - 1);
            }
        mote_posix_host_close(host);
    }
}

/* Pauses longer than the workers spin, so that they sleep and are woken; pieces long enough that the caller
 * sleeps too. */
static void sleepers_are_woken(void **state) {
    struct job job = {0};
    (void)state;
    struct mote_posix_host *host = mote_posix_host_open(3, 0);
    assert_non_null(host);
    for (int round = 0; round < 60; round++) {
        job.sleep_ns = round % 3 ? 0 : 300000;
        run_job(mote_posix_host_get(host), &job, (uint32_t)round % 7);
        nanosleep(&(struct timespec){0, round % 2 ? 2000000 : 20000}, NULL);
    }
    mote_posix_host_close(host);
}

/* More jobs than the gate's 16-bit number counts, so that it wraps. */
static void numbers_wrap(void **state) {
    struct job job = {.n_workers = 2};
    (void)state;
    struct mote_posix_host *host = mote_posix_host_open(2, 0);
    assert_non_null(host);
    const mote_host *h = mote_posix_host_get(host);
    for (int i = 0; i < 150000; i++)
        h->parallel_for(h->user, 2, count, &job);
    assert_int_equal(job.times[0], 150000);
    assert_int_equal(job.times[1], 150000);
    mote_posix_host_close(host);
}

struct caller {
    const mote_host *host;
    int failed;
};

static void *call_often(void *argument) {
    struct caller *caller = argument;
    struct job job = {.n_workers = caller->host->n_workers};
    for (int i = 0; i < 2000; i++)
        caller->host->parallel_for(caller->host->user, 5, count, &job);
    for (int i = 0; i < 5; i++)
        caller->failed |= job.times[i] != 2000;
    return NULL;
}

static void two_callers_do_not_meet(void **state) {
    pthread_t threads[2];
    struct caller callers[2];
    (void)state;
    struct mote_posix_host *host = mote_posix_host_open(3, 0);
    assert_non_null(host);
    for (int i = 0; i < 2; i++) {
        callers[i] = (struct caller){mote_posix_host_get(host), 0};
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &callers[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_false(callers[i].failed);
    }
    mote_posix_host_close(host);
}

/* Workers that nobody calls use no time. */
static void idle_costs_nothing(void **state) {
    struct rusage before, after;
    struct job job = {0};
    (void)state;
    struct mote_posix_host *host = mote_posix_host_open(MOST_WORKERS, 0);
    assert_non_null(host);
    run_job(mote_posix_host_get(host), &job, 10);
    nanosleep(&(struct timespec){0, 50000000}, NULL);
    getrusage(RUSAGE_SELF, &before);
    nanosleep(&(struct timespec){0, 200000000}, NULL);
    getrusage(RUSAGE_SELF, &after);
    long used = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 + after.ru_utime.tv_usec -
                before.ru_utime.tv_usec + (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
                after.ru_stime.tv_usec - before.ru_stime.tv_usec;
    assert_in_range(used, 0, 20000); /* microseconds of 200000 */
    mote_posix_host_close(host);
}

static void levels_have_names(void **state) {
    uint32_t bits = 77, before = 0;
    (void)state;
    assert_string_equal(mote_posix_cpu_levels[0], "scalar");
    for (size_t i = 0; mote_posix_cpu_levels[i]; i++) {
        assert_true(mote_posix_cpu_level(mote_posix_cpu_levels[i], &bits));
        assert_int_equal(bits & before, before); /* each contains the weaker ones */
        before = bits;
    }
    assert_true(mote_posix_cpu_level("native", &bits));
    assert_int_equal(bits & before, before);
    bits = 77;
    assert_false(mote_posix_cpu_level("avx3", &bits));
    assert_int_equal(bits, 77);
    struct mote_posix_host *host = mote_posix_host_open(1, UINT32_MAX);
    assert_non_null(host);
    assert_int_equal(mote_posix_host_get(host)->cpu, mote_posix_cpu());
    mote_posix_host_close(host);
    assert_true(mote_posix_cores() >= 1);
}

static void clock_goes_forward(void **state) {
    (void)state;
    struct mote_posix_host *host = mote_posix_host_open(1, 0);
    assert_non_null(host);
    const mote_host *h = mote_posix_host_get(host);
    uint64_t first = h->clock_ns(h->user);
    nanosleep(&(struct timespec){0, 2000000}, NULL);
    assert_true(h->clock_ns(h->user) - first >= 2000000);
    mote_posix_host_close(host);
}

static void maps_say_what_is_wrong(void **state) {
    char path[] = P_tmpdir "/mote-host-test-XXXXXX";
    struct mote_posix_map map = {NULL, 99};
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(mote_posix_map_open(path, &map));
    assert_null(map.bytes);
    assert_int_equal(map.n_bytes, 0);
    mote_posix_map_close(&map);
    assert_int_equal(write(fd, "mote", 4), 4);
    assert_true(mote_posix_map_open(path, &map));
    assert_int_equal(map.n_bytes, 4);
    assert_memory_equal(map.bytes, "mote", 4);
    unlink(path); /* a file that vanishes stays mapped */
    assert_memory_equal(map.bytes, "mote", 4);
    mote_posix_map_close(&map);
    close(fd);
    assert_false(mote_posix_map_open(path, &map));
    assert_int_equal(errno, ENOENT);
    assert_false(mote_posix_map_open("/", &map));
    assert_int_equal(errno, EISDIR);
    assert_false(mote_posix_map_open("/dev/null", &map));
    assert_int_equal(errno, ESPIPE);
}

static void blocks_are_zero_and_aligned(void **state) {
    (void)state;
    unsigned char *block = mote_posix_block_open(100000);
    assert_non_null(block);
    assert_int_equal((uintptr_t)block % MOTE_ALIGN, 0);
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(block[i], 0);
    memset(block, 1, 100000);
    mote_posix_block_close(block, 100000);
    block = mote_posix_block_open(0);
    assert_non_null(block);
    mote_posix_block_close(block, 0);
    assert_null(mote_posix_block_open(UINT64_MAX));
    assert_int_equal(errno, ENOMEM);
    mote_posix_block_close(NULL, 7);
}

static void threads_have_a_limit(void **state) {
    (void)state;
    assert_null(mote_posix_host_open(1000000, 0));
    assert_int_equal(errno, EINVAL);
    mote_posix_host_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_piece_runs_once),   cmocka_unit_test(others_take_what_is_left),
        cmocka_unit_test(sleepers_are_woken),      cmocka_unit_test(numbers_wrap),
        cmocka_unit_test(two_callers_do_not_meet), cmocka_unit_test(idle_costs_nothing),
        cmocka_unit_test(levels_have_names),       cmocka_unit_test(clock_goes_forward),
        cmocka_unit_test(maps_say_what_is_wrong),  cmocka_unit_test(blocks_are_zero_and_aligned),
        cmocka_unit_test(threads_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
