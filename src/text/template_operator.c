/* SPDX-License-Identifier: Apache-2.0
 *
 * template_operator.c: + - * / // % ~, comparisons, in, and slices, as in Python. Ints are of 64 bits;
 * overflow is an error, told by the same operation on doubles, so that results within 1024 of ±2^63 are
 * refused as well. Not here, because no chat template has them: **, the order of lists. */
#include "text/template_internal.h"

__attribute__((noinline)) static int is_number(const struct value *v) {
    return v->type >= V_BOOL && v->type <= V_FLOAT;
}

static int is_list(const struct value *v) {
    return v->type == V_LIST || v->type == V_TUPLE;
}

__attribute__((noinline)) static double as_double(const struct value *v) {
    return v->type == V_FLOAT ? v->f : (double)v->i;
}

static double floored(double x) {
    if (!(x > -0x1p52 && x < 0x1p52)) return x; /* whole already, or NaN */
    double whole = (double)(int64_t)x;
    return whole > x ? whole - 1 : whole;
}

static struct value *operate_numbers(struct render *r, int op, struct value *a, struct value *b) {
    double x = as_double(a), y = as_double(b), z;
    uint64_t i = (uint64_t)a->i, k = (uint64_t)b->i;
    int is_float = a->type == V_FLOAT || b->type == V_FLOAT;
    if ((op == '/' || op == '%' || op == T_FLOOR_DIVIDE) && y == 0)
        return mote_text_render_fail(r, "division by zero", NULL);
    switch (op) {
    case '+':
        z = x + y;
        i += k;
        break;
    case '-':
        z = x - y;
        i -= k;
        break;
    case '*':
        z = x * y;
        i *= k;
        break;
    case '/':
        return mote_text_value_float(r, x / y);
    default: /* // and %, rounding down */
        z = floored(x / y);
        if (!is_float) {
            int64_t quotient = b->i == -1 ? (int64_t)(0 - i) : a->i / b->i;
            i -= (uint64_t)quotient * k; /* the remainder */
            if (i && (a->i < 0) != (b->i < 0)) quotient--, i += k;
            if (op != '%') i = (uint64_t)quotient;
        }
        if (op == '%') z = is_float ? x - y * z : 0;
    }
    if (is_float) return mote_text_value_float(r, z);
    if (!(z >= -0x1p63 && z < 0x1p63)) return mote_text_render_fail(r, "no int of 64 bits", NULL);
    return mote_text_value_int(r, (int64_t)i);
}

/* a's text followed by b's. Grows a in place where it ends the arena: building a text piece by piece then
 * costs what it adds. */
static struct value *join(struct render *r, struct value *a, struct value *b) {
    a = mote_text_write_text(r, a);
    b = mote_text_write_text(r, b);
    if (!a->n || !b->n) return a->n ? a : b;
    int grows = a->s + a->n == r->block + r->used;
    char *s = mote_text_render_take(r, (size_t)b->n + (grows ? 0 : a->n), 1);
    if (!s || !mote_text_render_spend(r, (b->n + (grows ? 0 : a->n)) / 16)) return a;
    if (!grows) memcpy(s, a->s, a->n);
    memcpy(grows ? s : s + a->n, b->s, b->n);
    return mote_text_value_string(r, grows ? a->s : s, (size_t)a->n + b->n);
}

static void append_all(struct render *r, struct value *all, const struct value *more) {
    for (uint32_t i = 0; i < more->n && !r->status; i++)
        mote_text_list_append(r, all, more->items[i]);
}

static struct value *repeat(struct render *r, struct value *v, int64_t times) {
    size_t start = r->n_out;
    struct value *all = mote_text_value_new(r, v->type);
    for (; v->n && times > 0 && mote_text_render_spend(r, 1); times--)
        if (v->type == V_STRING)
            mote_text_render_put(r, v->s, v->n);
        else
            append_all(r, all, v);
    return v->type == V_STRING ? mote_text_render_capture(r, start) : all;
}

static int contains(struct render *r, struct value *item, struct value *in) {
    if (in->type == V_STRING) {
        if (item->type != V_STRING) mote_text_render_fail(r, "not in strings: ", item);
        return item->type == V_STRING && mote_text_string_find(r, in, item, 0) >= 0;
    }
    int step = in->type == V_DICT ? 2 : 1;
    in = step == 2 ? in : mote_text_value_items(r, in);
    for (uint32_t i = 0; i < in->n && mote_text_render_spend(r, 1); i += (uint32_t)step)
        if (mote_text_value_equal(r, in->items[i], item)) return 1;
    return 0;
}

/* Of numbers; NaN is after everything, which is enough for equality and sorting. */
static int order_numbers(const struct value *a, const struct value *b) {
    if (a->type != V_FLOAT && b->type != V_FLOAT) return (a->i > b->i) - (a->i < b->i);
    double x = as_double(a), y = as_double(b);
    return x < y ? -1 : !(x == y);
}

static int order_texts(const struct value *a, const struct value *b) {
    uint32_t n = a->n < b->n ? a->n : b->n; /* bytes of UTF-8 are in the order of the code points */
    int order = n ? memcmp(a->s, b->s, n) : 0;
    return order ? order : (a->n > b->n) - (a->n < b->n);
}

static int equal_inside(struct render *r, struct value *a, struct value *b) {
    if (a->n != b->n) return 0;
    for (uint32_t i = 0; i < a->n && !r->status; i += a->type == V_DICT ? 2 : 1) {
        struct value **other = a->type == V_DICT ? mote_text_dict_find(r, b, a->items[i]) : &b->items[i];
        if (!other || !mote_text_value_equal(r, a->items[i + (a->type == V_DICT)], *other)) return 0;
    }
    return 1;
}

int mote_text_value_equal(struct render *r, struct value *a, struct value *b) {
    if (is_number(a) && is_number(b)) return order_numbers(a, b) == 0;
    if (a->type != b->type) return 0;
    if (a->type == V_STRING) return a->n == b->n && memcmp(a->s, b->s, a->n) == 0;
    if (a->type < V_LIST || a->type > V_DICT) return a == b || a->type <= V_NONE;
    int equal = mote_text_render_enter(r) && equal_inside(r, a, b);
    r->depth--;
    return equal;
}

int mote_text_value_order(struct render *r, struct value *a, struct value *b) {
    if (is_number(a) && is_number(b)) return order_numbers(a, b);
    if (a->type != V_STRING || b->type != V_STRING)
        mote_text_render_fail(r, "cannot order ", a->type == V_STRING ? b : a);
    return mote_text_render_spend(r, a->n / 16) ? order_texts(a, b) : 0;
}

static int compare(struct render *r, int op, struct value *a, struct value *b) {
    if (op == T_EQUAL || op == T_DIFFERENT) return mote_text_value_equal(r, a, b) == (op == T_EQUAL);
    if (op == T_IN || op == T_NOT_IN) return contains(r, a, b) == (op == T_IN);
    int order = mote_text_value_order(r, a, b),
        nan = (a->type == V_FLOAT && a->f != a->f) || (b->type == V_FLOAT && b->f != b->f);
    if (op == '<' || op == T_LESS_EQUAL) order = -order;
    return !nan && order >= (op == '<' || op == '>');
}

struct value *mote_text_operate(struct render *r, int op, struct value *a, struct value *b) {
    if (mote_text_render_idle(r)) return &r->undefined;
    if (op == '~' || (op == '+' && a->type == V_STRING && b->type == V_STRING)) return join(r, a, b);
    if (op >= 'd' || op == '<' || op == '>') return mote_text_value_bool(r, compare(r, op, a, b));
    if (is_number(a) && is_number(b)) return operate_numbers(r, op, a, b);
    if (op == '+' && is_list(a) && a->type == b->type) {
        struct value *all = mote_text_value_new(r, a->type);
        append_all(r, all, a);
        append_all(r, all, b);
        return all;
    }
    if (op == '*' && (a->type == V_STRING || is_list(a)) && b->type == V_INT) return repeat(r, a, b->i);
    if (a->type == V_UNDEFINED || b->type == V_UNDEFINED)
        return mote_text_render_fail(r, "undefined: ", a->type == V_UNDEFINED ? a : b);
    return mote_text_render_fail(r, "cannot calculate with ", a->type == V_STRING ? b : a);
}

/* One end of a slice of n items, as Python clips it to [least, most]; v none or undefined: other. */
static int64_t slice_end(struct render *r, struct value *v, int64_t n, int64_t least, int64_t most,
                         int64_t other) {
    if (v->type <= V_NONE) return other;
    if (v->type != V_INT) mote_text_render_fail(r, "no int: ", v);
    int64_t i = v->i < -n ? -n - 1 : v->i;
    if (i < 0) i += n;
    return i < least ? least : i > most ? most : i;
}

struct value *mote_text_operate_slice(struct render *r, struct value *object, struct value *part[3]) {
    int text = object->type == V_STRING;
    if (!text && !is_list(object)) return mote_text_render_fail(r, "cannot slice ", object);
    struct value *list = mote_text_value_items(r, object),
                 *all = mote_text_value_new(r, text ? V_LIST : object->type);
    int64_t n = list->n, by = part[2]->type == V_INT ? part[2]->i : 1;
    if (by == 0) mote_text_render_fail(r, "a step is 0", NULL);
    by = by > n ? n + 1 : by < -n ? -n - 1 : by;
    int down = by < 0;
    int64_t from = slice_end(r, part[0], n, -down, n - down, down ? n - 1 : 0);
    int64_t to = slice_end(r, part[1], n, -down, n - down, down ? -1 : n);
    size_t begin = r->n_out;
    for (int64_t i = from; !r->status && (down ? i > to : i < to); i += by)
        if (text)
            mote_text_render_put(r, list->items[i]->s, list->items[i]->n);
        else
            mote_text_list_append(r, all, list->items[i]);
    return text ? mote_text_render_capture(r, begin) : all;
}
