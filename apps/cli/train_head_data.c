/* SPDX-License-Identifier: Apache-2.0
 *
 * train_head_data.c: labelled texts. Which column is which is taken from the options, else from a header row
 * whose names are usual ones, else, of two columns, the one with fewer different values holds the labels.
 *
 * Held out is the same share of each label, so that a rare one is there too, and never all of it. */
#include <stdlib.h>
#include <string.h>

#include "apps/cli/cli.h"
#include "apps/cli/options.h"
#include "apps/cli/train_head.h"
#include "apps/cli/train_head_data.h"

/* What a table's columns turned out to be. */
struct view {
    const struct cli_table *table;
    const char *path;
    size_t text, label, first; /* first: row, behind the header */
};

static int same(mote_text cell, const char *name) {
    return cell.n == strlen(name) && !strncasecmp(cell.data, name, cell.n);
}

static int is_number(mote_text text) {
    for (size_t i = 0; i < text.n; i++)
        if (text.data[i] < '0' || text.data[i] > '9') return 0;
    return text.n > 0 && text.n < 19;
}

static uint64_t number(mote_text text) {
    uint64_t value = 0;
    for (size_t i = 0; i < text.n; i++)
        value = 10 * value + (uint64_t)(text.data[i] - '0');
    return value;
}

static int compare_text(const void *one, const void *other) {
    mote_text a = *(const mote_text *)one, b = *(const mote_text *)other;
    int a_number = is_number(a), b_number = is_number(b);
    if (a_number != b_number) return b_number - a_number;
    if (a_number && number(a) != number(b)) return number(a) < number(b) ? -1 : 1;
    int order = memcmp(a.n ? a.data : "", b.n ? b.data : "", a.n < b.n ? a.n : b.n);
    return order ? order : a.n < b.n ? -1 : a.n > b.n;
}

/* The different texts of a column, sorted, malloc'ed; empty ones apart. */
static mote_text *distinct(const struct view *view, size_t column, size_t *n) {
    const struct cli_table *table = view->table;
    mote_text *list = malloc((table->n_rows + 1) * sizeof *list);
    *n = 0;
    if (!list) return NULL;
    for (size_t row = view->first; row < table->n_rows; row++) {
        list[*n] = cli_table_cell(table, row, column);
        *n += list[*n].n > 0;
    }
    qsort(list, *n, sizeof *list, compare_text);
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++)
        if (!kept || compare_text(&list[kept - 1], &list[i]) != 0) list[kept++] = list[i];
    *n = kept;
    return list;
}

/* ---- which column is which ---- */

enum { ABSENT = -1 };

static long find_usual(const struct cli_table *table, const char *const *names) {
    for (; *names; names++)
        for (size_t c = 0; c < table->n_columns; c++)
            if (same(cli_table_cell(table, 0, c), *names)) return (long)c;
    return ABSENT;
}

/* A column by number, or by its name in the first row; sets *named for a name. */
static int find_said(const struct view *view, const char *option, const char *said, long *column,
                     int *named) {
    uint64_t place;
    if (cli_parse_count(said, 1, view->table->n_columns, &place)) {
        *column = (long)place - 1;
        return CLI_OK;
    }
    *named = 1;
    for (size_t c = 0; c < view->table->n_columns; c++) {
        if (!same(cli_table_cell(view->table, 0, c), said)) continue;
        *column = (long)c;
        return CLI_OK;
    }
    return cli_fail(CLI_FAILED, "%s: --%s: none of its %zu columns is named '%.80s'", view->path, option,
                    view->table->n_columns, said);
}

/* Of two columns without names: the one with fewer different values. */
static int guess(struct view *view, long *text, long *label) {
    size_t n[2] = {0, 0};
    for (size_t c = 0; c < 2; c++) {
        mote_text *list = distinct(view, c, &n[c]);
        if (!list) return cli_fail(CLI_MEMORY, "%s: not enough memory", view->path);
        free(list);
    }
    if (n[0] == n[1])
        return cli_fail(CLI_FAILED, "%s: which column holds the labels? Say so with --label-column",
                        view->path);
    *label = n[1] < n[0];
    *text = !*label;
    return CLI_OK;
}

static int find_columns(struct view *view, const struct cli_columns *columns) {
    static const char *const text_names[] = {"text",  "sentence", "message", "utterance", "tweet",
                                             "query", "review",   "comment", "content",   NULL};
    static const char *const label_names[] = {"label",     "intent",   "category", "class",
                                              "sentiment", "polarity", "target",   NULL};
    const struct cli_table *table = view->table;
    long text = ABSENT, label = ABSENT, usual_text = find_usual(table, text_names),
         usual_label = find_usual(table, label_names);
    int named = columns->header || (usual_text != ABSENT && usual_label != ABSENT), code = CLI_OK;
    if (columns->text) code = find_said(view, "text-column", columns->text, &text, &named);
    if (!code && columns->label) code = find_said(view, "label-column", columns->label, &label, &named);
    if (code) return code;
    view->first = named ? 1 : 0;
    if (named && text == ABSENT && usual_text != label) text = usual_text;
    if (named && label == ABSENT && usual_label != text) label = usual_label;
    if (table->n_columns == 2 && text == ABSENT && label != ABSENT) text = !label;
    if (table->n_columns == 2 && label == ABSENT && text != ABSENT) label = !text;
    if (table->n_columns == 2 && label == ABSENT) code = guess(view, &text, &label);
    if (code) return code;
    if (text == ABSENT || label == ABSENT)
        return cli_fail(CLI_FAILED,
                        "%s: it has %zu column%s; say which to use with --text-column and --label-column, by "
                        "name or number",
                        view->path, table->n_columns, table->n_columns == 1 ? "" : "s");
    if (text == label)
        return cli_fail(CLI_USAGE, "train-head: --text-column and --label-column are the same column");
    view->text = (size_t)text;
    view->label = (size_t)label;
    return CLI_OK;
}

/* The file held out is read as the other was; it has a header if that had the same. */
static int find_alike(struct view *view, const struct view *like, const struct cli_columns *columns) {
    if (view->table->n_columns != like->table->n_columns) return find_columns(view, columns);
    view->text = like->text;
    view->label = like->label;
    view->first = like->first;
    for (size_t c = 0; c < view->table->n_columns && like->first; c++) {
        mote_text a = cli_table_cell(view->table, 0, c), b = cli_table_cell(like->table, 0, c);
        if (compare_text(&a, &b) != 0) view->first = 0;
    }
    return CLI_OK;
}

/* ---- labels ---- */

static int find_labels(struct cli_examples *e, const struct view *view) {
    size_t n;
    e->labels = distinct(view, view->label, &n);
    if (!e->labels) return cli_fail(CLI_MEMORY, "%s: not enough memory", view->path);
    if (n < 2)
        return cli_fail(CLI_FAILED, "%s: column %zu holds %zu different label%s; two are the least",
                        view->path, view->label + 1, n, n == 1 ? "" : "s");
    if (n > CLI_MOST_LABELS)
        return cli_fail(CLI_FAILED,
                        "%s: column %zu holds %zu different values; more than %d are no labels (see "
                        "--label-column)",
                        view->path, view->label + 1, n, CLI_MOST_LABELS);
    for (size_t i = 0; i < n; i++)
        if (e->labels[i].n > CLI_MOST_LABEL_BYTES)
            return cli_fail(CLI_FAILED, "%s: a label of %zu bytes; %d are the most (see --label-column)",
                            view->path, e->labels[i].n, CLI_MOST_LABEL_BYTES);
    e->n_labels = (uint32_t)n;
    return CLI_OK;
}

/* Appends the rows of a table to the list. */
static int add_rows(struct cli_examples *e, const struct view *view) {
    for (size_t row = view->first; row < view->table->n_rows; row++) {
        mote_text label = cli_table_cell(view->table, row, view->label);
        if (!label.n) {
            e->n_skipped++;
            continue;
        }
        const mote_text *found = bsearch(&label, e->labels, e->n_labels, sizeof label, compare_text);
        if (!found)
            return cli_fail(CLI_FAILED, "%s: line %llu: its label is not among those to learn", view->path,
                            (unsigned long long)view->table->lines[row]);
        e->list[e->n++] =
            (struct cli_example){cli_table_cell(view->table, row, view->text), (uint32_t)(found - e->labels)};
    }
    return CLI_OK;
}

/* ---- the division ---- */

/* Moves the share of each label to the end, both parts in the order of the file. */
static int divide(struct cli_examples *e, const char *path, double share, uint64_t seed) {
    uint32_t *order = malloc((e->n + 1) * sizeof *order);
    unsigned char *held = calloc(e->n + 1, 1);
    struct cli_example *list = malloc((e->n + 1) * sizeof *list);
    size_t n_learn = 0, n_held = 0;
    if (order && held && list) {
        for (uint32_t label = 0; label < e->n_labels; label++) {
            size_t n = 0;
            for (size_t i = 0; i < e->n; i++)
                if (e->list[i].label == label) order[n++] = (uint32_t)i;
            cli_shuffle(order, n, &seed);
            size_t most = n ? n - 1 : 0, wanted = (size_t)(share * (double)n + 0.5);
            for (size_t i = 0; i < wanted && i < most; i++, n_held++)
                held[order[i]] = 1;
        }
        for (size_t pass = 0; pass < 2; pass++)
            for (size_t i = 0; i < e->n; i++)
                if (held[i] == pass) list[n_learn++] = e->list[i];
        memcpy(e->list, list, e->n * sizeof *list);
        e->n_learn = e->n - n_held;
    }
    int failed = !order || !held || !list;
    free(order);
    free(held);
    free(list);
    if (failed) return cli_fail(CLI_MEMORY, "%s: not enough memory", path);
    if (!n_held)
        return cli_fail(CLI_FAILED, "%s: %zu examples of %u labels are too few to hold some out", path, e->n,
                        (unsigned)e->n_labels);
    return CLI_OK;
}

int cli_examples_read(struct cli_examples *e, const char *path, const char *held_out,
                      const struct cli_columns *columns, double share, uint64_t seed) {
    struct view view = {.table = &e->table, .path = path},
                other = {.table = &e->held_out_table, .path = held_out};
    int code = cli_table_read(&e->table, path);
    if (!code) code = find_columns(&view, columns);
    if (!code && held_out) code = cli_table_read(&e->held_out_table, held_out);
    if (!code && held_out) code = find_alike(&other, &view, columns);
    if (!code) code = find_labels(e, &view);
    if (code) return code;
    size_t n = e->table.n_rows + e->held_out_table.n_rows;
    if (n >= UINT32_MAX) return cli_fail(CLI_FAILED, "%s: more rows than 2^32", path);
    e->list = calloc(n + 1, sizeof *e->list);
    if (!e->list) return cli_fail(CLI_MEMORY, "%s: not enough memory", path);
    code = add_rows(e, &view);
    e->n_learn = e->n;
    if (code || !held_out) return code ? code : divide(e, path, share, seed);
    code = add_rows(e, &other);
    if (!code && e->n == e->n_learn) code = cli_fail(CLI_FAILED, "%s: no row has a label", held_out);
    return code;
}

void cli_examples_close(struct cli_examples *e) {
    cli_table_close(&e->table);
    cli_table_close(&e->held_out_table);
    free(e->labels);
    free(e->list);
    *e = (struct cli_examples){0};
}
