// SPDX-License-Identifier: Apache-2.0
//
// reader.ts: what a page may ask of a loaded encoder, in place of service.ts, which is for language models.

import * as check from "./check.js";
import { Encoding, normalize, scoresOf } from "./encoding.js";
import { findEntities, type Judged } from "./entity.js";
import { TOKENIZE_ADD_SPECIAL, TOKENIZE_PARSE_SPECIAL } from "./engine.js";
import { MoteError } from "./errors.js";
import type { Loaded } from "./load.js";
import type { Call } from "./service.js";
import { POOLINGS, type Entity, type Label, type ModelInfo, type ModelStats } from "./types.js";

type Args = Record<string, unknown>;
const PROGRESS_MS = 50;
const NONE = POOLINGS.indexOf("none");

/** The results of texts, one after another, and how many numbers each has. */
export interface Vectors {
    values: Float32Array;
    sizes: Int32Array;
}

export class Reader {
    readonly info: ModelInfo;
    readonly #encoding: Encoding;

    constructor(
        readonly loaded: Loaded,
        onStep: () => void,
        onBroken: (error: unknown) => void,
    ) {
        const { engine, info, shape } = loaded;
        this.info = info;
        this.#encoding = new Encoding(engine, { positions: shape.positions, rows: shape.rows, sequences: shape.sessions }, onStep, onBroken);
    }

    stats(): ModelStats {
        const { tokens, seconds, steps, active } = this.#encoding;
        return {
            promptTokens: tokens, cachedTokens: 0, generatedTokens: 0, promptSeconds: seconds, decodeSeconds: 0, steps, rows: tokens,
            active, waiting: 0, sessions: 0, positions: 0, memoryBytes: this.loaded.engine.memoryBytes,
        }; // prettier-ignore
    }

    close(error: MoteError): void {
        this.#encoding.stop(error);
        if (this.loaded.threads.length > 0) this.loaded.engine.stopThreads();
    }

    call(op: string, args: Args, call: Call): Promise<unknown> {
        if (op === "embed") return this.#embed(args, call);
        if (op === "classify") return this.#classify(args, call);
        if (op !== "tokenize") throw new MoteError("unsupported", "this model is an encoder: it reads texts whole and writes none; it has embed, classify, similarity and tokenize");
        const flags = (args["addSpecial"] === false ? 0 : TOKENIZE_ADD_SPECIAL) | (args["parseSpecial"] === true ? TOKENIZE_PARSE_SPECIAL : 0);
        return Promise.resolve(this.loaded.engine.tokenize(check.text(args["text"], "text"), flags));
    }

    async #embed(args: Args, call: Call): Promise<Vectors> {
        const texts = check.texts(args["texts"]);
        const pooling = args["pooling"] === undefined ? POOLINGS.indexOf(this.info.pooling) : POOLINGS.indexOf(args["pooling"] as never);
        if (pooling < 0) throw new MoteError("argument", `pooling must be one of ${POOLINGS.join(", ")}`);
        const { width } = this.info;
        const each = new Array<Float32Array>(pooling === NONE ? texts.length : 0);
        const all = new Float32Array(pooling === NONE ? 0 : texts.length * width);
        const take = (i: number, vectors: Float32Array): void => {
            const place = pooling === NONE ? (each[i] = vectors.slice()) : all.subarray(i * width, (i + 1) * width);
            if (pooling !== NONE) place.set(vectors);
            if (args["normalize"] === false) return;
            for (let at = 0; at < place.length; at += width) normalize(place.subarray(at, at + width));
        };
        await this.#run(texts, args, call, { pooling, vectors: true, labels: false, take: (i, encoded) => take(i, encoded.vectors!) });
        const sizes = Int32Array.from(texts, (_, i) => (pooling === NONE ? each[i]!.length : width));
        if (pooling !== NONE) return { values: all, sizes };
        const values = new Float32Array(sizes.reduce((sum, n) => sum + n, 0));
        each.reduce((at, vectors) => (values.set(vectors, at), at + vectors.length), 0);
        return { values, sizes };
    }

    async #classify(args: Args, call: Call): Promise<Label[][]> {
        const texts = check.texts(args["texts"]);
        const { labels, labelsTokens, labelsMany, pooling } = this.info;
        if (labels.length === 0) throw new MoteError("unsupported", "this model has no head that knows labels: `mote train-head` makes one, from examples");
        if (labelsTokens) return this.#entities(texts, args, call);
        const top = check.integer(args["topK"], "topK", 1, Number.MAX_SAFE_INTEGER, labels.length);
        const each = args["multi"] === undefined ? labelsMany || labels.length === 1 : args["multi"] === true || labels.length === 1;
        const results = new Array<Label[]>(texts.length);
        const take = (i: number, logits: Float32Array): void => {
            const scores = scoresOf(logits, each);
            const order = scores.map((_, label) => label).sort((a, b) => scores[b]! - scores[a]! || logits[b]! - logits[a]! || a - b);
            results[i] = order.slice(0, top).map((label) => ({ label: labels[label]!, score: scores[label]! }));
        };
        await this.#run(texts, args, call, { pooling: POOLINGS.indexOf(pooling), vectors: false, labels: true, take: (i, encoded) => take(i, encoded.labels!) });
        return results;
    }

    async #entities(texts: string[], args: Args, call: Call): Promise<Entity[][]> {
        const { labels, pooling } = this.info;
        if (args["topK"] !== undefined || args["multi"] !== undefined) throw new MoteError("argument", "this model judges tokens: topK and multi are for texts");
        const prefix = args["prefix"] === undefined ? "" : check.text(args["prefix"], "prefix");
        const results = new Array<Entity[]>(texts.length);
        let judged: [i: number, Judged][] = [];
        const tokenize = (text: string): Int32Array => this.loaded.engine.tokenize(text, 0);
        await this.#run(texts, args, call, {
            pooling: POOLINGS.indexOf(pooling),
            vectors: false,
            labels: true,
            take: (i, encoded, { tokens, cut }) => {
                const logits = this.#encoding.inner(encoded.labels!, labels.length).slice(); // the engine is used again below
                judged.push([i, { text: prefix + texts[i]!, tokens: this.#encoding.inner(tokens), cut, logits }]);
            },
            settle: () => {
                for (const [i, one] of judged) results[i] = findEntities(one, labels, prefix.length, tokenize);
                judged = [];
            },
        });
        return results;
    }

    #run(texts: string[], args: Args, call: Call, rest: Pick<Parameters<Encoding["run"]>[0], "pooling" | "vectors" | "labels" | "take" | "settle">): Promise<void> {
        let last = 0;
        const onDone = (done: number): void => {
            if (done < texts.length && performance.now() - last < PROGRESS_MS) return;
            last = performance.now();
            call.onProgress({ done, total: texts.length });
        };
        const prefix = args["prefix"] === undefined ? "" : check.text(args["prefix"], "prefix");
        return this.#encoding.run({ texts, prefix, onDone, ...rest }, call.signal);
    }
}
