/* SPDX-License-Identifier: Apache-2.0
 *
 * spm.c: SentencePiece-style encoding by scores.
 *
 *     "Hello wörld"  ->  ▁Hello▁wörld  ->  [▁Hello] [▁w] [ör] [ld]
 *
 * Every space becomes ▁ (U+2581) and every character a symbol; of all neighbours whose joined text is an
 * entry, the pair with the highest score is merged first. A symbol that is no entry at the end is written as
 * the byte tokens <0xNN>, or as the unknown token where the vocabulary has none.
 *
 * Where no entry has ▁ behind another character, no merge can cross from one word into the next, so words are
 * merged one at a time: the same result from a heap that stays in the cache.
 *
 * A literal ▁ in the text would come back as a space. It is written as its three bytes instead, so that
 * decoding gives exactly the text. Bytes that are not UTF-8 are symbols of their own. */
#include "base/checked.h"
#include "base/error.h"
#include "base/float.h"
#include "base/reader.h"
#include "text/merge.h"
#include "text/utf8.h"
#include "text/vocab.h"

enum { LOWER_BLOCK = 0x2581 };
#define LOWER_BLOCK_BYTES "\xE2\x96\x81"

/* Symbols and the normalised text: a space takes three bytes, and one more is put in front. */
uint64_t mote_text_spm_work(size_t n) {
    return ((uint64_t)n + 1) * (MOTE_TEXT_SYMBOL_BYTES + 3);
}

/* Floats in the order of their values, highest first. */
static uint32_t score_key(const struct mote_text_vocab *vocab, uint32_t id) {
    if (!vocab->scores) return 0;
    uint32_t bits = mote_base_u32(vocab->scores + 4 * (size_t)id);
    if (bits == 0x80000000u) bits = 0;
    return bits >> 31 ? bits : ~(bits | 0x80000000u);
}

static int pair(const struct mote_text_merger *m, struct mote_text_symbol *left,
                const struct mote_text_symbol *right) {
    mote_token id = mote_text_find(m->vocab, m->text + left->start, left->n + right->n);
    if (id == MOTE_TOKEN_NONE || !mote_text_is_plain(m->vocab, (uint32_t)id)) return 0;
    left->made = (uint32_t)id;
    left->key = score_key(m->vocab, (uint32_t)id);
    return 1;
}

/* Writes a symbol that is no entry. A space is the byte it was, not the three of ▁. */
static mote_status put_bytes(const struct mote_text_vocab *vocab, const char *text, uint32_t n,
                             struct mote_text_sink *sink, mote_error *error) {
    if (n == 3 && memcmp(text, LOWER_BLOCK_BYTES, 3) == 0) {
        text = " ";
        n = 1;
    }
    int all = 1;
    for (uint32_t i = 0; i < n; i++)
        all &= vocab->byte[(uint8_t)text[i]] != MOTE_TOKEN_NONE;
    if (!all && vocab->unk == MOTE_TOKEN_NONE)
        return mote_base_fail(error, MOTE_E_TOKEN, 0, "the vocabulary has no token for byte %u of the text",
                              (uint64_t)(uint8_t)text[0]);
    for (uint32_t i = 0; i < (all ? n : 1); i++)
        if (!mote_text_put(sink, all ? vocab->byte[(uint8_t)text[i]] : vocab->unk)) return MOTE_E_ROOM;
    return MOTE_OK;
}

static mote_status encode_symbols(struct mote_text_merger *m, uint32_t n_symbols, struct mote_text_sink *sink,
                                  mote_error *error) {
    if (n_symbols == 0) return MOTE_OK;
    mote_text_merge(m, n_symbols, pair);
    for (uint32_t i = 0; i != MOTE_TEXT_NOWHERE; i = m->symbols[i].next) {
        const struct mote_text_symbol *symbol = &m->symbols[i];
        const char *text = m->text + symbol->start;
        mote_token id = (mote_token)symbol->id;
        if (symbol->id == MOTE_TEXT_NOWHERE) {
            id = mote_text_find(m->vocab, text, symbol->n);
            if (id != MOTE_TOKEN_NONE && !mote_text_is_plain(m->vocab, (uint32_t)id)) id = MOTE_TOKEN_NONE;
        }
        if (id == MOTE_TOKEN_NONE) {
            mote_status status = put_bytes(m->vocab, text, symbol->n, sink, error);
            if (status) return status;
        } else if (!mote_text_put(sink, id)) {
            return MOTE_E_ROOM;
        }
    }
    return MOTE_OK;
}

mote_status mote_text_spm_encode(const struct mote_text_vocab *vocab, const char *text, size_t n, int space,
                                 void *work, struct mote_text_sink *sink, mote_error *error) {
    struct mote_text_symbol *symbols = work;
    uint32_t *heap = (uint32_t *)(symbols + n + 1);
    char *buffer = (char *)(heap + n + 1);
    struct mote_text_merger merger = {vocab, buffer, symbols, heap, 0};
    uint32_t n_symbols = 0, end = 0;
    int in_word = 0;
    for (size_t i = 0; i < n || space;) {
        uint32_t code = ' ';
        size_t length = 0;
        if (space)
            space = 0;
        else
            length = mote_text_utf8_decode(text + i, n - i, &code);
        if (code == ' ' && in_word && vocab->words_apart) {
            mote_status status = encode_symbols(&merger, n_symbols, sink, error);
            if (status) return status;
            n_symbols = end = 0;
        }
        in_word = code != ' ';
        size_t size = code == ' ' ? 3 : length; /* in the buffer */
        memcpy(buffer + end, code == ' ' ? LOWER_BLOCK_BYTES : text + i, size);
        uint32_t step = code == LOWER_BLOCK || code >= MOTE_TEXT_INVALID ? 1 : (uint32_t)size;
        for (uint32_t stop = end + (uint32_t)size; end < stop; end += step)
            symbols[n_symbols++] =
                (struct mote_text_symbol){.start = end, .n = step, .id = MOTE_TEXT_NOWHERE};
        i += length;
    }
    return encode_symbols(&merger, n_symbols, sink, error);
}
