/* SPDX-License-Identifier: Apache-2.0
 *
 * module.h: the functions that mote's WebAssembly modules export, and all they import: a memory.
 *
 * The engine in a module is the engine of mote.h; these functions stand before it because JavaScript has no
 * structs. They take and give numbers only. An address or a size is a `double`, exact to 2^53, so that a
 * module of 32 bits and one of 64 are called alike. A result below zero is a mote_status; what went wrong
 * then stands at fault().
 *
 * The memory it imports, env.memory, starts with at least 16 pages; where the module has threads it is shared
 * and may have at most 65536 pages, 262144 with 64-bit addresses. It comes zeroed: the first instance unpacks
 * the module's constant data into it when it starts (pack.h), for which it grows by two megabytes.
 *
 * One instance holds one model and one context. Memory grows and never shrinks; it goes when the instance
 * goes:
 *
 *     static data, first stack | blocks in the order they were taken … | scratch
 *
 * Texts and tokens cross through scratch: the caller asks for room, writes there, calls, and finds what the
 * call made at result(), until the next call. Whoever keeps views on the memory must make them anew after a
 * call that may have grown it: any of those marked (grows).
 *
 * Threads: every function is for the thread that opened the context, except worker_run. That thread may
 * block; it must not be a page's main thread. */
#ifndef MOTE_HOST_WASM_MODULE_H
#define MOTE_HOST_WASM_MODULE_H

#include <stdint.h>

#include "mote/mote.h"

typedef double number;

/* ---- memory ---- */

/* The address of a new block of n bytes, zeroed where nothing was written before, 64-aligned; MOTE_E_MEMORY
 * if memory cannot grow so far. (grows) */
number take(number n_bytes);
/* Gives back the block at this address and all that were taken after it. */
void release(number address);
/* Room of n bytes for arguments and results, behind the blocks; what was there stays. MOTE_E_MEMORY. (grows)
 */
number scratch(number n_bytes);
/* Where what the last call made begins. */
number result(void);
/* Address of the mote_error of the last call that failed: i32 status, u64 where at 8, text at 16, to NUL. */
number fault(void);

/* ---- model ---- */

/* Opens the n_bytes at address `bytes`, which must stay there. May be called again, with the same bytes,
 * while a file arrives, n_bytes being those of the whole file and what has not arrived zero: when its
 * directory is not all there yet, it fails with `where` beyond what has arrived, or not 16 bytes before its
 * end. (grows) */
int32_t model_open(number bytes, number n_bytes);

enum model_number {
    MODEL_HAS_WEIGHTS,
    MODEL_HAS_TOKENIZER,
    MODEL_PARAMETERS,
    MODEL_WEIGHTS_BYTES,
    MODEL_LAYERS,
    MODEL_CONTEXT,
    MODEL_WIDTH, /* D */
    MODEL_HEADS,
    MODEL_KV_HEADS,
    MODEL_HEAD_DIM,
    MODEL_FFN,
    MODEL_VOCAB,
    MODEL_BOS,
    MODEL_EOS,
    MODEL_ADD_BOS,
    MODEL_ADD_EOS,
    MODEL_TENSORS,
    MODEL_KEYS,
    /* in modules with encoders */
    MODEL_ENCODER,
    MODEL_POOLING, /* mote_pooling */
    MODEL_LABELS,
    MODEL_LABELS_TOKENS,
};
number model_number(int32_t which);
enum model_text { MODEL_ARCHITECTURE, MODEL_NAME, MODEL_TOKENIZER, MODEL_TOKENIZER_PRE, MODEL_TEMPLATE };
/* Bytes of a text of the file, which stands at result(). */
number model_text(int32_t which);

/* ---- context ---- */

/* Bytes that context_open would take; the arguments are those of mote_context_options. */
number context_plan(number n_positions, number n_sessions, number n_rows, number n_logits, int32_t kv_type,
                    int32_t n_workers);
/* Once in an instance. n_workers counts the calling thread; more than 1 in a module with threads only.
 * Weights of a language model are put into the order of products, in place (mote_context_arrange): the whole file has to
 * be there, and is not to be read any more. (grows)
 */
int32_t context_open(number n_positions, number n_sessions, number n_rows, number n_logits, int32_t kv_type,
                     int32_t n_workers);

/* ---- threads (modules with shared memory) ----
 *
 * Worker i in [1, n_workers) is another instance of the same module on the same memory. Before anything else
 * it sets __stack_pointer to worker_stack(i), which the first instance told it, calls
 * __wasm_init_tls(worker_tls(i)), then worker_run(i), which returns after workers_stop(). */
number worker_stack(int32_t worker);
number worker_tls(int32_t worker);
void worker_run(int32_t worker);
void workers_stop(void);

/* ---- encoding (modules with encoders, mote-encoder*.wasm, which have this instead of sessions) ---- */

/* Bytes of the name of a label, which stands at result(). */
number model_label(int32_t i);
enum wanted { WANT_VECTORS = 1, WANT_LABELS = 2 };
/* Encodes n sequences: at `sequences`, which is at the start of scratch, { i32 n_tokens, i32 n_first } for each,
 * then all their tokens, i32. At result() stand f32: the vectors, then the labels, as mote_context_encode makes
 * them; the number of f32 in all is returned. (grows) */
number encode(number sequences, number n, int32_t pooling, int32_t wanted);

/* ---- sessions: a handle is a number above zero ---- */

number session_open(void);
void session_close(number session);
number session_fork(number session, number n);
int32_t session_truncate(number session, number n);
number session_length(number session); /* its tokens, i32[length], at result() */
/* Feeds i32 tokens[n]; logits of the last are at logits(0). */
int32_t session_feed(number session, number tokens, number n);
/* One step for rows[n] of { f64 session, i32 token, i32 want_logits }. (grows) */
int32_t step(number rows, number n);
number logits(number i); /* address of f32 [V], 0 if there is no such row */

/* A session as bytes (mote_session_save): their number, at result(). (grows) */
number session_save(number session);
/* A new session from such bytes at an address. */
number session_restore(number bytes, number n_bytes);

/* ---- text ---- */

/* n tokens, i32, at result(); flags MOTE_TOKENIZE_*. The text is at the start of scratch or in a block.
 * (grows)
 */
number tokenize(number text, number n_bytes, int32_t flags);
int32_t token_is_end(int32_t token);
/* Renders a conversation: bytes of the text at result(). At `messages`: { i32 role_bytes, i32 content_bytes }
 * for each of n, then all their texts in that order, then variables_bytes of JSON. (grows) */
number chat(number messages, int32_t n, int32_t add_generation, number variables_bytes);
int32_t chat_wrote_bos(void); /* of the last chat */

/* ---- streams: a sampler and a detokenizer ---- */

number stream_bytes(void); /* of the block that holds one */
void stream_open(number stream, float temperature, int32_t top_k, float top_p, float min_p,
                 float repeat_penalty, int32_t n_repeat, double seed);
/* Picks a token from logits(i), given what the session holds. (grows) */
int32_t stream_pick(number stream, number i, number session);
/* Bytes of the text that token completes, at result(); token −1 flushes what is held back at the end. */
number stream_text(number stream, int32_t token);

#endif
