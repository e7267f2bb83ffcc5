/* SPDX-License-Identifier: Apache-2.0
 *
 * search_journal.h: adds to an index (search_index.h). One process at a time; who only asks never waits. */
#ifndef MOTE_CLI_SEARCH_JOURNAL_H
#define MOTE_CLI_SEARCH_JOURNAL_H

#include "apps/cli/search_index.h"
#include "host/posix/posix.h"

struct cli_journal {
    const char *path;
    int fd;
    uint64_t end, whole; /* written so far; of which this much counts */
    double settled;      /* when that was, cli_clock() */
    struct mote_posix_map map;
    struct cli_index index; /* as it was when it was opened */
};

/* What a new index is for. */
struct cli_journal_new {
    uint32_t n_dims;
    const unsigned char *model_sha;
    const struct cli_index_stamp *stamp;
    const char *settings[CLI_INDEX_SETTINGS];
};

/* All of these return CLI_OK or an exit code with a message printed. */

/* Opens an index to add to it; a file that is not there is made, as `new` says, or, without it, is a failure. What an earlier process
 * left behind the last whole record goes. Zero the journal first; close it in any case. */
int cli_journal_open(struct cli_journal *journal, const char *path, const struct cli_journal_new *new);
void cli_journal_close(struct cli_journal *journal);

/* Adds a record; it counts from the next settling on, which comes by itself once a second. */
int cli_journal_add(struct cli_journal *journal, const struct cli_buffer *record);
int cli_journal_settle(struct cli_journal *journal);

/* Settles, and reads the index again: what was taken from it is no longer there. */
int cli_journal_again(struct cli_journal *journal);

/* Changes the mtime of a record of the index as it was opened; changes what is known of the model's file. */
int cli_journal_touch(struct cli_journal *journal, const struct cli_index_record *record, int64_t mtime);
int cli_journal_stamp(struct cli_journal *journal, const struct cli_index_stamp *stamp);

/* Settles, reads the index again, and where more of the index no longer counts than does, writes it anew without that. The journal can
 * only be closed afterwards. */
int cli_journal_finish(struct cli_journal *journal);

/* Maps and reads an index to ask it. */
int cli_index_open(struct cli_index *index, struct mote_posix_map *map, const char *path);

#endif
