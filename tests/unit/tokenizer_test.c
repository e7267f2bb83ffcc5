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
#include "text/split.h"
#include "text/unicode.h"
#include "text/utf8.h"
#include "text/vocab.h"

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

static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
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
    double start = cpu_seconds();
    status = mote_text_vocab_open(&o->source, &arena, &o->vocab, error);
    o->seconds = cpu_seconds() - start;
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

static char *decode(const struct mote_text_vocab *vocab, mote_detokenizer state, const mote_token *tokens,
                    size_t n, size_t *n_text) {
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

/* ---- texts ---- */

struct text {
    char *bytes;
    size_t n, room;
};

static void add(struct text *text, const char *bytes, size_t n) {
    while (text->n + n > text->room)
        text->bytes = realloc(text->bytes, text->room = 2 * text->room + 4096);
    memcpy(text->bytes + text->n, bytes, n);
    text->n += n;
}

static uint64_t draw(uint64_t *seed) { /* splitmix64 */
    uint64_t z = *seed += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Words of one script each, with digits, punctuation, white space and single characters of all planes
 * between. With `invalid`, stray and truncated bytes too. */
static void add_mixture(struct text *text, uint64_t seed, size_t n, int invalid) {
    static const uint32_t scripts[][2] = {
        {'a', 'z'},         {'A', 'Z'},         {'0', '9'},         {0xC0, 0x24F},    {0x370, 0x3FF},
        {0x410, 0x44F},     {0x5D0, 0x5EA},     {0x620, 0x65F},     {0x904, 0x94D},   {0xE01, 0xE4E},
        {0x10D0, 0x10FA},   {0x1780, 0x17D3},   {0x3041, 0x30FF},   {0x4E00, 0x9FFF}, {0xAC00, 0xD7A3},
        {0x1F300, 0x1FAFF}, {0x1D400, 0x1D7FF}, {0x20000, 0x2A6DF}, {'!', '/'},       {0, 0x10FFFF}};
    static const char *const spaces[] = {" ",    " ",    " ",  " ",   "  ",           "\n",
                                         "\n\n", "\r\n", "\t", "   ", "\xC2\xA0",     "\xE3\x80\x80",
                                         "'s ",  "'LL ", ", ", ". ",  "\xE2\x96\x81", "<s>",
                                         "</s>", ""};
    for (size_t end = text->n + n; text->n < end;) {
        const uint32_t *script = scripts[draw(&seed) % (sizeof scripts / sizeof *scripts)];
        for (uint64_t length = 1 + draw(&seed) % 9; length; length--) {
            uint32_t code = script[0] + (uint32_t)(draw(&seed) % (script[1] - script[0] + 1));
            if (code >= 0xD800 && code < 0xE000) continue;
            char bytes[4];
            size_t n_bytes = mote_text_utf8_encode(code, bytes);
            if (invalid && draw(&seed) % 16 == 0) bytes[draw(&seed) % n_bytes] = (char)draw(&seed);
            add(text, bytes, n_bytes);
        }
        const char *space = spaces[draw(&seed) % (sizeof spaces / sizeof *spaces)];
        add(text, space, strlen(space));
    }
}

/* What a reader of UTF-8 must see: each maximal subpart of what is not UTF-8 replaced. */
static void add_replaced(struct text *text, const char *bytes, size_t n) {
    for (size_t i = 0; i < n;) {
        uint32_t code;
        size_t length = mote_text_utf8_decode(bytes + i, n - i, &code);
        if (code >= MOTE_TEXT_INVALID)
            add(text, "\xEF\xBF\xBD", 3);
        else
            add(text, bytes + i, length);
        i += length;
    }
}

static void same_bytes(const char *what, const char *a, size_t n_a, const char *b, size_t n_b) {
    size_t i = 0;
    while (i < n_a && i < n_b && a[i] == b[i])
        i++;
    if (i < n_a || i < n_b)
        fail_msg("%s: %zu and %zu bytes, not the same from byte %zu on: \"%.40s\"", what, n_a, n_b, i,
                 b + (i > 20 ? i - 20 : 0));
}

static const char *const vocabularies[] = {
    "tokenizer/ggml-vocab-llama-spm.gguf", "tokenizer/ggml-vocab-phi-3.gguf",
    "tokenizer/ggml-vocab-gpt-2.gguf",     "tokenizer/ggml-vocab-llama-bpe.gguf",
    "tokenizer/ggml-vocab-qwen2.gguf",
};
enum { N_VOCABULARIES = sizeof vocabularies / sizeof *vocabularies };

static void check_round_trip(const struct opened *o, const char *name, struct text text) {
    size_t n, n_back;
    double start = cpu_seconds();
    mote_token *tokens = encode(o->vocab, (mote_text){text.bytes, text.n}, 0, &n);
    double seconds = cpu_seconds() - start;
    char *back = decode(o->vocab, (mote_detokenizer){.raw = 1}, tokens, n, &n_back);
    same_bytes(name, text.bytes, text.n, back, n_back);
    free(back);
    back = decode(o->vocab, (mote_detokenizer){0}, tokens, n, &n_back);
    struct text replaced = {0};
    add_replaced(&replaced, text.bytes, text.n);
    same_bytes(name, replaced.bytes, replaced.n, back, n_back);
    print_message("  %s: %zu bytes, %zu tokens, %.1f MB/s\n", name, text.n, n,
                  (double)text.n / seconds * 1e-6);
    free(back);
    free(tokens);
    free(replaced.bytes);
}

static void round_trip(void **state) {
    (void)state;
    struct text plain = {0}, mixed = {0}, broken = {0};
    size_t n;
    char *wiki = read_file("wikitext2_test_raw.txt", &n);
    if (!wiki) skip();
    add(&plain, wiki, n);
    free(wiki);
    add_mixture(&mixed, 1, 700000, 0);
    add(&mixed, plain.bytes, 200000);
    char *cases = read_file("tokenizer/ggml-vocab-gpt-2.gguf.inp", &n);
    if (cases) add(&mixed, cases, n);
    free(cases);
    add_mixture(&mixed, 2, 1100000 - mixed.n, 0);
    add_mixture(&broken, 3, 200000, 1);
    add(&broken, "\xF0\x9F\x98", 3);
    for (int i = 0; i < N_VOCABULARIES; i++) {
        struct opened o;
        if (!open_vocab(vocabularies[i], &o)) continue;
        check_round_trip(&o, "plain", plain);
        check_round_trip(&o, "mixed", mixed);
        check_round_trip(&o, "broken", broken);
        close_vocab(&o);
    }
    free(plain.bytes);
    free(mixed.bytes);
    free(broken.bytes);
}

/* Every prefix of a stream is UTF-8, and special tokens come back where they are asked for. */
static void streams(void **state) {
    (void)state;
    struct opened o;
    if (!open_vocab(vocabularies[0], &o)) skip();
    static const char text[] =
        "<s> Gr\xC3\xBC\xC3\x9F Gott \xF0\x9F\xA6\x99\xF0\x9F\x98<s>a</s> b</s>\xE2\x82";
    size_t n, n_back;
    mote_token *tokens = encode(o.vocab, (mote_text){text, sizeof text - 1}, MOTE_TOKENIZE_PARSE_SPECIAL, &n);
    mote_detokenizer d = {0};
    char piece[512];
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(mote_text_decode(o.vocab, &d, tokens[i], piece, sizeof piece, &n_back), MOTE_OK);
        assert_true(mote_text_utf8_valid(piece, n_back));
    }
    assert_int_equal(d.n_held, 2);
    assert_int_equal(mote_text_decode_end(&d, 0, piece, sizeof piece, &n_back), MOTE_OK);
    same_bytes("end", "\xEF\xBF\xBD", 3, piece, n_back);
    char *back = decode(o.vocab, (mote_detokenizer){.special = 1, .raw = 1}, tokens, n, &n_back);
    same_bytes("special", text, sizeof text - 1, back, n_back);
    free(back);
    back = decode(o.vocab, (mote_detokenizer){0}, tokens, n, &n_back);
    static const char without[] = " Gr\xC3\xBC\xC3\x9F Gott \xF0\x9F\xA6\x99\xEF\xBF\xBD"
                                  "a b\xEF\xBF\xBD";
    same_bytes("plain", without, sizeof without - 1, back, n_back);
    free(back);
    assert_int_equal(mote_text_decode(o.vocab, &d, 32000, piece, sizeof piece, &n_back), MOTE_E_TOKEN);
    assert_int_equal(mote_text_decode(o.vocab, &d, -1, piece, sizeof piece, &n_back), MOTE_E_TOKEN);
    assert_int_equal(mote_text_decode(o.vocab, &d, 300, piece, 5, &n_back), MOTE_E_ROOM);
    free(tokens);
    close_vocab(&o);
}

static void special_tokens(void **state) {
    (void)state;
    struct opened o;
    if (!open_vocab("tokenizer/ggml-vocab-phi-3.gguf", &o)) skip();
    static const char text[] = "<|user|>\n Hi<|end|>\n<|assistant|>\n";
    size_t n;
    mote_token *tokens = encode(o.vocab, (mote_text){text, sizeof text - 1},
                                MOTE_TOKENIZE_PARSE_SPECIAL | MOTE_TOKENIZE_ADD_SPECIAL, &n);
    const mote_token expected[] = {1, 32010, 6324, 32007, 32001}; /* white space behind them is swallowed */
    assert_int_equal(n, 5);
    assert_memory_equal(tokens, expected, sizeof expected);
    free(tokens);
    tokens = encode(o.vocab, (mote_text){text, sizeof text - 1}, 0, &n);
    for (size_t i = 0; i < n; i++)
        assert_true(tokens[i] < 32000);
    free(tokens);
    assert_true(mote_text_is_end(o.vocab, 32007));
    assert_true(mote_text_is_end(o.vocab, 32000));
    assert_false(mote_text_is_end(o.vocab, 32010));
    assert_false(mote_text_is_end(o.vocab, -1));
    assert_false(mote_text_is_end(o.vocab, 1 << 30));
    assert_true(mote_text_adds_bos(o.vocab));
    assert_false(mote_text_adds_eos(o.vocab));
    assert_int_equal(mote_text_token(o.vocab, 32007).n, 7);
    assert_int_equal(mote_text_token(o.vocab, -1).n, 0);
    close_vocab(&o);
}

/* A megabyte without a place to cut is taken in seconds, not hours. */
static void long_words(void **state) {
    (void)state;
    enum { N = 1 << 20 };
    char *bytes = malloc(N);
    for (int i = 0; i < N_VOCABULARIES + 1; i++) {
        struct opened o;
        if (!open_vocab(i < N_VOCABULARIES ? vocabularies[i] : "tokenizer/ggml-vocab-bert-bge.gguf", &o))
            continue;
        for (int kind = 0; kind < 4; kind++) {
            uint64_t seed = 7;
            for (size_t k = 0; k < N; k++)
                bytes[k] = kind == 0   ? 'a'
                           : kind == 1 ? ' '
                           : kind == 2 ? (char)('a' + draw(&seed) % 26)
                                       : '\x80';
            size_t n, n_back;
            double start = cpu_seconds();
            mote_token *tokens = encode(o.vocab, (mote_text){bytes, N}, 0, &n);
            double seconds = cpu_seconds() - start;
            assert_true(seconds < 20);
            if (i < N_VOCABULARIES) {
                char *back = decode(o.vocab, (mote_detokenizer){.raw = 1}, tokens, n, &n_back);
                same_bytes("a long word", bytes, N, back, n_back);
                free(back);
            }
            print_message("  kind %d: %zu tokens, %.2f s\n", kind, n, seconds);
            free(tokens);
        }
        close_vocab(&o);
    }
    free(bytes);
}

/* One byte, one token or one entry too few of everything the caller gives. */
static void limits(void **state) {
    (void)state;
    for (int i = 0; i < N_VOCABULARIES + 1; i++) {
        struct opened o;
        if (!open_vocab(i < N_VOCABULARIES ? vocabularies[i] : "tokenizer/ggml-vocab-bert-bge.gguf", &o))
            continue;
        static const char text[] = "Hello, world! 123 \xF0\x9F\xA6\x99";
        mote_text view = {text, sizeof text - 1};
        uint64_t work_bytes;
        size_t max, n, n_less = 99;
        mote_text_encode_plan(o.vocab, view.n, &work_bytes, &max);
        mote_token *tokens = encode(o.vocab, view, MOTE_TOKENIZE_ADD_SPECIAL, &n), less[64];
        void *work = block_of(work_bytes);
        mote_error error;
        assert_true(n <= max && n > 4);
        assert_int_equal(mote_text_encode(o.vocab, view, MOTE_TOKENIZE_ADD_SPECIAL, work, work_bytes - 1,
                                          less, 64, &n_less, &error),
                         MOTE_E_MEMORY);
        for (size_t room = 0; room < n; room++)
            assert_int_equal(mote_text_encode(o.vocab, view, MOTE_TOKENIZE_ADD_SPECIAL, work, work_bytes,
                                              less, room, &n_less, &error),
                             MOTE_E_ROOM);
        assert_int_equal(n_less, 99);
        assert_int_equal(mote_text_encode(o.vocab, view, MOTE_TOKENIZE_ADD_SPECIAL, work, work_bytes, less, n,
                                          &n_less, NULL),
                         MOTE_OK);
        assert_memory_equal(less, tokens, n * sizeof *tokens);
        free(work);
        free(tokens);
        const struct mote_text_vocab *vocab = NULL;
        struct mote_base_arena arena;
        for (uint64_t short_by = 1; short_by < o.block_bytes; short_by = short_by * 3 + 64) {
            mote_base_arena_open(&arena, o.block, o.block_bytes - short_by);
            assert_int_equal(mote_text_vocab_open(&o.source, &arena, &vocab, &error), MOTE_E_MEMORY);
        }
        assert_null(vocab);
        close_vocab(&o);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spm_cases),    cmocka_unit_test(phi3_cases),  cmocka_unit_test(gpt2_cases),
        cmocka_unit_test(llama3_cases), cmocka_unit_test(qwen2_cases), cmocka_unit_test(bert_cases),
        cmocka_unit_test(round_trip),   cmocka_unit_test(streams),     cmocka_unit_test(special_tokens),
        cmocka_unit_test(long_words),   cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
