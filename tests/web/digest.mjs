// SPDX-License-Identifier: Apache-2.0
//
// digest.mjs: what real.test.mjs has node, Deno and Bun do, each in a process of its own: the digest of a model's logits
// in each way asked for. Takes one argument, JSON; prints one line, JSON.
import { Mote } from '../../packages/mote/dist/index.js';

const { path, ids, window, ways } = JSON.parse((globalThis.Deno?.args ?? process.argv.slice(2))[0]);
const found = [];
for (const way of ways) {
    const model = await Mote.load(path, way);
    found.push([`${model.info.module} ${model.info.threads}`, await model.logitsSha256(ids, { window })]);
    await model.close();
}
console.log(JSON.stringify(found));
