#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-hnswbuild --install refuses what it cannot prove, and then nothing has
# changed; and it manages what can be managed.
. "${0%/*}/../lib.sh"

check() { python3 -B "$T_DIR/t/install.py" "$@"; }
damage() { python3 -B "$T_DIR/t/damage.py" "$@"; }
install() { run chroma-hnswbuild --threads=1 "$@"; }
of() { jq -c "$1" out; }

for f in 0.4.24 1.5.9-nopurge; do
	persist "$f"
	chroma-info -q --jsonl "$f/db" | jq -r 'select(.type == "collection")
	    | [.name, .tenant, .id] | @tsv' >"$f/ids"
done
# id_of NAME: of that collection of the default tenant in $base
id_of() { awk -v n="$1" '$1 == n && $2 == "default_tenant" { print $3 }' \
    "$base/ids"; }

# fresh_copy BASE: the directory d, and the streams of its collection
fresh_copy() {
	base=$1
	rm -rf d
	cp -a "$base/db" d
	id=$(id_of "${2-ip-vectors}")
	dump
}
dump() {
	chroma-hnswdump -b -c "$id" d >vectors
	chroma-walexport -qb -c "$id" d >wal
	cat vectors wal >stream
}

# what is in a directory, times of the directory itself aside
look() { fingerprint "$1" | sed '1s/ .*//'; }

# refused STATUS MESSAGE [OPTION...] FILE: so, and nothing changed
refused() {
	r_status=$1 r_message=$2
	shift 2
	look d >before.fp
	refuses "$r_status" "$r_message" chroma-hnswbuild --threads=1 \
	    --install=d "$@"
	look d >after.fp
	same "  nothing changed" before.fp after.fp
}

# ---- the command line ----

fresh_copy 1.5.9-nopurge
look d >before.fp
misused '--install: --backup=PATH keeps the old index, --no-backup removes it; which?' \
    chroma-hnswbuild --install=d stream
misused '--backup and --no-backup exclude one another' \
    chroma-hnswbuild --install=d --no-backup --backup=b stream
misused '--output and --install exclude one another' \
    chroma-hnswbuild --install=d --no-backup -o x stream
misused '--drop-nonfinite and --install exclude one another' \
    chroma-hnswbuild --install=d --no-backup --drop-nonfinite=x stream
misused '--backup: only with --install' chroma-hnswbuild -o x --backup=b stream
misused '--no-backup: only with --install' chroma-hnswbuild -o x --no-backup \
    stream
misused '--collection: one at a time' chroma-hnswbuild --install=d \
    --no-backup -c a -c b stream
refused 2 'd has 7 collections; which one? --collection=NAME' --no-backup \
    stream
refused 2 "no collection 'nobody'; there are acme/wiki/docs, default_tenant/default_database/all-deleted, default_tenant/default_database/configured, default_tenant/default_database/default, default_tenant/default_database/docs, default_tenant/default_database/empty, default_tenant/default_database/ip-vectors" \
    --no-backup -c nobody stream
mkdir b
ln -s nowhere link
refused 2 'b exists; name a directory that does not' --backup=b -c "$id" stream
refused 2 'link exists; name a directory that does not' --backup=link \
    -c "$id" stream
refused 2 'd/b is inside d, where other tools would delete it' --backup=d/b \
    -c "$id" stream
ln -s "d/$(check segment d "$id")" inside
refused 2 'inside/b is inside d, where other tools would delete it' \
    --backup=inside/b -c "$id" stream
refused 2 'a directory without a name cannot be the backup' --backup= \
    -c "$id" stream
refused 4 'none/b: No such file or directory' --backup=none/b -c "$id" stream
look d >after.fp
same 'command line: nothing changed' before.fp after.fp
refuses 4 'none: No such file or directory' chroma-hnswbuild --no-backup \
    --install=none stream
refuses 4 'b: no chroma.sqlite3 in it; a persist dir is the directory that Chroma was given as its path' \
    chroma-hnswbuild --no-backup --install=b stream

# ---- streams ----

mv stream other
fresh_copy 0.4.24
refused 3 "other:+8: no collection '$id'; there is default_tenant/default_database/ip-vectors: this stream is not of d" \
    --no-backup -c ip-vectors other
busy='collection ip-vectors of d has changed since the stream was made: stop what writes there, and make it again'
for f in 0.4.24 1.5.9-nopurge; do
	fresh_copy "$f"
	metadata=$(sqlite3 d/chroma.sqlite3 "SELECT id FROM segments
	    WHERE collection = '$id' AND scope = 'METADATA'")
	# a row is written, and applied to the records
	sqlite3 d/chroma.sqlite3 "UPDATE max_seq_id SET seq_id = (SELECT
	    max(seq_id) FROM max_seq_id) WHERE segment_id = '$metadata'"
	refused 5 "vectors:+8: $busy" --no-backup -c "$id" vectors
	refused 5 "wal:+8: $busy" --no-backup -c "$id" wal
	refused 5 "wal:+8: $busy" -n -c "$id" wal
	# another one was faster
	fresh_copy "$f"
	install --install=d -c "$id" --no-backup stream
	status_is "$f: somebody was faster" 0
	refused 5 "stream:+8: $busy" --no-backup -c "$id" stream
done

# a row that is not in the stream, or not in full: H stays
kept() { # NAME SEQ_ID FILE...
	k_name=$1 k_seq=$2
	shift 2
	rm -rf d old-index
	cp -a "$base/db" d
	[ ! -e late ] || sqlite3 d/chroma.sqlite3 <late
	cp -a d before
	install --install=d -c "$id" --backup=old-index "$@"
	status_is "$base, $k_name: status" 0
	[ "$(of .vector_seq_id)" = "$k_seq" ]
	t_line "$base, $k_name: $k_seq" $?
	rm -rf before
}
for f in 0.4.24 1.5.9-nopurge; do
	fresh_copy "$f"
	h=$(chroma-info -q --jsonl d | jq -r "select(.id == \"$id\") |
	    .vector_seq_id")
	new=$(chroma-info -q --jsonl d | jq -r "select(.id == \"$id\") |
	    .wal.newest_seq_id")
	mv vectors v
	mv wal w
	kept all "{\"before\":$h,\"after\":$new}" v w
	kept 'the log alone' "{\"before\":$h,\"after\":$new}" w
	kept 'no log' "{\"before\":$h,\"after\":$h}" v
	echo "INSERT INTO embeddings_queue (operation, topic, id, vector,
	    encoding) SELECT 0, topic, 'late', vector, encoding FROM
	    embeddings_queue WHERE topic LIKE '%$id' LIMIT 1" >late
	kept 'a row came' "{\"before\":$h,\"after\":$h}" v w
	rm late
	chroma-walfilter -q --latest w >part
	kept --latest "{\"before\":$h,\"after\":$h}" v part
	for o in --limit=5 "--from-seq-id=10" "--id-glob=*" \
	    "--operation=ADD,UPDATE,UPSERT,DELETE" "--since=2020-01-01"; do
		chroma-walfilter -q "$o" w >part
		kept "walfilter $o" "{\"before\":$h,\"after\":$h}" v part
	done
	chroma-walfilter -q --redact=documents w >part
	fresh_copy "$f"
	refuses 3 'part:+8: a redacted stream: nothing is installed from one' \
	    chroma-hnswbuild -n --install=d -c "$id" v part
	for o in --pending --committed --prunable --since=2020-01-01 \
	    "--to-seq-id=$((new - 1))"; do
		chroma-walexport -q "$o" -c "$id" "$f/db" >part
		kept "walexport $o" "{\"before\":$h,\"after\":$h}" v part
	done
	# two that are all together, and two with a gap between
	middle=$(((h + new) / 2))
	chroma-walexport -q "--to-seq-id=$middle" -c "$id" "$f/db" >part
	chroma-walexport -q "--from-seq-id=$((middle + 1))" -c "$id" "$f/db" \
	    >part2
	kept 'in two parts' "{\"before\":$h,\"after\":$new}" v part part2
	chroma-walexport -q "--from-seq-id=$((middle + 2))" -c "$id" "$f/db" \
	    >part2
	kept 'with a gap' "{\"before\":$h,\"after\":$h}" v part part2
	rm -rf d
	cp -a "$f/db" d
	chroma-walexport -q --embedding=none -c "$id" d >part
	refused 3 "part:1: its embeddings were left out: no index of it" \
	    --no-backup -c "$id" v part
	head -c 32 /dev/zero >key
	chroma-walfilter -q --redact=ids --key-file=key w >part
	refused 3 "part:+8: its ids are redacted: no index of it" \
	    --no-backup -c "$id" v part
	head -c 3000 w >part
	install --install=d -c "$id" --no-backup v part
	status_is "$f: half a stream" 3
done

# ---- vectors ----

# rows of the dump as JSON lines, changed by jq
changed() { # FILTER
	chroma-hnswdump -c "$id" d | jq -c "$1" | chroma-walfilter -q --plain >part
}
fresh_copy 1.5.9-nopurge configured
first=$(chroma-hnswdump -c "$id" d | jq -r 'select(.type == "vector").id' |
    head -1)
space=$(chroma-hnswdump -c "$id" d | head -1 |
    jq -r '.source.collections[0].space')
# (all of its rows are in the index)
chroma-hnswdump -c "$id" d >lines
head -1 lines >begin
tail -1 lines >end
edit() { # FILTER: the records changed so
	sed '1d;$d' lines | jq -c "$1" >middle
	{ cat begin middle
	printf '{"type":"end","records":%d}\n' "$(wc -l <middle)"; } >part
}
edit 'if .id == "'"$first"'" then .embedding[0] += 1 | del(.length) else . end'
# the log still has them all: it is what decides
sqlite3 d/chroma.sqlite3 "DELETE FROM embeddings_queue WHERE
    topic LIKE '%$id' AND seq_id < (SELECT max(seq_id) FROM embeddings_queue)"
cp -a d was
refused 3 "collection configured: 1 id: another vector than the present index has, and no row of the log says so: '$first'; nothing was changed" \
    --no-backup -c "$id" part
edit 'select(.id != "'"$first"'")'
refused 3 "collection configured: 1 id: live, but without a vector in the index or in a row that stays: '$first'; nothing was changed" \
    --no-backup -c "$id" part
edit 'if .id == "'"$first"'" then .embedding[0] = null else . end'
install --install=d --no-backup -c "$id" part
status_is 'null in a vector' 3
edit 'if .id == "'"$first"'" then .embedding = "AADAfwAAgD8AAIA/AACAPwAAgD8AAIA/AACAPwAAgD8=" | del(.length) else . end'
cp part nan
install --install=d --no-backup -c "$id" part
status_is 'NaN' 3
ok 'NaN: said' grep -q "NaN" err
edit '.embedding |= .[:4] | del(.length)'
sed -i '1s/"dimension":8/"dimension":4/g' part
refused 3 'vectors of 4 numbers, but those of collection configured have 8' \
    --no-backup -c "$id" part
# ids of no record: they answer queries, and Chroma fails then
edit '., (select(.id == "'"$first"'") | .id = "ghost" | .label = 100000)'
install --install=d --no-backup -c "$id" part
status_is 'a ghost: status' 0
err_is 'a ghost: said' <<'WANT'
chroma-hnswbuild: warning: collection configured: 1 ids of no record are left out
WANT
ok 'a ghost: right' check right was d "$id" "$space" -
# one that the present index has, and nothing else: it is not thrown away
rm -rf d
cp -a was d
sqlite3 d/chroma.sqlite3 "DELETE FROM embeddings WHERE embedding_id = '$first'
    AND segment_id = (SELECT id FROM segments WHERE collection = '$id'
    AND scope = 'METADATA')"
refused 3 "collection configured: 1 of the vectors in its index are of no record, and no row that came deletes them: give the whole log, or keep them with --backup=PATH; nothing was changed" \
    -q --no-backup -c "$id" lines
install -q --install=d --backup=old-ghost -c "$id" lines
status_is 'a ghost in the present index, kept: status' 0
ok 'a ghost in the present index: kept' grep -q "\"id\":\"$first\"" <<DUMP
$(chroma-hnswdump --space="$space" old-ghost)
DUMP
rm -rf d
cp -a was d
# more ids than are named
sed '1d;$d' lines | jq -r '.id' | sort >ids
edit 'select(false)'
install --install=d --no-backup -c "$id" part
status_is 'no vector at all' 3
ok 'no vector at all: counted' grep -q "^chroma-hnswbuild: collection configured: $(sort -u ids | wc -l) ids: live, but without" err

# up to 1.0.0 Chroma takes an empty id
for f in 0.4.24 1.5.9-nopurge; do
	fresh_copy "$f" default
	sqlite3 d/chroma.sqlite3 "UPDATE embeddings SET embedding_id = '' WHERE
	    embedding_id = 'id-0' AND segment_id = (SELECT id FROM segments
	    WHERE collection = '$id' AND scope = 'METADATA');
	    UPDATE embeddings_queue SET id = '' WHERE id = 'id-0' AND topic
	    LIKE '%$id'"
	rm -rf was
	cp -a d was
	chroma-walexport -qb -c "$id" d >wal
	install --install=d --no-backup -c "$id" wal
	status_is "$f, an empty id: status" 0
	no_err "$f, an empty id: silent"
	ok "$f, an empty id: right" check right was d "$id" l2 \
	    "$(of .vector_seq_id.after)"
	ok "$f, an empty id: it is there" grep -q '"id":""' <<DUMP
$(chroma-hnswdump -c "$id" d)
DUMP
done

# the log has the vector that the index has not
fresh_copy 1.5.9-nopurge docs
damage unapplied_vector d docs >ids
rm -rf was
cp -a d was
dump
install --install=d --no-backup -c "$id" vectors
status_is 'without the log' 3
ok 'without the log: named' grep -qF "the log has a newer vector than the index: '$(cat ids)'" err
install --install=d --no-backup -c "$id" stream
status_is 'with the log' 0
ok 'with the log: right' check right was d "$id" cosine "$(of .vector_seq_id.after)"
rm -rf was

done_testing
