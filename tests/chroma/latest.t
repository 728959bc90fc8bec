#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What --latest leaves of a log does in a Chroma what the log did.  HISTORIES:
# how many with each Chroma (20; tens of them).
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

for version in 0.4.24 0.5.23 0.6.3 1.0.20 1.5.9; do
	n=0
	while [ "$n" -lt "${HISTORIES:-20}" ]; do
		n=$((n + 10))
		vary
		ok "$version: seed $seed, 10 histories" with "$version" \
		    "$T_DIR/chroma/latest.py" work "$seed" 10
		[ "$t_ok" -ne 0 ] || sed -n '/^#/p' t_ok.out
		rm -rf work
		SEED=$((SEED + 10))
	done
done

done_testing
