#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Make the virtual environments that are missing in $VENVS: VENVS/1.5.9 and so
# on with that Chroma, VENVS/chops with chromadb-ops.  The file `ready` in each
# says that it is complete.  One line for each that was made; nothing when all
# are there.  Needs Python 3.11 or later (PYTHON=… to choose) and a network.
set -euo pipefail

: "${VENVS:?the folder for the virtual environments}"
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=chromas.sh
. "$here/chromas.sh"
export PIP_DISABLE_PIP_VERSION_CHECK=1

# The first of PYTHON, 3.11 (which every Chroma knows) and python3 that will do.
find_python() {
	local p
	for p in "${PYTHON:-}" python3.11 python3; do
		if [ -n "$p" ] && "$p" -c 'import ensurepip, sys, venv
sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
			echo "$p"
			return
		fi
	done
	echo "setup.sh: no Python 3.11 or later with venv and pip" \
	    "(Debian: python3-venv)" >&2
	return 1
}

# What pip installs for a name.
packages() {
	case $1 in
	chops) echo 'chromadb-ops==0.1.5 click==8.1.8 chromadb==0.6.3 numpy<2' ;;
	hnswlib) echo 'hnswlib==0.8.0 numpy<2' ;;
	0.4.[0-9]) echo "chromadb==$1 numpy<2 pydantic<2" ;;
	0.*) echo "chromadb==$1 numpy<2" ;;
	*) echo "chromadb==$1" ;;
	esac
}

make_one() {
	local dir=$VENVS/$1 log=$VENVS/$1.log wanted
	read -ra wanted <<<"$(packages "$1")"
	if "$python" -m venv "$dir" >"$log" 2>&1 &&
	    "$dir/bin/python" -m pip install --quiet "${wanted[@]}" \
	    >>"$log" 2>&1; then
		rm -f "$log"
		touch "$dir/ready"
		echo "made $dir (${wanted[*]})"
	else
		tail -n 5 "$log" >&2
	fi
}

missing=()
for name in $CHROMAS 0.4.4 chops hnswlib; do
	[ -e "$VENVS/$name/ready" ] || missing+=("$name")
done
[ ${#missing[@]} -gt 0 ] || exit 0

python=$(find_python)
mkdir -p "$VENVS"
VENVS=$(cd "$VENVS" && pwd)
for name in "${missing[@]}"; do
	while [ "$(jobs -pr | wc -l)" -ge 2 ]; do	# two at a time
		wait -n || true
	done
	make_one "$name" &
done
wait
for name in "${missing[@]}"; do
	[ -e "$VENVS/$name/ready" ] || {
		echo "setup.sh: could not make $VENVS/$name" >&2
		exit 1
	}
done
