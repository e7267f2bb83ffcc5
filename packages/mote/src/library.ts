// SPDX-License-Identifier: Apache-2.0
//
// library.ts: the models in storage. Each is one file, all parts of the model laid end to end, and a meta.json that
// says where it is from, which of its bytes are there, and what was checked. What meta.json says is believed only as
// far as the file bears it out: browsers evict, disks fill, pages die half-way.

import { MoteError } from "./errors.js";
import type { Remote } from "./http.js";
import { Ranges } from "./ranges.js";
import { sha256Text } from "./sha256.js";
import { storageError, withLock, type Storage, type StoredFile } from "./storage.js";
import type { StoredModel } from "./types.js";

const MODELS = "models";
/** Names of models that were stored from a File begin so. */
export const STORED = "stored:";

export interface Meta {
    /** URLs of the parts, or one `stored:NAME`. */
    sources: string[];
    parts: Remote[];
    size: number;
    done: readonly number[];
    complete: boolean;
    /** Of each part, where it was given and was right. */
    sha256: string[];
    created: number;
    used: number;
}

export function folderOf(sources: string[]): string {
    return `${MODELS}/${sha256Text(sources.join("\n")).slice(0, 32)}`;
}

export function lockOf(sources: string[]): string {
    return folderOf(sources).replace("/", "-");
}

const isText = (x: unknown): x is string => typeof x === "string";
const isCount = (x: unknown): x is number => typeof x === "number" && Number.isSafeInteger(x) && x >= 0;

function isPart(x: unknown): x is Remote {
    const part = x as Partial<Remote> | null;
    return typeof part === "object" && part !== null && isText(part.url) && isCount(part.size) && isText(part.etag) && isText(part.modified) && typeof part.ranges === "boolean";
}

function parseMeta(text: string | undefined): Meta | undefined {
    if (text === undefined) return undefined;
    try {
        const meta = JSON.parse(text) as Partial<Meta> | null;
        if (typeof meta !== "object" || meta === null) return undefined;
        const { sources, parts, size, done, complete, sha256, created, used } = meta;
        if (!Array.isArray(sources) || sources.length === 0 || !sources.every(isText) || !Array.isArray(parts) || !parts.every(isPart)) return undefined;
        if (!isCount(size) || !Ranges.parse(done, size) || !Array.isArray(sha256) || !sha256.every(isText)) return undefined;
        if (typeof complete !== "boolean" || typeof created !== "number" || typeof used !== "number") return undefined;
        return meta as Meta;
    } catch {
        return undefined;
    }
}

export async function readMeta(storage: Storage, sources: string[]): Promise<Meta | undefined> {
    return parseMeta(await storage.readText(folderOf(sources), "meta.json"));
}

function describe(meta: Meta): StoredModel {
    const [first] = meta.sources as [string];
    const name = first.startsWith(STORED) ? first.slice(STORED.length) : decode(first.replace(/[?#].*$/s, "").replace(/^.*\//s, "")) || first;
    return {
        source: meta.sources.length === 1 ? first : meta.sources,
        name,
        bytes: meta.size,
        loaded: meta.complete ? meta.size : new Ranges([...meta.done]).bytes,
        complete: meta.complete,
        ...(meta.sha256.length > 0 ? { sha256: meta.sha256.join(" ") } : {}),
        created: meta.created,
        used: meta.used,
    };
}

function decode(text: string): string {
    try {
        return decodeURIComponent(text);
    } catch {
        return text;
    }
}

export async function listModels(storage: Storage): Promise<StoredModel[]> {
    const models: StoredModel[] = [];
    for (const name of await storage.list(MODELS)) {
        const meta = parseMeta(await storage.readText(`${MODELS}/${name}`, "meta.json"));
        if (meta) models.push(describe(meta));
    }
    return models.sort((a, b) => b.used - a.used);
}

/** Removes a model, unless another tab is at work on it. */
export async function removeModel(storage: Storage, sources: string[]): Promise<void> {
    const busy = new AbortController();
    const onWait = (): void => busy.abort();
    try {
        await withLock(lockOf(sources), { signal: busy.signal, onWait }, async () => {
            const folder = folderOf(sources);
            if ((await storage.list(folder)).length === 0) throw new MoteError("notfound", `no stored model '${sources.join(" ")}'`);
            await storage.remove(folder);
        });
    } catch (error) {
        if (busy.signal.aborted) throw new MoteError("storage", "the model is being loaded, here or in another tab");
        throw storageError(error, "removing a model");
    }
}

/** A model in storage, open for reading and writing. Whoever opens one holds its lock. */
export class Entry {
    readonly folder: string;
    #saving: Promise<void> = Promise.resolve();
    #saved = 0;
    #bytesSaved = 0;
    #closed = false;
    #busy = false;

    private constructor(
        readonly storage: Storage,
        readonly file: StoredFile,
        public meta: Meta,
    ) {
        this.folder = folderOf(meta.sources);
    }

    static async open(storage: Storage, sources: string[]): Promise<Entry> {
        try {
            const meta = await readMeta(storage, sources);
            const file = await storage.open(folderOf(sources), "data");
            const empty: Meta = { sources, parts: [], size: 0, done: [], complete: false, sha256: [], created: Date.now(), used: Date.now() };
            const entry = new Entry(storage, file, meta ?? empty);
            const last = meta?.done[meta.done.length - 1] ?? 0;
            if (meta && file.size() < (meta.complete ? meta.size : last)) entry.restart();
            return entry;
        } catch (error) {
            throw storageError(error, "opening a stored model");
        }
    }

    /** Forgets what is there. */
    restart(): void {
        this.file.truncate(0);
        this.meta = { ...this.meta, parts: [], size: 0, done: [], complete: false, sha256: [] };
    }

    write(bytes: Uint8Array, at: number): void {
        try {
            this.file.write(bytes, at);
        } catch (error) {
            throw storageError(error, "writing a model");
        }
    }

    /** Writes meta.json if bytes came, and some time has passed, since it was written; not while it is still being
     * written. Data is flushed first, so that meta never says more than there is. */
    saveSometimes(done: Ranges): void {
        const now = performance.now();
        const bytes = done.bytes;
        if (this.#busy || now - this.#saved < 300 || bytes === this.#bytesSaved) return;
        this.#busy = true;
        this.#saved = now;
        this.#bytesSaved = bytes;
        const finished = (): void => void (this.#busy = false);
        this.save(done).then(finished, finished);
    }

    async save(done?: Ranges): Promise<void> {
        this.file.flush();
        if (done) this.meta.done = [...done.list];
        const text = JSON.stringify(this.meta);
        this.#saving = this.#saving.catch(() => undefined).then(() => this.storage.writeText(this.folder, "meta.json", text));
        return this.#saving;
    }

    get model(): StoredModel {
        return describe(this.meta);
    }

    async close(): Promise<void> {
        if (this.#closed) return;
        this.#closed = true;
        await this.#saving.catch(() => undefined);
        this.file.close();
    }
}
