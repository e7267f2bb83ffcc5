/* SPDX-License-Identifier: Apache-2.0
 *
 * generate.c: streams an answer.
 *
 *     prompt ─ common prefix with the session is kept ─ the rest is fed in chunks ─ logits
 *     logits ─ sample ─ token ─ detokenize ─ hold back what may become a stop string ─ out
 *                         └─ feed, and guesses of what follows with it ─ logits …
 *
 * The prompt goes in chunks of about a fifth of a second, so that Ctrl-C is noticed between them; by the
 * library's promise the logits do not depend on where it was cut.
 *
 * Guesses (draft.h) stand at the end of the session, n_ahead of them, until the sampler has chosen the same
 * tokens from the logits before them, or another: then they are forgotten. Every token is chosen from the
 * same logits, after the same tokens and by the same random number as without guesses.
 *
 *     session   … a b | c d e      c d e guessed, a b chosen
 *     logits          0 1 2 3      the sampler chooses c from 0, d from 1, x from 2
 *     session   … a b c d          e goes, x is fed next
 *
 * When the context is full and a shift is wanted, the first n_keep tokens (the system prompt) stay, the older
 * half of the others is dropped, and the newer half is computed again at its new positions. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/cli/generate.h"
#include "apps/cli/print.h"

enum { LEAST_CHUNK = 8, MOST_CHUNK = 128 };

int cli_seed(uint64_t *seed) {
    while (!*seed)
        if (getentropy(seed, sizeof *seed))
            return cli_fail(CLI_FAILED, "no random numbers for a seed: %s", strerror(errno));
    return CLI_OK;
}

int cli_generator_open(struct cli_generator *generator, const struct cli_model *model,
                       const struct cli_sampling *sampling) {
    *generator = (struct cli_generator){.model = model, .sampling = sampling, .chunk = MOST_CHUNK / 4};
    generator->sample_bytes = mote_sample_plan(model->info.n_vocab);
    generator->max_piece = mote_detokenize_max(model->model);
    generator->sample_work = mote_posix_block_open(generator->sample_bytes);
    generator->piece = malloc(generator->max_piece + 1);
    if (!generator->sample_work || !generator->piece)
        return cli_fail(CLI_MEMORY, "not enough memory to sample");
    mote_sampler_open(&generator->sampler, &sampling->sampler);
    mote_status status = mote_session_open(model->context, &generator->session);
    if (status) return cli_fail(cli_status_code(status), "%s", mote_status_text(status));
    return cli_draft_open(&generator->draft, model, sampling);
}

void cli_generator_close(struct cli_generator *generator) {
    cli_draft_close(&generator->draft);
    if (generator->session) mote_session_close(generator->session);
    mote_posix_block_close(generator->sample_work, generator->sample_bytes);
    free(generator->piece);
    cli_buffer_close(&generator->held);
    *generator = (struct cli_generator){0};
}

/* Feeds tokens at the end of the session; logits for the last. */
static int feed(struct cli_generator *generator, const mote_token *tokens, size_t n) {
    mote_row rows[MOST_CHUNK];
    mote_error error = {0};
    double before = n > 1 ? cli_clock() : 0;
    for (size_t at = 0; at < n;) {
        if (cli_interrupted) return CLI_INTERRUPTED;
        size_t n_rows = n - at < generator->chunk ? n - at : generator->chunk;
        for (size_t i = 0; i < n_rows; i++)
            rows[i] = (mote_row){generator->session, tokens[at + i], at + i + 1 == n};
        if (mote_context_step(generator->model->context, rows, n_rows, &error))
            return cli_model_fail(generator->model, &error);
        at += n_rows;
        if (at == n) break;
        double now = cli_clock();
        if (now - before < 0.1 && generator->chunk < MOST_CHUNK) generator->chunk *= 2;
        if (now - before > 0.3 && generator->chunk > LEAST_CHUNK) generator->chunk /= 2;
        before = now;
    }
    return CLI_OK;
}

/* Makes room by forgetting the older half of what is not kept. */
static int shift(struct cli_generator *generator) {
    mote_session *session = generator->session;
    uint32_t length = mote_session_length(session), keep = generator->n_keep;
    uint32_t room = generator->model->n_positions;
    if (keep >= room - 1) keep = room / 2; /* a system prompt as long as the context cannot all stay */
    if (keep > length) keep = 0;
    uint32_t n_tail = (length - keep) / 2;
    mote_token *tail = malloc((n_tail + 1) * sizeof *tail);
    if (!tail) return cli_fail(CLI_MEMORY, "not enough memory to shift the context");
    memcpy(tail, mote_session_tokens(session) + (length - n_tail), n_tail * sizeof *tail);
    mote_status status = mote_session_truncate(session, keep);
    int code = status ? cli_fail(CLI_FAILED, "context shift: %s", mote_status_text(status))
                      : feed(generator, tail, n_tail);
    free(tail);
    return code;
}

/* The prompt: keeps what the session already holds of it and feeds the rest. Its last token is always fed, as
 * its logits are wanted. A prompt that is too long loses its middle when a shift is wanted. */
static int feed_prompt(struct cli_generator *generator, const mote_token *prompt, size_t n) {
    uint32_t room = generator->model->n_positions, length = mote_session_length(generator->session);
    size_t n_head = n, skipped = 0;
    if (n > room) {
        if (!generator->sampling->shift)
            return cli_fail(CLI_CONTEXT,
                            "the prompt has %zu tokens, the context %u (-c sets it; --context-shift drops "
                            "the oldest)",
                            n, (unsigned)room);
        n_head = generator->n_keep < room / 2 ? generator->n_keep : room / 2;
        skipped = n - n_head - (room - n_head + 1) / 2;
        fprintf(stderr, "mote: the prompt has %zu tokens, the context %u: left out %zu after the first %zu\n",
                n, (unsigned)room, skipped, n_head);
    }
    const mote_token *held = mote_session_tokens(generator->session);
    uint32_t common = 0;
    while (common < length && common < n_head && common + 1 < n && held[common] == prompt[common])
        common++;
    mote_status status = mote_session_truncate(generator->session, common);
    if (status) return cli_fail(CLI_FAILED, "%s", mote_status_text(status));
    generator->stats.n_cached = common;
    generator->stats.n_prompt = n - skipped - common;
    if (n_head == n) return feed(generator, prompt + common, n - common);
    int code = feed(generator, prompt + common, n_head - common);
    return code ? code : feed(generator, prompt + n_head + skipped, n - n_head - skipped);
}

/* Writes text out at once, and to the answer. */
static int emit(FILE *out, struct cli_buffer *answer, const char *text, size_t n) {
    if (!n) return CLI_OK;
    if (answer && !cli_buffer_append(answer, text, n)) return cli_fail(CLI_MEMORY, "not enough memory");
    int written = isatty(fileno(out)) ? cli_print_answer(out, text, n) : fwrite(text, 1, n, out) == n;
    if (written && !fflush(out)) return CLI_OK;
    return errno == EPIPE ? CLI_FAILED : cli_fail(CLI_FAILED, "cannot write: %s", strerror(errno));
}

/* Looks for stop strings in the held text. Returns how many bytes may go out; *found: a stop string follows
 * them. Otherwise they end where the longest possible beginning of a stop string begins. */
static size_t clear_of_stops(const struct cli_buffer *held, const struct cli_texts *stops, int *found) {
    size_t first = held->n;
    *found = 0;
    for (size_t i = 0; i < stops->n && held->n; i++) {
        const char *at = memmem(held->data, held->n, stops->list[i], strlen(stops->list[i]));
        if (!at || (*found && (size_t)(at - held->data) >= first)) continue;
        first = (size_t)(at - held->data);
        *found = 1;
    }
    if (*found) return first;
    for (size_t i = 0; i < stops->n; i++) {
        size_t n = strlen(stops->list[i]) - 1;
        if (n > held->n) n = held->n;
        while (n && memcmp(held->data + held->n - n, stops->list[i], n) != 0)
            n--;
        if (held->n - n < first) first = held->n - n;
    }
    return first;
}

/* Takes n more bytes of text; lets out what is clear of stop strings. */
static int push(struct cli_generator *generator, size_t n, FILE *out, struct cli_buffer *answer,
                int *stopped) {
    struct cli_buffer *held = &generator->held;
    if (!cli_buffer_append(held, generator->piece, n)) return cli_fail(CLI_MEMORY, "not enough memory");
    size_t clear = clear_of_stops(held, &generator->sampling->stops, stopped);
    int code = emit(out, answer, held->data, clear);
    if (held->n) memmove(held->data, held->data + clear, held->n - clear);
    held->n -= clear;
    return code;
}

/* Tokens of the session that were chosen. */
static uint32_t chosen(const struct cli_generator *generator) {
    return mote_session_length(generator->session) - generator->n_ahead;
}

/* Forgets the guesses that nothing has come of. */
static int forget(struct cli_generator *generator) {
    mote_status status = mote_session_truncate(generator->session, chosen(generator));
    generator->n_ahead = 0;
    return status ? cli_fail(CLI_FAILED, "%s", mote_status_text(status)) : CLI_OK;
}

/* Gets the logits after token: they are there if it was guessed; else it is fed, and new guesses with it, of
 * which at most n_left can be of use. */
static int advance(struct cli_generator *generator, mote_token token, uint32_t n_left) {
    struct cli_draft *draft = &generator->draft;
    mote_session *session = generator->session;
    if (generator->n_ahead && mote_session_tokens(session)[chosen(generator)] == token) {
        generator->n_ahead--;
        generator->stats.n_right++;
        return CLI_OK;
    }
    cli_draft_learn(draft, generator->n_guesses, generator->n_guesses - generator->n_ahead);
    generator->n_guesses = 0;
    int code = forget(generator);
    if (code) return code;
    mote_token guesses[CLI_DRAFT_MOST];
    uint32_t n, room = generator->model->n_positions - mote_session_length(session) - 1;
    code = cli_draft_guess(draft, session, token, n_left < room ? n_left : room, guesses, &n);
    if (code) return code;
    mote_row rows[1 + CLI_DRAFT_MOST] = {{session, token, 1}};
    for (uint32_t i = 0; i < n; i++)
        rows[1 + i] = (mote_row){session, guesses[i], 1};
    mote_error error = {0};
    double start = cli_clock();
    if (mote_context_step(generator->model->context, rows, 1 + n, &error))
        return cli_model_fail(generator->model, &error);
    cli_draft_took(draft, n, cli_clock() - start);
    generator->n_guesses = generator->n_ahead = n;
    generator->stats.n_guessed += n;
    return CLI_OK;
}

/* The next token, chosen from the logits after those that were chosen before. */
static int choose(struct cli_generator *generator, mote_token *token) {
    const struct cli_model *model = generator->model;
    const float *logits = mote_context_logits(model->context, generator->n_guesses - generator->n_ahead);
    mote_status status =
        mote_sample(&generator->sampler, logits, model->info.n_vocab, mote_session_tokens(generator->session),
                    chosen(generator), generator->sample_work, generator->sample_bytes, token);
    return status ? cli_fail(cli_status_code(status), "sampling: %s", mote_status_text(status)) : CLI_OK;
}

/* One token after the other until something ends the answer. */
static int decode(struct cli_generator *generator, mote_detokenizer *state, FILE *out,
                  struct cli_buffer *answer) {
    const struct cli_model *model = generator->model;
    const struct cli_sampling *sampling = generator->sampling;
    uint32_t most = sampling->most ? sampling->most : UINT32_MAX;
    for (uint32_t n_made = 0;; n_made++) {
        if (cli_interrupted) return CLI_INTERRUPTED;
        if (n_made && chosen(generator) == model->n_positions && !sampling->shift)
            return generator->end = CLI_END_CONTEXT, CLI_OK;
        mote_token token;
        int stopped = 0, code = choose(generator, &token);
        if (code) return code;
        if (mote_token_is_end(model->model, token)) return generator->end = CLI_END_OF_ANSWER, CLI_OK;
        generator->stats.n_decoded++;
        size_t n;
        mote_status status =
            mote_detokenize(model->model, state, token, generator->piece, generator->max_piece, &n);
        if (status) return cli_fail(cli_status_code(status), "detokenizing: %s", mote_status_text(status));
        code = push(generator, n, out, answer, &stopped);
        if (!n_made) generator->stats.first_seconds = cli_clock() - generator->started;
        if (code) return code;
        if (stopped) {
            generator->held.n = 0;
            return generator->end = CLI_END_STOP, CLI_OK;
        }
        if (n_made + 1 == sampling->most) return generator->end = CLI_END_MOST, CLI_OK;
        if (chosen(generator) == model->n_positions) {
            if (!sampling->shift) continue;
            if ((code = shift(generator))) return code;
        }
        if ((code = advance(generator, token, most - n_made - 2))) return code;
    }
}

int cli_generate(struct cli_generator *generator, const mote_token *prompt, size_t n, FILE *out,
                 struct cli_buffer *answer) {
    mote_detokenizer state = {.started = generator->keep_space != 0};
    generator->stats = (struct cli_stats){0};
    generator->end = CLI_END_OF_ANSWER;
    generator->held.n = 0;
    generator->n_guesses = generator->n_ahead = 0;
    generator->started = cli_clock();
    int code = feed_prompt(generator, prompt, n);
    if (code) return code;
    double fed = cli_clock();
    generator->stats.prompt_seconds = fed - generator->started;
    code = decode(generator, &state, out, answer);
    generator->stats.decode_seconds = cli_clock() - fed;
    if (forget(generator) && !code) code = CLI_FAILED;
    if (code && code != CLI_INTERRUPTED) return code;
    if (generator->end == CLI_END_STOP) return code;
    size_t n_text;
    int failed = emit(out, answer, generator->held.data, generator->held.n);
    if (!failed && !mote_detokenize_end(&state, 0, generator->piece, generator->max_piece, &n_text))
        failed = emit(out, answer, generator->piece, n_text);
    if (generator->end == CLI_END_CONTEXT)
        fprintf(stderr,
                "mote: the context of %u tokens is full, the answer stops here (see -c and "
                "--context-shift)\n",
                (unsigned)generator->model->n_positions);
    return failed ? failed : code;
}

static double rate(uint64_t n, double seconds) {
    return seconds > 0 ? (double)n / seconds : 0;
}

void cli_stats_print(const struct cli_generator *generator) {
    const struct cli_stats *stats = &generator->stats;
    char peak[16];
    fprintf(stderr,
            "load                %10.1f ms\n"
            "time to first token %10.1f ms\n"
            "prompt              %10.1f tokens/s  (%llu computed, %llu from the cache)\n"
            "decode              %10.1f tokens/s  (%llu)\n"
            "guessed ahead       %10llu tokens    (%llu right)\n"
            "peak memory         %10s\n"
            "seed                %10llu\n",
            generator->model->load_seconds * 1e3, stats->first_seconds * 1e3,
            rate(stats->n_prompt, stats->prompt_seconds), (unsigned long long)stats->n_prompt,
            (unsigned long long)stats->n_cached, rate(stats->n_decoded, stats->decode_seconds),
            (unsigned long long)stats->n_decoded, (unsigned long long)stats->n_guessed,
            (unsigned long long)stats->n_right, cli_size(mote_posix_peak_bytes(), peak),
            (unsigned long long)generator->sampling->sampler.seed);
}
