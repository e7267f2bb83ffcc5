// SPDX-License-Identifier: Apache-2.0
//
// session.ts: one sequence of tokens that the user holds, with its keys and values in the engine's memory.

import type { Generation } from "./generation.js";
import type { Model } from "./model.js";
import type { Remote } from "./remote.js";
import type { ChatMessage, ChatOptions, GenerateOptions } from "./types.js";

/** A sequence of tokens inside a model's context, held until it is closed. Calls on one session run one after
 * the other, in the order they were made. */
export class Session {
    readonly #model: Model;
    readonly #remote: Remote;
    readonly #id: number;

    /** @internal */
    constructor(model: Model, remote: Remote, id: number) {
        this.#model = model;
        this.#remote = remote;
        this.#id = id;
    }

    /** Answers a conversation, whose messages are given in full: what the session already holds of it is not
     * computed again, what it holds beyond it is forgotten. Afterwards it holds the answer too. */
    chat(messages: ChatMessage[], options: ChatOptions = {}): Generation {
        return this.#model.generate({ messages, session: this.#id }, options);
    }

    /** Goes on from a raw prompt, in the same way. */
    complete(prompt: string, options: GenerateOptions = {}): Generation {
        return this.#model.generate({ prompt, session: this.#id }, options);
    }

    /** Makes the session hold these messages (no answer begun), or this raw text, or these tokens. Returns how many
     * tokens it holds then. The usual first half of `save`. */
    prefill(content: ChatMessage[] | string | ArrayLike<number>, options: { signal?: AbortSignal } = {}): Promise<number> {
        const what = typeof content === "string" ? { prompt: content } : isMessages(content) ? { messages: content } : { tokens: Int32Array.from(content) };
        return this.#remote.call<number>("prefill", { session: this.#id, ...what }, options);
    }

    /** Adds tokens at the end, whatever is there. */
    append(tokens: ArrayLike<number>, options: { signal?: AbortSignal } = {}): Promise<number> {
        return this.#remote.call<number>("append", { session: this.#id, tokens: Int32Array.from(tokens) }, options);
    }

    /** The tokens it holds. */
    tokens(): Promise<Int32Array> {
        return this.#remote.call<Int32Array>("tokens", { session: this.#id });
    }

    /** Logits that the last token fed gave, one for each token of the vocabulary: what comes next, before any
     * sampling. For tests and for one's own samplers. The session must have been fed since it was made. */
    logits(): Promise<Float32Array> {
        return this.#remote.call<Float32Array>("logits", { session: this.#id });
    }

    /** Forgets all but the first n tokens. */
    truncate(n: number): Promise<void> {
        return this.#remote.call<void>("truncate", { session: this.#id, n });
    }

    /** A new session with the first n tokens (default: all), which share memory. */
    async fork(n?: number): Promise<Session> {
        return new Session(this.#model, this.#remote, await this.#remote.call<number>("fork", { session: this.#id, n }));
    }

    /** Keeps tokens, keys and values in the browser's storage (in Node: the cache directory) under a name, in place
     * of what was there. Returns the bytes written. Snapshots belong to the model: one restored with another model is
     * refused. */
    save(name: string): Promise<number> {
        return this.#remote.call<number>("save", { session: this.#id, name });
    }

    /** Makes the session hold what was saved under this name; it is untouched if that fails. Returns the number of
     * tokens. Errors: `notfound`; `format` for a damaged snapshot or one of another model. */
    restore(name: string): Promise<number> {
        return this.#remote.call<number>("restore", { session: this.#id, name });
    }

    /** The bytes that `save` would write. */
    serialize(): Promise<Uint8Array> {
        return this.#remote.call<Uint8Array>("serialize", { session: this.#id });
    }

    /** Makes the session hold what such bytes say. */
    deserialize(bytes: Uint8Array): Promise<number> {
        return this.#remote.call<number>("deserialize", { session: this.#id, bytes });
    }

    /** Gives its memory back. */
    close(): Promise<void> {
        return this.#remote.call<void>("closeSession", { session: this.#id });
    }
}

function isMessages(content: ChatMessage[] | ArrayLike<number>): content is ChatMessage[] {
    return Array.isArray(content) && typeof content[0] !== "number";
}
