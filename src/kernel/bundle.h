/* SPDX-License-Identifier: Apache-2.0
 *
 * bundle.h: some rows of a matrix as products of WebAssembly read them: the same bytes in another order.
 *
 * A file has row after row. Products take a little of several rows at a time, and would have to turn it into lanes for
 * each token anew. In WebAssembly the bytes of a file lie in memory that is the module's own, so they are turned once,
 * where they are. A block of a type is cut into fields, and a field into pieces of 4 or 2 bytes; the blocks of eight
 * rows, or of sixteen (Q4_K, Q5_K, Q6_K), then lie side by side, piece by piece:
 *
 *     row 0   d0 q0 q1 … │ d1 q0 q1 … │ …           d0 of 8 rows │ q0 of 8 rows │ q1 of 8 rows │ …
 *     row 1   d0 q0 q1 … │ d1 q0 q1 … │ …     →     d1 of 8 rows │ q0 of 8 rows │ q1 of 8 rows │ …
 *     …                                             …
 *
 * Pieces of 4 bytes are those of rows 0 … 7. Pieces of 2 bytes, halves, go two to a word: rows 0 and 4, 1 and 5, 2 and 6,
 * 3 and 7, so that a shift and a mask make vectors of four rows. Bytes of Q8_0 may be flipped: mote_kernels.bundle_flip
 * changes q to q + 128.
 *
 * Q6_K besides loses nibbles and pairs of bits: words of four values w0 … w3 of each sixteen become
 *
 *     a = w0 | t << 2 & tops    b = w1 | t << 4 & tops    c = w2 | t << 6 & tops          tops: 0xc0 of each byte
 *     t = w3 ^ w0 >> 2 ^ w1 >> 4 ^ w2 >> 6,   so that   w3 = (a >> 2 ^ b >> 4 ^ c >> 6) & 0x3f of each byte
 *
 * and a block is its scales, d, and a, b, c of one group after the other.
 *
 * Only whole sixteens of rows of at least MOTE_KERNEL_SPAN values are bundled, and only of types whose
 * products on this machine read bundles (mote_kernels.bundles). */
#ifndef MOTE_KERNEL_BUNDLE_H
#define MOTE_KERNEL_BUNDLE_H

#include <stdint.h>

/* Whether there is such an order for a type. */
int mote_kernel_bundle_knows(uint32_t type);

/* Sixteen rows of k values, one behind the other, become bundles. work: as many bytes. */
void mote_kernel_bundle_make(uint32_t type, uint32_t k, uint8_t flip, uint8_t *rows, uint8_t *work);

/* Row r < 16 of these as the file had it. */
void mote_kernel_bundle_row(uint32_t type, uint32_t k, uint8_t flip, const uint8_t *bundles, uint32_t r,
                            uint8_t *row);

#endif
