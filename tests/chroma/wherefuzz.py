#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random filters on random records, for whereprobe.py and wherecheck.

usage: wherefuzz.py make SEED FILTERS
       wherefuzz.py compare FILTERS MINE REAL

make writes where.ops (120 records) and where.filters (so many filters, about
a quarter of which Chroma refuses) into the current directory. compare says
which answers differ: first differences on standard output, the counts last;
exit status 1 if there are any, or if hardly anything was refused or selected.
"""
import json
import random
import sys

INTS = [0, 1, -1, 2, 3, 5, 7, 10 ** 15, 2 ** 53, 2 ** 53 + 1, 2 ** 63 - 1,
        -2 ** 63, -2 ** 63 + 1]
FLOATS = [0.0, -0.0, 1.0, 1.5, -1.5, 2.0, 0.1, 0.5, -0.5, 5e-324, 1e-320,
          4.999999999999999, 0.30000000000000004, 0.42451918914251396,
          365688.91691258556, 123456789012345.67, 2.0 ** 53, 2.0 ** 63,
          -2.0 ** 63, 1e15, 1e16, 1e19, 1e300, -1e300,
          1.7976931348623157e308]
TEXTS = ["", "a", "A", "ab", "a\0b", "\u00e9", "\u00c9", "%", "_", "\\", "1",
         "true", "\U0001f600", "a\"b", "\u00e9\u00e8", "\n", "e\u0301"]
DOCUMENTS = ["the quick", "THE QUICK", "100%", "100x", "a_b", "axb", "a\\b",
             "", "ab", "x\0yz", "\u4e2d\u6587\u641c\u7d22", "\u00e9",
             "ab\0cd", "it's", "%", "\\", "\\%", "hi \U0001f600!"]
PIECES = ["a", "b", "q", "quick", "%", "_", "\\", "a_b", "0%",
          "\u4e2d\u6587", "\0", "x\0", "b\0c", "ab\0", "\u00e9", "\\%",
          "it's", "", "x", "ab", "z", "\U0001f600"]
PATTERNS = ["a", "^a", "b$", "(?i)THE", "q.i", "[^a-z]", "\\d+", "^$", "\\bab",
            "x|y", "a.*b", "\0", "^.$", "\\pL\\PL", "(", "[z-a]", "*", "\\1",
            "\u00e9|%", "", "(?s)^.{2,5}$", "\\w+\\W"]
URIS = ["", "u", "file:///a\u00e9", "a\\b"]
KEYS = ["a", "b", "c", "\u00e9", "a\"", "a\0"]
ODD_KEYS = ["#document", "$gt", "$x", "#id", "", "$and", "\ud800"]
LISTS = [INTS, FLOATS, TEXTS, [True, False]]
OPERATORS = ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$contains",
             "$not_contains", "$in", "$nin"]
JOINTS = ["$and", "$or"]

chance = random.random
pick = random.choice


def number():
    """Floats of all sizes: most are not read as what they are."""
    return random.uniform(-1, 1) * 10.0 ** random.randint(-30, 30)


def scalar():
    r = chance()
    if r < .3:
        return pick(INTS)
    if r < .6:
        return pick(FLOATS)
    return pick(TEXTS) if r < .9 else chance() < .5


def metadata(shared):
    m = {}
    for key in KEYS:
        r = chance()
        if r < .3:
            continue
        if r < .45:
            values = pick(LISTS)
            m[key] = [pick(values) for _ in range(random.randint(1, 3))]
        elif r < .55:
            m[key] = pick(shared)
        elif r < .57:
            m[key] = pick([float("nan"), float("inf"), -float("inf")])
        else:
            m[key] = scalar()
    return m


def wrong():
    return pick([None, [], {}, [1], 2 ** 63, 2 ** 64 - 1, 2 ** 64, 2 ** 70,
                 -2 ** 63 - 1, -2 ** 80, [None], float("nan"), float("inf"),
                 {"$eq": 1}, "\ud800", 10 ** 400])


def value_list():
    if chance() > .85:
        return [scalar() for _ in range(random.randint(0, 3))]
    values = pick(LISTS + [INTS + [2 ** 63, 2 ** 64, 2 ** 65],
                           [2 ** 64, 2 ** 63, 2 ** 53 + 1, -2 ** 63 - 1]])
    return [pick(values) for _ in range(random.randint(1, 4))]


def children(make, depth):
    n = random.randint(2, 3) if chance() < .9 else pick([0, 1])
    return [make(depth + 1) for _ in range(n)]


def where(shared, depth=0):
    if depth < 3 and chance() < .25:
        return {pick(JOINTS): children(lambda d: where(shared, d), depth)}
    r = chance()
    key = (pick(KEYS) if r < .8 else "zz" if r < .84 else
           "chroma:document" if r < .89 else "chroma:uri" if r < .92 else
           "#document" if r < .96 else pick(ODD_KEYS))
    r = chance()
    value = (pick(DOCUMENTS + URIS) if key.startswith("chroma:") and r < .7
             else pick(PIECES) if key == "#document" and r < .8
             else pick(shared) if r < .15 else scalar() if r < .96
             else wrong())
    if chance() < .2:
        return {key: value}
    op = pick(OPERATORS)
    if key == "#document" and chance() < .8:
        op = pick(["$contains", "$not_contains"])
    if op in ("$in", "$nin"):
        value = value_list()
    cond = {op: value}
    if chance() < .01:
        cond["$eq"] = 1
    if chance() < .01:
        cond = {pick(["$regex", "eq", "", "$and", "$not"]): value}
    return {key: cond}


def where_document(depth=0):
    if depth < 2 and chance() < .25:
        return {pick(JOINTS): children(where_document, depth)}
    op = pick(["$contains", "$not_contains"])
    if chance() < .02:
        return pick([{"$in": ["a"]}, {"a": "b"}, {op: 1}, {}, {op: ["a"]}])
    if chance() < .25:
        return {pick(["$regex", "$not_regex"]): pick(PATTERNS)}
    return {op: pick(PIECES)}


def emit(f, obj):
    print(json.dumps(obj, ensure_ascii=True if "ud800" in json.dumps(obj)
                     else chance() < .5), file=f)


def make(seed, filters):
    random.seed(seed)
    shared = [number() for _ in range(30)]
    with open("where.ops", "w", encoding="utf-8") as f:
        for i in range(120):
            op = {"id": "r%d" % i}
            m = metadata(shared)
            if m:
                op["metadata"] = m
            if chance() < .7:
                op["document"] = pick(DOCUMENTS)
            if chance() < .3:
                op["uri"] = pick(URIS)
            emit(f, op)
    with open("where.filters", "w", encoding="utf-8") as f:
        for _ in range(filters):
            flt = {}
            if chance() < .8:
                flt["where"] = where(shared)
            if not flt or chance() < .25:
                flt["where_document"] = where_document()
            emit(f, flt)


def compare(filters, mine, real):
    texts = [open(p, encoding="utf-8").read().splitlines()
             for p in (filters, mine, real)]
    if len({len(t) for t in texts}) != 1:
        print("not as many answers as filters:", [len(t) for t in texts])
        return 1
    refused = chosen = differ = 0
    for flt, a, b in zip(*texts):
        a, b = json.loads(a), json.loads(b)
        refused += "error" in b
        chosen += bool(b.get("ids"))
        if a.get("error") not in (None, 2) or ("error" in a) != (
                "error" in b) or sorted(a.get("ids", [])) != sorted(
                b.get("ids", [])):
            differ += 1
            if differ <= 5:
                print("filter:", flt)
                print("  mine:", json.dumps(a)[:300])
                print("  real:", json.dumps(b)[:300])
                print("  only one has:", sorted(set(a.get("ids", [])) ^
                                                set(b.get("ids", []))))
    print("%d filters, %d refused, %d select something, %d differ" %
          (len(texts[0]), refused, chosen, differ))
    return int(differ > 0 or refused * 20 < len(texts[0]) or
               chosen * 5 < len(texts[0]))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(int(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(compare(*sys.argv[2:]))
