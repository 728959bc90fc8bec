#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-walapply and each Chroma, on the same pending log: the same tables.
# HISTORIES: how many random histories of each (1).
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

# pending DO [all] VERSION...: made by all of these in turn, judged by the last
pending() {
	p_do=$1
	shift
	p_all=
	[ "$1" != all ] || { p_all=all; shift; }
	p_name="$* $p_do"
	for p_version; do
		vary
		ok "$p_name: made by $p_version, seed $seed" with "$p_version" \
		    "$T_DIR/chroma/walapply.py" make work "$seed" $p_all
	done
	vary
	ok "$p_name: seed $seed" with "$p_version" \
	    "$T_DIR/chroma/walapply.py" "$p_do" work "$seed"
	[ "$t_ok" -ne 0 ] || sed -n '/^#/p' t_ok.out
	rm -rf work
}

n=0
while [ "$n" -lt "${HISTORIES:-1}" ]; do
	n=$((n + 1))
	for version in $CHROMAS; do
		pending judge "$version"
	done
	pending judge 0.4.24 0.6.3
	pending judge all 0.4.24 0.6.3 1.5.9
	pending judge all 0.6.3 1.0.20
	pending judge all 0.6.3 1.5.9
	pending judge 1.3.7 1.5.9
done

# what 0.4.4 left in the full-text table kills 1.5.9 at its first writes
vary
for version in 0.4.4 0.5.5; do
	ok "revived: made by $version" with $version \
	    "$T_DIR/chroma/walapply.py" make work "$seed" all
done
ok "revived: seed $seed" with 1.5.9 "$T_DIR/chroma/walapply.py" revive work "$seed"
[ "$t_ok" -ne 0 ] || sed -n '/^#/p' t_ok.out

done_testing
