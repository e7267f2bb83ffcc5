/* SPDX-License-Identifier: Apache-2.0
 *
 * letters.h: the alphabet in which byte-level BPE writes bytes, so that its files hold only printable text.
 *
 *     bytes 21–7E, A1–AC, AE–FF    the character of that number
 *     the other 68, in order       U+0100, U+0101, … U+0143      (a space is Ġ, a newline Ċ)
 */
#ifndef MOTE_TEXT_LETTERS_H
#define MOTE_TEXT_LETTERS_H

#include <stdint.h>

static inline int mote_text_is_letter_itself(uint32_t code) {
    return (code >= 0x21 && code <= 0x7E) || (code >= 0xA1 && code <= 0xFF && code != 0xAD);
}

static inline uint32_t mote_text_letter_of_byte(uint8_t byte) {
    if (mote_text_is_letter_itself(byte)) return byte;
    if (byte <= 0x20) return 0x100u + byte;
    return byte == 0xAD ? 0x143 : 0x100u + 33 + (byte - 0x7Fu);
}

/* −1 where code is no letter of the alphabet. */
static inline int mote_text_byte_of_letter(uint32_t code) {
    if (mote_text_is_letter_itself(code)) return (int)code;
    if (code >= 0x100 && code <= 0x120) return (int)code - 0x100;
    if (code >= 0x121 && code <= 0x142) return (int)code - 0x121 + 0x7F;
    return code == 0x143 ? 0xAD : -1;
}

#endif
