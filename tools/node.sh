#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Prints the node to run with: the system's, or, as what is run wants version 20 or later, one that is fetched into
# the user's cache where the system's is older.
set -eu
node=$(command -v node)
if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then
    version=20.20.2
    dir=${XDG_CACHE_HOME:-$HOME/.cache}/mote/peers/node-$version
    package=node-linux-$(node -p process.arch)
    [ -x "$dir/node_modules/$package/bin/node" ] ||
        npm install --prefix "$dir" --ignore-scripts --no-audit --no-fund --loglevel=error "$package@$version" >&2
    node=$dir/node_modules/$package/bin/node
fi
echo "$node"
