#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What `make web-demo` shows: the chat page on this machine, offering stories15M as it is and in 4 bits, and
# TinyLlama and MiniLM, an encoder, where they have been pulled before.
set -eu
cd "$(dirname "$0")/.."
mote=${BUILD:-build}/mote
made=${BUILD:-build}/web-demo
mkdir -p "$made"

stories=$("$mote" pull --quiet stories15m)
packed=$made/stories15m-4bit.gguf
if [ ! -s "$packed" ] || [ "$stories" -nt "$packed" ]; then
    "$mote" quantize --quiet "$stories" "$packed.new" Q4_0
    mv "$packed.new" "$packed"
fi
set -- --model "$packed=Tells children's stories; 15 million weights of 4 bits" \
    --model "$stories=Tells children's stories; the same weights in 32 bits"
if "$mote" list | grep -q '^tinyllama .*present'; then
    set -- "$@" --model "$("$mote" pull --quiet tinyllama)=Chats; 1.1 billion weights of about 2.3 bits"
fi
if "$mote" list | grep -q '^minilm-sst2 .*present'; then
    set -- "$@" --model "$("$mote" pull --quiet minilm-sst2)=Judges whether a text is friendly, and finds texts by meaning; 23 million weights"
fi
exec node tools/serve.mjs "${DIST:-dist}/web" --port "${PORT:-8080}" "$@"
