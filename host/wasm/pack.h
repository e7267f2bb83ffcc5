/* SPDX-License-Identifier: Apache-2.0
 *
 * pack.h: how the constant data of a module is packed: code books, Unicode tables and texts are a fifth of a
 * module as they are, and hold less than half of that. tools/wasm_pack.c packs them after linking, unpack.c
 * unpacks them when the module starts; both run this model of the data and see the same numbers.
 *
 * Bits go one by one, highest of a byte first, through an arithmetic coder [low, high] of 32 bits:
 *
 *     middle = low + (high − low) / 4096 · p          1: [low, middle]     0: [middle + 1, high]
 *
 * where p, of 4096, is how likely a 1 is. Seven contexts look at the bits of this byte so far, and at none to four of
 * the bytes before, at the place modulo 2, at the place modulo 4 and the fourth byte before; each keeps in a slot how often a 1 came there. Their opinions, log(p / (1 − p)),
 * are summed with weights that learn from each bit. Source: M. Mahoney, Adaptive Weighing of Context Models
 * for Lossless Data Compression (2005).
 *
 * Words of 16 bits that rise, as code books and sorted tables do, are packed as steps: how many it takes from the
 * word before to the word. A step goes to the next number that the digits of all words allow.
 *
 *     0 2 5 8 10 17      two bits a digit, none of them 3:  1 2 2 2 2 2       (from −1)
 *
 * Unpacking has no constant data of its own: it would be packed. */
#ifndef MOTE_HOST_WASM_PACK_H
#define MOTE_HOST_WASM_PACK_H

#include <stdint.h>

enum {
    PACK_CONTEXTS = 7,
    PACK_SLOT_BITS = 17,
    PACK_COUNT = 8,      /* a slot moves by at least 1 / 9.5 of a surprise */
    PACK_LEARN = 6,      /* speed of the weights */
    PACK_WEIGHT = 20400, /* first of them all; 65536 is 1 */
    PACK_HALF = 1 << 15,
};
#define PACK_HASH 0x9e3779b1u

enum { PACK_RISES = 8, PACK_RISE_WORDS = 1 << 14 };

/* Words that rise: where they begin, in words from the start of the data; how many they are, and above that
 * their digits, see pack_fits. */
struct pack_rise {
    uint16_t at, n;
};

/* What is packed, as tools/wasm_pack.c leaves it: where it goes, how much it is, and its code. */
struct pack_data {
    uint32_t to, n;
    struct pack_rise rise[PACK_RISES];
    uint8_t code[16344];
};

struct pack_context {
    uint32_t place; /* what it looks at */
    uint16_t *seen; /* the slot of the bit at hand */
    int32_t opinion;
    int32_t weight; /* less PACK_WEIGHT */
    /* 12 bits of a probability, 4 of a count; zero is a half and no count */
    uint16_t slot[1 << PACK_SLOT_BITS];
};

struct pack_model {       /* starts as zeros */
    uint32_t probability; /* of a 1 at hand, of 4096 */
    uint32_t bits, n;     /* of this byte so far, below a 1; bytes before it */
    uint32_t last;        /* four of them */
    int16_t stretch[4096], squash[4096];
    struct pack_context context[PACK_CONTEXTS];
};

/* Digits: 0 any, 1 of two bits and below 3, 2 of four bits and below 8. */
static inline int pack_fits(uint32_t word, int digits) {
    return !(digits == 1 ? word & word >> 1 & 0x5555 : digits == 2 ? word & 0x8888 : 0);
}

static inline void pack_begin(struct pack_model *m) {
    float odds = 0x1.749ea8p11f; /* e^8 */
    int32_t from = 0;
    for (int32_t x = 0; x < 4096; x++, odds *= 0x1.fe00aap-1f) { /* e^(−1/256) */
        int32_t p = (int32_t)(4096 / (1 + odds));
        m->squash[x] = (int16_t)(p + !p);
        while (from <= p)
            m->stretch[from++] = (int16_t)(x - 2048);
    }
    while (from < 4096)
        m->stretch[from++] = 2047;
    m->bits = 1;
}

static inline void pack_predict(struct pack_model *m) {
    int32_t sum = 0;
    for (struct pack_context *c = m->context; c < m->context + PACK_CONTEXTS; c++) {
        c->seen = &c->slot[(c->place + m->bits) * PACK_HASH >> (32 - PACK_SLOT_BITS)];
        c->opinion = *c->seen & 15 ? m->stretch[(*c->seen ^ PACK_HALF) >> 4] : 0;
        sum += c->opinion * ((c->weight + PACK_WEIGHT) >> 4);
    }
    sum = (sum >> 12) + 2048;
    m->probability = (uint32_t)m->squash[sum < 0 ? 0 : sum > 4095 ? 4095 : sum];
}

static inline void pack_learn(struct pack_model *m, uint32_t bit) {
    int32_t surprise = (int32_t)(bit << 12) - (int32_t)m->probability;
    for (struct pack_context *c = m->context; c < m->context + PACK_CONTEXTS; c++) {
        int32_t slot = *c->seen ^ PACK_HALF, count = slot & 15, p = slot >> 4;
        c->weight += c->opinion * surprise * PACK_LEARN >> 14;
        p += ((bit ? 4095 : 0) - p) * 2 / (2 * count + 3);
        *c->seen = (uint16_t)((p << 4 | (count + (count < PACK_COUNT))) ^ PACK_HALF);
    }
    m->bits = m->bits * 2 + bit;
    if (m->bits < 256) return;
    m->last = m->last << 8 | (m->bits & 255);
    m->bits = 1;
    m->n++;
    uint32_t hash = 0, before = m->last;
    for (int i = 0; i < 5; i++, before >>= 8) {
        m->context[i].place = hash;
        hash = (hash + (before & 255) + 1) * PACK_HASH;
    }
    m->context[5].place = (m->n & 1) << 8;
    m->context[6].place = (m->n & 3) << 16 | m->last >> 24 << 8;
}

#endif
