// SPDX-License-Identifier: Apache-2.0
//
// The models that the page offers by name: catalogue.json beside the page (made from share/catalogue.json when
// it is built; a site may put its own there), and addresses the user has added. The file is read as foreign data.
//
//     { "models": [ { "name", "description", "url", "bytes"?, "sha256"?, "licence"? } ] }

import { signal } from "@preact/signals";

export interface Offer {
    name: string;
    description: string;
    url: string;
    /** What the model is kept under: see keyOf. */
    key: string;
    bytes: number;
    sha256?: string;
    licence?: string;
    /** Added by the user, who can remove it. */
    own: boolean;
}

export const catalogue = signal<readonly Offer[]>([]);
export const added = signal<readonly Offer[]>(readAdded());

const KEY = "mote-models";
const MOST = 500;

/** An absolute address of a file that the page may download, or what is wrong with it. */
export function readAddress(text: string): URL | string {
    let url: URL;
    try {
        url = new URL(text.trim(), document.baseURI);
    } catch {
        return "This is not an address.";
    }
    const local = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname) || url.origin === location.origin;
    if (url.protocol !== "https:" && !(url.protocol === "http:" && local))
        return "Only https:// addresses can be downloaded from.";
    if (url.username || url.password) return "The address must not contain a password.";
    // What people copy from a model's page on Hugging Face is the page about the file.
    if (url.hostname === "huggingface.co") {
        url.pathname = url.pathname.replace(/^(\/[^/]+\/[^/]+)\/blob\//, "$1/resolve/");
        url.searchParams.delete("download");
    }
    if (!/\.gguf$/i.test(url.pathname)) return "The address should end in .gguf.";
    url.hash = "";
    return url;
}

function text(value: unknown, limit: number): string {
    return typeof value === "string" ? value.slice(0, limit) : "";
}

function readOffer(value: unknown, own: boolean): Offer | undefined {
    if (typeof value !== "object" || value === null) return undefined;
    const entry = value as Record<string, unknown>;
    if (typeof entry.url !== "string" || entry.url.length > 4000) return undefined;
    const url = readAddress(entry.url);
    if (typeof url === "string") return undefined;
    const offer: Offer = {
        name: text(entry.name, 100) || nameOf(url.href),
        description: text(entry.description, 300),
        url: url.href,
        key: keyOf(shards(url.href)),
        bytes: Number.isSafeInteger(entry.bytes) && (entry.bytes as number) > 0 ? (entry.bytes as number) : 0,
        own,
    };
    if (typeof entry.sha256 === "string" && /^[0-9a-f]{64}$/.test(entry.sha256)) offer.sha256 = entry.sha256;
    if (typeof entry.licence === "string") offer.licence = text(entry.licence, 60);
    return offer;
}

function readOffers(value: unknown, own: boolean): Offer[] {
    const list = (value as { models?: unknown } | null)?.models;
    if (!Array.isArray(list)) return [];
    const offers = list.slice(0, MOST).map((entry) => readOffer(entry, own));
    const urls = new Set<string>();
    return offers.filter((offer): offer is Offer => {
        if (!offer || urls.has(offer.url)) return false;
        urls.add(offer.url);
        return true;
    });
}

export async function open(): Promise<void> {
    const response = await fetch("catalogue.json", { signal: AbortSignal.timeout(10_000) });
    if (!response.ok) throw new Error(`catalogue.json: HTTP ${response.status}`);
    catalogue.value = readOffers(await response.json(), false);
}

function readAdded(): Offer[] {
    try {
        return readOffers(JSON.parse(localStorage.getItem("mote-models") ?? "{}"), true);
    } catch {
        return [];
    }
}

function keep(offers: readonly Offer[]): void {
    added.value = offers;
    try {
        localStorage.setItem(KEY, JSON.stringify({ models: offers }));
    } catch {
        // Without storage they last as long as the page.
    }
}

/** Adds an address to the list, unless it is there; its key. */
export function add(url: URL): string {
    const key = keyOf(shards(url.href));
    const known = [...catalogue.value, ...added.value].some((offer) => offer.key === key);
    if (!known)
        keep([
            ...added.value,
            { name: nameOf(url.href), description: url.hostname, url: url.href, key, bytes: 0, own: true },
        ]);
    return key;
}

export function drop(key: string): void {
    keep(added.value.filter((offer) => offer.key !== key));
}

/** One text that stands for a model wherever it comes from: its address, or those of its parts, one a line. */
export function keyOf(source: string | string[]): string {
    return typeof source === "string" ? source : source.join("\n");
}

/** What the package takes for a key. */
export function sourceOf(key: string): string | string[] {
    return key.includes("\n") ? key.split("\n") : key;
}

/** The address of one shard (…-00001-of-00003.gguf) stands for those of all. */
function shards(address: string): string | string[] {
    const found = /-(\d{5})-of-(\d{5})\.gguf(?=$|\?)/i.exec(address);
    const total = Number(found?.[2] ?? 1);
    if (!found || total < 2 || total > 999) return address;
    const before = address.slice(0, found.index);
    const after = address.slice(found.index + "-00001".length);
    return Array.from({ length: total }, (_, i) => `${before}-${String(i + 1).padStart(5, "0")}${after}`);
}

/** A name to show for a model that only has an address: the file's, without its ending. */
export function nameOf(key: string): string {
    const last = key
        .split("\n", 1)[0]!
        .replace(/^stored:/, "")
        .replace(/[?#].*$/, "")
        .split("/")
        .at(-1)!;
    let name = last;
    try {
        name = decodeURIComponent(last);
    } catch {
        // A stray "%" stays as it is.
    }
    return name.replace(/\.gguf$/i, "") || "model";
}
