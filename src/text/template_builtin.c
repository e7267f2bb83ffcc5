/* SPDX-License-Identifier: Apache-2.0
 *
 * template_builtin.c: filters, tests, methods and functions, as Jinja and Python define them; what Jinja
 * gives as a generator is a list here. tojson is the one of Hugging Face's chat templates: no HTML escapes,
 * ensure_ascii off.
 *
 * One table says what there is. A row holds how many arguments there must be, the kinds (f filter, t test,
 * g function, s d l method of a string, dict, list), the name, and the names of the arguments after the
 * subject; * lets more of them pass.
 *
 * Not here, because no chat template has them: filters abs batch escape float format groupby max min round
 * slice sum truncate unique urlize xmlattr, tests sameas lower upper < > <= >=, string methods count isdigit
 * isspace removeprefix removesuffix rfind rsplit splitlines, loop.cycle, loop.depth, functions cycler joiner
 * lipsum, tojson's ensure_ascii. The sandbox of Hugging Face lets no template change a list or dict; of the
 * methods that do only append is here. */
#include "text/template_builtin.h"

static const char rows[] = BUILTINS(ROW);

const char *mote_text_words_get(const char *words, int index) {
    for (; index > 0; index--)
        while (*words++) {
        }
    return words;
}

int mote_text_value_is(const struct value *v, const char *word) {
    uint32_t i = 0;
    if (v->type != V_STRING) return 0;
    while (i < v->n && word[i] > ' ' && word[i] == v->s[i])
        i++;
    return i == v->n && word[i] <= ' ';
}

int mote_text_words_find(const char *words, const struct value *word) {
    for (int index = 0; *words; index++, words = mote_text_words_get(words, 1))
        if (mote_text_value_is(word, words)) return index;
    return -1;
}

/* The word of a row after this one, or its end. */
static const char *next_word(const char *word) {
    while (*word > ' ')
        word++;
    return *word ? word + 1 : word;
}

int mote_text_builtin_find(int kind, const struct value *name) {
    const char *row = rows;
    for (int id = 0; *row; id++) {
        const char *p = row;
        while (*p > ' ' && *p != kind)
            p++;
        if (*p == kind && mote_text_value_is(name, next_word(p))) return id;
        row = mote_text_words_get(row, 1);
    }
    return -1;
}

int mote_text_builtin_wants(int id) {
    return *mote_text_words_get(rows, id) - '0';
}

struct value *mote_text_builtin(struct render *r, int id, uint32_t base, uint32_t n) {
    const char *row = mote_text_words_get(rows, id), *word = next_word(row);
    struct value *a[6], *result = &r->undefined;
    uint32_t named = 0, k = 0;
    for (; k < 6; k++)
        a[k] = &r->undefined;
    a[0] = r->stack[base];
    for (k = 1; *(word = next_word(word)) > '*'; k++) {
        for (uint32_t i = base + n; i < r->n_stack; i += 2)
            if (mote_text_value_is(r->stack[i], word)) a[k] = r->stack[i + 1], named++;
        if (k < n) a[k] = r->stack[base + k];
    }
    if (*word != '*' && (n > k || base + n + 2 * named < r->n_stack))
        mote_text_render_fail(r, "too many arguments", NULL);
    if (n + named <= (uint32_t)(*row - '0')) mote_text_render_fail(r, "an argument is missing", NULL);
    if (mote_text_render_enter(r))
        result = id < B_FIRST_OF_LISTS ? mote_text_builtin_text(r, id, a)
                                       : mote_text_builtin_list(r, id, a, base, n);
    r->depth--;
    return result;
}
