// SPDX-License-Identifier: Apache-2.0
//
// peer.mjs: what the golden tests share: running mote, running llama.cpp (node-llama-cpp) on the same model,
// and comparing what the two say about the next token.
//
// Both are teacher-forced: they read the same tokens, and at every position each has a distribution over the
// next one. mote writes its logits as they are (`perplexity --dump`); llama.cpp gives probabilities in f32,
// so logits are compared as log-probabilities: the same but for a constant in each row, which carries no
// meaning. A probability below 1e-30 is near the end of f32 and is left out.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
const build = resolve(root, process.env.BUILD ?? 'build');
export const scratch = join(build, 'tests/golden');
mkdirSync(scratch, { recursive: true });

const FLOOR = 1e-30;

/** The path of a file of the shared data folder, or null where it is not there. */
export function shared(name) {
    const path = resolve(root, process.env.MOTE_SHARED ?? '../shared/data', name);
    return existsSync(path) ? path : null;
}

/** Runs a program of the build folder; returns its stdout; throws with its stderr. */
export function tool(name, args, input = '') {
    const stdio = ['pipe', 'pipe', 'pipe']; // what goes to stderr is shown only when it fails
    return execFileSync(join(build, name), args, { input, stdio, encoding: 'utf8', maxBuffer: 1 << 28, cwd: root });
}
export const mote = (...args) => tool('mote', args);

/** The path of a model of the catalogue, fetched if it is not there. */
export function pull(name) {
    mote('pull', name);
    const { models } = JSON.parse(readFileSync(join(root, 'share/catalogue.json'), 'utf8'));
    const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
    const folder = process.env.MOTE_MODELS || join(cache, 'mote/models');
    return join(folder, models.find((m) => m.name === name).file);
}

/** The tokens of a text, as mote sees them. */
export function tokenize(model, text) {
    return tool('mote', ['tokenize', model, '--ids'], text).trim().split(/\s+/).map(Number);
}

let files = 0;

/** A file of ids, for --ids. */
export function idsFile(ids) {
    const path = join(scratch, `${process.pid}-${files++}.ids`);
    writeFileSync(path, ids.join(' ') + '\n');
    process.on('exit', () => rmSync(path, { force: true }));
    return path;
}

/** mote's logits at every position of ids: an array of Float32Array [V]. */
export function logits(model, ids, ...options) {
    const out = join(scratch, `${process.pid}-${files++}.f32`);
    mote('perplexity', model, '--ids', idsFile(ids), '-c', String(ids.length), '--dump', out, ...options);
    const bytes = readFileSync(out);
    rmSync(out);
    const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const n = all.length / ids.length;
    if (!Number.isInteger(n)) throw new Error(`dump of ${all.length} values for ${ids.length} positions`);
    return ids.map((_, t) => all.subarray(t * n, (t + 1) * n));
}

/** The digest of all logits, as `perplexity --logits-sha256` prints it; ids are read in windows of n. */
export function digest(model, ids, n, ...options) {
    const text = mote('perplexity', model, '--ids', idsFile(ids), '-c', String(n), '--logits-sha256', ...options);
    const found = text.match(/\b[0-9a-f]{64}\b/g);
    if (found?.length !== 1) throw new Error(`no digest in: ${text}`);
    return found[0];
}

let llama;

/** llama.cpp on one model, on the CPU, with an f32 KV cache and without flash attention. One thread: two that
 *  wait for each other by spinning are ten times slower on a machine with other things to do. */
export class Peer {
    static async open(path, n_context) {
        const { getLlama, LlamaLogLevel } = await import('node-llama-cpp');
        llama ??= await getLlama({ gpu: false, build: 'never', maxThreads: 1, logLevel: LlamaLogLevel.error });
        const peer = new Peer();
        peer.model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
        peer.context = await peer.model.createContext({
            contextSize: n_context + 32, // a full context would be shifted, and the last position with it
            batchSize: Math.min(n_context, 512),
            threads: 1,
            flashAttention: false,
            experimentalKvCacheKeyType: 'F32',
            experimentalKvCacheValueType: 'F32',
        });
        peer.sequence = peer.context.getSequence();
        return peer;
    }

    /** Next-token probabilities after each of ids, which follow what was read before: Float32Array [V] each. */
    async read(ids) {
        const rows = [];
        for (let at = 0; at < ids.length; at += 64) {
            const piece = ids.slice(at, at + 64).map((id) => [id, { generateNext: { probabilities: true } }]);
            for (const { next } of await this.sequence.controlledEvaluate(piece)) {
                const row = new Float32Array(next.probabilities.size);
                for (const [id, p] of next.probabilities) row[id] = p;
                rows.push(row);
            }
        }
        return rows;
    }

    /** The n most likely tokens in a row after ids. */
    async greedy(ids, n) {
        const tokens = [];
        let [row] = (await this.read(ids)).slice(-1);
        while (tokens.length < n) {
            tokens.push(top(row));
            if (tokens.length < n) [row] = await this.read(tokens.slice(-1));
        }
        return tokens;
    }

    async close() {
        await this.context.dispose();
        await this.model.dispose();
    }
}

/** The place of the largest value; of equal ones the first. */
export function top(row) {
    let best = 0;
    for (let i = 1; i < row.length; i++) if (row[i] > row[best]) best = i;
    return best;
}

function logSumExp(row) {
    const max = row[top(row)];
    let sum = 0;
    for (const value of row) sum += Math.exp(value - max);
    return max + Math.log(sum);
}

/** Compares mote's logits with a peer's probabilities for the same tokens:
 *  top1        share of positions where the most likely token is the same
 *  kl          mean over positions of Σ p·ln(p/q), p the peer's, q mote's
 *  worst       largest difference of two log-probabilities
 *  ours, theirs  perplexity of ids themselves */
export function compare(ids, logitRows, probabilityRows) {
    let same = 0;
    let kl = 0;
    let worst = 0;
    let ours = 0;
    let theirs = 0;
    for (const [t, p] of probabilityRows.entries()) {
        const row = logitRows[t];
        if (row.length !== p.length) throw new Error(`vocabularies of ${row.length} and ${p.length}`);
        const all = logSumExp(row);
        // f32 sums over a vocabulary are a few parts in ten thousand from 1.
        const sum = p.reduce((a, b) => a + b, 0);
        for (let i = 0; i < p.length; i++) {
            if (p[i] < FLOOR) continue;
            const difference = Math.log(p[i] / sum) - (row[i] - all);
            kl += (p[i] / sum) * difference;
            // NaN must lose: it is not <= anything.
            if (!(Math.abs(difference) <= worst)) worst = Math.abs(difference);
        }
        same += top(row) === top(p);
        if (t + 1 < ids.length) {
            ours -= row[ids[t + 1]] - all;
            theirs -= Math.log(p[ids[t + 1]] / sum);
        }
    }
    const n = probabilityRows.length;
    return {
        n,
        top1: same / n,
        kl: kl / n,
        worst,
        ours: Math.exp(ours / (ids.length - 1)),
        theirs: Math.exp(theirs / (ids.length - 1)),
    };
}

/** A line of figures that tools/test.sh shows. */
export function measured(name, r) {
    console.log(
        `measured: ${name}: top-1 ${(100 * r.top1).toFixed(2)} % of ${r.n}, mean KL ${r.kl.toExponential(2)}, ` +
            `largest log-probability difference ${r.worst.toExponential(2)}, ` +
            `perplexity ${r.ours.toFixed(4)} (llama.cpp ${r.theirs.toFixed(4)})`,
    );
}
