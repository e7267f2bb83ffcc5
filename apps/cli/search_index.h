/* SPDX-License-Identifier: Apache-2.0
 *
 * search_index.h: an index of paragraphs: one file, a journal of what was indexed. Little endian.
 *
 *     header    0 "MOTESRCH"   8 u32 version 1   12 u32 D   16 u64 whole   32 u8[32] SHA-256 of the model
 *              64 u64 size, i64 mtime, i64 ctime, u64 inode of the model's file when it was hashed   96 0…   [128]
 *     records   each at a multiple of 64, one behind another up to `whole`:
 *               0 u32 kind    4 u32 n paragraphs   8 u64 bytes of the record
 *              16 u32 owner  20 u32 part          24 u32 flags              28 u32 bytes of name
 *              32 u64 bytes of texts              40 u64 size of the file   48 i64 its mtime in ns   56 u64 0
 *              64 u8[32] SHA-256 of the file      96 name | table n × {u32 line, u32 end in texts} | texts | 0…
 *              then, at a multiple of 64, the vectors (search_text.h)
 *
 *     kind SETTING   owner says which: the model's path, what is put before paragraphs, before queries; its
 *                    value is the name. The last one holds.
 *     kind FOLDER    the name is its path. Folders are numbered as they come; flag ALL: every text file of it
 *     kind FILE      name below folder `owner`. A file comes in parts 0, 1, … one behind another, the last with
 *                    the flag LAST; without it the file was not finished, and does not count yet.
 *     kind GONE      the file of this name is no longer there
 *
 * Of several files of one name the last finished one counts. Bytes are only ever added behind `whole`, and
 * `whole` moves when they are on the disk: whatever moment the program ends at, the index is sound and goes on
 * from there. Reading takes nothing in it for granted. */
#ifndef MOTE_CLI_SEARCH_INDEX_H
#define MOTE_CLI_SEARCH_INDEX_H

#include "apps/cli/buffer.h"
#include "apps/cli/search_text.h"

enum {
    CLI_INDEX_HEADER = 128,
    CLI_INDEX_HEAD = 96, /* of a record, before its name */
    CLI_INDEX_ALIGN = 64,
    CLI_INDEX_SHA = 32,
};
enum cli_index_kind { CLI_INDEX_SETTING = 1, CLI_INDEX_FOLDER, CLI_INDEX_FILE, CLI_INDEX_GONE };
enum cli_index_setting {
    CLI_INDEX_MODEL,
    CLI_INDEX_BEFORE_PASSAGE,
    CLI_INDEX_BEFORE_QUERY,
    CLI_INDEX_SETTINGS
};
enum cli_index_flag { CLI_INDEX_ALL = 1, CLI_INDEX_LAST = 2 };

struct cli_index_record {
    uint64_t at, n_bytes; /* in the index */
    uint32_t kind, n, owner, part, flags;
    uint64_t size;
    int64_t mtime;
    const unsigned char *sha;
    mote_text name;
    const unsigned char *table;
    mote_text texts;
    const void *vectors;
};

/* A name in a folder, with the parts of its version that counts, or of an unfinished one. */
struct cli_index_file {
    uint32_t folder;
    mote_text name;
    size_t first, n_parts; /* in records */
};

struct cli_index_stamp {
    uint64_t size;
    int64_t mtime, ctime;
    uint64_t inode;
};

struct cli_index {
    const unsigned char *bytes;
    uint64_t whole;
    uint32_t n_dims;
    const unsigned char *model_sha;
    struct cli_index_stamp stamp;
    mote_text settings[CLI_INDEX_SETTINGS];
    struct cli_index_record *records;
    size_t n_records;
    size_t *folders; /* [n_folders], their records */
    uint32_t n_folders;
    struct cli_index_file *files; /* [n_files], those that count, by folder and name */
    size_t n_files;
    uint64_t n_paragraphs, live_bytes;
    struct cli_index_file unfinished; /* the last thing in the index; n_parts 0: there is none */
};

/* What is wrong with an index and where. */
struct cli_index_fault {
    const char *text; /* NULL: memory ran out */
    uint64_t where;
};

/* Reads an index of n_bytes bytes, which must stay. Returns 0 with a fault when it is none. Close it in any
 * case. */
int cli_index_read(struct cli_index *index, const void *bytes, uint64_t n_bytes,
                   struct cli_index_fault *fault);
void cli_index_close(struct cli_index *index);

/* Paragraph i < record->n; 0 if its place in the record is none. */
int cli_index_paragraph(const struct cli_index_record *record, uint32_t i, struct cli_paragraph *paragraph);

/* The file of a name, NULL if there is none that counts. */
const struct cli_index_file *cli_index_find(const struct cli_index *index, uint32_t folder, mote_text name);

/* Bytes of a record, and where in it the vectors are. */
uint64_t cli_index_layout(uint64_t n, uint64_t n_name, uint64_t n_texts, uint32_t n_dims,
                          uint64_t *vectors_at);

/* A record in memory, without its vectors; record->sha may be NULL. 0 when memory runs out. */
int cli_index_make(struct cli_buffer *out, const struct cli_index_record *record,
                   const struct cli_paragraph *paragraphs, uint32_t n_dims);

void cli_index_put(unsigned char *p, uint64_t value, int n_bytes);
uint64_t cli_index_get(const unsigned char *p, int n_bytes);

#endif
