// SPDX-License-Identifier: Apache-2.0
//
// Numbers and errors in words.

import { MoteError } from "mote";
import { InvalidData } from "./store/conversation.ts";

/** 323 MB; powers of 1000, as storage is sold. */
export function bytes(n: number): string {
    if (!(n >= 0)) return "–";
    if (n < 1000) return `${Math.round(n)} B`;
    const units = ["kB", "MB", "GB", "TB"];
    let unit = -1;
    do {
        n /= 1000;
        unit++;
    } while (n >= 999.5 && unit < units.length - 1);
    return `${n < 9.95 ? n.toFixed(1) : Math.round(n)} ${units[unit]}`;
}

export function rate(perSecond: number): string {
    if (!(perSecond > 0) || !Number.isFinite(perSecond)) return "–";
    return perSecond < 99.95 ? perSecond.toFixed(1) : String(Math.round(perSecond));
}

export function duration(ms: number): string {
    if (!(ms >= 0)) return "–";
    if (ms < 999.5) return `${Math.round(ms)} ms`;
    if (ms < 59_950) return `${(ms / 1000).toFixed(ms < 9_950 ? 2 : 1)} s`;
    const minutes = Math.floor(ms / 60_000);
    if (minutes < 60) return `${minutes} min ${Math.round((ms % 60_000) / 1000)} s`;
    return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A time that is only guessed. */
export function roughly(ms: number): string {
    const seconds = Math.ceil(ms / 1000);
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
    return `${Math.round(seconds / 3600)} h`;
}

export function count(n: number, one: string, many = `${one}s`): string {
    return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

export function when(ms: number): string {
    const date = new Date(ms);
    const days = Math.floor((new Date().setHours(0, 0, 0, 0) - new Date(ms).setHours(0, 0, 0, 0)) / 86_400_000);
    if (days <= 0) return date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
    if (days === 1) return "yesterday";
    if (days < 7) return date.toLocaleDateString(undefined, { weekday: "long" });
    return date.toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });
}

export interface Explained {
    title: string;
    /** What happened, in the package's own words, and what can be done. */
    text: string;
}

export function isAbort(error: unknown): boolean {
    return error instanceof MoteError
        ? error.code === "aborted"
        : error instanceof DOMException && error.name === "AbortError";
}

function sizes(error: MoteError): string {
    if (error.needed === undefined) return "";
    const had = error.available === undefined ? "" : `, ${bytes(error.available)} can be had`;
    return ` ${bytes(error.needed)} are needed${had}.`;
}

/** An error as a title and a sentence or two that say what to do. */
export function explain(error: unknown): Explained {
    if (error instanceof InvalidData) return { title: "This file cannot be imported", text: error.message };
    if (!(error instanceof MoteError))
        return { title: "Something went wrong", text: error instanceof Error ? error.message : String(error) };
    const said = error.message;
    switch (error.code) {
        case "memory":
            return {
                title: "Not enough memory",
                text: `${said}.${sizes(error)} Choose a smaller model, or a shorter context in the settings.`,
            };
        case "format":
            return { title: "This is not a sound GGUF file", text: said };
        case "unsupported":
            return { title: "This cannot be run here", text: said };
        case "network":
            return {
                title: navigator.onLine ? "The download failed" : "You are offline",
                text: navigator.onLine
                    ? `${said}. What has arrived is kept; resume to go on from there.`
                    : "Connect to the network and resume. What has arrived is kept.",
            };
        case "quota":
            return {
                title: "The browser has no room for this model",
                text: `${said}.${sizes(error)} Delete a model you no longer use, or free space on the device.`,
            };
        case "storage":
            return { title: "The browser's storage failed", text: said };
        case "checksum":
            return { title: "The file is not the one expected", text: `${said}. Delete it and download it again.` };
        case "context":
            return {
                title: "The conversation is longer than the context",
                text: "Leave out its oldest messages, or load the model with a longer context in the settings.",
            };
        case "template":
            return { title: "The model's chat template failed", text: said };
        case "closed":
            return { title: "The model was unloaded", text: "Load it again to go on." };
        case "notfound":
            return {
                title: "This model is no longer stored",
                text: "The browser may have evicted it. Download it again.",
            };
        default:
            return { title: "Something went wrong", text: said };
    }
}
