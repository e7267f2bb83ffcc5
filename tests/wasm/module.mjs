// SPDX-License-Identifier: Apache-2.0
//
// module.mjs: drives a module through host/wasm/module.h, for tests: no more than what they need, and every
// status that comes back below zero becomes an Error with the module's own words.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';

export const root = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
export const dist = resolve(root, process.env.DIST ?? 'dist');
const PAGE = 65536;

// What a worker thread runs: another instance on the same memory.
const HELPER = `
import { workerData as d } from 'node:worker_threads';
const { exports: x } = new WebAssembly.Instance(d.module, { env: { memory: d.memory } });
const a = d.wide ? BigInt : Number;
x.__stack_pointer.value = a(d.stack);
x.__wasm_init_tls(a(d.tls));
x.worker_run(d.i);`;

// Before the standard was settled, engines took numbers here and another name.
function wideMemory({ initial, maximum, shared }) {
  try {
    return new WebAssembly.Memory({ initial: BigInt(initial), maximum: BigInt(maximum), shared, address: 'i64' });
  } catch {
    return new WebAssembly.Memory({ initial, maximum, shared, index: 'i64' });
  }
}

export class Module {
  /** name: of the module in dist/; maximum: bytes its memory may have. */
  constructor(name, maximum) {
    const wide = name === 'mote-64', shared = wide || name === 'mote-threads';
    const most = maximum ? Math.floor(maximum / PAGE) : wide ? 4 * PAGE : PAGE;
    const limits = { initial: 16, maximum: most };
    if (shared) limits.shared = true;
    this.wide = wide;
    this.memory = wide ? wideMemory(limits) : new WebAssembly.Memory(limits);
    this.module = new WebAssembly.Module(readFileSync(join(dist, `${name}.wasm`)));
    this.x = new WebAssembly.Instance(this.module, { env: { memory: this.memory } }).exports;
    this.workers = [];
  }

  bytes(address, n) { return new Uint8Array(this.memory.buffer, address, n); }
  ints(address, n) { return new Int32Array(this.memory.buffer, address, n); }
  floats(address, n) { return new Float32Array(this.memory.buffer, address, n); }
  text(address, n) { return Buffer.from(this.bytes(address, n)).toString(); } // a copy: decoders refuse shared memory

  fault() {
    const at = this.x.fault(), view = new DataView(this.memory.buffer), text = this.bytes(at + 16, 240);
    return { status: view.getInt32(at, true), where: Number(view.getBigUint64(at + 8, true)),
             text: this.text(at + 16, text.indexOf(0)) };
  }

  check(n) {
    if (n >= 0) return n;
    const fault = this.fault();
    throw Object.assign(new Error(fault.text), fault, { returned: n });
  }

  put(bytes) {
    const at = this.check(this.x.take(bytes.length));
    this.bytes(at, bytes.length).set(bytes);
    return at;
  }

  scratch(bytes) {
    const at = this.check(this.x.scratch(bytes.length));
    this.bytes(at, bytes.length).set(bytes);
    return at;
  }

  openModel(bytes) {
    this.check(this.x.model_open(this.put(bytes), bytes.length));
    return this;
  }

  async openContext({ positions = 0, sessions = 1, rows = 0, logits = 0, kv = 0, workers = 1 } = {}) {
    this.check(this.x.context_open(positions, sessions, rows, logits, kv, workers));
    const data = { module: this.module, memory: this.memory, wide: this.wide };
    for (let i = 1; i < workers; i++) {
      const url = new URL(`data:text/javascript,${encodeURIComponent(HELPER)}`);
      const worker = new Worker(url, { workerData: { ...data, i, stack: this.x.worker_stack(i), tls: this.x.worker_tls(i) } });
      this.workers.push(new Promise((done, fail) => worker.on('exit', done).on('error', fail)));
      await new Promise((done) => worker.on('online', done));
    }
    return this;
  }

  async close() {
    if (!this.workers.length) return;
    this.x.workers_stop();
    await Promise.all(this.workers);
  }

  open() { return this.check(this.x.session_open()); }

  /** rows: [session, token, want_logits]… */
  step(rows) {
    const view = new DataView(new ArrayBuffer(16 * rows.length));
    rows.forEach(([session, token, want], i) => {
      view.setFloat64(16 * i, session, true);
      view.setInt32(16 * i + 8, token, true);
      view.setInt32(16 * i + 12, want, true);
    });
    const at = this.scratch(new Uint8Array(view.buffer));
    this.check(this.x.step(at, rows.length));
  }

  feed(session, tokens) {
    const at = this.scratch(new Uint8Array(Int32Array.from(tokens).buffer));
    this.check(this.x.session_feed(session, at, tokens.length));
  }

  logits(i) {
    const at = this.x.logits(i);
    return at ? this.floats(at, this.x.model_number(11)) : null;
  }

  tokenize(text, flags = 3) {
    const bytes = Buffer.from(text), n = this.check(this.x.tokenize(this.scratch(bytes), bytes.length, flags));
    return [...this.ints(this.x.result(), n)];
  }

  /** messages: { role, content }… */
  chat(messages, generation = true, variables = '') {
    const texts = messages.flatMap((m) => [Buffer.from(m.role), Buffer.from(m.content)]);
    const head = Buffer.from(Int32Array.from(texts, (t) => t.length).buffer);
    const tail = Buffer.from(variables), at = this.scratch(Buffer.concat([head, ...texts, tail]));
    const n = this.check(this.x.chat(at, messages.length, generation ? 1 : 0, tail.length));
    return this.text(this.x.result(), n);
  }

  stream({ temperature = 0, topK = 0, topP = 1, minP = 0, penalty = 1, last = 0, seed = 0 } = {}) {
    const at = this.check(this.x.take(this.x.stream_bytes()));
    this.x.stream_open(at, temperature, topK, topP, minP, penalty, last, seed);
    return at;
  }

  piece(stream, token) {
    const n = this.check(this.x.stream_text(stream, token));
    return this.text(this.x.result(), n);
  }
}
