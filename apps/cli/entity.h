/* SPDX-License-Identifier: Apache-2.0
 *
 * entity.h: spans of a text from a head that judges tokens ("B-LOC", "I-LOC", "O", …). */
#ifndef MOTE_CLI_ENTITY_H
#define MOTE_CLI_ENTITY_H

#include "apps/cli/encoder.h"

struct cli_entity {
    mote_text type;    /* the label without "B-" or "I-" */
    size_t start, end; /* bytes of the text; of no meaning when placed is 0 */
    size_t from, to;   /* tokens */
    double score;      /* the mean of its words' */
    int placed;
};

/* A list that grows, and memory for the words of a text. */
struct cli_entities {
    struct cli_entity *list;
    size_t n, room;
    struct cli_word *words;
    size_t n_words, words_room;
};

/* Finds the entities of one text that was encoded with labels and texts wanted. Returns CLI_OK or an exit code
 * with a message printed. */
int cli_entities_find(struct cli_entities *entities, struct cli_encoder *encoder,
                      const struct cli_encoded *encoded);
void cli_entities_close(struct cli_entities *entities);

#endif
