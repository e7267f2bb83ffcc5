/* SPDX-License-Identifier: Apache-2.0
 *
 * map.c: read-only maps of whole files, and zeroed blocks of memory straight from the kernel.
 *
 * A map costs no copy: weights are read from the page cache, shared by all processes that run the same model.
 * The price: a file that somebody truncates while it is mapped raises SIGBUS on the next touch. Programs that
 * must survive that install a handler; the map itself cannot know.
 *
 * Large pages are asked for. Where a file system keeps files in them (ext4 since Linux 6.16, xfs, tmpfs), what
 * is read from the disk through such a map lies in pages of 2 MB, and stays so for whoever maps it next: no
 * walks of the page table, no page of 4 KB where the machine stops reading ahead, and one fault for 512. What
 * is in the page cache in small pages already is taken as it lies. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/posix/posix.h"

/* A wish: where it cannot be granted, nothing is lost. */
static void want_large_pages(void *bytes, size_t n_bytes) {
#if defined(MADV_HUGEPAGE)
    (void)madvise(bytes, n_bytes, MADV_HUGEPAGE);
#else
    (void)bytes, (void)n_bytes;
#endif
}

/* Maps the file behind fd; only regular files have a size to trust. */
static int map_file(int fd, struct mote_posix_map *map) {
    struct stat status;
    if (fstat(fd, &status)) return 0;
    if (S_ISDIR(status.st_mode)) return errno = EISDIR, 0;
    if (!S_ISREG(status.st_mode)) return errno = ESPIPE, 0;
    map->bytes = NULL;
    map->n_bytes = 0;
    if (!status.st_size) return 1;
    if ((uint64_t)status.st_size > SIZE_MAX) return errno = EFBIG, 0;
    void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) return 0;
    want_large_pages(bytes, (size_t)status.st_size);
    map->bytes = bytes;
    map->n_bytes = (uint64_t)status.st_size;
    return 1;
}

int mote_posix_map_open(const char *path, struct mote_posix_map *map) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    int mapped = map_file(fd, map), error = errno;
    close(fd);
    errno = error;
    return mapped;
}

void mote_posix_map_close(struct mote_posix_map *map) {
    if (map->bytes) munmap((void *)(uintptr_t)map->bytes, (size_t)map->n_bytes);
    map->bytes = NULL;
    map->n_bytes = 0;
}

void mote_posix_map_forget(const struct mote_posix_map *map) {
    void *bytes = (void *)(uintptr_t)map->bytes;
    if (!bytes) return;
#if defined(MADV_NOHUGEPAGE)
    (void)madvise(bytes, (size_t)map->n_bytes, MADV_NOHUGEPAGE);
#endif
    (void)madvise(bytes, (size_t)map->n_bytes, MADV_DONTNEED);
}

int mote_posix_map_is_copy(const struct mote_posix_map *map) {
    (void)map;
    return 0;
}

/* Anonymous pages are zero, page-aligned and cost nothing until they are touched. An empty block is one page,
 * so that its address is not NULL. Large pages where the system has them: a step walks all of the KV cache,
 * and with pages of 4 KB the walks of the page table took longer than the reading. */
void *mote_posix_block_open(uint64_t n_bytes) {
    if (n_bytes > SIZE_MAX / 2) return errno = ENOMEM, NULL;
    size_t size = n_bytes ? (size_t)n_bytes : 1;
    void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) return NULL;
    want_large_pages(block, size);
    return block;
}

void mote_posix_block_close(void *block, uint64_t n_bytes) {
    if (block) munmap(block, n_bytes ? (size_t)n_bytes : 1);
}

uint64_t mote_posix_peak_bytes(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) ? 0 : (uint64_t)usage.ru_maxrss * 1024;
}
