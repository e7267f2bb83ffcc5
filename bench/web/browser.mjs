// SPDX-License-Identifier: Apache-2.0
//
// browser.mjs: one Chromium for web.mjs, the npm packages it is driven and compared with, and the server that its pages,
// both engines and the models come from, isolated and by ranges.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import { join, resolve } from 'node:path';
import { folder, root } from '../models.mjs';

/** The folder of npm packages, installed once into the user's cache. */
function packages() {
    const modules = join(folder, 'web');
    fs.mkdirSync(modules, { recursive: true });
    const lock = fs.readFileSync(join(root, 'bench/web/package-lock.json'));
    const have = join(modules, 'package-lock.json');
    if (!fs.existsSync(join(modules, 'node_modules')) || !fs.existsSync(have) || !fs.readFileSync(have).equals(lock)) {
        for (const name of ['package.json', 'package-lock.json']) fs.copyFileSync(join(root, 'bench/web', name), join(modules, name));
        execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: modules, stdio: 'inherit' });
        fs.writeFileSync(have, lock);
    }
    return join(modules, 'node_modules');
}

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };
const mote = resolve(root, process.env.PACKAGE ?? 'packages/mote', 'dist');

function answer(path, request, response) {
    if (!path || !fs.existsSync(path) || !fs.statSync(path).isFile()) return response.writeHead(404).end();
    const { size } = fs.statSync(path);
    const headers = {
        'content-type': TYPES[path.slice(path.lastIndexOf('.'))] ?? 'application/octet-stream',
        'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp',
        'accept-ranges': 'bytes', etag: `"${size}"`, 'cache-control': 'max-age=3600',
    };
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const from = range ? Number(range[1]) : 0;
    const to = range && range[2] ? Math.min(Number(range[2]), size - 1) : size - 1;
    if (range) headers['content-range'] = `bytes ${from}-${to}/${size}`;
    headers['content-length'] = Math.max(0, to - from + 1);
    response.writeHead(range ? 206 : 200, headers);
    if (request.method === 'HEAD' || to < from) return response.end();
    fs.createReadStream(path, { start: from, end: to }).pipe(response);
}

/** { open, url, close }: pages with an engine each, and addresses for files of models. */
export async function browser() {
    const modules = packages();
    const { chromium } = await import(join(modules, 'playwright-core/index.mjs'));
    const models = new Map();
    const find = (address) => {
        const path = decodeURIComponent(new URL(address, 'http://localhost').pathname);
        if (path.includes('..')) return undefined;
        if (path.startsWith('/model/')) return models.get(path.slice(7));
        if (path.startsWith('/mote/')) return join(mote, path.slice(6));
        if (path.startsWith('/onnx/')) return join(modules, 'onnxruntime-web/dist', path.slice(6));
        if (path.startsWith('/wllama/')) return join(modules, '@wllama/wllama/esm', path.slice(8));
        return join(root, 'bench/web', path);
    };
    const server = http.createServer((request, response) => answer(find(request.url), request, response));
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    const base = `http://127.0.0.1:${server.address().port}`;

    const profile = fs.mkdtempSync(join(os.tmpdir(), 'mote-bench-web-'));
    const context = await chromium.launchPersistentContext(profile, {
        executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    context.setDefaultTimeout(600_000);

    return {
        /** A page with an engine; its methods are called by name. */
        async open(name) {
            const page = await context.newPage();
            page.on('pageerror', (error) => console.error(`${name}: ${error.message}`));
            await page.goto(`${base}/${name}.html`);
            await page.waitForFunction(() => window.engine, null, { timeout: 60_000 });
            const call = (method, ...words) => page.evaluate(([m, w]) => window.engine[m](...w), [method, words]);
            return { page, call, close: () => page.close() };
        },
        url(path) {
            const name = path.slice(path.lastIndexOf('/') + 1);
            models.set(name, path);
            return `${base}/model/${name}`;
        },
        async close() {
            await context.close();
            server.close();
            fs.rmSync(profile, { recursive: true, force: true });
        },
    };
}
