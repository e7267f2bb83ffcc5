/* SPDX-License-Identifier: Apache-2.0
 *
 * draft_lookup.c: prompt lookup. Answers often repeat what the text holds already: a rewritten paragraph, a
 * quotation, a name, the frame of a table. The index is that of LZ77 compressors: hash chains, here of pairs
 * of tokens, newest first.
 *
 *     place      0   1   2   3   4   5   6   7   8
 *     text       the cat sat on  the mat ;   the cat | ?
 *                    └── a match of 2 ──────────┘
 *     guesses            sat on  the mat …
 *
 * A place stands for the pair that ends there. Of the newest places on the chain the one with the longest
 * match wins, the newer if equal. A copy may run into what it copies, so that "ab ab ab" goes on for ever.
 * Source of the idea: Saxena, Prompt Lookup Decoding, 2023. */
#include <stdlib.h>
#include <string.h>

#include "apps/cli/draft.h"

enum { MOST_PLACES = 32, MOST_MATCH = 32 };

int cli_lookup_open(struct cli_lookup *lookup, uint32_t most) {
    *lookup = (struct cli_lookup){.most = most, .bits = 8};
    while (lookup->bits < 24 && (uint32_t)1 << lookup->bits < most)
        lookup->bits++;
    lookup->tokens = malloc(most * sizeof *lookup->tokens);
    lookup->previous = malloc(most * sizeof *lookup->previous);
    lookup->newest = calloc((size_t)1 << lookup->bits, sizeof *lookup->newest);
    if (!lookup->tokens || !lookup->previous || !lookup->newest)
        return cli_fail(CLI_MEMORY, "not enough memory to look up repetitions");
    return CLI_OK;
}

void cli_lookup_close(struct cli_lookup *lookup) {
    free(lookup->tokens);
    free(lookup->previous);
    free(lookup->newest);
    *lookup = (struct cli_lookup){0};
}

/* The chain of the pair that ends at place. */
static uint32_t *chain(const struct cli_lookup *lookup, uint32_t place) {
    uint32_t pair = (uint32_t)lookup->tokens[place - 1] * 0x9e3779b1u ^ (uint32_t)lookup->tokens[place];
    return lookup->newest + (pair * 0x85ebca6bu >> (32 - lookup->bits));
}

/* The pair at the end enters the index only when a token follows it: it must not find itself. */
static void append(struct cli_lookup *lookup, mote_token token) {
    uint32_t last = lookup->n - 1;
    if (lookup->n >= 2) {
        uint32_t *newest = chain(lookup, last);
        lookup->previous[last] = *newest;
        *newest = last + 1;
    }
    lookup->tokens[lookup->n++] = token;
}

void cli_lookup_follow(struct cli_lookup *lookup, const mote_token *tokens, uint32_t n, mote_token token) {
    if (lookup->n > n || (n && memcmp(lookup->tokens, tokens, lookup->n * sizeof *tokens) != 0)) {
        memset(lookup->newest, 0, sizeof *lookup->newest << lookup->bits);
        lookup->n = 0;
    }
    while (lookup->n < n)
        append(lookup, tokens[lookup->n]);
    append(lookup, token);
}

uint32_t cli_lookup_match(const struct cli_lookup *lookup, uint32_t *place) {
    const mote_token *tokens = lookup->tokens;
    uint32_t longest = 0, last = lookup->n - 1, n_places = 0;
    if (lookup->n < CLI_DRAFT_LEAST_MATCH) return 0;
    for (uint32_t at = *chain(lookup, last); at && n_places < MOST_PLACES; n_places++) {
        uint32_t candidate = at - 1, n = 0;
        while (n < MOST_MATCH && n <= candidate && tokens[candidate - n] == tokens[last - n])
            n++;
        if (n > longest) {
            longest = n;
            *place = candidate;
        }
        at = lookup->previous[candidate];
    }
    return longest < CLI_DRAFT_LEAST_MATCH ? 0 : longest;
}

void cli_lookup_guess(const struct cli_lookup *lookup, uint32_t place, mote_token *guesses, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = place + 1 + i;
        guesses[i] = at < lookup->n ? lookup->tokens[at] : guesses[at - lookup->n];
    }
}
