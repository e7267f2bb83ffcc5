/* SPDX-License-Identifier: Apache-2.0
 *
 * list.c: `mote list`: the models of the catalogue and the other models kept here, to stdout, as a table or
 * as one JSON array. */
#include "apps/cli/cli.h"

#include <dirent.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "apps/cli/paths.h"

static const char usage[] =
    "usage: mote list [--json]\n"
    "Shows the models that are here and those that `mote pull` can bring. * marks the one\n"
    "that `mote run` and `mote chat` take when none is named.\n"
    "\n"
    "      --json  an array of {name, default, state, bytes, licence, description, path}\n"
    "\n"
    "state is present, partial (an interrupted pull), damaged (not of the right size) or\n"
    "available.\n";

static const char *const states[] = {[CLI_ABSENT] = "available",
                                     [CLI_PARTIAL] = "partial",
                                     [CLI_PRESENT] = "present",
                                     [CLI_DAMAGED] = "damaged"};

/* Prints one model, or adds it to rows when that is not NULL. Returns 0, or -1 without memory. */
static int add_row(const struct cli_entry *entry, const char *path, json_t *rows) {
    enum cli_presence presence = cli_entry_presence(entry, path);
    int64_t here = cli_file_size(path);
    uint64_t n_bytes = here >= 0 ? (uint64_t)here : entry->bytes;
    char size[16] = "?";
    if (rows) {
        json_t *row = json_pack("{s:s, s:b, s:s, s:I, s:s, s:s, s:s}", "name", entry->name, "default",
                                entry->is_default, "state", states[presence], "bytes", (json_int_t)n_bytes,
                                "licence", entry->licence, "description", entry->description, "path", path);
        return row ? json_array_append_new(rows, row) : -1;
    }
    if (n_bytes) cli_size(n_bytes, size);
    printf("%-24s%c %8s  %-9s  %-20s  %s\n", entry->name, entry->is_default ? '*' : ' ', size,
           states[presence], *entry->licence ? entry->licence : "-", entry->description);
    return 0;
}

static int is_known(const struct cli_catalogue *catalogue, const char *file) {
    for (size_t i = 0; i < catalogue->n_entries; i++)
        if (!strcmp(catalogue->entries[i].file, file)) return 1;
    return 0;
}

/* The files in the models directory that no entry speaks of, in alphabetical order. */
static int add_strays(const struct cli_catalogue *catalogue, const char *dir, json_t *rows) {
    struct dirent **files;
    int n = scandir(dir, &files, NULL, alphasort), failed = 0;
    for (int i = 0; i < n; i++) {
        const char *name = files[i]->d_name;
        size_t n_name = strlen(name);
        if (!failed && n_name > 5 && !strcmp(name + n_name - 5, ".gguf") && name[0] != '.' &&
            !is_known(catalogue, name)) {
            struct cli_entry entry = {.name = name, .file = name, .licence = "", .description = ""};
            char *path = cli_text("%s/%s", dir, name);
            failed = !path || add_row(&entry, path, rows);
            free(path);
        }
        free(files[i]);
    }
    if (n >= 0) free(files);
    return failed;
}

static int list(const struct cli_catalogue *catalogue, const char *dir, json_t *rows) {
    int failed = 0;
    if (!rows) printf("%-25s %8s  %-9s  %-20s  %s\n", "NAME", "SIZE", "STATE", "LICENCE", "DESCRIPTION");
    for (size_t i = 0; !failed && i < catalogue->n_entries; i++) {
        char *path = cli_text("%s/%s", dir, catalogue->entries[i].file);
        failed = !path || add_row(&catalogue->entries[i], path, rows);
        free(path);
    }
    if (!failed) failed = add_strays(catalogue, dir, rows);
    if (!failed && rows) failed = json_dumpf(rows, stdout, JSON_INDENT(2)) || putchar('\n') == EOF;
    return failed ? cli_fail(CLI_MEMORY, "out of memory") : CLI_OK;
}

int cli_list(int argc, char **argv) {
    static const struct option longs[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    struct cli_catalogue catalogue;
    int option, json = 0;
    optind = 0;
    while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return CLI_OK;
        }
        if (option != 'j') return CLI_USAGE; /* getopt has said what is wrong */
        json = 1;
    }
    if (optind != argc) return cli_fail(CLI_USAGE, "list takes no arguments but --json");
    char *dir = cli_models_dir();
    if (!dir) return CLI_FAILED;
    int code = cli_catalogue_open(&catalogue);
    if (!code) {
        json_t *rows = json ? json_array() : NULL;
        code = json && !rows ? cli_fail(CLI_MEMORY, "out of memory") : list(&catalogue, dir, rows);
        json_decref(rows);
        cli_catalogue_close(&catalogue);
    }
    free(dir);
    return code;
}
