#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What chroma-snap carves and grafts is as good to the Chroma that wrote it as
# the original, and to later ones; also when it is carved while Chroma writes.
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

# judge NAME VERSION OPERATION...: on copies of new/db.
judge() {
	c_name=$1 c_version=$2
	shift 2
	mkdir work
	ok "$c_name: tried $*" with "$c_version" "$T_DIR/chroma/snap.py" \
	    new work "$seed" results "$@"
	sed -n '/^#/p' t_ok.out
	[ ! -e results ] || results "$c_name"
	rm -rf work
}

# Whose turn it is, of a list, by the seed: versions in a row get one after the
# other.  TEST_LONG=1: all of them.
turn() {
	if [ "${TEST_LONG:-}" ]; then
		echo "$*"
		return
	fi
	shift $((seed % $#))
	echo "$1"
}

vary
one=$dim	# as vectors of one directory come into another
for version in $CHROMAS; do
	vary
	dim=$one
	make_dir "$version" new "$seed" "$dim" "$version"
	# shellcheck disable=SC2046
	judge "$version" "$version" $(turn unpack output absent empty one \
	    renamed whole_log) $(turn beside deleted replaced created) \
	    "save=$T_TMP/of-$version"
	mv new "db-$version"
done

for chain in '0.4.24 0.6.3' '0.6.3 1.5.9' '1.0.20 1.5.9' '0.4.4 0.5.5 1.5.9'
do
	vary
	[ "${TEST_LONG:-}" ] || [ $((seed % 2)) -eq 0 ] || continue
	# shellcheck disable=SC2086
	make_dir "$chain" new "$seed" "$dim" $chain
	# shellcheck disable=SC2046
	judge "$chain" "${chain##* }" $(turn beside deleted unpack replaced \
	    created)
	rm -rf new
done

# into FROM TO: of an older Chroma into a newer one's, and not back
into() {
	[ -d "db-$2" ] && [ -d "of-$1" ] || return 0
	mv "db-$2" new
	judge "$1 into $2" "$2" "from=$T_TMP/of-$1"
	mv new "db-$2"
	mv "db-$1" new
	judge "$2 into $1" "$1" "newer=$T_TMP/of-$2"
	mv new "db-$1"
}

for from in $(turn 0.4.24 0.5.5 0.6.3) $(turn 0.5.23 1.0.20 1.3.7); do
	into "$from" 1.5.9
done
for from in $(turn 0.4.24 0.5.5 0.5.23); do
	into "$from" 0.6.3
done
rm -rf of-* db-*

# What chops made: of the archives in ../data/persist.
chops() {
	persist "$1"
	mv "$1" new
	mkdir chops
	for name in "$T_DIR/data/chops/$1"-*.db.zst; do
		file=${name##*/}
		file=${file%.zst}
		zstd -dq -o "chops/$file" "$name"
	done
	cat >chops/list
	judge "chops, $1" "$1" chops="$T_TMP/chops"
	rm -rf new chops
}
chops 0.6.3 <<'EOT'
docs 0.6.3-docs.db
EOT
chops 1.5.9 <<'EOT'
docs 1.5.9-docs.db
default 1.5.9-default.db --space=l2
configured 1.5.9-configured.db --space=cosine
EOT

# live KIND VERSION: Chroma writes all the time
live() {
	vary
	mkdir work
	ok "$2, live: tried $1" with "$2" "$T_DIR/chroma/snaplive.py" "$1" \
	    work "$seed" results "${TEST_LONG:+6}8"
	sed -n '/^#/p' t_ok.out
	[ ! -e results ] || results "$2, live"
	rm -rf work
}
live client "$(seed=$SEED && turn 0.4.24 0.5.5 0.5.23)"
live client 0.6.3
live client "$(seed=$SEED && turn 1.0.20 1.3.7 1.5.9)"
live server 1.5.9

done_testing
