/* SPDX-License-Identifier: Apache-2.0
 *
 * part.c: keeps the bytes of an unfinished download and the note of what they are (part.h).
 *
 * The note is written before the first byte, and the bytes are only ever appended, so whatever moment the
 * program dies at, the two agree. A note that cannot be read costs only the bytes: the download starts over.
 */
#include "apps/cli/part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "apps/cli/fetch.h"
#include "apps/cli/paths.h"

int cli_write_all(int fd, const void *bytes, size_t n_bytes) {
    const char *next = bytes;
    while (n_bytes > 0) {
        ssize_t n = write(fd, next, n_bytes);
        if (n < 0 && errno == EINTR && !cli_interrupted) continue;
        if (n < 0) return -1;
        next += n;
        n_bytes -= (size_t)n;
    }
    return 0;
}

/* Whether the note beside the part says that it came from this url; fills validator and total. */
static int recall(struct cli_part *part) {
    json_t *state = json_load_file(part->state_path, JSON_REJECT_DUPLICATES, NULL);
    const char *url = json_string_value(json_object_get(state, "url"));
    const char *validator = json_string_value(json_object_get(state, "validator"));
    const json_t *total = json_object_get(state, "total");
    int usable = url && !strcmp(url, part->url) && validator && strlen(validator) < sizeof part->validator &&
                 !strpbrk(validator, "\r\n") && json_is_integer(total) && json_integer_value(total) >= -1;
    if (usable) {
        memcpy(part->validator, validator, strlen(validator) + 1);
        part->total = json_integer_value(total);
    }
    json_decref(state);
    return usable;
}

enum cli_got cli_part_open(struct cli_part *part, const char *path, const char *url, struct cli_why *why) {
    struct stat status;
    *part = (struct cli_part){.url = url, .fd = -1, .total = -1};
    part->path = cli_text("%s.part", path);
    part->state_path = cli_text("%s.part.json", path);
    if (!part->path || !part->state_path) return cli_why(why, CLI_GOT_LOCAL, "out of memory");
    part->fd = open(part->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (part->fd < 0 || fstat(part->fd, &status))
        return cli_why(why, CLI_GOT_LOCAL, "%s: %s", part->path, strerror(errno));
    if (!S_ISREG(status.st_mode)) return cli_why(why, CLI_GOT_LOCAL, "%s: not a file", part->path);
    part->n_bytes = (uint64_t)status.st_size;
    int usable = recall(part) && (part->total < 0 || part->n_bytes <= (uint64_t)part->total);
    return usable || part->n_bytes == 0 ? CLI_GOT : cli_part_restart(part, "", -1, why);
}

void cli_part_close(struct cli_part *part) {
    if (part->fd >= 0) close(part->fd);
    free(part->path);
    free(part->state_path);
    part->fd = -1;
    part->path = part->state_path = NULL;
}

enum cli_got cli_part_restart(struct cli_part *part, const char *validator, int64_t total,
                              struct cli_why *why) {
    if (part->n_bytes > 0 && ftruncate(part->fd, 0))
        return cli_why(why, CLI_GOT_LOCAL, "%s: %s", part->path, strerror(errno));
    part->n_bytes = 0;
    part->total = total;
    snprintf(part->validator, sizeof part->validator, "%s", validator);
    json_t *state = json_pack("{s:s, s:s, s:I}", "url", part->url, "validator", part->validator, "total",
                              (json_int_t)total);
    errno = ENOMEM; /* what a failed json_pack means here: a validator is checked to be ASCII */
    int failed = !state || json_dump_file(state, part->state_path, JSON_COMPACT);
    json_decref(state);
    return failed ? cli_why(why, CLI_GOT_LOCAL, "%s: %s", part->state_path, strerror(errno)) : CLI_GOT;
}

enum cli_got cli_part_add(struct cli_part *part, const void *bytes, size_t n_bytes, struct cli_why *why) {
    if (cli_write_all(part->fd, bytes, n_bytes) == 0) {
        part->n_bytes += n_bytes;
        return CLI_GOT;
    }
    int error = errno;
    struct stat status;
    if (fstat(part->fd, &status) == 0) part->n_bytes = (uint64_t)status.st_size;
    if (error == EINTR) return cli_why(why, CLI_GOT_INTERRUPTED, "interrupted");
    return cli_why(why, CLI_GOT_LOCAL, "%s: %s", part->path, strerror(error));
}
