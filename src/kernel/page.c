/* SPDX-License-Identifier: Apache-2.0
 *
 * page.c: the size of a page of the KV cache, and emptying the end of one. */
#include "kernel/page.h"

#include "base/memory.h"

uint64_t mote_kernel_page_bytes(mote_kv_type type, uint32_t head_dim) {
    if (mote_kernel_is_s8(type)) return mote_kernel_page_bytes_s8(head_dim);
    return mote_kernel_page_describe(type, head_dim).bytes;
}

/* Clears elements [from, n) of a row of n. */
static void clear(mote_kv_type type, uint8_t *row, uint32_t from, uint32_t n) {
    if (type == MOTE_KV_Q4_0) {
        for (uint32_t i = from; i < (n + 31) / 32 * 32; i++)
            row[i / 32 * 16 + i % 16] &= i % 32 < 16 ? 0xf0 : 0x0f;
        return;
    }
    uint32_t at = mote_kernel_page_row(type, from);
    memset(row + at, 0, mote_kernel_page_row(type, n) - at);
}

void mote_kernel_page_clear(mote_kv_type type, uint32_t head_dim, uint32_t from, void *page) {
    struct mote_kernel_page_layout l = mote_kernel_page_describe(type, head_dim);
    uint8_t *keys = page, *values = keys + l.values, *scales = keys + l.key_scales;
    for (uint32_t e = 0; e < head_dim; e++)
        clear(type, keys + (uint64_t)e * l.key_bytes, from, MOTE_KERNEL_PAGE);
    for (uint32_t t = 0; t < MOTE_KERNEL_PAGE; t++)
        clear(type, values + (uint64_t)t * l.value_bytes, t < from ? head_dim : 0, l.padded);
    uint64_t used = l.key_scales;
    if (l.value_scales > l.key_scales) {
        for (uint32_t e = 0; e < l.n_scales; e++)
            clear(MOTE_KV_F16, scales + 2 * MOTE_KERNEL_PAGE * (uint64_t)e, from, MOTE_KERNEL_PAGE);
        used = l.value_scales + 2 * (uint64_t)from * l.n_scales;
    }
    memset(keys + used, 0, l.bytes - used);
}
