// SPDX-License-Identifier: Apache-2.0
//
// models.mjs: what the comparisons share: the models they run, the name of the machine, the median.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(fileURLToPath(new URL('.', import.meta.url)), '..');
const build = resolve(root, process.env.BUILD ?? 'build');
export const MOTE = join(build, 'mote');
const cache = join(process.env.XDG_CACHE_HOME || join(os.homedir(), '.cache'), 'mote');
export const folder = join(cache, 'bench');
fs.mkdirSync(folder, { recursive: true });

export const MODELS = {
    '135m Q8_0': { shape: '135m', type: 'Q8_0', bytes: 145e6 },
    '1b Q4_0': { shape: '1b', type: 'Q4_0', bytes: 700e6 },
    '1b Q8_0': { shape: '1b', type: 'Q8_0', bytes: 1320e6 },
    '1b Q4_K_M': { shape: '1b', type: 'Q4_K_M', bytes: 810e6 },
    'TinyLlama IQ2_XXS': { catalogue: 'tinyllama' },
};

/** The path of a model of the catalogue, pulled where it is missing. */
export const pulled = (name) => execFileSync(MOTE, ['pull', '-q', name], { encoding: 'utf8' }).trim().split('\n').at(-1);

/** The path of a model: made with random weights once, or pulled. */
export function file(name) {
    const { shape, type, bytes, catalogue } = MODELS[name];
    if (catalogue) return pulled(catalogue);
    const path = join(folder, `${shape}-${type}.gguf`);
    if (fs.existsSync(path)) return path;
    const { bavail, bsize } = fs.statfsSync(folder);
    if (bavail * bsize < bytes + 1e9)
        throw new Error(`${name} needs ${Math.round(bytes / 1e6)} MB and a gigabyte to spare below ${folder}`);
    console.error(`making ${name}`);
    execFileSync(join(build, 'mote-synth'), ['--shape', shape, '--type', type, '-o', `${path}.new`], { stdio: 'ignore' });
    fs.renameSync(`${path}.new`, path);
    return path;
}

/** The processor's name, family and model, and how many of it: no more is told of the machine. */
export function machine() {
    const info = fs.existsSync('/proc/cpuinfo') ? fs.readFileSync('/proc/cpuinfo', 'utf8') : '';
    const field = (name) => info.match(new RegExp(`^${name}\\s*:\\s*(.+)$`, 'm'))?.[1] ?? '';
    const words = [os.cpus()[0]?.model || 'unknown', field('cpu family'), field('model'), `${os.cpus().length}c`];
    return words.join(' ').toLowerCase().replace(/\((r|tm)\)|@.*ghz/g, '').replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');
}

export const median = (list) => {
    const sorted = [...list].sort((a, b) => a - b);
    return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
};
