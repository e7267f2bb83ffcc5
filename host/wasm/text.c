/* SPDX-License-Identifier: Apache-2.0
 *
 * text.c: tokens, conversations and streams for JavaScript, as module.h says. */
#include "host/wasm/wasm.h"

number tokenize(number text, number n_bytes, int32_t flags) {
    uint64_t work_bytes;
    size_t most, n = wasm_count(n_bytes);
    mote_tokenize_plan(wasm_model, n, &work_bytes, &most);
    uint64_t list_bytes = wasm_rounded(most * (uint64_t)sizeof(mote_token));
    char *room = wasm_room(list_bytes + work_bytes);
    if (!room) return MOTE_E_MEMORY;
    mote_status status =
        mote_tokenize(wasm_model, (mote_text){wasm_pointer(text), n}, (unsigned)flags, room + list_bytes,
                      work_bytes, (mote_token *)(void *)room, most, &n, &wasm_error);
    wasm_result = room;
    return status ? status : (number)n;
}

#if !defined(MOTE_NO_DECODERS)

int32_t token_is_end(int32_t token) {
    return mote_token_is_end(wasm_model, token);
}

static int wrote_bos;

int32_t chat_wrote_bos(void) {
    return wrote_bos;
}

/* How much a template needs is not known beforehand: both memories double until they do, or until no honest
 * template could want more. */
number chat(number messages, int32_t n, int32_t add_generation, number variables_bytes) {
    const uint64_t most = 1 << 28;
    const int32_t *sizes = wasm_pointer(messages);
    const char *text = (const char *)(sizes + 2 * n);
    uint64_t list_bytes = wasm_rounded((uint32_t)n * (uint64_t)sizeof(mote_message));
    uint64_t work_bytes = 1 << 18, out_bytes = 1 << 16;
    for (;;) {
        char *room = wasm_room(list_bytes + work_bytes + out_bytes), *out = room + list_bytes + work_bytes;
        if (!room) return MOTE_E_MEMORY;
        mote_message *list = (mote_message *)(void *)room;
        const char *at = text;
        for (int32_t i = 0; i < n; i++) {
            size_t role = (uint32_t)sizes[2 * i], content = (uint32_t)sizes[2 * i + 1];
            list[i] = (mote_message){{at, role}, {at + role, content}};
            at += role + content;
        }
        size_t n_out;
        mote_status status = mote_model_chat(
            wasm_model, list, (uint32_t)n, add_generation, (mote_text){at, wasm_count(variables_bytes)},
            room + list_bytes, work_bytes, out, (size_t)out_bytes, &n_out, &wrote_bos, &wasm_error);
        wasm_result = out;
        if (!status) return (number)n_out;
        if (status == MOTE_E_MEMORY && work_bytes < most)
            work_bytes *= 2;
        else if (status == MOTE_E_ROOM && out_bytes < most)
            out_bytes *= 2;
        else
            return status;
    }
}

/* ---- streams ---- */

struct stream {
    mote_sampler sampler;
    mote_detokenizer detokenizer;
};

number stream_bytes(void) {
    return sizeof(struct stream);
}

void stream_open(number stream, float temperature, int32_t top_k, float top_p, float min_p,
                 float repeat_penalty, int32_t n_repeat, double seed) {
    struct stream *s = wasm_pointer(stream);
    mote_sampler_options options = {.temperature = temperature,
                                    .top_k = (uint32_t)top_k,
                                    .top_p = top_p,
                                    .min_p = min_p,
                                    .repeat_penalty = repeat_penalty,
                                    .n_repeat = (uint32_t)n_repeat,
                                    .seed = wasm_size(seed)};
    *s = (struct stream){0};
    mote_sampler_open(&s->sampler, &options);
}

int32_t stream_pick(number stream, number i, number session) {
    struct stream *s = wasm_pointer(stream);
    const mote_session *from = wasm_pointer(session);
    const float *row = wasm_pointer(logits(i));
    mote_token token;
    if (!row) return wasm_fail(MOTE_E_ARGUMENT, "there are no logits of that row");
    uint32_t n_vocab = (uint32_t)model_number(MODEL_VOCAB);
    uint64_t work_bytes = mote_sample_plan(n_vocab);
    void *work = wasm_room(work_bytes);
    if (!work) return MOTE_E_MEMORY;
    mote_status status = mote_sample(&s->sampler, row, n_vocab, mote_session_tokens(from),
                                     mote_session_length(from), work, work_bytes, &token);
    return status ? wasm_fail(status, mote_status_text(status)) : token;
}

number stream_text(number stream, int32_t token) {
    struct stream *s = wasm_pointer(stream);
    size_t most = mote_detokenize_max(wasm_model), n;
    if (most < sizeof s->detokenizer.held * 3) most = sizeof s->detokenizer.held * 3;
    char *room = wasm_room(most);
    if (!room) return MOTE_E_MEMORY;
    mote_status status = token < 0 ? mote_detokenize_end(&s->detokenizer, 0, room, most, &n)
                                   : mote_detokenize(wasm_model, &s->detokenizer, token, room, most, &n);
    wasm_result = room;
    return status ? wasm_fail(status, mote_status_text(status)) : (number)n;
}

#endif
