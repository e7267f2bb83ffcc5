#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs what building (`install.sh build`), fetching models (`pull`), testing (`test`) and testing in browsers
# (`web`) need and is not there.
# Silent when nothing is missing. On Debian and its kin it uses apt-get, says what it will install, and asks
# first unless it is root or not on a terminal; elsewhere it says what is needed and fails.
set -u

# what is looked for | the Debian package that brings it | what it is
# "<x.h>" is a header, "/x" a file, anything else a command.
needs() {
    for group in "$@"; do
        case $group in
        build) cat <<'END' ;;
cc|gcc|a C compiler
<stdlib.h>|libc6-dev|the C library's headers
<curl/curl.h>|libcurl4-openssl-dev|libcurl: downloads
<jansson.h>|libjansson-dev|jansson: JSON
<archive.h>|libarchive-dev|libarchive: tar and zip archives
<editline/readline.h>|libedit-dev|libedit: line editing
<openssl/evp.h>|libssl-dev|OpenSSL: sha256
/etc/ssl/certs/ca-certificates.crt|ca-certificates|certificates for https
END
        pull) cat <<'END' ;;
npm|npm|npm: says where a model's package is
END
        wasm) cat <<'END' ;;
clang-22|clang-22|clang: WebAssembly modules
wasm-ld-22|lld-22|their linker
node|nodejs|node.js: builds the npm package and the chat page
npm|npm|npm: fetches what they are built with
END
        test) cat <<'END' ;;
<cmocka.h>|libcmocka-dev|cmocka: unit tests
node|nodejs|node.js: golden tests
npm|npm|npm: fetches the engine to compare with
/usr/lib/python3/dist-packages/sentencepiece/__init__.py|python3-sentencepiece|SentencePiece: tokenizers to compare with
curl|curl|curl: fetches the sources of libraries for WASI
xz|xz-utils|xz: unpacks them
clang-22|clang-22|clang: wasm objects, fuzzers
llvm-nm-22|llvm-22|symbols of wasm objects
clang-format-14|clang-format-14|formatting
clang-tidy-14|clang-tidy-14|static analysis
wasm-ld-22|lld-22|linker of WebAssembly modules
/usr/lib/wasm32-wasi/crt1.o|wasi-libc|the C library of WASI modules
/usr/lib/llvm-22/lib/clang/22/lib/wasi/libclang_rt.builtins-wasm32.a|libclang-rt-22-dev-wasm32|its arithmetic
END
        aarch64) cat <<'END' ;;
aarch64-linux-gnu-gcc|gcc-aarch64-linux-gnu|a C compiler for AArch64
/usr/aarch64-linux-gnu/include/stdlib.h|libc6-dev-arm64-cross|the C library for AArch64
qemu-aarch64|qemu-user|an emulator of AArch64
END
        web) cat <<'END' ;;
chromium|chromium|Chromium: tests of the npm package
firefox-esr|firefox-esr|Firefox: the same
END
        *) echo "install.sh: no such group: $group (build, pull, wasm, test, aarch64, web)" >&2; exit 2 ;;
        esac
    done
}

have() {
    case $1 in
    '<'*) printf '#include <stdio.h>\n#include %s\n' "$1" | ${CC:-cc} -E -x c - >/dev/null 2>&1 ;;
    # Elsewhere than on Debian the certificates are kept under other names.
    /*) [ -e "$1" ] || [ ! -e /etc/debian_version ] ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

missing() {
    # One run of the compiler usually answers for all headers.
    headers=$(needs "$@" | sed -n 's/^\(<.*>\)|.*/#include \1/p')
    all=no
    printf '#include <stdio.h>\n%s\n' "$headers" | ${CC:-cc} -E -x c - >/dev/null 2>&1 && all=yes
    needs "$@" | while IFS='|' read -r probe package reason; do
        case $all$probe in 'yes<'*) continue ;; esac
        have "$probe" || printf '%s|%s\n' "$package" "$reason"
    done
}

list=$(missing "$@") || exit
[ -n "$list" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "mote needs what is not on this machine; please install (names are Debian's):" >&2
    echo "$list" | sed 's/\(.*\)|\(.*\)/  \1  (\2)/' >&2
    exit 1
fi

echo "mote needs, and will install with apt-get:" >&2
echo "$list" | sed 's/\(.*\)|\(.*\)/  \1  (\2)/' >&2
root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "Please run as root: apt-get install $(echo "$list" | cut -d'|' -f1 | tr '\n' ' ')" >&2; exit 1; }
    root=sudo
    if [ -t 0 ]; then
        printf 'Install these with sudo now? [Y/n] ' >&2
        read -r answer
        case $answer in [nN]*) exit 1 ;; esac
    fi
fi

known() { [ -n "$(apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \([^(].*\)/\1/p')" ]; }
packages=$(echo "$list" | cut -d'|' -f1)
for package in $packages; do
    known "$package" || { $root apt-get update -q >&2; break; }
done
set --
for package in $packages; do
    if known "$package"; then
        set -- "$@" "$package"
    else
        # The checks that need it skip with a reason; what building needs fails there, by name.
        echo "mote: this system has no package $package; going on without it" >&2
    fi
done
[ $# = 0 ] && exit 0
install() { $root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2; }
# Lists can be older than the archive: a second try with fresh ones.
install "$@" || { $root apt-get update -q >&2 && install "$@"; }
