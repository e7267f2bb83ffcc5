/* SPDX-License-Identifier: Apache-2.0
 *
 * search_walk.h: the text files of a folder. */
#ifndef MOTE_CLI_SEARCH_WALK_H
#define MOTE_CLI_SEARCH_WALK_H

#include "apps/cli/buffer.h"
#include "mote/mote.h"

struct cli_walked {
    mote_text name; /* below the folder; empty when the folder is itself a file */
    uint64_t size;
    int64_t mtime; /* ns */
};

struct cli_walk {
    struct cli_walked *files; /* [n], by name */
    size_t n;
    mote_text
        *closed; /* [n_closed], folders that could not be read, as names below this one that end in '/' */
    size_t n_closed;
    struct cli_buffer names;
    size_t room, closed_room;
};

/* Finds files named .txt, .text, .md or .markdown, or with `all` every file, below a folder. What begins with a dot is
 * passed over, and so are symbolic links, devices and pipes. What cannot be read is told on stderr. Zero the
 * walk first; close it in any case. Returns CLI_OK or an exit code with a message printed. */
int cli_walk(struct cli_walk *walk, const char *folder, int all);
void cli_walk_close(struct cli_walk *walk);

/* When a file was changed, in ns; far away years wrap. */
struct stat;
int64_t cli_mtime(const struct stat *status);

/* Says on stderr that a file was passed over, and why. */
void cli_walk_tell(const char *folder, mote_text name, const char *why);

#endif
