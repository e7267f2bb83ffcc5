#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What `make demo` shows: a real chat model arrives (once) and answers a question.
set -eu
cd "$(dirname "$0")/.."
mote=${BUILD:-build}/mote
question='What is the capital of France?'

printf '\nTinyLlama, a chat model of 1.1 billion parameters (323 MB, fetched once):\n\n' >&2
"$mote" pull tinyllama
printf '\n$ %s run tinyllama --temp 0 -p "%s"\n\n' "$mote" "$question" >&2
"$mote" run tinyllama --temp 0 -n 128 -p "$question"
cat >&2 <<END


Go on with:
  $mote chat tinyllama     a conversation
  $mote run stories15m --raw -p "Once upon a time"     a much smaller model
  $mote info tinyllama     what is in the file
  $mote help               all commands
  make test                      all tests
END
