#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""info.py DB EXPECTED INFO.jsonl: does chroma-info agree with SQLite, with the pickle and with what Chroma said?

Reads the tables in another way than the programs do, and the pickle with Python's own unpickler.
"""
import json
import os
import pickle
import sqlite3
import struct
import sys

db, expected, info = sys.argv[1:4]
con = sqlite3.connect(f"file:{db}/chroma.sqlite3?mode=ro", uri=True)
said = [json.loads(line) for line in open(info)]
store, cols = said[0], {c["id"]: c for c in said[1:]}
exp = json.load(open(expected))
bad = []


def check(what, got, want):
    if got != want:
        bad.append(f"{what}: chroma-info {got!r}, should be {want!r}")


class Data:
    pass


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        assert (module, name) == ("chromadb.segment.impl.vector.local_persistent_hnsw", "PersistentData")
        return Data


def one(sql, *args):
    row = con.execute(sql, args).fetchone()
    return row[0] if row else None


def seq(v):
    return None if v is None else v if isinstance(v, int) else int.from_bytes(v, "big")


check("store type", store["type"], "store")
for d, v in con.execute("select dir, max(version) from migrations group by dir"):
    check(f"migration {d}", store["migrations"][d], v)
check("collections", store["collections"], one("select count(*) from collections"))
check("wal rows", store["wal"]["rows"], one("select count(*) from embeddings_queue"))
check("newest", store["wal"]["newest_seq_id"], one("select max(seq_id) from embeddings_queue"))
check("oldest", store["wal"]["oldest_seq_id"], one("select min(seq_id) from embeddings_queue"))
segs = {r[0] for r in con.execute("select id from segments")}
check("orphan dirs", sorted(o["name"] for o in store["orphans"]["directories"]),
      sorted(d for d in os.listdir(db) if os.path.isdir(f"{db}/{d}") and d not in segs))
check("orphan records", store["orphans"]["records"],
      one("select count(*) from embeddings where segment_id not in (select id from segments)"))
check("bytes", store["bytes"], sum(os.path.getsize(os.path.join(r, f)) for r, _, fs in os.walk(db) for f in fs))
check("pages", store["sqlite"]["pages"] * store["sqlite"]["page_size"], os.path.getsize(f"{db}/chroma.sqlite3"))
try:
    purge = one("select config_json_str from embeddings_queue_config")
    purge = None if purge is None else json.loads(purge)["automatically_purge"]
except sqlite3.OperationalError:
    purge = None
check("purge", store["automatically_purge"], purge)

check("ids", sorted(cols), sorted(r[0] for r in con.execute("select id from collections")))
newest = one("select max(seq_id) from embeddings_queue") or 0
for e in exp["collections"]:
    c = cols[e["id"]]
    n = f"{e['tenant']}/{e['database']}/{e['name']}"
    check(f"{n} name", f"{c['tenant']}/{c['database']}/{c['name']}", n)
    check(f"{n} records", c["records"], e["count"])
    check(f"{n} space", c["space"], e["space"])
    check(f"{n} dimension", c["dimension"], one("select dimension from collections where id=?", e["id"]))
    if e["metadata"] is not None:
        check(f"{n} metadata", c["metadata"], e["metadata"])
    seg = dict(con.execute("select scope, id from segments where collection=?", (e["id"],)))
    check(f"{n} segments", (c["metadata_segment"], c["vector_segment"]), (seg["METADATA"], seg["VECTOR"]))
    m = seq(one("select seq_id from max_seq_id where segment_id=?", seg["METADATA"]))
    h = seq(one("select seq_id from max_seq_id where segment_id=?", seg["VECTOR"]))
    d = f"{db}/{seg['VECTOR']}"
    pk = None
    if os.path.exists(f"{d}/index_metadata.pickle"):
        with open(f"{d}/index_metadata.pickle", "rb") as f:
            pk = Unpickler(f).load()
        pk = pk if isinstance(pk, dict) else pk.__dict__
    if store["migrations"]["embeddings_queue"] < 2:
        h = None
    if h is None and pk is not None:
        h = pk.get("max_seq_id")
    check(f"{n} M, H", (c["metadata_seq_id"], c["vector_seq_id"]), (m, h))
    rows = con.execute("select seq_id, operation from embeddings_queue where topic like ?", ("%/" + e["id"],)).fetchall()
    w = c["wal"]
    check(f"{n} rows", w["rows"], len(rows))
    check(f"{n} operations", [w[k] for k in ("add", "update", "upsert", "delete")],
          [sum(1 for r in rows if r[1] == k) for k in range(4)])
    lo = min(m, h) if m is not None and h is not None else -1
    check(f"{n} committed", w["committed"], sum(1 for r in rows if r[0] <= lo))
    check(f"{n} pending", w["pending"], sum(1 for r in rows if r[0] > lo))
    check(f"{n} prunable", w["prunable"], sum(1 for r in rows if r[0] < lo and r[0] != newest))
    ix = c["index"]
    if os.path.exists(f"{d}/header.bin"):
        h = struct.unpack("<iQQQQQQiIQQQdQ", open(f"{d}/header.bin", "rb").read())
        check(f"{n} header", (ix["capacity"], ix["elements"], c["M"], c["ef_construction"]), (h[2], h[3], h[11], h[13]))
        size, lab = h[4], h[5]
        raw = open(f"{d}/data_level0.bin", "rb").read()
        recs = [raw[i * size:(i + 1) * size] for i in range(h[3])]
        dead = sum(r[2] & 1 for r in recs)
        live = {struct.unpack_from("<Q", r, lab)[0] for r in recs if not r[2] & 1}
        if pk is not None:
            check(f"{n} ids", ix["ids"], len(pk["id_to_label"]))
            if "orphan_labels" in ix:
                named = set(pk["id_to_label"].values())
                check(f"{n} labels", (ix["orphan_labels"], ix["missing_labels"], ix["deleted"], ix["bad_links"]),
                      (len(live - named), len(named - live), dead, 0))
    else:
        check(f"{n} no index", ix["state"], "none")
print("\n".join(bad))
sys.exit(1 if bad else 0)
