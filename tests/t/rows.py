# SPDX-License-Identifier: Apache-2.0
"""What Python's sqlite3 sees in a persist dir, for comparison.

rows.py compare DIR STREAM [WHERE [odd]]
    the stream (JSONL) holds exactly the rows of the log that the SQL condition
    chooses, and its begin record what the tables say; only rows of no collection
    have raw, others too where there are odd ones
rows.py every DIR STREAM BASE64 COLUMNS
    the same of two streams, and of what --columns printed
rows.py part DIR PART [NAME]
    the seq_ids that are committed, pending or prunable, a line each
rows.py columns DIR [WHERE]
    the rows as `chops wal export` prints them
"""
import base64
import collections
import io
import itertools
import json
import pickle
import sqlite3
import struct
import sys

COLUMNS = ("seq_id", "created_at", "operation", "topic", "id", "vector",
           "encoding", "metadata")
OPERATIONS = ("ADD", "UPDATE", "UPSERT", "DELETE")
ORDER = ("type", "tenant", "database", "collection", "collection_id", "seq_id",
         "created_at", "operation", "id", "embedding", "document", "uri",
         "metadata", "raw")


class Number(str):
    """The text of a number, which is not the string of that text."""

    def __eq__(self, other):
        return isinstance(other, Number) and str.__eq__(self, other)

    __hash__ = str.__hash__


class Pairs(list):
    """The members of an object, in order, duplicates too."""


def load(text):
    return json.loads(text, parse_float=Number, parse_int=Number,
                      parse_constant=Number, object_pairs_hook=Pairs)


def dump(v):
    """Our canonical form of what load() gives."""
    if isinstance(v, Pairs):
        return "{" + ",".join(dump(k) + ":" + dump(x) for k, x in v) + "}"
    if isinstance(v, list):
        return "[" + ",".join(map(dump, v)) + "]"
    if isinstance(v, Number):
        return str.__str__(v)
    text = json.dumps(v, ensure_ascii=False)
    return "".join("\\u%04x" % ord(c) if 0xd800 <= ord(c) < 0xe000 else c
                   for c in text)


def connect(path):
    db = sqlite3.connect("file:%s/chroma.sqlite3?mode=ro" % path, uri=True)
    db.text_factory = bytes
    return db


def text(v):
    return None if v is None else v.decode()


class Stub:
    def __init__(self, *args):
        pass

    def __setstate__(self, state):
        self.__dict__.update(state)


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        return Stub


def pickled(path, segment):
    try:
        with open("%s/%s/index_metadata.pickle" % (path, segment), "rb") as f:
            v = Unpickler(io.BytesIO(f.read())).load()
    except FileNotFoundError:
        return None
    return v["max_seq_id"] if isinstance(v, dict) else v.max_seq_id


def number(v):
    return int.from_bytes(v[-8:], "big") if isinstance(v, bytes) else v


def has(db, table, column):
    return bool(db.execute("SELECT 1 FROM pragma_table_info(?) WHERE name = ?",
                           (table, column)).fetchall())


def catalog(path, db):
    """Collections in the order of the begin record, as it shows them."""
    migrations = {text(d): v for d, v in db.execute(
        "SELECT dir, max(version) FROM migrations GROUP BY dir")}
    databases = has(db, "collections", "database_id")
    found = []
    for cid, name, tenant, database, dimension in db.execute(
            "SELECT c.id, c.name, %s, c.dimension FROM collections c %s" %
            (("d.tenant_id, d.name",
              "LEFT JOIN databases d ON d.id = c.database_id") if databases
             else ("CAST('default_tenant' AS TEXT), "
                   "CAST('default_database' AS TEXT)", ""))):
        c = collections.OrderedDict(
            id=text(cid), name=text(name), tenant=text(tenant),
            database=text(database), dimension=dimension,
            metadata_seq_id=None, vector_seq_id=None, vector_segment=None,
            metadata_segment=None)
        for segment, scope in db.execute(
                "SELECT id, scope FROM segments WHERE collection = ?",
                (c["id"],)):
            segment, scope = text(segment), text(scope)
            row = db.execute("SELECT seq_id FROM max_seq_id "
                             "WHERE segment_id = ?", (segment,)).fetchone()
            mark = number(row[0]) if row else None
            if scope == "VECTOR":
                if migrations["embeddings_queue"] < 2:
                    mark = None
                if mark is None:
                    mark = pickled(path, segment)
            c["%s_segment" % scope.lower()] = segment
            c["%s_seq_id" % scope.lower()] = mark
        found.append(c)
    found.sort(key=lambda c: (c["tenant"], c["database"], c["name"], c["id"]))
    return migrations, found


def owners(db, cs):
    """Topic to collection."""
    own = {}
    if has(db, "collections", "topic"):
        own = {text(i): text(t) for i, t in
               db.execute("SELECT id, topic FROM collections")}
    return {(own.get(c["id"]) or "persistent://default/default/" + c["id"])
            .encode(): c for c in cs}


def rows(db, where):
    return db.execute("SELECT %s FROM embeddings_queue WHERE %s "
                      "ORDER BY seq_id" % (", ".join(COLUMNS), where)).fetchall()


def types(db, where):
    return db.execute("SELECT %s FROM embeddings_queue WHERE %s ORDER BY seq_id"
                      % (", ".join("typeof(%s)" % c for c in COLUMNS),
                         where)).fetchall()


def same_raw(shown, value, kind):
    """Whether a member of raw is this column, of this SQLite type."""
    kind = kind.decode()
    if kind == "null":
        return shown is None
    if kind == "integer":
        return isinstance(shown, Number) and str(shown) == str(value)
    if kind == "real":
        return isinstance(shown, Number) and float(shown) == value and \
            any(c in shown for c in ".e")
    if kind == "text" and isinstance(shown, str) and \
            not isinstance(shown, Number):
        return shown.encode() == value and b"\0" not in value
    if kind == "text":
        try:
            if b"\0" not in value:
                value.decode()
                return False        # could have stood there as it is
        except UnicodeDecodeError:
            pass
    return isinstance(shown, Pairs) and len(shown) == 1 and \
        shown[0][0] == kind and base64.b64decode(shown[0][1]) == value


def wanted(row, own):
    """The record of a row that has nothing odd."""
    r = dict(zip(COLUMNS, row))
    c = own[r["topic"]]
    want = [("type", "wal")]
    for key in ("tenant", "database"):
        if c[key] is not None:
            want.append((key, c[key]))
    want += [("collection", c["name"]), ("collection_id", c["id"]),
             ("seq_id", Number(r["seq_id"])),
             ("created_at", text(r["created_at"])),
             ("operation", OPERATIONS[r["operation"]]), ("id", text(r["id"]))]
    if r["vector"] is not None:
        assert r["encoding"] == b"FLOAT32"
        want.append(("embedding", r["vector"]))
    if r["metadata"] is not None:
        md = load(r["metadata"].decode())
        for key in ("document", "uri"):
            want += [(key, v) for k, v in md if k == "chroma:" + key]
        want.append(("metadata", Pairs(
            (k, v) for k, v in md if k not in ("chroma:document",
                                               "chroma:uri"))))
    return want


def bits(v):
    """An embedding as the bytes of its float32s."""
    if isinstance(v, str):
        return base64.b64decode(v, validate=True)
    return b"".join(struct.pack("<f", float(x)) for x in v)


def compare(path, stream, where="1", odd=""):
    db = connect(path)
    migrations, cs = catalog(path, db)
    own = owners(db, cs)
    with open(stream, "rb") as f:
        lines = f.read().decode().split("\n")
    assert lines.pop() == "", "the last line has no newline"
    for n, line in enumerate(lines, 1):
        assert dump(load(line)) == line, "line %d is not canonical" % n
    begin, end = dict(load(lines[0])), load(lines[-1])
    table, kinds = rows(db, where), types(db, where)
    assert end == Pairs([("type", "end"), ("records", Number(len(table)))]), \
        "end: %s, wanted %d" % (end, len(table))
    assert len(lines) == len(table) + 2, "%d lines" % len(lines)

    source = dict(begin["source"])
    assert begin["type"] == "begin" and begin["stream"] == "wal"
    assert {k: int(v) for k, v in source["migrations"]} == migrations, \
        source["migrations"]
    shown = [dict(c) for c in source["collections"]]
    for c in shown:
        want = next(x for x in cs if x["id"] == c["id"])
        for key, v in want.items():
            v = Number(v) if isinstance(v, int) else v
            assert c[key] == v, "begin: %s %s, wanted %s" % (key, c[key], v)
    if where == "1":
        assert [c["id"] for c in shown] == [c["id"] for c in cs]

    for n, (line, row, kind) in enumerate(zip(lines[1:], table, kinds), 2):
        rec = load(line)
        keys = [k for k, _ in rec]
        assert keys == [k for k in ORDER if k in keys], "line %d: %s" % (n, keys)
        got = dict(rec)
        assert got["seq_id"] == Number(row[0]), "line %d: seq_id" % n
        if "raw" in got:
            raw = got["raw"]
            assert [k for k, _ in raw] == list(COLUMNS), "line %d: raw" % n
            for (k, v), value, t in zip(raw, row, kind):
                assert same_raw(v, value, t), "line %d: raw %s" % (n, k)
        assert odd or ("raw" in got) == (row[3] not in own), "line %d: raw" % n
        if "raw" in got:
            continue
        got = [(k, bits(v) if k == "embedding" else v) for k, v in rec]
        want = wanted(row, own)
        assert got == want, "line %d:\n%s\nwanted\n%s" % (n, got, want)


def part(path, which, name=None):
    db = connect(path)
    _, cs = catalog(path, db)
    own = owners(db, cs)
    newest = db.execute("SELECT max(seq_id) FROM embeddings_queue").fetchone()[0]
    for seq_id, topic in db.execute("SELECT seq_id, topic FROM embeddings_queue "
                                    "ORDER BY seq_id"):
        c = own.get(topic)
        if c is None or name not in (None, c["name"]):
            continue
        marks = (c["metadata_seq_id"], c["vector_seq_id"])
        low = None if None in marks else min(marks)
        if {"committed": low is not None and seq_id <= low,
                "pending": low is None or seq_id > low,
                "prunable": low is not None and seq_id < low and
                seq_id != newest}[which]:
            print(seq_id)


def every(path, stream, base64_stream, printed):
    compare(path, stream)
    compare(path, base64_stream)
    out = io.StringIO()
    columns(path, to=out)
    with open(printed, encoding="ascii", newline="") as f:
        for n, (got, want) in enumerate(itertools.zip_longest(
                f, io.StringIO(out.getvalue())), 1):
            assert got == want, "columns, line %d:\n%s%s" % (n, got, want)


def columns(path, where="1", to=sys.stdout):
    """chromadb-ops 0.1.5, chroma_ops/wal.py, export_wal()"""
    db = sqlite3.connect("file:%s/chroma.sqlite3?mode=ro" % path, uri=True)
    for row in rows(db, where):
        data = {}
        for i, col in enumerate(COLUMNS):
            if col == "vector" and row[i] is not None:
                data[col] = base64.b64encode(row[i]).decode()
            else:
                data[col] = row[i]
        to.write(json.dumps(data) + "\n")


if __name__ == "__main__":
    {"compare": compare, "every": every, "part": part,
     "columns": columns}[sys.argv[1]](*sys.argv[2:])
