// SPDX-License-Identifier: Apache-2.0
//
// mote train-head on an encoder with random weights: which tables it reads, what it learns from them, what it
// writes, and that neither threads nor batches change a byte of it.
//
//     MOTE=build/mote node --test tests/cli/train_head.test.mjs

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { MOTE, assertFails, file, folder, mote } from './tiny.mjs';
import { encoder } from './tiny_encoder.mjs';

const make = (name, options) => (fs.writeFileSync(file(name), encoder(options)), file(name));
const model = make('plain.gguf');
const quantized = make('q8.gguf', { type: 'Q8_0' });
const old = make('old.gguf', { labels: ['x', 'y', 'z'], dense: true });
const nothing = make('none.gguf', { pooling: 'none' });
const slow = make('slow.gguf', { dim: 256, ffn: 1024, layers: 6 });

const WORDS = { weather: ['rain', 'sun', 'water', 'night', 'moon'], town: ['paris', 'london', 'berlin', 'house', 'day'], animal: ['dog', 'cat'] };
/** [text, label] n times, always the same: a few words, of which one tells the label. */
function examples(n, labels = ['weather', 'town', 'animal']) {
    return Array.from({ length: n }, (_, i) => {
        const label = labels[i % labels.length], words = WORDS[label];
        return [`the ${['good', 'new', 'big', 'red', 'small'][i % 5]} ${words[(i * 7 + (i >> 3)) % words.length]} ${words[i % words.length]}`, label];
    });
}
const tsv = (name, rows) => (fs.writeFileSync(file(name), rows.map((row) => row.join('\t') + '\n').join('')), file(name));
const quote = (field) => `"${field.replaceAll('"', '""')}"`;
const csv = (name, rows) => (fs.writeFileSync(file(name), rows.map((row) => row.map(quote).join(',') + '\r\n').join('')), file(name));
const train = (path, data, ...args) => {
    const result = mote(['train-head', path, data, '-o', 'out.gguf', '--json', ...args]);
    assert.equal(result.code, 0, result.stderr);
    return JSON.parse(result.stdout);
};
const classify = (path, texts) => {
    const result = mote(['classify', path], { input: texts.join('\n') + '\n' });
    assert.equal(result.code, 0, result.stderr);
    return result.stdout.trimEnd().split('\n').map((line) => JSON.parse(line).labels[0]);
};
const data = tsv('data.tsv', examples(300));

test('what it learned, classify knows: the file it writes is a model with this head', () => {
    const result = train(model, data);
    assert.deepEqual([result.learned, result.held_out, result.skipped], [270, 30, 0]);
    assert.ok(result.accuracy >= 0.95, String(result.accuracy));
    assert.equal(result.right, Math.round(result.accuracy * 30));
    assert.deepEqual(result.labels.map(({ label }) => label), ['animal', 'town', 'weather']);
    assert.equal(result.labels.flatMap(({ predicted }) => predicted).reduce((a, b) => a + b), 30);

    const info = JSON.parse(mote(['info', file('out.gguf'), '--json', '--keys', '--tensors']).stdout);
    const keys = Object.fromEntries(info.keys.map(({ key, value }) => [key, value]));
    assert.match(keys['bert.classifier.output_labels'], /animal.*town.*weather/);
    assert.match(keys['mote.head.normalize'], /true/);
    const tensors = Object.fromEntries(info.tensors.map(({ name, dims }) => [name, dims]));
    assert.deepEqual([tensors['cls.output.weight'], tensors['cls.output.bias'], tensors['cls.weight']], [[32, 3], [3], undefined]);

    const rows = examples(60);
    const judged = classify(file('out.gguf'), rows.map(([text]) => text));
    const right = judged.filter(({ label }, i) => label === rows[i][1]).length;
    assert.ok(right >= 55, `${right} ${JSON.stringify(judged[0])}`);
});

test('the accuracy it tells is that of classify on the same examples', () => {
    const dev = examples(90).slice(40).map(([text, label], i) => [text + ' old', i % 9 ? label : 'town']);
    const result = train(model, data, '--dev', tsv('dev.tsv', dev));
    assert.equal(result.held_out, dev.length);
    assert.equal(result.learned, 300);
    const judged = classify(file('out.gguf'), dev.map(([text]) => text));
    assert.equal(judged.filter(({ label }, i) => label === dev[i][1]).length, result.right);
    assert.ok(result.accuracy > 0.7 && result.accuracy < 1);
});

test('a hidden layer learns, and is in the file', () => {
    const result = train(model, data, '--hidden', '16', '--epochs', '400', '--patience', '50', '--l2', '0');
    assert.ok(result.accuracy >= 0.9, String(result.accuracy));
    assert.ok(result.epochs <= 400 && result.best_epoch <= result.epochs);
    const info = JSON.parse(mote(['info', file('out.gguf'), '--json', '--keys', '--tensors']).stdout);
    const tensors = Object.fromEntries(info.tensors.map(({ name, dims }) => [name, dims]));
    assert.deepEqual([tensors['cls.weight'], tensors['cls.bias'], tensors['cls.output.weight']], [[32, 16], [16], [16, 3]]);
    assert.match(info.keys.find(({ key }) => key === 'mote.head.activation').value, /relu/);
    const rows = examples(30);
    assert.ok(classify(file('out.gguf'), rows.map(([text]) => text)).filter(({ label }, i) => label === rows[i][1]).length >= 26);
});

test('the same bytes with any number of threads and any batch; another seed holds out others', () => {
    for (const hidden of ['0', '8']) {
        const bytes = [['-t', '1'], ['-t', '3'], ['--batch', '3']].map((args) => {
            train(model, data, '--hidden', hidden, '--epochs', '20', ...args);
            return fs.readFileSync(file('out.gguf'));
        });
        assert.deepEqual(bytes[0], bytes[1]);
        assert.deepEqual(bytes[0], bytes[2]);
        train(model, data, '--hidden', hidden, '--epochs', '20', '--seed', '2');
        assert.notDeepEqual(fs.readFileSync(file('out.gguf')), bytes[0]);
    }
});

test('a head that was there is replaced; quantized encoders have heads too', () => {
    train(old, data);
    const tensors = JSON.parse(mote(['info', file('out.gguf'), '--json', '--tensors']).stdout).tensors.map(({ name }) => name);
    assert.equal(tensors.filter((name) => name.startsWith('cls.')).length, 2);
    train(quantized, data);
    const judged = classify(file('out.gguf'), examples(30).map(([text]) => text));
    assert.ok(judged.filter(({ label }, i) => label === examples(30)[i][1]).length >= 26);
    train(file('out.gguf'), data); // and once more, on its own output
});

// ---- tables ----

test('columns are found by their names, by how they look, or as said', () => {
    const rows = examples(120);
    const swapped = rows.map(([text, label]) => [label, text]);
    const wide = rows.map(([text, label], i) => [String(i), label, 'x', text]);
    for (const [name, table, ...args] of [
        ['tsv', tsv('t1.tsv', swapped)],
        ['csv', csv('t2.csv', rows)],
        ['named', csv('t3.csv', [['Label', 'Text'], ...swapped])],
        ['intents', tsv('t4.tsv', [['utterance', 'intent'], ...rows])],
        ['wide', csv('t5.csv', [['', 'category', 'x', 'sentence'], ...wide])],
        ['numbers', csv('t6.csv', wide), '--text-column', '4', '--label-column', '2'],
        ['own names', tsv('t7.tsv', [['a', 'b', 'c', 'd'], ...wide]), '--text-column', 'D', '--label-column', 'b'],
        ['one said', tsv('t8.tsv', rows), '--label-column', '2'],
        ['header said', tsv('t9.tsv', [['q', 'a'], ...rows]), '--header', '--text-column', '1'],
        ['no kind in its name', csv('t10', rows.map(([text, label]) => [text + ', "so"\nit is', label]))],
    ]) {
        const result = train(model, table, ...args);
        assert.deepEqual([name, result.learned + result.held_out, result.labels.length], [name, 120, 3]);
    }
    const stdin = mote(['train-head', model, '-', '-o', 'out.gguf', '--json'], { input: rows.map((row) => row.join('\t')).join('\n') });
    assert.equal(JSON.parse(stdin.stdout).learned, 108);
});

test('labels that are numbers are in their order; rows without one are left out, and told', () => {
    const rows = examples(120, ['weather', 'town']).map(([text], i) => [text, i % 10 === 3 ? '' : i % 2 ? '10' : '9']);
    const result = mote(['train-head', model, tsv('numbers.tsv', rows), '-o', 'out.gguf', '--json']);
    assert.deepEqual(JSON.parse(result.stdout).labels.map(({ label }) => label), ['9', '10']);
    assert.equal(JSON.parse(result.stdout).skipped, 12);
    assert.match(result.stderr, /12 rows without a label were left out/);
});

test('what is no table of labelled texts is refused, by line where there is one', () => {
    const rows = examples(30);
    const run = (table, ...args) => mote(['train-head', model, table, '-o', 'refused.gguf', ...args]);
    assertFails(run(tsv('ragged.tsv', [...rows, ['a', 'b', 'c']])), 1, /line 31 has 3 fields, the first has 2/);
    fs.writeFileSync(file('open.csv'), 'text,label\n"a,b\n');
    assertFails(run(file('open.csv')), 1, /line 2: a quote is not closed/);
    assertFails(run(tsv('wide.tsv', rows.map((row) => [...row, 'x']))), 1, /3 columns; say which/);
    assertFails(run(tsv('same.tsv', rows.map(([text]) => [text, 'a']))), 1, /1 different label; two are the least/);
    assertFails(run(tsv('every.tsv', Array.from({ length: 2000 }, (_, i) => [`a${i}`, `l${i}`])), '--label-column', '2'), 1, /2000 different values; more than 1024/);
    assertFails(run(tsv('tie.tsv', [['a', 'b'], ['c', 'd']])), 1, /which column holds the labels/);
    assertFails(run(tsv('few.tsv', [['a', 'x'], ['b', 'y'], ['c', 'y']])), 1, /too few to hold some out/);
    assertFails(run(data, '--text-column', 'words'), 1, /none of its 2 columns is named 'words'/);
    assertFails(run(data, '--text-column', '1', '--label-column', '1'), 2, /the same column/);
    assertFails(run(data, '--dev', tsv('strange.tsv', [['rain', 'weather'], ['x', 'stra\x1bnge']])), 1, /strange\.tsv: line 2: its label is not among those to learn/);
    assertFails(run(file('nowhere.tsv')), 1, /nowhere\.tsv: No such file/);
    fs.writeFileSync(file('empty.tsv'), '');
    assertFails(run(file('empty.tsv')), 1, /it is empty/);
    assertFails(mote(['train-head', model, data]), 2, /-o OUT\.gguf is needed/);
    assertFails(mote(['train-head', nothing, data, '-o', 'refused.gguf']), 3, /pooling is none/);
    assertFails(mote(['train-head', model, data, '-o', 'no/such/folder.gguf']), 1, /No such file/);
    assert.ok(!fs.existsSync(file('refused.gguf')));
});

test('labels and texts may hold anything; nothing of them commands a terminal', () => {
    const rows = examples(60, ['weather', 'town']).map(([text, label], i) => [`${text}\x1b[31m \xff`, label === 'town' ? 'to\x1b[31mwn "1"' : 'wéather\n2']);
    const result = mote(['train-head', model, csv('odd.csv', rows), '-o', 'out.gguf']);
    assert.equal(result.code, 0, result.stderr);
    assert.doesNotMatch(result.stdout, /[\x00-\x09\x0b-\x1f\x7f]/);
    assert.match(result.stdout, /to\\x1b\[31mwn "1"/);
    assert.match(result.stdout, /held out: 6 of 6 right/);
    const judged = classify(file('out.gguf'), rows.map(([text]) => text));
    assert.ok(judged.filter(({ label }, i) => label === rows[i][1]).length >= 50);
});

test('balanced: a rare label is not drowned', () => {
    const rows = [...examples(400, ['weather']), ...examples(12, ['town'])].map(([text, label], i) => [i % 3 ? text : `${text} the`, label]);
    const noise = rows.map(([text, label], i) => [label === 'town' && i % 2 ? 'the good rain rain' : text, label]);
    const dev = tsv('rare.tsv', noise.filter((_, i) => i % 5 === 0 || i >= 400));
    const table = tsv('noise.tsv', noise);
    const recall = (...args) => train(model, table, '--dev', dev, ...args).labels.find(({ label }) => label === 'town').recall;
    assert.ok(recall('--balanced') > recall(), `${recall('--balanced')} ${recall()}`);
});

test('the report has accuracy, labels and the matrix; of many labels the pairs most confused', () => {
    const { stdout } = mote(['train-head', model, data, '-o', 'out.gguf', '--quiet']);
    assert.match(stdout, /^held out: \d+ of 30 right, [\d.]+ % \(always the most frequent label: 33\.3 %\)\n\nlabel +precision +recall +F1 +n\n/);
    assert.match(stdout, /\n +predicted\nlabel +animal +town +weather *\nanimal +\d+ +\d+ +\d+ *\n/);
    const many = tsv('many.tsv', Array.from({ length: 480 }, (_, i) => [`the ${'abcdefghijkl'[i % 12]} ${i % 7}`, `label ${(i + (i % 5 === 0)) % 12}`]));
    const result = mote(['train-head', model, many, '-o', 'out.gguf', '--quiet']);
    assert.match(result.stdout, /most often confused\n +\d+ {2}label \d+ +taken for {2}label \d+\n/);
    assert.equal(result.stderr, '');
});

test('Ctrl-C leaves no file', async () => {
    const long = tsv('long.tsv', examples(20000));
    const child = spawn(MOTE, ['train-head', slow, long, '-o', 'stopped.gguf', '-t', '1'], { cwd: folder, stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('exit', resolve));
    setTimeout(() => child.kill('SIGINT'), 300);
    assert.equal(await ended, 130);
    assert.ok(!fs.readdirSync(folder).some((name) => name.startsWith('stopped.gguf')));
});
