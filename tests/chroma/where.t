#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Random filters select the records that Chroma selects, and are refused where
# it refuses them.  ROUNDS of FILTERS filters each (1, 2000).
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

version=1.5.9
: "${FILTERS:=2000}" "${LOGGED:=400}"

# answers FILE RECORDS [--stored]: ours
answers() {
	"$BUILD_DIR/tests/tools/wherecheck" ${3:+"$3"} "$2" where.filters >"$1"
}

# Chroma refused none of the operations.
took_all() {
	! grep '^whereprobe:' "$1"
}

n=0
while [ "$n" -lt "${ROUNDS:-1}" ]; do
	n=$((n + 1))
	vary
	ok "seed $seed" \
	    python3 "$T_DIR/chroma/wherefuzz.py" make "$seed" "$FILTERS"
	probed=0
	rm -rf db
	with "$version" "$T_DIR/chroma/whereprobe.py" --ops where.ops --dump \
	    --dir db \
	    where.filters >real.all 2>real.err || probed=$?
	ok "seed $seed: $version answers" [ "$probed" -eq 0 ]
	head -n "$FILTERS" real.all >real
	# what get() returned
	tail -n +"$((FILTERS + 1))" real.all >stored
	ok "seed $seed: it took all records" took_all real.err
	answers mine where.ops
	ok "seed $seed: on rows of the log, the same" python3 \
	    "$T_DIR/chroma/wherefuzz.py" compare where.filters mine real
	sed 's/^/# /' t_ok.out
	answers mine stored --stored
	ok "seed $seed: on stored records, the same" python3 \
	    "$T_DIR/chroma/wherefuzz.py" compare where.filters mine real
	# and the whole way, on what the log comes to
	chroma-walexport -q db | chroma-walfilter --latest >latest.jsonl
	head -n "$LOGGED" where.filters >some.filters
	head -n "$LOGGED" real >some.real
	python3 "$T_DIR/chroma/wherelog.py" latest.jsonl some.filters \
	    "$LOGGED" >mine
	ok "seed $seed: on the latest state of the log, the same" python3 \
	    "$T_DIR/chroma/wherefuzz.py" compare some.filters mine some.real
done

done_testing
