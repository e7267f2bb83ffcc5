// SPDX-License-Identifier: Apache-2.0
//
// storage.ts: files that stay: the origin-private file system in browsers, a cache directory elsewhere.
//
//     mote/models/KEY/data, meta.json        KEY: hex of a sha256 of where the model is from
//     mote/snapshots/MODEL/KEY.bin, .json    MODEL: fingerprint of the model file
//
// Reading and writing data is synchronous, straight from and into the memory given, and possible in workers only;
// what is small goes as text and is replaced as a whole. Whoever changes an entry holds its lock, which other tabs
// (and processes) see.

import { MoteError } from "./errors.js";
import { hasNode, nodeModule } from "./platform.js";

/** An open file. */
export interface StoredFile {
    size(): number;
    /** Bytes read; fewer than asked for only at the end. */
    read(into: Uint8Array, at: number): number;
    write(from: Uint8Array, at: number): void;
    truncate(size: number): void;
    flush(): void;
    close(): void;
}

export interface Storage {
    /** Names in a folder; none if there is no such folder. */
    list(folder: string): Promise<string[]>;
    readText(folder: string, name: string): Promise<string | undefined>;
    writeText(folder: string, name: string, text: string): Promise<void>;
    open(folder: string, name: string): Promise<StoredFile>;
    /** Removes a folder and all in it, or one file in it. */
    remove(folder: string, name?: string): Promise<void>;
    estimate(): Promise<{ usage: number; quota: number; persisted: boolean }>;
}

/** The storage there is here, or undefined: private windows of some browsers have none. */
export async function openStorage(): Promise<Storage | undefined> {
    try {
        return hasNode ? await openDirectory() : await openOrigin();
    } catch {
        return undefined;
    }
}

/** What storage failures mean. */
export function storageError(error: unknown, doing: string): MoteError {
    if (error instanceof MoteError) return error;
    const { name, code, message } = error as { name?: string; code?: string; message?: string };
    if (name === "QuotaExceededError" || code === "ENOSPC" || code === "EDQUOT") return new MoteError("quota", `no room in storage while ${doing}`);
    return new MoteError("storage", `storage failed while ${doing}: ${message ?? String(error)}`);
}

/** Runs a function while holding a lock that other tabs and processes respect. `onWait` is called if another holds it. */
export async function withLock<T>(name: string, options: { signal?: AbortSignal | undefined; onWait?: () => void }, run: () => Promise<T>): Promise<T> {
    const locks = (globalThis.navigator as Navigator | undefined)?.locks;
    if (!locks || hasNode) return withLockFolder(name, options, run);
    const busy = Symbol("busy");
    const first = await locks.request(`mote:${name}`, { ifAvailable: true }, (lock) => (lock ? run() : Promise.resolve(busy)));
    if (first !== busy) return first as T;
    options.onWait?.();
    try {
        return (await locks.request(`mote:${name}`, options.signal ? { signal: options.signal } : {}, run)) as T;
    } catch (error) {
        throw (error as Error).name === "AbortError" ? new MoteError("aborted", "stopped while waiting for another tab") : error;
    }
}

/* ---- browsers ---- */

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function openOrigin(): Promise<Storage> {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("mote", { create: true });
    async function folderHandle(folder: string, create: boolean): Promise<FileSystemDirectoryHandle> {
        let handle = root;
        for (const name of folder.split("/")) handle = await handle.getDirectoryHandle(name, { create });
        return handle;
    }
    const absent = (error: unknown): boolean => (error as Error).name === "NotFoundError";
    return {
        async list(folder) {
            const names: string[] = [];
            try {
                const handle = (await folderHandle(folder, false)) as FileSystemDirectoryHandle & { keys(): AsyncIterable<string> };
                for await (const name of handle.keys()) names.push(name);
            } catch (error) {
                if (!absent(error)) throw error;
            }
            return names;
        },
        async readText(folder, name) {
            try {
                const file = await (await folderHandle(folder, false)).getFileHandle(name);
                return await (await file.getFile()).text();
            } catch (error) {
                if (absent(error)) return undefined;
                throw error;
            }
        },
        async writeText(folder, name, text) {
            const file = await (await folderHandle(folder, true)).getFileHandle(name, { create: true });
            if (!("createWritable" in file)) {
                const handle = wrapHandle(await (file as FileSystemFileHandle).createSyncAccessHandle());
                handle.truncate(0);
                handle.write(new TextEncoder().encode(text), 0);
                handle.close();
                return;
            }
            // A writable replaces the file when it is closed: a page that goes away leaves the old text.
            const writable = await file.createWritable();
            await writable.write(text);
            await writable.close();
        },
        async open(folder, name) {
            const file = await (await folderHandle(folder, true)).getFileHandle(name, { create: true });
            for (let tries = 0; ; tries++) {
                try {
                    return wrapHandle(await file.createSyncAccessHandle());
                } catch (error) {
                    // The worker of a page that was just reloaded may hold the file a moment longer.
                    if ((error as Error).name !== "NoModificationAllowedError" || tries === 50) throw error;
                    await wait(100);
                }
            }
        },
        async remove(folder, name) {
            try {
                const parts = folder.split("/");
                if (name !== undefined) await (await folderHandle(folder, false)).removeEntry(name);
                else await (await folderHandle(parts.slice(0, -1).join("/"), false)).removeEntry(parts[parts.length - 1]!, { recursive: true });
            } catch (error) {
                if (!absent(error)) throw error;
            }
        },
        async estimate() {
            const { usage = 0, quota = 0 } = await navigator.storage.estimate();
            return { usage, quota, persisted: await navigator.storage.persisted() };
        },
    };
}

/** Bytes that pass through a copy where an engine does not read into shared memory. */
const BOUNCE_BYTES = 1 << 22;

function wrapHandle(handle: FileSystemSyncAccessHandle): StoredFile {
    let bounce: Uint8Array<ArrayBuffer> | undefined;
    return {
        size: () => handle.getSize(),
        read(into, at) {
            if (!bounce) {
                try {
                    return handle.read(into as Uint8Array<ArrayBuffer>, { at });
                } catch (error) {
                    if (!(error instanceof TypeError)) throw error;
                    bounce = new Uint8Array(BOUNCE_BYTES);
                }
            }
            let done = 0;
            while (done < into.length) {
                const n = handle.read(bounce.subarray(0, Math.min(BOUNCE_BYTES, into.length - done)), { at: at + done });
                if (n === 0) break;
                into.set(bounce.subarray(0, n), done);
                done += n;
            }
            return done;
        },
        write(from, at) {
            const plain = from.buffer instanceof ArrayBuffer ? (from as Uint8Array<ArrayBuffer>) : undefined;
            for (let done = 0; done < from.length; ) {
                const piece = plain ? plain.subarray(done) : from.slice(done, done + BOUNCE_BYTES);
                const n = handle.write(piece as Uint8Array<ArrayBuffer>, { at: at + done });
                if (n === 0) throw new MoteError("quota", "no room in storage");
                done += n;
            }
        },
        truncate: (size) => handle.truncate(size),
        flush: () => handle.flush(),
        close: () => handle.close(),
    };
}

/* ---- Node, Deno, Bun ---- */

type Fs = typeof import("node:fs");
type Path = typeof import("node:path");

/** The cache directory: $MOTE_CACHE, else $XDG_CACHE_HOME/mote, else ~/.cache/mote; below it "js". */
async function directory(): Promise<{ fs: Fs; path: Path; base: string }> {
    const [fs, path, os] = await Promise.all([nodeModule<Fs>("fs"), nodeModule<Path>("path"), nodeModule<typeof import("node:os")>("os")]);
    const { env } = await nodeModule<typeof import("node:process")>("process");
    const cache = env["MOTE_CACHE"] || path.join(env["XDG_CACHE_HOME"] || path.join(os.homedir(), ".cache"), "mote");
    return { fs, path, base: path.join(cache, "js") };
}

async function openDirectory(): Promise<Storage> {
    const { fs, path, base } = await directory();
    fs.mkdirSync(base, { recursive: true });
    const missing = (error: unknown): boolean => (error as { code?: string }).code === "ENOENT";
    return {
        list(folder) {
            try {
                return Promise.resolve(fs.readdirSync(path.join(base, folder)));
            } catch (error) {
                if (missing(error)) return Promise.resolve([]);
                throw error;
            }
        },
        readText(folder, name) {
            try {
                return Promise.resolve(fs.readFileSync(path.join(base, folder, name), "utf8"));
            } catch (error) {
                if (missing(error)) return Promise.resolve(undefined);
                throw error;
            }
        },
        writeText(folder, name, text) {
            fs.mkdirSync(path.join(base, folder), { recursive: true });
            const whole = path.join(base, folder, name);
            fs.writeFileSync(`${whole}.new`, text);
            fs.renameSync(`${whole}.new`, whole);
            return Promise.resolve();
        },
        open(folder, name) {
            fs.mkdirSync(path.join(base, folder), { recursive: true });
            const { O_RDWR, O_CREAT } = fs.constants;
            return Promise.resolve(wrapDescriptor(fs, fs.openSync(path.join(base, folder, name), O_RDWR | O_CREAT, 0o644)));
        },
        remove(folder, name) {
            fs.rmSync(path.join(base, folder, name ?? ""), { recursive: true, force: true });
            return Promise.resolve();
        },
        estimate() {
            const { bavail, bsize, blocks } = fs.statfsSync(base);
            return Promise.resolve({ usage: (blocks - bavail) * bsize, quota: blocks * bsize, persisted: true });
        },
    };
}

/** A file of the disk, for reading: the model that a path names. */
export async function openPath(name: string): Promise<StoredFile> {
    const fs = await nodeModule<Fs>("fs");
    return wrapDescriptor(fs, fs.openSync(name.startsWith("file:") ? new URL(name) : name, "r"));
}

function wrapDescriptor(fs: Fs, descriptor: number): StoredFile {
    return {
        size: () => fs.fstatSync(descriptor).size,
        read(into, at) {
            let done = 0;
            while (done < into.length) {
                const n = fs.readSync(descriptor, into, done, into.length - done, at + done);
                if (n === 0) break;
                done += n;
            }
            return done;
        },
        write(from, at) {
            for (let done = 0; done < from.length; ) done += fs.writeSync(descriptor, from, done, from.length - done, at + done);
        },
        truncate: (size) => fs.ftruncateSync(descriptor, size),
        flush: () => fs.fsyncSync(descriptor),
        close: () => fs.closeSync(descriptor),
    };
}

/** A lock by a folder that only one can make. Its holder touches it; one that was not touched for long is nobody's. */
async function withLockFolder<T>(name: string, options: { signal?: AbortSignal | undefined; onWait?: () => void }, run: () => Promise<T>): Promise<T> {
    const STALE_MS = 20_000;
    const { fs, path, base } = await directory();
    const lock = path.join(base, "locks", name);
    fs.mkdirSync(path.dirname(lock), { recursive: true });
    for (let waited = false; ; ) {
        try {
            fs.mkdirSync(lock);
            break;
        } catch (error) {
            if ((error as { code?: string }).code !== "EEXIST") throw error;
        }
        if (options.signal?.aborted) throw new MoteError("aborted", "stopped while waiting for another process");
        const touched = fs.statSync(lock, { throwIfNoEntry: false })?.mtimeMs;
        if (touched !== undefined && Date.now() - touched > STALE_MS) fs.rmSync(lock, { recursive: true, force: true });
        else {
            if (!waited) options.onWait?.();
            waited = true;
            await wait(50);
        }
    }
    const touch = setInterval(() => fs.utimes(lock, new Date(), new Date(), () => undefined), STALE_MS / 4);
    try {
        return await run();
    } finally {
        clearInterval(touch);
        fs.rmSync(lock, { recursive: true, force: true });
    }
}
