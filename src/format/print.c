/* SPDX-License-Identifier: Apache-2.0
 *
 * print.c: one key's value as readable text, safe to send to a terminal: strings keep their valid UTF-8;
 * control characters and stray bytes are written \n, \t, \xNN. Numbers are decimal, floats with up to seven
 * significant digits. What does not fit is cut at a character and ends in "…". */
#include "format/value.h"

#include "base/float.h"
#include "base/memory.h"
#include "base/reader.h"

enum { ELEMENTS_SHOWN = 8, DIGITS = 7 };

struct writer {
    char *out;
    size_t size; /* room for text, the terminator and the ellipsis set aside */
    size_t n;
    int cut;
};

static void put(struct writer *w, const char *bytes, size_t n) {
    if (w->cut || n > w->size - w->n) {
        w->cut = 1;
        return;
    }
    memcpy(w->out + w->n, bytes, n);
    w->n += n;
}

static void put_text(struct writer *w, const char *text) {
    put(w, text, mote_format_text(text).n);
}

static void put_unsigned(struct writer *w, uint64_t value) {
    char digits[20];
    size_t n = 0;
    do {
        digits[19 - n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    put(w, digits + 20 - n, n);
}

static void put_signed(struct writer *w, int64_t value) {
    if (value < 0) put_text(w, "-");
    put_unsigned(w, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

/* value = ±0.d₁d₂…d₇ × 10^point: plainly for points of −4 … 9, else with an exponent. */
static void put_float(struct writer *w, double value) {
    if (value != value) return put_text(w, "nan");
    if (value < 0) {
        put_text(w, "-");
        value = -value;
    }
    if (value > 1.7976931348623157e308) return put_text(w, "inf");
    if (value == 0) return put_text(w, "0");
    int point = 0;
    for (; value >= 1; point++)
        value /= 10;
    for (; value < 0.1; point--)
        value *= 10;
    uint32_t digits = (uint32_t)(value * 1e7 + 0.5); /* value < 1 */
    if (digits == 10000000) {
        digits = 1000000;
        point++;
    }
    char text[DIGITS];
    size_t n = DIGITS;
    for (size_t i = DIGITS; i-- > 0; digits /= 10)
        text[i] = (char)('0' + digits % 10);
    while (n > 1 && text[n - 1] == '0')
        n--;
    if (point > 9 || point < -4) {
        put(w, text, 1);
        if (n > 1) put_text(w, ".");
        put(w, text + 1, n - 1);
        put_text(w, "e");
        return put_signed(w, point - 1);
    }
    if (point <= 0) {
        put_text(w, "0.");
        for (int i = point; i < 0; i++)
            put_text(w, "0");
        return put(w, text, n);
    }
    for (size_t i = 0; i < (size_t)point; i++)
        put(w, i < n ? &text[i] : "0", 1);
    if (n > (size_t)point) {
        put_text(w, ".");
        put(w, text + point, n - (size_t)point);
    }
}

/* Length of the UTF-8 character at p[0, n) that may be shown as it is; 0: escape its first byte. */
static size_t printable(const uint8_t *p, size_t n) {
    if (p[0] < 0x80) return p[0] >= 32 && p[0] != 127;
    size_t length = p[0] >= 0xc2 && p[0] < 0xe0   ? 2
                    : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                    : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                                  : 0;
    if (length == 0 || length > n) return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0)) return 0; /* overlong; surrogate */
    if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
        return 0;                                    /* overlong; past the end */
    return p[0] == 0xc2 && p[1] < 0xa0 ? 0 : length; /* C1 control */
}

static void put_string(struct writer *w, mote_text text) {
    const uint8_t *p = (const uint8_t *)text.data;
    for (size_t i = 0; i < text.n && !w->cut;) {
        size_t length = printable(p + i, text.n - i);
        if (length) {
            put(w, text.data + i, length);
            i += length;
            continue;
        }
        uint8_t byte = p[i++];
        char escape[4] = {'\\', 'x', "0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
        if (byte == '\n')
            put_text(w, "\\n");
        else if (byte == '\t')
            put_text(w, "\\t");
        else
            put(w, escape, 4);
    }
}

/* One value that is neither string nor array. */
static void put_scalar(struct writer *w, enum mote_format_type type, const uint8_t *p) {
    union {
        uint64_t u;
        double f;
    } wide = {0};
    switch (type) {
    case MOTE_FORMAT_U8:
        return put_unsigned(w, p[0]);
    case MOTE_FORMAT_I8:
        return put_signed(w, (int8_t)p[0]);
    case MOTE_FORMAT_U16:
        return put_unsigned(w, mote_base_u16(p));
    case MOTE_FORMAT_I16:
        return put_signed(w, (int16_t)mote_base_u16(p));
    case MOTE_FORMAT_U32:
        return put_unsigned(w, mote_base_u32(p));
    case MOTE_FORMAT_I32:
        return put_signed(w, (int32_t)mote_base_u32(p));
    case MOTE_FORMAT_U64:
        return put_unsigned(w, mote_base_u64(p));
    case MOTE_FORMAT_I64:
        return put_signed(w, (int64_t)mote_base_u64(p));
    case MOTE_FORMAT_F32:
        return put_float(w, (double)mote_base_f32_from_bits(mote_base_u32(p)));
    case MOTE_FORMAT_F64:
        wide.u = mote_base_u64(p);
        return put_float(w, wide.f);
    case MOTE_FORMAT_BOOL:
        return put_text(w, p[0] ? "true" : "false");
    case MOTE_FORMAT_STRING:
    case MOTE_FORMAT_ARRAY:
        return;
    }
}

/* type[n] [first, second, …] */
static void put_array(struct writer *w, const struct mote_format_key *key) {
    const uint8_t *p = key->value;
    put_text(w, mote_format_type_name(key->element));
    put_text(w, "[");
    put_unsigned(w, key->n);
    put_text(w, "] [");
    for (uint64_t i = 0; i < key->n && i < ELEMENTS_SHOWN; i++) {
        if (i) put_text(w, ", ");
        if (key->element == MOTE_FORMAT_STRING) {
            uint64_t n = mote_base_u64(p);
            put_text(w, "\"");
            put_string(w, (mote_text){(const char *)p + 8, (size_t)n});
            put_text(w, "\"");
            p += 8 + n;
        } else {
            put_scalar(w, key->element, p);
            p += mote_format_type_bytes(key->element);
        }
    }
    put_text(w, key->n > ELEMENTS_SHOWN ? ", …]" : "]");
}

void mote_format_print(const struct mote_format_key *key, char *out, size_t out_bytes) {
    static const char ellipsis[] = "…";
    if (out_bytes < sizeof ellipsis) {
        if (out_bytes) out[0] = '\0';
        return;
    }
    struct writer w = {out, out_bytes - sizeof ellipsis, 0, 0};
    mote_text text;
    if (key->type == MOTE_FORMAT_ARRAY) {
        put_array(&w, key);
    } else if (key->type == MOTE_FORMAT_STRING) {
        mote_format_strings(key, &text);
        put_string(&w, text);
    } else {
        put_scalar(&w, key->type, key->value);
    }
    if (w.cut) {
        memcpy(out + w.n, ellipsis, sizeof ellipsis);
        return;
    }
    out[w.n] = '\0';
}
