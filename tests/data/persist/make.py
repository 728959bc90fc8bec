#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make a small persist dir with a real Chroma, and write down what that Chroma says is in it.

usage: make.py OUTDIR SEED DIM [--purge-off] [--upgrade]

Run it with the python of the Chroma in question (0.4.0 to 1.5.x). It leaves

    OUTDIR/db             the persist dir, as Chroma left it when its process ended, except that
                          uninitialised bytes of the index files are zeroed (see blank())
    OUTDIR/expected.json  per collection its records as Collection.get() returned them

--purge-off  set automatically_purge to false before anything is written (Chroma 0.5.6 and later)
--upgrade    OUTDIR holds what an older Chroma left: open it, and write some more into every
             collection that has records
"""
import argparse
import inspect
import json
import logging
import os
import random
import shutil
import sqlite3
import struct
import subprocess
import sys

INDEX = {"hnsw:sync_threshold": 20, "hnsw:batch_size": 10}
SPACES = {"docs": "cosine", "ip-vectors": "ip", "configured": "cosine"}  # the others: l2
DEFAULTS = ("default_tenant", "default_database")
TEXTS = ["log", "segment", "naïve", "東京", "🙂", 'a "quote"', "it's", "back\\slash", "tab\there",
         "line\nbreak", "100%_", "Ünïcode", "graph"]


# ---------------------------------------------------------------- with Chroma: child processes


class Maker:
    """Writes with one Chroma. Remembers which ids are there, so that it reads only at the end."""

    def __init__(self, db, seed, dim):
        import chromadb

        # telemetry is off, and yet old versions complain that they cannot send it
        logging.getLogger("chromadb.telemetry").setLevel(logging.CRITICAL)
        self.chromadb, self.db, self.seed, self.dim = chromadb, db, seed, dim
        self.version = tuple(int(x) for x in chromadb.__version__.split(".")[:3])
        self.rng = random.Random(seed)
        self.clients = {}
        self.made = []  # (name, (tenant, database))

    def settings(self):
        from chromadb.config import Settings

        return Settings(anonymized_telemetry=False)

    def client(self, place=DEFAULTS):
        if place not in self.clients:
            kw = {"tenant": place[0], "database": place[1]} if self.version >= (0, 4, 15) else {}
            self.clients[place] = self.chromadb.PersistentClient(self.db, self.settings(), **kw)
        return self.clients[place]

    def get(self, name, place=DEFAULTS):
        return self.client(place).get_collection(name, embedding_function=None)

    def create(self, name, metadata=None, place=DEFAULTS, **kw):
        self.made.append((name, place))
        return self.client(place).create_collection(
            name, metadata=metadata, embedding_function=None, **kw)

    # Made-up content: random vectors, in steps of 1/32 so that they pack well; the rest by number.

    def vectors(self, n):
        return [[round(self.rng.gauss(0, 32)) / 32 for _ in range(self.dim)] for _ in range(n)]

    def documents(self, numbers):
        return [" ".join(["document", str(i)] + TEXTS[i % len(TEXTS):][:i % 4]) for i in numbers]

    def metadata(self, i):
        m = {"i": i}
        if i % 3 == 0:
            m["f"] = i / 8
        if i % 3 == 1:
            m["s"] = TEXTS[i % len(TEXTS)]
        if i % 4 == 1 and self.version >= (0, 4, 4):  # before, a bool was stored as an int
            m["b"] = i % 8 == 1
        if i % 7 == 0:
            m.update({"big": 2**53 + 1 + i, "neg": -i, "small": -1.5e-9 * i})
        if i % 10 == 3:
            m.update({"k e y ☃": "", "max": 2**63 - 1, "min": -(2**63), "huge": 1.5e300})
        if i % 6 == 1 and self.version >= (1, 5, 0):
            m.update({"tags": ["x", "ы", "x"], "ints": [i, -i], "floats": [0.5, 2.0],
                      "bools": [True, False]})
        return m

    def ids(self, numbers):
        return [["id-%d", "ид-%d ✓", "a/b c'\"%d", "日本-%d"][i % 4] % i for i in numbers]

    def add(self, col, n, start=0, documents=True, metadata=None, **kw):
        """Add n records, ten at a time; returns their ids. metadata: a function of the number."""
        all_ids = self.ids(range(start, start + n))
        for s in range(0, n, 10):
            ids = all_ids[s:s + 10]
            numbers = range(start + s, start + s + len(ids))
            if documents:
                kw["documents"] = self.documents(numbers)
            if metadata:
                kw["metadatas"] = [metadata(i) for i in numbers]
            col.add(ids=ids, embeddings=self.vectors(len(ids)), **kw)
        return all_ids

    def churn(self, col, ids, n, documents=True):
        """n updates, n deletes, n upserts on records, n upserts of new ones. Returns what is left
        and what was deleted."""
        ids = sorted(ids)
        self.rng.shuffle(ids)
        updated, deleted, upserted = ids[:n], ids[n:2 * n], ids[2 * n:3 * n]
        new = ["new %d.%d ❄" % (self.seed, k) for k in range(n)]

        def docs(what, k):
            return {"documents": ["%s %d" % (what, i) for i in range(k)]} if documents else {}

        col.update(ids=updated, embeddings=self.vectors(n), **docs("updated document", n))
        change = {"i": -1, "added": "later"}  # merged into what is there
        if self.version >= (1, 0, 20):  # not the first of 1.0, nor older ones
            change["s"] = None  # takes the key away
        col.update(ids=updated[:2], metadatas=[change] * len(updated[:2]))
        col.delete(ids=deleted)
        col.upsert(ids=upserted + new, embeddings=self.vectors(2 * n),
                   metadatas=[{"upserted": k} for k in range(2 * n)], **docs("upserted document", 2 * n))
        return updated + upserted + ids[3 * n:] + new, deleted

    def bring_back(self, col, deleted):
        """Add an id once more. Between 0.4.5 and 0.5.4 Chroma can lose its vector, so not there."""
        if not (0, 4, 5) <= self.version < (0, 5, 5):
            col.add(ids=[deleted.pop()], embeddings=self.vectors(1), metadatas=[{"again": 1}])

    def tail(self, col, ids, deleted, documents=True):
        """A few last writes, of every kind: too few for them to reach the index files."""
        self.bring_back(col, deleted)
        self.add(col, 2, start=900 + 10 * self.seed, documents=documents, metadata=self.metadata)
        last = {"documents": ["last document"]} if documents else {}
        col.update(ids=ids[:1], embeddings=self.vectors(1), **last)
        col.update(ids=ids[1:2], metadatas=[{"i": -2}])
        col.upsert(ids=ids[2:3], embeddings=self.vectors(1), **last)
        col.delete(ids=ids[3:4])

    def fill(self):
        """Every collection of a new persist dir."""
        def number(i):
            return {"i": i}

        col = self.create("docs", {"hnsw:space": "cosine", **INDEX,
                                   "note": "made by a real Chroma ☃", "n": 7, "x": 0.5})
        ids, deleted = self.churn(col, self.add(col, 40, metadata=self.metadata), 5)
        self.bring_back(col, deleted)
        ids += self.add(col, 20, start=40, metadata=self.metadata)
        self.tail(col, ids, deleted)

        col = self.create("default")
        self.add(col, 8, metadata=self.metadata)
        self.add(col, 4, start=8, documents=False)

        col = self.create("ip-vectors", {"hnsw:space": "ip", "hnsw:M": 8, "hnsw:construction_ef": 40,
                                         "hnsw:search_ef": 33, **INDEX})
        ids = self.add(col, 35, documents=False, metadata=number)
        uris = {}
        if "uris" in inspect.signature(col.add).parameters:
            uris["uris"] = ["file:///%d.png" % i for i in range(10)]
        ids += self.add(col, 10, start=100, documents=False, metadata=number, **uris)
        self.churn(col, ids, 3, documents=False)

        self.create("empty")

        col = self.create("all-deleted", dict(INDEX))
        col.delete(ids=self.add(col, 25))

        col = self.create("to-drop", dict(INDEX))
        self.add(col, 20, metadata=self.metadata)
        self.made.pop()  # not to be described

        if self.version >= (1, 0, 0):
            col = self.create("configured", {"plain": "metadata"}, configuration={"hnsw": {
                "space": "cosine", "ef_construction": 64, "max_neighbors": 12, "ef_search": 50,
                "sync_threshold": 20, "batch_size": 10}})
            self.churn(col, self.add(col, 26, metadata=number), 3)

        if self.version >= (0, 4, 15):
            settings = self.settings()
            settings.is_persistent, settings.persist_directory = True, self.db
            admin = self.chromadb.AdminClient(settings)
            admin.create_tenant("acme")
            admin.create_database("wiki", tenant="acme")
            col = self.create("docs", {"hnsw:space": "cosine", **INDEX}, ("acme", "wiki"))
            self.churn(col, self.add(col, 24, metadata=number), 3)

        # Dropped after others were written, so that the numbers of its records are not used again:
        # 1.5 leaves their array metadata behind, and new records would inherit it.
        self.client().delete_collection("to-drop")

    def write_more(self, before):
        """Every collection with records gets more. In docs they reach the index files; elsewhere
        they are few."""
        self.client()  # applies the migrations
        fulltext = self.version < (1, 0, 0) or not fulltext_in_the_way(self.db)
        for c in before["collections"]:
            name, place = c["name"], (c["tenant"], c["database"])
            self.made.append((name, place))
            if c["records"]:
                col = self.get(name, place)
                documents = fulltext and name != "ip-vectors"
                many = name == "docs" and place == DEFAULTS
                ids = [r["id"] for r in c["records"]]
                ids += self.add(col, 20 if many else 2, start=1000 * self.seed, documents=documents,
                                metadata=self.metadata)
                ids, deleted = self.churn(col, ids, 4 if many else 1, documents)
                if many:
                    self.tail(col, ids, deleted, documents)

    def describe(self):
        return {"chroma_version": self.chromadb.__version__, "seed": self.seed, "dim": self.dim,
                "collections": [self.describe_collection(*m) for m in self.made]}

    def describe_collection(self, name, place):
        import numpy

        col = self.get(name, place)
        records = []
        count = col.count()
        if count:  # to read vectors of a collection makes its directory, so leave empty ones alone
            has_uris = "uris" in inspect.signature(col.add).parameters
            got = col.get(include=["embeddings", "metadatas", "documents"] + ["uris"] * has_uris)
            for i, rid in enumerate(got["ids"]):
                records.append({"id": rid,
                                # the shortest decimals that give back the float32
                                "embedding": [float(str(numpy.float32(x))) for x in got["embeddings"][i]],
                                "metadata": got["metadatas"][i], "document": got["documents"][i]})
                if has_uris and got["uris"][i] is not None:
                    records[-1]["uri"] = got["uris"][i]
        if len(records) != count:
            sys.exit("%s: %d records, but the count is %d" % (name, len(records), count))
        return {"name": name, "id": str(col.id), "tenant": place[0], "database": place[1],
                "space": SPACES.get(name, "l2"), "metadata": col.metadata, "count": count,
                "records": sorted(records, key=lambda r: r["id"]), "queries": []}


def stage_init(args):
    Maker(args.db, args.seed, args.dim).client()  # makes the database, with the migrations applied


def stage_write(args):
    maker = Maker(args.db, args.seed, args.dim)
    if args.upgrade:
        with open(args.expected, encoding="utf-8") as f:
            maker.write_more(json.load(f))
    else:
        maker.fill()
    expected = maker.describe()
    with open(args.expected, "w", encoding="utf-8") as f:
        json.dump(expected, f, ensure_ascii=False, separators=(",", ":"))
    counts = ["%s:%d" % (c["name"], c["count"]) for c in expected["collections"]]
    print(expected["chroma_version"], *counts)


# ---------------------------------------------------------------- without Chroma


def fulltext_in_the_way(db):
    """Whether the full-text index has rows beyond the last record. Chroma before 0.5.0 leaves such
    rows, and the migration of a database born before 0.4.6 makes many. Chroma 1.x cannot add a
    document where one is, and the collection is dead from then on."""
    con = sqlite3.connect(os.path.join(db, "chroma.sqlite3"))
    found = con.execute("SELECT EXISTS (SELECT 1 FROM embedding_fulltext_search_content"
                        " WHERE id > (SELECT max(id) FROM embeddings))").fetchone()[0]
    con.close()
    return found


def set_purge_off(db):
    con = sqlite3.connect(os.path.join(db, "chroma.sqlite3"))
    with con:
        con.execute("INSERT OR REPLACE INTO embeddings_queue_config (id, config_json_str) VALUES (1, ?)",
                    ('{"automatically_purge": false, "_type": "EmbeddingsQueueConfigurationInternal"}',))
    con.close()


def blank(db, expected):
    """Zero those bytes of the index files that nobody ever wrote.

    data_level0.bin and length.bin are made for 100, 1000 or 10000 elements at once, out of memory
    that was not initialised. Behind the elements that are there (header.bin counts them) they hold
    whatever the process had in memory, and in length.bin, where only the cosine space puts
    anything, they hold nothing else. Such bytes don't compress, and nobody should publish them.
    Sizes stay. Chroma reads the files into memory just the same, and never looks at these bytes.
    """
    cosine = {c["id"] for c in expected["collections"] if c["space"] == "cosine"}
    con = sqlite3.connect(os.path.join(db, "chroma.sqlite3"))
    rows = con.execute("SELECT id, collection FROM segments WHERE scope = 'VECTOR'")
    has_lengths = {segment for segment, collection in rows if collection in cosine}
    con.close()
    for name in sorted(os.listdir(db)):
        header = os.path.join(db, name, "header.bin")
        if os.path.exists(header):  # without one there is no index, only its directory
            with open(header, "rb") as f:
                count, size = struct.unpack_from("<QQ", f.read(), 20)
            zero_from(os.path.join(db, name, "data_level0.bin"), count * size)
            zero_from(os.path.join(db, name, "length.bin"), count * 4 if name in has_lengths else 0)


def zero_from(path, offset):
    size = os.path.getsize(path)
    if offset < size:
        os.truncate(path, offset)
        os.truncate(path, size)


def main():
    p = argparse.ArgumentParser(description="Make a small persist dir with a real Chroma.")
    p.add_argument("out", metavar="OUTDIR")
    p.add_argument("seed", metavar="SEED", type=int)
    p.add_argument("dim", metavar="DIM", type=int)
    p.add_argument("--purge-off", action="store_true")
    p.add_argument("--upgrade", action="store_true")
    p.add_argument("--stage", choices=["init", "write"], help=argparse.SUPPRESS)
    args = p.parse_args()
    args.db = os.path.join(args.out, "db")
    args.expected = os.path.join(args.out, "expected.json")
    if args.stage:
        return {"init": stage_init, "write": stage_write}[args.stage](args)

    # Chroma runs in processes of its own: the rest needs it to have ended.
    def run(stage):
        done = subprocess.run([sys.executable, os.path.abspath(__file__), *sys.argv[1:], "--stage", stage])
        if done.returncode:
            sys.exit("Chroma's process ended with %d" % done.returncode)

    if not args.upgrade:
        shutil.rmtree(args.out, ignore_errors=True)
        os.makedirs(args.out)
    if args.purge_off:
        run("init")
        set_purge_off(args.db)
    run("write")
    with open(args.expected, encoding="utf-8") as f:
        blank(args.db, json.load(f))


if __name__ == "__main__":
    main()
