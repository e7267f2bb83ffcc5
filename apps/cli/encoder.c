/* SPDX-License-Identifier: Apache-2.0
 *
 * encoder.c: opens an encoder and makes sequences of tokens from texts (encoder.h); encoder_window.c encodes
 * them.
 *
 * A text much longer than the context is not tokenized to its end: a part that ends before white space is,
 * four times as long each time, until it has more tokens than there is room for. What comes behind white
 * space does not change the tokens before it, so they are the first of the whole text. */
#include <stdlib.h>
#include <string.h>

#include "apps/cli/encoder.h"
#include "apps/cli/encoder_window.h"

enum { DEFAULT_BATCH = 64, BYTES_PER_TOKEN = 16 };

/* A context's memory goes with its rows and its sequences, each of which may leave a page half empty; and most texts
 * are short. So it begins with few of both, and grows when a text needs more. */
enum { FIRST_ROWS = 128, ROWS_PER_TEXT = 16, TEXTS = 16 };

#define AT(member) offsetof(struct cli_encoding, member)
const struct cli_option cli_encoding_options[] = {
    CLI_OPTION("prefix", 0, "TEXT", CLI_TEXT, AT(prefix), 0, 0,
               "put TEXT before every text (\"query: \" for e5, …)"),
    CLI_OPTION("batch", 0, "N", CLI_COUNT, AT(n_batch), 1, CLI_MOST_BATCH,
               "texts encoded at once, at most (default 64); changes no result"),
    CLI_OPTION("context", 'c', "N", CLI_COUNT, AT(runtime.positions), 0, 1 << 24,
               "most tokens of a text (default: the model's own, at most 4096; 0: its own)"),
    CLI_OPTION("threads", 't', "N", CLI_COUNT, AT(runtime.threads), 1, 1024,
               "threads (default: physical cores)"),
    CLI_OPTION("cpu", 0, "LEVEL", CLI_LEVEL, AT(runtime.cpu), 0, 0,
               "limit the instruction set: scalar, avx2, avxvnni, avx512, avx512vnni"),
    CLI_OPTION("stats", 0, NULL, CLI_FLAG, AT(stats), 0, 0, "print times, speeds and peak memory to stderr"),
    CLI_OPTION("quiet", 0, NULL, CLI_FLAG, AT(quiet), 0, 0, "no progress and no notes on stderr"),
    CLI_OPTION("yes", 'y', NULL, CLI_FLAG, AT(yes), 0, 0, "pull the model without asking"),
    {0}};
#undef AT

struct cli_encoding cli_encoding_defaults(void) {
    return (struct cli_encoding){.runtime = cli_runtime_defaults(), .n_batch = DEFAULT_BATCH};
}

static const char *const poolings[] = {"none", "mean", "cls", "last", NULL}; /* by their numbers */

int cli_pooling_parse(const char *text, mote_pooling *pooling) {
    int number, found = cli_choose(poolings, text, &number);
    if (found) *pooling = (mote_pooling)number;
    return found;
}

const char *cli_pooling_name(mote_pooling pooling) {
    return (unsigned)pooling <= MOTE_POOLING_LAST ? poolings[pooling] : "unknown";
}

int cli_encoder_fail(const struct cli_encoder *encoder, uint64_t index, int code, const char *text) {
    if (index == CLI_FIRST_OF_PAIR) return cli_fail(code, "the first text of the pairs: %s", text);
    if (encoder->source)
        return cli_fail(code, "%s:%llu: %s", encoder->source, (unsigned long long)index + 1, text);
    return cli_fail(code, "text %llu: %s", (unsigned long long)index + 1, text);
}

/* ---- opening ---- */

/* The special tokens are those of the empty text. */
static int find_frame(struct cli_encoder *encoder) {
    const mote_model_info *info = &encoder->model.info;
    mote_token *tokens = NULL;
    size_t n = 0;
    int code =
        cli_model_tokenize(&encoder->model, (mote_text){"", 0}, MOTE_TOKENIZE_ADD_SPECIAL, &tokens, &n);
    if (code) return code;
    int is_bert = info->tokenizer.n == 4 && !memcmp(info->tokenizer.data, "bert", 4);
    encoder->frame = (struct cli_frame){.before = info->add_bos && n ? tokens[0] : MOTE_TOKEN_NONE,
                                        .after = info->add_eos && n ? tokens[n - 1] : MOTE_TOKEN_NONE};
    if (info->add_eos && n) encoder->frame.n_between = is_bert ? 1 : 2;
    free(tokens);
    return CLI_OK;
}

static int needs_encoder(const struct cli_model *model) {
    if (model->info.is_encoder) return CLI_OK;
    return cli_fail(CLI_MODEL,
                    "%s: it is a language model, not an encoder: it continues texts (mote run, mote chat)",
                    model->path);
}

static mote_context_options size_context(const struct cli_encoder *encoder, size_t n_rows) {
    uint32_t most = encoder->n_positions, n = n_rows < most ? (uint32_t)n_rows : most;
    uint32_t n_texts = n / ROWS_PER_TEXT + 1;
    if (n_texts > TEXTS) n_texts = TEXTS;
    return (mote_context_options){
        .n_positions = n, .n_rows = n, .n_sessions = n_texts < encoder->n_batch ? n_texts : encoder->n_batch};
}

int cli_encoder_grow(struct cli_encoder *encoder, size_t n_tokens) {
    size_t n_rows = encoder->n_rows;
    if (n_tokens <= encoder->model.n_positions) return CLI_OK;
    while (n_rows < n_tokens)
        n_rows *= 2;
    mote_context_options context = size_context(encoder, n_rows);
    encoder->n_rows = context.n_rows;
    return cli_model_restart(&encoder->model, &context);
}

int cli_encoder_open(struct cli_encoder *encoder, const char *name, const struct cli_encoding *options) {
    struct cli_model *model = &encoder->model;
    int code = cli_model_open(model, name, options->yes);
    if (!code) code = cli_model_needs_weights(model);
    if (!code) code = needs_encoder(model);
    if (!code) code = cli_model_needs_tokenizer(model);
    if (!code) code = find_frame(encoder);
    if (!code) code = cli_model_positions(model, &options->runtime, &encoder->n_positions);
    const struct cli_frame *frame = &encoder->frame;
    size_t least = (frame->before >= 0) + (frame->after >= 0) + frame->n_between + 2;
    if (!code && encoder->n_positions < least)
        code = cli_fail(CLI_USAGE, "-c %u: %zu tokens are needed at least", (unsigned)encoder->n_positions,
                        least);
    encoder->prefix = options->prefix;
    encoder->n_batch = options->n_batch;
    mote_context_options context = size_context(encoder, FIRST_ROWS);
    encoder->n_rows = context.n_rows;
    mote_posix_code_forget();
    return code ? code : cli_model_start(model, &options->runtime, &context);
}

void cli_encoder_close(struct cli_encoder *encoder) {
    cli_window_close(encoder);
    mote_posix_block_close(encoder->work, encoder->work_bytes);
    free(encoder->list);
    free(encoder->first);
    cli_buffer_close(&encoder->joined);
    cli_model_close(&encoder->model);
    *encoder = (struct cli_encoder){0};
}

/* ---- texts to tokens ---- */

/* Memory to tokenize n_text bytes. */
static int make_room(struct cli_encoder *encoder, size_t n_text) {
    uint64_t work_bytes;
    size_t most;
    mote_tokenize_plan(encoder->model.model, n_text, &work_bytes, &most);
    if (work_bytes > encoder->work_bytes) {
        mote_posix_block_close(encoder->work, encoder->work_bytes);
        encoder->work_bytes = 0;
        encoder->work = mote_posix_block_open(work_bytes);
        if (!encoder->work) return CLI_MEMORY;
        encoder->work_bytes = work_bytes;
    }
    if (most > encoder->list_room) {
        mote_token *list =
            most < SIZE_MAX / sizeof *list ? realloc(encoder->list, most * sizeof *list) : NULL;
        if (!list) return CLI_MEMORY;
        encoder->list = list;
        encoder->list_room = most;
    }
    return CLI_OK;
}

static int is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The length of the part of text that ends before the first white space at or behind `least`. */
static size_t part(mote_text text, size_t least) {
    if (least >= text.n) return text.n;
    while (least < text.n && !is_space(text.data[least]))
        least++;
    while (least > 0 && least < text.n && is_space(text.data[least - 1]))
        least--;
    return least;
}

int cli_encoder_tokenize(struct cli_encoder *encoder, mote_text text, size_t most, uint64_t index, size_t *n,
                         int *cut) {
    for (size_t least = most * BYTES_PER_TOKEN;; least *= 4) {
        mote_text now = {text.data, part(text, least)};
        mote_error error = {0};
        if (make_room(encoder, now.n))
            return cli_encoder_fail(encoder, index, CLI_MEMORY, "not enough memory to tokenize it");
        if (mote_tokenize(encoder->model.model, now, 0, encoder->work, encoder->work_bytes, encoder->list,
                          encoder->list_room, n, &error))
            return cli_encoder_fail(encoder, index, cli_status_code(error.status),
                                    error.text[0] ? error.text : mote_status_text(error.status));
        *cut = *n > most;
        if (*cut) *n = most;
        if (*cut || now.n == text.n) return CLI_OK;
    }
}

int cli_encoder_first(struct cli_encoder *encoder, mote_text first) {
    const struct cli_frame *frame = &encoder->frame;
    size_t around = (frame->before >= 0) + frame->n_between + (frame->after >= 0);
    size_t most = (encoder->n_positions - around) / 2, n = 0;
    int cut = 0, code = cli_encoder_tokenize(encoder, first, most, CLI_FIRST_OF_PAIR, &n, &cut);
    if (code) return code;
    free(encoder->first);
    encoder->first = malloc((n + 1) * sizeof *encoder->first);
    if (!encoder->first) return cli_fail(CLI_MEMORY, "not enough memory");
    if (n) memcpy(encoder->first, encoder->list, n * sizeof *encoder->first);
    encoder->n_first = n;
    encoder->is_pair = 1;
    if (cut) encoder->first_cut = 1;
    return CLI_OK;
}
