/* SPDX-License-Identifier: Apache-2.0
 *
 * pull_fuzz.c: what comes from outside when a model is pulled: a user's catalogue, an answer of npm or of a
 * registry, references, the head of an HTTP answer, and a tarball. The first byte says which. Beside "no
 * crash" it checks that what is accepted keeps its promises: file names are single components, digests and
 * addresses have their form, no more is unpacked than was allowed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "apps/cli/archive.h"
#include "apps/cli/catalogue.h"
#include "apps/cli/convert.h"
#include "apps/cli/head.h"
#include "apps/cli/hf_convert.h"
#include "apps/cli/npm.h"
#include "apps/cli/source.h"
#include "apps/cli/url.h"

/* What the rest of the command gives the files under test. */
volatile sig_atomic_t cli_interrupted;
int cli_fail(int code, const char *format, ...) {
    return *format ? code : CLI_FAILED;
}
int cli_pull(int argc, char **argv) {
    return argc && argv ? CLI_FAILED : CLI_OK;
}
int cli_convert_checkpoint(const char *checkpoint, const char *tokenizer, const char *out) {
    return checkpoint && tokenizer && out ? CLI_FAILED : CLI_OK;
}
int cli_hf_convert(const struct cli_hf_request *request) {
    return request->folder && request->out ? CLI_FAILED : CLI_OK;
}

static void expect(int truth) {
    if (!truth) abort();
}

static void read_catalogue(const char *text, size_t n) {
    struct cli_catalogue catalogue = {0};
    if (cli_catalogue_read(&catalogue, "fuzz", text, n) == CLI_OK) {
        for (size_t i = 0; i < catalogue.n_entries; i++) {
            const struct cli_entry *entry = &catalogue.entries[i];
            expect(entry->name[0] && entry->file[0] && entry->file[0] != '.' && !strchr(entry->file, '/'));
            expect(!entry->sha256 || strlen(entry->sha256) == 64);
            expect(entry->n_sources > 0);
            expect(cli_catalogue_find(&catalogue, entry->name) == entry);
        }
    }
    cli_catalogue_close(&catalogue);
}

static void read_registry(const char *text, size_t n, const char *in) {
    static const struct cli_npm_name name = {"name", "1.0.0", ""};
    struct cli_npm_dist dist;
    struct cli_why why;
    if (cli_npm_read(text, n, in, &name, &dist, &why)) return;
    expect(strlen(dist.sha512) == 128 && strspn(dist.sha512, "0123456789abcdef") == 128);
    (void)cli_url_check(dist.tarball, NULL, 0, &why);
}

static void read_reference(const char *text) {
    struct cli_npm_name name;
    struct cli_reference reference;
    struct cli_why why;
    char *url = NULL, shown[64];
    if (!strncmp(text, "npm:", 4) && !cli_npm_parse(text, &name, &why))
        expect(name.name[0] && name.name[0] != '-' && name.version[0] && !strstr(name.name, "/."));
    if (!strncmp(text, "hf:", 3) && !cli_source_hf(text, &url, &why)) expect(url != NULL);
    free(url);
    cli_url_show(text, shown, sizeof shown);
    (void)cli_url_check(text, "https://example.org/", 1, &why);
    (void)cli_url_same_host(text, "https://example.org/");
    expect(cli_reference_open(&reference, text) == CLI_OK);
    expect(!strchr(reference.file, '/') && reference.file[0] != '.' && reference.file[0] != '-');
}

static void read_head(const char *text, size_t n) {
    struct cli_head head = {.length = -1, .range_start = -1, .range_total = -1};
    while (n > 0) {
        const char *end = memchr(text, '\n', n);
        size_t line = end ? (size_t)(end - text) + 1 : n;
        cli_head_line(&head, text, line);
        text += line;
        n -= line;
        expect(head.length >= -1 && head.range_start >= -1 && head.range_total >= -1);
        expect(memchr(head.etag, 0, sizeof head.etag) && memchr(head.modified, 0, sizeof head.modified));
        expect(!head.linked[0] || strlen(head.linked) == 64);
    }
}

static void read_archive(const char *bytes, size_t n) {
    enum { MOST = 5000 };
    char path[32];
    struct cli_why why;
    int in = memfd_create("in", 0), out = memfd_create("out", 0);
    expect(in >= 0 && out >= 0 && write(in, bytes, n) == (ssize_t)n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", in);
    struct cli_extract extract = {
        .tarball = path, .member = "", .end = UINT64_MAX, .max_bytes = MOST, .fd = out};
    (void)cli_extract(&extract, &why);
    expect(lseek(out, 0, SEEK_END) <= MOST);
    extract.member = "package/model";
    extract.start = 3;
    extract.end = 700;
    (void)cli_extract(&extract, &why);
    close(in);
    close(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    char *text = malloc(size);
    if (!text) return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    switch (data[0]) {
    case 'c':
        read_catalogue(text, size - 1);
        break;
    case 'n':
        read_registry(text, size - 1, NULL);
        break;
    case 'r':
        read_registry(text, size - 1, "dist");
        break;
    case 'u':
        read_reference(text);
        break;
    case 'h':
        read_head(text, size - 1);
        break;
    case 'a':
        read_archive(text, size - 1);
        break;
    }
    free(text);
    return 0;
}
