/* SPDX-License-Identifier: Apache-2.0
 *
 * template_write.c: values → text: Python's str and repr, and JSON as json.dumps writes it.
 *
 * Lists may come to hold themselves (append); everything that walks into values goes through
 * mote_text_render_enter and so ends. */
#include "text/template_internal.h"
#include "text/utf8.h"
#include "text/vocab.h"

/* Quotes of JSON are double; Python's single, unless the text has these and no double ones. In JSON bytes
 * that are no UTF-8 become U+FFFD. */
static void put_quoted(struct render *r, const char *s, size_t n, int json,
                       const struct mote_text_vocab *vocab) {
    static const char letters[] = "\nn\tt\rr\bb\ff", digits[] = "0123456789abcdef";
    const char *end = s + n, *from = s, *stop = letters + (json ? 10 : 6);
    int single = 0, twice = json;
    for (size_t i = 0; i < n; i++) {
        single |= s[i] == '\'';
        twice |= s[i] == '"';
    }
    char quote = json || (single && !twice) ? '"' : '\'';
    mote_text_render_put(r, &quote, 1);
    for (; s < end && mote_text_render_spend(r, 1); from = s) {
        uint32_t code = mote_text_string_next(&s, end);
        char escape[2] = {'\\', code == (unsigned char)quote || code == '\\' ? (char)code : 0};
        for (const char *l = letters; l < stop; l += 2)
            if (code == (unsigned char)*l) escape[1] = l[1];
        if (escape[1]) {
            mote_text_render_put(r, escape, 2);
        } else if (code < 32 || (code == 127 && !json)) {
            mote_text_render_put_word(r, json ? "\\u00" : "\\x");
            mote_text_render_put(r, &digits[code >> 4], 1);
            mote_text_render_put(r, &digits[code & 15], 1);
        } else if (json) {
            mote_text_string_put(r, code);
        } else {
            mote_text_render_put(r, from, (size_t)(s - from));
        }
        size_t length;
        mote_token id =
            vocab ? mote_text_find_special(vocab, from, (size_t)(end - from), 1, &length) : MOTE_TOKEN_NONE;
        if (id != MOTE_TOKEN_NONE && mote_text_type(vocab, (uint32_t)id) != MOTE_TEXT_USER_DEFINED)
            mote_text_string_put(r, MOTE_TEXT_BREAK);
    }
    mote_text_render_put(r, &quote, 1);
}

int mote_text_json_string(mote_text text, const struct mote_text_vocab *vocab, char *out, size_t max_out,
                          size_t *n) {
    struct render r;
    memset(&r, 0, sizeof r);
    r.steps = UINT32_MAX;
    r.out = out;
    r.n_out = *n;
    r.max_out = max_out;
    put_quoted(&r, text.data, text.n, 1, vocab);
    if (!r.status) *n = r.n_out;
    return !r.status;
}

static void put_break(struct render *r, const struct style *style, int64_t level) {
    if (style->indent < 0) return;
    mote_text_render_put_word(r, "\n");
    for (; level > 0 && !r->status; level--)
        for (int64_t c = 0; c < style->indent && mote_text_render_spend(r, 1); c++)
            mote_text_render_put_word(r, " ");
}

static void put_items(struct render *r, struct value *v, const struct style *style, int64_t level) {
    static const char brackets[] = "[](){}";
    const char *bracket = brackets + 2 * (v->type - V_LIST - (v->type == V_TUPLE && style->json));
    uint32_t step = v->type == V_DICT ? 2 : 1;
    if (step == 2 && style->sort) {
        struct value *sorted = mote_text_value_new(r, V_DICT);
        for (uint32_t i = 0; i < v->n; i++)
            mote_text_list_append(r, sorted, v->items[i]);
        mote_text_value_sort(r, sorted, 0);
        v = sorted;
    }
    mote_text_render_put(r, bracket, 1);
    for (uint32_t i = 0; i < v->n && !r->status; i += step) {
        if (i) mote_text_render_put(r, style->item->s, style->item->n);
        put_break(r, style, level + 1);
        if (step == 2) {
            if (style->json && v->items[i]->type != V_STRING)
                mote_text_render_fail(r, "cannot be a key: ", v->items[i]);
            mote_text_write_value(r, v->items[i], style, 0);
            mote_text_render_put(r, style->key->s, style->key->n);
        }
        mote_text_write_value(r, v->items[i + step - 1], style, level + 1);
    }
    if (v->n) put_break(r, style, level);
    if (v->type == V_TUPLE && v->n == 1 && !style->json) mote_text_render_put_word(r, ",");
    mote_text_render_put(r, bracket + 1, 1);
}

static const struct value comma = {.type = V_STRING, .n = 2, .s = ", "},
                          colon = {.type = V_STRING, .n = 2, .s = ": "};
static const struct style python = {.indent = -1, .item = &comma, .key = &colon};

static void put_inside(struct render *r, struct value *v, const struct style *style, int64_t level) {
    static const char words[] = "None\0False\0True\0null\0false\0true\0";
    int json = style && style->json;
    if (json && (v->type == V_UNDEFINED || v->type > V_DICT)) mote_text_render_fail(r, "no JSON for ", v);
    if (v->type == V_UNDEFINED)
        mote_text_render_put_word(r, style ? "Undefined" : "");
    else if (v->type <= V_BOOL)
        mote_text_render_put_word(
            r, mote_text_words_get(words, 3 * json + (v->type == V_BOOL ? 1 + (int)v->i : 0)));
    else if (v->type <= V_FLOAT)
        mote_text_number_put(r, v);
    else if (v->type == V_STRING && style)
        put_quoted(r, v->s, v->n, json, NULL);
    else if (v->type == V_STRING)
        mote_text_render_put(r, v->s, v->n);
    else if (v->type <= V_DICT)
        put_items(r, v, style ? style : &python, level);
    else
        mote_text_render_put_word(r, "<object>"); /* Python would show an address */
}

void mote_text_write_value(struct render *r, struct value *v, const struct style *style, int64_t level) {
    if (mote_text_render_enter(r)) put_inside(r, v, style, level);
    r->depth--;
}

struct value *mote_text_write_text(struct render *r, struct value *v) {
    if (v->type == V_STRING) return v;
    size_t start = r->n_out;
    mote_text_write_value(r, v, NULL, 0);
    return mote_text_render_capture(r, start);
}
