// SPDX-License-Identifier: Apache-2.0
//
// The page's icons, drawn on a grid of 20 with strokes of 1.6. They mean nothing to a screen reader; whatever
// they stand on has a name of its own.

const PATHS = {
    menu: "M3 6h14M3 10h14M3 14h9",
    plus: "M10 4v12M4 10h12",
    send: "M10 16V4.5M5 9.5l5-5 5 5",
    stop: "M6 6h8v8H6z",
    copy: "M7 7h9v9H7zM13 4H4v9",
    check: "M4 10.5l4 4 8-9",
    again: "M15.5 7.5A6 6 0 1 0 16 11M16 4v4h-4",
    edit: "M4 16l.8-3.4L13 4.4l2.6 2.6-8.2 8.2zM11.5 6l2.6 2.6",
    bin: "M4 6h12M8 6V4h4v2M5.5 6l.7 10h7.6l.7-10M8.5 9v4.5M11.5 9v4.5",
    close: "M5 5l10 10M15 5L5 15",
    sliders: "M3 6h7M14 6h3M3 14h3M10 14h7M12 4v4M8 12v4",
    pulse: "M2.5 10H6l2.5-5.5 3.5 11L14.3 10h3.2",
    models: "M10 3l6.5 3.5v7L10 17l-6.5-3.5v-7zM3.5 6.5L10 10l6.5-3.5M10 10v7",
    bench: "M4 16V10M10 16V4M16 16v-8",
    text: "M4 5h12M4 9h7M4 13h5M12.5 11a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5M14.4 15.4L17 18",
    down: "M10 3.5v9M6 9l4 4 4-4M4 16.5h12",
    pause: "M7 5v10M13 5v10",
    play: "M6.5 4.5l8.5 5.5-8.5 5.5z",
    file: "M5 3h6.5L15 6.5V17H5zM11.5 3v3.5H15",
    sun: "M10 7a3 3 0 1 0 0 6 3 3 0 0 0 0-6M10 2.5v1.7M10 15.8v1.7M2.5 10h1.7M15.8 10h1.7M4.7 4.7l1.2 1.2M14.1 14.1l1.2 1.2M15.3 4.7l-1.2 1.2M5.9 14.1l-1.2 1.2",
    moon: "M15.8 12.2A6.5 6.5 0 0 1 7.8 4.2a6.5 6.5 0 1 0 8 8z",
    auto: "M10 3.5a6.5 6.5 0 1 0 0 13zM10 3.5a6.5 6.5 0 0 1 0 13",
    out: "M10 13V4M6.5 7L10 3.5 13.5 7M4 12v4.5h12V12",
    in: "M10 3.5v9M6.5 9l3.5 3.5L13.5 9M4 12v4.5h12V12",
    more: "M5 10h.01M10 10h.01M15 10h.01",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
    return (
        <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
            <path d={PATHS[name]} />
        </svg>
    );
}

/** The mark: a mote of dust in a beam of light. */
export function Mark() {
    return (
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <path class="mark-beam" d="M0 29 32 4v16z" />
            <circle class="mark-mote" cx="19.5" cy="14.6" r="4.4" />
        </svg>
    );
}
