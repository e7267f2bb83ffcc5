// SPDX-License-Identifier: Apache-2.0
//
// firefox.test.mjs: the npm package in Firefox: load, chat, threads, storage, and the same bits.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchFirefox } from './firefox.mjs';
import { reference, startServer } from './world.mjs';

let world, firefox;
before(async () => {
    firefox = await launchFirefox();
    if (firefox.open) world = await startServer();
}, { timeout: 120_000 });
after(async () => {
    await firefox.close?.();
    await world?.close();
});

const check = (name, run) =>
    test(name, { timeout: 120_000 }, async (t) => {
        if (!world) return t.skip(firefox.why);
        world.requests.length = 0;
        return run(t);
    });

check('the same bits as the command, in every module, with one thread and two', async () => {
    const { ids, digest, window } = reference(world.models['stories.gguf']);
    const page = await firefox.open(`${world.url}/iso/page.html`);
    const found = await page.evaluate(
        async ([url, ids, window]) => {
            const results = [];
            for (const [module, threads] of [['mote', 1], ['mote-simd', 1], ['mote-threads', 2], ['mote-64', 2]]) {
                const model = await Mote.load(url, { module, threads });
                results.push([`${model.info.module} ${model.info.threads}`, await model.logitsSha256(ids, { window })]);
                await model.close();
            }
            return results;
        },
        ['/model/stories.gguf', ids, window],
    );
    await page.close();
    assert.deepEqual(found, ['mote 1', 'mote-simd 1', 'mote-threads 2', 'mote-64 2'].map((name) => [name, digest]));
});

check('two threads start each time', async () => {
    const page = await firefox.open(`${world.url}/iso/page.html`);
    const found = await page.evaluate(async (url) => {
        const file = await (await fetch(url)).blob();
        const found = [];
        for (let i = 0; i < 40; i++) {
            const model = await Mote.load(file, { threads: 2, contextLength: 64 });
            found.push(model.info.threads);
            await model.close();
        }
        return found;
    }, '/model/tiny.gguf');
    await page.close();
    assert.deepEqual(found, Array(40).fill(2));
});

check('loads, chats, stops, keeps the file and a snapshot', async () => {
    const page = await firefox.open(`${world.url}/page.html`);
    const run = async (url) => {
        const model = await Mote.load(url);
        const prompt = 'Once upon a time there was a dog. ';
        const session = await model.session();
        const restored = await session.restore('kept').catch((error) => error.code);
        const answer = session.complete(prompt, { temperature: 0, maxTokens: 10 });
        const pieces = [];
        for await (const piece of answer) pieces.push(piece);
        const { cachedTokens } = await answer.result;
        await session.prefill(prompt);
        await session.save('kept');
        const controller = new AbortController();
        let code;
        try {
            for await (const _ of model.chat([{ role: 'user', content: 'Hello' }], { signal: controller.signal })) controller.abort();
        } catch (error) {
            code = error.code;
        }
        const models = await Mote.models();
        await model.close();
        return { restored, text: pieces.join(''), n: pieces.length, cachedTokens, code, models, info: model.info };
    };
    const one = await page.evaluate(run, '/model/stories.gguf');
    await page.reload();
    await page.evaluate(async () => {
        while (!globalThis.isReady) await new Promise((resolve) => setTimeout(resolve, 20));
    });
    world.requests.length = 0;
    const two = await page.evaluate(run, '/model/stories.gguf');
    await page.close();
    assert.equal(one.restored, 'notfound');
    assert.ok(one.n > 3);
    assert.equal(one.code, 'aborted');
    assert.deepEqual([one.info.module, one.info.threads], ['mote', 1]);
    assert.equal(one.models.length, 1);
    assert.ok(one.models[0].complete);
    assert.ok(two.restored > 5);
    assert.equal(two.cachedTokens, two.restored - 1);
    assert.equal(two.text, one.text);
    assert.equal(world.requests.length, 0, 'the second time needs no network');
});

check('answers made together are those made alone', async () => {
    const page = await firefox.open(`${world.url}/iso/page.html`);
    const result = await page.evaluate(async (url) => {
        const model = await Mote.load(url, { threads: 2 });
        const prompts = ['Once upon a time', 'The cat sat', 'One day, Tom', 'Lily and Ben'];
        const options = { temperature: 0.8, seed: 7, maxTokens: 20 };
        const together = await model.batchInfer(prompts, options);
        await model.forget();
        const alone = [];
        for (const prompt of prompts) alone.push(await model.infer(prompt, options));
        await model.close();
        return { together, alone, threads: model.info.threads };
    }, '/model/stories.gguf');
    await page.close();
    assert.equal(result.threads, 2);
    assert.deepEqual(result.together, result.alone);
});

check('a reload in the middle of a download goes on where it was', async () => {
    const page = await firefox.open(`${world.url}/page.html`);
    const url = '/model/stories.gguf?rate=6000000';
    await page.evaluate(async (u) => {
        let enough;
        const seen = new Promise((resolve) => (enough = resolve));
        Mote.load(u, { onProgress: (p) => p.loaded > 15e6 && enough() }).catch(() => undefined);
        await seen;
    }, url);
    await page.reload();
    await page.evaluate(async () => {
        while (!globalThis.isReady) await new Promise((resolve) => setTimeout(resolve, 20));
    });
    const before = await page.evaluate(async (u) => (await Mote.models()).find((model) => model.source.endsWith(u)), url);
    world.requests.length = 0;
    const done = await page.evaluate((u) => Mote.download(u), url);
    await page.close();
    assert.ok(!before.complete && before.loaded > 8e6, `${before.loaded} bytes are there`);
    assert.ok(done.complete);
    assert.ok(world.sent() <= before.bytes - before.loaded + 1, `${world.sent()} bytes came after the reload`);
});
