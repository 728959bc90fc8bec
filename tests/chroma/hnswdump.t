#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-hnswdump gives the bits that get() gives, in each space, also of what
# float32 can hardly hold.
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

for version in $CHROMAS; do
	vary
	ok "$version: made" with "$version" "$T_DIR/chroma/hnswdump.py" make \
	    db "$seed" "$dim"
	# asking may write: a copy
	cp -r db copy
	ok "$version: asked" with "$version" "$T_DIR/chroma/hnswdump.py" ask \
	    copy said
	for space in l2 ip cosine; do
		run chroma-hnswdump db -c "of-$space"
		status_is "$version, $space: status" 0
		no_err "$version, $space: silent"
		mv out dump
		python3 -B "$T_DIR/chroma/hnswdump.py" same db said $space \
		    dump >n 2>why
		r=$?
		t_line "$version, $space: $(cat n) vectors" "$r"
		sed 's/^/# /' why
	done
	rm -rf db copy
done
done_testing
