#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write unidata.c: what Unicode 16.0 says of characters, packed.

usage: unidata.py [UCD] >unidata.c        (by hand: make unidata)

Needs the module unicodedataplus 16.0.0 (PyPI), from which come general
category, script, script extensions, age, break and emoji properties; and in
UCD the files CaseFolding.txt and PropList.txt of Unicode 15.0 (default:
/usr/share/unicode, Debian 12's package unicode-data). What 15.1 and 16.0 added
to these two is named below: 15.1 nothing, 16.0 these case pairs, and
characters of a property that the category does not tell.
"""
import os
import re
import sys

import unicodedataplus as u

UCD = sys.argv[1] if len(sys.argv) > 1 else "/usr/share/unicode"
TOP = 0x110000
FOLD_16 = [(0xA7CB, 0x264), (0xA7CC, 0xA7CD), (0xA7DA, 0xA7DB),
           (0xA7DC, 0x19B), (0x1C89, 0x1C8A)] + [
               (c, c + 0x20) for c in range(0x10D50, 0x10D66)]
# Alphabetic in 16.0 but not by category and 15.0's Other_Alphabetic (found by
# asking regex 1.12 for every mark and symbol)
ALPHA_16 = [c for lo, hi in (
    (0x363, 0x36F), (0x897, 0x897), (0x1DD3, 0x1DE6), (0x10D69, 0x10D69),
    (0x10EFC, 0x10EFC), (0x113B8, 0x113C0), (0x113C2, 0x113C2),
    (0x113C5, 0x113C5), (0x113C7, 0x113CA), (0x113CC, 0x113CD),
    (0x1611E, 0x1612E)) for c in range(lo, hi + 1)]

CATEGORIES = """Cc Cf Cn Co Cs Ll Lm Lo Lt Lu Mc Me Mn Nd Nl No Pc Pd Pe Pf Pi
Po Ps Sc Sk Sm So Zl Zp Zs""".split()


def norm(s):
    return re.sub(r"[ _-]", "", s).lower()


def ucd(name):
    for line in open(os.path.join(UCD, name), encoding="utf-8"):
        f = [x.strip() for x in line.split("#")[0].split(";")]
        if len(f) >= 2:
            lo, _, hi = f[0].partition("..")
            yield int(lo, 16), int(hi or lo, 16), f[1:]


def prop(name):
    return {c for lo, hi, f in ucd("PropList.txt") if f[0] == name
            for c in range(lo, hi + 1)}


def varint(n):
    out = b""
    while n > 0x7f:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def runs(values):
    """Value and length of each run, for all code points."""
    out, start = b"", 0
    for c in range(1, TOP + 1):
        if c == TOP or values[c] != values[start]:
            out += bytes([values[start]]) + varint(c - start)
            start = c
    return out


def ranges(members):
    """Gap and length of each range; 0 0 at the end."""
    out, at, c = b"", 0, 0
    order = sorted(members)
    while c < len(order):
        end = c
        while end + 1 < len(order) and order[end + 1] == order[end] + 1:
            end += 1
        out += varint(order[c] - at) + varint(end - c + 1)
        at = order[end] + 1
        c = end + 1
    return out + b"\0\0"


def put_bytes(name, data):
    print("\nconst uint8_t %s[%d] = {" % (name, len(data)))
    for i in range(0, len(data), 19):
        print("\t" + "".join("%d," % b for b in data[i:i + 19]))
    print("};")


def put_names(name, pairs):
    print("\nconst struct unidata_name %s[%d] = {" % (name, len(pairs) + 1))
    for text, value in sorted(pairs):
        print('\t{ "%s", %s },' % (text, value))
    print('\t{ "", 0 },\n};')


def numbered(get, names, first):
    """The runs of a property whose values are words, and its names."""
    ids = {first: 0}
    vals = [ids.setdefault(get(chr(c)), len(ids)) for c in range(TOP)]
    return runs(vals), sorted({(norm(n), ids[long]) for long in ids
                               for n in names(long)})


chars = [chr(c) for c in range(TOP)]
cat = [u.category(c) for c in chars]

# ---- case folding: orbits, as steps from each member to each other one ----
orbit = {}


def join(a, b):
    both = orbit.get(a, {a}) | orbit.get(b, {b})
    for c in both:
        orbit[c] = both


for lo, hi, f in ucd("CaseFolding.txt"):
    if f[0] in "CS":
        join(lo, int(f[1], 16))
for a, b in FOLD_16:
    join(a, b)
steps = {}
for c, both in orbit.items():
    for d in both - {c}:
        steps.setdefault(d - c, []).append(c)
folds = []
for delta, members in steps.items():
    members.sort()
    while members:
        best = None
        for stride in (1, 2):
            n = 1
            while n < len(members) and \
                    members[n] == members[n - 1] + stride:
                n += 1
            if best is None or n > best[0]:
                best = (n, stride)
        n, stride = best
        folds.append((members[0], n, stride, delta))
        members = members[n:]
folds.sort()

# ---- general category ----
groups = {"c": "Cc Cf Cn Co", "lc": "Ll Lt Lu", "assigned": None, "any": None}
for k in CATEGORIES:
    groups.setdefault(k[0].lower(), "")
long = {"c": "other", "cc": "control cntrl", "cf": "format",
        "cn": "unassigned", "co": "privateuse", "l": "letter",
        "lc": "casedletter", "ll": "lowercaseletter",
        "lm": "modifierletter", "lo": "otherletter",
        "lt": "titlecaseletter", "lu": "uppercaseletter",
        "m": "mark combiningmark", "mc": "spacingmark",
        "me": "enclosingmark", "mn": "nonspacingmark", "n": "number",
        "nd": "decimalnumber digit", "nl": "letternumber",
        "no": "othernumber", "p": "punctuation punct",
        "pc": "connectorpunctuation", "pd": "dashpunctuation",
        "pe": "closepunctuation", "pf": "finalpunctuation",
        "pi": "initialpunctuation", "po": "otherpunctuation",
        "ps": "openpunctuation", "s": "symbol", "sc": "currencysymbol",
        "sk": "modifiersymbol", "sm": "mathsymbol", "so": "othersymbol",
        "z": "separator", "zl": "lineseparator",
        "zp": "paragraphseparator", "zs": "spaceseparator"}


def mask(names):
    return "0x%x" % sum(1 << CATEGORIES.index(n) for n in names)


gc_names = []
for k in CATEGORIES:
    if k != "Cs":
        gc_names += [(n, mask([k])) for n in
                     [k.lower()] + long[k.lower()].split()]
for k in groups:
    if k == "any":
        gc_names.append((k, mask(CATEGORIES)))
    elif k == "assigned":
        gc_names.append((k, mask([c for c in CATEGORIES if c != "Cn"])))
    else:
        which = groups[k].split() or \
            [c for c in CATEGORIES if c[0].lower() == k]
        gc_names += [(n, mask(which)) for n in [k] + long[k].split()]

# ---- scripts ----
alias = u.property_value_aliases["script"]
scripts = sorted({u.script(c) for c in chars} - {"Unknown"})
sid = {n: i + 1 for i, n in enumerate(scripts)}
sid["Unknown"] = 0
short = {a: n for n in sid for a in alias[n]}
sc = [sid[u.script(c)] for c in chars]
sets, scx = {}, []
for i, c in enumerate(chars):
    have = tuple(sorted(sid[short[s]] for s in u.script_extensions(c)))
    scx.append(0 if have == (sc[i],) else
               sets.setdefault(have, len(sets) + 1))
assert len(sets) < 256
sets = b"".join(bytes([len(s)]) + bytes(s) for s in sets) + b"\0"
sc_names = sorted({(norm(n), sid[s]) for s in scripts
                   for n in [s] + alias[s]})

# ---- age ----
ages = sorted({u.age(c) for c in chars} - {"Unassigned"},
              key=lambda a: [int(x) for x in a.split(".")])
age = [0 if u.age(c) == "Unassigned" else ages.index(u.age(c)) + 1
       for c in chars]
for c in range(0xFFFE, TOP, 0x10000):   # noncharacters have one too
    age[c] = age[c + 1] = ages.index("1.1" if c == 0xFFFE else "2.0") + 1
for c in range(0xFDD0, 0xFDF0):
    age[c] = ages.index("3.1") + 1
age_names = [(n, i + 1) for i, a in enumerate(ages)
             for n in (a, "v" + a.replace(".", ""))]

# ---- yes or no ----
cats = {k: {c for c in range(TOP) if cat[c] == k} for k in CATEGORIES}
lower = cats["Ll"] | prop("Other_Lowercase")
upper = cats["Lu"] | prop("Other_Uppercase")
alpha = lower | upper | cats["Lt"] | cats["Lm"] | cats["Lo"] | cats["Nl"] | \
    prop("Other_Alphabetic") | set(ALPHA_16)
space = prop("White_Space")
join_control = prop("Join_Control")
word = alpha | cats["Mn"] | cats["Mc"] | cats["Me"] | cats["Nd"] | \
    cats["Pc"] | join_control
# the word class first: uniprop.c counts on it
flags = [("word class", [], word),
         ("White_Space", ["whitespace", "wspace", "space"], space),
         ("Alphabetic", ["alphabetic", "alpha"], alpha),
         ("Lowercase", ["lowercase", "lower"], lower),
         ("Uppercase", ["uppercase", "upper"], upper),
         ("Join_Control", ["joincontrol", "joinc"], join_control)]
for name, names in (("emoji", ["emoji"]),
                    ("emoji_presentation", ["emojipresentation", "epres"]),
                    ("emoji_modifier", ["emojimodifier", "emod"]),
                    ("emoji_modifier_base", ["emojimodifierbase", "ebase"]),
                    ("emoji_component", ["emojicomponent", "ecomp"])):
    f = getattr(u, "is_" + name)
    flags.append((name, names, {i for i, c in enumerate(chars) if f(c)}))

print("""/* SPDX-License-Identifier: Apache-2.0 */
/* unidata.c - what Unicode 16.0 says of characters, packed.
 *
 * Written by unidata.py from unicodedataplus %s (PyPI) and Unicode 15.0's
 * CaseFolding.txt and PropList.txt, with 16.0's additions to these, which it
 * names.  Do not edit.
 */
#include "base/unidata.h\"""" % u.unidata_version)
put_bytes("unidata_category", runs([CATEGORIES.index(k) for k in cat]))
put_names("unidata_category_names", gc_names)
put_bytes("unidata_script", runs(sc))
put_bytes("unidata_scx", runs(scx))
put_bytes("unidata_scx_sets", sets)
put_names("unidata_script_names", sc_names)
put_bytes("unidata_age", runs(age))
put_names("unidata_age_names", age_names)
blob, offsets, names = b"", [], []
for _, aliases, members in flags:
    names += [(n, len(blob)) for n in aliases]
    blob += ranges(members)
put_bytes("unidata_flags", blob)
put_names("unidata_flag_names", names)
print("\nconst struct unidata_fold unidata_folds[%d] = {" % (len(folds) + 1))
for f in folds:
    print("\t{ 0x%x, %d, %d, %d }," % f)
print("\t{ 0, 0, 0, 0 },\n};")
