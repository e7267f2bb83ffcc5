// SPDX-License-Identifier: Apache-2.0
//
// tokens.mjs: what the test of the tokenizers needs: files that hold a vocabulary and nothing else, made from a
// tokenizer.json; a megabyte of text in many scripts; and running tests/golden/tokens over it.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { root, scratch, shared } from './peer.mjs';

export const ADD = 1, PARSE = 2; // flags of mote_tokenize

// ---- GGUF ----

const U32 = 4, I32 = 5, F32 = 6, BOOL = 7, STRING = 8, ARRAY = 9, U8 = 0;

function u32(...values) {
    return Buffer.from(new Uint32Array(values).buffer);
}
function u64(value) {
    return Buffer.from(new BigUint64Array([BigInt(value)]).buffer);
}
function string(text) {
    const bytes = Buffer.from(text);
    return Buffer.concat([u64(bytes.length), bytes]);
}
function array(type, n, bytes) {
    return [ARRAY, Buffer.concat([u32(type), u64(n), bytes])];
}
const text = (value) => [STRING, string(value)];
const id = (value) => [U32, u32(value)];
const flag = (value) => [BOOL, Buffer.from([value ? 1 : 0])];
const strings = (list) => array(STRING, list.length, Buffer.concat(list.map(string)));

/** Writes a file without tensors; entries are [key, [type, bytes]]. */
function write(name, entries) {
    const path = join(scratch, name);
    const parts = [Buffer.from('GGUF'), u32(3), u64(0), u64(entries.length)];
    for (const [key, [type, bytes]] of entries) parts.push(string(key), u32(type), bytes);
    writeFileSync(path, Buffer.concat(parts));
    return path;
}

const NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4, BYTE = 6;

/** A vocabulary file from a tokenizer.json, as text. `more` are further keys of tokenizer.ggml, as written by
 *  the functions of `key`. */
export const key = { text, id, flag };
export function vocabulary(name, json, more = {}) {
    const { model, added_tokens: added, normalizer } = JSON.parse(json);
    const kind = { WordPiece: 'bert', BPE: 'gpt2', Unigram: 't5' }[model.type];
    const tokens = [], scores = [], types = [];
    const entries = kind === 't5' ? model.vocab.map(([token], i) => [token, i]) : Object.entries(model.vocab);
    for (const [token, i] of entries) {
        tokens[i] = token;
        scores[i] = kind === 't5' ? model.vocab[i][1] : 0;
        types[i] = model.byte_fallback && /^<0x[0-9A-F]{2}>$/.test(token) ? BYTE : NORMAL;
        // word starts are marked, not what continues a word
        if (kind === 'bert') tokens[i] = token.startsWith('##') ? token.slice(2) : `▁${token}`;
    }
    for (const { id: i, content, special } of added) {
        tokens[i] = content;
        scores[i] ??= 0;
        types[i] = special ? CONTROL : USER_DEFINED;
    }
    if (model.unk_id !== undefined) types[model.unk_id] = UNKNOWN;
    const list = [
        ['general.architecture', text('none')],
        ['tokenizer.ggml.model', text(kind)],
        ['tokenizer.ggml.tokens', strings(tokens)],
        ['tokenizer.ggml.scores', array(F32, scores.length, Buffer.from(new Float32Array(scores).buffer))],
        ['tokenizer.ggml.token_type', array(I32, types.length, Buffer.from(new Int32Array(types).buffer))],
    ];
    if (kind === 'gpt2')
        list.push(['tokenizer.ggml.merges', strings(model.merges.map((m) => (Array.isArray(m) ? m.join(' ') : m)))]);
    const map = [normalizer, ...(normalizer?.normalizers ?? [])].find((n) => n?.type === 'Precompiled');
    if (map) {
        const bytes = Buffer.from(map.precompiled_charsmap, 'base64');
        list.push(['tokenizer.ggml.precompiled_charsmap', array(U8, bytes.length, bytes)]);
    }
    for (const [rest, value] of Object.entries(more)) list.push([`tokenizer.ggml.${rest}`, value]);
    return write(name, list);
}

// ---- mote ----

/** Texts as programs take them. */
export const framed = (texts) => Buffer.concat(texts.map((t) => Buffer.from(t)).flatMap((b) => [u32(b.length), b]));

/** The ids of each text, and what they decode to. */
export function encode(file, texts, flags = 0) {
    const program = join(resolve(root, process.env.BUILD ?? 'build'), 'tests/golden/tokens');
    const result = spawnSync(program, [file, String(flags)], { input: framed(texts), maxBuffer: 1 << 30 });
    if (result.status !== 0) throw new Error(`${program}: ${result.stderr}`);
    const out = result.stdout, ids = [], decoded = [];
    for (let at = 0; at < out.length; ) {
        const n = out.readUInt32LE(at);
        ids.push(Array.from({ length: n }, (_, i) => out.readUInt32LE(at + 4 + 4 * i)));
        at += 4 + 4 * n;
        const n_text = out.readUInt32LE(at);
        decoded.push(out.toString('utf8', at + 4, at + 4 + n_text));
        at += 4 + n_text;
    }
    return { ids, decoded };
}

// ---- text ----

// One sentence each of many languages, and what tokenizers stumble over.
const SENTENCES = [
    'The quick brown fox, who couldn’t care less, jumped over 13 lazy dogs (twice!) in 2024.',
    'Ünlü İstanbul’da Iğdırlı ılık çay içti; IŞIK söndü, İİİ.',
    'Việt Nam: Tiếng Việt có nhiều dấu: ế ề ể ễ ệ, ở, ữ.'.normalize('NFD'),
    'Việt Nam: Tiếng Việt có nhiều dấu: ế ề ể ễ ệ, ở, ữ.',
    'Ὦ ἄνδρες Ἀθηναῖοι, ᾧ τινι τρόπῳ· ΟΔΥΣΣΕΥΣ ῥᾷ ΐ ΰ',
    'Съешь же ещё этих мягких французских булок, да выпей чаю; Йод, ѝ, Ѓ.',
    'Zażółć gęślą jaźń. Příliš žluťoučký kůň úpěl ďábelské ódy. Árvíztűrő tükörfúrógép.',
    'Straße, GROẞE, ŒUVRE cœur, ﬁlm ﬄ, ǅ ǆ ŉ ſ, Þórður Æsir, smørrebrød.',
    'דג סקרן שט בים מאוכזב ולפתע מצא חברה. שָׁלוֹם עֲלֵיכֶם׃ יִּ',
    'نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر ومغلف بجلد أزرق ﷺ ﷲ لا ﻻ ١٢٣',
    'مُحَمَّدٌ رَسُولُ اللَّهِ؛ بِسْمِ آ أ إ ؤ ئ۔ پاکستان گچ',
    'ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश। क़ ख़ ज़ १२३',
    'আমি বাংলায় গান গাই, কো কৌ। தமிழ் கொ கௌ ஔ நாடு. ಕನ್ನಡ ಕೋ ಕೀ. മലയാളം കൊ കൗ. සිංහල කෝ ෞ.',
    'เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน น้ำ ๑๒๓',
    'ລາວ ພາສາ ກຳ. ខ្មែរ ភាសា. မြန်မာ ဘာသာ ဦ။ བོད་སྐད་ ཀྵ གྷ།',
    '我能吞下玻璃而不伤身体。繁體字與简体字，「標點」！㍿ ㈱ ① ｶﾞ 豈 更 車 金',
    'いろはにほへと　ちりぬるを。ガギグゲゴ ぱぴぷぺぽ ヷ ゟ ㌀ ｱｲｳﾞﾊﾟ'.normalize('NFC'),
    'いろはにほへと ガギグゲゴ ぱぴぷぺぽ'.normalize('NFD'),
    '키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다. ㅋㅋㅋ ᄒ',
    '키스의 고유조건은 입술끼리'.normalize('NFD'),
    'ქართული ენა ᲥᲐᲠᲗᲣᲚᲘ, Հայերեն լեզու և, አማርኛ ቋንቋ። ᏣᎳᎩ Ꮳꮳ',
    'Emoji: 😀👩‍👩‍👧‍👦🏳️‍🌈👍🏽🇩🇪🇫🇷 1️⃣ #️⃣ ❤️ 🥰🫠🧑🏿‍🚀',
    'math: x² + y³ ≠ ∑√½ ∀∃ 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚 ℌ ℝ ™ ℃ Å Ω ¼ ⅓ … ‼ ⁇ №',
    'music 𝅘𝅥𝅮 𝅝 \u{1D15E}\u{1D160}\u{1D1BD}, gothic 𐌰𐌱, deseret 𐐀𐐁, 𠀀𠜎𪛖 \u{2F804}\u{2F81A} 﨎 \uFA25',
    'marks: a\u0300\u0316\u0327b e\u0301\u0302 o\u0308\u0304 \u0301x n\u20DD q\u20E3 Z\u0321\u034Fa\u0345 ٱ\u08F0 a\u08D3',
    'control\u0000\u0001 a\u0007b\u000Bc\u000Cd\u0085e\u00ADf\u200Bg\u200Dh\u202Ei\uFEFFj\uFFFDk\u2028l\u2029m\u007Fn\uFFF9o',
    'spaces\t\ttab\r\n\r\nline\u00A0nbsp\u1680\u2003\u2009em\u202Fnarrow\u205F\u3000wide  two   three    ',
    'private \uE000\uF8FF\u{F0000} unassigned \u0378\u{1FFFF} new \u1C89 \u0C5D ⹕a⹖ \uA7CB\uA7DC \u{16EA0}',
    '   leading, trailing   ', '', ' ', '\n', '.', '▁', 'a▁b ▁ ▁▁c', '[MASK] <mask> [UNK]x<s>y</s>',
    'don\'t I\'ll we\'ve HE\'S "it\'s" `a` ^b^ $1,234.56 50% a+b=c <tag/> {x} [y] |z| ~w~ C:\\dir user@mail.com',
    `${'x'.repeat(99)} ${'y'.repeat(100)} ${'z'.repeat(101)} ${'é'.repeat(100)} ${'é'.repeat(101)} ${'각'.repeat(34)} ${'각'.repeat(33)}`,
    'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft antidisestablishmentarianism',
];

const RANGES = [
    [0x61, 0x7A], [0x41, 0x5A], [0x30, 0x39], [0x21, 0x2F], [0xC0, 0x24F], [0x250, 0x36F], [0x370, 0x3FF], [0x400, 0x52F],
    [0x531, 0x5F4], [0x600, 0x6FF], [0x700, 0x8FF], [0x900, 0x97F], [0x980, 0xDF4], [0xE01, 0xE5B], [0xF00, 0xFDA],
    [0x1000, 0x10FF], [0x1100, 0x11FF], [0x1200, 0x139F], [0x1780, 0x17F9], [0x1E00, 0x1FFE], [0x2000, 0x206F], [0x2070, 0x2BFF],
    [0x3000, 0x30FF], [0x3100, 0x33FF], [0x4E00, 0x9FFF], [0xA000, 0xABFF], [0xAC00, 0xD7A3], [0xE000, 0xF8FF], [0xF900, 0xFAFF],
    [0xFB00, 0xFDFF], [0xFE00, 0xFFFD], [0x10000, 0x1BFFF], [0x1D100, 0x1D7FF], [0x1F000, 0x1FAFF], [0x20000, 0x2A6DF],
    [0x2F800, 0x2FA1F], [0x0, 0x10FFFF],
];
const SPACES = [' ', ' ', ' ', ' ', '  ', '\n', '\t', '\u00A0', '\u3000', ', ', '. ', '-', ''];

/** splitmix64, the high 32 bits. */
function generator(seed) {
    let state = BigInt(seed);
    const mask = (1n << 64n) - 1n;
    return (n) => {
        state = (state + 0x9E3779B97F4A7C15n) & mask;
        let z = state;
        z = ((z ^ (z >> 30n)) * 0xBF58476D1CE4E5B9n) & mask;
        z = ((z ^ (z >> 27n)) * 0x94D049BB133111EBn) & mask;
        return Number(((z ^ (z >> 31n)) >> 32n) % BigInt(n));
    };
}

/** Words of one script each, n lines of them; in every second line some have marks of another script. */
function mixture(n) {
    const draw = generator(1), lines = [];
    for (let i = 0; i < n; i++) {
        let line = '';
        for (let words = 1 + draw(12); words; words--) {
            const [low, high] = RANGES[draw(RANGES.length)];
            for (let length = 1 + draw(9); length; length--) {
                const code = low + draw(high - low + 1);
                if (code >= 0xD800 && code < 0xE000) continue;
                line += String.fromCodePoint(code);
                if (i % 2 && draw(12) === 0) line += String.fromCodePoint(0x300 + draw(0x70));
            }
            line += SPACES[draw(SPACES.length)];
        }
        lines.push(line);
    }
    return lines;
}

/** English prose, the sentences above alone and in pairs, a line each. */
export function prose() {
    const wiki = shared('wikitext2_test_raw.txt');
    const lines = wiki ? readFileSync(wiki, 'utf8').slice(0, 350_000).split('\n') : [];
    for (const a of SENTENCES) {
        lines.push(a);
        for (const b of SENTENCES) lines.push(`${a} ${b}`);
    }
    return lines;
}

/** More than a megabyte: the same, words of all scripts, texts with lines and without end. */
export const texts = () => [
    ...prose(), ...mixture(9000), SENTENCES.join('\n'), 'w'.repeat(5000), '中'.repeat(5000), 'ab '.repeat(2000),
];

/** The size of texts in UTF-8. */
export const size = (list) => list.reduce((n, t) => n + Buffer.byteLength(t), 0);
