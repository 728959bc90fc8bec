#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What chroma-prune leaves is as good to the Chroma that wrote it as what was
# there: the same answers, and new writes last.
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

seq_ids() {
	sqlite3 -readonly "$1/chroma.sqlite3" \
	    'SELECT seq_id FROM embeddings_queue' | sort
}

# judge NAME VERSION: prune new/db, and ask VERSION.
judge() {
	cp -a new/db twin
	python3 "$T_DIR/t/rows.py" part new/db prunable >unsorted
	sort unsorted >prunable
	seq_ids new/db >before.ids
	content new/db >before
	run chroma-prune -y new/db
	status_is "$1: chroma-prune -y" 0
	content new/db >after
	same "$1: only rows of the log went" before after
	seq_ids new/db | comm -23 before.ids - >went
	same "$1: all that are prunable, and no other" prunable went
	fingerprint new/db >before
	run chroma-prune -y new/db
	status_is "$1: again" 0
	ok "$1: nothing was left to do" grep -q '"wal_entries_purged":0,' out
	run chroma-prune new/db
	status_is "$1: nothing to ask about" 0
	ok "$1: and it says so" grep -qx 'Nothing to do\.' out
	fingerprint new/db >after
	same "$1: no byte changes" before after
	ok "$1: Chroma compared them" with "$2" "$T_DIR/chroma/prune.py" \
	    new/db twin new/expected.json "$seed" results
	sed -n '/^#/p' t_ok.out
	results "$1"
	rm -rf new twin
}

for version in $CHROMAS; do
	vary
	make_dir "$version" new "$seed" "$dim" "$version"
	judge "$version" "$version"
	case $version in
	0.4.* | 0.5.[0-5]) continue ;;	# never purge by themselves
	esac
	vary
	PURGE_OFF=1 make_dir "$version, no purge" new "$seed" "$dim" "$version"
	judge "$version, no purge" "$version"
done

for chain in '0.4.24 0.6.3' '0.6.3 1.5.9' '1.0.20 1.5.9' '0.4.4 0.5.5 1.5.9'
do
	vary
	# shellcheck disable=SC2086
	make_dir "$chain" new "$seed" "$dim" $chain
	judge "$chain" "${chain##* }"
done

done_testing
