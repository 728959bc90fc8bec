#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What chroma-info shows is what Chroma itself says, and chromadb-ops.
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

# agrees NAME VENV WHO: on a copy, for they write to it
agrees() {
	rm -rf copy
	cp -r new/db copy
	ok "$1" with "$2" "$T_DIR/chroma/info.py" "$3" copy info.jsonl
}

for version in $CHROMAS; do
	vary
	make_dir "$version" new "$seed" "$dim" "$version"
	run chroma-info --jsonl new/db
	status_is "$version: chroma-info" 0
	no_err "$version: silent"
	mv out info.jsonl
	agrees "$version: as Chroma says" "$version" chroma
	case $version in
	0.*) agrees "$version: as chops says" chops chops ;;
	esac
	run chroma-info --deep --jsonl new/db
	status_is "$version: --deep" 0
	mv out info.jsonl
	agrees "$version: --deep, as Chroma says" "$version" chroma
	rm -rf new
done

vary
make_dir upgraded new "$seed" "$dim" 0.4.24 0.6.3
run chroma-info --jsonl new/db
mv out info.jsonl
agrees "0.4.24 to 0.6.3: as Chroma says" 0.6.3 chroma
agrees "0.4.24 to 0.6.3: as chops says" chops chops
ok "and then 1.5.9" with 1.5.9 "$T_DIR/data/persist/make.py" new \
    "$((seed + 2))" "$dim" --upgrade
run chroma-info --jsonl new/db
mv out info.jsonl
agrees "0.4.24 to 0.6.3 to 1.5.9: as Chroma says" 1.5.9 chroma

done_testing
