// SPDX-License-Identifier: Apache-2.0
//
// Registers the service worker, which keeps the page for use without a network and, on servers that do not,
// sends the headers that isolate it (without them there is one thread only).

import { notify } from "./notice.ts";

const TRIED = "mote-isolation-tried";

/** True when the page is being loaded again. */
export async function startWorker(): Promise<boolean> {
    if (!("serviceWorker" in navigator) || !isSecureContext) return false;
    try {
        const registration = await navigator.serviceWorker.register("sw.js", { updateViaCache: "none" });
        watch(registration);
        if (crossOriginIsolated || sessionStorage.getItem(TRIED)) return false;
        // The first visit of a server without the headers: the worker sends them from the second request on.
        await navigator.serviceWorker.ready;
        sessionStorage.setItem(TRIED, "1");
        location.reload();
        return true;
    } catch (error) {
        console.warn("the page will not work without a network:", error);
        return false;
    }
}

/** A newer page waits until this one is closed, or until the user asks for it. */
function watch(registration: ServiceWorkerRegistration): void {
    registration.addEventListener("updatefound", () => {
        const worker = registration.installing;
        worker?.addEventListener("statechange", () => {
            if (worker.state !== "installed" || !navigator.serviceWorker.controller) return;
            notify("A newer version of this page is ready", {
                action: {
                    name: "Use it",
                    run: () => {
                        navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), {
                            once: true,
                        });
                        worker.postMessage("take over");
                    },
                },
            });
        });
    });
}
