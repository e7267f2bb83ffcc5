// SPDX-License-Identifier: Apache-2.0
//
// parts.test.mjs: the pieces of the package that need no engine, each against the plainest thing that is right.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { makeModels, root, scratch } from './world.mjs';

const src = join(root, 'packages/mote/src');
let parts, models;
before(async () => {
    const { build } = createRequire(join(src, 'index.ts'))('esbuild');
    const outfile = join(scratch, 'parts.mjs');
    const names = ['ranges', 'stop', 'sha256', 'gguf', 'engine', 'check', 'progress', 'sequences'];
    const contents = names.map((name) => `export * from './${name}.js';`).join('\n');
    await build({ stdin: { contents, resolveDir: src, loader: 'ts' }, bundle: true, format: 'esm', outfile, logLevel: 'error' });
    parts = await import(pathToFileURL(outfile));
    models = makeModels();
});

/** Numbers that look random and are the same each time. */
function dice(seed) {
    let x = seed;
    return (n) => {
        x = (Math.imul(x, 1103515245) + 12345) >>> 0;
        return Math.floor((x / 2 ** 32) * n);
    };
}

test('ranges: what was added and removed, byte by byte', () => {
    const die = dice(1);
    for (let round = 0; round < 200; round++) {
        const ranges = new parts.Ranges();
        const bytes = new Uint8Array(64);
        for (let i = 0; i < 12; i++) {
            const [from, to] = [die(65), die(65)].sort((a, b) => a - b);
            const gone = die(4) === 0;
            if (gone) ranges.remove(from, to);
            else ranges.add(from, to);
            bytes.fill(gone ? 0 : 1, from, to);
            assert.equal(ranges.bytes, bytes.reduce((sum, x) => sum + x, 0));
        }
        const missing = new Uint8Array(64).fill(1);
        for (const [from, to] of ranges.missing(0, 64)) missing.fill(0, from, to);
        assert.deepEqual(missing, bytes);
        assert.deepEqual(parts.Ranges.parse([...ranges.list], 64)?.list, ranges.list);
    }
});

test('ranges: what was stored is believed only if it can be', () => {
    for (const bad of [undefined, 5, [1], [0, 0], [5, 3], [0, 100], [0, 5, 5, 9], [-1, 4], [0, 1.5], ['0', '4'], [0, NaN]]) {
        assert.equal(parts.Ranges.parse(bad, 64), undefined, JSON.stringify(bad));
    }
});

test('sha256: of all lengths, in pieces of all sizes', () => {
    const die = dice(2);
    for (const n of [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000, 70_000]) {
        const bytes = randomBytes(n);
        const hash = new parts.Sha256();
        for (let at = 0; at < n; ) {
            const piece = Math.min(1 + die(200), n - at);
            hash.add(bytes.subarray(at, at + piece));
            at += piece;
        }
        assert.equal(hash.hex(), createHash('sha256').update(bytes).digest('hex'), `${n} bytes`);
    }
});

test('stop texts: however the answer is cut into pieces', () => {
    const die = dice(3);
    for (let round = 0; round < 500; round++) {
        const text = Array.from({ length: 30 }, () => 'abc'[die(3)]).join('');
        const stops = Array.from({ length: 1 + die(2) }, () => Array.from({ length: 1 + die(4) }, () => 'abc'[die(3)]).join(''));
        const texts = new parts.StopTexts(stops);
        let shown = '';
        for (let at = 0; at < text.length && texts.found === undefined; ) {
            const n = 1 + die(5);
            shown += texts.add(text.slice(at, at + n));
            at += n;
        }
        if (texts.found === undefined) shown += texts.end();
        const first = Math.min(...stops.map((stop) => text.indexOf(stop)).map((at) => (at < 0 ? Infinity : at)));
        assert.equal(shown, first === Infinity ? text : text.slice(0, first), `${text} until ${stops}`);
        assert.equal(texts.found !== undefined, first < Infinity);
    }
});

test('directories: a whole one, its every beginning, and damaged ones', () => {
    const whole = readFileSync(models['tiny.gguf']);
    const directory = parts.walkDirectory(whole);
    assert.equal(directory.shards, 1);
    assert.ok(directory.tensors.length > 10 && directory.dataOffset % directory.alignment === 0);
    for (let n = 0; n < directory.dataOffset - directory.alignment; n += 97) assert.equal(parts.walkDirectory(whole.subarray(0, n)), 'more', `${n} bytes`);
    const die = dice(4);
    const head = whole.subarray(0, directory.dataOffset);
    const started = performance.now();
    for (let round = 0; round < 3000; round++) {
        const bytes = Buffer.from(head);
        for (let i = 0; i < 1 + die(3); i++) bytes[die(round % 2 ? 64 : bytes.length)] = die(256);
        const result = parts.walkDirectory(bytes);
        assert.ok(result === undefined || result === 'more' || result.tensors.length <= bytes.length);
    }
    assert.ok(performance.now() - started < 60_000);
});

test('shards that do not belong together are refused', () => {
    const load = (name) => {
        const bytes = readFileSync(models[name]);
        return { head: bytes, directory: parts.walkDirectory(bytes), size: bytes.length };
    };
    const [one, two, three] = [1, 2, 3].map((i) => load(`shard-0000${i}-of-00003.gguf`));
    const joined = parts.joinShards([one, two, three]);
    const directory = parts.walkDirectory(joined.head);
    assert.equal(directory.tensors.length, parts.walkDirectory(readFileSync(models['tiny.gguf'])).tensors.length);
    assert.equal(directory.dataOffset, joined.head.length);
    for (const wrong of [[two, one, three], [one, two], [one, two, two], [one, two, three, three]]) assert.throws(() => parts.joinShards(wrong), { code: 'format' });
});

test('limits of the memory that modules ask for', () => {
    const limits = (name) => parts.memoryLimits(readFileSync(join(root, process.env.DIST ?? 'dist', `${name}.wasm`)));
    assert.deepEqual([limits('mote').shared, limits('mote').wide], [false, false]);
    assert.deepEqual([limits('mote-threads').shared, limits('mote-threads').maximum], [true, 65536]);
    assert.equal(limits('mote-64').wide, true);
    for (const bytes of [[], [0, 97, 115, 109, 1, 0, 0, 0], [0, 97, 115, 109, 1, 0, 0, 0, 2, 200]]) assert.throws(() => parts.memoryLimits(Uint8Array.from(bytes)), { code: 'internal' });
});

test('the package is small, and has nothing in it that does not belong there', () => {
    const folder = join(root, 'packages/mote');
    const { files, dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    assert.deepEqual(files, ['dist', 'README.md', 'LICENSE']);
    assert.equal(dependencies, undefined);
    const paths = ['package.json', 'README.md', 'LICENSE', ...readdirSync(join(folder, 'dist')).map((name) => `dist/${name}`)];
    for (const path of paths) assert.match(path, /^[A-Z]+(\.md)?$|package\.json$|\.(js|d\.ts|wasm|wasm\.gz)$/);
    const bytes = paths.reduce((sum, path) => sum + statSync(join(folder, path)).size, 0);
    assert.ok(bytes <= 400_000, `${bytes} bytes, unpacked`);
});

test('arguments are what they should be, or the message names them', () => {
    assert.throws(() => parts.messages([{ role: 'user', content: 1 }]), /messages\[0\]\.content must be a string/);
    assert.throws(() => parts.messages('hello'), { code: 'argument' });
    assert.throws(() => parts.generate({ topK: 1.5 }), /topK must be a whole number/);
    assert.throws(() => parts.generate({ temperature: NaN }), /temperature/);
    assert.throws(() => parts.generate({ seed: -1 }), /seed/);
    assert.deepEqual(parts.generate({ stop: 'x' }).stop, ['x']);
    assert.throws(() => parts.tokens(Int32Array.of(5), 5), /no token 5/);
    assert.equal(parts.variables({ a: 1 }), '{"a":1}');
});

test('progress is told seldom, and at every change', () => {
    const told = [];
    const progress = new parts.Progress((p) => told.push(p));
    progress.at('connecting');
    for (let i = 0; i <= 1000; i++) progress.at('downloading', i, 1000);
    progress.at('ready', 1000, 1000);
    assert.ok(told.length >= 4 && told.length < 50, `${told.length} times`);
    assert.deepEqual(told.map((p) => p.phase).filter((phase, i, all) => phase !== all[i - 1]), ['connecting', 'downloading', 'ready']);
    assert.equal(told.at(-2).loaded, 1000);
});

/** Sequences over an engine that only counts. */
function sequences(most) {
    let handle = 0;
    const open = new Set();
    const add = () => {
        assert.ok(open.size < most);
        open.add(++handle);
        return handle;
    };
    const engine = { openSession: add, forkSession: add, closeSession: (h) => assert.ok(open.delete(h)), truncateSession() {} };
    return new parts.Sequences(engine, most);
}

test('sequences: a prompt goes on from the longest beginning, and spares the others', () => {
    const all = sequences(3);
    const fill = (tokens) => Object.assign(all.open(), { tokens });
    const talk = fill([1, 2, 3, 4, 5, 6]);
    assert.equal(all.find([1, 2, 3, 4, 5, 6, 7, 8]), talk, 'taken over');
    assert.deepEqual(talk.tokens, [1, 2, 3, 4, 5, 6]);
    const other = all.find([1, 2, 9, 9]);
    assert.notEqual(other, talk, 'forked');
    assert.deepEqual([talk.tokens.length, other.tokens], [6, [1, 2]]);
    assert.equal(all.find([1, 2, 3, 4, 5, 6]), talk);
    assert.deepEqual(talk.tokens, [1, 2, 3, 4, 5], 'the last token is left to be fed');
    talk.pinned = true;
    const fork = all.find([1, 2, 3, 4, 5, 7]);
    assert.notEqual(fork, talk);
    assert.deepEqual(fork.tokens, [1, 2, 3, 4, 5]);
    other.busy = true;
    fork.busy = true;
    assert.equal(all.find([1, 2]), undefined, 'no room');
    other.busy = false;
    assert.ok(all.find([8, 8]), 'the one that is free gives way');
    assert.equal(all.all.size, 3);
    assert.ok(!all.all.has(other));
});
