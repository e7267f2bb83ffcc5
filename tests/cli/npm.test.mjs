// SPDX-License-Identifier: Apache-2.0
//
// `mote pull` from npm packages: a registry of our own on the loopback, npm programs of our own on PATH, and
// archives made to do harm. tests/cli/pull.test.mjs has the rest of pull.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { MODEL, assertWhole, entry, integrity, makeModel, place, root, sendFile, serve, sha256, until } from './loopback.mjs';

// A tar of members {name, bytes, type, size}: type '0' file, '2' link; size may lie.
function tar(members) {
  const blocks = [];
  for (const { name, bytes = Buffer.alloc(0), type = '0', size = bytes.length, link = '' } of members) {
    const head = Buffer.alloc(512);
    head.write(name, 0, 100);
    head.write('0000644\0', 100);
    head.write('0000000\0', 108);
    head.write('0000000\0', 116);
    head.write(size.toString(8).padStart(11, '0') + '\0', 124);
    head.write('00000000000\0', 136);
    head.write('        ', 148);
    head.write(type, 156);
    head.write(link, 157, 100);
    head.write('ustar\u000000', 257);
    let sum = 0;
    for (const byte of head) sum += byte;
    head.write(sum.toString(8).padStart(6, '0') + '\0 ', 148);
    blocks.push(head, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
const tgz = (members) => zlib.gzipSync(tar(members), { level: 1 });

// A registry of packages {"name@version": tarball bytes}. Tarball requests are counted in hits.
async function registry(packages, hits = {}, change = (metadata) => metadata) {
  const url = await serve((request, response) => {
    const wanted = decodeURIComponent(request.url.slice(1));
    for (const [spec, bytes] of Object.entries(packages)) {
      const at = spec.lastIndexOf('@');
      const name = spec.slice(0, at), version = spec.slice(at + 1), file = `${name}/-/${version}.tgz`;
      if (wanted === `${name}/${version}`) {
        const metadata = { name, version, dist: { tarball: `${url}/${file}`, integrity: integrity(bytes) } };
        return response.end(JSON.stringify(change(metadata)));
      }
      if (wanted === file) {
        hits[spec] = (hits[spec] ?? 0) + 1;
        return sendFile(request, response, bytes);
      }
    }
    return response.writeHead(404).end();
  });
  return url;
}

const halves = () => [MODEL.subarray(0, 1 << 20), MODEL.subarray(1 << 20)];

test('npm: pieces from two packages are joined; the registry comes from the environment or ~/.npmrc', async () => {
  const here = place();
  const [first, second] = halves();
  const hits = {};
  const url = await registry({
    'toy-part1@0.1.0': tgz([{ name: 'package/package.json', bytes: Buffer.from('{}') }, { name: 'package/model.part', bytes: first }]),
    '@scope/toy-part2@0.1.0': tgz([{ name: 'package/model.part', bytes: second }]),
  }, hits);
  here.catalogue(entry([['npm:toy-part1@0.1.0/package/model.part', 'npm:@scope/toy-part2@0.1.0/package/model.part']]));
  assertWhole(here, await here.run(['pull', 'toy'], { npm_config_registry: `${url}/` }));
  fs.writeFileSync(path.join(here.home, '.npmrc'), `; mine\nfund=false\n registry = "${url}"\n`);
  assertWhole(here, await here.run(['pull', 'toy', '--force']));
  assert.deepEqual(hits, { 'toy-part1@0.1.0': 2, '@scope/toy-part2@0.1.0': 2 });
});

test('npm: a range of a member, pinned; a package named without a path gives its only model', async () => {
  const here = place();
  const inside = Buffer.concat([makeModel(1000, 3), MODEL, makeModel(77, 4)]);
  const url = await registry({
    'toy@1.0.0': tgz([{ name: 'package/data', bytes: inside }]),
    'one@1.0.0': tgz([{ name: 'package/readme.md', bytes: Buffer.from('hello') }, { name: 'package/m/toy.gguf', bytes: MODEL }]),
    'two@1.0.0': tgz([{ name: 'package/a.gguf', bytes: MODEL }, { name: 'package/b.gguf', bytes: MODEL }]),
  });
  const env = { npm_config_registry: url };
  const piece = { from: 'npm:toy@1.0.0/package/data', range: [1000, 1000 + MODEL.length], sha256: sha256(MODEL) };
  here.catalogue(entry([piece]));
  assertWhole(here, await here.run(['pull', 'toy'], env));
  await here.run(['rm', '-y', 'toy']);

  here.catalogue(entry([{ ...piece, sha256: sha256('other') }]));
  const wrong = await here.run(['pull', 'toy'], env);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /sha256 of a piece/);
  here.catalogue(entry([{ ...piece, sha256: undefined, range: [1000, inside.length + 1] }], { sha256: undefined }));
  assert.match((await here.run(['pull', 'toy'], env)).stderr, /shorter than it should be/);
  await here.run(['rm', '-y', 'toy']);

  const one = await here.run(['pull', 'npm:one@1.0.0'], env);
  assert.equal(one.code, 0, one.stderr);
  assert.equal(sha256(fs.readFileSync(one.stdout.trim())), sha256(MODEL));
  assert.match((await here.run(['pull', 'npm:two@1.0.0'], env)).stderr, /several \.gguf files/);
});

test('npm: an interrupted pull keeps the tarball it has and goes on with the other', async () => {
  const here = place();
  const [first, second] = halves();
  const packages = { 'a@1.0.0': tgz([{ name: 'package/m', bytes: first }]), 'b@1.0.0': tgz([{ name: 'package/m', bytes: second }]) };
  const hits = {};
  let hanging = true;
  const url = await registry(packages, hits);
  const slow = await serve((request, response) => {
    response.writeHead(200, { 'content-length': packages['b@1.0.0'].length, etag: '"x"' });
    response.write(packages['b@1.0.0'].subarray(0, 1 << 20));
  });
  const front = await serve((request, response) => {
    if (hanging && request.url === '/b/1.0.0')
      return response.end(JSON.stringify({ dist: { tarball: `${slow}/b.tgz`, integrity: integrity(packages['b@1.0.0']) } }));
    return response.writeHead(307, { location: url + request.url }).end();
  });
  here.catalogue(entry([['npm:a@1.0.0/package/m', 'npm:b@1.0.0/package/m']]));
  const { child, done } = here.start(['pull', 'toy'], { npm_config_registry: front });
  const part = path.join(here.models, 'toy.gguf.b-1.0.0.tgz.part');
  await until(() => fs.existsSync(part) && fs.statSync(part).size === 1 << 20, 'a megabyte of the second tarball');
  child.kill('SIGINT');
  assert.equal((await done).code, 130);
  assert.deepEqual(here.kept(), ['toy.gguf.a-1.0.0.tgz', 'toy.gguf.b-1.0.0.tgz.part', 'toy.gguf.b-1.0.0.tgz.part.json']);
  hanging = false;
  assertWhole(here, await here.run(['pull', 'toy'], { npm_config_registry: front }));
  assert.deepEqual(hits, { 'a@1.0.0': 1, 'b@1.0.0': 1 });
});

test('npm: the npm program is asked first', async () => {
  const here = place();
  const bytes = tgz([{ name: 'package/toy.gguf', bytes: MODEL }]);
  const url = await serve((request, response) => sendFile(request, response, bytes));
  const bin = path.join(here.home, 'bin');
  fs.mkdirSync(bin);
  const say = (text) => {
    fs.writeFileSync(path.join(here.home, 'answer'), text);
    fs.writeFileSync(path.join(bin, 'npm'), `#!/bin/sh\necho "$@" >"$HOME/asked"\nexec /bin/cat "$HOME/answer"\n`, { mode: 0o755 });
  };
  const pull = () => here.run(['pull', 'npm:toy@1.0.0'], { PATH: bin });
  const dist = { tarball: `${url}/toy.tgz`, integrity: 'sha1-abc ' + integrity(bytes) };

  for (const [answer, words] of [
    ['', /no answer/],
    ['not json', /no JSON/],
    ['{"a":1,"a":2}', /no JSON/],
    ['['.repeat(100_000), /no JSON/],
    ['[]', /names no tarball/],
    ['{"tarball": 5}', /names no tarball/],
    [JSON.stringify({ ...dist, tarball: 'https://h/' + 'x'.repeat(5000) }), /names no tarball/],
    [JSON.stringify({ ...dist, integrity: 'sha512-short' }), /no sha512 integrity/],
    [JSON.stringify({ ...dist, integrity: 'sha512-' + '!'.repeat(88) }), /no sha512 integrity/],
    [JSON.stringify({ ...dist, integrity: undefined, shasum: 'abc' }), /no sha512 integrity/],
    [JSON.stringify({ ...dist, tarball: 'file:///etc/passwd' }), /only https: is fetched/],
    [JSON.stringify({ ...dist, tarball: 'http://192.0.2.1/x.tgz' }), /http: is refused/],
    [JSON.stringify({ ...dist, integrity: integrity(Buffer.from('other')) }), /sha512 is .*removed/],
    [JSON.stringify({ error: { code: 'E404', summary: 'Not\u001b[31m Found' } }), /Not\?\[31m Found/],
    ['x'.repeat(3 << 20), /no usable answer/],
  ]) {
    say(answer);
    const result = await pull();
    assert.equal(result.code, 1, answer.slice(0, 60));
    assert.match(result.stderr, words);
    assert.deepEqual(here.kept(), [], answer.slice(0, 60));
  }
  say(JSON.stringify(dist));
  assertWhole(here, await pull());
  assert.equal(fs.readFileSync(path.join(here.home, 'asked'), 'utf8'), 'view toy@1.0.0 dist --json\n');
});

test('npm: without npm and without a registry it says what to install', async () => {
  const here = place();
  const result = await here.run(['pull', 'npm:toy@1.0.0']);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /install npm, or set npm_config_registry/);
});

test('npm: a hanging npm program stops with Ctrl-C', async () => {
  const here = place();
  const bin = path.join(here.home, 'bin');
  fs.mkdirSync(bin);
  fs.writeFileSync(path.join(bin, 'npm'), '#!/bin/sh\necho $$ >"$HOME/pid"\nexec /bin/sleep 60\n', { mode: 0o755 });
  const { child, done } = here.start(['pull', 'npm:toy@1.0.0'], { PATH: bin });
  const note = path.join(here.home, 'pid');
  await until(() => fs.existsSync(note) && fs.readFileSync(note, 'utf8').endsWith('\n'), 'npm running');
  child.kill('SIGINT');
  assert.equal((await done).code, 130);
  assert.throws(() => process.kill(Number(fs.readFileSync(note, 'utf8')), 0), { code: 'ESRCH' });
});

test('npm: hostile archives', async () => {
  const here = place();
  const small = MODEL.subarray(0, 1 << 20);
  const good = tgz([{ name: 'package/model', bytes: MODEL }]);
  const packages = {
    'large@1.0.0': tgz([{ name: 'package/model', bytes: Buffer.concat([MODEL, small]) }]),
    'bomb@1.0.0': tgz([{ name: 'package/model', bytes: Buffer.alloc(64 << 20) }]),
    'escape@1.0.0': tgz([{ name: '../../escaped', bytes: small }, { name: '/var/escaped', bytes: small }]),
    'link@1.0.0': tgz([{ name: 'package/model', type: '2', link: '/etc/passwd' }]),
    'hard@1.0.0': tgz([{ name: 'package/model', type: '1', link: '/etc/passwd' }]),
    'full@1.0.0': tgz([{ name: 'package/model', type: '1', link: '/etc/passwd', bytes: small }]),
    'folder@1.0.0': tgz([{ name: 'package/model', type: '5' }]),
    'lying@1.0.0': tgz([{ name: 'package/model', bytes: small, size: MODEL.length }]),
    'cut@1.0.0': good.subarray(0, good.length / 2),
    'text@1.0.0': Buffer.from('this is no archive at all'),
    'void@1.0.0': Buffer.alloc(0),
  };
  const url = await registry(packages);
  for (const [name, words] of Object.entries({
    large: /larger than it should be/, bomb: /larger than it should be/, escape: /the file is not in it/,
    link: /not in it/, hard: /not in it/, full: /not in it|damaged/i, folder: /not in it/, lying: /truncated|shorter/i, cut: /truncated|premature|end/i,
    text: /unrecognized/i, void: /./,
  })) {
    here.catalogue(entry([`npm:${name}@1.0.0/package/model`]));
    const result = await here.run(['pull', 'toy'], { npm_config_registry: url });
    assert.equal(result.code, 1, name);
    assert.match(result.stderr, words, name);
    assert.ok(!here.kept().includes('toy.gguf') && !here.kept().includes('toy.gguf.part'), name);
    await here.run(['rm', '-y', 'toy']);
  }
  assert.ok(!fs.existsSync(path.join(root, 'escaped')) && !fs.existsSync(path.join(here.home, 'escaped')));
});
