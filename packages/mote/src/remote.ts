// SPDX-License-Identifier: Apache-2.0
//
// remote.ts: the page's end of the line to the engine's worker. Requests get numbers, answers find their way back by
// them; when the worker is gone, for whatever reason, all that wait are told.

import { MoteError } from "./errors.js";
import { needsThreads, spawn, wrapWorker, type Spawned } from "./platform.js";
import { unpackError, type FromWorker, type Wanted } from "./protocol.js";
import type { ModelStats } from "./types.js";

export interface CallOptions {
    signal?: AbortSignal;
    onPiece?: (piece: string) => void;
    onProgress?: (progress: never) => void;
}

interface Waiting extends CallOptions {
    resolve: (value: never) => void;
    reject: (error: MoteError) => void;
}

const NO_STATS: ModelStats = {
    promptTokens: 0, cachedTokens: 0, generatedTokens: 0, promptSeconds: 0, decodeSeconds: 0, steps: 0, rows: 0,
    active: 0, waiting: 0, sessions: 0, positions: 0, memoryBytes: 0,
}; // prettier-ignore
/** How long the worker may take to end in order. */
const CLOSE_MS = 2000;

async function makeWorker(): Promise<Spawned> {
    const script = new URL("./worker.js", import.meta.url).href;
    if (needsThreads(script)) return spawn(script);
    try {
        // Bundlers know this form, and put the script where it will be found.
        return wrapWorker(new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "mote" }));
    } catch (error) {
        // A worker's script must be of the page's origin; a script that imports another one need not be.
        if ((error as Error).name !== "SecurityError") throw error;
        const shim = URL.createObjectURL(new Blob([`import ${JSON.stringify(script)};`], { type: "text/javascript" }));
        return wrapWorker(new Worker(shim, { type: "module", name: "mote" }));
    }
}

export class Remote {
    stats: ModelStats = NO_STATS;
    readonly #worker: Spawned;
    readonly #threads = new Set<Spawned>();
    readonly #waiting = new Map<number, Waiting>();
    readonly #buffers: Uint8Array[];
    #last = 0;
    #gone: MoteError | undefined;
    #closing: Promise<void> | undefined;

    private constructor(worker: Spawned, buffers: Uint8Array[]) {
        this.#worker = worker;
        this.#buffers = buffers;
        worker.listen((message: FromWorker) => this.#hear(message));
        worker.onError((message) => this.#end(new MoteError("internal", `the engine's worker failed: ${message}`)));
        worker.post({ role: "engine" });
        worker.hold(false);
    }

    /** A new worker. `buffers` are what it may ask bytes of. */
    static async start(buffers: Uint8Array[] = []): Promise<Remote> {
        try {
            return new Remote(await makeWorker(), buffers);
        } catch (error) {
            throw new MoteError("unsupported", `no worker can be made here: ${(error as Error).message}`);
        }
    }

    call<T>(op: string, args: object, options: CallOptions = {}): Promise<T> {
        const { signal } = options;
        if (this.#gone) return Promise.reject(this.#gone);
        if (signal?.aborted) return Promise.reject(new MoteError("aborted", "stopped"));
        const id = ++this.#last;
        return new Promise<T>((resolve, reject) => {
            const stop = (): void => this.#worker.post({ abort: id });
            const settle = (): void => {
                signal?.removeEventListener("abort", stop);
                this.#waiting.delete(id);
                if (this.#waiting.size === 0) this.#worker.hold(false);
            };
            this.#waiting.set(id, {
                ...options,
                resolve: (value) => (settle(), resolve(value)),
                reject: (error) => (settle(), reject(error)),
            });
            this.#worker.hold(true);
            signal?.addEventListener("abort", stop, { once: true });
            try {
                this.#worker.post({ id, op, args });
            } catch (error) {
                this.#waiting.get(id)?.reject(new MoteError("argument", `an argument cannot be sent to a worker: ${(error as Error).message}`));
            }
        });
    }

    close(): Promise<void> {
        this.#closing ??= this.#close();
        return this.#closing;
    }

    async #close(): Promise<void> {
        if (!this.#gone) {
            let timer: ReturnType<typeof setTimeout> | undefined;
            const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_MS)));
            await Promise.race([this.call("close", {}).catch(() => undefined), patience]);
            clearTimeout(timer);
        }
        this.#end(new MoteError("closed", "the model was closed"));
    }

    #end(error: MoteError): void {
        if (this.#gone) return;
        this.#gone = error;
        this.#worker.terminate();
        this.#endThreads();
        this.#buffers.length = 0;
        for (const waiting of [...this.#waiting.values()]) waiting.reject(error);
    }

    #hear(message: FromWorker): void {
        if ("want" in message) void this.#supply(message);
        else if ("pieces" in message) {
            this.stats = message.stats;
            for (const [id, text] of message.pieces) this.#waiting.get(id)?.onPiece?.(text);
        } else if ("stats" in message) this.stats = message.stats;
        else if ("progress" in message) this.#waiting.get(message.id)?.onProgress?.(message.progress as never);
        else if ("error" in message) this.#waiting.get(message.id)?.reject(unpackError(message.error));
        else this.#waiting.get(message.id)?.resolve(message.value as never);
    }

    async #supply(message: { want: number } & Wanted): Promise<void> {
        if ("threads" in message) {
            try {
                this.#endThreads();
                const ports = await Promise.all(Array.from({ length: message.threads }, () => this.#startThread()));
                this.#worker.post({ supply: message.want, ports }, ports);
            } catch (error) {
                this.#endThreads();
                this.#worker.post({ supply: message.want, failed: String(error) });
            }
            return;
        }
        if ("persist" in message) {
            this.#worker.post({ supply: message.want, granted: await persist() });
            return;
        }
        const bytes = (this.#buffers[message.buffer] ?? new Uint8Array(0)).slice(message.at, message.at + message.bytes);
        this.#worker.post({ supply: message.want, bytes }, [bytes.buffer]);
    }

    /** A thread of the engine's worker, and the line to it. The page makes it: a worker that ends while one that it made
     * ends may leave both behind for good in Chromium. */
    async #startThread(): Promise<MessagePort> {
        const thread = await makeWorker();
        if (this.#gone) {
            thread.terminate();
            throw this.#gone;
        }
        this.#threads.add(thread);
        thread.hold(false);
        const { port1, port2 } = new MessageChannel();
        await new Promise<void>((resolve, reject) => {
            let ready = false;
            thread.listen(() => ((ready = true), resolve()));
            thread.onError((message) => {
                if (!ready) reject(new Error(message));
                else if (this.#threads.has(thread)) this.#end(new MoteError("internal", `a thread failed: ${message}`));
            });
            thread.post({ role: "thread", port: port1 }, [port1]);
        });
        return port2;
    }

    #endThreads(): void {
        const threads = [...this.#threads];
        this.#threads.clear();
        for (const thread of threads) thread.terminate();
    }
}

/** Asks the browser not to evict what is stored. */
export async function persist(): Promise<boolean> {
    const storage = (globalThis.navigator as Navigator | undefined)?.storage;
    try {
        return (await storage?.persisted?.()) || ((await storage?.persist?.()) ?? false);
    } catch {
        return false;
    }
}
