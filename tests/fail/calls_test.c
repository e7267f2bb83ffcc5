/* SPDX-License-Identifier: Apache-2.0
 *
 * calls_test.c: runs the command again and again, and each time another of its calls to the world fails: the
 * first allocation, the second, …, a read, a write, a thread. Whatever fails, the command ends by itself with
 * an exit code of its own, says why, prints nothing wrong and leaves no half-written file behind; and if it
 * says that all went well, then the answer is whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tiny_model.h"

enum { TEXT_MAX = 1 << 16, MOST_CALLS = 3000, SECONDS = 20 };

static char folder[128], mote[512], library[512];

static int sanitized; /* a sanitizer's allocator stands where the preloaded one would */

struct outcome {
    int code; /* exit code, or 256 + signal */
    long n_calls;
    size_t n_out, n_err;
    char out[TEXT_MAX], err[TEXT_MAX];
};

static size_t slurp(const char *name, char *text) {
    FILE *file = fopen(name, "rb");
    if (!file) return 0;
    size_t n = fread(text, 1, TEXT_MAX - 1, file);
    text[n] = '\0';
    fclose(file);
    return n;
}

/* Runs the command in the folder; call number fail_at fails, none for 0. */
static void run(char *const *arguments, const char *input, long fail_at, struct outcome *o) {
    char number[32];
    snprintf(number, sizeof number, "%ld", fail_at);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int in = open(input, O_RDONLY), out = open("out", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        int err = open("err", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (in < 0 || out < 0 || err < 0) _exit(99);
        dup2(in, 0);
        dup2(out, 1);
        dup2(err, 2);
        setenv("LD_PRELOAD", library, 1);
        setenv("MOTE_FAIL_AT", number, 1);
        setenv("MOTE_FAIL_COUNT", "count", 1);
        alarm(SECONDS); /* outlives exec: a command that hangs is ended by a signal, which fails the test */
        execv(mote, arguments);
        _exit(98);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    o->code = WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
    o->n_out = slurp("out", o->out);
    o->n_err = slurp("err", o->err);
    char count[TEXT_MAX];
    o->n_calls = slurp("count", count) ? atol(count) : 0;
}

/* Whether the folder holds an unfinished file: something that only starts with name. */
static int unfinished(const char *name) {
    char command[256];
    snprintf(command, sizeof command, "ls | grep -q '^%s.'", name);
    return system(command) == 0;
}

/* Whether the file is there and is not what it should be. */
static int spoilt(const char *name, const char *made, size_t n_made) {
    static char again[TEXT_MAX];
    struct stat about;
    return stat(name, &about) == 0 && (slurp(name, again) != n_made || memcmp(made, again, n_made) != 0);
}

/* Every call of the command fails once. product: the file it makes, or NULL. */
static void every_call(char *const *arguments, const char *input, const char *product) {
    static struct outcome whole, o;
    static char made[TEXT_MAX];
    if (sanitized) {
        print_message("skipped: the command is built with a sanitizer\n");
        skip();
    }
    run(arguments, input, 0, &whole);
    if (whole.code != 0) fail_msg("without a failure: exit code %d: %s", whole.code, whole.err);
    size_t n_made = product ? slurp(product, made) : 0;
    assert_true(whole.n_calls > 5 && whole.n_calls < MOST_CALLS);
    long n_failed = 0;
    for (long at = 1; at <= whole.n_calls; at++) {
        if (product) unlink(product);
        run(arguments, input, at, &o);
        if (o.code >= 90) fail_msg("%s: call %ld failed: ended with %d: %s", arguments[1], at, o.code, o.err);
        int whole_out = o.n_out == whole.n_out;
        if (o.code && o.n_out && o.out[o.n_out - 1] == '\n') o.n_out--; /* a broken line is ended */
        if (o.n_out > whole.n_out || memcmp(o.out, whole.out, o.n_out) != 0)
            fail_msg("%s: call %ld failed: a wrong answer: %s", arguments[1], at, o.out);
        if (o.code == 0) {
            if (!whole_out) fail_msg("%s: call %ld failed: half an answer, exit code 0", arguments[1], at);
            if (product && access(product, F_OK))
                fail_msg("%s: call %ld failed: no %s, exit code 0", arguments[1], at, product);
        } else {
            n_failed++;
            if (!strstr(o.err, "mote: "))
                fail_msg("%s: call %ld failed: exit code %d, no word of it", arguments[1], at, o.code);
        }
        if (product && (unfinished(product) || spoilt(product, made, n_made)))
            fail_msg("%s: call %ld failed: left half a file", arguments[1], at);
    }
    print_message("measured: %s %s: %ld calls, %ld of them fatal when they fail\n", arguments[0],
                  arguments[1], whole.n_calls, n_failed);
    assert_true(n_failed > 3);
}

#define ARGUMENTS(...) ((char *[]){"mote", __VA_ARGS__, NULL})

static void info(void **state) {
    (void)state;
    every_call(ARGUMENTS("info", "tiny.gguf", "--json", "--keys", "-t", "1"), "/dev/null", NULL);
}

static void answer(void **state) {
    (void)state;
    every_call(
        ARGUMENTS("run", "tiny.gguf", "-p", "some words", "--raw", "--temp", "0", "-n", "5", "-t", "2"),
        "/dev/null", NULL);
}

static void conversation(void **state) {
    (void)state;
    every_call(ARGUMENTS("chat", "tiny.gguf", "--temp", "0", "-n", "3", "-t", "1"), "turns", NULL);
}

static void tokens(void **state) {
    (void)state;
    every_call(ARGUMENTS("tokenize", "tiny.gguf", "--ids"), "turns", NULL);
}

static void perplexity(void **state) {
    (void)state;
    every_call(ARGUMENTS("perplexity", "tiny.gguf", "-f", "turns", "-c", "16", "--logits-sha256", "-t", "1"),
               "/dev/null", NULL);
}

static void conversion(void **state) {
    (void)state;
    every_call(ARGUMENTS("convert", "tiny.bin", "--tokenizer", "tiny.tok", "-o", "made.gguf"), "/dev/null",
               "made.gguf");
}

static void write_file(const char *name, const void *bytes, size_t n) {
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
}

/* A llama2.c checkpoint of one layer and its tokenizer, all weights 0.01. */
static void write_checkpoint(void) {
    enum { D = 8, F = 16, V = 300, CONTEXT = 16, HEADS = 2 };
    const int32_t head[] = {D, F, 1, HEADS, HEADS, V, CONTEXT};
    const uint64_t n = V * D + D + 4 * D * D + D + 3 * D * F + D + 2 * CONTEXT * D / HEADS / 2;
    struct gguf_writer w = {0};
    float weight = 0.01f, score = -1;
    gguf_put(&w, head, sizeof head);
    for (uint64_t i = 0; i < n; i++)
        gguf_put(&w, &weight, 4);
    write_file("tiny.bin", w.bytes, w.n);
    w.n = 0;
    gguf_put_le(&w, 8, 4);
    for (int i = 0; i < V; i++) {
        const char *first[] = {"<unk>", "\n<s>\n", "\n</s>\n"};
        char text[16];
        if (i >= 3 && i < 259)
            snprintf(text, sizeof text, "<0x%02X>", i - 3);
        else
            snprintf(text, sizeof text, "w%d", i);
        const char *piece = i < 3 ? first[i] : text;
        gguf_put(&w, &score, 4);
        gguf_put_le(&w, strlen(piece), 4);
        gguf_put(&w, piece, strlen(piece));
    }
    write_file("tiny.tok", w.bytes, w.n);
    gguf_free(&w);
}

/* Whether the command's file names a sanitizer. */
static int is_sanitized(void) {
    char text[4096];
    size_t n, kept = 0;
    int found = 0;
    FILE *file = fopen(mote, "rb");
    while (file && (n = fread(text + kept, 1, sizeof text - kept, file)) > 0) {
        n += kept;
        found |=
            memmem(text, n, "__asan_", 7) || memmem(text, n, "__tsan_", 7) || memmem(text, n, "__ubsan_", 8);
        kept = n < 8 ? n : 8;
        memmove(text, text + n - kept, kept);
    }
    if (file) fclose(file);
    return found;
}

static int start(void **state) {
    (void)state;
    const char *command = getenv("MOTE"), *build = getenv("BUILD"), *place = getenv("TMPDIR");
    if (!realpath(command ? command : "build/mote", mote)) return -1;
    char path[400];
    snprintf(path, sizeof path, "%s/tests/fail/calls.so", build ? build : "build");
    if (!realpath(path, library)) return -1;
    snprintf(folder, sizeof folder, "%s/mote-fail-XXXXXX", place ? place : P_tmpdir);
    if (!mkdtemp(folder) || chdir(folder)) return -1;
    setenv("HOME", folder, 1);
    sanitized = is_sanitized();
    struct tiny_change quantized = {.quantized = 1};
    struct gguf_writer model = tiny_build(&quantized);
    write_file("tiny.gguf", model.bytes, model.n);
    gguf_free(&model);
    write_file("turns", "one two three\nfour five\n", 24);
    write_checkpoint();
    return 0;
}

static int finish(void **state) {
    (void)state;
    char command[256];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return chdir("/") || system(command) ? -1 : 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info),   cmocka_unit_test(answer),     cmocka_unit_test(conversation),
        cmocka_unit_test(tokens), cmocka_unit_test(perplexity), cmocka_unit_test(conversion),
    };
    return cmocka_run_group_tests_name("calls", tests, start, finish);
}
