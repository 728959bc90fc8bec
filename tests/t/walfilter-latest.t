#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-walfilter --latest: what remains of the records of each id.
# shellcheck disable=SC2016
. "${0%/*}/../lib.sh"

BEGIN='{"type":"begin","stream":"wal","version":1}'
LATEST='{"type":"begin","stream":"wal","version":1,"latest":true,"partial":true}'

# wal: lines "SEQ_ID OPERATION ID [MEMBERS]" as records of the collection u;
# those that begin with a brace as they are
wal() {
	awk '/^[{ ]/ { print; next } {
		rest = $0
		sub(/^[^ ]+ [^ ]+ [^ ]+ ?/, "", rest)
		printf "{\"type\":\"wal\",\"collection_id\":\"u\",\"seq_id\":%s,\"operation\":\"%s\",\"id\":\"%s\"%s}\n",
		    $1, $2, $3, rest == "" ? "" : "," rest
	}'
}
# stream BEGIN: the records of standard input as a stream
stream() {
	cat >stream.body
	printf '%s\n' "$1"
	cat stream.body
	printf '{"type":"end","records":%s}\n' "$(wc -l <stream.body)"
}

# left NAME [OPTION...]: of the records on standard input above a line "--",
# those below it are left, with OPTION, of either form; and of those the same
left() {
	l_name=$1
	shift
	cat >both
	sed '/^--$/,$d' both | wal | stream "$BEGIN" >in.jsonl
	sed '1,/^--$/d' both | wal | stream "$LATEST" >want.left
	run chroma-walfilter --latest "$@" in.jsonl
	status_is "$l_name: status" 0
	no_err "$l_name: silent"
	same "$l_name" want.left out
	cp out once
	run chroma-walfilter -b in.jsonl
	cp out in.bin
	run chroma-walfilter -j --latest "$@" in.bin
	same "$l_name: of the binary form" want.left out
	run chroma-walfilter --latest "$@" in.bin
	cp out out.bin
	run chroma-walfilter -j out.bin
	same "$l_name: binary to binary" want.left out
	[ $# -gt 0 ] || {
		run chroma-walfilter --latest once
		same "$l_name: twice" want.left out
	}
}

# ---- one id ----

left 'one record each' <<'END'
1 ADD a "metadata":{"k":null,"l":1,"l":2}
{"type":"wal","zz":1,"collection_id":"u","seq_id":2,"operation":"UPDATE","id":"b","document":null}
3 UPSERT c
4 DELETE d
--
1 ADD a "metadata":{"k":null,"l":1,"l":2}
{"type":"wal","zz":1,"collection_id":"u","seq_id":2,"operation":"UPDATE","id":"b","document":null}
3 UPSERT c
4 DELETE d
END
left 'an ADD of what is there is nothing' <<'END'
1 ADD a "embedding":[1],"metadata":{"k":1}
2 ADD a "embedding":[2],"metadata":{"l":1}
3 UPSERT b "document":"x"
4 ADD b "document":"y"
--
1 ADD a "embedding":[1],"metadata":{"k":1}
3 UPSERT b "document":"x"
END
left 'a value replaces, null removes, the rest stays' <<'END'
1 ADD a "embedding":[1,2],"document":"d","uri":"u","metadata":{"k":1,"l":"s","m":2.0,"n":[1,2]}
2 UPDATE a "metadata":{"l":null,"m":true}
3 UPSERT a "embedding":[3,4.5],"uri":null,"metadata":{"o":-0.0,"k":1e400}
--
3 ADD a "embedding":[3,4.5],"document":"d","metadata":{"k":1e400,"m":true,"n":[1,2],"o":-0.0}
END
left 'null stays where it may meet something' <<'END'
1 UPSERT a "document":null,"metadata":{"k":null}
2 UPDATE a "metadata":{"l":null}
3 UPDATE b "metadata":{"k":1},"uri":"u"
4 UPDATE b "uri":null,"metadata":{"k":null}
--
{"type":"wal","collection_id":"u","seq_id":2,"operation":"UPSERT","id":"a","document":null,"metadata":{"k":null,"l":null}}
{"type":"wal","collection_id":"u","seq_id":4,"operation":"UPDATE","id":"b","uri":null,"metadata":{"k":null}}
END
left 'a DELETE is the end' <<'END'
1 ADD a "document":"x"
2 DELETE a
3 UPDATE a "document":"y"
4 DELETE b
5 DELETE b
--
2 DELETE a
5 DELETE b
END
left 'absent at first: no DELETE before what comes again' <<'END'
1 ADD a "document":"x"
2 DELETE a
3 UPSERT a "metadata":{"k":null}
4 UPDATE a "metadata":{"l":1}
5 ADD b
6 DELETE b
7 ADD b "document":"z"
--
4 UPSERT a "metadata":{"l":1}
7 ADD b "document":"z"
END
left 'perhaps there: the DELETE stays' <<'END'
1 UPSERT a "document":"x"
2 DELETE a
3 UPSERT a "metadata":{"k":1}
4 DELETE b
5 ADD b "metadata":{"k":1}
6 UPDATE b "metadata":{"k":null}
7 UPDATE c "document":"x"
8 DELETE c
9 ADD c "document":"y"
--
2 DELETE a
3 UPSERT a "metadata":{"k":1}
4 DELETE b
6 ADD b "metadata":{}
8 DELETE c
9 ADD c "document":"y"
END
left 'an UPDATE of what may be there, then an UPSERT' <<'END'
1 UPDATE a "document":"x","metadata":{"k":1}
2 UPSERT a "metadata":{"l":1}
3 UPDATE a "metadata":{"m":1}
--
1 UPDATE a "document":"x","metadata":{"k":1}
3 UPSERT a "metadata":{"l":1,"m":1}
END
# whether the ADD did anything nobody knows: both have to say what follows
left 'an UPDATE of what may be there, then an ADD' <<'END'
1 UPDATE a "metadata":{"k":1}
2 UPDATE a "document":null
3 ADD a "document":"x"
4 UPSERT a "metadata":{"l":1}
5 UPDATE b "metadata":{"k":1}
6 ADD b "document":"x"
--
{"type":"wal","collection_id":"u","seq_id":4,"operation":"UPDATE","id":"a","document":null,"metadata":{"k":1,"l":1}}
{"type":"wal","collection_id":"u","seq_id":4,"operation":"ADD","id":"a","document":"x","metadata":{"l":1}}
5 UPDATE b "metadata":{"k":1}
6 ADD b "document":"x"
END
left 'ids and keys are compared without their escapes' <<'END'
1 ADD a\u0062 "metadata":{"\u006b":1,"k":2}
2 UPDATE ab "metadata":{"k":3}
3 ADD \ud800 "document":"x"
4 UPDATE \uD800 "document":"\ud800y"
5 ADD \u0000 "document":"x"
6 ADD \u0000x "document":"y"
--
2 ADD ab "metadata":{"k":3}
4 ADD \ud800 "document":"\ud800y"
5 ADD \u0000 "document":"x"
6 ADD \u0000x "document":"y"
END
left 'the form of an embedding is that of the last' <<'END'
1 ADD a "embedding":[1,2]
2 UPDATE a "embedding":"AACAPwAAAEA="
3 ADD b "embedding":"AACAPwAAAEA="
4 UPDATE b "document":"x"
5 ADD c "embedding":"AADAfw=="
6 UPDATE c "document":"x"
--
2 ADD a "embedding":"AACAPwAAAEA="
4 ADD b "embedding":"AACAPwAAAEA=","document":"x"
6 ADD c "embedding":"AADAfw==","document":"x"
END

# ---- which collection ----

left 'one id in several collections' <<'END'
1 ADD a "document":"u"
{"type":"wal","collection_id":"v","seq_id":2,"operation":"ADD","id":"a","document":"v"}
{"type":"wal","seq_id":3,"operation":"ADD","id":"a","document":"none"}
{"type":"wal","tenant":"t","database":"d","collection":"c","seq_id":4,"operation":"ADD","id":"a","document":"c"}
{"type":"wal","tenant":"td","database":"","collection":"c","seq_id":5,"operation":"ADD","id":"a","document":"other"}
{"type":"wal","tenant":"t2","database":"d","collection":"c","seq_id":5,"operation":"ADD","id":"a","document":"t2"}
{"type":"wal","tenant":"t","database":"d2","collection":"c","seq_id":5,"operation":"ADD","id":"a","document":"d2"}
{"type":"wal","tenant":"t","database":"d","collection":"c2","seq_id":5,"operation":"ADD","id":"a","document":"c2"}
{"type":"wal","collection_id":"v","seq_id":6,"operation":"UPDATE","id":"a","uri":"v"}
{"type":"wal","seq_id":7,"operation":"UPDATE","id":"a","uri":"none"}
{"type":"wal","tenant":"t","database":"d","collection":"c","seq_id":8,"operation":"UPDATE","id":"a","uri":"c"}
--
1 ADD a "document":"u"
{"type":"wal","tenant":"td","database":"","collection":"c","seq_id":5,"operation":"ADD","id":"a","document":"other"}
{"type":"wal","tenant":"t2","database":"d","collection":"c","seq_id":5,"operation":"ADD","id":"a","document":"t2"}
{"type":"wal","tenant":"t","database":"d2","collection":"c","seq_id":5,"operation":"ADD","id":"a","document":"d2"}
{"type":"wal","tenant":"t","database":"d","collection":"c2","seq_id":5,"operation":"ADD","id":"a","document":"c2"}
{"type":"wal","collection_id":"v","seq_id":6,"operation":"ADD","id":"a","document":"v","uri":"v"}
{"type":"wal","seq_id":7,"operation":"ADD","id":"a","document":"none","uri":"none"}
{"type":"wal","tenant":"t","database":"d","collection":"c","seq_id":8,"operation":"ADD","id":"a","document":"c","uri":"c"}
END
left 'a collection that was renamed is one' <<'END'
{"type":"wal","collection":"old","collection_id":"u","seq_id":1,"created_at":"x","operation":"ADD","id":"a","document":"d"}
{"type":"wal","collection":"new","collection_id":"u","seq_id":2,"operation":"UPDATE","id":"a","uri":"u"}
--
{"type":"wal","collection":"new","collection_id":"u","seq_id":2,"operation":"ADD","id":"a","document":"d","uri":"u"}
END

# ---- what is not merged ----

left 'raw: not merged, and nothing behind it' <<'END'
1 ADD a "document":"x"
2 UPDATE a "document":"y"
3 UPDATE a "document":"z","raw":{"seq_id":3}
4 UPDATE a "uri":"u"
5 DELETE a
6 ADD b
{"type":"wal","collection_id":"u","seq_id":7,"raw":{"id":null}}
{"type":"wal","collection_id":"u","seq_id":8,"id":"b","raw":{"operation":9}}
{"type":"wal","collection_id":"u","seq_id":9,"raw":{"id":null}}
--
2 ADD a "document":"y"
3 UPDATE a "document":"z","raw":{"seq_id":3}
4 UPDATE a "uri":"u"
5 DELETE a
6 ADD b
{"type":"wal","collection_id":"u","seq_id":7,"raw":{"id":null}}
{"type":"wal","collection_id":"u","seq_id":8,"id":"b","raw":{"operation":9}}
{"type":"wal","collection_id":"u","seq_id":9,"raw":{"id":null}}
END
# rows whose only fault is the null that Python wrote for no document
persist 0.6.3-nopurge
python3 - 0.6.3-nopurge/db/chroma.sqlite3 <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
topic, dim, last = db.execute("SELECT topic, length(vector), (SELECT max(seq_id) FROM"
                              " embeddings_queue) FROM embeddings_queue WHERE vector IS NOT NULL"
                              " LIMIT 1").fetchone()
vector = bytes(dim)
rows = [("fine", 0, vector, "FLOAT32", '{"chroma:document":null,"k":1}'),
        ("nested", 0, vector, "FLOAT32", '{"chroma:document":null,"l":["[",1]}'),
        ("listed", 0, vector, "FLOAT32", '{"chroma:uri":"u","chroma:document":null,"l":[1,"x"]}'),
        ("twice", 0, vector, "FLOAT32", '{"chroma:document":null,"chroma:document":"x","k":1}'),
        ("escaped", 0, vector, "FLOAT32", '{"chroma:document":null,"chroma\\u003adocument":"x"}'),
        ("object", 0, vector, "FLOAT32", '{"chroma:document":null,"k":{"a":1}}'),
        ("number", 0, vector, "FLOAT32", '{"chroma:document":null,"chroma:uri":5}'),
        ("uris", 0, vector, "FLOAT32",
         '{"chroma:document":null,"chroma:uri":"a","chroma:uri":"b"}'),
        ("no vector", 0, None, None, '{"chroma:document":null,"k":1}'),
        ("encoding", 0, vector, "INT32", '{"chroma:document":null,"k":1}'),
        ("update", 1, None, None, '{"chroma:document":null,"k":1}'),
        ("update of what", 1, None, "FLOAT32", '{"chroma:document":null,"k":1}'),
        ("delete", 3, None, None, '{"chroma:document":null,"k":1}'),
        ("other", 0, vector, "FLOAT32", '{"chroma:document":5,"k":1}')]
for rid, op, v, encoding, metadata in rows:
    sql = "INSERT INTO embeddings_queue (operation, topic, id, vector, encoding, metadata)" \
          " VALUES (?, ?, ?, ?, ?, ?)"
    db.execute(sql, (op, topic, rid, v, encoding, metadata))
    db.execute(sql, (1, topic, rid, None, None, '{"z":1}'))
db.commit()
open("last", "w").write(str(last + 1))
END
run chroma-walexport -q 0.6.3-nopurge/db
mv out raw.jsonl
run chroma-walfilter --latest --from-seq-id="$(cat last)" raw.jsonl
status_is 'rows with a null document: status' 0
sed '1d;$d' out | jq -c '[.id, .operation, has("raw"), .metadata]' >have
cat >want <<'END'
["fine","ADD",false,{"k":1,"z":1}]
["nested","ADD",true,{"l":["[",1]}]
["nested","UPDATE",false,{"z":1}]
["listed","ADD",false,{"l":[1,"x"],"z":1}]
["twice","ADD",true,{"k":1}]
["twice","UPDATE",false,{"z":1}]
["escaped","ADD",true,{}]
["escaped","UPDATE",false,{"z":1}]
["object","ADD",true,{"k":{"a":1}}]
["object","UPDATE",false,{"z":1}]
["number","ADD",true,{}]
["number","UPDATE",false,{"z":1}]
["uris","ADD",true,{}]
["uris","UPDATE",false,{"z":1}]
["no vector","ADD",true,{"k":1}]
["no vector","UPDATE",false,{"z":1}]
["encoding","ADD",true,{"k":1}]
["encoding","UPDATE",false,{"z":1}]
["update","UPDATE",false,{"k":1,"z":1}]
["update of what","UPDATE",true,{"k":1}]
["update of what","UPDATE",false,{"z":1}]
["delete","DELETE",true,{"k":1}]
["delete","UPDATE",false,{"z":1}]
["other","ADD",true,{"k":1}]
["other","UPDATE",false,{"z":1}]
END
same 'rows with a null document: merged if that is all' want have
left 'unknown types pass, in their place' <<'END'
{"type":"future","id":"a"}
1 ADD a
{"type":"future","id":7,"operation":"MERGE","id":8}
2 UPDATE a
--
{"type":"future","id":"a"}
{"type":"future","id":7,"operation":"MERGE","id":8}
2 ADD a
END

# bad MESSAGE LINE: as the second record
bad() {
	printf '%s\n' '1 ADD a' "$2" | wal | stream "$BEGIN" >bad.jsonl
	refuses 3 "bad.jsonl:3: $1" chroma-walfilter --latest bad.jsonl
	run chroma-walfilter --latest -o gone bad.jsonl
	ok "$1: no file" [ ! -e gone ]
}
bad 'not a WAL record: only of a log there is a latest state' \
    '{"type":"record","collection":"c","id":"a"}'
bad 'not a WAL record: only of a log there is a latest state' \
    '{"type":"vector","collection_id":"u","label":0,"id":"a"}'
bad 'a WAL record without an id' \
    '{"type":"wal","collection_id":"u","operation":"ADD"}'
bad 'a WAL record without an operation' \
    '{"type":"wal","collection_id":"u","id":"a"}'
bad 'operation: none of ADD, UPDATE, UPSERT, DELETE' \
    '{"type":"wal","operation":"MERGE","id":"a"}'
bad 'id: not a string' '{"type":"wal","operation":"ADD","id":7}'
bad '"id" stands twice' '{"type":"wal","operation":"ADD","id":"a","id":"a"}'
# what is not looked at before it is merged, or asked for
printf '%s\n' '1 ADD a' '2 ADD b "metadata":5' | wal | stream "$BEGIN" >in.jsonl
run chroma-walfilter --latest in.jsonl
status_is 'metadata that nobody looks at' 0
refuses_late() {
	run chroma-walfilter --latest "$@" in.jsonl
	status_is "metadata that is a number, $*" 3
	err_is "metadata that is a number, $*: message" <<'END'
chroma-walfilter: record 2: metadata: neither an object nor null
END
	ok "metadata that is a number, $*: no end" not grep -q '"end"' out
}
refuses_late --where='{"k":1}'
refuses_late --redact=documents
printf '%s\n' '1 ADD a' '2 ADD b "metadata":5' '3 UPDATE b' | wal |
    stream "$BEGIN" >in.jsonl
refuses_late
sed '$d' in.jsonl >cut.jsonl
refuses 3 'cut.jsonl: no end record: truncated after 3 records' \
    chroma-walfilter --latest cut.jsonl

# ---- options ----

cat >log <<'END'
{"type":"wal","collection_id":"u","seq_id":1,"created_at":"2026-01-01 00:00:00","operation":"ADD","id":"a","document":"cat","metadata":{"k":1}}
{"type":"wal","collection_id":"u","seq_id":2,"created_at":"2026-01-02 00:00:00","operation":"ADD","id":"b","metadata":{"k":1}}
{"type":"wal","collection_id":"u","seq_id":3,"created_at":"2026-01-03 00:00:00","operation":"UPDATE","id":"a","metadata":{"k":2}}
{"type":"wal","collection_id":"u","seq_id":4,"created_at":"2026-01-04 00:00:00","operation":"DELETE","id":"b"}
{"type":"wal","collection_id":"u","seq_id":5,"created_at":"2026-01-05 00:00:00","operation":"UPSERT","id":"c","document":"dog","metadata":{"k":2}}
END
A='{"type":"wal","collection_id":"u","seq_id":3,"created_at":"2026-01-03 00:00:00","operation":"ADD","id":"a","document":"cat","metadata":{"k":2}}'
sed -n 1,2p log >both.at2
{ sed -n 2p log; echo "$A"; } >both.at3
{ echo "$A"; sed -n 4,5p log; } >both.all
sed -n 3,5p log >both.from3
stream "$BEGIN" <log >log.jsonl
run chroma-walfilter -b log.jsonl
mv out log.bin

# gives NAME FILE OPTION...: --latest OPTION... leaves the records in FILE
gives() {
	g_name=$1 g_file=$2
	shift 2
	stream "$LATEST" <"$g_file" >want.gives
	run chroma-walfilter -j --latest "$@" log.jsonl
	same "$g_name" want.gives out
	run chroma-walfilter -j --latest "$@" log.bin
	same "$g_name, of the binary form" want.gives out
}
: >none
gives 'all' both.all
gives '--to-seq-id: as it was then' both.at2 --to-seq-id=2
gives '--to-seq-id, one more' both.at3 --to-seq-id=3
gives '--until: as it was then' both.at3 --until=2026-01-04
gives '--from-seq-id: what came after' both.from3 --from-seq-id=3
gives '--since: what came after' both.from3 --since=2026-01-03
gives 'before all' none --to-seq-id=0
sed -n 3p both.all >want.c
gives '--id of what comes out' want.c --id=c
gives '--operation of what comes out' want.c --operation=UPSERT
sed -n '1p;3p' both.all >want.ac
gives '--operation, two' want.ac --operation=ADD,UPSERT
gives '--operation of what went in only' none --operation=UPDATE
sed -n 1p both.all >want.a
gives '--where of what comes out, with what stayed' both.all \
    --where='{"k":2}'
gives '--where and --operation' want.ac --where='{"k":2}' \
    --operation=ADD,UPSERT
gives '--where of what was before' none --where='{"k":1}' \
    --operation=ADD,UPSERT
gives '--where-document' want.a --where-document='{"$contains":"cat"}' \
    --operation=ADD,UPSERT
sed -n '2,3p' both.all >want.bc
gives '--invert is asked of what comes out' want.bc -v --id=a
gives '--invert leaves the range alone' want.c -v --operation=DELETE,ADD \
    --to-seq-id=5
gives '--limit' want.a --limit=1
gives '--limit=0' none --limit=0
gives '--limit of what is selected' want.c --limit=1 --operation=UPSERT
run chroma-walfilter --latest --count log.jsonl
out_is '--count' <<'END'
3
END
run chroma-walfilter --latest --count --limit=2 log.bin
out_is '--count and --limit' <<'END'
2
END
run chroma-walfilter --latest -e --operation=UPDATE log.jsonl
status_is '-e, nothing left' 1
run chroma-walfilter --latest -e --operation=DELETE log.jsonl
status_is '-e' 0
stream "$LATEST" <both.all >want
run chroma-walfilter -q --latest -z -o file.zst log.bin
status_is '-o: status' 0
run chroma-walfilter -j file.zst
same '-o' want out
sed '1d;$d' want >want.plain
sed '1d;$d' log.jsonl >plain
run chroma-walfilter --plain --latest plain
status_is '--plain: not WAL records without a type' 0
same '--plain' want.plain out
run chroma-walfilter --latest -j --embedding=base64 log.bin
same 'a form for embeddings, where there are none' want out
run chroma-walfilter --latest --skip=u log.jsonl
ok '--skip' [ "$(wc -l <out)" -eq 2 ]

# ---- several streams ----

head -3 log | stream '{"type":"begin","stream":"wal","version":1,"n":1,"source":{"collections":[{"id":"u","name":"x"}]}}' >one.jsonl
tail -2 log | stream '{"type":"begin","stream":"wal","version":1,"n":2,"source":{"collections":[{"id":"u","name":"x"}]}}' >two.jsonl
chroma-walfilter -b two.jsonl >two.bin
stream '{"type":"begin","stream":"wal","version":1,"latest":true,"partial":true,"n":2,"source":{"collections":[{"id":"u","name":"x"}]}}' <both.all >want
for second in two.jsonl two.bin; do
	run chroma-walfilter --latest one.jsonl $second
	status_is "$second: status" 0
	same "$second: one state, the begin of the last" want out
done
cat one.jsonl two.jsonl | chroma-walfilter --latest >out
same 'in one input' want out
run chroma-walfilter --latest -c u one.jsonl two.bin
same "-c, a collection of both" want out
refuses 2 "no collection 'y' in two.jsonl (its begin record names those that there are)" \
    chroma-walfilter --latest -c y two.jsonl
refuses 4 'nope: No such file or directory' \
    chroma-walfilter --latest one.jsonl nope
# what one of them lacks, all of it lacks
mark='"version":1,"redacted":\["ids"\],"embedding":"none","identity":true'
sed "s/\"version\":1/$mark/" one.jsonl >marked.jsonl
run chroma-walfilter --latest marked.jsonl two.jsonl
ok 'the marks of any stream are there' sh -c 'head -1 out | jq -e "
    .redacted == [\"ids\"] and .embedding == \"none\" and .identity and .latest
    and .partial and .source.collections[0].name == \"x\""'
head -c 32 /dev/zero >key
run chroma-walfilter --latest --redact=names --key-file=key marked.jsonl two.jsonl
ok 'the lists of both' sh -c 'head -1 out |
    jq -e ".redacted == [\"ids\",\"names\"]"'
run chroma-walfilter marked.jsonl two.jsonl
ok 'without --latest each has its own' [ "$(grep -c redacted out)" -eq 1 ]

# ---- many, at random ----

: "${SEED:=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}"
printf '# SEED=%s\n' "$SEED"
ok 'random log' python3 -B "$T_DIR/t/latest.py" make "$SEED" 1500 random.jsonl
run chroma-walfilter --latest random.jsonl
status_is 'random log: status' 0
mv out left.jsonl
ok 'random log: the same effect' \
    python3 -B "$T_DIR/t/latest.py" check random.jsonl left.jsonl
sed 's/^/# /' t_ok.out
chroma-walfilter -b random.jsonl | chroma-walfilter -j --latest >out
same 'random log, the binary form' left.jsonl out
run chroma-walfilter --latest left.jsonl
same 'random log, twice' left.jsonl out

# ---- memory, and where the rest goes ----

ROWS=240000
ok 'many rows' python3 -B "$T_DIR/t/latest.py" rows $ROWS rows.jsonl
cat >peak.py <<'END'
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
END
mkdir tmp
case ${BUILD-release} in
asan | tsan) skip 'memory' 'a sanitizer takes its own' ;;
*)
	plain=$(python3 peak.py chroma-walfilter --id=none rows.jsonl)
	latest=$(python3 peak.py chroma-walfilter --latest --tmpdir=tmp rows.jsonl)
	printf '# %s KiB, with --latest %s\n' "$plain" "$latest"
	ok 'memory' [ "$((latest - plain))" -lt 65536 ]
	;;
esac
run chroma-walfilter --latest --count --tmpdir=tmp rows.jsonl
out_is 'many rows: one for each id' <<'END'
80000
END
ok 'nothing is left of the files' [ -z "$(ls -A tmp)" ]
more='name another place with --tmpdir=DIR'
refuses 4 "nope: a file for records: No such file or directory; $more" \
    chroma-walfilter --latest --tmpdir=nope rows.jsonl
run env TMPDIR="$PWD/nope" chroma-walfilter --latest rows.jsonl
status_is 'TMPDIR that is not there' 4
run env TMPDIR="$PWD/nope" chroma-walfilter --latest --count --tmpdir=tmp rows.jsonl
status_is '--tmpdir goes before TMPDIR' 0
run chroma-walfilter --latest --tmpdir=nope log.jsonl
status_is 'what fits into memory needs none' 0
cat >small.sh <<'END'
mount -t tmpfs -o size=8m none small || exit 99
chroma-walfilter --latest --tmpdir=small -o gone rows.jsonl
s=$?
[ -z "$(ls -A small)" ] || s=98
exit $s
END
mkdir small
if [ "$(id -u)" -eq 0 ] &&
    unshare -m mount -t tmpfs -o size=64k none small 2>/dev/null; then
	run unshare -m sh small.sh
	status_is 'no room for the records: status' 4
	err_is 'no room for the records: message' <<END
chroma-walfilter: small: a file for records: No space left on device; $more
END
	ok 'no room for the records: no file' [ ! -e gone ]
else
	skip 'no room for the records' 'no tmpfs can be mounted here'
fi

done_testing
