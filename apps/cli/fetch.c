/* SPDX-License-Identifier: Apache-2.0
 *
 * fetch.c: HTTP(S) transfers with libcurl.
 *
 *     cli_fetch_file ─ attempts: what was cut off or failed for a moment is asked for again
 *       attempt ─ hops: one request each; redirects are followed here, where each can be judged
 *         settle ─ the head of the answer decides what is done with the part before a byte is written
 *
 * Going on with a part is asked for with Range and If-Range. The answer is believed only when it says so
 * itself: 206 with a Content-Range that starts where the part ends and has the total the part was begun with.
 * 200 starts over; anything else leaves the part as it is. */
#include "apps/cli/fetch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "apps/cli/head.h"
#include "apps/cli/part.h"
#include "apps/cli/paths.h"
#include "apps/cli/url.h"

enum {
    MAX_HOPS = 10,
    MAX_FAILURES = 5,
    MAX_RESTARTS = 3,
    MAX_ERROR_BODY = 1 << 16,
    ENOUGH_PROGRESS = 1 << 16
};

/* One request and where its answer goes: into part, or into text. */
struct transfer {
    const struct cli_fetch *fetch;
    CURL *curl;
    struct cli_part *part;
    uint64_t bytes; /* exact size expected, or 0 */
    struct cli_progress progress;
    char *text;
    size_t n_text, max_text;

    struct cli_head head;
    uint64_t asked_from;
    size_t n_dropped;
    int settled, dropping; /* dropping: the body is not what was asked for */
    int restart;           /* the part does not belong to what the server has now */
    enum cli_got got;      /* why a callback gave up */
    struct cli_why *why;
};

/* ---- the head of the answer ---- */

static size_t on_header(char *line, size_t size, size_t n, void *user) {
    struct transfer *transfer = user;
    cli_head_line(&transfer->head, line, size * n);
    return size * n;
}

/* Decides, from the head, what becomes of the part. Returns got; 0 go on. */
static enum cli_got settle(struct transfer *transfer) {
    struct cli_head *head = &transfer->head;
    struct cli_part *part = transfer->part;
    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &head->status);
    transfer->settled = 1;
    transfer->dropping = head->status != 200 && head->status != 206;
    if (transfer->dropping || !part) return CLI_GOT;

    if (head->status == 206) {
        int changed = part->validator[0] == '"' && head->etag[0] && strcmp(part->validator, head->etag) != 0;
        int same_total = part->total < 0 || head->range_total < 0 || head->range_total == part->total;
        if (changed || !same_total || transfer->asked_from == 0 ||
            head->range_start != (int64_t)transfer->asked_from) {
            transfer->restart = 1;
            return cli_why(transfer->why, CLI_GOT_BROKEN, "the file has changed on the server");
        }
    } else {
        int strong = head->etag[0] == '"';
        enum cli_got got =
            cli_part_restart(part, strong ? head->etag : head->modified, head->length, transfer->why);
        if (got) return got;
    }
    if (transfer->bytes && part->total >= 0 && (uint64_t)part->total != transfer->bytes)
        return cli_why(transfer->why, CLI_GOT_BROKEN, "the server has %lld bytes where %llu are expected",
                       (long long)part->total, (unsigned long long)transfer->bytes);
    if (part->total >= 0) {
        enum cli_got got = cli_room_check(part->path, (uint64_t)part->total - part->n_bytes, transfer->why);
        if (got) return got;
    }
    cli_progress_open(&transfer->progress, transfer->fetch->label, "B",
                      part->total > 0 ? (uint64_t)part->total : 0, part->n_bytes);
    return CLI_GOT;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *user) {
    struct transfer *transfer = user;
    n *= size;
    if (!transfer->settled && (transfer->got = settle(transfer))) return 0;
    if (transfer->dropping) return (transfer->n_dropped += n) > MAX_ERROR_BODY ? 0 : n;
    if (transfer->part) {
        transfer->got = cli_part_add(transfer->part, bytes, n, transfer->why);
        if (transfer->got) return 0;
        cli_progress_move(&transfer->progress, transfer->part->n_bytes);
        return n;
    }
    if (n > transfer->max_text - transfer->n_text) {
        transfer->got = cli_why(transfer->why, CLI_GOT_BROKEN, "the answer is too long");
        return 0;
    }
    memcpy(transfer->text + transfer->n_text, bytes, n);
    transfer->n_text += n;
    return n;
}

static int on_progress(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    (void)user, (void)a, (void)b, (void)c, (void)d;
    return cli_interrupted != 0;
}

/* ---- one request ---- */

static void set_up(struct transfer *transfer) {
    CURL *curl = transfer->curl;
    const char *bundle = getenv("CURL_CA_BUNDLE"), *dir = getenv("SSL_CERT_DIR");
    if (!bundle || !*bundle) bundle = getenv("SSL_CERT_FILE");
    if (bundle && *bundle) curl_easy_setopt(curl, CURLOPT_CAINFO, bundle);
    if (dir && *dir) curl_easy_setopt(curl, CURLOPT_CAPATH, dir);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "mote/" MOTE_VERSION);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT,
                     transfer->fetch->stall_seconds < 20 ? transfer->fetch->stall_seconds : 20L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, transfer->fetch->stall_seconds);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
}

/* Adds a header line to the list; 0 when there is no memory for it. */
static int add_line(struct curl_slist **list, const char *name, const char *value) {
    char *line = cli_text("%s: %s", name, value);
    struct curl_slist *longer = line ? curl_slist_append(*list, line) : NULL;
    free(line);
    if (longer) *list = longer;
    return longer != NULL;
}

/* Sends one request and takes its answer in. */
static CURLcode hop(struct transfer *transfer, const char *url, const char *bearer) {
    struct curl_slist *lines = NULL;
    char text[320];
    CURLcode code = CURLE_OUT_OF_MEMORY;
    transfer->settled = transfer->dropping = transfer->restart = 0;
    transfer->n_dropped = transfer->n_text = 0;
    transfer->got = CLI_GOT;
    transfer->asked_from = transfer->part ? transfer->part->n_bytes : 0;
    int ready = 1;
    if (bearer) {
        char *value = cli_text("Bearer %s", bearer);
        ready = value && add_line(&lines, "Authorization", value);
        free(value);
    }
    if (ready && transfer->asked_from > 0) {
        snprintf(text, sizeof text, "bytes=%llu-", (unsigned long long)transfer->asked_from);
        ready = add_line(&lines, "Range", text);
        if (ready && transfer->part->validator[0])
            ready = add_line(&lines, "If-Range", transfer->part->validator);
    }
    if (ready && curl_easy_setopt(transfer->curl, CURLOPT_URL, url) == CURLE_OK &&
        curl_easy_setopt(transfer->curl, CURLOPT_HTTPHEADER, lines) == CURLE_OK)
        code = curl_easy_perform(transfer->curl);
    curl_easy_setopt(transfer->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(lines);
    if (!transfer->settled && code == CURLE_OK) { /* an answer without a body */
        transfer->got = settle(transfer);
        if (transfer->got) code = CURLE_WRITE_ERROR;
    }
    if (transfer->dropping && code == CURLE_WRITE_ERROR) code = CURLE_OK;
    if (transfer->part) cli_progress_close(&transfer->progress, code == CURLE_OK);
    return code;
}

/* ---- one attempt: a request and the redirects that follow from it ---- */

/* What is said of an attempt to those who decide whether there is another. */
struct outcome {
    enum cli_got got;
    int again;       /* worth trying again after a pause */
    int unconnected; /* nobody was reached */
    long pause;      /* seconds the server asked for, or 0 */
};

static struct outcome answered(struct transfer *transfer, const char *shown) {
    struct cli_part *part = transfer->part;
    struct cli_why *why = transfer->why;
    long status = transfer->head.status;
    if (status == 200 || status == 206) {
        if (!part || part->total < 0 || part->n_bytes == (uint64_t)part->total)
            return (struct outcome){.got = CLI_GOT};
        int over = part->n_bytes > (uint64_t)part->total;
        transfer->restart = over;
        return (struct outcome){
            cli_why(why, CLI_GOT_BROKEN, "%s: the answer is too %s", shown, over ? "long" : "short"),
            .again = 1};
    }
    if (status == 416) {
        transfer->restart = 1;
        return (struct outcome){
            cli_why(why, CLI_GOT_BROKEN, "%s: the server does not have that range", shown), .again = 1};
    }
    int again = status == 408 || status == 429 || status >= 500;
    const char *meaning = status == 404 || status == 410   ? " (not there)"
                          : status == 401 || status == 403 ? " (not allowed)"
                          : status == 429                  ? " (too many requests)"
                                                           : "";
    return (struct outcome){cli_why(why, CLI_GOT_REFUSED, "%s: HTTP status %ld%s", shown, status, meaning),
                            .again = again, .pause = transfer->head.retry_after};
}

static struct outcome failed(struct transfer *transfer, CURLcode code, const char *shown) {
    struct cli_why inner = *transfer->why;
    if (code == CURLE_ABORTED_BY_CALLBACK || cli_interrupted)
        return (struct outcome){cli_why(transfer->why, CLI_GOT_INTERRUPTED, "interrupted"), .again = 0};
    if (transfer->got == CLI_GOT_LOCAL) return (struct outcome){transfer->got, .again = 0};
    if (transfer->got)
        return (struct outcome){cli_why(transfer->why, transfer->got, "%s: %s", shown, inner.text),
                                .again = transfer->restart};
    if (code == CURLE_OUT_OF_MEMORY)
        return (struct outcome){cli_why(transfer->why, CLI_GOT_LOCAL, "out of memory"), .again = 0};
    long proxy_status = 0;
    curl_easy_getinfo(transfer->curl, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
    int unconnected = code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
                      code == CURLE_COULDNT_CONNECT || proxy_status >= 400;
    int wrong = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
                code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT;
    if (code == CURLE_OPERATION_TIMEDOUT)
        cli_why(transfer->why, CLI_GOT_BROKEN, "%s: nothing came for %ld seconds", shown,
                transfer->fetch->stall_seconds);
    else
        cli_why(transfer->why, CLI_GOT_BROKEN, "%s: %s", shown, curl_easy_strerror(code));
    return (struct outcome){unconnected || wrong ? CLI_GOT_UNREACHABLE : CLI_GOT_BROKEN, .again = !wrong,
                            .unconnected = unconnected};
}

static int is_redirect(long status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Follows url to its answer. linked, when not NULL, takes the x-linked-etag of the first hop. */
static struct outcome attempt(struct transfer *transfer, const char *url, const char *bearer, char *linked) {
    struct outcome outcome = {.got = CLI_GOT};
    char *here = cli_text("%s", url);
    for (int i = 0; here; i++) {
        char shown[160], *next = NULL;
        cli_url_show(here, shown, sizeof shown);
        outcome.got = cli_url_check(here, i ? url : NULL, transfer->fetch->insecure_http, transfer->why);
        if (outcome.got) break;
        CURLcode code = hop(transfer, here, bearer && cli_url_same_host(here, url) ? bearer : NULL);
        if (i == 0 && linked) memcpy(linked, transfer->head.linked, CLI_SHA256_HEX);
        if (code != CURLE_OK) {
            outcome = failed(transfer, code, shown);
            break;
        }
        curl_easy_getinfo(transfer->curl, CURLINFO_REDIRECT_URL, &next);
        if (!is_redirect(transfer->head.status) || !next) {
            outcome = answered(transfer, shown);
            break;
        }
        if (i == MAX_HOPS) {
            outcome.got =
                cli_why(transfer->why, CLI_GOT_REFUSED, "%s: redirected more than %d times", shown, MAX_HOPS);
            break;
        }
        next = cli_text("%s", next);
        free(here);
        here = next;
    }
    if (!here) outcome.got = cli_why(transfer->why, CLI_GOT_LOCAL, "out of memory");
    free(here);
    return outcome;
}

/* Waits, but not after Ctrl-C. */
static void rest(double seconds) {
    double until = cli_clock() + seconds;
    while (!cli_interrupted && cli_clock() < until)
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

/* Attempts until the answer is whole or hope is gone: five failures without progress between them, or three
 * times a file that changes under our hands. */
static enum cli_got persist(struct transfer *transfer, const char *url, const char *bearer, char *linked) {
    int failures = 0, restarts = 0;
    for (;;) {
        struct cli_part *part = transfer->part;
        uint64_t before = part ? part->n_bytes : 0;
        if (part && part->total >= 0 && before == (uint64_t)part->total && before > 0) return CLI_GOT;
        struct outcome outcome = attempt(transfer, url, bearer, linked);
        if (outcome.got == CLI_GOT || !outcome.again) return outcome.got;
        if (transfer->restart) {
            if (++restarts > MAX_RESTARTS) return outcome.got;
            if (cli_part_restart(part, "", -1, transfer->why)) return CLI_GOT_LOCAL;
            continue;
        }
        if (part && part->n_bytes >= before + ENOUGH_PROGRESS) failures = 0;
        if (++failures >= MAX_FAILURES) return outcome.got;
        if (outcome.unconnected && !(part && part->n_bytes > 0)) return outcome.got;
        double pause = 0.25 * (double)(1 << failures);
        if (outcome.pause > pause) pause = outcome.pause < 60 ? (double)outcome.pause : 60;
        if (!transfer->fetch->quiet) fprintf(stderr, "%s; trying again\n", transfer->why->text);
        rest(pause);
    }
}

enum cli_got cli_fetch_file(const struct cli_fetch *fetch, struct cli_fetch_file *file, struct cli_why *why) {
    struct cli_part part;
    file->linked[0] = 0;
    enum cli_got got = cli_part_open(&part, file->path, file->url, why);
    struct transfer transfer = {.fetch = fetch, .part = &part, .bytes = file->bytes, .why = why};
    transfer.progress.quiet = fetch->quiet;
    if (!got) {
        transfer.curl = curl_easy_init();
        if (!transfer.curl) got = cli_why(why, CLI_GOT_LOCAL, "out of memory");
    }
    if (!got) {
        set_up(&transfer);
        got = persist(&transfer, file->url, file->bearer, file->linked);
    }
    if (!got && file->sha256 && file->linked[0] && strcmp(file->sha256, file->linked) != 0)
        got = cli_why(why, CLI_GOT_BROKEN, "the server announces sha256 %.16s…, expected is %.16s…",
                      file->linked, file->sha256);
    curl_easy_cleanup(transfer.curl);
    int empty = part.n_bytes == 0;
    cli_part_close(&part);
    if (got && empty) cli_fetch_forget(file->path);
    return got;
}

enum cli_got cli_fetch_text(const struct cli_fetch *fetch, const char *url, size_t max_bytes, char **text,
                            size_t *n_text, struct cli_why *why) {
    struct transfer transfer = {.fetch = fetch, .max_text = max_bytes, .why = why};
    transfer.text = malloc(max_bytes + 1);
    transfer.curl = transfer.text ? curl_easy_init() : NULL;
    enum cli_got got = transfer.curl ? CLI_GOT : cli_why(why, CLI_GOT_LOCAL, "out of memory");
    if (!got) {
        set_up(&transfer);
        got = persist(&transfer, url, NULL, NULL);
    }
    curl_easy_cleanup(transfer.curl);
    if (got) {
        free(transfer.text);
        return got;
    }
    transfer.text[transfer.n_text] = 0;
    *text = transfer.text;
    *n_text = transfer.n_text;
    return CLI_GOT;
}

void cli_fetch_forget(const char *path) {
    static const char *const tails[] = {".part", ".part.json"};
    for (size_t i = 0; i < 2; i++) {
        char *name = cli_text("%s%s", path, tails[i]);
        if (name) unlink(name);
        free(name);
    }
}
