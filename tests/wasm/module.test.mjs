// SPDX-License-Identifier: Apache-2.0
//
// The modules against the native command: the same bits of logits, the same tokens; threads, memory that ends,
// files that arrive in parts or are broken, snapshots.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { Module, root } from './module.mjs';

// Relaxed SIMD came with V8 11.4; before, it is behind a flag and wrong in the baseline compiler.
const [major, minor] = process.versions.v8.split('.').map(Number);
if (major < 11 || (major === 11 && minor < 4))
  for (const flag of ['--experimental-wasm-relaxed-simd', '--no-liftoff']) setFlagsFromString(flag);

const build = resolve(root, process.env.BUILD ?? 'build');
const shared = resolve(root, process.env.MOTE_SHARED ?? '../shared/data');
const scratch = join(build, 'tests/wasm');
mkdirSync(scratch, { recursive: true });
const run = (name, args, input = '') =>
  execFileSync(join(build, name), args, { input, encoding: 'utf8', maxBuffer: 1 << 26, stdio: ['pipe', 'pipe', 'pipe'] });

const E = { ARGUMENT: -1, MEMORY: -2, FORMAT: -3, CONTEXT: -5, SESSIONS: -6, TEMPLATE: -7 };
const N = 40;
const VOCAB = 11; // MODEL_VOCAB

function synthetic(type, ...options) {
  const path = join(scratch, `${type}.gguf`);
  run('mote-synth', ['--type', type, ...options, '-o', path]);
  return path;
}

const walk = (n, n_vocab) => [1, ...Array.from({ length: n - 1 }, (_, i) => (i * 7919 + 13 * i * i) % n_vocab)];

function native(path, ids, ...options) {
  const file = join(scratch, 'ids');
  writeFileSync(file, ids.join(' '));
  const out = run('mote', ['perplexity', path, '--ids', file, '-c', String(ids.length), '--logits-sha256', ...options]);
  return out.match(/\b[0-9a-f]{64}\b/)[0];
}

/** The digest of the logits of all ids, in steps of `rows` rows. */
function digest(module, ids, rows = ids.length) {
  const session = module.open(), hash = createHash('sha256');
  for (let at = 0; at < ids.length; at += rows) {
    const part = ids.slice(at, at + rows);
    module.step(part.map((id) => [session, id, 1]));
    part.forEach((_, i) => hash.update(new Uint8Array(module.logits(i).slice().buffer)));
  }
  module.x.session_close(session);
  return hash.digest('hex');
}

const caught = (call) => {
  try {
    call();
  } catch (error) {
    return error;
  }
  return assert.fail('no error');
};

const ways = [['mote', 1], ['mote-simd', 1], ['mote-threads', 1], ['mote-threads', 2], ['mote-threads', 3]];
for (const type of ['F32', 'F16', 'BF16', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0', 'Q2_K', 'Q3_K', 'Q4_K', 'Q5_K', 'Q6_K',
                    'IQ1_S', 'IQ1_M', 'IQ2_XXS', 'IQ2_XS', 'IQ2_S', 'IQ3_XXS', 'IQ3_S', 'IQ4_NL', 'IQ4_XS', 'TQ1_0', 'TQ2_0', 'MXFP4'])
  test(`the same bits: ${type}`, async () => {
    const path = synthetic(type), bytes = readFileSync(path);
    let want;
    for (const [name, workers] of ways) {
      const module = new Module(name).openModel(bytes);
      await module.openContext({ positions: 64, logits: N, workers });
      const ids = walk(N, module.x.model_number(VOCAB));
      want ??= native(path, ids);
      assert.equal(digest(module, ids), want, `${name}, ${workers} workers, at once`);
      assert.equal(digest(module, ids, 3), want, `${name}, ${workers} workers, by threes`);
      assert.equal(digest(module, ids, 1), want, `${name}, ${workers} workers, one by one`);
      await module.close();
    }
  });

for (const [kv, name] of ['f16', 'f32', 'q8_0', 'q4_0'].entries())
  test(`the same bits: KV cache of ${name}`, async () => {
    const path = synthetic('Q8_0'), bytes = readFileSync(path);
    for (const [module_name, workers] of ways) {
      const module = new Module(module_name).openModel(bytes);
      await module.openContext({ positions: 128, logits: 100, kv, workers });
      const ids = walk(100, module.x.model_number(VOCAB));
      assert.equal(digest(module, ids), native(path, ids, '--kv', name), module_name);
      await module.close();
    }
  });

test('many short calls with three workers', async () => {
  const module = new Module('mote-threads').openModel(readFileSync(synthetic('Q4_0')));
  await module.openContext({ positions: 600, workers: 3 });
  const alone = new Module('mote-threads').openModel(readFileSync(synthetic('Q4_0')));
  await alone.openContext({ positions: 600 });
  const a = module.open(), b = alone.open();
  for (let i = 0; i < 500; i++) {
    module.feed(a, [i % 300]);
    alone.feed(b, [i % 300]);
    if (i % 50 === 0) await new Promise((done) => setTimeout(done, 5)); // workers fall asleep
  }
  assert.deepEqual(module.logits(0).slice(), alone.logits(0).slice());
  await module.close();
});

// a vocabulary, and the module that knows its kind
const vocabularies = { 'llama-spm': 'mote-simd', 'gpt-2': 'mote-simd', 'bert-bge': 'mote-encoder-simd', 'phi-3': 'mote-simd', 'llama-bpe': 'mote-simd', qwen2: 'mote-simd' };
for (const [name, kind] of Object.entries(vocabularies)) {
  const path = join(shared, `ggml-vocab-${name}.gguf`), folder = join(shared, 'tokenizer', `ggml-vocab-${name}.gguf`);
  const file = existsSync(path) ? path : folder;
  test(`the same tokens: ${name}`, { skip: !existsSync(file) && `no ${file}` }, () => {
    const module = new Module(kind).openModel(readFileSync(file));
    const text = existsSync(`${file}.inp`) ? readFileSync(`${file}.inp`, 'utf8') : 'Hello wörld, 12345 times — 你好!';
    const want = run('mote', ['tokenize', file, '--ids'], text).trim().split(/\s+/).map(Number);
    const without = module.tokenize(text, 0);
    assert.deepEqual(without, want);
    assert.deepEqual(module.tokenize(text, 3), run('mote', ['tokenize', file, '--ids', '--special', '--parse-special'], text).trim().split(/\s+/).map(Number));
    // and back, piece by piece, through a stream
    if (name === 'bert-bge') return; // lower case, no accents: nothing comes back as it was
    const stream = module.stream();
    const back = without.map((id) => module.piece(stream, id)).join('') + module.piece(stream, -1);
    assert.equal(back.trim(), text.trim());
  });
}

/** The model with one more string among its keys, of a length that leaves the data aligned. */
function withKey(bytes, key, value) {
  const length = (text) => Buffer.from(BigUint64Array.of(BigInt(Buffer.byteLength(text))).buffer);
  const fixed = 8 + key.length + 4 + 8;
  value += ' '.repeat((32 - ((fixed + Buffer.byteLength(value)) % 32)) % 32);
  const entry = Buffer.concat([length(key), Buffer.from(key), Buffer.from([8, 0, 0, 0]), length(value), Buffer.from(value)]);
  const head = Buffer.from(bytes.subarray(0, 24));
  head.writeBigUInt64LE(head.readBigUInt64LE(16) + 1n, 16);
  return Buffer.concat([head, entry, bytes.subarray(24)]);
}

const messages = [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'Grüße! "1 < 2"\n' }];

test('chat templates', () => {
  const bytes = readFileSync(synthetic('F32'));
  const plain = new Module('mote-simd').openModel(bytes);
  assert.equal(plain.chat(messages), 'Be brief.\nGrüße! "1 < 2"\n');
  const template = "{% for m in messages %}<|{{ m.role }}|>{{ m['content'] | trim }}{{ mark }}\n{% endfor %}" +
    "{% if add_generation_prompt %}<|assistant|>{% endif %}{#";
  const module = new Module('mote-simd').openModel(withKey(bytes, 'tokenizer.chat_template', template + ' a comment #}'.padEnd(40)));
  const body = '<|system|>Be brief.;\n<|user|>Grüße! "1 < 2";\n';
  assert.equal(module.chat(messages, true, '{"mark":";"}').trimEnd(), `${body}<|assistant|>`);
  assert.equal(module.chat(messages, false, '{"mark":";"}').trimEnd(), body.trimEnd());
  const long = [{ role: 'user', content: 'x'.repeat(300_000) }];
  assert.ok(module.chat(long).length > 300_000);
  assert.equal(caught(() => module.chat(messages, true, '[1]')).status, E.ARGUMENT);
  const bad = new Module('mote-simd').openModel(withKey(bytes, 'tokenizer.chat_template', "{{ raise_exception('no such turn') }}"));
  const error = caught(() => bad.chat(messages));
  assert.equal(error.status, E.TEMPLATE);
  assert.match(error.message, /no such turn/);
});

test('a file that arrives in parts', () => {
  const bytes = readFileSync(synthetic('Q4_K'));
  const module = new Module('mote-simd'), at = module.check(module.x.take(bytes.length));
  let opened = -1;
  for (let arrived = 0; arrived <= bytes.length; arrived += 1009) {
    module.bytes(at, bytes.length).set(bytes.subarray(0, arrived));
    const error = module.x.model_open(at, bytes.length) < 0 ? module.fault() : null;
    if (!error) {
      opened = arrived;
      break;
    }
    assert.equal(error.status, E.FORMAT);
    if (arrived >= 4) assert.ok(error.where >= arrived - 16, `${error.where} of ${arrived}: ${error.text}`);
  }
  assert.ok(opened > 0 && opened < bytes.length);
});

test('broken files', () => {
  const bytes = readFileSync(synthetic('Q4_0'));
  const refuse = (change, status) => {
    const copy = change(Buffer.from(bytes)), module = new Module('mote-simd');
    const error = caught(() => module.openModel(copy));
    assert.equal(error.status, status, error.message);
    assert.ok(error.message.length > 10);
    return error;
  };
  assert.match(refuse(() => Buffer.from('not a model, but a text of some length'), E.FORMAT).message, /GGUF/);
  refuse((b) => b.subarray(0, b.length - 1), E.FORMAT);
  refuse((b) => b.subarray(0, 100), E.FORMAT);
  refuse((b) => (b.writeBigUInt64LE(2n ** 63n, 16), b), E.FORMAT);
  // any byte of the directory: an error or a model, never a trap
  const module = new Module('mote-simd'), at = module.put(bytes);
  for (let i = 0; i < 3000; i += 7) {
    module.bytes(at, bytes.length)[i] ^= 0x81;
    const fresh = new Module('mote-simd');
    fresh.x.model_open(fresh.put(module.bytes(at, bytes.length)), bytes.length);
    module.bytes(at, bytes.length)[i] ^= 0x81;
  }
});

test('memory that ends', async () => {
  const bytes = readFileSync(synthetic('Q8_0'));
  const small = new Module('mote-simd', 4 << 20);
  const error = caught(() => small.check(small.x.take(64 << 20)));
  assert.equal(error.status, E.MEMORY);
  const [, needed, had] = error.message.match(/(\d+) bytes.* (\d+) /).map(Number);
  assert.ok(needed > 64 << 20 && had <= 4 << 20, error.message);
  small.openModel(bytes); // what fits still works
  const plan = small.check(small.x.context_plan(100_000, 4, 128, 4, 1, 1));
  assert.ok(plan > 4 << 20);
  assert.equal(small.x.context_open(100_000, 4, 128, 4, 1, 1), E.MEMORY);
  assert.match(small.fault().text, /memory of \d+ bytes is needed, it has \d+/);
  await small.openContext({ positions: 64 });
  small.feed(small.open(), [1, 2, 3]);
  assert.equal(small.x.take(NaN) > 0, true);
  assert.equal(small.x.take(Infinity), E.MEMORY);
  assert.equal(small.x.take(2 ** 60), E.MEMORY);
});

test('blocks are given back', () => {
  const module = new Module('mote-simd');
  const a = module.check(module.x.take(100)), b = module.check(module.x.take(1));
  assert.equal(a % 64, 0);
  assert.equal(b, a + 128);
  module.x.release(b);
  assert.equal(module.x.take(1), b);
  module.x.release(a);
  assert.equal(module.x.take(1), a);
  const s = module.scratch(Buffer.from('kept'));
  module.check(module.x.scratch(1 << 21));
  assert.equal(module.text(s, 4), 'kept');
});

test('contexts: what cannot be', async () => {
  const module = new Module('mote-simd').openModel(readFileSync(synthetic('F32')));
  assert.equal(module.x.context_open(64, 1, 0, 0, 0, 2), E.ARGUMENT);
  assert.match(module.fault().text, /no threads/);
  assert.equal(module.x.context_open(64, 1, 0, 0, 9, 1), E.ARGUMENT);
  await module.openContext({ positions: 32, sessions: 2 });
  assert.equal(module.x.context_open(64, 1, 0, 0, 0, 1), E.ARGUMENT);
  const s = module.open();
  assert.equal(caught(() => module.feed(s, walk(33, 300))).status, E.CONTEXT);
  module.open();
  assert.equal(caught(() => module.open()).status, E.SESSIONS);
  assert.equal(module.x.session_truncate(s, 5), E.ARGUMENT);
});

test('sessions: fork, truncate, save and restore', async () => {
  const module = new Module('mote').openModel(readFileSync(synthetic('Q4_K_M')));
  await module.openContext({ positions: 256, sessions: 4 });
  const ids = walk(70, 300), a = module.open();
  module.feed(a, ids);
  const want = module.logits(0).slice();
  const fork = module.check(module.x.session_fork(a, 50));
  module.feed(fork, ids.slice(50));
  assert.deepEqual(module.logits(0), want);
  module.check(module.x.session_truncate(a, 33));
  assert.equal(module.x.session_length(a), 33);
  assert.deepEqual([...module.ints(module.x.result(), 33)], ids.slice(0, 33));
  const n = module.check(module.x.session_save(a)), saved = module.bytes(module.x.result(), n).slice();
  const restored = module.check(module.x.session_restore(module.scratch(saved), n));
  module.feed(restored, ids.slice(33));
  assert.deepEqual(module.logits(0), want);
  saved[saved.length - 1] ^= 1;
  module.x.session_close(fork);
  assert.equal(caught(() => module.check(module.x.session_restore(module.scratch(saved), n))).status, E.FORMAT);
});

test('streams: greedy picks the greatest, seeds repeat', async () => {
  const module = new Module('mote').openModel(readFileSync(synthetic('Q8_0')));
  await module.openContext({ positions: 256, sessions: 1 });
  const s = module.open(), greedy = module.stream();
  module.feed(s, [1, 5, 9]);
  const row = module.logits(0).slice();
  assert.equal(module.x.stream_pick(greedy, 0, s), row.indexOf(Math.max(...row)));
  const picks = (seed) => {
    const stream = module.stream({ temperature: 1, topP: 0.9, topK: 40, seed });
    return Array.from({ length: 20 }, () => module.check(module.x.stream_pick(stream, 0, s)));
  };
  assert.deepEqual(picks(7), picks(7));
  assert.notDeepEqual(picks(7), picks(8));
  assert.equal(caught(() => module.check(module.x.stream_pick(greedy, 5, s))).status, E.ARGUMENT);
});

test('the wide module', async (t) => {
  let module;
  try {
    module = new Module('mote-64');
  } catch (error) {
    return t.skip(`this engine does not take it: ${error.message}`);
  }
  const path = synthetic('Q4_K');
  module.openModel(readFileSync(path));
  await module.openContext({ positions: 64, logits: N, workers: 2 });
  const ids = walk(N, module.x.model_number(VOCAB));
  assert.equal(digest(module, ids), native(path, ids));
  await module.close();
});
