/* SPDX-License-Identifier: Apache-2.0
 *
 * template_lex.c: template source, or JSON, → tokens, one at a time.
 *
 *     text {{ expression }} text {% statement %} text {# comment #} text
 *
 * White space around tags, with lstrip_blocks and trim_blocks on as chat templates expect:
 *     {%- {{- {#-     drops all white space before the tag
 *     -%} -}} -#}     drops all white space after it
 *     {%  {#          drop spaces before them if nothing else stands on the line so far; {%+ keeps them
 *     %}  #}          drop one newline after them; +%} keeps it
 * A }} without a sign is two tokens here, since it may as well close two dicts: the reader of outputs says
 * which it is. Not here, because no chat template has it: raw. */
#include "text/template_internal.h"
#include "text/utf8.h"

/* Python and Jinja read \r\n and \r as \n, and drop the newline that ends the source. */
void mote_text_lex_open(struct render *r, mote_text source) {
    size_t n = 0;
    char *copy = mote_text_render_take(r, source.n, 1);
    for (size_t i = 0; copy && i < source.n; i++) {
        char c = source.data[i];
        if (c == '\r' && i + 1 < source.n && source.data[i + 1] == '\n') continue;
        copy[n++] = c == '\r' ? '\n' : c;
    }
    if (n && copy[n - 1] == '\n') n--;
    r->source = (mote_text){copy, n};
    r->json = r->in_tag = 0;
    r->at = r->cursor = 0;
}

/* Never inlined: it is asked for at thirty places, half a kilobyte of a module. */
__attribute__((noinline)) static int at(const struct render *r, size_t i) {
    return i < r->source.n ? (unsigned char)r->source.data[i] : 0;
}

static uint32_t skip_space(const struct render *r, size_t i) {
    const char *s = r->source.data + i, *end = r->source.data + r->source.n;
    mote_text_string_trim(&s, &end, NULL, STRIP_LEFT);
    return (uint32_t)(s - r->source.data);
}

/* Goes on after the two bytes at i that end a tag, sign being the byte before them. */
static void end_tag(struct render *r, size_t i, int sign) {
    int trims = at(r, i) != '}' && sign != '+' && at(r, i + 2) == '\n';
    r->cursor = (uint32_t)(sign == '-' ? skip_space(r, i + 2) : i + 2 + trims);
    r->in_tag = 0;
}

/* Where the text [from, to) before a tag ends. */
static size_t strip_before(const struct render *r, size_t from, size_t to) {
    const char *begin = r->source.data + from, *end = r->source.data + to;
    int sign = at(r, to + 2);
    if (sign == '-') {
        mote_text_string_trim(&begin, &end, NULL, STRIP_RIGHT);
    } else if (sign != '+' && at(r, to + 1) != '{') {
        while (end > begin && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        if (end > r->source.data && end[-1] != '\n') return to;
    }
    return (size_t)(end - r->source.data);
}

static void lex_comment(struct render *r, size_t from) {
    size_t i = from + 2u;
    i += at(r, i) == '-' || at(r, i) == '+';
    from = i;
    while (i < r->source.n && (at(r, i) != '#' || at(r, i + 1) != '}'))
        i++;
    if (i >= r->source.n) mote_text_render_fail(r, "the template ends too early", NULL);
    end_tag(r, i, i > from ? at(r, i - 1) : 0);
}

/* Text up to the next tag, or the tag's beginning where there is no text. */
static void lex_text(struct render *r) {
    for (;;) {
        size_t from = r->cursor, i = from, to;
        int second = 0;
        for (; i < r->source.n; i++) {
            second = at(r, i + 1);
            if (at(r, i) == '{' && (second == '{' || second == '%' || second == '#')) break;
        }
        to = i < r->source.n ? strip_before(r, from, i) : i;
        r->cursor = (uint32_t)i;
        r->token.kind = to > from ? T_TEXT : T_END;
        r->token.at = (uint32_t)from;
        r->token.text.s = r->source.data + from;
        r->token.text.n = (uint32_t)(to - from);
        if (!mote_text_render_spend(r, (i - from) / 16) || to > from || i >= r->source.n) return;
        r->at = r->token.at = (uint32_t)i;
        if (second != '#') {
            r->cursor += at(r, i + 2) == '-' || at(r, i + 2) == '+' ? 3 : 2;
            r->token.kind = second == '{' ? T_OUTPUT_BEGIN : T_BLOCK_BEGIN;
            r->in_tag = 1;
            return;
        }
        lex_comment(r, i);
    }
}

static int hex_digit(int c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint32_t lex_hex(struct render *r, size_t *i, int digits) {
    uint32_t code = 0;
    for (; digits > 0; digits--, ++*i) {
        int digit = hex_digit(at(r, *i));
        if (digit < 0) mote_text_render_fail(r, "bad escape", NULL);
        code = code << 4 | (uint32_t)digit;
    }
    return code;
}

/* The character of a backslash escape, i at the byte after the backslash; moves i past it. Unknown escapes
 * are the backslash itself, as in Python. Two escapes of surrogates, as JSON has them, are one character. */
static void lex_escape(struct render *r, size_t *i) {
    static const char letters[] = "n\nt\tr\rb\bf\f\"\"\\\\''//"; /* the last one in JSON only */
    int c = at(r, *i);
    for (const char *l = letters; l < letters + 16 + 2 * r->json; l += 2)
        if (c == *l) {
            mote_text_render_put(r, l + 1, 1);
            ++*i;
            return;
        }
    uint32_t code = '\\';
    if (c == 'u' || c == 'x') {
        ++*i;
        code = lex_hex(r, i, c == 'u' ? 4 : 2);
        if (code >> 10 == 0x36 && at(r, *i) == '\\' && at(r, *i + 1) == 'u') {
            size_t after = *i + 2;
            uint32_t low = lex_hex(r, &after, 4);
            if (low >> 10 == 0x37) {
                code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
                *i = after;
            }
        }
    } else if (r->json) {
        mote_text_render_fail(r, "bad escape", NULL);
    }
    mote_text_string_put(r, code);
}

static void lex_string(struct render *r) {
    size_t i = r->cursor + 1u, from = i, start = r->n_out;
    int quote = at(r, r->cursor), escaped = 0;
    for (; !r->status && at(r, i) != quote; from = i) {
        while (i < r->source.n && at(r, i) != quote && at(r, i) != '\\' && (at(r, i) >= 32 || !r->json))
            i++;
        if (at(r, i) == quote && !escaped) break;
        mote_text_render_put(r, r->source.data + from, i - from);
        escaped = 1;
        if (at(r, i) == '\\')
            lex_escape(r, (++i, &i));
        else if (at(r, i) != quote)
            mote_text_render_fail(r, "no closing quote", NULL);
    }
    r->token.kind = T_STRING;
    r->cursor = (uint32_t)i + 1;
    if (r->dry)
        r->n_out = start;
    else
        r->token.v = escaped ? mote_text_render_capture(r, start)
                             : mote_text_value_string(r, r->source.data + from, i - from);
}

static int is_digit(int c) {
    return c >= '0' && c <= '9';
}

static int is_letter(int c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 128;
}

static void lex_operator(struct render *r) {
    static const char pairs[] = "==e!=d<=l>=g//F";
    int c = at(r, r->cursor);
    if (c < 33 || c > 126) mote_text_render_fail(r, "expected a value", NULL);
    r->token.kind = (uint8_t)c;
    for (const char *p = pairs; *p; p += 3)
        if (c == p[0] && at(r, r->cursor + 1u) == p[1]) {
            r->token.kind = (uint8_t)p[2];
            r->cursor++;
        }
    r->cursor++;
}

/* Takes the end of a tag, unless it is a }} without sign. */
static int lex_tag_end(struct render *r) {
    size_t i = r->cursor;
    int sign = at(r, i), block;
    if (sign == '-' || sign == '+')
        i++;
    else
        sign = 0;
    block = at(r, i) == '%';
    if (at(r, i + 1) != '}' || (!block && (at(r, i) != '}' || sign != '-'))) return 0;
    r->token.kind = block ? T_BLOCK_END : T_OUTPUT_END;
    end_tag(r, i, sign);
    return 1;
}

void mote_text_lex_next(struct render *r) {
    r->token.kind = T_END;
    r->token.v = &r->undefined;
    r->token.text.n = 0;
    if (!mote_text_render_spend(r, 1)) return;
    if (!r->in_tag) {
        lex_text(r);
        return;
    }
    r->cursor = r->at = r->token.at = (uint32_t)skip_space(r, r->cursor);
    size_t i = r->cursor;
    int c = at(r, i);
    r->token.text.s = r->source.data + i;
    if (i >= r->source.n) {
        if (!r->json) mote_text_render_fail(r, "the template ends too early", NULL);
    } else if (c == '"' || (c == '\'' && !r->json)) {
        lex_string(r);
    } else if (is_digit(c)) {
        struct value number;
        r->token.kind = T_NUMBER;
        r->cursor += (uint32_t)mote_text_number_read(r, r->token.text.s, r->source.n - i, &number);
        r->token.v = mote_text_value_new(r, number.type);
        *r->token.v = number;
    } else if (is_letter(c)) {
        while (is_letter(at(r, i)) || is_digit(at(r, i)))
            i++;
        r->token.kind = T_NAME;
        r->token.text.n = (uint32_t)i - r->cursor;
        r->cursor = (uint32_t)i;
    } else if (r->json || !lex_tag_end(r)) {
        lex_operator(r);
    }
}

/* ---- what readers ask of the token at hand ---- */

uint32_t mote_text_lex_here(const struct render *r) {
    return r->token.at | (uint32_t)(r->token.kind != T_TEXT && r->token.kind != T_OUTPUT_BEGIN &&
                                    r->token.kind != T_BLOCK_BEGIN && r->token.kind != T_END)
                             << 31;
}

void mote_text_lex_go(struct render *r, uint32_t place) {
    r->cursor = place & LIMIT_BYTES;
    r->in_tag = place >> 31;
    mote_text_lex_next(r);
}

int mote_text_lex_accept(struct render *r, int kind) {
    if (r->token.kind != kind) return 0;
    mote_text_lex_next(r);
    return 1;
}

int mote_text_lex_is_word(const struct render *r, const char *word) {
    return r->token.kind == T_NAME && mote_text_value_is(&r->token.text, word);
}

int mote_text_lex_accept_word(struct render *r, const char *word) {
    if (!mote_text_lex_is_word(r, word)) return 0;
    mote_text_lex_next(r);
    return 1;
}

void mote_text_lex_expect(struct render *r, int kind) {
    char c = (char)kind;
    struct value sign = {.type = V_STRING, .n = kind < 'A' || kind == ']', .s = &c};
    if (mote_text_lex_accept(r, kind) || r->status) return;
    r->at = r->token.at;
    mote_text_render_fail(r,
                          sign.n           ? "expected "
                          : kind == T_NAME ? "expected a name"
                                           : "expected the end",
                          &sign);
    r->token.kind = T_END;
}

struct value *mote_text_lex_name(struct render *r) {
    struct value *name =
        mote_text_value_string(r, r->token.text.s, r->token.kind == T_NAME ? r->token.text.n : 0);
    mote_text_lex_expect(r, T_NAME);
    return name;
}

int mote_text_lex_is_keyword(const struct render *r) {
    size_t i = skip_space(r, r->cursor);
    return r->token.kind == T_NAME && at(r, i) == '=' && at(r, i + 1) != '=';
}

void mote_text_lex_end_output(struct render *r) {
    if (r->token.kind == '}' && at(r, r->cursor) == '}') {
        end_tag(r, r->cursor - 1u, 0);
        mote_text_lex_next(r);
    } else {
        mote_text_lex_expect(r, T_OUTPUT_END);
    }
}
