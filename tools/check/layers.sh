#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The law of layers, read from the #include lines:
#
#   base 1 · format text kernel 2 · model 3 · program sample 4 · device 5 · engine 6 · host 7 · apps 8
#
# A room includes itself and rooms of lower rank, never one of its own rank. include/mote is free to all and
# includes nothing else of ours. The core takes no system header but the freestanding ones and those of
# instruction sets. host/ and apps/ never see src/; apps see host/.
set -eu
cd "$(dirname "$0")/../.."
find src include host apps -name '*.[ch]' | sort | xargs awk '
function complain(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; bad++ }
BEGIN {
    split("base 1 format 2 text 2 kernel 2 model 3 program 4 sample 4 device 5 engine 6", pair, " ")
    for (i = 1; i in pair; i += 2) rank[pair[i]] = pair[i + 1]
    split("stddef stdint stdarg limits float immintrin arm_neon wasm_simd128", name, " ")
    for (i in name) free[name[i] ".h"]
}
FNR == 1 {
    files++
    split(FILENAME, part, "/")
    place = part[1]; room = part[2]
    if (place == "src" && !(room in rank)) complain("room " room " has no rank")
}
/^[ \t]*#[ \t]*include/ {
    line = $0
    system_header = line ~ /</
    if (!match(line, /[<"][^>"]*[>"]/)) { complain("include of a macro"); next }
    path = substr(line, RSTART + 1, RLENGTH - 2)
    if (path ~ /\.\./) { complain("include of " path " goes up"); next }
    if (system_header) {
        if (place == "src" && !(path in free)) complain("the core includes <" path ">")
        if (place == "include" && path != "stddef.h" && path != "stdint.h") complain("public header includes <" path ">")
        next
    }
    n = split(path, to, "/")
    if (n == 1 || to[1] == "mote") next # its own folder, or the public interface
    if (place == "include") complain("public header includes " path)
    else if (place == "src") {
        if (!(to[1] in rank)) complain("the core includes " path)
        else if (to[1] != room && rank[to[1]] == rank[room]) complain(room " meets " to[1] ", of equal rank: " path)
        else if (rank[to[1]] > rank[room]) complain(room " includes upwards: " path)
    } else if (to[1] in rank || to[1] == "src") complain(place " includes the core: " path)
    else if (place == "host" && to[1] != "host") complain("host includes " path)
    else if (place == "apps" && to[1] != "host" && !(to[1] == "apps" && to[2] == room)) complain("app " room " includes " path)
}
END {
    if (bad) { printf "layers: %d wrong\n0 passed, 1 failed\n", bad; exit 1 }
    printf "layers: %d files include only downwards\n1 passed, 0 failed\n", files
}'
