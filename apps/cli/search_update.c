/* SPDX-License-Identifier: Apache-2.0
 *
 * search_update.c: brings an index up to date. A file whose size and mtime are as they were is not opened; one
 * whose bytes are as they were is not split; and of one that changed, only paragraphs that are nowhere in the
 * index yet go through the encoder. So what an interrupted run has done is never done again.
 *
 * Files go into the index in parts of so many paragraphs. A part waits in line until the encoder has given back
 * all of its vectors, and parts are written in the order in which they came: the index does not depend on how
 * texts were batched, nor on where a run was interrupted. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "apps/cli/digest.h"
#include "apps/cli/paths.h"
#include "apps/cli/print.h"
#include "apps/cli/search.h"
#include "apps/cli/search_walk.h"

enum { PART = 64, MOST_WAITING = 64, MOST_FILE = 64 << 20 };

/* A part of a file on its way: its record, of which vectors are missing. */
struct part {
    struct part *next;
    struct cli_buffer record;
    uint64_t vectors_at, n_bytes; /* n_bytes: of the file, for the progress */
    uint32_t n, n_missing, at;    /* at: the next one missing, or behind it */
    unsigned char missing[PART];
};

/* Where the index has a paragraph. */
struct place {
    uint32_t record, i, hash, used;
};

struct update {
    const struct cli_search *search;
    struct cli_encoder *encoder;
    struct cli_journal journal;
    struct cli_progress progress;
    struct part *first, *last;
    size_t n_waiting;
    struct place *places; /* [n_places], a power of two; made when first asked for */
    size_t n_places;
    unsigned char *seen; /* [index.n_files] */
    uint64_t done;       /* bytes of files */
    size_t n_new, n_changed, n_same, n_gone, n_binary, n_failed;
};

/* ---- paragraphs that are there already ---- */

static uint32_t hash_of(mote_text text) { /* FNV-1a, folded */
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.n; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    return (uint32_t)(hash ^ hash >> 32);
}

static int make_places(struct update *u) {
    const struct cli_index *index = &u->journal.index;
    size_t n = 0, room = 16;
    for (size_t r = 0; r < index->n_records; r++)
        n += index->records[r].n;
    while (room < 2 * n)
        room *= 2;
    u->places = calloc(room, sizeof *u->places);
    u->n_places = room;
    if (!u->places) return cli_fail(CLI_MEMORY, "not enough memory for an index of %zu paragraphs", n);
    for (size_t r = 0; r < index->n_records && r < UINT32_MAX; r++)
        for (uint32_t i = 0; i < index->records[r].n; i++) {
            struct cli_paragraph paragraph;
            if (!cli_index_paragraph(&index->records[r], i, &paragraph)) continue;
            uint32_t hash = hash_of(paragraph.text);
            size_t at = hash & (room - 1);
            while (u->places[at].used)
                at = (at + 1) & (room - 1);
            u->places[at] = (struct place){(uint32_t)r, i, hash, 1};
        }
    return CLI_OK;
}

static const struct place *find_place(const struct update *u, mote_text text) {
    uint32_t hash = hash_of(text);
    for (size_t at = hash & (u->n_places - 1); u->places[at].used; at = (at + 1) & (u->n_places - 1)) {
        const struct place *place = &u->places[at];
        struct cli_paragraph paragraph;
        if (place->hash == hash &&
            cli_index_paragraph(&u->journal.index.records[place->record], place->i, &paragraph) &&
            paragraph.text.n == text.n && !memcmp(paragraph.text.data, text.data, text.n))
            return place;
    }
    return NULL;
}

/* ---- parts in line ---- */

static void *vectors_of(struct part *part) {
    return part->record.data + part->vectors_at;
}

static int write_ready(struct update *u) {
    while (u->first && !u->first->n_missing) {
        struct part *part = u->first;
        int code = cli_journal_add(&u->journal, &part->record);
        if (code) return code;
        u->done += part->n_bytes;
        cli_progress_move(&u->progress, u->done);
        u->first = part->next;
        if (!u->first) u->last = NULL;
        u->n_waiting--;
        cli_buffer_close(&part->record);
        free(part);
    }
    return CLI_OK;
}

/* The encoder gives vectors back in the order of the texts: they are those of the first part that misses some. */
static int take_vector(void *user, const struct cli_encoded *encoded) {
    struct update *u = user;
    struct part *part = u->first;
    while (part && !part->n_missing)
        part = part->next;
    if (!part) return CLI_OK;
    while (!part->missing[part->at])
        part->at++;
    cli_vectors_put(vectors_of(part), part->n, u->journal.index.n_dims, part->at++, encoded->vector);
    return --part->n_missing ? CLI_OK : write_ready(u);
}

/* Puts a part in line, takes over the vectors that the index has, and gives the other texts to the encoder. */
static int add_part(struct update *u, const struct cli_index_record *record,
                    const struct cli_paragraph *paragraphs, uint64_t n_bytes) {
    const struct cli_index *index = &u->journal.index;
    struct part *part = calloc(1, sizeof *part);
    if (!part || !cli_index_make(&part->record, record, paragraphs, index->n_dims)) {
        free(part);
        return cli_fail(CLI_MEMORY, "not enough memory");
    }
    part->n = record->n;
    part->n_bytes = n_bytes;
    uint64_t n_texts = cli_index_get((unsigned char *)part->record.data + 32, 8);
    cli_index_layout(record->n, record->name.n, n_texts, index->n_dims, &part->vectors_at);
    if (u->last) u->last->next = part;
    if (!u->first) u->first = part;
    u->last = part;
    u->n_waiting++;
    int code = u->places ? CLI_OK : make_places(u);
    for (uint32_t i = 0; i < record->n && !code; i++) {
        const struct place *place = find_place(u, paragraphs[i].text);
        if (place)
            cli_vectors_copy(vectors_of(part), part->n, index->n_dims, i,
                             index->records[place->record].vectors, index->records[place->record].n,
                             place->i);
        part->missing[i] = !place;
        part->n_missing += !place;
    }
    /* The part may be written, and gone, when the last of its texts has been added: what follows does not look
     * at it. */
    unsigned char missing[PART];
    memcpy(missing, part->missing, sizeof missing);
    if (!code && !part->n_missing) code = write_ready(u);
    for (uint32_t i = 0; i < record->n && !code; i++)
        if (missing[i]) code = cli_encoder_add(u->encoder, paragraphs[i].text);
    return code || u->n_waiting < MOST_WAITING ? code : cli_encoder_flush(u->encoder);
}

/* ---- files ---- */

/* Reads a regular file. Returns what is wrong, or NULL. */
static const char *read_file(const char *path, struct cli_buffer *bytes, struct stat *status) {
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return strerror(errno);
    const char *why = NULL;
    if (fstat(fd, status))
        why = strerror(errno);
    else if (!S_ISREG(status->st_mode))
        why = "it is not a regular file";
    else if (status->st_size > MOST_FILE)
        why = "it is larger than 64 MiB";
    else if (!cli_buffer_reserve(bytes, (size_t)status->st_size + 1))
        why = "not enough memory to read it";
    while (!why && bytes->n <= (size_t)status->st_size) { /* what grows meanwhile is cut there */
        ssize_t n = read(fd, bytes->data + bytes->n, (size_t)status->st_size + 1 - bytes->n);
        if (n < 0 && errno != EINTR) why = strerror(errno);
        if (n == 0) break;
        bytes->n += n > 0 ? (size_t)n : 0;
    }
    if (bytes->n > (size_t)status->st_size) bytes->n = (size_t)status->st_size;
    close(fd);
    return why;
}

static int sha_of(const void *bytes, size_t n, unsigned char *sha) {
    struct cli_digest digest;
    char hex[CLI_SHA256_HEX];
    if (cli_digest_open(&digest, CLI_SHA256)) return 0;
    int failed = cli_digest_add(&digest, bytes, n);
    if (cli_digest_close(&digest, failed ? NULL : hex) || failed) return 0;
    return cli_search_sha(hex, sha);
}

/* The mtime to remember: none that could come again, if the file may still change within the clock's tick. */
static int64_t steady(int64_t mtime) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    return mtime < ns - 2000000000 ? mtime : INT64_MIN;
}

/* How many parts of a file an interrupted run left at the end of the index: 0 unless they are what its text
 * gives today, and not yet all of it. */
static uint32_t parts_done(const struct update *u, const struct cli_index_record *file, mote_text text) {
    const struct cli_index *index = &u->journal.index;
    const struct cli_index_file *unfinished = &index->unfinished;
    struct cli_split split = {.text = text};
    struct cli_paragraph has, should;
    if (!unfinished->n_parts || u->journal.end != index->whole || unfinished->folder != file->owner ||
        u->first || unfinished->name.n != file->name.n ||
        (file->name.n && memcmp(unfinished->name.data, file->name.data, file->name.n) != 0) ||
        memcmp(index->records[unfinished->first].sha, file->sha, CLI_INDEX_SHA) != 0)
        return 0;
    for (size_t k = 0; k < unfinished->n_parts; k++) {
        const struct cli_index_record *part = &index->records[unfinished->first + k];
        if (part->n != PART) return 0;
        for (uint32_t i = 0; i < PART; i++)
            if (!cli_index_paragraph(part, i, &has) || !cli_split_next(&split, &should) ||
                has.line != should.line || has.text.n != should.text.n ||
                memcmp(has.text.data, should.text.data, has.text.n) != 0)
                return 0;
    }
    return cli_split_next(&split, &should) ? (uint32_t)unfinished->n_parts : 0;
}

/* Splits a file and puts its parts in line; those of it that are the end of the index already are not written
 * again. */
static int add_file(struct update *u, const struct cli_index_record *file, mote_text text) {
    const uint32_t n_done = parts_done(u, file, text);
    struct cli_split split = {.text = text};
    struct cli_paragraph paragraphs[PART + 1];
    struct cli_index_record record = *file;
    uint32_t have = 0;
    uint64_t told = 0;
    int code = CLI_OK;
    while (!code && !(record.flags & CLI_INDEX_LAST)) {
        while (have <= PART && cli_split_next(&split, &paragraphs[have]))
            have++;
        record.n = have < PART ? have : PART;
        if (have <= PART) record.flags |= CLI_INDEX_LAST; /* one more is looked for, to know */
        uint64_t n_bytes = (record.flags & CLI_INDEX_LAST ? text.n : split.at) - told;
        told += n_bytes;
        if (record.part >= n_done)
            code = add_part(u, &record, paragraphs, n_bytes);
        else
            u->done += n_bytes;
        if (have > PART) paragraphs[0] = paragraphs[PART];
        have = have > PART;
        record.part++;
    }
    return code;
}

/* One file of the walk: known stands for it in the index, or is NULL. */
static int take_file(struct update *u, const char *folder, uint32_t number, const struct cli_walked *walked,
                     const struct cli_index_file *known) {
    const struct cli_index *index = &u->journal.index;
    struct cli_buffer bytes = {0};
    unsigned char sha[CLI_INDEX_SHA];
    struct stat status;
    char *path =
        cli_text(walked->name.n ? "%s/%.*s" : "%s%.*s", folder, (int)walked->name.n, walked->name.data);
    const char *why = path ? read_file(path, &bytes, &status) : "not enough memory";
    int code = CLI_OK;
    free(path);
    size_t at = known ? (size_t)(known - index->files) : 0;
    if (why) {
        cli_walk_tell(folder, walked->name, why);
        u->n_failed++;
        if (known) u->seen[at] = 1; /* it is there: what the index has of it stays */
    } else if (cli_is_binary(bytes.data, bytes.n)) {
        u->n_binary++;
    } else if (!sha_of(bytes.data, bytes.n, sha)) {
        code = cli_fail(CLI_MEMORY, "not enough memory");
    } else {
        struct cli_index_record record = {.kind = CLI_INDEX_FILE,
                                          .owner = number,
                                          .size = bytes.n,
                                          .mtime = steady(cli_mtime(&status)),
                                          .sha = sha,
                                          .name = walked->name};
        const struct cli_index_record *old = known ? &index->records[known->first] : NULL;
        if (known) u->seen[at] = 1;
        if (old && !memcmp(old->sha, sha, CLI_INDEX_SHA)) {
            u->n_same++;
            if (old->mtime != record.mtime) code = cli_journal_touch(&u->journal, old, record.mtime);
            cli_progress_move(&u->progress, u->done += walked->size);
        } else {
            u->n_changed += old != NULL;
            u->n_new += old == NULL;
            code = add_file(u, &record, (mote_text){bytes.data, bytes.n});
        }
    }
    cli_buffer_close(&bytes);
    return code;
}

static int is_closed(const struct cli_walk *walk, mote_text name) {
    for (size_t i = 0; i < walk->n_closed; i++)
        if (name.n >= walk->closed[i].n && !memcmp(name.data, walk->closed[i].data, walk->closed[i].n))
            return 1;
    return 0;
}

/* Whether the index has the file as it stands, by size and time. */
static int is_known(const struct cli_index *index, const struct cli_walked *walked,
                    const struct cli_index_file *known) {
    const struct cli_index_record *record = known ? &index->records[known->first] : NULL;
    return record && record->size == walked->size && record->mtime == walked->mtime;
}

static int add_gone(struct update *u, uint32_t number, const struct cli_walk *walk) {
    const struct cli_index *index = &u->journal.index;
    struct cli_buffer record = {0};
    int code = CLI_OK;
    for (size_t i = 0; i < index->n_files && !code; i++) {
        const struct cli_index_file *file = &index->files[i];
        if (file->folder != number || u->seen[i] || is_closed(walk, file->name)) continue;
        const struct cli_index_record gone = {.kind = CLI_INDEX_GONE, .owner = number, .name = file->name};
        code = cli_index_make(&record, &gone, NULL, index->n_dims)
                   ? cli_journal_add(&u->journal, &record)
                   : cli_fail(CLI_MEMORY, "not enough memory");
        u->n_gone++;
    }
    cli_buffer_close(&record);
    return code;
}

/* Reads the index again, with what was added to it. */
static int refresh(struct update *u) {
    int code = cli_journal_again(&u->journal);
    free(u->places);
    free(u->seen);
    u->places = NULL;
    u->seen = code ? NULL : calloc(u->journal.index.n_files + 1, 1);
    return code || u->seen ? code : cli_fail(CLI_MEMORY, "not enough memory");
}

static int update_folder(struct update *u, const char *folder, uint32_t number) {
    const struct cli_index *index = &u->journal.index;
    struct cli_walk walk = {0};
    uint64_t total = 0;
    int code = refresh(u);
    if (!code) code = cli_walk(&walk, folder, index->records[index->folders[number]].flags & CLI_INDEX_ALL);
    for (size_t i = 0; i < walk.n; i++)
        if (!is_known(index, &walk.files[i], cli_index_find(index, number, walk.files[i].name)))
            total += walk.files[i].size;
    u->done = 0;
    if (!code && total) cli_progress_open(&u->progress, "index", "B", total, 0);
    for (size_t i = 0; i < walk.n && !code; i++) {
        const struct cli_walked *walked = &walk.files[i];
        const struct cli_index_file *known = cli_index_find(index, number, walked->name);
        if (is_known(index, walked, known)) {
            u->seen[known - index->files] = 1;
            u->n_same++;
            continue;
        }
        code = cli_interrupted ? CLI_INTERRUPTED : take_file(u, folder, number, walked, known);
    }
    if (!code) code = cli_encoder_flush(u->encoder);
    if (!code) code = write_ready(u);
    if (!code) code = add_gone(u, number, &walk);
    if (total) cli_progress_close(&u->progress, !code);
    cli_walk_close(&walk);
    return code;
}

/* ---- folders ---- */

/* The number of a folder in the index, which is added if it is not there. One inside another would have every
 * paragraph twice. */
static int find_folder(struct update *u, const char *path, uint32_t *number) {
    const struct cli_index *index = &u->journal.index;
    size_t n = strlen(path);
    for (uint32_t i = 0; i < index->n_folders; i++) {
        mote_text name = index->records[index->folders[i]].name;
        size_t shorter = name.n < n ? name.n : n;
        *number = i;
        if (!name.n || memcmp(name.data, path, shorter) != 0) continue;
        if (name.n == n) return CLI_OK;
        const char *longer = name.n < n ? path : name.data;
        if (longer[shorter] == '/' || path[shorter - 1] == '/')
            return cli_fail(CLI_FAILED, "%s: it is %s a folder that the index has", path,
                            name.n < n ? "inside" : "around");
    }
    struct cli_buffer bytes = {0};
    const struct cli_index_record record = {
        .kind = CLI_INDEX_FOLDER, .flags = u->search->all ? CLI_INDEX_ALL : 0, .name = {path, n}};
    *number = index->n_folders;
    int code = cli_index_make(&bytes, &record, NULL, index->n_dims)
                   ? cli_journal_add(&u->journal, &bytes)
                   : cli_fail(CLI_MEMORY, "not enough memory");
    cli_buffer_close(&bytes);
    return code;
}

static int update_all(struct update *u) {
    const struct cli_index *index = &u->journal.index;
    uint32_t number;
    int code = CLI_OK;
    for (size_t i = 0; i < u->search->add.n && !code; i++) {
        const char *said = u->search->add.list[i];
        char *path = realpath(said, NULL);
        if (!path) return cli_fail(CLI_FAILED, "%s: %s", said, strerror(errno));
        code = refresh(u);
        if (!code) code = find_folder(u, path, &number);
        if (!code) code = update_folder(u, path, number);
        free(path);
    }
    for (uint32_t i = 0; u->search->update && i < index->n_folders && !code; i++) {
        mote_text name = index->records[index->folders[i]].name;
        char *path = strndup(name.data, name.n);
        code = path ? update_folder(u, path, i) : cli_fail(CLI_MEMORY, "not enough memory");
        free(path);
    }
    return code;
}

static void tell(const struct update *u) {
    fprintf(stderr, "mote: %zu new, %zu changed, %zu gone, %zu as before", u->n_new, u->n_changed, u->n_gone,
            u->n_same);
    if (u->n_binary) fprintf(stderr, ", %zu passed over as no text", u->n_binary);
    if (u->n_failed) fprintf(stderr, ", %zu not readable", u->n_failed);
    fprintf(stderr, "; %llu paragraphs in %zu files\n", (unsigned long long)u->journal.index.n_paragraphs,
            u->journal.index.n_files);
}

static void drop_parts(struct update *u) {
    while (u->first) {
        struct part *part = u->first;
        u->first = part->next;
        cli_buffer_close(&part->record);
        free(part);
    }
}

/* What was said when the index was made holds. */
static int agree(const struct cli_search *search, const struct cli_index *index) {
    const char *said[CLI_INDEX_SETTINGS] = {NULL, search->before_passage, search->before_query};
    for (int i = 0; i < CLI_INDEX_SETTINGS; i++) {
        mote_text has = index->settings[i];
        if (said[i] && (strlen(said[i]) != has.n || memcmp(said[i], has.data, has.n) != 0))
            return cli_fail(CLI_USAGE, "search: %s was made with another prefix; it cannot change",
                            search->index);
    }
    return CLI_OK;
}

/* Opens the index, making it if it is not there, and the encoder that goes with it. */
static int open_both(struct update *u) {
    const struct cli_search *search = u->search;
    struct cli_journal_new new = {0};
    unsigned char sha[CLI_INDEX_SHA];
    struct cli_index_stamp stamp;
    int code = CLI_OK, is_new = access(search->index, F_OK) != 0 && errno == ENOENT;
    char *path = NULL;
    if (is_new && !search->model)
        return cli_fail(CLI_USAGE, "search: %s is not there; -m MODEL is needed to make it", search->index);
    if (is_new && !search->add.n)
        return cli_fail(CLI_USAGE, "search: %s is not there; --add FOLDER is needed to make it",
                        search->index);
    if (is_new) {
        code = cli_search_encoder(search, NULL, u->encoder, sha, &stamp);
        path = code ? NULL : realpath(u->encoder->model.path, NULL);
        if (!code && !path) code = cli_fail(CLI_FAILED, "%s: %s", u->encoder->model.path, strerror(errno));
        new = (struct cli_journal_new){u->encoder->model.info.n_model,
                                       sha,
                                       &stamp,
                                       {path, search->before_passage, search->before_query}};
    }
    if (!code) code = cli_journal_open(&u->journal, search->index, is_new ? &new : NULL);
    if (!code) code = agree(search, &u->journal.index);
    free(path);
    if (!code && !is_new) code = cli_search_encoder(search, &u->journal.index, u->encoder, sha, &stamp);
    if (!code && memcmp(&stamp, &u->journal.index.stamp, sizeof stamp) != 0)
        code = cli_journal_stamp(&u->journal, &stamp);
    return code;
}

int cli_search_update(const struct cli_search *search, struct cli_encoder *encoder) {
    struct update u = {.search = search, .encoder = encoder, .progress.quiet = search->encoding.quiet};
    int code = open_both(&u);
    const struct cli_encoder_want want = {
        .vectors = 1, .normalize = 1, .pooling = encoder->model.info.pooling};
    mote_text before = u.journal.index.settings[CLI_INDEX_BEFORE_PASSAGE];
    char *prefix = before.n && !code ? strndup(before.data, before.n) : NULL;
    encoder->prefix = prefix;
    if (!code) code = cli_encoder_want(encoder, &want, take_vector, &u);
    if (!code) code = update_all(&u);
    if (code && u.journal.path) { /* what is done is done */
        int settled = cli_journal_settle(&u.journal);
        if (code == CLI_INTERRUPTED && !settled && !search->encoding.quiet)
            fputs("mote: interrupted; the same command goes on from here\n", stderr);
    }
    if (!code) code = cli_journal_finish(&u.journal);
    if (!code && !search->encoding.quiet) tell(&u);
    encoder->prefix = NULL;
    free(prefix);
    drop_parts(&u);
    free(u.places);
    free(u.seen);
    cli_journal_close(&u.journal);
    return code;
}
