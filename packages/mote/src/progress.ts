// SPDX-License-Identifier: Apache-2.0
//
// progress.ts: how far a load has come, told at most every INTERVAL milliseconds and at each change of phase.

import type { LoadPhase, LoadProgress } from "./types.js";

const INTERVAL = 50;
/** The rate is that of about the last so many milliseconds. */
const WINDOW = 3000;

export class Progress {
    #phase: LoadPhase = "connecting";
    #told = 0;
    #marks: { time: number; loaded: number }[] = [];

    constructor(readonly tell: (progress: LoadProgress) => void) {}

    at(phase: LoadPhase, loaded = 0, total = 0): void {
        const time = performance.now();
        const changed = phase !== this.#phase || this.#told === 0;
        if (changed) this.#marks = [{ time, loaded }];
        if (!changed && time - this.#told < INTERVAL && loaded !== total) return;
        this.#phase = phase;
        this.#told = time;
        this.#marks.push({ time, loaded });
        while (this.#marks.length > 2 && time - this.#marks[1]!.time > WINDOW) this.#marks.shift();
        const first = this.#marks[0]!;
        const seconds = (time - first.time) / 1000;
        const bytesPerSecond = seconds > 0.01 ? Math.max(0, (loaded - first.loaded) / seconds) : 0;
        this.tell({ phase, loaded, total, bytesPerSecond });
    }
}
