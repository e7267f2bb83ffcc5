#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs the suites named (unit kernel fail bare aarch64 cli wasi golden check), adds up what their runners counted, and
# ends with the line "N passed, N failed, N skipped". Exits 1 if anything failed. Whole logs stay in
# $BUILD/test/<suite>.log.
#
# Runners say their counts in their own ways, all understood here: cmocka's "[  PASSED  ] n test(s).",
# node's "# pass n" and "# fail n", and a closing "n passed, n failed" of scripts. A program that ends badly
# without having counted a failure counts as one.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
MOTE_SHARED=${MOTE_SHARED:-../shared/data}
MOTE=${MOTE:-$BUILD/mote}
export BUILD MOTE_SHARED MOTE
LIMIT=${TEST_LIMIT:-900} # seconds a program may take
log=$BUILD/test
mkdir -p "$log" || exit 1
: >"$log/total"

# Reads a program's output; prints "passed failed skipped".
count='
/^\[  PASSED  \] [0-9]+ test/ { passed += $4 }
/^\[  FAILED  \] [0-9]+ test/ { failed += $4 }
/^\[  SKIPPED \] [0-9]+ test/ { skipped += $4 }
/^# pass [0-9]+$/ { passed += $3 }
/^# (fail|cancelled) [0-9]+$/ { failed += $3 }
/^# skipped [0-9]+$/ { skipped += $3 }
/^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ { passed += $1; failed += $3; skipped += $5 }
END {
    if (status != 0 && failed == 0) failed = 1
    if (passed + failed + skipped == 0) failed = 1 # a program that counted nothing has tested nothing
    print passed + 0, failed + 0, skipped + 0
}'

# one SUITE NAME COMMAND…: runs a program, shows what it says, counts it.
one() {
    suite=$1 name=$2
    shift 2
    out=$log/one.log
    timeout -k 10 "$LIMIT" "$@" >"$out" 2>&1 </dev/null
    status=$?
    counted=$(awk -v status=$status "$count" "$out")
    echo "$suite $counted" >>"$log/total"
    cat "$out" >>"$log/$suite.log"
    set -- $counted
    note=
    [ "$3" = 0 ] || note=", $3 skipped"
    if [ "$2" = 0 ]; then
        echo "  ok      $name ($1$note)"
        sed -n -e 's/^ok .*# SKIP *\(.*\)/          skipped: \1/p' -e 's/^ *skipped: /          skipped: /p' "$out" | sort -u
        # Figures that a test has measured and wants seen.
        sed -n 's/^#* *measured: /          /p' "$out"
    else
        echo "  FAILED  $name ($2 failed, exit $status)"
        [ "$status" = 124 ] && echo "          stopped after $LIMIT seconds"
        # What failed and why, then the end, without what a terminal or a log would choke on.
        { awk '/^ *not ok/, /^ *\.\.\./' "$out" | head -n 60; tail -n 30 "$out"; } | tr -cd '\t\n -~' | cut -c 1-400 | sed 's/^/          /'
    fi
}

# programs SUITE: its cmocka programs, as paths below $BUILD.
programs() { for c in tests/"$1"/*_test.c; do [ -e "$c" ] && echo "$BUILD/${c%.c}"; done; }

build() {
    jobs=
    case "${MAKEFLAGS-}" in *j*) ;; *) jobs=-j$(getconf _NPROCESSORS_ONLN) ;; esac
    [ $# = 0 ] && return
    if ! make --no-print-directory -k $jobs "$@" >"$log/build.log" 2>&1; then
        echo "  FAILED  to build (see $log/build.log)"
        grep -E -A3 'error:|Error |undefined reference' "$log/build.log" | head -n 40 | sed 's/^/          /'
        echo "$suite 0 1 0" >>"$log/total"
    fi
}

for suite in "$@"; do
    started=$(date +%s)
    echo "$suite"
    : >"$log/$suite.log"
    case $suite in
    unit | kernel | fail)
        build $(programs "$suite")
        for program in $(programs "$suite"); do one "$suite" "${program##*/}" "$program"; done
        ;;
    aarch64) one aarch64 aarch64.sh tests/aarch64/aarch64.sh ;;
    bare) build bare-programs; one bare bare.sh tests/bare/bare.sh ;;
    cli)
        build "$MOTE" $(programs cli)
        for program in $(programs cli); do one cli "${program##*/}" "$program"; done
        for script in tests/cli/*_test.sh; do [ -e "$script" ] && one cli "${script##*/}" sh "$script"; done
        for script in tests/cli/*.test.mjs; do [ -e "$script" ] && one cli "${script##*/}" node --test --test-reporter=tap "$script"; done
        ;;
    golden)
        build golden-programs "$BUILD/tests/kernel/decode_test"
        if tools/peers.sh >"$log/peers.log" 2>&1; then
            node=$(tail -n 1 "$log/peers.log")
            # The decoders against llama.cpp's own, where its library is for this machine.
            ggml=tests/golden/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64/libggml-base.so
            if [ -e "$ggml" ] && [ "$(uname -m)" = x86_64 ]; then
                one golden "decode_test, against ggml" env MOTE_PEER_GGML="$ggml" "$BUILD/tests/kernel/decode_test"
            fi
            for script in tests/golden/*.test.mjs; do
                one golden "${script##*/}" "$node" --test --test-reporter=tap "$script"
            done
        else
            echo "  FAILED  to fetch the engines to compare with"
            tail -n 20 "$log/peers.log" | sed 's/^/          /'
            echo "golden 0 1 0" >>"$log/total"
        fi
        ;;
    wasm)
        build wasm-modules wasm-kernel-programs "$MOTE" "$BUILD/mote-synth"
        node=$(tools/node.sh)
        one wasm kernel.test.mjs "$node" --test --test-reporter=tap tests/wasm/kernel.test.mjs
        one wasm module.test.mjs "$node" --test --test-reporter=tap tests/wasm/module.test.mjs
        one wasm "imports and sizes" tools/wasm-check.mjs --imports
        ;;
    wasi)
        build "$MOTE" wasi "$BUILD/wasi/mote-wizer.wasm" wizer
        one wasi wasi.test.mjs "$(tools/node.sh)" --test --test-reporter=tap tests/wasi/wasi.test.mjs
        ;;
    web)
        build "$MOTE" "$BUILD/mote-synth" web
        if tools/peers.sh tests/web >"$log/web-peers.log" 2>&1; then
            node=$(tail -n 1 "$log/web-peers.log")
            for script in tests/web/*.test.mjs; do
                one web "${script##*/}" "$node" --test --test-reporter=tap "$script"
            done
        else
            echo "  FAILED  to fetch what the web tests run in"
            tail -n 20 "$log/web-peers.log" | sed 's/^/          /'
            echo "web 0 1 0" >>"$log/total"
        fi
        ;;
    check) for script in tools/check/*.sh; do one check "${script##*/}" "$script"; done ;;
    *) echo "test.sh: no such suite: $suite" >&2; exit 2 ;;
    esac
    echo "  $(($(date +%s) - started)) s"
done

awk '
{ suites[$1]; p[$1] += $2; f[$1] += $3; s[$1] += $4; passed += $2; failed += $3; skipped += $4 }
END {
    print "passed, failed, skipped:"
    for (suite in suites) printf "  %-7s %5d %5d %5d\n", suite, p[suite], f[suite], s[suite]
    printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    exit failed > 0
}' "$log/total"
