# SPDX-License-Identifier: Apache-2.0
"""Whether the files of an index are sound, found out in another way; and things to build of.

hnswbuild.py sound INDEXDIR SPACE            every byte of it: prints elements, levels, dimension
hnswbuild.py watermark INDEXDIR [seq_ids]    the greatest seq_id, and those of the ids
hnswbuild.py vectors N DIM SEED KIND         a stream of vector records: normal, copies, zeros,
                                             tight (clusters), norms (that vary)
hnswbuild.py npy FILE VERSION                a matrix of the vector records on standard input
hnswbuild.py fvecs FILE                      the same
hnswbuild.py cosine STREAM INDEXDIR          stored times length is what came, bit for bit, where
                                             the record has its length
"""
import json
import math
import os
import random
import struct
import sys

import damage
from hnswdump import Index, f32


def walk(lists, entry):
    """The elements that are reached from entry."""
    seen, stack = {entry}, [entry]
    while stack:
        for j in lists[stack.pop()]:
            if j not in seen:
                seen.add(j)
                stack.append(j)
    return seen


def links(data, at, room, i, n, what):
    """A list of at most room links; what is behind its end is zero."""
    count, flags, zero = struct.unpack_from("<HBB", data, at)
    assert flags == 0 and zero == 0 and count <= room, (what, i, count, flags, zero)
    got = struct.unpack_from("<%dI" % count, data, at + 4)
    assert all(j < n and j != i for j in got), (what, i, got)
    assert len(set(got)) == count, (what, i, "twice")
    assert not any(data[at + 4 + 4 * count:at + 4 + 4 * room]), (what, i, "not zero")
    return got


def text(s):
    s = s.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(s)) + s


def number(v):
    return b"J" + struct.pack("<i", v) if v < 1 << 31 else b"\x8a\x09" + struct.pack("<q", v) + b"\0"


def universal(p, order):
    """The one form that every Chroma loads, to the byte."""
    def table(pairs):
        return b"}(" + b"".join(pairs) + b"u"
    return (b"\x80\x02cchromadb.segment.impl.vector.local_persistent_hnsw\nPersistentData\n)\x81}(" +
            text("dimensionality") + number(p["dimensionality"]) +
            text("total_elements_added") + number(p["total_elements_added"]) +
            text("max_seq_id") + number(p["max_seq_id"]) +
            text("id_to_label") + table(text(i) + number(p["id_to_label"][i]) for i in order) +
            text("label_to_id") + table(number(p["id_to_label"][i]) + text(i) for i in order) +
            text("id_to_seq_id") + table(text(i) + number(p["id_to_seq_id"][i]) for i in order) +
            b"ub.")


def sound_pickle(path, n, dim):
    with open(path, "rb") as f:
        p = damage.Unpickler(f).load()
    assert type(p) is damage.PersistentData
    p = p.__dict__
    assert list(p) == ["dimensionality", "total_elements_added", "max_seq_id", "id_to_label",
                       "label_to_id", "id_to_seq_id"], list(p)
    assert p["dimensionality"] == dim and p["total_elements_added"] == n
    assert sorted(p["id_to_label"].values()) == list(range(1, n + 1))
    assert {v: k for k, v in p["id_to_label"].items()} == p["label_to_id"]
    assert set(p["id_to_seq_id"]) == set(p["id_to_label"])
    assert all(0 <= s <= p["max_seq_id"] for s in p["id_to_seq_id"].values())
    with open(path, "rb") as f:
        data = f.read()
    want = universal(p, list(p["id_to_label"]))
    if n == 0:
        assert data in (want, want.replace(b"}(u", b"}")), data
    else:
        assert data == want


def sound(path, space):
    ix = Index(path)
    head = ix.bytes("header.bin")
    assert len(head) == 100
    (version, level0, room, n, size, label_at, vector_at, top, entry, max_m, max_m0, m, mult,
     efc) = struct.unpack("<iQQQQQQiIQQQdQ", head)
    dim = (label_at - vector_at) // 4
    assert (version, level0, room) == (1, 0, n), (version, level0, room, n)
    assert max_m == m and max_m0 == 2 * m and vector_at == 4 + 8 * m and size == label_at + 8
    assert mult == 1 / math.log(m) and efc >= m, (mult, efc)
    files = ["data_level0.bin", "header.bin", "index_metadata.pickle", "length.bin",
             "link_lists.bin"]
    bare = n == 0 and not os.path.exists(os.path.join(path, files[2]))
    if bare:    # no elements, and of no row of a log
        files.remove("index_metadata.pickle")
    assert sorted(os.listdir(path)) == files, os.listdir(path)
    data, lengths, upper = ix.data, ix.bytes("length.bin"), ix.bytes("link_lists.bin")
    assert len(data) == n * size and len(lengths) == 4 * n
    lists, labels, norms = [[]], [], []
    for i in range(n):
        lists[0].append(links(data, i * size, 2 * m, i, n, "level 0"))
        labels.append(ix.label(i))
        v = struct.unpack_from("<%df" % dim, data, i * size + vector_at)
        assert all(map(math.isfinite, v)), i
        norms.append(math.sqrt(sum(x * x for x in v)))
    assert sorted(labels) == list(range(1, n + 1))
    level, at, step = [], 0, 4 + 4 * m
    for i in range(n):
        bytes_, = struct.unpack_from("<I", upper, at)
        assert bytes_ % step == 0
        level.append(bytes_ // step)
        for k in range(level[i]):
            while len(lists) < k + 2:
                lists.append({})
            lists[k + 1][i] = links(upper, at + 4 + k * step, m, i, n, "level %d" % (k + 1))
        at += 4 + bytes_
    assert at == len(upper), (at, len(upper))
    assert top == max(level, default=-1), top
    if n == 0:
        assert entry == 0xffffffff
    else:
        assert level[entry] == top
        assert len(walk(lists[0], entry)) == n, "not all are reached on level 0"
    for k in range(1, len(lists)):
        assert all(j in lists[k] for got in lists[k].values() for j in got), "a link to nowhere"
    if space == "cosine":
        for i in range(n):
            length, = struct.unpack_from("<f", lengths, 4 * i)
            assert length >= 0
            assert abs(norms[i] - 1) < 1e-5 if length else norms[i] == 0, (i, norms[i], length)
    else:
        assert not any(lengths)
    if not bare:
        sound_pickle(os.path.join(path, "index_metadata.pickle"), n, dim)
    print(n, top + 1, dim)


def watermark(path, seq_ids=None):
    if not os.path.exists(os.path.join(path, "index_metadata.pickle")):
        print(0)
        return
    with open(os.path.join(path, "index_metadata.pickle"), "rb") as f:
        p = damage.Unpickler(f).load().__dict__
    print(p["max_seq_id"], *[json.dumps(p["id_to_seq_id"], sort_keys=True)] if seq_ids else [])


def vectors(n, dim, seed, kind):
    n, dim, rng = int(n), int(dim), random.Random(int(seed))
    print('{"type":"begin","stream":"vector","version":1}')
    centers = [[rng.gauss(0, 1) for _ in range(dim)] for _ in range(5)]
    old = []
    for i in range(n):
        v = [rng.gauss(0, 1) for _ in range(dim)]
        if kind == "zeros":
            v = [0.0] * dim
        elif kind == "copies" and old and rng.random() < 0.7:
            v = rng.choice(old)
        elif kind == "tight":
            v = [c + x * 1e-3 for c, x in zip(rng.choice(centers), v)]
        elif kind == "norms":
            scale = math.exp(rng.gauss(0, 2))
            v = [x * scale for x in v]
        if len(old) < 20:
            old.append(v)
        v = struct.unpack("<%df" % dim, f32(v))
        print(json.dumps({"type": "vector", "label": i + 1, "id": "v%d" % i, "deleted": False,
                          "embedding": v}, separators=(",", ":")))
    print('{"type":"end","records":%d}' % n)


def rows():
    for line in sys.stdin:
        r = json.loads(line)
        if r["type"] == "vector":
            yield r["embedding"]


def npy(path, version):
    got = list(rows())
    head = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }\n" % (
        len(got), len(got[0]))
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY" + bytes([int(version), 0]) +
                struct.pack("<H" if version == "1" else "<I", len(head)) + head.encode() +
                b"".join(map(f32, got)))


def fvecs(path):
    with open(path, "wb") as f:
        for v in rows():
            f.write(struct.pack("<i", len(v)) + f32(v))


def cosine(stream, path):
    ix, n = Index(path), 0
    by_id = {x["id"]: x["vector"] for x in ix.elements("cosine")}
    with open(stream, encoding="utf-8") as f:
        for line in f:
            r = json.loads(line)
            if "length" in r:
                assert by_id[r["id"]] == f32(r["embedding"]), r["id"]
                n += 1
    print(n)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
