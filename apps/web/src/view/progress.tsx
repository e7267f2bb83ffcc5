// SPDX-License-Identifier: Apache-2.0
//
// How far a download or a load is, as a bar and in words.

import type { LoadPhase, LoadProgress } from "mote";
import { unload } from "../model/engine.ts";
import { bytes, roughly } from "../words.ts";

const PHASES: Record<LoadPhase, string> = {
    connecting: "Connecting",
    waiting: "Waiting for another tab",
    downloading: "Downloading",
    storing: "Copying",
    verifying: "Checking",
    reading: "Reading",
    ready: "Ready",
};

export function progressText(progress: LoadProgress | undefined): string {
    if (!progress) return "Starting";
    const { phase, loaded, total, bytesPerSecond } = progress;
    if (!total || phase === "connecting" || phase === "waiting") return PHASES[phase];
    const left =
        bytesPerSecond > 0 && phase === "downloading"
            ? `, ${roughly(((total - loaded) / bytesPerSecond) * 1000)} left`
            : "";
    return `${PHASES[phase]} ${bytes(loaded)} of ${bytes(total)}${left}`;
}

export function Bar({ label, done, total }: { label: string; done: number; total: number }) {
    // Without a total the bar moves and says nothing.
    const percent = total > 0 ? Math.min(100, Math.floor((done / total) * 100)) : undefined;
    return (
        <div
            class="bar"
            role="progressbar"
            aria-label={label}
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={percent}
            data-unknown={percent === undefined}
        >
            <span style={percent === undefined ? undefined : { width: `${percent}%` }} />
        </div>
    );
}

/** The model that is being loaded, with a way to stop it. */
export function LoadingBar({ name, progress }: { name: string; progress: LoadProgress | undefined }) {
    return (
        <div class="card loading">
            <div class="row between">
                <span>
                    Loading <strong>{name}</strong>
                </span>
                <span class="note numbers">{progressText(progress)}</span>
            </div>
            <div class="row">
                <Bar label={`Loading ${name}`} done={progress?.loaded ?? 0} total={progress?.total ?? 0} />
                <button type="button" class="quiet small" onClick={() => void unload()}>
                    Cancel
                </button>
            </div>
        </div>
    );
}
