/* SPDX-License-Identifier: Apache-2.0
 *
 * select.c: fills the table of kernels for a CPU: the reference first, then what its feature bits allow,
 * weakest first. A level counts only when all the bits that its files are compiled with are there.
 *
 * A WebAssembly module is made for one level: an engine without it does not take the module at all. So the
 * table is filled with that level whatever the bits say, and the reference is left out of the module where it
 * is replaced, but for the tests, which are compiled with MOTE_KERNEL_EVERY_LEVEL. */
#include "kernel/decode.h"
#include "kernel/level.h"

#include "mote/host.h"

#if defined(__wasm_simd128__)
static void overlay_wasm(struct mote_kernels *table, int relaxed) {
    mote_kernel_decode_overlay__simd128(table);
    mote_kernel_product_overlay__simd128(table);
    mote_kernel_float_overlay__simd128(table);
#if !defined(MOTE_NO_ENCODERS)
    mote_kernel_encoder_overlay__simd128(table);
    mote_kernel_integer_overlay__simd128(table);
#endif
#if defined(__wasm_relaxed_simd__)
    if (relaxed) {
#if !defined(MOTE_NO_ENCODERS)
        mote_kernel_packed_overlay__relaxed(table);
#endif
#if !defined(MOTE_NO_DECODERS) /* all products of encoders are packed */
        mote_kernel_multiply_overlay__relaxed(table);
#endif
        return;
    }
#endif
    (void)relaxed;
#if !defined(MOTE_NO_ENCODERS)
    mote_kernel_packed_overlay__simd128(table);
#endif
#if !defined(MOTE_NO_DECODERS)
    mote_kernel_multiply_overlay__simd128(table);
#endif
}
#endif

#if defined(__wasm_simd128__) && !defined(MOTE_KERNEL_EVERY_LEVEL)

void mote_kernel_select(struct mote_kernels *table, uint32_t cpu) {
    (void)cpu;
    *table = (struct mote_kernels){0};
    mote_kernel_light_overlay__ref(table);
    mote_kernel_keep_overlay__ref(table);
    overlay_wasm(table, 1);
}

#else

void mote_kernel_select(struct mote_kernels *table, uint32_t cpu) {
    *table = (struct mote_kernels){0};
    mote_kernel_decode_overlay__ref(table);
    mote_kernel_product_overlay__ref(table);
    mote_kernel_float_overlay__ref(table);
    mote_kernel_attend_overlay__ref(table);
    mote_kernel_attend_s8_overlay__ref(table);
    mote_kernel_encoder_overlay__ref(table);
#if defined(__x86_64__)
    if (!(cpu & MOTE_CPU_AVX2)) return;
    mote_kernel_decode_overlay__avx2(table);
    mote_kernel_product_overlay__avx2(table);
    mote_kernel_float_overlay__avx2(table);
    mote_kernel_attend_s8_overlay__avx2(table);
    mote_kernel_direct_overlay__avx2(table);
    if (cpu & MOTE_CPU_AVXVNNI) {
        mote_kernel_product_overlay__avxvnni(table);
        mote_kernel_direct_overlay__avxvnni(table);
        mote_kernel_attend_s8_overlay__avxvnni(table);
    }
    if (!(cpu & MOTE_CPU_AVX512)) return;
    mote_kernel_decode_overlay__avx512(table);
    mote_kernel_product_overlay__avx512(table);
    mote_kernel_float_overlay__avx512(table);
    mote_kernel_attend_s8_overlay__avx512(table);
    if (!(cpu & MOTE_CPU_AVX512VNNI)) return;
    mote_kernel_product_overlay__avx512vnni(table);
    mote_kernel_direct_overlay__avx512vnni(table);
    mote_kernel_attend_s8_overlay__avx512vnni(table);
#elif defined(__aarch64__)
    if (!(cpu & MOTE_CPU_NEON)) return;
    mote_kernel_decode_overlay__neon(table);
    mote_kernel_product_overlay__neon(table);
    mote_kernel_float_overlay__neon(table);
    mote_kernel_attend_s8_overlay__neon(table);
    if (!(cpu & MOTE_CPU_DOTPROD)) return;
    mote_kernel_product_overlay__dotprod(table);
    mote_kernel_attend_s8_overlay__dotprod(table);
    if (cpu & MOTE_CPU_I8MM) mote_kernel_product_overlay__i8mm(table);
#elif defined(__wasm_simd128__)
    if (cpu & MOTE_CPU_SIMD128) overlay_wasm(table, (cpu & MOTE_CPU_RELAXED) != 0);
#else
    (void)cpu;
#endif
}

#endif
