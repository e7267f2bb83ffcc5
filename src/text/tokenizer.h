/* SPDX-License-Identifier: Apache-2.0
 *
 * tokenizer.h: UTF-8 text ↔ token ids, for the four kinds of vocabulary that GGUF files carry:
 *
 *     SPM   "llama"  SentencePiece-style: ▁ for space, merges by score, byte fallback <0xNN>
 *     BPE   "gpt2"   byte-level: a pre-tokenizer's split, then merges by rank over bytes written as letters
 *     WPM   "bert"   WordPiece: normalised words, longest match first, "##"-less GGUF form with ▁ word starts
 *     UNI   "t5"     Unigram: text normalised by the file's own table, then the segmentation of the best score
 *
 * MOTE_NO_ENCODERS leaves WPM and UNI out of a build, MOTE_NO_DECODERS SPM and all splits but the one that encoders have:
 * such files are then refused as of an unknown kind.
 *
 * The vocabulary is built once from views (model/ collects them from the file) into an arena; encoding needs
 * working memory from the caller and allocates nothing. */
#ifndef MOTE_TEXT_TOKENIZER_H
#define MOTE_TEXT_TOKENIZER_H

#include "base/arena.h"
#include "mote/mote.h"

enum mote_text_kind { MOTE_TEXT_SPM = 1, MOTE_TEXT_BPE, MOTE_TEXT_WPM, MOTE_TEXT_UNI };

/* Token types of GGUF's tokenizer.ggml.token_type. */
enum mote_text_token_type {
    MOTE_TEXT_NORMAL = 1,
    MOTE_TEXT_UNKNOWN = 2,
    MOTE_TEXT_CONTROL = 3,
    MOTE_TEXT_USER_DEFINED = 4,
    MOTE_TEXT_UNUSED = 5,
    MOTE_TEXT_BYTE = 6,
};

/* What a vocabulary is made from. All pointers are views that outlive the vocabulary. Nothing in it is
 * trusted. */
struct mote_text_source {
    enum mote_text_kind kind;
    mote_text pre; /* tokenizer.ggml.pre: "llama-bpe", "gpt-2", "qwen2", …; empty: default of the kind */
    uint32_t n_tokens;       /* V */
    const mote_text *tokens; /* [V] */
    const uint8_t *scores;   /* [V] little-endian f32, unaligned, or NULL */
    const uint8_t *types;    /* [V] little-endian i32, unaligned, or NULL */
    uint32_t n_merges;
    const mote_text *merges; /* [n_merges] "left right" */
    /* ids, MOTE_TOKEN_NONE where absent; each is checked to be below V */
    mote_token bos, eos, eot, eom, unk, sep, pad, cls, mask;
    int8_t add_bos, add_eos, add_space_prefix,
        remove_extra_whitespaces; /* 0, 1, or -1: not said, default of kind and pre */
    uint8_t keeps_case;           /* WPM: letters keep their case and their accents */
    uint8_t of_encoder;           /* which gives no answer: no name of a token says that it ends one */
    const uint8_t *charsmap;      /* [n_charsmap] UNI: SentencePiece's precompiled_charsmap, or NULL */
    uint64_t n_charsmap;
};

struct mote_text_vocab; /* opaque, lives in the arena */

/* Builds a vocabulary. With a counting arena, only counts, from kind, n_tokens, types and n_merges
 * (vocab may then be NULL). Errors: FORMAT for what is wrong in the source (duplicate or malformed entries
 * that would change a result, ids out of range, merges that name no token), UNSUPPORTED for an unknown
 * pre-tokenizer. */
MOTE_MUST_USE mote_status mote_text_vocab_open(const struct mote_text_source *source,
                                               struct mote_base_arena *arena,
                                               const struct mote_text_vocab **vocab, mote_error *error);

/* As mote_tokenize and mote_tokenize_plan of mote.h. */
void mote_text_encode_plan(const struct mote_text_vocab *vocab, size_t n_text, uint64_t *work_bytes,
                           size_t *max_tokens);
MOTE_MUST_USE mote_status mote_text_encode(const struct mote_text_vocab *vocab, mote_text text,
                                           unsigned flags, void *work, uint64_t work_bytes,
                                           mote_token *tokens, size_t max_tokens, size_t *n_tokens,
                                           mote_error *error);

/* As mote_detokenize … of mote.h. */
MOTE_MUST_USE mote_status mote_text_decode(const struct mote_text_vocab *vocab, mote_detokenizer *state,
                                           mote_token token, char *out, size_t max_out, size_t *n_out);
MOTE_MUST_USE mote_status mote_text_decode_end(mote_detokenizer *state, int raw, char *out, size_t max_out,
                                               size_t *n_out);
size_t mote_text_decode_max(const struct mote_text_vocab *vocab);

/* 1 if token ends an answer: eos, eot, eom, and control tokens known by their text (<|im_end|>, <|eot_id|>,
 * <end_of_turn>, <|end|>, …). */
int mote_text_is_end(const struct mote_text_vocab *vocab, mote_token token);

/* What the defaults of kind and pre came to. */
int mote_text_adds_bos(const struct mote_text_vocab *vocab);
int mote_text_adds_eos(const struct mote_text_vocab *vocab);

/* The entry's own text as the file has it; empty if there is no such token. */
mote_text mote_text_token(const struct mote_text_vocab *vocab, mote_token token);

#endif
