#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A change of space, of each collection to each: with the vectors as they were
# given, which the log has in more digits than a cosine index; so that nothing
# differs from the log afterwards.  Collections without vectors change, too.
. "${0%/*}/../lib.sh"

# vectors DIR: of all collections, rounded
vectors() {
	chroma-info -q --jsonl --quick "$1" | jq -r 'select(.type ==
	    "collection" and .records > 0).id' | sort | while read -r v_id; do
		chroma-hnswdump -q -c "$v_id" "$1" | jq -c \
		    'select(.type == "vector" and (.deleted | not)) |
		    [.collection_id, .id, (.embedding | map(. * 1000 | round))]'
	done | sort
}
spaces() {
	chroma-info -q --jsonl --quick "$1" |
	    jq -r 'select(.type == "collection").space' | sort -u
}

# with a log that is kept whole, and without
for name in 0.4.24 0.6.3-nopurge 0.6.3-to-1.5.9 1.0.20 1.5.9 1.5.9-nopurge; do
	persist "$name"
	run chroma-rebuild -q -y --force --no-backup "$name/db"
	status_is "$name: rebuilt" 0
	no_err "$name: nothing to say about it"
	vectors "$name/db" >before
	for space in ip cosine l2; do
		run chroma-rebuild -q -y --no-backup --space=$space "$name/db"
		status_is "$name: $space" 0
		no_err "$name: $space: nothing to say about it"
		spaces "$name/db" >found
		echo $space >wanted
		same "$name: $space: each has it" wanted found
		vectors "$name/db" >after
		same "$name: $space: the vectors are the same" before after
		run chroma-rebuild --space=$space "$name/db"
		status_is "$name: $space: again" 0
		ok "$name: $space: nothing to do" grep -qx 'Nothing to do\.' out
		run chroma-prune -n "$name/db"
		status_is "$name: $space: no proof fails" 0
		ok "$name: $space: nothing refused" not grep -q refused out err
	done
	rm -rf "$name"
done

done_testing
