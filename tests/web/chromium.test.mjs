// SPDX-License-Identifier: Apache-2.0
//
// chromium.test.mjs: the npm package in a browser: each test is a page of its own, in one browser whose storage lasts
// from test to test unless a test clears it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, beforeEach, test } from 'node:test';
import { launchChromium, noWorkers, openPage, reference, said, sha256, startServer } from './world.mjs';

let world, browser, context;
before(async () => {
    // Another name for this machine, from which pages are not secure: there they have no storage.
    browser = await launchChromium('--host-resolver-rules=MAP plain.test 127.0.0.1');
    context = browser.context;
    if (context) world = await startServer();
});
after(async () => {
    await browser.close?.();
    await world?.close();
});
beforeEach((t) => {
    if (!context) t.skip(browser.why);
    else world.requests.length = 0;
});

const check = (name, run) => test(name, { timeout: 120_000 }, async (t) => context && run(t));
const model = (query = '', name = 'stories.gguf') => `/model/${name}${query}`;

/** A page, closed at the end of the test; workers of it that are left are counted first. */
async function visit(t, path = '/page.html', origin = world.url) {
    const page = await openPage(context, origin + path);
    t.after(() => page.close());
    return page;
}

async function clear(page) {
    await page.evaluate(async () => {
        for (const { source } of await Mote.models()) await Mote.remove(source);
    });
}

/** Runs in the page and gives the error's code and numbers, or the value. */
const attempt = (page, run, argument) =>
    page.evaluate(
        async ([source, given]) => {
            try {
                return { value: await (0, eval)(`(${source})`)(given) };
            } catch (error) {
                const { code, needed, available, message, where, status } = error;
                return { code, needed, available, message, where, status, typed: error instanceof MoteError };
            }
        },
        [run.toString(), argument],
    );

check('loads from a URL, answers in pieces, and needs no network the second time', async (t) => {
    const page = await visit(t);
    await clear(page);
    const one = await page.evaluate(async (url) => {
        const phases = [];
        let last;
        const model = await Mote.load(url, { onProgress: (p) => (phases.at(-1) === p.phase || phases.push(p.phase), (last = p)) });
        const pieces = [];
        const answer = model.complete('Once upon a time', { temperature: 0, maxTokens: 30 });
        for await (const piece of answer) pieces.push(piece);
        const result = await answer.result;
        const models = await Mote.models();
        const told = await model.chat([{ role: 'user', content: 'Hello' }], { maxTokens: 5, seed: 1 }).result;
        await model.close();
        return { phases, last, pieces, result, models, info: model.info, told, stats: model.stats };
    }, model());
    assert.deepEqual(one.phases, ['connecting', 'downloading', 'reading', 'ready']);
    assert.equal(one.last.loaded, one.info.fileBytes);
    assert.ok(one.pieces.length > 10, `${one.pieces.length} pieces`);
    assert.equal(one.pieces.join(''), one.result.text);
    assert.equal(said(world.models['stories.gguf'], 'Once upon a time', 30).trim().replace(/^Once upon a time/, '').trim(), one.result.text.trim());
    assert.equal(one.result.finishReason, 'length');
    assert.equal(one.result.tokens, 30);
    assert.equal(one.told.tokens, 5);
    assert.equal(one.models.length, 1);
    assert.equal(one.models[0].complete, true);
    assert.equal(one.models[0].bytes, one.info.fileBytes);
    assert.equal(world.sent() - 1, one.info.fileBytes, 'each byte came once, and one to ask');

    world.requests.length = 0;
    const two = await page.evaluate(async (url) => {
        const model = await Mote.load(url);
        const text = await model.infer('Once upon a time', { temperature: 0, maxTokens: 30 });
        await model.close();
        return { text, seconds: model.info.loadSeconds };
    }, model());
    assert.equal(two.text, one.result.text);
    assert.equal(world.requests.length, 0);
    assert.ok(await noWorkers(page), 'no worker is left');
});

check('the same bits as the command, in every module, with one thread and two', async (t) => {
    const { ids, digest, window } = reference(world.models['stories.gguf']);
    const page = await visit(t, '/iso/page.html');
    const found = await page.evaluate(
        async ([url, ids, window]) => {
            const results = [];
            for (const [module, threads] of [['mote', 1], ['mote-simd', 1], ['mote-threads', 1], ['mote-threads', 2], ['mote-64', 1], ['mote-64', 2]]) {
                const model = await Mote.load(url, { module, threads });
                results.push([`${model.info.module} ${model.info.threads}`, await model.logitsSha256(ids, { window })]);
                await model.close();
            }
            return results;
        },
        [model(), ids, window],
    );
    assert.deepEqual(found, ['mote 1', 'mote-simd 1', 'mote-threads 1', 'mote-threads 2', 'mote-64 1', 'mote-64 2'].map((name) => [name, digest]));
});

check('threads where the page is isolated, one where it is not, and it says why', async (t) => {
    const isolated = await (await visit(t, '/iso/page.html')).evaluate(async (url) => {
        const model = await Mote.load(url, { threads: 2 });
        await model.close();
        return { info: model.info, support: await Mote.support() };
    }, model());
    assert.equal(isolated.info.module, 'mote-threads');
    assert.equal(isolated.info.threads, 2);
    assert.equal(isolated.support.crossOriginIsolated, true);
    const plain = await (await visit(t)).evaluate(async (url) => {
        const model = await Mote.load(url, { threads: 2 });
        await model.close();
        return model.info;
    }, model());
    assert.equal(plain.module, 'mote');
    assert.equal(plain.threads, 1);
    assert.match(plain.why, /not cross-origin isolated/);
});

check('nothing is left of models that were opened and closed a hundred times, on two threads', async (t) => {
    const page = await visit(t, '/iso/page.html');
    const threads = await page.evaluate(async (url) => {
        const file = await (await fetch(url)).blob();
        const threads = new Set();
        for (let i = 0; i < 100; i++) {
            const model = await Mote.load(file, { threads: 2, contextLength: 64 });
            await model.infer('a', { maxTokens: 2 });
            await model.close();
            threads.add(model.info.threads);
        }
        return [...threads];
    }, model('', 'tiny.gguf'));
    assert.deepEqual(threads, [2]);
    assert.ok(await noWorkers(page), `${page.workers().length} workers are left`);
});

check('a service worker isolates pages of servers that do not', async (t) => {
    const page = await context.newPage();
    t.after(() => page.close());
    await page.goto(`${world.url}/coi.html`);
    await page.waitForFunction('globalThis.crossOriginIsolated && globalThis.isReady', null, { timeout: 20_000 });
    const info = await page.evaluate(async (url) => {
        const model = await Mote.load(url, { threads: 2 });
        await model.close();
        for (const registration of await navigator.serviceWorker.getRegistrations()) await registration.unregister();
        return model.info;
    }, model());
    assert.equal(info.threads, 2);
});

check('loads from a File, from bytes, from parts, and from shards', async (t) => {
    const page = await visit(t);
    const path = world.models['tiny.gguf'];
    await page.setInputFiles('#file', path);
    await page.evaluate(() => {
        globalThis.digestOf = async (source, options) => {
            const model = await Mote.load(source, { cache: false, ...options });
            const digest = await model.logitsSha256([1, 2, 3, 4, 5, 6, 7, 8], { window: 8 });
            await model.close();
            return digest;
        };
    });
    const from = await page.evaluate(async (url) => {
        const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
        const third = Math.ceil(bytes.length / 3);
        const parts = [0, 1, 2].map((i) => bytes.slice(i * third, (i + 1) * third));
        return {
            url: await digestOf(url),
            file: await digestOf(document.querySelector('#file').files[0]),
            view: await digestOf(bytes),
            buffer: await digestOf(bytes.slice().buffer),
            pieces: await digestOf(parts),
            blobs: await digestOf(parts.map((part) => new Blob([part]))),
            shards: await digestOf('/model/shard-00001-of-00003.gguf'),
            stored: await digestOf('/model/shard-00001-of-00003.gguf', { cache: true }),
            untouched: bytes.length,
        };
    }, model('', 'tiny.gguf'));
    const { url, untouched, ...others } = from;
    assert.equal(untouched, readFileSync(path).length, 'the page keeps its bytes');
    for (const [kind, digest] of Object.entries(others)) assert.equal(digest, url, kind);
    const models = await page.evaluate(() => Mote.models());
    assert.equal(models.find((m) => Array.isArray(m.source))?.source.length, 3);
    const one = await attempt(page, (u) => Mote.load([u]), '/model/shard-00002-of-00003.gguf');
    assert.equal(one.code, 'format');
    assert.match(one.message, /one of 3 shards/);
});

check('a File can be stored and found again by its name', async (t) => {
    const page = await visit(t);
    const path = world.models['tiny.gguf'];
    await page.setInputFiles('#file', path);
    const stored = await page.evaluate(async (sha256) => {
        const stored = await Mote.store(document.querySelector('#file').files[0], { sha256, name: 'a tiny one' });
        const model = await Mote.load('stored:a tiny one');
        await model.close();
        return { stored, info: model.info };
    }, sha256(readFileSync(path)));
    assert.equal(stored.stored.source, 'stored:a tiny one');
    assert.equal(stored.info.stored, 'stored:a tiny one');
    await page.evaluate(() => Mote.remove('stored:a tiny one'));
    assert.equal((await attempt(page, () => Mote.load('stored:a tiny one'))).code, 'notfound');
    assert.equal((await attempt(page, () => Mote.remove('stored:a tiny one'))).code, 'notfound');
});

check('a reload in the middle of a download goes on where it was', async (t) => {
    const page = await visit(t);
    await clear(page);
    const url = model('?rate=6000000', 'stories.gguf');
    await page.evaluate((u) => {
        globalThis.seen = 0;
        Mote.load(u, { onProgress: (p) => (globalThis.seen = p.loaded) }).catch(() => undefined);
    }, url);
    await page.waitForFunction(() => globalThis.seen > 15e6);
    await page.reload();
    await page.waitForFunction('globalThis.isReady');
    const before = await page.evaluate(async () => (await Mote.models())[0]);
    assert.equal(before.complete, false);
    assert.ok(before.loaded > 8e6 && before.loaded < before.bytes, `${before.loaded} of ${before.bytes} bytes are there`);
    world.requests.length = 0;
    const result = await page.evaluate(async ([u, sha]) => {
        let first;
        const model = await Mote.load(u, { sha256: sha, onProgress: (p) => p.phase === 'downloading' && (first ??= p.loaded) });
        const text = await model.infer('Once upon a time', { temperature: 0, maxTokens: 5 });
        await model.close();
        return { first, text };
    }, [url.replace('rate=6000000', 'rate=6000000'), sha256(readFileSync(world.models['stories.gguf']))]);
    assert.ok(result.first >= before.loaded);
    assert.ok(world.sent() <= before.bytes - before.loaded + 1, `${world.sent()} bytes came after the reload`);
    assert.ok(result.text.length > 0);
});

check('a download can be paused and resumed, and then loads without the network', async (t) => {
    const page = await visit(t);
    const url = model('?rate=8000000&etag=a');
    const paused = await attempt(page, async (u) => {
        const controller = new AbortController();
        await Mote.download(u, { signal: controller.signal, onProgress: (p) => p.loaded > 5e6 && controller.abort() });
    }, url);
    assert.equal(paused.code, 'aborted');
    const before = await page.evaluate(async () => (await Mote.models())[0]);
    assert.ok(before.loaded >= 5e6 && !before.complete);
    world.requests.length = 0;
    const done = await page.evaluate((u) => Mote.download(u), url);
    assert.equal(done.complete, true);
    assert.ok(world.sent() <= before.bytes - before.loaded + 1);
    assert.ok(await noWorkers(page), 'no worker is left');
});

check('servers that ignore ranges, hide sizes, cut connections, fail at first', async (t) => {
    const page = await visit(t);
    const whole = readFileSync(world.models['stories.gguf']);
    const load = (query, options = {}) => attempt(page, async ([u, o]) => {
        const model = await Mote.load(u, o);
        await model.close();
        return model.info.fileBytes;
    }, [model(query), { sha256: sha256(whole), ...options }]);
    for (const query of ['?plain=1', '?plain=1&unsized=1', '?cut=9000000', '?fail=2', '?hide=1']) {
        assert.equal((await load(query)).value, whole.length, query);
        assert.equal((await load(query, { cache: false })).value, whole.length, `${query}, not stored`);
    }
    await clear(page);
});

check('servers that lie are found out', async (t) => {
    const page = await visit(t);
    for (const [query, code] of [['?lie=range', 'network'], ['?lie=total', 'network'], ['?lie=etag', 'network'], ['?lie=huge', 'network'], ['?fail=99', 'network']]) {
        const result = await attempt(page, (u) => Mote.load(u), model(query));
        assert.equal(result.code, code, query);
        assert.equal(result.typed, true);
    }
    const missing = await attempt(page, (u) => Mote.load(u), model('', 'no-such.gguf'));
    assert.deepEqual([missing.code, missing.status], ['network', 404]);
    assert.ok(await noWorkers(page), 'no worker is left');
});

check('a file that changed on its server is fetched anew', async (t) => {
    const page = await visit(t);
    await clear(page);
    const url = model('?rate=8000000&etag=first');
    await attempt(page, async (u) => {
        const controller = new AbortController();
        await Mote.download(u, { signal: controller.signal, onProgress: (p) => p.loaded > 5e6 && controller.abort() });
    }, url);
    // The same address, now with another tag.
    await context.route('**/model/**', (route) => route.continue({ url: route.request().url().replace('rate=8000000&etag=first', 'etag=second') }));
    t.after(() => context.unroute('**/model/**'));
    world.requests.length = 0;
    const done = await page.evaluate((u) => Mote.download(u), url);
    assert.ok(world.sent() > done.bytes, `${world.sent()} bytes came, of a file of ${done.bytes}`);
});

check('files that are no models, or not the one wanted, are refused and leave nothing', async (t) => {
    const page = await visit(t);
    await clear(page);
    for (const [name, text] of [['truncated.gguf', /./], ['headless.gguf', /./], ['page.gguf', /not a GGUF/], ['garbage.gguf', /./]]) {
        for (const cache of [true, false]) {
            const result = await attempt(page, ([u, o]) => Mote.load(u, o), [model('', name), { cache }]);
            assert.equal(result.code, 'format', `${name}: ${result.message}`);
            assert.match(result.message, text);
        }
    }
    for (const cache of [true, false]) {
        const wrong = await attempt(page, ([u, o]) => Mote.load(u, o), [model('', 'tiny.gguf'), { sha256: '0'.repeat(64), cache }]);
        assert.equal(wrong.code, 'checksum');
    }
    const kept = await page.evaluate(() => Mote.models());
    assert.deepEqual(kept.map((m) => m.name), [], 'what is no model is not kept, nor what has another sha256');
    assert.ok(await noWorkers(page), 'no worker is left');
});

check('what a message spells is text, whatever control token it looks like', async (t) => {
    const page = await visit(t);
    const found = await page.evaluate(async (url) => {
        const model = await Mote.load(url, { sessions: 2 });
        const counts = [];
        for (const content of ['a</s>b', '<s></s>', 'plain']) {
            const session = await model.session();
            counts.push([await session.prefill([{ role: 'user', content }]), (await model.tokenize(content)).length, (await model.tokenize(content, { parseSpecial: true })).length]);
            await session.close();
        }
        const rendered = await model.tokenize(await model.render([{ role: 'user', content: 'a</s>b' }]), { parseSpecial: true });
        const text = await model.detokenize(rendered);
        await model.close();
        return { counts, text };
    }, model());
    for (const [sent, text] of found.counts) assert.equal(sent, text);
    assert.ok(found.counts[0][2] < found.counts[0][1], 'it is a control token where those are read');
    assert.equal(found.text, 'a</s>b');
});

check('an answer stops at its signal, at a stop text, and when the loop is left', async (t) => {
    const page = await visit(t);
    const result = await page.evaluate(async (url) => {
        const model = await Mote.load(url, { contextLength: 2048 });
        const controller = new AbortController();
        const pieces = [];
        const answer = model.complete('Once upon a time', { signal: controller.signal, seed: 3 });
        let code, aborted;
        try {
            for await (const piece of answer) {
                pieces.push(piece);
                if (pieces.length === 5) (aborted = performance.now()), controller.abort();
            }
        } catch (error) {
            code = error.code;
        }
        const late = performance.now() - aborted;
        for await (const piece of model.complete('Once upon a time')) if (piece) break;
        await new Promise((resolve) => setTimeout(resolve, 100));
        const active = model.stats.active;
        const stopped = await model.complete('Once upon a time', { temperature: 0, stop: ['little girl', 'nothing'] }).result;
        const refused = await model.infer('x', { signal: AbortSignal.abort() }).catch((error) => error.code);
        await model.close();
        const closed = await model.infer('x', 3).catch((error) => error.code);
        return { pieces: pieces.length, code, late, active, stopped, refused, closed };
    }, model());
    assert.equal(result.code, 'aborted');
    assert.ok(result.pieces <= 7, `${result.pieces} pieces`);
    assert.ok(result.late < 1000, `${result.late} ms`);
    assert.equal(result.active, 0);
    assert.equal(result.stopped.finishReason, 'stop');
    assert.equal(result.stopped.stop, 'little girl');
    assert.equal(result.stopped.text, ', there was a ');
    assert.equal(result.refused, 'aborted');
    assert.equal(result.closed, 'closed');
});

check('answers made together are those made alone, and none waits for the others', async (t) => {
    const page = await visit(t);
    const result = await page.evaluate(async (url) => {
        const model = await Mote.load(url);
        const prompts = ['Once upon a time', 'The cat sat', 'One day, Tom', 'Lily and Ben', 'It was night'];
        const options = { temperature: 0.8, seed: 7, maxTokens: 40 };
        const alone = [];
        for (const prompt of prompts) alone.push(await model.infer(prompt, options));
        await model.forget();
        const steps = model.stats.steps;
        const together = await model.batchInfer(prompts, options);
        const used = model.stats.steps - steps;
        // Two at once, the second begun later: their pieces come in turn.
        const order = [];
        const follow = async (name, answer) => {
            for await (const _ of answer) order.push(name);
        };
        const first = follow('a', model.complete('Once upon a time', { maxTokens: 60, seed: 1 }));
        await new Promise((resolve) => setTimeout(resolve, 50));
        await Promise.all([first, follow('b', model.complete('The dog', { maxTokens: 20, seed: 2 }))]);
        await model.close();
        return { alone, together, used, order: order.join('') };
    }, model());
    assert.deepEqual(result.together, result.alone);
    assert.ok(result.used < 60, `${result.used} steps for five answers of 40 tokens`);
    assert.match(result.order, /a.*b.*a/, 'the first is not held up');
    assert.ok(result.order.lastIndexOf('a') > result.order.lastIndexOf('b') || result.order.indexOf('b') < result.order.lastIndexOf('a'));
});

check('what an earlier call computed is used again', async (t) => {
    const page = await visit(t);
    const result = await page.evaluate(async (url) => {
        const model = await Mote.load(url);
        const messages = [{ role: 'user', content: 'Tell me a story about a dog and a cat who live in a house.' }];
        const one = await model.chat(messages, { temperature: 0, maxTokens: 20 }).result;
        const two = await model.chat(messages, { temperature: 0, maxTokens: 20 }).result;
        const next = [...messages, { role: 'assistant', content: one.text }, { role: 'user', content: 'And then?' }];
        const three = await model.chat(next, { temperature: 0, maxTokens: 10 }).result;
        await model.forget();
        const fresh = await model.chat(next, { temperature: 0, maxTokens: 10 }).result;
        await model.close();
        return { one, two, three, fresh };
    }, model());
    const { one, two, three, fresh } = result;
    assert.equal(one.cachedTokens, 0);
    assert.equal(two.cachedTokens, one.promptTokens - 1);
    assert.equal(two.text, one.text);
    assert.ok(three.cachedTokens >= one.promptTokens - 2, `${three.cachedTokens} of ${one.promptTokens}`);
    assert.equal(fresh.cachedTokens, 0);
    assert.equal(three.text, fresh.text);
});

check('a KV snapshot outlives the page', async (t) => {
    const page = await visit(t);
    const prompt = 'Once upon a time there was a dog named Max who lived in a big house with a red door. '.repeat(6);
    const one = await page.evaluate(async ([url, prompt]) => {
        const model = await Mote.load(url);
        const session = await model.session();
        const tokens = await session.prefill(prompt);
        const logits = await session.logits();
        const bytes = await session.save('a story');
        const fork = await session.fork();
        const text = (await session.complete(prompt, { temperature: 0, maxTokens: 10 }).result).text;
        const held = await fork.tokens();
        await model.close();
        return { tokens, bytes, text, held: held.length, logits: logits.length, vocabulary: model.info.vocabulary };
    }, [model(), prompt]);
    assert.equal(one.held, one.tokens);
    assert.equal(one.logits, one.vocabulary);
    await page.reload();
    await page.waitForFunction('globalThis.isReady');
    const two = await page.evaluate(async ([url, prompt]) => {
        const model = await Mote.load(url);
        const session = await model.session();
        const started = performance.now();
        const tokens = await session.restore('a story');
        const answer = session.complete(prompt, { temperature: 0, maxTokens: 10 });
        await answer.next();
        const first = performance.now() - started;
        const result = await answer.result;
        const list = await model.snapshots();
        const bytes = await session.serialize();
        bytes[bytes.length >> 1] ^= 1;
        const damaged = await session.deserialize(bytes).catch((error) => error.code);
        const still = (await session.tokens()).length;
        const missing = await session.restore('no such').catch((error) => error.code);
        await model.removeSnapshot('a story');
        const after = await model.snapshots();
        await model.close();
        return { tokens, first, result, list, damaged, still, missing, after };
    }, [model(), prompt]);
    t.diagnostic(`measured: first token ${two.first.toFixed(1)} ms after asking for a snapshot of ${one.tokens} tokens`);
    assert.equal(two.tokens, one.tokens);
    assert.equal(two.result.cachedTokens, one.tokens - 1);
    assert.equal(two.result.text, one.text);
    assert.deepEqual(two.list.map(({ name, bytes }) => ({ name, bytes })), [{ name: 'a story', bytes: one.bytes }]);
    assert.equal(two.damaged, 'format');
    assert.equal(two.still, one.tokens - 1 + 10);
    assert.equal(two.missing, 'notfound');
    assert.deepEqual(two.after, []);
});

check('what is asked of a session is done in order; what waits can be given up', async (t) => {
    const page = await visit(t);
    const result = await page.evaluate(async (url) => {
        const model = await Mote.load(url);
        const session = await model.session();
        const order = [];
        const note = (name) => (value) => (order.push(name), value);
        const long = session.complete('Once upon a time', { maxTokens: 60, seed: 1 });
        const first = long.result.then(note('first'));
        const controller = new AbortController();
        const given = session.complete('The end', { signal: controller.signal }).result.catch((error) => note(`given up: ${error.code}`)());
        const length = session.tokens().then(note('tokens'));
        await long.next();
        controller.abort();
        await given;
        const [result, tokens] = [await first, await length];
        await session.truncate(3);
        const appended = await session.append([...tokens.subarray(3, 8)]);
        const fork = await session.fork(2);
        const forked = [...(await fork.tokens())];
        await fork.close();
        await model.close();
        return { order, held: tokens.length, result, appended, forked, tokens: [...tokens.subarray(0, 2)] };
    }, model());
    assert.deepEqual(result.order, ['given up: aborted', 'first', 'tokens']);
    assert.equal(result.held, result.result.promptTokens + result.result.tokens - 1);
    assert.equal(result.appended, 8);
    assert.deepEqual(result.forked, result.tokens);
});

check('a long prompt can be stopped, and holds nobody up', async (t) => {
    const page = await visit(t);
    const result = await page.evaluate(async (url) => {
        const model = await Mote.load(url, { contextLength: 4096 });
        const prompt = 'the dog ran in the park '.repeat(500);
        const controller = new AbortController();
        const started = performance.now();
        const long = model.complete(prompt, { maxTokens: 1, signal: controller.signal }).result.catch((error) => error.code);
        const short = await model.infer('Once', { maxTokens: 3, temperature: 0 });
        const shortTook = performance.now() - started;
        const aborted = performance.now();
        controller.abort();
        const code = await long;
        const late = performance.now() - aborted;
        await model.close();
        return { short, shortTook, code, late };
    }, model());
    t.diagnostic(`measured: beside a prompt of 3000 tokens, three tokens took ${result.shortTook.toFixed(0)} ms; the prompt ended ${result.late.toFixed(0)} ms after its signal`);
    assert.equal(result.code, 'aborted');
    assert.ok(result.late < 2000);
});

check('a stored file that was evicted or cut short is downloaded again', async (t) => {
    const page = await visit(t);
    const url = model('?keep=1', 'tiny.gguf');
    const result = await page.evaluate(async (u) => {
        const load = async () => {
            const model = await Mote.load(u);
            await model.close();
            return model.info.fileBytes;
        };
        const size = await load();
        const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('mote');
        const models = await root.getDirectoryHandle('models');
        const each = async (change) => {
            for await (const folder of models.values()) {
                const text = await (await (await folder.getFileHandle('meta.json')).getFile()).text();
                if (text.includes(u)) await change(folder);
            }
        };
        const write = async (folder, name, bytes) => {
            const writable = await (await folder.getFileHandle(name, { create: true })).createWritable();
            await writable.write(bytes);
            await writable.close();
        };
        const sizes = [size];
        await each((folder) => write(folder, 'data', 'GGUF'));
        sizes.push(await load());
        await each((folder) => folder.removeEntry('data'));
        sizes.push(await load());
        await each((folder) => write(folder, 'meta.json', '{"sources":[1],"size":"' + u));
        sizes.push(await load());
        await Mote.remove(u);
        return sizes;
    }, url);
    assert.equal(new Set(result).size, 1, String(result));
    assert.ok(world.sent() >= 4 * result[0]);
});

check('two tabs share one download', async (t) => {
    const [one, two] = [await visit(t), await visit(t)];
    await clear(one);
    const url = model('?rate=15000000');
    const run = async (u) => {
        const phases = new Set();
        const model = await Mote.load(u, { onProgress: (p) => phases.add(p.phase) });
        const text = await model.infer('Once upon a time', { temperature: 0, maxTokens: 8 });
        const session = await model.session();
        await session.prefill('Once');
        await session.save('from both');
        await model.close();
        return { text, phases: [...phases] };
    };
    const [a, b] = await Promise.all([one.evaluate(run, url), two.evaluate(run, url)]);
    assert.equal(a.text, b.text);
    const size = readFileSync(world.models['stories.gguf']).length;
    assert.ok(world.sent() <= size + 2, `${world.sent()} bytes came`);
    assert.ok([...a.phases, ...b.phases].includes('waiting'), 'one of them waited for the other');
});

check('a quota that is too small is told in numbers, and memory alone will do', async (t) => {
    const page = await visit(t);
    await clear(page);
    const cdp = await context.newCDPSession(page);
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: world.url, quotaSize: 20e6 });
    const result = await attempt(page, (u) => Mote.load(u), model());
    assert.equal(result.code, 'quota');
    assert.ok(result.needed > 60e6 && result.available > 10e6 && result.available <= 20e6, JSON.stringify(result));
    assert.equal(world.sent(), 1, 'nothing was downloaded for nothing');
    const direct = await page.evaluate(async (u) => {
        const model = await Mote.load(u, { cache: false });
        await model.close();
        return model.info.stored;
    }, model());
    assert.equal(direct, '');
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: world.url });
});

check('without storage, as in private windows, a model goes straight to memory', async (t) => {
    const page = await visit(t, '/page.html', `http://plain.test:${world.port}`);
    const result = await page.evaluate(async (u) => {
        const model = await Mote.load(u);
        const text = await model.infer('Once upon a time', { temperature: 0, maxTokens: 5 });
        const session = await model.session();
        await session.prefill('Once');
        const saved = await session.save('x').catch((error) => error.code);
        await model.close();
        return { text, saved, stored: model.info.stored, models: await Mote.models(), estimate: await Mote.estimate() };
    }, model());
    assert.ok(result.text.length > 0);
    assert.deepEqual([result.saved, result.stored, result.models, result.estimate.supported], ['storage', '', [], false]);
});

check('too little memory, context or sessions is told in numbers', async (t) => {
    const page = await visit(t);
    const memory = await attempt(page, (u) => Mote.load(u, { memoryLimit: 50e6 }), model());
    assert.equal(memory.code, 'memory');
    assert.ok(memory.needed > 61e6 && memory.available === 50e6);
    const huge = await attempt(page, (u) => Mote.load(u, { contextLength: 1_000_000, module: 'mote' }), model());
    assert.equal(huge.code, 'memory');
    const others = await page.evaluate(async (u) => {
        const model = await Mote.load(u, { contextLength: 64, sessions: 2 });
        const code = (promise) => promise.then(() => undefined, ({ code, needed, available }) => ({ code, needed, available }));
        const long = await code(model.infer('dog '.repeat(100), 5));
        const full = await model.complete('Once upon a time', { temperature: 0 }).result;
        const held = [await model.session(), await model.session()];
        const third = await code(model.session());
        const none = await code(model.infer('Once', 3));
        await held[0].close();
        const again = await code(held[0].tokens());
        const bad = await Promise.all([
            code(model.chat([]).result), code(model.chat([{ role: 'user' }]).result), code(model.infer('x', { temperature: -1 })),
            code(model.infer('x', { maxTokens: 0.5 })), code(model.detokenize([1e6])), code(model.infer(5, 1)), code(model.infer('x', { stop: [''] })),
        ]);
        const more = await model.batchInfer(['One', 'Two', 'Three', 'Four'], { maxTokens: 40, temperature: 0 });
        const alone = [];
        await model.forget();
        for (const prompt of ['One', 'Two', 'Three', 'Four']) alone.push(await model.infer(prompt, { maxTokens: 40, temperature: 0 }));
        await model.close();
        return { long, full, third, none, again, bad, more, alone };
    }, model());
    assert.equal(others.long.code, 'context');
    assert.ok(others.long.needed > 64 && others.long.available === 64);
    assert.equal(others.full.finishReason, 'context');
    assert.equal(others.third.code, 'sessions');
    assert.equal(others.none.code, 'sessions');
    assert.equal(others.again.code, 'closed');
    assert.deepEqual(others.bad.map((error) => error?.code), new Array(7).fill('argument'));
    assert.deepEqual(others.more, others.alone, 'with too little room for all at once');
});

check('answers take turns with too few pages, and end the same', async (t) => {
    const page = await visit(t);
    const result = await page.evaluate(async (u) => {
        const model = await Mote.load(u, { contextLength: 128, sessions: 4 });
        const prompts = ['One day', 'The cat', 'Tom was', 'A big dog'];
        const options = { temperature: 0.7, seed: 5, maxTokens: 90 };
        const together = await model.batchInfer(prompts, options);
        await model.forget();
        const alone = [];
        for (const prompt of prompts) alone.push(await model.infer(prompt, options));
        await model.close();
        return { together, alone };
    }, model());
    assert.deepEqual(result.together, result.alone);
});

check('the page is never held up', async (t) => {
    const page = await visit(t);
    await page.evaluate(async (u) => (await Mote.load(u)).close(), model());
    const result = await page.evaluate(async (u) => {
        const long = [];
        new PerformanceObserver((list) => long.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: 'longtask', buffered: false });
        const bytes = new Uint8Array(await (await fetch(u)).arrayBuffer());
        // The page's own task when a message of the worker comes in, and the calls themselves.
        const own = [];
        const timed = (f) => {
            const started = performance.now();
            const value = f();
            own.push(performance.now() - started);
            return value;
        };
        const model = await timed(() => Mote.load(bytes));
        const answers = ['a', 'b', 'c'].map((prompt) => timed(() => model.complete(prompt, { maxTokens: 60, seed: 1 })));
        await Promise.all(answers.map(async (answer) => {
            for await (const _ of answer);
        }));
        await timed(() => model.close());
        return { long, own: Math.max(...own) };
    }, model());
    t.diagnostic(`measured: longest call on the page ${result.own.toFixed(2)} ms, tasks over 50 ms: ${result.long.length}`);
    assert.ok(result.own < 16, `a call took ${result.own} ms`);
});
