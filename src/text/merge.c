/* SPDX-License-Identifier: Apache-2.0 */
#include "text/merge.h"

/* Whether symbol a comes out of the heap before symbol b. */
static int before(const struct mote_text_merger *m, uint32_t a, uint32_t b) {
    uint32_t key_a = m->symbols[a].key, key_b = m->symbols[b].key;
    return key_a < key_b || (key_a == key_b && a < b);
}

static void place(struct mote_text_merger *m, uint32_t at, uint32_t symbol) {
    m->heap[at] = symbol;
    m->symbols[symbol].at = at;
}

/* Moves symbol from the hole `at` to where it belongs, towards the root and then away from it. */
static void settle(struct mote_text_merger *m, uint32_t at, uint32_t symbol) {
    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        if (!before(m, symbol, m->heap[parent])) break;
        place(m, at, m->heap[parent]);
        at = parent;
    }
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= m->n_heap) break;
        if (child + 1 < m->n_heap && before(m, m->heap[child + 1], m->heap[child])) child++;
        if (!before(m, m->heap[child], symbol)) break;
        place(m, at, m->heap[child]);
        at = child;
    }
    place(m, at, symbol);
}

static void withdraw(struct mote_text_merger *m, uint32_t symbol) {
    uint32_t at = m->symbols[symbol].at;
    if (at == MOTE_TEXT_NOWHERE) return;
    m->symbols[symbol].at = MOTE_TEXT_NOWHERE;
    uint32_t last = m->heap[--m->n_heap];
    if (last != symbol) settle(m, at, last);
}

/* Looks up the pair that symbol makes with its right neighbour and puts it in its place in the heap. */
static void consider(struct mote_text_merger *m, uint32_t symbol, mote_text_pair *pair) {
    struct mote_text_symbol *left = &m->symbols[symbol];
    if (left->next == MOTE_TEXT_NOWHERE || !pair(m, left, &m->symbols[left->next]))
        withdraw(m, symbol);
    else
        settle(m, left->at == MOTE_TEXT_NOWHERE ? m->n_heap++ : left->at, symbol);
}

void mote_text_merge(struct mote_text_merger *m, uint32_t n, mote_text_pair *pair) {
    struct mote_text_symbol *symbols = m->symbols;
    for (uint32_t i = 0; i < n; i++) {
        symbols[i].prev = i ? i - 1 : MOTE_TEXT_NOWHERE;
        symbols[i].next = i + 1 < n ? i + 1 : MOTE_TEXT_NOWHERE;
        symbols[i].at = MOTE_TEXT_NOWHERE;
    }
    m->n_heap = 0;
    for (uint32_t i = 0; i + 1 < n; i++)
        consider(m, i, pair);
    while (m->n_heap) {
        uint32_t i = m->heap[0];
        struct mote_text_symbol *left = &symbols[i], *right = &symbols[left->next];
        withdraw(m, left->next);
        left->n += right->n;
        left->id = left->made;
        left->next = right->next;
        if (right->next != MOTE_TEXT_NOWHERE) symbols[right->next].prev = i;
        consider(m, i, pair);
        if (left->prev != MOTE_TEXT_NOWHERE) consider(m, left->prev, pair);
    }
}
