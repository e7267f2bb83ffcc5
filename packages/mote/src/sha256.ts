// SPDX-License-Identifier: Apache-2.0
//
// sha256.ts: SHA-256 of a stream of bytes. WebCrypto has it for one piece only, which for a file of gigabytes would
// be a copy of all of it in memory. Source: FIPS 180-4.

const PRIMES = firstPrimes(64);
/** The first 32 bits of the fractional part of a root. */
const fraction = (x: number): number => ((x - Math.floor(x)) * 0x100000000) | 0;
const K = Int32Array.from(PRIMES, (p) => fraction(Math.cbrt(p)));
const START = Int32Array.from(PRIMES.slice(0, 8), (p) => fraction(Math.sqrt(p)));

export class Sha256 {
    readonly #state = START.slice();
    readonly #block = new Uint8Array(64);
    readonly #words = new Int32Array(64);
    #held = 0;
    #total = 0;

    add(bytes: Uint8Array): this {
        let at = 0;
        this.#total += bytes.length;
        if (this.#held > 0) {
            at = Math.min(64 - this.#held, bytes.length);
            this.#block.set(bytes.subarray(0, at), this.#held);
            this.#held += at;
            if (this.#held < 64) return this;
            this.#compress(this.#block, 0);
            this.#held = 0;
        }
        for (; at + 64 <= bytes.length; at += 64) this.#compress(bytes, at);
        this.#block.set(bytes.subarray(at));
        this.#held = bytes.length - at;
        return this;
    }

    /** The digest of all that was added. Ends the stream. */
    digest(): Uint8Array {
        const total = this.#total;
        const padding = new Uint8Array((this.#held < 56 ? 64 : 128) - this.#held);
        padding[0] = 0x80;
        const view = new DataView(padding.buffer);
        view.setUint32(padding.length - 8, Math.floor(total / 0x20000000));
        view.setUint32(padding.length - 4, (total << 3) >>> 0);
        this.add(padding);
        const out = new Uint8Array(32);
        this.#state.forEach((word, i) => new DataView(out.buffer).setInt32(4 * i, word));
        return out;
    }

    hex(): string {
        return Array.from(this.digest(), (byte) => byte.toString(16).padStart(2, "0")).join("");
    }

    #compress(bytes: Uint8Array, at: number): void {
        const w = this.#words;
        const s = this.#state;
        for (let i = 0; i < 16; i++, at += 4) w[i] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
        for (let i = 16; i < 64; i++) {
            const x = w[i - 15]!;
            const y = w[i - 2]!;
            const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
            const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
            w[i] = (w[i - 16]! + s0 + w[i - 7]! + s1) | 0;
        }
        let a = s[0]!, b = s[1]!, c = s[2]!, d = s[3]!, e = s[4]!, f = s[5]!, g = s[6]!, h = s[7]!;
        for (let i = 0; i < 64; i++) {
            const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
            const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i]! + w[i]!) | 0;
            const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
            const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
            h = g;
            g = f;
            f = e;
            e = (d + t1) | 0;
            d = c;
            c = b;
            b = a;
            a = (t1 + t2) | 0;
        }
        s[0] = s[0]! + a;
        s[1] = s[1]! + b;
        s[2] = s[2]! + c;
        s[3] = s[3]! + d;
        s[4] = s[4]! + e;
        s[5] = s[5]! + f;
        s[6] = s[6]! + g;
        s[7] = s[7]! + h;
    }
}

/** SHA-256 of a text, in hex: names of files for what may have any name. */
export function sha256Text(text: string): string {
    return new Sha256().add(new TextEncoder().encode(text)).hex();
}

function firstPrimes(n: number): number[] {
    const primes: number[] = [];
    for (let x = 2; primes.length < n; x++) if (primes.every((p) => x % p !== 0)) primes.push(x);
    return primes;
}
