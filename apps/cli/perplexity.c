/* SPDX-License-Identifier: Apache-2.0
 *
 * perplexity.c: `mote perplexity`: how well a model predicts a text, and a digest of every logit on the way.
 *
 * The text's tokens are cut into windows of N (-c); what is left over at the end is not used, unless it is
 * all there is. Where the model adds BOS, the first token of each window is replaced by it. Each window is
 * computed from an empty cache; the predictions made at its positions N/2 … N−2, which have at least N/2
 * tokens before them, are scored:
 *
 *     perplexity = exp(mean of −ln p(token[i+1] | token[0 … i]))      ± its standard error
 *
 * These are the windows and positions of llama.cpp's tool of this name, so that numbers can be compared.
 *
 * How the rows are computed is free, and by the same-bits law changes nothing: --rows at once, --sessions
 * windows side by side in one batch, --cached with the first half of each window coming from a session that
 * was forked (and went on with another token, which must not show). */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/digest.h"
#include "apps/cli/model.h"

enum { MOST_SESSIONS = 64, MOST_ROWS = 4096, DEFAULT_WINDOW = 512, PAGE = 64 };

struct request {
    const char *file, *ids, *dump;
    uint32_t n_tokens, n_rows, n_sessions;
    int cached, digest, yes;
    struct cli_runtime runtime;
};

#define AT(member) offsetof(struct request, member)
static const struct cli_option own_options[] = {
    CLI_OPTION("file", 'f', "FILE", CLI_TEXT, AT(file), 0, 0, "the text (-: stdin)"),
    CLI_OPTION("ids", 0, "FILE", CLI_TEXT, AT(ids), 0, 0, "token ids in its place, used exactly as given"),
    CLI_OPTION("tokens", 0, "N", CLI_COUNT, AT(n_tokens), 1, UINT32_MAX, "use only the first N tokens"),
    CLI_OPTION("logits-sha256", 0, NULL, CLI_FLAG, AT(digest), 0, 0, "print the SHA-256 of all logits"),
    CLI_OPTION("dump", 0, "FILE", CLI_TEXT, AT(dump), 0, 0,
               "write all logits: little-endian f32 [tokens, V]"),
    CLI_OPTION("rows", 0, "N", CLI_COUNT, AT(n_rows), 1, MOST_ROWS, "rows computed at once (default 128)"),
    CLI_OPTION("sessions", 0, "N", CLI_COUNT, AT(n_sessions), 1, MOST_SESSIONS,
               "windows computed side by side (default 1)"),
    CLI_OPTION("cached", 0, NULL, CLI_FLAG, AT(cached), 0, 0,
               "take the first half of each window from a forked session"),
    CLI_OPTION("yes", 'y', NULL, CLI_FLAG, AT(yes), 0, 0, "pull the model without asking"),
    {0}};
#undef AT

/* Where all logits go, in the order of the tokens. */
struct sink {
    struct cli_digest digest;
    FILE *dump;
    const char *dump_path;
    int wanted, digested;
};

struct work {
    const struct request *request;
    struct cli_model model;
    struct sink sink;
    mote_token *tokens;
    size_t n_tokens;
    uint32_t window, half, n_windows; /* T, T/2 */
    mote_row *rows;                   /* [n_rows] */
    float *kept;    /* [n_sessions − 1, T, V] logits that come before their turn in the order of tokens */
    double *losses; /* [n_windows, T − 1 − T/2] */
    struct cli_progress progress;
};

/* ---- the tokens ---- */

static int parse_ids(struct work *work, const char *path) {
    struct cli_buffer text = {0};
    int code = cli_buffer_read_path(&text, path);
    if (!code && !cli_buffer_append(&text, "", 1)) code = cli_fail(CLI_MEMORY, "not enough memory");
    if (!code) work->tokens = malloc((text.n / 2 + 1) * sizeof *work->tokens);
    if (!code && !work->tokens) code = cli_fail(CLI_MEMORY, "not enough memory");
    for (char *rest = text.data, *word; !code && work->tokens && (word = strsep(&rest, " \t\r\n"));) {
        uint64_t id;
        if (!*word) continue;
        if (!cli_parse_count(word, 0, work->model.info.n_vocab - 1, &id))
            code = cli_fail(CLI_FAILED, "%s: '%.20s' is not the id of a token", path, word);
        else
            work->tokens[work->n_tokens++] = (mote_token)id;
    }
    cli_buffer_close(&text);
    return code;
}

static int read_tokens(struct work *work) {
    const struct request *request = work->request;
    if (request->ids) return parse_ids(work, request->ids);
    struct cli_buffer text = {0};
    int code = cli_model_needs_tokenizer(&work->model);
    if (!code) code = cli_buffer_read_path(&text, request->file);
    if (!code)
        code = cli_model_tokenize(&work->model, (mote_text){text.data, text.n}, MOTE_TOKENIZE_ADD_SPECIAL,
                                  &work->tokens, &work->n_tokens);
    cli_buffer_close(&text);
    return code;
}

/* Cuts the tokens into windows. */
static int cut(struct work *work) {
    const mote_model_info *info = &work->model.info;
    uint32_t most = work->request->n_tokens;
    if (most && most < work->n_tokens) work->n_tokens = most;
    if (work->request->runtime.positions == UINT32_MAX)
        work->window = info->n_context < DEFAULT_WINDOW ? info->n_context : DEFAULT_WINDOW;
    else {
        int code = cli_model_positions(&work->model, &work->request->runtime, &work->window);
        if (code) return code;
    }
    if (work->n_tokens < work->window) work->window = (uint32_t)work->n_tokens;
    if (work->window < 4)
        return cli_fail(CLI_USAGE, "perplexity: a window of %u tokens is too short, 4 are needed",
                        (unsigned)work->window);
    work->half = work->window / 2;
    size_t n_windows = work->n_tokens / work->window;
    if (n_windows > UINT32_MAX / work->window)
        return cli_fail(CLI_USAGE, "perplexity: too many tokens (see --tokens)");
    work->n_windows = (uint32_t)n_windows;
    for (uint32_t i = 0; !work->request->ids && info->add_bos && info->bos >= 0 && i < work->n_windows; i++)
        work->tokens[(size_t)i * work->window] = info->bos;
    return CLI_OK;
}

/* ---- the logits ---- */

/* Rows as little-endian f32, whatever the machine's order. */
static int sink_row(struct sink *sink, const float *logits, uint32_t n_vocab) {
    for (uint32_t at = 0; at < n_vocab;) {
        unsigned char bytes[4 * 1024];
        uint32_t n = n_vocab - at < 1024 ? n_vocab - at : 1024;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t bits;
            memcpy(&bits, &logits[at + i], 4);
            for (int k = 0; k < 4; k++)
                bytes[4 * i + k] = (unsigned char)(bits >> 8 * k);
        }
        at += n;
        if (sink->digested && cli_digest_add(&sink->digest, bytes, 4 * n))
            return cli_fail(CLI_FAILED, "the digest failed");
        if (sink->dump && fwrite(bytes, 4, n, sink->dump) != n)
            return cli_fail(CLI_FAILED, "%s: %s", sink->dump_path, strerror(errno));
    }
    return CLI_OK;
}

/* −ln of the probability that logits give to token. */
static double loss(const float *logits, uint32_t n_vocab, mote_token token) {
    float most = logits[0];
    double sum = 0;
    for (uint32_t i = 1; i < n_vocab; i++)
        most = logits[i] > most ? logits[i] : most;
    for (uint32_t i = 0; i < n_vocab; i++)
        sum += exp((double)logits[i] - most);
    return log(sum) + most - logits[token];
}

/* What position p of a window predicted; side: the window's place among those computed with it. */
static int take_logits(struct work *work, uint32_t window, uint32_t side, uint32_t p, const float *logits) {
    uint32_t n_vocab = work->model.info.n_vocab;
    const mote_token *tokens = work->tokens + (size_t)window * work->window;
    if (p >= work->half && p + 1 < work->window)
        work->losses[(size_t)window * (work->window - 1 - work->half) + p - work->half] =
            loss(logits, n_vocab, tokens[p + 1]);
    if (!work->sink.wanted) return CLI_OK;
    if (!side) return sink_row(&work->sink, logits, n_vocab);
    memcpy(work->kept + ((size_t)(side - 1) * work->window + p) * n_vocab, logits, n_vocab * sizeof *logits);
    return CLI_OK;
}

/* ---- the rows ---- */

/* Computes positions [from, to) of n windows from `first` on, interleaved: position by position, window by
 * window, in steps of n_rows rows. */
static int compute(struct work *work, mote_session **sessions, uint32_t first, uint32_t n, uint32_t from,
                   uint32_t to) {
    mote_error error = {0};
    uint64_t end = (uint64_t)to * n;
    for (uint64_t at = (uint64_t)from * n; at < end;) {
        if (cli_interrupted) return CLI_INTERRUPTED;
        uint32_t n_rows = end - at < work->request->n_rows ? (uint32_t)(end - at) : work->request->n_rows;
        for (uint32_t i = 0; i < n_rows; i++) {
            uint32_t side = (uint32_t)((at + i) % n), p = (uint32_t)((at + i) / n);
            work->rows[i] =
                (mote_row){sessions[side], work->tokens[(size_t)(first + side) * work->window + p], 1};
        }
        if (mote_context_step(work->model.context, work->rows, n_rows, &error))
            return cli_model_fail(&work->model, &error);
        for (uint32_t i = 0; i < n_rows; i++) {
            uint32_t side = (uint32_t)((at + i) % n), p = (uint32_t)((at + i) / n);
            int code = take_logits(work, first + side, side, p, mote_context_logits(work->model.context, i));
            if (code) return code;
        }
        at += n_rows;
        cli_progress_move(&work->progress, (uint64_t)first * work->window + at);
    }
    return CLI_OK;
}

/* Replaces each session by a fork of its first half; the original goes on with a token of its own. */
static int fork_half(struct work *work, mote_session **sessions, mote_session **originals, uint32_t n) {
    mote_error error = {0};
    for (uint32_t i = 0; i < n; i++) {
        mote_session *fork;
        mote_status status = mote_session_fork(sessions[i], work->half, &fork);
        if (status) return cli_fail(cli_status_code(status), "fork: %s", mote_status_text(status));
        originals[i] = sessions[i];
        sessions[i] = fork;
        mote_token other = (mote_token)((i + 3) % work->model.info.n_vocab);
        if (mote_session_feed(originals[i], &other, 1, &error)) return cli_model_fail(&work->model, &error);
    }
    return CLI_OK;
}

/* n windows side by side, from `first` on. */
static int compute_windows(struct work *work, uint32_t first, uint32_t n) {
    mote_session *sessions[MOST_SESSIONS] = {0}, *originals[MOST_SESSIONS] = {0};
    int code = CLI_OK;
    for (uint32_t i = 0; i < n && !code; i++) {
        mote_status status = mote_session_open(work->model.context, &sessions[i]);
        if (status) code = cli_fail(cli_status_code(status), "%s", mote_status_text(status));
    }
    uint32_t from = 0;
    if (!code && work->request->cached) {
        code = compute(work, sessions, first, n, 0, work->half);
        if (!code) code = fork_half(work, sessions, originals, n);
        from = work->half;
    }
    if (!code) code = compute(work, sessions, first, n, from, work->window);
    for (uint32_t i = 0; i < n; i++) {
        if (sessions[i]) mote_session_close(sessions[i]);
        if (originals[i]) mote_session_close(originals[i]);
    }
    uint32_t n_vocab = work->model.info.n_vocab;
    for (size_t row = 0; work->sink.wanted && !code && row < (size_t)(n - 1) * work->window; row++)
        code = sink_row(&work->sink, work->kept + row * n_vocab, n_vocab);
    return code;
}

/* ---- the result ---- */

static void print_perplexity(const struct work *work) {
    size_t n = (size_t)work->n_windows * (work->window - 1 - work->half);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        sum += work->losses[i];
        squares += work->losses[i] * work->losses[i];
    }
    double mean = sum / (double)n, variance = squares / (double)n - mean * mean;
    double error = n > 1 && variance > 0 ? sqrt(variance / (double)(n - 1)) * exp(mean) : 0;
    printf("perplexity %.6f ± %.6f\n", exp(mean), error);
    fprintf(stderr, "%zu predictions scored in %u windows of %u tokens\n", n, (unsigned)work->n_windows,
            (unsigned)work->window);
}

static int allocate(struct work *work) {
    size_t n_vocab = work->model.info.n_vocab, n_sessions = work->request->n_sessions;
    work->rows = calloc(work->request->n_rows, sizeof *work->rows);
    work->losses = calloc((size_t)work->n_windows * work->window, sizeof *work->losses);
    if (work->sink.wanted && n_sessions > 1)
        work->kept = calloc((n_sessions - 1) * work->window, n_vocab * sizeof *work->kept);
    if (!work->rows || !work->losses || (work->sink.wanted && n_sessions > 1 && !work->kept))
        return cli_fail(CLI_MEMORY, "not enough memory to keep the logits (fewer --sessions need less)");
    return CLI_OK;
}

static int start(struct work *work) {
    const struct request *request = work->request;
    /* a cached window needs its original beside it; every session may leave a page half empty */
    uint32_t n_sessions = request->n_sessions * (request->cached ? 2 : 1);
    uint64_t n_positions = (uint64_t)n_sessions * (work->window + 2 * PAGE);
    if (n_positions > INT32_MAX) return cli_fail(CLI_USAGE, "perplexity: too many sessions of that length");
    mote_context_options options = {.n_positions = (uint32_t)n_positions,
                                    .n_sessions = n_sessions,
                                    .n_rows = request->n_rows,
                                    .n_logits = request->n_rows,
                                    .kv_type = request->runtime.kv};
    return cli_model_start(&work->model, &request->runtime, &options);
}

static int open_sink(struct sink *sink, const struct request *request) {
    sink->wanted = request->digest || request->dump;
    if (request->digest && cli_digest_open(&sink->digest, CLI_SHA256))
        return cli_fail(CLI_FAILED, "the digest cannot be started");
    sink->digested = request->digest;
    sink->dump_path = request->dump;
    if (request->dump && !(sink->dump = fopen(request->dump, "wbe")))
        return cli_fail(CLI_FAILED, "%s: %s", request->dump, strerror(errno));
    return CLI_OK;
}

static int close_sink(struct sink *sink, int code) {
    char hex[CLI_SHA256_HEX];
    if (sink->dump && fclose(sink->dump) && !code)
        code = cli_fail(CLI_FAILED, "%s: %s", sink->dump_path, strerror(errno));
    if (sink->digested && cli_digest_close(&sink->digest, code ? NULL : hex) && !code)
        code = cli_fail(CLI_FAILED, "the digest failed");
    else if (sink->digested && !code)
        printf("logits-sha256 %s\n", hex);
    return code;
}

static int measure(struct work *work) {
    uint32_t n_sessions = work->request->n_sessions;
    cli_progress_open(&work->progress, "perplexity", "tokens", (uint64_t)work->n_windows * work->window, 0);
    int code = CLI_OK;
    for (uint32_t first = 0; first < work->n_windows && !code; first += n_sessions) {
        uint32_t left = work->n_windows - first;
        code = compute_windows(work, first, left < n_sessions ? left : n_sessions);
    }
    cli_progress_close(&work->progress, !code);
    if (!code) print_perplexity(work);
    return code;
}

int cli_perplexity(int argc, char **argv) {
    struct request request = {.n_rows = 128, .n_sessions = 1, .runtime = cli_runtime_defaults()};
    const struct cli_grammar grammar = {"MODEL -f FILE [OPTIONS]",
                                        "How well a model predicts a text: windows of -c tokens (default "
                                        "512), the second half of each scored.",
                                        {{own_options, &request}, {cli_runtime_options, &request.runtime}},
                                        1,
                                        1};
    char **arguments;
    int n, code = cli_parse(argc, argv, &grammar, &arguments, &n);
    if (code != CLI_PARSED) return code;
    if (!request.file == !request.ids)
        return cli_fail(CLI_USAGE, "perplexity: give a text with -f FILE, or its tokens with --ids FILE");
    struct work work = {.request = &request};
    code = cli_model_open(&work.model, arguments[0], request.yes);
    if (!code) code = cli_model_needs_language(&work.model);
    if (!code) code = read_tokens(&work);
    if (!code) code = cut(&work);
    if (!code) code = open_sink(&work.sink, &request);
    if (!code) code = allocate(&work);
    if (!code) code = start(&work);
    if (!code) code = measure(&work);
    code = close_sink(&work.sink, code);
    cli_model_close(&work.model);
    free(work.tokens);
    free(work.rows);
    free(work.losses);
    free(work.kept);
    return code;
}
