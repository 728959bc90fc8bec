#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Make $VENVS/hnswlib-native: chroma-hnswlib compiled for this very processor
# (-O3 -march=native, as its setup.py does), and numpy.  For hnsw.py; needs a
# C++ compiler, Python's headers and a network.
set -euo pipefail

: "${VENVS:?the folder for the virtual environments}"
dir=$VENVS/hnswlib-native
[ ! -e "$dir/ready" ] || exit 0
export PIP_DISABLE_PIP_VERSION_CHECK=1
unset HNSWLIB_NO_NATIVE CFLAGS CXXFLAGS
mkdir -p "$VENVS"
"${PYTHON:-python3}" -m venv "$dir"
"$dir/bin/python" -m pip install --quiet numpy
"$dir/bin/python" -m pip install -v --no-deps --no-cache-dir \
    --no-binary chroma-hnswlib chroma-hnswlib==0.7.6 >"$dir/log" 2>&1 || {
	tail -n 5 "$dir/log" >&2
	exit 1
}
grep -q -e -march=native "$dir/log" || {
	echo "setup.sh: hnswlib was not compiled with -march=native" >&2
	exit 1
}
rm "$dir/log"
touch "$dir/ready"
echo "made $dir"
