#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains a Unigram model with SentencePiece, which is then what tokens.test.mjs compares with.

    tokens_train.py train IN OUT VOCABULARY [OPTION=VALUE …]     IN: a line of training text each
        writes OUT.model and OUT.json: {"pieces": [[text, score, type], …], "charsmap": base64}
    tokens_train.py encode OUT.model     stdin: u32 bytes | text, any number of; stdout: a JSON array of ids each
"""
import base64
import json
import struct
import sys

import sentencepiece


def fields(data):
    """The fields of a message of protocol buffers: number, value."""
    at = 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = number()
        size = {1: 8, 5: 4}.get(tag & 7)
        if tag & 7 == 0:
            yield tag >> 3, number()
            continue
        size = size or number()
        yield tag >> 3, data[at:at + size]
        at += size


def train(path, out, size, options):
    sentencepiece.SentencePieceTrainer.train(
        input=path, model_prefix=out, vocab_size=int(size), model_type="unigram", bos_id=0, pad_id=1, eos_id=2,
        unk_id=3, num_threads=1, minloglevel=2, **options)
    pieces, charsmap = [], b""
    for kind, value in fields(open(out + ".model", "rb").read()):
        if kind == 1:
            piece = dict(fields(value))
            pieces.append([piece[1].decode(), struct.unpack("<f", piece[2])[0], piece.get(3, 1)])
        if kind == 3:
            charsmap = dict(fields(value)).get(2, b"")
    json.dump({"pieces": pieces, "charsmap": base64.b64encode(charsmap).decode()}, open(out + ".json", "w"))


def encode(path):
    model, data, at = sentencepiece.SentencePieceProcessor(model_file=path), sys.stdin.buffer.read(), 0
    while at < len(data):
        n, = struct.unpack_from("<I", data, at)
        print(json.dumps(model.encode(data[at + 4:at + 4 + n].decode())))
        at += 4 + n


if sys.argv[1] == "train":
    train(*sys.argv[2:5], dict(option.split("=", 1) for option in sys.argv[5:]))
else:
    encode(sys.argv[2])
