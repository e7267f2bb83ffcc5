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

static size_t digits(const char *text, size_t at, size_t n, uint32_t most) {
    for (uint32_t i = 0; i < most; i++) {
        struct glyph g = look(text, at, n);
        if (!(g.class & MOTE_TEXT_NUMBER)) break;
        at = g.next;
    }
    return at;
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

static int is_ascii_letter(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static int is_ascii_punctuation(char c) {
    return c > ' ' && c < 127 && !is_ascii_letter(c) && !(c >= '0' && c <= '9');
}

/* An expression that takes a text apart into words, numbers, signs and white space:
 *
 *     GPT2       's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *     LLAMA3     (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|
 *                \s*[\r\n]+|\s+(?!\S)|\s+
 *     GPT4O      [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|…)?|
 *                [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|…)?|
 *                \p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
 *     DEEPSEEK3  [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|
 *                 ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ */
struct words {
    uint16_t letters;            /* classes of a word */
    uint16_t no_prefix;          /* classes that cannot stand in front of a word; 0: only a space can */
    uint16_t signs, no_signs;    /* classes of a run of signs, and what ends it */
    uint32_t digits;             /* most of them in a number; 0: numbers are not matched */
    uint8_t before, after;       /* 's …, in front or behind a word: CONTRACTED, or FOLDED in either case */
    uint8_t cased, ascii, lines; /* words as in GPT4O; signs before words as in DEEPSEEK3; \s*[\r\n]+ */
    uint8_t newlines;            /* behind signs: NEWLINES, or SLASHES besides */
};

enum { CONTRACTED = 1, FOLDED, NEWLINES = 1, SLASHES };

static size_t match_words(const struct words *w, const char *text, size_t at, size_t n) {
    size_t end = at;
    if (w->ascii && n - at > 1 && is_ascii_punctuation(text[at]) && is_ascii_letter(text[at + 1])) {
        for (end++; end < n && is_ascii_letter(text[end]);)
            end++;
        return end;
    }
    if (w->before) end = contraction(text, at, n, w->before == FOLDED);
    if (end > at) return end;
    struct glyph g = look(text, at, n), second = g.code == ' ' ? look(text, g.next, n) : g;
    int prefix = w->no_prefix ? !is_newline(g.code) && !(g.class & w->no_prefix) : g.code == ' ';
    for (int cased = w->cased; cased >= 0; cased--)
        for (size_t start = prefix ? g.next : at;; start = at) {
            end = cased ? upper_lower(text, start, n) : run(text, start, n, w->letters, 0);
            if (end > start) return w->after && end < n ? contraction(text, end, n, 1) : end;
            if (start == at) break;
        }
    size_t number = w->no_prefix ? at : second.next; /* GPT2 takes a space before a number too */
    if (w->digits && (w->no_prefix ? g : second).class & MOTE_TEXT_NUMBER)
        return digits(text, number, n, w->digits);
    if (second.class & w->signs && !(second.class & w->no_signs)) {
        end = run(text, second.next, n, w->signs, w->no_signs);
        return w->newlines ? newlines(text, end, n, w->newlines == SLASHES) : end;
    }
    return spaces(text, at, n, w->lines);
}

#if !defined(MOTE_NO_DECODERS)

/* A run of characters that are in a set, with one of `lead` before it or not. */
struct set {
    uint16_t in, out;      /* classes */
    uint16_t lead;         /* classes, or SPACE */
    uint8_t least, except; /* fewest characters; codes are what is not in the set */
    uint32_t most;
    const uint32_t *codes; /* pairs: first, last; ends in 0 */
};

enum { SPACE = 1 };

static int is_in(const struct set *set, struct glyph g) {
    int has_class = g.class & set->in && !(g.class & set->out), listed = 0;
    for (const uint32_t *range = set->codes; range && *range; range += 2)
        listed |= g.code >= range[0] && g.code <= range[1];
    return set->except ? has_class && !listed : has_class || listed;
}

static size_t match_set(const struct set *set, const char *text, size_t at, size_t n) {
    struct glyph g = look(text, at, n);
    size_t end = at;
    if (set->lead == SPACE ? g.code == ' ' : g.class & set->lead) {
        struct glyph second = look(text, g.next, n);
        if (is_in(set, second)) g = second;
    }
    uint32_t count = 0;
    for (; count < set->most && is_in(set, g); count++) {
        end = g.next;
        g = look(text, end, n);
    }
    return count < set->least ? at : end;
}

#endif

enum pattern {
    END,
    GPT2, /* see struct words */
    LLAMA3,
    LLAMA3_NUMBER, /* \p{N}+ there */
    QWEN2,         /* \p{N} there */
    QWEN2_BARE,    /* and no 's … */
    QWEN35,        /* \p{N} and marks as letters there */
    SEED,          /* \p{N} and no [\r\n]* there */
    GPT4O,
    TEKKEN, /* GPT4O with \p{N} and no 's … */
    DEEPSEEK3,
    KANA,          /* [一-龥぀-ゟ゠-ヿ]+ */
    NEWLINE,       /* [\r\n] */
    CASED,         /* \s?[A-Za-zµÀ-ÖØ-ö …]+ */
    SIGNS,         /* \s?[!-/:-~！-／：-～‘-‟　-。]+ */
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
    LINES,         /* [^\n]+|[\n]+ */
    TRAILING,      /* \s+$ */
};

enum {
    L = MOTE_TEXT_LETTER,
    LM = MOTE_TEXT_LETTER | MOTE_TEXT_MARK,
    LN = MOTE_TEXT_LETTER | MOTE_TEXT_NUMBER,
    PS = MOTE_TEXT_PUNCT | MOTE_TEXT_SYMBOL,
    MANY = 0x7FFFFFFF,
};

static const struct words words[] = {
    [GPT2] = {L, 0, ANY, WORDLY, MANY, CONTRACTED, 0, 0, 0, 0, 0},
#if !defined(MOTE_NO_DECODERS)
    [LLAMA3] = {L, LN, ANY, WORDLY, 3, FOLDED, 0, 0, 0, 1, NEWLINES},
    [LLAMA3_NUMBER] = {L, LN, ANY, WORDLY, MANY, FOLDED, 0, 0, 0, 1, NEWLINES},
    [QWEN2] = {L, LN, ANY, WORDLY, 1, FOLDED, 0, 0, 0, 1, NEWLINES},
    [QWEN2_BARE] = {L, LN, ANY, WORDLY, 1, 0, 0, 0, 0, 1, NEWLINES},
    [QWEN35] = {LM, LN, ANY, WORDLY | LM, 1, FOLDED, 0, 0, 0, 1, NEWLINES},
    [SEED] = {L, LN, ANY, WORDLY, 1, FOLDED, 0, 0, 0, 1, 0},
    [GPT4O] = {UPPERISH, LN, ANY, WORDLY, 3, 0, FOLDED, 1, 0, 1, SLASHES},
    [TEKKEN] = {UPPERISH, LN, ANY, WORDLY, 1, 0, 0, 1, 0, 1, SLASHES},
    [DEEPSEEK3] = {LM, L | PS, PS, 0, 0, 0, 0, 0, 1, 1, NEWLINES},
#endif
};

#if !defined(MOTE_NO_DECODERS)

static const uint32_t kana[] = {0x3040, 0x30FF, 0x4E00, 0x9FA5, 0};
static const uint32_t newline[] = {'\n', '\n', '\r', '\r', 0};
/* Cased letters newer than the Unicode version of that expression, and the mathematical alphabets. */
static const uint32_t newer[] = {0x560,   0x588,   0x10C7,  0x10FF,  0x1C80,  0x1C88,  0x2D00,
                                 0x2D2D,  0xA790,  0xA7FA,  0xAB30,  0xAB68,  0x10570, 0x105BC,
                                 0x16E40, 0x16E7F, 0x1D400, 0x1D7CB, 0x1DF00, 0x1DF2A, 0};
static const uint32_t signs[] = {'!',    '/',    ':',    '~',    0xFF01, 0xFF0F, 0xFF1A,
                                 0xFF5E, 0x2018, 0x201F, 0x3000, 0x3002, 0};
static const uint32_t ideographs[] = {0x800, 0x9FA5, 0xAC00, 0xD7FF, 0};
static const uint32_t falcon[] = {'`', '`', '$', '$', '+', '+', '<', '>', '^', '^', '~', '~', '|', '|', 0};
static const uint32_t ascii_digits[] = {'0', '9', 0};
static const uint32_t stops[] = {'(',    ')',    '|',   '|',    '.',    '.',    ',',    ',',    '!',
                                 '!',    '?',    '?',   0x2026, 0x2026, 0x3002, 0x3002, 0xFF0C, 0xFF0C,
                                 0x3001, 0x3001, 0x964, 0x964,  0x6D4,  0x6D4,  0x60C,  0x60C,  0};

static const struct set sets[] = {
    [0] = {0, 0, 0, 0, 0, MANY, kana},
    [NEWLINE - KANA] = {0, 0, 0, 0, 0, 1, newline},
    [CASED - KANA] = {MOTE_TEXT_UPPER | MOTE_TEXT_LOWER, 0, MOTE_TEXT_WHITE, 0, 1, MANY, newer},
    [SIGNS - KANA] = {0, 0, MOTE_TEXT_WHITE, 0, 0, MANY, signs},
    [IDEOGRAPHS - KANA] = {0, 0, 0, 0, 0, MANY, ideographs},
    [LETTERS - KANA] = {L, 0, MOTE_TEXT_WHITE, 0, 0, MANY, NULL},
    [PUNCTUATION - KANA] = {MOTE_TEXT_PUNCT, 0, MOTE_TEXT_WHITE, 0, 0, MANY, NULL},
    [FALCON_SIGNS - KANA] = {MOTE_TEXT_PUNCT, 0, 0, 0, 0, MANY, falcon},
    [DEFAULT_SIGNS - KANA] = {MOTE_TEXT_PUNCT, 0, 0, 0, 0, MANY, falcon + 2},
    [NUMBER - KANA] = {MOTE_TEXT_NUMBER, 0, 0, 0, 0, MANY, NULL},
    [DIGIT - KANA] = {MOTE_TEXT_NUMBER, 0, 0, 0, 0, 1, NULL},
    [DIGITS_TO_3 - KANA] = {MOTE_TEXT_NUMBER, 0, 0, 0, 0, 3, NULL},
    [DIGITS_3 - KANA] = {0, 0, 0, 3, 0, 3, ascii_digits},
    [BLOOM - KANA] = {ANY, MOTE_TEXT_WHITE, SPACE, 0, 1, MANY, stops},
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

#endif

static size_t match(enum pattern pattern, const char *text, size_t at, size_t n) {
#if defined(MOTE_NO_DECODERS) /* encoders have this one */
    (void)pattern;
    return match_words(&words[GPT2], text, at, n);
#else
    if (pattern < KANA) return match_words(&words[pattern], text, at, n);
    if (pattern != LINES) return match_set(&sets[pattern - KANA], text, at, n);
    size_t end = at + 1;
    while (end < n && (text[end] == '\n') == (text[at] == '\n'))
        end++;
    return end;
#endif
}

/* The end of the first piece that a pattern cuts from text[at, n), at < n: its match there, or all up to its
 * next match. */
static size_t piece(enum pattern pattern, const char *text, size_t at, size_t n) {
#if !defined(MOTE_NO_DECODERS)
    if (pattern == TRAILING) {
        size_t start = trailing(text, at, n);
        return start > at ? start : n;
    }
#endif
    size_t end = match(pattern, text, at, n);
    if (end > at) return end;
    do
        end = look(text, end, n).next;
    while (end < n && match(pattern, text, end, n) == end);
    return end;
}

static const struct mote_text_split splits[] = {
#if !defined(MOTE_NO_DECODERS)
    {{DEFAULT_SIGNS, GPT2, NUMBER, DIGITS_3}, 0, 0, "default"},
    {{GPT2}, 0, 0, "phi-2 mpt olmo jais trillion gigachat a.x-4.0 mellum exaone4 granite-docling"},
    {{GPT2}, 0, 0, "jina-es jina-de jina-v1-en jina-v2-es jina-v2-de jina-v2-code"},
#endif
    {{GPT2}, 0, 0, "gpt-2 modern-bert roberta-bpe"},
#if !defined(MOTE_NO_DECODERS)
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
#endif
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
    if (name.n == 0) return &splits[0]; /* so too where a vocabulary is only counted */
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
