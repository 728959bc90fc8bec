#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-hnswbuild --install and the files: where the old index goes, who owns
# the new one, what others have open, and what dead runs have left.
. "${0%/*}/../lib.sh"

check() { python3 -B "$T_DIR/t/install.py" "$@"; }
install() { run chroma-hnswbuild -q --threads=1 "$@"; }

for f in 0.4.24 1.5.9-nopurge; do
	persist "$f"
	chroma-info -q --jsonl "$f/db" | jq -r 'select(.type == "collection"
	    and .name == "ip-vectors").id' >"$f/id"
done

# fresh_copy BASE: the directory d, its stream, $id, and $old, its segment
fresh_copy() {
	rm -rf d
	cp -a "$1/db" d
	base=$1
	read -r id <"$1/id"
	old=$(check segment d "$id")
	{ chroma-hnswdump -b -c "$id" d && chroma-walexport -qb -c "$id" d; } \
	    >stream
}
look() { fingerprint "$1" | sed '1s/ .*//'; }
files_of() { (cd "$1" && find . -type f -exec sha256sum {} + | sort); }

# right NAME [D]: the last install did what it should, and said nothing
right() {
	status_is "$1: status" 0
	no_err "$1: silent"
	ok "$1: right" check right "$base/db" "${2-d}" "$id" ip \
	    "$(chroma-info -q --jsonl "$base/db" | jq -r "select(.id ==
	    \"$id\") | .wal.newest_seq_id")"
	read -r new <t_ok.out
}

# ---- the old index ----

fresh_copy 1.5.9-nopurge
files_of "d/$old" >want.fp
install --install=d -c "$id" --backup=kept stream
right '--backup'
files_of kept >got.fp
same '--backup: it is what it was' want.fp got.fp
same '--backup: the same files' "$base/db/$old/header.bin" kept/header.bin
ok '--backup: moved' [ ! -e "d/$old" ]
rm -rf kept
shm=$(mktemp -d -p /dev/shm 2>/dev/null) || shm=
trap 'rm -rf "$T_TMP" ${shm:+"$shm"}' EXIT
if [ "$shm" ] && [ "$(stat -c %d "$shm")" != "$(stat -c %d .)" ]; then
	fresh_copy 1.5.9-nopurge
	chmod 640 "d/$old/header.bin"
	chmod 750 "d/$old"
	(cd "d/$old" && find . -printf '%p %s %m %U %G\n' | sort) >want.ls
	install --install=d -c "$id" --backup="$shm/kept/" stream
	right '--backup elsewhere'
	files_of "$shm/kept" >got.fp
	same '--backup elsewhere: it is what it was' want.fp got.fp
	(cd "$shm/kept" && find . -printf '%p %s %m %U %G\n' | sort) >got.ls
	sed -i 's/^\. [0-9]*/./' want.ls got.ls
	same '--backup elsewhere: owner and mode' want.ls got.ls
	# what is not a file cannot be copied: then all of it stays
	fresh_copy 1.5.9-nopurge
	mkfifo "d/$old/pipe"
	install --install=d -c "$id" --backup="$shm/none" stream
	status_is '--backup elsewhere, a FIFO: status' 4
	err_is '--backup elsewhere, a FIFO: said' <<END
chroma-hnswbuild: the new index is in place, but the old one is still in the directory: $old: $shm/none: pipe is not a regular file
END
	rm "d/$old/pipe"
	files_of "d/$old" >got.fp
	same '--backup elsewhere, a FIFO: all of it stays' want.fp got.fp
	ok '--backup elsewhere, a FIFO: no half of it' \
	    [ "$(ls -A "$shm")" = kept ]
else
	skip '--backup on another file system' 'there is none'
fi

# what is not Chroma's stays
fresh_copy 1.5.9-nopurge
echo mine >"d/$old/notes.txt"
install --install=d -c "$id" --no-backup stream
status_is 'a foreign file: status' 0
no_err 'a foreign file: silent'
ok 'a foreign file: only that is left' [ "$(ls -A "d/$old")" = notes.txt ]
ok 'a foreign file: as it was' [ "$(cat "d/$old/notes.txt")" = mine ]

# none there
fresh_copy 1.5.9-nopurge
rm -rf "d/$old"
chroma-walexport -qb -c "$id" d >stream
install --install=d -c "$id" --backup=none stream
status_is 'no old index: status' 0
no_err 'no old index: silent'
ok 'no old index: nothing is kept' [ ! -e none ]

# damaged: what the log has is enough
for how in cut zeros no_pickle; do
	fresh_copy 1.5.9-nopurge
	python3 -B "$T_DIR/t/damage.py" $how d ip-vectors >/dev/null
	cp -a "d/$old" damaged
	chroma-walexport -qb -c "$id" d >stream
	install --install=d -c "$id" --backup=kept stream
	status_is "$how: status" 0
	no_err "$how: silent"
	run chroma-info --deep -q --jsonl d
	ok "$how: sound now" [ "$(jq -c "select(.id == \"$id\") |
	    .index.fault" out)" = null ]
	ok "$how: the damaged one is kept" diff -r damaged kept
	rm -rf damaged kept
done

# ---- names ----

fresh_copy 1.5.9-nopurge
install --install=d/chroma.sqlite3 -c "$id" --no-backup stream
right 'DIR/chroma.sqlite3'
fresh_copy 1.5.9-nopurge
ln -s d link
install --install=link -c "$id" --no-backup stream
right 'a link to DIR'
fresh_copy 1.5.9-nopurge
mkdir other
mv d/chroma.sqlite3 other
ln -s ../other/chroma.sqlite3 d/chroma.sqlite3
install --install=d -c "$id" --no-backup stream
right 'a link to the database'
ok 'a link to the database: still one' [ -L d/chroma.sqlite3 ]
ok 'a link to the database: nothing beside the file' \
    [ "$(ls -A other)" = chroma.sqlite3 ]
fresh_copy 1.5.9-nopurge
mv "d/$old" elsewhere
ln -s ../elsewhere "d/$old"
install --install=d -c "$id" --no-backup stream
status_is 'a link to the index: status' 4
err_is 'a link to the index: said' <<END
chroma-hnswbuild: the new index is in place, but the old one is still in the directory: $old: opening it: Not a directory
END
rm -rf elsewhere other link

# ---- SQLite-WAL mode ----

for how in left closed; do
	fresh_copy 1.5.9-nopurge
	python3 - $how <<'PY'
import os, shutil, sqlite3, sys
db = sqlite3.connect("d/chroma.sqlite3")
db.execute("PRAGMA journal_mode=WAL")
db.execute("CREATE TABLE seen (x)")
db.commit()
if sys.argv[1] == "left":       # as a killed process leaves it
    shutil.copytree("d", "d2")
    os.unlink("d2/chroma.sqlite3-shm")
    db.close()
    shutil.rmtree("d")
    os.rename("d2", "d")
PY
	cp -a d was
	install --install=d -c "$id" --no-backup stream
	status_is "SQLite-WAL, $how: status" 0
	no_err "SQLite-WAL, $how: silent"
	ok "SQLite-WAL, $how: nothing is beside the file" \
	    [ ! -e d/chroma.sqlite3-wal ]
	ok "SQLite-WAL, $how: the mode stays" [ "$(sqlite3 d/chroma.sqlite3 \
	    'PRAGMA journal_mode')" = wal ]
	ok "SQLite-WAL, $how: what was there is" [ "$(sqlite3 d/chroma.sqlite3 \
	    'SELECT count(*) FROM seen')" = 0 ]
	sqlite3 was/chroma.sqlite3 'PRAGMA journal_mode=DELETE' >/dev/null
	sqlite3 d/chroma.sqlite3 'PRAGMA journal_mode=DELETE' >/dev/null
	ok "SQLite-WAL, $how: right" check right was d "$id" ip "$(chroma-info \
	    -q --jsonl d | jq -r "select(.id == \"$id\") | .wal.newest_seq_id")"
	rm -rf was
done

# ---- who else is there ----

# held FILE [OPTION...]: somebody has FILE of d open
hold() {
	mkfifo go
	holdopen "$@" <go >ready &
	holder=$!
	exec 3>go
	while [ ! -s ready ]; do sleep 0.05; done
}
let_go() {
	exec 3>&-
	wait "$holder"
	rm -f go ready
}
for f in chroma.sqlite3 header.bin; do
	fresh_copy 1.5.9-nopurge
	[ $f != header.bin ] || f=$old/$f
	look d >before.fp
	hold "d/$f"
	install --install=d -c "$id" --no-backup stream
	status_is "$f is held: status" 5
	ok "$f is held: who" grep -q \
	    "^chroma-hnswbuild: d is in use by $holder (holdopen)" err
	look d >after.fp
	same "$f is held: nothing changed" before.fp after.fp
	let_go
done
fresh_copy 1.5.9-nopurge
hold d/chroma.sqlite3
chroma-hnswbuild -q --threads=1 --install=d -c "$id" --no-backup --wait=30 \
    stream 2>err 3>&- &
waiting=$!
sleep 1
ok '--wait: it waits' kill -0 $waiting
let_go
status=0
wait $waiting || status=$?
right '--wait'

# who comes while the rows are written, or an index file that changes then
case ${BUILD-release} in asan | tsan) traced=false ;; *) traced=true ;; esac
if $traced && strace -o /dev/null true 2>/dev/null; then
	for what in holds touches; do
		fresh_copy 1.5.9-nopurge
		look d >before.fp
		rm -f trace
		# the first page of the journal takes two seconds
		strace -f --seccomp-bpf -o trace -e trace=pwrite64 \
		    -e inject=pwrite64:delay_enter=2s:when=1 \
		    chroma-hnswbuild -q --threads=1 --install=d -c "$id" \
		    --no-backup stream 2>err &
		waiting=$!
		while ! grep -q pwrite64 trace 2>/dev/null; do sleep 0.05; done
		if [ $what = holds ]; then
			hold "d/$old/header.bin"
		else
			touch -d @1 "d/$old/header.bin"
		fi
		status=0
		wait $waiting || status=$?
		status_is "somebody $what a file meanwhile: status" 5
		if [ $what = holds ]; then
			ok 'somebody holds a file meanwhile: who' grep -q \
			    "^chroma-hnswbuild: d is in use by $holder (holdopen)" err
			let_go
			look d >after.fp
			same 'somebody holds a file meanwhile: nothing changed' \
			    before.fp after.fp
		else
			ok 'somebody touches a file meanwhile: which' grep -qx \
			    "chroma-hnswbuild: d/$old/header.bin changed while we worked: something writes to this directory; stop it first" err
		fi
		ok "somebody $what a file meanwhile: the old index" \
		    [ "$(check segment d "$id")" = "$old" ]
		ok "somebody $what a file meanwhile: nothing is left" \
		    [ "$(ls -A d)" = "$(ls -A "$base/db")" ]
	done
else
	skip 'somebody comes meanwhile' 'no strace here'
fi

# a migration that is not known: nothing is changed
fresh_copy 1.5.9-nopurge
sqlite3 d/chroma.sqlite3 "INSERT INTO migrations (dir, version, filename, sql,
    hash) VALUES ('sysdb', 99, '00099-new.sqlite.sql', '', '')"
look d >before.fp
run chroma-hnswbuild -q --install=d -c "$id" --no-backup stream
status_is 'unknown migration: status' 3
err_is 'unknown migration: said' <<'WANT'
chroma-hnswbuild: d/chroma.sqlite3: migrations newer than this program knows (sysdb 99): nothing was changed; a newer chromautils may know them
WANT
look d >after.fp
same 'unknown migration: nothing changed' before.fp after.fp

# ---- owner and mode ----

if [ "$(id -u)" -eq 0 ]; then
	for f in 0.4.24 1.5.9-nopurge; do
		fresh_copy $f
		chown -R 1234:2345 d
		chmod 2770 "d/$old"
		chmod 660 "d/$old"/*.bin
		chmod 600 "d/$old"/*.pickle
		install --install=d -c "$id" --no-backup stream
		right "$f, of somebody else"
		ok "$f, of somebody else: all of it is" \
		    [ -z "$(find d ! -user 1234 -o ! -group 2345)" ]
		(cd "d/$new" && stat -c '%a %n' . ./*) >got
		printf '%s\n' '2770 .' '660 ./data_level0.bin' \
		    '660 ./header.bin' '600 ./index_metadata.pickle' \
		    '660 ./length.bin' '660 ./link_lists.bin' >want
		same "$f, of somebody else: modes" want got
		# without an old one: as DIR
		fresh_copy $f
		rm -rf "d/$old"
		chroma-walexport -qb -c "$id" d >stream
		chown 1234:2345 d
		install --install=d -c "$id" --no-backup stream
		ok "$f, without an old one: of the owner of DIR" \
		    [ "$(find d/*-*-*/ -newer stream -user 1234 -group 2345 |
		    wc -l)" = 6 ]
	done
	fresh_copy 1.5.9-nopurge
	chmod 700 "$T_TMP" d
	chmod 755 "$T_TMP"
	chmod -R a+rX d stream
	look d >before.fp
	if setpriv --reuid=65534 --regid=65534 --clear-groups true \
	    2>/dev/null; then
		run setpriv --reuid=65534 --regid=65534 --clear-groups \
		    "$BUILD_DIR/bin/chroma-hnswbuild" -q --threads=1 \
		    --install=d -c "$id" --no-backup stream
		status_is 'may not write: status' 4
		ok 'may not write: said' grep -qx \
		    'chroma-hnswbuild: d: Permission denied' err
		look d >after.fp
		same 'may not write: nothing changed' before.fp after.fp
	else
		skip 'may not write' 'no setpriv'
	fi
else
	skip 'owner and mode' 'takes root'
fi

# ---- what is left of dead runs ----

fresh_copy 1.5.9-nopurge
live=$(find d -mindepth 1 -maxdepth 1 -name '*-*-*' ! -name "$old" | sort |
    head -1)
u1=11111111-1111-4111-8111-111111111111
u2=22222222-2222-4222-8222-222222222222
u3=33333333-3333-4333-8333-333333333333
mkdir d/.$u1.chromautils-99 d/.$u2.chromautils-98 d/$u2 d/$u3 \
    d/.notes.chromautils-99 d/.$u1.chromautils-9x d/.$u1
for x in d/.$u1.chromautils-99 d/$u2 d/$u3 d/.$u1; do
	cp "d/$old/header.bin" "$x"
done
touch d/$u2/chromautils.unfinished "$live/chromautils.unfinished"
# what is named like ours and is none: a mark that is a directory, names
# that are no UUID
mkdir d/$u3/chromautils.unfinished d/tool
touch d/tool/chromautils.unfinished d/.$u3.chromautils-97
# of a living run
flock d/.$u2.chromautils-98 sh -c 'echo >locked; read x <go' &
locker=$!
mkfifo go
while [ ! -e locked ]; do sleep 0.05; done
install --install=d -c "$id" --no-backup stream
echo >go
wait $locker
status_is 'leftovers: status' 0
no_err 'leftovers: silent'
for x in .$u1.chromautils-99 $u2; do
	ok "leftovers: $x goes" [ ! -e "d/$x" ]
done
for x in $u3/header.bin $u3/chromautils.unfinished .$u2.chromautils-98 \
    .notes.chromautils-99 .$u1.chromautils-9x .$u1/header.bin \
    tool/chromautils.unfinished .$u3.chromautils-97; do
	ok "leftovers: $x stays" [ -e "d/$x" ]
done
ok 'leftovers: the mark goes from what is in use' \
    [ ! -e "$live/chromautils.unfinished" ]
ok 'leftovers: and nothing else' [ -e "$live/header.bin" ]

done_testing
