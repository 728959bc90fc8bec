#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-config: the settings of every era, where each comes from, and --purge.
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
refuses 3 "$D/chroma.sqlite3: migrations that this program does not know (sysdb 12): nothing is changed" \
    chroma-config --purge=off $D
fingerprint $D >after
same 'unknown migrations: nothing changed' before after
q $D "DELETE FROM migrations WHERE version = 12"

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
misused '--text and --jsonl exclude one another' chroma-config --text -j $D
misused 'one DIR at a time' chroma-config $D $D
misused 'no DIR given: the persist dir, the one with chroma.sqlite3 in it' \
    chroma-config
refuses 4 'nowhere: No such file or directory' chroma-config nowhere
refuses 4 'nowhere: No such file or directory' chroma-config --purge=off nowhere

done_testing
