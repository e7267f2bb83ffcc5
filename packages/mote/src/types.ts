// SPDX-License-Identifier: Apache-2.0
//
// types.ts: what a user of the package sees, apart from the classes of index.ts: options, results, and the
// shapes of messages. Sizes are bytes, times are seconds, unless a name says otherwise.

/** One message of a conversation. Which roles there are is up to the model's chat template; nearly all know
 * `system`, `user` and `assistant`. */
export interface ChatMessage {
    role: string;
    content: string;
}

/** Where a model comes from: a URL (in Node, Deno and Bun also a path), a File or Blob, bytes, or the name of
 * a stored model (`stored:…`, see `Mote.store`). An array is one model in parts, in order: the pieces of a file
 * that was cut, or the shards that `gguf-split` makes (`…-00001-of-00003.gguf`), all of one kind. */
export type ModelSource = string | URL | Blob | ArrayBuffer | SharedArrayBuffer | Uint8Array;

/** `connecting`: asking the server. `waiting`: another tab is loading the same file. `downloading`: over the
 * network. `storing`: copying a File to storage. `verifying`: computing the sha256. `reading`: from storage
 * into memory. `ready`: done. */
export type LoadPhase = "connecting" | "waiting" | "downloading" | "storing" | "verifying" | "reading" | "ready";

export interface LoadProgress {
    phase: LoadPhase;
    /** Bytes of this phase that are done. Of a resumed download, those from before count as done. */
    loaded: number;
    /** Bytes of this phase in all; 0 while unknown. */
    total: number;
    /** Over the last seconds; 0 while unknown. */
    bytesPerSecond: number;
}

/** Positions of the KV cache take 16, 32, 8.5 or 4.5 bits a value. */
export type KvType = "f16" | "f32" | "q8_0" | "q4_0";

export interface DownloadOptions {
    /** Called at most about 20 times a second, and at each change of phase. */
    onProgress?: (progress: LoadProgress) => void;
    /** Stops it. What was downloaded stays in storage, so that the next call goes on from there: to pause is to
     * abort, to resume is to call again. */
    signal?: AbortSignal;
    /** Hex sha256 that the file must have; of several parts, one for each. Checked once for a stored file. */
    sha256?: string | string[];
    /** Request headers, for servers that want authorisation. They are not stored. */
    headers?: Record<string, string>;
    /** Requests that run side by side. Default 4. */
    connections?: number;
}

export interface LoadOptions extends DownloadOptions {
    /** Threads that compute: a number, or `"auto"` (the default): as many as make sense here. More than one
     * needs a page that is cross-origin isolated, and an engine with relaxed SIMD; it is one otherwise. Results do
     * not depend on it. */
    threads?: number | "auto";
    /** Positions of the KV cache, shared by all sessions. Default: what the model was trained for, at most 4096. */
    contextLength?: number;
    /** Sequences that are held at once: those computed together, the user's sessions, and past conversations kept
     * for their prefix. Default 8. */
    sessions?: number;
    /** Type of the KV cache. Default `"f16"`. */
    kvType?: KvType;
    /** Most tokens of prompts that are computed at once. Default 128. */
    rows?: number;
    /** Keep a downloaded model in the browser's storage (or the cache directory). Default true. With false, or
     * where there is no storage (private windows), it goes straight to memory and is gone with the page. */
    cache?: boolean;
    /** Bytes of memory the model may use at most. Default: what the engine gives. */
    memoryLimit?: number;
    /** Where the .wasm files are, when not beside the package's script: a folder's URL, ending in "/". */
    wasmUrl?: string | URL;
    /** Take this module rather than the best one: for tests and measurements. */
    module?: ModuleName;
}

export type ModuleName = "mote" | "mote-threads" | "mote-simd" | "mote-64" | "mote-encoder" | "mote-encoder-threads" | "mote-encoder-simd";

/** @internal In the order of mote_pooling. */
export const POOLINGS = ["none", "mean", "cls", "last"] as const;
/** How the vectors of a text's tokens become one: their mean, the first's or the last's; `none`: they do not. */
export type Pooling = "none" | "mean" | "cls" | "last";

/** Texts that are done, of those of the call. */
export interface EncodeProgress {
    done: number;
    total: number;
}

export interface EncodeOptions {
    /** Put before every text: some models want `"query: "` or `"passage: "`. */
    prefix?: string;
    /** Stops it at the next batch. */
    signal?: AbortSignal;
    /** Called at most about 20 times a second. */
    onProgress?: (progress: EncodeProgress) => void;
}

export interface EmbedOptions extends EncodeOptions {
    /** Vectors of length 1. Default true. */
    normalize?: boolean;
    /** Default: as the model was made. With `"none"` a text's result is [tokens × width]. */
    pooling?: Pooling;
}

export interface ClassifyOptions extends EncodeOptions {
    /** Only so many labels, those with the highest scores. */
    topK?: number;
    /** Judge each label by itself: several may be right, or none. Default: as the model's head was made. */
    multi?: boolean;
}

export interface Label {
    label: string;
    score: number;
}

/** What a head that judges tokens finds in a text: `label` without the "B-" or "I-" before it; `text` is the part of the
 * text from `start` to `end`, as `slice` takes it. Where the tokens of the text are not those of its words, `text` is empty
 * and there is no place. */
export interface Entity extends Label {
    start?: number;
    end?: number;
    text: string;
}

/** How to pick tokens. Defaults: temperature 0.7, topK 40, topP 0.95, minP 0.05, repeatPenalty 1 (off). */
export interface SamplingOptions {
    /** 0: always the likeliest token. */
    temperature?: number;
    /** 0: off. */
    topK?: number;
    /** 1: off. */
    topP?: number;
    /** 0: off. */
    minP?: number;
    /** 1: off. On the last `repeatLast` tokens. */
    repeatPenalty?: number;
    /** Default 64. */
    repeatLast?: number;
    /** An integer; the same seed gives the same answer, everywhere. Default: another one each time. */
    seed?: number;
}

export interface GenerateOptions extends SamplingOptions {
    /** Default: until the model ends its answer or the context is full. */
    maxTokens?: number;
    /** Texts that end the answer; they are not part of it. */
    stop?: string | string[];
    /** Stops at the next token; the iterator then throws a MoteError `aborted`. */
    signal?: AbortSignal;
}

export interface ChatOptions extends GenerateOptions {
    /** More variables of the chat template, `{ enable_thinking: false }` for instance. */
    variables?: Record<string, unknown>;
}

/** Why an answer ended: the model ended it, a stop text came, maxTokens was reached, or the context was full. */
export type FinishReason = "end" | "stop" | "length" | "context";

export interface GenerationResult {
    text: string;
    finishReason: FinishReason;
    /** The stop text that came. */
    stop?: string;
    /** Tokens of the prompt, those of them that were still in the KV cache, and tokens generated. */
    promptTokens: number;
    cachedTokens: number;
    tokens: number;
    /** From the call to the first token, and from there to the last. Others that were computed at the same time,
     * or before it, count. */
    firstTokenSeconds: number;
    decodeSeconds: number;
    /** tokens − 1 over decodeSeconds; 0 if there was only one. */
    tokensPerSecond: number;
    seed: number;
}

/** What the file says and what runs it. */
export interface ModelInfo {
    name: string;
    architecture: string;
    /** Number of weights, and bytes of the file. */
    parameters: number;
    fileBytes: number;
    weightsBytes: number;
    layers: number;
    width: number;
    heads: number;
    kvHeads: number;
    headWidth: number;
    ffn: number;
    vocabulary: number;
    /** Positions the model was trained for. */
    trainedContext: number;
    /** Token ids, −1 where the file has none. */
    bos: number;
    eos: number;
    tokenizer: string;
    tokenizerPre: string;
    /** The file's chat template; empty if it has none, and a simple one is used. */
    chatTemplate: string;
    /** As opened. */
    contextLength: number;
    sessions: number;
    kvType: KvType;
    threads: number;
    /** The WebAssembly module that runs, and in words why this one. */
    module: ModuleName;
    why: string;
    /** Bytes of WebAssembly memory, all in all; and of them the context: KV cache, activations, logits. */
    memoryBytes: number;
    contextBytes: number;
    /** Whether it reads texts whole (embed, classify), rather than continues them. */
    encoder: boolean;
    /** Of an encoder: how it was made to pool; the labels of its head; whether that judges each token, and whether
     * several labels of a text may be right. */
    pooling: Pooling;
    labels: string[];
    labelsTokens: boolean;
    labelsMany: boolean;
    /** Under what name the file is in storage: `stored:…` or its URL; empty if it is not. */
    stored: string;
    /** Seconds that `Mote.load` took, without downloading. */
    loadSeconds: number;
}

/** Counters of a model since it was loaded. */
export interface ModelStats {
    promptTokens: number;
    cachedTokens: number;
    generatedTokens: number;
    /** Seconds in steps that fed prompts, and in steps that only generated. */
    promptSeconds: number;
    decodeSeconds: number;
    /** Steps computed, and the rows in them. */
    steps: number;
    rows: number;
    /** Now: answers being generated, calls waiting for their turn, sequences held, KV positions in use. */
    active: number;
    waiting: number;
    sessions: number;
    positions: number;
    memoryBytes: number;
}

/** A model kept in storage. */
export interface StoredModel {
    /** What `Mote.load` and `Mote.remove` take: its URL, the URLs of its parts, or `stored:NAME`. */
    source: string | string[];
    /** Last part of the URL, or NAME. */
    name: string;
    /** Bytes of the file; 0 while not yet known. */
    bytes: number;
    /** Bytes that are there. */
    loaded: number;
    complete: boolean;
    /** Its sha256 in hex (of several parts: theirs), if one was given and checked. */
    sha256?: string;
    /** Milliseconds since 1970. */
    created: number;
    used: number;
}

/** Room in the browser's storage. */
export interface StorageEstimate {
    /** Whether there is storage at all (private windows of some browsers have none). */
    supported: boolean;
    usage: number;
    quota: number;
    /** Whether the browser has promised not to evict it. */
    persisted: boolean;
}

/** What this engine can do, and the module that would be picked for a file of usual size. */
export interface Support {
    simd: boolean;
    relaxedSimd: boolean;
    /** WebAssembly threads, which also need shared memory, which pages get when cross-origin isolated. */
    threads: boolean;
    crossOriginIsolated: boolean;
    memory64: boolean;
    storage: boolean;
    module: ModuleName | undefined;
    why: string;
    /** What `threads: "auto"` means here. */
    defaultThreads: number;
}

/** A KV snapshot kept in storage. */
export interface StoredSnapshot {
    name: string;
    bytes: number;
    created: number;
}
