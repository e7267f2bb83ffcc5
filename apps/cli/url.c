/* SPDX-License-Identifier: Apache-2.0
 *
 * url.c: addresses are taken apart by libcurl's own parser, so that what is judged here is what is asked for
 * there. */
#include "apps/cli/url.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

/* The parts that matter; each "" when absent. */
struct address {
    char scheme[16], host[256], port[8];
    char *path;
};

static int part(CURLU *url, CURLUPart what, unsigned flags, char *out, size_t n_out) {
    char *text = NULL;
    out[0] = 0;
    if (curl_url_get(url, what, &text, flags) != CURLUE_OK) return 0;
    int fits = strlen(text) < n_out;
    if (fits) memcpy(out, text, strlen(text) + 1);
    curl_free(text);
    return fits ? 0 : -1;
}

/* Returns 0, or -1 when text is not an address that can be used. path is malloc'ed by libcurl. */
static int take_apart(const char *text, struct address *address) {
    address->path = NULL;
    for (const char *c = text; *c; c++)
        if (*c <= 0x20 || *c > 0x7e) return -1;
    CURLU *url = curl_url();
    int failed = !url || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
                 part(url, CURLUPART_SCHEME, 0, address->scheme, sizeof address->scheme) ||
                 part(url, CURLUPART_HOST, 0, address->host, sizeof address->host) ||
                 part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, address->port, sizeof address->port) ||
                 curl_url_get(url, CURLUPART_PATH, &address->path, 0) != CURLUE_OK;
    curl_url_cleanup(url);
    return failed ? -1 : 0;
}

static int is_loopback(const char *host) {
    if (!strcasecmp(host, "localhost") || !strcmp(host, "[::1]")) return 1;
    return !strncmp(host, "127.", 4) && strspn(host, "0123456789.") == strlen(host);
}

enum cli_got cli_url_check(const char *url, const char *from, int insecure, struct cli_why *why) {
    struct address address, origin;
    char shown[160];
    if (take_apart(url, &address)) return cli_why(why, CLI_GOT_REFUSED, "not an address: %.200s", url);
    curl_free(address.path);
    if (!strcmp(address.scheme, "https")) return CLI_GOT;
    cli_url_show(url, shown, sizeof shown);
    if (strcmp(address.scheme, "http") != 0)
        return cli_why(why, CLI_GOT_REFUSED, "%s: only https: is fetched", shown);
    if (from) {
        if (take_apart(from, &origin)) return cli_why(why, CLI_GOT_REFUSED, "not an address: %.200s", from);
        curl_free(origin.path);
        if (!strcmp(origin.scheme, "https"))
            return cli_why(why, CLI_GOT_REFUSED, "%s: a redirect from https: to http: is refused", shown);
    }
    if (insecure || is_loopback(address.host)) return CLI_GOT;
    return cli_why(why, CLI_GOT_REFUSED, "%s: http: is refused (use https:, or --insecure-http)", shown);
}

int cli_url_same_host(const char *a, const char *b) {
    struct address left, right;
    if (take_apart(a, &left)) return 0;
    curl_free(left.path);
    if (take_apart(b, &right)) return 0;
    curl_free(right.path);
    return !strcmp(left.scheme, right.scheme) && !strcasecmp(left.host, right.host) &&
           !strcmp(left.port, right.port);
}

void cli_url_show(const char *url, char *out, size_t n_out) {
    struct address address;
    if (take_apart(url, &address)) {
        snprintf(out, n_out, "(not an address)");
        return;
    }
    snprintf(out, n_out, "%s%s", address.host, address.path);
    curl_free(address.path);
}

char *cli_url_encode(const char *text, int keep_slash) {
    static const char digits[] = "0123456789ABCDEF";
    char *out = malloc(3 * strlen(text) + 1), *next = out;
    if (!out) return NULL;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (isalnum(*c) || strchr("-._~", *c) || (*c == '/' && keep_slash)) {
            *next++ = (char)*c;
        } else {
            *next++ = '%';
            *next++ = digits[*c >> 4];
            *next++ = digits[*c & 15];
        }
    }
    *next = 0;
    return out;
}
