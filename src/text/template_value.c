/* SPDX-License-Identifier: Apache-2.0
 *
 * template_value.c: what values are, as in Python: truth, equality, order, str and repr, lists and dicts.
 *
 * Lists may come to hold themselves (append); everything that walks into values goes through
 * mote_text_render_enter and so ends. */
#include "text/template_internal.h"

struct value mote_text_value_string(const char *s, size_t n) {
    return (struct value){.type = V_STRING, .n = (uint32_t)n, .s = n ? s : ""};
}

struct value mote_text_value_int(int64_t i) {
    return (struct value){.type = V_INT, .i = i};
}

struct value mote_text_value_bool(int truth) {
    return (struct value){.type = V_BOOL, .i = truth != 0};
}

struct value mote_text_value_float(double f) {
    return (struct value){.type = V_FLOAT, .f = f};
}

struct value mote_text_value_list(struct render *r, uint8_t type, uint32_t room) {
    struct value v = {.type = type};
    v.list = mote_text_render_take(r, 1, sizeof *v.list);
    if (!v.list) return (struct value){0};
    v.list->items = mote_text_render_take(r, room, sizeof *v.list->items);
    if (v.list->items) v.list->room = room;
    return v;
}

struct value mote_text_value_dict(struct render *r, uint8_t type) {
    struct value v = {.type = type};
    v.dict = mote_text_render_take(r, 1, sizeof *v.dict);
    return v.dict ? v : (struct value){0};
}

/* Room for one more element of size bytes in an array of n, doubling it. */
static void *grow(struct render *r, void *items, uint32_t n, uint32_t *room, size_t size) {
    if (n < *room) return items;
    uint32_t more = n < 4 ? 4 : n * 2;
    void *copy = n < LIMIT_BYTES / 2 ? mote_text_render_take(r, more, size) : NULL;
    if (!copy) return NULL;
    if (n) memcpy(copy, items, n * size);
    *room = more;
    return copy;
}

void mote_text_value_append(struct render *r, struct list *list, struct value item) {
    if (!list || !mote_text_render_spend(r, 1)) return;
    struct value *items = grow(r, list->items, list->n, &list->room, sizeof item);
    if (!items) return;
    list->items = items;
    items[list->n++] = item;
}

struct value *mote_text_value_find(struct render *r, struct dict *dict, struct value key) {
    if (!dict || !mote_text_render_spend(r, dict->n / 8)) return NULL;
    for (uint32_t i = 0; i < dict->n; i++) {
        struct entry *entry = &dict->entries[i];
        if (entry->key.type == V_STRING && key.type == V_STRING) {
            if (entry->key.n == key.n && memcmp(entry->key.s, key.s, key.n) == 0) return &entry->value;
        } else if (mote_text_value_equal(r, entry->key, key)) {
            return &entry->value;
        }
    }
    return NULL;
}

void mote_text_value_insert(struct render *r, struct dict *dict, struct value key, struct value value) {
    struct value *place = mote_text_value_find(r, dict, key);
    if (key.type == V_LIST || key.type == V_DICT) FAIL(r, "a %s cannot be a key", mote_text_value_type(key));
    if (place) {
        *place = value;
    } else if (dict && !r->status) {
        struct entry *entries = grow(r, dict->entries, dict->n, &dict->room, sizeof *entries);
        if (!entries) return;
        dict->entries = entries;
        entries[dict->n++] = (struct entry){key, value};
    }
}

int mote_text_value_truth(struct value v) {
    switch (v.type) {
    case V_UNDEFINED:
    case V_NONE:
        return 0;
    case V_BOOL:
    case V_INT:
        return v.i != 0;
    case V_FLOAT:
        return v.f != 0;
    case V_STRING:
        return v.n != 0;
    case V_LIST:
    case V_TUPLE:
        return v.list->n != 0;
    case V_DICT:
        return v.dict->n != 0;
    }
    return 1;
}

static int is_number(struct value v) {
    return v.type == V_BOOL || v.type == V_INT || v.type == V_FLOAT;
}

/* Of numbers; NaN is after everything, which is enough for equality and sorting. */
static int order_numbers(struct value a, struct value b) {
    if (a.type != V_FLOAT && b.type != V_FLOAT) return (a.i > b.i) - (a.i < b.i);
    double x = a.type == V_FLOAT ? a.f : (double)a.i, y = b.type == V_FLOAT ? b.f : (double)b.i;
    return x < y ? -1 : !(x == y);
}

static int equal_items(struct render *r, struct list *a, struct list *b) {
    if (a->n != b->n) return 0;
    for (uint32_t i = 0; i < a->n && !r->status; i++)
        if (!mote_text_value_equal(r, a->items[i], b->items[i])) return 0;
    return 1;
}

static int equal_entries(struct render *r, struct dict *a, struct dict *b) {
    if (a->n != b->n) return 0;
    for (uint32_t i = 0; i < a->n && !r->status; i++) {
        struct value *other = mote_text_value_find(r, b, a->entries[i].key);
        if (!other || !mote_text_value_equal(r, a->entries[i].value, *other)) return 0;
    }
    return 1;
}

static int equal_inside(struct render *r, struct value a, struct value b) {
    switch (a.type) {
    case V_UNDEFINED:
    case V_NONE:
        return 1;
    case V_STRING:
        return a.n == b.n && memcmp(a.s, b.s, a.n) == 0;
    case V_LIST:
    case V_TUPLE:
        return equal_items(r, a.list, b.list);
    case V_DICT:
        return equal_entries(r, a.dict, b.dict);
    }
    return a.i == b.i; /* the same object */
}

int mote_text_value_equal(struct render *r, struct value a, struct value b) {
    if (is_number(a) && is_number(b)) return order_numbers(a, b) == 0;
    int equal = mote_text_render_enter(r) && a.type == b.type && equal_inside(r, a, b);
    r->depth--;
    return equal;
}

static int order_strings(struct value a, struct value b, int fold) {
    const char *s = a.s, *t = b.s, *s_end = a.s + a.n, *t_end = b.s + b.n;
    while (s < s_end && t < t_end) {
        uint32_t x = mote_text_string_next(&s, s_end), y = mote_text_string_next(&t, t_end);
        if (fold) {
            x = mote_text_string_lower(x);
            y = mote_text_string_lower(y);
        }
        if (x != y) return x < y ? -1 : 1;
    }
    return (s < s_end) - (t < t_end);
}

int mote_text_value_order(struct render *r, struct value a, struct value b, int fold) {
    int order = 0;
    if (is_number(a) && is_number(b)) return order_numbers(a, b);
    if (!mote_text_render_enter(r)) {
        r->depth--;
        return 0;
    }
    if (a.type == V_STRING && b.type == V_STRING) {
        if (mote_text_render_spend(r, a.n / 16)) order = order_strings(a, b, fold);
    } else if ((a.type == V_LIST || a.type == V_TUPLE) && a.type == b.type) {
        for (uint32_t i = 0; !order && i < a.list->n && i < b.list->n && !r->status; i++)
            order = mote_text_value_order(r, a.list->items[i], b.list->items[i], fold);
        if (!order) order = (a.list->n > b.list->n) - (a.list->n < b.list->n);
    } else {
        FAIL(r, "no order between %s and %s", mote_text_value_type(a), mote_text_value_type(b));
    }
    r->depth--;
    return order;
}

/* Python's repr of a string: single quotes unless it has these and no double ones. */
static void put_quoted(struct render *r, struct value v) {
    static const char digits[] = "0123456789abcdef", letters[] = "t\tn\nr\r";
    int single = 0, twice = 0;
    for (uint32_t i = 0; i < v.n; i++) {
        single |= v.s[i] == '\'';
        twice |= v.s[i] == '"';
    }
    char quote = single && !twice ? '"' : '\'';
    mote_text_render_put(r, &quote, 1);
    for (uint32_t i = 0; i < v.n && mote_text_render_spend(r, 1); i++) {
        unsigned char c = (unsigned char)v.s[i];
        char escape[4] = {'\\', 'x', digits[c >> 4], digits[c & 15]};
        size_t n = c < 32 || c == 127 ? 4 : 0;
        for (int l = 0; l < 6; l += 2)
            if (c == (unsigned char)letters[l + 1]) escape[1] = letters[l], n = 2;
        if (c == '\\' || c == (unsigned char)quote) escape[1] = (char)c, n = 2;
        mote_text_render_put(r, n ? escape : v.s + i, n ? n : 1);
    }
    mote_text_render_put(r, &quote, 1);
}

static void put_items(struct render *r, struct value v) {
    mote_text_render_put_text(r, v.type == V_LIST ? "[" : "(");
    for (uint32_t i = 0; i < v.list->n && !r->status; i++) {
        if (i) mote_text_render_put_text(r, ", ");
        mote_text_value_put(r, v.list->items[i], 1);
    }
    mote_text_render_put_text(r, v.type == V_LIST ? "]" : v.list->n == 1 ? ",)" : ")");
}

static void put_entries(struct render *r, struct dict *dict) {
    mote_text_render_put_text(r, "{");
    for (uint32_t i = 0; i < dict->n && !r->status; i++) {
        if (i) mote_text_render_put_text(r, ", ");
        mote_text_value_put(r, dict->entries[i].key, 1);
        mote_text_render_put_text(r, ": ");
        mote_text_value_put(r, dict->entries[i].value, 1);
    }
    mote_text_render_put_text(r, "}");
}

static void put_inside(struct render *r, struct value v, int quote) {
    switch (v.type) {
    case V_UNDEFINED:
        if (quote) mote_text_render_put_text(r, "Undefined");
        break;
    case V_NONE:
        mote_text_render_put_text(r, "None");
        break;
    case V_BOOL:
        mote_text_render_put_text(r, v.i ? "True" : "False");
        break;
    case V_INT:
    case V_FLOAT:
        mote_text_number_put(r, v);
        break;
    case V_STRING:
        if (quote)
            put_quoted(r, v);
        else
            mote_text_render_put(r, v.s, v.n);
        break;
    case V_LIST:
    case V_TUPLE:
        put_items(r, v);
        break;
    case V_DICT:
        put_entries(r, v.dict);
        break;
    default: /* Python would show an address */
        mote_text_render_put_text(r, "<");
        mote_text_render_put_text(r, mote_text_value_type(v));
        mote_text_render_put_text(r, ">");
    }
}

void mote_text_value_put(struct render *r, struct value v, int quote) {
    if (mote_text_render_enter(r)) put_inside(r, v, quote);
    r->depth--;
}

struct value mote_text_value_text(struct render *r, struct value v) {
    if (v.type == V_STRING) return v;
    size_t start = r->n_out;
    mote_text_value_put(r, v, 0);
    return mote_text_render_capture(r, start);
}

struct list *mote_text_value_items(struct render *r, struct value v) {
    if (v.type == V_LIST || v.type == V_TUPLE) return v.list;
    struct list *items = mote_text_value_list(r, V_LIST, 0).list;
    if (v.type == V_STRING) {
        for (const char *s = v.s, *end = v.s + v.n; s < end && !r->status;) {
            const char *from = s;
            mote_text_string_next(&s, end);
            mote_text_value_append(r, items, mote_text_value_string(from, (size_t)(s - from)));
        }
    } else if (v.type == V_DICT) {
        for (uint32_t i = 0; i < v.dict->n && !r->status; i++)
            mote_text_value_append(r, items, v.dict->entries[i].key);
    } else if (v.type != V_UNDEFINED) {
        FAIL(r, "cannot iterate over %s", mote_text_value_type(v));
    }
    return items ? items : &r->nothing;
}

const char *mote_text_value_type(struct value v) {
    static const char names[] =
        "undefined\0none\0bool\0int\0float\0string\0list\0tuple\0dict\0namespace\0loop\0"
        "macro\0function\0method\0nothing\0";
    return mote_text_list_word(names, v.type);
}

int mote_text_value_is_text(struct value v, const char *text) {
    if (v.type != V_STRING) return 0;
    for (uint32_t i = 0; i < v.n; i++)
        if (!text[i] || text[i] != v.s[i]) return 0;
    return !text[v.n];
}
