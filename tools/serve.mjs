// SPDX-License-Identifier: Apache-2.0
//
// Serves a folder over HTTP, as a site of static files would, with the headers that isolate a page (so that it
// may have threads) and byte ranges. Models given are offered under models/ and head the page's catalogue.
//
//     node tools/serve.mjs dist/web [--port 8080] [--model FILE.gguf[=DESCRIPTION]]…
//
// For one's own machine: it listens on the loopback address only.

import {
  createReadStream,
  readFileSync,
  realpathSync,
  statSync,
} from "node:fs";
import { createServer } from "node:http";
import { basename, extname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json; charset=utf-8",
  ".woff2": "font/woff2",
};

const ISOLATED = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};
const ALWAYS = {
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Content-Security-Policy": "frame-ancestors 'none'",
};

/** The file that a path of a request names, inside root; undefined if there is none. */
function fileOf(root, path) {
  let name;
  try {
    name = decodeURIComponent(path);
  } catch {
    return undefined;
  }
  if (name.includes("\0")) return undefined;
  const file = resolve(
    root,
    `.${name.endsWith("/") ? `${name}index.html` : name}`,
  );
  try {
    // Links may lead out of the folder as well as "..".
    const real = realpathSync(file);
    return real.startsWith(root + sep) && statSync(real).isFile()
      ? real
      : undefined;
  } catch {
    return undefined;
  }
}

/** The range asked for, cut to the file: undefined for none, null for one that cannot be given. */
function rangeOf(header, size) {
  const found = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!found || (found[1] === "" && found[2] === "")) return undefined;
  const from =
    found[1] === "" ? Math.max(0, size - Number(found[2])) : Number(found[1]);
  const to =
    found[1] === "" || found[2] === ""
      ? size - 1
      : Math.min(Number(found[2]), size - 1);
  return from <= to && from < size ? { from, to } : null;
}

function send(request, response, file, headers) {
  const { size, mtimeMs } = statSync(file);
  const etag = `"${size.toString(36)}-${Math.floor(mtimeMs).toString(36)}"`;
  const all = {
    ...headers,
    "Content-Type": TYPES[extname(file)] ?? "application/octet-stream",
    "Accept-Ranges": "bytes",
    "Cache-Control": "no-cache",
    ETag: etag,
  };
  if (request.headers["if-none-match"] === etag)
    return response.writeHead(304, all).end();
  // A range of another version of the file would be put to wrong use.
  const same =
    !request.headers["if-range"] || request.headers["if-range"] === etag;
  const range = same ? rangeOf(request.headers.range, size) : undefined;
  if (range === null)
    return response
      .writeHead(416, { ...all, "Content-Range": `bytes */${size}` })
      .end();
  const { from, to } = range ?? { from: 0, to: size - 1 };
  response.writeHead(range ? 206 : 200, {
    ...all,
    "Content-Length": Math.max(0, to - from + 1),
    ...(range ? { "Content-Range": `bytes ${from}-${to}/${size}` } : {}),
  });
  if (request.method === "HEAD" || size === 0) return response.end();
  const stream = createReadStream(file, { start: from, end: to });
  stream.on("error", () => response.destroy());
  response.on("close", () => stream.destroy());
  stream.pipe(response);
}

/** The catalogue of the page with the models of this machine before it. */
function catalogue(root, models) {
  const { models: known } = JSON.parse(
    readFileSync(join(root, "catalogue.json"), "utf8"),
  );
  const here = models.map(({ file, description }) => ({
    name: basename(file, ".gguf"),
    description: description || "on this machine",
    url: `models/${encodeURIComponent(basename(file))}`,
    bytes: statSync(file).size,
  }));
  return JSON.stringify({ models: [...here, ...known] });
}

/** A server, not yet listening. `isolate: false` leaves the isolating headers out, as many static hosts do. */
export function site({ root, models = [], isolate = true }) {
  const folder = realpathSync(root);
  const headers = isolate ? { ...ALWAYS, ...ISOLATED } : ALWAYS;
  return createServer((request, response) => {
    if (request.method !== "GET" && request.method !== "HEAD")
      return response.writeHead(405, headers).end();
    const path = request.url.replace(/[?#].*$/s, "");
    if (path === "/catalogue.json" && models.length > 0) {
      response.writeHead(200, {
        ...headers,
        "Content-Type": TYPES[".json"],
        "Cache-Control": "no-cache",
      });
      return response.end(
        request.method === "HEAD" ? "" : catalogue(folder, models),
      );
    }
    const model = models.find(
      ({ file }) => path === `/models/${encodeURIComponent(basename(file))}`,
    );
    const file = model ? model.file : fileOf(folder, path);
    if (file) return send(request, response, file, headers);
    response
      .writeHead(404, {
        ...headers,
        "Content-Type": "text/plain; charset=utf-8",
      })
      .end("not found\n");
  });
}

if (
  process.argv[1] &&
  realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)
) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      port: { type: "string", default: "8080" },
      model: { type: "string", multiple: true, default: [] },
    },
  });
  const [root] = positionals;
  if (positionals.length !== 1 || !/^\d{1,5}$/.test(values.port)) {
    console.error(
      "usage: node tools/serve.mjs FOLDER [--port N] [--model FILE.gguf[=DESCRIPTION]]…",
    );
    process.exit(2);
  }
  const models = values.model.map((text) => {
    const [file, description] = text.split(/=(.*)/s);
    return { file, description };
  });
  const server = site({ root, models });
  server.on("error", (error) => {
    console.error(`serve: ${error.message}`);
    process.exit(1);
  });
  server.listen(Number(values.port), "127.0.0.1", () => {
    console.log(`The page is at http://localhost:${server.address().port}/ until Ctrl-C.`);
  });
}
