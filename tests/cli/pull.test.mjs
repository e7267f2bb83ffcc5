// SPDX-License-Identifier: Apache-2.0
//
// `mote pull`, `list` and `rm` against servers of our own on the loopback: plain files, a Hugging Face layout
// behind HF_ENDPOINT, and each way in which these can go wrong. Nothing here reaches another machine.
//
//     MOTE=build/mote node --test tests/cli/pull.test.mjs

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { MODEL, MOTE, assertWhole, entry, makeModel, place, root, sendFile, sendHalf, serve, servers, sha256, until } from './loopback.mjs';

// ---- plain transfers ----

test('a model comes whole, is listed, found again, and removed', async () => {
  const here = place();
  const url = await serve((request, response) => sendFile(request, response, MODEL));
  here.catalogue(entry([`${url}/toy.gguf`]));
  const state = async () => JSON.parse((await here.run(['list', '--json'])).stdout).find((row) => row.name === 'toy');
  assert.equal((await state()).state, 'available');
  assertWhole(here, await here.run(['pull', 'toy']));
  assert.deepEqual(await state(), {
    name: 'toy', default: false, state: 'present', bytes: MODEL.length, licence: 'MIT', description: '',
    path: path.join(here.models, 'toy.gguf'),
  });
  const again = await here.run(['pull', 'toy']);
  assert.match(again.stderr, /here already/);
  assertWhole(here, again);
  assert.equal((await here.run(['rm', 'toy', '-y'])).code, 0);
  assert.deepEqual(here.kept(), []);
  assert.equal((await here.run(['rm', 'toy', '-y'])).code, 3);
});

test('quiet says nothing, -o chooses the file, --force replaces it', async () => {
  const here = place();
  const url = await serve((request, response) => sendFile(request, response, MODEL));
  here.catalogue(entry([`${url}/toy.gguf`]));
  const file = path.join(here.home, 'mine.gguf');
  fs.writeFileSync(file, 'old');
  const result = await here.run(['pull', 'toy', '-q', '--force', '-o', file]);
  assert.equal(result.code, 0, result.stderr);
  assert.equal(result.stderr, '');
  assert.equal(result.stdout, file + '\n');
  assert.equal(sha256(fs.readFileSync(file)), sha256(MODEL));
});

test('a cut line is taken up where it was cut, in the same run', async () => {
  const here = place();
  const ranges = [];
  const url = await serve((request, response) => {
    ranges.push(request.headers.range ?? 'all');
    return ranges.length === 1 ? sendHalf(response, MODEL) : sendFile(request, response, MODEL);
  });
  here.catalogue(entry([`${url}/toy.gguf`]));
  assertWhole(here, await here.run(['pull', 'toy']));
  assert.deepEqual(ranges, ['all', `bytes=${MODEL.length / 2}-`]);
});

test('a killed pull is taken up by the next one', async () => {
  const here = place();
  let hanging = true;
  const ranges = [];
  const url = await serve((request, response) => {
    ranges.push(request.headers.range ?? 'all');
    if (!hanging) return sendFile(request, response, MODEL);
    response.writeHead(200, { 'content-length': MODEL.length, etag: `"${sha256(MODEL).slice(0, 16)}"` });
    return response.write(MODEL.subarray(0, 1 << 20));
  });
  here.catalogue(entry([`${url}/toy.gguf`]));
  const { child, done } = here.start(['pull', 'toy']);
  const part = path.join(here.models, 'toy.gguf.part');
  await until(() => fs.existsSync(part) && fs.statSync(part).size === 1 << 20, 'a megabyte of part');
  child.kill('SIGKILL');
  assert.equal((await done).signal, 'SIGKILL');
  assert.match((await here.run(['list'])).stdout, /toy .*partial/);
  hanging = false;
  assertWhole(here, await here.run(['pull', 'toy']));
  assert.deepEqual(ranges, ['all', `bytes=${1 << 20}-`]);
});

test('Ctrl-C leaves a part, says so, exits 130; the next pull goes on', async () => {
  const here = place();
  let hanging = true;
  const ranges = [];
  const url = await serve((request, response) => {
    ranges.push(request.headers.range ?? 'all');
    if (!hanging) return sendFile(request, response, MODEL);
    response.writeHead(200, { 'content-length': MODEL.length, etag: `"${sha256(MODEL).slice(0, 16)}"` });
    return response.write(MODEL.subarray(0, 1 << 20));
  });
  here.catalogue(entry([`${url}/toy.gguf`]));
  const { child, done } = here.start(['pull', 'toy']);
  const part = path.join(here.models, 'toy.gguf.part');
  await until(() => fs.existsSync(part) && fs.statSync(part).size === 1 << 20, 'a megabyte of part');
  const pressed = Date.now();
  child.kill('SIGINT');
  const result = await done;
  assert.equal(result.code, 130);
  assert.match(result.stderr, /interrupted; .*goes on from here/);
  assert.ok(Date.now() - pressed < 3000, 'stops soon');
  assert.deepEqual(here.kept(), ['toy.gguf.part', 'toy.gguf.part.json']);
  hanging = false;
  assertWhole(here, await here.run(['pull', 'toy']));
  assert.deepEqual(ranges, ['all', `bytes=${1 << 20}-`]);
});

test('a server that ignores ranges starts over cleanly', async () => {
  const here = place();
  let requests = 0;
  const url = await serve((request, response) => {
    if (++requests === 1) return sendHalf(response, MODEL);
    response.writeHead(200, { 'content-length': MODEL.length });
    return response.end(MODEL);
  });
  here.catalogue(entry([`${url}/toy.gguf`]));
  assertWhole(here, await here.run(['pull', 'toy']));
  assert.equal(requests, 2);
});

test('a file that has changed starts over, whether the server obeys If-Range or not', async () => {
  for (const obeys of [true, false]) {
    const here = place();
    const other = makeModel(MODEL.length, 2);
    let requests = 0;
    const url = await serve((request, response) => {
      if (++requests === 1) return sendHalf(response, other);
      if (!obeys) delete request.headers['if-range'];
      return sendFile(request, response, MODEL);
    });
    here.catalogue(entry([`${url}/toy.gguf`]));
    assertWhole(here, await here.run(['pull', 'toy']));
  }
});

test('a range that is not the one asked for is not believed', async () => {
  const here = place();
  let requests = 0;
  const url = await serve((request, response) => {
    requests++;
    if (requests === 1) return sendHalf(response, MODEL);
    if (request.headers.range) {
      const half = MODEL.length / 2; // as many bytes as are missing, but not those
      response.writeHead(206, { 'content-range': `bytes 5-${half + 4}/${MODEL.length}`, 'content-length': half });
      return response.end(MODEL.subarray(5, half + 5));
    }
    return sendFile(request, response, MODEL);
  });
  here.catalogue(entry([`${url}/toy.gguf`]));
  assertWhole(here, await here.run(['pull', 'toy']));
  assert.equal(requests, 3);
});

test('a part with a spoiled note, or of another address, is not used', async () => {
  for (const note of ['{', '[]', '{"url": 1}', JSON.stringify({ url: 'https://elsewhere/', validator: '', total: -1 })]) {
    const here = place();
    const ranges = [];
    const url = await serve((request, response) => {
      ranges.push(request.headers.range ?? 'all');
      sendFile(request, response, MODEL);
    });
    here.catalogue(entry([`${url}/toy.gguf`]));
    fs.mkdirSync(here.models);
    fs.writeFileSync(path.join(here.models, 'toy.gguf.part'), 'what is this');
    fs.writeFileSync(path.join(here.models, 'toy.gguf.part.json'), note);
    assertWhole(here, await here.run(['pull', 'toy']));
    assert.deepEqual(ranges, ['all']);
  }
});

test('a wrong sha256 leaves nothing and says which', async () => {
  const here = place();
  const wrong = Buffer.from(MODEL);
  wrong[1 << 20] ^= 1;
  const url = await serve((request, response) => sendFile(request, response, wrong));
  here.catalogue(entry([`${url}/toy.gguf`]));
  const result = await here.run(['pull', 'toy']);
  assert.equal(result.code, 1);
  assert.match(result.stderr, new RegExp(`sha256 is ${sha256(wrong).slice(0, 16)}.*expected is ${sha256(MODEL).slice(0, 16)}`));
  assert.equal(result.stdout, '');
  assert.deepEqual(here.kept(), []);
});

test('a wrong size is refused before it is downloaded', async () => {
  const here = place();
  const url = await serve((request, response) => sendFile(request, response, MODEL.subarray(0, 1 << 20)));
  here.catalogue(entry([`${url}/toy.gguf`]));
  const result = await here.run(['pull', 'toy']);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /has 1048576 bytes where 3145728 are expected/);
  assert.deepEqual(here.kept(), []);
});

test('what is not a GGUF file is not kept', async () => {
  const here = place();
  const url = await serve((request, response) => response.end('<html>Please log in</html>'));
  const result = await here.run(['pull', `${url}/toy.gguf`]);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /not a GGUF file/);
  assert.deepEqual(here.kept(), []);
});

test('404 is final, 500 is tried again, 503 for ever is given up', async () => {
  const here = place();
  const seen = {};
  const url = await serve((request, response) => {
    const n = (seen[request.url] = (seen[request.url] ?? 0) + 1);
    if (request.url === '/missing.gguf') return response.writeHead(404).end('x'.repeat(200_000));
    if (request.url === '/down.gguf') return response.writeHead(503).end('down');
    if (n <= 2) return response.writeHead(500).end('oops');
    return sendFile(request, response, MODEL);
  });
  const [missing, down, shaky] = await Promise.all(
    ['missing', 'down', 'shaky'].map((name) => here.run(['pull', `${url}/${name}.gguf`])));
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /HTTP status 404 \(not there\)/);
  assert.equal(down.code, 1);
  assert.match(down.stderr, /HTTP status 503/);
  assertWhole(here, shaky);
  assert.deepEqual(seen, { '/missing.gguf': 1, '/down.gguf': 5, '/shaky.gguf': 3 });
});

test('a redirect loop ends', async () => {
  const here = place();
  let requests = 0;
  const url = await serve((request, response) => {
    requests++;
    response.writeHead(302, { location: `/again/${requests}.gguf` }).end();
  });
  const result = await here.run(['pull', `${url}/toy.gguf`]);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /redirected more than 10 times/);
  assert.equal(requests, 11);
  assert.deepEqual(here.kept(), []);
});

test('a server that stands still is given up', async () => {
  const here = place();
  let requests = 0;
  const url = await serve((request, response) => {
    requests++;
    response.writeHead(200, { 'content-length': MODEL.length });
    response.flushHeaders();
  });
  const result = await here.run(['pull', `${url}/toy.gguf`, '--timeout', '1']);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /nothing came for 1 seconds/);
  assert.equal(requests, 5);
});

test('a name that does not resolve, and a closed port, fall through at once', async () => {
  const here = place();
  const url = await serve((request, response) => sendFile(request, response, MODEL));
  const closed = await serve(() => {});
  servers.at(-1).close();
  here.catalogue(entry(['https://nowhere.invalid/toy.gguf', `${closed}/toy.gguf`, `${url}/toy.gguf`]));
  const started = Date.now();
  const result = await here.run(['pull', 'toy']);
  assertWhole(here, result);
  assert.ok(Date.now() - started < 15_000);
  const lines = result.stderr.split('\n').filter((line) => /trying the next source/.test(line));
  assert.equal(lines.length, 2, result.stderr);
  assert.match(lines[0], /nowhere\.invalid/);
});

test('two pulls of one model do not clash', async () => {
  const here = place();
  let requests = 0;
  const url = await serve((request, response) => {
    requests++;
    setTimeout(() => sendFile(request, response, MODEL), 700);
  });
  here.catalogue(entry([`${url}/toy.gguf`]));
  const results = await Promise.all([1, 2, 3].map(() => here.run(['pull', 'toy'])));
  for (const result of results) assertWhole(here, result);
  assert.equal(requests, 1);
  assert.equal(results.filter((result) => /another pull/.test(result.stderr)).length, 2);
});

test('http: to other machines, odd schemes and bad references are refused', async () => {
  const here = place();
  for (const [reference, words] of [
    ['http://192.0.2.1/toy.gguf', /http: is refused/],
    ['https://exa mple/toy.gguf', /not an address/],
    ['hf:owner/repo', /expected hf:owner\/repo\/file.gguf/],
    ['hf:owner/repo/../../x.gguf', /expected hf:/],
    ['hf:owner/repo/m-00001-of-00003.gguf', /split into several files is not supported/],
    ['npm:../x@1.0.0', /expected npm:package@version/],
    ['npm:--help@1.0.0', /expected npm:package@version/],
    ['npm:package', /expected npm:package@version/],
  ]) {
    const result = await here.run(['pull', reference]);
    assert.equal(result.code, 1, reference);
    assert.match(result.stderr, words);
    assert.deepEqual(here.kept(), []);
  }
  assert.equal((await here.run(['pull', 'no-such-model'])).code, 3);
  assert.equal((await here.run(['pull'])).code, 2);
  assert.equal((await here.run(['pull', 'a', '--timeout', '0'])).code, 2);
});

// ---- https ----

function certificate() {
  const key = path.join(root, 'key.pem'), cert = path.join(root, 'cert.pem');
  const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert]);
  return made.status === 0 ? { key: fs.readFileSync(key), cert: fs.readFileSync(cert), path: cert } : null;
}

test('https: certificates are checked, CURL_CA_BUNDLE and SSL_CERT_FILE are obeyed, no way down to http:', async (t) => {
  const made = certificate();
  if (!made) return t.skip('no openssl program to make a certificate with');
  const here = place();
  const plain = await serve((request, response) => sendFile(request, response, MODEL));
  const url = await serve((request, response) => {
    if (request.url.startsWith('/down')) return response.writeHead(302, { location: `${plain}/toy.gguf` }).end();
    return sendFile(request, response, MODEL);
  }, made);
  const untrusted = await here.run(['pull', `${url}/toy.gguf`]);
  assert.equal(untrusted.code, 1);
  assert.match(untrusted.stderr, /certificate|peer/i);
  for (const variable of ['CURL_CA_BUNDLE', 'SSL_CERT_FILE']) {
    assertWhole(here, await here.run(['pull', '--force', `${url}/toy.gguf`], { [variable]: made.path }));
  }
  const down = await here.run(['pull', `${url}/down.gguf`], { CURL_CA_BUNDLE: made.path });
  assert.equal(down.code, 1);
  assert.match(down.stderr, /redirect from https: to http: is refused/);
});

// ---- the Hugging Face layout ----

test('hf: the address, the announced sha256, and a token that stays at home', async () => {
  const here = place();
  const tokens = {};
  let announced = sha256(MODEL);
  const store = await serve((request, response) => {
    tokens.store = request.headers.authorization;
    sendFile(request, response, MODEL);
  });
  const hub = await serve((request, response) => {
    tokens.hub = request.headers.authorization;
    if (request.url !== '/owner/repo/resolve/v1.0/dir/toy.gguf') return response.writeHead(404).end();
    return response.writeHead(302, { location: `${store}/blob`, 'x-linked-etag': `"${announced}"` }).end();
  });
  const env = { HF_ENDPOINT: `${hub}/`, HF_TOKEN: 'hf_secret' };
  assertWhole(here, await here.run(['pull', 'hf:owner/repo@v1.0/dir/toy.gguf'], env));
  assert.deepEqual(tokens, { hub: 'Bearer hf_secret', store: undefined });
  assert.equal((await here.run(['rm', '-y', 'hf:owner/repo@v1.0/dir/toy.gguf'])).code, 0);

  announced = sha256('something else');
  const result = await here.run(['pull', 'hf:owner/repo@v1.0/dir/toy.gguf'], env);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /sha256 is/);
  assert.deepEqual(here.kept(), []);
});

test('hf: main is the default revision; a gated model says what is needed', async () => {
  const here = place();
  const hub = await serve((request, response) => {
    if (request.url === '/owner/repo/resolve/main/toy.gguf') return sendFile(request, response, MODEL);
    return response.writeHead(401).end();
  });
  assertWhole(here, await here.run(['pull', 'hf:owner/repo/toy.gguf'], { HF_ENDPOINT: hub }));
  const gated = await here.run(['pull', 'hf:owner/gated/toy.gguf'], { HF_ENDPOINT: hub });
  assert.equal(gated.code, 1);
  assert.match(gated.stderr, /HF_TOKEN/);
});

// ---- disks ----

test('a file size limit is an error like a full disk, and the part stays', async () => {
  const here = place();
  const url = await serve((request, response) => sendFile(request, response, MODEL));
  here.catalogue(entry([`${url}/toy.gguf`]));
  const limited = await here.run(['-c', 'ulimit -f 2048; exec "$0" "$@"', MOTE, 'pull', 'toy'], { command: '/bin/sh' });
  assert.equal(limited.code, 1);
  assert.match(limited.stderr, /toy\.gguf\.part: File too large/);
  assert.deepEqual(here.kept(), ['toy.gguf.part', 'toy.gguf.part.json']);
  assertWhole(here, await here.run(['pull', 'toy']));
});

const mounts = process.getuid() === 0 && spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;
const needsMounts = mounts ? false : 'only root may mount a small disk';

test('a full disk: seen before the download where the size is known, during it where not', { skip: needsMounts }, async () => {
  const here = place();
  const url = await serve((request, response) => {
    if (request.url === '/known.gguf') return sendFile(request, response, MODEL);
    response.writeHead(200); // chunked: the size is not told
    return response.end(MODEL);
  });
  fs.mkdirSync(here.models);
  const script = 'mount -t tmpfs -o size=2m none "$MOTE_MODELS" && "$0" "$@"; code=$?; ls -s "$MOTE_MODELS"; exit $code';
  const on = (name) => here.run(['-m', '/bin/sh', '-c', script, MOTE, 'pull', `${url}/${name}.gguf`],
    { command: '/usr/bin/unshare', PATH: '/usr/bin:/bin' });
  const known = await on('known');
  assert.equal(known.code, 1);
  assert.match(known.stderr, /not enough room: 3\.1 MB needed, 2\.1 MB free/);
  const unknown = await on('unknown');
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /No space left on device/);
  assert.doesNotMatch(unknown.stdout, /gguf$/m);
});

test('a directory that cannot be written', { skip: !mounts && process.getuid() === 0 ? 'root writes everywhere, and nothing may be mounted' : false }, async () => {
  const here = place();
  const url = await serve((request, response) => sendFile(request, response, MODEL));
  fs.mkdirSync(here.models);
  fs.chmodSync(here.models, 0o555);
  const result = mounts
    ? await here.run(['-m', '/bin/sh', '-c', 'mount -t tmpfs -o ro none "$MOTE_MODELS" && exec "$0" "$@"', MOTE, 'pull', `${url}/toy.gguf`],
      { command: '/usr/bin/unshare', PATH: '/usr/bin:/bin' })
    : await here.run(['pull', `${url}/toy.gguf`]);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /toy-[0-9a-f]{8}\.gguf\.lock: (Read-only file system|Permission denied)/);
  fs.chmodSync(here.models, 0o755);
});

// ---- the catalogue ----

test('mistakes in the user\'s catalogue are named', async () => {
  const here = place();
  const good = entry(['https://h/x.gguf']);
  for (const [models, words] of [
    [[{}], /no "name"/],
    [[{ ...good, name: '../x' }], /no "name"/],
    [[{ ...good, file: '../x.gguf' }], /toy: "file" is not a plain file name/],
    [[{ ...good, file: '.hidden' }], /"file"/],
    [[{ ...good, sha256: 'ABC' }], /"sha256"/],
    [[{ ...good, bytes: -5 }], /"bytes"/],
    [[{ ...good, bytes: '5' }], /"bytes"/],
    [[{ ...good, sources: [] }], /"sources"/],
    [[{ ...good, sources: ['ftp://h/x'] }], /not https:, hf: or npm:/],
    [[{ ...good, sources: [['https://h/a', 'https://h/b']] }], /only npm: sources come in pieces/],
    [[{ ...good, sources: [{ from: 'npm:a@1/x', range: [5, 5] }] }], /"range"/],
    [[{ ...good, sources: [{ convert: 'other' }] }], /"convert"/],
    ['text', /no list "models"/],
  ]) {
    here.catalogue();
    fs.writeFileSync(path.join(here.home, '.config/mote/catalogue.json'), JSON.stringify({ models }));
    const result = await here.run(['list']);
    assert.equal(result.code, 1, JSON.stringify(models));
    assert.match(result.stderr, words);
  }
  fs.writeFileSync(path.join(here.home, '.config/mote/catalogue.json'), '{"models": [');
  assert.match((await here.run(['list'])).stderr, /catalogue\.json:1: /);
});

test('an entry of the user\'s replaces the built-in one of its name', async () => {
  const here = place();
  const url = await serve((request, response) => sendFile(request, response, MODEL));
  here.catalogue(entry([`${url}/x`], { name: 'tinyllama', file: 'mine.gguf', default: true }));
  const rows = JSON.parse((await here.run(['list', '--json'])).stdout);
  assert.deepEqual(rows.filter((row) => row.name === 'tinyllama').map((row) => path.basename(row.path)), ['mine.gguf']);
  assert.ok(rows.some((row) => row.name === 'stories15m'));
  assertWhole(here, await here.run(['pull', 'tinyllama']));
});

test('rm never leaves the models directory; stray models are listed and removed by name', async () => {
  const here = place();
  fs.mkdirSync(here.models);
  const outside = path.join(here.home, 'precious.gguf');
  fs.writeFileSync(outside, 'GGUF');
  fs.writeFileSync(path.join(here.models, 'stray.gguf'), 'GGUF');
  assert.match((await here.run(['list'])).stdout, /^stray\.gguf .*present/m);
  fs.mkdirSync(path.join(here.models, 'folder'));
  for (const name of ['../precious.gguf', 'folder/../../precious.gguf', outside, '.', '..', 'folder']) assert.equal((await here.run(['rm', '-y', name])).code, 3, name);
  assert.ok(fs.existsSync(outside));
  assert.equal((await here.run(['rm', '-y', 'stray.gguf'])).code, 0);
  assert.deepEqual(here.kept(), ['folder']);
});

test('help goes to stdout', async () => {
  const here = place();
  for (const command of ['pull', 'list', 'rm']) {
    const result = await here.run([command, '--help']);
    assert.equal(result.code, 0);
    assert.match(result.stdout, new RegExp(`^usage: mote ${command}`));
    assert.equal(result.stderr, '');
  }
});
