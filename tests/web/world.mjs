// SPDX-License-Identifier: Apache-2.0
//
// world.mjs: what the tests of the package share: models, a server for them, and browsers.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { serve } from './server.mjs';

export const root = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
const build = resolve(root, process.env.BUILD ?? 'build');
export const pkg = join(root, 'packages/mote/dist');
export const scratch = join(build, 'tests/web');
mkdirSync(scratch, { recursive: true });

/** Runs a program of the build folder; returns its stdout. */
export function tool(name, ...args) {
    return execFileSync(join(build, name), args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8', maxBuffer: 1 << 28, cwd: root });
}

/** A model with made-up weights, made once. */
function synth(name, ...options) {
    const path = join(scratch, name);
    if (!existsSync(path)) tool('mote-synth', ...options, '-o', path);
    return path;
}

/** A model of the catalogue, fetched once by `mote pull`. */
export function pull(name) {
    tool('mote', 'pull', name);
    const { models } = JSON.parse(readFileSync(join(root, 'share/catalogue.json'), 'utf8'));
    const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
    return join(process.env.MOTE_MODELS || join(cache, 'mote/models'), models.find((m) => m.name === name).file);
}

/** A file cut into n parts, at places that mean nothing to it. */
export function cut(path, n) {
    const bytes = readFileSync(path);
    const step = Math.ceil(bytes.length / n);
    return Array.from({ length: n }, (_, i) => bytes.subarray(i * step, (i + 1) * step));
}

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** A file, made once, of these bytes. */
function made(name, bytes) {
    const path = join(scratch, name);
    writeFileSync(path, bytes());
    return path;
}

/** All models by the name they are served under. */
export function makeModels() {
    const stories = pull('stories15m');
    const tiny = synth('tiny.gguf', '--shape', 'tiny', '--type', 'Q8_0', '--rope', 'llama3');
    const whole = readFileSync(tiny);
    const shards = split(whole, 3);
    const models = {
        'stories.gguf': stories,
        'tiny.gguf': tiny,
        'truncated.gguf': made('truncated.gguf', () => whole.subarray(0, whole.length - 1000)),
        'headless.gguf': made('headless.gguf', () => whole.subarray(0, 300)),
        'page.gguf': made('page.gguf', () => Buffer.from('<!doctype html><title>Please sign in</title>')),
        'garbage.gguf': made('garbage.gguf', () => Buffer.concat([whole.subarray(0, 24), Buffer.alloc(5000, 0xab)])),
    };
    shards.forEach((shard, i) => {
        const name = `shard-${String(i + 1).padStart(5, '0')}-of-${String(shards.length).padStart(5, '0')}.gguf`;
        models[name] = made(name, () => shard);
    });
    return models;
}

/** The text that the digests are of, and its tokens (the first n of them) by the command. */
export function reference(model, n = Infinity) {
    const text = 'Once upon a time, there was a little girl. She had a big dog, and the dog liked to run in the park with Tom. '.repeat(3);
    const file = join(scratch, `${process.pid}.txt`);
    const idsFile = join(scratch, `${process.pid}.ids`);
    writeFileSync(file, text);
    const out = execFileSync(join(build, 'mote'), ['tokenize', model, '--ids', '--special'], { input: text, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });
    const ids = out.trim().split(/\s+/).map(Number).slice(0, n);
    writeFileSync(idsFile, ids.join(' '));
    const digest = /logits-sha256 ([0-9a-f]{64})/.exec(tool('mote', 'perplexity', model, '--ids', idsFile, '-c', '32', '--logits-sha256'))[1];
    rmSync(file);
    rmSync(idsFile);
    return { text, ids, digest, window: 32 };
}

/** What the command says to a prompt, always taking the likeliest token. */
export function said(model, prompt, n) {
    return tool('mote', 'run', model, '--raw', '--temp', '0', '-n', String(n), '-p', prompt);
}

export async function startServer() {
    const models = makeModels();
    return Object.assign(await serve({ pkg, models }), { models });
}

/* ---- gguf-split, in small: the same tensors over n files ---- */

function split(bytes, n) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const SIZES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
    let at = 24;
    const u64 = () => Number(view.getBigUint64((at += 8) - 8, true));
    const u32 = () => view.getUint32((at += 4) - 4, true);
    const skip = (n) => (at += n);
    const string = () => skip(u64());
    const value = (type) => {
        if (type === 8) string();
        else if (type === 9) for (let element = u32(), i = u64(); i > 0; i--) value(element);
        else at += SIZES[type];
    };
    const nTensors = Number(view.getBigUint64(8, true));
    const nKeys = Number(view.getBigUint64(16, true));
    for (let i = 0; i < nKeys; i++) {
        string();
        value(u32());
    }
    const keys = bytes.subarray(24, at);
    const tensors = [];
    for (let i = 0; i < nTensors; i++) {
        const start = at;
        string();
        skip(8 * u32() + 4);
        tensors.push({ start, offset: u64(), end: at });
    }
    const data = Math.ceil(at / 32) * 32;
    const order = [...tensors].sort((a, b) => a.offset - b.offset);
    order.forEach((tensor, i) => (tensor.bytes = (order[i + 1]?.offset ?? bytes.length - data) - tensor.offset));
    const u64le = (x) => Buffer.from(new BigUint64Array([BigInt(x)]).buffer);
    const key = (name, type, x) => {
        const body = Buffer.alloc(type === 2 ? 2 : 4);
        if (type === 2) body.writeUInt16LE(x);
        else body.writeInt32LE(x);
        return Buffer.concat([u64le(name.length), Buffer.from(name), Buffer.from(new Uint32Array([type]).buffer), body]);
    };
    return Array.from({ length: n }, (_, no) => {
        const own = tensors.filter((_, i) => i % n === no);
        const about = Buffer.concat([key('split.no', 2, no), key('split.count', 2, n), key('split.tensors.count', 5, nTensors)]);
        let offset = 0;
        const infos = [];
        const pieces = [];
        for (const tensor of own) {
            infos.push(bytes.subarray(tensor.start, tensor.end - 8), u64le(offset));
            pieces.push(bytes.subarray(data + tensor.offset, data + tensor.offset + tensor.bytes));
            offset += tensor.bytes;
        }
        const head = Buffer.concat([bytes.subarray(0, 8), u64le(own.length), u64le(3 + (no === 0 ? nKeys : 0)), about, no === 0 ? keys : Buffer.alloc(0), ...infos]);
        return Buffer.concat([head, Buffer.alloc(Math.ceil(head.length / 32) * 32 - head.length), ...pieces]);
    });
}

/* ---- browsers ---- */

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Chromium with a profile of its own, through playwright-core; undefined, and why, where there is none. */
export async function launchChromium(...flags) {
    if (!existsSync(CHROMIUM)) return { why: `no ${CHROMIUM} here` };
    const { chromium } = await import('playwright-core');
    const profile = mkdtempSync(join(tmpdir(), 'mote-web-'));
    const context = await chromium.launchPersistentContext(profile, { executablePath: CHROMIUM, headless: true, args: [...FLAGS, ...flags] });
    const close = async () => {
        await context.close();
        rmSync(profile, { recursive: true, force: true });
    };
    return { context, close };
}

/** A page with the package in it, whose errors end the test. */
export async function openPage(context, url) {
    const page = await context.newPage();
    page.on('pageerror', (error) => console.error(`page: ${error.message}`));
    await page.goto(url);
    await page.waitForFunction('globalThis.isReady');
    return page;
}

/** Waits until a page has no workers; true if it comes to that. */
export async function noWorkers(page) {
    for (let tries = 0; tries < 50 && page.workers().length > 0; tries++) await new Promise((resolve) => setTimeout(resolve, 100));
    return page.workers().length === 0;
}
