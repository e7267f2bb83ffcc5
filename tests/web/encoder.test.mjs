// SPDX-License-Identifier: Apache-2.0
//
// encoder.test.mjs: encoders in the npm package, in Chromium, node, Deno and Bun: vectors with the bits of `mote embed`,
// labels and entities with the scores of `mote classify`, calls that overlap, that are stopped, that are wrong.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { folder, write } from '../cli/hf_folder.mjs';
import { encoder } from '../cli/tiny_encoder.mjs';
import { Mote } from '../../packages/mote/dist/index.js';
import { serve } from './server.mjs';
import { launchChromium, noWorkers, openPage, pkg, root, scratch, sha256, tool } from './world.mjs';

const mote = join(resolve(root, process.env.BUILD ?? 'build'), 'mote');
const models = {};
const make = (name, options) => {
    models[`${name}.gguf`] = join(scratch, `encoder-${name}.gguf`);
    writeFileSync(models[`${name}.gguf`], encoder(options));
};
make('plain', {});
make('packed', { type: 'Q8_0', labels: ['bad', 'good', 'neither'], dense: true });
make('many', { labels: ['rain', 'dog'], many: true });
make('tokens', { labels: ['O', 'B-LOC'], tokens: true });
make('iq', {});
const iq = readFileSync(models['iq.gguf']); // the first matrix of a layer as a type that only language models have
const at = iq.indexOf('blk.0.attn_q.weight') + 'blk.0.attn_q.weight'.length + 4 + 16;
iq.writeUInt32LE(20, at);
writeFileSync(models['iq.gguf'], iq);
for (const family of ['roberta', 'xlm-roberta', 'nomic_bert', 'modernbert']) { // byte-level merges; Unigram; rotary positions; windows
    const dir = join(scratch, `encoder-${family}`);
    rmSync(dir, { recursive: true, force: true });
    write(dir, folder(family));
    models[`${family}.gguf`] = `${dir}.gguf`;
    execFileSync(mote, ['convert', dir, '-o', `${dir}.gguf`], { stdio: ['ignore', 'ignore', 'pipe'] });
}
const cache = process.env.MOTE_MODELS || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'mote/models');
for (const [name, file] of [['minilm.gguf', 'all-minilm-l6-v2-q8_0.gguf'], ['sst2.gguf', 'all-minilm-l6-v2-sst2-q8_0.gguf']])
    if (existsSync(join(cache, file))) models[name] = join(cache, file);

const texts = [
    'The rain in Paris was good for the water of the house.', '', 'x', 'John lives in London; Mary works in Berlin!',
    'Déjà vu 日本 — naïve café, ß and я', 'the same twice', 'the same twice', '\t white   space \v',
    'A great film about a dog and a cat and the moon. '.repeat(200), ...Array.from({ length: 90 }, (_, i) => `story ${i} ${'of the sun '.repeat(i % 13)}`),
]; // prettier-ignore
const lines = texts.map((text) => `${text}\n`).join('');
const run = (...words) => execFileSync(mote, words, { input: lines, maxBuffer: 1 << 26, stdio: ['pipe', 'pipe', 'pipe'] });
const digest = (vectors) => sha256(Buffer.concat(vectors.map((v) => Buffer.from(v.buffer, v.byteOffset, v.byteLength))));
const failing = (promise) => promise.then(() => 'no error', (error) => error.code);

/** What the command says. */
const wanted = {};
for (const [name, path] of Object.entries(models)) if (name !== 'iq.gguf') wanted[name] = sha256(run('embed', path, '--format', 'f32', '--quiet'));
const usual = Object.keys(wanted).filter((name) => !['many.gguf', 'tokens.gguf', 'sst2.gguf'].includes(name));

/** Vectors by each pooling there is, as they are and of length 1; digest may be a page's. */
const POOLINGS = ['mean', 'cls', 'last', 'none'];
const few = texts.slice(0, 12);
async function pooled(model, digest) {
    const results = {};
    for (const pooling of POOLINGS) for (const normalize of [true, false]) results[`${pooling} ${normalize}`] = await digest(await model.embed(few, { pooling, normalize }));
    return results;
}
function wantedPooled(name) {
    const input = few.map((text) => `${text}\n`).join('');
    const made = (pooling, normalize) => sha256(execFileSync(mote, ['embed', models[name], '--quiet', '--format', 'f32', '--pooling', pooling, normalize ? '--normalize' : '--no-normalize'], { input }));
    return Object.fromEntries(POOLINGS.flatMap((pooling) => [true, false].map((normalize) => [`${pooling} ${normalize}`, made(pooling, normalize)])));
}

/** What was found is what the command finds. */
function sameLabels(found, name, multi) {
    const out = run('classify', models[name], '--quiet', '--threshold', '0', ...(multi ? ['--multi'] : [])).toString().trim().split('\n');
    out.map((line) => JSON.parse(line).labels).forEach((want, i) => {
        assert.deepEqual(found[i].map(({ label }) => label), want.map(({ label }) => label));
        want.forEach(({ score }, k) => assert.ok(Math.abs(Math.fround(found[i][k].score) - score) < 1e-6));
    });
}
function sameEntities(found, ...words) {
    const out = run('classify', models['tokens.gguf'], '--quiet', ...words).toString().trim().split('\n').map((line) => JSON.parse(line).entities);
    out.forEach((want, i) => {
        const bytes = Buffer.from(texts[i]);
        assert.deepEqual(found[i].map(({ label, text }) => [label, text]), want.map(({ label, text }) => [label, text]));
        want.forEach(({ score, start, end }, k) => {
            assert.ok(Math.abs(found[i][k].score - score) < 1e-6);
            assert.equal(texts[i].slice(found[i][k].start, found[i][k].end), bytes.subarray(start, end).toString());
            assert.equal(found[i][k].start, bytes.subarray(0, start).toString().length);
        });
    });
    const n = out.reduce((sum, want) => sum + want.length, 0);
    assert.ok(n > 25, `only ${n} entities`);
}
const JUDGED = [['packed.gguf', undefined], ['packed.gguf', true], ['many.gguf', undefined], ...(models['sst2.gguf'] ? [['sst2.gguf', undefined]] : [])];

let world, browser;
before(async () => {
    world = await serve({ pkg, models });
    browser = await launchChromium();
});
after(async () => {
    await browser.close?.();
    await world.close();
});

test('node: the bits of the command; more options', { timeout: 120_000 }, async (t) => {
    if (!models['minilm.gguf']) t.diagnostic('skipped: MiniLM is not in the cache');
    for (const name of usual) {
        const model = await Mote.load(models[name]);
        t.diagnostic(`measured: ${name}: ${model.info.module}, ${model.info.threads} threads`);
        assert.ok(model.info.encoder && model.info.module.startsWith('mote-encoder'));
        const [one, two] = await Promise.all([model.embed(texts), model.embed([...texts].reverse())]);
        assert.equal(digest(one), wanted[name]);
        assert.equal(digest(two.reverse()), wanted[name], 'whatever texts go together');
        assert.deepEqual(await pooled(model, digest), wantedPooled(name));
        const [each] = await model.embed(['rain'], { pooling: 'none' });
        assert.equal(each.length, (await model.tokenize('rain')).length * model.info.width);
        const [prefixed] = await model.embed(['rain'], { prefix: 'query: ' });
        assert.equal(digest([prefixed]), digest(await model.embed(['query: rain'])));
        const [a, b] = await model.embed(['a good dog', 'the blue moon']);
        const cosine = a.reduce((sum, x, i) => sum + x * b[i], 0);
        assert.ok(Math.abs((await model.similarity('a good dog', 'the blue moon')) - cosine) < 1e-6);
        assert.ok(Math.abs((await model.similarity(a, a)) - 1) < 1e-6);
        assert.deepEqual(await model.embed([]), []);
        await model.close();
        assert.equal(await failing(model.embed(['x'])), 'closed');
    }
});

test('node: labels with the scores of the command', async () => {
    for (const [name, multi] of JUDGED) {
        const model = await Mote.load(models[name]);
        const found = await model.classify(texts, { multi });
        sameLabels(found, name, multi);
        const [first] = await model.classify(texts.slice(0, 1), { multi, topK: 1 });
        assert.deepEqual(first, found[0].slice(0, 1));
        await model.close();
    }
});

test('node: entities are those of the command', async () => {
    const model = await Mote.load(models['tokens.gguf']);
    sameEntities(await model.classify(texts));
    sameEntities(await model.classify(texts, { prefix: 'note: ' }), '--prefix', 'note: ');
    assert.equal(await failing(model.classify(['x'], { topK: 1 })), 'argument');
    await model.close();
});

test('node: errors have their types', async () => {
    const codes = {};
    const plain = await Mote.load(models['plain.gguf']);
    codes.classify = await failing(plain.classify(['x']));
    codes.infer = await failing(plain.infer('x'));
    codes.chat = await failing(plain.chat([{ role: 'user', content: 'x' }]).result);
    codes.session = await failing(plain.session());
    codes.texts = await failing(plain.embed('x'));
    codes.text = await failing(plain.embed(['x', 3]));
    codes.pooling = await failing(plain.embed(['x'], { pooling: 'max' }));
    codes.vectors = await failing(plain.similarity(new Float32Array(3), 'x'));
    const controller = new AbortController();
    const long = plain.embed(Array.from({ length: 20_000 }, () => texts[0]), { signal: controller.signal, onProgress: () => controller.abort() });
    codes.aborted = await failing(long);
    const [before, closing] = [failing(plain.embed(Array.from({ length: 20_000 }, () => texts[0]))), plain.close()];
    codes.closed = await before;
    await closing;
    const language = join(scratch, 'encoder-language.gguf');
    tool('mote-synth', '--shape', 'tiny', '--type', 'Q8_0', '-o', language);
    const writer = await Mote.load(language);
    codes.embed = await failing(writer.embed(['x']));
    codes.judge = await failing(writer.classify(['x']));
    await writer.close();
    codes.wrong = [await failing(Mote.load(language, { module: 'mote-encoder-simd' })), await failing(Mote.load(models['plain.gguf'], { module: 'mote-simd' }))].join();
    codes.iq = await Mote.load(models['iq.gguf']).then(() => '', (error) => `${error.code} ${/IQ4_NL/.test(error.message)}`);
    codes.context = await failing(Mote.load(models['plain.gguf'], { contextLength: 2 }));
    assert.deepEqual(codes, {
        classify: 'unsupported', infer: 'unsupported', chat: 'unsupported', session: 'unsupported', texts: 'argument', text: 'argument',
        pooling: 'argument', vectors: 'argument', aborted: 'aborted', closed: 'closed', embed: 'unsupported', judge: 'unsupported', wrong: 'unsupported,unsupported', iq: 'unsupported true', context: 'argument',
    }); // prettier-ignore
});

test('node: a short call does not wait for a long one', async () => {
    const model = await Mote.load(models['plain.gguf']);
    const done = [];
    await Promise.all([
        model.embed(Array.from({ length: 3000 }, () => texts[0])).then(() => done.push('long')),
        model.embed(['x']).then(() => done.push('short')),
    ]);
    assert.deepEqual(done, ['short', 'long']);
    await model.close();
});

for (const isolated of [true, false]) {
    test(`Chromium, ${isolated ? 'isolated' : 'not isolated'}: the bits of the command in every module`, { timeout: 120_000 }, async (t) => {
        if (!browser.context) return t.skip(browser.why);
        const page = await openPage(browser.context, `${world.url}${isolated ? '/iso' : ''}/page.html`);
        t.after(() => page.close());
        const ways = [['mote-encoder', 1], ['mote-encoder-simd', 1], ...(isolated ? [['mote-encoder-threads', 1], ['mote-encoder-threads', 2]] : []), [undefined, 2]];
        for (const name of usual) {
            const found = await page.evaluate(
                async ([url, texts, ways]) => {
                    const results = [];
                    for (const [module, threads] of ways) {
                        const model = await Mote.load(url, { threads, ...(module ? { module } : {}) });
                        const vectors = await model.embed(texts);
                        const bytes = await new Blob(vectors).arrayBuffer();
                        const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
                        results.push([model.info.module, model.info.threads, [...hash].map((x) => x.toString(16).padStart(2, '0')).join('')]);
                        await model.close();
                    }
                    return results;
                },
                [`/model/${name}`, texts, ways],
            );
            const auto = isolated ? ['mote-encoder-threads', 2] : ['mote-encoder', 1];
            assert.deepEqual(found, ways.map(([module, threads]) => [...(module ? [module, threads] : auto), wanted[name]]), name);
        }
        assert.ok(await noWorkers(page));
    });
}

test('Chromium: every pooling, labels and entities as the command has them', { timeout: 120_000 }, async (t) => {
    if (!browser.context) return t.skip(browser.why);
    const page = await openPage(browser.context, `${world.url}/iso/page.html`);
    t.after(() => page.close());
    await page.evaluate((given) => Object.assign(globalThis, given), { POOLINGS, few });
    await page.evaluate(`globalThis.pooled = ${pooled}`);
    for (const name of ['plain.gguf', 'packed.gguf']) {
        const found = await page.evaluate(async (url) => {
            const digest = async (vectors) => {
                const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await new Blob(vectors).arrayBuffer()));
                return [...hash].map((x) => x.toString(16).padStart(2, '0')).join('');
            };
            const model = await Mote.load(url, { threads: 2 });
            const results = await pooled(model, digest);
            await model.close();
            return results;
        }, `/model/${name}`);
        assert.deepEqual(found, wantedPooled(name), name);
    }
    const classify = (name, options) =>
        page.evaluate(
            async ([url, texts, options]) => {
                const model = await Mote.load(url, { threads: 2 });
                const found = await model.classify(texts, options);
                await model.close();
                return found;
            },
            [`/model/${name}`, texts, options],
        );
    for (const [name, multi] of JUDGED) sameLabels(await classify(name, multi ? { multi } : {}), name, multi);
    sameEntities(await classify('tokens.gguf', {}));
    sameEntities(await classify('tokens.gguf', { prefix: 'note: ' }), '--prefix', 'note: ');
    assert.ok(await noWorkers(page));
});

const bin = (...path) => join(root, 'tests/web/node_modules', ...path);
const RUNTIMES = {
    'node, relaxed SIMD': [process.execPath, '--experimental-wasm-relaxed-simd', '--no-liftoff'],
    deno: [bin('@deno/linux-x64-glibc/deno'), 'run', '--allow-all', '--no-lock', '--quiet'],
    bun: [bin('@oven/bun-linux-x64/bin/bun')],
};
const [major] = process.versions.node.split('.').map(Number);
for (const [name, command] of Object.entries(RUNTIMES)) {
    test(`${name}: the bits of the command, with one thread and two`, { timeout: 120_000 }, async (t) => {
        if (!existsSync(command[0])) return t.skip(`no ${name} for this machine`);
        if (name.startsWith('node') && major > 20) return t.skip('this node has relaxed SIMD by itself');
        const script = join(scratch, 'encoder.mjs');
        writeFileSync(script, `import { createHash } from 'node:crypto';
            import { Mote } from ${JSON.stringify(join(root, 'packages/mote/dist/index.js'))};
            const out = [];
            for (const [module, threads] of [['mote-encoder', 1], ['mote-encoder-threads', 2]]) {
                const model = await Mote.load(${JSON.stringify(models['packed.gguf'])}, { module, threads });
                const hash = createHash('sha256');
                for (const v of await model.embed(${JSON.stringify(texts)})) hash.update(new Uint8Array(v.buffer, v.byteOffset, v.byteLength));
                out.push([model.info.module, model.info.threads, hash.digest('hex')]);
                await model.close();
            }
            console.log(JSON.stringify(out));`);
        const [program, ...options] = command;
        const out = await new Promise((done, fail) =>
            execFile(program, [...options, script], { env: { ...process.env, NO_COLOR: '1' }, timeout: 60_000 }, (error, stdout, stderr) => (error ? fail(new Error(`${error.message}\n${stderr}`)) : done(JSON.parse(stdout)))),
        );
        assert.deepEqual(out, [['mote-encoder', 1, wanted['packed.gguf']], ['mote-encoder-threads', 2, wanted['packed.gguf']]]);
    });
}
