// SPDX-License-Identifier: Apache-2.0
//
// The conversations at hand, newest first, in memory and on the device. Tabs tell each other what they wrote.

import { signal } from "@preact/signals";
import { type Conversation, readConversation } from "./conversation.ts";
import * as database from "./database.ts";

export const conversations = signal<readonly Conversation[]>([]);
/** Why conversations cannot be kept here, if so. */
export const storageFailure = signal("");

const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("mote-conversations") : undefined;

export function find(id: string): Conversation | undefined {
    return conversations.value.find((conversation) => conversation.id === id);
}

export async function open(): Promise<void> {
    try {
        const records = await database.readAll();
        const read: Conversation[] = [];
        for (const record of records) {
            try {
                read.push(readConversation(record));
            } catch (error) {
                console.warn("a stored conversation was left out:", error);
            }
        }
        show(read);
    } catch (error) {
        storageFailure.value = error instanceof Error ? error.message : String(error);
    }
}

function show(list: readonly Conversation[]): void {
    conversations.value = [...list].sort((a, b) => b.changed - a.changed);
}

/** Shows the conversations in place of those with the same id; write() keeps them. */
export function put(...changed: Conversation[]): void {
    const ids = new Set(changed.map((conversation) => conversation.id));
    show([...conversations.value.filter((conversation) => !ids.has(conversation.id)), ...changed]);
}

export async function write(...changed: Conversation[]): Promise<void> {
    put(...changed);
    try {
        await database.write(...changed);
        channel?.postMessage("changed");
    } catch (error) {
        storageFailure.value = error instanceof Error ? error.message : String(error);
    }
}

export async function remove(id: string): Promise<void> {
    conversations.value = conversations.value.filter((conversation) => conversation.id !== id);
    try {
        await database.remove(id);
        channel?.postMessage("changed");
    } catch (error) {
        storageFailure.value = error instanceof Error ? error.message : String(error);
    }
}

/** Calls back when another tab has written. */
export function onOthersChange(callback: () => void): void {
    if (channel) channel.onmessage = callback;
}
