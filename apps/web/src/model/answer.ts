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
import { type Engine, engine, reserved } from "./engine.ts";

export interface Running {
    conversation: string;
    message: string;
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
/** The text of the answer being made, which its conversation gets now and then, and at the end. */
export const coming = signal("");
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
    return engine.value.state === "ready" && !engine.value.model.info.encoder && running.value === undefined && !reserved.value;
}

/** A message's text, also while it comes. */
export function textOf(message: Message): string {
    return running.value?.message === message.id ? coming.value : message.text;
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

/** One answer on its way from the model to the page and to storage. */
class Writing {
    readonly #conversation: string;
    readonly #meter = new Meter();
    #message: Message;
    #text = "";
    #drawn = 0;
    #metered = 0;
    #saved = performance.now();
    #timer: ReturnType<typeof setTimeout> | undefined;

    constructor(conversation: Conversation, model: string, stop: () => void) {
        this.#conversation = conversation.id;
        this.#message = { id: newId(), role: "assistant", text: "", at: Date.now(), model };
        batch(() => {
            failure.value = undefined;
            coming.value = "";
            running.value = { conversation: conversation.id, message: this.#message.id, stop };
            put(conversation);
            this.#put(true);
            this.#meter.show();
        });
    }

    piece(piece: string): void {
        this.#text += piece;
        this.#meter.piece();
        this.#timer ??= setTimeout(() => this.#draw(), Math.max(0, this.#drawn + FRAME_MS - performance.now()));
    }

    finish(result: GenerationResult): void {
        const { firstTokenSeconds, tokensPerSecond, tokens, finishReason } = result;
        const figures = { firstTokenMs: firstTokenSeconds * 1000, tokensPerSecond, tokens };
        this.#message = { ...this.#message, figures };
        if (finishReason === "length" || finishReason === "context") this.#message.ended = "length";
        this.#text = result.text;
        this.#meter.show();
        settle(result);
    }

    stop(error: unknown): void {
        const { firstTokenMs, tokensPerSecond = 0, tokens } = this.#meter.show();
        this.#message = { ...this.#message, ended: "stopped" };
        if (firstTokenMs !== undefined) this.#message.figures = { firstTokenMs, tokensPerSecond, tokens };
        if (!isAbort(error)) failure.value = { conversation: this.#conversation, error };
        settle(undefined);
    }

    /** An answer that never began leaves nothing behind. */
    async end(): Promise<void> {
        clearTimeout(this.#timer);
        const begun = this.#text !== "" || this.#message.ended !== "stopped";
        const kept = batch(() => {
            running.value = undefined;
            return this.#put(begun);
        });
        if (kept) await write(kept);
    }

    #draw(): void {
        this.#timer = undefined;
        const now = (this.#drawn = performance.now());
        batch(() => {
            coming.value = this.#text;
            if (now - this.#metered > FIGURES_MS) {
                this.#metered = now;
                this.#meter.show();
            }
        });
        if (now - this.#saved < SAVE_MS) return;
        this.#saved = now;
        const kept = this.#put(true);
        if (kept) void write(kept);
    }

    /** Puts the answer into its conversation, which may have been renamed, or deleted, while the answer came. */
    #put(keep: boolean): Conversation | undefined {
        const base = find(this.#conversation);
        if (!base) return undefined;
        this.#message = { ...this.#message, text: this.#text, at: Date.now() };
        const others = base.messages.filter((message) => message.id !== this.#message.id);
        const changed = { ...base, messages: keep ? [...others, this.#message] : others, changed: Date.now() };
        put(changed);
        return changed;
    }
}

/** Answers the conversation, whose last message is the user's. */
export async function respond(conversation: Conversation): Promise<void> {
    const now = engine.value;
    if (now.state !== "ready" || !answerable()) return;
    const controller = new AbortController();
    const writing = new Writing(conversation, now.name, () => controller.abort());
    try {
        const generation = start(now, conversation, controller.signal);
        for await (const piece of generation) writing.piece(piece);
        writing.finish(await generation.result);
    } catch (error) {
        writing.stop(error);
    } finally {
        await writing.end();
    }
}
