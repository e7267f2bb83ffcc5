/* SPDX-License-Identifier: Apache-2.0
 *
 * prompt.h: a conversation as tokens. */
#ifndef MOTE_CLI_PROMPT_H
#define MOTE_CLI_PROMPT_H

#include "apps/cli/model.h"

/* Renders messages with the opening of the assistant's turn and tokenizes the result. *tokens is malloc'ed.
 * n_keep may be NULL; else it gets the number of tokens that stand before the first turn: those of a system
 * message and of what the template puts first. */
int cli_prompt_tokens(const struct cli_model *model, const mote_message *messages, size_t n_messages,
                      mote_token **tokens, size_t *n_tokens, uint32_t *n_keep);

#endif
