// SPDX-License-Identifier: Apache-2.0
//
// What the page does with an encoder: labels of a text as it is typed, and paragraphs found by meaning. Texts are
// encoded in the engine's worker; here are only their vectors, and which of them are wanted.

import type { EncodeProgress, Label, Model } from "mote";

/** More would make the ranking felt on the page's own thread. */
export const MOST_PARAGRAPHS = 5000;

/** The paragraphs of what was pasted: what empty lines stand between, without repetitions. */
export function paragraphsOf(text: string): string[] {
    const all = text.split(/\n\s*\n/).map((paragraph) => paragraph.replace(/\s+/g, " ").trim());
    return [...new Set(all.filter((paragraph) => paragraph !== ""))].slice(0, MOST_PARAGRAPHS);
}

export interface Hit {
    paragraph: string;
    score: number;
}

/** The paragraphs of one model that were encoded, by their text, so that an edit costs only what it changed. */
export class Shelf {
    readonly #vectors = new Map<string, Float32Array>();

    constructor(readonly model: Model) {}

    async put(paragraphs: readonly string[], signal: AbortSignal, onProgress: (progress: EncodeProgress) => void): Promise<void> {
        const missing = paragraphs.filter((paragraph) => !this.#vectors.has(paragraph));
        const vectors = await this.model.embed(missing, { signal, onProgress });
        missing.forEach((paragraph, i) => this.#vectors.set(paragraph, vectors[i]!));
        const wanted = new Set(paragraphs);
        for (const paragraph of this.#vectors.keys()) if (!wanted.has(paragraph)) this.#vectors.delete(paragraph);
    }

    /** The n paragraphs nearest to a question, the nearest first. */
    async search(question: string, n: number, signal: AbortSignal): Promise<Hit[]> {
        const [wanted] = await this.model.embed([question], { signal });
        const hits = Array.from(this.#vectors, ([paragraph, vector]) => ({ paragraph, score: dot(wanted!, vector) }));
        return hits.sort((a, b) => b.score - a.score).slice(0, n);
    }
}

function dot(a: Float32Array, b: Float32Array): number {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
    return sum;
}

export function judge(model: Model, text: string, signal: AbortSignal): Promise<Label[]> {
    return model.classify([text], { signal, topK: 8 }).then(([labels]) => labels!);
}
