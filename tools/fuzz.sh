#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs every fuzzer in $BUILD/fuzz for FUZZ_SECONDS. Inputs that reach new code go to $BUILD/fuzz/new/<name>
# and are then merged into the kept corpus, fuzz/corpus/<name>, as few as cover the same. What makes a
# fuzzer fail is left in $BUILD/fuzz/found.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
SECONDS_EACH=${FUZZ_SECONDS:-60}
passed=0 failed=0
mkdir -p "$BUILD/fuzz/found"
for source in fuzz/*_fuzz.c; do
    name=${source#fuzz/} name=${name%_fuzz.c}
    corpus=fuzz/corpus/$name new=$BUILD/fuzz/new/$name
    mkdir -p "$corpus" "$new"
    dictionary=
    [ -e "fuzz/$name.dict" ] && dictionary=-dict=fuzz/$name.dict
    echo "== $name, $SECONDS_EACH s, $(ls "$corpus" | wc -l) inputs"
    if "$BUILD/fuzz/$name" -max_total_time="$SECONDS_EACH" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 $dictionary \
        -artifact_prefix="$BUILD/fuzz/found/$name-" "$new" "$corpus" >"$BUILD/fuzz/$name.log" 2>&1; then
        passed=$((passed + 1))
        grep -E 'stat::number_of_executed_units|stat::new_units_added' "$BUILD/fuzz/$name.log"
        [ "$(ls "$new" | wc -l)" = 0 ] || "$BUILD/fuzz/$name" -merge=1 -timeout=10 "$corpus" "$new" >/dev/null 2>&1
        rm -rf "$new"
    else
        failed=$((failed + 1))
        tail -n 40 "$BUILD/fuzz/$name.log"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
