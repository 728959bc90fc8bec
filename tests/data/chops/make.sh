#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Remake the snapshots in this folder: VENVS=DIR make.sh
# DIR holds two virtual environments of Python 3.11, DIR/chops and DIR/chops1, with
# "chromadb-ops==0.1.5", and "chromadb==0.6.3" in the first, "chromadb==1.5.9" in the second.
# They are of the archives in ../persist; only their times differ from run to run.
set -euo pipefail
umask 022

venvs=${VENVS:?set VENVS to the folder with the virtual environments}
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# make VENV ARCHIVE COLLECTION
make() {
	zstd -dcq "$here/../persist/$2.tar.zst" | tar -x -f - -C "$tmp"
	"$venvs/$1/bin/chops" collection snapshot "$tmp/$2/db" -c "$3" \
	    -o "$tmp/$2-$3.db" -y
	zstd -q -19 -f "$tmp/$2-$3.db" -o "$here/$2-$3.db.zst"
}

make chops 0.6.3 docs
make chops1 1.5.9 docs
make chops1 1.5.9 default
make chops1 1.5.9 configured
