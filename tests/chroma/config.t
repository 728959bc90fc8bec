#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Chroma obeys what chroma-config sets: with automatic purging off its log keeps
# every row, with auto it goes as it is written into the index; parameters of the
# index are used and shown as they were set.
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

# fill VENV N: N more records; how many rows the log has then, in the file rows
fill() { with "$1" "$T_DIR/chroma/fill.py" d filled "$2" >rows; }
rows_are() {
	test "$(cat rows)" "$1" "$2" && return
	cat rows
	return 1
}

for version in $CHROMAS; do
	case $version in 0.4.* | 0.5.[0-5]) continue ;; esac
	rm -rf d
	ok "$version: 60 records" fill "$version" 60
	ok "$version: few of them are left in the log" rows_are -lt 60
	few=$(cat rows)
	run chroma-config --purge=off d
	status_is "$version: off" 0
	ok "$version: 100 more" fill "$version" 100
	ok "$version: all are in the log" rows_are -ge 100
	ok "$version: beside those that were" rows_are -le $((100 + few))
	run chroma-config --purge=auto d
	status_is "$version: auto" 0
	ok "$version: 60 more" fill "$version" 60
	ok "$version: the log is purged" rows_are -lt 60
	# where nothing is said, a log with rows in it would mean off
	sqlite3 d/chroma.sqlite3 'DELETE FROM embeddings_queue_config'
	run chroma-config --purge=auto d
	status_is "$version: a row of our own" 0
	ok "$version: 60 more again" fill "$version" 60
	ok "$version: the log is purged again" rows_are -lt 60
	run chroma-config d
	ok "$version: and says so" \
	    jq -se '.[0].automatically_purge == true' out
done

# ---- parameters ----

# ask VERSION WHAT ARG...: setting.py, its answer in the file WHAT
ask() {
	a_version=$1 a_what=$2
	shift 2
	with "$a_version" "$T_DIR/chroma/setting.py" "$a_what" d "$@" >answer &&
	    mv answer "$a_what"
}
ask_all() {
	for name in plain cosine inner; do
		ask "$1" answers "$name" && [ "$(cat answers)" = true ] ||
			return
	done
}
more() { ok "$1" jq -ne "$(cat "$2") > $(cat "$3")"; }

# said VERSION NAME FILTER: what Chroma shows and, up to 0.6.3, has loaded, and
# what chroma-config says
said() {
	run chroma-config -c "$2" d
	ok "$1: $2: chroma-config says so" jq -se ".[1] | $3" out
	case $1 in 0.4.* | 0.5.[0-3]) ;; *)
		ok "$1: $2: shown" ask "$1" shown "$2"
		# 1.0.20 and later show no num_threads and batch_size
		ok "$1: $2: shown as it was set" jq -e \
		    "(if has(\"batch_size\") then . else . + {num_threads:2,batch_size:15} end) | $3" \
		    shown
	esac
	case $1 in 0.*)
		ok "$1: $2: used" ask "$1" used "$2"
		ok "$1: $2: used as it was set" jq -e "$3" used
	esac
}

# try VERSION OPTION...: with these options what is used and shown is new, and
# what is found the same
try() {
	version=$1
	shift
	ok "$version: it answers" ask_all "$version"
	run chroma-config --sync-threshold=30 --resize-factor=1.5 "$@" d
	status_is "$version: $*" 0
	ok "$version: it still does, and the same" ask_all "$version"
	want='.sync_threshold == 30 and .resize_factor == 1.5'
	case $* in *batch-size*) want="$want and .batch_size == 15" ;; esac
	case $* in *num-threads*) want="$want and .num_threads == 2" ;; esac
	said "$version" plain "$want and .space == \"l2\""
	said "$version" cosine "$want"
	case $version in
	0.[45].* | 0.6.*) ;;	# shown as it never was
	*) said "$version" inner "$want and .space == \"ip\"" ;;
	esac
	ok "$version: the index is written every 30 rows" \
	    ask "$version" synced cosine 100 30
	run chroma-config --ef-search=1 -c inner d
	status_is "$version: --ef-search=1" 0
	ok "$version: few candidates" ask "$version" recall inner
	mv recall few
	run chroma-config --ef-search=400 -c inner d
	status_is "$version: --ef-search=400" 0
	ok "$version: many candidates" ask "$version" recall inner
	more "$version: find more" recall few
	said "$version" inner "$want and .ef_search == 400"
	run chroma-config --ef-search=400 -c inner d
	ok "$version: and need no second time" jq -e '.changed == false' out
}

for version in $CHROMAS; do
	rm -rf d
	ok "$version: made" ask "$version" make
	case $version in
	1.0.0) try "$version" --batch-size=15 ;;
	1.[0-2].*)
		run chroma-config --batch-size=15 d
		status_is "$version: no place for batch_size" 1
		run chroma-config --num-threads=2 d
		status_is "$version: nor for num_threads" 1
		try "$version" ;;
	*) try "$version" --batch-size=15 --num-threads=2 ;;
	esac
done

# Born in Python: what 1.x shows, it had wrong before.
for pair in 0.6.3/1.5.9 0.4.24/1.0.20; do
	case " $CHROMAS " in *" ${pair%/*} "*) ;; *) continue ;; esac
	case " $CHROMAS " in *" ${pair#*/} "*) ;; *) continue ;; esac
	rm -rf d
	ok "$pair: made" ask "${pair%/*}" make
	# of the older one, 1.x cannot add documents
	ok "$pair: opened" ask "${pair#*/}" answers cosine
	try "${pair#*/}"
done

done_testing
