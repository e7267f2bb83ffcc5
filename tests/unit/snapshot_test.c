/* SPDX-License-Identifier: Apache-2.0
 *
 * Saved sessions: what is restored goes on with the same bits; the bytes tell nothing of other sessions;
 * damaged, foreign or oversized ones are refused and take nothing from the context. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mote/mote.h"
#include "tests/tiny_model.h"

enum { N = 100, POSITIONS = 128 };

struct world {
    struct gguf_writer file;
    void *model_block, *context_block;
    const mote_model *model;
    mote_context *context;
};

static mote_error error;
static const mote_host lonely; /* one thread, scalar kernels */

/* filler: what the context's memory holds before it is opened. */
static void open_world(struct world *w, mote_kv_type type, const struct tiny_change *change, int filler) {
    const mote_context_options options = {
        .n_positions = POSITIONS, .n_sessions = 2, .n_rows = 16, .kv_type = type};
    uint64_t n;
    w->file = tiny_build(change);
    assert_int_equal(mote_model_plan(w->file.bytes, w->file.n, &n, &error), MOTE_OK);
    w->model_block = aligned_alloc(MOTE_ALIGN, n);
    assert_int_equal(mote_model_open(w->file.bytes, w->file.n, w->model_block, n, &w->model, &error),
                     MOTE_OK);
    assert_int_equal(mote_context_plan(w->model, &options, &lonely, &n, &error), MOTE_OK);
    w->context_block = aligned_alloc(MOTE_ALIGN, n);
    memset(w->context_block, filler, n);
    assert_int_equal(mote_context_open(w->model, &options, &lonely, w->context_block, n, &w->context, &error),
                     MOTE_OK);
}

static void close_world(struct world *w) {
    gguf_free(&w->file);
    free(w->model_block);
    free(w->context_block);
}

static void feed(mote_session *session, int sequence, int from, int to) {
    mote_token tokens[N];
    for (int i = from; i < to; i++)
        tokens[i] = (mote_token)((unsigned)(sequence * 7919 + i * i * 31 + i) % TINY_V);
    assert_int_equal(mote_session_feed(session, tokens + from, (size_t)(to - from), &error), MOTE_OK);
}

static mote_session *open_session(struct world *w) {
    mote_session *session = NULL;
    assert_int_equal(mote_session_open(w->context, &session), MOTE_OK);
    return session;
}

/* The bytes of a session. */
static uint8_t *save(const mote_session *session, uint64_t *n) {
    *n = mote_session_save_plan(session);
    uint8_t *bytes = malloc(*n);
    assert_non_null(bytes);
    assert_int_equal(mote_session_save(session, bytes, *n - 1, &error), MOTE_E_ROOM);
    assert_int_equal(mote_session_save(session, bytes, *n, &error), MOTE_OK);
    return bytes;
}

static void restored_it_goes_on_with_the_same_bits(void **state) {
    static const int lengths[] = {1, 15, 31, 32, 33, 64, 70};
    (void)state;
    for (int type = 0; type <= MOTE_KV_Q4_0; type++)
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            struct world a, b;
            mote_session *restored;
            uint64_t n;
            open_world(&a, (mote_kv_type)type, &(struct tiny_change){.quantized = 1}, 0xa5);
            open_world(&b, (mote_kv_type)type, &(struct tiny_change){.quantized = 1}, 0x5a);
            mote_session *session = open_session(&a);
            feed(session, 0, 0, lengths[i]);
            uint8_t *bytes = save(session, &n);
            feed(session, 0, lengths[i], N);
            assert_int_equal(mote_session_restore(b.context, bytes, n, &restored, &error), MOTE_OK);
            assert_int_equal(mote_session_length(restored), lengths[i]);
            feed(restored, 0, lengths[i], N);
            assert_memory_equal(mote_session_tokens(restored), mote_session_tokens(session),
                                N * sizeof(mote_token));
            assert_memory_equal(mote_context_logits(b.context, 0), mote_context_logits(a.context, 0),
                                TINY_V * sizeof(float));
            free(bytes);
            close_world(&a);
            close_world(&b);
        }
}

/* Two contexts with other leftovers in their memory: the same bytes for the same tokens. */
static void the_bytes_hold_nothing_else(void **state) {
    (void)state;
    for (int type = 0; type <= MOTE_KV_Q4_0; type++)
        for (int length = 1; length <= 65; length += 4) {
            struct world a, b;
            uint64_t n, m;
            open_world(&a, (mote_kv_type)type, &(struct tiny_change){.quantized = 1}, 0xa5);
            open_world(&b, (mote_kv_type)type, &(struct tiny_change){.quantized = 1}, 0x5a);
            mote_session *first = open_session(&a), *second = open_session(&b);
            feed(first, 0, 0, length);
            feed(second, 1, 0, 90); /* another's secret, and then forgotten */
            assert_int_equal(mote_session_truncate(second, 0), MOTE_OK);
            feed(second, 0, 0, length);
            uint8_t *one = save(first, &n), *two = save(second, &m);
            assert_int_equal(n, m);
            assert_memory_equal(one, two, n);
            free(one);
            free(two);
            close_world(&a);
            close_world(&b);
        }
}

static void damage_is_refused(void **state) {
    struct world w;
    mote_session *session, *restored = NULL;
    uint64_t n;
    (void)state;
    open_world(&w, MOTE_KV_F16, &(struct tiny_change){0}, 0);
    session = open_session(&w);
    assert_int_equal(mote_session_save(session, &n, sizeof n, &error), MOTE_E_ARGUMENT);
    feed(session, 0, 0, 33);
    uint8_t *bytes = save(session, &n);
    for (uint64_t i = 0; i < n; i++) { /* each byte */
        bytes[i] ^= 0x40;
        mote_status status = mote_session_restore(w.context, bytes, n, &restored, &error);
        assert_true(status == MOTE_E_FORMAT || status == MOTE_E_ARGUMENT || status == MOTE_E_CONTEXT);
        assert_true(error.text[0] != 0);
        bytes[i] ^= 0x40;
    }
    for (uint64_t i = 0; i < n; i++) { /* each end, in a block of just that size */
        uint8_t *cut = malloc(i ? i : 1);
        assert_non_null(cut);
        memcpy(cut, bytes, i);
        assert_int_equal(mote_session_restore(w.context, cut, i, &restored, &error), MOTE_E_FORMAT);
        free(cut);
    }
    assert_null(restored);
    assert_int_equal(mote_session_restore(w.context, bytes, n, &restored, &error), MOTE_OK);
    free(bytes);
    close_world(&w);
}

static void another_model_or_cache_is_refused(void **state) {
    static const struct tiny_change changes[] = {{.key = "llama.rope.freq_base", .value = 500},
                                                 {.quantized = 1}};
    struct world a, b;
    mote_session *restored = NULL;
    uint64_t n;
    (void)state;
    open_world(&a, MOTE_KV_F16, &(struct tiny_change){0}, 0);
    mote_session *session = open_session(&a);
    feed(session, 0, 0, 40);
    uint8_t *bytes = save(session, &n);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        open_world(&b, MOTE_KV_F16, &changes[i], 0);
        assert_int_equal(mote_session_restore(b.context, bytes, n, &restored, &error), MOTE_E_ARGUMENT);
        close_world(&b);
    }
    open_world(&b, MOTE_KV_Q8_0, &(struct tiny_change){0}, 0);
    assert_int_equal(mote_session_restore(b.context, bytes, n, &restored, &error), MOTE_E_ARGUMENT);
    close_world(&b);
    free(bytes);
    close_world(&a);
}

static void what_does_not_fit_takes_nothing(void **state) {
    struct world w;
    mote_session *first, *second, *restored = NULL;
    uint64_t n;
    (void)state;
    open_world(&w, MOTE_KV_F16, &(struct tiny_change){0}, 0);
    first = open_session(&w);
    feed(first, 0, 0, 90);
    uint8_t *bytes = save(first, &n);
    assert_int_equal(mote_session_restore(w.context, bytes, n, &restored, &error), MOTE_E_CONTEXT);
    second = open_session(&w); /* its place is free again */
    assert_int_equal(mote_session_restore(w.context, bytes, n, &restored, &error), MOTE_E_SESSIONS);
    mote_session_close(first);
    assert_int_equal(mote_session_restore(w.context, bytes, n, &restored, &error), MOTE_OK);
    mote_session_close(restored);
    feed(second, 1, 0, N); /* and so is every page */
    free(bytes);
    close_world(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restored_it_goes_on_with_the_same_bits),
        cmocka_unit_test(the_bytes_hold_nothing_else),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(another_model_or_cache_is_refused),
        cmocka_unit_test(what_does_not_fit_takes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
