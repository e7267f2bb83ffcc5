/* SPDX-License-Identifier: Apache-2.0
 *
 * prompt.c: a conversation as tokens.
 *
 * Where the system prompt ends cannot be asked of a template. It is found by experiment: the same beginning
 * is rendered with two different first turns, and the tokens that both have in common are those before them.
 */
#include <stdlib.h>
#include <string.h>

#include "apps/cli/prompt.h"

static int tokenize(const struct cli_model *model, const mote_message *messages, size_t n_messages,
                    mote_token **tokens, size_t *n_tokens) {
    struct cli_buffer text = {0};
    int wrote_bos = 0;
    int code = cli_model_render(model, messages, n_messages, 1, &text, &wrote_bos);
    if (!code) {
        unsigned flags =
            MOTE_TOKENIZE_PARSE_SPECIAL | MOTE_TOKENIZE_CHAT | (wrote_bos ? 0 : MOTE_TOKENIZE_ADD_SPECIAL);
        code = cli_model_tokenize(model, (mote_text){text.data, text.n}, flags, tokens, n_tokens);
        /* the turn is open: an end added by the tokenizer does not belong there */
        if (!code && !wrote_bos && model->info.add_eos && *n_tokens &&
            (*tokens)[*n_tokens - 1] == model->info.eos)
            --*n_tokens;
    }
    cli_buffer_close(&text);
    return code;
}

static int count_kept(const struct cli_model *model, const mote_message *messages, const mote_token *tokens,
                      size_t n_tokens, uint32_t *n_keep) {
    size_t first = messages[0].role.n == 6 && !memcmp(messages[0].role.data, "system", 6) ? 1 : 0;
    mote_message other[2] = {messages[0]};
    const char *content = messages[first].content.n && messages[first].content.data[0] == '?' ? "!" : "?";
    other[first] = (mote_message){{"user", 4}, {content, 1}};
    mote_token *other_tokens = NULL;
    size_t n_other = 0, n = 0;
    int code = tokenize(model, other, first + 1, &other_tokens, &n_other);
    if (code) return code;
    while (n < n_tokens && n < n_other && tokens[n] == other_tokens[n])
        n++;
    free(other_tokens);
    *n_keep = (uint32_t)n;
    return CLI_OK;
}

int cli_prompt_tokens(const struct cli_model *model, const mote_message *messages, size_t n_messages,
                      mote_token **tokens, size_t *n_tokens, uint32_t *n_keep) {
    int code = tokenize(model, messages, n_messages, tokens, n_tokens);
    if (code || !n_keep) return code;
    code = count_kept(model, messages, *tokens, *n_tokens, n_keep);
    if (!code) return CLI_OK;
    free(*tokens);
    *tokens = NULL;
    return code;
}
