/* SPDX-License-Identifier: Apache-2.0
 *
 * transcript.h: the messages of a conversation, in memory and as a file. */
#ifndef MOTE_CLI_TRANSCRIPT_H
#define MOTE_CLI_TRANSCRIPT_H

#include "apps/cli/options.h"

struct cli_transcript {
    mote_message *messages; /* texts are malloc'ed and owned; roles are static */
    size_t n, room;
};

/* role is "system", "user" or "assistant". A system message replaces the one there is, and stands first.
 * Returns CLI_OK, or CLI_MEMORY with a message. */
int cli_transcript_add(struct cli_transcript *transcript, const char *role, const char *text, size_t n);
int cli_transcript_has_system(const struct cli_transcript *transcript);
/* Removes n messages from place `first` on. */
void cli_transcript_remove(struct cli_transcript *transcript, size_t first, size_t n);
void cli_transcript_close(struct cli_transcript *transcript);

/* As JSON: {"mote": 1, "model": "…", "settings": {…}, "messages": [{"role": "…", "content": "…"}]}.
 * Loading replaces transcript and sampling only if all of the file is sound. Both return CLI_OK or an exit
 * code with a message printed. */
int cli_transcript_save(const struct cli_transcript *transcript, const char *model,
                        const mote_sampler_options *sampler, const char *path);
int cli_transcript_load(struct cli_transcript *transcript, mote_sampler_options *sampler, const char *path);

#endif
