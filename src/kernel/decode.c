/* SPDX-License-Identifier: Apache-2.0
 *
 * decode.c: the tables of decoders that are gathered from several files. */
#include "kernel/decode.h"

void mote_kernel_decode_overlay__ref(struct mote_kernels *table) {
#define DECODE_SET(NAME, lower) table->decode[MOTE_TYPE_##NAME] = mote_kernel_decode_##lower##__ref;
    MOTE_KERNEL_DECODE_LIST(DECODE_SET)
#undef DECODE_SET
}

#if defined(__x86_64__)
void mote_kernel_decode_overlay__avx2(struct mote_kernels *table) {
    mote_kernel_decode_legacy_overlay__avx2(table);
    mote_kernel_decode_k_overlay__avx2(table);
    mote_kernel_decode_iq_overlay__avx2(table);
}
#endif
