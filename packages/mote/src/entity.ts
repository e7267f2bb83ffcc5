// SPDX-License-Identifier: Apache-2.0
//
// entity.ts: spans of a text from labels of its tokens, those that `mote classify` finds.
//
// Tokens do not say which part of the text they came from: the words of the text, each with the white space before it,
// are tokenized one by one, and where that gives the tokens of the whole, each token belongs to its word. Words are cut
// at white space and signs; where that does not work out, at white space only; where that does not either, every
// token is a word and has no place.
//
// A word has the label of its first token. Words in a row with labels of one type are one entity, except that "B-"
// begins another.

import type { Entity } from "./types.js";

/** A text as it was encoded: its tokens without the special ones around it, and logits [tokens][labels]. */
export interface Judged {
    text: string;
    tokens: Int32Array;
    /** The text has more tokens than these. */
    cut: boolean;
    logits: Float32Array;
}

interface Word {
    start: number;
    end: number;
    /** Of its first token. */
    from: number;
}

type Tokenize = (text: string) => Int32Array;

/** Signs that stand for themselves: ASCII punctuation, general punctuation, ideographs. */
const SIGN = /[!-/:-@[-`{-~\u2000-\u203f\u3000-\u303f\u4000-\u9fff]/y;
const SPACE = /[ \t-\r]*/y;
const WORD = /[^ \t-\r]*/y;
const WORD_OR_SIGN = /[^ \t-\r!-/:-@[-`{-~\u2000-\u203f\u3000-\u303f\u4000-\u9fff]*/y;

/** Where what pattern matches at a place ends. */
function endOf(pattern: RegExp, text: string, at: number): number {
    pattern.lastIndex = at;
    return pattern.test(text) ? pattern.lastIndex : at;
}

/** The words of a text, where their tokens are its tokens. */
function cutWords({ text, tokens, cut }: Judged, atSigns: boolean, tokenize: Tokenize): Word[] | undefined {
    const words: Word[] = [];
    let token = 0;
    for (let at = 0; at < text.length && token < tokens.length; ) {
        const start = endOf(SPACE, text, at);
        const sign = atSigns ? endOf(SIGN, text, start) : start;
        const end = sign > start ? sign : endOf(atSigns ? WORD_OR_SIGN : WORD, text, start);
        let part = tokenize(text.slice(at, end));
        if (part.length > tokens.length - token) {
            if (!cut) return undefined; // only the last word of a text that was cut may have more
            part = part.subarray(0, tokens.length - token);
        }
        for (let i = 0; i < part.length; i++) if (part[i] !== tokens[token + i]) return undefined;
        if (part.length > 0) words.push({ start, end, from: token });
        token += part.length;
        at = end;
    }
    return token === tokens.length ? words : undefined;
}

/** The likeliest label, and its share after softmax. */
function likeliest(logits: Float32Array): [label: number, share: number] {
    let best = 0;
    for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
    let sum = 0;
    for (const x of logits) sum += Math.exp(x - logits[best]!);
    return [best, 1 / sum];
}

/** The entities of a text whose first `skipped` characters are a prefix; labels: the names. */
export function findEntities(judged: Judged, labels: readonly string[], skipped: number, tokenize: Tokenize): Entity[] {
    const placed = cutWords(judged, true, tokenize) ?? cutWords(judged, false, tokenize);
    const words = placed ?? Array.from(judged.tokens, (_, from) => ({ start: 0, end: 0, from }));
    const found: Entity[] = [];
    let open = 0; // words of the last one, to which more may be added
    for (const { start, end, from } of words) {
        const [best, share] = likeliest(judged.logits.subarray(from * labels.length, (from + 1) * labels.length));
        const label = labels[best]!;
        const tagged = /^[BI]-./s.test(label);
        const type = tagged ? label.slice(2) : label;
        if (label === "O" || (placed && start < skipped)) {
            open = 0;
            continue;
        }
        let entity = found[found.length - 1];
        if (open === 0 || !entity || (tagged && label.startsWith("B")) || entity.label !== type) {
            entity = { label: type, score: 0, text: "" };
            if (placed) entity.start = start - skipped;
            found.push(entity);
            open = 0;
        }
        entity.score = (entity.score * open + share) / (open + 1);
        open++;
        if (!placed) continue;
        entity.end = end - skipped;
        entity.text = judged.text.slice(skipped + entity.start!, end);
    }
    return found;
}
