// SPDX-License-Identifier: Apache-2.0
//
// mote.ts: what can be done before there is a model: load one, download one, look after those that are stored.

import { MoteError } from "./errors.js";
import type { Model } from "./model.js";
import type { DownloadOptions, LoadOptions, ModelSource, StorageEstimate, StoredModel, Support } from "./types.js";

const later = (): never => {
    throw new MoteError("internal", "not built yet");
};

export const Mote = {
    /** The version of this package. */
    version: "0.1.0",

    /** Loads a model, from wherever it is, into workers of its own.
     *
     * A URL is downloaded into the browser's storage first, unless it is there already, and loaded from there without
     * any network the next time (with a server's ETag or size checked when there is a network). Errors: see
     * MoteErrorCode; after any of them, no worker and no memory is left. */
    load(source: ModelSource | ModelSource[], options: LoadOptions = {}): Promise<Model> {
        return later();
    },

    /** Downloads a model into storage without loading it. Goes on where an earlier call was stopped. */
    download(source: string | URL | (string | URL)[], options: DownloadOptions = {}): Promise<StoredModel> {
        return later();
    },

    /** Copies a File into storage under a name, so that `Mote.load("stored:NAME")` finds it without asking the
     * user again. */
    store(file: Blob, options: DownloadOptions & { name?: string } = {}): Promise<StoredModel> {
        return later();
    },

    /** The models in storage, whole or in part, the last used first. */
    models(): Promise<StoredModel[]> {
        return later();
    },

    /** Removes a model from storage. Errors: `notfound`; `storage` if another tab is loading it. */
    remove(source: string | URL): Promise<void> {
        return later();
    },

    /** How much room there is in storage. */
    estimate(): Promise<StorageEstimate> {
        return later();
    },

    /** Asks the browser not to evict what is stored. True if it promises. */
    persist(): Promise<boolean> {
        return later();
    },

    /** What this engine can do. */
    support(): Promise<Support> {
        return later();
    },
};
