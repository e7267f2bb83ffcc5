/* SPDX-License-Identifier: Apache-2.0
 *
 * npm.c: asks `npm view NAME@VERSION dist --json`, or a registry, for
 *
 *     {"tarball": "https://…/name-version.tgz", "integrity": "sha512-<base64 of 64 bytes>", …}
 *
 * npm is run without a shell and in a process group of its own, which is killed when it takes too long or on
 * Ctrl-C. Whatever it prints is input like any other: bounded, parsed as JSON, each field checked. */
#include "apps/cli/npm.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "apps/cli/paths.h"
#include "apps/cli/url.h"

extern char **environ;

enum { MAX_ANSWER = 1 << 20, NPM_SECONDS = 90 };

/* ---- names ---- */

/* Whether text[0, n) is made of the characters of package names and versions and does not look like an
 * option or a hidden file. */
static int is_part(const char *text, size_t n) {
    if (n == 0 || text[0] == '-' || text[0] == '.' || text[0] == '_') return 0;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("._~+-", text[i])) return 0;
    return 1;
}

enum cli_got cli_npm_parse(const char *reference, struct cli_npm_name *name, struct cli_why *why) {
    const char *text = reference + strlen("npm:");
    const char *scope_end = text[0] == '@' ? strchr(text, '/') : NULL;
    const char *base = scope_end ? scope_end + 1 : text;
    size_t n_base = strcspn(base, "@/"), n_name = (size_t)(base - text) + n_base;
    const char *version = text + n_name + (text[n_name] == '@');
    size_t n_version = strcspn(version, "/");
    const char *member = version + n_version + (version[n_version] == '/');
    if (text[n_name] != '@' || !is_part(base, n_base) || !is_part(version, n_version) ||
        (text[0] == '@' && (!scope_end || !is_part(text + 1, (size_t)(scope_end - text) - 1))))
        return cli_why(why, CLI_GOT_REFUSED,
                       "%.200s: expected npm:package@version or npm:package@version/path", reference);
    if (n_name >= sizeof name->name || n_version >= sizeof name->version ||
        strlen(member) >= sizeof name->member)
        return cli_why(why, CLI_GOT_REFUSED, "%.200s: too long", reference);
    snprintf(name->name, sizeof name->name, "%.*s", (int)n_name, text);
    snprintf(name->version, sizeof name->version, "%.*s", (int)n_version, version);
    snprintf(name->member, sizeof name->member, "%s", member);
    return CLI_GOT;
}

/* ---- what a registry says ---- */

/* "sha512-<base64>", perhaps one of several digests separated by spaces, to hexadecimal. */
static int read_integrity(const char *text, char *hex) {
    enum { BASE64 = 88, RAW = 64 };
    unsigned char raw[BASE64];
    const char *found = strstr(text, "sha512-");
    if (!found || strcspn(found + 7, " ?") != BASE64) return -1;
    if (EVP_DecodeBlock(raw, (const unsigned char *)found + 7, BASE64) != RAW + 2 ||
        found[7 + BASE64 - 2] != '=')
        return -1;
    for (size_t i = 0; i < RAW; i++)
        snprintf(hex + 2 * i, 3, "%02x", raw[i]);
    return 0;
}

static enum cli_got read_dist(const json_t *dist, const struct cli_npm_name *name, struct cli_npm_dist *out,
                              struct cli_why *why) {
    const char *tarball = json_string_value(json_object_get(dist, "tarball"));
    const char *integrity = json_string_value(json_object_get(dist, "integrity"));
    if (!tarball || strlen(tarball) >= sizeof out->tarball)
        return cli_why(why, CLI_GOT_BROKEN, "npm package %s@%s: its registry names no tarball", name->name,
                       name->version);
    if (!integrity || read_integrity(integrity, out->sha512))
        return cli_why(why, CLI_GOT_BROKEN, "npm package %s@%s: its registry gives no sha512 integrity",
                       name->name, name->version);
    memcpy(out->tarball, tarball, strlen(tarball) + 1);
    return CLI_GOT;
}

enum cli_got cli_npm_read(const char *text, size_t n_text, const char *in, const struct cli_npm_name *name,
                          struct cli_npm_dist *dist, struct cli_why *why) {
    json_error_t error;
    json_t *answer = json_loadb(text, n_text, JSON_REJECT_DUPLICATES, &error);
    if (!answer)
        return cli_why(why, CLI_GOT_BROKEN, "npm package %s@%s: the answer about it is no JSON (line %d: %s)",
                       name->name, name->version, error.line, error.text);
    const char *summary = json_string_value(json_object_get(json_object_get(answer, "error"), "summary"));
    enum cli_got got = summary ? cli_why(why, CLI_GOT_REFUSED, "npm package %s@%s: %.240s", name->name,
                                         name->version, summary)
                               : read_dist(in ? json_object_get(answer, in) : answer, name, dist, why);
    json_decref(answer);
    return got;
}

/* ---- through the npm program ---- */

/* Starts npm with its stdout in *out. Returns 0 or an errno. */
static int start_npm(const char *spec, pid_t *child, int *out) {
    char *arguments[] = {(char[]){"npm"},  (char[]){"view"},   (char *)spec,
                         (char[]){"dist"}, (char[]){"--json"}, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) return errno;
    int error = posix_spawn_file_actions_init(&actions);
    if (!error) {
        error = posix_spawnattr_init(&attributes);
        if (!error) {
            int failed = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0) ||
                         posix_spawn_file_actions_adddup2(&actions, ends[1], 1) ||
                         posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0) ||
                         posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP) ||
                         posix_spawnattr_setpgroup(&attributes, 0);
            error = failed ? ENOMEM : posix_spawnp(child, "npm", &actions, &attributes, arguments, environ);
            posix_spawnattr_destroy(&attributes);
        }
        posix_spawn_file_actions_destroy(&actions);
    }
    close(ends[1]);
    if (error)
        close(ends[0]);
    else
        *out = ends[0];
    return error;
}

/* Reads all that comes from fd until its end. Returns the number of bytes, or -1: too long, too late. */
static ssize_t read_all(int fd, char *text, size_t max) {
    double until = cli_clock() + NPM_SECONDS;
    size_t n = 0;
    while (!cli_interrupted && cli_clock() < until) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, 100) <= 0) continue;
        ssize_t got = read(fd, text + n, max - n);
        if (got == 0) return (ssize_t)n;
        if (got < 0 && errno != EINTR) return -1;
        if (got > 0) n += (size_t)got;
        if (n == max) return -1;
    }
    return -1;
}

/* Asks npm. *missing is set when there is none on PATH. */
static enum cli_got ask_npm(const struct cli_npm_name *name, struct cli_npm_dist *dist, int *missing,
                            struct cli_why *why) {
    pid_t child = -1;
    int out = -1, status = 0;
    char *spec = cli_text("%s@%s", name->name, name->version), *text = malloc(MAX_ANSWER);
    int error = spec && text ? start_npm(spec, &child, &out) : ENOMEM;
    enum cli_got got = CLI_GOT;
    ssize_t n = -1;
    *missing = error == ENOENT;
    if (error) {
        got = cli_why(why, error == ENOMEM ? CLI_GOT_LOCAL : CLI_GOT_REFUSED, "npm: %s", strerror(error));
    } else {
        n = read_all(out, text, MAX_ANSWER);
        close(out);
        if (n < 0) kill(-child, SIGKILL);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR && !cli_interrupted)
            ;
    }
    if (cli_interrupted)
        got = cli_why(why, CLI_GOT_INTERRUPTED, "interrupted");
    else if (!got && n < 0)
        got = cli_why(why, CLI_GOT_BROKEN, "npm view %s: no usable answer within %d seconds", spec,
                      NPM_SECONDS);
    else if (!got && n == 0)
        got = cli_why(why, CLI_GOT_BROKEN, "npm view %s: no answer (run it to see why)", spec);
    else if (!got)
        got = cli_npm_read(text, (size_t)n, NULL, name, dist, why);
    free(text);
    free(spec);
    return got;
}

/* ---- without it ---- */

/* The value of registry= in ~/.npmrc, malloc'ed, or NULL. */
static char *configured_registry(void) {
    const char *home = getenv("HOME");
    char *path = home ? cli_text("%s/.npmrc", home) : NULL, *line = NULL, *found = NULL;
    FILE *file = path ? fopen(path, "re") : NULL;
    size_t n_line = 0;
    while (file && !found && getline(&line, &n_line, file) > 0) {
        char *key = line + strspn(line, " \t"), *value = strchr(key, '=');
        if (!value || strncmp(key, "registry", 8) != 0 || key + 8 + strspn(key + 8, " \t") != value) continue;
        value += 1 + strspn(value + 1, " \t\"");
        value[strcspn(value, " \t\r\n\"")] = 0;
        found = cli_text("%s", value);
    }
    if (file) fclose(file);
    free(line);
    free(path);
    return found;
}

static enum cli_got ask_registry(const struct cli_npm_name *name, const struct cli_fetch *fetch,
                                 struct cli_npm_dist *dist, struct cli_why *why) {
    const char *chosen = getenv("npm_config_registry");
    char *registry = chosen && *chosen ? cli_text("%s", chosen) : configured_registry();
    if (!registry || !*registry) {
        free(registry);
        return cli_why(why, CLI_GOT_REFUSED,
                       "npm:%s@%s: there is no npm program and no registry is set: install npm, or set "
                       "npm_config_registry "
                       "to your registry's address",
                       name->name, name->version);
    }
    size_t n = strlen(registry), n_text = 0;
    while (n > 0 && registry[n - 1] == '/')
        registry[--n] = 0;
    char *package = cli_url_encode(name->name, 0);
    char *url = package ? cli_text("%s/%s/%s", registry, package, name->version) : NULL, *text = NULL;
    enum cli_got got = url ? cli_fetch_text(fetch, url, MAX_ANSWER, &text, &n_text, why)
                           : cli_why(why, CLI_GOT_LOCAL, "out of memory");
    if (!got) got = cli_npm_read(text, n_text, "dist", name, dist, why);
    free(text);
    free(url);
    free(package);
    free(registry);
    return got;
}

enum cli_got cli_npm_locate(const struct cli_npm_name *name, const struct cli_fetch *fetch,
                            struct cli_npm_dist *dist, struct cli_why *why) {
    int missing = 0;
    enum cli_got got = ask_npm(name, dist, &missing, why);
    return missing ? ask_registry(name, fetch, dist, why) : got;
}
