#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The AArch64 kernels on a machine of another kind: crossed, and run by qemu.
#
#   - The kernel tests, on CPUs without dot products, with SDOT, and with all there is; on each they walk
#     every subset of its features and compare with the plain loops.
#   - The story of tests/bare, with each of the CPUs: the digest of all its logits must be the one that this
#     machine's own kernels give.
#   - The core, as AArch64 objects, needs nothing from outside but mem*.
#
# Debian's cmocka for AArch64 is unpacked below $BUILD, with package lists of its own: the system is not made
# multiarch for it. `make test-aarch64` installs the compiler and the emulator.
set -eu
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
cross=$BUILD/aarch64
cpus="cortex-a53 neoverse-n1 max" # neither extension · dotprod · i8mm as well
types="Q4_0 Q8_0 Q5_1 Q2_K Q3_K Q4_K_M Q6_K IQ1_M IQ2_XXS IQ3_S IQ4_XS TQ1_0 MXFP4 F16 BF16"

skip() {
    echo "skipped: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}
case $(uname -m) in aarch64 | arm64) skip "this machine is AArch64 itself: the other suites test it" ;; esac
for tool in aarch64-linux-gnu-gcc qemu-aarch64; do
    command -v $tool >/dev/null 2>&1 || skip "no $tool here; make test-aarch64 installs it"
done

passed=0 failed=0 skipped=0
check() { if "$@"; then passed=$((passed + 1)); else echo "not so: $*"; failed=$((failed + 1)); fi; }
case "${MAKEFLAGS-}" in *j*) jobs= ;; *) jobs=-j$(getconf _NPROCESSORS_ONLN) ;; esac

# fetch_cmocka DIR: unpacks the two packages there.
fetch_cmocka() {
    mkdir -p "$1/lists/partial" "$1/cache/archives/partial" || return 1
    (
        cd "$1" || exit 1
        foreign="apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::lists=$PWD/lists
            -o Dir::State::status=/dev/null -o Dir::Cache=$PWD/cache -o APT::Sandbox::User=root"
        $foreign update && $foreign download libcmocka-dev libcmocka0 || exit 1
        for package in *.deb; do dpkg -x "$package" . || exit 1; done
        rm -rf lists cache *.deb
    ) >"$1.log" 2>&1
}

root=$cross/root sysroot=/usr/aarch64-linux-gnu
libraries=$root/usr/lib/aarch64-linux-gnu:$sysroot/lib
mkdir -p "$cross"
programs=
if [ -e "$root/usr/include/cmocka.h" ] || fetch_cmocka "$root"; then
    for test in tests/kernel/*_test.c; do programs="$programs $cross/${test%.c}"; done
else
    tail -n 5 "$root.log"
    echo "skipped: no cmocka for AArch64 could be fetched, so no kernel tests"
    skipped=1
fi

make --no-print-directory -s $jobs BUILD="$cross" CC=aarch64-linux-gnu-gcc AR=aarch64-linux-gnu-ar \
    CFLAGS="-O2 -g -isystem $root/usr/include" LDFLAGS="-L$root/usr/lib/aarch64-linux-gnu" \
    lib "$cross/tests/bare/hosted" $programs
make --no-print-directory -s $jobs BUILD="$BUILD" "$BUILD/tests/bare/hosted" "$BUILD/mote-synth"

aarch64-linux-gnu-ld -r -o "$cross/core.o" --whole-archive "$cross/libmote.a"
check test -z "$(aarch64-linux-gnu-nm -u "$cross/core.o" | grep -Ev ' (memcpy|memmove|memset|memcmp)$')"

# emulate CPU PROGRAM…: with the loader and the C library of one package, whatever else is installed.
emulate() {
    cpu=$1
    shift
    timeout -s KILL 300 qemu-aarch64 -L "$sysroot" -E LD_LIBRARY_PATH="$libraries" -cpu "$cpu" "$@"
}

for cpu in $cpus; do
    for program in $programs; do
        echo "== ${program##*/} on $cpu"
        emulate "$cpu" "$program" 2>&1 || failed=$((failed + 1))
    done
done

model=$cross/model.gguf
for type in $types; do
    "$BUILD/mote-synth" --type "$type" -o "$model" >/dev/null
    native=$("$BUILD/tests/bare/hosted" "$model") || true
    check test "$(echo "$native" | grep -c '^digest [0-9a-f]*$')" = 1
    for cpu in $cpus; do
        crossed=$(emulate "$cpu" "$cross/tests/bare/hosted" "$model") || true
        check test "$crossed" = "$native"
    done
    echo "$type: $native"
done
rm -f "$model"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
