/* SPDX-License-Identifier: Apache-2.0
 *
 * render.c: renders chat templates for the golden test. Reads cases from stdin and answers each on stdout,
 *
 *     in    <template bytes> <variables bytes> <seconds since 1970>\n <template> <variables JSON>
 *     out   ok <bytes>\n <text>      or      error <bytes>\n <message>
 *
 * so that hundreds of cases need one process. With two arguments, TEMPLATE-FILE VARIABLES-FILE, renders that
 * one to stdout and exits with 1 and a message on stderr where it fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text/template.h"

enum { WORK_BYTES = 64 << 20, OUT_BYTES = 16 << 20, MOST_BYTES = 16 << 20 };

static char *read_bytes(FILE *file, size_t n) {
    char *bytes = malloc(n + 1);
    if (!bytes || fread(bytes, 1, n, file) != n) {
        fprintf(stderr, "render: input ends early\n");
        exit(2);
    }
    return bytes;
}

static mote_text read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(MOST_BYTES);
    if (!file || !bytes) {
        fprintf(stderr, "render: cannot read %s\n", path);
        exit(2);
    }
    size_t n = fread(bytes, 1, MOST_BYTES, file);
    fclose(file);
    return (mote_text){bytes, n};
}

int main(int n_arguments, char **arguments) {
    void *work = malloc(WORK_BYTES);
    char *out = malloc(OUT_BYTES);
    if (!work || !out) return 2;
    size_t n_template, n_variables, n = 0;
    unsigned long long now;
    mote_error error;
    if (n_arguments == 3) {
        mote_text source = read_file(arguments[1]), variables = read_file(arguments[2]);
        if (mote_text_template_render(source, variables, (uint64_t)time(NULL), work, WORK_BYTES, out,
                                      OUT_BYTES, &n, &error)) {
            fprintf(stderr, "%s (byte %llu)\n", error.text, (unsigned long long)error.where);
            return 1;
        }
        return fwrite(out, 1, n, stdout) != n;
    }
    while (scanf("%zu %zu %llu", &n_template, &n_variables, &now) == 3 && getchar() == '\n') {
        if (n_template > MOST_BYTES || n_variables > MOST_BYTES) return 2;
        char *source = read_bytes(stdin, n_template), *variables = read_bytes(stdin, n_variables);
        mote_status status =
            mote_text_template_render((mote_text){source, n_template}, (mote_text){variables, n_variables},
                                      now, work, WORK_BYTES, out, OUT_BYTES, &n, &error);
        if (status) {
            printf("error %zu\n%s", strlen(error.text), error.text);
        } else {
            printf("ok %zu\n", n);
            fwrite(out, 1, n, stdout);
        }
        fflush(stdout);
        free(source);
        free(variables);
    }
    return 0;
}
