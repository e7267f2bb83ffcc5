/* SPDX-License-Identifier: Apache-2.0
 *
 * wasm_pack IN.wasm OUT.wasm [PAGES]: packs the constant data of a linked module (host/wasm/pack.h) and makes
 * it unpack itself; and makes the memory it imports a shared one of at most PAGES. (The linker's own way to
 * a shared memory spreads the data over code that each instance runs.)
 *
 *     import   the memory, shared when PAGES are given
 *     data     one segment: what IN has, packed, at the address that its export wasm_packed names
 *     start    its export unpack; what was the start function, the linker's, is emptied
 *     exports  without those two
 *
 * A module is a magic number of 8 bytes and sections: u8 id, LEB128 length, contents. Those that do not
 * matter here are copied as they are. Source: WebAssembly Core Specification 2.0, chapter 5. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/wasm/pack.h"

enum { TYPE = 1, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, START, ELEMENT, CODE, DATA, DATA_COUNT };

struct bytes {
    uint8_t *data;
    size_t n, at;
};

static void die(const char *why) {
    fprintf(stderr, "wasm_pack: %s\n", why);
    exit(1);
}

static void put(struct bytes *to, const void *from, size_t n) {
    if (!n) return;
    to->data = realloc(to->data, to->n + n);
    if (!to->data) die("no memory");
    memcpy(to->data + to->n, from, n);
    to->n += n;
}

static void put_byte(struct bytes *to, int byte) {
    uint8_t b = (uint8_t)byte;
    put(to, &b, 1);
}

static void put_number(struct bytes *to, uint64_t n) {
    for (; n > 127; n >>= 7)
        put_byte(to, (int)(n & 127) | 128);
    put_byte(to, (int)n);
}

static void put_section(struct bytes *to, int id, const struct bytes *contents) {
    put_byte(to, id);
    put_number(to, contents->n);
    put(to, contents->data, contents->n);
}

static const uint8_t *get(struct bytes *from, uint64_t n) {
    if (n > from->n - from->at) die("the module ends too early");
    from->at += n;
    return from->data + from->at - n;
}

static uint64_t get_number(struct bytes *from) {
    uint64_t n = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        uint8_t byte = *get(from, 1);
        n |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return n;
    }
    die("a number is too long");
    return 0;
}

/* An initialiser that is a constant without a sign: of an address. */
static uint64_t get_constant(struct bytes *from) {
    uint8_t opcode = *get(from, 1);
    if (opcode != 0x41 && opcode != 0x42) die("an address is not a constant");
    uint64_t value = 0;
    int shift = 0;
    for (uint8_t byte = 128; byte & 128; shift += 7) {
        byte = *get(from, 1);
        value |= (uint64_t)(byte & 127) << shift;
    }
    if (*get(from, 1) != 0x0b) die("an address is more than a constant");
    return value;
}

/* What the module holds that has to change. */
struct module {
    struct bytes file, section[16]; /* by id */
    uint32_t unpack, start;
    uint64_t packed;  /* address */
    int wide, starts; /* addresses of 64 bits; there is a start function */
    uint8_t *data;    /* [data_end − data_start] the memory as it must be before main */
    uint64_t data_start, data_end;
};

static void read_file(const char *path, struct bytes *to) {
    uint8_t buffer[65536];
    FILE *file = fopen(path, "rb");
    if (!file) die("cannot read the module");
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, file));)
        put(to, buffer, n);
    fclose(file);
}

static void read_sections(struct module *m) {
    static const uint8_t magic[8] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    if (memcmp(get(&m->file, 8), magic, 8) != 0) die("not a module");
    while (m->file.at < m->file.n) {
        uint8_t id = *get(&m->file, 1);
        uint64_t n = get_number(&m->file);
        uint8_t *contents = m->file.data + m->file.at;
        get(&m->file, n);
        if (id < 16)
            m->section[id] = (struct bytes){contents, n, 0}; /* of custom ones the last: none is kept */
    }
}

/* The one import is the memory: two names, its kind, flags (1: has a maximum, 2: shared, 4: of 64 bits), its
 * least pages and perhaps the most. */
static void read_import(struct module *m, uint64_t most, struct bytes *kept) {
    struct bytes *s = &m->section[IMPORT];
    if (get_number(s) != 1) die("more than a memory is imported");
    get(s, get_number(s));
    get(s, get_number(s));
    if (*get(s, 1) != 2) die("no memory is imported");
    put(kept, s->data, s->at);
    uint8_t flags = *get(s, 1);
    uint64_t least = get_number(s);
    m->wide = flags >> 2 & 1;
    put_byte(kept, most ? flags | 3 : flags);
    put_number(kept, least);
    if (most)
        put_number(kept, most);
    else if (flags & 1)
        put_number(kept, get_number(s));
}

static uint64_t global_constant(struct module *m, uint64_t which) {
    struct bytes s = m->section[GLOBAL];
    for (uint64_t i = 0, n = get_number(&s); i < n; i++) {
        get(&s, 2);
        uint64_t value = get_constant(&s);
        if (i == which) return value;
    }
    die("there is no such global");
    return 0;
}

/* Copies all exports but two, whose meaning is kept. */
static void read_exports(struct module *m, struct bytes *kept) {
    struct bytes *s = &m->section[EXPORT], list = {0};
    uint64_t n = get_number(s);
    int found = 0;
    for (uint64_t i = 0; i < n; i++) {
        size_t start = s->at;
        uint64_t length = get_number(s);
        const char *name = (const char *)get(s, length);
        get(s, 1);
        uint64_t index = get_number(s);
        if (length == 6 && !memcmp(name, "unpack", 6))
            m->unpack = (uint32_t)index, found++;
        else if (length == 11 && !memcmp(name, "wasm_packed", 11))
            m->packed = global_constant(m, index), found++;
        else
            put(&list, s->data + start, s->at - start);
    }
    if (found != 2) die("unpack and wasm_packed are not exported");
    put_number(kept, n - 2);
    put(kept, list.data, list.n);
}

/* The memory as active segments make it, from the first of them to the last. */
static void read_data(struct module *m) {
    struct bytes *s = &m->section[DATA];
    m->data_start = UINT64_MAX;
    for (int pass = 0; pass < 2; pass++) {
        s->at = 0;
        for (uint64_t i = 0, n = get_number(s); i < n; i++) {
            if (get_number(s) != 0) die("a segment of data is not active");
            uint64_t address = get_constant(s), length = get_number(s);
            const uint8_t *bytes = get(s, length);
            if (pass) memcpy(m->data + (address - m->data_start), bytes, length);
            if (address < m->data_start) m->data_start = address;
            if (address + length > m->data_end) m->data_end = address + length;
        }
        if (m->data_end > UINT32_MAX) die("the data lies too high");
        if (!pass) m->data = calloc(1, m->data_end - m->data_start);
        if (!m->data) die("no memory");
    }
}

/* Words that rise become steps; the first PACK_RISES of at least LEAST. */
static void find_rises(const struct module *m, struct pack_data *out) {
    enum { LEAST = 64 };
    uint32_t n_words = out->n / 2, n_rises = 0, n;
    for (uint32_t from = 0; from < n_words; from += n) {
        uint8_t *at = m->data + 2 * from;
        int fits[3] = {1, 1, 1}, digits = 2;
        uint32_t last = ~0u, word;
        for (n = 0; from + n < n_words && n < PACK_RISE_WORDS - 1; n++, last = word) {
            word = at[2 * n] | (uint32_t)at[2 * n + 1] << 8;
            if (n && word <= last) break;
            for (int i = 0; i < 3; i++)
                fits[i] &= pack_fits(word, i);
        }
        if (n < LEAST || n_rises == PACK_RISES || from > UINT16_MAX) continue;
        while (!fits[digits])
            digits--;
        out->rise[n_rises++] = (struct pack_rise){(uint16_t)from, (uint16_t)(n | digits * PACK_RISE_WORDS)};
        last = ~0u;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t steps = 0;
            word = at[2 * i] | (uint32_t)at[2 * i + 1] << 8;
            while (last != word)
                steps += (uint32_t)pack_fits(++last, digits);
            at[2 * i] = (uint8_t)steps;
            at[2 * i + 1] = (uint8_t)(steps >> 8);
        }
    }
}

static void pack(const struct module *m, struct pack_data *out, size_t *n_code) {
    struct pack_model *model = calloc(1, sizeof *model);
    if (!model) die("no memory");
    uint32_t low = 0, high = ~0u;
    size_t n = 0;
    out->to = (uint32_t)m->data_start;
    out->n = (uint32_t)(m->data_end - m->data_start);
    find_rises(m, out);
    pack_begin(model);
    while (model->n < out->n) {
        uint32_t bit = m->data[model->n] >> (7 - (31 - __builtin_clz(model->bits))) & 1;
        pack_predict(model);
        uint32_t middle = low + (high - low) / 4096 * model->probability;
        if (bit)
            high = middle;
        else
            low = middle + 1;
        pack_learn(model, bit);
        for (; !((low ^ high) >> 24); low <<= 8, high = high << 8 | 255) {
            if (n == sizeof out->code - 1) die("the packed data is larger than wasm_packed");
            out->code[n++] = (uint8_t)(high >> 24);
        }
    }
    out->code[n++] = (uint8_t)(high >> 24); /* what follows is zero, and above low */
    *n_code = n;
    free(model);
}

/* The code with the body of the old start function empty. */
static void write_code(struct module *m, struct bytes *out) {
    struct bytes *s = &m->section[CODE];
    uint64_t n = get_number(s);
    put_number(out, n);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t length = get_number(s);
        const uint8_t *body = get(s, length);
        if (m->starts && i == m->start) {
            put(out, "\x02\x00\x0b", 3); /* two bytes: no locals, end */
            continue;
        }
        put_number(out, length);
        put(out, body, length);
    }
}

static void write_data(const struct module *m, const struct pack_data *packed, size_t n_code,
                       struct bytes *out) {
    put(out, "\x01\x00", 2); /* one segment, active */
    put_byte(out, m->wide ? 0x42 : 0x41);
    uint64_t address = m->packed;
    for (; address > 63; address >>= 7)
        put_byte(out, (int)(address & 127) | 128);
    put_byte(out, (int)address);
    put_byte(out, 0x0b);
    put_number(out, offsetof(struct pack_data, code) + n_code);
    put(out, packed, offsetof(struct pack_data, code) + n_code);
}

int main(int n_arguments, char **arguments) {
    struct module m = {0};
    struct bytes out = {0}, import = {0}, exports = {0}, start = {0}, code = {0}, data = {0};
    static struct pack_data packed;
    size_t n_code;
    if (n_arguments != 3 && n_arguments != 4) die("usage: wasm_pack IN.wasm OUT.wasm [PAGES]");
    read_file(arguments[1], &m.file);
    read_sections(&m);
    read_import(&m, n_arguments == 4 ? strtoull(arguments[3], NULL, 10) : 0, &import);
    read_exports(&m, &exports);
    read_data(&m);
    m.starts = m.section[START].n != 0;
    if (m.starts) m.start = (uint32_t)get_number(&m.section[START]);
    pack(&m, &packed, &n_code);
    put_number(&start, m.unpack);
    write_code(&m, &code);
    write_data(&m, &packed, n_code, &data);
    put(&out, m.file.data, 8);
    m.section[IMPORT] = import;
    m.section[EXPORT] = exports;
    m.section[START] = start;
    m.section[CODE] = code;
    m.section[DATA] = data;
    for (int id = TYPE; id <= DATA; id++)
        if (m.section[id].n) put_section(&out, id, &m.section[id]);
    FILE *file = fopen(arguments[2], "wb");
    if (!file || fwrite(out.data, 1, out.n, file) != out.n || fclose(file)) die("cannot write the module");
    printf("%s: %u bytes of data packed into %zu\n", arguments[2], packed.n,
           offsetof(struct pack_data, code) + n_code);
    return 0;
}
