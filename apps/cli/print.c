/* SPDX-License-Identifier: Apache-2.0
 *
 * print.c: text of unknown origin on one line, and reasons. */
#include <errno.h>
#include <string.h>

#include "apps/cli/print.h"

void cli_print(FILE *out, mote_text text) {
    for (size_t i = 0; i < text.n; i++) {
        unsigned c = (unsigned char)text.data[i], next = i + 1 < text.n ? (unsigned char)text.data[i + 1] : 0;
        if (c == '\n')
            fputs("\\n", out);
        else if (c == '\t')
            fputs("\\t", out);
        else if (c == '\\')
            fputs("\\\\", out);
        else if (c < 32 || c == 127 || (c == 0xc2 && next >= 0x80 && next < 0xa0))
            fprintf(out, "\\x%02x", c);
        else
            putc((int)c, out);
    }
}

const char *cli_map_reason(int error) {
    return error == ESPIPE ? "it must be a regular file" : strerror(error);
}
