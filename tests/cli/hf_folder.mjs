// SPDX-License-Identifier: Apache-2.0
//
// Small encoders with random weights in Hugging Face folders, of every family that `mote convert` takes, and a
// reader of what it makes of them. A folder is first an object that a test may bend, then files:
//
//     {config, tensors: {name: {shape, values, dtype}}, tokenizer, files: {name: text}}

import fs from 'node:fs';
import path from 'node:path';

// ---- numbers ----

/** A generator of numbers in [-1, 1) that halves and bfloat16 hold exactly: multiples of 1/64. */
export function generator(seed) {
    return () => {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
        return Math.floor((seed / 2 ** 32) * 128 - 64) / 64;
    };
}

/** A number as half precision; for multiples of 1/64 below 2 in size no rounding is needed. */
export function half(x) {
    if (x === 0) return 0;
    const exponent = Math.floor(Math.log2(Math.abs(x)));
    const mantissa = (Math.abs(x) / 2 ** exponent - 1) * 1024;
    return ((x < 0 ? 1 : 0) << 15) | ((exponent + 15) << 10) | mantissa;
}

function encode({ values, dtype }) {
    if (dtype === 'F32') return Buffer.from(Float32Array.from(values).buffer);
    if (dtype === 'F16') return Buffer.from(Uint16Array.from(values, half).buffer);
    if (dtype === 'I64') return Buffer.from(BigInt64Array.from(values, (v) => BigInt(Math.trunc(v))).buffer);
    const wide = Buffer.from(Float32Array.from(values).buffer);
    return Buffer.concat(Array.from(values, (_, i) => wide.subarray(4 * i + 2, 4 * i + 4))); // BF16
}

// ---- tokenizers ----

const added = (ids) =>
    Object.entries(ids).map(([content, id]) => ({ id, content, special: true, lstrip: content === '<mask>', rstrip: false, normalized: false, single_word: false }));
const around = (first, last, ids) => ({
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: first, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: last, type_id: 0 } }],
    pair: [],
    special_tokens: Object.fromEntries([first, last].map((t) => [t, { id: t, ids: [ids[t]], tokens: [t] }])),
});

export function wordpiece() {
    const ids = { '[PAD]': 0, '[UNK]': 1, '[CLS]': 2, '[SEP]': 3, '[MASK]': 4 };
    const words = ['hello', 'world', '##s', '##ing', 'mote', 'a', 'b', 'c', '##a', '##b', '##c', '!', '.', 'é', '日'];
    const vocab = { ...ids };
    words.forEach((word, i) => (vocab[word] = 5 + i));
    return {
        version: '1.0',
        added_tokens: added(ids),
        normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
        pre_tokenizer: { type: 'BertPreTokenizer' },
        post_processor: around('[CLS]', '[SEP]', ids),
        model: { type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', vocab },
    };
}

/** Byte-level BPE: all bytes as letters, and a few merges. */
export function bytes() {
    const ids = { '<s>': 0, '<pad>': 1, '</s>': 2, '<unk>': 3 };
    const vocab = { ...ids };
    const plain = (b) => (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xff && b !== 0xad);
    let extra = 0x100;
    for (let b = 0; b < 256; b++) vocab[String.fromCodePoint(plain(b) ? b : extra++)] = 4 + b;
    const merges = ['h e', 'l l', 'he ll', 'hell o', 'Ġ w', 'Ġw o'];
    merges.forEach((merge, i) => (vocab[merge.replace(' ', '')] = 260 + i));
    vocab['<mask>'] = 266;
    return {
        added_tokens: added({ ...ids, '<mask>': 266 }),
        normalizer: null,
        pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true },
        post_processor: { type: 'RobertaProcessing', sep: ['</s>', 2], cls: ['<s>', 0], trim_offsets: true, add_prefix_space: false },
        model: { type: 'BPE', vocab, merges },
    };
}

/** The same as ModernBERT has it: its special tokens, NFC, and an entry for two spaces. */
export function modern() {
    const tokenizer = bytes(), ids = { '[CLS]': 0, '[PAD]': 1, '[SEP]': 2, '[UNK]': 3 };
    const { '<s>': a, '<pad>': b, '</s>': c, '<unk>': d, '<mask>': mask, ...rest } = tokenizer.model.vocab;
    tokenizer.model.vocab = { ...ids, ...rest, '[MASK]': mask };
    const [, ...marked] = added({ x: 0, ...ids, '[MASK]': mask });
    marked.at(-1).lstrip = true;
    tokenizer.added_tokens = [...marked, { id: 267, content: '  ', special: false, lstrip: false, rstrip: false, normalized: true, single_word: false }];
    tokenizer.normalizer = { type: 'NFC' };
    tokenizer.post_processor = around('[CLS]', '[SEP]', ids);
    return tokenizer;
}

/** A table of replacements without any: the size of a trie in bytes, its 256 units, the texts behind. */
export const charsmap = Buffer.concat([Buffer.from(Uint32Array.of(1024).buffer), Buffer.alloc(1024), Buffer.from('A\0')]);

export function unigram() {
    const ids = { '<s>': 0, '<pad>': 1, '</s>': 2, '<unk>': 3 };
    const vocab = [...Object.keys(ids).map((t) => [t, 0]), ['▁', -3.5], ['▁hello', -5.25], ['▁world', -6], ['s', -4], ['h', -7], ['e', -7.5], ['l', -8], ['o', -8.5], ['<mask>', 0]];
    return {
        added_tokens: added({ ...ids, '<mask>': 12 }),
        normalizer: { type: 'Sequence', normalizers: [{ type: 'Precompiled', precompiled_charsmap: charsmap.toString('base64') }] },
        pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, { type: 'Metaspace', replacement: '▁', add_prefix_space: true }] },
        post_processor: around('<s>', '</s>', ids),
        model: { type: 'Unigram', unk_id: 3, vocab },
    };
}

// ---- families ----

const D = 32, F = 64, LAYERS = 2, HEADS = 4, MODERN_LAYERS = 5;
export const shape = { D, F, LAYERS, HEADS, MODERN_LAYERS };

function bertTensors(add, prefix, { vocab, positions, types }) {
    add(`${prefix}embeddings.word_embeddings.weight`, vocab, D);
    add(`${prefix}embeddings.position_embeddings.weight`, positions, D);
    if (types) add(`${prefix}embeddings.token_type_embeddings.weight`, types, D);
    add.norm(`${prefix}embeddings.LayerNorm`);
    for (let i = 0; i < LAYERS; i++) {
        const layer = `${prefix}encoder.layer.${i}.`;
        for (const name of ['self.query', 'self.key', 'self.value', 'output.dense']) add.linear(`${layer}attention.${name}`, D, D);
        add.norm(`${layer}attention.output.LayerNorm`);
        add.linear(`${layer}intermediate.dense`, F, D);
        add.linear(`${layer}output.dense`, D, F);
        add.norm(`${layer}output.LayerNorm`);
    }
}

function distilbertTensors(add, prefix, { vocab, positions }) {
    add(`${prefix}embeddings.word_embeddings.weight`, vocab, D);
    add(`${prefix}embeddings.position_embeddings.weight`, positions, D);
    add.norm(`${prefix}embeddings.LayerNorm`);
    for (let i = 0; i < LAYERS; i++) {
        const layer = `${prefix}transformer.layer.${i}.`;
        for (const name of ['q_lin', 'k_lin', 'v_lin', 'out_lin']) add.linear(`${layer}attention.${name}`, D, D);
        add.norm(`${layer}sa_layer_norm`);
        add.linear(`${layer}ffn.lin1`, F, D);
        add.linear(`${layer}ffn.lin2`, D, F);
        add.norm(`${layer}output_layer_norm`);
    }
}

function nomicTensors(add, { vocab, types }) {
    add('embeddings.word_embeddings.weight', vocab, D);
    add('embeddings.token_type_embeddings.weight', types, D);
    add.norm('emb_ln');
    for (let i = 0; i < LAYERS; i++) {
        const layer = `encoder.layers.${i}.`;
        add(`${layer}attn.Wqkv.weight`, 3 * D, D);
        add(`${layer}attn.out_proj.weight`, D, D);
        add.norm(`${layer}norm1`);
        add(`${layer}mlp.fc11.weight`, F, D);
        add(`${layer}mlp.fc12.weight`, F, D);
        add(`${layer}mlp.fc2.weight`, D, F);
        add.norm(`${layer}norm2`);
    }
}

function modernTensors(add, prefix, { vocab }) {
    const norm = (name) => add(`${prefix}${name}.weight`, D);
    add(`${prefix}embeddings.tok_embeddings.weight`, vocab, D);
    norm('embeddings.norm');
    for (let i = 0; i < MODERN_LAYERS; i++) {
        if (i) norm(`layers.${i}.attn_norm`);
        add(`${prefix}layers.${i}.attn.Wqkv.weight`, 3 * D, D);
        add(`${prefix}layers.${i}.attn.Wo.weight`, D, D);
        norm(`layers.${i}.mlp_norm`);
        add(`${prefix}layers.${i}.mlp.Wi.weight`, 2 * F, D);
        add(`${prefix}layers.${i}.mlp.Wo.weight`, D, F);
    }
    norm('final_norm');
}

/** A folder of a family: bert, distilbert, roberta, xlm-roberta, nomic_bert, modernbert; head: undefined, 'text' or 'token'. */
export function folder(family, { head, labels = ['no', 'maybe', 'yes'], dtype = 'F32', seed = 1 } = {}) {
    const random = generator(seed);
    const tensors = {};
    const add = (name, ...sizes) => {
        const n = sizes.reduce((a, b) => a * b, 1);
        tensors[name] = { shape: sizes, dtype, values: Array.from({ length: n }, random) };
    };
    add.linear = (name, rows, columns) => (add(`${name}.weight`, rows, columns), add(`${name}.bias`, rows));
    add.norm = (name) => (add(`${name}.weight`, D), add(`${name}.bias`, D));
    const tokenizer = family === 'roberta' ? bytes() : family === 'modernbert' ? modern() : family === 'xlm-roberta' ? unigram() : wordpiece();
    const vocab = family === 'roberta' ? 267 : family === 'modernbert' ? 268 : family === 'xlm-roberta' ? 13 : 20;
    const prefix = head ? { bert: 'bert.', distilbert: 'distilbert.', roberta: 'roberta.', 'xlm-roberta': 'roberta.', modernbert: 'model.' }[family] : '';
    const like = { bert: 'Bert', distilbert: 'DistilBert', roberta: 'Roberta', 'xlm-roberta': 'XLMRoberta', nomic_bert: 'NomicBert', modernbert: 'ModernBert' }[family];
    const config = {
        model_type: family,
        architectures: [like + (head === 'text' ? 'ForSequenceClassification' : head === 'token' ? 'ForTokenClassification' : 'Model')],
        vocab_size: vocab,
    };
    if (head) config.id2label = Object.fromEntries(labels.map((label, i) => [i, label]));
    if (family === 'distilbert') {
        Object.assign(config, { dim: D, n_layers: LAYERS, n_heads: HEADS, hidden_dim: F, max_position_embeddings: 24, activation: 'gelu' });
        distilbertTensors(add, prefix, { vocab, positions: 24 });
    } else if (family === 'nomic_bert') {
        Object.assign(config, { n_embd: D, n_layer: LAYERS, n_head: HEADS, n_inner: F, n_positions: 8192, layer_norm_epsilon: 1e-12, type_vocab_size: 2, activation_function: 'swiglu', rotary_emb_base: 1000, rotary_emb_fraction: 1.0, qkv_proj_bias: false, prenorm: false, causal: false, rotary_emb_scale_base: null });
        nomicTensors(add, { vocab, types: 2 });
    } else if (family === 'modernbert') {
        Object.assign(config, { hidden_size: D, num_hidden_layers: MODERN_LAYERS, num_attention_heads: HEADS, intermediate_size: F, max_position_embeddings: 512, norm_eps: 1e-5, hidden_activation: 'gelu', local_attention: 16, global_attn_every_n_layers: 3, global_rope_theta: 160000, local_rope_theta: 10000, norm_bias: false, attention_bias: false, mlp_bias: false, classifier_pooling: 'mean' });
        modernTensors(add, prefix, { vocab });
        if (head) {
            add('head.dense.weight', D, D);
            add('head.norm.weight', D);
            add.linear('classifier', labels.length, D);
        }
        return { config, tensors, tokenizer, files: {} };
    } else {
        const is = family === 'bert';
        Object.assign(config, { hidden_size: D, num_hidden_layers: LAYERS, num_attention_heads: HEADS, intermediate_size: F, max_position_embeddings: is ? 24 : 26, type_vocab_size: is ? 2 : 1, hidden_act: 'gelu', layer_norm_eps: 1e-5, position_embedding_type: 'absolute', pad_token_id: is ? 0 : 1 });
        bertTensors(add, prefix, { vocab, positions: is ? 24 : 26, types: is ? 2 : 1 });
        if (!head) add.linear('pooler.dense', D, D);
    }
    if (head === 'token') add.linear('classifier', labels.length, D);
    if (head === 'text' && family === 'bert') add.linear('bert.pooler.dense', D, D);
    if (head === 'text' && family === 'distilbert') add.linear('pre_classifier', D, D);
    if (head === 'text' && family.endsWith('roberta')) {
        add.linear('classifier.dense', D, D);
        add.linear('classifier.out_proj', labels.length, D);
    } else if (head === 'text') {
        add.linear('classifier', labels.length, D);
    }
    return { config, tensors, tokenizer, files: {} };
}

// ---- files ----

/** A safetensors file; change may bend the header before it is written. */
export function safetensors(tensors, change = (header) => header) {
    const header = { __metadata__: { format: 'pt' } };
    const parts = [];
    let at = 0;
    for (const [name, tensor] of Object.entries(tensors)) {
        const data = encode(tensor);
        header[name] = { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [at, at + data.length] };
        at += data.length;
        parts.push(data);
    }
    const changed = change(header);
    const text = Buffer.from(typeof changed === 'string' ? changed : JSON.stringify(changed));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    return Buffer.concat([size, text, ...parts]);
}

/** Writes a folder; weights: the bytes of model.safetensors, null: none. */
export function write(dir, { config, tensors, tokenizer, files }, weights = safetensors(tensors)) {
    const text = (value) => (typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value));
    fs.rmSync(dir, { recursive: true, force: true });
    fs.mkdirSync(dir, { recursive: true });
    const all = { 'config.json': config, 'tokenizer.json': tokenizer, 'model.safetensors': weights, ...files };
    for (const [name, value] of Object.entries(all)) {
        if (value === null || value === undefined) continue;
        fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
        fs.writeFileSync(path.join(dir, name), text(value));
    }
}

// ---- GGUF ----

/** {keys, tensors: {name: {dims, type, bytes}}} of a GGUF file; dims as written, columns first. */
export function readGguf(file) {
    const bytes = fs.readFileSync(file);
    let at = 4;
    const u32 = () => bytes.readUInt32LE((at += 4) - 4);
    const u64 = () => Number(bytes.readBigUInt64LE((at += 8) - 8));
    const string = () => {
        const n = u64();
        return bytes.toString('utf8', at, (at += n));
    };
    const value = (type) => {
        if (type === 0) return bytes[at++];
        if (type === 4) return u32();
        if (type === 5) return bytes.readInt32LE((at += 4) - 4);
        if (type === 6) return bytes.readFloatLE((at += 4) - 4);
        if (type === 7) return bytes[at++] === 1;
        if (type === 8) return string();
        if (type !== 9) throw new Error(`type ${type}`);
        const element = u32();
        return Array.from({ length: u64() }, () => value(element));
    };
    u32();
    const nTensors = u64(), nKeys = u64();
    const keys = {}, tensors = {};
    for (let i = 0; i < nKeys; i++) {
        const name = string();
        keys[name] = value(u32());
    }
    for (let i = 0; i < nTensors; i++) {
        const name = string();
        const dims = Array.from({ length: u32() }, u64);
        tensors[name] = { dims, type: u32(), offset: u64() };
    }
    const data = Math.ceil(at / 32) * 32;
    for (const tensor of Object.values(tensors)) {
        const n = tensor.dims.reduce((a, b) => a * b, 1);
        const size = { 0: 4 * n, 1: 2 * n, 8: (n / 32) * 34 }[tensor.type];
        tensor.bytes = bytes.subarray(data + tensor.offset, data + tensor.offset + size);
        if (tensor.type === 0) tensor.values = Array.from({ length: n }, (_, k) => tensor.bytes.readFloatLE(4 * k));
    }
    return { keys, tensors, end: bytes.length };
}
