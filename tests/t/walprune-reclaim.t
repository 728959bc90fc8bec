#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-walprune: how space is given back, what is kept of the old file, and
# that what stays is as it was, in whatever way.
. "${0%/*}/../lib.sh"

q() { sqlite3 -readonly "$1/chroma.sqlite3" "$2"; }
change() { sqlite3 "$1/chroma.sqlite3" "$2"; }
of() { jq -r "$1" out; }
inode() { stat -c %i "$1"; }
size() { stat -Lc %s "$1"; }
free_pages() { q "$1" 'PRAGMA freelist_count'; }
# fresh [BASE]: the directory d
fresh() {
	rm -rf d
	cp -a "${1:-$base/db}" d
}
base=1.5.9-nopurge
persist $base
persist 0.4.24
chroma-walexport -q --prunable $base/db >all
mine=$(q $base/db "SELECT c.id FROM collections c JOIN databases d
    ON d.id = c.database_id WHERE d.name = 'default_database' AND
    c.name = 'docs'")

# as_before NAME: everything in d but the log is what content wrote to rest, and
# of the log these rows are left that are in the file left
as_before() {
	content d >rest.after
	same "$1: all but the log is as it was" rest rest.after
	log_of d >log.after
	grep -vxF -f gone log.before >want.log
	same "$1: the log, but what went" want.log log.after
	ok "$1: integrity_check" [ "$(q d 'PRAGMA integrity_check')" = ok ]
	ok "$1: no file is left beside it" [ -z "$(find d/ -maxdepth 1 \
	    -name '.*' ! -name . -o -maxdepth 1 -name '*-journal' -o \
	    -maxdepth 1 -name '*-shm')" ]
}
# prepare STREAM: what as_before needs of d
prepare() {
	content d >rest
	log_of d >log.before
	jq -r 'select(.type == "wal").seq_id' "$1" | sed 's/.*/^& /' >gone.sed
	grep -f gone.sed log.before >gone
}

# ---- each way, in each form of directory ----

# full-text search, as Chroma asks
search() {
	q "$1" "SELECT rowid, string_value FROM embedding_fulltext_search
	    WHERE embedding_fulltext_search MATCH 'quick' ORDER BY rowid;
	    SELECT rowid, string_value FROM embedding_fulltext_search
	    WHERE string_value LIKE '%oc%' ORDER BY rowid;
	    SELECT rowid FROM embedding_fulltext_search
	    WHERE embedding_fulltext_search MATCH '\"doc\"' ORDER BY rowid"
}
for from in 1.5.9-nopurge 0.4.24; do
	chroma-walexport -q --prunable $from/db >stream
	for how in none vacuum rewrite; do
		fresh $from/db
		prepare stream
		search d >found
		q d 'SELECT type, name, tbl_name, sql FROM sqlite_master
		    ORDER BY type, name' >master
		ino=$(inode d/chroma.sqlite3)
		bytes=$(size d/chroma.sqlite3)
		run chroma-walprune --reclaim=$how d stream
		t="$from, $how"
		status_is "$t: status" 0
		no_err "$t: silent"
		ok "$t: in the receipt" [ "$(of .reclaim)" = $how ]
		as_before "$t"
		q d 'SELECT type, name, tbl_name, sql FROM sqlite_master
		    ORDER BY type, name' >master.after
		same "$t: sqlite_master" master master.after
		search d >found.after
		ok "$t: something is found" [ -s found ]
		same "$t: full-text search" found found.after
		case $how in
		rewrite) ok "$t: another file" [ "$ino" != \
		    "$(inode d/chroma.sqlite3)" ] ;;
		*) ok "$t: the same file" [ "$ino" = \
		    "$(inode d/chroma.sqlite3)" ] ;;
		esac
		case $how in
		none) ok "$t: of the same size" [ "$bytes" = \
		    "$(size d/chroma.sqlite3)" ]
			ok "$t: with free pages" [ "$(free_pages d)" -gt 5 ] ;;
		*) ok "$t: smaller" [ "$bytes" -gt "$(size d/chroma.sqlite3)" ]
			ok "$t: without free pages" [ "$(free_pages d)" = 0 ] ;;
		esac
		# the second run changes no byte
		fingerprint d >before
		case $how in none) again=none ;; *) again=auto ;; esac
		run chroma-walprune --reclaim=$again d stream
		status_is "$t, again: status" 0
		fingerprint d >after
		same "$t, again: no byte changes" before after
		ok "$t, again: and it says so" [ "$(of '[.reclaim,
		    .storage_reduction.bytes, .bytes_before - .bytes_after] |
		    @csv')" = '"none",0,0' ]
	done
done

# ---- auto ----

# padded N: d has N KiB of rows that may go, on top
padded() {
	fresh
	low=$(q d "SELECT min(m.seq_id) FROM max_seq_id m JOIN segments s
	    ON s.id = m.segment_id WHERE s.collection = '$mine'")
	n=$(q d "SELECT min(seq_id) FROM embeddings_queue WHERE
	    topic LIKE '%$mine' AND operation = 1 AND vector IS NULL AND
	    seq_id < $low")
	change d "UPDATE embeddings_queue SET metadata = json_object('pad',
	    hex(randomblob($1 * 512))) WHERE seq_id = $n"
	chroma-walexport -q --prunable d >stream
}
padded 600
prepare stream
run chroma-walprune d stream
ok 'auto: more than half goes: rewrite' [ "$(of .reclaim)" = rewrite ]
ok 'auto: rewrite: share' jq -e '.storage_reduction.share > 0.5' out
as_before 'auto: rewrite'
padded 100
prepare stream
run chroma-walprune d stream
ok 'auto: more than an eighth goes: vacuum' [ "$(of .reclaim)" = vacuum ]
as_before 'auto: vacuum'
fresh
chroma-walexport -q --prunable --to-seq-id=20 d >stream
prepare stream
run chroma-walprune d stream
ok 'auto: less than an eighth goes: none' [ "$(of .reclaim)" = none ]
ok 'auto: none: rows went' [ "$(of .wal_entries_purged)" -gt 0 ]
as_before 'auto: none'
# free pages count as going
chroma-walexport -q --to-seq-id=0 $base/db >nothing
for pages in '5 none' '40 vacuum' '400 rewrite'; do
	fresh
	change d "CREATE TABLE pad (x); INSERT INTO pad
	    SELECT zeroblob(${pages% *} * 4092); DROP TABLE pad"
	ok "${pages% *} free pages" [ "$(free_pages d)" -ge "${pages% *}" ]
	prepare nothing
	fingerprint d >before
	bytes=$(size d/chroma.sqlite3)
	run chroma-walprune d nothing
	status_is "nothing goes, ${pages% *} free pages: status" 0
	ok "nothing goes, ${pages% *} free pages: ${pages#* }" \
	    [ "$(of .reclaim)" = "${pages#* }" ]
	ok "nothing goes, ${pages% *} free pages: no row" \
	    [ "$(of .wal_entries_purged)" = 0 ]
	content d >rest.after
	same "nothing goes, ${pages% *} free pages: content" rest rest.after
	log_of d >log.after
	same "nothing goes, ${pages% *} free pages: log" log.before log.after
	fingerprint d >after
	case $pages in
	*none) same 'nothing goes, and little is free: no byte changes' \
	    before after ;;
	*) ok "nothing goes, ${pages% *} free pages: smaller" \
	    [ "$(size d/chroma.sqlite3)" -lt $((bytes - ${pages% *} * 4000)) ] ;;
	esac
done
run chroma-walprune --reclaim=rewrite d nothing
status_is 'rewrite with nothing to gain: status' 0
fingerprint d >before
run chroma-walprune --reclaim=vacuum d nothing
status_is 'vacuum with nothing to gain: status' 0
fingerprint d >after
same 'vacuum with nothing to gain: no byte changes' before after
fresh
change d 'CREATE TABLE pad (x); INSERT INTO pad SELECT zeroblob(900000);
    DROP TABLE pad'
fingerprint d >before
run chroma-walprune --reclaim=none d nothing
status_is 'none with nothing to delete: status' 0
fingerprint d >after
same 'none with nothing to delete: no byte changes' before after

# ---- --backup ----

for how in rewrite none vacuum; do
	fresh
	rm -f kept
	ino=$(inode d/chroma.sqlite3)
	cp d/chroma.sqlite3 was.sqlite3
	cp -a d old
	run chroma-walprune --reclaim=$how --backup=kept d all
	status_is "--backup, $how: status" 0
	ok "--backup, $how: in the receipt" [ "$(of .backup)" = kept ]
	ok "--backup, $how: members" jq -e '[keys_unsorted[] |
	    select(. == "automatically_purge" or . == "backup" or
	    . == "collections")] == ["automatically_purge","backup",
	    "collections"]' out
	case $how in
	rewrite)
		ok "--backup, $how: the old file" [ "$(inode kept)" = "$ino" ]
		same "--backup, $how: its bytes" was.sqlite3 kept ;;
	*)
		ok "--backup, $how: another file" [ "$(inode kept)" != "$ino" ]
		mkdir copy
		cp kept copy/chroma.sqlite3
		content old >want
		content copy >got
		same "--backup, $how: the same content" want got
		log_of old >want
		log_of copy >got
		same "--backup, $how: the same log" want got
		rm -rf copy ;;
	esac
	rm -rf old
	ok "--backup, $how: nothing beside it" [ -z "$(find . -maxdepth 1 \
	    -name '.kept*' -o -maxdepth 1 -name 'kept-*')" ]
	# it exists now
	cp kept first
	fresh
	fingerprint d >before
	run chroma-walprune --reclaim=$how --backup=kept d all
	status_is "--backup of an existing file, $how: status" 2
	ok "--backup of an existing file, $how: said" \
	    grep -q '^chroma-walprune: kept exists' err
	fingerprint d >after
	same "--backup of an existing file, $how: no byte changes" before after
	same "--backup of an existing file, $how: it is as it was" first kept
	run chroma-walprune --reclaim=$how --backup=no/kept d all
	status_is "--backup in no directory, $how: status" 4
	fingerprint d >after
	same "--backup in no directory, $how: no byte changes" before after
done
rm -f kept
fresh
ln -s nowhere kept
fingerprint d >before
run chroma-walprune --reclaim=rewrite --backup=kept d all
status_is '--backup of a link that leads nowhere' 2
fingerprint d >after
same '--backup of a link that leads nowhere: no byte changes' before after
rm -f kept
run chroma-walprune --backup=kept d nothing
status_is '--backup with nothing to do: status' 0
ok '--backup with nothing to do: no file' [ ! -e kept ]
ok '--backup with nothing to do: not in the receipt' \
    jq -e 'has("backup") | not' out
if [ "$(id -u)" = 0 ] && mkdir other && mount -t tmpfs none other 2>/dev/null; then
	for how in rewrite vacuum; do
		fresh
		rm -f other/*
		content d >want
		run chroma-walprune --reclaim=$how --backup=other/kept d all
		status_is "--backup on another file system, $how: status" 0
		mkdir copy
		cp other/kept copy/chroma.sqlite3
		content copy >got
		same "--backup on another file system, $how: content" want got
		log_of copy >got
		same "--backup on another file system, $how: log" log.before got
		rm -rf copy
		ok "--backup on another file system, $how: nothing else" \
		    [ "$(ls -A other)" = kept ]
	done
	umount other
else
	skip '--backup on another file system' 'needs root'
fi

# ---- no room ----

if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=64k none small \
    2>/dev/null; then
	fresh
	fingerprint d >before
	run chroma-walprune --reclaim=vacuum --tmpdir=small d all
	status_is '--tmpdir that is full: status' 4
	ok '--tmpdir that is full: need and have' grep -qx \
	    'chroma-walprune: VACUUM needs [0-9]* bytes in small, which has [0-9]*; free some, or choose another way with --reclaim (nothing was changed)' err
	fingerprint d >after
	same '--tmpdir that is full: no byte changes' before after
	run chroma-walprune --tmpdir=small d all
	status_is '--tmpdir that is full, auto: another way' 0
	ok '--tmpdir that is full, auto: none' [ "$(of .reclaim)" = none ]
	umount small
	mount -t tmpfs -o size=1m none small
	mkdir small/d
	cp -a $base/db/. small/d
	fingerprint small/d >before
	for how in rewrite vacuum none; do
		run chroma-walprune --reclaim=$how small/d all
		status_is "a full disk, $how: status" 4
		ok "a full disk, $how: need and have" grep -q \
		    'needs [0-9]* bytes in .*, which has [0-9]*; free some' err
		fingerprint small/d >after
		same "a full disk, $how: no byte changes" before after
	done
	umount small
else
	skip 'no room' 'needs root'
fi

# ---- the file, and what it is ----

fresh
prepare all
chmod 640 d/chroma.sqlite3
[ "$(id -u)" != 0 ] || chown 1234:2345 d/chroma.sqlite3
attr=
if setfattr -n user.note -v kept d/chroma.sqlite3 2>/dev/null; then attr=1; fi
stat -c '%a %u %g' d/chroma.sqlite3 >want
run chroma-walprune --reclaim=rewrite d all
status_is 'owner and mode: status' 0
stat -c '%a %u %g' d/chroma.sqlite3 >got
same 'owner and mode' want got
if [ -n "$attr" ]; then
	ok 'extended attribute' [ "$(getfattr --only-values -n user.note \
	    d/chroma.sqlite3)" = kept ]
else
	skip 'extended attribute' 'none here, or no setfattr'
fi
as_before 'owner and mode'

for how in rewrite vacuum none; do
	fresh
	mkdir -p elsewhere
	mv d/chroma.sqlite3 elsewhere/real.sqlite3
	ln -s ../elsewhere/real.sqlite3 d/chroma.sqlite3
	prepare all
	run chroma-walprune --reclaim=$how d all
	status_is "a symbolic link, $how: status" 0
	ok "a symbolic link, $how: still is one" \
	    [ "$(readlink d/chroma.sqlite3)" = ../elsewhere/real.sqlite3 ]
	as_before "a symbolic link, $how"
	ok "a symbolic link, $how: nothing else behind it" \
	    [ "$(ls -A elsewhere)" = real.sqlite3 ]
	rm -rf elsewhere
done

if [ "$(id -u)" = 0 ]; then
	fresh
	cp -a d/chroma.sqlite3 mounted
	touch d/chroma.sqlite3
	if mount --bind mounted d/chroma.sqlite3 2>/dev/null; then
		prepare all
		padded_bytes=$(size d/chroma.sqlite3)
		run chroma-walprune --reclaim=rewrite d all
		status_is 'a mount point, rewrite: status' 4
		ok 'a mount point, rewrite: said' \
		    grep -q '^chroma-walprune: .*/d/chroma.sqlite3 is a mount point$' err
		run chroma-walprune d all
		status_is 'a mount point: status' 0
		as_before 'a mount point'
		ok 'a mount point: smaller' [ "$padded_bytes" -gt "$(size d/chroma.sqlite3)" ]
		umount d/chroma.sqlite3
	fi
	rm -f mounted
fi

# ---- page sizes, SQLite's own settings ----

for page in 1024 8192 65536; do
	for how in rewrite vacuum; do
		fresh
		change d "PRAGMA page_size = $page; VACUUM;
		    PRAGMA user_version = 7; PRAGMA application_id = 99"
		prepare all
		run chroma-walprune --reclaim=$how d all
		t="pages of $page, $how"
		status_is "$t: status" 0
		as_before "$t"
		ok "$t: still" [ "$(q d 'PRAGMA page_size')" = $page ]
		ok "$t: user_version, application_id" [ "$(q d 'PRAGMA
		    user_version; PRAGMA application_id' | paste -sd' ')" = '7 99' ]
	done
done
for mode in 1 2; do
	fresh
	change d "PRAGMA auto_vacuum = $mode; VACUUM"
	prepare all
	run chroma-walprune --reclaim=rewrite d all
	status_is "auto_vacuum $mode: status" 0
	as_before "auto_vacuum $mode"
	ok "auto_vacuum $mode: still" [ "$(q d 'PRAGMA auto_vacuum')" = $mode ]
done

for how in none vacuum rewrite; do
	for open in no yes; do
		fresh
		if [ $open = yes ]; then
			# pages that are only in the -wal yet
			python3 -c '
import os, shutil, sqlite3
c = sqlite3.connect("d/chroma.sqlite3")
c.execute("PRAGMA journal_mode = WAL")
c.execute("PRAGMA wal_autocheckpoint = 0")
c.execute("CREATE TABLE late (x)")
c.execute("INSERT INTO late VALUES (7)")
c.commit()
for f in "", "-wal":
    shutil.copy("d/chroma.sqlite3" + f, "copy" + f)
c.close()
for f in "", "-wal":
    os.rename("copy" + f, "d/chroma.sqlite3" + f)
'
			ok "SQLite-WAL mode, $how: a -wal is there" [ -s d/chroma.sqlite3-wal ]
			cp -a d look
			sqlite3 look/chroma.sqlite3 'SELECT * FROM late' >/dev/null
			content look >rest
			rm -rf look
		else
			change d 'PRAGMA journal_mode = WAL' >/dev/null
			content d >rest
		fi
		t="SQLite-WAL mode, $how, -wal $open"
		log_of $base/db >log.before
		jq -r 'select(.type == "wal").seq_id' all | sed 's/.*/^& /' >gone.sed
		grep -f gone.sed log.before >gone
		rm -f d/chroma.sqlite3-shm
		run chroma-walprune --reclaim=$how d all
		status_is "$t: status" 0
		no_err "$t: silent"
		ok "$t: no -wal is left" [ ! -s d/chroma.sqlite3-wal ]
		ok "$t: still in this mode" \
		    [ "$(q d 'PRAGMA journal_mode')" = wal ]
		content d >rest.after
		same "$t: all but the log is as it was" rest rest.after
		log_of d >log.after
		grep -vxF -f gone log.before >want.log
		same "$t: the log, but what went" want.log log.after
	done
done

# a transaction of somebody who was killed: it is undone first
for how in none vacuum rewrite; do
	fresh
	prepare all
	python3 -c '
import os, signal, sqlite3
c = sqlite3.connect("d/chroma.sqlite3", isolation_level=None)
c.execute("PRAGMA cache_size = 1")
c.execute("PRAGMA cache_spill = 1")
c.execute("BEGIN")
c.execute("UPDATE embeddings_queue SET metadata = hex(zeroblob(900))")
c.execute("DELETE FROM collections")
os.kill(os.getpid(), signal.SIGKILL)
' 2>/dev/null
	ok "a hot journal, $how: is there" [ -s d/chroma.sqlite3-journal ]
	cp -a d hot
	chroma-walexport -q --prunable --tmpdir=. hot >stream
	run chroma-walprune --reclaim=$how d stream
	status_is "a hot journal, $how: status" 0
	as_before "a hot journal, $how"
	fingerprint hot >before
	run chroma-walprune -n --tmpdir=. hot stream
	status_is "a hot journal, -n: status" 0
	ok 'a hot journal, -n: what would go' [ "$(of .wal_entries_purged)" = \
	    "$(wc -l <gone)" ]
	fingerprint hot >after
	same 'a hot journal, -n: no byte changes' before after
	rm -rf hot
done

# one that a program in locking_mode EXCLUSIVE has emptied
for bytes in 0 512; do
	fresh
	prepare all
	head -c $bytes /dev/zero >d/chroma.sqlite3-journal
	run chroma-walprune --reclaim=rewrite d all
	status_is "a journal of $bytes zeros: status" 0
	as_before "a journal of $bytes zeros"
done

# ---- a failure in the middle ----

# the new file cannot be written to its end
for mode in delete wal; do
	fresh
	change d "PRAGMA journal_mode = $mode" >/dev/null
	prepare all
	bash -c 'ulimit -f 100; trap "" XFSZ
	    exec chroma-walprune --reclaim=rewrite d all' >out 2>err
	status=$?
	status_is "a file that may not grow, $mode: status" 4
	ok "a file that may not grow, $mode: still in this mode" \
	    [ "$(q d 'PRAGMA journal_mode')" = $mode ]
	rm -f d/chroma.sqlite3-shm d/chroma.sqlite3-wal
	: >gone
	log_of d >log.after
	same "a file that may not grow, $mode: no row went" log.before log.after
	content d >rest.after
	same "a file that may not grow, $mode: content" rest rest.after
	ok "a file that may not grow, $mode: nothing is left" \
	    [ -z "$(find d/ -name '.*' ! -name .)" ]
done

# ---- what strangers made ----

for how in rewrite vacuum none; do
	fresh
	change d "CREATE TABLE ran (what);
	    CREATE TABLE \"a \"\"b\"\"\" (x, y DEFAULT (random()),
	    z GENERATED ALWAYS AS (x || 'z') STORED);
	    INSERT INTO \"a \"\"b\"\"\" (x) VALUES (1), (NULL), ('text'), (x'00');
	    CREATE TABLE holes (x); INSERT INTO holes (rowid, x) VALUES (5, 1),
	    (900, 2), (-3, 3);
	    CREATE TABLE keyed (k INTEGER PRIMARY KEY, x UNIQUE,
	    z AS (x || 'z'), s AS (k + 1) STORED);
	    INSERT INTO keyed (k, x) VALUES (3, 'a'), (7, 'b');
	    ALTER TABLE embeddings_queue ADD COLUMN bytes AS (length(vector));
	    CREATE TABLE flat (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
	    INSERT INTO flat VALUES ('b', 1), ('a', 2);
	    CREATE TABLE counted (k INTEGER PRIMARY KEY AUTOINCREMENT, v);
	    INSERT INTO counted VALUES (41, 'a'); DELETE FROM counted;
	    INSERT INTO counted (v) VALUES ('b');
	    CREATE UNIQUE INDEX \"odd index\" ON holes (x DESC) WHERE x > 0;
	    CREATE INDEX expression ON flat (v + 1, k COLLATE NOCASE);
	    CREATE VIEW \"a view\" AS SELECT * FROM holes;
	    CREATE VIRTUAL TABLE words USING fts5(t);
	    INSERT INTO words VALUES ('one two'), ('two three');
	    CREATE TRIGGER on_delete AFTER DELETE ON collections BEGIN
	    INSERT INTO ran VALUES ('delete'); END;
	    CREATE TRIGGER on_log AFTER INSERT ON embeddings_queue BEGIN
	    INSERT INTO ran VALUES ('log'); END;
	    CREATE TRIGGER on_holes BEFORE INSERT ON holes BEGIN
	    SELECT RAISE(ABORT, 'no'); END;
	    CREATE TRIGGER on_maintenance AFTER INSERT ON maintenance_log BEGIN
	    INSERT INTO ran VALUES ('maintenance'); END;
	    ANALYZE"
	prepare all
	q d 'SELECT * FROM sqlite_sequence ORDER BY 1' >sequence
	q d "SELECT tbl, idx FROM sqlite_stat1 WHERE
	    tbl <> 'maintenance_log' ORDER BY 1, 2" >stat1
	q d "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE
	    'sqlite_stat%' ORDER BY 1, 2" >master
	run chroma-walprune --reclaim=$how d all
	t="tables of strangers, $how"
	status_is "$t: status" 0
	as_before "$t"
	q d 'SELECT * FROM sqlite_sequence ORDER BY 1' >got
	same "$t: sqlite_sequence" sequence got
	q d "SELECT tbl, idx FROM sqlite_stat1 WHERE
	    tbl <> 'maintenance_log' ORDER BY 1, 2" >got
	same "$t: sqlite_stat1 is there" stat1 got
	q d "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE
	    'sqlite_stat%' ORDER BY 1, 2" >got
	same "$t: sqlite_master" master got
	ok "$t: search" [ "$(q d "SELECT rowid FROM words WHERE words MATCH
	    'three'")" = 2 ]
	ok "$t: the view" [ "$(q d 'SELECT count(*) FROM "a view"')" = 3 ]
	ok "$t: no trigger ran" [ "$(q d 'SELECT count(*) FROM ran')" = 0 ]
	change d "INSERT INTO maintenance_log (operation, timestamp)
	    VALUES ('x', 'y')"
	ok "$t: triggers are there" [ "$(q d 'SELECT what FROM ran')" = maintenance ]
done

# numbers that no Chroma gives out
for how in rewrite vacuum none; do
	fresh
	change d "INSERT INTO embeddings_queue (seq_id, operation, topic, id)
	    SELECT n, 3, topic, 'nobody' || n FROM embeddings_queue, (SELECT
	    -9223372036854775807 - 1 AS n UNION SELECT -5 UNION SELECT 0)
	    WHERE seq_id = 162"
	chroma-walexport -q --prunable d >low
	run chroma-walprune --reclaim=$how d low
	t="seq_ids below 1, $how"
	status_is "$t: status" 0
	q $base/db 'SELECT seq_id FROM embeddings_queue' |
	    grep -vxF "$(jq '.seq_id // empty' all)" >want.log
	q d 'SELECT seq_id FROM embeddings_queue' >log.after
	same "$t: the log, but what went" want.log log.after
done

# a database in UTF-16, which SQLite attaches to no other
for how in rewrite vacuum none auto; do
	fresh
	sqlite3 d/chroma.sqlite3 .dump >dump
	rm d/chroma.sqlite3
	{ echo "PRAGMA encoding = 'UTF-16be';"; cat dump; } |
	    sqlite3 d/chroma.sqlite3
	prepare all
	run chroma-walprune --reclaim=$how d all
	t="UTF-16, $how"
	status_is "$t: status" 0
	as_before "$t"
	ok "$t: it still is" [ "$(q d 'PRAGMA encoding')" = UTF-16be ]
done

done_testing
