#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make a large persist dir in seconds, around the tables that a real Chroma makes.

usage: mkbig.py DIR RECORDS DIM [--seed N] [--purged] [--no-index] [--vectors=FILE]

Run it with the python of a Chroma from 0.5.6 on; it decides the era. One collection, l2, default
parameters; Gaussian vectors, documents of about 500 bytes, two metadata keys. All of it is in the
log, in the metadata segment and in the index files, committed, and automatic purge is off.

--purged    only the newest row of the log is left, as after a purge
--no-index  no index files: all vectors are in the log only, none is committed
--vectors   a .npy of float32, RECORDS x DIM, in place of Gaussian ones

The index has the right sizes, labels and links, but its graph is a plain ring with chords, so
that searching in it finds little. Memory: the ids, and some MiB.
"""
import argparse
import json
import logging
import math
import os
import pickle
import shutil
import sqlite3
import struct
import sys

import chromadb
import numpy
from chromadb.config import Settings

AT_ONCE = 2000
M, EF_CONSTRUCTION = 16, 100
LINKS0 = 2 * M
WORDS = ("log segment index vector metadata record page filter stream commit query graph level "
         "label batch number offset column table row").split()
OLD = int(chromadb.__version__.split(".")[0]) == 0


def skeleton(path):
    """An empty collection by Chroma itself. One record comes and goes: it makes the segments."""
    # telemetry is off, and yet old versions complain that they cannot send it
    logging.getLogger("chromadb.telemetry").setLevel(logging.CRITICAL)
    client = chromadb.PersistentClient(path, Settings(anonymized_telemetry=False))
    col = client.create_collection("big", embedding_function=None)
    col.add(ids=["first"], embeddings=[[0.0]])
    col.delete(ids=["first"])


class Index:
    """The files of an hnswlib index, written from front to back."""

    def __init__(self, path, count, dim):
        self.count, self.dim = count, dim
        self.size = 4 + 4 * LINKS0 + 4 * dim + 8
        os.makedirs(path)
        self.path = path
        self.level0 = open(os.path.join(path, "data_level0.bin"), "wb")
        steps = [s for k in range(8) for s in (1 << k, -(1 << k))]
        self.steps = numpy.array(steps, dtype=numpy.int64)
        self.element = numpy.dtype([("n", "<u2"), ("flags", "<u2"), ("links", "<u4", LINKS0),
                                    ("vector", "<f4", dim), ("label", "<u8")])
        assert self.element.itemsize == self.size

    def add(self, first, vectors):
        part = numpy.zeros(len(vectors), dtype=self.element)
        number = numpy.arange(first, first + len(vectors), dtype=numpy.int64)
        part["n"] = len(self.steps)
        part["links"][:, :len(self.steps)] = (number[:, None] + self.steps) % self.count
        part["vector"] = vectors
        part["label"] = number + 1
        part.tofile(self.level0)

    def close(self, ids):
        self.level0.close()
        for name in ("length.bin", "link_lists.bin"):
            with open(os.path.join(self.path, name), "wb") as f:
                f.truncate(4 * self.count)
        with open(os.path.join(self.path, "header.bin"), "wb") as f:
            f.write(struct.pack("<iQQQQQQiIQQQdQ", 1, 0, self.count, self.count, self.size,
                                self.size - 8, 4 + 4 * LINKS0, 0, 0, M, LINKS0, M,
                                1 / math.log(M), EF_CONSTRUCTION))
        labels = {rid: i for i, rid in enumerate(ids, 1)}
        what = {"dimensionality": self.dim, "total_elements_added": self.count,
                "max_seq_id": self.count, "id_to_label": labels,
                "label_to_id": dict(enumerate(ids, 1)), "id_to_seq_id": dict(labels)}
        if OLD:
            from chromadb.segment.impl.vector.local_persistent_hnsw import PersistentData
            thing = PersistentData.__new__(PersistentData)
            thing.__dict__.update(what)
            what = thing
        with open(os.path.join(self.path, "index_metadata.pickle"), "wb") as f:
            pickle.dump(what, f, pickle.HIGHEST_PROTOCOL if OLD else 3)


def put_rows(con, topic, segment, ids, first, vectors, documents):
    """One batch of records into the log and the metadata segment."""
    rows = range(first + 1, first + 1 + len(vectors))
    texts = [documents[i % len(documents)] + " %d" % i for i in rows]
    con.executemany(
        "INSERT INTO embeddings_queue (seq_id, operation, topic, id, vector, encoding, metadata)"
        " VALUES (?, 0, ?, ?, ?, 'FLOAT32', ?)",
        ((i, topic, ids[i - 1], v.tobytes(), json.dumps(
            {"chroma:document": t, "number": i, "group": "group %d" % (i % 100)}))
         for i, v, t in zip(rows, vectors, texts)))
    con.executemany(
        "INSERT INTO embeddings (id, segment_id, embedding_id, seq_id) VALUES (?, ?, ?, ?)",
        ((i, segment, ids[i - 1], i.to_bytes(8, "big") if OLD else i) for i in rows))
    con.executemany(
        "INSERT INTO embedding_metadata (id, key, string_value, int_value) VALUES (?, ?, ?, ?)",
        (row for i, t in zip(rows, texts) for row in (
            (i, "chroma:document", t, None), (i, "number", None, i),
            (i, "group", "group %d" % (i % 100), None))))
    con.executemany("INSERT INTO embedding_fulltext_search (rowid, string_value) VALUES (?, ?)",
                    zip(rows, texts))


def fill(args):
    con = sqlite3.connect(os.path.join(args.dir, "chroma.sqlite3"))
    con.execute("PRAGMA synchronous = OFF")
    collection, = con.execute("SELECT id FROM collections").fetchone()
    segments = dict(con.execute("SELECT scope, id FROM segments"))
    for table in ("embeddings_queue", "embeddings", "embedding_metadata",
                  "embedding_fulltext_search", "max_seq_id"):
        con.execute("DELETE FROM " + table)
    con.execute("UPDATE collections SET dimension = ?", (args.dim,))
    con.execute("INSERT OR REPLACE INTO embeddings_queue_config (id, config_json_str) VALUES (1, ?)",
                ('{"automatically_purge": false, "_type": "EmbeddingsQueueConfigurationInternal"}',))
    rng = numpy.random.default_rng(args.seed)
    documents = [" ".join(rng.choice(WORDS, 80)) for _ in range(1000)]
    ids = ["record-%d" % i for i in range(1, args.records + 1)]
    place = os.path.join(args.dir, segments["VECTOR"])
    shutil.rmtree(place, ignore_errors=True)
    given = numpy.load(args.vectors, mmap_mode="r") if args.vectors else None
    if given is not None and (len(given) < args.records or given.shape[1] != args.dim):
        sys.exit("mkbig.py: %s: too few vectors, or of another dimension" % args.vectors)
    index = None if args.no_index else Index(place, args.records, args.dim)
    for first in range(0, args.records, AT_ONCE):
        n = min(AT_ONCE, args.records - first)
        vectors = rng.standard_normal((n, args.dim), dtype=numpy.float32) if given is None \
            else numpy.ascontiguousarray(given[first:first + n], dtype="<f4")
        put_rows(con, "persistent://default/default/" + collection, segments["METADATA"], ids,
                 first, vectors, documents)
        if index:
            index.add(first, vectors)
    marks = [segments["METADATA"]]
    if index:
        index.close(ids)
        marks.append(segments["VECTOR"])
    mark = args.records.to_bytes(8, "big") if OLD else args.records
    con.executemany("INSERT INTO max_seq_id (segment_id, seq_id) VALUES (?, ?)",
                    [(m, mark) for m in marks])
    if args.purged:
        con.execute("DELETE FROM embeddings_queue WHERE seq_id < ?", (args.records,))
    con.commit()
    if args.purged:
        con.execute("VACUUM")
    con.close()


def main():
    p = argparse.ArgumentParser(description="Make a large persist dir.")
    p.add_argument("dir", metavar="DIR")
    p.add_argument("records", metavar="RECORDS", type=int)
    p.add_argument("dim", metavar="DIM", type=int)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--purged", action="store_true")
    p.add_argument("--no-index", action="store_true")
    p.add_argument("--vectors", metavar="FILE")
    args = p.parse_args()
    if args.purged and args.no_index:
        sys.exit("mkbig.py: the log is the only copy without an index")
    shutil.rmtree(args.dir, ignore_errors=True)
    skeleton(args.dir)
    fill(args)


if __name__ == "__main__":
    main()
