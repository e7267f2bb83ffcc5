// SPDX-License-Identifier: Apache-2.0
//
// runtime.mjs: what runtimes.test.mjs has node, Deno and Bun do, each in a process of its own. Takes one argument, JSON;
// prints one line, JSON.
import { Mote } from '../../packages/mote/dist/index.js';

const { path, url, sha256, ids, window, shard } = JSON.parse((globalThis.Deno?.args ?? process.argv.slice(2))[0]);
const failing = (promise) => promise.then(() => 'no error', (error) => error.code);
const out = { support: await Mote.support() };

const model = await Mote.load(path);
out.info = model.info;
out.digest = await model.logitsSha256(ids, { window });
out.text = await model.infer('Once upon a time', { temperature: 0, maxTokens: 20 });
out.tokens = [...(await model.tokenize('Once upon a time'))];
out.round = await model.detokenize(out.tokens);
const session = await model.session();
await session.prefill('Once upon a time');
await session.save('beginning');
await model.close();

// A download that is stopped half-way, and gone on with.
const controller = new AbortController();
const onProgress = (p) => p.loaded > 2e6 && p.phase === 'downloading' && controller.abort();
out.stopped = await failing(Mote.load(url, { signal: controller.signal, onProgress, connections: 2 }));
out.half = (await Mote.models())[0];
let first;
const again = await Mote.load(url, { sha256, onProgress: (p) => p.phase === 'downloading' && (first ??= p.loaded) });
out.first = first;
out.whole = (await Mote.models())[0];
const restored = await again.session();
out.restored = await restored.restore('beginning');
out.same = await restored.complete('Once upon a time', { temperature: 0, maxTokens: 20 }).result;
await again.close();
await Mote.remove(url);
out.left = (await Mote.models()).length;

out.errors = {
    missing: await failing(Mote.load(`${path}.no`)),
    sha256: await failing(Mote.load(path, { sha256: 'f'.repeat(64) })),
    argument: await failing(Mote.load(path, { threads: -1 })),
    memory: await failing(Mote.load(path, { memoryLimit: 1000 })),
    nothing: await failing(Mote.load([])),
};
const split = await Mote.load(shard, { cache: false });
out.shards = split.info.architecture;
// A model that was not closed must not keep the process alive.
console.log(JSON.stringify(out));
