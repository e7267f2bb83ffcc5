// SPDX-License-Identifier: Apache-2.0
//
// errors.ts: the one kind of error that this package throws. `code` says what to do about it, `message` says
// in words what was wrong; the numbers are there where there are any.

/** What went wrong, for programs:
 *
 * - `memory`: the model and its context need `needed` bytes, `available` could be had
 * - `format`: the file is malformed (`where`: the byte)
 * - `unsupported`: the file is sound but asks for what mote does not do; or this engine lacks WebAssembly SIMD
 * - `network`: the server failed or said what cannot be (`status`: its HTTP status, where it gave one)
 * - `quota`: the browser's storage gives `available` bytes, `needed` are wanted
 * - `storage`: the browser's storage (or the disk) failed
 * - `checksum`: the file is not the one whose sha256 was given
 * - `context`: a text of `needed` tokens does not fit in the context's `available`
 * - `sessions`: all sessions that the model was loaded with are in use
 * - `template`: the chat template failed on these messages
 * - `argument`: an argument is of the wrong type or out of range
 * - `aborted`: an AbortSignal fired
 * - `closed`: the model or the session was closed before
 * - `notfound`: nothing is stored under this name
 * - `internal`: the engine failed, which is a bug in mote */
export type MoteErrorCode =
    | "memory"
    | "format"
    | "unsupported"
    | "network"
    | "quota"
    | "storage"
    | "checksum"
    | "context"
    | "sessions"
    | "template"
    | "argument"
    | "aborted"
    | "closed"
    | "notfound"
    | "internal";

/** The numbers that may come with an error. */
export interface MoteErrorDetail {
    /** Bytes, or tokens for `context`, that were needed … */
    needed?: number;
    /** … and that there were. */
    available?: number;
    /** Byte of the file at which it was found wrong. */
    where?: number;
    /** HTTP status. */
    status?: number;
}

export class MoteError extends Error {
    override readonly name = "MoteError";
    readonly code: MoteErrorCode;
    readonly needed?: number;
    readonly available?: number;
    readonly where?: number;
    readonly status?: number;

    constructor(code: MoteErrorCode, message: string, detail: MoteErrorDetail = {}) {
        super(message);
        this.code = code;
        if (detail.needed !== undefined) this.needed = detail.needed;
        if (detail.available !== undefined) this.available = detail.available;
        if (detail.where !== undefined) this.where = detail.where;
        if (detail.status !== undefined) this.status = detail.status;
    }
}
