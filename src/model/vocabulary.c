/* SPDX-License-Identifier: Apache-2.0
 *
 * vocabulary.c: the keys tokenizer.ggml.* -> what the text room builds a vocabulary from. */
#include "model/model.h"

#include "base/error.h"
#include "base/word.h"

static const struct mote_format_key *find(const struct mote_format_file *file, const char *rest) {
    char name[96];
    size_t n = mote_base_format(name, sizeof name, "tokenizer.ggml.%s", rest);
    return mote_format_find_key(file, (mote_text){name, n});
}

/* An array of strings as views, from the arena. */
static mote_status strings(const struct mote_format_file *file, const char *rest,
                           struct mote_base_arena *arena, const mote_text **views, uint32_t *n,
                           mote_error *error) {
    const struct mote_format_key *key = find(file, rest);
    *views = NULL;
    *n = 0;
    if (!key) return MOTE_OK;
    mote_status status = mote_format_array(file, key, MOTE_FORMAT_STRING, error);
    if (status) return status;
    if (key->n > INT32_MAX)
        return mote_base_fail(error, MOTE_E_FORMAT, key->offset, "key %t has too many elements", key->name);
    mote_text *list = mote_base_arena_take(arena, key->n, sizeof *list);
    if (arena->failed) return MOTE_E_MEMORY;
    if (list) mote_format_strings(key, list);
    *views = list;
    *n = (uint32_t)key->n;
    return MOTE_OK;
}

/* An array of n values beside the tokens, as the bytes of the file; NULL if absent. */
static mote_status beside(const struct mote_format_file *file, const char *rest,
                          enum mote_format_type element, uint32_t n, const uint8_t **bytes,
                          mote_error *error) {
    const struct mote_format_key *key = find(file, rest);
    *bytes = NULL;
    if (!key) return MOTE_OK;
    mote_status status = mote_format_array(file, key, element, error);
    if (status) return status;
    if (key->n != n)
        return mote_base_fail(error, MOTE_E_FORMAT, key->offset, "key %t has %u elements for %u tokens",
                              key->name, key->n, (uint64_t)n);
    *bytes = key->value;
    return MOTE_OK;
}

static mote_status read_id(const struct mote_format_file *file, const char *rest, uint32_t n_tokens,
                           mote_token *id, mote_error *error) {
    const struct mote_format_key *key = find(file, rest);
    uint32_t value;
    *id = MOTE_TOKEN_NONE;
    if (!key) return MOTE_OK;
    mote_status status = mote_format_u32(file, key, &value, error);
    if (status) return status;
    if (value == UINT32_MAX) return MOTE_OK; /* how some files say "none" */
    if (value >= n_tokens)
        return mote_base_fail(error, MOTE_E_FORMAT, key->offset, "key %t is %u, but there are %u tokens",
                              key->name, (uint64_t)value, (uint64_t)n_tokens);
    *id = (mote_token)value;
    return MOTE_OK;
}

static mote_status read_flag(const struct mote_format_file *file, const char *rest, int8_t *flag,
                             mote_error *error) {
    const struct mote_format_key *key = find(file, rest);
    int value;
    *flag = -1;
    if (!key) return MOTE_OK;
    mote_status status = mote_format_bool(file, key, &value, error);
    if (!status) *flag = (int8_t)value;
    return status;
}

enum mote_text_kind mote_model_vocabulary_kind(const struct mote_format_file *file,
                                               const struct mote_format_key *key) {
    mote_text model;
    if (mote_format_string(file, key, &model, NULL)) return 0;
#ifndef MOTE_NO_DECODERS
    if (mote_base_is(model, "llama")) return MOTE_TEXT_SPM;
#endif
    if (mote_base_is(model, "gpt2")) return MOTE_TEXT_BPE;
#ifndef MOTE_NO_ENCODERS
    if (mote_base_is(model, "bert")) return MOTE_TEXT_WPM;
    if (mote_base_is(model, "t5")) return MOTE_TEXT_UNI;
#endif
    return 0;
}

static mote_status read_kind(const struct mote_format_file *file, const struct mote_format_key *key,
                             struct mote_text_source *source, mote_error *error) {
    mote_text model;
    mote_status status = mote_format_string(file, key, &model, error);
    if (status) return status;
    source->kind = mote_model_vocabulary_kind(file, key);
#ifdef MOTE_NO_DECODERS /* which has not the split of files that name none */
    if (source->kind == MOTE_TEXT_BPE && !find(file, "pre")) source->kind = 0;
#endif
    if (!source->kind)
        return mote_base_fail(error, MOTE_E_UNSUPPORTED, key->offset, "tokenizer '%t' is not supported",
                              model);
    const struct mote_format_key *pre = find(file, "pre");
    return pre ? mote_format_string(file, pre, &source->pre, error) : MOTE_OK;
}

struct field {
    const char *rest;
    size_t at; /* in struct mote_text_source */
};

static const struct field ids[] = {
    {"bos_token_id", offsetof(struct mote_text_source, bos)},
    {"eos_token_id", offsetof(struct mote_text_source, eos)},
    {"eot_token_id", offsetof(struct mote_text_source, eot)},
    {"eom_token_id", offsetof(struct mote_text_source, eom)},
    {"unknown_token_id", offsetof(struct mote_text_source, unk)},
    {"seperator_token_id", offsetof(struct mote_text_source, sep)},
    {"padding_token_id", offsetof(struct mote_text_source, pad)},
    {"cls_token_id", offsetof(struct mote_text_source, cls)},
    {"mask_token_id", offsetof(struct mote_text_source, mask)},
};

static const struct field flags[] = {
    {"add_bos_token", offsetof(struct mote_text_source, add_bos)},
    {"add_eos_token", offsetof(struct mote_text_source, add_eos)},
    {"add_space_prefix", offsetof(struct mote_text_source, add_space_prefix)},
    {"remove_extra_whitespaces", offsetof(struct mote_text_source, remove_extra_whitespaces)},
};

#ifndef MOTE_NO_ENCODERS
/* What is done to a text before it is looked up: of WordPiece whether letters keep their case and accents, of
 * Unigram a table. The encoder has no form in between, lower case with accents or the reverse. */
static mote_status read_normalizer(const struct mote_format_file *file, struct mote_text_source *source,
                                   mote_error *error) {
    int8_t lowercase, strip_accents;
    mote_status status = read_flag(file, "normalizer.lowercase", &lowercase, error);
    if (!status) status = read_flag(file, "normalizer.strip_accents", &strip_accents, error);
    if (status) return status;
    int keeps_case = lowercase == 0;
    source->keeps_case = (uint8_t)keeps_case;
    if (strip_accents >= 0 && (strip_accents != 0) == keeps_case)
        return mote_base_fail(error, MOTE_E_UNSUPPORTED, 0, "a tokenizer that takes off %s is not supported",
                              strip_accents ? "accents but not case" : "case but not accents");
    const struct mote_format_key *map = find(file, "precompiled_charsmap");
    if (!map || source->kind != MOTE_TEXT_UNI) return MOTE_OK;
    if ((status = mote_format_array(file, map, MOTE_FORMAT_U8, error))) return status;
    source->charsmap = map->value;
    source->n_charsmap = map->n;
    return MOTE_OK;
}
#endif

mote_status mote_model_vocabulary(const struct mote_format_file *file, struct mote_base_arena *arena,
                                  struct mote_text_source *source, int *present, mote_error *error) {
    const struct mote_format_key *kind = find(file, "model");
    struct mote_text_source s = {.of_encoder = (uint8_t)mote_model_names_encoder(file)};
    mote_status status;
    *present = 0;
    if (!kind) return MOTE_OK;
    if ((status = read_kind(file, kind, &s, error))) return status;
    if ((status = strings(file, "tokens", arena, &s.tokens, &s.n_tokens, error))) return status;
    if (!s.n_tokens)
        return mote_base_fail(error, MOTE_E_FORMAT, kind->offset,
                              "key tokenizer.ggml.tokens is missing or empty");
    if ((status = beside(file, "scores", MOTE_FORMAT_F32, s.n_tokens, &s.scores, error))) return status;
    if ((status = beside(file, "token_type", MOTE_FORMAT_I32, s.n_tokens, &s.types, error))) return status;
    if ((status = strings(file, "merges", arena, &s.merges, &s.n_merges, error))) return status;

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if ((status = read_id(file, ids[i].rest, s.n_tokens, (mote_token *)(void *)((char *)&s + ids[i].at),
                              error)))
            return status;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if ((status = read_flag(file, flags[i].rest, (int8_t *)&s + flags[i].at, error))) return status;
#ifndef MOTE_NO_ENCODERS
    if ((status = read_normalizer(file, &s, error))) return status;
#endif
    *source = s;
    *present = 1;
    return MOTE_OK;
}
