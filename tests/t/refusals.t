#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What cannot be read or written is refused with the right status and a message
# that says what to do; nothing is ever taken for success.
. "${0%/*}/../lib.sh"

persist 0.6.3-nopurge p
D=p/db
run chroma-walexport $D
mv out all.jsonl

# ---- no directory, no database ----

refuses 4 'not-there: No such file or directory' chroma-walexport not-there
refuses 4 'not-there/chroma.sqlite3: No such file or directory' \
    chroma-walexport not-there/chroma.sqlite3
mkdir nothing
refuses 4 'nothing: no chroma.sqlite3 in it; a persist dir is the directory that Chroma was given as its path' \
    chroma-walexport nothing
refuses 4 'p: no chroma.sqlite3 in it; there is one in p/db' chroma-walexport p/
touch nothing/chroma-embeddings.parquet
refuses 4 'nothing: no chroma.sqlite3 in it, but files of Chroma 0.3, which had another format' \
    chroma-walexport nothing
refuses 4 'all.jsonl is not a directory; give the persist dir, the one with chroma.sqlite3 in it' \
    chroma-walexport all.jsonl
refuses 4 'p/db/chroma.sqlite3/x: Not a directory' \
    chroma-walexport p/db/chroma.sqlite3/x
mkdir dangling
ln -s nowhere dangling/chroma.sqlite3
refuses 4 'dangling: no chroma.sqlite3 in it; a persist dir is the directory that Chroma was given as its path' \
    chroma-walexport dangling
# a name does not drive the terminal
mkdir "$(printf 'a\033[2Jb\nc')"
refuses 4 'a?[2Jb?c: no chroma.sqlite3 in it; a persist dir is the directory that Chroma was given as its path' \
    chroma-walexport "$(printf 'a\033[2Jb\nc')"

# ---- a file that is something else ----

# instead NAME: make NAME/chroma.sqlite3 of standard input
instead() { mkdir "$1" && cat >"$1/chroma.sqlite3"; }
instead empty </dev/null
refuses 3 'empty/chroma.sqlite3 is empty (0 bytes): a copy that failed, or a Chroma that never wrote; restore it from a backup' \
    chroma-walexport empty
echo 'hello, world' | instead text
refuses 3 'text/chroma.sqlite3: not a SQLite database' chroma-walexport text
head -c 4096 /dev/zero | instead zeros
refuses 3 'zeros/chroma.sqlite3: not a SQLite database' chroma-walexport zeros
head -c 99 $D/chroma.sqlite3 | instead head99
refuses 3 'head99/chroma.sqlite3: not a SQLite database' chroma-walexport head99
instead lfs <<'END'
version https://git-lfs.github.com/spec/v1
oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
size 12345
END
refuses 3 'lfs/chroma.sqlite3 is a Git LFS pointer, not the file itself; fetch it with: git lfs pull' \
    chroma-walexport lfs
mkdir -p dir/chroma.sqlite3 fifo
mkfifo fifo/chroma.sqlite3
refuses 3 'dir/chroma.sqlite3 is not a regular file' chroma-walexport dir
refuses 3 'fifo/chroma.sqlite3 is not a regular file' chroma-walexport fifo
mkdir other
sqlite3 other/chroma.sqlite3 'CREATE TABLE a (b)'
refuses 3 "other/chroma.sqlite3: a SQLite database, but not Chroma's: it has no table migrations" \
    chroma-walexport other
for table in collections segments max_seq_id embeddings embeddings_queue; do
	rm -rf t
	cp -a $D t
	sqlite3 t/chroma.sqlite3 "DROP TABLE $table"
	refuses 3 "t/chroma.sqlite3: no table $table: Chroma did not finish making this database" \
	    chroma-walexport t
done
rm -rf t
cp -a $D t
sqlite3 t/chroma.sqlite3 'ALTER TABLE embeddings_queue RENAME COLUMN vector TO v'
refuses 3 't/chroma.sqlite3: no such column: vector: not the tables of a Chroma that this program knows' \
    chroma-walexport t

# ---- damaged ----

malformed="database disk image is malformed; restore a backup, or salvage the rows with sqlite3's .recover"
size=$(wc -c <$D/chroma.sqlite3)
for n in 100 4096 40000 $((size / 2)) $((size - 4096)); do
	rm -rf t
	mkdir t
	head -c "$n" $D/chroma.sqlite3 >t/chroma.sqlite3
	fingerprint t >before.fp
	refuses 3 "t/chroma.sqlite3: $malformed" chroma-walexport t
	fingerprint t >after.fp
	same "cut to $n bytes: nothing changed" before.fp after.fp
done
# leaves of the log that hold rubbish: what came before them goes out, and no end
cat >rot.py <<'END'
import sqlite3, sys
db = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True)
pages = [p for p, in db.execute("SELECT pageno FROM dbstat WHERE name = "
                                "'embeddings_queue' AND pagetype = 'leaf' "
                                "ORDER BY path")]
size, = db.execute("PRAGMA page_size").fetchone()
db.close()
at = size * (pages[len(pages) // 2] - 1)
with open(sys.argv[1], "r+b") as f:
    f.seek(at)
    f.write(bytes(range(255, 255 - 40, -1)))
END
rm -rf t
cp -a $D t
if python3 rot.py t/chroma.sqlite3 2>dbstat; then
	run chroma-walexport t
	status_is 'a damaged leaf: status' 3
	printf 'chroma-walexport: t/chroma.sqlite3: %s\n' "$malformed" >want.err
	same 'a damaged leaf: message' want.err err
	begins 'a damaged leaf: what came before' all.jsonl out
	ok 'a damaged leaf: no end' not grep -q '^{"type":"end"' out
else
	skip 'a damaged leaf' 'this SQLite has no dbstat'
fi
# any page at all: never a crash, never half a log and status 0
page=0
bad=
step=7
[ -z "${TEST_LONG:-}" ] || step=1
while [ $((page * 4096)) -lt "$size" ]; do
	rm -rf t
	cp -a $D t
	printf '\377\377\377\377\377\377\377\377\377\377\377\377' |
	    dd of=t/chroma.sqlite3 bs=1 seek=$((page * 4096 + 2)) \
	    conv=notrunc 2>/dev/null
	run chroma-walexport -q t
	case $status in
	0) cmp -s all.jsonl out || bad="$bad $page" ;;
	3) ! grep -q '^{"type":"end"' out || bad="$bad $page(end)" ;;
	*) bad="$bad $page($status)" ;;
	esac
	page=$((page + step))
done
ok "pages that begin with rubbish$bad" [ -z "$bad" ]

# ---- index files ----

# only what the log's parts are made of is looked at, and a fault is said
rm -rf t
persist 0.4.24 q
for f in q/db/*/header.bin; do
	h=$(head -c 50 "$f" | base64)
	printf %s "$h" | base64 -d >"$f"
done
run chroma-walexport -q q/db
status_is 'index files cut short: the log is there' 0
run chroma-walexport --pending q/db
status_is 'index files cut short, --pending: status' 0
ok 'index files cut short, --pending: said' grep -qx \
    'chroma-walexport: warning: collection docs: its index is damaged: header.bin: 50 bytes instead of 100: truncated or not an index header' err
printf 'rubbish' >rubbish
for f in q/db/*/index_metadata.pickle; do
	cp rubbish "$f"
done
for part in --prunable --committed --pending; do
	run chroma-walexport -q -c default_tenant/default_database/docs $part q/db
	status_is "no watermark can be read, $part: status" 3
	out_is "no watermark can be read, $part: no stream" </dev/null
	err_is "no watermark can be read, $part: said" <<!
chroma-walexport: collection docs: index_metadata.pickle: +5: remembers from an empty stack; so it cannot be told what is committed: export all rows, or --skip it
!
done
run chroma-walexport -q q/db
status_is 'no watermark can be read: all rows' 0
cp -a $D t
sqlite3 t/chroma.sqlite3 "UPDATE max_seq_id SET seq_id = 'abc'"
run chroma-walexport t
status_is 'watermarks of another kind: the log is there' 0
no_err 'watermarks of another kind: silent'
run chroma-walexport --committed t
status_is 'watermarks of another kind, --committed: status' 0
ok 'watermarks of another kind, --committed: said' grep -qx \
    'chroma-walexport: warning: collection docs: a watermark that no Chroma reads' err

# ---- newer than this program ----

rm -rf t
cp -a $D t
sqlite3 t/chroma.sqlite3 "INSERT INTO migrations VALUES
    ('sysdb', 11, 'x', 'x', 'x'), ('newdb', 1, 'x', 'x', 'x')"
run chroma-walexport t
status_is 'unknown migrations: status' 0
err_is 'unknown migrations' <<'END'
chroma-walexport: warning: t/chroma.sqlite3: migrations newer than this program knows (newdb 1, sysdb 11); reading on
END
ok 'unknown migrations: the rows' [ "$(grep -c '"type":"wal"' out)" -eq \
    "$(grep -c '"type":"wal"' all.jsonl)" ]
# a column more is no hindrance
sqlite3 t/chroma.sqlite3 'ALTER TABLE embeddings_queue ADD COLUMN new TEXT'
run chroma-walexport -q t
status_is 'a column that nobody knows: status' 0
no_err 'unknown migrations, -q'

# ---- what may not be read ----

if [ "$(id -u)" -eq 0 ]; then
	nobody() {
		setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
	}
else
	nobody() { "$@"; }
fi
chmod 755 "$T_TMP"
chmod -R a+rX .
if nobody chroma-walexport -V >/dev/null 2>&1; then
	# kept NAME MESSAGE FILE: nobody may read FILE of the directory
	kept() {
		chmod 000 "$3"
		run nobody chroma-walexport t
		status_is "$1: status" 4
		printf 'chroma-walexport: %s\n' "$2" >want.err
		same "$1: message" want.err err
		ok "$1: no end" not grep -q '^{"type":"end"' out
		chmod 755 "$3"
	}
	# timeout(1) cannot run a function
	run() {
		status=0
		"$@" >out 2>err || status=$?
	}
	rm -rf t
	cp -a $D t
	segment=$(find t -mindepth 1 -maxdepth 1 -type d | sort | head -1)
	kept 'the database' 't/chroma.sqlite3: Permission denied' t/chroma.sqlite3
	kept 'the directory' 't: Permission denied' t
	kept 'a segment' "t: ${segment#t/}: Permission denied" "$segment"
	cp all.jsonl kept.jsonl
	chmod 000 kept.jsonl
	run nobody chroma-walfilter kept.jsonl
	status_is 'a stream: status' 4
	err_is 'a stream' <<'END'
chroma-walfilter: kept.jsonl: Permission denied
END
	mkdir closed
	chmod 555 closed
	run nobody chroma-walfilter -o closed/new all.jsonl
	status_is 'a directory to write to: status' 4
	err_is 'a directory to write to' <<'END'
chroma-walfilter: closed/new: Permission denied
END
	# shellcheck source=tests/lib.sh
	run() {
		status=0
		timeout -s KILL 60 "$@" >out 2>err || status=$?
	}
else
	skip 'what may not be read' 'no way to another user'
fi

# ---- a full disk ----

# full NAME PROGRAM ARG...: standard output is a full disk
full() {
	t_what=$1
	shift
	status=0
	: >out
	timeout -s KILL 60 "$@" >/dev/full 2>err || status=$?
	status_is "/dev/full, $t_what: status" 4
	printf '%s: <stdout>: write: No space left on device\n' "$1" >want.err
	same "/dev/full, $t_what: message" want.err err
}
for o in -q -b -z -bz --columns --embedding=base64 --help --version; do
	full "chroma-walexport $o" chroma-walexport "$o" $D
	case $o in
	--columns) full 'chroma-walfilter --plain' chroma-walfilter --plain all.jsonl ;;
	*) full "chroma-walfilter $o" chroma-walfilter "$o" all.jsonl ;;
	esac
done
full 'chroma-walfilter --count' chroma-walfilter --count all.jsonl
full 'chroma-walfilter -o, its receipt' chroma-walfilter -o receipted all.jsonl
same 'the file is complete even so' all.jsonl receipted

mkdir small
# shellcheck disable=SC2016
if unshare -m sh -c 'mount -t tmpfs -o size=64k none small' 2>/dev/null; then
	status=0
	unshare -m sh -c 'mount -t tmpfs -o size=64k none small || exit 99
	    echo old >small/new
	    chroma-walfilter --force -o small/new all.jsonl
	    st=$?
	    ls -A small; cat small/new; exit $st' >out 2>err || status=$?
	status_is '-o on a full disk: status' 4
	err_is '-o on a full disk' <<'END'
chroma-walfilter: small/new: write: No space left on device
END
	out_is '-o on a full disk: the old file, and nothing else' <<'END'
new
old
END
	rm -rf t
	cp -a $D t
	sqlite3 t/chroma.sqlite3 'PRAGMA journal_mode=WAL' >/dev/null
	head -c 100 /dev/zero >t/chroma.sqlite3-wal
	need=$(($(wc -c <t/chroma.sqlite3) + 100))
	status=0
	unshare -m sh -c 'mount -t tmpfs -o size=64k none small || exit 99
	    chroma-walexport --tmpdir=small t; st=$?; ls -A small; exit $st' \
	    >out 2>err || status=$?
	status_is 'no room for a private copy: status' 4
	printf 'chroma-walexport: a private copy needs %d bytes, small has 65536; name another place with --tmpdir=DIR\n' \
	    "$need" >want.err
	same 'no room for a private copy: message' want.err err
	ok 'no room for a private copy: nothing left' [ ! -s out ]
else
	skip 'a disk that fills up' 'tmpfs cannot be mounted here'
fi

# ---- closed pipes and descriptors ----

cat >pipe.py <<'END'
"""Run a command whose standard output is a pipe that nobody reads; its status
as a shell gives it.  ignore: with SIGPIPE ignored, as some parents leave it."""
import os, signal, subprocess, sys
signal.signal(signal.SIGPIPE, signal.SIG_IGN if sys.argv[1] == "ignore"
              else signal.SIG_DFL)
r, w = os.pipe()
os.close(r)
p = subprocess.run(sys.argv[2:], stdout=w, restore_signals=False)
sys.exit(128 - p.returncode if p.returncode < 0 else p.returncode)
END
for how in default ignore; do
	for o in -q -b -z --columns --help; do
		run python3 pipe.py $how chroma-walexport $o $D
		status_is "closed pipe ($how), chroma-walexport $o" 141
		no_err "closed pipe ($how), chroma-walexport $o: silent"
	done
	for o in -q -b -z --plain --count --help; do
		run python3 pipe.py $how chroma-walfilter $o all.jsonl
		status_is "closed pipe ($how), chroma-walfilter $o" 141
		no_err "closed pipe ($how), chroma-walfilter $o: silent"
	done
done

# shut NAME STATUS MESSAGE: of the run before
shut() {
	status_is "$1: status" "$2"
	printf '%s' "$3" >want.err
	same "$1" want.err err
}
bad='<stdout>: write: Bad file descriptor'
nl='
'
: >out
for o in -q -b -z --columns --help; do
	status=0
	chroma-walexport $o $D >&- 2>err || status=$?
	shut ">&-, chroma-walexport $o" 4 "chroma-walexport: $bad$nl"
done
for o in -q -b -z --plain --count --help; do
	status=0
	chroma-walfilter $o all.jsonl >&- 2>err || status=$?
	shut ">&-, chroma-walfilter $o" 4 "chroma-walfilter: $bad$nl"
done
status=0
chroma-walfilter <&- >out 2>err || status=$?
shut '<&-' 4 "chroma-walfilter: <stdin>: read: Bad file descriptor$nl"
status=0
chroma-walfilter -q -o closed-new all.jsonl <&- >&- 2>&- || status=$?
: >err
status_is 'all three closed' 0
same 'all three closed: the file is what it should be' all.jsonl closed-new
status=0
chroma-walexport $D <&- 2>&- >out || status=$?
status_is '2>&-, <&-' 0
same '2>&-, <&-: the stream is what it should be' all.jsonl out
status=0
chroma-walexport not-there 2>&- >out || status=$?
status_is '2>&- and an error' 4
ok '2>&- and an error: it does not go elsewhere' [ ! -s out ]
status=0
chroma-walfilter </ >out 2>err || status=$?
shut 'a directory as standard input' 4 \
    "chroma-walfilter: <stdin>: read: Is a directory$nl"

# ---- a terminal ----

cat >terminal.py <<'END'
"""Run a command with a terminal as standard output; prints what it showed."""
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.dup2(os.open("err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
                    0o600), 2)
    os.execvp(sys.argv[1], sys.argv[1:])
out = b""
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    out += data
sys.stdout.buffer.write(out)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
# tty ARG...: like run
tty() {
	status=0
	timeout -s KILL 60 python3 terminal.py "$@" >out 2>tty.err || status=$?
}
for p in "chroma-walexport|$D" 'chroma-walfilter|all.jsonl'; do
	name=${p%|*}
	tty "$name" -b "${p#*|}"
	shut "terminal, $name -b" 2 "$name: the binary form does not belong on a terminal; send it to a file, or use --force${nl}Try '$name --help'.$nl"
	ok "terminal, $name -b: nothing shown" [ ! -s out ]
	tty "$name" -z "${p#*|}"
	shut "terminal, $name -z" 2 "$name: zstd does not belong on a terminal; send it to a file, or use --force${nl}Try '$name --help'.$nl"
	tty "$name" -b --force "${p#*|}"
	status_is "terminal, $name -b --force" 0
	tty "$name" "${p#*|}"
	status_is "terminal, $name: status" 0
	tr -d '\r' <out >shown
	same "terminal, $name" all.jsonl shown
done

done_testing
