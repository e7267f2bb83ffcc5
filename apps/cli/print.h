/* SPDX-License-Identifier: Apache-2.0
 *
 * print.h: text of unknown origin on one line, and reasons. */
#ifndef MOTE_CLI_PRINT_H
#define MOTE_CLI_PRINT_H

#include <stdio.h>

#include "mote/mote.h"

/* Writes text with its control characters (those of C1, U+0080 … U+009F, too) and what is not UTF-8 as
 * \n, \t, \\ or \xNN, so that a file cannot command a terminal. */
void cli_print(FILE *out, mote_text text);

/* Writes n bytes of an answer for a terminal: lines and tabs as they are, other control characters as their
 * pictures (U+2400 …), what is not UTF-8 as U+FFFD, so that a model cannot command a terminal either. 0 if it
 * could not. */
int cli_print_answer(FILE *out, const char *text, size_t n);

/* Why mote_posix_map_open failed, from its errno. */
const char *cli_map_reason(int error);

#endif
