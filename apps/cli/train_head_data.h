/* SPDX-License-Identifier: Apache-2.0
 *
 * train_head_data.h: labelled texts from CSV and TSV files, and their division in two. */
#ifndef MOTE_CLI_TRAIN_HEAD_DATA_H
#define MOTE_CLI_TRAIN_HEAD_DATA_H

#include "apps/cli/table.h"

/* Which columns, by their name in the header row or their number from 1; NULL: to be found out. */
struct cli_columns {
    const char *text, *label;
    int header; /* the first row names the columns, whatever it looks like */
};

/* Texts and their labels: views of the tables, or of a file's label names. */
struct cli_example {
    mote_text text;
    uint32_t label;
};

enum { CLI_MOST_LABELS = 1024, CLI_MOST_LABEL_BYTES = 200 };

struct cli_examples {
    struct cli_table table, held_out_table;
    mote_text *labels; /* [n_labels], numbers by value, then the rest by bytes */
    uint32_t n_labels;
    struct cli_example *list; /* [n], first those to learn from, then those held out */
    size_t n, n_learn;
    size_t n_skipped; /* rows without a label */
};

/* Reads the files. held_out NULL: share of each label's examples is held out, chosen by seed. Zero the struct
 * first, close it in any case. Returns CLI_OK or an exit code with a message printed. */
int cli_examples_read(struct cli_examples *examples, const char *path, const char *held_out,
                      const struct cli_columns *columns, double share, uint64_t seed);
void cli_examples_close(struct cli_examples *examples);

#endif
