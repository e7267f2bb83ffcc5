// SPDX-License-Identifier: Apache-2.0
//
// mote search on an encoder with random weights: what is found, what an update does again and what not, odd
// files and folders, indexes that are none, and runs that are cut off at every moment there is.
//
//     MOTE=build/mote node --test tests/cli/search.test.mjs

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { MOTE, assertFails, file, folder, mote, sanitized } from './tiny.mjs';
import { encoder } from './tiny_encoder.mjs';

const make = (name, options) => (fs.writeFileSync(file(name), encoder(options)), file(name));
const model = make('plain.gguf');
const other = make('other.gguf', { seed: 9 });
const slow = make('slow.gguf', { dim: 256, ffn: 1024, layers: 6 });
const OLD = new Date('2020-01-01T00:00:00Z'); // of files: what changed just now is looked at again

let made = 0;
/** A folder of files, { name: content }. */
function tree(files) {
    const root = file(`tree${made++}`);
    fs.mkdirSync(root);
    for (const [name, content] of Object.entries(files)) write(root, name, content);
    return root;
}
function write(root, name, content, date = OLD) {
    const where = path.join(root, name);
    fs.mkdirSync(path.dirname(where), { recursive: true });
    fs.writeFileSync(where, content);
    fs.utimesSync(where, date, date);
}
const ok = (args, options) => {
    const result = mote(args, options);
    assert.equal(result.code, 0, String(result.stderr));
    return result;
};
const add = (index, root, ...args) => ok(['search', index, '--add', root, '-m', model, ...args]).stderr;
const ask = (index, question, ...args) => ok(['search', index, question, '--json', ...args]).stdout
    .trimEnd().split('\n').filter((line) => line).map((line) => JSON.parse(line));
const long = (i) => `Paragraph ${i} tells of house ${i} in the night, of rain and water and of the sun and the moon over it.`;

const NOTES = {
    'shed.md': '# The shed\n\nThe key of the old house is in the red box, under the water pipe, left of the small door.\n\n' +
        'A second paragraph is about the dog and the cat, and it is long enough to stand in the index by itself.\n',
    'sub/rain.txt': 'Rain fell on the river for three days, and nobody in the town could say when it would be over again.\n',
};

test('the paragraph itself is the nearest to its text; file, line and text are told', () => {
    const root = tree(NOTES);
    add('a.idx', root);
    const [hit, ...rest] = ask('a.idx', 'A second paragraph is about the dog and the cat, and it is long enough to stand in the index by itself.', '--top', '2');
    assert.equal(hit.file, path.relative(folder, path.join(root, 'shed.md')));
    assert.deepEqual([hit.rank, hit.line], [1, 5]);
    assert.ok(hit.score > 0.999 && hit.score < 1.001, String(hit.score));
    assert.match(hit.text, /^A second paragraph.*itself\.$/);
    assert.equal(rest.length, 1);
    const { stdout } = ok(['search', 'a.idx', NOTES['sub/rain.txt'].trim(), '-k', '1']);
    assert.match(stdout, /^(1\.000|0\.999) {2}tree\d+\/sub\/rain\.txt:1\n {4}Rain fell.*\n$/);
    // A heading goes with what it is the heading of.
    assert.ok(ask('a.idx', 'x').some(({ text }) => text.startsWith('# The shed\n\nThe key')));
});

test('scores are those of the vectors that embed makes', () => {
    const root = tree(NOTES);
    add('scores.idx', root);
    const question = 'where is the red box';
    for (const { score, text } of ask('scores.idx', question)) {
        const vectors = [question, text.replaceAll('\n', ' ')].map((line) =>
            JSON.parse(mote(['embed', model], { input: line + '\n' }).stdout).embedding);
        const exact = vectors[0].reduce((sum, x, i) => sum + x * vectors[1][i], 0);
        assert.ok(Math.abs(exact - score) < 0.01, `${exact} ${score}`);
    }
});

test('questions come from stdin too, one a line, and JSON Lines name them', () => {
    add('a2.idx', tree(NOTES));
    const { stdout } = ok(['search', 'a2.idx', '--json', '-k', '1'], { input: 'rain\n"house"\n' });
    assert.deepEqual(stdout.trimEnd().split('\n').map((line) => JSON.parse(line).query), ['rain', '"house"']);
    assert.match(ok(['search', 'a2.idx', 'rain', '--stats']).stderr, /2 paragraphs|3 paragraphs/);
});

test('an update looks only at what changed; what is gone is gone; what moved is not encoded again', () => {
    const root = tree({ ...NOTES, 'big.txt': Array.from({ length: 200 }, (_, i) => long(i)).join('\n\n') });
    assert.match(add('b.idx', root), /3 new, 0 changed, 0 gone, 0 as before; 203 paragraphs in 3 files/);
    const before = fs.readFileSync(file('b.idx'));
    assert.match(add('b.idx', root), /0 new, 0 changed, 0 gone, 3 as before/);
    assert.deepEqual(fs.readFileSync(file('b.idx')), before);

    // Touched, not changed: read, but nothing is added.
    fs.utimesSync(path.join(root, 'shed.md'), new Date('2021-01-01'), new Date('2021-01-01'));
    assert.match(ok(['search', 'b.idx', '--update']).stderr, /0 new, 0 changed, 0 gone, 3 as before/);
    assert.equal(fs.statSync(file('b.idx')).size, before.length);

    write(root, 'shed.md', 'The shed has burned down, and the key of the old house that was in it has never been found since.\n', new Date('2022-01-01'));
    fs.rmSync(path.join(root, 'sub/rain.txt'));
    fs.renameSync(path.join(root, 'big.txt'), path.join(root, 'large.txt'));
    assert.match(ok(['search', 'b.idx', '-u']).stderr, /1 new, 1 changed, 2 gone, 0 as before; 201 paragraphs in 2 files/);
    const files = new Set(ask('b.idx', 'house', '-k', '300').map((hit) => path.basename(hit.file)));
    assert.deepEqual([...files].sort(), ['large.txt', 'shed.md']);
    assert.equal(ask('b.idx', 'house', '-k', '300').length, 201);

    // The same answers as an index made at once.
    add('c.idx', root);
    assert.deepEqual(ask('b.idx', 'rain over the house', '-k', '300'), ask('c.idx', 'rain over the house', '-k', '300'));
});

test('an index of which more is dead than alive is written anew', () => {
    const root = tree({});
    const content = (from) => Array.from({ length: 1500 }, (_, i) => long(from + i)).join('\n\n');
    write(root, 'big.txt', content(0));
    add('dead.idx', root);
    const size = fs.statSync(file('dead.idx')).size;
    for (let i = 1; i < 6; i++) {
        write(root, 'big.txt', content(10000 * i), new Date(2021, i));
        add('dead.idx', root);
        assert.ok(fs.statSync(file('dead.idx')).size < 2.6 * size, String(fs.statSync(file('dead.idx')).size / size));
    }
    add('fresh.idx', root);
    assert.deepEqual(ask('dead.idx', 'house 7', '-k', '50'), ask('fresh.idx', 'house 7', '-k', '50'));
    assert.ok(!fs.existsSync(file('dead.idx.new')));
});

test('neither threads nor batches change a byte of an index', () => {
    const root = tree({ ...NOTES, 'big.txt': Array.from({ length: 150 }, (_, i) => long(i)).join('\n\n') });
    const bytes = ['-t 1', '-t 3', '--batch 1', '--batch 7'].map((options, i) => {
        add(`same${i}.idx`, root, ...options.split(' '));
        return createHash('sha256').update(fs.readFileSync(file(`same${i}.idx`))).digest('hex');
    });
    assert.equal(new Set(bytes).size, 1);
});

// ---- odd files ----

test('what is no text, hidden or a link is passed over; names may hold anything', () => {
    const root = tree({
        'a.txt': long(1), 'no.bin.txt': 'x\0y', 'data.csv': long(2), '.hidden/b.txt': long(3), '.c.txt': long(4),
        'two\nlines.txt': long(5), 'empty.txt': '', 'blank.md': ' \n\n\t\n', 'rule.md': '-----\n\n=====\n', 'UPPER.TXT': long(6),
    });
    fs.writeFileSync(Buffer.concat([Buffer.from(path.join(root, 'bad-')), Buffer.from([0xff, 0xfe]), Buffer.from('.txt')]), long(7));
    fs.symlinkSync('..', path.join(root, 'loop'));
    fs.symlinkSync('a.txt', path.join(root, 'link.txt'));
    const stderr = add('odd.idx', root);
    assert.match(stderr, /7 new, .*1 passed over as no text; 4 paragraphs in 7 files/);
    const names = ask('odd.idx', 'house', '-k', '20').map((hit) => hit.file.replace(/^tree\d+\//, '')).sort();
    assert.deepEqual(names, ['UPPER.TXT', 'a.txt', 'bad-\ufffd\ufffd.txt', 'two\nlines.txt']);
    assert.match(ok(['search', 'odd.idx', long(5), '-k', '1']).stdout, /two\\nlines\.txt:1\n/);
    // With --all, every file that is text.
    assert.match(add('all.idx', root, '--all'), /8 new/);
});

test('nothing of a text or a name commands a terminal', () => {
    const root = tree({ 'esc\x1b[31m.txt': 'Red \x1b[31mtext\x1b[0m with a bell \x07 and a C1 \u009b31m in it, and then\r\nsome more words on a line of their own.' });
    add('esc.idx', root);
    const { stdout } = ok(['search', 'esc.idx', 'red']);
    assert.doesNotMatch(stdout, /[\x00-\x09\x0b-\x1f\x7f\u0080-\u009f]/);
    assert.match(stdout, /esc\\x1b\[31m\.txt:1/);
    assert.match(stdout, /\u241b\[31mtext/);
    const raw = ok(['search', 'esc.idx', 'red', '--json']).stdout;
    assert.doesNotMatch(raw, /[\x00-\x09\x0b-\x1f\x7f\u0080-\u009f]/);
    assert.match(JSON.parse(raw).text, /\x1b\[31mtext\x1b\[0m/);
});

test('what cannot be read is told and stays in the index; a folder that is gone is an error', { skip: process.getuid() === 0 ? 'root reads everything' : false }, () => {
    const root = tree({ 'a.txt': long(1), 'sub/b.txt': long(2) });
    add('denied.idx', root);
    write(root, 'a.txt', long(3), new Date());
    fs.chmodSync(path.join(root, 'a.txt'), 0);
    fs.chmodSync(path.join(root, 'sub'), 0);
    const result = mote(['search', 'denied.idx', '-u']);
    fs.chmodSync(path.join(root, 'sub'), 0o755);
    assert.equal(result.code, 0);
    assert.match(result.stderr, /a\.txt: Permission denied/);
    assert.match(result.stderr, /sub: Permission denied/);
    assert.match(result.stderr, /0 gone/);
    assert.equal(ask('denied.idx', 'house').length, 2);
});

test('a folder that is no longer there takes nothing out of the index', () => {
    const root = tree({ 'a.txt': long(1) });
    add('gone.idx', root);
    fs.renameSync(root, root + '-away');
    assertFails(mote(['search', 'gone.idx', '-u']), 1, /No such file/);
    assert.equal(ask('gone.idx', 'house').length, 1);
});

test('a file too large is told, and passed over', () => {
    const root = tree({ 'a.txt': long(1) });
    fs.truncateSync(path.join(root, 'a.txt'), 2 ** 26 + 1);
    assert.match(add('large.idx', root), /a\.txt: it is larger than 64 MiB\n[^]*1 not readable; 0 paragraphs/);
});

test('long paragraphs are cut at sentences, and no word is lost or twice', () => {
    const words = Array.from({ length: 5000 }, (_, i) => `w${i}${i % 12 === 11 ? '.' : ''}`);
    const root = tree({ 'long.txt': words.join(' '), 'solid.txt': 'é'.repeat(3000) });
    add('long.idx', root);
    const hits = ask('long.idx', 'w1', '-k', '1000');
    const text = hits.filter((hit) => hit.file.endsWith('long.txt'))
        .sort((a, b) => Number(a.text.match(/\d+/)[0]) - Number(b.text.match(/\d+/)[0])).map((hit) => hit.text);
    assert.equal(text.join(' '), words.join(' '));
    assert.ok(text.every((piece) => piece.length <= 1000));
    assert.ok(text.slice(0, -1).every((piece) => piece.endsWith('.')));
    assert.equal(hits.filter((hit) => hit.file.endsWith('solid.txt')).map((hit) => hit.text).join(''), 'é'.repeat(3000));
});

// ---- what is wrong ----

test('another model is refused, and so is a question before there is an index', () => {
    const root = tree(NOTES);
    add('m.idx', root);
    assertFails(mote(['search', 'm.idx', 'x', '-m', other]), 3, /made with another model \(SHA-256 /);
    assertFails(mote(['search', 'm.idx', '--add', root, '-m', other]), 3, /made with another model/);
    // The same model elsewhere is the same model; the one it was made with may be gone.
    fs.copyFileSync(model, file('copy.gguf'));
    assert.equal(ask('m.idx', 'x', '-m', 'copy.gguf').length, 3);
    add('copied.idx', root);
    assertFails(mote(['search', 'none.idx', 'x']), 1, /there is no index; mote search none\.idx --add FOLDER -m MODEL/);
    assertFails(mote(['search', 'none.idx', '--add', root]), 2, /-m MODEL is needed/);
    assertFails(mote(['search', 'none.idx', '-u', '-m', model]), 2, /--add FOLDER is needed/);
    assertFails(mote(['search', 'none.idx', '--add', 'nowhere', '-m', model]), 1, /nowhere: No such file/);
    assertFails(mote(['search', 'm.idx', 'x', '--all']), 2, /for a new folder/);
    assertFails(mote(['search', 'm.idx', '-u', '--query-prefix', 'q: ']), 2, /another prefix/);
    assertFails(mote(['search', 'm.idx', '--add', path.join(root, 'sub')]), 1, /inside a folder that the index has/);
    assertFails(mote(['search', 'm.idx', '--add', folder]), 1, /around a folder that the index has/);
    assertFails(mote(['search', model, 'x']), 1, /not an index of mote search/);
    fs.writeFileSync(file('precious.txt'), 'precious');
    assertFails(mote(['search', 'precious.txt', '--add', root, '-m', model]), 1, /not an index/);
    assert.equal(fs.readFileSync(file('precious.txt'), 'utf8'), 'precious');
});

test('prefixes are the index\'s: of paragraphs and of questions', () => {
    const root = tree(NOTES);
    add('p.idx', root, '--passage-prefix', 'passage ', '--query-prefix', 'query ');
    add('q.idx', root);
    const plain = tree({ 'a.txt': 'passage ' + long(1) });
    const prefixed = tree({ 'a.txt': long(1) });
    add('p1.idx', prefixed, '--passage-prefix', 'passage ', '--query-prefix', 'query ');
    add('p2.idx', plain);
    assert.equal(ask('p1.idx', 'rain')[0].score, ask('p2.idx', 'query rain')[0].score);
    assert.notEqual(ask('p1.idx', 'rain')[0].score, ask('p2.idx', 'rain')[0].score);
});

test('two processes do not add to one index at once', async () => {
    const root = tree({ 'big.txt': Array.from({ length: 4000 }, (_, i) => long(i)).join('\n\n') });
    const first = spawn(MOTE, ['search', 'busy.idx', '--add', root, '-m', slow, '-q', '-t', '1'], { cwd: folder, stdio: 'ignore' });
    const ended = new Promise((resolve) => first.on('exit', resolve));
    while (!fs.existsSync(file('busy.idx'))) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 100));
    assertFails(mote(['search', 'busy.idx', '--add', root]), 1, /another mote is adding to it/);
    first.kill('SIGKILL');
    await ended;
});

// ---- hostile indexes ----

test('an index with any byte changed, or cut anywhere, is refused or answers; it never brings the command down', () => {
    add('sound.idx', tree(NOTES));
    const sound = fs.readFileSync(file('sound.idx'));
    let refused = 0;
    const look = (bytes, what) => {
        fs.writeFileSync(file('hostile.idx'), bytes);
        const result = mote(['search', 'hostile.idx', 'house', '-m', model]);
        assert.ok([0, 1, 3].includes(result.code), `${what}: ${result.code} ${result.stderr}`);
        refused += result.code !== 0;
    };
    const step = sanitized ? 41 : 7; // tests/unit/search_test.c changes every byte
    for (let n = 0; n < sound.length; n += 13 * step) look(sound.subarray(0, n), `cut at ${n}`);
    const cuts = refused;
    assert.equal(cuts, Math.ceil(sound.length / (13 * step)));
    // Heads of records, byte by byte; of texts and vectors some.
    for (let at = 0; at < sound.length; at += at < 1024 ? step : 13 * step)
        for (const value of [0xff, sound[at] ^ 0x80])
            if (value !== sound[at]) {
                const bytes = Buffer.from(sound);
                bytes[at] = value;
                look(bytes, `byte ${at} = ${value}`);
            }
    assert.ok(refused > cuts + (sanitized ? 3 : 10), String(refused - cuts));
    for (const at of [4, 8, 28, 32]) // huge sizes in the first record: n, bytes, name, texts
        for (const value of [0xffffffffffffffffn, 0xffffffffffffff80n, 0x7fffffffffffffffn, 0x100000000n]) {
            const bytes = Buffer.from(sound);
            bytes.writeBigUInt64LE(value, 128 + at);
            look(bytes, `u64 at ${at}`);
        }
});

// ---- interruption ----

/** Where records end: from the index itself, as search_index.h draws it. */
function records(bytes) {
    const ends = [];
    for (let at = 128; at < bytes.length; ) ends.push((at += Number(bytes.readBigUInt64LE(at + 8))));
    return ends;
}

test('cut off after any record, with or without half of the next, it goes on to the same bytes', () => {
    const root = tree({
        ...NOTES, 'big.txt': Array.from({ length: 300 }, (_, i) => long(i)).join('\n\n'),
        'end.txt': Array.from({ length: 70 }, (_, i) => long(1000 + i)).join('\n\n'),
    });
    add('whole.idx', root);
    const whole = fs.readFileSync(file('whole.idx'));
    const answers = ask('whole.idx', 'house 7', '-k', '20');
    const ends = records(whole);
    assert.ok(ends.length >= 12, String(ends.length)); // three settings, the folder, 2 files, 5 + 2 parts
    for (const [i, end] of ends.entries()) {
        if (i < 2) continue; // settings come with the header, in one piece
        const bytes = Buffer.from(whole.subarray(0, Math.min(whole.length, end + 100)));
        bytes.writeBigUInt64LE(BigInt(end), 16);
        fs.writeFileSync(file('cut.idx'), bytes);
        assert.equal(mote(['search', 'cut.idx', 'house']).code, 0); // sound as it is
        add('cut.idx', root);
        assert.deepEqual(fs.readFileSync(file('cut.idx')), whole, `record ${i}`);
    }
    assert.deepEqual(ask('cut.idx', 'house 7', '-k', '20'), answers);
});

test('parts of a file that are not what it says, or more than it has, are not gone on from', () => {
    const root = tree({ 'a.txt': Array.from({ length: 150 }, (_, i) => long(i)).join('\n\n') });
    add('honest.idx', root);
    const honest = fs.readFileSync(file('honest.idx'));
    const answers = ask('honest.idx', 'house 7', '-k', '5');
    const ends = records(honest), parts = ends.slice(-3);
    assert.equal(ends.length, 3 + 1 + 3);
    const cut = (end) => {
        const bytes = Buffer.from(honest.subarray(0, end));
        bytes.writeBigUInt64LE(BigInt(end), 16);
        return bytes;
    };
    const other = cut(parts[0]);
    other.write('Nonsense', other.indexOf('Paragraph 7 '));
    const lines = cut(parts[1]);
    lines.writeUInt32LE(7, ends[3] + 96 + 'a.txt'.length);
    const all = cut(parts[2]);
    all.writeUInt32LE(0, parts[1] + 24); // the last is not the last any more
    for (const [name, bytes] of Object.entries({ other, lines, all })) {
        fs.writeFileSync(file('odd.idx'), bytes);
        add('odd.idx', root);
        assert.deepEqual(ask('odd.idx', 'house 7', '-k', '5'), answers, name);
    }
});

test('killed while it works, again and again, it ends where an undisturbed run ends', async () => {
    const n = sanitized ? 200 : 1000;
    const root = tree(Object.fromEntries(Array.from({ length: 20 }, (_, f) => [`f${f}.txt`,
        Array.from({ length: n / 20 }, (_, i) => long(f * 1000 + i)).join('\n\n')])));
    const run = ['--add', root, '-m', slow, '-q'];
    ok(['search', 'calm.idx', ...run]);
    let kills = 0;
    for (let wait = 100; ; wait += 100) {
        const child = spawn(MOTE, ['search', 'killed.idx', ...run], { cwd: folder, stdio: 'ignore' });
        const timer = setTimeout(() => child.kill('SIGKILL'), wait);
        const code = await new Promise((resolve) => child.on('exit', (status) => resolve(status)));
        clearTimeout(timer);
        if (code === 0) break;
        assert.equal(code, null);
        kills++;
        if (fs.existsSync(file('killed.idx'))) assert.equal(mote(['search', 'killed.idx', 'house']).code, 0);
    }
    assert.ok(kills > 0);
    assert.deepEqual(fs.readFileSync(file('killed.idx')), fs.readFileSync(file('calm.idx')));
});

test('Ctrl-C keeps what is done, and says how to go on', async () => {
    const root = tree({ 'big.txt': Array.from({ length: 4000 }, (_, i) => long(i)).join('\n\n') });
    const child = spawn(MOTE, ['search', 'stop.idx', '--add', root, '-m', slow, '-t', '1'], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (data) => (stderr += data));
    const ended = new Promise((resolve) => child.on('exit', resolve));
    while (!fs.existsSync(file('stop.idx')) || fs.statSync(file('stop.idx')).size < 4096) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGINT');
    assert.equal(await ended, 130);
    assert.match(stderr, /interrupted; the same command goes on from here/);
    assert.equal(mote(['search', 'stop.idx', 'house']).code, 0);
    const bytes = fs.readFileSync(file('stop.idx'));
    assert.equal(Number(bytes.readBigUInt64LE(16)), bytes.length);
    assert.ok(records(bytes).length > 4);
});
