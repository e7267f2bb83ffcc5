/* SPDX-License-Identifier: Apache-2.0
 *
 * bundle.h: sixteen rows of a matrix as products of WebAssembly read them: the same bytes in another order.
 *
 * A file has row after row. Products take a little of sixteen rows at a time, and would have to turn it into lanes for
 * each token anew. In WebAssembly the bytes of a file lie in memory that is the module's own, so they are turned once,
 * where they are. A block of a type is cut into fields, and a field into pieces of 2 or 4 bytes; rows then lie side by
 * side, piece by piece:
 *
 *     row 0    d0 q0 q1 … │ d1 q0 q1 … │ …            d0 of 16 rows │ d1 of 16 rows │ …
 *     row 1    d0 q0 q1 … │ d1 q0 q1 … │ …     →      block 0: q0 of 16 rows │ q1 of 16 rows │ …
 *     …                                               block 1: …
 *
 * the fields one after the other, each for all blocks of the row; or all fields of a block and then the next block.
 * Bytes of pieces of four may have bits flipped: those of Q8_0 become q + 128, as panels have them, so that they
 * are panels.
 *
 * Only whole sixteens of rows of at least MOTE_KERNEL_SPAN values are bundled, and only of types whose products of this
 * machine read bundles (mote_kernels.bundles). */
#ifndef MOTE_KERNEL_BUNDLE_H
#define MOTE_KERNEL_BUNDLE_H

#include <stdint.h>

/* Whether there is an order for a type. */
int mote_kernel_bundle_knows(uint32_t type);

/* Sixteen rows of k values, one behind the other, become a bundle. work: as many bytes. */
void mote_kernel_bundle_make(uint32_t type, uint32_t k, uint8_t *rows, uint8_t *work);

/* Row r < 16 of a bundle as the file had it. */
void mote_kernel_bundle_row(uint32_t type, uint32_t k, const uint8_t *bundle, uint32_t r, uint8_t *row);

#endif
