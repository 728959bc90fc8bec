#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a real Chroma says to random regular expressions, as t_regex reads it.

usage: PYTHON regex.py SEED BATCHES [PATTERNS] >FILE
       PYTHON regex.py again FILE >FILE

Each batch has new texts, and PATTERNS (200) regular expressions made from a
grammar, some of them broken afterwards.  "again" asks what FILE asks.
"""
import json
import random
import shutil
import sys
import tempfile

import chromadb
from chromadb.config import Settings

CHARS = list("aaabbcABkKsSxz09_-. ,\n\n\r\t#]") + [
    "\r\n", "\0", "\u00e9", "\u00c9", "\u00df", "\u1e9e", "\u212a", "\u017f",
    "\u03c3", "\u03c2", "\u03a3", "\u0130", "\u0131", "\u0301", "\u0663",
    "\u00a0", "\u0085", "\u2028", "\u200d", "\u4e2d", "\uac00", "\U0001f600",
    "\U00010400", "\U00010428", "\u1c8a", "\u0345", "\u1fbe", "\u03b9"]
PROPS = """L Lu Ll Lt Nd N P Pc Z Zs S So M Mn C Cc Cn LC Any ASCII Assigned
Greek Latin Han Common Inherited Hangul sc=Grek scx=Grek scx:Latn sc!=Latin
gc=Lu gc!=L Alphabetic Uppercase lowercase White_Space Emoji age=6.1 V6_1
IsLatin is_greek foo Cs Armenian Arabic Zyyy Deseret scx=Zyyy""".split()
META = set("\\.+*?()|[]{}^$#&-~")


def char(r):
    return r.choice(CHARS)


def literal(r, inside=False):
    c = char(r)[0]
    k = r.random()
    if k < 0.05:
        return "\\x{%x}" % ord(c)
    if k < 0.08:
        return "\\u%04x" % ord(c) if ord(c) < 65536 else "\\U%08x" % ord(c)
    if k < 0.10:
        return "\\" + r.choice("nrtfav.,-#& ")
    return "\\" + c if c in META or (inside and c in "^-]&~") else c


def escape(r):
    k = r.random()
    if k < 0.55:
        return "\\" + r.choice("dswDSW")
    p = r.choice(PROPS)
    if len(p) == 1 and k < 0.7:
        return "\\" + r.choice("pP") + p
    return "\\" + r.choice("ppP") + "{" + p + "}"


def cls(r, depth=0):
    out = "[" + ("^" if r.random() < 0.25 else "")
    for _ in range(r.randint(1, 4)):
        k = r.random()
        if k < 0.45:
            out += literal(r, True)
        elif k < 0.65:
            a, b = sorted((char(r)[0], char(r)[0]))
            out += "\\x{%x}-\\x{%x}" % (ord(a), ord(b))
        elif k < 0.78:
            out += escape(r)
        elif k < 0.84:
            out += "[:%s%s:]" % (r.choice(["", "", "^"]), r.choice(
                "alnum alpha ascii blank cntrl digit graph lower print punct"
                " space upper word xdigit foo".split()))
        elif k < 0.92 and depth < 3:
            out += cls(r, depth + 1)
        else:
            out += r.choice(["&&", "--", "~~", "-", "a-c", "&", "a-"])
    return out + "]"


def atom(r, depth):
    k = r.random()
    if k < 0.42:
        return "".join(literal(r) for _ in range(r.randint(1, 3)))
    if k < 0.50:
        return "."
    if k < 0.60:
        return escape(r)
    if k < 0.70:
        return cls(r)
    if k < 0.82:
        return r.choice(["^", "$", "\\b", "\\B", "\\A", "\\z", "\\<", "\\>",
                         "\\b{start}", "\\b{end}", "\\b{start-half}",
                         "\\b{end-half}"])
    if k < 0.86:
        return flags(r) + ")"
    if depth > 3:
        return "b"
    return r.choice(["(", "(?:", "(?:", "(?P<n%d>" % r.randint(0, 99),
                     flags(r) + ":", flags(r) + ":"]) + \
        alternation(r, depth + 1) + ")"


def flags(r):
    on = "".join(r.sample("iiimmsRUuxx"[:], 1)) if r.random() < 0.8 else \
        "".join(set(r.sample("imsRUx", 2)))
    off = r.choice(["", "", "-u", "-s", "-i", "-m"])
    return "(?" + on + (off if off and off[1] not in on else "")


def concat(r, depth):
    out = ""
    for _ in range(r.randint(0 if depth else 1, 4)):
        out += atom(r, depth)
        k = r.random()
        if k < 0.3:
            out += r.choice(["*", "+", "?", "*?", "{2}", "{0,2}", "{1,}",
                             "{0}", "{1}", "{ 1 , 2 }", "??", "+*"])
    return out


def alternation(r, depth=0):
    return "|".join(concat(r, depth)
                    for _ in range(r.choice([1, 1, 1, 2, 2, 3])))


def minus_u(r):
    """Where Rust simplifies what Chroma then takes or refuses."""
    parts = ["a", "b", "[ab]", "[b&&c]", "\\d", "(?:[ab]|c)", "(?:[a&&b])",
             "[a]", "ab", "\\xe9", "\u00e9", "(?:a|b)", "[a&&b]{0}", "(a)",
             "[cd]{1}", "(?i:s)", "(?i:\u00e9)", "()", "", "[^a]", "(?:|a)"]
    out = "|".join("".join(r.choice(parts) for _ in
                           range(r.choice([1, 1, 1, 2])))
                   for _ in range(r.randint(1, 4)))
    return r.choice(["(?-u)", "(?-u)", ""]) + r.choice(["%s", "(?:%s)x*"]) \
        % out


def pattern(r):
    if r.random() < 0.08:
        return minus_u(r)
    out = alternation(r)
    if r.random() < 0.3:
        out = flags(r) + ")" + out
    while r.random() < 0.15 and out:
        i = r.randrange(len(out))
        out = out[:i] + r.choice(["", char(r), r.choice("()[]{}|*?\\^&-:x")]) \
            + out[i + r.randint(0, 1):]
    return out


def text(r):
    return "".join(char(r) for _ in range(r.choice([0, 1, 2, 3, 5, 8, 14])))


class Asked:
    """A collection of texts that answers."""

    def __init__(self, client, texts):
        self.coll = client.create_collection("regex", embedding_function=None)
        self.ids = ["%d" % i for i in range(len(texts))]
        self.coll.add(ids=self.ids, documents=texts,
                      embeddings=[[1, 0]] * len(texts))

    def answer(self, pattern):
        """A digit for each text, or "refused"; None: too large for Rust."""
        try:
            got = set(self.coll.get(where_document={"$regex": pattern},
                                    include=[])["ids"])
            return "".join("01"[i in got] for i in self.ids)
        except chromadb.errors.InternalError:
            return None
        except Exception as e:
            if type(e).__name__ != "InvalidArgumentError":
                raise
            return "refused"


def rounds():
    """Lists of texts and iterables of lines (with "regex")."""
    if sys.argv[1] == "again":
        with open(sys.argv[2], encoding="utf-8") as f:
            lines = [json.loads(x) for x in f]
        starts = [i for i, x in enumerate(lines) if "texts" in x]
        for i, k in zip(starts, starts[1:] + [len(lines)]):
            yield lines[i]["texts"], lines[i + 1:k]
        return
    r = random.Random(int(sys.argv[1]))
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    for _ in range(int(sys.argv[2])):
        yield [text(r) for _ in range(24)], (
            {"regex": p} for p in (pattern(r) for _ in range(count)) if p)


def main():
    where = tempfile.mkdtemp()
    client = chromadb.PersistentClient(
        path=where, settings=Settings(anonymized_telemetry=False))
    for texts, lines in rounds():
        asked = Asked(client, texts)
        print(json.dumps({"texts": texts}))
        for line in lines:
            answer = asked.answer(line["regex"])
            if answer is not None:
                line["answer"] = answer
                print(json.dumps(line))
        client.delete_collection("regex")
    shutil.rmtree(where, ignore_errors=True)


main()
