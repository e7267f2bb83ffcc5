/* SPDX-License-Identifier: Apache-2.0
 *
 * encoder_window.c: gathers texts, encodes them in batches, hands out what came of them (encoder.h).
 *
 * The results of a window lie in the order in which its texts are encoded, the longest first, so that each
 * batch writes to its place at once:
 *
 *     texts     0    1    2    3    4          as they were added
 *     order     1    4    0    3    2          by length
 *     batches  [1    4] [0    3    2]          as many as have room
 *     vectors   v1   v4   v0   v3   v2
 *     take      v0, v1, v2, v3, v4
 *
 * After Ctrl-C those are handed out that come before the first text without a result. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/encoder_window.h"

/* A window is full when it has so many texts, tokens, or bytes of texts kept. */
enum { MOST_TEXTS = CLI_MOST_BATCH, MOST_TOKENS = 2048, MOST_BYTES = 1 << 20 };

/* Short texts are encoded together up to so many tokens: more would be no faster, and take more memory. */
enum { MOST_ROWS = 256 };

struct entry {
    size_t tokens_at, n_tokens, from, to, n_first;
    size_t text_at, n_text;
    size_t vector_at, labels_at; /* in floats */
    size_t rank;                 /* in the order of encoding */
    int cut;
};

struct cli_window {
    struct entry entries[MOST_TEXTS];
    uint64_t order[MOST_TEXTS]; /* length and entry, sorted */
    mote_sequence batch[MOST_TEXTS];
    size_t n;
    mote_token *tokens;
    size_t n_tokens, room; /* of tokens */
    struct cli_buffer texts;
    float *vectors, *labels;
    size_t vectors_room, labels_room; /* in floats */
};

void cli_window_close(struct cli_encoder *encoder) {
    struct cli_window *window = encoder->window;
    if (!window) return;
    free(window->tokens);
    cli_buffer_close(&window->texts);
    free(window->vectors);
    free(window->labels);
    free(window);
    encoder->window = NULL;
}

static int open_window(struct cli_encoder *encoder) {
    if (encoder->window) return CLI_OK;
    struct cli_window *window = encoder->window = calloc(1, sizeof *window);
    if (!window) return CLI_MEMORY;
    window->room = MOST_TOKENS + (size_t)encoder->n_positions;
    window->tokens = malloc(window->room * sizeof *window->tokens);
    return window->tokens ? CLI_OK : CLI_MEMORY;
}

int cli_encoder_want(struct cli_encoder *encoder, const struct cli_encoder_want *want, cli_encoder_take *take,
                     void *user) {
    if (want->labels && !encoder->model.info.n_labels)
        return cli_fail(CLI_MODEL,
                        "%s: it has no head that knows labels: mote train-head makes one, from examples",
                        encoder->model.path);
    encoder->want = *want;
    encoder->take = take;
    encoder->user = user;
    return CLI_OK;
}

/* ---- adding ---- */

static void put(struct cli_window *window, mote_token token) {
    if (token >= 0) window->tokens[window->n_tokens++] = token;
}

static void put_all(struct cli_window *window, const mote_token *tokens, size_t n) {
    if (n) memcpy(window->tokens + window->n_tokens, tokens, n * sizeof *tokens);
    window->n_tokens += n;
}

/* The tokens of text with the special ones, and of a pair with the first text's; they have room. */
static int put_sequence(struct cli_encoder *encoder, mote_text text, struct entry *entry, uint64_t index) {
    struct cli_window *window = encoder->window;
    const struct cli_frame *frame = &encoder->frame;
    size_t begin = window->n_tokens, n, around = (frame->before >= 0) + (frame->after >= 0);
    if (encoder->is_pair) around += encoder->n_first + frame->n_between;
    int code = cli_encoder_tokenize(encoder, text, encoder->n_positions - around, index, &n, &entry->cut);
    if (code) return code;
    put(window, frame->before);
    if (encoder->is_pair) {
        put_all(window, encoder->first, encoder->n_first);
        for (size_t i = 0; i < frame->n_between; i++)
            put(window, frame->after);
        entry->n_first = window->n_tokens - begin;
    }
    entry->from = window->n_tokens - begin;
    put_all(window, encoder->list, n);
    entry->to = window->n_tokens - begin;
    put(window, frame->after);
    entry->tokens_at = begin;
    entry->n_tokens = window->n_tokens - begin;
    if (entry->n_tokens) return CLI_OK;
    return cli_encoder_fail(encoder, index, CLI_FAILED,
                            "it has no tokens, and the model no special token to stand for it");
}

int cli_encoder_join(struct cli_encoder *encoder, mote_text *text) {
    struct cli_buffer *joined = &encoder->joined;
    if (!encoder->prefix || !*encoder->prefix) return CLI_OK;
    joined->n = 0;
    if (!cli_buffer_append(joined, encoder->prefix, strlen(encoder->prefix)) ||
        !cli_buffer_append(joined, text->data, text->n))
        return cli_fail(CLI_MEMORY, "not enough memory to put the prefix before a text");
    *text = (mote_text){joined->data, joined->n};
    return CLI_OK;
}

int cli_encoder_add(struct cli_encoder *encoder, mote_text text) {
    double started = cli_clock();
    int code = open_window(encoder);
    struct cli_window *window = encoder->window;
    struct entry entry = {.n_text = text.n};
    uint64_t index = encoder->n_texts + (window ? window->n : 0);
    if (!code && encoder->want.texts) {
        entry.text_at = window->texts.n;
        if (!cli_buffer_append(&window->texts, text.data, text.n)) code = CLI_MEMORY;
    }
    if (code) return cli_encoder_fail(encoder, index, code, "not enough memory");
    code = cli_encoder_join(encoder, &text);
    if (!code) code = put_sequence(encoder, text, &entry, index);
    if (code) return code;
    window->entries[window->n++] = entry;
    encoder->seconds += cli_clock() - started;
    int full = window->n == MOST_TEXTS || window->n_tokens >= MOST_TOKENS || window->texts.n >= MOST_BYTES;
    return full || cli_interrupted ? cli_encoder_flush(encoder) : CLI_OK;
}

/* ---- encoding ---- */

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int grow(float **list, size_t *room, size_t n) {
    if (n <= *room) return CLI_OK;
    float *more = n <= SIZE_MAX / sizeof *more ? realloc(*list, n * sizeof *more) : NULL;
    if (!more) return CLI_MEMORY;
    *list = more;
    *room = n;
    return CLI_OK;
}

/* Puts the entries in order, each with the place of its results; makes room for all of them. */
static int arrange(struct cli_encoder *encoder) {
    struct cli_window *window = encoder->window;
    const struct cli_encoder_want *want = &encoder->want;
    const mote_model_info *info = &encoder->model.info;
    size_t vectors = 0, labels = 0;
    for (size_t i = 0; i < window->n; i++) /* the longest first, equal ones as they came */
        window->order[i] = (uint64_t)(UINT32_MAX - window->entries[i].n_tokens) << 32 | i;
    qsort(window->order, window->n, sizeof *window->order, ascending);
    for (size_t rank = 0; rank < window->n; rank++) {
        struct entry *entry = &window->entries[(uint32_t)window->order[rank]];
        entry->rank = rank;
        entry->vector_at = vectors;
        entry->labels_at = labels;
        vectors += (want->pooling == MOTE_POOLING_NONE ? entry->n_tokens : 1) * info->n_model;
        labels += (info->labels_tokens ? entry->n_tokens : 1) * info->n_labels;
    }
    if ((want->vectors && grow(&window->vectors, &window->vectors_room, vectors)) ||
        (want->labels && grow(&window->labels, &window->labels_room, labels)))
        return cli_fail(CLI_MEMORY, "not enough memory for the results");
    return CLI_OK;
}

/* Encodes the batch that begins at rank; *n: how many texts it has. */
static int encode_batch(struct cli_encoder *encoder, size_t rank, size_t *n) {
    struct cli_window *window = encoder->window;
    const struct cli_encoder_want *want = &encoder->want;
    const struct entry *first = &window->entries[(uint32_t)window->order[rank]];
    size_t n_tokens = 0;
    for (*n = 0; rank + *n < window->n && *n < encoder->n_batch; ++*n) {
        const struct entry *entry = &window->entries[(uint32_t)window->order[rank + *n]];
        if (*n && (n_tokens + entry->n_tokens > encoder->n_rows || n_tokens + entry->n_tokens > MOST_ROWS))
            break;
        window->batch[*n] =
            (mote_sequence){window->tokens + entry->tokens_at, entry->n_tokens, entry->n_first};
        n_tokens += entry->n_tokens;
    }
    mote_error error = {0};
    int code = cli_encoder_grow(encoder, first->n_tokens);
    if (code) return code;
    if (mote_context_encode(encoder->model.context, window->batch, *n, want->pooling,
                            want->vectors ? window->vectors + first->vector_at : NULL,
                            want->labels ? window->labels + first->labels_at : NULL, &error))
        return cli_model_fail(&encoder->model, &error);
    return CLI_OK;
}

/* Hands out, in the order of adding, those whose rank is below `done`, until one is not. */
static int hand_out(struct cli_encoder *encoder, size_t done) {
    struct cli_window *window = encoder->window;
    const struct cli_encoder_want *want = &encoder->want;
    size_t n_model = encoder->model.info.n_model;
    for (size_t i = 0; i < window->n && window->entries[i].rank < done; i++) {
        const struct entry *entry = &window->entries[i];
        float *vector = want->vectors ? window->vectors + entry->vector_at : NULL;
        size_t n_vectors = want->pooling == MOTE_POOLING_NONE ? entry->n_tokens : 1;
        for (size_t k = 0; vector && want->normalize && k < n_vectors; k++)
            cli_normalize(vector + k * n_model, n_model);
        struct cli_encoded encoded = {.index = encoder->n_texts,
                                      .tokens = window->tokens + entry->tokens_at,
                                      .n_tokens = entry->n_tokens,
                                      .from = entry->from,
                                      .to = entry->to,
                                      .cut = entry->cut,
                                      .vector = vector,
                                      .labels = want->labels ? window->labels + entry->labels_at : NULL};
        if (want->texts) encoded.text = (mote_text){window->texts.data + entry->text_at, entry->n_text};
        int code = encoder->take(encoder->user, &encoded);
        if (code) return code;
        encoder->n_texts++;
        encoder->n_tokens += entry->n_tokens;
        encoder->n_cut += entry->cut != 0;
    }
    return CLI_OK;
}

int cli_encoder_flush(struct cli_encoder *encoder) {
    struct cli_window *window = encoder->window;
    if (!window || !window->n) return cli_interrupted ? CLI_INTERRUPTED : CLI_OK;
    double started = cli_clock();
    int code = arrange(encoder);
    size_t done = 0;
    for (size_t n; !code && !cli_interrupted && done < window->n; done += n)
        if ((code = encode_batch(encoder, done, &n))) n = 0;
    /* rows of the table of words: each that was read brought 64 KB around it */
    mote_posix_map_forget(&encoder->model.map);
    encoder->seconds += cli_clock() - started;
    int given = hand_out(encoder, done);
    window->n = window->n_tokens = window->texts.n = 0;
    if (!code) code = given;
    return code ? code : cli_interrupted ? CLI_INTERRUPTED : CLI_OK;
}

int cli_encoder_vector(struct cli_encoder *encoder, mote_text text, mote_pooling pooling, int normalize,
                       float *vector) {
    int code = cli_encoder_flush(encoder), is_pair = encoder->is_pair;
    if (!code && open_window(encoder)) code = cli_fail(CLI_MEMORY, "not enough memory");
    if (code) return code;
    struct cli_window *window = encoder->window;
    struct entry entry = {0};
    encoder->is_pair = 0;
    code = put_sequence(encoder, text, &entry, encoder->n_texts);
    encoder->is_pair = is_pair;
    window->n_tokens = 0;
    if (code) return code;
    mote_sequence sequence = {window->tokens, entry.n_tokens, 0};
    mote_error error = {0};
    if ((code = cli_encoder_grow(encoder, entry.n_tokens))) return code;
    if (mote_context_encode(encoder->model.context, &sequence, 1, pooling, vector, NULL, &error))
        return cli_model_fail(&encoder->model, &error);
    if (normalize) cli_normalize(vector, encoder->model.info.n_model);
    return CLI_OK;
}

void cli_normalize(float *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    double length = sqrt(sum);
    for (size_t i = 0; length > 0 && i < n; i++)
        x[i] = (float)(x[i] / length);
}

/* ---- a file of texts ---- */

int cli_encoder_feed(struct cli_encoder *encoder, struct cli_lines *lines, const char *label) {
    struct cli_progress progress = {.quiet = !label};
    int code = CLI_OK, in_bytes = lines->n_file > 0;
    encoder->source = lines->name;
    cli_progress_open(&progress, label ? label : "", in_bytes ? "B" : "texts", lines->n_file, 0);
    for (mote_text line; !code && !(code = cli_lines_next(lines, &line)) && line.data;) {
        code = cli_encoder_add(encoder, line);
        if (!code && cli_lines_waits(lines)) {
            code = cli_encoder_flush(encoder);
            fflush(NULL);
        }
        cli_progress_move(&progress, in_bytes ? lines->n_read : lines->number);
    }
    if (!code) code = cli_encoder_flush(encoder);
    cli_progress_close(&progress, !code);
    return code;
}

void cli_encoder_report(const struct cli_encoder *encoder, const struct cli_encoding *options) {
    unsigned most = encoder->n_positions;
    if (encoder->first_cut && !options->quiet)
        fprintf(stderr, "mote: the first text of the pairs was cut to %zu tokens\n", encoder->n_first);
    if (encoder->n_cut && !options->quiet)
        fprintf(stderr, "mote: %llu of %llu texts were cut to %u tokens\n",
                (unsigned long long)encoder->n_cut, (unsigned long long)encoder->n_texts, most);
    if (!options->stats) return;
    char peak[16];
    double seconds = encoder->seconds > 0 ? encoder->seconds : 1e-9;
    fprintf(stderr,
            "load                %10.1f ms\n"
            "texts               %10llu          (%llu cut)\n"
            "tokens              %10llu\n"
            "speed               %10.1f texts/s, %.1f tokens/s\n"
            "peak memory         %10s\n",
            encoder->model.load_seconds * 1e3, (unsigned long long)encoder->n_texts,
            (unsigned long long)encoder->n_cut, (unsigned long long)encoder->n_tokens,
            (double)encoder->n_texts / seconds, (double)encoder->n_tokens / seconds,
            cli_size(mote_posix_peak_bytes(), peak));
}
