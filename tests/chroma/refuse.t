#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Where Chroma has lost a vector, chroma-prune leaves the only copy alone, and
# it refuses nothing else.  (More of that in ../t/walprune-refuse.t.)
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

for version in 0.4.24 0.5.5 0.6.3 1.5.9; do
	mkdir work
	ok "$version: tried" with "$version" "$T_DIR/chroma/refuse.py" \
	    work results
	sed -n '/^#/p' t_ok.out
	[ ! -e results ] || results "$version"
	rm -rf work
done

done_testing
