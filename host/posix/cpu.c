/* SPDX-License-Identifier: Apache-2.0
 *
 * cpu.c: which instruction sets this machine has, as MOTE_CPU_* bits, and the names of the levels made of
 * them.
 *
 * On x86 a feature counts only when the processor has it (CPUID) and the operating system saves its registers
 * (XCR0, read with XGETBV):
 *
 *     XCR0 bit   1 XMM   2 YMM   5 opmask   6 upper halves of ZMM0-15   7 ZMM16-31
 *
 * A level is the set of all bits up to its name, so that --cpu avx2 means "as if there were nothing newer".
 */
#include <string.h>

#include "host/posix/posix.h"

#if defined(__x86_64__)

#include <cpuid.h>

static uint32_t saved_registers(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return low;
}

uint32_t mote_posix_cpu(void) {
    uint32_t a, b, c, d, bits = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
    int osxsave = c >> 27 & 1, avx = c >> 28 & 1, f16c = c >> 29 & 1;
    if (!osxsave || !avx) return 0;
    uint32_t saved = saved_registers();
    int ymm = (saved & 0x06) == 0x06, zmm = (saved & 0xe6) == 0xe6;
    if (!ymm || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    const uint32_t avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
    uint32_t newest_leaf = a;
    if ((b >> 5 & 1) && f16c) bits |= MOTE_CPU_AVX2;
    if (bits && zmm && (b & avx512) == avx512) {
        bits |= MOTE_CPU_AVX512;
        if (c >> 11 & 1) bits |= MOTE_CPU_AVX512VNNI;
    }
    if (bits && newest_leaf >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1))
        bits |= MOTE_CPU_AVXVNNI;
    return bits;
}

#define LEVELS(X)                                                                                            \
    X("scalar", 0)                                                                                           \
    X("avx2", MOTE_CPU_AVX2)                                                                                 \
    X("avxvnni", MOTE_CPU_AVX2 | MOTE_CPU_AVXVNNI)                                                           \
    X("avx512", MOTE_CPU_AVX2 | MOTE_CPU_AVXVNNI | MOTE_CPU_AVX512)                                          \
    X("avx512vnni", MOTE_CPU_AVX2 | MOTE_CPU_AVXVNNI | MOTE_CPU_AVX512 | MOTE_CPU_AVX512VNNI)

#elif defined(__aarch64__) && defined(__linux__)

#include <sys/auxv.h>

/* NEON is part of the architecture; the dot products are told by the kernel: bits of AT_HWCAP, AT_HWCAP2. */
uint32_t mote_posix_cpu(void) {
    uint32_t bits = MOTE_CPU_NEON;
    if (getauxval(AT_HWCAP) >> 20 & 1) bits |= MOTE_CPU_DOTPROD;
    if (getauxval(AT_HWCAP2) >> 13 & 1) bits |= MOTE_CPU_I8MM;
    return bits;
}

#define LEVELS(X)                                                                                            \
    X("scalar", 0)                                                                                           \
    X("neon", MOTE_CPU_NEON)                                                                                 \
    X("dotprod", MOTE_CPU_NEON | MOTE_CPU_DOTPROD)                                                           \
    X("i8mm", MOTE_CPU_NEON | MOTE_CPU_DOTPROD | MOTE_CPU_I8MM)

#elif defined(__wasm_simd128__)

uint32_t mote_posix_cpu(void) {
    return MOTE_CPU_SIMD128;
}

#define LEVELS(X) X("scalar", 0) X("simd128", MOTE_CPU_SIMD128)

#else

uint32_t mote_posix_cpu(void) {
    return 0;
}

#define LEVELS(X) X("scalar", 0)

#endif

#define LEVEL_NAME(name, bits) name,
#define LEVEL_BITS(name, bits) bits,
const char *const mote_posix_cpu_levels[] = {LEVELS(LEVEL_NAME) NULL};
static const uint32_t level_bits[] = {LEVELS(LEVEL_BITS)};

int mote_posix_cpu_level(const char *name, uint32_t *bits) {
    if (!strcmp(name, "native")) {
        *bits = UINT32_MAX;
        return 1;
    }
    for (size_t i = 0; mote_posix_cpu_levels[i]; i++) {
        if (strcmp(name, mote_posix_cpu_levels[i]) != 0) continue;
        *bits = level_bits[i];
        return 1;
    }
    return 0;
}
