/* SPDX-License-Identifier: Apache-2.0
 *
 * wasi.c: what posix.h promises, in a sandbox of WASI preview 1: one thread, no maps. A model file is read
 * into the module's memory, once; the host's directories are those it granted. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/posix/posix.h"

uint32_t mote_posix_cores(void) {
    return 1;
}

uint64_t mote_posix_peak_bytes(void) {
    return (uint64_t)__builtin_wasm_memory_size(0) << 16; /* it never shrinks */
}

struct mote_posix_host {
    mote_host host;
};

static uint64_t clock_ns(void *user) {
    struct timespec now;
    (void)user;
    if (clock_gettime(CLOCK_MONOTONIC, &now)) return 0;
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Threads beyond the first are not to be had: fewer than wanted is what a busy machine gives, too. */
struct mote_posix_host *mote_posix_host_open(uint32_t n_threads, uint32_t cpu) {
    struct mote_posix_host *pool = malloc(sizeof *pool);
    (void)n_threads;
    if (pool) pool->host = (mote_host){.cpu = cpu & mote_posix_cpu(), .n_workers = 1, .clock_ns = clock_ns};
    return pool;
}

void mote_posix_host_close(struct mote_posix_host *pool) {
    free(pool);
}

const mote_host *mote_posix_host_get(const struct mote_posix_host *pool) {
    return &pool->host;
}

/* Bytes asked for at once: runtimes refuse calls that move very many (Wasmtime, more than 128 MB). */
enum { PIECE = 1 << 24 };

static int read_whole(int fd, struct mote_posix_map *map) {
    struct stat status;
    if (fstat(fd, &status)) return 0;
    if (S_ISDIR(status.st_mode)) return errno = EISDIR, 0;
    if (!S_ISREG(status.st_mode)) return errno = ESPIPE, 0;
    map->bytes = NULL;
    map->n_bytes = 0;
    if (!status.st_size) return 1;
    if ((uint64_t)status.st_size > SIZE_MAX - MOTE_ALIGN) return errno = EFBIG, 0;
    size_t n = (size_t)status.st_size, at = 0;
    char *bytes = mote_posix_block_open(n);
    if (!bytes) return 0;
    while (at < n) {
        ssize_t got = read(fd, bytes + at, n - at < PIECE ? n - at : PIECE);
        if (got < 0 && errno == EINTR) continue;
        if (got > 0) {
            at += (size_t)got;
            continue;
        }
        int error = got ? errno : EIO; /* it became shorter while it was read */
        free(bytes);
        return errno = error, 0;
    }
    map->bytes = bytes;
    map->n_bytes = n;
    return 1;
}

int mote_posix_map_open(const char *path, struct mote_posix_map *map) {
    int fd = open(path, O_RDONLY);
    if (fd < 0) return 0;
    int done = read_whole(fd, map), error = errno;
    close(fd);
    errno = error;
    return done;
}

void mote_posix_map_close(struct mote_posix_map *map) {
    free((void *)(uintptr_t)map->bytes);
    map->bytes = NULL;
    map->n_bytes = 0;
}

void mote_posix_map_forget(const struct mote_posix_map *map) {
    (void)map; /* a copy, which cannot come back */
}

int mote_posix_map_is_copy(const struct mote_posix_map *map) {
    (void)map;
    return 1;
}

void mote_posix_code_forget(void) {}

void *mote_posix_block_open(uint64_t n_bytes) {
    if (n_bytes > SIZE_MAX - 2 * MOTE_ALIGN) return errno = ENOMEM, NULL;
    size_t n = ((size_t)n_bytes + MOTE_ALIGN) / MOTE_ALIGN * MOTE_ALIGN;
    void *block = aligned_alloc(MOTE_ALIGN, n);
    return block ? memset(block, 0, n) : NULL;
}

void mote_posix_block_close(void *block, uint64_t n_bytes) {
    (void)n_bytes;
    free(block);
}
