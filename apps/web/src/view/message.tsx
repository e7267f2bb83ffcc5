// SPDX-License-Identifier: Apache-2.0
//
// One message: what the user said, or an answer while it comes and after.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { again, edit } from "../action.ts";
import { answerable, running, textOf } from "../model/answer.ts";
import { type Conversation, LIMITS, type Message as Data } from "../store/conversation.ts";
import { duration, rate } from "../words.ts";
import { Icon } from "./icon.tsx";
import { Markdown } from "./markdown.tsx";

interface Props {
    conversation: Conversation;
    message: Data;
    last: boolean;
}

export function Message({ conversation, message, last }: Props) {
    const [editing, setEditing] = useState(false);
    const mine = message.role === "user";
    const coming = running.value?.message === message.id;
    const text = textOf(message);
    const label = mine ? "You" : `Answer${message.model ? ` of ${message.model}` : ""}`;
    const done = () => {
        setEditing(false);
        document.getElementById("composer")?.focus({ preventScroll: true });
    };
    return (
        <article
            class={mine ? "message mine" : "message answer"}
            aria-label={label}
            aria-busy={coming}
            data-coming={coming}
            data-reading={coming && !text}
        >
            {!mine && <i class="mote" aria-hidden="true" />}
            {editing ? (
                <Editor conversation={conversation} message={message} onDone={done} />
            ) : (
                <>
                    <div class="text">
                        {mine ? <p class="plain">{text}</p> : <Markdown text={text} />}
                        {coming && !text && <p class="reading">Reading…</p>}
                    </div>
                    {!coming && (
                        <Tools
                            conversation={conversation}
                            message={message}
                            last={last}
                            onEdit={() => setEditing(true)}
                        />
                    )}
                </>
            )}
        </article>
    );
}

function Tools({ conversation, message, last, onEdit }: Props & { onEdit: () => void }) {
    const [copied, setCopied] = useState(false);
    const idle = running.value === undefined;
    const copy = async () => {
        await navigator.clipboard.writeText(message.text);
        setCopied(true);
        setTimeout(() => setCopied(false), 1600);
    };
    const { figures, ended } = message;
    return (
        <div class="tools">
            <button
                type="button"
                class="quiet icon-only small"
                aria-label={copied ? "Copied" : "Copy message"}
                title="Copy"
                onClick={copy}
            >
                <Icon name={copied ? "check" : "copy"} />
            </button>
            <button
                type="button"
                class="quiet icon-only small"
                aria-label="Edit message"
                title="Edit"
                disabled={!idle}
                onClick={onEdit}
            >
                <Icon name="edit" />
            </button>
            {message.role === "assistant" && last && (
                <button
                    type="button"
                    class="quiet icon-only small"
                    aria-label="Regenerate answer"
                    title="Answer again"
                    disabled={!answerable()}
                    onClick={() => again(conversation)}
                >
                    <Icon name="again" />
                </button>
            )}
            {(figures || ended) && (
                <span class="figures">
                    {ended === "stopped" && <span>Stopped</span>}
                    {ended === "length" && <span>Ended at the limit</span>}
                    {figures && figures.tokensPerSecond > 0 && <span>{rate(figures.tokensPerSecond)} tokens/s</span>}
                    {figures && <span>first after {duration(figures.firstTokenMs)}</span>}
                </span>
            )}
        </div>
    );
}

function Editor({ conversation, message, onDone }: Omit<Props, "last"> & { onDone: () => void }) {
    const ref = useRef<HTMLTextAreaElement>(null);
    const mine = message.role === "user";
    useLayoutEffect(() => {
        ref.current?.focus();
        ref.current?.setSelectionRange(message.text.length, message.text.length);
    }, []);
    const keep = () => {
        const text = ref.current?.value.trim() ?? "";
        if (text && text !== message.text) edit(conversation, message, text);
        onDone();
    };
    return (
        <form
            class="editor"
            onSubmit={(event) => {
                event.preventDefault();
                keep();
            }}
        >
            <textarea
                ref={ref}
                aria-label={mine ? "Edit what you said" : "Edit the answer"}
                maxLength={LIMITS.text}
                defaultValue={message.text}
                onKeyDown={(event) => {
                    if (event.key === "Escape") onDone();
                    if (event.key === "Enter" && !event.shiftKey && mine && !event.isComposing) {
                        event.preventDefault();
                        keep();
                    }
                }}
            />
            <div class="row">
                <button type="submit">{mine && answerable() ? "Send" : "Keep"}</button>
                <button type="button" class="quiet" onClick={onDone}>
                    Cancel
                </button>
            </div>
        </form>
    );
}
