/* SPDX-License-Identifier: Apache-2.0
 *
 * tokens.c: texts through the tokenizer of a GGUF file and back, for the golden test.
 *
 *     tokens FILE FLAGS     FLAGS as mote_tokenize takes them
 *     in    any number of     u32 bytes | text
 *     out   for each of them  u32 n | n ids of u32 | u32 bytes | text that the ids decode to
 *
 * all numbers as this machine has them. */
#include <stdio.h>
#include <stdlib.h>

#include "mote/mote.h"

static void fail(const char *what, const mote_error *error) {
    fprintf(stderr, "tokens: %s%s%s\n", what, error ? ": " : "", error ? error->text : "");
    exit(1);
}

static void *block_of(uint64_t n) {
    void *block = aligned_alloc(MOTE_ALIGN, (size_t)(n / MOTE_ALIGN + 1) * MOTE_ALIGN);
    if (!block) fail("no memory", NULL);
    return block;
}

static void put(const void *bytes, size_t n) {
    if (fwrite(bytes, 1, n, stdout) != n) fail("cannot write", NULL);
}

static void put_text(const mote_model *model, const mote_token *tokens, size_t n) {
    size_t most = mote_detokenize_max(model), n_text = 0, n_piece = 0;
    char *text = malloc((n + 1) * most);
    mote_detokenizer state = {0};
    if (!text) fail("no memory", NULL);
    for (size_t i = 0; i < n; i++, n_text += n_piece)
        if (mote_detokenize(model, &state, tokens[i], text + n_text, most, &n_piece))
            fail("cannot decode", NULL);
    if (mote_detokenize_end(&state, 0, text + n_text, most, &n_piece)) fail("cannot decode", NULL);
    uint32_t size = (uint32_t)(n_text + n_piece);
    put(&size, sizeof size);
    put(text, size);
    free(text);
}

static void put_tokens(const mote_model *model, mote_text text, unsigned flags) {
    uint64_t n_work;
    size_t most, n;
    mote_error error;
    mote_tokenize_plan(model, text.n, &n_work, &most);
    void *work = block_of(n_work);
    mote_token *tokens = malloc(most * sizeof *tokens);
    if (!tokens) fail("no memory", NULL);
    if (mote_tokenize(model, text, flags, work, n_work, tokens, most, &n, &error))
        fail("cannot tokenize", &error);
    uint32_t count = (uint32_t)n;
    put(&count, sizeof count);
    put(tokens, n * sizeof *tokens);
    put_text(model, tokens, n);
    free(tokens);
    free(work);
}

int main(int n_arguments, char **arguments) {
    mote_error error = {0};
    uint64_t needed;
    const mote_model *model;
    if (n_arguments != 3) fail("two arguments: FILE FLAGS", NULL);
    unsigned flags = (unsigned)strtoul(arguments[2], NULL, 10);
    FILE *file = fopen(arguments[1], "rb");
    if (!file || fseek(file, 0, SEEK_END)) fail("cannot read the file", NULL);
    size_t n_file = (size_t)ftell(file);
    void *bytes = block_of(n_file);
    rewind(file);
    if (fread(bytes, 1, n_file, file) != n_file) fail("cannot read the file", NULL);
    fclose(file);
    if (mote_model_plan(bytes, n_file, &needed, &error)) fail("cannot open", &error);
    void *block = block_of(needed);
    if (mote_model_open(bytes, n_file, block, needed, &model, &error)) fail("cannot open", &error);
    for (uint32_t size; fread(&size, sizeof size, 1, stdin) == 1;) {
        char *text = malloc((size_t)size + 1);
        if (!text || fread(text, 1, size, stdin) != size) fail("input ends early", NULL);
        put_tokens(model, (mote_text){text, size}, flags);
        free(text);
    }
    free(block);
    free(bytes);
    return 0;
}
