#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ask a real Chroma whether a persist dir holds what an expected.json says.

usage: agree.py DB EXPECTED        (with the python of the Chroma in question)

Prints what differs. Status 0: nothing does; 1: something.
"""
import json
import logging
import math
import sys

import chromadb
from chromadb.config import Settings

VERSION = tuple(int(x) for x in chromadb.__version__.split(".")[:3])


def same_vector(a, b, space):
    if a is None or b is None or len(a) != len(b):
        return False
    if space != "cosine":
        return [float(x) for x in a] == [float(x) for x in b]
    # kept at unit length beside its length: the product is rounded twice
    return all(math.isclose(x, y, rel_tol=1e-5, abs_tol=1e-6) for x, y in zip(a, b))


def differences(db, expected):
    logging.getLogger("chromadb.telemetry").setLevel(logging.CRITICAL)
    clients = {}
    for c in expected["collections"]:
        place = (c["tenant"], c["database"])
        if place not in clients:
            kw = {"tenant": place[0], "database": place[1]} if VERSION >= (0, 4, 15) else {}
            clients[place] = chromadb.PersistentClient(
                db, Settings(anonymized_telemetry=False), **kw)
        kw = {"embedding_function": None} if VERSION >= (0, 4, 15) else {}
        col = clients[place].get_collection(c["name"], **kw)
        where = "/".join(place + (c["name"],))
        if str(col.id) != c["id"]:
            yield "%s: id %s, expected %s" % (where, col.id, c["id"])
        if col.metadata != c["metadata"]:
            yield "%s: metadata %s, expected %s" % (where, col.metadata, c["metadata"])
        if col.count() != c["count"]:
            yield "%s: count %d, expected %d" % (where, col.count(), c["count"])
        if not c["count"]:
            continue
        got = col.get(include=["embeddings", "metadatas", "documents"])
        if len(got["ids"]) != len(got["embeddings"]):
            yield "%s: %d ids, %d embeddings" % (where, len(got["ids"]), len(got["embeddings"]))
        have = {rid: i for i, rid in enumerate(got["ids"])}
        want = {r["id"] for r in c["records"]}
        for rid in sorted(set(have) ^ want):
            yield "%s: %s %r" % (where, "missing" if rid in want else "not expected", rid)
        for r in c["records"]:
            i = have.get(r["id"])
            if i is None:
                continue
            if not same_vector(got["embeddings"][i], r["embedding"], c["space"]):
                yield "%s %r: embedding %s, expected %s" % (
                    where, r["id"], got["embeddings"][i], r["embedding"])
            for key, values in (("metadata", "metadatas"), ("document", "documents")):
                if got[values][i] != r[key]:
                    yield "%s %r: %s %r, expected %r" % (where, r["id"], key, got[values][i], r[key])


def main():
    db, path = sys.argv[1:]
    with open(path, encoding="utf-8") as f:
        expected = json.load(f)
    n = 0
    for n, text in enumerate(differences(db, expected), 1):
        if n <= 20:
            print(text)
    if n > 20:
        print("%d differences in all" % n)
    return n > 0


if __name__ == "__main__":
    sys.exit(main())
