/* SPDX-License-Identifier: Apache-2.0
 *
 * special.c: control and user-defined entries: which they are, finding them in a text, which of them end an
 * answer.
 *
 * Their ids are sorted by the bytes of their texts. Reading a text from some position, the entries that agree
 * with it so far are always a range of that order; each byte narrows the range by two binary searches, and
 * the last entry that ended inside it is the longest match. A table of first bytes passes over most
 * positions.
 *
 * Files of language models often give the wrong type, or no type, to tokens that end an answer; those are known by
 * name here. */
#include "base/error.h"
#include "base/reader.h"
#include "base/sort.h"
#include "base/word.h"
#include "text/vocab.h"

#if !defined(MOTE_NO_DECODERS)

/* What ends an answer in one model family or another, each at the start of an entry's whole text. */
static const char *const end_names[] = {
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|calls|>",
    "<|flush|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<end_of_turn>",
    "<end_of_utterance>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<eos>",
    "<turn|>",
    ("<\xEF\xBD\x9C"
     "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"),
    "</s>",
    "[e~[",
    "<|fim_pad|>",
    "<fim-pad>",
    "<fim_pad>",
    "<|fim_repo|>",
    "<|repo_name|>",
    "<fim-repo>",
    "<reponame>",
    "<|file_sep|>",
};

enum { N_END_NAMES = sizeof end_names / sizeof *end_names };

static void mark_names(struct mote_text_vocab *vocab) {
    for (int i = 0; i < N_END_NAMES; i++) {
        mote_token id = mote_text_find_name(vocab, end_names[i]);
        if (id != MOTE_TOKEN_NONE) vocab->flags[id] = MOTE_TEXT_CONTROL | MOTE_TEXT_END;
    }
    /* Where a turn ends with <|return|> or <|flush|>, <|end|> only closes a part of it. */
    mote_token end = mote_text_find_name(vocab, "<|end|>");
    int calls = mote_text_find_name(vocab, "<|call|>") != MOTE_TOKEN_NONE;
    int parts = (mote_text_find_name(vocab, "<|return|>") != MOTE_TOKEN_NONE && calls) ||
                (mote_text_find_name(vocab, "<|flush|>") != MOTE_TOKEN_NONE &&
                 mote_text_find_name(vocab, "<|calls|>") != MOTE_TOKEN_NONE);
    if (end != MOTE_TOKEN_NONE && parts) vocab->flags[end] = MOTE_TEXT_USER_DEFINED;
}

#else
enum { N_END_NAMES = 0 };
#endif

/* Of a byte: what kinds of special entries begin with it. */
enum { STARTS_ANY = 1, STARTS_USER_DEFINED = 2 };

static void mark_ends(const struct mote_text_source *source, struct mote_text_vocab *vocab) {
#if !defined(MOTE_NO_DECODERS)
    if (!source->of_encoder) mark_names(vocab);
#endif
    const mote_token given[] = {source->eos, source->eot, source->eom};
    for (int i = 0; i < 3; i++)
        if (given[i] != MOTE_TOKEN_NONE) vocab->flags[given[i]] |= MOTE_TEXT_END;
}

/* White space around special tokens, which files do not tell: phi-3 swallows it after most of them, the
 * masked-language vocabularies before their mask. */
static void mark_strips(const struct mote_text_source *source, struct mote_text_vocab *vocab) {
    int modern = mote_base_is(source->pre, "modern-bert"), angled = 0;
#if !defined(MOTE_NO_DECODERS)
    angled = source->pre.n >= 8 && memcmp(source->pre.data, "jina-v2-", 8) == 0;
    if (mote_text_find_name(vocab, "<|assistant|>") != MOTE_TOKEN_NONE && vocab->kind == MOTE_TEXT_SPM &&
        mote_text_find_name(vocab, "<|placeholder1|>") != MOTE_TOKEN_NONE) {
        for (uint32_t i = 0; i < vocab->n_special; i++)
            vocab->flags[vocab->special[i]] |= MOTE_TEXT_RSTRIP;
        static const char *const kept[] = {"<unk>", "<s>", "<|endoftext|>"};
        for (int i = 0; i < 3; i++) {
            mote_token id = mote_text_find_name(vocab, kept[i]);
            if (id != MOTE_TOKEN_NONE) vocab->flags[id] &= (uint8_t)~MOTE_TEXT_RSTRIP;
        }
    }
#endif
#ifndef MOTE_NO_ENCODERS
    angled |= vocab->kind == MOTE_TEXT_UNI || mote_base_is(source->pre, "roberta-bpe");
#endif
    mote_token mask = angled   ? mote_text_find_name(vocab, "<mask>")
                      : modern ? mote_text_find_name(vocab, "[MASK]")
                               : MOTE_TOKEN_NONE;
    if (mask != MOTE_TOKEN_NONE) vocab->flags[mask] |= MOTE_TEXT_LSTRIP;
}

static int is_special(unsigned type) {
    return type == MOTE_TEXT_CONTROL || type == MOTE_TEXT_USER_DEFINED || type == MOTE_TEXT_UNKNOWN;
}

static int is_less(const void *tokens, uint32_t a, uint32_t b) {
    mote_text x = ((const mote_text *)tokens)[a], y = ((const mote_text *)tokens)[b];
    int order = memcmp(x.data, y.data, x.n < y.n ? x.n : y.n);
    return order < 0 || (order == 0 && x.n < y.n);
}

mote_status mote_text_open_special(const struct mote_text_source *source, struct mote_base_arena *arena,
                                   struct mote_text_vocab *vocab, mote_error *error) {
    uint64_t most = N_END_NAMES;
    for (uint32_t id = 0; source->types && id < source->n_tokens; id++)
        most += is_special(mote_base_u32(source->types + 4 * (size_t)id));
    vocab->special = mote_base_arena_take(arena, most, sizeof *vocab->special);
    if (!vocab->special) return MOTE_OK;
    mark_ends(source, vocab);
    for (uint32_t id = 0; id < vocab->n_tokens; id++) {
        mote_text text = vocab->tokens[id];
        if (!is_special(mote_text_type(vocab, id)) || text.n == 0) continue;
        if (text.n > MOTE_TEXT_SPECIAL_MAX)
            return mote_base_fail(error, MOTE_E_FORMAT, 0, "control token %u has %u bytes", (uint64_t)id,
                                  (uint64_t)text.n);
        vocab->special[vocab->n_special++] = id;
        vocab->first[(uint8_t)text.data[0]] |= mote_text_type(vocab, id) == MOTE_TEXT_USER_DEFINED
                                                   ? STARTS_USER_DEFINED | STARTS_ANY
                                                   : STARTS_ANY;
    }
    mote_base_sort(vocab->special, vocab->n_special, is_less, vocab->tokens);
    mark_strips(source, vocab);
    return MOTE_OK;
}

/* The first place in special[low, high) whose byte at `depth` is at least `byte`; entries that end there come
 * before all. */
static uint32_t lower_bound(const struct mote_text_vocab *vocab, uint32_t low, uint32_t high, size_t depth,
                            unsigned byte) {
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        mote_text text = vocab->tokens[vocab->special[middle]];
        if (text.n <= depth || (uint8_t)text.data[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

mote_token mote_text_find_special(const struct mote_text_vocab *vocab, const char *text, size_t n, int all,
                                  size_t *length) {
    mote_token found = MOTE_TOKEN_NONE;
    if (!(vocab->first[(uint8_t)text[0]] & (all ? STARTS_ANY : STARTS_USER_DEFINED))) return found;
    uint32_t low = 0, high = vocab->n_special;
    for (size_t depth = 0; depth < n; depth++) {
        unsigned byte = (uint8_t)text[depth];
        low = lower_bound(vocab, low, high, depth, byte);
        high = lower_bound(vocab, low, high, depth, byte + 1);
        if (low == high) break;
        uint32_t id = vocab->special[low];
        if (vocab->tokens[id].n == depth + 1 &&
            (all || mote_text_type(vocab, id) == MOTE_TEXT_USER_DEFINED)) {
            found = (mote_token)id;
            *length = depth + 1;
        }
    }
    return found;
}
