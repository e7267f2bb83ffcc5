// SPDX-License-Identifier: Apache-2.0
//
// A modal dialog: the browser's own, which keeps the focus inside and closes with Escape.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "./icon.tsx";

interface Props {
    title: string;
    class?: string;
    onClose: () => void;
    children: ComponentChildren;
}

export function Dialog({ title, class: name, onClose, children }: Props) {
    const ref = useRef<HTMLDialogElement>(null);
    useLayoutEffect(() => ref.current?.showModal(), []);
    return (
        <dialog
            ref={ref}
            class={name}
            aria-label={title}
            onClose={onClose}
            onClick={(event) => {
                // Only the backdrop belongs to the dialog itself; all else is inside .dialog-body.
                if (event.target === ref.current) ref.current?.close();
            }}
        >
            <div class="dialog-body">
                <header class="dialog-head">
                    <h2>{title}</h2>
                    <button
                        type="button"
                        class="quiet icon-only"
                        aria-label="Close"
                        onClick={() => ref.current?.close()}
                    >
                        <Icon name="close" />
                    </button>
                </header>
                {children}
            </div>
        </dialog>
    );
}
