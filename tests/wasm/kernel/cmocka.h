/* SPDX-License-Identifier: Apache-2.0
 *
 * cmocka.h: as much of cmocka as the kernel tests use, for WebAssembly, which cannot jump out of a function:
 * the first failure ends the program. */
#ifndef TESTS_WASM_CMOCKA_H
#define TESTS_WASM_CMOCKA_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

#define cmocka_unit_test(function)                                                                           \
    { #function, function }

#define fail_msg(...)                                                                                        \
    do {                                                                                                     \
        printf("%s:%d: ", __FILE__, __LINE__);                                                               \
        printf(__VA_ARGS__);                                                                                 \
        printf("\n[  FAILED  ] 1 test(s).\n");                                                               \
        exit(1);                                                                                             \
    } while (0)

#define assert_true(condition)                                                                               \
    do {                                                                                                     \
        if (!(condition)) fail_msg("not true: %s", #condition);                                              \
    } while (0)

#define assert_int_equal(a, b)                                                                               \
    do {                                                                                                     \
        int64_t a_ = (int64_t)(a), b_ = (int64_t)(b);                                                        \
        if (a_ != b_) fail_msg("%s: %" PRId64 " is not %" PRId64, #a, a_, b_);                               \
    } while (0)

#define assert_in_range(a, least, most) assert_true((a) >= (least) && (a) <= (most))
#define assert_memory_equal(a, b, n)    assert_true(memcmp(a, b, n) == 0)
#define print_message                   printf

static int skipped_;
#define skip()                                                                                               \
    do {                                                                                                     \
        skipped_++;                                                                                          \
        return;                                                                                              \
    } while (0)

static inline int run_tests_(const struct CMUnitTest *tests, size_t n) {
    for (size_t i = 0; i < n; i++) {
        printf("[ RUN      ] %s\n", tests[i].name);
        tests[i].run(NULL);
    }
    printf("[  PASSED  ] %d test(s).\n", (int)n - skipped_);
    if (skipped_) printf("[  SKIPPED ] %d test(s)\n", skipped_);
    return 0;
}

#define cmocka_run_group_tests(tests, setup, teardown) run_tests_(tests, sizeof(tests) / sizeof *(tests))

#endif
