# SPDX-License-Identifier: Apache-2.0
"""chroma-walfilter --redact beside a few lines that do the same.

redact.py same KEY STREAM...    every combination of words, of every STREAM (JSONL) and of its
                                binary form
redact.py none KEY STREAM       every combination: nothing that was taken out is in the output, in
                                plain or in base64; what was not is. In STREAM, the
                                text of MARKS is in all that belongs to its word
Prints what is wrong; status 0: nothing is.
"""
import base64
import hashlib
import hmac
import itertools
import json
import re
import subprocess
import sys

WORDS = ["documents", "metadata", "ids", "embeddings", "names"]
GONE = {"documents": ["document", "uri"], "metadata": ["metadata"], "embeddings": ["embedding", "length"]}
KNOWN = ["tenant", "database", "collection", "collection_id", "seq_id", "created_at", "operation",
         "label", "id", "level", "deleted", "length", "links", "embedding", "document", "uri", "metadata"]
NAMES = ["tenant", "database", "collection", "name"]
MARKS = {"documents": "ZPARAGRAPHZ", "metadata": "WPROPERTYW", "ids": "QIDENTIFIERQ",
         "embeddings": "WFZFQ1RPUlhWRUNU", "names": "VAPPELLATIONV"}
wrong = 0


def say(text):
    global wrong
    wrong += 1
    if wrong < 20:
        print(text[:600])


def run(*args, stdin=None):
    return subprocess.run(["chroma-walfilter", *args], input=stdin, stdout=subprocess.PIPE,
                          check=True).stdout


def combinations():
    for n in range(1, 6):
        yield from itertools.combinations(WORDS, n)


def options(words, key):
    return ["--redact=" + ",".join(words)] + (
        ["--key-file=" + key] if set(words) & {"ids", "names"} else [])


class Pairs(list):
    """An object, the order of its members kept."""


def loads(line):
    return json.loads(line, object_pairs_hook=Pairs, parse_float=lambda s: ("float", s))


def expected(line, words, key):
    def digest(text):
        return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]

    pairs = loads(line)
    kind = dict(pairs)["type"]
    if kind == "end":
        return pairs
    if kind == "begin":
        got = Pairs()
        for k, v in pairs:
            if k == "source" and "names" in words:
                v = Pairs((a, [Pairs((x, digest(y) if x in NAMES and y is not None else y)
                                     for x, y in c) for c in b] if a == "collections" else b)
                          for a, b in v)
            got.append((k, v))
            if k == "version":
                got.append(("redacted", [w for w in WORDS if w in words]))
                if "embeddings" in words:
                    got.insert(-1, ("embedding", "none"))
        return sorted(got, key=lambda p: p[0] == "source")
    gone = [f for w in words for f in GONE.get(w, [])]
    have = dict(pairs)
    got = Pairs([("type", kind)])
    for k in KNOWN:
        if k not in have or k in gone:
            continue
        v = have[k]
        if (k == "id" and "ids" in words) or (k in NAMES and "names" in words):
            v = digest(v)
        got.append((k, v))
    return got


def same(keyfile, *paths):
    with open(keyfile, "rb") as f:
        key = f.read()
    for path in paths:
        with open(path, encoding="utf-8") as f:
            lines = f.read().split("\n")[:-1]
        binary = run("-b", path)
        for words in combinations():
            out = run(*options(words, keyfile), path)
            if run("-j", *options(words, keyfile), stdin=binary) != out:
                say("%s: %s: the binary form gives something else" % (path, words))
            there = run("-b", *options(words, keyfile), path)
            if run("-j", stdin=there) != out:
                say("%s: %s: to the binary form and back is something else" % (path, words))
            got = out.decode().split("\n")[:-1]
            if len(got) != len(lines):
                say("%s: %s: %d lines, not %d" % (path, words, len(got), len(lines)))
            for line, have in zip(lines, got):
                want = expected(line, words, key)
                have = loads(have)
                if dict(want)["type"] == "begin":   # where a mark stands is no matter
                    want, have = sorted(want, key=str), sorted(have, key=str)
                if have != want:
                    say("%s: %s: is %s, should be %s" % (path, words, have, want))


def forms(text):
    """As it is, and as it is found in base64 of something longer."""
    yield text.encode()
    for pad in range(3):
        inside = base64.b64encode(b"x" * pad + text.encode() + b"yyy")
        yield inside[4 if pad else 0:len(text) // 3 * 4]


def none(keyfile, path):
    for words in combinations():
        for form in ("-j", "-b"):
            out = run(form, *options(words, keyfile), path)
            for word, mark in MARKS.items():
                found = any(x in out for x in forms(mark))
                if form == "-b" and word == "embeddings":
                    found = base64.b64decode(mark) in out
                if found != (word not in words):
                    say("%s %s: %s is %s" % (form, words, mark, "there" if found else "gone"))
            for mark in (b"SECRETOTHER", b"raw") + (b"\\u0056",) * ("names" in words):
                if mark in out:
                    say("%s %s: %s is there" % (form, words, mark))
            if re.search(rb":null", out):
                say("%s %s: something is null" % (form, words))


if __name__ == "__main__":
    {"same": same, "none": none}[sys.argv[1]](*sys.argv[2:])
    sys.exit(wrong > 0)
