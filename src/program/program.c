/* SPDX-License-Identifier: Apache-2.0
 *
 * program.c: from a configuration to the program of its family. */
#include "program/program.h"

void mote_program_write(struct mote_program_writer *w, const struct mote_program_line *lines, size_t n,
                        const struct mote_kernel_weight *slot) {
    for (const struct mote_program_line *line = lines; line < lines + n; line++) {
        uint8_t needs = line->when & (MOTE_PROGRAM_FEEDS - 1);
        int weighs = line->weight != MOTE_PROGRAM_NO_WEIGHT, biased = line->bias != MOTE_PROGRAM_NO_WEIGHT;
        uint8_t a = line->a == MOTE_PROGRAM_FED ? w->fed : line->a;
        if ((w->has & needs) != needs || (weighs && !slot[line->weight].data)) continue;
        w->ops[w->program->n_ops++] =
            (struct mote_program_op){.kind = line->kind,
                                     .out = line->out,
                                     .a = a,
                                     .b = line->b,
                                     .layer = w->layer,
                                     .weight = weighs ? &slot[line->weight] : NULL,
                                     .bias = biased && slot[line->bias].data ? &slot[line->bias] : NULL,
                                     .activation = line->activation == MOTE_PROGRAM_OF_HEAD
                                                       ? w->head
                                                       : (enum mote_model_activation)line->activation,
                                     .near = w->near};
        if (line->when & MOTE_PROGRAM_FEEDS) w->fed = line->out;
        uint32_t *width = w->program->width;
        width[line->out] = line->kind == MOTE_PROGRAM_MATMUL  ? slot[line->weight].n
                           : line->kind == MOTE_PROGRAM_EMBED ? slot[line->weight].k
                                                              : width[a];
    }
}

mote_status mote_program_open(const struct mote_model_config *config,
                              const struct mote_model_weights *weights, struct mote_base_arena *arena,
                              struct mote_program *program) {
    uint64_t n = (uint64_t)config->n_layers * MOTE_PROGRAM_OPS_PER_LAYER + MOTE_PROGRAM_OPS_AROUND;
    struct mote_program_op *ops = mote_base_arena_take(arena, n, sizeof *ops);
    if (!ops) return arena->failed ? MOTE_E_MEMORY : MOTE_OK;
    struct mote_program_writer writer = {.program = program, .ops = ops};
    *program = (struct mote_program){.ops = ops};
#if !defined(MOTE_NO_DECODERS)
    if (!mote_model_is_encoder(config)) mote_program_llama(config, weights, &writer);
#endif
#if !defined(MOTE_NO_ENCODERS)
    if (mote_model_is_encoder(config)) mote_program_bert(config, weights, &writer);
#endif
    program->width[MOTE_PROGRAM_NORMED] = config->n_model; /* also for what is added to a row */
    return MOTE_OK;
}
