/* SPDX-License-Identifier: Apache-2.0
 *
 * template_filter.c: value | filter(arguments), as Jinja defines them; what Jinja gives as a generator is a
 * list here. tojson is the one of Hugging Face's chat templates: no HTML escapes, ensure_ascii off.
 *
 * Not here: format, slice, batch, truncate, urlize, xmlattr and others that no chat template uses. Text is
 * never marked safe: escape gives a plain string, so adding to it does not escape what is added. */
#include "text/template_internal.h"

#define FILTERS(X)                                                                                           \
    X(abs)                                                                                                   \
    X(capitalize)                                                                                            \
    X(count)                                                                                                 \
    X(d)                                                                                                     \
    X(default)                                                                                               \
    X(dictsort)                                                                                              \
    X(e)                                                                                                     \
    X(escape)                                                                                                \
    X(first)                                                                                                 \
    X(float)                                                                                                 \
    X(groupby)                                                                                               \
    X(indent)                                                                                                \
    X(int)                                                                                                   \
    X(items)                                                                                                 \
    X(join)                                                                                                  \
    X(last)                                                                                                  \
    X(length)                                                                                                \
    X(list)                                                                                                  \
    X(lower)                                                                                                 \
    X(map)                                                                                                   \
    X(max)                                                                                                   \
    X(min)                                                                                                   \
    X(reject)                                                                                                \
    X(rejectattr)                                                                                            \
    X(replace)                                                                                               \
    X(reverse)                                                                                               \
    X(round)                                                                                                 \
    X(safe)                                                                                                  \
    X(select)                                                                                                \
    X(selectattr)                                                                                            \
    X(sort)                                                                                                  \
    X(string)                                                                                                \
    X(sum)                                                                                                   \
    X(title)                                                                                                 \
    X(tojson)                                                                                                \
    X(trim)                                                                                                  \
    X(unique)                                                                                                \
    X(upper)

#define FILTER_ENUM(name) F_##name,
#define FILTER_NAME(name) #name "\0"
enum { FILTERS(FILTER_ENUM) };
static const char names[] = FILTERS(FILTER_NAME);

int mote_text_filter_find(mote_text name) {
    return mote_text_list_find(names, name);
}

static int is_set(struct value v) {
    return v.type != V_UNDEFINED && v.type != V_NONE;
}

static struct value get_number(struct value v, size_t part) {
    struct value number = v;
    if (v.type == V_STRING && part && mote_text_number_read(v.s, part, &number) == part &&
        number.type == V_INT)
        return number;
    return mote_text_value_string(v.s, part);
}

/* item.a.b.0 for attribute "a.b.0"; item[n] for an int n; the item itself for none. */
static struct value get_path(struct render *r, struct value item, struct value attribute) {
    if (!is_set(attribute)) return item;
    if (attribute.type != V_STRING) return mote_text_eval_index(r, item, attribute);
    for (;;) {
        uint32_t part = 0;
        while (part < attribute.n && attribute.s[part] != '.')
            part++;
        item = mote_text_eval_index(r, item, get_number(attribute, part));
        if (part == attribute.n || !mote_text_render_spend(r, 1)) return item;
        attribute = mote_text_value_string(attribute.s + part + 1, attribute.n - part - 1);
    }
}

/* The attributes of items, in lower case where fold is set. */
static struct list *get_keys(struct render *r, const struct list *items, struct value attribute, int fold) {
    struct list *keys = mote_text_value_list(r, V_LIST, 0).list;
    for (uint32_t i = 0; i < items->n && !r->status; i++) {
        struct value key = get_path(r, items->items[i], attribute);
        if (fold && key.type == V_STRING) key = mote_text_string_case(r, key, CASE_LOWER);
        mote_text_value_append(r, keys, key);
    }
    return keys && !r->status ? keys : &r->nothing;
}

/* items in the order of keys [items->n]: a stable merge sort, bottom up. */
static struct list *sort_by(struct render *r, const struct list *items, const struct list *keys,
                            int reverse) {
    uint32_t n = keys->n;
    struct list *sorted = mote_text_value_list(r, V_LIST, n).list;
    uint32_t *from = mote_text_render_take(r, n, sizeof *from), *to = mote_text_render_take(r, n, sizeof *to);
    if (!sorted || !from || !to) return &r->nothing;
    for (uint32_t i = 0; i < n; i++)
        from[i] = i;
    for (uint32_t run = 1; run < n && !r->status; run *= 2) {
        for (uint32_t start = 0; start < n; start += 2 * run) {
            uint32_t middle = n - start < run ? n : start + run, end = n - middle < run ? n : middle + run;
            uint32_t a = start, b = middle;
            for (uint32_t i = start; i < end; i++) {
                int order = 0;
                if (a < middle && b < end && mote_text_render_spend(r, 1))
                    order = mote_text_value_order(r, keys->items[from[a]], keys->items[from[b]], 0);
                int right = a == middle || (b < end && (reverse ? order < 0 : order > 0));
                to[i] = from[right ? b++ : a++];
            }
        }
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
    for (uint32_t i = 0; i < n; i++)
        mote_text_value_append(r, sorted, items->items[from[i]]);
    return sorted;
}

struct list *mote_text_filter_sort(struct render *r, struct list *items) {
    return sort_by(r, items, items, 0);
}

static struct value list_value(struct list *list) {
    return (struct value){.type = V_LIST, .list = list};
}

static struct value sort(struct render *r, struct args *args, int group) {
    struct value attribute = mote_text_args_get(args, group ? 1 : 3, "attribute");
    struct value reverse = mote_text_args_get(args, group ? 9 : 1, "reverse");
    struct value case_sensitive = mote_text_args_get(args, group ? 3 : 2, "case_sensitive");
    struct list *items = mote_text_value_items(r, args->v[0]);
    struct list *keys = get_keys(r, items, attribute, !mote_text_value_truth(case_sensitive));
    struct list *sorted = sort_by(r, items, keys, mote_text_value_truth(reverse));
    if (!group || r->status) return list_value(sorted);

    struct value groups = mote_text_value_list(r, V_LIST, 0);
    struct list *members = NULL;
    keys = sort_by(r, keys, keys, 0);
    for (uint32_t i = 0; i < sorted->n && !r->status; i++) {
        if (!i || !mote_text_value_equal(r, keys->items[i - 1], keys->items[i])) {
            struct value pair = mote_text_value_list(r, V_TUPLE, 2),
                         list = mote_text_value_list(r, V_LIST, 0);
            mote_text_value_append(r, pair.list, get_path(r, sorted->items[i], attribute));
            mote_text_value_append(r, pair.list, list);
            mote_text_value_append(r, groups.list, pair);
            members = list.list;
        }
        mote_text_value_append(r, members, sorted->items[i]);
    }
    return groups;
}

static struct value sort_dict(struct render *r, struct args *args) {
    struct value case_sensitive = mote_text_args_get(args, 1, "case_sensitive");
    struct value by = mote_text_args_get(args, 2, "by"), reverse = mote_text_args_get(args, 3, "reverse");
    struct value column = mote_text_value_int(mote_text_value_is_text(by, "value"));
    struct list *items = mote_text_method_items(r, args->v[0]).list;
    if (r->status) return list_value(&r->nothing);
    struct list *keys = get_keys(r, items, column, !mote_text_value_truth(case_sensitive));
    return list_value(sort_by(r, items, keys, mote_text_value_truth(reverse)));
}

static struct value unique(struct render *r, struct args *args) {
    struct value case_sensitive = mote_text_args_get(args, 1, "case_sensitive");
    struct list *items = mote_text_value_items(r, args->v[0]),
                *seen = mote_text_value_list(r, V_LIST, 0).list;
    struct list *keys =
        get_keys(r, items, mote_text_args_get(args, 2, "attribute"), !mote_text_value_truth(case_sensitive));
    struct value some = mote_text_value_list(r, V_LIST, 0);
    for (uint32_t i = 0; i < keys->n && !r->status; i++) {
        uint32_t j = 0;
        while (j < seen->n && mote_text_render_spend(r, 1) &&
               !mote_text_value_equal(r, seen->items[j], keys->items[i]))
            j++;
        if (j < seen->n) continue;
        mote_text_value_append(r, seen, keys->items[i]);
        mote_text_value_append(r, some.list, items->items[i]);
    }
    return some;
}

static struct value extreme(struct render *r, struct args *args, int sign) {
    struct value case_sensitive = mote_text_args_get(args, 1, "case_sensitive");
    struct list *items = mote_text_value_items(r, args->v[0]);
    struct list *keys =
        get_keys(r, items, mote_text_args_get(args, 2, "attribute"), !mote_text_value_truth(case_sensitive));
    uint32_t best = 0;
    for (uint32_t i = 1; i < keys->n && !r->status; i++)
        if (sign * mote_text_value_order(r, keys->items[i], keys->items[best], 0) > 0) best = i;
    return keys->n ? items->items[best] : (struct value){0};
}

static struct value sum(struct render *r, struct args *args) {
    struct value attribute = mote_text_args_get(args, 1, "attribute");
    struct value total = mote_text_args_get(args, 2, "start");
    struct list *items = mote_text_value_items(r, args->v[0]);
    if (total.type == V_UNDEFINED) total = mote_text_value_int(0);
    for (uint32_t i = 0; i < items->n && !r->status; i++)
        total = mote_text_operate(r, '+', total, get_path(r, items->items[i], attribute));
    return total;
}

static struct value join(struct render *r, struct args *args) {
    struct value between = mote_text_args_get(args, 1, "d"),
                 attribute = mote_text_args_get(args, 2, "attribute");
    struct list *items = mote_text_value_items(r, args->v[0]);
    size_t start = r->n_out;
    for (uint32_t i = 0; i < items->n && mote_text_render_spend(r, 1); i++) {
        if (i) mote_text_value_put(r, between, 0);
        mote_text_value_put(r, get_path(r, items->items[i], attribute), 0);
    }
    return mote_text_render_capture(r, start);
}

/* Calls a filter or test by name on item, with the arguments from the i-th on. */
static struct value apply(struct render *r, int test, int id, struct value item, const struct args *args,
                          uint32_t i) {
    uint32_t base = r->n_stack;
    mote_text_eval_push(r, item);
    for (; i < args->n; i++)
        mote_text_eval_push(r, args->v[i]);
    struct args inner = {r->stack + base, r->stack + r->n_stack, r->n_stack - base, args->n_kw, 0, 0};
    for (uint32_t k = 0; k < 2 * args->n_kw; k++)
        mote_text_eval_push(r, args->kw[k]);
    struct value v = {0};
    if (!r->status)
        v = test ? mote_text_value_bool(mote_text_test(r, id, &inner)) : mote_text_filter(r, id, &inner);
    r->n_stack = base;
    return v;
}

static int find_callee(struct render *r, struct args *args, uint32_t i, int test) {
    mote_text name = {args->v[i].s, args->v[i].n};
    int id = args->v[i].type != V_STRING ? -1
             : test                      ? mote_text_test_find(name)
                                         : mote_text_filter_find(name);
    if (id < 0) FAIL(r, "no such filter or test");
    args->asked = args->n;
    args->used = args->n_kw;
    return id;
}

static struct value map(struct render *r, struct args *args) {
    struct list *items = mote_text_value_items(r, args->v[0]);
    struct value all = mote_text_value_list(r, V_LIST, 0);
    struct value attribute = {0}, other = {0};
    int id = -1;
    if (args->n > 1) {
        id = find_callee(r, args, 1, 0);
    } else {
        attribute = mote_text_args_get(args, 9, "attribute");
        other = mote_text_args_get(args, 9, "default");
        args->asked = 1;
        if (!is_set(attribute)) FAIL(r, "map takes a filter or an attribute");
    }
    for (uint32_t i = 0; i < items->n && !r->status; i++) {
        struct value v =
            id < 0 ? get_path(r, items->items[i], attribute) : apply(r, 0, id, items->items[i], args, 2);
        if (v.type == V_UNDEFINED && other.type != V_UNDEFINED) v = other;
        mote_text_value_append(r, all.list, v);
    }
    return all;
}

/* select, reject; with an attribute, selectattr and rejectattr. */
static struct value choose(struct render *r, struct args *args, int attribute, int keep) {
    struct list *items = mote_text_value_items(r, args->v[0]);
    struct value some = mote_text_value_list(r, V_LIST, 0), path = {0};
    uint32_t at = attribute ? 2 : 1;
    if (attribute) path = mote_text_args_get(args, 1, "attribute");
    if (attribute && !is_set(path)) FAIL(r, "which attribute?");
    int id = args->n > at ? find_callee(r, args, at, 1) : -1;
    for (uint32_t i = 0; i < items->n && !r->status; i++) {
        struct value v = get_path(r, items->items[i], path);
        if (id >= 0) v = apply(r, 1, id, v, args, at + 1);
        if (mote_text_value_truth(v) == keep) mote_text_value_append(r, some.list, items->items[i]);
    }
    return some;
}

static struct value reverse(struct render *r, struct value v) {
    struct value minus = mote_text_value_int(-1), none = {.type = V_NONE};
    struct value all = v.type == V_STRING ? v : list_value(mote_text_value_items(r, v));
    return r->status ? all : mote_text_operate_slice(r, all, none, none, minus);
}

static struct value length(struct render *r, struct value v) {
    if (v.type == V_STRING) {
        mote_text_render_spend(r, v.n / 16);
        return mote_text_value_int((int64_t)mote_text_string_length(v));
    }
    if (v.type == V_DICT) return mote_text_value_int(v.dict->n);
    return mote_text_value_int(mote_text_value_items(r, v)->n);
}

static struct value escape(struct render *r, struct value v) {
    static const char from[] = "&<>\"'", to[] = "&amp;\0&lt;\0&gt;\0&#34;\0&#39;\0";
    size_t start = r->n_out;
    v = mote_text_value_text(r, v);
    for (uint32_t i = 0; i < v.n && mote_text_render_spend(r, 1); i++) {
        int c = 0;
        while (c < 5 && from[c] != v.s[i])
            c++;
        if (c < 5)
            mote_text_render_put_text(r, mote_text_list_word(to, c));
        else
            mote_text_render_put(r, v.s + i, 1);
    }
    return mote_text_render_capture(r, start);
}

static struct value indent(struct render *r, struct args *args) {
    struct value width = mote_text_args_get(args, 1, "width");
    struct value first = mote_text_args_get(args, 2, "first"), blank = mote_text_args_get(args, 3, "blank");
    struct value text = mote_text_value_text(r, args->v[0]), space = mote_text_value_string(" ", 1);
    if (width.type == V_UNDEFINED) width = mote_text_value_int(4);
    if (width.type != V_STRING) width = mote_text_operate(r, '*', space, width);
    struct list *lines = mote_text_string_lines(r, text, 0).list;
    size_t start = r->n_out;
    if (mote_text_value_truth(first)) mote_text_render_put(r, width.s, width.n);
    for (uint32_t i = 0; !r->status && i < lines->n; i++) {
        struct value line = lines->items[i];
        if (i) mote_text_render_put(r, "\n", 1);
        if (i && (line.n || mote_text_value_truth(blank))) mote_text_render_put(r, width.s, width.n);
        mote_text_render_put(r, line.s, line.n);
    }
    /* the newline at the end, which splitting into lines has dropped */
    if (text.n && text.s[text.n - 1] == '\n' && lines && lines->n) {
        mote_text_render_put(r, "\n", 1);
        if (mote_text_value_truth(blank)) mote_text_render_put(r, width.s, width.n);
    }
    return mote_text_render_capture(r, start);
}

/* v as an int, by way of a float if it must be. other where it is no number. */
static struct value to_int(struct render *r, struct args *args) {
    struct value v = args->v[0], other = mote_text_args_get(args, 1, "default");
    int64_t base = mote_text_args_int(r, args, 2, "base", 10);
    if (other.type == V_UNDEFINED) other = mote_text_value_int(0);
    if (base != 10) FAIL(r, "int takes base 10 only");
    if (v.type == V_UNDEFINED) FAIL(r, "'%t' is undefined", ((mote_text){v.s, v.n}));
    if (v.type == V_STRING) {
        struct value text = mote_text_string_strip(r, v, (struct value){0}, STRIP_LEFT | STRIP_RIGHT);
        if (!text.n || mote_text_number_read(text.s, text.n, &v) != text.n) return other;
    }
    if (v.type == V_FLOAT) return v.f > -0x1p63 && v.f < 0x1p63 ? mote_text_value_int((int64_t)v.f) : other;
    return v.type == V_INT || v.type == V_BOOL ? mote_text_value_int(v.i) : other;
}

static struct value to_float(struct render *r, struct args *args) {
    struct value v = args->v[0], other = mote_text_args_get(args, 1, "default");
    if (other.type == V_UNDEFINED) other = mote_text_value_float(0);
    if (v.type == V_UNDEFINED) FAIL(r, "'%t' is undefined", ((mote_text){v.s, v.n}));
    if (v.type == V_STRING) {
        struct value text = mote_text_string_strip(r, v, (struct value){0}, STRIP_LEFT | STRIP_RIGHT);
        if (!text.n || mote_text_number_read(text.s, text.n, &v) != text.n) return other;
    }
    if (v.type == V_INT || v.type == V_BOOL) return mote_text_value_float((double)v.i);
    return v.type == V_FLOAT ? v : other;
}

/* The rounding error of y = a × b, exactly (Dekker 1971, "A floating-point technique for extending the
 * available precision"). */
static double product_error(double a, double b, double y) {
    double ca = a * 0x8000001p0, cb = b * 0x8000001p0;
    double a1 = ca - (ca - a), a2 = a - a1, b1 = cb - (cb - b), b2 = b - b1;
    return ((a1 * b1 - y) + a1 * b2 + a2 * b1) + a2 * b2;
}

/* Half to even as Python's round, or up or down. */
static struct value round_number(struct render *r, struct args *args) {
    struct value v = args->v[0], method = mote_text_args_get(args, 2, "method");
    int64_t precision = mote_text_args_int(r, args, 1, "precision", 0);
    int up = mote_text_value_is_text(method, "ceil"), down = mote_text_value_is_text(method, "floor");
    if (v.type == V_BOOL) v.type = V_INT;
    if (v.type != V_INT && v.type != V_FLOAT) FAIL(r, "round takes a number");
    if (precision < -300 || precision > 300) FAIL(r, "round's precision is too large");
    if (r->status || (v.type == V_INT && !up && !down && precision >= 0)) return v;
    double x = v.type == V_FLOAT ? v.f : (double)v.i, scale = 1, y;
    for (int64_t i = precision < 0 ? -precision : precision; i > 0; i--)
        scale *= 10;
    y = precision < 0 ? x / scale : x * scale;
    double whole = mote_text_number_floor(y), rest = y - whole;
    int odd = whole - 2 * mote_text_number_floor(whole / 2) != 0;
    double error = rest == 0.5 && precision > 0 ? product_error(x, scale, y) : 0;
    int above = rest > 0.5 || (rest == 0.5 && (error > 0 || (error == 0 && odd)));
    if (!down && (up ? rest > 0 : above)) whole += 1;
    return mote_text_value_float(precision < 0 ? whole * scale : whole / scale);
}

static struct value to_json(struct render *r, struct args *args) {
    struct json_style style = {.indent = -1};
    struct value ascii = mote_text_args_get(args, 1, "ensure_ascii"),
                 indentation = mote_text_args_get(args, 2, "indent");
    struct value separators = mote_text_args_get(args, 3, "separators"),
                 sorted = mote_text_args_get(args, 4, "sort_keys");
    style.ascii = mote_text_value_truth(ascii);
    style.sort = mote_text_value_truth(sorted);
    if (is_set(indentation)) style.indent = mote_text_args_int(r, args, 2, "indent", 0);
    if (style.indent < 0 && is_set(indentation)) style.indent = 0;
    style.item_separator = mote_text_value_string(", ", style.indent < 0 ? 2 : 1);
    style.key_separator = mote_text_value_string(": ", 2);
    if (is_set(separators)) {
        struct list *pair = mote_text_value_items(r, separators);
        if (pair->n != 2 || pair->items[0].type != V_STRING || pair->items[1].type != V_STRING)
            FAIL(r, "separators are two strings");
        else
            style.item_separator = pair->items[0], style.key_separator = pair->items[1];
    }
    size_t start = r->n_out;
    mote_text_json_put(r, args->v[0], &style, 0);
    return mote_text_render_capture(r, start);
}

static struct value filter_text(struct render *r, int id, struct args *args) {
    struct value v = mote_text_value_text(r, args->v[0]), old, with;
    switch (id) {
    case F_capitalize:
        return mote_text_string_case(r, v, CASE_CAPITAL);
    case F_lower:
        return mote_text_string_case(r, v, CASE_LOWER);
    case F_upper:
        return mote_text_string_case(r, v, CASE_UPPER);
    case F_title:
        return mote_text_string_case(r, v, CASE_WORDS);
    case F_trim:
        return mote_text_string_strip(r, v, mote_text_args_get(args, 1, "chars"), STRIP_LEFT | STRIP_RIGHT);
    case F_replace:
        old = mote_text_value_text(r, mote_text_args_get(args, 1, "old"));
        with = mote_text_value_text(r, mote_text_args_get(args, 2, "new"));
        if (args->n + args->n_kw < 3) FAIL(r, "replace takes two strings");
        return mote_text_string_replace(r, v, old, with, mote_text_args_int(r, args, 3, "count", -1));
    }
    return v; /* string, safe */
}

static struct value filter(struct render *r, int id, struct args *args) {
    struct value v = args->v[0], other, boolean;
    struct list *items;
    switch (id) {
    case F_abs:
        if (v.type == V_FLOAT) return mote_text_value_float(v.f < 0 ? -v.f : v.f);
        return mote_text_operate(r, v.i < 0 ? '*' : '+', v, mote_text_value_int(v.i < 0 ? -1 : 0));
    case F_count:
    case F_length:
        return length(r, v);
    case F_d:
    case F_default:
        other = mote_text_args_get(args, 1, "default_value");
        boolean = mote_text_args_get(args, 2, "boolean");
        if (other.type == V_UNDEFINED) other = mote_text_value_string("", 0);
        return v.type == V_UNDEFINED || (mote_text_value_truth(boolean) && !mote_text_value_truth(v)) ? other
                                                                                                      : v;
    case F_dictsort:
        return sort_dict(r, args);
    case F_e:
    case F_escape:
        return escape(r, v);
    case F_first:
    case F_last:
        items = mote_text_value_items(r, v);
        if (!items->n) return (struct value){0};
        return items->items[id == F_first ? 0 : items->n - 1];
    case F_float:
        return to_float(r, args);
    case F_groupby:
    case F_sort:
        return sort(r, args, id == F_groupby);
    case F_indent:
        return indent(r, args);
    case F_int:
        return to_int(r, args);
    case F_items:
        return v.type == V_UNDEFINED ? list_value(&r->nothing) : mote_text_method_items(r, v);
    case F_join:
        return join(r, args);
    case F_list:
        items = mote_text_value_items(r, v);
        return mote_text_operate(r, '+', list_value(items), list_value(&r->nothing));
    case F_map:
        return map(r, args);
    case F_max:
    case F_min:
        return extreme(r, args, id == F_max ? 1 : -1);
    case F_reject:
    case F_select:
        return choose(r, args, 0, id == F_select);
    case F_rejectattr:
    case F_selectattr:
        return choose(r, args, 1, id == F_selectattr);
    case F_reverse:
        return reverse(r, v);
    case F_round:
        return round_number(r, args);
    case F_sum:
        return sum(r, args);
    case F_tojson:
        return to_json(r, args);
    case F_unique:
        return unique(r, args);
    }
    return filter_text(r, id, args);
}

struct value mote_text_filter(struct render *r, int id, struct args *args) {
    struct value v = {0};
    args->asked = 1; /* the subject */
    if (mote_text_render_enter(r)) v = filter(r, id, args);
    mote_text_args_end(r, args, mote_text_list_word(names, id));
    r->depth--;
    return v;
}
