# SPDX-License-Identifier: Apache-2.0
# lib.bash - what the pipelines share.  Sourced, not run.
# shellcheck shell=bash

me=${0##*/}
version=$(chroma-walexport --version)
version=${version##* }

# die STATUS MESSAGE...
die() {
	local status=$1
	shift
	printf '%s: %s\n' "$me" "$*" >&2
	exit "$status"
}

# usage_error MESSAGE...: the command line is wrong.
usage_error() {
	printf "%s: %s\nTry '%s --help'.\n" "$me" "$*" "$me" >&2
	exit 2
}

# help_or_version WORD TEXT: print and exit if WORD asks for either.
help_or_version() {
	case $1 in
	-h | --help) printf '%s\n' "$2" || exit 4; exit 0 ;;
	-V | --version) printf '%s (chromautils) %s\n' "$me" "$version" || exit 4
		exit 0 ;;
	esac
}

# run_stages: run `produce | consume`, two functions of the pipeline.  Leaves
# what the consumer printed in $text, and its status, 0 or 1, in $answer.  Ends
# the script with the status of the stage that failed by itself; only that
# one's messages are shown, because the other's (a stream without end, a closed
# pipe) are its consequence.
run_stages() {
	local both producer notes
	notes=$(mktemp) || die 4 "no place for a temporary file"
	both=$(
		set +e
		exec 3>&2
		produce 2>&3 | consume 2>"$notes"
		printf '\n%s' "${PIPESTATUS[*]}"
	)
	read -r producer answer <<<"${both##*$'\n'}"
	text=${both%$'\n'*}
	text=${text%$'\n'}
	if [ "$producer" -ne 0 ] && [ "$producer" -ne 141 ]; then
		rm -f -- "$notes"
		exit "$producer"
	fi
	cat -- "$notes" >&2
	rm -f -- "$notes"
	[ "$answer" -le 1 ] || exit "$answer"
	[ "$producer" -eq 0 ] || exit "$producer"
}

# confirm QUESTION: asks on the terminal; without one, or without a yes, ends
# with status 2.
confirm() {
	local word
	if ! [ -t 0 ] || ! [ -t 2 ]; then
		die 2 "nothing was changed: there is no terminal to ask on; -y goes ahead without asking"
	fi
	printf '%s [y/N] ' "$1" >&2
	read -r word || word=
	case $word in
	[yY] | [yY][eE][sS]) ;;
	*) die 2 "nothing was changed" ;;
	esac
}

# put_sha256 FILE: FILE.sha256 beside it, complete or not at all; prints the
# sum.  `sha256sum -c` in that directory checks it.
put_sha256() {
	local file=$1 dir name sum tmp
	dir=$(dirname -- "$file")
	name=$(basename -- "$file")
	sum=$(sha256sum <"$file") || return 4
	sum=${sum%% *}
	tmp=$dir/.$name.sha256.chromautils-$$
	if ! printf '%s  %s\n' "$sum" "$name" >"$tmp" || ! sync -- "$tmp" ||
	    ! mv -fT -- "$tmp" "$file.sha256" || ! sync -- "$dir"; then
		rm -f -- "$tmp"
		return 4
	fi
	printf '%s\n' "$sum"
}
