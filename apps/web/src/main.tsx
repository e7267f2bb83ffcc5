// SPDX-License-Identifier: Apache-2.0
//
// Where the page begins: show it, then read what is stored, then load the model of last time.

import "./trust.ts";
import { render } from "preact";
import "@fontsource-variable/atkinson-hyperlegible-next/wght.css";
import "@fontsource-variable/atkinson-hyperlegible-next/wght-italic.css";
import "@fontsource-variable/atkinson-hyperlegible-mono/wght.css";
import "./style/base.css";
import "./style/frame.css";
import "./style/chat.css";
import "./style/panel.css";
import * as catalogue from "./model/catalogue.ts";
import { running } from "./model/answer.ts";
import { lastKey, load } from "./model/engine.ts";
import * as library from "./model/library.ts";
import { notify } from "./notice.ts";
import { startWorker } from "./offline.ts";
import * as conversations from "./store/conversations.ts";
import { Page } from "./view/page.tsx";

const root = document.getElementById("root");
if (root) render(<Page />, root);

async function start(): Promise<void> {
    if (await startWorker()) return; // the page is about to be loaded again
    await Promise.all([
        conversations.open(),
        library.refresh(),
        catalogue.open().catch((error) => {
            console.warn("the catalogue of models:", error);
        }),
    ]);
    conversations.onOthersChange(() => {
        if (!running.value) void conversations.open();
    });
    const last = library.entries.value.find((entry) => entry.complete && entry.key === lastKey());
    if (last) await load(last.key, last.name);
}

start().catch((error) => notify(String(error), { kind: "error" }));
