/* SPDX-License-Identifier: Apache-2.0
 *
 * template.c: the way through a rendering, its memory, its output and its errors.
 *
 * The work block is a bump arena with 8-byte steps (an arena of base/ would spend 64 bytes on a 16-byte
 * value). Strings are packed without gaps, which lets a concatenation grow in place when its left side is the
 * last thing taken. */
#include "text/template_internal.h"

void *mote_text_render_take(struct render *r, size_t n, size_t size) {
    size_t start = size == 1 ? r->used : (r->used + 7) & ~(size_t)7;
    if (r->status) return NULL;
    if (start > r->size || (n && (r->size - start) / n < size)) {
        FAIL_AS(r, MOTE_E_MEMORY, "the template needs more working memory than %u bytes", (uint64_t)r->size);
        return NULL;
    }
    r->used = start + n * size;
    return memset(r->block + start, 0, n * size);
}

int mote_text_render_spend(struct render *r, size_t n) {
    if (n >= r->steps) {
        r->steps = 0;
        FAIL(r, "the template does too much work");
    } else {
        r->steps -= (uint32_t)n;
    }
    return !r->status;
}

int mote_text_render_enter(struct render *r) {
    if (++r->depth > LIMIT_DEPTH) FAIL(r, "nested too deeply");
    return mote_text_render_spend(r, 1);
}

void mote_text_render_put(struct render *r, const char *s, size_t n) {
    if (!n || !mote_text_render_spend(r, n / 16)) return;
    if (n > r->max_out - r->n_out) {
        FAIL_AS(r, MOTE_E_ROOM, "the text does not fit in %u bytes", (uint64_t)r->max_out);
        return;
    }
    memcpy(r->out + r->n_out, s, n);
    r->n_out += n;
}

void mote_text_render_put_text(struct render *r, const char *text) {
    size_t n = 0;
    while (text[n])
        n++;
    mote_text_render_put(r, text, n);
}

struct value mote_text_render_capture(struct render *r, size_t start) {
    size_t n = r->n_out - start;
    char *s = mote_text_render_take(r, n, 1);
    if (s) memcpy(s, r->out + start, n);
    r->n_out = start;
    return mote_text_value_string(s, s ? n : 0);
}

/* Fills error with what was kept, adding the line and column of r->at and its offset in the text as given
 * (where each \r\n is one byte longer than in r->source). */
static mote_status report(const struct render *r, mote_error *error) {
    uint64_t line = 1, column = 1, where = 0;
    for (uint32_t i = 0; i < r->at && i < r->source.n; i++, where++) {
        if (r->original.data[where] == '\r' && where + 1 < r->original.n &&
            r->original.data[where + 1] == '\n')
            where++;
        column++;
        if (r->source.data[i] == '\n') line++, column = 1;
    }
    return mote_base_fail(error, r->status, where, "template line %u, column %u: %s", line, column,
                          r->message);
}

static void read_variables(struct render *r, mote_text text, mote_error *error) {
    uint32_t at = 0;
    struct value variables = mote_text_json_read(r, text, &at);
    if (!r->status && variables.type != V_DICT) FAIL_AS(r, MOTE_E_ARGUMENT, "not an object");
    if (r->status)
        mote_base_fail(error, r->status, at, "template variables, byte %u: %s", (uint64_t)at, r->message);
    r->globals = variables.dict;
}

mote_status mote_text_template_render(mote_text source, mote_text variables, uint64_t now, void *work,
                                      uint64_t work_bytes, char *out, size_t max_out, size_t *n_out,
                                      mote_error *error) {
    uint64_t skip = work ? (0 - (uintptr_t)work) % 8 : 0, begin = skip + sizeof(struct render);
    if (source.n > LIMIT_BYTES || variables.n > LIMIT_BYTES)
        return mote_base_fail(error, MOTE_E_ARGUMENT, 0, "template or variables over 2 GiB");
    if (!work || work_bytes < begin)
        return mote_base_fail(error, MOTE_E_MEMORY, 0, "template: no working memory");

    struct render *r = (struct render *)((char *)work + skip);
    memset(r, 0, sizeof *r);
    r->original = source;
    r->steps = LIMIT_STEPS;
    r->block = (char *)(r + 1);
    r->size = work_bytes - begin > LIMIT_BYTES ? LIMIT_BYTES : (size_t)(work_bytes - begin);
    r->out = out;
    r->max_out = !out ? 0 : max_out > LIMIT_BYTES ? LIMIT_BYTES : max_out;
    r->now = now;

    read_variables(r, variables, error);
    if (r->status) return r->status;
    mote_text_lex_open(r, source);
    r->loop = mote_text_parse_name(r, (mote_text){"loop", 4});
    r->caller = mote_text_parse_name(r, (mote_text){"caller", 6});
    struct node *first = mote_text_parse_template(r);
    r->stack = mote_text_render_take(r, LIMIT_STACK, sizeof *r->stack);
    r->scope = mote_text_render_take(r, 1, sizeof *r->scope);
    if (!r->status) mote_text_run(r, first);
    if (r->status) return report(r, error);
    *n_out = r->n_out;
    return MOTE_OK;
}
