// SPDX-License-Identifier: Apache-2.0
//
// coi.js: makes a page cross-origin isolated where the server cannot send the headers for it, so that mote may use
// threads. Put this file beside the page and load it first:
//
//     <script src="coi.js"></script>
//
// The page registers it as its service worker, which adds the headers to all that the page fetches, and reloads once.
// An app that has a service worker of its own can call importScripts("coi.js?own") there, and pass its responses
// through `crossOriginIsolate(response)`.
"use strict";

/** The same response with the headers of isolation. Opaque responses cannot be changed. */
function crossOriginIsolate(response, embedder = "credentialless") {
    if (response.status === 0 || response.type === "opaqueredirect") return response;
    const headers = new Headers(response.headers);
    headers.set("Cross-Origin-Opener-Policy", "same-origin");
    headers.set("Cross-Origin-Embedder-Policy", embedder);
    headers.set("Cross-Origin-Resource-Policy", "cross-origin");
    const bodiless = response.status === 204 || response.status === 205 || response.status === 304;
    return new Response(bodiless ? null : response.body, { status: response.status, statusText: response.statusText, headers });
}

if (typeof window === "undefined") {
    if (!self.location.search.includes("own") && !self.registration?.active?.scriptURL.includes("own")) {
        const embedder = new URLSearchParams(self.location.search).get("embedder") ?? "credentialless";
        self.addEventListener("install", () => self.skipWaiting());
        self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
        self.addEventListener("fetch", (event) => {
            const { request } = event;
            // Chromium asks workers for what only the cache may answer, when the page has no such wish.
            if (request.cache === "only-if-cached" && request.mode !== "same-origin") return;
            // Without credentials, as the policy says: then other origins need not agree.
            const plain = embedder === "credentialless" && request.mode === "no-cors" ? new Request(request, { credentials: "omit" }) : request;
            event.respondWith(fetch(plain).then((response) => crossOriginIsolate(response, embedder)));
        });
    }
} else {
    const script = document.currentScript?.src;
    if (!window.crossOriginIsolated && window.isSecureContext && navigator.serviceWorker && script) {
        // Where "credentialless" is not known, the stricter policy is; which one a browser knows shows after a reload.
        const tried = sessionStorage.getItem("mote-coi");
        const embedder = tried === null ? "credentialless" : "require-corp";
        if (tried !== "require-corp") {
            navigator.serviceWorker.register(`${script}?embedder=${embedder}`).then(async () => {
                await navigator.serviceWorker.ready;
                sessionStorage.setItem("mote-coi", embedder);
                location.reload();
            });
        }
    } else if (window.crossOriginIsolated) sessionStorage.removeItem("mote-coi");
}
