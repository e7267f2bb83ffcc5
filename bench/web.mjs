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
//     --no-peer mote alone: speeds, no ratios
//
// Also measured, of mote alone: four answers at once, a restored KV snapshot, a start from the device's storage,
// and the memory of the tab. Writes bench/results/web-<machine>.csv and docs/web-<machine>.svg.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import { join } from 'node:path';
import { encoder } from '../tests/cli/tiny_encoder.mjs';
import { chart } from './chart.mjs';
import { file, folder, machine, median, pulled, root } from './models.mjs';

const args = process.argv.slice(2);
const has = (name) => args.includes(name);
const value = (name) => (has(name) ? args[args.indexOf(name) + 1] : undefined);
const full = has('full');
const encoders = has('encoders');
const turns = Number(value('--turns') ?? 1);
const only = value('--only') ?? '';
const peer = !has('--no-peer');
const PROMPT = 200;
const DECODE = 24;

// ---- what is fetched ----

/** The folder of npm packages, installed once into the user's cache. */
function packages() {
    const modules = join(folder, 'web');
    fs.mkdirSync(modules, { recursive: true });
    const lock = fs.readFileSync(join(root, 'bench/web/package-lock.json'));
    const have = join(modules, 'package-lock.json');
    if (!fs.existsSync(join(modules, 'node_modules')) || !fs.existsSync(have) || !fs.readFileSync(have).equals(lock)) {
        for (const name of ['package.json', 'package-lock.json']) fs.copyFileSync(join(root, 'bench/web', name), join(modules, name));
        execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: modules, stdio: 'inherit' });
        fs.writeFileSync(have, lock);
    }
    return join(modules, 'node_modules');
}

const modules = packages();
const { chromium } = await import(join(modules, 'playwright-core/index.mjs'));

// ---- the server: pages, both engines, models by ranges ----

const models = new Map();
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm', '.gguf': 'application/octet-stream' };

function resolvePath(url) {
    const path = decodeURIComponent(new URL(url, 'http://localhost').pathname);
    if (path.includes('..')) return undefined;
    if (path.startsWith('/model/')) return models.get(path.slice(7));
    if (path.startsWith('/mote/')) return join(root, 'packages/mote/dist', path.slice(6));
    if (path.startsWith('/onnx/')) return join(modules, 'onnxruntime-web/dist', path.slice(6));
    if (path.startsWith('/wllama/')) return join(modules, '@wllama/wllama/esm', path.slice(8));
    return join(root, 'bench/web', path);
}

const server = http.createServer((request, response) => {
    const path = resolvePath(request.url);
    if (!path || !fs.existsSync(path) || !fs.statSync(path).isFile()) return response.writeHead(404).end();
    const { size } = fs.statSync(path);
    const headers = {
        'content-type': TYPES[path.slice(path.lastIndexOf('.'))] ?? 'application/octet-stream',
        'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp',
        'accept-ranges': 'bytes', etag: `"${size}"`, 'cache-control': 'max-age=3600',
    };
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const from = range ? Number(range[1]) : 0;
    const to = range && range[2] ? Math.min(Number(range[2]), size - 1) : size - 1;
    if (range) headers['content-range'] = `bytes ${from}-${to}/${size}`;
    headers['content-length'] = Math.max(0, to - from + 1);
    response.writeHead(range ? 206 : 200, headers);
    if (request.method === 'HEAD' || to < from) return response.end();
    fs.createReadStream(path, { start: from, end: to }).pipe(response);
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const base = `http://127.0.0.1:${server.address().port}`;
const url = (path) => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    models.set(name, path);
    return `${base}/model/${name}`;
};

// ---- the browser ----

const profile = fs.mkdtempSync(join(os.tmpdir(), 'mote-bench-web-'));
const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

/** A page with an engine; its methods are called by name. */
async function open(name) {
    const page = await context.newPage();
    page.on('pageerror', (error) => console.error(`${name}: ${error.message}`));
    await page.goto(`${base}/${name}.html`);
    await page.waitForFunction(() => window.engine, null, { timeout: 60_000 });
    const call = (method, ...words) => page.evaluate(([m, w]) => window.engine[m](...w), [method, words]);
    return { page, call, close: () => page.close() };
}

/** About n tokens of words; no two the same, so that no cache of prompts helps. */
let said = 0;
function words(n) {
    let text = '';
    for (let i = 0; i < n; i++) {
        said = (said * 1103515245 + 12345) % 2 ** 31;
        text += ` ${'aeiou'[said % 5]}${'bdglmnrst'[(said >> 8) % 9]}`;
    }
    return text.trim();
}

const rows = [];
function report(row) {
    rows.push(row);
    const theirs = row.theirs ? `${row.theirs.toPrecision(4).padStart(8)} ` : ''.padStart(9);
    const ratio = row.ratio ? ` ${row.ratio.toFixed(2)}× (${row.low.toFixed(2)} … ${row.high.toFixed(2)})` : '';
    console.log(`${row.label.padEnd(46)}${row.ours.toPrecision(4).padStart(8)} ${theirs}${row.unit}${ratio}`);
    write();
}

function write() {
    const name = encoders ? `encoders-${machine()}` : machine();
    fs.mkdirSync(join(root, 'bench/results'), { recursive: true });
    const text = (x) => (x === undefined ? '' : x.toPrecision(4));
    fs.writeFileSync(join(root, `bench/results/web-${name}.csv`), [`test,unit,mote,${encoders ? 'onnxruntime-web' : 'wllama'},ratio,ratio_low,ratio_high`,
        ...rows.map((r) => [`"${r.label}"`, r.unit, text(r.ours), text(r.theirs), text(r.ratio), text(r.low), text(r.high)].join(',')), ''].join('\n'));
    const compared = rows.filter((r) => r.ratio);
    if (compared.length)
        fs.writeFileSync(join(root, `docs/web-${name}.svg`), chart(`mote, as a multiple of ${encoders ? 'ONNX Runtime' : 'wllama'} in the same Chromium`,
            `${machine()}; ${encoders ? 'onnxruntime-web 1.30.0, MiniLM, Q8_0 against int8' : 'wllama 3.8.1 on the CPU'}; median of turns, line: lowest to highest; longer is better for mote`, compared));
}

const compare = (label, unit, pairs) => {
    const ratios = pairs.filter(([, theirs]) => theirs).map(([ours, theirs]) => (unit === 'ms' ? theirs / ours : ours / theirs));
    report({
        label, unit, ours: median(pairs.map(([ours]) => ours)),
        ...(ratios.length && { theirs: median(pairs.map(([, theirs]) => theirs)), ratio: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) }),
    });
};

async function speeds(name, threads) {
    const label = `${name}, ${threads} thr`;
    if (!label.includes(only)) return;
    const path = file(name);
    const engines = [await open('mote'), ...(peer ? [await open('wllama')] : [])];
    try {
        for (const [i, engine] of engines.entries()) {
            const info = await engine.call('open', url(path), { threads });
            if (info.threads !== threads) throw new Error(`${i ? 'wllama' : 'mote'} runs ${info.threads} threads, not ${threads}`);
            await engine.call('answer', words(4), 4);
        }
        const prompts = [];
        const decodes = [];
        for (let turn = 0; turn < turns; turn++) {
            const text = words(PROMPT / 2);
            const answers = [];
            for (const engine of engines) answers.push(await engine.call('answer', text, DECODE));
            prompts.push(answers.map((a) => (a.promptTokens * 1e3) / a.promptMs));
            decodes.push(answers.map((a) => a.decode));
        }
        compare(`${label}, prompt ${PROMPT}`, 'tokens/s', prompts);
        compare(`${label}, decode ${DECODE}`, 'tokens/s', decodes);
        if (threads > 1) return;
        const four = [];
        for (let turn = 0; turn < turns; turn++)
            four.push([await engines[0].call('batch', [0, 0, 0, 0].map(() => words(4)), DECODE), undefined]);
        compare(`${label}, batch 4 decode ${DECODE}`, 'tokens/s', four);
        const info = await engines[0].call('open', url(path), { threads });
        compare(`${label}, memory beside file and context`, 'MB', [[(info.memoryBytes - info.fileBytes - info.contextBytes) / 1e6]]);
    } finally {
        for (const engine of engines) await engine.close();
    }
}

/** One text at a time, the two in turn; the model of ONNX Runtime is the one that bench/encoders.mjs fetches. */
async function encode(threads) {
    const theirs = join(folder, 'minilm-int8.onnx');
    if (peer && !fs.existsSync(theirs)) throw new Error(`there is no ${theirs} yet: node bench/encoders.mjs`);
    const engines = [await open('mote'), ...(peer ? [await open('onnx')] : [])];
    try {
        const paths = [pulled('minilm'), theirs];
        for (const [i, engine] of engines.entries()) {
            const info = await engine.call('open', url(paths[i]), { threads });
            if (info.threads !== threads) throw new Error(`${i ? 'ONNX Runtime' : 'mote'} runs ${info.threads} threads, not ${threads}`);
            await engine.call('encode', 32, 30);
        }
        for (const n of [8, 32, 128, 256]) {
            const label = `MiniLM, ${n} tokens, ${threads} thr`;
            const pairs = [];
            for (let turn = 0; turn < turns && label.includes(only); turn++) {
                const pair = [];
                for (const engine of engines) pair.push(await engine.call('encode', n, Math.max(10, Math.round(1000 / n))));
                pairs.push(pair);
            }
            if (pairs.length) compare(label, 'ms', pairs);
        }
        const base = join(folder, 'bert-base-Q8_0.gguf');
        if (!fs.existsSync(base)) fs.writeFileSync(base, encoder({ dim: 768, ffn: 3072, layers: 12, heads: 12, context: 512, type: 'Q8_0' }));
        await engines[0].call('open', url(base), { threads });
        await engines[0].call('encode', 32, 5);
        compare(`BERT-base, 32 tokens, ${threads} thr`, 'ms', [[await engines[0].call('encode', 32, 20)]]);
    } finally {
        for (const engine of engines) await engine.close();
    }
}

async function starts() {
    const engine = await open('mote');
    await engine.page.reload();
    await engine.page.waitForFunction(() => window.engine);
    compare('script ready from a warm cache', 'ms', [[await engine.page.evaluate(() => window.engine.ready)]]);
    await engine.call('open', url(file('135m Q8_0')), { threads: 1 });
    const times = [];
    for (let turn = 0; turn < 3; turn++) times.push([await engine.call('snapshot', words(250))]);
    compare('135m Q8_0, first token after a snapshot of 500', 'ms', times);
    const story = url(pulled('stories15m'));
    await engine.call('cold', story); // the download
    const cold = [];
    for (let turn = 0; turn < 3; turn++) cold.push([await engine.call('cold', story)]);
    compare('stories15M, first token from storage', 'ms', cold);
    await engine.close();
}

try {
    const names = full ? ['135m Q8_0', '1b Q8_0', '1b Q4_K_M', '1b Q4_0', 'TinyLlama IQ2_XXS'] : ['135m Q8_0', '1b Q4_K_M'];
    if (encoders) for (const threads of [1, 2]) await encode(threads);
    else if (!only || "starts".includes(only)) await starts();
    if (!encoders) for (const name of names) for (const threads of full ? [1, 2] : [1]) await speeds(name, threads);
} finally {
    await context.close();
    server.close();
    fs.rmSync(profile, { recursive: true, force: true });
}
console.log(`bench/results/web-${encoders ? 'encoders-' : ''}${machine()}.csv`);
