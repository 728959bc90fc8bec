#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-walexport --columns writes, byte for byte, what `chops wal export`
# writes.
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

for version in $CHROMAS; do
	vary
	PURGE_OFF=1
	case $version in
	0.4.* | 0.5.[0-5]) PURGE_OFF= ;;	# which keep everything anyway
	esac
	make_dir "$version" new "$seed" "$dim" "$version"
	# chops dies on rows without a vector
	ok "$version: rows without a vector taken out" sqlite3 \
	    new/db/chroma.sqlite3 'DELETE FROM embeddings_queue WHERE vector IS NULL'
	ok "$version: chops wal export" with chops "$VENVS/chops/bin/chops" \
	    wal export --out by-chops.jsonl --yes new/db
	ok "$version: it wrote something" test -s by-chops.jsonl
	run chroma-walexport --quiet --columns new/db
	status_is "$version: chroma-walexport --columns" 0
	same "$version: the same bytes" by-chops.jsonl out
	rm -rf new by-chops.jsonl
done

done_testing
