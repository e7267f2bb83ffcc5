/* SPDX-License-Identifier: Apache-2.0
 *
 * Sampling: the filters against a plain sort, the draw against the probabilities it should have. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mote/mote.h"

enum { V = 50 };

static const mote_sampler_options plain = {.temperature = 1, .top_p = 1, .repeat_penalty = 1};

static uint8_t work[V * 16];

static mote_token pick(mote_sampler *sampler, const float *logits) {
    mote_token token = -7;
    assert_int_equal(mote_sample(sampler, logits, V, NULL, 0, work, sizeof work, &token), MOTE_OK);
    assert_in_range(token, 0, V - 1);
    return token;
}

/* Logits whose order by size is a fixed shuffle of the ids. */
static void fill(float *logits) {
    for (int i = 0; i < V; i++)
        logits[i] = 4 * sinf((float)i * 1.7f);
}

static int descending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* How often each token is drawn, over n draws. */
static void draw(const mote_sampler_options *options, const float *logits, int n, int counts[V]) {
    mote_sampler sampler;
    mote_sampler_open(&sampler, options);
    memset(counts, 0, V * sizeof *counts);
    for (int i = 0; i < n; i++)
        counts[pick(&sampler, logits)]++;
}

static void greedy_takes_the_best_and_the_lower_id_of_equals(void **state) {
    (void)state;
    mote_sampler sampler;
    mote_sampler_options options = plain;
    float logits[V] = {0};
    options.temperature = 0;
    mote_sampler_open(&sampler, &options);
    assert_int_equal(pick(&sampler, logits), 0);
    logits[31] = logits[17] = 2;
    assert_int_equal(pick(&sampler, logits), 17);
    logits[3] = NAN;
    assert_int_equal(pick(&sampler, logits), 17);
    for (int i = 0; i < V; i++)
        logits[i] = NAN;
    assert_int_equal(pick(&sampler, logits), 0);
}

static void draws_follow_the_probabilities(void **state) {
    (void)state;
    float logits[V];
    int counts[V], n = 200000;
    fill(logits);
    for (int t = 1; t <= 2; t++) {
        mote_sampler_options options = plain;
        options.temperature = (float)t;
        draw(&options, logits, n, counts);
        double total = 0;
        for (int i = 0; i < V; i++)
            total += exp(logits[i] / t);
        for (int i = 0; i < V; i++) {
            double expected = n * exp(logits[i] / t) / total;
            assert_true(fabs(counts[i] - expected) < 6 * sqrt(expected + 1)); /* six standard deviations */
        }
    }
}

static void top_k_keeps_the_best_k(void **state) {
    (void)state;
    float logits[V], sorted[V];
    int counts[V];
    fill(logits);
    memcpy(sorted, logits, sizeof sorted);
    qsort(sorted, V, sizeof *sorted, descending);
    for (uint32_t k = 1; k <= 12; k++) {
        mote_sampler_options options = plain;
        options.temperature = 5;
        options.top_k = k;
        draw(&options, logits, 20000, counts);
        for (int i = 0; i < V; i++)
            assert_int_equal(counts[i] > 0, logits[i] >= sorted[k - 1]);
    }
}

static void top_p_keeps_the_fewest_that_reach_p(void **state) {
    (void)state;
    float logits[V], sorted[V];
    int counts[V];
    fill(logits);
    memcpy(sorted, logits, sizeof sorted);
    qsort(sorted, V, sizeof *sorted, descending);
    for (float p = 0.15f; p < 0.95f; p += 0.2f) {
        double total = 0, kept = 0;
        int n = 0;
        for (int i = 0; i < V; i++)
            total += exp(sorted[i]);
        while (kept < p * total)
            kept += exp(sorted[n++]);
        mote_sampler_options options = plain;
        options.top_p = p;
        options.temperature = 3; /* after the filter: makes every kept one common */
        draw(&options, logits, 50000, counts);
        for (int i = 0; i < V; i++)
            assert_int_equal(counts[i] > 0, logits[i] >= sorted[n - 1]);
    }
}

static void min_p_keeps_what_is_near_the_best(void **state) {
    (void)state;
    float logits[V];
    int counts[V];
    fill(logits);
    float best = -FLT_MAX;
    for (int i = 0; i < V; i++)
        best = fmaxf(best, logits[i]);
    mote_sampler_options options = plain;
    options.min_p = 0.1f;
    options.temperature = 3;
    draw(&options, logits, 50000, counts);
    for (int i = 0; i < V; i++)
        assert_int_equal(counts[i] > 0, expf(logits[i] - best) >= 0.1f);
}

static void repeat_penalty_counts_a_token_once_and_forgets(void **state) {
    (void)state;
    mote_sampler sampler;
    mote_sampler_options options = {.temperature = 0, .top_p = 1, .repeat_penalty = 2, .n_repeat = 4};
    float logits[V] = {[5] = 3, [6] = 2, [7] = 1};
    mote_token recent[] = {5, 5, 5, -1, V, 6}, token;
    mote_sampler_open(&sampler, &options);
    /* of the last four, 5 is penalized once (1.5) and 6 once (1): 5 is still the best */
    assert_int_equal(mote_sample(&sampler, logits, V, recent, 6, work, sizeof work, &token), MOTE_OK);
    assert_int_equal(token, 5);
    logits[6] = 3.5f; /* 1.75 */
    assert_int_equal(mote_sample(&sampler, logits, V, recent, 6, work, sizeof work, &token), MOTE_OK);
    assert_int_equal(token, 6);
    sampler.options.n_repeat = 1; /* only 6 is remembered: 1.75 against 3 */
    assert_int_equal(mote_sample(&sampler, logits, V, recent, 6, work, sizeof work, &token), MOTE_OK);
    assert_int_equal(token, 5);
}

static void the_same_seed_draws_the_same(void **state) {
    (void)state;
    mote_sampler a, b, c;
    mote_sampler_options options = plain, other = plain;
    float logits[V];
    int different = 0;
    fill(logits);
    other.seed = 1;
    mote_sampler_open(&a, &options);
    mote_sampler_open(&b, &options);
    mote_sampler_open(&c, &other);
    for (int i = 0; i < 500; i++) {
        mote_token token = pick(&a, logits);
        assert_int_equal(token, pick(&b, logits));
        different += token != pick(&c, logits);
    }
    assert_true(different > 100);
}

static void odd_inputs_are_defined(void **state) {
    (void)state;
    mote_sampler sampler;
    mote_sampler_options options = plain;
    float logits[V] = {0}, infinite[V] = {[9] = INFINITY, [4] = -INFINITY};
    mote_token token = -7;
    mote_sampler_open(&sampler, &options);
    assert_int_equal(mote_sample(&sampler, logits, V, NULL, 0, work, mote_sample_plan(V) - 1, &token),
                     MOTE_E_MEMORY);
    assert_int_equal(mote_sample(&sampler, logits, 0, NULL, 0, work, sizeof work, &token), MOTE_E_ARGUMENT);
    assert_int_equal(token, -7);
    assert_int_equal(pick(&sampler, infinite), 9);
    for (int i = 0; i < V; i++)
        infinite[i] = -INFINITY;
    assert_int_equal(pick(&sampler, infinite), 0);
    for (int i = 0; i < V; i++)
        infinite[i] = i == 20 ? 1 : NAN;
    assert_int_equal(pick(&sampler, infinite), 20);
    sampler.options.top_p = 0; /* the best one always stays */
    logits[8] = 1;
    assert_int_equal(pick(&sampler, logits), 8);
    sampler.options.top_p = 1;
    sampler.options.min_p = 2;
    assert_int_equal(pick(&sampler, logits), 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_takes_the_best_and_the_lower_id_of_equals),
        cmocka_unit_test(draws_follow_the_probabilities),
        cmocka_unit_test(top_k_keeps_the_best_k),
        cmocka_unit_test(top_p_keeps_the_fewest_that_reach_p),
        cmocka_unit_test(min_p_keeps_what_is_near_the_best),
        cmocka_unit_test(repeat_penalty_counts_a_token_once_and_forgets),
        cmocka_unit_test(the_same_seed_draws_the_same),
        cmocka_unit_test(odd_inputs_are_defined),
    };
    return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
