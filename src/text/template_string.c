/* SPDX-License-Identifier: Apache-2.0
 *
 * template_string.c: Python's string methods on UTF-8, by code points.
 *
 * Upper and lower case are the one-to-one mappings of Latin, Greek, Cyrillic and Armenian (and ß → SS); other
 * scripts stay as they are, and so do the mappings that depend on what stands around a letter. A byte that is
 * no UTF-8 is a character of its own and passes through unchanged. */
#include "text/template_internal.h"
#include "text/unicode.h"
#include "text/utf8.h"

uint32_t mote_text_string_next(const char **s, const char *end) {
    uint32_t code;
    *s += mote_text_utf8_decode(*s, (size_t)(end - *s), &code);
    return code;
}

void mote_text_string_put(struct render *r, uint32_t code) {
    char bytes[4];
    if (code > 0x10ffff || (code >> 11) == 0x1b) code = MOTE_TEXT_REPLACEMENT;
    mote_text_render_put(r, bytes, mote_text_utf8_encode(code, bytes));
}

size_t mote_text_string_length(const char *s, size_t n) {
    size_t length = 0;
    for (const char *end = s + n; s < end; length++)
        mote_text_string_next(&s, end);
    return length;
}

int mote_text_string_is_space(uint32_t code) {
    return (mote_text_class(code) & MOTE_TEXT_WHITE) != 0;
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
        uint32_t delta = (uint32_t)(int32_t)cases[i].delta, capital = to_upper ? code - delta : code;
        if (capital >= cases[i].first && capital <= cases[i].last &&
            (capital - cases[i].first) % cases[i].step == 0)
            return to_upper ? capital : capital + delta;
    }
    return code;
}

struct value *mote_text_string_case(struct render *r, struct value *s, int how) {
    size_t start = r->n_out;
    int begins = 1; /* a word, or the string */
    for (const char *p = s->s, *end = p + s->n; p < end && mote_text_render_spend(r, 1);) {
        const char *from = p;
        uint32_t code = mote_text_string_next(&p, end);
        int upper = how == CASE_UPPER || (how != CASE_LOWER && begins);
        if (code == 0xdf && upper)
            mote_text_render_put(r, how == CASE_CAPITAL ? "Ss" : "SS", 2);
        else if (code > 0x10ffff)
            mote_text_render_put(r, from, (size_t)(p - from));
        else
            mote_text_string_put(r, map(code, upper));
        begins = how == CASE_WORDS && (mote_text_string_is_space(code) || code == '-' || code == '(' ||
                                       code == '{' || code == '[' || code == '<');
    }
    return mote_text_render_capture(r, start);
}

static int strips(uint32_t code, const struct value *chars) {
    if (!chars || chars->type != V_STRING) return mote_text_string_is_space(code);
    for (const char *p = chars->s, *end = p + chars->n; p < end;)
        if (mote_text_string_next(&p, end) == code) return 1;
    return 0;
}

/* The last character of [begin, end), and where it begins. */
static const char *before(const char *begin, const char *end, uint32_t *code) {
    const char *from = end - 1, *p;
    for (int i = 0; i < 3 && from > begin && ((unsigned char)*from & 0xc0) == 0x80; i++)
        from--;
    p = from;
    *code = mote_text_string_next(&p, end);
    if (p == end) return from;
    *code = MOTE_TEXT_INVALID;
    return end - 1;
}

void mote_text_string_trim(const char **from, const char **to, const struct value *chars, int sides) {
    const char *p;
    uint32_t code;
    for (p = *from; sides & STRIP_LEFT && p < *to; *from = p)
        if (!strips(mote_text_string_next(&p, *to), chars)) break;
    for (; sides & STRIP_RIGHT && *from < *to; *to = p) {
        p = before(*from, *to, &code);
        if (!strips(code, chars)) break;
    }
}

struct value *mote_text_string_strip(struct render *r, struct value *s, struct value *chars, int sides) {
    const char *from = s->s, *to = s->s + s->n;
    if (chars->type != V_STRING && chars->type > V_NONE) mote_text_render_fail(r, "no string: ", chars);
    if (mote_text_render_spend(r, (s->n / 16 + 1) * (size_t)(chars->n / 8 + 1)))
        mote_text_string_trim(&from, &to, chars, sides);
    return mote_text_value_string(r, from, (size_t)(to - from));
}

int64_t mote_text_string_find(struct render *r, struct value *s, struct value *needle, size_t from) {
    for (size_t i = from; i + needle->n <= s->n; i++) {
        if (needle->n && s->s[i] != needle->s[0] && i % 16) continue;
        if (!mote_text_render_spend(r, 1 + needle->n / 32)) break;
        if (memcmp(s->s + i, needle->s, needle->n) == 0) return (int64_t)i;
    }
    return -1;
}

struct value *mote_text_string_replace(struct render *r, struct value *s, struct value *old,
                                       struct value *with, int64_t most) {
    size_t start = r->n_out, at = 0, more;
    for (; most != 0 && !r->status; most--) {
        int64_t found = mote_text_string_find(r, s, old, at);
        if (found < 0) break;
        mote_text_render_put(r, s->s + at, (size_t)found - at);
        mote_text_render_put(r, with->s, with->n);
        at = (size_t)found + old->n;
        if (old->n) continue;
        if (at >= s->n) break; /* nothing is found between all characters */
        const char *p = s->s + at;
        mote_text_string_next(&p, s->s + s->n);
        more = (size_t)(p - s->s) - at;
        mote_text_render_put(r, s->s + at, more);
        at += more;
    }
    mote_text_render_put(r, s->s + at, s->n - at);
    return mote_text_render_capture(r, start);
}

static int64_t find_space(struct render *r, struct value *s) {
    const char *p = s->s, *end = p + s->n, *from = p;
    for (; p < end && mote_text_render_spend(r, 1); from = p)
        if (mote_text_string_is_space(mote_text_string_next(&p, end))) return from - s->s;
    return -1;
}

struct value *mote_text_string_split(struct render *r, struct value *s, struct value *separator,
                                     int64_t most) {
    struct value *pieces = mote_text_value_new(r, V_LIST);
    int words = separator->type != V_STRING;
    uint32_t n = words ? 0 : separator->n; /* the rest of a run of spaces is stripped with the next word */
    if (!words && !n) mote_text_render_fail(r, "an argument is missing", NULL);
    for (;; most--) {
        if (words) s = mote_text_string_strip(r, s, separator, STRIP_LEFT);
        int64_t at = most == 0 ? -1 : words ? find_space(r, s) : mote_text_string_find(r, s, separator, 0);
        if (at < 0 || r->status) break;
        mote_text_list_append(r, pieces, mote_text_value_string(r, s->s, (size_t)at));
        s = mote_text_value_string(r, s->s + at + n, s->n - (size_t)at - n);
    }
    if (!words || s->n) mote_text_list_append(r, pieces, s);
    return pieces;
}
