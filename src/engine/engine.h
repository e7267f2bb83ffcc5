/* SPDX-License-Identifier: Apache-2.0
 *
 * engine.h: what stands behind the opaque types of mote.h. */
#ifndef MOTE_ENGINE_ENGINE_H
#define MOTE_ENGINE_ENGINE_H

#include "device/cpu.h"

struct mote_model {
    struct mote_format_file file;
    mote_text architecture;
    int has_weights, has_tokenizer;
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
};

/* Gives an open session, empty, the pages for n_tokens; 0, and nothing held, if there are not so many. */
int mote_engine_take_pages(struct mote_session *session, uint32_t n_tokens);

/* Gives an open, empty session the pages for n_tokens of its own; 0, and nothing held, if too few are free.
 */
int mote_engine_take_pages(struct mote_session *session, uint32_t n_tokens);

#endif
