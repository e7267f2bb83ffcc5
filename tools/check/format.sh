#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Every C file is as clang-format 14 writes it (other versions differ in details); with --fix, makes it so.
# Generated files are left alone.
set -eu
cd "$(dirname "$0")/../.."
tool=${CLANG_FORMAT:-clang-format-14}
if ! command -v "$tool" >/dev/null 2>&1; then
    echo "skipped: no $tool here"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
files=$(find include src host apps tests tools fuzz bench -name '*.[ch]' 2>/dev/null | sort | while read -r file; do
    head -n 5 "$file" | grep -qi generated || echo "$file"
done)
if [ "${1-}" = --fix ]; then
    echo "$files" | xargs "$tool" -i
elif echo "$files" | xargs "$tool" --dry-run -Werror 2>&1 | sed -n 's/:.*error:.*/: not formatted/p' | uniq -c | grep .; then
    echo "make format puts this right"
    echo "0 passed, 1 failed"
    exit 1
else
    echo "format: $(echo "$files" | wc -l) files"
    echo "1 passed, 0 failed"
fi
