/* SPDX-License-Identifier: Apache-2.0
 *
 * search.c: `mote search`: finds the paragraphs of a folder that are nearest in meaning to a question.
 *
 *     mote search notes.index --add FOLDER -m MODEL    makes the index, or brings it up to date
 *     mote search notes.index QUESTION                 asks it; without one, each line of stdin
 *
 * All vectors are compared with the question's: exact, no neighbourhood graph to build and keep, and at ten
 * thousand paragraphs a fraction of what the question itself takes. The index says which model it was made
 * with; another one is refused, by the digest of its file. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/cli/digest.h"
#include "apps/cli/lines.h"
#include "apps/cli/print.h"
#include "apps/cli/search.h"
#include "apps/cli/search_walk.h"

enum { MOST_TOP = 1000 };

#define AT(member) offsetof(struct cli_search, member)
static const struct cli_option own_options[] = {
    CLI_OPTION("add", 'a', "FOLDER", CLI_TEXTS, AT(add), 0, 0,
               "make the index, or bring it up to date, with the texts of FOLDER"),
    CLI_OPTION("update", 'u', NULL, CLI_FLAG, AT(update), 0, 0, "bring it up to date with all its folders"),
    CLI_OPTION("model", 'm', "MODEL", CLI_TEXT, AT(model), 0, 0,
               "an encoder (default: the one that the index was made with)"),
    CLI_OPTION("all", 0, NULL, CLI_FLAG, AT(all), 0, 0,
               "of a new folder, every file that is text (default: .txt, .text, .md, .markdown)"),
    CLI_OPTION("passage-prefix", 0, "TEXT", CLI_TEXT, AT(before_passage), 0, 0,
               "of a new index: put TEXT before every paragraph (\"passage: \" for e5, …)"),
    CLI_OPTION("query-prefix", 0, "TEXT", CLI_TEXT, AT(before_query), 0, 0,
               "of a new index: put TEXT before every question (\"query: \" for e5, …)"),
    CLI_OPTION("top", 'k', "K", CLI_COUNT, AT(top), 1, MOST_TOP, "the K nearest paragraphs (default 5)"),
    CLI_OPTION("json", 0, NULL, CLI_FLAG, AT(json), 0, 0, "print JSON Lines, one paragraph a line"),
    CLI_OPTION("batch", 0, "N", CLI_COUNT, AT(encoding.n_batch), 1, 1024,
               "paragraphs encoded at once, at most (default 64); changes no result"),
    CLI_OPTION("threads", 't', "N", CLI_COUNT, AT(encoding.runtime.threads), 1, 1024,
               "threads (default: physical cores)"),
    CLI_OPTION("cpu", 0, "LEVEL", CLI_LEVEL, AT(encoding.runtime.cpu), 0, 0,
               "limit the instruction set: scalar, avx2, avxvnni, avx512, avx512vnni"),
    CLI_OPTION("stats", 0, NULL, CLI_FLAG, AT(encoding.stats), 0, 0, "print times and peak memory to stderr"),
    CLI_OPTION("quiet", 'q', NULL, CLI_FLAG, AT(encoding.quiet), 0, 0, "no progress and no notes on stderr"),
    CLI_OPTION("yes", 'y', NULL, CLI_FLAG, AT(encoding.yes), 0, 0, "pull the model without asking"),
    {0}};
#undef AT

/* ---- the model ---- */

int cli_search_sha(const char *hex, unsigned char *sha) {
    for (int i = 0; i < 2 * CLI_INDEX_SHA; i++) {
        int digit = hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10;
        sha[i / 2] = (unsigned char)(i % 2 ? sha[i / 2] << 4 | digit : digit);
    }
    return 1;
}

/* The digest of the encoder's file. That of a file that is still the one hashed for the index is not made
 * again: it takes as long as several questions. */
static int identify(const struct cli_encoder *encoder, const struct cli_index *index, unsigned char *sha,
                    struct cli_index_stamp *stamp) {
    const char *path = encoder->model.path;
    char hex[CLI_SHA256_HEX];
    struct stat status;
    if (stat(path, &status)) return cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
    uint64_t changed = (uint64_t)status.st_ctim.tv_sec * 1000000000 + (uint64_t)status.st_ctim.tv_nsec;
    *stamp = (struct cli_index_stamp){(uint64_t)status.st_size, cli_mtime(&status), (int64_t)changed,
                                      (uint64_t)status.st_ino};
    if (index && !memcmp(stamp, &index->stamp, sizeof *stamp)) {
        memcpy(sha, index->model_sha, CLI_INDEX_SHA);
        return CLI_OK;
    }
    if (cli_digest_file(path, CLI_SHA256, NULL, hex))
        return cli_interrupted ? CLI_INTERRUPTED : cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
    cli_search_sha(hex, sha);
    return CLI_OK;
}

int cli_search_encoder(const struct cli_search *search, const struct cli_index *index,
                       struct cli_encoder *encoder, unsigned char *sha, struct cli_index_stamp *stamp) {
    mote_text own = index ? index->settings[CLI_INDEX_MODEL] : (mote_text){0};
    char *name = search->model ? strdup(search->model) : strndup(own.n ? own.data : "", own.n);
    int code = CLI_OK;
    memset(sha, 0, CLI_INDEX_SHA);
    if (!name) return cli_fail(CLI_MEMORY, "not enough memory");
    if (!*name) code = cli_fail(CLI_USAGE, "search: the index does not say its model; -m MODEL is needed");
    if (!code) code = cli_encoder_open(encoder, name, &search->encoding);
    if (!code) code = identify(encoder, index, sha, stamp);
    const mote_model_info *info = &encoder->model.info;
    if (!code && info->pooling == MOTE_POOLING_NONE)
        code = cli_fail(CLI_MODEL, "%s: it makes no vector of a whole text (its pooling is none)", name);
    if (!code && info->n_model > CLI_MOST_DIMS)
        code = cli_fail(CLI_MODEL, "%s: its vectors have %u numbers; %d are the most", name,
                        (unsigned)info->n_model, CLI_MOST_DIMS);
    if (!code && index &&
        (memcmp(sha, index->model_sha, CLI_INDEX_SHA) != 0 || info->n_model != index->n_dims))
        code = cli_fail(CLI_MODEL,
                        "%s: the index was made with another model (SHA-256 %02x%02x%02x%02x…, this is "
                        "%02x%02x%02x%02x…)",
                        name, index->model_sha[0], index->model_sha[1], index->model_sha[2],
                        index->model_sha[3], sha[0], sha[1], sha[2], sha[3]);
    free(name);
    return code;
}

/* ---- asking ---- */

struct hit {
    float score;
    uint32_t i; /* of the record's paragraphs */
    const struct cli_index_record *record;
};

struct asking {
    const struct cli_search *search;
    struct cli_index index;
    struct mote_posix_map map;
    struct cli_encoder *encoder;
    struct cli_query query;
    struct cli_buffer question; /* with what is put before it */
    float *vector, *scores;
    struct hit hits[MOST_TOP];
    uint32_t n_hits;
    double encode_seconds, search_seconds;
    uint64_t n_asked;
    char folder[4096]; /* where the command runs: paths below it are shown from there */
};

/* Keeps the best, equal ones in the order of the index. */
static void offer(struct asking *a, float score, const struct cli_index_record *record, uint32_t i) {
    uint32_t n = a->n_hits, top = a->search->top;
    if (!isfinite(score) || (n == top && !(score > a->hits[n - 1].score))) return;
    if (n < top) a->n_hits = ++n;
    uint32_t at = n - 1;
    for (; at > 0 && score > a->hits[at - 1].score; at--)
        a->hits[at] = a->hits[at - 1];
    a->hits[at] = (struct hit){score, i, record};
}

static void find_nearest(struct asking *a) {
    const struct cli_index *index = &a->index;
    cli_query_set(&a->query, a->vector, index->n_dims);
    a->n_hits = 0;
    for (size_t f = 0; f < index->n_files; f++)
        for (size_t k = 0; k < index->files[f].n_parts; k++) {
            const struct cli_index_record *record = &index->records[index->files[f].first + k];
            cli_vectors_score(record->vectors, record->n, index->n_dims, &a->query, a->scores);
            for (uint32_t i = 0; i < record->n; i++)
                offer(a, a->scores[i], record, i);
        }
}

/* The path of a hit's file, to be shown. */
static int path_of(const struct asking *a, const struct hit *hit, struct cli_buffer *path) {
    mote_text folder = a->index.records[a->index.folders[hit->record->owner]].name;
    size_t n = strlen(a->folder);
    path->n = 0;
    if (!cli_buffer_append(path, folder.data, folder.n)) return 0;
    if (hit->record->name.n && !(cli_buffer_append(path, "/", 1) &&
                                 cli_buffer_append(path, hit->record->name.data, hit->record->name.n)))
        return 0;
    if (n && path->n > n + 1 && !memcmp(path->data, a->folder, n) && path->data[n] == '/') {
        path->n -= n + 1;
        memmove(path->data, path->data + n + 1, path->n);
    }
    return 1;
}

static int is_blank(const char *text, size_t n) {
    while (n && ((unsigned char)text[n - 1] == ' ' || (text[n - 1] >= '\t' && text[n - 1] <= '\r')))
        n--;
    return !n;
}

/* A paragraph, each line set in, empty ones left out, and nothing in it that a terminal would obey. 0 if it could
 * not be written. */
static int print_lines(mote_text text) {
    while (text.n) {
        const char *end = memchr(text.data, '\n', text.n);
        size_t n = end ? (size_t)(end - text.data) : text.n,
               shown = n && text.data[n - 1] == '\r' ? n - 1 : n;
        if (!is_blank(text.data, n)) {
            if (fputs("    ", stdout) < 0 || !cli_print_answer(stdout, text.data, shown) || putchar('\n') < 0)
                return 0;
        }
        n += end != NULL;
        text = (mote_text){text.data + n, text.n - n};
    }
    return 1;
}

static int print_hit(struct asking *a, mote_text question, uint32_t rank, struct cli_buffer *path) {
    const struct hit *hit = &a->hits[rank];
    struct cli_paragraph paragraph;
    if (!cli_index_paragraph(hit->record, hit->i, &paragraph))
        return cli_fail(CLI_FAILED, "%s: a paragraph outside of its record (at byte %llu)", a->search->index,
                        (unsigned long long)hit->record->at);
    if (!path_of(a, hit, path)) return cli_fail(CLI_MEMORY, "not enough memory");
    if (a->search->json) {
        printf("{\"query\": ");
        cli_print_json(stdout, question);
        printf(", \"rank\": %u, \"score\": %.4f, \"file\": ", (unsigned)rank + 1, (double)hit->score);
        cli_print_json(stdout, (mote_text){path->data, path->n});
        printf(", \"line\": %u, \"text\": ", (unsigned)paragraph.line);
        cli_print_json(stdout, paragraph.text);
        printf("}\n");
        return CLI_OK;
    }
    printf("%s%.3f  ", rank ? "\n" : "", (double)hit->score);
    cli_print(stdout, (mote_text){path->data, path->n});
    printf(":%u\n", (unsigned)paragraph.line);
    if (print_lines(paragraph.text)) return CLI_OK;
    return cli_fail(CLI_FAILED, "cannot write to stdout: %s", strerror(errno));
}

static int print_hits(struct asking *a, mote_text question) {
    struct cli_buffer path = {0};
    int code = CLI_OK;
    for (uint32_t k = 0; k < a->n_hits && !code; k++)
        code = print_hit(a, question, k, &path);
    cli_buffer_close(&path);
    return code;
}

static int ask(struct asking *a, mote_text question) {
    double begin = cli_clock();
    mote_text before = a->index.settings[CLI_INDEX_BEFORE_QUERY];
    a->question.n = 0;
    if (!cli_buffer_append(&a->question, before.data, before.n) ||
        !cli_buffer_append(&a->question, question.data, question.n))
        return cli_fail(CLI_MEMORY, "not enough memory");
    const mote_text whole = {a->question.data, a->question.n};
    int code = cli_encoder_vector(a->encoder, whole, a->encoder->model.info.pooling, 1, a->vector);
    if (code) return code;
    double encoded = cli_clock();
    find_nearest(a);
    a->search_seconds += cli_clock() - encoded;
    a->encode_seconds += encoded - begin;
    a->n_asked++;
    return print_hits(a, question);
}

static int ask_lines(struct asking *a) {
    struct cli_lines lines = {0};
    mote_text line;
    int code = cli_lines_open(&lines, NULL);
    while (!code && !(code = cli_lines_next(&lines, &line)) && line.data) {
        if (a->n_asked && !a->search->json) putchar('\n');
        code = ask(a, line);
        fflush(stdout);
    }
    cli_lines_close(&lines);
    return code;
}

static void print_stats(const struct asking *a) {
    char bytes[16], peak[16];
    double n = a->n_asked ? (double)a->n_asked : 1;
    fprintf(
        stderr,
        "mote: %llu paragraphs, index %s; a question: %.2f ms to encode, %.2f ms to search; peak memory %s\n",
        (unsigned long long)a->index.n_paragraphs, cli_size(a->index.whole, bytes),
        1e3 * a->encode_seconds / n, 1e3 * a->search_seconds / n, cli_size(mote_posix_peak_bytes(), peak));
}

static int ask_index(const struct cli_search *search, struct cli_encoder *encoder, const char *question) {
    struct asking *a = calloc(1, sizeof *a);
    unsigned char sha[CLI_INDEX_SHA];
    struct cli_index_stamp stamp;
    uint32_t most = 1;
    if (!a) return cli_fail(CLI_MEMORY, "not enough memory");
    a->search = search;
    a->encoder = encoder;
    if (!getcwd(a->folder, sizeof a->folder)) *a->folder = 0;
    int code = cli_index_open(&a->index, &a->map, search->index);
    if (!code && !encoder->model.model) code = cli_search_encoder(search, &a->index, encoder, sha, &stamp);
    for (size_t i = 0; i < a->index.n_records; i++)
        if (a->index.records[i].n > most) most = a->index.records[i].n;
    a->vector = calloc(a->index.n_dims + 1, sizeof *a->vector);
    a->scores = calloc(most, sizeof *a->scores);
    if (!code && (!a->vector || !a->scores)) code = cli_fail(CLI_MEMORY, "not enough memory");
    if (!code) code = question ? ask(a, (mote_text){question, strlen(question)}) : ask_lines(a);
    if (!code && search->encoding.stats) print_stats(a);
    cli_buffer_close(&a->question);
    free(a->vector);
    free(a->scores);
    cli_index_close(&a->index);
    mote_posix_map_close(&a->map);
    free(a);
    return code;
}

int cli_search(int argc, char **argv) {
    struct cli_search search = {.top = 5, .encoding = cli_encoding_defaults()};
    const struct cli_grammar grammar = {
        "INDEX [QUESTION] [OPTIONS]",
        "The paragraphs of a folder that are nearest in meaning to a question. INDEX is a file: made and "
        "brought\n"
        "up to date with --add FOLDER, and asked with a QUESTION, or one on each line of stdin.",
        {{own_options, &search}},
        1,
        2};
    char **arguments;
    int n, code = cli_parse(argc, argv, &grammar, &arguments, &n);
    if (code != CLI_PARSED) return code;
    search.index = arguments[0];
    int updates = search.add.n || search.update;
    if (!updates && (search.all || search.before_passage || search.before_query))
        return cli_fail(CLI_USAGE, "search: --all and prefixes are for a new folder or index (see --add)");
    struct cli_encoder encoder = {0};
    code = updates ? cli_search_update(&search, &encoder) : CLI_OK;
    if (!code && (n > 1 || !updates)) code = ask_index(&search, &encoder, n > 1 ? arguments[1] : NULL);
    cli_encoder_close(&encoder);
    return code;
}
