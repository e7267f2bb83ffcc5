/* SPDX-License-Identifier: Apache-2.0
 *
 * quantize.h: floats to blocks of the weight types that `mote quantize` writes. */
#ifndef MOTE_CLI_QUANTIZE_H
#define MOTE_CLI_QUANTIZE_H

#include <stddef.h>
#include <stdint.h>

struct cli_encoding {
    const char *name;
    uint32_t number;          /* of the type in GGUF */
    uint32_t elements, bytes; /* of a block */
    /* x [n_blocks · elements] → blocks. NaN counts as 0; what is too large for a scale is clipped. */
    void (*encode)(const float *x, size_t n_blocks, uint8_t *blocks);
};

/* NULL if mote does not write this type. */
const struct cli_encoding *cli_encoding_find(const char *name);

/* The type for a tensor where matrices are to be `type`: of positions at least F16; NULL, as it is (when it is
 * made, F32), for vectors, norms, segments and the heads of encoders. They are small, and an error in them is
 * everywhere. */
const char *cli_encoding_type(const char *name, size_t n_name, uint32_t n_dims, const char *type);

#endif
