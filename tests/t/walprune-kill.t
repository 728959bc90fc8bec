#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A prune that is killed, or whose system calls fail, or that has no room,
# leaves the old log or the new one, and the next one finds nothing in its way.
. "${0%/*}/../lib.sh"

case ${BUILD-release} in asan | tsan)
	skip_all 'strace and a sanitizer are too slow together' ;;
esac
strace -o /dev/null true 2>/dev/null || skip_all 'no strace here'

persist 0.4.24
persist 1.5.9-nopurge
try() { python3 -B "$T_DIR/t/walprune_kill.py" "$@"; }

for how in rewrite vacuum none; do
	base=0.4.24/db
	[ $how != vacuum ] || base=1.5.9-nopurge/db
	ok "killed, --reclaim=$how" try kill $how $base
	sed -n '/^#/p' t_ok.out
	ok "I/O errors, --reclaim=$how" try fail $how $base
	sed -n '/^#/p' t_ok.out
	if [ "$(id -u)" -eq 0 ] && unshare -m mount -t tmpfs tmpfs /mnt \
	    2>/dev/null; then
		ok "no space, --reclaim=$how" \
		    unshare -m python3 -B "$T_DIR/t/walprune_kill.py" \
		    full $how $base
		sed -n '/^#/p' t_ok.out
	else
		skip "no space, --reclaim=$how" 'takes the right to mount'
	fi
done

# where SQLite cannot say whether the rows are gone, nor can we; the backup stays
chroma-walexport -q --prunable 1.5.9-nopurge/db >stream
rows() { sqlite3 "$1/chroma.sqlite3" 'SELECT count(*) FROM embeddings_queue'; }
all=$(rows 1.5.9-nopurge/db)
uncertain=0
for n in 1 2 3 4 5 6; do
	rm -rf d bak
	cp -a 1.5.9-nopurge/db d
	run strace -f -o /dev/null -e inject=fdatasync:error=EIO:when=$n \
	    chroma-walprune --reclaim=none --backup=bak d stream
	case $status,$(rows d),$(ls bak 2>&1),$(cat err) in
	0,56,bak, | 4,$all,ls*,*"I/O error") good=true ;;
	4,56,bak,*"I/O error; whether the rows are gone is not certain: see to the disk, and run again; the old file is kept as bak")
		good=true uncertain=1 ;;
	*) good=false ;;
	esac
	ok "--backup, fdatasync $n fails: kept while rows may be gone" $good
done
ok '--backup: one of them was the uncertain one' [ $uncertain = 1 ]

# the third fsync is that of the directory, after the rename: it is undone
undo() { # SAID INJECT...
	said=$1
	shift
	rm -rf d
	cp -a 1.5.9-nopurge/db d
	run strace -f -o /dev/null "$@" chroma-walprune --reclaim=rewrite d \
	    stream
	status_is "undone$said: status" 4
	sed -i 's/chromautils-[0-9]*/chromautils-PID/' err
	printf 'chroma-walprune: d/chroma.sqlite3: fsync of its directory: Input/output error%s\n' \
	    "$said" >said.want
	err_is "undone$said: said" <said.want
}
undo '' -e inject=fsync:error=EIO:when=3
ok 'undone: all rows' [ "$(rows d)" = "$all" ]
ok 'undone: no file is left' [ -z "$(find d -name '.chroma*')" ]
undo '; the old file is in its place again, but the disk did not confirm that: see to the disk' \
    -e inject=fsync:error=EIO:when=3+
ok 'undone, not confirmed: all rows' [ "$(rows d)" = "$all" ]
ok 'undone, not confirmed: both files are there' \
    [ "$(find d -name '.chroma*' -size +0 | wc -l)" = 1 ]
undo '; and the old file, which is .chroma.sqlite3.chromautils-PID in its directory now, could not be put back: move it away first, as the next run would remove it: Input/output error' \
    -e inject=fsync:error=EIO:when=3 -e inject=renameat2:error=EIO:when=2
mkdir old
cp d/.chroma* old/chroma.sqlite3
ok 'not undone: the old file has all rows' [ "$(rows old)" = "$all" ]

done_testing
