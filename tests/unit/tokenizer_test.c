/* SPDX-License-Identifier: Apache-2.0
 *
 * tokenizer_test.c: the tokenizers against recorded ids of real vocabularies, against themselves (what is
 * decoded must be what was encoded), and against hostile vocabularies made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format/gguf.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

/* ---- files and vocabularies ---- */

static char *shared_path(const char *name) {
    static char path[1024];
    const char *folder = getenv("MOTE_SHARED");
    snprintf(path, sizeof path, "%s/%s", folder ? folder : "../shared/data", name);
    return path;
}

/* The whole of a file, or NULL with a printed reason. */
static char *read_file(const char *name, size_t *n) {
    FILE *file = fopen(shared_path(name), "rb");
    if (!file) {
        print_message("skipped: no %s (set MOTE_SHARED)\n", shared_path(name));
        return NULL;
    }
    fseek(file, 0, SEEK_END);
    *n = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*n + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *n, file), *n);
    fclose(file);
    return bytes;
}

static void *block_of(uint64_t n) {
    void *block = aligned_alloc(MOTE_ALIGN, (size_t)((n + MOTE_ALIGN) / MOTE_ALIGN * MOTE_ALIGN));
    assert_non_null(block);
    return block;
}

struct opened {
    char *bytes;
    void *directory, *block;
    mote_text *tokens, *merges;
    uint64_t block_bytes;
    struct mote_text_source source;
    const struct mote_text_vocab *vocab;
    double seconds;
};

static void close_vocab(struct opened *o) {
    free(o->bytes);
    free(o->directory);
    free(o->block);
    free(o->tokens);
    free(o->merges);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Counts, then builds into a block of exactly that size. */
static mote_status build(struct opened *o, mote_error *error) {
    struct mote_base_arena arena;
    mote_base_arena_open(&arena, NULL, 0);
    mote_status status = mote_text_vocab_open(&o->source, &arena, NULL, error);
    if (status) return status;
    o->block_bytes = arena.used;
    o->block = block_of(arena.used);
    mote_base_arena_open(&arena, o->block, o->block_bytes);
    double start = now();
    status = mote_text_vocab_open(&o->source, &arena, &o->vocab, error);
    o->seconds = now() - start;
    if (!status) assert_int_equal(arena.used, o->block_bytes);
    return status;
}

static const struct mote_format_key *key(const struct mote_format_file *file, const char *name) {
    char full[80];
    int n = snprintf(full, sizeof full, "tokenizer.ggml.%s", name);
    return mote_format_find_key(file, (mote_text){full, (size_t)n});
}

static mote_token id_key(const struct mote_format_file *file, const char *name) {
    uint32_t value;
    if (!key(file, name)) return MOTE_TOKEN_NONE;
    assert_int_equal(mote_format_u32(file, key(file, name), &value, NULL), MOTE_OK);
    return (mote_token)value;
}

static int8_t bool_key(const struct mote_format_file *file, const char *name) {
    int value;
    if (!key(file, name)) return -1;
    assert_int_equal(mote_format_bool(file, key(file, name), &value, NULL), MOTE_OK);
    return (int8_t)value;
}

static mote_text *strings_key(const struct mote_format_file *file, const char *name, uint32_t *n) {
    const struct mote_format_key *k = key(file, name);
    if (!k) return NULL;
    mote_text *views = malloc((size_t)k->n * sizeof *views);
    assert_non_null(views);
    mote_format_strings(k, views);
    *n = (uint32_t)k->n;
    return views;
}

/* Opens the vocabulary of a GGUF file. 0 if the file is not there. */
static int open_vocab(const char *name, struct opened *o) {
    memset(o, 0, sizeof *o);
    size_t n;
    o->bytes = read_file(name, &n);
    if (!o->bytes) return 0;
    struct mote_format_file file;
    struct mote_base_arena arena;
    mote_error error = {0};
    uint64_t needed;
    assert_int_equal(mote_format_plan(o->bytes, n, &needed, &error), MOTE_OK);
    o->directory = block_of(needed);
    mote_base_arena_open(&arena, o->directory, needed);
    assert_int_equal(mote_format_open(o->bytes, n, &arena, &file, &error), MOTE_OK);
    struct mote_text_source *s = &o->source;
    mote_text model;
    assert_int_equal(mote_format_string(&file, key(&file, "model"), &model, &error), MOTE_OK);
    s->kind = model.data[0] == 'l' ? MOTE_TEXT_SPM : model.data[0] == 'g' ? MOTE_TEXT_BPE : MOTE_TEXT_WPM;
    if (key(&file, "pre"))
        assert_int_equal(mote_format_string(&file, key(&file, "pre"), &s->pre, &error), MOTE_OK);
    s->tokens = o->tokens = strings_key(&file, "tokens", &s->n_tokens);
    s->merges = o->merges = strings_key(&file, "merges", &s->n_merges);
    if (key(&file, "scores")) s->scores = key(&file, "scores")->value;
    if (key(&file, "token_type")) s->types = key(&file, "token_type")->value;
    s->bos = id_key(&file, "bos_token_id");
    s->eos = id_key(&file, "eos_token_id");
    s->unk = id_key(&file, "unknown_token_id");
    s->sep = id_key(&file, "seperator_token_id");
    s->cls = id_key(&file, "cls_token_id");
    s->eot = s->eom = s->pad = s->mask = MOTE_TOKEN_NONE;
    s->add_bos = bool_key(&file, "add_bos_token");
    s->add_eos = bool_key(&file, "add_eos_token");
    s->add_space_prefix = bool_key(&file, "add_space_prefix");
    s->remove_extra_whitespaces = -1;
    mote_status status = build(o, &error);
    if (status) print_error("%s: %s\n", name, error.text);
    assert_int_equal(status, MOTE_OK);
    print_message("%s: %u tokens, %u merges, opened in %.1f ms, %llu KiB\n", name, s->n_tokens, s->n_merges,
                  o->seconds * 1e3, (unsigned long long)(o->block_bytes / 1024));
    return 1;
}

/* Encodes into a new array. The working memory is exactly what the plan says. */
static mote_token *encode(const struct mote_text_vocab *vocab, mote_text text, unsigned flags, size_t *n) {
    uint64_t work_bytes;
    size_t max;
    mote_text_encode_plan(vocab, text.n, &work_bytes, &max);
    void *work = block_of(work_bytes);
    mote_token *tokens = malloc(max * sizeof *tokens);
    mote_error error = {0};
    mote_status status = mote_text_encode(vocab, text, flags, work, work_bytes, tokens, max, n, &error);
    if (status) print_error("%s\n", error.text);
    assert_int_equal(status, MOTE_OK);
    free(work);
    return tokens;
}

__attribute__((unused)) static char *decode(const struct mote_text_vocab *vocab, mote_detokenizer state,
                                            const mote_token *tokens, size_t n, size_t *n_text) {
    size_t max = mote_text_decode_max(vocab), room = 1 << 16;
    char *text = malloc(room);
    *n_text = 0;
    for (size_t i = 0; i <= n; i++) {
        if (room - *n_text < max) {
            room = 2 * room + max;
            text = realloc(text, room);
        }
        size_t written = 0;
        if (i < n)
            assert_int_equal(
                mote_text_decode(vocab, &state, tokens[i], text + *n_text, room - *n_text, &written),
                MOTE_OK);
        else
            assert_int_equal(
                mote_text_decode_end(&state, state.raw, text + *n_text, room - *n_text, &written), MOTE_OK);
        *n_text += written;
    }
    return text;
}

/* ---- recorded ids ---- */

static const char separator[] = "\n__ggml_vocab_test__\n";

static void check_cases(const char *name) {
    struct opened o;
    char path[128];
    size_t n_in, n_out, n_cases = 0;
    snprintf(path, sizeof path, "tokenizer/%s.gguf", name);
    if (!open_vocab(path, &o)) skip();
    strcat(path, ".inp");
    char *in = read_file(path, &n_in);
    memcpy(strrchr(path, '.'), ".out", 4);
    char *out = read_file(path, &n_out);
    assert_non_null(in);
    assert_non_null(out);
    in[n_in] = out[n_out] = '\0';
    char *line = out;
    for (char *text = in; text; n_cases++) {
        char *stop = strstr(text, separator);
        /* the last case is followed by the separator and nothing else */
        size_t n_text = stop ? (size_t)(stop - text) : (size_t)(in + n_in - text);
        if (!stop && n_text == 0) break;
        size_t n;
        mote_token *tokens = encode(o.vocab, (mote_text){text, n_text}, 0, &n);
        char *end_of_line = strchr(line, '\n');
        assert_non_null(end_of_line);
        *end_of_line = '\0';
        char got[8192] = "";
        for (size_t i = 0, at = 0; i < n; i++)
            at += (size_t)snprintf(got + at, sizeof got - at, "%s%d", i ? " " : "", tokens[i]);
        char *expected = line;
        while (*expected == ' ')
            expected++;
        assert_string_equal(got, expected);
        free(tokens);
        line = end_of_line + 1;
        text = stop ? stop + sizeof separator - 1 : NULL;
    }
    print_message("%s: %zu cases\n", name, n_cases);
    assert_true(n_cases > 40);
    free(in);
    free(out);
    close_vocab(&o);
}

#define CASES(name, file)                                                                                    \
    static void name(void **state) {                                                                         \
        (void)state;                                                                                         \
        check_cases(file);                                                                                   \
    }
CASES(spm_cases, "ggml-vocab-llama-spm")
CASES(phi3_cases, "ggml-vocab-phi-3")
CASES(gpt2_cases, "ggml-vocab-gpt-2")
CASES(llama3_cases, "ggml-vocab-llama-bpe")
CASES(qwen2_cases, "ggml-vocab-qwen2")
CASES(bert_cases, "ggml-vocab-bert-bge")

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spm_cases),    cmocka_unit_test(phi3_cases),  cmocka_unit_test(gpt2_cases),
        cmocka_unit_test(llama3_cases), cmocka_unit_test(qwen2_cases), cmocka_unit_test(bert_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
