// SPDX-License-Identifier: Apache-2.0
//
// firefox.mjs: drives Debian's Firefox by WebDriver BiDi, which playwright speaks to newer ones only: a WebSocket, as
// much of it as a browser's answers need, and four commands.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
const START_MS = 60_000;

/** Sends texts, and calls `onText` with those that come. */
function webSocket(url, onText) {
    return new Promise((resolve, reject) => {
        const { hostname, port, pathname } = new URL(url);
        const headers = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': randomBytes(16).toString('base64') };
        const upgrade = request({ host: hostname, port, path: pathname, headers });
        upgrade.on('error', reject);
        upgrade.on('response', (response) => reject(new Error(`no WebSocket: HTTP ${response.statusCode}`)));
        upgrade.on('upgrade', (_response, socket) => {
            let held = Buffer.alloc(0);
            let text = [];
            socket.on('error', () => undefined);
            socket.on('data', (data) => {
                held = Buffer.concat([held, data]);
                for (let frame; (frame = cutFrame(held)); held = held.subarray(frame.end)) {
                    if (frame.opcode === 9) send(10, frame.payload);
                    if (frame.opcode > 2) continue;
                    text.push(frame.payload);
                    if (!frame.last) continue;
                    onText(Buffer.concat(text).toString());
                    text = [];
                }
            });
            const send = (opcode, payload) => {
                const mask = randomBytes(4);
                const n = payload.length;
                if (n > 65535) throw new Error('a message longer than any here should be');
                const head = Buffer.from(n < 126 ? [128 | opcode, 128 | n] : [128 | opcode, 254, n >> 8, n & 255]);
                socket.write(Buffer.concat([head, mask, payload.map((byte, i) => byte ^ mask[i % 4])]));
            };
            resolve({ send: (message) => send(1, Buffer.from(message)), close: () => socket.destroy() });
        });
        upgrade.end();
    });
}

/** The first frame of what has come, if it is all there. */
function cutFrame(bytes) {
    if (bytes.length < 2) return undefined;
    let [length, start] = [bytes[1] & 127, 2];
    if (length === 126) [length, start] = bytes.length < 4 ? [Infinity, 0] : [bytes.readUInt16BE(2), 4];
    if (length === 127) [length, start] = bytes.length < 10 ? [Infinity, 0] : [Number(bytes.readBigUInt64BE(2)), 10];
    if (bytes.length < start + length) return undefined;
    return { last: bytes[0] >= 128, opcode: bytes[0] & 15, payload: bytes.subarray(start, start + length), end: start + length };
}

/** Firefox with a profile of its own; `{ why }` where there is none. */
export async function launchFirefox() {
    if (!existsSync(FIREFOX)) return { why: `no ${FIREFOX} here` };
    const profile = mkdtempSync(join(tmpdir(), 'mote-web-'));
    writeFileSync(join(profile, 'user.js'), 'user_pref("browser.shell.checkDefaultBrowser", false); user_pref("datareporting.policy.dataSubmissionEnabled", false);\n');
    const child = spawn(FIREFOX, ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0'], { stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = new Promise((resolve) => child.on('exit', resolve));
    const address = await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('Firefox does not start')), START_MS);
        let said = '';
        child.stderr.on('data', (data) => {
            const match = /WebDriver BiDi listening on (ws:\S+)/.exec((said += data));
            if (match) (clearTimeout(timer), resolve(match[1]));
        });
        child.on('exit', () => reject(new Error(`Firefox ended: ${said}`)));
    });
    const waiting = new Map();
    let last = 0;
    const socket = await webSocket(`${address}/session`, (text) => {
        const message = JSON.parse(text);
        const { resolve, reject } = waiting.get(message.id) ?? {};
        waiting.delete(message.id);
        if (message.type === 'success') resolve?.(message.result);
        else reject?.(new Error(`${message.error}: ${message.message}`));
    });
    const command = (method, params) =>
        new Promise((resolve, reject) => {
            waiting.set(++last, { resolve, reject });
            socket.send(JSON.stringify({ id: last, method, params }));
        });
    const session = await command('session.new', { capabilities: {} });

    /** Opens a page and waits until it is ready: of pages of the package, until that is there. */
    async function open(url, isReady = () => globalThis.isReady) {
        const { context } = await command('browsingContext.create', { type: 'tab' });
        await command('browsingContext.navigate', { context, url, wait: 'complete' });
        /** Runs a function in the page with one argument; both, and its result, as JSON. */
        const evaluate = async (run, argument) => {
            const expression = `(async () => JSON.stringify(await (${run})(${JSON.stringify(argument)})) ?? 'null')()`;
            const result = await command('script.evaluate', { expression, target: { context }, awaitPromise: true });
            if (result.type === 'exception') throw new Error(result.exceptionDetails.text);
            return JSON.parse(result.result.value);
        };
        await evaluate(`async () => {
            while (!(${isReady})()) await new Promise((resolve) => setTimeout(resolve, 20));
        }`);
        return { evaluate, reload: () => command('browsingContext.reload', { context, wait: 'complete' }), close: () => command('browsingContext.close', { context }) };
    }

    async function close() {
        await command('browser.close', {}).catch(() => undefined);
        socket.close();
        child.kill();
        await ended;
        rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    }
    return { version: session.capabilities.browserVersion, open, close };
}
