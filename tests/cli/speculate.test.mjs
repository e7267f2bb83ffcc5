// SPDX-License-Identifier: Apache-2.0
//
// Guessing ahead changes no byte of an answer. Each answer is made without guesses, then with different numbers
// of them, from the text so far and from draft models that are always, sometimes and hardly ever right; all must
// agree. Beside the random model of tiny.mjs there is one without attention: its next token depends on the last
// alone, so that greedy answers run in circles and guesses come true.
//
//     MOTE=build/mote node --test tests/cli/speculate.test.mjs

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { assertFails, checkpoint, file, model, mote, shape, start, tokenizer } from './tiny.mjs';

function convert(name, bytes, pieces = 'tiny.tok') {
    fs.writeFileSync(file(`${name}.bin`), bytes);
    const result = mote(['convert', `${name}.bin`, '--tokenizer', pieces, '-o', `${name}.gguf`]);
    assert.equal(result.code, 0, result.stderr);
    return file(`${name}.gguf`);
}

/** A checkpoint whose attention adds nothing: the projection of its output is zero. */
function withoutAttention() {
    const { dim, layers, heads, kvHeads, vocab } = shape;
    const bytes = checkpoint(shape, false);
    const before = vocab * dim + layers * dim + layers * dim * dim + 2 * layers * kvHeads * (dim / heads) * dim;
    return bytes.fill(0, 28 + 4 * before, 28 + 4 * (before + layers * dim * dim));
}

const circles = convert('circles', withoutAttention());
const stranger = convert('stranger', checkpoint(shape, false));
const short = convert('short', checkpoint({ ...shape, context: 40 }, false));
const ways = [
    ['--speculate', '1'],
    ['--speculate', '2'],
    ['--speculate', '7'],
    ['--speculate', '15'],
    [],
    ['--draft', stranger, '--speculate', '5'],
    ['--draft', short, '--speculate', '4'],
    ['--draft', stranger],
];

const totals = { guessed: 0, right: 0 };
function run(name, args, options) {
    const result = mote(['run', name, '--stats', ...args], { bytes: true, ...options });
    assert.equal(result.code, 0, String(result.stderr));
    const [, guessed, right] = String(result.stderr).match(/guessed ahead +(\d+) tokens +\((\d+) right\)/).map(Number);
    assert.ok(right <= guessed);
    totals.guessed += guessed;
    totals.right += right;
    const [, decoded] = String(result.stderr).match(/decode +[\d.]+ tokens\/s +\((\d+)\)/).map(Number);
    return { text: result.stdout, notes: String(result.stderr).replace(/^load[^]*/m, ''), guessed, right, decoded };
}

/** The same bytes, number of tokens and notes, whichever way it was made. */
function same(name, args) {
    const plain = run(name, [...args, '--speculate', '0']);
    assert.equal(plain.guessed, 0);
    for (const way of [...ways, ['--draft', name, '--speculate', '6']]) {
        const { text, notes, decoded } = run(name, [...args, ...way]);
        const what = [...args, ...way].join(' ');
        assert.deepEqual(text, plain.text, what);
        assert.deepEqual([decoded, notes], [plain.decoded, plain.notes], what);
    }
    return plain;
}

const prompts = ['', 'the rain in the rain in the', 'an an an an an', 'on the one hand. on the other hand, on the'];

test('greedy: the same from all prompts', () => {
    for (const name of [model, circles])
        for (const prompt of prompts) same(name, ['--raw', '-p', prompt, '--temp', '0', '-n', '100']);
});

test('with a temperature: the same for each seed', () => {
    for (const temperature of ['0.2', '0.7', '1.5'])
        for (const seed of ['1', '2', '77'])
            same(circles, ['--raw', '-p', prompts[1], '--temp', temperature, '--seed', seed, '-n', '60']);
    same(model, ['--raw', '-p', prompts[1], '--temp', '0.1', '--seed', '5', '--top-k', '2', '-n', '60']);
});

test('with a repeat penalty, which looks at the tokens before', () => {
    for (const rest of [['--temp', '0'], ['--temp', '0.5', '--seed', '3']])
        same(circles, ['--raw', '-p', prompts[3], '--repeat-penalty', '1.2', '-n', '90', ...rest]);
});

test('-n ends it at the same token', () => {
    for (const n of [1, 2, 3, 4, 5, 16, 17, 18]) {
        const { decoded } = same(circles, ['--raw', '-p', prompts[2], '--temp', '0', '-n', String(n)]);
        assert.equal(decoded, n);
    }
});

test('an answer that ends by itself ends at the same token', () => {
    const hot = ['--temp', '8', '--top-k', '0', '--top-p', '1', '--min-p', '0'];
    const lengths = ['1', '2', '3', '4', '5', '6'].map((seed) =>
        same(circles, ['--raw', '-p', prompts[1], ...hot, '--seed', seed, '-n', '100']).decoded);
    assert.ok(Math.min(...lengths) < 100, lengths.join(' '));
});

test('a stop string ends it at the same byte', () => {
    const whole = String(run(circles, ['--raw', '-p', prompts[1], '--temp', '0', '-n', '100']).text);
    const stop = whole.slice(40, 44);
    const { text } = same(circles, ['--raw', '-p', prompts[1], '--temp', '0', '-n', '100', '--stop', stop]);
    assert.equal(String(text), whole.slice(0, whole.indexOf(stop)));
});

test('the end of the context is the same, and what is said about it', () => {
    for (const c of ['20', '21', '35', '128']) {
        const { notes } = same(circles, ['--raw', '-p', prompts[2], '--temp', '0', '-c', c]);
        assert.match(notes, /is full, the answer stops here/);
    }
});

test('context shift: the same after each of many', () => {
    for (const name of [model, circles])
        for (const c of ['1', '2', '16', '50'])
            same(name, ['--raw', '-p', 'the', '--temp', '0', '--context-shift', '-n', '300', '-c', c]);
    same(circles, ['--raw', '-p', 'the', '--temp', '0.4', '--seed', '8', '--context-shift', '-n', '300', '-c', '33']);
});

test('chat: the same turns, with the same tokens kept', () => {
    const lines = ['the rain', 'in the rain', '/reset', 'an an an', 'an an an', '/stats', ''].join('\n');
    const talk = (args) => {
        const result = mote(['chat', circles, '--temp', '0', '-n', '12', '-c', '128', ...args], { input: lines });
        assert.equal(result.code, 0, result.stderr);
        const kept = result.stderr.match(/\d+ computed, \d+ from the cache/)[0];
        return [result.stdout, kept, result.stderr.match(/^context .*$/m)[0]];
    };
    const plain = talk(['--speculate', '0']);
    for (const way of [...ways, ['--draft', circles, '--speculate', '9']]) assert.deepEqual(talk(way), plain, way.join(' '));
});

test('Ctrl-C: a beginning of the answer, exit 130', async () => {
    const args = ['--raw', 'the', '--temp', '0', '--context-shift'];
    const whole = String(run(circles, [...args, '-n', '40', '--speculate', '0']).text);
    for (const way of [['--speculate', '15'], ['--draft', stranger, '--speculate', '3']]) {
        const result = await start(['run', circles, ...args, ...way, '-n', '4000000'], (child) => setTimeout(() => child.kill('SIGINT'), 50));
        assert.equal(result.code, 130, result.stderr);
        const n = Math.min(whole.length, result.stdout.length) - 4; // the last character may be cut
        assert.ok(n > 0);
        assert.equal(result.stdout.slice(0, n), whole.slice(0, n));
    }
});

test('guesses come true where the text repeats and where the draft model is the model itself', () => {
    const args = ['--raw', '-p', 'the', '--temp', '0', '-n', '120'];
    const looked = run(circles, [...args, '--speculate', '7']);
    assert.ok(looked.right > 60, `${looked.right} of ${looked.guessed}`);
    const drafted = run(model, [...args, '--draft', model, '--speculate', '3']);
    assert.ok(drafted.right > 0.7 * drafted.guessed && drafted.right > 40, `${drafted.right} of ${drafted.guessed}`);
});

test('what --draft and --speculate do not take', () => {
    const refuse = (args, code, text) => assertFails(mote(['run', model, 'a', ...args]), code, text);
    refuse(['--speculate', '16'], 2, /--speculate takes a whole number from 0 to 15, not '16'/);
    refuse(['--draft', file('nowhere.gguf')], 3, /nowhere\.gguf/);
    const pieces = tokenizer();
    const at = pieces.lastIndexOf(' w');
    pieces.write(' v', at);
    fs.writeFileSync(file('other.tok'), pieces);
    const other = convert('other', checkpoint(shape, false), 'other.tok');
    refuse(['--draft', other], 2, /other\.gguf: --draft needs the same vocabulary: token 299 is another/);
});

after(() => {
    assert.ok(totals.right > 1000 && totals.guessed - totals.right > 1000, JSON.stringify(totals)); // both ways were taken
    console.log(`# ${totals.right} of ${totals.guessed} guesses were right`);
});
