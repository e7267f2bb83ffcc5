// SPDX-License-Identifier: Apache-2.0
//
// scheduler.ts: makes one engine serve many calls: each step computes the next row of every answer that is being made,
// and in the room that is left, pieces of the prompts that are being read.
//
//     step:   a ─ b ─ c ─ prompt of d, 40 rows ─ prompt of e, 40 rows
//
// No answer waits for another's prompt, and none is other for who it was computed with, because the engine's logits do
// not depend on it. Rows of prompts are so many as take about STEP seconds, by what rows took lately: that is how long
// an abort, or an answer beside it, may have to wait.
//
// When the KV cache is full, past conversations are given up first; then the answer that began last gives its pages
// back and begins again later, to the same end; an answer that is alone and full ends.

import type { Engine, Row } from "./engine.js";
import { MoteError } from "./errors.js";
import { breathe } from "./platform.js";
import { commonPrefix, Sequences, type Sequence } from "./sequences.js";
import { StopTexts } from "./stop.js";
import type { FinishReason, GenerationResult, ModelStats } from "./types.js";

/** Seconds that a step should take: alone, and with answers beside it. */
const STEP_ALONE = 0.6;
const STEP_SHARED = 0.2;
/** Rows of prompts in the first step, and at least in each: all weights are read for them, which takes as long as a few rows. */
const ROWS_FIRST = 32;
const ROWS_LEAST = 8;
const ROWS_ALONE = 16;
/** The engine multiplies so many rows at a time. */
const ROWS_TILE = 4;

export interface Sampling {
    temperature: number;
    topK: number;
    topP: number;
    minP: number;
    repeatPenalty: number;
    repeatLast: number;
    seed: number;
}

export interface Generate {
    sampling: Sampling;
    maxTokens: number;
    stop: string[];
    /** The answer is the rest of the prompt's text. */
    continues: boolean;
}

export interface JobRequest {
    prompt: Int32Array;
    /** The user's session, or one is found. */
    sequence?: Sequence;
    /** Feed the prompt behind what the session holds, rather than make it hold the prompt. */
    append?: boolean;
    /** Without, the job ends when the prompt is read. */
    generate?: Generate;
    onPiece?: (text: string) => void;
}

interface Job extends JobRequest {
    sequence?: Sequence;
    /** All it is to hold: the prompt, then what was generated. Kept for beginning again. */
    tokens: number[];
    promptTokens: number;
    /** How many there were before any was generated. */
    startTokens: number;
    /** Whether some of it was computed, and how much the cache spared. */
    cached: number;
    begun: boolean;
    stream: number;
    texts: StopTexts;
    text: string;
    started: number;
    first: number;
    last: number;
    finish: (result: GenerationResult) => void;
    fail: (error: unknown) => void;
}

export class Scheduler {
    readonly #waiting: Job[] = [];
    readonly #active: Job[] = [];
    /** Gave their pages back; wait until an active one ends. */
    readonly #parked: Job[] = [];
    readonly #free: number[];
    #running = false;
    #rowSeconds = 0;
    readonly stats: ModelStats;

    constructor(
        readonly engine: Engine,
        readonly sequences: Sequences,
        readonly limits: { positions: number; rows: number; streams: number[] },
        /** Called when a step is over, and at the end of a job. */
        readonly onStep: () => void,
        /** Called with what is no MoteError: the engine is not to be trusted any more. */
        readonly onBroken: (error: unknown) => void,
    ) {
        this.#free = [...limits.streams];
        this.stats = {
            promptTokens: 0, cachedTokens: 0, generatedTokens: 0, promptSeconds: 0, decodeSeconds: 0, steps: 0, rows: 0,
            active: 0, waiting: 0, sessions: 0, positions: 0, memoryBytes: engine.memoryBytes,
        }; // prettier-ignore
    }

    /** Runs a job to its end. Its signal stops it between two steps. */
    run(request: JobRequest, signal: AbortSignal): Promise<GenerationResult> {
        const { positions } = this.limits;
        const held = request.append ? request.sequence!.tokens.length : 0;
        if (request.prompt.length === 0) throw new MoteError("argument", "the prompt is empty: it has no token");
        if (held + request.prompt.length > positions) {
            const needed = held + request.prompt.length;
            throw new MoteError("context", `the text has ${needed} tokens, the context ${positions}`, { needed, available: positions });
        }
        return new Promise((resolve, reject) => {
            const before = request.append ? request.sequence!.tokens : [];
            const job: Job = {
                ...request,
                tokens: [...before, ...request.prompt],
                promptTokens: request.prompt.length,
                startTokens: before.length + request.prompt.length,
                cached: 0,
                begun: false,
                stream: -1,
                texts: new StopTexts(request.generate?.stop ?? []),
                text: "",
                started: performance.now(),
                first: 0,
                last: 0,
                finish: resolve,
                fail: reject,
            };
            signal.addEventListener("abort", () => this.#end(job, new MoteError("aborted", "stopped")), { once: true });
            this.#waiting.push(job);
            this.#start();
        });
    }

    /** Ends all jobs. */
    stop(error: MoteError): void {
        for (const job of [...this.#active, ...this.#parked, ...this.#waiting]) this.#end(job, error);
    }

    update(): ModelStats {
        const { stats } = this;
        stats.active = this.#active.length;
        stats.waiting = this.#waiting.length + this.#parked.length;
        stats.sessions = this.sequences.all.size;
        stats.positions = this.sequences.positions;
        stats.memoryBytes = this.engine.memoryBytes;
        return stats;
    }

    #start(): void {
        if (this.#running) return;
        this.#running = true;
        void this.#loop();
    }

    async #loop(): Promise<void> {
        // Calls that are made in one go come as messages of their own: let them all in before the first step.
        await breathe();
        try {
            while (this.#active.length + this.#waiting.length + this.#parked.length > 0) {
                this.#admit();
                if (this.#active.length > 0) this.#step();
                this.onStep();
                await breathe();
            }
        } catch (error) {
            this.onBroken(error);
        } finally {
            this.#running = false;
        }
        this.onStep();
    }

    /** Lets jobs begin, in the order they came, for as long as there are slots. */
    #admit(): void {
        while (this.#waiting.length > 0) {
            const job = this.#waiting[0]!;
            if (!job.begun && this.#free.length === 0) break;
            try {
                if (!this.#place(job)) break;
            } catch (error) {
                if (!(error instanceof MoteError)) throw error;
                this.#end(job, error);
                continue;
            }
            this.#waiting.shift();
            if (!job.begun) job.stream = this.#free.pop()!;
            if (job.generate && !job.begun) this.#open(job, job.generate);
            job.begun = true;
            this.#active.push(job);
        }
        if (this.#active.length === 0 && this.#waiting.length > 0) {
            const { most } = this.sequences;
            this.#end(this.#waiting[0]!, new MoteError("sessions", `all ${most} sessions are held by the user`, { needed: most + 1, available: most }));
        }
    }

    #open(job: Job, { sampling, continues }: Generate): void {
        this.engine.openStream(job.stream, sampling);
        // A text that goes on keeps the space it begins with: the last token of the prompt is what comes before it.
        if (continues) this.engine.piece(job.stream, job.tokens[job.tokens.length - 1]!);
    }

    /** Finds the sequence that a job runs in, and what it holds of the prompt already. */
    #place(job: Job): boolean {
        let { sequence } = job;
        if (sequence) {
            if (!job.append) this.sequences.truncate(sequence, Math.min(commonPrefix(sequence.tokens, job.tokens), job.tokens.length - 1));
        } else {
            sequence = this.sequences.find(job.tokens);
            if (!sequence) return false;
        }
        job.sequence = sequence;
        sequence.busy = true;
        this.sequences.touch(sequence);
        if (!job.begun) {
            job.cached = job.append ? 0 : sequence.tokens.length;
            this.stats.cachedTokens += job.cached;
            this.stats.promptTokens += job.promptTokens;
        }
        return true;
    }

    /** How many rows of prompts the next step may have. */
    #budget(decoding: number): number {
        const room = this.limits.rows - decoding;
        if (this.#rowSeconds === 0) return Math.max(1, Math.min(room, ROWS_FIRST));
        const [seconds, least] = decoding > 0 ? [STEP_SHARED, ROWS_LEAST] : [STEP_ALONE, ROWS_ALONE];
        const rows = Math.floor(seconds / this.#rowSeconds / ROWS_TILE) * ROWS_TILE;
        return Math.max(1, Math.min(room, Math.max(least, rows)));
    }

    #step(): void {
        const reading = this.#active.filter((job) => job.tokens.length - job.sequence!.tokens.length > 1);
        let budget = this.#budget(this.#active.length - reading.length);
        let left = reading.length;
        const rows: Row[] = [];
        const shares = new Map<Job, number>();
        for (const job of this.#active) {
            const { handle, tokens } = job.sequence!;
            const missing = job.tokens.length - tokens.length;
            let share = missing;
            if (missing > 1) {
                share = Math.min(missing, Math.ceil(budget / left--));
                budget -= share;
            }
            shares.set(job, share);
            for (let i = 0; i < share; i++) rows.push({ session: handle, token: job.tokens[tokens.length + i]!, want: i + 1 === missing });
        }
        const started = performance.now();
        try {
            this.engine.step(rows);
        } catch (error) {
            if (!(error instanceof MoteError)) throw error;
            this.#full(error);
            return;
        }
        const seconds = (performance.now() - started) / 1000;
        this.#count(rows.length, reading.length > 0, seconds);
        let row = 0;
        for (const [job, share] of shares) {
            const sequence = job.sequence!;
            for (let i = 0; i < share; i++) sequence.tokens.push(job.tokens[sequence.tokens.length]!);
            if (sequence.tokens.length !== job.tokens.length) continue;
            try {
                this.#advance(job, row++);
            } catch (error) {
                if (!(error instanceof MoteError)) throw error;
                this.#end(job, error);
            }
        }
    }

    #count(rows: number, reading: boolean, seconds: number): void {
        this.stats.steps++;
        this.stats.rows += rows;
        if (reading) this.stats.promptSeconds += seconds;
        else this.stats.decodeSeconds += seconds;
        if (!reading || rows < ROWS_LEAST) return;
        const perRow = seconds / rows;
        this.#rowSeconds = this.#rowSeconds === 0 ? perRow : 0.7 * this.#rowSeconds + 0.3 * perRow;
    }

    /** The logits of a job's last token are there: picks the next one. */
    #advance(job: Job, row: number): void {
        const { sequence, generate } = job;
        if (!generate) {
            sequence!.logits = this.engine.logits(row).slice();
            this.#end(job, undefined, "end");
            return;
        }
        const now = performance.now();
        const token = this.engine.pick(job.stream, row, sequence!.handle);
        if (job.first === 0) job.first = now;
        job.last = now;
        if (this.engine.isEnd(token)) {
            this.#end(job, undefined, "end");
            return;
        }
        this.stats.generatedTokens++;
        this.#say(job, this.engine.piece(job.stream, token));
        job.tokens.push(token);
        if (job.texts.found !== undefined) this.#end(job, undefined, "stop");
        else if (generated(job) >= generate.maxTokens) this.#end(job, undefined, "length");
        else if (sequence!.tokens.length === this.limits.positions) this.#end(job, undefined, "context");
    }

    #say(job: Job, piece: string): void {
        const text = job.texts.add(piece);
        if (text === "") return;
        job.text += text;
        job.onPiece?.(text);
    }

    /** The KV cache is full, or something else is wrong with a step that has changed nothing. */
    #full(error: MoteError): void {
        if (error.code === "context" && this.sequences.evict()) return;
        const youngest = this.#active[this.#active.length - 1]!;
        if (error.code !== "context") {
            // Which row is to blame is not said: it is tried with fewer.
            if (this.#active.length === 1) this.#end(youngest, error);
            else this.#retire(youngest);
            return;
        }
        if (this.#active.length > 1) this.#retire(youngest);
        else if (generated(youngest) > 0) this.#end(youngest, undefined, "context");
        else {
            const available = this.limits.positions - this.sequences.positions + youngest.sequence!.tokens.length;
            this.#end(youngest, new MoteError("context", `the text has ${youngest.tokens.length} tokens; sessions that are held leave room for ${available}`, { needed: youngest.tokens.length, available }));
        }
    }

    /** Takes a job's pages for the others; it begins again when there is room. */
    #retire(job: Job): void {
        this.#active.splice(this.#active.indexOf(job), 1);
        const sequence = job.sequence!;
        sequence.busy = false;
        if (sequence.pinned) this.sequences.truncate(sequence, job.append ? job.startTokens - job.promptTokens : 0);
        else {
            this.sequences.close(sequence);
            delete job.sequence;
        }
        this.#parked.push(job);
    }

    /** Ends a job; with no error, by a reason. */
    #end(job: Job, error: unknown, reason: FinishReason = "end"): void {
        const list = [this.#active, this.#waiting, this.#parked].find((jobs) => jobs.includes(job));
        if (!list) return;
        list.splice(list.indexOf(job), 1);
        if (list === this.#active) this.#waiting.unshift(...this.#parked.splice(0));
        if (list === this.#active && job.sequence) {
            job.sequence.busy = false;
            this.sequences.touch(job.sequence);
        }
        if (job.stream >= 0) this.#free.push(job.stream);
        if (error !== undefined) {
            job.fail(error);
            return;
        }
        if (job.generate) {
            if (reason !== "stop") this.#say(job, this.engine.piece(job.stream, -1));
            const rest = job.texts.found === undefined ? job.texts.end() : "";
            job.text += rest;
            if (rest !== "") job.onPiece?.(rest);
        }
        const tokens = generated(job);
        const decodeSeconds = (job.last - job.first) / 1000;
        job.finish({
            text: job.text,
            finishReason: reason,
            ...(job.texts.found !== undefined ? { stop: job.texts.found } : {}),
            promptTokens: job.promptTokens,
            cachedTokens: job.cached,
            tokens,
            firstTokenSeconds: Math.max(0, (job.first - job.started) / 1000),
            decodeSeconds,
            tokensPerSecond: tokens > 1 && decodeSeconds > 0 ? (tokens - 1) / decodeSeconds : 0,
            seed: job.generate?.sampling.seed ?? 0,
        });
    }
}

const generated = (job: Job): number => job.tokens.length - job.startTokens;
