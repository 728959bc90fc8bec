#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-info: the facts, the words, the options, damaged indexes.
. "${0%/*}/../lib.sh"

for name in $(every_persist); do
	persist "$name"
	fingerprint "$name/db" >before
	run chroma-info "$name/db"
	status_is "$name" 0
	no_err "$name: nothing on standard error"
	mv out info.jsonl
	case $name,${TEST_LONG:-} in *-to-*, | *-nopurge,) ;; *)
		ok "$name: agrees with SQLite, pickle and Chroma" python3 \
		    "$T_DIR/t/info.py" "$name/db" "$name/expected.json" info.jsonl
	esac
	run chroma-info --deep "$name/db"
	status_is "$name --deep" 0
	mv out info.jsonl
	ok "$name: agrees, every label looked at" \
	    python3 "$T_DIR/t/info.py" "$name/db" "$name/expected.json" info.jsonl
	run chroma-info --text --deep "$name/db"
	status_is "$name --text" 0
	run chroma-info --quick "$name/db"
	status_is "$name --quick" 0
	run jq -e 'select(.type == "store") | .records == null and .wal.rows == null' out
	status_is "$name --quick counts nothing" 0
	fingerprint "$name/db" >after
	same "$name: nothing changed" before after
	[ "$name" = 1.3.7-nopurge ] || [ "$name" = 0.5.5 ] || rm -rf "$name"
done

# ---- the words, of one small collection each ----
db=1.3.7-nopurge/db
id=$(sqlite3 "file:$db/chroma.sqlite3?mode=ro" "SELECT id FROM collections WHERE name='default'")
seg=$(sqlite3 "file:$db/chroma.sqlite3?mode=ro" "SELECT id FROM segments WHERE scope='VECTOR' AND collection='$id'")
kb=$(du -b --exclude=. "$db/$seg"/* | awk '{ n += $1 } END { printf "%.1f kB", n / 1000 }')
m=$(sqlite3 "file:$db/chroma.sqlite3?mode=ro" "SELECT max(seq_id) FROM embeddings_queue WHERE topic LIKE '%$id'")
run chroma-info --text -c default "$db"
sed -n '/^default_tenant/,$p' out >text
mv text out
out_is 'a collection in the log alone is explained' <<!
default_tenant/default_database/default
  id                  $id
  records             12
  dimension           8
  HNSW                space l2, M 16, ef_construction 100, ef_search 100
                      batch_size 100, sync_threshold 1000, resize_factor 1.2
  log                 12 rows: 0 committed, 12 pending, 0 prunable
                      12 add, 0 update, 0 upsert, 0 delete
  max_seq_id          metadata $m, vector none (gap $m)
  vector segment      $seg
  index               empty, $kb, no elements
  - Healthy: nothing is in the index files yet, all vectors are in the log
    (Chroma writes an index every 1000 changes).
  - So the log is the only copy: none of its 12 rows may be pruned, and Chroma
    replays them at every start. What helps, if starting is slow:
    chroma-commit.
!
run chroma-info --privacy "$db"
status_is '--privacy' 0
mv out shown
run grep -E 'wiki|acme|ip-vectors|default_database|1\.3\.7-nopurge/db' shown
status_is '--privacy: no name and no path' 1
run chroma-info --privacy --text "$db"
mv out shown
run grep -E 'wiki|acme|ip-vectors|default_database|1\.3\.7-nopurge/db' shown
status_is '--privacy --text: no name and no path' 1
run chroma-info --skip=empty --skip=default --skip="$id" "$db"
status_is '--skip, the same one twice' 0
run chroma-info -c acme/wiki/docs "$db/chroma.sqlite3"
jq -c 'select(.type=="collection") | [.tenant,.database,.name]' out >names
mv names out
out_is 'TENANT/DATABASE/NAME, and the file for the directory' <<!
["acme","wiki","docs"]
!
run chroma-info -c docs "$db"
status_is 'an ambiguous name' 2
err_is 'is refused with the candidates' <<!
chroma-info: 'docs' is 2 collections: acme/wiki/docs, default_tenant/default_database/docs; name one as TENANT/DATABASE/NAME or by its id
!
run chroma-info -c nope "$db"
status_is 'an unknown name' 2

# ---- who has it open ----
mkfifo end
holdopen "$db/chroma.sqlite3" <end >ready &
pid=$!
exec 9>end
until [ -s ready ]; do sleep 0.05; done
run chroma-info "$db"
jq -c 'select(.type=="store") | .in_use_by' out >use
exec 9>&-
wait $pid
mv use out
out_is 'a process that has it open is named' <<!
[{"pid":$pid,"command":"holdopen"}]
!

# ---- damaged indexes: copies of one directory ----
docs=$(sqlite3 "file:$db/chroma.sqlite3?mode=ro" "SELECT s.id FROM segments s JOIN collections c ON c.id = s.collection JOIN databases d ON d.id = c.database_id WHERE s.scope='VECTOR' AND c.name='docs' AND d.name = 'default_database'")
# damage NAME EFFORT SED-OF-FAULT: looks at broken/db and its fault
damaged() {
	run chroma-info "$2" -c default_tenant/default_database/docs broken/db
	status_is "$1" 0
	jq -r 'select(.type=="collection") | .index.state, .healthy, .index.fault' out >fault
	mv fault out
	cat >want.fault
	out_is "$1: said" <want.fault
	rm -rf broken
	cp -a 1.3.7-nopurge broken
}
cp -a 1.3.7-nopurge broken
dir=broken/db/$docs
truncate -s 40 "$dir/header.bin"
damaged 'a short header' --quick <<!
damaged
false
header.bin: 40 bytes instead of 100: truncated or not an index header
!
rm "$dir/header.bin"
damaged 'no header' --deep <<!
damaged
false
header.bin: missing: an incomplete copy, or a write that failed
!
truncate -s 1000 "$dir/data_level0.bin"
damaged 'data_level0.bin cut' --quick <<!
damaged
false
data_level0.bin: 1000 bytes, but 66 elements of 172 bytes: truncated
!
truncate -s 15T "$dir/link_lists.bin"
s=$(date +%s)
damaged 'a sparse link_lists.bin of 15 TiB' --deep <<!
damaged
false
link_lists.bin: 16492674416640 bytes, of which $(stat -c %s "1.3.7-nopurge/db/$docs/link_lists.bin") are links: grown without reason
!
ok 'costs no time' test $(($(date +%s) - s)) -lt 5
truncate -s 100 "$dir/index_metadata.pickle"
damaged 'the pickle cut' -q <<!
damaged
false
index_metadata.pickle: +93: truncated inside a string
!
printf 'cos\nsystem\n(X\4\0\0\0trueTR.' >"$dir/index_metadata.pickle"
damaged 'a pickle that wants to run something' -q <<!
damaged
false
index_metadata.pickle: +11: wants to import os.system, which is not Chroma's: refused, nothing was executed
!
printf x >>"$dir/index_metadata.pickle"
damaged 'a byte behind the pickle' -q <<!
damaged
false
index_metadata.pickle: 1 bytes behind its end; Chroma from 1.0 on refuses it
!
rm -rf "$dir"
run chroma-info -c default_tenant/default_database/docs broken/db
jq -r 'select(.type=="collection") | .index.state, .healthy' out >fault
mv fault out
out_is 'an index directory that is gone, though it was persisted' <<!
none
false
!

# ---- the command line ----
run chroma-info
status_is 'no DIR' 2
err_is 'no DIR: said' <<!
chroma-info: no DIR given: the persist dir, the one with chroma.sqlite3 in it
Try 'chroma-info --help'.
!
run chroma-info a b
status_is 'two DIRs' 2
run chroma-info --text --jsonl "$db"
status_is 'contradictory forms' 2
run chroma-info --quick --deep "$db"
status_is 'contradictory efforts' 2
run chroma-info --wait=1e3 "$db"
status_is 'a bad number' 2
run chroma-info --nope "$db"
status_is 'an unknown option' 2
err_is 'an unknown option: said' <<!
chroma-info: --nope: unknown option
Try 'chroma-info --help'.
!
run sh -c "exec chroma-info $db >/dev/full"
status_is 'a full disk' 4
err_is 'a full disk: said' <<!
chroma-info: <stdout>: write: No space left on device
!
run sh -c "exec chroma-info $db >&-"
status_is 'closed standard output' 4
run chroma-info nowhere
status_is 'no such directory' 4
err_is 'no such directory: said' <<!
chroma-info: nowhere: No such file or directory
!
sqlite3 broken/db/chroma.sqlite3 "INSERT INTO migrations VALUES('sysdb', 11, 'x', 'x', 'x')"
run chroma-info broken/db
status_is 'a newer migration: reads on' 0
jq -r 'select(.type=="store") | .era, .unknown_migrations' out >new
mv new out
out_is 'a newer migration: said' <<!
newer than this program knows
sysdb 11
!
done_testing
