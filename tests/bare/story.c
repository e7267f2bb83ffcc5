/* SPDX-License-Identifier: Apache-2.0
 *
 * story.c: a whole use of mote with nothing under it: open a model, feed a prompt, generate greedily, and
 * print each token and a digest (64-bit FNV-1a) of the bits of all logits on the way. Linked once without
 * any C library (one thread, scalar kernels) and once with one (all threads, all instruction sets), it must
 * print the same. */
#include "tests/bare/bare.h"

enum { N_PROMPT = 11, N_GENERATED = 24 };

static void say(const char *text) {
    size_t n = 0;
    while (text[n])
        n++;
    bare_write(text, n);
}

static void say_number(uint64_t value, unsigned base) {
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    bare_write(digits + at, sizeof digits - at);
}

static int fail(const char *what, mote_status status, const mote_error *error) {
    say(what);
    say(": ");
    say(mote_status_text(status));
    if (error->status) {
        say(": ");
        say(error->text);
    }
    say("\n");
    return 1;
}

static uint64_t digest(uint64_t hash, const float *logits, uint32_t n) {
    const unsigned char *bytes = (const unsigned char *)logits;
    for (size_t i = 0; i < n * sizeof *logits; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

int bare_story(const void *bytes, uint64_t n_bytes, const mote_host *host) {
    mote_error error = {0};
    uint64_t size;
    const mote_model *model;
    mote_status status = mote_model_plan(bytes, n_bytes, &size, &error);
    if (!status) {
        void *block = bare_block(size);
        if (!block) return fail("model block", MOTE_E_MEMORY, &error);
        status = mote_model_open(bytes, n_bytes, block, size, &model, &error);
    }
    if (status) return fail("model", status, &error);
    mote_model_info info;
    mote_model_describe(model, &info);

    mote_context_options options = {.n_positions = N_PROMPT + N_GENERATED, .n_rows = 4};
    mote_context *context;
    mote_session *session;
    status = mote_context_plan(model, &options, host, &size, &error);
    if (!status) {
        void *block = bare_block(size);
        if (!block) return fail("context block", MOTE_E_MEMORY, &error);
        status = mote_context_open(model, &options, host, block, size, &context, &error);
    }
    if (!status) status = mote_session_open(context, &session);
    if (status) return fail("context", status, &error);

    mote_sampler sampler;
    mote_sampler_open(&sampler, &(mote_sampler_options){.top_p = 1, .repeat_penalty = 1});
    size = mote_sample_plan(info.n_vocab);
    void *work = bare_block(size);
    if (!work) return fail("sampler block", MOTE_E_MEMORY, &error);

    mote_token tokens[N_PROMPT];
    for (int i = 0; i < N_PROMPT; i++)
        tokens[i] = (mote_token)((unsigned)i * 37 % info.n_vocab);
    status = mote_session_feed(session, tokens, N_PROMPT, &error);
    uint64_t hash = 0xcbf29ce484222325u;
    for (int i = 0; !status && i < N_GENERATED; i++) {
        const float *logits = mote_context_logits(context, 0);
        mote_token token;
        hash = digest(hash, logits, info.n_vocab);
        status = mote_sample(&sampler, logits, info.n_vocab, NULL, 0, work, size, &token);
        if (status) break;
        say_number((uint64_t)token, 10);
        say(" ");
        status = mote_session_feed(session, &token, 1, &error);
    }
    if (status) return fail("step", status, &error);
    say("\ndigest ");
    say_number(hash, 16);
    say("\n");
    return 0;
}
