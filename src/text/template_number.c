/* SPDX-License-Identifier: Apache-2.0
 *
 * template_number.c: numbers ↔ text as Python writes them, exactly, with whole-number arithmetic only.
 *
 * Half-steps number the doubles ≥ 0 in order: an even one, 2 × bits, is the double of these bits, the odd one
 * after it the point half way to the next. As a decimal each is exact: m × 2^e, or m × 5^-e × 10^e.
 *
 *     reading   the greatest half-step not above the decimal, by bisection; then to the nearest, ties to even
 *     writing   the shortest decimal between the half-steps around the double
 *
 * Decimals of up to 15 digits and 22 zeros, which is nearly all there are, take one multiplication or
 * division of doubles, exact operands giving the right rounding (Clinger 1990, "How to read floating point
 * numbers accurately"). */
#include "text/template_internal.h"

enum { DIGITS = 800 }; /* the longest half-step has 769 */

union bits {
    double f;
    uint64_t u;
};
static const uint64_t infinity = 0x7ffull << 52;

/* 0.d1 d2 … dn × 10^point, the last digit first */
struct decimal {
    int n, point;
    uint8_t digit[DIGITS];
};

/* d × factor, and carry units of its last digit. */
static void scale(struct decimal *d, uint32_t factor, uint32_t carry) {
    int n = 0;
    for (; n < d->n || carry; n++) {
        carry += n < d->n ? d->digit[n] * factor : 0;
        d->digit[n] = carry % 10;
        carry /= 10;
    }
    d->point += n - d->n;
    d->n = n;
}

static void set(struct decimal *d, uint64_t whole) {
    d->n = d->point = 0;
    for (; whole; whole /= 10, d->point = d->n)
        d->digit[d->n++] = whole % 10;
}

static void set_half_step(struct render *r, struct decimal *d, uint64_t half_step) {
    uint64_t bits = half_step >> 1, hidden = 1ull << 52, m = bits & (hidden - 1);
    int e = (int)(bits >> 52) - 1076;
    set(d, 2 * (e > -1076 ? m | hidden : m) + (half_step & 1));
    e += e == -1076;
    d->point += e < 0 ? e : 0;
    for (int factor = e < 0 ? 5 : 2; e && mote_text_render_spend(r, (size_t)d->n / 16); e += e < 0 ? 1 : -1)
        scale(d, (uint32_t)factor, 0);
}

static int compare(const struct decimal *a, const struct decimal *b) {
    if (!a->n || !b->n) return (a->n > 0) - (b->n > 0);
    if (a->point != b->point) return a->point < b->point ? -1 : 1;
    for (int i = 1; i <= a->n || i <= b->n; i++) {
        int x = i <= a->n ? a->digit[a->n - i] : 0, y = i <= b->n ? b->digit[b->n - i] : 0;
        if (x != y) return x < y ? -1 : 1;
    }
    return 0;
}

static double nearest(struct render *r, const struct decimal *d, uint64_t whole) {
    int zeros = d->point - d->n;
    if (d->n <= 15 && zeros <= 22 && zeros >= -22) {
        double ten = 1;
        for (int i = zeros; i; i += i < 0 ? 1 : -1)
            ten *= 10;
        return zeros < 0 ? (double)whole / ten : (double)whole * ten;
    }
    struct decimal half;
    union bits x;
    uint64_t step = 0, below = 1; /* below: the half-step is not the decimal itself */
    for (uint64_t bit = 1ull << 63; bit; bit >>= 1) {
        if ((step | bit) >= infinity * 2) continue;
        set_half_step(r, &half, step | bit);
        int order = compare(&half, d);
        if (order > 0) continue;
        step |= bit;
        below = order < 0;
    }
    x.u = (step >> 1) + (step & (below | step >> 1) & 1);
    return x.f;
}

static int is_digit(char c) {
    return c >= '0' && c <= '9';
}

size_t mote_text_number_read(struct render *r, const char *s, size_t n, struct value *number) {
    struct decimal d;
    size_t i = 0, point = n;
    uint64_t whole = 0;
    int exponent = 0;
    set(&d, 0);
    for (; i < n && (is_digit(s[i]) || (s[i] == '.' && point == n && i + 1 < n && is_digit(s[i + 1]))); i++) {
        if (s[i] == '.') {
            point = i;
            continue;
        }
        if (d.n == DIGITS || !mote_text_render_spend(r, (size_t)d.n / 16)) {
            mote_text_render_fail(r, "number too long", NULL);
            break;
        }
        whole = whole * 10 + (uint64_t)(s[i] - '0');
        scale(&d, 10, (uint32_t)(s[i] - '0'));
    }
    int is_float = point < n || d.n > 19 || whole > INT64_MAX;
    d.point = d.n - (point < n ? (int)(i - point) - 1 : 0);
    if (i && i + 1 < n && (s[i] | 32) == 'e') {
        size_t from = i + 1 + (s[i + 1] == '-' || s[i + 1] == '+'), e = from;
        for (; e < n && is_digit(s[e]); e++)
            if (exponent < 10000) exponent = exponent * 10 + (s[e] - '0');
        d.point += s[from - 1] == '-' ? -exponent : exponent;
        if (e > from) is_float = 1, i = e;
    }
    number->type = is_float ? V_FLOAT : V_INT;
    number->i = (int64_t)whole;
    if (is_float) number->f = nearest(r, &d, whole);
    return i;
}

/* The shortest decimal that reads back as the positive double of these bits, of those the nearest. */
static void shortest(struct render *r, struct decimal *d, uint64_t bits) {
    struct decimal exact, low, high;
    int odd = bits & 1;
    set_half_step(r, &low, 2 * bits - 1);
    set_half_step(r, &exact, 2 * bits);
    set_half_step(r, &high, 2 * bits + 1);
    for (int n = 1;; n++) {
        int cut = exact.n - n;
        *d = exact;
        if (cut <= 0) return;
        memmove(d->digit, d->digit + cut, (size_t)n);
        d->n = n;
        int next = exact.digit[cut - 1]; /* half way, which only a last digit can be: to even */
        int up = next > 5 || (next == 5 && (cut > 1 || d->digit[0] & 1));
        for (int tries = 2 - up; tries > 0; tries--) { /* near a power of two the farther may do, too */
            if (up) scale(d, 1, 1);
            if (compare(d, &low) >= odd && compare(d, &high) <= -odd) return;
            up = 1;
        }
    }
}

/* The digits from the first to before the last, counted from the left; zeros stand around those there are. */
static void put_digits(struct render *r, const struct decimal *d, int first, int last) {
    for (; first < last; first++) {
        char c = (char)('0' + (first >= 0 && first < d->n ? d->digit[d->n - 1 - first] : 0));
        mote_text_render_put(r, &c, 1);
    }
}

/* From 1e16 on and below 1e-4 with an exponent of at least two digits. */
static void put_decimal(struct render *r, struct decimal *d) {
    int n = d->n, point = d->point, exponent = point - 1, scientific = point > 16 || point < -3;
    while (n > 1 && !d->digit[d->n - n])
        n--;
    if (scientific) point = 1;
    put_digits(r, d, point < 1 ? point - 1 : 0, point);
    if (!scientific || n > 1) {
        mote_text_render_put_word(r, ".");
        put_digits(r, d, point, n > point ? n : point + 1);
    }
    if (!scientific) return;
    mote_text_render_put_word(r, exponent < 0 ? "e-" : "e+");
    set(d, (uint64_t)(exponent < 0 ? -exponent : exponent));
    put_digits(r, d, d->n < 2 ? d->n - 2 : 0, d->n);
}

void mote_text_number_put(struct render *r, const struct value *number) {
    struct decimal d;
    union bits x = {number->f};
    uint64_t magnitude = x.u & ~(1ull << 63);
    int is_float = number->type == V_FLOAT;
    if ((int64_t)x.u < 0 && !(is_float && magnitude > infinity)) mote_text_render_put_word(r, "-");
    if (!is_float) {
        set(&d, (int64_t)x.u < 0 ? 0 - x.u : x.u);
        put_digits(r, &d, 0, d.n + !d.n);
    } else if (magnitude >= infinity) {
        mote_text_render_put_word(r, magnitude > infinity ? "nan" : "inf");
    } else {
        set(&d, 0);
        d.point = 1;
        if (magnitude) shortest(r, &d, magnitude);
        put_decimal(r, &d);
    }
}
