/* SPDX-License-Identifier: Apache-2.0
 *
 * model.h: a model opened for a command: the file's map, the model on it, and, once started, threads and a
 * context. Failures are printed with the words of mote_error and come back as exit codes. */
#ifndef MOTE_CLI_MODEL_H
#define MOTE_CLI_MODEL_H

#include "apps/cli/buffer.h"
#include "apps/cli/cli.h"
#include "apps/cli/options.h"

struct cli_model {
    char *path;
    struct mote_posix_map map;
    void *block, *context_block;
    uint64_t block_bytes, context_bytes;
    const mote_model *model;
    mote_model_info info;
    struct mote_posix_host *host;
    mote_context *context;
    uint32_t n_positions;
    double load_seconds; /* opening and starting together */
};

/* Finds, maps and opens a model; name as cli_model_find takes it. Zero the struct first; close it in any
 * case.
 */
int cli_model_open(struct cli_model *model, const char *name, int yes);

/* The context a command gets: what -c says, checked against what the model was trained for. */
int cli_model_positions(const struct cli_model *model, const struct cli_runtime *runtime,
                        uint32_t *n_positions);

/* Starts threads and a context. options: n_positions must be set. */
int cli_model_start(struct cli_model *model, const struct cli_runtime *runtime,
                    const mote_context_options *options);
/* Another context in its place, once started. */
int cli_model_restart(struct cli_model *model, const mote_context_options *options);
void cli_model_close(struct cli_model *model);

/* Prints an error of the library about a model's file; returns the exit code that goes with its status. */
int cli_model_fail(const struct cli_model *model, const mote_error *error);
int cli_status_code(mote_status status);

/* Needs weights, weights of a model that continues texts, or a tokenizer: CLI_OK or CLI_MODEL with a message. */
int cli_model_needs_weights(const struct cli_model *model);
int cli_model_needs_language(const struct cli_model *model);
int cli_model_needs_tokenizer(const struct cli_model *model);

/* The messages rendered by the model's chat template, appended to out. */
int cli_model_render(const struct cli_model *model, const mote_message *messages, size_t n_messages,
                     int add_generation, struct cli_buffer *out, int *wrote_bos);

/* text as tokens, malloc'ed; flags are MOTE_TOKENIZE_*. */
int cli_model_tokenize(const struct cli_model *model, mote_text text, unsigned flags, mote_token **tokens,
                       size_t *n_tokens);

#endif
