/* SPDX-License-Identifier: Apache-2.0
 *
 * synth.h: what the files of mote-synth share. See synth.c for what it makes. */
#ifndef MOTE_TOOL_SYNTH_H
#define MOTE_TOOL_SYNTH_H

#include <stddef.h>
#include <stdint.h>

/* ---- random numbers: xoshiro256**, seeded through splitmix64 ---- */

struct synth_random {
    uint64_t s[4];
};

static inline void synth_seed(struct synth_random *r, uint64_t seed) {
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        r->s[i] = z ^ z >> 31;
    }
}

static inline uint64_t synth_bits(struct synth_random *r) {
    uint64_t *s = r->s, x = s[1] * 5, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3] << 45 | s[3] >> 19;
    return (x << 7 | x >> 57) * 9;
}

/* ---- weights ---- */

struct synth_type {
    const char *name;
    uint32_t number;          /* in the file */
    uint32_t elements, bytes; /* of a block */
    float unit;               /* standard deviation of the weights of a block whose d is 1 */
    void (*fill)(const struct synth_type *type, struct synth_random *r, float sigma, uint8_t *block);
    uint32_t d_at; /* where the f16 d stands, for fill_plain */
};

/* By name ("Q4_K"), or NULL. */
const struct synth_type *synth_type_find(const char *name);
const struct synth_type *synth_type_at(size_t i); /* all of them in order, then NULL */

/* ---- a growing buffer of the file's directory ---- */

struct synth_buffer {
    uint8_t *bytes;
    size_t n, size;
};

void synth_put(struct synth_buffer *b, const void *bytes, size_t n);
void synth_put_le(struct synth_buffer *b, uint64_t value, unsigned n_bytes);
void synth_put_string(struct synth_buffer *b, const char *text);
void synth_put_key(struct synth_buffer *b, const char *name, uint32_t type);
_Noreturn void synth_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

enum { SYNTH_U32 = 4, SYNTH_I32 = 5, SYNTH_F32 = 6, SYNTH_BOOL = 7, SYNTH_STRING = 8, SYNTH_ARRAY = 9 };

/* ---- vocabulary: appends the tokenizer.* keys, returns how many; *n_vocab is how many tokens they make ----
 */

uint32_t synth_vocab_make(struct synth_buffer *b, uint32_t n_vocab);
uint32_t synth_vocab_copy(struct synth_buffer *b, const char *path, uint32_t *n_vocab);

#endif
