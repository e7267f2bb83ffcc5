/* SPDX-License-Identifier: Apache-2.0
 *
 * print.c: text of unknown origin on one line, and reasons. */
#include <errno.h>
#include <string.h>

#include "apps/cli/print.h"

/* The length of the character at the beginning of text if it may go out as it is, else 0. */
static size_t plain(const unsigned char *text, size_t n) {
    unsigned c = text[0], least[] = {0, 0, 0xa0, 0x800, 0x10000};
    if (c < 0x80) return c >= 32 && c != 127 && c != '\\';
    size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || n < length) return 0;
    uint32_t code = c & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    return code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : length;
}

void cli_print(FILE *out, mote_text text) {
    const unsigned char *bytes = (const unsigned char *)text.data;
    for (size_t i = 0; i < text.n;) {
        size_t n = plain(bytes + i, text.n - i);
        if (n)
            fwrite(bytes + i, 1, n, out);
        else if (bytes[i] == '\n' || bytes[i] == '\t' || bytes[i] == '\\')
            fputs(bytes[i] == '\n' ? "\\n" : bytes[i] == '\t' ? "\\t" : "\\\\", out);
        else
            fprintf(out, "\\x%02x", bytes[i]);
        i += n ? n : 1;
    }
}

int cli_print_answer(FILE *out, const char *text, size_t n) {
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t i = 0, length; i < n; i += length ? length : 1) {
        unsigned c = bytes[i];
        length = c == '\n' || c == '\t' || c == '\\' ? 1 : plain(bytes + i, n - i);
        if (length               ? fwrite(bytes + i, 1, length, out) != length
            : c < 32 || c == 127 ? fprintf(out, "\xe2\x90%c", c < 32 ? 0x80 + (int)c : 0xa1) < 0
                                 : fputs("\xef\xbf\xbd", out) < 0)
            return 0;
    }
    return 1;
}

const char *cli_map_reason(int error) {
    return error == ESPIPE ? "it must be a regular file" : strerror(error);
}
