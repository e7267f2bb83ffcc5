// SPDX-License-Identifier: Apache-2.0
//
// page.text.test.mjs: the page's view of texts, with a small encoder that is opened as a file: labels while one types, a
// search in what is pasted, by keyboard, on a phone, in the dark, and without any network.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { site } from '../../tools/serve.mjs';
import { encoder } from '../cli/tiny_encoder.mjs';
import { contrasts, names } from './page.audit.mjs';
import { builtPage, listen, shut } from './page.world.mjs';
import { launchChromium, scratch } from './world.mjs';

const file = join(scratch, 'judge.gguf');
writeFileSync(file, encoder({ labels: ['bad', 'good'], type: 'Q8_0' }));
const DOCUMENTS = ['The rain in Paris was good for the house.', 'John lives in Berlin with a big dog.', 'The moon was red and the night was new.'];

let browser, context, page, server, base;
const complaints = [];
before(async () => {
    browser = await launchChromium();
    context = browser.context;
    if (!context) return;
    server = site({ root: builtPage(), models: [] });
    base = `http://localhost:${await listen(server)}/`;
    context.setDefaultTimeout(15_000);
    page = await context.newPage();
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(`${base}#/text`);
});
after(async () => {
    await browser.close?.();
    if (server) await shut(server);
});
const check = (name, run) => test(name, { timeout: 60_000 }, async (t) => (context ? run(t) : t.skip(browser.why)));

check('says what it needs, and takes a file', async () => {
    await page.getByRole('heading', { name: 'Text', level: 1 }).waitFor();
    assert.equal(await page.title(), 'Text · mote');
    await page.getByText('This takes an encoder.').waitFor();
    await page.getByLabel('Open a file').setInputFiles(file);
    await page.getByRole('heading', { name: 'Classify' }).waitFor();
    assert.match(page.url(), /#\/text$/);
});

check('labels while one types', async () => {
    await page.getByLabel('Text to judge').fill('a good dog');
    const labels = page.getByRole('status', { name: 'Labels' }).getByRole('listitem');
    await labels.nth(1).waitFor();
    const shown = await labels.allInnerTexts();
    const scores = shown.map((text) => Number(/([\d.]+) %/.exec(text)[1]));
    assert.ok(Math.abs(scores[0] + scores[1] - 100) < 0.2 && scores[0] >= scores[1], shown.join());
    const before = await page.locator('.scores').innerText();
    await page.getByLabel('Text to judge').pressSequentially(' and a cat in the rain of the night');
    await page.waitForFunction((before) => document.querySelector('.scores').innerText !== before, before);
    await page.getByLabel('Text to judge').fill('');
    await labels.first().waitFor({ state: 'detached' });
});

check('finds paragraphs by meaning, the nearest first, and follows edits', async () => {
    await page.getByLabel('Documents').fill(DOCUMENTS.join('\n\n'));
    await page.getByText('3 paragraphs').waitFor();
    const hits = page.getByRole('list', { name: 'Paragraphs found' }).getByRole('listitem');
    for (const [i, document] of DOCUMENTS.entries()) {
        await page.getByLabel('Question').fill(document);
        await page.waitForFunction((text) => document.querySelector('.hits li p')?.innerText === text, document);
        assert.match(await hits.first().innerText(), /^1\.000/, `document ${i}`);
    }
    assert.equal(await hits.count(), 3);
    await page.getByLabel('Documents').fill([...DOCUMENTS, 'A blue cat.', 'A blue cat.'].join('\n\n'));
    await page.getByLabel('Question').fill('A blue cat.');
    await page.waitForFunction(() => document.querySelector('.hits li p')?.innerText === 'A blue cat.');
    assert.equal(await hits.count(), 4);
});

check('the page itself stays free while much is read', async () => {
    const many = Array.from({ length: 3000 }, (_, i) => `story ${i} of the dog ${i * 7} and the cat`).join('\n\n');
    await page.evaluate(() => {
        globalThis.longest = 0;
        globalThis.bars = new Set(); // what it said; it may be gone before anybody asks
        new MutationObserver(() => {
            const bar = document.querySelector('[role=progressbar][aria-label="Reading the documents"]');
            if (bar) bars.add(bar.ariaValueNow);
        }).observe(document.body, { subtree: true, childList: true, attributes: true });
        let last = performance.now();
        const look = () => ((longest = Math.max(longest, performance.now() - last)), (last = performance.now()), requestAnimationFrame(look));
        requestAnimationFrame(look);
    });
    await page.getByLabel('Documents').evaluate((field, text) => {
        field.value = text; // typed, it would take a browser longer than all that is measured here
        field.dispatchEvent(new InputEvent('input', { bubbles: true }));
    }, many);
    await page.evaluate(() => (globalThis.longest = 0));
    await page.waitForFunction(() => bars.has('100'));
    await page.getByText('3,000 paragraphs').waitFor();
    assert.ok(await page.evaluate(() => bars.size > 3), 'it says how far it is');
    const longest = await page.evaluate(() => globalThis.longest);
    assert.ok(longest < 500, `a frame took ${longest} ms`);
    await page.getByLabel('Documents').fill(DOCUMENTS.join('\n\n'));
    await page.getByText('3 paragraphs', { exact: true }).waitFor();
});

check('names, contrasts, a phone, the keyboard', async () => {
    await page.getByLabel('Text to judge').fill('good');
    await page.getByLabel('Question').fill('the dog');
    await page.locator('.hits li').first().waitFor();
    assert.deepEqual(await names(context, page), []);
    for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        assert.deepEqual(await page.evaluate(contrasts), [], colorScheme);
    }
    await page.setViewportSize({ width: 360, height: 740 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${wide} pixels too wide`);
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.getByLabel('Text to judge').focus();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.labels?.[0]?.innerText.startsWith('Documents')), true);
});

check('a conversation with an encoder is not offered', async () => {
    await page.getByRole('link', { name: 'New conversation' }).click();
    await page.getByText('it writes none').waitFor();
    await page.getByLabel('Your message').fill('Hello');
    assert.equal(await page.getByRole('button', { name: 'Send' }).isDisabled(), true);
    await page.getByRole('link', { name: 'Go to Text' }).click();
    await page.getByRole('heading', { name: 'Classify' }).waitFor();
});

check('works offline after the first visit', async () => {
    await page.evaluate(() => navigator.serviceWorker?.ready.then(() => true));
    await shut(server);
    server = undefined;
    await page.reload();
    await page.getByRole('heading', { name: 'Classify' }).waitFor();
    await page.getByLabel('Text to judge').fill('a good dog');
    await page.getByRole('status', { name: 'Labels' }).getByRole('listitem').first().waitFor();
    assert.deepEqual(complaints, []);
});
