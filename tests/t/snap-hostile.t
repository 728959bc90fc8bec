#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap-hostile.t - what a snapshot of a stranger can do: be refused.
. "${0%/*}/../lib.sh"
hostile() { python3 -B "$T_DIR/t/snaphostile.py" "$@"; }

# said: the message of the last run, without program, file and place
said() {
	sed -n '1s/^[a-z-]*: //; 1s/^[^:]*: *//; 1s/^+[0-9]*: //; p' err
}

# refused NAME MESSAGE: the last run ended with 3 and said that, and no more
refused() {
	t_ok=0
	{ [ "$status" -eq 3 ] && [ ! -s out ] &&
	    [ "$(said | tr '\033' '?')" = "$2" ]; } || t_ok=1
	t_line "$1" "$t_ok"
	[ "$t_ok" -eq 0 ] || printf '# status %s\n# said   %s\n# wanted %s\n' \
	    "$status" "$(said)" "$2"
}

# fresh: the directory "to", empty
fresh() { rm -rf to && mkdir to; }

# ---- sound ones, of every era ----

for name in $(every_persist); do
	persist "$name"
	hostile sound "$name/db" "$name.tar" || exit 99
	zstd -q "$name.tar"
	fresh
	run unpackcheck "$name.tar.zst" to
	status_is "$name" 0
	mv out whole
	run unpackcheck "$name.tar.zst"
	status_is "$name: only looked at" 0
	same "$name: the same is said" whole out
	hostile sound to "$name.2.tar" || exit 99
	same "$name: what was unpacked is the same" "$name.tar" "$name.2.tar"
	rm -f "$name"*.tar "$name.tar.zst"
done

# ---- hostile ones ----

mkdir cases
hostile cases 1.5.9/db cases >list || exit 99
ok 'there are cases' test "$(wc -l <list)" -ge 90
while IFS='	' read -r name want; do
	fresh
	run unpackcheck "cases/$name.tar" to
	refused "$name: $want" "$want"
	# what can be seen without the database and the indexes
	case $name in
	d-* | i-* | stranger | metadata-segment) want_skim=0 ;;
	m-index_bytes | m-segment) want_skim=3 ;;
	m-twice | m-less | m-more | m-era | m-*[a-z]_seq_id | m-rows | \
	    m-name | m-tenant | m-database | m-dimension | m-space | m-M | \
	    m-ef_* | m-records | m-metadata_segment) want_skim=0 ;;
	*) want_skim=3 ;;
	esac
	run unpackcheck "cases/$name.tar"
	case $name in stranger | metadata-segment) want_skim=3 ;; esac
	status_is "$name: only looked at" "$want_skim"
done <list

# ---- cut, padded, flipped ----

hostile sound 0.6.3/db good.tar
step=49
[ "${TEST_LONG:-}" ] && step=13
ok 'cut, padded, flipped: refused' hostile sweep "$step" good.tar \
    unpackcheck - {}
ok 'cut, padded, flipped: seen without unpacking' hostile sweep "$step" \
    good.tar unpackcheck -
zstd -q good.tar
ok 'cut, padded, flipped, as zstd' hostile sweep "$step" good.tar.zst \
    unpackcheck - {}

# ---- what chops made ----

for file in "$T_DIR"/data/chops/*.zst; do
	fresh
	name=${file##*/}
	run unpackcheck "$file" to
	status_is "$name" 0
	ok "$name: one collection" grep -q '^1 collections, .*, of chops$' out
	ok "$name: the stream itself is gone" not test -e to/snapshot.sqlite3
	run unpackcheck "$file"
	status_is "$name: only looked at" 0
done
zstd -dcq "$T_DIR/data/chops/0.6.3-docs.db.zst" >chops.db
size=$(wc -c <chops.db)
ok 'cut, padded: refused' hostile pages chops.db unpackcheck - {}
head -c 8192 chops.db >cut.db
refuses 3 "cut.db: 8192 bytes, but its first page says $size: truncated" \
    unpackcheck cut.db
cat chops.db chops.db >more.db
fresh
run unpackcheck more.db to
refused 'more' "$((2 * size)) bytes or more, but its first page says $size"

# ---- much of little ----

most=48
case ${BUILD:-release} in asan | tsan) most=4096 ;; esac
hostile million 600000 | zstd -q >many.tar.zst
fresh
ok 'half a million members' hostile within $most unpackcheck many.tar.zst to
fresh
hostile files 20000 1.5.9/db | zstd -q >files.tar.zst
ok 'many members behind a database' hostile within $most \
    unpackcheck files.tar.zst to
ok 'none of them is there' test "$(find to -mindepth 1 | wc -l)" -le 1
[ $most -lt 128 ] && most=128
ok 'half a million members, only looked at' hostile within $most \
    unpackcheck many.tar.zst
rm -rf to ./*.zst

# what does not fit is refused before it is written
fresh
ok 'a member larger than any disk' sh -c "python3 -B \
    '$T_DIR/t/snaphostile.py' huge >huge.tar
    unpackcheck huge.tar to 2>err; test \$? -eq 4"
ok 'says what it needs' grep -qx "unpackcheck: chroma.sqlite3 needs \
1125899906842624 bytes in to, which has [0-9]*" err
ok 'nothing was written' test -z "$(find to -type f)"

# ---- the program: nothing of its target changes ----

one=default_tenant/default_database/docs
persist 1.5.9 target
fingerprint target/db | sed '1s/ .*//' >before
while IFS='	' read -r name want; do
	run chroma-snap verify -q "cases/$name.tar"
	status_is "verify: $name" 3
	# (an index that is not asked for is no matter)
	case $name in i-*) set -- ;; *) set -- -c "$one" ;; esac
	run chroma-snap graft -q --as=new "$@" target/db "cases/$name.tar"
	status_is "graft: $name" 3
	run chroma-snap graft -q into "cases/$name.tar"
	status_is "graft, a new directory: $name" 3
	ok "$name: nothing is there" not test -e into
done <list
ok 'cut, padded, flipped: verify' hostile sweep 49 good.tar \
    chroma-snap verify -q -
ok 'cut, padded, flipped: verify --quick' hostile sweep 49 good.tar \
    chroma-snap verify -q --quick -
ok 'cut, padded, flipped: graft' hostile sweep 49 good.tar \
    chroma-snap graft -q --as=new -c "$one" target/db -
fingerprint target/db | sed '1s/ .*//' >after
same 'the target is as it was' before after
ok 'nothing is left beside it' test "$(ls -A target)" = 'db
expected.json'
done_testing
