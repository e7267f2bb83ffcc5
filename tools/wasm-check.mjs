#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
//
// wasm-check.mjs MOST MODULE…: prints the modules' sizes; fails where one is larger than MOST bytes (the first)
// or MOST + 5,000 (the others), or imports anything but env.memory.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const [most, ...modules] = process.argv.slice(2);
let failed = false;
modules.forEach((path, i) => {
  const bytes = readFileSync(path);
  const limit = Number(most) + (i ? 5000 : 0);
  console.log(`${path.padEnd(24)} ${bytes.length} bytes, ${gzipSync(bytes).length} compressed, at most ${limit}`);
  if (bytes.length > limit) {
    console.error(`${path} is ${bytes.length - limit} bytes too large`);
    failed = true;
  }
  for (const { module, name } of imports(bytes))
    if (`${module}.${name}` !== "env.memory") {
      console.error(`${path} imports ${module}.${name}`);
      failed = true;
    }
});
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
