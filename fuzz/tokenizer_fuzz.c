/* SPDX-License-Identifier: Apache-2.0
 *
 * tokenizer_fuzz.c: any vocabulary and any text. What it checks beside "no crash": the block of the plan is
 * enough, tokens are in the vocabulary and within the plan's number, streamed pieces are UTF-8, and wherever
 * the vocabulary has all bytes, what comes back is what went in.
 *
 *     kind  pre  options  n_tokens  n_merges  bos eos unk sep cls
 *     of Unigram the table of the normaliser, as many units as the low bits of kind say
 *     tokens: length + type, score, bytes; length 0: two bytes that name earlier tokens to join
 *     merges: length, bytes; length 0: the same
 *     text to the end
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/letters.h"
#include "text/split.h"
#include "text/utf8.h"
#include "text/vocab.h"

static const char *const pres[] = {
    "",         "gpt-2",     "llama-bpe", "qwen2",        "qwen35",         "seed-coder",  "laguna",
    "minicpm5", "starcoder", "falcon",    "deepseek-llm", "deepseek-coder", "deepseek-v3", "tekken",
    "gpt-4o",   "bloom",     "viking",    "ufakzeka",     "jina-v2-de",     "modern-bert", "no-such-one"};

static void expect(int truth) {
    if (!truth) abort();
}

struct input {
    const uint8_t *at, *end;
};

static uint8_t byte(struct input *in) {
    return in->at < in->end ? *in->at++ : 0;
}

static mote_text bytes(struct input *in, size_t n) {
    if (n > (size_t)(in->end - in->at)) n = (size_t)(in->end - in->at);
    mote_text view = {(const char *)in->at, n};
    in->at += n;
    return view;
}

enum { TOKENS = 512, MERGES = 256 };

struct made {
    struct mote_text_source source;
    mote_text tokens[TOKENS], merges[MERGES];
    uint8_t scores[4 * TOKENS], types[4 * TOKENS];
    char names[256][8];
    char joined[TOKENS + MERGES][64];
    int n_joined;
    int all_bytes; /* the first 256 tokens are the bytes */
};

static void set32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

/* Two earlier tokens, one behind the other, `between` them. */
static mote_text join(struct made *m, struct input *in, const char *between) {
    char *out = m->joined[m->n_joined++];
    if (m->source.n_tokens == 0) return (mote_text){out, 0};
    const mote_text *left = &m->tokens[byte(in) % m->source.n_tokens];
    const mote_text *right = &m->tokens[byte(in) % m->source.n_tokens];
    size_t n = strlen(between);
    if (left->n + n + right->n > sizeof m->joined[0]) return (mote_text){out, 0};
    if (left->n) memcpy(out, left->data, left->n);
    memcpy(out + left->n, between, n);
    if (right->n) memcpy(out + left->n + n, right->data, right->n);
    return (mote_text){out, left->n + n + right->n};
}

static void make(struct made *m, struct input *in) {
    struct mote_text_source *s = &m->source;
    memset(m, 0, sizeof *m);
    uint8_t kind = byte(in);
    s->kind = kind < 192 ? (enum mote_text_kind)(1 + kind % 3) : MOTE_TEXT_UNI;
    const char *pre = pres[byte(in) % (sizeof pres / sizeof *pres)];
    s->pre = (mote_text){pre, strlen(pre)};
    uint8_t options = byte(in);
    m->all_bytes = (options & 1) == 0 && s->kind != MOTE_TEXT_WPM;
    s->add_bos = (int8_t)(options >> 1 & 1) - (options >> 2 & 1);
    s->add_eos = (int8_t)(options >> 3 & 1) - (options >> 4 & 1);
    s->add_space_prefix = (int8_t)(options >> 5 & 1) - 1;
    uint32_t n = byte(in);
    s->n_merges = byte(in);
    mote_token *const ids[] = {&s->bos, &s->eos, &s->unk, &s->sep, &s->cls};
    s->eot = s->eom = s->pad = s->mask = MOTE_TOKEN_NONE;
    for (int i = 0; i < 5; i++)
        *ids[i] = (int8_t)byte(in);
    int spaced = mote_text_is_spaced(s->kind);
    if (s->kind == MOTE_TEXT_UNI) {
        s->remove_extra_whitespaces = (int8_t)(kind >> 5 & 1);
        mote_text charsmap = bytes(in, 4 * (size_t)(kind & 31));
        s->charsmap = (const uint8_t *)charsmap.data;
        s->n_charsmap = charsmap.n;
    }
    for (int i = 0; m->all_bytes && i < 256; i++) {
        size_t length = 6;
        if (spaced)
            snprintf(m->names[i], sizeof m->names[i], "<0x%02X>", i);
        else
            length = mote_text_utf8_encode(mote_text_letter_of_byte((uint8_t)i), m->names[i]);
        m->tokens[i] = (mote_text){m->names[i], length};
        set32(m->types + 4 * i, spaced ? MOTE_TEXT_BYTE : MOTE_TEXT_NORMAL);
        s->n_tokens++;
    }
    for (uint32_t i = 0; i < n; i++, s->n_tokens++) {
        uint8_t head = byte(in);
        set32(m->types + 4 * s->n_tokens, head & 128 ? head >> 4 & 7 : MOTE_TEXT_NORMAL);
        set32(m->scores + 4 * s->n_tokens, (uint32_t)byte(in) << 24 | 0x3F0000);
        m->tokens[s->n_tokens] = head & 15 ? bytes(in, head & 15) : join(m, in, "");
    }
    for (uint32_t i = 0; i < s->n_merges; i++) {
        uint8_t length = byte(in) & 15;
        m->merges[i] = length ? bytes(in, length) : join(m, in, " ");
    }
    s->tokens = m->tokens;
    s->merges = m->merges;
    s->types = options & 64 ? NULL : m->types;
    s->scores = options & 128 ? NULL : m->scores;
}

/* Whether every text must come back as it was. */
static int is_lossless(const struct made *m, const struct mote_text_vocab *vocab) {
    if (!m->all_bytes || m->source.kind == MOTE_TEXT_UNI ||
        (m->source.kind == MOTE_TEXT_BPE && !m->source.types))
        return 0;
    for (uint32_t id = 0; id < vocab->n_tokens; id++) {
        if (vocab->flags[id] & (MOTE_TEXT_LSTRIP | MOTE_TEXT_RSTRIP)) return 0;
        if (!mote_text_utf8_valid(vocab->tokens[id].data, vocab->tokens[id].n)) return 0;
    }
    return 1;
}

static void check(const struct made *m, const struct mote_text_vocab *vocab, mote_text text, unsigned flags) {
    uint64_t work_bytes;
    size_t max, n = 0, n_back = 0, max_piece = mote_text_decode_max(vocab);
    mote_text_encode_plan(vocab, text.n, &work_bytes, &max);
    void *work = aligned_alloc(MOTE_ALIGN, (size_t)(work_bytes / MOTE_ALIGN + 1) * MOTE_ALIGN);
    mote_token *tokens = malloc(max * sizeof *tokens);
    mote_error error;
    mote_status status = mote_text_encode(vocab, text, flags, work, work_bytes, tokens, max, &n, &error);
    expect(status == MOTE_OK || (status == MOTE_E_TOKEN && !m->all_bytes) ||
           (status == MOTE_E_FORMAT && m->source.n_charsmap));
    if (status) n = 0;
    char *back = malloc(max_piece * (n + 1)), *piece = malloc(max_piece);
    mote_detokenizer raw = {.raw = 1, .special = 1}, streamed = {.special = 1};
    int valid = is_lossless(m, vocab);
    for (size_t i = 0; i < n; i++) {
        size_t n_piece;
        expect(tokens[i] >= 0 && (uint32_t)tokens[i] < vocab->n_tokens);
        expect(mote_text_decode(vocab, &raw, tokens[i], back + n_back, max_piece, &n_piece) == MOTE_OK);
        n_back += n_piece;
        expect(mote_text_decode(vocab, &streamed, tokens[i], piece, max_piece, &n_piece) == MOTE_OK);
        expect(mote_text_utf8_valid(piece, n_piece));
    }
    if (!status && valid && !(flags & MOTE_TOKENIZE_ADD_SPECIAL))
        expect(n_back == text.n && (text.n == 0 || memcmp(back, text.data, n_back) == 0));
    expect(mote_text_decode_end(&streamed, 0, piece, max_piece, &n_back) == MOTE_OK);
    free(piece);
    free(back);
    free(tokens);
    free(work);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct made m;
    struct input in = {data, data + size};
    mote_error error;
    make(&m, &in);
    struct mote_base_arena arena;
    mote_base_arena_open(&arena, NULL, 0);
    if (mote_text_vocab_open(&m.source, &arena, NULL, &error)) return 0;
    uint64_t n_block = arena.used;
    void *block = aligned_alloc(MOTE_ALIGN, n_block);
    mote_base_arena_open(&arena, block, n_block);
    const struct mote_text_vocab *vocab;
    mote_status status = mote_text_vocab_open(&m.source, &arena, &vocab, &error);
    expect(status == MOTE_OK || status == MOTE_E_FORMAT);
    mote_text text = bytes(&in, SIZE_MAX);
    for (unsigned flags = 0; !status && flags < 4; flags++)
        check(&m, vocab, text, flags);
    free(block);
    return 0;
}
