/* SPDX-License-Identifier: Apache-2.0
 *
 * search_index.c: reads an index. Every length is checked against what is left before it is used, and the sum
 * of a record's parts must be exactly the record; offsets inside the texts are checked when they are asked for,
 * so that opening touches one page of a record, not all of them. */
#include <stdlib.h>
#include <string.h>

#include "apps/cli/search_index.h"

enum { ENTRY = 8 };

void cli_index_put(unsigned char *p, uint64_t value, int n_bytes) {
    for (int i = 0; i < n_bytes; i++)
        p[i] = (unsigned char)(value >> 8 * i);
}

uint64_t cli_index_get(const unsigned char *p, int n_bytes) {
    uint64_t value = 0;
    for (int i = 0; i < n_bytes; i++)
        value |= (uint64_t)p[i] << 8 * i;
    return value;
}

static uint64_t padded(uint64_t n) {
    return (n + CLI_INDEX_ALIGN - 1) / CLI_INDEX_ALIGN * CLI_INDEX_ALIGN;
}

uint64_t cli_index_layout(uint64_t n, uint64_t n_name, uint64_t n_texts, uint32_t n_dims,
                          uint64_t *vectors_at) {
    *vectors_at = padded(CLI_INDEX_HEAD + n_name + ENTRY * n + n_texts);
    return *vectors_at + (n ? cli_vectors_bytes(n, n_dims) : 0);
}

/* ---- making records ---- */

int cli_index_make(struct cli_buffer *out, const struct cli_index_record *record,
                   const struct cli_paragraph *paragraphs, uint32_t n_dims) {
    uint64_t n_texts = 0, vectors_at;
    for (uint32_t i = 0; i < record->n; i++)
        n_texts += paragraphs[i].text.n;
    uint64_t n_bytes = cli_index_layout(record->n, record->name.n, n_texts, n_dims, &vectors_at);
    if (n_bytes > SIZE_MAX / 4 || !cli_buffer_reserve(out, (size_t)n_bytes)) return 0;
    unsigned char *p = (unsigned char *)out->data, *entry = p + CLI_INDEX_HEAD + record->name.n;
    char *text = (char *)entry + (size_t)ENTRY * record->n;
    memset(p, 0, (size_t)n_bytes);
    out->n = (size_t)n_bytes;
    cli_index_put(p, record->kind, 4);
    cli_index_put(p + 4, record->n, 4);
    cli_index_put(p + 8, n_bytes, 8);
    cli_index_put(p + 16, record->owner, 4);
    cli_index_put(p + 20, record->part, 4);
    cli_index_put(p + 24, record->flags, 4);
    cli_index_put(p + 28, record->name.n, 4);
    cli_index_put(p + 32, n_texts, 8);
    cli_index_put(p + 40, record->size, 8);
    cli_index_put(p + 48, (uint64_t)record->mtime, 8);
    if (record->sha) memcpy(p + 64, record->sha, CLI_INDEX_SHA);
    if (record->name.n) memcpy(p + CLI_INDEX_HEAD, record->name.data, record->name.n);
    uint64_t end = 0;
    for (uint32_t i = 0; i < record->n; i++, entry += ENTRY) {
        memcpy(text + end, paragraphs[i].text.data, paragraphs[i].text.n);
        end += paragraphs[i].text.n;
        cli_index_put(entry, paragraphs[i].line, 4);
        cli_index_put(entry + 4, end, 4);
    }
    return 1;
}

/* ---- reading ---- */

static int wrong(struct cli_index_fault *fault, const char *text, uint64_t where) {
    *fault = (struct cli_index_fault){text, where};
    return 0;
}

static int read_header(struct cli_index *index, uint64_t n_bytes, struct cli_index_fault *fault) {
    const unsigned char *p = index->bytes;
    if (n_bytes < CLI_INDEX_HEADER || memcmp(p, "MOTESRCH", 8) != 0)
        return wrong(fault, "it is not an index of mote search", 0);
    if (cli_index_get(p + 8, 4) != 1) return wrong(fault, "this version of the index is not known", 8);
    uint64_t n_dims = cli_index_get(p + 12, 4);
    if (!n_dims || n_dims > CLI_MOST_DIMS)
        return wrong(fault, "vectors of so many numbers are not possible", 12);
    index->n_dims = (uint32_t)n_dims;
    index->whole = cli_index_get(p + 16, 8);
    if (index->whole < CLI_INDEX_HEADER || index->whole % CLI_INDEX_ALIGN || index->whole > n_bytes)
        return wrong(fault, "it is shorter than it says", 16);
    index->model_sha = p + 32;
    index->stamp = (struct cli_index_stamp){cli_index_get(p + 64, 8), (int64_t)cli_index_get(p + 72, 8),
                                            (int64_t)cli_index_get(p + 80, 8), cli_index_get(p + 88, 8)};
    return 1;
}

static int read_record(const struct cli_index *index, uint64_t at, struct cli_index_record *record,
                       struct cli_index_fault *fault) {
    const unsigned char *p = index->bytes + at;
    uint64_t left = index->whole - at;
    if (left < CLI_INDEX_ALIGN * 2) return wrong(fault, "a record is cut short", at);
    uint64_t n_bytes = cli_index_get(p + 8, 8), n_name = cli_index_get(p + 28, 4),
             n_texts = cli_index_get(p + 32, 8), vectors_at;
    *record = (struct cli_index_record){.at = at, .n_bytes = n_bytes, .sha = p + 64};
    record->kind = (uint32_t)cli_index_get(p, 4);
    record->n = (uint32_t)cli_index_get(p + 4, 4);
    record->owner = (uint32_t)cli_index_get(p + 16, 4);
    record->part = (uint32_t)cli_index_get(p + 20, 4);
    record->flags = (uint32_t)cli_index_get(p + 24, 4);
    record->size = cli_index_get(p + 40, 8);
    record->mtime = (int64_t)cli_index_get(p + 48, 8);
    if (n_bytes > left) return wrong(fault, "a record is longer than the index", at + 8);
    if (n_texts > n_bytes) return wrong(fault, "texts are longer than their record", at + 32);
    if (record->n && record->kind != CLI_INDEX_FILE) return wrong(fault, "paragraphs of no file", at + 4);
    if (cli_index_layout(record->n, n_name, n_texts, index->n_dims, &vectors_at) != n_bytes)
        return wrong(fault, "a record is not as long as its parts", at + 8);
    record->name = (mote_text){(const char *)p + CLI_INDEX_HEAD, n_name};
    record->table = p + CLI_INDEX_HEAD + n_name;
    record->texts = (mote_text){(const char *)record->table + (uint64_t)ENTRY * record->n, n_texts};
    record->vectors = p + vectors_at;
    return 1;
}

int cli_index_paragraph(const struct cli_index_record *record, uint32_t i, struct cli_paragraph *paragraph) {
    const unsigned char *entry = record->table + (size_t)ENTRY * i;
    uint64_t begin = i ? cli_index_get(entry - 4, 4) : 0, end = cli_index_get(entry + 4, 4);
    if (begin > end || end > record->texts.n) return 0;
    *paragraph =
        (struct cli_paragraph){{record->texts.data + begin, end - begin}, (uint32_t)cli_index_get(entry, 4)};
    return 1;
}

static int compare_names(mote_text a, mote_text b) {
    int order = memcmp(a.n ? a.data : "", b.n ? b.data : "", a.n < b.n ? a.n : b.n);
    return order ? order : a.n < b.n ? -1 : a.n > b.n;
}

/* By folder and name, then as they came. */
static int compare_files(const void *one, const void *other) {
    const struct cli_index_file *a = one, *b = other;
    if (a->folder != b->folder) return a->folder < b->folder ? -1 : 1;
    int order = compare_names(a->name, b->name);
    return order ? order : a->first < b->first ? -1 : 1;
}

const struct cli_index_file *cli_index_find(const struct cli_index *index, uint32_t folder, mote_text name) {
    size_t low = 0, high = index->n_files;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct cli_index_file *file = &index->files[middle];
        int order =
            file->folder != folder ? (file->folder < folder ? -1 : 1) : compare_names(file->name, name);
        if (!order) return file;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Walks the records, counting folders and versions of files; with lists, filling them. GONE is a version of no
 * parts. */
struct lists {
    struct cli_index_record *records;
    size_t *folders;
    struct cli_index_file *files;
    size_t n_records, n_folders, n_files;
};

static int check_owner(const struct cli_index_record *record, const struct lists *lists,
                       struct cli_index_fault *fault) {
    if (record->kind == CLI_INDEX_SETTING)
        return record->owner < CLI_INDEX_SETTINGS ||
               wrong(fault, "a setting that is not known", record->at + 16);
    if (record->kind == CLI_INDEX_FOLDER)
        return lists->n_folders < UINT32_MAX || wrong(fault, "too many folders", record->at);
    if (record->kind != CLI_INDEX_FILE && record->kind != CLI_INDEX_GONE)
        return wrong(fault, "a record of a kind that is not known", record->at);
    return record->owner < lists->n_folders ||
           wrong(fault, "a file of a folder that is not there", record->at + 16);
}

static int walk(const struct cli_index *index, struct lists *lists, struct cli_index_fault *fault) {
    struct cli_index_file open = {0}; /* the file whose parts are coming; n_parts 0: none */
    const int fill = lists->records != NULL;
    struct cli_index_record record;
    for (uint64_t at = CLI_INDEX_HEADER; at < index->whole; at += record.n_bytes) {
        if (!read_record(index, at, &record, fault) || !check_owner(&record, lists, fault)) return 0;
        int is_file = record.kind == CLI_INDEX_FILE;
        if (is_file && record.part) {
            if (!open.n_parts || record.part != open.n_parts || record.owner != open.folder ||
                compare_names(record.name, open.name) != 0)
                return wrong(fault, "a part of a file without those before it", at + 20);
            open.n_parts++;
        } else {
            open = (struct cli_index_file){record.owner, record.name, lists->n_records, is_file};
        }
        if ((is_file && record.flags & CLI_INDEX_LAST) || record.kind == CLI_INDEX_GONE) {
            if (fill) lists->files[lists->n_files] = open;
            lists->n_files++;
            open.n_parts = 0;
        }
        if (record.kind == CLI_INDEX_FOLDER) {
            if (fill) lists->folders[lists->n_folders] = lists->n_records;
            lists->n_folders++;
        }
        if (fill) lists->records[lists->n_records] = record;
        lists->n_records++;
    }
    return 1;
}

/* Keeps the last version of each name, unless that is GONE, and adds up what counts. */
static void settle(struct cli_index *index, const struct lists *lists) {
    qsort(index->files, lists->n_files, sizeof *index->files, compare_files);
    for (size_t i = 0; i < lists->n_files; i++) {
        const struct cli_index_file *file = &index->files[i], *next = file + 1;
        if (i + 1 < lists->n_files && next->folder == file->folder && !compare_names(next->name, file->name))
            continue;
        if (file->n_parts) index->files[index->n_files++] = *file;
    }
    for (size_t i = 0; i < index->n_files; i++)
        for (size_t k = 0; k < index->files[i].n_parts; k++) {
            const struct cli_index_record *record = &index->records[index->files[i].first + k];
            index->n_paragraphs += record->n;
            index->live_bytes += record->n_bytes;
        }
    for (size_t i = 0; i < index->n_records; i++) {
        const struct cli_index_record *record = &index->records[i];
        if (record->kind == CLI_INDEX_SETTING) index->settings[record->owner] = record->name;
        if (record->kind == CLI_INDEX_SETTING || record->kind == CLI_INDEX_FOLDER)
            index->live_bytes += record->n_bytes;
    }
}

/* The parts at the end of the index, if they are of a file without its last one. */
static void find_unfinished(struct cli_index *index) {
    size_t n = index->n_records, n_parts = 0;
    const struct cli_index_record *last = n ? &index->records[n - 1] : NULL;
    if (!last || last->kind != CLI_INDEX_FILE || last->flags & CLI_INDEX_LAST) return;
    n_parts = (size_t)last->part + 1;
    index->unfinished = (struct cli_index_file){last->owner, last->name, n - n_parts, n_parts};
}

int cli_index_read(struct cli_index *index, const void *bytes, uint64_t n_bytes,
                   struct cli_index_fault *fault) {
    struct lists lists = {0};
    *index = (struct cli_index){.bytes = bytes};
    if (!read_header(index, n_bytes, fault) || !walk(index, &lists, fault)) return 0;
    index->records = calloc(lists.n_records + 1, sizeof *index->records);
    index->folders = calloc(lists.n_folders + 1, sizeof *index->folders);
    index->files = calloc(lists.n_files + 1, sizeof *index->files);
    if (!index->records || !index->folders || !index->files) return wrong(fault, NULL, 0);
    lists = (struct lists){.records = index->records, .folders = index->folders, .files = index->files};
    if (!walk(index, &lists, fault)) return 0;
    index->n_records = lists.n_records;
    index->n_folders = (uint32_t)lists.n_folders;
    settle(index, &lists);
    find_unfinished(index);
    return 1;
}

void cli_index_close(struct cli_index *index) {
    free(index->records);
    free(index->folders);
    free(index->files);
    *index = (struct cli_index){0};
}
