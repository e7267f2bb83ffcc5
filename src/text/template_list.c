/* SPDX-License-Identifier: Apache-2.0
 *
 * template_list.c: built-ins on lists and dicts, and tests. */
#include "text/template_builtin.h"

enum { RANGE_MOST = 10000 };

/* item.a.b for attribute "a.b"; item[n] for an int n; the item itself for none. */
static struct value *path(struct render *r, struct value *v, struct value *attribute) {
    if (attribute->type != V_STRING)
        return attribute->type <= V_NONE ? v : mote_text_expression_member(r, v, attribute, 1);
    const char *s = attribute->s, *end = s + attribute->n, *from = s;
    for (;; s++)
        if (s == end || *s == '.') {
            v = mote_text_expression_member(r, v, mote_text_value_string(r, from, (size_t)(s - from)), 1);
            if (s == end || r->status) return v;
            from = s + 1;
        }
}

static struct value *values(struct render *r, const struct value *dict, uint32_t offset) {
    struct value *all = mote_text_value_new(r, V_LIST);
    for (uint32_t i = offset; i < dict->n && !r->status; i += 2)
        mote_text_list_append(r, all, dict->items[i]);
    return all;
}

/* By an attribute, in lower case unless that matters. */
static struct value *sort(struct render *r, struct value *list, struct value *reverse,
                          struct value *case_sensitive, struct value *attribute) {
    struct value *pairs = mote_text_value_new(r, V_DICT);
    list = mote_text_value_items(r, list);
    for (uint32_t i = 0; i < list->n && !r->status; i++) {
        struct value *key = path(r, list->items[i], attribute);
        if (key->type == V_STRING && !mote_text_value_truth(case_sensitive))
            key = mote_text_string_case(r, key, CASE_LOWER);
        mote_text_list_append(r, pairs, key);
        mote_text_list_append(r, pairs, list->items[i]);
    }
    if (!r->status) mote_text_value_sort(r, pairs, mote_text_value_truth(reverse));
    return values(r, pairs, 1);
}

static struct value *join(struct render *r, struct value *list, struct value *between,
                          struct value *attribute) {
    size_t start = r->n_out;
    list = mote_text_value_items(r, list);
    for (uint32_t i = 0; i < list->n && mote_text_render_spend(r, 1); i++) {
        if (i) mote_text_write_value(r, between, NULL, 0);
        mote_text_write_value(r, path(r, list->items[i], attribute), NULL, 0);
    }
    return mote_text_render_capture(r, start);
}

/* map, select and reject, with attr or without: a filter or test by name over each item, given the arguments
 * from the one after its name on. */
static struct value *each(struct render *r, int id, struct value **a, uint32_t base, uint32_t n) {
    struct value *list = mote_text_value_items(r, a[0]), *all = mote_text_value_new(r, V_LIST);
    int attr = id >= B_SELECTATTR, maps = id == B_MAP, callee = -1;
    struct value *name = a[1 + attr], *attribute = maps ? a[2] : attr ? a[1] : &r->none;
    uint32_t from = base + 2 + (uint32_t)attr, end = r->n_stack;
    if (name->type != V_UNDEFINED) {
        callee = name->type == V_STRING ? mote_text_builtin_find(maps ? 'f' : 't', name) : -1;
        if (callee < 0) return mote_text_render_fail(r, "no filter or test: ", name);
        if (maps) attribute = &r->none;
    } else if (maps && attribute->type <= V_NONE) {
        return mote_text_render_fail(r, "an argument is missing", NULL);
    }
    for (uint32_t i = 0; i < list->n && !r->status; i++) {
        struct value *v = path(r, list->items[i], attribute);
        if (callee >= 0) {
            mote_text_expression_push(r, v);
            for (uint32_t k = from; k < end; k++)
                mote_text_expression_push(r, r->stack[k]);
            if (!r->status) v = mote_text_builtin(r, callee, end, base + n + 1 - from);
            r->n_stack = end;
        } else if (maps && v->type == V_UNDEFINED) {
            v = a[3];
        }
        if (maps)
            mote_text_list_append(r, all, v);
        else if (mote_text_value_truth(v) == (id == B_SELECT || id == B_SELECTATTR))
            mote_text_list_append(r, all, list->items[i]);
    }
    return all;
}

/* A dict or namespace of what another dict holds, and the keywords. */
static struct value *dict(struct render *r, struct value *from, uint32_t keywords, int type) {
    struct value *all = mote_text_value_new(r, type);
    if (from->type != V_DICT && from->type != V_UNDEFINED) mote_text_render_fail(r, "no dict: ", from);
    for (uint32_t i = 0; i < from->n && from->type == V_DICT; i++)
        mote_text_list_append(r, all, from->items[i]);
    for (; keywords < r->n_stack && !r->status; keywords += 2)
        mote_text_dict_insert(r, all, r->stack[keywords], r->stack[keywords + 1]);
    return all;
}

static struct value *range(struct render *r, struct value **a) {
    int alone = a[2]->type == V_UNDEFINED;
    int64_t i = alone ? 0 : mote_text_value_int_of(r, a[1], 0),
            stop = mote_text_value_int_of(r, a[1 + !alone], 0);
    int64_t step = mote_text_value_int_of(r, a[3], 1);
    struct value *all = mote_text_value_new(r, V_LIST);
    if (step == 0) mote_text_render_fail(r, "a step is 0", NULL);
    while (!r->status && (step > 0 ? i < stop : i > stop)) {
        if (all->n == RANGE_MOST) return mote_text_render_fail(r, "range is too long", NULL);
        mote_text_list_append(r, all, mote_text_value_int(r, i));
        if (__builtin_add_overflow(i, step, &i)) break;
    }
    return all;
}

static int test(struct render *r, int id, struct value **a) {
    static const char operators[] = "eeedd<l>gi";
    static const uint16_t types[] = {0x1ffe,       1,           1 << V_NONE,   1 << V_BOOL, 1 << V_INT,
                                     1 << V_FLOAT, 0x1c,        1 << V_STRING, 1 << V_DICT, 0x1e1,
                                     0x1e1,        3 << V_MACRO};
    if (id >= B_IS_DEFINED) return types[id - B_IS_DEFINED] >> a[0]->type & 1;
    if (id >= B_IS_TRUE) return a[0] == (id == B_IS_TRUE ? &r->yes : &r->no);
    if (id <= B_IS_IN)
        return mote_text_value_truth(mote_text_operate(r, operators[id - B_IS_EQUAL], a[0], a[1]));
    struct value two = {.type = V_INT, .i = 2};
    struct value *rest = mote_text_operate(r, '%', a[0], id == B_IS_DIVISIBLEBY ? a[1] : &two);
    return mote_text_value_truth(rest) == (id == B_IS_ODD);
}

struct value *mote_text_builtin_list(struct render *r, int id, struct value **a, uint32_t base, uint32_t n) {
    struct value *v = a[0], *all;
    struct value *part[3] = {&r->none, &r->none, &r->none}, **found;
    switch (id) {
    case B_LENGTH:
    case B_COUNT:
        if (v->type != V_STRING) return mote_text_value_int(r, mote_text_value_items(r, v)->n);
        mote_text_render_spend(r, v->n / 16);
        return mote_text_value_int(r, (int64_t)mote_text_string_length(v->s, v->n));
    case B_DEFAULT:
    case B_D:
        if (v->type != V_UNDEFINED && (!mote_text_value_truth(a[2]) || mote_text_value_truth(v))) return v;
        return a[1]->type == V_UNDEFINED ? mote_text_value_string(r, "", 0) : a[1];
    case B_FIRST:
    case B_LAST:
        v = mote_text_value_items(r, v);
        return !v->n ? &r->undefined : v->items[id == B_FIRST ? 0 : v->n - 1];
    case B_JOIN:
        return join(r, v, a[1], a[2]);
    case B_JOIN_METHOD:
        return join(r, a[1], v, a[2]);
    case B_LIST:
        v = mote_text_value_items(r, v);
        all = mote_text_value_new(r, V_LIST);
        for (uint32_t i = 0; i < v->n && !r->status; i++)
            mote_text_list_append(r, all, v->items[i]);
        return all;
    case B_REVERSE:
        part[2] = mote_text_value_int(r, -1);
        v = v->type == V_STRING ? v : mote_text_value_items(r, v);
        return r->status ? v : mote_text_operate_slice(r, v, part);
    case B_SORT:
        return sort(r, v, a[1], a[2], a[3]);
    case B_DICTSORT:
        return sort(r, mote_text_value_pairs(r, v), a[3], a[1],
                    mote_text_value_int(r, mote_text_value_is(a[2], "value")));
    case B_MAP:
    case B_SELECT:
    case B_REJECT:
    case B_SELECTATTR:
    case B_REJECTATTR:
        return each(r, id, a, base, n);
    case B_ITEMS:
        return mote_text_value_pairs(r, v);
    case B_KEYS:
    case B_VALUES:
        return values(r, v, id == B_VALUES);
    case B_GET:
        found = mote_text_dict_find(r, v, a[1]);
        return found ? *found : a[2]->type == V_UNDEFINED ? &r->none : a[2];
    case B_DICT:
    case B_NAMESPACE:
        return dict(r, a[1], base + n, id == B_DICT ? V_DICT : V_NAMESPACE);
    case B_APPEND:
        mote_text_list_append(r, v, a[1]);
        return &r->none;
    case B_RANGE:
        return range(r, a);
    }
    return mote_text_value_bool(r, test(r, id, a));
}
