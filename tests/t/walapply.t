#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-walapply: rows of the log into the tables, in each dialect; what is
# refused; the receipt; options and mistakes.  Beside real Chromas it is
# compared in tests/chroma/walapply.t.
. "${0%/*}/../lib.sh"

# q DIR SQL
q() { sqlite3 -readonly "$1/chroma.sqlite3" "$2"; }
# change DIR SQL
change() { sqlite3 "$1/chroma.sqlite3" "$2"; }
of() { jq -c "$1" out; }
# fresh BASE [DIR]: the directory d
fresh() {
	rm -rf "${2:-d}"
	cp -a "$1/db" "${2:-d}"
	docs=$(q "${2:-d}" "SELECT id FROM collections WHERE name = 'ip-vectors'")
	other=$(q "${2:-d}" "SELECT id FROM collections WHERE name = 'all-deleted'")
	segment=$(q "${2:-d}" "SELECT id FROM segments WHERE collection = '$docs'
	    AND scope = 'METADATA'")
	topic=$(q "${2:-d}" "SELECT topic FROM embeddings_queue WHERE topic LIKE
	    '%$docs' LIMIT 1")
}
# row OPERATION ID METADATA [DIR [TOPIC]]: appended to the log; add and upsert
# have a vector
row() {
	vector=NULL encoding=NULL
	case $1 in 0 | 2) vector='zeroblob(32)' encoding="'FLOAT32'" ;; esac
	change "${4:-d}" "INSERT INTO embeddings_queue (created_at, operation,
	    topic, id, vector, encoding, metadata) VALUES ('2026-01-01 00:00:00',
	    $1, '${5:-$topic}', '$2', $vector, $encoding, $3)"
}
# The records n*, in all tables.
columns="e.embedding_id, m.key, quote(string_value), quote(int_value),
    replace(quote(float_value), '9.0e+999', 'Inf')"
records() {
	q d "SELECT '$1', $columns$3 FROM embeddings e JOIN $2 m USING (id)
	    WHERE segment_id = '$segment' AND embedding_id GLOB 'n[0-9]'
	    ORDER BY 2, 3, m.rowid"
}
texts() {
	q d "SELECT 'text', e.embedding_id, quote(string_value) FROM embeddings e
	    JOIN $1 f ON e.id = f.$2 WHERE segment_id = '$segment'
	    AND embedding_id GLOB 'n[0-9]' ORDER BY 2"
}
marks() {
	q d "SELECT 'seen', embedding_id, quote(seq_id) FROM embeddings
	    WHERE segment_id = '$segment' AND embedding_id GLOB 'n[0-9]' ORDER BY 2;
	    SELECT 'M', quote(seq_id) FROM max_seq_id
	    WHERE segment_id = '$segment'"
}
history() {
	row 0 n1 "'{\"chroma:document\": \"hello\\u2603\", \"s\": \"x\", \"i\": 1, \"f\": 2.0, \"b\": true, \"z\":-0}'"
	row 0 n1 "'{\"s\": \"not this\"}'"
	row 2 n2 "'{\"chroma:uri\":\"u\",\"s\":\"\",\"f\":1e400}'"
	row 2 n3 NULL
	row 1 n1 "'{\"s\": null, \"i\": 2.5, \"f\": 3, \"new\": \"\\\"\"}'"
	row 1 n4 "'{\"s\": \"of nobody\"}'"
	row 3 n3 NULL
	row 3 n4 NULL
	row 2 n2 "'{\"chroma:document\":\"two\",\"s\":\"y\",\"n\\n\":-9223372036854775808}'"
	row 0 n3 "'{}'"
}
persist 0.4.4
persist 0.6.3
persist 1.0.0
persist 1.5.9-nopurge

# ---- Python ----

for base in 0.4.4 0.6.3; do
	fresh $base
	history
	fingerprint d >before
	run chroma-walapply -n d
	status_is "$base: -n" 0
	no_err "$base: -n: silent"
	mv out plan
	fingerprint d >after
	same "$base: -n changes nothing" before after
	run chroma-walapply d
	status_is "$base: status" 0
	no_err "$base: silent"
	# in what 0.4.4 made, it has left texts of deleted records
	repaired=0
	[ $base = 0.6.3 ] || repaired=3
	ok "$base: counts" [ "$(of '.collections[] | select(.applied > 0) |
	    [.added, .updated, .deleted, .ignored, .repaired, .schema_keys,
	    .pending]')" = '[4,2,1,3,'$repaired',0,0]' ]
	same_plan='.collections[] | del(.repaired)'
	ok "$base: as planned" [ "$(of "$same_plan")" = \
	    "$(jq -c "$same_plan" plan)" ]
	last=$(q d 'SELECT printf("%016X", max(seq_id)) FROM embeddings_queue')
	up() { printf '%016X' "$((0x$last - $1))"; }
	case $base in
	0.4.4) table=embedding_fulltext key=id ;;
	*) table=embedding_fulltext_search key=rowid ;;
	esac
	{ records row embedding_metadata ', quote(bool_value)'
	    texts $table $key
	    marks; } >out
	out_is "$base: tables" <<!
row|n1|b|NULL|NULL|NULL|1
row|n1|chroma:document|'hello☃'|NULL|NULL|NULL
row|n1|f|NULL|3|NULL|NULL
row|n1|i|NULL|NULL|2.5|NULL
row|n1|new|'"'|NULL|NULL|NULL
row|n1|z|NULL|0|NULL|NULL
row|n2|chroma:document|'two'|NULL|NULL|NULL
row|n2|chroma:uri|'u'|NULL|NULL|NULL
row|n2|f|NULL|NULL|Inf|NULL
row|n2|n
|NULL|-9223372036854775808|NULL|NULL
row|n2|s|'y'|NULL|NULL|NULL
text|n1|'hello☃'
text|n2|'two'
seen|n1|X'$(up 5)'
seen|n2|X'$(up 1)'
seen|n3|X'$(up 0)'
M|X'$last'
!
	fingerprint d >before
	run chroma-walapply --text d
	ok "$base: and nothing to do" [ "$(tail -n 1 out)" = 'Nothing to do.' ]
	fingerprint d >after
	same "$base: which changes nothing" before after

	# what only Python reads
	row 2 n5 "'{\"f\": NaN, \"g\": -Infinity, \"list\": [1, {}], \"o\": {\"a\": 1}, \"chroma:document\": null}'"
	run chroma-walapply d
	status_is "$base: NaN, lists, null" 0
	q d "SELECT 'row', $columns FROM embeddings e JOIN embedding_metadata m
	    USING (id) WHERE embedding_id = 'n5' ORDER BY 3" >out
	texts $table $key | grep n5 >>out
	out_is "$base: as Python stores them" <<!
row|n5|f|NULL|NULL|NULL
row|n5|g|NULL|NULL|-Inf
text|n5|NULL
!
	row 2 n5 "'{\"big\": 9223372036854775808}'"
	run chroma-walapply d
	status_is "$base: a large integer: status" 1
	printf 'chroma-walapply: warning: collection ip-vectors: none of its pending rows (1) are applied: row %d of the log: an integer beyond 64 bits, which Chroma before 1.0 cannot store\n' \
	    "$((0x$last + 2))" >want.err
	same "$base: a large integer: said" want.err err
done

# before 0.4.4 a bool is an integer, and there is no column for it
fresh 0.4.4
change d "ALTER TABLE embedding_metadata DROP COLUMN bool_value;
    DELETE FROM migrations WHERE dir = 'metadb' AND version = 2"
row 0 n1 "'{\"b\": true, \"c\": false}'"
run chroma-walapply d
status_is '0.4.1: status' 0
records row embedding_metadata '' >out
out_is '0.4.1: bools' <<!
row|n1|b|NULL|1|NULL
row|n1|c|NULL|0|NULL
!

# ---- Rust ----

for base in 1.0.0 1.5.9-nopurge; do
	fresh $base
	history
	run chroma-walapply d
	status_is "$base: 1e400: status" 1
	ok "$base: 1e400: why" [ "$(of '.collections[] | select(.refused) |
	    [.why, .applied, .pending]')" = "[\"row $(q d 'SELECT max(seq_id) - 7
	    FROM embeddings_queue') of the log: a number beyond the range of double\",0,10]" ]
	ok "$base: 1e400: nothing of it" [ "$(records row embedding_metadata '' |
	    wc -l)" = 0 ]
	change d "UPDATE embeddings_queue SET metadata = replace(metadata, '1e400',
	    '100000000000000000000')"
	run chroma-walapply d
	status_is "$base: status" 0
	last=$(q d 'SELECT max(seq_id) FROM embeddings_queue')
	{ records row embedding_metadata ', quote(bool_value)'
	    texts embedding_fulltext_search rowid
	    marks; } >out
	out_is "$base: tables" <<!
row|n1|b|NULL|NULL|NULL|1
row|n1|chroma:document|'hello☃'|NULL|NULL|NULL
row|n1|f|NULL|3|NULL|NULL
row|n1|i|NULL|NULL|2.5|NULL
row|n1|new|'"'|NULL|NULL|NULL
row|n1|z|NULL|NULL|0.0|NULL
row|n2|chroma:document|'two'|NULL|NULL|NULL
row|n2|chroma:uri|'u'|NULL|NULL|NULL
row|n2|f|NULL|NULL|1.0e+20|NULL
row|n2|n
|NULL|-9223372036854775808|NULL|NULL
row|n2|s|'y'|NULL|NULL|NULL
text|n1|'hello☃'
text|n2|'two'
seen|n1|$((last - 5))
seen|n2|$((last - 1))
seen|n3|$last
M|$last
!
done

# lists, and the keys of the schema
schema() { q d "SELECT schema_str FROM collections WHERE id = '$docs'"; }
rest() { jq -cS 'del(.keys[$ARGS.positional[]])' --args "$@"; }
fresh 1.5.9-nopurge
schema >schema.before
row 0 n1 "'{\"l\":[1,2.5],\"e\":[],\"t\":[\"b\",\"a\"],\"i\":1,\"q \\\"☃\":\"\",\"i_\":null}'"
row 1 n1 "'{\"l\":7,\"i\":[true,false],\"t\":null,\"chroma:x\":1}'"
row 1 n9 "'{\"of nobody\":1}'"
row 0 n2 "'{\"t\":[\"z\"],\"i\":[3]}'"
row 2 n2 "'{\"t\":[\"y\",\"y\"]}'"
run chroma-walapply d
status_is 'lists: status' 0
{ records row embedding_metadata ', quote(bool_value)'
    records list embedding_metadata_array ', quote(bool_value)'; } >out.lists
ok 'schema: keys counted' [ "$(of '.collections[] | select(.applied > 0).schema_keys')" = \
    "$(schema | jq --slurpfile b schema.before '[.keys[] | length] | add - ([$b[0].keys[] | length] | add)')" ]
mv out.lists out
out_is 'lists: tables' <<!
row|n1|chroma:x|NULL|1|NULL|NULL
row|n1|l|NULL|7|NULL|NULL
row|n1|q "☃|''|NULL|NULL|NULL
list|n1|i|NULL|NULL|NULL|1
list|n1|i|NULL|NULL|NULL|0
list|n2|i|NULL|3|NULL|NULL
list|n2|t|'y'|NULL|NULL|NULL
list|n2|t|'y'|NULL|NULL|NULL
!
schema | jq -cS '.keys | [.l, .e, .t, .["q \"☃"], .i_, .["of nobody"], .["chroma:x"]] | map(. // {} | keys)' >out
out_is 'schema: what the keys got' <<!
[["float","int"],["bool"],["string"],["string"],[],[],[]]
!
ok 'schema: the types of i' [ "$(schema | jq -c '.keys.i | keys')" = '["bool","int"]' ]
ok 'schema: what they got is the default' [ "$(schema |
    jq '.keys.l.float == .defaults.float and .keys.e.bool == .defaults.bool')" = true ]
schema | rest l e t 'q "☃' i >a
rest i <schema.before >b
same 'schema: all else as it was' a b
fresh 1.5.9-nopurge
change d "UPDATE collections SET schema_str = ' { \"keys\" : { \"i\" : { } , \"s\":{\"#string\":{}} } ,\"x\":1.50, \"defaults\":{\"string\":{\"a\":[1]}, \"int\": {} } } '
    WHERE id = '$docs'"
row 0 n1 "'{\"i\":1,\"s\":\"x\",\"a\":true,\"b\":\"\"}'"
run chroma-walapply d
status_is 'schema: in another form: status' 0
schema >out
out_is 'schema: in another form: every byte stays' <<'!'
 { "keys" : { "i" : { "int":{}} , "s":{"#string":{}} ,"a":{},"b":{"string":{"a":[1]}}} ,"x":1.50, "defaults":{"string":{"a":[1]}, "int": {} } } 
!
for text in '[]' '{"keys":{}}' '{"keys":{},"defaults":[]}' '{"keys":{"i":1},"defaults":{}}' '{'; do
	fresh 1.5.9-nopurge
	change d "UPDATE collections SET schema_str = '$text' WHERE id = '$docs'"
	row 0 n1 NULL
	run chroma-walapply d
	ok "schema: $text: refused" [ "$status,$(of '.collections[] | select(.refused).why')" = \
	    '1,"its schema_str is none that Chroma reads"' ]
done

# operation 4 is passed over where Chroma does, and counts
fresh 1.5.9-nopurge
row 4 '' NULL
run chroma-walapply d
ok 'marker: ignored' [ "$status,$(of '[.collections[].ignored] | add')" = 0,1 ]
ok 'marker: counts' [ "$(marks)" = "M|$(q d 'SELECT max(seq_id) FROM embeddings_queue')" ]

# ---- what was left behind ----

number='(SELECT max(id) + 1 FROM embeddings)'
for base in 0.6.3 1.5.9-nopurge; do
	fresh $base
	change d "INSERT INTO embedding_fulltext_search (rowid, string_value)
	    VALUES ($number, 'of another one');
	    INSERT INTO embedding_metadata (id, key, string_value)
	    VALUES ($number, 'secret', 'of another one')"
	[ $base = 0.6.3 ] || change d "INSERT INTO embedding_metadata_array (id,
	    key, int_value) VALUES ($number, 'list', 1)"
	row 0 n1 "'{\"chroma:document\":\"mine\"}'"
	row 0 n2 "'{\"chroma:document\":\"two\"}'"
	run chroma-walapply d
	ok "$base: repaired" [ "$status,$(of '[.collections[].repaired] | add')" = 0,1 ]
	{ records row embedding_metadata ''
	    [ $base = 0.6.3 ] || records list embedding_metadata_array ''
	    texts embedding_fulltext_search rowid; } >out
	out_is "$base: nothing is inherited" <<!
row|n1|chroma:document|'mine'|NULL|NULL
row|n2|chroma:document|'two'|NULL|NULL
text|n1|'mine'
text|n2|'two'
!
done
# a delete takes the full text with it, in every era
for base in 0.4.4 0.6.3; do
	fresh $base
	row 0 n1 "'{\"chroma:document\":\"mine\"}'"
	row 3 n1 NULL
	run chroma-walapply d
	table=$(q d "SELECT name FROM sqlite_master WHERE name LIKE
	    'embedding_fulltext%' AND sql LIKE 'CREATE VIRTUAL%'")
	ok "$base: no text stays" [ "$(q d "SELECT count(*) FROM $table
	    WHERE string_value = 'mine'")" = 0 ]
done

# ---- what is refused ----

# refused BASE WHY SQL-of-a-row: alone, whatever else is pending
refused() {
	fresh "$1"
	row 0 n1 "'{\"k\":1}'"
	row 0 n2 "'{}'"
	change d "UPDATE embeddings_queue SET $3 WHERE id = 'n2'"
	row 0 m1 NULL d "$(q d "SELECT topic FROM embeddings_queue WHERE topic LIKE
	    '%$other' LIMIT 1")"
	for how in -n ''; do
		# shellcheck disable=SC2086
		run chroma-walapply $how d
		ok "$1: refused$how: $2" [ "$status,$(of '[.collections[] |
		    select(.refused)] | map([.collection, .why, .seq_id])'),$(of \
		    .wal_entries_applied)" = "1,[[\"ip-vectors\",\"row $(q d "SELECT seq_id
		    FROM embeddings_queue WHERE id = 'n2'") of the log: $2\",$(q d "SELECT
		    seq_id FROM embeddings_queue WHERE id = 'n2'")]],1" ]
	done
	ok "$1: $2: nothing of it" [ "$(q d "SELECT count(*) FROM embeddings WHERE
	    embedding_id GLOB 'n[0-9]'"),$(q d "SELECT count(*) FROM embeddings WHERE
	    embedding_id = 'm1'")" = 0,1 ]
}
all='Chroma 1.x fails on every collection until it is gone'
this='Chroma fails on this collection'
refused 1.5.9-nopurge "unknown operation ($all)" 'operation = 5'
refused 1.0.0 "operation 4, a marker of Chroma's own (Chroma skips it from 1.3.6 on, and fails before)" 'operation = 4'
refused 0.6.3 "an add or upsert without a vector (Chroma 1.x fails on this collection)" 'vector = NULL, encoding = NULL'
refused 1.5.9-nopurge 'vector of the wrong length (Chroma refuses it, or reads beyond its end)' 'vector = zeroblob(28)'
refused 0.4.4 "a vector of encoding INT32 ($all)" "encoding = 'INT32'"
refused 1.0.0 "a column of the wrong type ($this)" "metadata = x'7b7d'"
refused 0.6.3 "a column of the wrong type ($this)" "vector = 'text'"
refused 1.5.9-nopurge "text that is not UTF-8" "metadata = '{\"a\":\"' || CAST(x'ff' AS TEXT) || '\"}'"
refused 1.5.9-nopurge 'metadata that is not a JSON object' "metadata = '{\"a\":NaN}'"
refused 0.6.3 'metadata that is not a JSON object' "metadata = '[]'"
refused 1.5.9-nopurge 'metadata that is not a JSON object' "metadata = '{\"a\":01}'"
refused 1.5.9-nopurge 'nested metadata' "metadata = '{\"a\":{\"indices\":[1],\"values\":[1.0]}}'"
refused 1.5.9-nopurge 'nested metadata' "metadata = '{\"a\":[[1]]}'"
refused 1.0.0 'a list, which Chroma knows from 1.5 on' "metadata = '{\"a\":[1]}'"
refused 1.5.9-nopurge 'a list of values of different types' "metadata = '{\"a\":[1,\"b\"]}'"
refused 1.5.9-nopurge 'a list of values of different types' "metadata = '{\"a\":[null]}'"
refused 1.5.9-nopurge 'a document that is not text' "metadata = '{\"chroma:document\":null}'"
refused 0.4.4 'a document that is not text' "metadata = '{\"chroma:document\":[]}'"
refused 0.6.3 'metadata with a key twice' "metadata = '{\"a\":1,\"b\":1,\"\\u0061\":2}'"
refused 0.6.3 'metadata with half of a surrogate pair' "metadata = '{\"a\":\"\\ud800\"}'"
refused 1.5.9-nopurge 'a created_at that is no time (Chroma 1.x does not see the row)' "created_at = 'yesterday'"

# unclear WHY SQL: not about a row
unclear() {
	fresh 1.5.9-nopurge
	row 0 n1 NULL
	change d "$2"
	run chroma-walapply d
	ok "refused: $1" [ "$status,$(of '.collections[] | select(.refused) |
	    [.why, .seq_id, .applied, .pending]')" = "1,[\"$1\",null,0,$3]" ]
}
unclear 'it has no metadata segment' "DELETE FROM segments WHERE id = '$segment'" 60
unclear 'its row of max_seq_id is none that a Chroma of this era reads' \
    "UPDATE max_seq_id SET seq_id = x'00' WHERE segment_id = '$segment'" 60
unclear 'it has two segments of one kind' "INSERT INTO segments SELECT 'second',
    type, scope, collection FROM segments WHERE id = '$segment'" 60

# no watermark: from the first row on
fresh 1.5.9-nopurge
change d "DELETE FROM max_seq_id WHERE segment_id = '$segment'"
run chroma-walapply -c ip-vectors d
ok 'no M: all rows' [ "$status,$(of '.collections[] | [.applied,
    .metadata_seq_id_before, .metadata_seq_id_after]')" = "0,[$(q d "SELECT
    count(*) || ',null,' || max(seq_id) FROM embeddings_queue
    WHERE topic = '$topic'")]" ]
ok 'no M: there is one now' [ "$(marks | grep -c '^M')" = 1 ]

# ---- the command line, and the receipt ----

fresh 1.5.9-nopurge
history
change d "UPDATE embeddings_queue SET metadata = NULL WHERE metadata LIKE '%1e400%'"
run chroma-walapply --skip=ip-vectors d
ok '--skip: nothing of it' [ "$(of .wal_entries_applied)" = 0 ]
run chroma-walapply -c ip-vectors --text d
sed -i 's/  */ /g' out
out_is '--text' <<!
d
 applied 10 rows of the log

default_tenant/default_database/ip-vectors
 applied 10 rows
 records 4 added, 2 updated, 1 deleted; 3 rows without effect
!
row 3 n1 NULL
run chroma-walapply -c ip-vectors d
last=$(q d 'SELECT max(seq_id) FROM embeddings_queue')
sed 's/"seconds":[0-9.]*/"seconds":S/' out >receipt
mv receipt out
out_is 'the receipt' <<!
{"receipt":"chroma-walapply","dir":"d","wal_entries_applied":1,"collections":[{"collection":"ip-vectors","tenant":"default_tenant","database":"default_database","collection_id":"$docs","applied":1,"added":0,"updated":0,"deleted":1,"ignored":0,"repaired":0,"schema_keys":0,"pending":0,"metadata_seq_id_before":$((last - 1)),"metadata_seq_id_after":$last,"refused":false,"why":null,"seq_id":null}],"seconds":S}
!
row 0 n1 "'{'"
run chroma-walapply -q d
status_is '-q: refused' 1
no_err '-q: silent'
ok '-q: no receipt' [ ! -s out ]
run chroma-walapply --text d
ok '--text: why' grep -q 'metadata that is not a JSON object$' out

misused 'no DIR given: the persist dir, the one with chroma.sqlite3 in it' chroma-walapply
misused 'one DIR at a time' chroma-walapply d d
misused "--wait: '-1' is not a number from 0 to 86400" chroma-walapply --wait=-1 d
run chroma-walapply -c x d
status_is '-c: an unknown collection' 2
refuses 4 'nowhere: No such file or directory' chroma-walapply nowhere

fresh 1.5.9-nopurge
row 0 n1 NULL
change d "INSERT INTO migrations VALUES ('metadb', 7, 'x', 'x', 'x')"
fingerprint d >before
refuses 3 'd/chroma.sqlite3: migrations newer than this program knows (metadb 7): nothing was changed; a newer chromautils may know them' \
    chroma-walapply d
fingerprint d >after
same 'unknown migration: nothing is changed' before after

fresh 1.5.9-nopurge
row 0 n1 NULL
fingerprint d >before
mkfifo stop
holdopen d/chroma.sqlite3 <stop >ready &
pid=$!
exec 9>stop
while [ ! -s ready ]; do sleep 0.1; done
refuses 5 "d is in use by $pid (holdopen): stop it first" chroma-walapply d
refuses 5 "d is in use by $pid (holdopen): stop it first" chroma-walapply -n d
exec 9>&-
wait "$pid"
fingerprint d >after
same 'somebody has it: nothing is changed' before after

done_testing
