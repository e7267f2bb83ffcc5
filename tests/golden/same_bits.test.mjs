// SPDX-License-Identifier: Apache-2.0
//
// The same-bits law: one digest of all logits, whatever the instruction set, the number of threads, the way
// the prompt is cut, whether its prefix comes from a cache, and what else is in the batch.

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { digest, mote, pull, scratch, tool } from './peer.mjs';

const levels = ['scalar', 'avx2', 'avxvnni', 'avx512', 'avx512vnni'];
const ways = [
    ['-t', '1'],
    ['-t', '2'],
    ['-t', '3'],
    ['--rows', '7'],
    ['--rows', '1'],
    ['--cached'],
    ['--sessions', '4'],
    ['--sessions', '4', '--rows', '7', '-t', '3', '--cached'],
];

const walk = (n, n_vocab) => [1, ...Array.from({ length: n - 1 }, (_, i) => (i * 7919 + 13 * i * i) % n_vocab)];

/** Compares the digests of every way, over four windows of n tokens, with the first's. A level that the
 *  machine lacks is masked down to one that it has, which then is tested twice. */
function lawful(model, n, alternatives) {
    const ids = walk(4 * n, JSON.parse(mote('info', model, '--json')).n_vocab);
    const first = digest(model, ids, n);
    for (const options of alternatives) assert.equal(digest(model, ids, n, ...options), first, options.join(' '));
}

test('stories15M (F32)', () => lawful(pull('stories15m'), 70, [...levels.map((l) => ['--cpu', l]), ...ways]));

test('TinyLlama', () => {
    const model = pull('tinyllama');
    lawful(model, 16, levels.map((l) => ['--cpu', l])); // scalar C takes its time
    lawful(model, 36, [['-t', '1', '--rows', '7'], ['-t', '3', '--cached'], ['--sessions', '4'], ways.at(-1)]);
});

for (const type of ['F16', 'BF16', 'Q4_0', 'Q8_0', 'Q5_1', 'Q2_K', 'Q4_K', 'Q6_K', 'IQ1_S', 'IQ2_XXS', 'IQ4_XS', 'TQ2_0', 'MXFP4']) {
    test(`synthetic ${type}`, () => {
        const model = join(scratch, `same-${type}.gguf`);
        tool('mote-synth', ['--type', type, '-o', model]);
        lawful(model, 70, [...levels.map((l) => ['--cpu', l]), ['-t', '3'], ['--rows', '7'], ['--cached'], ['--sessions', '4']]);
        rmSync(model);
    });
}
