#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Rows that Chroma chokes on, or that a record cannot show, are named, never
# dropped, and carry every column as it is stored.
. "${0%/*}/../lib.sh"

persist 1.5.9-nopurge p
D=p/db
run chroma-walexport -q $D
mv out good.jsonl

# poison NAME: a copy of the directory with the rows of standard input, each a
# list of "column=value" in Python, added with seq_ids from 1001 on
poison() {
	rm -rf "$1"
	cp -a $D "$1"
	cat >rows.txt
	python3 - "$1" rows.txt <<'END'
import sqlite3, struct, sys
db = sqlite3.connect(sys.argv[1] + "/chroma.sqlite3")
topic, = db.execute("SELECT topic FROM embeddings_queue "
                    "WHERE seq_id = 1").fetchone()
good = dict(created_at="2026-01-01 00:00:00", operation=0, topic=topic, id="x",
            vector=struct.pack("<8f", *range(8)), encoding="FLOAT32",
            metadata='{"k":1}')
class Text(bytes):
    pass
for n, line in enumerate(open(sys.argv[2]), 1001):
    row = dict(good, **eval("dict(%s)" % line, dict(
        text=Text, pack=struct.pack, topic=topic)))
    db.execute("INSERT INTO embeddings_queue (seq_id, %s) VALUES (?, %s)" %
               (", ".join(row), ", ".join(
                   "CAST(? AS TEXT)" if isinstance(v, Text) else "?"
                   for v in row.values())), (n, *row.values()))
db.commit()
END
}

# shown NAME DIR: the rows of the last run, in every form
shown() {
	status_is "$1: status" 0
	mv out rows.jsonl
	ok "$1: every column of every row" \
	    python3 -B "$T_DIR/t/rows.py" compare "$2" rows.jsonl 1 odd
	sed -n '2,290p' rows.jsonl >rest
	sed -n '2,290p' good.jsonl >want.rest
	same "$1: the other rows" want.rest rest
	run chroma-walfilter -b rows.jsonl
	status_is "$1: to binary" 0
	mv out rows.bin
	run chroma-walfilter -j rows.bin
	same "$1: JSONL, binary, JSONL" rows.jsonl out
	run chroma-walexport -qbz "$2"
	mv out at-once
	run chroma-walfilter -j at-once
	same "$1: binary at once, zstd" rows.jsonl out
	run chroma-walexport -q --embedding=base64 "$2"
	mv out base64.jsonl
	run chroma-walfilter --embedding=array base64.jsonl
	same "$1: base64 and back" rows.jsonl out
	run chroma-walexport -q --columns "$2"
	python3 -c '
import json, sys
for line in open("out"): print(json.loads(line)["seq_id"])' >ids.columns
	sqlite3 -readonly "$2/chroma.sqlite3" \
	    'SELECT seq_id FROM embeddings_queue ORDER BY 1' >ids
	same "$1: --columns has all of them" ids ids.columns
}
# with_raw WANT...: the seq_ids of the rows that carry raw
with_raw() {
	sed -n 's/^.*"seq_id":\([0-9]*\),.*"raw":{.*$/\1/p' rows.jsonl |
	    tr '\n' ' '
}

poison a <<'END'
operation=4
operation=7
operation=-1
operation="ADD"
operation=1.5
encoding="INT32"
encoding="X"
encoding=None
vector=b"12345"
vector=pack("<4f", 1, 2, 3, 4)
vector=pack("<9f", 1, 2, 3, 4, 5, 6, 7, 8, 9)
vector=b""
vector=None, encoding=None
vector=None, encoding=None, operation=2
vector=None, operation=1
vector="text"
vector=5
encoding=b"FLOAT32"
encoding="float32"
operation=9223372036854775807
END
run chroma-walexport a
sed 's/^/chroma-walexport: warning: seq_id /; s/$/; written whole/' >want.err <<'END'
1001: operation 4, a marker of Chroma's own; Chroma skips it from 1.3.6 on, and fails before
1002: unknown operation; Chroma 1.x fails on every collection until it is gone
1003: unknown operation; Chroma 1.x fails on every collection until it is gone
1004: unknown operation; Chroma 1.x fails on every collection until it is gone
1005: unknown operation; Chroma 1.x fails on every collection until it is gone
1006: a vector of encoding INT32; Chroma 1.x fails on every collection until it is gone
1007: unknown encoding of the vector; Chroma 1.x fails on this collection
1008: unknown encoding of the vector; Chroma 1.x fails on this collection
1009: vector of the wrong length; Chroma refuses it, or reads beyond its end
1010: vector of the wrong length; Chroma refuses it, or reads beyond its end
1011: vector of the wrong length; Chroma refuses it, or reads beyond its end
1012: vector of the wrong length; Chroma refuses it, or reads beyond its end
1013: an add or upsert without a vector; Chroma 1.x fails on this collection
1014: an add or upsert without a vector; Chroma 1.x fails on this collection
1015: unknown encoding of the vector; Chroma 1.x fails on this collection
1016: a column of the wrong type; Chroma fails on this collection
1017: a column of the wrong type; Chroma fails on this collection
1018: unknown encoding of the vector; Chroma 1.x fails on this collection
1019: unknown encoding of the vector; Chroma 1.x fails on this collection
1020: unknown operation; Chroma 1.x fails on every collection until it is gone
END
same 'operations and vectors: named' want.err err
shown 'operations and vectors' a
ok 'operations and vectors: these have raw' [ "$(with_raw)" = \
    "$(seq 1001 1020 | tr '\n' ' ')" ]

poison b <<'END'
metadata="rubbish"
metadata="[1]"
metadata="null"
metadata=""
metadata='{"k":NaN}'
metadata='{"k":1}x'
metadata='{"k":1,}'
metadata='{"k":01}'
metadata='{"k":' + '[' * 70 + ']' * 70 + '}'
metadata='{"k":{"a":1}}'
metadata='{"k":[[1]]}'
metadata='{"chroma:document":null}'
metadata='{"chroma:document":5,"k":"v"}'
metadata='{"chroma:document":"a","chroma:document":"b"}'
metadata='{"chroma:uri":[1]}'
metadata=b'{"k":1}'
metadata=text(b'{"k":"\xff"}')
metadata=7
metadata='{"k":"\\ud800","chroma:document":"x\\udfff"}, '
metadata='{"a"}'
END
run chroma-walexport b
sed 's/^/chroma-walexport: warning: seq_id /; s/$/; written whole/' >want.err <<'END'
1001: metadata that is not a JSON object; Chroma fails on this collection
1002: metadata that is not a JSON object; Chroma fails on this collection
1003: metadata that is not a JSON object; Chroma fails on this collection
1004: metadata that is not a JSON object; Chroma fails on this collection
1005: metadata that is not a JSON object; Chroma fails on this collection
1006: metadata that is not a JSON object; Chroma fails on this collection
1007: metadata that is not a JSON object; Chroma fails on this collection
1008: metadata that is not a JSON object; Chroma fails on this collection
1009: metadata that is not a JSON object; Chroma fails on this collection
1010: nested metadata; Chroma 1.x fails on this collection
1011: nested metadata; Chroma 1.x fails on this collection
1012: a document or URI that is not text; Chroma 1.x fails on every collection until it is gone
1013: a document or URI that is not text; Chroma 1.x fails on every collection until it is gone
1014: a document or URI that is not text; Chroma 1.x fails on every collection until it is gone
1015: a document or URI that is not text; Chroma 1.x fails on every collection until it is gone
1016: a column of the wrong type; Chroma fails on this collection
1017: text that is not UTF-8; Chroma fails on this collection
1018: metadata that is not a JSON object; Chroma fails on this collection
1019: metadata that is not a JSON object; Chroma fails on this collection
1020: metadata that is not a JSON object; Chroma fails on this collection
END
same 'metadata: named' want.err err
shown 'metadata' b
ok 'metadata: these have raw' [ "$(with_raw)" = \
    "$(seq 1001 1020 | tr '\n' ' ')" ]
ok 'metadata: a document that is null is null' [ "$(sed -n 302p rows.jsonl |
    jq -c '[.seq_id, has("document"), .document, .metadata]')" = \
    '[1012,true,null,{}]' ]

poison c <<'END'
id="a\0b"
id=text(b"\xff")
id=b"\x05"
id=text(b"\xed\xa0\x80")
id=""
created_at="yesterday"
created_at=""
created_at=5
created_at=1.5
created_at=1e300
created_at=float("inf")
created_at=b"2026-01-01 00:00:00"
created_at="2026-02-30 10:00:00 "
topic="persistent://default/default/00000000-0000-0000-0000-000000000000"
topic="elsewhere"
topic=text(b"\xff")
topic=topic[:-1]
topic=topic.upper()
topic=topic.encode()
operation=4, encoding="X", id=b"", metadata="rubbish", created_at=0.1
END
run chroma-walexport c
sed 's/^/chroma-walexport: warning: seq_id /; s/$/; written whole/' >want.err <<'END'
1001: text that is not UTF-8; Chroma fails on this collection
1002: text that is not UTF-8; Chroma fails on this collection
1003: a column of the wrong type; Chroma fails on this collection
1004: text that is not UTF-8; Chroma fails on this collection
1006: a created_at that is no time; Chroma 1.x does not see the row
1007: a created_at that is no time; Chroma 1.x does not see the row
1008: a column of the wrong type; Chroma fails on this collection
1009: a column of the wrong type; Chroma fails on this collection
1010: a column of the wrong type; Chroma fails on this collection
1011: a column of the wrong type; Chroma fails on this collection
1012: a column of the wrong type; Chroma fails on this collection
1013: a created_at that is no time; Chroma 1.x does not see the row
1014: of no collection that exists; Chroma never reads it
1015: of no collection that exists; Chroma never reads it
1016: text that is not UTF-8; Chroma fails on this collection
1017: of no collection that exists; Chroma never reads it
1018: of no collection that exists; Chroma never reads it
1019: a column of the wrong type; Chroma fails on this collection
1020: operation 4, a marker of Chroma's own; Chroma skips it from 1.3.6 on, and fails before
END
same 'names and times: named' want.err err
shown 'names and times' c
ok 'names and times: these have raw' [ "$(with_raw)" = \
    "$(seq 1001 1020 | grep -v 1005 | tr '\n' ' ')" ]

mine=$(sqlite3 -readonly c/chroma.sqlite3 'SELECT substr(topic, -36)
    FROM embeddings_queue WHERE seq_id = 1')
run chroma-walexport -q -c "$mine" c
ok 'a topic that is a BLOB is of no collection' not grep -q '"seq_id":1019,' out

# numbers where there should be none, as Python writes them
poison r <<'END'
created_at=1.5
created_at=0.1
created_at=-1e300
created_at=5e-324
created_at=123456789.125
created_at=1e16
created_at=-1.25e-5
created_at=float("inf")
created_at=float("-inf")
id="\0\u007f\u2028"
operation=1.5
metadata=2.5
END
run chroma-walexport -q --columns r
status_is 'numbers, --columns: status' 0
mv out got.columns
python3 -B "$T_DIR/t/rows.py" columns r >want.columns
same 'numbers, --columns: as Python writes them' want.columns got.columns
run chroma-walexport -q r
shown 'numbers' r

# what only looks odd has no raw and is said nothing of
poison d <<'END'
metadata=None
metadata="{}"
metadata=' { "k" : 1 , "l" : [ 1 , 2 ] } '
metadata='{"k":2.0,"l":1e400,"m":123456789012345678901234567890,"n":-0,"o":1E+5}'
metadata='{"k":"\\ud800","chroma:document":"x\\udfffy"}'
metadata='{"k":"\\u00e9\\/\\u0001\\ud83d\\ude00\x7f","\\u006b2":true}'
metadata='{"k":null,"l":false}'
metadata='{"k":{"indices":[1,2],"values":[0.5,1.5],"#type":"sparse_vector"}}'
metadata='{"k":1,"k":2}'
metadata='{"chroma:document":"","chroma:uri":""}'
metadata='{"chroma:d\\u006fcument":"hidden"}'
vector=pack("<8I", 0x7fc00000, 0xffc00001, 0x7f800000, 0xff800000, 1, 0x80000000, 0x7f7fffff, 0)
operation=1, vector=None, encoding=None, metadata='{"k":null}'
operation=3, vector=None, encoding=None, metadata=None
id="x" * 100000
id='"\\\n\t\x7f\u2028'
created_at="2026-01-01"
created_at="2026-01-01T10:00:00.123456Z"
metadata='{"k":"' + "y" * 3000000 + '"}'
END
run chroma-walexport d
no_err 'not odd: silent'
status_is 'not odd: status' 0
mv out rows.jsonl
python3 - <<'END' >d.jsonl
# what rows.py does not look into: a key that is written with an escape
for line in open("rows.jsonl"):
    if '"seq_id":1011,' in line:
        assert '"document":"hidden","metadata":{}}' in line, line
    print(line, end="")
END
ok 'not odd: a key with an escape' [ -s d.jsonl ]
sqlite3 d/chroma.sqlite3 "UPDATE embeddings_queue SET
    metadata = '{\"chroma:document\":\"hidden\"}' WHERE seq_id = 1011"
ok 'not odd: the rows' python3 -B "$T_DIR/t/rows.py" compare d rows.jsonl
ok 'not odd: no raw' [ -z "$(with_raw)" ]
shown_bytes=$(wc -c <rows.jsonl)
ok 'not odd: large' [ "$shown_bytes" -gt 3000000 ]
run chroma-walfilter -bz rows.jsonl
mv out rows.bin
run chroma-walfilter -j rows.bin
same 'not odd: there and back' rows.jsonl out

# more than 20 are counted, in a selection too
poison e <<END
$(yes 'operation=4' | head -25)
END
run chroma-walexport e
ok 'more than 20: shown' [ "$(wc -l <err)" -eq 21 ]
ok 'more than 20: counted' [ "$(tail -1 err)" = \
    'chroma-walexport: warning: 25 rows of this kind in all' ]
run chroma-walexport -q e
no_err 'more than 20, -q'
run chroma-walexport -c empty e
no_err 'those of other collections are not named'

# seq_ids at both ends
cp -a $D ends
sqlite3 ends/chroma.sqlite3 'UPDATE embeddings_queue
    SET seq_id = 9223372036854775807 WHERE seq_id = 309;
    UPDATE embeddings_queue SET seq_id = -9223372036854775807 WHERE seq_id = 1;
    UPDATE embeddings_queue SET seq_id = 0 WHERE seq_id = 2'
run chroma-walexport ends
status_is 'seq_ids at both ends: status' 0
mv out ends.jsonl
ok 'seq_ids at both ends: the rows' \
    python3 -B "$T_DIR/t/rows.py" compare ends ends.jsonl
run chroma-walfilter -b ends.jsonl
mv out ends.bin
run chroma-walfilter -j ends.bin
same 'seq_ids at both ends: there and back' ends.jsonl out

# a topic that was configured, which is no fault: all of it is kept
persist 0.4.4 q
sqlite3 q/db/chroma.sqlite3 "UPDATE embeddings_queue SET
    topic = 'persistent://mine/ns/' || substr(topic, -36);
    UPDATE collections SET topic = 'persistent://mine/ns/' || id"
run chroma-walexport q/db
status_is 'a topic of its own: status' 0
grep -v 'of no collection that exists' err >other
ok 'a topic of its own: no warning' [ ! -s other ]
mv out own.jsonl
ok 'a topic of its own: the rows' \
    python3 -B "$T_DIR/t/rows.py" compare q/db own.jsonl 1 odd
ok 'a topic of its own: the collection is known' \
    grep -q '"collection":"docs".*"raw":{"seq_id":1,.*"topic":"persistent://mine/ns/' own.jsonl

done_testing
