#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Nothing is pruned or put in place under a Chroma, be it there before or come
# meanwhile.
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

for version in 0.6.3 1.5.9; do
	vary
	PURGE_OFF=1 make_dir "$version" new "$seed" "$dim" "$version"
	mkdir work
	ok "$version: tried" with "$version" \
	    "$T_DIR/chroma/prune_server.py" new "$T_TMP/work" results
	sed -n '/^#/p' t_ok.out
	[ ! -e results ] || results "$version"
	rm -rf work new
done

done_testing
