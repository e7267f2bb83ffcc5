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

/* Writes text as a JSON string, control characters (those of C1 too) as \uXXXX, what is not UTF-8 as U+FFFD. */
void cli_print_json(FILE *out, mote_text text);

/* x as a number of JSON, with the fewest digits, from six on, that make this f32 again; "null" if it is none.
 * out has CLI_MOST_FLOAT bytes; returns how many are used, without the NUL behind them. */
enum { CLI_MOST_FLOAT = 32 };
size_t cli_float_text(float x, char *out);

/* Says that name could not be written to, from errno, unless it is stdout and its reader has gone away: there is
 * nobody to tell then. Returns CLI_FAILED. */
int cli_write_fail(const char *name);

/* Why mote_posix_map_open failed, from its errno. */
const char *cli_map_reason(int error);

#endif
