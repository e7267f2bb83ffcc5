// SPDX-License-Identifier: Apache-2.0
//
// Settings: the system prompt of this conversation, how tokens are picked, and how models are loaded.

import { signal } from "@preact/signals";
import { useLayoutEffect, useState } from "preact/hooks";
import { draftSystem, setSystem } from "../action.ts";
import { engine, load } from "../model/engine.ts";
import { running } from "../model/answer.ts";
import { route } from "../route.ts";
import { find } from "../store/conversations.ts";
import { DEFAULTS, type NumberSetting, RANGES, change, inRange, settings } from "../store/settings.ts";
import { Dialog } from "./dialog.tsx";

export const settingsOpen = signal(false);

export function SettingsDialog() {
    if (!settingsOpen.value) return null;
    return (
        <Dialog title="Settings" class="settings" onClose={() => (settingsOpen.value = false)}>
            <System />
            <fieldset>
                <legend>How words are picked</legend>
                <Presets />
                <Slider
                    name="temperature"
                    title="Temperature"
                    hint="0 always takes the likeliest word; higher is freer."
                />
                <Slider name="topP" title="Top p" hint="Keep the likeliest words that add up to this." />
                <Slider name="minP" title="Min p" hint="Drop words less likely than this share of the likeliest." />
                <Slider name="topK" title="Top k" hint="Keep this many words; 0 keeps all." />
                <Slider name="repeatPenalty" title="Repeat penalty" hint="1 is off." />
                <Field name="maxTokens" title="Longest answer" unit="tokens" />
                <Field
                    name="seed"
                    title="Seed"
                    empty="a new one each time"
                    hint="The same seed gives the same answer, on every device."
                />
            </fieldset>
            <fieldset>
                <legend>How a model is loaded</legend>
                <Field
                    name="contextLength"
                    title="Context"
                    unit="tokens"
                    empty="as the model likes"
                    hint="Longer takes more memory."
                />
                <Field name="threads" title="Threads" empty="as many as help" hint="Answers do not depend on it." />
                <Reload />
            </fieldset>
            <div class="row">
                <button
                    type="button"
                    class="quiet"
                    onClick={() => {
                        const { theme, system, livePanel } = settings.value;
                        change({ ...DEFAULTS, theme, system, livePanel });
                    }}
                >
                    Defaults
                </button>
            </div>
        </Dialog>
    );
}

function System() {
    const now = route.value;
    const conversation = now.view === "chat" && now.id ? find(now.id) : undefined;
    const text = conversation ? conversation.system : draftSystem.value;
    return (
        <div class="field">
            <label for="system">System prompt</label>
            <textarea
                id="system"
                rows={3}
                maxLength={100_000}
                value={text}
                placeholder="You are a patient teacher. Answer briefly."
                aria-describedby="system-hint"
                onInput={(event) => setSystem(conversation, event.currentTarget.value)}
            />
            <p class="note" id="system-hint">
                {conversation ? "Of this conversation, from the next answer on." : "New conversations begin with it."}
            </p>
        </div>
    );
}

const PRESETS = [
    { name: "Exact", values: { temperature: 0, topP: 1, minP: 0, topK: 0 } },
    { name: "Balanced", values: { temperature: 0.7, topP: 0.95, minP: 0.05, topK: 40 } },
    { name: "Free", values: { temperature: 1.1, topP: 1, minP: 0.03, topK: 0 } },
] as const;

function Presets() {
    const now = settings.value;
    return (
        <div class="segments" role="group" aria-label="Ways to pick words">
            {PRESETS.map(({ name, values }) => {
                const here = Object.entries(values).every(([key, value]) => now[key as keyof typeof values] === value);
                return (
                    <button type="button" aria-pressed={here} onClick={() => change(values)}>
                        {name}
                    </button>
                );
            })}
        </div>
    );
}

function Slider({ name, title, hint }: { name: NumberSetting; title: string; hint: string }) {
    const { min, max, step } = RANGES[name];
    const value = settings.value[name] ?? min;
    return (
        <div class="field slider">
            <label for={name}>{title}</label>
            <output class="numbers" for={name}>
                {step < 1 ? value.toFixed(2) : value}
            </output>
            <input
                id={name}
                type="range"
                min={min}
                max={max}
                step={step}
                value={value}
                aria-describedby={`${name}-hint`}
                onInput={(event) => change({ [name]: event.currentTarget.valueAsNumber })}
            />
            <p class="note" id={`${name}-hint`}>
                {hint}
            </p>
        </div>
    );
}

interface FieldProps {
    name: NumberSetting;
    title: string;
    unit?: string;
    /** What no number means, where that is a choice. */
    empty?: string;
    hint?: string;
}

function Field({ name, title, unit, empty, hint }: FieldProps) {
    const { min, max } = RANGES[name];
    const value = settings.value[name];
    const [text, setText] = useState(value === null ? "" : String(value));
    // Before anything more is typed.
    useLayoutEffect(() => setText(value === null ? "" : String(value)), [value]);
    const read = text.trim() === "" ? null : Number(text);
    const sound = read === null ? empty !== undefined : inRange(name, read);
    const notes = [hint, sound ? "" : `A whole number from ${min} to ${max.toLocaleString("en")}.`]
        .filter(Boolean)
        .join(" ");
    return (
        <div class="field number">
            <label for={name}>
                {title}
                {unit && <span class="unit"> in {unit}</span>}
            </label>
            <input
                id={name}
                inputMode="numeric"
                autocomplete="off"
                class="numbers"
                value={text}
                placeholder={empty}
                aria-invalid={!sound}
                aria-describedby={notes ? `${name}-hint` : undefined}
                onInput={(event) => {
                    const typed = event.currentTarget.value;
                    setText(typed);
                    const number = typed.trim() === "" ? null : Number(typed);
                    if (number === null ? empty !== undefined : inRange(name, number)) change({ [name]: number });
                }}
            />
            {notes && (
                <p class={sound ? "note" : "note warning"} id={`${name}-hint`}>
                    {notes}
                </p>
            )}
        </div>
    );
}

/** Context and threads take effect when a model is loaded. */
function Reload() {
    const now = engine.value;
    const { contextLength, threads } = settings.value;
    if (now.state !== "ready" || (now.contextLength === contextLength && now.threads === threads)) return null;
    return (
        <button type="button" disabled={running.value !== undefined} onClick={() => void load(now.key, now.name)}>
            Load {now.name} again with these
        </button>
    );
}
