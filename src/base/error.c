/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

const char *mote_status_text(mote_status status) {
    switch (status) {
#define STATUS_TEXT(name, value, text)                                                                       \
    case name:                                                                                               \
        return text;
        MOTE_STATUS_LIST(STATUS_TEXT)
#undef STATUS_TEXT
    }
    return "unknown status";
}

enum { TEXT_SHOWN = 80 }; /* bytes of a text that more follows: names in files can be long */

struct writer {
    char *out;
    size_t size, n;
};

/* Never inlined: at nine places it is 300 bytes of a module. */
__attribute__((noinline)) static void put(struct writer *w, unsigned char c) {
    if (w->n + 1 < w->size) w->out[w->n++] = c >= 32 && c < 127 ? (char)c : '?';
}

static void put_unsigned(struct writer *w, uint64_t value) {
    char digits[20];
    int n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    while (n)
        put(w, (unsigned char)digits[--n]);
}

static void put_signed(struct writer *w, int64_t value) {
    if (value < 0) put(w, '-');
    put_unsigned(w, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

static void put_double(struct writer *w, double value) {
    if (!(value > -1e15 && value < 1e15)) { /* also NaN */
        put_unsigned(w, 0);
        put(w, '?');
        return;
    }
    if (value < 0) {
        put(w, '-');
        value = -value;
    }
    uint64_t thousandths = (uint64_t)(value * 1000.0 + 0.5);
    put_unsigned(w, thousandths / 1000);
    put(w, '.');
    for (uint64_t unit = 100; unit; unit /= 10)
        put(w, (unsigned char)('0' + thousandths / unit % 10));
}

static size_t write_all(char *out, size_t size, const char *format, const struct mote_base_value *value,
                        int n_values) {
    /* for a format that asks for more than it is given */
    const struct mote_base_value none = mote_base_value_string("");
    struct writer w = {out, size, 0};
    for (; *format; format++) {
        if (*format != '%') {
            put(&w, (unsigned char)*format);
            continue;
        }
        if (n_values <= 0) value = &none;
        mote_text text = mote_base_value_as_text(*value);
        switch (*++format) {
        case 's':
            for (const char *s = text.data; *s; s++)
                put(&w, (unsigned char)*s);
            break;
        case 't':
            for (size_t i = 0; i < text.n && i < (format[1] ? TEXT_SHOWN : size); i++)
                put(&w, (unsigned char)text.data[i]);
            break;
        case 'u':
            put_unsigned(&w, value->number);
            break;
        case 'd':
            put_signed(&w, (int64_t)value->number);
            break;
        case 'f':
            put_double(&w, mote_base_f64_from_bits(value->number));
            break;
        case '\0':
            format--;
            continue;
        default:
            put(&w, (unsigned char)*format);
            continue;
        }
        value++;
        n_values--;
    }
    out[w.n] = '\0';
    return w.n;
}

static mote_status fill(mote_error *error, mote_status status, uint64_t where, const char *format,
                        const struct mote_base_value *values, int n_values) {
    if (error) {
        error->status = status;
        error->where = where;
        write_all(error->text, sizeof error->text, format, values, n_values);
    }
    return status;
}

mote_status mote_base_fail0(mote_error *error, mote_status status, uint64_t where, const char *format) {
    return fill(error, status, where, format, NULL, 0);
}

mote_status mote_base_fail1(mote_error *error, mote_status status, uint64_t where, const char *format,
                            struct mote_base_value a) {
    return fill(error, status, where, format, &a, 1);
}

mote_status mote_base_fail3(mote_error *error, mote_status status, uint64_t where, const char *format,
                            struct mote_base_value a, struct mote_base_value b, struct mote_base_value c) {
    struct mote_base_value values[] = {a, b, c};
    return fill(error, status, where, format, values, 3);
}

mote_status mote_base_fail6(mote_error *error, mote_status status, uint64_t where, const char *format,
                            struct mote_base_value a, struct mote_base_value b, struct mote_base_value c,
                            struct mote_base_value d, struct mote_base_value e, struct mote_base_value f) {
    struct mote_base_value values[] = {a, b, c, d, e, f};
    return fill(error, status, where, format, values, 6);
}

size_t mote_base_format2(char *out, size_t size, const char *format, struct mote_base_value a,
                         struct mote_base_value b) {
    struct mote_base_value values[] = {a, b};
    return write_all(out, size, format, values, 2);
}
