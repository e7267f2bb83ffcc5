// SPDX-License-Identifier: Apache-2.0
//
// source.ts: where the bytes of a model come from. A source is all parts of the model, end to end; it is asked to have
// a stretch ready (which is when a download downloads), and then for the bytes.

import { Download } from "./download.js";
import { MoteError } from "./errors.js";
import type { Entry } from "./library.js";
import type { Ranges } from "./ranges.js";
import { storageError, type StoredFile } from "./storage.js";

export interface Source {
    /** Of the parts; one may be 0 while it is not yet known, before anything was ensured. */
    readonly sizes: number[];
    /** Has [from, to) ready to be read. */
    ensure(from: number, to: number): Promise<void>;
    /** Fills `into` with the bytes at a place that is ready. */
    read(into: Uint8Array, at: number): Promise<void>;
    close(): Promise<void>;
}

function truncated(at: number): MoteError {
    return new MoteError("format", "the file ends too early", { where: at });
}

/** Calls `each` for the stretches of [at, at + n) that lie in one part. */
function split(sizes: readonly number[], at: number, n: number, each: (part: number, from: number, done: number, length: number) => void): void {
    let start = 0;
    sizes.forEach((size, part) => {
        const from = Math.max(at, start);
        const to = Math.min(at + n, start + size);
        if (from < to) each(part, from - start, from - at, to - from);
        start += size;
    });
}

export class FileSource implements Source {
    readonly sizes: number[];
    constructor(private readonly files: StoredFile[]) {
        this.sizes = files.map((file) => file.size());
    }
    ensure(): Promise<void> {
        return Promise.resolve();
    }
    read(into: Uint8Array, at: number): Promise<void> {
        split(this.sizes, at, into.length, (part, from, done, length) => {
            if (this.files[part]!.read(into.subarray(done, done + length), from) !== length) throw truncated(at);
        });
        return Promise.resolve();
    }
    close(): Promise<void> {
        for (const file of this.files) file.close();
        return Promise.resolve();
    }
}

export class BlobSource implements Source {
    readonly sizes: number[];
    constructor(private readonly blobs: Blob[]) {
        this.sizes = blobs.map((blob) => blob.size);
    }
    ensure(): Promise<void> {
        return Promise.resolve();
    }
    async read(into: Uint8Array, at: number): Promise<void> {
        const pieces: Promise<void>[] = [];
        split(this.sizes, at, into.length, (part, from, done, length) => {
            const slice = this.blobs[part]!.slice(from, from + length);
            pieces.push(slice.arrayBuffer().then((bytes) => into.set(new Uint8Array(bytes), done)));
        });
        try {
            await Promise.all(pieces);
        } catch (error) {
            throw new MoteError("storage", `the file cannot be read: ${(error as Error).message}`);
        }
    }
    close(): Promise<void> {
        return Promise.resolve();
    }
}

/** Buffers that stay with the page, which sends pieces of them. */
export class PageSource implements Source {
    constructor(
        readonly sizes: number[],
        private readonly fetch: (part: number, at: number, bytes: number) => Promise<Uint8Array>,
    ) {}
    ensure(): Promise<void> {
        return Promise.resolve();
    }
    async read(into: Uint8Array, at: number): Promise<void> {
        const pieces: Promise<void>[] = [];
        split(this.sizes, at, into.length, (part, from, done, length) => {
            pieces.push(
                this.fetch(part, from, length).then((bytes) => {
                    if (bytes.length !== length) throw truncated(at);
                    into.set(bytes, done);
                }),
            );
        });
        await Promise.all(pieces);
    }
    close(): Promise<void> {
        return Promise.resolve();
    }
}

/** A model in storage, whole or not: what is missing is downloaded into it. */
export class EntrySource implements Source {
    constructor(
        readonly entry: Entry,
        private readonly download?: Download,
    ) {}
    get sizes(): number[] {
        return this.entry.meta.parts.map((part) => part.size);
    }
    async ensure(from: number, to: number): Promise<void> {
        await this.download?.fetch(from, to);
    }
    read(into: Uint8Array, at: number): Promise<void> {
        try {
            if (this.entry.file.read(into, at) !== into.length) throw truncated(at);
        } catch (error) {
            throw storageError(error, "reading a model");
        }
        return Promise.resolve();
    }
    /** The entry is its opener's to close. */
    close(): Promise<void> {
        return Promise.resolve();
    }
}

/** A download that is not stored. Until it is told where the bytes belong, it keeps them here (a directory's length);
 * from then on they go there as they arrive. */
export class DirectSource implements Source {
    #held: { at: number; bytes: Uint8Array }[] = [];
    #place: ((bytes: Uint8Array, at: number) => void) | undefined;
    readonly download: Download;

    constructor(
        make: (sink: { write(bytes: Uint8Array, at: number): void }) => Download,
        readonly done: Ranges,
    ) {
        this.download = make({
            write: (bytes, at) => {
                this.#place?.(bytes, at);
                if (!this.#place) this.#held.push({ at, bytes });
            },
        });
    }
    get sizes(): number[] {
        return this.download.parts.map((part) => part.size);
    }
    ensure(from: number, to: number): Promise<void> {
        return this.download.fetch(from, to);
    }
    read(into: Uint8Array, at: number): Promise<void> {
        if (this.done.missing(at, at + into.length).length > 0) throw truncated(at);
        for (const held of this.#held) copyOverlap(held.bytes, held.at, into, at);
        return Promise.resolve();
    }
    /** Gives away what came and all that will come. Bytes that are given twice are the same. */
    attach(place: (bytes: Uint8Array, at: number) => void): void {
        this.#place = place;
        for (let held; (held = this.#held.shift()); ) place(held.bytes, held.at);
    }
    close(): Promise<void> {
        this.#held = [];
        return Promise.resolve();
    }
}

/** Copies what two stretches have in common; returns how much that was. */
export function copyOverlap(from: Uint8Array, fromAt: number, into: Uint8Array, intoAt: number): number {
    const start = Math.max(fromAt, intoAt);
    const end = Math.min(fromAt + from.length, intoAt + into.length);
    if (end <= start) return 0;
    into.set(from.subarray(start - fromAt, end - fromAt), start - intoAt);
    return end - start;
}
