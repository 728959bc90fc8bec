#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-hnswbuild --install: another index in the place of a collection's, and
# nothing else; or nothing, and why.
. "${0%/*}/../lib.sh"

check() { python3 -B "$T_DIR/t/install.py" "$@"; }

# of FILTER: the receipt through jq
of() { jq -c "$1" out; }

# fresh_copy BASE: the directory d
fresh_copy() {
	rm -rf d
	cp -a "$1/db" d
}

# streams DIR ID [DUMP-OPTION...]: both of them, in the file stream
streams() {
	{ chroma-hnswdump -b -c "$@" && chroma-walexport -qb -c "$1" "$2"; } \
	    >stream
}

install() { run chroma-hnswbuild --threads=1 "$@"; }

# ---- every era ----

every_persist >names
while read -r f; do
	persist "$f"
	fresh_copy "$f"
	chroma-info -q --jsonl d |
	    jq -r 'select(.type == "collection") | [.id, .vector_segment,
	    .space, .dimension // 0, .wal.newest_seq_id // 0,
	    .vector_seq_id // 0] | @tsv' >collections
	n=0
	while read -r id old space dim newest h; do
		n=$((n + 1))
		name="$f, $n"
		rm -rf before
		cp -a d before
		streams "$id" d --graph
		[ "$newest" -gt "$h" ] || newest=$h
		install -n --install=d -c "$id" stream
		mv out planned
		planned=$status
		install --install=d -c "$id" --no-backup stream
		ok "$name: --dry-run ends in the same way" \
		    [ "$status" = "$planned" ]
		if [ "$dim" = 0 ]; then
			status_is "$name: no vectors yet" 3
			ok "$name: nothing changed" diff -r before d
			continue
		fi
		status_is "$name: status" 0
		no_err "$name: silent"
		ok "$name: right" check right before d "$id" "$space" "$newest"
		read -r new <t_ok.out
		of '[.collection_id, .installed, .vector_segment.before,
		    .vector_segment.after, .vector_seq_id.before // 0,
		    .vector_seq_id.after, .space, .dimension]' >got
		printf '["%s",true,"%s","%s",%s,%s,"%s",%s]\n' "$id" "$old" "$new" \
		    "$h" "$newest" "$space" "$dim" >want
		same "$name: receipt" want got
		jq -c 'del(.dry_run, .seconds, .memory, .bytes, .installed,
		    .vector_segment.after)' planned >want
		of 'del(.seconds, .bytes, .copies, .levels, .degree, .reachable,
		    .recall, .exact, .installed, .vector_segment.after)' >got
		same "$name: the receipt of --dry-run" want got
		# again: the same vectors, from the index alone
		[ "${TEST_LONG-}" ] || [ "$n" = 1 ] || continue
		rm -rf before
		cp -a d before
		chroma-hnswdump -b -c "$id" d >stream
		run chroma-hnswbuild -q --threads=2 --install=d -c "$id" \
		    --no-backup stream
		status_is "$name: again: status" 0
		ok "$name: again: right" check right before d "$id" "$space" \
		    "$newest"
	done <collections
	run chroma-info -q --deep --jsonl d
	ok "$f: sound, and without pending rows" [ "$(jq -c 'select(.type ==
	    "collection" and .dimension != null) | .index.fault, .wal.pending
	    // 0' out | sort -u | tr '\n' ' ')" = '0 null ' ]
	case $f in
	0.4.24 | 1.5.9-nopurge) ;;
	*) rm -rf "$f" ;;
	esac
done <names

done_testing
