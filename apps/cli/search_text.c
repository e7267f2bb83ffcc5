/* SPDX-License-Identifier: Apache-2.0
 *
 * search_text.c: paragraphs and vectors. */
#include <math.h>
#include <string.h>

#include "apps/cli/search_text.h"

enum { LANES = 16, ALIGNED = 64, BINARY_LOOK = 8192 };

/* ---- paragraphs ---- */

static int is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int says_something(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (unsigned char)c >= 0x80;
}

/* Behind the white space at `at`; *blank is the number of line ends passed. */
static size_t skip_space(mote_text text, size_t at, int *n_ends) {
    for (*n_ends = 0; at < text.n && is_space(text.data[at]); at++)
        *n_ends += text.data[at] == '\n' && *n_ends < 2;
    return at;
}

/* Behind the last byte of the run of lines at `at` that are not empty, or anywhere behind `most`: a run may be
 * the whole of a large file, and is looked at once for each of its pieces. */
static size_t end_of_run(mote_text text, size_t at, size_t most) {
    for (;;) {
        while (at < text.n && at <= most && !is_space(text.data[at]))
            at++;
        int n_ends;
        size_t next = skip_space(text, at, &n_ends);
        if (at > most || next == text.n || n_ends > 1) return at;
        at = next;
    }
}

/* Where to cut text[begin, end), which is too long: behind the last line end, else sentence, else word, in the
 * second half of what fits, else between two characters. */
static size_t cut(mote_text text, size_t begin) {
    size_t most = begin + CLI_PARAGRAPH_MOST, sentence = 0, word = 0;
    for (size_t at = most; at > begin + CLI_PARAGRAPH_MOST / 2; at--) {
        char c = text.data[at - 1];
        if (c == '\n') return at;
        if (!is_space(c)) continue;
        if (!word) word = at;
        char before = text.data[at - 2];
        if (!sentence && (before == '.' || before == '!' || before == '?')) sentence = at;
    }
    if (sentence || word) return sentence ? sentence : word;
    for (size_t back = 0; back < 3; back++) /* of text that is no UTF-8, anywhere */
        if (((unsigned char)text.data[most - back] & 0xc0) != 0x80) return most - back;
    return most;
}

static int is_heading(mote_text text, size_t at) {
    return at < text.n && text.data[at] == '#';
}

int cli_split_next(struct cli_split *split, struct cli_paragraph *paragraph) {
    mote_text text = split->text;
    if (!split->at && text.n >= 3 && !memcmp(text.data, "\xef\xbb\xbf", 3)) split->at = 3;
    for (;;) {
        int n_ends, says = 0;
        size_t begin = skip_space(text, split->at, &n_ends), end = begin;
        if (begin == text.n) return 0;
        for (size_t next = begin;;) { /* runs of lines, until they are long enough */
            size_t run = end_of_run(text, next, begin + CLI_PARAGRAPH_MOST);
            if (end > begin && run - begin > CLI_PARAGRAPH_MOST) break;
            end = run;
            next = skip_space(text, end, &n_ends);
            if (end - begin >= CLI_PARAGRAPH_LEAST || next == text.n) break;
            if (is_heading(text, next) && !is_heading(text, begin)) break;
        }
        if (end - begin > CLI_PARAGRAPH_MOST) end = cut(text, begin);
        split->at = end;
        while (is_space(text.data[end - 1]))
            end--;
        for (size_t i = begin; i < end && !says; i++)
            says = says_something(text.data[i]);
        if (!says) continue;
        for (; split->told < begin; split->told++)
            split->line += text.data[split->told] == '\n';
        *paragraph = (struct cli_paragraph){{text.data + begin, end - begin}, split->line + 1};
        return 1;
    }
}

int cli_is_binary(const void *bytes, size_t n) {
    return n && memchr(bytes, 0, n < BINARY_LOOK ? n : BINARY_LOOK) != NULL;
}

/* ---- vectors ---- */

static uint64_t padded(uint64_t n, uint64_t to) {
    return (n + to - 1) / to * to;
}

static uint64_t rows_at(uint64_t n) {
    return padded(4 * n, ALIGNED);
}

uint64_t cli_vectors_bytes(uint64_t n, uint32_t n_dims) {
    return rows_at(n) + padded(n * padded(n_dims, LANES), ALIGNED);
}

static void put_scale(void *block, uint32_t i, float scale) {
    uint32_t bits;
    unsigned char *p = (unsigned char *)block + 4 * (size_t)i;
    memcpy(&bits, &scale, 4);
    for (int k = 0; k < 4; k++)
        p[k] = (unsigned char)(bits >> 8 * k);
}

static float scale_of(const void *block, uint32_t i) {
    const unsigned char *p = (const unsigned char *)block + 4 * (size_t)i;
    uint32_t bits = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    float scale;
    memcpy(&scale, &bits, 4);
    return scale;
}

static float most_of(const float *x, uint32_t n) {
    float most = 0;
    for (uint32_t i = 0; i < n; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    return most;
}

/* x / scale as a whole number in [−most, most]; 0 of what is no number. */
static int whole(float x, float scale, int most) {
    float v = rintf(x / scale);
    return v >= (float)-most && v <= (float)most ? (int)v : 0;
}

void cli_vectors_put(void *block, uint32_t n, uint32_t n_dims, uint32_t i, const float *x) {
    uint64_t stride = padded(n_dims, LANES);
    int8_t *row = (int8_t *)block + rows_at(n) + i * stride;
    float scale = most_of(x, n_dims) / 127;
    if (!(scale > 1e-30f && scale < 1e30f)) scale = 0;
    memset(row, 0, stride);
    for (uint32_t k = 0; k < n_dims && scale > 0; k++)
        row[k] = (int8_t)whole(x[k], scale, 127);
    put_scale(block, i, scale);
}

void cli_vectors_copy(void *block, uint32_t n, uint32_t n_dims, uint32_t i, const void *other,
                      uint32_t n_other, uint32_t k) {
    uint64_t stride = padded(n_dims, LANES);
    memcpy((char *)block + rows_at(n) + i * stride, (const char *)other + rows_at(n_other) + k * stride,
           stride);
    put_scale(block, i, scale_of(other, k));
}

void cli_query_set(struct cli_query *query, const float *x, uint32_t n_dims) {
    memset(query, 0, sizeof *query);
    query->scale = most_of(x, n_dims) / 2047;
    if (!(query->scale > 1e-30f && query->scale < 1e30f)) query->scale = 0;
    for (uint32_t k = 0; k < n_dims && query->scale > 0; k++)
        query->x[k] = (int16_t)whole(x[k], query->scale, 2047);
}

static int32_t dot(const int8_t *restrict a, const int16_t *restrict b, size_t n) {
    int32_t sum = 0;
    for (size_t i = 0; i < n; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            sum += a[i + k] * b[i + k];
    return sum;
}

void cli_vectors_score(const void *block, uint32_t n, uint32_t n_dims, const struct cli_query *query,
                       float *scores) {
    uint64_t stride = padded(n_dims, LANES);
    const int8_t *rows = (const int8_t *)block + rows_at(n);
    for (uint32_t i = 0; i < n; i++)
        scores[i] = scale_of(block, i) * query->scale * (float)dot(rows + i * stride, query->x, stride);
}
