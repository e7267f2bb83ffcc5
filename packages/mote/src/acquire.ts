// SPDX-License-Identifier: Apache-2.0
//
// acquire.ts: from what the user named to a source of bytes: found in storage, downloaded into it, or neither stored
// nor kept. Holds the model's lock for as long as its file is open.

import { Download } from "./download.js";
import { MoteError } from "./errors.js";
import { Changed, inspect, Transient, type Remote } from "./http.js";
import { Entry, lockOf } from "./library.js";
import { pause } from "./download.js";
import type { Progress } from "./progress.js";
import type { DownloadArgs, PartSource } from "./protocol.js";
import { Ranges } from "./ranges.js";
import { Sha256 } from "./sha256.js";
import { BlobSource, DirectSource, EntrySource, FileSource, PageSource, type Source } from "./source.js";
import { openPath, storageError, withLock, type Storage } from "./storage.js";
import { breathe, type Port } from "./platform.js";
import type { StoredModel } from "./types.js";

/** What the worker can do for a load. */
export interface Host {
    signal: AbortSignal;
    progress: Progress;
    storage: Storage | undefined;
    /** Bytes of a buffer that the page holds. */
    pull(buffer: number, at: number, bytes: number): Promise<Uint8Array>;
    /** Asks the page to ask the browser for lasting storage. */
    persist(): Promise<boolean>;
    /** Lines to that many new threads, which the page makes; earlier ones end. */
    threads(count: number): Promise<Port[]>;
}

/** What is read, hashed or written at a time: some milliseconds' worth. */
export const CHUNK = 1 << 22;
/** Times that a file may change on its server during one load. */
const CHANGES = 3;

/** Opens the source and calls `use` with it. If the file changes on its server meanwhile, that is done again. */
export async function withSource<T>(args: DownloadArgs & { cache: boolean }, host: Host, use: (source: Source) => Promise<T>): Promise<T> {
    const sources = args.parts.flatMap((part) => (part.kind === "url" ? [part.url] : part.kind === "stored" ? [part.name] : []));
    const opened = async (source: Source): Promise<T> => {
        try {
            return await use(source);
        } finally {
            await source.close();
        }
    };
    for (let changes = 0; ; changes++) {
        try {
            if (sources.length === 0) return await opened(await openLocal(args.parts, host));
            if (args.parts[0]!.kind === "url" && !(args.cache && host.storage)) return await opened(await openDirect(args, host, sources));
            const { storage } = host;
            if (!storage) throw new MoteError("notfound", "there is no storage here");
            const onWait = (): void => host.progress.at("waiting");
            return await withLock(lockOf(sources), { signal: host.signal, onWait }, async () => {
                const entry = await Entry.open(storage, sources);
                return useEntry(entry, args, host, opened);
            });
        } catch (error) {
            if (!(error instanceof Changed)) throw error;
            if (changes === CHANGES) throw new MoteError("network", "the file changes on its server while it is downloaded");
        }
    }
}

async function openLocal(parts: PartSource[], host: Host): Promise<Source> {
    const kind = parts[0]!.kind;
    if (parts.some((part) => part.kind !== kind)) throw new MoteError("argument", "the parts of a model must be of one kind");
    if (kind === "blob") return new BlobSource(parts.map((part) => (part as { blob: Blob }).blob));
    if (kind === "buffer") {
        const buffers = parts as { index: number; bytes: number }[];
        return new PageSource(
            buffers.map((buffer) => buffer.bytes),
            (part, at, bytes) => host.pull(buffers[part]!.index, at, bytes),
        );
    }
    try {
        return new FileSource(await Promise.all(parts.map((part) => openPath((part as { path: string }).path))));
    } catch (error) {
        throw new MoteError((error as { code?: string }).code === "ENOENT" ? "notfound" : "storage", (error as Error).message);
    }
}

async function useEntry<T>(entry: Entry, args: DownloadArgs, host: Host, use: (source: Source) => Promise<T>): Promise<T> {
    try {
        if (entry.meta.complete) {
            entry.meta.used = Date.now();
            await entry.save().catch(() => undefined);
            return await use(new EntrySource(entry));
        }
        if (args.parts[0]!.kind === "stored") throw new MoteError("notfound", `no stored model '${entry.meta.sources[0]}'`);
        host.progress.at("connecting");
        const parts = await inspectAll(entry.meta.sources, args, host.signal);
        let done = Ranges.parse(entry.meta.done, entry.meta.size);
        if (!done || !sameParts(entry.meta.parts, parts)) {
            entry.restart();
            done = new Ranges();
        }
        Object.assign(entry.meta, { parts, size: sizeOf(parts) });
        await makeRoom(entry, entry.meta.size, host);
        const download = new Download(parts, { write: (bytes, at) => entry.write(bytes, at) }, done, {
            ...args,
            signal: host.signal,
            onBytes: () => {
                host.progress.at("downloading", done.bytes, entry.meta.size);
                entry.saveSometimes(done);
            },
        });
        try {
            return await use(new EntrySource(entry, download));
        } catch (error) {
            if (error instanceof Changed) entry.restart();
            throw error;
        } finally {
            if (!entry.meta.complete) await entry.save(entry.meta.parts.length > 0 ? done : new Ranges()).catch(() => undefined);
        }
    } catch (error) {
        // A file that is no model is not kept: the next call fetches it anew.
        if (error instanceof MoteError && error.code === "format" && args.parts[0]!.kind === "url") entry.restart();
        throw error;
    } finally {
        await entry.close();
        const nothing = !entry.meta.complete && entry.meta.done.length === 0;
        if (nothing) await entry.storage.remove(entry.folder).catch(() => undefined);
    }
}

async function openDirect(args: DownloadArgs, host: Host, urls: string[]): Promise<Source> {
    host.progress.at("connecting");
    const parts = await inspectAll(urls, args, host.signal);
    const done = new Ranges();
    const onBytes = (): void => host.progress.at("downloading", done.bytes, sizeOf(parts));
    return new DirectSource((sink) => new Download(parts, sink, done, { ...args, signal: host.signal, onBytes }), done);
}

const sizeOf = (parts: Remote[]): number => parts.reduce((sum, part) => sum + part.size, 0);

function sameParts(a: Remote[], b: Remote[]): boolean {
    return a.length === b.length && a.every((part, i) => part.size > 0 && part.size === b[i]!.size && sameMark(part, b[i]!));
}

/** An ETag that both have decides; without one, the date does. */
function sameMark(a: Remote, b: Remote): boolean {
    return a.etag && b.etag ? a.etag === b.etag : a.modified === b.modified;
}

async function inspectAll(urls: string[], args: DownloadArgs, signal: AbortSignal): Promise<Remote[]> {
    return Promise.all(urls.map((url) => inspectPatiently(url, args, signal)));
}

async function inspectPatiently(url: string, { headers }: DownloadArgs, signal: AbortSignal): Promise<Remote> {
    for (let tries = 1; ; tries++) {
        try {
            return await inspect(url, { headers, signal });
        } catch (error) {
            if (signal.aborted) throw new MoteError("aborted", "stopped");
            if (!(error instanceof Transient)) throw error;
            if (tries === 3) throw new MoteError("network", error.message, error.detail.status ? { status: error.detail.status } : {});
            await pause(error.detail.afterMs ?? 250 * tries, signal);
        }
    }
}

/** Sees that storage has room for a file, asking the browser for more if it has not. What browsers say of their quota
 * is an estimate, and by some a made-up one: so the file is made as long as it will be. */
async function makeRoom(entry: Entry, size: number, host: Host): Promise<void> {
    if (reserve(entry, size)) return;
    await host.persist();
    if (reserve(entry, size)) return;
    const had = entry.file.size();
    let available = had;
    for (let step = (size - had) / 2; step > size / 256; step /= 2) if (reserve(entry, available + step)) available = Math.floor(available + step);
    entry.file.truncate(had);
    throw new MoteError("quota", `the model needs ${size} bytes of storage, ${available} can be had`, { needed: size, available });
}

function reserve(entry: Entry, size: number): boolean {
    if (entry.file.size() >= size) return true;
    try {
        entry.file.truncate(Math.floor(size));
        return true;
    } catch {
        return false;
    }
}

/** Has all of a source there, sees that it is what its sha256 says, and marks what is stored as whole. */
export async function complete(source: Source, sha256: string[], host: Host): Promise<void> {
    await source.ensure(0, source.sizes.reduce((sum, size) => sum + size, 0));
    const entry = source instanceof EntrySource ? source.entry : undefined;
    if (sha256.length > 0 && entry?.meta.sha256.join() !== sha256.join()) {
        await verify(source, sha256, host).catch(async (error: unknown) => {
            if (entry && error instanceof MoteError && error.code === "checksum") {
                entry.restart();
                await entry.save();
            }
            throw error;
        });
        if (entry) entry.meta.sha256 = sha256;
    }
    if (entry) {
        const size = source.sizes.reduce((sum, n) => sum + n, 0);
        Object.assign(entry.meta, { complete: true, size, done: [0, size] });
        try {
            await entry.save();
        } catch (error) {
            throw storageError(error, "storing a model");
        }
    }
}

async function verify(source: Source, sha256: string[], host: Host): Promise<void> {
    const total = source.sizes.reduce((sum, size) => sum + size, 0);
    const buffer = new Uint8Array(CHUNK);
    let at = 0;
    for (const [part, size] of source.sizes.entries()) {
        const hash = new Sha256();
        for (const end = at + size; at < end; ) {
            const piece = buffer.subarray(0, Math.min(CHUNK, end - at));
            await source.read(piece, at);
            hash.add(piece);
            at += piece.length;
            host.progress.at("verifying", at, total);
            await breathe();
            if (host.signal.aborted) throw new MoteError("aborted", "stopped");
        }
        const found = hash.hex();
        if (found !== sha256[part]) throw new MoteError("checksum", `the file's sha256 is ${found}, not ${sha256[part]}`);
    }
}

/** Copies a Blob into storage under a name. */
export async function storeBlob(blob: Blob, name: string, args: DownloadArgs, host: Host): Promise<StoredModel> {
    const { storage } = host;
    if (!storage) throw new MoteError("storage", "there is no storage here");
    const onWait = (): void => host.progress.at("waiting");
    return withLock(lockOf([name]), { signal: host.signal, onWait }, async () => {
        const entry = await Entry.open(storage, [name]);
        try {
            entry.restart();
            await makeRoom(entry, blob.size, host);
            Object.assign(entry.meta, { parts: [{ url: name, size: blob.size, etag: "", modified: "", ranges: false }], size: blob.size, created: Date.now(), used: Date.now() });
            const local = new BlobSource([blob]);
            const buffer = new Uint8Array(CHUNK);
            for (let at = 0; at < blob.size; at += CHUNK) {
                const piece = buffer.subarray(0, Math.min(CHUNK, blob.size - at));
                await local.read(piece, at);
                if (at === 0) checkMagic(piece);
                entry.write(piece, at);
                host.progress.at("storing", at + piece.length, blob.size);
                if (host.signal.aborted) throw new MoteError("aborted", "stopped");
            }
            await complete(new EntrySource(entry), args.sha256, host);
            return entry.model;
        } catch (error) {
            await entry.close();
            await storage.remove(entry.folder);
            throw error;
        } finally {
            if (entry.meta.complete) await entry.close();
        }
    });
}

/** That a file begins as GGUF files do: told before gigabytes of something else are fetched. */
export function checkMagic(head: Uint8Array): void {
    if (String.fromCharCode(...head.subarray(0, 4)) !== "GGUF") throw new MoteError("format", "magic: this is not a GGUF file", { where: 0 });
}

/** Downloads a model into storage. */
export async function downloadModel(args: DownloadArgs, host: Host): Promise<StoredModel> {
    if (!host.storage) throw new MoteError("storage", "there is no storage here");
    return withSource({ ...args, cache: true }, host, async (source) => {
        const head = new Uint8Array(4);
        await source.ensure(0, Math.min(CHUNK, source.sizes.reduce((sum, size) => sum + size, 0)));
        await source.read(head, 0);
        checkMagic(head);
        await complete(source, args.sha256, host);
        return (source as EntrySource).entry.model;
    });
}
