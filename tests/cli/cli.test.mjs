// SPDX-License-Identifier: Apache-2.0
//
// The contract of the command: stdout carries the answer and nothing else, stderr the rest, and the exit code
// says what happened. The model is a random one made on the spot (tiny.mjs).
//
//     MOTE=build/mote node --test tests/cli/cli.test.mjs

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { assertFails, begin, checkpoint, file, model, mote, sanitized, shape, shell, start, tokenizer } from './tiny.mjs';

const COMMANDS = ['run', 'chat', 'pull', 'list', 'rm', 'embed', 'classify', 'rerank', 'info', 'tokenize', 'detokenize', 'perplexity', 'bench', 'convert', 'quantize', 'search', 'train-head'];
const greedy = ['--temp', '0'];
const answer = (args, options) => {
    const result = mote(['run', model, ...greedy, ...args], options);
    assert.equal(result.code, 0, result.stderr);
    return result.stdout;
};

// ---- the command line ----

test('without a command: the overview on stderr, exit 2', () => {
    const result = mote([]);
    assert.equal(result.code, 2);
    assert.equal(result.stdout, '');
    assert.match(result.stderr, /usage: mote COMMAND/);
});

test('help and version go to stdout, exit 0', () => {
    for (const args of [['help'], ['--help'], ['-h'], ['version'], ['--version'], ['help', 'help']]) {
        const result = mote(args);
        assert.deepEqual([result.code, result.stderr], [0, ''], args.join(' '));
        assert.match(result.stdout, /^mote \d+\.\d+\.\d+/);
    }
    for (const command of COMMANDS) {
        const result = mote([command, '--help']);
        assert.deepEqual([result.code, result.stderr], [0, ''], command);
        assert.match(result.stdout, new RegExp(`usage: mote ${command}`));
        assert.deepEqual(mote(['help', command]), result);
        assert.deepEqual(mote([command, '-h']), result);
    }
});

test('the manual tells of every command and option', () => {
    const manual = fs.readFileSync(new URL('../../docs/man/mote.1', import.meta.url), 'utf8').replace(/\\-/g, '-');
    for (const command of COMMANDS) {
        assert.ok(manual.includes(`\n.Ss ${command}\n`), command);
        for (const [, option] of mote([command, '--help']).stdout.matchAll(/^ {2,}(?:-\w, )?--([\w-]+)/gm))
            assert.match(manual, new RegExp(`Fl -${option}\\b`), `${command} --${option}`);
    }
});

test('completion knows commands, options and values', { skip: shell('type -t compopt').code ? 'bash without completion' : false }, () => {
    const script = new URL('../../share/completion/mote.bash', import.meta.url).pathname;
    const complete = (...words) => shell(`source ${script}; compopt() { :; }; COMP_WORDS=("$MOTE" ${words.map((word) => `'${word}'`).join(' ')});` +
        ` COMP_CWORD=${words.length}; _mote; echo "\${COMPREPLY[*]}"`).stdout.trim();
    assert.equal(complete('r'), 'run rm rerank');
    assert.equal(complete('tr'), 'train-head');
    assert.equal(complete('embed', 'x', '--pooling', 'm'), 'mean');
    assert.equal(complete('embed', 'x', '--format', ''), 'jsonl npy f32');
    assert.equal(complete('classify', 'x', '--format', 'c'), 'csv');
    assert.equal(complete('embed', 'x', 'tiny.b'), 'tiny.bin');
    assert.equal(complete('help', 'det'), 'detokenize');
    assert.equal(complete('run', '--te'), '--temp');
    assert.equal(complete('run', 'x', '--kv', 'f'), 'f16 f32');
    assert.equal(complete('convert', 'tiny.b'), 'tiny.bin');
    assert.equal(complete('info', 'tiny.'), 'tiny.gguf');
    assert.equal(complete('train-head', 'x', '--held'), '--held-out');
});

test('an unknown command suggests the nearest', () => {
    assertFails(mote(['rnu']), 2, /unknown command 'rnu'; did you mean 'run'\?/);
    assertFails(mote(['tokenise']), 2, /did you mean 'tokenize'/);
    assertFails(mote(['xyzzy']), 2, /unknown command 'xyzzy' \(see mote help\)/);
    assertFails(mote(['help', 'inof']), 2, /did you mean 'info'/);
    assertFails(mote(['x'.repeat(5000)]), 2, /unknown command/);
});

test('what is wrong on the command line is named, exit 2', () => {
    for (const [args, text] of [
        [['--bogus'], /unknown option --bogus/],
        [['-q'], /unknown option -q/],
        [['-n'], /-n needs a value/],
        [['--temp'], /--temp needs a value/],
        [['-n', '12x'], /--predict takes a whole number from 0 to 4294967295, not '12x'/],
        [['-n', '-1'], /not '-1'/],
        [['-n', '4294967296'], /not '4294967296'/],
        [['-n', ''], /not ''/],
        [['-t', '0'], /--threads takes a whole number from 1 to 1024/],
        [['--temp', 'nan'], /--temp takes a number from 0 to 100, not 'nan'/],
        [['--temp', '-0.1'], /not '-0.1'/],
        [['--top-p', '1.5'], /from 0 to 1/],
        [['--seed', '18446744073709551616'], /below 2\^64/],
        [['--stop', ''], /not empty/],
        [['--cpu', 'avx3'], /--cpu takes one of native, scalar/],
        [['--kv', 'f64'], /f16, f32, q8_0 or q4_0/],
        [['-p', 'a', '-f', 'b'], /more than once/],
        [['a', '-p', 'b'], /more than once/],
        [['a', 'b'], /too many arguments/],
        [['--raw', '-s', 'x'], /--raw leaves no place/],
        [['-c', '129', 'a'], /-c 129: the model was made for a context of 128 tokens/],
    ])
        assertFails(mote(['run', model, ...args]), 2, text);
    assertFails(mote(['info']), 2, /too few arguments; usage: mote info/);
    assertFails(mote(['convert', 'x']), 2, /--tokenizer and -o are needed/);
    assertFails(mote(['perplexity', model]), 2, /-f FILE/);
});

// ---- models that are none ----

test('a model that is missing or malformed: exit 3, file and fault named', () => {
    const good = fs.readFileSync(model);
    const bad = (name, bytes) => (fs.writeFileSync(file(name), bytes), file(name));
    for (const [path, text] of [
        [file('nowhere.gguf'), /nowhere\.gguf/],
        [file('.'), /no such file|directory/i],
        ['/dev/null', /no such file|regular file/],
        [bad('empty.gguf', ''), /empty\.gguf: /],
        [bad('magic.gguf', 'GGML' + 'x'.repeat(100)), /magic\.gguf: .*magic/i],
        [bad('short.gguf', good.subarray(0, 1000)), /short\.gguf: /],
        [bad('cut.gguf', good.subarray(0, good.length - 40)), /cut\.gguf: /],
    ])
        for (const command of ['run', 'info', 'bench'])
            assertFails(mote([command, path, ...(command === 'run' ? ['-p', 'x'] : [])]), 3, text);
});

// ---- run ----

test('run streams the answer, the same from every source of the prompt', () => {
    const first = answer(['-p', 'the rain', '-n', '30']);
    assert.ok(Buffer.from(first).length > 10);
    fs.writeFileSync(file('prompt'), 'the rain');
    assert.equal(answer(['the rain', '-n', '30']), first);
    assert.equal(answer(['-f', 'prompt', '-n', '30']), first);
    assert.equal(answer(['-f', '-', '-n', '30'], { input: 'the rain' }), first);
    assert.equal(answer(['-n', '30'], { input: 'the rain' }), first);
    for (const same of [['-t', '1'], ['-t', '3'], ['--cpu', 'scalar'], ['-c', '64'], ['--seed', '9']])
        assert.equal(answer(['the rain', '-n', '30', ...same]), first, same.join(' '));
    assert.ok(first.startsWith(answer(['the rain', '-n', '10']).replace(/\ufffd*$/, '')));
});

test('stderr stays empty in raw mode; --stats fills it', () => {
    const quiet = mote(['run', model, '--raw', 'the rain', '-n', '5', ...greedy]);
    assert.deepEqual([quiet.code, quiet.stderr], [0, '']);
    const told = mote(['run', model, '--raw', 'the rain', '-n', '5', '--stats', ...greedy]);
    assert.equal(told.stdout, quiet.stdout);
    for (const line of [/^load +[\d.]+ ms$/m, /^time to first token +[\d.]+ ms$/m, /^prompt +[\d.]+ tokens\/s/m,
        /^decode +[\d.]+ tokens\/s +\(5\)$/m, /^peak memory +\d/m])
        assert.match(told.stderr, line);
});

test('a seed fixes the answer, another changes it', () => {
    const of = (seed) => mote(['run', model, 'the rain', '-n', '40', '--temp', '1.5', '--seed', seed]).stdout;
    assert.equal(of('7'), of('7'));
    assert.notEqual(of('7'), of('8'));
});

test('a stop string ends the answer before it, wherever tokens are cut', () => {
    const bytes = (args) => mote(['run', model, '--raw', 'the rain', '-n', '100', ...greedy, ...args], { bytes: true }).stdout;
    const whole = bytes([]).toString('utf8');
    let n = 0;
    for (let at = 5; at < whole.length - 6 && n < 12; at++) {
        const stop = whole.slice(at, at + 4);
        if (/[\ufffd\0]/.test(stop) || !stop.trim()) continue; // a command line carries no NUL
        n++;
        assert.equal(bytes(['--stop', stop]).toString('utf8'), whole.slice(0, whole.indexOf(stop)), JSON.stringify(stop));
        assert.equal(bytes(['--stop', 'never seen', '--stop', stop]).toString('utf8'), whole.slice(0, whole.indexOf(stop)));
    }
    assert.ok(n >= 4, `only ${n} texts to stop at in ${JSON.stringify(whole)}`);
    assert.equal(bytes(['--stop', 'never seen']).toString('utf8'), whole);
});

test('a prompt longer than the context: exit 5 with the numbers, or a shift', () => {
    const long = 'the rain in an a '.repeat(60);
    assertFails(mote(['run', model, '--raw', long]), 5, /the prompt has \d+ tokens, the context 128/);
    assertFails(mote(['run', model, '--raw', '-c', '16', 'the rain in an a '.repeat(2)]), 5, /the context 16/);
    const shifted = mote(['run', model, '--raw', long, '--context-shift', '-n', '20', ...greedy]);
    assert.equal(shifted.code, 0);
    assert.ok(shifted.stdout.length > 5);
    assert.match(shifted.stderr, /left out \d+ after the first 1/);
});

test('an answer that reaches the end of the context stops with a note, or goes on after a shift', () => {
    const ended = mote(['run', model, '--raw', 'the rain', '-c', '32', ...greedy]);
    assert.equal(ended.code, 0);
    assert.match(ended.stderr, /the context of 32 tokens is full/);
    const stats = (args) => Number(mote(['run', model, '--raw', 'the rain', '-c', '32', '--stats', ...greedy, ...args])
        .stderr.match(/^decode .*\((\d+)\)$/m)[1]);
    assert.ok(stats([]) <= 32);
    assert.equal(stats(['--context-shift', '-n', '200']), 200);
    assert.equal(stats(['--context-shift', '-n', '50', '-c', '1']), 50); // the smallest there is
});

test('an empty prompt is a mistake; in raw mode it starts from BOS', () => {
    assertFails(mote(['run', model]), 2, /the prompt is empty/);
    assertFails(mote(['run', model, '-p', '']), 2, /the prompt is empty/);
    assertFails(mote(['run', model, '-f', file('gone')]), 1, /gone: No such file/);
    const raw = mote(['run', model, '--raw', '-p', '', '-n', '5', ...greedy]);
    assert.equal(raw.code, 0, raw.stderr);
    assert.ok(raw.stdout.length);
});

test('invalid UTF-8 and NUL in the prompt are text like any other', () => {
    for (const input of [Buffer.from([0xff, 0xfe, 0, 0x80, 0xc3]), Buffer.from('a\0b'), Buffer.from([0xe6, 0x97])]) {
        const result = mote(['run', model, '-n', '5'], { input });
        assert.equal(result.code, 0, result.stderr);
    }
});

test('a reader that goes away, and a full disk', () => {
    const gone = shell(`"$MOTE" run ${model} --raw the --context-shift -n 100000 --temp 0 | head -c 5 >/dev/null; echo \${PIPESTATUS[0]}`);
    assert.equal(gone.stdout.trim(), '1');
    assert.equal(gone.stderr, '');
    for (const line of [`"$MOTE" run ${model} --raw the -n 5`, '"$MOTE" help', `echo x | "$MOTE" tokenize ${model}`, `"$MOTE" info ${model} --json`]) {
        const full = shell(`${line} >/dev/full`);
        assert.equal(full.code, 1, line);
        assert.match(full.stderr, /No space left on device/);
    }
});

test('Ctrl-C ends the answer with exit 130 and keeps what was made', async () => {
    const args = ['run', model, '--raw', 'the rain', '--context-shift', '-n', '4000000', ...greedy];
    const result = await start(args, (child) => setTimeout(() => child.kill('SIGINT'), 50));
    assert.equal(result.code, 130, result.stderr);
    const whole = mote(['run', model, '--raw', 'the rain', '--context-shift', '-n', '30', ...greedy]).stdout;
    assert.equal(result.stdout.slice(0, 10), whole.slice(0, 10));
});

test('Ctrl-C while the reader of the answer is slow loses nothing', () => {
    const rain = `"$MOTE" run ${model} --raw 'the rain' --context-shift -n 4000000 --temp 0`;
    // the pipe is full and mote waits in a write when the signal comes; then the reader goes on
    const written = 'awk "/^wchar/ { print \\$2 }" /proc/$(cat pid)/io';
    const waits = `until a=$(${written}); sleep 0.3; [ "$a" -gt 60000 ] && [ "$a" = "$(${written})" ]; do :; done`;
    const reader = `until [ -s pid ]; do sleep 0.1; done; ${waits}; kill -INT $(cat pid); sleep 0.2; cat >answer`;
    const result = shell(`(echo $BASHPID >pid; exec ${rain}) | (${reader}); echo \${PIPESTATUS[0]}`);
    assert.equal(result.stderr, '');
    assert.equal(result.stdout, '130\n');
    const n = fs.statSync(file('answer')).size;
    assert.ok(n > 60000, `the pipe was not full: ${n}`);
    assert.equal(shell(`${rain} | head -c ${n - 1} | cmp -n ${n - 1} - answer`).stdout, ''); // all but the last line's end
});

test('a model file cut short while it is in use: exit 3 and a message, not a crash', { skip: sanitized && 'the sanitizer takes the signal' }, async () => {
    fs.copyFileSync(model, file('victim.gguf'));
    const args = ['run', file('victim.gguf'), '--raw', 'the', '--context-shift', '-n', '4000000', ...greedy];
    const result = await start(args, () => fs.truncateSync(file('victim.gguf'), 100));
    assert.equal(result.code, 3, result.stderr);
    assert.match(result.stderr, /cut short/);
});

test('a model file that is removed while it is in use is still read', async () => {
    fs.copyFileSync(model, file('removed.gguf'));
    const args = ['run', file('removed.gguf'), '--raw', 'the', '--context-shift', '-n', '3000', ...greedy];
    const result = await start(args, () => fs.rmSync(file('removed.gguf')));
    assert.equal(result.code, 0, result.stderr);
});

test('too little memory: exit 4', { skip: sanitized && 'sanitizers need address space' }, () => {
    for (const line of [`run ${model} --raw the -n 3 -t 1`, `bench ${model} --pp 4 --tg 0 -t 1`]) {
        const least = [1, 2, 4, 8, 16, 32, 64, 128, 256].map((n) => shell(`ulimit -v ${n * 4096}; "$MOTE" ${line}`));
        for (const result of least) assert.ok([0, 1, 4, 127].includes(result.code), `${result.code} ${result.stderr}`);
        assert.equal(least.at(-1).code, 0, least.at(-1).stderr);
    }
    fs.writeFileSync(file('wide.bin'), checkpoint({ ...shape, layers: 1, context: 1 << 17 }));
    assert.equal(mote(['convert', 'wide.bin', '--tokenizer', 'tiny.tok', '-o', 'wide.gguf']).code, 0);
    const result = shell(`ulimit -v 400000; "$MOTE" perplexity ${file('wide.gguf')} --ids <(seq 3 200) -c 0 --sessions 64`);
    assert.ok([0, 4].includes(result.code), result.stderr);
    assertFails(shell(`ulimit -v 65536; "$MOTE" run ${file('wide.gguf')} --raw the -c 0 -t 1`), 4, /not enough memory/);
});

// ---- tokenize, detokenize ----

test('tokenize and detokenize give back every byte', () => {
    const bytes = Buffer.concat([
        Buffer.from('the rain in spain, the  water\n\té日本 <s> </s> <0x41> \\ '),
        Buffer.from(Array.from({ length: 512 }, (_, i) => (i * 37) & 255)),
    ]);
    const ids = mote(['tokenize', model, '--ids'], { input: bytes });
    assert.equal(ids.code, 0, ids.stderr);
    assert.match(ids.stdout, /^\d+( \d+)*\n$/);
    const back = mote(['detokenize', model], { input: ids.stdout, bytes: true });
    assert.deepEqual(back.stdout, bytes);
    const table = mote(['tokenize', model], { input: bytes }).stdout.trimEnd().split('\n');
    assert.deepEqual(table.map((line) => line.split('\t')[0]), ids.stdout.trim().split(' '));
    assert.ok(table.every((line) => /^\d+\t[^\0-\x1f]*$/.test(line)));
});

test('special tokens only where asked', () => {
    const ids = (...args) => mote(['tokenize', model, '--ids', ...args], { input: '<s>the' }).stdout.trim().split(' ');
    assert.ok(!ids().includes('1'));
    assert.equal(ids('--special')[0], '1');
    assert.ok(ids('--parse-special').includes('1'));
    assert.deepEqual(mote(['tokenize', model, '--ids'], { input: '' }), { code: 0, stdout: '\n', stderr: '' });
    assert.equal(mote(['detokenize', model, '--special'], { input: '1 2' }).stdout, '<s></s>');
    assert.equal(mote(['detokenize', model], { input: '' }).stdout, '');
});

test('detokenize refuses what is no id', () => {
    for (const input of ['300', '-1', 'x', '1.5', '99999999999999999999999999', '0000000000000000000000000000000000001'])
        assertFails(mote(['detokenize', model], { input }), 1, /is not the id of a token/);
});

// ---- info ----

test('info tells the same as a table and as JSON', () => {
    const info = JSON.parse(mote(['info', model, '--json', '--keys', '--tensors']).stdout);
    assert.equal(info.architecture, 'llama');
    assert.deepEqual([info.n_layers, info.n_heads, info.n_kv_heads, info.n_model, info.n_ffn, info.n_vocab, info.n_context],
        [shape.layers, shape.heads, shape.kvHeads, shape.dim, shape.hidden, shape.vocab, shape.context]);
    assert.equal(info.tensors.length, info.n_tensors);
    assert.equal(info.keys.length, info.n_keys);
    assert.equal(info.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0), info.weights_bytes);
    assert.equal(info.types.F32.bytes, info.weights_bytes);
    assert.equal(info.file_bytes, fs.statSync(model).size);
    const table = mote(['info', model, '--keys', '--tensors']).stdout;
    for (const text of ['llama', '2 layers', 'token_embd.weight', 'general.architecture', 'for 128 tokens'])
        assert.ok(table.includes(text), text);
    const need = (c) => JSON.parse(mote(['info', model, '--json', '-c', c]).stdout).memory;
    assert.equal(need('16').context, 16);
    assert.ok(need('128').context_bytes > need('16').context_bytes);
});

test('a name in the file cannot command the terminal', () => {
    const evil = Buffer.from(fs.readFileSync(model));
    const at = evil.indexOf('tiny', evil.indexOf('general.name'));
    evil.write('\x1b]0;', at, 'latin1');
    fs.writeFileSync(file('evil.gguf'), evil);
    const { stdout } = mote(['info', file('evil.gguf')]);
    assert.match(stdout, /^name +\\x1b\]0;$/m);
    assert.ok(!stdout.includes('\x1b'));
});

// ---- perplexity ----

test('one digest of the logits, however they are computed', () => {
    fs.writeFileSync(file('text'), 'the rain in spain stays mainly on the plain, when it rains at all. '.repeat(12));
    const run = (...args) => mote(['perplexity', model, '-f', 'text', '-c', '48', '--tokens', '500', '--logits-sha256', ...args]);
    const first = run();
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /^perplexity [\d.]+ ± [\d.]+\nlogits-sha256 [0-9a-f]{64}\n$/);
    for (const args of ['-t 1', '-t 3', '--rows 7', '--rows 1', '--sessions 4', '--cached', '--cached --sessions 3 --rows 5',
        '--cpu scalar', '--cpu avx2', '--cpu avx512'])
        assert.equal(run(...args.split(' ')).stdout, first.stdout, args);
    for (const kv of ['f32', 'q8_0', 'q4_0']) assert.notEqual(run('--kv', kv).stdout, first.stdout);
    const dumped = run('--dump', 'logits', '--sessions', '3', '--cached');
    assert.equal(dumped.stdout, first.stdout);
    const bytes = fs.readFileSync(file('logits'));
    assert.equal(bytes.length, 480 * shape.vocab * 4);
    assert.equal(createHash('sha256').update(bytes).digest('hex'), first.stdout.match(/[0-9a-f]{64}/)[0]);

    // The number itself, from the logits: windows of 48, positions 24 to 46 scored.
    const ids = mote(['tokenize', model, '--ids', '--special'], { input: fs.readFileSync(file('text')) }).stdout.trim().split(' ').map(Number);
    const logits = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    let sum = 0;
    let n = 0;
    for (let w = 0; w < 10; w++)
        for (let p = 24; p < 47; p++, n++) {
            const row = logits.subarray((w * 48 + p) * shape.vocab, (w * 48 + p + 1) * shape.vocab);
            const most = Math.max(...row);
            sum += Math.log(row.reduce((s, x) => s + Math.exp(x - most), 0)) + most - row[ids[w * 48 + p + 1]];
        }
    assert.ok(Math.abs(Number(first.stdout.split(' ')[1]) - Math.exp(sum / n)) < 1e-4 * Math.exp(sum / n));
});

test('perplexity of given ids; texts too short, ids that are none', () => {
    const ids = Array.from({ length: 100 }, (_, i) => 3 + ((i * 31) % 290)).join(' ');
    const result = mote(['perplexity', model, '--ids', '-', '-c', '50'], { input: ids });
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stderr, /48 predictions scored in 2 windows of 50 tokens/);
    assertFails(mote(['perplexity', model, '-f', '-'], { input: '' }), 2, /too short/);
    assertFails(mote(['perplexity', model, '--ids', '-'], { input: '3 4 300 5' }), 1, /'300' is not the id of a token/);
    assertFails(mote(['perplexity', model, '-f', file('gone')]), 1, /No such file/);
    assertFails(mote(['perplexity', model, '--ids', '-', '--dump', file('gone/x')], { input: ids }), 1, /No such file/);
});

// ---- bench ----

test('bench prints one line of JSON', () => {
    const result = mote(['bench', model, '--pp', '16', '--tg', '8', '--json', '-t', '2']);
    assert.equal(result.code, 0, result.stderr);
    assert.equal(result.stdout.split('\n').length, 2);
    const line = JSON.parse(result.stdout);
    assert.ok(line.pp_tokens_per_second > 0 && line.tg_tokens_per_second > 0);
    assert.deepEqual([line.threads, line.pp, line.tg], [2, 16, 8]);
    assert.match(mote(['bench', model, '--pp', '16', '--tg', '0']).stdout, /^pp 16 +[\d.]+/m);
    assertFails(mote(['bench', model, '--pp', '500']), 5, /500 tokens do not fit/);
});

// ---- chat ----

const chat = (lines, args = [], options = {}) => mote(['chat', model, '-n', '8', ...greedy, ...args], { input: lines.join('\n') + '\n', ...options });

test('chat from a pipe: a line is a turn, each answer a line of its own', () => {
    const result = chat(['the rain', '', '   ', 'in an', '/stats'], ['-c', '128']);
    assert.equal(result.code, 0, result.stderr);
    assert.ok(result.stdout.endsWith('\n'));
    assert.match(result.stderr, /context +\d+ of 128 tokens, 4 messages/);
    const cached = Number(result.stderr.match(/\((\d+) computed, (\d+) from the cache\)/)[2]);
    assert.ok(cached > 5, `only ${cached} tokens came from the cache`);
    const again = chat(['the rain', '/reset', 'the rain']).stdout;
    assert.equal(again.slice(0, again.length / 2), again.slice(again.length / 2)); // nothing was left of the first
});

test('chat saves and loads', () => {
    const saved = chat(['the rain', `/save ${file('talk.json')}`], ['-s', 'be an a']);
    assert.equal(saved.code, 0, saved.stderr);
    const talk = JSON.parse(fs.readFileSync(file('talk.json')));
    assert.deepEqual(talk.messages.map((message) => message.role), ['system', 'user', 'assistant']);
    assert.equal(talk.messages[0].content, 'be an a');
    assert.equal(talk.settings.temperature, 0);
    const whole = chat(['the rain', 'in an'], ['-s', 'be an a']).stdout;
    const rest = chat([`/load ${file('talk.json')}`, `/save ${file('copy.json')}`]);
    assert.deepEqual(JSON.parse(fs.readFileSync(file('copy.json'))), talk);
    assert.match(rest.stderr, /3 messages/);
    assert.ok(whole.startsWith(saved.stdout));
});

test('chat goes on after a command that fails', () => {
    for (const [text, fault] of [
        ['not json', /line 1: not the JSON/],
        ['[]', /'messages' or 'settings'/],
        ['{"messages":[{"role":"root","content":"x"}]}', /message 1: the role/],
        ['{"messages":[{"role":"user","content":5}]}', /message 1 needs a role and a content/],
        ['{"messages":[{"role":"user","content":"a"},{"role":"system","content":"x"}]}', /message 2: the role/],
        ['{"messages":[],"settings":{"temperature":-1}}', /'messages' or 'settings'/],
        ['{"messages":[],"settings":{"top_k":1e30}}', /'messages' or 'settings'/],
        ['{"messages":[],"messages":[]}', /not the JSON/],
        ['['.repeat(100000), /not the JSON/],
        ['{"messages":[{"role":"user","content":"\\u0000"}]}', /not the JSON/],
    ]) {
        fs.writeFileSync(file('hostile.json'), text);
        const result = chat([`/load ${file('hostile.json')}`, 'the', '/bogus', '/save', `/save ${file('gone/x')}`, '/help', '/quit', 'never']);
        assert.equal(result.code, 0, result.stderr);
        assert.match(result.stderr, fault);
        assert.match(result.stderr, /unknown command \/bogus/);
        assert.match(result.stderr, /\/save needs the name of a file/);
        assert.match(result.stderr, /gone\/x/);
        assert.equal(result.stdout.length > 1, true);
        assert.equal(result.stdout, chat(['the']).stdout);
    }
});

test('a conversation that outgrows the context: exit 5, or the oldest turns are forgotten', () => {
    const lines = Array.from({ length: 12 }, (_, i) => `the rain in an ${'abcdefghijkl'[i]}`);
    const ended = chat(lines, ['-c', '96']);
    assert.equal(ended.code, 5);
    assert.match(ended.stderr, /the prompt has \d+ tokens, the context 96/);
    const shifted = chat(lines, ['-c', '96', '--context-shift']);
    assert.equal(shifted.code, 0, shifted.stderr);
    assert.match(shifted.stderr, /forgot the oldest/);
});

const noTerminal = shell('script -qec true /dev/null </dev/null').code ? 'script(1) gives no terminal here' : false;

// A conversation on a terminal, given by script(1): each step waits for the screen to show a text after what the
// step before saw, then types its keys. At the end it waits for the program to go.
function terminal(steps, args = []) {
    const line = `exec "$MOTE" chat ${model} --temp 0 ${args.join(' ')}`;
    return begin('script', ['-qec', line, '/dev/null'], (screen, child) => {
        while (steps.length && steps[0][0].test(screen.rest)) {
            screen.rest = screen.rest.slice(screen.rest.search(steps[0][0]) + steps[0][0].exec(screen.rest)[0].length);
            child.stdin.write(steps.shift()[1]);
        }
    });
}
const PROMPT = /> /;

test('chat on a terminal: prompt, Ctrl-C clears the line, Ctrl-D ends, lines are remembered', { skip: noTerminal }, async () => {
    const result = await terminal([[/\/help lists the commands[^]*> /, '\r'], [PROMPT, 'garbage'], [/garbage/, '\x03'],
        [PROMPT, 'the rain\r'], [/\n[^]+\n> /, '\x04']], ['-n', '6']);
    assert.equal(result.code, 0, result.stdout);
    const history = fs.readFileSync(file('state/mote/history'), 'utf8');
    assert.match(history, /the\\040rain|the rain/);
    assert.ok(!/garbage/.test(history));
});

test('chat on a terminal: Ctrl-C stops the answer, not the program', { skip: noTerminal }, async () => {
    const result = await terminal([[PROMPT, 'the rain\r'], [/the rain\r?\n[^]{9}/, '\x03'], [/\n> /, '/stats\r'],
        [/2 messages[^]*> /, '/quit\r']], ['-n', '100000000', '--context-shift']);
    assert.equal(result.code, 0, JSON.stringify(result.stdout.slice(-2000)));
});

test('an answer cannot command the terminal, and goes to a pipe as it is', { skip: noTerminal }, async () => {
    const args = ['run', model, '--raw', 'the rain', '-n', '300', '--temp', '3', '--seed', '5', '--context-shift'];
    const piped = mote(args).stdout;
    assert.match(piped, /[\x00-\x08\x0b-\x1f\x7f]/, 'this answer has no control characters');
    const line = args.map((word) => `'${word}'`).join(' ');
    const shown = (await begin('script', ['-qec', `exec "$MOTE" ${line}`, '/dev/null'], () => {})).stdout.replace(/\r\n/g, '\n');
    assert.doesNotMatch(shown, /[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
    assert.equal(shown.replace(/[\u2400-\u241f\u2421\ufffd]/g, '').trim(), piped.replace(/[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f\ufffd]/g, '').trim());
});

// ---- convert ----

test('convert refuses what is no checkpoint, and leaves nothing behind', () => {
    const good = checkpoint();
    const tok = tokenizer();
    const patched = (at, value) => {
        const copy = Buffer.from(good);
        copy.writeInt32LE(value, at);
        return copy;
    };
    const cases = [
        ['short header', good.subarray(0, 27), tok, /shorter than a llama2.c header/],
        ['cut', good.subarray(0, good.length - 4), tok, /asks for \d+ bytes, the file has/],
        ['longer', Buffer.concat([good, Buffer.alloc(4)]), tok, /asks for/],
        ['huge dim', patched(0, 0x7fffffff), tok, /dim is 2147483647 \(at byte 0\)/],
        ['no layers', patched(8, 0), tok, /n_layers is 0 \(at byte 8\)/],
        ['odd heads', patched(12, 3), tok, /do not fit together/],
        ['kv heads', patched(16, 3), tok, /do not fit together/],
        ['vocabulary', patched(20, -0x80000000), tok, /vocab_size is 2147483648/],
        ['everything large', Buffer.from(Int32Array.of(1 << 20, 1 << 20, 1024, 1, 1, 1 << 20, 1 << 20).buffer), tok, /asks for/],
        ['tokenizer cut', good, tok.subarray(0, tok.length - 1), /the length of token 299/],
        ['tokenizer short', good, tok.subarray(0, 30), /tok: it ends|the length of token/],
        ['tokenizer empty', good, Buffer.alloc(0), /it ends at token 0/],
        ['tokenizer longer', good, Buffer.concat([tok, Buffer.alloc(3)]), /3 bytes follow/],
        ['tokenizer length', good, Buffer.concat([tok.subarray(0, 8), Buffer.from([255, 255, 255, 255]), tok.subarray(12)]), /length of token 0 is 4294967295/],
    ];
    fs.writeFileSync(file('kept.gguf'), 'as it was');
    for (const [name, bytes, tokens, text] of cases) {
        fs.writeFileSync(file('c.bin'), bytes);
        fs.writeFileSync(file('c.tok'), tokens);
        const result = mote(['convert', 'c.bin', '--tokenizer', 'c.tok', '-o', 'kept.gguf']);
        assertFails(result, 3, text);
        assert.equal(fs.readFileSync(file('kept.gguf'), 'utf8'), 'as it was', name);
    }
    assertFails(mote(['convert', 'tiny.bin', '--tokenizer', 'gone', '-o', 'x.gguf']), 3, /gone: No such file/);
    assertFails(mote(['convert', 'tiny.bin', '--tokenizer', 'tiny.tok', '-o', 'gone/x.gguf']), 1, /gone\/x\.gguf: No such file/);
    assert.deepEqual(fs.readdirSync(file('.')).filter((name) => /part-/.test(name)), []);
});

test('convert: tied and untied, older tokenizers, one result', () => {
    fs.writeFileSync(file('tied.bin'), checkpoint());
    assert.equal(mote(['convert', 'tied.bin', '--tokenizer', 'tiny.tok', '-o', 'tied.gguf']).code, 0);
    const names = (path) => JSON.parse(mote(['info', path, '--json', '--tensors']).stdout).tensors.map((tensor) => tensor.name);
    assert.ok(!names('tied.gguf').includes('output.weight'));
    assert.ok(names(model).includes('output.weight'));
    // older files write the byte tokens as characters
    const parts = [];
    const tok = tokenizer();
    for (let at = 4, i = 0; at < tok.length; i++) {
        const n = tok.readInt32LE(at + 4);
        const piece = i >= 3 && i < 259 ? Buffer.from(String.fromCharCode(i - 3)) : tok.subarray(at + 8, at + 8 + n);
        const head = Buffer.from(tok.subarray(at, at + 8));
        head.writeInt32LE(piece.length, 4);
        parts.push(head, piece);
        at += 8 + n;
    }
    fs.writeFileSync(file('old.tok'), Buffer.concat([tok.subarray(0, 4), ...parts]));
    assert.equal(mote(['convert', 'tiny.bin', '--tokenizer', 'old.tok', '-o', 'old.gguf']).code, 0);
    assert.deepEqual(fs.readFileSync(file('old.gguf')), fs.readFileSync(model));
});

// ---- quantize ----

test('quantize: smaller, the same whatever the threads, readable', () => {
    fs.writeFileSync(file('wide.bin'), checkpoint({ ...shape, dim: 256, hidden: 512 })); // rows of whole superblocks
    assert.equal(mote(['convert', 'wide.bin', '--tokenizer', 'tiny.tok', '-o', 'wide32.gguf']).code, 0);
    const sizes = ['F16', 'Q8_0', 'Q4_K_M', 'Q4_0'].map((type) => {
        const results = [1, 2, 3].map((threads) => {
            const out = `wide-${type}-${threads}.gguf`;
            const result = mote(['quantize', 'wide32.gguf', out, type.toLowerCase(), '-t', String(threads), '--compare']);
            assert.equal(result.code, 0, result.stderr);
            assert.match(result.stdout, /^type +tensors +before +after +error$/m);
            return [fs.readFileSync(file(out)), result.stdout];
        });
        for (const result of results) assert.deepEqual(result, results[0]);
        const run = mote(['run', `wide-${type}-1.gguf`, '--raw', 'the', '-n', '5', '--temp', '0']);
        assert.equal(run.code, 0, run.stderr);
        const { types } = JSON.parse(mote(['info', `wide-${type}-1.gguf`, '--json']).stdout);
        assert.ok(Object.keys(types).includes(type === 'Q4_K_M' ? 'Q4_K' : type), JSON.stringify(types));
        return results[0][0].length;
    });
    for (let i = 1; i < sizes.length; i++) assert.ok(sizes[i] < sizes[i - 1], String(sizes));
    // What is already small can be made smaller, and a file can take its own place.
    assert.equal(mote(['quantize', 'wide-Q8_0-1.gguf', 'wide-Q8_0-1.gguf', 'Q4_0']).code, 0);
    assert.equal(mote(['run', 'wide-Q8_0-1.gguf', '--raw', 'the', '-n', '5', '--temp', '0']).code, 0);
});

test('quantize refuses what it cannot do, and leaves nothing behind', () => {
    assertFails(mote(['quantize', model, 'x.gguf', 'Q3']), 2, /'Q3' is none of F16, Q8_0, Q4_0, Q4_K_M/);
    assertFails(mote(['quantize', model, 'x.gguf']), 2, /quantize/);
    assertFails(mote(['quantize', 'gone.gguf', 'x.gguf', 'Q8_0']), 3, /gone\.gguf/);
    assertFails(mote(['quantize', model, 'gone/x.gguf', 'Q8_0']), 1, /gone\/x\.gguf: No such file/);
    fs.writeFileSync(file('cut.gguf'), fs.readFileSync(model).subarray(0, 9000));
    assertFails(mote(['quantize', 'cut.gguf', 'x.gguf', 'Q8_0']), 3, /cut\.gguf/);
    const full = shell(`ulimit -f 40; trap '' XFSZ; "$MOTE" quantize ${model} x.gguf F16`);
    assert.equal(full.code, 1, full.stderr);
    assert.match(full.stderr, /x\.gguf: File too large/);
    assert.deepEqual(fs.readdirSync(file('.')).filter((name) => /^x\.gguf|part-/.test(name)), []);
});
