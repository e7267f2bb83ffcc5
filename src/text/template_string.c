/* SPDX-License-Identifier: Apache-2.0
 *
 * template_string.c: Python's string methods on UTF-8, by code points.
 *
 * Upper and lower case are the one-to-one mappings of Latin, Greek, Cyrillic and Armenian (and ß → SS); other
 * scripts stay as they are, and so do the mappings that depend on what stands around a letter. A byte that is
 * no UTF-8 is a character of its own and passes through unchanged. */
#include "text/template_internal.h"
#include "text/utf8.h"

uint32_t mote_text_string_next(const char **s, const char *end) {
    uint32_t code;
    if ((unsigned char)**s < 128) return (unsigned char)*(*s)++;
    *s += mote_text_utf8_decode(*s, (size_t)(end - *s), &code);
    return code;
}

uint32_t mote_text_string_before(const char *begin, const char **s) {
    const char *from = *s - 1, *end = *s;
    for (int i = 0; i < 3 && from > begin && ((unsigned char)*from & 0xc0) == 0x80; i++)
        from--;
    *s = from;
    uint32_t code = mote_text_string_next(&from, end);
    if (from == end) return code;
    *s = end - 1;
    return MOTE_TEXT_INVALID;
}

void mote_text_string_put(struct render *r, uint32_t code) {
    char bytes[4];
    if (code > 0x10ffff || (code >> 11) == 0x1b) code = MOTE_TEXT_REPLACEMENT;
    mote_text_render_put(r, bytes, mote_text_utf8_encode(code, bytes));
}

size_t mote_text_string_length(struct value s) {
    size_t n = 0;
    for (const char *p = s.s, *end = s.s + s.n; p < end; n++)
        mote_text_string_next(&p, end);
    return n;
}

int mote_text_string_is_space(uint32_t code) {
    return (code >= 9 && code <= 13) || (code >= 28 && code <= 32) || code == 0x85 || code == 0xa0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 ||
           code == 0x202f || code == 0x205f || code == 0x3000;
}

/* Capitals first, first + step, … last; their small letters are delta further on. */
static const struct {
    uint16_t first, last;
    int16_t delta;
    uint8_t step;
} cases[] = {
    {'A', 'Z', 32, 1},      {0xc0, 0xd6, 32, 1},    {0xd8, 0xde, 32, 1},        {0x100, 0x12e, 1, 2},
    {0x132, 0x136, 1, 2},   {0x139, 0x147, 1, 2},   {0x14a, 0x176, 1, 2},       {0x178, 0x178, -121, 1},
    {0x179, 0x17d, 1, 2},   {0x1cd, 0x1db, 1, 2},   {0x1de, 0x1ee, 1, 2},       {0x1f8, 0x21e, 1, 2},
    {0x222, 0x232, 1, 2},   {0x386, 0x386, 38, 1},  {0x388, 0x38a, 37, 1},      {0x38c, 0x38c, 64, 1},
    {0x38e, 0x38f, 63, 1},  {0x391, 0x3a1, 32, 1},  {0x3a3, 0x3ab, 32, 1},      {0x3d8, 0x3ee, 1, 2},
    {0x400, 0x40f, 80, 1},  {0x410, 0x42f, 32, 1},  {0x460, 0x480, 1, 2},       {0x48a, 0x4be, 1, 2},
    {0x4c0, 0x4c0, 15, 1},  {0x4c1, 0x4cd, 1, 2},   {0x4d0, 0x52e, 1, 2},       {0x531, 0x556, 48, 1},
    {0x1e00, 0x1e94, 1, 2}, {0x1ea0, 0x1efe, 1, 2}, {0x1e9e, 0x1e9e, -7615, 1}, {0xff21, 0xff3a, 32, 1},
};

static uint32_t map(uint32_t code, int to_upper) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t capital = to_upper ? code - (uint32_t)(int32_t)cases[i].delta : code;
        if (capital >= cases[i].first && capital <= cases[i].last &&
            (capital - cases[i].first) % cases[i].step == 0)
            return to_upper ? capital : capital + (uint32_t)(int32_t)cases[i].delta;
    }
    return code;
}

uint32_t mote_text_string_lower(uint32_t code) {
    return map(code, 0);
}

uint32_t mote_text_string_upper(uint32_t code) {
    static const uint16_t odd[] = {0xb5, 0x39c, 0x131, 'I', 0x17f, 'S', 0x3c2, 0x3a3, 0xdf, 0xdf};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i += 2)
        if (code == odd[i]) return odd[i + 1];
    return map(code, 1);
}

static int is_cased(uint32_t code) {
    return mote_text_string_lower(code) != code || mote_text_string_upper(code) != code || code == 0xdf;
}

struct value mote_text_string_case(struct render *r, struct value s, int how) {
    size_t start = r->n_out;
    int begins = 1; /* a word, or the string */
    for (const char *p = s.s, *end = s.s + s.n; p < end && mote_text_render_spend(r, 1);) {
        const char *from = p;
        uint32_t code = mote_text_string_next(&p, end);
        int upper = how == CASE_UPPER || (how != CASE_LOWER && begins);
        if (code == 0xdf && upper)
            mote_text_render_put(r, how == CASE_UPPER || how == CASE_WORDS ? "SS" : "Ss", 2);
        else if (code > 0x10ffff)
            mote_text_render_put(r, from, (size_t)(p - from));
        else
            mote_text_string_put(r, upper ? mote_text_string_upper(code) : mote_text_string_lower(code));
        if (how == CASE_WORDS)
            begins = mote_text_string_is_space(code) || code == '-' || code == '(' || code == '{' ||
                     code == '[' || code == '<';
        else
            begins = how == CASE_TITLE && !is_cased(code);
    }
    return mote_text_render_capture(r, start);
}

static int strips(uint32_t code, struct value chars) {
    if (chars.type != V_STRING) return mote_text_string_is_space(code);
    for (const char *p = chars.s, *end = chars.s + chars.n; p < end;)
        if (mote_text_string_next(&p, end) == code) return 1;
    return 0;
}

struct value mote_text_string_strip(struct render *r, struct value s, struct value chars, int sides) {
    const char *from = s.s, *to = s.s + s.n, *p;
    size_t cost = chars.type == V_STRING ? 1 + chars.n / 8 : 1;
    if (chars.type != V_STRING && chars.type != V_NONE && chars.type != V_UNDEFINED)
        FAIL(r, "strip takes a string of characters");
    for (p = from; sides & STRIP_LEFT && p < to && mote_text_render_spend(r, cost); from = p)
        if (!strips(mote_text_string_next(&p, to), chars)) break;
    for (p = to; sides & STRIP_RIGHT && from < to && mote_text_render_spend(r, cost); to = p)
        if (!strips(mote_text_string_before(from, &p), chars)) break;
    return mote_text_value_string(from, (size_t)(to - from));
}

/* Pays for a walk over n bytes and looks whether needle stands at p. */
static int stands_at(struct render *r, const char *p, struct value needle) {
    if (needle.n && *p != *needle.s) return 0;
    return mote_text_render_spend(r, 1 + needle.n / 32) && memcmp(p, needle.s, needle.n) == 0;
}

int64_t mote_text_string_find(struct render *r, struct value s, struct value needle, size_t from) {
    size_t i = from;
    while (needle.n <= s.n && i <= s.n - needle.n && !r->status) {
        if (stands_at(r, s.s + i, needle)) break;
        i++;
    }
    mote_text_render_spend(r, (i - from) / 16);
    return needle.n <= s.n && i <= s.n - needle.n && !r->status ? (int64_t)i : -1;
}

int64_t mote_text_string_find_last(struct render *r, struct value s, struct value needle) {
    for (int64_t i = (int64_t)s.n - needle.n; i >= 0 && !r->status; i--) {
        if (stands_at(r, s.s + i, needle)) {
            mote_text_render_spend(r, (s.n - (size_t)i) / 16);
            return i;
        }
    }
    mote_text_render_spend(r, s.n / 16);
    return -1;
}

struct value mote_text_string_replace(struct render *r, struct value s, struct value old, struct value with,
                                      int64_t most) {
    size_t start = r->n_out, at = 0;
    if (most < 0) most = INT64_MAX;
    for (; most > 0 && !r->status; most--) {
        int64_t found = mote_text_string_find(r, s, old, at);
        if (found < 0) break;
        mote_text_render_put(r, s.s + at, (size_t)found - at);
        mote_text_render_put(r, with.s, with.n);
        at = (size_t)found + old.n;
        if (old.n) continue;
        if (at >= s.n) break; /* nothing is found between all characters */
        const char *p = s.s + at;
        mote_text_string_next(&p, s.s + s.n);
        mote_text_render_put(r, s.s + at, (size_t)(p - s.s) - at);
        at = (size_t)(p - s.s);
    }
    mote_text_render_put(r, s.s + at, s.n - at);
    return mote_text_render_capture(r, start);
}

/* Cuts the first (right: last) word off *rest. */
static struct value cut_word(struct render *r, struct value *rest, int right) {
    const char *end = rest->s + rest->n, *p = right ? end : rest->s, *stop = p;
    while (right ? p > rest->s : p < end) {
        uint32_t code = right ? mote_text_string_before(rest->s, &p) : mote_text_string_next(&p, end);
        if (mote_text_string_is_space(code) || !mote_text_render_spend(r, 1)) break;
        stop = p;
    }
    struct value head = mote_text_value_string(rest->s, (size_t)(stop - rest->s));
    struct value tail = mote_text_value_string(stop, (size_t)(end - stop));
    *rest = right ? head : tail;
    return right ? tail : head;
}

struct value mote_text_string_split(struct render *r, struct value s, struct value separator, int64_t most,
                                    int right) {
    struct value pieces = mote_text_value_list(r, V_LIST, 0);
    struct list *list = pieces.list;
    int words = separator.type != V_STRING;
    if (most < 0) most = INT64_MAX;
    if (words && separator.type != V_NONE && separator.type != V_UNDEFINED) FAIL(r, "split takes a string");
    if (!words && !separator.n) FAIL(r, "empty separator");
    for (; !r->status; most--) {
        if (words) {
            s = mote_text_string_strip(r, s, (struct value){0}, right ? STRIP_RIGHT : STRIP_LEFT);
            if (!s.n || most == 0) break;
            mote_text_value_append(r, list, cut_word(r, &s, right));
            continue;
        }
        int64_t at = most == 0 ? -1
                     : right   ? mote_text_string_find_last(r, s, separator)
                               : mote_text_string_find(r, s, separator, 0);
        if (at < 0) break;
        size_t after = (size_t)at + separator.n;
        struct value head = mote_text_value_string(s.s, (size_t)at);
        struct value tail = mote_text_value_string(s.s + after, s.n - after);
        mote_text_value_append(r, list, right ? tail : head);
        s = right ? head : tail;
    }
    if (!words || s.n) mote_text_value_append(r, list, s);
    for (uint32_t i = 0; right && !r->status && i < list->n / 2; i++) {
        struct value other = list->items[i];
        list->items[i] = list->items[list->n - 1 - i];
        list->items[list->n - 1 - i] = other;
    }
    return pieces;
}

static int ends_line(uint32_t code) {
    return (code >= 10 && code <= 13) || (code >= 28 && code <= 30) || code == 0x85 || code == 0x2028 ||
           code == 0x2029;
}

struct value mote_text_string_lines(struct render *r, struct value s, int keep_ends) {
    struct value lines = mote_text_value_list(r, V_LIST, 0);
    const char *end = s.s + s.n, *from = s.s;
    for (const char *p = from; p < end && mote_text_render_spend(r, 1);) {
        const char *stop = p;
        uint32_t code = mote_text_string_next(&p, end);
        if (!ends_line(code) && p < end) continue;
        if (!ends_line(code)) stop = p;
        if (code == '\r' && p < end && *p == '\n') p++;
        mote_text_value_append(r, lines.list,
                               mote_text_value_string(from, (size_t)((keep_ends ? p : stop) - from)));
        from = p;
    }
    return lines;
}
