/* SPDX-License-Identifier: Apache-2.0 */
#include "text/utf8.h"

size_t mote_text_utf8_decode(const char *text, size_t n, uint32_t *code) {
    const uint8_t *p = (const uint8_t *)text;
    uint32_t first = p[0];
    if (first < 0x80) {
        *code = first;
        return 1;
    }
    /* The second byte's range is narrower where it keeps out overlong forms, surrogates and codes too high.
     */
    uint32_t low = 0x80, high = 0xBF, value;
    size_t length;
    if (first >= 0xC2 && first <= 0xDF) {
        length = 2;
        value = first & 0x1F;
    } else if (first >= 0xE0 && first <= 0xEF) {
        length = 3;
        value = first & 0x0F;
        if (first == 0xE0) low = 0xA0;
        if (first == 0xED) high = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
        length = 4;
        value = first & 0x07;
        if (first == 0xF0) low = 0x90;
        if (first == 0xF4) high = 0x8F;
    } else {
        *code = MOTE_TEXT_INVALID;
        return 1;
    }
    for (size_t i = 1; i < length; i++) {
        if (i == n) {
            *code = MOTE_TEXT_CUT;
            return i;
        }
        if (p[i] < low || p[i] > high) {
            *code = MOTE_TEXT_INVALID;
            return i;
        }
        value = value << 6 | (p[i] & 0x3F);
        low = 0x80;
        high = 0xBF;
    }
    *code = value;
    return length;
}

size_t mote_text_utf8_encode(uint32_t code, char out[4]) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t lead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (char)(lead[length] | code);
    return length;
}

int mote_text_utf8_valid(const char *text, size_t n) {
    for (size_t i = 0; i < n;) {
        uint32_t code;
        i += mote_text_utf8_decode(text + i, n - i, &code);
        if (code >= MOTE_TEXT_INVALID) return 0;
    }
    return 1;
}
