#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Chroma goes on with what a killed prune has left.  (More of that in
# ../t/walprune-kill.t.)
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

# killed NAME VERSION RECLAIM CALL N: a prune of a copy of new/db is killed at
# that call; then VERSION finds everything, and what is left can be pruned
killed() {
	name="$1, --reclaim=$3 killed at $4 $5"
	rm -rf copy
	cp -a new/db copy
	run strace -f -o trace -e "trace=$4" -e "inject=$4:signal=KILL:when=$5" \
	    chroma-walprune --reclaim="$3" copy stream
	ok "$name" grep -q 'killed by SIGKILL' trace
	ok "$name: Chroma finds everything" with "$2" \
	    "$T_DIR/chroma/agree.py" copy new/expected.json
	run chroma-prune -y copy
	status_is "$name: chroma-prune -y" 0
	ok "$name: Chroma finds everything again" with "$2" \
	    "$T_DIR/chroma/agree.py" copy new/expected.json
}

for version in 0.4.24 1.5.9; do
	vary
	PURGE_OFF=
	[ "$version" = 0.4.24 ] || PURGE_OFF=1
	make_dir "$version" new "$seed" "$dim" "$version"
	chroma-walexport -q --prunable new/db >stream
	# half of the new file; all of it; in place, and the old one has no name
	killed "$version" "$version" rewrite pwrite64 20
	killed "$version" "$version" rewrite renameat2 1
	killed "$version" "$version" rewrite unlinkat 1
	# the journal; half of the database; SQLite rolls that back
	killed "$version" "$version" none pwrite64 10
	killed "$version" "$version" none fdatasync 3
	killed "$version" "$version" vacuum fdatasync 4
	killed "$version" "$version" vacuum fdatasync 7
	rm -rf new
done

done_testing
