/* SPDX-License-Identifier: Apache-2.0
 *
 * classify.c: `mote classify`: texts, one a line, to labels with scores.
 *
 *     {"index":0,"labels":[{"label":"positive","score":0.98},{"label":"negative","score":0.02}]}
 *
 * The labels of a text stand with the highest score first. Scores are the softmax of the logits: they add up to
 * 1, one label is right; with --multi, where the file says so (mote.head.many_labels), and for a head of one
 * label, the sigmoid of each: any number of them may be right. A head that judges tokens gives entities, in the order of the text, with their bytes in it:
 *
 *     {"index":0,"entities":[{"label":"LOC","score":0.99,"start":4,"end":9,"text":"Paris"}]}
 *
 * As CSV there is a line for each label or entity, and one with empty fields for a text that has none. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/cli/entity.h"
#include "apps/cli/print.h"

struct request {
    const char *file, *text, *format;
    uint32_t top;
    float threshold; /* below 0: not said */
    int multi;
    struct cli_encoding encoding;
};

#define AT(member) offsetof(struct request, member)
static const struct cli_option own_options[] = {
    CLI_OPTION("text", 'p', "TEXT", CLI_TEXT, AT(text), 0, 0, "one text, in place of FILE or stdin"),
    CLI_OPTION("format", 0, "NAME", CLI_TEXT, AT(format), 0, 0, "jsonl (default) or csv"),
    CLI_OPTION("top", 0, "K", CLI_COUNT, AT(top), 1, UINT32_MAX, "only the K labels with the highest scores"),
    CLI_OPTION("threshold", 0, "X", CLI_REAL, AT(threshold), 0, 1,
               "only labels with a score of at least X (default 0; with --multi 0.5)"),
    CLI_OPTION("multi", 0, NULL, CLI_FLAG, AT(multi), 0, 0,
               "judge each label by itself: several may be right, or none"),
    {0}};
#undef AT

struct score {
    uint32_t label;
    float logit;
    double score;
};

struct work {
    const struct request *request;
    struct cli_encoder encoder;
    int csv, multi;
    double threshold;
    struct score *scores; /* [n_labels] */
    struct cli_entities entities;
};

/* ---- printing ---- */

static void print_number(double x) {
    char number[CLI_MOST_FLOAT];
    fwrite(number, 1, cli_float_text((float)x, number), stdout);
}

/* A field of CSV: in quotes where it must be. */
static void print_field(mote_text text) {
    int plain = 1;
    for (size_t i = 0; i < text.n; i++)
        plain &= (unsigned char)text.data[i] >= ' ' && text.data[i] != ',' && text.data[i] != '"';
    if (plain) {
        fwrite(text.data, 1, text.n, stdout);
        return;
    }
    putchar('"');
    for (size_t i = 0; i < text.n; i++) {
        if (text.data[i] == '"') putchar('"');
        putchar(text.data[i]);
    }
    putchar('"');
}

/* A label by its name or, where it has none, its number. */
static mote_text name_of(const struct work *work, uint32_t label, char *number) {
    mote_text name = mote_model_label(work->encoder.model.model, label);
    if (name.n) return name;
    return (mote_text){number, (size_t)sprintf(number, "%u", (unsigned)label)};
}

/* One label or entity; of an entity, more is to follow. */
static void print_label(const struct work *work, uint64_t index, int first, mote_text name, double score) {
    if (work->csv) {
        printf("%llu,", (unsigned long long)index);
        print_field(name);
        putchar(',');
    } else {
        fputs(first ? "{\"label\":" : ",{\"label\":", stdout);
        cli_print_json(stdout, name);
        fputs(",\"score\":", stdout);
    }
    print_number(score);
}

/* ---- labels of a text ---- */

static int descending(const void *a, const void *b) {
    const struct score *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    if (x->logit != y->logit) return x->logit < y->logit ? 1 : -1;
    return (x->label > y->label) - (x->label < y->label);
}

/* The scores of all labels, the highest first. A logit that is no number counts as the lowest. */
static void judge(const struct work *work, const float *logits) {
    uint32_t n = work->encoder.model.info.n_labels;
    int each = work->multi || n == 1;
    double most = -INFINITY, sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        float logit = isnan(logits[i]) ? -INFINITY : logits[i];
        work->scores[i] = (struct score){i, logit, 0};
        most = logit > most ? logit : most;
    }
    for (uint32_t i = 0; i < n; i++) {
        double x = work->scores[i].logit;
        work->scores[i].score = each ? 1 / (1 + exp(-x)) : x == most ? 1 : exp(x - most);
        sum += work->scores[i].score;
    }
    for (uint32_t i = 0; !each && i < n; i++)
        work->scores[i].score /= sum;
    qsort(work->scores, n, sizeof *work->scores, descending);
}

static void print_labels(const struct work *work, uint64_t index) {
    uint32_t n = work->encoder.model.info.n_labels, top = work->request->top, kept = 0;
    if (top && top < n) n = top;
    if (!work->csv) printf("{\"index\":%llu,\"labels\":[", (unsigned long long)index);
    for (; kept < n && work->scores[kept].score >= work->threshold; kept++) {
        char number[16];
        print_label(work, index, !kept, name_of(work, work->scores[kept].label, number),
                    work->scores[kept].score);
        fputs(work->csv ? "\n" : "}", stdout);
    }
    if (!work->csv) puts("]}");
    if (work->csv && !kept) printf("%llu,,\n", (unsigned long long)index);
}

/* ---- entities ---- */

/* The text of an entity that has no place in the text: what its tokens spell. */
static int spell(const struct work *work, const struct cli_encoded *encoded, const struct cli_entity *entity,
                 struct cli_buffer *out) {
    const mote_model *model = work->encoder.model.model;
    mote_detokenizer state = {0};
    size_t room = mote_detokenize_max(model);
    for (size_t i = entity->from; i <= entity->to; i++) {
        size_t n = 0;
        if (!cli_buffer_reserve(out, out->n + room)) return cli_fail(CLI_MEMORY, "not enough memory");
        mote_status status =
            i < entity->to ? mote_detokenize(model, &state, encoded->tokens[i], out->data + out->n, room, &n)
                           : mote_detokenize_end(&state, 0, out->data + out->n, room, &n);
        if (status) return cli_fail(cli_status_code(status), "%s", mote_status_text(status));
        out->n += n;
    }
    return CLI_OK;
}

static int print_entity(const struct work *work, const struct cli_encoded *encoded,
                        const struct cli_entity *entity, int first) {
    struct cli_buffer spelt = {0};
    mote_text text;
    int code = CLI_OK;
    if (!entity->placed) code = spell(work, encoded, entity, &spelt);
    text = entity->placed ? (mote_text){encoded->text.data + entity->start, entity->end - entity->start}
                          : (mote_text){spelt.data, spelt.n};
    if (!code) {
        print_label(work, encoded->index, first, entity->type, entity->score);
        const char *format = work->csv ? ",%zu,%zu," : ",\"start\":%zu,\"end\":%zu";
        if (entity->placed)
            printf(format, entity->start, entity->end);
        else if (work->csv)
            fputs(",,,", stdout);
        if (work->csv) {
            print_field(text);
        } else {
            fputs(",\"text\":", stdout);
            cli_print_json(stdout, text);
        }
        fputs(work->csv ? "\n" : "}", stdout);
    }
    cli_buffer_close(&spelt);
    return code;
}

static int print_entities(struct work *work, const struct cli_encoded *encoded) {
    int kept = 0, code = cli_entities_find(&work->entities, &work->encoder, encoded);
    if (code) return code;
    if (!work->csv) printf("{\"index\":%llu,\"entities\":[", (unsigned long long)encoded->index);
    for (size_t i = 0; !code && i < work->entities.n; i++)
        if (work->entities.list[i].score >= work->threshold)
            code = print_entity(work, encoded, &work->entities.list[i], !kept++);
    if (!work->csv) puts("]}");
    if (work->csv && !kept) printf("%llu,,,,,\n", (unsigned long long)encoded->index);
    return code;
}

/* ---- the command ---- */

static int take(void *user, const struct cli_encoded *encoded) {
    struct work *work = user;
    int code = CLI_OK;
    errno = 0;
    if (work->encoder.model.info.labels_tokens) {
        code = print_entities(work, encoded);
    } else {
        judge(work, encoded->labels);
        print_labels(work, encoded->index);
    }
    if (!code && ferror(stdout)) code = cli_write_fail("stdout");
    return code;
}

static int parse(int argc, char **argv, struct request *request, const char **model, int *csv) {
    const struct cli_grammar grammar = {"MODEL [FILE] [OPTIONS]",
                                        "Texts, one a line, to labels with scores, by a model that has a "
                                        "head. They come from FILE, stdin or -p.",
                                        {{own_options, request}, {cli_encoding_options, &request->encoding}},
                                        1,
                                        2};
    static const char *const formats[] = {"jsonl", "csv", NULL};
    char **arguments;
    int n, code = cli_parse(argc, argv, &grammar, &arguments, &n);
    if (code != CLI_PARSED) return code;
    *model = arguments[0];
    if (n > 1) request->file = arguments[1];
    if (request->file && request->text) return cli_fail(CLI_USAGE, "classify: give a FILE or -p, not both");
    if (request->format && !cli_choose(formats, request->format, csv))
        return cli_fail(CLI_USAGE, "classify: --format takes jsonl or csv, not '%s'", request->format);
    return CLI_PARSED;
}

/* Whether the file says that its labels are judged one by one. */
static int says_multi(const mote_model *model, uint32_t n_keys) {
    static const char name[] = "mote.head.many_labels";
    mote_text key;
    char value[16];
    for (uint32_t i = 0; i < n_keys; i++)
        if (!mote_model_key(model, i, &key, value, sizeof value) && key.n == sizeof name - 1 &&
            !memcmp(key.data, name, key.n))
            return !strcmp(value, "true");
    return 0;
}

static int start(struct work *work) {
    const mote_model_info *info = &work->encoder.model.info;
    struct cli_encoder_want want = {.labels = 1, .texts = info->labels_tokens, .pooling = info->pooling};
    if (info->labels_tokens) want.pooling = MOTE_POOLING_NONE;
    int code = cli_encoder_want(&work->encoder, &want, take, work);
    if (code) return code;
    if (info->labels_tokens && (work->request->top || work->request->multi))
        return cli_fail(CLI_USAGE, "classify: this model judges tokens: --top and --multi are for texts");
    work->multi = work->request->multi || says_multi(work->encoder.model.model, info->n_keys);
    work->threshold = work->request->threshold;
    if (work->threshold < 0) work->threshold = work->multi ? 0.5 : 0;
    work->scores = calloc(info->n_labels, sizeof *work->scores);
    return work->scores ? CLI_OK : cli_fail(CLI_MEMORY, "not enough memory");
}

static int classify(struct work *work, struct cli_lines *lines) {
    const struct request *request = work->request;
    int told = !request->encoding.quiet && !isatty(STDOUT_FILENO);
    if (work->csv)
        puts(work->encoder.model.info.labels_tokens ? "index,label,score,start,end,text"
                                                    : "index,label,score");
    if (!request->text) return cli_encoder_feed(&work->encoder, lines, told ? "classify" : NULL);
    int code = cli_encoder_add(&work->encoder, (mote_text){request->text, strlen(request->text)});
    return code ? code : cli_encoder_flush(&work->encoder);
}

int cli_classify(int argc, char **argv) {
    struct request request = {.threshold = -1, .encoding = cli_encoding_defaults()};
    struct work work = {.request = &request};
    struct cli_lines lines = {.fd = -1};
    const char *model;
    int code = parse(argc, argv, &request, &model, &work.csv);
    if (code != CLI_PARSED) return code;
    code = cli_encoder_open(&work.encoder, model, &request.encoding);
    if (!code) code = start(&work);
    if (!code && !request.text) code = cli_lines_open(&lines, request.file);
    if (!code) {
        code = classify(&work, &lines);
        if (code == CLI_OK || code == CLI_INTERRUPTED) cli_encoder_report(&work.encoder, &request.encoding);
    }
    free(work.scores);
    cli_entities_close(&work.entities);
    cli_lines_close(&lines);
    cli_encoder_close(&work.encoder);
    return code;
}
