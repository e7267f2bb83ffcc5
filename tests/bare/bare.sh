#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The core needs no C library: linked with -nostdlib it opens a synthetic model, generates from it, and prints
# what the hosted program prints, to the last bit of the logits.
set -eu
BUILD=${BUILD:-build}
if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
    echo "skipped: tests/bare/nolibc.c speaks to Linux on x86-64 only"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
model=$BUILD/tests/bare/model.gguf
passed=0 failed=0
check() { if "$@"; then passed=$((passed + 1)); else echo "not so: $*"; failed=$((failed + 1)); fi; }

check test -z "$(nm -u "$BUILD/tests/bare/bare")"
for type in Q4_K F16; do
    "$BUILD/mote-synth" --type $type -o "$model" >/dev/null
    bare=$("$BUILD/tests/bare/bare" "$model") || true
    hosted=$("$BUILD/tests/bare/hosted" "$model") || true
    echo "$type: $bare"
    check test "$bare" = "$hosted"
    check test "$(echo "$bare" | grep -c '^digest [0-9a-f]*$')" = 1
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
