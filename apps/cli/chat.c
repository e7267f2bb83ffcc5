/* SPDX-License-Identifier: Apache-2.0
 *
 * chat.c: `mote chat`: a conversation. Each turn renders the whole of it through the model's chat template
 * and hands the tokens to cli_generate, which computes only what the session does not hold yet: normally the
 * new turn alone.
 *
 * On a terminal lines are edited and remembered, Ctrl-C stops an answer or clears a line, Ctrl-D ends. From a
 * pipe each line is a turn, each answer ends with a newline, and Ctrl-C ends the program. */
#include <stdlib.h>
#include <string.h>

#include "apps/cli/generate.h"
#include "apps/cli/line.h"
#include "apps/cli/print.h"
#include "apps/cli/prompt.h"
#include "apps/cli/transcript.h"

struct chat {
    const char *name, *system;
    int yes;
    struct cli_runtime runtime;
    struct cli_sampling sampling;
    struct cli_model model;
    struct cli_generator generator;
    struct cli_transcript transcript;
    struct cli_line line;
    int n_turns;
};

enum { GO_ON = -1 }; /* what a turn or a command returns when the conversation goes on */

#define AT(member) offsetof(struct chat, member)
static const struct cli_option own_options[] = {
    CLI_OPTION("system", 's', "TEXT", CLI_TEXT, AT(system), 0, 0, "the system prompt"),
    CLI_OPTION("yes", 'y', NULL, CLI_FLAG, AT(yes), 0, 0, "pull the model without asking"),
    {0}};
#undef AT

/* The conversation as tokens. If they do not fit, the oldest turns are forgotten when a shift is wanted. */
static int tokenize(struct chat *chat, mote_token **tokens, size_t *n_tokens) {
    size_t n_system = cli_transcript_has_system(&chat->transcript), n_forgotten = 0;
    uint32_t room = chat->model.n_positions;
    for (;;) {
        int code = cli_prompt_tokens(&chat->model, chat->transcript.messages, chat->transcript.n, tokens,
                                     n_tokens, &chat->generator.n_keep);
        if (code) return code;
        if (*n_tokens <= room || !chat->sampling.shift || chat->transcript.n < n_system + 3) break;
        free(*tokens);
        *tokens = NULL;
        cli_transcript_remove(&chat->transcript, n_system, 2);
        n_forgotten += 2;
    }
    if (n_forgotten)
        fprintf(stderr, "mote: the context is full: forgot the oldest %zu messages\n", n_forgotten);
    return CLI_OK;
}

/* One turn: the user's text in, the answer out. A turn that fails leaves the conversation as it was. */
static int turn(struct chat *chat, const char *text, size_t n) {
    struct cli_buffer answer = {0};
    mote_token *tokens = NULL;
    size_t n_tokens = 0;
    int code = cli_transcript_add(&chat->transcript, "user", text, n);
    if (code) return code;
    code = tokenize(chat, &tokens, &n_tokens);
    if (!code) {
        chat->generator.keep_space = 0;
        code = cli_generate(&chat->generator, tokens, n_tokens, stdout, &answer);
        putchar('\n');
        fflush(stdout);
    }
    free(tokens);
    int stopped = code == CLI_INTERRUPTED;
    if (code && !stopped)
        cli_transcript_remove(&chat->transcript, chat->transcript.n - 1, 1);
    else if (cli_transcript_add(&chat->transcript, "assistant", answer.data, answer.n))
        code = CLI_MEMORY;
    cli_buffer_close(&answer);
    if (stopped && chat->line.editor) {
        cli_interrupted = 0;
        return GO_ON;
    }
    if (ferror(stdout)) return CLI_FAILED;
    chat->n_turns += !code;
    /* from a pipe nobody can react: the first failure ends it */
    return !code || (chat->line.editor && code == CLI_CONTEXT) ? GO_ON : code;
}

static void print_help(void) {
    fputs("/help         this list\n"
          "/reset        forget the conversation, keep the system prompt\n"
          "/system TEXT  set the system prompt (empty: none) and forget the conversation\n"
          "/save FILE    save the conversation and the settings as JSON\n"
          "/load FILE    go on with a saved one\n"
          "/stats        speeds of the last answer, tokens in the context\n"
          "/quit         end (also Ctrl-D)\n"
          "//…           a turn that begins with /\n",
          stderr);
}

static void reset(struct chat *chat) {
    size_t n_system = cli_transcript_has_system(&chat->transcript);
    cli_transcript_remove(&chat->transcript, n_system, chat->transcript.n - n_system);
}

static int set_system(struct chat *chat, const char *text) {
    cli_transcript_remove(&chat->transcript, 0, chat->transcript.n);
    return *text ? cli_transcript_add(&chat->transcript, "system", text, strlen(text)) : CLI_OK;
}

static void print_stats(const struct chat *chat) {
    if (chat->n_turns) cli_stats_print(&chat->generator);
    fprintf(stderr, "context             %10u of %u tokens, %zu messages\n",
            (unsigned)mote_session_length(chat->generator.session), (unsigned)chat->model.n_positions,
            chat->transcript.n);
}

static int load(struct chat *chat, const char *path) {
    int code = cli_transcript_load(&chat->transcript, &chat->sampling.sampler, path);
    if (code) return code;
    mote_sampler_open(&chat->generator.sampler, &chat->sampling.sampler);
    fprintf(stderr, "%zu messages\n", chat->transcript.n);
    return CLI_OK;
}

/* "/name argument", NUL-terminated. A command that fails says so, and the conversation goes on. */
static int command(struct chat *chat, char *text) {
    char *argument = text + strcspn(text, " \t");
    if (*argument) *argument++ = 0;
    argument += strspn(argument, " \t");
    int code = CLI_OK;
    if (!strcmp(text, "/quit") || !strcmp(text, "/exit")) return CLI_OK;
    if (!strcmp(text, "/help"))
        print_help();
    else if (!strcmp(text, "/reset"))
        reset(chat);
    else if (!strcmp(text, "/stats"))
        print_stats(chat);
    else if (!strcmp(text, "/system"))
        code = set_system(chat, argument);
    else if (!strcmp(text, "/save") && *argument)
        code = cli_transcript_save(&chat->transcript, chat->model.path, &chat->sampling.sampler, argument);
    else if (!strcmp(text, "/load") && *argument)
        code = load(chat, argument);
    else if (!strcmp(text, "/save") || !strcmp(text, "/load"))
        cli_fail(CLI_USAGE, "%s needs the name of a file", text);
    else
        cli_fail(CLI_USAGE, "unknown command %.40s (/help lists them)", text);
    return code == CLI_MEMORY ? code : GO_ON;
}

static int converse(struct chat *chat) {
    const char *text;
    size_t n;
    while (cli_line_read(&chat->line, &text, &n)) {
        size_t blank = 0;
        while (blank < n && strchr(" \t", text[blank]))
            blank++;
        if (blank == n) continue;
        int code;
        if (text[0] == '/' && !(n > 1 && text[1] == '/')) {
            char *copy = strndup(text, n);
            code = copy ? command(chat, copy) : cli_fail(CLI_MEMORY, "not enough memory");
            free(copy);
        } else {
            size_t escape = text[0] == '/';
            code = turn(chat, text + escape, n - escape);
        }
        if (code != GO_ON) return code;
    }
    return cli_interrupted ? CLI_INTERRUPTED : CLI_OK;
}

static int open_model(struct chat *chat) {
    mote_context_options options = {
        .n_sessions = 1, .n_logits = cli_draft_rows(&chat->sampling), .kv_type = chat->runtime.kv};
    int code = cli_seed(&chat->sampling.sampler.seed);
    if (!code) code = cli_model_open(&chat->model, chat->name, chat->yes);
    if (!code) code = cli_model_needs_tokenizer(&chat->model);
    if (!code) code = cli_model_needs_language(&chat->model);
    if (!code) code = cli_model_positions(&chat->model, &chat->runtime, &options.n_positions);
    if (!code) code = cli_model_start(&chat->model, &chat->runtime, &options);
    if (!code) code = cli_generator_open(&chat->generator, &chat->model, &chat->sampling);
    if (!code && !chat->model.info.chat_template.n)
        fprintf(stderr, "mote: the model has no chat template; a plain one is used\n");
    return code;
}

int cli_chat(int argc, char **argv) {
    struct chat chat = {.runtime = cli_runtime_defaults(), .sampling = cli_sampling_defaults()};
    const struct cli_grammar grammar = {
        "[MODEL] [OPTIONS]",
        "A conversation. /help in it lists its commands. Without MODEL the catalogue's default is taken.",
        {{own_options, &chat}, {cli_sampling_options, &chat.sampling}, {cli_runtime_options, &chat.runtime}},
        0,
        1};
    char **arguments;
    int n, code = cli_parse(argc, argv, &grammar, &arguments, &n);
    if (code != CLI_PARSED) return code;
    chat.name = n ? arguments[0] : NULL;
    code = open_model(&chat);
    if (!code && chat.system)
        code = cli_transcript_add(&chat.transcript, "system", chat.system, strlen(chat.system));
    if (!code) code = cli_line_open(&chat.line);
    if (!code && chat.line.editor) {
        cli_print(stderr, chat.model.info.name);
        fputs("  (/help lists the commands, Ctrl-D ends)\n", stderr);
    }
    if (!code) code = converse(&chat);
    cli_line_close(&chat.line);
    cli_transcript_close(&chat.transcript);
    cli_generator_close(&chat.generator);
    cli_model_close(&chat.model);
    return code;
}
