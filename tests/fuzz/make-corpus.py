#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the seeds of the fuzz targets: make-corpus.py [DIR]

DIR (default: corpus, beside this file) gets a directory for each target, and
in it a file for each seed, named for what it shows.  Crashes that were found
and mended are seeds too, at the end.
"""
import json
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TO = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "corpus")


def seed(target, name, data):
    os.makedirs(os.path.join(TO, target), exist_ok=True)
    with open(os.path.join(TO, target, name), "wb") as f:
        f.write(data)


def u16(v):
    return struct.pack("<H", v)


def u32(v):
    return struct.pack("<I", v & 0xffffffff)


def u64(v):
    return struct.pack("<Q", v & 0xffffffffffffffff)


def crc32c(data, crc=0):
    crc ^= 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


# ---- pickle: opcodes by their names in pickletools ----

MODULE = b"chromadb.segment.impl.vector.local_persistent_hnsw"


def string(s, short=False):
    return (b"\x8c" + bytes([len(s)]) if short else b"X" + u32(len(s))) + s


def integer(v):
    return b"J" + u32(v) if -2**31 <= v < 2**31 else b"\x8a\x08" + u64(v)


def mapping(pairs):
    return b"}" + (b"(" + b"".join(pairs) + b"u" if pairs else b"")


def state(ids, short=False):
    labels = list(enumerate(ids, 1))
    return b"}(" + b"".join([
        string(b"dimensionality", short), integer(3),
        string(b"total_elements_added", short), integer(len(ids)),
        string(b"max_seq_id", short), integer(1 << 40),
        string(b"id_to_label", short),
        mapping([string(i, short) + integer(n) for n, i in labels]),
        string(b"label_to_id", short),
        mapping([integer(n) + string(i, short) for n, i in labels]),
        string(b"id_to_seq_id", short),
        mapping([string(i, short) + integer(n) for n, i in labels]),
    ]) + b"u"


IDS = [b"a", b"max_seq_id", "é".encode()]
dict_form = b"\x80\x03" + state(IDS) + b"."
seed("pickle", "dict", dict_form)
seed("pickle", "dict-empty", b"\x80\x03" + state([]) + b".")
seed("pickle", "dict-trailing", dict_form + b"xyz")
seed("pickle", "dict-truncated", dict_form[:60])
seed("pickle", "dict-empty-group",
     b"\x80\x03" + state(IDS)[:-1] + b"u" + b"(u.")
seed("pickle", "class-2", b"\x80\x02c" + MODULE + b"\nPersistentData\n)\x81" +
     state(IDS) + b"b.")
body = (string(MODULE, True) + b"\x94" + string(b"PersistentData", True) +
        b"\x94\x93\x94)\x81\x94" + state(IDS, True) + b"b.")
seed("pickle", "class-5", b"\x80\x05\x95" + u64(len(body)) + body)
seed("pickle", "memo", b"\x80\x04}(" + string(b"total_elements_added", True) +
     b"K\x01" + string(b"id_to_label", True) + b"}" + string(b"a", True) +
     b"\x94K\x01s" + string(b"label_to_id", True) + b"}K\x01h\x00su.")
seed("pickle", "shared-dict",
     b"\x80\x04}(" + string(b"total_elements_added", True) + b"K\x01" +
     string(b"id_to_label", True) + b"}\x94" + string(b"label_to_id", True) +
     b"h\x00" + string(b"id_to_seq_id", True) + b"h\x00u.")
seed("pickle", "state-in-itself",
     b"\x80\x03}\x94(" + string(b"total_elements_added") + b"K\x01" +
     string(b"id_to_label") + b"h\x00" + string(b"label_to_id") + b"h\x00u.")
seed("pickle", "reduce", b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.")
seed("pickle", "stack-global", b"\x80\x04\x8c\x05posix\x8c\x06system\x93.")
seed("pickle", "long1", b"\x80\x02\x8a\x09" + u64(1 << 62) + b"\0.")
seed("pickle", "binunicode8", b"\x80\x04\x8d" + u64(1) + b"a.")
seed("pickle", "long-binput", b"\x80\x02}r" + u32(0) + b"j" + u32(0) + b".")
seed("pickle", "setitems-odd", b"\x80\x02}(K\x01u.")


# ---- index ----

def header(count=3, dim=2, m=16, level=0, entry=0):
    data_at = 4 + 8 * m
    label_at = data_at + 4 * dim
    return (u32(1) + u64(0) + u64(1000) + u64(count) + u64(label_at + 8) +
            u64(label_at) + u64(data_at) + u32(level) + u32(entry) + u64(m) +
            u64(2 * m) + u64(m) + struct.pack("<d", 0.36) + u64(100))


seed("index", "three-elements", header())
seed("index", "empty", header(0, level=-1, entry=-1))
seed("index", "large", header(2**32 - 1, dim=1 << 20, m=65535, level=64))
seed("index", "dim-0", header(1, dim=0, m=1))
seed("index", "count-2-32", header(2**32))
seed("index", "truncated", header()[:99])
seed("index", "version-2", u32(2) + header()[4:])


# ---- elements: the space and 4, then the files after their sizes ----

def u16s(*v):
    return b"".join(u16(n) for n in v)


def directory(how=4, deleted=(), tall=(0, 2), links=None, count=4, missing=(),
              pickled=None, total=4, dim=2):
    level0 = b"".join(
        u16s(links[i] if links else 1, 1 if i in deleted else 0) +
        u32(i - 1 if i else 1) + u32(9) * 3 +
        struct.pack("<%df" % dim, *([0.6, 0.8] + [0] * dim)[:dim]) +
        u64(i + 1) for i in range(count))
    upper = b"".join(u32(12) + u16s(1, 0) + u32(tall[(tall.index(i) + 1) % len(tall)]) +
                     u32(7) if i in tall else u32(0) for i in range(count))
    head = header(count, dim=dim, m=2, level=1 if tall else 0)
    head = head[:84] + struct.pack("<d", 1.4426950408889634) + head[92:]
    live = [(b"id%d" % i, i + 1) for i in range(count) if i not in deleted]
    metadata = b"\x80\x03}(" + b"".join([
        string(b"total_elements_added"), integer(total),
        string(b"id_to_label"),
        mapping([string(i) + integer(n) for i, n in live]),
        string(b"label_to_id"),
        mapping([integer(n) + string(i) for i, n in live]),
        string(b"id_to_seq_id"), b"}u."])
    files = [head, level0, struct.pack("<f", 5) * count, upper,
             metadata if pickled is None else pickled]
    return bytes([how]) + b"".join(
        u16(0xffff) if i in missing else u16(len(f)) + f
        for i, f in enumerate(files))


seed("elements", "l2", directory())
seed("elements", "cosine", directory(how=6))
seed("elements", "deleted", directory(deleted=(1, 3)))
seed("elements", "all-deleted", directory(deleted=range(4)))
seed("elements", "flat", directory(tall=()))
seed("elements", "empty", directory(count=0, tall=()))
seed("elements", "dim-0", directory(dim=0))
seed("elements", "no-pickle", directory(missing=(4,)))
seed("elements", "pickle-alone", directory(missing=(0, 1, 2, 3)))
seed("elements", "links-missing", directory(missing=(3,)))
seed("elements", "class", directory(pickled=b"\x80\x02c" + MODULE +
                                    b"\nPersistentData\n)\x81" + state(IDS) + b"b."))
seed("elements", "high-labels", directory(total=2))
seed("elements", "too-many-links", directory(links=[5, 4, 0xffff, 0]))
seed("elements", "cut", directory()[:200])


# ---- json ----

for name, text in {
    "object": '{ "type" : "wal" , "id" : [ 1, -2.5e+10, true, null ] }',
    "escapes": '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\\u00e9"',
    "surrogates": '"\\ud83d\\ude00\\ud800\\udc00\\udc00\\ud800"',
    "key-escaped": '{"docu\\u006dent":1,"document":2}',
    "deep": "[" * 65 + "]" * 65,
    "deep-enough": "[" * 64 + "]" * 64,
    "floats": "[1,-0.0,3.4028235e38,1e-45,0.30000001192092896]",
    "floats-overflow": "[1e39]",
    "numbers": "[0,-0,0.5,1E5,1e-5,123456789012345678901234567890]",
    "bad-number": "[01]",
    "bad-escape": '"\\q"',
    "unterminated": '"abcdefgh\\',
    "control": '"a\nb"',
    "del": '"0123456\x7f"',
}.items():
    seed("json", name, text.encode("utf-8", "surrogatepass"))
seed("json", "not-utf8", b'"a\xff\xed\xa0\x80\xc3"')
seed("json", "pair-in-two-halves", b"\xed\xa0\x80\xed\xb0\x80b")


# ---- record ----

WAL = ('{"type":"wal","tenant":"t","database":"d","collection":"c",'
       '"collection_id":"i","seq_id":1,"created_at":"2024-01-01 00:00:00",'
       '"operation":"ADD","id":"a","embedding":[1,-0.5],"document":"x",'
       '"uri":null,"metadata":{"k":[1,2]}}')
VECTOR = ('{"type":"vector","collection_id":"i","label":7,"id":"a","level":1,'
          '"deleted":true,"embedding":[0.1]}')
LINES = {
    "wal": WAL,
    "vector": VECTOR,
    "plain": '{"type":"record","id":"a","document":null}',
    "base64": '{"type":"wal","embedding":"AADAfwAAgD8="}',
    "raw": '{"type":"wal","seq_id":-1,"raw":{"id":{"blob":"AA=="}}}',
    "order": '{"id":"a","seq_id":1,"type":"wal"}',
    "spaces": ' { "type" : "wal" , "metadata" : { "k" : 1 } } ',
    "unknown": '{"type":"wal","x":{"y":[]},"seq_id":1}',
    "twice": '{"type":"wal","id":"a","\\u0069d":"b"}',
    "escapes": '{"type":"wal","id":"\\ud800\\u0000\\n","uri":"\\ud83d\\ude00"}',
    "wrong-type": '{"type":"wal","embedding":[null]}',
    "other": '{"type":"conflict","seq_id":1}',
    "begin": '{"type":"begin","stream":"wal","version":1}',
}
for name, text in LINES.items():
    seed("record", name, text.encode())
seed("record", "links", VECTOR.replace(
    '"embedding"', '"links":[[1,18446744073709551615],[],[3]],"embedding"').encode())
seed("record", "length", VECTOR.replace('"embedding"', '"length":0.75,"embedding"').encode())


# ---- frame ----

MAGIC = b"\x89CHS\r\n\x1a\x01"
STRINGS = ["tenant", "database", "collection", "collection_id", "created_at",
           "id", "document", "uri", "metadata", "raw"]
BITS = {name: 1 << i for i, name in enumerate([
    "tenant", "database", "collection", "collection_id", "seq_id",
    "created_at", "operation", "label", "id", "level", "deleted", "embedding",
    "document", "uri", "metadata", "raw"])}
BITS["links"] = 1 << 19
BITS["length"] = 1 << 20


def frame(kind, payload, flags=1):
    payload += b"\0" * (-len(payload) % 4)
    head = u32(len(payload)) + u16(kind) + u16(flags) + payload
    return head + u32(crc32c(head))


def text_frame(kind, text):
    return frame(kind, u32(len(text)) + text)


def record(kind, extra=0, operation=0, form=0, level=0, seq_id=0, label=0,
           floats=None, length=None, links=None, **strings):
    has = extra
    for name in strings:
        has |= BITS[name]
    if floats is not None:
        has |= BITS["embedding"]
    if length is not None:
        has |= BITS["length"]
    if links is not None:
        has |= BITS["links"]
    values = [strings.get(name, b"") for name in STRINGS]
    payload = u32(has) + bytes([operation, form]) + u16(level)
    payload += u64(seq_id) + u64(label) + u32(len(floats or []))
    payload += b"".join(u32(len(v)) for v in values)
    payload += b"".join(struct.pack("<f", v) for v in floats or [])
    if length is not None:
        payload += struct.pack("<f", length)
    if links is not None:
        payload += u32(len(links)) + links
    return frame(kind, payload + b"".join(values))


FULL = record(16, extra=BITS["seq_id"] | BITS["operation"], operation=2,
              seq_id=5, floats=[1.0, -0.5], tenant=b"t", database=b"d",
              collection=b"c", collection_id=b"i", created_at=b"2024",
              id=b"a", document=b"x", uri=b"", metadata=b'{"k":1}', raw=b"{}")
FRAMES = {
    "wal": FULL,
    "wal-empty": record(16),
    "nan": record(16, floats=[float("nan")]),
    "vector": record(17, extra=BITS["label"] | BITS["level"] |
                     BITS["deleted"] | 1 << 16, label=2**64 - 1, level=65535,
                     id=b"a", floats=[]),
    "links": record(17, links=u32(2) + u64(1) + u64(2**64 - 1) + u32(0),
                    id=b"a", floats=[1.0]),
    "length": record(17, length=5.0, links=b"", id=b"a", floats=[3.0, 4.0]),
    "length-nan": record(17, length=float("nan")),
    "links-count": record(17, links=u32(2) + u64(1)),
    "nulls": record(18, extra=BITS["document"] | BITS["uri"] | 3 << 17,
                    metadata=b"null"),
    "surrogate": record(16, id=b"\xed\xa0\x80", metadata=b'{"k":"\\ud800"}'),
    "pair-in-two-halves": record(16, id=b"\xed\xa0\x80\xed\xb0\x80"),
    "surrogate-in-metadata": record(16, metadata=b'{"\xed\xa0\x80":1}'),
    "raw-null": record(16, raw=b"null"),
    "metadata-spaces": record(16, metadata=b" { } "),
    "metadata-newline": record(16, metadata=b"{\n}"),
    "string-of-absent-field": frame(16, b"\0" * 28 + u32(1) + b"\0" * 36 +
                                    b"a"),
    "long-lengths": frame(16, b"\xff\xff\0\0" + b"\0" * 20 +
                          b"\xff\xff\xff\xff" * 11),
    "text": text_frame(3, b'{"type":"odd"}'),
    "text-newline": text_frame(3, b"a\nb"),
    "end": frame(2, u64(1) + u32(0)),
    "unknown": frame(99, b"abcd", 0),
    "magic": MAGIC + FULL,
}
for name, data in FRAMES.items():
    seed("frame", name, data)


# ---- stream: the first byte says how to read (1: plain) ----

def jsonl(lines, begin=LINES["begin"], end=None):
    n = len(lines) if end is None else end
    return "".join(line + "\n" for line in [
        begin, *lines, '{"type":"end","records":%d}' % n]).encode()


def binary(frames, end=None):
    out = MAGIC
    begin = text_frame(1, LINES["begin"].encode())
    running = crc32c(begin[-4:])
    out += begin
    for f in frames:
        out += f
        running = crc32c(f[-4:], running)
    return out + frame(2, u64(len(frames) if end is None else end) +
                       u32(running))


def zstd(data):
    """A frame of raw blocks: no compressor, always the same bytes."""
    out = b"\x28\xb5\x2f\xfd\x00\x58"
    blocks = [data[i:i + 1000] for i in range(0, len(data), 1000)] or [b""]
    for i, b in enumerate(blocks):
        word = len(b) << 3 | (i == len(blocks) - 1)
        out += struct.pack("<I", word)[:3] + b
    return out


GOOD = [v for k, v in LINES.items() if k != "begin"]
GOOD_FRAMES = [FRAMES[k] for k in ("wal", "wal-empty", "nan", "vector",
                                   "nulls", "surrogate", "text")]
STREAMS = {
    "jsonl": jsonl(GOOD),
    "jsonl-empty": jsonl([]),
    "jsonl-two": jsonl([WAL]) + jsonl([VECTOR]),
    "jsonl-truncated": jsonl(GOOD)[:300],
    "jsonl-no-last-newline": jsonl([WAL])[:-1],
    "jsonl-wrong-count": jsonl([WAL], end=2),
    "jsonl-crlf": jsonl([WAL]).replace(b"\n", b"\r\n"),
    "binary": binary(GOOD_FRAMES),
    "binary-two": binary([FULL]) + binary([]),
    "binary-truncated": binary(GOOD_FRAMES)[:200],
    "binary-wrong-count": binary([FULL], end=2),
    "binary-unknown-frame": binary([FRAMES["unknown"]]),
    "binary-bad-record": binary([FRAMES["long-lengths"]]),
    "binary-version-2": MAGIC[:-1] + b"\x02" + binary([])[8:],
    "binary-magic-only": MAGIC,
    "zstd-jsonl": zstd(jsonl(GOOD)),
    "zstd-binary": zstd(binary(GOOD_FRAMES)),
    "zstd-two-frames": zstd(jsonl([WAL])) + zstd(jsonl([VECTOR])),
    "zstd-skippable": b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstd(jsonl([])),
    "zstd-truncated": zstd(jsonl(GOOD))[:-5],
    "zstd-garbage-behind": zstd(jsonl([])) + b"garbage",
    "nothing": b"",
}
for name, data in STREAMS.items():
    seed("stream", name, b"\0" + data)
for name in ("jsonl", "binary", "binary-magic-only", "zstd-jsonl", "nothing"):
    seed("stream", "plain-" + name, b"\1" + STREAMS[name])
seed("stream", "plain-bare", b"\1" + b'{"id":"a"}\n{"id":"b"}')

# ---- filters: flags, filter, metadata, document ----

META = rb'{"a":1,"b":"x\u00e9","c":[1,2.5],"d":[true],"e":null,"f":1e5}'
FILTERS = {
    "equal": b'{"a":1}',
    "escapes": rb'{"\u0062":"x\u00e9"}',
    "and": b'{"$and":[{"a":{"$gt":0.5}},{"b":{"$ne":"y"}}]}',
    "or": b'{"$or":[{"zz":true},{"$and":[{"a":-0},{"f":{"$lte":1e5}}]}]}',
    "in": b'{"a":{"$in":[18446744073709551616,1,9223372036854775808]}}',
    "nin": b'{"b":{"$nin":["x","","xx"]}}',
    "has": b'{"c":{"$contains":1.0}}',
    "has-not": b'{"d":{"$not_contains":true}}',
    "document-key": b'{"#document":{"$contains":"n"}}',
    "document-equal": b'{"chroma:document":"one"}',
    "uri": b'{"chroma:uri":{"$in":["one"]}}',
    "refused": b'{"a":{"$gt":"x"}}',
    "not-json": b"{'a':NaN}",
}
for name, text in FILTERS.items():
    seed("where", name, b"\0" + text + b"\0" + META + b"\0one\0two")
seed("where", "stored", b"\2" + FILTERS["and"] + b"\0" + META + b"\0")
seed("where", "column", b"\x18" + FILTERS["document-equal"] +
     b'\0{"a":NaN,"chroma:document":"one","chroma:uri":null}\0')
seed("where", "nothing-there", b"\x0c" + FILTERS["or"])
seed("where", "nan", b'\0{"a":1}\0{"a":NaN,"b":[-Infinity]}\0')
seed("where", "bad-metadata", b'\0{"a":1}\0{"a":1x}\0')
for name, text in {
    "contains": b'{"$contains":"n"}',
    "contains-nul": rb'{"$contains":"ne\u0000x"}',
    "regex": rb'{"$regex":"(?i)\\bo[a-z]+"}',
    "not-regex": b'{"$or":[{"$not_regex":"^o"},{"$not_contains":"w"}]}',
}.items():
    seed("where", name, b"\1" + text + b"\0\0one\0two")

# ---- regex: a pattern, 0xff, a text ----

for name, pattern, text in (
        ("string", "abc", "xxabc"),
        ("classes", r"[a-z&&[^b]~~\d--5][[:alpha:]\]]", "a5]"),
        ("properties", r"\p{Lu}\P{sc=Greek}\pL\p{age=6.1}", "A\u00e9b"),
        ("counts", "(?:a{2,3}|b{0}c+?){2,}$", "aacaa"),
        ("words", r"\b{start}a\B.\>(?-u:\b)\b{end-half}", "ab c"),
        ("lines", r"(?mR)^a$\r\n(?-R:^)b$", "a\r\nb"),
        ("flags", "(?is-mx:A.(?x: b # c\n)(?-u:d))", "a\nbd"),
        ("escapes", r"\x41\x{1F600}\u00e9\U00000041\v\-", "A"),
        ("names", "(?P<a_1>x)(?<b.[]>y)", "xy"),
        ("nested", "((((((a*)*)*)*)*)*)*b", "aaaa"),
        ("empty", "|()|[a&&b]{0}", ""),
        ("many-states", "a[ab]{12}c", "abababbbabababaabbbc"),
        ("count-of-all-ones", "((a{4294967295}){4294967295}){4294967295}", ""),
        ("not-text", "[^a]", "\udcff\udced\udca0\udc80"),
):
    seed("regex", name, pattern.encode() + b"\xff" +
         text.encode("utf-8", "surrogateescape"))

# ---- matrix: the form, and a file of that form ----

ROW = u32(2) + struct.pack("<ff", 1, -0.5)


def npy(head, rows=b"\0" * 24, version=1):
    head = head.encode()
    return (b"\0\x93NUMPY" + bytes([version, 0]) + (u16, u32)[version - 1](len(head)) + head +
            rows)


GOOD_HEAD = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }  \n"
for name, data in {
    "npy": npy(GOOD_HEAD),
    "npy-2": npy(GOOD_HEAD, version=2),
    "npy-cut": npy(GOOD_HEAD, b"\0" * 20),
    "npy-more": npy(GOOD_HEAD, b"\0" * 28),
    "npy-doubles": npy(GOOD_HEAD.replace("<f4", "<f8")),
    "npy-columns": npy(GOOD_HEAD.replace("False", "True")),
    "npy-list": npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }"),
    "npy-quotes": npy("{\"shape\":(0,65536),\"descr\":\"<f4\",'fortran_order':False}", b""),
    "npy-open": npy("{'descr"),
    "npy-zstd": b"\0\x28\xb5\x2f\xfd",
    "fvecs": b"\1" + ROW + ROW,
    "fvecs-cut": b"\1" + ROW + ROW[:6],
    "fvecs-other": b"\1" + ROW + u32(3) + ROW,
    "fvecs-empty": b"\1",
}.items():
    seed("matrix", name, data)

# ---- manifest: the last member of a snapshot ----


def manifest(version=1, end=None, **more):
    head = {"type": "snapshot", "version": version, "created_at": "2026-11-22T02:03:04Z",
            "migrations": {"embeddings_queue": 2, "metadb": 5, "sysdb": 10},
            "collections": [{
                "id": "c", "name": "d\u00f6cs", "tenant": "t", "database": None,
                "dimension": 384, "space": "l2", "M": 16, "ef_construction": 100,
                "ef_search": 100, "records": 3,
                "wal": {"rows": 1, "from_seq_id": 3, "to_seq_id": 3, "whole": False},
                "metadata_seq_id": 3, "vector_seq_id": None, "vector_segment": "v",
                "metadata_segment": "m", "index_bytes": 100, "note": None}],
            "members": [{"name": "chroma.sqlite3", "size": 4096, "stored": 4096,
                         "crc32c": "e3069283"}]} | more
    text = json.dumps(head, separators=(",", ":"))[:-1].encode()
    return text + (b',"crc32c":"%08x"}\n' % crc32c(text) if end is None else end)


seed("manifest", "sound", manifest())
seed("manifest", "empty", manifest(collections=[], members=[]))
seed("manifest", "more", manifest(more=[{}]))
seed("manifest", "newer", manifest(version=2))
seed("manifest", "crc-inside", manifest(crc32c="00000000"))
seed("manifest", "crc-other", manifest(end=b',"crc32c":"00000000"}'))
seed("manifest", "crc-none", manifest(end=b"}"))
seed("manifest", "cut", manifest()[:300])

assert json.loads(WAL)["seq_id"] == 1


# ---- tar ----

def tar_header(name, size, kind=b"0", **fields):
    at = {"name": (0, name), "mode": (100, b"0000644"), "uid": (108, b"0001750"),
          "gid": (116, b"0001750"), "size": (124, b"%011o" % size),
          "mtime": (136, b"14744031402"), "check": (148, b" " * 8),
          "kind": (156, kind), "magic": (257, b"ustar\x0000"),
          "major": (329, b"0000000"), "minor": (337, b"0000000"),
          "link": (157, b""), "prefix": (345, b"")}
    block = bytearray(512)
    for key, (where, text) in at.items():
        text = fields.get(key, text)
        block[where:where + len(text)] = text
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data):
    return data + bytes(-len(data) % 512)


def tar_file(name, data, **fields):
    return tar_header(name, len(data), **fields) + padded(data)


def tar_pax(pairs):
    data = b""
    for key, value in pairs:
        n = len(key) + len(value) + 3
        length = n + len(str(n))
        length = n + len(str(length))
        data += b"%d %s=%s\n" % (length, key, value)
    return tar_file(b"PaxHeaders/x", data, kind=b"x")


def tar_sparse(name, size, pieces, data):
    text = b"%d\n" % len(pieces) + b"".join(b"%d\n%d\n" % p for p in pieces)
    return tar_pax([(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"),
                    (b"GNU.sparse.name", name),
                    (b"GNU.sparse.realsize", b"%d" % size)]) + \
        tar_file(b"GNUSparseFile.0/" + name, padded(text) + data)


TAR_END = bytes(1024)
seed("tar", "empty", TAR_END)
seed("tar", "files", tar_file(b"a", b"abc") + tar_file(b"d/b", b"") +
     tar_file(b"c", b"x" * 512) + TAR_END)
seed("tar", "long-name", tar_pax([(b"path", b"d/" + b"n" * 200)]) +
     tar_file(b"d/" + b"n" * 98, b"abc") + TAR_END)
seed("tar", "all-keys", tar_pax([
    (b"size", b"3"), (b"uid", b"3000000"), (b"gid", b"3000000"),
    (b"mtime", b"-1.5")]) + tar_file(b"a", b"abc") + TAR_END)
seed("tar", "sparse", tar_sparse(b"s", 1 << 40, [
    (4096, 3), (8192, 2), (1 << 40, 0)], b"abcde") + tar_file(b"a", b"abc") +
     TAR_END)
seed("tar", "only-a-hole", tar_sparse(b"s", 4096, [(4096, 0)], b"") + TAR_END)
seed("tar", "long-map", tar_sparse(b"s", 1 << 20, [
    (i * 1000, 1) for i in range(150)], b"y" * 150) + TAR_END)
seed("tar", "map-backwards", tar_sparse(b"s", 99, [(9, 1), (8, 1)], b"ab") +
     TAR_END)
seed("tar", "map-too-much", tar_sparse(b"s", 99, [(0, 3)], b"ab") + TAR_END)
seed("tar", "large", tar_pax([(b"size", b"9223372036854775807")]) +
     tar_file(b"a", b"abc") + TAR_END)
seed("tar", "dot-dot", tar_file(b"d/../../a", b"abc") + TAR_END)
seed("tar", "link", tar_header(b"a", 0, b"2", link=b"/etc/passwd") + TAR_END)
seed("tar", "pax-twice", tar_pax([(b"path", b"a"), (b"path", b"b")]) +
     tar_file(b"a", b"abc") + TAR_END)
seed("tar", "bytes-after", tar_file(b"a", b"abc") + TAR_END + b"x")
seed("tar", "cut", tar_file(b"a", b"abc")[:600])
