/* SPDX-License-Identifier: Apache-2.0
 *
 * search_fuzz.c: any bytes as the index of `mote search`: asked, and brought up to date, with an interruption.
 *
 *     0 u8 flags   1 u8 texts after which the encoder is interrupted, 0: never   2 bytes of the index, or a recipe
 *     recipe       records, then after a byte 0xff pokes
 *     record       kind, owner, part, flags, n paragraphs, which name, texts of 2^x bytes, which digest
 *     poke         u16 at, u8 width, value
 *
 * In place of the encoder, a vector is made of a text's bytes. What is checked beside "no crash": what is refused
 * is refused in both uses, with the place in the file, and stays as it was; what is accepted says nothing from
 * outside of it; and after an update, however often it was interrupted, files are in the index as they are on the
 * disk. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/cli/digest.h"
#include "apps/cli/search.h"
#include "fuzz/command.h"

#define SHARED "/dev/shm/mote-search-fuzz"
#define NOTES  SHARED "/notes"

enum { RECIPE = 1, OWN_MODEL = 2, ADD = 4, UPDATE = 8, JSON = 16, ROOM = 8 << 20 };

static const char *index_path,
    *names[8] = {"", "a.txt", "b.md", "c.txt", NOTES, SHARED, "x\n\x1b[1m", SHARED "/no"};
static unsigned char model_sha[CLI_INDEX_SHA], file_sha[2][CLI_INDEX_SHA];
static char *files[2]; /* a.txt, b.md */
static unsigned n_texts, stop_after;

static void expect(int truth) {
    if (!truth) abort();
}

/* ---- what the rest of the command gives the files under test ---- */

char *cli_dir_of(const char *path) {
    return strndup(path, (size_t)(strrchr(path, '/') - path));
}
int cli_write_all(int fd, const void *bytes, size_t n_bytes) {
    return write(fd, bytes, n_bytes) == (ssize_t)n_bytes ? 0 : -1;
}
struct cli_encoding cli_encoding_defaults(void) {
    return (struct cli_encoding){.n_batch = 64};
}

/* Its vectors have as many numbers as the index says. */
static uint32_t n_dims;
int cli_encoder_open(struct cli_encoder *encoder, const char *name, const struct cli_encoding *options) {
    expect(*name && options->quiet);
    encoder->model.path = strdup(SHARED "/model");
    encoder->model.info.n_model = n_dims;
    encoder->model.info.pooling = MOTE_POOLING_MEAN;
    encoder->model.model = (const mote_model *)(const void *)encoder;
    return CLI_OK;
}
void cli_encoder_close(struct cli_encoder *encoder) {
    free(encoder->model.path);
}
int cli_encoder_want(struct cli_encoder *encoder, const struct cli_encoder_want *want, cli_encoder_take *take,
                     void *user) {
    encoder->want = *want;
    encoder->take = take;
    encoder->user = user;
    return CLI_OK;
}
static void fill(float *x, mote_text text) {
    uint32_t state = 1;
    for (size_t i = 0; i < text.n; i++)
        state = state * 31 + (unsigned char)text.data[i];
    for (uint32_t i = 0; i < n_dims; i++, state = state * 1664525 + 1013904223)
        x[i] = (float)(state >> 8) / (1 << 23) - 1;
}
int cli_encoder_vector(struct cli_encoder *encoder, mote_text text, mote_pooling pooling, int normalize,
                       float *vector) {
    expect(encoder->model.info.pooling == pooling && normalize);
    fill(vector, text);
    return CLI_OK;
}
int cli_encoder_add(struct cli_encoder *encoder, mote_text text) {
    static float x[CLI_MOST_DIMS];
    if (stop_after && ++n_texts > stop_after) return CLI_INTERRUPTED;
    fill(x, text);
    return encoder->take(encoder->user, &(struct cli_encoded){.text = text, .vector = x});
}
int cli_encoder_flush(struct cli_encoder *encoder) {
    return encoder->take ? CLI_OK : CLI_FAILED;
}

/* ---- the folder, which is the same for all runs, so that a corpus can hold its digests ---- */

static void put_file(const char *path, const void *bytes, size_t n) {
    struct stat status;
    const struct timespec long_ago[2] = {{1000000000, 0}, {1000000000, 0}};
    if (!stat(path, &status) && (size_t)status.st_size == n) return;
    FILE *file = fopen(path, "wb");
    expect(file && fwrite(bytes, 1, n, file) == n && !fclose(file));
    expect(!utimensat(AT_FDCWD, path, long_ago, 0));
}

static void make_text(int i, const char *path, int n_lines) {
    struct cli_buffer text = {0};
    char line[200], hex[CLI_SHA256_HEX];
    for (int k = 0; k < n_lines; k++) {
        int n = snprintf(line, sizeof line, "%c %d: %.*s.\n\n", "ab"[i], k, 80 + k % 30,
                         "a line of a text that is long enough to be a paragraph of its own, whatever else "
                         "there is in the file beside it");
        expect(cli_buffer_append(&text, line, (size_t)n));
    }
    put_file(path, text.data, text.n);
    expect(cli_buffer_append(&text, "", 1));
    files[i] = text.data;
    expect(!cli_digest_file(path, CLI_SHA256, NULL, hex) && cli_search_sha(hex, file_sha[i]));
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static char path[64];
    char hex[CLI_SHA256_HEX];
    expect(*argc && *argv && freopen("/dev/null", "w", stdout));
    expect((!mkdir(SHARED, 0700) || errno == EEXIST) && (!mkdir(NOTES, 0700) || errno == EEXIST));
    make_text(0, NOTES "/a.txt", 150); /* three parts */
    make_text(1, NOTES "/b.md", 3);
    put_file(SHARED "/model", "model", 5);
    expect(!cli_digest_file(SHARED "/model", CLI_SHA256, NULL, hex) && cli_search_sha(hex, model_sha));
    snprintf(path, sizeof path, SHARED "/index-%d", (int)getpid());
    index_path = path;
    return 0;
}

/* ---- making an index ---- */

static void add_record(struct cli_buffer *index, const uint8_t *p) {
    static char text[1 << 15];
    struct cli_paragraph paragraphs[72];
    struct cli_buffer made = {0};
    struct cli_index_record record = {.kind = p[0] % 8, .owner = p[1], .part = p[2], .flags = p[3]};
    const char *name = names[p[5] % 8];
    record.name = (mote_text){name, strlen(name)};
    record.n = p[4] % 72;
    record.sha = p[7] % 4 < 2 ? file_sha[p[7] % 4] : NULL;
    if (p[7] % 4 == 3) { /* as the file is on the disk */
        record.size = strlen(files[0]);
        record.mtime = INT64_C(1000000000000000000);
    }
    if (!*text) memset(text, 'x', sizeof text);
    struct cli_split split = {.text = {files[0], strlen(files[0])}};
    for (uint32_t i = 0; i < record.n; i++)
        if (p[6] || !cli_split_next(&split, &paragraphs[i])) /* 0: the file's own paragraphs */
            paragraphs[i] = (struct cli_paragraph){{text, (size_t)1 << p[6] % 16}, i};
    if (cli_index_make(&made, &record, paragraphs, n_dims) && index->n + made.n < ROOM)
        expect(cli_buffer_append(index, made.data, made.n));
    cli_buffer_close(&made);
}

static void poke(struct cli_buffer *index, const uint8_t *p, size_t n) {
    for (; n >= 4; p += 4, n -= 4) {
        size_t at = p[0] | (size_t)p[1] << 8, width = (size_t)1 << p[2] % 4;
        uint64_t value = p[3] & 128 ? 0 - (uint64_t)(p[3] & 127) : (uint64_t)p[3] << p[2] / 4;
        if (at + width <= index->n) cli_index_put((unsigned char *)index->data + at, value, (int)width);
    }
}

static void make_index(struct cli_buffer *index, uint8_t flags, const uint8_t *bytes, size_t n) {
    static const unsigned char header[CLI_INDEX_HEADER] = "MOTESRCH\x01\0\0\0\x08";
    n_dims = 8;
    if (!(flags & RECIPE)) {
        expect(cli_buffer_append(index, bytes, n));
    } else {
        expect(cli_buffer_append(index, header, sizeof header));
        for (; n >= 8 && *bytes != 0xff; bytes += 8, n -= 8)
            add_record(index, bytes);
        cli_index_put((unsigned char *)index->data + 16, index->n, 8);
        if (n) poke(index, bytes + 1, n - 1);
    }
    if (index->n < CLI_INDEX_HEADER) return;
    unsigned char *p = (unsigned char *)index->data;
    if (flags & OWN_MODEL) memcpy(p + 32, model_sha, CLI_INDEX_SHA);
    uint64_t said = cli_index_get(p + 12, 4);
    if (said && said <= CLI_MOST_DIMS) n_dims = (uint32_t)said;
}

/* ---- looking at one ---- */

static int is_inside(const struct cli_index *index, const void *p, uint64_t n) {
    uint64_t at = (uint64_t)((const unsigned char *)p - index->bytes);
    return at <= index->whole && n <= index->whole - at;
}

static void look_at_record(const struct cli_index *index, const struct cli_index_record *record) {
    static struct cli_query query;
    expect(is_inside(index, index->bytes + record->at, record->n_bytes));
    expect(is_inside(index, record->name.data, record->name.n));
    expect(is_inside(index, record->texts.data, record->texts.n));
    if (!record->n) return;
    expect(is_inside(index, record->vectors, cli_vectors_bytes(record->n, index->n_dims)));
    float *scores = calloc(record->n, sizeof *scores);
    expect(scores != NULL);
    query.scale = 1;
    for (uint32_t i = 0; i < index->n_dims; i++)
        query.x[i] = -2047;
    cli_vectors_score(record->vectors, record->n, index->n_dims, &query, scores);
    free(scores);
    for (uint32_t i = 0; i < record->n; i++) {
        struct cli_paragraph paragraph;
        if (cli_index_paragraph(record, i, &paragraph))
            expect(is_inside(index, paragraph.text.data, paragraph.text.n));
    }
}

static void look_at_file(const struct cli_index *index, const struct cli_index_file *file, int is_whole) {
    expect(file->folder < index->n_folders && file->n_parts &&
           file->first + file->n_parts <= index->n_records);
    for (size_t k = 0; k < file->n_parts; k++) {
        const struct cli_index_record *record = &index->records[file->first + k];
        expect(record->kind == CLI_INDEX_FILE && record->part == k && record->owner == file->folder);
        int is_last = k + 1 == file->n_parts && is_whole;
        expect(!(record->flags & CLI_INDEX_LAST) == !is_last);
    }
}

/* An update walks the folders of an index wherever they are: here only some of our own. */
static int is_ours(const struct cli_index *index, uint32_t folder) {
    mote_text name = index->records[index->folders[folder]].name;
    size_t n = strlen(SHARED "/no");
    return name.n >= n && !memcmp(name.data, SHARED "/no", n) && !memmem(name.data, name.n, "..", 2);
}

/* All that an index says, of a copy that ends where its memory ends. Returns 0 if it is refused. */
static int look(const char *bytes, size_t n, uint32_t *n_known, int *ours) {
    char *copy = malloc(n + !n);
    struct cli_index index;
    struct cli_index_fault fault = {"", UINT64_MAX};
    uint64_t at = CLI_INDEX_HEADER, live = 0, n_paragraphs = 0;
    expect(copy != NULL);
    if (n) memcpy(copy, bytes, n);
    int sound = cli_index_read(&index, copy, n, &fault);
    if (!sound) expect(fault.text && *fault.text && fault.where <= n);
    for (size_t i = 0; sound && i < index.n_records; at += index.records[i++].n_bytes) {
        expect(index.records[i].at == at);
        look_at_record(&index, &index.records[i]);
        live += index.records[i].kind <= CLI_INDEX_FOLDER ? index.records[i].n_bytes : 0;
    }
    for (size_t f = 0; sound && f < index.n_files; f++) {
        const struct cli_index_file *file = &index.files[f];
        look_at_file(&index, file, 1);
        expect(cli_index_find(&index, file->folder, file->name) == file);
        for (size_t k = 0; k < file->n_parts; k++) {
            live += index.records[file->first + k].n_bytes;
            n_paragraphs += index.records[file->first + k].n;
        }
    }
    if (sound) {
        expect(at == index.whole && live == index.live_bytes && n_paragraphs == index.n_paragraphs);
        if (index.unfinished.n_parts) look_at_file(&index, &index.unfinished, 0);
        *n_known = (uint32_t)index.n_files;
        for (uint32_t i = 0; i < index.n_folders; i++)
            *ours &= is_ours(&index, i);
    }
    cli_index_close(&index);
    free(copy);
    return sound;
}

/* ---- the command ---- */

static void read_index(struct cli_buffer *index) {
    index->n = 0;
    expect(cli_buffer_read_path(index, index_path) == CLI_OK);
}

static int run(const char *a, const char *b, const char *c) {
    char *argv[] = {(char *)"search", (char *)index_path, (char *)"-q", (char *)a,
                    (char *)b,        (char *)c,          NULL};
    int argc = 3;
    while (argv[argc])
        argc++;
    *message = 0;
    return cli_search(argc, argv);
}

/* Whether a failure says where in the index it is. */
static int says_where(void) {
    return strstr(message, index_path) == message && strstr(message, " (at byte ");
}

/* The files of NOTES, if the index has none that it takes for them, are in it as they are on the disk. */
static void expect_notes(const struct cli_buffer *bytes) {
    struct cli_index index;
    struct cli_index_fault fault;
    expect(cli_index_read(&index, bytes->data, bytes->n, &fault));
    for (uint32_t folder = 0; folder < index.n_folders; folder++) {
        mote_text name = index.records[index.folders[folder]].name;
        if (name.n != strlen(NOTES) || memcmp(name.data, NOTES, name.n) != 0) continue;
        for (int i = 0; i < 2; i++) {
            struct cli_split split = {.text = {files[i], strlen(files[i])}};
            const struct cli_index_file *file =
                cli_index_find(&index, folder, (mote_text){names[1 + i], strlen(names[1 + i])});
            struct cli_paragraph has, should;
            expect(file != NULL);
            for (size_t k = 0; k < file->n_parts; k++)
                for (uint32_t p = 0; p < index.records[file->first + k].n; p++) {
                    expect(cli_index_paragraph(&index.records[file->first + k], p, &has));
                    expect(cli_split_next(&split, &should) && has.line == should.line);
                    expect(has.text.n == should.text.n &&
                           !memcmp(has.text.data, should.text.data, has.text.n));
                }
            expect(!cli_split_next(&split, &should));
        }
        break; /* an index that has it twice only brings the first up to date */
    }
    cli_index_close(&index);
}

static void update(uint8_t flags, const struct cli_buffer *index, int sound, uint32_t n_known) {
    struct cli_buffer after = {0};
    const char *how = flags & ADD ? "--add" : "--update", *folder = flags & ADD ? NOTES : NULL;
    uint32_t n_then;
    int ours = 1;
    n_texts = 0;
    int code = run(how, folder, flags & ADD && flags & UPDATE ? "--update" : NULL);
    read_index(&after);
    if (!sound) {
        expect(code == CLI_FAILED && says_where());
        expect(after.n == index->n && (!after.n || !memcmp(after.data, index->data, after.n)));
    } else if (flags & OWN_MODEL) {
        expect(look(after.data, after.n, &n_then, &ours));
        stop_after = 0;
        if (code == CLI_INTERRUPTED) code = run(how, folder, NULL);
        read_index(&after);
        expect(look(after.data, after.n, &n_then, &ours));
        if (!code && flags & ADD && !n_known) expect_notes(&after);
    }
    cli_buffer_close(&after);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct cli_buffer index = {0};
    uint32_t n_known = 0;
    int ours = 1;
    if (n < 2) return -1;
    uint8_t flags = bytes[0];
    stop_after = bytes[1];
    make_index(&index, flags, bytes + 2, n - 2);
    int sound = look(index.data, index.n, &n_known, &ours);
    int fd = open(index_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    expect(fd >= 0 && write(fd, index.data, index.n) == (ssize_t)index.n && !close(fd));
    int code = run("a question", flags & JSON ? "--json" : "-k3", NULL);
    if (!sound || (code == CLI_FAILED && flags & OWN_MODEL)) expect(code == CLI_FAILED && says_where());
    if (ours && flags & (ADD | UPDATE)) update(flags, &index, sound, n_known);
    unlink(index_path);
    cli_buffer_close(&index);
    return 0;
}
