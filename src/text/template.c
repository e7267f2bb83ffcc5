/* SPDX-License-Identifier: Apache-2.0
 *
 * template.c: the way through a rendering, its memory, its output and its errors.
 *
 * The work block is a bump arena with 8-byte steps (an arena of base/ would spend 64 bytes on a 16-byte
 * value). Strings are packed without gaps, which lets a concatenation grow in place when its left side is the
 * last thing taken. */
#include "text/template_internal.h"

struct value *mote_text_render_fail(struct render *r, const char *what, const struct value *about) {
    static const char types[] = "undefined\0none\0bool\0int\0float\0string\0list\0tuple\0dict\0namespace\0"
                                "loop\0macro\0function\0";
    if (r->status) return &r->undefined;
    r->status = MOTE_E_TEMPLATE;
    mote_text text = {"", 0};
    if (about && (about->type == V_STRING || about->type == V_UNDEFINED)) {
        text = (mote_text){about->s, about->n};
    } else if (about) {
        text.data = mote_text_words_get(types, about->type);
        while (text.data[text.n])
            text.n++;
    }
    mote_base_format(r->message, sizeof r->message, "%s%t", what, text);
    return &r->undefined;
}

/* Never inlined, as it is asked everywhere. */
__attribute__((noinline)) int mote_text_render_idle(const struct render *r) {
    return r->dry || r->status;
}

static void fail_as(struct render *r, mote_status status, const char *what) {
    if (r->status) return;
    mote_text_render_fail(r, what, NULL);
    r->status = status;
}

void *mote_text_render_take(struct render *r, size_t n, size_t size) {
    size_t start = size == 1 ? r->used : (r->used + 7) & ~(size_t)7;
    if (start > r->size || (r->size - start) / size < n) fail_as(r, MOTE_E_MEMORY, "too little memory");
    if (r->status) return NULL;
    r->used = start + n * size;
    return memset(r->block + start, 0, n * size);
}

int mote_text_render_spend(struct render *r, size_t n) {
    if (n >= r->steps) {
        mote_text_render_fail(r, "too much work", NULL);
        n = r->steps;
    }
    r->steps -= (uint32_t)n;
    return !r->status;
}

int mote_text_render_enter(struct render *r) {
    if (++r->depth > LIMIT_DEPTH) mote_text_render_fail(r, "nested too deeply", NULL);
    return mote_text_render_spend(r, 1);
}

void mote_text_render_put(struct render *r, const char *s, size_t n) {
    if (!n || !mote_text_render_spend(r, n / 16)) return;
    if (n > r->max_out - r->n_out) {
        fail_as(r, MOTE_E_ROOM, "the text does not fit");
        return;
    }
    memcpy(r->out + r->n_out, s, n);
    r->n_out += n;
}

void mote_text_render_put_word(struct render *r, const char *word) {
    while (*word)
        mote_text_render_put(r, word++, 1);
}

struct value *mote_text_render_capture(struct render *r, size_t start) {
    size_t n = r->n_out - start;
    char *s = mote_text_render_take(r, n, 1);
    if (s) memcpy(s, r->out + start, n);
    r->n_out = start;
    return mote_text_value_string(r, s, n);
}

/* Fills error with what was kept, adding the line and column of r->at and its offset in the text as given
 * (where each \r\n is one byte longer than in r->source). */
static mote_status report(const struct render *r, mote_text given, mote_error *error) {
    uint64_t line = 1, column = 1, where = 0;
    for (uint32_t i = 0; i < r->at && i < r->source.n; i++, where++) {
        if (given.data[where] == '\r' && r->source.data[i] == '\n' && given.data[where + 1] == '\n') where++;
        column++;
        if (r->source.data[i] == '\n') line++, column = 1;
    }
    return mote_base_fail(error, r->status, where,
                          r->json ? "variables, line %u, column %u: %s" : "template line %u, column %u: %s",
                          line, column, r->message);
}

static void read_variables(struct render *r, mote_text text) {
    r->source = text;
    r->json = r->in_tag = 1;
    mote_text_lex_next(r);
    r->scope->names = mote_text_expression_json(r);
    mote_text_lex_expect(r, T_END);
    if (r->scope->names->type != V_DICT) mote_text_render_fail(r, "no dict: ", r->scope->names);
    if (r->status == MOTE_E_TEMPLATE) r->status = MOTE_E_ARGUMENT;
}

mote_status mote_text_template_render(mote_text source, mote_text variables, uint64_t now, void *work,
                                      uint64_t work_bytes, char *out, size_t max_out, size_t *n_out,
                                      mote_error *error) {
    uint64_t skip = work ? (0 - (uintptr_t)work) % 8 : 0, begin = skip + sizeof(struct render);
    if (source.n > LIMIT_BYTES || variables.n > LIMIT_BYTES)
        return mote_base_fail(error, MOTE_E_ARGUMENT, 0, "template over 2 GiB");
    if (!work || work_bytes < begin) return mote_base_fail(error, MOTE_E_MEMORY, 0, "no working memory");

    struct render *r = (struct render *)((char *)work + skip);
    struct scope scope = {0};
    memset(r, 0, sizeof *r);
    r->steps = LIMIT_STEPS;
    r->block = (char *)(r + 1);
    r->size = work_bytes - begin > LIMIT_BYTES ? LIMIT_BYTES : (size_t)(work_bytes - begin);
    r->out = out;
    r->max_out = !out ? 0 : max_out > LIMIT_BYTES ? LIMIT_BYTES : max_out;
    r->now = now;
    r->token.text.type = V_STRING;
    r->none.type = V_NONE;
    r->no.type = r->yes.type = V_BOOL;
    r->yes.i = 1;
    r->scope = &scope;
    r->stack = mote_text_render_take(r, LIMIT_STACK, sizeof *r->stack);

    read_variables(r, variables);
    if (r->status) return report(r, variables, error);
    mote_text_lex_open(r, source);
    mote_text_run(r);
    if (r->status) return report(r, source, error);
    *n_out = r->n_out;
    return MOTE_OK;
}
