/* SPDX-License-Identifier: Apache-2.0
 *
 * select.c: fills the table of kernels for a CPU: the reference first, then what its feature bits allow,
 * weakest first. A level counts only when all the bits that its files are compiled with are there. */
#include "kernel/decode.h"
#include "kernel/level.h"

#include "mote/host.h"

void mote_kernel_select(struct mote_kernels *table, uint32_t cpu) {
    *table = (struct mote_kernels){0};
    mote_kernel_decode_overlay__ref(table);
    mote_kernel_product_overlay__ref(table);
    mote_kernel_float_overlay__ref(table);
    mote_kernel_attend_overlay__ref(table);
#if defined(__x86_64__)
    if (!(cpu & MOTE_CPU_AVX2)) return;
    mote_kernel_decode_overlay__avx2(table);
    mote_kernel_product_overlay__avx2(table);
    mote_kernel_float_overlay__avx2(table);
    mote_kernel_direct_overlay__avx2(table);
    if (cpu & MOTE_CPU_AVXVNNI) {
        mote_kernel_product_overlay__avxvnni(table);
        mote_kernel_direct_overlay__avxvnni(table);
    }
    if (!(cpu & MOTE_CPU_AVX512)) return;
    mote_kernel_decode_overlay__avx512(table);
    mote_kernel_product_overlay__avx512(table);
    mote_kernel_float_overlay__avx512(table);
    if (!(cpu & MOTE_CPU_AVX512VNNI)) return;
    mote_kernel_product_overlay__avx512vnni(table);
    mote_kernel_direct_overlay__avx512vnni(table);
#elif defined(__aarch64__)
    if (!(cpu & MOTE_CPU_NEON)) return;
    mote_kernel_decode_overlay__neon(table);
    mote_kernel_product_overlay__neon(table);
    mote_kernel_float_overlay__neon(table);
    if (!(cpu & MOTE_CPU_DOTPROD)) return;
    mote_kernel_product_overlay__dotprod(table);
    if (cpu & MOTE_CPU_I8MM) mote_kernel_product_overlay__i8mm(table);
#else
    (void)cpu;
#endif
}
