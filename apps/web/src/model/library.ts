// SPDX-License-Identifier: Apache-2.0
//
// The models at hand: those offered, those stored whole or in part, and what is being downloaded now. To pause
// a download is to abort it; what has arrived stays, and starting it again goes on from there.

import { computed, signal } from "@preact/signals";
import { type LoadProgress, Mote, type StorageEstimate, type StoredModel } from "mote";
import { isAbort } from "../words.ts";
import { type Offer, added, catalogue, drop, keyOf, nameOf, sourceOf } from "./catalogue.ts";
import { engine, unload } from "./engine.ts";

export interface Transfer {
    progress: LoadProgress;
    controller: AbortController;
}

export interface Entry {
    key: string;
    name: string;
    description: string;
    licence?: string;
    sha256?: string;
    bytes: number;
    /** Bytes that are in storage. */
    loaded: number;
    complete: boolean;
    own: boolean;
}

export const stored = signal<readonly StoredModel[]>([]);
export const room = signal<StorageEstimate | undefined>(undefined);
/** Downloads that run, by key. */
export const transfers = signal<ReadonlyMap<string, Transfer>>(new Map());
/** Why the last download of a key ended badly. */
export const failures = signal<ReadonlyMap<string, unknown>>(new Map());

export const entries = computed<readonly Entry[]>(() => {
    const kept = new Map(stored.value.map((model) => [keyOf(model.source), model]));
    const offered = [...catalogue.value, ...added.value];
    const known = new Set(offered.map((offer) => offer.key));
    return [
        ...offered.map((offer) => entryOf(offer.key, offer, kept.get(offer.key))),
        ...[...kept].filter(([key]) => !known.has(key)).map(([key, model]) => entryOf(key, undefined, model)),
    ];
});

function entryOf(key: string, offer: Offer | undefined, model: StoredModel | undefined): Entry {
    const entry: Entry = {
        key,
        name: offer?.name ?? nameOf(key),
        description: offer?.description ?? (key.startsWith("stored:") ? "from a file on this device" : hostOf(key)),
        bytes: model?.bytes || offer?.bytes || 0,
        loaded: model?.loaded ?? 0,
        complete: model?.complete ?? false,
        own: offer?.own ?? true,
    };
    if (offer?.licence) entry.licence = offer.licence;
    if (offer?.sha256) entry.sha256 = offer.sha256;
    return entry;
}

function hostOf(key: string): string {
    try {
        return new URL(key.split("\n", 1)[0]!).hostname;
    } catch {
        return "";
    }
}

function put<K, V>(map: ReadonlyMap<K, V>, key: K, value: V | undefined): ReadonlyMap<K, V> {
    const copy = new Map(map);
    if (value === undefined) copy.delete(key);
    else copy.set(key, value);
    return copy;
}

export async function refresh(): Promise<void> {
    try {
        stored.value = await Mote.models();
        room.value = await Mote.estimate();
    } catch (error) {
        // No storage (a private window): models can still be loaded, and are gone with the page.
        console.warn("models in storage:", error);
        stored.value = [];
    }
}

function begin(key: string): Transfer {
    const progress: LoadProgress = { phase: "connecting", loaded: 0, total: 0, bytesPerSecond: 0 };
    const transfer = { progress, controller: new AbortController() };
    failures.value = put(failures.value, key, undefined);
    transfers.value = put(transfers.value, key, transfer);
    return transfer;
}

function options(key: string, transfer: Transfer) {
    return {
        signal: transfer.controller.signal,
        onProgress: (progress: LoadProgress) => {
            if (transfers.value.has(key)) transfers.value = put(transfers.value, key, { ...transfer, progress });
        },
    };
}

/** Downloads a model, or goes on with it. True when it is there whole. */
export async function download(entry: Entry): Promise<boolean> {
    const { key, sha256 } = entry;
    if (transfers.value.has(key)) return false;
    const transfer = begin(key);
    // Asked for with the first download, when it is plain what for. Refused, the model may be evicted.
    void Mote.persist().catch(() => false);
    try {
        await Mote.download(sourceOf(key), { ...options(key, transfer), ...(sha256 ? { sha256 } : {}) });
        return true;
    } catch (error) {
        if (!isAbort(error)) failures.value = put(failures.value, key, error);
        return false;
    } finally {
        transfers.value = put(transfers.value, key, undefined);
        await refresh();
    }
}

export function pause(key: string): void {
    transfers.value.get(key)?.controller.abort();
}

/** Copies a file into storage; undefined if that was stopped or failed (see `failures`). */
export async function store(file: File): Promise<StoredModel | undefined> {
    const key = `stored:${file.name}`;
    if (transfers.value.has(key)) return undefined;
    const transfer = begin(key);
    try {
        return await Mote.store(file, { name: file.name, ...options(key, transfer) });
    } catch (error) {
        if (!isAbort(error)) failures.value = put(failures.value, key, error);
        return undefined;
    } finally {
        transfers.value = put(transfers.value, key, undefined);
        await refresh();
    }
}

/** Deletes what is stored of a model, and an address that the user has added. */
export async function remove(entry: Entry): Promise<void> {
    const now = engine.value;
    if ((now.state === "ready" || now.state === "loading") && now.key === entry.key) await unload();
    try {
        if (entry.loaded > 0 || entry.complete) await Mote.remove(sourceOf(entry.key));
        if (entry.own) drop(entry.key);
        failures.value = put(failures.value, entry.key, undefined);
    } finally {
        await refresh();
    }
}
