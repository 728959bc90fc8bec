#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-config: the settings of every era, where each comes from, and changes.
. "${0%/*}/../lib.sh"

# q DB SQL: what the sqlite3 shell says.
q() { sqlite3 "$1/chroma.sqlite3" "$2"; }
row() { q "$1" 'SELECT * FROM embeddings_queue_config'; }
# others DIR: all but the database's bytes, and that as SQL without the row
others() {
	fingerprint "$1" | grep -v ' \?\./chroma\.sqlite3\|^\. d'
	q "$1" .dump | grep -v '^INSERT INTO embeddings_queue_config '
	q "$1" 'PRAGMA journal_mode'
}

# ---- every era ----

fields='{type,id,name,tenant,database,space,M,ef_construction,ef_search,num_threads,resize_factor,batch_size,sync_threshold,params_from}'
store='{type,path,era,automatically_purge,automatically_purge_from:(if .automatically_purge == null then null else "embeddings_queue_config" end)}'
for name in $(every_persist); do
	persist "$name"
	db=$name/db
	fingerprint "$db" >before
	run chroma-info --quick -j "$db"
	jq -c "if .type == \"store\" then $store else $fields end" out >shown
	run chroma-config "$db"
	status_is "$name" 0
	out_is "$name: as chroma-info says" <shown
	no_err "$name: silent"
	fingerprint "$db" >after
	same "$name: nothing changed" before after

	case $name in
	0.4.24 | 0.4.4 | 0.5.0 | 0.5.5)
		for how in auto off; do
			refuses 1 "$db: a Chroma before 0.5.6 has no setting for this, and purges nothing by itself: nothing is changed" \
			    chroma-config --purge=$how "$db"
		done
		fingerprint "$db" >after
		same "$name: nothing was changed" before after
		rm -rf "$name"
		continue ;;
	*-nopurge | 0.4.24-* | 0.4.4-*) is=off to=auto from=false into=true ;;
	*) is=auto to=off from=true into=false ;;
	esac
	run chroma-config --purge="$is" "$db"
	status_is "$name: --purge=$is" 0
	sed -i 's/"seconds":[0-9.]*/"seconds":S/' out
	out_is "$name: is what it was" <<!
{"receipt":"chroma-config","dir":"$db","changed":false,"automatically_purge":{"before":$from,"after":$from},"seconds":S}
!
	fingerprint "$db" >after
	same "$name: nothing was changed" before after
	others "$db" >before
	row "$db" | sed "s/$from/$into/" >want-row
	run chroma-config --purge="$to" "$db"
	status_is "$name: --purge=$to" 0
	no_err "$name: no warning"
	sed -i 's/"seconds":[0-9.]*/"seconds":S/' out
	out_is "$name: receipt" <<!
{"receipt":"chroma-config","dir":"$db","changed":true,"automatically_purge":{"before":$from,"after":$into},"seconds":S}
!
	row "$db" >got-row
	same "$name: one word of the row changed" want-row got-row
	others "$db" >after
	same "$name: and nothing else" before after
	run chroma-config "$db"
	ok "$name: shown" jq -se ".[0].automatically_purge == $into" out
	case $name in 0.6.3 | 1.5.9-nopurge) ;; *) rm -rf "$name" ;; esac
done

# ---- the words ----

run chroma-config --text -c acme/wiki/docs 1.5.9-nopurge/db
out_is 'text' <<!
1.5.9-nopurge/db
  Chroma              1.5.0 and later
  purge               auto (embeddings_queue_config)

acme/wiki/docs
  space               cosine (schema_str)
  M                   16 (header.bin)
  ef_construction     100 (header.bin)
  ef_search           100 (schema_str)
  num_threads         2 (schema_str)
  resize_factor       1.2 (schema_str)
  batch_size          10 (schema_str)
  sync_threshold      20 (schema_str)
!
run chroma-config --text --skip=docs --skip=acme/wiki/docs 1.5.9-nopurge/db
status_is '--skip of a name that two have' 2
persist 0.4.4
run chroma-config --text -c default 0.4.4/db
out_is 'text of the oldest' <<!
0.4.4/db
  Chroma              0.4.4-0.4.5
  purge               no such setting here

default_tenant/default_database/default
  space               l2 (default)
  M                   16 (header.bin)
  ef_construction     100 (header.bin)
  ef_search           10 (default)
  num_threads         one a core (default)
  resize_factor       1.2 (default)
  batch_size          100 (default)
  sync_threshold      1000 (default)
!

# ---- rows that are not as usual ----

# with DIR VALUE: the row has this text
with_row() { q "$1" "UPDATE embeddings_queue_config SET config_json_str = $2"; }
D=0.6.3/db
q $D 'DELETE FROM embeddings_queue_config'
run chroma-config $D
ok 'no row' jq -se '.[0] | .automatically_purge == null and .automatically_purge_from == null' out
run chroma-config --text -c acme/wiki/docs $D
sed -n 3p out >line
mv line out
out_is 'no row, in words' <<!
  purge               not set: Chroma sets it when it first uses the log
!
run chroma-config --purge=off $D
sed -i 's/"seconds":[0-9.]*/"seconds":S/' out
out_is 'no row: receipt' <<!
{"receipt":"chroma-config","dir":"$D","changed":true,"automatically_purge":{"before":null,"after":false},"seconds":S}
!
row $D >out
out_is 'a new row, as Python writes it' <<!
1|{"automatically_purge": false, "_type": "EmbeddingsQueueConfigurationInternal"}
!
D=1.5.9-nopurge/db
q $D 'DELETE FROM embeddings_queue_config'
run chroma-config -q --purge=auto $D
out_is '--quiet: no receipt' </dev/null
row $D >out
out_is 'a new row, as Rust writes it' <<!
1|{"automatically_purge":true,"_type":"EmbeddingsQueueConfigurationInternal"}
!
with_row $D "' {\"x\":\"automatically_purge\",\"y\":{\"automatically_purge\":1} , \"automatically\\u005fpurge\" :  true}
 '"
run chroma-config --purge=off $D
status_is 'odd, but JSON' 0
row $D >out
out_is 'every other byte stays' <<!
1| {"x":"automatically_purge","y":{"automatically_purge":1} , "automatically\\u005fpurge" :  false}
 
!
for bad in "NULL/it has no text" "x'7b7d'/it has no text" \
    "'{}'/automatically_purge is neither true nor false" \
    "'{\"automatically_purge\":0}'/automatically_purge is neither true nor false"; do
	with_row $D "${bad%%/*}"
	for how in --purge=auto --text; do
		refuses 3 "$D/chroma.sqlite3: the row of embeddings_queue_config is not what Chroma writes: ${bad#*/}" \
		    chroma-config $how $D
	done
done
with_row $D "'{\"automatically_purge\":true'"
run chroma-config --purge=off $D
status_is 'no JSON' 3
row $D >out
out_is 'stays as it is' <<!
1|{"automatically_purge":true
!
with_row $D "'{\"automatically_purge\":true}'"
q $D "INSERT INTO migrations SELECT dir, 12, filename, sql, hash FROM migrations WHERE dir = 'sysdb' LIMIT 1"
fingerprint $D >before
run chroma-config $D
status_is 'unknown migrations are read' 0
refuses 3 "$D/chroma.sqlite3: migrations newer than this program knows (sysdb 12): nothing was changed; a newer chromautils may know them" \
    chroma-config --purge=off $D
fingerprint $D >after
same 'unknown migrations: nothing changed' before after
q $D "DELETE FROM migrations WHERE version = 12"

# ---- parameters ----

# receipt: the last one, without what differs from run to run
receipt() { sed -i 's/"seconds":[0-9.]*/"seconds":S/; s/"id":"[^"]*"/"id":"I"/g' out; }
# outside DIR: all but the database's bytes, and of that all rows but those with
# parameters
outside() {
	fingerprint "$1" | grep -v ' \?\./chroma\.sqlite3\|^\. d'
	q "$1" .dump | grep -v "^INSERT INTO \(segment_metadata\|collection_metadata\) .*'hnsw:\|^INSERT INTO \(\"\?collections\"\?\) "
}

WHO='"id":"I","name":"ip-vectors","tenant":"default_tenant","database":"default_database"'
for name in $(every_persist); do
	persist "$name" "p-$name"
	db=p-$name/db
	outside "$db" >before
	fingerprint "$db" >whole
	q "$db" "SELECT * FROM collections WHERE name <> 'ip-vectors'" >others
	run chroma-config --ef-search=44 --sync-threshold=30 \
	    --resize-factor=1.5 -c ip-vectors -n "$db"
	status_is "$name: -n" 0
	receipt
	out_is "$name: what would be" <<!
{"receipt":"chroma-config","dir":"$db","dry_run":true,"changed":true,"collections":[{$WHO,"changed":true,"ef_search":{"before":33,"after":44},"resize_factor":{"before":1.2,"after":1.5},"sync_threshold":{"before":20,"after":30}}],"seconds":S}
!
	fingerprint "$db" >after
	same "$name: -n changes nothing" whole after
	run chroma-config --ef-search=44 --sync-threshold=30 \
	    --resize-factor=1.5 -c ip-vectors "$db"
	status_is "$name: parameters" 0
	no_err "$name: no warning"
	receipt
	out_is "$name: receipt of parameters" <<!
{"receipt":"chroma-config","dir":"$db","changed":true,"collections":[{$WHO,"changed":true,"ef_search":{"before":33,"after":44},"resize_factor":{"before":1.2,"after":1.5},"sync_threshold":{"before":20,"after":30}}],"seconds":S}
!
	outside "$db" >after
	same "$name: nothing else is changed" before after
	q "$db" "SELECT * FROM collections WHERE name <> 'ip-vectors'" >after
	same "$name: nor other collections" others after
	run chroma-config -c ip-vectors "$db"
	ok "$name: in force" jq -se '.[1] | [.space, .M, .ef_construction,
	    .ef_search, .batch_size, .sync_threshold, .resize_factor] |
	    . == ["ip", 8, 40, 44, 10, 30, 1.5] or
	    . == ["ip", 8, 40, 44, 100, 30, 1.5]' out
	jq -c "if .type == \"store\" then $store else $fields end" out >said
	run chroma-info --quick -j -c ip-vectors "$db"
	jq -c "if .type == \"store\" then $store else $fields end" out >shown
	same "$name: chroma-info says the same" said shown
	fingerprint "$db" >before
	run chroma-config --ef-search=44 --sync-threshold=30 \
	    --resize-factor=1.5 -c ip-vectors "$db"
	ok "$name: once is enough" jq -e '.changed == false' out
	fingerprint "$db" >after
	same "$name: nothing is written again" before after
	case $name in
	0.4.4 | 0.6.3 | 1.0.0 | 1.0.20 | 1.5.9) ;;
	*) rm -rf "p-$name" ;;
	esac
done

# by collection: done, or left out with the reason
run chroma-config --sync-threshold=50 --purge=off p-0.6.3/db
status_is 'some are left out' 1
err_is 'and named' <<!
chroma-config: warning: default: left out: batch_size would be above sync_threshold, which Chroma does not open: set both
chroma-config: warning: empty: left out: batch_size would be above sync_threshold, which Chroma does not open: set both
!
ok 'the others are done' jq -e '.changed and .automatically_purge.after == false
    and ([.collections[] | .changed] == [true, true, false, true, false, true])
    and (.collections[2] | .why and (has("sync_threshold") | not))' out
run chroma-config --sync-threshold=50 --batch-size=50 p-0.6.3/db
status_is 'both are fine' 0
run chroma-config --sync-threshold=2 --batch-size=2 -c docs -n p-0.6.3/db
status_is 'an ambiguous name' 2
run chroma-config --sync-threshold=2 --batch-size=2 -c empty -n p-0.6.3/db
err_is 'too few for Python' <<!
chroma-config: warning: empty: left out: Chroma up to 0.6.3 wants batch_size and sync_threshold above 2
!
run chroma-config --num-threads=1 -c empty p-1.0.0/db
err_is 'threads in 1.0' <<!
chroma-config: warning: empty: left out: Chroma 1.0 to 1.2 do not use num_threads, and 1.0.0 opens no collection that has more than the machine
!
run chroma-config --batch-size=50 -c empty p-1.0.0/db
status_is '1.0.0 has a place for batch_size' 0
run chroma-config --sync-threshold=49 -c empty p-1.0.0/db
status_is 'which it wants below sync_threshold' 1
fingerprint p-1.0.20/db >before
run chroma-config --batch-size=50 --ef-search=5 -q p-1.0.20/db
status_is 'no place for batch_size' 1
out_is '--quiet: no receipt of parameters' </dev/null
fingerprint p-1.0.20/db >after
same 'and nothing is changed' before after
run chroma-config --batch-size=2 --sync-threshold=2 --num-threads=99 \
    p-1.5.9/db
status_is '1.5.9 takes them all' 0
run chroma-config p-1.5.9/db
ok 'all the same' jq -se '[.[1:][] | [.batch_size, .sync_threshold,
    .num_threads]] | unique == [[2, 2, 99]]' out

# all or nothing
fingerprint p-1.5.9/db >before
q p-1.5.9/db "UPDATE collections SET schema_str = '[]' WHERE name = 'ip-vectors'"
fingerprint p-1.5.9/db >before
refuses 3 "p-1.5.9/db/chroma.sqlite3: collection ip-vectors: its schema_str is not understood: byte 1: expected '{'" \
    chroma-config --ef-search=7 p-1.5.9/db
fingerprint p-1.5.9/db >after
same 'not understood: nothing is changed' before after
run chroma-config --ef-search=7 --skip=ip-vectors p-1.5.9/db
status_is 'but without it' 0
fingerprint p-1.0.0/db >before
refuses 1 "p-0.4.4/db: a Chroma before 0.5.6 has no setting for this, and purges nothing by itself: nothing is changed" \
    chroma-config --purge=off --ef-search=7 p-0.4.4/db
q p-1.0.0/db "INSERT INTO migrations SELECT dir, 12, filename, sql, hash FROM migrations WHERE dir = 'sysdb' LIMIT 1"
fingerprint p-1.0.0/db >before
refuses 3 "p-1.0.0/db/chroma.sqlite3: migrations newer than this program knows (sysdb 12): nothing was changed; a newer chromautils may know them" \
    chroma-config --ef-search=7 p-1.0.0/db
fingerprint p-1.0.0/db >after
same 'unknown migrations: no parameter changed' before after
rm -rf p-*

# ---- who else has it ----

mkfifo stop
holdopen $D/chroma.sqlite3 <stop >ready &
pid=$!
exec 3>stop
while ! [ -s ready ]; do sleep 0.05; done
fingerprint $D >before
refuses 5 "$D is in use by $pid (holdopen): stop it first" \
    chroma-config --purge=off $D
refuses 5 "$D is in use by $pid (holdopen): stop it first" \
    chroma-config --purge=off --assume-stopped $D
run chroma-config --purge=auto $D
status_is 'what is set already needs no claim' 0
# apart COMMAND...: in a container that shows its own processes only
apart() { unshare -p -f --mount-proc "$@"; }
if apart true 2>/dev/null; then
	run unshare -p -f --mount-proc chroma-config --purge=off $D
	status_is 'in a container' 5
	err_is 'in a container: who is outside is noticed' <<!
chroma-config: $D is in use: a process that /proc does not show here (in a container?) has chroma.sqlite3 open; stop it first
!
	run unshare -p -f --mount-proc chroma-config --purge=off \
	    --assume-stopped $D
	status_is 'in a container: whatever is assumed' 5
else
	skip 'in a container' 'no PID namespace of our own'
fi
fingerprint $D >after
same 'busy: nothing changed' before after
{ sleep 1; exec 3>&-; } &
exec 3>&-
run chroma-config --purge=off --wait=30 $D
status_is '--wait' 0
wait

# without the right to a lease, nor a /proc that shows everybody
blind() { apart setpriv --bounding-set=-lease --inh-caps=-lease "$@"; }
if [ "$(id -u)" = 0 ] && blind true 2>/dev/null; then
	chown 12345 $D/chroma.sqlite3
	fingerprint $D >before
	run unshare -p -f --mount-proc setpriv --bounding-set=-lease \
	    --inh-caps=-lease chroma-config --purge=auto $D
	status_is 'blind' 5
	err_is 'blind: refused' <<!
chroma-config: whether another process has $D open cannot be told: /proc shows the processes of this container only; stop Chroma and say so with --assume-stopped
!
	fingerprint $D >after
	same 'blind: nothing changed' before after
	run unshare -p -f --mount-proc setpriv --bounding-set=-lease \
	    --inh-caps=-lease chroma-config --purge=auto --assume-stopped $D
	status_is 'blind, but told' 0
	run chroma-config --purge=off $D
else
	skip 'blind' 'not root, or no PID namespace of our own'
fi

# ---- modes of SQLite, links ----

q $D 'PRAGMA journal_mode=WAL' >/dev/null
run chroma-config --purge=auto $D
status_is 'SQLite-WAL mode' 0
(cd $D && printf '%s\n' chroma*) >out
out_is 'nothing beside it' <<!
chroma.sqlite3
!
q $D 'PRAGMA journal_mode' >out
out_is 'and the mode stays' <<!
wal
!
mkdir elsewhere
mv $D/chroma.sqlite3 elsewhere/x.db
ln -s ../../elsewhere/x.db $D/chroma.sqlite3
run chroma-config --purge=off $D
status_is 'a symbolic link' 0
ok 'stays one' test -L $D/chroma.sqlite3
ok 'its target is changed' grep -q '"automatically_purge":false' elsewhere/x.db

# ---- the command line ----

misused "--purge: 'on' is neither auto nor off" chroma-config --purge=on $D
misused '--purge and --collection exclude one another' \
    chroma-config --purge=off -c docs $D
misused '--purge and --skip exclude one another' \
    chroma-config --purge=off --skip=docs $D
misused '--purge and --text exclude one another' \
    chroma-config --purge=off --text $D
misused '--text is for showing: what is set gives a receipt' \
    chroma-config --ef-search=5 --text $D
misused '--dry-run: nothing is to be set' chroma-config -n $D
misused "--ef-search: '0' is not a number from 1 to 2147483647" \
    chroma-config --ef-search=0 $D
misused "--num-threads: '0' is not a number from 1 to 2147483647" \
    chroma-config --num-threads=0 $D
misused "--batch-size: '1' is not a number from 2 to 2147483647" \
    chroma-config --batch-size=1 $D
misused "--sync-threshold: '1' is not a number from 2 to 2147483647" \
    chroma-config --sync-threshold=1 $D
for bad in 0.9 nan 101 1,5 '' -2; do
	misused "--resize-factor: '$bad' is not a number from 1 to 100" \
	    chroma-config --resize-factor="$bad" $D
done
misused "--M is part of the index, which has to be built anew: chroma-rebuild --M=32 -c docs $D" \
    chroma-config --M=32 -c docs $D
misused "--space is part of the index, which has to be built anew: chroma-rebuild --space=l2 --skip=x $D" \
    chroma-config --ef-search=5 --space=l2 --skip=x $D
misused "--ef-construction is part of the index, which has to be built anew: chroma-rebuild --ef-construction=200 DIR" \
    chroma-config --ef-construction=200
misused '--text and --jsonl exclude one another' chroma-config --text -j $D
misused 'one DIR at a time' chroma-config $D $D
misused 'no DIR given: the persist dir, the one with chroma.sqlite3 in it' \
    chroma-config
refuses 4 'nowhere: No such file or directory' chroma-config nowhere
refuses 4 'nowhere: No such file or directory' chroma-config --purge=off nowhere

done_testing
