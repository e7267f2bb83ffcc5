/* SPDX-License-Identifier: Apache-2.0
 *
 * tokenize.c: `mote tokenize` and `mote detokenize`, stdin to stdout.
 *
 *     tokenize          one token a line: id, tab, its text (what is no plain text as \n, \t, \\, \xNN)
 *     tokenize --ids    the ids, separated by spaces, and a newline
 *     detokenize        ids separated by white space -> the bytes they stand for, exactly
 *
 * Nothing is added to the text's own tokens unless --special asks for what the model adds (BOS, EOS), and the
 * names of control tokens in the text stay text unless --parse-special is given. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/model.h"
#include "apps/cli/print.h"

struct request {
    int ids, special, parse_special, yes;
};

#define AT(member) offsetof(struct request, member)
static const struct cli_option tokenize_options[] = {
    CLI_OPTION("ids", 0, NULL, CLI_FLAG, AT(ids), 0, 0, "only the ids, separated by spaces"),
    CLI_OPTION("special", 0, NULL, CLI_FLAG, AT(special), 0, 0, "add BOS and EOS where the model does"),
    CLI_OPTION("add-special", 0, NULL, CLI_FLAG, AT(special), 0, 0, "the same"),
    CLI_OPTION("parse-special", 0, NULL, CLI_FLAG, AT(parse_special), 0, 0,
               "take the names of control tokens in the text as these tokens"),
    CLI_OPTION("yes", 'y', NULL, CLI_FLAG, AT(yes), 0, 0, "pull the model without asking"),
    {0}};
static const struct cli_option detokenize_options[] = {
    CLI_OPTION("special", 0, NULL, CLI_FLAG, AT(special), 0, 0, "write control tokens as their names"),
    CLI_OPTION("yes", 'y', NULL, CLI_FLAG, AT(yes), 0, 0, "pull the model without asking"),
    {0}};
#undef AT

static int open_vocabulary(struct cli_model *model, const char *name, int yes) {
    int code = cli_model_open(model, name, yes);
    return code ? code : cli_model_needs_tokenizer(model);
}

static int print_tokens(const struct cli_model *model, const mote_token *tokens, size_t n_tokens) {
    size_t room = mote_detokenize_max(model->model);
    char *text = malloc(room + 1);
    if (!text) return cli_fail(CLI_MEMORY, "not enough memory");
    int code = CLI_OK;
    for (size_t i = 0; i < n_tokens && !code && !cli_interrupted; i++) {
        mote_detokenizer state = {.started = 1, .special = 1, .raw = 1};
        size_t n = 0;
        mote_status status = mote_detokenize(model->model, &state, tokens[i], text, room, &n);
        if (status)
            code =
                cli_fail(cli_status_code(status), "token %ld: %s", (long)tokens[i], mote_status_text(status));
        printf("%ld\t", (long)tokens[i]);
        cli_print(stdout, (mote_text){text, n});
        putchar('\n');
    }
    free(text);
    return cli_interrupted ? CLI_INTERRUPTED : code;
}

int cli_tokenize(int argc, char **argv) {
    struct request request = {0};
    const struct cli_grammar grammar = {"MODEL [OPTIONS]",
                                        "Text from stdin to tokens on stdout, one a line: id and text.",
                                        {{tokenize_options, &request}},
                                        1,
                                        1};
    char **arguments;
    int n, code = cli_parse(argc, argv, &grammar, &arguments, &n);
    if (code != CLI_PARSED) return code;
    struct cli_model model = {0};
    struct cli_buffer text = {0};
    mote_token *tokens = NULL;
    size_t n_tokens = 0;
    unsigned flags = (request.special ? MOTE_TOKENIZE_ADD_SPECIAL : 0) |
                     (request.parse_special ? MOTE_TOKENIZE_PARSE_SPECIAL : 0);
    code = open_vocabulary(&model, arguments[0], request.yes);
    if (!code) code = cli_buffer_read(&text, stdin, "stdin");
    if (!code) code = cli_model_tokenize(&model, (mote_text){text.data, text.n}, flags, &tokens, &n_tokens);
    if (!code && request.ids) {
        for (size_t i = 0; i < n_tokens; i++)
            printf(i ? " %ld" : "%ld", (long)tokens[i]);
        putchar('\n');
    } else if (!code) {
        code = print_tokens(&model, tokens, n_tokens);
    }
    free(tokens);
    cli_buffer_close(&text);
    cli_model_close(&model);
    return code;
}

/* Reads ids from file until its end and writes their text. */
static int detokenize(const struct cli_model *model, int special, FILE *file) {
    size_t room = mote_detokenize_max(model->model), n = 0;
    char *text = malloc(room + 1), word[24];
    if (!text) return cli_fail(CLI_MEMORY, "not enough memory");
    mote_detokenizer state = {.special = special != 0, .raw = 1};
    int code = CLI_OK;
    cli_signals_end_reads(1);
    for (size_t length = 0; !code && !cli_interrupted;) {
        int c = getc(file);
        if (c != EOF && !isspace(c)) {
            if (length < sizeof word - 1)
                word[length++] = (char)c;
            else
                word[0] = '?'; /* longer than any id */
            continue;
        }
        uint64_t id;
        word[length] = 0;
        if (length && !cli_parse_count(word, 0, model->info.n_vocab - 1, &id)) {
            code = cli_fail(CLI_FAILED, "stdin: '%s' is not the id of a token (0 to %u)", word,
                            (unsigned)(model->info.n_vocab - 1));
        } else if (length) {
            mote_status status = mote_detokenize(model->model, &state, (mote_token)id, text, room, &n);
            if (status)
                code = cli_fail(cli_status_code(status), "token %s: %s", word, mote_status_text(status));
            if (!code && fwrite(text, 1, n, stdout) != n) break; /* main reports it */
        }
        length = 0;
        if (c == EOF) break;
    }
    if (cli_interrupted) code = CLI_INTERRUPTED;
    if (!code && ferror(file)) code = cli_fail(CLI_FAILED, "stdin: %s", strerror(errno));
    if (!code && !mote_detokenize_end(&state, 1, text, room, &n)) fwrite(text, 1, n, stdout);
    free(text);
    return code;
}

int cli_detokenize(int argc, char **argv) {
    struct request request = {0};
    const struct cli_grammar grammar = {
        "MODEL [OPTIONS]",
        "Token ids from stdin, separated by white space, to their exact bytes on stdout.",
        {{detokenize_options, &request}},
        1,
        1};
    char **arguments;
    int n, code = cli_parse(argc, argv, &grammar, &arguments, &n);
    if (code != CLI_PARSED) return code;
    struct cli_model model = {0};
    code = open_vocabulary(&model, arguments[0], request.yes);
    if (!code) code = detokenize(&model, request.special, stdin);
    cli_model_close(&model);
    return code;
}
