/* SPDX-License-Identifier: Apache-2.0
 *
 * merge.h: the one algorithm behind both kinds of byte-pair encoding.
 *
 *     symbols   [l][o][w][e][r]   a doubly linked list; each may hold a pair with its right neighbour
 *     heap      lo 7, er 12, …    the symbols that hold one, best key first, left-most among equals
 *
 * The best pair is merged into its left symbol, and the two pairs it touches are looked up anew, until the
 * heap is empty: O(n log n) for n symbols whatever the text. Each symbol is in the heap at most once and
 * knows its place there, so memory is fixed: MOTE_TEXT_SYMBOL_BYTES for each symbol.
 *
 * What a pair makes, and how good that is, is the caller's function. */
#ifndef MOTE_TEXT_MERGE_H
#define MOTE_TEXT_MERGE_H

#include <stdint.h>

#define MOTE_TEXT_NOWHERE UINT32_MAX

struct mote_text_symbol {
    uint32_t start, n;   /* its bytes */
    uint32_t id;         /* its token, or MOTE_TEXT_NOWHERE */
    uint32_t prev, next; /* neighbours, or MOTE_TEXT_NOWHERE */
    uint32_t key, made;  /* the pair with next: lower keys first; the token it makes */
    uint32_t at;         /* its place in the heap, or MOTE_TEXT_NOWHERE: no pair */
};

#define MOTE_TEXT_SYMBOL_BYTES (sizeof(struct mote_text_symbol) + sizeof(uint32_t))

struct mote_text_vocab;

struct mote_text_merger {
    const struct mote_text_vocab *vocab;
    const char *text;
    struct mote_text_symbol *symbols;
    uint32_t *heap;
    uint32_t n_heap;
};

/* 1 if left and right, neighbours, make a token; then writes left->key and left->made. */
typedef int mote_text_pair(const struct mote_text_merger *merger, struct mote_text_symbol *left,
                           const struct mote_text_symbol *right);

/* Merges symbols[0, n), n >= 1, whose start, n and id are set, as far as they go. What is left is the list
 * that starts at symbols[0]. */
void mote_text_merge(struct mote_text_merger *merger, uint32_t n, mote_text_pair *pair);

#endif
