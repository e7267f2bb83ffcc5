/* SPDX-License-Identifier: Apache-2.0
 *
 * convert.c: `mote convert`: a folder is given to hf_convert.c; what follows here is a llama2.c checkpoint,
 * version 0, and its tokenizer, to one GGUF file.
 *
 *     checkpoint   i32 dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len
 *                  f32 token_embedding [V,D]
 *                      rms_att [L,D]  wq [L,D,D]  wk [L,K·E,D]  wv [L,K·E,D]  wo [L,D,D]
 *                      rms_ffn [L,D]  w1 [L,F,D]  w2 [L,D,F]    w3 [L,F,D]    rms_final [D]
 *                      cosines [S,E/2]  sines [S,E/2]                (not needed: rope computes them)
 *                      wcls [V,D]                          (only where vocab_size is written negative)
 *     tokenizer    u32 max_token_length, then for each token: f32 score, i32 length, its bytes;
 *                  the byte tokens, 3 … 258, are written "<0x00>" … "<0xFF>" or, in older files, as the
 *                  characters U+0000 … U+00FF in UTF-8
 *
 * The weights are copied as they are: llama2.c rotates neighbouring pairs, as GGUF's llama does. The
 * tokenizer keeps SentencePiece's pieces with plain spaces and with newlines round <s> and </s>; GGUF wants ▁
 * for a space, the bare names, and a type for each token.
 *
 * Both files are hostile: every size is computed in 64 bits from checked factors and must meet the file's
 * size exactly. The result is written beside its place and renamed when it is whole and on the disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/cli/buffer.h"
#include "apps/cli/cli.h"
#include "apps/cli/convert.h"
#include "apps/cli/gguf.h"
#include "apps/cli/hf_convert.h"
#include "apps/cli/options.h"
#include "apps/cli/print.h"

enum { HEADER = 28, ALIGNMENT = 32, MOST_FACTOR = 1 << 20 };

struct checkpoint {
    struct mote_posix_map map;
    uint64_t dim, hidden, n_layers, n_heads, n_kv_heads, n_vocab, n_context;
    int tied;
};

/* One tensor of the result: where its floats are in the checkpoint. */
struct tensor {
    char name[48];
    uint64_t dims[2], n_dims, from, n_bytes;
};

static uint32_t u32_at(const void *bytes) {
    const unsigned char *p = bytes;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Reads the header; each number must be a sane one, so that no product of four overflows 64 bits. */
static int read_header(const char *path, struct checkpoint *c) {
    static const char *const names[7] = {"dim",        "hidden_dim", "n_layers", "n_heads",
                                         "n_kv_heads", "vocab_size", "seq_len"};
    uint64_t *const members[7] = {&c->dim,        &c->hidden,  &c->n_layers, &c->n_heads,
                                  &c->n_kv_heads, &c->n_vocab, &c->n_context};
    if (c->map.n_bytes < HEADER)
        return cli_fail(CLI_MODEL, "%s: shorter than a llama2.c header (%d bytes)", path, HEADER);
    for (int i = 0; i < 7; i++) {
        int64_t value = (int32_t)u32_at((const char *)c->map.bytes + 4 * i);
        if (i == 5) {
            c->tied = value > 0;
            value = value < 0 ? -value : value;
        }
        if (value < 1 || value > MOST_FACTOR)
            return cli_fail(CLI_MODEL, "%s: not a llama2.c checkpoint of version 0: %s is %lld (at byte %d)",
                            path, names[i], (long long)value, 4 * i);
        *members[i] = (uint64_t)value;
    }
    if (c->n_layers > 1024 || c->dim % c->n_heads || c->n_heads % c->n_kv_heads || c->dim / c->n_heads % 2)
        return cli_fail(CLI_MODEL, "%s: %llu layers, dim %llu, %llu heads, %llu kv heads do not fit together",
                        path, (unsigned long long)c->n_layers, (unsigned long long)c->dim,
                        (unsigned long long)c->n_heads, (unsigned long long)c->n_kv_heads);
    return CLI_OK;
}

struct layout {
    struct tensor *list;
    uint64_t n, at; /* at: floats of the checkpoint after the header that are laid out so far */
};

/* The next tensor of the checkpoint: one, or one for each layer ("blk.<i>.<name>"). */
static void lay(struct layout *layout, uint64_t n_layers, const char *name, uint64_t columns, uint64_t rows) {
    uint64_t n = columns * (rows ? rows : 1);
    for (uint64_t i = 0; i < (n_layers ? n_layers : 1); i++) {
        struct tensor *t = &layout->list[layout->n++];
        if (n_layers)
            snprintf(t->name, sizeof t->name, "blk.%u.%s", (unsigned)i, name);
        else
            snprintf(t->name, sizeof t->name, "%s", name);
        t->dims[0] = columns;
        t->dims[1] = rows;
        t->n_dims = rows ? 2 : 1;
        t->from = HEADER + 4 * layout->at;
        t->n_bytes = 4 * n;
        layout->at += n;
    }
}

/* All tensors in the order of the checkpoint. Factors are at most 2^20, so sums of products of three of them
 * stay far below 2^64. */
static int lay_out(const char *path, const struct checkpoint *c, struct layout *layout) {
    uint64_t L = c->n_layers, D = c->dim, F = c->hidden, E = D / c->n_heads, KE = c->n_kv_heads * E;
    *layout = (struct layout){.list = calloc(9 * L + 3, sizeof *layout->list)};
    if (!layout->list) return cli_fail(CLI_MEMORY, "not enough memory");
    lay(layout, 0, "token_embd.weight", D, c->n_vocab);
    lay(layout, L, "attn_norm.weight", D, 0);
    lay(layout, L, "attn_q.weight", D, D);
    lay(layout, L, "attn_k.weight", D, KE);
    lay(layout, L, "attn_v.weight", D, KE);
    lay(layout, L, "attn_output.weight", D, D);
    lay(layout, L, "ffn_norm.weight", D, 0);
    lay(layout, L, "ffn_gate.weight", D, F);
    lay(layout, L, "ffn_down.weight", F, D);
    lay(layout, L, "ffn_up.weight", D, F);
    lay(layout, 0, "output_norm.weight", D, 0);
    layout->at += c->n_context * E; /* cosines and sines */
    if (!c->tied) lay(layout, 0, "output.weight", D, c->n_vocab);
    uint64_t expected = HEADER + 4 * layout->at;
    if (expected == c->map.n_bytes) return CLI_OK;
    return cli_fail(CLI_MODEL, "%s: its header asks for %llu bytes, the file has %llu", path,
                    (unsigned long long)expected, (unsigned long long)c->map.n_bytes);
}

/* ---- the vocabulary ---- */

enum { UNKNOWN = 2, CONTROL = 3, NORMAL = 1, BYTE = 6 };

struct piece {
    const char *text;
    uint32_t n, score_bits;
};

static int read_pieces(const char *path, const struct mote_posix_map *map, struct piece *pieces,
                       uint64_t n_vocab) {
    const char *bytes = map->bytes;
    uint64_t at = 4;
    for (uint64_t i = 0; i < n_vocab; i++) {
        if (map->n_bytes < at || map->n_bytes - at < 8)
            return cli_fail(CLI_MODEL, "%s: it ends at token %llu of %llu", path, (unsigned long long)i,
                            (unsigned long long)n_vocab);
        pieces[i].score_bits = u32_at(bytes + at);
        pieces[i].n = u32_at(bytes + at + 4);
        at += 8;
        if (pieces[i].n > map->n_bytes - at)
            return cli_fail(CLI_MODEL, "%s: the length of token %llu is %lu (at byte %llu)", path,
                            (unsigned long long)i, (unsigned long)pieces[i].n, (unsigned long long)at - 4);
        pieces[i].text = bytes + at;
        at += pieces[i].n;
    }
    if (at == map->n_bytes) return CLI_OK;
    return cli_fail(CLI_MODEL, "%s: %llu bytes follow the last of %llu tokens", path,
                    (unsigned long long)(map->n_bytes - at), (unsigned long long)n_vocab);
}

enum { FIRST_BYTE = 3, AFTER_BYTES = FIRST_BYTE + 256 };

/* Whether the byte tokens are written as characters. */
static int has_bare_bytes(const struct piece *pieces, uint64_t n_vocab) {
    if (n_vocab < AFTER_BYTES) return 0;
    for (unsigned i = 0; i < 256; i++) {
        const struct piece *piece = &pieces[FIRST_BYTE + i];
        unsigned char utf8[2] = {(unsigned char)(i < 128 ? i : 0xc0 | i >> 6),
                                 (unsigned char)(0x80 | (i & 63))};
        if (piece->n != (i < 128 ? 1 : 2) || memcmp(piece->text, utf8, piece->n) != 0) return 0;
    }
    return 1;
}

static int is_hex_digit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

static int is_named_byte(const struct piece *piece) {
    const char *text = piece->text;
    return piece->n == 6 && text[0] == '<' && text[1] == '0' && text[2] == 'x' && is_hex_digit(text[3]) &&
           is_hex_digit(text[4]) && text[5] == '>';
}

static int type_of(uint64_t id, const struct piece *piece, int bare_bytes) {
    if (id < FIRST_BYTE) return id ? CONTROL : UNKNOWN;
    return (bare_bytes && id < AFTER_BYTES) || is_named_byte(piece) ? BYTE : NORMAL;
}

/* A piece as SentencePiece itself has it: ▁ (E2 96 81) where the tokenizer file has a space. */
static void put_piece(struct cli_gguf *w, const struct piece *piece) {
    size_t n_spaces = 0;
    for (uint32_t i = 0; i < piece->n; i++)
        n_spaces += piece->text[i] == ' ';
    cli_gguf_put_u64(w, piece->n + 2 * n_spaces);
    for (uint32_t i = 0; i < piece->n; i++)
        if (piece->text[i] == ' ')
            cli_gguf_put(w, "\xe2\x96\x81", 3);
        else
            cli_gguf_put(w, piece->text + i, 1);
}

static void put_vocabulary(struct cli_gguf *w, const struct piece *pieces, uint64_t n_vocab) {
    static const char *const first[3] = {"<unk>", "<s>", "</s>"};
    int bare_bytes = has_bare_bytes(pieces, n_vocab);
    cli_gguf_key_string(w, "tokenizer.ggml.model", "llama");
    cli_gguf_key_array(w, "tokenizer.ggml.tokens", CLI_GGUF_STRING, n_vocab);
    for (uint64_t i = 0; i < n_vocab; i++)
        if (i < FIRST_BYTE) {
            cli_gguf_put_string(w, first[i], strlen(first[i]));
        } else if (bare_bytes && i < AFTER_BYTES) {
            char name[8];
            snprintf(name, sizeof name, "<0x%02X>", (unsigned)(i - FIRST_BYTE));
            cli_gguf_put_string(w, name, 6);
        } else {
            put_piece(w, &pieces[i]);
        }
    cli_gguf_key_array(w, "tokenizer.ggml.scores", CLI_GGUF_F32, n_vocab);
    for (uint64_t i = 0; i < n_vocab; i++)
        cli_gguf_put_u32(w, pieces[i].score_bits);
    cli_gguf_key_array(w, "tokenizer.ggml.token_type", CLI_GGUF_I32, n_vocab);
    for (uint64_t i = 0; i < n_vocab; i++)
        cli_gguf_put_u32(w, (uint32_t)type_of(i, &pieces[i], bare_bytes));
    cli_gguf_key_u32(w, "tokenizer.ggml.unknown_token_id", 0);
    cli_gguf_key_u32(w, "tokenizer.ggml.bos_token_id", 1);
    cli_gguf_key_u32(w, "tokenizer.ggml.eos_token_id", 2);
    for (int i = 0; i < 3; i++) {
        static const char *const names[3] = {"tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token",
                                             "tokenizer.ggml.add_space_prefix"};
        unsigned char value = i != 1;
        cli_gguf_key(w, names[i], CLI_GGUF_BOOL);
        cli_gguf_put(w, &value, 1);
    }
}

/* ---- the file ---- */

static void put_config(struct cli_gguf *w, const struct checkpoint *c, const char *name) {
    cli_gguf_key_string(w, "general.architecture", "llama");
    cli_gguf_key_string(w, "general.name", name);
    cli_gguf_key_u32(w, "general.file_type", 0); /* all f32 */
    cli_gguf_key_u32(w, "llama.vocab_size", c->n_vocab);
    cli_gguf_key_u32(w, "llama.context_length", c->n_context);
    cli_gguf_key_u32(w, "llama.embedding_length", c->dim);
    cli_gguf_key_u32(w, "llama.block_count", c->n_layers);
    cli_gguf_key_u32(w, "llama.feed_forward_length", c->hidden);
    cli_gguf_key_u32(w, "llama.attention.head_count", c->n_heads);
    cli_gguf_key_u32(w, "llama.attention.head_count_kv", c->n_kv_heads);
    cli_gguf_key_u32(w, "llama.rope.dimension_count", c->dim / c->n_heads);
    cli_gguf_key_f32(w, "llama.rope.freq_base", 10000);
    cli_gguf_key_f32(w, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
}

/* Header, keys and tensor entries, padded to where the data begins. n_keys is known only after the keys are
 * written, so it is put in its place at the end. */
static void put_directory(struct cli_gguf *w, const struct checkpoint *c, const struct piece *pieces,
                          const struct layout *layout, const char *name) {
    cli_gguf_put(w, "GGUF", 4);
    cli_gguf_put_u32(w, 3);
    cli_gguf_put_u64(w, layout->n);
    cli_gguf_put_u64(w, 0);
    put_config(w, c, name);
    put_vocabulary(w, pieces, c->n_vocab);
    uint64_t offset = 0;
    for (uint64_t i = 0; i < layout->n; i++) {
        const struct tensor *t = &layout->list[i];
        cli_gguf_put_string(w, t->name, strlen(t->name));
        cli_gguf_put_u32(w, (uint32_t)t->n_dims);
        for (uint64_t k = 0; k < t->n_dims; k++)
            cli_gguf_put_u64(w, t->dims[k]);
        cli_gguf_put_u32(w, 0); /* F32 */
        cli_gguf_put_u64(w, offset);
        offset += (t->n_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    while (!w->failed && w->bytes.n % ALIGNMENT)
        cli_gguf_put(w, "", 1);
    for (int i = 0; i < 8 && !w->failed; i++)
        w->bytes.data[16 + i] = (char)(w->n_keys >> 8 * i & 255);
}

struct source {
    const struct checkpoint *checkpoint;
    const struct layout *layout;
};

static int write_tensors(FILE *file, void *user) {
    static const char zeros[ALIGNMENT];
    const struct source *source = user;
    for (uint64_t i = 0; i < source->layout->n; i++) {
        const struct tensor *t = &source->layout->list[i];
        const char *bytes = (const char *)source->checkpoint->map.bytes + t->from;
        size_t padding = (size_t)(-t->n_bytes % ALIGNMENT);
        if (cli_interrupted) return 0;
        if (fwrite(bytes, 1, (size_t)t->n_bytes, file) != t->n_bytes) return 0;
        if (fwrite(zeros, 1, padding, file) != padding) return 0;
    }
    return 1;
}

static int convert(const struct checkpoint *c, const struct layout *layout, const char *tokenizer,
                   const struct mote_posix_map *map, const char *name, const char *out) {
    struct piece *pieces = calloc(c->n_vocab, sizeof *pieces);
    struct cli_gguf w = {0};
    int code = pieces ? read_pieces(tokenizer, map, pieces, c->n_vocab) : CLI_OK;
    if (!code && c->n_vocab < 3) code = cli_fail(CLI_MODEL, "%s: fewer than three tokens", tokenizer);
    if (!code && pieces) put_directory(&w, c, pieces, layout, name);
    if (!pieces || w.failed) code = cli_fail(CLI_MEMORY, "not enough memory");
    struct source source = {c, layout};
    if (!code) code = cli_gguf_save(out, &w, write_tensors, &source);
    cli_buffer_close(&w.bytes);
    free(pieces);
    return code;
}

int cli_convert_checkpoint(const char *checkpoint, const char *tokenizer, const char *out) {
    struct checkpoint c = {0};
    struct layout layout = {0};
    struct mote_posix_map map = {0};
    char name[64];
    const char *base = strrchr(checkpoint, '/');
    snprintf(name, sizeof name, "%s", base ? base + 1 : checkpoint);
    char *dot = strrchr(name, '.');
    if (dot && dot > name) *dot = 0;
    int code = CLI_OK;
    if (!mote_posix_map_open(checkpoint, &c.map))
        code = cli_fail(CLI_MODEL, "%s: %s", checkpoint, cli_map_reason(errno));
    if (!code && !mote_posix_map_open(tokenizer, &map))
        code = cli_fail(CLI_MODEL, "%s: %s", tokenizer, cli_map_reason(errno));
    if (!code) code = read_header(checkpoint, &c);
    if (!code) code = lay_out(checkpoint, &c, &layout);
    if (!code) code = convert(&c, &layout, tokenizer, &map, name, out);
    free(layout.list);
    mote_posix_map_close(&map);
    mote_posix_map_close(&c.map);
    return code;
}

struct request {
    const char *tokenizer, *out, *type, *pooling, *name;
    int quiet;
};

#define AT(member) offsetof(struct request, member)
static const struct cli_option own_options[] = {
    CLI_OPTION("output", 'o', "FILE", CLI_TEXT, AT(out), 0, 0, "the GGUF file to write"),
    CLI_OPTION("tokenizer", 0, "FILE", CLI_TEXT, AT(tokenizer), 0, 0, "of a checkpoint: its tokenizer.bin"),
    CLI_OPTION("type", 0, "TYPE", CLI_TEXT, AT(type), 0, 0,
               "of a folder: F32, F16 or Q8_0 (default: what loses nothing)"),
    CLI_OPTION("pooling", 0, "HOW", CLI_TEXT, AT(pooling), 0, 0,
               "of a folder: mean, cls, last or none (default: as it says)"),
    CLI_OPTION("name", 0, "NAME", CLI_TEXT, AT(name), 0, 0,
               "of a folder: the model's name (default: its own)"),
    CLI_OPTION("quiet", 'q', NULL, CLI_FLAG, AT(quiet), 0, 0, "no progress"),
    {0}};
#undef AT

static int convert_folder(const char *folder, const struct request *request) {
    if (request->tokenizer) return cli_fail(CLI_USAGE, "convert: a folder brings its tokenizer itself");
    return cli_hf_convert(&(struct cli_hf_request){.folder = folder,
                                                   .out = request->out,
                                                   .name = request->name,
                                                   .type = request->type,
                                                   .pooling = request->pooling,
                                                   .quiet = request->quiet});
}

int cli_convert(int argc, char **argv) {
    struct request request = {0};
    const struct cli_grammar grammar = {
        "FOLDER | CHECKPOINT --tokenizer T   -o OUT.gguf",
        "A Hugging Face folder of an encoder (BERT and its kin: config.json, safetensors,\n"
        "tokenizer.json), or a llama2.c checkpoint (version 0, f32) and its tokenizer, to GGUF.",
        {{own_options, &request}},
        1,
        1};
    char **arguments;
    struct stat status;
    int n, code = cli_parse(argc, argv, &grammar, &arguments, &n);
    if (code != CLI_PARSED) return code;
    int is_folder = !stat(arguments[0], &status) && S_ISDIR(status.st_mode);
    if (!request.out || (!is_folder && !request.tokenizer))
        return cli_fail(CLI_USAGE, "convert: %s needed (see mote convert --help)",
                        is_folder ? "-o is" : "--tokenizer and -o are");
    if (is_folder) return convert_folder(arguments[0], &request);
    if (request.type || request.pooling || request.name)
        return cli_fail(CLI_USAGE, "convert: --type, --pooling and --name are for folders");
    return cli_convert_checkpoint(arguments[0], request.tokenizer, request.out);
}
