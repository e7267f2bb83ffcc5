/* SPDX-License-Identifier: Apache-2.0
 *
 * base_test.c: the arena, checked arithmetic, the byte reader, the list of types, and the text of errors. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/type.h"

/* ---- arena ---- */

static void arena_hands_out_aligned_pieces(void **state) {
    (void)state;
    _Alignas(MOTE_ALIGN) uint8_t block[1024];
    struct mote_base_arena arena;
    uint8_t *end = block;
    mote_base_arena_open(&arena, block, sizeof block);
    for (uint64_t n = 0; n < 8; n++) {
        uint8_t *piece = mote_base_arena_take(&arena, n, 20);
        assert_non_null(piece);
        assert_int_equal((uintptr_t)piece % MOTE_ALIGN, 0);
        assert_true(piece >= end && piece + n * 20 <= block + sizeof block);
        end = piece + n * 20;
    }
    assert_int_equal(arena.used, 12 * 64); /* 0, 20 … 140 bytes, each in steps of 64 */
}

static void arena_counts_what_it_would_hand_out(void **state) {
    (void)state;
    static const uint64_t sizes[] = {1, 63, 64, 65, 0, 1000};
    _Alignas(MOTE_ALIGN) static uint8_t block[2048];
    struct mote_base_arena plan, arena;
    mote_base_arena_open(&plan, NULL, 0);
    for (size_t i = 0; i < 6; i++)
        assert_null(mote_base_arena_take(&plan, sizes[i], 1));
    assert_false(plan.failed);
    mote_base_arena_open(&arena, block, plan.used); /* exactly enough */
    for (size_t i = 0; i < 6; i++)
        assert_non_null(mote_base_arena_take(&arena, sizes[i], 1));
    assert_int_equal(arena.used, plan.used);
    mote_base_arena_open(&arena, block, plan.used - 1); /* one byte short */
    for (size_t i = 0; i < 5; i++)
        assert_non_null(mote_base_arena_take(&arena, sizes[i], 1));
    assert_null(mote_base_arena_take(&arena, sizes[5], 1));
    assert_true(arena.failed);
    assert_null(mote_base_arena_take(&arena, 0, 1)); /* stays failed */
}

static void arena_refuses_overflow_and_misalignment(void **state) {
    (void)state;
    static const uint64_t pairs[][2] = {{UINT64_MAX, 2},
                                        {UINT64_C(1) << 32, UINT64_C(1) << 32},
                                        {UINT64_MAX, 1},
                                        {UINT64_MAX - 62, 1},
                                        {UINT64_MAX / 2, 3}};
    _Alignas(MOTE_ALIGN) uint8_t block[256];
    struct mote_base_arena arena;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        mote_base_arena_open(&arena, NULL, 0);
        assert_null(mote_base_arena_take(&arena, pairs[i][0], pairs[i][1]));
        assert_true(arena.failed);
        mote_base_arena_open(&arena, block, sizeof block);
        assert_null(mote_base_arena_take(&arena, pairs[i][0], pairs[i][1]));
        assert_true(arena.failed);
    }
    mote_base_arena_open(&arena, NULL, 0); /* the sum overflows, not one piece */
    assert_null(mote_base_arena_take(&arena, UINT64_MAX - 127, 1));
    assert_false(arena.failed);
    assert_null(mote_base_arena_take(&arena, 128, 1));
    assert_true(arena.failed);
    mote_base_arena_open(&arena, block + 1, 128);
    assert_null(mote_base_arena_take(&arena, 1, 1));
    assert_true(arena.failed);
}

/* ---- arithmetic and reader ---- */

static void arithmetic_catches_overflow(void **state) {
    (void)state;
    uint64_t out = 42;
    assert_false(mote_base_add(UINT64_MAX, 1, &out));
    assert_false(mote_base_mul(UINT64_C(1) << 32, UINT64_C(1) << 32, &out));
    assert_false(mote_base_round_up(UINT64_MAX - 30, 64, &out));
    assert_int_equal(out, 42); /* untouched */
    assert_true(mote_base_add(UINT64_MAX, 0, &out) && out == UINT64_MAX);
    assert_true(mote_base_mul(UINT64_MAX, 1, &out) && out == UINT64_MAX);
    assert_true(mote_base_mul(0xffffffff, 0x100000001, &out) && out == UINT64_MAX);
    assert_true(mote_base_mul(0, UINT64_MAX, &out) && out == 0);
    assert_true(mote_base_round_up(0, 64, &out) && out == 0);
    assert_true(mote_base_round_up(1, 64, &out) && out == 64);
    assert_true(mote_base_round_up(64, 64, &out) && out == 64);
    assert_true(mote_base_round_up(UINT64_MAX - 63, 64, &out) && out == UINT64_MAX - 63);
}

static void reader_stops_at_the_end(void **state) {
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4, 0xf5, 6, 7, 8, 9, 10, 11, 0xfc, 13};
    struct mote_base_reader reader = {bytes, sizeof bytes, 0};
    const uint8_t *view = NULL;
    uint32_t u32 = 0;
    uint64_t u64 = 0;
    assert_true(mote_base_read_u32(&reader, &u32) && u32 == 0x04030201);
    assert_true(mote_base_read_u64(&reader, &u64) && u64 == 0xfc0b0a09080706f5);
    assert_false(mote_base_read_u32(&reader, &u32));
    assert_false(mote_base_read_u64(&reader, &u64));
    assert_false(mote_base_read(&reader, UINT64_MAX, &view));
    assert_int_equal(reader.at, 12);
    assert_true(mote_base_read(&reader, 1, &view) && *view == 13);
    assert_true(mote_base_read(&reader, 0, &view));
    assert_false(mote_base_read(&reader, 1, &view));
    assert_int_equal(mote_base_u16(bytes + 4), 0x06f5);
}

/* ---- types ---- */

static void types_are_consistent(void **state) {
    (void)state;
    int n = 0;
    for (uint32_t number = 0; number < 1000; number++) {
        const struct mote_base_type_info *info = mote_base_type_describe(number);
        if (!info) continue;
        n++;
        assert_true(number < MOTE_BASE_TYPE_END);
        assert_non_null(info->name);
        if (info->group) {
            assert_true(info->elements == 32 || info->elements == 256);
            assert_true(info->group == 16 || info->group == 32);
            assert_true(info->elements % info->group == 0);
            assert_false(info->offset && info->has_min);
        } else {
            assert_int_equal(info->elements, 1);
        }
    }
    assert_int_equal(n, 25);
    assert_null(mote_base_type_describe(MOTE_BASE_TYPE_END));
    assert_null(mote_base_type_describe(UINT32_MAX));
    assert_null(mote_base_type_describe(4)); /* a type that ggml has dropped */
    assert_string_equal(mote_base_type_describe(MOTE_TYPE_Q4_K)->name, "Q4_K");
}

/* ---- errors ---- */

static void check_format(const char *want, const char *got, size_t n) {
    assert_string_equal(got, want);
    assert_int_equal(n, strlen(want));
}

static void format_knows_its_letters(void **state) {
    (void)state;
    char out[200];
    mote_text text = {"abcdef", 3};
    size_t n = mote_base_format(out, sizeof out, "%s|%t|%%", "one", text);
    check_format("one|abc|%", out, n);
    n = mote_base_format(out, sizeof out, "%u|%d", UINT64_MAX, INT64_MIN);
    check_format("18446744073709551615|-9223372036854775808", out, n);
    n = mote_base_format(out, sizeof out, "%d|%u", -7, 7u);
    check_format("-7|7", out, n);
    n = mote_base_format(out, sizeof out, "%u %d", (uint64_t)0, INT64_MAX);
    check_format("0 9223372036854775807", out, n);
    n = mote_base_format(out, sizeof out, "%f %f", 1.5, -0.0625);
    check_format("1.500 -0.063", out, n);
    n = mote_base_format(out, sizeof out, "%f %f", 0.9996, 1234567.0);
    check_format("1.000 1234567.000", out, n);
    n = mote_base_format(out, sizeof out, "%f", 1e300);
    assert_true(n > 0 && n < 20);
    n = mote_base_format(out, sizeof out, "end%");
    check_format("end", out, n);
    n = mote_base_format(out, sizeof out, "%t", ((mote_text){NULL, 0}));
    check_format("", out, n);
}

static void format_prints_only_what_can_be_seen(void **state) {
    (void)state;
    char out[32];
    mote_text text = {"a\0b\n\x1b\xff~", 7};
    size_t n = mote_base_format(out, sizeof out, "%t%s", text, "\t\xc3");
    check_format("a?b???~??", out, n);
}

static void format_cuts_to_fit(void **state) {
    (void)state;
    char out[8];
    for (size_t size = 1; size <= sizeof out; size++) {
        memset(out, 'x', sizeof out);
        size_t n = mote_base_format(out, size, "%s%u", "ab", (uint64_t)123456789);
        assert_int_equal(n, size - 1);
        assert_int_equal(out[n], '\0');
        assert_memory_equal(out, "ab12345", n);
        for (size_t i = size; i < sizeof out; i++)
            assert_int_equal(out[i], 'x');
    }
}

static void fail_fills_the_error(void **state) {
    (void)state;
    mote_error error = {0};
    assert_int_equal(mote_base_fail(&error, MOTE_E_FORMAT, 77, "tensor '%s' has %u dims", "x", (uint64_t)9),
                     MOTE_E_FORMAT);
    assert_int_equal(error.status, MOTE_E_FORMAT);
    assert_int_equal(error.where, 77);
    assert_string_equal(error.text, "tensor 'x' has 9 dims");
    assert_int_equal(mote_base_fail(NULL, MOTE_E_ROOM, 0, "%s", "nobody listens"), MOTE_E_ROOM);
    assert_int_equal(mote_base_fail(&error, MOTE_E_ROOM, 0, "nothing"), MOTE_E_ROOM);
    assert_string_equal(error.text, "nothing");
    mote_base_fail(&error, MOTE_E_ROOM, 0, "%u %u %u", 1, 2, 3);
    assert_string_equal(error.text, "1 2 3");
    mote_base_fail(&error, MOTE_E_ROOM, 0, "%u %u %u %u", 1, 2, 3, 4);
    assert_string_equal(error.text, "1 2 3 4");
    mote_base_fail(&error, MOTE_E_ROOM, 0, "%u %u %u %u %u", 1, 2, 3, 4, 5);
    assert_string_equal(error.text, "1 2 3 4 5");
    mote_base_fail(&error, MOTE_E_ROOM, 0, "%u %u %u %u %u %u", 1, 2, 3, 4, 5, 6);
    assert_string_equal(error.text, "1 2 3 4 5 6");
    char many[1000];
    memset(many, 'y', sizeof many);
    mote_base_fail(&error, MOTE_E_FORMAT, 0, "%t", ((mote_text){many, sizeof many}));
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
}

static void every_status_has_a_text(void **state) {
    (void)state;
    for (int status = MOTE_E_ROOM; status <= MOTE_OK; status++) {
        assert_non_null(mote_status_text((mote_status)status));
        assert_string_not_equal(mote_status_text((mote_status)status), "unknown status");
    }
    assert_string_equal(mote_status_text((mote_status)-1000), "unknown status");
    assert_string_equal(mote_status_text(MOTE_OK), "success");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_hands_out_aligned_pieces),
        cmocka_unit_test(arena_counts_what_it_would_hand_out),
        cmocka_unit_test(arena_refuses_overflow_and_misalignment),
        cmocka_unit_test(arithmetic_catches_overflow),
        cmocka_unit_test(reader_stops_at_the_end),
        cmocka_unit_test(types_are_consistent),
        cmocka_unit_test(format_knows_its_letters),
        cmocka_unit_test(format_prints_only_what_can_be_seen),
        cmocka_unit_test(format_cuts_to_fit),
        cmocka_unit_test(fail_fills_the_error),
        cmocka_unit_test(every_status_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
