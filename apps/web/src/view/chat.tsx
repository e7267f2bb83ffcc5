// SPDX-License-Identifier: Apache-2.0
//
// A conversation: its messages, the box to write in, and between them what stands in the way of an answer.

import { signal } from "@preact/signals";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { again, say, shorten, use } from "../action.ts";
import { answerable, continues, failure, running, textOf } from "../model/answer.ts";
import { engine, lastKey } from "../model/engine.ts";
import { entries } from "../model/library.ts";
import { MoteError } from "mote";
import { type Conversation, LIMITS, type Message as Data, titleOf } from "../store/conversation.ts";
import { find } from "../store/conversations.ts";
import { explain } from "../words.ts";
import { Announcer } from "./announcer.tsx";
import { Beam } from "./beam.tsx";
import { Icon } from "./icon.tsx";
import { Message } from "./message.tsx";
import { LoadingBar } from "./progress.tsx";

export function Chat({ id }: { id: string | undefined }) {
    const conversation = id ? find(id) : undefined;
    const messages = conversation?.messages ?? [];
    return (
        <section class="chat" aria-label="Conversation" data-empty={messages.length === 0}>
            {messages.length === 0 && <Beam />}
            <Scroller key={id} last={messages.at(-1)}>
                {conversation && messages.length > 0 ? (
                    <div class="messages">
                        <h1 class="hidden">{titleOf(conversation)}</h1>
                        {conversation.system && <p class="system">{conversation.system}</p>}
                        {messages.map((message, i) => (
                            <Message
                                key={message.id}
                                conversation={conversation}
                                message={message}
                                last={i === messages.length - 1}
                            />
                        ))}
                    </div>
                ) : (
                    <Welcome />
                )}
            </Scroller>
            <div class="dock">
                <Obstacle conversation={conversation} />
                <Composer key={id ?? "new"} id={id} />
            </div>
            {conversation && <Announcer conversation={conversation} />}
        </section>
    );
}

/** Stays at the end while text comes, unless the reader has gone up. */
function Scroller({ last, children }: { last: Data | undefined; children: preact.ComponentChildren }) {
    // Read here and not above, so that the text that comes draws this, and not the whole conversation.
    const follow = last ? textOf(last).length : 0;
    const ref = useRef<HTMLDivElement>(null);
    const atEnd = useRef(true);
    const [away, setAway] = useState(false);
    const down = () => {
        const box = ref.current;
        if (box) box.scrollTop = box.scrollHeight;
    };
    useLayoutEffect(() => {
        if (atEnd.current) down();
    }, [follow, children]);
    const onScroll = () => {
        const box = ref.current;
        if (!box) return;
        atEnd.current = box.scrollHeight - box.scrollTop - box.clientHeight < 48;
        setAway(!atEnd.current);
    };
    return (
        <div class="scroller" ref={ref} onScroll={onScroll} tabIndex={-1}>
            {children}
            {away && (
                <button type="button" class="to-end icon-only" aria-label="To the newest message" onClick={down}>
                    <Icon name="down" />
                </button>
            )}
        </div>
    );
}

const QUESTIONS = [
    "Explain why the sky is blue, in three sentences.",
    "Write a haiku about dust in sunlight.",
    "What is the capital of France?",
];
const BEGINNINGS = [
    "Once upon a time, there was a little girl named Lily.",
    "One day, a small robot found a seed.",
    "The old lighthouse had a secret.",
];

function Welcome() {
    const now = engine.value;
    if (now.state === "ready" && now.model.info.encoder) return <Encoder name={now.name} />;
    const ready = now.state === "ready";
    const examples = ready && continues(now) ? BEGINNINGS : QUESTIONS;
    return (
        <div class="welcome">
            <h1>{ready ? (continues(now) ? "Begin a text" : "Ask something") : "A language model in this tab"}</h1>
            <p>
                {ready
                    ? continues(now)
                        ? `${now.name} goes on with what you write.`
                        : `${now.name} answers on this device.`
                    : "It is downloaded once, runs on this device, and works offline. Nothing you write leaves it."}
            </p>
            {ready ? (
                <ul class="examples" aria-label="Examples">
                    {examples.map((text) => (
                        <li>
                            <button type="button" class="quiet" onClick={() => say(undefined, text)}>
                                {text}
                            </button>
                        </li>
                    ))}
                </ul>
            ) : (
                now.state !== "loading" && <First />
            )}
        </div>
    );
}

/** An encoder has nothing to say. */
function Encoder({ name }: { name: string }) {
    return (
        <div class="welcome">
            <h1>An encoder in this tab</h1>
            <p>{name} judges texts and finds them by meaning; it writes none.</p>
            <div class="row centre">
                <a class="button" href="#/text">
                    Go to Text
                </a>
                <a class="button quiet" href="#/models">
                    Choose another model
                </a>
            </div>
        </div>
    );
}

/** What to do when no model is loaded. */
function First() {
    const here = entries.value.filter((entry) => entry.complete);
    const last = here.find((entry) => entry.key === lastKey()) ?? here[0];
    return (
        <div class="row centre">
            {last && (
                <button type="button" onClick={() => void use(last.key, last.name)}>
                    Load {last.name}
                </button>
            )}
            <a class={last ? "button quiet" : "button"} href="#/models">
                Choose a model
            </a>
        </div>
    );
}

/** What stands in the way of an answer, and the way around it. */
function Obstacle({ conversation }: { conversation: Conversation | undefined }) {
    const now = engine.value;
    if (now.state === "loading") return <LoadingBar name={now.name} progress={now.progress} />;
    if (now.state === "failed") {
        const { title, text } = explain(now.error);
        return (
            <div class="card warning" role="alert">
                <strong>{title}</strong>
                <p>{text}</p>
                <div class="row">
                    <button type="button" onClick={() => void use(now.key, now.name)}>
                        Try again
                    </button>
                    <a class="button quiet" href="#/models">
                        Choose another model
                    </a>
                </div>
            </div>
        );
    }
    if (now.state === "none") {
        if (!conversation) return null;
        return (
            <div class="card">
                <p>No model is loaded.</p>
                <First />
            </div>
        );
    }
    const failed = failure.value;
    if (conversation && failed?.conversation === conversation.id) {
        const { title, text } = explain(failed.error);
        const long = failed.error instanceof MoteError && failed.error.code === "context";
        return (
            <div class="card warning" role="alert">
                <strong>{title}</strong>
                <p>{text}</p>
                <div class="row">
                    {long ? (
                        <button type="button" onClick={() => shorten(conversation)}>
                            Leave out the oldest
                        </button>
                    ) : (
                        <button type="button" onClick={() => again(conversation)}>
                            Try again
                        </button>
                    )}
                </div>
            </div>
        );
    }
    const unanswered = conversation?.messages.at(-1)?.role === "user" && !running.value;
    if (conversation && unanswered)
        return (
            <div class="row centre">
                <button type="button" class="quiet" onClick={() => again(conversation)}>
                    <Icon name="again" />
                    Answer the last message
                </button>
            </div>
        );
    return null;
}

/** What was being written, by conversation, while the page is open. */
const drafts = signal<ReadonlyMap<string, string>>(new Map());
/** A keyboard on glass has Enter for new lines. */
const touch = matchMedia("(pointer: coarse)");

function Composer({ id }: { id: string | undefined }) {
    const key = id ?? "new";
    const ref = useRef<HTMLTextAreaElement>(null);
    const [text, setText] = useState(drafts.peek().get(key) ?? "");
    const now = engine.value;
    const busy = running.value;
    useLayoutEffect(() => {
        if (!touch.matches) ref.current?.focus({ preventScroll: true });
    }, []);
    const change = (value: string) => {
        setText(value);
        drafts.value = new Map(drafts.peek()).set(key, value);
    };
    const stop = () => {
        busy?.stop();
        // The button goes, and the focus must go somewhere.
        ref.current?.focus({ preventScroll: true });
    };
    const send = () => {
        if (!text.trim() || !answerable()) return;
        say(id, now.state === "ready" && continues(now) ? text : text.trim());
        change("");
    };
    const hint =
        now.state !== "ready" || now.model.info.encoder
            ? "Load a model to begin"
            : continues(now)
              ? "Write how it begins"
              : `Message ${now.name}`;
    return (
        <form
            class="composer"
            onSubmit={(event) => {
                event.preventDefault();
                send();
            }}
        >
            <div class="grow" data-text={`${text}\n`}>
                <textarea
                    ref={ref}
                    rows={1}
                    id="composer"
                    aria-label="Your message"
                    placeholder={hint}
                    maxLength={LIMITS.text}
                    value={text}
                    onInput={(event) => change(event.currentTarget.value)}
                    onKeyDown={(event) => {
                        if (event.key === "Escape" && busy) stop();
                        if (event.key !== "Enter" || event.shiftKey || event.isComposing || touch.matches) return;
                        event.preventDefault();
                        send();
                    }}
                />
            </div>
            {busy ? (
                <button type="button" class="icon-only stop" aria-label="Stop" title="Stop" onClick={stop}>
                    <Icon name="stop" />
                </button>
            ) : (
                <button
                    type="submit"
                    class="icon-only"
                    aria-label="Send"
                    title="Send"
                    disabled={!text.trim() || !answerable()}
                >
                    <Icon name="send" />
                </button>
            )}
        </form>
    );
}
