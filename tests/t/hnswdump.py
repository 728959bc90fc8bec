#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What chroma-hnswdump must say of an index, found out in another way; and damages.

hnswdump.py expected DB EXPECTED COLLECTION STREAM   its vectors are what Chroma's get() gave
hnswdump.py index INDEXDIR SPACE STREAM [LINKS]      its records are the elements of the files
hnswdump.py matrix npy|fvecs FILE IDS STREAM         the matrix is the vectors of the stream
hnswdump.py make INDEXDIR N DIM                      a sound index of l2
hnswdump.py poke INDEXDIR FILE OFFSET FORMAT VALUE   (FORMAT as in struct; OFFSET may be
                                                     ELEMENT.FIELD in data_level0.bin)
hnswdump.py cut|zero|sparse INDEXDIR FILE BYTES      without its last bytes; zeros, or a hole,
                                                     from there on
hnswdump.py swap INDEXDIR FILE A B SIZE              two pieces of the file
hnswdump.py pickle INDEXDIR STATEMENT                p is what is in it
"""
import json
import math
import os
import sqlite3
import struct
import sys

import damage


def f32(values):
    return struct.pack("<%df" % len(values), *values)


def read_stream(path):
    with open(path, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    assert lines[0]["type"] == "begin" and lines[-1] == {"type": "end", "records": len(lines) - 2}
    return lines[0], lines[1:-1]


def expected(db, path, collection, stream):
    """All ids but those that the log has something newer of."""
    begin, records = read_stream(stream)
    with open(path, encoding="utf-8") as f:
        want, = [c for c in json.load(f)["collections"] if c["id"] == collection]
    source, = begin["source"]["collections"]
    assert source["id"] == collection
    con = sqlite3.connect(os.path.join(db, "chroma.sqlite3"))
    pending = {r[0] for r in con.execute(
        "SELECT id FROM embeddings_queue WHERE topic LIKE '%' || ? AND seq_id > ?",
        (collection, source["vector_seq_id"] or 0))}
    con.close()
    embedding = {r["id"]: f32(r["embedding"]) for r in want["records"] if r["id"] not in pending}
    got = {r["id"]: f32(r["embedding"]) for r in records if r["id"] not in pending}
    assert len({r["id"] for r in records}) == len(records)
    assert all(r["collection_id"] == collection and not r["deleted"] for r in records)
    assert got == embedding, sorted(set(got.items()) ^ set(embedding.items()))[:4]
    print(len(got))


class Index:
    """The files of one, read as hnswlib does."""

    def __init__(self, path):
        self.path = path
        head = self.bytes("header.bin")
        (self.count, self.size, self.label_at, self.vector_at, self.max_level, self.entry,
         self.m) = struct.unpack_from("<QQQQiIQ", head, 20)
        self.data = self.bytes("data_level0.bin")

    def bytes(self, name):
        with open(os.path.join(self.path, name), "rb") as f:
            return f.read()

    def ids(self):
        with open(os.path.join(self.path, "index_metadata.pickle"), "rb") as f:
            p = damage.Unpickler(f).load()
        p = p if isinstance(p, dict) else p.__dict__
        return {label: rid for rid, label in p["id_to_label"].items()}

    def label(self, i):
        return struct.unpack_from("<Q", self.data, i * self.size + self.label_at)[0]

    def list(self, data, at):
        n, = struct.unpack_from("<H", data, at)
        return [self.label(i) for i in struct.unpack_from("<%dI" % n, data, at + 4)]

    def elements(self, space):
        ids, links = self.ids(), self.bytes("link_lists.bin")
        lengths = self.bytes("length.bin")
        at = 0
        for i in range(self.count):
            start = i * self.size
            n, = struct.unpack_from("<I", links, at)
            step = 4 + 4 * self.m
            vector = struct.unpack_from("<%df" % ((self.label_at - self.vector_at) // 4),
                                        self.data, start + self.vector_at)
            length = None
            if space == "cosine":
                length, = struct.unpack_from("<f", lengths, 4 * i)
                vector = [x * length for x in vector]   # exact; rounded once by f32()
            yield {"label": self.label(i), "id": ids.get(self.label(i)), "level": n // step,
                   "deleted": bool(self.data[start + 2] & 1), "vector": f32(vector),
                   "length": f32([length]) if length else None,
                   "links": [self.list(self.data, start)] + [
                       self.list(links, at + 4 + k * step) for k in range(n // step)]}
            at += 4 + n


def index(path, space, stream, links=None):
    ix = Index(path)
    begin, records = read_stream(stream)
    want = list(ix.elements(space))
    assert len(want) == len(records), (len(want), len(records))
    for w, r in zip(want, records):
        assert ("links" in r) == bool(links)
        got = {"label": r["label"], "id": r.get("id"), "level": r["level"],
               "deleted": r["deleted"], "vector": f32(r["embedding"]),
               "length": f32([r["length"]]) if "length" in r else None,
               "links": r["links"] if links else w["links"]}
        assert w == got, (w, got)
    source = begin["source"]["index"]
    assert source["space"] == space and source["M"] == ix.m
    assert source["elements"] == ix.count and source["max_level"] == ix.max_level
    assert source["deleted"] == sum(w["deleted"] for w in want)
    assert source["entry_point"] == ix.label(ix.entry)
    print(len(want), max(w["level"] for w in want))


def matrix(form, path, ids, stream):
    _, records = read_stream(stream)
    with open(path, "rb") as f:
        data = f.read()
    dim = len(records[0]["embedding"])
    if form == "npy":
        assert data[:8] == b"\x93NUMPY\1\0"
        n, = struct.unpack_from("<H", data, 8)
        assert (10 + n) % 64 == 0 and data[9 + n:10 + n] == b"\n"
        head = eval(data[10:10 + n].decode("ascii"))   # as numpy does
        assert head == {"descr": "<f4", "fortran_order": False, "shape": (len(records), dim)}
        rows = data[10 + n:]
    else:
        step = 4 + 4 * dim
        assert len(data) == step * len(records)
        assert all(struct.unpack_from("<i", data, i)[0] == dim
                   for i in range(0, len(data), step))
        rows = b"".join(data[i + 4:i + step] for i in range(0, len(data), step))
    assert rows == b"".join(f32(r["embedding"]) for r in records)
    with open(ids, encoding="utf-8") as f:
        assert [json.loads(line) for line in f] == [r.get("id") for r in records]
    print(len(records), dim)


def make(path, n, dim):
    n, dim, m = int(n), int(dim), 4
    os.mkdir(path)

    def put(name, data):
        with open(os.path.join(path, name), "wb") as f:
            f.write(data)
    put("header.bin", struct.pack("<iQQQQQQiIQQQdQ", 1, 0, n, n, 12 + 8 * m + 4 * dim,
                                  4 + 8 * m + 4 * dim, 4 + 8 * m, 0, 0, m, 2 * m, m,
                                  1 / math.log(m), 100))
    links = struct.pack("<HBB", 1, 0, 0)
    put("data_level0.bin", b"".join(
        links + struct.pack("<I", (i + 1) % n) + bytes(8 * m - 4) +
        struct.pack("<%df" % dim, *[i + k / 8 for k in range(dim)]) + struct.pack("<Q", i + 1)
        for i in range(n)))
    put("length.bin", bytes(4 * n))
    put("link_lists.bin", bytes(4 * n))
    ids = {"id-%d" % i: i + 1 for i in range(n)}
    with open(os.path.join(path, "index_metadata.pickle"), "wb") as f:
        damage.pickle.dump({
            "dimensionality": dim, "total_elements_added": n, "max_seq_id": n,
            "id_to_label": ids, "label_to_id": {label: rid for rid, label in ids.items()},
            "id_to_seq_id": {}}, f, 3)


# ---- damages ----

def change(path, name, do):
    path = os.path.join(path, name)
    with open(path, "rb") as f:
        data = bytearray(f.read())
    do(data)
    with open(path, "wb") as f:
        f.write(data)


def poke(path, name, offset, form, value):
    if "." in offset:
        i, field = offset.split(".")
        ix = Index(path)
        offset = int(i) * ix.size + {"count": 0, "flags": 2, "zero": 3, "link": 4,
                                     "vector": ix.vector_at, "label": ix.label_at}[field]
    value = float(value) if form in "fd" else int(value)
    change(path, name, lambda data: struct.pack_into("<" + form, data, int(offset), value))


def cut(path, name, n):
    change(path, name, lambda data: data.__delitem__(slice(len(data) - int(n), None)))


def zero(path, name, start):
    def do(data):
        data[int(start):] = bytes(len(data) - int(start))
    change(path, name, do)


def sparse(path, name, start):
    path = os.path.join(path, name)
    size = os.path.getsize(path)
    os.truncate(path, int(start))
    os.truncate(path, size)


def swap(path, name, a, b, size):
    a, b, size = int(a), int(b), int(size)

    def do(data):
        data[a:a + size], data[b:b + size] = data[b:b + size], data[a:a + size]
    change(path, name, do)


def pickle(path, statement):
    class Holder(damage.Dir):
        def __init__(self):
            self.index = path
    d = Holder()
    p = d.pickle()
    exec(statement, {"p": p})
    d.pickle(p)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
