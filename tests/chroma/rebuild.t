#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What chroma-rebuild and chroma-commit leave is as good to the Chroma that
# wrote it as what was there, or as was asked: the same records, at the
# distances of the space, as many of the nearest found, and new writes last.
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

# judge NAME VERSION OPERATION...: each on a copy of new/db.
judge() {
	c_name=$1 c_version=$2
	shift 2
	mkdir work
	ok "$c_name: tried $*" with "$c_version" "$T_DIR/chroma/rebuild.py" \
	    new work "$seed" results "$@"
	sed -n '/^#/p' t_ok.out
	[ ! -e results ] || results "$c_name"
	rm -rf work new
}

# Whose turn it is, of a list, by the seed: three versions in a row get another
# space each.
turn() {
	shift $((seed % $#))
	echo "$1"
}

for version in $CHROMAS; do
	vary
	purge_off=
	case $version in
	0.4.* | 0.5.[0-5]) ;;		# never purge by themselves
	*) [ $((seed / 2 % 2)) -eq 0 ] || purge_off=1 ;;
	esac
	PURGE_OFF=$purge_off make_dir "$version${purge_off:+, no purge}" new \
	    "$seed" "$dim" "$version"
	space=$(turn l2 ip cosine)
	case $version-$((SEED % 2)) in	# one era, two versions
	0.5.23-0 | 0.6.3-1) set -- rebuild "$space" ;;
	0.5.23-1 | 0.6.3-0) set -- commit commit-prune parameters ;;
	*) set -- rebuild "$space" commit commit-prune parameters ;;
	esac
	judge "$version" "$version" "$@"
done

for chain in '0.4.24 0.6.3' '0.6.3 1.5.9' '1.0.20 1.5.9' '0.4.4 0.5.5 1.5.9'
do
	vary
	# shellcheck disable=SC2086
	make_dir "$chain" new "$seed" "$dim" $chain
	judge "$chain" "${chain##* }" "$(turn l2 ip cosine)" \
	    "$(turn rebuild commit commit-prune parameters)"
done

done_testing
