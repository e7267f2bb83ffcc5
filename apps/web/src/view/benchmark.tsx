// SPDX-License-Identifier: Apache-2.0
//
// The benchmark: models of this device against each other, with a table and a chart to copy.

import { useRef, useState } from "preact/hooks";
import { running } from "../model/answer.ts";
import {
    type Outcome,
    type Result,
    csv,
    failed,
    markdown,
    measure,
    outcome,
    packing,
    run,
} from "../model/benchmark.ts";
import { type Entry, entries } from "../model/library.ts";
import { notify } from "../notice.ts";
import { explain, rate } from "../words.ts";
import { Icon } from "./icon.tsx";
import { Bar } from "./progress.tsx";

export function Benchmark() {
    const here = entries.value.filter((entry) => entry.complete);
    return (
        <section class="page" aria-labelledby="benchmark-title">
            <header class="page-head">
                <h1 id="benchmark-title">Benchmark</h1>
                <p class="note">
                    Reads a prompt of 200 tokens, writes one answer, then four at once: median of three rounds, greedy.
                </p>
            </header>
            {here.length === 0 ? (
                <div class="card">
                    <p>There is no model on this device yet.</p>
                    <a class="button" href="#/models">
                        Choose a model
                    </a>
                </div>
            ) : (
                <Choice here={here} />
            )}
            {failed.value !== undefined && <Failed error={failed.value} />}
            {outcome.value && <Results outcome={outcome.value} />}
        </section>
    );
}

function Failed({ error }: { error: unknown }) {
    const { title, text } = explain(error);
    return (
        <div class="card warning" role="alert">
            <strong>{title}</strong>
            <p>{text}</p>
        </div>
    );
}

function Choice({ here }: { here: readonly Entry[] }) {
    const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
    const chosen = here.filter((entry) => !left.has(entry.key));
    const now = run.value;
    if (now)
        return (
            <div class="card loading" role="status">
                <div class="row between">
                    <span>{now.doing}</span>
                    <span class="note numbers">
                        {now.done + 1} of {now.steps}
                    </span>
                </div>
                <div class="row">
                    <Bar label="Benchmark" done={now.done} total={now.steps} />
                    <button type="button" class="quiet small" onClick={now.stop}>
                        Stop
                    </button>
                </div>
            </div>
        );
    return (
        <form
            class="choice"
            onSubmit={(event) => {
                event.preventDefault();
                // The largest weights first: the others are compared with it.
                void measure(chosen.toSorted((a, b) => b.bytes - a.bytes));
            }}
        >
            <fieldset>
                <legend>Models to measure</legend>
                {here.map((entry) => (
                    <label class="pick">
                        <input
                            type="checkbox"
                            checked={!left.has(entry.key)}
                            onChange={(event) => {
                                const next = new Set(left);
                                if (event.currentTarget.checked) next.delete(entry.key);
                                else next.add(entry.key);
                                setLeft(next);
                            }}
                        />
                        {entry.name}
                    </label>
                ))}
            </fieldset>
            <button type="submit" disabled={chosen.length === 0 || running.value !== undefined}>
                <Icon name="play" />
                Run
            </button>
        </form>
    );
}

function name(result: Result): string {
    return `${packing(result.bits)}${result.batch === 1 ? "" : ", batch of 4"}`;
}

function Results({ outcome: now }: { outcome: Outcome }) {
    const chart = useRef<SVGSVGElement>(null);
    const copy = async (text: string, what: string) => {
        await navigator.clipboard.writeText(text);
        notify(`Copied the ${what}`);
    };
    const copyChart = async () => {
        if (!chart.current) return;
        await navigator.clipboard.write([new ClipboardItem({ "image/png": picture(chart.current) })]);
        notify("Copied the chart");
    };
    return (
        <div class="results">
            <Table now={now} />
            <Chart now={now} svg={chart} />
            <p class="note">
                {now.engine}, {now.threads} {now.threads === 1 ? "thread" : "threads"}
            </p>
            <div class="row">
                <button type="button" class="quiet" onClick={() => void copy(markdown(now), "table")}>
                    <Icon name="copy" />
                    Copy table
                </button>
                <button type="button" class="quiet" onClick={() => void copy(csv(now), "CSV")}>
                    <Icon name="copy" />
                    Copy CSV
                </button>
                <button type="button" class="quiet" onClick={() => void copyChart()}>
                    <Icon name="copy" />
                    Copy chart
                </button>
            </div>
        </div>
    );
}

function Table({ now }: { now: Outcome }) {
    const [first] = now.results;
    return (
        <div class="table" tabIndex={0} role="region" aria-label="Results">
            <table class="numbers">
                <thead>
                    <tr>
                        <th scope="col">Model</th>
                        <th scope="col">Weights</th>
                        <th scope="col">Batch</th>
                        <th scope="col">Load</th>
                        <th scope="col">Prompt</th>
                        <th scope="col">Decode</th>
                        <th scope="col">Ratio</th>
                    </tr>
                </thead>
                <tbody>
                    {now.results.map((result) => (
                        <tr>
                            <th scope="row">{result.name}</th>
                            <td>{packing(result.bits)}</td>
                            <td>{result.batch}</td>
                            <td>{result.loadSeconds.toFixed(2)} s</td>
                            <td>{rate(result.prompt)}</td>
                            <td>
                                {rate(result.decode)} <small>±{Math.ceil(result.spread * 100)} %</small>
                            </td>
                            <td>{first ? `${(result.decode / first.decode).toFixed(2)}×` : ""}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

const ROW = 44;
/** Letters in the chart keep their size, so a narrow page gets a narrower chart. */
const narrow = matchMedia("(max-width: 560px)");

function Chart({ now, svg }: { now: Outcome; svg: preact.RefObject<SVGSVGElement | null> }) {
    const wide = narrow.matches ? 330 : 640;
    const most = Math.max(...now.results.map((result) => result.decode));
    const height = now.results.length * ROW + 26;
    return (
        <figure class="bars">
            <svg ref={svg} viewBox={`0 0 ${wide} ${height}`} role="img" aria-label={chartText(now)}>
                <text x="0" y="12" class="axis">
                    decode, tokens per second
                </text>
                {now.results.map((result, i) => {
                    const y = 26 + i * ROW;
                    const width = (result.decode / most) * (wide - 60);
                    return (
                        <g>
                            <text x="0" y={y + 11} class="label">
                                {result.name.slice(0, 48)} · {name(result)}
                            </text>
                            <rect
                                x="0"
                                y={y + 18}
                                width={width.toFixed(1)}
                                height="12"
                                rx="6"
                                class={result.batch === 4 ? "four" : "one"}
                            />
                            <text x={width + 8} y={y + 28} class="value">
                                {rate(result.decode)}
                            </text>
                        </g>
                    );
                })}
            </svg>
        </figure>
    );
}

function chartText(now: Outcome): string {
    return `Decode speed in tokens per second: ${now.results.map((r) => `${r.name} ${name(r)} ${rate(r.decode)}`).join("; ")}`;
}

/** The chart as a PNG, with the colours and letters it has on the page. */
async function picture(svg: SVGSVGElement): Promise<Blob> {
    const copy = svg.cloneNode(true) as SVGSVGElement;
    const from = svg.querySelectorAll("text, rect");
    copy.querySelectorAll("text, rect").forEach((element, i) => {
        const style = getComputedStyle(from[i] ?? svg);
        for (const name of ["fill", "font-size", "font-weight", "font-family"])
            element.setAttribute(name, style.getPropertyValue(name));
    });
    const { width, height } = svg.viewBox.baseVal;
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("width", String(width));
    copy.setAttribute("height", String(height));
    const image = new Image();
    image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
    await image.decode();
    const canvas = new OffscreenCanvas((width + 48) * 2, (height + 48) * 2);
    const context = canvas.getContext("2d");
    if (!context) throw new Error("this browser cannot draw the chart");
    context.fillStyle = getComputedStyle(document.body).backgroundColor;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 48, 48, width * 2, height * 2);
    return canvas.convertToBlob({ type: "image/png" });
}
