/* SPDX-License-Identifier: Apache-2.0
 *
 * context.c: sessions, the pages they share, and the step that serves several of them at once.
 *
 * A session is its tokens and the pages that hold their keys and values. A page may be held by several
 * sessions (after a fork); it is only written by one that holds it alone, so a session that grows into a
 * shared, half-full page first takes a copy. Pages come from a stack of free ones and go back when nobody
 * holds them. */
#include "base/error.h"
#include "base/memory.h"
#include "engine/engine.h"

enum { ROWS_DEFAULT = 128, ROWS_MAX = 4096, SESSIONS_MAX = 4096 };

static uint32_t pages_for(uint32_t n_tokens) {
    return (n_tokens + MOTE_DEVICE_PAGE - 1) / MOTE_DEVICE_PAGE;
}

/* ---- opening ---- */

static mote_status settle(const mote_model *model, const mote_context_options *options,
                          struct mote_context *c, mote_error *error) {
    if (!model->has_weights)
        return mote_base_fail(error, MOTE_E_UNSUPPORTED, 0, "the file has a vocabulary but no weights");
    c->model = model;
#if !defined(MOTE_NO_ENCODERS)
    if (mote_model_is_encoder(&model->config)) return mote_engine_settle_encoder(options, c, error);
#endif
    c->n_positions = options->n_positions ? options->n_positions : model->config.n_context;
    c->n_sessions = options->n_sessions ? options->n_sessions : 1;
    c->n_rows = options->n_rows ? options->n_rows : ROWS_DEFAULT;
    c->n_logits = options->n_logits ? options->n_logits : c->n_sessions;
    if (c->n_positions > INT32_MAX / 2 || c->n_sessions > SESSIONS_MAX || c->n_rows > ROWS_MAX)
        return mote_base_fail(error, MOTE_E_ARGUMENT, 0,
                              "%u positions, %u sessions, %u rows: at most %u, %u and %u are possible",
                              (uint64_t)c->n_positions, (uint64_t)c->n_sessions, (uint64_t)c->n_rows,
                              (uint64_t)INT32_MAX / 2, (uint64_t)SESSIONS_MAX, (uint64_t)ROWS_MAX);
    if ((unsigned)options->kv_type >= MOTE_KERNEL_KV)
        return mote_base_fail(error, MOTE_E_ARGUMENT, 0, "there is no KV cache type %u",
                              (uint64_t)options->kv_type);
    /* each session may leave a page half empty */
    c->n_pages = pages_for(c->n_positions) + c->n_sessions - 1;
    c->device.n_rows = c->n_rows;
    c->device.n_wanted = c->n_rows < c->n_logits ? c->n_rows : c->n_logits;
    c->device.n_pages = c->n_pages;
    c->device.kv_type = options->kv_type;
    return MOTE_OK;
}

/* Takes everything from the arena and, if it is not only counting, sets it up. */
static mote_status take(struct mote_context *c, const mote_host *host, struct mote_base_arena *arena) {
    uint64_t n_vocab = c->model->config.n_vocab;
#if !defined(MOTE_NO_ENCODERS)
    if (mote_model_is_encoder(&c->model->config)) {
        mote_engine_take_encoder(c, arena);
        return mote_device_cpu_open(&c->model->program, &c->model->config, &c->model->weights, host, arena,
                                    &c->device);
    }
#endif
    c->sessions = mote_base_arena_take(arena, c->n_sessions, sizeof *c->sessions);
    c->holders = mote_base_arena_take(arena, c->n_pages, sizeof *c->holders);
    c->free_pages = mote_base_arena_take(arena, c->n_pages, sizeof *c->free_pages);
    c->rows = mote_base_arena_take(arena, c->n_rows, sizeof *c->rows);
    c->wanted = mote_base_arena_take(arena, c->n_rows, sizeof *c->wanted);
    c->feed = mote_base_arena_take(arena, c->n_rows, sizeof *c->feed);
    c->logits = mote_base_arena_take(arena, c->n_logits * n_vocab, sizeof *c->logits);
    for (uint32_t i = 0; i < c->n_sessions; i++) {
        mote_token *tokens = mote_base_arena_take(arena, c->n_positions, sizeof *tokens);
        uint32_t *pages = mote_base_arena_take(arena, c->n_pages, sizeof *pages);
        if (c->sessions && pages)
            c->sessions[i] = (struct mote_session){.context = c, .tokens = tokens, .pages = pages};
    }
    return mote_device_cpu_open(&c->model->program, &c->model->config, &c->model->weights, host, arena,
                                &c->device);
}

mote_status mote_context_plan(const mote_model *model, const mote_context_options *options,
                              const mote_host *host, uint64_t *block_bytes, mote_error *error) {
    struct mote_context c = {0};
    struct mote_base_arena arena;
    mote_status status = settle(model, options, &c, error);
    if (status) return status;
    mote_base_arena_open(&arena, NULL, 0);
    mote_base_arena_take(&arena, 1, sizeof c);
    if ((status = take(&c, host, &arena)))
        return mote_base_fail(error, status, 0, "the sizes of this context overflow");
    *block_bytes = arena.used;
    return MOTE_OK;
}

mote_status mote_context_open(const mote_model *model, const mote_context_options *options,
                              const mote_host *host, void *block, uint64_t block_bytes,
                              mote_context **context, mote_error *error) {
    struct mote_base_arena arena;
    mote_base_arena_open(&arena, block, block_bytes);
    struct mote_context *c = mote_base_arena_take(&arena, 1, sizeof *c);
    mote_status status = MOTE_E_MEMORY;
    if (c) {
        memset(c, 0, sizeof *c);
        if ((status = settle(model, options, c, error))) return status;
        status = take(c, host, &arena);
    }
    if (status)
        return mote_base_fail(error, status, 0, "the block of %u bytes is too small or not aligned",
                              block_bytes);
    *context = c;
    if (mote_model_is_encoder(&model->config)) return MOTE_OK;
    memset(c->holders, 0, c->n_pages * sizeof *c->holders);
    for (uint32_t i = 0; i < c->n_pages; i++)
        c->free_pages[i] = c->n_pages - 1 - i;
    c->n_free = c->n_pages;
    return MOTE_OK;
}

#if !defined(MOTE_NO_DECODERS)

/* The bytes and views that a model was given as constants are its caller's, who asks for this. */
void mote_context_arrange(mote_context *context) {
    struct mote_model *model = (struct mote_model *)(uintptr_t)context->model;
    const struct mote_kernel_weight *embed = &model->weights.slot[MOTE_MODEL_EMBED];
    if (mote_model_is_encoder(&model->config)) return; /* whose weights are packed */
    for (uint32_t i = 0; i < model->program.n_ops; i++) {
        struct mote_kernel_weight *w = (struct mote_kernel_weight *)(uintptr_t)model->program.ops[i].weight;
        if (!w) continue;
        if (w != embed && w->data == embed->data)
            *w = *embed; /* the output; what embeds came first */
        else
            mote_device_cpu_bundle(&context->device, w);
        model->is_arranged |= w->n_bundled > 0;
    }
}

#endif

/* ---- pages ---- */

static void release(struct mote_context *c, uint32_t page) {
    if (--c->holders[page] == 0) c->free_pages[c->n_free++] = page;
}

static void release_after(struct mote_session *s, uint32_t n_pages) {
    while (s->n_pages > n_pages)
        release(s->context, s->pages[--s->n_pages]);
}

/* A free page, held once; 0 if there is none. */
static int take_page(struct mote_context *c, uint32_t *page) {
    if (!c->n_free) return 0;
    *page = c->free_pages[--c->n_free];
    c->holders[*page] = 1;
    return 1;
}

/* Makes the page for the session's next token its own; 0 if no page is left. */
static int own_next_page(struct mote_session *s) {
    struct mote_context *c = s->context;
    uint32_t i = s->n_tokens / MOTE_DEVICE_PAGE, page;
    if (i < s->n_pages && c->holders[s->pages[i]] == 1) return 1;
    if (!take_page(c, &page)) return 0;
    if (i < s->n_pages) {
        mote_device_cpu_copy_page(&c->device, s->pages[i], page);
        release(c, s->pages[i]);
    } else {
        s->n_pages++;
    }
    s->pages[i] = page;
    return 1;
}

int mote_engine_take_pages(struct mote_session *s, uint32_t n_tokens) {
    uint32_t n = pages_for(n_tokens);
    if (n > s->context->n_free) return 0;
    while (s->n_pages < n)
        take_page(s->context, &s->pages[s->n_pages++]);
    return 1;
}

/* ---- sessions ---- */

mote_status mote_session_open(mote_context *context, mote_session **session) {
    if (!context->sessions) return MOTE_E_UNSUPPORTED;
    for (uint32_t i = 0; i < context->n_sessions; i++) {
        struct mote_session *s = &context->sessions[i];
        if (s->open) continue;
        s->open = 1;
        s->n_tokens = s->n_pages = 0;
        *session = s;
        return MOTE_OK;
    }
    return MOTE_E_SESSIONS;
}

void mote_session_close(mote_session *session) {
    if (!session || !session->open) return;
    release_after(session, 0);
    session->n_tokens = 0;
    session->open = 0;
}

mote_status mote_session_fork(mote_session *session, uint32_t n, mote_session **fork) {
    struct mote_session *s;
    if (n > session->n_tokens) return MOTE_E_ARGUMENT;
    mote_status status = mote_session_open(session->context, &s);
    if (status) return status;
    memcpy(s->tokens, session->tokens, n * sizeof *s->tokens);
    s->n_tokens = n;
    s->n_pages = pages_for(n);
    for (uint32_t i = 0; i < s->n_pages; i++) {
        s->pages[i] = session->pages[i];
        s->context->holders[s->pages[i]]++;
    }
    *fork = s;
    return MOTE_OK;
}

mote_status mote_session_truncate(mote_session *session, uint32_t n) {
    if (n > session->n_tokens) return MOTE_E_ARGUMENT;
    session->n_tokens = n;
    release_after(session, pages_for(n));
    return MOTE_OK;
}

uint32_t mote_session_length(const mote_session *session) {
    return session->n_tokens;
}

const mote_token *mote_session_tokens(const mote_session *session) {
    return session->tokens;
}

/* ---- the step ---- */

/* Appends the rows' tokens to their sessions, with a page for each. On failure everything is as it was, but
 * for pages that were copied. */
static mote_status append(mote_context *c, const mote_row *rows, size_t n_rows, mote_error *error) {
    size_t i, n_wanted = 0;
    mote_status status = MOTE_OK;
    for (i = 0; i < n_rows; i++) {
        const struct mote_session *s = rows[i].session;
        if (!s || s->context != c || !s->open)
            return mote_base_fail(error, MOTE_E_ARGUMENT, i, "row %u has no open session of this context",
                                  (uint64_t)i);
        if (rows[i].token < 0 || (uint32_t)rows[i].token >= c->model->config.n_vocab)
            return mote_base_fail(error, MOTE_E_TOKEN, i, "row %u has token %d, the vocabulary has %u",
                                  (uint64_t)i, (int64_t)rows[i].token, (uint64_t)c->model->config.n_vocab);
        n_wanted += rows[i].want_logits != 0;
    }
    if (n_wanted > c->n_logits)
        return mote_base_fail(error, MOTE_E_ARGUMENT, 0, "logits of %u rows are wanted, the context keeps %u",
                              (uint64_t)n_wanted, (uint64_t)c->n_logits);
    for (i = 0; i < n_rows; i++)
        rows[i].session->n_before = rows[i].session->n_tokens;
    for (i = 0; i < n_rows && !status; i++) {
        struct mote_session *s = rows[i].session;
        if (s->n_tokens >= c->n_positions || !own_next_page(s))
            status = MOTE_E_CONTEXT;
        else
            s->tokens[s->n_tokens++] = rows[i].token;
    }
    if (!status) return MOTE_OK;
    for (i = 0; i < n_rows; i++) {
        struct mote_session *s = rows[i].session;
        s->n_tokens = s->n_before;
        release_after(s, pages_for(s->n_tokens));
    }
    return mote_base_fail(error, status, 0, "%u more tokens do not fit into the context of %u positions",
                          (uint64_t)n_rows, (uint64_t)c->n_positions);
}

mote_status mote_context_step(mote_context *context, const mote_row *rows, size_t n_rows, mote_error *error) {
    struct mote_context *c = context;
    mote_status status = append(c, rows, n_rows, error);
    if (status) return status;
    c->n_kept = 0;
    for (size_t at = 0; at < n_rows;) {
        uint32_t n = 0, n_wanted = 0;
        for (; n < c->n_rows && at < n_rows; n++, at++) {
            struct mote_session *s = rows[at].session;
            c->rows[n] = (struct mote_device_row){.pages = s->pages,
                                                  .position = s->n_before,
                                                  .n_seen = s->n_before + 1,
                                                  .token = rows[at].token};
            s->n_before++;
            if (rows[at].want_logits) c->wanted[n_wanted++] = n;
        }
        mote_device_cpu_step(&c->device, c->rows, n, c->wanted, n_wanted,
                             c->logits + c->n_kept * c->model->config.n_vocab);
        c->n_kept += n_wanted;
    }
    return MOTE_OK;
}

mote_status mote_session_feed(mote_session *session, const mote_token *tokens, size_t n, mote_error *error) {
    mote_context *c = session->context;
    uint32_t before = session->n_tokens;
    if (n > c->n_positions - before)
        return mote_base_fail(error, MOTE_E_CONTEXT, 0,
                              "%u more tokens after %u do not fit into %u positions", (uint64_t)n,
                              (uint64_t)before, (uint64_t)c->n_positions);
    for (size_t at = 0; at < n;) {
        size_t count = 0;
        for (; count < c->n_rows && at < n; count++, at++)
            c->feed[count] = (mote_row){session, tokens[at], at + 1 == n};
        mote_status status = mote_context_step(c, c->feed, count, error);
        if (!status) continue;
        if (mote_session_truncate(session, before)) return MOTE_E_ARGUMENT;
        return status;
    }
    return MOTE_OK;
}

const float *mote_context_logits(const mote_context *context, size_t i) {
    return i < context->n_kept ? context->logits + i * context->model->config.n_vocab : NULL;
}
