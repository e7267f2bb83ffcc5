/* SPDX-License-Identifier: Apache-2.0
 *
 * template_operator.c: + - * / // % ** ~, comparisons, in, and slices, as in Python. Ints are of 64 bits and
 * overflow is an error. */
#include "base/checked.h"
#include "text/template_internal.h"

static int is_number(struct value v) {
    return v.type == V_BOOL || v.type == V_INT || v.type == V_FLOAT;
}

static int is_list(struct value v) {
    return v.type == V_LIST || v.type == V_TUPLE;
}

static int64_t checked(struct render *r, int overflow, int64_t value) {
    if (overflow) FAIL(r, "an int does not fit in 64 bits");
    return overflow ? 0 : value;
}

/* 1 if a × b overflows; else writes it. */
static int multiply(int64_t a, int64_t b, int64_t *c) {
    uint64_t x = a < 0 ? 0 - (uint64_t)a : (uint64_t)a, y = b < 0 ? 0 - (uint64_t)b : (uint64_t)b, product;
    int negative = (a < 0) != (b < 0);
    if (!mote_base_mul(x, y, &product) || product > (uint64_t)INT64_MAX + negative) return 1;
    *c = (int64_t)(negative ? 0 - product : product);
    return 0;
}

static int64_t power(struct render *r, int64_t base, int64_t exponent) {
    int64_t result = 1;
    int overflow = 0, big = 0; /* big: base has overflowed, which matters only if it is used again */
    for (; exponent; exponent >>= 1) {
        if (exponent & 1) overflow |= big || multiply(result, base, &result);
        big |= multiply(base, base, &base);
    }
    return checked(r, overflow, result);
}

static struct value operate_ints(struct render *r, int op, int64_t a, int64_t b) {
    int64_t c = 0;
    int overflow = 0;
    switch (op) {
    case '+':
        overflow = __builtin_add_overflow(a, b, &c);
        break;
    case '-':
        overflow = __builtin_sub_overflow(a, b, &c);
        break;
    case '*':
        overflow = multiply(a, b, &c);
        break;
    case T_POWER:
        c = power(r, a, b);
        break;
    default: /* // and %, rounding down; b is not 0 */
        if (b == -1) {
            overflow = op == T_FLOOR_DIVIDE && __builtin_sub_overflow(0, a, &c);
            break;
        }
        c = op == '%' ? a % b : a / b;
        if (a % b && (a < 0) != (b < 0)) c += op == '%' ? b : -1;
    }
    return mote_text_value_int(checked(r, overflow, c));
}

static struct value operate_floats(struct render *r, int op, double a, double b) {
    double c = 1;
    switch (op) {
    case '+':
        c = a + b;
        break;
    case '-':
        c = a - b;
        break;
    case '*':
        c = a * b;
        break;
    case '/':
        c = a / b;
        break;
    case T_FLOOR_DIVIDE:
        c = mote_text_number_floor(a / b);
        break;
    case '%':
        c = a - b * mote_text_number_floor(a / b);
        break;
    default:
        if (b != mote_text_number_floor(b) || b > 4096 || b < -4096) {
            FAIL(r, "** takes a whole exponent up to 4096");
            break;
        }
        for (int n = (int)(b < 0 ? -b : b); n; n >>= 1) {
            if (n & 1) c *= a;
            a *= a;
        }
        if (b < 0) c = 1 / c;
    }
    return mote_text_value_float(c);
}

static struct value operate_numbers(struct render *r, int op, struct value a, struct value b) {
    int floats = a.type == V_FLOAT || b.type == V_FLOAT || op == '/' || (op == T_POWER && b.i < 0);
    if ((op == '/' || op == '%' || op == T_FLOOR_DIVIDE) && !mote_text_value_truth(b)) {
        FAIL(r, "division by zero");
        return a;
    }
    if (!floats) return operate_ints(r, op, a.i, b.i);
    return operate_floats(r, op, a.type == V_FLOAT ? a.f : (double)a.i,
                          b.type == V_FLOAT ? b.f : (double)b.i);
}

/* a's text followed by b's. Grows a in place where it ends the arena: building a text piece by piece then
 * costs what it adds. */
static struct value join(struct render *r, struct value a, struct value b) {
    a = mote_text_value_text(r, a);
    b = mote_text_value_text(r, b);
    if (!a.n || !b.n) return a.n ? a : b;
    int in_place = a.s + a.n == r->block + r->used;
    char *s = mote_text_render_take(r, (size_t)b.n + (in_place ? 0 : a.n), 1);
    if (!s || !mote_text_render_spend(r, (b.n + (in_place ? 0 : a.n)) / 16)) return a;
    if (!in_place) memcpy(s, a.s, a.n);
    memcpy(in_place ? s : s + a.n, b.s, b.n);
    return mote_text_value_string(in_place ? a.s : s, (size_t)a.n + b.n);
}

static struct value join_lists(struct render *r, struct value a, struct value b) {
    struct value all = mote_text_value_list(r, a.type, a.list->n + b.list->n);
    for (uint32_t i = 0; i < a.list->n; i++)
        mote_text_value_append(r, all.list, a.list->items[i]);
    for (uint32_t i = 0; i < b.list->n; i++)
        mote_text_value_append(r, all.list, b.list->items[i]);
    return all;
}

static struct value repeat(struct render *r, struct value v, int64_t times) {
    size_t start = r->n_out;
    if (v.type == V_STRING) {
        for (; v.n && times > 0 && mote_text_render_spend(r, 1); times--)
            mote_text_render_put(r, v.s, v.n);
        return mote_text_render_capture(r, start);
    }
    struct value all = mote_text_value_list(r, v.type, 0);
    for (; v.list->n && times > 0 && !r->status; times--)
        for (uint32_t i = 0; i < v.list->n; i++)
            mote_text_value_append(r, all.list, v.list->items[i]);
    return all;
}

static int contains(struct render *r, struct value item, struct value in) {
    if (in.type == V_STRING) {
        if (item.type != V_STRING) FAIL(r, "%s in a string", mote_text_value_type(item));
        return item.type == V_STRING && mote_text_string_find(r, in, item, 0) >= 0;
    }
    if (in.type == V_DICT) return mote_text_value_find(r, in.dict, item) != NULL;
    struct list *list = mote_text_value_items(r, in);
    for (uint32_t i = 0; i < list->n && mote_text_render_spend(r, 1); i++)
        if (mote_text_value_equal(r, list->items[i], item)) return 1;
    return 0;
}

static struct value compare(struct render *r, int op, struct value a, struct value b) {
    int truth, nan = (a.type == V_FLOAT && a.f != a.f) || (b.type == V_FLOAT && b.f != b.f);
    switch (op) {
    case T_EQUAL:
    case T_DIFFERENT:
        truth = mote_text_value_equal(r, a, b) == (op == T_EQUAL);
        break;
    case T_IN:
    case T_NOT_IN:
        truth = contains(r, a, b) == (op == T_IN);
        break;
    default: {
        int order = mote_text_value_order(r, a, b, 0);
        truth = !nan && (op == '<'            ? order < 0
                         : op == '>'          ? order > 0
                         : op == T_LESS_EQUAL ? order <= 0
                                              : order >= 0);
    }
    }
    return mote_text_value_bool(truth);
}

struct value mote_text_operate(struct render *r, int op, struct value a, struct value b) {
    switch (op) {
    case '~':
        return join(r, a, b);
    case '+':
        if (a.type == V_STRING && b.type == V_STRING) return join(r, a, b);
        if (is_list(a) && a.type == b.type) return join_lists(r, a, b);
        break;
    case '*':
        if ((a.type == V_STRING || is_list(a)) && (b.type == V_INT || b.type == V_BOOL))
            return repeat(r, a, b.i);
        if ((b.type == V_STRING || is_list(b)) && (a.type == V_INT || a.type == V_BOOL))
            return repeat(r, b, a.i);
        break;
    case '-':
    case '/':
    case '%':
    case T_FLOOR_DIVIDE:
    case T_POWER:
        break;
    default:
        return compare(r, op, a, b);
    }
    if (is_number(a) && is_number(b)) return operate_numbers(r, op, a, b);
    struct value missing = a.type == V_UNDEFINED ? a : b;
    if (missing.type == V_UNDEFINED)
        FAIL(r, "'%t' is undefined", ((mote_text){missing.s, missing.n}));
    else
        FAIL(r, "%s and %s do not go with this operator", mote_text_value_type(a), mote_text_value_type(b));
    return (struct value){0};
}

/* One end of a slice, as Python clips it to [least, most]; v none or undefined: other. */
static int64_t slice_end(struct render *r, struct value v, int64_t n, int64_t least, int64_t most,
                         int64_t other) {
    if (v.type == V_NONE || v.type == V_UNDEFINED) return other;
    if (v.type != V_INT && v.type != V_BOOL) {
        FAIL(r, "a slice takes ints");
        return other;
    }
    int64_t i = v.i < -n ? -n - 1 : v.i;
    if (i < 0) i += n;
    return i < least ? least : i > most ? most : i;
}

struct value mote_text_operate_slice(struct render *r, struct value object, struct value start,
                                     struct value stop, struct value step) {
    int text = object.type == V_STRING;
    if (!text && !is_list(object)) {
        FAIL(r, "cannot slice %s", mote_text_value_type(object));
        return object;
    }
    struct list *list = mote_text_value_items(r, object);
    int64_t n = list->n, by = slice_end(r, step, INT64_MAX / 2, INT64_MIN / 2, INT64_MAX / 2, 1);
    if (step.type == V_INT) by = step.i > n + 1 ? n + 1 : step.i < -n - 1 ? -n - 1 : step.i;
    if (by == 0) FAIL(r, "a slice's step is 0");
    int down = by < 0;
    int64_t from = slice_end(r, start, n, down ? -1 : 0, down ? n - 1 : n, down ? n - 1 : 0);
    int64_t to = slice_end(r, stop, n, down ? -1 : 0, down ? n - 1 : n, down ? -1 : n);
    struct value all = mote_text_value_list(r, text ? V_LIST : object.type, 0);
    size_t begin = r->n_out;
    for (int64_t i = from; !r->status && (down ? i > to : i < to); i += by) {
        if (text)
            mote_text_render_put(r, list->items[i].s, list->items[i].n);
        else
            mote_text_value_append(r, all.list, list->items[i]);
    }
    return text ? mote_text_render_capture(r, begin) : all;
}
