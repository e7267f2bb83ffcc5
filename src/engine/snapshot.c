/* SPDX-License-Identifier: Apache-2.0
 *
 * snapshot.c: a session as bytes, and back. Little-endian:
 *
 *     0   "mote-kv1"
 *     8   u64 model: a hash of the file's directory and of the first bytes of each tensor
 *     16  u64 checksum of all that follows 24
 *     24  u32 KV cache type    28  u32 positions of a page    32  u64 bytes of a page
 *     40  u32 n_tokens         44  u32 0
 *     48  i32 tokens [n_tokens], zeros to the next multiple of 64
 *         pages, in order, as the device holds them; the last one cleared behind the last token
 *
 * The hashes find damage and mistakes; they are no defence against somebody who forges bytes on purpose. He
 * gains nothing by it but wrong numbers: every size and token is checked, and a page holds only numbers. */
#include "base/error.h"
#include "base/memory.h"
#include "base/reader.h"
#include "engine/engine.h"

enum { HEADER = 48, SUMMED = 24, ALIGN = 64, SAMPLE = 256 };

static const char MAGIC[8] = {'m', 'o', 't', 'e', '-', 'k', 'v', '1'};

static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15;
    return hash ^ hash >> 32;
}

static uint64_t hash_bytes(uint64_t hash, const uint8_t *bytes, uint64_t n) {
    for (; n >= 8; bytes += 8, n -= 8)
        hash = mix(hash, mote_base_u64(bytes));
    for (; n; bytes++, n--)
        hash = mix(hash, *bytes);
    return hash;
}

static uint64_t hash_model(const struct mote_model *model) {
    const struct mote_format_file *f = &model->file;
    uint64_t hash = hash_bytes(f->n_bytes, f->bytes, f->data_offset);
    for (uint64_t i = 0; i < f->n_tensors; i++) {
        const struct mote_format_tensor *t = &f->tensors[i];
        hash = hash_bytes(hash, t->data, t->bytes < SAMPLE ? t->bytes : SAMPLE);
    }
    return hash;
}

static void put(uint8_t *at, unsigned n, uint64_t value) {
    for (unsigned i = 0; i < n; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t pages_offset(uint64_t n_tokens) {
    return (HEADER + 4 * n_tokens + ALIGN - 1) / ALIGN * ALIGN;
}

static uint64_t size_of(const struct mote_context *c, uint64_t n_tokens) {
    return pages_offset(n_tokens) +
           (n_tokens + MOTE_DEVICE_PAGE - 1) / MOTE_DEVICE_PAGE * c->device.page_bytes;
}

uint64_t mote_session_save_plan(const mote_session *session) {
    return size_of(session->context, session->n_tokens);
}

mote_status mote_session_save(const mote_session *session, void *out, uint64_t out_bytes, mote_error *error) {
    const struct mote_context *c = session->context;
    uint32_t n = session->n_tokens;
    uint64_t n_bytes = size_of(c, n), at = pages_offset(n);
    uint8_t *bytes = out;
    if (!session->open || !n)
        return mote_base_fail(error, MOTE_E_ARGUMENT, 0, "an empty session has nothing to save");
    if (out_bytes < n_bytes)
        return mote_base_fail(error, MOTE_E_ROOM, 0, "saving the session takes %u bytes, there are %u",
                              n_bytes, out_bytes);
    memset(bytes, 0, at);
    memcpy(bytes, MAGIC, sizeof MAGIC);
    put(bytes + 8, 8, hash_model(c->model));
    put(bytes + 24, 4, c->device.kv_type);
    put(bytes + 28, 4, MOTE_DEVICE_PAGE);
    put(bytes + 32, 8, c->device.page_bytes);
    put(bytes + 40, 4, n);
    for (uint32_t i = 0; i < n; i++)
        put(bytes + HEADER + 4 * (uint64_t)i, 4, (uint32_t)session->tokens[i]);
    for (uint32_t i = 0; i < n; i += MOTE_DEVICE_PAGE, at += c->device.page_bytes)
        mote_device_cpu_save_page(&c->device, session->pages[i / MOTE_DEVICE_PAGE],
                                  n - i < MOTE_DEVICE_PAGE ? n - i : MOTE_DEVICE_PAGE, bytes + at);
    put(bytes + 16, 8, hash_bytes(n_bytes, bytes + SUMMED, n_bytes - SUMMED));
    return MOTE_OK;
}

static mote_status check(const struct mote_context *c, const uint8_t *bytes, uint64_t n_bytes,
                         mote_error *error) {
    if (n_bytes < HEADER || memcmp(bytes, MAGIC, sizeof MAGIC) != 0)
        return mote_base_fail(error, MOTE_E_FORMAT, 0, "this is no saved session");
    if (mote_base_u64(bytes + 8) != hash_model(c->model))
        return mote_base_fail(error, MOTE_E_ARGUMENT, 8, "the session was saved from another model");
    if (mote_base_u32(bytes + 24) != (uint32_t)c->device.kv_type ||
        mote_base_u32(bytes + 28) != MOTE_DEVICE_PAGE || mote_base_u64(bytes + 32) != c->device.page_bytes)
        return mote_base_fail(error, MOTE_E_ARGUMENT, 24,
                              "the session was saved from a context with another type of KV cache");
    uint32_t n = mote_base_u32(bytes + 40);
    if (!n || n_bytes != size_of(c, n))
        return mote_base_fail(error, MOTE_E_FORMAT, 40, "a saved session of %u tokens has %u bytes, not %u",
                              (uint64_t)n, size_of(c, n), n_bytes);
    if (n > c->n_positions)
        return mote_base_fail(error, MOTE_E_CONTEXT, 40,
                              "the session's %u tokens do not fit into %u positions", (uint64_t)n,
                              (uint64_t)c->n_positions);
    if (mote_base_u64(bytes + 16) != hash_bytes(n_bytes, bytes + SUMMED, n_bytes - SUMMED))
        return mote_base_fail(error, MOTE_E_FORMAT, 16, "the saved session is damaged");
    for (uint32_t i = 0; i < n; i++) {
        uint64_t at = HEADER + 4 * (uint64_t)i;
        if (mote_base_u32(bytes + at) >= c->model->config.n_vocab)
            return mote_base_fail(error, MOTE_E_TOKEN, at, "token %u of the saved session is out of range",
                                  (uint64_t)i);
    }
    return MOTE_OK;
}

mote_status mote_session_restore(mote_context *context, const void *bytes, uint64_t n_bytes,
                                 mote_session **session, mote_error *error) {
    const uint8_t *p = bytes;
    struct mote_session *s;
    mote_status status = check(context, p, n_bytes, error);
    if (status) return status;
    uint32_t n = mote_base_u32(p + 40);
    if ((status = mote_session_open(context, &s)))
        return mote_base_fail(error, status, 0, "%s", mote_status_text(status));
    if (!mote_engine_take_pages(s, n)) {
        mote_session_close(s);
        return mote_base_fail(error, MOTE_E_CONTEXT, 0, "no room is left in the context for %u tokens",
                              (uint64_t)n);
    }
    for (uint32_t i = 0; i < n; i++)
        s->tokens[i] = (mote_token)mote_base_u32(p + HEADER + 4 * (uint64_t)i);
    for (uint32_t i = 0; i < s->n_pages; i++)
        mote_device_cpu_restore_page(&context->device, s->pages[i],
                                     p + pages_offset(n) + i * context->device.page_bytes);
    s->n_tokens = n;
    *session = s;
    return MOTE_OK;
}
