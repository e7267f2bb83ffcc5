// SPDX-License-Identifier: Apache-2.0
//
// encoding.ts: many texts through an encoder, for any number of calls at once.
//
// The texts of a call are taken a window at a time: tokenized, sorted by length, and packed into batches by their
// tokens, without padding. Calls take turns, a batch each, so that a short one does not wait for a long one; between
// two batches an abort is heard. No result depends on what is encoded together.
//
// A text longer than the context is cut behind the last token that has room; the special tokens around it stay.

import { TOKENIZE_ADD_SPECIAL, type Encoded, type Engine } from "./engine.js";
import { MoteError } from "./errors.js";
import { breathe } from "./platform.js";

const WINDOW_TEXTS = 256;
const WINDOW_TOKENS = 4096;
/** Seconds that a batch should take, and the fewest tokens it has. */
const STEP = 0.15;
const BATCH_LEAST = 64;
/** A text is tokenized so many characters for each token there is room for, and more where that is too little. */
const CHARACTERS_PER_TOKEN = 16;

export interface EncodeRequest {
    texts: readonly string[];
    prefix: string;
    /** mote_pooling; of labels the model's own. */
    pooling: number;
    vectors: boolean;
    labels: boolean;
    onDone: (done: number) => void;
    /** Takes the results of text i, views that are good until it returns. */
    take: (i: number, encoded: Encoded, entry: Entry) => void;
    /** Called behind each batch, when the engine may be used. */
    settle?: () => void;
}

export interface Entry {
    index: number;
    tokens: Int32Array;
    /** The text has more tokens than these. */
    cut: boolean;
}

interface Job extends EncodeRequest {
    /** Of the texts: the first that was not tokenized; and how many are done. */
    next: number;
    done: number;
    /** The longest first. */
    window: Entry[];
    finish: () => void;
    fail: (error: unknown) => void;
}

export class Encoding {
    readonly #jobs: Job[] = [];
    readonly #before: number[];
    readonly #after: number[];
    #running = false;
    #tokenSeconds = 0;
    texts = 0;
    tokens = 0;
    seconds = 0;
    steps = 0;

    constructor(
        readonly engine: Engine,
        /** Most tokens of a text, of a batch, and most texts of a batch. */
        readonly limits: { positions: number; rows: number; sequences: number },
        readonly onStep: () => void,
        readonly onBroken: (error: unknown) => void,
    ) {
        // The special tokens are those of the empty text.
        const frame = engine.tokenize("", TOKENIZE_ADD_SPECIAL);
        this.#before = engine.number("addBos") && frame.length > 0 ? [frame[0]!] : [];
        this.#after = engine.number("addEos") && frame.length > 0 ? [frame[frame.length - 1]!] : [];
        const least = this.#before.length + this.#after.length + 1;
        if (limits.positions < least) throw new MoteError("argument", `contextLength ${limits.positions}: ${least} tokens are needed at least`);
    }

    /** A sequence's tokens, or rows of each, without the special ones around it. */
    inner<T extends Int32Array | Float32Array>(list: T, each = 1): T {
        return list.subarray(this.#before.length * each, list.length - this.#after.length * each) as T;
    }

    get active(): number {
        return this.#jobs.length;
    }

    run(request: EncodeRequest, signal: AbortSignal): Promise<void> {
        if (request.texts.length === 0) return Promise.resolve();
        return new Promise((resolve, reject) => {
            const job: Job = { ...request, next: 0, done: 0, window: [], finish: resolve, fail: reject };
            signal.addEventListener("abort", () => this.#end(job, new MoteError("aborted", "stopped")), { once: true });
            this.#jobs.push(job);
            if (!this.#running) void this.#loop();
        });
    }

    stop(error: MoteError): void {
        for (const job of [...this.#jobs]) this.#end(job, error);
    }

    #end(job: Job, error?: unknown): void {
        const at = this.#jobs.indexOf(job);
        if (at < 0) return;
        this.#jobs.splice(at, 1);
        if (error === undefined) job.finish();
        else job.fail(error);
    }

    async #loop(): Promise<void> {
        this.#running = true;
        // What was asked for in the same turn goes first come, first served from here.
        for (await breathe(); this.#jobs.length > 0; await breathe()) {
            const job = this.#jobs[0]!;
            try {
                this.#step(job);
            } catch (error) {
                this.#end(job, error);
                if (!(error instanceof MoteError)) this.onBroken(error);
            }
            if (this.#jobs[0] === job) this.#jobs.push(this.#jobs.shift()!);
            if (job.done === job.texts.length) this.#end(job);
            this.onStep();
        }
        this.#running = false;
    }

    #step(job: Job): void {
        const started = performance.now();
        if (job.window.length === 0) this.#fill(job);
        const most = Math.min(this.limits.rows, this.#tokenSeconds > 0 ? Math.max(BATCH_LEAST, Math.floor(STEP / this.#tokenSeconds)) : BATCH_LEAST);
        let n = 0;
        let tokens = 0;
        for (const { tokens: list } of job.window) {
            if (n > 0 && (tokens + list.length > most || n === this.limits.sequences)) break;
            tokens += list.length;
            n++;
        }
        const batch = job.window.splice(0, n);
        this.engine.encode(
            batch.map((entry) => entry.tokens),
            job.pooling,
            job.vectors,
            job.labels,
            (i, encoded) => job.take(batch[i]!.index, encoded, batch[i]!),
        );
        job.settle?.();
        job.done += n;
        job.onDone(job.done);
        const seconds = (performance.now() - started) / 1000;
        this.#tokenSeconds = seconds / tokens;
        this.seconds += seconds;
        this.tokens += tokens;
        this.texts += n;
        this.steps++;
    }

    #fill(job: Job): void {
        for (let tokens = 0; job.next < job.texts.length && job.window.length < WINDOW_TEXTS && tokens < WINDOW_TOKENS; ) {
            const entry = { index: job.next, ...this.#tokenize(job.prefix + job.texts[job.next++]!) };
            tokens += entry.tokens.length;
            job.window.push(entry);
        }
        job.window.sort((a, b) => b.tokens.length - a.tokens.length || a.index - b.index);
    }

    /** A text's tokens with the special ones. Of a text much longer than the context only parts are tokenized, four times
     * as long each time, that end before white space: what comes behind does not change the tokens before it. */
    #tokenize(text: string): { tokens: Int32Array; cut: boolean } {
        const most = this.limits.positions - this.#before.length - this.#after.length;
        for (let least = most * CHARACTERS_PER_TOKEN; ; least *= 4) {
            const n = partOf(text, least);
            const tokens = this.engine.tokenize(text.slice(0, n), 0);
            if (tokens.length < most && n < text.length) continue;
            const list = Int32Array.of(...this.#before, ...tokens.subarray(0, most), ...this.#after);
            if (list.length === 0) throw new MoteError("argument", "a text has no tokens, and the model no special token to stand for it");
            return { tokens: list, cut: tokens.length > most || n < text.length };
        }
    }
}

const isSpace = (text: string, at: number): boolean => " \t\n\v\f\r".includes(text[at]!);

/** The length of the part of a text that ends before the first white space at or behind `least`. */
function partOf(text: string, least: number): number {
    let n = least;
    if (n >= text.length) return text.length;
    while (n < text.length && !isSpace(text, n)) n++;
    while (n > 0 && n < text.length && isSpace(text, n - 1)) n--;
    return n;
}

/** Divides a vector by its length, in place: the same bits as the command's. A vector of zeros stays. */
export function normalize(vector: Float32Array): void {
    let sum = 0;
    for (const x of vector) sum += x * x;
    const length = Math.sqrt(sum);
    if (length > 0) for (let i = 0; i < vector.length; i++) vector[i] = vector[i]! / length;
}

/** Scores from logits: softmax, or the sigmoid of each. A logit that is no number counts as the lowest. */
export function scoresOf(logits: Float32Array, each: boolean): number[] {
    const sound = Array.from(logits, (x) => (Number.isNaN(x) ? -Infinity : x));
    if (each) return sound.map((x) => 1 / (1 + Math.exp(-x)));
    const most = Math.max(...sound);
    const raised = sound.map((x) => (x === most ? 1 : Math.exp(x - most)));
    const sum = raised.reduce((total, x) => total + x, 0);
    return raised.map((x) => x / sum);
}
