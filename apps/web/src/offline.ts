// SPDX-License-Identifier: Apache-2.0
//
// Registers the service worker, which keeps the page for use without a network and, on servers that do not,
// sends the headers that isolate it (without them there is one thread only).

import { notify } from "./notice.ts";

const TRIED = "mote-isolation-tried";
const RENEWED = "mote-renewed";

/** True when the page is being loaded again. */
export async function startWorker(): Promise<boolean> {
    if (!("serviceWorker" in navigator) || !isSecureContext) return false;
    try {
        navigator.serviceWorker.addEventListener("controllerchange", () => void renew());
        if (await renew()) return true;
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

/** Asks a worker something and waits for the answer. */
function ask(worker: ServiceWorker, question: string): Promise<unknown> {
    const { port1, port2 } = new MessageChannel();
    return new Promise((resolve) => {
        port1.onmessage = ({ data }) => {
            port1.close();
            resolve(data);
        };
        worker.postMessage(question, [port2]);
    });
}

/** Loads the page again where another version than its own serves it by now, so that the two never mix; once for each
 *  such pair, as a site may change while files that were kept are lost. */
async function renew(): Promise<boolean> {
    const { controller } = navigator.serviceWorker;
    if (!controller) return false;
    const own = document.querySelector<HTMLMetaElement>("meta[name=version]")?.content;
    const served = await ask(controller, "version");
    const pair = `${own} ${served}`;
    if (own === served || sessionStorage.getItem(RENEWED) === pair) return false;
    sessionStorage.setItem(RENEWED, pair);
    location.reload();
    return true;
}

/** Has a newer version take over, which then loads the page again, unless other tabs still show the older one. */
async function takeOver(worker: ServiceWorker): Promise<boolean> {
    // Chromium lets the newer one wait for minutes where the older was still serving this page when it was asked.
    if (document.readyState !== "complete") await new Promise((loaded) => addEventListener("load", loaded, { once: true }));
    await new Promise((done) => setTimeout(done, 300));
    const taken = new Promise<boolean>((done) => {
        navigator.serviceWorker.addEventListener("controllerchange", () => done(true), { once: true });
        setTimeout(() => done(false), 5000);
    });
    return (await ask(worker, "take over")) === true && (await taken);
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
