/* SPDX-License-Identifier: Apache-2.0
 *
 * gguf_fuzz.c: any bytes into the GGUF reader; what it accepts is then read in full, as its users would.
 * The promises it checks beside "no crash": the arena of the plan is enough and bounded by the file, names
 * are found where they are, tensors lie inside the file and apart from each other, printing stays in its
 * room. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/gguf.h"

static volatile uint64_t sink;

static void expect(int truth) {
    if (!truth) abort();
}

static void read_bytes(const void *bytes, uint64_t n) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < n; i++)
        sum += ((const uint8_t *)bytes)[i];
    sink = sum;
}

static void read_key(const struct mote_format_file *file, const struct mote_format_key *key) {
    char text[100];
    uint32_t u;
    float f;
    int flag;
    mote_text string;
    mote_error error;
    for (size_t room = 1; room < sizeof text; room += 7) {
        text[room] = '#';
        mote_format_print(key, text, room);
        expect(memchr(text, '\0', room) != NULL && text[room] == '#');
    }
    struct mote_format_key peeked;
    expect(mote_format_find_key(file, key->name) == key);
    expect(mote_format_peek(file->bytes, file->n_bytes, key->name, &peeked) && peeked.value == key->value);
    read_bytes(key->value, key->bytes);
    (void)!mote_format_u32(file, key, &u, &error);
    (void)!mote_format_f32(file, key, &f, &error);
    (void)!mote_format_bool(file, key, &flag, &error);
    if (!mote_format_string(file, key, &string, &error)) read_bytes(string.data, string.n);
    if (!mote_format_array(file, key, MOTE_FORMAT_STRING, &error)) {
        mote_text *views = malloc((key->n + 1) * sizeof *views);
        if (!views) return;
        mote_format_strings(key, views);
        for (uint64_t i = 0; i < key->n; i++)
            read_bytes(views[i].data, views[i].n);
        free(views);
    }
}

static void read_file(const struct mote_format_file *file) {
    uint64_t total = 0;
    for (uint64_t i = 0; i < file->n_keys; i++)
        read_key(file, &file->keys[i]);
    for (uint64_t i = 0; i < file->n_tensors; i++) {
        const struct mote_format_tensor *tensor = &file->tensors[i];
        expect(mote_format_find_tensor(file, tensor->name) == tensor);
        expect(tensor->offset >= file->data_offset && tensor->bytes <= file->n_bytes - tensor->offset);
        read_bytes(tensor->data, tensor->bytes);
        total += tensor->bytes;
    }
    expect(total == file->weights_bytes && total <= file->n_bytes); /* they do not overlap */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    uint64_t arena_bytes;
    struct mote_base_arena arena;
    struct mote_format_file file;
    mote_error error = {0};
    struct mote_format_key key;
    static const mote_text wanted = {"tokenizer.ggml.tokens", 21};
    if (mote_format_peek(bytes, n, wanted, &key)) read_bytes(key.value, key.bytes);
    if (mote_format_plan(bytes, n, &arena_bytes, &error)) {
        expect(error.status != MOTE_OK && error.text[0] && error.where <= n);
        return 0;
    }
    expect(arena_bytes <= 8 * (uint64_t)n + 4 * MOTE_ALIGN);
    void *block = aligned_alloc(MOTE_ALIGN, arena_bytes + MOTE_ALIGN);
    if (!block) return 0;
    mote_base_arena_open(&arena, block, arena_bytes);
    mote_status status = mote_format_open(bytes, n, &arena, &file, &error);
    expect(status != MOTE_E_MEMORY);
    if (!status)
        read_file(&file);
    else
        expect(error.status == status && error.text[0] && error.where <= n);
    free(block);
    return 0;
}
