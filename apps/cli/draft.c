/* SPDX-License-Identifier: Apache-2.0
 *
 * draft.c: how much to guess, and from where. Decoding is bound by reading the weights, and a step of a few
 * rows reads them once like a step of one; but how much cheaper than its rows' number a step is depends on
 * the machine, the model and the number, and how often guesses are right depends on the text. Both are
 * therefore measured as the answer goes, and the next step is the one that promises most tokens per second:
 *
 *     p            the share of such guesses that were right, by source and by length of the match
 *     tokens(k)    1 + p + p² + … + p^k, expected of a step with k guesses
 *     rate(k)      tokens(k) / (seconds of a step of 1 + k rows + seconds of making k guesses)
 *
 * Guesses must promise GAIN times the plain rate. What fails is tried again only out of a credit of one
 * hundredth of the time, so that a text without repetitions costs next to nothing. Widths of steps are powers
 * of two, as kernels take rows in such groups; a width is tried only after its half.
 *
 * Times are noisy upwards (other programs run too): an estimate follows faster times at once and slower ones
 * slowly. Times decide only how much is guessed, never which token is chosen. */
#include "apps/cli/draft.h"

/* A match as short as this says little by itself. */
enum { SHORT_MATCH = 3, MODEL_KIND = CLI_DRAFT_KINDS - 1 };

static const double GAIN = 1.03;

/* What is being weighed: guesses of one kind, k of them costing k guess_seconds to make. */
struct offer {
    double rate, guess_seconds;
    unsigned kind, width; /* width 0: no guesses */
};

/* How many widths have no more than so many guesses. */
static unsigned widths(uint32_t most_guesses) {
    unsigned n = 1;
    while (n < CLI_DRAFT_WIDTHS && ((uint32_t)1 << n) - 1 <= most_guesses)
        n++;
    return n;
}

uint32_t cli_draft_rows(const struct cli_sampling *sampling) {
    return 1 + (sampling->speculate < CLI_DRAFT_MOST ? sampling->speculate : CLI_DRAFT_MOST);
}

int cli_draft_open(struct cli_draft *draft, const struct cli_model *model,
                   const struct cli_sampling *sampling) {
    *draft = (struct cli_draft){.n_always = sampling->speculate};
    for (unsigned i = 0; i < CLI_DRAFT_KINDS; i++) {
        int is_short = i + CLI_DRAFT_LEAST_MATCH <= SHORT_MATCH;
        draft->odds[i] = (struct cli_odds){.right = 1, .checked = is_short ? 4 : 2};
    }
    if (!draft->n_always) return CLI_OK;
    int code = cli_lookup_open(&draft->lookup, model->n_positions + 1);
    if (code || !sampling->draft) return code;
    return cli_draft_model_open(&draft->model, model, sampling->draft);
}

void cli_draft_close(struct cli_draft *draft) {
    cli_lookup_close(&draft->lookup);
    cli_draft_model_close(&draft->model);
    *draft = (struct cli_draft){0};
}

/* A width whose time is not known yet is taken for hardly more than its half, once that is known. */
static double step_seconds(const struct cli_draft *draft, unsigned width) {
    if (draft->seconds[width] > 0) return draft->seconds[width];
    return 1.15 * draft->seconds[width - 1];
}

/* The best width for guesses of a kind, no more than n_widths. */
static struct offer weigh(const struct cli_draft *draft, unsigned kind, double guess_seconds,
                          unsigned n_widths) {
    const struct cli_odds *odds = &draft->odds[kind];
    double p = odds->right / odds->checked, power = 1, tokens = 1;
    struct offer best = {GAIN / draft->seconds[0], guess_seconds, kind, 0};
    unsigned k = 0;
    for (unsigned width = 1; width < n_widths && draft->seconds[width - 1] > 0; width++) {
        for (; k < ((unsigned)1 << width) - 1; k++)
            tokens += power *= p;
        double rate = tokens / (step_seconds(draft, width) + k * guess_seconds);
        if (rate <= best.rate) continue;
        best.rate = rate;
        best.width = width;
    }
    return best;
}

static unsigned kind_of(uint32_t match) {
    if (match >= 16) return MODEL_KIND - 1;
    return match >= 8 ? MODEL_KIND - 2 : match - CLI_DRAFT_LEAST_MATCH;
}

/* Of no better offer, whether one guess of it may be tried on credit. */
static void try_on_credit(struct cli_draft *draft, struct offer *offer) {
    double cost = step_seconds(draft, 1) + offer->guess_seconds - draft->seconds[0];
    draft->credit += draft->seconds[0] / 100;
    if (draft->credit < cost) return;
    draft->credit -= cost > 0 ? cost : 0;
    offer->width = 1;
}

/* Moves an estimate towards a new time. */
static void follow(double *known, double seconds) {
    double most = 1.5 * *known;
    if (seconds < *known)
        *known += (seconds - *known) / 2;
    else
        *known += ((seconds < most ? seconds : most) - *known) / 8;
}

/* What the model guesses, and how long each guess took it. */
static int ask_model(struct cli_draft *draft, const mote_session *session, mote_token token,
                     mote_token *guesses, uint32_t n) {
    uint32_t n_behind;
    double start = cli_clock();
    int code = cli_draft_model_guess(&draft->model, mote_session_tokens(session),
                                     mote_session_length(session), token, guesses, n, &n_behind);
    double each = (cli_clock() - start) / n;
    if (!code && n_behind <= 2) /* else most of the time went into reading */
        follow(&draft->guess_seconds, each);
    return code;
}

/* The offer to take: match tokens are found again (0: none), model says whether the model can be asked. */
static struct offer decide(struct cli_draft *draft, uint32_t match, int model, unsigned n_widths) {
    struct offer offer = {.kind = MODEL_KIND};
    if (match) offer = weigh(draft, kind_of(match), 0, n_widths);
    if (model) {
        if (!(draft->guess_seconds > 0)) draft->guess_seconds = draft->seconds[0] / 8;
        struct offer other = weigh(draft, MODEL_KIND, draft->guess_seconds, n_widths);
        if (!match || other.rate > offer.rate) offer = other;
    }
    if (!offer.width && (match || model)) try_on_credit(draft, &offer);
    return offer;
}

int cli_draft_guess(struct cli_draft *draft, const mote_session *session, mote_token token, uint32_t most,
                    mote_token *guesses, uint32_t *n_guesses) {
    uint32_t n = mote_session_length(session), place = 0, n_wanted = most;
    *n_guesses = 0;
    if (most > CLI_DRAFT_MOST) most = CLI_DRAFT_MOST;
    if (!most || !draft->n_always) return CLI_OK;
    cli_lookup_follow(&draft->lookup, mote_session_tokens(session), n, token);
    uint32_t match = cli_lookup_match(&draft->lookup, &place);
    int model = draft->model.session && cli_draft_model_fits(&draft->model, n, most);
    if (draft->n_always <= CLI_DRAFT_MOST) {
        n_wanted = draft->n_always < most ? draft->n_always : most;
        draft->kind = model && match <= SHORT_MATCH ? MODEL_KIND : match ? kind_of(match) : MODEL_KIND;
        if (!match && !model) n_wanted = 0;
    } else {
        if (!(draft->seconds[0] > 0)) return CLI_OK;
        struct offer offer = decide(draft, match, model, widths(most));
        n_wanted = ((uint32_t)1 << offer.width) - 1;
        draft->kind = offer.kind;
    }
    int code = CLI_OK;
    if (n_wanted && draft->kind == MODEL_KIND)
        code = ask_model(draft, session, token, guesses, n_wanted);
    else
        cli_lookup_guess(&draft->lookup, place, guesses, n_wanted);
    if (!code) *n_guesses = n_wanted;
    return code == CLI_INTERRUPTED ? CLI_OK : code; /* the caller will see that for himself */
}

void cli_draft_took(struct cli_draft *draft, uint32_t n_guesses, double seconds) {
    unsigned width = widths(n_guesses) - 1;
    double *known = &draft->seconds[width], most = width ? 1.3 * draft->seconds[width - 1] : seconds;
    if (((uint32_t)1 << width) - 1 != n_guesses) return;
    if (*known > 0)
        follow(known, seconds);
    else
        *known = seconds < most ? seconds : most; /* one bad measurement must not rule the width out */
}

void cli_draft_learn(struct cli_draft *draft, uint32_t n_guesses, uint32_t n_right) {
    struct cli_odds *odds = &draft->odds[draft->kind];
    odds->right += n_right;
    odds->checked += n_right < n_guesses ? n_right + 1 : n_right;
    if (odds->checked <= 32) return;
    odds->checked /= 2;
    odds->right /= 2;
}
