// SPDX-License-Identifier: Apache-2.0
//
// The notices at the edge of the page.

import { dismiss, notices } from "../notice.ts";
import { Icon } from "./icon.tsx";

export function Notices() {
    return (
        <div class="notices" role="region" aria-label="Notices" aria-live="polite">
            {notices.value.map((notice) => (
                <div
                    key={notice.id}
                    class={`notice ${notice.kind}`}
                    role={notice.kind === "error" ? "alert" : undefined}
                >
                    <span>{notice.text}</span>
                    {notice.action && (
                        <button
                            type="button"
                            class="quiet small"
                            onClick={() => {
                                notice.action?.run();
                                dismiss(notice.id);
                            }}
                        >
                            {notice.action.name}
                        </button>
                    )}
                    <button
                        type="button"
                        class="quiet icon-only small"
                        aria-label="Dismiss"
                        onClick={() => dismiss(notice.id)}
                    >
                        <Icon name="close" />
                    </button>
                </div>
            ))}
        </div>
    );
}
