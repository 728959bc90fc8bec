#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-walexport and chroma-info on directories that real Chromas have just
# made: every record is a row, nothing changes, and Chroma does not mind.
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

for version in $CHROMAS; do
	vary
	make_dir "$version" new "$seed" "$dim" "$version"
	check_reading "$version" new "$version"
	rm -rf new
done

# where Chroma purges by default, the same with the whole log still there
for version in $CHROMAS; do
	case $version in
	0.4.* | 0.5.[0-5]) continue ;;
	esac
	vary
	PURGE_OFF=1 make_dir "$version, no purge" new "$seed" "$dim" "$version"
	check_reading "$version, no purge" new "$version"
	rm -rf new
done

done_testing
