// SPDX-License-Identifier: Apache-2.0
//
// page.firefox.test.mjs: the chat page in Firefox: download, answers with the bits of the command, stop, and a reload
// without a server. Clicks are made in the page: what is asked here is whether it works in another engine.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { site } from '../../tools/serve.mjs';
import { launchFirefox } from './firefox.mjs';
import { builtPage, listen, makeTale, shut } from './page.world.mjs';
import { said } from './world.mjs';

const BEGINNING = 'One day, a small robot found a seed.';
let firefox, server, page, model;
before(
    async () => {
        firefox = await launchFirefox();
        if (!firefox.open) return;
        model = makeTale();
        server = site({ root: builtPage(), models: [{ file: model }] });
        const port = await listen(server);
        page = await firefox.open(`http://localhost:${port}/`, () => document.querySelector('.chip') && navigator.serviceWorker.controller);
    },
    { timeout: 120_000 },
);
after(async () => {
    await firefox.close?.();
    if (server?.listening) await shut(server);
});

const check = (name, run) =>
    test(name, { timeout: 60_000 }, async (t) => {
        if (!page) return t.skip(firefox.why);
        await run();
    });

/** Waits until a function gives something in the page, and returns it. */
const until = (run, argument) =>
    page.evaluate(`async (argument) => {
        for (let left = 800; left > 0; left--) {
            const found = (${run})(argument);
            if (found) return found;
            await new Promise((done) => setTimeout(done, 25));
        }
        throw new Error('waited in vain for ' + ${JSON.stringify(String(run))} + ' in: ' + document.body.innerText);
    }`, argument);

const click = (name) =>
    until((name) => {
        const found = [...document.querySelectorAll('button, a')].find((one) => (one.getAttribute('aria-label') ?? one.textContent).trim() === name);
        if (!found || found.disabled) return false;
        found.click();
        return true;
    }, name);

const type = (selector, text) =>
    until(
        ([selector, text]) => {
            const field = document.querySelector(selector);
            if (!field) return false;
            field.value = text;
            return field.dispatchEvent(new InputEvent('input', { bubbles: true }));
        },
        [selector, text],
    );

const flat = (text) => text.replace(/\s+/g, ' ').trim();

check('downloads a model and answers, with the bits of the command', async () => {
    await click('Models');
    await click('Download tale');
    await until(() => document.querySelector('.chip').dataset.state === 'ready');
    assert.equal(await page.evaluate(() => crossOriginIsolated), true);
    await click('Settings');
    await click('Exact');
    await type('#maxTokens', '40');
    await type('#repeatPenalty', '1');
    await click('Close');
    await type('#composer', BEGINNING);
    await click('Send');
    const text = await until(() => document.querySelector('.answer .figures') && document.querySelector('.answer .text').innerText);
    assert.equal(flat(text), flat(said(model, BEGINNING, 40)));
    assert.match(await page.evaluate(() => document.querySelector('.live').innerText), /mote-threads/);
});

check('stops', async () => {
    await click('Settings');
    await type('#maxTokens', '200');
    await click('Close');
    await click('New conversation');
    await type('#composer', 'Once upon a time');
    await click('Send');
    // In one go: a whole answer takes a fraction of a second.
    await until(() => {
        if (!(document.querySelector('.answer .text')?.innerText.length > 20)) return false;
        document.querySelector('[aria-label=Stop]').click();
        return true;
    });
    await until(() => document.querySelector('.figures')?.innerText.includes('Stopped'));
});

check('works without the server', async () => {
    await shut(server);
    await page.reload();
    await until(() => document.querySelector('.chip')?.dataset.state === 'ready');
    assert.equal(await until(() => document.querySelectorAll('.history li').length), 2);
    await click('New conversation');
    await type('#composer', 'The bird');
    await click('Send');
    await until(() => document.querySelector('.answer .text')?.innerText.length > 20);
});

check('has the colours whose contrasts are measured in Chromium', async () => {
    const colours = await page.evaluate(() => ['color', 'backgroundColor'].map((name) => getComputedStyle(document.body)[name]));
    assert.deepEqual(colours, ['rgb(20, 33, 42)', 'rgb(251, 252, 253)']);
});
