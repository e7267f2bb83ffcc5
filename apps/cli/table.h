/* SPDX-License-Identifier: Apache-2.0
 *
 * table.h: rows and columns of text: CSV and TSV files, read whole.
 *
 *     CSV   RFC 4180: commas, fields in "quotes" may hold commas, line ends and "" for a quote
 *     TSV   tabs, no quoting: a field is what stands between two tabs
 *
 * A file's name says which (.csv, .tsv); of other names it is TSV if its first line holds a tab. Lines end with \n or \r\n; empty ones are passed
 * over; a byte order mark at the beginning too. All rows have as many fields as the first. */
#ifndef MOTE_CLI_TABLE_H
#define MOTE_CLI_TABLE_H

#include <stdint.h>

#include "apps/cli/buffer.h"
#include "mote/mote.h"

struct cli_table {
    struct cli_buffer bytes; /* of the file; quoted fields are unquoted in place */
    mote_text *cells;        /* [n_rows, n_columns] */
    uint64_t *lines;         /* [n_rows], where each begins, from 1 */
    size_t n_rows, n_columns;
};

/* Reads a file, "-" for stdin. Zero the table first, close it in any case. Returns CLI_OK or an exit code with
 * a message that names file and line. */
int cli_table_read(struct cli_table *table, const char *path);
void cli_table_close(struct cli_table *table);

static inline mote_text cli_table_cell(const struct cli_table *table, size_t row, size_t column) {
    return table->cells[row * table->n_columns + column];
}

#endif
