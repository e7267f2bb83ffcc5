#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The core is closed: its objects, native and WebAssembly, need nothing from outside but mem*; they hold no
# variable that can change; and a symbol seen by other files names its room (mote_<room>_…) or stands in
# include/mote. What linkers themselves provide is allowed for.
set -eu
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
bad=0 sets=0 skipped=0
outside='^(memcpy|memmove|memset|memcmp|_GLOBAL_OFFSET_TABLE_|__stack_pointer|__linear_memory|__indirect_function_table)$'

# look NAME NM OBJECT…: nothing undefined beyond what is allowed.
look() {
    name=$1 nm=$2
    shift 2
    sets=$((sets + 1))
    defined=$(mktemp) undefined=$(mktemp)
    $nm -P "$@" 2>/dev/null | awk -v d="$defined" -v u="$undefined" '
        NF >= 2 && $2 ~ /^[Uuvw]$/ { print $1 >u; next }
        NF >= 2 && $2 ~ /^[A-Z]$/ { print $1 >d }'
    missing=$(sort -u "$undefined" | grep -vxFf "$defined" | grep -Ev "$outside" || true)
    if [ -n "$missing" ]; then
        echo "$name: the core needs from outside:"
        for symbol in $missing; do
            $nm -A -P "$@" 2>/dev/null | awk -v s="$symbol" '$2 == s { print "  " s "  in " $1; exit }'
        done
        bad=$((bad + 1))
    fi
    rm -f "$defined" "$undefined"
}

targets="lib wasm-objects"
if ! command -v clang-22 >/dev/null 2>&1 || ! command -v llvm-nm-22 >/dev/null 2>&1; then
    echo "skipped: no clang-22 and llvm-nm-22 here for the WebAssembly objects"
    targets=lib skipped=1
fi
case "${MAKEFLAGS-}" in *j*) jobs= ;; *) jobs=-j$(getconf _NPROCESSORS_ONLN) ;; esac
make --no-print-directory $jobs $targets >"$BUILD/closed.log" 2>&1 || {
    tail -n 20 "$BUILD/closed.log"
    echo "the core does not build"
    echo "0 passed, 1 failed"
    exit 1
}
sources=$(find src -name '*.c' | sort)
native=$(echo "$sources" | sed "s|^|$BUILD/|; s|c\$|o|")
wasm= simd=
look native nm $native
if [ "$skipped" = 0 ]; then
    wasm=$(echo "$sources" | sed "s|^|$BUILD/wasm-plain/|; s|c\$|o|")
    simd=$(echo "$sources" | sed "s|^|$BUILD/wasm-simd/|; s|c\$|o|")
    look wasm llvm-nm-22 $wasm
    look wasm+simd128 llvm-nm-22 $simd
fi

# Variables: sections a program may write to. Constant tables of pointers sit in .data.rel.ro, which is
# written once by the loader of a position-independent program and never again.
for object in $native; do
    objdump -h "$object" | awk -v object="$object" '
        $2 ~ /^\.(data|bss|tdata|tbss)/ && $2 !~ /^\.data\.rel\.ro/ && $3 !~ /^0+$/ {
            print object ": variables in " $2; bad = 1 }
        END { exit bad }' || bad=$((bad + 1))
done
for object in $wasm $simd; do
    llvm-readobj-22 --sections "$object" | awk -v object="$object" '
        $1 == "Name:" && $2 ~ /^\.(data|bss|tdata|tbss)/ && $2 !~ /^\.data\.rel\.ro/ {
            print object ": variables in " $2; bad = 1 }
        END { exit bad }' || bad=$((bad + 1))
done

for object in $native; do
    room=${object#"$BUILD"/src/} room=${room%%/*}
    for symbol in $(nm -P -g --defined-only "$object" | cut -d' ' -f1); do
        case $symbol in "mote_${room}_"*) continue ;; esac
        grep -qw "$symbol" include/mote/*.h || { echo "$object: $symbol does not name its room"; bad=$((bad + 1)); }
    done
done

if [ "$bad" -gt 0 ]; then echo "0 passed, 1 failed"; exit 1; fi
echo "closed: $sets sets of $(echo "$sources" | wc -l) objects"
echo "1 passed, 0 failed, $skipped skipped"
