/* SPDX-License-Identifier: Apache-2.0
 *
 * cpu.h: walks a program on the CPU.
 *
 * KV CACHE. A pool of pages; a page holds MOTE_DEVICE_PAGE consecutive positions of all layers:
 *
 *     page → layer → kv head → its page of keys and values, drawn in kernel/page.h
 *
 * A page is also the tile of the online softmax, counted from position 0 of a sequence, so neither chunking
 * nor sharing changes the order of any sum. Who owns which page is the engine's business: a row brings the
 * table of its sequence's pages.
 *
 * THREADS. Each operation is cut into pieces over rows of weights, rows of tokens, or heads; no output is the
 * sum of what two workers did, so the number of workers changes no bit. */
#ifndef MOTE_DEVICE_CPU_H
#define MOTE_DEVICE_CPU_H

#include "program/program.h"

enum { MOTE_DEVICE_PAGE = MOTE_KERNEL_PAGE }; /* positions */

struct mote_device_row {
    const uint32_t *pages; /* of its sequence; those up to position / MOTE_DEVICE_PAGE are read */
    uint32_t position;
    uint32_t n_seen;  /* it attends to the positions below this, its own among them */
    mote_token token; /* checked: 0 ≤ token < V */
    uint32_t segment; /* of encoders; checked */
};

struct mote_device_cpu {
    const struct mote_program *program;
    const struct mote_model_config *config;
    const mote_host *host;
    struct mote_kernels kernels;
    uint32_t n_workers, n_rows, n_wanted, n_pages; /* most of each */
    mote_kv_type kv_type;
    uint8_t *cache;
    uint64_t page_bytes, head_bytes; /* of a page; of what one kv head of one layer has in it */
    uint32_t most_queries;           /* of one piece of attention */
    uint32_t *groups;                /* [T + 1] first rows of the groups of this step that attend together */
    float *value[MOTE_PROGRAM_VALUES];
    struct mote_kernel_x8 x8;
    uint32_t widest;                   /* values of its columns, at most */
    uint32_t n_ropes;                  /* 2: the layers that see what is near turn by another base */
    double *frequency;                 /* [n_ropes][n_rot/2] radians a position */
    float rope_magnitude;              /* yarn's attention temperature */
    float *cosine, *sine;              /* [n_ropes][T][n_rot/2] of this step's rows */
    struct mote_kernel_weight *packed; /* [n_ops] of an encoder: weights of products, with their panels */
    uint8_t *work;                     /* [n_workers] of work_bytes */
    uint64_t work_bytes;
};

/* Takes what a device needs from the arena and sets it up; with a counting arena, only counts (device is then
 * used for scratch only). Sizes in device: n_rows, n_wanted, n_pages, kv_type are set by the caller before.
 * Errors: MEMORY. */
MOTE_MUST_USE mote_status mote_device_cpu_open(const struct mote_program *program,
                                               const struct mote_model_config *config,
                                               const struct mote_model_weights *weights,
                                               const mote_host *host, struct mote_base_arena *arena,
                                               struct mote_device_cpu *device);

/* Computes rows[0, n), n ≤ n_rows, of a language model. wanted[0, n_wanted) are the places, ascending, of the
 * rows whose logits go to logits [n_wanted][V]. */
void mote_device_cpu_step(struct mote_device_cpu *device, const struct mote_device_row *rows, uint32_t n,
                          const uint32_t *wanted, uint32_t n_wanted, float *logits);

/* What an encoder makes of some sequences. */
struct mote_device_encoding {
    const uint32_t
        *ends; /* [n] the row after the last of each sequence; they follow one another from row 0 */
    uint32_t n;
    mote_pooling pooling; /* NONE: a vector for each row */
    float *vectors;       /* [n or n_rows][D] */
    float *labels;        /* [n or n_rows][labels]; NULL: not wanted */
};

/* Computes the rows of some whole sequences, n ≤ n_rows. */
void mote_device_cpu_encode(struct mote_device_cpu *device, const struct mote_device_row *rows, uint32_t n,
                            const struct mote_device_encoding *encoding);

/* Bundles the rows of a matrix (kernel/bundle.h), in the bytes that w views, if products of this machine want that and
 * it was not done before. */
void mote_device_cpu_bundle(struct mote_device_cpu *device, struct mote_kernel_weight *w);

/* Copies the contents of one page to another. */
void mote_device_cpu_copy_page(struct mote_device_cpu *device, uint32_t from, uint32_t to);

/* A page as device->page_bytes bytes, with nothing in it of positions from n_positions on; and back. */
void mote_device_cpu_save_page(const struct mote_device_cpu *device, uint32_t page, uint32_t n_positions,
                               uint8_t *out);
void mote_device_cpu_restore_page(struct mote_device_cpu *device, uint32_t page, const uint8_t *bytes);

#endif
