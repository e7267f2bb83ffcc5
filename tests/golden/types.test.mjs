// SPDX-License-Identifier: Apache-2.0
//
// Every weight type of src/base/type.h in a small synthetic model: 256 positions on which mote and llama.cpp
// must agree. The list is read from the header, so a type added there is tested here.

import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Peer, compare, logits, measured, mote, root, scratch, tool } from './peer.mjs';

const header = readFileSync(join(root, 'src/base/type.h'), 'utf8');
const types = [...header.matchAll(/^ {4}X\((\w+), \w+, \d+/gm)].map((m) => m[1]);

test('the header names the weight types', () => assert.ok(types.length >= 25, `${types.length} found`));

for (const type of types) {
    test(`${type} agrees with llama.cpp`, async () => {
        const model = join(scratch, `synth-${type}.gguf`);
        tool('mote-synth', ['--type', type, '-o', model]);
        const { n_vocab } = JSON.parse(mote('info', model, '--json'));
        // Any tokens do: a fixed walk over the vocabulary.
        const ids = Array.from({ length: 256 }, (_, i) => (i * 7919 + 13 * i * i) % n_vocab);
        const peer = await Peer.open(model, 256);
        const theirs = await peer.read(ids);
        await peer.close();
        const r = compare(ids, logits(model, ids, '--kv', 'f32'), theirs);
        rmSync(model);
        measured(type, r);
        assert.ok(r.top1 >= 0.95, `top-1 ${r.top1}`);
        assert.ok(r.kl <= 1e-3, `KL ${r.kl}`);
    });
}
