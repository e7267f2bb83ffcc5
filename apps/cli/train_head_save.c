/* SPDX-License-Identifier: Apache-2.0
 *
 * train_head_save.c: a model's file with a new head. Keys and tensors are copied as they stand, but for a head
 * that was there before; the new one is added in F32:
 *
 *     cls.weight [D, H], cls.bias [H]                    with a hidden layer
 *     cls.output.weight [D or H, C], cls.output.bias [C]
 *     <architecture>.classifier.output_labels            names of the C labels
 *     mote.head.normalize true                           the head learned from vectors of length 1
 *     mote.head.activation "relu"                        of the hidden layer */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/gguf.h"
#include "apps/cli/model.h"
#include "apps/cli/train_head.h"

enum { ALIGNMENT = 32, MOST_NEW = 4 };

/* A tensor of the file to be: bytes of the model's map, or rows of the net. */
struct tensor {
    mote_text name;
    uint32_t type, n_dims;
    uint64_t dims[4], n_bytes;
    const char *bytes; /* of the map; NULL: rows */
    const float *rows;
    size_t stride;
};

struct layout {
    struct tensor *list;
    size_t n;
};

static int is(mote_text name, const char *text) {
    return name.n == strlen(text) && !memcmp(name.data, text, name.n);
}

static int begins(mote_text name, const char *text) {
    return name.n >= strlen(text) && !memcmp(name.data, text, strlen(text));
}

static int is_head_tensor(mote_text name) {
    return is(name, "cls.weight") || is(name, "cls.bias") || is(name, "cls.output.weight") ||
           is(name, "cls.output.bias");
}

static int is_label_key(mote_text name) {
    static const char end[] = ".classifier.output_labels";
    size_t n = sizeof end - 1;
    return name.n > n && !memcmp(name.data + name.n - n, end, n);
}

static void add_matrix(struct layout *layout, const char *name, const float *rows, uint64_t n_columns,
                       uint64_t n_rows, size_t stride) {
    struct tensor *t = &layout->list[layout->n++];
    *t = (struct tensor){
        .name = {name, strlen(name)}, .n_dims = n_rows ? 2 : 1, .rows = rows, .stride = stride};
    t->dims[0] = n_columns;
    t->dims[1] = n_rows ? n_rows : 1;
    t->n_bytes = t->dims[0] * t->dims[1] * sizeof(float);
}

static int lay_out(struct layout *layout, const struct cli_model *model, const struct cli_net *net) {
    layout->list = calloc((size_t)model->info.n_tensors + MOST_NEW, sizeof *layout->list);
    if (!layout->list) return cli_fail(CLI_MEMORY, "not enough memory");
    for (uint32_t i = 0; i < model->info.n_tensors; i++) {
        mote_tensor_info info;
        if (mote_model_tensor(model->model, i, &info))
            return cli_fail(CLI_MODEL, "%s: tensor %u cannot be read", model->path, (unsigned)i);
        if (is_head_tensor(info.name)) continue;
        struct tensor *t = &layout->list[layout->n++];
        *t = (struct tensor){.name = info.name, .type = info.type_number, .n_dims = info.n_dims};
        memcpy(t->dims, info.dims, sizeof t->dims);
        t->n_bytes = info.bytes;
        t->bytes = (const char *)model->map.bytes + info.offset;
    }
    struct cli_net_layer first = cli_net_layer(net, 0), last = cli_net_layer(net, net->n_hidden ? 1 : 0);
    if (net->n_hidden) {
        add_matrix(layout, "cls.weight", first.weights, first.n_columns, first.n_rows, first.stride);
        add_matrix(layout, "cls.bias", first.bias, first.n_rows, 0, 0);
    }
    add_matrix(layout, "cls.output.weight", last.weights, last.n_columns, last.n_rows, last.stride);
    add_matrix(layout, "cls.output.bias", last.bias, last.n_rows, 0, 0);
    return CLI_OK;
}

static int put_keys(struct cli_gguf *w, const struct cli_model *model, const struct cli_net *net,
                    const mote_text *labels) {
    static const unsigned char yes = 1;
    mote_text architecture = model->info.architecture;
    char name[160];
    for (uint32_t i = 0; i < model->info.n_keys; i++) {
        mote_key_info key;
        if (mote_model_entry(model->model, i, &key))
            return cli_fail(CLI_MODEL, "%s: key %u cannot be read", model->path, (unsigned)i);
        if (is_label_key(key.name) || begins(key.name, "mote.head.") || is(key.name, "general.alignment"))
            continue;
        cli_gguf_put(w, (const char *)model->map.bytes + key.offset, key.bytes);
        w->n_keys++;
    }
    snprintf(name, sizeof name, "%.*s.classifier.output_labels",
             (int)(architecture.n < 99 ? architecture.n : 99), architecture.data);
    cli_gguf_key_array(w, name, CLI_GGUF_STRING, net->n_labels);
    for (uint32_t c = 0; c < net->n_labels; c++)
        cli_gguf_put_string(w, labels[c].data, labels[c].n);
    cli_gguf_key(w, "mote.head.normalize", CLI_GGUF_BOOL);
    cli_gguf_put(w, &yes, 1);
    if (net->n_hidden) cli_gguf_key_string(w, "mote.head.activation", "relu");
    return CLI_OK;
}

static void put_tensors(struct cli_gguf *w, const struct layout *layout) {
    uint64_t offset = 0;
    for (size_t i = 0; i < layout->n; i++) {
        const struct tensor *t = &layout->list[i];
        cli_gguf_put_string(w, t->name.data, t->name.n);
        cli_gguf_put_u32(w, t->n_dims);
        for (uint32_t k = 0; k < t->n_dims; k++)
            cli_gguf_put_u64(w, t->dims[k]);
        cli_gguf_put_u32(w, t->type);
        cli_gguf_put_u64(w, offset);
        offset += (t->n_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    while (!w->failed && w->bytes.n % ALIGNMENT)
        cli_gguf_put(w, "", 1);
    for (int i = 0; i < 8 && !w->failed; i++) /* the number of keys, in its place in the header */
        w->bytes.data[16 + i] = (char)(w->n_keys >> 8 * i & 255);
}

static int write_floats(FILE *file, const float *row, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &row[i], 4);
        unsigned char p[4] = {bits & 255, bits >> 8 & 255, bits >> 16 & 255, bits >> 24};
        if (fwrite(p, 1, 4, file) != 4) return 0;
    }
    return 1;
}

static int write_tensors(FILE *file, void *user) {
    static const char zeros[ALIGNMENT];
    const struct layout *layout = user;
    for (size_t i = 0; i < layout->n; i++) {
        const struct tensor *t = &layout->list[i];
        size_t padding = (size_t)(-t->n_bytes % ALIGNMENT);
        if (cli_interrupted) return 0;
        if (t->bytes && fwrite(t->bytes, 1, t->n_bytes, file) != t->n_bytes) return 0;
        for (uint64_t r = 0; !t->bytes && r < t->dims[1]; r++)
            if (!write_floats(file, t->rows + r * t->stride, t->dims[0])) return 0;
        if (fwrite(zeros, 1, padding, file) != padding) return 0;
    }
    return 1;
}

int cli_head_save(const char *out, const struct cli_model *model, const struct cli_net *net,
                  const mote_text *labels) {
    struct layout layout = {0};
    struct cli_gguf w = {0};
    int code = lay_out(&layout, model, net);
    if (!code) {
        cli_gguf_put(&w, "GGUF", 4);
        cli_gguf_put_u32(&w, 3);
        cli_gguf_put_u64(&w, layout.n);
        cli_gguf_put_u64(&w, 0);
        code = put_keys(&w, model, net, labels);
    }
    if (!code) put_tensors(&w, &layout);
    if (!code && w.failed) code = cli_fail(CLI_MEMORY, "not enough memory");
    if (!code) code = cli_gguf_save(out, &w, write_tensors, &layout);
    cli_buffer_close(&w.bytes);
    free(layout.list);
    return code;
}
