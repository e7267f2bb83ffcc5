/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_plot.c: the roofline as SVG, for light and dark pages.
 *
 *     GMAC/s │        ________ int8
 *            │       /   ○ pp
 *            │      /________ f32          x: multiply-adds for each byte that must be read from memory
 *            │     /                       y: multiply-adds a second, both on logarithmic scales
 *            │  ○ /  tg                    slope: the rate at which memory is read
 *            └──────────────
 *
 * A test can stand nowhere above the line: left of the corner memory is the limit, right of it multiplying.
 * Labels of prompts stand in the margin, those of generating next to their points; those that would lie on
 * each other are moved apart, up from the lowest. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/bench.h"

enum { WIDTH = 900, HEIGHT = 480, LEFT = 64, RIGHT = 184, TOP = 48, BOTTOM = 52, LINE = 13 };

struct axes {
    double x0, x1, y0, y1; /* powers of ten */
};

struct point {
    double x, y; /* multiply-adds a byte, GMAC/s */
    const struct bench_result *result;
};

static double at_x(const struct axes *axes, double value) {
    return LEFT + (log10(value) - axes->x0) / (axes->x1 - axes->x0) * (WIDTH - LEFT - RIGHT);
}

static double at_y(const struct axes *axes, double value) {
    return HEIGHT - BOTTOM - (log10(value) - axes->y0) / (axes->y1 - axes->y0) * (HEIGHT - TOP - BOTTOM);
}

static void print_text(FILE *out, const char *text) {
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '<' || c == '>' || c == '&' || c == '"')
            fprintf(out, "&#%u;", c);
        else
            fputc(c < ' ' || c == 127 ? '?' : c, out);
    }
}

static struct point point_of(const struct bench_result *result) {
    double macs = result->int8_macs + result->f32_macs, seconds = bench_seconds(result);
    return (struct point){macs / result->bytes, macs / seconds / 1e9, result};
}

static void widen(double *low, double *high, double value) {
    double power = log10(value);
    if (floor(power) < *low) *low = floor(power);
    if (ceil(power + 0.1) > *high) *high = ceil(power + 0.1);
}

static void draw_frame(const struct axes *axes, const struct bench_report *report, FILE *out) {
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"system-ui, "
            "sans-serif\" font-size=\"12\">\n"
            "<style>\n"
            ".page { fill: #fff } .ink { fill: #222 } .soft { fill: #667 } .grid { stroke: #dde }\n"
            ".roof { stroke: #222; fill: none; stroke-width: 2 } .f32 { stroke-dasharray: 6 4; stroke-width: "
            "1 }\n"
            ".pp { fill: #0b62c4 } .tg { fill: #b4480b } .lead { stroke: #99a }\n"
            "@media (prefers-color-scheme: dark) {\n"
            ".page { fill: #14161a } .ink { fill: #e6e6e6 } .soft { fill: #99a } .grid { stroke: #2a2e36 }\n"
            ".roof { stroke: #e6e6e6 } .pp { fill: #6cb2ff } .tg { fill: #ff9d5c } .lead { stroke: #667 }\n"
            "}\n</style>\n<rect class=\"page\" width=\"%d\" height=\"%d\"/>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    fprintf(out, "<text class=\"ink\" x=\"%d\" y=\"24\" font-size=\"15\">", LEFT);
    print_text(out, bench_model_name(report->model));
    fprintf(out, ", %s</text>\n", report->level);
    for (int power = (int)axes->x0; power <= (int)axes->x1; power++) {
        double x = at_x(axes, pow(10, power));
        fprintf(out, "<path class=\"grid\" d=\"M%.1f %d V%d\"/>", x, TOP, HEIGHT - BOTTOM);
        fprintf(out, "<text class=\"soft\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n", x,
                HEIGHT - BOTTOM + 18, pow(10, power));
    }
    for (int power = (int)axes->y0; power <= (int)axes->y1; power++) {
        double y = at_y(axes, pow(10, power));
        fprintf(out, "<path class=\"grid\" d=\"M%d %.1f H%d\"/>", LEFT, y, WIDTH - RIGHT);
        fprintf(out, "<text class=\"soft\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n", LEFT - 8,
                y + 4, pow(10, power));
    }
    fprintf(out,
            "<text class=\"soft\" x=\"%d\" y=\"%d\" text-anchor=\"end\">multiply-adds per byte read from "
            "memory</text>\n<text class=\"soft\" x=\"8\" y=\"%d\">GMAC/s</text>\n",
            WIDTH - RIGHT, HEIGHT - 12, TOP - 10);
}

/* The slope and the ceiling for one number of threads; the lower ceiling of f32 is dashed. Its figures stand
 * in the upper left corner, which the slope leaves empty. */
static void draw_roof(const struct axes *axes, const struct bench_result *result, int i, FILE *out) {
    const struct cli_roof *roof = &result->roof;
    double rate = roof->memory / 1e9, int8 = roof->int8 / 1e9, f32 = roof->f32 / 1e9;
    double left = pow(10, axes->x0), bottom = pow(10, axes->y0);
    if (left * rate < bottom) left = bottom / rate;
    fprintf(out, "<path class=\"roof\" d=\"M%.1f %.1f L%.1f %.1f H%d\"/>\n", at_x(axes, left),
            at_y(axes, left * rate), at_x(axes, int8 / rate), at_y(axes, int8), WIDTH - RIGHT);
    fprintf(out, "<path class=\"roof f32\" d=\"M%.1f %.1f H%d\"/>\n", at_x(axes, f32 / rate), at_y(axes, f32),
            WIDTH - RIGHT);
    fprintf(
        out,
        "<text class=\"ink\" x=\"%d\" y=\"%d\" font-size=\"11\">%u thread%s: %.1f GB/s, int8 %.0f and f32 "
        "%.0f GMAC/s</text>\n",
        LEFT + 8, TOP + 16 + 15 * i, result->threads, result->threads == 1 ? "" : "s", rate, int8, f32);
    if (i) return;
    const double peaks[] = {int8, f32};
    static const char *const names[] = {"int8", "f32"};
    for (int j = 0; j < 2; j++)
        fprintf(out,
                "<text class=\"soft\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\" font-size=\"11\">%s</text>\n",
                WIDTH - RIGHT - 4, at_y(axes, peaks[j]) + 13, names[j]);
}

static int lower(const void *a, const void *b) {
    double x = ((const struct point *)a)->y, y = ((const struct point *)b)->y;
    return (x > y) - (x < y);
}

static void draw_point(const struct axes *axes, const struct point *point, double label_y, FILE *out) {
    const struct bench_result *r = point->result;
    double x = at_x(axes, point->x), y = at_y(axes, point->y);
    const char *kind = r->test.kind == BENCH_PROMPT ? "pp" : "tg";
    if (r->test.kind == BENCH_PROMPT)
        fprintf(out, "<circle class=\"pp\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>", x, y);
    else
        fprintf(out, "<rect class=\"tg\" x=\"%.1f\" y=\"%.1f\" width=\"7\" height=\"7\"/>", x - 3.5, y - 3.5);
    double label_x = r->test.kind == BENCH_PROMPT ? WIDTH - RIGHT + 10 : x + 14;
    fprintf(out, "<path class=\"lead\" d=\"M%.1f %.1f L%.1f %.1f\"/>", x + 5, y, label_x - 3, label_y);
    fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" font-size=\"11\">%s %u", kind, label_x,
            label_y + 4, kind, r->test.n);
    if (r->test.batch > 1) fprintf(out, " × %u", r->test.batch);
    if (r->test.depth) fprintf(out, " at %u", r->test.depth);
    fprintf(out, ", %u thr, %s: %.0f %%</text>\n", r->threads, cli_kv_name(r->kv),
            100 * (r->memory_share > r->multiply_share ? r->memory_share : r->multiply_share));
}

void bench_plot(const struct bench_report *report, FILE *out) {
    struct axes axes = {0, 2, 0, 2};
    struct point *points = calloc(report->n, sizeof *points);
    size_t n = 0;
    for (size_t i = 0; points && i < report->n; i++) {
        const struct bench_result *r = &report->results[i];
        if (!(r->roof.memory > 0 && r->roof.int8 > 0 && r->roof.f32 > 0 && r->bytes > 0 && r->best > 0))
            continue;
        points[n] = point_of(r);
        widen(&axes.x0, &axes.x1, points[n].x);
        widen(&axes.y0, &axes.y1, points[n].y);
        widen(&axes.y0, &axes.y1, r->roof.int8 / 1e9);
        widen(&axes.x0, &axes.x1, r->roof.int8 / r->roof.memory);
        n++;
    }
    draw_frame(&axes, report, out);
    int n_roofs = 0;
    for (size_t i = 0; i < n; i++)
        if (!i || points[i].result->threads != points[i - 1].result->threads)
            draw_roof(&axes, points[i].result, n_roofs++, out);
    if (points) qsort(points, n, sizeof *points, lower);
    double taken[2] = {HEIGHT, HEIGHT}; /* the label before, of each kind: the next stands a line above it */
    for (size_t i = 0; i < n; i++) {
        double y = at_y(&axes, points[i].y), *before = &taken[points[i].result->test.kind];
        *before = y > *before - LINE ? *before - LINE : y;
        draw_point(&axes, &points[i], *before, out);
    }
    fputs("</svg>\n", out);
    free(points);
}
