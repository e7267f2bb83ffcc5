/* SPDX-License-Identifier: Apache-2.0
 *
 * template_internal.h: what the files of the template interpreter share.
 *
 *     source ─ template_lex ─ template_parse ─▶ nodes ─ template_eval ─▶ out
 *                                                 │  ▲
 *     variables ─ json ─▶ values ─────────────────┘  └─ template_filter, _method, _operator, _value, …
 *
 * One struct render holds a whole rendering. Its memory is a bump arena over the caller's work block; nothing
 * is given back before the end. Text under construction (a macro's result, a joined list) is written at the
 * end of the output buffer and then moved into the arena, so that there is one `put` for everything and
 * captures nest like a stack.
 *
 * Errors are sticky: the first failure is kept in r->status, later ones are ignored, and every function stays
 * memory-safe after it, answering undefined. Loops end because mote_text_render_spend says so.
 *
 * Bounds: LIMIT_DEPTH for everything that recurses (nodes, values, JSON), LIMIT_STEPS for everything that
 * loops (long strings and lists cost by length), the work block and the output buffer for the rest. */
#ifndef MOTE_TEXT_TEMPLATE_INTERNAL_H
#define MOTE_TEXT_TEMPLATE_INTERNAL_H

#include "base/error.h"
#include "base/memory.h"
#include "text/template.h"

enum {
    LIMIT_DEPTH = 200,
    LIMIT_STEPS = 1 << 24,
    LIMIT_STACK = 512, /* argument values alive at once */
    LIMIT_BYTES = 0x7fffffff,
    NAME_BUCKETS = 64,
};

/* ---- values ---- */

enum value_type {
    V_UNDEFINED, /* s, n: the name that was not there */
    V_NONE,
    V_BOOL,
    V_INT,
    V_FLOAT,
    V_STRING, /* s, n: UTF-8, not always valid; an invalid byte counts as one character */
    V_LIST,
    V_TUPLE,
    V_DICT,
    V_NAMESPACE,
    V_LOOP,
    V_MACRO,
    V_FUNCTION, /* i: enum function */
    V_METHOD,
    V_ABSENT, /* a binding of an earlier pass of a loop: look further out */
};

struct value {
    uint8_t type;
    uint32_t n;
    union {
        int64_t i;
        double f;
        const char *s;
        struct list *list;
        struct dict *dict;
        struct loop *loop;
        struct macro *macro;
        struct method *method;
    };
};

struct list {
    struct value *items; /* [n] */
    uint32_t n, room;
};

/* Insertion order; lookup is a linear walk, paid for in steps. */
struct dict {
    struct entry {
        struct value key, value;
    } * entries; /* [n] */
    uint32_t n, room;
};

struct loop {
    struct list *list;
    uint32_t index;
};

struct method {
    struct value self;
    int id;
};

/* Arguments of a call, on the value stack: v [n], then kw [2 n_kw] as name, value, name, value. asked and
 * used say which of them the callee has looked at; the rest is an error. */
struct args {
    struct value *v, *kw;
    uint32_t n, n_kw, asked, used;
};

/* ---- names and scopes ---- */

struct name {
    struct name *next;
    mote_text text;
};

struct scope {
    struct scope *parent;
    struct binding {
        struct binding *next;
        const struct name *name;
        struct value value;
    } * bindings;
};

struct macro {
    const struct node *parameters, *body;
    struct scope *scope;
    mote_text name;
};

/* ---- nodes ---- */

enum node_kind {
    /* expressions; lists of nodes go by next */
    N_LITERAL,         /* v */
    N_NAME,            /* name */
    N_LIST,            /* a: items */
    N_TUPLE,           /* a: items */
    N_DICT,            /* a: key, value, key, value, … */
    N_ATTRIBUTE,       /* a . v */
    N_INDEX,           /* a [ b ] */
    N_SLICE,           /* a [ b : c : d ], each of b c d may be NULL */
    N_CALL,            /* a ( b ) */
    N_FILTER,          /* a | op ( b ); a NULL: the text of the block around it */
    N_TEST,            /* a is op ( b ) */
    N_NOT,             /* a */
    N_NEGATE,          /* a */
    N_PLUS,            /* a */
    N_AND,             /* a, b */
    N_OR,              /* a, b */
    N_BINARY,          /* a op b, op: the operator's token */
    N_CHOICE,          /* b if a else c; c may be NULL */
    N_KEYWORD,         /* name = a, an argument or a parameter with its default (a NULL: none) */
    N_SPREAD,          /* * a */
    N_SPREAD_KEYWORDS, /* ** a */
    /* statements */
    N_TEXT,         /* v */
    N_OUTPUT,       /* a */
    N_IF,           /* a: condition  b: body  c: else, an N_IF with op 1 for elif */
    N_FOR,          /* a: target  b: iterable, its next the condition  c: body  d: else */
    N_SET,          /* a: target  b: value */
    N_SET_BLOCK,    /* a: target  b: body  c: filters */
    N_MACRO,        /* a: parameters  b: body  name */
    N_CALL_BLOCK,   /* a: call  b: body  c: parameters */
    N_FILTER_BLOCK, /* a: filters  b: body */
    N_WITH,         /* a: N_SETs  b: body */
    N_GROUP,        /* a: body, in no scope of its own */
    N_BREAK,
    N_CONTINUE,
};

struct node {
    uint8_t kind, op;
    uint32_t at; /* offset in the source, for errors */
    struct node *next, *a, *b;
    union {
        struct {
            struct node *c, *d;
        };
        struct value v;
        const struct name *name;
    };
};

/* ---- tokens: an operator of one character is that character ---- */

enum token_kind {
    T_END = 1,
    T_TEXT,
    T_OUTPUT_BEGIN,
    T_OUTPUT_END,
    T_BLOCK_BEGIN,
    T_BLOCK_END,
    T_NAME,
    T_STRING,
    T_NUMBER,
    T_EQUAL,
    T_DIFFERENT,
    T_LESS_EQUAL,
    T_GREATER_EQUAL,
    T_FLOOR_DIVIDE,
    T_POWER,
    T_IN,     /* operators only: in */
    T_NOT_IN, /* not in */
};

struct token {
    uint8_t kind;
    uint32_t at;
    struct value v; /* text of a name, text or string; a number */
};

/* ---- a rendering ---- */

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

struct render {
    mote_text source, original; /* source: newlines made \n, the last one dropped */
    mote_status status;
    uint32_t at; /* offset in source of what is being done */
    uint32_t steps, depth;
    char *block;
    size_t used, size;
    char *out;
    size_t n_out, max_out;
    /* reading */
    struct token token, previous;
    uint32_t cursor, braces;
    const struct name *loop, *caller; /* the names the language binds itself */
    uint8_t mode, in_loop;            /* mode: 0 text, else the token kind that ends the tag */
    struct name *names[NAME_BUCKETS];
    struct node spare; /* what parsing writes to after a failure */
    /* running */
    struct scope *scope;
    struct dict *globals;
    struct value *stack, subject;
    struct list nothing; /* what iterating gives after a failure */
    uint32_t n_stack;
    enum flow flow;
    uint64_t now;
    char message[200];
};

/* ---- template.c: memory, failure, output ---- */

/* Keeps the first failure. status TEMPLATE unless said otherwise. */
#define FAIL(r, ...) FAIL_AS(r, MOTE_E_TEMPLATE, __VA_ARGS__)
#define FAIL_AS(r, as, ...)                                                                                  \
    do {                                                                                                     \
        if (!(r)->status) {                                                                                  \
            (r)->status = (as);                                                                              \
            mote_base_format((r)->message, sizeof(r)->message, __VA_ARGS__);                                 \
        }                                                                                                    \
    } while (0)

/* n objects of size bytes, aligned to 8 (to 1 when size is 1), zeroed. NULL after failing. */
void *mote_text_render_take(struct render *r, size_t n, size_t size);
/* Pays for n units of work; 0 when there is nothing left to pay with, or the rendering has failed. */
int mote_text_render_spend(struct render *r, size_t n);
/* Goes one level deeper, and pays one step; each call, also a refused one, is followed by r->depth--. */
int mote_text_render_enter(struct render *r);
void mote_text_render_put(struct render *r, const char *s, size_t n);
void mote_text_render_put_text(struct render *r, const char *text);
/* Takes what was put since n_out was start back out of the output, as a string. */
struct value mote_text_render_capture(struct render *r, size_t start);

/* ---- template_string.c: code points ---- */

uint32_t mote_text_string_next(const char **s, const char *end);
uint32_t mote_text_string_before(const char *begin, const char **s);
void mote_text_string_put(struct render *r, uint32_t code);
size_t mote_text_string_length(struct value s);
int mote_text_string_is_space(uint32_t code);
uint32_t mote_text_string_lower(uint32_t code);
uint32_t mote_text_string_upper(uint32_t code);
enum { CASE_LOWER, CASE_UPPER, CASE_CAPITAL, CASE_WORDS, CASE_TITLE };
/* CASE_WORDS: as the title filter, words begin after space - ( { [ <; CASE_TITLE: after any non-letter. */
struct value mote_text_string_case(struct render *r, struct value s, int how);
enum { STRIP_LEFT = 1, STRIP_RIGHT = 2 };
/* chars undefined or none: white space. */
struct value mote_text_string_strip(struct render *r, struct value s, struct value chars, int sides);
/* Byte offset of the first needle at or after from, or -1. */
int64_t mote_text_string_find(struct render *r, struct value s, struct value needle, size_t from);
int64_t mote_text_string_find_last(struct render *r, struct value s, struct value needle);
struct value mote_text_string_replace(struct render *r, struct value s, struct value old, struct value with,
                                      int64_t most);
/* Python's split, rsplit (right) and splitlines. separator undefined or none: runs of white space. */
struct value mote_text_string_split(struct render *r, struct value s, struct value separator, int64_t most,
                                    int right);
struct value mote_text_string_lines(struct render *r, struct value s, int keep_ends);

/* ---- template_number.c ---- */

/* Reads an int (Python digits, _ between them) or, with a point or an exponent, a float. Returns the bytes
 * read, 0 if none. An int past 64 bits becomes the nearest float. */
size_t mote_text_number_read(const char *s, size_t n, struct value *number);
/* As Python's repr: ints in decimal, floats in the fewest digits that read back as the same value. */
void mote_text_number_put(struct render *r, struct value number);
double mote_text_number_floor(double x);

/* ---- template_value.c ---- */

struct value mote_text_value_string(const char *s, size_t n);
struct value mote_text_value_int(int64_t i);
struct value mote_text_value_bool(int truth);
struct value mote_text_value_float(double f);
struct value mote_text_value_list(struct render *r, uint8_t type, uint32_t room);
struct value mote_text_value_dict(struct render *r, uint8_t type);
void mote_text_value_append(struct render *r, struct list *list, struct value item);
struct value *mote_text_value_find(struct render *r, struct dict *dict, struct value key);
void mote_text_value_insert(struct render *r, struct dict *dict, struct value key, struct value value);
int mote_text_value_truth(struct value v);
int mote_text_value_equal(struct render *r, struct value a, struct value b);
/* < 0, 0, > 0; fails where Python has no order. fold: strings without regard to case. */
int mote_text_value_order(struct render *r, struct value a, struct value b, int fold);
/* Appends Python's str(v) to the output, or with quote its repr. */
void mote_text_value_put(struct render *r, struct value v, int quote);
struct value mote_text_value_text(struct render *r, struct value v);
/* What iterating over v gives: the list itself, characters, keys; fails for what is not iterable. */
struct list *mote_text_value_items(struct render *r, struct value v);
const char *mote_text_value_type(struct value v);
int mote_text_value_is_text(struct value v, const char *text);

/* ---- json.c ---- */

struct value mote_text_json_read(struct render *r, mote_text text, uint32_t *at);
/* indent < 0: on one line. */
struct json_style {
    int64_t indent;
    struct value item_separator, key_separator;
    int ascii, sort;
};
void mote_text_json_put(struct render *r, struct value v, const struct json_style *style, int64_t level);

/* ---- template_lex.c, template_parse.c, template_statement.c ---- */

void mote_text_lex_open(struct render *r, mote_text source);
void mote_text_lex_next(struct render *r); /* into r->token */
struct node *mote_text_parse_node(struct render *r, int kind, uint32_t at);
const struct name *mote_text_parse_name(struct render *r, mote_text text);
int mote_text_parse_accept(struct render *r, int kind);
int mote_text_parse_word(struct render *r, const char *word); /* takes the name if it is word */
void mote_text_parse_expect(struct render *r, int kind, const char *what);
/* choice: `a if b else c` allowed; tuple: `a, b` allowed. */
struct node *mote_text_parse_expression(struct render *r, int choice, int tuple);
/* One filter, at its name; then the filters, tests and calls that follow an expression. */
struct node *mote_text_parse_filter(struct render *r, struct node *subject);
struct node *mote_text_parse_filters(struct render *r, struct node *subject);
struct node *mote_text_parse_template(struct render *r);

/* ---- template_eval.c, template_run.c ---- */

struct value mote_text_eval(struct render *r, const struct node *node);
struct value mote_text_eval_attribute(struct render *r, struct value object, struct value name);
struct value mote_text_eval_index(struct render *r, struct value object, struct value key);
struct value mote_text_eval_call(struct render *r, struct value callee, struct args *args);
void mote_text_eval_push(struct render *r, struct value v);
/* The values of an argument list, from stack position base on. */
struct args mote_text_eval_args(struct render *r, const struct node *list, uint32_t base);
void mote_text_run(struct render *r, const struct node *first);
struct value mote_text_run_macro(struct render *r, const struct macro *macro, struct args *args);

/* ---- template_operator.c ---- */

struct value mote_text_operate(struct render *r, int op, struct value a, struct value b);
struct value mote_text_operate_slice(struct render *r, struct value object, struct value start,
                                     struct value stop, struct value step);

/* ---- template_filter.c, template_test.c, template_method.c ---- */

/* The i-th argument, or the one with that name; undefined if there is neither. */
struct value mote_text_args_get(struct args *args, uint32_t i, const char *name);
int64_t mote_text_args_int(struct render *r, struct args *args, uint32_t i, const char *name, int64_t other);
/* Fails if an argument was given that nobody asked for. */
void mote_text_args_end(struct render *r, const struct args *args, const char *callee);
/* Index of a word in a list of words, each ended by NUL, the list by an empty word; -1 if it is not there. */
int mote_text_list_find(const char *words, mote_text word);
const char *mote_text_list_word(const char *words, int index);

int mote_text_filter_find(mote_text name);
struct value mote_text_filter(struct render *r, int id, struct args *args);
/* A sorted copy. */
struct list *mote_text_filter_sort(struct render *r, struct list *items);
int mote_text_test_find(mote_text name);
int mote_text_test_takes_argument(int id);
int mote_text_test(struct render *r, int id, struct args *args);
int mote_text_function_find(mote_text name);
struct value mote_text_function(struct render *r, int id, struct args *args);
/* The method called name of a value of this type, -1 if there is none. */
int mote_text_method_find(uint8_t type, mote_text name);
/* A list of (key, value); fails for what is no dict. */
struct value mote_text_method_items(struct render *r, struct value v);
struct value mote_text_method(struct render *r, struct value self, int id, struct args *args);
/* ---- template_time.c ---- */

/* strftime in UTC, the C locale. */
void mote_text_time_put(struct render *r, uint64_t now, struct value format);

#endif
