// SPDX-License-Identifier: Apache-2.0
//
// run.mjs: runs a kernel test made for WASI. The few calls it makes are answered here, so that any engine will do.
//
//     node run.mjs test.wasm [arguments of the test]

import fs from "node:fs";

/** Runs a WASI program; write gets what it prints. Returns its exit code. */
export async function run(bytes, args, write) {
  let memory;
  const data = () => new DataView(memory.buffer);
  const decoder = new TextDecoder();
  class Exit extends Error {
    constructor(code) {
      super(`exit ${code}`);
      this.code = code;
    }
  }
  const encoded = args.map((text) => new TextEncoder().encode(`${text}\0`));
  const calls = {
    args_sizes_get(count, size) {
      data().setUint32(count, encoded.length, true);
      data().setUint32(size, encoded.reduce((sum, text) => sum + text.length, 0), true);
      return 0;
    },
    args_get(list, texts) {
      for (const text of encoded) {
        data().setUint32(list, texts, true);
        new Uint8Array(memory.buffer).set(text, texts);
        list += 4;
        texts += text.length;
      }
      return 0;
    },
    fd_write(file, vectors, count, written) {
      let total = 0;
      for (let i = 0; i < count; i++, vectors += 8) {
        const at = data().getUint32(vectors, true), n = data().getUint32(vectors + 4, true);
        write(decoder.decode(new Uint8Array(memory.buffer, at, n)));
        total += n;
      }
      data().setUint32(written, total, true);
      return 0;
    },
    clock_time_get(clock, precision, to) {
      data().setBigUint64(to, BigInt(Math.round(performance.now() * 1e6)), true);
      return 0;
    },
    environ_sizes_get(count, size) {
      data().setUint32(count, 0, true);
      data().setUint32(size, 0, true);
      return 0;
    },
    proc_exit(code) {
      throw new Exit(code);
    },
  };
  const none = new Proxy(calls, { get: (own, name) => own[name] ?? (() => 52 /* ENOSYS */) });
  const module = await WebAssembly.compile(bytes);
  const imports = Object.fromEntries(WebAssembly.Module.imports(module).map(({ name }) => [name, none[name]]));
  const { exports } = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: imports });
  memory = exports.memory;
  try {
    exports._start();
    return 0;
  } catch (error) {
    if (error instanceof Exit) return error.code;
    throw error;
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [file, ...args] = process.argv.slice(2);
  process.exitCode = await run(fs.readFileSync(file), [file, ...args], (text) => process.stdout.write(text));
}
