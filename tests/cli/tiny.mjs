// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the command share: running it, and a model made here, with random weights: a llama2.c
// checkpoint of 300 tokens, 2 layers, 4 heads on 2 kv heads, which `mote convert` turns into a GGUF file. Its
// answers are nonsense, always the same nonsense, and never end by themselves: the output row of </s> is zero.
// All files go when the test file ends.

import { after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export const MOTE = path.resolve(process.env.MOTE ?? 'build/mote');
export const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mote-cli-'));
after(() => fs.rmSync(folder, { recursive: true, force: true }));
export const file = (name) => path.join(folder, name);
export const sanitized = ['__asan_', '__tsan_', '__ubsan_'].some((name) => fs.readFileSync(MOTE).includes(name));
const env = {
    ...process.env,
    HOME: folder,
    MOTE_MODELS: file('models'),
    XDG_STATE_HOME: file('state'),
    XDG_CONFIG_HOME: file('config'),
    LC_ALL: 'C.UTF-8',
    TERM: 'xterm',
};

/** Runs mote to its end; stdout and stderr are text, or bytes with { bytes: true }. */
export function mote(args, options = {}) {
    const result = spawnSync(MOTE, args, {
        input: Buffer.from(options.input ?? ''),
        encoding: options.bytes ? 'buffer' : 'utf8',
        timeout: 120_000,
        maxBuffer: 1 << 28,
        env: { ...env, ...options.env },
        cwd: folder,
    });
    return { code: result.status ?? result.signal, stdout: result.stdout, stderr: result.stderr };
}

/** The same through a shell line in which $MOTE is the command. */
export function shell(line, options = {}) {
    const result = spawnSync('bash', ['-c', line], {
        input: options.input ?? '',
        encoding: 'utf8',
        timeout: 120_000,
        env: { ...env, MOTE },
        cwd: folder,
    });
    return { code: result.status ?? result.signal, stdout: result.stdout, stderr: result.stderr };
}

/** Starts a program; `seen` is called whenever stdout has brought something: { all, rest }, of which it may cut
 * away from `rest` what it has read. `begun` is called once, at the start. */
export function begin(program, args, seen, stdin = 'pipe', begun = () => {}) {
    return new Promise((resolve) => {
        const child = spawn(program, args, { env: { ...env, MOTE }, cwd: folder, stdio: [stdin, 'pipe', 'pipe'] });
        const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
        const screen = { all: '', rest: '' };
        let stderr = '';
        child.stdin?.on('error', () => {}); // it may be gone before the last key
        begun(child);
        child.stdout.on('data', (data) => {
            screen.all += data;
            screen.rest += data;
            seen(screen, child);
        });
        child.stderr.on('data', (data) => (stderr += data));
        child.on('close', (code, signal) => {
            clearTimeout(timer);
            resolve({ code: code ?? signal, stdout: screen.all, stderr });
        });
    });
}

/** Starts mote; `begun` is called once, at the first byte of stdout. */
export const start = (args, begun) => {
    let first = true;
    return begin(MOTE, args, (screen, child) => {
        if (first) begun(child);
        first = false;
    }, 'ignore');
};

/** Asserts an exit code, an empty stdout unless told otherwise, and what stderr says. */
export function assertFails(result, code, text) {
    assert.equal(result.code, code, result.stderr);
    assert.equal(result.stdout.length, 0, `stdout: ${result.stdout}`);
    assert.match(result.stderr, /^mote: /m);
    assert.match(result.stderr, text);
}

let seed = 12345;
function random() {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
}

export const shape = { dim: 32, hidden: 48, layers: 2, heads: 4, kvHeads: 2, vocab: 300, context: 128 };

/** A llama2.c checkpoint of random weights. */
export function checkpoint({ dim, hidden, layers, heads, kvHeads, vocab, context } = shape, tied = true) {
    const e = dim / heads;
    const plain = (n) => Array.from({ length: n }, () => (random() - 0.5) * 2);
    const ones = (n) => Array.from({ length: n }, () => 0.9 + 0.2 * random());
    const weights = [
        ...Array.from({ length: vocab * dim }, () => (random() - 0.5) * 2),
        ...ones(layers * dim),
        ...plain(layers * dim * dim + 2 * layers * kvHeads * e * dim + layers * dim * dim),
        ...ones(layers * dim),
        ...plain(3 * layers * hidden * dim),
        ...ones(dim),
        ...plain(context * e),
        ...(tied ? [] : plain(vocab * dim).map((w, i) => (Math.floor(i / dim) === 2 ? 0 : w))),
    ];
    const header = Int32Array.of(dim, hidden, layers, heads, kvHeads, tied ? vocab : -vocab, context);
    return Buffer.concat([Buffer.from(header.buffer), Buffer.from(Float32Array.from(weights).buffer)]);
}

/** Its tokenizer: three special tokens, 256 bytes, then letters and a few merges of them. */
export function tokenizer(vocab = shape.vocab) {
    const pieces = ['<unk>', '\n<s>\n', '\n</s>\n'];
    for (let i = 0; i < 256; i++) pieces.push(`<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
    for (const letter of 'abcdefghijklmnopqrstuvwxyz .,') pieces.push(letter);
    for (const piece of [' t', 'he', ' the', 'er', ' a', 'on', 'é', '日', ' s', 'in', 'an', ' w']) pieces.push(piece);
    assert.equal(pieces.length, vocab);
    const parts = [Buffer.from(Uint32Array.of(7).buffer)];
    pieces.forEach((piece, i) => {
        const bytes = Buffer.from(piece);
        const head = Buffer.alloc(8);
        head.writeFloatLE(i < 259 ? 0 : 259 - i, 0);
        head.writeInt32LE(bytes.length, 4);
        parts.push(head, bytes);
    });
    return Buffer.concat(parts);
}

fs.writeFileSync(file('tiny.bin'), checkpoint(shape, false));
fs.writeFileSync(file('tiny.tok'), tokenizer());
export const model = file('tiny.gguf');
export const converted = mote(['convert', 'tiny.bin', '--tokenizer', 'tiny.tok', '-o', 'tiny.gguf']);
assert.equal(converted.code, 0, converted.stderr);
