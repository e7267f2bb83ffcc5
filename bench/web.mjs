// SPDX-License-Identifier: Apache-2.0
//
// web.mjs: mote and wllama (llama.cpp for browsers) in one Chromium, on the same files, in turn; encoders with ONNX
// Runtime for browsers. As in peers.mjs what is kept is the ratio of each turn; above 1 is for mote.
//
//     node bench/web.mjs [quick|full|encoders] [--turns N] [--only TEXT] [--no-peer]
//
//     encoders  MiniLM of 8 bits, one text of 8 to 256 tokens, and a BERT-base shape: writes web-encoders-<machine>.csv
//     quick     the small model and one large one
//     full      all models, 1 thread and 2
//     --only    the rows whose names contain this; the others keep what an earlier run found
//     --no-peer mote alone: speeds, no ratios
//
// Also measured, of mote alone: four answers at once, a restored KV snapshot, a start from the device's storage,
// and the memory of the tab. Writes bench/results/web-<machine>.csv and docs/web-<machine>.svg.
//
// Both engines read the same prompt, of as many tokens as is said by the count of each. A turn asks each engine several
// times, as often as fits into two seconds, and keeps the median. Virtual machines may run two processors on one core:
// before a turn of two threads two workers that only multiply say what two are worth (peak.js), and while that is less than
// 1.7 the turn waits, for half a minute at most. What it was then is in the column `cores`.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { encoder } from '../tests/cli/tiny_encoder.mjs';
import { chart } from './chart.mjs';
import { MOTE, file, folder, machine, median, pulled, root } from './models.mjs';
import { browser } from './web/browser.mjs';

const args = process.argv.slice(2);
const has = (name) => args.includes(name);
const value = (name) => (has(name) ? args[args.indexOf(name) + 1] : undefined);
const encoders = has('encoders');
const turns = Number(value('--turns') ?? 3);
const only = value('--only') ?? '';
const peer = !has('--no-peer');
const PROMPT = 200;
const SNAPSHOT = 500;
const DECODE = 24;
const SECONDS = 2;
const REPEATS = 5;
const TEXTS = [8, 32, 128, 256];

const wanted = (label) => label.includes(only);
const { open, url, close } = await browser();

// ---- what is said ----

/** Words; no two texts begin alike, so that no cache of prompts helps. */
let said = Math.floor(Math.random() * 2 ** 31);
function words(n) {
    let text = '';
    for (let i = 0; i < n; i++) {
        said = (said * 1103515245 + 12345) % 2 ** 31;
        text += ` ${'aeiou'[said % 5]}${'bdglmnrst'[(said >> 8) % 9]}`;
    }
    return text.trim();
}

/** A text of n tokens, or the longest of so many words that has not more. */
async function prompt(mote, n) {
    const list = words(2 * n).split(' ');
    let [least, most] = [1, list.length];
    while (least < most) {
        const middle = (least + most + 1) >> 1;
        if ((await mote.call('count', list.slice(0, middle).join(' '))) <= n) least = middle;
        else most = middle - 1;
    }
    return list.slice(0, least).join(' ');
}

// ---- the processors ----

const peak = await open('peak');

/** What two threads are worth, of one; undefined where one is asked for. */
async function cores(threads) {
    if (threads < 2) return undefined;
    for (let wait = 0; ; wait++) {
        const worth = (await peak.call('peak', threads, 200)) / (await peak.call('peak', 1, 100));
        if (worth > 1.7 || wait === 30) return worth;
        await new Promise((done) => setTimeout(done, 1000));
    }
}

// ---- results ----

const COLUMNS = `test,unit,mote,${encoders ? 'onnxruntime-web' : 'wllama'},ratio,ratio_low,ratio_high,turns,load,cores`;
const NAME = encoders ? `encoders-${machine()}` : machine();
const results = join(root, `bench/results/web-${NAME}.csv`);
const rows = new Map(earlier());

/** The rows of earlier runs, in the order of the plan. */
function earlier() {
    const [head, ...lines] = fs.existsSync(results) ? fs.readFileSync(results, 'utf8').trim().split('\n') : [];
    const kept = new Map(head !== COLUMNS ? [] : lines.map((line) => {
        const [, label, rest] = /^"(.*)",(.*)$/.exec(line);
        const [unit, ...figures] = rest.split(',');
        const [ours, theirs, ratio, low, high, count, load, worth] = figures.map((text) => (text ? Number(text) : undefined));
        return [label, { label, unit, ours, theirs, ratio, low, high, turns: count, load, cores: worth }];
    }));
    return plan().flatMap(({ labels }) => labels).map((label) => [label, kept.get(label)]);
}

function write() {
    const list = [...rows.values()].filter(Boolean);
    const text = (x) => (x === undefined ? '' : x.toPrecision(4));
    const line = (r) => [`"${r.label}"`, r.unit, ...[r.ours, r.theirs, r.ratio, r.low, r.high].map(text), r.turns, r.load.toFixed(1), r.cores?.toFixed(2) ?? ''];
    fs.mkdirSync(join(root, 'bench/results'), { recursive: true });
    fs.writeFileSync(results, [COLUMNS, ...list.map((row) => line(row).join(',')), ''].join('\n'));
    const compared = list.filter((row) => row.ratio);
    if (compared.length === 0) return;
    fs.writeFileSync(join(root, `docs/web-${NAME}.svg`), chart(`mote, as a multiple of ${encoders ? 'ONNX Runtime' : 'wllama'} in the same Chromium`,
        `${machine()}; ${encoders ? 'onnxruntime-web 1.30.0, MiniLM, Q8_0 against int8' : 'wllama 3.8.1 on the CPU'}; median of turns, line: lowest to highest; longer is better for mote`, compared));
}

/** pairs: [mote, the peer or nothing] of each turn; worth: what two threads were in each. */
function report(label, unit, pairs, worth = []) {
    const ratios = pairs.filter(([, theirs]) => theirs).map(([ours, theirs]) => (unit === 'ms' ? theirs / ours : ours / theirs));
    const row = {
        label, unit, turns: pairs.length, load: os.loadavg()[0], ours: median(pairs.map(([ours]) => ours)), cores: worth[0] && Math.min(...worth),
        ...(ratios.length && { theirs: median(pairs.map(([, theirs]) => theirs)), ratio: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) }),
    };
    rows.set(label, row);
    const theirs = row.theirs ? `${row.theirs.toPrecision(4).padStart(8)} ` : ''.padStart(9);
    const ratio = row.ratio ? ` ${row.ratio.toFixed(2)}× (${row.low.toFixed(2)} … ${row.high.toFixed(2)})` : '';
    const alone = row.cores && row.cores < 1.7 ? `, THE TWO PROCESSORS WERE WORTH ${row.cores.toFixed(2)}` : row.cores ? `, cores ${row.cores.toFixed(2)}` : '';
    console.log(`${label.padEnd(50)}${row.ours.toPrecision(4).padStart(8)} ${theirs}${unit}${ratio}, load ${row.load.toFixed(1)}${alone}`);
    write();
}

// ---- tests ----

/** The engine, with a model and as many threads as were asked for. */
async function engine(name, address, threads) {
    const made = await open(name);
    const info = await made.call('open', address, { threads });
    if (info.threads !== threads) throw new Error(`${name} runs ${info.threads} threads, not ${threads}`);
    return { ...made, name, info };
}

/** One engine's turn: the medians of what it says of several prompts. */
async function answers(mote, one) {
    const list = [];
    for (const start = performance.now(); list.length < REPEATS && (!list.length || performance.now() - start < SECONDS * 1e3); ) {
        const answer = await one.call('answer', await prompt(mote, PROMPT), DECODE);
        if (Math.abs(answer.promptTokens - PROMPT) > 3) throw new Error(`${one.name} read ${answer.promptTokens} tokens, not ${PROMPT}`);
        list.push(answer);
    }
    return { prompt: median(list.map((a) => (a.promptTokens * 1e3) / a.promptMs)), decode: median(list.map((a) => a.decode)) };
}

async function speeds({ labels: [prompts, decodes, batches, memory], name, threads }) {
    const path = url(file(name));
    const mote = await engine('mote', path, threads);
    const engines = [mote];
    try {
        const { info } = mote;
        if (memory && wanted(memory)) report(memory, 'MB', [[(info.memoryBytes - info.fileBytes - info.contextBytes) / 1e6]]);
        if (wanted(prompts) || wanted(decodes)) {
            if (peer) engines.push(await engine('wllama', path, threads));
            for (const one of engines) await one.call('answer', words(4), 4);
            const [turn, worth] = [[], []];
            while (turn.length < turns) {
                worth.push(await cores(threads));
                const said = [];
                for (const one of engines) said.push(await answers(mote, one));
                turn.push(said);
            }
            if (wanted(prompts)) report(prompts, 'tokens/s', turn.map((said) => said.map((one) => one.prompt)), worth);
            if (wanted(decodes)) report(decodes, 'tokens/s', turn.map((said) => said.map((one) => one.decode)), worth);
        }
        if (!batches || !wanted(batches)) return;
        const gains = [];
        while (gains.length < turns) {
            const one = (await mote.call('answer', words(4), DECODE)).decode;
            gains.push([await mote.call('batch', [0, 0, 0, 0].map(() => words(4)), DECODE), one]);
        }
        report(batches, 'tokens/s', gains.map(([four]) => [four]));
        console.log(`${''.padEnd(50)}${median(gains.map(([four, one]) => four / one)).toFixed(2).padStart(8)} times one`);
    } finally {
        for (const one of engines) await one.close();
    }
}

/** The BERT-base shape, with random weights. */
function baseModel() {
    const path = join(folder, 'bert-base-Q8_0.gguf');
    if (!fs.existsSync(path)) fs.writeFileSync(path, encoder({ dim: 768, ffn: 3072, layers: 12, heads: 12, context: 512, type: 'Q8_0' }));
    return path;
}

/** One text at a time, the two in turn; the model of ONNX Runtime is the one that bench/encoders.mjs fetches. */
async function encode({ labels, threads, model, sizes, compared }) {
    const theirs = join(folder, 'minilm-int8.onnx');
    if (peer && compared && !fs.existsSync(theirs)) throw new Error(`there is no ${theirs} yet: node bench/encoders.mjs`);
    const engines = [await engine('mote', url(model()), threads), ...(peer && compared ? [await engine('onnx', url(theirs), threads)] : [])];
    try {
        for (const one of engines) await one.call('encode', 32, 3000); // until all is compiled for speed
        for (const [i, n] of sizes.entries()) {
            if (!wanted(labels[i])) continue;
            const [pairs, worth] = [[], []];
            while (pairs.length < turns) {
                worth.push(await cores(threads));
                const pair = [];
                for (const one of engines) pair.push(await one.call('encode', n, (SECONDS / 4) * 1e3));
                pairs.push(pair);
            }
            report(labels[i], 'ms', pairs, worth);
        }
    } finally {
        for (const one of engines) await one.close();
    }
}

async function starts({ labels: [script, snapshot, cold] }) {
    const mote = await open('mote');
    try {
        const times = async (ask) => {
            const list = [];
            while (list.length < Math.max(3, turns)) list.push([await ask()]);
            return list;
        };
        if (wanted(script)) {
            const tiny = join(folder, 'tiny-F32.gguf');
            if (!fs.existsSync(tiny)) execFileSync(join(dirname(MOTE), 'mote-synth'), ['-o', tiny], { stdio: 'ignore' });
            report(script, 'ms', await times(async () => {
                await mote.page.reload();
                await mote.page.waitForFunction(() => window.engine);
                return mote.call('ready', url(tiny));
            }));
        }
        if (wanted(snapshot)) {
            await mote.call('open', url(file('135m Q8_0')), { threads: 1 });
            report(snapshot, 'ms', await times(async () => mote.call('snapshot', await prompt(mote, SNAPSHOT))));
        }
        if (wanted(cold)) {
            const story = url(pulled('stories15m'));
            await mote.call('cold', story); // the download
            report(cold, 'ms', await times(() => mote.call('cold', story)));
        }
    } finally {
        await mote.close();
    }
}

/** Everything there is to measure: what is opened together, and the names of its rows. */
function plan() {
    const counts = [1, 2];
    if (encoders)
        return counts.flatMap((threads) => [
            { run: encode, threads, sizes: TEXTS, compared: true, model: () => pulled('minilm'), labels: TEXTS.map((n) => `MiniLM, ${n} tokens, ${threads} thr`) },
            { run: encode, threads, sizes: [32], compared: false, model: baseModel, labels: [`BERT-base, 32 tokens, ${threads} thr`] },
        ]);
    const quick = ['135m Q8_0', '1b Q4_K_M'];
    return [
        { run: starts, labels: ['script, module and a tiny model ready, warm cache', `135m Q8_0, first token after a snapshot of ${SNAPSHOT}`, 'stories15M, first token from storage'] },
        ...['135m Q8_0', '1b Q8_0', '1b Q4_K_M', '1b Q4_0', 'TinyLlama IQ2_XXS'].flatMap((name) => counts.map((threads) => {
            const label = `${name}, ${threads} thr`;
            const alone = threads > 1 ? [] : [`${label}, memory beside file and context`];
            return { run: speeds, name, threads, more: threads > 1 || !quick.includes(name), labels: [`${label}, prompt ${PROMPT}`, `${label}, decode ${DECODE}`, `${label}, batch 4 decode ${DECODE}`, ...alone] };
        })),
    ];
}

try {
    const one = (await peak.call('peak', 1, 300)).toFixed(0);
    console.log(`int8 in registers: ${one} GMAC/s, of two workers ${(await peak.call('peak', 2, 300)).toFixed(0)}`);
    for (const test of plan())
        if ((!test.more || has('full')) && test.labels.some(wanted)) await test.run(test);
} finally {
    await close();
}
console.log(`bench/results/web-${NAME}.csv`);
