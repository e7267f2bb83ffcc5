/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c: the mote command: finds the command asked for and runs it. What stdout could not take is noticed
 * here, once for all commands. */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/cli.h"

struct command {
    const char *name, *does;
    int (*run)(int argc, char **argv);
};

static int version(int argc, char **argv);
static int help(int argc, char **argv);

static const struct command commands[] = {
    {"run", "answer one prompt, streaming to stdout", cli_run},
#if !defined(__wasi__) /* what needs a terminal or the network */
    {"chat", "a conversation in the terminal", cli_chat},
    {"pull", "fetch a model by name or address", cli_pull},
    {"list", "the models of the catalogue and those fetched", cli_list},
    {"rm", "remove a fetched model", cli_rm},
    {"convert", "a Hugging Face folder or a llama2.c checkpoint to GGUF", cli_convert},
    {"quantize", "a model with smaller weights", cli_quantize},
    {"search", "finds paragraphs of a folder by meaning", cli_search},
    {"train-head", "a classifier for one's own texts", cli_train_head},
#endif
    {"embed", "texts to vectors, with an encoder", cli_embed},
    {"classify", "texts to labels, with an encoder that has a head", cli_classify},
    {"rerank", "texts by how well they answer a query", cli_rerank},
    {"info", "what a model file holds, and the memory it needs", cli_info},
    {"tokenize", "text from stdin to tokens", cli_tokenize},
    {"detokenize", "token ids from stdin to text", cli_detokenize},
    {"perplexity", "how well a model predicts a text", cli_perplexity},
    {"bench", "prompt and decode speed", cli_bench},
    {"version", "print the version", version},
    {"help", "this text, or that of a command", help},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static const struct command *find(const char *name) {
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (!strcmp(name, commands[i].name)) return &commands[i];
    return NULL;
}

/* Edits (insert, delete, replace) that make b of a, words of at most 15 letters. */
static size_t distance(const char *a, const char *b) {
    size_t row[16], n = strlen(b);
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n];
}

static int unknown(const char *name) {
    const struct command *nearest = NULL;
    size_t least = 3;
    for (size_t i = 0; strlen(name) < 16 && i < N_COMMANDS; i++) {
        size_t n = distance(name, commands[i].name);
        if (n >= least || n >= strlen(name)) continue;
        least = n;
        nearest = &commands[i];
    }
    if (nearest)
        return cli_fail(CLI_USAGE, "unknown command '%.40s'; did you mean '%s'? (see mote help)", name,
                        nearest->name);
    return cli_fail(CLI_USAGE, "unknown command '%.40s' (see mote help)", name);
}

static void print_overview(FILE *out) {
    fprintf(out, "mote " MOTE_VERSION ": runs transformer models\n\nusage: mote COMMAND …\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].does);
    fputs("\n`mote help COMMAND` tells more. stdout carries only the answer.\n\n"
          "exit codes: 0 done   1 failed (I/O, network, checksum)   2 wrong command line\n"
          "            3 model missing, malformed or not supported   4 not enough memory\n"
          "            5 prompt longer than the context   130 interrupted\n",
          out);
}

static int version(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0)
        return cli_fail(CLI_USAGE, "version: it takes no arguments");
    (void)argv;
    puts(argc > 1 ? "usage: mote version\n\nPrints the version." : "mote " MOTE_VERSION);
    return CLI_OK;
}

static int help(int argc, char **argv) {
    if (argc > 2) return cli_fail(CLI_USAGE, "help: it takes one command");
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_overview(stdout);
        return CLI_OK;
    }
    const struct command *command = find(argv[1]);
    if (!command) return unknown(argv[1]);
    char option[] = "--help", *arguments[] = {argv[1], option, NULL};
    return command->run(2, arguments);
}

static int dispatch(int argc, char **argv) {
    if (argc < 2) {
        print_overview(stderr);
        return CLI_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) return help(1, argv);
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) return version(1, argv);
    const struct command *command = find(argv[1]);
    return command ? command->run(argc - 1, argv + 1) : unknown(argv[1]);
}

int main(int argc, char **argv) {
    if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX == 1) setlocale(LC_CTYPE, "C.UTF-8"); /* for line editing */
    cli_signals();
    int code = dispatch(argc, argv);
    errno = 0;
    if (!fflush(stdout) && !ferror(stdout)) return code;
    if (code) return code;
    return errno == EPIPE ? CLI_FAILED : cli_fail(CLI_FAILED, "cannot write to stdout: %s", strerror(errno));
}
