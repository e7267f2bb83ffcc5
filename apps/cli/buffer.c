/* SPDX-License-Identifier: Apache-2.0
 *
 * buffer.c: bytes that grow, and reading whole files into them. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/buffer.h"
#include "apps/cli/cli.h"

int cli_buffer_reserve(struct cli_buffer *buffer, size_t n) {
    if (n <= buffer->room) return 1;
    if (n > SIZE_MAX / 2) return 0;
    size_t room = buffer->room ? buffer->room : 256;
    while (room < n)
        room *= 2;
    char *data = realloc(buffer->data, room);
    if (!data) return 0;
    buffer->data = data;
    buffer->room = room;
    return 1;
}

int cli_buffer_append(struct cli_buffer *buffer, const void *bytes, size_t n) {
    if (!n) return 1;
    if (n > SIZE_MAX / 2 - buffer->n || !cli_buffer_reserve(buffer, buffer->n + n)) return 0;
    memcpy(buffer->data + buffer->n, bytes, n);
    buffer->n += n;
    return 1;
}

void cli_buffer_close(struct cli_buffer *buffer) {
    free(buffer->data);
    *buffer = (struct cli_buffer){0};
}

int cli_buffer_read(struct cli_buffer *buffer, FILE *file, const char *name) {
    for (;;) {
        if (!cli_buffer_reserve(buffer, buffer->n + 65536))
            return cli_fail(CLI_MEMORY, "%s: not enough memory to read it", name);
        errno = 0;
        cli_signals_end_reads(1);
        size_t n = fread(buffer->data + buffer->n, 1, 65536, file);
        cli_signals_end_reads(0);
        buffer->n += n;
        if (n) continue;
        if (cli_interrupted) return CLI_INTERRUPTED;
        if (ferror(file)) return cli_fail(CLI_FAILED, "%s: %s", name, strerror(errno));
        return CLI_OK;
    }
}

int cli_buffer_read_path(struct cli_buffer *buffer, const char *path) {
    if (!strcmp(path, "-")) return cli_buffer_read(buffer, stdin, "stdin");
    FILE *file = fopen(path, "re");
    if (!file) return cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
    int code = cli_buffer_read(buffer, file, path);
    fclose(file);
    return code;
}
