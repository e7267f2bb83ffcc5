/* SPDX-License-Identifier: Apache-2.0
 *
 * paths.c: where models are kept, and from what the user typed to the file it means. */
#include "apps/cli/paths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "apps/cli/cli.h"

enum cli_got cli_why(struct cli_why *why, enum cli_got got, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why->text, sizeof why->text, format, arguments);
    va_end(arguments);
    for (char *c = why->text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
    return got;
}

char *cli_text(const char *format, ...) {
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int n = vasprintf(&text, format, arguments);
    va_end(arguments);
    return n < 0 ? NULL : text;
}

char *cli_user_path(const char *variable, const char *fallback, const char *tail) {
    const char *base = getenv(variable), *home = getenv("HOME");
    if (base && base[0] == '/') return cli_text("%s/%s", base, tail);
    return home && *home ? cli_text("%s/%s/%s", home, fallback, tail) : NULL;
}

char *cli_models_dir(void) {
    const char *chosen = getenv("MOTE_MODELS");
    char *path =
        chosen && *chosen ? cli_text("%s", chosen) : cli_user_path("XDG_CACHE_HOME", ".cache", "mote/models");
    if (!path) cli_fail(CLI_FAILED, "there is no place for models: neither MOTE_MODELS nor HOME is set");
    return path;
}

int cli_make_dirs(const char *path) {
    char *copy = cli_text("%s", path);
    int failed = 0;
    if (!copy) return -1;
    for (char *c = copy + 1; !failed && *c; c++) {
        if (*c != '/') continue;
        *c = 0;
        failed = mkdir(copy, 0777) && errno != EEXIST;
        *c = '/';
    }
    if (!failed) failed = mkdir(copy, 0777) && errno != EEXIST;
    free(copy);
    return failed ? -1 : 0;
}

char *cli_dir_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? cli_text("%.*s", slash == path ? 1 : (int)(slash - path), path) : cli_text(".");
}

enum cli_got cli_room_check(const char *path, uint64_t n_bytes, struct cli_why *why) {
    char *dir = cli_dir_of(path);
    struct statvfs room;
    int failed = !dir || statvfs(dir, &room);
    enum cli_got got = CLI_GOT;
    if (!failed && room.f_blocks > 0 && n_bytes / (room.f_frsize ? room.f_frsize : 1) >= room.f_bavail) {
        char need[16], have[16];
        got = cli_why(why, CLI_GOT_LOCAL, "%s: not enough room: %s needed, %s free", dir,
                      cli_size(n_bytes, need), cli_size((uint64_t)room.f_bavail * room.f_frsize, have));
    }
    free(dir);
    return got;
}

int64_t cli_file_size(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) ? (int64_t)status.st_size : -1;
}

char *cli_entry_path(const struct cli_entry *entry) {
    char *dir = cli_models_dir();
    if (!dir) return NULL;
    char *path = cli_text("%s/%s", dir, entry->file);
    if (!path) cli_fail(CLI_MEMORY, "out of memory");
    free(dir);
    return path;
}

enum cli_presence cli_entry_presence(const struct cli_entry *entry, const char *path) {
    int64_t n = cli_file_size(path);
    if (n >= 0)
        return entry->sha256 && entry->bytes && (uint64_t)n != entry->bytes ? CLI_DAMAGED : CLI_PRESENT;
    char *part = cli_text("%s.part", path);
    int partial = part && cli_file_size(part) > 0;
    free(part);
    return partial ? CLI_PARTIAL : CLI_ABSENT;
}

/* Asks on the terminal; the answer is yes unless it starts with n. */
static int agreed(const struct cli_entry *entry) {
    char size[16];
    fprintf(stderr, "%s is not here yet", entry->name);
    if (entry->bytes) fprintf(stderr, " (%s)", cli_size(entry->bytes, size));
    fprintf(stderr, ". Pull it now? [Y/n] ");
    int answer = cli_answer();
    return answer && answer != 'n';
}

/* The file of an entry, pulled when it is not there and the user wants it. */
static int find_entry(const struct cli_entry *entry, int yes, char **path) {
    char *found = cli_entry_path(entry);
    int code = found ? CLI_OK : CLI_FAILED;
    if (found && cli_entry_presence(entry, found) != CLI_PRESENT) {
        if (yes || (isatty(STDIN_FILENO) && isatty(STDERR_FILENO) && agreed(entry))) {
            char command[] = "pull", *arguments[] = {command, (char *)entry->name, NULL};
            code = cli_pull(2, arguments);
        } else {
            code =
                cli_fail(CLI_MODEL, "%s is not here yet: `mote pull %s` brings it", entry->name, entry->name);
        }
    }
    if (code)
        free(found);
    else
        *path = found;
    return code;
}

/* A file in the models directory by its own name, as `mote list` shows it. */
static int find_kept(const char *name, char **path) {
    char *dir = strchr(name, '/') ? NULL : cli_models_dir();
    char *found = dir ? cli_text("%s/%s", dir, name) : NULL;
    free(dir);
    if (found && cli_file_size(found) >= 0) {
        *path = found;
        return 1;
    }
    free(found);
    return 0;
}

int cli_model_find(const char *model, int yes, char **path) {
    struct cli_reference reference;
    if (model && cli_is_reference(model)) {
        int code = cli_reference_open(&reference, model);
        return code ? code : find_entry(&reference.entry, yes, path);
    }
    if (model && cli_file_size(model) >= 0) {
        *path = cli_text("%s", model);
        return *path ? CLI_OK : cli_fail(CLI_MEMORY, "out of memory");
    }
    struct cli_catalogue catalogue;
    int code = cli_catalogue_open(&catalogue);
    if (code) return code;
    const struct cli_entry *entry = cli_catalogue_find(&catalogue, model);
    if (entry)
        code = find_entry(entry, yes, path);
    else if (!model)
        code = cli_fail(CLI_MODEL, "the catalogue has no default model: name one");
    else if (!find_kept(model, path))
        code = cli_fail(CLI_MODEL, "%s: no such file, and no model of that name (`mote list` shows them)",
                        model);
    cli_catalogue_close(&catalogue);
    return code;
}
