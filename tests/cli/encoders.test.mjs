// SPDX-License-Identifier: Apache-2.0
//
// embed, classify and rerank on encoders with random weights (tiny_encoder.mjs): what they write, that it
// depends on nothing but the text, and what they make of odd texts and circumstances.
//
//     MOTE=build/mote node --test tests/cli/encoders.test.mjs

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { MOTE, assertFails, begin, file, folder, model as language, mote, shell } from './tiny.mjs';
import { encoder } from './tiny_encoder.mjs';

const make = (name, options) => (fs.writeFileSync(file(name), encoder(options)), file(name));
const D = 32;
const plain = make('plain.gguf');
const quantized = make('q8.gguf', { type: 'Q8_0' });
const distil = make('distil.gguf', { types: 0, pooling: 'cls', type: 'Q8_0' });
const two = make('two.gguf', { labels: ['bad', 'good'], type: 'Q8_0' });
const odd = make('odd.gguf', { labels: ['a,b', 'c"d', '', 'two\nlines'], dense: true });
const one = make('one.gguf', { labels: ['good'], dense: true });
const tagger = make('tagger.gguf', { labels: ['O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER'], tokens: true, seed: 3 });

const TEXTS = ['the rain in paris', '', 'John lives in New-York, London "old" house.', 'xqz', 'good '.repeat(40).trim(), 'é日ß', 'the'];
const LINES = TEXTS.join('\n') + '\n';
fs.writeFileSync(file('lines'), LINES);

const ok = (args, options) => {
    const result = mote(args, options);
    assert.equal(result.code, 0, String(result.stderr));
    return result.stdout;
};
const json = (text) => text.trimEnd().split('\n').map((line) => JSON.parse(line));
const embed = (path, args = [], options) => json(ok(['embed', path, ...args], options)).map((row) => row.embedding);
const floats = (bytes) => new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
const raw = (path, args = [], options = {}) => ok(['embed', path, '--format', 'f32', ...args], { ...options, bytes: true });
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const near = (a, b, by = 1e-6) => assert.ok(Math.abs(a - b) <= by, `${a} and ${b}`);
const npy = (bytes) => {
    assert.equal(bytes.subarray(0, 8).toString('latin1'), '\x93NUMPY\x01\x00');
    assert.equal(bytes.readUInt16LE(8) + 10, 128);
    const header = bytes.subarray(10, 128).toString('latin1');
    const [, n, d] = header.match(/^\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d+), (\d+)\), \} *\n$/);
    assert.equal(bytes.length, 128 + 4 * n * d);
    return { n: Number(n), d: Number(d), data: bytes.subarray(128) };
};

// ---- embed ----

test('embed: JSON Lines in the order of the texts, of length 1, and stderr tells how far it is', () => {
    const result = mote(['embed', plain, 'lines']);
    assert.equal(result.code, 0);
    const rows = json(result.stdout);
    assert.deepEqual(rows.map((row) => row.index), TEXTS.map((_, i) => i));
    for (const { embedding } of rows) {
        assert.equal(embedding.length, D);
        near(dot(embedding, embedding), 1);
    }
    assert.match(result.stderr, new RegExp(`^embed: ${Buffer.byteLength(LINES)} B\\nembed: 100%.*\\n$`));
    assert.equal(mote(['embed', plain, 'lines', '--quiet']).stderr, '');
    assert.equal(mote(['embed', plain, '-p', 'the rain']).stderr, '');
    const told = mote(['embed', plain, '--stats', '-p', 'the rain']).stderr;
    for (const line of [/^load +[\d.]+ ms$/m, /^texts +1 /m, /^tokens +4$/m, /^speed +[\d.]+ texts\/s/m, /^peak memory +\d/m])
        assert.match(told, line);
});

test('embed: the same numbers in every format, from every source and to every place', () => {
    for (const path of [plain, quantized]) {
        const bytes = raw(path, ['lines']);
        assert.equal(bytes.length, 4 * D * TEXTS.length);
        assert.deepEqual(Float32Array.from(embed(path, ['lines']).flat()), floats(bytes)); // exact
        assert.deepEqual(raw(path, [], { input: LINES }), bytes);
        assert.deepEqual(raw(path, ['-'], { input: LINES }), bytes);
        assert.deepEqual(Buffer.concat(TEXTS.map((text) => raw(path, ['-p', text]))), bytes);

        const piped = ok(['embed', path, 'lines', '--format', 'npy'], { bytes: true });
        assert.deepEqual(npy(piped), { n: TEXTS.length, d: D, data: bytes });
        assert.equal(ok(['embed', path, 'lines', '--format', 'npy', '-o', 'a.npy']), '');
        assert.deepEqual(fs.readFileSync(file('a.npy')), piped);
        assert.equal(shell(`printf before >b.npy; "$MOTE" embed ${path} lines --format npy >>b.npy`).code, 0);
        assert.deepEqual(fs.readFileSync(file('b.npy')), Buffer.concat([Buffer.from('before'), piped]));
        assert.equal(shell(`{ printf before; "$MOTE" embed ${path} lines --format npy; printf after; } >c.npy`).code, 0);
        assert.deepEqual(fs.readFileSync(file('c.npy')), Buffer.concat([Buffer.from('before'), piped, Buffer.from('after')]));
        ok(['embed', path, 'lines', '-o', 'a.npy', '--format', 'f32']); // shorter than what was there
        assert.deepEqual(fs.readFileSync(file('a.npy')), bytes);
    }
    assert.equal(npy(ok(['embed', plain, '--format', 'npy'], { bytes: true })).n, 0);
});

test('a result depends on its text only: not on threads, batches, neighbours or instruction sets', () => {
    const many = Array.from({ length: 900 }, (_, i) => TEXTS[(i * i + (i >> 3)) % TEXTS.length]);
    fs.writeFileSync(file('many'), many.join('\n'));
    for (const path of [plain, quantized, distil]) {
        const alone = TEXTS.map((text) => raw(path, ['-p', text]));
        const expected = Buffer.concat(many.map((text) => alone[TEXTS.indexOf(text)]));
        for (const more of [[], ['-t', '1'], ['-t', '2'], ['-t', '3'], ['--batch', '1'], ['--batch', '7', '-t', '2'], ['--batch', '256']])
            assert.deepEqual(raw(path, ['many', ...more]), expected, more.join(' '));
        for (const level of path === plain ? [] : ['scalar', 'avx2', 'avxvnni', 'avx512', 'avx512vnni']) {
            const result = mote(['embed', path, 'many', '--format', 'f32', '--cpu', level], { bytes: true });
            if (result.code === 0) assert.deepEqual(result.stdout, expected, level);
        }
    }
    const labels = ok(['classify', two, 'many']);
    for (const more of [['-t', '3'], ['--batch', '3'], ['--cpu', 'scalar']]) assert.equal(ok(['classify', two, 'many', ...more]), labels);
});

test('poolings are made of the tokens’ vectors', () => {
    const [tokens] = embed(plain, ['-p', 'the rain in paris', '--pooling', 'none']);
    assert.equal(tokens.length, 6);
    const of = (pooling, ...more) => embed(plain, ['-p', 'the rain in paris', '--pooling', pooling, '--no-normalize', ...more])[0];
    assert.deepEqual(of('cls'), tokens[0]);
    assert.deepEqual(of('last'), tokens[5]);
    of('mean').forEach((x, i) => near(x, tokens.reduce((sum, row) => sum + row[i], 0) / 6, 1e-5));
    assert.deepEqual(embed(plain, ['-p', 'the rain in paris', '--no-normalize'])[0], of('mean'));
    assert.deepEqual(embed(distil, ['-p', 'x'])[0], embed(distil, ['-p', 'x', '--pooling', 'cls'])[0]);
    const length = Math.sqrt(dot(tokens[0], tokens[0]));
    embed(plain, ['-p', 'the rain in paris', '--pooling', 'cls'])[0].forEach((x, i) => near(x, tokens[0][i] / length));
    near(1, dot(...Array(2).fill(embed(plain, ['-p', 'x', '--pooling', 'none', '--normalize'])[0][1])));
    const bytes = raw(plain, ['lines', '--pooling', 'none']);
    assert.deepEqual(floats(bytes), Float32Array.from(embed(plain, ['lines', '--pooling', 'none']).flat(2)));
    assert.equal(npy(ok(['embed', plain, 'lines', '--format', 'npy', '--pooling', 'none'], { bytes: true })).n, bytes.length / 4 / D);
});

test('odd lines are texts too', () => {
    const [empty] = embed(plain, ['-p', '']);
    const [rain] = embed(plain, ['-p', 'the rain']);
    assert.deepEqual(embed(plain, ['-p', '', '--pooling', 'none'])[0].length, 2); // [CLS] [SEP]
    for (const [input, expected] of [
        ['', []],
        ['\n', [empty]],
        ['\r\n', [empty]],
        ['\n\n', [empty, empty]],
        ['the rain', [rain]],
        ['the rain\r\n\r\nthe rain\n', [rain, empty, rain]],
        ['\ufeffthe rain\n', [rain]],
        ['  the \t rain  \n', [rain]],
        ['\u0000the rain\n', [rain]], // a control character, which the tokenizer removes
    ]) {
        const result = mote(['embed', plain], { input });
        assert.equal(result.code, 0, result.stderr);
        assert.deepEqual(result.stdout ? json(result.stdout).map((row) => row.embedding) : [], expected, JSON.stringify(input));
    }
    const bad = Buffer.concat([Buffer.from('the '), Buffer.of(0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80), Buffer.from(' rain\nthe rain\n')]);
    const rows = embed(plain, [], { input: bad });
    assert.deepEqual(rows[1], rain);
    assert.deepEqual(embed(plain, [], { input: bad }), rows);
    const languages = ['Ελληνικά', 'русский', 'العربية', 'עברית', 'हिन्दी', '日本語', '한국어', 'ไทย', 'Tiếng Việt', '🌧️👩‍👩‍👧', 'ქართული'].join('\n');
    for (const row of embed(plain, [], { input: languages })) near(dot(row, row), 1);
});

test('a text longer than the context is cut behind its first tokens, and stderr says so', () => {
    const words = Array.from({ length: 10_000 }, (_, i) => ['rain', 'house', 'water', 'night'][i % 4]);
    const input = `the\n${words.join(' ')}\n${words.slice(0, 62).join(' ')}\n${words.slice(0, 63).join('  ')}\n`;
    const result = mote(['embed', plain], { input });
    assert.equal(result.code, 0);
    assert.match(result.stderr, /^mote: 2 of 4 texts were cut to 64 tokens$/m);
    const rows = json(result.stdout).map((row) => row.embedding);
    assert.deepEqual(rows[1], rows[2]);
    assert.deepEqual(rows[3], rows[2]);
    assert.equal(mote(['embed', plain, '--quiet'], { input }).stderr, '');
    assert.equal(embed(plain, [], { input: 'rain'.repeat(50_000) }).length, 1); // a word of 200,000 letters
    const short = embed(plain, ['-c', '5', '-p', 'the rain in paris'])[0];
    assert.deepEqual(short, embed(plain, ['-p', 'the rain in'])[0]);
    assert.equal(embed(plain, ['-c', '5', '-p', 'the rain in paris', '--pooling', 'none'])[0].length, 5);
});

test('a prefix stands before every text', () => {
    assert.deepEqual(embed(plain, ['lines', '--prefix', 'query: ']), embed(plain, [], { input: TEXTS.map((text) => `query: ${text}\n`).join('') }));
    assert.deepEqual(embed(plain, ['lines', '--prefix', '']), embed(plain, ['lines']));
});

// ---- classify ----

test('classify: every label with its share, the highest first', () => {
    const rows = json(ok(['classify', two, 'lines']));
    assert.deepEqual(rows.map((row) => row.index), TEXTS.map((_, i) => i));
    for (const { labels } of rows) {
        assert.deepEqual(labels.map((each) => each.label).sort(), ['bad', 'good']);
        assert.ok(labels[0].score >= labels[1].score);
        near(labels[0].score + labels[1].score, 1);
    }
    assert.ok(new Set(rows.map((row) => row.labels[0].score)).size === rows.length);
    const top = json(ok(['classify', two, 'lines', '--top', '1']));
    assert.deepEqual(top, rows.map((row) => ({ index: row.index, labels: row.labels.slice(0, 1) })));
    const sure = json(ok(['classify', two, 'lines', '--threshold', '0.6']));
    assert.deepEqual(sure, rows.map((row) => ({ index: row.index, labels: row.labels.filter((each) => each.score >= 0.6) })));
});

test('classify: --multi and a head of one label judge each by itself', () => {
    const logit = (p) => Math.log(p / (1 - p));
    const shares = json(ok(['classify', odd, 'lines']));
    const each = json(ok(['classify', odd, 'lines', '--multi', '--threshold', '0']));
    shares.forEach(({ labels }, i) => {
        near(labels.reduce((sum, label) => sum + label.score, 0), 1);
        assert.deepEqual(each[i].labels.map((label) => label.label), labels.map((label) => label.label));
        const [a, b] = each[i].labels.map((label) => logit(label.score));
        near(Math.exp(a - b), labels[0].score / labels[1].score, 1e-3 * Math.exp(a - b));
    });
    const likely = json(ok(['classify', odd, 'lines', '--multi']));
    assert.deepEqual(likely, each.map((row) => ({ ...row, labels: row.labels.filter((label) => label.score >= 0.5) })));
    const many = make('many.gguf', { labels: ['a,b', 'c"d', '', 'two\nlines'], dense: true, many: true }); // the file asks for it
    assert.deepEqual(json(ok(['classify', many, 'lines'])), likely);
    for (const { labels } of json(ok(['classify', one, 'lines']))) {
        assert.equal(labels[0].label, 'good');
        assert.ok(labels.length === 1 && labels[0].score > 0 && labels[0].score < 1);
    }
});

test('classify: CSV, with quotes where they are needed', () => {
    const csv = ok(['classify', odd, '-p', 'the rain', '--format', 'csv']);
    const [{ labels }] = json(ok(['classify', odd, '-p', 'the rain']));
    const quoted = { 'a,b': '"a,b"', 'c"d': '"c""d"', 2: '2', 'two\nlines': '"two\nlines"' };
    assert.equal(csv, 'index,label,score\n' + labels.map(({ label, score }) => `0,${quoted[label]},${score}\n`).join(''));
    assert.equal(ok(['classify', one, '-p', 'x', '--threshold', '1', '--format', 'csv']), 'index,label,score\n0,,\n');
    assert.equal(ok(['classify', one, '-p', 'x', '--threshold', '1']), '{"index":0,"labels":[]}\n');
});

test('classify: a head that judges tokens gives spans of the text', () => {
    const texts = [...TEXTS, 'mary “lives” in berlin…日本 x', 'a\u0301bc the rain', '  london  '];
    const found = json(ok(['classify', tagger], { input: texts.join('\n') }));
    let n = 0;
    found.forEach(({ entities }, i) => {
        let last = 0;
        for (const { label, score, start, end, text } of entities) {
            assert.match(label, /^(LOC|PER)$/);
            assert.ok(score > 0.2 && score <= 1);
            assert.ok(start >= last && end > start);
            assert.equal(Buffer.from(texts[i]).subarray(start, end).toString(), text);
            assert.equal(text, text.trim());
            last = end;
            n++;
        }
    });
    assert.ok(n > 5, `only ${n} entities`);
    assert.deepEqual(found[1].entities, []);
    // A prefix takes part in the judgement, not in the places.
    for (const { start, end, text } of json(ok(['classify', tagger, '--prefix', 'note: ', '-p', texts[2]]))[0].entities)
        assert.equal(texts[2].slice(start, end), text);
    const lines = ok(['classify', tagger, '--format', 'csv', '-p', texts[0]]).split('\n');
    const [{ entities }] = json(ok(['classify', tagger, '-p', texts[0]]));
    assert.equal(lines[0], 'index,label,score,start,end,text');
    assert.deepEqual(lines.slice(1, -1), entities.map((e) => `0,${e.label},${e.score},${e.start},${e.end},${e.text}`));
    assertFails(mote(['classify', tagger, '-p', 'x', '--top', '2']), 2, /judges tokens/);
});

test('classify: words of one type in a row are one entity, and "B-" begins another', () => {
    // The labels are moved about: what is judged stays, what it is called changes.
    const named = (labels) => make('named.gguf', { labels, tokens: true, seed: 3 });
    const spans = (labels) => json(ok(['classify', named(labels), '-p', 'the rain in paris london']))[0].entities;
    const apart = spans(['B-X', 'B-X', 'B-X', 'B-X', 'B-X']);
    assert.deepEqual(apart.map((e) => e.text), ['the', 'rain', 'in', 'paris', 'london']);
    const whole = spans(['I-X', 'I-X', 'I-X', 'I-X', 'I-X']);
    assert.deepEqual(whole.map((e) => [e.label, e.start, e.end, e.text]), [['X', 0, 24, 'the rain in paris london']]);
    near(whole[0].score, apart.reduce((sum, e) => sum + e.score, 0) / 5);
    assert.deepEqual(spans(['X', 'X', 'X', 'X', 'X']), whole);
    assert.deepEqual(spans(['O', 'O', 'O', 'O', 'O']), []);
});

// ---- rerank ----

test('rerank: the best first, by a head that reads pairs', () => {
    const rows = json(ok(['rerank', one, '-q', 'the rain', 'lines']));
    assert.deepEqual(rows.map((row) => row.index).sort(), TEXTS.map((_, i) => i));
    rows.forEach((row, i) => {
        assert.equal(row.text, TEXTS[row.index]);
        assert.ok(row.score > 0 && row.score < 1 && (!i || row.score <= rows[i - 1].score));
    });
    assert.deepEqual(json(ok(['rerank', one, '-q', 'the rain', 'lines', '--top', '2'])), rows.slice(0, 2));
    assert.notDeepEqual(json(ok(['rerank', one, '-q', 'blue moon', 'lines'])).map((row) => row.score), rows.map((row) => row.score));
    // Each pair by itself gives the same.
    for (const row of rows)
        assert.equal(json(ok(['rerank', one, '-q', 'the rain'], { input: `${row.text}\n` }))[0].score, row.score);
});

test('rerank: the two texts of a pair are told apart where the model can', () => {
    // Without segments the pair is one text of its tokens; [SEP] is written as a word would not be, so that the
    // scores can only be compared with those of another order.
    const score = (path, q, text) => json(ok(['rerank', path, '-q', q], { input: `${text}\n` }))[0].score;
    const without = make('without.gguf', { labels: ['good'], dense: true, types: 0 });
    assert.notEqual(score(one, 'rain', 'rain'), score(without, 'rain', 'rain'));
    assert.notEqual(score(one, 'the', 'rain'), score(one, 'rain', 'the'));
});

test('rerank: of two labels the second means yes', () => {
    for (const row of json(ok(['rerank', two, '-q', 'the rain', 'lines']))) assert.ok(row.score > 0 && row.score < 1);
    assertFails(mote(['rerank', odd, '-q', 'x', 'lines']), 3, /more than two labels/);
    assertFails(mote(['rerank', tagger, '-q', 'x', 'lines']), 3, /judges tokens/);
});

test('rerank: without a head by the cosine of vectors, and it says so', () => {
    const result = mote(['rerank', plain, '-q', 'the rain', 'lines']);
    assert.match(result.stderr, /no head for pairs.*cosine/);
    const vectors = embed(plain, ['lines']);
    const [query] = embed(plain, ['-p', 'the rain']);
    const expected = TEXTS.map((text, index) => ({ index, score: dot(query, vectors[index]), text })).sort((a, b) => b.score - a.score);
    const rows = json(result.stdout);
    assert.deepEqual(rows.map((row) => row.text), expected.map((row) => row.text));
    rows.forEach((row, i) => near(row.score, expected[i].score));
    const same = json(ok(['rerank', plain, '-q', 'rain', '--top', '3'], { input: 'x\nrain\nx\nrain\nrain\nrain\nx\n' }));
    assert.deepEqual(same.map((row) => row.index), [1, 3, 4]); // equal ones in their order
    // A prefix is for the texts; what the query needs is written in the query.
    assert.equal(json(ok(['rerank', plain, '-q', 'p rain', '--prefix', 'p ', '--top', '1'], { input: 'the\nrain\n' }))[0].text, 'rain');
});

test('rerank: a query that is too long is cut, and leaves half of the context to the texts', () => {
    const result = mote(['rerank', one, '-q', 'rain '.repeat(500)], { input: 'house\n' + 'water '.repeat(500) + '\nnight\n' });
    assert.equal(result.code, 0);
    assert.match(result.stderr, /the first text of the pairs was cut to 30 tokens/);
    assert.match(result.stderr, /1 of 3 texts were cut to 64 tokens/);
    assert.equal(new Set(json(result.stdout).map((row) => row.score)).size, 3);
});

// ---- what is wrong ----

test('models that are not for this are refused, with what is', () => {
    for (const command of [['embed'], ['classify'], ['rerank', '-q', 'x']])
        assertFails(mote([command[0], language, ...command.slice(1)], { input: 'x\n' }), 3, /language model.*mote run/);
    assertFails(mote(['classify', plain], { input: 'x\n' }), 3, /no head.*mote train-head/);
    assertFails(mote(['run', plain, '-p', 'x']), 3, /encoder.*mote embed and rerank/);
    assertFails(mote(['chat', two], { input: 'x\n' }), 3, /encoder.*mote embed, classify and rerank/);
    assertFails(mote(['perplexity', plain, '-f', 'lines']), 3, /encoder/);
});

test('what is wrong on the command line is named', () => {
    for (const [args, text] of [
        [['embed', plain, 'lines', '-p', 'x'], /FILE or -p, not both/],
        [['embed', plain, '--format', 'npz'], /--format takes jsonl, npy or f32, not 'npz'/],
        [['embed', plain, '--pooling', 'max'], /--pooling takes none, mean, cls or last, not 'max'/],
        [['embed', plain, '--normalize', '--no-normalize'], /not both/],
        [['embed', plain, '--batch', '0'], /--batch takes a whole number from 1 to 256/],
        [['embed', plain, '-c', '65', '-p', 'x'], /made for a context of 64/],
        [['embed', plain, '-c', '4', '-p', 'x'], /5 tokens are needed at least/],
        [['embed'], /too few arguments/],
        [['embed', plain, 'lines', 'x'], /too many arguments/],
        [['embed', plain, 'lines', '-o', 'lines'], /lines is to be read/],
        [['embed', plain, 'lines', '-o', plain], /plain\.gguf is to be read/],
        [['classify', two, '--format', 'npy'], /jsonl or csv/],
        [['classify', two, '--threshold', '1.5'], /from 0 to 1/],
        [['classify', two, '--top', '0'], /--top takes a whole number from 1/],
        [['rerank', one, 'lines'], /-q QUERY is needed/],
    ])
        assertFails(mote(args), 2, text);
    assert.equal(fs.readFileSync(file('lines'), 'utf8'), LINES);
    assertFails(mote(['embed', plain, 'nowhere']), 1, /nowhere: No such file/);
    assertFails(mote(['embed', plain, folder]), 1, /directory/i);
    assertFails(mote(['embed', plain, 'lines', '-o', 'no/such']), 1, /no\/such: No such file/);
    assertFails(mote(['embed', 'nowhere.gguf', 'lines']), 3, /nowhere\.gguf/);
});

test('an output that is full or gone ends the command', { skip: !fs.existsSync('/dev/full') }, () => {
    for (const command of [`embed ${plain}`, `embed ${plain} --format npy`, `embed ${plain} --format f32`, `classify ${two}`, `rerank ${one} -q x`]) {
        const full = shell(`"$MOTE" ${command} lines --quiet >/dev/full`);
        assert.equal(full.code, 1, command);
        assert.match(full.stderr, /^mote: cannot write to stdout: No space left/);
        const gone = shell(`yes the rain | head -n 20000 | "$MOTE" ${command} --quiet | head -c 1 >/dev/null; echo \${PIPESTATUS[2]}`);
        assert.deepEqual([gone.stdout, gone.stderr], ['1\n', ''], command);
    }
    const full = shell(`"$MOTE" embed ${plain} lines -o /dev/full --quiet`);
    assert.equal(full.code, 1);
    assert.match(full.stderr, /cannot write to \/dev\/full: No space left/);
});

test('results keep up with a source that is slow', async () => {
    const result = await begin(MOTE, ['embed', plain, '--quiet'], (screen, child) => {
        const n = screen.all.split('\n').length - 1;
        if (n === 1) child.stdin.write('the house\nthe night\n');
        if (n === 3) child.stdin.end();
        if (n === 1 || n === 3) screen.seen = n;
    }, 'pipe', (child) => child.stdin.write('the rain\n'));
    assert.equal(result.code, 0, result.stderr);
    assert.equal(json(result.stdout).length, 3);
});

test('Ctrl-C: what was made is written, exit 130', async () => {
    const interrupt = (args) => begin(MOTE, args, (screen, child) => {
        if (!screen.told) setTimeout(() => child.kill('SIGINT'), 50);
        screen.told = true;
    }, 'pipe', (child) => child.stdin.write('the rain\n'.repeat(2000)));
    const lines = await interrupt(['embed', plain, '--quiet']);
    assert.equal(lines.code, 130, lines.stderr);
    assert.match(lines.stdout, /\}\n$/);
    const rows = json(lines.stdout);
    assert.deepEqual(rows.map((row) => row.index), rows.map((_, i) => i));
    // The same while it works: the header of an array tells the vectors that are there.
    const out = file('cut.npy');
    const code = shell(`yes the rain in paris and the old house | "$MOTE" embed ${plain} --format npy -o ${out} --quiet & ` +
        `sleep 0.5; kill -INT $!; wait $!; echo $?`).stdout;
    assert.equal(code, '130\n');
    assert.ok(npy(fs.readFileSync(out)).n > 0);
    const ranked = shell(`yes the rain | "$MOTE" rerank ${plain} -q rain --quiet --top 2 & sleep 0.5; kill -INT $!; wait $!; echo $?`);
    assert.match(ranked.stdout, /^\{"index":0,.*\n\{"index":1,.*\n130\n$/);
});

test('memory that runs out is said, exit 4', { skip: spawnSync('sh', ['-c', 'ulimit -v 100000']).status !== 0 || fs.readFileSync(MOTE).includes('__asan_') }, () => {
    const result = shell(`ulimit -v 400000; head -c 600000000 /dev/zero | tr '\\0' x | "$MOTE" embed ${plain} -t 1 --quiet`);
    assert.equal(result.code, 4, result.stderr);
    assert.match(result.stderr, /^mote: stdin:1: not enough memory for this line/);
});

// ---- info ----

test('info tells what an encoder is', () => {
    const table = ok(['info', tagger]);
    assert.match(table, /^encoder +vectors of 32, pooling mean$/m);
    assert.match(table, /^labels +5 for each token: O, B-LOC, I-LOC, B-PER, I-PER$/m);
    assert.match(table, /^special tokens +\[CLS\] … \[SEP\]$/m);
    assert.deepEqual(JSON.parse(ok(['info', odd, '--json'])).encoder, { pooling: 'mean', labels: ['a,b', 'c"d', '', 'two\nlines'], labels_tokens: false });
    assert.match(ok(['info', odd]), /^labels +4 for each text: a,b, c"d, , two\\nlines$/m);
    assert.equal(JSON.parse(ok(['info', language, '--json'])).encoder, undefined);
});
