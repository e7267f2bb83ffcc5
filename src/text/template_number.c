/* SPDX-License-Identifier: Apache-2.0
 *
 * template_number.c: numbers ↔ text as Python writes them, exactly, with whole-number arithmetic only.
 *
 *     reading   digits × 10^e = numerator / denominator, both big; 53 bits of long division, then round to
 * even writing   the shortest digits inside the interval that reads back as the same float (Steele & White
 * 1990, "How to print floating-point numbers accurately", free format)
 *
 * Of a very long decimal the first 60 digits count, and then only whether the rest is zero. */
#include "text/template_internal.h"

enum { BIG_WORDS = 56, DIGITS = 60 };

struct big {
    int n;
    uint32_t w[BIG_WORDS]; /* least first; w[n - 1] is not 0 */
};

static void scale(struct big *x, uint32_t factor, uint32_t plus) {
    uint64_t carry = plus;
    for (int i = 0; i < x->n; i++, carry >>= 32) {
        carry += (uint64_t)x->w[i] * factor;
        x->w[i] = (uint32_t)carry;
    }
    if (carry && x->n < BIG_WORDS) x->w[x->n++] = (uint32_t)carry;
}

static void scale_tens(struct big *x, int tens) {
    for (; tens > 0; tens--)
        scale(x, 10, 0);
}

static void shift(struct big *x, int bits) {
    int words = bits / 32;
    if (bits <= 0 || !x->n || x->n + words > BIG_WORDS) return;
    memmove(x->w + words, x->w, (size_t)x->n * 4);
    memset(x->w, 0, (size_t)words * 4);
    x->n += words;
    scale(x, 1u << bits % 32, 0);
}

static int compare(const struct big *a, const struct big *b) {
    if (a->n != b->n) return a->n < b->n ? -1 : 1;
    for (int i = a->n; i-- > 0;)
        if (a->w[i] != b->w[i]) return a->w[i] < b->w[i] ? -1 : 1;
    return 0;
}

/* a += sign × b; b ≤ a where sign is −1. */
static void add(struct big *a, const struct big *b, int sign) {
    int64_t carry = 0;
    for (int i = 0; i < BIG_WORDS && (i < b->n || carry); i++, carry >>= 32) {
        if (i >= a->n) a->w[a->n++] = 0;
        carry += (int64_t)a->w[i] + sign * (int64_t)(i < b->n ? b->w[i] : 0);
        a->w[i] = (uint32_t)carry;
    }
    while (a->n && !a->w[a->n - 1])
        a->n--;
}

static int bit_length(const struct big *x) {
    return x->n ? 32 * x->n - __builtin_clz(x->w[x->n - 1]) : 0;
}

static double from_bits(uint64_t bits) {
    union {
        uint64_t u;
        double f;
    } x = {bits};
    return x.f;
}

/* top × 10^tens, top having n_digits digits, rounded to nearest, ties to even. */
static double divide(struct big *top, int n_digits, int tens) {
    if (!top->n || tens + n_digits < -330) return 0;
    if (tens + n_digits > 310) return from_bits(0x7ffull << 52);
    struct big bottom = {1, {1}};
    scale_tens(top, tens);
    scale_tens(&bottom, -tens);
    int exponent = bit_length(top) - bit_length(&bottom);
    shift(&bottom, exponent);
    shift(top, -exponent);
    if (compare(top, &bottom) < 0) {
        shift(top, 1);
        exponent--;
    }
    /* the value is top / bottom × 2^exponent with 1 ≤ top / bottom < 2 */
    int bits = exponent >= -1022 ? 53 : 53 + 1022 + exponent;
    uint64_t fraction = 0;
    for (int i = 0; i < bits; i++) {
        fraction <<= 1;
        if (compare(top, &bottom) >= 0) {
            add(top, &bottom, -1);
            fraction |= 1;
        }
        shift(top, 1);
    }
    int half = bits < 0 ? -1 : compare(top, &bottom);
    if (half > 0 || (half == 0 && (fraction & 1))) fraction++;
    if (exponent >= -1022) fraction += (uint64_t)(exponent + 1022) << 52;
    return from_bits(fraction > 0x7ffull << 52 ? 0x7ffull << 52 : fraction);
}

static int is_digit(char c) {
    return c >= '0' && c <= '9';
}

struct decimal {
    struct big digits;
    int n_digits, tens, rest;
    int64_t whole; /* the same as an int, while it fits */
    int fits;
};

static size_t read_digits(const char *s, size_t n, struct decimal *d, int after_point) {
    size_t i = 0;
    for (; i < n; i++) {
        if (s[i] == '_' && i && i + 1 < n && is_digit(s[i - 1]) && is_digit(s[i + 1])) continue;
        if (!is_digit(s[i])) break;
        uint32_t digit = (uint32_t)(s[i] - '0');
        if (d->whole > INT64_MAX / 10 || (d->whole == INT64_MAX / 10 && digit > 7)) d->fits = 0;
        if (d->fits) d->whole = d->whole * 10 + digit;
        int kept = d->n_digits < DIGITS;
        if (kept) {
            scale(&d->digits, 10, digit);
            d->n_digits += d->digits.n > 0;
        } else {
            d->rest |= digit != 0;
        }
        if (d->tens > -100000 && d->tens < 100000) d->tens += !kept - after_point;
    }
    return i;
}

size_t mote_text_number_read(const char *s, size_t n, struct value *number) {
    struct decimal d;
    memset(&d, 0, sizeof d);
    d.fits = 1;
    int negative = n && s[0] == '-', is_float = 0;
    size_t start = n && (s[0] == '-' || s[0] == '+'), i = start;
    i += read_digits(s + i, n - i, &d, 0);
    if (i == start) return 0;
    if (i + 1 < n && s[i] == '.' && is_digit(s[i + 1])) {
        is_float = 1;
        i++;
        i += read_digits(s + i, n - i, &d, 1);
    }
    if (i + 1 < n && (s[i] | 32) == 'e') {
        size_t j = i + 1 + (s[i + 1] == '-' || s[i + 1] == '+');
        int exponent = 0;
        if (j < n && is_digit(s[j])) {
            is_float = 1;
            for (; j < n && is_digit(s[j]); j++)
                if (exponent < 100000) exponent = exponent * 10 + (s[j] - '0');
            d.tens += s[i + 1] == '-' ? -exponent : exponent;
            i = j;
        }
    }
    if (!is_float && d.fits) {
        *number = mote_text_value_int(negative ? -d.whole : d.whole);
        return i;
    }
    if (d.rest) { /* something follows the digits kept: enough to break a tie */
        scale(&d.digits, 10, 1);
        d.tens--;
        d.n_digits++;
    }
    double f = divide(&d.digits, d.n_digits, d.tens);
    *number = mote_text_value_float(negative ? -f : f);
    return i;
}

/* The shortest digits d1 d2 … of f = 0.d1d2… × 10^point, f > 0 and finite; returns how many. */
static int shortest(double f, char digits[20], int *point) {
    union {
        double f;
        uint64_t u;
    } x = {f};
    uint64_t fraction = x.u & ((1ull << 52) - 1);
    int exponent = (int)(x.u >> 52), n = 0, narrow = !fraction && exponent > 1;
    if (exponent) fraction |= 1ull << 52;
    exponent = (exponent ? exponent : 1) - 1075;

    /* f = r / s; half the gap to the next float is above / s, to the one before below / s */
    struct big r = {2, {(uint32_t)fraction, (uint32_t)(fraction >> 32)}}, s = {1, {1}}, above = {1, {1}},
               below;
    struct big sum;
    if (!r.w[1]) r.n = 1;
    shift(&r, 1 + narrow + (exponent > 0 ? exponent : 0));
    shift(&s, 1 + narrow + (exponent < 0 ? -exponent : 0));
    shift(&above, exponent > 0 ? exponent : 0);
    below = above;
    if (narrow) shift(&above, 1);

    int bits = exponent + 63 - __builtin_clzll(fraction); /* f is at least 2^bits */
    int tens = bits * 1233 / 4096 - 1;                    /* not above log10 of that */
    if (tens < 0) {
        scale_tens(&r, -tens);
        scale_tens(&above, -tens);
        scale_tens(&below, -tens);
    } else {
        scale_tens(&s, tens);
    }
    int even = !(fraction & 1);
    for (;; tens++) { /* until f and what rounds to it are below 10^tens */
        sum = r;
        add(&sum, &above, 1);
        if (compare(&sum, &s) < !even) break;
        scale(&s, 10, 0);
    }
    *point = tens;
    for (;;) {
        int digit = 0, low, high;
        scale(&r, 10, 0);
        scale(&above, 10, 0);
        scale(&below, 10, 0);
        for (; compare(&r, &s) >= 0; digit++)
            add(&r, &s, -1);
        sum = r;
        add(&sum, &above, 1);
        low = compare(&r, &below) < even;
        high = compare(&sum, &s) > -even;
        if (low && high) { /* both neighbours would do: the nearer */
            sum = r;
            add(&sum, &r, 1);
            high = compare(&sum, &s) > -(digit & 1);
        }
        digits[n++] = (char)('0' + digit + high);
        if (low || high || n == 18) return n;
    }
}

static void put_int(struct render *r, uint64_t i, int negative, int least) {
    char text[24];
    size_t n = sizeof text;
    for (; i || least > 0; i /= 10, least--)
        text[--n] = (char)('0' + i % 10);
    if (negative) text[--n] = '-';
    mote_text_render_put(r, text + n, sizeof text - n);
}

static void put_zeros(struct render *r, int n) {
    for (; n > 0; n--)
        mote_text_render_put(r, "0", 1);
}

static void put_float(struct render *r, double f) {
    char digits[20] = "0";
    int point = 1, n = 1;
    if (f != f) {
        mote_text_render_put(r, "nan", 3);
        return;
    }
    if (f < 0 || (f == 0 && 1 / f < 0)) mote_text_render_put(r, "-", 1);
    if (f < 0) f = -f;
    if (f > 0x1.fffffffffffffp1023) {
        mote_text_render_put(r, "inf", 3);
        return;
    }
    if (f != 0) n = shortest(f, digits, &point);
    if (point > 16 || point < -3) {
        mote_text_render_put(r, digits, 1);
        if (n > 1) mote_text_render_put(r, ".", 1);
        mote_text_render_put(r, digits + 1, (size_t)n - 1);
        mote_text_render_put(r, point > 0 ? "e+" : "e-", 2);
        put_int(r, (uint64_t)(point > 0 ? point - 1 : 1 - point), 0, 2);
    } else if (point <= 0) {
        mote_text_render_put(r, "0.", 2);
        put_zeros(r, -point);
        mote_text_render_put(r, digits, (size_t)n);
    } else {
        mote_text_render_put(r, digits, (size_t)(n < point ? n : point));
        put_zeros(r, point - n);
        mote_text_render_put(r, ".", 1);
        mote_text_render_put(r, n > point ? digits + point : "0", n > point ? (size_t)(n - point) : 1);
    }
}

void mote_text_number_put(struct render *r, struct value number) {
    int64_t i = number.i;
    if (number.type == V_FLOAT)
        put_float(r, number.f);
    else
        put_int(r, i < 0 ? 0 - (uint64_t)i : (uint64_t)i, i < 0, 1);
}

double mote_text_number_floor(double x) {
    if (!(x > -0x1p52 && x < 0x1p52)) return x; /* whole already, or NaN */
    double whole = (double)(int64_t)x;
    return whole > x ? whole - 1 : whole;
}
