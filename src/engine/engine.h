/* SPDX-License-Identifier: Apache-2.0
 *
 * engine.h: what stands behind the opaque types of mote.h. */
#ifndef MOTE_ENGINE_ENGINE_H
#define MOTE_ENGINE_ENGINE_H

#include "device/cpu.h"

struct mote_model {
    struct mote_format_file file;
    mote_text architecture;
    int has_weights, has_tokenizer, is_arranged;
    struct mote_text_source source;
    const struct mote_text_vocab *vocab;
    struct mote_model_config config;
    struct mote_model_weights weights;
    struct mote_program program;
};

struct mote_session {
    struct mote_context *context;
    uint32_t open;
    uint32_t n_tokens, n_before; /* now; before the step that is being prepared */
    uint32_t n_pages;            /* of pages that are held: enough for n_tokens */
    mote_token *tokens;          /* [context.n_positions] */
    uint32_t *pages;             /* [context.n_pages] */
};

/* What the context of an encoder has instead of sessions: pages in their order, for one piece of the work. */
struct mote_engine_encoder {
    uint32_t *pages; /* [n_pages] 0, 1, 2 … */
    uint32_t *ends;  /* [n_sessions] */
    float *vectors;  /* [n_rows][D] where the caller wants none */
};

struct mote_context {
    const struct mote_model *model;
    struct mote_device_cpu device;
    uint32_t n_positions, n_sessions, n_rows, n_logits, n_pages;
    struct mote_session *sessions; /* [n_sessions] */
    uint32_t *holders;             /* [n_pages] sessions that hold the page; 0: free */
    uint32_t *free_pages, n_free;  /* a stack */
    struct mote_device_row *rows;  /* [n_rows] */
    uint32_t *wanted;              /* [n_rows] */
    mote_row *feed;                /* [n_rows] what mote_session_feed steps with */
    float *logits;                 /* [n_logits][V] */
    size_t n_kept;                 /* logits of the last step */
    struct mote_engine_encoder encoder;
};

/* Of the context of an encoder: sets the sizes that the options ask for; takes its memory and sets it up. */
MOTE_MUST_USE mote_status mote_engine_settle_encoder(const mote_context_options *options,
                                                     mote_context *context, mote_error *error);
void mote_engine_take_encoder(mote_context *context, struct mote_base_arena *arena);

/* Gives an open, empty session the pages for n_tokens of its own; 0, and nothing held, if too few are free.
 */
int mote_engine_take_pages(struct mote_session *session, uint32_t n_tokens);

#endif
