/* SPDX-License-Identifier: Apache-2.0
 *
 * template_statement.c: tokens → statement nodes. A body runs up to a tag whose first word is one of `ends`;
 * the word is left for the caller to look at.
 *
 * Not here, because no chat template has them: import, include, extends, block, autoescape. */
#include "text/template_internal.h"

static struct node *parse_body(struct render *r, const char *ends);

static void end_tag(struct render *r) {
    mote_text_parse_expect(r, T_BLOCK_END, "the end of the tag");
}

static size_t word_bytes(const char *word) {
    size_t n = 0;
    while (word[n++]) {
    }
    return n;
}

/* A body, its closing word and the end of that tag. */
static struct node *parse_whole(struct render *r, const char *ends) {
    struct node *body = parse_body(r, ends);
    mote_text_lex_next(r);
    end_tag(r);
    return body;
}

static const struct name *take_name(struct render *r) {
    mote_text text = {r->token.v.s, r->token.v.n};
    const struct name *name = r->token.kind == T_NAME ? mote_text_parse_name(r, text) : NULL;
    mote_text_parse_expect(r, T_NAME, "a name");
    return name;
}

/* What may be assigned to: name, and in set tags name.attribute, or a tuple of targets. */
static struct node *parse_target(struct render *r, int attributes) {
    uint32_t at = r->token.at;
    struct node *first = NULL, **tail = &first;
    int tuple = 0;
    if (!mote_text_render_enter(r)) r->token.kind = T_END;
    do {
        if (tuple && r->token.kind != T_NAME && r->token.kind != '(') break;
        struct node *node;
        if (mote_text_parse_accept(r, '(')) {
            node = parse_target(r, 0);
            mote_text_parse_expect(r, ')', "')'");
        } else {
            node = mote_text_parse_node(r, N_NAME, r->token.at);
            node->name = take_name(r);
            if (attributes && mote_text_parse_accept(r, '.')) {
                struct node *member = mote_text_parse_node(r, N_ATTRIBUTE, node->at);
                member->a = node;
                member->v = r->token.v;
                mote_text_parse_expect(r, T_NAME, "a name after '.'");
                node = member;
            }
        }
        *tail = node;
        tail = &node->next;
        tuple += r->token.kind == ',';
    } while (!r->status && mote_text_parse_accept(r, ','));
    r->depth--;
    if (!tuple) return first;
    struct node *all = mote_text_parse_node(r, N_TUPLE, at);
    all->a = first;
    return all;
}

static struct node *parse_if(struct render *r, uint32_t at) {
    struct node *first = NULL, **place = &first;
    int branch = 0;
    do { /* if and every elif */
        struct node *node = mote_text_parse_node(r, N_IF, at);
        node->op = (uint8_t)branch;
        branch = 1;
        node->a = mote_text_parse_expression(r, 1, 1);
        end_tag(r);
        node->b = parse_body(r, "elif\0else\0endif\0");
        *place = node;
        place = &node->c;
        at = r->token.at;
    } while (!r->status && mote_text_parse_word(r, "elif"));
    if (mote_text_parse_word(r, "else")) {
        end_tag(r);
        *place = parse_body(r, "endif\0");
    }
    mote_text_lex_next(r);
    end_tag(r);
    return first;
}

static struct node *parse_for(struct render *r, struct node *node) {
    node->kind = N_FOR;
    node->a = parse_target(r, 0);
    if (!mote_text_parse_word(r, "in")) mote_text_parse_expect(r, T_IN, "'in'");
    node->b = mote_text_parse_expression(r, 0, 1);
    if (mote_text_parse_word(r, "if")) node->b->next = mote_text_parse_expression(r, 1, 0);
    if (mote_text_parse_word(r, "recursive")) FAIL(r, "recursive loops are not supported");
    end_tag(r);
    r->in_loop++;
    node->c = parse_body(r, "else\0endfor\0");
    r->in_loop--;
    if (mote_text_parse_word(r, "else")) {
        end_tag(r);
        node->d = parse_body(r, "endfor\0");
    }
    mote_text_lex_next(r);
    end_tag(r);
    return node;
}

static struct node *parse_set(struct render *r, struct node *node) {
    node->a = parse_target(r, 1);
    if (mote_text_parse_accept(r, '=')) {
        node->kind = N_SET;
        node->b = mote_text_parse_expression(r, 1, 1);
        end_tag(r);
        return node;
    }
    node->kind = N_SET_BLOCK;
    node->c = mote_text_parse_filters(r, NULL);
    end_tag(r);
    node->b = parse_whole(r, "endset\0");
    return node;
}

/* Parameters of a macro, "(" already taken: names, then names with defaults. */
static struct node *parse_parameters(struct render *r) {
    struct node *first = NULL, **tail = &first;
    int defaults = 0;
    while (!r->status && !mote_text_parse_accept(r, ')')) {
        struct node *node = mote_text_parse_node(r, N_KEYWORD, r->token.at);
        node->name = take_name(r);
        if (mote_text_parse_accept(r, '=')) {
            node->a = mote_text_parse_expression(r, 1, 0);
            defaults = 1;
        } else if (defaults) {
            FAIL(r, "a parameter without default after one with");
        }
        *tail = node;
        tail = &node->next;
        if (r->token.kind != ')') mote_text_parse_expect(r, ',', "',' or ')'");
    }
    return first;
}

/* A body in which break and continue do not reach the loops outside. */
static struct node *parse_closed(struct render *r, const char *ends) {
    uint8_t in_loop = r->in_loop;
    r->in_loop = 0;
    struct node *body = parse_whole(r, ends);
    r->in_loop = in_loop;
    return body;
}

static struct node *parse_macro(struct render *r, struct node *node) {
    node->kind = N_MACRO;
    const struct name *name = take_name(r);
    mote_text_parse_expect(r, '(', "'('");
    node->a = parse_parameters(r);
    end_tag(r);
    node->b = parse_closed(r, "endmacro\0");
    node->name = name;
    return node;
}

static struct node *parse_call(struct render *r, struct node *node) {
    node->kind = N_CALL_BLOCK;
    if (mote_text_parse_accept(r, '(')) node->c = parse_parameters(r);
    node->a = mote_text_parse_expression(r, 1, 0);
    if (node->a->kind != N_CALL) FAIL(r, "expected a call");
    end_tag(r);
    node->b = parse_closed(r, "endcall\0");
    return node;
}

static struct node *parse_with(struct render *r, struct node *node) {
    struct node **tail = &node->a;
    node->kind = N_WITH;
    while (!r->status && r->token.kind != T_BLOCK_END) {
        struct node *set = mote_text_parse_node(r, N_SET, r->token.at);
        set->a = parse_target(r, 0);
        mote_text_parse_expect(r, '=', "'='");
        set->b = mote_text_parse_expression(r, 1, 0);
        *tail = set;
        tail = &set->next;
        if (r->token.kind != T_BLOCK_END) mote_text_parse_expect(r, ',', "','");
    }
    end_tag(r);
    node->b = parse_whole(r, "endwith\0");
    return node;
}

static struct node *parse_filter_block(struct render *r, struct node *node) {
    node->kind = N_FILTER_BLOCK;
    node->a = mote_text_parse_filters(r, mote_text_parse_filter(r, NULL));
    end_tag(r);
    node->b = parse_closed(r, "endfilter\0");
    return node;
}

static struct node *parse_jump(struct render *r, struct node *node, int kind) {
    node->kind = (uint8_t)kind;
    if (!r->in_loop) FAIL(r, "break or continue outside a loop");
    end_tag(r);
    return node;
}

/* A statement, from its word on. */
static struct node *parse_statement(struct render *r) {
    static const char words[] = "if\0for\0set\0macro\0call\0filter\0with\0generation\0break\0continue\0";
    struct node *node = mote_text_parse_node(r, N_GROUP, r->token.at);
    mote_text text = {r->token.v.s, r->token.v.n};
    int word = r->token.kind == T_NAME ? mote_text_list_find(words, text) : -1;
    if (word < 0) {
        r->at = r->token.at;
        if (r->token.kind == T_NAME) FAIL(r, "unknown or misplaced tag '%t'", text);
        mote_text_parse_expect(r, T_NAME, "the name of a tag");
        return node;
    }
    mote_text_lex_next(r);
    switch (word) {
    case 0:
        return parse_if(r, node->at);
    case 1:
        return parse_for(r, node);
    case 2:
        return parse_set(r, node);
    case 3:
        return parse_macro(r, node);
    case 4:
        return parse_call(r, node);
    case 5:
        return parse_filter_block(r, node);
    case 6:
        return parse_with(r, node);
    case 7: /* marks the assistant's words for training; the text is what it holds */
        end_tag(r);
        node->a = parse_whole(r, "endgeneration\0");
        return node;
    default:
        return parse_jump(r, node, word == 8 ? N_BREAK : N_CONTINUE);
    }
}

static struct node *parse_body(struct render *r, const char *ends) {
    struct node *first = NULL, **tail = &first;
    if (!mote_text_render_enter(r)) r->token.kind = T_END;
    while (!r->status) {
        struct node *node = NULL;
        uint32_t at = r->token.at;
        if (r->token.kind == T_TEXT) {
            node = mote_text_parse_node(r, N_TEXT, at);
            node->v = r->token.v;
            mote_text_lex_next(r);
        } else if (mote_text_parse_accept(r, T_OUTPUT_BEGIN)) {
            node = mote_text_parse_node(r, N_OUTPUT, at);
            node->a = mote_text_parse_expression(r, 1, 1);
            mote_text_parse_expect(r, T_OUTPUT_END, "the end of the tag");
        } else if (mote_text_parse_accept(r, T_BLOCK_BEGIN)) {
            mote_text text = {r->token.v.s, r->token.v.n};
            if (r->token.kind == T_NAME && mote_text_list_find(ends, text) >= 0) break;
            node = parse_statement(r);
        } else {
            for (; *ends; ends += word_bytes(ends))
                if (!ends[word_bytes(ends)]) FAIL(r, "the template ends without '%s'", ends);
            break;
        }
        *tail = node;
        tail = &node->next;
    }
    r->depth--;
    return first;
}

struct node *mote_text_parse_template(struct render *r) {
    mote_text_lex_next(r);
    return parse_body(r, "");
}
