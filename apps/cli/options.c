/* SPDX-License-Identifier: Apache-2.0
 *
 * options.c: parses a command line by its table and prints the table as --help. Numbers are taken only when
 * the whole word is one and lies in its range; there is no half-read "12x". */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/cli.h"
#include "apps/cli/options.h"

enum { MOST_OPTIONS = 48, FIRST_VALUE = 256, HELP = 255 };

#define AT(member) offsetof(struct cli_runtime, member)
const struct cli_option cli_runtime_options[] = {
    CLI_OPTION("context", 'c', "N", CLI_COUNT, AT(positions), 0, 1 << 24,
               "context in tokens (default: the model's own, at most 4096; 0: its own)"),
    CLI_OPTION("threads", 't', "N", CLI_COUNT, AT(threads), 1, 1024, "threads (default: physical cores)"),
    CLI_OPTION("cpu", 0, "LEVEL", CLI_LEVEL, AT(cpu), 0, 0,
               "limit the instruction set: scalar, avx2, avxvnni, avx512, avx512vnni"),
    CLI_OPTION("kv", 0, "TYPE", CLI_KV, AT(kv), 0, 0,
               "type of the KV cache: f16 (default), f32, q8_0 or q4_0"),
    {0}};
#undef AT

static const struct {
    const char *name;
    mote_kv_type type;
} kv_types[] = {{"f16", MOTE_KV_F16}, {"f32", MOTE_KV_F32}, {"q8_0", MOTE_KV_Q8_0}, {"q4_0", MOTE_KV_Q4_0}};
enum { N_KV_TYPES = sizeof kv_types / sizeof *kv_types };

const char *cli_kv_name(mote_kv_type type) {
    for (size_t i = 0; i < N_KV_TYPES; i++)
        if (kv_types[i].type == type) return kv_types[i].name;
    return "unknown";
}

static int parse_kv(const char *text, mote_kv_type *type) {
    for (size_t i = 0; i < N_KV_TYPES; i++) {
        if (strcmp(text, kv_types[i].name) != 0) continue;
        *type = kv_types[i].type;
        return 1;
    }
    return 0;
}

struct cli_runtime cli_runtime_defaults(void) {
    return (struct cli_runtime){.positions = UINT32_MAX, .cpu = UINT32_MAX, .kv = MOTE_KV_F16};
}

#define AT(member) offsetof(struct cli_sampling, member)
const struct cli_option cli_sampling_options[] = {
    CLI_OPTION("predict", 'n', "N", CLI_COUNT, AT(most), 0, UINT32_MAX,
               "most tokens of an answer (default 0: until it ends)"),
    CLI_OPTION("temp", 0, "X", CLI_REAL, AT(sampler.temperature), 0, 100,
               "temperature (default 0.7); 0 always takes the likeliest"),
    CLI_OPTION("top-k", 0, "N", CLI_COUNT, AT(sampler.top_k), 0, UINT32_MAX,
               "only the N likeliest tokens (default 40; 0: off)"),
    CLI_OPTION("top-p", 0, "X", CLI_REAL, AT(sampler.top_p), 0, 1,
               "only the likeliest that together reach X (default 0.95; 1: off)"),
    CLI_OPTION("min-p", 0, "X", CLI_REAL, AT(sampler.min_p), 0, 1,
               "only those at least X times as likely as the first (default 0.05)"),
    CLI_OPTION("repeat-penalty", 0, "X", CLI_REAL, AT(sampler.repeat_penalty), 0.01, 100,
               "weaken the last 64 tokens (default 1: off)"),
    CLI_OPTION("seed", 0, "N", CLI_SEED, AT(sampler.seed), 0, 0,
               "seed of the choice (default 0: a new one each time)"),
    CLI_OPTION("stop", 0, "TEXT", CLI_TEXTS, AT(stops), 0, 0, "end the answer before TEXT; up to 16 times"),
    CLI_OPTION("context-shift", 0, NULL, CLI_FLAG, AT(shift), 0, 0,
               "when the context is full, forget its oldest half and go on"),
    CLI_OPTION("speculate", 0, "N", CLI_COUNT, AT(speculate), 0, 15,
               "guess N tokens ahead: same answer, sooner (default: as many as pay; 0: off)"),
    CLI_OPTION("draft", 0, "MODEL", CLI_TEXT, AT(draft), 0, 0,
               "a small model of the same vocabulary that guesses too"),
    {0}};
#undef AT

struct cli_sampling cli_sampling_defaults(void) {
    return (struct cli_sampling){
        .sampler = {.temperature = 0.7f, .top_k = 40, .top_p = 0.95f, .min_p = 0.05f, .repeat_penalty = 1},
        .speculate = UINT32_MAX};
}

int cli_parse_count(const char *text, uint64_t least, uint64_t most, uint64_t *value) {
    if (*text < '0' || *text > '9') return 0;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno || *end || number < least || number > most) return 0;
    *value = number;
    return 1;
}

int cli_choose(const char *const *names, const char *text, int *chosen) {
    for (int i = 0; names[i]; i++) {
        if (strcmp(text, names[i]) != 0) continue;
        *chosen = i;
        return 1;
    }
    return 0;
}

static int parse_real(const char *text, double least, double most, float *value) {
    if ((*text < '0' || *text > '9') && *text != '.' && *text != '-') return 0;
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end || !isfinite(number) || number < least || number > most) return 0;
    *value = (float)number;
    return 1;
}

static int refuse(const char *command, const struct cli_option *option, const char *text) {
    switch (option->kind) {
    case CLI_COUNT:
        return cli_fail(CLI_USAGE, "%s: --%s takes a whole number from %.0f to %.0f, not '%s'", command,
                        option->name, option->least, option->most, text);
    case CLI_SEED:
        return cli_fail(CLI_USAGE, "%s: --%s takes a whole number below 2^64, not '%s'", command,
                        option->name, text);
    case CLI_REAL:
        return cli_fail(CLI_USAGE, "%s: --%s takes a number from %g to %g, not '%s'", command, option->name,
                        option->least, option->most, text);
    case CLI_TEXTS:
        return cli_fail(CLI_USAGE, "%s: --%s takes a text that is not empty, at most %d times", command,
                        option->name, CLI_MOST_TEXTS);
    case CLI_LEVEL: {
        char levels[200] = "native";
        for (size_t i = 0; mote_posix_cpu_levels[i]; i++) {
            strncat(levels, ", ", sizeof levels - strlen(levels) - 1);
            strncat(levels, mote_posix_cpu_levels[i], sizeof levels - strlen(levels) - 1);
        }
        return cli_fail(CLI_USAGE, "%s: --%s takes one of %s, not '%s'", command, option->name, levels, text);
    }
    case CLI_COUNTS:
        return cli_fail(CLI_USAGE,
                        "%s: --%s takes up to %d whole numbers from %.0f to %.0f, with commas, not '%s'",
                        command, option->name, CLI_MOST_COUNTS, option->least, option->most, text);
    case CLI_KV:
    case CLI_KVS: {
        char names[80] = "";
        for (size_t i = 0; i < N_KV_TYPES; i++) {
            if (i) strncat(names, i + 1 < N_KV_TYPES ? ", " : " or ", sizeof names - strlen(names) - 1);
            strncat(names, kv_types[i].name, sizeof names - strlen(names) - 1);
        }
        return cli_fail(CLI_USAGE, "%s: --%s takes %s%s, not '%s'", command, option->name, names,
                        option->kind == CLI_KVS ? ", or several with commas" : "", text);
    }
    default:
        return cli_fail(CLI_USAGE, "%s: --%s: wrong value '%s'", command, option->name, text);
    }
}

/* The next word of a list with commas, moving *text behind it; 0 at the end and for a word that is empty or
 * too long to be one. */
static int next_word(const char **text, char *word, size_t most) {
    if (!*text) return 0;
    size_t n = strcspn(*text, ",");
    if (n == 0 || n >= most) return 0;
    memcpy(word, *text, n);
    word[n] = 0;
    *text = (*text)[n] ? *text + n + 1 : NULL;
    return 1;
}

static int parse_counts(const char *text, const struct cli_option *option, struct cli_counts *counts) {
    struct cli_counts list = {.n = 0};
    char word[24];
    while (list.n < CLI_MOST_COUNTS && next_word(&text, word, sizeof word)) {
        uint64_t number;
        if (!cli_parse_count(word, (uint64_t)option->least, (uint64_t)option->most, &number)) return 0;
        list.list[list.n++] = (uint32_t)number;
    }
    if (text) return 0; /* stopped before the end */
    *counts = list;
    return 1;
}

static int parse_kvs(const char *text, struct cli_kvs *kvs) {
    struct cli_kvs list = {.n = 0};
    char word[24];
    while (list.n < CLI_MOST_COUNTS && next_word(&text, word, sizeof word))
        if (!parse_kv(word, &list.list[list.n++])) return 0;
    if (text) return 0;
    *kvs = list;
    return 1;
}

/* Stores the value of one option; 0 if it is not one. */
static int store(const struct cli_option *option, void *target, const char *text) {
    uint64_t number;
    switch (option->kind) {
    case CLI_FLAG:
        *(int *)target = 1;
        return 1;
    case CLI_TEXT:
        *(const char **)target = text;
        return 1;
    case CLI_TEXTS: {
        struct cli_texts *texts = target;
        if (!*text || texts->n == CLI_MOST_TEXTS) return 0;
        texts->list[texts->n++] = text;
        return 1;
    }
    case CLI_COUNT:
        if (!cli_parse_count(text, (uint64_t)option->least, (uint64_t)option->most, &number)) return 0;
        *(uint32_t *)target = (uint32_t)number;
        return 1;
    case CLI_SEED:
        return cli_parse_count(text, 0, UINT64_MAX, target);
    case CLI_REAL:
        return parse_real(text, option->least, option->most, target);
    case CLI_LEVEL:
        return mote_posix_cpu_level(text, target);
    case CLI_KV:
        return parse_kv(text, target);
    case CLI_COUNTS:
        return parse_counts(text, option, target);
    case CLI_KVS:
        return parse_kvs(text, target);
    }
    return 0;
}

static void print_help(const char *command, const struct cli_grammar *grammar) {
    printf("usage: mote %s %s\n\n%s\n\n", command, grammar->usage, grammar->about);
    for (size_t i = 0; i < CLI_MOST_GROUPS && grammar->groups[i].options; i++)
        for (const struct cli_option *option = grammar->groups[i].options; option->name; option++) {
            char left[64], letter[5] = "    ";
            if (option->letter) snprintf(letter, sizeof letter, "-%c, ", option->letter);
            snprintf(left, sizeof left, "  %s--%s %s", letter, option->name,
                     option->value ? option->value : "");
            printf("%-26s %s\n", left, option->help);
        }
    printf("%-26s %s\n", "  -h, --help", "this text");
}

/* All options of a grammar in one list, with where each is stored, and getopt's two tables of them. */
struct table {
    const struct cli_option *options[MOST_OPTIONS];
    void *targets[MOST_OPTIONS];
    struct option words[MOST_OPTIONS + 2];
    char letters[2 * MOST_OPTIONS + 3];
    size_t n;
};

static void make_table(const struct cli_grammar *grammar, struct table *table) {
    char *letters = table->letters;
    *letters++ = ':'; /* a missing value comes back as ':' */
    *letters++ = 'h';
    for (size_t i = 0; i < CLI_MOST_GROUPS && grammar->groups[i].options; i++)
        for (const struct cli_option *option = grammar->groups[i].options; option->name; option++) {
            table->options[table->n] = option;
            table->targets[table->n] = (char *)grammar->groups[i].target + option->at;
            table->words[table->n] =
                (struct option){option->name, option->value ? required_argument : no_argument, NULL,
                                FIRST_VALUE + (int)table->n};
            table->n++;
            if (!option->letter) continue;
            *letters++ = option->letter;
            if (option->value) *letters++ = ':';
        }
    *letters = 0;
    table->words[table->n] = (struct option){"help", no_argument, NULL, HELP};
    table->words[table->n + 1] = (struct option){0};
}

/* The option that getopt found, and where its value goes; NULL if it is none. */
static const struct cli_option *find(const struct table *table, int found, void **target) {
    for (size_t i = 0; i < table->n; i++) {
        if (found != FIRST_VALUE + (int)i && found != table->options[i]->letter) continue;
        *target = table->targets[i];
        return table->options[i];
    }
    return NULL;
}

static int refuse_option(const char *command, char **argv) {
    char letter[3] = {'-', (char)optopt, 0};
    int is_letter = optopt > 0 && optopt < HELP;
    return cli_fail(CLI_USAGE, "%s: unknown option %s (see mote %s --help)", command,
                    is_letter ? letter : argv[optind - 1], command);
}

int cli_parse(int argc, char **argv, const struct cli_grammar *grammar, char ***arguments, int *n_arguments) {
    struct table table = {.n = 0};
    make_table(grammar, &table);
    const char *command = argv[0];
    opterr = 0;
    optind = 0; /* start afresh */
    for (int found; (found = getopt_long(argc, argv, table.letters, table.words, NULL)) != -1;) {
        if (found == 'h' || found == HELP) {
            print_help(command, grammar);
            return CLI_OK;
        }
        if (found == ':')
            return cli_fail(CLI_USAGE, "%s: %s needs a value (see mote %s --help)", command, argv[optind - 1],
                            command);
        void *target = NULL;
        const struct cli_option *option = find(&table, found, &target);
        if (!option) return refuse_option(command, argv);
        if (!store(option, target, optarg)) return refuse(command, option, optarg);
    }
    *arguments = argv + optind;
    *n_arguments = argc - optind;
    if (*n_arguments < grammar->least || *n_arguments > grammar->most)
        return cli_fail(CLI_USAGE, "%s: too %s arguments; usage: mote %s %s", command,
                        *n_arguments < grammar->least ? "few" : "many", command, grammar->usage);
    return CLI_PARSED;
}
