#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/text/unicode_data.h from UnicodeData.txt (Debian's unicode-data package; licence Unicode-3.0).

    tools/unicode.py > src/text/unicode_data.h
    tools/unicode.py words > src/text/wordpiece_data.h

Two tables for all tokenizers, both made of runs, because that is how characters lie in Unicode:

classes  one byte per run, its class in the high four bits and its length minus one in the low four; low bits
         13, 14, 15 say that the length is in the next one, two or three bytes instead. Two more classes stand for
         upper and lower case in turns. An index holds the place of every 32nd run. ASCII also
         has a table of its own, for speed.
folds    what a character becomes when its accents are taken off and it is put into lower case. A run either
         keeps its distance to its target or all of it becomes one character; it covers each code point or each
         second one. Compatibility ideographs (U+F900, U+2F800) are left out, for size.

and three for WordPiece alone, whose first implementation knows the categories of Unicode 8 only:

kept     runs of marks, format characters and punctuation that it takes for letters: marks that take room or
         enclose, and what came after Unicode 8. What lies between and is treated the same joins runs.
pairs    characters that decompose into two of which the second is not taken off; the first may be a pair again.
ideographs  what compatibility ideographs stand for: the low 16 bits; a bit apart tells that it is of U+20000.
"""
import re
import sys

FOLDER = "/usr/share/unicode/"
END = 0x110000
CLASSES = ["UNASSIGNED", "CONTROL", "UPPER", "LOWER", "OTHER_LETTER", "MARK", "NUMBER", "PUNCTUATION", "SYMBOL",
           "SEPARATOR"]
UPPER_FIRST, LOWER_FIRST = 10, 11
CATEGORY = {"Lu": 2, "Lt": 2, "Ll": 3, "Lm": 4, "Lo": 4, "C": 1, "M": 5, "N": 6, "P": 7, "S": 8, "Z": 9}
STEP = 32


def read(path):
    classes, lower, decomposed, categories = [0] * END, {}, {}, {}
    previous = 0
    for line in open(path):
        field = line.split(";")
        code = int(field[0], 16)
        start = previous if field[1].endswith(", Last>") else code
        category = field[2]
        for c in range(start, code + 1):
            classes[c] = CATEGORY.get(category) or CATEGORY[category[0]]
        previous = code
        if field[13]:
            lower[code] = int(field[13], 16)
        if field[5] and field[5][0] != "<":
            decomposed[code] = [int(part, 16) for part in field[5].split()]
        for c in range(start, code + 1):
            categories[c] = category
    return classes, lower, decomposed, categories


def runs_of(classes):
    runs, at = [], 0
    while at < END:
        end = at
        while end < END and classes[end] == classes[at]:
            end += 1
        if classes[at] in (2, 3):
            turn, expected = at, classes[at]
            while turn < END and classes[turn] == expected:
                expected = 5 - expected
                turn += 1
            if turn - at > max(end - at, 2):
                runs.append((UPPER_FIRST if classes[at] == 2 else LOWER_FIRST, turn - at))
                at = turn
                continue
        runs.append((classes[at], end - at))
        at = end
    return runs


def folds_of(classes, lower, decomposed):
    fold = {}
    for code in range(END):
        base = code
        while base in decomposed:
            base = decomposed[base][0]
        base = lower.get(base, base)
        ideograph = 0xF900 <= code <= 0xFAFF or 0x2F800 <= code <= 0x2FA1F
        if base != code and classes[code] != 5 and not ideograph:
            fold[code] = base
    keys, runs, at = sorted(fold), [], 0
    while at < len(keys):
        start, target = keys[at], fold[keys[at]]
        best = (0, 0, 0)
        for stride in (1, 2):
            for moves in (0, 1):
                n = 1
                while n < 64 and at + n < len(keys):
                    code = start + n * stride
                    if code not in fold or (stride == 2 and code - 1 in fold):
                        break
                    if fold[code] != target + (n * stride if moves else 0):
                        break
                    n += 1
                if n > best[0]:
                    best = (n, stride, moves)
        runs.append((start, target) + best)
        at += best[0]
    return runs


def table(kind, name, values, width):
    print("static const %s %s[%d] = {" % (kind, name, len(values)))
    line = "   "
    for value in values:
        text = " " + (width % value) + ","
        if len(line) + len(text) > 110:
            print(line)
            line = "   "
        line += text
    print(line + "\n};")


def ages(path):
    age = {}
    for line in open(path):
        found = re.match(r"([0-9A-F]+)(?:\.\.([0-9A-F]+))? *; ([0-9.]+)", line)
        if found:
            for code in range(int(found[1], 16), int(found[2] or found[1], 16) + 1):
                age[code] = float(found[3])
    return age


def kept_runs(categories, age):
    """Runs of what is a mark, format character or punctuation here, and a letter to WordPiece."""
    def is_letter(code):
        if code in (0x1734, 0x1885, 0x1886, 0xA9BD):  # was Mn, were none
            return code > 0x1734
        category = categories.get(code, "Lo")
        late = age.get(code, 0) > 8 and (category in ("Mn", "Cf") or category[0] == "P")
        return category in ("Mc", "Me") or late or category[0] not in "CMPZ"

    def is_needed(code):
        return code in categories and categories[code][0] in "CMP" and is_letter(code)

    runs, needed = [], []
    for code in range(END + 1):
        if code < END and is_letter(code):
            if is_needed(code):
                needed.append(code)
        elif needed:
            runs.append((needed[0], needed[-1]))
            needed = []
    return runs


def words(decomposed, categories):
    is_ideograph = lambda code: 0xF900 <= code <= 0xFAFF or 0x2F800 <= code <= 0x2FA1F
    runs = kept_runs(categories, ages(FOLDER + "DerivedAge.txt"))
    kept = {code for start, end in runs for code in range(start, end + 1)}
    pairs = {}
    for code in sorted(decomposed):
        first, second = (decomposed[code] + [None])[:2]
        if second is not None and not is_ideograph(code) and (second in kept or first in pairs):
            pairs[code] = (code, first, second)
    pairs = pairs.values()
    print("/* What lies above U+FFFF comes last and is written less U+10000. */")
    print("enum { PAIRS = %d, PAIRS_BMP = %d };" % (len(pairs), sum(pair[0] < 0x10000 for pair in pairs)))
    assert all(p >> 16 == pair[0] >> 16 <= 1 for pair in pairs for p in pair)
    table("uint16_t", "pairs", [code & 0xFFFF for pair in pairs for code in pair], "0x%X")
    print("/* start << 11 | length - 1 */")
    assert all(end - start < 2048 for start, end in runs)
    table("uint32_t", "kept", [start << 11 | end - start for start, end in runs], "0x%X")
    stands = [decomposed.get(code, [code])[0] for code in list(range(0xF900, 0xFADA)) + list(range(0x2F800, 0x2FA1E))]
    print("/* U+F900 … U+FAD9, U+2F800 … U+2FA1D */")
    table("uint16_t", "ideographs", [code & 0xFFFF for code in stands], "0x%X")
    table("uint8_t", "ideographs_high", [sum((stands[i] >> 17) << i - at for i in range(at, min(at + 8, len(stands))))
                                         for at in range(0, len(stands), 8)], "%d")


def main():
    for_words = sys.argv[1:] == ["words"]
    classes, lower, decomposed, categories = read(FOLDER + "UnicodeData.txt")
    stream, starts, places, code = [], [], [], 0
    for i, (kind, n) in enumerate(runs_of(classes)):
        if i % STEP == 0:
            starts.append(code)
            places.append(len(stream))
        code += n
        extra = 0 if n <= 13 else 1 if n < 1 << 8 else 2 if n < 1 << 16 else 3
        stream.append(kind << 4 | (n - 1 if extra == 0 else 12 + extra))
        stream += [n >> 8 * k & 255 for k in range(extra)]
    folds = folds_of(classes, lower, decomposed)
    assert all(start >> 16 == target >> 16 and start >> 16 <= 1 for start, target, _, _, _ in folds)
    assert len(stream) < 1 << 16
    print("/* SPDX-License-Identifier: Unicode-3.0")
    print(" *")
    print(" * %s: made by tools/unicode.py from the Unicode Character Database; see there for the form."
          % ("wordpiece_data.h" if for_words else "unicode_data.h"))
    print(" * Do not edit. */")
    print("/* clang-format off */")
    if for_words:
        words(decomposed, categories)
        print("/* clang-format on */")
        return
    for i, name in enumerate(CLASSES):
        print("#define UNICODE_%s %d" % (name, i))
    print("#define UNICODE_UPPER_FIRST %d" % UPPER_FIRST)
    print("#define UNICODE_LOWER_FIRST %d" % LOWER_FIRST)
    table("uint8_t", "class_ascii", classes[:128], "%d")
    table("uint8_t", "class_runs", stream, "%d")
    table("uint32_t", "class_starts", starts, "0x%X")
    table("uint16_t", "class_places", places, "%d")
    print("/* runs from here on are of U+10000 and above, less U+10000 */")
    print("enum { FOLDS_BMP = %d };" % sum(start < 0x10000 for start, _, _, _, _ in folds))
    table("uint16_t", "fold_starts", [f[0] & 0xFFFF for f in folds], "0x%X")
    table("uint16_t", "fold_targets", [f[1] & 0xFFFF for f in folds], "0x%X")
    print("/* length - 1, + 64 each second code point, + 128 keeps its distance */")
    table("uint8_t", "fold_shapes", [n - 1 + 64 * (stride - 1) + 128 * moves for _, _, n, stride, moves in folds],
          "%d")
    print("/* clang-format on */")


main()
