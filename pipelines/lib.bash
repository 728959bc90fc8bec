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

# check_sha256 FILE: it is what FILE.sha256 says, if there is one.  Says what is
# wrong; 3, or 4 where one of them cannot be read.
check_sha256() {
	local file=$1 want sum
	[ -e "$file.sha256" ] || return 0
	want=$(head -c 200 <"$file.sha256" | tr -d '\0') || return 4
	want=${want%%[[:space:]]*}
	want=${want#\\}
	if ! [[ $want =~ ^[0-9A-Fa-f]{64}$ ]]; then
		printf '%s: %s.sha256: no SHA-256 in it\n' "$me" "$file" >&2
		return 3
	fi
	sum=$(sha256sum <"$file") || return 4
	[ "${sum%% *}" = "${want,,}" ] || {
		printf '%s: %s: not what %s.sha256 says: damaged, or another file\n' \
		    "$me" "$file" "$file" >&2
		return 3
	}
}

# json_string TEXT: it as JSON.
json_string() {
	local text=$1 char code backslash=\\
	text=${text//"$backslash"/"$backslash$backslash"}
	text=${text//'"'/"$backslash\""}
	while [[ $text =~ [[:cntrl:]] ]]; do
		char=${BASH_REMATCH[0]}
		printf -v code '%su%04x' "$backslash" "'$char"
		text=${text//"$char"/"$code"}
	done
	printf '"%s"' "$text"
}

# find_real: what DIR (in dir; its database may be named in its place) really
# is, in real.
find_real() {
	real=$dir
	[ ! -f "$real" ] || real=$(dirname -- "$real" && printf x)
	[ ! -f "$dir" ] || real=${real%$'\nx'}
	real=$(realpath -m -- "$real" && printf x)
	real=${real%$'\nx'}
}

# refuse_inside PATH: the end, if it lies in DIR.
refuse_inside() {
	case $(realpath -m -- "$1")/ in
	"${real%/}"/*) die 2 "$1 is inside $dir, where other tools would delete it" ;;
	esac
}

# refuse_if_used LINE: the end, if LINE of chroma-info says that somebody has
# DIR, and nobody is to be waited for (--wait in writer): soon, and not after
# the work.
# shellcheck disable=SC2154
refuse_if_used() {
	[ -z "$dry" ] && [[ "${writer[*]}" != *--wait=* ]] || return 0
	[[ $1 =~ '"in_use_by":['([^]]+)']' ]] || return 0
	die 5 "$dir is in use by $(sed -e 's/[{}"]//g' -e 's/pid://g' -e \
	    's/,command:\([^,]*\)/ (\1)/g' -e 's/,/, /g' <<<"${BASH_REMATCH[1]}"): stop it first"
}

# ask_for PLAN: show it; the end if that is all ($dry), or nobody says yes.
ask_for() {
	printf '%s\n' "$1" 2>/dev/null ||
	    die 4 "the plan could not be written; nothing was changed"
	[ -z "$dry" ] || exit 0
	confirm "Go ahead?"
}

# make_backup WHAT: the directory for what is replaced, as open to others as DIR.
# drop_empty_backup: it goes again if nothing came into it.
make_backup() {
	made=""
	[ -n "$backup" ] && ! [ -d "$backup" ] || return 0
	mkdir -- "$backup" || die 4 "no place for $1; nothing was changed"
	made=1
	[ -d "$real" ] || return 0
	chmod --reference="$real" -- "$backup" || true
	chown --reference="$real" -- "$backup" 2>/dev/null || true
}

drop_empty_backup() {
	[ -z "$made" ] || rmdir -- "$backup" 2>/dev/null || true
}

# print_receipt MEMBERS: unless --quiet.
print_receipt() {
	[ -z "$quiet" ] || return 0
	printf '{"receipt":"%s",%s,"seconds":%s}\n' "$me" "$1" "$SECONDS" \
	    2>/dev/null || die 4 "done, but not all of the receipt could be written"
}
