/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts, sessions and the batch: whatever way a sequence of tokens reaches a session, its logits have the
 * same bits; what fails changes nothing; every page comes back. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/posix/posix.h"
#include "mote/mote.h"
#include "tests/tiny_model.h"

enum { N = 100 }; /* tokens of a sequence: three pages and a piece */

struct world {
    struct gguf_writer file;
    void *model_block, *context_block;
    const mote_model *model;
    mote_context *context;
};

static mote_error error;
static const mote_host lonely; /* one thread, scalar kernels */

static void open_context(struct world *w, const mote_context_options *options, const mote_host *host) {
    uint64_t n;
    free(w->context_block);
    assert_int_equal(mote_context_plan(w->model, options, host, &n, &error), MOTE_OK);
    w->context_block = aligned_alloc(MOTE_ALIGN, n);
    assert_non_null(w->context_block);
    memset(w->context_block, 0xa5, n); /* nothing may count on zeros */
    assert_int_equal(mote_context_open(w->model, options, host, w->context_block, n, &w->context, &error),
                     MOTE_OK);
}

static void open_world(struct world *w, int quantized) {
    uint64_t n;
    memset(w, 0, sizeof *w);
    w->file = tiny_build(&(struct tiny_change){.quantized = quantized});
    assert_int_equal(mote_model_plan(w->file.bytes, w->file.n, &n, NULL), MOTE_OK);
    w->model_block = aligned_alloc(MOTE_ALIGN, n);
    assert_int_equal(mote_model_open(w->file.bytes, w->file.n, w->model_block, n, &w->model, &error),
                     MOTE_OK);
}

static void close_world(struct world *w) {
    gguf_free(&w->file);
    free(w->model_block);
    free(w->context_block);
}

static mote_session *open_session(struct world *w) {
    mote_session *session = NULL;
    assert_int_equal(mote_session_open(w->context, &session), MOTE_OK);
    return session;
}

static mote_token token(int sequence, int i) {
    return (mote_token)((unsigned)(sequence * 7919 + i * i * 31 + i) % TINY_V);
}

/* Steps tokens [from, to) of a sequence, a piece at a time, and keeps the logits of each in out [to][V]. */
static void feed(struct world *w, mote_session *session, int sequence, int from, int to, int piece,
                 float *out) {
    mote_row rows[N];
    for (int at = from; at < to;) {
        int n = 0;
        for (; n < piece && at + n < to; n++)
            rows[n] = (mote_row){session, token(sequence, at + n), out != NULL};
        assert_int_equal(mote_context_step(w->context, rows, (size_t)n, &error), MOTE_OK);
        for (int i = 0; out && i < n; i++)
            memcpy(out + (at + i) * TINY_V, mote_context_logits(w->context, (size_t)i), TINY_V * sizeof *out);
        at += n;
    }
}

static const mote_context_options roomy = {.n_positions = 640, .n_sessions = 8, .n_rows = 16, .n_logits = N};

static float truth[4][N * TINY_V], got[N * TINY_V];

/* The logits of four sequences, one token a step, one session each: what everything else is compared with. */
static void learn_truth(struct world *w) {
    open_context(w, &roomy, &lonely);
    for (int s = 0; s < 4; s++) {
        mote_session *session = open_session(w);
        feed(w, session, s, 0, N, 1, truth[s]);
        mote_session_close(session);
    }
    for (int i = 0; i < TINY_V; i++) /* a model that says the same to everything would prove nothing */
        assert_true(truth[0][i] == truth[0][i]);
    assert_memory_not_equal(truth[0], truth[1], sizeof got);
}

static void same_bits(const float *expected, int from, int to) {
    assert_memory_equal(got + from * TINY_V, expected + from * TINY_V,
                        (size_t)(to - from) * TINY_V * sizeof *got);
}

static void every_way_gives_the_same_bits(int quantized, const mote_host *host) {
    struct world w;
    open_world(&w, quantized);
    learn_truth(&w);
    open_context(&w, &roomy, host);
    static const int pieces[] = {1, 2, 7, 16, 17, 33, N};
    for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
        mote_session *session = open_session(&w);
        feed(&w, session, 0, 0, N, pieces[p], got);
        same_bits(truth[0], 0, N);
        mote_session_close(session);
    }
    mote_session *session = open_session(&w);
    mote_token all[N];
    for (int i = 0; i < N; i++)
        all[i] = token(0, i);
    assert_int_equal(mote_session_feed(session, all, N, &error), MOTE_OK);
    assert_memory_equal(mote_context_logits(w.context, 0), truth[0] + (N - 1) * TINY_V,
                        TINY_V * sizeof(float));
    assert_null(mote_context_logits(w.context, 1));
    mote_session_close(session);
    close_world(&w);
}

static void pieces_and_threads(void **state) {
    (void)state;
    every_way_gives_the_same_bits(0, &lonely);
    every_way_gives_the_same_bits(1, &lonely);
    for (uint32_t n = 1; n <= 3; n++) {
        struct mote_posix_host *host = mote_posix_host_open(n, mote_posix_cpu());
        assert_non_null(host);
        every_way_gives_the_same_bits(0, mote_posix_host_get(host));
        every_way_gives_the_same_bits(1, mote_posix_host_get(host));
        mote_posix_host_close(host);
    }
}

static void a_batch_of_four_is_four_alone(void **state) {
    (void)state;
    struct world w;
    open_world(&w, 1);
    learn_truth(&w);
    mote_session *sessions[4];
    for (int s = 0; s < 4; s++)
        sessions[s] = open_session(&w);
    int at[4] = {0};
    for (int round = 0; at[0] < N || at[1] < N || at[2] < N || at[3] < N; round++) {
        mote_row rows[16];
        int owner[16], place[16], n = 0;
        for (int s = 0; s < 4; s++) /* each session moves at its own pace */
            for (int i = 0; i <= (round + s) % 4 && at[s] < N; i++, n++) {
                rows[n] = (mote_row){sessions[s], token(s, at[s]), 1};
                owner[n] = s;
                place[n] = at[s]++;
            }
        assert_int_equal(mote_context_step(w.context, rows, (size_t)n, &error), MOTE_OK);
        for (int i = 0; i < n; i++)
            assert_memory_equal(mote_context_logits(w.context, (size_t)i),
                                truth[owner[i]] + place[i] * TINY_V, TINY_V * sizeof(float));
    }
    close_world(&w);
}

static void forks_share_a_prefix_and_then_part(void **state) {
    (void)state;
    struct world w;
    open_world(&w, 1);
    learn_truth(&w);
    static const int cuts[] = {0, 1, 31, 32, 33, 64, 77, N};
    for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++) {
        int cut = cuts[c];
        mote_session *parent = open_session(&w), *child;
        feed(&w, parent, 0, 0, cut, 16, NULL);
        assert_int_equal(mote_session_fork(parent, (uint32_t)cut, &child), MOTE_OK);
        assert_int_equal(mote_session_length(child), cut);
        feed(&w, child, 1, cut, N, 5, NULL); /* something else, into the page they share */
        feed(&w, parent, 0, cut, N, 9, got);
        same_bits(truth[0], cut, N);
        assert_int_equal(mote_session_truncate(child, (uint32_t)cut), MOTE_OK);
        feed(&w, child, 0, cut, N, 3, got);
        same_bits(truth[0], cut, N);
        mote_session_close(parent);
        feed(&w, child, 1, N, N, 1, NULL);
        mote_session_close(child);
    }
    close_world(&w);
}

static void truncating_forgets(void **state) {
    (void)state;
    struct world w;
    open_world(&w, 1);
    learn_truth(&w);
    mote_session *session = open_session(&w);
    feed(&w, session, 0, 0, N, 16, NULL);
    for (int keep = N - 1; keep >= 0; keep -= 11) {
        feed(&w, session, 2, (int)mote_session_length(session), N, 16, NULL);
        assert_int_equal(mote_session_truncate(session, (uint32_t)keep), MOTE_OK);
        feed(&w, session, 0, keep, N, 16, got);
        assert_int_equal(mote_session_truncate(session, (uint32_t)keep), MOTE_OK);
        same_bits(truth[0], keep, N);
        for (int i = 0; i < keep; i++)
            assert_int_equal(mote_session_tokens(session)[i], token(0, i));
    }
    assert_int_equal(mote_session_truncate(session, N), MOTE_E_ARGUMENT);
    close_world(&w);
}

static void a_full_context_changes_nothing(void **state) {
    (void)state;
    struct world w;
    open_world(&w, 1);
    learn_truth(&w);
    mote_context_options small = {.n_positions = 70, .n_sessions = 2, .n_rows = 16, .n_logits = N};
    open_context(&w, &small, &lonely);
    mote_session *a = open_session(&w), *b = open_session(&w), *c = NULL;
    assert_int_equal(mote_session_open(w.context, &c), MOTE_E_SESSIONS);
    assert_int_equal(mote_session_fork(a, 0, &c), MOTE_E_SESSIONS);
    assert_null(c);
    feed(&w, a, 0, 0, 40, 16, NULL);
    feed(&w, b, 1, 0, 40, 16, NULL); /* four pages are held, all there are */
    mote_row rows[60];
    for (int i = 0; i < 60; i++)
        rows[i] = (mote_row){i % 2 ? a : b, token(i % 2 ? 0 : 1, 40 + i / 2), 0};
    assert_int_equal(mote_context_step(w.context, rows, 60, &error), MOTE_E_CONTEXT);
    assert_int_equal(mote_session_length(a), 40);
    assert_int_equal(mote_session_length(b), 40);
    feed(&w, a, 0, 40, 64, 16, got);
    same_bits(truth[0], 40, 64);
    mote_session_close(b);
    feed(&w, a, 0, 64, 70, 16, got);
    same_bits(truth[0], 64, 70);
    mote_token one = 5;
    assert_int_equal(mote_session_feed(a, &one, 1, &error), MOTE_E_CONTEXT);
    assert_int_equal(mote_session_length(a), 70);
    for (int i = 0; i < 100; i++) { /* every page comes back, whoever held it last */
        mote_session_close(a);
        a = open_session(&w);
        feed(&w, a, 0, 0, 33, 16, NULL);
        assert_int_equal(mote_session_fork(a, 33, &b), MOTE_OK);
        mote_session_close(a);
        a = b;
    }
    feed(&w, a, 0, 33, 70, 16, got);
    same_bits(truth[0], 33, 70);
    close_world(&w);
}

static void bad_rows_are_refused(void **state) {
    (void)state;
    struct world w, other;
    open_world(&w, 0);
    open_world(&other, 0);
    mote_context_options options = {.n_positions = 64, .n_logits = 2};
    open_context(&w, &options, &lonely);
    open_context(&other, &options, &lonely);
    mote_session *session = open_session(&w), *stranger = open_session(&other);
    mote_row cases[][3] = {
        {{session, 1, 0}, {NULL, 1, 0}, {session, 1, 0}},
        {{session, 1, 0}, {stranger, 1, 0}, {session, 1, 0}},
        {{session, 1, 0}, {session, -1, 0}, {session, 1, 0}},
        {{session, TINY_V, 0}, {session, 1, 0}, {session, 1, 0}},
        {{session, 1, 1}, {session, 1, 1}, {session, 1, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_not_equal(mote_context_step(w.context, cases[i], 3, &error), MOTE_OK);
        assert_true(error.text[0] != 0);
        assert_int_equal(mote_session_length(session), 0);
    }
    mote_session_close(session);
    assert_int_equal(mote_context_step(w.context, cases[0], 1, &error), MOTE_E_ARGUMENT);
    assert_int_equal(mote_context_step(w.context, NULL, 0, &error), MOTE_OK);
    close_world(&w);
    close_world(&other);
}

static void a_block_one_byte_short_is_refused(void **state) {
    (void)state;
    struct world w;
    uint64_t n;
    open_world(&w, 1);
    assert_int_equal(mote_context_plan(w.model, &roomy, &lonely, &n, &error), MOTE_OK);
    void *block = aligned_alloc(MOTE_ALIGN, n);
    assert_int_equal(mote_context_open(w.model, &roomy, &lonely, block, n - 1, &w.context, &error),
                     MOTE_E_MEMORY);
    for (uint64_t size = 0; size < n; size += 4099)
        assert_int_equal(mote_context_open(w.model, &roomy, &lonely, block, size, &w.context, &error),
                         MOTE_E_MEMORY);
    assert_int_equal(mote_context_open(w.model, &roomy, &lonely, block, n, &w.context, &error), MOTE_OK);
    free(block);
    mote_context_options absurd = {.n_positions = UINT32_MAX};
    assert_int_equal(mote_context_plan(w.model, &absurd, &lonely, &n, &error), MOTE_E_ARGUMENT);
    absurd = (mote_context_options){.n_rows = UINT32_MAX};
    assert_int_equal(mote_context_plan(w.model, &absurd, &lonely, &n, &error), MOTE_E_ARGUMENT);
    close_world(&w);
}

/* The logits of sequence 0 with a cache of a type, in got. */
static void feed_all(struct world *w, mote_kv_type type) {
    mote_context_options options = roomy;
    options.kv_type = type;
    open_context(w, &options, &lonely);
    feed(w, open_session(w), 0, 0, N, 16, got);
}

/* The root mean square of the difference from a cache of f32, as a share of that of the logits. This model's
 * random weights make four times as much of an error as there is in the cache: rounding to f16 is wrong by
 * 0.014 % on average, to eight bits by 0.3 %, to four by 5 %. */
static void caches_of_few_bits_are_near(void **state) {
    (void)state;
    static const struct {
        const char *name;
        mote_kv_type type;
        double most;
    } types[] = {{"f16", MOTE_KV_F16, 0.001}, {"q8_0", MOTE_KV_Q8_0, 0.015}, {"q4_0", MOTE_KV_Q4_0, 0.2}};
    static float exact[N * TINY_V];
    struct world w;
    open_world(&w, 0);
    feed_all(&w, MOTE_KV_F32);
    memcpy(exact, got, sizeof exact);
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        double error_square = 0, square = 0;
        feed_all(&w, types[t].type);
        for (int i = 0; i < N * TINY_V; i++) {
            double difference = (double)got[i] - (double)exact[i];
            error_square += difference * difference;
            square += (double)exact[i] * (double)exact[i];
        }
        double share = sqrt(error_square / square);
        print_message("KV cache %s: logits differ from those of f32 by %.3f %%\n", types[t].name,
                      100 * share);
        assert_true(share > 0 && share < types[t].most);
    }
    close_world(&w);
}

static void every_cache_keeps_the_law(void **state) {
    (void)state;
    struct mote_posix_host *host = mote_posix_host_open(2, mote_posix_cpu());
    assert_non_null(host);
    for (int type = 0; type <= MOTE_KV_Q4_0; type++) {
        struct world w;
        open_world(&w, 1);
        feed_all(&w, (mote_kv_type)type);
        memcpy(truth[0], got, sizeof got);
        mote_context_options options = roomy;
        options.kv_type = (mote_kv_type)type;
        open_context(&w, &options, mote_posix_host_get(host));
        mote_session *parent = open_session(&w), *child;
        feed(&w, parent, 0, 0, 77, 5, got);
        assert_int_equal(mote_session_fork(parent, 77, &child), MOTE_OK);
        feed(&w, parent, 1, 77, N, 16, NULL);
        feed(&w, child, 0, 77, N, 7, got);
        same_bits(truth[0], 0, N);
        close_world(&w);
    }
    mote_posix_host_close(host);
    struct world w;
    uint64_t n;
    open_world(&w, 0);
    mote_context_options absurd = {.kv_type = (mote_kv_type)(MOTE_KV_Q4_0 + 1)};
    assert_int_equal(mote_context_plan(w.model, &absurd, &lonely, &n, &error), MOTE_E_ARGUMENT);
    close_world(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_and_threads),
        cmocka_unit_test(a_batch_of_four_is_four_alone),
        cmocka_unit_test(forks_share_a_prefix_and_then_part),
        cmocka_unit_test(truncating_forgets),
        cmocka_unit_test(a_full_context_changes_nothing),
        cmocka_unit_test(bad_rows_are_refused),
        cmocka_unit_test(a_block_one_byte_short_is_refused),
        cmocka_unit_test(caches_of_few_bits_are_near),
        cmocka_unit_test(every_cache_keeps_the_law),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
