/* SPDX-License-Identifier: Apache-2.0
 *
 * rm.c: `mote rm NAME`. Removes a model and whatever an unfinished pull of it left. NAME is what `mote list`
 * shows, or a reference that was pulled. Only files in the models directory are ever removed. */
#include "apps/cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/cli/paths.h"
#include "apps/cli/source.h"

static const char usage[] = "usage: mote rm NAME [-y]\n"
                            "Removes a model, and what an interrupted pull of it left, from this machine.\n"
                            "\n"
                            "  -y, --yes  do not ask\n";

static int agreed(const char *name, int64_t n_bytes) {
    char size[16];
    if (!isatty(STDIN_FILENO)) return 1; /* a script that says rm means it */
    fprintf(stderr, "Remove %s (%s)? [y/N] ", name, cli_size(n_bytes > 0 ? (uint64_t)n_bytes : 0, size));
    return cli_answer() == 'y';
}

static int remove_entry(const struct cli_entry *entry, int yes) {
    char *path = cli_entry_path(entry);
    if (!path) return CLI_FAILED;
    int code = CLI_OK;
    enum cli_presence presence = cli_entry_presence(entry, path);
    if (presence == CLI_ABSENT)
        code = cli_fail(CLI_MODEL, "%s is not here", entry->name);
    else if (!yes && !agreed(entry->name, cli_file_size(path)))
        code = cli_fail(CLI_FAILED, "%s was kept", entry->name);
    else if (presence != CLI_PARTIAL && unlink(path))
        code = cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
    if (!code) cli_source_forget(entry, path);
    free(path);
    return code;
}

static int remove_named(const char *name, int yes) {
    struct cli_catalogue catalogue;
    int code = cli_catalogue_open(&catalogue);
    if (code) return code;
    const struct cli_entry *entry = cli_catalogue_find(&catalogue, name);
    /* A file that no entry speaks of: its own name stands for it. */
    struct cli_entry stray = {.name = name, .file = name, .description = "", .licence = ""};
    if (!entry && (strchr(name, '/') || name[0] == '.'))
        code = cli_fail(CLI_MODEL, "%s: no model of that name (`mote list` shows them)", name);
    else
        code = remove_entry(entry ? entry : &stray, yes);
    cli_catalogue_close(&catalogue);
    return code;
}

int cli_rm(int argc, char **argv) {
    static const struct option longs[] = {
        {"yes", no_argument, NULL, 'y'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int option, yes = 0;
    optind = 0;
    while ((option = getopt_long(argc, argv, "yh", longs, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return CLI_OK;
        }
        if (option != 'y') return CLI_USAGE; /* getopt has said what is wrong */
        yes = 1;
    }
    if (argc - optind != 1) return cli_fail(CLI_USAGE, "rm takes one model (`mote list` shows names)");
    if (!cli_is_reference(argv[optind])) return remove_named(argv[optind], yes);
    struct cli_reference reference;
    int code = cli_reference_open(&reference, argv[optind]);
    return code ? code : remove_entry(&reference.entry, yes);
}
