/* SPDX-License-Identifier: Apache-2.0
 *
 * buffer.h: bytes that grow. A zeroed buffer is empty; free data when done. */
#ifndef MOTE_CLI_BUFFER_H
#define MOTE_CLI_BUFFER_H

#include <stddef.h>
#include <stdio.h>

struct cli_buffer {
    char *data;
    size_t n, room;
};

/* Room for n bytes in all (data may move); 0 when memory runs out, the buffer is then as it was. */
int cli_buffer_reserve(struct cli_buffer *buffer, size_t n);
int cli_buffer_append(struct cli_buffer *buffer, const void *bytes, size_t n);
void cli_buffer_close(struct cli_buffer *buffer);

/* Appends all of file. Returns CLI_OK or an exit code with a message that names it. */
int cli_buffer_read(struct cli_buffer *buffer, FILE *file, const char *name);
/* The same for a path; "-" is stdin. */
int cli_buffer_read_path(struct cli_buffer *buffer, const char *path);

#endif
