#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# clang-tidy (rules in .clang-tidy) finds nothing to say about the core, the hosts and the apps. A file that
# passed is not looked at again until it, a header or the rules change: stamps lie in $BUILD/tidy.
set -eu
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
tool=${CLANG_TIDY:-clang-tidy-14}
if ! command -v "$tool" >/dev/null 2>&1; then
    echo "skipped: no $tool here"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi

# One file: xargs runs this script again with --one FILE.
if [ "${1-}" = --one ]; then
    file=$2 flags='-std=c11 -Iinclude'
    case $file in
    *_avx2.c) isa='-mavx2 -mf16c' ;;
    *_avxvnni.c) isa='-mavx2 -mf16c -mavxvnni' ;;
    *_avx512.c) isa='-mavx2 -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl' ;;
    *_avx512vnni.c) isa='-mavx2 -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni' ;;
    *) isa= ;;
    esac
    [ "$(uname -m)" = x86_64 ] || isa=
    flags="$flags $isa"
    case $file in
    src/*) flags="$flags -Isrc -ffreestanding" ;;
    *) flags="$flags -I. -I$BUILD/apps/cli -D_GNU_SOURCE" ;;
    esac
    stamp=$BUILD/tidy/$file.ok
    mkdir -p "${stamp%/*}"
    if "$tool" --quiet --warnings-as-errors='*' "$file" -- $flags >"$stamp.log" 2>/dev/null; then
        mv "$stamp.log" "$stamp"
    else
        cat "$stamp.log"
        grep 'error:' "$stamp.log" # once more, together, at the end
        exit 1
    fi
    exit 0
fi

mkdir -p "$BUILD/tidy"
make --no-print-directory -s "$BUILD/apps/cli/catalogue.inc" # made from share/, and included
newest=$(find .clang-tidy include src host apps -name '*.h' -o -name .clang-tidy | xargs ls -t | head -n 1)
files=$(find src host/posix apps/cli -name '*.c' | sort)
todo=$(for file in $files; do
    stamp=$BUILD/tidy/$file.ok
    if [ ! -e "$stamp" ] || [ "$file" -nt "$stamp" ] || [ "$newest" -nt "$stamp" ]; then echo "$file"; fi
done)
if [ -n "$todo" ] && ! echo "$todo" | BUILD=$BUILD xargs -n 1 -P "$(getconf _NPROCESSORS_ONLN)" "$0" --one; then
    echo "0 passed, 1 failed"
    exit 1
fi
echo "tidy: $(echo "$files" | wc -l) files"
echo "1 passed, 0 failed"
