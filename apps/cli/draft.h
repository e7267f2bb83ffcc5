/* SPDX-License-Identifier: Apache-2.0
 *
 * draft.h: guesses what an answer goes on with, so that one step can check several tokens. Where a guess is
 * wrong nothing is lost but time, and where it is right the token is the one the model would have chosen
 * anyway: guesses never change an answer.
 *
 * Guesses come from two sources:
 *
 *     lookup   the text so far: what followed the last time that the newest tokens stood there
 *     model    a small model of the same vocabulary, when --draft names one */
#ifndef MOTE_CLI_DRAFT_H
#define MOTE_CLI_DRAFT_H

#include "apps/cli/model.h"

enum {
    CLI_DRAFT_MOST = 15,      /* guesses of one step */
    CLI_DRAFT_WIDTHS = 5,     /* steps have 1, 2, 4, 8 or 16 rows: the token itself and the guesses */
    CLI_DRAFT_LEAST_MATCH = 2 /* tokens that lookup must find again */
};

/* The text so far and an index of its pairs of neighbouring tokens. */
struct cli_lookup {
    mote_token *tokens; /* [most] */
    uint32_t *previous; /* [most] the place before with the same hash, + 1; 0: none */
    uint32_t *newest;   /* [1 << bits] the newest place of each hash, + 1 */
    uint32_t n, most, bits;
};
int cli_lookup_open(struct cli_lookup *lookup, uint32_t most);
void cli_lookup_close(struct cli_lookup *lookup);
/* Makes the text tokens [n] and then token; n < most. Cheap when it is the text of the last call and a bit.
 */
void cli_lookup_follow(struct cli_lookup *lookup, const mote_token *tokens, uint32_t n, mote_token token);
/* How many of the newest tokens stand elsewhere as well (0 if fewer than the least), and after which place.
 */
uint32_t cli_lookup_match(const struct cli_lookup *lookup, uint32_t *place);
/* Writes n guesses: what follows place; behind the end of the text, what was guessed itself. */
void cli_lookup_guess(const struct cli_lookup *lookup, uint32_t place, mote_token *guesses, uint32_t n);

/* A small model with a session of its own, kept in step with the large one's. */
struct cli_draft_model {
    struct cli_model model; /* runs on the large model's threads */
    mote_session *session;
    uint32_t n_vocab; /* tokens that both models have */
};
int cli_draft_model_open(struct cli_draft_model *draft, const struct cli_model *large, const char *name);
void cli_draft_model_close(struct cli_draft_model *draft);
/* Whether n more tokens after a text of n_text fit in its context. */
int cli_draft_model_fits(const struct cli_draft_model *draft, uint32_t n_text, uint32_t n);
/* Writes n guesses of what follows tokens [n_text] and then token; *n_behind: tokens of the text that it had
 * to read first. Returns an exit code; CLI_INTERRUPTED without guesses. */
int cli_draft_model_guess(struct cli_draft_model *draft, const mote_token *tokens, uint32_t n_text,
                          mote_token token, mote_token *guesses, uint32_t n, uint32_t *n_behind);

/* Of the guesses that were checked, how many were right; old ones count less and less. */
struct cli_odds {
    double right, checked;
};

enum { CLI_DRAFT_KINDS = 9 }; /* of guesses: lookup by length of the match, and the model's */

struct cli_draft {
    uint32_t n_always; /* guesses of each step; UINT32_MAX: as many as pay */
    struct cli_lookup lookup;
    struct cli_draft_model model;     /* model.session NULL: none */
    double seconds[CLI_DRAFT_WIDTHS]; /* of a step of 1 << i rows; 0: not known yet */
    double guess_seconds;             /* of one guess of the model */
    double credit;                    /* seconds that may be spent on guesses of poor odds */
    struct cli_odds odds[CLI_DRAFT_KINDS];
    unsigned kind; /* of the last guesses */
};

/* Rows of a step whose logits are needed, for mote_context_options. */
uint32_t cli_draft_rows(const struct cli_sampling *sampling);
int cli_draft_open(struct cli_draft *draft, const struct cli_model *model,
                   const struct cli_sampling *sampling);
void cli_draft_close(struct cli_draft *draft);

/* Guesses what follows the tokens of a session and then token: *n_guesses <= most, 0 where checking would not
 * pay. guesses has room for CLI_DRAFT_MOST. */
int cli_draft_guess(struct cli_draft *draft, const mote_session *session, mote_token token, uint32_t most,
                    mote_token *guesses, uint32_t *n_guesses);
/* What came of it: a step of 1 + n_guesses rows took so long … */
void cli_draft_took(struct cli_draft *draft, uint32_t n_guesses, double seconds);
/* … and the first n_right of the guesses were right. */
void cli_draft_learn(struct cli_draft *draft, uint32_t n_guesses, uint32_t n_right);

#endif
