/* SPDX-License-Identifier: Apache-2.0
 *
 * search_walk.c: the text files of a folder, by fts. Links are not followed, so there are no loops, and nothing
 * outside the folder is read. Names are bytes: they may hold line ends or be no UTF-8. */
#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "apps/cli/cli.h"
#include "apps/cli/print.h"
#include "apps/cli/search_walk.h"

void cli_walk_tell(const char *folder, mote_text name, const char *why) {
    fputs("mote: ", stderr);
    cli_print(stderr, (mote_text){folder, strlen(folder)});
    if (name.n) putc('/', stderr);
    cli_print(stderr, name);
    fprintf(stderr, ": %s\n", why);
}

static int is_text_name(const char *name) {
    static const char *const ends[] = {".txt", ".text", ".md", ".markdown"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++)
        if (!strcasecmp(dot, ends[i])) return 1;
    return 0;
}

/* Names move while they gather: until the end, an offset stands in the place of data. */
static int keep_name(struct cli_walk *walk, const char *name, const char *end, mote_text *kept) {
    *kept = (mote_text){(const char *)walk->names.n, strlen(name) + strlen(end)};
    return cli_buffer_append(&walk->names, name, strlen(name)) &&
           cli_buffer_append(&walk->names, end, strlen(end));
}

int64_t cli_mtime(const struct stat *status) {
    return (int64_t)((uint64_t)status->st_mtim.tv_sec * 1000000000 + (uint64_t)status->st_mtim.tv_nsec);
}

static int add_file(struct cli_walk *walk, const char *name, const struct stat *status) {
    if (walk->n == walk->room) {
        size_t room = walk->room ? 2 * walk->room : 64;
        struct cli_walked *files = realloc(walk->files, room * sizeof *files);
        if (!files) return 0;
        walk->files = files;
        walk->room = room;
    }
    struct cli_walked *file = &walk->files[walk->n];
    file->size = (uint64_t)status->st_size;
    file->mtime = cli_mtime(status);
    walk->n++;
    return keep_name(walk, name, "", &file->name);
}

static int add_closed(struct cli_walk *walk, const char *name) {
    if (walk->n_closed == walk->closed_room) {
        size_t room = walk->closed_room ? 2 * walk->closed_room : 16;
        mote_text *closed = realloc(walk->closed, room * sizeof *closed);
        if (!closed) return 0;
        walk->closed = closed;
        walk->closed_room = room;
    }
    return keep_name(walk, name, *name ? "/" : "", &walk->closed[walk->n_closed++]);
}

static int compare(const void *one, const void *other) {
    mote_text a = ((const struct cli_walked *)one)->name, b = ((const struct cli_walked *)other)->name;
    int order = memcmp(a.data, b.data, a.n < b.n ? a.n : b.n);
    return order ? order : a.n < b.n ? -1 : a.n > b.n;
}

static int visit(struct cli_walk *walk, FTS *fts, FTSENT *entry, const char *folder, int all) {
    const char *name = entry->fts_path + strlen(folder);
    name += *name == '/';
    int hidden = entry->fts_level > 0 && entry->fts_name[0] == '.';
    switch (entry->fts_info) {
    case FTS_D:
        if (hidden) fts_set(fts, entry, FTS_SKIP);
        return CLI_OK;
    case FTS_F:
        if (hidden || (entry->fts_level > 0 && !all && !is_text_name(entry->fts_name))) return CLI_OK;
        return add_file(walk, name, entry->fts_statp) ? CLI_OK : cli_fail(CLI_MEMORY, "not enough memory");
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        if (entry->fts_level == 0) return cli_fail(CLI_FAILED, "%s: %s", folder, strerror(entry->fts_errno));
        cli_walk_tell(folder, (mote_text){name, strlen(name)}, strerror(entry->fts_errno));
        return add_closed(walk, name) ? CLI_OK : cli_fail(CLI_MEMORY, "not enough memory");
    default:
        return CLI_OK;
    }
}

int cli_walk(struct cli_walk *walk, const char *folder, int all) {
    char *path = strdup(folder), *const paths[] = {path, NULL};
    FTS *fts = path ? fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL) : NULL;
    int code = fts ? CLI_OK : cli_fail(CLI_FAILED, "%s: %s", folder, strerror(errno));
    while (!code) {
        errno = 0;
        FTSENT *entry = fts_read(fts);
        if (!entry && errno) code = cli_fail(CLI_FAILED, "%s: %s", folder, strerror(errno));
        if (!entry) break;
        code = cli_interrupted ? CLI_INTERRUPTED : visit(walk, fts, entry, folder, all);
    }
    if (fts) fts_close(fts);
    free(path);
    const char *names = walk->names.data ? walk->names.data : "";
    for (size_t i = 0; i < walk->n; i++)
        walk->files[i].name.data = names + (size_t)walk->files[i].name.data;
    for (size_t i = 0; i < walk->n_closed; i++)
        walk->closed[i].data = names + (size_t)walk->closed[i].data;
    if (!code && walk->n) qsort(walk->files, walk->n, sizeof *walk->files, compare);
    return code;
}

void cli_walk_close(struct cli_walk *walk) {
    free(walk->files);
    free(walk->closed);
    cli_buffer_close(&walk->names);
    *walk = (struct cli_walk){0};
}
