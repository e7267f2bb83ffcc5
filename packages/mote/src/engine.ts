// SPDX-License-Identifier: Apache-2.0
//
// engine.ts: one instance of a WebAssembly module, driven through the functions of host/wasm/module.h.
//
// Addresses and sizes are plain numbers here, exact to 2^53, for modules of 32 and 64 bits alike. Memory may grow in
// nearly any call, which makes old views useless: views are made where they are used and not kept.

import { MoteError, type MoteErrorCode } from "./errors.js";

/** What modules export, by host/wasm/module.h. */
interface Exports {
    __stack_pointer?: WebAssembly.Global;
    __wasm_init_tls?: (address: number | bigint) => void;
    take(bytes: number): number;
    release(address: number): void;
    scratch(bytes: number): number;
    result(): number;
    fault(): number;
    model_open(bytes: number, n: number): number;
    model_number(which: number): number;
    model_text(which: number): number;
    context_plan(positions: number, sessions: number, rows: number, logits: number, kv: number, workers: number): number;
    context_open(positions: number, sessions: number, rows: number, logits: number, kv: number, workers: number): number;
    worker_stack(worker: number): number;
    worker_tls(worker: number): number;
    worker_run(worker: number): void;
    workers_stop(): void;
    model_label(i: number): number;
    encode(sequences: number, n: number, pooling: number, wanted: number): number;
    session_open(): number;
    session_close(session: number): void;
    session_fork(session: number, n: number): number;
    session_truncate(session: number, n: number): number;
    session_length(session: number): number;
    session_save(session: number): number;
    session_restore(bytes: number, n: number): number;
    step(rows: number, n: number): number;
    logits(i: number): number;
    tokenize(text: number, bytes: number, flags: number): number;
    token_is_end(token: number): number;
    chat(messages: number, n: number, addGeneration: number, variablesBytes: number): number;
    chat_wrote_bos(): number;
    stream_bytes(): number;
    stream_open(stream: number, temperature: number, topK: number, topP: number, minP: number, penalty: number, last: number, seed: number): void;
    stream_pick(stream: number, i: number, session: number): number;
    stream_text(stream: number, token: number): number;
}

/** Numbers and texts of a model, in the order of module.h. */
const NUMBERS = [
    "hasWeights", "hasTokenizer", "parameters", "weightsBytes", "layers", "context", "width", "heads", "kvHeads",
    "headDim", "ffn", "vocabulary", "bos", "eos", "addBos", "addEos", "tensors", "keys", "encoder", "pooling",
    "labels", "labelsTokens",
] as const; // prettier-ignore
export type ModelNumber = (typeof NUMBERS)[number];
const TEXTS = ["architecture", "name", "tokenizer", "tokenizerPre", "template"] as const;
export type ModelText = (typeof TEXTS)[number];

/** mote_status → code. */
const CODES: Record<number, MoteErrorCode> = {
    [-1]: "argument", [-2]: "memory", [-3]: "format", [-4]: "unsupported", [-5]: "context", [-6]: "sessions",
    [-7]: "template", [-8]: "argument", [-9]: "internal",
}; // prettier-ignore

export const TOKENIZE_ADD_SPECIAL = 1;
export const TOKENIZE_PARSE_SPECIAL = 2;
/** In texts that `chat` rendered, what messages spell is broken by U+FDD0. */
export const TOKENIZE_CHAT = 4;
const PAGE = 65536;
const ROW_BYTES = 16;

export interface ContextShape {
    positions: number;
    sessions: number;
    rows: number;
    logits: number;
    kv: number;
    workers: number;
}

/** What was made of one text; views that are good for a moment. */
export interface Encoded {
    vectors?: Float32Array;
    labels?: Float32Array;
}

export interface Row {
    session: number;
    token: number;
    want: boolean;
}

/** What a thread needs to join: another instance on the same memory. */
export interface ThreadStart {
    worker: number;
    stack: number;
    tls: number;
}

/** Limits of the memory that a module imports, in pages, read from its bytes: engines do not tell. */
export interface MemoryLimits {
    initial: number;
    maximum: number;
    shared: boolean;
    wide: boolean;
    /** Where that is said, in the bytes. */
    flagsAt: number;
}

/** A module with atomic instructions takes memory that is not shared too, if it says so: the same module then serves
 * pages that have no shared memory. */
export function unshare(bytes: Uint8Array): void {
    bytes[memoryLimits(bytes).flagsAt]! &= ~2;
}

export function memoryLimits(bytes: Uint8Array): MemoryLimits {
    let at = 8;
    const leb = (): number => {
        let value = 0;
        for (let scale = 1; ; scale *= 128) {
            const byte = bytes[at++];
            if (byte === undefined) throw new MoteError("internal", "the module's bytes end too early");
            value += (byte & 127) * scale;
            if (byte < 128) return value;
        }
    };
    while (at < bytes.length) {
        const id = leb();
        const size = leb();
        if (id !== 2) {
            at += size;
            continue;
        }
        for (let n = leb(); n > 0; n--) {
            for (let names = 0; names < 2; names++) {
                const length = leb();
                at += length;
            }
            if (bytes[at++] !== 2) break;
            const flagsAt = at;
            const flags = leb();
            const initial = leb();
            const wide = (flags & 4) !== 0;
            return { initial, maximum: flags & 1 ? leb() : wide ? 1 << 18 : PAGE, shared: (flags & 2) !== 0, wide, flagsAt };
        }
        break;
    }
    throw new MoteError("internal", "the module imports no memory");
}

/** A memory of at most so many bytes. Engines took numbers and another name before 64-bit memories were settled. */
export function makeMemory(limits: MemoryLimits, bytes: number): WebAssembly.Memory {
    const initial = limits.initial;
    const maximum = Math.min(limits.maximum, Math.max(initial, Math.ceil(bytes / PAGE)));
    if (!limits.wide) return new WebAssembly.Memory({ initial, maximum, shared: limits.shared });
    type Wide = { initial: bigint | number; maximum: bigint | number; shared: boolean; address?: string; index?: string };
    const make = (wide: Wide): WebAssembly.Memory => new WebAssembly.Memory(wide as unknown as WebAssembly.MemoryDescriptor);
    try {
        return make({ initial: BigInt(initial), maximum: BigInt(maximum), shared: limits.shared, address: "i64" });
    } catch {
        return make({ initial, maximum, shared: limits.shared, index: "i64" });
    }
}

export class Engine {
    readonly #x: Exports;
    readonly #encoder = new TextEncoder();
    readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });

    constructor(
        readonly module: WebAssembly.Module,
        readonly memory: WebAssembly.Memory,
        readonly wide: boolean,
    ) {
        this.#x = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Exports;
    }

    get memoryBytes(): number {
        return this.memory.buffer.byteLength;
    }

    /** A view, good until the next call. */
    bytes(address: number, n: number): Uint8Array {
        return new Uint8Array(this.memory.buffer, address, n);
    }

    #check(n: number): number {
        if (n >= 0) return n;
        const at = this.#x.fault();
        const view = new DataView(this.memory.buffer, at);
        const text = this.bytes(at + 16, 240);
        const end = text.indexOf(0);
        const where = Number(view.getBigUint64(8, true));
        throw new MoteError(CODES[n] ?? "internal", this.#decoder.decode(text.slice(0, end < 0 ? 240 : end)), where > 0 ? { where } : {});
    }

    #text(n: number): string {
        // A copy: decoders refuse shared memory.
        return this.#decoder.decode(this.bytes(this.#x.result(), n).slice());
    }

    #put(...pieces: Uint8Array[]): number {
        const at = this.#check(this.#x.scratch(pieces.reduce((sum, piece) => sum + piece.length, 0)));
        let to = at;
        for (const piece of pieces) {
            this.bytes(to, piece.length).set(piece);
            to += piece.length;
        }
        return at;
    }

    take(bytes: number): number {
        return this.#check(this.#x.take(bytes));
    }

    /* ---- model ---- */

    openModel(address: number, bytes: number): void {
        this.#check(this.#x.model_open(address, bytes));
    }

    number(which: ModelNumber): number {
        return this.#x.model_number(NUMBERS.indexOf(which));
    }

    text(which: ModelText): string {
        return this.#text(this.#check(this.#x.model_text(TEXTS.indexOf(which))));
    }

    /* ---- context ---- */

    planContext(shape: ContextShape): number {
        return this.#check(this.#x.context_plan(shape.positions, shape.sessions, shape.rows, shape.logits, shape.kv, shape.workers));
    }

    openContext(shape: ContextShape): void {
        this.#check(this.#x.context_open(shape.positions, shape.sessions, shape.rows, shape.logits, shape.kv, shape.workers));
    }

    threadStart(worker: number): ThreadStart {
        return { worker, stack: this.#x.worker_stack(worker), tls: this.#x.worker_tls(worker) };
    }

    /** Computes as a thread until the first instance stops it. */
    runThread({ worker, stack, tls }: ThreadStart): void {
        const wide = (n: number): number | bigint => (this.wide ? BigInt(n) : n);
        this.#x.__stack_pointer!.value = wide(stack);
        this.#x.__wasm_init_tls?.(wide(tls));
        this.#x.worker_run(worker);
    }

    stopThreads(): void {
        this.#x.workers_stop();
    }

    /* ---- encoding ---- */

    /** The names of the labels; where a label has none, its number. */
    labels(): string[] {
        return Array.from({ length: this.number("labels") }, (_, i) => this.#text(this.#x.model_label(i)) || String(i));
    }

    /** Encodes sequences together, and shows what was made of each. */
    encode(sequences: readonly Int32Array[], pooling: number, vectors: boolean, labels: boolean, show: (i: number, encoded: Encoded) => void): void {
        const n = sequences.length;
        const list = new Int32Array(2 * n + sequences.reduce((sum, tokens) => sum + tokens.length, 0));
        let to = 2 * n;
        sequences.forEach((tokens, i) => {
            list[2 * i] = tokens.length;
            list.set(tokens, to);
            to += tokens.length;
        });
        const [width, nLabels, labelsTokens] = [this.number("width"), this.number("labels"), this.number("labelsTokens")];
        this.#check(this.#x.encode(this.#put(new Uint8Array(list.buffer)), n, pooling, (vectors ? 1 : 0) | (labels ? 2 : 0)));
        let at = this.#x.result();
        const takeRows = (wanted: boolean, each: boolean, size: number): (Float32Array | undefined)[] =>
            sequences.map((tokens) => {
                if (!wanted) return undefined;
                const view = new Float32Array(this.memory.buffer, at, (each ? tokens.length : 1) * size);
                at += view.byteLength;
                return view;
            });
        const made = takeRows(vectors, pooling === 0, width);
        const judged = takeRows(labels, labelsTokens !== 0, nLabels);
        sequences.forEach((_, i) => show(i, { vectors: made[i], labels: judged[i] }));
    }

    /* ---- sessions ---- */

    openSession(): number {
        return this.#check(this.#x.session_open());
    }

    closeSession(session: number): void {
        this.#x.session_close(session);
    }

    forkSession(session: number, n: number): number {
        return this.#check(this.#x.session_fork(session, n));
    }

    truncateSession(session: number, n: number): void {
        this.#check(this.#x.session_truncate(session, n));
    }

    sessionTokens(session: number): Int32Array {
        const n = this.#x.session_length(session);
        return new Int32Array(this.memory.buffer, this.#x.result(), n).slice();
    }

    /** The session as bytes: a view, good until the next call. */
    saveSession(session: number): Uint8Array {
        const n = this.#check(this.#x.session_save(session));
        return this.bytes(this.#x.result(), n);
    }

    /** A session from n bytes that `fill` writes where it is told. */
    restoreSession(n: number, fill: (into: Uint8Array) => void): number {
        const at = this.#check(this.#x.scratch(n));
        fill(this.bytes(at, n));
        return this.#check(this.#x.session_restore(at, n));
    }

    /** Computes rows; no session has changed if it throws. */
    step(rows: readonly Row[]): void {
        const at = this.#check(this.#x.scratch(rows.length * ROW_BYTES));
        const view = new DataView(this.memory.buffer, at);
        rows.forEach((row, i) => {
            view.setFloat64(i * ROW_BYTES, row.session, true);
            view.setInt32(i * ROW_BYTES + 8, row.token, true);
            view.setInt32(i * ROW_BYTES + 12, row.want ? 1 : 0, true);
        });
        this.#check(this.#x.step(at, rows.length));
    }

    /** Logits of the i-th row that wanted them: a view, good until the next call. */
    logits(i: number): Float32Array {
        const at = this.#x.logits(i);
        if (at <= 0) throw new MoteError("internal", "there are no logits of this row");
        return new Float32Array(this.memory.buffer, at, this.number("vocabulary"));
    }

    /* ---- text ---- */

    tokenize(text: string, flags: number): Int32Array {
        const bytes = this.#encoder.encode(text);
        const n = this.#check(this.#x.tokenize(this.#put(bytes), bytes.length, flags));
        return new Int32Array(this.memory.buffer, this.#x.result(), n).slice();
    }

    isEnd(token: number): boolean {
        return this.#x.token_is_end(token) !== 0;
    }

    /** The text of a conversation, and whether the template wrote the beginning mark itself. */
    render(messages: readonly { role: string; content: string }[], addGeneration: boolean, variables: string): { text: string; wroteBos: boolean } {
        const texts = messages.flatMap(({ role, content }) => [this.#encoder.encode(role), this.#encoder.encode(content)]);
        const sizes = Int32Array.from(texts, (text) => text.length);
        const json = this.#encoder.encode(variables);
        const at = this.#put(new Uint8Array(sizes.buffer), ...texts, json);
        const n = this.#check(this.#x.chat(at, messages.length, addGeneration ? 1 : 0, json.length));
        return { text: this.#text(n), wroteBos: this.#x.chat_wrote_bos() !== 0 };
    }

    /* ---- streams ---- */

    newStream(): number {
        return this.take(this.#x.stream_bytes());
    }

    openStream(stream: number, s: { temperature: number; topK: number; topP: number; minP: number; repeatPenalty: number; repeatLast: number; seed: number }): void {
        this.#x.stream_open(stream, s.temperature, s.topK, s.topP, s.minP, s.repeatPenalty, s.repeatLast, s.seed);
    }

    /** The next token, given the i-th row's logits and what the session holds. */
    pick(stream: number, i: number, session: number): number {
        return this.#check(this.#x.stream_pick(stream, i, session));
    }

    /** The text that a token completes; −1 ends the stream. */
    piece(stream: number, token: number): string {
        return this.#text(this.#check(this.#x.stream_text(stream, token)));
    }
}
