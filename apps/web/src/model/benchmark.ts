// SPDX-License-Identifier: Apache-2.0
//
// Measures models in this tab: reading a prompt, writing one answer, writing four at once. Each figure is the
// median of some rounds, greedy, from an empty cache, on the same texts. Another tab or a phone that gets warm
// changes them; the rounds' spread is shown for that.

import { signal } from "@preact/signals";
import { type Model, MoteError } from "mote";
import { isAbort } from "../words.ts";
import { running } from "./answer.ts";
import { engine, load, reserved } from "./engine.ts";
import type { Entry } from "./library.ts";

export interface Result {
    name: string;
    /** Bits of a weight, on average. */
    bits: number;
    batch: 1 | 4;
    /** Seconds from storage to ready. */
    loadSeconds: number;
    promptTokens: number;
    /** Tokens a second. */
    prompt: number;
    decode: number;
    /** Widest distance of a round from the median of decode, as a share of it. */
    spread: number;
}

export interface Run {
    doing: string;
    /** Steps done and in all. */
    done: number;
    steps: number;
    stop: () => void;
}

export interface Outcome {
    results: readonly Result[];
    engine: string;
    threads: number;
    at: number;
}

export const run = signal<Run | undefined>(undefined);
export const outcome = signal<Outcome | undefined>(undefined);
export const failed = signal<unknown>(undefined);

const ROUNDS = 3;
const PROMPT_TOKENS = 200;
const DECODE_TOKENS = 48;

const BEGINNINGS = [
    "Once upon a time, there was a small lighthouse at the edge of the sea.",
    "One morning, a girl found a tiny door behind the old oak tree.",
    "The robot had never seen snow before, and so it went outside.",
    "In the quiet town by the river, everybody knew the baker's cat.",
];

const LONG = (
    "The lamp was lit each evening when the wind came in from the water, and the keeper walked up the stairs with a " +
    "can of oil, counting every step. From the window she could see the harbour, the boats tied close together, and the " +
    "long road that ran along the shore to the next village. "
).repeat(12);

function median(values: readonly number[]): number {
    return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** A prompt of about n tokens. */
async function promptOf(model: Model, n: number): Promise<string> {
    const ids = await model.tokenize(LONG, { addSpecial: false });
    return model.detokenize(ids.slice(0, Math.min(n, model.info.contextLength - 16)));
}

async function measurePrompt(model: Model, signal: AbortSignal): Promise<{ tokens: number; rate: number }> {
    const prompt = await promptOf(model, PROMPT_TOKENS);
    const rates: number[] = [];
    let tokens = 0;
    for (let round = 0; round < ROUNDS; round++) {
        await model.forget();
        const { result } = model.complete(prompt, { maxTokens: 1, temperature: 0, signal });
        const { promptTokens, firstTokenSeconds } = await result;
        tokens = promptTokens;
        rates.push(promptTokens / firstTokenSeconds);
    }
    return { tokens, rate: median(rates) };
}

async function measureDecode(model: Model, batch: 1 | 4, signal: AbortSignal) {
    const rates: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
        await model.forget();
        const options = { maxTokens: DECODE_TOKENS, temperature: 0, signal };
        const answers = await model.batch(BEGINNINGS.slice(0, batch), options);
        const tokens = answers.reduce((sum, answer) => sum + answer.tokens - 1, 0);
        rates.push(tokens / Math.max(...answers.map((answer) => answer.decodeSeconds)));
    }
    const middle = median(rates);
    return { rate: middle, spread: Math.max(...rates.map((rate) => Math.abs(rate - middle))) / middle };
}

/** Measures each model, one after the other, and leaves the last one loaded. */
export async function measure(entries: readonly Entry[]): Promise<void> {
    if (run.value || running.value) return;
    reserved.value = true;
    const controller = new AbortController();
    const { signal } = controller;
    const steps = entries.length * 4;
    let done = 0;
    const say = (doing: string) => (run.value = { doing, done: done++, steps, stop: () => controller.abort() });
    const results: Result[] = [];
    failed.value = undefined;
    try {
        for (const { key, name } of entries) {
            say(`Loading ${name}`);
            if (!(await load(key, name)))
                throw engine.value.state === "failed" ? engine.value.error : new DOMException("stopped", "AbortError");
            signal.throwIfAborted();
            const now = engine.value;
            if (now.state !== "ready") throw new DOMException("stopped", "AbortError");
            const { model } = now;
            const { info } = model;
            if (info.encoder) throw new MoteError("unsupported", `${name} is an encoder, which writes no text`);
            say(`${name}: reading a prompt`);
            const prompt = await measurePrompt(model, signal);
            const base = {
                name,
                bits: (info.weightsBytes * 8) / info.parameters,
                loadSeconds: info.loadSeconds,
                promptTokens: prompt.tokens,
                prompt: prompt.rate,
            };
            for (const batch of [1, 4] as const) {
                say(`${name}: ${batch === 1 ? "one answer" : "four answers at once"}`);
                const { rate, spread } = await measureDecode(model, batch, signal);
                results.push({ ...base, batch, decode: rate, spread });
            }
            outcome.value = { results: [...results], engine: info.module, threads: info.threads, at: Date.now() };
        }
    } catch (error) {
        if (!isAbort(error)) failed.value = error;
    } finally {
        run.value = undefined;
        reserved.value = false;
    }
}

/** What to call a model's weights: "raw" are those that nobody has packed. */
export function packing(bits: number): string {
    return bits >= 15 ? "raw" : `${bits < 10 ? bits.toFixed(1) : Math.round(bits)}-bit`;
}

function cells(result: Result, first: Result): string[] {
    return [
        result.name,
        packing(result.bits),
        String(result.batch),
        result.loadSeconds.toFixed(2),
        result.prompt.toFixed(1),
        result.decode.toFixed(1),
        `${(result.decode / first.decode).toFixed(2)}`,
    ];
}

const COLUMNS = ["model", "weights", "batch", "load s", "prompt tokens/s", "decode tokens/s", "times the first"];

export function markdown({ results, engine: module, threads }: Outcome): string {
    const [first] = results;
    if (!first) return "";
    // A name must not end the cell it stands in.
    const line = (row: string[]) => `| ${row.map((cell) => cell.replace(/[|\r\n]/g, " ")).join(" | ")} |`;
    const rows = results.map((result) => line(cells(result, first)));
    return [
        line(COLUMNS),
        line(COLUMNS.map((_, i) => (i < 2 ? "---" : "---:"))),
        ...rows,
        "",
        `${module}, ${threads} thread${threads === 1 ? "" : "s"}, ${navigator.userAgent}`,
    ].join("\n");
}

export function csv({ results }: Outcome): string {
    const [first] = results;
    if (!first) return "";
    // Quoted, and never the beginning of a formula.
    const cell = (text: string) => `"${text.replace(/"/g, '""').replace(/^[=+\-@]/, " $&")}"`;
    return [COLUMNS, ...results.map((result) => cells(result, first))]
        .map((row) => row.map(cell).join(","))
        .join("\r\n");
}
