/* SPDX-License-Identifier: Apache-2.0
 *
 * model.c: opens a model for a command and renders and tokenizes for it. The library never allocates: here is
 * where its plans become memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/model.h"
#include "apps/cli/print.h"

int cli_status_code(mote_status status) {
    switch (status) {
    case MOTE_OK:
        return CLI_OK;
    case MOTE_E_MEMORY:
        return CLI_MEMORY;
    case MOTE_E_CONTEXT:
        return CLI_CONTEXT;
    case MOTE_E_FORMAT:
    case MOTE_E_UNSUPPORTED:
    case MOTE_E_TEMPLATE:
    case MOTE_E_TOKEN:
        return CLI_MODEL;
    default:
        return CLI_FAILED;
    }
}

int cli_model_fail(const struct cli_model *model, const mote_error *error) {
    int code = cli_status_code(error->status);
    const char *text = error->text[0] ? error->text : mote_status_text(error->status);
    if (error->where)
        return cli_fail(code, "%s: %s (at byte %llu)", model->path, text, (unsigned long long)error->where);
    return cli_fail(code, "%s: %s", model->path, text);
}

static int lack_memory(const struct cli_model *model, uint64_t n_bytes, const char *what) {
    char size[16];
    return cli_fail(CLI_MEMORY, "%s: not enough memory: %s needs %s", model->path, what,
                    cli_size(n_bytes, size));
}

int cli_model_open(struct cli_model *model, const char *name, int yes) {
    int code = cli_model_find(name, yes, &model->path);
    if (code) return code;
    double start = cli_clock();
    if (!mote_posix_map_open(model->path, &model->map))
        return cli_fail(CLI_MODEL, "%s: %s", model->path, cli_map_reason(errno));
    mote_error error = {0};
    if (mote_model_plan(model->map.bytes, model->map.n_bytes, &model->block_bytes, &error))
        return cli_model_fail(model, &error);
    model->block = mote_posix_block_open(model->block_bytes);
    if (!model->block) return lack_memory(model, model->block_bytes, "its directory");
    if (mote_model_open(model->map.bytes, model->map.n_bytes, model->block, model->block_bytes, &model->model,
                        &error))
        return cli_model_fail(model, &error);
    mote_model_describe(model->model, &model->info);
    model->load_seconds = cli_clock() - start;
    return CLI_OK;
}

int cli_model_needs_weights(const struct cli_model *model) {
    if (model->info.has_weights) return CLI_OK;
    return cli_fail(CLI_MODEL, "%s: it holds a vocabulary only, no weights", model->path);
}

int cli_model_needs_language(const struct cli_model *model) {
    int code = cli_model_needs_weights(model);
    if (code || !model->info.is_encoder) return code;
    return cli_fail(CLI_MODEL, "%s: it is an encoder, which does not continue texts: it is for mote embed%s",
                    model->path, model->info.n_labels ? ", classify and rerank" : " and rerank");
}

int cli_model_needs_tokenizer(const struct cli_model *model) {
    if (model->info.has_tokenizer) return CLI_OK;
    return cli_fail(CLI_MODEL, "%s: it holds no tokenizer", model->path);
}

enum { DEFAULT_POSITIONS = 4096 };

int cli_model_positions(const struct cli_model *model, const struct cli_runtime *runtime,
                        uint32_t *n_positions) {
    uint32_t own = model->info.n_context;
    if (runtime->positions == UINT32_MAX)
        *n_positions = own < DEFAULT_POSITIONS ? own : DEFAULT_POSITIONS;
    else if (!runtime->positions)
        *n_positions = own;
    else if (runtime->positions > own)
        return cli_fail(CLI_USAGE, "-c %u: the model was made for a context of %u tokens",
                        (unsigned)runtime->positions, (unsigned)own);
    else
        *n_positions = runtime->positions;
    return CLI_OK;
}

int cli_model_restart(struct cli_model *model, const mote_context_options *options) {
    const mote_host *host = mote_posix_host_get(model->host);
    mote_error error = {0};
    mote_posix_block_close(model->context_block, model->context_bytes);
    model->context_block = NULL;
    model->context = NULL;
    if (mote_context_plan(model->model, options, host, &model->context_bytes, &error))
        return cli_model_fail(model, &error);
    model->context_block = mote_posix_block_open(model->context_bytes);
    if (!model->context_block)
        return lack_memory(model, model->context_bytes, "this context (try a smaller -c)");
    if (mote_context_open(model->model, options, host, model->context_block, model->context_bytes,
                          &model->context, &error))
        return cli_model_fail(model, &error);
    model->n_positions = options->n_positions;
    if (mote_posix_map_is_copy(&model->map)) mote_context_arrange(model->context);
    /* the context of an encoder has weights of its own, and reads no more of the file's than a row for each token */
    if (model->info.is_encoder) mote_posix_map_forget(&model->map);
    return CLI_OK;
}

int cli_model_start(struct cli_model *model, const struct cli_runtime *runtime,
                    const mote_context_options *options) {
    double start = cli_clock();
    int code = cli_model_needs_weights(model);
    if (code) return code;
    model->host = mote_posix_host_open(runtime->threads, runtime->cpu);
    if (!model->host)
        return cli_fail(errno == ENOMEM ? CLI_MEMORY : CLI_FAILED, "cannot start threads: %s",
                        strerror(errno));
    code = cli_model_restart(model, options);
    model->load_seconds += cli_clock() - start;
    return code;
}

void cli_model_close(struct cli_model *model) {
    mote_posix_block_close(model->context_block, model->context_bytes);
    mote_posix_host_close(model->host);
    mote_posix_block_close(model->block, model->block_bytes);
    mote_posix_map_close(&model->map);
    free(model->path);
    *model = (struct cli_model){0};
}

/* How much a template needs is not known beforehand: both memories double until they do, or until no honest
 * template could want more. */
int cli_model_render(const struct cli_model *model, const mote_message *messages, size_t n_messages,
                     int add_generation, struct cli_buffer *out, int *wrote_bos) {
    enum { MOST = 1 << 28 };
    size_t n_text = 0;
    for (size_t i = 0; i < n_messages; i++)
        n_text += messages[i].content.n + messages[i].role.n + 64;
    if (n_text > MOST) return cli_fail(CLI_FAILED, "the conversation is too long to render");
    uint64_t work_bytes = (1 << 18) + 16 * (uint64_t)n_text;
    size_t room = 4096 + 2 * n_text;
    for (;;) {
        void *work = mote_posix_block_open(work_bytes);
        if (!work || !cli_buffer_reserve(out, out->n + room)) {
            mote_posix_block_close(work, work_bytes);
            return cli_fail(CLI_MEMORY, "not enough memory to render the chat template");
        }
        mote_error error = {0};
        size_t n = 0;
        mote_status status =
            mote_model_chat(model->model, messages, n_messages, add_generation, (mote_text){NULL, 0}, work,
                            work_bytes, out->data + out->n, room, &n, wrote_bos, &error);
        mote_posix_block_close(work, work_bytes);
        if (!status) {
            out->n += n;
            return CLI_OK;
        }
        if (status == MOTE_E_MEMORY && work_bytes < 16ull * MOST)
            work_bytes *= 2;
        else if (status == MOTE_E_ROOM && room < MOST)
            room *= 2;
        else
            return cli_model_fail(model, &error);
    }
}

int cli_model_tokenize(const struct cli_model *model, mote_text text, unsigned flags, mote_token **tokens,
                       size_t *n_tokens) {
    uint64_t work_bytes;
    size_t most;
    mote_tokenize_plan(model->model, text.n, &work_bytes, &most);
    void *work = mote_posix_block_open(work_bytes);
    mote_token *list = most < SIZE_MAX / sizeof *list ? malloc((most + 1) * sizeof *list) : NULL;
    int code = CLI_OK;
    if (!work || !list) {
        code = lack_memory(model, work_bytes + most * sizeof *list, "tokenizing");
    } else {
        mote_error error = {0};
        if (mote_tokenize(model->model, text, flags, work, work_bytes, list, most, n_tokens, &error))
            code = cli_model_fail(model, &error);
    }
    mote_posix_block_close(work, work_bytes);
    if (code)
        free(list);
    else
        *tokens = list;
    return code;
}
