// SPDX-License-Identifier: Apache-2.0
//
// platform.ts: where browsers, Deno, Bun and Node differ: how workers are made and spoken to, and Node's modules.

/** Node's, Bun's or Deno's `process`, or undefined in a browser. */
const runtime = (globalThis as { process?: { versions?: Record<string, string | undefined>; env?: Record<string, string | undefined> } }).process;

/** Whether there are Node's modules: true in Node, Deno and Bun. */
export const hasNode = runtime?.versions?.["node"] !== undefined && (globalThis as { document?: unknown }).document === undefined;

/** Whether workers are those of node:worker_threads, because there are no others. */
const threadsOnly = hasNode && typeof (globalThis as { Worker?: unknown }).Worker === "undefined";

/** Imports one of Node's modules without bundlers for browsers looking for it. */
export function nodeModule<T>(name: string): Promise<T> {
    return import(/* @vite-ignore */ /* webpackIgnore: true */ `node:${name}`) as Promise<T>;
}

/** An end of a line of messages. */
export interface Port {
    post(message: unknown, transfer?: Transferable[]): void;
    listen(onMessage: (message: never) => void, onError?: (message: string) => void): void;
}

/** A worker, from outside. */
export interface Spawned extends Port {
    onError(handle: (message: string) => void): void;
    /** Whether it alone keeps the process alive (Node, Deno, Bun). */
    hold(held: boolean): void;
    terminate(): void;
}

interface NodeWorker {
    postMessage(message: unknown, transfer?: readonly unknown[]): void;
    on(event: string, listener: (value: never) => void): void;
    ref(): void;
    unref(): void;
    terminate(): Promise<number>;
}

/** Wraps a web Worker that was just made. */
export function wrapWorker(worker: Worker): Spawned {
    return {
        post: (message, transfer) => worker.postMessage(message, transfer ?? []),
        listen: (onMessage) => worker.addEventListener("message", (event) => onMessage(event.data as never)),
        onError: (handle) => {
            worker.addEventListener("error", (event) => {
                event.preventDefault();
                handle(event.message || "the worker's script could not be loaded");
            });
            worker.addEventListener("messageerror", () => handle("a message could not be read"));
        },
        hold: (held) => {
            const holding = worker as unknown as { ref?: () => void; unref?: () => void };
            if (held) holding.ref?.();
            else holding.unref?.();
        },
        terminate: () => worker.terminate(),
    };
}

/** Wraps an end of a MessageChannel. */
export function wrapPort(port: MessagePort): Port {
    return {
        post: (message, transfer) => port.postMessage(message, transfer ?? []),
        listen: (onMessage, onError) => {
            port.onmessageerror = () => onError?.("a message could not be read");
            port.onmessage = (event) => onMessage(event.data as never);
        },
    };
}

/** Makes a worker of Node's. */
export async function spawn(script: string): Promise<Spawned> {
    const { Worker: Thread } = await nodeModule<{ Worker: new (url: URL, options: object) => NodeWorker }>("worker_threads");
    // The options of node's own command line are not for workers: some of them workers refuse.
    const worker = new Thread(new URL(script), { execArgv: [] });
    return {
        post: (message, transfer) => worker.postMessage(message, transfer as readonly unknown[] | undefined),
        listen: (onMessage) => worker.on("message", onMessage),
        onError: (handle) => {
            worker.on("error", (error: Error) => handle(error.message));
            worker.on("messageerror", () => handle("a message could not be read"));
            worker.on("exit", () => handle("the worker ended"));
        },
        hold: (held) => (held ? worker.ref() : worker.unref()),
        terminate: () => void worker.terminate(),
    };
}

/** Whether the page's end of a worker of this script is Node's: where there is no other, and in Deno, whose own workers
 * keep the process alive. Deno starts Node's only from files. */
export const needsThreads = (script: string): boolean => threadsOnly || (runtime?.versions?.["deno"] !== undefined && script.startsWith("file:"));

/** The line to whoever made this worker. */
export async function parentPort(): Promise<Port> {
    if (threadsOnly) {
        const { parentPort: port } = await nodeModule<{ parentPort: NodeWorker | null }>("worker_threads");
        if (!port) throw new Error("not in a worker");
        return {
            post: (message, transfer) => port.postMessage(message, transfer as readonly unknown[] | undefined),
            listen: (onMessage) => port.on("message", onMessage),
        };
    }
    const scope = globalThis as unknown as DedicatedWorkerGlobalScope;
    return {
        post: (message, transfer) => scope.postMessage(message, transfer ?? []),
        listen: (onMessage) => scope.addEventListener("message", (event) => onMessage(event.data as never)),
    };
}

/** Lets messages in: resolves in a later task, without the delay that browsers put on timers. */
export const breathe: () => Promise<void> = makeBreathe();

function makeBreathe(): () => Promise<void> {
    const { setImmediate: immediate } = globalThis as { setImmediate?: (f: () => void) => void };
    if (hasNode && immediate) return () => new Promise((resolve) => immediate(resolve));
    let waiting: (() => void)[] = [];
    let channel: MessageChannel | undefined;
    return () =>
        new Promise((resolve) => {
            if (!channel) {
                channel = new MessageChannel();
                channel.port1.onmessage = () => {
                    const woken = waiting;
                    waiting = [];
                    for (const wake of woken) wake();
                };
            }
            waiting.push(resolve);
            channel.port2.postMessage(0);
        });
}

/** All bytes of a URL or a `file:` URL, unpacked if they are packed by gzip, which servers may have done already. */
export async function readAll(url: string): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await readRaw(url);
    if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(unpacked).arrayBuffer());
}

async function readRaw(url: string): Promise<Uint8Array<ArrayBuffer>> {
    if (hasNode && url.startsWith("file:")) {
        const { readFile } = await nodeModule<{ readFile(path: URL): Promise<Uint8Array> }>("fs/promises");
        return new Uint8Array(await readFile(new URL(url)));
    }
    const response = await fetch(url);
    if (!response.ok) throw new Error(`HTTP ${response.status} for ${url}`);
    return new Uint8Array(await response.arrayBuffer());
}
