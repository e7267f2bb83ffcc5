/* SPDX-License-Identifier: Apache-2.0
 *
 * quantize_compare.c: what smaller weights cost an encoder, in its own coin: for a few texts, the cosine between
 * the vectors before and after. The texts are short and long, plain and technical, in several languages: errors
 * that average out in one may not in another. A model without a pooling of its own is pooled by the mean. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli/encoder.h"
#include "apps/cli/quantize_compare.h"

static const char *const texts[] = {
    "yes",
    "The kettle is on.",
    "Turn off the light in the hall, please.",
    "I waited an hour for a sandwich that was cold, and nobody said a word.",
    "What a wonderful evening; we laughed until the last train had gone!",
    "The pump stops when its inlet pressure falls below 0.4 bar for more than ten seconds.",
    "error: cannot open /dev/ttyUSB0: permission denied (is the user in the group dialout?)",
    "How do I return a parcel that was sent to the wrong address?",
    "In spring the river rises over the meadows, and for some weeks the village is an island.",
    "Der Zug nach Basel fährt heute von Gleis sieben.",
    "Il fait froid ce matin, mais le soleil revient.",
    "¿Dónde está la estación de autobuses?",
    "明日は雨が降るでしょう。",
    "42",
    "int main(void) { return 0; }",
    "A contract is formed when one party makes an offer and the other accepts it without changing its terms.",
};
enum { N_TEXTS = sizeof texts / sizeof *texts };

struct vectors {
    float *list; /* [N_TEXTS, width] */
    size_t width;
};

static int take(void *user, const struct cli_encoded *encoded) {
    struct vectors *vectors = user;
    memcpy(vectors->list + encoded->index * vectors->width, encoded->vector, vectors->width * sizeof(float));
    return CLI_OK;
}

static int encode(const char *path, uint32_t threads, struct vectors *vectors) {
    struct cli_encoding options = cli_encoding_defaults();
    struct cli_encoder encoder = {0};
    options.runtime.threads = threads;
    options.quiet = 1;
    int code = cli_encoder_open(&encoder, path, &options);
    struct cli_encoder_want want = {.vectors = 1, .normalize = 1, .pooling = encoder.model.info.pooling};
    if (want.pooling == MOTE_POOLING_NONE) want.pooling = MOTE_POOLING_MEAN;
    vectors->width = encoder.model.info.n_model;
    vectors->list = code ? NULL : malloc(N_TEXTS * vectors->width * sizeof(float));
    if (!code && !vectors->list) code = cli_fail(CLI_MEMORY, "not enough memory to compare");
    if (!code) code = cli_encoder_want(&encoder, &want, take, vectors);
    for (size_t i = 0; i < N_TEXTS && !code; i++)
        code = cli_encoder_add(&encoder, (mote_text){texts[i], strlen(texts[i])});
    if (!code) code = cli_encoder_flush(&encoder);
    cli_encoder_close(&encoder);
    return code;
}

int cli_quantize_compare(const char *before, const char *after, uint32_t threads) {
    struct vectors was = {0}, now = {0};
    double sum = 0, least = 1;
    int code = encode(before, threads, &was);
    if (!code) code = encode(after, threads, &now);
    for (size_t i = 0; i < N_TEXTS && !code; i++) {
        double cosine = 0;
        for (size_t j = 0; j < was.width; j++)
            cosine += (double)was.list[i * was.width + j] * (double)now.list[i * was.width + j];
        sum += cosine;
        least = fmin(least, cosine);
    }
    free(was.list);
    free(now.list);
    if (!code)
        printf("vectors of %d texts: cosine %.5f on average, %.5f at worst\n", N_TEXTS, sum / N_TEXTS, least);
    return code;
}
