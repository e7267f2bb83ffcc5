/* SPDX-License-Identifier: Apache-2.0
 *
 * reader.h: reads little-endian values from bytes with a known end, never past it. Values are assembled from
 * bytes, so alignment and the machine's own byte order do not matter. */
#ifndef MOTE_BASE_READER_H
#define MOTE_BASE_READER_H

#include <stdint.h>

struct mote_base_reader {
    const uint8_t *bytes;
    uint64_t size, at; /* at <= size, always */
};

/* Views the next n bytes and moves past them; returns 0, and does not move, if fewer are left. */
static inline int mote_base_read(struct mote_base_reader *reader, uint64_t n, const uint8_t **view) {
    if (n > reader->size - reader->at) return 0;
    *view = reader->bytes + reader->at;
    reader->at += n;
    return 1;
}

static inline uint16_t mote_base_u16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t mote_base_u32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t mote_base_u64(const uint8_t *p) {
    return mote_base_u32(p) | (uint64_t)mote_base_u32(p + 4) << 32;
}

static inline int mote_base_read_u32(struct mote_base_reader *reader, uint32_t *value) {
    const uint8_t *p;
    if (!mote_base_read(reader, 4, &p)) return 0;
    *value = mote_base_u32(p);
    return 1;
}

static inline int mote_base_read_u64(struct mote_base_reader *reader, uint64_t *value) {
    const uint8_t *p;
    if (!mote_base_read(reader, 8, &p)) return 0;
    *value = mote_base_u64(p);
    return 1;
}

#endif
