// SPDX-License-Identifier: Apache-2.0
//
// page.world.mjs: what the tests of the chat page share: the page as it was built, its model, and servers.
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { makeModels, root, scratch, tool } from './world.mjs';

const dist = resolve(root, process.env.DIST ?? 'dist', 'web');

/** The folder of the page. */
export function builtPage() {
    if (!existsSync(join(dist, 'index.html'))) throw new Error(`there is no page in ${dist}: make web`);
    return dist;
}

/** stories15M in 4 bits, made once. */
export function makeTale() {
    const { 'stories.gguf': stories } = makeModels();
    const tale = join(scratch, 'tale.gguf');
    if (!existsSync(tale) || statSync(tale).mtimeMs < statSync(stories).mtimeMs) tool('mote', 'quantize', '-q', stories, tale, 'Q4_0');
    return tale;
}

export const listen = (server, port = 0) => new Promise((done) => server.listen(port, '127.0.0.1', () => done(server.address().port)));

export const shut = (server) =>
    new Promise((done) => {
        server.close(done);
        server.closeAllConnections();
    });
