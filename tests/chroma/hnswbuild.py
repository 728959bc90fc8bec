#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Chroma and hnswlib make of an index that chroma-hnswbuild built.

With the python of the Chroma in question:
  hnswbuild.py make DB SEED DIM      a collection of each space: adds, updates, upserts, deletes
  hnswbuild.py more DB SEED          more of them, to what is there
  hnswbuild.py ask DB FILE           what get() and query() say
  hnswbuild.py lose DB SEED DIM      a collection whose index has lost a vector (0.4.5 to 0.5.4)
With the python of one that has chroma-hnswlib, or hnswlib:
  hnswbuild.py load INDEXDIR SPACE DUMP
  hnswbuild.py plain INDEXDIR SPACE DUMP
With any:
  hnswbuild.py put DB NAME INDEXDIR  the files of INDEXDIR in the place of the collection's own
  hnswbuild.py judge OLD NEW [SPACE] two files of ask: the same vectors, and neighbours as good
  hnswbuild.py lost LOG DUMP NEW     streams: NEW has what the index lost, as the log has it
"""
import base64
import json
import logging
import math
import os
import pickle
import random
import shutil
import sqlite3
import struct
import sys

SPACES = "l2", "ip", "cosine"
COUNT = 700
NEAREST = 10
FILES = "header.bin", "data_level0.bin", "length.bin", "link_lists.bin", "index_metadata.pickle"


# ---- in a Chroma ----


def client(db):
    import chromadb
    from chromadb.config import Settings
    logging.getLogger("chromadb.telemetry").setLevel(logging.CRITICAL)
    return chromadb.PersistentClient(db, Settings(anonymized_telemetry=False))


def vectors(rng, n, dim):
    """Some of them equal, some near each other; lengths differ."""
    drawn = []
    for _ in range(n):
        if drawn and rng.random() < 0.1:
            v = rng.choice(drawn)
            if rng.random() < 0.5:
                v = [x + rng.gauss(0, 0.01) for x in v]
        else:
            v = [rng.gauss(0, 1) for _ in range(dim)]
        drawn.append(v)
    return drawn


def write(col, rng, dim, first, n):
    """Ids that were deleted do not come back: Chromas before 0.5.5 can lose those."""
    known = sorted(col.get(include=[])["ids"])
    for start in range(first, first + n, 50):
        ids = ["id %d é" % i for i in range(start, start + 50)]
        col.add(ids=ids, embeddings=vectors(rng, 50, dim))
        rng.shuffle(known)
        if len(known) >= 50:
            col.update(ids=known[:10], embeddings=vectors(rng, 10, dim))
            col.upsert(ids=known[10:15] + ["new %d" % start],
                       embeddings=vectors(rng, 6, dim))
            col.delete(ids=known[-8:])
            known = known[:-8] + ["new %d" % start]
        known = sorted(known + ids)


def make(db, seed, dim):
    rng, c = random.Random(int(seed)), client(db)
    for space in SPACES:
        col = c.create_collection("of-" + space, metadata={
            "hnsw:space": space, "hnsw:M": rng.choice([8, 16]), "hnsw:construction_ef": 70,
            "hnsw:search_ef": 50, "hnsw:sync_threshold": 60, "hnsw:batch_size": 30})
        write(col, rng, int(dim), 0, COUNT)
        # what stays in the log
        col.add(ids=["last"], embeddings=vectors(rng, 1, int(dim)))


def more(db, seed):
    rng, c = random.Random(int(seed)), client(db)
    for space in SPACES:
        col = c.get_collection("of-" + space)
        dim = len(col.get(limit=1, include=["embeddings"])["embeddings"][0])
        write(col, rng, dim, 10000 * int(seed), 150)


def ask(db, path):
    c, said = client(db), {}
    for space in SPACES:
        col = c.get_collection("of-" + space)
        got = col.get(include=["embeddings"])
        vecs = {rid: [float(x) for x in v] for rid, v in zip(got["ids"], got["embeddings"])}
        dim = len(next(iter(vecs.values())))
        queries = vectors(random.Random(1), 60, dim)
        answer = col.query(query_embeddings=queries, n_results=NEAREST, include=["distances"])
        said[space] = {"vectors": vecs, "queries": queries, "ids": answer["ids"],
                       "distances": [[float(x) for x in d] for d in answer["distances"]]}
    with open(path, "w", encoding="utf-8") as f:
        json.dump(said, f)


def lose(db, seed, dim):
    """A delete and an add of one id in one batch: its only vector is in the log from then on."""
    rng, dim = random.Random(int(seed)), int(dim)
    col = client(db).create_collection("loses", metadata={
        "hnsw:space": "l2", "hnsw:sync_threshold": 40, "hnsw:batch_size": 20})
    col.add(ids=["a%d" % i for i in range(60)], embeddings=vectors(rng, 60, dim))
    col.delete(ids=["a3"])
    col.add(ids=["a3"], embeddings=vectors(rng, 1, dim))
    for i in range(100):
        col.add(ids=["b%d" % i], embeddings=vectors(rng, 1, dim))


# ---- putting it in place ----


class Data:
    """Chroma's PersistentData, by whatever name the pickle has it."""


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if name != "PersistentData":
            raise pickle.UnpicklingError(name)
        return Data


def load_pickle(path):
    with open(path, "rb") as f:
        x = Unpickler(f).load()
    return x if isinstance(x, dict) else vars(x)


def put(db, name, new):
    con = sqlite3.connect(os.path.join(db, "chroma.sqlite3"))
    segment, = con.execute("SELECT s.id FROM segments s JOIN collections c ON s.collection = c.id "
                           "WHERE c.name = ? AND s.scope = 'VECTOR'", (name,)).fetchone()
    row = con.execute("SELECT seq_id FROM max_seq_id WHERE segment_id = ?", (segment,)).fetchone()
    con.close()
    place = os.path.join(db, segment)
    if row:
        last = row[0] if isinstance(row[0], int) else int.from_bytes(row[0], "big")
    else:
        last = load_pickle(os.path.join(place, FILES[4]))["max_seq_id"]
    assert sorted(os.listdir(new)) == sorted(FILES), os.listdir(new)
    with open(os.path.join(new, FILES[4]), "rb") as f:
        data = f.read()
    # the one thing that vector records do not say
    key = b"X\x0a\0\0\0max_seq_id"
    at = data.index(key) + len(key)
    assert data[at:at + 1] == b"J", data[at:at + 5]
    data = data[:at + 1] + struct.pack("<i", last) + data[at + 5:]
    shutil.rmtree(place)
    shutil.copytree(new, place)
    with open(os.path.join(place, FILES[4]), "wb") as f:
        f.write(data)
    assert load_pickle(os.path.join(place, FILES[4]))["max_seq_id"] == last


# ---- judging ----


def distance(space, a, b):
    dot = sum(x * y for x, y in zip(a, b))
    if space == "l2":
        return sum((x - y) ** 2 for x, y in zip(a, b))
    if space == "ip":
        return 1 - dot
    return 1 - dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def recall(space, said):
    """The share of answers as near as the tenth; and whether the distances are those of the vectors."""
    hits = 0
    for q, ids, distances in zip(said["queries"], said["ids"], said["distances"]):
        exact = {rid: distance(space, v, q) for rid, v in said["vectors"].items()}
        limit = sorted(exact.values())[NEAREST - 1]
        # 0.4 sometimes gives one more or less than it was asked for
        assert len(set(ids)) == len(ids), ids
        assert distances == sorted(distances), distances
        for rid, d in zip(ids[:NEAREST], distances):
            assert abs(d - exact[rid]) <= 1e-4 * max(1, abs(d)), (rid, d, exact[rid])
            hits += d <= limit + 1e-5 * max(1, abs(limit))
    return hits / NEAREST / len(said["ids"])


def f32(v):
    return struct.pack("<%df" % len(v), *v)


def judge(old, new, rounded=""):
    """rounded: a space whose vectors may differ by the rounding of one more multiplication."""
    with open(old, encoding="utf-8") as f:
        was = json.load(f)
    with open(new, encoding="utf-8") as f:
        now = json.load(f)
    for space in SPACES:
        a, b = was[space]["vectors"], now[space]["vectors"]
        assert set(a) == set(b), (space, set(a) ^ set(b))
        if space == rounded:
            differ = [rid for rid in a if not all(
                math.isclose(x, y, rel_tol=5e-7) for x, y in zip(a[rid], b[rid]))]
        else:
            differ = [rid for rid in a if f32(a[rid]) != f32(b[rid])]
        assert not differ, "%s: %d of %d vectors differ: %s %s" % (
            space, len(differ), len(a), a[differ[0]][:3], b[differ[0]][:3])
        before, after = recall(space, was[space]), recall(space, now[space])
        print("%s: %d vectors, recall %.4f, was %.4f" % (space, len(a), after, before))
        # of 600 answers: a dozen is chance
        assert after >= before - 0.02, space


def lost(log, dump, new):
    """Of an id that the log has and the dump has not, NEW has the log's last vector."""
    with open(log, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    last = {}
    for r in rows:
        if r["type"] == "wal":
            last[r["id"]] = r
    index, built = records(dump), records(new)
    alone = [i for i, r in last.items() if i not in index and r["operation"] != "DELETE"]
    assert "a3" in alone, alone
    for i in last:
        if last[i]["operation"] == "DELETE":
            assert i not in built, i
        else:
            assert f32(built[i]) == f32(vector(last[i])), i


# ---- in hnswlib ----


def vector(r):
    v = r["embedding"]
    if isinstance(v, str):
        v = base64.b64decode(v)
        v = struct.unpack("<%df" % (len(v) // 4), v)
    return list(v)


def records(dump):
    """id -> vector, of a stream of vector records."""
    with open(dump, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    return {r["id"]: vector(r) for r in lines if "embedding" in r}


def exact(space, x, q):
    import numpy as np
    x, q = x.astype(np.float64), q.astype(np.float64)
    if space == "cosine":
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
        q = q / np.linalg.norm(q, axis=1, keepdims=True)
    if space == "l2":
        return ((x[None] - q[:, None]) ** 2).sum(2)
    return 1 - q @ x.T


def finds_itself(index, space, x):
    """The share of vectors whose nearest is at least as near as they are to themselves."""
    import numpy as np
    _, d = index.knn_query(x, k=1)
    own = 1 - (x.astype(np.float64) ** 2).sum(1) if space == "ip" else np.zeros(len(x))
    return np.mean(d[:, 0] <= own + 1e-5 * np.maximum(1, np.abs(own)))


def check(index, space, want, labels, lengths):
    """index gives the vectors of want, by labels, and finds them."""
    import numpy as np
    ids = sorted(want)
    x = np.array([want[i] for i in ids], np.float32)
    lab = np.array([labels[i] for i in ids])
    assert sorted(index.get_ids_list()) == sorted(lab)
    got = np.array(index.get_items(lab), np.float32)
    if lengths is not None:
        got = got * lengths[lab][:, None]
    assert np.allclose(got, x, rtol=3e-7, atol=0), np.abs(got - x).max()
    if space != "cosine":
        assert (got == x).all()
    q = np.random.default_rng(1).normal(size=(100, x.shape[1])).astype(np.float32)
    index.set_ef(100)
    found, d = index.knn_query(q, k=NEAREST)
    true = exact(space, x, q)
    limit = np.sort(true, 1)[:, NEAREST - 1]
    hit = (d <= limit[:, None] + 1e-5 * np.maximum(1, np.abs(limit[:, None]))).mean()
    column = {label: n for n, label in enumerate(lab)}
    assert np.allclose([[true[i, column[l]] for l in row] for i, row in enumerate(found)], d,
                       rtol=1e-4, atol=1e-4)
    itself = finds_itself(index, space, x)
    print("%d vectors, recall %.4f, found themselves %.4f" % (len(ids), hit, itself))
    assert hit >= 0.99 and itself >= 0.99


def header(folder):
    with open(os.path.join(folder, "header.bin"), "rb") as f:
        data = f.read()
    return struct.unpack_from("<Q", data, 20)[0], data


def length_of(folder, space, count):
    """By label; None where vectors are kept as they are."""
    import numpy as np
    if space != "cosine":
        return None
    size, at = struct.unpack_from("<QQ", header(folder)[1], 28)
    level0 = np.fromfile(os.path.join(folder, "data_level0.bin"), np.uint8).reshape(count, size)
    label = np.ascontiguousarray(level0[:, at:at + 8]).view("<u8")[:, 0].astype(np.int64)
    lengths = np.zeros(label.max() + 1, np.float32)
    lengths[label] = np.fromfile(os.path.join(folder, "length.bin"), "<f4")
    return lengths


def load(folder, space, dump):
    """In chroma-hnswlib; then more is added, persisted and loaded again."""
    import hnswlib
    import numpy as np
    want, labels = records(dump), load_pickle(os.path.join(folder, FILES[4]))["id_to_label"]
    dim = len(next(iter(want.values())))
    count = header(folder)[0]

    def opened(room):
        index = hnswlib.Index(space=space, dim=dim)
        index.load_index(folder, max_elements=room, is_persistent_index=True)
        return index

    assert set(want) == set(labels)
    index = opened(count + 200)
    lengths = length_of(folder, space, count)
    # some of these give the original back, and others what is stored
    some = next(iter(labels.values()))
    if lengths is not None and abs(np.linalg.norm(index.get_items([some])[0]) - 1) > 1e-5:
        lengths = None
    check(index, space, want, labels, lengths)
    rng = np.random.default_rng(2)
    x = rng.normal(size=(200, dim)).astype(np.float32)
    if lengths is not None:
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        lengths = np.concatenate([lengths, np.ones(300, np.float32)])
    new = np.arange(200) + max(labels.values()) + 1
    index.add_items(x, new)
    gone = sorted(labels)[::5]
    for rid in gone:
        index.mark_deleted(labels[rid])
    index.persist_dirty()
    index.close_file_handles()
    index = opened(count + 200)
    index.set_ef(100)
    assert finds_itself(index, space, x) >= 0.99
    found, _ = index.knn_query(np.array([want[i] for i in sorted(want)], np.float32), k=NEAREST)
    assert not set(found.ravel().tolist()) & {labels[i] for i in gone}


def plain(folder, space, dump):
    """In hnswlib of its own authors, which has one file, no lengths, and looks whether it is sound."""
    import hnswlib
    import numpy as np
    want, labels = records(dump), load_pickle(os.path.join(folder, FILES[4]))["id_to_label"]
    count, head = header(folder)
    whole = os.path.join(folder, "whole")
    with open(whole, "wb") as f:
        f.write(head[4:])
        for name in "data_level0.bin", "link_lists.bin":
            with open(os.path.join(folder, name), "rb") as g:
                shutil.copyfileobj(g, f)
    index = hnswlib.Index(space=space, dim=len(next(iter(want.values()))))
    index.load_index(whole)
    os.remove(whole)
    assert index.element_count == count == len(want)
    check(index, space, want, labels, length_of(folder, space, count))
    x = np.random.default_rng(3).normal(size=(100, index.dim)).astype(np.float32)
    index.resize_index(count + 100)
    index.add_items(x, np.arange(100) + count + 1)
    assert finds_itself(index, space, x) >= 0.99


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
