/* SPDX-License-Identifier: Apache-2.0
 *
 * transcript.c: the messages of a conversation. A saved one may come from anybody: what is loaded is checked
 * for type, range and order, and nothing changes unless all of it is sound. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/cli/buffer.h"
#include "apps/cli/cli.h"
#include "apps/cli/print.h"
#include "apps/cli/transcript.h"

enum { MOST_BYTES = 64 << 20 }; /* of a saved conversation */

static const char *const roles[] = {"system", "user", "assistant"};

static const char *known_role(const char *role) {
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (!strcmp(role, roles[i])) return roles[i];
    return NULL;
}

int cli_transcript_has_system(const struct cli_transcript *transcript) {
    return transcript->n && transcript->messages[0].role.data == roles[0];
}

static int grow(struct cli_transcript *transcript) {
    if (transcript->n < transcript->room) return 1;
    size_t room = transcript->room ? 2 * transcript->room : 16;
    mote_message *messages = realloc(transcript->messages, room * sizeof *messages);
    if (!messages) return 0;
    transcript->messages = messages;
    transcript->room = room;
    return 1;
}

int cli_transcript_add(struct cli_transcript *transcript, const char *role, const char *text, size_t n) {
    char *copy = malloc(n + 1);
    if (!copy || !grow(transcript)) {
        free(copy);
        return cli_fail(CLI_MEMORY, "not enough memory for the conversation");
    }
    if (n) memcpy(copy, text, n);
    copy[n] = 0;
    const char *known = known_role(role);
    size_t place = transcript->n;
    if (known == roles[0]) {
        if (cli_transcript_has_system(transcript)) cli_transcript_remove(transcript, 0, 1);
        memmove(transcript->messages + 1, transcript->messages, transcript->n * sizeof *transcript->messages);
        place = 0;
    }
    transcript->messages[place] = (mote_message){{known, strlen(known)}, {copy, n}};
    transcript->n++;
    return CLI_OK;
}

void cli_transcript_remove(struct cli_transcript *transcript, size_t first, size_t n) {
    mote_message *messages = transcript->messages;
    for (size_t i = first; i < first + n; i++)
        free((char *)(uintptr_t)messages[i].content.data);
    if (n) memmove(messages + first, messages + first + n, (transcript->n - first - n) * sizeof *messages);
    transcript->n -= n;
}

void cli_transcript_close(struct cli_transcript *transcript) {
    cli_transcript_remove(transcript, 0, transcript->n);
    free(transcript->messages);
    *transcript = (struct cli_transcript){0};
}

/* JSON holds UTF-8 only. Bytes that are none become U+FFFD: each place is tried as a character of one to
 * four bytes. */
static json_t *json_of(mote_text text) {
    json_t *value = json_stringn(text.n ? text.data : "", text.n);
    if (value) return value;
    struct cli_buffer sound = {0};
    int failed = 0;
    for (size_t i = 0; i < text.n && !failed;) {
        size_t n = 1;
        json_t *character = NULL;
        while (n <= 4 && n <= text.n - i && !(character = json_stringn(text.data + i, n)))
            n++;
        failed = character ? !cli_buffer_append(&sound, text.data + i, n)
                           : !cli_buffer_append(&sound, "\xef\xbf\xbd", 3);
        i += character ? n : 1;
        json_decref(character);
    }
    if (!failed) value = json_stringn(sound.data, sound.n);
    cli_buffer_close(&sound);
    return value;
}

static json_t *json_of_transcript(const struct cli_transcript *transcript, const char *model,
                                  const mote_sampler_options *sampler) {
    json_t *messages = json_array();
    for (size_t i = 0; i < transcript->n; i++)
        if (json_array_append_new(messages, json_pack("{s:s, s:o}", "role", transcript->messages[i].role.data,
                                                      "content", json_of(transcript->messages[i].content))))
            return json_decref(messages), NULL;
    return json_pack("{s:i, s:o, s:{s:f, s:I, s:f, s:f, s:f}, s:o}", "mote", 1, "model",
                     json_of((mote_text){model, strlen(model)}), "settings", "temperature",
                     (double)sampler->temperature, "top_k", (json_int_t)sampler->top_k, "top_p",
                     (double)sampler->top_p, "min_p", (double)sampler->min_p, "repeat_penalty",
                     (double)sampler->repeat_penalty, "messages", messages);
}

int cli_transcript_save(const struct cli_transcript *transcript, const char *model,
                        const mote_sampler_options *sampler, const char *path) {
    json_t *root = json_of_transcript(transcript, model, sampler);
    if (!root) return cli_fail(CLI_MEMORY, "not enough memory to save the conversation");
    char aside[4096];
    int n = snprintf(aside, sizeof aside, "%s.part-XXXXXX", path);
    int fd = n > 0 && (size_t)n < sizeof aside ? mkstemp(aside) : (errno = ENAMETOOLONG, -1);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    int saved =
        file && !json_dumpf(root, file, JSON_INDENT(2) | JSON_REAL_PRECISION(7)) && fputc('\n', file) != EOF;
    int error = errno;
    if (file && fclose(file) && saved) saved = 0, error = errno;
    if (!file && fd >= 0) close(fd);
    if (saved && rename(aside, path)) saved = 0, error = errno;
    if (!saved && fd >= 0) unlink(aside);
    json_decref(root);
    return saved ? CLI_OK : cli_fail(CLI_FAILED, "%s: %s", path, strerror(error));
}

/* A number of the settings, where it is there; 0 if it is something else or out of range. */
static int load_real(const json_t *settings, const char *name, double least, double most, float *value) {
    const json_t *number = json_object_get(settings, name);
    if (!number) return 1;
    double real = json_number_value(number);
    if (!json_is_number(number) || !(real >= least && real <= most)) return 0;
    *value = (float)real;
    return 1;
}

static int load_settings(const json_t *settings, mote_sampler_options *sampler) {
    if (!settings) return 1;
    const json_t *top_k = json_object_get(settings, "top_k");
    if (!json_is_object(settings)) return 0;
    if (top_k &&
        (!json_is_integer(top_k) || json_integer_value(top_k) < 0 || json_integer_value(top_k) > UINT32_MAX))
        return 0;
    if (top_k) sampler->top_k = (uint32_t)json_integer_value(top_k);
    return load_real(settings, "temperature", 0, 100, &sampler->temperature) &&
           load_real(settings, "top_p", 0, 1, &sampler->top_p) &&
           load_real(settings, "min_p", 0, 1, &sampler->min_p) &&
           load_real(settings, "repeat_penalty", 0.01, 100, &sampler->repeat_penalty);
}

static int load_messages(const json_t *messages, struct cli_transcript *transcript, const char *path) {
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *message = json_array_get(messages, i);
        const json_t *role = json_object_get(message, "role"), *content = json_object_get(message, "content");
        if (!json_is_string(role) || !json_is_string(content))
            return cli_fail(CLI_FAILED, "%s: message %zu needs a role and a content, both text", path, i + 1);
        if (!known_role(json_string_value(role)) || (i && !strcmp(json_string_value(role), "system")))
            return cli_fail(CLI_FAILED,
                            "%s: message %zu: the role must be user or assistant (system: only the first)",
                            path, i + 1);
        int code = cli_transcript_add(transcript, json_string_value(role), json_string_value(content),
                                      json_string_length(content));
        if (code) return code;
    }
    return CLI_OK;
}

int cli_transcript_load(struct cli_transcript *transcript, mote_sampler_options *sampler, const char *path) {
    struct mote_posix_map map;
    if (!mote_posix_map_open(path, &map)) return cli_fail(CLI_FAILED, "%s: %s", path, cli_map_reason(errno));
    json_error_t error;
    json_t *root = NULL;
    int code = CLI_OK;
    if (map.n_bytes > MOST_BYTES)
        code = cli_fail(CLI_FAILED, "%s: larger than a conversation can be (64 MB)", path);
    else if (!(root = json_loadb(map.bytes ? map.bytes : "", (size_t)map.n_bytes, JSON_REJECT_DUPLICATES,
                                 &error)))
        code = cli_fail(CLI_FAILED, "%s: line %d: not the JSON of a conversation", path, error.line);
    struct cli_transcript loaded = {0};
    mote_sampler_options settings = *sampler;
    const json_t *messages = json_object_get(root, "messages");
    if (!code && (!json_is_array(messages) || !load_settings(json_object_get(root, "settings"), &settings)))
        code = cli_fail(CLI_FAILED, "%s: 'messages' or 'settings' is missing, or not as mote saves it", path);
    if (!code) code = load_messages(messages, &loaded, path);
    json_decref(root);
    mote_posix_map_close(&map);
    if (code) {
        cli_transcript_close(&loaded);
        return code;
    }
    cli_transcript_close(transcript);
    *transcript = loaded;
    *sampler = settings;
    return CLI_OK;
}
