/* SPDX-License-Identifier: Apache-2.0
 *
 * search.h: what the files of `mote search` share. */
#ifndef MOTE_CLI_SEARCH_H
#define MOTE_CLI_SEARCH_H

#include "apps/cli/encoder.h"
#include "apps/cli/search_journal.h"

struct cli_search {
    const char *index;
    struct cli_texts add; /* folders */
    const char *model;    /* NULL: the index's own */
    const char *before_passage, *before_query;
    uint32_t top;
    int update, all, json;
    struct cli_encoding encoding;
};

/* Brings the index up to date with its folders and those to add. */
int cli_search_update(const struct cli_search *search, struct cli_encoder *encoder);

/* Opens the encoder of an index, or of a new one (index NULL), and says whose digest it has: that of the index,
 * or it is a failure. sha [32] and stamp are of its file. */
int cli_search_encoder(const struct cli_search *search, const struct cli_index *index,
                       struct cli_encoder *encoder, unsigned char *sha, struct cli_index_stamp *stamp);

/* Hexadecimal digits of a SHA-256 as its bytes; 1, so that it ends a chain of calls. */
int cli_search_sha(const char *hex, unsigned char *sha);

#endif
