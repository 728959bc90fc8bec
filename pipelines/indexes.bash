# SPDX-License-Identifier: Apache-2.0
# indexes.bash - what the pipelines share that put new indexes into a directory.
# Sourced after lib.bash, not run.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154,SC2317	# variables and functions of lib.bash

# index_options [OPTION...] -- ARGUMENT...: the command line.  OPTION: those of
# the pipeline's own that take an argument; take_option, a function of its own,
# gets them as OPTION=ARGUMENT, and others that are not known here.  Leaves dir,
# select, reader, writer and build (options for programs), backup ("": none),
# dry, yes, quiet.
index_options() {
	local takes=" -c --collection --skip --backup --max-memory --threads --tmpdir --wait "
	while [ "$1" != -- ]; do
		takes+="$1 "
		shift
	done
	shift
	local operands=()
	select=() reader=() writer=() backup=default dry="" yes="" quiet=""
	while [ $# -gt 0 ]; do
		# shellcheck disable=SC2154
		help_or_version "$1" "$help"
		if [[ $takes == *" $1 "* ]]; then
			[ $# -gt 1 ] || usage_error "$1: needs an argument"
			set -- "${1/#-c/--collection}=$2" "${@:3}"
		fi
		case $1 in
		--backup=) usage_error "--backup: needs the name of a directory" ;;
		-c?*) select+=("--collection=${1#-c}") ;;
		--collection=* | --skip=*) select+=("$1") ;;
		--backup=* | --no-backup)
			[ "$backup" = default ] || [ "$backup" = "${1#*=}" ] ||
			    usage_error "one --backup, or --no-backup"
			backup=${1#--no-backup} backup=${backup#*=} ;;
		--tmpdir=*) reader+=("$1") build+=("$1") ;;
		--max-memory=* | --threads=*) build+=("$1") ;;
		--assume-stopped | --wait=*) writer+=("$1") ;;
		-n | --dry-run) dry=1 ;;
		-q | --quiet) quiet=1 ;;
		-y | --yes) yes=1 ;;
		-[nqy]?*) set -- "${1:0:2}" "-${1:2}" "${@:2}"; continue ;;
		--) shift; break ;;
		-?*) take_option "$1" || usage_error "$1: unknown option" ;;
		*) operands+=("$1") ;;
		esac
		shift
	done
	set -- "${operands[@]}" "$@"
	[ $# -eq 1 ] || usage_error "wants one DIR"
	dir=$1
	[ -z "$quiet" ] || writer+=(-q)
}

# find_collections: those of DIR that are selected, in ids, with the ids of
# their VECTOR segments, in segments.
find_collections() {
	local lines line
	lines=$(chroma-info -q -j --quick --privacy "${select[@]}" \
	    "${reader[@]}" -- "$dir") || exit $?
	ids=() segments=()
	while read -r line; do
		[[ $line != '{"type":"store"'* ]] || refuse_if_used "$line"
		[[ $line =~ ^'{"type":"collection","id":"'([^\"]*)'"' ]] || continue
		ids+=("${BASH_REMATCH[1]}")
		[[ $line =~ '"vector_segment":"'([^\"]*)'"' ]] || BASH_REMATCH=("" none)
		segments+=("${BASH_REMATCH[1]}")
	done <<<"$lines"
	find_real
	[ "$backup" != default ] || backup=$real.backup
	[ -z "$backup" ] || refuse_inside "$backup"
}

# index_stages I OPTION...: what builds the index of collection I; as
# run_stages.
index_stages() {
	local id=${ids[$1]} how=("${@:2}")
	if [ -n "$backup" ]; then
		how+=("--backup=$backup/${segments[$1]}")
	else
		how+=(--no-backup)
	fi
	produce() {
		chroma-hnswdump -q --graph -b -c "$id" "${reader[@]}" -- "$dir" &&
		    chroma-walexport -q -b -c "$id" "${reader[@]}" -- "$dir"
	}
	consume() {
		chroma-hnswbuild "--install=$dir" -c "$id" "${how[@]}" "${build[@]}"
	}
	run_stages
}

# plan_indexes: what would be done, as text; its last line is "Nothing to do."
# if that is so.  What cannot be done is said on standard error.
plan_indexes() {
	local i said status idle=1
	for i in "${!ids[@]}"; do
		status=0
		said=$(index_stages "$i" -n --text && printf '%s' "$text") ||
		    status=$?
		case $status in
		0) ;;
		3) continue ;;	# its message was shown
		*) exit "$status" ;;
		esac
		case $said in
		*$'\nNothing to do.') printf '%s: nothing to do\n' "${said%%$'\n'*}" ;;
		*) printf '%s\n' "$said"; idle="" ;;
		esac
	done
	[ -z "$idle" ] || printf 'Nothing to do.\n'
}

# install_indexes: one after the other.  Leaves JSON in receipts (objects) and
# refused (ids); what is neither done nor refused ends the script.
install_indexes() {
	local i said status
	receipts="" refused=""
	make_backup "the old indexes"
	for i in "${!ids[@]}"; do
		status=0
		said=$(index_stages "$i" "${writer[@]}" && printf '%s' "$text") ||
		    status=$?
		case $status in
		0) receipts+=${receipts:+,}$said ;;
		3) refused+=${refused:+,}\"${ids[$i]}\" ;;
		*)
			drop_empty_backup
			[ -z "$receipts" ] || printf '%s: done until then: %s\n' \
			    "$me" "$receipts" >&2
			exit "$status" ;;
		esac
	done
	drop_empty_backup
}
