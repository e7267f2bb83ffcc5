// SPDX-License-Identifier: Apache-2.0
//
// mote.ts: what can be done before there is a model: load one, download one, look after those that are stored.

import * as check from "./check.js";
import { MoteError } from "./errors.js";
import { listModels, removeModel, STORED } from "./library.js";
import { Model } from "./model.js";
import { hasNode } from "./platform.js";
import { support } from "./probe.js";
import type { DownloadArgs, LoadArgs, PartSource } from "./protocol.js";
import { persist, Remote } from "./remote.js";
import { openStorage, type Storage } from "./storage.js";
import type { DownloadOptions, KvType, LoadOptions, ModelInfo, ModelSource, ModuleName, StorageEstimate, StoredModel, Support } from "./types.js";

/** Bundlers know this form, and put the modules where they will be found. Where there is one thread, those for several are
 * loaded with memory that is not shared. */
const threaded = new URL("./mote-threads.wasm.gz", import.meta.url).href;
const threadedEncoder = new URL("./mote-encoder-threads.wasm.gz", import.meta.url).href;
const MODULES: Record<ModuleName, string> = {
    mote: threaded,
    "mote-threads": threaded,
    "mote-simd": new URL("./mote-simd.wasm.gz", import.meta.url).href,
    "mote-64": new URL("./mote-64.wasm.gz", import.meta.url).href,
    "mote-encoder": threadedEncoder,
    "mote-encoder-threads": threadedEncoder,
    "mote-encoder-simd": new URL("./mote-encoder-simd.wasm.gz", import.meta.url).href,
};
const KV_TYPES: readonly KvType[] = ["f16", "f32", "q8_0", "q4_0"];

function modulesAt(folder: string | URL | undefined): Record<ModuleName, string> {
    if (folder === undefined) return MODULES;
    const base = new URL(folder, (globalThis as { location?: Location }).location?.href).href;
    const file = (name: string): string => `${name === "mote" || name === "mote-encoder" ? `${name}-threads` : name}.wasm.gz`;
    return Object.fromEntries(Object.keys(MODULES).map((name) => [name, new URL(file(name), base).href])) as Record<ModuleName, string>;
}

/** One of gguf-split's shards names all of them. */
function shardsOf(name: string): string[] {
    const match = /-00001-of-(\d{5})\.gguf(?=$|[?#])/.exec(name);
    const n = match ? Number(match[1]) : 0;
    if (!match || n < 2 || n > 1000) return [name];
    return Array.from({ length: n }, (_, i) => name.replace(match[0], `-${String(i + 1).padStart(5, "0")}-of-${match[1]}.gguf`));
}

function partsOf(source: ModelSource | readonly ModelSource[], buffers: Uint8Array[]): PartSource[] {
    const list = Array.isArray(source) ? (source as readonly ModelSource[]) : [source as ModelSource];
    if (list.length === 0) throw new MoteError("argument", "a model has at least one part");
    const named = list.length === 1 && (typeof list[0] === "string" || list[0] instanceof URL) ? shardsOf(String(list[0])) : list;
    return named.map((part): PartSource => {
        if (typeof part === "string" || part instanceof URL) return partOfName(String(part));
        if (part instanceof Blob) return { kind: "blob", blob: part, name: (part as File).name ?? "" };
        const bytes = ArrayBuffer.isView(part) ? new Uint8Array(part.buffer, part.byteOffset, part.byteLength) : isBuffer(part) ? new Uint8Array(part) : undefined;
        if (!bytes) throw new MoteError("argument", "a model is a URL, a Blob, bytes, or a list of these");
        buffers.push(bytes);
        return { kind: "buffer", index: buffers.length - 1, bytes: bytes.length };
    });
}

const isBuffer = (x: unknown): x is ArrayBuffer => x instanceof ArrayBuffer || (typeof SharedArrayBuffer !== "undefined" && x instanceof SharedArrayBuffer);

function partOfName(name: string): PartSource {
    if (name.startsWith(STORED)) return { kind: "stored", name };
    if (name.startsWith("blob:") || name.startsWith("data:")) throw new MoteError("argument", "give the Blob itself rather than a URL of it");
    if (hasNode && (name.startsWith("file:") || !/^[a-z][a-z0-9+.-]+:/i.test(name))) return { kind: "path", path: name };
    try {
        return { kind: "url", url: new URL(name, (globalThis as { location?: Location }).location?.href).href };
    } catch {
        throw new MoteError("argument", `'${name}' is no URL`);
    }
}

function downloadArgs(options: DownloadOptions, parts: PartSource[]): DownloadArgs {
    const given = options.sha256 === undefined ? [] : [options.sha256].flat();
    const sha256 = given.map((hex) => check.text(hex, "sha256").toLowerCase());
    if (sha256.some((hex) => !/^[0-9a-f]{64}$/.test(hex))) throw new MoteError("argument", "sha256 must be 64 hexadecimal digits");
    if (sha256.length > 0 && sha256.length !== parts.length) throw new MoteError("argument", `${sha256.length} sha256 were given for ${parts.length} parts`);
    const headers = Object.fromEntries(new Headers(options.headers ?? {}).entries());
    return { parts, sha256, headers, connections: check.integer(options.connections, "connections", 1, 16, 4) };
}

function loadArgs(options: LoadOptions, parts: PartSource[]): LoadArgs {
    const { threads = "auto", kvType = "f16", module } = options;
    if (!KV_TYPES.includes(kvType)) throw new MoteError("argument", `kvType must be one of ${KV_TYPES.join(", ")}`);
    if (module !== undefined && !Object.hasOwn(MODULES, module)) throw new MoteError("argument", `module must be one of ${Object.keys(MODULES).join(", ")}`);
    return {
        ...downloadArgs(options, parts),
        threads: threads === "auto" ? threads : check.integer(threads, "threads", 1, 64),
        ...(options.contextLength !== undefined ? { contextLength: check.integer(options.contextLength, "contextLength", 1, 1 << 24) } : {}),
        sessions: check.integer(options.sessions, "sessions", 1, 256, 8),
        kvType,
        rows: check.integer(options.rows, "rows", 1, 4096, 128),
        cache: options.cache !== false,
        ...(options.memoryLimit !== undefined ? { memoryLimit: check.integer(options.memoryLimit, "memoryLimit", 1, Number.MAX_SAFE_INTEGER) } : {}),
        ...(module !== undefined ? { module } : {}),
        modules: modulesAt(options.wasmUrl),
    };
}

/** Runs one request in a worker of its own. */
async function once<T>(op: string, args: object, options: DownloadOptions): Promise<T> {
    const remote = await Remote.start();
    try {
        return await remote.call<T>(op, args, options);
    } finally {
        await remote.close();
    }
}

async function storage(): Promise<Storage> {
    const found = await openStorage();
    if (!found) throw new MoteError("storage", "there is no storage here");
    return found;
}

export const Mote = {
    /** The version of this package. */
    version: "0.1.0",

    /** Loads a model, from wherever it is, into workers of its own.
     *
     * A URL is downloaded into the browser's storage first; once it is there, it is loaded without any network. Whoever
     * wants a newer file removes the stored one. Errors: see MoteErrorCode; after any of them, no worker and no memory
     * is left. */
    async load(source: ModelSource | ModelSource[], options: LoadOptions = {}): Promise<Model> {
        const buffers: Uint8Array[] = [];
        const args = loadArgs(options, partsOf(source, buffers));
        const remote = await Remote.start(buffers);
        try {
            const { signal, onProgress } = options;
            const info = await remote.call<ModelInfo>("load", args, { ...(signal ? { signal } : {}), ...(onProgress ? { onProgress } : {}) });
            buffers.length = 0;
            return new Model(remote, info);
        } catch (error) {
            await remote.close();
            throw error;
        }
    },

    /** Downloads a model into storage without loading it. Goes on where an earlier call was stopped. */
    async download(source: string | URL | (string | URL)[], options: DownloadOptions = {}): Promise<StoredModel> {
        const args = downloadArgs(options, partsOf(source, []));
        if (args.parts.some((part) => part.kind !== "url")) throw new MoteError("argument", "only URLs can be downloaded");
        return once("download", args, options);
    },

    /** Copies a File into storage under a name, so that `Mote.load("stored:NAME")` finds it without asking the
     * user again. */
    async store(file: Blob, options: DownloadOptions & { name?: string } = {}): Promise<StoredModel> {
        const name = options.name ?? (file as File).name;
        if (!(file instanceof Blob)) throw new MoteError("argument", "only a File or a Blob can be stored");
        if (!name) throw new MoteError("argument", "a Blob needs a name to be stored under");
        return once("store", { ...downloadArgs(options, [{ kind: "stored", name }]), blob: file, name: `${STORED}${name}` }, options);
    },

    /** The models in storage, whole or in part, the last used first. */
    async models(): Promise<StoredModel[]> {
        const found = await openStorage();
        return found ? listModels(found) : [];
    },

    /** Removes a model from storage. Errors: `notfound`; `storage` if another tab is loading it. */
    async remove(source: string | URL | (string | URL)[]): Promise<void> {
        const names = partsOf(source, []).map((part) => (part.kind === "url" ? part.url : part.kind === "stored" ? part.name : ""));
        await removeModel(await storage(), names);
    },

    /** How much room there is in storage. */
    async estimate(): Promise<StorageEstimate> {
        const found = await openStorage();
        return found ? { supported: true, ...(await found.estimate()) } : { supported: false, usage: 0, quota: 0, persisted: false };
    },

    /** Asks the browser not to evict what is stored. True if it promises. */
    persist(): Promise<boolean> {
        return hasNode ? Promise.resolve(true) : persist();
    },

    /** What this engine can do. */
    async support(): Promise<Support> {
        return support((await openStorage()) !== undefined);
    },
};
