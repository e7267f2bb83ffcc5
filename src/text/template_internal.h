/* SPDX-License-Identifier: Apache-2.0
 *
 * template_internal.h: what the files of the template interpreter share.
 *
 *     variables ─┐
 *     source ────┴ template_lex ─ template_run ─ template_expression ─▶ out
 *                                                        │  ▲
 *                                  values ───────────────┘  └─ template_operator, _builtin, _value, …
 *
 * There is no syntax tree: statements and expressions do what they say while they are read. A body that is
 * not to run is read all the same, dry, so that its mistakes are found; a loop or a macro goes back to the
 * place where its body begins. JSON is read by the same code, as the part of the language it is.
 *
 * One struct render holds a whole rendering. Its memory is a bump arena over the caller's work block; what a
 * tag used is given back after it unless something older may point into it. Text under construction (a
 * macro's result, a joined list) is written at the end of the output and then moved into the arena, so that
 * there is one `put` for everything and captures nest like a stack.
 *
 * Errors are sticky: the first is kept, reading ends, and every function stays memory-safe after it,
 * answering undefined. Loops end because mote_text_render_spend says so.
 *
 * Bounds: LIMIT_DEPTH for everything that recurses (expressions, bodies, values), LIMIT_STEPS for everything
 * that loops (long strings and lists cost by length), the work block and the output for the rest. */
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
};

/* ---- values ---- */

enum value_type {
    V_UNDEFINED, /* s, n: the name that was not there */
    V_NONE,
    V_BOOL, /* i; there are two, r->no and r->yes */
    V_INT,
    V_FLOAT,
    V_STRING, /* s, n: UTF-8, not always valid; an invalid byte counts as one character */
    V_LIST,
    V_TUPLE,
    V_DICT,
    V_NAMESPACE,
    V_LOOP,
    V_MACRO,
    V_BUILTIN, /* n: which; self: what it is a method of */
};

struct value {
    uint8_t type;
    uint32_t n; /* bytes or items; a dict's are key, value, key, value, … in order of insertion */
    union {
        int64_t i;
        double f;
        const char *s;
        struct {
            struct value **items; /* [n] */
            uint32_t room;
        };
        struct {
            struct value *list;
            uint32_t index;
        };
        struct { /* n: the place of the parameters */
            struct scope *scope;
            uint32_t body;
        };
        struct value *self;
    };
};

struct scope {
    struct scope *parent;
    struct value *names; /* a dict */
};

/* ---- tokens: an operator of one character is that character; the others are letters ---- */

enum token_kind {
    T_END = 'E',
    T_TEXT = 'X',
    T_OUTPUT_BEGIN = 'O',
    T_OUTPUT_END = 'P', /* only -}}: without the sign it is two braces to the lexer */
    T_BLOCK_BEGIN = 'B',
    T_BLOCK_END = 'C',
    T_NAME = 'N',
    T_STRING = 'S',
    T_NUMBER = 'I',
    T_EQUAL = 'e', /* comparisons come after the signs, from d on */
    T_DIFFERENT = 'd',
    T_LESS_EQUAL = 'l',
    T_GREATER_EQUAL = 'g',
    T_FLOOR_DIVIDE = 'F',
    T_IN = 'i', /* operators only: in */
    T_NOT_IN = 'n',
};

enum { DRY = 1, BREAK = 2, CONTINUE = 4 };

struct render {
    struct value undefined; /* first: its address is that of the rendering, which is code saved everywhere */
    mote_status status;
    uint8_t dry;     /* DRY: read, do nothing; BREAK, CONTINUE: likewise up to the end of the loop */
    uint8_t in_loop; /* how many loops around, in this macro */
    uint8_t kept;    /* something older than mark has been changed */
    uint8_t in_tag, json;
    mote_text source; /* what is being read */
    uint32_t cursor;
    uint32_t at; /* offset in source of what is being done */
    uint32_t steps, depth;
    char *block;
    size_t used, size, mark; /* mark: where the memory of the tag at hand begins */
    char *out;
    size_t n_out, max_out;
    struct {
        uint8_t kind;
        uint32_t at;       /* reading again from here gives the same token */
        struct value text; /* a name, or text outside tags; always of type string */
        struct value *v;   /* a string or a number; undefined when dry */
    } token;
    struct scope *scope;
    struct value **stack; /* [LIMIT_STACK] */
    uint32_t n_stack;
    struct value none, no, yes, spare;
    uint64_t now;
    char message[200];
};

/* Whether values are to be made and things to be done at all. */
int mote_text_render_idle(const struct render *r);

/* ---- template.c: memory, failure, output ---- */

/* n objects of size bytes, aligned to 8 (to 1 when size is 1), zeroed. NULL after failing. */
void *mote_text_render_take(struct render *r, size_t n, size_t size);
/* Keeps the first failure: what, and the name or text that about is, or its type. Returns
 * undefined. */
struct value *mote_text_render_fail(struct render *r, const char *what, const struct value *about);
/* Pays for n units of work; 0 when there is nothing left to pay with, or the rendering has failed. */
int mote_text_render_spend(struct render *r, size_t n);
/* Goes one level deeper, and pays one step; each call, also a refused one, is followed by r->depth--. */
int mote_text_render_enter(struct render *r);
void mote_text_render_put(struct render *r, const char *s, size_t n);
void mote_text_render_put_word(struct render *r, const char *word);
/* Takes what was put since n_out was start back out of the output, as a string. */
struct value *mote_text_render_capture(struct render *r, size_t start);

/* ---- template_lex.c ---- */

void mote_text_lex_open(struct render *r, mote_text source);
void mote_text_lex_next(struct render *r); /* into r->token */
/* The place of the token at hand, and the way back to one. */
uint32_t mote_text_lex_here(const struct render *r);
void mote_text_lex_go(struct render *r, uint32_t place);
int mote_text_lex_accept(struct render *r, int kind);
int mote_text_lex_is_word(const struct render *r, const char *word);
int mote_text_lex_accept_word(struct render *r, const char *word);
void mote_text_lex_expect(struct render *r, int kind);
void mote_text_lex_end_output(struct render *r);
/* The name at hand as a string, taken. */
struct value *mote_text_lex_name(struct render *r);
int mote_text_lex_is_keyword(const struct render *r); /* a name and = come next */

/* ---- template_expression.c, template_run.c ---- */

struct value *mote_text_expression(struct render *r);        /* a, b: a tuple */
struct value *mote_text_expression_choice(struct render *r); /* one without a comma, a if b else c */
struct value *mote_text_expression_plain(struct render *r);  /* without either */
struct value *mote_text_expression_json(struct render *r);
/* Filters from | on. */
struct value *mote_text_expression_filters(struct render *r, struct value *v);
/* The arguments of a call up to ")" onto the stack, above what it is called on: n in order, then pairs of
 * name and value up to r->n_stack. */
uint32_t mote_text_expression_arguments(struct render *r);
struct value *mote_text_expression_look_up(struct render *r, struct value *name);
void mote_text_expression_push(struct render *r, struct value *v);
/* callee over the n arguments at r->stack[base], the first being left for the callee's self. */
struct value *mote_text_expression_call(struct render *r, struct value *callee, uint32_t base, uint32_t n);
/* v.key, a method before an item; by_item: v[key], an item before a method. */
struct value *mote_text_expression_member(struct render *r, struct value *v, struct value *key, int by_item);
void mote_text_run(struct render *r); /* the whole template */
struct value *mote_text_run_macro(struct render *r, struct value *macro, uint32_t base, uint32_t n);

/* ---- template_operator.c ---- */

struct value *mote_text_operate(struct render *r, int op, struct value *a, struct value *b);
struct value *mote_text_operate_slice(struct render *r, struct value *object, struct value *part[3]);
int mote_text_value_equal(struct render *r, struct value *a, struct value *b);
/* < 0, 0, > 0; of numbers and of strings. */
int mote_text_value_order(struct render *r, struct value *a, struct value *b);

/* ---- template_builtin.c, template_list.c: filters, tests, methods, functions ---- */

/* kind: 'f' filter, 't' test, 'g' function, 's' 'd' 'l' method of a string, dict, list. -1: none. */
int mote_text_builtin_find(int kind, const struct value *name);
int mote_text_builtin_wants(int id); /* how many arguments it must have besides its subject */
struct value *mote_text_builtin(struct render *r, int id, uint32_t base, uint32_t n);
/* Index of a word in a list of words, each ended by NUL, the list by an empty word; -1 if it is not there. */
int mote_text_words_find(const char *words, const struct value *word);
const char *mote_text_words_get(const char *words, int index);

/* ---- template_string.c: Python's string methods, by code points ---- */

uint32_t mote_text_string_next(const char **s, const char *end);
void mote_text_string_put(struct render *r, uint32_t code);
size_t mote_text_string_length(const char *s, size_t n);
int mote_text_string_is_space(uint32_t code);
enum { CASE_LOWER, CASE_UPPER, CASE_CAPITAL, CASE_WORDS };
/* CASE_WORDS: as the title filter, words begin after space - ( { [ <. */
struct value *mote_text_string_case(struct render *r, struct value *s, int how);
enum { STRIP_LEFT = 1, STRIP_RIGHT = 2 };
/* Moves the ends of a text over chars; over white space if these are no string, or NULL. */
void mote_text_string_trim(const char **from, const char **to, const struct value *chars, int sides);
struct value *mote_text_string_strip(struct render *r, struct value *s, struct value *chars, int sides);
/* Byte offset of the first needle at or after from, or -1. */
int64_t mote_text_string_find(struct render *r, struct value *s, struct value *needle, size_t from);
struct value *mote_text_string_replace(struct render *r, struct value *s, struct value *old,
                                       struct value *with, int64_t most);
/* separator no string: runs of white space. */
struct value *mote_text_string_split(struct render *r, struct value *s, struct value *separator,
                                     int64_t most);

/* ---- template_number.c ---- */

/* Reads an int or, with a point or an exponent or past 63 bits, a float, without a sign, into number. Returns
 * the bytes read. */
size_t mote_text_number_read(struct render *r, const char *s, size_t n, struct value *number);
/* As Python's repr: ints in decimal, floats in the fewest digits that read back as the same value. */
void mote_text_number_put(struct render *r, const struct value *number);

/* ---- template_value.c ---- */

struct value *mote_text_value_new(struct render *r, int type); /* empty; never NULL */
struct value *mote_text_value_string(struct render *r, const char *s, size_t n);
struct value *mote_text_value_int(struct render *r, int64_t i);
struct value *mote_text_value_float(struct render *r, double f);
struct value *mote_text_value_bool(struct render *r, int truth);
void mote_text_list_append(struct render *r, struct value *list, struct value *item);
struct value **mote_text_dict_find(struct render *r, struct value *dict, struct value *key);
void mote_text_dict_insert(struct render *r, struct value *dict, struct value *key, struct value *value);
int mote_text_value_truth(const struct value *v);
/* Whether v is this string, ended by a space or NUL. */
int mote_text_value_is(const struct value *v, const char *word);
/* What iterating over v gives: the list itself, characters, keys; fails for what is not iterable. */
struct value *mote_text_value_items(struct render *r, struct value *v);
struct value *mote_text_value_pairs(struct render *r, struct value *dict); /* a list of tuples */
/* Sorts items that are key, item, key, item, … by key, stably. */
void mote_text_value_sort(struct render *r, struct value *pairs, int reverse);

/* ---- template_write.c ---- */

/* How values are written: Python's repr, or JSON as by json.dumps. */
struct style {
    uint8_t json, sort;
    int64_t indent;                 /* < 0: on one line */
    const struct value *item, *key; /* strings, what stands between items, and between key and value */
};
/* Appends str(v) to the output, or v in a style. */
void mote_text_write_value(struct render *r, struct value *v, const struct style *style, int64_t level);
struct value *mote_text_write_text(struct render *r, struct value *v); /* str(v) */

/* ---- template_time.c ---- */

/* strftime in UTC, the C locale. */
void mote_text_time_put(struct render *r, const struct value *format);

#endif
