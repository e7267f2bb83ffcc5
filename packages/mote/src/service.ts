// SPDX-License-Identifier: Apache-2.0
//
// service.ts: what a page may ask of a loaded model, one method for each request. Sessions of the user are numbers to
// him; what he asks of one is done in the order he asked.

import * as check from "./check.js";
import { TOKENIZE_ADD_SPECIAL, TOKENIZE_CHAT, TOKENIZE_PARSE_SPECIAL, type Engine, type Row } from "./engine.js";
import { MoteError } from "./errors.js";
import type { Loaded } from "./load.js";
import { breathe } from "./platform.js";
import { Scheduler } from "./scheduler.js";
import { Sequences, type Sequence } from "./sequences.js";
import { Sha256 } from "./sha256.js";
import { Snapshots } from "./snapshots.js";
import type { Storage } from "./storage.js";
import type { EncodeProgress, GenerationResult, ModelInfo, ModelStats } from "./types.js";

/** Rejects when the signal fires. */
function aborted(signal: AbortSignal): Promise<never> {
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new MoteError("aborted", "stopped")), { once: true }));
}

interface Held {
    sequence: Sequence;
    /** The end of what was asked last. */
    tail: Promise<unknown>;
}

export interface Call {
    signal: AbortSignal;
    onPiece: (text: string) => void;
    onProgress: (progress: EncodeProgress) => void;
}

type Args = Record<string, unknown>;
const WINDOW = 512;

export class Service {
    readonly info: ModelInfo;
    readonly #engine: Engine;
    readonly #sequences: Sequences;
    readonly #scheduler: Scheduler;
    readonly #snapshots: Snapshots;
    readonly #held = new Map<number, Held>();
    readonly #spare: number;
    #last = 0;

    constructor(
        readonly loaded: Loaded,
        storage: Storage | undefined,
        onStep: () => void,
        onBroken: (error: unknown) => void,
    ) {
        const { engine, info, shape, streams, fingerprint } = loaded;
        this.info = info;
        this.#engine = engine;
        this.#sequences = new Sequences(engine, info.sessions);
        this.#spare = streams[0]!;
        const limits = { positions: shape.positions, rows: shape.rows, streams: streams.slice(1) };
        this.#scheduler = new Scheduler(engine, this.#sequences, limits, onStep, onBroken);
        this.#snapshots = new Snapshots(storage, fingerprint);
    }

    stats(): ModelStats {
        return this.#scheduler.update();
    }

    /** Ends what is being computed, and the threads. */
    close(error: MoteError): void {
        this.#scheduler.stop(error);
        if (this.loaded.threads.length > 0) this.#engine.stopThreads();
    }

    /** Answers a request; what it may be called is in `requests`. */
    call(op: string, args: Args, call: Call): Promise<unknown> {
        if (op === "embed" || op === "classify") throw new MoteError("unsupported", "this is a language model, not an encoder: it continues texts (chat, complete, infer)");
        const request = Object.hasOwn(this.#requests, op) ? this.#requests[op] : undefined;
        if (!request) throw new MoteError("internal", `there is no request '${op}'`);
        if (args["session"] === undefined) return Promise.resolve(request(args, call));
        const held = this.#session(args["session"]);
        const before = held.tail;
        const run = Promise.race([before, aborted(call.signal)]).then(() => request(args, call, this.#session(args["session"]).sequence));
        held.tail = before.then(() => run).catch(() => undefined);
        return run;
    }

    #session(id: unknown): Held {
        const held = this.#held.get(id as number);
        if (!held) throw new MoteError("closed", "the session is closed");
        return held;
    }

    readonly #requests: Record<string, (args: Args, call: Call, sequence?: Sequence) => unknown> = {
        generate: (args, call, sequence) => {
            const generate = check.generate(args["options"], args["prompt"] !== undefined);
            return this.#scheduler.run({ prompt: this.#prompt(args), ...(sequence ? { sequence } : {}), generate, onPiece: call.onPiece }, call.signal);
        },
        prefill: (args, call, sequence) => this.#read({ prompt: this.#prompt(args) }, call, sequence!),
        append: (args, call, sequence) => this.#read({ prompt: this.#tokens(args), append: true }, call, sequence!),

        tokenize: (args) => {
            const flags = (args["addSpecial"] === false ? 0 : TOKENIZE_ADD_SPECIAL) | (args["parseSpecial"] === true ? TOKENIZE_PARSE_SPECIAL | TOKENIZE_CHAT : 0);
            return this.#engine.tokenize(check.text(args["text"], "text"), flags);
        },
        detokenize: (args) => {
            const sampling = check.generate({ seed: 0 }).sampling;
            this.#engine.openStream(this.#spare, sampling);
            let text = "";
            for (const token of [...this.#tokens(args), -1]) text += this.#engine.piece(this.#spare, token);
            return text;
        },
        render: (args) => this.#engine.render(check.messages(args["messages"]), args["addGeneration"] !== false, check.variables(args["variables"])).text,

        openSession: () => this.#hold(this.#sequences.open()),
        closeSession: (args, _call, sequence) => {
            this.#held.delete(args["session"] as number);
            this.#sequences.close(sequence!);
        },
        fork: (args, _call, sequence) => {
            const n = check.integer(args["n"], "n", 0, sequence!.tokens.length, sequence!.tokens.length);
            return this.#hold(this.#sequences.fork(sequence!, n));
        },
        truncate: (args, _call, sequence) => this.#sequences.truncate(sequence!, check.integer(args["n"], "n", 0, sequence!.tokens.length)),
        tokens: (_args, _call, sequence) => Int32Array.from(sequence!.tokens),
        logits: (_args, _call, sequence) => {
            if (!sequence!.logits) throw new MoteError("argument", "there are no logits: nothing was fed since the session was made or cut");
            return sequence!.logits.slice();
        },

        save: (args, _call, sequence) => this.#snapshots.save(check.text(args["name"], "name"), () => this.#engine.saveSession(sequence!.handle)),
        restore: async (args, _call, sequence) => {
            await this.#snapshots.restore(check.text(args["name"], "name"), (n, fill) => this.#sequences.restore(sequence!, n, fill));
            return sequence!.tokens.length;
        },
        serialize: (_args, _call, sequence) => this.#engine.saveSession(sequence!.handle).slice(),
        deserialize: (args, _call, sequence) => {
            const bytes = args["bytes"];
            if (!(bytes instanceof Uint8Array)) throw new MoteError("argument", "bytes must be a Uint8Array");
            this.#sequences.restore(sequence!, bytes.length, (into) => into.set(bytes));
            return sequence!.tokens.length;
        },
        snapshots: () => this.#snapshots.list(),
        removeSnapshot: (args) => this.#snapshots.remove(check.text(args["name"], "name")),
        forget: () => {
            while (this.#sequences.evict());
        },

        allLogits: async (args, call) => {
            const tokens = this.#tokens(args);
            const all = new Float32Array(tokens.length * this.info.vocabulary);
            await this.#eachLogits(tokens, call, (logits, i) => all.set(logits, i * this.info.vocabulary));
            return all;
        },
        logitsSha256: async (args, call) => {
            const tokens = this.#tokens(args);
            const usual = Math.min(WINDOW, this.info.trainedContext);
            const window = Math.min(check.integer(args["window"], "window", 4, this.info.contextLength, Math.min(usual, this.info.contextLength)), tokens.length);
            const hash = new Sha256();
            for (let at = 0; at + window <= tokens.length; at += window) {
                await this.#eachLogits(tokens.subarray(at, at + window), call, (logits) => hash.add(new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength)));
            }
            return hash.hex();
        },
    };

    #hold(sequence: Sequence): number {
        sequence.pinned = true;
        this.#held.set(++this.#last, { sequence, tail: Promise.resolve() });
        return this.#last;
    }

    #tokens(args: Args): Int32Array {
        return check.tokens(args["tokens"], this.info.vocabulary);
    }

    /** The tokens of a prompt, of whatever form. */
    #prompt(args: Args): Int32Array {
        if (args["tokens"] !== undefined) return this.#tokens(args);
        if (args["prompt"] !== undefined) return this.#engine.tokenize(check.text(args["prompt"], "the prompt"), TOKENIZE_ADD_SPECIAL | TOKENIZE_PARSE_SPECIAL);
        const options = (args["options"] ?? {}) as Args;
        // Without an answer to come, the conversation ends where its last message does.
        const { text, wroteBos } = this.#engine.render(check.messages(args["messages"]), args["options"] !== undefined, check.variables(options["variables"]));
        return this.#engine.tokenize(text, TOKENIZE_PARSE_SPECIAL | TOKENIZE_CHAT | (wroteBos ? 0 : TOKENIZE_ADD_SPECIAL));
    }

    async #read(request: { prompt: Int32Array; append?: boolean }, call: Call, sequence: Sequence): Promise<number> {
        await (this.#scheduler.run({ ...request, sequence }, call.signal) satisfies Promise<GenerationResult>);
        return sequence.tokens.length;
    }

    /** Computes a sequence from nothing, beside whatever else is computed, and shows the logits of each of its tokens. */
    async #eachLogits(tokens: Int32Array, call: Call, show: (logits: Float32Array, i: number) => void): Promise<void> {
        const sequence = this.#sequences.open();
        sequence.busy = true;
        const most = this.loaded.shape.logits;
        try {
            for (let at = 0; at < tokens.length; at += most) {
                const rows: Row[] = Array.from(tokens.subarray(at, at + most), (token) => ({ session: sequence.handle, token, want: true }));
                this.#engine.step(rows);
                rows.forEach((_, i) => show(this.#engine.logits(i), at + i));
                await breathe();
                if (call.signal.aborted) throw new MoteError("aborted", "stopped");
            }
        } finally {
            this.#sequences.close(sequence);
        }
    }
}
