/* SPDX-License-Identifier: Apache-2.0
 *
 * search_test.c: what `mote search` is made of, without files: paragraphs, vectors of eight bits, and the reader
 * of an index, which takes any bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/search_index.h"
#include "apps/cli/train_head.h" /* cli_random */

static mote_text text_of(const char *text) {
    return (mote_text){text, strlen(text)};
}

/* ---- paragraphs ---- */

static void expect_paragraphs(const char *text, const char *const *expected, const uint32_t *lines) {
    struct cli_split split = {.text = text_of(text)};
    struct cli_paragraph paragraph;
    for (size_t i = 0; expected[i]; i++) {
        assert_int_equal(cli_split_next(&split, &paragraph), 1);
        assert_int_equal(paragraph.text.n, strlen(expected[i]));
        assert_memory_equal(paragraph.text.data, expected[i], paragraph.text.n);
        assert_int_equal(paragraph.line, lines[i]);
    }
    assert_int_equal(cli_split_next(&split, &paragraph), 0);
    assert_int_equal(cli_split_next(&split, &paragraph), 0);
}

#define LONG "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789"

static void paragraphs_are_between_empty_lines(void **state) {
    (void)state;
    expect_paragraphs(LONG "\n \t\r\n" LONG "\nmore\n\n\n", (const char *[]){LONG, LONG "\nmore", NULL},
                      (uint32_t[]){1, 3});
    expect_paragraphs("\xef\xbb\xbf\n\n  one\r\n", (const char *[]){"one", NULL}, (uint32_t[]){3});
    expect_paragraphs("", (const char *[]){NULL}, NULL);
    expect_paragraphs("\n\n \t\v\f\r", (const char *[]){NULL}, NULL);
    expect_paragraphs("---\n\n***\n\n!!!\n", (const char *[]){NULL}, NULL);
}

static void short_ones_go_with_what_follows(void **state) {
    (void)state;
    expect_paragraphs("# Head\n\n" LONG "\n\n" LONG, (const char *[]){"# Head\n\n" LONG, LONG, NULL},
                      (uint32_t[]){1, 5});
    expect_paragraphs("short\n\n# Head\n\n" LONG, (const char *[]){"short", "# Head\n\n" LONG, NULL},
                      (uint32_t[]){1, 3});
    expect_paragraphs("# Head\n\n## Sub\n\nx", (const char *[]){"# Head\n\n## Sub\n\nx", NULL},
                      (uint32_t[]){1});
}

/* Of any bytes: pieces are in order, none overlaps, none is too long, and all that says something is in one. */
static void check_split(const char *bytes, size_t n) {
    struct cli_split split = {.text = {bytes, n}};
    struct cli_paragraph paragraph;
    size_t end = 0;
    uint32_t line = 1;
    size_t counted = 0;
    while (cli_split_next(&split, &paragraph)) {
        size_t begin = (size_t)(paragraph.text.data - bytes);
        assert_true(paragraph.text.n > 0 && paragraph.text.n <= CLI_PARAGRAPH_MOST);
        assert_true(begin >= end && begin + paragraph.text.n <= n);
        for (size_t i = end; i < begin; i++) /* what lies between */
            assert_false((bytes[i] >= '0' && bytes[i] <= '9') || (bytes[i] >= 'a' && bytes[i] <= 'z'));
        for (; counted < begin; counted++)
            line += bytes[counted] == '\n';
        assert_int_equal(paragraph.line, line);
        end = begin + paragraph.text.n;
    }
    for (size_t i = end; i < n; i++)
        assert_false((bytes[i] >= '0' && bytes[i] <= '9') || (bytes[i] >= 'a' && bytes[i] <= 'z'));
}

static void any_bytes_split_whole(void **state) {
    static const char alphabet[] = "ab9 .\n\n\r\t#-\xc3\xa9\xff";
    uint64_t random = 1;
    char bytes[6000];
    (void)state;
    for (int round = 0; round < 400; round++) {
        size_t n = (size_t)(cli_random(&random) % sizeof bytes),
               kinds = 1 + (size_t)(cli_random(&random) % 14);
        for (size_t i = 0; i < n; i++)
            bytes[i] = alphabet[cli_random(&random) % kinds];
        char *copy = malloc(n + 1); /* so that a read past the end is seen */
        assert_non_null(copy);
        memcpy(copy, bytes, n);
        check_split(copy, n);
        free(copy);
    }
}

static void a_character_is_not_cut(void **state) {
    char bytes[3001];
    (void)state;
    for (size_t i = 0; i < 3000; i += 3)
        memcpy(bytes + i, "\xe6\x97\xa5", 3);
    struct cli_split split = {.text = {bytes, 3000}};
    struct cli_paragraph paragraph;
    size_t total = 0;
    for (; cli_split_next(&split, &paragraph); total += paragraph.text.n)
        assert_int_equal(paragraph.text.n % 3, 0);
    assert_int_equal(total, 3000);
}

static void a_nul_makes_it_binary(void **state) {
    (void)state;
    assert_false(cli_is_binary("", 0));
    assert_false(cli_is_binary("text \xff\x01", 7));
    assert_true(cli_is_binary("te\0t", 4));
}

/* ---- vectors ---- */

static void fill_unit(float *x, uint32_t n, uint64_t *random) {
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        x[i] = (float)((double)(cli_random(random) >> 11) * 0x1p-52 - 1);
        sum += (double)x[i] * (double)x[i];
    }
    for (uint32_t i = 0; i < n; i++)
        x[i] = (float)((double)x[i] / sqrt(sum));
}

static void scores_are_near_the_exact_ones(void **state) {
    static const uint32_t dims[] = {1, 3, 15, 16, 17, 384, 768, CLI_MOST_DIMS};
    static float x[5][CLI_MOST_DIMS], q[CLI_MOST_DIMS];
    static struct cli_query query;
    uint64_t random = 7;
    (void)state;
    for (size_t d = 0; d < sizeof dims / sizeof *dims; d++) {
        uint32_t n = dims[d];
        uint64_t n_bytes = cli_vectors_bytes(5, n);
        unsigned char *block = malloc(n_bytes + 16), *again = malloc(cli_vectors_bytes(2, n));
        float scores[5], one[2];
        assert_true(block && again);
        memset(block + n_bytes, 0xa5, 16);
        fill_unit(q, n, &random);
        for (uint32_t i = 0; i < 5; i++) {
            if (i == 4) /* a vector of zeros */
                memset(x[i], 0, n * sizeof(float));
            else
                fill_unit(x[i], n, &random);
            cli_vectors_put(block, 5, n, i, x[i]);
        }
        for (int k = 0; k < 16; k++)
            assert_int_equal(block[n_bytes + (uint64_t)k], 0xa5);
        cli_query_set(&query, q, n);
        cli_vectors_score(block, 5, n, &query, scores);
        for (uint32_t i = 0; i < 5; i++) {
            double exact = 0;
            for (uint32_t k = 0; k < n; k++)
                exact += (double)x[i][k] * (double)q[k];
            assert_true(fabs(exact - (double)scores[i]) < 0.006);
        }
        assert_true(scores[4] == 0);
        cli_vectors_copy(again, 2, n, 1, block, 5, 2);
        cli_vectors_copy(again, 2, n, 0, block, 5, 4);
        cli_vectors_score(again, 2, n, &query, one);
        assert_true(one[1] == scores[2] && one[0] == 0);
        free(block);
        free(again);
    }
}

static void what_is_no_number_scores_nothing(void **state) {
    static struct cli_query query;
    float x[16] = {NAN, 1, INFINITY}, score;
    unsigned char block[256];
    (void)state;
    assert_true(cli_vectors_bytes(1, 16) <= sizeof block);
    cli_vectors_put(block, 1, 16, 0, x);
    cli_query_set(&query, x, 16);
    cli_vectors_score(block, 1, 16, &query, &score);
    assert_true(score == 0);
    memset(block, 0x80, sizeof block); /* the most that bytes can say */
    for (int i = 0; i < 16; i++)
        x[i] = 1;
    cli_query_set(&query, x, 16);
    cli_vectors_score(block, 1, 16, &query, &score);
    assert_true(isfinite(score));
}

/* ---- the index ---- */

enum { DIMS = 20, ROOM = 1 << 16 };

struct made {
    unsigned char bytes[ROOM];
    size_t n;
};

static void put_record(struct made *made, struct cli_index_record record,
                       const struct cli_paragraph *paragraphs) {
    struct cli_buffer bytes = {0};
    assert_true(cli_index_make(&bytes, &record, paragraphs, DIMS));
    assert_true(made->n + bytes.n <= ROOM);
    memcpy(made->bytes + made->n, bytes.data, bytes.n);
    made->n += bytes.n;
    cli_index_put(made->bytes + 16, made->n, 8);
    cli_buffer_close(&bytes);
}

static void put_file(struct made *made, const char *name, uint32_t part, uint32_t flags, uint32_t n) {
    struct cli_paragraph paragraphs[8];
    for (uint32_t i = 0; i < n; i++)
        paragraphs[i] = (struct cli_paragraph){text_of(&"some text of a paragraph"[i]), i + 1};
    put_record(made,
               (struct cli_index_record){.kind = CLI_INDEX_FILE,
                                         .n = n,
                                         .part = part,
                                         .flags = flags,
                                         .size = 100 + n,
                                         .mtime = -5,
                                         .name = text_of(name)},
               paragraphs);
}

static void begin(struct made *made) {
    memset(made, 0, sizeof *made);
    memcpy(made->bytes, "MOTESRCH", 8);
    cli_index_put(made->bytes + 8, 1, 4);
    cli_index_put(made->bytes + 12, DIMS, 4);
    cli_index_put(made->bytes + 16, CLI_INDEX_HEADER, 8);
    made->n = CLI_INDEX_HEADER;
    for (uint32_t i = 0; i < CLI_INDEX_SETTINGS; i++)
        put_record(made,
                   (struct cli_index_record){.kind = CLI_INDEX_SETTING, .owner = i, .name = text_of("value")},
                   NULL);
    put_record(made, (struct cli_index_record){.kind = CLI_INDEX_FOLDER, .name = text_of("/notes")}, NULL);
}

static void begin_notes(struct made *made) {
    begin(made);
    put_file(made, "b.txt", 0, 0, 3);
    put_file(made, "b.txt", 1, CLI_INDEX_LAST, 2);
    put_file(made, "a.txt", 0, CLI_INDEX_LAST, 4);
    put_file(made, "a.txt", 0, CLI_INDEX_LAST, 1); /* a newer one */
    put_file(made, "c.txt", 0, CLI_INDEX_LAST, 2);
    put_record(made, (struct cli_index_record){.kind = CLI_INDEX_GONE, .name = text_of("c.txt")}, NULL);
    put_file(made, "d.txt", 0, 0, 2); /* not finished */
}

static void the_last_finished_version_counts(void **state) {
    static struct made made;
    struct cli_index index;
    struct cli_index_fault fault;
    struct cli_paragraph paragraph;
    (void)state;
    begin_notes(&made);
    assert_int_equal(cli_index_read(&index, made.bytes, made.n, &fault), 1);
    assert_int_equal(index.n_files, 2);
    assert_int_equal(index.n_paragraphs, 6);
    assert_int_equal(index.n_folders, 1);
    const struct cli_index_file *a = cli_index_find(&index, 0, text_of("a.txt"));
    const struct cli_index_file *b = cli_index_find(&index, 0, text_of("b.txt"));
    assert_true(a && b && a < b);
    assert_int_equal(a->n_parts, 1);
    assert_int_equal(b->n_parts, 2);
    assert_int_equal(index.records[a->first].n, 1);
    assert_int_equal(index.records[a->first].mtime, -5);
    assert_null(cli_index_find(&index, 0, text_of("c.txt")));
    assert_null(cli_index_find(&index, 0, text_of("d.txt")));
    assert_null(cli_index_find(&index, 1, text_of("a.txt")));
    assert_int_equal(index.unfinished.n_parts, 1);
    assert_memory_equal(index.unfinished.name.data, "d.txt", 5);
    assert_int_equal(cli_index_paragraph(&index.records[b->first], 2, &paragraph), 1);
    assert_int_equal(paragraph.line, 3);
    assert_memory_equal(paragraph.text.data, "me text", 7);
    cli_index_close(&index);
}

/* Opens a copy that ends where its memory ends, and looks at all it says. */
static int look(const unsigned char *bytes, size_t n) {
    static struct cli_query query;
    unsigned char *copy = malloc(n ? n : 1);
    struct cli_index index;
    struct cli_index_fault fault;
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    int sound = cli_index_read(&index, copy, n, &fault);
    if (!sound) assert_non_null(fault.text);
    for (size_t f = 0; sound && f < index.n_files; f++)
        for (size_t k = 0; k < index.files[f].n_parts; k++) {
            const struct cli_index_record *record = &index.records[index.files[f].first + k];
            float *scores = malloc((record->n + 1) * sizeof *scores);
            assert_non_null(scores);
            cli_vectors_score(record->vectors, record->n, index.n_dims, &query, scores);
            for (uint32_t i = 0; i < record->n; i++) {
                struct cli_paragraph paragraph;
                volatile char seen = 0;
                if (!cli_index_paragraph(record, i, &paragraph)) continue;
                for (size_t c = 0; c < paragraph.text.n; c++)
                    seen ^= paragraph.text.data[c];
            }
            free(scores);
        }
    cli_index_close(&index);
    free(copy);
    return sound;
}

static void every_cut_is_refused(void **state) {
    static struct made made;
    (void)state;
    begin_notes(&made);
    assert_true(look(made.bytes, made.n));
    for (size_t n = 0; n < made.n; n++)
        assert_false(look(made.bytes, n));
    /* What is behind the part that counts does not. */
    memset(made.bytes + made.n, 0xff, 200);
    assert_true(look(made.bytes, made.n + 200));
}

static void every_byte_may_lie(void **state) {
    static const unsigned char lies[] = {0, 1, 0x7f, 0x80, 0xff};
    static struct made made;
    size_t refused = 0;
    (void)state;
    begin_notes(&made);
    for (size_t at = 0; at < made.n; at++)
        for (size_t k = 0; k < sizeof lies; k++) {
            unsigned char kept = made.bytes[at];
            made.bytes[at] = lies[k];
            refused += !look(made.bytes, made.n);
            made.bytes[at] = kept;
        }
    assert_true(refused > 500);
}

static void wide_numbers_may_lie(void **state) {
    static const uint64_t lies[] = {UINT64_MAX,        UINT64_MAX - 63, UINT64_C(1) << 63,
                                    UINT64_C(1) << 32, 1 << 31,         64};
    static struct made made;
    (void)state;
    begin_notes(&made);
    for (size_t at = 0; at + 8 <= made.n; at += 4)
        for (size_t k = 0; k < sizeof lies / sizeof *lies; k++) {
            unsigned char kept[8];
            memcpy(kept, made.bytes + at, 8);
            cli_index_put(made.bytes + at, lies[k], 8);
            (void)look(made.bytes, made.n);
            memcpy(made.bytes + at, kept, 8);
        }
}

static void parts_must_follow_each_other(void **state) {
    static struct made made;
    (void)state;
    begin(&made);
    put_file(&made, "a.txt", 1, CLI_INDEX_LAST, 1);
    assert_false(look(made.bytes, made.n));
    begin(&made);
    put_file(&made, "a.txt", 0, 0, 1);
    put_file(&made, "b.txt", 1, CLI_INDEX_LAST, 1);
    assert_false(look(made.bytes, made.n));
    begin(&made);
    put_file(&made, "a.txt", 0, 0, 1);
    put_record(&made, (struct cli_index_record){.kind = CLI_INDEX_FOLDER, .name = text_of("/more")}, NULL);
    put_file(&made, "a.txt", 1, CLI_INDEX_LAST, 1);
    assert_false(look(made.bytes, made.n));
    begin(&made);
    put_record(&made, (struct cli_index_record){.kind = CLI_INDEX_FILE, .owner = 1, .flags = CLI_INDEX_LAST},
               NULL);
    assert_false(look(made.bytes, made.n));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paragraphs_are_between_empty_lines),
        cmocka_unit_test(short_ones_go_with_what_follows),
        cmocka_unit_test(any_bytes_split_whole),
        cmocka_unit_test(a_character_is_not_cut),
        cmocka_unit_test(a_nul_makes_it_binary),
        cmocka_unit_test(scores_are_near_the_exact_ones),
        cmocka_unit_test(what_is_no_number_scores_nothing),
        cmocka_unit_test(the_last_finished_version_counts),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(every_byte_may_lie),
        cmocka_unit_test(wide_numbers_may_lie),
        cmocka_unit_test(parts_must_follow_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
