#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Snapshots made by hand, sound and hostile.

snaphostile.py sound DIR TO        the persist dir DIR as the snapshot TO
snaphostile.py cases DIR TODIR     hostile ones, TODIR/NAME.tar; prints for each
                                   NAME <tab> the message that refuses it
snaphostile.py million N           a stream of N members, to standard output
snaphostile.py files N DIR         the same behind the database of DIR
snaphostile.py pages FILE COMMAND... the same, cut and padded by pages only
snaphostile.py huge                a member of a PiB, cut
snaphostile.py within MIB COMMAND...
                                   the command ends with 3, and in so much memory
snaphostile.py sweep STEP FILE COMMAND...
                                   FILE cut at each block, padded, and with a bit
                                   of each STEPth byte flipped, on the standard
                                   input of the command: it must end with 3
                                   each time; prints how often
"""
import json
import os
import resource
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile

FILES = ["header.bin", "data_level0.bin", "length.bin", "link_lists.bin",
         "index_metadata.pickle"]
DATABASE, MANIFEST = "chroma.sqlite3", "MANIFEST.json"
OTHER = "0f0f0f0f-0000-4000-8000-00000000000f"

TABLE = []
for _n in range(256):
    for _ in range(8):
        _n = _n >> 1 ^ (0x82f63b78 if _n & 1 else 0)
    TABLE.append(_n)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xffffffff


CRCS = {}


def crc_of(data):
    """crc32c() of bytes that come again and again."""
    if data not in CRCS:
        CRCS[data] = crc32c(data)
    return CRCS[data]


# ---- tar ----

def header(name, size, kind=b"0", link=b"", mode=0o644, device=0):
    octal = b"%0*o\0"
    h = bytearray(512)
    h[0:100] = name.encode().ljust(100, b"\0")
    h[100:108] = octal % (7, mode)
    h[108:116] = h[116:124] = octal % (7, 0)
    h[124:136] = octal % (11, size)
    h[136:148] = octal % (11, 0)
    h[156:157] = kind
    h[157:257] = link.ljust(100, b"\0")
    h[257:265] = b"ustar\00000"
    h[329:337] = h[337:345] = octal % (7, device)
    h[148:156] = b"        "
    h[148:156] = b"%06o\0 " % sum(h)
    return bytes(h)


def padded(data):
    return data + b"\0" * (-len(data) % 512)


def pax(**keys):
    text = b""
    for key, value in keys.items():
        record = f" {key.replace('_', '.')}={value}\n".encode()
        n = len(record) + 1
        while len(str(n)) + len(record) != n:
            n += 1
        text += str(n).encode() + record
    return header("pax", len(text), b"x") + padded(text)


class Member:
    """A regular file; pieces: [(offset, bytes)] of a sparse one of size bytes."""

    def __init__(self, name, data=b"", pieces=None, size=None, raw=None):
        self.name, self.raw, self.sparse = name, raw, pieces is not None
        if self.sparse:
            text = f"{len(pieces)}\n" + "".join(f"{o}\n{len(d)}\n" for o, d in pieces)
            data = padded(text.encode()) + b"".join(d for _, d in pieces)
        self.data, self.size = data, len(data) if size is None else size

    def tar(self):
        if self.raw is not None:
            return self.raw
        head = b""
        if self.sparse:
            head = pax(GNU_sparse_major=1, GNU_sparse_minor=0, GNU_sparse_name=self.name,
                       GNU_sparse_realsize=self.size)
            return head + header("GNUSparseFile.0/x", len(self.data)) + padded(self.data)
        if len(self.name) > 100:
            return pax(path=self.name) + header("long", len(self.data)) + padded(self.data)
        return header(self.name, len(self.data)) + padded(self.data)

    def entry(self):
        return {"name": self.name, "size": self.size, "stored": len(self.data),
                "crc32c": "%08x" % crc_of(self.data)}


def sealed(manifest):
    text = json.dumps(manifest, separators=(",", ":"), ensure_ascii=False)[:-1].encode()
    return text + b',"crc32c":"%08x"}\n' % crc32c(text)


# ---- a persist dir ----

def describe(path):
    """The manifest of a persist dir, of what chroma-info says."""
    lines = subprocess.run(["chroma-info", "--jsonl", "-q", path], check=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    store, *collections = map(json.loads, lines)
    manifest = {"type": "snapshot", "version": 1, "created_at": "2026-11-22T02:03:04Z",
                "migrations": store["migrations"], "collections": []}
    for c in collections:
        if c["type"] != "collection":
            continue
        keys = ["id", "name", "tenant", "database", "dimension", "space", "M",
                "ef_construction", "ef_search", "records", "wal", "metadata_seq_id",
                "vector_seq_id", "vector_segment", "metadata_segment"]
        one = {k: c[k] for k in keys}
        wal = c["wal"]
        one["wal"] = {"rows": wal["rows"], "from_seq_id": wal["oldest_seq_id"] or None,
                      "to_seq_id": wal["newest_seq_id"] or None, "whole": True}
        one["index_bytes"] = 0
        one["note"] = None
        manifest["collections"].append(one)
    return manifest


class Snapshot:
    def __init__(self, path):
        self.manifest = describe(path)
        self.members = [Member(DATABASE, changed_database(path, CLEAN))]
        for c in self.manifest["collections"]:
            for name in FILES:
                file = os.path.join(path, c["vector_segment"] or "-", name)
                if os.path.exists(file):
                    with open(file, "rb") as f:
                        self.members.append(Member(f"{c['vector_segment']}/{name}", f.read()))

    def find(self, name):
        return next(i for i, m in enumerate(self.members) if m.name.endswith(name))

    def seal(self):
        """The manifest's figures again, of the members as they are now."""
        for c in self.manifest["collections"]:
            c["index_bytes"] = sum(m.size for m in self.members if
                                   m.name.startswith(f"{c['vector_segment']}/"))
        self.manifest["members"] = [m.entry() for m in self.members]
        return self

    def tar(self, end=b"\0" * 1024, **replaced):
        last = Member(MANIFEST, sealed(self.manifest | replaced))
        return b"".join(m.tar() for m in self.members + [last]) + end


# ---- hostile ones ----

def all_cases(path):
    """NAME, what refuses it, and the stream."""
    good = Snapshot(path)
    first = good.members[1].name[:36]
    count = len(good.members)

    def made(change, seal=True):
        s = Snapshot.__new__(Snapshot)
        s.members = list(good.members)
        s.manifest = json.loads(json.dumps(good.manifest))
        s.seal()
        change(s)
        return (s.seal() if seal else s).tar()

    def insert(at, *members):
        def change(s):
            s.members[at:at] = members
        return change

    def drop(at):
        def change(s):
            del s.members[at]
        return change

    # names
    dots = 'absolute, or with an empty part, "." or ".."'
    for name, text in {
            "absolute": "/etc/passwd", "up": f"{first}/../../x", "up-first": "../x",
            "dot": f"./{first}/header.bin", "empty-part": f"{first}//header.bin",
            "slash-end": f"{first}/"}.items():
        yield name, f'the name "{text}" is not accepted: {dots}', made(insert(1, Member(text)))
    for name, text in {
            "other": "x", "upper": f"{first.upper()}/header.bin", "flat": "header.bin",
            "other-file": f"{first}/header.bim", "deeper": f"{first}/header.bin/x",
            "wal": DATABASE + "-wal", "journal": DATABASE + "-journal",
            "case": "Chroma.sqlite3", "short": f"{first[:-1]}/header.bin",
            "braces": "{" + first[:-2] + "}/header.bin", "segment": first,
            "manifest-case": "manifest.json", "control": "a\x1b[2Jb",
            "long": "a" * 200}.items():
        shown = text.replace("\x1b", "?")
        yield name, f"{shown}: not a file of a snapshot", made(insert(1, Member(text)))
    yield "too-long", "a name in a pax header that is longer than 255 bytes, or has a NUL", made(insert(1, Member("a" * 300)))
    # what is no file
    for name, what, kind, link in (
            ("symlink", "a symbolic link", b"2", b"/etc"),
            ("hardlink", "a hard link", b"1", b"chroma.sqlite3"),
            ("directory", "a directory", b"5", b""), ("device", "a device", b"3", b""),
            ("fifo", "a FIFO", b"6", b""), ("global", "a global pax header", b"g", b""),
            ("gnu-long", "a long name as old GNU tar has it", b"L", b""),
            ("old", "of an unknown type", b"\0", b"")):
        text = first if kind == b"5" else f"{first}/header.bin"
        yield name, f"{text} is {what}; only files are accepted", made(insert(1, Member(text, raw=header(text, 0, kind, link))), False)
    # order
    i = good.find("/header.bin")
    yield "twice", f"{good.members[i].name}: stands twice", made(insert(i, good.members[i]))
    yield "database-twice", f"{DATABASE}: stands twice", made(insert(1, good.members[0]))
    yield ("database-late", f"{good.members[1].name}: stands before {DATABASE}",
           made(lambda s: s.members.append(s.members.pop(0))))
    yield "order", f"{good.members[i].name}: out of its order", made(
        lambda s: s.members.insert(i, s.members.pop(i + 1)))
    yield "segment-again", f"{good.members[i].name}: its segment stands twice", made(
        lambda s: s.members.append(s.members[i]))
    yield ("behind", f"{good.members[i].name}: stands behind {MANIFEST}",
           made(lambda s: None)[:-1024] + good.members[i].tar() + b"\0" * 1024)
    yield ("manifest-twice", f"{MANIFEST}: stands behind {MANIFEST}",
           made(lambda s: s.members.append(Member(MANIFEST, sealed(s.manifest)))))
    yield "manifest-first", f"{MANIFEST}: stands before {DATABASE}", made(
        lambda s: s.members.insert(0, Member(MANIFEST, sealed(s.manifest))), False)
    # members against the manifest
    yield ("no-manifest", f"{MANIFEST} is missing: not a whole snapshot",
           b"".join(m.tar() for m in good.members) + b"\0" * 1024)
    yield "nothing", f"{DATABASE} is missing: not a whole snapshot", b"\0" * 1024
    yield "empty", "0 bytes: not a snapshot", b""
    yield "text", "no tar header, or a damaged one: its checksum is wrong", b"a tar file is this not, but it is long enough to be taken for one" * 20
    gone = good.members[count - 1].name
    yield ("missing", f"{gone}: in {MANIFEST}, but not in the snapshot",
           made(drop(count - 1), False))
    yield ("missing-inside", f"{good.members[i + 1].name}: {MANIFEST} has {good.members[i].name} "
           "in its place", made(drop(i), False))
    yield ("not-listed", f"{gone}: not in {MANIFEST}",
           made(lambda s: s.manifest["members"].pop(), False))
    size = good.members[i].size
    yield ("other-size", f"{good.members[i].name}: {size} bytes, {size} of them stored, but "
           f"{MANIFEST} says {size}, 1",
           made(lambda s: s.manifest["members"][i].update(stored=1), False))
    yield ("other-sum", f"{good.members[i].name}: its checksum is "
           f"{good.members[i].entry()['crc32c']}, but {MANIFEST} says 00000000: damaged",
           made(lambda s: s.manifest["members"][i].update(crc32c="00000000"), False))
    yield ("stranger", f"{OTHER}/header.bin: of no VECTOR segment in the database",
           made(insert(count, Member(f"{OTHER}/header.bin", b"x"))))
    one = good.manifest["collections"][0]
    yield ("metadata-segment", f"{one['metadata_segment']}/header.bin: of no VECTOR segment in the "
           "database", made(insert(count, Member(f"{one['metadata_segment']}/header.bin", b"x"))))
    yield from manifest_cases(good, made)
    yield from sparse_cases(good, made)
    yield from database_cases(path, good, made)
    yield from index_cases(good, made)


def manifest_cases(good, made):
    """Another manifest than that of the snapshot."""
    first = good.manifest["collections"][0]
    ident = first["id"]
    for key, value in (("name", "x"), ("tenant", None), ("database", "x"), ("dimension", 1),
                       ("space", "l3"), ("M", 3), ("ef_construction", 3), ("ef_search", 3),
                       ("records", 12345), ("metadata_seq_id", 12345), ("vector_seq_id", None),
                       ("metadata_segment", OTHER)):
        yield (f"m-{key}", f'{DATABASE}: collection {ident}: "{key}" is another one in the database',
               made(lambda s, k=key, v=value: s.manifest["collections"][0].update({k: v})))
    for key in ("rows", "from_seq_id", "to_seq_id"):
        yield (f"m-{key}", f'{DATABASE}: collection {ident}: "wal.{key}" is another one in the '
               "database", made(lambda s, k=key: s.manifest["collections"][0]["wal"].update({k: 7})))
    yield ("m-index_bytes", f'{MANIFEST}: collection {ident}: "index_bytes" are not those of its '
           "files", made(lambda s: s.manifest["collections"][0].update(index_bytes=1), False))
    yield ("m-segment", f"{good.members[1].name[:36]}: of no collection in {MANIFEST}", made(
        lambda s: [c.update(vector_segment=OTHER) for c in s.manifest["collections"]
                   if c["vector_segment"] == s.members[1].name[:36]]))
    yield ("m-more", f"{DATABASE}: collection {OTHER} is not in the database", made(
        lambda s: s.manifest["collections"].append(first | {
            "id": OTHER, "vector_segment": None, "index_bytes": 0})))
    empty = next(c for c in good.manifest["collections"] if not c["vector_segment"] or not any(
        m.name.startswith(c["vector_segment"]) for m in good.members))
    yield ("m-twice", f"{DATABASE}: collection {empty['id']} stands twice", made(
        lambda s: s.manifest["collections"].append(empty)))
    yield ("m-less", f"{DATABASE}: collection {empty['id']} is in the database, but not in the "
           "manifest", made(lambda s: s.manifest["collections"].remove(empty)))
    v = good.manifest["migrations"]
    yield ("m-era", f"{DATABASE}: migrations: sysdb {v['sysdb']}, metadb 1, embeddings_queue "
           f"{v['embeddings_queue']}, but in the database {v['sysdb']}, {v['metadb']}, "
           f"{v['embeddings_queue']}",
           made(lambda s: s.manifest["migrations"].update(metadb=1)))
    yield ("m-newer", f"{MANIFEST}: version 2: newer than this program",
           made(lambda s: s.manifest.update(version=2)))
    yield ("m-damaged", f"{MANIFEST}: checksum does not match: damaged", made(
        lambda s: s.members.append(Member(MANIFEST, sealed(s.manifest).replace(b"Z", b"Y", 1))),
        False))
    yield ("m-holes", f"{MANIFEST}: has holes", made(lambda s: s.members.append(
        Member(MANIFEST, pieces=[(0, sealed(s.manifest))], size=1 << 20)), False))
    yield ("m-large", f"{MANIFEST}: too large", made(lambda s: s.members.append(
        Member(MANIFEST, raw=header(MANIFEST, (256 << 20) + 1))), False))


def sparse_cases(good, made):
    """Files that are large, and cost nothing."""
    def sparse(name, at_end, size):
        i = good.find(name)
        m = good.members[i]
        pieces = [(0, m.data)] + ([(size - 1, b"x")] if at_end else [])
        new = Member(m.name, pieces=pieces, size=size)
        stored = len(new.data)
        return m.name, stored, made(lambda s: s.members.__setitem__(i, new))

    for name in FILES + [DATABASE]:
        full, stored, stream = sparse(name, name in FILES[2:4], 1 << 50)
        yield (f"sparse-{name}", f"{full}: {1 << 50} bytes, of which {stored} are stored: the rest "
               "is holes", stream)
    header_bin = good.members[good.find("/header.bin")].data
    room, size_data = struct.unpack_from("<Q8xQ", header_bin, 12)
    for name, most in (("data_level0.bin", room * size_data), ("length.bin", room * 4)):
        full, _, stream = sparse(name, False, most + 1)
        yield (f"sparse-more-{name}", f"{full}: {most + 1} bytes with holes, but header.bin has "
               f"room for {room} elements", stream)


# what deleted collections left behind
CLEAN = """
DELETE FROM segments WHERE collection NOT IN (SELECT id FROM collections);
DELETE FROM embeddings WHERE segment_id NOT IN (SELECT id FROM segments);
"""


def changed_database(path, sql):
    """The bytes of a copy of the database, after some SQL."""
    with tempfile.TemporaryDirectory() as tmp:
        file = os.path.join(tmp, DATABASE)
        shutil.copy(os.path.join(path, DATABASE), file)
        db = sqlite3.connect(file)
        db.executescript(sql)
        db.commit()
        db.close()
        with open(file, "rb") as f:
            return f.read()


def database_cases(path, good, made):
    ident = good.manifest["collections"][0]["id"]
    for name, message, sql in (
            ("d-trigger", f'{DATABASE}: trigger "t" is none of Chroma\'s',
             "CREATE TRIGGER t AFTER DELETE ON segments BEGIN "
             "DELETE FROM collections; END"),
            ("d-view", f'{DATABASE}: view "v" is none of Chroma\'s',
             "CREATE VIEW v AS SELECT 1"),
            ("d-table", f'{DATABASE}: table "more" is none of Chroma\'s',
             "CREATE TABLE more(x)"),
            ("d-view-for", f'{DATABASE}: table "segment_metadata" is not as Chroma makes it: "s2"',
             "ALTER TABLE segments RENAME TO s2; "
             "CREATE VIEW segments AS SELECT * FROM s2"),
            ("d-check", f'{DATABASE}: table "collections" is not as Chroma makes it: "CHECK"',
             "PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql = "
             "replace(sql, 'name TEXT NOT NULL', 'name TEXT NOT NULL CHECK(load_extension(name))') "
             "WHERE name = 'collections'"),
            ("d-collection", f"{DATABASE}: collection {OTHER} is in the database, but not in the "
             "manifest", f"INSERT INTO collections(id, name, database_id) SELECT '{OTHER}', "
             "'more', database_id FROM collections LIMIT 1"),
            ("d-segment", f"{DATABASE}: segments: one of no collection, or a second one of its "
             "kind", f"INSERT INTO segments(id, type, scope, collection) SELECT '{OTHER}', type, "
             f"scope, '{OTHER}' FROM segments LIMIT 1"),
            ("d-row", f"{DATABASE}: embeddings_queue: seq_id 99999: of no collection",
             "INSERT INTO embeddings_queue(seq_id, operation, topic, id) VALUES (99999, 0, 'x', 'x')"),
            ("d-row-zero", f"{DATABASE}: embeddings_queue: seq_id -5: below 1",
             "INSERT INTO embeddings_queue(seq_id, operation, topic, id) SELECT -5, 0, topic, 'x' "
             "FROM embeddings_queue LIMIT 1"),
            ("d-record", f"{DATABASE}: embeddings: a record of no collection",
             f"INSERT INTO embeddings(segment_id, embedding_id, seq_id) VALUES ('{OTHER}', 'x', 1)"),
            ("d-blob", f"{DATABASE}: collections: an id or a name is no text",
             "UPDATE collections SET name = name || char(0) || 'x' WHERE id = '" + ident + "'"),
            ):
        data = changed_database(path, sql)
        yield name, message, made(lambda s, d=data: s.members.__setitem__(0, Member(DATABASE, d)))
    data = good.members[0].data
    yield "d-cut", f"{DATABASE}: database disk image is malformed", made(lambda s: s.members.__setitem__(
        0, Member(DATABASE, data[:len(data) // 2 & ~4095])))
    yield "d-none", f"{DATABASE}: an empty database", made(lambda s: s.members.__setitem__(0, Member(DATABASE, b"")))


def index_cases(good, made):
    i = good.find("index_metadata.pickle")
    name = next(c["name"] for c in good.manifest["collections"]
                if good.members[i].name.startswith(c["vector_segment"]))

    def other(i, data):
        return made(lambda s: s.members.__setitem__(i, Member(s.members[i].name, data)))

    pickle = good.members[i].data
    yield ("i-code", f"{name}: index: index_metadata.pickle: +13: wants to import os.system, which is "
           "not Chroma's: refused, nothing was executed", other(i, b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R."))
    yield ("i-trailing", f"{name}: index: index_metadata.pickle: 3 bytes behind its end; Chroma from "
           "1.0 on refuses it", other(i, pickle + b"abc"))
    yield ("i-cut", f"{name}: index: index_metadata.pickle: +{len(pickle) - 20}: truncated: no end",
           other(i, pickle[:-20]))
    i = good.find("/header.bin")
    yield ("i-header", f"{name}: index: header.bin: 99 bytes instead of 100: truncated or not an index "
           "header", other(i, good.members[i].data[:-1]))
    data = bytearray(good.members[i + 1].data)
    data[4:8] = b"\xff\xff\xff\x7f"
    yield ("i-link", f"{name}: index: data_level0.bin: element 0: a link to an element that is not "
           "there", other(i + 1, bytes(data)))


# ---- large ones ----

def million(n):
    h = bytearray(header("0" * 8 + "-0000-4000-8000-000000000000/header.bin", 0))
    zero = sum(h[:148]) + 8 * 32 + sum(h[156:]) - 8 * 48
    for k in range(n):
        name = b"%08x" % k
        h[:8] = name
        h[148:154] = b"%06o" % (zero + sum(name))
        yield bytes(h)


def main(verb, *args):
    out = sys.stdout.buffer
    if verb == "sound":
        with open(args[1], "wb") as f:
            f.write(Snapshot(args[0]).seal().tar())
    elif verb == "cases":
        for name, message, stream in all_cases(args[0]):
            with open(os.path.join(args[1], name + ".tar"), "wb") as f:
                f.write(stream)
            print(name, message, sep="\t")
    elif verb in ("million", "files"):
        out.write(Snapshot(args[1]).members[0].tar() if verb == "files" else
                  Member(DATABASE, b"x").tar())
        for block in million(int(args[0])):
            out.write(block)
        out.write(b"\0" * 1024)
    elif verb == "huge":
        # a pax header has the size, which is no octal number of eleven digits
        out.write(pax(size=1 << 50) + header(DATABASE, 0))
        for _ in range(64):
            out.write(b"\0" * (1 << 20))
    elif verb == "pages":
        sweep(8, args[0], args[1:], flip=False)
    elif verb == "within":
        within(int(args[0]), args[1:])
    else:
        sweep(int(args[0]), args[1], args[2:])


def within(mib, command):
    status = subprocess.run(command).returncode
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    print(f"status {status}, {used} MiB")
    sys.exit(status != 3 or used > mib)


def sweep(step, file, command, flip=True):
    with open(file, "rb") as f:
        good = f.read()
    variants = [("cut", n, good[:n]) for n in range(0, len(good), 512 * step)]
    variants += [("cut", n, good[:n]) for n in (len(good) - 1, len(good) - 511)]
    variants += [("padded", n, good + b"\0" * n) for n in (1, 511, 512, 10240)]
    variants += [("padded", 1, good + b"x"), ("doubled", 0, good + good)]
    for at in range(0, len(good) if flip else 0, 97 * step):
        data = bytearray(good)
        data[at] ^= 1 << at % 8
        variants.append(("flipped", at, bytes(data)))
    bad = 0
    for what, at, data in variants:
        with tempfile.TemporaryDirectory() as tmp:
            r = subprocess.run([a.replace("{}", tmp) for a in command], input=data,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if r.returncode != 3 or (r.stdout and command[0] == "unpackcheck"):
            print(what, at, r.returncode, r.stdout, r.stderr)
            bad += 1
    print(f"{len(variants)} variants, {bad} of them not refused")
    sys.exit(bad != 0)


main(*sys.argv[1:])
