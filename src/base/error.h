/* SPDX-License-Identifier: Apache-2.0
 *
 * error.h: filling a mote_error. */
#ifndef MOTE_BASE_ERROR_H
#define MOTE_BASE_ERROR_H

#include "mote/mote.h"

/* Fills error (if not NULL) and returns status, so that a caller writes `return mote_base_fail(…)`.
 * format knows %s (const char *, NUL-terminated), %t (mote_text by value), %u (uint64_t: cast what is
 * narrower), %d (int64_t), %f (double, three decimals) and %%. Text is cut to fit; bytes outside printable
 * ASCII come out as '?'. */
mote_status mote_base_fail(mote_error *error, mote_status status, uint64_t where, const char *format, ...);

/* The same formatting into a buffer, always NUL-terminated (size >= 1); returns the length written. */
size_t mote_base_format(char *out, size_t size, const char *format, ...);

#endif
