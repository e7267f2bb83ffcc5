/* SPDX-License-Identifier: Apache-2.0 */
#include "base/word.h"

#include "base/memory.h"

mote_text mote_base_word(const char *word) {
    mote_text text = {word, 0};
    while (word[text.n])
        text.n++;
    return text;
}

int mote_base_is(mote_text text, const char *word) {
    mote_text other = mote_base_word(word);
    return text.n == other.n && memcmp(text.data, word, text.n) == 0;
}
