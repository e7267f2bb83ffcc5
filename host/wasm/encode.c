/* SPDX-License-Identifier: Apache-2.0
 *
 * encode.c: texts to vectors and labels for JavaScript, as module.h says. */
#include "host/wasm/wasm.h"

#if !defined(MOTE_NO_ENCODERS)

number model_label(int32_t i) {
    mote_text label = mote_model_label(wasm_model, (uint32_t)i);
    wasm_result = label.data;
    return (number)label.n;
}

/* Results of one kind: how many rows there are of them. */
static uint64_t rows_of(int each_token, uint64_t n_sequences, uint64_t n_tokens) {
    return each_token ? n_tokens : n_sequences;
}

number encode(number sequences, number n, int32_t pooling, int32_t wanted) {
    const int32_t *sizes = wasm_pointer(sequences);
    size_t n_sequences = wasm_count(n);
    const mote_token *tokens = sizes + 2 * n_sequences;
    mote_model_info info;
    uint64_t n_tokens = 0;
    mote_model_describe(wasm_model, &info);
    for (size_t i = 0; i < n_sequences; i++)
        n_tokens += (uint32_t)sizes[2 * i];
    uint64_t n_vectors = wanted & WANT_VECTORS
                             ? rows_of(pooling == MOTE_POOLING_NONE, n_sequences, n_tokens) * info.n_model
                             : 0;
    uint64_t n_labels =
        wanted & WANT_LABELS ? rows_of(info.labels_tokens, n_sequences, n_tokens) * info.n_labels : 0;
    uint64_t list_bytes = wasm_rounded(n_sequences * (uint64_t)sizeof(mote_sequence));
    char *room = wasm_room(list_bytes + (n_vectors + n_labels) * sizeof(float));
    if (!room) return MOTE_E_MEMORY;
    mote_sequence *list = (mote_sequence *)(void *)room;
    float *vectors = (float *)(void *)(room + list_bytes), *labels = vectors + n_vectors;
    for (size_t i = 0; i < n_sequences; i++) {
        list[i] = (mote_sequence){tokens, (uint32_t)sizes[2 * i], (uint32_t)sizes[2 * i + 1]};
        tokens += list[i].n;
    }
    wasm_result = vectors;
    mote_status status = mote_context_encode(wasm_context, list, n_sequences, (mote_pooling)pooling,
                                             wanted & WANT_VECTORS ? vectors : NULL,
                                             wanted & WANT_LABELS ? labels : NULL, &wasm_error);
    return status ? status : (number)(n_vectors + n_labels);
}

#endif
