/* SPDX-License-Identifier: Apache-2.0
 *
 * wordpiece.c: WordPiece encoding, as BERT has it.
 *
 *     "Crème brûlée!"  ->  creme | brulee | !  ->  [▁creme] [▁br ule e] [▁!]
 *
 * Characters lose their accents and their case; white space ends a word; punctuation and ideographs are words
 * of their own. A word, with ▁ before it, is taken apart from its front by the longest entry that fits; if
 * none fits somewhere, the whole word is the unknown token. Nothing of this can be undone exactly.
 *
 * Hangul syllables come apart into their two or three letters, which is what taking off accents does to them.
 * Compatibility ideographs are not replaced by the ideographs they stand for. */
#include "base/error.h"
#include "text/unicode.h"
#include "text/utf8.h"
#include "text/vocab.h"

/* The word being read. Folding makes at most nine bytes of three. */
uint64_t mote_text_wpm_work(size_t n) {
    return 3 * (uint64_t)n + 16;
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
    char *bytes; /* ▁ and what has been read of the word */
    size_t n;
};

static mote_status finish(const struct mote_text_vocab *vocab, struct word *word, struct mote_text_sink *sink,
                          mote_error *error) {
    size_t n = word->n, n_before = sink->n;
    word->n = 3;
    if (n == 3) return MOTE_OK;
    for (size_t at = 0, end; at < n; at = end) {
        mote_token token;
        end = longest(vocab, word->bytes, at, n, &token);
        if (end == at) {
            sink->n = n_before;
            if (vocab->unk == MOTE_TOKEN_NONE)
                return mote_base_fail(error, MOTE_E_TOKEN, 0, "the vocabulary has no token for \"%t\"",
                                      ((mote_text){word->bytes + 3, n - 3}));
            return mote_text_put(sink, vocab->unk) ? MOTE_OK : MOTE_E_ROOM;
        }
        if (!mote_text_put(sink, token)) return MOTE_E_ROOM;
    }
    return MOTE_OK;
}

static void append(struct word *word, uint32_t code) {
    word->n += mote_text_utf8_encode(code, word->bytes + word->n);
}

static void append_folded(struct word *word, uint32_t code) {
    uint32_t syllable = code - 0xAC00; /* lead × 588 + vowel × 28 + tail */
    if (syllable >= 11172) {
        append(word, code);
        return;
    }
    append(word, 0x1100 + syllable / 588);
    append(word, 0x1161 + syllable % 588 / 28);
    if (syllable % 28) append(word, 0x11A7 + syllable % 28);
}

mote_status mote_text_wpm_encode(const struct mote_text_vocab *vocab, const char *text, size_t n, void *work,
                                 struct mote_text_sink *sink, mote_error *error) {
    struct word word = {work, 3};
    memcpy(word.bytes, "\xE2\x96\x81", 3);
    for (size_t at = 0; at < n;) {
        uint32_t code;
        at += mote_text_utf8_decode(text + at, n - at, &code);
        if (code == 0 || code == MOTE_TEXT_REPLACEMENT || code >= MOTE_TEXT_INVALID) continue;
        code = mote_text_fold(code);
        uint32_t class = mote_text_class(code);
        int white = (class & MOTE_TEXT_WHITE) != 0;
        if (!white && class & (MOTE_TEXT_OTHER | MOTE_TEXT_MARK)) continue;
        int alone =
            class & MOTE_TEXT_PUNCT || (code < 0x7F && class & MOTE_TEXT_SYMBOL) || is_ideograph(code);
        mote_status status = MOTE_OK;
        if (white || alone) status = finish(vocab, &word, sink, error);
        if (!white) append_folded(&word, code);
        if (alone && !status) status = finish(vocab, &word, sink, error);
        if (status) return status;
    }
    return finish(vocab, &word, sink, error);
}
