/* SPDX-License-Identifier: Apache-2.0
 *
 * train_head_test.c: what `mote train-head` is made of: tables of text, the gradient of a net against
 * differences of its loss, learning what is known to be learnable, and the same bits with any threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "apps/cli/cli.h"
#include "apps/cli/table.h"
#include "apps/cli/train_head.h"

/* ---- tables ---- */

/* Reads text as a file of that name's kind: "" none, ".csv", ".tsv". */
static int read_table(struct cli_table *table, const char *text, size_t n, const char *end) {
    char path[64];
    *table = (struct cli_table){0};
    int fd = memfd_create("table", 0);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), (ssize_t)n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (*end) { /* a name of its own, by a link */
        char named[64];
        snprintf(named, sizeof named, "/dev/shm/mote-table-test-%d%s", (int)getpid(), end);
        assert_int_equal(symlink(path, named), 0);
        snprintf(path, sizeof path, "%s", named);
    }
    int kept = dup(STDERR_FILENO), code; /* messages are not looked at here */
    fflush(stderr);
    assert_non_null(freopen("/dev/null", "w", stderr));
    code = cli_table_read(table, path);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    if (*end) unlink(path);
    close(fd);
    return code;
}

static void expect_table(const char *text, const char *end, size_t n_columns, const char *const *cells) {
    struct cli_table table;
    size_t n = 0;
    assert_int_equal(read_table(&table, text, strlen(text), end), CLI_OK);
    assert_int_equal(table.n_columns, n_columns);
    for (; cells[n]; n++) {
        assert_true(n / n_columns < table.n_rows);
        mote_text cell = cli_table_cell(&table, n / n_columns, n % n_columns);
        assert_int_equal(cell.n, strlen(cells[n]));
        assert_memory_equal(cell.data, cells[n], cell.n);
    }
    assert_int_equal(table.n_rows * n_columns, n);
    cli_table_close(&table);
}

static void tables_are_read(void **state) {
    (void)state;
    expect_table("a,b\n1,2\n", "", 2, (const char *[]){"a", "b", "1", "2", NULL});
    expect_table("a\tb\r\n1,x\t2\"\r\n\r\n", "", 2, (const char *[]){"a", "b", "1,x", "2\"", NULL});
    expect_table("\xef\xbb\xbf\n\na,\n,\n", "", 2, (const char *[]){"a", "", "", "", NULL});
    expect_table("\"a,\"\"b\"\"\r\nc\",\"\"\n\"\"\"\",6\" nail\n", "", 2,
                 (const char *[]){"a,\"b\"\r\nc", "", "\"", "6\" nail", NULL});
    expect_table("a\tb,c\n", ".csv", 2, (const char *[]){"a\tb", "c", NULL});
    expect_table("\"a\",b\tc", ".tsv", 2, (const char *[]){"\"a\",b", "c", NULL});
    expect_table("only", "", 1, (const char *[]){"only", NULL});
    expect_table("a\rb,c\r", "", 2, (const char *[]){"a\rb", "c", NULL});
}

static void bad_tables_are_refused(void **state) {
    static const char *const bad[] = {"",        "\n\n\n", "a,b\n1\n",      "a,b\n1,2,3\n",
                                      "\"a,b\n", "\"a\"b", "a,\"b\" \nc,d", "\xef\xbb\xbf"};
    struct cli_table table;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(read_table(&table, bad[i], strlen(bad[i]), ""), CLI_FAILED);
        cli_table_close(&table);
    }
}

static void any_bytes_are_a_table_or_none(void **state) {
    static const char alphabet[] = "a,\"\n\r\t\"\"x";
    uint64_t random = 3;
    char text[64];
    (void)state;
    for (int round = 0; round < 3000; round++) {
        size_t n = 1 + (size_t)(cli_random(&random) % sizeof text);
        for (size_t i = 0; i < n; i++)
            text[i] = alphabet[cli_random(&random) % (sizeof alphabet - 1)];
        struct cli_table table;
        if (!read_table(&table, text, n, ""))
            for (size_t i = 0; i < table.n_rows * table.n_columns; i++) {
                assert_true(table.cells[i].data >= table.bytes.data);
                assert_true(table.cells[i].data + table.cells[i].n <= table.bytes.data + table.bytes.n);
            }
        cli_table_close(&table);
    }
}

/* ---- samples ---- */

struct made {
    float *x;
    uint32_t *labels;
    struct cli_samples samples;
};

static double uniform(uint64_t *random) {
    return (double)(cli_random(random) >> 11) * 0x1p-52 - 1; /* [−1, 1) */
}

/* n vectors [n_in]; the label is which of three directions is nearest, or for parity, the sign of x₀ x₁. */
static void make(struct made *made, size_t n, uint32_t n_in, int parity, uint64_t seed) {
    size_t stride = cli_net_stride(n_in);
    made->x = calloc(n * stride, sizeof *made->x);
    made->labels = calloc(n, sizeof *made->labels);
    assert_true(made->x && made->labels);
    for (size_t s = 0; s < n; s++) {
        float *x = made->x + s * stride;
        for (uint32_t i = 0; i < n_in; i++)
            x[i] = (float)uniform(&seed);
        if (parity)
            made->labels[s] = x[0] * x[1] > 0;
        else
            made->labels[s] = x[0] > x[1] && x[0] > x[2] ? 0 : x[1] > x[2] ? 1 : 2;
    }
    made->samples = (struct cli_samples){made->x, made->labels, n};
}

static void drop(struct made *made) {
    free(made->x);
    free(made->labels);
}

/* ---- the gradient ---- */

static void check_gradient(uint32_t n_in, uint32_t n_hidden, const double *weight) {
    struct made made;
    struct cli_net net;
    uint64_t random = 7; /* no sample of these is within a step of a kink of relu */
    make(&made, 37, n_in, 0, 11);
    assert_true(cli_net_open(&net, n_in, n_hidden, 3));
    for (uint32_t k = 0; k < (n_hidden ? 2u : 1u); k++) {
        struct cli_net_layer layer = cli_net_layer(&net, k);
        for (uint32_t r = 0; r < layer.n_rows; r++) {
            layer.bias[r] = (float)uniform(&random);
            for (uint32_t c = 0; c < layer.n_columns; c++)
                layer.weights[r * layer.stride + c] = (float)uniform(&random);
        }
    }
    float *gradient = malloc(net.n_params * sizeof *gradient), *other = malloc(net.n_params * sizeof *other);
    struct cli_gradient *g = cli_gradient_open(&net, &made.samples, weight, NULL, 4);
    assert_true(gradient && other && g);
    cli_gradient_of(g, NULL, 0, gradient);
    size_t looked = 0;
    for (size_t i = 0; i < net.n_params; i++) {
        float kept = net.params[i];
        if (kept == 0) { /* padding: it stays out of everything */
            assert_true(gradient[i] == 0);
            continue;
        }
        net.params[i] = kept + 0.001f;
        double above = cli_gradient_of(g, NULL, 0, other);
        net.params[i] = kept - 0.001f;
        double below = cli_gradient_of(g, NULL, 0, other);
        net.params[i] = kept;
        double slope = (above - below) / ((double)(kept + 0.001f) - (double)(kept - 0.001f));
        assert_true(fabs(slope - (double)gradient[i]) < 0.03 * (1 + fabs(slope)));
        looked++;
    }
    assert_true(looked >= 3 * n_in);
    cli_gradient_close(g);
    free(gradient);
    free(other);
    cli_net_close(&net);
    drop(&made);
}

static void gradients_are_slopes(void **state) {
    static const double weight[] = {0.5, 2, 1.25};
    (void)state;
    check_gradient(5, 0, NULL);
    check_gradient(17, 0, weight);
    check_gradient(5, 7, NULL);
    check_gradient(16, 17, weight);
}

/* ---- learning ---- */

struct passes {
    uint32_t n, stop_at;
};

static int count(void *user, uint32_t epoch, double loss, double held_out_loss) {
    struct passes *passes = user;
    assert_true(isfinite(loss) && isfinite(held_out_loss));
    assert_int_equal(epoch, ++passes->n);
    return passes->stop_at && epoch >= passes->stop_at;
}

static double accuracy(const struct cli_net *net, const struct cli_samples *samples) {
    uint32_t *predicted = calloc(samples->n, sizeof *predicted);
    size_t right = 0;
    double loss;
    assert_non_null(predicted);
    assert_true(cli_net_judge(net, samples, NULL, NULL, predicted, &loss));
    for (size_t i = 0; i < samples->n; i++)
        right += predicted[i] == samples->labels[i];
    free(predicted);
    return (double)right / (double)samples->n;
}

static double learn(uint32_t n_hidden, int parity, const mote_host *host, struct cli_net *net) {
    struct made made, held_out;
    struct passes passes = {0};
    struct cli_fit_result result;
    make(&made, 1500, 6, parity, 21);
    make(&held_out, 500, 6, parity, 22);
    assert_true(cli_net_open(net, 6, n_hidden, parity ? 2 : 3));
    const struct cli_fit_options options = {
        .l2 = 0.01, .n_epochs = 150, .patience = 20, .seed = 4, .seen = count, .user = &passes};
    assert_int_equal(cli_fit(net, &made.samples, &held_out.samples, &options, host, &result), CLI_FIT_DONE);
    assert_int_equal(result.n_epochs, passes.n);
    assert_true(result.best_epoch >= 1 && result.best_epoch <= result.n_epochs);
    double loss;
    assert_true(cli_net_judge(net, &held_out.samples, NULL, host, NULL, &loss));
    assert_true(loss == result.held_out_loss); /* the best was kept, to the bit */
    double share = accuracy(net, &held_out.samples);
    drop(&made);
    drop(&held_out);
    return share;
}

static void what_can_be_learned_is_learned(void **state) {
    struct cli_net net;
    (void)state;
    double linear = learn(0, 0, NULL, &net);
    cli_net_close(&net);
    assert_true(linear > 0.97);
    linear = learn(0, 1, NULL, &net); /* no line divides these */
    cli_net_close(&net);
    assert_true(linear < 0.65);
    double hidden = learn(24, 1, NULL, &net);
    cli_net_close(&net);
    assert_true(hidden > 0.93);
}

static void threads_change_no_bit(void **state) {
    (void)state;
    for (uint32_t n_hidden = 0; n_hidden <= 24; n_hidden += 24) {
        struct cli_net one, two;
        struct mote_posix_host *host = mote_posix_host_open(3, 0);
        assert_non_null(host);
        learn(n_hidden, 0, NULL, &one);
        learn(n_hidden, 0, mote_posix_host_get(host), &two);
        assert_memory_equal(one.params, two.params, one.n_params * sizeof *one.params);
        cli_net_close(&one);
        cli_net_close(&two);
        mote_posix_host_close(host);
    }
}

static void learning_can_be_stopped(void **state) {
    struct made made;
    struct cli_net net;
    struct cli_fit_result result;
    (void)state;
    make(&made, 200, 4, 0, 1);
    for (uint32_t n_hidden = 0; n_hidden < 8; n_hidden += 4) {
        struct passes passes = {.stop_at = 3};
        const struct cli_samples none = {0};
        const struct cli_fit_options options = {
            .n_epochs = 50, .patience = 50, .seed = 1, .seen = count, .user = &passes};
        assert_true(cli_net_open(&net, 4, n_hidden, 3));
        assert_int_equal(cli_fit(&net, &made.samples, &none, &options, NULL, &result), CLI_FIT_STOPPED);
        assert_int_equal(passes.n, 3);
        cli_net_close(&net);
    }
    drop(&made);
}

/* Weights of labels act as that many samples would. */
static void a_weight_is_so_many_samples(void **state) {
    static const double weight[] = {2, 1, 1};
    struct made made;
    struct cli_net once, twice;
    struct cli_fit_result result;
    (void)state;
    make(&made, 300, 4, 0, 31);
    size_t stride = cli_net_stride(4), n = 0;
    float *x = calloc(2 * made.samples.n * stride, sizeof *x);
    uint32_t *labels = calloc(2 * made.samples.n, sizeof *labels);
    assert_true(x && labels);
    for (size_t s = 0; s < made.samples.n; s++)
        for (uint32_t k = 0; k < (made.labels[s] == 0 ? 2u : 1u); k++, n++) {
            memcpy(x + n * stride, made.x + s * stride, stride * sizeof *x);
            labels[n] = made.labels[s];
        }
    const struct cli_samples repeated = {x, labels, n}, none = {0};
    struct cli_fit_options options = {.l2 = 1, .n_epochs = 300, .patience = 300};
    assert_true(cli_net_open(&twice, 4, 0, 3) && cli_net_open(&once, 4, 0, 3));
    assert_int_equal(cli_fit(&twice, &repeated, &none, &options, NULL, &result), CLI_FIT_DONE);
    options.weight = weight;
    assert_int_equal(cli_fit(&once, &made.samples, &none, &options, NULL, &result), CLI_FIT_DONE);
    for (size_t i = 0; i < once.n_params; i++)
        assert_true(fabsf(once.params[i] - twice.params[i]) < 0.02f);
    cli_net_close(&once);
    cli_net_close(&twice);
    free(x);
    free(labels);
    drop(&made);
}

static void shuffling_keeps_all(void **state) {
    uint32_t list[100], seen = 0, moved = 0;
    uint64_t random = 1, again = 1;
    (void)state;
    for (uint32_t i = 0; i < 100; i++)
        list[i] = i;
    cli_shuffle(list, 100, &random);
    for (uint32_t i = 0; i < 100; i++) {
        seen += list[i];
        moved += list[i] != i;
    }
    assert_int_equal(seen, 4950);
    assert_true(moved > 80);
    assert_true(cli_random(&again) == UINT64_C(0x910a2dec89025cc1)); /* of the published generator, seed 1 */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_read),
        cmocka_unit_test(bad_tables_are_refused),
        cmocka_unit_test(any_bytes_are_a_table_or_none),
        cmocka_unit_test(gradients_are_slopes),
        cmocka_unit_test(what_can_be_learned_is_learned),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(learning_can_be_stopped),
        cmocka_unit_test(a_weight_is_so_many_samples),
        cmocka_unit_test(shuffling_keeps_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
