/* SPDX-License-Identifier: Apache-2.0
 *
 * catalogue.c: reads the catalogues (their form is in catalogue.h) and finds entries in them.
 *
 * A catalogue of the user's is input like any other: every field is checked when it is read, and a mistake is
 * reported with the file and the entry it is in. The names of files that entries give are single plain
 * components, so that no entry can write outside the models directory. */
#include "apps/cli/catalogue.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "apps/cli/base64.h"
#include "apps/cli/cli.h"
#include "apps/cli/digest.h"
#include "apps/cli/paths.h"

/* share/catalogue.json, as the bytes of an initialiser (the Makefile makes it). */
static const char embedded[] = {
#include "catalogue.inc"
};

enum { MAX_ENTRIES = 4096, MAX_PIECES = 64 };

/* Where in which file, for messages. */
struct place {
    const char *file, *entry;
};

static int fault(const struct place *place, const char *what) {
    cli_fail(CLI_FAILED, "%s: %s%s%s", place->file, place->entry ? place->entry : "",
             place->entry ? ": " : "", what);
    return CLI_FAILED;
}

/* A single path component of plain characters, which no shell and no file system takes for something else. */
static int is_plain(const char *text) {
    size_t n = strlen(text);
    if (n == 0 || n > 160 || text[0] == '.' || text[0] == '-') return 0;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("._-+", text[i])) return 0;
    return 1;
}

static int is_sha256(const char *text) {
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* An optional string: "" or NULL (fallback) when it is not there. Returns 0, or -1 when it is no string. */
static int take_text(const json_t *object, const char *key, const char *fallback, const char **out) {
    const json_t *value = json_object_get(object, key);
    if (value && !json_is_string(value)) return -1;
    *out = value ? json_string_value(value) : fallback;
    return 0;
}

static int read_piece(const struct place *place, const json_t *json, struct cli_piece *piece) {
    *piece = (struct cli_piece){.end = UINT64_MAX};
    if (json_is_string(json)) {
        piece->from = json_string_value(json);
    } else {
        const json_t *range = json_object_get(json, "range");
        if (take_text(json, "from", NULL, &piece->from) || !piece->from ||
            take_text(json, "sha256", NULL, &piece->sha256))
            return fault(place, "a source is neither text nor an object with \"from\"");
        if (range) {
            json_int_t start = json_integer_value(json_array_get(range, 0));
            json_int_t end = json_integer_value(json_array_get(range, 1));
            if (json_array_size(range) != 2 || start < 0 || end <= start)
                return fault(place, "\"range\" is not [from, to) with 0 <= from < to");
            piece->start = (uint64_t)start;
            piece->end = (uint64_t)end;
        }
    }
    if (!cli_is_reference(piece->from)) return fault(place, "a source is not https:, hf: or npm:");
    if (piece->sha256 && !is_sha256(piece->sha256)) return fault(place, "\"sha256\" is not 64 hex digits");
    return CLI_OK;
}

static int read_bundle(const struct place *place, const json_t *json, struct cli_bundle *bundle) {
    size_t n = json_is_array(json) ? json_array_size(json) : 1;
    if (!json || n == 0 || n > MAX_PIECES) return fault(place, "a source has no pieces, or too many");
    bundle->pieces = calloc(n, sizeof *bundle->pieces);
    if (!bundle->pieces) return cli_fail(CLI_MEMORY, "out of memory");
    bundle->n_pieces = n;
    for (size_t i = 0; i < n; i++) {
        struct cli_piece *piece = &bundle->pieces[i];
        int code = read_piece(place, json_is_array(json) ? json_array_get(json, i) : json, piece);
        if (code) return code;
        int whole = n == 1 && piece->start == 0 && piece->end == UINT64_MAX;
        if (!whole && strncmp(piece->from, "npm:", 4) != 0)
            return fault(place, "only npm: sources come in pieces or ranges");
    }
    return CLI_OK;
}

static int read_head(const struct place *place, const json_t *json, struct cli_folder *folder) {
    const json_t *labels = json_object_get(json, "labels");
    struct cli_buffer bytes = {0};
    if (!json) return CLI_OK;
    folder->n_labels = json_array_size(labels);
    if (folder->n_labels < 1 || folder->n_labels > CLI_MAX_LABELS)
        return fault(place, "\"labels\" of a head are not a list of 1 to 64");
    for (size_t i = 0; i < folder->n_labels; i++)
        if (!(folder->labels[i] = json_string_value(json_array_get(labels, i))))
            return fault(place, "a label of a head is not text");
    int wrong = take_text(json, "weights", NULL, &folder->head) || !folder->head ||
                !cli_base64_decode(folder->head, &bytes);
    cli_buffer_close(&bytes);
    return wrong ? fault(place, "\"weights\" of a head are not base64") : CLI_OK;
}

static int read_folder(const struct place *place, const json_t *json, struct cli_source *source) {
    json_t *files = json_object_get(json, "files"), *file;
    const char *name;
    struct cli_folder *folder = source->folder = calloc(1, sizeof *folder);
    if (!folder) return cli_fail(CLI_MEMORY, "out of memory");
    if (json_object_size(files) < 1 || json_object_size(files) > CLI_MAX_FOLDER)
        return fault(place, "\"files\" is not an object of 1 to 16 files");
    if (take_text(json, "type", NULL, &folder->type) || take_text(json, "pooling", NULL, &folder->pooling))
        return fault(place, "\"type\" or \"pooling\" is not text");
    json_object_foreach(files, name, file) {
        size_t i = folder->n_files;
        if (!is_plain(name)) return fault(place, "\"files\" has a name that is not plain");
        folder->names[i] = name;
        folder->n_files++;
        int code = read_bundle(place, file, &folder->files[i]);
        if (code) return code;
    }
    return read_head(place, json_object_get(json, "head"), folder);
}

static int read_source(const struct place *place, const json_t *json, struct cli_source *source) {
    const json_t *convert = json_object_get(json, "convert");
    if (!convert) return read_bundle(place, json, &source->whole);
    const char *how = json_string_value(convert);
    if (how && !strcmp(how, "huggingface")) return read_folder(place, json, source);
    if (!how || strcmp(how, "llama2.c") != 0)
        return fault(place, "\"convert\" knows only \"llama2.c\" and \"huggingface\"");
    int code = read_bundle(place, json_object_get(json, "checkpoint"), &source->checkpoint);
    return code ? code : read_bundle(place, json_object_get(json, "tokenizer"), &source->tokenizer);
}

static void free_entry(struct cli_entry *entry) {
    for (size_t i = 0; i < entry->n_sources; i++) {
        free(entry->sources[i].whole.pieces);
        free(entry->sources[i].checkpoint.pieces);
        free(entry->sources[i].tokenizer.pieces);
        for (size_t k = 0; entry->sources[i].folder && k < entry->sources[i].folder->n_files; k++)
            free(entry->sources[i].folder->files[k].pieces);
        free(entry->sources[i].folder);
    }
    free(entry->sources);
}

static int read_entry(struct place *place, const json_t *json, struct cli_entry *entry) {
    const json_t *bytes = json_object_get(json, "bytes"), *sources = json_object_get(json, "sources");
    if (take_text(json, "name", NULL, &entry->name) || !entry->name || !is_plain(entry->name))
        return fault(place, "an entry has no \"name\" of letters, digits and ._-+");
    place->entry = entry->name;
    if (take_text(json, "file", NULL, &entry->file) || !entry->file || !is_plain(entry->file))
        return fault(place, "\"file\" is not a plain file name");
    if (take_text(json, "description", "", &entry->description) ||
        take_text(json, "licence", "", &entry->licence))
        return fault(place, "\"description\" or \"licence\" is not text");
    if (take_text(json, "sha256", NULL, &entry->sha256) || (entry->sha256 && !is_sha256(entry->sha256)))
        return fault(place, "\"sha256\" is not 64 hex digits");
    if (bytes && json_integer_value(bytes) <= 0) return fault(place, "\"bytes\" is not a positive number");
    entry->bytes = (uint64_t)json_integer_value(bytes);
    entry->is_default = json_is_true(json_object_get(json, "default"));
    size_t n = json_array_size(sources);
    if (n == 0 || n > MAX_PIECES) return fault(place, "\"sources\" is not a list with sources in it");
    entry->sources = calloc(n, sizeof *entry->sources);
    if (!entry->sources) return cli_fail(CLI_MEMORY, "out of memory");
    entry->n_sources = n;
    for (size_t i = 0; i < n; i++) {
        int code = read_source(place, json_array_get(sources, i), &entry->sources[i]);
        if (code) return code;
    }
    return CLI_OK;
}

static int read_models(struct cli_catalogue *catalogue, const char *file, const json_t *document) {
    const json_t *models = json_object_get(document, "models");
    struct place place = {.file = file};
    size_t n = json_array_size(models);
    if (!json_is_array(models) || n > MAX_ENTRIES) return fault(&place, "there is no list \"models\"");
    struct cli_entry *grown = realloc(catalogue->entries, (catalogue->n_entries + n + 1) * sizeof *grown);
    if (!grown) return cli_fail(CLI_MEMORY, "out of memory");
    catalogue->entries = grown;
    for (size_t i = 0; i < n; i++) {
        struct cli_entry entry = {0};
        place.entry = NULL;
        int code = read_entry(&place, json_array_get(models, i), &entry);
        if (code) {
            free_entry(&entry);
            return code;
        }
        struct cli_entry *slot = (struct cli_entry *)cli_catalogue_find(catalogue, entry.name);
        if (slot)
            free_entry(slot);
        else
            slot = &grown[catalogue->n_entries++];
        *slot = entry;
    }
    return CLI_OK;
}

/* Reads a parsed document, which the catalogue keeps; NULL: it could not be parsed, and error says why. */
static int add_document(struct cli_catalogue *catalogue, const char *file, json_t *document,
                        const json_error_t *error) {
    if (!document) return cli_fail(CLI_FAILED, "%s:%d: %s", file, error->line, error->text);
    if (catalogue->n_documents == CLI_MAX_DOCUMENTS) {
        json_decref(document);
        return cli_fail(CLI_FAILED, "%s: one catalogue too many", file);
    }
    catalogue->documents[catalogue->n_documents++] = document;
    return read_models(catalogue, file, document);
}

/* A catalogue file, which need not be there. */
static int add_file(struct cli_catalogue *catalogue, const char *path) {
    json_error_t error;
    FILE *file = fopen(path, "re");
    if (!file)
        return errno == ENOENT || errno == ENOTDIR ? CLI_OK
                                                   : cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
    json_t *document = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
    fclose(file);
    return add_document(catalogue, path, document, &error);
}

/* PREFIX/share/mote/catalogue.json, seen from PREFIX/bin/mote. */
static int add_installed(struct cli_catalogue *catalogue) {
    static const char tail[] = "/../share/mote/catalogue.json";
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof tail);
    if (n <= 0) return CLI_OK;
    path[n] = 0;
    char *slash = strrchr(path, '/');
    if (!slash) return CLI_OK;
    memcpy(slash, tail, sizeof tail);
    return add_file(catalogue, path);
}

int cli_catalogue_read(struct cli_catalogue *catalogue, const char *file, const char *text, size_t n_text) {
    json_error_t error;
    json_t *document = json_loadb(text, n_text, JSON_REJECT_DUPLICATES, &error);
    return add_document(catalogue, file, document, &error);
}

int cli_catalogue_open(struct cli_catalogue *catalogue) {
    *catalogue = (struct cli_catalogue){0};
    int code = cli_catalogue_read(catalogue, "built-in catalogue", embedded, sizeof embedded);
    if (!code) code = add_installed(catalogue);
    char *path = cli_user_path("XDG_CONFIG_HOME", ".config", "mote/catalogue.json");
    if (!code && path) code = add_file(catalogue, path);
    free(path);
    if (code) cli_catalogue_close(catalogue);
    return code;
}

void cli_catalogue_close(struct cli_catalogue *catalogue) {
    for (size_t i = 0; i < catalogue->n_entries; i++)
        free_entry(&catalogue->entries[i]);
    free(catalogue->entries);
    for (size_t i = 0; i < catalogue->n_documents; i++)
        json_decref(catalogue->documents[i]);
    *catalogue = (struct cli_catalogue){0};
}

const struct cli_entry *cli_catalogue_find(const struct cli_catalogue *catalogue, const char *name) {
    for (size_t i = catalogue->n_entries; i-- > 0;) {
        const struct cli_entry *entry = &catalogue->entries[i];
        if (name ? !strcmp(entry->name, name) : entry->is_default) return entry;
    }
    return NULL;
}

int cli_is_reference(const char *text) {
    return !strncmp(text, "https:", 6) || !strncmp(text, "http:", 5) || !strncmp(text, "hf:", 3) ||
           !strncmp(text, "npm:", 4);
}

int cli_reference_open(struct cli_reference *reference, const char *text) {
    struct cli_digest digest;
    char hex[CLI_SHA256_HEX], stem[96];
    if (cli_digest_open(&digest, CLI_SHA256)) return cli_fail(CLI_MEMORY, "out of memory");
    int failed = cli_digest_add(&digest, text, strlen(text));
    if (cli_digest_close(&digest, failed ? NULL : hex) || failed)
        return cli_fail(CLI_MEMORY, "out of memory");

    size_t n = strcspn(text, "?#"), start = n;
    while (start > 0 && text[start - 1] != '/' && text[start - 1] != ':')
        start--;
    n -= start;
    if (n > 5 && !strncmp(text + start + n - 5, ".gguf", 5)) n -= 5;
    if (n >= sizeof stem) n = sizeof stem - 1;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[start + i];
        stem[i] = isalnum(c) || (i > 0 && strchr("._-+", c)) ? (char)c : '_';
    }
    stem[n] = 0;
    *reference = (struct cli_reference){.piece = {.from = text, .end = UINT64_MAX}};
    snprintf(reference->file, sizeof reference->file, "%s%s%.8s.gguf", stem, n ? "-" : "", hex);
    reference->source.whole = (struct cli_bundle){&reference->piece, 1};
    reference->entry = (struct cli_entry){.name = text,
                                          .description = "",
                                          .licence = "",
                                          .file = reference->file,
                                          .sources = &reference->source,
                                          .n_sources = 1};
    return CLI_OK;
}
