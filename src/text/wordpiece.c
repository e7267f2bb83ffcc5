/* SPDX-License-Identifier: Apache-2.0
 *
 * wordpiece.c: WordPiece encoding, as BERT has it.
 *
 *     "Crème brûlée!"  ->  creme | brulee | !  ->  [▁creme] [▁br ule e] [▁!]
 *
 * Characters lose their accents and their case; white space ends a word; punctuation and ideographs are words
 * of their own. A word, with ▁ before it, is taken apart from its front by the longest entry that fits; if
 * none fits somewhere, or the word has more than a hundred characters, the whole of it is the unknown token.
 * Nothing of this can be undone exactly.
 *
 * What taking off accents does: a character becomes its canonical decomposition, of which marks that take no
 * room of their own are dropped. So Hangul syllables come apart into their two or three letters, and
 * compatibility ideographs become the ideographs they stand for. Vocabularies were made with, and for, an
 * implementation that knows the categories of Unicode 8; wordpiece_data.h has the difference. The marks that
 * stay are not brought into canonical order. */
#include "base/error.h"
#include "text/unicode.h"
#include "text/utf8.h"
#include "text/vocab.h"

#ifndef MOTE_NO_ENCODERS

#include "text/wordpiece_data.h"

enum {
    CHARACTERS_MAX = 100,          /* of a word */
    PARTS_MAX = 4,                 /* characters that one decomposes into */
    WAS_PUNCTUATION = 0x166D,      /* to Unicode 8, a sign now */
    WAS_PUNCTUATION_TOO = 0x111C9, /* a mark now */
    WORD_BYTES = 3 + 4 * (CHARACTERS_MAX + PARTS_MAX),
};

/* The word being read. */
uint64_t mote_text_wpm_work(void) {
    return WORD_BYTES;
}

static int is_ideograph(uint32_t code) {
    /* as the first tokenizer of this kind has them, 2B920 for 2B820 included */
    static const uint32_t ranges[][2] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
                                         {0x20000, 0x2A6DF}, {0x2A700, 0x2B81F}, {0x2B920, 0x2CEAF},
                                         {0x2F800, 0x2FA1F}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (code >= ranges[i][0] && code <= ranges[i][1]) return 1;
    return 0;
}

/* ---- what becomes of a character ---- */

/* Whether a mark or sign counts as a letter. */
static int is_kept(uint32_t code) {
    uint32_t low = 0, high = sizeof kept / sizeof *kept;
    if (code < kept[0] >> 11) return 0;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (kept[middle] >> 11 <= code)
            low = middle;
        else
            high = middle;
    }
    return code - (kept[low] >> 11) <= (kept[low] & 0x7FF);
}

/* The two characters that one decomposes into, as far as the second stays; NULL if there are none. */
static const uint16_t *find_pair(uint32_t code) {
    uint32_t low = code >> 16 ? PAIRS_BMP : 0, high = code >> 16 ? PAIRS : PAIRS_BMP;
    if (code >= 0x20000) return NULL;
    for (; low < high; low++)
        if (pairs[3 * low] == (code & 0xFFFF)) return &pairs[3 * low];
    return NULL;
}

static uint32_t ideograph_of(uint32_t code) {
    uint32_t i = code < 0x2F800 ? code - 0xF900 : code - 0x2F800 + (0xFADA - 0xF900);
    if (i >= sizeof ideographs / sizeof *ideographs || (code >= 0xFADA && code < 0x2F800)) return code;
    return ideographs[i] | (uint32_t)(ideographs_high[i / 8] >> i % 8 & 1) << 17;
}

static int is_removed(uint32_t code, uint32_t class) {
    return class & (MOTE_TEXT_OTHER | MOTE_TEXT_MARK) && !is_kept(code) && code != WAS_PUNCTUATION_TOO;
}

/* Writes what code becomes when accents and case are taken off, 0 to PARTS_MAX characters; how many. */
static size_t fold(uint32_t code, uint32_t parts[PARTS_MAX]) {
    uint32_t syllable = code - 0xAC00; /* lead × 588 + vowel × 28 + tail */
    if (syllable < 11172) {
        parts[0] = 0x1100 + syllable / 588;
        parts[1] = 0x1161 + syllable % 588 / 28;
        parts[2] = 0x11A7 + syllable % 28;
        return syllable % 28 ? 3 : 2;
    }
    const uint16_t *pair = code < 0x300 ? NULL : find_pair(code);
    if (pair) {
        size_t n = fold(pair[1] | (code & 0x10000), parts);
        return n + fold(pair[2] | (code & 0x10000), parts + n);
    }
    code = ideograph_of(code);
    if (is_removed(code, mote_text_class(code))) return 0;
    parts[0] = mote_text_fold(code);
    return 1;
}

/* Punctuation and signs of ASCII. */
static int is_alone(uint32_t code) {
    uint32_t class = mote_text_class(code);
    if (class & MOTE_TEXT_PUNCT) return !is_kept(code);
    return (code < 0x7F && class & MOTE_TEXT_SYMBOL) || code == WAS_PUNCTUATION ||
           code == WAS_PUNCTUATION_TOO;
}

/* ---- words ---- */

/* The end of the longest entry that begins at word[at], or `at`. */
static size_t longest(const struct mote_text_vocab *vocab, const char *word, size_t at, size_t n,
                      mote_token *found) {
    size_t most = vocab->max_bytes < MOTE_TEXT_WORD_MAX ? vocab->max_bytes : MOTE_TEXT_WORD_MAX;
    for (size_t end = n - at < most ? n : at + most; end > at; end--) {
        if (end < n && (word[end] & 0xC0) == 0x80) continue; /* inside a character */
        *found = mote_text_find(vocab, word + at, end - at);
        if (*found != MOTE_TOKEN_NONE && mote_text_is_plain(vocab, (uint32_t)*found)) return end;
    }
    return at;
}

struct word {
    const struct mote_text_vocab *vocab;
    struct mote_text_sink *sink;
    mote_error *error;
    char *bytes; /* [WORD_BYTES] ▁ and what has been read of the word */
    size_t n;
    uint32_t n_characters;
};

static mote_status finish(struct word *word) {
    const struct mote_text_vocab *vocab = word->vocab;
    struct mote_text_sink *sink = word->sink;
    size_t n = word->n, n_before = sink->n;
    int fits = word->n_characters <= CHARACTERS_MAX;
    word->n = 3;
    word->n_characters = 0;
    if (n == 3) return MOTE_OK;
    for (size_t at = 0, end; fits && at < n; at = end) {
        mote_token token = MOTE_TOKEN_NONE;
        end = longest(vocab, word->bytes, at, n, &token);
        /* only the ▁ in front stands for the start of a word, and not alone */
        fits = at == 0 ? end > 3 : end > at && memcmp(word->bytes + at, "\xE2\x96\x81", 3) != 0;
        if (fits && !mote_text_put(sink, token)) return MOTE_E_ROOM;
    }
    if (fits) return MOTE_OK;
    sink->n = n_before;
    if (vocab->unk == MOTE_TOKEN_NONE)
        return mote_base_fail(word->error, MOTE_E_TOKEN, 0, "the vocabulary has no token for \"%t\"",
                              ((mote_text){word->bytes + 3, n - 3}));
    return mote_text_put(sink, vocab->unk) ? MOTE_OK : MOTE_E_ROOM;
}

static mote_status append(struct word *word, uint32_t code, int alone) {
    mote_status status = alone ? finish(word) : MOTE_OK;
    if (status) return status;
    if (word->n_characters++ <= CHARACTERS_MAX) word->n += mote_text_utf8_encode(code, word->bytes + word->n);
    return alone ? finish(word) : MOTE_OK;
}

static mote_status read_character(struct word *word, uint32_t code) {
    uint32_t class = mote_text_class(code), parts[PARTS_MAX] = {code};
    int is_tab = code == '\t' || code == '\n' || code == '\r', alone = is_ideograph(code);
    /* control characters are no white space here */
    if (is_tab || (class & MOTE_TEXT_WHITE && !(class & MOTE_TEXT_OTHER))) return finish(word);
    if (code == MOTE_TEXT_REPLACEMENT || code >= MOTE_TEXT_INVALID) return MOTE_OK;
    size_t n = 1;
    if (!word->vocab->keeps_case)
        n = fold(code, parts);
    else if (class & MOTE_TEXT_OTHER && !is_kept(code))
        return MOTE_OK;
    mote_status status = MOTE_OK;
    for (size_t i = 0; i < n && !status; i++)
        status = append(word, parts[i], alone || is_alone(parts[i]));
    return status;
}

mote_status mote_text_wpm_encode(const struct mote_text_vocab *vocab, const char *text, size_t n, void *work,
                                 struct mote_text_sink *sink, mote_error *error) {
    struct word word = {vocab, sink, error, work, 3, 0};
    memcpy(word.bytes, "\xE2\x96\x81", 3);
    for (size_t at = 0; at < n;) {
        uint32_t code;
        at += mote_text_utf8_decode(text + at, n - at, &code);
        mote_status status = read_character(&word, code);
        if (status) return status;
    }
    return finish(&word);
}

#endif
