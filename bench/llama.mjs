// SPDX-License-Identifier: Apache-2.0
//
// llama.mjs: llama.cpp (node-llama-cpp) as a program that times what it is told to, for peers.mjs.
//
//     node llama.mjs NODE_MODULES        a JSON object a line on stdin, one back on stdout
//
//     { do: "open", path, threads, context, sequences }   -> { ms }
//     { do: "prompt", n, depth }                          -> { ms }   reads n tokens behind depth others
//     { do: "decode", n, depth, batch }                   -> { ms }   makes n tokens in each of batch sequences
//     { do: "first", path, threads, n }                   -> { ms }   open, read n tokens, make one
//     { do: "peak" }                                      -> { bytes }  most resident memory, less Node's own
//
// Times are taken here, so that starting Node and talking to it count for nothing. Decoding goes through the
// library's own loop with greedy choice, the least work that it offers for a token; flash attention is left to
// llama.cpp's own choice. The tokens are made up, as in `mote bench`.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const modules = resolve(process.argv[2]);
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(join(modules, 'node-llama-cpp/dist/index.js')));
const llama = await getLlama({ gpu: false, build: 'never', maxThreads: 0, logLevel: LlamaLogLevel.error });

/** A line of /proc/self/status in bytes; 0 where there is none. */
function resident(name) {
    try {
        return 1024 * Number(readFileSync('/proc/self/status', 'utf8').match(new RegExp(`${name}:\\s+(\\d+)`))[1]);
    } catch {
        return 0;
    }
}
const before = resident('VmRSS');

let model, context;
const sequences = [];

const ids = (at, n) => Array.from({ length: n }, (_, i) => ((at + i + 1) * 7919) % vocabulary);
let vocabulary;

async function open({ path, threads, context: size, sequences: n = 1 }) {
    model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
    vocabulary = model.fileInfo.metadata.tokenizer.ggml.tokens.length;
    context = await model.createContext({
        contextSize: size,
        sequences: n,
        batchSize: Math.min(size, 512),
        threads: { ideal: threads, min: threads },
        failedCreationRemedy: false,
        ignoreMemorySafetyChecks: true,
    });
    for (let i = 0; i < n; i++) sequences.push(context.getSequence());
}

/** Brings a sequence to so many tokens. */
async function reach(sequence, depth) {
    const length = sequence.nextTokenIndex;
    if (length > depth) await sequence.eraseContextTokenRanges([{ start: depth, end: length }]);
    else if (length < depth) await sequence.evaluateWithoutGeneratingNewTokens(ids(length, depth - length));
    if (sequence.nextTokenIndex !== depth) throw new Error(`at ${sequence.nextTokenIndex} tokens, not at ${depth}`);
}

async function make(sequence, n) {
    const tokens = sequence.evaluate(ids(sequence.nextTokenIndex, 1), { temperature: 0, yieldEogToken: true });
    for (let i = 0; i < n; i++) if ((await tokens.next()).done) throw new Error('the answer ended');
    await tokens.return();
}

async function timed(work) {
    const start = performance.now();
    await work();
    return { ms: performance.now() - start };
}

const orders = {
    open: (order) => timed(() => open(order)),
    async prompt({ n, depth = 0 }) {
        await reach(sequences[0], depth);
        return timed(() => sequences[0].evaluateWithoutGeneratingNewTokens(ids(depth, n)));
    },
    async decode({ n, depth = 0, batch = 1 }) {
        const some = sequences.slice(0, batch);
        for (const sequence of some) await reach(sequence, depth);
        return timed(() => Promise.all(some.map((sequence) => make(sequence, n))));
    },
    first: ({ path, threads, n }) =>
        timed(async () => {
            await open({ path, threads, context: 512 });
            await sequences[0].evaluateWithoutGeneratingNewTokens(ids(0, n - 1));
            await make(sequences[0], 1);
        }),
    peak: () => ({ bytes: resident('VmHWM') - before }),
};

for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    let answer;
    try {
        answer = await orders[order.do](order);
    } catch (error) {
        answer = { error: String(error.message ?? error) };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
}
process.exit(0);
