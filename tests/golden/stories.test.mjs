// SPDX-License-Identifier: Apache-2.0
//
// llama2.c checkpoints made into F32 files by `mote convert`: with no rounding of weights or activations in
// between, mote and llama.cpp must say the same to a thousandth of a logit, and tell the same story.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Peer, compare, logits, measured, mote, pull, scratch, shared, tokenize, top } from './peer.mjs';

/** 200 greedy tokens of llama.cpp, read by mote: at every position its own greedy token must be the next one,
 *  which makes its greedy answer the same 200. */
async function sameStory(name, model, prompt) {
    const start = [1, ...tokenize(model, prompt)];
    const peer = await Peer.open(model, 256);
    const story = await peer.greedy(start, 200);
    await peer.sequence.clearHistory();
    const ids = [...start, ...story].slice(0, 255);
    const theirs = await peer.read(ids);
    const end = story.findIndex((id) => id === 1 || id === 2);
    const told = peer.model.detokenize(story.slice(0, end < 0 ? 200 : end), false, peer.model.tokenizer ? start : []);
    await peer.close();

    const ours = logits(model, ids, '--kv', 'f32');
    const r = compare(ids, ours, theirs);
    measured(name, r);
    const greedy = story.map((_, i) => top(ours[start.length - 1 + i]));
    assert.deepEqual(greedy, story);
    assert.ok(r.worst < 1e-3, `largest difference ${r.worst}`);

    const text = mote('run', model, '--raw', '--temp', '0', '-n', '200', '--repeat-penalty', '1', '-p', prompt);
    assert.ok(text.trim().startsWith(told.trim().slice(0, 400)), `${text}\n--- llama.cpp: ---\n${told}`);
}

test('stories15M tells the same 200 tokens as llama.cpp', async () => {
    await sameStory('stories15M', pull('stories15m'), 'Once upon a time');
});

test('stories260K, with grouped-query attention, does so too', async (t) => {
    const checkpoint = shared('stories260K.bin');
    const tokenizer = shared('tok512.bin');
    if (!checkpoint || !tokenizer) return t.skip('no stories260K.bin and tok512.bin in MOTE_SHARED');
    const model = join(scratch, 'stories260K.gguf');
    mote('convert', checkpoint, '--tokenizer', tokenizer, '-o', model);
    await sameStory('stories260K', model, 'Once upon a time');
});
