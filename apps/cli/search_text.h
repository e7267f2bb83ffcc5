/* SPDX-License-Identifier: Apache-2.0
 *
 * search_text.h: a text in paragraphs, and paragraphs' vectors in a few bytes, with dot products over many. */
#ifndef MOTE_CLI_SEARCH_TEXT_H
#define MOTE_CLI_SEARCH_TEXT_H

#include "mote/mote.h"

/* ---- paragraphs ----
 *
 * What stands between empty lines; shorter ones, a heading for one, go with what follows; longer ones are cut,
 * at the end of a line, of a sentence or of a word. No byte is in two of them, and what is in none is white
 * space or has no letter and no digit. */

enum { CLI_PARAGRAPH_LEAST = 80, CLI_PARAGRAPH_MOST = 1000 }; /* bytes */

struct cli_paragraph {
    mote_text text; /* without white space around it */
    uint32_t line;  /* where it begins, from 1 */
};

struct cli_split {
    mote_text text;  /* of at most 2^31 bytes */
    size_t at, told; /* how far the splitting and the counting of lines have come */
    uint32_t line;   /* that of told, from 0 */
};

/* The next paragraph of split->text; 0 at its end. Zero all but the text before the first. */
int cli_split_next(struct cli_split *split, struct cli_paragraph *paragraph);

/* Whether bytes are no text: there is a NUL among the first of them. */
int cli_is_binary(const void *bytes, size_t n);

/* ---- vectors ----
 *
 *     block of n vectors [D]:   f32 scale [n] … | i8 [n, stride] …      both parts padded to 64 bytes
 *     x ≈ scale · i8            scale = max |x| / 127, 0 of a vector of zeros; stride: D padded to 16
 *
 * A query has 12 bits and sums are whole numbers, so scores are the same everywhere and in any order. Against
 * f32 (10,000 paragraphs of MiniLM): a quarter of the bytes and of the time; scores off by 0.0004; of the ten
 * best, 99.4 % are the same. */

enum { CLI_MOST_DIMS = 8192 }; /* 127 · 2047 · 8192 < 2^31 */

uint64_t cli_vectors_bytes(uint64_t n, uint32_t n_dims); /* n < 2^32 */
void cli_vectors_put(void *block, uint32_t n, uint32_t n_dims, uint32_t i, const float *x);
/* Vector i of block becomes vector k of the other. */
void cli_vectors_copy(void *block, uint32_t n, uint32_t n_dims, uint32_t i, const void *other,
                      uint32_t n_other, uint32_t k);

struct cli_query {
    float scale;
    int16_t x[CLI_MOST_DIMS];
};
void cli_query_set(struct cli_query *query, const float *x, uint32_t n_dims);

/* scores [n] */
void cli_vectors_score(const void *block, uint32_t n, uint32_t n_dims, const struct cli_query *query,
                       float *scores);

#endif
