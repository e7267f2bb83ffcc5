/* SPDX-License-Identifier: Apache-2.0
 *
 * format_cve_test.c: the public vulnerabilities of this format's readers that lie in the directory, each
 * under its number with a file that shows it. Those of vocabularies are tested with the tokenizer. */
#include "tests/gguf_check.h"

/* info->ne: n_dims was trusted to index an array of four. */
static void cve_2024_21802(void **state) {
    (void)state;
    static const uint64_t dims[64] = {1, 1, 1, 1, 0x4141414141414141};
    struct gguf_writer w = one_tensor("t", 64, dims, MOTE_TYPE_F32, 0, 256);
    refuse(&w, at_n_dims("t"), "n_dims 64");
}

/* Arrays of strings: n × size of a string view wrapped. */
static void cve_2024_21825(void **state) {
    (void)state;
    struct gguf_writer w = one_key("key", ARRAY);
    gguf_put_le(&w, STRING, 4);
    gguf_put_le(&w, (1ull << 60) + 1, 8);
    gguf_put_zeros(&w, 256);
    refuse(&w, 51, "cannot fit");
}

/* header.n_tensors × size of an entry wrapped. */
static void cve_2024_21836(void **state) {
    (void)state;
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, UINT64_MAX / 88 + 2, 0);
    gguf_put_zeros(&w, 256);
    refuse(&w, 8, "n_tensors");
}

/* A string's length + 1 wrapped to an allocation of nothing. */
static void cve_2024_23496(void **state) {
    (void)state;
    struct gguf_writer w = one_key("key", STRING);
    gguf_put_le(&w, UINT64_MAX, 8);
    gguf_put_zeros(&w, 256);
    refuse(&w, 39, "length 18446744073709551615");
}

/* header.n_kv × size of a key wrapped. */
static void cve_2024_23605(void **state) {
    (void)state;
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, 0, 0x555555555555556);
    gguf_put_zeros(&w, 256);
    refuse(&w, 16, "n_keys");
}

/* Key count unchecked: more keys than the file can hold. */
static void cve_2024_25664(void **state) {
    (void)state;
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, 0, 0x0fffffff);
    gguf_put_key_u32(&w, "k", 1);
    refuse(&w, 16, "n_keys");
}

/* String of a key name: length + 1 wrapped. */
static void cve_2024_25665(void **state) {
    (void)state;
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, 0, 1);
    gguf_put_le(&w, UINT64_MAX, 8);
    gguf_put_zeros(&w, 256);
    refuse(&w, 24, "name of key 0");
}

/* Tensor count unchecked: more entries than the file can hold. */
static void cve_2024_25666(void **state) {
    (void)state;
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, 0x0fffffff, 0);
    gguf_put_tensor(&w, "t", 2, dims_4x2, MOTE_TYPE_F32, 0);
    refuse(&w, 8, "n_tensors");
}

/* Array of numbers: n × element size wrapped. */
static void cve_2024_25667(void **state) {
    (void)state;
    struct gguf_writer w = one_key("key", ARRAY);
    gguf_put_le(&w, F64, 4);
    gguf_put_le(&w, 0x2000000000000001, 8);
    gguf_put_zeros(&w, 256);
    refuse(&w, 51, "cannot fit");
}

/* Array of strings unpacked past an allocation too small for it. */
static void cve_2024_25668(void **state) {
    (void)state;
    struct gguf_writer w = one_key("key", ARRAY);
    gguf_put_le(&w, STRING, 4);
    gguf_put_le(&w, 0x1000000000000001, 8);
    for (int i = 0; i < 32; i++)
        gguf_put_string(&w, "AAAAAAAA");
    refuse(&w, 51, "cannot fit");
}

/* A failure half-way through the keys freed entries that were never filled. */
static void cve_2024_32878(void **state) {
    (void)state;
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, 0, 3);
    gguf_put_key_u32(&w, "a", 1);
    gguf_put_key_array(&w, "b", 200, 4);
    gguf_put_zeros(&w, 64);
    refuse(&w, 24 + 17 + 13, "element type 200 of 'b'");
}

/* A tensor whose name could not be read was compared all the same, through NULL. */
static void cve_2024_41130(void **state) {
    (void)state;
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, 1, 0);
    gguf_put_le(&w, 0, 8);
    gguf_put_zeros(&w, 64);
    refuse(&w, 24, "name of tensor 0");
    gguf_put_header(&w, 3, 1, 0);
    gguf_put_le(&w, 60, 8);
    gguf_put(&w, "token_embd.weight........", 25);
    refuse(&w, 24, "name of tensor 0: length 60 but 25 bytes left");
}

/* The sum of the tensors' sizes wrapped, so that little was allocated for much. */
static void cve_2025_53630(void **state) {
    (void)state;
    static const uint64_t dims[] = {1ull << 61};
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, 2, 0);
    gguf_put_tensor(&w, "a", 1, dims, MOTE_TYPE_F32, 0);
    gguf_put_tensor(&w, "b", 1, dims, MOTE_TYPE_F32, 1ull << 63);
    gguf_put_zeros(&w, 256);
    refuse(&w, 24 + 33, "sum of the tensors' sizes overflows at 'b'");
}

/* The same once more: the sum fits, adding what comes before it (here: the data's offset) does not. */
static void cve_2026_27940(void **state) {
    (void)state;
    static const uint64_t dims[] = {UINT64_MAX / 2 - 255};
    struct gguf_writer w = one_tensor("t", 1, dims, MOTE_TYPE_F16, 224, 512);
    refuse(&w, 24, "does not lie inside");
}

/* dims whose strides wrap: exabytes of weights on a few bytes of file. */
static void cve_2026_33298(void **state) {
    (void)state;
    static const uint64_t dims[] = {1152, 4398046511105, 1, 4096};
    struct gguf_writer w = one_tensor("token_embd.weight", 4, dims, MOTE_TYPE_F32, 0, 4096);
    refuse(&w, at_dim("token_embd.weight", 3), "product overflows");
    static const uint64_t strides[] = {1024, 1ull << 50};
    w = one_tensor("t", 2, strides, MOTE_TYPE_Q8_0, 0, 4096);
    refuse(&w, 24, "does not lie inside");
}

/* Offset and size reached past the file's end. */
static void cve_2026_7482(void **state) {
    (void)state;
    static const uint64_t dims[] = {1024, 1024};
    struct gguf_writer w = one_tensor("t", 2, dims, MOTE_TYPE_F16, 0, 64);
    refuse(&w, 24, "does not lie inside");
}

/* A file of only the magic. */
static void cve_2024_39720(void **state) {
    (void)state;
    struct gguf_writer w = {0};
    gguf_put(&w, "GGUF", 4);
    refuse(&w, 4, "version");
}

/* An array read past the end of what the file holds. */
static void cve_2024_12055(void **state) {
    (void)state;
    struct gguf_writer w = one_key("tokenizer.ggml.token_type", ARRAY);
    gguf_put_le(&w, I32, 4);
    gguf_put_le(&w, 32000, 8);
    gguf_put_zeros(&w, 128);
    refuse(&w, 73, "cannot fit in the 128 bytes left");
}

/* NULL dereferenced for what a customised file lacks (the advisory names no field): a lookup says NULL, and
 * the values of a file that has nothing are all absent. */
static void cve_2025_0312(void **state) {
    (void)state;
    struct gguf_writer w = {0};
    struct opened o;
    gguf_put_header(&w, 3, 0, 0);
    assert_int_equal(open_bytes(&o, w.bytes, w.n), MOTE_OK);
    static const mote_text name = {"general.architecture", 20}, tensor = {"token_embd.weight", 17};
    assert_null(mote_format_find_key(&o.file, name));
    assert_null(mote_format_find_tensor(&o.file, tensor));
    close_file(&o);
    gguf_free(&w);
}

/* Memory without limit for what the header only promised. */
static void cve_2025_0315(void **state) {
    (void)state;
    struct gguf_writer w = {0};
    gguf_put_header(&w, 3, 0x7fffffffffffffff, 0x7fffffffffffffff);
    gguf_put_zeros(&w, 64);
    refuse(&w, 8, "n_tensors");
}

/* Alignment 0 divided by. */
static void cve_2025_0317(void **state) {
    (void)state;
    struct gguf_writer w = one_key("general.alignment", U32);
    gguf_put_le(&w, 0, 4);
    refuse(&w, 53, "general.alignment 0");
}

/* String lengths of the old version 1 trusted for an allocation. */
static void cve_2025_66960(void **state) {
    (void)state;
    struct gguf_writer w = {0};
    gguf_put(&w, "GGUF", 4);
    gguf_put_le(&w, 1, 4);
    gguf_put_le(&w, 0, 4);
    gguf_put_le(&w, 1, 4);
    gguf_put_le(&w, 0xffffffff, 4);
    gguf_put_zeros(&w, 64);
    refuse_at(&w, MOTE_E_UNSUPPORTED, 4, "version 1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cve_2024_12055), cmocka_unit_test(cve_2024_21802), cmocka_unit_test(cve_2024_21825),
        cmocka_unit_test(cve_2024_21836), cmocka_unit_test(cve_2024_23496), cmocka_unit_test(cve_2024_23605),
        cmocka_unit_test(cve_2024_25664), cmocka_unit_test(cve_2024_25665), cmocka_unit_test(cve_2024_25666),
        cmocka_unit_test(cve_2024_25667), cmocka_unit_test(cve_2024_25668), cmocka_unit_test(cve_2024_32878),
        cmocka_unit_test(cve_2024_39720), cmocka_unit_test(cve_2024_41130), cmocka_unit_test(cve_2025_0312),
        cmocka_unit_test(cve_2025_0315),  cmocka_unit_test(cve_2025_0317),  cmocka_unit_test(cve_2025_53630),
        cmocka_unit_test(cve_2025_66960), cmocka_unit_test(cve_2026_27940), cmocka_unit_test(cve_2026_33298),
        cmocka_unit_test(cve_2026_7482),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
