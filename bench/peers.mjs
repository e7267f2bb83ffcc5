// SPDX-License-Identifier: Apache-2.0
//
// peers.mjs: mote and llama.cpp on the same files on this machine, in turn: mote, llama.cpp, mote, llama.cpp …
// Absolute speeds drift with whatever else a machine does; two that follow each other within seconds drift
// alike, so what is kept is the ratio of each turn, and of those the median, the lowest and the highest. Above 1
// is for mote, in speeds, in the time to the first token and in memory.
//
//     node bench/peers.mjs [quick|full] [--turns N] [--only TEXT] [--clean]
//
//     quick    two models, 1 thread and 2, start and memory: below six minutes on two quiet cores
//     full     all models, batches, a depth of 8192, both held to AVX2, and a real model
//     --only   only tests whose label holds TEXT
//     --clean  removes the models made (they stay in the user's cache otherwise)
//
// Writes bench/results/<machine>.csv and docs/peers-<machine>.svg, the machine named by its processor. The
// file is written anew after each test, so that Ctrl-C loses nothing; a test that is not run keeps the row it had.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chart } from './chart.mjs';
import { MODELS, MOTE, file, folder, machine, median, root } from './models.mjs';

const modules = fs.realpathSync(join(root, 'tests/golden/node_modules'));

const PROMPT = 512;
const DECODE = 48;
const DEEP = 8192;
const FIRST = 16;

// ---- command line ----

const args = process.argv.slice(2);
const has = (name) => args.includes(name);
const value = (name) => (has(name) ? args[args.indexOf(name) + 1] : undefined);
const full = has('full');
const turns = Number(value('--turns') ?? (full ? 5 : 3));
const only = value('--only') ?? '';
if (!Number.isInteger(turns) || turns < 1) throw new Error('--turns takes a whole number from 1');

// ---- the two engines ----

function mote(...words) {
    const result = spawnSync(MOTE, words, { encoding: 'utf8', maxBuffer: 1 << 26 });
    if (result.signal === 'SIGINT' || result.status === 130) throw new Error('interrupted');
    if (result.status !== 0) throw new Error(`mote ${words.join(' ')}: ${result.stderr.trim()}`);
    return result.stdout;
}

/** One run of mote's bench, as parsed JSON; result: its last test. */
function moteBench(path, test, options) {
    const level = test.level ? ['--cpu', test.level] : [];
    const line = JSON.parse(mote('bench', path, '-t', String(test.threads), '--repeat', '1', '--json', '--no-roof', ...level, ...options));
    return { ...line, speed: line.results.at(-1).best_tokens_per_second };
}

/** llama.cpp can be held to AVX2 by giving it a folder that has only that one of its libraries: hard links. */
function modulesFor(level) {
    if (!level) return modules;
    const copy = join(folder, level, 'node_modules');
    fs.rmSync(copy, { recursive: true, force: true });
    fs.mkdirSync(join(folder, level), { recursive: true });
    const linked = spawnSync('cp', ['-al', modules, copy]);
    if (linked.status !== 0) execFileSync('cp', ['-a', modules, copy]);
    const keep = { avx2: 'libggml-cpu-haswell.so' }[level];
    const bins = join(copy, '@node-llama-cpp/linux-x64/bins/linux-x64');
    for (const name of fs.readdirSync(bins)) if (name.startsWith('libggml-cpu-') && name !== keep) fs.rmSync(join(bins, name));
    return copy;
}

/** A process of llama.mjs; ask(order) answers with what it says. */
class Llama {
    constructor(level) {
        this.child = spawn(process.execPath, [join(root, 'bench/llama.mjs'), modulesFor(level)], { stdio: ['pipe', 'pipe', 'inherit'] });
        this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
        this.gone = new Promise((done) => this.child.on('close', done));
    }

    async ask(order) {
        this.child.stdin.write(JSON.stringify(order) + '\n');
        const { value: line, done } = await this.lines.next();
        const answer = done ? { error: 'it ended' } : JSON.parse(line);
        if (answer.error) throw new Error(`llama.cpp, ${order.do}: ${answer.error}`);
        return answer;
    }

    async close() {
        this.child.stdin.end();
        await this.gone;
    }
}

// ---- tests: each turn gives [mote, llama.cpp] ----

const speed = (n, { ms }) => (1000 * n) / ms;

/** Speeds with the model loaded: both have computed a few tokens before the clock starts. */
async function* speeds(test, path) {
    const { threads, n, depth = 0, batch = 1 } = test;
    const llama = new Llama(test.level);
    try {
        await llama.ask({ do: 'open', path, threads, context: depth + n + 64, sequences: batch });
        const order = { do: test.kind === 'prompt' ? 'prompt' : 'decode', n, depth, batch };
        await llama.ask({ ...order, n: Math.min(n, 8) });
        const matrix = test.kind === 'prompt' ? ['--pp', String(n), '--tg', '0'] : ['--pp', '0', '--tg', String(n), '--batch', String(batch)];
        for (;;) {
            const ours = moteBench(path, test, [...matrix, '--depth', String(depth)]).speed;
            yield [ours, speed(n * batch, await llama.ask(order))];
        }
    } finally {
        await llama.close();
    }
}

/** A text that is FIRST tokens with what the model puts before it. */
function firstText(path) {
    for (let text = 'a'; text.length < 200; text += ' a') {
        const ids = spawnSync(MOTE, ['tokenize', path, '--ids', '--add-special'], { input: text, encoding: 'utf8' });
        if (ids.status !== 0) throw new Error(ids.stderr);
        if (ids.stdout.trim().split(/\s+/).length >= FIRST) return text;
    }
    throw new Error('no text of so many tokens');
}

/** Milliseconds to the first token: for mote the whole program, for llama.cpp from opening the file on. The first
 *  turn only brings the file into the page cache. */
async function* starts(test, path) {
    const text = firstText(path);
    for (let turn = 0;; turn++) {
        const start = performance.now();
        mote('run', path, '--raw', '-p', text, '-n', '1', '--temp', '0', '-c', '512', '-t', String(test.threads));
        const ours = performance.now() - start;
        const llama = new Llama();
        const { ms } = await llama.ask({ do: 'first', path, threads: test.threads, n: FIRST });
        await llama.close();
        if (turn > 0) yield [ours, ms];
    }
}

/** Most resident memory in megabytes after reading a prompt and making some tokens. */
async function* memory(test, path) {
    for (;;) {
        const ours = moteBench(path, test, ['--pp', String(PROMPT), '--tg', '16']).peak_bytes;
        const llama = new Llama();
        await llama.ask({ do: 'open', path, threads: test.threads, context: PROMPT + 64 });
        await llama.ask({ do: 'prompt', n: PROMPT });
        await llama.ask({ do: 'decode', n: 16 });
        const { bytes } = await llama.ask({ do: 'peak' });
        await llama.close();
        yield [ours / 1e6, bytes / 1e6];
    }
}

const KINDS = {
    prompt: { run: speeds, unit: 'tokens/s', more: true },
    decode: { run: speeds, unit: 'tokens/s', more: true },
    first: { run: starts, unit: 'ms', more: false },
    memory: { run: memory, unit: 'MB', more: false },
};

function label(test) {
    const words = [test.model, { prompt: `prompt ${test.n}`, decode: `decode ${test.n}`, first: 'first token', memory: 'memory' }[test.kind]];
    if (test.batch > 1) words.push(`batch ${test.batch}`);
    if (test.depth) words.push(`depth ${test.depth}`);
    if (test.level) words.push(test.level.toUpperCase());
    return `${words.join(', ')}, ${test.threads} thr`;
}

function plan(full) {
    const tests = [];
    const add = (test) => tests.push(test);
    const pair = (model, threads, level) => {
        add({ kind: 'prompt', model, threads, n: PROMPT, level });
        add({ kind: 'decode', model, threads, n: DECODE, level });
    };
    const several = os.availableParallelism?.() ?? os.cpus().length;
    const counts = several > 1 ? [1, 2] : [1];
    const names = Object.keys(MODELS).slice(0, full ? undefined : 2);
    for (const model of names) for (const threads of counts) pair(model, threads);
    if (full) {
        pair('1b Q4_K_M', 1, 'avx2');
        pair('1b Q4_0', 1, 'avx2');
        pair('1b Q8_0', 1, 'avx2');
        for (const model of ['1b Q4_0', '1b Q8_0']) for (const batch of [2, 4, 8]) add({ kind: 'decode', model, threads: 1, n: DECODE, batch });
        add({ kind: 'prompt', model: '1b Q4_0', threads: counts.at(-1), n: DEEP, turns: 2 });
        add({ kind: 'decode', model: '1b Q4_0', threads: counts.at(-1), n: DECODE, depth: DEEP, turns: 2 });
    }
    for (const threads of counts) add({ kind: 'first', model: names.at(full ? 3 : 1), threads });
    add({ kind: 'memory', model: names.at(full ? 3 : 1), threads: 1, turns: 1 });
    return tests;
}

// ---- results ----

function summary(test, pairs) {
    const { unit, more } = KINDS[test.kind];
    const ratios = pairs.map(([ours, theirs]) => (more ? ours / theirs : theirs / ours));
    return {
        test, unit, turns: pairs.length,
        ours: median(pairs.map(([ours]) => ours)), theirs: median(pairs.map(([, theirs]) => theirs)),
        label: label(test), ratio: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios),
        load: os.loadavg()[0],
    };
}

const COLUMNS = 'test,model,level,threads,tokens,depth,batch,unit,mote,llama.cpp,ratio,ratio_low,ratio_high,turns,load';
const version = JSON.parse(fs.readFileSync(join(modules, 'node-llama-cpp/package.json'), 'utf8')).version;

/** The rows that the file of an earlier run has. */
function earlier(path) {
    if (!fs.existsSync(path)) return [];
    const [head, ...lines] = fs.readFileSync(path, 'utf8').trim().split('\n');
    if (head !== COLUMNS) return [];
    return lines.map((line) => {
        const [kind, model, level, threads, n, depth, batch, unit, ...figures] = line.split(',');
        const [ours, theirs, ratio, low, high, turns, load] = figures.map(Number);
        const test = { kind, model, level: level === 'native' ? undefined : level, threads: +threads, n: +n, depth: +depth, batch: +batch };
        return { test, unit, ours, theirs, ratio, low, high, turns, load, label: label(test) };
    });
}

/** The rows of this run and of an earlier one, in the order of the plan; what the plan does not know goes. */
function together(rows, before) {
    const known = new Map([...before, ...rows].map((row) => [row.label, row]));
    return plan(true).concat(plan(false)).map(label).filter((name, i, all) => all.indexOf(name) === i && known.has(name)).map((name) => known.get(name));
}

function write(measured) {
    const name = machine();
    const path = join(root, `bench/results/${name}.csv`);
    fs.mkdirSync(join(root, 'bench/results'), { recursive: true });
    const rows = together(measured, earlier(path));
    const lines = rows.map(({ test, unit, ours, theirs, ratio, low, high, turns: n, load }) =>
        [test.kind, test.model, test.level ?? 'native', test.threads, test.n ?? FIRST, test.depth ?? 0, test.batch ?? 1, unit,
            ours.toPrecision(4), theirs.toPrecision(4), ratio.toFixed(3), low.toFixed(3), high.toFixed(3), n, load.toFixed(1)].join(','));
    fs.writeFileSync(path, [COLUMNS, ...lines, ''].join('\n'));
    const title = 'mote, as a multiple of llama.cpp on the same machine';
    const subtitle = `${name}; node-llama-cpp ${version}; median of turns, line: lowest to highest; longer is better for mote`;
    fs.writeFileSync(join(root, `docs/peers-${name}.svg`), chart(title, subtitle, rows));
    return name;
}

let interrupted = false;
process.on('SIGINT', () => (interrupted = true));

const rows = [];
const started = performance.now();
for (const test of plan(full).filter((each) => label(each).includes(only))) {
    if (interrupted) break;
    const pairs = [];
    try {
        for await (const pair of KINDS[test.kind].run(test, file(test.model))) {
            pairs.push(pair);
            if (interrupted || pairs.length >= Math.min(turns, test.turns ?? turns)) break;
        }
    } catch (error) {
        interrupted ||= error.message === 'interrupted';
        if (!interrupted) {
            console.error(`${label(test)}: ${error.message}`);
            process.exitCode = 1;
        }
    }
    if (!pairs.length) continue;
    const row = summary(test, pairs);
    rows.push(row);
    write(rows);
    console.log(`${row.label.padEnd(44)} ${row.ours.toPrecision(4).padStart(7)} ${row.theirs.toPrecision(4).padStart(7)} ${row.unit.padEnd(8)}` +
        ` ${row.ratio.toFixed(2)}× (${row.low.toFixed(2)} … ${row.high.toFixed(2)}), load ${row.load.toFixed(1)}`);
}
if (rows.length) console.log(`${Math.round((performance.now() - started) / 1000)} s; bench/results/${write(rows)}.csv`);
if (has('--clean')) fs.rmSync(folder, { recursive: true, force: true });
if (interrupted) process.exitCode = 130;
