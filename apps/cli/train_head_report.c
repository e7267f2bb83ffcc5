/* SPDX-License-Identifier: Apache-2.0
 *
 * train_head_report.c: how well a head does on what was held out.
 *
 *     precision  of those given this label, the share that have it
 *     recall     of those that have it, the share given it
 *     F1         2 · precision · recall / (precision + recall)
 *
 * A matrix of all labels is printed where it fits a terminal; of many labels, the pairs most often confused. */
#include <stdlib.h>
#include <string.h>

#include "apps/cli/cli.h"
#include "apps/cli/print.h"
#include "apps/cli/train_head.h"
#include "apps/cli/train_head_data.h"

enum { WIDEST_MATRIX = 10, MOST_PAIRS = 10, MOST_SHOWN = 24 };

struct counts {
    uint32_t n;         /* labels */
    const size_t *grid; /* [n, n]: label, predicted */
    size_t n_right, n_all, n_usual;
};

struct fate {
    size_t has, given, right;
    double precision, recall, f1;
};

static double share(size_t part, size_t all) {
    return all ? (double)part / (double)all : 0;
}

static struct fate fate_of(const struct counts *counts, uint32_t label) {
    struct fate f = {.right = counts->grid[(size_t)label * counts->n + label]};
    for (uint32_t k = 0; k < counts->n; k++) {
        f.has += counts->grid[(size_t)label * counts->n + k];
        f.given += counts->grid[(size_t)k * counts->n + label];
    }
    f.precision = share(f.right, f.given);
    f.recall = share(f.right, f.has);
    f.f1 = f.right ? 2 * f.precision * f.recall / (f.precision + f.recall) : 0;
    return f;
}

/* A label in a column of so many places: cut where it is longer, counting characters, not bytes. */
static void print_label(mote_text label, int places) {
    size_t n = 0;
    int shown = 0;
    while (n < label.n && shown < places) {
        n++;
        while (n < label.n && ((unsigned char)label.data[n] & 0xc0) == 0x80)
            n++;
        shown++;
    }
    cli_print(stdout, (mote_text){label.data, n});
    printf("%*s", places - shown, "");
}

static int longest(const struct cli_examples *examples) {
    size_t most = 5;
    for (uint32_t i = 0; i < examples->n_labels; i++)
        if (examples->labels[i].n > most) most = examples->labels[i].n;
    return most < MOST_SHOWN ? (int)most : MOST_SHOWN;
}

static void print_matrix(const struct cli_examples *examples, const struct counts *counts, int places) {
    printf("\n%-*s  predicted\n%-*s", places, "", places, "label");
    for (uint32_t k = 0; k < counts->n; k++) {
        printf("  ");
        print_label(examples->labels[k], 8);
    }
    putchar('\n');
    for (uint32_t i = 0; i < counts->n; i++) {
        print_label(examples->labels[i], places);
        for (uint32_t k = 0; k < counts->n; k++)
            printf("  %-8zu", counts->grid[(size_t)i * counts->n + k]);
        putchar('\n');
    }
}

static void print_pairs(const struct cli_examples *examples, const struct counts *counts, int places) {
    size_t below = SIZE_MAX, printed = 0;
    while (printed < MOST_PAIRS) { /* the counts in falling order, each with all its pairs */
        size_t most = 0, n = counts->n;
        for (size_t i = 0; i < n * n; i++)
            if (i / n != i % n && counts->grid[i] < below && counts->grid[i] > most) most = counts->grid[i];
        if (!most) break;
        if (!printed) printf("\nmost often confused\n");
        for (size_t i = 0; i < n * n && printed < MOST_PAIRS; i++) {
            if (i / n == i % n || counts->grid[i] != most) continue;
            printf("%5zu  ", most);
            print_label(examples->labels[i / n], places);
            printf("  taken for  ");
            cli_print(stdout, examples->labels[i % n]);
            putchar('\n');
            printed++;
        }
        below = most;
    }
}

static void print_text(const struct cli_head_report *report, const struct counts *counts) {
    const struct cli_examples *examples = report->examples;
    int places = longest(examples);
    printf("held out: %zu of %zu right, %.1f %% (always the most frequent label: %.1f %%)\n\n",
           counts->n_right, counts->n_all, 100 * share(counts->n_right, counts->n_all),
           100 * share(counts->n_usual, counts->n_all));
    printf("%-*s  precision   recall     F1      n\n", places, "label");
    for (uint32_t i = 0; i < counts->n; i++) {
        struct fate f = fate_of(counts, i);
        print_label(examples->labels[i], places);
        printf("     %5.1f %%  %5.1f %%  %5.3f  %5zu\n", 100 * f.precision, 100 * f.recall, f.f1, f.has);
    }
    if (counts->n <= WIDEST_MATRIX)
        print_matrix(examples, counts, places);
    else
        print_pairs(examples, counts, places);
}

static void print_json(const struct cli_head_report *report, const struct counts *counts) {
    const struct cli_examples *examples = report->examples;
    printf("{\n  \"model\": ");
    cli_print_json(stdout, (mote_text){report->model, strlen(report->model)});
    printf(",\n  \"output\": ");
    cli_print_json(stdout, (mote_text){report->out, strlen(report->out)});
    printf(",\n  \"hidden\": %u, \"l2\": %g, \"balanced\": %s, \"seed\": %llu,\n",
           (unsigned)report->net->n_hidden, report->l2, report->balanced ? "true" : "false",
           (unsigned long long)report->seed);
    printf("  \"learned\": %zu, \"skipped\": %zu, \"held_out\": %zu, \"right\": %zu,\n", examples->n_learn,
           examples->n_skipped, counts->n_all, counts->n_right);
    printf("  \"accuracy\": %.6f, \"most_frequent\": %.6f, \"loss\": %.9g, \"held_out_loss\": %.9g,\n",
           share(counts->n_right, counts->n_all), share(counts->n_usual, counts->n_all), report->fit->loss,
           report->fit->held_out_loss);
    printf("  \"epochs\": %u, \"best_epoch\": %u,\n  \"labels\": [", (unsigned)report->fit->n_epochs,
           (unsigned)report->fit->best_epoch);
    for (uint32_t i = 0; i < counts->n; i++) {
        struct fate f = fate_of(counts, i);
        printf("%s\n    {\"label\": ", i ? "," : "");
        cli_print_json(stdout, examples->labels[i]);
        printf(", \"precision\": %.6f, \"recall\": %.6f, \"f1\": %.6f, \"n\": %zu, \"predicted\": [",
               f.precision, f.recall, f.f1, f.has);
        for (uint32_t k = 0; k < counts->n; k++)
            printf(k ? ", %zu" : "%zu", counts->grid[(size_t)i * counts->n + k]);
        printf("]}");
    }
    printf("\n  ]\n}\n");
}

int cli_head_report(const struct cli_head_report *report, int as_json) {
    const struct cli_examples *examples = report->examples;
    size_t n = examples->n_labels;
    size_t *grid = calloc(n * n, sizeof *grid);
    struct counts counts = {.n = (uint32_t)n, .grid = grid, .n_all = examples->n - examples->n_learn};
    if (!grid) return cli_fail(CLI_MEMORY, "not enough memory");
    for (size_t i = 0; i < counts.n_all; i++) {
        uint32_t label = examples->list[examples->n_learn + i].label;
        counts.n_right += label == report->predicted[i];
        grid[label * n + report->predicted[i]]++;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct fate f = fate_of(&counts, i);
        if (f.has > counts.n_usual) counts.n_usual = f.has;
    }
    if (as_json)
        print_json(report, &counts);
    else
        print_text(report, &counts);
    free(grid);
    return CLI_OK;
}
