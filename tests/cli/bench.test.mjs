// SPDX-License-Identifier: Apache-2.0
//
// The contract of `mote bench`: its matrix of options, the keys of its JSON, the columns of its CSV, what it
// refuses, and that Ctrl-C keeps what was measured. How fast anything is, is not tested here.
//
//     MOTE=build/mote node --test tests/cli/bench.test.mjs

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { MOTE, assertFails, file, folder, model, mote } from './tiny.mjs';

const COLUMNS =
    'model,cpu,test,tokens,depth,batch,threads,kv,runs,median_tokens_per_second,best_tokens_per_second,' +
    'worst_tokens_per_second,bytes_per_second,memory_share,macs_per_second,multiply_share,' +
    'roof_memory_bytes_per_second,roof_int8_macs_per_second,roof_f32_macs_per_second';

/** Runs bench to success; the result's stdout. */
function bench(...args) {
    const result = mote(['bench', model, ...args]);
    assert.equal(result.code, 0, result.stderr);
    return result.stdout;
}

/** Rows of CSV as objects; no value here holds a comma. */
function rows(csv) {
    const [head, ...lines] = csv.trimEnd().split('\n');
    assert.equal(head, COLUMNS);
    return lines.map((line) => {
        const values = line.split(',');
        assert.equal(values.length, COLUMNS.split(',').length, line);
        return Object.fromEntries(COLUMNS.split(',').map((name, i) => [name, values[i]]));
    });
}

const key = (r) => [r.test, r.tokens, r.depth, r.batch, r.threads, r.kv].join(' ');

test('every combination is measured, in order', () => {
    const csv = bench('--pp', '8,16', '--tg', '4', '--depth', '0,32', '--batch', '1,3', '-t', '1,2', '--kv', 'f16,f32',
        '--repeat', '2', '--csv', '--no-roof');
    const found = rows(csv);
    const expected = [];
    for (const threads of [1, 2])
        for (const kv of ['f16', 'f32'])
            for (const depth of [0, 32])
                for (const [name, n, batch] of [['pp', 8, 1], ['pp', 16, 1], ['tg', 4, 1], ['tg', 4, 3]])
                    expected.push([name, n, depth, batch, threads, kv].join(' '));
    assert.deepEqual(found.map(key), expected);
    for (const r of found) {
        assert.equal(r.model, '"tiny.gguf"');
        assert.equal(r.runs, '2');
        const [worst, median, best] = ['worst', 'median', 'best'].map((name) => Number(r[`${name}_tokens_per_second`]));
        assert.ok(worst > 0 && worst <= median && median <= best, JSON.stringify(r));
        assert.ok(Number(r.bytes_per_second) > 0 && Number(r.macs_per_second) > 0);
        for (const name of COLUMNS.split(',').filter((column) => /share|roof/.test(column))) assert.equal(Number(r[name]), 0);
    }
});

test('JSON is one line with the figures, the matrix and the machine', () => {
    const text = bench('--pp', '16,8', '--tg', '4,2', '-t', '1', '--json');
    assert.equal(text.split('\n').length, 2);
    const line = JSON.parse(text);
    assert.deepEqual(Object.keys(line), ['model', 'architecture', 'cpu', 'threads', 'pp', 'tg', 'pp_tokens_per_second',
        'tg_tokens_per_second', 'pp_tokens_per_second_median', 'tg_tokens_per_second_median', 'load_ms', 'peak_bytes', 'roof',
        'results']);
    assert.deepEqual([line.model, line.architecture, line.threads, line.pp, line.tg], ['tiny.gguf', 'llama', 1, 16, 4]);
    assert.deepEqual(line.results.map((r) => [r.test, r.tokens]), [['pp', 16], ['pp', 8], ['tg', 4], ['tg', 2]]);
    assert.equal(line.pp_tokens_per_second, line.results[0].best_tokens_per_second);
    assert.equal(line.tg_tokens_per_second, line.results[2].best_tokens_per_second);
    assert.equal(line.tg_tokens_per_second_median, line.results[2].median_tokens_per_second);
    assert.deepEqual(line.roof.map((r) => r.threads), [1]);
    const [roof] = line.roof;
    for (const limit of ['memory_bytes_per_second', 'int8_macs_per_second', 'f32_macs_per_second']) assert.ok(roof[limit] > 1e6, limit);
    for (const r of line.results) {
        const close = (a, b) => assert.ok(Math.abs(a / b - 1) < 1e-3, `${a} ${b}`);
        close(r.memory_share, r.bytes_per_second / roof.memory_bytes_per_second);
        // The model's weights are floats, so that is what its products are held against.
        close(r.multiply_share, r.macs_per_second / roof.f32_macs_per_second);
        // Six digits are printed, and of two figures that are nearly the same fewer are left in their difference.
        const spread = (r.best_tokens_per_second - r.worst_tokens_per_second) / r.median_tokens_per_second;
        assert.ok(Math.abs(r.spread - spread) < 5e-5, `${r.spread} ${spread}`);
    }
});

test('what a token costs follows from the shapes of the model', () => {
    const info = JSON.parse(mote(['info', model, '--json', '--tensors']).stdout);
    const tensors = JSON.parse(bench('--pp', '0', '--tg', '4', '--json', '--no-roof')).results[0];
    const macs = tensors.macs_per_second / tensors.best_tokens_per_second;
    const bytes = tensors.bytes_per_second / tensors.best_tokens_per_second;
    // Every weight is f32 and multiplied once for each token, but for the table of embeddings.
    assert.ok(macs > 0 && bytes > 4 * macs && bytes < 4.5 * macs, `${macs} multiply-adds, ${bytes} bytes`);
    assert.ok(macs < (info.n_parameters));
    const batch = JSON.parse(bench('--pp', '0', '--tg', '4', '--batch', '4', '--json', '--no-roof')).results[0];
    assert.ok(Math.abs(batch.macs_per_second / batch.best_tokens_per_second / macs - 1) < 1e-3);
    assert.ok(batch.bytes_per_second / batch.best_tokens_per_second < 0.5 * bytes); // weights are read once for all four
});

test('the table names the machine and every test', () => {
    const text = bench('--pp', '16', '--tg', '8', '--depth', '0,64', '--cpu', 'scalar', '-t', '1');
    assert.match(text, /^tiny\.gguf, scalar\nthe machine, 1 thread: memory [\d.]+ GB\/s, int8 \d+ GMAC\/s, f32 \d+ GMAC\/s\n/);
    for (const row of [/^pp 16 +0 +1 +1 +f16 /m, /^tg 8 +0 +1 +1 +f16 /m, /^pp 16 +64 +1 +1 +f16 /m, /^tg 8 +64 +1 +1 +f16 /m])
        assert.match(text, row);
    assert.equal(bench('--pp', '8', '--tg', '0', '--no-roof').match(/^(pp|tg) /gm).length, 1);
});

test('the plot is an SVG with a point for each test', () => {
    const svg = file('roof.svg');
    bench('--pp', '16', '--tg', '4', '--batch', '1,2', '-t', '1', '--plot', svg);
    const text = fs.readFileSync(svg, 'utf8');
    assert.match(text, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" /);
    assert.match(text, /<\/svg>\n$/);
    assert.match(text, /prefers-color-scheme: dark/);
    assert.doesNotMatch(text, /nan|inf/i);
    for (const label of ['>pp 16, 1 thr, f16: ', '>tg 4, 1 thr, f16: ', '>tg 4 × 2, 1 thr, f16: ']) assert.ok(text.includes(label), label);
    assertFails(mote(['bench', model, '--plot', file('gone/x.svg')]), 1, /No such file/);
});

test('nonsense is refused before anything runs', () => {
    for (const [args, text] of [
        [['--pp', '1,,2'], /--pp takes up to 16 whole numbers from 0 to 1048576, with commas, not '1,,2'/],
        [['--pp', '1,'], /--pp takes/],
        [['--pp', ''], /--pp takes/],
        [['--pp', '-1'], /--pp takes/],
        [['--tg', '4x'], /--tg takes/],
        [['--depth', '2000000'], /--depth takes/],
        [['--batch', '0'], /--batch takes up to 16 whole numbers from 1 to 256/],
        [['--batch', '1,257'], /--batch takes/],
        [['--batch', Array(17).fill('1').join(',')], /--batch takes/],
        [['-t', '0'], /--threads takes/],
        [['--kv', 'f16,f64'], /--kv takes .*not 'f16,f64'/],
        [['--kv', 'f16,'], /--kv takes/],
        [['--cpu', 'abacus'], /--cpu takes/],
        [['--repeat', '0'], /--repeat takes/],
        [['--repeat', '101'], /--repeat takes/],
        [['--json', '--csv'], /--json or --csv, not both/],
        [['--plot', 'x.svg', '--no-roof'], /--plot/],
        [['--pp', '0', '--tg', '0'], /nothing to measure/],
        [['--pp', '1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16', '--depth', '0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15', '-t',
            '1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16', '--kv', 'f16,f32'], /more than 4096 tests/],
    ])
        assertFails(mote(['bench', model, ...args]), 2, text);
    assertFails(mote(['bench', model, '--pp', '8', '--depth', '250']), 5, /\d+ tokens do not fit in the context of \d+/);
    assert.ok(!fs.existsSync(file('x.svg')));
});

test('Ctrl-C ends a bench, and what was measured is printed', async () => {
    const depths = '0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15';
    const child = spawn(MOTE, ['bench', model, '--pp', '0', '--tg', '100', '--depth', depths, '--batch', '16', '-t', '1',
        '--repeat', '100', '--csv'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    child.stdout.on('data', (data) => (stdout += data));
    child.stderr.once('data', () => setTimeout(() => child.kill('SIGINT'), 2000));
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(code, 130);
    const found = rows(stdout);
    assert.ok(found.length >= 1 && found.length <= 16);
    assert.ok(Number(found.at(-1).runs) < 100 || found.length < 16);
});
