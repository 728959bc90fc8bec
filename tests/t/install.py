# SPDX-License-Identifier: Apache-2.0
"""What a new index may change in a persist dir and what not (program and module).

install.py right BEFORE AFTER COLLECTION_ID SPACE SEQ_ID [TABLE ...]
                       AFTER is BEFORE with a new index of that collection, which has what the log
                       leaves and this watermark (0: none; -: what it was): the same directories
                       and files, tables (but for these) and rows; prints the id of the segment
install.py segment DIR COLLECTION_ID         the id of its VECTOR segment
install.py watermark DIR SEGMENT             its max_seq_id as it is stored
"""
import base64
import json
import os
import sqlite3
import struct
import subprocess
import sys

from walprune import connect

INTEGER_SINCE = 5       # metadb: INTEGER watermarks
ROWS_SINCE = 2          # embeddings_queue: H is a row of max_seq_id


def stream(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise RuntimeError("%s: %d: %s" % (" ".join(command), done.returncode,
                                           done.stderr.decode()))
    return [json.loads(x) for x in done.stdout.splitlines()]


def index(db, collection):
    """{id: the vector's bytes}"""
    return {r["id"]: base64.b64decode(r["embedding"])
            for r in stream("chroma-hnswdump", "-q", "--embedding=base64", "-c", collection, db)
            if r["type"] == "vector"}


def folded(db, collection):
    """The same, with what the log says, as Chroma applies it."""
    have = index(db, collection)
    for r in stream("chroma-walexport", "-q", "--embedding=base64", "-c", collection, db):
        if r["type"] != "wal":
            continue
        rid, vector = r["id"], r.get("embedding")
        vector = vector and base64.b64decode(vector)
        op = r["operation"]
        if op == "DELETE":
            have.pop(rid, None)
        elif vector and (op == "UPSERT" or (op == "ADD") == (rid not in have)):
            have[rid] = vector
    return have


def same_vector(a, b, space):
    """To the bit; where the index keeps directions and lengths, as near as float32 are."""
    if a == b:
        return True
    if space != "cosine" or len(a) != len(b):
        return False
    x, y = (struct.unpack("<%df" % (len(v) // 4), v) for v in (a, b))
    norm = sum(v * v for v in x) ** 0.5
    return all(abs(v - w) <= 1e-5 * norm for v, w in zip(x, y))


def vectors(before, after, collection, space, log=True):
    want, got = (folded if log else index)(before, collection), index(after, collection)
    assert sorted(want) == sorted(got), set(want) ^ set(got)
    wrong = [i for i in want if not same_vector(want[i], got[i], space)]
    assert not wrong, wrong
    # what needed no log keeps its bits
    old = index(before, collection)
    lost = [i for i in want if old.get(i) == want[i] != got[i]]
    assert not lost, lost


def version(con, what):
    return con.execute("SELECT max(version) FROM migrations WHERE dir = ?",
                       (what,)).fetchone()[0] or 0


def everything(db):
    """{table: its rows with their numbers}; of max_seq_id and sqlite_stat: without."""
    con = connect(db)
    said = {"": sorted(map(repr, con.execute("SELECT type, name, sql FROM sqlite_master")))}
    for name, sql in con.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'"):
        name = name.decode()
        if b"VIRTUAL TABLE" in sql:
            continue
        key = "" if name == "max_seq_id" else "rowid, "
        try:
            rows = con.execute('SELECT %s* FROM "%s"' % (key, name)).fetchall()
        except sqlite3.OperationalError:
            rows = con.execute('SELECT * FROM "%s"' % name).fetchall()
        said[name] = sorted(rows, key=repr)
    assert con.execute("PRAGMA quick_check").fetchone()[0] == b"ok"
    integer = version(con, "metadb") >= INTEGER_SINCE
    rows = version(con, "embeddings_queue") >= ROWS_SINCE
    con.close()
    return said, integer, rows


def tables(before, after, old, new, seq_id, but=()):
    a, integer, in_rows = everything(before)
    b, _, _ = everything(after)
    old, new, seq_id = old.encode(), new.encode(), int(seq_id)
    for name in ("segments", "segment_metadata"):
        a[name] = [tuple(new if v == old else v for v in row) for row in a[name]]
    had = [r for r in a["max_seq_id"] if r[0] in (old, new)]
    a["max_seq_id"] = [r for r in a["max_seq_id"] if r[0] not in (old, new)]
    if seq_id and (in_rows or had):
        a["max_seq_id"].append((new, seq_id if integer else struct.pack(">Q", seq_id)))
    assert a.keys() == b.keys(), a.keys() ^ b.keys()
    for name in a:
        if name not in but:
            x, y = sorted(a[name], key=repr), sorted(b[name], key=repr)
            assert x == y, (name, [r for r in x if r not in y][:3], [r for r in y if r not in x][:3])


def segment(db, collection):
    con = connect(db)
    got = con.execute("SELECT id FROM segments WHERE collection = ? AND scope = 'VECTOR'",
                      (collection,)).fetchone()[0].decode()
    con.close()
    return got


FILES = ["data_level0.bin", "header.bin", "index_metadata.pickle", "length.bin", "link_lists.bin"]


def right(before, after, collection, space, seq_id, *but):
    old, new = segment(before, collection), segment(after, collection)
    assert old != new
    if seq_id == "-":
        seq_id = [r["vector_seq_id"] or 0 for r in stream("chroma-info", "-q", "--jsonl", before)
                  if r.get("id") == collection][0]
    tables(before, after, old, new, seq_id, but)
    assert sorted(os.listdir(os.path.join(after, new))) == FILES
    assert set(os.listdir(after)) == set(os.listdir(before)) - {old} | {new}
    vectors(before, after, collection, space)
    said = [r for r in stream("chroma-info", "-q", "--jsonl", after) if r.get("id") == collection][0]
    assert (said["vector_seq_id"] or 0) == int(seq_id), said
    assert said["vector_segment"] == new and said["index"]["fault"] is None, said
    print(new)


def main():
    what, args = sys.argv[1], sys.argv[2:]
    if what == "right":
        right(*args)
    elif what == "segment":
        print(segment(*args))
    elif what == "watermark":
        con = connect(args[0])
        for row in con.execute("SELECT typeof(seq_id), hex(seq_id) FROM max_seq_id WHERE"
                               " segment_id = ?", (args[1],)):
            print(*(v.decode() for v in row))


if __name__ == "__main__":
    main()
