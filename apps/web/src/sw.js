// SPDX-License-Identifier: Apache-2.0
//
// The service worker: keeps the page's own files, so that it opens without a network, and serves them with the
// headers that isolate it. Models are not its business: they are kept by the package, in the browser's storage.
//
// The build writes the list of files and a hash of them in place of the two names below.

const VERSION = "__VERSION__";
const FILES = __FILES__;
const CACHE = `mote-${VERSION}`;
const CATALOGUE = new URL("catalogue.json", self.registration.scope).href;
const HOME = self.registration.scope;

self.addEventListener("install", (event) => {
    // All or nothing: a page of which parts are missing, or of another version, would be worse than none.
    event.waitUntil(
        (async () => {
            const cache = await caches.open(CACHE);
            await cache.addAll(FILES.map((path) => new Request(path, { cache: "reload" })));
            const now = await fetch("sw.js", { cache: "reload" });
            if (!(await now.text()).includes(VERSION)) throw new Error("the site changed meanwhile");
        })(),
    );
});

self.addEventListener("activate", (event) => {
    event.waitUntil(
        (async () => {
            for (const name of await caches.keys())
                if (name.startsWith("mote-") && name !== CACHE) await caches.delete(name);
            await self.clients.claim();
        })(),
    );
});

// A page may ask which version serves it, and ask a newer one to take over.
self.addEventListener("message", (event) => {
    const answer = (data) => event.ports[0]?.postMessage(data);
    if (event.data === "version") answer(VERSION);
    if (event.data !== "take over") return;
    event.waitUntil(
        isAlone(event.source.id).then((alone) => {
            answer(alone);
            return alone && self.skipWaiting();
        }),
    );
});

/** Whether a page is there and no other is, which would get the rest of its files from another version. */
async function isAlone(id) {
    // A page that was just left, or loaded again, may still be counted.
    for (let tries = 0; tries < 6; tries++) {
        const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
        const here = pages.filter(({ url }) => url.startsWith(HOME)).map((page) => page.id);
        if (!here.includes(id)) return false;
        if (here.length === 1) return true;
        await new Promise((done) => setTimeout(done, 100));
    }
    return false;
}

self.addEventListener("fetch", (event) => {
    const { request } = event;
    if (request.method !== "GET" || !request.url.startsWith(HOME) || request.headers.has("range")) return;
    const url = new URL(request.url);
    url.search = url.hash = "";
    if (request.mode === "navigate" && url.href === HOME) event.respondWith(kept(HOME, request));
    else if (url.href === CATALOGUE) event.respondWith(fresh(url.href, request));
    else if (FILES.some((path) => new URL(path, HOME).href === url.href)) event.respondWith(kept(url.href, request));
});

/** From the cache, and only if it was evicted from the network. */
async function kept(address, request) {
    const cache = await caches.open(CACHE);
    return isolated((await cache.match(address)) ?? (await fetch(request)));
}

/** From the network, so that a site can change it, and from the cache without one. */
async function fresh(address, request) {
    const cache = await caches.open(CACHE);
    try {
        const response = await fetch(request);
        if (response.ok) await cache.put(address, response.clone());
        return isolated(response);
    } catch (error) {
        const before = await cache.match(address);
        if (before) return isolated(before);
        throw error;
    }
}

/** The same with headers that isolate the page. As a blob, so that the worker is done with a request before the page has
 *  read the answer. */
async function isolated(response) {
    if (response.type === "opaque" || response.status === 0) return response;
    const headers = new Headers(response.headers);
    headers.set("Cross-Origin-Opener-Policy", "same-origin");
    headers.set("Cross-Origin-Embedder-Policy", "require-corp");
    headers.set("Cross-Origin-Resource-Policy", "same-origin");
    return new Response(await response.blob(), { status: response.status, statusText: response.statusText, headers });
}
