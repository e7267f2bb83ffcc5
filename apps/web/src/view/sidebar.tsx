// SPDX-License-Identifier: Apache-2.0
//
// The left side: where to go in the page, and the conversations. On a phone it slides over the page.

import { signal } from "@preact/signals";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { discard, exportAll, exportOne, importConversations, rename } from "../action.ts";
import { running } from "../model/answer.ts";
import { route } from "../route.ts";
import { type Conversation, LIMITS, titleOf } from "../store/conversation.ts";
import { conversations, storageFailure } from "../store/conversations.ts";
import { type Settings, change, settings } from "../store/settings.ts";
import { when } from "../words.ts";
import { Icon, type IconName, Mark } from "./icon.tsx";

/** Whether it is open, where it is not always there. */
export const drawer = signal(false);

export function Sidebar() {
    const ref = useRef<HTMLDivElement>(null);
    const open = drawer.value;
    // Not after the next frame: keys may be pressed before.
    useLayoutEffect(() => {
        if (!open) return;
        ref.current?.querySelector<HTMLElement>("a, button")?.focus();
        const onKey = (event: KeyboardEvent) => {
            if (event.key === "Escape") closeDrawer();
        };
        addEventListener("keydown", onKey);
        return () => removeEventListener("keydown", onKey);
    }, [open]);
    return (
        <>
            <div class="sidebar" ref={ref} data-open={open} id="sidebar">
                <a class="brand" href="#/" onClick={() => (drawer.value = false)}>
                    <Mark />
                    <span>mote</span>
                </a>
                <nav aria-label="Pages">
                    <Place view="new" to="#/" icon="plus" name="New conversation" />
                    <Place view="models" to="#/models" icon="models" name="Models" />
                    <Place view="benchmark" to="#/benchmark" icon="bench" name="Benchmark" />
                    <Place view="text" to="#/text" icon="text" name="Text" />
                </nav>
                <Conversations />
                <Foot />
            </div>
            {open && <div class="scrim" onClick={closeDrawer} />}
        </>
    );
}

function closeDrawer(): void {
    drawer.value = false;
    // The button cannot be focused before the page behind the drawer is alive again.
    setTimeout(() => document.querySelector<HTMLElement>("[aria-controls=sidebar]")?.focus());
}

function Place({ view, to, icon, name }: { view: string; to: string; icon: IconName; name: string }) {
    const now = route.value;
    const here = now.view === "chat" ? (now.id ? "" : "new") : now.view;
    return (
        <a
            class="place"
            href={to}
            aria-current={here === view ? "page" : undefined}
            onClick={() => (drawer.value = false)}
        >
            <Icon name={icon} />
            {name}
        </a>
    );
}

function Conversations() {
    const list = conversations.value;
    return (
        <section class="history" aria-label="Conversations">
            <h2>Conversations</h2>
            {list.length === 0 && <p class="note">They are kept in this browser, on this device only.</p>}
            <ul>
                {list.map((conversation) => (
                    <Row key={conversation.id} conversation={conversation} />
                ))}
            </ul>
            {storageFailure.value && (
                <p class="note warning" role="alert">
                    Conversations cannot be kept in this browser: {storageFailure.value}
                </p>
            )}
        </section>
    );
}

function Row({ conversation }: { conversation: Conversation }) {
    const [menu, setMenu] = useState(false);
    const [naming, setNaming] = useState(false);
    const link = useRef<HTMLAnchorElement>(null);
    const now = route.value;
    const here = now.view === "chat" && now.id === conversation.id;
    const title = titleOf(conversation);
    const named = () => {
        setNaming(false);
        setTimeout(() => link.current?.focus());
    };
    if (naming) return <Rename conversation={conversation} onDone={named} />;
    return (
        <li data-here={here}>
            <a
                ref={link}
                href={`#/c/${conversation.id}`}
                aria-current={here ? "page" : undefined}
                title={title}
                onClick={() => (drawer.value = false)}
            >
                <span class="title">{title}</span>
                <span class="when">
                    {running.value?.conversation === conversation.id ? (
                        <i class="dot" aria-label="being answered" />
                    ) : (
                        when(conversation.changed)
                    )}
                </span>
            </a>
            <Menu
                name={`Actions for “${title}”`}
                open={menu}
                setOpen={setMenu}
                items={[
                    { name: "Rename", icon: "edit", run: () => setNaming(true) },
                    { name: "Export", icon: "out", run: () => exportOne(conversation) },
                    { name: "Delete", icon: "bin", run: () => void discard(conversation, here) },
                ]}
            />
        </li>
    );
}

function Rename({ conversation, onDone }: { conversation: Conversation; onDone: () => void }) {
    const ref = useRef<HTMLInputElement>(null);
    useLayoutEffect(() => ref.current?.select(), []);
    const keep = () => {
        if (ref.current) rename(conversation, ref.current.value);
        onDone();
    };
    return (
        <li class="naming">
            <input
                ref={ref}
                aria-label="Name of the conversation"
                defaultValue={titleOf(conversation)}
                maxLength={LIMITS.title}
                onBlur={keep}
                onKeyDown={(event) => {
                    if (event.key === "Enter") keep();
                    if (event.key === "Escape") onDone();
                }}
            />
        </li>
    );
}

interface MenuProps {
    name: string;
    open: boolean;
    setOpen: (open: boolean) => void;
    items: { name: string; icon: IconName; run: () => void }[];
}

function Menu({ name, open, setOpen, items }: MenuProps) {
    const ref = useRef<HTMLDivElement>(null);
    useLayoutEffect(() => {
        if (!open) return;
        ref.current?.querySelector<HTMLElement>("[role=menuitem]")?.focus();
        const onPress = (event: Event) => {
            if (!ref.current?.contains(event.target as Node)) setOpen(false);
        };
        addEventListener("pointerdown", onPress);
        return () => removeEventListener("pointerdown", onPress);
    }, [open]);
    const close = () => {
        setOpen(false);
        ref.current?.querySelector<HTMLElement>("[aria-haspopup]")?.focus();
    };
    const onKey = (event: KeyboardEvent) => {
        if (!open) return;
        const all = [...(ref.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (step) {
            event.preventDefault();
            all.at((all.indexOf(document.activeElement as HTMLElement) + step) % all.length)?.focus();
        } else if (event.key === "Escape" || event.key === "Tab") {
            event.stopPropagation();
            close();
        }
    };
    return (
        <div class="menu" ref={ref} onKeyDown={onKey}>
            <button
                type="button"
                class="quiet icon-only small"
                aria-label={name}
                aria-haspopup="menu"
                aria-expanded={open}
                onClick={() => setOpen(!open)}
            >
                <Icon name="more" />
            </button>
            {open && (
                <div role="menu" aria-label={name}>
                    {items.map((item) => (
                        <button
                            type="button"
                            role="menuitem"
                            tabIndex={-1}
                            onClick={() => {
                                close();
                                item.run();
                            }}
                        >
                            <Icon name={item.icon} />
                            {item.name}
                        </button>
                    ))}
                </div>
            )}
        </div>
    );
}

const THEMES: { value: Settings["theme"]; icon: IconName; name: string }[] = [
    { value: "auto", icon: "auto", name: "As the system" },
    { value: "light", icon: "sun", name: "Light" },
    { value: "dark", icon: "moon", name: "Dark" },
];

function Foot() {
    const file = useRef<HTMLInputElement>(null);
    return (
        <footer class="foot">
            <div class="foot-files">
                <button
                    type="button"
                    class="quiet small"
                    onClick={exportAll}
                    disabled={conversations.value.length === 0}
                >
                    <Icon name="out" />
                    Export all
                </button>
                <button type="button" class="quiet small" onClick={() => file.current?.click()}>
                    <Icon name="in" />
                    Import
                </button>
                <input
                    ref={file}
                    type="file"
                    accept=".json,application/json"
                    hidden
                    aria-label="File of conversations to import"
                    onChange={(event) => {
                        const chosen = event.currentTarget.files?.[0];
                        event.currentTarget.value = "";
                        if (chosen) void importConversations(chosen);
                    }}
                />
            </div>
            <fieldset class="themes">
                <legend class="hidden">Colours</legend>
                {THEMES.map(({ value, icon, name }) => (
                    <label title={name}>
                        <input
                            type="radio"
                            name="theme"
                            value={value}
                            checked={settings.value.theme === value}
                            onChange={() => change({ theme: value })}
                        />
                        <span class="hidden">{name}</span>
                        <Icon name={icon} />
                    </label>
                ))}
            </fieldset>
        </footer>
    );
}
