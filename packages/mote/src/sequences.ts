// SPDX-License-Identifier: Apache-2.0
//
// sequences.ts: the sessions of an engine, and which of them a prompt can go on from.
//
// A sequence is pinned (a session of the user), busy (an answer is being made in it), or neither: then it is a past
// conversation, kept because the next call will most likely begin like it, until its slot or its pages are wanted.
// The one used longest ago goes first.
//
// A prompt looks for the sequence with the longest beginning in common. If that one is free and mostly the same, it
// is taken over and cut there; otherwise it is forked, which shares its pages and leaves it as it is.

import type { Engine } from "./engine.js";
import { MoteError } from "./errors.js";

export interface Sequence {
    handle: number;
    /** What the engine's session holds. */
    tokens: number[];
    pinned: boolean;
    busy: boolean;
    used: number;
    /** Of the last token fed by `prefill` or `append`. */
    logits?: Float32Array;
}

export function commonPrefix(a: ArrayLike<number>, b: ArrayLike<number>): number {
    const n = Math.min(a.length, b.length);
    let i = 0;
    while (i < n && a[i] === b[i]) i++;
    return i;
}

export class Sequences {
    readonly all = new Set<Sequence>();
    #clock = 0;

    constructor(
        readonly engine: Engine,
        readonly most: number,
    ) {}

    touch(sequence: Sequence): void {
        sequence.used = ++this.#clock;
    }

    #add(handle: number, tokens: number[]): Sequence {
        const sequence: Sequence = { handle, tokens, pinned: false, busy: false, used: ++this.#clock };
        this.all.add(sequence);
        return sequence;
    }

    /** Gives up the past conversation used longest ago, `but` not that one. False if there is none. */
    evict(but?: Sequence): boolean {
        let oldest: Sequence | undefined;
        for (const sequence of this.all) {
            if (sequence.pinned || sequence.busy || sequence === but) continue;
            if (!oldest || sequence.used < oldest.used) oldest = sequence;
        }
        if (oldest) this.close(oldest);
        return oldest !== undefined;
    }

    /** Has a slot free; false if all are in use. */
    makeRoom(but?: Sequence): boolean {
        return this.all.size < this.most || this.evict(but);
    }

    open(): Sequence {
        if (!this.makeRoom()) throw new MoteError("sessions", `all ${this.most} sessions are in use`, { needed: this.most + 1, available: this.most });
        return this.#add(this.engine.openSession(), []);
    }

    close(sequence: Sequence): void {
        if (this.all.delete(sequence)) this.engine.closeSession(sequence.handle);
    }

    truncate(sequence: Sequence, n: number): void {
        if (n === sequence.tokens.length) return;
        this.engine.truncateSession(sequence.handle, n);
        sequence.tokens.length = n;
        delete sequence.logits;
    }

    fork(from: Sequence, n: number): Sequence {
        if (!this.makeRoom(from)) throw new MoteError("sessions", `all ${this.most} sessions are in use`, { needed: this.most + 1, available: this.most });
        return this.#add(this.engine.forkSession(from.handle, n), from.tokens.slice(0, n));
    }

    /** A sequence to answer a prompt in, holding as much of its beginning as was found, but never all of it: the last
     * token must be fed to get logits. Undefined if all slots are in use. */
    find(prompt: ArrayLike<number>): Sequence | undefined {
        let best: Sequence | undefined;
        let common = 0;
        for (const sequence of this.all) {
            const n = Math.min(commonPrefix(sequence.tokens, prompt), prompt.length - 1);
            if (n > common || (n === common && n > 0 && best && best.used < sequence.used && !sequence.busy)) [best, common] = [sequence, n];
        }
        if (best && !best.pinned && !best.busy && best.tokens.length - common <= common) {
            this.truncate(best, common);
            return best;
        }
        if (!this.makeRoom(best)) {
            // The only slot to be had is that of the sequence found.
            if (!best || best.pinned || best.busy) return undefined;
            this.truncate(best, common);
            return best;
        }
        return best ? this.fork(best, common) : this.open();
    }

    /** Makes a sequence hold what n bytes say; it is as it was if that fails. */
    restore(sequence: Sequence, n: number, fill: (into: Uint8Array) => void): void {
        for (;;) {
            try {
                const handle = this.engine.restoreSession(n, fill);
                this.engine.closeSession(sequence.handle);
                sequence.handle = handle;
                sequence.tokens = Array.from(this.engine.sessionTokens(handle));
                delete sequence.logits;
                return;
            } catch (error) {
                const full = error instanceof MoteError && error.code === "context";
                if (!full || !this.evict(sequence)) throw error;
            }
        }
    }

    get positions(): number {
        let sum = 0;
        for (const sequence of this.all) sum += sequence.tokens.length;
        return sum;
    }
}
