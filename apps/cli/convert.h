/* SPDX-License-Identifier: Apache-2.0
 *
 * convert.h: llama2.c checkpoints to GGUF. */
#ifndef MOTE_CLI_CONVERT_H
#define MOTE_CLI_CONVERT_H

/* Writes the GGUF file out from a llama2.c checkpoint (version 0, f32) and its tokenizer; the file appears
 * whole or not at all. Returns CLI_OK or an exit code, with a message printed. */
int cli_convert_checkpoint(const char *checkpoint, const char *tokenizer, const char *out);

#endif
