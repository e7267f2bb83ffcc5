/* SPDX-License-Identifier: Apache-2.0
 *
 * template_value.c: what values are, as in Python: made, kept in lists and dicts, true or false, iterated.
 *
 * A dict is the list of its keys and values in turn; looking a key up is a walk, paid for in steps. */
#include "text/template_internal.h"

struct value *mote_text_value_new(struct render *r, int type) {
    struct value *v = mote_text_render_idle(r) ? NULL : mote_text_render_take(r, 1, sizeof *v);
    if (!v) v = memset(&r->spare, 0, sizeof r->spare);
    v->type = (uint8_t)type;
    return v;
}

struct value *mote_text_value_string(struct render *r, const char *s, size_t n) {
    struct value *v = mote_text_value_new(r, V_STRING);
    if (mote_text_render_idle(r)) return &r->undefined;
    v->s = n ? s : "";
    v->n = (uint32_t)n;
    return v;
}

struct value *mote_text_value_int(struct render *r, int64_t i) {
    struct value *v = mote_text_value_new(r, V_INT);
    v->i = i;
    return v;
}

struct value *mote_text_value_float(struct render *r, double f) {
    struct value *v = mote_text_value_new(r, V_FLOAT);
    v->f = f;
    return v;
}

struct value *mote_text_value_bool(struct render *r, int truth) {
    return truth ? &r->yes : &r->no;
}

void mote_text_list_append(struct render *r, struct value *list, struct value *item) {
    if (r->dry || !mote_text_render_spend(r, 1)) return;
    if ((uintptr_t)list < (uintptr_t)r->block + r->mark) r->kept = 1;
    if (list->n == list->room) {
        uint32_t room = list->n < 4 ? 4 : list->n * 2;
        struct value **items = mote_text_render_take(r, room, sizeof *items);
        if (!items) return;
        if (list->n) memcpy(items, list->items, list->n * sizeof *items);
        list->items = items;
        list->room = room;
    }
    list->items[list->n++] = item;
}

struct value **mote_text_dict_find(struct render *r, struct value *dict, struct value *key) {
    for (uint32_t i = 0; i < dict->n && !r->status; i += 2)
        if (mote_text_value_equal(r, dict->items[i], key)) return &dict->items[i + 1];
    mote_text_render_spend(r, dict->n / 16);
    return NULL;
}

void mote_text_dict_insert(struct render *r, struct value *dict, struct value *key, struct value *value) {
    struct value **place = mote_text_dict_find(r, dict, key);
    if (key->type == V_LIST || key->type == V_DICT) mote_text_render_fail(r, "cannot be a key: ", key);
    if (place) {
        *place = value;
        r->kept = 1;
    } else {
        mote_text_list_append(r, dict, key);
        mote_text_list_append(r, dict, value);
    }
}

int mote_text_value_truth(const struct value *v) {
    if (v->type == V_FLOAT) return v->f != 0;
    if (v->type <= V_INT) return v->type > V_NONE && v->i != 0;
    return v->type > V_DICT || v->n;
}

struct value *mote_text_value_items(struct render *r, struct value *v) {
    if (v->type == V_LIST || v->type == V_TUPLE) return v;
    struct value *items = mote_text_value_new(r, V_LIST);
    if (v->type == V_STRING) {
        for (const char *s = v->s, *from = s, *end = s + v->n; s < end && !r->status; from = s) {
            mote_text_string_next(&s, end);
            mote_text_list_append(r, items, mote_text_value_string(r, from, (size_t)(s - from)));
        }
    } else if (v->type == V_DICT) {
        for (uint32_t i = 0; i < v->n && !r->status; i += 2)
            mote_text_list_append(r, items, v->items[i]);
    } else if (v->type != V_UNDEFINED) {
        mote_text_render_fail(r, "cannot iterate over ", v);
    }
    return items;
}

struct value *mote_text_value_pairs(struct render *r, struct value *dict) {
    struct value *all = mote_text_value_new(r, V_LIST);
    if (dict->type != V_DICT && dict->type != V_UNDEFINED) mote_text_render_fail(r, "no dict: ", dict);
    for (uint32_t i = 0; !r->status && i < dict->n && dict->type == V_DICT; i += 2) {
        struct value *pair = mote_text_value_new(r, V_TUPLE);
        mote_text_list_append(r, pair, dict->items[i]);
        mote_text_list_append(r, pair, dict->items[i + 1]);
        mote_text_list_append(r, all, pair);
    }
    return all;
}

/* By insertion: what templates sort is short. */
void mote_text_value_sort(struct render *r, struct value *pairs, int reverse) {
    struct value **items = pairs->items;
    for (uint32_t end = 2; end < pairs->n; end += 2) {
        struct value *key = items[end], *item = items[end + 1];
        uint32_t i = end;
        for (; i > 0 && mote_text_render_spend(r, 1); i -= 2) {
            int order = mote_text_value_order(r, items[i - 2], key);
            if (reverse ? order >= 0 : order <= 0) break;
            items[i] = items[i - 2];
            items[i + 1] = items[i - 1];
        }
        items[i] = key;
        items[i + 1] = item;
    }
}
