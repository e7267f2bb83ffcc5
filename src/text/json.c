/* SPDX-License-Identifier: Apache-2.0
 *
 * json.c: JSON text (RFC 8259) ↔ values. Reading checks everything and recurses no deeper than LIMIT_DEPTH;
 * of keys that come twice the last one counts. Writing is Python's json.dumps. */
#include "text/template_internal.h"
#include "text/utf8.h"

struct reader {
    struct render *r;
    const char *s;
    uint32_t at, n;
};

static int peek(struct reader *j) {
    while (j->at < j->n && (j->s[j->at] == ' ' || (j->s[j->at] >= 9 && j->s[j->at] <= 13 &&
                                                   j->s[j->at] != 11 && j->s[j->at] != 12)))
        j->at++;
    return j->at < j->n ? (unsigned char)j->s[j->at] : 0;
}

static int take(struct reader *j, int c) {
    if (peek(j) != c || j->at >= j->n) return 0;
    j->at++;
    return 1;
}

static int read_hex(struct reader *j, uint32_t *code) {
    *code = 0;
    if (j->n - j->at < 4) return 0;
    for (int i = 0; i < 4; i++) {
        int c = (unsigned char)j->s[j->at++], letter = c | 32;
        int digit = c >= '0' && c <= '9' ? c - '0' : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
        if (digit < 0) return 0;
        *code = *code << 4 | (uint32_t)digit;
    }
    return 1;
}

/* The character of an escape, at the byte after the backslash. A surrogate alone becomes U+FFFD. */
static void read_escape(struct reader *j) {
    static const char letters[] = "n\nt\tr\rb\bf\f\"\"\\\\//";
    char c = j->at < j->n ? j->s[j->at++] : 0;
    uint32_t code = 0, low;
    for (const char *l = letters; *l; l += 2)
        if (c == *l) {
            mote_text_render_put(j->r, l + 1, 1);
            return;
        }
    if (c != 'u' || !read_hex(j, &code)) {
        FAIL(j->r, "bad escape in a string");
        return;
    }
    if (code >> 10 == 0x36 && j->n - j->at >= 6 && j->s[j->at] == '\\' && j->s[j->at + 1] == 'u') {
        uint32_t back = j->at;
        j->at += 2;
        if (read_hex(j, &low) && low >> 10 == 0x37)
            code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
        else
            j->at = back;
    }
    mote_text_string_put(j->r, code);
}

static struct value read_string(struct reader *j) {
    uint32_t from = j->at;
    size_t start = j->r->n_out;
    int escaped = 0;
    for (;;) {
        uint32_t plain = j->at;
        while (j->at < j->n && j->s[j->at] != '"' && j->s[j->at] != '\\' && (unsigned char)j->s[j->at] >= 32)
            j->at++;
        if (j->at >= j->n || (unsigned char)j->s[j->at] < 32) {
            FAIL(j->r, "string without its closing quote");
            break;
        }
        char c = j->s[j->at++];
        if (c == '"' && !escaped) return mote_text_value_string(j->s + from, j->at - 1 - from);
        mote_text_render_put(j->r, j->s + plain, j->at - 1 - plain);
        if (c == '"' || j->r->status) break;
        escaped = 1;
        read_escape(j);
    }
    return mote_text_render_capture(j->r, start);
}

static struct value read_number_or_word(struct reader *j) {
    static const char words[] = "null\0false\0true\0";
    struct value v = {0};
    uint32_t end = j->at;
    while (end < j->n && ((j->s[end] >= '0' && j->s[end] <= '9') || (j->s[end] >= 'a' && j->s[end] <= 'z') ||
                          j->s[end] == '-' || j->s[end] == '+' || j->s[end] == '.' || j->s[end] == 'E'))
        end++;
    mote_text text = {j->s + j->at, end - j->at};
    int word = mote_text_list_find(words, text);
    if (word >= 0) {
        v = word ? mote_text_value_bool(word - 1) : (struct value){.type = V_NONE};
    } else if (!text.n || text.data[0] == '+' || mote_text_number_read(text.data, text.n, &v) != text.n) {
        FAIL(j->r, text.n ? "bad number or word" : "expected a value");
        return v;
    }
    j->at = end;
    return v;
}

static struct value read_value(struct reader *j);

static struct value read_list(struct reader *j) {
    struct value v = mote_text_value_list(j->r, V_LIST, 0);
    while (!take(j, ']') && !j->r->status) {
        if (v.list->n && !take(j, ',')) FAIL(j->r, "expected ',' or ']'");
        mote_text_value_append(j->r, v.list, read_value(j));
    }
    return v;
}

static struct value read_object(struct reader *j) {
    struct value v = mote_text_value_dict(j->r, V_DICT);
    while (!take(j, '}') && !j->r->status) {
        if (v.dict->n && !take(j, ',')) FAIL(j->r, "expected ',' or '}'");
        if (!take(j, '"')) FAIL(j->r, "expected a key");
        struct value key = read_string(j);
        if (!take(j, ':')) FAIL(j->r, "expected ':'");
        mote_text_value_insert(j->r, v.dict, key, read_value(j));
    }
    return v;
}

static struct value read_value(struct reader *j) {
    struct value v = {0};
    if (mote_text_render_enter(j->r)) {
        if (take(j, '{'))
            v = read_object(j);
        else if (take(j, '['))
            v = read_list(j);
        else if (take(j, '"'))
            v = read_string(j);
        else
            v = read_number_or_word(j);
    }
    j->r->depth--;
    return v;
}

struct value mote_text_json_read(struct render *r, mote_text text, uint32_t *at) {
    struct reader j = {r, text.data, 0, (uint32_t)text.n};
    struct value v = read_value(&j);
    peek(&j);
    if (j.at < j.n) FAIL(r, "something follows the value");
    if (r->status == MOTE_E_TEMPLATE) r->status = MOTE_E_ARGUMENT;
    *at = j.at;
    return v;
}

/* ---- writing ---- */

/* The escape of a code point in a JSON string into out, its length; 0 if it stands for itself. */
static size_t escape(uint32_t code, int ascii, char out[12]) {
    static const char letters[] = "n\nt\tr\rb\bf\f\"\"\\\\", digits[] = "0123456789abcdef";
    size_t n = 0;
    for (const char *l = letters; *l; l += 2)
        if (code == (unsigned char)l[1]) {
            out[0] = '\\';
            out[1] = l[0];
            return 2;
        }
    if (code >= 32 && (!ascii || code < 127)) return 0;
    uint32_t units[2] = {code, 0};
    if (code > 0xffff) {
        units[0] = 0xd800 + ((code - 0x10000) >> 10);
        units[1] = 0xdc00 + (code & 0x3ff);
    }
    for (int u = 0; u < 2 && (u == 0 || units[u]); u++) {
        out[n++] = '\\';
        out[n++] = 'u';
        for (int bits = 12; bits >= 0; bits -= 4)
            out[n++] = digits[units[u] >> bits & 15];
    }
    return n;
}

int mote_text_json_string(mote_text text, char *out, size_t max_out, size_t *n) {
    const char *p = text.data, *end = text.n ? p + text.n : p;
    char bytes[12];
    size_t at = *n;
    if (at >= max_out) return 0;
    out[at++] = '"';
    while (p < end) {
        uint32_t code = mote_text_string_next(&p, end);
        size_t more = escape(code, 0, bytes);
        if (!more) more = mote_text_utf8_encode(code > 0x10ffff ? MOTE_TEXT_REPLACEMENT : code, bytes);
        if (more > max_out - at) return 0;
        memcpy(out + at, bytes, more);
        at += more;
    }
    if (at >= max_out) return 0;
    out[at++] = '"';
    *n = at;
    return 1;
}

static void put_string(struct render *r, struct value v, int ascii) {
    char bytes[12];
    mote_text_render_put(r, "\"", 1);
    const char *p = v.s, *end = v.s + v.n, *from = p;
    while (p < end && mote_text_render_spend(r, 1)) {
        const char *here = p;
        uint32_t code = mote_text_string_next(&p, end);
        int valid = code <= 0x10ffff;
        size_t n = !valid && !ascii ? 0 : escape(valid ? code : MOTE_TEXT_REPLACEMENT, ascii, bytes);
        if (!n) continue;
        mote_text_render_put(r, from, (size_t)(here - from));
        mote_text_render_put(r, bytes, n);
        from = p;
    }
    mote_text_render_put(r, from, (size_t)(end - from));
    mote_text_render_put(r, "\"", 1);
}

static void put_break(struct render *r, const struct json_style *style, int64_t level) {
    if (style->indent < 0) return;
    mote_text_render_put(r, "\n", 1);
    for (int64_t i = 0; i < level && !r->status; i++)
        for (int64_t c = 0; c < style->indent && mote_text_render_spend(r, 1); c++)
            mote_text_render_put(r, " ", 1);
}

static void put_list(struct render *r, const struct list *list, const struct json_style *style,
                     int64_t level) {
    mote_text_render_put(r, "[", 1);
    for (uint32_t i = 0; i < list->n && !r->status; i++) {
        if (i) mote_text_render_put(r, style->item_separator.s, style->item_separator.n);
        put_break(r, style, level + 1);
        mote_text_json_put(r, list->items[i], style, level + 1);
    }
    if (list->n) put_break(r, style, level);
    mote_text_render_put(r, "]", 1);
}

static void put_key(struct render *r, struct value key, const struct json_style *style) {
    if (key.type == V_UNDEFINED || key.type > V_STRING)
        FAIL(r, "a %s cannot be a key in JSON", mote_text_value_type(key));
    if (key.type != V_STRING) mote_text_render_put(r, "\"", 1);
    mote_text_json_put(r, key, style, 0);
    if (key.type != V_STRING) mote_text_render_put(r, "\"", 1);
}

static void put_object(struct render *r, struct dict *dict, const struct json_style *style, int64_t level) {
    struct value keys = {.type = V_DICT, .dict = dict};
    struct list *order = mote_text_value_items(r, keys);
    if (style->sort) order = mote_text_filter_sort(r, order);
    mote_text_render_put(r, "{", 1);
    for (uint32_t i = 0; i < order->n && !r->status; i++) {
        struct value *value =
            style->sort ? mote_text_value_find(r, dict, order->items[i]) : &dict->entries[i].value;
        if (i) mote_text_render_put(r, style->item_separator.s, style->item_separator.n);
        put_break(r, style, level + 1);
        put_key(r, order->items[i], style);
        mote_text_render_put(r, style->key_separator.s, style->key_separator.n);
        if (value) mote_text_json_put(r, *value, style, level + 1);
    }
    if (order->n) put_break(r, style, level);
    mote_text_render_put(r, "}", 1);
}

static void put_float(struct render *r, struct value v) {
    if (v.f - v.f == 0)
        mote_text_number_put(r, v);
    else
        mote_text_render_put_text(r, v.f != v.f ? "NaN" : v.f > 0 ? "Infinity" : "-Infinity");
}

void mote_text_json_put(struct render *r, struct value v, const struct json_style *style, int64_t level) {
    if (mote_text_render_enter(r)) switch (v.type) {
        case V_NONE:
            mote_text_render_put_text(r, "null");
            break;
        case V_BOOL:
            mote_text_render_put_text(r, v.i ? "true" : "false");
            break;
        case V_INT:
            mote_text_number_put(r, v);
            break;
        case V_FLOAT:
            put_float(r, v);
            break;
        case V_STRING:
            put_string(r, v, style->ascii);
            break;
        case V_LIST:
        case V_TUPLE:
            put_list(r, v.list, style, level);
            break;
        case V_DICT:
            put_object(r, v.dict, style, level);
            break;
        default:
            FAIL(r, "%s cannot be written as JSON", mote_text_value_type(v));
        }
    r->depth--;
}
