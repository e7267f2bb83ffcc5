/* SPDX-License-Identifier: Apache-2.0
 *
 * vocab.h: the inside of a vocabulary, shared by the files of this room.
 *
 * Strings and scores stay where the source has them. What is built beside them is small:
 *
 *     flags   [V]         a byte each: the type, and what encoding and decoding ask about a token
 *     slots   [2V … 4V]   a hash table, string -> id: each u32 holds an id in its low `slot_bits` bits and
 * the top bits of the string's hash above them, so that a miss seldom reads the string special [n] ids of
 * control and user-defined entries in the order of their bytes, which turns "the longest entry that starts
 * here" into a narrowing range merges, merge_slots BPE: pairs of ids in order of rank, and a hash table of
 * the same kind over them
 *
 * The tables are probed at most MOTE_TEXT_PROBES times, so a file made of colliding strings is refused
 * instead of filling them in quadratic time. */
#ifndef MOTE_TEXT_VOCAB_H
#define MOTE_TEXT_VOCAB_H

#include "base/memory.h"
#include "text/tokenizer.h"

enum {
    MOTE_TEXT_PROBES = 64, /* triangular probing of a half-empty table: chance 2^-64 for honest strings */
    MOTE_TEXT_SPECIAL_MAX = 1024, /* bytes of a control token; bounds the search for them at each position */
    MOTE_TEXT_WORD_MAX = 256,     /* bytes of a WordPiece entry that can match */
    MOTE_TEXT_TOKENS_MAX = 1 << 24, /* leaves a slot eight bits of hash */
    MOTE_TEXT_LENGTH_MAX = 1 << 30, /* bytes of a text: offsets in it fit in 32 bits three times over */
    /* A code point that stands for no character. In what a person wrote, inside of a conversation, it breaks what
     * would be read as a control token; MOTE_TOKENIZE_CHAT passes over it. */
    MOTE_TEXT_BREAK = 0xFDD0,
};

/* flags[id]: the type in the low three bits. */
enum {
    MOTE_TEXT_TYPE = 7,
    MOTE_TEXT_END = 8,     /* ends an answer */
    MOTE_TEXT_LSTRIP = 16, /* swallows white space before it */
    MOTE_TEXT_RSTRIP = 32, /* swallows white space after it */
};

struct mote_text_merge {
    uint32_t left, right, made;
};

struct mote_text_vocab {
    enum mote_text_kind kind;
    uint32_t n_tokens;
    const mote_text *tokens;
    const uint8_t *scores; /* [V] little-endian f32, may be NULL */
    uint8_t *flags;
    uint32_t *slots, slot_mask, slot_bits;
    uint32_t *special, n_special;
    uint8_t first[256];                  /* what special entries begin with each byte (special.c) */
    mote_token byte[256];                /* the token that stands for one byte, or MOTE_TOKEN_NONE */
    const struct mote_text_split *split; /* BPE */
    struct mote_text_merge *merges;
    uint32_t n_merges, *merge_slots, merge_mask, merge_bits;
    mote_token bos, eos, unk; /* bos and eos as ADD_SPECIAL writes them */
    uint8_t has_space;        /* SPM: ▁ is an entry */
    uint8_t add_bos, add_eos, space_prefix;
    uint8_t words_apart; /* SPM, UNI: no entry has ▁ after another character: words can be encoded alone */
    uint8_t keeps_case;  /* WPM */
    uint8_t squeeze;     /* UNI: spaces only between words, and one of them */
    uint32_t max_bytes;  /* of the longest entry */
    /* UNI, see unigram.c */
    const uint8_t *units; /* [n_units] u32 of the trie, NULL: text stays as it is */
    const char *made;     /* [n_made] what the trie replaces by */
    uint32_t n_units, n_made;
    uint64_t *lengths;
    double unknown_score;
};

static inline unsigned mote_text_type(const struct mote_text_vocab *vocab, uint32_t id) {
    return vocab->flags[id] & MOTE_TEXT_TYPE;
}

/* Types that merges can make. Control tokens must not be forged by text that merely spells them, and
 * user-defined ones have been cut out before. */
static inline int mote_text_is_plain(const struct mote_text_vocab *vocab, uint32_t id) {
    unsigned type = mote_text_type(vocab, id);
    return type == MOTE_TEXT_NORMAL || type == MOTE_TEXT_UNUSED;
}

/* 64 bits that depend on all of the string. */
static inline uint64_t mote_text_hash(const char *text, size_t n) {
    uint64_t hash = (uint64_t)n * 0x9E3779B97F4A7C15u, word = 0;
    for (; n > 8; text += 8, n -= 8) {
        __builtin_memcpy(&word, text, 8);
        hash = (hash ^ word) * 0xD6E8FEB86659FD93u;
        hash ^= hash >> 32;
    }
    word = 0;
    if (n >= 4) {
        uint32_t head, tail;
        __builtin_memcpy(&head, text, 4);
        __builtin_memcpy(&tail, text + n - 4, 4);
        word = head | (uint64_t)tail << 32;
    } else if (n) {
        word = (uint8_t)text[0] | (uint64_t)(uint8_t)text[n / 2] << 8 | (uint64_t)(uint8_t)text[n - 1] << 16;
    }
    hash = (hash ^ word) * 0xD6E8FEB86659FD93u;
    hash ^= hash >> 32;
    hash *= 0xD6E8FEB86659FD93u;
    return hash ^ hash >> 32;
}

/* The id of the entry that is exactly text[0, n), of any type, or MOTE_TOKEN_NONE. */
mote_token mote_text_find(const struct mote_text_vocab *vocab, const char *text, size_t n);

/* The same in parts, for many at once: a look takes three reads that wait for one another, of the slot, the
 * view and the string. Fetch starts them, `step` 0, 1 and 2, for a hash; find_hashed then finds them done. */
void mote_text_fetch(const struct mote_text_vocab *vocab, uint64_t hash, int step);
mote_token mote_text_find_hashed(const struct mote_text_vocab *vocab, const char *text, size_t n,
                                 uint64_t hash);

/* The same for a literal. */
mote_token mote_text_find_name(const struct mote_text_vocab *vocab, const char *name);

/* Takes a hash table for n entries, at most half full and empty, from the arena. */
uint32_t *mote_text_take_table(struct mote_base_arena *arena, uint32_t n, uint32_t *mask, uint32_t *bits);

/* Rank of the pair of ids among the merges, or UINT32_MAX. */
uint32_t mote_text_find_merge(const struct mote_text_vocab *vocab, uint32_t left, uint32_t right);

/* bpe.c: resolves the merges, picks the split. Called last by mote_text_vocab_open. */
mote_status mote_text_open_merges(const struct mote_text_source *source, struct mote_base_arena *arena,
                                  struct mote_text_vocab *vocab, mote_error *error);

/* special.c */
mote_status mote_text_open_special(const struct mote_text_source *source, struct mote_base_arena *arena,
                                   struct mote_text_vocab *vocab, mote_error *error);
/* The longest special entry that text[0, n) begins with, and its length; MOTE_TOKEN_NONE if none.
 * all: control tokens too, not only user-defined ones. */
mote_token mote_text_find_special(const struct mote_text_vocab *vocab, const char *text, size_t n, int all,
                                  size_t *length);

/* Where the tokens of a text go. */
struct mote_text_sink {
    mote_token *tokens;
    size_t n, max;
};

/* The byte that "<0xHH>" stands for, or −1. */
int mote_text_byte_value(mote_text text);

static inline int mote_text_put(struct mote_text_sink *sink, mote_token token) {
    if (sink->n == sink->max) return 0;
    sink->tokens[sink->n++] = token;
    return 1;
}

/* Working memory of one kind of encoder for a text of n bytes, and its encoder of a fragment without special
 * tokens. `space`: write the space that SPM puts before a text. */
uint64_t mote_text_spm_work(size_t n);
mote_status mote_text_spm_encode(const struct mote_text_vocab *vocab, const char *text, size_t n, int space,
                                 void *work, struct mote_text_sink *sink, mote_error *error);
uint64_t mote_text_bpe_work(size_t n);
mote_status mote_text_bpe_encode(const struct mote_text_vocab *vocab, const char *text, size_t n, void *work,
                                 struct mote_text_sink *sink, mote_error *error);
uint64_t mote_text_wpm_work(void);
mote_status mote_text_wpm_encode(const struct mote_text_vocab *vocab, const char *text, size_t n, void *work,
                                 struct mote_text_sink *sink, mote_error *error);

/* unigram.c: takes what encoding asks of the entries, and the table of the normaliser. Called last by
 * mote_text_vocab_open. Besides the working memory, *most is set to the tokens that a text can make. */
mote_status mote_text_open_unigram(const struct mote_text_source *source, struct mote_base_arena *arena,
                                   struct mote_text_vocab *vocab, mote_error *error);
uint64_t mote_text_unigram_work(const struct mote_text_vocab *vocab, size_t n, size_t *most);
mote_status mote_text_unigram_encode(const struct mote_text_vocab *vocab, const char *text, size_t n,
                                     void *work, struct mote_text_sink *sink, mote_error *error);

/* Whether a kind writes ▁ for a space. */
static inline int mote_text_is_spaced(enum mote_text_kind kind) {
#ifdef MOTE_NO_ENCODERS
    return kind == MOTE_TEXT_SPM;
#elif defined(MOTE_NO_DECODERS)
    return kind == MOTE_TEXT_UNI;
#else
    return kind == MOTE_TEXT_SPM || kind == MOTE_TEXT_UNI;
#endif
}

#endif
