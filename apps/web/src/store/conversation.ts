// SPDX-License-Identifier: Apache-2.0
//
// What a conversation is, and the one place that decides whether a value from outside (a file, an older
// version's database) is one. Nothing else in the page looks into foreign data.
//
//     { id, title, system, created, changed, messages: [{ id, role, text, at, model?, figures? }] }

export interface Figures {
    /** Milliseconds from the question to the first token of the answer. */
    firstTokenMs: number;
    tokensPerSecond: number;
    tokens: number;
}

export interface Message {
    id: string;
    role: "user" | "assistant";
    text: string;
    /** When it was finished, in milliseconds since 1970. */
    at: number;
    /** Answers: the model that gave it. */
    model?: string;
    /** Answers: how fast it came. */
    figures?: Figures;
    /** Answers: why it ended early. */
    ended?: "stopped" | "length";
}

export interface Conversation {
    id: string;
    title: string;
    /** The system prompt; empty for none. */
    system: string;
    created: number;
    changed: number;
    messages: Message[];
}

export const LIMITS = {
    conversations: 5000,
    messages: 2000,
    text: 400_000,
    title: 200,
    name: 200,
    fileBytes: 64 * 1024 * 1024,
} as const;

export function newId(): string {
    return crypto.randomUUID();
}

export function newConversation(system: string): Conversation {
    const now = Date.now();
    return { id: newId(), title: "", system, created: now, changed: now, messages: [] };
}

/** A conversation's name in lists: its title, else the beginning of its first message. */
export function titleOf(conversation: Conversation): string {
    if (conversation.title) return conversation.title;
    const first = conversation.messages[0]?.text.replace(/\s+/g, " ").trim() ?? "";
    if (!first) return "New conversation";
    const points = [...first.slice(0, 200)];
    return points.length > 60 ? points.slice(0, 57).join("").trimEnd() + "…" : points.join("");
}

/** What was wrong with a foreign value, and where in it. */
export class InvalidData extends Error {
    constructor(where: string, what: string) {
        super(where ? `${where}: ${what}` : what);
        this.name = "InvalidData";
    }
}

type Fields = Record<string, unknown>;

function fields(value: unknown, where: string): Fields {
    if (typeof value !== "object" || value === null || Array.isArray(value))
        throw new InvalidData(where, "an object is expected");
    return value as Fields;
}

function text(value: unknown, where: string, limit: number): string {
    if (typeof value !== "string") throw new InvalidData(where, "a text is expected");
    if (value.length > limit) throw new InvalidData(where, `longer than ${limit} characters`);
    return value;
}

function time(value: unknown, where: string): number {
    // Dates beyond this cannot be shown.
    if (typeof value !== "number" || !(value >= 0 && value <= 8.64e15))
        throw new InvalidData(where, "a time in milliseconds is expected");
    return value;
}

function figure(value: unknown, where: string): number {
    if (typeof value !== "number" || !(value >= 0 && value <= 1e12))
        throw new InvalidData(where, "a number is expected");
    return value;
}

function id(value: unknown, where: string): string {
    if (typeof value !== "string" || !/^[A-Za-z0-9-]{1,64}$/.test(value))
        throw new InvalidData(where, "an identifier is expected");
    return value;
}

function readFigures(value: unknown, where: string): Figures {
    const f = fields(value, where);
    return {
        firstTokenMs: figure(f.firstTokenMs, `${where}.firstTokenMs`),
        tokensPerSecond: figure(f.tokensPerSecond, `${where}.tokensPerSecond`),
        tokens: figure(f.tokens, `${where}.tokens`),
    };
}

function readMessage(value: unknown, where: string): Message {
    const f = fields(value, where);
    if (f.role !== "user" && f.role !== "assistant")
        throw new InvalidData(`${where}.role`, '"user" or "assistant" is expected');
    const message: Message = {
        id: id(f.id, `${where}.id`),
        role: f.role,
        text: text(f.text, `${where}.text`, LIMITS.text),
        at: time(f.at, `${where}.at`),
    };
    if (f.model !== undefined) message.model = text(f.model, `${where}.model`, LIMITS.name);
    if (f.figures !== undefined) message.figures = readFigures(f.figures, `${where}.figures`);
    if (f.ended === "stopped" || f.ended === "length") message.ended = f.ended;
    return message;
}

/** The conversation that a foreign value describes, made anew from the fields known; InvalidData otherwise. */
export function readConversation(value: unknown, where = ""): Conversation {
    const f = fields(value, where);
    const at = where ? `${where}.` : "";
    if (!Array.isArray(f.messages)) throw new InvalidData(`${at}messages`, "a list is expected");
    if (f.messages.length > LIMITS.messages)
        throw new InvalidData(`${at}messages`, `more than ${LIMITS.messages} messages`);
    const messages = f.messages.map((message, i) => readMessage(message, `${at}messages[${i}]`));
    if (new Set(messages.map((message) => message.id)).size !== messages.length)
        throw new InvalidData(`${at}messages`, "two messages have the same identifier");
    return {
        id: id(f.id, `${at}id`),
        title: text(f.title, `${at}title`, LIMITS.title),
        system: text(f.system, `${at}system`, LIMITS.text),
        created: time(f.created, `${at}created`),
        changed: time(f.changed, `${at}changed`),
        messages,
    };
}
