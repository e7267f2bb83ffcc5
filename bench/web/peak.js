// SPDX-License-Identifier: Apache-2.0
//
// peak.js: what the processor gives right now: a worker that does nothing but dots of bytes, in registers. Two of them show
// whether two processors of a virtual machine are two cores.

/** A module with run(n): n turns of a loop of 64 dots into eight sums. */
function moduleBytes() {
    const section = (id, ...bytes) => [id, ...leb(bytes.length), ...bytes];
    const leb = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >>> 7)]);
    const dot = (sum) => [0x20, 9, 0x20, 9, 0x20, sum, 0xfd, 0x93, 0x02, 0x21, sum]; // sum = relaxed_dot(x, x, sum)
    const dots = Array.from({ length: 64 }, (_, i) => dot(1 + (i % 8))).flat();
    const body = [
        1, 9, 0x7b, // locals 1 to 9: v128
        0x20, 0, 0xfd, 0x0f, 0x21, 9, // x = splat(n)
        0x03, 0x40, ...dots, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, // loop while --n
        ...[1, 2, 3, 4, 5, 6, 7, 8].flatMap((sum, i) => [0x20, sum, ...(i ? [0xfd, 0xae, 0x01] : [])]), 0xfd, 0x1b, 0, // lane 0 of all
        0x0b,
    ];
    return Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
        ...section(1, 1, 0x60, 1, 0x7f, 1, 0x7f), ...section(3, 1, 0), ...section(7, 1, 3, 0x72, 0x75, 0x6e, 0, 0), // "run"
        ...section(10, 1, ...leb(body.length), ...body)); // prettier-ignore
}

const { run } = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes())).exports;
const MACS = 64 * 16;
onmessage = ({ data: ms }) => {
    let n = 0;
    for (let i = 0; i < 20; i++) run(1000); // compiled for speed by then
    const start = performance.now();
    let now = start;
    for (; now - start < ms; n += 2000, now = performance.now()) run(2000);
    postMessage((n * MACS) / (now - start) / 1e6);
};
