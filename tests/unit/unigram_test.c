/* SPDX-License-Identifier: Apache-2.0
 *
 * unigram_test.c: Unigram vocabularies made here: the rules of encoding and decoding one at a time, a
 * normaliser whose trie is built here, and normalisers that no honest program writes. What real vocabularies
 * make of a megabyte of text is tests/golden/tokens.test.mjs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text/vocab.h"

#define SPACE "\xE2\x96\x81"

enum { MOST = 300, UNITS = 1 << 14 };

struct maker {
    struct mote_text_source source;
    mote_text tokens[MOST];
    uint8_t types[4 * MOST], scores[4 * MOST];
    char bytes[256][8];
    uint8_t charsmap[4 + 4 * UNITS + 1024];
    uint32_t n_blocks; /* of 256 units each */
    size_t n_made;
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

/* <s> </s> <unk> <mask> are 0 to 3. */
static void start(struct maker *m) {
    memset(m, 0, sizeof *m);
    struct mote_text_source *s = &m->source;
    s->kind = MOTE_TEXT_UNI;
    s->tokens = m->tokens;
    s->types = m->types;
    s->scores = m->scores;
    s->bos = s->eos = s->eot = s->eom = s->unk = s->sep = s->pad = s->cls = s->mask = MOTE_TOKEN_NONE;
    s->add_bos = s->add_eos = s->add_space_prefix = s->remove_extra_whitespaces = -1;
    add_token(m, "<s>", MOTE_TEXT_CONTROL, 0);
    add_token(m, "</s>", MOTE_TEXT_CONTROL, 0);
    add_token(m, "<unk>", MOTE_TEXT_UNKNOWN, 0);
    add_token(m, "<mask>", MOTE_TEXT_CONTROL, 0);
}

static mote_status build(struct maker *m) {
    struct mote_base_arena arena;
    mote_base_arena_open(&arena, NULL, 0);
    mote_status status = mote_text_vocab_open(&m->source, &arena, NULL, &m->error);
    if (status) return status;
    m->block = aligned_alloc(MOTE_ALIGN, (size_t)arena.used);
    uint64_t n = arena.used;
    mote_base_arena_open(&arena, m->block, n);
    return mote_text_vocab_open(&m->source, &arena, &m->vocab, &m->error);
}

/* Ids of a text, from working memory and room for tokens of exactly the size that the plan says. */
static mote_status encode(struct maker *m, mote_text text, unsigned flags, mote_token **tokens, size_t *n) {
    uint64_t work_bytes;
    size_t most;
    mote_text_encode_plan(m->vocab, text.n, &work_bytes, &most);
    void *work = malloc(work_bytes);
    *tokens = malloc(most * sizeof **tokens);
    mote_status status =
        mote_text_encode(m->vocab, text, flags, work, work_bytes, *tokens, most, n, &m->error);
    free(work);
    return status;
}

/* text -> ids as text, or the name of the failure */
static const char *ids_of(struct maker *m, mote_text text, unsigned flags) {
    static char out[1024];
    mote_token *tokens;
    size_t n = 0, at = 0;
    mote_status status = encode(m, text, flags, &tokens, &n);
    out[0] = '\0';
    for (size_t i = 0; i < n && !status; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, "%s%d", i ? " " : "", tokens[i]);
    free(tokens);
    return status ? mote_status_text(status) : out;
}

/* ---- rules ---- */

static void rules(void **state) {
    (void)state;
    static struct maker m;
    start(&m);
    add_token(&m, SPACE, MOTE_TEXT_NORMAL, -4);      /* 4 */
    add_token(&m, SPACE "a", MOTE_TEXT_NORMAL, -3);  /* 5 */
    add_token(&m, "a", MOTE_TEXT_NORMAL, -4);        /* 6 */
    add_token(&m, "b", MOTE_TEXT_NORMAL, -4);        /* 7 */
    add_token(&m, "ab", MOTE_TEXT_NORMAL, -5);       /* 8 */
    add_token(&m, "aba", MOTE_TEXT_NORMAL, -20);     /* 9 */
    add_token(&m, "\xC3\xA9", MOTE_TEXT_NORMAL, -6); /* 10 é */
    add_token(&m, SPACE "ba", MOTE_TEXT_NORMAL, -2); /* 11 */
    add_token(&m, "aa", MOTE_TEXT_NORMAL, -4);       /* 12 */
    add_token(&m, "<x>", MOTE_TEXT_USER_DEFINED, 0); /* 13 */
    assert_int_equal(build(&m), MOTE_OK);
    assert_string_equal(ids_of(&m, view("a"), 0), "5");
    assert_string_equal(ids_of(&m, view("ab"), 0), "5 7");   /* -3 -4 against -4 -5 */
    assert_string_equal(ids_of(&m, view("bab"), 0), "11 7"); /* -2 -4 */
    assert_string_equal(ids_of(&m,
                               view("\xC3\xA9"
                                    "aba"),
                               0),
                        "4 10 8 6");
    /* two ways of -3 -4 -4: the one found first, with the long entry last */
    assert_string_equal(ids_of(&m, view("aaaa"), 0), "5 6 12");
    /* spaces are squeezed, in front, between and behind */
    assert_string_equal(ids_of(&m, view("  a   a "), 0), "5 5");
    assert_string_equal(ids_of(&m, view("   "), 0), "");
    assert_string_equal(ids_of(&m, view(""), 0), "");
    assert_string_equal(ids_of(&m, view(""), MOTE_TOKENIZE_ADD_SPECIAL), "1"); /* T5: </s> and no <s> */
    /* what no entry has is unknown, several in a row once */
    assert_string_equal(ids_of(&m, view("xyza"), 0), "4 2 6");
    assert_string_equal(ids_of(&m, view("x y"), 0), "4 2 4 2");
    assert_string_equal(ids_of(&m, (mote_text){"a\xFF\xC3", 3}, 0), "5 2");
    /* control tokens only where asked for, user-defined ones always; a mask takes the space before it */
    assert_string_equal(ids_of(&m, view("a<x>b"), 0), "5 13 4 7");
    assert_string_equal(ids_of(&m, view("a <mask>"), MOTE_TOKENIZE_PARSE_SPECIAL), "5 3");
    assert_string_equal(ids_of(&m, view("a <mask>"), 0), "5 4 2 6 2");
    assert_false(mote_text_adds_bos(m.vocab));
    assert_true(mote_text_adds_eos(m.vocab));

    char out[64];
    size_t n = 0, n_piece;
    mote_detokenizer d = {0};
    static const mote_token tokens[] = {0, 5, 11, 10, 1};
    for (int i = 0; i < 5; i++, n += n_piece)
        assert_int_equal(mote_text_decode(m.vocab, &d, tokens[i], out + n, sizeof out - n, &n_piece),
                         MOTE_OK);
    assert_int_equal(n, 6);
    assert_memory_equal(out, "a ba\xC3\xA9", 6);
    free(m.block);

    m.source.remove_extra_whitespaces = m.source.add_space_prefix = 0;
    assert_int_equal(build(&m), MOTE_OK);
    assert_string_equal(ids_of(&m, view(" a  b "), 0), "5 4 4 7 4");
    free(m.block);
}

static void bytes(void **state) {
    (void)state;
    static struct maker m;
    start(&m);
    for (int i = 0; i < 256; i++) {
        snprintf(m.bytes[i], sizeof m.bytes[i], "<0x%02X>", i);
        add_token(&m, m.bytes[i], MOTE_TEXT_BYTE, 0);
    }
    add_token(&m, SPACE "a", MOTE_TEXT_NORMAL, -3); /* 260 */
    assert_int_equal(build(&m), MOTE_OK);
    assert_string_equal(ids_of(&m, view("a b\xC3\xA9"), 0), "260 36 102 199 173");
    assert_string_equal(ids_of(&m, view("<0x41>"), 0),
                        "36 64 52 124 56 53 66"); /* text makes no byte tokens */
    free(m.block);

    start(&m); /* neither bytes nor an unknown token */
    m.tokens[2] = view("<none>");
    add_token(&m, SPACE "a", MOTE_TEXT_NORMAL, -3);
    assert_int_equal(build(&m), MOTE_OK);
    assert_string_equal(ids_of(&m, view("a"), 0), "4");
    assert_string_equal(ids_of(&m, view("ab"), 0), mote_status_text(MOTE_E_TOKEN));
    assert_non_null(strstr(m.error.text, "\"b\""));
    free(m.block);
}

/* A word longer than what is looked at together: the same as if it were not, and in time. */
static void long_word(void **state) {
    (void)state;
    static struct maker m;
    enum { N = 1 << 20 };
    start(&m);
    add_token(&m, SPACE, MOTE_TEXT_NORMAL, -4); /* 4 */
    add_token(&m, "abc", MOTE_TEXT_NORMAL, -4); /* 5 */
    add_token(&m, "cab", MOTE_TEXT_NORMAL, -5); /* 6 */
    add_token(&m, "a", MOTE_TEXT_NORMAL, -4);   /* 7 */
    add_token(&m, "bca", MOTE_TEXT_NORMAL, -5); /* 8 */
    assert_int_equal(build(&m), MOTE_OK);
    char *text = malloc(N);
    for (size_t i = 0; i < N; i++)
        text[i] = (char)('a' + i % 3);
    size_t n;
    mote_token *tokens;
    clock_t begin = clock();
    assert_int_equal(encode(&m, (mote_text){text, N}, 0, &tokens, &n), MOTE_OK);
    assert_int_equal(n, 1 + N / 3 + N % 3);
    for (size_t i = 1; i <= N / 3; i++)
        assert_int_equal(tokens[i], 5);
    free(tokens);
    memset(text, 'x', N);
    assert_int_equal(encode(&m, (mote_text){text, N}, 0, &tokens, &n), MOTE_OK);
    assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 20);
    free(tokens);
    free(text);
    free(m.block);
}

/* ---- the normaliser ---- */

static uint32_t get_unit(const struct maker *m, uint32_t at) {
    uint32_t value;
    memcpy(&value, m->charsmap + 4 + 4 * (size_t)at, 4);
    return value;
}

static void set_unit(struct maker *m, uint32_t at, uint32_t value) {
    set32(m->charsmap + 4 + 4 * (size_t)at, value);
}

/* Where the children of a unit lie; a block of their own if it has none yet. */
static uint32_t base_of(struct maker *m, uint32_t at) {
    uint32_t unit = get_unit(m, at);
    if (unit >> 10 == 0) set_unit(m, at, unit |= (256 * ++m->n_blocks ^ at) << 10);
    return at ^ unit >> 10;
}

/* Adds key -> made to the trie, whose strings begin behind unit UNITS. */
static void add_rule(struct maker *m, const char *key, const char *made) {
    uint32_t at = 0;
    for (; *key; key++) {
        at = base_of(m, at) ^ (uint8_t)*key;
        set_unit(m, at, get_unit(m, at) | (uint8_t)*key);
    }
    uint32_t base = base_of(m, at);
    set_unit(m, at, get_unit(m, at) | 0x100);
    set_unit(m, base, 0x80000000u | (uint32_t)m->n_made);
    strcpy((char *)m->charsmap + 4 + 4 * UNITS + m->n_made, made);
    m->n_made += strlen(made) + 1;
    set32(m->charsmap, 4 * UNITS);
    m->source.charsmap = m->charsmap;
    m->source.n_charsmap = 4 + 4 * UNITS + m->n_made;
}

static void start_rules(struct maker *m) {
    start(m);
    add_token(m, SPACE, MOTE_TEXT_NORMAL, -4);      /* 4 */
    add_token(m, "a", MOTE_TEXT_NORMAL, -4);        /* 5 */
    add_token(m, "b", MOTE_TEXT_NORMAL, -4);        /* 6 */
    add_token(m, "\xC3\xA9", MOTE_TEXT_NORMAL, -6); /* 7 é */
}

static void normaliser(void **state) {
    (void)state;
    static struct maker m;
    start_rules(&m);
    add_rule(&m, "A", "a");
    add_rule(&m, "AB", "bb");
    add_rule(&m, "ABCD", "");
    add_rule(&m, "e\xCC\x81", "\xC3\xA9");
    add_rule(&m, "\n", " ");
    add_rule(&m, "\xEF\xBF\xBD", " ");
    add_rule(&m, "\xEF\xB7\xBA", "a b  a ");
    assert_int_equal(build(&m), MOTE_OK);
    assert_string_equal(ids_of(&m, view("AaBA"), 0), "4 5 5 2 5");
    assert_string_equal(ids_of(&m, view("ABCAB"), 0),
                        "4 6 6 2 6 6"); /* the longest key, not the longest way */
    assert_string_equal(ids_of(&m, view("aABCDa"), 0), "4 5 5");
    assert_string_equal(ids_of(&m, view("e\xCC\x81"), 0), "4 7");
    assert_string_equal(ids_of(&m, view("\na \n a\n"), 0), "4 5 4 5");
    assert_string_equal(ids_of(&m,
                               view("a\xEF\xB7\xBA"
                                    "b"),
                               0),
                        "4 5 5 4 6 4 4 5 4 6");
    assert_string_equal(ids_of(&m,
                               (mote_text){"a\x80"
                                           "b",
                                           3},
                               0),
                        "4 5 4 6"); /* as U+FFFD */
    free(m.block);
}

static void bad_normalisers(void **state) {
    (void)state;
    static struct maker m;
    static const uint32_t sizes[] = {0, 1, 2, 3, 6, 4 * UNITS + 4, 0x80000000u, UINT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        start_rules(&m);
        add_rule(&m, "A", "");
        m.source.n_charsmap = 4 + 4 * UNITS;
        set32(m.charsmap, sizes[i]);
        assert_int_equal(build(&m), MOTE_E_FORMAT);
        assert_non_null(strstr(m.error.text, "precompiled_charsmap"));
        free(m.block);
    }
    for (uint64_t n = 1; n < 8; n++) {
        start_rules(&m);
        add_rule(&m, "A", "");
        m.source.n_charsmap = n;
        assert_int_equal(build(&m), MOTE_E_FORMAT);
        free(m.block);
    }
    start_rules(&m); /* more than any honest rule makes */
    add_rule(&m, "A", "bbbbbbbbbbbb");
    add_rule(&m, "B", "bbbbbbbbbbbbb");
    assert_int_equal(build(&m), MOTE_OK);
    assert_string_equal(ids_of(&m, view("A"), 0), "4 6 6 6 6 6 6 6 6 6 6 6 6");
    assert_string_equal(ids_of(&m, view("B"), 0), mote_status_text(MOTE_E_FORMAT));
    assert_non_null(strstr(m.error.text, "normaliser"));
    free(m.block);
    start_rules(&m); /* what is not UTF-8, parts of it entries and one of them no text can become */
    add_token(&m, "\xA1", MOTE_TEXT_NORMAL, -4);
    add_token(&m, "\xA2", MOTE_TEXT_CONTROL, 0);
    add_rule(&m, "A", "b\xA1\xED\xA1\xA2\xED\xED\xA1");
    assert_int_equal(build(&m), MOTE_OK);
    assert_string_equal(ids_of(&m, view("AA"), 0), "4 6 8 2 8 2 8 6 8 2 8 2 8");
    free(m.block);
    start_rules(&m); /* strings outside, and one without an end */
    add_rule(&m, "A", "b");
    m.source.n_charsmap--;
    assert_int_equal(build(&m), MOTE_OK);
    assert_string_equal(ids_of(&m, view("A"), 0), "4 6");
    set_unit(&m, base_of(&m, base_of(&m, 0) ^ 'A'), 0xFFFFFFFF);
    assert_string_equal(ids_of(&m, view("aAa"), 0), "4 5 5");
    free(m.block);
}

/* Tries of noise, and a circle that every text of one letter goes round in: an end, in time, within bounds. */
static void hostile_tries(void **state) {
    (void)state;
    static struct maker m;
    enum { N = 1 << 16 };
    char *text = malloc(N);
    uint64_t seed = 5;
    for (int round = 0; round < 40; round++) {
        start_rules(&m);
        add_rule(&m, "A", "");
        uint32_t n_units = round ? 1 + (uint32_t)round * 97 : UNITS;
        for (uint32_t i = 0; i < n_units; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            /* labels that fit, so that walks go on; offsets that stay near */
            uint32_t unit = (uint32_t)(seed >> 40) % (2 * n_units) << 10 | (i & 255) | (seed >> 33 & 0x300);
            set_unit(&m, i, round ? unit : (i & 255));
        }
        set32(m.charsmap, 4 * n_units);
        m.source.n_charsmap = 4 + 4 * (uint64_t)n_units + 64;
        char *made = malloc((size_t)m.source.n_charsmap); /* exactly, for sanitizers */
        memcpy(made, m.charsmap, (size_t)m.source.n_charsmap);
        m.source.charsmap = (uint8_t *)made;
        assert_int_equal(build(&m), MOTE_OK);
        for (size_t i = 0; i < N; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            text[i] = round ? (char)(seed >> 56) : 'a';
        }
        mote_token *tokens;
        size_t n;
        mote_status status = encode(&m, (mote_text){text, N}, 0, &tokens, &n);
        assert_true(status == MOTE_OK || status == MOTE_E_FORMAT);
        free(tokens);
        free(m.block);
        free(made);
    }
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules),      cmocka_unit_test(bytes),           cmocka_unit_test(long_word),
        cmocka_unit_test(normaliser), cmocka_unit_test(bad_normalisers), cmocka_unit_test(hostile_tries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
