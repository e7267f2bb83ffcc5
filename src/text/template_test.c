/* SPDX-License-Identifier: Apache-2.0
 *
 * template_test.c: `value is test`, and how the arguments of filters, tests and calls are looked at. */
#include "text/template_internal.h"

int mote_text_list_find(const char *words, mote_text word) {
    for (int index = 0; *words; index++) {
        size_t n = 0;
        while (words[n])
            n++;
        if (n == word.n && memcmp(words, word.data, n) == 0) return index;
        words += n + 1;
    }
    return -1;
}

const char *mote_text_list_word(const char *words, int index) {
    for (; index > 0; index--)
        while (*words++) {
        }
    return words;
}

struct value mote_text_args_get(struct args *args, uint32_t i, const char *name) {
    if (args->asked <= i) args->asked = i + 1;
    if (i < args->n) return args->v[i];
    for (uint32_t k = 0; k < args->n_kw; k++)
        if (mote_text_value_is_text(args->kw[2 * k], name)) {
            args->used++;
            return args->kw[2 * k + 1];
        }
    return (struct value){0};
}

int64_t mote_text_args_int(struct render *r, struct args *args, uint32_t i, const char *name, int64_t other) {
    uint32_t used = args->used;
    struct value v = mote_text_args_get(args, i, name);
    if (v.type == V_INT || v.type == V_BOOL) return v.i;
    if (v.type != V_UNDEFINED && v.type != V_NONE) FAIL(r, "%s must be an int", name);
    args->used = v.type == V_UNDEFINED ? used : args->used;
    return other;
}

void mote_text_args_end(struct render *r, const struct args *args, const char *callee) {
    if (args->n > args->asked || args->n_kw > args->used) FAIL(r, "%s does not take this argument", callee);
}

/* In two groups: those that take an argument, then those that do not. */
static const char names[] =
    "divisibleby\0eq\0equalto\0==\0ne\0!=\0lt\0lessthan\0<\0gt\0greaterthan\0>\0le\0<=\0ge\0"
    ">=\0in\0sameas\0"
    "boolean\0callable\0defined\0even\0false\0float\0integer\0iterable\0lower\0mapping\0"
    "none\0number\0odd\0sequence\0string\0true\0undefined\0upper\0";

enum {
    IS_DIVISIBLEBY,
    IS_EQ,
    IS_NE = IS_EQ + 3,
    IS_LT = IS_NE + 2,
    IS_GT = IS_LT + 3,
    IS_LE = IS_GT + 3,
    IS_GE = IS_LE + 2,
    IS_IN = IS_GE + 2,
    IS_SAMEAS,
    IS_BOOLEAN,
    IS_CALLABLE,
    IS_DEFINED,
    IS_EVEN,
    IS_FALSE,
    IS_FLOAT,
    IS_INTEGER,
    IS_ITERABLE,
    IS_LOWER,
    IS_MAPPING,
    IS_NONE,
    IS_NUMBER,
    IS_ODD,
    IS_SEQUENCE,
    IS_STRING,
    IS_TRUE,
    IS_UNDEFINED,
    IS_UPPER,
};

int mote_text_test_find(mote_text name) {
    return mote_text_list_find(names, name);
}

int mote_text_test_takes_argument(int id) {
    return id < IS_BOOLEAN;
}

static int has_remainder(struct render *r, struct value v, struct value by) {
    return mote_text_value_truth(mote_text_operate(r, '%', v, by));
}

/* As Python's islower, isupper: some letter has case, and none has the other. */
static int is_case(struct render *r, struct value v, int upper) {
    int some = 0;
    v = mote_text_value_text(r, v);
    for (const char *p = v.s, *end = v.s + v.n; p < end && mote_text_render_spend(r, 1);) {
        uint32_t code = mote_text_string_next(&p, end);
        int is_upper = mote_text_string_lower(code) != code, is_lower = mote_text_string_upper(code) != code;
        if (upper ? is_lower : is_upper) return 0;
        some |= is_upper || is_lower;
    }
    return some;
}

static int compare(struct render *r, int id, struct value v, struct value other) {
    int op = id < IS_NE   ? T_EQUAL
             : id < IS_LT ? T_DIFFERENT
             : id < IS_GT ? '<'
             : id < IS_LE ? '>'
             : id < IS_GE ? T_LESS_EQUAL
             : id < IS_IN ? T_GREATER_EQUAL
                          : T_IN;
    return mote_text_value_truth(mote_text_operate(r, op, v, other));
}

static int is_kind(int id, struct value v) {
    switch (id) {
    case IS_BOOLEAN:
        return v.type == V_BOOL;
    case IS_CALLABLE:
        return v.type == V_MACRO || v.type == V_FUNCTION || v.type == V_METHOD;
    case IS_DEFINED:
        return v.type != V_UNDEFINED;
    case IS_FALSE:
        return v.type == V_BOOL && !v.i;
    case IS_FLOAT:
        return v.type == V_FLOAT;
    case IS_INTEGER:
        return v.type == V_INT;
    case IS_ITERABLE:
    case IS_SEQUENCE:
        return (v.type >= V_STRING && v.type <= V_DICT) || v.type == V_UNDEFINED;
    case IS_MAPPING:
        return v.type == V_DICT;
    case IS_NONE:
        return v.type == V_NONE;
    case IS_NUMBER:
        return v.type >= V_BOOL && v.type <= V_FLOAT;
    case IS_STRING:
        return v.type == V_STRING;
    case IS_TRUE:
        return v.type == V_BOOL && v.i;
    }
    return v.type == V_UNDEFINED;
}

int mote_text_test(struct render *r, int id, struct args *args) {
    struct value v = args->v[0], other = {0};
    args->asked = 1;
    if (id < IS_BOOLEAN) {
        other = mote_text_args_get(args, 1, "other");
        if (args->n + args->n_kw < 2) FAIL(r, "%s takes an argument", mote_text_list_word(names, id));
    }
    mote_text_args_end(r, args, mote_text_list_word(names, id));
    if (r->status) return 0;
    switch (id) {
    case IS_DIVISIBLEBY:
        return !has_remainder(r, v, other);
    case IS_EVEN:
    case IS_ODD:
        return has_remainder(r, v, mote_text_value_int(2)) == (id == IS_ODD);
    case IS_LOWER:
    case IS_UPPER:
        return is_case(r, v, id == IS_UPPER);
    case IS_SAMEAS:
        return v.type == other.type &&
               (v.type == V_STRING ? mote_text_value_equal(r, v, other) : v.i == other.i);
    }
    return id < IS_BOOLEAN ? compare(r, id, v, other) : is_kind(id, v);
}
