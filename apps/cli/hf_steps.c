/* SPDX-License-Identifier: Apache-2.0
 *
 * hf_steps.c: what tokenizer.json does to a text before and after its model. The three kinds of tokenizer that
 * the core has do fixed things there, with a few switches; each step a file asks for must be one of them:
 *
 *     WordPiece   BertNormalizer, BertPreTokenizer
 *     BPE         no normalizer, or NFC, which is left out as in llama.cpp: composed text is its own; ByteLevel,
 *                 which cuts words as GPT-2
 *     Unigram     Precompiled (a table of replacements), runs of spaces as one; WhitespaceSplit, Metaspace
 *
 * Behind it TemplateProcessing, BertProcessing or RobertaProcessing put one token before the text and one
 * behind it. A step that is none of these is an error: the ids would silently be others. */
#include <stdlib.h>
#include <string.h>

#include "apps/cli/base64.h"
#include "apps/cli/cli.h"
#include "apps/cli/hf_tokenizer.h"

enum { MOST_STEPS = 16 };

struct steps {
    const json_t *list[MOST_STEPS];
    size_t n;
};

/* A step, or the steps of a Sequence. list: their key there. */
static int unfold(const struct cli_hf_tokenizer *t, const char *key, const char *list, struct steps *steps) {
    const json_t *step = json_object_get(t->json.root, key), *inner = json_object_get(step, list);
    const char *type = json_string_value(json_object_get(step, "type"));
    steps->n = 0;
    if (!step || json_is_null(step)) return CLI_OK;
    if (!type) return cli_hf_json_fail(&t->json, "\"%s\" has no \"type\"", key);
    if (strcmp(type, "Sequence") != 0) {
        steps->list[steps->n++] = step;
        return CLI_OK;
    }
    if (!json_is_array(inner) || json_array_size(inner) > MOST_STEPS)
        return cli_hf_json_fail(&t->json, "\"%s\": \"%s\" is not a list of at most %d steps", key, list,
                                MOST_STEPS);
    for (size_t i = 0; i < json_array_size(inner); i++)
        steps->list[steps->n++] = json_array_get(inner, i);
    return CLI_OK;
}

static const char *type_of(const json_t *step) {
    const char *type = json_string_value(json_object_get(step, "type"));
    return type ? type : "";
}

static int is(const json_t *step, const char *type) {
    return !strcmp(type_of(step), type);
}

static int refuse(const struct cli_hf_tokenizer *t, const char *key, const json_t *step) {
    return cli_hf_json_fail(&t->json, "\"%s\": '%.40s' is not supported with this kind of model", key,
                            type_of(step));
}

/* ---- normalizers ---- */

static int read_bert(struct cli_hf_tokenizer *t, const json_t *step) {
    int clean = 1, ideographs = 1;
    int code = cli_hf_json_flag(&t->json, step, "lowercase", &t->lowercase);
    t->strip_accents = t->lowercase;
    if (!code) code = cli_hf_json_flag(&t->json, step, "strip_accents", &t->strip_accents);
    if (!code) code = cli_hf_json_flag(&t->json, step, "clean_text", &clean);
    if (!code) code = cli_hf_json_flag(&t->json, step, "handle_chinese_chars", &ideographs);
    if (!code && (!clean || !ideographs))
        code = cli_hf_json_fail(&t->json, "\"%s\": false is not supported",
                                clean ? "handle_chinese_chars" : "clean_text");
    return code;
}

static int read_charsmap(struct cli_hf_tokenizer *t, const json_t *step) {
    const char *text = NULL;
    int code = cli_hf_json_text(&t->json, step, "precompiled_charsmap", &text);
    if (!code && !cli_base64_decode(text, &t->charsmap))
        code = cli_hf_json_fail(&t->json, "\"precompiled_charsmap\" is not base64");
    return code;
}

/* Replace of two or more spaces by one, or by the ▁ that a space becomes. */
static int is_squeeze(const json_t *step) {
    const char *pattern = json_string_value(json_object_get(json_object_get(step, "pattern"), "Regex"));
    const char *content = json_string_value(json_object_get(step, "content"));
    return is(step, "Replace") && pattern && content && !strcmp(pattern, " {2,}") &&
           (!strcmp(content, " ") || !strcmp(content, "\xe2\x96\x81"));
}

static int read_normalizer(struct cli_hf_tokenizer *t) {
    struct steps steps;
    int code = unfold(t, "normalizer", "normalizers", &steps);
    for (size_t i = 0; i < steps.n && !code; i++) {
        const json_t *step = steps.list[i];
        if (t->kind == CLI_HF_WORDPIECE && is(step, "BertNormalizer"))
            code = read_bert(t, step);
        else if (t->kind == CLI_HF_BYTES && is(step, "NFC"))
            continue;
        else if (t->kind == CLI_HF_UNIGRAM && is(step, "Precompiled") && !t->charsmap.n)
            code = read_charsmap(t, step);
        else if (t->kind == CLI_HF_UNIGRAM && (is_squeeze(step) || is(step, "Strip")))
            t->remove_extra_whitespaces = 1;
        else
            code = refuse(t, "normalizer", step);
    }
    if (!code && t->kind == CLI_HF_WORDPIECE && !steps.n)
        code = cli_hf_json_fail(&t->json, "\"normalizer\" is missing; WordPiece needs BertNormalizer");
    return code;
}

/* ---- words ---- */

static int read_metaspace(struct cli_hf_tokenizer *t, const json_t *step) {
    const char *replacement = "\xe2\x96\x81", *scheme = "";
    t->space_prefix = 1;
    int code = cli_hf_json_text(&t->json, step, "replacement", &replacement);
    if (!code) code = cli_hf_json_text(&t->json, step, "prepend_scheme", &scheme);
    if (!code) code = cli_hf_json_flag(&t->json, step, "add_prefix_space", &t->space_prefix);
    if (*scheme) t->space_prefix = strcmp(scheme, "never") != 0;
    if (!code && strcmp(replacement, "\xe2\x96\x81") != 0)
        code = cli_hf_json_fail(&t->json, "Metaspace: \"replacement\" is not supported");
    return code;
}

static int read_byte_level(struct cli_hf_tokenizer *t, const json_t *step) {
    int cuts = 1;
    int code = cli_hf_json_flag(&t->json, step, "use_regex", &cuts);
    if (!code) code = cli_hf_json_flag(&t->json, step, "add_prefix_space", &t->space_prefix);
    if (!code && !cuts) code = cli_hf_json_fail(&t->json, "ByteLevel: \"use_regex\": false is not supported");
    return code;
}

static int read_words(struct cli_hf_tokenizer *t) {
    struct steps steps;
    int code = unfold(t, "pre_tokenizer", "pretokenizers", &steps);
    size_t n = 0; /* that are what this kind cannot do without */
    for (size_t i = 0; i < steps.n && !code; i++) {
        const json_t *step = steps.list[i];
        if (t->kind == CLI_HF_WORDPIECE && is(step, "BertPreTokenizer"))
            n++;
        else if (t->kind == CLI_HF_BYTES && is(step, "ByteLevel"))
            n++, code = read_byte_level(t, step);
        else if (t->kind == CLI_HF_UNIGRAM && is(step, "Metaspace"))
            n++, code = read_metaspace(t, step);
        else if (t->kind == CLI_HF_UNIGRAM && is(step, "WhitespaceSplit"))
            t->remove_extra_whitespaces = 1;
        else
            code = refuse(t, "pre_tokenizer", step);
    }
    static const char *const needs[] = {"BertPreTokenizer", "ByteLevel", "Metaspace"};
    if (!code && n != 1)
        code = cli_hf_json_fail(&t->json, "\"pre_tokenizer\" needs one %s for this kind of model",
                                needs[t->kind]);
    return code;
}

/* ---- the tokens around a text ---- */

static int take_id(const struct cli_hf_tokenizer *t, const json_t *id, int64_t *out) {
    if (!json_is_integer(id) || json_integer_value(id) < 0 ||
        (uint64_t)json_integer_value(id) >= t->n_tokens || !t->tokens[json_integer_value(id)].text)
        return cli_hf_json_fail(&t->json, "\"post_processor\": a token it adds is not in the vocabulary");
    *out = json_integer_value(id);
    return CLI_OK;
}

/* {"cls": ["[CLS]", 101], "sep": ["[SEP]", 102]} */
static int read_pair(struct cli_hf_tokenizer *t, const json_t *step, int64_t *before, int64_t *behind) {
    int code = take_id(t, json_array_get(json_object_get(step, "cls"), 1), before);
    return code ? code : take_id(t, json_array_get(json_object_get(step, "sep"), 1), behind);
}

/* {"single": [{"SpecialToken": {"id": "[CLS]", …}}, {"Sequence": …}, {"SpecialToken": …}],
 *  "special_tokens": {"[CLS]": {"ids": [101], …}, …}} */
static int read_template(struct cli_hf_tokenizer *t, const json_t *step, int64_t *before, int64_t *behind) {
    const json_t *single = json_object_get(step, "single"), *known = json_object_get(step, "special_tokens");
    int seen = 0, code = CLI_OK;
    for (size_t i = 0; i < json_array_size(single) && !code; i++) {
        const json_t *special = json_object_get(json_array_get(single, i), "SpecialToken");
        const char *name = json_string_value(json_object_get(special, "id"));
        const json_t *ids = json_object_get(name ? json_object_get(known, name) : NULL, "ids");
        int64_t *side = seen ? behind : before;
        if (json_object_get(json_array_get(single, i), "Sequence")) {
            seen++;
        } else {
            code = json_array_size(ids) == 1 && *side == CLI_HF_NO_ID
                       ? take_id(t, json_array_get(ids, 0), side)
                       : cli_hf_json_fail(&t->json,
                                          "\"post_processor\": more than one token on a side of a text, "
                                          "or one that \"special_tokens\" does not have");
        }
    }
    if (!code && seen != 1)
        code = cli_hf_json_fail(&t->json, "\"post_processor\": \"single\" has %d texts", seen);
    return code;
}

static int read_around(struct cli_hf_tokenizer *t) {
    struct steps steps;
    int64_t before = CLI_HF_NO_ID, behind = CLI_HF_NO_ID;
    int code = unfold(t, "post_processor", "processors", &steps);
    for (size_t i = 0; i < steps.n && !code; i++) {
        const json_t *step = steps.list[i];
        if (is(step, "TemplateProcessing"))
            code = read_template(t, step, &before, &behind);
        else if (is(step, "BertProcessing") || is(step, "RobertaProcessing"))
            code = read_pair(t, step, &before, &behind);
        else if (!is(step, "ByteLevel")) /* which only moves offsets */
            code = refuse(t, "post_processor", step);
    }
    t->adds_bos = before != CLI_HF_NO_ID;
    t->adds_eos = behind != CLI_HF_NO_ID;
    t->ids[CLI_HF_BOS] = t->ids[CLI_HF_TOP] = before;
    t->ids[CLI_HF_EOS] = t->ids[CLI_HF_SEP] = behind;
    return code;
}

int cli_hf_steps_read(struct cli_hf_tokenizer *t) {
    int code = read_normalizer(t);
    if (!code) code = read_words(t);
    return code ? code : read_around(t);
}
