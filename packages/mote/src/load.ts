// SPDX-License-Identifier: Apache-2.0
//
// load.ts: from a source of bytes to an engine that runs.
//
//     1  the file's directory, from its beginning      how much memory all of it will need, exactly
//     2  a memory of that size, or an error            before the rest is downloaded
//     3  the weights, straight into that memory
//     4  model, threads, context
//
// For 1 a small instance opens the directory alone: the engine looks at no weights when it opens a model. If anything
// fails, memory and instance are simply dropped, and threads ended.

import { checkMagic, CHUNK, complete, withSource, type Host } from "./acquire.js";
import { Engine, makeMemory, memoryLimits, unshare, type ContextShape, type MemoryLimits } from "./engine.js";
import { MoteError } from "./errors.js";
import { joinPieces, joinShards, walkDirectory, withoutFactors, type Directory, type Segment } from "./gguf.js";
import { breathe, readAll, type Port } from "./platform.js";
import { choose, LIMIT32, probe, type Choice } from "./probe.js";
import type { FromThread, LoadArgs } from "./protocol.js";
import { Sha256 } from "./sha256.js";
import { copyOverlap, DirectSource, EntrySource, type Source } from "./source.js";
import { POOLINGS, type KvType, type ModelInfo, type ModuleName } from "./types.js";

export interface Loaded {
    engine: Engine;
    /** Lines to the other threads. */
    threads: Port[];
    shape: ContextShape;
    info: ModelInfo;
    /** Addresses of one stream for each session; of an encoder none. */
    streams: number[];
    /** Names the model file among others: hex. */
    fingerprint: string;
}

const KV_TYPES: Record<KvType, number> = { f16: 0, f32: 1, q8_0: 2, q4_0: 3 };
const DEFAULT_POSITIONS = 4096;
/** Texts that an encoder may take together. */
const SEQUENCES = 64;
const HEAD_LEAST = 1 << 20;
const HEAD_MOST = 1 << 28;
const PAGE = 65536;
/** For what calls need while they run: prompts, templates, snapshots. More is taken when it is needed. */
const ROOM = 1 << 20;
/** Beyond what is planned, memory of 64-bit addresses and shared memory may grow so far. */
const GROWTH = 1 << 30;

export async function load(args: LoadArgs, host: Host): Promise<Loaded> {
    return withSource(args, host, (source) => build(args, host, source));
}

function stopIfAborted(host: Host): void {
    if (host.signal.aborted) throw new MoteError("aborted", "stopped");
}

async function build(args: LoadArgs, host: Host, source: Source): Promise<Loaded> {
    const image = await readImage(source, host);
    const started = performance.now();
    const plan = await planMemory(args, image);
    stopIfAborted(host);
    const engine = await instantiate(plan);
    const address = engine.take(image.size);
    const place = (bytes: Uint8Array, at: number): void => {
        // Parts begin where their sizes say; what lies in no segment is a shard's own directory.
        let start = 0;
        source.sizes.forEach((size, part) => {
            for (const segment of image.segments) {
                if (segment.part !== part) continue;
                copyOverlap(bytes, at - start - segment.start, engine.bytes(address + segment.at, segment.length), 0);
            }
            start += size;
        });
    };
    if (source instanceof DirectSource) source.attach(place);
    const starting = startThreads(plan, engine, host);
    const network = performance.now();
    await complete(source instanceof DirectSource ? readable(source, image, engine, address) : source, args.sha256, host);
    const reading = performance.now();
    await readWeights(source, image, engine, address, host);
    engine.openModel(address, image.size);
    const threads = await starting;
    const shape = { ...plan.shape, workers: threads.length + 1 };
    // Before the context puts weights into another order.
    const fingerprint = fingerprintOf(engine.bytes(address, image.size), image.head.length);
    engine.openContext(shape);
    threads.forEach((thread, i) => thread.post({ go: engine.threadStart(i + 1) }));
    const streams = Array.from({ length: image.encoder ? 0 : shape.sessions }, () => engine.newStream());
    const seconds = (performance.now() - started - (reading - network)) / 1000;
    const info = { ...describe(engine, plan, shape, image), loadSeconds: seconds, stored: source instanceof EntrySource ? source.entry.meta.sources.join("\n") : "" };
    host.progress.at("ready", image.size, image.size);
    return { engine, threads, shape, info, streams, fingerprint };
}

/* ---- the file as it will lie in memory ---- */

interface Image {
    size: number;
    segments: Segment[];
    /** Its directory; of a file whose directory cannot be walked, what was read of it. */
    head: Uint8Array;
    walked: boolean;
    encoder: boolean;
    manyLabels: boolean;
}

/** Architectures that are read whole: they have modules of their own. */
const ENCODERS: readonly string[] = ["bert", "nomic-bert", "modern-bert"];

/** Reads as much of a part as its directory takes. */
async function readDirectory(source: Source, start: number, size: number, host: Host): Promise<{ head: Uint8Array; directory: Directory | undefined }> {
    for (let n = Math.min(HEAD_LEAST, size); ; n = Math.min(4 * n, size)) {
        await source.ensure(start, start + n);
        if (size === 0) n = size = Math.min(HEAD_LEAST, source.sizes[0]!);
        const head = new Uint8Array(n);
        await source.read(head, start);
        stopIfAborted(host);
        checkMagic(head);
        const directory = walkDirectory(head);
        if (directory !== "more") return { head: directory ? head.slice(0, Math.min(n, directory.dataOffset)) : head, directory };
        if (n === size || n >= HEAD_MOST) return { head, directory: undefined };
    }
}

async function readImage(source: Source, host: Host): Promise<Image> {
    const first = await readDirectory(source, 0, source.sizes[0]!, host);
    const { sizes } = source;
    const { segments, size } = joinPieces([...sizes]);
    const shards = first.directory?.shards ?? 1;
    const kind = { encoder: ENCODERS.includes(first.directory?.architecture ?? ""), manyLabels: first.directory?.manyLabels ?? false };
    if (shards <= 1) return { segments, size, head: first.head, walked: first.directory !== undefined, ...kind };
    if (shards !== sizes.length) throw new MoteError("format", `this is one of ${shards} shards of a model; ${sizes.length === 1 ? "give all of them" : `${sizes.length} were given`}`);
    const list = [{ head: first.head, directory: first.directory!, size: sizes[0]! }];
    for (let i = 1, start = sizes[0]!; i < sizes.length; start += sizes[i]!, i++) {
        const { head, directory } = await readDirectory(source, start, sizes[i]!, host);
        if (!directory) throw new MoteError("format", `shard ${i + 1} of ${shards}: its directory is malformed`, { where: start });
        list.push({ head, directory, size: sizes[i]! });
    }
    return { ...joinShards(list), walked: true, ...kind };
}

/** A download that is not stored can be read again, for its sha256, from the memory it went to. */
function readable(source: DirectSource, image: Image, engine: Engine, address: number): Source {
    return {
        sizes: source.sizes,
        ensure: (from, to) => source.ensure(from, to),
        read(into, at) {
            if (image.segments[0]!.bytes) throw new MoteError("unsupported", "the sha256 of shards that are not stored cannot be checked");
            into.set(engine.bytes(address + at, into.length));
            return Promise.resolve();
        },
        close: () => source.close(),
    };
}

/** Where a part begins in its source. */
const startOf = (sizes: readonly number[], part: number): number => sizes.slice(0, part).reduce((sum, size) => sum + size, 0);

async function readWeights(source: Source, image: Image, engine: Engine, address: number, host: Host): Promise<void> {
    for (const segment of image.segments) {
        if (segment.bytes) engine.bytes(address + segment.at, segment.length).set(segment.bytes);
        if (segment.bytes || source instanceof DirectSource) continue;
        const from = startOf(source.sizes, segment.part) + segment.start;
        for (let done = 0; done < segment.length; ) {
            const n = Math.min(CHUNK, segment.length - done);
            await source.read(engine.bytes(address + segment.at + done, n), from + done);
            done += n;
            host.progress.at("reading", segment.at + done, image.size);
            await breathe();
            stopIfAborted(host);
        }
    }
}

/* ---- memory ---- */

interface Plan {
    choice: Choice;
    module: WebAssembly.Module;
    limits: MemoryLimits;
    shape: ContextShape;
    contextBytes: number;
    needed: number;
    /** The beginning of memory as the module's start leaves it, constant data unpacked: what takes it a while. */
    begun: Uint8Array;
}

/** A module, with memory that several threads share or not, as is wanted where it may be either. */
async function compile(url: string, name: ModuleName): Promise<{ module: WebAssembly.Module; limits: MemoryLimits }> {
    let bytes: Uint8Array<ArrayBuffer>;
    try {
        bytes = await readAll(url);
    } catch (error) {
        throw new MoteError("network", `the engine's module could not be fetched: ${(error as Error).message}`);
    }
    if (name === "mote" || name === "mote-encoder") unshare(bytes);
    try {
        return { module: await WebAssembly.compile(bytes), limits: memoryLimits(bytes) };
    } catch (error) {
        if (error instanceof MoteError) throw error;
        throw new MoteError("unsupported", `this engine does not take the module ${url}: ${(error as Error).message}`);
    }
}

/** An encoder can have no more than it was made with. */
function positionsOf(args: LoadArgs, image: Image, own: number): number {
    const positions = args.contextLength ?? Math.min(DEFAULT_POSITIONS, own || DEFAULT_POSITIONS);
    return image.encoder ? Math.min(positions, own) : positions;
}

/** Opens the directory alone and computes what the whole will need. */
async function planMemory(args: LoadArgs, image: Image): Promise<Plan> {
    const abilities = probe();
    for (let needed = image.size; ; ) {
        const choice = choose(abilities, args.threads, needed, args.module, image.encoder);
        const { module, limits } = await compile(args.modules[choice.module], choice.module);
        const engine = new Engine(module, makeMemory(limits, 2 * image.head.length + GROWTH / 2), limits.wide);
        const begun = engine.bytes(0, limits.initial * PAGE).slice();
        const address = engine.take(image.head.length);
        engine.bytes(address, image.head.length).set(withoutFactors(image.head));
        // A directory that cannot be walked is not sound: the engine says why, and must not look beyond what is there.
        engine.openModel(address, image.walked ? image.size : image.head.length);
        const shape: ContextShape = {
            positions: positionsOf(args, image, engine.number("context")),
            // One more than the user sees: a snapshot is restored beside what it takes the place of.
            sessions: image.encoder ? SEQUENCES : args.sessions + 1,
            rows: Math.max(args.rows, args.sessions + 1),
            logits: args.sessions + 1,
            kv: KV_TYPES[args.kvType],
            workers: choice.threads,
        };
        if (image.encoder) shape.rows = Math.max(shape.rows, shape.positions);
        const contextBytes = engine.planContext(shape);
        const without = engine.memoryBytes - image.head.length;
        needed = Math.ceil((without + image.size + contextBytes + ROOM) / PAGE) * PAGE;
        if (args.memoryLimit !== undefined && needed > args.memoryLimit) {
            throw new MoteError("memory", `the model needs ${needed} bytes, the limit given is ${args.memoryLimit}`, { needed, available: args.memoryLimit });
        }
        if (limits.wide || needed <= LIMIT32) return { choice, module, limits, shape, contextBytes, needed, begun };
        if (args.module) throw new MoteError("memory", `the model needs ${needed} bytes, ${args.module} addresses ${LIMIT32}`, { needed, available: LIMIT32 });
    }
}

/** A memory that has all the bytes needed, and an instance on it. */
function instantiate(plan: Plan): Engine {
    const { limits, needed } = plan;
    let memory: WebAssembly.Memory | undefined;
    let room = limits.shared || limits.wide ? GROWTH : LIMIT32;
    while (!memory) {
        try {
            memory = makeMemory(limits, needed + room);
        } catch {
            // Engines set aside addresses for all a shared memory may become.
            if (room === 0) throw noMemory(needed, 0);
            room = room > ROOM ? Math.floor(room / 8) : 0;
        }
    }
    new Uint8Array(memory.buffer).set(plan.begun);
    const engine = new Engine(plan.module, memory, limits.wide);
    if (!grow(memory, limits, needed)) throw noMemory(needed, most(memory, limits, needed));
    return engine;
}

function noMemory(needed: number, available: number): MoteError {
    return new MoteError("memory", `the model needs ${needed} bytes of memory, ${available} could be had`, { needed, available });
}

function grow(memory: WebAssembly.Memory, limits: MemoryLimits, bytes: number): boolean {
    const pages = Math.ceil((bytes - memory.buffer.byteLength) / PAGE);
    if (pages <= 0) return true;
    try {
        memory.grow((limits.wide ? BigInt(pages) : pages) as number);
        return true;
    } catch {
        return false;
    }
}

/** How far a memory can grow that cannot grow to n: to 1/64 of that. */
function most(memory: WebAssembly.Memory, limits: MemoryLimits, n: number): number {
    for (let step = n / 2; step > n / 128; step /= 2) grow(memory, limits, memory.buffer.byteLength + step);
    return memory.buffer.byteLength;
}

/* ---- threads ---- */

/** They start while the weights arrive. */
async function startThreads(plan: Plan, engine: Engine, host: Host): Promise<Port[]> {
    const count = plan.shape.workers - 1;
    if (count === 0) return [];
    try {
        const threads = await host.threads(count);
        const ready = (thread: Port): Promise<void> =>
            new Promise((resolve, reject) => {
                // Sent before the thread was heard, memory hardly ever arrives in Firefox.
                thread.listen((message: FromThread) => {
                    if ("waiting" in message) thread.post({ module: engine.module, memory: engine.memory, wide: engine.wide });
                    else if ("ready" in message) resolve();
                    else reject(new Error(message.failed));
                });
            });
        await Promise.all(threads.map(ready));
        return threads;
    } catch (error) {
        await host.threads(0);
        plan.choice = { ...plan.choice, threads: 1, why: `${plan.choice.why}; but threads could not be started (${String(error)}), so one` };
        return [];
    }
}

/* ---- what it is ---- */

function describe(engine: Engine, plan: Plan, shape: ContextShape, image: Image): Omit<ModelInfo, "loadSeconds" | "stored"> {
    const number = engine.number.bind(engine);
    return {
        name: engine.text("name"),
        architecture: engine.text("architecture"),
        parameters: number("parameters"),
        fileBytes: image.size,
        weightsBytes: number("weightsBytes"),
        layers: number("layers"),
        width: number("width"),
        heads: number("heads"),
        kvHeads: number("kvHeads"),
        headWidth: number("headDim"),
        ffn: number("ffn"),
        vocabulary: number("vocabulary"),
        trainedContext: number("context"),
        bos: number("bos"),
        eos: number("eos"),
        tokenizer: engine.text("tokenizer"),
        tokenizerPre: engine.text("tokenizerPre"),
        chatTemplate: engine.text("template"),
        contextLength: shape.positions,
        sessions: image.encoder ? 0 : shape.sessions - 1,
        kvType: image.encoder ? "f32" : (Object.keys(KV_TYPES) as KvType[])[shape.kv]!,
        threads: shape.workers,
        module: plan.choice.module as ModuleName,
        why: plan.choice.why,
        memoryBytes: engine.memoryBytes,
        contextBytes: plan.contextBytes,
        encoder: image.encoder,
        pooling: POOLINGS[image.encoder ? number("pooling") : 0]!,
        labels: image.encoder ? engine.labels() : [],
        labelsTokens: image.encoder && number("labelsTokens") !== 0,
        labelsMany: image.manyLabels,
    };
}

/** A digest of the directory and of some places of the data: enough to keep the snapshots of different models apart. */
function fingerprintOf(file: Uint8Array, headBytes: number): string {
    const SAMPLES = 64;
    const SAMPLE_BYTES = 1024;
    const hash = new Sha256().add(file.subarray(0, headBytes)).add(new TextEncoder().encode(String(file.length)));
    for (let i = 0; i < SAMPLES; i++) {
        const at = Math.floor((file.length * i) / SAMPLES);
        hash.add(file.subarray(at, at + SAMPLE_BYTES));
    }
    return hash.hex().slice(0, 32);
}
