// SPDX-License-Identifier: Apache-2.0
//
// `mote convert FOLDER`: encoders of all families with random weights to GGUF: every weight in its place and with
// its value, the vocabulary as llama.cpp's files have it; then folders that lie, each refused with the file and
// the field, and nothing left behind.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { assertFails, file, folder as scratch, mote } from './tiny.mjs';
import { charsmap, folder, readGguf, safetensors, shape, write } from './hf_folder.mjs';
import { entry, place, sendFile, serve, sha256 } from './loopback.mjs';

const { D, F } = shape;
let made = 0;

/** Converts a folder; returns what the file holds. */
function convert(model, options = [], weights) {
    const dir = file(`folder${++made}`), out = file(`made${made}.gguf`);
    write(dir, model, weights);
    const result = mote(['convert', dir, '-o', out, ...options]);
    assert.equal(result.code, 0, result.stderr);
    assert.equal(result.stdout, '');
    return { ...readGguf(out), dir, out };
}

/** The values of a tensor of the folder, by the end of its name. */
const values = (model, name) => model.tensors[name].values.map(Math.fround);

test('BERT: every tensor with its shape and values; keys; the pooler is left out', () => {
    const model = folder('bert');
    const { keys, tensors, end } = convert(model);
    const expected = {
        'token_embd.weight': 'embeddings.word_embeddings.weight',
        'position_embd.weight': 'embeddings.position_embeddings.weight',
        'token_types.weight': 'embeddings.token_type_embeddings.weight',
        'token_embd_norm.weight': 'embeddings.LayerNorm.weight',
        'token_embd_norm.bias': 'embeddings.LayerNorm.bias',
    };
    const parts = { attn_q: 'attention.self.query', attn_k: 'attention.self.key', attn_v: 'attention.self.value', attn_output: 'attention.output.dense', attn_output_norm: 'attention.output.LayerNorm', ffn_up: 'intermediate.dense', ffn_down: 'output.dense', layer_output_norm: 'output.LayerNorm' };
    for (const i of [0, 1])
        for (const [ours, theirs] of Object.entries(parts))
            for (const tail of ['weight', 'bias']) expected[`blk.${i}.${ours}.${tail}`] = `encoder.layer.${i}.${theirs}.${tail}`;
    assert.deepEqual(Object.keys(tensors).sort(), Object.keys(expected).sort());
    for (const [ours, theirs] of Object.entries(expected)) {
        assert.deepEqual(tensors[ours].dims, [...model.tensors[theirs].shape].reverse(), ours);
        assert.deepEqual(tensors[ours].values, values(model, theirs), ours);
        assert.equal(tensors[ours].offset % 32, 0);
    }
    assert.equal(end % 32, 0);
    assert.equal(keys['general.architecture'], 'bert');
    assert.equal(keys['general.name'], `folder${made}`);
    assert.deepEqual([keys['bert.block_count'], keys['bert.context_length'], keys['bert.embedding_length'], keys['bert.feed_forward_length'], keys['bert.attention.head_count']], [2, 24, D, F, 4]);
    assert.ok(Math.abs(keys['bert.attention.layer_norm_epsilon'] - 1e-5) < 1e-12);
    assert.equal(keys['bert.attention.causal'], false);
    assert.equal(keys['bert.pooling_type'], 1);
    assert.equal(keys['tokenizer.ggml.token_type_count'], 2);
});

test('BERT: the vocabulary marks the beginnings of words, and says what each token is', () => {
    const model = folder('bert');
    model.tokenizer.added_tokens.push({ id: 18, content: 'é', special: false });
    delete model.tokenizer.model.vocab['日'];
    const { keys } = convert(model);
    assert.equal(keys['tokenizer.ggml.model'], 'bert');
    assert.deepEqual(keys['tokenizer.ggml.tokens'], ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '▁hello', '▁world', 's', 'ing', '▁mote', '▁a', '▁b', '▁c', 'a', 'b', 'c', '▁!', '▁.', 'é', '[PAD19]']);
    assert.deepEqual(keys['tokenizer.ggml.token_type'], [3, 3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4, 5]);
    const ids = { unknown: 1, cls: 2, bos: 2, seperator: 3, eos: 3, padding: 0, mask: 4 };
    for (const [name, id] of Object.entries(ids)) assert.equal(keys[`tokenizer.ggml.${name}_token_id`], id, name);
    assert.equal(keys['tokenizer.ggml.normalizer.lowercase'], true);
    assert.equal(keys['tokenizer.ggml.normalizer.strip_accents'], true);
});

test('a model in several files, with the names of older ones, is the same model', () => {
    const model = folder('bert', { dtype: 'F16' });
    const plain = convert(model, ['--name', 'same']);
    const names = Object.keys(model.tensors);
    const old = (name) => `bert.${name}`.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta');
    const shards = [{}, {}, {}], map = {};
    names.forEach((name, i) => {
        shards[i % 3][old(name)] = model.tensors[name];
        map[old(name)] = `model-0000${(i % 3) + 1}-of-00003.safetensors`;
    });
    shards[0]['bert.embeddings.position_ids'] = { shape: [1, 4], dtype: 'I64', values: [0, 1, 2, 3] };
    map['bert.embeddings.position_ids'] = 'model-00001-of-00003.safetensors';
    model.files['model.safetensors.index.json'] = { metadata: {}, weight_map: map };
    shards.forEach((shard, i) => (model.files[`model-0000${i + 1}-of-00003.safetensors`] = safetensors(shard)));
    const split = convert(model, ['--name', 'same'], null);
    assert.deepEqual(fs.readFileSync(split.out), fs.readFileSync(plain.out));
    // and so is one file of another name
    model.files = { 'model.fp16.safetensors': safetensors(model.tensors) };
    assert.deepEqual(fs.readFileSync(convert(model, ['--name', 'same'], null).out), fs.readFileSync(plain.out));
});

test('types: F16 and BF16 are read exactly; the default loses nothing; Q8_0 is what quantize makes', () => {
    for (const dtype of ['F16', 'BF16', 'F32']) {
        const model = folder('bert', { dtype });
        const wide = convert(model, ['--type', 'f32']);
        assert.deepEqual(wide.tensors['blk.1.ffn_up.weight'].values, values(model, 'encoder.layer.1.intermediate.dense.weight'), dtype);
        const own = convert(model);
        const types = new Set(['token_embd.weight', 'blk.0.attn_q.weight', 'position_embd.weight'].map((name) => own.tensors[name].type));
        assert.deepEqual([...types], [dtype === 'F16' ? 1 : 0]);
        assert.equal(own.keys['general.file_type'], dtype === 'F16' ? 1 : 0);
        for (const name of ['token_types.weight', 'blk.0.attn_q.bias', 'blk.0.attn_output_norm.weight']) assert.equal(own.tensors[name].type, 0, name);

        const small = convert(model, ['--type', 'q8_0']);
        const quantized = file('quantized.gguf');
        assert.equal(mote(['quantize', '-q', wide.out, quantized, 'Q8_0']).code, 0);
        const again = readGguf(quantized);
        for (const [name, tensor] of Object.entries(small.tensors)) {
            assert.equal(tensor.type, again.tensors[name].type, name);
            assert.deepEqual(tensor.bytes, again.tensors[name].bytes, name);
        }
        assert.deepEqual([small.tensors['blk.0.attn_q.weight'].type, small.tensors['position_embd.weight'].type, small.tensors['token_types.weight'].type], [8, 1, 0]);
    }
});

test('quantize keeps the words of an encoder at Q8_0, and its head as it is', () => {
    const { out, tensors } = convert(folder('bert', { head: 'text' }));
    for (const type of ['Q4_0', 'Q4_K_M']) {
        assert.equal(mote(['quantize', '-q', out, file('small.gguf'), type]).code, 0);
        const list = JSON.parse(mote(['info', '--json', file('small.gguf')]).stdout);
        assert.ok(list, 'info reads it');
        const bytes = fs.readFileSync(file('small.gguf'));
        for (const name of ['cls.weight', 'cls.output.weight', 'cls.output.bias']) assert.ok(bytes.includes(tensors[name].bytes), `${name} is there as it was`);
    }
});

test('RoBERTa and XLM-R: positions from behind the padding; byte-level BPE, and Unigram with its table', () => {
    for (const family of ['roberta', 'xlm-roberta']) {
        const model = folder(family);
        const { keys, tensors, out } = convert(model);
        assert.deepEqual(tensors['position_embd.weight'].dims, [D, 24], family);
        assert.deepEqual(tensors['position_embd.weight'].values, values(model, 'embeddings.position_embeddings.weight').slice(2 * D));
        assert.equal(keys['bert.context_length'], 24);
        assert.deepEqual([keys['tokenizer.ggml.bos_token_id'], keys['tokenizer.ggml.eos_token_id'], keys['tokenizer.ggml.padding_token_id'], keys['tokenizer.ggml.unknown_token_id']], [0, 2, 1, 3]);
        assert.deepEqual([keys['tokenizer.ggml.add_bos_token'], keys['tokenizer.ggml.add_eos_token']], [true, true]);
        assert.equal(keys['tokenizer.ggml.token_type_count'], 1);
        if (family === 'roberta') {
            assert.equal(keys['tokenizer.ggml.model'], 'gpt2');
            assert.equal(keys['tokenizer.ggml.pre'], 'roberta-bpe');
            assert.deepEqual(keys['tokenizer.ggml.merges'], model.tokenizer.model.merges);
            assert.equal(keys['tokenizer.ggml.mask_token_id'], 266);
            // the newer form of merges is the same
            model.tokenizer.model.merges = model.tokenizer.model.merges.map((merge) => merge.split(' '));
            assert.deepEqual(convert(model).keys['tokenizer.ggml.merges'], keys['tokenizer.ggml.merges']);
            const said = mote(['tokenize', out], { input: 'hello world' });
            assert.equal(said.code, 0, said.stderr);
        } else {
            assert.equal(keys['tokenizer.ggml.model'], 't5');
            assert.deepEqual(keys['tokenizer.ggml.scores'], model.tokenizer.model.vocab.map(([, score]) => Math.fround(score)));
            assert.deepEqual(keys['tokenizer.ggml.token_type'], [3, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1, 3]);
            assert.deepEqual(keys['tokenizer.ggml.precompiled_charsmap'], [...charsmap]);
            assert.deepEqual([keys['tokenizer.ggml.add_space_prefix'], keys['tokenizer.ggml.remove_extra_whitespaces']], [true, true]);
        }
    }
});

test('Unigram with byte fallback: bytes are bytes; the charsmap may be absent', () => {
    const model = folder('xlm-roberta');
    model.tokenizer.model.byte_fallback = true;
    model.tokenizer.model.vocab[9] = ['<0x41>', -9];
    model.tokenizer.normalizer = null;
    const { keys } = convert(model);
    assert.equal(keys['tokenizer.ggml.token_type'][9], 6);
    assert.equal(keys['tokenizer.ggml.precompiled_charsmap'], undefined);
});

test('DistilBERT has no segments; nomic-bert has no positions, and its three products in one', () => {
    const distil = convert(folder('distilbert'));
    assert.equal(distil.tensors['token_types.weight'], undefined);
    assert.deepEqual(distil.tensors['blk.1.ffn_down.weight'].dims, [F, D]);
    assert.equal(distil.keys['bert.feed_forward_length'], F);
    assert.ok(Math.abs(distil.keys['bert.attention.layer_norm_epsilon'] - 1e-12) < 1e-18);

    const model = folder('nomic_bert');
    const nomic = convert(model);
    assert.equal(nomic.keys['general.architecture'], 'nomic-bert');
    assert.equal(nomic.keys['nomic-bert.rope.freq_base'], 1000);
    assert.equal(nomic.keys['nomic-bert.context_length'], 2048);
    assert.equal(nomic.tensors['position_embd.weight'], undefined);
    assert.deepEqual(nomic.tensors['blk.0.attn_qkv.weight'].dims, [D, 3 * D]);
    assert.deepEqual(nomic.tensors['blk.0.ffn_gate.weight'].values, values(model, 'encoder.layers.0.mlp.fc12.weight'));
    assert.deepEqual(nomic.tensors['blk.0.ffn_up.weight'].values, values(model, 'encoder.layers.0.mlp.fc11.weight'));
    assert.equal(nomic.tensors['blk.0.attn_qkv.bias'], undefined);
});

test('ModernBERT: windows, two bases, gate and up in one, no norm in front of the first attention', () => {
    const model = folder('modernbert');
    const { keys, tensors } = convert(model);
    const said = Object.fromEntries(Object.entries(keys).filter(([name]) => /rope|window|hidden|epsilon/.test(name)));
    assert.deepEqual({ ...said, 'modern-bert.attention.layer_norm_epsilon': 1e-5 }, {
        'modern-bert.attention.layer_norm_epsilon': 1e-5, 'modern-bert.rope.freq_base': 160000, 'modern-bert.rope.freq_base_swa': 10000,
        'modern-bert.attention.sliding_window': 16, 'modern-bert.attention.sliding_window_pattern': 3, 'modern-bert.hidden_activation': 'gelu' });
    assert.equal(keys['tokenizer.ggml.pre'], 'modern-bert');
    assert.equal(keys['tokenizer.ggml.token_type'][267], 4); // two spaces, found in any text
    assert.deepEqual(tensors['blk.0.ffn_up.weight'].dims, [D, 2 * F]);
    assert.equal(tensors['blk.0.attn_norm.weight'], undefined);
    assert.deepEqual(tensors['blk.1.attn_norm.weight'].values, values(model, 'layers.1.attn_norm.weight'));
    assert.deepEqual(tensors['output_norm.weight'].values, values(model, 'final_norm.weight'));

    const now = folder('modernbert'); // as newer libraries write it
    delete now.config.global_rope_theta;
    delete now.config.local_rope_theta;
    now.config.rope_parameters = { full_attention: { rope_type: 'default', rope_theta: 80000 }, sliding_attention: { rope_type: 'default', rope_theta: 5000 } };
    now.config.layer_types = ['full', 'sliding', 'sliding', 'full', 'sliding'].map((type) => `${type}_attention`);
    const again = convert(now);
    assert.equal(again.keys['modern-bert.rope.freq_base'], 80000);
    assert.equal(again.keys['modern-bert.rope.freq_base_swa'], 5000);

    for (const head of ['text', 'token']) {
        const judge = convert(folder('modernbert', { head }));
        assert.deepEqual(judge.tensors['cls.norm.weight'].dims, [D]);
        assert.equal(judge.tensors['cls.bias'], undefined);
        assert.equal(judge.keys['modern-bert.pooling_type'], head === 'text' ? 1 : 0);
        assert.match(mote(['classify', judge.out, '-p', 'hello world']).stdout, head === 'text' ? /maybe/ : /entities/);
    }
});

test('heads of texts and of tokens, with their labels', () => {
    const heads = { bert: ['bert.pooler.dense', 'classifier'], distilbert: ['pre_classifier', 'classifier'], roberta: ['classifier.dense', 'classifier.out_proj'], 'xlm-roberta': ['classifier.dense', 'classifier.out_proj'] };
    for (const [family, [dense, last]] of Object.entries(heads)) {
        const model = folder(family, { head: 'text' });
        const { keys, tensors, out } = convert(model, ['--type', 'Q8_0']);
        assert.deepEqual(tensors['cls.weight'].values, values(model, `${dense}.weight`), family);
        assert.deepEqual(tensors['cls.bias'].values, values(model, `${dense}.bias`));
        assert.deepEqual(tensors['cls.output.weight'].dims, [D, 3]);
        assert.deepEqual(tensors['cls.output.weight'].values, values(model, `${last}.weight`));
        assert.deepEqual(keys['bert.classifier.output_labels'], ['no', 'maybe', 'yes']);
        assert.equal(keys['bert.pooling_type'], 2);
        assert.equal(keys['mote.head.activation'], family === 'distilbert' ? 'relu' : undefined);
        const said = mote(['classify', out, '-p', 'hello world']);
        assert.equal(said.code, 0, said.stderr);
        assert.match(said.stdout, /maybe/);

        const tokens = folder(family, { head: 'token' });
        const judge = convert(tokens);
        assert.equal(judge.keys['mote.head.tokens'], true);
        assert.equal(judge.keys['bert.pooling_type'], 0);
        assert.equal(judge.tensors['cls.weight'], undefined);
        assert.deepEqual(judge.tensors['cls.output.weight'].values, values(tokens, 'classifier.weight'));
    }
    const bare = folder('bert', { head: 'text' });
    delete bare.config.id2label;
    bare.config.problem_type = 'multi_label_classification';
    const { keys } = convert(bare);
    assert.deepEqual(keys['bert.classifier.output_labels'], ['LABEL_0', 'LABEL_1', 'LABEL_2']);
    assert.equal(keys['mote.head.many_labels'], true);
});

test('every family is a model that embeds', () => {
    for (const family of ['bert', 'distilbert', 'roberta', 'xlm-roberta', 'nomic_bert', 'modernbert']) {
        const { out } = convert(folder(family));
        const said = mote(['embed', out, '-p', 'hello world']);
        assert.equal(said.code, 0, `${family}: ${said.stderr}`);
        assert.equal(JSON.parse(said.stdout).embedding.length, D, family);
    }
});

test('pooling: as sentence-transformers says, or the command line', () => {
    const pooling = (mode, options = []) => {
        const model = folder('bert');
        model.files['modules.json'] = [
            { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' },
            { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
            { idx: 2, name: '2', path: '2_Normalize', type: 'sentence_transformers.models.Normalize' },
        ];
        model.files['1_Pooling/config.json'] = { word_embedding_dimension: D, pooling_mode_cls_token: false, pooling_mode_mean_tokens: false, pooling_mode_max_tokens: false, pooling_mode_lasttoken: false, [mode]: true };
        return convert(model, options).keys['bert.pooling_type'];
    };
    assert.equal(pooling('pooling_mode_mean_tokens'), 1);
    assert.equal(pooling('pooling_mode_cls_token'), 2);
    assert.equal(pooling('pooling_mode_lasttoken'), 3);
    assert.equal(pooling('pooling_mode_cls_token', ['--pooling', 'mean']), 1);
    assert.equal(pooling('pooling_mode_cls_token', ['--pooling', 'none']), 0);
});

// ---- folders that lie ----

/** Bends a folder of a family and expects a refusal. */
function refuses(what, text, bend, { family = 'bert', head, weights } = {}) {
    const model = folder(family, { head });
    const bytes = bend(model, model.tokenizer);
    const dir = file('bad'), out = file('bad.gguf');
    write(dir, model, Buffer.isBuffer(bytes) || bytes === null ? bytes : weights);
    fs.rmSync(out, { force: true });
    const result = mote(['convert', dir, '-o', out]);
    try {
        assertFails(result, 3, text);
        assert.deepEqual(fs.readdirSync(scratch).filter((name) => name.startsWith('bad.gguf')), []);
    } catch (error) {
        error.message = `${what}: ${error.message}`;
        throw error;
    }
}

/** model.safetensors with a bent header. */
const header = (model, bend) => safetensors(model.tensors, bend);

test('safetensors that lie', () => {
    const name = 'embeddings.LayerNorm.bias';
    const bend = (change) => (model) => header(model, (h) => (change(h[name], h), h));
    refuses('cut short', /model\.safetensors: not a safetensors file/, () => Buffer.from('1234567'));
    refuses('empty', /model\.safetensors: not a safetensors file/, () => Buffer.alloc(0));
    refuses('a header without end', /longer than the file/, (m) => {
        const bytes = safetensors(m.tensors);
        bytes.writeBigUInt64LE(0xffff_ffff_ffff_ffffn);
        return bytes;
    });
    refuses('a header of 17 MB', /more than 16 MiB/, () => {
        const bytes = Buffer.alloc(18 << 20);
        bytes.writeBigUInt64LE(BigInt(17 << 20));
        return bytes;
    });
    refuses('a header that is a list', /not a JSON object/, (m) => header(m, () => '[]'));
    refuses('no JSON', /not a JSON object/, (m) => header(m, () => '{"a":'));
    refuses('JSON too deep', /not a JSON object/, (m) => header(m, () => '{"a":'.repeat(5000) + '1' + '}'.repeat(5000)));
    refuses('a name twice', /duplicate/, (m) => header(m, (h) => JSON.stringify(h).replace('{', `{${JSON.stringify(name)}: {},`)));
    refuses('an unknown type', /"embeddings\.LayerNorm\.bias": "dtype"/, bend((t) => (t.dtype = 'Q4')));
    refuses('integers', /"embeddings\.LayerNorm\.bias": its type is I32/, bend((t) => (t.dtype = 'I32')));
    refuses('type no text', /"dtype"/, bend((t) => (t.dtype = 7)));
    refuses('a negative size', /"shape"/, bend((t) => (t.shape = [-32])));
    refuses('a size that is no number', /"shape"/, bend((t) => (t.shape = ['32'])));
    refuses('nine sizes', /"shape"/, bend((t) => (t.shape = [32, 1, 1, 1, 1, 1, 1, 1, 1])));
    refuses('sizes that overflow', /2\^64/, bend((t) => (t.shape = [2 ** 40, 2 ** 40, 2 ** 40])));
    refuses('bytes that overflow', /"data_offsets"/, bend((t) => (t.shape = [2 ** 31, 2 ** 31])));
    refuses('another shape', /its shape is not \[32\]/, bend((t) => (t.shape = [16, 2])));
    refuses('places out of the file', /"data_offsets"/, bend((t) => (t.data_offsets = [t.data_offsets[0], 2 ** 50])));
    refuses('places in reverse', /"data_offsets"/, bend((t) => t.data_offsets.reverse()));
    refuses('a negative place', /"data_offsets"/, bend((t) => (t.data_offsets = [-128, 0])));
    refuses('places for another size', /do not hold/, bend((t) => (t.data_offsets = [t.data_offsets[0], t.data_offsets[1] - 4])));
    refuses('an overlap', /overlaps/, bend((t) => (t.data_offsets = t.data_offsets.map((at) => at - 128))));
    refuses('a gap', /belong to no tensor|overlaps/, bend((t, h) => delete h[name]));
    refuses('bytes behind', /behind the last tensor/, (m) => Buffer.concat([safetensors(m.tensors), Buffer.alloc(4)]));
    refuses('no entry', /"dtype"/, bend((t, h) => (h[name] = 3)));
    refuses('a tensor too few', /tensor "encoder\.layer\.1\.output\.dense\.weight" is missing/, (m) => void delete m.tensors['encoder.layer.1.output.dense.weight']);
    refuses('a layer too few', /tensor "encoder\.layer\.2\..*" is missing/, (m) => void (m.config.num_hidden_layers = 3));
    refuses('a layer too many', /"encoder\.layer\.1\..*no place/, (m) => void (m.config.num_hidden_layers = 1));
    refuses('a tensor too many', /"x\?y": it has no place/, (m) => void (m.tensors['x\u001by'] = { shape: [1], dtype: 'F32', values: [1] }));
    refuses('infinity', /"encoder\.layer\.1\.output\.dense\.weight": it holds a value/, (m) => void (m.tensors['encoder.layer.1.output.dense.weight'].values[7] = Infinity));
    refuses('not a number', /"embeddings\.LayerNorm\.weight": it holds a value/, (m) => void (m.tensors['embeddings.LayerNorm.weight'].values[7] = NaN));
    refuses('no weights', /no \.safetensors file/, () => null);
    refuses('two of them', /several \.safetensors/, (m) => {
        m.files['a.safetensors'] = m.files['b.safetensors'] = safetensors(m.tensors);
        return null;
    });
});

test('an index that lies', () => {
    const split = (bend) => (model) => {
        const names = Object.keys(model.tensors);
        const index = { weight_map: Object.fromEntries(names.map((name) => [name, 'model-00001-of-00001.safetensors'])) };
        model.files['model-00001-of-00001.safetensors'] = safetensors(model.tensors);
        bend(index, model, names);
        model.files['model.safetensors.index.json'] = index;
        return null;
    };
    fs.writeFileSync(file('outside.safetensors'), safetensors(folder('bert').tensors));
    for (const away of ['../outside.safetensors', file('outside.safetensors'), 'a/b.safetensors', '..', '.safetensors', 'model.bin', '', 7])
        refuses(`a file at ${away}`, /index\.json: "weight_map": .* not the plain name/, split((index, model, names) => (index.weight_map[names[3]] = away)));
    refuses('a file that is not there', /model-2\.safetensors: No such file/, split((index, m, names) => (index.weight_map[names[3]] = 'model-2.safetensors')));
    refuses('no map', /"weight_map" is not an object/, split((index) => (index.weight_map = [])));
    refuses('a tensor that is elsewhere', /is in model-00001-of-00001\.safetensors, not in/, split((index, m, names) => delete index.weight_map[names[3]]));
    refuses('a tensor that is nowhere', /names tensors that its files do not have/, split((index) => (index.weight_map.x = 'model-00001-of-00001.safetensors')));
    refuses('a tensor in two files', /another file has it too/, split((index, model, names) => {
        model.files['two.safetensors'] = safetensors({ [names[3]]: model.tensors[names[3]], extra: model.tensors[names[4]] });
        index.weight_map.extra = 'two.safetensors';
    }));
    refuses('files without end', /more than 1024 files|No such file/, split((index) => {
        for (let i = 0; i < 3000; i++) index.weight_map[`t${i}`] = `s${i}.safetensors`;
    }));
});

test('configurations that lie, or are of other models', () => {
    const set = (key, value) => (m) => void (m.config[key] = value);
    refuses('another model', /config\.json: "model_type": 'llama'/, set('model_type', 'llama'));
    refuses('no type', /"model_type" is missing/, (m) => void delete m.config.model_type);
    refuses('a type that is no text', /"model_type" is not text/, set('model_type', ['bert']));
    for (const value of [0, -1, 1.5, '32', 1e9, 2 ** 60, [32]]) refuses(`a width of ${value}`, /"hidden_size"/, set('hidden_size', value));
    refuses('no width', /"hidden_size" is missing/, (m) => void delete m.config.hidden_size);
    refuses('heads that do not fit', /no multiple of "num_attention_heads"/, set('num_attention_heads', 5));
    refuses('a thousand layers more', /"num_hidden_layers"/, set('num_hidden_layers', 1e6));
    refuses('another vocabulary', /its shape is not \[21, 32\]/, set('vocab_size', 21));
    refuses('another activation', /"hidden_act": 'relu'/, set('hidden_act', 'relu'));
    refuses('relative positions', /"position_embedding_type"/, set('position_embedding_type', 'relative_key'));
    refuses('a decoder', /"is_decoder": true/, set('is_decoder', true));
    refuses('a norm of text', /"layer_norm_eps"/, set('layer_norm_eps', 'small'));
    refuses('a question answerer', /"architectures": 'BertForQuestionAnswering'/, set('architectures', ['BertForQuestionAnswering']));
    refuses('no positions left', /leaves no position/, set('pad_token_id', 25), { family: 'roberta' });
    refuses('experts', /"moe_every_n_layers"/, set('moe_every_n_layers', 2), { family: 'nomic_bert' });
    refuses('half a rotation', /"rotary_emb_fraction"/, set('rotary_emb_fraction', 0.5), { family: 'nomic_bert' });
    const modern = { family: 'modernbert' };
    refuses('biases', /"attention_bias": true/, set('attention_bias', true), modern);
    refuses('another gate', /"hidden_activation": 'relu'/, set('hidden_activation', 'relu'), modern);
    refuses('a window of nothing', /"local_attention"/, set('local_attention', 0), modern);
    refuses('other layers', /"layer_types": layer 1/, set('layer_types', ['full_attention', 'full_attention']), modern);
    refuses('stretched rotations', /"rope_type": 'yarn'/, set('rope_parameters', { full_attention: { rope_type: 'yarn' } }), modern);
    refuses('another pooling', /"classifier_pooling": 'max'/, set('classifier_pooling', 'max'), { ...modern, head: 'text' });
    refuses('labels too few', /"id2label"/, set('id2label', { 0: 'a', 1: 'b' }), { head: 'text' });
    refuses('labels with a hole', /"id2label"/, set('id2label', { 0: 'a', 1: 'b', 3: 'c' }), { head: 'text' });
    refuses('labels no text', /"id2label"/, set('id2label', { 0: 'a', 1: 'b', 2: 3 }), { head: 'text' });
    refuses('a head that is not announced', /"classifier\..*" *: it has no place/, set('architectures', ['BertModel']), { head: 'text' });
    refuses('no JSON', /config\.json: line 1/, (m) => void (m.config = '{"model_type": '));
    refuses('a key twice', /config\.json: line 1: duplicate/, (m) => void (m.config = '{"model_type": "bert", "model_type": "bert"}'));
    refuses('a list', /config\.json: it is not a JSON object/, (m) => void (m.config = '[]'));
    refuses('nothing', /config\.json: /, (m) => void (m.config = ''));
    refuses('5 MB', /config\.json: .* more than/, (m) => void (m.config = ' '.repeat(5 << 20)));
    refuses('no configuration', /config\.json: No such file/, (m) => void (m.config = null));
});

test('what sentence-transformers adds, when it lies', () => {
    const modules = (list, pooling) => (m) => {
        m.files['modules.json'] = list;
        if (pooling) m.files['1_Pooling/config.json'] = pooling;
    };
    const at = (where) => [{ path: where, type: 'sentence_transformers.models.Pooling' }];
    refuses('a layer more', /modules\.json: module '.*Dense' is not supported/, modules([{ path: '2_Dense', type: 'sentence_transformers.models.Dense' }]));
    for (const where of ['../x', '/etc', 'a/b', '']) refuses(`pooling at ${where}`, /"path" of the pooling/, modules(at(where)));
    refuses('no pooling there', /1_Pooling\/config\.json: No such file/, modules(at('1_Pooling')));
    refuses('two poolings', /2 poolings are true/, modules(at('1_Pooling'), { pooling_mode_cls_token: true, pooling_mode_mean_tokens: true }));
    refuses('the greatest', /"pooling_mode_max_tokens" is not supported/, modules(at('1_Pooling'), { pooling_mode_max_tokens: true }));
    refuses('an object', /modules\.json: it is not a JSON list/, modules({}));
});

test('tokenizers that lie, or are of other kinds', () => {
    const bend = (change) => (m, t) => void change(t, t.model, m);
    refuses('none', /tokenizer\.json: No such file/, (m) => void (m.tokenizer = null));
    refuses('an id twice', /id 5 belongs to two tokens/, bend((t, model) => (model.vocab.again = 5)));
    refuses('an id too large', /tokenizer\.json: token "far": its id 20 is not below "vocab_size"/, bend((t, model) => (model.vocab.far = 20)));
    refuses('a negative id', /token "far": its id -1/, bend((t, model) => (model.vocab.far = -1)));
    refuses('an id that is text', /token "far": its id is no whole number/, bend((t, model) => (model.vocab.far = '7')));
    refuses('an empty token', /it is empty/, bend((t, model) => { delete model.vocab['日']; model.vocab[''] = 19; }));
    refuses('a token of 5000 bytes', /4096/, bend((t, model) => { delete model.vocab['日']; model.vocab['x'.repeat(5000)] = 19; }));
    refuses('an added token of another id', /id 5 belongs to two tokens/, bend((t) => t.added_tokens.push({ id: 5, content: 'other' })));
    refuses('an added token without id', /"added_tokens": entry 5/, bend((t) => t.added_tokens.push({ content: 'other' })));
    refuses('no model', /"vocab" is not an object|"model" is not an object/, bend((t) => (t.model = 3)));
    refuses('another kind', /type 'WordLevel' is not supported/, bend((t, model) => (model.type = 'WordLevel')));
    refuses('another mark', /"continuing_subword_prefix"/, bend((t, model) => (model.continuing_subword_prefix = '@@')));
    refuses('another normalizer', /"normalizer": 'NFKC'/, bend((t) => (t.normalizer = { type: 'NFKC' })));
    refuses('a bent normalizer', /"clean_text"/, bend((t) => (t.normalizer.clean_text = false)));
    refuses('no normalizer', /"normalizer" is missing/, bend((t) => (t.normalizer = null)));
    refuses('another cut', /"pre_tokenizer": 'Whitespace'/, bend((t) => (t.pre_tokenizer = { type: 'Whitespace' })));
    refuses('no cut', /needs one BertPreTokenizer/, bend((t) => (t.pre_tokenizer = null)));
    refuses('a cut without end', /at most 16 steps/, bend((t) => (t.pre_tokenizer = { type: 'Sequence', pretokenizers: Array(17).fill({ type: 'BertPreTokenizer' }) })));
    refuses('two tokens before', /"post_processor"/, bend((t) => t.post_processor.single.unshift(t.post_processor.single[0])));
    refuses('no text', /"single" has 0 texts/, bend((t) => (t.post_processor.single = [])));
    refuses('a token that is not there', /not in the vocabulary/, bend((t) => (t.post_processor.special_tokens['[CLS]'].ids = [99])));
    refuses('another end', /"post_processor": 'Other'/, bend((t) => (t.post_processor.type = 'Other')));
    const roberta = { family: 'roberta' }, xlm = { family: 'xlm-roberta' };
    refuses('half a merge', /"merges": entry 6/, bend((t, model) => model.merges.push('half')), roberta);
    refuses('three in a merge', /"merges": entry 6/, bend((t, model) => model.merges.push('a b c')), roberta);
    refuses('a merge of numbers', /"merges": entry 6/, bend((t, model) => model.merges.push([1, 2])), roberta);
    refuses('no merges', /"merges" is not a list/, bend((t, model) => (model.merges = {})), roberta);
    refuses('another expression', /"use_regex"/, bend((t) => (t.pre_tokenizer.use_regex = false)), roberta);
    refuses('a score of text', /"vocab": entry 4/, bend((t, model) => (model.vocab[4][1] = 'x')), xlm);
    refuses('a score too large', /its score/, bend((t, model) => (model.vocab[4][1] = 1e300)), xlm);
    refuses('a table that is no base64', /"precompiled_charsmap" is not base64/, bend((t) => (t.normalizer.normalizers[0].precompiled_charsmap = 'a b=')), xlm);
    refuses('pieces too many', /its id 13 is not below/, bend((t, model) => model.vocab.push(['more', 0])), xlm);
    refuses('65 MB', /tokenizer\.json: .* more than/, (m) => void (m.tokenizer = ' '.repeat(65 << 20)));
    refuses('depth', /tokenizer\.json: line 1/, (m) => void (m.tokenizer = '{"a":'.repeat(4000)));
    refuses('bytes that are no UTF-8', /tokenizer\.json: line 1/, (m) => void (m.tokenizer = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])));
});

test('the command line', () => {
    write(file('fine'), folder('bert'));
    assertFails(mote(['convert', 'fine']), 2, /-o is needed/);
    assertFails(mote(['convert', 'fine', '-o', 'x.gguf', '--type', 'Q4_0']), 2, /none of F32, F16, Q8_0/);
    assertFails(mote(['convert', 'fine', '-o', 'x.gguf', '--pooling', 'max']), 2, /none of mean, cls, last, none/);
    assertFails(mote(['convert', 'fine', '-o', 'x.gguf', '--tokenizer', 'tiny.tok']), 2, /brings its tokenizer/);
    assertFails(mote(['convert', 'tiny.bin', '-o', 'x.gguf', '--tokenizer', 'tiny.tok', '--type', 'F32']), 2, /for folders/);
    assertFails(mote(['convert', 'fine', '-o', 'no/such/place.gguf']), 1, /no\/such\/place\.gguf/);
    const quiet = mote(['convert', 'fine', '-q', '-o', 'x.gguf']);
    assert.deepEqual([quiet.code, quiet.stderr], [0, '']);
    assert.match(mote(['convert', 'fine/.', '-o', 'x.gguf']).stderr, /100%/);
    assert.equal(readGguf(file('x.gguf')).keys['general.name'], 'fine');
});

// ---- the catalogue ----

/** An entry whose only source is a folder on a server of our own. */
async function served(here, model, change = (source) => source) {
    const files = { '/config.json': Buffer.from(JSON.stringify(model.config)), '/w.safetensors': safetensors(model.tensors), '/tokenizer.json': Buffer.from(JSON.stringify(model.tokenizer)) };
    const url = await serve((request, response) => (files[request.url] ? sendFile(request, response, files[request.url]) : response.writeHead(404).end()));
    const from = (name) => ({ from: url + name, sha256: sha256(files[name]) });
    const source = { convert: 'huggingface', type: 'Q8_0', pooling: 'cls', files: { 'config.json': from('/config.json'), 'model.safetensors': from('/w.safetensors'), 'tokenizer.json': from('/tokenizer.json') } };
    return (expected) => here.catalogue(entry([change(source, from)], expected));
}

test('pull makes a model of a folder, with a head, the same each time, and leaves nothing beside it', async () => {
    const here = place(), model = folder('bert', { dtype: 'F16' });
    const weights = Float32Array.from({ length: D + 1 }, (_, i) => (i - 7.5) / 64);
    const head = { labels: ['bad', 'good'], weights: Buffer.from(weights.buffer).toString('base64') };
    const set = await served(here, model, (source) => ({ ...source, head }));
    set({ bytes: undefined, sha256: undefined });
    const first = await here.run(['pull', 'toy']);
    assert.equal(first.code, 0, first.stderr);
    assert.deepEqual(here.kept(), ['toy.gguf']);
    const bytes = fs.readFileSync(first.stdout.trim()), { keys, tensors } = readGguf(first.stdout.trim());
    assert.equal(keys['general.name'], 'toy');
    assert.equal(keys['bert.pooling_type'], 2);
    assert.equal(keys['mote.head.normalize'], true);
    assert.deepEqual(keys['bert.classifier.output_labels'], ['bad', 'good']);
    assert.deepEqual(tensors['cls.output.weight'].values, [-0.5, 0.5].flatMap((f) => [...weights.subarray(0, D)].map((w) => Math.fround(w * f))));
    assert.deepEqual(tensors['cls.output.bias'].values, [-weights[D] / 2, weights[D] / 2]);

    set({ bytes: bytes.length, sha256: sha256(bytes) }); // smaller than what it is made of
    const again = await here.run(['pull', 'toy', '--force']);
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(fs.readFileSync(again.stdout.trim()), bytes);

    set({ bytes: bytes.length, sha256: sha256(Buffer.from('other')) });
    const wrong = await here.run(['pull', 'toy', '--force']);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /sha256/);
    assert.deepEqual(here.kept(), ['toy.gguf']);
});

test('pull of a folder that cannot be one: said, and nothing is left', async () => {
    const here = place();
    const cases = [
        [/could not be converted/, (source) => ({ ...source, head: { labels: ['a', 'b'], weights: 'AAAA' } })],
        [/could not be converted/, (source) => ({ ...source, type: 'F32 F16' })],
        [/tokenizer\.json: No such file/, (source) => ({ ...source, files: { 'config.json': source.files['config.json'], 'model.safetensors': source.files['model.safetensors'] } })],
        [/sha256/, (source) => ({ ...source, files: { ...source.files, 'config.json': { ...source.files['config.json'], sha256: sha256(Buffer.from('x')) } } })],
        [/"files" has a name that is not plain/, (source) => ({ ...source, files: { '../config.json': source.files['config.json'] } })],
        [/"files" is not an object/, (source) => ({ ...source, files: [] })],
        [/"labels"/, (source) => ({ ...source, head: { weights: 'AAAA' } })],
        [/not base64/, (source) => ({ ...source, head: { labels: ['a'], weights: 'A' } })],
        [/"type" or "pooling"/, (source) => ({ ...source, pooling: 7 })],
    ];
    for (const [text, change] of cases) {
        const set = await served(here, folder('bert'), change);
        set({ bytes: undefined, sha256: undefined });
        const result = await here.run(['pull', 'toy']);
        assert.equal(result.code, 1, `${text}: ${result.stderr}`);
        assert.match(result.stderr, text);
        assert.deepEqual(here.kept(), [], String(text));
    }
});
