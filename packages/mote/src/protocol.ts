// SPDX-License-Identifier: Apache-2.0
//
// protocol.ts: the messages between a page and the engine's worker, and between that and its threads. A request has a
// number; its answer, its pieces of text and its progress come back under it.

import { MoteError, type MoteErrorCode, type MoteErrorDetail } from "./errors.js";
import type { ThreadStart } from "./engine.js";
import type { EncodeProgress, KvType, LoadProgress, ModuleName, ModelStats } from "./types.js";

/** A part of a model, as the page hands it over. Bytes of a buffer stay with the page and are asked for in pieces, so
 * that the page never copies much at once. */
export type PartSource =
    | { kind: "url"; url: string }
    | { kind: "stored"; name: string }
    | { kind: "path"; path: string }
    | { kind: "blob"; blob: Blob; name: string }
    | { kind: "buffer"; index: number; bytes: number };

export interface DownloadArgs {
    parts: PartSource[];
    sha256: string[];
    headers: Record<string, string>;
    connections: number;
    /** For Mote.store: the name to store under. */
    storeAs?: string;
}

export interface LoadArgs extends DownloadArgs {
    threads: number | "auto";
    contextLength?: number;
    sessions: number;
    kvType: KvType;
    rows: number;
    cache: boolean;
    memoryLimit?: number;
    module?: ModuleName;
    /** URLs of the modules. */
    modules: Record<ModuleName, string>;
}

/** From the page. */
export type ToWorker =
    | { role: "engine" }
    | { role: "thread"; port: MessagePort }
    | { id: number; op: string; args: never }
    | { abort: number }
    | ({ supply: number } & Supplied);

/** What a page has that its worker has not: a buffer's bytes, a permission, other workers to be its threads. */
export interface Supplied {
    bytes?: Uint8Array;
    granted?: boolean;
    /** Lines to the threads that were asked for. */
    ports?: MessagePort[];
    failed?: string;
}

/** What the worker asks the page for. No threads: those there are end. */
export type Wanted = { buffer: number; at: number; bytes: number } | { persist: true } | { threads: number };

/** To the page. */
export type FromWorker =
    | { id: number; value: unknown }
    | { id: number; error: PlainError }
    | { id: number; progress: LoadProgress | EncodeProgress }
    | { pieces: [id: number, text: string][]; stats: ModelStats }
    | { stats: ModelStats }
    | ({ want: number } & Wanted);

/** To a thread and from it. */
export interface ThreadModule {
    module: WebAssembly.Module;
    memory: WebAssembly.Memory;
    wide: boolean;
}
export type ToThread = ThreadModule | { go: ThreadStart };
export type FromThread = { waiting: true } | { ready: true } | { failed: string };

/** An error as it crosses: classes do not. */
export interface PlainError extends MoteErrorDetail {
    code: MoteErrorCode;
    message: string;
}

export function packError(error: unknown): PlainError {
    if (error instanceof MoteError) {
        const { code, message, needed, available, where, status } = error;
        return { code, message, needed, available, where, status };
    }
    return { code: "internal", message: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
}

export function unpackError({ code, message, ...detail }: PlainError): MoteError {
    return new MoteError(code, message, detail);
}
