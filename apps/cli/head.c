/* SPDX-License-Identifier: Apache-2.0
 *
 * head.c: reads the few headers that a download needs. Values that are too long, not printable ASCII or not
 * of their form count as not said: a download does without them. */
#include "apps/cli/head.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The value of a header line, trimmed, when its name is name. Returns whether it is. */
static int take(const char *line, size_t n, const char *name, char *value, size_t max_value) {
    size_t n_name = strlen(name);
    if (n <= n_name || line[n_name] != ':' || strncasecmp(line, name, n_name) != 0) return 0;
    const char *start = line + n_name + 1, *end = line + n;
    while (start < end && isspace((unsigned char)*start))
        start++;
    while (end > start && isspace((unsigned char)end[-1]))
        end--;
    if ((size_t)(end - start) >= max_value) return 0;
    for (const char *c = start; c < end; c++)
        if (*c < 0x20 || *c > 0x7e) return 0;
    memcpy(value, start, (size_t)(end - start));
    value[end - start] = 0;
    return 1;
}

/* A decimal number; *end is set behind it, and left alone when there is none (-1). */
static int64_t number(const char *text, const char **end) {
    char *stop;
    errno = 0;
    long long value = isdigit((unsigned char)*text) ? strtoll(text, &stop, 10) : -1;
    if (value < 0 || errno) return -1;
    *end = stop;
    return value;
}

/* "bytes 100-199/200" */
static void take_range(struct cli_head *head, const char *value) {
    const char *next = value;
    if (strncmp(value, "bytes ", 6) != 0) return;
    int64_t start = number(value + 6, &next);
    if (start < 0 || *next != '-') return;
    int64_t last = number(next + 1, &next);
    if (last < start || *next != '/') return;
    head->range_total = number(next + 1, &next);
    head->range_start = start;
}

void cli_head_line(struct cli_head *head, const char *line, size_t n) {
    char value[256] = "";
    const char *end;
    if (n > 5 && !strncmp(line, "HTTP/", 5))
        *head = (struct cli_head){.length = -1, .range_start = -1, .range_total = -1};
    else if (take(line, n, "content-length", value, sizeof value))
        head->length = number(value, &end);
    else if (take(line, n, "content-range", value, sizeof value))
        take_range(head, value);
    else if (take(line, n, "etag", value, sizeof head->etag))
        memcpy(head->etag, value, sizeof head->etag);
    else if (take(line, n, "last-modified", value, sizeof head->modified))
        memcpy(head->modified, value, sizeof head->modified);
    else if (take(line, n, "retry-after", value, sizeof value))
        head->retry_after = (long)number(value, &end);
    else if (take(line, n, "x-linked-etag", value, sizeof value) && strlen(value) == CLI_SHA256_HEX + 1 &&
             value[0] == '"' && strspn(value + 1, "0123456789abcdef") == CLI_SHA256_HEX - 1) {
        memcpy(head->linked, value + 1, CLI_SHA256_HEX - 1);
        head->linked[CLI_SHA256_HEX - 1] = 0;
    }
}
