/* SPDX-License-Identifier: Apache-2.0
 *
 * vocab_test.c: small vocabularies made here: hostile ones, each refused with a message that names what is
 * wrong; the rules of encoding and decoding one at a time; how texts are cut into words; UTF-8 and character
 * classes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/split.h"
#include "text/unicode.h"
#include "text/utf8.h"
#include "text/vocab.h"

enum { MOST = 600 };

/* A vocabulary in the making. */
struct maker {
    struct mote_text_source source;
    mote_text tokens[MOST], merges[MOST];
    uint8_t types[4 * MOST], scores[4 * MOST];
    char strings[MOST][16];
    void *block;
    const struct mote_text_vocab *vocab;
    mote_error error;
};

static mote_text view(const char *text) {
    return (mote_text){text, strlen(text)};
}

static void set32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

static void add_token(struct maker *m, const char *text, uint32_t type, float score) {
    uint32_t id = m->source.n_tokens++, bits;
    assert_true(id < MOST);
    memcpy(&bits, &score, 4);
    m->tokens[id] = view(text);
    set32(m->types + 4 * id, type);
    set32(m->scores + 4 * id, bits);
}

static void add_merge(struct maker *m, const char *text) {
    m->merges[m->source.n_merges++] = view(text);
}

static void start(struct maker *m, enum mote_text_kind kind, const char *pre) {
    memset(m, 0, sizeof *m);
    m->source.kind = kind;
    m->source.pre = view(pre);
    m->source.tokens = m->tokens;
    m->source.merges = m->merges;
    m->source.types = m->types;
    m->source.scores = m->scores;
    m->source.bos = m->source.eos = m->source.eot = m->source.eom = m->source.unk = MOTE_TOKEN_NONE;
    m->source.sep = m->source.pad = m->source.cls = m->source.mask = MOTE_TOKEN_NONE;
    m->source.add_bos = m->source.add_eos = m->source.add_space_prefix = -1;
}

static void add_bytes(struct maker *m) {
    for (int i = 0; i < 256; i++) {
        snprintf(m->strings[i], sizeof m->strings[i], "<0x%02X>", i);
        add_token(m, m->strings[i], MOTE_TEXT_BYTE, 0);
    }
}

static mote_status build(struct maker *m) {
    struct mote_base_arena arena;
    mote_base_arena_open(&arena, NULL, 0);
    mote_status status = mote_text_vocab_open(&m->source, &arena, NULL, &m->error);
    if (status) return status;
    uint64_t n = arena.used;
    m->block = aligned_alloc(MOTE_ALIGN, (size_t)n);
    assert_non_null(m->block);
    mote_base_arena_open(&arena, m->block, n);
    return mote_text_vocab_open(&m->source, &arena, &m->vocab, &m->error);
}

static void refused(struct maker *m, mote_status status, const char *words) {
    assert_int_equal(build(m), status);
    assert_int_equal(m->error.status, status);
    if (!strstr(m->error.text, words)) fail_msg("\"%s\" says nothing of \"%s\"", m->error.text, words);
    assert_null(m->vocab);
    free(m->block);
}

/* text -> ids as text, or the name of the failure */
static const char *ids_of(struct maker *m, mote_text text, unsigned flags) {
    static char out[1024];
    mote_token tokens[256];
    uint64_t work_bytes;
    size_t max, n = 0, at = 0;
    mote_text_encode_plan(m->vocab, text.n, &work_bytes, &max);
    void *work = aligned_alloc(MOTE_ALIGN, (size_t)(work_bytes / MOTE_ALIGN + 1) * MOTE_ALIGN);
    mote_status status =
        mote_text_encode(m->vocab, text, flags, work, work_bytes, tokens, 256, &n, &m->error);
    free(work);
    if (status) return mote_status_text(status);
    out[0] = '\0';
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, "%s%d", i ? " " : "", tokens[i]);
    return out;
}

/* ---- hostile vocabularies ---- */

static void bad_byte_tokens(void **state) {
    (void)state;
    static const char *const bad[] = {"<0x-1>", "<0xZZ>", "<0x0>",   "<0x000>",
                                      "<0X00>", "0x00",   "",        "<0x 1>",
                                      "<0x1 >", "<0x+1>", "<0x00> ", "\xFF\xFF\xFF\xFF\xFF\xFF"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct maker m;
        start(&m, MOTE_TEXT_SPM, "");
        add_token(&m, "a", MOTE_TEXT_NORMAL, 0);
        add_token(&m, bad[i], MOTE_TEXT_BYTE, 0);
        refused(&m, MOTE_E_FORMAT, "byte token 1");
    }
    struct maker m;
    start(&m, MOTE_TEXT_SPM, "");
    add_token(&m, "<0xAB>", MOTE_TEXT_BYTE, 0);
    add_token(&m, "<0xab>", MOTE_TEXT_BYTE, 0);
    refused(&m, MOTE_E_FORMAT, "tokens 0 and 1 both stand for byte 171");
}

static void bad_entries(void **state) {
    (void)state;
    struct maker m;
    start(&m, MOTE_TEXT_SPM, "");
    refused(&m, MOTE_E_FORMAT, "0 tokens");

    start(&m, MOTE_TEXT_SPM, "");
    m.source.n_tokens = UINT32_MAX; /* nothing is read */
    refused(&m, MOTE_E_FORMAT, "4294967295 tokens");

    start(&m, MOTE_TEXT_SPM, "");
    add_token(&m, "same", MOTE_TEXT_NORMAL, 0);
    add_token(&m, "", MOTE_TEXT_NORMAL, 0);
    add_token(&m, "", MOTE_TEXT_NORMAL, 0); /* may repeat: matches nothing */
    add_token(&m, "same", MOTE_TEXT_NORMAL, 0);
    refused(&m, MOTE_E_FORMAT, "tokens 0 and 3 of the vocabulary are both \"same\"");

    static const uint32_t types[] = {7, 100, 0x80000000u, UINT32_MAX};
    for (int i = 0; i < 4; i++) {
        start(&m, MOTE_TEXT_SPM, "");
        add_token(&m, "a", types[i], 0);
        refused(&m, MOTE_E_FORMAT, "token_type");
    }
    start(&m, MOTE_TEXT_SPM, "");
    add_token(&m, "a", MOTE_TEXT_NORMAL, 0);
    set32(m.scores, 0x7FC00001);
    refused(&m, MOTE_E_FORMAT, "score of token 0");

    static const mote_token ids[] = {1, -2, INT32_MIN, INT32_MAX};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 9; k++) {
            start(&m, MOTE_TEXT_WPM, "");
            add_token(&m, "a", MOTE_TEXT_NORMAL, 0);
            mote_token *const fields[] = {&m.source.bos, &m.source.eos, &m.source.eot,
                                          &m.source.eom, &m.source.unk, &m.source.sep,
                                          &m.source.pad, &m.source.cls, &m.source.mask};
            *fields[k] = ids[i];
            refused(&m, MOTE_E_FORMAT, "the vocabulary has 1 tokens");
        }
    start(&m, MOTE_TEXT_BPE, "gpt-2");
    add_token(&m, "a", MOTE_TEXT_NORMAL, 0);
    m.source.add_bos = 1;
    refused(&m, MOTE_E_FORMAT, "add_bos_token");

    static char huge[MOTE_TEXT_SPECIAL_MAX + 2];
    memset(huge, 'x', sizeof huge - 1);
    start(&m, MOTE_TEXT_BPE, "gpt-2");
    add_token(&m, huge, MOTE_TEXT_CONTROL, 0);
    refused(&m, MOTE_E_FORMAT, "control token 0");
}

static void bad_merges(void **state) {
    (void)state;
    static const struct {
        const char *merge, *words;
    } bad[] = {{"", "two tokens"},          {" ", "two tokens"},       {"a", "two tokens"},
               {"a ", "two tokens"},        {" a", "two tokens"},      {"ab", "two tokens"},
               {"a c", "its second part"},  {"c a", "its first part"}, {"b a", "\"ba\": that is no token"},
               {"a  b", "its second part"}, {"a b c", "second part"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct maker m;
        start(&m, MOTE_TEXT_BPE, "gpt-2");
        add_token(&m, "a", MOTE_TEXT_NORMAL, 0);
        add_token(&m, "b", MOTE_TEXT_NORMAL, 0);
        add_token(&m, "ab", MOTE_TEXT_NORMAL, 0);
        add_merge(&m, "a b");
        add_merge(&m, bad[i].merge);
        refused(&m, MOTE_E_FORMAT, bad[i].words);
    }
    struct maker m;
    start(&m, MOTE_TEXT_BPE, "no-such-splitter");
    add_token(&m, "a", MOTE_TEXT_NORMAL, 0);
    refused(&m, MOTE_E_UNSUPPORTED, "no-such-splitter");
}

/* Strings chosen to meet in one place of the table: refused, not tried one after another. */
static void colliding_entries(void **state) {
    (void)state;
    static char names[MOTE_TEXT_PROBES + 1][12];
    struct maker m;
    start(&m, MOTE_TEXT_SPM, "");
    int found = 0;
    for (uint32_t i = 0; found <= MOTE_TEXT_PROBES; i++) {
        int n = snprintf(names[found], sizeof names[found], "%u", i);
        if ((mote_text_hash(names[found], (size_t)n) & 0xFF) == 0)
            add_token(&m, names[found++], MOTE_TEXT_NORMAL, 0);
    }
    refused(&m, MOTE_E_FORMAT, "too many entries collide");
}

/* ---- rules ---- */

static void spm_rules(void **state) {
    (void)state;
    struct maker m;
    start(&m, MOTE_TEXT_SPM, "default");
    add_bytes(&m);
    add_token(&m, "<unk>", MOTE_TEXT_UNKNOWN, 0);        /* 256 */
    add_token(&m, "<s>", MOTE_TEXT_CONTROL, 0);          /* 257 */
    add_token(&m, "</s>", MOTE_TEXT_CONTROL, 0);         /* 258 */
    add_token(&m, "\xE2\x96\x81", MOTE_TEXT_NORMAL, -9); /* 259 */
    add_token(&m, "a", MOTE_TEXT_NORMAL, -9);            /* 260 */
    add_token(&m, "b", MOTE_TEXT_NORMAL, -9);            /* 261 */
    add_token(&m, "ab", MOTE_TEXT_NORMAL, -2);           /* 262 */
    add_token(&m, "ba", MOTE_TEXT_NORMAL, -1);           /* 263 */
    add_token(&m,
              "\xE2\x96\x81"
              "a",
              MOTE_TEXT_NORMAL, -3);                 /* 264 */
    add_token(&m, "<", MOTE_TEXT_NORMAL, -3);        /* 265 */
    add_token(&m, "<s", MOTE_TEXT_NORMAL, -3);       /* 266 */
    add_token(&m, "#u#", MOTE_TEXT_USER_DEFINED, 0); /* 267 */
    assert_int_equal(build(&m), MOTE_OK);
    assert_string_equal(ids_of(&m, view(""), 0), "");
    assert_string_equal(ids_of(&m, view(""), MOTE_TOKENIZE_ADD_SPECIAL), "257");
    assert_string_equal(ids_of(&m, view("a"), MOTE_TOKENIZE_ADD_SPECIAL), "257 264");
    assert_string_equal(ids_of(&m, view("b"), 0), "259 261");
    assert_string_equal(ids_of(&m, view("aba"), 0), "264 263"); /* ba before ▁a before ab */
    assert_string_equal(ids_of(&m, view("bab a"), 0), "259 263 261 264");
    assert_string_equal(ids_of(&m, view("\xC3\xA9"), 0), "259 195 169");
    assert_string_equal(ids_of(&m, view("\xE2\x96\x81"), 0), "259 226 150 129"); /* no space */
    assert_string_equal(ids_of(&m,
                               view("\xE2\x96"
                                    "a"),
                               0),
                        "259 226 150 260");
    assert_string_equal(ids_of(&m, (mote_text){"\0", 1}, 0), "259 0");
    assert_string_equal(ids_of(&m, view("a</s>b"), MOTE_TOKENIZE_PARSE_SPECIAL), "264 258 259 261");
    assert_string_equal(ids_of(&m, view("<s>"), MOTE_TOKENIZE_PARSE_SPECIAL), "257");
    assert_string_equal(ids_of(&m, view("<s>"), 0), "259 266 62"); /* never the control token */
    assert_string_equal(ids_of(&m, view("a#u#a"), 0), "264 267 264");
    assert_true(mote_text_is_end(m.vocab, 258));
    assert_false(mote_text_is_end(m.vocab, 257));
    free(m.block);
    m.source.add_space_prefix = 0;
    m.source.add_eos = 1;
    assert_int_equal(build(&m), MOTE_OK);
    assert_string_equal(ids_of(&m, view("a a"), MOTE_TOKENIZE_ADD_SPECIAL), "257 260 264 258");
    free(m.block);
}

static void missing_bytes(void **state) {
    (void)state;
    struct maker m;
    start(&m, MOTE_TEXT_SPM, "");
    add_token(&m, "\xE2\x96\x81", MOTE_TEXT_NORMAL, 0);
    assert_int_equal(build(&m), MOTE_OK);
    assert_string_equal(ids_of(&m, view(" "), 0), "0 0");
    assert_string_equal(ids_of(&m, view("x"), 0), mote_status_text(MOTE_E_TOKEN));
    assert_non_null(strstr(m.error.text, "byte 120"));
    free(m.block);
    add_token(&m, "<unk>", MOTE_TEXT_UNKNOWN, 0);
    assert_int_equal(build(&m), MOTE_OK);
    assert_string_equal(ids_of(&m, view("x\xC3\xA9"), 0), "0 1 1");
    free(m.block);
    start(&m, MOTE_TEXT_BPE, "gpt-2");
    add_token(&m, "a", MOTE_TEXT_NORMAL, 0);
    assert_int_equal(build(&m), MOTE_OK);
    assert_string_equal(ids_of(&m, view("aa"), 0), "0 0");
    assert_string_equal(ids_of(&m, view("ab"), 0), mote_status_text(MOTE_E_TOKEN));
    free(m.block);
}

static void bpe_rules(void **state) {
    (void)state;
    struct maker m;
    for (int whole = 0; whole < 2; whole++) {
        start(&m, MOTE_TEXT_BPE, whole ? "llama-bpe" : "dbrx"); /* the same words; entries whole or not */
        static const char *const tokens[] = {"a",   "b",   "c",     "ab",     "bc",
                                             "abc", "bcc", "<|x|>", "<|xx|>", "<|im_end|>"};
        for (int i = 0; i < 10; i++)
            add_token(&m, tokens[i],
                      i < 7   ? MOTE_TEXT_NORMAL
                      : i < 9 ? MOTE_TEXT_CONTROL
                              : MOTE_TEXT_NORMAL,
                      0);
        add_merge(&m, "b c");
        add_merge(&m, "a b");
        add_merge(&m, "ab c"); /* reached by no way, as b c comes first */
        add_merge(&m, "b c");  /* the first of two counts */
        assert_int_equal(build(&m), MOTE_OK);
        assert_string_equal(ids_of(&m, view("abc"), 0), whole ? "5" : "0 4");
        assert_string_equal(ids_of(&m, view("abab"), 0), "3 3");
        assert_string_equal(ids_of(&m, view("bcc"), 0), whole ? "6" : "4 2");
        assert_string_equal(ids_of(&m, view("a<|xx|>b<|x|>"), MOTE_TOKENIZE_PARSE_SPECIAL), "0 8 1 7");
        assert_string_equal(ids_of(&m, view("a<|im_end|>"), MOTE_TOKENIZE_PARSE_SPECIAL), "0 9");
        assert_true(mote_text_is_end(m.vocab, 9)); /* known by its name */
        assert_false(mote_text_is_end(m.vocab, 7));
        free(m.block);
    }
}

static void wpm_rules(void **state) {
    (void)state;
    struct maker m;
    start(&m, MOTE_TEXT_WPM, "");
    static const char *const tokens[] = {"[UNK]",
                                         "[CLS]",
                                         "[SEP]",
                                         "\xE2\x96\x81"
                                         "caf",
                                         "e",
                                         "\xE2\x96\x81"
                                         "cafe",
                                         "\xE2\x96\x81!",
                                         "\xE2\x96\x81"
                                         "caf\xC3\xA9",
                                         "s",
                                         "\xE2\x96\x81\xE4\xB8\xAD"};
    for (int i = 0; i < 10; i++)
        add_token(&m, tokens[i], i < 3 ? MOTE_TEXT_CONTROL : MOTE_TEXT_NORMAL, 0);
    assert_int_equal(build(&m), MOTE_OK);
    assert_string_equal(ids_of(&m, view("Caf\xC3\x89s!"), MOTE_TOKENIZE_ADD_SPECIAL), "1 5 8 6 2");
    assert_string_equal(ids_of(&m, view("cafe\xCC\x81 x cafes"), 0), "5 0 5 8");
    assert_string_equal(ids_of(&m,
                               view("cafe\xE4\xB8\xAD"
                                    "cafe"),
                               0),
                        "5 9 5");
    assert_string_equal(ids_of(&m, view(" \xFF\x01\xEF\xBF\xBD "), 0), "");
    free(m.block);
}

/* ---- words, UTF-8, classes ---- */

static void splits(void **state) {
    (void)state;
    static const char text[] = "I'LL we're  1234567 x=\xC3\xA9t\xC3\xA9\n\n  end. Caf\xC3\xA9"
                               "Bar\xE4\xB8\xAD\xE6\x96\x87  ";
    static const struct {
        const char *name, *words;
    } cases[] = {
        {"gpt-2", "I|'|LL| we|'re| | 1234567| x|=|\xC3\xA9t\xC3\xA9|\n\n | end|.| Caf\xC3\xA9"
                  "Bar\xE4\xB8\xAD\xE6\x96\x87|  |"},
        {"llama-bpe", "I|'LL| we|'re| | |123|456|7| x|=\xC3\xA9t\xC3\xA9|\n\n| | end|.| Caf\xC3\xA9"
                      "Bar\xE4\xB8\xAD\xE6\x96\x87|  |"},
        {"qwen2", "I|'LL| we|'re| | |1|2|3|4|5|6|7| x|=\xC3\xA9t\xC3\xA9|\n\n| | end|.| Caf\xC3\xA9"
                  "Bar\xE4\xB8\xAD\xE6\x96\x87|  |"},
        {"starcoder", "I|'|LL| we|'re|  |1|2|3|4|5|6|7| x|=|\xC3\xA9t\xC3\xA9|\n\n | end|.| Caf\xC3\xA9"
                      "Bar\xE4\xB8\xAD\xE6\x96\x87|  |"},
        {"falcon", "I|'|LL| we|'|re| | |123|456|7| x|=|\xC3\xA9t\xC3\xA9|\n\n | end|.| Caf\xC3\xA9"
                   "Bar\xE4\xB8\xAD\xE6\x96\x87|  |"},
        {"gpt-4o", "I'LL| we're| | |123|456|7| x|=\xC3\xA9t\xC3\xA9|\n\n| | end|.| "
                   "Caf\xC3\xA9|Bar\xE4\xB8\xAD\xE6\x96\x87|  |"},
        {"deepseek-coder",
         "I|'|LL| we|'|re|  |1|2|3|4|5|6|7| x|=|\xC3\xA9t\xC3\xA9|\n|\n| | end|.| Caf\xC3\xA9"
         "Bar|\xE4\xB8\xAD\xE6\x96\x87|  |"},
        {"bloom", "I'LL| we're| | 1234567| x=\xC3\xA9t\xC3\xA9|\n\n | end|.| Caf\xC3\xA9"
                  "Bar\xE4\xB8\xAD\xE6\x96\x87|  |"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mote_text_splitter splitter;
        mote_text_split_open(&splitter, mote_text_split_find(view(cases[i].name)), text, sizeof text - 1);
        char got[400];
        size_t n = 0;
        for (mote_text word; mote_text_split_next(&splitter, &word);) {
            memcpy(got + n, word.data, word.n);
            n += word.n;
            got[n++] = '|';
        }
        got[n] = '\0';
        if (strcmp(got, cases[i].words) != 0) fail_msg("%s:\n%s\n%s", cases[i].name, got, cases[i].words);
    }
    assert_non_null(mote_text_split_find(view("")));
    assert_null(mote_text_split_find(view("gpt-22")));
    assert_null(mote_text_split_find(view("gpt-")));
}

static void utf8(void **state) {
    (void)state;
    for (uint32_t code = 0; code < 0x110000; code++) {
        char bytes[4];
        uint32_t back;
        if (code >= 0xD800 && code < 0xE000) continue;
        size_t n = mote_text_utf8_encode(code, bytes);
        assert_int_equal(mote_text_utf8_decode(bytes, n, &back), n);
        assert_int_equal(back, code);
        for (size_t cut = 1; cut < n; cut++) {
            assert_int_equal(mote_text_utf8_decode(bytes, cut, &back), cut);
            assert_int_equal(back, MOTE_TEXT_CUT);
        }
    }
    static const struct {
        const char *bytes;
        size_t n, subpart;
    } bad[] = {{"\x80", 1, 1},
               {"\xC0\x80", 2, 1},
               {"\xC1\xBF", 2, 1},
               {"\xE0\x9F\xBF", 3, 1},
               {"\xE1\x80x", 3, 2},
               {"\xED\xA0\x80", 3, 1},
               {"\xF0\x8F\xBF\xBF", 4, 1},
               {"\xF1\x80\x80x", 4, 3},
               {"\xF4\x90\x80\x80", 4, 1},
               {"\xF5\x80\x80\x80", 4, 1},
               {"\xFF", 1, 1},
               {"\xC3\xC3", 2, 1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint32_t code;
        assert_int_equal(mote_text_utf8_decode(bad[i].bytes, bad[i].n, &code), bad[i].subpart);
        assert_int_equal(code, MOTE_TEXT_INVALID);
        assert_false(mote_text_utf8_valid(bad[i].bytes, bad[i].n));
    }
}

static void classes(void **state) {
    (void)state;
    static const struct {
        uint32_t code, class, fold;
    } cases[] = {
        {'a', MOTE_TEXT_LOWER, 'a'},
        {'Z', MOTE_TEXT_UPPER, 'z'},
        {'7', MOTE_TEXT_NUMBER, '7'},
        {'_', MOTE_TEXT_PUNCT, '_'},
        {'$', MOTE_TEXT_SYMBOL, '$'},
        {0xC9, MOTE_TEXT_UPPER, 'e'},
        {0x130, MOTE_TEXT_UPPER, 'i'},
        {0x1C5, MOTE_TEXT_UPPER, 0x1C6},
        {0x301, MOTE_TEXT_MARK, 0x301},
        {0x3B1, MOTE_TEXT_LOWER, 0x3B1},
        {0x386, MOTE_TEXT_UPPER, 0x3B1},
        {0x419, MOTE_TEXT_UPPER, 0x438},
        {0x4E2D, MOTE_TEXT_CASELESS, 0x4E2D},
        {0xAC00, MOTE_TEXT_CASELESS, 0xAC00},
        {0x2260, MOTE_TEXT_SYMBOL, '='},
        {0x10400, MOTE_TEXT_UPPER, 0x10428},
        {0x1F600, MOTE_TEXT_SYMBOL, 0x1F600},
        {0xE000, MOTE_TEXT_OTHER, 0xE000},
        {0x378, MOTE_TEXT_UNASSIGNED, 0x378},
        {0x10FFFF, MOTE_TEXT_UNASSIGNED, 0x10FFFF},
        {' ', MOTE_TEXT_SEPARATOR | MOTE_TEXT_WHITE, ' '},
        {'\n', MOTE_TEXT_OTHER | MOTE_TEXT_WHITE, '\n'},
        {0x3000, MOTE_TEXT_SEPARATOR | MOTE_TEXT_WHITE, 0x3000},
        {MOTE_TEXT_INVALID, MOTE_TEXT_UNASSIGNED, MOTE_TEXT_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (mote_text_class(cases[i].code) != cases[i].class ||
            mote_text_fold(cases[i].code) != cases[i].fold)
            fail_msg("U+%04X: class %x, fold %x", cases[i].code, mote_text_class(cases[i].code),
                     mote_text_fold(cases[i].code));
    }
    uint32_t counts[11] = {0};
    for (uint32_t code = 0; code < 0x110000; code++) {
        uint32_t class = mote_text_class(code);
        for (int bit = 0; bit < 11; bit++)
            counts[bit] += class >> bit & 1;
    }
    /* as UnicodeData.txt of Unicode 15.0 has them */
    static const uint32_t expected[11] = {825345, 139751, 1862, 2233, 132009, 2450, 1831, 842, 7770, 19, 25};
    for (int bit = 0; bit < 11; bit++)
        assert_int_equal(counts[bit], expected[bit]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_byte_tokens), cmocka_unit_test(bad_entries),
        cmocka_unit_test(bad_merges),      cmocka_unit_test(colliding_entries),
        cmocka_unit_test(spm_rules),       cmocka_unit_test(missing_bytes),
        cmocka_unit_test(bpe_rules),       cmocka_unit_test(wpm_rules),
        cmocka_unit_test(splits),          cmocka_unit_test(utf8),
        cmocka_unit_test(classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
