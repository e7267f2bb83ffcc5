/* SPDX-License-Identifier: Apache-2.0
 *
 * files_fuzz.c: files that commands read beside models: a saved conversation, a llama2.c checkpoint with its
 * tokenizer, and the folder of an encoder. The first byte says which:
 *
 *     0  JSON of a conversation
 *     1  u16 n, n bytes of checkpoint, the rest is the tokenizer
 *     2  seven bytes, the shape of a checkpoint of the right size, then the tokenizer
 *     3  u16 n, n bytes of config.json, u16 n, n bytes of tokenizer.json, the rest is model.safetensors
 *
 * What is accepted must be sound: a conversation saves and loads as the same, a converted file has a
 * directory that the reader of GGUF accepts. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/cli/cli.h"
#include "apps/cli/convert.h"
#include "apps/cli/hf_convert.h"
#include "apps/cli/paths.h"
#include "apps/cli/transcript.h"
#include "fuzz/command.h"

/* ---- what else the rest of the command gives the files under test ---- */

int64_t cli_file_size(const char *path) {
    return access(path, F_OK) ? -1 : 0;
}
void cli_progress_open(struct cli_progress *progress, const char *label, const char *unit, uint64_t total,
                       uint64_t done) {
    *progress = (struct cli_progress){.label = label, .unit = unit, .total = total, .done = done};
}
void cli_progress_move(struct cli_progress *progress, uint64_t done) {
    progress->done = done;
}
void cli_progress_close(struct cli_progress *progress, int success) {
    progress->quiet = success;
}

static void expect(int truth) {
    if (!truth) abort();
}

/* A file in memory; path [32] names it. */
static int put_file(const uint8_t *bytes, size_t n, char *path) {
    int fd = memfd_create("fuzz", 0);
    expect(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return fd;
}

static const char *out_path(void) {
    static char path[64];
    if (!*path) snprintf(path, sizeof path, "/dev/shm/mote-files-fuzz-%d", (int)getpid());
    return path;
}

static void read_conversation(const uint8_t *bytes, size_t n) {
    struct cli_transcript first = {0}, second = {0};
    mote_sampler_options sampler = {.temperature = 0.7f, .top_p = 1, .repeat_penalty = 1}, again = sampler;
    char path[32];
    int fd = put_file(bytes, n, path);
    if (cli_transcript_load(&first, &sampler, path) == CLI_OK) {
        expect(sampler.temperature >= 0 && sampler.top_p <= 1 && sampler.min_p >= 0);
        expect(cli_transcript_save(&first, "model", &sampler, out_path()) == CLI_OK);
        expect(cli_transcript_load(&second, &again, out_path()) == CLI_OK);
        expect(first.n == second.n && sampler.top_k == again.top_k);
        for (size_t i = 0; i < first.n; i++) {
            mote_text a = first.messages[i].content, b = second.messages[i].content;
            expect(first.messages[i].role.data == second.messages[i].role.data && a.n == b.n);
            expect(!a.n || !memcmp(a.data, b.data, a.n));
        }
    }
    cli_transcript_close(&first);
    cli_transcript_close(&second);
    close(fd);
}

/* Whether what was made has a directory that the reader accepts; the vocabulary may still be refused (pieces
 * that are there twice), what holds it may not. */
static void expect_sound(void) {
    struct mote_posix_map map;
    uint64_t block_bytes;
    mote_error error = {0};
    expect(mote_posix_map_open(out_path(), &map));
    mote_status status = mote_model_plan(map.bytes, map.n_bytes, &block_bytes, &error);
    expect(status == MOTE_OK || strstr(error.text, "vocabulary") || strstr(error.text, "token") ||
           status == MOTE_E_UNSUPPORTED);
    mote_posix_map_close(&map);
}

static void convert(const uint8_t *checkpoint, size_t n_checkpoint, const uint8_t *tokenizer,
                    size_t n_tokenizer) {
    char checkpoint_path[32], tokenizer_path[32];
    int fds[2] = {put_file(checkpoint, n_checkpoint, checkpoint_path),
                  put_file(tokenizer, n_tokenizer, tokenizer_path)};
    if (cli_convert_checkpoint(checkpoint_path, tokenizer_path, out_path()) == CLI_OK) expect_sound();
    for (int i = 0; i < 2; i++)
        close(fds[i]);
}

/* The folder is there from the first time on; its files are written anew. */
static void convert_folder(const uint8_t *bytes, size_t n) {
    static const char *const names[] = {"config.json", "tokenizer.json", "model.safetensors"};
    char dir[64], path[128];
    snprintf(dir, sizeof dir, "/dev/shm/mote-folder-fuzz-%d", (int)getpid());
    expect(!mkdir(dir, 0700) || errno == EEXIST);
    for (int i = 0; i < 3; i++) {
        size_t size = i == 2 ? n : n < 2 ? 0 : bytes[0] | (size_t)bytes[1] << 8;
        if (i < 2 && n >= 2) bytes += 2, n -= 2;
        if (size > n) size = n;
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        FILE *file = fopen(path, "wb");
        expect(file && fwrite(bytes, 1, size, file) == size && !fclose(file));
        bytes += size;
        n -= size;
    }
    struct cli_hf_request request = {.folder = dir, .out = out_path(), .name = "fuzz", .quiet = 1};
    if (cli_hf_convert(&request) == CLI_OK) expect_sound();
}

/* A checkpoint of zeros as large as its header asks for. */
static void convert_shape(const uint8_t *shape, const uint8_t *tokenizer, size_t n_tokenizer) {
    int32_t header[7];
    for (int i = 0; i < 7; i++)
        header[i] = shape[i] % 32 + 1;
    header[5] += (shape[5] & 64) ? 256 : 0;
    int64_t D = header[0], F = header[1], L = header[2], H = header[3], K = header[4], V = header[5];
    int tied = !(shape[5] & 128);
    if (D % H) D = header[0] = (int32_t)(H * (D / H + 1));
    int64_t E = D / H;
    int64_t n =
        V * D * (tied ? 1 : 2) + L * (2 * D + 2 * D * D + 2 * K * E * D + 3 * D * F) + D + header[6] * E;
    if (!tied) header[5] = -header[5];
    uint8_t *bytes = calloc(1, sizeof header + (size_t)n * 4);
    expect(bytes != NULL);
    memcpy(bytes, header, sizeof header);
    convert(bytes, sizeof header + (size_t)n * 4, tokenizer, n_tokenizer);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    if (n < 9) return -1;
    if (bytes[0] == 3) {
        convert_folder(bytes + 1, n - 1);
    } else if (bytes[0] % 3 == 0) {
        read_conversation(bytes + 1, n - 1);
    } else if (bytes[0] % 3 == 1) {
        size_t n_checkpoint = bytes[1] | (size_t)bytes[2] << 8;
        if (n_checkpoint > n - 3) return -1;
        convert(bytes + 3, n_checkpoint, bytes + 3 + n_checkpoint, n - 3 - n_checkpoint);
    } else {
        convert_shape(bytes + 1, bytes + 8, n - 8);
    }
    unlink(out_path());
    return 0;
}
