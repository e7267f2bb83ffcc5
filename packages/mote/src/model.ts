// SPDX-License-Identifier: Apache-2.0
//
// model.ts: a loaded model, as the page sees it. Every method asks the engine's worker; nothing is computed here.

import { Generation } from "./generation.js";
import { MoteError } from "./errors.js";
import type { Remote } from "./remote.js";
import { Session } from "./session.js";
import type { ChatMessage, ChatOptions, ClassifyOptions, EmbedOptions, GenerateOptions, GenerationResult, Label, ModelInfo, ModelStats, StoredSnapshot } from "./types.js";

/** @internal What a generation starts from. */
export interface Start {
    messages?: ChatMessage[];
    prompt?: string;
    /** The user's session to run in; without one, a session is found by its prefix. */
    session?: number;
}

/** A model that was loaded with `Mote.load`. Calls may be made at any time; those that compute at the same time
 * are computed together, a token each in turn, and none gets other results because of it. */
export class Model {
    /** What the file says, and what runs it. */
    readonly info: ModelInfo;
    readonly #remote: Remote;

    /** @internal */
    constructor(remote: Remote, info: ModelInfo) {
        this.#remote = remote;
        this.info = info;
    }

    /** Counters, as of the last step. */
    get stats(): ModelStats {
        return this.#remote.stats;
    }

    /** Answers a conversation, in the form the model's chat template gives it. Yields pieces of text as they come.
     * What an earlier call computed of the same beginning is used again. */
    chat(messages: ChatMessage[], options: ChatOptions = {}): Generation {
        return this.generate({ messages }, options);
    }

    /** Goes on from a raw prompt, without a chat template. Yields pieces of text as they come. */
    complete(prompt: string, options: GenerateOptions = {}): Generation {
        return this.generate({ prompt }, options);
    }

    /** Goes on from a raw prompt by at most n tokens and returns the text. */
    async infer(prompt: string, n?: number | GenerateOptions): Promise<string> {
        const options = typeof n === "number" ? { maxTokens: n } : n;
        return (await this.generate({ prompt }, options ?? {}).result).text;
    }

    /** Several raw prompts, or conversations, at once: computed together, so that four take little longer than
     * one. Texts come back in the order of the prompts. If one fails, the others are stopped. */
    async batchInfer(prompts: (string | ChatMessage[])[], options: ChatOptions = {}): Promise<string[]> {
        return (await this.batch(prompts, options)).map((result) => result.text);
    }

    /** The same with all that is known of each answer. */
    async batch(prompts: (string | ChatMessage[])[], options: ChatOptions = {}): Promise<GenerationResult[]> {
        const answers = prompts.map((prompt) => this.generate(typeof prompt === "string" ? { prompt } : { messages: prompt }, options));
        try {
            return await Promise.all(answers.map((answer) => answer.result));
        } catch (error) {
            for (const answer of answers) answer.stop();
            await Promise.allSettled(answers.map((answer) => answer.result));
            throw error;
        }
    }

    /** Of an encoder: a vector for each text, in their order. Texts that are asked for in one call are packed together;
     * calls that overlap take turns. A text longer than the context is cut. */
    async embed(texts: readonly string[], options: EmbedOptions = {}): Promise<Float32Array[]> {
        const { signal, onProgress, ...rest } = options;
        const { values, sizes } = await this.#remote.call<{ values: Float32Array; sizes: Int32Array }>("embed", { texts, ...rest }, { signal, onProgress });
        let at = 0;
        return Array.from(sizes, (n) => values.subarray((at += n) - n, at));
    }

    /** Of an encoder with a head: the labels of each text with their scores, the highest first; of a head that judges
     * tokens (`info.labelsTokens`) the entities of each text, in their order: `classify<Entity>(texts)`. */
    classify<Found extends Label = Label>(texts: readonly string[], options: ClassifyOptions = {}): Promise<Found[][]> {
        const { signal, onProgress, ...rest } = options;
        return this.#remote.call<Found[][]>("classify", { texts, ...rest }, { signal, onProgress });
    }

    /** How near two texts, or vectors of `embed`, are in meaning: the cosine of the angle between their vectors. */
    async similarity(a: string | Float32Array, b: string | Float32Array, options: EmbedOptions = {}): Promise<number> {
        const texts = [a, b].filter((one) => typeof one === "string");
        const made = texts.length > 0 ? await this.embed(texts, options) : [];
        const [x, y] = [a, b].map((one) => (typeof one === "string" ? made.shift()! : one)) as [Float32Array, Float32Array];
        if (x.length !== y.length) throw new MoteError("argument", `a vector of ${x.length} numbers and one of ${y.length} cannot be compared`);
        let [product, xx, yy] = [0, 0, 0];
        for (let i = 0; i < x.length; i++) {
            product += x[i]! * y[i]!;
            xx += x[i]! ** 2;
            yy += y[i]! ** 2;
        }
        return xx > 0 && yy > 0 ? product / Math.sqrt(xx * yy) : 0;
    }

    /** Text to token ids. `addSpecial`: begin (and end) with the model's own marks, as its file says; default true.
     * `parseSpecial`: read the text of control tokens (`<|im_end|>`) as those tokens; default false. */
    tokenize(text: string, options: { addSpecial?: boolean; parseSpecial?: boolean } = {}): Promise<Int32Array> {
        return this.#remote.call<Int32Array>("tokenize", { text, ...options });
    }

    /** Token ids to text. */
    detokenize(tokens: ArrayLike<number>): Promise<string> {
        return this.#remote.call<string>("detokenize", { tokens: Int32Array.from(tokens) });
    }

    /** The text that the chat template makes of a conversation, to be tokenized with `parseSpecial`. Control tokens that
     * messages spell are broken by U+FDD0, so that they stay text. */
    render(messages: ChatMessage[], options: { addGeneration?: boolean; variables?: Record<string, unknown> } = {}): Promise<string> {
        return this.#remote.call<string>("render", { messages, ...options });
    }

    /** A new, empty session. Errors: `sessions` if all are in use. */
    async session(): Promise<Session> {
        return new Session(this, this.#remote, await this.#remote.call<number>("openSession", {}));
    }

    /** Logits at every position of a sequence, computed from an empty session: [tokens.length × vocabulary]. For
     * tests; large. */
    logits(tokens: ArrayLike<number>): Promise<Float32Array> {
        return this.#remote.call<Float32Array>("allLogits", { tokens: Int32Array.from(tokens) });
    }

    /** SHA-256, in hex, of these logits: what `mote perplexity --ids FILE --logits-sha256` prints for the same tokens.
     * `window`: tokens computed from an empty session at a time; default 512, or the model's own context if less. */
    logitsSha256(tokens: ArrayLike<number>, options: { window?: number } = {}): Promise<string> {
        return this.#remote.call<string>("logitsSha256", { tokens: Int32Array.from(tokens), ...options });
    }

    /** Snapshots that sessions of this model have saved. */
    snapshots(): Promise<StoredSnapshot[]> {
        return this.#remote.call<StoredSnapshot[]>("snapshots", {});
    }

    removeSnapshot(name: string): Promise<void> {
        return this.#remote.call<void>("removeSnapshot", { name });
    }

    /** Forgets past conversations that were kept for their prefix. Sessions of the user stay. */
    forget(): Promise<void> {
        return this.#remote.call<void>("forget", {});
    }

    /** Stops everything and gives all memory and workers back. What was still being computed fails with
     * `closed`. */
    close(): Promise<void> {
        return this.#remote.close();
    }

    /** @internal */
    generate(start: Start, options: ChatOptions): Generation {
        const { signal, ...rest } = options;
        return new Generation((push, stopped) =>
            this.#remote.call<GenerationResult>(
                "generate",
                { ...start, options: rest },
                { signal: signal ? AbortSignal.any([signal, stopped]) : stopped, onPiece: push },
            ),
        );
    }
}
