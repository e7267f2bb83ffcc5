/* SPDX-License-Identifier: Apache-2.0
 *
 * template_builtin.h: the table of what templates can call, see template_builtin.c. */
#ifndef MOTE_TEXT_TEMPLATE_BUILTIN_H
#define MOTE_TEXT_TEMPLATE_BUILTIN_H

#include "text/template_internal.h"

#define BUILTINS(X)                                                                                          \
    X(LOWER, "0fs lower")                                                                                    \
    X(UPPER, "0fs upper")                                                                                    \
    X(CAPITALIZE, "0fs capitalize")                                                                          \
    X(TITLE, "0fs title")                                                                                    \
    X(LSTRIP, "0s lstrip chars")                                                                             \
    X(RSTRIP, "0s rstrip chars")                                                                             \
    X(STRIP, "0s strip chars")                                                                               \
    X(TRIM, "0f trim chars")                                                                                 \
    X(STRING, "0f string")                                                                                   \
    X(SAFE, "0f safe")                                                                                       \
    X(REPLACE, "2fs replace old new count")                                                                  \
    X(SPLIT, "0s split sep maxsplit")                                                                        \
    X(STARTSWITH, "1s startswith .")                                                                         \
    X(ENDSWITH, "1s endswith .")                                                                             \
    X(FIND, "1s find .")                                                                                     \
    X(INDENT, "0f indent width first blank")                                                                 \
    X(INT, "0f int default")                                                                                 \
    X(TOJSON, "0f tojson ensure_ascii indent separators sort_keys")                                          \
    X(RAISE, "0g raise_exception .")                                                                         \
    X(STRFTIME, "1g strftime_now .")                                                                         \
    X(LENGTH, "0f length")                                                                                   \
    X(COUNT, "0f count")                                                                                     \
    X(DEFAULT, "0f default default_value boolean")                                                           \
    X(D, "0f d default_value boolean")                                                                       \
    X(FIRST, "0f first")                                                                                     \
    X(LAST, "0f last")                                                                                       \
    X(JOIN, "0f join d attribute")                                                                           \
    X(JOIN_METHOD, "1s join .")                                                                              \
    X(LIST, "0f list")                                                                                       \
    X(REVERSE, "0f reverse")                                                                                 \
    X(SORT, "0f sort reverse case_sensitive attribute")                                                      \
    X(DICTSORT, "0f dictsort case_sensitive by reverse")                                                     \
    X(MAP, "0f map . attribute default *")                                                                   \
    X(SELECT, "0f select . *")                                                                               \
    X(REJECT, "0f reject . *")                                                                               \
    X(SELECTATTR, "1f selectattr . . *")                                                                     \
    X(REJECTATTR, "1f rejectattr . . *")                                                                     \
    X(ITEMS, "0fd items")                                                                                    \
    X(KEYS, "0d keys")                                                                                       \
    X(VALUES, "0d values")                                                                                   \
    X(GET, "1d get . .")                                                                                     \
    X(DICT, "0g dict . *")                                                                                   \
    X(NAMESPACE, "0g namespace . *")                                                                         \
    X(APPEND, "1l append .")                                                                                 \
    X(RANGE, "1g range . . .")                                                                               \
    X(IS_EQUAL, "1t == .")                                                                                   \
    X(IS_EQ, "1t eq .")                                                                                      \
    X(IS_EQUALTO, "1t equalto .")                                                                            \
    X(IS_DIFFERENT, "1t != .")                                                                               \
    X(IS_NE, "1t ne .")                                                                                      \
    X(IS_LT, "1t lt .")                                                                                      \
    X(IS_LE, "1t le .")                                                                                      \
    X(IS_GT, "1t gt .")                                                                                      \
    X(IS_GE, "1t ge .")                                                                                      \
    X(IS_IN, "1t in .")                                                                                      \
    X(IS_DIVISIBLEBY, "1t divisibleby .")                                                                    \
    X(IS_EVEN, "0t even")                                                                                    \
    X(IS_ODD, "0t odd")                                                                                      \
    X(IS_TRUE, "0t true")                                                                                    \
    X(IS_FALSE, "0t false")                                                                                  \
    X(IS_DEFINED, "0t defined")                                                                              \
    X(IS_UNDEFINED, "0t undefined")                                                                          \
    X(IS_NONE, "0t none")                                                                                    \
    X(IS_BOOLEAN, "0t boolean")                                                                              \
    X(IS_INTEGER, "0t integer")                                                                              \
    X(IS_FLOAT, "0t float")                                                                                  \
    X(IS_NUMBER, "0t number")                                                                                \
    X(IS_STRING, "0t string")                                                                                \
    X(IS_MAPPING, "0t mapping")                                                                              \
    X(IS_ITERABLE, "0t iterable")                                                                            \
    X(IS_SEQUENCE, "0t sequence")                                                                            \
    X(IS_CALLABLE, "0t callable")

#define ENUM(name, row) B_##name,
#define ROW(name, row)  row "\0"

enum { BUILTINS(ENUM) B_FIRST_OF_LISTS = B_LENGTH };

/* Each for its part of the table, over the arguments a [6], the subject first, undefined where there is none.
 * For those that let any argument pass, these stand on the stack as mote_text_expression_call has them. */
struct value *mote_text_builtin_text(struct render *r, int id, struct value **a);
struct value *mote_text_builtin_list(struct render *r, int id, struct value **a, uint32_t base, uint32_t n);

/* v as an int; other if it is undefined or none. */
int64_t mote_text_value_int_of(struct render *r, const struct value *v, int64_t other);

#endif
