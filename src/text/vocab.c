/* SPDX-License-Identifier: Apache-2.0
 *
 * vocab.c: opens a vocabulary. Checks every entry, then builds the hash table of strings and the table of
 * byte tokens; special.c and bpe.c add theirs.
 *
 * Refused: duplicate strings (which id would a text become?), BYTE entries that are not exactly <0xHH> or
 * name a byte twice, types and ids out of range, scores that are not numbers. Empty strings are allowed,
 * files pad with them, and match nothing. */
#include "base/error.h"
#include "base/reader.h"
#include "base/word.h"
#include "text/vocab.h"

#define LOWER_BLOCK "\xE2\x96\x81" /* ▁ */

static int same(mote_text a, const char *text, size_t n) {
    return a.n == n && memcmp(a.data, text, n) == 0;
}

/* The slot that has the text, or the empty one where it belongs; NULL if there is neither. */
static uint32_t *slot_of(const struct mote_text_vocab *vocab, const char *text, size_t n, uint64_t hash) {
    uint32_t ids = ((uint32_t)1 << vocab->slot_bits) - 1, tag = (uint32_t)(hash >> 32) & ~ids;
    uint32_t at = (uint32_t)hash & vocab->slot_mask;
    for (uint32_t probe = 1; probe <= MOTE_TEXT_PROBES; probe++) {
        uint32_t *slot = &vocab->slots[at];
        if (*slot == UINT32_MAX || ((*slot & ~ids) == tag && same(vocab->tokens[*slot & ids], text, n)))
            return slot;
        at = (at + probe) & vocab->slot_mask;
    }
    return NULL;
}

static mote_token id_in(const struct mote_text_vocab *vocab, const uint32_t *slot) {
    if (!slot || *slot == UINT32_MAX) return MOTE_TOKEN_NONE;
    return (mote_token)(*slot & (((uint32_t)1 << vocab->slot_bits) - 1));
}

mote_token mote_text_find(const struct mote_text_vocab *vocab, const char *text, size_t n) {
    return mote_text_find_hashed(vocab, text, n, mote_text_hash(text, n));
}

mote_token mote_text_find_hashed(const struct mote_text_vocab *vocab, const char *text, size_t n,
                                 uint64_t hash) {
    if (n == 0 || n > vocab->max_bytes) return MOTE_TOKEN_NONE;
    return id_in(vocab, slot_of(vocab, text, n, hash));
}

void mote_text_fetch(const struct mote_text_vocab *vocab, uint64_t hash, int step) {
    const uint32_t *slot = &vocab->slots[(uint32_t)hash & vocab->slot_mask];
    uint32_t id = *slot & (((uint32_t)1 << vocab->slot_bits) - 1);
    if (step == 0)
        mote_base_prefetch(slot);
    else if (*slot != UINT32_MAX)
        mote_base_prefetch(step == 1 ? (const void *)&vocab->tokens[id] : vocab->tokens[id].data);
}

mote_token mote_text_find_name(const struct mote_text_vocab *vocab, const char *name) {
    mote_text text = mote_base_word(name);
    return mote_text_find(vocab, name, text.n);
}

/* Puts id into the table under its string. */
static mote_status insert(struct mote_text_vocab *vocab, uint32_t id, mote_error *error) {
    mote_text text = vocab->tokens[id];
    uint64_t hash = mote_text_hash(text.data, text.n);
    uint32_t *slot = slot_of(vocab, text.data, text.n, hash);
    if (!slot)
        return mote_base_fail(error, MOTE_E_FORMAT, 0,
                              "token %u of the vocabulary: too many entries collide in the hash table",
                              (uint64_t)id);
    if (*slot != UINT32_MAX)
        return mote_base_fail(error, MOTE_E_FORMAT, 0, "tokens %u and %u of the vocabulary are both \"%t\"",
                              (uint64_t)id_in(vocab, slot), (uint64_t)id, text);
    *slot = ((uint32_t)(hash >> 32) & ~(((uint32_t)1 << vocab->slot_bits) - 1)) | id;
    return MOTE_OK;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

int mote_text_byte_value(mote_text text) {
    if (text.n != 6 || memcmp(text.data, "<0x", 3) != 0 || text.data[5] != '>') return -1;
    int high = hex_digit(text.data[3]), low = hex_digit(text.data[4]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static int has_block(mote_text text) {
    for (size_t i = 0; i + 3 <= text.n; i++)
        if (memcmp(text.data + i, LOWER_BLOCK, 3) == 0) return 1;
    return 0;
}

static mote_status set_type(const struct mote_text_source *source, struct mote_text_vocab *vocab, uint32_t id,
                            mote_error *error) {
    mote_text text = vocab->tokens[id];
    uint32_t type = source->types ? mote_base_u32(source->types + 4 * (size_t)id) : MOTE_TEXT_NORMAL;
    if (type == 0) type = MOTE_TEXT_NORMAL; /* "undefined" */
    if (type > MOTE_TEXT_BYTE)
        return mote_base_fail(error, MOTE_E_FORMAT, 0, "token_type %d of token %u is none of 1 to 6",
                              (int64_t)(int32_t)type, (uint64_t)id);
    int byte = mote_text_byte_value(text);
    if (!source->types && mote_text_is_spaced(vocab->kind) && byte >= 0) type = MOTE_TEXT_BYTE;
    /* written for a text that already has ▁ for its spaces, so merges have to find it */
    if (type == MOTE_TEXT_USER_DEFINED && mote_text_is_spaced(vocab->kind) && has_block(text))
        type = MOTE_TEXT_NORMAL;
    if (type == MOTE_TEXT_BYTE) {
        if (byte < 0)
            return mote_base_fail(error, MOTE_E_FORMAT, 0, "byte token %u is \"%t\", not <0x00> to <0xFF>",
                                  (uint64_t)id, text);
        if (vocab->byte[byte] != MOTE_TOKEN_NONE)
            return mote_base_fail(error, MOTE_E_FORMAT, 0, "tokens %d and %u both stand for byte %u",
                                  (int64_t)vocab->byte[byte], (uint64_t)id, (uint64_t)byte);
        vocab->byte[byte] = (mote_token)id;
    }
    vocab->flags[id] = (uint8_t)type;
    if (source->scores) {
        uint32_t bits = mote_base_u32(source->scores + 4 * (size_t)id);
        if ((bits & 0x7FFFFFFF) > 0x7F800000)
            return mote_base_fail(error, MOTE_E_FORMAT, 0, "score of token %u is not a number", (uint64_t)id);
    }
    return MOTE_OK;
}

/* Whether ▁ stands behind another character. */
static int crosses_words(mote_text text) {
    int in_word = 0;
    for (size_t i = 0; i < text.n;) {
        int space = text.n - i >= 3 && memcmp(text.data + i, LOWER_BLOCK, 3) == 0;
        if (space && in_word) return 1;
        in_word |= !space;
        i += space ? 3 : 1;
    }
    return 0;
}

static mote_status open_entries(const struct mote_text_source *source, struct mote_text_vocab *vocab,
                                mote_error *error) {
    for (uint32_t i = 0; i < 256; i++)
        vocab->byte[i] = MOTE_TOKEN_NONE;
    vocab->words_apart = 1;
    for (uint32_t id = 0; id < vocab->n_tokens; id++) {
        mote_text text = vocab->tokens[id];
        if (text.n > MOTE_TEXT_LENGTH_MAX)
            return mote_base_fail(error, MOTE_E_FORMAT, 0, "token %u has %u bytes", (uint64_t)id,
                                  (uint64_t)text.n);
        mote_status status = set_type(source, vocab, id, error);
        if (!status && text.n) status = insert(vocab, id, error);
        if (status) return status;
        if (text.n > vocab->max_bytes) vocab->max_bytes = (uint32_t)text.n;
        if (mote_text_is_spaced(vocab->kind) && vocab->words_apart && mote_text_is_plain(vocab, id))
            vocab->words_apart = !crosses_words(text);
    }
    return MOTE_OK;
}

/* An id given by the file, checked; where it gives none, the token of that name, if there is one. */
static mote_status named_id(const struct mote_text_vocab *vocab, const char *key, mote_token given,
                            const char *name, mote_token *id, mote_error *error) {
    if (given != MOTE_TOKEN_NONE && (given < 0 || (uint32_t)given >= vocab->n_tokens))
        return mote_base_fail(error, MOTE_E_FORMAT, 0, "%s_token_id is %d, but the vocabulary has %u tokens",
                              key, (int64_t)given, (uint64_t)vocab->n_tokens);
    *id = given;
    if (given == MOTE_TOKEN_NONE && name) *id = mote_text_find_name(vocab, name);
    return MOTE_OK;
}

static mote_status open_ids(const struct mote_text_source *source, struct mote_text_vocab *vocab,
                            mote_error *error) {
    static const struct {
        const char *key, *spm, *wpm; /* what it is called where the file does not say */
        size_t given;
    } ids[] = {
        {"bos", "<s>", NULL, offsetof(struct mote_text_source, bos)},
        {"eos", "</s>", NULL, offsetof(struct mote_text_source, eos)},
        {"unknown", "<unk>", "[UNK]", offsetof(struct mote_text_source, unk)},
        {"seperator", NULL, "[SEP]", offsetof(struct mote_text_source, sep)}, /* spelt so in the format */
        {"cls", NULL, "[CLS]", offsetof(struct mote_text_source, cls)},
        {"eot", NULL, NULL, offsetof(struct mote_text_source, eot)},
        {"eom", NULL, NULL, offsetof(struct mote_text_source, eom)},
        {"padding", NULL, NULL, offsetof(struct mote_text_source, pad)},
        {"mask", NULL, NULL, offsetof(struct mote_text_source, mask)},
    };
    enum { BOS, EOS, UNK, SEP, CLS, N_IDS = sizeof ids / sizeof *ids };
    int wpm = vocab->kind == MOTE_TEXT_WPM;
    mote_token found[N_IDS];
    for (int i = 0; i < N_IDS; i++) {
        mote_token given = *(const mote_token *)(const void *)((const char *)source + ids[i].given);
        const char *name = mote_text_is_spaced(vocab->kind) ? ids[i].spm : wpm ? ids[i].wpm : NULL;
        mote_status status = named_id(vocab, ids[i].key, given, name, &found[i], error);
        if (status) return status;
    }
    vocab->bos = wpm && found[CLS] != MOTE_TOKEN_NONE ? found[CLS] : found[BOS];
    vocab->eos = wpm && found[SEP] != MOTE_TOKEN_NONE ? found[SEP] : found[EOS];
    vocab->unk = found[UNK];
    mote_token space = mote_text_find(vocab, LOWER_BLOCK, 3);
    vocab->has_space = space != MOTE_TOKEN_NONE && mote_text_is_plain(vocab, (uint32_t)space);
    return MOTE_OK;
}

static mote_status open_options(const struct mote_text_source *source, struct mote_text_vocab *vocab,
                                mote_error *error) {
    int spm = vocab->kind == MOTE_TEXT_SPM, wpm = vocab->kind == MOTE_TEXT_WPM;
    if (source->add_bos == 1 && vocab->bos == MOTE_TOKEN_NONE)
        return mote_base_fail(error, MOTE_E_FORMAT, 0, "add_bos_token is set, but there is no bos_token_id");
    if (source->add_eos == 1 && vocab->eos == MOTE_TOKEN_NONE)
        return mote_base_fail(error, MOTE_E_FORMAT, 0, "add_eos_token is set, but there is no eos_token_id");
    /* add_bos and add_eos hold the kind's default from here on; merges may have set add_bos for its `pre` */
    vocab->add_bos = source->add_bos >= 0 ? (uint8_t)source->add_bos : (spm || wpm || vocab->add_bos);
    vocab->add_eos = source->add_eos >= 0 ? (uint8_t)source->add_eos : (wpm || vocab->kind == MOTE_TEXT_UNI);
    vocab->add_bos &= vocab->bos != MOTE_TOKEN_NONE;
    vocab->add_eos &= vocab->eos != MOTE_TOKEN_NONE;
    vocab->space_prefix = mote_text_is_spaced(vocab->kind) && source->add_space_prefix != 0;
#ifndef MOTE_NO_ENCODERS
    vocab->squeeze = source->remove_extra_whitespaces != 0;
    vocab->keeps_case = source->keeps_case;
#endif
    return MOTE_OK;
}

/* A power of two with room for twice n entries, so that the table is at most half full. */
static uint64_t table_size(uint64_t n) {
    uint64_t size = 64;
    while (size < 2 * n)
        size *= 2;
    return size;
}

static uint32_t bit_length(uint32_t n) {
    uint32_t bits = 0;
    for (; n; n >>= 1)
        bits++;
    return bits;
}

uint32_t *mote_text_take_table(struct mote_base_arena *arena, uint32_t n, uint32_t *mask, uint32_t *bits) {
    uint64_t size = table_size(n);
    uint32_t *slots = mote_base_arena_take(arena, size, sizeof *slots);
    if (slots) memset(slots, 0xFF, size * sizeof *slots);
    *mask = (uint32_t)(size - 1);
    *bits = bit_length(n);
    return slots;
}

mote_status mote_text_vocab_open(const struct mote_text_source *source, struct mote_base_arena *arena,
                                 const struct mote_text_vocab **out, mote_error *error) {
    if (source->n_tokens == 0 || source->n_tokens > MOTE_TEXT_TOKENS_MAX)
        return mote_base_fail(error, MOTE_E_FORMAT, 0, "a vocabulary of %u tokens",
                              (uint64_t)source->n_tokens);
    struct mote_text_vocab *vocab = mote_base_arena_take(arena, 1, sizeof *vocab), counted;
    if (!vocab) vocab = &counted;
    memset(vocab, 0, sizeof *vocab);
    vocab->kind = source->kind;
    vocab->n_tokens = source->n_tokens;
    vocab->tokens = source->tokens;
    vocab->scores = source->scores;
    vocab->flags = mote_base_arena_take(arena, source->n_tokens, 1);
    vocab->slots = mote_text_take_table(arena, source->n_tokens, &vocab->slot_mask, &vocab->slot_bits);
    int build = arena->block != NULL && !arena->failed;
    mote_status status = MOTE_OK;
    if (build) status = open_entries(source, vocab, error);
    if (build && !status) status = open_ids(source, vocab, error);
    if (!status) status = mote_text_open_special(source, arena, vocab, error);
    if (!status && source->kind == MOTE_TEXT_BPE) status = mote_text_open_merges(source, arena, vocab, error);
#ifndef MOTE_NO_ENCODERS
    if (!status && source->kind == MOTE_TEXT_UNI)
        status = mote_text_open_unigram(source, arena, vocab, error);
#endif
    if (build && !status) status = open_options(source, vocab, error);
    if (status) return status;
    if (arena->failed) return mote_base_fail(error, MOTE_E_MEMORY, 0, "no room for the vocabulary's tables");
    if (build) *out = vocab;
    return MOTE_OK;
}

int mote_text_is_end(const struct mote_text_vocab *vocab, mote_token token) {
    return token >= 0 && (uint32_t)token < vocab->n_tokens && (vocab->flags[token] & MOTE_TEXT_END) != 0;
}

int mote_text_adds_bos(const struct mote_text_vocab *vocab) {
    return vocab->add_bos;
}

int mote_text_adds_eos(const struct mote_text_vocab *vocab) {
    return vocab->add_eos;
}

mote_text mote_text_token(const struct mote_text_vocab *vocab, mote_token token) {
    if (token < 0 || (uint32_t)token >= vocab->n_tokens) return (mote_text){NULL, 0};
    return vocab->tokens[token];
}
