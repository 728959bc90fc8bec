#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What our programs cost beside what others cost: medians of several runs that
# take turns, CPU seconds (user and system) and wall seconds, as ratios (theirs
# by ours; greater is better, but where a line says otherwise).
#
#   BUILD_DIR=DIR VENVS=DIR run.sh [SECTION...]
# with sections columns binary f32 info rss prune walfilter hnsw publish
# snapshot.
#
# RUNS=N (5), RECORDS=N (100000).  Needs 3 GB in TMPDIR, and VENVS as
# tests/chroma/setup.sh makes it; what is not there is left out, with a word.
# Absolute figures are of this machine and this minute: only ratios of one run
# say something.
set -euo pipefail

: "${BUILD_DIR:?where the programs were built}" "${VENVS:?see tests/chroma/setup.sh}"
: "${RUNS:=5}" "${RECORDS:=100000}"
here=$(cd "$(dirname "$0")" && pwd)
export PATH=$BUILD_DIR/bin:$PATH ANONYMIZED_TELEMETRY=False OTEL_SDK_DISABLED=true
export PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1 LC_ALL=C.UTF-8
work=$(mktemp -d "${TMPDIR:-/tmp}/chroma-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT

# ready VENV: whether it is there; says so if not
ready() {
	[ -e "$VENVS/$1/ready" ] && return
	echo "left out: $VENVS/$1 is not there"
	return 1
}

# big NAME VERSION ARGS...: a large directory in $work/NAME
big() {
	local name=$1 version=$2
	shift 2
	[ -e "$work/$name" ] || "$VENVS/$version/bin/python" \
	    "$here/mkbig.py" "$work/$name" "$@" 2>"$work/mkbig.err" || {
		cat "$work/mkbig.err" >&2
		return 1
	}
}

# measure [--before COMMAND] COMMAND...: fills cpu and wall
measure() {
	local i=0 c w before=()
	cpu=() wall=()
	if [ "$1" = --before ]; then
		before=(--before "$2")
		shift 2
	fi
	python3 "$here/measure.py" "${before[@]}" "$RUNS" "$@" >"$work/costs"
	while read -r c w; do
		cpu[i]=$c wall[i]=$w i=$((i + 1))
	done <"$work/costs"
}

divide() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f", a / (b > 0 ? b : 1e-4) }'; }

divide_fine() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

# row WHAT TARGET COMPARISON: of measure's two commands, ours first
row() {
	printf '%-44s %9.3f %9.3f %9.3f %9.3f %7sx %7sx  %s\n' "$1" "${cpu[0]}" \
	    "${cpu[1]}" "${wall[0]}" "${wall[1]}" "$(divide "${cpu[1]}" "${cpu[0]}")" \
	    "$(divide "${wall[1]}" "${wall[0]}")" "$2"
}

head_row() {
	printf '\n%s\n%-44s %9s %9s %9s %9s %8s %8s  %s\n' "$1" '' 'our CPU' 'theirs' \
	    'our wall' 'theirs' 'CPU' 'wall' 'target'
}

d1() {	# as 0.6.3 makes it, which chops can read too
	local v
	for v in 0.6.3 1.5.9; do
		[ -e "$VENVS/$v/ready" ] || continue
		big d1 "$v" "$RECORDS" 384
		return
	done
	ready 0.6.3
}

bench_columns() {
	head_row "$RECORDS records of 384 dimensions: the log as columns"
	d1 || return 0
	measure "chroma-walexport -q --columns $work/d1" \
	    "python3 $here/export_loop.py $work/d1"
	row 'walexport --columns / loop of chops' '>= 8x'
}

bench_binary() {
	head_row "$RECORDS records of 384 dimensions: the log, against reading it"
	d1 || return 0
	measure "chroma-walexport -q --binary $work/d1" \
	    "sqlite3 -readonly $work/d1/chroma.sqlite3 \
	    'SELECT sum(unicode(hex(substr(vector,-1)))) FROM embeddings_queue'"
	row 'walexport --binary / one SELECT' '>= 0.33x'
	measure "chroma-walexport -q $work/d1" \
	    "sqlite3 -readonly $work/d1/chroma.sqlite3 \
	    'SELECT sum(unicode(hex(substr(vector,-1)))) FROM embeddings_queue'"
	row 'walexport (JSONL) / one SELECT' ''
}

bench_f32() {
	printf '\nfloat32 to text (target: ratio >= 8)\n'
	"$BUILD_DIR/tests/bench/bench_f32"
}

bench_info() {
	local chops="$VENVS/chops/bin/python $VENVS/chops/bin/chops db info"
	head_row "$RECORDS records of 384 dimensions: what is in there"
	if ready chops && ready 0.6.3; then
		big d1 0.6.3 "$RECORDS" 384
		measure "chroma-info $work/d1" "$chops $work/d1 2>&1"
		row 'info / chops db info' '>= 10x'
		measure "chroma-info --deep $work/d1" "$chops $work/d1 2>&1"
		row 'info --deep / chops db info' ''
		purged "$RECORDS"
		purged 100
	fi
}

# purged RECORDS: the same where there is no log to count.  chops cannot read
# what 1.5.9 makes, so there it has the directory of 0.6.3 of the same size.
purged() {
	local chops="$VENVS/chops/bin/python $VENVS/chops/bin/chops db info"
	big old 0.6.3 "$1" 384 --purged
	measure "chroma-info $work/old" "$chops $work/old 2>&1"
	row "info / chops db info, $1 records, purged" '>= 100x'
	if ready 1.5.9; then
		big new 1.5.9 "$1" 384 --purged
		measure "chroma-info $work/new" "$chops $work/old 2>&1"
		row "the same, ours on a directory of 1.5.9" '>= 100x'
	fi
	rm -rf "$work/old" "$work/new"
}

# peak WHAT COMMAND
peak() {
	local c w marks
	python3 "$here/measure.py" --peak "$2" >"$work/costs"
	read -r c w marks <"$work/costs"
	printf '%-44s %9.3f %9.3f  %s\n' "$1" "$c" "$w" "$marks"
}

bench_rss() {
	local d=$work/d1536
	printf '\n%s records of 1536 dimensions: peak memory (target: < 32 MiB each)\n' \
	    "$RECORDS"
	ready 1.5.9 || return 0
	big d1536 1.5.9 "$RECORDS" 1536 --no-index
	printf '%-44s %9s %9s  %s\n' "$(du -sm "$d" | cut -f 1) MiB" CPU wall 'MiB of each'
	peak 'walexport' "chroma-walexport -q $d"
	peak 'walexport --embedding=base64' "chroma-walexport -q --embedding=base64 $d"
	peak 'walexport --columns' "chroma-walexport -q --columns $d"
	peak 'walexport --binary' "chroma-walexport -qb $d"
	peak 'walexport --zstd' "chroma-walexport -qz $d"
	peak 'walexport --binary --zstd' "chroma-walexport -qbz $d"
	peak 'walexport --binary | walfilter' "chroma-walexport -qb $d | chroma-walfilter -q"
	peak 'walexport --binary | walfilter --jsonl' \
	    "chroma-walexport -qb $d | chroma-walfilter -qj"
	peak 'walexport | walfilter --binary' "chroma-walexport -q $d | chroma-walfilter -qb"
	peak 'walexport | walfilter --embedding=base64' \
	    "chroma-walexport -q $d | chroma-walfilter -q --embedding=base64"
	peak 'walexport --zstd | walfilter' "chroma-walexport -qz $d | chroma-walfilter -q"
	peak 'walexport -bz | walfilter --binary --zstd' \
	    "chroma-walexport -qbz $d | chroma-walfilter -qbz"
	peak 'info' "chroma-info $d"
	rm -rf "$d"
	if d1; then
		peak 'info --deep, 384 dimensions, with an index' "chroma-info --deep $work/d1"
	fi
}

# pruned NAME: chroma-prune on a fresh copy each time, beside each peer that can
# read it, and beside copying and syncing what stays.
pruned() {
	local d=$work/$1 p=$work/copy fresh peer
	fresh="rm -rf $p; cp -r $d $p; sync"
	shift
	rm -rf "$work/stays"
	bash -c "$fresh"
	chroma-prune -qy "$p"
	mv "$p" "$work/stays"
	for peer; do
		case $peer in
		vacuum) measure --before "$fresh" "chroma-prune -qy $p" \
		    "$VENVS/1.5.9/bin/chroma vacuum --path $p --force 2>&1"
			row 'prune / chroma vacuum' '>= 2x wall' ;;
		*) ready "$peer" || continue
			measure --before "$fresh" "chroma-prune -qy $p" \
			    "$VENVS/$peer/bin/python $VENVS/$peer/bin/chops wal clean $p --yes 2>&1"
			row "prune / chops wal clean ($peer)" '>= 4x wall' ;;
		esac
	done
	measure --before "$fresh; rm -rf $work/limit; sync" "chroma-prune -qy $p" \
	    "cp $work/stays/chroma.sqlite3 $work/limit; sync $work/limit"
	row 'prune / cp and sync of what stays' ''
	rm -rf "$p" "$work/stays" "$work/limit"
}

bench_prune() {
	head_row "$RECORDS records of 1536 dimensions, all of the log but a row goes"
	if ready 1.5.9; then
		big d1536 1.5.9 "$RECORDS" 1536
		pruned d1536 vacuum chops1
		rm -rf "$work/d1536"
	fi
	head_row "$RECORDS records of 384 dimensions (0.6.3), the same"
	if ready 0.6.3; then
		big d1 0.6.3 "$RECORDS" 384
		pruned d1 chops
	fi
}

# against FILE FORM TARGET: one stream, our options and what jq needs for the same
against() {
	measure "chroma-walfilter -q --count --operation=DELETE $1" \
	    "jq -c 'select(.operation == \"DELETE\")' $1"
	row "operation, $2 / jq" "$3"
	measure "chroma-walfilter -q --count --id=id-77 $1" \
	    "jq -c 'select(.id == \"id-77\")' $1"
	row "id, $2 / jq" "$3"
	measure "chroma-walfilter -q --count --operation=DELETE $1" \
	    "grep -c '\"operation\":\"DELETE\"' $1 || :"
	row "operation, $2 / grep -c" '>= 0.33x'
	measure "chroma-walfilter -q --count --where='{\"k\":{\"\$gt\":5}}' $1" \
	    "jq -c 'select(.metadata.k > 5)' $1"
	row "where, $2 / jq" '>= 10x'
}

bench_walfilter() {
	local n=$((RECORDS / 5))
	head_row "$n records of 384 dimensions as JSONL"
	d1 || return 0
	chroma-walexport -q --to-seq-id="$n" "$work/d1" >"$work/arrays.jsonl"
	chroma-walexport -q --to-seq-id="$n" --embedding=base64 "$work/d1" \
	    >"$work/base64.jsonl"
	against "$work/arrays.jsonl" arrays '>= 25x'
	against "$work/base64.jsonl" base64 '>= 8x'
	measure "chroma-walfilter -q --latest $work/base64.jsonl" \
	    "cat $work/base64.jsonl"
	row '--latest, base64 / cat' ''
	local kind
	for kind in --count '--count --latest'; do
		printf '%-44s %s\n' "peak of $kind, MiB" "$(python3 "$here/measure.py" \
		    --peak "chroma-walfilter -q $kind $work/arrays.jsonl" | tr '\n' ' ')"
	done
}

# The index beside hnswlib, compiled here and as Chroma ships it.  MINI: a .npy
# of real embeddings.
bench_hnsw() {
	"$here/setup.sh" || return 0
	"$VENVS/hnswlib-native/bin/python" "$here/hnsw.py" \
	    --work="$work/hnsw" --rounds="$RUNS" --kernels=avx2 \
	    ${MINI:+--mini="$MINI" mini} emb "emb:${RECORDS}x768" uni dup \
	    tight nrm nrmip
}

# published WHAT [OPTION...]: rebuild and commit, from the directory to the
# directory, on vectors of one kind, in the era that chops can work on.
published() {
	local what=$1 p=$work/copy half=$((RECORDS / 2)) fresh ask
	local chops="$VENVS/chops/bin/python $VENVS/chops/bin/chops"
	shift
	big whole 0.6.3 "$RECORDS" 384 "$@"
	fresh="rm -rf $p $p.backup; cp -r $work/whole $p; sync"
	measure --before "$fresh" "chroma-rebuild -qy --force $p" \
	    "$chops hnsw rebuild $p -c big -y 2>&1"
	row "rebuild, $what / chops hnsw rebuild" '>= 8x CPU'
	rm -rf "$work/whole"
	big logged 0.6.3 "$half" 384 --no-index "$@"
	fresh="rm -rf $p $p.backup; cp -r $work/logged $p; sync"
	measure --before "$fresh" "chroma-commit -qy $p" \
	    "$chops wal commit $p --yes 2>&1"
	row "commit, $what / chops wal commit" '>= 8x CPU'
	ask="import chromadb; chromadb.PersistentClient('$p').get_collection('big').query(query_embeddings=[[0.1] * 384], n_results=10)"
	measure --before "$fresh" "chroma-commit -qy $p" \
	    "$VENVS/0.6.3/bin/python -c \"$ask\" 2>&1"
	row "commit, $what / Chroma, first query" '>= 6x CPU'
	rm -rf "$work/logged" "$p" "$p.backup"
}

# A rebuild of RECORDS and a commit of half as many.  VECTORS: a .npy of float32,
# RECORDS x 384, for a second time; VECTORS_ONLY=1: for that alone.
bench_publish() {
	head_row "$RECORDS records of 384 dimensions: rebuild; half of them: commit"
	ready chops && ready 0.6.3 || return 0
	[ -n "${VECTORS_ONLY:-}" ] || published gaussian
	[ -z "${VECTORS:-}" ] || published VECTORS "--vectors=$VECTORS"
}

# A directory of RECORDS, written to a file: its collection by chops, all of it
# by tar and zstd; and what our snapshot holds by the same two.
bench_snapshot() {
	local d=$work/whole out=$work/out
	head_row "$RECORDS records of 384 dimensions, the log kept: a snapshot"
	ready chops || return 0
	big whole 0.6.3 "$RECORDS" 384
	measure --before "rm -rf $out*; sync" \
	    "chroma-snap carve -q -z -f $out.tar.zst $d" \
	    "$VENVS/chops/bin/chops collection snapshot -c big $d -o $out.db -y 2>&1"
	row 'carve -z / chops collection snapshot' '>= 3x CPU, 4x wall'
	measure --before "rm -rf $out*; sync" \
	    "chroma-snap carve -q -z -f $out.tar.zst $d" \
	    "tar -C $work -c whole | zstd -qT2 -3 >$out.t; sync $out.t"
	row 'carve -z / tar | zstd -T2 of the directory' '>= 0.77x wall'
	measure --before "rm -rf $out*; sync" \
	    "chroma-snap carve -q -z --log=all -f $out.tar.zst $d" \
	    "tar -C $work -c whole | zstd -qT2 -3 >$out.t; sync $out.t"
	row 'carve -z --log=all / the same' '>= 0.77x wall'
	rm -rf "$out"*
	chroma-snap carve -q -o "$out.d" "$d"
	measure --before "rm -f $out.t*; sync" \
	    "chroma-snap carve -q -z -f $out.tar.zst $d" \
	    "tar -C $out.d -c . | zstd -qT2 -3 >$out.t; sync $out.t"
	row 'carve -z / tar | zstd -T2 of what it holds' '>= 0.77x wall'
	rm -rf "$out"*
	chroma-snap carve -q -z -f "$out.tar.zst" "$d"
	chroma-snap carve -q -z --log=all -f "$out.all.zst" "$d"
	"$VENVS/chops/bin/chops" collection snapshot -c big "$d" -o "$out.db" -y \
	    >"$out.log" 2>&1
	printf 'bytes: carve %s, --log=all %s, chops %s; %s of chops (<= 0.65)\n' \
	    "$(stat -c %s "$out.tar.zst")" "$(stat -c %s "$out.all.zst")" \
	    "$(stat -c %s "$out.db")" "$(divide_fine "$(stat -c %s "$out.tar.zst")" \
	    "$(stat -c %s "$out.db")")"
	measure --before "rm -rf $out.d; sync" \
	    "chroma-snap graft -q $out.d $out.tar.zst" \
	    "mkdir $out.d; tar --zstd -x -C $out.d -f $out.tar.zst; sync"
	row 'graft into nothing / tar --zstd -x; sync' ''
	rm -rf "$d" "$out"*
}

for section in "${@:-columns binary f32 info rss prune walfilter hnsw publish snapshot}"; do
	for s in $section; do
		"bench_$s"
	done
done
