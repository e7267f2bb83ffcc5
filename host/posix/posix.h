/* SPDX-License-Identifier: Apache-2.0
 *
 * posix.h: mote's host on POSIX systems: threads, file maps, the clock, and what the CPU can do. */
#ifndef MOTE_HOST_POSIX_H
#define MOTE_HOST_POSIX_H

#include "mote/mote.h"

/* MOTE_CPU_* bits of this machine (with the operating system's consent to save the registers). */
uint32_t mote_posix_cpu(void);

/* The bits up to a named level: "scalar", "avx2", "avxvnni", "avx512", "avx512vnni" (alias "native": all).
 * Returns 0 if there is no such level. names: mote_posix_cpu_levels, NULL-terminated, weakest first. */
int mote_posix_cpu_level(const char *name, uint32_t *bits);
extern const char *const mote_posix_cpu_levels[];

/* Physical cores this process may use (affinity and cgroup quota respected), at least 1. */
uint32_t mote_posix_cores(void);

/* The most memory this process has held so far, in bytes; 0 if it cannot be told. */
uint64_t mote_posix_peak_bytes(void);

/* Threads and clock. n_threads 0: mote_posix_cores(); cpu is masked with what the machine has.
 * Returns NULL when memory or threads run out (errno says). */
struct mote_posix_host;
struct mote_posix_host *mote_posix_host_open(uint32_t n_threads, uint32_t cpu);
void mote_posix_host_close(struct mote_posix_host *pool);
const mote_host *mote_posix_host_get(const struct mote_posix_host *pool);

/* A read-only map of a whole file. Returns 0 with errno set on failure; an empty file maps as bytes NULL,
 * n_bytes 0. */
struct mote_posix_map {
    const void *bytes;
    uint64_t n_bytes;
};
int mote_posix_map_open(const char *path, struct mote_posix_map *map);
void mote_posix_map_close(struct mote_posix_map *map);
/* Lets go of the memory that what was read so far takes in this process; what is read again comes back, in small
 * pages: for a file of which little is wanted from now on. */
void mote_posix_map_forget(const struct mote_posix_map *map);

/* Whether the bytes are a copy, which may be written to. */
int mote_posix_map_is_copy(const struct mote_posix_map *map);

/* The same with code and constants of the program and its libraries, most of which was read only to link them. */
void mote_posix_code_forget(void);

/* A zeroed block aligned to MOTE_ALIGN (page-aligned, committed as it is touched). NULL with errno set. */
void *mote_posix_block_open(uint64_t n_bytes);
void mote_posix_block_close(void *block, uint64_t n_bytes);

#endif
