/* SPDX-License-Identifier: Apache-2.0
 *
 * program.c: from a configuration to the program of its family. */
#include "program/program.h"

mote_status mote_program_open(const struct mote_model_config *config,
                              const struct mote_model_weights *weights, struct mote_base_arena *arena,
                              struct mote_program *program) {
    uint64_t n = (uint64_t)config->n_layers * MOTE_PROGRAM_OPS_PER_LAYER + MOTE_PROGRAM_OPS_AROUND;
    struct mote_program_op *ops = mote_base_arena_take(arena, n, sizeof *ops);
    if (!ops) return arena->failed ? MOTE_E_MEMORY : MOTE_OK;
#if !defined(MOTE_NO_DECODERS)
    if (!mote_model_is_encoder(config)) mote_program_llama(config, weights, ops, program);
#endif
#if !defined(MOTE_NO_ENCODERS)
    if (mote_model_is_encoder(config)) mote_program_bert(config, weights, ops, program);
#endif
    return MOTE_OK;
}
