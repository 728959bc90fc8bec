#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An index that chroma-hnswbuild makes of what chroma-hnswdump gives, in the
# place of Chroma's own: the same vectors, and neighbours that are as good, also
# after a later Chroma has opened it, and after more was written.
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

py=$T_DIR/chroma/hnswbuild.py

# told: ok, and what the command said
told() {
	ok "$@"
	[ "$t_ok" -ne 0 ] || sed 's/^/# /' t_ok.out
}

# rebuild DIR SPACE FLAG NEW
rebuild() {
	{ chroma-hnswdump -q "$3" "$1" -c "of-$2" || echo broken; } |
	    chroma-hnswbuild -q -o "$4"
}

# rebuild_both DIR SPACE FLAG NEW: with the log; what it repeats changes nothing
rebuild_both() {
	{ chroma-hnswdump -q "$3" "$1" -c "of-$2" &&
	    chroma-walexport -q "$3" -c "of-$2" "$1" || echo broken; } |
	    chroma-hnswbuild -q -o "$4"
}

# agree NAME VERSION: new/db gives what old/db gives
agree() {
	ok "$1: asked before" with "$2" "$py" ask old/db was
	ok "$1: asked after" with "$2" "$py" ask new/db now
	# shellcheck disable=SC2086
	told "$1: the same vectors, neighbours as good" \
	    python3 -B "$py" judge was now $rounded
}

# write_more NAME VERSION
write_more() {
	more=$((more + 1))
	ok "$1: more is written" with "$2" "$py" more old/db "$more"
	ok "$1: and to the new one" with "$2" "$py" more new/db "$more"
}

# later VERSION: one after it that can take its directories over
later() {
	case $1 in
	0.4.*) echo 0.6.3 ;;
	0.5.*) echo 1.0.20 ;;
	*) echo 1.5.9 ;;
	esac
}

for version in 0.4.24 0.5.23 0.6.3 1.0.20 1.5.9; do
	vary
	more=0
	mkdir old new
	ok "$version: made" with "$version" "$py" make old/db "$seed" "$dim"
	# its last process stopped, and nothing more is to be moved
	ok "$version: opened" with "$version" "$py" ask old/db was
	cp -a old/db new/db
	cp -a old/db made
	[ $((seed % 2)) -eq 0 ] && flag=-b || flag=-j
	for space in l2 ip cosine; do
		ok "$version, $space: rebuilt" rebuild old/db $space "$flag" built
		ok "$version, $space: put in place" python3 -B "$py" put \
		    new/db of-$space built
		ok "$version, $space: which chroma-hnswdump takes" \
		    chroma-hnswdump -o dump new/db -c of-$space
		for hnswlib in 0.4.24 0.6.3; do
			cp -a built loaded
			told "$version, $space: hnswlib of $hnswlib loads it" \
			    with $hnswlib "$py" load loaded $space dump
			rm -rf loaded
		done
		told "$version, $space: hnswlib of its authors loads it" \
		    with hnswlib "$py" plain built $space dump
		# a dump without them cannot give the stored bits back
		grep -q '"length":' dump && rounded= || rounded=cosine
		rm -rf built dump
	done
	agree "$version" "$version"
	mv new keep
	mkdir new
	cp -a old/db new/db
	for space in l2 ip cosine; do
		ok "$version, $space: rebuilt with the log" \
		    rebuild_both old/db $space "$flag" built
		ok "$version, $space: put in place" python3 -B "$py" put \
		    new/db of-$space built
		rm -rf built
	done
	exact=$rounded
	rounded=cosine	# Chromas from 1.0 sum in another order
	agree "$version, with the log" "$version"
	write_more "$version, with the log" "$version"
	agree "$version, with the log, written to" "$version"
	rounded=$exact
	rm -rf old/db new
	mv keep new
	cp -a made old/db
	next=$(later "$version")
	if [ "$next" != "$version" ]; then
		mkdir keep
		cp -a old new keep
		agree "$version to $next" "$next"
		write_more "$version to $next" "$next"
		agree "$version to $next, written to" "$next"
		rm -rf old new
		mv keep/* .
		rmdir keep
	fi
	write_more "$version" "$version"
	agree "$version, written to" "$version"
	write_more "$version, again" "$version"
	agree "$version, written to again" "$version"
	rm -rf old new made
done

# A vector that the index has lost is in the log yet.
vary
ok 'an id whose vector is lost: made' with 0.4.24 "$py" lose db "$seed" "$dim"
ok 'its index' chroma-hnswdump -q -o dump db -c loses
ok 'its log' sh -c 'chroma-walexport -q -c loses db >log'
ok 'both into an index' sh -c 'cat dump log | chroma-hnswbuild -q -o built'
ok 'dumped' chroma-hnswdump -q -o new --space=l2 built
ok 'the vector of the log is there' python3 -B "$py" lost log dump new
done_testing
