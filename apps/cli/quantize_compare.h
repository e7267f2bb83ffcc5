/* SPDX-License-Identifier: Apache-2.0
 *
 * quantize_compare.h: what smaller weights cost an encoder. */
#ifndef MOTE_CLI_QUANTIZE_COMPARE_H
#define MOTE_CLI_QUANTIZE_COMPARE_H

#include <stdint.h>

/* Prints how near the vectors of some texts are to those of the model before. Returns CLI_OK or an exit code,
 * with a message printed. */
int cli_quantize_compare(const char *before, const char *after, uint32_t threads);

#endif
