/* SPDX-License-Identifier: Apache-2.0
 *
 * template_run.c: reads statements and does what they say, writing to the output.
 *
 * Scopes as in Jinja: for, macro and the bodies of set blocks open one; if does not. A loop's
 * scope is emptied for each pass, so a set inside is gone with the pass; what is to outlive it goes into a
 * namespace. A macro sees the scope it stands in, not the one it is called from.
 *
 * A body runs up to a tag whose first word is one of `ends`, which is left for the caller to look at.
 * Not here, because no chat template has them: call, filter, with, raw, import, include, extends, block,
 * autoescape, filters of a set block. */
#include "text/template_internal.h"

static void run_body(struct render *r, const char *ends);

static void end_tag(struct render *r) {
    mote_text_lex_expect(r, T_BLOCK_END);
}

/* A body, its closing word and the end of that tag. */
static void run_whole(struct render *r, const char *ends) {
    run_body(r, ends);
    mote_text_lex_next(r);
    end_tag(r);
}

static void open_scope(struct render *r, struct scope *parent) {
    struct scope *scope = mote_text_render_take(r, 1, sizeof *scope);
    if (!scope) return;
    scope->parent = parent;
    scope->names = mote_text_value_new(r, V_DICT);
    r->scope = scope;
}

static void bind(struct render *r, struct value *name, struct value *value) {
    if (!mote_text_render_idle(r)) mote_text_dict_insert(r, r->scope->names, name, value);
}

/* Evaluates what a tag holds, writes it if it is an output, and gives back the memory this took unless
 * something older has been changed. */
static int evaluate(struct render *r, int writes) {
    size_t mark = r->mark;
    uint8_t kept = r->kept;
    r->mark = r->used;
    r->kept = 0;
    struct value *v = mote_text_expression(r);
    int truth = mote_text_value_truth(v);
    if (writes && !mote_text_render_idle(r)) mote_text_write_value(r, v, NULL, 0);
    if (!r->kept) r->used = r->mark;
    r->mark = mark;
    r->kept |= kept;
    return truth;
}

/* What may be assigned to: a name, as a string; name.attribute, as a tuple of these; a list of targets. */
static struct value *target(struct render *r) {
    struct value *one, *all = NULL;
    if (!mote_text_render_enter(r)) r->token.kind = T_END;
    do {
        if (all && r->token.kind != T_NAME && r->token.kind != '(') break; /* a comma at the end */
        if (mote_text_lex_accept(r, '(')) {
            one = target(r);
            mote_text_lex_expect(r, ')');
        } else {
            one = mote_text_lex_name(r);
            if (mote_text_lex_accept(r, '.')) {
                struct value *pair = mote_text_value_new(r, V_TUPLE);
                mote_text_list_append(r, pair, one);
                mote_text_list_append(r, pair, mote_text_lex_name(r));
                one = pair;
            }
        }
        if (r->token.kind == ',' && !all) all = mote_text_value_new(r, V_LIST);
        if (all) mote_text_list_append(r, all, one);
    } while (mote_text_lex_accept(r, ','));
    r->depth--;
    return all ? all : one;
}

static void assign(struct render *r, struct value *to, struct value *value) {
    if (mote_text_render_idle(r)) return;
    if (to->type == V_STRING) {
        bind(r, to, value);
    } else if (to->type == V_TUPLE) {
        struct value *object = mote_text_expression_look_up(r, to->items[0]);
        if (object->type != V_NAMESPACE) mote_text_render_fail(r, "no namespace: ", to->items[0]);
        mote_text_dict_insert(r, object, to->items[1], value);
    } else {
        struct value *items = mote_text_value_items(r, value);
        if (items->n != to->n) mote_text_render_fail(r, "cannot unpack ", value);
        for (uint32_t i = 0; i < to->n && !r->status; i++)
            assign(r, to->items[i], items->items[i]);
    }
}

static void run_if(struct render *r) {
    uint8_t dry = r->dry;
    for (int taken = dry, asks = 1;;) {
        r->dry = taken ? DRY : 0;
        int here = (!asks || evaluate(r, 0)) && !taken;
        end_tag(r);
        r->dry = here ? 0 : DRY;
        run_body(r, asks ? "elif\0else\0endif\0" : "endif\0");
        if (here) dry = r->dry;
        taken |= here;
        asks = mote_text_lex_is_word(r, "elif");
        if (!asks && !mote_text_lex_is_word(r, "else")) break;
        mote_text_lex_next(r);
    }
    r->dry = dry;
    mote_text_lex_next(r);
    end_tag(r);
}

/* The items that pass the condition at hand, each bound in turn. */
static struct value *choose(struct render *r, struct value *all, struct value *to) {
    uint32_t condition = mote_text_lex_here(r);
    uint8_t dry = r->dry;
    struct value *some = mote_text_value_new(r, V_LIST);
    for (uint32_t i = 0; i < all->n && mote_text_render_spend(r, 1); i++) {
        assign(r, to, all->items[i]);
        mote_text_lex_go(r, condition);
        if (mote_text_value_truth(mote_text_expression_choice(r)))
            mote_text_list_append(r, some, all->items[i]);
    }
    r->dry = DRY;
    mote_text_lex_go(r, condition);
    mote_text_expression_choice(r);
    r->dry = dry;
    return some;
}

static void run_for(struct render *r) {
    static const char ends[] = "else\0endfor\0";
    uint8_t dry = r->dry;
    struct scope *outer = r->scope;
    struct value *to = target(r), *word = mote_text_value_string(r, "loop", 4);
    if (!mote_text_lex_accept_word(r, "in")) mote_text_render_fail(r, "expected 'in'", NULL);
    struct value *items = mote_text_value_items(r, mote_text_expression_plain(r));
    open_scope(r, outer);
    if (mote_text_lex_accept_word(r, "if")) items = choose(r, items, to);
    end_tag(r);
    uint32_t body = mote_text_lex_here(r), i = 0;
    struct value *loop = mote_text_value_new(r, V_LOOP);
    loop->list = items;
    r->in_loop++;
    for (; i < items->n && !(r->dry & BREAK) && mote_text_render_spend(r, 1); i++) {
        r->dry = 0;
        r->scope->names->n = 0;
        loop->index = i;
        bind(r, word, loop);
        assign(r, to, items->items[i]);
        mote_text_lex_go(r, body);
        run_body(r, ends);
    }
    r->dry = i ? dry : DRY;
    if (!i) run_body(r, ends);
    r->in_loop--;
    r->scope = outer;
    if (mote_text_lex_accept_word(r, "else")) {
        end_tag(r);
        r->dry = i ? DRY : dry;
        run_body(r, "endfor\0");
    }
    r->dry = dry;
    mote_text_lex_next(r);
    end_tag(r);
}

static void run_set(struct render *r) {
    struct value *to = target(r), *value;
    if (mote_text_lex_accept(r, '=')) {
        value = mote_text_expression(r);
        end_tag(r);
    } else {
        struct scope *outer = r->scope;
        size_t start = r->n_out;
        end_tag(r);
        open_scope(r, outer);
        run_whole(r, "endset\0");
        r->scope = outer;
        value = mote_text_render_capture(r, start);
    }
    assign(r, to, value);
}

/* ---- macros ---- */

static struct value *keyword(struct render *r, uint32_t i, uint32_t end, struct value *name) {
    for (; i < end; i += 2)
        if (mote_text_value_equal(r, r->stack[i], name)) return r->stack[i + 1];
    return NULL;
}

/* Reads the parameters of a macro, "(" already taken, and binds them to the arguments on the stack. */
static void read_parameters(struct render *r, uint32_t base, uint32_t n) {
    uint32_t i = 1, used = 0, end = r->n_stack;
    uint8_t dry = r->dry;
    while (!r->status && !mote_text_lex_accept(r, ')')) {
        struct value *name = mote_text_lex_name(r), *value = i < n ? r->stack[base + i] : NULL;
        if (!value && (value = keyword(r, base + n, end, name))) used++;
        i++;
        if (mote_text_lex_accept(r, '=')) {
            if (value) r->dry = DRY;
            struct value *other = mote_text_expression_choice(r);
            if (!value) value = other;
            r->dry = dry;
        }
        bind(r, name, value ? value : &r->undefined);
        if (r->token.kind != ')') mote_text_lex_expect(r, ',');
    }
    if (!dry && (n > i || base + n + 2 * used < end)) mote_text_render_fail(r, "too many arguments", NULL);
}

struct value *mote_text_run_macro(struct render *r, struct value *macro, uint32_t base, uint32_t n) {
    uint32_t back = mote_text_lex_here(r);
    size_t start = r->n_out;
    struct scope *outer = r->scope;
    uint8_t in_loop = r->in_loop;
    r->in_loop = 0;
    open_scope(r, macro->scope);
    mote_text_lex_go(r, macro->n);
    read_parameters(r, base, n);
    mote_text_lex_go(r, macro->body);
    run_body(r, "endmacro\0");
    r->in_loop = in_loop;
    r->scope = outer;
    mote_text_lex_go(r, back);
    return mote_text_render_capture(r, start);
}

static void run_macro(struct render *r) {
    uint8_t dry = r->dry;
    struct value *name = mote_text_lex_name(r), *macro = mote_text_value_new(r, V_MACRO);
    mote_text_lex_expect(r, '(');
    macro->scope = r->scope;
    macro->n = mote_text_lex_here(r);
    r->dry = DRY; /* only to see where it ends */
    read_parameters(r, r->n_stack, 0);
    end_tag(r);
    macro->body = mote_text_lex_here(r);
    run_whole(r, "endmacro\0");
    r->dry = dry;
    bind(r, name, macro);
}

/* ---- bodies ---- */

/* A statement, from its word on. */
static void run_statement(struct render *r) {
    static const char words[] = "if\0for\0set\0macro\0generation\0break\0continue\0";
    int word = mote_text_words_find(words, &r->token.text);
    if (r->token.kind != T_NAME || word < 0 || (word > 4 && !r->in_loop))
        mote_text_render_fail(r, "misplaced tag: ", &r->token.text);
    mote_text_lex_next(r);
    switch (word) {
    case 0:
        run_if(r);
        break;
    case 1:
        run_for(r);
        break;
    case 2:
        run_set(r);
        break;
    case 3:
        run_macro(r);
        break;
    case 4: /* marks the assistant's words for training; the text is what it holds */
        end_tag(r);
        run_whole(r, "endgeneration\0");
        break;
    default:
        end_tag(r);
        if (!r->dry) r->dry = word == 5 ? BREAK : CONTINUE;
    }
}

static void run_body(struct render *r, const char *ends) {
    if (!mote_text_render_enter(r)) r->token.kind = T_END;
    while (!r->status) {
        if (r->token.kind == T_TEXT) {
            if (!r->dry) mote_text_render_put(r, r->token.text.s, r->token.text.n);
            mote_text_lex_next(r);
        } else if (mote_text_lex_accept(r, T_OUTPUT_BEGIN)) {
            evaluate(r, 1);
            mote_text_lex_end_output(r);
        } else if (mote_text_lex_accept(r, T_BLOCK_BEGIN)) {
            if (r->token.kind == T_NAME && mote_text_words_find(ends, &r->token.text) >= 0) break;
            run_statement(r);
        } else {
            if (*ends) mote_text_render_fail(r, "the template ends too early", NULL);
            break;
        }
    }
    r->depth--;
}

void mote_text_run(struct render *r) {
    mote_text_lex_next(r);
    run_body(r, "");
}
