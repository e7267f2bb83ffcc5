/* SPDX-License-Identifier: Apache-2.0
 *
 * entity.c: spans of a text from labels of its tokens.
 *
 * Tokens do not say which bytes they came from. To find out, the text is cut into words, each with the white
 * space before it, and the words are tokenized one by one: where that gives the tokens of the whole text, each
 * token belongs to the word it came from. Words are cut at white space and punctuation, as BERT does; where
 * that does not work out (tokenizers that join a sign to what precedes it), at white space only; where that
 * does not either, every token is a word and has no place.
 *
 * A word has the label of its first token, since what continues a word is seldom taught. Words in a row with
 * labels of one type are one entity, except that "B-" begins another. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/encoder_window.h"
#include "apps/cli/entity.h"

enum { MOST_OF_WORD = 1 << 16 /* tokens */ };

struct cli_word {
    size_t start, end, from, to; /* bytes without the white space before it; tokens */
};

static int is_space(unsigned char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The length of a sign at text that stands for itself, in bytes: ASCII punctuation, general punctuation,
 * ideographs. 0: it is part of a word. */
static size_t sign(const unsigned char *text, size_t n) {
    unsigned c = text[0];
    if (c < 0x80)
        return (c > ' ' && c < '0') || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') || (c > 'z' && c < 0x7f);
    int alone = c == 0xe2 || c == 0xe3 ? n > 1 && text[1] == 0x80 : c >= 0xe4 && c <= 0xe9;
    return alone ? n < 3 ? n : 3 : 0;
}

/* The end of the word that begins at `at`. */
static size_t find_end(mote_text text, size_t at, int at_signs) {
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t n = at_signs ? sign(bytes + at, text.n - at) : 0;
    if (n) return at + n;
    while (at < text.n && !is_space(bytes[at]) && !(at_signs && sign(bytes + at, text.n - at)))
        at++;
    return at;
}

static int grow(void **list, size_t *room, size_t n, size_t size) {
    if (n <= *room) return CLI_OK;
    size_t more = 2 * n + 16;
    void *grown = more < SIZE_MAX / size ? realloc(*list, more * size) : NULL;
    if (!grown) return cli_fail(CLI_MEMORY, "not enough memory for the entities of a text");
    *list = grown;
    *room = more;
    return CLI_OK;
}

static int add_word(struct cli_entities *e, struct cli_word word) {
    int code = grow((void **)&e->words, &e->words_room, e->n_words + 1, sizeof *e->words);
    if (!code) e->words[e->n_words++] = word;
    return code;
}

/* Finds the words of text and their tokens; *fits: these are the tokens of the whole. */
static int cut(struct cli_entities *e, struct cli_encoder *encoder, mote_text text,
               const struct cli_encoded *encoded, int at_signs, int *fits) {
    size_t token = encoded->from;
    e->n_words = 0;
    *fits = 1;
    for (size_t at = 0; at < text.n && token < encoded->to;) {
        size_t start = at, n;
        while (start < text.n && is_space((unsigned char)text.data[start]))
            start++;
        size_t end = start < text.n ? find_end(text, start, at_signs) : start;
        int rest, code = cli_encoder_tokenize(encoder, (mote_text){text.data + at, end - at}, MOST_OF_WORD,
                                              encoded->index, &n, &rest);
        if (code) return code;
        int past = n > encoded->to - token; /* only the last word of a text that was cut may have more */
        if ((past && !encoded->cut) || rest) return *fits = 0, CLI_OK;
        if (past) n = encoded->to - token;
        if (n && memcmp(encoder->list, encoded->tokens + token, n * sizeof *encoder->list) != 0)
            return *fits = 0, CLI_OK;
        if (n && (code = add_word(e, (struct cli_word){start, end, token, token + n}))) return code;
        token += n;
        at = end;
    }
    *fits = token == encoded->to;
    return CLI_OK;
}

static int find_words(struct cli_entities *e, struct cli_encoder *encoder, mote_text text,
                      const struct cli_encoded *encoded, int *placed) {
    int code = CLI_OK;
    *placed = 0;
    for (int at_signs = 1; !code && !*placed && at_signs >= 0; at_signs--)
        code = cut(e, encoder, text, encoded, at_signs, placed);
    if (code || *placed) return code;
    e->n_words = 0;
    for (size_t i = encoded->from; !code && i < encoded->to; i++)
        code = add_word(e, (struct cli_word){0, 0, i, i + 1});
    return code;
}

/* The likeliest of n logits, and its share after softmax. */
static uint32_t likeliest(const float *logits, uint32_t n, double *share) {
    uint32_t best = 0;
    double sum = 0;
    for (uint32_t i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    for (uint32_t i = 0; i < n; i++)
        sum += exp((double)logits[i] - logits[best]);
    *share = 1 / sum;
    return best;
}

static int same(mote_text a, mote_text b) {
    return a.n == b.n && (!a.n || !memcmp(a.data, b.data, a.n));
}

/* Ends the entity that is open: its score so far is a sum over its words. */
static void close_entity(struct cli_entities *e, size_t *n_words) {
    if (*n_words) e->list[e->n - 1].score /= (double)*n_words;
    *n_words = 0;
}

int cli_entities_find(struct cli_entities *e, struct cli_encoder *encoder,
                      const struct cli_encoded *encoded) {
    uint32_t n_labels = encoder->model.info.n_labels;
    size_t n_prefix = encoder->prefix ? strlen(encoder->prefix) : 0, n_open = 0;
    mote_text text = encoded->text;
    int placed, code = cli_encoder_join(encoder, &text);
    e->n = 0;
    if (!code) code = find_words(e, encoder, text, encoded, &placed);
    for (size_t i = 0; !code && i < e->n_words; i++) {
        const struct cli_word *word = &e->words[i];
        double share;
        uint32_t best = likeliest(encoded->labels + word->from * n_labels, n_labels, &share);
        mote_text label = mote_model_label(encoder->model.model, best);
        int tagged = label.n > 2 && label.data[1] == '-' && (label.data[0] == 'B' || label.data[0] == 'I');
        int begins = tagged && label.data[0] == 'B';
        mote_text type = tagged ? (mote_text){label.data + 2, label.n - 2} : label;
        if ((label.n == 1 && label.data[0] == 'O') || (placed && word->start < n_prefix)) {
            close_entity(e, &n_open);
            continue;
        }
        if (!n_open || begins || !same(type, e->list[e->n - 1].type)) {
            close_entity(e, &n_open);
            if ((code = grow((void **)&e->list, &e->room, e->n + 1, sizeof *e->list))) break;
            e->list[e->n++] = (struct cli_entity){
                .type = type, .start = word->start - n_prefix, .from = word->from, .placed = placed};
        }
        struct cli_entity *entity = &e->list[e->n - 1];
        entity->end = word->end - n_prefix;
        entity->to = word->to;
        entity->score += share;
        n_open++;
    }
    close_entity(e, &n_open);
    return code;
}

void cli_entities_close(struct cli_entities *e) {
    free(e->list);
    free(e->words);
    *e = (struct cli_entities){0};
}
