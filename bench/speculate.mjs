// SPDX-License-Identifier: Apache-2.0
//
// speculate.mjs: what guessing ahead brings: the same greedy answer without it and with it, in turn, decode tokens
// per second. One prompt asks for a text to be copied with a change, where the text so far tells most of the answer;
// two ask for something new, where nothing repeats and guessing must cost nothing. The answers are compared too.
//
//     node bench/speculate.mjs [--turns N] [--threads N]
//
// Writes bench/results/speculate-<machine>.csv, with 1 thread and with as many as N (2).

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { MOTE, file, machine, median, root } from './models.mjs';

const option = (name, normal) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : normal);
const turns = Number(option('--turns', '5'));
const most = Number(option('--threads', '2'));
const model = file('TinyLlama IQ2_XXS');

const PROMPTS = {
    rewriting: `Copy the following text, but write "Maria" instead of "Anna":

Anna lives in a small town near the sea. Every morning Anna walks to the harbour, buys fresh bread at the bakery and \
talks with the fishermen about the weather. In the afternoon Anna works in the library, where she repairs old books \
and helps the children to find new ones. In the evening Anna sits by the window and writes letters to her friends.`,
    explaining: 'Explain in one paragraph why the sky is blue.',
    'telling a story': 'Tell me a short story about a lighthouse keeper and a storm.',
};

/** One answer: its text and the tokens per second of decoding. */
function answer(prompt, threads, ...more) {
    const words = ['run', model, '--temp', '0', '-n', '96', '-t', String(threads), '--stats', ...more];
    const { status, stdout, stderr } = spawnSync(MOTE, words, { input: prompt, encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    return { text: stdout, speed: Number(/^decode\s+([\d.]+)/m.exec(stderr)[1]) };
}

const lines = ['prompt,threads,plain,guessing,ratio,ratio_low,ratio_high,turns'];
for (const threads of most > 1 ? [1, most] : [1]) for (const [name, prompt] of Object.entries(PROMPTS)) {
    const pairs = [];
    for (let turn = 0; turn < turns; turn++) {
        const plain = answer(prompt, threads, '--speculate', '0');
        const guessing = answer(prompt, threads);
        if (plain.text !== guessing.text) throw new Error(`${name}: the answers differ`);
        pairs.push([plain.speed, guessing.speed]);
    }
    const ratios = pairs.map(([a, b]) => b / a);
    const row = [median(pairs.map(([a]) => a)), median(pairs.map(([, b]) => b)), median(ratios), Math.min(...ratios), Math.max(...ratios)];
    lines.push([name, threads, ...row.map((figure) => figure.toPrecision(4)), turns].join(','));
    console.log(`${name.padEnd(18)} ${threads} thr  ${row[0].toFixed(1)} → ${row[1].toFixed(1)} tokens/s, ${row[2].toFixed(2)}× (${row[3].toFixed(2)} … ${row[4].toFixed(2)})`);
}
fs.writeFileSync(join(root, `bench/results/speculate-${machine()}.csv`), lines.join('\n') + '\n');
