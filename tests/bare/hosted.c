/* SPDX-License-Identifier: Apache-2.0
 *
 * hosted.c: the same story with an operating system's help: a C library, two threads, and the best kernels
 * that the machine has. What it prints is what the bare program must print. */
#include <stdio.h>

#include "host/posix/posix.h"
#include "tests/bare/bare.h"

void *bare_block(uint64_t n_bytes) {
    return mote_posix_block_open(n_bytes);
}

void bare_write(const char *text, size_t n) {
    fwrite(text, 1, n, stdout);
}

int main(int argc, char **argv) {
    struct mote_posix_map map;
    if (argc != 2 || !mote_posix_map_open(argv[1], &map)) return 2;
    struct mote_posix_host *host = mote_posix_host_open(2, mote_posix_cpu());
    if (!host) return 2;
    int code = bare_story(map.bytes, map.n_bytes, mote_posix_host_get(host));
    mote_posix_host_close(host);
    mote_posix_map_close(&map);
    return code;
}
