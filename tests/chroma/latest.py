# SPDX-License-Identifier: Apache-2.0
"""What chroma-walfilter --latest leaves of a log does what the log did: random histories.

latest.py WORK SEED HISTORIES       (python of the Chroma in question; WORK is made)

Each history is written by a real Chroma into two collections with the same ids, and its log, all
of it still there, goes through --latest. Replayed into empty collections, record by record,
it must give what get() gave, embeddings bit for bit: at the end, and, with --to-seq-id, at a moment
on the way. What came after that moment (--from-seq-id), replayed on top of that, must give the end.
Prints what is wrong; status 0: nothing is.
"""
import base64
import json
import math
import os
import random
import shutil
import sqlite3
import struct
import subprocess
import sys

from fresh import DEFAULTS, VERSION, Store, fresh
from histories import PURGES, purge_off

NAMES = ["one", "two"]
IDS = ["a", "b", "c", "d \u2744", "e\u0301", "f\n", 'g"']
KEYS = ["k", "l", "m\u00e4", "n.o", "p q"]
RUST = VERSION >= (1, 0, 0)
ARRAYS = VERSION >= (1, 5, 0)
TOLD = {k: 0 for k in ("rows", "left", "pairs", "raised", "compared", "nulls")}


# ---- histories ----

class History:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.dim = self.rng.choice([1, 2, 5, 8])
        self.spaces = {n: self.rng.choice(["l2", "cosine", "ip"]) for n in NAMES}

    def vector(self):
        v = [self.rng.choice([0.1, 1, 3e-5, -7e4]) * self.rng.gauss(0, 1) for _ in range(self.dim)]
        return list(struct.unpack("<%df" % self.dim, struct.pack("<%df" % self.dim, *v)))

    def value(self, what):
        rng = self.rng
        kind = rng.randrange(11)
        if kind < 2:
            return rng.choice(["", "s", "\u00e4\u2744", "null", "1", "\x01\n\"\\", "\x7f\u2028"])
        if kind < 4:
            return rng.choice([0, 1, -1, 2**53 + 1, -2**63, 2**63 - 1, rng.randrange(-99, 99)])
        if kind < 6:
            return rng.choice([0.0, -0.0, 1.0, 0.30000000000000004, 365688.91691258556, 1e300,
                               5e-324, rng.random(), rng.gauss(0, 1e9)])
        if kind < 8:
            return rng.random() < 0.5
        if kind == 8 and RUST and what != "add":
            return None
        if kind == 9 and ARRAYS:
            return rng.choice([["x", "y"], [1, 2], [1.5, 2.0], [True, False], [""]])
        if kind == 10 and rng.random() < 0.05:   # (in 0.x no JSON: not merged)
            return math.inf if rng.random() < 0.5 else math.nan
        return "v%d" % rng.randrange(9)

    def metadata(self, what):
        keys = self.rng.sample(KEYS, self.rng.randint(1, len(KEYS)))
        return {k: self.value(what) for k in keys}

    def document(self):
        kind = self.rng.randrange(8)
        if kind == 0 and not RUST:
            return None     # writes a null, which removes it
        return "" if kind == 1 else self.rng.choice(["text ", "\u0130\n", "{}"]) + str(
            self.rng.randrange(99))

    def call(self):
        """(collection, method, arguments)"""
        rng = self.rng
        what = rng.choice(["add", "update", "update", "upsert", "upsert", "delete"])
        ids = rng.sample(IDS, rng.choice([1, 1, 2, 3]))
        args = {"ids": ids}
        if what != "delete":
            vectors = what != "update" or rng.random() < 0.5
            if vectors:
                args["embeddings"] = [self.vector() for _ in ids]
            if not vectors or rng.random() < 0.7:
                args["metadatas"] = [self.metadata(what) for _ in ids]
            if vectors and rng.random() < 0.5:  # a document alone is embedded anew, by a model
                args["documents"] = [self.document() for _ in ids]
            if vectors and rng.random() < 0.2:
                args["uris"] = ["uri:%d" % rng.randrange(9) for _ in ids]
        return rng.choice(NAMES), what, args


def apply(store, calls):
    """How many of them Chroma did not take."""
    cols = {n: store.get(DEFAULTS + [n]) for n in NAMES}
    raised = 0
    for name, what, args in calls:
        try:
            getattr(cols[name], what)(**args)
        except Exception as e:
            if os.environ.get("LATEST_VERBOSE"):
                print("# %s: %s: %s" % (what, type(e).__name__, str(e)[:200]), file=sys.stderr)
            raised += 1
    return raised


def bits(vector):
    return vector if vector is None else struct.pack("<%df" % len(vector), *vector).hex()


def state(store):
    said = {}
    for name in NAMES:
        col = store.get(DEFAULTS + [name])
        uris = col.get(include=["uris"])
        uris = dict(zip(uris["ids"], uris["uris"]))
        said[name] = {i: [bits(v), sorted((m or {}).items()), d, uris[i]]
                      for i, (v, m, d) in store.records(col).items()}
        # types count, and the sign of zero: 1, 1.0 and True are equal to Python
        said[name] = {i: [r[0], [[k, repr(v)] for k, v in r[1]], r[2], r[3]]
                      for i, r in said[name].items()}
    return said


def newest(db):
    con = sqlite3.connect(os.path.join(db, "chroma.sqlite3"))
    seq = con.execute("SELECT max(seq_id) FROM embeddings_queue").fetchone()[0]
    con.close()
    return seq or 0


def create(store, spaces):
    for name in NAMES:
        store.do([{"do": "create", "collection": DEFAULTS + [name],
                   "metadata": {"hnsw:space": spaces[name]}}])


def begin(db, spaces):
    """A database; the log is kept whole."""
    os.makedirs(db)
    create(Store(db), spaces)


def write(db, calls):
    store = Store(db)
    raised = apply(store, calls)
    return [raised, newest(db), state(store)]


# ---- replay ----

def content(r):
    """(embedding, metadata, document, uri) of a record, those that are not there absent."""
    c = {}
    if "embedding" in r:
        data = base64.b64decode(r["embedding"])
        c["embeddings"] = list(struct.unpack("<%df" % (len(data) // 4), data))
    metadata = r.get("metadata")
    if "raw" in r and r["raw"]["metadata"] is not None:  # with NaN: json.loads() takes it
        metadata = json.loads(r["raw"]["metadata"])
        for key, name in (("chroma:document", "documents"), ("chroma:uri", "uris")):
            if key in metadata:
                c[name] = metadata.pop(key)
    else:
        for key, name in (("document", "documents"), ("uri", "uris")):
            if key in r:
                c[name] = r[key]
    if metadata and r["operation"] == "ADD":
        metadata = {k: v for k, v in metadata.items() if v is not None}
    if metadata:
        c["metadatas"] = metadata
    return c


def replay(db, records):
    store = Store(db)
    cols = {n: store.get(DEFAULTS + [n]) for n in NAMES}
    for r in records:
        args = {k: [v] for k, v in content(r).items()} if r["operation"] != "DELETE" else {}
        if r["operation"] == "UPDATE" and not args:
            continue    # of nothing
        try:
            getattr(cols[r["collection"]], r["operation"].lower())(ids=[r["id"]], **args)
        except Exception as e:
            return "%s: %s: %s" % (r, type(e).__name__, e)
    return state(store)


def latest(db, *options):
    """The records that are left."""
    export = subprocess.run(["chroma-walexport", "-q", "-b", db], stdout=subprocess.PIPE,
                            check=True).stdout
    out = subprocess.run(["chroma-walfilter", "-j", "--latest", "--embedding=base64", *options],
                         input=export, stdout=subprocess.PIPE, check=True).stdout
    return [json.loads(x) for x in out.splitlines()][1:-1]


def rows(db, *options):
    export = subprocess.run(["chroma-walexport", "-q", "--embedding=none", *options, db],
                            stdout=subprocess.PIPE, check=True).stdout
    return [json.loads(x) for x in export.splitlines()][1:-1]


def differences(want, got, but=()):
    if isinstance(got, str):
        yield "not taken: " + got
        return
    for name in NAMES:
        for i in sorted(set(want[name]) | set(got[name])):
            if (name, i) in but:
                continue
            TOLD["compared"] += 1
            if want[name].get(i) != got[name].get(i):
                yield "%s: %r: is %s, should be %s" % (name, i, got[name].get(i),
                                                       want[name].get(i))


def trial(work, seed):
    """What is wrong."""
    h = History(seed)
    db = os.path.join(work, "db")
    fresh(begin, db, h.spaces)
    if PURGES:
        purge_off(db)
    raised, moment, then = fresh(write, db, [h.call() for _ in range(h.rng.randint(5, 30))])
    again, _, end = fresh(write, db, [h.call() for _ in range(h.rng.randint(1, 25))])
    TOLD["raised"] += raised + again
    both = rows(db)
    after = rows(db, "--from-seq-id=%d" % (moment + 1))
    whole = latest(db)
    TOLD["rows"] += len(both)
    TOLD["left"] += len(whole)
    TOLD["pairs"] += len(whole) - len({(r["collection"], r["id"]) for r in whole})
    TOLD["nulls"] += sum("null" in json.dumps(r.get("metadata", {})) for r in whole)
    # an ADD that comes first is taken to find the id absent
    first = {}
    for r in after:
        first.setdefault((r["collection"], r["id"]), r["operation"])
    but = {at for at, op in first.items() if op == "ADD" and at[1] in then[at[0]]}
    target = os.path.join(work, "replayed")
    fresh(begin, target, h.spaces)
    yield from differences(end, fresh(replay, target, whole))
    shutil.rmtree(target)
    fresh(begin, target, h.spaces)
    for text in differences(then, fresh(replay, target, latest(db, "--to-seq-id=%d" % moment))):
        yield "at %d: %s" % (moment, text)
    for text in differences(end, fresh(replay, target, latest(
            db, "--from-seq-id=%d" % (moment + 1))), but):
        yield "from %d on: %s" % (moment, text)


def main():
    work, seed, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    wrong = 0
    for k in range(n):
        os.makedirs(work)
        for text in trial(work, seed + k):
            wrong += 1
            if wrong < 20:
                print("seed %d: %s" % (seed + k, text))
        shutil.rmtree(work)
    print("# %d histories: " % n + ", ".join("%s %d" % x for x in TOLD.items()))
    if TOLD["left"] * 2 > TOLD["rows"] or not TOLD["compared"] or not TOLD["pairs"]:
        print("that says nothing")
        wrong += 1
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
