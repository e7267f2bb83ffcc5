/* SPDX-License-Identifier: Apache-2.0
 *
 * widen.c: writes a GGUF file again with every tensor as F32, its values unchanged: what the quantized file
 * means, exactly. An engine that reads the wide file rounds no activation, so it says what the model says;
 * engines that read the quantized file round activations, each in its own way, and are measured against that.
 *
 *     widen IN.gguf OUT.gguf
 *
 *     "GGUF" version n_tensors n_keys | keys, byte for byte | tensor infos: type F32, new offsets | values
 *
 * It trusts the decoders (kernel/decode.h), which tests/kernel holds against recorded values. */
#include <stdio.h>
#include <stdlib.h>

#include "format/gguf.h"
#include "host/posix/posix.h"
#include "kernel/kernel.h"

enum { ALIGNMENT = 32 };

static FILE *out;
static uint64_t written;

static void put(const void *bytes, size_t n) {
    if (fwrite(bytes, 1, n, out) != n) {
        perror("widen");
        exit(1);
    }
    written += n;
}

static void put_u32(uint32_t value) {
    put(&value, sizeof value);
}

static void put_u64(uint64_t value) {
    put(&value, sizeof value);
}

static void pad(void) {
    static const char zeros[ALIGNMENT];
    put(zeros, -written % ALIGNMENT);
}

static void *block(uint64_t n_bytes) {
    void *at = mote_posix_block_open(n_bytes);
    if (!at) {
        perror("widen");
        exit(1);
    }
    return at;
}

static uint64_t rows_of(const struct mote_format_tensor *t) {
    return t->dims[1] * t->dims[2] * t->dims[3];
}

static void put_directory(const struct mote_format_file *file) {
    uint64_t keys = 24, infos = file->data_offset, offset = 0;
    for (uint64_t i = 0; i < file->n_tensors; i++)
        if (file->tensors[i].info_offset < infos) infos = file->tensors[i].info_offset;
    put("GGUF", 4);
    put_u32(file->version);
    put_u64(file->n_tensors);
    put_u64(file->n_keys);
    put(file->bytes + keys, infos - keys);
    for (uint64_t i = 0; i < file->n_tensors; i++) {
        const struct mote_format_tensor *t = &file->tensors[i];
        put_u64(t->name.n);
        put(t->name.data, t->name.n);
        put_u32(t->n_dims);
        for (uint32_t d = 0; d < t->n_dims; d++)
            put_u64(t->dims[d]);
        put_u32(MOTE_TYPE_F32);
        put_u64(offset);
        offset += (t->dims[0] * rows_of(t) * 4 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    pad();
}

static void put_values(const struct mote_kernels *kernels, const struct mote_format_tensor *t) {
    const struct mote_base_type_info *info = mote_base_type_describe(t->type);
    uint32_t k = (uint32_t)t->dims[0], n = (uint32_t)rows_of(t);
    struct mote_kernel_weight w = {
        t->data, (uint64_t)k / info->elements * info->bytes, t->type, n, k, NULL, NULL, 0};
    uint64_t work_bytes = mote_kernel_matmul_plan(k);
    void *work = block(work_bytes);
    float *y = block(k * sizeof *y);
    for (uint32_t row = 0; row < n; row++) {
        mote_kernel_row(kernels, &w, row, y, work);
        put(y, k * sizeof *y);
    }
    pad();
    mote_posix_block_close(y, k * sizeof *y);
    mote_posix_block_close(work, work_bytes);
}

int main(int argc, char **argv) {
    struct mote_posix_map map;
    struct mote_format_file file;
    struct mote_base_arena arena;
    struct mote_kernels kernels;
    mote_error error = {0};
    uint64_t n;
    if (argc != 3 || !mote_posix_map_open(argv[1], &map) || !(out = fopen(argv[2], "wb"))) {
        fprintf(stderr, "usage: widen IN.gguf OUT.gguf\n");
        return 2;
    }
    if (mote_format_plan(map.bytes, map.n_bytes, &n, &error)) {
        fprintf(stderr, "widen: %s\n", error.text);
        return 1;
    }
    mote_base_arena_open(&arena, block(n), n);
    if (mote_format_open(map.bytes, map.n_bytes, &arena, &file, &error)) {
        fprintf(stderr, "widen: %s\n", error.text);
        return 1;
    }
    mote_kernel_select(&kernels, mote_posix_cpu());
    put_directory(&file);
    for (uint64_t i = 0; i < file.n_tensors; i++)
        put_values(&kernels, &file.tensors[i]);
    if (fclose(out)) {
        perror("widen");
        return 1;
    }
    return 0;
}
