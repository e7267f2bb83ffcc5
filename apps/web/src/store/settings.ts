// SPDX-License-Identifier: Apache-2.0
//
// The page's settings, kept in localStorage. A stored value out of its range falls back to the default.

import { effect, signal } from "@preact/signals";

export interface Settings {
    theme: "auto" | "light" | "dark";
    /** What new conversations begin with. */
    system: string;
    temperature: number;
    topK: number;
    topP: number;
    minP: number;
    repeatPenalty: number;
    maxTokens: number;
    /** null: a new one for each answer. */
    seed: number | null;
    /** Positions of the KV cache; null: what the model was made for, within reason. */
    contextLength: number | null;
    /** null: as many as make sense here. */
    threads: number | null;
    livePanel: boolean;
}

/** Ranges of the numbers, with the step that a slider moves by. */
export const RANGES = {
    temperature: { min: 0, max: 2, step: 0.05, whole: false },
    topK: { min: 0, max: 200, step: 1, whole: true },
    topP: { min: 0.05, max: 1, step: 0.01, whole: false },
    minP: { min: 0, max: 0.5, step: 0.01, whole: false },
    repeatPenalty: { min: 1, max: 2, step: 0.01, whole: false },
    maxTokens: { min: 1, max: 32768, step: 1, whole: true },
    seed: { min: 0, max: 4294967295, step: 1, whole: true },
    contextLength: { min: 128, max: 131072, step: 128, whole: true },
    threads: { min: 1, max: 64, step: 1, whole: true },
} as const;
export type NumberSetting = keyof typeof RANGES;

export const DEFAULTS: Settings = {
    theme: "auto",
    system: "",
    temperature: 0.7,
    topK: 40,
    topP: 0.95,
    minP: 0.05,
    repeatPenalty: 1.05,
    maxTokens: 1024,
    seed: null,
    contextLength: null,
    threads: null,
    livePanel: true,
};

const KEY = "mote-settings";

export function inRange(name: NumberSetting, value: unknown): value is number {
    const range = RANGES[name];
    return (
        typeof value === "number" &&
        value >= range.min &&
        value <= range.max &&
        (!range.whole || Number.isInteger(value))
    );
}

function read(): Settings {
    const settings = { ...DEFAULTS };
    let stored: Record<string, unknown> = {};
    try {
        const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
        if (typeof value === "object" && value !== null) stored = value as Record<string, unknown>;
    } catch {
        return settings; // no storage, or not ours
    }
    if (stored.theme === "light" || stored.theme === "dark") settings.theme = stored.theme;
    if (typeof stored.system === "string" && stored.system.length <= 100_000) settings.system = stored.system;
    if (typeof stored.livePanel === "boolean") settings.livePanel = stored.livePanel;
    for (const name of Object.keys(RANGES) as NumberSetting[]) {
        const value = stored[name];
        if (inRange(name, value)) settings[name] = value;
    }
    return settings;
}

export const settings = signal<Settings>(read());

export function change(part: Partial<Settings>): void {
    settings.value = { ...settings.value, ...part };
}

effect(() => {
    try {
        localStorage.setItem(KEY, JSON.stringify(settings.value));
    } catch {
        // Without storage the settings last as long as the page.
    }
});

effect(() => {
    const theme = settings.value.theme;
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
});
