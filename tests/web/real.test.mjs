// SPDX-License-Identifier: Apache-2.0
//
// real.test.mjs: real weights, the same bits everywhere: the digest of the logits of stories15M and of TinyLlama in each
// module, with one thread and two, in Chromium, Firefox, node, Deno and Bun is that of the command. (tests/wasi does so under WASI.)
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { launchFirefox } from './firefox.mjs';
import { serve } from './server.mjs';
import { launchChromium, openPage, pkg, pull, reference, root } from './world.mjs';

const N = 48; // tokens: a window and a half
const ALL = [['mote', 1], ['mote-simd', 1], ['mote-threads', 1], ['mote-threads', 2], ['mote-64', 1], ['mote-64', 2]].map(([module, threads]) => ({ module, threads }));
const models = { 'stories15m.gguf': pull('stories15m'), 'tinyllama.gguf': pull('tinyllama') };
const wanted = Object.entries(models).map(([name, path]) => ({ name, path, ...reference(path, N) }));

let world;
before(async () => (world = await serve({ pkg, models })));
after(() => world.close());

/** Runs in a page. */
async function digests([url, ids, window, ways]) {
    const found = [];
    for (const way of ways) {
        const model = await Mote.load(url, way);
        found.push([`${model.info.module} ${model.info.threads}`, await model.logitsSha256(ids, { window })]);
        await model.close();
    }
    await Mote.remove(url);
    return found;
}

const named = (ways, digest) => ways.map(({ module, threads }) => [`${module} ${threads}`, digest]);

async function inBrowser(open) {
    for (const { name, ids, digest, window } of wanted) {
        const page = await open(`${world.url}/iso/page.html`);
        assert.deepEqual(await page.evaluate(digests, [`/model/${name}`, ids, window, ALL]), named(ALL, digest), name);
        await page.close();
    }
}

test('Chromium', { timeout: 240_000 }, async (t) => {
    const browser = await launchChromium();
    if (!browser.context) return t.skip(browser.why);
    t.after(() => browser.close());
    await inBrowser((url) => openPage(browser.context, url));
});

test('Firefox', { timeout: 240_000 }, async (t) => {
    const firefox = await launchFirefox();
    if (!firefox.open) return t.skip(firefox.why);
    t.after(() => firefox.close());
    await inBrowser((url) => firefox.open(url));
});

const bin = (...path) => join(root, 'tests/web/node_modules', ...path);
for (const [name, command, ways] of [
    ['node', [process.execPath], [{ threads: 1 }, { threads: 2 }, { module: 'mote-simd' }]],
    ['Deno', [bin('@deno/linux-x64-glibc/deno'), 'run', '--allow-all', '--no-lock', '--quiet'], ALL],
    ['Bun', [bin('@oven/bun-linux-x64/bin/bun')], ALL.filter(({ module }) => module !== 'mote-64')], // it has no 64-bit memories
]) {
    test(name, { timeout: 240_000 }, async (t) => {
        const [program, ...options] = command;
        if (!existsSync(program)) return t.skip(`no ${name} for this machine`);
        for (const { name: file, path, ids, digest, window } of wanted) {
            const given = JSON.stringify({ path, ids, window, ways });
            const { stdout } = await promisify(execFile)(program, [...options, join(root, 'tests/web/digest.mjs'), given], { timeout: 200_000 });
            const found = JSON.parse(stdout.trim().split('\n').at(-1));
            assert.equal(found.length, ways.length);
            for (const [way, sum] of found) assert.equal(sum, digest, `${file}, ${way}`);
            t.diagnostic(`measured: ${name}, ${file}: ${found.map(([way]) => way).join(', ')}`);
        }
    });
}
