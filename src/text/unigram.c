/* SPDX-License-Identifier: Apache-2.0
 *
 * unigram.c: Unigram encoding, as SentencePiece has it: T5, XLM-R and what grew out of them.
 *
 *     "Ｈｅｌｌｏ   wörld"  ->  ▁Hello▁wörld  ->  [▁Hello] [▁w] [ör] [ld]
 *
 * A text is normalised by a table of the file: at each place the longest key of a trie is replaced by what the
 * table has for it. Spaces become ▁ (U+2581), one between words and one in front. Of all ways to write a word
 * as entries the one with the highest sum of scores is taken, found from left to right:
 *
 *     best[end] = max over the entries text[start, end) of best[start] + score
 *
 * with ten less than the lowest score for a character that no entry is. Among equals the one found first
 * stays, whose last entry is the longest. Sums are made in double, for each word from zero.
 *
 * The trie is SentencePiece's precompiled_charsmap:
 *
 *     u32 size | units, size bytes of u32 | strings, each with a 0 behind it
 *     unit: 31 … 10 offset | 9 offset counts 256 | 8 has a leaf | 7 … 0 the byte that leads here
 *     leaf: 30 … 0 place of the string
 *
 * from a unit at p, byte c leads to p ^ offset ^ c, and its leaf lies at p ^ offset. Nothing of it is
 * trusted: a place outside ends the walk, and so does a key longer than any that honest tables have.
 *
 * A word longer than the buffer is cut where its best way so far has a border, far enough back that what
 * follows does not move it. Bytes that are not UTF-8 count as U+FFFD. */
#include "base/error.h"
#include "base/float.h"
#include "base/reader.h"
#include "text/utf8.h"
#include "text/vocab.h"

#ifndef MOTE_NO_ENCODERS

#define LOWER_BLOCK "\xE2\x96\x81" /* ▁ */

enum {
    LOWER_BLOCK_CODE = 0x2581,
    SPAN = 1 << 14,  /* bytes of a word looked at together */
    KEY_MAX = 64,    /* bytes of a key of the trie; the longest of NFKC takes less than half of it */
    GROWTH_MAX = 12, /* bytes that a byte may become; 11 where U+FDFA becomes four words */
    LENGTHS = 1024,  /* entries of the table of lengths */
    LENGTHS_KEY = 4, /* bytes it looks at */
};

/* The best way to write the word up to here. Walked backwards, then forwards: see commit. */
struct node {
    double score;
    uint32_t other;   /* where its last entry starts; while writing, where the next one ends */
    mote_token token; /* that entry, MOTE_TOKEN_NONE for a character that is none */
};

static double score_of(const struct mote_text_vocab *vocab, uint32_t id) {
    return vocab->scores ? (double)mote_base_f32_from_bits(mote_base_u32(vocab->scores + 4 * (size_t)id)) : 0;
}

/* Where the table of lengths tells of entries that begin with these LENGTHS_KEY bytes: bit n for entries of n
 * bytes, the last for all that are longer. Most lengths need not be looked up then. */
static uint64_t *lengths_of(const struct mote_text_vocab *vocab, const char *text) {
    return &vocab->lengths[mote_base_u32((const uint8_t *)text) * 0x9E3779B1u >> 22];
}

static uint64_t length_bit(size_t n) {
    return (uint64_t)1 << (n < 63 ? n : 63);
}

static mote_status open_charsmap(const struct mote_text_source *source, struct mote_text_vocab *vocab,
                                 mote_error *error) {
    if (source->n_charsmap == 0) return MOTE_OK;
    uint64_t n = source->n_charsmap, size = n < 4 ? 0 : mote_base_u32(source->charsmap);
    if (size == 0 || size % 4 || size > n - 4 || n > MOTE_TEXT_LENGTH_MAX)
        return mote_base_fail(error, MOTE_E_FORMAT, 0,
                              "precompiled_charsmap of %u bytes says its trie has %u", n, size);
    vocab->units = source->charsmap + 4;
    vocab->n_units = (uint32_t)(size / 4);
    vocab->made = (const char *)vocab->units + size;
    vocab->n_made = (uint32_t)(n - 4 - size);
    return MOTE_OK;
}

mote_status mote_text_open_unigram(const struct mote_text_source *source, struct mote_base_arena *arena,
                                   struct mote_text_vocab *vocab, mote_error *error) {
    vocab->lengths = mote_base_arena_take(arena, LENGTHS, sizeof *vocab->lengths);
    if (!vocab->lengths) return MOTE_OK;
    memset(vocab->lengths, 0, LENGTHS * sizeof *vocab->lengths);
    double lowest = 0;
    int any = 0;
    for (uint32_t id = 0; id < vocab->n_tokens; id++) {
        mote_text text = vocab->tokens[id];
        if (!mote_text_is_plain(vocab, id)) continue;
        if (text.n >= LENGTHS_KEY) *lengths_of(vocab, text.data) |= length_bit(text.n);
        double score = score_of(vocab, id);
        if (!any || score < lowest) lowest = score;
        any = 1;
    }
    vocab->unknown_score = lowest - 10;
    return open_charsmap(source, vocab, error);
}

/* Bytes of a word that a text of n bytes can become, not above SPAN: a byte that makes spaces makes three bytes
 * of each, and one that is not UTF-8 makes three. */
static size_t span_of(const struct mote_text_vocab *vocab, size_t n) {
    size_t growth = vocab->units ? 3 * GROWTH_MAX : 3;
    return n < SPAN / (4 * GROWTH_MAX) ? growth * n + 3 : SPAN;
}

uint64_t mote_text_unigram_work(const struct mote_text_vocab *vocab, size_t n, size_t *most) {
    size_t span = span_of(vocab, n);
    /* each byte that is left is a token at most; besides, there is a ▁ for each fragment, two of which have a
     * special token between */
    *most = (size_t)(vocab->units ? GROWTH_MAX + 1 : 4) * n + 8;
    return (span + 1) * sizeof(struct node) + span;
}

/* ---- normalising ---- */

/* The unit at a place; 0, which leads nowhere, outside. */
static uint32_t unit_at(const struct mote_text_vocab *vocab, uint32_t place) {
    return place < vocab->n_units ? mote_base_u32(vocab->units + 4 * (size_t)place) : 0;
}

static uint32_t offset_of(uint32_t unit) {
    return unit >> 10 << (unit >> 6 & 8);
}

/* The bytes of the longest key that text begins with, 0 if there is none, and what it is replaced by. */
static size_t replacement(const struct mote_text_vocab *vocab, const char *text, size_t n, mote_text *made) {
    size_t length = 0;
    if (!vocab->units) return 0;
    uint32_t place = offset_of(unit_at(vocab, 0)), string = 0;
    for (size_t i = 0; i < n && i < KEY_MAX; i++) {
        place ^= (uint8_t)text[i];
        uint32_t unit = unit_at(vocab, place);
        if ((unit & 0x800000FF) != (uint8_t)text[i] || place >= vocab->n_units) break;
        place ^= offset_of(unit);
        if (!(unit & 0x100) || place >= vocab->n_units) continue;
        string = unit_at(vocab, place) & 0x7FFFFFFF;
        length = i + 1;
    }
    if (length == 0) return 0;
    *made = (mote_text){vocab->made + string, 0};
    if (string > vocab->n_made) *made = (mote_text){"", 0};
    while (string + made->n < vocab->n_made && made->data[made->n])
        if (++made->n > GROWTH_MAX * length) break;
    return length;
}

/* ---- segmenting ---- */

struct reading {
    const struct mote_text_vocab *vocab;
    struct mote_text_sink *sink;
    mote_error *error;
    struct node *best; /* [span + 1] */
    char *word;        /* [span] */
    size_t n, span;
    int in_word;
};

/* Finds best[1 … n]. */
static void segment(struct reading *r) {
    const struct mote_text_vocab *vocab = r->vocab;
    size_t most = vocab->max_bytes < MOTE_TEXT_WORD_MAX ? vocab->max_bytes : MOTE_TEXT_WORD_MAX, length;
    for (size_t i = 0; i <= r->n; i++)
        r->best[i] = (struct node){0, UINT32_MAX, MOTE_TOKEN_NONE};
    for (size_t start = 0; start < r->n; start += length) {
        uint32_t code;
        const char *text = r->word + start;
        size_t left = r->n - start;
        length = mote_text_utf8_decode(text, left, &code);
        uint64_t lengths = left < LENGTHS_KEY ? 0 : *lengths_of(vocab, text);
        double before = r->best[start].score;
        int is_entry = 0; /* the character alone */
        for (size_t n = length; n <= left && n <= most; n++) {
            if (n >= LENGTHS_KEY && lengths >> (n < 63 ? n : 63) == 0) break;
            if (n >= LENGTHS_KEY && !(lengths & length_bit(n))) continue;
            if (n > length && n < left && (text[n] & 0xC0) == 0x80) continue; /* inside a character */
            mote_token id = mote_text_find(vocab, text, n);
            if (id == MOTE_TOKEN_NONE || !mote_text_is_plain(vocab, (uint32_t)id)) continue;
            is_entry |= n == length;
            double score = before + score_of(vocab, (uint32_t)id);
            struct node *end = &r->best[start + n];
            if (end->other == UINT32_MAX || score > end->score)
                *end = (struct node){score, (uint32_t)start, id};
        }
        struct node *next = &r->best[start + length];
        if (!is_entry && (next->other == UINT32_MAX || before + vocab->unknown_score > next->score))
            *next = (struct node){before + vocab->unknown_score, (uint32_t)start, MOTE_TOKEN_NONE};
    }
}

/* Writes a character that is no entry as its bytes, or as the unknown token, one for several in a row. */
static mote_status put_unknown(struct reading *r, const char *text, size_t n, int again) {
    const struct mote_text_vocab *vocab = r->vocab;
    int all = 1;
    if (n == 3 && memcmp(text, LOWER_BLOCK, 3) == 0) {
        text = " ";
        n = 1;
    }
    for (size_t i = 0; i < n; i++)
        all &= vocab->byte[(uint8_t)text[i]] != MOTE_TOKEN_NONE;
    if (!all && vocab->unk == MOTE_TOKEN_NONE)
        return mote_base_fail(r->error, MOTE_E_TOKEN, 0, "the vocabulary has no token for \"%t\"",
                              ((mote_text){text, n}));
    if (!all) return again || mote_text_put(r->sink, vocab->unk) ? MOTE_OK : MOTE_E_ROOM;
    for (size_t i = 0; i < n; i++)
        if (!mote_text_put(r->sink, vocab->byte[(uint8_t)text[i]])) return MOTE_E_ROOM;
    return MOTE_OK;
}

/* Writes the word's tokens, but for those that end less than `keep` bytes before its end: they stay in the
 * buffer. */
static mote_status commit(struct reading *r, size_t keep) {
    segment(r);
    uint32_t next = UINT32_MAX;
    for (uint32_t at = (uint32_t)r->n; at != UINT32_MAX;) { /* turns the links round */
        uint32_t before = r->best[at].other;
        r->best[at].other = next;
        next = at;
        at = before;
    }
    size_t start = 0;
    int unknown = 0;
    for (size_t end; start < r->n; start = end) {
        end = r->best[start].other;
        if (r->n - end < keep) break;
        mote_token token = r->best[end].token;
        mote_status status = MOTE_OK;
        if (token == MOTE_TOKEN_NONE)
            status = put_unknown(r, r->word + start, end - start, unknown);
        else if (!mote_text_put(r->sink, token))
            status = MOTE_E_ROOM;
        if (status) return status;
        unknown = token == MOTE_TOKEN_NONE;
    }
    memmove(r->word, r->word + start, r->n - start);
    r->n -= start;
    return MOTE_OK;
}

static mote_status append(struct reading *r, const char *text, size_t n) {
    int space = n == 3 && memcmp(text, LOWER_BLOCK, 3) == 0;
    mote_status status = MOTE_OK;
    if (space && r->in_word && r->vocab->words_apart) status = commit(r, 0);
    if (!status && r->span - r->n < n) status = commit(r, MOTE_TEXT_WORD_MAX);
    if (status) return status;
    memcpy(r->word + r->n, text, n);
    r->n += n;
    r->in_word = !space;
    return MOTE_OK;
}

/* Appends spaces that were held back. */
static mote_status append_spaces(struct reading *r, size_t *n_spaces) {
    mote_status status = MOTE_OK;
    for (; *n_spaces && !status; --*n_spaces)
        status = append(r, LOWER_BLOCK, 3);
    return status;
}

/* Appends what a place of the text became. Spaces wait for what comes behind them, as those at the end of a
 * text are dropped; those that begin `made` are dropped if what came before ended with one. */
static mote_status append_made(struct reading *r, mote_text made, size_t *n_spaces, int *after_space) {
    size_t i = 0;
    while (*after_space && i < made.n && made.data[i] == ' ')
        i++;
    if (i < made.n) *after_space = r->vocab->squeeze && made.data[made.n - 1] == ' ';
    for (size_t length; i < made.n; i += length) {
        uint32_t code;
        length = mote_text_utf8_decode(made.data + i, made.n - i, &code);
        if (code == ' ' || code == LOWER_BLOCK_CODE) {
            ++*n_spaces;
            continue;
        }
        mote_status status = append_spaces(r, n_spaces);
        if (!status) status = append(r, made.data + i, length);
        if (status) return status;
    }
    return MOTE_OK;
}

mote_status mote_text_unigram_encode(const struct mote_text_vocab *vocab, const char *text, size_t n,
                                     void *work, struct mote_text_sink *sink, mote_error *error) {
    size_t span = span_of(vocab, n), n_spaces = vocab->space_prefix;
    struct reading r = {vocab, sink, error, work, (char *)((struct node *)work + span + 1), 0, span, 0};
    int after_space = vocab->squeeze;
    for (size_t i = 0, length; i < n; i += length) {
        uint32_t code;
        mote_text made;
        length = replacement(vocab, text + i, n - i, &made);
        if (length && made.n > GROWTH_MAX * length)
            return mote_base_fail(error, MOTE_E_FORMAT, 0,
                                  "the vocabulary's normaliser makes more than %u bytes of %u",
                                  (uint64_t)(GROWTH_MAX * length), (uint64_t)length);
        if (length == 0) {
            length = mote_text_utf8_decode(text + i, n - i, &code);
            made = (mote_text){text + i, length};
            if (code >= MOTE_TEXT_INVALID) {
                made = (mote_text){"\xEF\xBF\xBD", 3};
                mote_text third;
                if (replacement(vocab, made.data, 3, &third) == 3 && third.n <= GROWTH_MAX) made = third;
            }
        }
        mote_status status = append_made(&r, made, &n_spaces, &after_space);
        if (status) return status;
    }
    mote_status status = vocab->squeeze ? MOTE_OK : append_spaces(&r, &n_spaces);
    return status || !r.n ? status : commit(&r, 0);
}

#else
typedef int mote_text_unigram_left_out; /* a file holds something */
#endif
