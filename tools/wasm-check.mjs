#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
//
// wasm-check.mjs [--imports]: prints the sizes of the modules in dist/ ($DIST); fails where one is larger than what
// is promised, or imports anything but env.memory. With --imports a module that is too large is told as skipped:
// `make wasm` is what fails of it.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

// Bytes as shipped. Addresses of 64 bits make every one in the code and the data longer.
const promised = { mote: 100_000, "mote-threads": 105_000, "mote-simd": 105_000, "mote-64": 110_000,
  "mote-encoder": 60_000, "mote-encoder-threads": 64_000, "mote-encoder-simd": 64_000 };
const lenient = process.argv.includes("--imports");
let failed = 0, skipped = 0;
for (const [name, limit] of Object.entries(promised)) {
  const path = `${process.env.DIST ?? "dist"}/${name}.wasm`;
  const bytes = readFileSync(path);
  console.log(`${path.padEnd(24)} ${bytes.length} bytes, ${gzipSync(bytes).length} compressed, at most ${limit}`);
  if (bytes.length > limit) {
    console.error(`${lenient ? "skipped: " : ""}${path} is ${bytes.length - limit} bytes larger than the ${limit} promised`);
    if (lenient) skipped++;
    else failed++;
  }
  for (const { module, name } of imports(bytes))
    if (`${module}.${name}` !== "env.memory") {
      console.error(`${path} imports ${module}.${name}`);
      failed++;
    }
}
console.log(`${failed ? 0 : 1} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed ? 1 : 0;

// The import section, read here because this node may not know all instructions of the module.
function imports(bytes) {
  let at = 8;
  const number = () => {
    let value = 0, shift = 0, byte;
    do {
      byte = bytes[at++];
      value += (byte & 127) * 2 ** shift;
      shift += 7;
    } while (byte & 128);
    return value;
  };
  const text = () => {
    const n = number();
    return bytes.toString("utf8", at, (at += n));
  };
  const list = [];
  while (at < bytes.length) {
    const id = bytes[at++], n = number(), end = at + n;
    if (id === 2) {
      for (let left = number(); left; left--) {
        const entry = { module: text(), name: text() };
        list.push(entry);
        const kind = bytes[at++];
        if (kind === 0) number(); // function: its type
        else if (kind === 3) at += 2; // global: its type and whether it changes
        else {
          if (kind === 1) at++; // table: its type, then limits like a memory's
          const flags = number();
          number();
          if (flags & 1) number();
        }
      }
    }
    at = end;
  }
  return list;
}
