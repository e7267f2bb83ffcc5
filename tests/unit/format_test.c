/* SPDX-License-Identifier: Apache-2.0
 *
 * format_test.c: the GGUF reader on sound files, and on each kind of lie a file can tell. */
#include "tests/gguf_check.h"

#include <stdio.h>
#include <time.h>

/* Reads all that a file offers, as its users would. */
static void walk(const struct mote_format_file *file) {
    char text[64];
    uint64_t seen = 0;
    for (uint64_t i = 0; i < file->n_keys; i++) {
        const struct mote_format_key *key = &file->keys[i];
        assert_ptr_equal(mote_format_find_key(file, key->name), key);
        mote_format_print(key, text, sizeof text);
        assert_true(strlen(text) < sizeof text);
        if (key->element == MOTE_FORMAT_STRING) {
            mote_text *views = calloc(key->n ? key->n : 1, sizeof *views);
            assert_non_null(views);
            mote_format_strings(key, views);
            for (uint64_t s = 0; s < key->n; s++)
                for (size_t b = 0; b < views[s].n; b++)
                    seen += (uint8_t)views[s].data[b];
            free(views);
        }
    }
    for (uint64_t i = 0; i < file->n_tensors; i++) {
        const struct mote_format_tensor *tensor = &file->tensors[i];
        assert_ptr_equal(mote_format_find_tensor(file, tensor->name), tensor);
        assert_ptr_equal(tensor->data, file->bytes + tensor->offset);
        for (uint64_t b = 0; b < tensor->bytes; b++)
            seen += tensor->data[b];
    }
    assert_true(seen < UINT64_MAX);
}

static void accept(struct gguf_writer *w) {
    struct opened o;
    if (open_bytes(&o, w->bytes, w->n)) fail_msg("refused: %s", o.error.text);
    walk(&o.file);
    close_file(&o);
    gguf_free(w);
}

/* ---- files ---- */

/* Keys of each type, three tensors (one quantized), alignment 64. */
static struct gguf_writer good_file(uint32_t version) {
    struct gguf_writer w = {0};
    static const uint64_t dims_64[] = {64};
    gguf_put_header(&w, version, 3, 15);
    gguf_put_key_string(&w, "general.architecture", "llama");
    gguf_put_key_u32(&w, "general.alignment", 64);
    for (uint32_t type = U8; type <= F32; type++) {
        static const unsigned sizes[] = {1, 1, 2, 2, 4, 4, 4};
        char name[] = "k.0";
        name[2] = (char)('0' + type);
        gguf_put_key(&w, name, type);
        gguf_put_le(&w, type == F32 ? 0x3fc00000 : 0xfffffff9, sizes[type]);
    }
    gguf_put_key(&w, "k.bool", BOOL);
    gguf_put_le(&w, 1, 1);
    gguf_put_key(&w, "k.u64", U64);
    gguf_put_le(&w, 1ull << 40, 8);
    gguf_put_key(&w, "k.i64", I64);
    gguf_put_le(&w, (uint64_t)-2, 8);
    gguf_put_key(&w, "k.f64", F64);
    gguf_put_le(&w, 0xbff8000000000000, 8);
    gguf_put_key_array(&w, "k.strings", STRING, 3);
    gguf_put_string(&w, "a");
    gguf_put_string(&w, "");
    gguf_put_string(&w, "\xe2\x96\x81x");
    gguf_put_key_array(&w, "k.floats", F32, 2);
    gguf_put_le(&w, 0x3f800000, 4);
    gguf_put_le(&w, 0xc0000000, 4);
    gguf_put_tensor(&w, "b", 1, dims_64, MOTE_TYPE_Q8_0, 64);
    gguf_put_tensor(&w, "a", 2, dims_4x2, MOTE_TYPE_F32, 0);
    gguf_put_tensor(&w, "c", 2, dims_4x2, MOTE_TYPE_F16, 192);
    gguf_put_padding(&w, 64);
    gguf_put_zeros(&w, 64 + 128 + 16);
    return w;
}

/* ---- sound files ---- */

static mote_text text(const char *s) {
    return (mote_text){s, strlen(s)};
}

static void reads_good_file(void **state) {
    (void)state;
    for (uint32_t version = 2; version <= 3; version++) {
        struct gguf_writer w = good_file(version);
        struct opened o;
        assert_int_equal(open_bytes(&o, w.bytes, w.n), MOTE_OK);
        walk(&o.file);
        assert_int_equal(o.file.version, version);
        assert_int_equal(o.file.alignment, 64);
        assert_int_equal(o.file.data_offset, w.n - 208);
        assert_int_equal(o.file.weights_bytes, 32 + 68 + 16);
        assert_int_equal(o.file.n_parameters, 8 + 64 + 8);
        const struct mote_format_tensor *b = mote_format_find_tensor(&o.file, text("b"));
        assert_non_null(b);
        assert_int_equal(b->type, MOTE_TYPE_Q8_0);
        assert_int_equal(b->bytes, 68);
        assert_int_equal(b->offset, o.file.data_offset + 64);
        assert_int_equal(b->dims[0], 64);
        assert_int_equal(b->dims[3], 1);
        assert_null(mote_format_find_tensor(&o.file, text("d")));
        assert_null(mote_format_find_key(&o.file, text("general.alignmen")));
        assert_null(mote_format_find_key(&o.file, text("")));
        close_file(&o);
        gguf_free(&w);
    }
}

static void reads_file_without_anything(void **state) {
    (void)state;
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, 0, 0);
    accept(&w);
}

static void vocabulary_only_file_needs_no_padding(void **state) {
    (void)state;
    struct gguf_writer w = one_key("general.name", STRING);
    gguf_put_string(&w, "x");
    assert_true(w.n % 32 != 0);
    accept(&w);
}

static void peeks_at_a_key(void **state) {
    (void)state;
    struct gguf_writer w = good_file(3);
    struct mote_format_key key = {.n = 77};
    assert_int_equal(mote_format_peek(w.bytes, w.n, text("k.strings"), &key), 1);
    assert_int_equal(key.n, 3);
    assert_int_equal(key.element, MOTE_FORMAT_STRING);
    key.n = 77;
    assert_int_equal(mote_format_peek(w.bytes, w.n, text("k.string"), &key), 0);
    assert_int_equal(mote_format_peek(w.bytes, 100, text("k.strings"), &key), 0);
    w.bytes[0] = 'X';
    assert_int_equal(mote_format_peek(w.bytes, w.n, text("k.strings"), &key), 0);
    assert_int_equal(key.n, 77);
    gguf_free(&w);
}

static void values_have_their_types(void **state) {
    (void)state;
    struct gguf_writer w = good_file(3);
    struct opened o;
    uint32_t u;
    float f;
    int flag;
    mote_text string, strings[3];
    mote_error error;
    assert_int_equal(open_bytes(&o, w.bytes, w.n), MOTE_OK);
#define KEY(name) mote_format_find_key(&o.file, text(name))
    assert_int_equal(mote_format_u32(&o.file, KEY("k.0"), &u, &error), MOTE_OK);
    assert_int_equal(u, 0xf9);
    assert_int_equal(mote_format_u32(&o.file, KEY("k.2"), &u, &error), MOTE_OK);
    assert_int_equal(u, 0xfff9);
    assert_int_equal(mote_format_u32(&o.file, KEY("k.4"), &u, &error), MOTE_OK);
    assert_int_equal(u, 0xfffffff9);
    static const char *const outside[] = {"k.1", "k.3", "k.5", "k.u64", "k.i64"};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        assert_int_equal(mote_format_u32(&o.file, KEY(outside[i]), &u, &error), MOTE_E_FORMAT);
        assert_int_equal(error.where, KEY(outside[i])->offset);
        assert_non_null(strstr(error.text, outside[i]));
        assert_int_equal(u, 0xfffffff9);
    }
    assert_int_equal(mote_format_u32(&o.file, KEY("k.bool"), &u, &error), MOTE_E_FORMAT);
    assert_int_equal(mote_format_u32(&o.file, KEY("k.floats"), &u, &error), MOTE_E_FORMAT);
    assert_non_null(strstr(error.text, "an array of f32"));
    assert_int_equal(mote_format_f32(&o.file, KEY("k.6"), &f, &error), MOTE_OK);
    assert_true(f == 1.5f);
    assert_int_equal(mote_format_f32(&o.file, KEY("k.4"), &f, &error), MOTE_E_FORMAT);
    assert_int_equal(mote_format_bool(&o.file, KEY("k.bool"), &flag, &error), MOTE_OK);
    assert_int_equal(flag, 1);
    assert_int_equal(mote_format_bool(&o.file, KEY("k.0"), &flag, &error), MOTE_E_FORMAT);
    assert_int_equal(mote_format_string(&o.file, KEY("general.architecture"), &string, &error), MOTE_OK);
    assert_int_equal(string.n, 5);
    assert_memory_equal(string.data, "llama", 5);
    assert_int_equal(mote_format_string(&o.file, KEY("k.strings"), &string, &error), MOTE_E_FORMAT);
    assert_int_equal(mote_format_array(&o.file, KEY("k.strings"), MOTE_FORMAT_STRING, &error), MOTE_OK);
    assert_int_equal(mote_format_array(&o.file, KEY("k.strings"), MOTE_FORMAT_F32, &error), MOTE_E_FORMAT);
    assert_int_equal(mote_format_array(&o.file, KEY("k.6"), MOTE_FORMAT_F32, &error), MOTE_E_FORMAT);
    mote_format_strings(KEY("k.strings"), strings);
    assert_int_equal(strings[0].n, 1);
    assert_int_equal(strings[1].n, 0);
    assert_memory_equal(strings[2].data, "\xe2\x96\x81x", 4);
#undef KEY
    close_file(&o);
    gguf_free(&w);
}

static void expect_print(struct gguf_writer *w, size_t room, const char *expected) {
    struct opened o;
    char out[200];
    memset(out, '#', sizeof out);
    if (open_bytes(&o, w->bytes, w->n)) fail_msg("refused: %s", o.error.text);
    mote_format_print(&o.file.keys[0], out, room);
    assert_string_equal(out, expected);
    assert_int_equal(out[room], '#');
    close_file(&o);
    gguf_free(w);
}

static void prints_floats(void **state) {
    (void)state;
    static const struct {
        uint32_t bits;
        const char *text;
    } cases[] = {
        {0x3f800000, "1"},           {0xbfc00000, "-1.5"},         {0x3727c5ac, "0.00001"},
        {0x461c4000, "10000"},       {0x48f42400, "500000"},       {0x7f800000, "inf"},
        {0xff800000, "-inf"},        {0x7fc00000, "nan"},          {0x00000000, "0"},
        {0x7f7fffff, "3.402823e38"}, {0x00000001, "1.401298e-45"}, {0x3dcccccd, "0.1"},
        {0x3f7fffff, "0.9999999"},   {0x42f6e979, "123.456"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gguf_writer w = one_key("f", F32);
        gguf_put_le(&w, cases[i].bits, 4);
        expect_print(&w, 64, cases[i].text);
    }
}

static void prints_values(void **state) {
    (void)state;
    struct gguf_writer w = one_key("i", I64);
    gguf_put_le(&w, 1ull << 63, 8);
    expect_print(&w, 64, "-9223372036854775808");
    w = one_key("u", U64);
    gguf_put_le(&w, UINT64_MAX, 8);
    expect_print(&w, 64, "18446744073709551615");
    w = one_key("b", BOOL);
    gguf_put_le(&w, 0, 1);
    expect_print(&w, 64, "false");
    w = one_key("s", STRING);
    gguf_put_string(&w, "a\n\x1b[2J\xc3\xa9\xff\xc2\x9b\xed\xa0\x80\xe2\x96\x81");
    expect_print(&w, 64, "a\\n\\x1b[2J\xc3\xa9\\xff\\xc2\\x9b\\xed\\xa0\\x80\xe2\x96\x81");
    w = one_key("s", STRING);
    gguf_put_string(&w, "1234567890\xe2\x96\x81\xe2\x96\x81\xe2\x96\x81");
    expect_print(&w, 16, "1234567890\xe2\x80\xa6"); /* cut between characters, never inside */
    w = one_key("x", ARRAY);
    gguf_put_le(&w, I16, 4);
    gguf_put_le(&w, 9, 8);
    for (int i = 0; i < 9; i++)
        gguf_put_le(&w, (uint64_t)(i - 1), 2);
    expect_print(&w, 64, "i16[9] [-1, 0, 1, 2, 3, 4, 5, 6, \xe2\x80\xa6]");
}

/* ---- the whole file, everywhere ---- */

static void every_prefix_is_refused(void **state) {
    (void)state;
    struct gguf_writer w = good_file(3);
    for (size_t n = 0; n < w.n; n++) {
        struct opened o;
        assert_int_equal(open_bytes(&o, w.bytes, n), MOTE_E_FORMAT);
        assert_true(o.error.text[0] != '\0');
        assert_true(o.error.where <= n);
        close_file(&o);
    }
    gguf_free(&w);
}

static void every_changed_byte_is_survived(void **state) {
    (void)state;
    struct gguf_writer w = good_file(3);
    size_t refused = 0;
    for (size_t at = 0; at < w.n - 208; at++) {
        uint8_t kept = w.bytes[at];
        for (unsigned change = 1; change < 256; change++) {
            struct opened o;
            w.bytes[at] = (uint8_t)(kept ^ change);
            mote_status status = open_bytes(&o, w.bytes, w.n);
            if (status) {
                assert_true(status == MOTE_E_FORMAT || status == MOTE_E_UNSUPPORTED);
                assert_true(o.error.text[0] != '\0');
                refused++;
            } else {
                walk(&o.file);
            }
            close_file(&o);
        }
        w.bytes[at] = kept;
    }
    assert_true(refused > 0);
    gguf_free(&w);
}

static void short_arena_is_refused(void **state) {
    (void)state;
    struct gguf_writer w = good_file(3);
    uint64_t bytes;
    mote_error error;
    struct mote_format_file file;
    struct mote_base_arena arena;
    assert_int_equal(mote_format_plan(w.bytes, w.n, &bytes, &error), MOTE_OK);
    void *block = aligned_alloc(MOTE_ALIGN, bytes);
    assert_non_null(block);
    mote_base_arena_open(&arena, block, bytes - 1);
    assert_int_equal(mote_format_open(w.bytes, w.n, &arena, &file, &error), MOTE_E_MEMORY);
    mote_base_arena_open(&arena, NULL, 0);
    assert_int_equal(mote_format_open(w.bytes, w.n, &arena, &file, NULL), MOTE_E_MEMORY);
    free(block);
    gguf_free(&w);
}

/* Names that would share a bucket of any hash are just names to a sort. */
static void many_names_take_little_time(void **state) {
    (void)state;
    struct gguf_writer w = {0};
    const uint32_t n = 100000;
    gguf_put_header(&w, 3, 0, n);
    for (uint32_t i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "a.shared.prefix.%08u", n - i);
        gguf_put_key(&w, name, U8);
        gguf_put_le(&w, 0, 1);
    }
    clock_t start = clock();
    struct opened o;
    assert_int_equal(open_bytes(&o, w.bytes, w.n), MOTE_OK);
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 10.0);
    close_file(&o);
    gguf_free(&w);
}

/* ---- header ---- */

static void wrong_magic(void **state) {
    (void)state;
    struct gguf_writer w = good_file(3);
    w.bytes[3] = 'M';
    refuse(&w, 0, "magic");
}

static void wrong_versions(void **state) {
    (void)state;
    static const uint32_t versions[] = {0, 1, 4, 0x10003, 0x7fffffff};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        struct gguf_writer w = good_file(versions[i]);
        refuse_at(&w, MOTE_E_UNSUPPORTED, 4, "version");
    }
}

static void big_endian(void **state) {
    (void)state;
    struct gguf_writer w = good_file(0x03000000);
    refuse_at(&w, MOTE_E_UNSUPPORTED, 4, "big-endian");
}

static void counts_that_cannot_fit(void **state) {
    (void)state;
    static const uint64_t counts[] = {UINT64_MAX, 1ull << 63, UINT64_MAX / 56 + 2, 1ull << 32, 100};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct gguf_writer w = {0};
        gguf_put_header(&w, 3, counts[i], 0);
        gguf_put_zeros(&w, 1000);
        refuse(&w, 8, "n_tensors");
        gguf_put_header(&w, 3, 0, counts[i]);
        gguf_put_zeros(&w, 1000);
        refuse(&w, 16, "n_keys");
    }
}

static void counts_that_fit_only_apart(void **state) {
    (void)state;
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, 30, 50);
    gguf_put_zeros(&w, 1000);
    refuse(&w, 16, "n_keys 50 cannot fit");
}

/* ---- keys ---- */

static void key_name_lengths(void **state) {
    (void)state;
    static const uint64_t lengths[] = {0, 65536, UINT64_MAX, UINT64_MAX - 7, 1ull << 63};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct gguf_writer w = {0};
        gguf_put_header(&w, 3, 0, 1);
        gguf_put_le(&w, lengths[i], 8);
        gguf_put_zeros(&w, 64);
        refuse(&w, 24, "name of key 0");
    }
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, 0, 1);
    gguf_put_le(&w, 65, 8);
    gguf_put_zeros(&w, 64);
    refuse(&w, 24, "64 bytes left");
}

static void key_names_that_cannot_be_printed(void **state) {
    (void)state;
    static const char *const names[] = {"a\x1b]0;x", "\xff\xfe", "caf\xc3\xa9", "\n"};
    static const unsigned at[] = {1, 0, 3, 0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct gguf_writer w = one_key(names[i], U8);
        gguf_put_zeros(&w, 8);
        refuse(&w, 32 + at[i], "not printable ASCII");
    }
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, 0, 1);
    gguf_put_le(&w, 3, 8);
    gguf_put(&w, "a\0b", 3);
    gguf_put_le(&w, U8, 4);
    gguf_put_le(&w, 0, 1);
    refuse(&w, 33, "name of key 0, 'a?b'");
}

static void long_key_name_leaves_room_for_the_reason(void **state) {
    (void)state;
    char name[2001];
    memset(name, 'n', 2000);
    name[2000] = '\0';
    struct gguf_writer w = one_key(name, 77);
    gguf_put_zeros(&w, 8);
    refuse(&w, 32 + 2000, "value type 77");
}

static void unknown_value_types(void **state) {
    (void)state;
    static const uint32_t types[] = {13, 255, UINT32_MAX, 1u << 31};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct gguf_writer w = one_key("key", types[i]);
        gguf_put_zeros(&w, 16);
        refuse(&w, 35, "value type");
        w = one_key("key", ARRAY);
        gguf_put_le(&w, types[i], 4);
        gguf_put_zeros(&w, 16);
        refuse(&w, 39, "element type");
    }
}

static void nested_arrays(void **state) {
    (void)state;
    struct gguf_writer w = one_key("key", ARRAY);
    for (int i = 0; i < 10000; i++) {
        gguf_put_le(&w, ARRAY, 4);
        gguf_put_le(&w, 1, 8);
    }
    refuse_at(&w, MOTE_E_UNSUPPORTED, 39, "array of arrays");
}

static void bools_that_are_not(void **state) {
    (void)state;
    struct gguf_writer w = one_key("key", BOOL);
    gguf_put_le(&w, 2, 1);
    refuse(&w, 39, "bool of 'key' is 2");
    w = one_key("key", ARRAY);
    gguf_put_le(&w, BOOL, 4);
    gguf_put_le(&w, 3, 8);
    gguf_put(&w, "\1\0\xff", 3);
    refuse(&w, 53, "bool of 'key' is 255");
}

static void string_lengths(void **state) {
    (void)state;
    static const uint64_t lengths[] = {UINT64_MAX, UINT64_MAX - 8, 1ull << 63, 1ull << 32, 9};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct gguf_writer w = one_key("key", STRING);
        gguf_put_le(&w, lengths[i], 8);
        gguf_put(&w, "12345678", 8);
        refuse(&w, 39, "string 0 of 'key': length");
    }
}

static void array_lengths(void **state) {
    (void)state;
    for (uint32_t element = U8; element <= F64; element++) {
        static const uint64_t lengths[] = {UINT64_MAX, (1ull << 61) + 1, (1ull << 62) + 1, (1ull << 63) + 1,
                                           65};
        if (element == ARRAY) continue;
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            struct gguf_writer w = one_key("key", ARRAY);
            gguf_put_le(&w, element, 4);
            gguf_put_le(&w, lengths[i], 8);
            gguf_put_zeros(&w, 64);
            refuse(&w, 51, "value of 'key'");
        }
    }
}

static void string_inside_array(void **state) {
    (void)state;
    struct gguf_writer w = one_key("key", ARRAY);
    gguf_put_le(&w, STRING, 4);
    gguf_put_le(&w, 3, 8);
    gguf_put_string(&w, "one");
    gguf_put_le(&w, UINT64_MAX, 8);
    gguf_put_zeros(&w, 32);
    refuse(&w, 62, "string 1 of 'key'");
}

static void duplicate_keys(void **state) {
    (void)state;
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, 0, 4);
    gguf_put_key_u32(&w, "same", 1);
    gguf_put_key_u32(&w, "other", 2);
    gguf_put_key_u32(&w, "samf", 2);
    gguf_put_key_string(&w, "same", "x");
    refuse(&w, 24 + 20 + 21 + 20 + 16, "key 'same' is there twice");
}

static void alignments(void **state) {
    (void)state;
    static const uint32_t wrong[] = {0, 3, 33, 48, 1u << 25, 1u << 31, UINT32_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct gguf_writer w = one_key("general.alignment", U32);
        gguf_put_le(&w, wrong[i], 4);
        gguf_put_zeros(&w, 64);
        refuse(&w, 53, "general.alignment");
    }
    struct gguf_writer w = one_key("general.alignment", U64);
    gguf_put_le(&w, 32, 8);
    refuse(&w, 53, "general.alignment is u64");
    w = one_key("general.alignment", ARRAY);
    gguf_put_le(&w, U32, 4);
    gguf_put_le(&w, 0, 8);
    refuse(&w, 65, "general.alignment is array");
    for (uint32_t right = 1; right <= 1u << 24; right *= 2) {
        w = (struct gguf_writer){0};
        gguf_put_header(&w, 3, 0, 1);
        gguf_put_key_u32(&w, "general.alignment", right);
        accept(&w);
    }
}

/* ---- tensors ---- */

static void tensor_name_lengths(void **state) {
    (void)state;
    char name[66];
    memset(name, 't', 65);
    name[65] = '\0';
    struct gguf_writer w = one_tensor(name, 2, dims_4x2, MOTE_TYPE_F32, 0, 32);
    refuse(&w, 24, "name of tensor 0: length 65");
    w = one_tensor("", 2, dims_4x2, MOTE_TYPE_F32, 0, 32);
    refuse(&w, 24, "name of tensor 0: length 0");
    w = one_tensor("t\t", 2, dims_4x2, MOTE_TYPE_F32, 0, 32);
    refuse(&w, 33, "not printable");
    name[64] = '\0';
    w = one_tensor(name, 2, dims_4x2, MOTE_TYPE_F32, 0, 32);
    accept(&w);
}

static void dimension_counts(void **state) {
    (void)state;
    static const uint64_t ones[] = {1, 1, 1, 1, 1};
    struct gguf_writer w = one_tensor("t", 0, ones, MOTE_TYPE_F32, 0, 32);
    refuse(&w, at_n_dims("t"), "n_dims 0 of 't'");
    w = one_tensor("t", 5, ones, MOTE_TYPE_F32, 0, 32);
    refuse(&w, at_n_dims("t"), "n_dims 5 of 't'");
    w = one_tensor("t", 4, ones, MOTE_TYPE_F32, 0, 4);
    accept(&w);
}

static void zero_dimensions(void **state) {
    (void)state;
    for (uint32_t d = 0; d < 4; d++) {
        uint64_t dims[] = {4, 4, 4, 4};
        dims[d] = 0;
        struct gguf_writer w = one_tensor("t", 4, dims, MOTE_TYPE_F32, 0, 256);
        refuse(&w, at_dim("t", d), "of 't' is 0");
    }
}

static void dimension_products(void **state) {
    (void)state;
    static const struct {
        uint64_t dims[3];
        uint32_t at; /* the dimension with which it overflows */
    } cases[] = {
        {{1ull << 32, 1ull << 32, 1}, 1}, {{1ull << 63, 2, 1}, 0},          {{4, 1ull << 61, 1}, 1},
        {{UINT64_MAX, UINT64_MAX, 1}, 0}, {{3, 6148914691236517206, 1}, 1}, {{1 << 20, 1 << 20, 1 << 24}, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gguf_writer w = one_tensor("t", 3, cases[i].dims, MOTE_TYPE_F32, 0, 256);
        refuse(&w, at_dim("t", cases[i].at), "their product overflows");
    }
}

static void sizes_in_bytes(void **state) {
    (void)state;
    static const uint64_t dims[] = {1ull << 62};
    struct gguf_writer w = one_tensor("t", 1, dims, MOTE_TYPE_F32, 0, 256);
    refuse(&w, at_dim("t", 1), "size in bytes of 't' overflows");
}

static void rows_of_broken_blocks(void **state) {
    (void)state;
    for (uint32_t type = 0; type < MOTE_BASE_TYPE_END; type++) {
        const struct mote_base_type_info *info = mote_base_type_describe(type);
        if (!info || info->elements == 1) continue;
        uint64_t dims[] = {info->elements / 2, 4};
        struct gguf_writer w = one_tensor("t", 2, dims, type, 0, 4096);
        refuse(&w, at_dim("t", 2), "block");
        dims[0] = info->elements;
        w = one_tensor("t", 2, dims, type, 0, 4 * (size_t)info->bytes);
        accept(&w);
        w = one_tensor("t", 2, dims, type, 0, 4 * (size_t)info->bytes - 1);
        refuse(&w, 24, "does not lie inside");
    }
}

static void unknown_weight_types(void **state) {
    (void)state;
    static const uint32_t types[] = {4, 5, 15, 24, 31, 36, 40, 255, 1u << 31, UINT32_MAX};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct gguf_writer w = one_tensor("t", 2, dims_4x2, types[i], 0, 256);
        refuse_at(&w, MOTE_E_UNSUPPORTED, at_dim("t", 2), "not one mote reads");
    }
}

static void misaligned_offset(void **state) {
    (void)state;
    struct gguf_writer w = one_tensor("t", 2, dims_4x2, MOTE_TYPE_F32, 16, 256);
    refuse(&w, at_offset("t", 2), "not a multiple of the alignment 32");
}

static void offsets_outside(void **state) {
    (void)state;
    static const uint64_t offsets[] = {32, 1ull << 40, 1ull << 63, UINT64_MAX - 31, UINT64_MAX - 63};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        struct gguf_writer w = one_tensor("t", 2, dims_4x2, MOTE_TYPE_F32, offsets[i], 63);
        refuse(&w, 24, "data of 't'");
    }
}

static struct gguf_writer two_tensors(const char *a, uint64_t a_offset, const char *b, uint64_t b_offset) {
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, 2, 0);
    gguf_put_tensor(&w, a, 2, dims_4x2, MOTE_TYPE_F32, a_offset);
    gguf_put_tensor(&w, b, 2, dims_4x2, MOTE_TYPE_F32, b_offset);
    gguf_put_padding(&w, 32);
    gguf_put_zeros(&w, 64);
    return w;
}

static void overlapping_tensors(void **state) {
    (void)state;
    struct gguf_writer w = two_tensors("a", 0, "b", 0);
    struct opened o;
    assert_int_equal(open_bytes(&o, w.bytes, w.n), MOTE_E_FORMAT);
    assert_non_null(strstr(o.error.text, "overlaps"));
    close_file(&o);
    gguf_free(&w);
    w = two_tensors("a", 32, "b", 0);
    accept(&w);
    /* The longer one begins first and reaches into the second, which the file lists first. */
    static const uint64_t dims_64[] = {64};
    gguf_put_header(&w, 3, 2, 0);
    gguf_put_tensor(&w, "b", 2, dims_4x2, MOTE_TYPE_F32, 32);
    gguf_put_tensor(&w, "a", 1, dims_64, MOTE_TYPE_F32, 0);
    gguf_put_padding(&w, 32);
    gguf_put_zeros(&w, 256);
    refuse(&w, 24, "data of 'b' overlaps 'a'");
}

static void duplicate_tensors(void **state) {
    (void)state;
    struct gguf_writer w = two_tensors("same", 0, "same", 32);
    refuse(&w, 24 + 44, "tensor 'same' is there twice");
}

static void sums_of_sizes(void **state) {
    (void)state;
    static const uint64_t dims[] = {1ull << 60};
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, 5, 0);
    for (int i = 0; i < 5; i++)
        gguf_put_tensor(&w,
                        i == 0   ? "a"
                        : i == 1 ? "b"
                        : i == 2 ? "c"
                        : i == 3 ? "d"
                                 : "e",
                        1, dims, MOTE_TYPE_F32, (uint64_t)i << 62);
    gguf_put_zeros(&w, 256);
    refuse(&w, 24 + 3 * 33, "sum of the tensors' sizes overflows at 'd'");
}

static void padding_past_the_end(void **state) {
    (void)state;
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, 1, 1);
    gguf_put_key_u32(&w, "general.alignment", 1 << 20);
    gguf_put_tensor(&w, "t", 2, dims_4x2, MOTE_TYPE_F32, 0);
    uint64_t end = w.n;
    gguf_put_zeros(&w, 4096);
    refuse(&w, end, "padding");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_good_file),
        cmocka_unit_test(reads_file_without_anything),
        cmocka_unit_test(vocabulary_only_file_needs_no_padding),
        cmocka_unit_test(peeks_at_a_key),
        cmocka_unit_test(values_have_their_types),
        cmocka_unit_test(prints_floats),
        cmocka_unit_test(prints_values),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(every_changed_byte_is_survived),
        cmocka_unit_test(short_arena_is_refused),
        cmocka_unit_test(many_names_take_little_time),
        cmocka_unit_test(wrong_magic),
        cmocka_unit_test(wrong_versions),
        cmocka_unit_test(big_endian),
        cmocka_unit_test(counts_that_cannot_fit),
        cmocka_unit_test(counts_that_fit_only_apart),
        cmocka_unit_test(key_name_lengths),
        cmocka_unit_test(key_names_that_cannot_be_printed),
        cmocka_unit_test(long_key_name_leaves_room_for_the_reason),
        cmocka_unit_test(unknown_value_types),
        cmocka_unit_test(nested_arrays),
        cmocka_unit_test(bools_that_are_not),
        cmocka_unit_test(string_lengths),
        cmocka_unit_test(array_lengths),
        cmocka_unit_test(string_inside_array),
        cmocka_unit_test(duplicate_keys),
        cmocka_unit_test(alignments),
        cmocka_unit_test(tensor_name_lengths),
        cmocka_unit_test(dimension_counts),
        cmocka_unit_test(zero_dimensions),
        cmocka_unit_test(dimension_products),
        cmocka_unit_test(sizes_in_bytes),
        cmocka_unit_test(rows_of_broken_blocks),
        cmocka_unit_test(unknown_weight_types),
        cmocka_unit_test(misaligned_offset),
        cmocka_unit_test(offsets_outside),
        cmocka_unit_test(overlapping_tensors),
        cmocka_unit_test(duplicate_tensors),
        cmocka_unit_test(sums_of_sizes),
        cmocka_unit_test(padding_past_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
