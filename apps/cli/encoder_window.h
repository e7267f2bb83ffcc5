/* SPDX-License-Identifier: Apache-2.0
 *
 * encoder_window.h: what encoder.c, encoder_window.c and entity.c share. */
#ifndef MOTE_CLI_ENCODER_WINDOW_H
#define MOTE_CLI_ENCODER_WINDOW_H

#include "apps/cli/encoder.h"

/* Prints what is wrong with a text, by its place; returns code. */
#define CLI_FIRST_OF_PAIR UINT64_MAX
int cli_encoder_fail(const struct cli_encoder *encoder, uint64_t index, int code, const char *text);

/* The first tokens of text, at most `most`, in encoder->list, without special tokens; *cut: there are more. */
int cli_encoder_tokenize(struct cli_encoder *encoder, mote_text text, size_t most, uint64_t index, size_t *n,
                         int *cut);

/* Puts the prefix before text, in encoder->joined, where there is one. */
int cli_encoder_join(struct cli_encoder *encoder, mote_text *text);

/* Makes the context large enough for a sequence of n_tokens. */
int cli_encoder_grow(struct cli_encoder *encoder, size_t n_tokens);

void cli_window_close(struct cli_encoder *encoder);

#endif
