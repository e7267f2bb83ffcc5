// SPDX-License-Identifier: Apache-2.0
//
// index.ts: the package. `Mote.load` gives a Model; everything else is reached from there.
//
//     page ── Model, Session, Generation ── messages ── engine worker ── mote.wasm ── thread workers
//
// All computing, downloading and storing is done in workers; the calling thread only passes messages.

export { MoteError } from "./errors.js";
export type { MoteErrorCode, MoteErrorDetail } from "./errors.js";
export type * from "./types.js";
export { Mote } from "./mote.js";
export { Model } from "./model.js";
export { Session } from "./session.js";
export { Generation } from "./generation.js";
