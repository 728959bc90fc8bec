#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-walprune removes nothing that it cannot prove to be somewhere else: it
# refuses such a collection as a whole and prunes the others.  And it refuses
# none without need.
. "${0%/*}/../lib.sh"

damage() { python3 -B "$T_DIR/t/damage.py" "$@"; }

# of FILTER: the receipt through jq
of() { jq -r "$1" out; }

# fresh_copy BASE: the directory d, and the stream that would prune it
fresh_copy() {
	rm -rf d
	cp -a "$1/db" d
}

# others NAME COLLECTION_ID: all but that one are pruned to the last row
others() {
	run chroma-walexport -q --prunable --embedding=none d
	jq -r 'select(.type == "wal").collection_id' out | sort -u >left
	printf '%s\n' "$2" | cmp -s - left
	t_line "$1: the others are pruned" $?
}

# index_of DIR: what lies in it but the database
index_of() { (cd "$1" && find . -path './*/*' -type f -exec sha256sum {} + | sort); }

# log_rows COLLECTION_ID: its rows in d
log_rows() {
	sqlite3 -readonly d/chroma.sqlite3 "SELECT seq_id, operation, id,
	    hex(vector), metadata, created_at FROM embeddings_queue
	    WHERE topic LIKE '%/$1'"
}

# refused BASE WHAT WHY [PLACE]: WHAT of damage.py was done to the collection
# docs; the receipt says WHY (a regular expression)
refused() {
	name="$1, $2"
	fresh_copy "$1"
	damage "$2" d docs ${4:+"$4"} >ids
	id=$(sqlite3 d/chroma.sqlite3 "SELECT c.id FROM collections c JOIN
	    databases d ON c.database_id = d.id WHERE c.name = 'docs' AND
	    d.tenant_id || '/' || d.name =
	    '${4:-default_tenant/default_database}'")
	chroma-walexport -q --prunable d >stream
	log_rows "$id" >rows
	index_of d >index
	content d >rest
	run chroma-walprune d stream
	status_is "$name: status" 1
	of ".collections[] | select(.collection_id == \"$id\") |
	    [.refused, .purged, .kept_refused > 0, .ids_total] | @tsv" >got
	printf 'true\t0\ttrue\t%s\n' "$(wc -l <ids)" >want
	# of a damaged index, it is enough to say that
	[ -s ids ] || sed -i 's/[0-9]*$/N/' want got
	same "$name: refused as a whole" want got
	ok "$name: it says why" expr "$(of ".collections[] |
	    select(.collection_id == \"$id\").why")" : "$3"
	while read -r t_id; do
		ok "$name: id in the receipt" [ "$(of ".collections[] |
		    select(.collection_id == \"$id\").ids[]" |
		    grep -cxF "$t_id")" = 1 ]
		ok "$name: id on standard error" grep -qF \
		    "$(printf '%s' "$t_id" | jq -Rs .)" err
	done <ids
	log_rows "$id" >rows.after
	same "$name: its rows stay" rows rows.after
	index_of d >index.after
	same "$name: no index file changes" index index.after
	content d >rest.after
	same "$name: nothing but the log changes" rest rest.after
	others "$name" "$id"
	case $2 in unapplied_vector | cut) refused_again "$@" ;; esac
}

# refused_again BASE WHAT: nothing else is left to prune in d; and then, all or
# nothing
refused_again() {
	chroma-walexport -q --prunable d >stream
	fingerprint d >before
	run chroma-walprune d stream
	status_is "$name: again" 1
	fingerprint d >after
	same "$name: again: no byte changes" before after
	fresh_copy "$1"
	damage "$2" d docs >ids
	chroma-walexport -q --prunable d >stream
	fingerprint d >before
	run chroma-walprune --all-or-nothing d stream
	status_is "$name: --all-or-nothing" 3
	fingerprint d >after
	same "$name: --all-or-nothing: no byte changes" before after
}

# allowed NAME: d is pruned to the last row, and no collection refused
allowed() {
	chroma-walexport -q --prunable d >stream
	content d >rest
	run chroma-walprune d stream
	status_is "$1" 0
	ok "$1: none refused" [ "$(of '[.collections[] |
	    select(.refused)] | length')" = 0 ]
	content d >rest.after
	same "$1: nothing but the log changes" rest rest.after
	run chroma-walexport -q --prunable d
	ok "$1: nothing prunable is left" [ "$(wc -l <out)" = 2 ]
}

bases='0.4.24 1.5.9-nopurge'
for base in $bases; do
	persist "$base"
done

for base in $bases; do
	refused "$base" unapplied_add 'live by the log, but not among the records\|1 id: '
	refused "$base" unapplied_delete '1 id: deleted by the log'
	refused "$base" unapplied_vector '1 id: the log has a newer vector'
	refused "$base" zero_vector '1 id: the log has a newer vector'
	refused "$base" zero_length '1 id: the log has a newer vector'
	refused "$base" no_record '1 id: live by the log'
	refused "$base" forgotten 'its index is damaged: '
	refused "$base" deleted '1 id: live, but without a vector'
	refused "$base" cut 'its index is damaged: '
	refused "$base" zeros 'its index is damaged: '
	refused "$base" no_vector_stays '1 id: the log has a newer vector'
	refused "$base" unapplied_update '1 id: the log has a change that was'
	refused "$base" emptied 'a watermark above the newest row of the log'
	refused "$base" two_segments 'it has two segments of one kind'
	refused "$base" in_memory 'its vector segment is of a type that keeps'
done
refused 0.4.24 same_topic 'another collection has the same topic'
# (in 0.4.24, an index without a pickle has no watermark: nothing is prunable)
for what in no_pickle no_index; do
	refused 1.5.9-nopurge $what '[0-9]* ids: live, but without a vector'
	fresh_copy 0.4.24
	damage $what d docs
	allowed "0.4.24, $what"
done
refused 1.5.9-nopurge other_id '2 ids: the log has a newer vector'
refused 1.5.9-nopurge deleted '1 id: live, but without a vector' acme/wiki

# ---- streams ----

# changes_nothing NAME COMMAND...: status 3, and no byte of d changes
changes_nothing() {
	name=$1
	shift
	fingerprint d >before
	run "$@"
	status_is "$name" 3
	fingerprint d >after
	same "$name: no byte changes" before after
}

for base in $bases; do
	# a row of a deleted id goes, and an older one of it stays
	fresh_copy "$base"
	damage older_of_deleted d docs >ids
	read -r numbers <ids
	last=${numbers##* }
	id=${numbers%% [0-9]*}
	chroma-walexport -q --from-seq-id="$last" --to-seq-id="$last" d >stream
	run chroma-walprune d stream
	status_is "$base, a DELETE without its ADD" 1
	ok "$base, a DELETE without its ADD: says the id" \
	    [ "$(of '.collections[].ids[]')" = "$id" ]
	ok "$base, a DELETE without its ADD: it stays" [ "$(sqlite3 \
	    d/chroma.sqlite3 "SELECT count(*) FROM embeddings_queue WHERE
	    seq_id = $last")" = 1 ]
	# the other way round there is no harm in it
	first=${numbers#"$id" }
	first=${first%% *}
	chroma-walexport -q --from-seq-id="$first" --to-seq-id="$first" d >stream
	run chroma-walprune d stream
	status_is "$base, the ADD without its DELETE" 0
	ok "$base, the ADD without its DELETE: gone" \
	    [ "$(of .wal_entries_purged)" = 1 ]

	# the number of a row that was exported is that of another one now
	for what in reissue reissue_vector; do
		fresh_copy "$base"
		chroma-walexport -q --prunable d >stream
		n=$(damage $what d docs)
		changes_nothing "$base, $what" chroma-walprune d stream
		ok "$base, $what: says which" grep -q \
		    "seq_id $n is another row in d/chroma.sqlite3" err
	done
	# without vectors there is none to compare
	fresh_copy "$base"
	chroma-walexport -q --prunable --identity d >stream
	damage reissue d docs >/dev/null
	changes_nothing "$base, --identity, reissue" chroma-walprune d stream
done
fresh_copy 0.4.24
chroma-walexport -q --prunable 1.5.9-nopurge/db >stream
changes_nothing 'of another directory' chroma-walprune d stream
chroma-walexport -q --prunable d >stream
sed '$d' stream >cut.stream
changes_nothing 'no end record' chroma-walprune d cut.stream
changes_nothing 'no end record, standard input' \
    sh -c 'chroma-walprune d <cut.stream'
sed '3d' stream >short.stream
changes_nothing 'an end record that counts wrong' chroma-walprune d short.stream
changes_nothing 'nothing' chroma-walprune d /dev/null
printf 'key' >key
chroma-walfilter -q --redact=ids --key-file=key stream >redacted 2>/dev/null
if [ -s redacted ]; then
	changes_nothing 'redacted' chroma-walprune d redacted
fi

# ---- what must not be refused ----

for base in $(every_persist); do
	persist "$base"
	fresh_copy "$base"
	allowed "$base"
	rm -rf "${base:?}"
done
for base in $bases; do
	persist "$base"
	for what in add_of_live add_alone add_alone_then_update; do
		fresh_copy "$base"
		damage $what d docs
		allowed "$base, $what"
	done
	# rows of collections that are gone: only when asked for, and never the
	# newest
	fresh_copy "$base"
	damage dead d docs
	chroma-walexport -q d >whole
	allowed "$base, dead topics"
	ok "$base, dead topics: stay" [ "$(sqlite3 d/chroma.sqlite3 "SELECT
	    count(*) FROM embeddings_queue WHERE topic LIKE '%-4000-%'")" = 3 ]
	run chroma-walprune --dead-topics d whole
	status_is "$base, --dead-topics" 0
	ok "$base, --dead-topics: but the newest" [ "$(sqlite3 \
	    d/chroma.sqlite3 "SELECT group_concat(id) FROM embeddings_queue
	    WHERE topic LIKE '%-4000-%'")" = 'dead 2' ]
done

# watermarks that are ahead of the log
fresh_copy 1.5.9-nopurge
newest=$(damage ahead d configured)
log_rows % >rows
chroma-walexport -q -c configured d >stream
run chroma-walprune d stream
status_is 'watermarks ahead' 1
log_rows % >rows.after
same 'watermarks ahead: no row goes' rows rows.after
ok 'watermarks ahead: not the newest either' [ "$(sqlite3 d/chroma.sqlite3 \
    'SELECT max(seq_id) FROM embeddings_queue')" = "$newest" ]

# whoever chose the topic
fresh_copy 0.4.24
damage own_topic d docs
chroma-walexport -q --prunable --dead-topics d >stream
run chroma-walprune --dead-topics d stream
status_is 'a topic without an id, --dead-topics' 0
ok 'a topic without an id: its rows stay' [ "$(sqlite3 d/chroma.sqlite3 \
    "SELECT count(*) > 20 FROM embeddings_queue WHERE topic LIKE '%/z'")" = 1 ]

# all rows but the last one go
persist 1.5.9-nopurge
fresh_copy 1.5.9-nopurge
chroma-walexport -q -c configured d >stream
run chroma-walprune d stream
status_is 'a whole log' 0
ok 'a whole log: but the boundary' [ "$(of '.collections[] |
    select(.collection == "configured") | [.purged, .kept] | @csv')" = '39,1' ]
ok 'a whole log: no reason' [ "$(of '.collections[] |
    select(.collection == "configured").why')" = null ]

# nothing was ever persisted
fresh_copy 1.5.9-nopurge
chroma-walexport -q -c default d >stream
fingerprint d >before
run chroma-walprune d stream
status_is 'never persisted' 0
fingerprint d >after
same 'never persisted: no byte changes' before after
ok 'never persisted: commit would help' expr "$(of '.collections[] |
    select(.collection == "default").why')" : '.*chroma-commit'

done_testing
