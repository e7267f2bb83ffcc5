/* SPDX-License-Identifier: Apache-2.0
 *
 * progress.c: the progress line, sizes and the clock.
 *
 *     tinyllama 1/2  [###########>                ]  41%  132 MB/323 MB  11 MB/s  0:17
 *
 * On a terminal the line is drawn over itself, at most ten times a second, and never wider than the terminal
 * (the bar shrinks first, then the line is cut). It is cleared with spaces rather than escape codes, so that
 * it works on the simplest terminal. Elsewhere (a log, a pipe) there is one line at the start, one at the
 * end. The speed is smoothed over the last seconds, and the time left follows from it. */
#include "apps/cli/cli.h"

#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 240, BAR_MIN = 8, BAR_MAX = 40 };

double cli_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

char *cli_size(uint64_t n_bytes, char *out) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)n_bytes;
    unsigned unit = 0;
    for (; value >= 999.5 && unit < 6; unit++)
        value /= 1000;
    snprintf(out, 16, unit && value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return out;
}

enum { AMOUNT = 24 };

static char *amount(const struct cli_progress *progress, uint64_t n, char *out) {
    if (!strcmp(progress->unit, "B")) return cli_size(n, out);
    snprintf(out, AMOUNT, "%llu", (unsigned long long)n);
    return out;
}

static int width(void) {
#if defined(TIOCGWINSZ)
    struct winsize size = {0};
    if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col >= 20)
        return size.ws_col < LINE ? size.ws_col : LINE - 1;
#endif
    return 80;
}

/* The text to the right of the bar. rate 0, seconds < 0: not known. */
static void tell(const struct cli_progress *progress, double rate, double seconds, char *out, size_t n_out) {
    char done[AMOUNT], total[AMOUNT], each[AMOUNT], far[96], speed[64] = "", left[32] = "";
    const char *unit = strcmp(progress->unit, "B") ? progress->unit : "", *gap = *unit ? " " : "";
    amount(progress, progress->done, done);
    amount(progress, progress->total, total);
    if (progress->total)
        snprintf(far, sizeof far, "%3.0f%%  %s/%s", 100.0 * (double)progress->done / (double)progress->total,
                 done, total);
    else
        snprintf(far, sizeof far, "%s", done);
    if (rate > 0 && rate < 1e18)
        snprintf(speed, sizeof speed, "  %s%s%.20s/s", amount(progress, (uint64_t)rate, each), gap, unit);
    if (seconds >= 3600 && seconds < 360000)
        snprintf(left, sizeof left, "  %ldh%02ldm", (long)seconds / 3600, (long)seconds / 60 % 60);
    else if (seconds >= 0 && seconds < 3600)
        snprintf(left, sizeof left, "  %ld:%02ld", (long)seconds / 60, (long)seconds % 60);
    snprintf(out, n_out, "%s%s%s%s%s", far, gap, unit, speed, left);
}

static void draw(struct cli_progress *progress, double now) {
    char right[160], line[LINE];
    int columns = width() - 1;
    double left = progress->rate > 0 && progress->done < progress->total
                      ? (double)(progress->total - progress->done) / progress->rate
                      : -1;
    tell(progress, progress->rate, left, right, sizeof right);
    int bar = columns - (int)strlen(right) - (int)strlen(progress->label) - 6;
    if (bar > BAR_MAX) bar = BAR_MAX;
    int n = snprintf(line, sizeof line, "%s  ", progress->label);
    if (n > columns) n = columns;
    if (bar >= BAR_MIN && progress->total) {
        int full = (int)((double)bar * ((double)progress->done / (double)progress->total));
        line[n++] = '[';
        for (int i = 0; i < bar; i++)
            line[n++] = i < full ? '#' : i == full ? '>' : ' ';
        line[n++] = ']';
        line[n++] = ' ';
    }
    snprintf(line + n, sizeof line - (size_t)n, "%s", right);
    fprintf(stderr, "\r%-*.*s", columns, columns, line);
    fflush(stderr);
    progress->drawn = now;
}

void cli_progress_open(struct cli_progress *progress, const char *label, const char *unit, uint64_t total,
                       uint64_t done) {
    int quiet = progress->quiet;
    *progress = (struct cli_progress){.label = label, .unit = unit, .total = total, .quiet = quiet};
    progress->done = progress->first = progress->rated = done;
    progress->started = progress->rated_at = cli_clock();
    if (quiet) return;
    progress->terminal = isatty(STDERR_FILENO);
    if (progress->terminal) {
        draw(progress, progress->started);
        return;
    }
    char size[AMOUNT], have[AMOUNT];
    fprintf(stderr, "%s:", label);
    if (total)
        fprintf(stderr, " %s%s%s", amount(progress, total, size), strcmp(unit, "B") ? " " : "",
                strcmp(unit, "B") ? unit : "");
    if (done) fprintf(stderr, " (%s there already)", amount(progress, done, have));
    fprintf(stderr, total ? "\n" : " started\n");
}

void cli_progress_move(struct cli_progress *progress, uint64_t done) {
    if (done < progress->done) progress->first = progress->rated = done;
    progress->done = progress->total && done > progress->total ? progress->total : done;
    if (progress->quiet || !progress->terminal) return;
    double now = cli_clock();
    if (now - progress->drawn < 0.1) return;
    double step = now - progress->rated_at;
    if (step >= 0.5) {
        double rate = (double)(done - progress->rated) / step;
        double keep = progress->rate > 0 ? 1 / (1 + step / 3) : 0; /* a memory of about three seconds */
        progress->rate = keep * progress->rate + (1 - keep) * rate;
        progress->rated = done;
        progress->rated_at = now;
    }
    draw(progress, now);
}

void cli_progress_close(struct cli_progress *progress, int success) {
    if (progress->quiet || !progress->label) return;
    double seconds = cli_clock() - progress->started;
    double rate = seconds > 1e-6 ? (double)(progress->done - progress->first) / seconds : 0;
    if (progress->terminal) {
        progress->rate = rate;
        draw(progress, cli_clock());
        fputc('\n', stderr);
    } else if (success) {
        char text[160];
        tell(progress, rate, -1, text, sizeof text);
        fprintf(stderr, "%s: %s\n", progress->label, text + strspn(text, " "));
    }
    progress->label = NULL;
}
