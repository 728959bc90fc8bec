# SPDX-License-Identifier: Apache-2.0
"""Make of a persist dir one that a prune must refuse, or one that looks odd and is not.

damage.py WHAT DIR COLLECTION [TENANT/DATABASE]

Prints the ids that are concerned, a line each, or a number that a test needs.
"""
import os
import pickle
import shutil
import sqlite3
import struct
import sys


class PersistentData:
    """What Chroma before 1.0 pickles, under its name."""


PersistentData.__module__ = "chromadb.segment.impl.vector.local_persistent_hnsw"


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        return PersistentData


class Pickler(pickle._Pickler):
    def save_global(self, obj, name=None):
        # no such module can be imported here
        self.write(b"c%s\n%s\n" % (obj.__module__.encode(), obj.__name__.encode()))
        self.memoize(obj)

    dispatch = dict(pickle._Pickler.dispatch)
    dispatch[type] = save_global


class Dir:
    def __init__(self, db, name, place="default_tenant/default_database"):
        self.db = db
        self.con = sqlite3.connect(os.path.join(db, "chroma.sqlite3"))
        self.id, = self.one(
            "SELECT c.id FROM collections c JOIN databases d ON d.id = c.database_id WHERE"
            " c.name = ? AND d.tenant_id || '/' || d.name = ?", name, place)
        self.segment = {scope: s for s, scope in self.con.execute(
            "SELECT id, scope FROM segments WHERE collection = ?", (self.id,))}
        self.topic = "persistent://default/default/" + self.id
        self.index = os.path.join(db, self.segment["VECTOR"])

    def one(self, sql, *values):
        return self.con.execute(sql, values).fetchone()

    def path(self, name):
        return os.path.join(self.index, name)

    def bytes(self, name):
        with open(self.path(name), "rb") as f:
            return bytearray(f.read())

    def put(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)

    def pickle(self, data=None):
        """The attributes; or write them back."""
        if data is None:
            with open(self.path("index_metadata.pickle"), "rb") as f:
                self.loaded = Unpickler(f).load()
            return self.loaded if isinstance(self.loaded, dict) else self.loaded.__dict__
        with open(self.path("index_metadata.pickle"), "wb") as f:
            Pickler(f, 3).dump(self.loaded)

    def geometry(self):
        """elements, bytes of one, offsets of its label and vector"""
        return struct.unpack_from("<QQQQ", self.bytes("header.bin"), 20)

    def element(self, label):
        """Where the element of that label begins in data_level0.bin."""
        count, size, at, _ = self.geometry()
        data = self.bytes("data_level0.bin")
        for i in range(count):
            if struct.unpack_from("<Q", data, i * size + at)[0] == label:
                return i * size
        raise KeyError(label)

    def victim(self, nth=0):
        """A live id in the index whose only row would go."""
        live = {r[0] for r in self.con.execute(
            "SELECT embedding_id FROM embeddings WHERE segment_id = ?",
            (self.segment["METADATA"],))}
        labels = self.pickle()["id_to_label"]
        boundary = self.boundary()
        return [rid for rid, in self.con.execute(
            "SELECT id FROM embeddings_queue WHERE topic = ? GROUP BY id"
            " HAVING max(seq_id) < ? AND count(*) = 1 ORDER BY min(seq_id)",
            (self.topic, boundary)) if rid in live and rid in labels][nth]

    def boundary(self):
        """min(M, H)"""
        def number(v):
            return int.from_bytes(v[-8:], "big") if isinstance(v, bytes) else v
        marks = [number(m) for m, in self.con.execute(
            "SELECT seq_id FROM max_seq_id WHERE segment_id IN (?, ?)",
            tuple(self.segment.values()))]
        if len(marks) < 2:
            marks.append(self.pickle()["max_seq_id"])
        return min(marks)

    def gap(self):
        """A number below the boundary, late in the log. The row that had it changed metadata only,
        and is missed by nobody."""
        n, = self.one("SELECT max(seq_id) FROM embeddings_queue WHERE topic = ? AND seq_id < ?"
                      " AND operation = 1 AND vector IS NULL", self.topic, self.boundary())
        self.con.execute("DELETE FROM embeddings_queue WHERE seq_id = ?", (n,))
        return n

    def row(self, seq_id, operation, rid, vector=None, created_at=None):
        self.con.execute(
            "INSERT INTO embeddings_queue (seq_id, operation, topic, id, vector, encoding,"
            " metadata, created_at) VALUES (?, ?, ?, ?, ?, ?, '{}',"
            " coalesce(?, CURRENT_TIMESTAMP))",
            (seq_id, operation, self.topic, rid, vector, vector and "FLOAT32", created_at))

    def vector(self, value=0.5):
        dim, = self.one("SELECT dimension FROM collections WHERE id = ?", self.id)
        return struct.pack("<%df" % dim, *[value] * dim)


# ---- what must be refused ----

def unapplied_add(d):
    """An ADD that neither segment has."""
    d.row(d.gap(), 0, "never applied", d.vector())
    print("never applied")


def unapplied_delete(d):
    """A DELETE that did not happen."""
    rid = d.victim()
    d.row(d.gap(), 3, rid)
    print(rid)


def newest_of(d, rid):
    return d.one("SELECT max(seq_id) FROM embeddings_queue WHERE topic = ? AND id = ?",
                 d.topic, rid)[0]


def unapplied_vector(d):
    """The last row of an id has a vector that is not in the index."""
    rid = d.victim()
    d.con.execute("UPDATE embeddings_queue SET vector = ?, operation = 2 WHERE seq_id = ?",
                  (d.vector(), newest_of(d, rid)))
    print(rid)


def cut(d):
    """data_level0.bin without its last elements."""
    count, size, _, _ = d.geometry()
    d.put("data_level0.bin", d.bytes("data_level0.bin")[:size * (count - 2) + size // 2])


def zeros(d):
    """data_level0.bin as a power cut leaves it: its size, and no bytes."""
    d.put("data_level0.bin", bytes(len(d.bytes("data_level0.bin"))))


def zero_vector(d):
    """Only the vector of one id: links, labels and marks are good."""
    rid = d.victim()
    _, _, at, offset = d.geometry()
    start = d.element(d.pickle()["id_to_label"][rid]) + offset
    data = d.bytes("data_level0.bin")
    data[start:start + at - offset] = bytes(at - offset)
    d.put("data_level0.bin", data)
    print(rid)


def zero_length(d):
    """Of the cosine space: the length of one vector."""
    rid = d.victim()
    start = d.element(d.pickle()["id_to_label"][rid]) // d.geometry()[1] * 4
    data = d.bytes("length.bin")
    data[start:start + 4] = bytes(4)
    d.put("length.bin", data)
    print(rid)


def no_pickle(d):
    os.unlink(d.path("index_metadata.pickle"))


def no_index(d):
    for name in os.listdir(d.index):
        os.unlink(d.path(name))
    os.rmdir(d.index)


def forgotten(d, mark=False):
    """The pickle misses an id."""
    rid = d.victim()
    p = d.pickle()
    label = p["id_to_label"].pop(rid)
    p["label_to_id"].pop(label)
    p["id_to_seq_id"].pop(rid, None)
    d.pickle(p)
    if mark:
        data = d.bytes("data_level0.bin")
        data[d.element(label) + 2] |= 1
        d.put("data_level0.bin", data)
    print(rid)


def deleted(d):
    """And the element is marked as deleted: a sound index, without that id."""
    forgotten(d, mark=True)


def no_record(d):
    """A record is gone from the METADATA segment."""
    rid = d.victim()
    d.con.execute("DELETE FROM embeddings WHERE segment_id = ? AND embedding_id = ?",
                  (d.segment["METADATA"], rid))
    print(rid)


def other_id(d):
    """Two ids of the pickle are exchanged: each has the other's vector."""
    rid = d.victim()
    other = d.victim(1)
    p = d.pickle()
    a, b = p["id_to_label"][rid], p["id_to_label"][other]
    p["id_to_label"].update({rid: b, other: a})
    p["label_to_id"].update({a: other, b: rid})
    d.pickle(p)
    print(rid, other, sep="\n")


def no_vector_stays(d):
    """The index has not the last vector, and a row that stays has none but says so."""
    unapplied_vector(d)
    rid, = d.one("SELECT id FROM embeddings_queue WHERE topic = ? AND vector = ?", d.topic,
                 d.vector())
    n, = d.one("SELECT max(seq_id) + 1 FROM embeddings_queue")
    d.row(n, 1, rid, d.vector()[:-4])


def unapplied_update(d):
    """Metadata that the record does not show."""
    rid = d.victim()
    d.row(d.gap(), 1, rid)
    print(rid)


def emptied(d):
    """The log was emptied, and its numbers were given out again."""
    rid = d.victim()
    d.con.execute("DELETE FROM embeddings_queue")
    for n in range(1, 4):
        d.row(n, 1, rid)


def two_segments(d):
    """Two indexes, and only one of them can be the one that Chroma takes."""
    segment = d.segment["VECTOR"]
    d.con.execute("INSERT INTO segments (id, type, scope, collection) SELECT 'z' || id, type,"
                  " scope, collection FROM segments WHERE id = ?", (segment,))
    d.con.execute("INSERT INTO max_seq_id (segment_id, seq_id) SELECT 'z' || segment_id, seq_id"
                  " FROM max_seq_id WHERE segment_id = ?", (segment,))
    shutil.copytree(d.index, os.path.join(d.db, "z" + segment))


def in_memory(d):
    d.con.execute("UPDATE segments SET type = 'urn:chroma:segment/vector/hnsw-local-memory'"
                  " WHERE id = ?", (d.segment["VECTOR"],))


def same_topic(d):
    """Up to 0.5.0: another collection has the same."""
    d.con.execute("INSERT INTO collections SELECT 'z' || id, 'z' || name, topic, dimension,"
                  " database_id FROM collections WHERE id = ?", (d.id,))


# ---- what must not ----

def own_topic(d):
    """Up to 0.5.0: one that does not end with the collection's id; its rows are not dead."""
    for table in "collections", "embeddings_queue":
        d.con.execute("UPDATE %s SET topic = 'persistent://x/y/z' WHERE topic = ?" % table,
                      (d.topic,))


def add_of_live(d):
    """An ADD of what is there has no effect, whatever its vector."""
    rid = d.victim()
    d.row(d.gap(), 0, rid, d.vector())


def add_alone(d):
    """The same, and the older rows of that id are gone."""
    rid = d.victim()
    d.con.execute("DELETE FROM embeddings_queue WHERE topic = ? AND id = ?", (d.topic, rid))
    d.row(d.gap(), 0, rid, d.vector())
    return rid


def add_alone_then_update(d):
    """And an update of metadata after it, so that the record was touched later than by the ADD; but
    it was born long before."""
    last = d.gap()
    rid = add_alone(d)
    d.con.execute("UPDATE embeddings_queue SET created_at = '2100-01-01 00:00:00'"
                  " WHERE topic = ? AND id = ?", (d.topic, rid))
    d.row(last, 1, rid)
    was, = d.one("SELECT seq_id FROM embeddings WHERE segment_id = ? AND embedding_id = ?",
                 d.segment["METADATA"], rid)
    d.con.execute("UPDATE embeddings SET seq_id = ? WHERE segment_id = ? AND embedding_id = ?",
                  (last.to_bytes(8, "big") if isinstance(was, bytes) else last,
                   d.segment["METADATA"], rid))


# ---- in between ----

def older_of_deleted(d):
    """The numbers of all rows of a deleted id but the DELETE, whose number comes last."""
    live = {r[0] for r in d.con.execute("SELECT embedding_id FROM embeddings WHERE segment_id = ?",
                                        (d.segment["METADATA"],))}
    for rid, rows in d.con.execute(
            "SELECT id, group_concat(seq_id) FROM embeddings_queue WHERE topic = ? GROUP BY id"
            " HAVING max(seq_id) < ? AND count(*) > 1", (d.topic, d.boundary())):
        if rid not in live:
            print(rid, *sorted(rows.split(","), key=int))
            return
    raise KeyError("no such id")


def reissue(d):
    """Another row gets the number of one."""
    n = newest_of(d, d.victim())
    d.con.execute("UPDATE embeddings_queue SET id = id || '2' WHERE seq_id = ?", (n,))
    print(n)


def reissue_vector(d):
    """The same but for one float."""
    n = newest_of(d, d.victim())
    d.con.execute("UPDATE embeddings_queue SET vector = ? WHERE seq_id = ?", (d.vector(), n))
    print(n)


def ahead(d):
    """The watermarks of a collection without pending rows name numbers that no row has, as newer
    rows are gone."""
    d.con.execute("DELETE FROM embeddings_queue WHERE seq_id > ?", (d.boundary(),))
    top, = d.one("SELECT max(seq_id) FROM embeddings_queue")
    print(top)
    for segment in d.segment.values():
        d.con.execute("UPDATE max_seq_id SET seq_id = ? WHERE segment_id = ?", (top + 5, segment))


def dead(d):
    """Rows of a collection that is gone."""
    top = d.one("SELECT max(seq_id) FROM embeddings_queue")[0]
    for n in range(3):
        d.row(top + 1 + n, 2, "dead %d" % n, d.vector())
    d.con.execute("UPDATE embeddings_queue SET topic = 'persistent://default/default/"
                  "00000000-0000-4000-8000-000000000000' WHERE seq_id > ?", (top,))


def main():
    d = Dir(*sys.argv[2:])
    with d.con:
        globals()[sys.argv[1]](d)
    d.con.close()


if __name__ == "__main__":
    main()
