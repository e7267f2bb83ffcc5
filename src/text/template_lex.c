/* SPDX-License-Identifier: Apache-2.0
 *
 * template_lex.c: template source → tokens, one at a time.
 *
 *     text {{ expression }} text {% statement %} text {# comment #} text
 *
 * White space around tags, with lstrip_blocks and trim_blocks on as chat templates expect:
 *     {%- {{- {#-     drops all white space before the tag
 *     -%} -}} -#}     drops all white space after it
 *     {%  {#          drop spaces before them if nothing else stands on the line so far; {%+ keeps them
 *     %}  #}          drop one newline after them; +%} keeps it
 * {% raw %}…{% endraw %} passes as text. Inside brackets }} closes dicts, not the tag. */
#include "text/template_internal.h"

/* Python and Jinja read \r\n and \r as \n, and drop the newline that ends the source. */
void mote_text_lex_open(struct render *r, mote_text source) {
    r->source = source;
    int carriage = 0;
    for (size_t i = 0; i < source.n; i++)
        carriage |= source.data[i] == '\r';
    if (carriage) {
        char *copy = mote_text_render_take(r, source.n, 1);
        size_t n = 0;
        for (size_t i = 0; copy && i < source.n; i++) {
            char c = source.data[i];
            if (c == '\r' && i + 1 < source.n && source.data[i + 1] == '\n') continue;
            copy[n++] = c == '\r' ? '\n' : c;
        }
        r->source = (mote_text){copy, n};
    }
    if (r->source.n && r->source.data[r->source.n - 1] == '\n') r->source.n--;
}

static int at(const struct render *r, size_t i) {
    return i < r->source.n ? (unsigned char)r->source.data[i] : 0;
}

static size_t skip_space(const struct render *r, size_t i) {
    const char *s = r->source.data + i, *end = r->source.data + r->source.n;
    while (s < end) {
        const char *next = s;
        if (!mote_text_string_is_space(mote_text_string_next(&next, end))) break;
        s = next;
    }
    return (size_t)(s - r->source.data);
}

/* The offset after a tag that ends with the two bytes at i, sign being the byte before them. */
static uint32_t after_tag(const struct render *r, size_t i, int sign, int trims) {
    i += 2;
    if (sign == '-') return (uint32_t)skip_space(r, i);
    return (uint32_t)(trims && sign != '+' && at(r, i) == '\n' ? i + 1 : i);
}

/* Shortens the text [from, to) before a tag whose third byte is sign. */
static size_t before_tag(const struct render *r, size_t from, size_t to, int sign, int strips) {
    const char *begin = r->source.data + from, *s = r->source.data + to;
    if (sign != '-' && (sign == '+' || !strips)) return to;
    while (s > begin) {
        const char *previous = s;
        uint32_t code = mote_text_string_before(begin, &previous);
        if (sign != '-' && code == '\n') break;
        if (!mote_text_string_is_space(code)) return sign == '-' ? (size_t)(s - r->source.data) : to;
        s = previous;
    }
    size_t start = (size_t)(s - r->source.data);
    return sign == '-' || start == 0 || at(r, start - 1) == '\n' ? start : to;
}

/* If a {% word %} tag begins at i, the offset of its closing bytes, its last sign in *sign; else 0. */
static size_t match_tag(const struct render *r, size_t i, const char *word, int *sign) {
    if (at(r, i) != '{' || at(r, i + 1) != '%') return 0;
    i += 2;
    if (at(r, i) == '-' || at(r, i) == '+') i++;
    i = skip_space(r, i);
    for (; *word; word++, i++)
        if (at(r, i) != (unsigned char)*word) return 0;
    i = skip_space(r, i);
    *sign = at(r, i) == '-' || at(r, i) == '+' ? at(r, i++) : 0;
    return at(r, i) == '%' && at(r, i + 1) == '}' ? i : 0;
}

static void emit_text(struct render *r, size_t from, size_t to) {
    r->token.kind = T_TEXT;
    r->token.at = (uint32_t)from;
    r->token.v = mote_text_value_string(r->source.data + from, to - from);
}

static void lex_raw(struct render *r, size_t begin, int sign) {
    size_t from = after_tag(r, begin, sign, 0), end;
    for (size_t i = from; i < r->source.n; i++) {
        if (!(end = match_tag(r, i, "endraw", &sign))) continue;
        emit_text(r, from, before_tag(r, from, i, at(r, i + 2), 1));
        r->cursor = after_tag(r, end, sign, 1);
        return;
    }
    FAIL(r, "raw block without endraw");
}

static void lex_comment(struct render *r) {
    size_t i = r->cursor + 2u;
    if (at(r, i) == '-' || at(r, i) == '+') i++;
    size_t from = i;
    for (; i < r->source.n; i++) {
        if (at(r, i) != '#' || at(r, i + 1) != '}') continue;
        r->cursor = after_tag(r, i, i > from ? at(r, i - 1) : 0, 1);
        return;
    }
    FAIL(r, "comment without #}");
}

/* Text up to the next tag, or the tag's beginning where there is no text. */
static void lex_text(struct render *r) {
    while (!r->status) {
        size_t i = r->cursor;
        r->token.kind = T_END;
        r->token.at = (uint32_t)i;
        if (i >= r->source.n) return;
        int second = 0;
        for (; i < r->source.n; i++) {
            second = at(r, i + 1);
            if (at(r, i) == '{' && (second == '{' || second == '%' || second == '#')) break;
        }
        size_t from = r->cursor, to = i;
        if (i < r->source.n) to = before_tag(r, from, i, at(r, i + 2), second != '{');
        r->cursor = r->at = (uint32_t)i;
        if (to > from) {
            emit_text(r, from, to);
            return;
        }
        if (i >= r->source.n) continue;
        if (second == '#') {
            lex_comment(r);
            continue;
        }
        int sign;
        size_t raw = match_tag(r, i, "raw", &sign);
        if (raw) {
            lex_raw(r, raw, sign);
            return;
        }
        r->cursor += at(r, i + 2) == '-' || at(r, i + 2) == '+' ? 3 : 2;
        r->token.at = (uint32_t)i;
        r->token.kind = second == '{' ? T_OUTPUT_BEGIN : T_BLOCK_BEGIN;
        r->mode = second == '{' ? T_OUTPUT_END : T_BLOCK_END;
        return;
    }
}

static int is_digit(int c) {
    return c >= '0' && c <= '9';
}

static int is_letter(int c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 128;
}

static int hex_digit(int c) {
    if (is_digit(c)) return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The character of a backslash escape, i at the byte after the backslash; moves i past it. Unknown escapes
 * are the backslash itself, as in Python. */
static void lex_escape(struct render *r, size_t *i) {
    static const char letters[] = "n\nt\tr\rb\bf\fv\va\a\\\\''\"\"";
    int c = at(r, *i);
    for (const char *l = letters; *l; l += 2)
        if (c == *l) {
            mote_text_render_put(r, l + 1, 1);
            ++*i;
            return;
        }
    uint32_t code = 0;
    int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0, n = 0;
    if (digits) {
        for (; n < digits && hex_digit(at(r, *i + 1 + (size_t)n)) >= 0; n++)
            code = code << 4 | (uint32_t)hex_digit(at(r, *i + 1 + (size_t)n));
        if (n < digits || code > 0x10ffff) FAIL(r, "bad escape in a string");
        *i += 1 + (size_t)n;
    } else if (c == '\n') {
        ++*i;
        return;
    } else if (c >= '0' && c <= '7') {
        for (; n < 3 && at(r, *i) >= '0' && at(r, *i) <= '7'; n++, ++*i)
            code = code << 3 | (uint32_t)(at(r, *i) - '0');
    } else {
        code = '\\';
    }
    mote_text_string_put(r, code);
}

static void lex_string(struct render *r) {
    size_t i = r->cursor + 1u, from = i, start = r->n_out;
    int quote = at(r, r->cursor), escaped = 0;
    while (i < r->source.n && at(r, i) != quote && !r->status) {
        if (at(r, i) != '\\') {
            if (escaped) mote_text_render_put(r, r->source.data + i, 1);
            i++;
            continue;
        }
        if (!escaped) mote_text_render_put(r, r->source.data + from, i - from);
        escaped = 1;
        i++;
        lex_escape(r, &i);
    }
    if (i >= r->source.n) FAIL(r, "string without its closing quote");
    r->token.kind = T_STRING;
    r->token.v = escaped ? mote_text_render_capture(r, start)
                         : mote_text_value_string(r->source.data + from, i - from);
    r->cursor = (uint32_t)i + 1;
}

static void lex_number(struct render *r) {
    const char *s = r->source.data + r->cursor;
    size_t n = r->source.n - r->cursor, i = 0;
    if (r->previous.kind == '.') { /* x.0.1 is two indices */
        while (i < n && is_digit((unsigned char)s[i]))
            i++;
        n = i;
    }
    r->token.kind = T_NUMBER;
    r->cursor += (uint32_t)mote_text_number_read(s, n, &r->token.v);
}

static void lex_operator(struct render *r) {
    static const struct {
        char text[2];
        uint8_t kind;
    } pairs[] = {{{'=', '='}, T_EQUAL},         {{'!', '='}, T_DIFFERENT},    {{'<', '='}, T_LESS_EQUAL},
                 {{'>', '='}, T_GREATER_EQUAL}, {{'/', '/'}, T_FLOOR_DIVIDE}, {{'*', '*'}, T_POWER}};
    int c = at(r, r->cursor), second = at(r, r->cursor + 1u);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (c == pairs[i].text[0] && second == pairs[i].text[1]) {
            r->token.kind = pairs[i].kind;
            r->cursor += 2;
            return;
        }
    if (c < 33 || c > 126) {
        FAIL(r, "unexpected character in an expression");
        return;
    }
    if (c == '(' || c == '[' || c == '{') r->braces++;
    if ((c == ')' || c == ']' || c == '}') && r->braces) r->braces--;
    r->token.kind = (uint8_t)c;
    r->cursor++;
}

static int lex_tag_end(struct render *r) {
    size_t i = r->cursor;
    int sign = at(r, i), block = r->mode == T_BLOCK_END;
    if (r->braces) return 0;
    if (sign == '-' || (sign == '+' && block))
        i++;
    else
        sign = 0;
    if (at(r, i) != (block ? '%' : '}') || at(r, i + 1) != '}') return 0;
    r->token.kind = r->mode;
    r->cursor = after_tag(r, i, sign, block);
    r->mode = 0;
    return 1;
}

void mote_text_lex_next(struct render *r) {
    r->previous = r->token;
    if (r->status) {
        r->token.kind = T_END;
        return;
    }
    if (!r->mode) {
        lex_text(r);
        return;
    }
    r->cursor = r->at = r->token.at = (uint32_t)skip_space(r, r->cursor);
    if (lex_tag_end(r)) return;
    int c = at(r, r->cursor);
    if (r->cursor >= r->source.n) {
        FAIL(r, "the template ends inside a tag");
        r->token.kind = T_END;
    } else if (c == '"' || c == '\'') {
        lex_string(r);
    } else if (is_digit(c)) {
        lex_number(r);
    } else if (is_letter(c)) {
        size_t i = r->cursor;
        while (is_letter(at(r, i)) || is_digit(at(r, i)))
            i++;
        r->token.kind = T_NAME;
        r->token.v = mote_text_value_string(r->source.data + r->cursor, i - r->cursor);
        r->cursor = (uint32_t)i;
    } else {
        lex_operator(r);
    }
}
