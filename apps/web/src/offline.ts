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
        // A newer version that was found at an earlier visit is taken at this one.
        const { waiting } = registration;
        if (waiting && navigator.serviceWorker.controller && (await takeOver(waiting))) return true;
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

/** Loads the page again in a newer version, unless other tabs still show the older one. */
async function takeOver(worker: ServiceWorker): Promise<boolean> {
    const { port1, port2 } = new MessageChannel();
    const again = (): void => location.reload();
    navigator.serviceWorker.addEventListener("controllerchange", again, { once: true });
    const alone = await new Promise<boolean>((resolve) => {
        port1.onmessage = ({ data }) => resolve(data === true);
        worker.postMessage("take over", [port2]);
    });
    port1.close();
    if (!alone) navigator.serviceWorker.removeEventListener("controllerchange", again);
    return alone;
}

/** A newer page waits until this one is closed or loaded again, or until the user asks for it. */
function watch(registration: ServiceWorkerRegistration): void {
    registration.addEventListener("updatefound", () => {
        const worker = registration.installing;
        worker?.addEventListener("statechange", () => {
            if (worker.state !== "installed" || !navigator.serviceWorker.controller) return;
            notify("A newer version of this page is ready", {
                action: {
                    name: "Use it",
                    run: async () => {
                        if (!(await takeOver(worker))) notify("Close the other tabs of this page first");
                    },
                },
            });
        });
    });
}
