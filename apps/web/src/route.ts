// SPDX-License-Identifier: Apache-2.0
//
// Where in the page the user is: the part of the address after "#", so that any server of static files will do
// and Back works.
//
//     #/  a new conversation     #/c/ID  that one     #/models     #/benchmark     #/text

import { signal } from "@preact/signals";

export type Route = { view: "chat"; id: string | undefined } | { view: "models" } | { view: "benchmark" } | { view: "text" };

function parse(hash: string): Route {
    const [, view, id] = hash.replace(/^#/, "").split("/");
    if (view === "models" || view === "benchmark" || view === "text") return { view };
    return { view: "chat", id: view === "c" && id ? id : undefined };
}

export const route = signal<Route>(parse(location.hash));

export function go(to: string, replace = false): void {
    if (replace) history.replaceState(null, "", to);
    else history.pushState(null, "", to);
    route.value = parse(location.hash);
}

addEventListener("popstate", () => (route.value = parse(location.hash)));
addEventListener("hashchange", () => (route.value = parse(location.hash)));
