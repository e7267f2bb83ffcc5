/* SPDX-License-Identifier: Apache-2.0
 *
 * calls.c: a library to be preloaded into the command. It counts the calls that the command itself makes to
 * the world (memory, files, threads, random numbers) and makes the n-th of them fail, n from MOTE_FAIL_AT.
 * Calls from inside libraries pass: those libraries have tests of their own. When the program ends and
 * MOTE_FAIL_COUNT names a file, the number of calls is written there. glibc only. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t n);

static atomic_long n_calls;
static long fail_at;
static uintptr_t first, end; /* of the command's own code */

/* Where the command's text lies, read from the map of the process. */
__attribute__((constructor)) static void start(void) {
    const char *at = getenv("MOTE_FAIL_AT");
    char line[512], self[256];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    FILE *maps = n > 0 ? fopen("/proc/self/maps", "r") : NULL;
    if (!maps) return;
    self[n] = '\0';
    while (fgets(line, sizeof line, maps)) {
        unsigned long low, high;
        char path[256] = "";
        if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %255s", &low, &high, path) < 2) continue;
        for (ssize_t i = 0; i <= n; i++) {
            if (path[i] != self[i]) break;
            if (i < n) continue;
            if (!first) first = low;
            end = high;
        }
    }
    fclose(maps);
    fail_at = at ? atol(at) : 0;
    n_calls = 0;
}

__attribute__((destructor)) static void finish(void) {
    const char *path = getenv("MOTE_FAIL_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    fprintf(file, "%ld\n", n_calls);
    fclose(file);
}

/* 1 if the call that returns to `caller` is to fail. */
static int fails(const void *caller) {
    uintptr_t at = (uintptr_t)caller;
    if (at < first || at >= end) return 0;
    return atomic_fetch_add(&n_calls, 1) + 1 == fail_at;
}

#define FAILS      fails(__builtin_return_address(0))
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define FAIL_WITH(code, result)                                                                              \
    if (FAILS) return errno = (code), (result)

void *malloc(size_t n) {
    FAIL_WITH(ENOMEM, NULL);
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size) {
    FAIL_WITH(ENOMEM, NULL);
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t n) {
    FAIL_WITH(ENOMEM, NULL);
    return __libc_realloc(old, n);
}

char *strdup(const char *text) {
    FAIL_WITH(ENOMEM, NULL);
    return REAL(strdup)(text);
}

void *mmap(void *address, size_t n, int protection, int flags, int fd, off_t offset) {
    FAIL_WITH(ENOMEM, MAP_FAILED);
    return REAL(mmap)(address, n, protection, flags, fd, offset);
}

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    FAIL_WITH(EMFILE, -1);
    return REAL(open)(path, flags, mode);
}

FILE *fopen(const char *path, const char *mode) {
    FAIL_WITH(EMFILE, NULL);
    return REAL(fopen)(path, mode);
}

FILE *fdopen(int fd, const char *mode) {
    FAIL_WITH(ENOMEM, NULL);
    return REAL(fdopen)(fd, mode);
}

ssize_t read(int fd, void *to, size_t n) {
    FAIL_WITH(EIO, -1);
    return REAL(read)(fd, to, n);
}

ssize_t write(int fd, const void *from, size_t n) {
    FAIL_WITH(ENOSPC, -1);
    return REAL(write)(fd, from, n);
}

size_t fwrite(const void *from, size_t size, size_t n, FILE *file) {
    if (file != stderr) FAIL_WITH(ENOSPC, 0);
    return REAL(fwrite)(from, size, n, file);
}

int fflush(FILE *file) {
    FAIL_WITH(ENOSPC, EOF);
    return REAL(fflush)(file);
}

int fstat(int fd, struct stat *about) {
    FAIL_WITH(EIO, -1);
    return REAL(fstat)(fd, about);
}

int fsync(int fd) {
    FAIL_WITH(EIO, -1);
    return REAL(fsync)(fd);
}

int rename(const char *from, const char *to) {
    FAIL_WITH(EACCES, -1);
    return REAL(rename)(from, to);
}

int mkstemp(char *path) {
    FAIL_WITH(EMFILE, -1);
    return REAL(mkstemp)(path);
}

ssize_t getrandom(void *to, size_t n, unsigned flags) {
    FAIL_WITH(ENOSYS, -1);
    return REAL(getrandom)(to, n, flags);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument) {
    if (FAILS) return EAGAIN;
    return REAL(pthread_create)(thread, attributes, run, argument);
}
