/* SPDX-License-Identifier: Apache-2.0
 *
 * tokenizer.c: text -> tokens, whatever the kind. Special tokens are cut out first, from left to right and
 * the longest where several begin; what lies between them is a fragment for the encoder of the kind.
 *
 *     "<|user|>\nHi<|end|>"   ->   [<|user|>] "\nHi" [<|end|>]
 *
 * Fragments are copied, without the characters that break what is not to be read as a special token
 * (MOTE_TEXT_BREAK). */
#include "base/checked.h"
#include "base/error.h"
#include "text/vocab.h"

void mote_text_encode_plan(const struct mote_text_vocab *vocab, size_t n_text, uint64_t *work_bytes,
                           size_t *max_tokens) {
    /* A byte makes at most one token. Besides, SPM puts a space before each fragment, of which a text of n
     * bytes has at most n / 2 + 1, and WPM the start of a word before each character. BOS, EOS and rounding
     * take less than eight. */
    uint64_t most = vocab->kind == MOTE_TEXT_BPE ? 1 : 2;
    if (n_text > MOTE_TEXT_LENGTH_MAX) n_text = MOTE_TEXT_LENGTH_MAX;
    *max_tokens = (size_t)(most * n_text + 8);
    switch (vocab->kind) {
#ifndef MOTE_NO_DECODERS
    case MOTE_TEXT_SPM:
        *work_bytes = mote_text_spm_work(n_text);
        break;
#endif
    case MOTE_TEXT_BPE:
        *work_bytes = mote_text_bpe_work(n_text);
        break;
#ifndef MOTE_NO_ENCODERS
    case MOTE_TEXT_WPM:
        *work_bytes = mote_text_wpm_work();
        break;
    case MOTE_TEXT_UNI:
        *work_bytes = mote_text_unigram_work(vocab, n_text, max_tokens);
        break;
#endif
    default:
        break;
    }
    *work_bytes += n_text;
}

static mote_status encode_fragment(const struct mote_text_vocab *vocab, const char *text, size_t n,
                                   void *work, struct mote_text_sink *sink, mote_error *error) {
    switch (vocab->kind) {
#ifndef MOTE_NO_DECODERS
    case MOTE_TEXT_SPM: /* a fragment always comes first or behind a special token */
        return mote_text_spm_encode(vocab, text, n, vocab->space_prefix, work, sink, error);
#endif
    case MOTE_TEXT_BPE:
        return mote_text_bpe_encode(vocab, text, n, work, sink, error);
#ifndef MOTE_NO_ENCODERS
    case MOTE_TEXT_WPM:
        return mote_text_wpm_encode(vocab, text, n, work, sink, error);
    case MOTE_TEXT_UNI:
        return mote_text_unigram_encode(vocab, text, n, work, sink, error);
#endif
    default:
        break;
    }
    return MOTE_E_ARGUMENT;
}

static int is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* fragment has room for the text. */
static mote_status encode_all(const struct mote_text_vocab *vocab, mote_text text, unsigned flags, void *work,
                              char *fragment, struct mote_text_sink *sink, mote_error *error) {
    int all = (flags & MOTE_TOKENIZE_PARSE_SPECIAL) != 0, add = (flags & MOTE_TOKENIZE_ADD_SPECIAL) != 0;
    if (add && vocab->add_bos && !mote_text_put(sink, vocab->bos)) return MOTE_E_ROOM;
    for (const char *at = text.n ? text.data : fragment, *end = at + text.n; at < end;) {
        mote_token special = MOTE_TOKEN_NONE;
        size_t n = 0, length;
        while (at < end) {
            if (flags & MOTE_TOKENIZE_CHAT && end - at >= 3 &&
                !memcmp(at, "\xEF\xB7\x90", 3)) { /* MOTE_TEXT_BREAK */
                at += 3;
                continue;
            }
            special = mote_text_find_special(vocab, at, (size_t)(end - at), all, &length);
            if (special != MOTE_TOKEN_NONE) break;
            fragment[n++] = *at++;
        }
        if (special != MOTE_TOKEN_NONE && vocab->flags[special] & MOTE_TEXT_LSTRIP)
            while (n && is_blank(fragment[n - 1]))
                n--;
        if (n) {
            mote_status status = encode_fragment(vocab, fragment, n, work, sink, error);
            if (status) return status;
        }
        if (special == MOTE_TOKEN_NONE) break;
        if (!mote_text_put(sink, special)) return MOTE_E_ROOM;
        at += length;
        if (vocab->flags[special] & MOTE_TEXT_RSTRIP)
            while (at < end && is_blank(*at))
                at++;
    }
    if (add && vocab->add_eos && !mote_text_put(sink, vocab->eos)) return MOTE_E_ROOM;
    return MOTE_OK;
}

mote_status mote_text_encode(const struct mote_text_vocab *vocab, mote_text text, unsigned flags, void *work,
                             uint64_t work_bytes, mote_token *tokens, size_t max_tokens, size_t *n_tokens,
                             mote_error *error) {
    uint64_t needed;
    size_t most;
    if (text.n > MOTE_TEXT_LENGTH_MAX)
        return mote_base_fail(error, MOTE_E_ARGUMENT, 0, "a text of %u bytes is too long", (uint64_t)text.n);
    mote_text_encode_plan(vocab, text.n, &needed, &most);
    if (work_bytes < needed)
        return mote_base_fail(error, MOTE_E_MEMORY, 0, "tokenizing takes %u bytes of memory, not %u", needed,
                              work_bytes);
    struct mote_text_sink sink = {tokens, 0, max_tokens};
    mote_status status = encode_all(vocab, text, flags, work, (char *)work + needed - text.n, &sink, error);
    if (status == MOTE_E_ROOM)
        return mote_base_fail(error, status, 0, "the text makes more than %u tokens", (uint64_t)max_tokens);
    if (status) return status;
    *n_tokens = sink.n;
    return MOTE_OK;
}
