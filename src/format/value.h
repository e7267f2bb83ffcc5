/* SPDX-License-Identifier: Apache-2.0
 *
 * value.h: what the files of this room share about value types and names. */
#ifndef MOTE_FORMAT_VALUE_H
#define MOTE_FORMAT_VALUE_H

#include "format/gguf.h"

/* Bytes of one value; 0 for strings and arrays, whose size is in the file. */
uint32_t mote_format_type_bytes(enum mote_format_type type);
const char *mote_format_type_name(enum mote_format_type type);

/* A total order of names: shorter first, then by bytes. */
int mote_format_compare(mote_text a, mote_text b);

static inline int mote_format_same(mote_text a, mote_text b) {
    return mote_format_compare(a, b) == 0;
}

/* A view of a NUL-terminated constant. */
mote_text mote_format_text(const char *constant);

#endif
