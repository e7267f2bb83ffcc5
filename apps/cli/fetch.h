/* SPDX-License-Identifier: Apache-2.0
 *
 * fetch.h: files and short texts over HTTP(S).
 *
 * https: always; http: only from this machine (loopback), or when insecure_http allows it. Redirects are
 * followed at most ten times and never from https: down to http:. Proxies come from the environment as usual
 * (https_proxy, no_proxy …), certificates from CURL_CA_BUNDLE, SSL_CERT_FILE or SSL_CERT_DIR. */
#ifndef MOTE_CLI_FETCH_H
#define MOTE_CLI_FETCH_H

#include <stddef.h>
#include <stdint.h>

#include "apps/cli/digest.h"
#include "apps/cli/why.h"

/* How to fetch: the same for all transfers of one command. */
struct cli_fetch {
    const char *label;  /* of the progress line */
    long stall_seconds; /* a transfer that stands still for so long has failed; at least 1 */
    int quiet, insecure_http;
};

struct cli_fetch_file {
    const char *url;
    const char *bearer;          /* a token for the url's own host, sent nowhere else; or NULL */
    const char *path;            /* the bytes land in <path>.part */
    uint64_t bytes;              /* the exact size when it is known, else 0 */
    const char *sha256;          /* what x-linked-etag must say if it says anything, or NULL */
    char linked[CLI_SHA256_HEX]; /* out: the sha256 that x-linked-etag named, or "" */
};

/* Brings url into <path>.part, going on from what an earlier call left there, and leaves it there complete,
 * with the bytes unchecked. After a failure or Ctrl-C the part and its state, <path>.part.json, stay for the
 * next call. A part of another url, or of a file that has changed since (ETag, size), starts over. */
enum cli_got cli_fetch_file(const struct cli_fetch *fetch, struct cli_fetch_file *file, struct cli_why *why);

/* Brings a short text, at most max_bytes, malloc'ed and NUL-terminated. */
enum cli_got cli_fetch_text(const struct cli_fetch *fetch, const char *url, size_t max_bytes, char **text,
                            size_t *n_text, struct cli_why *why);

/* Removes <path>.part and its state. */
void cli_fetch_forget(const char *path);

#endif
