/* SPDX-License-Identifier: Apache-2.0
 *
 * template_parse.c: tokens → expression nodes, by precedence climbing. From loose to tight:
 *
 *     a if b else c  │ or │ and │ not │ == != < > <= >= in │ + - │ ~ │ * / // % │ ** │ -a +a
 *     postfix .name [index] (call), then | filter and `is` test, which bind to the unary before them
 *
 * A chain a < b < c becomes (a < b) and (b < c), b standing in both. After a failure the lexer gives only
 * T_END and nodes are all r->spare, so that nothing here need look at r->status but for loops over lists. */
#include "text/template_internal.h"

struct node *mote_text_parse_node(struct render *r, int kind, uint32_t at) {
    struct node *node = mote_text_render_take(r, 1, sizeof *node);
    if (!node) node = &r->spare;
    node->kind = (uint8_t)kind;
    node->at = at;
    return node;
}

const struct name *mote_text_parse_name(struct render *r, mote_text text) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < text.n; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * 16777619u;
    struct name **bucket = &r->names[(hash ^ hash >> 16) % NAME_BUCKETS], *name;
    for (name = *bucket; name; name = name->next)
        if (name->text.n == text.n && memcmp(name->text.data, text.data, text.n) == 0) return name;
    name = mote_text_render_take(r, 1, sizeof *name);
    if (!name) return NULL;
    *name = (struct name){*bucket, text};
    return *bucket = name;
}

int mote_text_parse_accept(struct render *r, int kind) {
    if (r->token.kind != kind) return 0;
    mote_text_lex_next(r);
    return 1;
}

static int is_word(const struct render *r, const char *word) {
    return r->token.kind == T_NAME && mote_text_value_is_text(r->token.v, word);
}

int mote_text_parse_word(struct render *r, const char *word) {
    if (!is_word(r, word)) return 0;
    mote_text_lex_next(r);
    return 1;
}

void mote_text_parse_expect(struct render *r, int kind, const char *what) {
    if (mote_text_parse_accept(r, kind)) return;
    r->at = r->token.at;
    FAIL(r, "expected %s", what);
    r->token.kind = T_END;
}

static struct node *parse_literal(struct render *r, struct value v) {
    struct node *node = mote_text_parse_node(r, N_LITERAL, r->token.at);
    node->v = v;
    mote_text_lex_next(r);
    return node;
}

/* Expressions up to the token end, which is taken; with a pair, key : value. */
static struct node *parse_items(struct render *r, int end, int pairs) {
    struct node *first = NULL, **tail = &first;
    while (!r->status && !mote_text_parse_accept(r, end)) {
        *tail = mote_text_parse_expression(r, 1, 0);
        tail = &(*tail)->next;
        if (pairs) {
            mote_text_parse_expect(r, ':', "':'");
            *tail = mote_text_parse_expression(r, 1, 0);
            tail = &(*tail)->next;
        }
        if (r->token.kind != end) mote_text_parse_expect(r, ',', "',' or the closing bracket");
    }
    return first;
}

static struct node *parse_word_or_name(struct render *r) {
    static const char words[] = "none\0None\0true\0True\0false\0False\0";
    mote_text text = {r->token.v.s, r->token.v.n};
    int word = mote_text_list_find(words, text);
    if (word >= 2) return parse_literal(r, mote_text_value_bool(word < 4));
    if (word >= 0) return parse_literal(r, (struct value){.type = V_NONE});
    struct node *node = mote_text_parse_node(r, N_NAME, r->token.at);
    node->name = mote_text_parse_name(r, text);
    mote_text_lex_next(r);
    return node;
}

static struct node *parse_primary(struct render *r) {
    struct node *node;
    uint32_t at = r->token.at;
    switch (r->token.kind) {
    case T_NAME:
        return parse_word_or_name(r);
    case T_NUMBER:
        return parse_literal(r, r->token.v);
    case T_STRING: /* neighbours are one string */
        node = parse_literal(r, r->token.v);
        for (; r->token.kind == T_STRING; mote_text_lex_next(r))
            node->v = mote_text_operate(r, '~', node->v, r->token.v);
        return node;
    case '(':
        mote_text_lex_next(r);
        if (mote_text_parse_accept(r, ')')) return mote_text_parse_node(r, N_TUPLE, at);
        node = mote_text_parse_expression(r, 1, 1);
        mote_text_parse_expect(r, ')', "')'");
        return node;
    case '[':
    case '{':
        node = mote_text_parse_node(r, r->token.kind == '[' ? N_LIST : N_DICT, at);
        mote_text_lex_next(r);
        node->a = parse_items(r, node->kind == N_LIST ? ']' : '}', node->kind == N_DICT);
        return node;
    }
    mote_text_parse_expect(r, T_NAME, "an expression");
    return mote_text_parse_node(r, N_LITERAL, at);
}

/* The arguments of a call, "(" already taken. */
static struct node *parse_arguments(struct render *r) {
    struct node *first = NULL, **tail = &first;
    int keywords = 0;
    while (!r->status && !mote_text_parse_accept(r, ')')) {
        uint32_t at = r->token.at;
        int kind = mote_text_parse_accept(r, '*')       ? N_SPREAD
                   : mote_text_parse_accept(r, T_POWER) ? N_SPREAD_KEYWORDS
                                                        : 0;
        struct node *node = mote_text_parse_expression(r, 1, 0);
        if (!kind && node->kind == N_NAME && mote_text_parse_accept(r, '=')) {
            node->kind = N_KEYWORD;
            node->a = mote_text_parse_expression(r, 1, 0);
        } else if (kind) {
            struct node *spread = mote_text_parse_node(r, kind, at);
            spread->a = node;
            node = spread;
        }
        if (node->kind == N_KEYWORD || kind == N_SPREAD_KEYWORDS)
            keywords = 1;
        else if (keywords)
            FAIL(r, "positional argument after a keyword argument");
        *tail = node;
        tail = &node->next;
        if (r->token.kind != ')') mote_text_parse_expect(r, ',', "',' or ')'");
    }
    return first;
}

/* What stands between [ and ], "[" already taken. */
static struct node *parse_subscript(struct render *r, struct node *object, uint32_t at) {
    struct node *node = mote_text_parse_node(r, N_INDEX, at), *part[3] = {NULL};
    int n = 0;
    node->a = object;
    for (;;) {
        if (r->token.kind != ':' && r->token.kind != ']') part[n] = mote_text_parse_expression(r, 1, 1);
        if (n == 2 || !mote_text_parse_accept(r, ':')) break;
        node->kind = N_SLICE;
        n++;
    }
    mote_text_parse_expect(r, ']', "']'");
    node->b = part[0];
    if (node->kind == N_INDEX && !part[0]) FAIL(r, "expected an index");
    if (node->kind == N_SLICE) {
        node->c = part[1];
        node->d = part[2];
    }
    return node;
}

static struct node *parse_postfix(struct render *r, struct node *node) {
    for (;;) {
        uint32_t at = r->token.at;
        if (mote_text_parse_accept(r, '.')) {
            struct node *member;
            if (r->token.kind == T_NUMBER) {
                member = mote_text_parse_node(r, N_INDEX, at);
                member->b = parse_literal(r, r->token.v);
            } else {
                member = mote_text_parse_node(r, N_ATTRIBUTE, at);
                member->v = r->token.v;
                mote_text_parse_expect(r, T_NAME, "a name after '.'");
            }
            member->a = node;
            node = member;
        } else if (mote_text_parse_accept(r, '[')) {
            node = parse_subscript(r, node, at);
        } else if (mote_text_parse_accept(r, '(')) {
            struct node *call = mote_text_parse_node(r, N_CALL, at);
            call->a = node;
            call->b = parse_arguments(r);
            node = call;
        } else {
            return node;
        }
    }
}

struct node *mote_text_parse_filter(struct render *r, struct node *subject) {
    struct node *node = mote_text_parse_node(r, N_FILTER, r->token.at);
    mote_text name = {r->token.v.s, r->token.v.n};
    if (r->token.kind == T_NAME) {
        int id = mote_text_filter_find(name);
        r->at = r->token.at;
        if (id < 0) FAIL(r, "no filter named '%t'", name);
        node->op = (uint8_t)id;
    }
    mote_text_parse_expect(r, T_NAME, "the name of a filter");
    node->a = subject;
    if (mote_text_parse_accept(r, '(')) node->b = parse_arguments(r);
    return node;
}

static struct node *parse_test(struct render *r, struct node *subject) {
    struct node *node = mote_text_parse_node(r, N_TEST, r->token.at), *negation = NULL;
    if (mote_text_parse_word(r, "not")) {
        negation = mote_text_parse_node(r, N_NOT, node->at);
        negation->a = node;
    }
    mote_text name = {r->token.v.s, r->token.v.n};
    if (r->token.kind == T_NAME) {
        int id = mote_text_test_find(name);
        r->at = r->token.at;
        if (id < 0) FAIL(r, "no test named '%t'", name);
        node->op = (uint8_t)id;
    }
    mote_text_parse_expect(r, T_NAME, "the name of a test");
    node->a = subject;
    if (mote_text_parse_accept(r, '('))
        node->b = parse_arguments(r);
    else if (!r->status && mote_text_test_takes_argument(node->op))
        node->b = parse_postfix(r, parse_primary(r));
    return negation ? negation : node;
}

/* The filters, tests and calls after an expression. */
struct node *mote_text_parse_filters(struct render *r, struct node *subject) {
    struct node *node = subject;
    for (;;) {
        if (mote_text_parse_accept(r, '|'))
            node = mote_text_parse_filter(r, node);
        else if (mote_text_parse_word(r, "is"))
            node = parse_test(r, node);
        else if (r->token.kind == '(')
            node = parse_postfix(r, node);
        else
            return node;
    }
}

static struct node *parse_unary(struct render *r, int filters) {
    uint32_t at = r->token.at;
    struct node *node;
    if (!mote_text_render_enter(r)) r->token.kind = T_END;
    int kind = mote_text_parse_accept(r, '-') ? N_NEGATE : mote_text_parse_accept(r, '+') ? N_PLUS : 0;
    if (kind) {
        node = mote_text_parse_node(r, kind, at);
        node->a = parse_unary(r, 0);
    } else {
        node = parse_primary(r);
    }
    node = parse_postfix(r, node);
    r->depth--;
    return filters ? mote_text_parse_filters(r, node) : node;
}

enum {
    LEVEL_OR = 1,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_COMPARE,
    LEVEL_ADD,
    LEVEL_JOIN,
    LEVEL_MULTIPLY,
    LEVEL_POWER
};

/* How tightly the operator at hand binds, 0 if it is none. */
static int binary_level(const struct render *r) {
    switch (r->token.kind) {
    case T_NAME:
        if (is_word(r, "or")) return LEVEL_OR;
        if (is_word(r, "and")) return LEVEL_AND;
        return is_word(r, "in") || is_word(r, "not") ? LEVEL_COMPARE : 0;
    case T_EQUAL:
    case T_DIFFERENT:
    case T_LESS_EQUAL:
    case T_GREATER_EQUAL:
    case '<':
    case '>':
        return LEVEL_COMPARE;
    case '+':
    case '-':
        return LEVEL_ADD;
    case '~':
        return LEVEL_JOIN;
    case '*':
    case '/':
    case '%':
    case T_FLOOR_DIVIDE:
        return LEVEL_MULTIPLY;
    case T_POWER:
        return LEVEL_POWER;
    }
    return 0;
}

static int take_operator(struct render *r) {
    int op = r->token.kind, negated = mote_text_parse_word(r, "not");
    if (op == T_NAME && mote_text_parse_word(r, "in")) return negated ? T_NOT_IN : T_IN;
    if (negated)
        mote_text_parse_expect(r, T_IN, "'in' after 'not'");
    else
        mote_text_lex_next(r);
    return op;
}

static struct node *parse_pair(struct render *r, int kind, int op, uint32_t at, struct node *a,
                               struct node *b) {
    struct node *node = mote_text_parse_node(r, kind, at);
    node->op = (uint8_t)op;
    node->a = a;
    node->b = b;
    return node;
}

static struct node *parse_binary(struct render *r, int lowest) {
    struct node *node, *compared = NULL;
    uint32_t at = r->token.at;
    if (!mote_text_render_enter(r)) r->token.kind = T_END;
    if (lowest <= LEVEL_NOT && mote_text_parse_word(r, "not"))
        node = parse_pair(r, N_NOT, 0, at, parse_binary(r, LEVEL_NOT), NULL);
    else
        node = parse_unary(r, 1);
    for (int level; (level = binary_level(r)) && level >= lowest;) {
        at = r->token.at;
        int op = take_operator(r);
        struct node *right = parse_binary(r, level + 1);
        if (level <= LEVEL_AND)
            node = parse_pair(r, level == LEVEL_OR ? N_OR : N_AND, 0, at, node, right);
        else if (level == LEVEL_COMPARE && compared)
            node = parse_pair(r, N_AND, 0, at, node, parse_pair(r, N_BINARY, op, at, compared, right));
        else
            node = parse_pair(r, N_BINARY, op, at, node, right);
        compared = level == LEVEL_COMPARE ? right : NULL;
    }
    r->depth--;
    return node;
}

static struct node *parse_choice(struct render *r) {
    if (!mote_text_render_enter(r)) r->token.kind = T_END;
    struct node *node = parse_binary(r, LEVEL_OR);
    for (uint32_t at = r->token.at; mote_text_parse_word(r, "if"); at = r->token.at) {
        node = parse_pair(r, N_CHOICE, 0, at, parse_binary(r, LEVEL_OR), node);
        if (mote_text_parse_word(r, "else")) node->c = parse_choice(r);
    }
    r->depth--;
    return node;
}

static int ends_tuple(const struct render *r) {
    int kind = r->token.kind;
    return kind == ')' || kind == ']' || kind == '=' || kind == T_BLOCK_END || kind == T_OUTPUT_END ||
           kind == T_END;
}

struct node *mote_text_parse_expression(struct render *r, int choice, int tuple) {
    uint32_t at = r->token.at;
    struct node *node = choice ? parse_choice(r) : parse_binary(r, LEVEL_OR);
    if (!tuple || r->token.kind != ',') return node;
    struct node *all = mote_text_parse_node(r, N_TUPLE, at), **tail = &all->a;
    *tail = node;
    while (mote_text_parse_accept(r, ',') && !ends_tuple(r)) {
        tail = &(*tail)->next;
        *tail = choice ? parse_choice(r) : parse_binary(r, LEVEL_OR);
    }
    return all;
}
