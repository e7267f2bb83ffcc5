// SPDX-License-Identifier: Apache-2.0
//
// page.test.mjs: the chat page, used as a person does: found by what things are called, clicked and typed into, in one
// browser whose storage lasts from test to test. The model is stories15M in 4 bits. The tests go on from each other in
// order: a model is downloaded, talked to, and at the end deleted.
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { site } from '../../tools/serve.mjs';
import { audit, contrasts, names } from './page.audit.mjs';
import { builtPage, listen, makeTale, shut } from './page.world.mjs';
import { launchChromium, said } from './world.mjs';

const BEGINNING = 'One day, a small robot found a seed.';

let browser, context, page, dist, model, server, port, base, slow;
const complaints = [];

/** The site of another: it gives at most `rate` bytes a second, allows every page to read it, and notes the ranges asked for. */
function elsewhere(file, rate) {
    const ranges = [];
    const bytes = readFileSync(file);
    const server = createServer(async (request, response) => {
        const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [null, 0, ''];
        const end = to === '' ? bytes.length : Number(to) + 1;
        ranges.push([Number(from), end]);
        response.writeHead(request.headers.range ? 206 : 200, {
            'Access-Control-Allow-Origin': '*',
            'Access-Control-Allow-Headers': '*',
            'Access-Control-Expose-Headers': 'ETag, Content-Range, Accept-Ranges',
            'Accept-Ranges': 'bytes',
            ETag: '"1"',
            'Content-Length': end - from,
            ...(request.headers.range ? { 'Content-Range': `bytes ${from}-${end - 1}/${bytes.length}` } : {}),
        });
        if (request.method !== 'GET') return response.end();
        for (let at = Number(from); at < end && !response.destroyed; at += 65536) {
            response.write(bytes.subarray(at, Math.min(at + 65536, end)));
            await new Promise((done) => setTimeout(done, 65536_000 / slow.rate));
        }
        response.end();
    });
    return { server, ranges, rate };
}

before(async () => {
    browser = await launchChromium();
    context = browser.context;
    if (!context) return;
    dist = builtPage();
    model = makeTale();
    server = site({ root: dist, models: [{ file: model, description: 'tells stories' }] });
    port = await listen(server);
    base = `http://localhost:${port}/`;
    slow = elsewhere(model, 1e6);
    slow.port = await listen(slow.server);
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: base });
    context.setDefaultTimeout(15_000);
    page = await open();
});
after(async () => {
    await browser.close?.();
    if (server) await shut(server);
    if (slow) await shut(slow.server);
});

async function open(path = '') {
    const opened = await context.newPage();
    opened.on('pageerror', (error) => complaints.push(error.message));
    opened.on('console', (message) => {
        // The page asks whether the server is there; without it, the browser says so too.
        if (message.type() === 'error' && !/ERR_(CONNECTION_REFUSED|INTERNET_DISCONNECTED)/.test(message.text())) complaints.push(message.text());
    });
    await opened.setViewportSize({ width: 1280, height: 860 });
    await opened.goto(base + path);
    await opened.getByRole('link', { name: 'New conversation' }).waitFor();
    return opened;
}

const check = (name, run) =>
    test(name, { timeout: 60_000 }, async (t) => {
        if (!context) return t.skip(browser.why);
        complaints.length = 0;
        await run(t);
        assert.deepEqual(complaints, [], 'what the page complained of');
    });

const button = (name, on = page) => on.getByRole('button', { name, exact: typeof name === 'string' });
const box = (on = page) => on.getByRole('textbox', { name: 'Your message' });
const answers = (on = page) => on.getByRole('article', { name: /^Answer/ });
const idle = (on = page) => button('Stop', on).waitFor({ state: 'detached', timeout: 40_000 });
const ready = (on = page) => on.getByRole('link', { name: 'Model: tale' }).waitFor();
const notice = (text, on = page) => on.getByRole('region', { name: 'Notices' }).getByText(text);

/** Says something and waits for the whole answer. */
async function ask(text, on = page) {
    const before = await answers(on).count();
    await box(on).fill(text);
    await box(on).press('Enter');
    await answers(on).nth(before).waitFor();
    await idle(on);
    return answers(on).nth(before).locator('.text').innerText();
}

/** In the page: stops the answer once it has begun. A whole one takes a quarter of a second, a click from here half that. */
function stopSoon(key) {
    if (!(document.querySelector('.answer .text')?.innerText.length > 24)) return false;
    if (key) document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
    else document.querySelector('[aria-label=Stop]').click();
    return true;
}

async function settle(change) {
    await button('Settings').click();
    const dialog = page.getByRole('dialog', { name: 'Settings' });
    try {
        await change(dialog);
    } finally {
        await page.keyboard.press('Escape');
        await dialog.waitFor({ state: 'detached' });
    }
}

check('can be installed, is isolated, and keeps to a strict policy', async () => {
    await page.evaluate(() => navigator.serviceWorker.ready);
    const session = await context.newCDPSession(page);
    const { installabilityErrors } = await session.send('Page.getInstallabilityErrors');
    // A profile of tests counts as private, which alone stands in the way.
    assert.deepEqual(installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito'), []);
    const { data, errors } = await session.send('Page.getAppManifest');
    assert.deepEqual(errors, []);
    const manifest = JSON.parse(data);
    assert.equal(manifest.display, 'standalone');
    for (const { src, sizes, type } of manifest.icons.filter((icon) => icon.type === 'image/png')) {
        const bytes = Buffer.from(await (await fetch(base + src)).arrayBuffer());
        assert.equal(`${bytes.readUInt32BE(16)}x${bytes.readUInt32BE(20)}`, sizes, src);
        assert.equal(type, 'image/png');
    }
    assert.ok(manifest.icons.some(({ purpose, sizes }) => purpose === 'maskable' && sizes === '512x512'));
    assert.equal(await page.evaluate(() => crossOriginIsolated), true);

    const refused = await page.evaluate(async () => {
        const attempt = (run) => {
            try {
                run();
                return 'ran';
            } catch (error) {
                return error.name;
            }
        };
        const violations = [];
        document.addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective));
        const results = [
            attempt(() => (document.createElement('p').innerHTML = '<img src=x>')),
            // Out of reach of the tools that run this test, which may.
            await new Promise((done) => setTimeout(() => done(attempt(() => new Function('1'))))),
            attempt(() => new Worker('https://elsewhere.example/worker.js')),
        ];
        document.body.append(Object.assign(new Image(), { src: 'https://elsewhere.example/pixel.png' }));
        await new Promise((done) => setTimeout(done, 200));
        document.querySelector('body > img').remove();
        return { results, violations };
    });
    assert.deepEqual(refused.results, ['TypeError', 'EvalError', 'TypeError']);
    assert.ok(refused.violations.includes('img-src'), 'images of elsewhere are refused');
    complaints.length = 0; // the refusals of this test
});

check('an address that will not do is refused in words', async () => {
    await page.getByRole('link', { name: 'Models' }).first().click();
    const address = page.getByRole('textbox', { name: /GGUF file/ });
    for (const [text, answer] of [
        ['http://elsewhere.example/a.gguf', /https/],
        ['https://elsewhere.example/a.zip', /\.gguf/],
        ['https://me:secret@elsewhere.example/a.gguf', /password/],
    ]) {
        await address.fill(text);
        await button('Add').click();
        await page.getByRole('alert').getByText(answer).waitFor();
        assert.equal(await address.getAttribute('aria-invalid'), 'true');
    }
});

check('a model from elsewhere: download, pause, reload, resume, delete', async () => {
    const url = `http://localhost:${slow.port}/slow.gguf`;
    await page.getByRole('textbox', { name: /GGUF file/ }).fill(url);
    await button('Add').click();
    const bar = page.getByRole('progressbar', { name: 'Download of slow' });
    await page.waitForFunction(() => Number(document.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow')) >= 15);
    await button('Pause slow').click();
    await bar.waitFor({ state: 'detached' });
    await page.getByText(/paused at \d+ %/).waitFor();
    const paused = Number(/paused at (\d+) %/.exec(await page.getByRole('listitem').filter({ hasText: 'slow' }).innerText())[1]);
    assert.ok(paused >= 10 && paused < 95, `paused at ${paused} %`);

    slow.rate = 1e9;
    slow.ranges.length = 0;
    await page.reload();
    await button('Resume slow').click();
    await page.getByRole('link', { name: 'Model: slow' }).waitFor({ timeout: 30_000 });
    const fetched = slow.ranges.filter(([from, to]) => to - from > 1).reduce((sum, [from, to]) => sum + to - from, 0);
    const whole = statSync(model).size;
    assert.ok(fetched < whole * (1 - paused / 100) + 2 ** 20, `${fetched} of ${whole} bytes again, though ${paused} % were there`);

    await page.goto(`${base}#/models`);
    await button('Delete slow').click();
    await button('Really delete slow').click();
    await notice('Deleted slow').waitFor();
    assert.equal(await page.getByRole('heading', { name: 'slow' }).count(), 0);
});

check('a model of the catalogue: one click downloads and loads it', async () => {
    await button('Download tale').click();
    await ready();
    await page.getByRole('heading', { name: 'Begin a text' }).waitFor();
});

check('answers, with the bits of the command', async () => {
    await settle(async (dialog) => {
        await button('Exact', dialog).click();
        await dialog.getByRole('slider', { name: 'Repeat penalty' }).fill('1');
        await dialog.getByRole('textbox', { name: 'Longest answer' }).fill('40');
    });
    const text = await ask(BEGINNING);
    const flat = (words) => words.replace(/\s+/g, ' ').trim();
    assert.equal(flat(text), flat(said(model, BEGINNING, 40)));
    const live = page.getByRole('complementary', { name: 'Live figures' });
    assert.match(await live.getByRole('status', { name: 'Tokens per second' }).innerText(), /^\d+/);
    assert.match(await live.innerText(), /First token\s+[\d.]+ m?s[\s\S]*40 tokens[\s\S]*Memory\s+\d+ MB/);
    assert.equal(await live.getByRole('img').locator('circle').count() > 10, true);
    await page.getByRole('link', { name: new RegExp(BEGINNING.slice(0, 20)) }).waitFor();
});

check('the answer is spoken a sentence at a time', async () => {
    await page.getByRole('link', { name: 'New conversation' }).click();
    await page.evaluate(() => {
        globalThis.spoken = [];
        new MutationObserver(() => {
            const said = document.querySelector('[aria-live=polite][role=status]')?.textContent;
            if (said && said !== globalThis.spoken.at(-1)) globalThis.spoken.push(said);
        }).observe(document.body, { subtree: true, childList: true, characterData: true });
    });
    const words = (await ask('Tom had a red ball.')).replace(/\s+/g, '');
    await page.waitForFunction((words) => globalThis.spoken.slice(1).join('').replace(/\s+/g, '') === words, words);
    const spoken = await page.evaluate(() => globalThis.spoken);
    assert.equal(spoken[0], 'Answering');
    assert.ok(spoken.length < 12, 'sentences, not tokens');
});

check('stop, regenerate, edit', async () => {
    await settle(async (dialog) => {
        await button('Free', dialog).click();
        await dialog.getByRole('textbox', { name: 'Longest answer' }).fill('200');
    });
    await page.getByRole('link', { name: 'New conversation' }).click();
    await box().fill('Once upon a time');
    await button('Send').click();
    await page.waitForFunction(stopSoon);
    await page.getByText('Stopped').waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'composer', 'the focus is not lost with the button');
    const stopped = await answers().locator('.text').innerText();
    assert.ok(stopped.length > 20);

    await settle((dialog) => dialog.getByRole('textbox', { name: 'Longest answer' }).fill('12'));
    await button('Regenerate answer').click();
    await page.getByText('Ended at the limit').waitFor();
    assert.equal(await answers().count(), 1);
    assert.notEqual(await answers().locator('.text').innerText(), stopped);

    const mine = page.getByRole('article', { name: 'You' });
    await mine.hover();
    await button('Edit message', mine).click();
    await page.getByRole('textbox', { name: 'Edit what you said' }).fill('The old lighthouse');
    await button('Send', mine).click();
    await idle();
    assert.equal((await mine.locator('.text').innerText()).trim(), 'The old lighthouse');
    assert.equal(await answers().count(), 1);

    await answers().hover();
    await button('Edit message', answers()).click();
    await page.getByRole('textbox', { name: 'Edit the answer' }).fill('was **bright**.\n\n```js\nlet x = 1;\n```');
    await button('Keep').click();
    assert.equal(await answers().locator('strong').innerText(), 'bright');
    await button('Copy code').click();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'let x = 1;');
});

check('settings and conversations outlast a reload; a seed repeats itself', async () => {
    await settle(async (dialog) => {
        await button('Free', dialog).click();
        await dialog.getByRole('textbox', { name: 'Seed' }).fill('7');
        await dialog.getByRole('textbox', { name: 'Longest answer' }).fill('16');
        await dialog.getByRole('textbox', { name: 'Longest answer' }).fill('none');
        await dialog.getByText(/whole number from 1/).waitFor();
    });
    await page.reload();
    await ready();
    assert.match(await answers().innerText(), /bright/);
    await settle(async (dialog) => {
        assert.equal(await dialog.getByRole('textbox', { name: 'Seed' }).inputValue(), '7');
        assert.equal(await dialog.getByRole('textbox', { name: 'Longest answer' }).inputValue(), '16');
    });
    const told = [];
    for (let i = 0; i < 2; i++) {
        await page.getByRole('link', { name: 'New conversation' }).click();
        told.push(await ask('The cat'));
    }
    assert.equal(told[0], told[1]);
});

check('a system prompt belongs to its conversation', async () => {
    await settle((dialog) => dialog.getByRole('textbox', { name: 'System prompt' }).fill('Speak of the sea.'));
    assert.match(await page.locator('.messages .system').innerText(), /Speak of the sea/);
    await page.getByRole('link', { name: 'New conversation' }).click();
    await settle(async (dialog) => assert.equal(await dialog.getByRole('textbox', { name: 'System prompt' }).inputValue(), ''));
});

const listed = () => page.getByRole('region', { name: 'Conversations' }).getByRole('listitem').count();

async function importText(text) {
    await page.getByLabel('File of conversations to import').setInputFiles({ name: 'conversations.json', mimeType: 'application/json', buffer: Buffer.from(text) });
}

check('rename, export, delete, undo, import', async () => {
    const first = page.getByRole('region', { name: 'Conversations' }).getByRole('listitem').first();
    const many = await listed();
    await button(/^Actions for/, first).click();
    await page.getByRole('menuitem', { name: 'Rename' }).click();
    await page.getByRole('textbox', { name: 'Name of the conversation' }).fill('About the sea');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: /^About the sea/ }).waitFor();

    const download = page.waitForEvent('download');
    await button('Export all').click();
    const file = readFileSync(await (await download).path(), 'utf8');
    const exported = JSON.parse(file);
    assert.equal(exported.conversations.length, many);
    assert.ok(exported.conversations.some(({ title, system }) => title === 'About the sea' && system === 'Speak of the sea.'));

    await button('Actions for “About the sea”').click();
    await page.getByRole('menuitem', { name: 'Delete' }).click();
    assert.equal(await listed(), many - 1);
    await button('Undo').click();
    await page.getByRole('link', { name: /^About the sea/ }).waitFor();

    await importText(file);
    await notice(`Imported ${many} conversations`).waitFor();
    assert.equal(await listed(), many * 2);
});

const conversation = (text, more = {}) => ({
    format: 'mote-conversations',
    version: 1,
    conversations: [{ id: 'a', title: '', system: '', created: 1, changed: Date.now() + 1e6, messages: [{ id: 'b', role: 'assistant', text, at: 1 }], ...more }],
});

check('foreign files are read with care', async () => {
    const many = await listed();
    const { conversations } = conversation('x');
    const messages = (change) => conversation('', { messages: [{ id: 'b', role: 'user', text: 'x', at: 1, ...change }] });
    for (const [text, complaint] of [
        ['{"format": "mote-conv', /not JSON/],
        ['[1, 2]', /no conversations/],
        [JSON.stringify({ ...conversation('x'), version: 2 }), /version 1/],
        [JSON.stringify({ ...conversation('x'), conversations: {} }), /list/],
        [JSON.stringify({ ...conversation('x'), conversations: [...conversations, null] }), /conversations\[1\]: an object/],
        [JSON.stringify(conversation('', { id: '../x' })), /conversations\[0\]\.id: an identifier/],
        [JSON.stringify(conversation('', { changed: 1e300 })), /changed: a time/],
        [JSON.stringify(messages({ role: 'system' })), /messages\[0\]\.role/],
        [JSON.stringify(messages({ text: 5 })), /text: a text/],
        [JSON.stringify(messages({ text: 'x'.repeat(400_001) })), /longer than 400000/],
        [JSON.stringify(messages({ figures: { firstTokenMs: -1 } })), /figures\.firstTokenMs/],
        ['['.repeat(100_000), /not JSON/],
    ]) {
        await importText(text);
        await notice(complaint).first().waitFor();
        await button('Dismiss').first().click();
    }
    assert.equal(await listed(), many);
});

check('a hostile answer is only text', async () => {
    const requests = [];
    page.on('request', (request) => requests.push(request.url()));
    await importText(
        JSON.stringify(
            conversation(
                [
                    '<img src="https://elsewhere.example/1.png" onerror="globalThis.hit=1"><script>globalThis.hit=2</script>',
                    '![x](https://elsewhere.example/2.png) [a](javascript:globalThis.hit=3) [b](https://elsewhere.example/page)',
                    '<a href="javascript:globalThis.hit=4" style="position:fixed">c</a> &lt;b&gt; [d](data:text/html,x) <https://elsewhere.example/auto>',
                    '```html" onclick="globalThis.hit=5\n<b>\n```',
                    `${'> '.repeat(300)}deep ${'*'.repeat(3000)} ${'['.repeat(2000)}`,
                    `| a |\n|---|\n| <iframe src="https://elsewhere.example/3"></iframe> |`,
                ].join('\n\n'),
            ),
        ),
    );
    const answer = answers().first();
    await answer.waitFor();
    for (const tag of ['img', 'script', 'iframe', 'style', '[onclick]', '[style]', 'b'])
        assert.equal(await answer.locator(`.text ${tag}`).count(), 0, tag);
    const links = await answer.locator('a').evaluateAll((all) => all.map(({ href, rel, target }) => ({ href, rel, target })));
    assert.deepEqual(links.map(({ href }) => new URL(href).protocol), ['https:', 'https:', 'https:']);
    for (const { rel, target } of links) {
        assert.match(rel, /noopener/);
        assert.equal(target, '_blank');
    }
    await page.waitForTimeout(300);
    assert.equal(await page.evaluate(() => globalThis.hit), undefined);
    assert.deepEqual(requests.filter((url) => url.includes('elsewhere')), []);
});

check('an answer is set with headings, lists, tables and code', async () => {
    const text = [
        '# Title\n\nA *b* **c** `d` ~~e~~ &amp; f.\nNext line',
        '3. three\n4. four\n\n   more\n\n- [x] done\n- [ ] open',
        '| l | r |\n|---|--:|\n| 1 | 2 |',
        '> quoted\n\n---',
        '````md\n```\ninner\n```\n\nstill code\n````',
        '```python\ndef f(): # why\n    return "x" + str(1)\n',
    ].join('\n\n');
    await importText(JSON.stringify(conversation(text)));
    const answer = answers().first().locator('.text');
    await answer.getByRole('heading', { name: 'Title' }).waitFor();
    const found = await answer.evaluate((element) => {
        const $ = (selector) => [...element.querySelectorAll(selector)].map((one) => one.textContent);
        return {
            heading: $('h3'),
            inline: $('em, p > strong, p > code, del'),
            start: element.querySelector('ol').start,
            items: $('ol > li').length,
            tasks: [...element.querySelectorAll('.task input')].map(({ checked, disabled }) => [checked, disabled]),
            right: $('td[data-align=right]'),
            quote: $('blockquote').map((one) => one.trim()),
            rules: $('hr').length,
            code: $('pre code'),
            languages: $('figcaption span:first-child'),
            colours: $('pre .c-word, pre .c-string, pre .c-comment, pre .c-number'),
        };
    });
    assert.deepEqual(found, {
        heading: ['Title'],
        inline: ['b', 'c', 'd', 'e'],
        start: 3,
        items: 2,
        tasks: [
            [true, true],
            [false, true],
        ],
        right: ['2'],
        quote: ['quoted'],
        rules: 1,
        code: ['```\ninner\n```\n\nstill code', 'def f(): # why\n    return "x" + str(1)'],
        languages: ['md', 'python'],
        colours: ['def', '# why', 'return', '"x"', 'str', '1'],
    });
    assert.match(await answer.innerText(), /& f\.\nNext line/);
});

check('a conversation longer than the context says so, and goes on without its oldest messages', async () => {
    const long = `${BEGINNING} `.repeat(14);
    const messages = Array.from({ length: 5 }, (_, i) => ({ id: `m${i}`, role: i % 2 ? 'assistant' : 'user', text: i < 2 ? long : 'Then the sun came out.', at: 1 }));
    await importText(JSON.stringify(conversation('', { messages })));
    await button('Answer the last message').click();
    await page.getByRole('alert').getByText('longer than the context').waitFor();
    await button('Leave out the oldest').click();
    await idle();
    await answers().nth(1).waitFor();
    assert.equal(await page.getByRole('article', { name: 'You' }).count(), 2);
    assert.equal(await page.getByRole('alert').getByText('longer than the context').count(), 0);
});

/** A file let fall on the page. */
async function drop(name, url, bytes, on = page) {
    await on.evaluate(
        async ([name, url, bytes]) => {
            const data = url ? await (await fetch(url)).arrayBuffer() : Uint8Array.from(bytes);
            const transfer = new DataTransfer();
            transfer.items.add(new File([data], name));
            for (const type of ['dragenter', 'dragover', 'drop'])
                document.querySelector('main').dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
        },
        [name, url, bytes],
    );
}

check('a file let fall on the page is stored and loaded; one that is no model is refused in words', async () => {
    await drop('dropped.gguf', 'models/tale.gguf');
    await page.getByRole('link', { name: 'Model: dropped' }).waitFor();
    await ask('The dog');

    await drop('notes.txt', undefined, [1, 2, 3]);
    await notice(/neither a model/).waitFor();
    await button('Dismiss').first().click();

    await drop('broken.gguf', undefined, [...Buffer.from('GGUF'), 3, 0, 0, 0, ...Array(64).fill(255)]);
    await notice(/not a sound GGUF file|cannot be run/).waitFor();
    await button('Dismiss').first().click();
    await page.goto(`${base}#/models`);
    for (const name of ['broken', 'dropped']) {
        if ((await button(`Delete ${name}`).count()) === 0) continue;
        await button(`Delete ${name}`).click();
        await button(`Really delete ${name}`).click();
        await notice(`Deleted ${name}`).waitFor();
    }
    await button('Load tale').click();
    await ready();
});

check('where nothing can be stored a file still answers, and the page says so', async () => {
    const other = await context.newPage();
    await other.addInitScript(() => {
        Object.defineProperty(globalThis, 'indexedDB', {
            get() {
                throw new DOMException('denied', 'SecurityError');
            },
        });
    });
    await other.goto(`${base}#/models`);
    await other.getByRole('alert').getByText('Conversations cannot be kept').waitFor();
    await other.evaluate(async () => {
        const { Mote, MoteError } = await import(new URL('mote/index.js', location.href).href);
        Mote.store = () => Promise.reject(new MoteError('storage', 'no storage here'));
    });
    await drop('passing.gguf', 'models/tale.gguf', undefined, other);
    await notice(/for as long as this page is open/, other).waitFor();
    await other.getByRole('link', { name: 'Model: passing' }).waitFor();
    await ask('The cow', other);
    await other.close();
});

check('works without the network after the first visit', async () => {
    await shut(server);
    try {
        await page.goto(base);
        await page.reload();
        await ready();
        assert.ok((await ask('The bird')).length > 10);
        assert.equal(await page.evaluate(() => crossOriginIsolated), true);
    } finally {
        server = site({ root: dist, models: [{ file: model, description: 'tells stories' }] });
        await listen(server, port);
    }
});

check('a server that sends no headers: the page isolates itself, and Escape stops an answer', async () => {
    const bare = site({ root: dist, models: [{ file: model }], isolate: false });
    base = `http://localhost:${await listen(bare)}/`;
    const other = await open('#/models');
    await other.waitForFunction(() => crossOriginIsolated);
    await button('Download tale', other).click();
    await ready(other);
    await box(other).fill('Once upon a time');
    await box(other).press('Enter');
    await other.waitForFunction(stopSoon, 'Escape');
    await other.getByText('Stopped').waitFor();
    assert.match(await other.getByRole('complementary', { name: 'Live figures' }).innerText(), /mote-threads/);
    await other.close();
    await shut(bare);
    base = `http://localhost:${port}/`;
});

check('two tabs: what one writes the other shows', async () => {
    const other = await open();
    await ready(other);
    await ask('A frog sat', other);
    await page.getByRole('link', { name: /^A frog sat/ }).first().waitFor();
    await other.close();
});

check('measures raw and packed, alone and in fours, with a table and a chart to copy', async () => {
    await page.getByRole('link', { name: 'Benchmark' }).click();
    await button('Run').click();
    await button('Copy table').waitFor({ timeout: 45_000 });
    assert.equal(await page.getByRole('region', { name: 'Results' }).getByRole('row').count(), 3);
    await button('Copy table').click();
    await notice('Copied the table').waitFor();
    const table = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(table, /\| tale \| 4\.\d-bit \| 1 \|.*\n\| tale \| 4\.\d-bit \| 4 \|/);
    await button('Copy chart').click();
    await notice('Copied the chart').waitFor();
    const png = await page.evaluate(async () => {
        const [item] = await navigator.clipboard.read();
        return (await item.getType('image/png')).size;
    });
    assert.ok(png > 2000);
    assert.match(await page.getByRole('img', { name: /^Decode speed/ }).getAttribute('aria-label'), /tale.*batch of 4/);
});

const VIEWS = ['#/', '#/models', '#/benchmark', '#/text'];

for (const scheme of ['light', 'dark'])
    for (const width of [1280, 390])
        check(`names and contrasts, ${scheme}, ${width} px wide`, async () => {
            const talk = await page.getByRole('region', { name: 'Conversations', includeHidden: true }).getByRole('link', { includeHidden: true }).first().getAttribute('href');
            await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
            await page.setViewportSize({ width, height: 860 });
            try {
                for (const view of [...VIEWS, talk, 'settings']) {
                    if (view === 'settings') await button('Settings').click();
                    else await page.goto(base + view);
                    await page.waitForTimeout(150);
                    assert.deepEqual(await names(context, page), [], `${view}: without a name`);
                    assert.deepEqual(await page.evaluate(contrasts), [], `${view}: too little contrast`);
                    assert.deepEqual(await page.evaluate(audit), [], view);
                }
                await page.keyboard.press('Escape');
            } finally {
                await page.setViewportSize({ width: 1280, height: 860 });
            }
        });

check('every control is reached with Tab, in order, and shows it', async () => {
    await page.goto(base);
    await page.reload();
    await ready();
    await button('Skip to the content').focus();
    const reached = [];
    for (let i = 0; i < 200; i++) {
        if (i > 0) await page.keyboard.press('Tab');
        const now = await page.evaluate(() => {
            const at = document.activeElement;
            if (!at || at === document.body) return null;
            const all = [...document.querySelectorAll('*')];
            // A radio button shows its focus on its label, the message box on its frame.
            const shows = [at, at.closest('label'), at.closest('form')].some((e) => e && getComputedStyle(e).outlineStyle !== 'none');
            return { order: all.indexOf(at), name: at.getAttribute('aria-label') ?? at.textContent, shows };
        });
        if (!now || reached.some(({ order }) => order === now.order)) break;
        reached.push(now);
    }
    assert.equal(reached[0].name, 'Skip to the content');
    assert.deepEqual(reached.map(({ order }) => order), reached.map(({ order }) => order).sort((a, b) => a - b));
    assert.deepEqual(reached.filter(({ shows }) => !shows).map(({ name }) => name), []);
    for (const name of ['Settings', 'Live figures', 'Your message', 'Export all', 'Hide live figures']) assert.ok(reached.some((one) => one.name === name), name);
    await button('Skip to the content').focus();
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
});

check('fits a phone of 360 px, with the menu at hand', async () => {
    await page.setViewportSize({ width: 360, height: 700 });
    const talk = await page.getByRole('region', { name: 'Conversations', includeHidden: true }).getByRole('link', { includeHidden: true }).first().getAttribute('href');
    for (const view of [...VIEWS, talk]) {
        await page.goto(base + view);
        await page.waitForTimeout(100);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 360), `${view} is too wide`);
        assert.deepEqual(
            await page.locator('main button:visible, main a.button:visible, .top button:visible').evaluateAll((all) => all.filter((e) => e.getBoundingClientRect().right > 361).map((e) => e.textContent)),
            [],
            view,
        );
    }
    await button('Menu').click();
    await page.getByRole('link', { name: 'Models' }).first().waitFor();
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => document.activeElement?.getAttribute('aria-label') === 'Menu');
    await button('Menu').click();
    await page.getByRole('link', { name: 'Models', exact: true }).click();
    await page.getByRole('heading', { name: 'Models', exact: true }).waitFor();
    await page.setViewportSize({ width: 1280, height: 860 });
});

check('the model is deleted, and a conversation says what to do', async () => {
    await page.goto(`${base}#/models`);
    await button('Delete tale').click();
    await button('Really delete tale').click();
    await notice('Deleted tale').waitFor();
    await button('Download tale').waitFor();
    await page.getByRole('region', { name: 'Conversations' }).getByRole('link').first().click();
    await page.getByText('No model is loaded.').waitFor();
});
