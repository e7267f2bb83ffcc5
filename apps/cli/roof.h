/* SPDX-License-Identifier: Apache-2.0
 *
 * roof.h: the limits of the machine, measured: what no kernel can pass, however well it is written.
 *
 *     memory   bytes a second that threads read from a buffer much larger than the last cache
 *     int8     multiply-adds a second of 8-bit numbers, operands in registers, nothing loaded or stored
 *     f32      the same of f32 numbers, a multiplication and an addition each (not fused: see
 * ARCHITECTURE.md)
 *
 * Memory is read with the widest loads the processor has; int8 and f32 use only the instruction sets that the
 * host is held to. */
#ifndef MOTE_CLI_ROOF_H
#define MOTE_CLI_ROOF_H

#include <stddef.h>
#include <stdint.h>

#include "mote/mote.h"

struct cli_roof {
    double memory, int8, f32; /* a second */
};

/* Measures for as many threads as the host has, in about a second. Returns 0 when memory for the buffer is
 * lacking (the roof is then that of the rest, memory 0). */
int cli_roof_measure(const mote_host *host, struct cli_roof *roof);

/* The loops of one instruction set, in roof_<isa>.c; those of a set that the machine does not have must not
 * be called. */
struct cli_roof_loops {
    uint32_t needs;                                  /* MOTE_CPU_* bits */
    void (*read)(const void *bytes, size_t n_bytes); /* n_bytes a multiple of 256, bytes aligned to 64 */
    uint64_t (*int8)(uint32_t turns);                /* returns the multiply-adds made */
    uint64_t (*f32)(uint32_t turns);
};
extern const struct cli_roof_loops cli_roof_loops__ref;
#if defined(__x86_64__)
extern const struct cli_roof_loops cli_roof_loops__avx2, cli_roof_loops__avxvnni, cli_roof_loops__avx512,
    cli_roof_loops__avx512vnni;
#elif defined(__aarch64__)
extern const struct cli_roof_loops cli_roof_loops__neon, cli_roof_loops__dotprod, cli_roof_loops__i8mm;
#endif

#endif
