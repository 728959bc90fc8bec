#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Whatever call fails, a program says so and ends with 3 or 4, or it manages
# without; it never crashes and never takes half a result for a whole one.
. "${0%/*}/../lib.sh"

case ${BUILD-release} in asan | tsan)
	skip_all 'a sanitizer wants to be loaded first' ;;
esac
[ -e "$BUILD_DIR/tests/tools/faultio.so" ] || skip_all 'faultio.so is not built'

TMPDIR=$T_TMP/tmp
mkdir "$TMPDIR"
export TMPDIR
# an IO error, no space, no descriptors left
EIO=5 ENOSPC=28 EMFILE=24

persist 0.4.24 p
D=p/db
cp -a $D wal
sqlite3 wal/chroma.sqlite3 'PRAGMA journal_mode=WAL' >/dev/null
cp -a wal work
python3 - <<'END'
import shutil, sqlite3
db = sqlite3.connect("work/chroma.sqlite3")
db.execute("DELETE FROM embeddings_queue WHERE seq_id = 267")
db.commit()
shutil.copytree("work", "frames")
END
rm -f frames/chroma.sqlite3-shm
for d in $D frames; do
	run chroma-walexport "$d"
	status_is "$d: status" 0
	mv out "${d%/*}.jsonl"
done
mv p.jsonl all.jsonl
ok 'the two differ' not cmp -s all.jsonl frames.jsonl
run chroma-walexport -b $D
mv out all.bin
run chroma-walexport --prunable $D
mv out prunable.jsonl
zstd -q -o all.bin.zst all.bin
run chroma-walfilter -z all.jsonl
mv out all.jsonl.zst

fault() { python3 -B "$T_DIR/t/faults.py" "$@"; }

# ---- one call that fails ----

fingerprint p >before.fp
fingerprint frames >before.frames
for op in read open stat alloc dir write; do
	e=$EIO
	[ $op != write ] || e=$ENOSPC
	[ $op != open ] || e=$EMFILE
	ok "walexport: $op" fault $op -e $e -p -w all.jsonl chroma-walexport $D
	ok "walexport, private copy: $op" fault $op -e $e -p -w frames.jsonl \
	    chroma-walexport frames
done
for op in read open alloc; do
	ok "walexport without locks: $op" fault $op -p -w all.jsonl \
	    chroma-walexport wal
	ok "walexport --prunable: $op" fault $op -p -w prunable.jsonl \
	    chroma-walexport --prunable $D
done
for op in alloc write; do
	ok "walexport -z: $op" fault $op -w all.jsonl.zst \
	    chroma-walexport -z $D
	ok "walexport -b: $op" fault $op -p -w all.bin chroma-walexport -b $D
done
fingerprint p >after.fp
fingerprint frames >after.frames
same 'nothing changed' before.fp after.fp
same 'nothing changed beside a -wal' before.frames after.frames

# (that nothing comes after the end record, a last read has to say)
for op in read open alloc write; do
	ok "walfilter: $op" fault $op -p -c all.jsonl chroma-walfilter all.jsonl
	ok "walfilter, zstd to JSONL: $op" fault $op -p -c all.jsonl \
	    chroma-walfilter -j all.bin.zst
done
for op in alloc write; do
	ok "walfilter -z: $op" fault $op all.jsonl.zst \
	    chroma-walfilter -z all.jsonl
	ok "walfilter -b: $op" fault $op -p all.bin chroma-walfilter -b all.jsonl
done
# more than fits into memory, so that a file for records is there
python3 -B "$T_DIR/t/latest.py" rows 33000 rows.jsonl
head -c 32 /dev/zero >key
run chroma-walfilter --latest --limit=1000 rows.jsonl
status_is 'walfilter --latest: status' 0
mv out latest.jsonl
run chroma-walfilter --redact=names,ids,documents --key-file=key all.jsonl
status_is 'walfilter --redact: status' 0
mv out redacted.jsonl
printf '%s\n' 1 2 3 >ids
run chroma-walfilter -v --ids-from=ids --where='{"i":9}' all.jsonl
status_is 'walfilter --where: status' 0
mv out where.jsonl
for op in read open alloc write; do
	e=$EIO
	[ $op != write ] || e=$ENOSPC
	ok "walfilter --latest: $op" fault $op -e $e -p -c latest.jsonl \
	    chroma-walfilter --latest --limit=1000 rows.jsonl
	ok "walfilter --redact: $op" fault $op -p -c redacted.jsonl \
	    chroma-walfilter --redact=names,ids,documents --key-file=key \
	    all.jsonl
done
for op in read alloc; do
	ok "walfilter --where: $op" fault $op -p -c where.jsonl \
	    chroma-walfilter -v --ids-from=ids --where='{"i":9}' all.jsonl
done
# a file appears whole or not at all (the receipt comes after it)
mkdir to
for op in open read alloc write sync name dir stat; do
	ok "walfilter -o: $op" fault $op -o to/new all.jsonl \
	    chroma-walfilter -q -j -o to/new all.bin
	ok "walfilter -o: $op: nothing else lies there" \
	    [ "$(ls -A to)" = new ]
done
ok 'walfilter -o: the receipt' fault write -o to/new all.jsonl \
    chroma-walfilter -o to/new all.jsonl

# a directory, too
rm -rf to
mkdir to
python3 -B "$T_DIR/t/hnswbuild.py" vectors 600 8 1 copies >elements
run chroma-hnswbuild -q --threads=1 --space=cosine -o to/new elements
status_is 'hnswbuild: status' 0
cat to/new/* >index
for op in open read alloc write sync name dir stat; do
	e=$EIO
	[ $op != write ] || e=$ENOSPC
	[ $op != open ] || e=$EMFILE
	ok "hnswbuild: $op" fault $op -e $e -d to/new index \
	    chroma-hnswbuild -q --threads=1 --space=cosine -o to/new elements
done
# five files, their directory, and the one that it gets its name in
for n in 1 5 6 7 8; do
	rm -rf to/new hit
	run env FAULTIO_OP=sync FAULTIO_N=$n FAULTIO_LOG=hit \
	    LD_PRELOAD="$BUILD_DIR/tests/tools/faultio.so" \
	    chroma-hnswbuild -q --threads=1 -o to/new elements
	case $n in
	[1-6]) want=4 why='to/new: fsync: ' ;;
	7) want=4 why='to/new: fsync of its directory: ' ;;
	*) want=0 why= ;;
	esac
	status_is "hnswbuild: fsync $n" $want
	ok "hnswbuild: fsync $n: $why" [ "$(sed 's/: Input.*/: /' err)" = \
	    "${why:+chroma-hnswbuild: $why}" ]
	ok "hnswbuild: fsync $n: what is there" [ "$(ls -A to)" = \
	    "$([ $n -lt 7 ] || echo new)" ]
done
rm -rf to/new
ok 'hnswbuild: the receipt' fault write -d to/new index \
    chroma-hnswbuild --threads=1 --space=cosine -o to/new elements

# ---- short and interrupted calls ----

# through OP WANT COMMAND...
through() {
	t_op=$1 t_bytes=$2
	shift 2
	run env FAULTIO_OP="$t_op" \
	    LD_PRELOAD="$BUILD_DIR/tests/tools/faultio.so" "$@"
	status_is "$t_op, $*: status" 0
	no_err "$t_op, $*: silent"
	same "$t_op, $*" "$t_bytes" out
}
for op in short eintr; do
	through $op all.jsonl chroma-walexport $D
	through $op frames.jsonl chroma-walexport frames
	through $op all.bin chroma-walexport -b $D
	through $op all.jsonl chroma-walfilter all.jsonl
	through $op all.jsonl chroma-walfilter -j all.bin
	through $op all.bin chroma-walfilter -b all.jsonl.zst
	through $op redacted.jsonl chroma-walfilter \
	    --redact=names,ids,documents --key-file=key all.jsonl
	rm -rf to/new
	run env FAULTIO_OP=$op LD_PRELOAD="$BUILD_DIR/tests/tools/faultio.so" \
	    chroma-hnswbuild -q --threads=1 --space=cosine -o to/new elements
	cat to/new/* >out
	same "$op: hnswbuild" out index
	through $op where.jsonl chroma-walfilter -v --ids-from=ids \
	    --where='{"i":9}' all.jsonl
done

done_testing
