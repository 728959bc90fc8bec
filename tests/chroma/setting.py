#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a real Chroma makes of the HNSW parameters in a persist dir.

usage: setting.py make DIR          (all with the python of the Chroma in question)
       setting.py answers DIR NAME  whether records are found, and in the right space
       setting.py shown DIR NAME    what it says the parameters are, JSON
       setting.py used DIR NAME     what its index was loaded with (up to 0.6.3), JSON
       setting.py synced DIR NAME N THRESHOLD
                                    write N records one by one, and fail unless the index was
                                    written every THRESHOLD rows
       setting.py recall DIR NAME   the share of records that a query with them finds first

make: collections of 400 records: "plain" without parameters, "cosine" and "inner" with some.
"""
import json
import logging
import os
import random
import sqlite3
import sys

import chromadb
from chromadb.config import Settings

logging.getLogger("chromadb.telemetry").setLevel(logging.CRITICAL)
VERSION = tuple(int(x) for x in chromadb.__version__.split(".")[:3])
DIM = 24
KIND = {"plain": None,
        "cosine": {"hnsw:space": "cosine", "hnsw:sync_threshold": 60, "hnsw:batch_size": 20,
                   "note": "not ours"},
        "inner": {"hnsw:space": "ip", "hnsw:M": 4, "hnsw:construction_ef": 12, "hnsw:search_ef": 33,
               "hnsw:sync_threshold": 50, "hnsw:batch_size": 10}}


def client(path):
    return chromadb.PersistentClient(path, Settings(anonymized_telemetry=False))


def collection(c, name):
    return c.get_collection(name, **({"embedding_function": None} if VERSION >= (0, 4, 15) else {}))


def vectors(n, seed):
    rng = random.Random(seed)
    return [[rng.gauss(0, 1) * (1 + i % 3) for _ in range(DIM)] for i in range(n)]


def make(path):
    c = client(path)
    for name, metadata in KIND.items():
        col = c.create_collection(name, metadata=metadata, embedding_function=None)
        every = vectors(400, name)
        for s in range(0, 400, 50):
            col.add(ids=["%d" % i for i in range(s, s + 50)], embeddings=every[s:s + 50],
                    documents=["text %d" % i for i in range(s, s + 50)])


def answers(path, name):
    """What is the same however the graph came out, which is built anew from the log at each start
    and may leave some records unreachable: in the right space records are found by their vectors."""
    got = collection(client(path), name).query(query_embeddings=vectors(400, name)[:100],
                                               n_results=1)
    if name == "inner":  # the nearest is not the record itself
        return all(d[0] < 0 for d in got["distances"])
    found = sum(i == ["%d" % k] and abs(d[0]) < 1e-3
                for k, (i, d) in enumerate(zip(got["ids"], got["distances"])))
    return found >= 80


def shown(path, name):
    col = collection(client(path), name)
    if VERSION < (0, 5, 4):
        return {}
    try:
        config = col.configuration_json
    except AttributeError:
        config = json.loads(col._model.get_configuration().to_json_str())
    config = config.get("hnsw") or config.get("hnsw_configuration") or config
    return {{"max_neighbors": "M"}.get(k, k): v for k, v in config.items() if k[0] != "_"}


def used(path, name):
    c = client(path)
    col = collection(c, name)
    col.query(query_embeddings=vectors(1, "queries"), n_results=1)
    from chromadb.segment import VectorReader

    segment = getattr(c, "_server", c)._manager.get_segment(col.id, VectorReader)
    p = segment._params
    return {"space": p.space, "M": p.M, "ef_construction": p.construction_ef,
            "ef_search": p.search_ef, "num_threads": p.num_threads,
            "resize_factor": p.resize_factor, "batch_size": segment._batch_size,
            "sync_threshold": segment._sync_threshold}


def synced(path, name, n, threshold):
    """H follows the writes in steps of the threshold: seen from outside, in the pickle's mtime."""
    c = client(path)
    col = collection(c, name)
    db = sqlite3.connect("file:%s?mode=ro" % os.path.join(path, "chroma.sqlite3"), uri=True)
    segment, = db.execute("SELECT id FROM segments WHERE collection = ? AND scope = 'VECTOR'",
                          (str(col.id),)).fetchone()
    db.close()
    pickle = os.path.join(path, segment, "index_metadata.pickle")
    every, steps, last = vectors(n, "more"), [], None
    for i in range(n):
        col.add(ids=["more-%d-%d" % (threshold, i)], embeddings=[every[i]])
        now = os.stat(pickle).st_mtime_ns if os.path.exists(pickle) else None
        if i and now != last:
            steps.append(i)
        last = now
    apart = {b - a for a, b in zip(steps, steps[1:])}
    if len(steps) < 2 or apart != {threshold}:
        sys.exit("the index was written at %s" % steps)


def recall(path, name):
    col = collection(client(path), name)
    got = col.query(query_embeddings=vectors(400, name), n_results=1)
    return sum(i == ["%d" % k] for k, i in enumerate(got["ids"])) / 400


what, args = sys.argv[1], sys.argv[2:]
if what == "synced":
    args[2:] = [int(x) for x in args[2:]]
result = globals()[what](*args)
if result is not None:
    print(json.dumps(result, sort_keys=True))
