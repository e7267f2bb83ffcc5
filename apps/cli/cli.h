/* SPDX-License-Identifier: Apache-2.0
 *
 * cli.h: what the files of the mote command share. stdout carries only answers; everything else goes to
 * stderr. No colour and no bar unless stderr is a terminal (and NO_COLOR is unset, for colour). */
#ifndef MOTE_CLI_H
#define MOTE_CLI_H

#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "host/posix/posix.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,        /* the work could not be done: I/O, network, a checksum */
    CLI_USAGE = 2,         /* the command line is wrong */
    CLI_MODEL = 3,         /* the model is missing, malformed or not supported */
    CLI_MEMORY = 4,        /* not enough memory */
    CLI_CONTEXT = 5,       /* the prompt is longer than the context */
    CLI_INTERRUPTED = 130, /* Ctrl-C */
};

/* Prints "mote: …\n" to stderr and returns code, so that a caller writes `return cli_fail(CLI_USAGE, …)`. */
int cli_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Set by SIGINT (cli_signals installs the handler); long work looks at it and stops cleanly. A second Ctrl-C
 * ends the program at once. */
extern volatile sig_atomic_t cli_interrupted;
void cli_signals(void);
/* Whether SIGINT ends a read that waits for input, as a person at the keyboard expects. Otherwise system calls
 * go on after it: what stdio was writing would be lost. */
void cli_signals_end_reads(int yes);

/* Reads the answer to a question from stdin: its first character in lower case, '\n' if it is empty, 0 at the
 * end of the input or after SIGINT. */
int cli_answer(void);

/* A progress line on stderr: label, bar, done/total, speed, time left. Without a terminal: a line at the
 * start and one at the end. total 0: unknown. unit "B" prints sizes, other units are plain counts. */
struct cli_progress {
    const char *label, *unit;
    uint64_t total, done, first, rated;
    double started, drawn, rated_at, rate;
    int quiet, terminal; /* quiet is set by the caller before open; zero the rest */
};
void cli_progress_open(struct cli_progress *progress, const char *label, const char *unit, uint64_t total,
                       uint64_t done);
void cli_progress_move(struct cli_progress *progress, uint64_t done);
void cli_progress_close(struct cli_progress *progress, int success);

/* "1.4 GB", "640 kB": decimal units, into out (at least 16 bytes); returns out. */
char *cli_size(uint64_t n_bytes, char *out);
double cli_clock(void); /* seconds, monotonic */

/* Where models are kept: $MOTE_MODELS, or ${XDG_CACHE_HOME:-~/.cache}/mote/models. Malloc'ed, or NULL with a
 * message printed. */
char *cli_models_dir(void);

/* Resolves MODEL (a path, a catalogue name, or a reference such as hf:… npm:… https:…; NULL: the catalogue's
 * default) to the path of a file that is there. A model that is not there is offered for pulling when stdin
 * and stderr are terminals (or pulled at once when yes is set); else the failure says which command would
 * pull it. *path is malloc'ed. Returns CLI_OK or an exit code, with a message printed. */
int cli_model_find(const char *model, int yes, char **path);

/* The commands. argv[0] is the command's own name. */
int cli_run(int argc, char **argv);
int cli_chat(int argc, char **argv);
int cli_pull(int argc, char **argv);
int cli_list(int argc, char **argv);
int cli_rm(int argc, char **argv);
int cli_info(int argc, char **argv);
int cli_tokenize(int argc, char **argv);
int cli_detokenize(int argc, char **argv);
int cli_perplexity(int argc, char **argv);
int cli_convert(int argc, char **argv);
int cli_quantize(int argc, char **argv);
int cli_bench(int argc, char **argv);
int cli_embed(int argc, char **argv);
int cli_classify(int argc, char **argv);
int cli_rerank(int argc, char **argv);
int cli_search(int argc, char **argv);
int cli_train_head(int argc, char **argv);

#endif
