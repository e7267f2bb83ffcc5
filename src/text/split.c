/* SPDX-License-Identifier: Apache-2.0
 *
 * split.c: the expressions that cut texts into words, each as a function that tells where its match at a
 * position ends, or that position itself if nothing matches there. Every one looks at most a run of
 * characters ahead and takes what it has looked at, so that cutting takes time in proportion to the text.
 *
 * Bytes that are not UTF-8 belong to no class of characters. */
#include "text/split.h"

#include "base/memory.h"
#include "text/unicode.h"
#include "text/utf8.h"

enum {
    ANY = 0xFFFF,
    WORDLY = MOTE_TEXT_WHITE | MOTE_TEXT_LETTER | MOTE_TEXT_NUMBER,
    /* [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] and [\p{Ll}\p{Lm}\p{Lo}\p{M}] */
    UPPERISH = MOTE_TEXT_UPPER | MOTE_TEXT_CASELESS | MOTE_TEXT_MARK,
    LOWERISH = MOTE_TEXT_LOWER | MOTE_TEXT_CASELESS | MOTE_TEXT_MARK,
};

struct glyph {
    uint32_t code, class; /* class 0: the end of the text */
    size_t next;
};

static inline struct glyph look(const char *text, size_t at, size_t n) {
    struct glyph glyph = {MOTE_TEXT_INVALID, 0, at};
    if (at >= n) return glyph;
    glyph.next += mote_text_utf8_decode(text + at, n - at, &glyph.code);
    glyph.class = mote_text_class(glyph.code);
    return glyph;
}

/* The end of the run of characters from `at` that have a class of `in` and none of `out`. */
static size_t run(const char *text, size_t at, size_t n, uint32_t in, uint32_t out) {
    for (;;) {
        struct glyph g = look(text, at, n);
        if (!(g.class & in) || g.class & out) return at;
        at = g.next;
    }
}

static int is_newline(uint32_t code) {
    return code == '\n' || code == '\r';
}

/* [\r\n]*, or [\r\n/]* */
static size_t newlines(const char *text, size_t at, size_t n, int slash) {
    while (at < n && (is_newline((uint8_t)text[at]) || (slash && text[at] == '/')))
        at++;
    return at;
}

/* \s*[\r\n]+|\s+(?!\S)|\s+   without `lines`: \s+(?!\S)|\s+ */
static size_t spaces(const char *text, size_t at, size_t n, int lines) {
    size_t end = at, last = at, line = at;
    for (struct glyph g = look(text, at, n); g.class & MOTE_TEXT_WHITE; g = look(text, end, n)) {
        last = end;
        end = g.next;
        if (is_newline(g.code)) line = end;
    }
    if (lines && line > at) return line;
    return end < n && last > at ? last : end;
}

/* 's|'t|'re|'ve|'m|'ll|'d, in either case if `fold` */
static size_t contraction(const char *text, size_t at, size_t n, int fold) {
    if (n - at < 2 || text[at] != '\'') return at;
    char bit = fold ? 32 : 0, a = (char)(text[at + 1] | bit), b = n - at > 2 ? (char)(text[at + 2] | bit) : 0;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return at + 2;
    if (((a == 'r' || a == 'v') && b == 'e') || (a == 'l' && b == 'l')) return at + 3;
    return at;
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static size_t gpt2(const char *text, size_t at, size_t n) {
    size_t end = contraction(text, at, n, 0);
    if (end > at) return end;
    size_t start = at + (text[at] == ' ');
    struct glyph g = look(text, start, n);
    if (g.class & MOTE_TEXT_LETTER) return run(text, g.next, n, MOTE_TEXT_LETTER, 0);
    if (g.class & MOTE_TEXT_NUMBER) return run(text, g.next, n, MOTE_TEXT_NUMBER, 0);
    if (g.class && !(g.class & WORDLY)) return run(text, g.next, n, ANY, WORDLY);
    return spaces(text, at, n, 0);
}

static size_t digits(const char *text, size_t at, size_t n, uint32_t most) {
    for (uint32_t i = 0; i < most; i++) {
        struct glyph g = look(text, at, n);
        if (!(g.class & MOTE_TEXT_NUMBER)) break;
        at = g.next;
    }
    return at;
}

struct llama3_options {
    uint32_t letters;            /* classes of a word */
    uint32_t digits;             /* most digits of a number */
    uint8_t contractions, lines; /* 's …; [\r\n]* behind punctuation */
};

/* (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|
 * \s+(?!\S)|\s+ */
static size_t llama3(const char *text, size_t at, size_t n, const struct llama3_options *options) {
    size_t end = options->contractions ? contraction(text, at, n, 1) : at;
    if (end > at) return end;
    uint32_t letters = options->letters, wordly = WORDLY | letters;
    struct glyph g = look(text, at, n);
    if (!is_newline(g.code) && !(g.class & (MOTE_TEXT_LETTER | MOTE_TEXT_NUMBER))) {
        end = run(text, g.next, n, letters, 0);
        if (end > g.next) return end;
    }
    if (g.class & letters) return run(text, g.next, n, letters, 0);
    if (g.class & MOTE_TEXT_NUMBER) return digits(text, at, n, options->digits);
    if (g.code == ' ') g = look(text, g.next, n);
    if (g.class && !(g.class & wordly)) {
        end = run(text, g.next, n, ANY, wordly);
        return options->lines ? newlines(text, end, n, 0) : end;
    }
    return spaces(text, at, n, 1);
}

/* [UPPERISH]*[LOWERISH]+ from `at`; `at` where it does not match. Letters without case are in both, so the
 * run of upper-case letters gives back its end if no lower-case one follows. */
static size_t upper_lower(const char *text, size_t at, size_t n) {
    size_t upper = at, lowerish = at;
    for (struct glyph g = look(text, upper, n); g.class & UPPERISH; g = look(text, upper, n)) {
        upper = g.next;
        if (g.class & LOWERISH) lowerish = upper;
    }
    size_t end = run(text, upper, n, LOWERISH, 0);
    return end > upper ? end : lowerish;
}

/* [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|…)?|
 * [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|…)?|
 * \p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
 * tekken has no 's … and single digits. */
static size_t gpt4o(const char *text, size_t at, size_t n, int contractions, uint32_t most_digits) {
    struct glyph g = look(text, at, n);
    int prefix = !is_newline(g.code) && !(g.class & (MOTE_TEXT_LETTER | MOTE_TEXT_NUMBER));
    size_t end = at;
    if (prefix && (end = upper_lower(text, g.next, n)) == g.next) end = at;
    if (end == at) end = upper_lower(text, at, n);
    if (end == at && prefix && (end = run(text, g.next, n, UPPERISH, 0)) == g.next) end = at;
    if (end == at) end = run(text, at, n, UPPERISH, 0);
    if (end > at) return contractions && end < n ? contraction(text, end, n, 1) : end;
    if (g.class & MOTE_TEXT_NUMBER) return digits(text, at, n, most_digits);
    if (g.code == ' ') g = look(text, g.next, n);
    if (g.class && !(g.class & WORDLY)) return newlines(text, run(text, g.next, n, ANY, WORDLY), n, 1);
    return spaces(text, at, n, 1);
}

static int is_ascii_letter(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static int is_ascii_punctuation(char c) {
    return c > ' ' && c < 127 && !is_ascii_letter(c) && !(c >= '0' && c <= '9');
}

/* [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|
 * ?[\p{P}\p{S}]+[\r\n]*| \s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t deepseek3(const char *text, size_t at, size_t n) {
    const uint32_t letters = MOTE_TEXT_LETTER | MOTE_TEXT_MARK, signs = MOTE_TEXT_PUNCT | MOTE_TEXT_SYMBOL;
    size_t end = at + 1;
    if (n - at > 1 && is_ascii_punctuation(text[at]) && is_ascii_letter(text[end])) {
        while (end < n && is_ascii_letter(text[end]))
            end++;
        return end;
    }
    struct glyph g = look(text, at, n);
    if (!is_newline(g.code) && !(g.class & (MOTE_TEXT_LETTER | signs))) {
        end = run(text, g.next, n, letters, 0);
        if (end > g.next) return end;
    }
    if (g.class & letters) return run(text, g.next, n, letters, 0);
    if (g.code == ' ') g = look(text, g.next, n);
    if (g.class & signs) return newlines(text, run(text, g.next, n, signs, 0), n, 0);
    return spaces(text, at, n, 1);
}

static int is_between(uint32_t code, const uint32_t (*ranges)[2], size_t n_ranges) {
    for (size_t i = 0; i < n_ranges; i++)
        if (code >= ranges[i][0] && code <= ranges[i][1]) return 1;
    return 0;
}

#define IS_IN(code, ranges) is_between(code, ranges, sizeof(ranges) / sizeof *(ranges))

/* Cased letters, as of the Unicode version of that expression, without the mathematical alphabets. */
static int is_deepseek_letter(struct glyph g) {
    static const uint32_t newer[][2] = {
        {0x560, 0x588},   {0x10C7, 0x10FF},   {0x1C80, 0x1C88},   {0x2D00, 0x2D2D},   {0xA790, 0xA7FA},
        {0xAB30, 0xAB68}, {0x10570, 0x105BC}, {0x16E40, 0x16E7F}, {0x1D400, 0x1D7CB}, {0x1DF00, 0x1DF2A}};
    return g.class & (MOTE_TEXT_UPPER | MOTE_TEXT_LOWER) && !IS_IN(g.code, newer);
}

static int is_deepseek_sign(struct glyph g) {
    static const uint32_t signs[][2] = {{'!', '/'},       {':', '~'},       {0xFF01, 0xFF0F},
                                        {0xFF1A, 0xFF5E}, {0x2018, 0x201F}, {0x3000, 0x3002}};
    return IS_IN(g.code, signs);
}

static int is_deepseek_ideograph(struct glyph g) {
    static const uint32_t ideographs[][2] = {{0x800, 0x9FA5}, {0xAC00, 0xD7FF}};
    return IS_IN(g.code, ideographs);
}

static int is_kana_or_ideograph(struct glyph g) {
    static const uint32_t asian[][2] = {{0x3040, 0x30FF}, {0x4E00, 0x9FA5}};
    return IS_IN(g.code, asian);
}

static int is_letter(struct glyph g) {
    return (g.class & MOTE_TEXT_LETTER) != 0;
}

static int is_punctuation(struct glyph g) {
    return (g.class & MOTE_TEXT_PUNCT) != 0;
}

static int is_falcon_sign(struct glyph g) {
    return is_punctuation(g) || g.code == '$' || g.code == '+' || (g.code >= '<' && g.code <= '>') ||
           g.code == '^' || g.code == '~' || g.code == '|' || g.code == '`';
}

static int is_default_sign(struct glyph g) {
    return is_falcon_sign(g) && g.code != '`';
}

static int is_number(struct glyph g) {
    return (g.class & MOTE_TEXT_NUMBER) != 0;
}

/* [^(\s|.,!?…。，、।۔،)] */
static int is_bloom_word(struct glyph g) {
    static const uint32_t stops[] = {'(',    ')',    '|',    '.',    ',',   '!',   '?',
                                     0x2026, 0x3002, 0xFF0C, 0x3001, 0x964, 0x6D4, 0x60C};
    if (!g.class || g.class & MOTE_TEXT_WHITE) return 0;
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        if (g.code == stops[i]) return 0;
    return 1;
}

/* [set]+, with \s? or a space or nothing before it. */
static size_t set_run(const char *text, size_t at, size_t n, uint32_t lead, int (*is_in)(struct glyph)) {
    struct glyph g = look(text, at, n);
    size_t end = at;
    if (lead == ' ' ? g.code == ' ' : g.class & lead) {
        struct glyph second = look(text, g.next, n);
        if (is_in(second)) g = second;
    }
    for (; g.class && is_in(g); g = look(text, end, n))
        end = g.next;
    return end;
}

enum pattern {
    END,
    GPT2,          /* see gpt2 */
    LLAMA3,        /* see llama3 */
    LLAMA3_NUMBER, /* \p{N}+ there */
    QWEN2,         /* \p{N} there */
    QWEN2_BARE,    /* and no 's … */
    QWEN35,        /* \p{N} and marks as letters there */
    SEED,          /* \p{N} and no [\r\n]* there */
    GPT4O,         /* see gpt4o */
    TEKKEN,
    DEEPSEEK3,     /* see deepseek3 */
    KANA,          /* [一-龥぀-ゟ゠-ヿ]+ */
    NEWLINE,       /* [\r\n] */
    LINES,         /* [^\n]+|[\n]+ */
    CASED,         /* \s?[A-Za-zµÀ-ÖØ-ö …]+ */
    SIGNS,         /* \s?[!-/:-~！-／：-～‘-‟　-。]+ */
    TRAILING,      /* \s+$ */
    IDEOGRAPHS,    /* [一-龥ࠀ-一가-퟿]+ */
    LETTERS,       /* \s?\p{L}+ */
    PUNCTUATION,   /* \s?\p{P}+ */
    FALCON_SIGNS,  /* [\p{P}\$\+<=>\^~\|`]+ */
    DEFAULT_SIGNS, /* [\p{P}\$\+<=>\^~\|]+ */
    NUMBER,        /* \p{N}+ */
    DIGIT,         /* \p{N} */
    DIGITS_TO_3,   /* \p{N}{1,3} */
    DIGITS_3,      /* [0-9][0-9][0-9] */
    BLOOM,         /*  ?[^(\s|.,!?…。，、।۔،)]+ */
};

/* Where white space at the end of the text begins, or n. */
static size_t trailing(const char *text, size_t at, size_t n) {
    size_t start = at;
    while (at < n) {
        struct glyph g = look(text, at, n);
        at = g.next;
        if (!(g.class & MOTE_TEXT_WHITE)) start = at;
    }
    return start;
}

static size_t match(enum pattern pattern, const char *text, size_t at, size_t n) {
    static const struct llama3_options plain = {MOTE_TEXT_LETTER, 3, 1, 1},
                                       number = {MOTE_TEXT_LETTER, UINT32_MAX, 1, 1},
                                       qwen2 = {MOTE_TEXT_LETTER, 1, 1, 1},
                                       bare = {MOTE_TEXT_LETTER, 1, 0, 1},
                                       qwen35 = {MOTE_TEXT_LETTER | MOTE_TEXT_MARK, 1, 1, 1},
                                       seed = {MOTE_TEXT_LETTER, 1, 1, 0};
    switch (pattern) {
    case GPT2:
        return gpt2(text, at, n);
    case LLAMA3:
        return llama3(text, at, n, &plain);
    case LLAMA3_NUMBER:
        return llama3(text, at, n, &number);
    case QWEN2:
        return llama3(text, at, n, &qwen2);
    case QWEN2_BARE:
        return llama3(text, at, n, &bare);
    case QWEN35:
        return llama3(text, at, n, &qwen35);
    case SEED:
        return llama3(text, at, n, &seed);
    case GPT4O:
        return gpt4o(text, at, n, 1, 3);
    case TEKKEN:
        return gpt4o(text, at, n, 0, 1);
    case DEEPSEEK3:
        return deepseek3(text, at, n);
    case KANA:
        return set_run(text, at, n, 0, is_kana_or_ideograph);
    case NEWLINE:
        return at + is_newline((uint8_t)text[at]);
    case LINES: {
        size_t end = at + 1;
        while (end < n && (text[end] == '\n') == (text[at] == '\n'))
            end++;
        return end;
    }
    case CASED:
        return set_run(text, at, n, MOTE_TEXT_WHITE, is_deepseek_letter);
    case SIGNS:
        return set_run(text, at, n, MOTE_TEXT_WHITE, is_deepseek_sign);
    case IDEOGRAPHS:
        return set_run(text, at, n, 0, is_deepseek_ideograph);
    case LETTERS:
        return set_run(text, at, n, MOTE_TEXT_WHITE, is_letter);
    case PUNCTUATION:
        return set_run(text, at, n, MOTE_TEXT_WHITE, is_punctuation);
    case FALCON_SIGNS:
        return set_run(text, at, n, 0, is_falcon_sign);
    case DEFAULT_SIGNS:
        return set_run(text, at, n, 0, is_default_sign);
    case NUMBER:
        return set_run(text, at, n, 0, is_number);
    case DIGIT:
        return digits(text, at, n, 1);
    case DIGITS_TO_3:
        return digits(text, at, n, 3);
    case DIGITS_3:
        for (size_t i = 0; i < 3; i++)
            if (at + i >= n || text[at + i] < '0' || text[at + i] > '9') return at;
        return at + 3;
    case BLOOM:
        return set_run(text, at, n, ' ', is_bloom_word);
    case TRAILING:
    case END:
        break;
    }
    return at;
}

/* The end of the first piece that a pattern cuts from text[at, n), at < n: its match there, or all up to its
 * next match. */
static size_t piece(enum pattern pattern, const char *text, size_t at, size_t n) {
    if (pattern == TRAILING) {
        size_t start = trailing(text, at, n);
        return start > at ? start : n;
    }
    size_t end = match(pattern, text, at, n);
    if (end > at) return end;
    do
        end = look(text, end, n).next;
    while (end < n && match(pattern, text, end, n) == end);
    return end;
}

static const struct mote_text_split splits[] = {
    {{DEFAULT_SIGNS, GPT2, NUMBER, DIGITS_3}, 0, 0, "default"},
    {{GPT2}, 0, 0, "gpt-2 phi-2 mpt olmo jais trillion gigachat a.x-4.0 mellum exaone4 granite-docling"},
    {{GPT2}, 0, 0, "modern-bert roberta-bpe jina-es jina-de jina-v1-en jina-v2-es jina-v2-de jina-v2-code"},
    {{LLAMA3}, 1, 1, "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano"},
    {{LLAMA3}, 0, 0, "dbrx smaug-bpe glm4 chatglm-bpe"},
    {{LINES, QWEN2}, 0, 0, "laguna"},
    {{QWEN2}, 0, 0, "qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2"},
    {{QWEN2}, 0, 0, "bailingmoe bailingmoe2 llada-moe"},
    {{QWEN2_BARE}, 0, 0, "ufakzeka"},
    {{QWEN35}, 0, 0, "qwen35"},
    {{SEED}, 0, 0, "seed-coder"},
    {{DIGITS_TO_3, LLAMA3_NUMBER}, 1, 0, "minicpm5"},
    {{DIGIT, GPT2}, 0, 0, "starcoder refact command-r smollm codeshell exaone minerva-7b mellum2"},
    {{FALCON_SIGNS, GPT2, DIGITS_3}, 0, 0, "falcon"},
    {{NEWLINE, CASED, SIGNS, TRAILING, IDEOGRAPHS, NUMBER}, 0, 0, "deepseek-llm"},
    {{NEWLINE, LETTERS, PUNCTUATION, IDEOGRAPHS, DIGIT}, 0, 0, "deepseek-coder"},
    {{DIGITS_TO_3, KANA, DEEPSEEK3}, 0, 0, "deepseek-v3 hunyuan-dense joyai-llm hy_v4"},
    {{TEKKEN}, 1, 1, "tekken"},
    {{GPT4O}, 0, 0, "gpt-4o llama4 kanana2 talkie minimax-m2"},
    {{BLOOM}, 0, 0, "bloom poro-chat gpt3-finnish"},
    {{BLOOM, DIGIT}, 0, 0, "viking"},
};

/* Whether name is one of the words of list. */
static int is_listed(const char *list, mote_text name) {
    for (;;) {
        size_t n = 0;
        while (list[n] && list[n] != ' ')
            n++;
        if (n == name.n && memcmp(list, name.data, n) == 0) return 1;
        if (!list[n]) return 0;
        list += n + 1;
    }
}

const struct mote_text_split *mote_text_split_find(mote_text name) {
    if (name.n == 0) return &splits[0];
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++)
        if (is_listed(splits[i].names, name)) return &splits[i];
    return NULL;
}

void mote_text_split_open(struct mote_text_splitter *splitter, const struct mote_text_split *split,
                          const char *text, size_t n) {
    memset(splitter, 0, sizeof *splitter);
    splitter->split = split;
    splitter->text = text;
    splitter->n = n;
}

int mote_text_split_next(struct mote_text_splitter *splitter, mote_text *word) {
    size_t at = splitter->at, end = splitter->n;
    if (at == end) return 0;
    for (int i = 0; splitter->split->stages[i]; i++) {
        if (splitter->ends[i] <= at)
            splitter->ends[i] = piece((enum pattern)splitter->split->stages[i], splitter->text, at, end);
        end = splitter->ends[i];
    }
    *word = (mote_text){splitter->text + at, end - at};
    splitter->at = end;
    return 1;
}
