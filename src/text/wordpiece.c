/* SPDX-License-Identifier: Apache-2.0 */
#include "text/vocab.h"

uint64_t mote_text_wpm_work(size_t n) {
    return n;
}
mote_status mote_text_wpm_encode(const struct mote_text_vocab *vocab, const char *text, size_t n, void *work,
                                 struct mote_text_sink *sink, mote_error *error) {
    (void)vocab, (void)text, (void)n, (void)work, (void)sink, (void)error;
    return MOTE_E_UNSUPPORTED;
}
