// SPDX-License-Identifier: Apache-2.0
//
// worker.ts: the worker's script. Its first message says whether it is the engine's worker or one of its threads.

import { downloadModel, storeBlob, type Host } from "./acquire.js";
import { Engine } from "./engine.js";
import { MoteError } from "./errors.js";
import { load } from "./load.js";
import { parentPort, wrapPort, type Port } from "./platform.js";
import { Progress } from "./progress.js";
import { packError, type DownloadArgs, type FromWorker, type LoadArgs, type Supplied, type ToThread, type ToWorker, type Wanted } from "./protocol.js";
import { Reader } from "./reader.js";
import { Service } from "./service.js";
import { openStorage, type Storage } from "./storage.js";

const port = await parentPort();
let handle: ((message: ToWorker) => void) | undefined;
port.listen((message: ToWorker) => {
    if (handle) handle(message);
    else if ("port" in message) thread(wrapPort(message.port));
    else handle = engine(port);
});

/* ---- a thread ---- */

/** Firefox may lose memory on its way to a thread; then it is sent again, so often. */
const LOST_MOST = 100;

/** Tells the page and the engine's worker that it is there, and waits for what the latter says. */
function thread(line: Port): void {
    let instance: Engine | undefined;
    let lost = 0;
    const fail = (message: string): void => line.post({ failed: message });
    line.listen((message: ToThread) => {
        if ("go" in message) return instance?.runThread(message.go);
        try {
            instance = new Engine(message.module, message.memory, message.wide);
            line.post({ ready: true });
        } catch (error) {
            fail(String(error));
        }
    }, (message) => (++lost < LOST_MOST ? line.post({ waiting: true }) : fail(message)));
    line.post({ waiting: true });
    port.post({ ready: true });
}

/* ---- the engine ---- */

function engine(page: Port): (message: ToWorker) => void {
    const calls = new Map<number, AbortController>();
    const supplies = new Map<number, (message: Supplied) => void>();
    let service: Service | Reader | undefined;
    let broken: unknown;
    let pieces: [number, string][] = [];
    let wants = 0;
    const post = (message: FromWorker, transfer?: Transferable[]): void => page.post(message, transfer);

    const want = (ask: Wanted): Promise<Supplied> =>
        new Promise((resolve) => {
            supplies.set(++wants, resolve);
            post({ want: wants, ...ask });
        });

    const flush = (): void => {
        if (!service) return;
        if (pieces.length > 0) post({ pieces, stats: service.stats() });
        else post({ stats: service.stats() });
        pieces = [];
    };

    /** After what is no MoteError, in the engine, nothing of it is sure. */
    const onBroken = (error: unknown): void => {
        broken = error;
        service?.close(new MoteError("internal", packError(error).message));
    };

    const host = (id: number, signal: AbortSignal, storage: Storage | undefined): Host => ({
        signal,
        storage,
        progress: new Progress((progress) => post({ id, progress })),
        pull: async (buffer, at, bytes) => (await want({ buffer, at, bytes })).bytes ?? new Uint8Array(0),
        persist: async () => (await want({ persist: true })).granted ?? false,
        threads: async (count) => {
            const { ports, failed } = await want({ threads: count });
            if (!ports) throw new Error(failed);
            return ports.map(wrapPort);
        },
    });

    async function run(id: number, op: string, args: Record<string, unknown>, signal: AbortSignal): Promise<unknown> {
        if (broken !== undefined) throw new MoteError("internal", packError(broken).message);
        if (op === "load" || op === "download" || op === "store") {
            const storage = await openStorage();
            const with_ = host(id, signal, storage);
            if (op === "download") return downloadModel(args as unknown as DownloadArgs, with_);
            if (op === "store") {
                const { blob, name, ...rest } = args as unknown as DownloadArgs & { blob: Blob; name: string };
                return storeBlob(blob, name, rest, with_);
            }
            const loaded = await load(args as unknown as LoadArgs, with_);
            service = loaded.info.encoder ? new Reader(loaded, flush, onBroken) : new Service(loaded, storage, flush, onBroken);
            post({ stats: service.stats() });
            return service.info;
        }
        if (!service) throw new MoteError("closed", "there is no model");
        if (op === "close") {
            service.close(new MoteError("closed", "the model was closed"));
            service = undefined;
            return undefined;
        }
        return service.call(op, args, { signal, onPiece: (text) => pieces.push([id, text]), onProgress: (progress) => post({ id, progress }) });
    }

    async function answer(id: number, op: string, args: Record<string, unknown>): Promise<void> {
        const controller = new AbortController();
        calls.set(id, controller);
        try {
            const value = await run(id, op, args, controller.signal);
            flush();
            const view = (value as { values?: unknown } | undefined)?.values ?? value;
            const transfer = ArrayBuffer.isView(view) && view.buffer instanceof ArrayBuffer ? [view.buffer] : [];
            post({ id, value }, transfer);
        } catch (error) {
            if (error instanceof WebAssembly.RuntimeError) onBroken(error);
            flush();
            post({ id, error: packError(controller.signal.aborted && !(error instanceof MoteError) ? new MoteError("aborted", "stopped") : error) });
        } finally {
            calls.delete(id);
        }
    }

    return (message) => {
        if ("abort" in message) calls.get(message.abort)?.abort();
        else if ("supply" in message) {
            supplies.get(message.supply)?.(message);
            supplies.delete(message.supply);
        } else if ("op" in message) void answer(message.id, message.op, message.args);
    };
}
