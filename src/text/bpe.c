/* SPDX-License-Identifier: Apache-2.0
 *
 * bpe.c: byte-level BPE by merges.
 *
 *     "Hello wörld"  ->  Hello| wörld  ->  [H e l l o] [Ġ w Ã ¶ r l d]  ->  [Hello] [Ġw Ã¶ r ld]
 *
 * The text is cut into words; each byte of a word is a symbol, and of all neighbours that the file's list of
 * merges names, the pair that stands first there is merged first. As symbols are bytes, any bytes at all can
 * be encoded and come back as they were.
 *
 * Merges are resolved to ids when the vocabulary is opened: a pair costs one look into a table of integers.
 */
#include "base/error.h"
#include "text/letters.h"
#include "text/merge.h"
#include "text/split.h"
#include "text/utf8.h"
#include "text/vocab.h"

enum {
    MERGE_MAX = 1024,    /* bytes of what a merge makes */
    MERGES_AT_ONCE = 16, /* found at once when the vocabulary is opened */
};

static uint64_t pair_hash(uint32_t left, uint32_t right) {
    uint64_t hash = ((uint64_t)left << 32 | right) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
    hash *= 0xD6E8FEB86659FD93u;
    return hash ^ hash >> 32;
}

/* The slot that has the pair, or the empty one where it belongs; NULL if there is neither. */
static uint32_t *slot_of(const struct mote_text_vocab *vocab, uint32_t left, uint32_t right, uint64_t hash) {
    uint32_t ranks = ((uint32_t)1 << vocab->merge_bits) - 1, tag = (uint32_t)(hash >> 32) & ~ranks;
    uint32_t at = (uint32_t)hash & vocab->merge_mask;
    for (uint32_t probe = 1; probe <= MOTE_TEXT_PROBES; probe++) {
        uint32_t *slot = &vocab->merge_slots[at];
        if (*slot == UINT32_MAX) return slot;
        const struct mote_text_merge *merge = &vocab->merges[*slot & ranks];
        if ((*slot & ~ranks) == tag && merge->left == left && merge->right == right) return slot;
        at = (at + probe) & vocab->merge_mask;
    }
    return NULL;
}

uint32_t mote_text_find_merge(const struct mote_text_vocab *vocab, uint32_t left, uint32_t right) {
    const uint32_t *slot = slot_of(vocab, left, right, pair_hash(left, right));
    if (!slot || *slot == UINT32_MAX) return UINT32_MAX;
    return *slot & (((uint32_t)1 << vocab->merge_bits) - 1);
}

/* Puts a merge into the table; the first of two for the same pair stays. 0 if there is no room. */
static int insert(struct mote_text_vocab *vocab, uint32_t rank) {
    const struct mote_text_merge *merge = &vocab->merges[rank];
    uint64_t hash = pair_hash(merge->left, merge->right);
    uint32_t *slot = slot_of(vocab, merge->left, merge->right, hash);
    if (slot && *slot == UINT32_MAX)
        *slot = ((uint32_t)(hash >> 32) & ~(((uint32_t)1 << vocab->merge_bits) - 1)) | rank;
    return slot != NULL;
}

/* A merge on its way to ids: its left part, its right part and what it makes, one behind the other. */
struct pending {
    char bytes[MERGE_MAX];
    size_t n_left, n;
    uint64_t left, right, made; /* hashes */
};

static mote_status parse(mote_text text, uint32_t rank, struct pending *merge, mote_error *error) {
    size_t space = 1;
    while (space < text.n && text.data[space] != ' ')
        space++;
    if (space + 1 >= text.n || text.n > MERGE_MAX) {
        mote_base_fail(error, MOTE_E_FORMAT, 0, "merge %u, \"%t\", is not two tokens and a space between",
                       (uint64_t)rank, text);
        return MOTE_E_FORMAT;
    }
    merge->n_left = space;
    merge->n = text.n - 1;
    memcpy(merge->bytes, text.data, space);
    memcpy(merge->bytes + space, text.data + space + 1, merge->n - space);
    merge->left = mote_text_hash(merge->bytes, space);
    merge->right = mote_text_hash(merge->bytes + space, merge->n - space);
    merge->made = mote_text_hash(merge->bytes, merge->n);
    return MOTE_OK;
}

static void fetch(const struct mote_text_vocab *vocab, const struct pending *merge, int step) {
    mote_text_fetch(vocab, merge->left, step);
    mote_text_fetch(vocab, merge->right, step);
    mote_text_fetch(vocab, merge->made, step);
}

static mote_status resolve(struct mote_text_vocab *vocab, const struct pending *merge, uint32_t rank,
                           mote_error *error) {
    const char *bytes = merge->bytes;
    size_t n = merge->n, n_left = merge->n_left;
    mote_token left = mote_text_find_hashed(vocab, bytes, n_left, merge->left);
    mote_token right = mote_text_find_hashed(vocab, bytes + n_left, n - n_left, merge->right);
    mote_token made = mote_text_find_hashed(vocab, bytes, n, merge->made);
    if (left == MOTE_TOKEN_NONE || right == MOTE_TOKEN_NONE || made == MOTE_TOKEN_NONE)
        return mote_base_fail(error, MOTE_E_FORMAT, 0,
                              "merge %u, which makes \"%t\": %s is no token of the vocabulary",
                              (uint64_t)rank, ((mote_text){bytes, n}),
                              left == MOTE_TOKEN_NONE    ? "its first part"
                              : right == MOTE_TOKEN_NONE ? "its second part"
                                                         : "that");
    vocab->merges[rank] = (struct mote_text_merge){(uint32_t)left, (uint32_t)right, (uint32_t)made};
    mote_base_prefetch(
        &vocab->merge_slots[(uint32_t)pair_hash((uint32_t)left, (uint32_t)right) & vocab->merge_mask]);
    return MOTE_OK;
}

/* Reads the merges some at a time, so that their looks into the vocabulary overlap. */
static mote_status resolve_all(const struct mote_text_source *source, struct mote_text_vocab *vocab,
                               mote_error *error) {
    struct pending pending[MERGES_AT_ONCE];
    for (uint32_t rank = 0; rank < source->n_merges;) {
        uint32_t n = source->n_merges - rank;
        if (n > MERGES_AT_ONCE) n = MERGES_AT_ONCE;
        for (uint32_t i = 0; i < n; i++) {
            mote_status status = parse(source->merges[rank + i], rank + i, &pending[i], error);
            if (status) return status;
            fetch(vocab, &pending[i], 0);
        }
        for (int step = 1; step <= 2; step++)
            for (uint32_t i = 0; i < n; i++)
                fetch(vocab, &pending[i], step);
        for (uint32_t i = 0; i < n; i++) {
            mote_status status = resolve(vocab, &pending[i], rank + i, error);
            if (status) return status;
        }
        for (uint32_t stop = rank + n; rank < stop; rank++)
            if (!insert(vocab, rank))
                return mote_base_fail(error, MOTE_E_FORMAT, 0,
                                      "merge %u: too many merges collide in the hash table", (uint64_t)rank);
    }
    return MOTE_OK;
}

mote_status mote_text_open_merges(const struct mote_text_source *source, struct mote_base_arena *arena,
                                  struct mote_text_vocab *vocab, mote_error *error) {
    vocab->split = mote_text_split_find(source->pre);
    if (!vocab->split)
        return mote_base_fail(error, MOTE_E_UNSUPPORTED, 0, "the pre-tokenizer \"%t\" is not known",
                              source->pre);
    if (source->n_merges > MOTE_TEXT_TOKENS_MAX)
        return mote_base_fail(error, MOTE_E_FORMAT, 0, "%u merges", (uint64_t)source->n_merges);
    vocab->add_bos = vocab->split->add_bos;
    vocab->n_merges = source->n_merges;
    vocab->merges = mote_base_arena_take(arena, source->n_merges, sizeof *vocab->merges);
    vocab->merge_slots =
        mote_text_take_table(arena, source->n_merges, &vocab->merge_mask, &vocab->merge_bits);
    if (!vocab->merge_slots) return MOTE_OK;
    mote_status status = resolve_all(source, vocab, error);
    if (status) return status;
    for (uint32_t byte = 0; byte < 256; byte++) {
        char letter[4];
        size_t n = mote_text_utf8_encode(mote_text_letter_of_byte((uint8_t)byte), letter);
        mote_token id = mote_text_find(vocab, letter, n);
        if (id != MOTE_TOKEN_NONE) vocab->byte[byte] = id;
    }
    return MOTE_OK;
}

uint64_t mote_text_bpe_work(size_t n) {
    return (uint64_t)n * MOTE_TEXT_SYMBOL_BYTES;
}

static int pair(const struct mote_text_merger *m, struct mote_text_symbol *left,
                const struct mote_text_symbol *right) {
    if (left->id == MOTE_TEXT_NOWHERE || right->id == MOTE_TEXT_NOWHERE) return 0;
    uint32_t rank = mote_text_find_merge(m->vocab, left->id, right->id);
    if (rank == UINT32_MAX) return 0;
    left->key = rank;
    left->made = m->vocab->merges[rank].made;
    return 1;
}

/* The id of a whole word that is an entry, in vocabularies whose merges do not always lead there. */
static mote_token find_word(const struct mote_text_vocab *vocab, mote_text word, char *letters) {
    if (!vocab->split->ignore_merges || word.n > vocab->max_bytes) return MOTE_TOKEN_NONE;
    size_t n = 0;
    for (size_t i = 0; i < word.n; i++)
        n += mote_text_utf8_encode(mote_text_letter_of_byte((uint8_t)word.data[i]), letters + n);
    mote_token id = mote_text_find(vocab, letters, n);
    return id != MOTE_TOKEN_NONE && mote_text_is_plain(vocab, (uint32_t)id) ? id : MOTE_TOKEN_NONE;
}

static mote_status put_byte(const struct mote_text_vocab *vocab, uint8_t byte, struct mote_text_sink *sink,
                            mote_error *error) {
    mote_token id = vocab->byte[byte] == MOTE_TOKEN_NONE ? vocab->unk : vocab->byte[byte];
    if (id == MOTE_TOKEN_NONE)
        return mote_base_fail(error, MOTE_E_TOKEN, 0, "the vocabulary has no token for byte %u of the text",
                              (uint64_t)byte);
    return mote_text_put(sink, id) ? MOTE_OK : MOTE_E_ROOM;
}

static mote_status encode_word(struct mote_text_merger *m, mote_text word, struct mote_text_sink *sink,
                               mote_error *error) {
    /* the letters, two bytes at most for a byte, are done with before there are symbols */
    mote_token whole = find_word(m->vocab, word, (char *)m->symbols);
    if (whole != MOTE_TOKEN_NONE) return mote_text_put(sink, whole) ? MOTE_OK : MOTE_E_ROOM;
    for (size_t i = 0; i < word.n; i++) {
        m->symbols[i].n = 1;
        m->symbols[i].start = (uint32_t)i;
        m->symbols[i].id = (uint32_t)m->vocab->byte[(uint8_t)word.data[i]];
    }
    mote_text_merge(m, (uint32_t)word.n, pair);
    for (uint32_t i = 0; i != MOTE_TEXT_NOWHERE; i = m->symbols[i].next) {
        const struct mote_text_symbol *symbol = &m->symbols[i];
        mote_status status = MOTE_OK;
        if (symbol->n > 1 && mote_text_is_plain(m->vocab, symbol->id))
            status = mote_text_put(sink, (mote_token)symbol->id) ? MOTE_OK : MOTE_E_ROOM;
        else /* one byte, or merged to a control token, which text cannot become */
            for (uint32_t k = 0; k < symbol->n && !status; k++)
                status = put_byte(m->vocab, (uint8_t)word.data[symbol->start + k], sink, error);
        if (status) return status;
    }
    return MOTE_OK;
}

mote_status mote_text_bpe_encode(const struct mote_text_vocab *vocab, const char *text, size_t n, void *work,
                                 struct mote_text_sink *sink, mote_error *error) {
    struct mote_text_symbol *symbols = work;
    struct mote_text_merger merger = {vocab, text, symbols, (uint32_t *)(symbols + n), 0};
    struct mote_text_splitter splitter;
    mote_text_split_open(&splitter, vocab->split, text, n);
    for (mote_text word; mote_text_split_next(&splitter, &word);) {
        mote_status status = encode_word(&merger, word, sink, error);
        if (status) return status;
    }
    return MOTE_OK;
}
