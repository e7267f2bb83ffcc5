/* SPDX-License-Identifier: Apache-2.0
 *
 * mote.h: the public interface of mote, a transformer runtime for the edge.
 *
 * The way through, in the order a program uses it:
 *
 *     mote_model    what the file says: configuration, weights, vocabulary. Immutable, shared by threads.
 *     mote_context  what running it needs: KV cache pages, activations, a place for logits.
 *     mote_session  one sequence of tokens inside a context. Sessions with a common prefix share its pages.
 *     batch         rows of (session, token) that one mote_context_step computes together.
 *     mote_sampler  logits -> the next token, seeded and pure.
 *     encoding      texts -> vectors or scores of labels, with models that read a text whole (BERT and its kin).
 *
 * Memory: this library never allocates. For each object a *_plan function says how many bytes it needs,
 * the caller gives one block aligned to MOTE_ALIGN and keeps it until it has finished with the object
 * (there is nothing to close: freeing the block is enough). Weights stay where the caller put them
 * (usually a file map) and are only read.
 *
 * Errors: every function that can fail returns a mote_status, 0 for success; results come through the last
 * pointers and are untouched on failure. A mote_error, when given (it may be NULL), says what was wrong and
 * where. Nothing here exits, aborts, prints or keeps global state.
 *
 * Dimensions, everywhere in mote: T tokens (rows), D model, H heads, K kv heads, E head dim, F ffn, V vocab,
 * L layers. Counts are n_x, sizes x_bytes. Text is UTF-8 with an explicit length; NUL has no meaning.
 */
#ifndef MOTE_MOTE_H
#define MOTE_MOTE_H

#include <stddef.h>
#include <stdint.h>

#include "mote/host.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MOTE_VERSION "0.1.0"
#define MOTE_ALIGN   64 /* bytes; alignment of every block given to mote */

#if defined(__GNUC__)
#define MOTE_MUST_USE __attribute__((warn_unused_result))
#else
#define MOTE_MUST_USE
#endif

/* ---- status and errors ---- */

#define MOTE_STATUS_LIST(X)                                                                                  \
    X(MOTE_OK, 0, "success")                                                                                 \
    X(MOTE_E_ARGUMENT, -1, "invalid argument")                                                               \
    X(MOTE_E_MEMORY, -2, "the block of memory given is too small")                                           \
    X(MOTE_E_FORMAT, -3, "the file is malformed")                                                            \
    X(MOTE_E_UNSUPPORTED, -4, "the file is sound but asks for what mote does not do")                        \
    X(MOTE_E_CONTEXT, -5, "no room left in the context")                                                     \
    X(MOTE_E_SESSIONS, -6, "all sessions of the context are in use")                                         \
    X(MOTE_E_TEMPLATE, -7, "the chat template failed")                                                       \
    X(MOTE_E_TOKEN, -8, "no such token in the vocabulary")                                                   \
    X(MOTE_E_ROOM, -9, "the output buffer is too small")

typedef enum mote_status {
#define MOTE_STATUS_ENUM(name, value, text) name = value,
    MOTE_STATUS_LIST(MOTE_STATUS_ENUM)
#undef MOTE_STATUS_ENUM
} mote_status;

/* The text of a status, static and never NULL. */
const char *mote_status_text(mote_status status);

typedef struct mote_error {
    mote_status status;
    uint64_t where; /* byte offset in the input that was being read, or 0 */
    char text[240]; /* NUL-terminated, one line, printable: names the field and what is wrong with it */
} mote_error;

typedef int32_t mote_token;
#define MOTE_TOKEN_NONE ((mote_token)-1)

/* A view of text or bytes owned by somebody else; data may be NULL when n is 0. */
typedef struct mote_text {
    const char *data;
    size_t n;
} mote_text;

/* How the vectors of a text's tokens become one. NONE: they do not. The numbers are GGUF's. */
typedef enum mote_pooling {
    MOTE_POOLING_NONE = 0,
    MOTE_POOLING_MEAN = 1,
    MOTE_POOLING_CLS = 2, /* that of the first token */
    MOTE_POOLING_LAST = 3,
} mote_pooling;

/* ---- model ---- */

typedef struct mote_model mote_model;

/* Says how many bytes mote_model_open needs for the file in bytes[0, n_bytes). Reads only its header. */
MOTE_MUST_USE mote_status mote_model_plan(const void *bytes, uint64_t n_bytes, uint64_t *block_bytes,
                                          mote_error *error);

/* Opens a GGUF file: checks all of its directory, its vocabulary and the shape of each tensor.
 * A file without tensors opens as a vocabulary-only model (info.has_weights is 0).
 * Owns: the model views bytes and lives in block; both must outlive it. Threads: none needed. */
MOTE_MUST_USE mote_status mote_model_open(const void *bytes, uint64_t n_bytes, void *block,
                                          uint64_t block_bytes, const mote_model **model, mote_error *error);

typedef struct mote_model_info {
    mote_text architecture, name, tokenizer, tokenizer_pre, chat_template; /* empty when the file has none */
    uint32_t version;                                                      /* of GGUF */
    int has_weights, has_tokenizer;
    uint64_t n_parameters, weights_bytes, file_bytes;
    uint32_t n_tensors, n_keys;
    uint32_t n_layers, n_context;                                      /* context the model was trained for */
    uint32_t n_model, n_heads, n_kv_heads, n_head_dim, n_ffn, n_vocab; /* D H K E F V */
    mote_token bos, eos; /* MOTE_TOKEN_NONE where the file has none */
    int add_bos, add_eos;
    float rope_base;
    mote_text rope_scaling; /* "none", "linear", "llama3", "yarn" */
    int is_encoder;         /* for mote_context_encode; otherwise for sessions */
    mote_pooling pooling;   /* of an encoder: how the file wants a text's vector made */
    uint32_t n_labels;      /* of an encoder with a head; 0: none */
    int labels_tokens;      /* the head judges each token, not the text */
} mote_model_info;

void mote_model_describe(const mote_model *model, mote_model_info *info);

/* The name of label i < n_labels; empty where the file gives none. */
mote_text mote_model_label(const mote_model *model, uint32_t i);

/* One tensor of the file, for i < info.n_tensors. dims[0] is the contiguous one. */
typedef struct mote_tensor_info {
    mote_text name;
    const char *type;     /* "Q4_K", … */
    uint32_t type_number; /* GGUF's */
    uint32_t n_dims;
    uint64_t dims[4], offset, bytes;
} mote_tensor_info;
MOTE_MUST_USE mote_status mote_model_tensor(const mote_model *model, uint32_t i, mote_tensor_info *info);

/* One row of a tensor as f32, whatever its type: row < dims[1]·dims[2]·dims[3], out [dims[0]]. work: so many
 * bytes as mote_model_row_plan says, aligned to MOTE_ALIGN. Errors: ARGUMENT; UNSUPPORTED once a context arranged the
 * weights. */
uint64_t mote_model_row_plan(const mote_model *model, uint32_t i);
MOTE_MUST_USE mote_status mote_model_row(const mote_model *model, uint32_t i, uint64_t row, float *out,
                                         void *work);

/* Where an entry of the file's metadata stands, name, type and value, for i < info.n_keys. */
typedef struct mote_key_info {
    mote_text name;
    uint64_t offset, bytes;
} mote_key_info;
MOTE_MUST_USE mote_status mote_model_entry(const mote_model *model, uint32_t i, mote_key_info *info);

/* One key of the file's metadata, for i < info.n_keys, its value written as text into out (cut with "…"
 * to fit; arrays show their type, length and first elements). out_bytes >= 16. */
MOTE_MUST_USE mote_status mote_model_key(const mote_model *model, uint32_t i, mote_text *key, char *out,
                                         size_t out_bytes);

/* ---- text ---- */

enum {
    MOTE_TOKENIZE_ADD_SPECIAL = 1,   /* add BOS/EOS as the file says */
    MOTE_TOKENIZE_PARSE_SPECIAL = 2, /* recognise the text of control tokens (<|im_end|> …) */
    MOTE_TOKENIZE_CHAT = 4, /* pass over U+FDD0, which mote_model_chat puts into what messages spell */
};

/* Bytes of working memory mote_tokenize needs for a text of n_text bytes, and the most tokens it can make. */
void mote_tokenize_plan(const mote_model *model, size_t n_text, uint64_t *work_bytes, size_t *max_tokens);

/* Text to tokens. Invalid UTF-8, and what the vocabulary does not know, is taken byte by byte through the
 * byte tokens, or is the unknown token. Errors: MEMORY work too small; ROOM more than max_tokens; TOKEN the
 * vocabulary has neither; ARGUMENT a text of more than 2^30 bytes. */
MOTE_MUST_USE mote_status mote_tokenize(const mote_model *model, mote_text text, unsigned flags, void *work,
                                        uint64_t work_bytes, mote_token *tokens, size_t max_tokens,
                                        size_t *n_tokens, mote_error *error);

/* Tokens to text, a token at a time, for streaming. Bytes that do not yet make a whole UTF-8 character are
 * held back in the state until they do. Zero-initialise the state at the start of a text. */
typedef struct mote_detokenizer {
    uint8_t held[8];
    uint8_t n_held;
    uint8_t started; /* 0 until the first token: its leading space is dropped where the tokenizer adds one */
    uint8_t special; /* set to 1 to have control tokens written out as their text */
    uint8_t raw;     /* set to 1 to have bytes come out as they are: nothing held back, nothing replaced */
} mote_detokenizer;

/* Writes the text that token completes into out; *n_out bytes. max_out must be at least
 * mote_detokenize_max(model). Errors: TOKEN, ROOM. */
MOTE_MUST_USE mote_status mote_detokenize(const mote_model *model, mote_detokenizer *state, mote_token token,
                                          char *out, size_t max_out, size_t *n_out);
/* Flushes what is held back at the end of a text, as the replacement character (or, with raw set, as it is).
 */
MOTE_MUST_USE mote_status mote_detokenize_end(mote_detokenizer *state, int raw, char *out, size_t max_out,
                                              size_t *n_out);
size_t mote_detokenize_max(const mote_model *model);

/* Whether token ends an answer (EOS, end-of-turn, …). */
int mote_token_is_end(const mote_model *model, mote_token token);

typedef struct mote_message {
    mote_text role, content;
} mote_message;

/* Renders messages with the model's chat template (a simple built-in one where the file has none).
 * add_generation: end with the opening of the assistant's turn. variables_json: more template variables as a
 * JSON object, or empty. The result is to be tokenized with MOTE_TOKENIZE_PARSE_SPECIAL and MOTE_TOKENIZE_CHAT, and
 * without ADD_SPECIAL (templates write BOS themselves) unless *wrote_bos comes back 0. What roles and contents
 * spell stays text: each control token in them is broken by U+FDD0, which stands for no character. What
 * variables_json and the template spell is read as it is. Errors: TEMPLATE (also from
 * raise_exception, with its text), MEMORY work too small, ROOM out too small. */
MOTE_MUST_USE mote_status mote_model_chat(const mote_model *model, const mote_message *messages,
                                          size_t n_messages, int add_generation, mote_text variables_json,
                                          void *work, uint64_t work_bytes, char *out, size_t max_out,
                                          size_t *n_out, int *wrote_bos, mote_error *error);

/* ---- context, sessions, batch ---- */

typedef struct mote_context mote_context;
typedef struct mote_session mote_session;

/* Q8_0 and Q4_0: 8 or 4 bits of a value and a scale for each 32 of a head, 8.5 and 4.5 bits in all. */
typedef enum mote_kv_type {
    MOTE_KV_F16 = 0,
    MOTE_KV_F32 = 1,
    MOTE_KV_Q8_0 = 2,
    MOTE_KV_Q4_0 = 3
} mote_kv_type;

typedef struct mote_context_options {
    uint32_t n_positions; /* KV cache positions, shared by all sessions; 0: the model's own context */
    uint32_t n_sessions;  /* most sessions open at once; 0: 1 */
    uint32_t n_rows;      /* most rows computed at once (T); 0: 128. Longer batches go in pieces, same bits */
    uint32_t n_logits;    /* most rows of one step whose logits are kept; 0: n_sessions */
    mote_kv_type kv_type;
} mote_context_options;

MOTE_MUST_USE mote_status mote_context_plan(const mote_model *model, const mote_context_options *options,
                                            const mote_host *host, uint64_t *block_bytes, mote_error *error);

/* Opens a context in block. host tells threads and CPU features and must outlive the context. */
MOTE_MUST_USE mote_status mote_context_open(const mote_model *model, const mote_context_options *options,
                                            const mote_host *host, void *block, uint64_t block_bytes,
                                            mote_context **context, mote_error *error);

/* Puts the weights of the context's model into the order in which products of this machine read them, where the machine
 * has such an order (WebAssembly): in place, in the bytes that the model was opened on, which must be the caller's own to
 * write to, all there, and used by no other model. Once for a model, before the first step: done again it does nothing.
 * Afterwards the bytes are no longer those of the file; results are the same. */
void mote_context_arrange(mote_context *context);

MOTE_MUST_USE mote_status mote_session_open(mote_context *context, mote_session **session);
void mote_session_close(mote_session *session); /* gives its pages back */
/* A new session that starts with the first n tokens of another, sharing their pages. Errors: SESSIONS,
 * CONTEXT, ARGUMENT. */
MOTE_MUST_USE mote_status mote_session_fork(mote_session *session, uint32_t n, mote_session **fork);
/* Forgets all but the first n tokens. Errors: ARGUMENT if it has fewer. */
MOTE_MUST_USE mote_status mote_session_truncate(mote_session *session, uint32_t n);
uint32_t mote_session_length(const mote_session *session);
const mote_token *mote_session_tokens(const mote_session *session); /* [length] */

/* A session as bytes: its tokens and what the KV cache holds of them, so that a prompt need not be computed
 * again. They are for contexts of the same model and KV cache type. Errors: ROOM; ARGUMENT an empty session.
 */
uint64_t mote_session_save_plan(const mote_session *session);
MOTE_MUST_USE mote_status mote_session_save(const mote_session *session, void *out, uint64_t out_bytes,
                                            mote_error *error);
/* A new session from such bytes, which are read here only. Errors: FORMAT they are not such bytes, or
 * damaged; ARGUMENT of another model or KV cache type; SESSIONS; CONTEXT. */
MOTE_MUST_USE mote_status mote_session_restore(mote_context *context, const void *bytes, uint64_t n_bytes,
                                               mote_session **session, mote_error *error);

typedef struct mote_row {
    mote_session *session;
    mote_token token;
    int want_logits;
} mote_row;

/* Computes rows in order, each at the end of its session, appending its token there. Rows of several sessions
 * may be mixed freely; nothing a row gets depends on the others. On failure no session has changed.
 * Errors: CONTEXT (pool or model context is full), TOKEN, ARGUMENT (more than n_logits wanted).
 * Threads: one step at a time in a context; it uses the host's parallel_for. */
MOTE_MUST_USE mote_status mote_context_step(mote_context *context, const mote_row *rows, size_t n_rows,
                                            mote_error *error);

/* The same for one session: feeds tokens, logits wanted for the last of them only. */
MOTE_MUST_USE mote_status mote_session_feed(mote_session *session, const mote_token *tokens, size_t n,
                                            mote_error *error);

/* Logits [V] of the i-th row of the last step that wanted them, valid until the next step. NULL if no such
 * row. */
const float *mote_context_logits(const mote_context *context, size_t i);

/* ---- encoding ----
 *
 * A context of an encoder has no sessions. Of its options, n_positions is the longest sequence (0: the model's
 * own), n_rows the most tokens computed at once (0: enough for the longest sequence), n_sessions the most
 * sequences computed at once (0: 16); more of them go in pieces, with the same bits. */

typedef struct mote_sequence {
    const mote_token *tokens;
    size_t n;
    size_t
        n_first; /* tokens from this one on belong to the second of a pair of texts; 0: there is one text */
} mote_sequence;

/* Encodes n sequences. Either result may be NULL.
 *   vectors [n, D], or for pooling NONE [Σ tokens, D]: as pooled, not normalised
 *   labels [n, n_labels], or for a head that judges tokens [Σ tokens, n_labels]: logits, by the pooling of the
 *   file
 * Nothing a sequence gets depends on the others. Errors: ARGUMENT not an encoder, an empty sequence, labels of
 * a model without a head; CONTEXT a sequence longer than n_positions (`where` is its place); TOKEN. */
MOTE_MUST_USE mote_status mote_context_encode(mote_context *context, const mote_sequence *sequences, size_t n,
                                              mote_pooling pooling, float *vectors, float *labels,
                                              mote_error *error);

/* ---- sampling ---- */

typedef struct mote_sampler_options {
    float temperature;    /* 0: greedy */
    uint32_t top_k;       /* 0: off */
    float top_p;          /* 1: off */
    float min_p;          /* 0: off */
    float repeat_penalty; /* 1: off; on the last n_repeat tokens */
    uint32_t n_repeat;    /* 0: 64 */
    uint64_t seed;
} mote_sampler_options;

typedef struct mote_sampler {
    mote_sampler_options options;
    uint64_t state[4];
} mote_sampler;

void mote_sampler_open(mote_sampler *sampler, const mote_sampler_options *options);
uint64_t mote_sample_plan(uint32_t n_vocab); /* bytes of working memory */
/* Picks a token. logits [n_vocab] f32, not changed; recent [n_recent]: the tokens so far, newest last.
 * Ties go to the lower id. NaN counts as minus infinity. Errors: MEMORY. */
MOTE_MUST_USE mote_status mote_sample(mote_sampler *sampler, const float *logits, uint32_t n_vocab,
                                      const mote_token *recent, size_t n_recent, void *work,
                                      uint64_t work_bytes, mote_token *token);

#ifdef __cplusplus
}
#endif
#endif
