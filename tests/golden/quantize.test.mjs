// SPDX-License-Identifier: Apache-2.0
//
// `mote quantize` beside llama.cpp: blocks against ggml's own encoders on random numbers, and a real model, made
// smaller, against itself as llama.cpp reads it.

import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Peer, compare, logits, measured, mote, pull, root, scratch, tokenize, tool } from './peer.mjs';

const library = join(root, 'tests/golden/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64/libggml-base.so');

test('blocks are those of ggml, or as near to what they are made of', { skip: existsSync(library) ? false : 'no ggml here' }, () => {
    const lines = tool('tests/golden/encode', [library]).trim().split('\n');
    assert.equal(lines.length, 20);
    for (const line of lines) {
        const [type, kind, ours, theirs, differ] = line.split(' ');
        if (type.endsWith('_K')) assert.ok(Number(ours) <= 1.015 * Number(theirs), `${type}, ${kind}: error ${ours}, ggml's ${theirs}`);
        else assert.equal(Number(differ), 0, `${type}, ${kind}: ${differ} bytes differ`);
    }
});

test('a model made smaller is read alike by both', async (t) => {
    const model = pull('stories15m');
    const ids = [1, ...tokenize(model, 'Once upon a time there was a little girl who lived in a small house with her mother and her cat. '.repeat(4))];
    for (const type of ['Q8_0', 'Q4_K_M']) {
        const small = join(scratch, `stories-${type}.gguf`);
        t.after(() => rmSync(small, { force: true }));
        mote('quantize', '-q', model, small, type);
        const peer = await Peer.open(small, ids.length);
        const theirs = await peer.read(ids);
        await peer.close();
        const ours = logits(small, ids);
        const near = compare(ids, ours, theirs);
        const cost = compare(ids, ours, logits(model, ids).map((row) => probabilities(row)));
        measured(`stories15M ${type}, mote to llama.cpp`, near);
        measured(`stories15M ${type} to F32`, cost);
        // llama.cpp rounds activations coarser for superblocks (see tinyllama.test.mjs).
        assert.ok(near.kl <= (type === 'Q8_0' ? 1e-3 : 4e-3) && near.top1 >= 0.95, `${type}: KL ${near.kl}, top-1 ${near.top1}`);
        assert.ok(cost.kl <= (type === 'Q8_0' ? 2e-3 : 2e-2), `${type}: KL ${cost.kl}`);
    }
});

function probabilities(row) {
    const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const powers = Float64Array.from(row, (x) => Math.exp(x - most));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((x) => x / sum);
}
