/* SPDX-License-Identifier: Apache-2.0
 *
 * template_fuzz.c: hostile templates over hostile variables.
 *
 *     input   sizes (1 byte)   template … NUL variables JSON …
 *
 * The sizes byte picks small or large work and output blocks, so that running out of either is met at every
 * place. Without a NUL the variables are {}. A failure must come with a text and a place inside the template.
 */
#include <stdlib.h>
#include <string.h>

#include "text/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (!n) return 0;
    size_t work_bytes = (size_t)12000 << (data[0] & 7), max_out = (size_t)64 << (data[0] >> 4 & 15) / 2 * 2;
    const char *text = (const char *)data + 1, *end = (const char *)data + n;
    const char *split = memchr(text, 0, (size_t)(end - text));
    mote_text source = {text, (size_t)((split ? split : end) - text)}, variables = {"{}", 2};
    if (split) variables = (mote_text){split + 1, (size_t)(end - split - 1)};
    void *work = malloc(work_bytes); /* exact blocks, so that a byte too far is seen */
    char *out = malloc(max_out);
    size_t n_out = 0;
    mote_error error = {MOTE_OK, 0, ""};
    if (!work || !out) abort();
    mote_status status =
        mote_text_template_render(source, variables, data[0], work, work_bytes, out, max_out, &n_out, &error);
    if (status ? error.status != status || !error.text[0] || n_out : n_out > max_out) abort();
    if (status == MOTE_E_TEMPLATE && error.where > source.n) abort();
    free(work);
    free(out);
    return 0;
}
