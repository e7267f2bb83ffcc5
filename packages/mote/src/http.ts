// SPDX-License-Identifier: Apache-2.0
//
// http.ts: one request for a range of bytes, with every thing the server says about it checked: a server may ignore
// ranges, send another range than it was asked for, change the file between two requests, cut the connection, or
// send nothing for ever.

import { MoteError } from "./errors.js";

/** What a server says of a file. */
export interface Remote {
    url: string;
    /** 0 if it does not say. */
    size: number;
    etag: string;
    modified: string;
    /** Whether it gives ranges. */
    ranges: boolean;
}

/** A failure after which trying again may help. */
export class Transient extends Error {
    constructor(
        message: string,
        readonly detail: { status?: number; afterMs?: number } = {},
    ) {
        super(message);
    }
}

/** The file is no longer what it was when its first bytes came. */
export class Changed extends Error {}

/** Without a byte for so long, a connection counts as lost. */
const STALL_MS = 30_000;
const MOST_BYTES = 2 ** 42;

interface Asked {
    headers: Record<string, string>;
    signal: AbortSignal;
}

async function request(url: string, method: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    let response: Response;
    try {
        response = await fetch(url, { method, headers, signal, cache: "no-store", redirect: "follow" });
    } catch (error) {
        if (signal.aborted) throw error;
        throw new Transient(`${shown(url)}: ${(error as Error).message}`);
    }
    if (response.ok) return response;
    await response.body?.cancel().catch(() => undefined);
    const { status } = response;
    if (status === 408 || status === 425 || status === 429 || status >= 500) {
        const after = Number(response.headers.get("retry-after"));
        throw new Transient(`${shown(url)}: HTTP ${status}`, { status, ...(after > 0 && after < 120 ? { afterMs: after * 1000 } : {}) });
    }
    if (status === 416) return response;
    throw new MoteError("network", `${shown(url)}: HTTP ${status}`, { status });
}

/** Without its query, which may hold what is secret. */
export function shown(url: string): string {
    return url.replace(/[?#].*$/s, "");
}

/** `bytes a-b/total`, with the numbers checked. */
function contentRange(response: Response): { from: number; to: number; total: number } | undefined {
    const match = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/.exec(response.headers.get("content-range") ?? "");
    if (!match) return undefined;
    const [from, last, total] = [Number(match[1]), Number(match[2]), match[3] === "*" ? 0 : Number(match[3])];
    if (last < from || (total > 0 && last >= total)) throw new MoteError("network", `${shown(response.url)}: its Content-Range '${match[0]}' cannot be`);
    return { from, to: last + 1, total };
}

/** Content-Length, if it is that of the file itself. */
function contentLength(response: Response): number {
    const encoding = response.headers.get("content-encoding");
    const length = response.headers.get("content-length");
    return length !== null && /^\d{1,16}$/.test(length) && (!encoding || encoding === "identity") ? Number(length) : 0;
}

/** Asks a server for a file's size and whether it gives ranges. */
export async function inspect(url: string, { headers, signal }: Asked): Promise<Remote> {
    const response = await request(url, "GET", { ...headers, Range: "bytes=0-0" }, signal);
    const range = response.status === 206 ? contentRange(response) : undefined;
    await response.body?.cancel().catch(() => undefined);
    if (response.status === 416) throw new MoteError("format", `${shown(url)}: the file is empty`, { where: 0 });
    let size = response.status === 206 ? (range?.total ?? 0) : contentLength(response);
    if (response.status === 206 && size === 0) {
        // Other origins hide Content-Range unless they expose it; Content-Length is always seen.
        const head = await request(url, "HEAD", headers, signal);
        size = contentLength(head);
    }
    if (size > MOST_BYTES) throw new MoteError("network", `${shown(url)}: a size of ${size} bytes is not believed`);
    return {
        url,
        size,
        etag: response.headers.get("etag") ?? "",
        modified: response.headers.get("last-modified") ?? "",
        ranges: response.status === 206 && size > 0,
    };
}

/** Whether two answers speak of the same file. */
export function sameFile(a: Remote, b: Remote): boolean {
    if (a.size !== b.size) return false;
    if (a.etag && b.etag) return a.etag === b.etag;
    return !a.modified || !b.modified || a.modified === b.modified;
}

/** Fetches [from, to) of a file (`to` 0: all there is), calling `take` with its bytes in order; what was taken before a
 * failure stays taken. Throws Transient if trying again from there may help, Changed if the file is another one. */
export async function fetchRange(file: Remote, from: number, to: number, { headers, signal }: Asked, take: (bytes: Uint8Array, at: number) => void): Promise<void> {
    const own = new AbortController();
    const stop = (): void => own.abort();
    signal.addEventListener("abort", stop);
    let stalled = false;
    const alarm = (): ReturnType<typeof setTimeout> =>
        setTimeout(() => {
            stalled = true;
            own.abort();
        }, STALL_MS);
    let timer = alarm();
    try {
        if (signal.aborted) throw new MoteError("aborted", "stopped");
        const ranged = file.ranges;
        const asked = ranged ? { ...headers, Range: `bytes=${from}-${to - 1}` } : headers;
        const response = await request(file.url, "GET", asked, own.signal);
        if (response.status === 416) throw new Changed();
        check(file, response, from, to, ranged);
        let at = from;
        const reader = response.body?.getReader();
        while (reader) {
            const { value, done } = await reader.read();
            clearTimeout(timer);
            if (done) break;
            timer = alarm();
            if (to > 0 && at + value.length > to) {
                take(value.subarray(0, to - at), at);
                at = to;
                await reader.cancel().catch(() => undefined);
                if (!ranged) throw new Changed();
                break;
            }
            take(value, at);
            at += value.length;
        }
        if (to > 0 && at < to) throw new Transient(`${shown(file.url)}: the connection was cut`);
    } catch (error) {
        if (error instanceof MoteError || error instanceof Transient || error instanceof Changed) throw error;
        if (signal.aborted) throw new MoteError("aborted", "stopped");
        if (stalled) throw new Transient(`${shown(file.url)}: nothing came for ${STALL_MS / 1000} s`);
        const { name, message } = error as Error;
        // Whatever the stream throws is the network's; what `take` throws is not.
        if (name === "TypeError" || name === "AbortError" || name === "NetworkError" || name === "Error") throw new Transient(`${shown(file.url)}: ${message}`);
        throw error;
    } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", stop);
    }
}

function check(file: Remote, response: Response, from: number, to: number, ranged: boolean): void {
    const etag = response.headers.get("etag");
    if (file.etag && etag && etag !== file.etag) throw new Changed();
    if (!ranged) {
        const length = contentLength(response);
        if (file.size > 0 && length > 0 && length !== file.size) throw new Changed();
        return;
    }
    if (response.status !== 206) throw new Transient(`${shown(file.url)}: the server gave no range`);
    const range = contentRange(response);
    if (!range) return;
    if (range.total > 0 && range.total !== file.size) throw new Changed();
    if (range.from !== from || range.to > to) throw new MoteError("network", `${shown(file.url)}: asked for bytes ${from} to ${to - 1}, the server sent ${range.from} to ${range.to - 1}`);
}
