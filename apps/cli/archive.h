/* SPDX-License-Identifier: Apache-2.0
 *
 * archive.h: one file out of a .tgz. */
#ifndef MOTE_CLI_ARCHIVE_H
#define MOTE_CLI_ARCHIVE_H

#include <stdint.h>

#include "apps/cli/digest.h"
#include "apps/cli/why.h"

/* What to take: bytes [start, end) of a member, end UINT64_MAX: to its end. */
struct cli_extract {
    const char *tarball, *member; /* member "": the only one whose name ends in .gguf */
    uint64_t start, end;
    uint64_t max_bytes;            /* never write more */
    int fd;                        /* written here, at its position */
    struct cli_digest *digest;     /* fed with what is written; may be NULL */
    struct cli_progress *progress; /* moved by what is written; may be NULL */
};
enum cli_got cli_extract(const struct cli_extract *extract, struct cli_why *why);

#endif
