/* SPDX-License-Identifier: Apache-2.0
 *
 * module.c: models, contexts and sessions for JavaScript, as module.h says. Each function turns numbers into
 * the structs of mote.h and back; there is no engine here. */
#include "host/wasm/wasm.h"

const mote_model *wasm_model;
mote_error wasm_error;
const void *wasm_result;
mote_context *wasm_context;

static mote_host host;

/* ---- faults ---- */

mote_status wasm_fail_numbers(mote_status status, const char *text, uint64_t first, uint64_t second) {
    char digits[20], *to = wasm_error.text;
    for (; *text; text++) {
        int n = 0;
        if (*text != '%') {
            *to++ = *text;
            continue;
        }
        do
            digits[n++] = (char)('0' + first % 10);
        while (first /= 10);
        while (n)
            *to++ = digits[--n];
        first = second;
    }
    *to = '\0';
    wasm_error.status = status;
    wasm_error.where = 0;
    return status;
}

mote_status wasm_fail(mote_status status, const char *text) {
    return wasm_fail_numbers(status, text, 0, 0);
}

number fault(void) {
    return wasm_address(&wasm_error);
}

number result(void) {
    return wasm_address(wasm_result);
}

/* ---- model ---- */

int32_t model_open(number bytes, number n_bytes) {
    uint64_t size = wasm_size(n_bytes), block_bytes;
    const void *file = wasm_pointer(bytes);
    if (wasm_model) return wasm_fail(MOTE_E_ARGUMENT, "a model is open already");
    mote_status status = mote_model_plan(file, size, &block_bytes, &wasm_error);
    if (status) return status;
    number block = take((number)block_bytes);
    if (block < 0) return MOTE_E_MEMORY;
    status = mote_model_open(file, size, wasm_pointer(block), block_bytes, &wasm_model, &wasm_error);
    if (status) release(block);
    return status;
}

/* Where a number stands in mote_model_info, a multiple of four, and what is no uint32_t. */
enum { INT = 1, UINT64 = 2 };
#define AT(field) offsetof(mote_model_info, field)

number model_number(int32_t which) {
    static const uint8_t places[] = {
        [MODEL_HAS_WEIGHTS] = AT(has_weights),
        [MODEL_HAS_TOKENIZER] = AT(has_tokenizer),
        [MODEL_PARAMETERS] = AT(n_parameters) | UINT64,
        [MODEL_WEIGHTS_BYTES] = AT(weights_bytes) | UINT64,
        [MODEL_LAYERS] = AT(n_layers),
        [MODEL_CONTEXT] = AT(n_context),
        [MODEL_WIDTH] = AT(n_model),
        [MODEL_HEADS] = AT(n_heads),
        [MODEL_KV_HEADS] = AT(n_kv_heads),
        [MODEL_HEAD_DIM] = AT(n_head_dim),
        [MODEL_FFN] = AT(n_ffn),
        [MODEL_VOCAB] = AT(n_vocab),
        [MODEL_BOS] = AT(bos) | INT,
        [MODEL_EOS] = AT(eos) | INT,
        [MODEL_ADD_BOS] = AT(add_bos),
        [MODEL_ADD_EOS] = AT(add_eos),
        [MODEL_TENSORS] = AT(n_tensors),
        [MODEL_KEYS] = AT(n_keys),
#if !defined(MOTE_NO_ENCODERS)
        [MODEL_ENCODER] = AT(is_encoder),
        [MODEL_POOLING] = AT(pooling),
        [MODEL_LABELS] = AT(n_labels),
        [MODEL_LABELS_TOKENS] = AT(labels_tokens),
#endif
    };
    mote_model_info info;
    uint64_t value = 0;
    if ((uint32_t)which >= sizeof places) return MOTE_E_ARGUMENT;
    mote_model_describe(wasm_model, &info);
    __builtin_memcpy(&value, (const char *)&info + places[which] / 4 * 4, places[which] & UINT64 ? 8 : 4);
    return places[which] & INT ? (number)(int32_t)value : (number)value;
}

number model_text(int32_t which) {
    static const uint8_t places[] = {
        [MODEL_ARCHITECTURE] = AT(architecture), [MODEL_NAME] = AT(name),
        [MODEL_TOKENIZER] = AT(tokenizer),       [MODEL_TOKENIZER_PRE] = AT(tokenizer_pre),
        [MODEL_TEMPLATE] = AT(chat_template),
    };
    mote_model_info info;
    mote_text text;
    if ((uint32_t)which >= sizeof places) return MOTE_E_ARGUMENT;
    mote_model_describe(wasm_model, &info);
    __builtin_memcpy(&text, (const char *)&info + places[which], sizeof text);
    wasm_result = text.data;
    return (number)text.n;
}

/* ---- context ---- */

static mote_status plan(const mote_context_options *options, uint32_t n_workers, uint64_t *bytes) {
#ifndef __wasm_atomics__
    if (n_workers > 1) return wasm_fail(MOTE_E_ARGUMENT, "this module has no threads");
#endif
    host.cpu = MOTE_CPU_SIMD128;
#ifdef __wasm_relaxed_simd__
    host.cpu |= MOTE_CPU_RELAXED;
#endif
    wasm_pool_describe(&host, n_workers);
    return mote_context_plan(wasm_model, options, &host, bytes, &wasm_error);
}

static mote_context_options options_of(number n_positions, number n_sessions, number n_rows, number n_logits,
                                       int32_t kv_type) {
    return (mote_context_options){.n_positions = wasm_count(n_positions),
                                  .n_sessions = wasm_count(n_sessions),
                                  .n_rows = wasm_count(n_rows),
                                  .n_logits = wasm_count(n_logits),
                                  .kv_type = (mote_kv_type)kv_type};
}

number context_plan(number n_positions, number n_sessions, number n_rows, number n_logits, int32_t kv_type,
                    int32_t n_workers) {
    uint64_t bytes;
    mote_context_options options = options_of(n_positions, n_sessions, n_rows, n_logits, kv_type);
    mote_status status = plan(&options, (uint32_t)n_workers, &bytes);
    return status ? status : (number)(wasm_rounded(bytes) + wasm_pool_bytes((uint32_t)n_workers));
}

int32_t context_open(number n_positions, number n_sessions, number n_rows, number n_logits, int32_t kv_type,
                     int32_t n_workers) {
    uint64_t bytes;
    mote_context_options options = options_of(n_positions, n_sessions, n_rows, n_logits, kv_type);
    if (wasm_context) return wasm_fail(MOTE_E_ARGUMENT, "a context is open already");
    mote_status status = plan(&options, (uint32_t)n_workers, &bytes);
    if (status) return status;
    bytes = wasm_rounded(bytes);
    number block = take((number)(bytes + wasm_pool_bytes((uint32_t)n_workers)));
    if (block < 0) return MOTE_E_MEMORY;
    wasm_pool_open((char *)wasm_pointer(block) + bytes);
    status = mote_context_open(wasm_model, &options, &host, wasm_pointer(block), bytes, &wasm_context,
                               &wasm_error);
    if (status) release(block);
#if !defined(MOTE_NO_DECODERS)
    if (!status) mote_context_arrange(wasm_context);
#endif
    return status;
}

/* ---- sessions ---- */

#if !defined(MOTE_NO_DECODERS)

/* A status that came without an error: its text makes one. */
static mote_status pass(mote_status status) {
    return status ? wasm_fail(status, mote_status_text(status)) : status;
}

number session_open(void) {
    mote_session *session;
    mote_status status = pass(mote_session_open(wasm_context, &session));
    return status ? status : wasm_address(session);
}

void session_close(number session) {
    mote_session_close(wasm_pointer(session));
}

number session_fork(number session, number n) {
    mote_session *fork;
    mote_status status = pass(mote_session_fork(wasm_pointer(session), wasm_count(n), &fork));
    return status ? status : wasm_address(fork);
}

int32_t session_truncate(number session, number n) {
    return pass(mote_session_truncate(wasm_pointer(session), wasm_count(n)));
}

number session_length(number session) {
    wasm_result = mote_session_tokens(wasm_pointer(session));
    return mote_session_length(wasm_pointer(session));
}

int32_t session_feed(number session, number tokens, number n) {
    return mote_session_feed(wasm_pointer(session), wasm_pointer(tokens), wasm_count(n), &wasm_error);
}

int32_t step(number rows, number n) {
    const struct {
        number session;
        int32_t token, want_logits;
    } *from = wasm_pointer(rows);
    size_t n_rows = wasm_count(n);
    mote_row *to = wasm_room(n_rows * (uint64_t)sizeof *to);
    if (!to) return MOTE_E_MEMORY;
    for (size_t i = 0; i < n_rows; i++)
        to[i] = (mote_row){wasm_pointer(from[i].session), from[i].token, from[i].want_logits};
    return mote_context_step(wasm_context, to, n_rows, &wasm_error);
}

number logits(number i) {
    return wasm_address(mote_context_logits(wasm_context, wasm_count(i)));
}

number session_save(number session) {
    const mote_session *from = wasm_pointer(session);
    uint64_t bytes = mote_session_save_plan(from);
    void *room = wasm_room(bytes);
    if (!room) return MOTE_E_MEMORY;
    mote_status status = mote_session_save(from, room, bytes, &wasm_error);
    wasm_result = room;
    return status ? status : (number)bytes;
}

number session_restore(number bytes, number n_bytes) {
    mote_session *session;
    mote_status status =
        mote_session_restore(wasm_context, wasm_pointer(bytes), wasm_size(n_bytes), &session, &wasm_error);
    return status ? status : wasm_address(session);
}

#endif
