# SPDX-License-Identifier: Apache-2.0
# Completion for chromautils in bash.  It asks each program for its --help, so
# it knows the options of the version that is installed.

# The options of program $1, one a line: "-o --output=FILE", "- --count".
_chromautils_options()
{
	"$1" --help 2>/dev/null | sed -n \
	    -e 's/^  \(-.\), \(--[^ ]*\).*/\1 \2/p' \
	    -e 's/^      \(--[^ ]*\).*/- \1/p'
}

# What option $2 of program $1 must have behind it: FILE, NAME, N ...; nothing
# if it stands alone.
_chromautils_argument()
{
	local short long

	while read -r short long; do
		case $2 in
		"$short" | "${long%%[=[]*}")
			[[ $long == *\[=* || $long != *=* ]] ||
			    printf '%s\n' "${long#*=}" ;;
		esac
	done < <(_chromautils_options "$1")
}

_chromautils()
{
	local program=$1 word=$2 option=$3 kind=''

	# "--option=word" comes as three words
	if [[ ${COMP_WORDS[COMP_CWORD]} == = ]]; then
		word=''
	elif [[ $option == = ]]; then
		option=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	[[ $option != -* ]] || kind=$(_chromautils_argument "$program" "$option")

	COMPREPLY=()
	case $kind,$word in
	,-*)
		mapfile -t COMPREPLY < <(compgen -W "$(
		    _chromautils_options "$program" |
		    sed -e 's/.* //' -e 's/\[.*//' -e 's/=.*/=/')" -- "$word")
		[[ ${COMPREPLY[*]} != *= ]] || compopt -o nospace ;;
	,* | FILE,*)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		compopt -o filenames ;;
	DIR,*)
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		compopt -o filenames ;;
	esac
}

complete -F _chromautils chroma-commit chroma-config chroma-copy \
    chroma-export chroma-hnswbuild chroma-hnswdump chroma-info chroma-prune \
    chroma-rebuild chroma-restore chroma-snap chroma-snapshot chroma-verify \
    chroma-walapply chroma-walexport chroma-walfilter chroma-walprune
