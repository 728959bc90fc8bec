#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Chroma obeys what chroma-config sets: with automatic purging off its log keeps
# every row, with auto it goes as it is written into the index.
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

done_testing
