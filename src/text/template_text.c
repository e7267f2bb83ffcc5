/* SPDX-License-Identifier: Apache-2.0
 *
 * template_text.c: built-ins on text, and those that give text. */
#include "text/template_builtin.h"

int64_t mote_text_value_int_of(struct render *r, const struct value *v, int64_t other) {
    if (v->type <= V_NONE) return other;
    if (v->type > V_INT) mote_text_render_fail(r, "no int: ", v);
    return v->i;
}

/* part may be a tuple: any of them. */
static int has_end(struct render *r, struct value *s, struct value *part, int at_end) {
    if (part->type == V_TUPLE) {
        for (uint32_t i = 0; i < part->n && !r->status; i++)
            if (has_end(r, s, part->items[i], at_end)) return 1;
        return 0;
    }
    if (part->type != V_STRING) mote_text_render_fail(r, "no string: ", part);
    return !r->status && part->n <= s->n &&
           memcmp(s->s + (at_end ? s->n - part->n : 0), part->s, part->n) == 0;
}

static struct value *indent(struct render *r, struct value **a) {
    struct value *text = mote_text_write_text(r, a[0]), space = {.type = V_STRING, .n = 1, .s = " "},
                 *width = a[1];
    size_t start = r->n_out;
    int begins = mote_text_value_truth(a[2]);
    if (width->type == V_UNDEFINED) width = mote_text_value_int(r, 4);
    if (width->type != V_STRING) width = mote_text_operate(r, '*', &space, width);
    for (uint32_t i = 0; i <= text->n && mote_text_render_spend(r, 1); i++) {
        int blank = i == text->n || text->s[i] == '\n';
        if (begins && (i == 0 || !blank || mote_text_value_truth(a[3])))
            mote_text_render_put(r, width->s, width->n);
        if (i < text->n) mote_text_render_put(r, text->s + i, 1);
        begins = i < text->n && text->s[i] == '\n';
    }
    return mote_text_render_capture(r, start);
}

/* v as an int, by way of a float if it must be. other where it is no number. */
static struct value *to_int(struct render *r, struct value *v, struct value *other) {
    struct value number = *v;
    uint32_t sign = 0;
    if (other->type == V_UNDEFINED) other = mote_text_value_int(r, 0);
    if (v->type == V_UNDEFINED) return mote_text_render_fail(r, "undefined: ", v);
    if (v->type == V_STRING) {
        v = mote_text_string_strip(r, v, &r->none, STRIP_LEFT | STRIP_RIGHT);
        sign = v->n && *v->s == '-';
        if (v->n == sign || mote_text_number_read(r, v->s + sign, v->n - sign, &number) != v->n - sign)
            return other;
    }
    if (number.type == V_FLOAT && number.f > -0x1p63 && number.f < 0x1p63)
        number.i = (int64_t)number.f;
    else if (number.type != V_INT && number.type != V_BOOL)
        return other;
    return mote_text_value_int(r, sign ? -number.i : number.i);
}

static struct value *to_json(struct render *r, struct value **a) {
    struct value comma = {.type = V_STRING, .n = 2, .s = ", "}, colon = {.type = V_STRING, .n = 2, .s = ": "};
    struct style style = {1, (uint8_t)mote_text_value_truth(a[4]), -1, &comma, &colon};
    size_t start = r->n_out;
    if (mote_text_value_truth(a[1])) mote_text_render_fail(r, "no ensure_ascii here", NULL);
    if (a[2]->type > V_NONE) {
        style.indent = mote_text_value_int_of(r, a[2], 0);
        comma.n = 1;
    }
    if (a[3]->type > V_NONE) {
        struct value *pair = mote_text_value_items(r, a[3]);
        if (pair->n != 2 || pair->items[0]->type != V_STRING || pair->items[1]->type != V_STRING)
            return mote_text_render_fail(r, "cannot unpack ", pair);
        style.item = pair->items[0];
        style.key = pair->items[1];
    }
    mote_text_write_value(r, a[0], &style, 0);
    return mote_text_render_capture(r, start);
}

struct value *mote_text_builtin_text(struct render *r, int id, struct value **a) {
    size_t start = r->n_out;
    struct value *v;
    int64_t at;
    switch (id) {
    case B_TOJSON:
        return to_json(r, a);
    case B_INT:
        return to_int(r, a[0], a[1]);
    case B_INDENT:
        return indent(r, a);
    case B_STARTSWITH:
    case B_ENDSWITH:
        return mote_text_value_bool(r, has_end(r, a[0], a[1], id == B_ENDSWITH));
    case B_SPLIT:
        return mote_text_string_split(r, a[0], a[1], mote_text_value_int_of(r, a[2], -1));
    case B_RAISE:
        v = mote_text_write_text(r, a[1]);
        return mote_text_render_fail(r, "", v);
    case B_STRFTIME:
        mote_text_time_put(r, mote_text_write_text(r, a[1]));
        return mote_text_render_capture(r, start);
    }
    v = mote_text_write_text(r, a[0]);
    switch (id) {
    case B_LOWER:
    case B_UPPER:
    case B_CAPITALIZE:
    case B_TITLE:
        return mote_text_string_case(r, v, id - B_LOWER);
    case B_LSTRIP:
    case B_RSTRIP:
    case B_STRIP:
    case B_TRIM:
        return mote_text_string_strip(r, v, a[1],
                                      id == B_TRIM ? STRIP_LEFT | STRIP_RIGHT : id - B_LSTRIP + 1);
    case B_REPLACE:
        return mote_text_string_replace(r, v, mote_text_write_text(r, a[1]), mote_text_write_text(r, a[2]),
                                        mote_text_value_int_of(r, a[3], -1));
    case B_FIND:
        at = mote_text_string_find(r, v, mote_text_write_text(r, a[1]), 0);
        return mote_text_value_int(r, at > 0 ? (int64_t)mote_text_string_length(v->s, (size_t)at) : at);
    }
    return v; /* string, safe */
}
