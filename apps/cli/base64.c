/* SPDX-License-Identifier: Apache-2.0
 *
 * base64.c: four digits of six bits are three bytes; '=' fills up the last four:
 *
 *     aaaaaabb bbbbcccc ccdddddd
 *
 * Nothing else is accepted, no white space and no digit left over. */
#include <stdint.h>
#include <string.h>

#include "apps/cli/base64.h"

static int digit_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int cli_base64_decode(const char *text, struct cli_buffer *out) {
    size_t n_text = strlen(text), n = n_text;
    while (n > 0 && text[n - 1] == '=')
        n--;
    if (n_text % 4 || n_text - n > 2 || !cli_buffer_reserve(out, out->n + n / 4 * 3 + 4)) return 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        int digit = digit_of(text[i]);
        if (digit < 0) return 0;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4) out->data[out->n++] = (char)(bits >> (6 - 2 * (i % 4)) & 255);
    }
    return 1;
}
