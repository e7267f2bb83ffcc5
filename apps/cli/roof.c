/* SPDX-License-Identifier: Apache-2.0
 *
 * roof.c: measures the machine with the loops of roof_<isa>.c, through the same threads that models run on.
 *
 * Work is given out in small pieces, a few for each thread, and the best of some rounds counts: what else the
 * machine does in the meantime can only make a round slower. For products a few milliseconds will do. Memory is
 * faster for so short a time than it ever is while a model runs, so there a round is a tenth of a second. The
 * buffer is four times the last cache, between 256 MB and 1 GB, but no more than a quarter of the free memory,
 * and is read from end to end, so that nothing is left of it in a cache when its turn comes again. It has been
 * written before, as pages that have not are all the same one. */
#include <string.h>
#include <unistd.h>

#include "apps/cli/cli.h"
#include "apps/cli/roof.h"

enum { PIECES = 4, ROUNDS = 80, READ_ROUNDS = 10, READ_PIECE = 1 << 20 };

static const struct cli_roof_loops *const all_loops[] = {
    &cli_roof_loops__ref,
#if defined(__x86_64__)
    &cli_roof_loops__avx2, &cli_roof_loops__avxvnni, &cli_roof_loops__avx512, &cli_roof_loops__avx512vnni,
#elif defined(__aarch64__)
    &cli_roof_loops__neon,
    &cli_roof_loops__dotprod,
    &cli_roof_loops__i8mm,
#endif
};
enum { N_LOOPS = sizeof all_loops / sizeof(void *) };

/* Whether another set that the bits allow contains this one, and so is at least as fast. */
static int surpassed(const struct cli_roof_loops *loops, uint32_t bits) {
    for (size_t i = 0; i < N_LOOPS; i++) {
        uint32_t needs = all_loops[i]->needs;
        if (needs != loops->needs && !(needs & ~bits) && !(loops->needs & ~needs)) return 1;
    }
    return 0;
}

/* The last of those that need no more than the bits. */
static const struct cli_roof_loops *strongest(uint32_t bits) {
    const struct cli_roof_loops *found = all_loops[0];
    for (size_t i = 0; i < N_LOOPS; i++)
        if (!(all_loops[i]->needs & ~bits)) found = all_loops[i];
    return found;
}

static uint32_t n_workers(const mote_host *host) {
    return host->n_workers ? host->n_workers : 1;
}

static void in_pieces(const mote_host *host, uint32_t n, mote_work *work, void *argument) {
    if (host->parallel_for) {
        host->parallel_for(host->user, n, work, argument);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        work(argument, i, 0);
}

/* ---- multiply-adds ---- */

struct multiplying {
    uint64_t (*loop)(uint32_t turns);
    uint32_t turns;
};

static void multiply_piece(void *argument, uint32_t i, uint32_t worker) {
    const struct multiplying *multiplying = argument;
    (void)i;
    (void)worker;
    (void)multiplying->loop(multiplying->turns);
}

static double multiply_rate(const mote_host *host, uint64_t (*loop)(uint32_t turns)) {
    struct multiplying multiplying = {loop, 1024};
    for (double seconds = 0; seconds < 2.5e-4 && multiplying.turns < 1u << 30;) {
        multiplying.turns *= 2;
        double start = cli_clock();
        loop(multiplying.turns);
        seconds = cli_clock() - start;
    }
    uint32_t n = PIECES * n_workers(host);
    double macs = (double)loop(multiplying.turns) * n, best = 0;
    for (int round = 0; round < ROUNDS && !cli_interrupted; round++) {
        double start = cli_clock();
        in_pieces(host, n, multiply_piece, &multiplying);
        double seconds = cli_clock() - start;
        if (seconds > 0 && macs / seconds > best) best = macs / seconds;
    }
    return best;
}

/* ---- memory ---- */

struct reading {
    void (*loop)(const void *bytes, size_t n_bytes);
    char *bytes;
};

static void read_piece(void *argument, uint32_t i, uint32_t worker) {
    const struct reading *reading = argument;
    (void)worker;
    reading->loop(reading->bytes + (size_t)i * READ_PIECE, READ_PIECE);
}

static void write_piece(void *argument, uint32_t i, uint32_t worker) {
    const struct reading *reading = argument;
    (void)worker;
    memset(reading->bytes + (size_t)i * READ_PIECE, 1, READ_PIECE);
}

static uint64_t buffer_bytes(void) {
    uint64_t least = 256ull << 20, most = 1ull << 30, n_bytes = least;
#if defined(_SC_LEVEL3_CACHE_SIZE)
    long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
    if (cache > 0 && 4 * (uint64_t)cache > n_bytes) n_bytes = 4 * (uint64_t)cache;
#endif
#if defined(_SC_AVPHYS_PAGES)
    long pages = sysconf(_SC_AVPHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page > 0 && (uint64_t)pages * (uint64_t)page / 4 < most)
        most = (uint64_t)pages * (uint64_t)page / 4;
#endif
    if (n_bytes > most) n_bytes = most;
    return n_bytes < READ_PIECE ? READ_PIECE : n_bytes / READ_PIECE * READ_PIECE;
}

static double memory_rate(const mote_host *host) {
    uint64_t n_bytes = buffer_bytes();
    struct reading reading = {strongest(mote_posix_cpu())->read, mote_posix_block_open(n_bytes)};
    uint32_t n = (uint32_t)(n_bytes / READ_PIECE);
    double best = 0;
    if (!reading.bytes) return 0;
    in_pieces(host, n, write_piece, &reading);
    for (int round = 0; round < READ_ROUNDS && !cli_interrupted; round++) {
        double start = cli_clock(), seconds = 0;
        uint64_t n_read = 0;
        while (seconds < 0.1 && !cli_interrupted) {
            in_pieces(host, n, read_piece, &reading);
            n_read += n_bytes;
            seconds = cli_clock() - start;
        }
        if (seconds > 0 && (double)n_read / seconds > best) best = (double)n_read / seconds;
    }
    mote_posix_block_close(reading.bytes, n_bytes);
    return best;
}

int cli_roof_measure(const mote_host *host, struct cli_roof *roof) {
    *roof = (struct cli_roof){0};
    for (size_t i = 0; i < N_LOOPS; i++) {
        const struct cli_roof_loops *loops = all_loops[i];
        if ((loops->needs & ~host->cpu) || surpassed(loops, host->cpu)) continue;
        double int8 = multiply_rate(host, loops->int8), f32 = multiply_rate(host, loops->f32);
        if (int8 > roof->int8) roof->int8 = int8;
        if (f32 > roof->f32) roof->f32 = f32;
    }
    roof->memory = memory_rate(host);
    return roof->memory > 0;
}
