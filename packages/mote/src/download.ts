// SPDX-License-Identifier: Apache-2.0
//
// download.ts: the parts of a model from their servers into a sink, several requests at a time.
//
// What is there is kept byte by byte (ranges.ts), so that a download goes on where it was, whatever order its pieces
// came in. A request that is cut goes on from its last byte; after FAILURES in a row without a byte it is given up.
// Parts whose server gives no ranges come in one stream each, and start again from their first byte.

import { MoteError } from "./errors.js";
import { Changed, fetchRange, shown, Transient, type Remote } from "./http.js";
import { Ranges } from "./ranges.js";

export interface Sink {
    write(bytes: Uint8Array, at: number): void;
}

export interface DownloadRun {
    headers: Record<string, string>;
    connections: number;
    signal: AbortSignal;
    /** Called after bytes came; `done` is what is there. */
    onBytes: () => void;
}

const FAILURES = 6;
const SEGMENT_LEAST = 1 << 20;
const SEGMENT_MOST = 1 << 25;

export class Download {
    readonly #starts: number[] = [];
    #failures = 0;

    /** `parts` lie one after the other in the sink. At most one of them may have no size, and only if it is alone. */
    constructor(
        readonly parts: Remote[],
        readonly sink: Sink,
        readonly done: Ranges,
        readonly run: DownloadRun,
    ) {
        let at = 0;
        for (const part of parts) {
            if (part.size === 0 && parts.length > 1) throw new MoteError("network", `${shown(part.url)}: the server does not say how long it is`);
            this.#starts.push(at);
            at += part.size;
        }
    }

    get size(): number {
        return this.parts.reduce((sum, part) => sum + part.size, 0);
    }

    /** Fetches what is missing of [from, to). */
    async fetch(from: number, to: number): Promise<void> {
        if (this.size === 0) return this.#stream();
        const claimed = new Ranges();
        const own = new AbortController();
        const signal = AbortSignal.any([this.run.signal, own.signal]);
        const work = async (): Promise<void> => {
            for (;;) {
                const segment = this.#next(from, to, claimed);
                if (!segment) return;
                await this.#segment(segment, signal);
            }
        };
        // One failure stops the others, and all have stopped before it is told: none writes any more.
        let failure: { error: unknown } | undefined;
        const failed = (error: unknown): void => {
            failure ??= { error };
            own.abort();
        };
        await Promise.all(Array.from({ length: this.run.connections }, () => work().catch(failed)));
        if (failure) throw (failure as { error: unknown }).error;
    }

    /** The next piece that nobody has claimed, within one part. */
    #next(from: number, to: number, claimed: Ranges): { part: number; from: number; to: number } | undefined {
        for (const [a, b] of this.done.missing(from, to)) {
            const free = claimed.missing(a, b)[0];
            if (!free) continue;
            const part = this.#starts.findLastIndex((start) => start <= free[0]);
            const start = this.#starts[part]!;
            const file = this.parts[part]!;
            if (!file.ranges) {
                const whole = { part, from: start, to: start + file.size };
                claimed.add(whole.from, whole.to);
                return whole;
            }
            const left = this.done.missing(from, to).reduce((sum, [c, d]) => sum + d - c, 0);
            const most = Math.min(SEGMENT_MOST, Math.max(SEGMENT_LEAST, Math.ceil(left / this.run.connections / 2)));
            const segment = { part, from: free[0], to: Math.min(free[1], free[0] + most, start + file.size) };
            claimed.add(segment.from, segment.to);
            return segment;
        }
        return undefined;
    }

    async #segment({ part, from, to }: { part: number; from: number; to: number }, signal: AbortSignal): Promise<void> {
        const file = this.parts[part]!;
        const start = this.#starts[part]!;
        let at = from;
        const take = (bytes: Uint8Array, place: number): void => {
            this.#put(bytes, start + place);
            at = start + place + bytes.length;
        };
        while (at < to) {
            if (!file.ranges) this.done.remove(from, to);
            try {
                await fetchRange(file, (file.ranges ? at : from) - start, to - start, { headers: this.run.headers, signal }, take);
                if (!file.ranges) return;
            } catch (error) {
                await this.#failed(error, signal);
            }
        }
    }

    /** A file of unknown size, in one stream. */
    async #stream(): Promise<void> {
        const file = this.parts[0]!;
        for (;;) {
            this.done.remove(0, Infinity);
            let end = 0;
            try {
                await fetchRange(file, 0, 0, this.run, (bytes, at) => {
                    this.#put(bytes, at);
                    end = at + bytes.length;
                });
                file.size = end;
                return;
            } catch (error) {
                await this.#failed(error, this.run.signal);
            }
        }
    }

    #put(bytes: Uint8Array, at: number): void {
        this.sink.write(bytes, at);
        this.done.add(at, at + bytes.length);
        this.#failures = 0;
        this.run.onBytes();
    }

    /** Waits before the next try, longer each time; throws what no try will mend. */
    async #failed(error: unknown, signal: AbortSignal): Promise<void> {
        if (error instanceof Changed || !(error instanceof Transient)) throw error;
        if (++this.#failures > FAILURES) throw new MoteError("network", error.message, { ...(error.detail.status ? { status: error.detail.status } : {}) });
        await pause(error.detail.afterMs ?? 100 * 2 ** this.#failures, signal);
    }
}

/** Waits, or throws `aborted`. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
        const stop = (): void => {
            clearTimeout(timer);
            reject(new MoteError("aborted", "stopped"));
        };
        const timer = setTimeout(() => {
            signal.removeEventListener("abort", stop);
            resolve();
        }, ms);
        if (signal.aborted) stop();
        else signal.addEventListener("abort", stop, { once: true });
    });
}
