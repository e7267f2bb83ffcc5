// SPDX-License-Identifier: Apache-2.0
//
// An answer in the making: runs the model on a conversation, shows the text as it comes, keeps it, and
// measures. One at a time in this page.

import { batch, signal } from "@preact/signals";
import type { ChatMessage, GenerationResult } from "mote";
import type { Conversation, Message } from "../store/conversation.ts";
import { newId } from "../store/conversation.ts";
import { find, put, write } from "../store/conversations.ts";
import { settings } from "../store/settings.ts";
import { isAbort } from "../words.ts";
import { type Engine, engine } from "./engine.ts";

export interface Running {
    conversation: string;
    message: string;
    /** Before the first token the prompt is being read. */
    phase: "reading" | "writing";
    stop: () => void;
}

/** What the live panel shows: of the answer being made, else of the last one. */
export interface Live {
    active: boolean;
    firstTokenMs: number | undefined;
    tokensPerSecond: number | undefined;
    promptTokens: number | undefined;
    cachedTokens: number | undefined;
    tokens: number;
    /** Milliseconds between one piece of text and the next, the last of them. */
    intervals: readonly number[];
}

export const running = signal<Running | undefined>(undefined);
export const failure = signal<{ conversation: string; error: unknown } | undefined>(undefined);
export const live = signal<Live | undefined>(undefined);

/** Points of the chart. */
const SHOWN = 240;
/** Tokens that the speed shown while an answer comes is of. */
const RECENT = 32;
/** The text and the figures shown change at most this often: drawing takes from the cores that compute. */
const FRAME_MS = 48;
const FIGURES_MS = 140;
const SAVE_MS = 2500;

type Ready = Extract<Engine, { state: "ready" }>;

/** A model without a chat template goes on with a text; it does not converse. */
export function continues(now: Ready): boolean {
    return now.model.info.chatTemplate === "";
}

/** Whether there is a model that could answer now. */
export function answerable(): boolean {
    return engine.value.state === "ready" && running.value === undefined;
}

function prompt(conversation: Conversation): ChatMessage[] {
    const messages: ChatMessage[] = conversation.messages.map(({ role, text }) => ({ role, content: text }));
    const system = conversation.system.trim();
    return system ? [{ role: "system", content: system }, ...messages] : messages;
}

function start(now: Ready, conversation: Conversation, signal: AbortSignal) {
    const { temperature, topK, topP, minP, repeatPenalty, maxTokens, seed } = settings.value;
    const sampling = {
        temperature,
        topK,
        topP,
        minP,
        repeatPenalty,
        maxTokens,
        signal,
        ...(seed === null ? {} : { seed }),
    };
    if (!continues(now)) return now.model.chat(prompt(conversation), sampling);
    const text = conversation.messages.map((message) => message.text).join("");
    return now.model.complete(conversation.system + text, sampling);
}

/** Counts pieces as they come. One piece is one token, or a few that came while the page was busy. */
class Meter {
    readonly #began = performance.now();
    #first = 0;
    #last = 0;
    #tokens = 0;
    #intervals: number[] = [];

    piece(): void {
        const now = performance.now();
        if (this.#tokens === 0) this.#first = now;
        else this.#intervals.push(now - this.#last);
        if (this.#intervals.length > SHOWN) this.#intervals.shift();
        this.#last = now;
        this.#tokens++;
    }

    show(): Live {
        const recent = this.#intervals.slice(-RECENT);
        const decode = recent.reduce((sum, interval) => sum + interval, 0);
        const now: Live = {
            active: true,
            firstTokenMs: this.#tokens > 0 ? this.#first - this.#began : undefined,
            tokensPerSecond: this.#tokens > 4 && decode > 0 ? (recent.length / decode) * 1000 : undefined,
            promptTokens: undefined,
            cachedTokens: undefined,
            tokens: this.#tokens,
            intervals: [...this.#intervals],
        };
        live.value = now;
        return now;
    }
}

function settle(result: GenerationResult | undefined): void {
    const last = live.value;
    if (!last) return;
    live.value = result
        ? {
              active: false,
              firstTokenMs: result.firstTokenSeconds * 1000,
              tokensPerSecond: result.tokensPerSecond || undefined,
              promptTokens: result.promptTokens,
              cachedTokens: result.cachedTokens,
              tokens: result.tokens,
              intervals: last.intervals,
          }
        : { ...last, active: false };
}

function finish(answer: Message, result: GenerationResult): Message {
    const done: Message = {
        ...answer,
        text: result.text,
        at: Date.now(),
        figures: {
            firstTokenMs: result.firstTokenSeconds * 1000,
            tokensPerSecond: result.tokensPerSecond,
            tokens: result.tokens,
        },
    };
    if (result.finishReason === "length" || result.finishReason === "context") done.ended = "length";
    return done;
}

/** Answers the conversation, whose last message is the user's. */
export async function respond(conversation: Conversation): Promise<void> {
    const now = engine.value;
    if (now.state !== "ready" || running.value) return;
    const controller = new AbortController();
    const id = conversation.id;
    let answer: Message = { id: newId(), role: "assistant", text: "", at: Date.now(), model: now.name };
    // The conversation may be renamed or deleted while the answer comes; only the answer is written here.
    const merge = (keep: boolean): Conversation | undefined => {
        const base = find(id);
        if (!base) return undefined;
        const others = base.messages.filter((message) => message.id !== answer.id);
        const merged = { ...base, messages: keep ? [...others, answer] : others, changed: Date.now() };
        put(merged);
        return merged;
    };
    const meter = new Meter();
    batch(() => {
        failure.value = undefined;
        running.value = { conversation: id, message: answer.id, phase: "reading", stop: () => controller.abort() };
        put(conversation);
        merge(true);
        meter.show();
    });

    let result: GenerationResult | undefined;
    let shown = 0;
    let metered = 0;
    let saved = performance.now();
    let text = "";
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = () => {
        timer = undefined;
        shown = performance.now();
        answer = { ...answer, text };
        batch(() => {
            const merged = merge(true);
            if (merged && shown - saved > SAVE_MS) {
                saved = shown;
                void write(merged);
            }
            if (shown - metered > FIGURES_MS) {
                metered = shown;
                meter.show();
            }
            if (running.value?.phase === "reading") running.value = { ...running.value, phase: "writing" };
        });
    };
    try {
        const generation = start(now, conversation, controller.signal);
        for await (const piece of generation) {
            text += piece;
            meter.piece();
            timer ??= setTimeout(show, Math.max(0, shown + FRAME_MS - performance.now()));
        }
        result = await generation.result;
        answer = finish(answer, result);
    } catch (error) {
        answer = { ...answer, text, at: Date.now(), ended: "stopped" };
        const { firstTokenMs, tokensPerSecond = 0, tokens } = meter.show();
        if (firstTokenMs !== undefined) answer.figures = { firstTokenMs, tokensPerSecond, tokens };
        if (!isAbort(error)) failure.value = { conversation: id, error };
    } finally {
        clearTimeout(timer);
        // An answer that never began leaves nothing behind.
        const kept = merge(text !== "" || result !== undefined);
        batch(() => {
            settle(result);
            running.value = undefined;
        });
        if (kept) await write(kept);
    }
}
