/* SPDX-License-Identifier: Apache-2.0
 *
 * split.h: cuts a text into words before byte-pair encoding, as the file's `tokenizer.ggml.pre` asks.
 *
 * Tokenizers write their cuts as regular expressions, often several in a row: the first cuts the text into
 * what it matches and what lies between; the next cuts each of these pieces again, seeing nothing outside of
 * it. There are few different expressions; each is a function written by hand in split.c, and a name stands
 * for a short list of them. */
#ifndef MOTE_TEXT_SPLIT_H
#define MOTE_TEXT_SPLIT_H

#include <stddef.h>

#include "mote/mote.h"

enum { MOTE_TEXT_STAGES = 6 };

/* What some names stand for. */
struct mote_text_split {
    unsigned char stages[MOTE_TEXT_STAGES + 1]; /* patterns, 0-terminated */
    unsigned char ignore_merges;                /* a word that is an entry is taken whole */
    unsigned char add_bos;                      /* where the file does not say */
    const char *names;                          /* words with a space between */
};

/* NULL if the name is not known. The empty name is "default". */
const struct mote_text_split *mote_text_split_find(mote_text name);

struct mote_text_splitter {
    const struct mote_text_split *split;
    const char *text;
    size_t n, at;
    size_t ends[MOTE_TEXT_STAGES]; /* of the piece each stage is in */
};

void mote_text_split_open(struct mote_text_splitter *splitter, const struct mote_text_split *split,
                          const char *text, size_t n);
/* The next word, never empty; 0 at the end of the text. */
int mote_text_split_next(struct mote_text_splitter *splitter, mote_text *word);

#endif
