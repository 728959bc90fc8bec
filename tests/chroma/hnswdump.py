#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Vectors that are hard to keep, in a real Chroma, and what it gives back.

hnswdump.py make DB SEED DIM         a collection of each space, most of it persisted
                                     (with the python of the Chroma in question, as the next)
hnswdump.py ask DB FILE              what get() says in a new process: collection, id, float32
hnswdump.py same DB FILE SPACE DUMP  chroma-hnswdump gave the same bits, of all that is persisted
"""
import base64
import json
import logging
import math
import os
import random
import sqlite3
import struct
import sys

SPACES = "l2", "ip", "cosine"


def client(db):
    import chromadb
    from chromadb.config import Settings
    logging.getLogger("chromadb.telemetry").setLevel(logging.CRITICAL)
    return chromadb.PersistentClient(db, Settings(anonymized_telemetry=False))


def f32(values):
    return struct.pack("<%df" % len(values), *values)


def vectors(rng, dim):
    """Ordinary ones, and those at the ends of what float32 can hold."""
    for scale in (1, 1, 1, 1e-3, 1e6, 1e18, 3e19, 1e30, 3e38, 1e-15, 1e-19, 3e-22):
        for _ in range(8):
            yield [max(-3.4e38, min(3.4e38, rng.gauss(0, 1) * scale)) for _ in range(dim)]
    yield [0.0] * dim
    yield [-0.0] * dim
    yield [1.0] + [0.0] * (dim - 1)
    yield [1.0] + [1e-40] * (dim - 1)
    yield [3.0] * dim
    for _ in range(60):
        yield [float(rng.randint(-3, 3)) for _ in range(dim)]


def make(db, seed, dim):
    rng, dim = random.Random(int(seed)), int(dim)
    c = client(db)
    for space in SPACES:
        col = c.create_collection("of-" + space, metadata={
            "hnsw:space": space, "hnsw:sync_threshold": 20, "hnsw:batch_size": 10})
        known = []
        for i, v in enumerate(vectors(rng, dim)):
            known.append("%s %d é" % (space, i))
            col.add(ids=[known[-1]], embeddings=[v])
            if i % 7 == 3:
                col.update(ids=[rng.choice(known)],
                           embeddings=[[rng.uniform(-9, 9) for _ in range(dim)]])
            if i % 11 == 5:
                col.delete(ids=[known.pop(rng.randrange(len(known)))])


def ask(db, path):
    c = client(db)
    with open(path, "w", encoding="utf-8") as f:
        for space in SPACES:
            got = c.get_collection("of-" + space).get(include=["embeddings"])
            for rid, v in zip(got["ids"], got["embeddings"]):
                f.write(json.dumps([space, rid, f32([float(x) for x in v]).hex()]) + "\n")


def same(db, path, space, dump):
    with open(path, encoding="utf-8") as f:
        want = {rid: v for s, rid, v in map(json.loads, f) if s == space}
    with open(dump, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    source, = lines[0]["source"]["collections"]
    assert source["space"] == space
    con = sqlite3.connect(os.path.join(db, "chroma.sqlite3"))
    pending = {r[0] for r in con.execute(
        "SELECT id FROM embeddings_queue WHERE topic LIKE '%' || ? AND seq_id > ?",
        (source["id"], source["vector_seq_id"]))}
    n = finite = 0
    got = set()
    for r in lines[1:-1]:
        got.add(r["id"])
        if r["id"] in pending:
            continue
        v = r["embedding"]
        v = base64.b64decode(v) if isinstance(v, str) else f32(v)
        w = bytes.fromhex(want[r["id"]])
        a, b = (struct.unpack("<%df" % (len(x) // 4), x) for x in (v, w))
        # a NaN is one whatever its bits are
        assert len(a) == len(b) and all(
            struct.pack("<f", x) == struct.pack("<f", y) or (x != x and y != y)
            for x, y in zip(a, b)), (r["id"], a, b)
        if space == "cosine":
            norm = math.sqrt(math.fsum(x * x for x in b))
            length = r.get("length")
            assert length is None or length > 0, (r["id"], length)
            # beyond these ends float32 has no square of a component
            if 1e-15 < norm < 1e18:
                assert abs(length / norm - 1) < 1e-5, (r["id"], length, norm)
        else:
            assert "length" not in r, r["id"]
        n += 1
        finite += v == w
    missing = set(want) - got - pending
    assert not missing, missing
    assert n > 100, n
    print(n, finite)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
