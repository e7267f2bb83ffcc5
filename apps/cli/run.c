/* SPDX-License-Identifier: Apache-2.0
 *
 * run.c: `mote run`: one answer on stdout.
 *
 * The prompt is what -p, -f or the second argument gives, else stdin where that is not a terminal. It goes
 * through the model's chat template as the user's turn; with --raw, and for models that have no template, it
 * is continued as it stands. The answer ends with exactly one newline more than the model wrote when stdout
 * is a terminal, and with nothing added when it is a pipe or a file, so that a program reads the bytes of the
 * answer and no others. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/cli/generate.h"
#include "apps/cli/prompt.h"

struct request {
    const char *model, *prompt, *file, *system;
    int raw, stats, yes;
    struct cli_runtime runtime;
    struct cli_sampling sampling;
};

#define AT(member) offsetof(struct request, member)
static const struct cli_option own_options[] = {
    CLI_OPTION("prompt", 'p', "TEXT", CLI_TEXT, AT(prompt), 0, 0, "the prompt"),
    CLI_OPTION("file", 'f', "FILE", CLI_TEXT, AT(file), 0, 0, "read the prompt from FILE (-: stdin)"),
    CLI_OPTION("system", 's', "TEXT", CLI_TEXT, AT(system), 0, 0, "the system prompt"),
    CLI_OPTION("raw", 0, NULL, CLI_FLAG, AT(raw), 0, 0, "no chat template: continue the prompt as it stands"),
    CLI_OPTION("stats", 0, NULL, CLI_FLAG, AT(stats), 0, 0, "print times, speeds and peak memory to stderr"),
    CLI_OPTION("yes", 'y', NULL, CLI_FLAG, AT(yes), 0, 0, "pull the model without asking"),
    {0}};
#undef AT

static int parse(int argc, char **argv, struct request *request) {
    const struct cli_grammar grammar = {
        "[MODEL] [PROMPT] [OPTIONS]",
        "Answers one prompt, streaming the answer to stdout. The prompt is the second argument, or comes\n"
        "from -p, -f or stdin. Without MODEL the catalogue's default is taken.",
        {{own_options, request},
         {cli_sampling_options, &request->sampling},
         {cli_runtime_options, &request->runtime}},
        0,
        2};
    char **arguments;
    int n, code = cli_parse(argc, argv, &grammar, &arguments, &n);
    if (code != CLI_PARSED) return code;
    if (n > 0) request->model = arguments[0];
    if ((n > 1) + (request->prompt != NULL) + (request->file != NULL) > 1)
        return cli_fail(CLI_USAGE, "run: the prompt is given more than once");
    if (n > 1) request->prompt = arguments[1];
    if (request->raw && request->system)
        return cli_fail(CLI_USAGE, "run: --raw leaves no place for --system");
    return CLI_PARSED;
}

/* An empty prompt is a mistake, except that --raw then starts from the beginning-of-text token alone. */
static int read_prompt(const struct request *request, struct cli_buffer *prompt) {
    int code = CLI_OK;
    if (request->prompt) {
        if (!cli_buffer_append(prompt, request->prompt, strlen(request->prompt)))
            code = cli_fail(CLI_MEMORY, "not enough memory");
    } else if (request->file) {
        code = cli_buffer_read_path(prompt, request->file);
    } else if (!isatty(STDIN_FILENO)) {
        code = cli_buffer_read(prompt, stdin, "stdin");
    } else if (!request->raw) {
        return cli_fail(CLI_USAGE, "run: no prompt; give one with -p, -f or on stdin, or use mote chat");
    }
    if (!code && !prompt->n && !request->raw) return cli_fail(CLI_USAGE, "run: the prompt is empty");
    return code;
}

static int tokenize_chat(const struct cli_model *model, const char *system, mote_text prompt,
                         mote_token **tokens, size_t *n_tokens, uint32_t *n_keep) {
    mote_message messages[2];
    size_t n = 0;
    if (system) messages[n++] = (mote_message){{"system", 6}, {system, strlen(system)}};
    messages[n++] = (mote_message){{"user", 4}, prompt};
    return cli_prompt_tokens(model, messages, n, tokens, n_tokens, n_keep);
}

static int answer(struct request *request, struct cli_model *model, mote_text prompt) {
    uint32_t n_keep = 0;
    mote_token *tokens = NULL;
    size_t n_tokens = 0;
    int raw = request->raw || (!model->info.chat_template.n && !request->system);
    if (raw && !request->raw)
        fprintf(stderr, "mote: the model has no chat template: the prompt is continued as it stands\n");
    int code =
        raw ? cli_model_tokenize(model, prompt, MOTE_TOKENIZE_ADD_SPECIAL | MOTE_TOKENIZE_PARSE_SPECIAL,
                                 &tokens, &n_tokens)
            : tokenize_chat(model, request->system, prompt, &tokens, &n_tokens, &n_keep);
    if (!code && raw && model->info.add_eos && n_tokens > 1 && tokens[n_tokens - 1] == model->info.eos)
        n_tokens--; /* the text goes on */
    if (!code && raw && n_tokens && tokens[0] == model->info.bos) n_keep = 1;
    if (!code && !n_tokens) {
        if (model->info.bos == MOTE_TOKEN_NONE)
            code = cli_fail(CLI_USAGE, "run: the prompt is empty and the model has no token to begin with");
        else
            tokens[n_tokens++] = model->info.bos;
    }
    struct cli_generator generator = {0};
    if (!code) code = cli_generator_open(&generator, model, &request->sampling);
    if (!code) {
        generator.n_keep = n_keep;
        generator.keep_space = raw;
        code = cli_generate(&generator, tokens, n_tokens, stdout, NULL);
        if (isatty(STDOUT_FILENO)) putchar('\n');
        if (request->stats && (code == CLI_OK || code == CLI_INTERRUPTED)) cli_stats_print(&generator);
    }
    cli_generator_close(&generator);
    free(tokens);
    return code;
}

int cli_run(int argc, char **argv) {
    struct request request = {.runtime = cli_runtime_defaults(), .sampling = cli_sampling_defaults()};
    struct cli_model model = {0};
    struct cli_buffer prompt = {0};
    int code = parse(argc, argv, &request);
    if (code != CLI_PARSED) return code;
    mote_context_options options = {
        .n_sessions = 1, .n_logits = cli_draft_rows(&request.sampling), .kv_type = request.runtime.kv};
    code = read_prompt(&request, &prompt);
    if (!code) code = cli_seed(&request.sampling.sampler.seed);
    if (!code) code = cli_model_open(&model, request.model, request.yes);
    if (!code) code = cli_model_needs_tokenizer(&model);
    if (!code) code = cli_model_needs_language(&model);
    if (!code) code = cli_model_positions(&model, &request.runtime, &options.n_positions);
    if (!code) code = cli_model_start(&model, &request.runtime, &options);
    if (!code) code = answer(&request, &model, (mote_text){prompt.data, prompt.n});
    cli_model_close(&model);
    cli_buffer_close(&prompt);
    return code;
}
