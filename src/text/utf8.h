/* SPDX-License-Identifier: Apache-2.0
 *
 * utf8.h: one code point at a time, out of and into UTF-8 (RFC 3629).
 *
 *     0xxxxxxx                              U+0000 … U+007F
 *     110xxxxx 10xxxxxx                     U+0080 … U+07FF
 *     1110xxxx 10xxxxxx 10xxxxxx            U+0800 … U+FFFF, without surrogates
 *     11110xxx 10xxxxxx 10xxxxxx 10xxxxxx   U+10000 … U+10FFFF
 *
 * Bytes that are not UTF-8 are grouped as the Unicode Standard recommends (section 3.9, "maximal subparts"):
 * the longest run that begins a sequence but cannot be finished counts as one error. */
#ifndef MOTE_TEXT_UTF8_H
#define MOTE_TEXT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* What decode gives in place of a code point; both lie above the last one. */
enum {
    MOTE_TEXT_INVALID = 0x110000, /* no UTF-8 */
    MOTE_TEXT_CUT = 0x110001,     /* the text ends inside a sequence that was right so far */
    MOTE_TEXT_REPLACEMENT = 0xFFFD,
};

/* Decodes the code point at text[0, n), n >= 1. Returns how many bytes it takes, 1 … 4, also for an INVALID
 * or CUT one. */
size_t mote_text_utf8_decode(const char *text, size_t n, uint32_t *code);

/* Writes code (not above U+10FFFF, no surrogate) and returns how many bytes it took, 1 … 4. */
size_t mote_text_utf8_encode(uint32_t code, char out[4]);

/* 1 if all of text[0, n) is UTF-8. */
int mote_text_utf8_valid(const char *text, size_t n);

#endif
