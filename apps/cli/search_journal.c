/* SPDX-License-Identifier: Apache-2.0
 *
 * search_journal.c: adding to an index so that it is sound at every moment. Records are written behind what
 * counts, synced, and only then does the header's length move over them, in one write of eight bytes. A new
 * index, and one written anew, come into being beside it and are renamed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/cli/cli.h"
#include "apps/cli/part.h"
#include "apps/cli/paths.h"
#include "apps/cli/print.h"
#include "apps/cli/search_journal.h"

enum { LEAST_DEAD = 1 << 18 }; /* bytes that do not count before an index is written anew */

static int fail(const char *path) {
    int error = errno;
    if (cli_interrupted && error == EINTR) return CLI_INTERRUPTED;
    return cli_fail(CLI_FAILED, "%s: %s", path, strerror(error));
}

/* ---- reading ---- */

static int read_map(struct cli_index *index, const struct mote_posix_map *map, const char *path) {
    struct cli_index_fault fault;
    if (cli_index_read(index, map->bytes, map->n_bytes, &fault)) return CLI_OK;
    if (!fault.text) return cli_fail(CLI_MEMORY, "%s: not enough memory to open it", path);
    return cli_fail(CLI_FAILED, "%s: %s (at byte %llu)", path, fault.text, (unsigned long long)fault.where);
}

int cli_index_open(struct cli_index *index, struct mote_posix_map *map, const char *path) {
    if (mote_posix_map_open(path, map)) return read_map(index, map, path);
    if (errno == ENOENT)
        return cli_fail(CLI_FAILED, "%s: there is no index; mote search %s --add FOLDER -m MODEL makes one",
                        path, path);
    return cli_fail(CLI_FAILED, "%s: %s", path, cli_map_reason(errno));
}

/* ---- a file beside the index that takes its place ---- */

struct beside {
    char *path;
    int fd;
};

static int beside_open(struct beside *new, const char *path) {
    new->path = cli_text("%s.new", path);
    if (!new->path) return cli_fail(CLI_MEMORY, "not enough memory");
    new->fd = open(new->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    return new->fd < 0 ? fail(new->path) : CLI_OK;
}

/* Renames it, if code is CLI_OK, else removes it. */
static int beside_close(struct beside *new, const char *path, int code) {
    char *folder = cli_dir_of(path);
    if (!code && (fsync(new->fd) || rename(new->path, path))) code = fail(path);
    if (code && new->fd >= 0) unlink(new->path);
    if (new->fd >= 0) close(new->fd);
    int fd = !code && folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)fsync(fd); /* not every file system can; the rename is done in any case */
        close(fd);
    }
    free(folder);
    free(new->path);
    return code;
}

static void put_header(unsigned char *p, uint32_t n_dims, uint64_t whole, const unsigned char *sha,
                       const struct cli_index_stamp *stamp) {
    memset(p, 0, CLI_INDEX_HEADER);
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)"MOTESRCH"[i];
    cli_index_put(p + 8, 1, 4);
    cli_index_put(p + 12, n_dims, 4);
    cli_index_put(p + 16, whole, 8);
    memcpy(p + 32, sha, CLI_INDEX_SHA);
    cli_index_put(p + 64, stamp->size, 8);
    cli_index_put(p + 72, (uint64_t)stamp->mtime, 8);
    cli_index_put(p + 80, (uint64_t)stamp->ctime, 8);
    cli_index_put(p + 88, stamp->inode, 8);
}

static int make(const char *path, const struct cli_journal_new *said) {
    struct beside new = {.fd = -1};
    struct cli_buffer all = {0}, record = {0};
    unsigned char header[CLI_INDEX_HEADER] = {0};
    int code = beside_open(&new, path), failed = !cli_buffer_append(&all, header, sizeof header);
    for (uint32_t i = 0; i < CLI_INDEX_SETTINGS && !failed; i++) {
        const char *value = said->settings[i] ? said->settings[i] : "";
        struct cli_index_record setting = {
            .kind = CLI_INDEX_SETTING, .owner = i, .name = {value, strlen(value)}};
        failed = !cli_index_make(&record, &setting, NULL, said->n_dims) ||
                 !cli_buffer_append(&all, record.data, record.n);
    }
    if (!code && failed) code = cli_fail(CLI_MEMORY, "not enough memory");
    if (!code) put_header((unsigned char *)all.data, said->n_dims, all.n, said->model_sha, said->stamp);
    if (!code && cli_write_all(new.fd, all.data, all.n)) code = fail(path);
    cli_buffer_close(&all);
    cli_buffer_close(&record);
    return beside_close(&new, path, code);
}

/* ---- opening ---- */

/* Opens and locks the file that path names; *gone when it was replaced in between. */
static int lock(struct cli_journal *journal, int *gone) {
    struct stat now, own;
    *gone = 0;
    journal->fd = open(journal->path, O_RDWR | O_CLOEXEC);
    if (journal->fd < 0) return fail(journal->path);
    if (flock(journal->fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK) return fail(journal->path);
        return cli_fail(CLI_FAILED, "%s: another mote is adding to it", journal->path);
    }
    *gone = stat(journal->path, &now) || fstat(journal->fd, &own) || now.st_ino != own.st_ino ||
            now.st_dev != own.st_dev;
    if (*gone) close(journal->fd), journal->fd = -1;
    return CLI_OK;
}

int cli_journal_open(struct cli_journal *journal, const char *path, const struct cli_journal_new *new) {
    struct stat status;
    int code = CLI_OK, gone = 1;
    journal->path = path;
    journal->fd = -1;
    if (stat(path, &status)) {
        if (errno != ENOENT) return fail(path);
        if (!new) return cli_index_open(&journal->index, &journal->map, path);
        code = make(path, new);
    }
    while (!code && gone)
        code = lock(journal, &gone);
    if (code) return code;
    if (!mote_posix_map_open(path, &journal->map))
        return cli_fail(CLI_FAILED, "%s: %s", path, cli_map_reason(errno));
    code = read_map(&journal->index, &journal->map, path);
    if (code) return code;
    journal->end = journal->whole = journal->index.whole;
    journal->settled = cli_clock();
    if (journal->map.n_bytes > journal->whole && ftruncate(journal->fd, (off_t)journal->whole))
        return fail(path);
    return lseek(journal->fd, (off_t)journal->whole, SEEK_SET) < 0 ? fail(path) : CLI_OK;
}

void cli_journal_close(struct cli_journal *journal) {
    cli_index_close(&journal->index);
    mote_posix_map_close(&journal->map);
    if (journal->path && journal->fd >= 0) close(journal->fd);
    *journal = (struct cli_journal){.fd = -1};
}

/* ---- adding ---- */

static int put(struct cli_journal *journal, uint64_t at, const void *bytes, size_t n) {
    for (;;) {
        ssize_t done = pwrite(journal->fd, bytes, n, (off_t)at);
        if (done == (ssize_t)n) return CLI_OK;
        if (done < 0 && errno == EINTR) continue;
        if (done >= 0) errno = ENOSPC;
        return fail(journal->path);
    }
}

int cli_journal_settle(struct cli_journal *journal) {
    unsigned char whole[8];
    if (journal->end == journal->whole) return CLI_OK;
    cli_index_put(whole, journal->end, 8);
    if (fdatasync(journal->fd)) return fail(journal->path);
    int code = put(journal, 16, whole, sizeof whole);
    if (code) return code;
    if (fdatasync(journal->fd)) return fail(journal->path);
    journal->whole = journal->end;
    journal->settled = cli_clock();
    return CLI_OK;
}

int cli_journal_add(struct cli_journal *journal, const struct cli_buffer *record) {
    if (cli_write_all(journal->fd, record->data, record->n)) return fail(journal->path);
    journal->end += record->n;
    return cli_clock() - journal->settled < 1 ? CLI_OK : cli_journal_settle(journal);
}

int cli_journal_again(struct cli_journal *journal) {
    int code = cli_journal_settle(journal);
    if (code || journal->whole == journal->index.whole) return code;
    cli_index_close(&journal->index);
    mote_posix_map_close(&journal->map);
    return cli_index_open(&journal->index, &journal->map, journal->path);
}

int cli_journal_touch(struct cli_journal *journal, const struct cli_index_record *record, int64_t mtime) {
    unsigned char p[8];
    cli_index_put(p, (uint64_t)mtime, 8);
    return put(journal, record->at + 48, p, sizeof p);
}

int cli_journal_stamp(struct cli_journal *journal, const struct cli_index_stamp *stamp) {
    unsigned char p[CLI_INDEX_HEADER];
    put_header(p, journal->index.n_dims, journal->whole, journal->index.model_sha, stamp);
    return put(journal, 64, p + 64, 32);
}

/* ---- writing anew ---- */

static int copy(int fd, const struct cli_index *index, const struct cli_index_record *record,
                uint64_t *whole) {
    *whole += record->n_bytes;
    return cli_write_all(fd, index->bytes + record->at, (size_t)record->n_bytes);
}

/* What counts of index: the settings, the folders, and the files by folder and name. */
static int copy_all(int fd, const struct cli_index *index) {
    unsigned char header[CLI_INDEX_HEADER];
    uint64_t whole = CLI_INDEX_HEADER;
    put_header(header, index->n_dims, whole, index->model_sha, &index->stamp);
    if (cli_write_all(fd, header, sizeof header)) return -1;
    for (size_t i = 0; i < index->n_records; i++) {
        const struct cli_index_record *record = &index->records[i];
        int counts =
            record->kind == CLI_INDEX_FOLDER ||
            (record->kind == CLI_INDEX_SETTING && index->settings[record->owner].data == record->name.data);
        if (counts && copy(fd, index, record, &whole)) return -1;
    }
    for (size_t i = 0; i < index->n_files; i++)
        for (size_t k = 0; k < index->files[i].n_parts; k++)
            if (copy(fd, index, &index->records[index->files[i].first + k], &whole)) return -1;
    cli_index_put(header + 16, whole, 8);
    return pwrite(fd, header, sizeof header, 0) == (ssize_t)sizeof header ? 0 : -1;
}

int cli_journal_finish(struct cli_journal *journal) {
    int code = cli_journal_again(journal);
    uint64_t live = journal->index.live_bytes, dead = journal->whole - CLI_INDEX_HEADER - live;
    if (code || dead < LEAST_DEAD || dead < live) return code;
    struct beside new = {.fd = -1};
    code = beside_open(&new, journal->path);
    if (!code && copy_all(new.fd, &journal->index)) code = fail(journal->path);
    return beside_close(&new, journal->path, code);
}
