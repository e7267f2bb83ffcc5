/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>

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

struct writer {
    char *out;
    size_t size, n;
};

static void put(struct writer *w, unsigned char c) {
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

static size_t write_all(char *out, size_t size, const char *format, va_list arguments) {
    struct writer w = {out, size, 0};
    for (; *format; format++) {
        if (*format != '%') {
            put(&w, (unsigned char)*format);
            continue;
        }
        switch (*++format) {
        case 's':
            for (const char *s = va_arg(arguments, const char *); *s; s++)
                put(&w, (unsigned char)*s);
            break;
        case 't': {
            mote_text text = va_arg(arguments, mote_text);
            for (size_t i = 0; i < text.n && w.n + 1 < w.size; i++)
                put(&w, (unsigned char)text.data[i]);
            break;
        }
        case 'u':
            put_unsigned(&w, va_arg(arguments, uint64_t));
            break;
        case 'd':
            put_signed(&w, va_arg(arguments, int64_t));
            break;
        case 'f':
            put_double(&w, va_arg(arguments, double));
            break;
        case '\0':
            format--;
            break;
        default:
            put(&w, (unsigned char)*format);
        }
    }
    out[w.n] = '\0';
    return w.n;
}

size_t mote_base_format(char *out, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t n = write_all(out, size, format, arguments);
    va_end(arguments);
    return n;
}

mote_status mote_base_fail(mote_error *error, mote_status status, uint64_t where, const char *format, ...) {
    if (error) {
        va_list arguments;
        va_start(arguments, format);
        error->status = status;
        error->where = where;
        write_all(error->text, sizeof error->text, format, arguments);
        va_end(arguments);
    }
    return status;
}
