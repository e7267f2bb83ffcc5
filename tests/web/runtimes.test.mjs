// SPDX-License-Identifier: Apache-2.0
//
// runtimes.test.mjs: the npm package in node, Deno and Bun: the same script in each, and the same bits.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { reference, root, said, sha256, startServer } from './world.mjs';

const bin = (...path) => join(root, 'tests/web/node_modules', ...path);
const RUNTIMES = {
    node: [process.execPath],
    // Where the relaxed dot product is right, and where it is wrong, which must be seen.
    'node, relaxed SIMD': [process.execPath, '--experimental-wasm-relaxed-simd', '--no-liftoff'],
    'node, relaxed SIMD in the baseline compiler': [process.execPath, '--experimental-wasm-relaxed-simd'],
    deno: [bin('@deno/linux-x64-glibc/deno'), 'run', '--allow-all', '--no-lock', '--quiet'],
    bun: [bin('@oven/bun-linux-x64/bin/bun')],
};

let world, wanted;
before(async () => {
    world = await startServer();
    wanted = reference(world.models['stories.gguf']);
});
after(() => world.close());

/** Runs the script in a runtime with a cache of its own. */
function run([program, ...options], cache, given) {
    return new Promise((resolve, reject) => {
        const env = { ...process.env, MOTE_CACHE: cache, NO_COLOR: '1', DENO_DIR: join(cache, 'deno') };
        execFile(program, [...options, join(root, 'tests/web/runtime.mjs'), JSON.stringify(given)], { env, timeout: 100_000, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
            if (error) reject(new Error(`${error.message}\n${stderr}`));
            else resolve(JSON.parse(stdout.trim().split('\n').at(-1)));
        });
    });
}

const [major] = process.versions.node.split('.').map(Number);
for (const [name, command] of Object.entries(RUNTIMES)) {
    test(name, { timeout: 120_000 }, async (t) => {
        if (!existsSync(command[0])) return t.skip(`no ${name} for this machine`);
        if (command.length > 1 && name.startsWith('node') && major > 20) return t.skip('this node has relaxed SIMD by itself');
        const cache = mkdtempSync(join(tmpdir(), 'mote-web-'));
        t.after(() => rmSync(cache, { recursive: true, force: true }));
        const path = world.models['stories.gguf'];
        const bytes = readFileSync(path);
        const out = await run(command, cache, {
            path,
            url: `${world.url}/model/stories.gguf?rate=20000000&for=${encodeURIComponent(name)}`,
            sha256: sha256(bytes),
            ids: wanted.ids,
            window: wanted.window,
            shard: world.models['shard-00001-of-00003.gguf'],
        });
        t.diagnostic(`measured: ${name}: ${out.info.module}, ${out.info.threads} threads: ${out.info.why}`);
        assert.equal(out.digest, wanted.digest);
        assert.equal(said(path, 'Once upon a time', 20).trim().replace(/^Once upon a time/, '').trim(), out.text.trim());
        assert.equal(out.round, 'Once upon a time');
        assert.equal(out.stopped, 'aborted');
        assert.ok(!out.half.complete && out.half.loaded >= 2e6 && out.half.loaded < bytes.length, `${out.half.loaded} bytes were kept`);
        assert.ok(out.first >= out.half.loaded);
        assert.deepEqual([out.whole.complete, out.whole.sha256], [true, sha256(bytes)]);
        assert.equal(out.restored, out.tokens.length);
        assert.deepEqual([out.same.text, out.same.cachedTokens], [out.text, out.tokens.length - 1]);
        assert.equal(out.left, 0);
        assert.deepEqual(out.errors, { missing: 'notfound', sha256: 'checksum', argument: 'argument', memory: 'memory', nothing: 'argument' });
        assert.equal(out.shards, 'llama');
        if (name === 'node, relaxed SIMD in the baseline compiler') assert.equal(out.info.module, 'mote-simd');
        if (name === 'node, relaxed SIMD' || name === 'deno' || name === 'bun') assert.match(out.info.module, /^mote(-threads)?$/);
    });
}

test('two processes share one download', { timeout: 120_000 }, async (t) => {
    const cache = mkdtempSync(join(tmpdir(), 'mote-web-'));
    t.after(() => rmSync(cache, { recursive: true, force: true }));
    const url = `${world.url}/model/stories.gguf?rate=20000000&both=1`;
    const script = `import { Mote } from ${JSON.stringify(join(root, 'packages/mote/dist/index.js'))};
        const phases = new Set();
        const model = await Mote.load(${JSON.stringify(url)}, { onProgress: (p) => phases.add(p.phase) });
        console.log(JSON.stringify([await model.infer('Once', { temperature: 0, maxTokens: 5 }), [...phases]]));`;
    const one = () =>
        new Promise((resolve, reject) => {
            const options = { env: { ...process.env, MOTE_CACHE: cache }, timeout: 60_000 };
            execFile(process.execPath, ['--input-type=module', '-e', script], options, (error, stdout) => (error ? reject(error) : resolve(JSON.parse(stdout))));
        });
    world.requests.length = 0;
    const [a, b] = await Promise.all([one(), one()]);
    assert.equal(a[0], b[0]);
    assert.ok([...a[1], ...b[1]].includes('waiting'));
    const size = readFileSync(world.models['stories.gguf']).length;
    assert.ok(world.sent() <= size + 2, `${world.sent()} bytes came`);
});
