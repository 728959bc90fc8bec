#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Remake the archives in this folder: VENVS=DIR make.sh [NAME...]
# DIR holds one virtual environment per Chroma version, DIR/1.5.9/bin/python and so on, each made
# with Python 3.11 and "chromadb==VERSION", before 1.0 with "numpy<2", 0.4.4 with "pydantic<2" too.
# Without NAMEs all are made. Ids of collections and segments are random and there are times in the
# databases, so the archives come out different each time; the records do not.
set -euo pipefail
umask 022

venvs=${VENVS:?set VENVS to the folder with the virtual environments}
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
only=" $* "
dim=8

# make NAME SEED "FLAGS" VERSION...: by the first version, upgraded by the others with the seeds after
make() {
	local name=$1 seed=$2 flags=$3 version
	shift 3
	[ "$only" = "  " ] || [[ $only == *" $name "* ]] || return 0
	echo "$name"
	for version; do
		# shellcheck disable=SC2086
		"$venvs/$version/bin/python" "$here/make.py" "$tmp/$name" "$seed" "$dim" $flags
		seed=$((seed + 1))
		flags=--upgrade
	done
	tar -C "$tmp" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf - "$name" |
		zstd -q -19 -f -o "$here/$name.tar.zst"
	rm -rf "${tmp:?}/$name"
}

make 0.4.4  101 "" 0.4.4
make 0.4.24 102 "" 0.4.24
make 0.5.0  103 "" 0.5.0
make 0.5.5  104 "" 0.5.5
make 0.5.23 105 "" 0.5.23
make 0.6.3  106 "" 0.6.3
make 1.0.0  107 "" 1.0.0
make 1.0.20 108 "" 1.0.20
make 1.1.1  109 "" 1.1.1
make 1.3.7  110 "" 1.3.7
make 1.5.9  111 "" 1.5.9

make 0.6.3-nopurge 201 --purge-off 0.6.3
make 1.3.7-nopurge 202 --purge-off 1.3.7
make 1.5.9-nopurge 203 --purge-off 1.5.9

make 0.4.24-to-0.6.3          310 "" 0.4.24 0.6.3
make 0.4.4-to-0.5.5-to-1.5.9  320 "" 0.4.4 0.5.5 1.5.9
make 0.6.3-to-1.5.9           330 "" 0.6.3 1.5.9
make 1.0.20-to-1.5.9          340 "" 1.0.20 1.5.9
