// SPDX-License-Identifier: Apache-2.0
//
// The page as a whole: sidebar, the view that the address names, the live panel, and what lies over them.

import { useEffect, useState } from "preact/hooks";
import { takeFile } from "../action.ts";
import { running } from "../model/answer.ts";
import { engine } from "../model/engine.ts";
import { route } from "../route.ts";
import { titleOf } from "../store/conversation.ts";
import { find } from "../store/conversations.ts";
import { Benchmark } from "./benchmark.tsx";
import { Chat } from "./chat.tsx";
import { Icon } from "./icon.tsx";
import { Live, liveShown, showLive } from "./live.tsx";
import { Models } from "./models.tsx";
import { Notices } from "./notices.tsx";
import { SettingsDialog, settingsOpen } from "./settings.tsx";
import { Sidebar, drawer } from "./sidebar.tsx";
import { Text } from "./text.tsx";

export function Page() {
    const now = route.value;
    const live = now.view === "chat" && liveShown.value;
    const conversation = now.view === "chat" && now.id ? find(now.id) : undefined;
    const title =
        now.view === "models"
            ? "Models"
            : now.view === "benchmark"
              ? "Benchmark"
              : now.view === "text"
                ? "Text"
                : conversation
                  ? titleOf(conversation)
                  : "";
    useEffect(() => {
        document.title = title ? `${title} · mote` : "mote";
    }, [title]);
    return (
        <div class="frame" data-live={live} data-busy={running.value !== undefined}>
            <button type="button" class="skip" onClick={() => document.querySelector<HTMLElement>("#main")?.focus()}>
                Skip to the content
            </button>
            <Sidebar />
            <div class="middle" inert={drawer.value}>
                <Top live={live} />
                <main id="main" tabIndex={-1}>
                    {now.view === "models" ? (
                        <Models />
                    ) : now.view === "benchmark" ? (
                        <Benchmark />
                    ) : now.view === "text" ? (
                        <Text />
                    ) : (
                        <Chat id={now.id} />
                    )}
                </main>
            </div>
            {live && <Live />}
            <DropZone />
            <SettingsDialog />
            <Notices />
        </div>
    );
}

function Top({ live }: { live: boolean }) {
    const now = engine.value;
    const state = { none: "No model", loading: "Loading", ready: "", failed: "Failed" }[now.state];
    const name = now.state === "none" ? "Choose a model" : now.name;
    return (
        <header class="top">
            <button
                type="button"
                class="quiet icon-only only-narrow"
                aria-label="Menu"
                aria-controls="sidebar"
                aria-expanded={drawer.value}
                onClick={() => (drawer.value = !drawer.value)}
            >
                <Icon name="menu" />
            </button>
            <a
                class="chip"
                href="#/models"
                data-state={now.state}
                aria-label={`Model: ${[state, name].filter(Boolean).join(", ")}`}
            >
                <i class="dot" aria-hidden="true" />
                <span>{name}</span>
            </a>
            <div class="row end">
                <button
                    type="button"
                    class="quiet icon-only"
                    aria-label="Settings"
                    title="Settings"
                    onClick={() => (settingsOpen.value = true)}
                >
                    <Icon name="sliders" />
                </button>
                {route.value.view === "chat" && (
                    <button
                        type="button"
                        class="quiet icon-only"
                        aria-label="Live figures"
                        title="Live figures"
                        aria-pressed={live}
                        onClick={() => showLive(!live)}
                    >
                        <Icon name="pulse" />
                    </button>
                )}
            </div>
        </header>
    );
}

/** Takes files dropped anywhere. */
function DropZone() {
    const [over, setOver] = useState(false);
    useEffect(() => {
        let depth = 0;
        const files = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
        const handlers = {
            dragenter: (event: DragEvent) => {
                if (files(event) && ++depth === 1) setOver(true);
            },
            dragleave: (event: DragEvent) => {
                if (files(event) && --depth <= 0) end();
            },
            dragover: (event: DragEvent) => {
                if (files(event)) event.preventDefault();
            },
            drop: (event: DragEvent) => {
                if (!files(event)) return;
                event.preventDefault();
                end();
                const file = event.dataTransfer?.files[0];
                if (file) void takeFile(file);
            },
        };
        const end = () => {
            depth = 0;
            setOver(false);
        };
        const entries = Object.entries(handlers) as [keyof typeof handlers, (event: DragEvent) => void][];
        for (const [name, handler] of entries) addEventListener(name, handler);
        return () => {
            for (const [name, handler] of entries) removeEventListener(name, handler);
        };
    }, []);
    if (!over) return null;
    return (
        <div class="drop" aria-hidden="true">
            <p>
                <Icon name="file" />
                Drop a model (.gguf) or exported conversations (.json)
            </p>
        </div>
    );
}
