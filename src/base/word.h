/* SPDX-License-Identifier: Apache-2.0
 *
 * word.h: words of the program's own, which end with a 0, as texts: names of keys and tensors. */
#ifndef MOTE_BASE_WORD_H
#define MOTE_BASE_WORD_H

#include "mote/mote.h"

mote_text mote_base_word(const char *word);
int mote_base_is(mote_text text, const char *word);

#endif
