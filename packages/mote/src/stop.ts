// SPDX-License-Identifier: Apache-2.0
//
// stop.ts: texts that end an answer. They may come in pieces, so whatever could be the beginning of one is held back
// until it is seen not to be.

export class StopTexts {
    #held = "";
    found: string | undefined;

    constructor(readonly texts: readonly string[]) {}

    /** What may be shown of what came so far. */
    add(piece: string): string {
        if (this.texts.length === 0 || this.found !== undefined) return this.found === undefined ? piece : "";
        const text = this.#held + piece;
        let first = -1;
        for (const stop of this.texts) {
            const at = text.indexOf(stop);
            if (at >= 0 && (first < 0 || at < first || (at === first && stop.length > this.found!.length))) [first, this.found] = [at, stop];
        }
        if (first >= 0) {
            this.#held = "";
            return text.slice(0, first);
        }
        const held = Math.max(...this.texts.map((stop) => overlap(text, stop)));
        this.#held = text.slice(text.length - held);
        return text.slice(0, text.length - held);
    }

    /** What was held back, when no more comes. */
    end(): string {
        const rest = this.#held;
        this.#held = "";
        return rest;
    }
}

/** The longest end of text that is a beginning of stop, and not all of it. */
function overlap(text: string, stop: string): number {
    for (let n = Math.min(text.length, stop.length - 1); n > 0; n--) if (text.endsWith(stop.slice(0, n))) return n;
    return 0;
}
