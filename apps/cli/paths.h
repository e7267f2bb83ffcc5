/* SPDX-License-Identifier: Apache-2.0
 *
 * paths.h: file names and directories. */
#ifndef MOTE_CLI_PATHS_H
#define MOTE_CLI_PATHS_H

#include "apps/cli/catalogue.h"
#include "apps/cli/why.h"

/* printf into malloc'ed memory; NULL when there is none. */
char *cli_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ${$variable:-$HOME/fallback}/tail, malloc'ed; NULL when HOME is needed and not set, or without memory. */
char *cli_user_path(const char *variable, const char *fallback, const char *tail);

/* The directory a file is in, malloc'ed; NULL without memory. */
char *cli_dir_of(const char *path);

/* Makes a directory and those above it. Returns 0, or -1 with errno set. */
int cli_make_dirs(const char *path);

/* Whether the directory of path has room for n_bytes more. */
enum cli_got cli_room_check(const char *path, uint64_t n_bytes, struct cli_why *why);

/* The size of a regular file, or -1. */
int64_t cli_file_size(const char *path);

/* Where a model is kept: <models>/<entry's file name>. Malloc'ed; NULL with a message printed. */
char *cli_entry_path(const struct cli_entry *entry);

/* What a model of the catalogue is on this machine. */
enum cli_presence { CLI_ABSENT, CLI_PARTIAL, CLI_PRESENT, CLI_DAMAGED };
enum cli_presence cli_entry_presence(const struct cli_entry *entry, const char *path);

#endif
