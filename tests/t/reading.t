#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Reading changes nothing, whatever state SQLite left the directory in, and
# neither waits for a Chroma that writes nor makes it wait.
. "${0%/*}/../lib.sh"

tmp=$T_TMP/tmp
mkdir "$tmp"
TMPDIR=$tmp
export TMPDIR
persist 0.6.3-nopurge p
D=p/db
run chroma-walexport $D
status_is 'plain: status' 0
mv out all.jsonl

# reads NAME DIR WANT [OPTION...]: status 0, nothing said, these bytes, nothing
# changed in DIR's tree, nothing left in TMPDIR
reads() {
	t_what=$1 t_tree=$2 t_bytes=$3
	shift 3
	t_root=$t_tree
	[ -d "$t_root" ] || t_root=${t_root%/*}
	fingerprint "$t_root" >before.fp
	run chroma-walexport "$@" "$t_tree"
	fingerprint "$t_root" >after.fp
	status_is "$t_what: status" 0
	no_err "$t_what: silent"
	same "$t_what: rows" "$t_bytes" out
	same "$t_what: nothing changed" before.fp after.fp
	ok "$t_what: nothing left behind" [ -z "$(ls -A "$tmp")" ]
}
# fails NAME STATUS MESSAGE DIR [OPTION...]
fails() {
	t_what=$1 t_code=$2 t_words=$3 t_root=$4
	shift 4
	fingerprint "$t_root" >before.fp
	refuses "$t_code" "$t_words" chroma-walexport "$@" "$t_root"
	fingerprint "$t_root" >after.fp
	same "$t_what: nothing changed" before.fp after.fp
	ok "$t_what: nothing left behind" [ -z "$(ls -A "$tmp")" ]
}

# python CODE: run it in the background, with db the database of the directory
# in $W, until let_go; returns when CODE is done
python() {
	rm -f hold said
	mkfifo hold
	python3 -c "
import os, shutil, sqlite3, sys
db = sqlite3.connect('$W/chroma.sqlite3', isolation_level=None)
$1
print('ready', flush=True)
sys.stdin.read()
" <hold >said &
	t_pid=$!
	exec 8>hold
	wait_for said
}
hold() {
	rm -f hold said
	mkfifo hold
	holdopen "$@" <hold >said &
	t_pid=$!
	exec 8>hold
	wait_for said
}
wait_for() {
	t_i=0
	until [ -s "$1" ] || [ $t_i -gt 200 ]; do
		sleep 0.05
		t_i=$((t_i + 1))
	done
}
let_go() {
	exec 8>&-
	wait "$t_pid"
}

# ---- rollback mode ----

reads 'a directory' $D all.jsonl
reads 'the database itself' $D/chroma.sqlite3 all.jsonl
(cd $D && exec chroma-walexport chroma.sqlite3) >out 2>err
same 'the database in the current directory' all.jsonl out
(cd $D && exec chroma-walexport .) >out 2>err
same 'the current directory' all.jsonl out
ln -s db p/link
reads 'a link to it' p/link/ all.jsonl
rm p/link
odd='p/a?b%20#c&d=1'
mv $D "$odd"
reads 'a name with characters of URIs' "$odd" all.jsonl
mv "$odd" $D
TMPDIR=/nowhere reads 'no private copy needed' $D all.jsonl

cp -a $D cold
python3 - <<'END'
import sqlite3
db = sqlite3.connect("cold/chroma.sqlite3")
db.execute("PRAGMA journal_mode=PERSIST")
db.execute("UPDATE embeddings_queue SET seq_id = seq_id + 1000 "
           "WHERE seq_id = 269")
db.commit()
db.execute("UPDATE embeddings_queue SET seq_id = 269 WHERE seq_id = 1269")
db.commit()
END
ok 'there is a cold journal' [ -s cold/chroma.sqlite3-journal ]
reads 'a cold journal' cold all.jsonl
: >cold/chroma.sqlite3-journal
reads 'a journal of no bytes' cold all.jsonl

# ---- a hot journal ----

cp -a $D work
W=work
python "
db.execute('PRAGMA cache_size=1')
db.execute('BEGIN')
db.execute('UPDATE embeddings_queue SET id = id || \"-never\", metadata = NULL')
db.execute('DELETE FROM embeddings_queue WHERE seq_id < 100')
shutil.copytree('work', 'hot')
"
let_go
ok 'there is a journal' [ -s hot/chroma.sqlite3-journal ]
ok 'its transaction is in the file already' \
    not cmp -s hot/chroma.sqlite3 p/db/chroma.sqlite3
fails 'a hot journal' 4 'hot/chroma.sqlite3: a transaction was interrupted and left a journal; start Chroma once, which rolls it back, or read a recovered copy with --tmpdir=DIR' hot
reads 'a hot journal, --tmpdir' hot all.jsonl --tmpdir="$tmp"
fails 'a hot journal, --tmpdir that is none' 4 '/nowhere: No such file or directory' \
    hot --tmpdir=/nowhere
fails 'a hot journal, --tmpdir that is a file' 4 'all.jsonl: Not a directory' \
    hot --tmpdir=all.jsonl

# ---- SQLite-WAL mode ----

# the rows as they are when the row of seq_id 269 has another id
sed 's/^\(.*"seq_id":269,.*"id":"\)[^"]*"/\1other"/' all.jsonl >other.jsonl
ok 'the two differ' not cmp -s all.jsonl other.jsonl

cp -a $D wal
sqlite3 wal/chroma.sqlite3 'PRAGMA journal_mode=WAL' >/dev/null
ok 'no -wal is there' [ ! -e wal/chroma.sqlite3-wal ]
reads 'SQLite-WAL, no -wal' wal all.jsonl
cp -a wal wal0
: >wal0/chroma.sqlite3-wal
reads 'SQLite-WAL, an empty -wal' wal0 all.jsonl
if [ "$(id -u)" -eq 0 ]; then
	TMPDIR=/nowhere reads 'SQLite-WAL, no private copy needed' wal all.jsonl
	hold wal/chroma.sqlite3
	fails 'SQLite-WAL, somebody has it open' 4 \
	    '/nowhere: No such file or directory' wal --tmpdir=/nowhere
	reads 'SQLite-WAL, somebody has it open: a copy' wal all.jsonl
	let_go
	index=$(find wal -name header.bin | head -1)
	hold "$index"
	fails 'SQLite-WAL, somebody has an index open' 4 \
	    '/nowhere: No such file or directory' wal --tmpdir=/nowhere
	let_go
else
	skip 'SQLite-WAL, holders' 'only root sees all processes'
fi

cp -a wal work2
W=work2
python "
db.execute('UPDATE embeddings_queue SET id = \"other\" WHERE seq_id = 269')
shutil.copytree('work2', 'frames')
"
ok 'a -wal with frames' [ -s frames/chroma.sqlite3-wal ]
reads 'SQLite-WAL, frames, its writer alive' work2 other.jsonl
rm frames/chroma.sqlite3-shm
reads 'SQLite-WAL, frames left behind' frames other.jsonl
TMPDIR=/nowhere
fails 'SQLite-WAL, frames, no room for a copy' 4 \
    '/nowhere: No such file or directory' frames
TMPDIR=$tmp
reads 'SQLite-WAL, frames, --tmpdir' frames other.jsonl --tmpdir="$tmp"
let_go
# a last transaction that was cut off is not there
cp -a frames torn
truncate -s -100 torn/chroma.sqlite3-wal
reads 'SQLite-WAL, a torn frame' torn all.jsonl
# a damaged file gives an error, and no copy stays
cp -a frames bad
truncate -s 20000 bad/chroma.sqlite3
truncate -s 32 bad/chroma.sqlite3-wal
fails 'SQLite-WAL, damaged' 3 'bad/chroma.sqlite3: database disk image is malformed; restore a backup, or salvage the rows with sqlite3'\''s .recover' bad
# a -wal beside a file in rollback mode
cp -a $D stray
cp frames/chroma.sqlite3-wal stray/
ok 'which SQLite reads' [ "$(cp -a stray see && sqlite3 see/chroma.sqlite3 \
    'SELECT id FROM embeddings_queue WHERE seq_id = 269')" = other ]
reads 'rollback mode and a -wal' stray other.jsonl

# ---- a database that is a link ----

# SQLite looks for journals beside the file itself
mkdir linked linkwal linkhot
cp -a $D real
for pair in real:linked frames:linkwal hot:linkhot; do
	cp -a ${pair%:*}/*-* "${pair#*:}"
	rm -f "${pair#*:}"/chroma.sqlite3-*
	ln -s "../${pair%:*}/chroma.sqlite3" "${pair#*:}/chroma.sqlite3"
done
reads 'a linked database' linked all.jsonl
reads 'a linked database, frames beside the file' linkwal other.jsonl
fails 'a linked database, a hot journal beside the file' 4 'linkhot/chroma.sqlite3: a transaction was interrupted and left a journal; start Chroma once, which rolls it back, or read a recovered copy with --tmpdir=DIR' linkhot
reads 'a linked database, a hot journal, --tmpdir' linkhot all.jsonl --tmpdir="$tmp"

# ---- read-only ----

mkdir ro
# as_ro COMMAND...: with all of T_TMP/ro read-only
as_ro() {
	# shellcheck disable=SC2016
	unshare -m sh -c 'mount --bind "$1" ro && mount -o remount,bind,ro ro &&
	    shift && exec "$@"' - "$@"
}
if as_ro p/db sh -c '! touch ro/x' 2>/dev/null; then
	for state in p/db cold hot wal wal0 frames torn; do
		case $state in
		frames) want=other.jsonl ;;
		*) want=all.jsonl ;;
		esac
		fingerprint "$state" >before.fp
		status=0
		as_ro "$state" chroma-walexport --tmpdir="$tmp" ro \
		    >out 2>err || status=$?
		fingerprint "$state" >after.fp
		status_is "read-only mount, $state: status" 0
		no_err "read-only mount, $state: silent"
		same "read-only mount, $state: rows" $want out
		same "read-only mount, $state: nothing changed" before.fp after.fp
	done
else
	skip 'a read-only mount' 'mount --bind is not allowed here'
fi
# a user who may read, but not write
if [ "$(id -u)" -eq 0 ] && chmod 755 "$T_TMP" &&
    setpriv --reuid=65534 --regid=65534 --clear-groups \
    chroma-walexport -V >/dev/null 2>&1; then
	chmod 1777 "$tmp"
	for state in p/db cold wal frames; do
		chmod -R a+rX,go-w $state
		case $state in
		frames) want=other.jsonl ;;
		*) want=all.jsonl ;;
		esac
		fingerprint "$state" >before.fp
		run setpriv --reuid=65534 --regid=65534 --clear-groups \
		    chroma-walexport "$state"
		fingerprint "$state" >after.fp
		status_is "another user, $state: status" 0
		no_err "another user, $state: silent"
		same "another user, $state: rows" $want out
		same "another user, $state: nothing changed" before.fp after.fp
		ok "another user, $state: nothing left behind" \
		    [ -z "$(ls -A "$tmp")" ]
	done
else
	skip 'a user who may not write' 'not root, or no way to another user'
fi

# ---- no system call that could change anything ----

if strace -o /dev/null true 2>/dev/null && [ "${BUILD-}" != asan ]; then
	for state in p/db wal frames hot; do
		run strace -f -qq -o trace -e trace=%file,%desc \
		    chroma-walexport --tmpdir="$tmp" -q "$state"
		status_is "strace, $state: status" 0
		grep -E "[\"/]${state}[/\"]" trace >touched
		ok "strace, $state: seen" [ -s touched ]
		ok "strace, $state: only looks" \
		    not grep -E 'O_RDWR|O_WRONLY|O_CREAT|O_TRUNC|unlink|rename|mkdir|chmod|chown|utime|truncate|linkat|symlink|setxattr' touched
	done
else
	skip 'system calls' 'strace cannot run here'
fi

# ---- beside a writer ----

# a log of 8 MB: more than a pipe and the buffers before it hold
cp -a $D big
python3 - <<'END'
import sqlite3
db = sqlite3.connect("big/chroma.sqlite3")
one = db.execute("SELECT created_at, operation, topic, id, vector, encoding, "
                 "'{\"k\":\"' || printf('%.4000c', 'x') || '\"}' FROM "
                 "embeddings_queue WHERE seq_id = 1").fetchone()
db.executemany("INSERT INTO embeddings_queue (created_at, operation, topic, "
               "id, vector, encoding, metadata) VALUES (?, ?, ?, ?, ?, ?, ?)",
               [one] * 2000)
db.execute("UPDATE embeddings_queue_config SET config_json_str = "
           "replace(config_json_str, 'false', 'true')")
db.commit()
END
run chroma-walexport big
status_is 'a large log: status' 0
mv out big.jsonl
ok 'a large log' [ "$(wc -c <big.jsonl)" -gt 8000000 ]
# one collection's watermark, behind the newest row
move="UPDATE max_seq_id SET seq_id = x'00000000000008de' WHERE segment_id IN
    (SELECT id FROM segments WHERE collection = substr('TOPIC', -36))"
topic=$(sqlite3 -readonly big/chroma.sqlite3 \
    'SELECT topic FROM embeddings_queue ORDER BY seq_id DESC LIMIT 1')
move=$(printf %s "$move" | sed "s|TOPIC|$topic|")

# beside NAME SQL [DIR [FILE]]: start to read a copy of DIR (big) through a pipe,
# and when that is full run SQL on the database, which must not have to wait;
# then read on.  FILE: somebody has this file of it open from the start
beside() {
	rm -rf now pipe
	cp -a "${3-big}" now
	[ -z "${4-}" ] || hold "now/$4"
	mkfifo pipe
	chroma-walexport now >pipe 2>err &
	t_reader=$!
	exec 7<pipe
	dd bs=1 count=1 <&7 >out 2>/dev/null
	# it has come as far as it can when it waits
	t_i=0
	until grep -q pipe "/proc/$t_reader/wchan" 2>/dev/null ||
	    [ $t_i -gt 10 ]; do
		sleep 0.02
		t_i=$((t_i + 1))
	done
	t_ok=0
	sqlite3 -cmd '.timeout 0' now/chroma.sqlite3 "$2" >t_ok.out 2>&1 ||
	    t_ok=1
	t_line "$1: the writer does not wait" $t_ok
	cat <&7 >>out
	exec 7<&-
	status=0
	wait $t_reader || status=$?
	[ -z "${4-}" ] || let_go
}
# ended NAME MESSAGE: status 5, what came so far, no end
ended() {
	status_is "$1: status" 5
	printf 'chroma-walexport: %s\n' "$2" >want.err
	sed 's/([0-9]* of 2249 /(N of 2249 /' err >err.n
	same "$1: message" want.err err.n
	begins "$1: what was read" big.jsonl out
	ok "$1: no end" not grep -q '^{"type":"end"' out
	ok "$1: it was under way" [ "$(wc -c <out)" -gt 100000 ]
}
add='BEGIN EXCLUSIVE; INSERT INTO embeddings_queue (created_at, operation,
    topic, id, vector, encoding, metadata) SELECT created_at, operation, topic,
    id, vector, encoding, metadata FROM embeddings_queue; COMMIT'
db=chroma.sqlite3
removed='now/chroma.sqlite3: rows of the log were removed while it was read (N of 2249 came): a purge, or a collection deleted; try again'
beside 'rows are added' "$add" big $db
status_is 'rows are added: status' 0
same 'rows are added: those of the start' big.jsonl out
beside 'the collection goes' "BEGIN EXCLUSIVE; DELETE FROM embeddings_queue
    WHERE topic = '$topic'; DELETE FROM collections WHERE id = substr('$topic',
    -36); COMMIT" big $db
ended 'the collection goes' "$removed"
beside 'rows are purged' "BEGIN EXCLUSIVE; DELETE FROM embeddings_queue
    WHERE seq_id < 2270 AND topic = '$topic'; $move; COMMIT" big $db
ended 'rows are purged' "$removed"
beside 'one row goes, many come' "BEGIN EXCLUSIVE; DELETE FROM embeddings_queue
    WHERE seq_id = 2200; ${add#BEGIN EXCLUSIVE; }" big $db
ended 'one row goes, many come' "$removed"
beside 'a watermark moves' "BEGIN EXCLUSIVE; $move; COMMIT" big $db
status_is 'a watermark moves: status' 0
same 'a watermark moves' big.jsonl out
if [ "$(id -u)" -eq 0 ]; then
	# who was not there at the start
	beside 'somebody comes' "$add"
	ended 'somebody comes' 'now/chroma.sqlite3: somebody began to write to it while it was read; try again'
else
	skip 'somebody comes' 'only root sees all processes'
fi
beside 'the file is replaced' '.shell cp now/chroma.sqlite3 now/new; mv now/new now/chroma.sqlite3'
status_is 'the file is replaced: status' 5
err_is 'the file is replaced' <<'END'
chroma-walexport: now/chroma.sqlite3 was replaced while it was read; try again
END
begins 'the file is replaced: what was read' big.jsonl out
ok 'the file is replaced: no end' not grep -q '^{"type":"end"' out
beside 'the file disappears' '.shell rm now/chroma.sqlite3'
status_is 'the file disappears: status' 5
err_is 'the file disappears' <<'END'
chroma-walexport: now/chroma.sqlite3 disappeared while it was read
END
if [ "$(id -u)" -eq 0 ]; then
	cp -a big bigwal
	sqlite3 bigwal/chroma.sqlite3 'PRAGMA journal_mode=WAL' >/dev/null
	beside 'SQLite-WAL, written meanwhile' "UPDATE embeddings_queue
	    SET id = 'x' WHERE seq_id = 2200; PRAGMA wal_checkpoint(TRUNCATE)" bigwal
	status_is 'SQLite-WAL, written meanwhile: status' 5
	err_is 'SQLite-WAL, written meanwhile' <<'END'
chroma-walexport: now/chroma.sqlite3 changed while it was read; try again
END
else
	skip 'SQLite-WAL, written meanwhile' 'only root sees all processes'
fi

# a lock that somebody has
W=work
rm -rf work
cp -a $D work
python "db.execute('BEGIN EXCLUSIVE')"
refuses 5 'work/chroma.sqlite3: database is locked by another process; try again, or give it time with --wait=SECONDS' \
    chroma-walexport --wait=0 work
{ sleep 0.5; exec 8>&-; } &
exec 8>&-
run chroma-walexport --wait=20 work
status_is '--wait: status' 0
same '--wait' all.jsonl out
wait
# one that writes, but does not commit yet, is no hindrance
python "db.execute('BEGIN IMMEDIATE'); db.execute('DELETE FROM embeddings_queue')"
run chroma-walexport --wait=0 work
status_is 'a transaction that is open: status' 0
same 'a transaction that is open: what was before' all.jsonl out
let_go

done_testing
