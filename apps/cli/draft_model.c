/* SPDX-License-Identifier: Apache-2.0
 *
 * draft_model.c: a small model guesses for a large one. Both must number their tokens alike; some families
 * pad the vocabularies of their larger models, so that one of the two may have a few tokens more at the end,
 * which are then never guessed.
 *
 *     large   … a b c | d        d is chosen, not yet computed
 *     small   … a b x y          had guessed x y after b: goes back to what is common, reads c d,
 *             … a b c d e f      guesses e f g (g itself need not be computed)
 *
 * It takes the likeliest token each time, whatever the temperature: a guess that is right most often. */
#include <string.h>

#include "apps/cli/draft.h"

enum { MOST_PADDING = 1024, CHUNK = 64 };

static int text_of(const struct cli_model *model, mote_token token, char *out, size_t room, size_t *n) {
    mote_detokenizer state = {.started = 1, .special = 1, .raw = 1};
    *n = 0;
    return mote_detokenize(model->model, &state, token, out, room, n);
}

/* That both vocabularies are the same; sets how many tokens they share. */
static int compare(struct cli_draft_model *draft, const struct cli_model *large) {
    uint32_t small_vocab = draft->model.info.n_vocab, large_vocab = large->info.n_vocab;
    size_t room_small = mote_detokenize_max(draft->model.model),
           room_large = mote_detokenize_max(large->model);
    size_t room = room_small > room_large ? room_small : room_large;
    struct cli_buffer texts = {0};
    draft->n_vocab = small_vocab < large_vocab ? small_vocab : large_vocab;
    if (small_vocab + large_vocab - 2 * (uint64_t)draft->n_vocab > MOST_PADDING)
        return cli_fail(CLI_USAGE, "%s: --draft needs the same vocabulary: it has %u tokens, %s has %u",
                        draft->model.path, (unsigned)small_vocab, large->path, (unsigned)large_vocab);
    if (!cli_buffer_reserve(&texts, 2 * room))
        return cli_fail(CLI_MEMORY, "not enough memory to compare vocabularies");
    int code = CLI_OK;
    for (uint32_t i = 0; i < draft->n_vocab && !code; i++) {
        size_t n_small, n_large;
        int status_small = text_of(&draft->model, (mote_token)i, texts.data, room, &n_small);
        int status_large = text_of(large, (mote_token)i, texts.data + room, room, &n_large);
        if (status_small != status_large || n_small != n_large ||
            memcmp(texts.data, texts.data + room, n_small) != 0)
            code = cli_fail(CLI_USAGE, "%s: --draft needs the same vocabulary: token %u is another in %s",
                            draft->model.path, (unsigned)i, large->path);
    }
    cli_buffer_close(&texts);
    return code;
}

int cli_draft_model_open(struct cli_draft_model *draft, const struct cli_model *large, const char *name) {
    struct cli_model *small = &draft->model;
    int code = cli_model_open(small, name, 0);
    if (!code) code = cli_model_needs_tokenizer(small);
    if (!code) code = cli_model_needs_language(small);
    if (!code) code = compare(draft, large);
    if (code) return code;
    small->n_positions =
        small->info.n_context < large->n_positions ? small->info.n_context : large->n_positions;
    mote_context_options options = {.n_positions = small->n_positions, .n_sessions = 1};
    const mote_host *host = mote_posix_host_get(large->host);
    mote_error error = {0};
    if (mote_context_plan(small->model, &options, host, &small->context_bytes, &error))
        return cli_model_fail(small, &error);
    small->context_block = mote_posix_block_open(small->context_bytes);
    if (!small->context_block) return cli_fail(CLI_MEMORY, "%s: not enough memory", small->path);
    if (mote_context_open(small->model, &options, host, small->context_block, small->context_bytes,
                          &small->context, &error))
        return cli_model_fail(small, &error);
    mote_status status = mote_session_open(small->context, &draft->session);
    return status ? cli_fail(cli_status_code(status), "%s: %s", small->path, mote_status_text(status))
                  : CLI_OK;
}

void cli_draft_model_close(struct cli_draft_model *draft) {
    if (draft->session) mote_session_close(draft->session);
    cli_model_close(&draft->model);
    *draft = (struct cli_draft_model){0};
}

int cli_draft_model_fits(const struct cli_draft_model *draft, uint32_t n_text, uint32_t n) {
    return (uint64_t)n_text + n <= draft->model.n_positions;
}

static int feed(struct cli_draft_model *draft, const mote_token *tokens, uint32_t n) {
    mote_error error = {0};
    for (uint32_t at = 0; at < n; at += CHUNK) {
        if (cli_interrupted) return CLI_INTERRUPTED;
        if (mote_session_feed(draft->session, tokens + at, n - at < CHUNK ? n - at : CHUNK, &error))
            return cli_model_fail(&draft->model, &error);
    }
    return CLI_OK;
}

static mote_token likeliest(const float *logits, uint32_t n) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return (mote_token)best;
}

int cli_draft_model_guess(struct cli_draft_model *draft, const mote_token *tokens, uint32_t n_text,
                          mote_token token, mote_token *guesses, uint32_t n, uint32_t *n_behind) {
    const mote_token *held = mote_session_tokens(draft->session);
    uint32_t common = 0, n_held = mote_session_length(draft->session);
    while (common < n_held && common < n_text && held[common] == tokens[common])
        common++;
    mote_status status = mote_session_truncate(draft->session, common);
    if (status) return cli_fail(CLI_FAILED, "%s: %s", draft->model.path, mote_status_text(status));
    *n_behind = n_text - common;
    int code = feed(draft, tokens + common, n_text - common);
    for (uint32_t i = 0; i < n && !code; i++) {
        code = feed(draft, i ? &guesses[i - 1] : &token, 1);
        if (!code) guesses[i] = likeliest(mote_context_logits(draft->model.context, 0), draft->n_vocab);
    }
    return code;
}
