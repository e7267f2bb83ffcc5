/* SPDX-License-Identifier: Apache-2.0
 *
 * template_method.c: the methods of strings, dicts, lists and loops, and the functions of the language. */
#include "text/template_internal.h"

static const char string_names[] =
    "strip\0lstrip\0rstrip\0split\0rsplit\0splitlines\0startswith\0endswith\0replace\0"
    "upper\0lower\0title\0capitalize\0find\0rfind\0count\0join\0isdigit\0isspace\0"
    "removeprefix\0removesuffix\0";
static const char dict_names[] = "get\0items\0keys\0values\0update\0";
static const char list_names[] = "append\0extend\0pop\0";

enum {
    M_STRIP,
    M_LSTRIP,
    M_RSTRIP,
    M_SPLIT,
    M_RSPLIT,
    M_SPLITLINES,
    M_STARTSWITH,
    M_ENDSWITH,
    M_REPLACE,
    M_UPPER,
    M_LOWER,
    M_TITLE,
    M_CAPITALIZE,
    M_FIND,
    M_RFIND,
    M_COUNT,
    M_JOIN,
    M_ISDIGIT,
    M_ISSPACE,
    M_REMOVEPREFIX,
    M_REMOVESUFFIX,
    M_GET, /* of dicts */
    M_ITEMS,
    M_KEYS,
    M_VALUES,
    M_UPDATE,
    M_APPEND, /* of lists */
    M_EXTEND,
    M_POP,
    M_CYCLE, /* of loops */
};

int mote_text_method_find(uint8_t type, mote_text name) {
    const char *names = type == V_STRING ? string_names
                        : type == V_DICT ? dict_names
                        : type == V_LIST ? list_names
                        : type == V_LOOP ? "cycle\0"
                                         : "";
    int first = type == V_STRING ? M_STRIP : type == V_DICT ? M_GET : type == V_LIST ? M_APPEND : M_CYCLE;
    int index = mote_text_list_find(names, name);
    return index < 0 ? -1 : first + index;
}

static struct value need_string(struct render *r, struct value v) {
    if (v.type == V_STRING) return v;
    FAIL(r, "a string was expected, not %s", mote_text_value_type(v));
    return mote_text_value_string("", 0);
}

static int has_end(struct value s, struct value part, int at_end) {
    return part.n <= s.n && memcmp(s.s + (at_end ? s.n - part.n : 0), part.s, part.n) == 0;
}

/* part may be a tuple: any of them. */
static int has_any_end(struct render *r, struct value s, struct value part, int at_end) {
    if (part.type != V_TUPLE) return has_end(s, need_string(r, part), at_end) && !r->status;
    for (uint32_t i = 0; i < part.list->n && !r->status; i++)
        if (has_end(s, need_string(r, part.list->items[i]), at_end)) return !r->status;
    return 0;
}

static struct value count(struct render *r, struct value s, struct value part) {
    int64_t n = 0, at = 0;
    if (!part.n) return mote_text_value_int((int64_t)mote_text_string_length(s) + 1);
    for (; !r->status && (at = mote_text_string_find(r, s, part, (size_t)at)) >= 0; at += part.n)
        n++;
    return mote_text_value_int(n);
}

static struct value join(struct render *r, struct value between, struct value parts) {
    struct list *items = mote_text_value_items(r, parts);
    size_t start = r->n_out;
    for (uint32_t i = 0; i < items->n && mote_text_render_spend(r, 1); i++) {
        struct value part = need_string(r, items->items[i]);
        if (i) mote_text_render_put(r, between.s, between.n);
        mote_text_render_put(r, part.s, part.n);
    }
    return mote_text_render_capture(r, start);
}

static struct value is_all(struct render *r, struct value s, int digits) {
    for (const char *p = s.s, *end = s.s + s.n; p < end && mote_text_render_spend(r, 1);) {
        uint32_t code = mote_text_string_next(&p, end);
        if (digits ? code < '0' || code > '9' : !mote_text_string_is_space(code))
            return mote_text_value_bool(0);
    }
    return mote_text_value_bool(s.n > 0);
}

static struct value string_method(struct render *r, struct value s, int id, struct args *args) {
    static const uint8_t sides[] = {STRIP_LEFT | STRIP_RIGHT, STRIP_LEFT, STRIP_RIGHT};
    static const uint8_t how[] = {CASE_UPPER, CASE_LOWER, CASE_TITLE, CASE_CAPITAL};
    struct value a, b;
    int64_t at;
    switch (id) {
    case M_STRIP:
    case M_LSTRIP:
    case M_RSTRIP:
        return mote_text_string_strip(r, s, mote_text_args_get(args, 0, "chars"), sides[id - M_STRIP]);
    case M_SPLIT:
    case M_RSPLIT:
        a = mote_text_args_get(args, 0, "sep");
        return mote_text_string_split(r, s, a, mote_text_args_int(r, args, 1, "maxsplit", -1),
                                      id == M_RSPLIT);
    case M_SPLITLINES:
        return mote_text_string_lines(r, s, mote_text_value_truth(mote_text_args_get(args, 0, "keepends")));
    case M_STARTSWITH:
    case M_ENDSWITH:
        a = mote_text_args_get(args, 0, "prefix");
        return mote_text_value_bool(has_any_end(r, s, a, id == M_ENDSWITH));
    case M_REPLACE:
        a = need_string(r, mote_text_args_get(args, 0, "old"));
        b = need_string(r, mote_text_args_get(args, 1, "new"));
        return mote_text_string_replace(r, s, a, b, mote_text_args_int(r, args, 2, "count", -1));
    case M_UPPER:
    case M_LOWER:
    case M_TITLE:
    case M_CAPITALIZE:
        return mote_text_string_case(r, s, how[id - M_UPPER]);
    case M_FIND:
    case M_RFIND:
        a = need_string(r, mote_text_args_get(args, 0, "sub"));
        at = id == M_FIND ? mote_text_string_find(r, s, a, 0) : mote_text_string_find_last(r, s, a);
        if (at > 0) at = (int64_t)mote_text_string_length(mote_text_value_string(s.s, (size_t)at));
        return mote_text_value_int(at);
    case M_COUNT:
        return count(r, s, need_string(r, mote_text_args_get(args, 0, "sub")));
    case M_JOIN:
        return join(r, s, mote_text_args_get(args, 0, "iterable"));
    case M_ISDIGIT:
    case M_ISSPACE:
        return is_all(r, s, id == M_ISDIGIT);
    }
    a = need_string(r, mote_text_args_get(args, 0, "affix"));
    if (!has_end(s, a, id == M_REMOVESUFFIX)) return s;
    return mote_text_value_string(id == M_REMOVESUFFIX ? s.s : s.s + a.n, s.n - a.n);
}

struct value mote_text_method_items(struct render *r, struct value v) {
    struct value all = mote_text_value_list(r, V_LIST, 0);
    if (v.type != V_DICT) FAIL(r, "%s has no items", mote_text_value_type(v));
    for (uint32_t i = 0; !r->status && i < v.dict->n; i++) {
        struct value pair = mote_text_value_list(r, V_TUPLE, 2);
        mote_text_value_append(r, pair.list, v.dict->entries[i].key);
        mote_text_value_append(r, pair.list, v.dict->entries[i].value);
        mote_text_value_append(r, all.list, pair);
    }
    return all;
}

/* Adds the entries of a dict, or pairs, and then the keywords to dict. */
static void update(struct render *r, struct dict *dict, struct args *args) {
    struct value from = mote_text_args_get(args, 0, "");
    if (from.type != V_UNDEFINED) {
        struct value pairs = from.type == V_DICT ? mote_text_method_items(r, from) : from;
        struct list *items = mote_text_value_items(r, pairs);
        for (uint32_t i = 0; i < items->n && !r->status; i++) {
            struct list *pair = mote_text_value_items(r, items->items[i]);
            if (pair->n == 2)
                mote_text_value_insert(r, dict, pair->items[0], pair->items[1]);
            else
                FAIL(r, "a pair was expected");
        }
    }
    for (uint32_t k = 0; k < args->n_kw && !r->status; k++)
        mote_text_value_insert(r, dict, args->kw[2 * k], args->kw[2 * k + 1]);
    args->used = args->n_kw;
}

static struct value dict_method(struct render *r, struct value self, int id, struct args *args) {
    struct value all, other, *found;
    switch (id) {
    case M_GET:
        found = mote_text_value_find(r, self.dict, mote_text_args_get(args, 0, "key"));
        other = mote_text_args_get(args, 1, "default");
        if (!found && args->n < 2 && !args->used) other.type = V_NONE;
        return found ? *found : other;
    case M_ITEMS:
        return mote_text_method_items(r, self);
    case M_UPDATE:
        update(r, self.dict, args);
        return (struct value){.type = V_NONE};
    }
    all = mote_text_value_list(r, V_LIST, 0);
    for (uint32_t i = 0; i < self.dict->n && !r->status; i++) {
        struct entry *entry = &self.dict->entries[i];
        mote_text_value_append(r, all.list, id == M_KEYS ? entry->key : entry->value);
    }
    return all;
}

static struct value list_method(struct render *r, struct list *list, int id, struct args *args) {
    struct value v = mote_text_args_get(args, 0, "");
    if (id == M_POP) {
        int64_t i = mote_text_args_int(r, args, 0, "", -1);
        if (i < 0) i += list->n;
        if (i < 0 || i >= list->n) {
            FAIL(r, "pop from an empty list, or from outside it");
            return v;
        }
        v = list->items[i];
        list->n--;
        memmove(list->items + i, list->items + i + 1, (list->n - (size_t)i) * sizeof v);
        return v;
    }
    if (id == M_APPEND) {
        mote_text_value_append(r, list, v);
    } else {
        struct list *more = mote_text_value_items(r, v);
        for (uint32_t i = 0, n = more->n; i < n && !r->status; i++)
            mote_text_value_append(r, list, more->items[i]);
    }
    return (struct value){.type = V_NONE};
}

struct value mote_text_method(struct render *r, struct value self, int id, struct args *args) {
    struct value v = {0};
    if (id == M_CYCLE) {
        args->asked = args->n;
        if (!args->n)
            FAIL(r, "cycle of nothing");
        else
            v = args->v[self.loop->index % args->n];
    } else {
        v = id < M_GET      ? string_method(r, self, id, args)
            : id < M_APPEND ? dict_method(r, self, id, args)
                            : list_method(r, self.list, id, args);
    }
    mote_text_args_end(r, args, "the method");
    return v;
}

/* ---- functions ---- */

enum { RANGE, DICT, NAMESPACE, RAISE_EXCEPTION, STRFTIME_NOW, RANGE_MOST = 100000 };
static const char function_names[] = "range\0dict\0namespace\0raise_exception\0strftime_now\0";

int mote_text_function_find(mote_text name) {
    return mote_text_list_find(function_names, name);
}

static struct value range(struct render *r, struct args *args) {
    int64_t start = mote_text_args_int(r, args, 0, "", 0), stop = mote_text_args_int(r, args, 1, "", 0);
    int64_t step = mote_text_args_int(r, args, 2, "", 1);
    if (args->n == 0) FAIL(r, "range of nothing");
    if (args->n == 1) {
        stop = start;
        start = 0;
    }
    if (step == 0) {
        FAIL(r, "range's step is 0");
        step = 1;
    }
    uint64_t span = step > 0 ? (uint64_t)stop - (uint64_t)start : (uint64_t)start - (uint64_t)stop;
    uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step, n = 0;
    if (!r->status && (step > 0 ? start < stop : start > stop)) n = (span - 1) / stride + 1;
    if (n > RANGE_MOST) FAIL(r, "range is longer than %u", (uint64_t)RANGE_MOST);
    struct value all = mote_text_value_list(r, V_LIST, (uint32_t)n);
    for (uint64_t i = 0; i < n && !r->status; i++)
        mote_text_value_append(r, all.list,
                               mote_text_value_int((int64_t)((uint64_t)start + i * (uint64_t)step)));
    return all;
}

struct value mote_text_function(struct render *r, int id, struct args *args) {
    struct value v = {0};
    switch (id) {
    case RANGE:
        v = range(r, args);
        break;
    case DICT:
    case NAMESPACE:
        v = mote_text_value_dict(r, id == DICT ? V_DICT : V_NAMESPACE);
        update(r, v.dict, args);
        break;
    case RAISE_EXCEPTION:
        v = mote_text_value_text(r, mote_text_args_get(args, 0, "message"));
        FAIL(r, "%t", ((mote_text){v.s, v.n}));
        break;
    case STRFTIME_NOW: {
        size_t start = r->n_out;
        mote_text_time_put(r, r->now, need_string(r, mote_text_args_get(args, 0, "format")));
        v = mote_text_render_capture(r, start);
    }
    }
    mote_text_args_end(r, args, mote_text_list_word(function_names, id));
    return v;
}
