/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "text/vocab.h"

mote_status mote_text_open_merges(const struct mote_text_source *source, struct mote_base_arena *arena,
                                  struct mote_text_vocab *vocab, mote_error *error) {
    (void)arena, (void)vocab;
    return mote_base_fail(error, MOTE_E_UNSUPPORTED, 0, "the pre-tokenizer \"%t\" is not known", source->pre);
}
uint64_t mote_text_bpe_work(size_t n) {
    return n;
}
mote_status mote_text_bpe_encode(const struct mote_text_vocab *vocab, const char *text, size_t n, void *work,
                                 struct mote_text_sink *sink, mote_error *error) {
    (void)vocab, (void)text, (void)n, (void)work, (void)sink, (void)error;
    return MOTE_E_UNSUPPORTED;
}
