/* SPDX-License-Identifier: Apache-2.0
 *
 * decode.c: tokens -> text, one token at a time.
 *
 * A token may hold only part of a UTF-8 character. Such a part is held back in the state until the next
 * tokens finish it or show that it cannot be finished; only then is U+FFFD written, once for each maximal
 * subpart. In raw mode bytes come out as they are and nothing is held back.
 *
 * SPM puts a space before a text and behind each special token, so that space is dropped there again. */
#include "text/letters.h"
#include "text/utf8.h"
#include "text/vocab.h"

/* A byte may be U+FFFD, three bytes, when it comes out; three bytes may have been held back before. */
size_t mote_text_decode_max(const struct mote_text_vocab *vocab) {
    return 3 * ((size_t)vocab->max_bytes + 4);
}

static void write(char *out, size_t *n, const char *text, size_t n_text) {
    memcpy(out + *n, text, n_text);
    *n += n_text;
}

/* Adds one byte to what is held back, and writes it out as far as it is certain. */
static void write_byte(mote_detokenizer *state, char byte, char *out, size_t *n) {
    if (state->raw) {
        out[(*n)++] = byte;
        return;
    }
    state->held[state->n_held++] = (uint8_t)byte;
    while (state->n_held) {
        uint32_t code;
        size_t length = mote_text_utf8_decode((const char *)state->held, state->n_held, &code);
        if (code == MOTE_TEXT_CUT) break;
        if (code == MOTE_TEXT_INVALID)
            write(out, n, "\xEF\xBF\xBD", 3);
        else
            write(out, n, (const char *)state->held, length);
        state->n_held = (uint8_t)(state->n_held - length);
        memmove(state->held, state->held + length, state->n_held);
    }
}

static void flush(mote_detokenizer *state, char *out, size_t *n) {
    if (state->n_held) write(out, n, "\xEF\xBF\xBD", 3);
    state->n_held = 0;
}

/* ▁ to space; drops the first one where the encoder would have put it. */
static void write_spaced(mote_detokenizer *state, mote_text text, int drop, char *out, size_t *n) {
    for (size_t i = 0; i < text.n;) {
        if (text.n - i >= 3 && memcmp(text.data + i, "\xE2\x96\x81", 3) == 0) {
            if (!(drop && i == 0)) write_byte(state, ' ', out, n);
            i += 3;
        } else {
            write_byte(state, text.data[i++], out, n);
        }
    }
}

/* The letters of byte-level BPE back to bytes. What is no such letter stands for itself. */
static void write_letters(mote_detokenizer *state, mote_text text, char *out, size_t *n) {
    for (size_t i = 0; i < text.n;) {
        uint32_t code;
        size_t length = mote_text_utf8_decode(text.data + i, text.n - i, &code);
        int byte = mote_text_byte_of_letter(code);
        if (byte >= 0)
            write_byte(state, (char)byte, out, n);
        else
            for (size_t k = 0; k < length; k++)
                write_byte(state, text.data[i + k], out, n);
        i += length;
    }
}

mote_status mote_text_decode(const struct mote_text_vocab *vocab, mote_detokenizer *state, mote_token token,
                             char *out, size_t max_out, size_t *n_out) {
    if (token < 0 || (uint32_t)token >= vocab->n_tokens) return MOTE_E_TOKEN;
    mote_text text = vocab->tokens[token];
    if (max_out < 3 * (text.n + 4) || state->n_held > 3) return MOTE_E_ROOM;
    unsigned type = mote_text_type(vocab, (uint32_t)token);
    size_t n = 0;
    if (type == MOTE_TEXT_CONTROL || type == MOTE_TEXT_UNKNOWN || type == MOTE_TEXT_USER_DEFINED) {
        flush(state, out, &n);
        if (state->special || type == MOTE_TEXT_USER_DEFINED)
            for (size_t i = 0; i < text.n; i++)
                write_byte(state, text.data[i], out, &n);
        state->started = 0;
        *n_out = n;
        return MOTE_OK;
    }
    int drop = !state->started && (vocab->space_prefix || vocab->kind == MOTE_TEXT_WPM);
    state->started = 1;
    if (type == MOTE_TEXT_BYTE) {
        int byte = mote_text_byte_value(text);
        if (!(drop && byte == ' ' && !vocab->has_space)) write_byte(state, (char)byte, out, &n);
    } else if (vocab->kind == MOTE_TEXT_BPE) {
        write_letters(state, text, out, &n);
    } else {
        write_spaced(state, text, drop, out, &n);
    }
    *n_out = n;
    return MOTE_OK;
}

mote_status mote_text_decode_end(mote_detokenizer *state, int raw, char *out, size_t max_out, size_t *n_out) {
    size_t n = 0;
    if (max_out < 4 || state->n_held > 3) return MOTE_E_ROOM;
    if (raw)
        write(out, &n, (const char *)state->held, state->n_held);
    else
        flush(state, out, &n);
    state->n_held = 0;
    *n_out = n;
    return MOTE_OK;
}
