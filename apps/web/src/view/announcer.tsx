// SPDX-License-Identifier: Apache-2.0
//
// Speaks the answer to screen readers while it comes: whole sentences at a time, since single tokens cannot be
// listened to. Nobody sees it.

import { useEffect, useRef, useState } from "preact/hooks";
import { running, textOf } from "../model/answer.ts";
import type { Conversation } from "../store/conversation.ts";

/** Where the last whole sentence or line of a text ends. */
function spoken(text: string): number {
    let end = 0;
    for (const found of text.matchAll(/[.!?…:](?=\s)|\n/g)) end = found.index + found[0].length;
    return end;
}

export function Announcer({ conversation }: { conversation: Conversation }) {
    const [said, setSaid] = useState("");
    const message = useRef("");
    const at = useRef(0);
    const now = running.value;
    const answer = conversation.messages.at(-1);
    // Read here, so that this is looked at again as the text comes.
    const text = answer ? textOf(answer) : "";
    useEffect(() => {
        if (!answer || answer.role !== "assistant") return;
        if (now?.message === answer.id && message.current !== answer.id) {
            message.current = answer.id;
            at.current = 0;
            setSaid("Answering");
        }
        if (message.current !== answer.id) return;
        const coming = now?.message === answer.id;
        const end = coming ? spoken(text) : text.length;
        if (end > at.current) {
            setSaid(text.slice(at.current, end));
            at.current = end;
        }
        if (!coming) message.current = "";
    });
    return (
        <div class="hidden" role="status" aria-live="polite" aria-label="Answer as it comes">
            {said}
        </div>
    );
}
