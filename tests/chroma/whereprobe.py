#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ask a real Chroma which records a filter selects.

usage: PYTHON whereprobe.py [--ops FILE] [--dir DIR] [--raw] [--dump]
           [--builtin-ops] [FILTERS]

PYTHON is the interpreter of a virtual environment that holds a chromadb.
FILTERS (or standard input) is JSON Lines, one filter a line, an object
with any of the members where, where_document and ids. Empty lines and
lines that begin with // are left out. For each filter one line is
written, in the same order:

    {"ids": ["a", "b"]}                   what collection.get() returned
    {"error": "ValueError", "message": "Expected ..."}

ids are in the order of collection.get(). JSON is Python's: NaN, Infinity
and -Infinity are numbers here, and integers are as long as they like.

The collection is made of operations, JSON Lines again:

    {"op": "add", "id": "a", "metadata": {"n": 1}, "document": "text",
     "embedding": [1, 0], "uri": "u"}

op is add (the default), update, upsert or delete. A member that is
absent is not given to Chroma; null is given as None. Where embedding is
absent, [1, 0] is given, but for an update without a document (which may
leave the embedding alone; with a document Chroma would compute one).
Operations are made one by one; one that Chroma refuses (arrays in
metadata before 1.5, say) is reported on standard error and left out.

  --ops FILE     the operations; without it those built in (nasty ones)
  --builtin-ops  write the operations built in, and stop
  --dir DIR      the persist directory (kept; must not exist); without
                 it one in $TMPDIR that is removed
  --raw          ask below the checks of collection.get(), as a client
                 of the HTTP interface that makes none would
  --dump         after the answers, one line for each record as get()
                 returns it: {"id", "metadata", "document", "uri"}

Exit status: 0, also where filters were refused; 1 for anything else.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile

BIG = 2 ** 53


def builtin_ops():
    """Records whose values tell one reading of the language from another."""
    metas = {
        "i0": {"a": 0}, "i1": {"a": 1}, "i2": {"a": 2}, "im1": {"a": -1},
        "f1": {"a": 1.0}, "f15": {"a": 1.5}, "fm15": {"a": -1.5},
        "f2": {"a": 2.0}, "f0": {"a": 0.0}, "fn0": {"a": -0.0},
        "btrue": {"a": True}, "bfalse": {"a": False},
        "s1": {"a": "1"}, "sx": {"a": "x"}, "sX": {"a": "X"},
        "sempty": {"a": ""}, "strue": {"a": "true"}, "snul": {"a": "x\0y"},
        "nokey": {"b": 1}, "nometa": None, "anull": {"a": None, "b": 2},
        "big53": {"a": BIG}, "big53p": {"a": BIG + 1},
        "fbig53": {"a": float(BIG)}, "imax": {"a": 2 ** 63 - 1},
        "imin": {"a": -2 ** 63}, "fimax": {"a": float(2 ** 63)},
        "huge": {"a": 1e300}, "nan": {"a": float("nan")},
        "inf": {"a": float("inf")}, "ninf": {"a": float("-inf")},
        "two": {"a": 1, "b": "x"},
        "kuni": {"cl\u00e9": "\u00e9"}, "kdollar": {"$gt": 1},
        "kdoc": {"#document": "x"}, "kid": {"#id": "x"},
        "aint": {"a": [1, 2]}, "afloat": {"a": [1.0, 2.5]},
        "astr": {"a": ["x", "y"]}, "abool": {"a": [True, False]},
        "aempty": {"a": []}, "aone": {"a": ["x"]},
        "amix": {"a": [1, 2.5]}, "amixs": {"a": [1, "x"]},
    }
    docs = {
        "dlow": "the quick brown fox", "dup": "THE QUICK BROWN FOX",
        "dpct": "100% of it", "dpct2": "100 of it", "dund": "a_b c",
        "dund2": "axb c", "dback": "back\\slash", "dempty": "",
        "dshort": "ab", "dnone": None, "dnul": "one\0two",
        "duni": "\u00c9COLE stra\u00dfe \u0130stanbul",
        "duni2": "\u00e9cole STRASSE istanbul", "demoji": "hi \U0001f600!",
        "dnfd": "e\u0301cole", "dnl": "line one\nline two\r\nthree",
        "ddigit": "tel 555-1234", "ddigar": "\u0663\u0664", "dspace": "a\u00a0b",
        "dquote": "it's \"quoted\"", "dkelvin": "\u212a \u017f",
    }
    ops = [{"id": i, "metadata": m} for i, m in metas.items()]
    for op in ops:
        if op["metadata"] is None:
            del op["metadata"]
    ops += [{"id": i, "metadata": {"d": 1}, "document": d}
            for i, d in docs.items()]
    return ops


def lines(stream):
    """Each line of stream that is not empty or a comment, as JSON."""
    for text in stream:
        text = text.strip()
        if text and not text.startswith("//"):
            yield json.loads(text)


def emit(obj):
    print(json.dumps(obj, ensure_ascii=True), flush=True)


def apply(coll, op):
    """Do one operation; say so and go on where Chroma refuses it."""
    kind = op.get("op", "add")
    args = {"ids": [op["id"]]}
    if kind != "delete":
        if kind != "update" or "embedding" in op or "document" in op:
            args["embeddings"] = [op.get("embedding") or [1.0, 0.0]]
        for name in ("metadata", "document", "uri"):
            if name in op:
                args[name + "s"] = [op[name]]
    try:
        getattr(coll, kind)(**args)
    except Exception as e:
        print("whereprobe: %s %s: %s: %s" % (kind, op["id"],
              type(e).__name__, str(e)[:200]), file=sys.stderr)


def ask(coll, flt, raw):
    """What get() says to one filter, as the object to be printed."""
    args = {k: flt[k] for k in ("where", "where_document", "ids") if k in flt}
    try:
        if raw:
            got = coll._client._get(collection_id=coll.id, include=[], **args)
        else:
            got = coll.get(include=[], **args)
        return {"ids": got["ids"]}
    except Exception as e:
        return {"error": type(e).__name__, "message": str(e)[:300]}
    except BaseException as e:      # a panic of the Rust part
        if type(e).__name__ != "PanicException":
            raise
        return {"error": "panic", "message": str(e)[:300]}


def dump(coll):
    got = coll.get(include=["metadatas", "documents", "uris"])
    for i, name in enumerate(got["ids"]):
        emit({"id": name, "metadata": got["metadatas"][i],
              "document": got["documents"][i],
              "uri": got["uris"][i] if got.get("uris") else None})


def main():
    ap = argparse.ArgumentParser(add_help=True)
    ap.add_argument("--ops")
    ap.add_argument("--dir")
    ap.add_argument("--raw", action="store_true")
    ap.add_argument("--dump", action="store_true")
    ap.add_argument("--builtin-ops", action="store_true")
    ap.add_argument("filters", nargs="?")
    opt = ap.parse_args()

    if opt.builtin_ops:
        for op in builtin_ops():
            emit(op)
        return 0
    if opt.dir and os.path.exists(opt.dir):
        sys.exit("whereprobe: %s exists" % opt.dir)
    if opt.ops:
        with open(opt.ops, encoding="utf-8") as f:
            ops = list(lines(f))
    else:
        ops = builtin_ops()
    if opt.filters:
        with open(opt.filters, encoding="utf-8") as f:
            filters = list(lines(f))
    else:
        filters = list(lines(sys.stdin))

    os.environ["ANONYMIZED_TELEMETRY"] = "False"
    import chromadb
    from chromadb.config import Settings

    where = opt.dir or tempfile.mkdtemp(prefix="whereprobe.")
    try:
        client = chromadb.PersistentClient(
            path=where, settings=Settings(anonymized_telemetry=False))
        coll = client.create_collection("probe", embedding_function=None)
        for op in ops:
            apply(coll, op)
        for flt in filters:
            emit(ask(coll, flt, opt.raw))
        if opt.dump:
            dump(coll)
    finally:
        if not opt.dir:
            shutil.rmtree(where, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
