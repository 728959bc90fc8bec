#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Install what building and testing need and the machine lacks: with apt-get
# where that is possible, else one line says what to install.  Asks nothing,
# and does nothing when all is there.
#
# deps.sh [chroma]: "chroma" also what the tests against real Chromas need.
set -euo pipefail

# command or header, and the Debian package that has it
need_command='gcc:gcc make:make prove:perl jq:jq zstd:zstd sqlite3:sqlite3
    pkg-config:pkg-config strace:strace shellcheck:shellcheck mandoc:mandoc
    groff:groff-base tar:tar python3:python3'
need_header='stdio.h:libc6-dev sqlite3.h:libsqlite3-dev zstd.h:libzstd-dev
    zlib.h:zlib1g-dev'
missing=()

for pair in $need_command; do
	command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
for pair in $need_header; do
	printf '#include <%s>\n' "${pair%%:*}" |
	    "${CC:-cc}" -E -x c - >/dev/null 2>&1 || missing+=("${pair#*:}")
done
if [ "${1:-}" = chroma ]; then
	python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
fi
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null && sudo -n true 2>/dev/null && as_root=(sudo -n)
fi
if ! command -v apt-get >/dev/null ||
    { [ "$(id -u)" != 0 ] && [ ${#as_root[@]} -eq 0 ]; }; then
	printf 'Please install: %s (names of Debian packages)\n' \
	    "${missing[*]}" >&2
	exit 1
fi
printf 'Installing %s\n' "${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq >/dev/null
"${as_root[@]}" apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >/dev/null
