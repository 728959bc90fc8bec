#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An install that is killed, or whose system calls fail, or that has no room,
# leaves the old index or the new one, and the next one finds nothing in its way.
. "${0%/*}/../lib.sh"

case ${BUILD-release} in asan | tsan)
	skip_all 'strace and a sanitizer are too slow together' ;;
esac
strace -o /dev/null true 2>/dev/null || skip_all 'no strace here'

for f in 0.4.24 1.5.9-nopurge; do
	persist "$f"
	chroma-info -q --jsonl "$f/db" | jq -r 'select(.type == "collection"
	    and .name == "ip-vectors").id' >"$f/id"
done
try() { python3 -B "$T_DIR/t/install_kill.py" "$@"; }

# the era, where the old index goes
set -- 1.5.9-nopurge --no-backup 0.4.24 --backup=kept
while [ $# -gt 0 ]; do
	base=$1/db option=$2
	read -r id <"$1/id"
	ok "$1: killed, $2" try kill "$base" "$id" "$option"
	sed -n '/^#/p' t_ok.out
	ok "$1: I/O errors, $2" try fail "$base" "$id" "$option"
	sed -n '/^#/p' t_ok.out
	if [ "$(id -u)" -eq 0 ] && unshare -m mount -t tmpfs tmpfs /mnt \
	    2>/dev/null; then
		ok "$1: no space, $2" \
		    unshare -m python3 -B "$T_DIR/t/install_kill.py" \
		    full "$base" "$id" --no-backup
		sed -n '/^#/p' t_ok.out
	else
		skip "$1: no space, $2" 'takes the right to mount'
	fi
	shift 2
done

# where SQLite can say that nothing is changed, nothing is left behind; where it
# cannot, both are
read -r id <1.5.9-nopurge/id
vector() { sqlite3 "$1/chroma.sqlite3" "SELECT id FROM segments WHERE
    collection = '$id' AND scope = 'VECTOR'"; }
chroma-walexport -qb -c "$id" 1.5.9-nopurge/db >stream
old=$(vector 1.5.9-nopurge/db)
seen=
for n in 1 2 3 4 5 6; do
	rm -rf d
	cp -a 1.5.9-nopurge/db d
	run strace -f -o /dev/null -e inject=fdatasync:error=EIO:when=$n \
	    chroma-hnswbuild -q --install=d -c "$id" --no-backup stream
	now=$(vector d)
	case $status,$(cat err) in
	"4,chroma-hnswbuild: d/chroma.sqlite3: disk I/O error")
		ok "fdatasync $n fails: as before" \
		    diff -r 1.5.9-nopurge/db d
		seen=$seen-old ;;
	"4,chroma-hnswbuild: whether the new index is in place cannot be told, both are there; look at the disk, and run again: d/chroma.sqlite3: disk I/O error")
		ok "fdatasync $n fails: both are there" \
		    [ -e "d/$old/header.bin" ] && [ -e "d/$now/header.bin" ]
		seen=$seen-both ;;
	0,)	ok "fdatasync $n: as it should be" \
		    [ "$now" != "$old" ] && [ ! -e "d/$old" ]
		seen=$seen-new ;;
	*)	ok "fdatasync $n fails: status $status, $(cat err)" false ;;
	esac
done
ok "all of that was seen: $seen" expr "$seen" : '-old.*-old-both-new$'

done_testing
