// SPDX-License-Identifier: Apache-2.0
//
// probe.ts: what this engine can do, found out by tiny modules, and which of ours is the best for it.
//
// Relaxed SIMD is not only validated but run: the baseline compiler of node 20 accepts the dot product and sums it
// wrongly, and a wrong engine must not be taken for a fast one.

import { MoteError } from "./errors.js";
import type { ModuleName, Support } from "./types.js";

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const section = (id: number, ...content: number[]): number[] => [id, content.length, ...content];
/** A module with one exported function "f" of no arguments. */
const moduleOf = (result: number, ...code: number[]): Uint8Array<ArrayBuffer> =>
    Uint8Array.from([
        ...HEADER,
        ...section(1, 1, 0x60, 0, 1, result),
        ...section(3, 1, 0),
        ...section(7, 1, 1, 0x66, 0, 0),
        ...section(10, 1, code.length + 2, 0, ...code, 0x0b),
    ]);
const I32 = 0x7f;
const V128 = 0x7b;

/** i8x16.popcnt(i8x16.splat(0)) */
const SIMD = moduleOf(V128, 0x41, 0, 0xfd, 0x0f, 0xfd, 0x62);
/** A module with a memory of 64-bit addresses; with a shared memory. */
const MEMORY64 = Uint8Array.from([...HEADER, ...section(5, 1, 4, 1)]);
const SHARED = Uint8Array.from([...HEADER, ...section(5, 1, 3, 1, 1)]);

/** Atomic instructions on a memory that is not shared: i32.atomic.load(0) */
const ATOMICS = Uint8Array.from([...HEADER, ...section(1, 1, 0x60, 0, 1, I32), ...section(3, 1, 0), ...section(5, 1, 0, 1), ...section(10, 1, 8, 0, 0x41, 0, 0xfe, 0x10, 2, 0, 0x0b)]);

/** Lane 0 of i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, 0). */
function relaxedDot(a: number[], b: number[]): Uint8Array<ArrayBuffer> {
    const constant = (x: number[]): number[] => [0xfd, 0x0c, ...x.map((value) => value & 255)];
    const zero = new Array<number>(16).fill(0);
    return moduleOf(I32, ...constant(a), ...constant(b), ...constant(zero), 0xfd, 0x93, 0x02, 0xfd, 0x1b, 0);
}

function relaxedWorks(): boolean {
    const a = [-128, 127, -3, 77, 1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12];
    const b = [127, 126, 1, 99, 127, 0, 13, 100, 127, 3, 64, 2, 90, 127, 5, 127];
    try {
        const bytes = relaxedDot(a, b);
        if (!WebAssembly.validate(bytes)) return false;
        const f = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports["f"] as () => number;
        return f() === a.slice(0, 4).reduce((sum, x, i) => sum + x * b[i]!, 0);
    } catch {
        return false;
    }
}

export interface Abilities {
    simd: boolean;
    relaxedSimd: boolean;
    atomics: boolean;
    threads: boolean;
    crossOriginIsolated: boolean;
    memory64: boolean;
    cores: number;
}

export function probe(): Abilities {
    const scope = globalThis as { crossOriginIsolated?: boolean; document?: unknown; navigator?: { hardwareConcurrency?: number }; WorkerGlobalScope?: unknown; Deno?: unknown };
    const page = scope.document !== undefined || (scope.WorkerGlobalScope !== undefined && scope.Deno === undefined);
    const shared = typeof SharedArrayBuffer !== "undefined" && WebAssembly.validate(SHARED);
    return {
        simd: WebAssembly.validate(SIMD),
        relaxedSimd: relaxedWorks(),
        atomics: WebAssembly.validate(ATOMICS),
        threads: shared && (!page || scope.crossOriginIsolated !== false),
        crossOriginIsolated: scope.crossOriginIsolated === true,
        memory64: WebAssembly.validate(MEMORY64),
        cores: Math.max(1, Math.floor(scope.navigator?.hardwareConcurrency ?? 1)),
    };
}

/** Threads that `"auto"` means: beyond four, logical cores are mostly two to a core, and the second adds little. */
export function autoThreads(abilities: Abilities): number {
    if (!abilities.threads || !abilities.relaxedSimd) return 1;
    return Math.min(8, abilities.cores <= 4 ? abilities.cores : Math.ceil(abilities.cores / 2));
}

export interface Choice {
    module: ModuleName;
    threads: number;
    why: string;
}

/** The module for a model that needs so many bytes of memory. */
export function choose(abilities: Abilities, wanted: number | "auto", needed: number, forced?: ModuleName, encoder = false): Choice {
    if (!encoder) return chooseAny(abilities, wanted, needed, forced);
    const choice = chooseAny({ ...abilities, memory64: false }, wanted, needed, forced);
    return forced ? choice : { ...choice, module: choice.module.replace("mote", "mote-encoder") as ModuleName };
}

function chooseAny(abilities: Abilities, wanted: number | "auto", needed: number, forced?: ModuleName): Choice {
    if (!abilities.simd) throw new MoteError("unsupported", "this engine's WebAssembly has no SIMD, which mote needs");
    const threads = wanted === "auto" ? autoThreads(abilities) : wanted;
    if (forced) {
        const shares = forced.endsWith("-threads");
        if (shares && !abilities.threads) throw new MoteError("unsupported", `${forced} needs shared memory: a page that is cross-origin isolated`);
        if (forced === "mote-64" && !abilities.memory64) throw new MoteError("unsupported", "mote-64 needs an engine with 64-bit memories");
        const several = abilities.threads && (shares || forced === "mote-64");
        return { module: forced, threads: several ? Math.max(1, threads) : 1, why: "asked for by name" };
    }
    if (needed > LIMIT32) {
        if (abilities.memory64 && abilities.relaxedSimd) {
            const n = abilities.threads ? Math.max(1, threads) : 1;
            return { module: "mote-64", threads: n, why: `the model needs more than 4 GB, so 64-bit addresses; threads: ${n}` };
        }
        throw new MoteError("memory", `the model needs ${needed} bytes, this engine's WebAssembly addresses ${LIMIT32}`, { needed, available: LIMIT32 });
    }
    if (!abilities.relaxedSimd) return { module: "mote-simd", threads: 1, why: "plain SIMD: this engine has no relaxed SIMD, or sums it wrongly; one thread" };
    if (!abilities.atomics) return { module: "mote-simd", threads: 1, why: "plain SIMD: this engine has no atomic instructions; one thread" };
    if (threads <= 1) return { module: "mote", threads: 1, why: wanted === "auto" && !abilities.threads ? `relaxed SIMD; one thread: ${abilities.crossOriginIsolated ? "no shared memory" : "the page is not cross-origin isolated"}` : "relaxed SIMD; one thread" };
    if (!abilities.threads) return { module: "mote", threads: 1, why: "relaxed SIMD; one thread, because there is no shared memory: the page is not cross-origin isolated" };
    return { module: "mote-threads", threads, why: `relaxed SIMD and shared memory: ${threads} threads` };
}

/** Bytes that 32-bit modules can address, less a page that keeps the last address below 2^32. */
export const LIMIT32 = 0x100000000 - 0x10000;

export function support(storage: boolean): Support {
    const { cores: _, atomics: __, ...abilities } = probe();
    const defaultThreads = autoThreads(probe());
    try {
        const { module, why } = choose(probe(), "auto", 0);
        return { ...abilities, storage, module, why, defaultThreads };
    } catch (error) {
        return { ...abilities, storage, module: undefined, why: (error as Error).message, defaultThreads };
    }
}
