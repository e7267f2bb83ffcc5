/* SPDX-License-Identifier: Apache-2.0
 *
 * options.h: command lines as tables. A command lists its options once; parsing, ranges and --help come from
 * the list. Each option names the member it is stored in by its offset, so that lists are constant and those
 * that commands share are written once:
 *
 *     static const struct cli_option own[] = {
 *         CLI_OPTION("prompt", 'p', "TEXT", CLI_TEXT, offsetof(struct request, prompt), 0, 0, "the prompt"),
 *         {0}};
 *     const struct cli_grammar grammar = {
 *         "[MODEL]", "Does this.", {{own, &request}, {cli_runtime_options, &request.runtime}}, 0, 1}; */
#ifndef MOTE_CLI_OPTIONS_H
#define MOTE_CLI_OPTIONS_H

#include <stddef.h>

#include "mote/mote.h"

enum cli_kind {
    CLI_FLAG,   /* int, set to 1 */
    CLI_TEXT,   /* const char * */
    CLI_TEXTS,  /* struct cli_texts, one more each time */
    CLI_COUNT,  /* uint32_t in [least, most] */
    CLI_SEED,   /* uint64_t */
    CLI_REAL,   /* float in [least, most] */
    CLI_LEVEL,  /* uint32_t, MOTE_CPU_* bits of a named level */
    CLI_KV,     /* mote_kv_type: f16, f32, q8_0 or q4_0 */
    CLI_COUNTS, /* struct cli_counts: "1,2,4", each in [least, most] */
    CLI_KVS,    /* struct cli_kvs: "f16,f32" */
};

enum { CLI_MOST_TEXTS = 16 };
struct cli_texts {
    const char *list[CLI_MOST_TEXTS];
    size_t n;
};

/* What a list separated by commas holds; a list given takes the place of the one before. */
enum { CLI_MOST_COUNTS = 16 };
struct cli_counts {
    uint32_t list[CLI_MOST_COUNTS];
    size_t n;
};
struct cli_kvs {
    mote_kv_type list[CLI_MOST_COUNTS];
    size_t n;
};

struct cli_option {
    const char *name;
    char letter;              /* 0: only the long form */
    const char *value, *help; /* value: its name in the help, NULL for a flag */
    enum cli_kind kind;
    size_t at; /* where in the group's target: holds the default before, the given value after */
    double least, most;
};
#define CLI_OPTION(name, letter, value, kind, at, least, most, help)                                         \
    { name, letter, value, help, kind, at, least, most }

/* A list, ended by a line without a name, and the struct its offsets are of. */
struct cli_group {
    const struct cli_option *options;
    void *target;
};

enum { CLI_MOST_GROUPS = 3 };
struct cli_grammar {
    const char *usage;                        /* "[MODEL] [PROMPT]", after the command's name */
    const char *about;                        /* what it does, whole lines */
    struct cli_group groups[CLI_MOST_GROUPS]; /* those with NULL options are absent */
    int least, most;                          /* arguments that are not options */
};

/* Parses argv (argv[0] is the command's name), moving what is not an option behind the options; *arguments
 * points at the first of those. Returns CLI_PARSED, or the exit code to end with: CLI_OK after --help, which
 * goes to stdout, CLI_USAGE with a message. */
enum { CLI_PARSED = -1 };
int cli_parse(int argc, char **argv, const struct cli_grammar *grammar, char ***arguments, int *n_arguments);

/* A whole decimal number in [least, most]; 0 if text is anything else. */
int cli_parse_count(const char *text, uint64_t least, uint64_t most, uint64_t *value);

/* Which of names, a list that ends with NULL, text is; 0 if it is none. */
int cli_choose(const char *const *names, const char *text, int *chosen);

/* The name of a type of KV cache, as options take it. */
const char *cli_kv_name(mote_kv_type type);

/* What running a model needs. */
struct cli_runtime {
    uint32_t threads;   /* 0: the physical cores */
    uint32_t positions; /* context; 0: the model's own; UINT32_MAX: not said */
    uint32_t cpu;
    mote_kv_type kv;
};
extern const struct cli_option cli_runtime_options[];
struct cli_runtime cli_runtime_defaults(void);

/* How tokens are chosen. */
struct cli_sampling {
    mote_sampler_options sampler;
    uint32_t most; /* tokens of one answer; 0: until it ends */
    struct cli_texts stops;
    int shift;
    uint32_t speculate; /* tokens guessed ahead; UINT32_MAX: as many as pay */
    const char *draft;  /* the model that guesses, or NULL */
};
extern const struct cli_option cli_sampling_options[];
struct cli_sampling cli_sampling_defaults(void);

#endif
