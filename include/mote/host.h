/* SPDX-License-Identifier: Apache-2.0
 *
 * host.h: all that the core of mote may ask of the world it runs in. A host is a plain struct of function
 * pointers; every pointer may be NULL, and a zero-initialised host means: one thread, scalar kernels,
 * silence. host/posix/ and host/wasm/ make one; an embedder may write his own.
 */
#ifndef MOTE_HOST_H
#define MOTE_HOST_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Instruction sets that a kernel may use, as bits. Each bit stands for itself only; a level is a set of bits.
 */
enum {
    MOTE_CPU_AVX2 = 1 << 0,       /* AVX2 and F16C */
    MOTE_CPU_AVXVNNI = 1 << 1,    /* 256-bit VPDPBUSD, VEX encoded */
    MOTE_CPU_AVX512 = 1 << 2,     /* F, BW, DQ, VL */
    MOTE_CPU_AVX512VNNI = 1 << 3, /* 512-bit VPDPBUSD */
    MOTE_CPU_NEON = 1 << 4,
    MOTE_CPU_DOTPROD = 1 << 5,
    MOTE_CPU_I8MM = 1 << 6,
    MOTE_CPU_SIMD128 = 1 << 7, /* wasm */
    MOTE_CPU_RELAXED = 1 << 8, /* wasm relaxed SIMD */
};

/* Runs piece i of n on some worker < n_workers. One worker runs one piece at a time. */
typedef void mote_work(void *argument, uint32_t i, uint32_t worker);

typedef struct mote_host {
    void *user;         /* handed to each function below */
    uint32_t cpu;       /* MOTE_CPU_* bits */
    uint32_t n_workers; /* threads parallel_for may use, 0 is taken as 1 */
    /* Calls work(argument, i, worker) once for each i < n, returns when all are done. NULL: serial. */
    void (*parallel_for)(void *user, uint32_t n, mote_work *work, void *argument);
    uint64_t (*clock_ns)(void *user); /* monotonic, for statistics only */
} mote_host;

#ifdef __cplusplus
}
#endif
#endif
