#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Random histories, pruned after every batch: the same answers as without.
# HISTORIES: how many of each Chroma (1).
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

for version in 0.4.24 0.5.5 0.5.23 0.6.3 1.0.20 1.5.9; do
	n=0
	while [ "$n" -lt "${HISTORIES:-1}" ]; do
		n=$((n + 1))
		vary
		mkdir work
		ok "$version: seed $seed" with "$version" \
		    "$T_DIR/chroma/histories.py" work "$seed"
		[ "$t_ok" -ne 0 ] || sed -n '/^#/p' t_ok.out
		rm -rf work
	done
done

done_testing
