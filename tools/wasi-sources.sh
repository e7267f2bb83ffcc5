#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# wasi-sources.sh FOLDER: fetches the sources of two libraries from Debian's archive (kept in the cache, verified
# by sha256) and unpacks what `make wasi` compiles of them: jansson (MIT) and the SHA-2 of libmd (BSD).
set -eu
folder=$1
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mote/sources
mirror=http://deb.debian.org/debian/pool/main

# get FILE DIRECTORY SHA256
get() {
    if ! [ -e "$cache/$1" ]; then
        curl --fail --silent --show-error --location --retry 3 -o "$cache/$1.part" "$mirror/$2/$1"
        mv "$cache/$1.part" "$cache/$1"
    fi
    echo "$3  $cache/$1" | sha256sum --check --quiet || { rm -f "$cache/$1"; exit 1; }
}

mkdir -p "$cache"
get jansson_2.14.orig.tar.gz j/jansson c739578bf6b764aa0752db9a2fdadcfe921c78f1228c7ec0bb47fa804c55d17b
get libmd_1.0.4.orig.tar.xz libm/libmd f51c921042e34beddeded4b75557656559cf5b1f2448033b4c1eec11c07e530f

rm -rf "$folder.part"
mkdir -p "$folder.part/include"
tar -C "$folder.part" -xf "$cache/jansson_2.14.orig.tar.gz"
tar -C "$folder.part" -xf "$cache/libmd_1.0.4.orig.tar.xz"
mv "$folder.part/jansson-2.14/src" "$folder.part/jansson"
mv "$folder.part/libmd-1.0.4/src" "$folder.part/libmd"
mv "$folder.part/libmd-1.0.4/include/"*.h "$folder.part/jansson/jansson.h" "$folder.part/include"
# What their configure scripts would find out.
sed -e 's/@json_inline@/inline/' -e 's/@json_have_long_long@/1/' -e 's/@json_have_[a-z_]*@/0/' \
    "$folder.part/jansson/jansson_config.h.in" >"$folder.part/include/jansson_config.h"
: >"$folder.part/libmd/config.h"
: >"$folder.part/include/jansson_private_config.h"
rm -rf "$folder" "$folder.part/jansson-2.14" "$folder.part/libmd-1.0.4"
mv "$folder.part" "$folder"
