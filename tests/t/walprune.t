#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-walprune: every option, every mistake on the command line, every form
# of stream, and the receipt.  What must be refused is in walprune-refuse.t, how
# space is given back in walprune-reclaim.t.
. "${0%/*}/../lib.sh"

# q DIR SQL
q() { sqlite3 -readonly "$1/chroma.sqlite3" "$2"; }
# change DIR SQL
change() { sqlite3 "$1/chroma.sqlite3" "$2"; }
of() { jq -r "$1" out; }
# every seq_id of DIR
numbers() { q "$1" 'SELECT seq_id FROM embeddings_queue ORDER BY 1'; }
# fresh [BASE]: the directory d
fresh() {
	rm -rf d
	cp -a "${1:-$base}/db" d
}
# without FILE: the rows of d.before that are not in FILE are those of d
without() {
	grep -vxF -f "$2" every >want.rows
	numbers d >got.rows
	same "$1" want.rows got.rows
}
# unchanged NAME DIR: no byte of it since it was written to before
unchanged() {
	fingerprint "$2" >after
	same "$1" before after
}

base=1.5.9-nopurge
persist $base
persist 0.4.24
S=$base/db
chroma-walexport -q --prunable $S >all.jsonl
chroma-walexport -q --prunable -b $S >all.bin
chroma-walexport -q --prunable --identity $S >identity.jsonl
chroma-walexport -q --prunable --identity -b $S >identity.bin
chroma-walexport -q --prunable --embedding=none $S >none.jsonl
chroma-walexport -q --prunable --embedding=base64 $S >base64.jsonl
zstd -q -o all.jsonl.zst all.jsonl
zstd -q -o all.bin.zst all.bin
jq -r 'select(.type == "wal").seq_id' all.jsonl >go
numbers $S >every
rows=$(wc -l <go)
id_of() { q "${3:-$S}" "SELECT c.id FROM collections c JOIN databases d
    ON d.id = c.database_id WHERE d.name = '$1' AND c.name = '$2'"; }
mine=$(id_of default_database docs)
wiki=$(id_of wiki docs)

# ---- every form of stream ----

for in in all.jsonl all.bin all.jsonl.zst all.bin.zst identity.jsonl \
    identity.bin none.jsonl base64.jsonl; do
	fresh
	run chroma-walprune d $in
	status_is "$in: status" 0
	no_err "$in: silent"
	ok "$in: purged" [ "$(of .wal_entries_purged)" = "$rows" ]
	without "$in: these rows went" go
done
for in in all.jsonl all.bin.zst; do
	fresh
	run chroma-walprune d <$in
	status_is "$in as standard input: status" 0
	without "$in as standard input" go
	fresh
	run chroma-walprune d - <$in
	status_is "$in as -: status" 0
	without "$in as -" go
done
# the whole log: only what may go does
fresh
run sh -c 'chroma-walexport -q d | chroma-walprune d'
status_is 'the whole log: status' 0
no_err 'the whole log: silent'
without 'the whole log: the boundary and pending rows stay' go
ok 'the whole log: nothing is not given' [ "$(of '[.collections[].kept_not_given] |
    add')" = 0 ]

# several, in any order; rows that are named twice; one of them standard input
chroma-walfilter --from-seq-id=100 all.jsonl >high
chroma-walfilter -b --to-seq-id=110 all.jsonl >low
for files in 'high low' 'low high' 'low low high' 'high - low' '- low'; do
	fresh
	# shellcheck disable=SC2086
	run chroma-walprune d $files <high
	status_is "$files: status" 0
	ok "$files: none was gone" [ "$(of .gone_already)" = 0 ]
	without "$files: these rows went" go
done
cat high low >two.jsonl
chroma-walfilter -j low >low.jsonl
cat high low.jsonl >two.jsonl
fresh
run chroma-walprune d two.jsonl
status_is 'two streams in one file: status' 0
without 'two streams in one file' go
# a part
fresh
run chroma-walprune d high
status_is 'a part: status' 0
jq -r 'select(.type == "wal").seq_id' high >went
without 'a part' went
ok 'a part: the rest was not given' [ "$(of '[.collections[].kept_not_given] |
    add')" = $((rows - $(wc -l <went))) ]
# and the rest, and all of it once more
run chroma-walprune d low
status_is 'the rest: status' 0
ok 'the rest: what was there twice is gone already' [ "$(of .gone_already)" = \
    "$(jq -r 'select(.type == "wal").seq_id' low.jsonl | grep -cxF -f went)" ]
without 'the rest' go
fingerprint d >before
run chroma-walprune d all.bin
status_is 'once more: status' 0
no_err 'once more: silent'
ok 'once more: all are gone already' [ "$(of '[.gone_already,
    .wal_entries_purged, .reclaim, .storage_reduction.bytes] | @csv')" = \
    "$rows,0,\"none\",0" ]
unchanged 'once more: no byte changes' d
# records of other types are none of ours
sed 's/^{"type":"wal"/{"type":"future"/' all.jsonl >future
fresh
run chroma-walprune d future
status_is 'records of a type to come: status' 0
ok 'records of a type to come: name nothing' [ "$(of .wal_entries_purged)" = 0 ]

# ---- rows that stay by rule, given one by one ----

fresh
low_mark=$(q d "SELECT min(m.seq_id) FROM max_seq_id m JOIN segments s
    ON s.id = m.segment_id WHERE s.collection = '$mine'")
for n in "$low_mark" $((low_mark + 1)) "$(tail -1 every)"; do
	chroma-walexport -q --from-seq-id="$n" --to-seq-id="$n" d >one
	ok "seq_id $n: is in the stream" [ "$(wc -l <one)" = 3 ]
	fingerprint d >before
	run chroma-walprune d one
	status_is "seq_id $n: status" 0
	no_err "seq_id $n: silent"
	ok "seq_id $n: kept" [ "$(of .wal_entries_purged)" = 0 ]
	unchanged "seq_id $n: no byte changes" d
done
ok 'they are the boundary and what is pending' [ "$(of '.collections[] |
    select(.collection_id == "'"$mine"'") | [.kept_boundary, .kept_pending,
    .kept_not_given, .kept] | @csv')" = "$(q d "SELECT
    sum(seq_id = $low_mark) || ',' || sum(seq_id > $low_mark) || ',' ||
    sum(seq_id < $low_mark) || ',' || count(*) FROM embeddings_queue
    WHERE topic LIKE '%$mine'")" ]
# the newest of the table stays even if both segments are far beyond it
fresh
change d 'UPDATE max_seq_id SET seq_id = 1000'
newest=$(tail -1 every)
chroma-walexport -q d >whole
run chroma-walprune -n d whole
ok 'the newest row: kept as a boundary' [ "$(of '.collections[] |
    select(.collection_id == "'"$(q d "SELECT substr(topic, -36) FROM
    embeddings_queue WHERE seq_id = $newest")"'").kept_boundary')" = 1 ]
ok 'the newest row: the others have none' [ "$(of '[.collections[].kept_boundary]
    | add')" = 1 ]

# ---- a stream that is none ----

# refused_stream NAME MESSAGE FILE [PROGRAM OPTION]: status 3, and no byte of d
# changes, with and without -n
refused_stream() {
	fingerprint d >before
	for o in -q -n; do
		refuses 3 "$2" chroma-walprune $o d "$3"
	done
	unchanged "$1: no byte changes" d
}
fresh
: >empty
refused_stream 'an empty one' 'empty: empty: not even a begin record; what should have written it failed' empty
refuses 3 '<stdin>: empty: not even a begin record; what should have written it failed' \
    chroma-walprune d </dev/null
sed '$d' all.jsonl >cut.jsonl
refused_stream 'no end record' "cut.jsonl: no end record: truncated after $rows records" cut.jsonl
head -c "$(($(wc -c <all.bin) - 5))" all.bin >cut.bin
run chroma-walprune d cut.bin
status_is 'a cut binary stream' 3
sed 1d all.jsonl >headless
refused_stream 'no begin record' 'headless:1: no begin record: not a stream of chromautils, or its head is missing (chroma-walfilter --plain reads bare records)' headless
sed 3d all.jsonl >short
run chroma-walprune d short
status_is 'a record is missing' 3
echo rubbish >rubbish
refused_stream 'rubbish' "rubbish:1: byte 1: expected '{'" rubbish
{ cat all.jsonl; echo; } >tail.jsonl
refused_stream 'an empty line behind it' "tail.jsonl:$((rows + 3)): byte 1: expected '{'" tail.jsonl
sed 's/"stream":"wal"/"stream":"vectors"/' all.jsonl >vectors
refused_stream 'a vector stream' 'vectors: not a stream of WAL records' vectors
printf '%s\n' '{"type":"begin","stream":"records","version":1}' \
    '{"type":"end","records":0}' >records
refused_stream 'a stream of records' 'records: not a stream of WAL records' records
printf 'key' >key
for in in all.jsonl all.bin; do
	for what in ids embeddings; do
		chroma-walfilter -q --redact=$what --key-file=key $in >redacted 2>err
		[ -s redacted ] || continue
		refused_stream "redacted, $what" 'redacted: a redacted stream: what it names cannot be told' redacted
	done
done
sed '1s/"version":1,/&"redacted":["ids"],/' all.jsonl >redacted
refused_stream 'redacted' 'redacted: a redacted stream: what it names cannot be told' redacted
sed '3s/"seq_id":[0-9]*,//' all.jsonl >noseq
refused_stream 'a record without seq_id' 'noseq:3: a record without seq_id names no row' noseq
sed '3s/"seq_id":[0-9]*/"seq_id":"2"/' all.jsonl >noseq
run chroma-walprune d noseq
status_is 'a seq_id that is text' 3
# nothing of a good one is used if the next is bad
fingerprint d >before
refuses 3 "cut.jsonl: no end record: truncated after $rows records" \
    chroma-walprune d all.jsonl cut.jsonl
unchanged 'a good one and a bad one: no byte changes' d
refuses 4 'nope: No such file or directory' chroma-walprune d all.jsonl nope
refuses 4 '. is a directory; a stream is a file' chroma-walprune d .
unchanged 'no stream: no byte changes' d

# of another row: each field of a record, and the place is said
no='is another row in d/chroma.sqlite3: the stream is not of this directory, or of another time; nothing was changed'
third=$(sed -n 3p all.jsonl | jq .seq_id)
for field in 's/"operation":"[A-Z]*"/"operation":"DELETE"/' \
    's/"id":"/&x/' 's/"created_at":"20/"created_at":"19/' \
    "s/$mine/$wiki/" 's/"collection_id":"[^"]*",//' \
    's/"created_at":"[^"]*",//' 's/"embedding":\[[^,]*/"embedding":[0.25/' \
    's/"embedding":\[[^,]*,/"embedding":[/'; do
	sed "3$field" all.jsonl >other
	ok "$field: is different" not cmp -s all.jsonl other
	refused_stream "$field" "other:3: seq_id $third $no" other
done
chroma-walfilter -b other >other.bin
run chroma-walprune d other.bin
status_is 'in a binary stream: status' 3
ok 'in a binary stream: the place' grep -q \
    "^chroma-walprune: other.bin:[0-9]*: seq_id $third $no" err
refuses 3 "<stdin>:3: seq_id $third $no" chroma-walprune d <other
refuses 3 "other:3: seq_id $third $no" chroma-walprune d all.jsonl other
# whatever does not name the row may differ
sed '3s/"document":"/&x/;3s/"metadata":{/&"x":1,/;3s/"collection":"docs"/"collection":"other"/' \
    all.jsonl >same
ok 'other fields: are different' not cmp -s all.jsonl same
run chroma-walprune -n d same
status_is 'other fields' 0
ok 'other fields: all rows' [ "$(of .wal_entries_purged)" = "$rows" ]
# vectors that are not finite are named by their bits
fresh
last=$(q d "SELECT max(seq_id) FROM embeddings_queue WHERE topic LIKE '%$mine'
    AND vector IS NOT NULL AND seq_id < $low_mark AND id IN (SELECT
    embedding_id FROM embeddings) GROUP BY id ORDER BY 1 LIMIT 1")
change d "UPDATE embeddings_queue SET vector = CAST(x'0100c07f' ||
    substr(vector, 5) AS BLOB) WHERE seq_id = $last"
chroma-walexport -q --from-seq-id="$last" --to-seq-id="$last" d >nan
run chroma-walprune -n d nan
status_is 'a NaN: it is the same row, but not in the index' 1
change d "UPDATE embeddings_queue SET vector = CAST(x'0200c07f' ||
    substr(vector, 5) AS BLOB) WHERE seq_id = $last"
refuses 3 "nan:2: seq_id $last $no" chroma-walprune -n d nan

# ---- collections ----

# one_only NAME WHERE: of the last run on the copy d
one_only() {
	status_is "$1: status" 0
	q $S "SELECT seq_id FROM embeddings_queue WHERE $2" >its
	grep -xF -f its go >went
	ok "$1: there are some" [ -s went ]
	without "$1" went
}
fresh
run chroma-walprune -c "$mine" d all.bin
one_only '-c UUID' "topic LIKE '%$mine'"
ok '-c: the receipt has only that one' \
    [ "$(of '.collections[].collection_id')" = "$mine" ]
fresh
run chroma-walprune --collection=acme/wiki/docs d all.bin
one_only '-c TENANT/DATABASE/NAME' "topic LIKE '%$wiki'"
fresh
run chroma-walprune -c configured -c "$wiki" d all.bin
one_only '-c, several' "topic LIKE '%$wiki' OR
    topic LIKE '%$(id_of default_database configured)'"
fresh
run chroma-walprune --skip="$mine" --skip configured d all.bin
one_only '--skip' "topic NOT LIKE '%$mine' AND
    topic NOT LIKE '%$(id_of default_database configured)'"
ok '--skip: not in the receipt' not grep -q "$mine" out
fresh
fingerprint d >before
run chroma-walprune -c empty d all.bin
status_is '-c of an empty one' 0
unchanged '-c of an empty one: no byte changes' d
others='default_tenant/default_database/all-deleted, default_tenant/default_database/configured, default_tenant/default_database/default, default_tenant/default_database/docs, default_tenant/default_database/empty, default_tenant/default_database/ip-vectors'
for o in -c --skip; do
	refuses 2 "no collection 'nope'; there are acme/wiki/docs, $others" \
	    chroma-walprune $o nope d all.bin
	refuses 2 "'docs' is 2 collections: acme/wiki/docs, default_tenant/default_database/docs; name one as TENANT/DATABASE/NAME or by its id" \
	    chroma-walprune $o docs d all.bin
done
unchanged '-c: no byte changes' d

# ---- rows of collections that are gone ----

dead='00000000-0000-4000-8000-000000000000'
fresh
newest=$(tail -1 every)
for n in 1 2 3 4; do
	change d "INSERT INTO embeddings_queue (seq_id, operation, topic, id,
	    metadata) VALUES ($((newest + n)), 3,
	    'persistent://default/default/$dead', 'dead $n', '{}')"
done
change d "UPDATE embeddings_queue SET topic = 'persistent://else/where/$mine'
    WHERE seq_id = $((newest + 3));
    UPDATE embeddings_queue SET topic = 'no topic' WHERE seq_id = $((newest + 2))"
rm -rf dead
cp -a d dead
chroma-walexport -q d >whole
run chroma-walprune d whole
status_is 'dead topics: status' 0
ok 'dead topics: stay' [ "$(numbers d | awk "\$1 > $newest" | wc -l)" = 4 ]
ok 'dead topics: counted' [ "$(of '[.dead_topics, .wal_entries_purged] |
    @csv')" = "0,$rows" ]
rm -rf d
cp -a dead d
run chroma-walprune --dead-topics d whole
status_is '--dead-topics: status' 0
no_err '--dead-topics: silent'
printf '%s\n' $((newest + 3)) $((newest + 4)) >want
numbers d | awk "\$1 > $newest" >got
same '--dead-topics: but a living one of another head, and the newest' want got
ok '--dead-topics: counted' [ "$(of '[.dead_topics, .wal_entries_purged] |
    @csv')" = "2,$((rows + 2))" ]
# only those that the stream has
rm -rf d
cp -a dead d
run chroma-walprune --dead-topics d all.bin
ok '--dead-topics: not those that are not given' [ "$(of .dead_topics)" = 0 ]
run chroma-walprune --dead-topics -c empty d whole
status_is '--dead-topics -c: status' 0
ok '--dead-topics -c: they are of no collection' [ "$(of '[.dead_topics,
    .wal_entries_purged] | @csv')" = 2,2 ]
# compared as the others are
rm -rf d
cp -a dead d
sed "s/\"id\":\"dead 1\"/\"id\":\"dead 2\"/" whole >other
run chroma-walprune --dead-topics d other
status_is '--dead-topics: another row' 3

# ---- -n ----

fresh
fingerprint d >before
for o in -n --dry-run; do
	run chroma-walprune $o d all.bin
	status_is "$o: status" 0
	no_err "$o: silent"
	unchanged "$o: no byte changes" d
done
ok '-n: says so' jq -e '.dry_run == true' out
cp out plan
of 'del(.dry_run, .seconds, .storage_reduction, .bytes_after)' >want
run chroma-walprune d all.bin
of 'del(.seconds, .storage_reduction, .bytes_after)' >got
same '-n: what is done then' want got
# shellcheck disable=SC2016
ok '-n: the size was about right' jq -e --slurpfile p plan '.bytes_after as $is |
    $p[0].bytes_after | . > $is * 0.8 and . < $is * 1.2' out
fresh
chmod -R a-w d
run chroma-walprune -n d all.bin
status_is '-n: a directory that may not be written to' 0
chmod -R u+w d
fresh
run chroma-walprune -n --backup=new d all.bin
status_is '-n --backup: status' 0
ok '-n --backup: none' [ ! -e new ]
ok '-n --backup: none in the receipt' jq -e 'has("backup") | not' out

# ---- the receipt ----

for era in 1.5.9-nopurge 0.4.24; do
	fresh $era
	persisted=$era/db
	chroma-walexport -q --prunable d >stream
	bytes=$(stat -c %s d/chroma.sqlite3)
	run chroma-walprune d stream
	status_is "$era, receipt: status" 0
	ok "$era, receipt: one line" [ "$(wc -l <out)" = 1 ]
	ok "$era, receipt: members" jq -e 'keys_unsorted == ["receipt","dir",
	    "wal_entries_purged","wal_bytes_purged","wal_entries_kept",
	    "gone_already","dead_topics","storage_reduction","bytes_before",
	    "bytes_after","reclaim","automatically_purge","collections",
	    "seconds"] and .receipt == "chroma-walprune" and .dir == "d" and
	    (.storage_reduction | keys_unsorted == ["bytes","share"]) and
	    (.seconds | type) == "number" and ([.collections[] |
	    keys_unsorted == ["collection","tenant","database",
	    "collection_id","purged","purged_bytes","kept","kept_boundary",
	    "kept_pending","kept_not_given","kept_refused","refused","why",
	    "ids","ids_total"]] | all)' out
	ok "$era, receipt: rows" [ "$(of '[.wal_entries_purged,
	    .wal_entries_kept] | @csv')" = "$(grep -c '"type":"wal"' \
	    stream),$(numbers d | wc -l)" ]
	ok "$era, receipt: they add up" jq -e '
	    ([.collections[].purged] | add) == .wal_entries_purged and
	    ([.collections[].kept] | add) == .wal_entries_kept and
	    ([.collections[].purged_bytes] | add) == .wal_bytes_purged and
	    ([.collections[] | .kept == .kept_boundary + .kept_pending +
	    .kept_not_given + .kept_refused] | all)' out
	ok "$era, receipt: sizes" [ "$(of '[.bytes_before, .bytes_after,
	    .storage_reduction.bytes] | @csv')" = "$bytes,$(stat -c %s \
	    d/chroma.sqlite3),$((bytes - $(stat -c %s d/chroma.sqlite3)))" ]
	ok "$era, receipt: the share" jq -e '(.storage_reduction.share -
	    .storage_reduction.bytes / .bytes_before) | fabs < 0.0001' out
	of '.collections[] | [.tenant, .database, .collection, .collection_id,
	    (.purged | tostring), (.purged_bytes | tostring)] | join("|")' |
	    sort >got
	numbers d >left
	q $persisted "SELECT d.tenant_id, d.name, c.name, c.id, count(w.seq_id),
	    coalesce(sum(16 + length(w.created_at) +
	    length(CAST(w.topic AS BLOB)) + length(CAST(w.id AS BLOB)) +
	    coalesce(length(w.vector), 0) + coalesce(length(w.encoding), 0) +
	    coalesce(length(CAST(w.metadata AS BLOB)), 0)), 0)
	    FROM collections c JOIN databases d ON d.id = c.database_id
	    LEFT JOIN embeddings_queue w ON w.topic LIKE '%' || c.id
	    AND w.seq_id NOT IN ($(paste -sd, left)) GROUP BY c.id" |
	    sort >want
	same "$era, receipt: collections" want got
done
ok 'no setting in this era' jq -e '.automatically_purge == null' out
fresh 0.4.24
chroma-walexport -q --prunable d >stream
run chroma-walprune d/chroma.sqlite3 stream
status_is 'DIR as the path of the file: status' 0
ok 'DIR as the path of the file: pruned' [ "$(of .wal_entries_purged)" -gt 0 ]
for how in true false; do
	fresh
	change d "UPDATE embeddings_queue_config SET config_json_str =
	    json_set(config_json_str, '\$.automatically_purge',
	    json('$how'))"
	q d 'SELECT * FROM embeddings_queue_config' >want
	run chroma-walprune d all.bin
	ok "automatically_purge $how: in the receipt" \
	    [ "$(of .automatically_purge)" = $how ]
	q d 'SELECT * FROM embeddings_queue_config' >got
	same "automatically_purge $how: as it was" want got
done
fresh
q d 'SELECT * FROM maintenance_log' >want
run chroma-walprune d all.bin
q d 'SELECT * FROM maintenance_log' >got
begins 'maintenance_log: what was there' got want
ok 'maintenance_log: and one row' [ "$(q d "SELECT count(*) || operation ||
    (abs(julianday() - julianday(timestamp)) < 0.01) FROM maintenance_log
    WHERE operation = 'prune'")" = 1prune1 ]

# ---- --text, -q, --progress ----

fresh
run chroma-walprune --text -c acme/wiki/docs --reclaim=none d all.bin
status_is '--text: status' 0
sed -i 's/[0-9.]* kB/N kB/g' out
out_is '--text' <<'END'
d
  gone                19 of 289 rows of the log (N kB of data)
  database file       N kB, then N kB (the freed pages stay in it and are used again)
  automatic purge     off; left as it is

acme/wiki/docs
  gone                19 of 38 rows
  stay                1 by rule: the newest that is applied
  stay                18 not in the index files yet
END
run chroma-walprune --text -c acme/wiki/docs --reclaim=none d all.bin
out_is '--text: nothing to do' <<'END'
d
  go                  0 of 270 rows of the log (0 bytes of data)
  automatic purge     off; left as it is

acme/wiki/docs
  go                  0 of 19 rows
  stay                1 by rule: the newest that is applied
  stay                18 not in the index files yet

Nothing to do.
END
fresh
run chroma-walprune -q d all.bin
status_is '-q: status' 0
no_err '-q: silent'
ok '-q: no receipt' [ ! -s out ]
without '-q: but pruned' go
fresh
run chroma-walprune --progress d all.bin
status_is '--progress: status' 0
ok '--progress: receipt' jq -e '.receipt == "chroma-walprune"' out

# ---- --ids, --all-or-nothing ----

# broken N: in d the last vectors of N ids of docs are not those of the index
broken() {
	fresh
	change d "UPDATE embeddings_queue SET vector = zeroblob(32) WHERE
	    seq_id IN (SELECT max(seq_id) FROM embeddings_queue WHERE
	    topic LIKE '%$mine' AND id IN (SELECT embedding_id FROM embeddings
	    WHERE segment_id = (SELECT id FROM segments WHERE
	    collection = '$mine' AND scope = 'METADATA')) AND vector IS NOT NULL
	    GROUP BY id HAVING max(seq_id) < $low_mark ORDER BY 1 LIMIT $1)"
	q d "SELECT id FROM embeddings_queue WHERE vector = zeroblob(32)
	    ORDER BY seq_id" >bad
	chroma-walexport -q --prunable --identity d >stream
}
for n in 3 25; do
	broken $n
	ok "$n ids: there are" [ "$(wc -l <bad)" = $n ]
	rm -f ids
	run chroma-walprune --ids=ids d stream
	status_is "$n ids: status" 1
	jq -r .id ids >got
	same "$n ids: all of them, in the order of the log" bad got
	ok "$n ids: a line" jq -se "[.[] | keys_unsorted == [\"collection\",
	    \"tenant\",\"database\",\"collection_id\",\"id\",\"why\"] and
	    .collection == \"docs\" and .tenant == \"default_tenant\" and
	    .database == \"default_database\" and .collection_id == \"$mine\"
	    and .why == \"the log has a newer vector than the index\"] |
	    all" ids
	of '.collections[] | select(.refused).ids[]' >got
	head -20 bad >want
	same "$n ids: at most 20 in the receipt" want got
	ok "$n ids: all counted" [ "$(of '.collections[] |
	    select(.refused).ids_total')" = $n ]
	case $n in 3) more= ;; *) more=' and more' ;; esac
	held=$(of '.collections[] | select(.refused).kept_refused')
	{
		printf 'chroma-walprune: warning: collection docs: none of its rows go (%s would): %s ids: the log has a newer vector than the index: ' "$held" $n
		head -20 bad | jq -R . | paste -sd, | tr -d '\n'
		printf '%s\n' "$more"
	} >want
	same "$n ids: on standard error" want err
	ok "$n ids: nothing beside the file" [ "$(find . -name '.ids*' |
	    wc -l)" = 0 ]
done
cp ids first
broken 3
fingerprint d >before
refuses 2 'ids exists' chroma-walprune -q --ids=ids d stream
same '--ids: never over an existing file' first ids
unchanged '--ids of an existing file: no byte changes' d
refuses 4 'no/ids: No such file or directory' \
    chroma-walprune -q --ids=no/ids d stream
unchanged '--ids in no directory: no byte changes' d
if [ -e /dev/full ] && [ "$(id -u)" = 0 ] && mkdir small &&
    mount -t tmpfs -o size=4k none small 2>/dev/null; then
	broken 60
	fingerprint d >before
	run chroma-walprune -q --ids=small/ids d stream
	status_is '--ids on a full disk: status' 4
	unchanged '--ids on a full disk: no byte changes' d
	ok '--ids on a full disk: no file' [ -z "$(ls -A small)" ]
	umount small
fi
# with nothing in the way it is there, and empty
fresh
rm -f ids
run chroma-walprune --ids=ids d all.bin
ok '--ids: nothing in the way' [ -e ids ]
ok '--ids: so it is empty' [ ! -s ids ]

broken 1
fingerprint d >before
for o in '' -n; do
	rm -f ids
	# shellcheck disable=SC2086
	run chroma-walprune --all-or-nothing --ids=ids $o d stream
	status_is "--all-or-nothing $o: status" 3
	ok "--all-or-nothing $o: said" [ "$(tail -1 err)" = \
	    'chroma-walprune: 1 of the collections are refused: nothing was changed (--all-or-nothing)' ]
	ok "--all-or-nothing $o: which" grep -q '^chroma-walprune: warning: collection docs: none of its rows go' err
	ok "--all-or-nothing $o: no receipt" [ ! -s out ]
	ok "--all-or-nothing $o: the ids" [ "$(jq -r .id ids)" = "$(cat bad)" ]
	unchanged "--all-or-nothing $o: no byte changes" d
done
run chroma-walprune -n d stream
status_is '-n of a refused collection' 1
run chroma-walprune --all-or-nothing --skip="$mine" d stream
status_is '--all-or-nothing without that one' 0

# ---- --wait, who has it open, --tmpdir ----

fresh
mkfifo hold
holdopen d/chroma.sqlite3 <hold >ready &
holder=$!
exec 9>hold
while ! grep -qs ready ready; do sleep 0.1; done
fingerprint d >before
for o in -q -n; do
	run chroma-walprune $o d all.bin
	status_is "somebody has it, $o: status" 5
	ok "somebody has it, $o: named" grep -q "holdopen.*$holder\|$holder.*holdopen" err
done
run chroma-walprune --assume-stopped d all.bin
status_is 'somebody has it, --assume-stopped' 5
run chroma-walprune --wait=1 d all.bin
status_is 'somebody has it for longer than --wait' 5
unchanged 'somebody has it: no byte changes' d
(sleep 1; exec 9>&-; kill $holder) &
exec 9>&-
run chroma-walprune --wait=20 d all.bin
status_is '--wait: somebody lets go' 0
without '--wait: pruned then' go
wait
fresh
python3 - d/chroma.sqlite3 <<'END' &
import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("BEGIN IMMEDIATE")
open("locked", "w").close()
time.sleep(2)
c.execute("ROLLBACK")
END
while [ ! -e locked ]; do sleep 0.1; done
run chroma-walprune d all.bin
status_is 'somebody writes to it' 5
run chroma-walprune --wait=20 d all.bin
status_is '--wait: somebody stops writing' 0
wait

fresh
run chroma-walprune --tmpdir=no/where d all.bin
status_is '--tmpdir that does not exist' 4
ok '--tmpdir that does not exist: said' grep -q no/where err
numbers d >got
same '--tmpdir that does not exist: no row went' every got
mkdir tmp
run env TMPDIR=no/where chroma-walprune --tmpdir=tmp --reclaim=vacuum d all.bin
status_is '--tmpdir comes before TMPDIR' 0
ok '--tmpdir: nothing is left' [ -z "$(ls -A tmp)" ]

# ---- directories that are none ----

refuses 4 'nope: No such file or directory' chroma-walprune nope all.bin
mkdir none
refuses 4 'none: no chroma.sqlite3 in it; a persist dir is the directory that Chroma was given as its path' \
    chroma-walprune none all.bin
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n' >none/chroma.sqlite3
for o in -q -n; do
	refuses 3 'none/chroma.sqlite3 is a Git LFS pointer, not the file itself; fetch it with: git lfs pull' \
	    chroma-walprune $o none all.bin
done
fresh
change d "INSERT INTO migrations SELECT 'sysdb', 99, '00099-new.sqlite.sql', '', ''
    FROM migrations LIMIT 1"
fingerprint d >before
for o in -q -n; do
	run chroma-walprune $o d all.bin
	status_is "unknown migrations, $o: status" 3
	ok "unknown migrations, $o: said" grep -q '^chroma-walprune: d/chroma.sqlite3: migrations newer than this program knows (.*99.*): nothing was changed; a newer chromautils may know them$' err
done
unchanged 'unknown migrations: no byte changes' d

# ---- help, version, mistakes ----

run chroma-walprune --help
status_is '--help: status' 0
no_err '--help: silent'
ok '--help: usage first' \
    [ "$(head -1 out)" = 'usage: chroma-walprune [options] DIR [FILE...]' ]
mv out help
run chroma-walprune -h
same '-h' help out
ok '--help: not wider than 80 columns' not grep -q '^.\{81\}' help
for o in -V --version; do
	run chroma-walprune $o
	status_is "$o: status" 0
	ok "$o" grep -qx 'chroma-walprune (chromautils) [0-9.]*' out
done
fresh
fingerprint d >before
misused 'no DIR given: the persist dir, the one with chroma.sqlite3 in it' \
    chroma-walprune
misused 'standard input can be read once only' chroma-walprune d - all.bin -
misused '-x: unknown option' chroma-walprune -x d
misused '-b: unknown option' chroma-walprune -qb d
misused '--nope: unknown option' chroma-walprune --nope d
misused '--force: unknown option' chroma-walprune --force d
for o in all-or-nothing assume-stopped dead-topics dry-run help progress quiet \
    text version; do
	misused "--$o: takes no argument" chroma-walprune --$o=x d
done
for o in backup collection ids reclaim skip tmpdir wait; do
	misused "--$o: needs an argument" chroma-walprune d --$o
done
misused '-c: needs an argument' chroma-walprune d -c
misused '-c: needs an argument' chroma-walprune d -qc
for v in '' Auto all rewrite,vacuum; do
	misused "--reclaim: '$v' is none of auto, none, vacuum, rewrite" \
	    chroma-walprune --reclaim="$v" d
done
for v in '' x -1 86401 1.5; do
	misused "--wait: '$v' is not a number from 0 to 86400" \
	    chroma-walprune --wait="$v" d
done
# the command line is looked at before the directory and the stream
misused '--nope: unknown option' chroma-walprune not-there --nope
cat >terminal.py <<'END'
import os, pty, sys
pid, fd = pty.fork()
if not pid:
    os.dup2(os.open("terminal.err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.execvp(sys.argv[1], sys.argv[1:])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
run python3 terminal.py chroma-walprune d
status_is 'a terminal as the stream: status' 2
mv terminal.err err
err_is 'a terminal as the stream' <<'END'
chroma-walprune: no stream: give a FILE, or pipe chroma-walexport --prunable DIR into it
Try 'chroma-walprune --help'.
END
unchanged 'mistakes: no byte changes' d

# ---- memory ----

if [ -n "${TEST_LONG:-}" ]; then
	cat >rss.py <<'END'
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
END
	for n in 30000 300000; do
		fresh
		# rows that change metadata only, before all others
		change d "DELETE FROM embeddings_queue WHERE topic LIKE '%$mine' AND
		    seq_id < $low_mark;
		    CREATE TABLE spread AS SELECT embedding_id AS id,
		    row_number() OVER () - 1 AS n FROM embeddings WHERE segment_id
		    = (SELECT id FROM segments WHERE collection = '$mine' AND
		    scope = 'METADATA');
		    UPDATE embeddings_queue SET seq_id = seq_id + 10000000;
		    UPDATE max_seq_id SET seq_id = seq_id + 10000000;
		    UPDATE embeddings SET seq_id = seq_id + 10000000;
		    WITH RECURSIVE k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k
		    WHERE n < $n) INSERT INTO embeddings_queue (seq_id, operation,
		    topic, id, metadata) SELECT k.n, 1,
		    'persistent://default/default/$mine', s.id, '{}' FROM k
		    JOIN spread s ON s.n = k.n % (SELECT count(*) FROM spread);
		    CREATE TABLE last AS SELECT id, max(seq_id) AS n FROM
		    embeddings_queue WHERE topic LIKE '%$mine' AND
		    seq_id < 10000000 GROUP BY id;
		    UPDATE embeddings SET seq_id = (SELECT n FROM last
		    WHERE id = embedding_id) WHERE segment_id =
		    (SELECT id FROM segments WHERE collection = '$mine' AND
		    scope = 'METADATA') AND
		    seq_id NOT IN (SELECT seq_id FROM embeddings_queue);
		    DROP TABLE spread; DROP TABLE last"
		run sh -c 'chroma-walexport --prunable --identity -bq d >stream'
		run python3 rss.py chroma-walprune -q d stream
		status_is "$n rows: status" 0
		eval "rss_$n=$(cat out)"
		ok "$n rows: pruned" [ "$(numbers d | awk '$1 < 10000000' |
		    wc -l)" = 0 ]
	done
	# shellcheck disable=SC2154
	printf '# %s and %s KiB\n' "$rss_30000" "$rss_300000"
	ok 'memory does not grow with the log' \
	    [ "$rss_300000" -lt $((rss_30000 * 2 + 65536)) ]
fi

done_testing
