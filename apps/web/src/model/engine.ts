// SPDX-License-Identifier: Apache-2.0
//
// The one model that the page has loaded. Another is loaded after this one is closed, since a tab's memory
// rarely holds two.

import { signal } from "@preact/signals";
import { type LoadProgress, type Model, Mote } from "mote";
import { settings } from "../store/settings.ts";
import { isAbort } from "../words.ts";
import { sourceOf } from "./catalogue.ts";

export type Engine =
    | { state: "none" }
    | { state: "loading"; key: string; name: string; progress: LoadProgress | undefined }
    | { state: "ready"; key: string; name: string; model: Model; contextLength: number | null; threads: number | null }
    | { state: "failed"; key: string; name: string; error: unknown };

export const engine = signal<Engine>({ state: "none" });

/** Whether something has the model to itself, so that nothing else may compute. */
export const reserved = signal(false);

const LAST = "mote-last-model";
let loading: AbortController | undefined;
/** Loads and unloads take turns. */
let turn: Promise<unknown> = Promise.resolve();

function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = turn.then(work);
    turn = result.catch(() => undefined);
    return result;
}

/** The model loaded last, in this tab or before. */
export function lastKey(): string | null {
    try {
        return localStorage.getItem(LAST);
    } catch {
        return null;
    }
}

function remember(key: string | null): void {
    try {
        if (key === null) localStorage.removeItem(LAST);
        else localStorage.setItem(LAST, key);
    } catch {
        // Then the next visit starts without a model.
    }
}

/** Loads a model in place of the one at hand, from where its key says or from a file that could not be stored. True
 * when it is ready; otherwise `engine` says why not. */
export function load(key: string, name: string, file?: File): Promise<boolean> {
    loading?.abort();
    const controller = (loading = new AbortController());
    return inTurn(async () => {
        if (controller.signal.aborted) return false;
        await close();
        const { contextLength, threads } = settings.value;
        engine.value = { state: "loading", key, name, progress: undefined };
        try {
            const model = await Mote.load(file ?? sourceOf(key), {
                threads: threads ?? "auto",
                ...(file ? { cache: false } : {}),
                ...(contextLength === null ? {} : { contextLength }),
                signal: controller.signal,
                onProgress: (progress) => {
                    if (!controller.signal.aborted) engine.value = { state: "loading", key, name, progress };
                },
            });
            engine.value = { state: "ready", key, name, model, contextLength, threads };
            if (!file) remember(key);
            return true;
        } catch (error) {
            engine.value = isAbort(error) ? { state: "none" } : { state: "failed", key, name, error };
            return false;
        }
    });
}

async function close(): Promise<void> {
    const now = engine.value;
    engine.value = { state: "none" };
    if (now.state === "ready") await now.model.close();
}

/** Gives the model's memory back. */
export function unload(): Promise<void> {
    loading?.abort();
    remember(null);
    return inTurn(close);
}
