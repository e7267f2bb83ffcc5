// SPDX-License-Identifier: Apache-2.0
//
// remote.ts: the page's end of the line to the engine's worker.

import type { ModelStats } from "./types.js";

export interface CallOptions {
    signal?: AbortSignal;
    onPiece?: (piece: string) => void;
}

export interface Remote {
    stats: ModelStats;
    call<T>(op: string, args: Record<string, unknown>, options?: CallOptions): Promise<T>;
    close(): Promise<void>;
}
