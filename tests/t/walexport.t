#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-walexport: every option, every mistake on the command line.
. "${0%/*}/../lib.sh"

# seq_ids FILE: of its WAL records, in order.
seq_ids() { jq -r 'select(.type == "wal").seq_id' "$1"; }
# sql DIR QUERY
sql() { sqlite3 -readonly "$1/chroma.sqlite3" "$2"; }
# rows_are NAME DIR QUERY: the last run gave the seq_ids that the query gives.
rows_are() {
	sql "$2" "$3" >want.ids
	seq_ids out >got.ids
	same "$1" want.ids got.ids
	[ -s want.ids ] || ok "$1: there are none" [ "${4-}" = none ]
}

persist 1.5.9-nopurge a
persist 0.4.24 b
D=a/db
fingerprint a >before.a
fingerprint b >before.b

# ---- the whole log ----

run chroma-walexport "$D"
status_is 'the whole log: status' 0
no_err 'the whole log: silent'
rows_are 'the whole log: rows' "$D" \
    'SELECT seq_id FROM embeddings_queue ORDER BY 1'
cp out all.jsonl
run chroma-walexport "$D/"
same 'a slash at the end' all.jsonl out
run chroma-walexport -j "$D"
same '-j is the default' all.jsonl out
run chroma-walexport --jsonl --progress "$D"
same '--jsonl' all.jsonl out
run chroma-walexport -q --wait=0 "$D"
same '-q, --wait=0' all.jsonl out
head -1 all.jsonl >begin
ok 'begin: keys' jq -e 'keys_unsorted == ["type","stream","version","source"] and
    .type == "begin" and .stream == "wal" and .version == 1 and
    (.source | keys_unsorted == ["migrations","from_seq_id","to_seq_id",
    "collections"]) and (.source.collections[0] | keys_unsorted == ["id","name",
    "tenant","database","dimension","space","M","ef_construction","ef_search",
    "metadata_seq_id","vector_seq_id","vector_segment","metadata_segment"])' begin
ok 'begin: range' [ "$(jq -c '[.source.from_seq_id,.source.to_seq_id]' begin)" = \
    "$(sql "$D" "SELECT '[' || min(seq_id) || ',' || max(seq_id) || ']'
    FROM embeddings_queue")" ]
ok 'begin: parameters that were given' jq -e '.source.collections |
    map(select(.name == "ip-vectors"))[0] | .space == "ip" and .M == 8 and
    .ef_construction == 40 and .ef_search == 33 and .dimension == 8' begin
ok 'begin: a collection without a vector' jq -e '.source.collections |
    map(select(.name == "empty"))[0] | .space == "l2" and .dimension == null and
    .metadata_seq_id == null and .vector_seq_id == null' begin
ok 'begin: not partial' jq -e 'has("partial") or has("embedding") | not' begin

# a database that has never been written to
mkdir none
cp "$D/chroma.sqlite3" none/
sqlite3 none/chroma.sqlite3 'DELETE FROM embeddings_queue;
    DELETE FROM collections; DELETE FROM max_seq_id'
run chroma-walexport none
status_is 'an empty log: status' 0
no_err 'an empty log: silent'
out_is 'an empty log' <<'END'
{"type":"begin","stream":"wal","version":1,"source":{"migrations":{"embeddings_queue":2,"metadb":6,"sysdb":10},"from_seq_id":1,"to_seq_id":0,"collections":[]}}
{"type":"end","records":0}
END
refuses 2 "no collection 'docs': there are none" chroma-walexport -c docs none

# ---- the same bytes, again and again ----

for form in -j -b --columns --embedding=base64 -z -bz; do
	run chroma-walexport "$form" "$D"
	status_is "twice $form: status" 0
	mv out first
	run chroma-walexport "$form" "$D"
	same "twice $form" first out
done

# ---- compression ----

run chroma-walexport -z "$D"
no_err '-z: silent'
zstd -dcq <out >plain
same '-z' all.jsonl plain
zstd -lv out >list 2>&1
ok '-z: with a checksum' grep -q 'Check: XXH64' list
mv out level3
run chroma-walexport --zstd=3 "$D"
same '--zstd=3 is -z' level3 out
run chroma-walexport --zstd=19 "$D"
zstd -dcq <out >plain
same '--zstd=19' all.jsonl plain
ok '--zstd=19 is smaller' [ "$(wc -c <out)" -lt "$(wc -c <level3)" ]
run chroma-walexport --zstd=1 --columns "$D"
zstd -dcq <out >plain
run chroma-walexport --columns "$D"
same '-z and --columns' plain out

# ---- collections ----

ids=$(sql "$D" "SELECT group_concat(id, ' ') FROM collections WHERE name = 'docs'")
# which DIR ID...: the query for these
which_rows() { printf "SELECT seq_id FROM embeddings_queue WHERE substr(topic, -36)
    IN ('%s','%s','%s') ORDER BY 1" "$1" "${2-}" "${3-}"; }
id_of() { sql "$D" "SELECT c.id FROM collections c JOIN databases d
    ON d.id = c.database_id WHERE d.name = '$1' AND c.name = '$2'"; }
mine=$(id_of default_database docs)
wiki=$(id_of wiki docs)
default=$(id_of default_database default)

run chroma-walexport -c default "$D"
status_is '-c NAME: status' 0
rows_are '-c NAME' "$D" "$(which_rows "$default")"
ok '-c: begin has only that one' [ "$(jq -r 'select(.type == "begin") |
    .source.collections[].id' out)" = "$default" ]
ok '-c: the others were not asked for, so it is not partial' \
    jq -e '.type != "begin" or (has("partial") | not)' out
run chroma-walexport --collection acme/wiki/docs "$D"
rows_are '-c TENANT/DATABASE/NAME' "$D" "$(which_rows "$wiki")"
run chroma-walexport --collection="$mine" "$D"
rows_are '-c UUID' "$D" "$(which_rows "$mine")"
run chroma-walexport -c "$(printf %s "$mine" | tr a-f A-F)" "$D"
rows_are '-c UUID in capitals' "$D" "$(which_rows "$mine")"
run chroma-walexport -c "$default" -c default -c acme/wiki/docs "$D"
rows_are '-c, several' "$D" "$(which_rows "$default" "$wiki")"
run chroma-walexport -c empty "$D"
status_is '-c of an empty one: status' 0
rows_are '-c of an empty one' "$D" "$(which_rows no)" none
run chroma-walexport --skip=default --skip "$wiki" "$D"
rows_are '--skip' "$D" "SELECT seq_id FROM embeddings_queue
    WHERE substr(topic, -36) NOT IN ('$default', '$wiki') ORDER BY 1"
run chroma-walexport -c default -c "$mine" --skip=default "$D"
rows_are '-c and --skip' "$D" "$(which_rows "$mine")"

others='default_tenant/default_database/all-deleted, default_tenant/default_database/configured, default_tenant/default_database/default, default_tenant/default_database/docs, default_tenant/default_database/empty, default_tenant/default_database/ip-vectors'
for o in -c --skip; do
	for c in nope acme/wiki/nope docs/ "${mine%?}" default_database/docs ''; do
		refuses 2 "no collection '$c'; there are acme/wiki/docs, $others" \
		    chroma-walexport $o "$c" "$D"
	done
	refuses 2 "'docs' is 2 collections: acme/wiki/docs, default_tenant/default_database/docs; name one as TENANT/DATABASE/NAME or by its id" \
	    chroma-walexport $o docs "$D"
done
ok 'two of that name' [ "${#ids}" -eq 73 ]
refuses 2 "no collection 'nope'; there are acme/wiki/docs, $others" \
    chroma-walexport -c default -c nope "$D"

# a row of a collection that is gone: in the whole log, in no selection of it
cp -r "$D" gone
sqlite3 gone/chroma.sqlite3 "DELETE FROM collections WHERE id = '$default'"
dead=$(sql gone "$(which_rows "$default")" | head -1)
run chroma-walexport gone
rows_are 'rows of no collection' gone \
    'SELECT seq_id FROM embeddings_queue ORDER BY 1'
ok 'rows of no collection: warned of' [ "$(head -1 err)" = \
    "chroma-walexport: warning: seq_id $dead: of no collection that exists; Chroma never reads it; written whole" ]
run chroma-walexport -q gone
no_err 'rows of no collection: -q'
run chroma-walexport --skip=empty gone
rows_are 'rows of no collection: --skip keeps them' gone \
    'SELECT seq_id FROM embeddings_queue ORDER BY 1'
for o in '-c empty' --committed --pending --prunable; do
	# shellcheck disable=SC2086
	run chroma-walexport $o gone
	seq_ids out >got.ids
	ok "rows of no collection: not with $o" not grep -qx "$dead" got.ids
done
sqlite3 gone/chroma.sqlite3 'DELETE FROM collections'
run chroma-walexport gone
ok 'more than 20 are counted' [ "$(tail -1 err)" = \
    "chroma-walexport: warning: 289 rows of this kind in all" ]
ok 'and 20 are shown' [ "$(wc -l <err)" -eq 21 ]

# ---- parts of the log ----

for dir in a/db b/db; do
	for part in committed pending prunable; do
		run chroma-walexport --$part $dir
		status_is "--$part $dir: status" 0
		no_err "--$part $dir: silent"
		python3 -B "$T_DIR/t/rows.py" part $dir $part >want.ids
		seq_ids out >got.ids
		ok "--$part $dir: there are some" [ -s want.ids ]
		same "--$part $dir" want.ids got.ids
		ok "--$part $dir: partial" \
		    jq -e '.type != "begin" or .partial == true' out
		cp got.ids $part.ids
	done
	sort -n committed.ids pending.ids >both
	sql $dir 'SELECT seq_id FROM embeddings_queue ORDER BY 1' >every
	same "$dir: committed and pending are all" every both
	grep -vxF -f prunable.ids committed.ids >rest
	ok "$dir: some committed rows are not prunable" [ -s rest ]
done
run chroma-walexport --prunable -c default "$D"
status_is '--prunable -c: status' 0
python3 -B "$T_DIR/t/rows.py" part "$D" prunable default >want.ids
seq_ids out >got.ids
same '--prunable -c' want.ids got.ids

# however far the watermarks are, the newest row stays
cp -r "$D" far
sqlite3 far/chroma.sqlite3 'UPDATE max_seq_id SET seq_id = 1000'
run chroma-walexport --prunable far
seq_ids out >got.ids
python3 -B "$T_DIR/t/rows.py" part far prunable >want.ids
same '--prunable leaves the newest' want.ids got.ids
run chroma-walexport --committed far
seq_ids out >got.committed
ok '--committed has the newest' [ "$(tail -1 got.committed)" = \
    "$(sql far 'SELECT max(seq_id) FROM embeddings_queue')" ]
ok '--prunable has one fewer of its collection' \
    [ "$(wc -l <got.ids)" -lt "$(wc -l <got.committed)" ]

# ---- ranges ----

all='SELECT seq_id FROM embeddings_queue WHERE'
run chroma-walexport --from-seq-id=100 "$D"
status_is '--from-seq-id: status' 0
rows_are '--from-seq-id' "$D" "$all seq_id >= 100 ORDER BY 1"
ok '--from-seq-id: begin' jq -e '.type != "begin" or
    (.source.from_seq_id == 100 and (has("partial") | not))' out
run chroma-walexport --to-seq-id=100 "$D"
rows_are '--to-seq-id' "$D" "$all seq_id <= 100 ORDER BY 1"
ok '--to-seq-id: begin' jq -e '.type != "begin" or
    .source.to_seq_id == 100' out
run chroma-walexport --from-seq-id 50 --to-seq-id 50 "$D"
rows_are 'a range of one' "$D" "$all seq_id = 50"
run chroma-walexport --from-seq-id=310 "$D"
status_is 'behind the newest: status' 0
rows_are 'behind the newest' "$D" "$all seq_id >= 310" none
run chroma-walexport --from-seq-id=0 --to-seq-id=9223372036854775807 "$D"
rows_are 'the greatest range' "$D" "$all 1 ORDER BY 1"
ok 'the greatest range: to is the newest' jq -e '.type != "begin" or
    .source.to_seq_id == 309' out
run chroma-walexport --pending --from-seq-id=260 -c "$wiki" "$D"
python3 -B "$T_DIR/t/rows.py" part "$D" pending >pending.ids
rows_are 'different kinds AND' "$D" "$all topic LIKE '%$wiki' AND seq_id >= 260
    AND seq_id IN ($(paste -sd, pending.ids)) ORDER BY 1"

# ---- times ----

cp -r "$D" timed
sqlite3 timed/chroma.sqlite3 "
UPDATE embeddings_queue SET created_at = datetime('2026-01-01', '+' || seq_id || ' minutes');
UPDATE embeddings_queue SET created_at = '2026-01-01T01:00:00.000Z' WHERE seq_id = 1;
UPDATE embeddings_queue SET created_at = '2026-01-01T03:00:00+02:00' WHERE seq_id = 2;
UPDATE embeddings_queue SET created_at = '2026-01-01 00:59:59.999' WHERE seq_id = 200;
UPDATE embeddings_queue SET created_at = 'yesterday' WHERE seq_id = 201;"
run chroma-walexport --since=2026-01-01T01:00:00Z timed
status_is '--since: status' 0
err_is '--since: a row whose time is none' <<'END'
chroma-walexport: warning: seq_id 201: a created_at that is no time; Chroma 1.x does not see the row; written whole
END
rows_are '--since, inclusive' timed "$all seq_id IN (1, 2) OR seq_id >= 60
    AND seq_id <> 200 ORDER BY 1"
ok '--since: partial' jq -e '.type != "begin" or .partial == true' out
run chroma-walexport -q --until=2026-01-01T01:00:00Z timed
rows_are '--until, exclusive' timed "$all seq_id BETWEEN 3 AND 59
    OR seq_id IN (200, 201) ORDER BY 1"
run chroma-walexport -q --since='2026-01-01 01:00' --until='2026-01-01 01:10' timed
rows_are '--since and --until' timed "$all seq_id BETWEEN 60 AND 69
    OR seq_id IN (1, 2, 201) ORDER BY 1"
run chroma-walexport -q --since=2026-01-02 timed
rows_are '--since of a day' timed "$all seq_id = 201"
run chroma-walexport -q --since=2026-01-01T02:30:00+02:00 \
    --until=2026-01-01T00:31:00Z timed
rows_are '--since in another zone' timed "$all seq_id IN (30, 201) ORDER BY 1"

# ---- embeddings ----

run chroma-walexport --embedding=array "$D"
same '--embedding=array is the default' all.jsonl out
run chroma-walexport --embedding=none "$D"
status_is '--embedding=none: status' 0
jq -c 'del(.embedding)' all.jsonl >want
jq -c 'if .type == "begin" then del(.embedding) else . end' out >got
same '--embedding=none' want got
ok '--embedding=none: begin says so' jq -e '.type != "begin" or
    .embedding == "none"' out
run chroma-walexport --embedding base64 "$D"
ok '--embedding=base64: all of them' jq -e '.embedding == null or
    (.embedding | type) == "string"' out
ok '--embedding=base64: some' grep -q '"embedding":"' out
mv out base64.jsonl
ok '--embedding=base64: the rows' \
    python3 -B "$T_DIR/t/rows.py" compare "$D" base64.jsonl
# not a number, infinite, negative zero, the smallest
cp -r "$D" floats
sqlite3 floats/chroma.sqlite3 "UPDATE embeddings_queue SET vector =
    CAST(x'0100c07f' || substr(vector, 5) AS BLOB) WHERE seq_id = 1;
    UPDATE embeddings_queue SET vector =
    CAST(x'0000807f' || substr(vector, 5) AS BLOB) WHERE seq_id = 2;
    UPDATE embeddings_queue SET vector =
    CAST(x'00000080' || x'01000000' || x'ffff7f7f' || substr(vector, 13) AS BLOB)
    WHERE seq_id = 3;"
run chroma-walexport floats
status_is 'odd floats: status' 0
no_err 'odd floats: silent'
cp out floats.jsonl
ok 'odd floats: the rows' \
    python3 -B "$T_DIR/t/rows.py" compare floats floats.jsonl
ok 'NaN and infinity are base64' [ "$(sed -n 2,4p floats.jsonl |
    jq -r '.embedding | type' | tr '\n' ' ')" = 'string string array ' ]
ok 'negative zero, the smallest, the greatest' \
    grep -q '"seq_id":3,.*"embedding":\[-0.0,1e-45,3.4028235e+\{0,1\}38,' floats.jsonl
for form in -b -bz; do
	run chroma-walexport $form floats
	mv out floats.bin
	run chroma-walfilter -j floats.bin
	same "odd floats there and back, $form" floats.jsonl out
done

# ---- help, version, mistakes ----

run chroma-walexport --help
status_is '--help: status' 0
no_err '--help: silent'
ok '--help: usage first' \
    [ "$(head -1 out)" = 'usage: chroma-walexport [options] DIR' ]
mv out help
run chroma-walexport -h
same '-h' help out
ok '--help: not wider than 80 columns' not grep -q '^.\{81\}' help
run chroma-walexport --version
status_is '--version: status' 0
ok '--version' grep -qx 'chroma-walexport (chromautils) [0-9.]*' out
run chroma-walexport -V
ok '-V' grep -qx 'chroma-walexport (chromautils) [0-9.]*' out

misused 'no DIR given: the persist dir, the one with chroma.sqlite3 in it' \
    chroma-walexport
misused 'one DIR at a time' chroma-walexport "$D" "$D"
misused '-x: unknown option' chroma-walexport -x "$D"
misused '-X: unknown option' chroma-walexport -bX "$D"
misused '-X: unknown option' chroma-walexport --committed -Xb "$D"
misused '-X: unknown option' chroma-walexport --since=2026-01-01 -Xb "$D"
misused '-o: unknown option' chroma-walexport -o x "$D"
misused '-5: unknown option' chroma-walexport -z5 "$D"
misused '--nope: unknown option' chroma-walexport --nope "$D"
misused '--latest: unknown option' chroma-walexport --committed --latest "$D"
for o in binary columns committed force help jsonl pending progress prunable \
    quiet version; do
	misused "--$o: takes no argument" chroma-walexport --$o=x "$D"
done
for o in collection embedding from-seq-id since skip tmpdir to-seq-id until \
    wait; do
	misused "--$o: needs an argument" chroma-walexport "$D" --$o
done
misused '-c: needs an argument' chroma-walexport "$D" -c
misused '-c: needs an argument' chroma-walexport "$D" -bc
misused '--committed and --pending exclude one another' \
    chroma-walexport --committed --pending "$D"
misused '--prunable and --pending exclude one another' \
    chroma-walexport --prunable --pending "$D"
misused '--binary and --jsonl exclude one another' chroma-walexport -b -j "$D"
misused '--binary and --jsonl exclude one another' chroma-walexport -jb "$D"
misused '--columns and --binary exclude one another' \
    chroma-walexport --columns -b "$D"
misused '--columns and --embedding exclude one another' \
    chroma-walexport --columns --embedding=array "$D"
misused "--embedding: 'text' is none of array, base64, none" \
    chroma-walexport --embedding=text "$D"
n='is not a number from 0 to 9223372036854775807'
for v in x -1 +1 '' 1.0 0x10 9223372036854775808 99999999999999999999 ' 1' 1e3; do
	misused "--from-seq-id: '$v' $n" chroma-walexport --from-seq-id="$v" "$D"
	misused "--to-seq-id: '$v' $n" chroma-walexport --to-seq-id="$v" "$D"
done
misused '--from-seq-id is greater than --to-seq-id' \
    chroma-walexport --from-seq-id=5 --to-seq-id=4 "$D"
for v in yesterday '' 2026-13-01 2026-01-01T 2026-01-01T25:00:00Z 1767225600; do
	misused "--since: '$v' is not a time (YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ; UTC)" \
	    chroma-walexport --since="$v" "$D"
	misused "--until: '$v' is not a time (YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ; UTC)" \
	    chroma-walexport --until="$v" "$D"
done
misused '--since is not before --until' \
    chroma-walexport --since=2026-01-02 --until=2026-01-02 "$D"
for v in 0 20 '' x -1; do
	misused "--zstd: '$v' is not a number from 1 to 19" \
	    chroma-walexport --zstd="$v" "$D"
done
misused "--wait: '86401' is not a number from 0 to 86400" \
    chroma-walexport --wait=86401 "$D"
# the command line is looked at before the directory
misused '--nope: unknown option' chroma-walexport not-there --nope

# ---- nothing has changed ----

fingerprint a >after.a
fingerprint b >after.b
same 'the directory is as before' before.a after.a
same 'the other one too' before.b after.b

done_testing
