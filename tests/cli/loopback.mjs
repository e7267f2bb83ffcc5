// SPDX-License-Identifier: Apache-2.0
//
// What the tests of pull share: a home of its own for each test, servers on the loopback, and a model that is
// one as far as pull can tell. All of it ends with the test file that imports it.

import { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';

export const MOTE = path.resolve(process.env.MOTE ?? 'build/mote');
const LIMIT = 60_000; // ms that one run may take
export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
export const integrity = (bytes) => 'sha512-' + createHash('sha512').update(bytes).digest('base64');

// A model as far as pull can tell: the magic of GGUF, then bytes that do not compress.
export function makeModel(size, seed = 1) {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i + 4 <= size; i += 4) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    bytes.writeUInt32LE((seed ^ (seed >>> 15)) >>> 0, i);
  }
  bytes.write('GGUF');
  return bytes;
}
export const MODEL = makeModel(3 << 20);

// ---- a place of its own for each test ----

export const root = fs.mkdtempSync(path.join(os.tmpdir(), 'mote-pull-'));
export const servers = [];
const children = new Set();
after(() => {
  for (const child of children) child.kill('SIGKILL');
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  fs.rmSync(root, { recursive: true, force: true });
});

before(() => {
  fs.mkdirSync(path.join(root, 'empty'));
  assert.ok(fs.existsSync(MOTE), `${MOTE} is not built`);
});

let places = 0;
export function place() {
  const home = path.join(root, String(++places));
  const models = path.join(home, 'models');
  fs.mkdirSync(path.join(home, '.config/mote'), { recursive: true });
  const env = { HOME: home, MOTE_MODELS: models, PATH: path.join(root, 'empty'), LANG: 'C.UTF-8' };
  return {
    home,
    models,
    env,
    kept: () => (fs.existsSync(models) ? fs.readdirSync(models).sort() : []),
    catalogue(...entries) {
      fs.writeFileSync(path.join(home, '.config/mote/catalogue.json'), JSON.stringify({ models: entries }));
    },
    // The program, started: its promise ends with what it said; child is there to be signalled.
    start(args, { command = MOTE, ...more } = {}) {
      const child = spawn(command, args, { env: { ...env, ...more }, stdio: ['ignore', 'pipe', 'pipe'], timeout: LIMIT });
      children.add(child);
      const said = { stdout: '', stderr: '' };
      child.stdout.on('data', (text) => (said.stdout += text));
      child.stderr.on('data', (text) => (said.stderr += text));
      const done = new Promise((resolve, reject) => {
        child.on('error', reject);
        child.on('close', (code, signal) => {
          children.delete(child);
          resolve({ code, signal, ...said });
        });
      });
      return { child, done };
    },
    run(args, more) {
      return this.start(args, more).done;
    },
  };
}

export async function serve(handler, secure) {
  const server = secure ? https.createServer(secure, handler) : http.createServer(handler);
  servers.push(server);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `${secure ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
}

// Answers with bytes as a server that knows ranges does.
export function sendFile(request, response, bytes, { etag = `"${sha256(bytes).slice(0, 16)}"`, headers = {} } = {}) {
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  const condition = request.headers['if-range'];
  const all = { 'accept-ranges': 'bytes', etag, ...headers };
  if (!range || (condition && condition !== etag)) {
    response.writeHead(200, { ...all, 'content-length': bytes.length });
    return response.end(bytes);
  }
  const from = Number(range[1]);
  if (from >= bytes.length) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` });
    return response.end();
  }
  const rest = bytes.subarray(from);
  response.writeHead(206, { ...all, 'content-length': rest.length, 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` });
  return response.end(rest);
}

// Sends the head of the whole and half of the body, then cuts the line.
export function sendHalf(response, bytes, headers = {}) {
  response.writeHead(200, { 'content-length': bytes.length, etag: `"${sha256(bytes).slice(0, 16)}"`, ...headers });
  response.write(bytes.subarray(0, bytes.length / 2), () => setTimeout(() => response.destroy(), 50));
}

export const entry = (sources, more = {}) => ({ name: 'toy', file: 'toy.gguf', bytes: MODEL.length, sha256: sha256(MODEL), licence: 'MIT', sources, ...more });

export function assertWhole(here, result, bytes = MODEL) {
  assert.equal(result.code, 0, result.stderr);
  const file = result.stdout.trim();
  assert.equal(sha256(fs.readFileSync(file)), sha256(bytes));
  assert.deepEqual(here.kept(), [path.basename(file)], 'nothing is left beside the model');
}

export async function until(condition, what) {
  for (let i = 0; i < 400; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail(`did not happen: ${what}`);
}
