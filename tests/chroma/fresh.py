# SPDX-License-Identifier: Apache-2.0
"""A real Chroma, each time in a process of its own (module; python of the Chroma in question).

Chroma is imported once. A task runs in a child forked before any client exists, so it begins as
a new program would, but without the second that the import takes.
"""
import importlib
import json
import logging
import math
import multiprocessing
import os
import sys
import tempfile
import traceback

import chromadb
from chromadb.config import Settings

logging.disable(logging.ERROR)
VERSION = tuple(int(x) for x in chromadb.__version__.split(".")[:3])
EXACT = VERSION < (1, 0, 0)  # two runs on one directory are the same
if EXACT and (multiprocessing.cpu_count() != 1 or "PYTHONHASHSEED" not in os.environ):
    sys.exit("not in an environment as lib.sh makes it: what this Chroma does would be chance")
DEFAULTS = ["default_tenant", "default_database"]
CONTAINS = "ocument 1"


def fresh(task, *args):
    """What task(*args) returns, run in a fresh process: something that JSON can say."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(r)
            with os.fdopen(w, "w") as f:
                json.dump(task(*args), f)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(w)
    with os.fdopen(r) as f:
        said = f.read()
    _, how = os.waitpid(pid, 0)
    if how:
        raise SystemExit("Chroma's process ended with %d" % os.waitstatus_to_exitcode(how))
    return json.loads(said)


class Store:
    """A persist dir in this Chroma. A collection is named by [tenant, database, name]."""

    nearest = 5  # how many a query asks for

    def __init__(self, db):
        self.db, self.clients = db, {}

    def client(self, place):
        place = tuple(place)
        if place not in self.clients:
            kw = {"tenant": place[0], "database": place[1]} if VERSION >= (0, 4, 15) else {}
            self.clients[place] = chromadb.PersistentClient(
                self.db, Settings(anonymized_telemetry=False), **kw)
        return self.clients[place]

    def get(self, where):
        kw = {"embedding_function": None} if VERSION >= (0, 4, 15) else {}
        return self.client(where[:2]).get_collection(where[2], **kw)

    def do(self, ops):
        """Apply operations (see model.py). Returns what each raised, or None."""
        return [self.do_one(op) for op in ops]

    def do_one(self, op):
        args = {k: v for k, v in op.items() if k not in ("collection", "do")}
        where = op["collection"]
        if op["do"] == "create":
            self.client(where[:2]).create_collection(where[2], embedding_function=None, **args)
        elif op["do"] == "drop":
            self.client(where[:2]).delete_collection(where[2])
        else:
            try:
                getattr(self.get(where), op["do"])(**args)
            except Exception as e:  # of many kinds: what counts is that both directories raise it
                return type(e).__name__
        return None

    def answers(self, collections, queries):
        """Everything that can be asked: {"tenant/database/name": {...}}."""
        return {"/".join(c): self.ask(self.get(c), queries) for c in collections}

    def ask(self, col, queries):
        said = {"count": col.count(), "records": {}}
        if not said["count"]:
            return said
        said["records"] = self.records(col)
        for name, kw in (("where", {"where": {"i": {"$lt": 20}}}),
                         ("contains", {"where_document": {"$contains": CONTAINS}}),
                         ("both", {"where": {"i": {"$gte": 5}},
                                   "where_document": {"$contains": "d"}})):
            said[name] = sorted(col.get(include=["metadatas"], **kw)["ids"])
        for name, kw in (("query", {}), ("filtered", {"where": {"i": {"$lt": 20}}})):
            said[name] = [self.query(col, q, said["count"], **kw) for q in queries]
        return said

    def records(self, col):
        """{id: [vector, metadata, document]}; a vector that Chroma has lost is null."""
        got = col.get(include=["metadatas", "documents"])
        vectors = self.vectors(col, got["ids"])
        return dict(zip(got["ids"], zip(vectors, got["metadatas"], got["documents"])))

    def vectors(self, col, ids):
        try:
            got = col.get(ids=ids, include=["embeddings"])
            have = dict(zip(got["ids"], got["embeddings"]))
            if len(have) == len(got["ids"]) == len(got["embeddings"]):
                return [[float(x) for x in have[i]] for i in ids]
        except Exception:  # one that is lost spoils the answer for all
            if len(ids) == 1:
                return [None]
        if len(ids) == 1:
            return [None]
        return [self.vectors(col, [i])[0] for i in ids]

    def query(self, col, q, count, **kw):
        """[[id, distance], ...], or what it raised."""
        try:
            got = col.query(query_embeddings=[q], n_results=min(self.nearest, count),
                            include=["distances"], **kw)
        except Exception as e:
            return type(e).__name__
        return [[i, float(d)] for i, d in zip(got["ids"][0], got["distances"][0])]


def do(db, ops):
    return Store(db).do(ops)


def answers(db, collections, queries):
    return Store(db).answers(collections, queries)


def do_and_answer(db, ops, collections, queries):
    store = Store(db)
    return [store.do(ops), store.answers(collections, queries)]


def close(a, b, rel=1e-5):
    """The same numbers; a vector of the cosine space was normalised and multiplied again."""
    return a is not None and b is not None and len(a) == len(b) and \
        all(math.isclose(x, y, rel_tol=rel, abs_tol=1e-6) for x, y in zip(a, b))


def differences(a, b, lost=()):
    """Where two answers() differ, but not for the ("tenant/database/name", id) of lost."""
    spoilt = {name for name, _ in lost}
    for name in sorted(set(a) | set(b)):
        x, y = a.get(name), b.get(name)
        for key in sorted(set(x) | set(y)):
            if key in ("query", "filtered"):
                pairs = [p for p in zip(x[key], y[key]) if not same_results(*p)]
                if pairs and name not in spoilt:
                    yield "%s: %s: %s, %s" % (name, key, *pairs[0])
            elif key == "records":
                for i in sorted(set(x[key]) | set(y[key])):
                    if x[key].get(i) != y[key].get(i) and (name, i) not in lost:
                        yield "%s: %r: %s, %s" % (name, i, x[key].get(i), y[key].get(i))
            elif x.get(key) != y.get(key):
                yield "%s: %s: %s, %s" % (name, key, x.get(key), y.get(key))


def same_results(a, b):
    """Of a Chroma in Python the same ones. Of one in Rust as many, some of them the same, at the
    same distances: what is pending in the log goes into its graph in several threads, in an order
    that is another one each time."""
    if EXACT or isinstance(a, str) or isinstance(b, str):
        return a == b
    a, b = dict(a), dict(b)
    both = set(a) & set(b)
    return len(a) == len(b) and bool(both or not a) and \
        all(math.isclose(a[i], b[i], rel_tol=1e-5, abs_tol=1e-6) for i in both)


def used():
    """The modules that a client loads when it is made and used."""
    with tempfile.TemporaryDirectory() as db:
        col = Store(db).client(DEFAULTS).create_collection("warm-up", embedding_function=None)
        col.add(ids=["a"], embeddings=[[1, 2]], documents=["text"])
        Store(db).ask(col, [[1, 2]])
        return [m for m in sys.modules if m.split(".")[0] in ("chromadb", "chromadb_rust_bindings",
                                                              "hnswlib", "sqlite3")]


for module in fresh(used):
    importlib.import_module(module)
