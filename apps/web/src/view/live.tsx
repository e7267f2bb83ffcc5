// SPDX-License-Identifier: Apache-2.0
//
// The live panel: how fast the answer comes, what memory is used, what runs. Its chart has one mote for each
// piece of text: the further up, the longer it took.

import { computed, signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { type Live as Data, live } from "../model/answer.ts";
import { engine } from "../model/engine.ts";
import { change, settings } from "../store/settings.ts";
import { bytes, count, duration, rate } from "../words.ts";
import { Icon } from "./icon.tsx";

/** Where there is room beside the conversation the panel stays as it was left; elsewhere it lies over it, and
 * is shown when asked for. */
const beside = signal(false);
const over = signal(false);
const room = matchMedia("(min-width: 1180px)");
beside.value = room.matches;
room.addEventListener("change", () => (beside.value = room.matches));

export const liveShown = computed(() => (beside.value ? settings.value.livePanel : over.value));

export function showLive(shown: boolean): void {
    if (beside.value) change({ livePanel: shown });
    else over.value = shown;
}

export function Live() {
    const now = engine.value;
    const data = live.value;
    return (
        <aside class="live" aria-label="Live figures" id="live">
            <header class="live-head">
                <h2>Live</h2>
                <button
                    type="button"
                    class="quiet icon-only small"
                    aria-label="Hide live figures"
                    onClick={() => showLive(false)}
                >
                    <Icon name="close" />
                </button>
            </header>
            <div class="speed" data-active={data?.active ?? false} data-empty={!data?.tokensPerSecond}>
                <output class="numbers" aria-label="Tokens per second">
                    {data?.tokensPerSecond ? rate(data.tokensPerSecond) : "–"}
                </output>
                <span>tokens/s</span>
            </div>
            <Motes data={data} />
            <dl class="numbers">
                <dt>First token</dt>
                <dd>{data?.firstTokenMs === undefined ? "–" : duration(data.firstTokenMs)}</dd>
                <dt>Answer</dt>
                <dd>{data ? count(data.tokens, "token") : "–"}</dd>
                <dt>Prompt</dt>
                <dd>
                    {data?.promptTokens === undefined ? "–" : count(data.promptTokens, "token")}
                    {!!data?.cachedTokens && <small>{data.cachedTokens} of them from cache</small>}
                </dd>
                {now.state === "ready" && <Memory now={now} />}
            </dl>
            {now.state === "ready" && <p class="note">{now.model.info.why}</p>}
        </aside>
    );
}

function Memory({ now }: { now: Extract<typeof engine.value, { state: "ready" }> }) {
    const { info } = now.model;
    const [stats, setStats] = useState(now.model.stats);
    useEffect(() => {
        const timer = setInterval(() => setStats(now.model.stats), 500);
        return () => clearInterval(timer);
    }, [now.model]);
    return (
        <>
            <dt>Memory</dt>
            <dd>
                {bytes(stats.memoryBytes || info.memoryBytes)}
                <small>
                    {bytes(info.fileBytes)} file, {bytes(info.contextBytes)} context
                </small>
            </dd>
            <dt>Context</dt>
            <dd>
                {Math.min(stats.positions, info.contextLength).toLocaleString("en")} of{" "}
                {info.contextLength.toLocaleString("en")}
            </dd>
            <dt>Engine</dt>
            <dd>
                {info.module}
                <small>{count(info.threads, "thread")}</small>
            </dd>
        </>
    );
}

const WIDTH = 240;
const HEIGHT = 84;

/** Where the bulk of the values ends: a few slow tokens must not flatten the rest. */
function ceiling(values: readonly number[]): number {
    const sorted = [...values].sort((a, b) => a - b);
    return Math.max(1, (sorted[Math.floor(sorted.length * 0.95)] ?? 1) * 1.4);
}

function Motes({ data }: { data: Data | undefined }) {
    const values = data?.intervals ?? [];
    const top = ceiling(values);
    const median = [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
    const across = Math.max(values.length, 60);
    const y = (value: number) => HEIGHT - 4 - (Math.min(value, top) / top) * (HEIGHT - 8);
    const summary =
        median === undefined ? "No tokens yet" : `Time of each token; half of them came within ${duration(median)}`;
    return (
        <figure class="motes">
            <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={summary}>
                {median !== undefined && <line x1="0" x2={WIDTH} y1={y(median)} y2={y(median)} class="median" />}
                {values.map((value, i) => (
                    <circle
                        cx={(((i + 0.5) / across) * WIDTH).toFixed(1)}
                        cy={y(value).toFixed(1)}
                        r="1.7"
                        class={value > top ? "over" : undefined}
                    />
                ))}
            </svg>
            <figcaption class="numbers">
                <span>each token a mote</span>
                <span>{median === undefined ? "" : `median ${duration(median)}`}</span>
            </figcaption>
        </figure>
    );
}
