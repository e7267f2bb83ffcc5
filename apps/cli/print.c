/* SPDX-License-Identifier: Apache-2.0
 *
 * print.c: text of unknown origin on one line, and reasons. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "apps/cli/cli.h"
#include "apps/cli/print.h"

/* The length of the character at the beginning of text if it may go out as it is, else 0. */
static size_t plain(const unsigned char *text, size_t n) {
    unsigned c = text[0], least[] = {0, 0, 0xa0, 0x800, 0x10000};
    if (c < 0x80) return c >= 32 && c != 127 && c != '\\';
    size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || n < length) return 0;
    uint32_t code = c & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    return code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : length;
}

void cli_print(FILE *out, mote_text text) {
    const unsigned char *bytes = (const unsigned char *)text.data;
    for (size_t i = 0; i < text.n;) {
        size_t n = plain(bytes + i, text.n - i);
        if (n)
            fwrite(bytes + i, 1, n, out);
        else if (bytes[i] == '\n' || bytes[i] == '\t' || bytes[i] == '\\')
            fputs(bytes[i] == '\n' ? "\\n" : bytes[i] == '\t' ? "\\t" : "\\\\", out);
        else
            fprintf(out, "\\x%02x", bytes[i]);
        i += n ? n : 1;
    }
}

int cli_print_answer(FILE *out, const char *text, size_t n) {
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t i = 0, length; i < n; i += length ? length : 1) {
        unsigned c = bytes[i];
        length = c == '\n' || c == '\t' || c == '\\' ? 1 : plain(bytes + i, n - i);
        if (length               ? fwrite(bytes + i, 1, length, out) != length
            : c < 32 || c == 127 ? fprintf(out, "\xe2\x90%c", c < 32 ? 0x80 + (int)c : 0xa1) < 0
                                 : fputs("\xef\xbf\xbd", out) < 0)
            return 0;
    }
    return 1;
}

void cli_print_json(FILE *out, mote_text text) {
    const unsigned char *bytes = (const unsigned char *)text.data;
    putc('"', out);
    for (size_t i = 0, n; i < text.n; i += n ? n : 1) {
        unsigned c = bytes[i],
                 c1 = c == 0xc2 && i + 1 < text.n && bytes[i + 1] >= 0x80 && bytes[i + 1] < 0xa0;
        n = plain(bytes + i, text.n - i);
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (n)
            fwrite(bytes + i, 1, n, out);
        else if (c < 0x80 || c1)
            fprintf(out, "\\u%04x", c1 ? bytes[i + (n = 2) - 1] : c);
        else
            fputs("\xef\xbf\xbd", out);
    }
    putc('"', out);
}

/* The digits of m and its decimal point, which stands behind the first `point` of them. */
static size_t place_point(uint64_t m, int point, char *out) {
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)m);
    if (point <= 0) return (size_t)snprintf(out, CLI_MOST_FLOAT - 1, "0.%.*s%s", -point, "000000", digits);
    if (point >= n)
        return (size_t)snprintf(out, CLI_MOST_FLOAT - 1, "%s%.*s", digits, point - n, "000000000");
    return (size_t)snprintf(out, CLI_MOST_FLOAT - 1, "%.*s.%s", point, digits, digits + point);
}

/* Decimal digits of a product or quotient by an exact power of ten are off by less than a millionth of the last
 * of nine, and nine are enough for an f32 however they round: fewer are tried first, by reading them back. */
size_t cli_float_text(float x, char *out) {
    static const double tens[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6, 1e7,
                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14};
    double size = fabs((double)x);
    if (!isfinite(x)) return (size_t)snprintf(out, CLI_MOST_FLOAT, "null");
    if (!(size >= 1e-5 && size < 1e6)) return (size_t)snprintf(out, CLI_MOST_FLOAT, "%.9g", (double)x);
    int places = (int)floor(log10(size)) + 1; /* before the point, or −zeros behind it */
    for (int n = 6; n <= 9; n++) {
        double m = nearbyint(size * tens[n - places]);
        if ((float)(m / tens[n - places]) != (float)size) continue;
        uint64_t digits = (uint64_t)m;
        int behind = n - places;
        for (; behind > 0 && digits % 10 == 0; behind--)
            digits /= 10;
        int n_digits = 1;
        for (uint64_t rest = digits; rest >= 10; rest /= 10)
            n_digits++;
        size_t sign = x < 0;
        if (sign) *out = '-';
        return sign + place_point(digits, n_digits - behind, out + sign);
    }
    return (size_t)snprintf(out, CLI_MOST_FLOAT, "%.9g", (double)x);
}

int cli_write_fail(const char *name) {
    if (errno == EPIPE && !strcmp(name, "stdout")) return CLI_FAILED;
    return cli_fail(CLI_FAILED, "cannot write to %s: %s", name, strerror(errno));
}

const char *cli_map_reason(int error) {
    return error == ESPIPE ? "it must be a regular file" : strerror(error);
}
