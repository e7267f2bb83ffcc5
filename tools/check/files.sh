#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Every file of source opens with its licence and stays below 800 lines (generated tables, which say so in
# their first five lines, apart); and nothing in the tree names a folder of one machine or the host of a
# package registry.
set -eu
cd "$(dirname "$0")/../.."
if git rev-parse --git-dir >/dev/null 2>&1; then
    all=$(git ls-files -co --exclude-standard | sort -u)
else
    all=$(find . -type f -not -path './build*' -not -path '*/node_modules/*' | sed 's|^\./||' | sort)
fi
bad=0
complain() { echo "$1"; bad=$((bad + 1)); }
for file in $all; do
    [ -f "$file" ] || continue
    case $file in
    *.c | *.h | *.sh | *.mjs | *.ts | *.awk | *.bash | Makefile | .ci/run)
        head -n 3 "$file" | grep -q 'SPDX-License-Identifier: ' || complain "$file: no licence line"
        n=$(wc -l <"$file")
        [ "$n" -le 800 ] || head -n 5 "$file" | grep -qi generated || complain "$file: $n lines; 800 is the most"
        ;;
    esac
done
# The patterns are written so that they do not match themselves; names for mkstemp are nobody's.
words='(^|[^A-Za-z0-9_.}/-])/(work|root|tmp|home)/[A-Za-z0-9_.]|registry[.](npm|yarn)|[.]npmjs[.](org|com)|pypi[.]org'
found=$(echo "$all" | tr "\n" "\0" | xargs -0 grep -InE "$words" 2>/dev/null | grep -v "/tmp/[a-z-]*XXXXXX" || true)
[ -z "$found" ] || complain "words that belong to one machine:
$found"
if [ "$bad" -gt 0 ]; then echo "0 passed, 1 failed"; exit 1; fi
echo "files: $(echo "$all" | wc -l) looked at"
echo "1 passed, 0 failed"
