/* SPDX-License-Identifier: Apache-2.0
 *
 * template_expression.c: tokens → values, by precedence climbing. From loose to tight:
 *
 *     a, b │ a if b else c │ or │ and │ not │ == != < > <= >= in │ + - │ ~ │ * / // % │ -a +a
 *     postfix .name [index] (call), then | filter and `is` test, which bind to the unary before them
 *
 * A chain a < b < c is (a < b) and (b < c). What is not to be evaluated, such as the right side of `or` after
 * a truth, is read dry: everything gives undefined and nothing happens. In `a if b else c` the condition must
 * come first: the reader looks ahead for the `if`.
 *
 * Jinja's undefined: printing it gives nothing, it is false, empty when iterated and equal to itself; to take
 * an attribute of it, call it or calculate with it is an error. Not here, because no chat template has them:
 * *arguments, **arguments, value.0. */
#include "text/template_internal.h"

enum {
    LEVEL_OR = 1,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_COMPARE,
    LEVEL_UNARY = LEVEL_COMPARE + 4,
    LEVEL_JSON,
};

static struct value *binary(struct render *r, int lowest);

static struct value *item(struct render *r) {
    return r->json ? binary(r, LEVEL_JSON) : mote_text_expression_choice(r);
}

/* ---- names and members ---- */

static struct value *undefined(struct render *r, const char *s, size_t n) {
    struct value *v = mote_text_value_string(r, s, n);
    v->type = V_UNDEFINED;
    return v;
}

static struct value *builtin(struct render *r, int id, struct value *self) {
    struct value *v = mote_text_value_new(r, V_BUILTIN);
    v->n = (uint32_t)id;
    v->self = self;
    return v;
}

/* Scopes from the inside out, the variables given being the outermost, then the functions of the language. */
struct value *mote_text_expression_look_up(struct render *r, struct value *name) {
    for (const struct scope *scope = r->scope; scope; scope = scope->parent) {
        struct value **found = mote_text_dict_find(r, scope->names, name);
        if (found) return *found;
    }
    int id = mote_text_builtin_find('g', name);
    return id >= 0 ? builtin(r, id, &r->undefined) : undefined(r, name->s, name->n);
}

static struct value *loop_member(struct render *r, const struct value *loop, const struct value *name) {
    static const char names[] =
        "index\0index0\0revindex\0revindex0\0length\0first\0last\0previtem\0nextitem\0";
    uint32_t i = loop->index, n = loop->list->n;
    int which = mote_text_words_find(names, name);
    switch (which) {
    case 5:
    case 6:
        return mote_text_value_bool(r, which == 5 ? i == 0 : i + 1 == n);
    case 7:
    case 8:
        i += which == 7 ? UINT32_MAX : 1;
        if (i < n) return loop->list->items[i];
        break;
    default:
        if (which >= 0)
            return mote_text_value_int(r, which == 0   ? i + 1
                                          : which == 1 ? i
                                          : which == 4 ? n
                                                       : n - i - (which == 3));
    }
    return undefined(r, name->s, name->n);
}

static struct value *item_at(struct render *r, struct value *v, int64_t i) {
    v = mote_text_value_items(r, v);
    if (i < 0) i += v->n;
    return i >= 0 && i < v->n ? v->items[i] : undefined(r, "item", 4);
}

struct value *mote_text_expression_member(struct render *r, struct value *v, struct value *key, int by_item) {
    struct value **found = NULL;
    if (mote_text_render_idle(r)) return &r->undefined;
    if (v->type == V_UNDEFINED) return mote_text_render_fail(r, "undefined: ", v);
    if (v->type == V_DICT || v->type == V_NAMESPACE) found = mote_text_dict_find(r, v, key);
    if (found && by_item) return *found;
    if (key->type != V_STRING) {
        int list = v->type == V_LIST || v->type == V_TUPLE || v->type == V_STRING;
        return list && (key->type == V_INT || key->type == V_BOOL) ? item_at(r, v, key->i)
                                                                   : undefined(r, "item", 4);
    }
    if (v->type == V_LOOP) return loop_member(r, v, key);
    int kind = v->type == V_STRING ? 's' : v->type == V_DICT ? 'd' : v->type == V_LIST ? 'l' : 0;
    int id = mote_text_builtin_find(kind, key);
    if (id >= 0) return builtin(r, id, v);
    return found ? *found : undefined(r, key->s, key->n);
}

/* ---- primaries ---- */

/* A list, a dict or the rest of a tuple: items up to the token end, which is taken. */
static struct value *items(struct render *r, struct value *all, int end) {
    while (!r->status && !mote_text_lex_accept(r, end)) {
        struct value *v = item(r);
        if (all->type == V_DICT) {
            if (r->json && v->type != V_STRING) mote_text_render_fail(r, "no string: ", v);
            mote_text_lex_expect(r, ':');
            mote_text_dict_insert(r, all, v, item(r));
        } else {
            mote_text_list_append(r, all, v);
        }
        if (r->token.kind != end) {
            mote_text_lex_expect(r, ',');
            if (r->json && r->token.kind == end) mote_text_render_fail(r, "expected a value", NULL);
        }
    }
    return all;
}

static struct value *word(struct render *r) {
    static const char words[] = "null\0false\0true\0none\0None\0False\0True\0";
    struct value *const values[] = {&r->none, &r->no, &r->yes, &r->none, &r->none, &r->no, &r->yes};
    int id = mote_text_words_find(words, &r->token.text);
    struct value *v = &r->undefined;
    if (r->json ? id >= 0 && id < 3 : id > 0)
        v = values[id];
    else if (r->json)
        mote_text_render_fail(r, "expected a value", NULL);
    else if (!r->dry)
        v = mote_text_expression_look_up(r, &r->token.text);
    mote_text_lex_next(r);
    return v;
}

static struct value *primary(struct render *r) {
    int kind = r->token.kind;
    struct value *v = r->token.v;
    if (kind == T_NAME) return word(r);
    if (kind == T_NUMBER || kind == T_STRING || kind == '(' || kind == '[' || kind == '{') {
        mote_text_lex_next(r);
        while (kind == T_STRING && r->token.kind == T_STRING && !r->json) { /* neighbours are one string */
            v = mote_text_operate(r, '~', v, r->token.v);
            mote_text_lex_next(r);
        }
    }
    switch (kind) {
    case T_NUMBER:
    case T_STRING:
        return v;
    case '[':
        return items(r, mote_text_value_new(r, V_LIST), ']');
    case '{':
        return items(r, mote_text_value_new(r, V_DICT), '}');
    case '(':
        if (mote_text_lex_accept(r, ')')) return mote_text_value_new(r, V_TUPLE);
        v = mote_text_expression(r);
        mote_text_lex_expect(r, ')');
        return v;
    }
    r->at = r->token.at;
    return mote_text_render_fail(r, "expected a value", NULL);
}

/* ---- what follows a primary ---- */

void mote_text_expression_push(struct render *r, struct value *v) {
    if (r->n_stack == LIMIT_STACK)
        mote_text_render_fail(r, "too many arguments", NULL);
    else
        r->stack[r->n_stack++] = v;
}

uint32_t mote_text_expression_arguments(struct render *r) {
    uint32_t n = 1;
    int named = 0;
    while (!r->status && !mote_text_lex_accept(r, ')')) {
        if (mote_text_lex_is_keyword(r)) {
            named = 1;
            mote_text_expression_push(r, mote_text_lex_name(r));
            mote_text_lex_next(r);
        } else {
            if (named) mote_text_render_fail(r, "an argument needs a name", NULL);
            n++;
        }
        mote_text_expression_push(r, mote_text_expression_choice(r));
        if (r->token.kind != ')') mote_text_lex_expect(r, ',');
    }
    return n;
}

struct value *mote_text_expression_call(struct render *r, struct value *callee, uint32_t base, uint32_t n) {
    if (mote_text_render_idle(r)) return &r->undefined;
    if (callee->type == V_MACRO) return mote_text_run_macro(r, callee, base, n);
    if (callee->type != V_BUILTIN)
        return mote_text_render_fail(r, callee->type == V_UNDEFINED ? "undefined: " : "cannot call ", callee);
    r->stack[base] = callee->self;
    return mote_text_builtin(r, (int)callee->n, base, n);
}

static struct value *subscript(struct render *r, struct value *v, uint32_t at) {
    struct value *part[3] = {&r->none, &r->none, &r->none};
    int n = 0;
    for (;; n++) {
        if (r->token.kind != ':' && (r->token.kind != ']' || !n)) part[n] = mote_text_expression(r);
        if (n == 2 || !mote_text_lex_accept(r, ':')) break;
    }
    mote_text_lex_expect(r, ']');
    if (mote_text_render_idle(r)) return &r->undefined;
    r->at = at;
    return n ? mote_text_operate_slice(r, v, part) : mote_text_expression_member(r, v, part[0], 1);
}

static struct value *postfix(struct render *r, struct value *v) {
    while (!r->status) {
        uint32_t at = r->token.at, base = r->n_stack;
        if (mote_text_lex_accept(r, '.')) {
            r->at = at;
            if (r->token.kind == T_NAME) v = mote_text_expression_member(r, v, &r->token.text, 0);
            mote_text_lex_expect(r, T_NAME);
        } else if (mote_text_lex_accept(r, '[')) {
            v = subscript(r, v, at);
        } else if (mote_text_lex_accept(r, '(')) {
            mote_text_expression_push(r, v);
            uint32_t n = mote_text_expression_arguments(r);
            r->at = at;
            v = mote_text_expression_call(r, v, base, n);
            r->n_stack = base;
        } else {
            break;
        }
    }
    return v;
}

/* | filter and is test */
struct value *mote_text_expression_filters(struct render *r, struct value *v) {
    while (!r->status) {
        int kind = mote_text_lex_accept(r, '|') ? 'f' : mote_text_lex_accept_word(r, "is") ? 't' : 0;
        int negated = kind == 't' && mote_text_lex_accept_word(r, "not"), id = 0;
        uint32_t at = r->token.at, n = 1, base = r->n_stack;
        if (!kind) break;
        id = mote_text_builtin_find(kind, &r->token.text);
        if (id < 0) mote_text_render_fail(r, "no filter or test: ", &r->token.text);
        mote_text_lex_expect(r, T_NAME);
        mote_text_expression_push(r, v);
        if (r->status) break;
        if (mote_text_lex_accept(r, '(')) {
            n = mote_text_expression_arguments(r);
        } else if (kind == 't' && mote_text_builtin_wants(id)) {
            mote_text_expression_push(r, postfix(r, primary(r)));
            n = 2;
        }
        r->at = at;
        if (!mote_text_render_idle(r)) v = mote_text_builtin(r, id, base, n);
        if (negated) v = mote_text_value_bool(r, !mote_text_value_truth(v));
        r->n_stack = base;
    }
    return v;
}

/* ---- operators ---- */

static struct value *unary(struct render *r, int lowest) {
    int sign = r->token.kind;
    uint32_t at = r->token.at;
    struct value *v;
    if (lowest <= LEVEL_NOT && mote_text_lex_accept_word(r, "not"))
        return mote_text_value_bool(r, !mote_text_value_truth(binary(r, LEVEL_NOT)));
    if (mote_text_lex_accept(r, '-') || (lowest < LEVEL_JSON && mote_text_lex_accept(r, '+'))) {
        v = binary(r, lowest < LEVEL_UNARY ? LEVEL_UNARY : lowest);
        struct value zero = {.type = v->type == V_FLOAT ? V_FLOAT : V_INT};
        if (v->type == V_FLOAT) zero.f = -0.0;
        r->at = at;
        v = mote_text_operate(r, sign, &zero, v);
    } else {
        v = primary(r);
    }
    if (lowest < LEVEL_JSON) v = postfix(r, v);
    return lowest < LEVEL_UNARY ? mote_text_expression_filters(r, v) : v;
}

/* How tightly the operator at hand binds, 0 if it is none; *op is what mote_text_operate calls it. */
static int level(const struct render *r, int *op) {
    static const char signs[] = "edlg<>  +-      ~       */%F";
    *op = r->token.kind;
    if (*op == T_NAME) {
        static const char words[] = "or\0and\0in\0not\0";
        int id = mote_text_words_find(words, &r->token.text);
        *op = id == 3 ? T_NOT_IN : T_IN;
        return id < 0 ? 0 : id < 2 ? LEVEL_OR + id : LEVEL_COMPARE;
    }
    for (int i = 0; signs[i]; i++)
        if (signs[i] == *op) return LEVEL_COMPARE + i / 8;
    return 0;
}

static struct value *binary(struct render *r, int lowest) {
    struct value *v = &r->undefined, *compared = NULL;
    int op, here;
    if (mote_text_render_enter(r)) v = unary(r, lowest);
    while ((here = level(r, &op)) && here >= lowest && !r->status) {
        uint32_t at = r->token.at;
        uint8_t dry = r->dry;
        int chained = here == LEVEL_COMPARE && compared;
        int stops = here <= LEVEL_AND ? mote_text_value_truth(v) == (here == LEVEL_OR)
                                      : chained && !mote_text_value_truth(v);
        mote_text_lex_next(r);
        if (op == T_NOT_IN && !mote_text_lex_accept_word(r, "in"))
            mote_text_render_fail(r, "expected 'in'", NULL);
        if (stops) r->dry = DRY;
        struct value *right = binary(r, here + 1), *left = chained ? compared : v;
        r->at = at;
        if (here > LEVEL_AND) left = mote_text_operate(r, op, left, right);
        r->dry = dry;
        if (!stops) v = here > LEVEL_AND ? left : right;
        compared = here == LEVEL_COMPARE ? right : NULL;
    }
    r->depth--;
    return v;
}

/* Whether this ends what was opened before. */
static int closes(int kind) {
    return kind == ')' || kind == ']' || kind == '}' || kind == T_BLOCK_END || kind == T_OUTPUT_END ||
           kind == T_END;
}

/* Goes to the `if` of the choice that begins here, if it has one. */
static int seek_if(struct render *r) {
    for (int depth = 0; depth < LIMIT_DEPTH && !r->status; mote_text_lex_next(r)) {
        int kind = r->token.kind;
        if (!depth && mote_text_lex_is_word(r, "if")) return 1;
        if (!depth && (kind == ',' || kind == ':' || mote_text_lex_is_word(r, "else"))) break;
        if (kind == '(' || kind == '[' || kind == '{') depth++;
        if (closes(kind) && depth-- <= 0) break;
    }
    return 0;
}

struct value *mote_text_expression_choice(struct render *r) {
    uint32_t from = mote_text_lex_here(r);
    uint8_t dry = r->dry;
    int truth = 1;
    if (!mote_text_render_idle(r)) {
        r->dry = DRY;
        int found = seek_if(r);
        r->dry = 0;
        if (found) {
            mote_text_lex_next(r);
            truth = mote_text_value_truth(binary(r, LEVEL_OR));
        }
        mote_text_lex_go(r, from);
    }
    if (!truth) r->dry = DRY;
    struct value *v = binary(r, LEVEL_OR), *other = NULL;
    r->dry = dry;
    if (!mote_text_lex_accept_word(r, "if")) return v;
    r->dry = DRY; /* the condition is known */
    binary(r, LEVEL_OR);
    r->dry = truth ? DRY : dry;
    if (mote_text_render_enter(r) && mote_text_lex_accept_word(r, "else"))
        other = mote_text_expression_choice(r);
    r->depth--;
    r->dry = dry;
    return truth ? v : other ? other : undefined(r, "else", 4);
}

struct value *mote_text_expression_plain(struct render *r) {
    return binary(r, LEVEL_OR);
}

struct value *mote_text_expression_json(struct render *r) {
    return binary(r, LEVEL_JSON);
}

struct value *mote_text_expression(struct render *r) {
    struct value *v = mote_text_expression_choice(r), *all;
    if (r->token.kind != ',') return v;
    all = mote_text_value_new(r, V_TUPLE);
    mote_text_list_append(r, all, v);
    while (mote_text_lex_accept(r, ',')) {
        if (closes(r->token.kind)) break;
        mote_text_list_append(r, all, mote_text_expression_choice(r));
    }
    return all;
}
