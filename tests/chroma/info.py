#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare what chroma-info --jsonl says with what others say.

usage: info.py chroma DB INFO     what Chroma's own API says (python of that Chroma)
       info.py chops DB INFO      what chromadb-ops says (python of the chops environment)

DB is written to: give it a copy. Prints what differs; status 0: nothing does.
"""
import contextlib
import io
import json
import logging
import os
import sqlite3
import sys

logging.disable(logging.ERROR)


def load(path):
    with open(path, encoding="utf-8") as f:
        objects = [json.loads(line) for line in f]
    if objects[0]["type"] != "store" or {o["type"] for o in objects[1:]} > {"collection"}:
        sys.exit("not one store object and then collections")
    return objects[0], objects[1:]


def differ(where, pairs):
    """Lines for the pairs (what, shown by chroma-info, said by the other) that differ."""
    for what, shown, said in pairs:
        if shown != said:
            yield "%s: %s %r, should be %r" % (where, what, shown, said)


def parameters(col, version):
    """The parameters in force as this Chroma shows them, by chroma-info's keys."""
    if version < (1, 0, 0):  # no API shows them, so ask the code that reads them
        from chromadb.segment.impl.vector.hnsw_params import PersistentHnswParams

        given = dict(col.metadata or {})
        if (0, 5, 6) <= version < (0, 6, 3):
            # the default became 100 in 0.6.3, whose directories look just like these
            given.setdefault("hnsw:search_ef", 100)
        p = PersistentHnswParams(given)
        return {"space": p.space, "ef_construction": p.construction_ef, "ef_search": p.search_ef,
                "M": p.M, "resize_factor": p.resize_factor, "batch_size": p.batch_size,
                "sync_threshold": p.sync_threshold}
    hnsw = dict(col.configuration["hnsw"])
    hnsw["M"] = hnsw.pop("max_neighbors")
    return {k: v for k, v in hnsw.items() if v is not None}


def space_in_use(col):
    """The spaces that explain the distances which a query gives."""
    import numpy

    got = col.get(include=["embeddings"])
    vectors = {i: numpy.asarray(v, dtype=float) for i, v in zip(got["ids"], got["embeddings"])}
    q = numpy.linspace(-1.5, 2.5, len(got["embeddings"][0])) + 0.125
    said = col.query(query_embeddings=[q.tolist()], n_results=min(5, len(vectors)))
    found = {"l2", "ip", "cosine"}
    for i, d in zip(said["ids"][0], said["distances"][0]):
        v = vectors[i]
        for space, x in (("l2", ((q - v) ** 2).sum()), ("ip", 1 - q @ v),
                         ("cosine", 1 - q @ v / numpy.linalg.norm(q) / numpy.linalg.norm(v))):
            if abs(x - d) > 1e-4 * max(1, abs(x)):
                found.discard(space)
    return found


def chroma(db, info):
    import chromadb
    from chromadb.config import Settings

    version = tuple(int(x) for x in chromadb.__version__.split(".")[:3])
    store, collections = load(info)
    total = 0
    for c in collections:
        where = "/".join((c["tenant"], c["database"], c["name"]))
        kw = {"tenant": c["tenant"], "database": c["database"]} if version >= (0, 4, 15) else {}
        client = chromadb.PersistentClient(db, Settings(anonymized_telemetry=False), **kw)
        kw = {"embedding_function": None} if version >= (0, 4, 15) else {}
        col = client.get_collection(c["name"], **kw)
        total += col.count()
        pairs = [("id", c["id"], str(col.id)), ("records", c["records"], col.count()),
                 ("metadata", c["metadata"], col.metadata or {})]
        if hasattr(col, "_model"):
            pairs.append(("dimension", c["dimension"], col._model.dimension))
        # of what was born before 1.0, the API of 1.x shows defaults that are not in force
        if version < (1, 0, 0) or "segment_metadata" not in c["params_from"].values():
            pairs += [(k, c[k], v) for k, v in parameters(col, version).items()]
        if col.count():
            space = space_in_use(col)
            if c["space"] not in space:
                yield "%s: space %s, but distances are those of %s" % (where, c["space"], space)
        yield from differ(where, pairs)
    yield from differ("store", [("records", store["records"], total),
                                ("collections", store["collections"], len(collections))])
    # and there are no more of them
    places = {(c["tenant"], c["database"]) for c in collections}
    for tenant, database in places if version >= (0, 4, 15) else ():
        client = chromadb.PersistentClient(db, Settings(anonymized_telemetry=False),
                                           tenant=tenant, database=database)
        shown = [c for c in collections if (c["tenant"], c["database"]) == (tenant, database)]
        yield from differ("%s/%s" % (tenant, database), [
            ("number of collections", len(shown), client.count_collections())])


def chops(db, info):
    from chroma_ops.db_info import info as db_info
    from chroma_ops.hnsw import _get_hnsw_details
    from chroma_ops.wal_info import info_wal

    store, collections = load(info)
    mine = [c for c in collections
            if (c["tenant"], c["database"]) == ("default_tenant", "default_database")]
    by_name = {c["name"]: c for c in mine}
    con = sqlite3.connect(os.path.join(db, "chroma.sqlite3"))
    # _get_hnsw_details looks by name alone, info_wal dies on other tenants
    with con:
        con.execute("DELETE FROM embeddings_queue WHERE topic NOT IN (%s)"
                    % ",".join("?" * len(mine)),
                    ["persistent://default/default/" + c["id"] for c in mine])
        con.execute("UPDATE collections SET name = id WHERE id NOT IN (%s)"
                    % ",".join("?" * len(mine)), [c["id"] for c in mine])
    with contextlib.redirect_stdout(io.StringIO()):
        said = db_info(db)
        wal = {name: n for name, _topic, n in info_wal(db)}

    yield from differ("store", [("number of collections", len(mine), said["collection_count"])])
    for name, d in said["collections"].items():
        c = by_name[name]
        index = c["index"]
        pairs = [("id", c["id"], d["id"]), ("records", c["records"], d["records"]),
                 ("wal rows", c["wal"]["rows"], d["wal_entries"]),
                 ("wal rows (wal info)", c["wal"]["rows"], wal.get(name, 0)),
                 ("dimension", c["dimension"], d["dimension"])]
        for s in d["segments"]:
            scope = s["scope"].lower()
            pairs.append((scope + " segment", c[scope + "_segment"], s["id"]))
            # that of vectors is in the pickle before 0.5.6, and after an upgrade until the
            # collection is used; there this does not look
            mark = s["sysdb_max_seq_id"]
            if mark or scope == "metadata" or not index["pickle"]:
                pairs.append((scope + " max_seq_id", c[scope + "_seq_id"] or 0, mark))
            if scope == "metadata":
                continue
            pairs += [("ids", index["ids"] or 0, s["hnsw_metadata_total_elements"])]
            if index["pickle"]:
                pairs += [("elements", index["elements"], s["hnsw_raw_capacity"]),
                          ("not in index", c["not_in_index"], s["wal_gap"]),
                          ("fragmentation", round(100 * index["fragmentation"], 1),
                           round(s["fragmentation_level"], 1))]
        if index["pickle"]:
            h = _get_hnsw_details(con, db, name, verbose=True)
            pairs += [(k, c[k], h[v]) for k, v in (
                ("space", "space"), ("ef_construction", "construction_ef"), ("M", "m"),
                ("batch_size", "batch_size"), ("sync_threshold", "sync_threshold"),
                ("resize_factor", "resize_factor"))]
            pairs += [("total_elements_added", index["total_elements_added"],
                       h["total_elements_added"]),
                      ("ids (hnsw info)", index["ids"], len(h["id_to_label"])),
                      ("elements (hnsw info)", index["elements"], h["total_elements"])]
        yield from differ(name, pairs)


def main():
    n = 0
    for n, line in enumerate({"chroma": chroma, "chops": chops}[sys.argv[1]](*sys.argv[2:]), 1):
        print(line)
    return n > 0


if __name__ == "__main__":
    sys.exit(main())
