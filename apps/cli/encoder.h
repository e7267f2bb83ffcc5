/* SPDX-License-Identifier: Apache-2.0
 *
 * encoder.h: texts through an encoder, for the commands that read many of them.
 *
 *     struct cli_encoding options = cli_encoding_defaults();
 *     struct cli_encoder encoder = {0};
 *     int code = cli_encoder_open(&encoder, "minilm", &options);
 *     if (!code) code = cli_encoder_want(&encoder, &(struct cli_encoder_want){.vectors = 1, …}, take, user);
 *     for (each text) if (!code) code = cli_encoder_add(&encoder, text);
 *     if (!code) code = cli_encoder_flush(&encoder);
 *     cli_encoder_close(&encoder);
 *
 * Texts gather in a window; when it is full, or flushed, they are sorted by length, packed into batches by
 * their tokens, without padding, encoded, and handed to take in the order in which they were added. A window
 * holds at most a few batches, so that memory stays small however many texts come. By the same-bits law
 * neither window nor batch changes a result.
 *
 * A text longer than the context is cut behind the last token that has room, and the special tokens around it
 * stay. An empty text is its special tokens. Bytes that are no UTF-8, NUL too, are what mote_tokenize makes
 * of them. */
#ifndef MOTE_CLI_ENCODER_H
#define MOTE_CLI_ENCODER_H

#include "apps/cli/lines.h"
#include "apps/cli/model.h"

enum { CLI_MOST_BATCH = 256 };

/* What is said on the command line. */
struct cli_encoding {
    struct cli_runtime runtime; /* threads, instruction set, and the most tokens of a text */
    uint32_t n_batch;           /* most texts of a batch */
    const char *prefix;         /* put before every text that is added, or NULL */
    int stats, quiet, yes;
};
extern const struct cli_option cli_encoding_options[];
struct cli_encoding cli_encoding_defaults(void);

/* Which results are wanted. */
struct cli_encoder_want {
    int vectors, labels;  /* of labels the model must have some */
    int normalize;        /* vectors of length 1 (a vector of zeros stays) */
    int texts;            /* the text itself, as it was added */
    mote_pooling pooling; /* of the vectors; usually encoder.model.info.pooling */
};

/* One text's results. What is not wanted is NULL; all of it is the encoder's, until take returns. */
struct cli_encoded {
    uint64_t index; /* of the text, from 0, in the order of adding */
    mote_text text;
    const mote_token *tokens; /* [n_tokens], with special tokens */
    size_t n_tokens;
    size_t from, to;     /* the text's own tokens; of a pair, the second's */
    int cut;             /* it was longer than the context */
    const float *vector; /* [D], or for pooling NONE [n_tokens, D] */
    const float *labels; /* logits [n_labels], or of a head that judges tokens [n_tokens, n_labels] */
};

/* Returns CLI_OK, or an exit code to stop with. */
typedef int cli_encoder_take(void *user, const struct cli_encoded *encoded);

/* The special tokens around a text, MOTE_TOKEN_NONE where there is none, and how a pair is joined:
 *     BERT      [CLS] first [SEP] second [SEP]
 *     RoBERTa   <s> first </s> </s> second </s> */
struct cli_frame {
    mote_token before, after;
    size_t n_between; /* times `after` stands between the two */
};

struct cli_encoder {
    struct cli_model model;
    struct cli_frame frame;
    uint32_t n_positions; /* most tokens of a text; the model's context grows up to it */
    const char
        *source; /* what messages call the place of a text: "FILE:12", the 12th added; NULL: "text 12" */
    uint64_t n_texts, n_tokens, n_cut; /* encoded so far */
    double seconds;                    /* spent tokenizing and encoding */
    const char *prefix;                /* as in cli_encoding; may be changed between texts */
    /* the rest is encoder.c's and encoder_window.c's */
    uint32_t n_rows, n_batch;
    struct cli_encoder_want want;
    cli_encoder_take *take;
    void *user;
    mote_token *first; /* of pairs */
    size_t n_first;
    int is_pair, first_cut;
    mote_token *list; /* where mote_tokenize puts tokens */
    size_t list_room;
    void *work;
    uint64_t work_bytes;
    struct cli_buffer joined; /* prefix and text */
    struct cli_window *window;
};

/* Opens a model that is an encoder, with threads and a context; name as cli_model_find takes it. Zero the
 * struct first; close it in any case. Returns CLI_OK or an exit code with a message printed, as all do here. */
int cli_encoder_open(struct cli_encoder *encoder, const char *name, const struct cli_encoding *options);
void cli_encoder_close(struct cli_encoder *encoder);

/* Says what to make of the texts that follow and who takes it. What is still in the window must have been
 * flushed. */
int cli_encoder_want(struct cli_encoder *encoder, const struct cli_encoder_want *want, cli_encoder_take *take,
                     void *user);

/* From now on every text added is the second of a pair, of which this is the first. It gets at most half of
 * the context; the second is cut to what is left. */
int cli_encoder_first(struct cli_encoder *encoder, mote_text first);

/* Adds a text; CLI_INTERRUPTED when Ctrl-C was pressed, after take has had what was made. */
int cli_encoder_add(struct cli_encoder *encoder, mote_text text);
int cli_encoder_flush(struct cli_encoder *encoder);

/* Adds every line, with a progress line on stderr under this label (NULL: none), and flushes: at the end, and
 * whenever the next line is not there yet, so that results keep up with a source that is slow. */
int cli_encoder_feed(struct cli_encoder *encoder, struct cli_lines *lines, const char *label);

/* One text at once, past the window: its vector [D] by a pooling that is not NONE. */
int cli_encoder_vector(struct cli_encoder *encoder, mote_text text, mote_pooling pooling, int normalize,
                       float *vector);

/* Tells on stderr how many texts were cut, if any, and with options.stats also times, speeds and peak memory. */
void cli_encoder_report(const struct cli_encoder *encoder, const struct cli_encoding *options);

/* A pooling by name, "none", "mean", "cls", "last"; 0 if text is none of them. */
int cli_pooling_parse(const char *text, mote_pooling *pooling);
const char *cli_pooling_name(mote_pooling pooling);

/* x [n] divided by its length, in place; the sum is made in double, in order. */
void cli_normalize(float *x, size_t n);

#endif
