/* SPDX-License-Identifier: Apache-2.0
 *
 * sample.c: logits -> a token. The order of the steps is that of the field: repeat penalty, top-k, top-p,
 * min-p, temperature, draw. Candidates leave a heap in order of probability, so that a large vocabulary is
 * never sorted: only the few that the filters let through are taken out. Sources: nucleus (top-p) Holtzman et
 * al. 2019; repeat penalty Keskar et al. 2019 (CTRL); random numbers xoshiro256** and splitmix64, Blackman
 * and Vigna 2018. */
#include "mote/mote.h"

#include "base/math.h"

struct candidate {
    float logit;
    mote_token token;
};

static uint64_t rotate(uint64_t x, int n) {
    return x << n | x >> (64 - n);
}

static uint64_t next_random(uint64_t s[4]) {
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

/* Uniform in [0, 1). */
static float next_uniform(uint64_t state[4]) {
    return (float)(next_random(state) >> 40) * 0x1p-24f;
}

void mote_sampler_open(mote_sampler *sampler, const mote_sampler_options *options) {
    uint64_t x = options->seed;
    sampler->options = *options;
    if (!sampler->options.n_repeat) sampler->options.n_repeat = 64;
    for (int i = 0; i < 4; i++) {
        uint64_t z = x += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        sampler->state[i] = z ^ z >> 31;
    }
}

uint64_t mote_sample_plan(uint32_t n_vocab) {
    return (uint64_t)n_vocab * sizeof(struct candidate);
}

static int before(struct candidate a, struct candidate b) {
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

/* Restores the heap (best candidate at 0) below place i. */
static void sink(struct candidate *heap, uint32_t n, uint32_t i) {
    struct candidate moving = heap[i];
    for (;;) {
        uint64_t child = 2 * (uint64_t)i + 1;
        if (child >= n) break;
        if (child + 1 < n && before(heap[child + 1], heap[child])) child++;
        if (!before(heap[child], moving)) break;
        heap[i] = heap[child];
        i = (uint32_t)child;
    }
    heap[i] = moving;
}

/* Makes what was said recently less likely, once for each different token. */
static void penalize(const mote_sampler_options *options, const mote_token *recent, size_t n_recent,
                     struct candidate *list, uint32_t n_vocab) {
    size_t first = n_recent > options->n_repeat ? n_recent - options->n_repeat : 0;
    for (size_t i = first; i < n_recent; i++) {
        size_t earlier = first;
        while (recent[earlier] != recent[i])
            earlier++;
        if (earlier < i || recent[i] < 0 || (uint32_t)recent[i] >= n_vocab) continue;
        float *logit = &list[recent[i]].logit;
        *logit = *logit > 0 ? *logit / options->repeat_penalty : *logit * options->repeat_penalty;
    }
}

/* Takes candidates out of the heap, best first, until a filter says enough; returns how many. They end up at
 * the end of the list, the best last. */
static uint32_t take(const mote_sampler_options *options, struct candidate *heap, uint32_t n_vocab) {
    float best = heap[0].logit, total = 0, kept = 0;
    if (options->top_p < 1)
        for (uint32_t i = 0; i < n_vocab; i++)
            total += mote_base_exp(heap[i].logit - best);
    uint32_t most = options->top_k && options->top_k < n_vocab ? options->top_k : n_vocab, n = 0;
    while (n < most) {
        struct candidate next = heap[0];
        float p = mote_base_exp(next.logit - best);
        if (n && (p < options->min_p || (options->top_p < 1 && kept >= options->top_p * total))) break;
        uint32_t left = n_vocab - ++n;
        heap[0] = heap[left];
        sink(heap, left, 0);
        heap[left] = next;
        kept += p;
    }
    return n;
}

mote_status mote_sample(mote_sampler *sampler, const float *logits, uint32_t n_vocab,
                        const mote_token *recent, size_t n_recent, void *work, uint64_t work_bytes,
                        mote_token *token) {
    const mote_sampler_options *options = &sampler->options;
    struct candidate *list = work;
    if (!n_vocab) return MOTE_E_ARGUMENT;
    if (work_bytes < mote_sample_plan(n_vocab)) return MOTE_E_MEMORY;
    for (uint32_t i = 0; i < n_vocab; i++)
        list[i] = (struct candidate){logits[i] == logits[i] ? logits[i] : -__builtin_inff(), (mote_token)i};
    if (options->repeat_penalty != 1 && options->repeat_penalty > 0)
        penalize(options, recent, n_recent, list, n_vocab);

    if (!(options->temperature > 0)) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < n_vocab; i++)
            if (before(list[i], list[best])) best = i;
        *token = (mote_token)best;
        return MOTE_OK;
    }
    for (uint32_t i = n_vocab / 2; i-- > 0;)
        sink(list, n_vocab, i);
    if (!(list[0].logit - list[0].logit == 0)) { /* the best is infinite: nothing to draw from */
        *token = list[0].token;
        return MOTE_OK;
    }
    uint32_t n = take(options, list, n_vocab);
    const struct candidate *kept = list + (n_vocab - n); /* [n], the best last */
    float best = kept[n - 1].logit, total = 0;
    for (uint32_t i = n; i-- > 0;)
        total += mote_base_exp((kept[i].logit - best) / options->temperature);
    float drawn = next_uniform(sampler->state) * total, sum = 0;
    *token = kept[n - 1].token;
    for (uint32_t i = n; i-- > 0;) {
        sum += mote_base_exp((kept[i].logit - best) / options->temperature);
        *token = kept[i].token;
        if (drawn < sum) break;
    }
    return MOTE_OK;
}
