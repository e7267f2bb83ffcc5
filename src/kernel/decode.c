/* SPDX-License-Identifier: Apache-2.0
 *
 * decode.c: the table of the reference decoders. */
#include "kernel/decode.h"

void mote_kernel_decode_overlay__ref(struct mote_kernels *table) {
#define DECODE_SET(NAME, lower) table->decode[MOTE_TYPE_##NAME] = mote_kernel_decode_##lower##__ref;
    MOTE_KERNEL_DECODE_LIST(DECODE_SET)
#undef DECODE_SET
}
