// SPDX-License-Identifier: Apache-2.0
//
// Short notices at the edge of the page: what was done, with a way to undo it, and what went wrong.

import { signal } from "@preact/signals";

export interface Notice {
    id: number;
    kind: "info" | "error";
    text: string;
    action?: { name: string; run: () => void };
}

export const notices = signal<readonly Notice[]>([]);
let next = 1;

export function notify(text: string, options: Partial<Omit<Notice, "id" | "text">> = {}): void {
    const notice: Notice = { id: next++, kind: "info", text, ...options };
    notices.value = [...notices.value.slice(-2), notice];
    // Errors stay until dismissed; what can be undone stays long enough to be read and reached.
    if (notice.kind === "info") setTimeout(() => dismiss(notice.id), notice.action ? 9000 : 4000);
}

export function dismiss(id: number): void {
    notices.value = notices.value.filter((notice) => notice.id !== id);
}
