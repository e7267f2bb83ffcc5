// SPDX-License-Identifier: Apache-2.0
//
// gguf.ts: how long a GGUF file's directory is, and how several files become one.
//
//     "GGUF" version n_tensors n_keys | keys … | tensors: name dims type offset … | padding | data
//
// The engine reads directories itself and checks them; here they are only walked, so that a file's memory can be
// computed when no more than its beginning has arrived. The shards that gguf-split makes are files of their own,
// each with a part of the tensors. They are joined by writing one directory for all, in which each shard's offsets
// are moved by where its data will lie; data is not touched:
//
//     | directory of all | data of shard 1 | data of shard 2 | …
//
// Walking is bounded by the bytes at hand, whatever the counts in them say.

import { MoteError } from "./errors.js";

/** Bytes of a value of each type, 0 for strings (8) and arrays (9). */
const TYPE_BYTES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
const STRING = 8;
const ARRAY = 9;
const MOST_DIMS = 4;

interface Entry {
    start: number;
    end: number;
}

export interface Directory {
    version: number;
    keys: (Entry & { name: string })[];
    tensors: (Entry & { name: string; offsetAt: number; offset: number })[];
    alignment: number;
    /** general.architecture, and mote.head.many_labels. */
    architecture: string;
    manyLabels: boolean;
    /** Where the data begins. */
    dataOffset: number;
    /** Number of shards, and which this is; 1 and 0 for a file that is whole. */
    shards: number;
    shard: number;
}

class More extends Error {}
class Malformed extends Error {}

/** A cursor over the bytes that have arrived. */
class Cursor {
    at = 0;
    readonly #view: DataView;
    constructor(readonly bytes: Uint8Array) {
        this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    skip(n: number): number {
        const at = this.at;
        if (n > this.bytes.length - at) throw new More();
        this.at += n;
        return at;
    }
    u32(): number {
        return this.#view.getUint32(this.skip(4), true);
    }
    u64(): number {
        const value = Number(this.#view.getBigUint64(this.skip(8), true));
        if (!Number.isSafeInteger(value)) throw new Malformed();
        return value;
    }
    text(): string {
        const n = this.u64();
        const at = this.skip(n);
        return n > 256 ? "" : String.fromCharCode(...this.bytes.subarray(at, at + n));
    }
    /** Skips a value and returns it if it is a whole number of up to 32 bits, a truth, or a short text. */
    value(): number | string | undefined {
        const type = this.u32();
        if (type === STRING) {
            return this.text();
        } else if (type === ARRAY) {
            const element = this.u32();
            const n = this.u64();
            if (element === STRING) for (let i = 0; i < n; i++) this.skip(this.u64());
            else this.skip(n * size(element));
        } else {
            const at = this.skip(size(type));
            if (type === 7) return this.bytes[at]!;
            if (type === 2) return this.#view.getUint16(at, true);
            if (type === 4) return this.#view.getUint32(at, true);
            if (type === 5) return this.#view.getInt32(at, true);
        }
        return undefined;
    }
}

function size(type: number): number {
    const bytes = TYPE_BYTES[type];
    if (!bytes) throw new Malformed();
    return bytes;
}

/** Walks the directory at the start of a file. `"more"` if it does not end within these bytes; undefined if it is no
 * directory that could be walked: then the engine will say what is wrong with it. */
export function walkDirectory(bytes: Uint8Array): Directory | "more" | undefined {
    try {
        return walk(new Cursor(bytes));
    } catch (error) {
        if (error instanceof More) return "more";
        if (error instanceof Malformed) return undefined;
        throw error;
    }
}

function walk(cursor: Cursor): Directory {
    if (cursor.u32() !== 0x46554747) throw new Malformed();
    const version = cursor.u32();
    if (version < 2 || version > 3) throw new Malformed();
    const nTensors = cursor.u64();
    const nKeys = cursor.u64();
    const directory: Directory = { version, keys: [], tensors: [], alignment: 32, architecture: "", manyLabels: false, dataOffset: 0, shards: 1, shard: 0 };
    for (let i = 0; i < nKeys; i++) {
        const start = cursor.at;
        const name = cursor.text();
        const value = cursor.value();
        directory.keys.push({ start, end: cursor.at, name });
        if (name === "general.architecture" && typeof value === "string") directory.architecture = value;
        if (typeof value !== "number") continue;
        if (name === "mote.head.many_labels") directory.manyLabels = value !== 0;
        if (name === "general.alignment") directory.alignment = value;
        if (name === "split.count") directory.shards = value;
        if (name === "split.no") directory.shard = value;
    }
    if (directory.alignment < 1 || directory.alignment > 1 << 24) throw new Malformed();
    for (let i = 0; i < nTensors; i++) {
        const start = cursor.at;
        const name = cursor.text();
        const nDims = cursor.u32();
        if (nDims > MOST_DIMS) throw new Malformed();
        cursor.skip(8 * nDims + 4);
        const offsetAt = cursor.at;
        directory.tensors.push({ start, name, offsetAt, offset: cursor.u64(), end: cursor.at });
    }
    directory.dataOffset = roundUp(cursor.at, directory.alignment);
    return directory;
}

const roundUp = (n: number, to: number): number => Math.ceil(n / to) * to;

/** A directory to plan with, while there is no data: the one tensor whose values the engine looks at when it opens a
 * model is not found under its name. */
export function withoutFactors(head: Uint8Array): Uint8Array {
    const directory = walkDirectory(head);
    const factors = typeof directory === "object" ? directory.tensors.find((tensor) => tensor.name === "rope_freqs.weight") : undefined;
    if (!factors) return head;
    const copy = head.slice();
    copy[factors.start + 8] = "R".charCodeAt(0);
    return copy;
}

/** A stretch of the whole file: bytes made here, or a part's bytes from `start` on. */
export interface Segment {
    at: number;
    length: number;
    bytes?: Uint8Array;
    part: number;
    start: number;
}

export interface Shard {
    /** The file's beginning, at least as long as its directory. */
    head: Uint8Array;
    directory: Directory;
    size: number;
}

/** Joins shards, which must be all there and in order, into the segments of one file. */
export function joinShards(shards: Shard[]): { segments: Segment[]; size: number; head: Uint8Array } {
    const first = shards[0]!.directory;
    shards.forEach(({ directory, size }, i) => {
        const wrong = directory.shards !== shards.length || directory.shard !== i;
        if (wrong) throw new MoteError("format", `shard ${i + 1} of ${shards.length} says it is number ${directory.shard + 1} of ${directory.shards}`);
        if (directory.dataOffset > size) throw new MoteError("format", `shard ${i + 1} ends within its directory`, { where: size });
        if (directory.alignment !== first.alignment) throw new MoteError("unsupported", "shards of different alignment");
    });
    const keys = first.keys.filter((key) => !key.name.startsWith("split."));
    const pieces: Uint8Array[] = [new Uint8Array(24), ...keys.map((key) => shards[0]!.head.subarray(key.start, key.end))];
    const bases: number[] = [];
    let data = 0;
    for (const { head, directory, size } of shards) {
        bases.push(data);
        for (const tensor of directory.tensors) {
            const entry = head.slice(tensor.start, tensor.end);
            new DataView(entry.buffer).setBigUint64(tensor.offsetAt - tensor.start, BigInt(tensor.offset + data), true);
            pieces.push(entry);
        }
        data += roundUp(size - directory.dataOffset, first.alignment);
    }
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const head = new Uint8Array(roundUp(length, first.alignment));
    let at = 0;
    for (const piece of pieces) {
        head.set(piece, at);
        at += piece.length;
    }
    const view = new DataView(head.buffer);
    view.setUint32(0, 0x46554747, true);
    view.setUint32(4, first.version, true);
    view.setBigUint64(8, BigInt(shards.reduce((sum, shard) => sum + shard.directory.tensors.length, 0)), true);
    view.setBigUint64(16, BigInt(keys.length), true);
    const segments: Segment[] = [{ at: 0, length: head.length, bytes: head, part: -1, start: 0 }];
    shards.forEach(({ directory, size }, part) => {
        segments.push({ at: head.length + bases[part]!, length: size - directory.dataOffset, part, start: directory.dataOffset });
    });
    const last = segments[segments.length - 1]!;
    return { segments, size: last.at + last.length, head };
}

/** The segments of a file that was simply cut into parts of these sizes. */
export function joinPieces(sizes: number[]): { segments: Segment[]; size: number } {
    let at = 0;
    const segments = sizes.map((length, part) => ({ at: (at += length) - length, length, part, start: 0 }));
    return { segments, size: at };
}
