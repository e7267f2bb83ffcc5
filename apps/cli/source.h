/* SPDX-License-Identifier: Apache-2.0
 *
 * source.h: from a source of the catalogue to the bytes of a model. */
#ifndef MOTE_CLI_SOURCE_H
#define MOTE_CLI_SOURCE_H

#include "apps/cli/catalogue.h"
#include "apps/cli/fetch.h"

/* Brings entry's model from one of its sources into <target>.part, whole and checked. Ctrl-C and failed
 * transfers leave what the next call can go on with; wrong bytes leave nothing. */
enum cli_got cli_source_get(const struct cli_entry *entry, const struct cli_source *source,
                            const struct cli_fetch *fetch, const char *target, struct cli_why *why);

/* hf:owner/repo[@revision]/path to the address it is served at, malloc'ed into *url. */
enum cli_got cli_source_hf(const char *reference, char **url, struct cli_why *why);

/* Removes everything that getting target from any of entry's sources may have left beside it. */
void cli_source_forget(const struct cli_entry *entry, const char *target);

#endif
