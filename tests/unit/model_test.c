/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening a model: every key and every tensor that contradicts another is refused by name. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mote/mote.h"
#include "tests/tiny_model.h"

static mote_error error;

/* Opens the changed model and returns what came of it; the text of the failure is in error. */
static mote_status open_changed(struct tiny_change change) {
    struct gguf_writer file = tiny_build(&change);
    const mote_model *model = NULL;
    uint64_t n = 0;
    error = (mote_error){0};
    mote_status status = mote_model_plan(file.bytes, file.n, &n, &error);
    if (!status) {
        void *block = aligned_alloc(MOTE_ALIGN, n);
        assert_non_null(block);
        status = mote_model_open(file.bytes, file.n, block, n, &model, &error);
        assert_int_equal(status == MOTE_OK, model != NULL);
        free(block);
    }
    gguf_free(&file);
    if (status) assert_int_equal(error.status, status);
    return status;
}

static void refused(struct tiny_change change, mote_status status, const char *word) {
    mote_status got = open_changed(change);
    if (got != status || !strstr(error.text, word))
        fail_msg("status %d and \"%s\", not %d and \"%s\"", got, error.text, status, word);
}

static void a_sound_model_opens(void **state) {
    (void)state;
    struct gguf_writer file = tiny_build(NULL);
    const mote_model *model;
    mote_model_info info;
    mote_tensor_info tensor;
    uint64_t n;
    assert_int_equal(mote_model_plan(file.bytes, file.n, &n, NULL), MOTE_OK);
    void *block = aligned_alloc(MOTE_ALIGN, n);
    assert_int_equal(mote_model_open(file.bytes, file.n, block, n, &model, NULL), MOTE_OK);
    mote_model_describe(model, &info);
    assert_int_equal(info.n_model, TINY_D);
    assert_int_equal(info.n_heads, TINY_H);
    assert_int_equal(info.n_kv_heads, TINY_K);
    assert_int_equal(info.n_head_dim, TINY_E);
    assert_int_equal(info.n_ffn, TINY_F);
    assert_int_equal(info.n_layers, TINY_L);
    assert_int_equal(info.n_vocab, TINY_V);
    assert_int_equal(info.n_context, TINY_CONTEXT);
    assert_int_equal(info.bos, 1);
    assert_true(info.has_weights && info.has_tokenizer);
    assert_int_equal(mote_model_tensor(model, 0, &tensor), MOTE_OK);
    assert_memory_equal(tensor.name.data, "token_embd.weight", tensor.name.n);
    assert_string_equal(tensor.type, "F32");
    assert_int_equal(mote_model_tensor(model, info.n_tensors, &tensor), MOTE_E_ARGUMENT);
    free(block);
    gguf_free(&file);
}

static void a_block_one_byte_short_is_refused(void **state) {
    (void)state;
    struct gguf_writer file = tiny_build(NULL);
    const mote_model *model = NULL;
    uint64_t n;
    assert_int_equal(mote_model_plan(file.bytes, file.n, &n, NULL), MOTE_OK);
    uint8_t *block = aligned_alloc(MOTE_ALIGN, n + MOTE_ALIGN);
    for (uint64_t size = 0; size < n; size += size < n - 2000 ? 997 : 1)
        assert_int_equal(mote_model_open(file.bytes, file.n, block, size, &model, &error), MOTE_E_MEMORY);
    assert_int_equal(mote_model_open(file.bytes, file.n, block + 1, n, &model, &error), MOTE_E_MEMORY);
    assert_null(model);
    assert_int_equal(mote_model_open(file.bytes, file.n, block, n, &model, &error), MOTE_OK);
    free(block);
    gguf_free(&file);
    assert_int_equal(open_changed((struct tiny_change){.n_special = 40}), MOTE_OK); /* planned for as well */
}

static void a_file_may_be_only_a_vocabulary(void **state) {
    (void)state;
    assert_int_equal(open_changed((struct tiny_change){.only_tokenizer = 1}), MOTE_OK);
    assert_int_equal(open_changed((struct tiny_change){.no_tokenizer = 1}), MOTE_OK);
    refused((struct tiny_change){.no_tokenizer = 1, .only_tokenizer = 1}, MOTE_E_FORMAT, "neither");
}

static void missing_keys(void **state) {
    (void)state;
    const char *names[] = {"general.architecture",       "llama.embedding_length",
                           "llama.block_count",          "llama.feed_forward_length",
                           "llama.attention.head_count", "llama.attention.layer_norm_rms_epsilon",
                           "llama.context_length"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        refused((struct tiny_change){.without = names[i]}, MOTE_E_FORMAT, names[i]);
}

static void mistyped_keys(void **state) {
    (void)state;
    const char *names[] = {"llama.embedding_length",        "llama.block_count",
                           "llama.feed_forward_length",     "llama.attention.head_count",
                           "llama.attention.head_count_kv", "llama.attention.layer_norm_rms_epsilon",
                           "llama.context_length",          "llama.rope.freq_base"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        refused((struct tiny_change){.mistyped = names[i]}, MOTE_E_FORMAT, names[i]);
}

static void values_out_of_range(void **state) {
    (void)state;
    struct {
        const char *key;
        double value;
        const char *word;
    } cases[] = {
        {"llama.embedding_length", 0, "embedding_length"},
        {"llama.embedding_length", 4294967295.0, "embedding_length"},
        {"llama.embedding_length", 33, "not a multiple"},
        {"llama.embedding_length", 64, "token_embd.weight"},
        {"llama.block_count", 0, "block_count"},
        {"llama.block_count", 4097, "block_count"},
        {"llama.block_count", 4000, "only 21 tensors"},
        {"llama.block_count", 3, "blk.2.attn_norm.weight is missing"},
        {"llama.feed_forward_length", 0, "feed_forward_length"},
        {"llama.feed_forward_length", 65, "ffn_gate.weight is 64 x 32, must be 65 x 32"},
        {"llama.attention.head_count", 0, "head_count"},
        {"llama.attention.head_count", 3, "cannot share"},
        {"llama.attention.head_count_kv", 0, "head_count_kv"},
        {"llama.attention.head_count_kv", 5, "head_count_kv"},
        {"llama.attention.head_count_kv", 3, "cannot share"},
        {"llama.attention.head_count_kv", 4, "attn_k.weight"},
        {"llama.attention.layer_norm_rms_epsilon", 0, "epsilon"},
        {"llama.attention.layer_norm_rms_epsilon", -1, "epsilon"},
        {"llama.attention.layer_norm_rms_epsilon", NAN, "epsilon"},
        {"llama.rope.freq_base", 0, "freq_base"},
        {"llama.rope.freq_base", INFINITY, "freq_base"},
        {"llama.rope.dimension_count", 10, "dimension_count"},
        {"llama.rope.dimension_count", 0, "dimension_count"},
        {"llama.rope.dimension_count", 3, "odd"},
        {"llama.attention.key_length", 9, "rotates 9"},
        {"llama.attention.key_length", 0, "key_length"},
        {"llama.attention.value_length", 9, "heads of 8"},
        {"llama.context_length", 0, "context_length"},
        {"llama.expert_count", 8, "experts"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mote_status status = open_changed((struct tiny_change){.key = cases[i].key, .value = cases[i].value});
        if (status == MOTE_OK || !strstr(error.text, cases[i].word))
            fail_msg("%s = %f: %d \"%s\"", cases[i].key, cases[i].value, status, error.text);
    }
}

static void tensors_missing_or_misshapen(void **state) {
    (void)state;
    const char *names[] = {"token_embd.weight",        "output_norm.weight",    "blk.0.attn_norm.weight",
                           "blk.1.attn_q.weight",      "blk.0.attn_k.weight",   "blk.1.attn_v.weight",
                           "blk.0.attn_output.weight", "blk.1.ffn_norm.weight", "blk.0.ffn_gate.weight",
                           "blk.1.ffn_up.weight",      "blk.1.ffn_down.weight"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        refused((struct tiny_change){.without = names[i]}, MOTE_E_FORMAT, names[i]);
        refused((struct tiny_change){.tensor = names[i], .dims = {TINY_D * 2, 3}}, MOTE_E_FORMAT, names[i]);
    }
    refused((struct tiny_change){.tensor = "output.weight", .dims = {TINY_D, TINY_V - 1}}, MOTE_E_FORMAT,
            "output.weight");
    refused((struct tiny_change){.tensor = "output_norm.weight", .dims = {TINY_D, 1}, .type = 1},
            MOTE_E_UNSUPPORTED, "must be F32");
    assert_int_equal(open_changed((struct tiny_change){.without = "output.weight"}), MOTE_OK); /* tied */
}

static void rope_scaling(void **state) {
    (void)state;
    const char *type = "llama.rope.scaling.type";
    assert_int_equal(open_changed((struct tiny_change){.add_string = type, .string = "linear"}), MOTE_OK);
    assert_int_equal(open_changed((struct tiny_change){.add_string = type, .string = "yarn"}), MOTE_OK);
    assert_int_equal(open_changed((struct tiny_change){.add_string = type, .string = "none"}), MOTE_OK);
    assert_int_equal(open_changed((struct tiny_change){.rope_factor = 8}), MOTE_OK);
    refused((struct tiny_change){.add_string = type, .string = "longrope"}, MOTE_E_UNSUPPORTED, "longrope");
    refused(
        (struct tiny_change){
            .add_string = type, .string = "yarn", .key = "llama.rope.scaling.factor", .value = 0},
        MOTE_E_FORMAT, "scaling.factor");
    refused((struct tiny_change){.rope_factor = -1}, MOTE_E_FORMAT, "rope_freqs.weight");
    refused((struct tiny_change){.rope_factor = 1e-20f}, MOTE_E_FORMAT, "rope_freqs.weight");
}

static void other_contradictions(void **state) {
    (void)state;
    refused((struct tiny_change){.add_string = "general.architecture", .string = "mamba"}, MOTE_E_UNSUPPORTED,
            "mamba");
    refused((struct tiny_change){.n_tokens = TINY_V + 1}, MOTE_E_FORMAT, "301 tokens");
    assert_int_equal(open_changed((struct tiny_change){.n_tokens = TINY_V - 1}), MOTE_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_model_opens),
        cmocka_unit_test(a_block_one_byte_short_is_refused),
        cmocka_unit_test(a_file_may_be_only_a_vocabulary),
        cmocka_unit_test(missing_keys),
        cmocka_unit_test(mistyped_keys),
        cmocka_unit_test(values_out_of_range),
        cmocka_unit_test(tensors_missing_or_misshapen),
        cmocka_unit_test(rope_scaling),
        cmocka_unit_test(other_contradictions),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
