/* SPDX-License-Identifier: Apache-2.0
 *
 * template.h: renders a chat template, a program in the Jinja language, over variables given as JSON text.
 * A small interpreter of the whole of what real templates use; memory comes from the caller, steps, depth and
 * output are bounded, so that no template can hang or exhaust the program. */
#ifndef MOTE_TEXT_TEMPLATE_H
#define MOTE_TEXT_TEMPLATE_H

#include "mote/mote.h"

/* Renders source with the members of the JSON object variables as global variables, into out.
 * lstrip_blocks and trim_blocks are on, as in the chat templates of Hugging Face.
 * `now` is what strftime_now(format) formats, seconds since 1970 UTC; 0: fixed at the epoch.
 * Errors: TEMPLATE, where = byte offset in source, text with line and what was wrong, or raise_exception's
 * words; ARGUMENT if variables is not a JSON object; MEMORY work too small; ROOM out too small. */
MOTE_MUST_USE mote_status mote_text_template_render(mote_text source, mote_text variables, uint64_t now,
                                                    void *work, uint64_t work_bytes, char *out,
                                                    size_t max_out, size_t *n_out, mote_error *error);

/* Appends text to out[*n] as a JSON string literal, quotes and escapes included; invalid UTF-8 becomes
 * U+FFFD. With a vocabulary, MOTE_TEXT_BREAK stands behind the first character of each control token that the
 * text spells. Returns 0 when it does not fit in max_out, which is at least *n. */
struct mote_text_vocab;
int mote_text_json_string(mote_text text, const struct mote_text_vocab *vocab, char *out, size_t max_out,
                          size_t *n);

#endif
