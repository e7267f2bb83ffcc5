// SPDX-License-Identifier: Apache-2.0
//
// A GGUF file of 32- or 16-bit weights to one of 4: matrices become Q4_0, vectors stay as they are. For demonstrations and measurements; it takes the nearest value, without looking at what
// the weights are for.
//
//     node tools/quantise.mjs MODEL.gguf OUT.gguf
//
//     Q4_0: 32 weights in 18 bytes    f16 d | 16 × (q[i] | q[i + 16] << 4)     w = d (q - 8)

import { readFileSync, realpathSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const F32 = 0;
const F16 = 1;
const Q4_0 = 2;
const BLOCK = 32;
const BLOCK_BYTES = 18;
const WEIGHT_BYTES = { [F32]: 4, [F16]: 2 };

/** Reads the file from its beginning; throws RangeError past its end. */
class Reader {
    constructor(bytes) {
        this.bytes = bytes;
        this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        this.at = 0;
    }
    u32() {
        return this.view.getUint32((this.at += 4) - 4, true);
    }
    u64() {
        const value = this.view.getBigUint64((this.at += 8) - 8, true);
        if (value > BigInt(this.bytes.length)) throw new RangeError(`byte ${this.at - 8}: a count beyond the file`);
        return Number(value);
    }
    text() {
        const n = this.u64();
        if (this.at + n > this.bytes.length) throw new RangeError(`byte ${this.at}: a text beyond the file`);
        return new TextDecoder().decode(this.bytes.subarray(this.at, (this.at += n)));
    }
    /** Passes over a value of a key; its number if it is one. */
    value(type) {
        const sizes = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };
        if (type === 8) return this.text();
        if (type === 9) {
            const of = this.u32();
            for (let n = this.u64(); n > 0; n--) this.value(of);
            return undefined;
        }
        if (!(type in sizes)) throw new RangeError(`byte ${this.at}: no type ${type}`);
        return type === 4 ? this.u32() : void (this.at += sizes[type]);
    }
}

function readDirectory(bytes) {
    const reader = new Reader(bytes);
    if (reader.u32() !== 0x46554747 || ![2, 3].includes(reader.u32()))
        throw new Error("not a GGUF file of version 2 or 3");
    const nTensors = reader.u64();
    const nKeys = reader.u64();
    let alignment = 32;
    for (let i = 0; i < nKeys; i++) {
        const key = reader.text();
        const value = reader.value(reader.u32());
        if (key === "general.alignment") alignment = value;
    }
    const keysEnd = reader.at;
    const tensors = Array.from({ length: nTensors }, () => {
        const name = reader.text();
        const shape = Array.from({ length: reader.u32() }, () => reader.u64());
        return { name, shape, type: reader.u32(), offset: reader.u64() };
    });
    return { alignment, keysEnd, tensors, data: Math.ceil(reader.at / alignment) * alignment };
}

const bits = new DataView(new ArrayBuffer(4));

function fromHalf(h) {
    const exponent = (h >> 10) & 31;
    const fraction = h & 1023;
    const sign = h & 0x8000 ? -1 : 1;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The nearest half float; ties to even. Scales are far from what it cannot hold. */
function toHalf(x) {
    bits.setFloat32(0, x);
    const u = bits.getUint32(0);
    const sign = (u >>> 16) & 0x8000;
    const magnitude = Math.abs(x);
    if (magnitude < 2 ** -14) return sign | roundEven(magnitude * 2 ** 24);
    if (magnitude >= 65520) throw new RangeError(`a scale of ${x} does not fit in 16 bits`);
    const exponent = ((u >>> 23) & 255) - 127;
    return sign | (((exponent + 15) << 10) + roundEven((magnitude / 2 ** exponent - 1) * 1024));
}

function roundEven(x) {
    const floor = Math.floor(x);
    const rest = x - floor;
    return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** The weights of a tensor as numbers. */
function weights(bytes, { name, type, shape }, start) {
    const n = shape.reduce((a, b) => a * b, 1);
    const end = start + n * WEIGHT_BYTES[type];
    if (end > bytes.length) throw new RangeError(`${name}: ends beyond the file`);
    const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start);
    return Float32Array.from({ length: n }, (_, i) =>
        type === F32 ? view.getFloat32(i * 4, true) : fromHalf(view.getUint16(i * 2, true)),
    );
}

function pack(x, out) {
    // The weight furthest from 0 becomes -8, the one value that has no opposite.
    const most = x.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
    const d = most / -8;
    out.setUint16(0, toHalf(d), true);
    const q = (value) => (d === 0 ? 8 : Math.min(15, Math.floor(value / d + 8.5)));
    for (let i = 0; i < 16; i++) out.setUint8(2 + i, q(x[i]) | (q(x[i + 16]) << 4));
}

/** The bytes of a matrix as Q4_0. */
function convert(bytes, tensor, start) {
    const x = weights(bytes, tensor, start);
    const n = x.length / BLOCK;
    const out = new Uint8Array(n * BLOCK_BYTES);
    for (let i = 0; i < n; i++)
        pack(x.subarray(i * BLOCK, (i + 1) * BLOCK), new DataView(out.buffer, i * BLOCK_BYTES, BLOCK_BYTES));
    return out;
}

/** A GGUF file's bytes with its matrices packed. */
export function quantise(bytes) {
    const { alignment, keysEnd, tensors, data } = readDirectory(bytes);
    const u32 = (n) => Buffer.from(Uint32Array.of(n).buffer);
    const u64 = (n) => Buffer.from(BigUint64Array.of(BigInt(n)).buffer);
    const align = (n) => Math.ceil(n / alignment) * alignment;
    const head = [bytes.subarray(0, keysEnd)];
    const body = [];
    let offset = 0;
    for (const tensor of tensors) {
        const { name, shape, type } = tensor;
        if (!(type in WEIGHT_BYTES)) throw new Error(`${name} is packed already (type ${type})`);
        const start = data + tensor.offset;
        const length = shape.reduce((a, b) => a * b, 1) * WEIGHT_BYTES[type];
        const matrix = shape.length === 2 && shape[0] % BLOCK === 0;
        const packed = matrix ? convert(bytes, tensor, start) : bytes.subarray(start, start + length);
        const text = Buffer.from(name);
        head.push(u64(text.length), text, u32(shape.length), ...shape.map(u64), u32(matrix ? Q4_0 : type), u64(offset));
        body.push(packed, Buffer.alloc(align(packed.length) - packed.length));
        offset += align(packed.length);
    }
    const directory = Buffer.concat(head);
    return Buffer.concat([directory, Buffer.alloc(align(directory.length) - directory.length), ...body]);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
    const [from, to] = process.argv.slice(2);
    if (!to) {
        console.error("usage: node tools/quantise.mjs MODEL.gguf OUT.gguf");
        process.exit(2);
    }
    writeFileSync(to, quantise(readFileSync(from)));
}
