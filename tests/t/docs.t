#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# --help, --version and the manual pages say the same, for every program and
# pipeline; README and chromautils(7) name them all.
. "${0%/*}/../lib.sh"

docs=$T_DIR/../docs
version=$(sed -n 's/^VERSION := //p' "$T_DIR/../Makefile")
for bin in "$BUILD_DIR"/bin/chroma-*; do
	p=${bin##*/}
	run "$p" --help
	status_is "$p --help" 0
	no_err "$p --help: nothing on standard error"
	# "-c --collection", or "--skip" alone, in the order of the text
	sed -n 's/^  -\([A-Za-z]\), --\([A-Za-z-]*\).*/\1 \2/p
	    s/^      --\([A-Za-z-]*\).*/- \1/p' out >help
	sed -n 's/^\.It Fl \([A-Za-z]\).* Fl -\([A-Za-z-]*\).*/\1 \2/p
	    s/^\.It Fl -\([A-Za-z-]*\).*/- \1/p' "$docs/man/$p.1" >out
	out_is "$p: manual page and --help list the same options" <help
	ok "$p has options" test -s help
	sort -c -k2 help 2>sorted
	ok "$p: sorted" test ! -s sorted
	run "$p" -h
	status_is "$p -h" 0
	run "$p" --version
	out_is "$p --version" <<!
$p (chromautils) $version
!
	run sh -c "exec $p --help >/dev/full"
	status_is "$p --help on a full disk" 4
	run sh -c "exec $p --version >/dev/full"
	status_is "$p --version on a full disk" 4
	ok "README names $p" grep -q "$p" "$T_DIR/../README.md"
	ok "chromautils(7) names $p" grep -q "$p" "$docs/man/chromautils.7"
	ok "completion for $p" grep -q "$p" "$docs/completions/chromautils.bash"
	# at most 80 columns
	run "$p" --help
	run sh -c "grep -E '.{81}' out >wide"
	status_is "$p --help fits a terminal" 1
done

# each command of chroma-snap has its own --help, with options of the whole
chroma-snap --help | sed -n 's/^  \(-.,\|   \) --\([A-Za-z-]*\).*/\2/p' |
    sort >whole
for c in carve graft verify list; do
	run chroma-snap $c --help
	status_is "chroma-snap $c --help" 0
	ok "chroma-snap $c --help: its own" grep -q "^usage: chroma-snap $c " out
	sed -n 's/^  -\([A-Za-z]\), --\([A-Za-z-]*\).*/\1 \2/p
	    s/^      --\([A-Za-z-]*\).*/- \1/p' out >help
	ok "chroma-snap $c --help: sorted" sort -c -k2 help
	ok "chroma-snap $c --help fits a terminal" not grep -E '.{81}' out
	sed 's/.* //' help >>each
done
sort -u each >out
same 'chroma-snap: --help has what its commands have' whole out
done_testing
