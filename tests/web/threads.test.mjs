// SPDX-License-Identifier: Apache-2.0
//
// threads.test.mjs: threads that fail, in Chromium: where one cannot be started a model runs on one and says why; where
// one dies later, all that wait for the model are told.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { launchChromium, noWorkers, openPage, reference, startServer } from './world.mjs';

let world, browser;
before(async () => {
    browser = await launchChromium();
    if (browser.context) world = await startServer();
});
after(async () => {
    await browser.close?.();
    await world?.close();
});
afterEach(() => world && (world.script = undefined));

/** A test with a page, of whose workers the first is the engine's and all others, threads, have `broken` before them. */
const check = (name, broken, run) =>
    test(name, { timeout: 60_000 }, async (t) => {
        if (!browser.context) return t.skip(browser.why);
        const page = await openPage(browser.context, `${world.url}/iso/page.html`);
        t.after(() => page.close());
        let n = 0;
        world.script = () => (n++ === 0 ? '' : broken(n - 1));
        await run(page);
        assert.ok(n > 1, `${n} scripts were asked for`);
        assert.ok(await noWorkers(page), `${page.workers().length} workers are left`);
    });

/** Loads a model for so many threads. */
const digest = (page, threads) =>
    page.evaluate(
        async ([url, threads, { ids, window }]) => {
            const model = await Mote.load(url, { threads, cache: false });
            const digest = await model.logitsSha256(ids, { window });
            await model.close();
            return { digest, threads: model.info.threads, why: model.info.why };
        },
        ['/model/stories.gguf', threads, reference(world.models['stories.gguf'])],
    );

async function fallsBack(page, why) {
    const found = await digest(page, 3);
    assert.equal(found.digest, reference(world.models['stories.gguf']).digest);
    assert.equal(found.threads, 1);
    assert.match(found.why, why);
    assert.match(found.why, /threads could not be started/);
}

check('no script of a thread: one thread', () => null, (page) => fallsBack(page, /script could not be loaded/));

check('no script of the second thread: one thread', (n) => (n === 2 ? null : ''), (page) => fallsBack(page, /script could not be loaded/));

check('a script of a thread that throws: one thread', () => 'throw new Error("no thread today");', (page) => fallsBack(page, /no thread today/));

const refused = 'WebAssembly.Instance = class { constructor() { throw new WebAssembly.LinkError("no memory for a thread"); } };';
check('an engine that cannot be instantiated in a thread: one thread', () => refused, (page) => fallsBack(page, /no memory for a thread/));

check('the second engine that cannot be instantiated: one thread', (n) => (n === 2 ? refused : ''), (page) => fallsBack(page, /no memory for a thread/));

// It comes to its work, and traps after half a second, as one does that runs into a bug of the engine.
const dies = `const Real = WebAssembly.Instance;
    WebAssembly.Instance = class { constructor(module, imports) {
        const { exports } = new Real(module, imports);
        return { exports: { ...exports, worker_run: () => {
            Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
            throw new WebAssembly.RuntimeError("unreachable");
        } } };
    } };`;
check('a thread that dies: what waits and what comes is told', () => dies, async (page) => {
    const found = await page.evaluate(async (url) => {
        const failing = (promise) => promise.then(() => ['no error'], (error) => [error instanceof MoteError, error.code, error.message]);
        const model = await Mote.load(url, { threads: 2, cache: false });
        const session = await model.session();
        const forever = async (call) => {
            for (;;) await call();
        };
        const waiting = await Promise.all([
            failing(forever(() => model.infer('Once upon a time', { maxTokens: 50 }))),
            failing(forever(() => session.complete('Once', { maxTokens: 50 }).result)),
        ]);
        const later = await failing(model.infer('Once'));
        const begun = performance.now();
        await model.close();
        const closed = performance.now() - begun;
        const again = await Mote.load(url, { threads: 1, cache: false });
        const text = await again.infer('Once upon a time', { temperature: 0, maxTokens: 5 });
        await again.close();
        return { threads: model.info.threads, waiting, later, closed, text };
    }, '/model/stories.gguf');
    assert.equal(found.threads, 2);
    assert.deepEqual(found.waiting[0].slice(0, 2), [true, 'internal']);
    assert.match(found.waiting[0][2], /a thread failed: .*unreachable/);
    assert.deepEqual([found.waiting[1], found.later], [found.waiting[0], found.waiting[0]]);
    assert.ok(found.closed < 1000, `closing took ${found.closed} ms`);
    assert.ok(found.text.length > 0);
});
