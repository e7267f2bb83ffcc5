// SPDX-License-Identifier: Apache-2.0
//
// Conversations as a JSON file, out and in. A file from elsewhere is hostile until read: it is bounded in
// size, every field is checked (conversation.ts), and it takes effect as a whole or not at all.
//
//     { "format": "mote-conversations", "version": 1, "conversations": [ … ] }

import { type Conversation, InvalidData, LIMITS, newId, readConversation } from "./conversation.ts";

const FORMAT = "mote-conversations";
const VERSION = 1;

export function exportText(conversations: readonly Conversation[]): string {
    return JSON.stringify({ format: FORMAT, version: VERSION, conversations }, null, 1);
}

export async function importFile(file: Blob): Promise<Conversation[]> {
    if (file.size > LIMITS.fileBytes)
        throw new InvalidData("", `the file is larger than ${LIMITS.fileBytes / 1024 / 1024} MB`);
    return importText(await file.text());
}

/** The conversations of an exported file. They get new identifiers, so that none replaces one at hand. */
function importText(text: string): Conversation[] {
    let value: unknown;
    try {
        value = JSON.parse(text);
    } catch {
        throw new InvalidData("", "the file is not JSON");
    }
    const top = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
    if (top.format !== FORMAT) throw new InvalidData("", "the file holds no conversations of this page");
    if (top.version !== VERSION) throw new InvalidData("version", `only version ${VERSION} can be read by this page`);
    if (!Array.isArray(top.conversations)) throw new InvalidData("conversations", "a list is expected");
    if (top.conversations.length > LIMITS.conversations)
        throw new InvalidData("conversations", `more than ${LIMITS.conversations} conversations`);
    return top.conversations.map((entry, i) => ({
        ...readConversation(entry, `conversations[${i}]`),
        id: newId(),
    }));
}
