/* SPDX-License-Identifier: Apache-2.0
 *
 * code.c: lets go of the pages of the program and its libraries that were needed once.
 *
 * Linking some fifty libraries reads their tables of symbols, and each page read brings its neighbours: 10 MB are then
 * resident of which a command that runs a model uses one. They are clean pages of files: let go, they stay in the
 * page cache, and what is run or read again comes back by a fault of a microsecond. Pages that may have been written
 * to are left alone. */
#include "host/posix/posix.h"

#if defined(__linux__)

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

static int forget_segments(struct dl_phdr_info *info, size_t size, void *user) {
    uintptr_t page = *(const uintptr_t *)user;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t from = (uintptr_t)(info->dlpi_addr + segment->p_vaddr),
                  to = from + (uintptr_t)segment->p_filesz;
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W)) continue;
        from = (from + page - 1) / page * page;
        to = to / page * page;
        if (from < to) (void)madvise((void *)from, to - from, MADV_DONTNEED); /* a wish */
    }
    return 0;
}

void mote_posix_code_forget(void) {
    long page = sysconf(_SC_PAGESIZE);
    uintptr_t bytes = page > 0 ? (uintptr_t)page : 0;
    if (bytes) dl_iterate_phdr(forget_segments, &bytes);
}

#else

void mote_posix_code_forget(void) {}

#endif
