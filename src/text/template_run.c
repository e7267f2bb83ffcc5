/* SPDX-License-Identifier: Apache-2.0
 *
 * template_run.c: runs statement nodes, writing to the output.
 *
 * Scopes as in Jinja: for, macro, call, with, and the bodies of filter and set blocks open one; if does not.
 * A loop's scope is emptied for each pass, so a set inside is gone with the pass; what is to outlive it goes
 * into a namespace. A macro sees the scope it stands in, not the one it is called from. */
#include "text/template_internal.h"

static void bind(struct render *r, struct scope *scope, const struct name *name, struct value value) {
    struct binding *b = scope->bindings;
    while (b && b->name != name && mote_text_render_spend(r, 1))
        b = b->next;
    if (!b) {
        b = mote_text_render_take(r, 1, sizeof *b);
        if (!b) return;
        b->name = name;
        b->next = scope->bindings;
        scope->bindings = b;
    }
    b->value = value;
}

/* A new scope inside parent; the current one where there is no memory left. */
static struct scope *open_scope(struct render *r, struct scope *parent) {
    struct scope *scope = mote_text_render_take(r, 1, sizeof *scope);
    if (!scope) return r->scope;
    scope->parent = parent;
    return scope;
}

static void assign(struct render *r, const struct node *target, struct value value) {
    if (!mote_text_render_enter(r)) {
        r->depth--;
        return;
    }
    if (target->kind == N_NAME) {
        bind(r, r->scope, target->name, value);
    } else if (target->kind == N_ATTRIBUTE) {
        struct value object = mote_text_eval(r, target->a);
        if (object.type == V_NAMESPACE)
            mote_text_value_insert(r, object.dict, target->v, value);
        else
            FAIL(r, "only attributes of a namespace can be set");
    } else {
        struct list *items = mote_text_value_items(r, value);
        uint32_t i = 0;
        for (const struct node *part = target->a; part && !r->status; part = part->next, i++) {
            if (i < items->n) assign(r, part, items->items[i]);
            if (i >= items->n || (!part->next && i + 1 < items->n))
                FAIL(r, "%u values to unpack", (uint64_t)items->n);
        }
    }
    r->depth--;
}

/* Runs a body in the scope given and takes back what it wrote. */
static struct value capture(struct render *r, const struct node *body, struct scope *scope) {
    struct scope *outer = r->scope;
    size_t start = r->n_out;
    r->scope = scope;
    mote_text_run(r, body);
    r->scope = outer;
    return mote_text_render_capture(r, start);
}

static struct value *take_keyword(struct args *args, const struct name *name) {
    for (uint32_t i = 0; i < args->n_kw; i++) {
        struct value *key = &args->kw[2 * i];
        if (key->type == V_STRING && key->n == name->text.n && memcmp(key->s, name->text.data, key->n) == 0) {
            args->used++;
            return key + 1;
        }
    }
    return NULL;
}

struct value mote_text_run_macro(struct render *r, const struct macro *macro, struct args *args) {
    struct scope *scope = open_scope(r, macro->scope), *outer = r->scope;
    r->scope = scope;
    for (const struct node *p = macro->parameters; p && !r->status; p = p->next, args->asked++) {
        struct value *given = args->asked < args->n ? &args->v[args->asked] : take_keyword(args, p->name);
        struct value v = {.type = V_UNDEFINED, .n = (uint32_t)p->name->text.n, .s = p->name->text.data};
        if (given)
            v = *given;
        else if (p->a)
            v = mote_text_eval(r, p->a);
        bind(r, scope, p->name, v);
    }
    struct value *caller = take_keyword(args, r->caller);
    if (caller) bind(r, scope, r->caller, *caller);
    r->scope = outer;
    mote_text_args_end(r, args, "macro");
    struct value text = {0};
    if (!r->status) text = capture(r, macro->body, scope);
    return text;
}

static struct value make_macro(struct render *r, const struct node *parameters, const struct node *body,
                               mote_text name) {
    struct value v = {.type = V_MACRO};
    v.macro = mote_text_render_take(r, 1, sizeof *v.macro);
    if (!v.macro) return (struct value){0};
    *v.macro = (struct macro){parameters, body, r->scope, name};
    return v;
}

/* {% call(parameters) f(arguments) %}: calls f with the body as one more argument, caller. */
static void run_call(struct render *r, const struct node *node) {
    uint32_t base = r->n_stack;
    struct value callee = mote_text_eval(r, node->a->a);
    struct args args = mote_text_eval_args(r, node->a->b, base);
    mote_text_eval_push(r, mote_text_value_string(r->caller->text.data, r->caller->text.n));
    mote_text_eval_push(r, make_macro(r, node->c, node->b, r->caller->text));
    args.n_kw++;
    r->at = node->at;
    if (!r->status) mote_text_value_put(r, mote_text_eval_call(r, callee, &args), 0);
    r->n_stack = base;
}

/* The items a loop passes over: all, or those its condition lets through. */
static struct list *select_items(struct render *r, const struct node *node, struct scope *scope) {
    struct list *all = mote_text_value_items(r, mote_text_eval(r, node->b)), *some;
    const struct node *condition = node->b->next;
    if (!condition || r->status) return all;
    some = mote_text_value_list(r, V_LIST, 0).list;
    struct scope *outer = r->scope;
    r->scope = scope;
    for (uint32_t i = 0; i < all->n && !r->status; i++) {
        assign(r, node->a, all->items[i]);
        if (mote_text_value_truth(mote_text_eval(r, condition)))
            mote_text_value_append(r, some, all->items[i]);
    }
    r->scope = outer;
    return some ? some : &r->nothing;
}

static void run_for(struct render *r, const struct node *node) {
    struct scope *outer = r->scope, *scope = open_scope(r, outer);
    struct list *items = select_items(r, node, scope);
    struct value loop = {.type = V_LOOP};
    loop.loop = mote_text_render_take(r, 1, sizeof *loop.loop);
    if (!loop.loop) return;
    *loop.loop = (struct loop){items, 0};
    r->scope = scope;
    for (uint32_t i = 0; i < items->n && mote_text_render_spend(r, 1) && r->flow != FLOW_BREAK; i++) {
        for (struct binding *b = scope->bindings; b; b = b->next)
            b->value.type = V_ABSENT;
        loop.loop->index = i;
        r->flow = FLOW_ON;
        bind(r, scope, r->loop, loop);
        assign(r, node->a, items->items[i]);
        mote_text_run(r, node->c);
    }
    r->flow = FLOW_ON;
    r->scope = outer;
    if (!items->n) mote_text_run(r, node->d);
}

static void run_if(struct render *r, const struct node *node) {
    while (node && !r->status) {
        if (mote_text_value_truth(mote_text_eval(r, node->a))) {
            mote_text_run(r, node->b);
            return;
        }
        node = node->c;
        if (node && !(node->kind == N_IF && node->op)) { /* not an elif */
            mote_text_run(r, node);
            return;
        }
    }
}

static void run_with(struct render *r, const struct node *node) {
    struct scope *outer = r->scope, *scope = open_scope(r, outer);
    for (const struct node *set = node->a; set && !r->status; set = set->next) {
        struct value v = mote_text_eval(r, set->b); /* in the scope outside */
        r->scope = scope;
        assign(r, set->a, v);
        r->scope = outer;
    }
    r->scope = scope;
    mote_text_run(r, node->b);
    r->scope = outer;
}

static void run_statement(struct render *r, const struct node *node) {
    struct value v;
    switch (node->kind) {
    case N_TEXT:
        mote_text_render_put(r, node->v.s, node->v.n);
        break;
    case N_OUTPUT:
        v = mote_text_eval(r, node->a);
        if (!r->status) mote_text_value_put(r, v, 0);
        break;
    case N_IF:
        run_if(r, node);
        break;
    case N_FOR:
        run_for(r, node);
        break;
    case N_SET:
        v = mote_text_eval(r, node->b);
        r->at = node->at;
        if (!r->status) assign(r, node->a, v);
        break;
    case N_SET_BLOCK:
    case N_FILTER_BLOCK:
        v = capture(r, node->b, open_scope(r, r->scope));
        if (node->kind == N_SET_BLOCK) {
            r->subject = v;
            if (node->c) v = mote_text_eval(r, node->c);
            if (!r->status) assign(r, node->a, v);
        } else {
            r->subject = v;
            mote_text_value_put(r, mote_text_eval(r, node->a), 0);
        }
        break;
    case N_MACRO:
        bind(r, r->scope, node->name, make_macro(r, node->a, node->b, node->name->text));
        break;
    case N_CALL_BLOCK:
        run_call(r, node);
        break;
    case N_WITH:
        run_with(r, node);
        break;
    case N_GROUP:
        mote_text_run(r, node->a);
        break;
    default:
        r->flow = node->kind == N_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
    }
}

void mote_text_run(struct render *r, const struct node *first) {
    const struct node *node = first;
    if (mote_text_render_enter(r))
        for (; node && r->flow == FLOW_ON && mote_text_render_spend(r, 1); node = node->next) {
            r->at = node->at;
            run_statement(r, node);
        }
    r->depth--;
}
