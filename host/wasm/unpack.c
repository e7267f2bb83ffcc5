/* SPDX-License-Identifier: Apache-2.0
 *
 * unpack.c: puts the module's constant data in its place, once, when the first instance on a memory starts:
 * tools/wasm_pack.c makes `unpack` the start function. The model works where blocks will be, and leaves zeros
 * there. Compiled apart from the rest of the program, whose optimiser would take wasm_packed for zeros. */
#include "host/wasm/pack.h"
#include "host/wasm/wasm.h"

struct pack_data wasm_packed;
void unpack(void);

static int unpacked;

/* Steps become words. */
static void rise(uint16_t *word, uint32_t n, int digits) {
    for (uint32_t last = ~0u; n; n--, word++) {
        for (uint32_t steps = *word; steps;)
            steps -= (uint32_t)pack_fits(++last, digits);
        *word = (uint16_t)last;
    }
}

void unpack(void) {
    if (unpacked++) return;
    struct pack_model *model = wasm_room(sizeof *model);
    if (!model) __builtin_trap();
    const uint8_t *code = wasm_packed.code;
    uint8_t *to = wasm_pointer(wasm_packed.to);
    uint32_t low = 0, high = ~0u, at = 0;
    for (int i = 0; i < 4; i++)
        at = at << 8 | *code++;
    pack_begin(model);
    while (model->n < wasm_packed.n) {
        pack_predict(model);
        uint32_t middle = low + (high - low) / 4096 * model->probability, bit = at <= middle;
        if (bit)
            high = middle;
        else
            low = middle + 1;
        pack_learn(model, bit);
        if (model->bits == 1) to[model->n - 1] = (uint8_t)model->last;
        for (; !((low ^ high) >> 24); low <<= 8, high = high << 8 | 255)
            at = at << 8 | *code++;
    }
    for (int i = 0; i < PACK_RISES; i++)
        rise((uint16_t *)to + wasm_packed.rise[i].at, wasm_packed.rise[i].n % PACK_RISE_WORDS,
             wasm_packed.rise[i].n / PACK_RISE_WORDS);
    __builtin_memset(model, 0, sizeof *model);
}
