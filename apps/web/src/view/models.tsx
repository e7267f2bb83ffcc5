// SPDX-License-Identifier: Apache-2.0
//
// The models: those offered and those on the device; download, pause, resume, load, delete; more by address or
// from a file.

import { useRef, useState } from "preact/hooks";
import { takeFile, use } from "../action.ts";
import { add, readAddress } from "../model/catalogue.ts";
import { engine, unload } from "../model/engine.ts";
import { type Entry, download, entries, failures, pause, remove, room, transfers } from "../model/library.ts";
import { notify } from "../notice.ts";
import { bytes, explain } from "../words.ts";
import { Icon } from "./icon.tsx";
import { Bar, progressText } from "./progress.tsx";

export function Models() {
    const list = entries.value;
    const here = list.filter((entry) => entry.loaded > 0 || entry.complete || transfers.value.has(entry.key));
    const rest = list.filter((entry) => !here.includes(entry));
    return (
        <section class="page" aria-labelledby="models-title">
            <header class="page-head">
                <h1 id="models-title">Models</h1>
                <Room />
            </header>
            {here.length > 0 && <List title="On this device" list={here} />}
            {rest.length > 0 && <List title="To download" list={rest} />}
            <h2>From elsewhere</h2>
            <div class="sources">
                <FileSource />
                <UrlSource />
            </div>
        </section>
    );
}

function Room() {
    const now = room.value;
    if (!now) return null;
    if (!now.supported)
        return (
            <p class="note">This browser gives no storage here (a private window?): models are gone with the page.</p>
        );
    return (
        <p class="note numbers">
            {bytes(now.usage)} used of {bytes(now.quota)}
            {now.persisted ? "" : " · may be evicted when space runs low"}
        </p>
    );
}

function List({ title, list }: { title: string; list: readonly Entry[] }) {
    return (
        <>
            <h2>{title}</h2>
            <ul class="models">
                {list.map((entry) => (
                    <Row key={entry.key} entry={entry} />
                ))}
            </ul>
        </>
    );
}

function Row({ entry }: { entry: Entry }) {
    const transfer = transfers.value.get(entry.key);
    const failed = failures.value.get(entry.key);
    const now = engine.value;
    const loaded = now.state === "ready" && now.key === entry.key;
    const part = !entry.complete && entry.loaded > 0;
    return (
        <li class="model" data-loaded={loaded}>
            <div class="model-what">
                <h3>
                    {entry.name}
                    {loaded && <span class="tag">loaded</span>}
                </h3>
                <p>{entry.description}</p>
                <p class="note numbers">
                    {entry.bytes > 0 ? bytes(entry.bytes) : "size not known yet"}
                    {entry.licence && ` · ${entry.licence}`}
                    {part &&
                        !transfer &&
                        ` · paused at ${entry.bytes ? Math.floor((entry.loaded / entry.bytes) * 100) : 0} %`}
                </p>
            </div>
            <Actions entry={entry} />
            {transfer && (
                <div class="model-progress">
                    <Bar
                        label={`Download of ${entry.name}`}
                        done={transfer.progress.loaded}
                        total={transfer.progress.total}
                    />
                    <span class="note numbers">{progressText(transfer.progress)}</span>
                </div>
            )}
            {failed !== undefined && !transfer && <Failure error={failed} />}
        </li>
    );
}

function Failure({ error }: { error: unknown }) {
    const { title, text } = explain(error);
    return (
        <div class="card warning model-progress" role="alert">
            <strong>{title}</strong>
            <p>{text}</p>
        </div>
    );
}

function Actions({ entry }: { entry: Entry }) {
    const now = engine.value;
    const mine = now.state !== "none" && now.key === entry.key;
    const transfer = transfers.value.get(entry.key);
    const name = entry.name;
    const fetchAndUse = async () => {
        if ((await download(entry)) && engine.value.state === "none") await use(entry.key, name);
    };
    return (
        <div class="row model-actions">
            {transfer ? (
                <button type="button" class="quiet" aria-label={`Pause ${name}`} onClick={() => pause(entry.key)}>
                    <Icon name="pause" />
                    Pause
                </button>
            ) : !entry.complete ? (
                <button
                    type="button"
                    aria-label={`${entry.loaded > 0 ? "Resume" : "Download"} ${name}`}
                    onClick={() => void fetchAndUse()}
                >
                    <Icon name={entry.loaded > 0 ? "play" : "down"} />
                    {entry.loaded > 0 ? "Resume" : "Download"}
                </button>
            ) : mine && now.state === "ready" ? (
                <button type="button" class="quiet" aria-label={`Unload ${name}`} onClick={() => void unload()}>
                    Unload
                </button>
            ) : (
                <button
                    type="button"
                    aria-label={`Load ${name}`}
                    disabled={mine && now.state === "loading"}
                    onClick={() => void use(entry.key, name)}
                >
                    {mine && now.state === "loading" ? "Loading…" : "Load"}
                </button>
            )}
            {!transfer && (entry.own || entry.loaded > 0 || entry.complete) && <Delete entry={entry} />}
        </div>
    );
}

/** Deleting takes a download of minutes or hours away, so it is asked for twice. */
function Delete({ entry }: { entry: Entry }) {
    const [sure, setSure] = useState(false);
    const act = async () => {
        if (!sure && (entry.loaded > 0 || entry.complete)) {
            setSure(true);
            return;
        }
        setSure(false);
        try {
            await remove(entry);
            notify(`Deleted ${entry.name}`);
        } catch (error) {
            const { title, text } = explain(error);
            notify(`${title}: ${text}`, { kind: "error" });
        }
    };
    return (
        <button
            type="button"
            class={sure ? "danger" : "quiet icon-only"}
            aria-label={sure ? `Really delete ${entry.name}` : `Delete ${entry.name}`}
            title="Delete"
            onClick={() => void act()}
            onBlur={() => setSure(false)}
        >
            <Icon name="bin" />
            {sure && `Delete ${bytes(entry.loaded)}`}
        </button>
    );
}

function FileSource() {
    const file = useRef<HTMLInputElement>(null);
    return (
        <div class="source">
            <h3>A file on this device</h3>
            <p>Drop a .gguf file anywhere on this page. It is copied into the browser's storage.</p>
            <button type="button" class="quiet" onClick={() => file.current?.click()}>
                <Icon name="file" />
                Choose a file
            </button>
            <input
                ref={file}
                type="file"
                accept=".gguf"
                hidden
                aria-label="Model file"
                onChange={(event) => {
                    const chosen = event.currentTarget.files?.[0];
                    event.currentTarget.value = "";
                    if (chosen) void takeFile(chosen);
                }}
            />
        </div>
    );
}

function UrlSource() {
    const [wrong, setWrong] = useState("");
    return (
        <form
            class="source"
            onSubmit={(event) => {
                event.preventDefault();
                const form = event.currentTarget;
                const url = readAddress(String(new FormData(form).get("address") ?? ""));
                if (typeof url === "string") {
                    setWrong(url);
                    return;
                }
                setWrong("");
                form.reset();
                const key = add(url);
                const entry = entries.value.find((other) => other.key === key);
                if (entry) void download(entry);
            }}
        >
            <h3>An address</h3>
            <p>
                <label for="address">Any GGUF file of the Llama family; pages of Hugging Face files work too.</label>
            </p>
            <div class="row">
                <input
                    id="address"
                    name="address"
                    type="text"
                    inputMode="url"
                    placeholder="https://…/model.gguf"
                    autocomplete="off"
                    spellcheck={false}
                    aria-invalid={wrong !== ""}
                    aria-describedby={wrong ? "address-wrong" : undefined}
                />
                <button type="submit" class="quiet">
                    Add
                </button>
            </div>
            {wrong && (
                <p class="note warning" id="address-wrong" role="alert">
                    {wrong}
                </p>
            )}
        </form>
    );
}
