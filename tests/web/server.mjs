// SPDX-License-Identifier: Apache-2.0
//
// server.mjs: the world's web servers, good and bad, in one, for tests. Below /iso/ all answers carry the headers of
// cross-origin isolation, elsewhere none do. Models are at /model/NAME; the query says how it behaves:
//
//     rate=N      bytes a second for each connection       cut=N      connections end after N bytes
//     plain=1     ranges are ignored                       unsized=1  and the length is not told
//     lie=range   answers with another range               lie=total  with another total, after the first request
//     lie=huge    with a total of petabytes                lie=etag   with another ETag each time
//     etag=X      the file's ETag                          fail=N     the first N requests fail with 503
//     hide=1      Content-Range is not shown (as across origins without Access-Control-Expose-Headers)
//
// `requests` holds what was asked for and how many bytes went out. `script`, where a test sets it, gives what stands
// before a worker's script, each time that is asked for, or null: there is none.
import { createServer } from 'node:http';
import { readFileSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };
const ISOLATION = {
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp',
    'Cross-Origin-Resource-Policy': 'cross-origin',
};
const PAGE = (head) => `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">${head}<input type="file" id="file">
<script type="module">import * as mote from './pkg/index.js'; Object.assign(globalThis, mote); globalThis.isReady = true;</script>`;

export async function serve({ pkg, models }) {
    const requests = [];
    const failed = new Map();
    const world = { requests, script: undefined };
    const server = createServer((request, response) => {
        answer(request, response).catch((error) => response.destroy(error));
    });

    async function answer(request, response) {
        const url = new URL(request.url, 'http://localhost');
        const isolated = url.pathname.startsWith('/iso/');
        const path = isolated ? url.pathname.slice(4) : url.pathname;
        const headers = isolated ? { ...ISOLATION } : {};
        if (path === '/page.html' || path === '/coi.html') {
            const head = path === '/coi.html' ? '<script src="coi.js"></script>' : '';
            return response.writeHead(200, { ...headers, 'Content-Type': 'text/html' }).end(PAGE(head));
        }
        if (path.startsWith('/model/')) return model(request, response, url, path, headers);
        const file = join(pkg, normalize(path.replace(/^\/pkg/, '')));
        try {
            const before = world.script && path.endsWith('/worker.js') ? world.script() : '';
            if (before === null) return response.writeHead(404).end();
            const body = Buffer.concat([Buffer.from(before), readFileSync(file)]);
            response.writeHead(200, { ...headers, 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream', 'Cache-Control': 'no-cache' }).end(body);
        } catch {
            response.writeHead(404).end();
        }
    }

    async function model(request, response, url, path, headers) {
        const how = url.searchParams;
        const entry = { path: url.pathname + url.search, range: request.headers.range ?? '', sent: 0 };
        requests.push(entry);
        const name = path.slice('/model/'.length);
        if (!models[name]) return response.writeHead(404).end();
        const seen = failed.get(entry.path) ?? 0;
        failed.set(entry.path, seen + 1);
        if (seen < Number(how.get('fail') ?? 0)) return response.writeHead(503).end();
        const size = statSync(models[name]).size;
        const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
        let [from, to, status] = [0, size, 200];
        if (match && !how.has('plain')) {
            [from, to, status] = [Number(match[1]), Math.min(Number(match[2]) + 1, size), 206];
            const shift = how.get('lie') === 'range' && from > 0 ? 1 : 0;
            const total = how.get('lie') === 'huge' ? 9e15 : how.get('lie') === 'total' && from > 0 ? size + 1 : size;
            if (!how.has('hide')) headers['Content-Range'] = `bytes ${from + shift}-${to - 1 + shift}/${total}`;
        }
        if (how.has('etag')) headers.ETag = `"${how.get('etag')}"`;
        if (how.get('lie') === 'etag') headers.ETag = `"${requests.length}"`;
        if (!how.has('unsized')) headers['Content-Length'] = to - from;
        headers['Content-Type'] = 'application/octet-stream';
        response.writeHead(status, headers);
        if (request.method === 'HEAD') return response.end();
        await send(models[name], from, to, response, entry, how);
    }

    async function send(name, from, to, response, entry, how) {
        const rate = Number(how.get('rate') ?? Infinity);
        const cut = Number(how.get('cut') ?? Infinity);
        const file = await open(name);
        try {
            const chunk = Math.min(1 << 16, Math.max(1024, Math.floor(rate / 20)));
            for (let at = from; at < to && !response.destroyed; ) {
                if (entry.sent >= cut) return response.destroy();
                const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(chunk, to - at)), 0, Math.min(chunk, to - at), at);
                at += bytesRead;
                entry.sent += bytesRead;
                if (!response.write(buffer)) await drained(response);
                if (rate < Infinity) await new Promise((resolve) => setTimeout(resolve, (1000 * chunk) / rate));
            }
            response.end();
        } finally {
            await file.close();
        }
    }

    const drained = (response) =>
        new Promise((resolve) => {
            if (response.destroyed) return resolve();
            const go = () => {
                response.off('drain', go).off('close', go);
                resolve();
            };
            response.on('drain', go).on('close', go);
        });

    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address();
    return Object.assign(world, {
        port,
        url: `http://localhost:${port}`,
        sent: () => requests.reduce((sum, entry) => sum + entry.sent, 0),
        close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))),
    });
}
