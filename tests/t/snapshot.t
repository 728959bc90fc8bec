#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The pipeline chroma-snapshot: a snapshot that was read back, with its sum, or
# nothing; names; what --keep lets go, and what never.
. "${0%/*}/../lib.sh"

of() { jq -r "$1" out; }
# names DIR: what is in it, hidden or not; the time as TIME
names() {
	find "$1" -mindepth 1 -printf '%f\n' |
	    sed 's/[0-9]\{8\}T[0-9]\{6\}Z/TIME/' | sort
}
# nothing NAME: no file in to
nothing() {
	names to >out
	out_is "$1: leaves nothing" </dev/null
}
persist 1.5.9
db=1.5.9/db

# ---- a snapshot ----

fingerprint "$db" >before
run chroma-snapshot "$db" to
status_is 'a snapshot' 0
no_err 'says nothing on standard error'
cp out receipt
file=$(of .file)
names to >out
out_is 'its name has the time; its SHA-256 is beside it' <<!
db-TIME.tar.zst
db-TIME.tar.zst.sha256
!
ok 'which is right' sh -c "cd to && sha256sum -c --status *.sha256"
ok 'it is sound' chroma-snap verify "$file"
ok 'and compressed' zstd -tq "$file"
zstd -dcq "$file" | tar -tf - | sed -n '1p;$p' >out
out_is 'a tar, the database first, the manifest last' <<!
chroma.sqlite3
MANIFEST.json
!
jq -c '[.receipt, .dir, .bytes, .sha256, .removed, (.collections | length)]' \
    receipt >out
out_is 'the receipt' <<!
["chroma-snapshot","$db",$(stat -c %s "$file"),"$(sha256sum <"$file" | cut -d' ' -f1)",[],7]
!
fingerprint "$db" >after
same 'DIR is as it was' before after
rm -r to

run chroma-snapshot -q -c acme/wiki/docs --log=all --zstd 1 --threads=1 \
    --tmpdir=. --wait=1 --skip nope "$db" to
status_is 'options go through, and so do their errors' 2
run chroma-snapshot -q -c acme/wiki/docs --log=all --zstd 1 --threads=1 \
    --tmpdir=. --wait=1 "$db" to
status_is 'options go through' 0
out_is '-q: no receipt' </dev/null
run chroma-snap list -j to/*.zst
ok 'one collection' test "$(wc -l <out)" -eq 1
rm -r to

# ---- names ----

mkdir 'a "b" \c' && cp -a "$db/." 'a "b" \c'
ln -s 'a "b" \c' link
for d in 'a "b" \c/' link link/. link/chroma.sqlite3; do
	run chroma-snapshot "$d" to
	status_is "DIR $d" 0
	# shellcheck disable=SC2012
	ok "DIR $d: NAME is that of the directory itself" \
	    [ "$(of .file)" = "$(ls to/*.zst)" ]
	ok "DIR $d: the whole of it" sh -c \
	    'ls to | grep -q "^a \"b\" .c-[0-9TZ]*[.]tar[.]zst$"'
	ok "DIR $d: sum" sh -c "cd to && sha256sum -c --status *.sha256"
	rm -r to
done
run sh -c 'cd link && exec chroma-snapshot -q . ../to'
status_is 'DIR .' 0
ok 'DIR .: its name' test -f to/a*.zst
rm -r to
mkdir -- -x && cp -a "$db/." ./-x
run chroma-snapshot -q -- -x -to
status_is 'names that begin with -' 0
ok 'names that begin with -: in the place' test -f ./-to/-x-*.tar.zst
rm -r ./-to
odd=$(printf 'new\nline')
mkdir "$odd" && cp -a "$db/." "$odd"
misused 'NAME has a control character in it; --name gives another' \
    chroma-snapshot "$odd" to
run chroma-snapshot --name=plain "$odd" to
status_is '--name' 0
ok '--name: used' test -f to/plain-*.zst
rm -r to
misused "--name=NAME: a name for the files, without '/'" \
    chroma-snapshot --name=a/b "$db" to
misused '--name: needs an argument' chroma-snapshot --name= "$db" to

# ---- what is refused ----

misused 'wants DIR and TO' chroma-snapshot "$db"
misused 'TO is empty' chroma-snapshot "$db" ''
misused 'wants one DIR, with -f' chroma-snapshot -f x "$db" to
misused '--keep and --name want TO, not -f' chroma-snapshot --keep=3 -fx "$db"
misused '--nope: unknown option' chroma-snapshot --nope "$db" to
misused '-c: needs an argument' chroma-snapshot -c
for k in 0 3x -1 '' 3m 1.5d 01 1234567; do
	misused "--keep: wants a number, or an age (12h, 30d, 8w): $k" \
	    chroma-snapshot "--keep=$k" "$db" to
done
misused '--keep: one number and one age at most' \
    chroma-snapshot --keep=3 --keep=4 "$db" to
misused '--keep: one number and one age at most' \
    chroma-snapshot --keep=3d --keep=4 --keep=2w "$db" to
refuses 4 'nowhere: No such file or directory' chroma-snapshot nowhere to
ln -s "$db" inside
for t in "$db/to" "$db" inside/to "$db/x/../to"; do
	refuses 2 "$t is inside $db, where other tools would delete it" \
	    chroma-snapshot "$db" "$t"
done
refuses 2 "inside/f is inside $db, where other tools would delete it" \
    chroma-snapshot -f inside/f "$db"
echo x >file
misused 'file is not a directory; -f writes a file' chroma-snapshot "$db" file
run chroma-snapshot "$db" no/where
status_is 'no place for TO' 4
run chroma-snapshot -c nope "$db" to
status_is 'an unknown collection' 2
ok 'an unknown collection: TO is not left behind' test ! -e to
fingerprint "$db" >after
same 'DIR is as it was after all this' before after

# ---- -f ----

run chroma-snapshot -f s.tar.zst "$db"
status_is '-f' 0
ok '-f: compressed' zstd -tq s.tar.zst
ok '-f: its sum' sha256sum -c --status s.tar.zst.sha256
refuses 2 's.tar.zst exists' chroma-snapshot -f s.tar.zst "$db"
rm s.tar.zst
refuses 2 's.tar.zst.sha256 exists' chroma-snapshot -f s.tar.zst "$db"
run chroma-snapshot --file s.tar -q "$db"
status_is '-f x.tar' 0
ok '-f x.tar: not compressed' tar -tf s.tar
misused 'to/: not the name of a file' chroma-snapshot -f to/ "$db"
refuses 4 'to: No such file or directory' chroma-snapshot -f to/x "$db"

# ---- stand-ins for what it runs: those beside it ----

mkdir -p fake/bin fake/share
cp -r "$BUILD_DIR/share/chromautils" fake/share
cp "$BUILD_DIR/bin/chroma-snapshot" fake/bin
ln -s "$BUILD_DIR/bin/chroma-walexport" fake/bin
real=$BUILD_DIR/bin/chroma-snap
# fake PROGRAM: standard input, a shell script; $real is the program
fake() {
	[ "$1" = chroma-snap ] || real=$(PATH=/usr/bin:/bin command -v "$1")
	rm -f "fake/bin/$1"
	{ printf '#!/bin/sh\nreal=%s\n' "$real"; cat; } >"fake/bin/$1"
	chmod +x "fake/bin/$1"
	real=$BUILD_DIR/bin/chroma-snap
}
snapshot() { run fake/bin/chroma-snapshot "$@"; }
usual() {
	rm -rf fake/bin/chroma-snap fake/bin/mv fake/bin/sha256sum to
	ln -s "$real" fake/bin/chroma-snap
	mkdir to
}
# a clock that goes on by a second whenever it is read
fake date <<'!'
case $* in
"-u +%s") read -r t <clock; echo $((t + 1)) >clock; echo "$t" ;;
*) exec "$real" "$@" ;;
esac
!
at() { date -d "$1" +%s >clock; }

# ---- two in one second, and a clock that goes back ----

usual
at '2026-11-22 03:00:00'
: >to/db-20261122T030000Z.tar.zst.sha256
: >to/db-20261122T030001Z.tar.zst
ln -s nowhere to/db-20261122T030002Z.tar.zst
snapshot "$db" to
status_is 'a name that is taken' 0
ok 'a name that is taken: the next one' \
    [ "$(of .file)" = to/db-20261122T030003Z.tar.zst ]
ok 'a name that is taken: its sum' \
    sh -c 'cd to && sha256sum -c --status db-20261122T030003Z.tar.zst.sha256'
names to >out
ok 'a name that is taken: nothing else is new' [ "$(wc -l <out)" -eq 5 ]
ok 'a name that is taken: what had it is as it was' \
    test ! -s to/db-20261122T030001Z.tar.zst
usual
rm fake/bin/date
for i in 1 2 3; do
	fake/bin/chroma-snapshot "$db" to >r$i 2>&1 &
done
wait
ok 'three at once' [ "$(jq -r .file r1 r2 r3 | sort -u | wc -l)" -eq 3 ]
ok 'three at once: each has its sum' sh -c \
    'cd to && sha256sum -c --status *.sha256'
names to >out
ok 'three at once: nothing else' [ "$(wc -l <out)" -eq 6 ]

# ---- --keep ----

fake date <<'!'
case $* in
"-u +%s") cat clock ;;
*) exec "$real" "$@" ;;
esac
!
# kept TIMES OPTION...: of the snapshots below those of TIMES stay, and the new
# one of 2026-11-22
old='20261001T000000Z 20261101T000000Z 20261120T030000Z 20261121T120000Z'
kept() {
	usual
	at '2026-11-22 03:00:00'
	for t in $old; do
		echo x >"to/db-$t.tar.zst"
		echo x >"to/db-$t.tar.zst.sha256"
	done
	stay=$1
	shift
	snapshot "$@" "$db" to
	status_is "kept with $*" 0
	[ "${1-}" = -n ] || stay="$stay 20261122T030000Z"
	for t in $stay; do
		printf 'db-%s.tar.zst\ndb-%s.tar.zst.sha256\n' "$t" "$t"
	done | sort >want.names
	find to -mindepth 1 -printf '%f\n' | sort >out.names
	same "kept with $*: what stays" want.names out.names
}
kept "$old"
kept '' --keep=1
ok '--keep=1: said' [ "$(of '.removed | length')" = 4 ]
kept 20261121T120000Z --keep=2
jq -c .removed out >got && mv got out
out_is '--keep=2: said' <<!
["to/db-20261120T030000Z.tar.zst","to/db-20261101T000000Z.tar.zst","to/db-20261001T000000Z.tar.zst"]
!
kept "$old" --keep=9
kept 20261121T120000Z --keep=24h
kept 20261121T120000Z --keep=1d
kept '20261120T030000Z 20261121T120000Z' --keep=2d
kept '20261120T030000Z 20261121T120000Z' --keep=1w
kept '20261101T000000Z 20261120T030000Z 20261121T120000Z' --keep=1d --keep=4
kept '20261120T030000Z 20261121T120000Z' --keep=2 --keep=2d
kept "$old" -n --keep=2
tail -n 4 out >got && mv got out
out_is '-n --keep: said' <<!
to to/db-20261122T030000Z.tar.zst
would be removed: to/db-20261120T030000Z.tar.zst
would be removed: to/db-20261101T000000Z.tar.zst
would be removed: to/db-20261001T000000Z.tar.zst
!
rm -r to
snapshot -n "$db" to
status_is '-n, no TO' 0
ok '-n, no TO: none is made' test ! -e to

usual
at '2020-01-01 00:00:00'
for t in $old; do
	echo x >"to/db-$t.tar.zst"
	echo x >"to/db-$t.tar.zst.sha256"
done
snapshot --keep=2 "$db" to
status_is 'a clock that went back' 0
run sh -c 'ls to/*.zst'
out_is 'a clock that went back: the new one stays, and the newest of the others' <<!
to/db-20200101T000000Z.tar.zst
to/db-20261121T120000Z.tar.zst
!

usual
at '2026-11-22 03:00:00'
mkdir to/db-20200101T000003Z.tar.zst
: >to/db-20200101T000000Z.tar.zst
ln -s db-20200101T000000Z.tar.zst to/db-20200101T000001Z.tar.zst
for n in db-20200101T000001Z db-20200101T000002Z db-20200101T000003Z \
    db-20200101T00000Z dbx-20200101T000000Z db-x-20200101T000000Z \
    db-20200101T000000Z-20200101T000000Z xdb-20200101T000000Z \
    db-20200101T000000Z-x replaced-20200101T000000Z; do
	: >"to/$n.tar.zst.sha256"
	[ -e "to/$n.tar.zst" ] || [ "$n" = db-20200101T000002Z ] || : >"to/$n.tar.zst"
done
: >to/db-20200101T000000Z.tar.zst.sha256x
: >to/db-20200101T000004Z.tar
: >to/db-20200101T000004Z.tar.sha256
find to -mindepth 1 | sort >others
snapshot --keep=1 "$db" to
status_is 'what only looks like one of ours' 0
rm "$(of .file)" "$(of .file).sha256"
find to -mindepth 1 | sort >out
same 'what only looks like one of ours stays' others out
mkdir 'g*[a]' && cp -a "$db/." 'g*[a]'
: >'to/gzza-20200101T000000Z.tar.zst'
: >'to/gzza-20200101T000000Z.tar.zst.sha256'
: >'to/g*[a]-20200101T000000Z.tar.zst'
: >'to/g*[a]-20200101T000000Z.tar.zst.sha256'
snapshot --keep=1 'g*[a]' to
ok 'a NAME with a pattern in it names itself' \
    [ "$(of '.removed[]')" = 'to/g*[a]-20200101T000000Z.tar.zst' ]

# ---- what fails on the way ----

# fails STATUS NAME: nothing is there, and nothing is removed
fails() {
	: >to/db-20200101T000000Z.tar.zst
	: >to/db-20200101T000000Z.tar.zst.sha256
	snapshot --keep=1 "$db" to
	status_is "$2" "$1"
	ok "$2: said" test -s err
	ok "$2: no receipt" test ! -s out
	names to >out
	out_is "$2: nothing is left, nothing went" <<!
db-TIME.tar.zst
db-TIME.tar.zst.sha256
!
	usual
}
usual
fake chroma-snap <<'!'
case $1 in verify) echo 'fake: bad' >&2; exit 3 ;; esac
exec "$real" "$@"
!
fails 3 'it is not read back'
fake chroma-snap <<'!'
case $1 in carve) echo 'fake: moved' >&2; exit 5 ;; esac
exec "$real" "$@"
!
fails 5 'no snapshot'
fake chroma-snap <<'!'
case $1 in carve) "$real" "$@" >/dev/null; kill -9 $$ ;; esac
exec "$real" "$@"
!
snapshot "$db" to
status_is 'killed when the file was there' 137
nothing 'killed when the file was there'
usual
fake sha256sum <<'!'
echo 'fake: I/O error' >&2
exit 1
!
fails 4 'no sum'
# the sum has its name, the file does not get its own
fake mv <<'!'
for last; do :; done
case $last in
*.sha256) exec "$real" "$@" ;;
*) echo 'fake: I/O error' >&2; exit 1 ;;
esac
!
snapshot "$db" to
status_is 'no name' 4
ok 'no name: no file' [ -z "$(find to -name '*.zst')" ]

# killed at that moment: the next run cleans up, unless somebody is at work
usual
fake mv <<'!'
for last; do :; done
case $last in
*.sha256) exec "$real" "$@" ;;
*) kill -9 $PPID; exit 1 ;;
esac
!
snapshot "$db" to
status_is 'killed before the name' 137
ok 'killed before the name: no file' [ -z "$(find to -name 'db*.zst')" ]
ok 'killed before the name: a hidden one' [ -n "$(find to -name '.db*')" ]
rm fake/bin/mv
cp to/.db* to/.db-20200101T000000Z.tar.zst.sha256.chromautils-x
: >to/.dbx-20200101T000000Z.tar.zst.chromautils-1
at '2026-11-22 03:00:01'
flock -s to fake/bin/chroma-snapshot -q "$db" to
ok 'another one is at work: nothing is cleaned up' \
    [ "$(find to -name '.db-*' | wc -l)" -eq 2 ]
at '2026-11-22 03:00:02'
snapshot -q "$db" to
status_is 'cleaned up' 0
names to >out
out_is 'cleaned up: what is nobody else'"'s" <<!
.db-TIME.tar.zst.sha256.chromautils-x
.dbx-TIME.tar.zst.chromautils-1
db-TIME.tar.zst
db-TIME.tar.zst
db-TIME.tar.zst.sha256
db-TIME.tar.zst.sha256
db-TIME.tar.zst.sha256
!

if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=16k none small 2>/dev/null; then
	run chroma-snapshot "$db" small
	status_is 'a full disk' 4
	ok 'a full disk: said' test -s err
	names small >out
	out_is 'a full disk: leaves nothing' </dev/null
	umount small
fi
run sh -c "exec chroma-snapshot $db to >/dev/full"
status_is 'no place for the receipt' 4
err_is 'no place for the receipt: said' <<!
chroma-snapshot: done, but not all of the receipt could be written
!

# ---- from make ----

rm -rf to
mk=$BUILD_DIR/share/chromautils/maintain.mk
run make -s -f "$mk" snapshot DIR="$db" TO=to KEEP=3 FLAGS='-c empty'
status_is 'maintain.mk snapshot' 0
ok 'maintain.mk snapshot: receipt' [ "$(of .receipt)" = chroma-snapshot ]
ok 'maintain.mk snapshot: FLAGS' [ "$(of '.collections | length')" = 1 ]
run make -s -f "$mk" snapshot DIR="$db"
ok 'maintain.mk snapshot: where to?' grep -q 'TO=... is missing' err
done_testing
