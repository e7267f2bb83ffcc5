/* SPDX-License-Identifier: Apache-2.0
 *
 * table.c: CSV and TSV, one pass over the bytes. Cells are views of the file's bytes; of a quoted field the
 * quotes go and what follows moves up, so that no cell needs memory of its own. A quote inside a field that
 * did not begin with one is an ordinary character, as people write inches. */
#include <stdlib.h>
#include <string.h>

#include "apps/cli/cli.h"
#include "apps/cli/table.h"

enum { MOST_COLUMNS = 4096 };

struct reader {
    struct cli_table *table;
    const char *path;
    char *at, *end;
    char comma;
    uint64_t line;
    size_t n_cells, cell_room, row_room;
};

static int grow(void **list, size_t *room, size_t n, size_t each) {
    if (n < *room) return 1;
    if (n > SIZE_MAX / 4 / each) return 0;
    size_t more = n ? 2 * n : 256;
    void *moved = realloc(*list, more * each);
    if (!moved) return 0;
    *list = moved;
    *room = more;
    return 1;
}

static int ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcasecmp(text + n - m, end);
}

/* What separates the fields: as the file's name says, else by whether its first line has a tab. */
static char separator(const struct reader *r) {
    if (ends_with(r->path, ".csv")) return ',';
    if (ends_with(r->path, ".tsv")) return '\t';
    const char *end = memchr(r->at, '\n', (size_t)(r->end - r->at));
    return memchr(r->at, '\t', (size_t)((end ? end : r->end) - r->at)) ? '\t' : ',';
}

/* Behind a field: a separator, the end of a line, or the end of the file. */
static int ends_field(const struct reader *r) {
    return r->at == r->end || *r->at == r->comma || *r->at == '\n' ||
           (*r->at == '\r' && (r->at + 1 == r->end || r->at[1] == '\n'));
}

/* The field at r->at, which moves behind it. */
static int read_quoted(struct reader *r, mote_text *cell) {
    uint64_t line = r->line;
    char *begin = r->at, *to = r->at++;
    for (;;) {
        char *next = r->at; /* bytes up to the next quote move together */
        while (next < r->end && *next != '"')
            r->line += *next++ == '\n';
        memmove(to, r->at, (size_t)(next - r->at));
        to += next - r->at;
        r->at = next;
        if (r->at == r->end)
            return cli_fail(CLI_FAILED, "%s: line %llu: a quote is not closed", r->path,
                            (unsigned long long)line);
        if (++r->at == r->end || *r->at != '"') break;
        *to++ = *r->at++;
    }
    if (!ends_field(r))
        return cli_fail(CLI_FAILED, "%s: line %llu: text behind a closing quote", r->path,
                        (unsigned long long)r->line);
    *cell = (mote_text){begin, (size_t)(to - begin)};
    return CLI_OK;
}

static int read_field(struct reader *r, mote_text *cell) {
    if (r->comma != '\t' && r->at < r->end && *r->at == '"') return read_quoted(r, cell);
    char *begin = r->at;
    while (!ends_field(r))
        r->at++;
    *cell = (mote_text){begin, (size_t)(r->at - begin)};
    return CLI_OK;
}

static int read_row(struct reader *r) {
    struct cli_table *table = r->table;
    uint64_t line = r->line;
    size_t first = r->n_cells;
    for (int more = 1; more;) {
        if (!grow((void **)&table->cells, &r->cell_room, r->n_cells, sizeof *table->cells))
            return cli_fail(CLI_MEMORY, "%s: not enough memory to read it", r->path);
        int code = read_field(r, &table->cells[r->n_cells]);
        if (code) return code;
        if (++r->n_cells - first > MOST_COLUMNS)
            return cli_fail(CLI_FAILED, "%s: line %llu: more than %d fields", r->path,
                            (unsigned long long)line, MOST_COLUMNS);
        more = r->at < r->end && *r->at == r->comma;
        r->at += more;
    }
    size_t n = r->n_cells - first;
    if (!table->n_rows) table->n_columns = n;
    if (n != table->n_columns)
        return cli_fail(CLI_FAILED, "%s: line %llu has %zu fields, the first has %zu", r->path,
                        (unsigned long long)line, n, table->n_columns);
    if (!grow((void **)&table->lines, &r->row_room, table->n_rows, sizeof *table->lines))
        return cli_fail(CLI_MEMORY, "%s: not enough memory to read it", r->path);
    table->lines[table->n_rows++] = line;
    return CLI_OK;
}

static void skip_line_ends(struct reader *r) {
    for (;
         r->at < r->end && (*r->at == '\n' || (*r->at == '\r' && (r->at + 1 == r->end || r->at[1] == '\n')));
         r->at++)
        r->line += *r->at == '\n';
}

int cli_table_read(struct cli_table *table, const char *path) {
    int code = cli_buffer_read_path(&table->bytes, path);
    if (code) return code;
    struct reader r = {.table = table, .path = strcmp(path, "-") ? path : "stdin", .line = 1};
    if (!table->bytes.n) return cli_fail(CLI_FAILED, "%s: it is empty", r.path);
    r.at = table->bytes.data;
    r.end = r.at + table->bytes.n;
    if (r.end - r.at >= 3 && !memcmp(r.at, "\xef\xbb\xbf", 3)) r.at += 3;
    skip_line_ends(&r);
    r.comma = separator(&r);
    while (!code && r.at < r.end) {
        code = read_row(&r);
        if (!code) skip_line_ends(&r);
    }
    if (!code && !table->n_rows) code = cli_fail(CLI_FAILED, "%s: it is empty", r.path);
    return code;
}

void cli_table_close(struct cli_table *table) {
    cli_buffer_close(&table->bytes);
    free(table->cells);
    free(table->lines);
    *table = (struct cli_table){0};
}
