/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel.c: what the kernel tests ask of a POSIX system. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "host/posix/posix.h"

/* ---- guarded memory: [guard page][what may be touched][guard page], after a header ---- */

enum { PAGE = 65536, HEADER = 64 };

struct header {
    uint8_t fill;
};

void *mmap(void *at, size_t n, int protection, int flags, int file, long offset) {
    (void)at, (void)protection, (void)flags, (void)file, (void)offset;
    static uint8_t fill;
    uint8_t *p = aligned_alloc(64, HEADER + (n + 63) / 64 * 64);
    if (!p) return NULL;
    fill += 41;
    ((struct header *)p)->fill = fill;
    memset(p + HEADER, fill, n);
    return p + HEADER;
}

int mprotect(void *at, size_t n, int protection) {
    (void)at, (void)n, (void)protection;
    return 0;
}

int munmap(void *at, size_t n) {
    uint8_t *p = at, fill = ((struct header *)(p - HEADER))->fill;
    for (size_t i = 0; i < PAGE; i++) {
        if (p[i] != fill || p[n - PAGE + i] != fill) {
            printf("something wrote outside its array\n[  FAILED  ] 1 test(s).\n");
            exit(1);
        }
    }
    free(p - HEADER);
    return 0;
}

/* ---- levels ---- */

uint32_t mote_posix_cpu(void) {
#if defined(__wasm_relaxed_simd__)
    return MOTE_CPU_SIMD128 | MOTE_CPU_RELAXED;
#else
    return MOTE_CPU_SIMD128;
#endif
}

const char *const mote_posix_cpu_levels[] = {"scalar", "simd128", "relaxed", NULL};

int mote_posix_cpu_level(const char *name, uint32_t *cpu) {
    *cpu = strcmp(name, "scalar") == 0    ? 0
           : strcmp(name, "simd128") == 0 ? MOTE_CPU_SIMD128
                                          : MOTE_CPU_SIMD128 | MOTE_CPU_RELAXED;
    return 1;
}
