/* SPDX-License-Identifier: Apache-2.0
 *
 * synth_vocab.c: the tokenizer.* keys of a synthetic model. Either a SentencePiece-style vocabulary of any
 * size,
 *
 *     <unk> <s> </s>   <0x00> … <0xFF>   ▁ and printable ASCII   pieces of 2, 3, … letters, some after ▁
 *
 * in which every piece can be reached by merging (all shorter pieces come first, and score higher), or the
 * keys of another GGUF file, copied as they are. */
#include "tools/synth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_key_u32(struct synth_buffer *b, const char *name, uint32_t value) {
    synth_put_key(b, name, SYNTH_U32);
    synth_put_le(b, value, 4);
}

static void put_key_bool(struct synth_buffer *b, const char *name, int value) {
    synth_put_key(b, name, SYNTH_BOOL);
    synth_put_le(b, (uint64_t)value, 1);
}

static void put_key_string(struct synth_buffer *b, const char *name, const char *value) {
    synth_put_key(b, name, SYNTH_STRING);
    synth_put_string(b, value);
}

static void put_key_array(struct synth_buffer *b, const char *name, uint32_t element, uint64_t n) {
    synth_put_key(b, name, SYNTH_ARRAY);
    synth_put_le(b, element, 4);
    synth_put_le(b, n, 8);
}

enum { FIRST_BYTE = 3, FIRST_CHARACTER = 259, FIRST_PIECE = 259 + 95 };

/* The i-th piece, from 0: its length is the least for which there are enough, its letters are the digits of
 * what is left of i. The first letter is one of 27: ▁, a … z; the others of 26, so that ▁ only begins. */
static void write_piece(char *text, uint32_t i) {
    uint32_t n = 2, count = 27 * 26;
    for (; i >= count; n++) {
        i -= count;
        count *= 26;
    }
    char first[4] = "\xe2\x96\x81", letters[8];
    for (uint32_t at = n - 1; at-- > 0; i /= 26)
        letters[at] = (char)('a' + i % 26);
    if (i) sprintf(first, "%c", (char)('a' + i - 1));
    sprintf(text, "%s%.*s", first, (int)(n - 1), letters);
}

static void write_token(char *text, uint32_t id) {
    static const char *const control[] = {"<unk>", "<s>", "</s>"};
    if (id < FIRST_BYTE)
        sprintf(text, "%s", control[id]);
    else if (id < FIRST_CHARACTER)
        sprintf(text, "<0x%02X>", (unsigned)(id - FIRST_BYTE));
    else if (id == FIRST_CHARACTER)
        sprintf(text, "\xe2\x96\x81");
    else if (id < FIRST_PIECE)
        sprintf(text, "%c", (char)(' ' + (id - FIRST_CHARACTER)));
    else
        write_piece(text, id - FIRST_PIECE);
}

uint32_t synth_vocab_make(struct synth_buffer *b, uint32_t n_vocab) {
    char text[16];
    put_key_string(b, "tokenizer.ggml.model", "llama");
    put_key_string(b, "tokenizer.ggml.pre", "default");
    put_key_array(b, "tokenizer.ggml.tokens", SYNTH_STRING, n_vocab);
    for (uint32_t id = 0; id < n_vocab; id++) {
        write_token(text, id);
        synth_put_string(b, text);
    }
    put_key_array(b, "tokenizer.ggml.scores", SYNTH_F32, n_vocab);
    for (uint32_t id = 0; id < n_vocab; id++) {
        float score = id < FIRST_CHARACTER ? 0.0f : -(float)(id - FIRST_CHARACTER);
        synth_put(b, &score, 4);
    }
    put_key_array(b, "tokenizer.ggml.token_type", SYNTH_I32, n_vocab);
    for (uint32_t id = 0; id < n_vocab; id++)
        synth_put_le(b, id == 0 ? 2 : id < FIRST_BYTE ? 3 : id < FIRST_CHARACTER ? 6 : 1, 4);
    put_key_u32(b, "tokenizer.ggml.bos_token_id", 1);
    put_key_u32(b, "tokenizer.ggml.eos_token_id", 2);
    put_key_u32(b, "tokenizer.ggml.unknown_token_id", 0);
    put_key_bool(b, "tokenizer.ggml.add_bos_token", 1);
    put_key_bool(b, "tokenizer.ggml.add_eos_token", 0);
    return 10;
}

/* ---- copying ---- */

static void read_all(FILE *file, const char *path, void *to, size_t n) {
    if (fread(to, 1, n, file) != n) synth_fail("%s: the file ends inside its keys", path);
}

static uint64_t read_le(FILE *file, const char *path, unsigned n) {
    uint8_t bytes[8] = {0};
    uint64_t value = 0;
    read_all(file, path, bytes, n);
    for (unsigned i = 8; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

/* Reads n bytes to the end of b. A wrong length fails at the file's end, having taken a little more than it.
 */
static void append(struct synth_buffer *b, FILE *file, const char *path, uint64_t n) {
    uint8_t chunk[4096];
    while (n) {
        size_t part = n < sizeof chunk ? (size_t)n : sizeof chunk;
        read_all(file, path, chunk, part);
        synth_put(b, chunk, part);
        n -= part;
    }
}

static void append_string(struct synth_buffer *b, FILE *file, const char *path) {
    uint64_t n = read_le(file, path, 8);
    synth_put_le(b, n, 8);
    append(b, file, path, n);
}

/* Appends a value; *n gets an array's length. */
static void append_value(struct synth_buffer *b, FILE *file, const char *path, uint64_t type, uint64_t *n) {
    static const uint8_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    *n = 1;
    if (type == SYNTH_ARRAY) {
        type = read_le(file, path, 4);
        *n = read_le(file, path, 8);
        synth_put_le(b, type, 4);
        synth_put_le(b, *n, 8);
    }
    if (type >= sizeof sizes || type == SYNTH_ARRAY) synth_fail("%s: a value of an unknown type", path);
    for (uint64_t i = 0; i < *n; i++) {
        if (type == SYNTH_STRING)
            append_string(b, file, path);
        else
            append(b, file, path, sizes[type]);
    }
}

uint32_t synth_vocab_copy(struct synth_buffer *b, const char *path, uint32_t *n_vocab) {
    FILE *file = fopen(path, "rb");
    if (!file) synth_fail("%s: cannot be opened", path);
    char magic[4];
    read_all(file, path, magic, 4);
    if (memcmp(magic, "GGUF", 4) != 0 || read_le(file, path, 4) - 2 > 1)
        synth_fail("%s: not a GGUF file of version 2 or 3", path);
    read_le(file, path, 8);
    uint32_t n_copied = 0;
    *n_vocab = 0;
    for (uint64_t n_keys = read_le(file, path, 8); n_keys; n_keys--) {
        struct synth_buffer key = {0};
        uint64_t n;
        append_string(&key, file, path);
        size_t name_bytes = key.n - 8;
        uint64_t type = read_le(file, path, 4);
        synth_put_le(&key, type, 4);
        append_value(&key, file, path, type, &n);
        const char *name = (const char *)key.bytes + 8;
        if (name_bytes == 21 && memcmp(name, "tokenizer.ggml.tokens", 21) == 0) *n_vocab = (uint32_t)n;
        if (name_bytes > 10 && memcmp(name, "tokenizer.", 10) == 0) {
            synth_put(b, key.bytes, key.n);
            n_copied++;
        }
        free(key.bytes);
    }
    fclose(file);
    if (*n_vocab == 0) synth_fail("%s: no tokenizer.ggml.tokens", path);
    return n_copied;
}
