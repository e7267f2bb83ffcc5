#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes ready the npm packages of a folder's package-lock.json (without an argument, tests/golden: what mote is
# compared with), kept in the user's cache under the lock file's hash, and linked to as its node_modules. The
# last line printed is the node to run them with (node.sh).
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
node=$("$root/tools/node.sh")
cd "$root/${1:-tests/golden}"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mote
key=$(cat package.json package-lock.json | sha256sum | cut -c1-16)
peers=$cache/peers/$key

if [ ! -e "$peers/complete" ]; then
    mkdir -p "$cache/peers"
    new=$(mktemp -d "$cache/peers/new.XXXXXX")
    cp package.json package-lock.json "$new"
    # No install scripts: they would build or fetch other engines. No optional packages: the large GPU builds.
    # `npm ci` would refuse a lock file without the optional packages of other systems; install obeys it too.
    # (esbuild, deno and bun bring their programs as such, and are small.)
    optional=--omit=optional
    [ $# = 0 ] || optional=
    # npm leaves out optional packages that are not for the node it runs with, so that is the one to run them with.
    if [ "$node" = "$(command -v node)" ]; then
        run=npm
    else
        run="$node $(readlink -f "$(command -v npm)")"
        export NODE_PATH=/usr/share/nodejs # where Debian's npm has its modules
    fi
    (cd "$new" && $run install --ignore-scripts $optional --no-audit --no-fund --loglevel=error)
    touch "$new/complete"
    rm -rf "$peers"
    mv "$new" "$peers"
fi
rm -f node_modules
ln -s "$peers/node_modules" node_modules

echo "$node"
