/* SPDX-License-Identifier: Apache-2.0
 *
 * text.c: the text half of mote.h: tokens, and conversations through the model's chat template. */
#include "base/error.h"
#include "base/memory.h"
#include "engine/engine.h"
#include "text/template.h"

/* For files without a template, mostly base models: the texts of the messages, a line each. */
static const char plain_template[] = "{% for message in messages %}{{ message.content }}"
                                     "{% if not loop.last %}{{ '\\n' }}{% endif %}{% endfor %}";

static mote_status no_tokenizer(mote_error *error) {
    return mote_base_fail(error, MOTE_E_UNSUPPORTED, 0, "the file has no tokenizer");
}

void mote_tokenize_plan(const mote_model *model, size_t n_text, uint64_t *work_bytes, size_t *max_tokens) {
    *work_bytes = 0;
    *max_tokens = 0;
    if (model->has_tokenizer) mote_text_encode_plan(model->vocab, n_text, work_bytes, max_tokens);
}

mote_status mote_tokenize(const mote_model *model, mote_text text, unsigned flags, void *work,
                          uint64_t work_bytes, mote_token *tokens, size_t max_tokens, size_t *n_tokens,
                          mote_error *error) {
    if (!model->has_tokenizer) return no_tokenizer(error);
    return mote_text_encode(model->vocab, text, flags, work, work_bytes, tokens, max_tokens, n_tokens, error);
}

mote_status mote_detokenize(const mote_model *model, mote_detokenizer *state, mote_token token, char *out,
                            size_t max_out, size_t *n_out) {
    if (!model->has_tokenizer) return MOTE_E_TOKEN;
    return mote_text_decode(model->vocab, state, token, out, max_out, n_out);
}

mote_status mote_detokenize_end(mote_detokenizer *state, int raw, char *out, size_t max_out, size_t *n_out) {
    return mote_text_decode_end(state, raw, out, max_out, n_out);
}

size_t mote_detokenize_max(const mote_model *model) {
    return model->has_tokenizer ? mote_text_decode_max(model->vocab) : 0;
}

int mote_token_is_end(const mote_model *model, mote_token token) {
    return model->has_tokenizer && mote_text_is_end(model->vocab, token);
}

/* ---- chat ---- */

/* JSON being written into the front of the caller's working memory. */
struct json {
    char *out;
    size_t n, max;
    int full;
};

static void put(struct json *json, const char *text, size_t n) {
    if (json->full || n > json->max - json->n) {
        json->full = 1;
        return;
    }
    memcpy(json->out + json->n, text, n);
    json->n += n;
}

__attribute__((noinline)) static void put_word(struct json *json, const char *word) {
    size_t n = 0;
    while (word[n])
        n++;
    put(json, word, n);
}

static void put_string(struct json *json, const char *name, mote_text text,
                       const struct mote_text_vocab *vocab) {
    put_word(json, name);
    if (!json->full && !mote_text_json_string(text, vocab, json->out, json->max, &json->n)) json->full = 1;
}

__attribute__((noinline)) static int is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The members of the caller's object, without its braces, after a comma. The interpreter checks what they
 * are. */
static void put_members(struct json *json, mote_text object) {
    const char *start = object.data, *end = start + object.n;
    while (start < end && is_space(*start))
        start++;
    while (start < end && is_space(end[-1]))
        end--;
    if (end - start < 2 || *start != '{' || end[-1] != '}') {
        if (start < end) put_word(json, ",not an object"); /* refused with a place, below */
        return;
    }
    for (start++, end--; start < end && is_space(*start);)
        start++;
    if (start == end) return;
    put_word(json, ",");
    put(json, start, (size_t)(end - start));
}

static mote_text token_text(const mote_model *model, mote_token token) {
    return mote_text_token(model->vocab, token);
}

static int starts_with(const char *text, size_t n, mote_text start) {
    return start.n > 0 && n >= start.n && memcmp(text, start.data, start.n) == 0;
}

mote_status mote_model_chat(const mote_model *model, const mote_message *messages, size_t n_messages,
                            int add_generation, mote_text variables_json, void *work, uint64_t work_bytes,
                            char *out, size_t max_out, size_t *n_out, int *wrote_bos, mote_error *error) {
    if (!model->has_tokenizer) return no_tokenizer(error);
    mote_model_info info;
    mote_model_describe(model, &info);
    mote_text template = info.chat_template;
    if (!template.n) template = (mote_text){plain_template, sizeof plain_template - 1};

    struct json json = {work, 0, work_bytes < SIZE_MAX ? (size_t)work_bytes : SIZE_MAX, 0};
    put_word(&json, "{\"messages\":[");
    for (size_t i = 0; i < n_messages; i++) {
        put_string(&json, i ? ",{\"role\":" : "{\"role\":", messages[i].role, model->vocab);
        put_string(&json, ",\"content\":", messages[i].content, model->vocab);
        put_word(&json, "}");
    }
    put_string(&json, "],\"bos_token\":", token_text(model, info.bos), NULL);
    put_string(&json, ",\"eos_token\":", token_text(model, info.eos), NULL);
    put_word(&json, add_generation ? ",\"add_generation_prompt\":true" : ",\"add_generation_prompt\":false");
    put_members(&json, variables_json);
    put_word(&json, "}");
    size_t used = (json.n + MOTE_ALIGN - 1) / MOTE_ALIGN * MOTE_ALIGN;
    if (json.full || used > work_bytes)
        return mote_base_fail(error, MOTE_E_MEMORY, 0, "%u bytes of memory are too few for the messages",
                              work_bytes);

    mote_status status =
        mote_text_template_render(template, (mote_text){json.out, json.n}, 0, (char *)work + used,
                                  work_bytes - used, out, max_out, n_out, error);
    if (!status && wrote_bos) *wrote_bos = starts_with(out, *n_out, token_text(model, info.bos));
    return status;
}
