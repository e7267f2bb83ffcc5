// SPDX-License-Identifier: Apache-2.0
//
// Texts with an encoder: labels as one types, where the model has some, and a search by meaning in what is pasted.

import { useEffect, useId, useMemo, useState } from "preact/hooks";
import type { EncodeProgress, Label, Model } from "mote";
import { takeFile } from "../action.ts";
import { engine } from "../model/engine.ts";
import { type Hit, Shelf, judge, paragraphsOf } from "../model/text.ts";
import { count, explain, isAbort } from "../words.ts";
import { Icon } from "./icon.tsx";
import { Bar } from "./progress.tsx";

/** How long the user may pause before what was typed is read. */
const PAUSE_MS = 80;
const PASTE_PAUSE_MS = 400;
const SHOWN = 10;

export function Text() {
    const now = engine.value;
    const model = now.state === "ready" && now.model.info.encoder ? now.model : undefined;
    return (
        <section class="page" aria-labelledby="text-title">
            <header class="page-head">
                <h1 id="text-title">Text</h1>
                <p class="note">
                    Encoders judge texts and find them by meaning. What you write here stays on this device.
                </p>
            </header>
            {model ? (
                <>
                    {model.info.labels.length > 0 && !model.info.labelsTokens && <Classify model={model} />}
                    <Search model={model} />
                </>
            ) : (
                <NoEncoder loading={now.state === "loading"} other={now.state === "ready"} />
            )}
        </section>
    );
}

function NoEncoder({ loading, other }: { loading: boolean; other: boolean }) {
    const id = useId();
    if (loading)
        return (
            <p class="card" role="status">
                The model is being loaded.
            </p>
        );
    return (
        <div class="card">
            <p>
                {other ? "The model at hand continues texts; it is no encoder. " : "This takes an encoder. "}
                MiniLM, BERT, E5, BGE or GTE as a GGUF file will do: choose one that is offered, or open a file of
                your own.
            </p>
            <div class="row">
                <a class="button" href="#/models">
                    Choose a model
                </a>
                <label class="button quiet" for={id}>
                    <Icon name="file" />
                    Open a file
                </label>
                <input
                    id={id}
                    class="hidden"
                    type="file"
                    accept=".gguf"
                    onChange={(event) => {
                        const [file] = event.currentTarget.files ?? [];
                        if (file) void takeFile(file);
                    }}
                />
            </div>
        </div>
    );
}

/** Runs work some time after its inputs have settled, and stops it when they change. */
function useSettled(pause: number, work: (signal: AbortSignal) => Promise<void>, inputs: readonly unknown[]): unknown {
    const [failed, setFailed] = useState<unknown>();
    useEffect(() => {
        const controller = new AbortController();
        const timer = setTimeout(() => {
            setFailed(undefined);
            work(controller.signal).catch((error) => {
                if (!controller.signal.aborted && !isAbort(error)) setFailed(error);
            });
        }, pause);
        return () => {
            clearTimeout(timer);
            controller.abort();
        };
    }, inputs);
    return failed;
}

function Failed({ error }: { error: unknown }) {
    if (error === undefined) return null;
    const { title, text } = explain(error);
    return (
        <p class="note warning" role="alert">
            {title}: {text}
        </p>
    );
}

const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;

function Classify({ model }: { model: Model }) {
    const id = useId();
    const [text, setText] = useState("");
    const [labels, setLabels] = useState<Label[]>([]);
    const failed = useSettled(
        PAUSE_MS,
        async (signal) => setLabels(text.trim() ? await judge(model, text, signal) : []),
        [model, text],
    );
    return (
        <section class="text-part" aria-labelledby={`${id}-title`}>
            <h2 id={`${id}-title`}>Classify</h2>
            <label for={id}>Text to judge</label>
            <textarea id={id} rows={3} value={text} onInput={(event) => setText(event.currentTarget.value)} />
            <Failed error={failed} />
            <ul class="scores" role="status" aria-label="Labels">
                {labels.map(({ label, score }) => (
                    <li>
                        <span>{label}</span>
                        <meter min={0} max={1} value={score} aria-hidden="true" />
                        <span class="numbers">{percent(score)}</span>
                    </li>
                ))}
            </ul>
        </section>
    );
}

function Search({ model }: { model: Model }) {
    const id = useId();
    const shelf = useMemo(() => new Shelf(model), [model]);
    const [documents, setDocuments] = useState("");
    const [question, setQuestion] = useState("");
    const [progress, setProgress] = useState<EncodeProgress>();
    const [ready, setReady] = useState(0);
    const [hits, setHits] = useState<Hit[]>([]);
    const paragraphs = useMemo(() => paragraphsOf(documents), [documents]);
    const reading = useSettled(
        PASTE_PAUSE_MS,
        async (signal) => {
            try {
                await shelf.put(paragraphs, signal, (now) => !signal.aborted && setProgress(now));
                setReady((version) => version + 1);
            } finally {
                if (!signal.aborted) setProgress(undefined);
            }
        },
        [shelf, paragraphs],
    );
    const searching = useSettled(
        PAUSE_MS,
        async (signal) => setHits(question.trim() ? await shelf.search(question, SHOWN, signal) : []),
        [shelf, question, ready],
    );
    return (
        <section class="text-part" aria-labelledby={`${id}-title`}>
            <h2 id={`${id}-title`}>Search by meaning</h2>
            <label for={`${id}-documents`}>Documents, with empty lines between their paragraphs</label>
            <textarea
                id={`${id}-documents`}
                rows={8}
                value={documents}
                onInput={(event) => setDocuments(event.currentTarget.value)}
            />
            {progress ? (
                <div class="row">
                    <Bar label="Reading the documents" done={progress.done} total={progress.total} />
                    <span class="note numbers">
                        {progress.done} of {progress.total}
                    </span>
                </div>
            ) : (
                <p class="note" role="status">
                    {count(paragraphs.length, "paragraph")}
                </p>
            )}
            <label for={id}>Question</label>
            <input
                id={id}
                type="search"
                autoComplete="off"
                value={question}
                onInput={(event) => setQuestion(event.currentTarget.value)}
            />
            <Failed error={reading ?? searching} />
            <p class="hidden" role="status">
                {question.trim() && hits.length > 0 ? `${count(hits.length, "paragraph")} found` : ""}
            </p>
            <ol class="hits" aria-label="Paragraphs found">
                {hits.map(({ paragraph, score }) => (
                    <li>
                        <span class="numbers note">{score.toFixed(3)}</span>
                        <p>{paragraph}</p>
                    </li>
                ))}
            </ol>
        </section>
    );
}
