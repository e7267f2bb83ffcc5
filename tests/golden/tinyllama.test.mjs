// SPDX-License-Identifier: Apache-2.0
//
// The real TinyLlama (IQ2_XXS, Q2_K, Q4_K, Q5_K and F32 weights) over 512 tokens of WikiText: mote and
// llama.cpp must agree on what comes next. They cannot agree to the bit: each rounds activations to 8 bits in
// blocks of its own.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Peer, compare, logits, measured, mote, pull, shared, tokenize } from './peer.mjs';

test('TinyLlama agrees with llama.cpp on 512 tokens of WikiText', async (t) => {
    const path = shared('wikitext2_test_raw.txt');
    if (!path) return t.skip('no wikitext2_test_raw.txt in MOTE_SHARED');
    const model = pull('tinyllama');
    const text = readFileSync(path, 'utf8').slice(0, 6000);
    const ids = [1, ...tokenize(model, text)].slice(0, 512);
    assert.equal(ids.length, 512);

    const peer = await Peer.open(model, 512);
    const theirs = await peer.read(ids);
    await peer.close();
    const r = compare(ids, logits(model, ids), theirs);
    measured('TinyLlama', r);
    assert.ok(r.top1 >= 0.97, `top-1 ${r.top1}`);
    assert.ok(r.kl <= 0.005, `KL ${r.kl}`);
    assert.ok(Math.abs(r.ours / r.theirs - 1) <= 0.005, `perplexity ${r.ours}, llama.cpp ${r.theirs}`);
});

test('TinyLlama knows the capital of France', () => {
    const model = pull('tinyllama');
    const answer = mote('run', model, '--temp', '0', '-n', '64', '-p', 'What is the capital of France?');
    assert.match(answer, /Paris/);
});
