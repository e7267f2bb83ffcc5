/* SPDX-License-Identifier: Apache-2.0
 *
 * embed.c: `mote embed`: texts, one a line, to vectors.
 *
 *     jsonl    {"index":0,"embedding":[…]} a line, with as many digits as make the same f32 again
 *     npy      one array of numpy, '<f4', C order, [n, D]
 *     f32      the same numbers without a header, little-endian
 *
 * With pooling none a text has a vector for each token: in JSON a list of lists, in the others [Σ tokens, D].
 *
 * The header of a .npy file tells n, which is known at the end. Where the output can be written again at its
 * beginning, the header is; elsewhere (a pipe, a terminal, a file that is appended to) the vectors wait in a
 * temporary file until all are there. After Ctrl-C or a failure it tells the vectors that were made. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/cli/encoder.h"
#include "apps/cli/print.h"

struct request {
    const char *file, *text, *output, *format, *pooling;
    int normalize, plain;
    struct cli_encoding encoding;
};

#define AT(member) offsetof(struct request, member)
static const struct cli_option own_options[] = {
    CLI_OPTION("text", 'p', "TEXT", CLI_TEXT, AT(text), 0, 0, "one text, in place of FILE or stdin"),
    CLI_OPTION("format", 0, "NAME", CLI_TEXT, AT(format), 0, 0,
               "jsonl (default), npy or f32: little-endian numbers only"),
    CLI_OPTION("output", 'o', "FILE", CLI_TEXT, AT(output), 0, 0, "write to FILE in place of stdout"),
    CLI_OPTION("pooling", 0, "NAME", CLI_TEXT, AT(pooling), 0, 0,
               "mean, cls, last or none (default: as the model says)"),
    CLI_OPTION("normalize", 0, NULL, CLI_FLAG, AT(normalize), 0, 0,
               "make the length of each vector 1 (default but with --pooling none)"),
    CLI_OPTION("no-normalize", 0, NULL, CLI_FLAG, AT(plain), 0, 0, "leave vectors as they are"),
    {0}};
#undef AT

enum format { JSONL, NPY, F32 };
enum { NPY_HEADER = 128 };

struct output {
    FILE *file;  /* where vectors go */
    FILE *final; /* where a spooled .npy goes in the end, or NULL */
    const char *name;
    enum format format;
    off_t start; /* of the header of a .npy that is written again */
    uint64_t n_vectors;
    size_t n_model; /* D */
    mote_pooling pooling;
};

/* ---- writing ---- */

static int write_npy_header(const struct output *output, FILE *file) {
    char header[NPY_HEADER + 1];
    int n = snprintf(header, sizeof header,
                     "\x93NUMPY\x01%c%c%c{'descr': '<f4', 'fortran_order': False, 'shape': (%llu, %zu), }", 0,
                     NPY_HEADER - 10, 0, (unsigned long long)output->n_vectors, output->n_model);
    memset(header + n, ' ', (size_t)(NPY_HEADER - 1 - n));
    header[NPY_HEADER - 1] = '\n';
    return fwrite(header, 1, NPY_HEADER, file) == NPY_HEADER ? CLI_OK : cli_write_fail(output->name);
}

static void write_floats(FILE *file, const float *x, size_t n) {
    unsigned char bytes[4 * 256];
    for (size_t at = 0; at < n;) {
        size_t some = n - at < 256 ? n - at : 256;
        for (size_t i = 0; i < some; i++) {
            uint32_t bits;
            memcpy(&bits, &x[at + i], 4);
            for (int k = 0; k < 4; k++)
                bytes[4 * i + (size_t)k] = (unsigned char)(bits >> 8 * k);
        }
        fwrite(bytes, 4, some, file);
        at += some;
    }
}

static void write_list(FILE *file, const float *x, size_t n) {
    char number[CLI_MOST_FLOAT];
    putc('[', file);
    for (size_t i = 0; i < n; i++) {
        if (i) putc(',', file);
        fwrite(number, 1, cli_float_text(x[i], number), file);
    }
    putc(']', file);
}

static int take(void *user, const struct cli_encoded *encoded) {
    struct output *output = user;
    size_t n = output->pooling == MOTE_POOLING_NONE ? encoded->n_tokens : 1, n_model = output->n_model;
    output->n_vectors += n;
    errno = 0;
    if (output->format != JSONL) {
        write_floats(output->file, encoded->vector, n * n_model);
    } else {
        fprintf(output->file, "{\"index\":%llu,\"embedding\":", (unsigned long long)encoded->index);
        if (output->pooling == MOTE_POOLING_NONE) {
            for (size_t i = 0; i < n; i++) {
                putc(i ? ',' : '[', output->file);
                write_list(output->file, encoded->vector + i * n_model, n_model);
            }
            fputs("]}\n", output->file);
        } else {
            write_list(output->file, encoded->vector, n_model);
            fputs("}\n", output->file);
        }
    }
    return ferror(output->file) ? cli_write_fail(output->name) : CLI_OK;
}

/* ---- opening and closing the output ---- */

static int is_same(const struct stat *status, const char *path) {
    struct stat other;
    return path && !stat(path, &other) && other.st_dev == status->st_dev && other.st_ino == status->st_ino;
}

/* A file to write: emptied only when it is neither the model nor the texts. */
static int open_file(struct output *output, const char *path, const struct request *request,
                     const char *model_path) {
    struct stat status;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    output->name = path;
    if (fd < 0 || fstat(fd, &status)) {
        int code = cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
        if (fd >= 0) close(fd);
        return code;
    }
    if (is_same(&status, model_path) || is_same(&status, request->file)) {
        close(fd);
        return cli_fail(CLI_USAGE, "embed: %s is to be read, it cannot be written to", path);
    }
    if ((S_ISREG(status.st_mode) && ftruncate(fd, 0)) || !(output->file = fdopen(fd, "wb"))) {
        int code = cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
        close(fd);
        return code;
    }
    return CLI_OK;
}

/* Whether what was written to file can be written again. */
static int can_rewrite(FILE *file) {
    struct stat status;
    int flags = fcntl(fileno(file), F_GETFL);
    return !fstat(fileno(file), &status) && S_ISREG(status.st_mode) && flags >= 0 && !(flags & O_APPEND);
}

/* Where vectors wait; a sandbox has no place for that. */
static FILE *open_spool(void) {
#if defined(__wasi__)
    errno = ENOTSUP;
    return NULL;
#else
    return tmpfile();
#endif
}

static int open_output(struct output *output, const struct request *request, const char *model_path) {
    int code = CLI_OK;
    output->name = "stdout";
    output->file = stdout;
    if (request->output && strcmp(request->output, "-") != 0)
        code = open_file(output, request->output, request, model_path);
    if (code || output->format != NPY) return code;
    if (can_rewrite(output->file)) {
        output->start = ftello(output->file);
        return write_npy_header(output, output->file);
    }
    output->final = output->file;
    output->file = open_spool();
    if (output->file) return CLI_OK;
    code = cli_fail(CLI_FAILED, "cannot make a temporary file: %s", strerror(errno));
    output->file = output->final;
    output->final = NULL;
    return code;
}

/* Header and spooled vectors to where they belong. */
static int send(struct output *output) {
    char bytes[1 << 14];
    int code = write_npy_header(output, output->final);
    rewind(output->file);
    for (size_t n; !code && (n = fread(bytes, 1, sizeof bytes, output->file)) > 0;)
        if (fwrite(bytes, 1, n, output->final) != n) code = cli_write_fail(output->name);
    if (!code && ferror(output->file))
        code = cli_fail(CLI_FAILED, "cannot read the temporary file: %s", strerror(errno));
    fclose(output->file);
    output->file = output->final;
    return code;
}

/* Returns code, or what went wrong here when that is CLI_OK. */
static int close_output(struct output *output, int code) {
    int closed = CLI_OK;
    if (!output->file) return code;
    if (output->final)
        closed = send(output);
    else if (output->format == NPY && !ferror(output->file))
        closed = fseeko(output->file, output->start, SEEK_SET) ? cli_write_fail(output->name)
                                                               : write_npy_header(output, output->file);
    if (output->format == NPY && !output->final && !closed && fseeko(output->file, 0, SEEK_END))
        closed = cli_write_fail(output->name);
    errno = 0;
    if (output->file == stdout ? fflush(stdout) : fclose(output->file))
        if (!closed && !code) closed = cli_write_fail(output->name);
    return code ? code : closed;
}

/* ---- the command ---- */

static int parse(int argc, char **argv, struct request *request, const char **model, struct output *output) {
    const struct cli_grammar grammar = {"MODEL [FILE] [OPTIONS]",
                                        "Texts, one a line, to vectors. They come from FILE, stdin or -p.",
                                        {{own_options, request}, {cli_encoding_options, &request->encoding}},
                                        1,
                                        2};
    static const char *const formats[] = {"jsonl", "npy", "f32", NULL};
    char **arguments;
    int n, format = JSONL, code = cli_parse(argc, argv, &grammar, &arguments, &n);
    if (code != CLI_PARSED) return code;
    *model = arguments[0];
    if (n > 1) request->file = arguments[1];
    if (request->file && request->text) return cli_fail(CLI_USAGE, "embed: give a FILE or -p, not both");
    if (request->normalize && request->plain)
        return cli_fail(CLI_USAGE, "embed: give --normalize or --no-normalize, not both");
    if (request->format && !cli_choose(formats, request->format, &format))
        return cli_fail(CLI_USAGE, "embed: --format takes jsonl, npy or f32, not '%s'", request->format);
    if (request->pooling && !cli_pooling_parse(request->pooling, &output->pooling))
        return cli_fail(CLI_USAGE, "embed: --pooling takes none, mean, cls or last, not '%s'",
                        request->pooling);
    output->format = (enum format)format;
    return CLI_PARSED;
}

static int embed(const struct request *request, struct cli_encoder *encoder, struct cli_lines *lines,
                 struct output *output) {
    int told = !request->encoding.quiet && !isatty(fileno(output->final ? output->final : output->file));
    struct cli_encoder_want want = {
        .vectors = 1,
        .pooling = output->pooling,
        .normalize = request->plain ? 0 : request->normalize || output->pooling != MOTE_POOLING_NONE};
    int code = cli_encoder_want(encoder, &want, take, output);
    if (code) return code;
    if (!request->text) return cli_encoder_feed(encoder, lines, told ? "embed" : NULL);
    code = cli_encoder_add(encoder, (mote_text){request->text, strlen(request->text)});
    return code ? code : cli_encoder_flush(encoder);
}

int cli_embed(int argc, char **argv) {
    struct request request = {.encoding = cli_encoding_defaults()};
    struct cli_encoder encoder = {0};
    struct cli_lines lines = {.fd = -1};
    struct output output = {0};
    const char *model;
    int code = parse(argc, argv, &request, &model, &output);
    if (code != CLI_PARSED) return code;
    code = cli_encoder_open(&encoder, model, &request.encoding);
    if (!code && !request.text) code = cli_lines_open(&lines, request.file);
    if (!code) {
        if (!request.pooling) output.pooling = encoder.model.info.pooling;
        output.n_model = encoder.model.info.n_model;
        code = open_output(&output, &request, encoder.model.path);
        if (!code) code = embed(&request, &encoder, &lines, &output);
        code = close_output(&output, code);
        if (code == CLI_OK || code == CLI_INTERRUPTED) cli_encoder_report(&encoder, &request.encoding);
    }
    cli_lines_close(&lines);
    cli_encoder_close(&encoder);
    return code;
}
