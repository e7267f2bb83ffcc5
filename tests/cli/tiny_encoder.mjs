// SPDX-License-Identifier: Apache-2.0
//
// Encoders with random weights as GGUF files, for tests: BERT of a few layers with a WordPiece vocabulary of
// letters, digits, punctuation and some words, and, when asked for, a head:
//
//     encoder()                                        embeddings, mean pooling, F32
//     encoder({ type: 'Q8_0' })                        the same weights in blocks of 32
//     encoder({ labels: ['bad', 'good'] })             judges texts;  dense: true puts a layer before the labels
//     encoder({ labels: ['O', 'B-LOC', …], tokens: true })   judges tokens
//     encoder({ pooling: 'cls', types: 0 })            as DistilBERT, without segments
//
// The same options make the same bytes.

const POOLING = { none: 0, mean: 1, cls: 2, last: 3 };
const WORDS = ('the a of to in is was for on that with his her it he she they this rain house water day night good bad ' +
    'great film story paris london berlin john mary lives works old new small big red blue dog cat sun moon').split(' ');
const PARTS = ['s', 'ed', 'ing', 'er', 'ly', 'tion'];

/** The vocabulary as such files have it: what begins a word has ▁ before it, what continues one has not. */
export const vocabulary = (() => {
    const signs = [...'abcdefghijklmnopqrstuvwxyz0123456789', ...'!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~', 'é', 'ß', 'я', '日'];
    const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
    const words = WORDS.filter((word) => word.length > 1);
    return [...special, ...[...signs, ...words].map((word) => `▁${word}`), ...signs, ...PARTS.filter((part) => part.length > 1)];
})();

/** Numbers in [-1, 1) that are always the same. */
function randomly(seed) {
    let state = seed >>> 0;
    return () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 31 - 1;
    };
}

/** Bytes one after another. */
class Bytes {
    parts = [];
    n = 0;
    put(buffer) {
        this.parts.push(buffer);
        this.n += buffer.length;
    }
    u32(value) {
        const b = Buffer.alloc(4);
        b.writeUInt32LE(value);
        this.put(b);
    }
    u64(value) {
        const b = Buffer.alloc(8);
        b.writeBigUInt64LE(BigInt(value));
        this.put(b);
    }
    string(text) {
        const b = Buffer.from(text);
        this.u64(b.length);
        this.put(b);
    }
    align(to) {
        this.put(Buffer.alloc((to - (this.n % to)) % to));
    }
}

const U32 = 4, I32 = 5, F32 = 6, BOOL = 7, STRING = 8, ARRAY = 9;

/** Writes a value of metadata. */
function putValue(out, type, value) {
    if (type === STRING) out.string(value);
    else if (type === BOOL) out.put(Buffer.of(value ? 1 : 0));
    else if (type === F32) out.put(Buffer.from(Float32Array.of(value).buffer));
    else if (type === I32) out.put(Buffer.from(Int32Array.of(value).buffer));
    else out.u32(value);
}

/** A GGUF file: keys [name, type, value] or [name, ARRAY, element type, values]; tensors { name, dims, type, bytes }. */
export function gguf(keys, tensors) {
    const out = new Bytes();
    out.put(Buffer.from('GGUF'));
    out.u32(3);
    out.u64(tensors.length);
    out.u64(keys.length);
    for (const [name, type, ...value] of keys) {
        out.string(name);
        out.u32(type);
        if (type === ARRAY) {
            const [element, values] = value;
            out.u32(element);
            out.u64(values.length);
            for (const each of values) putValue(out, element, each);
        } else putValue(out, type, value[0]);
    }
    let offset = 0;
    for (const tensor of tensors) {
        out.string(tensor.name);
        out.u32(tensor.dims.length);
        for (const dim of tensor.dims) out.u64(dim);
        out.u32(tensor.type);
        out.u64(offset);
        offset += Math.ceil(tensor.bytes.length / 32) * 32;
    }
    out.align(32);
    for (const tensor of tensors) {
        out.put(tensor.bytes);
        out.align(32);
    }
    return Buffer.concat(out.parts);
}

/** The half float nearest to x, for the scales of blocks: x in the range of normal halves, or 0. */
function half(x) {
    if (x === 0) return 0;
    const exponent = Math.floor(Math.log2(x));
    const mantissa = Math.round((x / 2 ** exponent - 1) * 1024);
    return ((exponent + 15) << 10) + mantissa; // a mantissa of 1024 carries into the exponent, as it should
}

/** Q8_0: for each 32 values a half float d and 32 bytes q, value = d q. */
function q8(values) {
    const out = Buffer.alloc((values.length / 32) * 34);
    for (let at = 0, to = 0; at < values.length; at += 32, to += 34) {
        const block = values.subarray(at, at + 32);
        const d = block.reduce((most, x) => Math.max(most, Math.abs(x)), 0) / 127;
        out.writeUInt16LE(half(d), to);
        block.forEach((x, i) => out.writeInt8(d ? Math.max(-127, Math.min(127, Math.round(x / d))) : 0, to + 2 + i));
    }
    return out;
}

export function encoder({ dim = 32, ffn = 64, layers = 2, heads = 4, context = 64, types = 2, pooling = 'mean', type = 'F32',
    labels = [], tokens = false, dense = false, many = false, activation, normalize, seed = 1 } = {}) {
    const random = randomly(seed);
    const V = vocabulary.length;
    const tensors = [];
    const put = (name, dims, values, kind = 'F32') => tensors.push({
        name,
        dims,
        type: kind === 'Q8_0' ? 8 : 0,
        bytes: kind === 'Q8_0' ? q8(values) : Buffer.from(values.buffer),
    });
    const matrix = (name, n_in, n_out, scale = 2 / Math.sqrt(n_in)) =>
        put(name, [n_in, n_out], Float32Array.from({ length: n_in * n_out }, () => scale * random()), type);
    const vector = (name, n, centre, spread) => put(name, [n], Float32Array.from({ length: n }, () => centre + spread * random()));
    const linear = (name, n_in, n_out) => {
        matrix(`${name}.weight`, n_in, n_out);
        vector(`${name}.bias`, n_out, 0, 0.1);
    };
    const norm = (name) => {
        vector(`${name}.weight`, dim, 1, 0.1);
        vector(`${name}.bias`, dim, 0, 0.1);
    };
    const table = (name, n) => put(name, [dim, n], Float32Array.from({ length: dim * n }, random));

    matrix('token_embd.weight', dim, V, 1);
    table('position_embd.weight', context);
    if (types) table('token_types.weight', types);
    norm('token_embd_norm');
    for (let i = 0; i < layers; i++) {
        for (const part of ['attn_q', 'attn_k', 'attn_v', 'attn_output']) linear(`blk.${i}.${part}`, dim, dim);
        norm(`blk.${i}.attn_output_norm`);
        linear(`blk.${i}.ffn_up`, dim, ffn);
        linear(`blk.${i}.ffn_down`, ffn, dim);
        norm(`blk.${i}.layer_output_norm`);
    }
    if (labels.length) {
        if (dense) linear('cls', dim, dim);
        linear('cls.output', dim, labels.length);
    }

    const keys = [
        ['general.architecture', STRING, 'bert'],
        ['general.name', STRING, 'a small encoder'],
        ['bert.block_count', U32, layers],
        ['bert.context_length', U32, context],
        ['bert.embedding_length', U32, dim],
        ['bert.feed_forward_length', U32, ffn],
        ['bert.attention.head_count', U32, heads],
        ['bert.attention.layer_norm_epsilon', F32, 1e-12],
        ['bert.attention.causal', BOOL, false],
        ['bert.pooling_type', U32, POOLING[pooling]],
        ['tokenizer.ggml.model', STRING, 'bert'],
        ['tokenizer.ggml.pre', STRING, 'default'],
        ['tokenizer.ggml.tokens', ARRAY, STRING, vocabulary],
        ['tokenizer.ggml.token_type', ARRAY, I32, vocabulary.map((_, i) => (i < 5 ? (i === 1 ? 2 : 3) : 1))],
        ['tokenizer.ggml.token_type_count', U32, types || 1],
        ['tokenizer.ggml.padding_token_id', U32, 0],
        ['tokenizer.ggml.unknown_token_id', U32, 1],
        ['tokenizer.ggml.cls_token_id', U32, 2],
        ['tokenizer.ggml.seperator_token_id', U32, 3],
        ['tokenizer.ggml.mask_token_id', U32, 4],
    ];
    if (labels.length) keys.push(['bert.classifier.output_labels', ARRAY, STRING, labels]);
    if (activation) keys.push(['mote.head.activation', STRING, activation]);
    if (normalize) keys.push(['mote.head.normalize', BOOL, true]);
    if (tokens) keys.push(['mote.head.tokens', BOOL, true]);
    if (many) keys.push(['mote.head.many_labels', BOOL, true]);
    return gguf(keys, tensors);
}
