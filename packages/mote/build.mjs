// SPDX-License-Identifier: Apache-2.0
//
// build.mjs: src/ and the modules of ../../dist into dist/: two scripts, the service worker, types, and WebAssembly.
// `node build.mjs --watch` goes on building the scripts as they change.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, context } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "dist");
const wasm = resolve(process.env.DIST ?? join(here, "../../dist"));
/** Modules for one thread are not there: those for several serve where memory is not shared, too (engine.ts, unshare). */
const MODULES = ["mote-threads", "mote-simd", "mote-64", "mote-encoder-threads", "mote-encoder-simd"];

process.chdir(here);
mkdirSync(out, { recursive: true });
for (const name of readdirSync(out)) if (/\.(js|wasm|gz)$/.test(name)) rmSync(join(out, name));
for (const name of MODULES) {
    const module = join(wasm, `${name}.wasm`);
    if (!existsSync(module)) throw new Error(`there is no ${name}.wasm yet: make wasm`);
    writeFileSync(join(out, `${name}.wasm.gz`), gzipSync(readFileSync(module), { level: 9 }));
}
copyFileSync("../../LICENSE", "LICENSE");
copyFileSync("src/coi.js", join(out, "coi.js"));

const options = {
    absWorkingDir: here,
    entryPoints: ["src/index.ts", "src/worker.ts"],
    outdir: out,
    bundle: true,
    splitting: true,
    chunkNames: "shared",
    format: "esm",
    target: "es2022",
    minify: !process.argv.includes("--plain"),
    legalComments: "none",
    banner: { js: "// SPDX-License-Identifier: Apache-2.0" },
    logLevel: "warning",
};
if (process.argv.includes("--watch")) {
    await (await context(options)).watch();
} else {
    await build(options);
    types();
    weigh();
}

/** Declarations of what the index leads to, and of nothing else. */
function types() {
    const made = join(out, "types");
    execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", ".", "--emitDeclarationOnly", "--outDir", made], { stdio: "inherit" });
    const copy = (name) => {
        if (existsSync(join(out, name)) && copied.has(name)) return;
        copied.add(name);
        const text = readFileSync(join(made, name), "utf8");
        writeFileSync(join(out, name), text);
        for (const [, next] of text.matchAll(/from "\.\/([\w-]+)\.js"/g)) copy(`${next}.d.ts`);
    };
    const copied = new Set();
    for (const name of readdirSync(out)) if (name.endsWith(".d.ts")) rmSync(join(out, name));
    copy("index.d.ts");
    rmSync(made, { recursive: true });
}

function weigh() {
    const files = [...readdirSync(out).map((name) => join(out, name)), "README.md", "LICENSE", "package.json"];
    for (const file of files) console.log(String(statSync(file).size).padStart(8), basename(file));
    console.log(String(files.reduce((sum, file) => sum + statSync(file).size, 0)).padStart(8), "the package, unpacked");
}
