/* SPDX-License-Identifier: Apache-2.0
 *
 * error.h: filling a mote_error. */
#ifndef MOTE_BASE_ERROR_H
#define MOTE_BASE_ERROR_H

#include "base/float.h"
#include "mote/mote.h"

/* An argument of a message: a number, a NUL-terminated text, or a text and its length. Arguments are passed as
 * such and not by `…`: a call then costs half the code where size counts (WebAssembly), and less again where
 * addresses have 32 bits and each argument is one number. */
#if UINTPTR_MAX > UINT32_MAX
struct mote_base_value {
    uint64_t number;
    const char *text;
};
static inline struct mote_base_value mote_base_value_text(mote_text text) {
    return (struct mote_base_value){text.n, text.data};
}
static inline mote_text mote_base_value_as_text(struct mote_base_value value) {
    return (mote_text){value.text, value.number};
}
#else
struct mote_base_value {
    uint64_t number; /* of a text: its length above its address */
};
/* Always inlined: of a text in memory both halves are one load. */
__attribute__((always_inline)) static inline struct mote_base_value mote_base_value_text(mote_text text) {
    return (struct mote_base_value){(uint64_t)text.n << 32 | (uintptr_t)text.data};
}
static inline mote_text mote_base_value_as_text(struct mote_base_value value) {
    return (mote_text){(const char *)(uintptr_t)value.number, (size_t)(value.number >> 32)};
}
#endif
static inline struct mote_base_value mote_base_value_string(const char *text) {
    return mote_base_value_text((mote_text){text, 0});
}
static inline struct mote_base_value mote_base_value_number(uint64_t number) {
    return (struct mote_base_value){.number = number};
}
static inline struct mote_base_value mote_base_value_double(double number) {
    return mote_base_value_number(mote_base_f64_bits(number));
}
#define MOTE_BASE_VALUE(x)                                                                                   \
    _Generic((x),                                                                                            \
        mote_text: mote_base_value_text,                                                                     \
        const char *: mote_base_value_string,                                                                \
        char *: mote_base_value_string,                                                                      \
        double: mote_base_value_double,                                                                      \
        default: mote_base_value_number)(x)

/* Fills error (if not NULL) and returns status, so that a caller writes `return mote_base_fail(…)`:
 *
 *     mote_status mote_base_fail(mote_error *error, mote_status status, uint64_t where, const char *format, …)
 *
 * format knows %s (const char *, NUL-terminated), %t (mote_text), %u (any unsigned integer), %d (any signed
 * one), %f (double, three decimals) and %%; at most six of them. A text is cut
 * to 80 bytes where more follows it, and the whole to fit; bytes outside printable ASCII come out as '?'. */
#define mote_base_fail(error, status, where, ...)                                                            \
    MOTE_BASE_EIGHTH(__VA_ARGS__, MOTE_BASE_FAIL6, MOTE_BASE_FAIL5, MOTE_BASE_FAIL4, MOTE_BASE_FAIL3,        \
                     MOTE_BASE_FAIL2, MOTE_BASE_FAIL1, MOTE_BASE_FAIL0, 0)                                   \
    (error, status, where, __VA_ARGS__)

/* size_t mote_base_format(char *out, size_t size, const char *format, …): the same formatting into a buffer,
 * always NUL-terminated (size >= 1); at most two arguments; returns the length written. */
#define mote_base_format(out, size, ...)                                                                     \
    MOTE_BASE_FOURTH(__VA_ARGS__, MOTE_BASE_FORMAT2, MOTE_BASE_FORMAT1, MOTE_BASE_FORMAT0, 0)                \
    (out, size, __VA_ARGS__)

#define MOTE_BASE_EIGHTH(a, b, c, d, e, f, g, h, ...) h
#define MOTE_BASE_FOURTH(a, b, c, d, ...)             d
#define MOTE_BASE_NONE                                mote_base_value_number(0)
#define MOTE_BASE_FAIL0                               mote_base_fail0
#define MOTE_BASE_FAIL1(e, s, w, f, a)                mote_base_fail1(e, s, w, f, MOTE_BASE_VALUE(a))
#define MOTE_BASE_FAIL2(e, s, w, f, a, b)                                                                    \
    mote_base_fail3(e, s, w, f, MOTE_BASE_VALUE(a), MOTE_BASE_VALUE(b), MOTE_BASE_NONE)
#define MOTE_BASE_FAIL3(e, s, w, f, a, b, c)                                                                 \
    mote_base_fail3(e, s, w, f, MOTE_BASE_VALUE(a), MOTE_BASE_VALUE(b), MOTE_BASE_VALUE(c))
#define MOTE_BASE_FAIL4(e, s, w, f, a, b, c, d)                                                              \
    mote_base_fail6(e, s, w, f, MOTE_BASE_VALUE(a), MOTE_BASE_VALUE(b), MOTE_BASE_VALUE(c),                  \
                    MOTE_BASE_VALUE(d), MOTE_BASE_NONE, MOTE_BASE_NONE)
#define MOTE_BASE_FAIL5(e, s, w, f, a, b, c, d, g)                                                           \
    mote_base_fail6(e, s, w, f, MOTE_BASE_VALUE(a), MOTE_BASE_VALUE(b), MOTE_BASE_VALUE(c),                  \
                    MOTE_BASE_VALUE(d), MOTE_BASE_VALUE(g), MOTE_BASE_NONE)
#define MOTE_BASE_FAIL6(e, s, w, f, a, b, c, d, g, h)                                                        \
    mote_base_fail6(e, s, w, f, MOTE_BASE_VALUE(a), MOTE_BASE_VALUE(b), MOTE_BASE_VALUE(c),                  \
                    MOTE_BASE_VALUE(d), MOTE_BASE_VALUE(g), MOTE_BASE_VALUE(h))
#define MOTE_BASE_FORMAT0(o, n, f)       mote_base_format2(o, n, f, MOTE_BASE_NONE, MOTE_BASE_NONE)
#define MOTE_BASE_FORMAT1(o, n, f, a)    mote_base_format2(o, n, f, MOTE_BASE_VALUE(a), MOTE_BASE_NONE)
#define MOTE_BASE_FORMAT2(o, n, f, a, b) mote_base_format2(o, n, f, MOTE_BASE_VALUE(a), MOTE_BASE_VALUE(b))

mote_status mote_base_fail0(mote_error *error, mote_status status, uint64_t where, const char *format);
mote_status mote_base_fail1(mote_error *error, mote_status status, uint64_t where, const char *format,
                            struct mote_base_value a);
mote_status mote_base_fail3(mote_error *error, mote_status status, uint64_t where, const char *format,
                            struct mote_base_value a, struct mote_base_value b, struct mote_base_value c);
mote_status mote_base_fail6(mote_error *error, mote_status status, uint64_t where, const char *format,
                            struct mote_base_value a, struct mote_base_value b, struct mote_base_value c,
                            struct mote_base_value d, struct mote_base_value e, struct mote_base_value f);
size_t mote_base_format2(char *out, size_t size, const char *format, struct mote_base_value a,
                         struct mote_base_value b);

#endif
