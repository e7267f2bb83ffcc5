// SPDX-License-Identifier: Apache-2.0
//
// check.ts: arguments from the page, which may be anything, turned into what they should be, with a message that
// names the one that is not.

import { MoteError } from "./errors.js";
import type { Generate } from "./scheduler.js";
import type { ChatMessage } from "./types.js";

const bad = (what: string, wanted: string): MoteError => new MoteError("argument", `${what} must be ${wanted}`);

export function text(value: unknown, what: string): string {
    if (typeof value !== "string") throw bad(what, "a string");
    return value;
}

export function integer(value: unknown, what: string, least: number, most: number, otherwise?: number): number {
    if (value === undefined && otherwise !== undefined) return otherwise;
    if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) throw bad(what, `a whole number from ${least} to ${most}`);
    return value;
}

export function real(value: unknown, what: string, least: number, most: number, otherwise: number): number {
    if (value === undefined) return otherwise;
    if (typeof value !== "number" || !(value >= least && value <= most)) throw bad(what, `a number from ${least} to ${most}`);
    return value;
}

export function messages(value: unknown): ChatMessage[] {
    if (!Array.isArray(value) || value.length === 0) throw bad("messages", "a list of at least one message");
    return value.map((message: unknown, i) => {
        const { role, content } = (message ?? {}) as Partial<ChatMessage>;
        return { role: text(role, `messages[${i}].role`), content: text(content, `messages[${i}].content`) };
    });
}

export function texts(value: unknown): string[] {
    if (!Array.isArray(value)) throw bad("texts", "a list of strings");
    return value.map((item: unknown, i) => text(item, `texts[${i}]`));
}

export function tokens(value: unknown, vocabulary: number): Int32Array {
    if (!(value instanceof Int32Array)) throw bad("tokens", "a list of token ids");
    for (const token of value) if (token < 0 || token >= vocabulary) throw new MoteError("argument", `there is no token ${token}: the vocabulary has ${vocabulary}`);
    return value;
}

/** Template variables as JSON; empty for none. */
export function variables(value: unknown): string {
    if (value === undefined) return "";
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw bad("variables", "an object");
    return JSON.stringify(value);
}

export function generate(value: unknown, continues = false): Generate {
    const o = (value ?? {}) as Record<string, unknown>;
    const stop = o["stop"] === undefined ? [] : Array.isArray(o["stop"]) ? (o["stop"] as unknown[]) : [o["stop"]];
    return {
        sampling: {
            temperature: real(o["temperature"], "temperature", 0, 100, 0.7),
            topK: integer(o["topK"], "topK", 0, 0x7fffffff, 40),
            topP: real(o["topP"], "topP", 0, 1, 0.95),
            minP: real(o["minP"], "minP", 0, 1, 0.05),
            repeatPenalty: real(o["repeatPenalty"], "repeatPenalty", 0.01, 100, 1),
            repeatLast: integer(o["repeatLast"], "repeatLast", 0, 0x7fffffff, 64),
            seed: integer(o["seed"], "seed", 0, Number.MAX_SAFE_INTEGER, Math.floor(Math.random() * 2 ** 32)),
        },
        continues,
        maxTokens: integer(o["maxTokens"], "maxTokens", 1, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
        stop: stop.map((item, i) => {
            if (text(item, `stop[${i}]`) === "") throw bad(`stop[${i}]`, "a text of at least one character");
            return item as string;
        }),
    };
}
