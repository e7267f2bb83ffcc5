// SPDX-License-Identifier: Apache-2.0
//
// page.update.test.mjs: a site that changes under a page that is kept: the page is the old one or the new one, whole, and
// the new one at the next visit.
import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { site } from '../../tools/serve.mjs';
import { builtPage, listen, shut } from './page.world.mjs';
import { launchChromium, scratch } from './world.mjs';

let browser, context, page, server, current, base;

/** The page as built, with a mark in its document, in a script it loads, and in the name of its version. */
function version(mark) {
    const root = join(scratch, `site-${mark}`);
    rmSync(root, { recursive: true, force: true });
    cpSync(builtPage(), root, { recursive: true });
    const change = (name, how) => writeFileSync(join(root, name), how(readFileSync(join(root, name), 'utf8')));
    const own = mark.repeat(12);
    change('index.html', (text) => text.replace('<head>', `<head><meta name="mark" content="${mark}">`).replace(/(name="version" content=)"\w+"/, `$1"${own}"`));
    change('mote/worker.js', (text) => `${text}\n// mark ${mark}\n`);
    change('sw.js', (text) => text.replace(/const VERSION = "\w+"/, `const VERSION = "${own}"`));
    return root;
}
const publish = (root) => (current = site({ root }));

before(async () => {
    browser = await launchChromium();
    context = browser.context;
    if (!context) return;
    publish(version('a'));
    server = createServer((request, response) => current.emit('request', request, response));
    base = `http://localhost:${await listen(server)}/`;
    context.setDefaultTimeout(15_000);
    page = await context.newPage();
});
after(async () => {
    await browser.close?.();
    if (server) await shut(server);
});
const check = (name, run) => test(name, { timeout: 60_000 }, async (t) => (context ? run(t) : t.skip(browser.why)));

/** In the page: the marks of its document, of a script it would load now, and how many versions are kept. */
const marks = async () => {
    const script = await (await fetch('mote/worker.js')).text();
    return [document.querySelector('meta[name=mark]').content, /\/\/ mark (\w)/.exec(script)[1], (await caches.keys()).length];
};
const shown = (mark, on = page) => on.waitForFunction((mark) => document.querySelector('meta[name=mark]')?.content === mark && document.querySelector('main'), mark);
/** Until something that takes a while to find out is so. */
async function until(what) {
    const end = Date.now() + 15_000;
    while (!(await page.evaluate(what))) {
        assert.ok(Date.now() < end, `not in time: ${what}`);
        await page.waitForTimeout(50);
    }
}
/** A newer version was fetched whole and waits. */
const waits = () => until(async () => Boolean((await navigator.serviceWorker.getRegistration())?.waiting));
const quiet = () => page.waitForTimeout(300);

check('what is published is taken at the next visit', async () => {
    await page.goto(base);
    await page.waitForFunction(() => navigator.serviceWorker.controller);
    publish(version('b'));
    await page.reload();
    await shown('a');
    assert.deepEqual((await page.evaluate(marks)).slice(0, 2), ['a', 'a']);
    await waits();
    assert.deepEqual(await page.evaluate(marks), ['a', 'a', 2]);
    await page.goto(base);
    await shown('b');
    await until(async () => (await caches.keys()).length === 1);
    assert.deepEqual(await page.evaluate(marks), ['b', 'b', 1]);
});

check('not while another tab shows the old one', async () => {
    const other = await context.newPage();
    await other.goto(base);
    await shown('b', other);
    publish(version('c'));
    await page.reload();
    await page.getByRole('button', { name: 'Use it' }).click();
    await page.getByText('Close the other tabs of this page first').waitFor();
    await page.reload();
    await shown('b');
    await quiet();
    for (const tab of [page, other]) assert.deepEqual((await tab.evaluate(marks)).slice(0, 2), ['b', 'b']);
    await other.close();
    // It may be about to load itself again, as it was still asking whether it is alone.
    await page.reload().catch((error) => assert.match(error.message, /ERR_ABORTED/));
    await shown('c');
    assert.deepEqual((await page.evaluate(marks)).slice(0, 2), ['c', 'c']);
});

check('a button takes it at once', async () => {
    publish(version('d'));
    await page.reload();
    await page.getByRole('button', { name: 'Use it' }).click();
    await shown('d');
    assert.deepEqual((await page.evaluate(marks)).slice(0, 2), ['d', 'd']);
});

check('not before all of it is there', async () => {
    const root = version('e');
    rmSync(join(root, 'mote/shared.js'));
    publish(root);
    await page.reload();
    await shown('d');
    // It was looked for, not all found, and thrown away.
    await page.evaluate(async () => {
        const registration = await navigator.serviceWorker.getRegistration();
        const installing = registration.installing ?? (await registration.update()).installing;
        if (installing) await new Promise((done) => installing.addEventListener('statechange', () => installing.state === 'redundant' && done()));
    });
    await page.reload();
    await shown('d');
    await quiet();
    assert.deepEqual((await page.evaluate(marks)).slice(0, 2), ['d', 'd']);
    publish(version('e'));
    await page.reload();
    await waits();
    await page.reload();
    await shown('e');
    assert.deepEqual((await page.evaluate(marks)).slice(0, 2), ['e', 'e']);
});
