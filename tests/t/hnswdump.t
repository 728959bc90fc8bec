#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-hnswdump: vectors as Chroma gives them, every option, every mistake
# on the command line.
. "${0%/*}/../lib.sh"

py() { python3 -B "$T_DIR/t/hnswdump.py" "$@"; }
# records FILE: how many vector records
records() { jq -c 'select(.type == "vector")' "$1" | wc -l; }
# segment DIR COLLECTION
segment() {
	chroma-hnswdump --limit=0 "$1" -c "$2" | jq -r \
	    'select(.type == "begin").source.collections[0].vector_segment'
}

# ---- every era: ids and vectors as Chroma said, links as the files say ----

for name in $(every_persist); do
	persist "$name" p
	fingerprint p >before
	jq -r '.collections[] | [.id, .space] | @tsv' p/expected.json >list
	total=0
	while read -r id space; do
		run chroma-hnswdump p/db -c "$id"
		status_is "$name, $space: status" 0
		mv out dump.jsonl
		no_err "$name, $space: silent"
		py expected p/db p/expected.json "$id" dump.jsonl >n 2>why
		r=$?
		t_line "$name, $space: $(cat n) ids and vectors" "$r"
		sed 's/^/# /' why
		total=$((total + $(cat n) + 0))
		seg=$(jq -r '.source.collections[0]?.vector_segment // empty' dump.jsonl)
		[ "$(records dump.jsonl)" -gt 0 ] || continue
		run chroma-hnswdump --graph --deleted=include p/db -c "$id"
		mv out graph.jsonl
		py index "p/db/$seg" "$space" graph.jsonl links >n 2>why
		r=$?
		t_line "$name, $space: $(cat n) elements and levels" "$r"
		sed 's/^/# /' why
		[ "$space" != l2 ] || continue
		run chroma-hnswdump -bz --graph --deleted=include p/db -c "$id"
		mv out graph.bin
		run chroma-walfilter -j graph.bin
		same "$name, $space: binary, zstd and back" out graph.jsonl
		run chroma-walfilter -b graph.jsonl
		mv out again.bin
		zstd -dcq graph.bin >plain.bin
		same "$name, $space: lines to frames" again.bin plain.bin
		run chroma-hnswdump --deleted=include "p/db/$seg" \
		    --space="$space"
		mv out bare.jsonl
		py index "p/db/$seg" "$space" bare.jsonl >n 2>why
		r=$?
		t_line "$name, $space: the directory alone" "$r"
		sed 's/^/# /' why
	done <list
	ok "$name: $total vectors in all" [ "$total" -gt 80 ]
	fingerprint p >after
	same "$name: as before" before after
	rm -rf p
done

# ---- the stream ----

persist 1.5.9 a
D=a/db
ACME=acme/wiki/docs
DOCS=default_tenant/default_database/docs
cp -r "$D/$(segment "$D" $DOCS)" cos
fingerprint a >before

run chroma-hnswdump "$D" -c $DOCS
cp out docs.jsonl
head -1 docs.jsonl >begin
ok 'begin: keys' jq -e 'keys_unsorted == ["type","stream","version","source"] and
    .stream == "vector" and .version == 1 and (.source | keys_unsorted ==
    ["migrations","collections","index"]) and
    (.source.collections | length == 1 and (.[0] | .name == "docs" and
    .tenant == "default_tenant" and .space == "cosine" and
    .vector_seq_id > 0)) and (.source.index | keys_unsorted == ["space",
    "dimension","M","ef_construction","elements","deleted","max_level",
    "entry_point","total_elements_added"])' begin
ok 'begin: the collection is that of chroma-walexport' [ \
    "$(jq -c '.source.collections' begin)" = "$(chroma-walexport \
    --to-seq-id=0 -c $DOCS "$D" | jq -c '.source.collections' | head -1)" ]
ok 'records: keys' jq -es '.[1:-1] | all(keys_unsorted == ["type",
    "collection_id","label","id","level","deleted","length","embedding"])' docs.jsonl
run chroma-hnswdump "$D" --collection "$DOCS" --deleted=exclude -q --wait=0 -j
same 'the defaults' out docs.jsonl
run chroma-hnswdump "$D/chroma.sqlite3" -c $DOCS
same 'chroma.sqlite3 for its directory' out docs.jsonl
run chroma-hnswdump "$D" -c $DOCS --progress
same '--progress' out docs.jsonl
run chroma-hnswdump "$D" -c $ACME
ok 'another database' jq -es '.[0].source.collections[0] |
    .tenant == "acme" and .database == "wiki"' out

all=$(chroma-hnswdump "$D" -c $DOCS --deleted=include | jq -s 'length - 2')
run chroma-hnswdump "$D" -c $DOCS --deleted=only
status_is '--deleted=only' 0
cp out only.jsonl
ok '--deleted=only: all are, and have no id' jq -es '(.[1:-1] | length > 0 and
    all(.deleted and (has("id") | not))) and .[0].partial' only.jsonl
ok '--deleted: include is exclude and only' [ "$all" -eq \
    $(($(records docs.jsonl) + $(records only.jsonl))) ]
run chroma-hnswdump "$D" -c $DOCS --deleted=include
jq -c 'select(.type == "vector" and (.deleted | not))' out >got
jq -c 'select(.type == "vector")' docs.jsonl >want.live
same '--deleted=include: the live ones among them' want.live got
ok '--deleted=include: not partial' jq -es '.[0] | has("partial") | not' out

run chroma-hnswdump "$D" -c $DOCS --limit=3
head -4 docs.jsonl | tail -3 >want.live
sed '1d;$d' out >got
same '--limit=3' want.live got
ok '--limit=3: partial' jq -es '.[0].partial and .[-1].records == 3' out
n=$(records docs.jsonl)
run chroma-hnswdump "$D" -c $DOCS --limit="$n"
same '--limit: exactly all' out docs.jsonl

run chroma-hnswdump "$D" -c $DOCS --embedding=none
ok '--embedding=none' jq -es '.[0].embedding == "none" and (.[1:-1] |
    all((has("embedding") or has("length")) | not))' out
run chroma-hnswdump "$D" -c ip-vectors
ok 'no lengths but of cosine' jq -es 'length > 2 and
    (.[1:-1] | all(has("length") | not))' out
run chroma-hnswdump "$D" -c $DOCS --embedding=base64
mv out base64.jsonl
chroma-walfilter --embedding=array base64.jsonl >out
same '--embedding=base64' out docs.jsonl
run chroma-hnswdump "$D" -c $DOCS -o file.jsonl
status_is '-o' 0
same '-o: the same' file.jsonl docs.jsonl
refuses 2 'file.jsonl exists; --force replaces it' \
    chroma-hnswdump "$D" -c $DOCS -o file.jsonl
run chroma-hnswdump "$D" -c ip-vectors -o file.jsonl --force
status_is '-o --force' 0
run chroma-hnswdump "$D" -c ip-vectors
same '-o --force: replaced' file.jsonl out
for form in -j -b --graph -z; do
	run chroma-hnswdump "$form" "$D" -c $DOCS
	mv out first
	run chroma-hnswdump "$form" "$D" -c $DOCS
	same "twice $form" first out
done

# the bare directory
run chroma-hnswdump cos --space=cosine
jq -c 'del(.collection_id) | select(.type != "begin")' docs.jsonl >want.live
jq -c 'select(.type != "begin")' out >got
same 'an index alone: the same records' want.live got
ok 'an index alone: what its begin says' jq -es '.[0].source |
    keys_unsorted == ["index"] and .index.dimension == 8 and
    .index.space == "cosine"' out
mv out bare
(cd cos && chroma-hnswdump . --space=cosine) >out
same 'an index alone: as .' bare out
run chroma-hnswdump cos --space=ip
ok 'another space: as stored' jq -es '.[1:-1] | all(.embedding |
    map(. * .) | add | . > 0.999 and . < 1.001)' out

# collections without an index
for c in default empty; do
	run chroma-hnswdump "$D" -c $c
	status_is "$c: nothing persisted" 0
	ok "$c: begin and end" jq -es 'length == 2 and .[1].records == 0' out
	no_err "$c: silent"
done
run chroma-hnswdump "$D" -c default --npy
printf '\223NUMPY\1\0v\0' >want
head -c 10 out >got
same 'a matrix of nothing' want got
ok 'a matrix of nothing: its shape' grep -q "'shape': (0, [08]), }" out

# ---- matrices ----

for form in npy fvecs; do
	rm -f ids
	run chroma-hnswdump "$D" -c $DOCS --$form --ids=ids -o "m.$form" --force
	status_is "$form: status" 0
	no_err "$form: silent"
	py matrix $form m.$form ids docs.jsonl >n 2>why
	r=$?
	t_line "$form: $(cat n) rows and numbers" "$r"
	sed 's/^/# /' why
	run chroma-hnswdump "$D" -c $DOCS --$form --limit=2 -z
	mv out m.zst
	zstd -dcq m.zst >got.m
	ok "$form: zstd" [ -s got.m ]
done
rm -f ids
run chroma-hnswdump "$D" -c $DOCS --npy --deleted=only --ids=ids
mv out m.npy
ok 'ids of deleted ones' py matrix npy m.npy ids only.jsonl
refuses 2 'ids exists; --force replaces it' \
    chroma-hnswdump "$D" -c $DOCS --npy --ids=ids
run chroma-hnswdump "$D" -c $DOCS --npy --ids=ids --force
status_is '--ids --force' 0
rm -f ids
run sh -c "chroma-hnswdump '$D' -c $DOCS --npy --ids=ids >/dev/full"
status_is 'a full disk' 4

# ---- the command line ----

misused 'no directory given: a persist dir, or that of one index' \
    chroma-hnswdump
misused 'one directory at a time' chroma-hnswdump a b --space=l2
misused 'of what? --collection=NAME for a persist dir, --space=SPACE for the directory of one index' \
    chroma-hnswdump "$D"
misused '--collection and --space exclude one another: the space of a collection is known' \
    chroma-hnswdump "$D" -c docs --space=l2
misused '--collection: one at a time' chroma-hnswdump "$D" -c docs -c docs
misused "--space: 'cos' is none of l2, ip, cosine" \
    chroma-hnswdump "$D" --space=cos
misused "--space: 'unknown' is none of l2, ip, cosine" \
    chroma-hnswdump "$D" --space=unknown
misused "--deleted: 'yes' is none of exclude, include, only" \
    chroma-hnswdump "$D" --deleted=yes
misused "--embedding: 'x' is none of array, base64, none" \
    chroma-hnswdump "$D" --embedding=x
misused "--limit: '-1' is not a number from 0 to 18446744073709551615" \
    chroma-hnswdump "$D" --limit=-1
misused '--npy and --fvecs exclude one another' \
    chroma-hnswdump "$D" -c x --fvecs --npy
misused '--npy and --binary exclude one another' \
    chroma-hnswdump "$D" -c x --npy -b
misused '--fvecs and --jsonl exclude one another' \
    chroma-hnswdump "$D" -c x --fvecs -j
misused '--npy and --graph exclude one another' \
    chroma-hnswdump "$D" -c x --npy --graph
misused '--npy and --embedding exclude one another' \
    chroma-hnswdump "$D" -c x --npy --embedding=array
misused '--ids: only with --npy or --fvecs; records have their ids' \
    chroma-hnswdump "$D" -c x --ids=f
misused '--binary and --jsonl exclude one another' \
    chroma-hnswdump "$D" -c x -bj
misused '--npz: unknown option' chroma-hnswdump "$D" --npz
refuses 2 "'docs' is 2 collections: acme/wiki/docs, default_tenant/default_database/docs; name one as TENANT/DATABASE/NAME or by its id" \
    chroma-hnswdump "$D" -c docs
run chroma-hnswdump "$D" -c nothing
status_is 'an unknown collection' 2
refuses 4 'nowhere: No such file or directory' \
    chroma-hnswdump nowhere -c docs
refuses 4 'nowhere: No such file or directory' \
    chroma-hnswdump nowhere --space=l2
run chroma-hnswdump cos -c docs
status_is 'an index directory is no persist dir' 4
refuses 4 'begin is not a directory; give that of one index, the one with header.bin in it' \
    chroma-hnswdump begin --space=l2
refuses 4 'a/db: no header.bin in it, nor another file of an index' \
    chroma-hnswdump "$D" --space=l2
fingerprint a >after
same 'the directory as before' before after

# ---- somebody writes to it ----

py make big 20000 8
mkfifo pipe stop ready
for how in jsonl binary fvecs; do
	chroma-hnswdump big --space=l2 --$how >pipe 2>err &
	pid=$!
	exec 3<pipe
	head -c 1000 <&3 >out
	touch big/length.bin
	cat <&3 >>out
	exec 3<&-
	status=0
	wait $pid || status=$?
	status_is "--$how: a file changes while it is written out" 5
	err_is "--$how: what is said" <<END
chroma-hnswdump: $T_TMP/big changed while it was read; try again
END
done
run chroma-hnswdump big --space=l2
mv out big.jsonl
ok 'a large one' py index big l2 big.jsonl
touch big/header.bin
run chroma-hnswdump big --space=l2
status_is 'written just now, and sound' 0
cp big/header.bin header
printf x >big/header.bin
holdopen big/length.bin <stop >ready &
exec 4>stop
read -r _ <ready
refuses 5 "$T_TMP/big/header.bin: 1 bytes instead of 100: truncated or not an index header; it may be being written: try again" \
    chroma-hnswdump big --space=l2 --wait=0
(
	sleep 0.5
	cat header >big/header.bin
) &
run chroma-hnswdump big --space=l2
status_is 'it is waited for' 0
same 'it is waited for: all of it' out big.jsonl
printf x >big/header.bin
touch -d '3 seconds ago' big/*
run chroma-hnswdump big --space=l2 --wait=0
status_is 'a fault that is older is one' 3
exec 4>&-
wait
mkfifo until said
python3 -c "
import sqlite3, sys
db = sqlite3.connect('$D/chroma.sqlite3', isolation_level=None)
db.execute('BEGIN EXCLUSIVE')
print('ready', flush=True)
sys.stdin.read()
" <until >said &
exec 4>until
read -r _ <said
before=$(date +%s%N)
refuses 5 "$D/chroma.sqlite3: database is locked by another process; try again, or give it time with --wait=SECONDS" \
    chroma-hnswdump "$D" -c $DOCS --wait=1
took=$((($(date +%s%N) - before) / 1000000))
ok "it is waited for one second, and no longer: $took ms" \
    [ $((took >= 1000 && took < 4000)) = 1 ]
exec 4>&-
wait
done_testing
