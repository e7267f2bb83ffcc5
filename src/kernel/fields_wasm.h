/* SPDX-License-Identifier: Apache-2.0
 *
 * fields_wasm.h: superblocks of bit fields as tables, for WebAssembly: a type's values are a field of low bits and
 * perhaps one of high bits (decode_k.c draws them). */
#ifndef MOTE_KERNEL_FIELDS_WASM_H
#define MOTE_KERNEL_FIELDS_WASM_H

#include <stdint.h>

/* A field has n bytes with `bits` for a value, `width` of them in a piece (decode_k.c), which come to stand at bit
 * `up` of the value. */
struct field {
    uint8_t at, n, width, bits, up;
};

struct superblock_type {
    uint8_t bytes;
    int8_t bias;
    uint8_t group16; /* groups of 16 values, else of 32 */
    struct field low, high;
};

extern const struct superblock_type mote_kernel_fields_q4_k, mote_kernel_fields_q5_k, mote_kernel_fields_q6_k;

#endif
