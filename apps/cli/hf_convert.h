/* SPDX-License-Identifier: Apache-2.0
 *
 * hf_convert.h: an encoder in a Hugging Face folder to GGUF. */
#ifndef MOTE_CLI_HF_CONVERT_H
#define MOTE_CLI_HF_CONVERT_H

#include <stddef.h>

/* A linear head to add: f32 [rows, D], then f32 [rows] biases, little-endian. With one row for two labels it
 * is logistic: the labels get −z/2 and z/2, whose softmax is that of 0 and z. It reads vectors of length 1. */
struct cli_hf_extra_head {
    const unsigned char *bytes;
    size_t n_bytes;
    const char *const *labels;
    size_t n_labels; /* 0: none */
};

struct cli_hf_request {
    const char *folder, *out;
    const char *name;    /* general.name, or NULL: the folder's */
    const char *type;    /* "F32", "F16", "Q8_0", or NULL: the smallest of the first two that loses nothing */
    const char *pooling; /* "mean", "cls", "last", "none", or NULL: as the folder says */
    struct cli_hf_extra_head head;
    int quiet;
};

/* Writes the GGUF file; it appears whole or not at all. Returns CLI_OK or an exit code, with a message
 * printed. */
int cli_hf_convert(const struct cli_hf_request *request);

#endif
