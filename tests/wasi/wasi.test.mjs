// SPDX-License-Identifier: Apache-2.0
//
// The command as a WASI module, under node:wasi and, where npm brings it, under Wasmtime: the same answers and
// the same bits as the native command, and the same manners when something is wrong.
//
//     make wasi && node --test tests/wasi/wasi.test.mjs

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { file, folder, model, mote } from '../cli/tiny.mjs';
import { encoder } from '../cli/tiny_encoder.mjs';

const build = process.env.BUILD ?? 'build';
const module = path.resolve(process.env.MOTE_WASI ?? 'dist/mote-wasi.wasm');
const wizer = path.join(build, 'npm/node_modules/@bytecodealliance/wizer-linux-x64/wizer');

// One run in a process of its own; `granted` is the only directory it sees, as /m.
const RUN = `
import { WASI } from 'node:wasi';
import fs from 'node:fs';
const [module, granted, ...args] = process.argv.slice(1);
const begun = performance.now();
const wasi = new WASI({ version: 'preview1', args: ['mote', ...args], env: {}, preopens: { '/m': granted }, returnOnExit: true });
const compiled = await WebAssembly.compile(fs.readFileSync(module));
const instance = await WebAssembly.instantiate(compiled, wasi.getImportObject());
process.exitCode = wasi.start(instance);
if (process.env.TIMES) process.stderr.write('whole ' + (performance.now() - begun) + ' ms\\n');
`;
function sandboxed(args, { input = '', bytes = false, env = {} } = {}) {
    const result = spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', RUN, module, folder, ...args], {
        input, encoding: bytes ? 'buffer' : 'utf8', timeout: 120_000, env: { ...process.env, ...env },
    });
    return { code: result.status ?? result.signal, stdout: result.stdout, stderr: result.stderr };
}
const inside = (name) => `/m/${path.basename(name)}`;
const greedy = ['--temp', '0', '-n', '40'];
fs.writeFileSync(file('text'), 'the rain falls mainly in the plain, and then it stops; '.repeat(6));

test('it answers as the native command does', () => {
    for (const prompt of ['the rain', 'a', '\u00e9t\u00e9'])  {
        const native = mote(['run', model, '--raw', prompt, ...greedy], { bytes: true });
        const here = sandboxed(['run', inside(model), '--raw', prompt, ...greedy], { bytes: true });
        assert.equal(here.code, 0, String(here.stderr));
        assert.deepEqual(here.stdout, native.stdout);
    }
    const seeded = ['--raw', 'the', '--seed', '7', '-n', '30', '--temp', '1.2'];
    assert.equal(sandboxed(['run', inside(model), ...seeded]).stdout, mote(['run', model, ...seeded]).stdout);
});

// Matrices are wide enough here that they are put into another order (kernel/bundle.h).
for (const [type, more] of [['Q8_0', []], ['Q4_0', ['--tied']], ['Q4_K_M', ['--tied']], ['Q6_K', ['--untied']]])
    test(`the same bits of weights in the order of products: ${type}`, () => {
        const wide = file(`wide-${type}.gguf`);
        const made = spawnSync(path.join(build, 'mote-synth'), ['--type', type, ...more, '--heads', '4/2', '-o', wide], { encoding: 'utf8' });
        assert.equal(made.status, 0, made.stderr);
        for (const rows of ['1', '3', '128']) {
            const ask = ['-f', file('text'), '-c', '100', '--rows', rows, '--logits-sha256'];
            const native = mote(['perplexity', wide, ...ask]);
            const here = sandboxed(['perplexity', inside(wide), ...ask.with(1, '/m/text')]);
            assert.equal(here.code, 0, here.stderr);
            assert.match(here.stdout, /logits-sha256 [0-9a-f]{64}/);
            assert.equal(here.stdout, native.stdout, `${rows} rows`);
        }
    });

test('the same bits', () => {
    for (const more of [[], ['--kv', 'q8_0'], ['--rows', '7'], ['--cpu', 'scalar']]) {
        const native = mote(['perplexity', model, '-f', file('text'), '--logits-sha256', ...more.filter((x) => x)]);
        const here = sandboxed(['perplexity', inside(model), '-f', '/m/text', '--logits-sha256', ...more]);
        assert.equal(here.code, 0, here.stderr);
        assert.match(here.stdout, /logits-sha256 [0-9a-f]{64}/);
        assert.equal(here.stdout, native.stdout);
    }
});

test('encoders: the same vectors, labels and order of texts', () => {
    fs.writeFileSync(file('vectors.gguf'), encoder({ type: 'Q8_0' }));
    fs.writeFileSync(file('labels.gguf'), encoder({ type: 'Q8_0', labels: ['good'], dense: true }));
    const input = 'the rain\n\nJohn lives in Paris\r\nxqz';
    for (const [name, ...args] of [['embed', 'vectors.gguf', '--format', 'f32'], ['embed', 'vectors.gguf'],
        ['classify', 'labels.gguf'], ['rerank', 'labels.gguf', '-q', 'rain'], ['rerank', 'vectors.gguf', '-q', 'rain']]) {
        const [path, ...rest] = args;
        const native = mote([name, file(path), ...rest, '--quiet'], { input, bytes: true });
        const here = sandboxed([name, `/m/${path}`, ...rest, '--quiet'], { input: Buffer.from(input), bytes: true });
        assert.equal(here.code, 0, String(here.stderr));
        assert.ok(here.stdout.length > 100);
        assert.deepEqual(here.stdout, native.stdout);
    }
    const spooled = sandboxed(['embed', '/m/vectors.gguf', '--format', 'npy', '-p', 'rain']);
    assert.equal(spooled.code, 1);
    assert.match(spooled.stderr, /temporary file/);
});

test('tokens and text from pipes, and what is in a file', () => {
    const text = 'the rain\nin Spain \u{1f327} \xff';
    const ids = sandboxed(['tokenize', inside(model), '--ids'], { input: text });
    assert.equal(ids.stdout, mote(['tokenize', model, '--ids'], { input: text }).stdout);
    assert.equal(sandboxed(['detokenize', inside(model)], { input: ids.stdout }).stdout,
        mote(['detokenize', model], { input: ids.stdout }).stdout);
    const native = JSON.parse(mote(['info', model, '--json']).stdout);
    const here = JSON.parse(sandboxed(['info', inside(model), '--json']).stdout);
    assert.ok(here.memory.context_bytes > 0 && here.memory.context_bytes <= native.memory.context_bytes); // shorter addresses
    delete here.memory;
    delete native.memory;
    assert.deepEqual(here, native);
    const bench = JSON.parse(sandboxed(['bench', inside(model), '--json', '--pp', '8', '--tg', '4']).stdout);
    assert.ok(bench.pp_tokens_per_second > 0 && bench.tg_tokens_per_second > 0);
    assert.equal(bench.cpu, 'simd128');
});

test('what is wrong is said, with the native exit codes', () => {
    fs.writeFileSync(file('broken.gguf'), fs.readFileSync(model).subarray(0, 3000));
    fs.writeFileSync(file('empty.gguf'), '');
    for (const [args, code, text] of [
        [['run', '/m/none.gguf', '-p', 'x'], 3, /none\.gguf: No such file/],
        [['run', '/etc/passwd', '-p', 'x'], 3, /passwd: /], // no directory that was granted
        [['run', '/m/../../etc/passwd', '-p', 'x'], 3, /passwd: /],
        [['run', '/m', '-p', 'x'], 3, /\/m: /],
        [['run', '/m/broken.gguf', '-p', 'x'], 3, /broken\.gguf: .*\(at byte \d+\)/],
        [['run', '/m/empty.gguf', '-p', 'x'], 3, /empty\.gguf: /],
        [['run', '-p', 'x'], 2, /no model/],
        [['run', inside(model), '--raw', 'the rain '.repeat(400)], 5, /context/],
        [['pull', 'tinyllama'], 2, /unknown command 'pull'/],
        [['run', inside(model), '--nonsense'], 2, /nonsense/],
    ]) {
        const result = sandboxed(args);
        assert.equal(result.code, code, `${args.join(' ').slice(0, 80)}: ${result.stderr}`);
        assert.equal(result.stdout, '');
        assert.match(result.stderr, text);
    }
});

/** The same under Wasmtime; returns its stdout. */
function wasmtime(...args) {
    const result = spawnSync(wizer, ['--allow-wasi', '--inherit-stdio=true', '--inherit-env=true', '--wasm-bulk-memory=true', '--wasm-simd=true',
        '--mapdir', `/m::${folder}`, path.resolve(build, 'wasi/mote-wizer.wasm'), '-o', file('snapshot.wasm')],
    { encoding: 'utf8', env: { ...process.env, MOTE_ARGUMENTS: args.join('\n') }, timeout: 120_000 });
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /^exit 0$/m);
    return result.stdout;
}
const hasWasmtime = fs.existsSync(wizer);

test('under Wasmtime: the same answer and the same bits', { skip: hasWasmtime ? false : 'no wizer for this machine' }, () => {
    assert.equal(wasmtime('run', inside(model), '--raw', 'the rain', ...greedy), mote(['run', model, '--raw', 'the rain', ...greedy]).stdout);
    assert.equal(wasmtime('perplexity', inside(model), '-f', '/m/text', '--logits-sha256'),
        mote(['perplexity', model, '-f', file('text'), '--logits-sha256']).stdout);
});

/** A model of the catalogue, fetched into the user's cache if it is not there, in the folder that is granted. */
function real(name) {
    const cache = path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'mote/models');
    const models = process.env.MOTE_MODELS || cache;
    const pulled = mote(['pull', name], { env: { HOME: os.homedir(), MOTE_MODELS: models } });
    assert.equal(pulled.code, 0, pulled.stderr);
    const { models: list } = JSON.parse(fs.readFileSync('share/catalogue.json', 'utf8'));
    const to = file(`${name}.gguf`);
    fs.copyFileSync(path.join(models, list.find((m) => m.name === name).file), to);
    return to;
}

for (const name of ['stories15m', 'tinyllama']) {
    test(`real weights: the same bits of ${name}`, () => {
        const weights = real(name);
        fs.writeFileSync(file('story'), 'Once upon a time, there was a little girl who had a big dog. '.repeat(3));
        const measured = (place, file) => ['perplexity', place, '-f', file, '-c', '24', '--logits-sha256'];
        const native = mote(measured(weights, file('story')));
        assert.equal(native.code, 0, native.stderr);
        assert.match(native.stdout, /logits-sha256 [0-9a-f]{64}/);
        assert.equal(sandboxed(measured(inside(weights), '/m/story')).stdout, native.stdout);
        if (hasWasmtime) assert.equal(wasmtime(...measured(inside(weights), '/m/story')), native.stdout);
        fs.rmSync(weights);
    });
}
