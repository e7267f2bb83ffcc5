/* SPDX-License-Identifier: Apache-2.0
 *
 * generate.h: the loop that run and chat share: prompt in, answer out, a piece at a time. */
#ifndef MOTE_CLI_GENERATE_H
#define MOTE_CLI_GENERATE_H

#include "apps/cli/draft.h"

enum cli_end {
    CLI_END_OF_ANSWER, /* the model ended it */
    CLI_END_STOP,      /* a stop string */
    CLI_END_MOST,      /* -n tokens */
    CLI_END_CONTEXT,   /* the context is full */
};

struct cli_stats {
    double first_seconds, prompt_seconds, decode_seconds;
    uint64_t n_cached, n_prompt, n_decoded; /* tokens taken from the cache, computed, generated */
    uint64_t n_guessed, n_right;            /* tokens guessed ahead, and those of them that came */
};

struct cli_generator {
    const struct cli_model *model;
    const struct cli_sampling *sampling;
    mote_session *session;
    mote_sampler sampler;
    void *sample_work;
    uint64_t sample_bytes;
    char *piece; /* [max_piece] text of one token */
    size_t max_piece;
    struct cli_buffer held; /* text that may be the beginning of a stop string */
    uint32_t n_keep;        /* tokens at the beginning that a context shift keeps */
    int keep_space;         /* the answer continues a text: its leading space is its own */
    size_t chunk;           /* rows of one step: fewer on a slow machine */
    struct cli_draft draft;
    uint32_t n_guesses; /* of the last step … */
    uint32_t n_ahead;   /* … those that stand in the session without having been chosen */
    double started;
    struct cli_stats stats; /* of the last answer */
    enum cli_end end;
};

/* A seed of 0 stands for a new one, put in its place. */
int cli_seed(uint64_t *seed);

int cli_generator_open(struct cli_generator *generator, const struct cli_model *model,
                       const struct cli_sampling *sampling);
void cli_generator_close(struct cli_generator *generator);

/* Makes the session hold prompt [n], computing only what it does not hold already, and streams the answer to
 * out; its text is appended to answer too where that is not NULL. Returns CLI_OK, CLI_INTERRUPTED (what was
 * made is written), or another exit code with a message printed; EPIPE is CLI_FAILED without one. */
int cli_generate(struct cli_generator *generator, const mote_token *prompt, size_t n, FILE *out,
                 struct cli_buffer *answer);

void cli_stats_print(const struct cli_generator *generator);

#endif
