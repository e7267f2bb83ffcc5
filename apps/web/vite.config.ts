// SPDX-License-Identifier: Apache-2.0
//
// Builds the page into dist/web (or MOTE_WEB_OUT). The package is not bundled: it is copied as it is shipped,
// with its workers and WebAssembly modules, from packages/mote/dist (or MOTE_PACKAGE) to mote/.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Plugin, defineConfig } from "vite";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const root = at("../..");
const packageDist = process.env.MOTE_PACKAGE ?? `${root}/packages/mote/dist`;
const out = process.env.MOTE_WEB_OUT ?? `${root}/dist/web`;

/** Files of the package that a browser asks for: all but its types. */
const SHIPPED = /(?<!\.d\.ts)$/;

/** The catalogue's models that a browser can download: those of Hugging Face, by their addresses. */
function catalogue(): string {
    interface Known {
        name: string;
        description: string;
        bytes?: number;
        sha256?: string;
        licence?: string;
        sources: unknown[];
    }
    const { models } = JSON.parse(readFileSync(`${root}/share/catalogue.json`, "utf8")) as { models: Known[] };
    const offers = models.flatMap(({ name, description, bytes, sha256, licence, sources }) => {
        const source = sources.find((s): s is string => typeof s === "string" && /^(hf:|https:)/.test(s));
        if (!source) return [];
        const url = source.replace(/^hf:([^/]+\/[^/]+)\//, "https://huggingface.co/$1/resolve/main/");
        return [{ name, description, url, bytes, sha256, licence }];
    });
    return JSON.stringify({ models: offers }, null, 1);
}

/** What the page is made with, and the licences that go with it. */
function licences(): string {
    const { dependencies } = JSON.parse(readFileSync(at("package.json"), "utf8")) as { dependencies: object };
    const parts = Object.entries(dependencies).map(([name, version]) => {
        const folder = at(`node_modules/${name}`);
        const file = readdirSync(folder).find((entry) => /^licen[sc]e/i.test(entry));
        if (!file) throw new Error(`${name} has no licence file`);
        return `${name} ${version}\n\n${readFileSync(`${folder}/${file}`, "utf8").trim()}\n`;
    });
    return [`mote\n\n${readFileSync(`${root}/LICENSE`, "utf8").trim()}\n`, ...parts].join(`\n${"-".repeat(80)}\n\n`);
}

/** Adds the package, the catalogue and the licences. */
function shell(): Plugin {
    return {
        name: "mote-shell",
        apply: "build",
        enforce: "post",
        generateBundle: {
            order: "post",
            handler() {
                for (const file of readdirSync(packageDist, { recursive: true, encoding: "utf8" }).sort()) {
                    if (SHIPPED.test(file))
                        this.emitFile({
                            type: "asset",
                            fileName: `mote/${file}`,
                            source: readFileSync(`${packageDist}/${file}`),
                        });
                }
                this.emitFile({ type: "asset", fileName: "catalogue.json", source: catalogue() });
                this.emitFile({ type: "asset", fileName: "licences.txt", source: licences() });
            },
        },
    };
}

/** Adds the service worker, which knows all files, and a hash of them that changes when any does; the page has it too. */
function serviceWorker(): Plugin {
    return {
        name: "mote-service-worker",
        apply: "build",
        enforce: "post",
        generateBundle: {
            order: "post",
            handler(_, bundle) {
                const publicFiles = readdirSync(at("public"), { recursive: true, encoding: "utf8" });
                const hash = createHash("sha256");
                const add = (name: string, bytes: string | Uint8Array) => hash.update(`${name}\0`).update(bytes);
                for (const name of Object.keys(bundle).sort()) {
                    const file = bundle[name];
                    if (file) add(name, file.type === "chunk" ? file.code : file.source);
                }
                for (const name of publicFiles.sort()) add(name, readFileSync(at(`public/${name}`)));
                const code = readFileSync(at("src/sw.js"), "utf8");
                add("sw.js", code);
                const files = [
                    "./",
                    ...Object.keys(bundle).filter((name) => name !== "index.html"),
                    ...publicFiles,
                ].sort();
                const version = hash.digest("hex").slice(0, 12);
                const page = bundle["index.html"];
                if (page?.type === "asset") page.source = String(page.source).replace("__VERSION__", version);
                const filled = code
                    .replace('"__VERSION__"', JSON.stringify(version))
                    .replace("__FILES__", JSON.stringify(files, null, 2));
                this.emitFile({ type: "asset", fileName: "sw.js", source: filled });
            },
        },
    };
}

export default defineConfig({
    root: at("."),
    base: "./",
    build: {
        outDir: out,
        emptyOutDir: true,
        target: "es2022",
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        rollupOptions: { external: ["mote"], output: { paths: { mote: "../mote/index.js" } } },
    },
    plugins: [shell(), serviceWorker()],
});
