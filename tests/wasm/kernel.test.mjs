// SPDX-License-Identifier: Apache-2.0
//
// kernel.test.mjs: the kernel tests as WebAssembly (`make wasm-kernel-programs`), each level against the reference,
// bit for bit, in this node. Node 20 has relaxed SIMD behind a flag, and right only in its optimizing compiler.
import assert from 'node:assert';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'node:test';

const root = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
const folder = resolve(root, process.env.BUILD ?? 'build', 'wasm-kernel');
const old = Number(process.versions.node.split('.')[0]) < 22;
const vnni = spawnSync(process.execPath, ['--v8-options'], { encoding: 'utf8' }).stdout.includes('--enable-avx-vnni');
const runs = [
  { level: 'simd128', flags: [] },
  { level: 'relaxed', flags: old ? ['--experimental-wasm-relaxed-simd', '--no-liftoff'] : [] },
  // dots are another instruction on older processors, for other operands (multiply_wasm.h, packed_wasm.h)
  ...(vnni ? [{ level: 'relaxed', flags: ['--no-enable-avx-vnni', '--no-enable-avx-vnni-int8'], without: ', no VNNI' }] : []),
];

for (const { level, flags, without = '' } of runs)
  for (const name of readdirSync(join(folder, level)).filter((file) => file.endsWith('.wasm')))
    test(`${level}${without}: ${name.replace('.wasm', '')}`, () => {
      const run = spawnSync(process.execPath,
        [...flags, join(root, 'tests/wasm/kernel/run.mjs'), join(folder, level, name)], { encoding: 'utf8' });
      assert.equal(run.status, 0, run.stdout + run.stderr);
      assert.match(run.stdout, /\[ {2}PASSED {2}\] [1-9]/);
    });
