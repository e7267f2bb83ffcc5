/* SPDX-License-Identifier: Apache-2.0
 *
 * template_eval.c: expression nodes → values.
 *
 * Jinja's undefined: printing it gives nothing, it is false, empty when iterated and equal to itself; to take
 * an attribute of it, call it or calculate with it is an error. */
#include "text/template_internal.h"

static struct value undefined(const char *s, size_t n) {
    return (struct value){.type = V_UNDEFINED, .n = (uint32_t)n, .s = s};
}

static void fail_undefined(struct render *r, struct value v) {
    FAIL(r, "'%t' is undefined", ((mote_text){v.s, v.n}));
}

/* Scopes from the inside out, then the variables given, then the functions of the language. */
static struct value look_up(struct render *r, const struct name *name) {
    for (const struct scope *scope = r->scope; scope; scope = scope->parent)
        for (const struct binding *b = scope->bindings; b && mote_text_render_spend(r, 1); b = b->next)
            if (b->name == name && b->value.type != V_ABSENT) return b->value;
    struct value key = mote_text_value_string(name->text.data, name->text.n);
    struct value *global = mote_text_value_find(r, r->globals, key);
    if (global) return *global;
    int function = mote_text_function_find(name->text);
    if (function >= 0) return (struct value){.type = V_FUNCTION, .i = function};
    return undefined(key.s, key.n);
}

static struct value loop_attribute(const struct loop *loop, struct value name) {
    static const char names[] =
        "index\0index0\0revindex\0revindex0\0first\0last\0length\0previtem\0nextitem\0"
        "depth\0depth0\0";
    uint32_t i = loop->index, n = loop->list->n;
    switch (mote_text_list_find(names, (mote_text){name.s, name.n})) {
    case 0:
        return mote_text_value_int((int64_t)i + 1);
    case 1:
        return mote_text_value_int(i);
    case 2:
        return mote_text_value_int((int64_t)n - i);
    case 3:
        return mote_text_value_int((int64_t)n - i - 1);
    case 4:
        return mote_text_value_bool(i == 0);
    case 5:
        return mote_text_value_bool(i + 1 == n);
    case 6:
        return mote_text_value_int(n);
    case 7:
        return i > 0 ? loop->list->items[i - 1] : undefined("loop.previtem", 13);
    case 8:
        return i + 1 < n ? loop->list->items[i + 1] : undefined("loop.nextitem", 13);
    case 9: /* counts recursive loops only, which there are none of */
        return mote_text_value_int(1);
    case 10:
        return mote_text_value_int(0);
    }
    return undefined(name.s, name.n);
}

static struct value bound_method(struct render *r, struct value object, struct value name) {
    int id = mote_text_method_find(object.type, (mote_text){name.s, name.n});
    struct value v = {.type = V_METHOD};
    if (id < 0) return undefined(name.s, name.n);
    v.method = mote_text_render_take(r, 1, sizeof *v.method);
    if (!v.method) return undefined(name.s, name.n);
    *v.method = (struct method){object, id};
    return v;
}

/* object.name: a method before a key, as Python's getattr is before the item. */
struct value mote_text_eval_attribute(struct render *r, struct value object, struct value name) {
    if (object.type == V_UNDEFINED) fail_undefined(r, object);
    if (object.type == V_LOOP) {
        struct value v = loop_attribute(object.loop, name);
        if (v.type != V_UNDEFINED) return v;
    }
    struct value method = bound_method(r, object, name);
    if (method.type == V_METHOD || (object.type != V_DICT && object.type != V_NAMESPACE)) return method;
    struct value *found = mote_text_value_find(r, object.dict, name);
    return found ? *found : method;
}

/* object[key]: an item before a method. */
struct value mote_text_eval_index(struct render *r, struct value object, struct value key) {
    int number = key.type == V_INT || key.type == V_BOOL;
    if (object.type == V_DICT) {
        struct value *found = mote_text_value_find(r, object.dict, key);
        if (found) return *found;
    } else if (number && (object.type == V_LIST || object.type == V_TUPLE)) {
        int64_t n = object.list->n, i = key.i < 0 ? key.i + n : key.i;
        return i >= 0 && i < n ? object.list->items[i] : undefined("list item", 9);
    } else if (number && object.type == V_STRING) {
        int64_t n = key.i < 0 ? (int64_t)mote_text_string_length(object) : 0, i = key.i + n;
        const char *p = object.s, *end = p + object.n;
        mote_text_render_spend(r, object.n / 16);
        for (; i > 0 && p < end; i--)
            mote_text_string_next(&p, end);
        const char *from = p;
        if (i < 0 || p >= end) return undefined("character", 9);
        mote_text_string_next(&p, end);
        return mote_text_value_string(from, (size_t)(p - from));
    }
    if (object.type == V_UNDEFINED) fail_undefined(r, object);
    if (key.type == V_STRING) return mote_text_eval_attribute(r, object, key);
    return undefined("item", 4);
}

void mote_text_eval_push(struct render *r, struct value v) {
    if (r->n_stack == LIMIT_STACK)
        FAIL(r, "too many arguments at once");
    else
        r->stack[r->n_stack++] = v;
}

struct args mote_text_eval_args(struct render *r, const struct node *list, uint32_t base) {
    const struct node *node = list;
    for (; node && node->kind != N_KEYWORD && node->kind != N_SPREAD_KEYWORDS; node = node->next) {
        if (node->kind != N_SPREAD) {
            mote_text_eval_push(r, mote_text_eval(r, node));
            continue;
        }
        struct list *more = mote_text_value_items(r, mote_text_eval(r, node->a));
        for (uint32_t i = 0; i < more->n && !r->status; i++)
            mote_text_eval_push(r, more->items[i]);
    }
    uint32_t n = r->n_stack;
    for (; node && !r->status; node = node->next) {
        struct value v = mote_text_eval(r, node->a);
        if (node->kind == N_KEYWORD) {
            mote_text_eval_push(r, mote_text_value_string(node->name->text.data, node->name->text.n));
            mote_text_eval_push(r, v);
        } else if (v.type != V_DICT) {
            FAIL(r, "** takes a dict");
        } else {
            for (uint32_t i = 0; i < v.dict->n && !r->status; i++) {
                mote_text_eval_push(r, v.dict->entries[i].key);
                mote_text_eval_push(r, v.dict->entries[i].value);
            }
        }
    }
    return (struct args){r->stack + base, r->stack + n, n - base, (r->n_stack - n) / 2, 0, 0};
}

struct value mote_text_eval_call(struct render *r, struct value callee, struct args *args) {
    switch (callee.type) {
    case V_MACRO:
        return mote_text_run_macro(r, callee.macro, args);
    case V_FUNCTION:
        return mote_text_function(r, (int)callee.i, args);
    case V_METHOD:
        return mote_text_method(r, callee.method->self, callee.method->id, args);
    case V_UNDEFINED:
        fail_undefined(r, callee);
        break;
    default:
        FAIL(r, "cannot call %s", mote_text_value_type(callee));
    }
    return (struct value){0};
}

static struct value eval_call(struct render *r, const struct node *node) {
    uint32_t base = r->n_stack;
    struct value callee = mote_text_eval(r, node->a), v = {0};
    struct args args = mote_text_eval_args(r, node->b, base);
    r->at = node->at;
    if (!r->status) v = mote_text_eval_call(r, callee, &args);
    r->n_stack = base;
    return v;
}

/* A filter or a test, whose subject is the first of its arguments. */
static struct value eval_filter(struct render *r, const struct node *node) {
    uint32_t base = r->n_stack;
    struct value v = node->a ? mote_text_eval(r, node->a) : r->subject;
    mote_text_eval_push(r, v);
    struct args args = mote_text_eval_args(r, node->b, base);
    r->at = node->at;
    if (!r->status)
        v = node->kind == N_FILTER ? mote_text_filter(r, node->op, &args)
                                   : mote_text_value_bool(mote_text_test(r, node->op, &args));
    r->n_stack = base;
    return v;
}

static struct value eval_display(struct render *r, const struct node *node) {
    if (node->kind == N_DICT) {
        struct value v = mote_text_value_dict(r, V_DICT);
        for (const struct node *key = node->a; key && !r->status; key = key->next->next) {
            struct value k = mote_text_eval(r, key);
            mote_text_value_insert(r, v.dict, k, mote_text_eval(r, key->next));
        }
        return v;
    }
    struct value v = mote_text_value_list(r, node->kind == N_LIST ? V_LIST : V_TUPLE, 0);
    for (const struct node *item = node->a; item && !r->status; item = item->next)
        mote_text_value_append(r, v.list, mote_text_eval(r, item));
    return v;
}

static struct value eval_optional(struct render *r, const struct node *node) {
    return node ? mote_text_eval(r, node) : (struct value){.type = V_NONE};
}

static struct value eval_slice(struct render *r, const struct node *node) {
    struct value object = mote_text_eval(r, node->a), start = eval_optional(r, node->b);
    struct value stop = eval_optional(r, node->c), step = eval_optional(r, node->d);
    r->at = node->at;
    return r->status ? object : mote_text_operate_slice(r, object, start, stop, step);
}

static struct value eval_sign(struct render *r, const struct node *node) {
    struct value v = mote_text_eval(r, node->a);
    r->at = node->at;
    if (node->kind == N_NEGATE && v.type == V_FLOAT) return mote_text_value_float(-v.f);
    return r->status ? v
                     : mote_text_operate(r, node->kind == N_NEGATE ? '-' : '+', mote_text_value_int(0), v);
}

static struct value eval_binary(struct render *r, const struct node *node) {
    struct value a = mote_text_eval(r, node->a), b = mote_text_eval(r, node->b);
    r->at = node->at;
    return r->status ? a : mote_text_operate(r, node->op, a, b);
}

static struct value eval_inside(struct render *r, const struct node *node) {
    struct value v;
    switch (node->kind) {
    case N_LITERAL:
        return node->v;
    case N_NAME:
        return look_up(r, node->name);
    case N_LIST:
    case N_TUPLE:
    case N_DICT:
        return eval_display(r, node);
    case N_ATTRIBUTE:
        v = mote_text_eval(r, node->a);
        r->at = node->at;
        return r->status ? v : mote_text_eval_attribute(r, v, node->v);
    case N_INDEX: {
        v = mote_text_eval(r, node->a);
        struct value key = mote_text_eval(r, node->b);
        r->at = node->at;
        return r->status ? v : mote_text_eval_index(r, v, key);
    }
    case N_SLICE:
        return eval_slice(r, node);
    case N_CALL:
        return eval_call(r, node);
    case N_FILTER:
    case N_TEST:
        return eval_filter(r, node);
    case N_NOT:
        return mote_text_value_bool(!mote_text_value_truth(mote_text_eval(r, node->a)));
    case N_NEGATE:
    case N_PLUS:
        return eval_sign(r, node);
    case N_AND:
    case N_OR:
        v = mote_text_eval(r, node->a);
        return mote_text_value_truth(v) == (node->kind == N_OR) ? v : mote_text_eval(r, node->b);
    case N_CHOICE:
        if (mote_text_value_truth(mote_text_eval(r, node->a))) return mote_text_eval(r, node->b);
        return node->c ? mote_text_eval(r, node->c) : undefined("the other choice", 16);
    default:
        return eval_binary(r, node);
    }
}

struct value mote_text_eval(struct render *r, const struct node *node) {
    struct value v = {0};
    if (mote_text_render_enter(r)) {
        r->at = node->at;
        v = eval_inside(r, node);
    }
    r->depth--;
    return r->status ? (struct value){0} : v;
}
