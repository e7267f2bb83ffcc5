// SPDX-License-Identifier: Apache-2.0
//
// ranges.ts: which bytes of a file are there. Kept as sorted, disjoint [from, to) pairs, in one flat list, which is
// also how it is stored.

export class Ranges {
    #ends: number[];

    constructor(ends: number[] = []) {
        this.#ends = ends;
    }

    /** Reads what was stored; undefined if it is not a list of ranges within size. */
    static parse(value: unknown, size: number): Ranges | undefined {
        if (!Array.isArray(value) || value.length % 2 !== 0) return undefined;
        let last = -1;
        for (const end of value as unknown[]) {
            if (typeof end !== "number" || !Number.isSafeInteger(end) || end <= last || end > size) return undefined;
            last = end;
        }
        return new Ranges(value as number[]);
    }

    get list(): readonly number[] {
        return this.#ends;
    }

    get bytes(): number {
        let sum = 0;
        for (let i = 0; i < this.#ends.length; i += 2) sum += this.#ends[i + 1]! - this.#ends[i]!;
        return sum;
    }

    add(from: number, to: number): void {
        if (to <= from) return;
        const ends: number[] = [];
        let [a, b] = [from, to];
        let placed = false;
        for (let i = 0; i < this.#ends.length; i += 2) {
            const [c, d] = [this.#ends[i]!, this.#ends[i + 1]!];
            if (d < a) ends.push(c, d);
            else if (c > b) {
                if (!placed) ends.push(a, b);
                placed = true;
                ends.push(c, d);
            } else [a, b] = [Math.min(a, c), Math.max(b, d)];
        }
        if (!placed) ends.push(a, b);
        this.#ends = ends;
    }

    remove(from: number, to: number): void {
        if (to <= from) return;
        const ends: number[] = [];
        for (let i = 0; i < this.#ends.length; i += 2) {
            const [c, d] = [this.#ends[i]!, this.#ends[i + 1]!];
            if (c < Math.min(d, from)) ends.push(c, Math.min(d, from));
            if (Math.max(c, to) < d) ends.push(Math.max(c, to), d);
        }
        this.#ends = ends;
    }

    /** What is missing of [from, to). */
    missing(from: number, to: number): [number, number][] {
        const gaps: [number, number][] = [];
        let at = from;
        for (let i = 0; i < this.#ends.length && at < to; i += 2) {
            const [c, d] = [this.#ends[i]!, this.#ends[i + 1]!];
            if (c > at) gaps.push([at, Math.min(c, to)]);
            at = Math.max(at, d);
        }
        if (at < to) gaps.push([at, to]);
        return gaps;
    }
}
