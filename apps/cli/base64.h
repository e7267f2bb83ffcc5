/* SPDX-License-Identifier: Apache-2.0
 *
 * base64.h: bytes that a JSON file holds as text. */
#ifndef MOTE_CLI_BASE64_H
#define MOTE_CLI_BASE64_H

#include "apps/cli/buffer.h"

/* Appends the bytes that the text stands for; 0 when it is not base64, or without memory. */
int cli_base64_decode(const char *text, struct cli_buffer *out);

#endif
