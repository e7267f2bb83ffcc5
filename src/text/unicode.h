/* SPDX-License-Identifier: Apache-2.0
 *
 * unicode.h: what the tokenizers ask about a code point. Classes are bits, so that a set of them is one mask;
 * a code point has exactly one of the category bits, and MOTE_TEXT_WHITE besides where it is white space. */
#ifndef MOTE_TEXT_UNICODE_H
#define MOTE_TEXT_UNICODE_H

#include <stdint.h>

enum {
    MOTE_TEXT_UNASSIGNED = 1 << 0,
    MOTE_TEXT_OTHER = 1 << 1,     /* C, but for the unassigned */
    MOTE_TEXT_UPPER = 1 << 2,     /* Lu Lt */
    MOTE_TEXT_LOWER = 1 << 3,     /* Ll */
    MOTE_TEXT_CASELESS = 1 << 4,  /* Lm Lo */
    MOTE_TEXT_MARK = 1 << 5,      /* M */
    MOTE_TEXT_NUMBER = 1 << 6,    /* N */
    MOTE_TEXT_PUNCT = 1 << 7,     /* P */
    MOTE_TEXT_SYMBOL = 1 << 8,    /* S */
    MOTE_TEXT_SEPARATOR = 1 << 9, /* Z */
    MOTE_TEXT_WHITE = 1 << 10,    /* the property White_Space, \s */
    MOTE_TEXT_LETTER = MOTE_TEXT_UPPER | MOTE_TEXT_LOWER | MOTE_TEXT_CASELESS,
};

/* The classes of a code point; what is above U+10FFFF counts as unassigned. */
uint32_t mote_text_class(uint32_t code);

/* The first character of code's canonical decomposition, in lower case: É -> e, ǅ -> ǆ, が -> か. */
uint32_t mote_text_fold(uint32_t code);

#endif
