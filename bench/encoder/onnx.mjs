// SPDX-License-Identifier: Apache-2.0
//
// onnx.mjs: a process that runs an encoder with ONNX Runtime, for encoders.mjs. It reads one JSON order from
// stdin, { model, threads, n, runs } or { model, threads, texts: [[id, …], …], batch }, and prints one JSON
// answer: the milliseconds of each run of one text of n tokens, or of all texts once, sorted by length and in
// batches padded to their longest, which is how such a runtime is served best.

import { readFileSync } from 'node:fs';
import ort from 'onnxruntime-node';

const order = JSON.parse(readFileSync(0, 'utf8'));
const session = await ort.InferenceSession.create(order.model, {
    intraOpNumThreads: order.threads, interOpNumThreads: 1, graphOptimizationLevel: 'all',
});

/** Rows of ids, padded to the longest, as the model's three inputs. */
function inputs(rows) {
    const width = Math.max(...rows.map((row) => row.length));
    const tensor = (value) => {
        const data = new BigInt64Array(rows.length * width);
        for (const [r, row] of rows.entries()) for (const [i, id] of row.entries()) data[r * width + i] = BigInt(value(id));
        return new ort.Tensor('int64', data, [rows.length, width]);
    };
    const all = { input_ids: tensor((id) => id), attention_mask: tensor(() => 1), token_type_ids: tensor(() => 0) };
    return Object.fromEntries(session.inputNames.map((name) => [name, all[name]]));
}

async function timed(feeds) {
    const start = performance.now();
    await session.run(feeds);
    return performance.now() - start;
}

const ms = [];
if (order.texts) {
    const sorted = [...order.texts].sort((a, b) => a.length - b.length);
    const batches = [];
    for (let at = 0; at < sorted.length; at += order.batch) batches.push(inputs(sorted.slice(at, at + order.batch)));
    await timed(batches[0]);
    let total = 0;
    for (const batch of batches) total += await timed(batch);
    ms.push(total);
} else {
    const feeds = inputs([Array.from({ length: order.n }, (_, i) => 1000 + ((i * 7919) % 20000))]);
    for (let i = 0; i < 5; i++) await timed(feeds);
    for (let i = 0; i < order.runs; i++) ms.push(await timed(feeds));
}
console.log(JSON.stringify({ ms }));
