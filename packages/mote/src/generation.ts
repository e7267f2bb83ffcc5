// SPDX-License-Identifier: Apache-2.0
//
// generation.ts: an answer while it is being made. It runs whether or not somebody reads it; pieces that were
// not yet read wait here.

import { MoteError } from "./errors.js";
import type { GenerationResult } from "./types.js";

/** An answer in the making, from `model.chat` or `model.complete`. Read its pieces with `for await`, or wait for
 * all of it with `result`, or both. Leaving the loop early stops the answer.
 *
 * ```ts
 * const answer = model.chat(messages);
 * for await (const piece of answer) show(piece);
 * console.log((await answer.result).tokensPerSecond);
 * ``` */
export class Generation implements AsyncIterableIterator<string> {
    /** The whole answer, once it has ended. Rejects with a MoteError, `aborted` if it was stopped by its signal. */
    readonly result: Promise<GenerationResult>;
    /** What has come so far. */
    text = "";

    #pieces: string[] = [];
    #wake: (() => void) | undefined;
    #ended = false;
    #error: unknown;
    readonly #stop: () => void;

    /** @internal `start` begins the work: it is given where pieces go, and what ends it early. */
    constructor(start: (push: (piece: string) => void, stopped: AbortSignal) => Promise<GenerationResult>) {
        const own = new AbortController();
        this.#stop = () => own.abort();
        const push = (piece: string): void => {
            this.text += piece;
            this.#pieces.push(piece);
            this.#wake?.();
        };
        this.result = start(push, own.signal);
        this.result.then(
            () => this.#end(undefined),
            (error: unknown) => this.#end(error),
        );
    }

    /** Ends the answer at the next token. What has come stays; `result` and the iterator throw `aborted`. */
    stop(): void {
        this.#stop();
    }

    async next(): Promise<IteratorResult<string, undefined>> {
        for (;;) {
            if (this.#pieces.length > 0) {
                const value = this.#pieces.join("");
                this.#pieces.length = 0;
                return { value, done: false };
            }
            if (this.#ended) {
                const error = this.#error;
                this.#error = undefined;
                if (error !== undefined) throw error;
                return { value: undefined, done: true };
            }
            await new Promise<void>((resolve) => (this.#wake = resolve));
            this.#wake = undefined;
        }
    }

    /** Called by `for await` when the loop is left: stops the answer. */
    async return(): Promise<IteratorResult<string, undefined>> {
        if (!this.#ended) this.#stop();
        await this.result.catch(() => undefined);
        this.#pieces.length = 0;
        this.#error = undefined;
        return { value: undefined, done: true };
    }

    [Symbol.asyncIterator](): this {
        return this;
    }

    #end(error: unknown): void {
        this.#ended = true;
        this.#error = error instanceof MoteError || error === undefined ? error : new MoteError("internal", String(error));
        this.#wake?.();
    }
}
