/* SPDX-License-Identifier: Apache-2.0
 *
 * url.h: which addresses may be fetched, and how they are shown. */
#ifndef MOTE_CLI_URL_H
#define MOTE_CLI_URL_H

#include <stddef.h>

#include "apps/cli/why.h"

/* Whether url may be fetched. https: may; http: only on this machine's own loopback addresses or with
 * insecure. from, unless NULL, is where a redirect came from: https: never leads to http:. */
enum cli_got cli_url_check(const char *url, const char *from, int insecure, struct cli_why *why);

/* Whether two addresses are of one scheme, host and port, so that one may have the other's token. */
int cli_url_same_host(const char *a, const char *b);

/* "host/path", cut to fit, without user names, queries and other secrets. */
void cli_url_show(const char *url, char *out, size_t n_out);

/* Text with everything but unreserved characters (and '/', where keep_slash) percent-encoded. Malloc'ed. */
char *cli_url_encode(const char *text, int keep_slash);

#endif
