// SPDX-License-Identifier: Apache-2.0
//
// What the user does with conversations: say something, edit, ask again, rename, delete, export and import.

import { signal } from "@preact/signals";
import { MoteError } from "mote";
import { answerable, respond, running } from "./model/answer.ts";
import { keyOf } from "./model/catalogue.ts";
import { engine, load } from "./model/engine.ts";
import * as library from "./model/library.ts";
import { notify } from "./notice.ts";
import { go } from "./route.ts";
import { type Conversation, type Message, LIMITS, newConversation, newId, titleOf } from "./store/conversation.ts";
import { conversations, find, remove, write } from "./store/conversations.ts";
import { exportText, importFile } from "./store/exchange.ts";
import { change, settings } from "./store/settings.ts";
import { count, explain } from "./words.ts";

/** The system prompt of a conversation that has not begun. */
export const draftSystem = signal(settings.value.system);

export function say(id: string | undefined, text: string): void {
    if (running.value || !answerable()) return;
    const base = (id && find(id)) || newConversation(draftSystem.value);
    const message: Message = { id: newId(), role: "user", text: text.slice(0, LIMITS.text), at: Date.now() };
    const conversation = { ...base, messages: [...base.messages, message], changed: Date.now() };
    void write(conversation);
    if (conversation.id !== id) go(`#/c/${conversation.id}`);
    void respond(conversation);
}

/** Undoing puts a conversation back as it was. */
function undo(before: Conversation) {
    return {
        name: "Undo",
        run: () => {
            if (running.value?.conversation === before.id) running.value.stop();
            void write(before);
        },
    };
}

/** Replaces a message's text. What the user said is then answered anew; what came after it goes. */
export function edit(conversation: Conversation, message: Message, text: string): void {
    const at = conversation.messages.findIndex((other) => other.id === message.id);
    if (at < 0 || running.value) return;
    const edited = { ...message, text: text.slice(0, LIMITS.text), at: Date.now() };
    if (message.role === "assistant") {
        const messages = conversation.messages.with(at, edited);
        void write({ ...conversation, messages, changed: Date.now() });
        return;
    }
    const later = conversation.messages.length - at - 1;
    const changed = { ...conversation, messages: [...conversation.messages.slice(0, at), edited], changed: Date.now() };
    void write(changed);
    if (later > 1) notify(`Replaced ${count(later, "later message")}`, { action: undo(conversation) });
    if (answerable()) void respond(changed);
}

/** Answers the last thing the user said once more. */
export function again(conversation: Conversation): void {
    if (running.value || !answerable()) return;
    const last = conversation.messages.findLastIndex((message) => message.role === "user");
    if (last < 0) return;
    const changed = { ...conversation, messages: conversation.messages.slice(0, last + 1), changed: Date.now() };
    void write(changed);
    void respond(changed);
}

/** Leaves out the oldest question and its answer, and answers again. */
export function shorten(conversation: Conversation): void {
    const second = conversation.messages.findIndex((message, i) => i > 0 && message.role === "user");
    if (second < 0) {
        notify("There is only one message; shorten it, or load the model with a longer context.", { kind: "error" });
        return;
    }
    const shorter = { ...conversation, messages: conversation.messages.slice(second), changed: Date.now() };
    void write(shorter);
    notify("Left out the oldest messages", { action: undo(conversation) });
    again(shorter);
}

export function rename(conversation: Conversation, title: string): void {
    void write({ ...conversation, title: title.trim().slice(0, LIMITS.title) });
}

export function setSystem(conversation: Conversation | undefined, system: string): void {
    const text = system.slice(0, 100_000);
    if (conversation) {
        void write({ ...conversation, system: text });
    } else {
        draftSystem.value = text;
        change({ system: text });
    }
}

export async function discard(conversation: Conversation, shown: boolean): Promise<void> {
    if (running.value?.conversation === conversation.id) running.value.stop();
    await remove(conversation.id);
    if (shown) go("#/", true);
    notify(`Deleted “${titleOf(conversation)}”`, {
        action: { name: "Undo", run: () => void write(conversation) },
    });
}

function offer(text: string, name: string): void {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export function exportAll(): void {
    const day = new Date().toISOString().slice(0, 10);
    offer(exportText(conversations.value), `mote-conversations-${day}.json`);
}

export function exportOne(conversation: Conversation): void {
    const name = titleOf(conversation)
        .normalize("NFKD")
        .replace(/[^A-Za-z0-9]+/g, "-")
        .replace(/^-+|-+$/g, "")
        .toLowerCase();
    offer(exportText([conversation]), `${name.slice(0, 60) || "conversation"}.json`);
}

export async function importConversations(file: File): Promise<void> {
    try {
        const read = await importFile(file);
        await write(...read);
        notify(`Imported ${count(read.length, "conversation")}`);
        const [first] = read;
        if (first && read.length === 1) go(`#/c/${first.id}`);
    } catch (error) {
        const { title, text } = explain(error);
        notify(`${title}: ${text}`, { kind: "error" });
    }
}

/** A file that was dropped or chosen: a model, or exported conversations. */
export async function takeFile(file: File): Promise<void> {
    if (/\.json$/i.test(file.name)) return importConversations(file);
    if (!/\.gguf$/i.test(file.name)) {
        notify(`“${file.name}” is neither a model (.gguf) nor exported conversations (.json).`, { kind: "error" });
        return;
    }
    go("#/models");
    const key = `stored:${file.name}`;
    const model = await library.store(file);
    const failed = library.failures.value.get(key);
    const name = file.name.replace(/\.gguf$/i, "");
    if (model) {
        await use(keyOf(model.source), name);
    } else if (failed instanceof MoteError && (failed.code === "storage" || failed.code === "quota")) {
        notify(`${explain(failed).title}. The file is loaded for as long as this page is open.`);
        await use(key, name, file);
    } else if (failed !== undefined) {
        const { title, text } = explain(failed);
        notify(`${title}: ${text}`, { kind: "error" });
    }
}

/** Loads a model and goes to the conversation. */
export async function use(key: string, name: string, file?: File): Promise<void> {
    if (await load(key, name, file)) {
        const encoder = engine.value.state === "ready" && engine.value.model.info.encoder;
        if (encoder) go("#/text");
        else if (location.hash.startsWith("#/models")) go("#/");
    } else if (engine.value.state === "failed") {
        const { title, text } = explain(engine.value.error);
        notify(`${title}: ${text}`, { kind: "error" });
    }
}
