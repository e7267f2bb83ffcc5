// SPDX-License-Identifier: Apache-2.0
//
// What `mote convert FOLDER` makes is what llama.cpp takes it for: encoders of each family with random weights,
// read by both, give the same vectors, from the same text. And the catalogue's MiniLM, made here from the
// published weights, is bit for bit the file the catalogue promises.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mote, pull, root, scratch } from './peer.mjs';
import { folder, readGguf, write } from '../cli/hf_folder.mjs';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

function cosine(a, b) {
    let ab = 0, aa = 0, bb = 0;
    for (let i = 0; i < a.length; i++) {
        ab += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
    }
    return ab / Math.sqrt(aa * bb);
}

/** llama.cpp's vectors of texts, pooled as the file says. Its bindings forget the tokens around a text where the
 *  tokenizer is Unigram. */
async function theirs(llama, model, texts) {
    const loaded = await llama.loadModel({ modelPath: model });
    const context = await loaded.createEmbeddingContext({ contextSize: Math.min(loaded.trainContextSize, 512) });
    const vectors = [];
    const { bos, eos } = loaded.tokens;
    for (const text of texts) {
        const whole = loaded.vocabularyType === 'ugm' ? [bos, ...loaded.tokenize(text), eos] : text;
        vectors.push((await context.getEmbeddingFor(whole)).vector);
    }
    await context.dispose();
    await loaded.dispose();
    return vectors;
}

test('converted encoders of every family mean the same to llama.cpp', async () => {
    const { getLlama, LlamaLogLevel } = await import('node-llama-cpp');
    const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error });
    const texts = ['hello world', 'a b c', 'hello'];
    const long = Array.from({ length: 40 }, (_, i) => `${'abcdefg'[i % 7]} hello`).join(' world '); // past windows of 16
    for (const family of ['bert', 'distilbert', 'roberta', 'xlm-roberta', 'nomic_bert', 'modernbert', 'modernbert silu']) {
        const [kind, gate] = family.split(' '), model = folder(kind, { seed: 7 });
        if (gate) model.config.hidden_activation = gate;
        const dir = join(scratch, family), out = join(scratch, `${family}.gguf`);
        write(dir, model);
        mote('convert', dir, '-o', out, '-q');
        const all = kind === 'modernbert' ? [...texts, long, long.slice(0, 60)] : texts;
        const peer = await theirs(llama, out, all);
        all.forEach((text, i) => {
            const ours = JSON.parse(mote('embed', out, '-p', text)).embedding;
            const same = cosine(ours, peer[i]);
            console.log(`  ${family}, "${text.slice(0, 20)}": cosine ${same.toFixed(7)}`);
            assert.ok(same > 0.9999, `${family}, "${text}": cosine ${same}`); // their GELU is an approximation
        });
    }
});

test('MiniLM made from the published weights is the file that the catalogue promises', () => {
    const { models } = JSON.parse(readFileSync(join(root, 'share/catalogue.json'), 'utf8'));
    const made = ['minilm', 'minilm-sst2'].map((name) => {
        const entry = models.find((model) => model.name === name), path = pull(name), bytes = readFileSync(path);
        assert.equal(bytes.length, entry.bytes);
        assert.equal(sha256(bytes), entry.sha256);
        assert.ok(bytes.length <= 25e6, `${bytes.length} bytes`);
        return readGguf(path);
    });
    const [plain, judge] = made.map(({ tensors }) => tensors);
    assert.deepEqual(Object.keys(judge).filter((name) => !plain[name]), ['cls.output.weight', 'cls.output.bias']);
    for (const name of Object.keys(plain)) assert.ok(plain[name].bytes.equals(judge[name].bytes), name);
    const [no, yes] = [0, 1].map((i) => judge['cls.output.weight'].values.slice(384 * i, 384 * (i + 1)));
    assert.deepEqual(no, yes.map((x) => -x));
});
