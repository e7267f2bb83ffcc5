/* SPDX-License-Identifier: Apache-2.0
 *
 * hf_tokenizer.c: the vocabulary of tokenizer.json:
 *
 *     "model"         WordPiece {"vocab": {token: id}, "unk_token", "continuing_subword_prefix"}
 *                     BPE       {"vocab": {token: id}, "merges": ["a b", …] or [["a", "b"], …]}
 *                     Unigram   {"vocab": [[token, score], …], "unk_id", "byte_fallback"}
 *     "added_tokens"  [{"id", "content", "special", …}]    may repeat entries of the vocabulary
 *
 * GGUF has one list in the order of ids, each with a type. An id without a token gets a name of its own,
 * "[PAD7]", and the type UNUSED; an id with two, or one beyond the model's embeddings, is an error. WordPiece
 * marks what goes on inside a word ("##ing"); GGUF marks what begins one ("▁ing"), so marks are exchanged. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/cli.h"
#include "apps/cli/hf_tokenizer.h"

enum { MOST_TOKENIZER = 64 << 20, MOST_NOTES = 16 << 20, MOST_TOKEN = 4096 };

static int fail(const struct cli_hf_tokenizer *t, const char *what, const char *token) {
    return cli_hf_json_fail(&t->json, "token \"%.60s\": %s", token, what);
}

/* Gives an id its token. again: it may have the same one already. */
static int place(struct cli_hf_tokenizer *t, const char *text, size_t n, json_int_t id, int again) {
    if (id < 0 || (uint64_t)id >= t->n_tokens)
        return cli_hf_json_fail(
            &t->json, "token \"%.60s\": its id %lld is not below \"vocab_size\" of config.json, %llu", text,
            (long long)id, (unsigned long long)t->n_tokens);
    struct cli_hf_token *token = &t->tokens[id];
    if (token->text && (!again || token->n != n || memcmp(token->text, text, n) != 0))
        return cli_hf_json_fail(&t->json, "id %lld belongs to two tokens, \"%.60s\" and \"%.60s\"",
                                (long long)id, token->text, text);
    if (n == 0 || n > MOST_TOKEN) return fail(t, "it is empty or longer than 4096 bytes", text);
    token->text = text;
    token->n = n;
    if (!again) token->type = CLI_HF_NORMAL;
    return CLI_OK;
}

/* {token: id} */
static int read_names(struct cli_hf_tokenizer *t, json_t *vocab) {
    const char *text;
    json_t *id;
    int code = json_is_object(vocab) ? CLI_OK : cli_hf_json_fail(&t->json, "\"vocab\" is not an object");
    if (code) return code;
    json_object_foreach(vocab, text, id) {
        if (!json_is_integer(id)) return fail(t, "its id is no whole number", text);
        code = place(t, text, strlen(text), json_integer_value(id), 0);
        if (code) return code;
    }
    return CLI_OK;
}

static int is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

static int is_byte(const struct cli_hf_token *token) {
    const char *text = token->text;
    return token->n == 6 && !memcmp(text, "<0x", 3) && is_hex(text[3]) && is_hex(text[4]) && text[5] == '>';
}

/* [[token, score], …] */
static int read_pieces(struct cli_hf_tokenizer *t, const json_t *model) {
    const json_t *vocab = json_object_get(model, "vocab");
    uint64_t unk = UINT64_MAX - 1;
    int has_bytes = 0;
    int code = cli_hf_json_flag(&t->json, model, "byte_fallback", &has_bytes);
    if (!code) code = cli_hf_json_count(&t->json, model, "unk_id", 0, UINT32_MAX, &unk);
    if (!code && !json_is_array(vocab)) code = cli_hf_json_fail(&t->json, "\"vocab\" is not a list");
    for (size_t i = 0; i < json_array_size(vocab) && !code; i++) {
        const json_t *pair = json_array_get(vocab, i), *text = json_array_get(pair, 0);
        const json_t *score = json_array_get(pair, 1);
        if (json_array_size(pair) != 2 || !json_is_string(text) || !json_is_number(score))
            return cli_hf_json_fail(&t->json, "\"vocab\": entry %zu is not [token, score]", i);
        code = place(t, json_string_value(text), json_string_length(text), (json_int_t)i, 0);
        if (code) return code;
        double value = json_number_value(score);
        if (!(value >= -1e30 && value <= 1e30))
            return fail(t, "its score is too large", json_string_value(text));
        t->tokens[i].score = (float)value;
        if (i == unk) t->tokens[i].type = CLI_HF_UNKNOWN;
        if (has_bytes && is_byte(&t->tokens[i])) t->tokens[i].type = CLI_HF_BYTE;
    }
    if (!code && unk < t->n_tokens && t->tokens[unk].text) t->ids[CLI_HF_UNK] = (int64_t)unk;
    return code;
}

static int read_merges(struct cli_hf_tokenizer *t, const json_t *model) {
    t->merges = json_object_get(model, "merges");
    if (!json_is_array(t->merges)) return cli_hf_json_fail(&t->json, "\"merges\" is not a list");
    for (size_t i = 0; i < json_array_size(t->merges); i++) {
        const json_t *merge = json_array_get(t->merges, i);
        const char *whole = json_string_value(merge), *space = whole ? strchr(whole, ' ') : NULL;
        const char *left = json_string_value(json_array_get(merge, 0));
        const char *right = json_string_value(json_array_get(merge, 1));
        int fine = whole ? space && space > whole && space[1] && !strchr(space + 1, ' ')
                         : json_array_size(merge) == 2 && left && right && *left && *right &&
                               !strchr(left, ' ') && !strchr(right, ' ');
        if (!fine) return cli_hf_json_fail(&t->json, "\"merges\": entry %zu is not two tokens", i);
    }
    return CLI_OK;
}

/* Old files do not say which kind their model is; its members tell. */
static const char *kind_of(const json_t *model) {
    const char *type = json_string_value(json_object_get(model, "type"));
    if (type) return type;
    if (json_object_get(model, "merges")) return "BPE";
    return json_is_array(json_object_get(model, "vocab")) ? "Unigram" : "WordPiece";
}

static int read_model(struct cli_hf_tokenizer *t) {
    const json_t *model = json_object_get(t->json.root, "model");
    const char *kind = kind_of(model), *prefix = "##", *unk = "[UNK]";
    json_t *vocab = json_object_get(model, "vocab");
    if (!json_is_object(model)) return cli_hf_json_fail(&t->json, "\"model\" is not an object");
    if (!strcmp(kind, "Unigram")) {
        t->kind = CLI_HF_UNIGRAM;
        return read_pieces(t, model);
    }
    int code = read_names(t, vocab);
    if (code) return code;
    if (!strcmp(kind, "BPE")) {
        t->kind = CLI_HF_BYTES;
        return read_merges(t, model);
    }
    if (strcmp(kind, "WordPiece") != 0)
        return cli_hf_json_fail(&t->json, "\"model\": type '%.40s' is not supported", kind);
    t->kind = CLI_HF_WORDPIECE;
    code = cli_hf_json_text(&t->json, model, "continuing_subword_prefix", &prefix);
    if (!code) code = cli_hf_json_text(&t->json, model, "unk_token", &unk);
    if (!code && strcmp(prefix, "##") != 0)
        code = cli_hf_json_fail(&t->json, "\"continuing_subword_prefix\": '%.40s' is not supported", prefix);
    if (!code) t->ids[CLI_HF_UNK] = cli_hf_tokenizer_find(t, unk);
    return code;
}

static int read_added(struct cli_hf_tokenizer *t) {
    const json_t *added = json_object_get(t->json.root, "added_tokens");
    if (added && !json_is_array(added)) return cli_hf_json_fail(&t->json, "\"added_tokens\" is not a list");
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *entry = json_array_get(added, i), *content = json_object_get(entry, "content");
        const json_t *id = json_object_get(entry, "id");
        int special = 0, code = cli_hf_json_flag(&t->json, entry, "special", &special);
        if (!code && (!json_is_string(content) || !json_is_integer(id)))
            code = cli_hf_json_fail(&t->json, "\"added_tokens\": entry %zu has no \"content\" and \"id\"", i);
        if (!code)
            code =
                place(t, json_string_value(content), json_string_length(content), json_integer_value(id), 1);
        if (code) return code;
        struct cli_hf_token *token = &t->tokens[json_integer_value(id)];
        if (token->type != CLI_HF_UNKNOWN) token->type = special ? CLI_HF_CONTROL : CLI_HF_USER_DEFINED;
    }
    return CLI_OK;
}

int64_t cli_hf_tokenizer_find(const struct cli_hf_tokenizer *t, const char *text) {
    const json_t *id =
        json_object_get(json_object_get(json_object_get(t->json.root, "model"), "vocab"), text);
    if (json_is_integer(id)) return json_integer_value(id); /* placed, so in range */
    size_t n = strlen(text);
    for (uint64_t i = 0; i < t->n_tokens; i++)
        if (t->tokens[i].text && t->tokens[i].n == n && !memcmp(t->tokens[i].text, text, n))
            return (int64_t)i;
    return CLI_HF_NO_ID;
}

/* ---- roles ---- */

struct role {
    const char *file, *key; /* in tokenizer_config.json and special_tokens_map.json; in GGUF */
    const char *usual[3];
};

static const struct role roles[CLI_HF_ROLES] = {
    [CLI_HF_BOS] = {"bos_token", "tokenizer.ggml.bos_token_id", {"<s>"}},
    [CLI_HF_EOS] = {"eos_token", "tokenizer.ggml.eos_token_id", {"</s>"}},
    [CLI_HF_UNK] = {"unk_token", "tokenizer.ggml.unknown_token_id", {"[UNK]", "<unk>"}},
    [CLI_HF_SEP] = {"sep_token", "tokenizer.ggml.seperator_token_id", {"[SEP]", "</s>"}}, /* spelt so there */
    [CLI_HF_PAD] = {"pad_token", "tokenizer.ggml.padding_token_id", {"[PAD]", "<pad>"}},
    [CLI_HF_TOP] = {"cls_token", "tokenizer.ggml.cls_token_id", {"[CLS]", "<s>"}},
    [CLI_HF_MASK] = {"mask_token", "tokenizer.ggml.mask_token_id", {"[MASK]", "<mask>"}},
};

/* A token as these files have it: its text, or an object with "content". */
static const char *named(const struct cli_hf_json *notes, const char *key) {
    const json_t *value = json_object_get(notes->root, key);
    const json_t *content = json_object_get(value, "content");
    return json_string_value(content ? content : value);
}

/* What tokenizer.json itself has not told. */
static void read_roles(struct cli_hf_tokenizer *t, const struct cli_hf_json *notes, size_t n_notes) {
    for (int r = 0; r < CLI_HF_ROLES; r++) {
        for (size_t i = 0; i < n_notes && t->ids[r] == CLI_HF_NO_ID; i++) {
            const char *text = named(&notes[i], roles[r].file);
            if (text) t->ids[r] = cli_hf_tokenizer_find(t, text);
        }
        for (int i = 0; i < 3 && roles[r].usual[i] && t->ids[r] == CLI_HF_NO_ID; i++)
            t->ids[r] = cli_hf_tokenizer_find(t, roles[r].usual[i]);
    }
}

static int read_notes(struct cli_hf_tokenizer *t, const char *folder) {
    struct cli_hf_json notes[2] = {{0}};
    int code = cli_hf_json_open(&notes[0], folder, "tokenizer_config.json", MOST_NOTES, 1);
    if (!code) code = cli_hf_json_open(&notes[1], folder, "special_tokens_map.json", MOST_NOTES, 1);
    if (!code) read_roles(t, notes, 2);
    cli_hf_json_close(&notes[0]);
    cli_hf_json_close(&notes[1]);
    return code;
}

int cli_hf_tokenizer_open(struct cli_hf_tokenizer *t, const char *folder, uint64_t n_tokens) {
    *t = (struct cli_hf_tokenizer){.n_tokens = n_tokens};
    for (int r = 0; r < CLI_HF_ROLES; r++)
        t->ids[r] = CLI_HF_NO_ID;
    t->tokens = calloc((size_t)n_tokens, sizeof *t->tokens);
    if (!t->tokens) return cli_fail(CLI_MEMORY, "not enough memory");
    int code = cli_hf_json_open(&t->json, folder, "tokenizer.json", MOST_TOKENIZER, 0);
    if (!code) code = read_model(t);
    if (!code) code = read_added(t);
    if (!code) code = cli_hf_steps_read(t);
    return code ? code : read_notes(t, folder);
}

void cli_hf_tokenizer_close(struct cli_hf_tokenizer *t) {
    free(t->tokens);
    cli_buffer_close(&t->charsmap);
    cli_hf_json_close(&t->json);
}

/* ---- GGUF ---- */

static void put_token(struct cli_gguf *w, const struct cli_hf_tokenizer *t, uint64_t id) {
    static const char word_start[] = "\xe2\x96\x81";
    const struct cli_hf_token *token = &t->tokens[id];
    char name[32];
    if (!token->text) {
        int n = snprintf(name, sizeof name, "[PAD%llu]", (unsigned long long)id);
        cli_gguf_put_string(w, name, (size_t)n);
    } else if (t->kind != CLI_HF_WORDPIECE || token->type != CLI_HF_NORMAL) {
        cli_gguf_put_string(w, token->text, token->n);
    } else if (token->n > 2 && !memcmp(token->text, "##", 2)) {
        cli_gguf_put_string(w, token->text + 2, token->n - 2);
    } else {
        cli_gguf_put_u64(w, token->n + 3);
        cli_gguf_put(w, word_start, 3);
        cli_gguf_put(w, token->text, token->n);
    }
}

static void put_flag(struct cli_gguf *w, const char *name, int value) {
    unsigned char byte = value != 0;
    cli_gguf_key(w, name, CLI_GGUF_BOOL);
    cli_gguf_put(w, &byte, 1);
}

static void put_merges(struct cli_gguf *w, const json_t *merges) {
    cli_gguf_key_array(w, "tokenizer.ggml.merges", CLI_GGUF_STRING, json_array_size(merges));
    for (size_t i = 0; i < json_array_size(merges); i++) {
        const json_t *merge = json_array_get(merges, i), *pair[2];
        if (json_is_string(merge)) {
            cli_gguf_put_string(w, json_string_value(merge), json_string_length(merge));
            continue;
        }
        for (size_t k = 0; k < 2; k++)
            pair[k] = json_array_get(merge, k);
        cli_gguf_put_u64(w, json_string_length(pair[0]) + 1 + json_string_length(pair[1]));
        cli_gguf_put(w, json_string_value(pair[0]), json_string_length(pair[0]));
        cli_gguf_put(w, " ", 1);
        cli_gguf_put(w, json_string_value(pair[1]), json_string_length(pair[1]));
    }
}

static void put_kind(struct cli_gguf *w, const struct cli_hf_tokenizer *t) {
    if (t->kind == CLI_HF_WORDPIECE) {
        put_flag(w, "tokenizer.ggml.normalizer.lowercase", t->lowercase);
        put_flag(w, "tokenizer.ggml.normalizer.strip_accents", t->strip_accents);
        return;
    }
    put_flag(w, "tokenizer.ggml.add_space_prefix", t->space_prefix);
    if (t->kind == CLI_HF_BYTES) {
        put_merges(w, t->merges);
        return;
    }
    put_flag(w, "tokenizer.ggml.remove_extra_whitespaces", t->remove_extra_whitespaces);
    cli_gguf_key_array(w, "tokenizer.ggml.scores", CLI_GGUF_F32, t->n_tokens);
    for (uint64_t i = 0; i < t->n_tokens; i++) {
        float score = t->tokens[i].text ? t->tokens[i].score : -10000;
        uint32_t bits;
        memcpy(&bits, &score, 4);
        cli_gguf_put_u32(w, bits);
    }
    if (!t->charsmap.n) return;
    cli_gguf_key_array(w, "tokenizer.ggml.precompiled_charsmap", CLI_GGUF_U8, t->charsmap.n);
    cli_gguf_put(w, t->charsmap.data, t->charsmap.n);
}

void cli_hf_tokenizer_put(struct cli_gguf *w, const struct cli_hf_tokenizer *t, uint64_t n_types,
                          const char *split) {
    static const char *const kinds[] = {"bert", "gpt2", "t5"};
    cli_gguf_key_string(w, "tokenizer.ggml.model", kinds[t->kind]);
    cli_gguf_key_string(w, "tokenizer.ggml.pre", t->kind == CLI_HF_BYTES ? split : "default");
    cli_gguf_key_u32(w, "tokenizer.ggml.token_type_count", n_types ? n_types : 1);
    cli_gguf_key_array(w, "tokenizer.ggml.tokens", CLI_GGUF_STRING, t->n_tokens);
    for (uint64_t i = 0; i < t->n_tokens; i++)
        put_token(w, t, i);
    cli_gguf_key_array(w, "tokenizer.ggml.token_type", CLI_GGUF_I32, t->n_tokens);
    for (uint64_t i = 0; i < t->n_tokens; i++)
        cli_gguf_put_u32(w, t->tokens[i].text ? (uint32_t)t->tokens[i].type : CLI_HF_UNUSED);
    put_kind(w, t);
    for (int r = 0; r < CLI_HF_ROLES; r++)
        if (t->ids[r] != CLI_HF_NO_ID) cli_gguf_key_u32(w, roles[r].key, (uint64_t)t->ids[r]);
    if (t->kind == CLI_HF_WORDPIECE && t->adds_bos && t->adds_eos) return; /* as this kind does unless told */
    put_flag(w, "tokenizer.ggml.add_bos_token", t->adds_bos);
    put_flag(w, "tokenizer.ggml.add_eos_token", t->adds_eos);
}
