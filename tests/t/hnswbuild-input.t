#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-hnswbuild: collections, matrices, what is refused and how, and a
# directory that appears whole or not at all.
. "${0%/*}/../lib.sh"

py() { python3 -B "$T_DIR/t/hnswbuild.py" "$@"; }
build() { chroma-hnswbuild "$@"; }
BEGIN='{"type":"begin","stream":"vector","version":1'

# put FILE LINE...: a stream with these lines between begin and end
put() {
	t_file=$1
	shift
	{
		printf '%s}\n' "$BEGIN"
		[ $# -eq 0 ] || printf '%s\n' "$@"
		printf '{"type":"end","records":%d}\n' $#
	} >"$t_file"
}

# begun FILE BEGIN LINE...: with more in its begin record
begun() {
	t_file=$1
	t_begin=$2
	shift 2
	put "$t_file" "$@"
	sed -i "1s^.*^$BEGIN,$t_begin}^" "$t_file"
}

# nothing NAME: the refused run left nothing behind.
nothing() {
	t_line "$1: nothing is left" "$(find . -name '*new*' | wc -l)"
}

ONE='{"type":"vector","label":1,"id":"a","embedding":[3,4]}'
put one "$ONE"

# ---- the command line ----

misused '-o DIR, or --install=DIR: where is the index to go?' chroma-hnswbuild one
misused '-o: needs an argument' chroma-hnswbuild one -o
misused '-x: unknown option' chroma-hnswbuild -x
misused '--nothing: unknown option' chroma-hnswbuild --nothing
misused '--dry-run: takes no argument' chroma-hnswbuild --dry-run=1
misused '--collection: one at a time' chroma-hnswbuild -n -c a -c b one
misused '--npy and --fvecs exclude one another' \
    chroma-hnswbuild -n --npy --fvecs one
misused '--npy: whose vectors are these? --ids=FILE' \
    chroma-hnswbuild -n --npy one
misused '--fvecs: whose vectors are these? --ids=FILE' \
    chroma-hnswbuild -n --fvecs one
misused '--ids: only with --npy or --fvecs; records have their ids' \
    chroma-hnswbuild -n --ids=x one
misused '--npy and --collection exclude one another' \
    chroma-hnswbuild -n --npy --ids=x -c a one
misused 'standard input can be read once' chroma-hnswbuild -n - -
misused 'standard input can be read once' chroma-hnswbuild -n --npy --ids=-
misused "--space: 'L2' is none of l2, ip, cosine" \
    chroma-hnswbuild -n --space=L2
for o in M:2:1024 ef-construction:1:100000 ef-search:1:100000 \
    seed:0:9223372036854775807 threads:1:; do
	max=${o##*:} name=${o%%:*}
	min=${o#*:} min=${min%:*}
	for v in x -1 '' 99999999999999999999; do
		run chroma-hnswbuild -n "--$name=$v" one
		status_is "--$name=$v" 2
		ok "--$name=$v: said" grep -q -- "^chroma-hnswbuild: --$name: '$v' is not a number from $min to $max" err
	done
	for v in $min $max; do
		run chroma-hnswbuild -n "--$name=$v" one
		status_is "--$name=$v" 0
	done
done
for v in x 1KB 1kib 18446744073709551616 18014398509481984KiB '' KiB 1.5GiB; do
	misused "--max-memory: '$v' is not a size: 500MiB, 2GiB, or a number of bytes" \
	    chroma-hnswbuild -n --max-memory="$v" one
done
for v in 1GiB 1024MiB 1048576KiB 1073741824; do
	run chroma-hnswbuild -n --max-memory=$v one
	status_is "--max-memory=$v" 0
done
refuses 4 '25 MiB of memory are needed, --max-memory allows 1 MiB' \
    chroma-hnswbuild -n --threads=2 --max-memory=1MiB one
refuses 4 '25 MiB of memory are needed, --max-memory allows 0 MiB' \
    chroma-hnswbuild -o new --threads=2 --max-memory=1048575 one
nothing '--max-memory'
run chroma-hnswbuild -n --threads=2 one
need=$(jq .memory out)
run chroma-hnswbuild -n --threads=2 --max-memory="$need" one
status_is '--max-memory: just enough' 0
refuses 4 '25 MiB of memory are needed, --max-memory allows 24 MiB' \
    chroma-hnswbuild -n --threads=2 --max-memory=$((need - 1)) one
put negative '{"type":"wal","seq_id":-5,"operation":"ADD","id":"a","embedding":[1,2]}'
refuses 3 'negative:2: a seq_id below 0: no Chroma gives one' \
    chroma-hnswbuild -o new negative
nothing 'a seq_id below 0'

# ---- no elements ----

put none
run chroma-hnswbuild -q -o new none
status_is 'no elements, no row: status' 0
ok 'no elements, no row: no pickle' [ ! -e new/index_metadata.pickle ]
ok 'no elements, no row: sound' py sound new l2
ok 'no elements, no row: a dump of it' chroma-hnswdump -q new --space=l2
rm -r new none
put gone '{"type":"wal","seq_id":7,"operation":"DELETE","id":"a"}'
run chroma-hnswbuild -q -o new gone
status_is 'no elements, a row: status' 0
ok 'no elements, a row: its seq_id' [ "$(py watermark new)" = 7 ]
rm -r new gone

# ---- an older index ----

refuses 4 'none: No such file or directory' \
    chroma-hnswbuild -o new --old=none one
refuses 4 'one is not a directory; --old is that of an index' \
    chroma-hnswbuild -n --old=one one
mkdir empty
refuses 4 'empty: no index in it' chroma-hnswbuild -o new --old=empty one
nothing '--old'
rmdir empty
py vectors 300 4 1 normal >few
run chroma-hnswbuild -q -o older few
status_is '--old: the older one' 0
run chroma-hnswbuild -q -o new --old=older few
status_is '--old' 0
no_err '--old: silent'
ok '--old: sound' py sound new l2
rm -r new
run chroma-hnswbuild -q -o new --old=older one
status_is '--old: of other ids' 0
ok '--old: of other ids: sound' py sound new l2
rm -r new
: >older/data_level0.bin
run chroma-hnswbuild -q -o new --old=older few
status_is '--old: damaged' 0
ok '--old: damaged: sound' py sound new l2
rm -r new
run chroma-hnswbuild -o new --old=older few
status_is '--old: damaged, not quiet' 0
ok '--old: damaged: said' grep -q '^chroma-hnswbuild: warning: older: data_level0.bin: .*; what can be read of it is used$' err
rm -r new older
refuses 4 'none: No such file or directory' chroma-hnswbuild -n none
refuses 4 'none: No such file or directory' chroma-hnswbuild -o new one none
nothing 'an input that is not there'
refuses 4 'none/new: No such file or directory' \
    chroma-hnswbuild -o none/new one
mkdir old
refuses 2 'old exists; name a directory that does not' \
    chroma-hnswbuild -o old one
refuses 2 'old exists; name a directory that does not' \
    chroma-hnswbuild -n -o old one
rmdir old
run chroma-hnswbuild -n --tmpdir=none one
status_is '--tmpdir: not needed by a dry run of a few' 0
refuses 4 'none: a file for vectors: No such file or directory; name another place with --tmpdir=DIR' \
    chroma-hnswbuild -o new --tmpdir=none one
nothing '--tmpdir'

# ---- dry run, parameters, progress ----

run chroma-hnswbuild -n one
status_is '-n' 0
no_err '-n: silent'
ok '-n: its receipt' jq -e 'keys_unsorted == ["receipt","dry_run","space","M",
    "ef_construction","ef_search","seed","records","elements","dimension",
    "memory","bytes","seconds"] and .dry_run and .elements == 1' out
run chroma-hnswbuild -n -q one
ok '-n -q' [ ! -s out ]
run chroma-hnswbuild -n -o new --M=5 --ef-construction=6 --ef-search=7 \
    --seed=8 --space=ip one
ok '-n: options' jq -e '[.output, .M, .ef_construction, .ef_search, .seed,
    .space] == ["new",5,6,7,8,"ip"]' out
nothing '-n'
begun said '"source":{"index":{"space":"ip","M":7,"ef_construction":33,"ef_search":44,"dimension":2}}' "$ONE"
run chroma-hnswbuild -n said
ok 'a begin record says it' jq -e '[.space, .M, .ef_construction, .ef_search] ==
    ["ip",7,33,44]' out
run chroma-hnswbuild -n --M=9 --space=l2 one said
ok 'an option says another' jq -e '[.space, .M, .ef_construction] ==
    ["l2",9,33]' out
begun other '"source":{"index":{"space":"l2","M":8}}' "$ONE"
refuses 3 'other:1: its space is l2, but ip of what came before; --space=SPACE decides' \
    chroma-hnswbuild -n said other
run chroma-hnswbuild -n --space=cosine said other
ok 'the first that says it' jq -e '[.space, .M] == ["cosine",7]' out
begun odd '"source":{"index":{"space":"unknown"}}' "$ONE"
refuses 3 'odd:1: its space is none of l2, ip, cosine; --space=SPACE says which' \
    chroma-hnswbuild -n odd
begun odd '"source":{"index":{"M":5000,"ef_construction":200000}}' "$ONE"
refuses 3 'the stream has M 5000, which is not from 2 to 1024; --M=N says another' \
    chroma-hnswbuild -n odd
refuses 3 'the stream has ef-construction 200000, which is not from 1 to 100000; --ef-construction=N says another' \
    chroma-hnswbuild -n --M=4 odd
begun long '"source":{"index":{"dimension":3}}'
sed -i 2d long
sed -i 's/"records":1/"records":0/' long
run chroma-hnswbuild -n long
ok 'the dimension of nothing' jq -e '.elements == 0 and .dimension == 3' out
run chroma-hnswbuild -o new --progress one
status_is '--progress' 0
rm -rf new
py vectors 2500 1 1 normal >v
run sh -c '{ head -n 1500 v; sleep 1.2; tail -n +1501 v; } |
    chroma-hnswbuild -n --progress'
status_is '--progress, slowly' 0
ok '--progress: number and rate' grep -qx \
    'chroma-hnswbuild: [12][0-9]* records, [0-9]*/s' err

# ---- what is no input ----

printf '%s}\n%s\n' "$BEGIN" "$ONE" >short
refuses 3 'short: no end record: truncated after 1 records' \
    chroma-hnswbuild -o new short
refuses 3 'short: no end record: truncated after 1 records' \
    chroma-hnswbuild -n short
refuses 3 '/dev/null: empty: not even a begin record; what should have written it failed' \
    chroma-hnswbuild -o new /dev/null
begun bad '"redacted":["documents","ids"]' "$ONE"
refuses 3 'bad:1: its ids are redacted: no index of it' \
    chroma-hnswbuild -o new bad
begun bad '"redacted":["embeddings"]' "$ONE"
refuses 3 'bad:1: its embeddings are redacted: no index of it' \
    chroma-hnswbuild -o new bad
begun good '"redacted":["documents","metadata"]' "$ONE"
run chroma-hnswbuild -n good
status_is 'documents may be redacted' 0
begun bad '"embedding":"none"' "$ONE"
refuses 3 'bad:1: its embeddings were left out: no index of it' \
    chroma-hnswbuild -o new bad
begun bad '"identity":true' "$ONE"
refuses 3 'bad:1: its embeddings were left out: no index of it' \
    chroma-hnswbuild -o new bad
begun good '"partial":true' "$ONE"
run chroma-hnswbuild -n good
status_is 'a part may be built' 0
no_err 'a part may be built: silent'
put bad "$ONE" '{"type":"vector","id":"b","embedding":[1,2,3]}'
refuses 3 'bad:3: a vector of 3 numbers, where those before have 2' \
    chroma-hnswbuild -o new bad
put bad '{"type":"vector","id":"b","embedding":[]}'
refuses 3 'bad:2: a vector without numbers' chroma-hnswbuild -o new bad
put bad '{"type":"vector","embedding":[1]}'
refuses 3 'bad:2: a record without an id' chroma-hnswbuild -o new bad
put bad '{"type":"wal","id":"a","embedding":[1]}'
refuses 3 'bad:2: a WAL record without an operation' \
    chroma-hnswbuild -o new bad
put bad '{"type":"vector","id":"x\ud800","embedding":[1]}'
refuses 3 'bad:2: an id with half of a surrogate pair: no Chroma loads it' \
    chroma-hnswbuild -o new bad
python3 -c 'print("{\"type\":\"vector\",\"id\":\"b\",\"embedding\":[" +
    ",".join(["1"] * 65537) + "]}")' >line
put bad "$(cat line)"
refuses 3 'bad:2: a vector of 65537 numbers: 65536 at most' \
    chroma-hnswbuild -o new bad
nothing 'what is no input'

# ---- vectors that are not finite ----

NAN=AADAfwAAgD8= INF=AACAPwAAgP8=
put nan "$ONE" '{"type":"vector","label":2,"id":"b\u0007\"","embedding":"'$NAN'"}' \
    '{"type":"vector","label":18446744073709551615,"id":"c","embedding":"'$INF'"}' \
    '{"type":"wal","seq_id":5,"operation":"UPSERT","id":"a","embedding":"'$INF'"}' \
    '{"type":"vector","label":4,"id":"d","deleted":true,"embedding":"'$NAN'"}' \
    '{"type":"wal","seq_id":6,"operation":"UPDATE","id":"a"}'
refuses 3 "nan:3: the vector of 'b?\"' has NaN or infinity; --drop-nonfinite=FILE leaves such out" \
    chroma-hnswbuild -o new nan
nothing 'NaN'
run chroma-hnswbuild -o new --drop-nonfinite=dropped nan
status_is '--drop-nonfinite: status' 1
no_err '--drop-nonfinite: silent'
ok '--drop-nonfinite: counted' jq -e '.records == 6 and .dropped == 3 and
    .elements == 1' out
same '--drop-nonfinite: the list' dropped - <<'END'
{"id":"b\u0007\"","label":2}
{"id":"c"}
{"id":"a","seq_id":5}
END
chroma-hnswdump new --space=l2 | grep -o '"id.*' >got
echo '"id":"a","level":0,"deleted":false,"embedding":[3,4]}' >want
same '--drop-nonfinite: the older vector stays' got want
rm -rf new
refuses 2 'dropped exists; name a file that does not' \
    chroma-hnswbuild -o new --drop-nonfinite=dropped nan
refuses 2 'dropped exists; name a file that does not' \
    chroma-hnswbuild -n --drop-nonfinite=dropped nan
nothing '--drop-nonfinite'
rm dropped
run chroma-hnswbuild -n --drop-nonfinite=dropped nan
status_is '-n --drop-nonfinite: status' 1
ok '-n --drop-nonfinite: no list' [ ! -e dropped ]
run chroma-hnswbuild -o new --drop-nonfinite=dropped one
status_is '--drop-nonfinite: none' 0
ok '--drop-nonfinite: none: an empty list' [ -e dropped ] && [ ! -s dropped ]
rm -rf new dropped
refuses 4 'none/x: No such file or directory' \
    chroma-hnswbuild -o new --drop-nonfinite=none/x one
nothing '--drop-nonfinite in no directory'

# ---- collections ----

A=11111111-aaaa-4000-8000-000000000001
B=22222222-bbbb-4000-8000-000000000002
col() { printf '{"id":"%s","name":"%s","tenant":"t","database":"%s","space":"%s"}' "$@"; }
rec() { printf '{"type":"vector","collection_id":"%s","label":1,"id":"%s","embedding":[%s]}' "$@"; }
wal() { printf '{"type":"wal","tenant":"t","database":"%s","collection":"%s","seq_id":1,"operation":"ADD","id":"%s","embedding":[1]}' "$@"; }
begun both "\"source\":{\"collections\":[$(col $A docs d ip),$(col $B docs e l2)]}" \
    "$(rec $A a 1)" "$(rec $B b 2)" "$(wal d docs c)" "$(wal e docs d)"
begun first "\"source\":{\"collections\":[$(col $A docs d ip)]}" \
    "$(rec $A x 1)" "$(rec $B y 2)"
begun second "\"source\":{\"collections\":[$(col $B docs e ip)]}" "$(rec $B z 2)"
put bare '{"type":"vector","label":1,"id":"bare","embedding":[7]}'
# ids NAME WANT COMMAND...
ids() {
	t_name=$1
	t_want=$2
	shift 2
	rm -rf new
	run chroma-hnswbuild -q -o new "$@"
	status_is "$t_name: status" 0
	t_got=$(chroma-hnswdump new --space=l2 | jq -r '.id // empty' | sort |
	    tr '\n' ' ')
	ok "$t_name: $t_got" [ "$t_got" = "$t_want" ]
	rm -rf new
}
refuses 2 'both:1: 2 collections: t/d/docs, t/e/docs; which one? --collection=NAME' \
    chroma-hnswbuild -o new both
refuses 2 "both:1: 'docs' is 2 collections: t/d/docs, t/e/docs; name one as TENANT/DATABASE/NAME or by its id" \
    chroma-hnswbuild -o new -c docs both
refuses 2 "both:1: no collection 'Docs'; there are t/d/docs, t/e/docs" \
    chroma-hnswbuild -o new -c Docs both
refuses 2 "first:1: no collection 't/e/docs'; there is t/d/docs" \
    chroma-hnswbuild -o new -c t/e/docs first
begun none '"source":{"collections":[]}' "$ONE"
refuses 2 "none:1: no collection 'docs': the stream has none" \
    chroma-hnswbuild -o new -c docs none
refuses 3 'second:1: of collection t/e/docs, but what came before is of t/d/docs' \
    chroma-hnswbuild -o new first second
nothing 'a wrong collection'
ids 'by place' 'a c ' -c t/d/docs both
ids 'by UUID' 'b d ' -c $B both
ids 'the long option' 'b d ' --collection=t/e/docs both
ids 'the only one' 'x ' first
ids 'by name' 'x ' -c docs first
ids 'by name, of each stream' 'x z ' -c docs first second
ids 'and a stream that lists none' 'bare x ' first bare
ids 'and so, by name' 'bare x ' -c docs bare first
run chroma-hnswbuild -n -c t/d/docs both
ok 'its parameters' jq -e '.space == "ip"' out
# of many, eight are named
many=
for i in 1 2 3 4 5 6 7 8 9; do
	many=$many${many:+,}$(col 3333333$i-cccc-4000-8000-000000000003 "c$i" d l2)
done
begun many_collections "\"source\":{\"collections\":[$many]}" "$ONE"
refuses 2 'many_collections:1: 9 collections: t/d/c1, t/d/c2, t/d/c3, t/d/c4, t/d/c5, t/d/c6, t/d/c7, t/d/c8, ...; which one? --collection=NAME' \
    chroma-hnswbuild -o new many_collections
refuses 2 "many_collections:1: no collection 'c'; there are t/d/c1, t/d/c2, t/d/c3, t/d/c4, t/d/c5, t/d/c6, t/d/c7, t/d/c8, ..." \
    chroma-hnswbuild -o new -c c many_collections
begun odd '"source":{"collections":[{"name":"x"}]}' "$ONE"
refuses 3 'odd:1: a collection without an id' chroma-hnswbuild -o new odd
begun odd '"source":{"collections":[{"id":"lost","name":"x","tenant":null,"database":null}]}' "$ONE"
refuses 2 "odd:1: no collection 'y'; there is lost" \
    chroma-hnswbuild -o new -c y odd
put loose "$(rec $A a 1)" "$(rec $B b 2)"
refuses 3 "loose:3: of collection $B, but what came before is of $A" \
    chroma-hnswbuild -o new loose
ids 'records alone, by UUID' 'a ' -c $A loose

# ---- matrices ----

py vectors 50 7 1 normal >v
grep -o '"id":"[^"]*"' v | sed 's/"id"://' >v.ids
py npy v1.npy 1 <v
py npy v2.npy 2 <v
py fvecs v.fvecs <v
run chroma-hnswbuild -q -o want.dir --space=ip v
for f in v1.npy v2.npy v.fvecs; do
	form=${f#*.}
	run chroma-hnswbuild -o new --space=ip "--$form" --ids=v.ids "$f"
	status_is "$f: status" 0
	no_err "$f: silent"
	ok "$f: the receipt" jq -e '.records == 50 and .elements == 50 and
	    .dimension == 7' out
	ok "$f: the same index" diff -r new want.dir
	rm -rf new
	zstd -q -f "$f" -o "z.$form"
	run chroma-hnswbuild -q -o new --space=ip "--$form" --ids=v.ids <"z.$form"
	ok "$f: zstd, from standard input" diff -r new want.dir
	rm -rf new
	run chroma-hnswbuild -q -o new --space=ip "--$form" --ids=- "$f" <v.ids
	ok "$f: ids from standard input" diff -r new want.dir
	# there and back
	chroma-hnswdump new --space=ip "--$form" --ids=again.ids -o "again.$form"
	same "$f: dumped again: ids" again.ids v.ids
	rm -rf new
	run chroma-hnswbuild -q -o new --space=ip "--$form" --ids=again.ids "again.$form"
	ok "$f: dumped again" diff -r new want.dir
	rm -rf new again.*
	head -49 v.ids >few
	refuses 3 "$f: row 50: no id: few ends after 49" \
	    chroma-hnswbuild -o new "--$form" --ids=few "$f"
	cat v.ids v.ids >many
	refuses 3 'many:51: no row for this id and what follows' \
	    chroma-hnswbuild -o new "--$form" --ids=many "$f"
	run chroma-hnswbuild -n "--$form" --ids=many $f "$f"
	ok "$f: twice, and later rows win" jq -e '.records == 100 and
	    .elements == 50' out
	sed '3s/.*/null/' v.ids >odd
	refuses 3 'odd:3: not an id: each is a JSON string on a line of its own' \
	    chroma-hnswbuild -o new "--$form" --ids=odd "$f"
	sed '3s/.*/"a" "b"/' v.ids >odd
	refuses 3 'odd:3: not an id: each is a JSON string on a line of its own' \
	    chroma-hnswbuild -o new "--$form" --ids=odd "$f"
	sed '3s/.*/v2/' v.ids >odd
	refuses 3 'odd:3: not an id: each is a JSON string on a line of its own' \
	    chroma-hnswbuild -o new "--$form" --ids=odd "$f"
	ok "$f: not JSON: the place" grep -q '^chroma-hnswbuild: odd:3: ' err
	printf '"\377"\n' >odd
	refuses 3 'odd:1: not UTF-8' chroma-hnswbuild -o new "--$form" --ids=odd "$f"
	printf '"a\\ud800"\n' >odd
	refuses 3 "$f: row 1: an id with half of a surrogate pair: no Chroma loads it" \
	    chroma-hnswbuild -o new "--$form" --ids=odd "$f"
	head -c -1 "$f" >"short.$form"
	refuses 3 "short.$form: row 50: truncated" \
	    chroma-hnswbuild -o new "--$form" --ids=v.ids "short.$form"
	nothing "$f"
	# the last number becomes infinity
	{ head -c -4 "$f"; printf '\0\0\200\177'; } >"inf.$form"
	refuses 3 "inf.$form: row 50: the vector of 'v49' has NaN or infinity; --drop-nonfinite=FILE leaves such out" \
	    chroma-hnswbuild -o new "--$form" --ids=v.ids "inf.$form"
	run chroma-hnswbuild -q -o new --drop-nonfinite=dropped "--$form" \
	    --ids=v.ids "inf.$form"
	status_is "$f: --drop-nonfinite" 1
	echo '{"id":"v49","row":50}' >want
	same "$f: --drop-nonfinite: the list" dropped want
	rm -rf new dropped
done
refuses 3 'v: not an .npy' chroma-hnswbuild -o new --npy --ids=v.ids v
refuses 4 'nowhere: No such file or directory' \
    chroma-hnswbuild -o new --npy --ids=nowhere v1.npy
py vectors 3 2 1 normal >w
py npy w.npy 1 <w
refuses 3 'w.npy: row 1: a vector of 2 numbers, where those before have 7' \
    chroma-hnswbuild -o new --npy --ids=many v1.npy w.npy
nothing 'matrices'
rm -rf want.dir

# ---- whole or not at all ----

py vectors 8000 32 1 normal >big
n=0
for delay in 0.01 0.02 0.04 0.07 0.1 0.2 0.4; do
	chroma-hnswbuild -q -o new big 2>/dev/null &
	pid=$!
	sleep $delay
	kill -9 $pid 2>/dev/null && n=$((n + 1))
	wait $pid 2>/dev/null
	if [ -e new ]; then
		ok "killed after $delay s: all of it" py sound new l2
		rm -rf new
	else
		ok "killed after $delay s: nothing" [ ! -e new ]
	fi
done
ok "killed $n times" [ $n -gt 2 ]
mkdir .new.chromautils-99999999
: >.new.chromautils-99999999/header.bin
mkdir .newer.chromautils-99999999
run chroma-hnswbuild -q -o new one
status_is 'after that' 0
find . -maxdepth 1 -name '.new*' >left
echo ./.newer.chromautils-99999999 >want
same 'what killed runs left is gone' left want
rm -rf new .newer.*
# somebody is faster
mkfifo pipe
chroma-hnswbuild -q -o new pipe 2>err &
pid=$!
exec 3>pipe
mkdir new
cat one >&3
exec 3>&-
status=0
wait $pid || status=$?
status_is 'a directory that came meanwhile' 2
err_is 'a directory that came meanwhile: said' <<END
chroma-hnswbuild: new exists; name a directory that does not
END
ok 'a directory that came meanwhile: it is as it was' rmdir new
nothing 'a directory that came meanwhile'
mkdir closed
chmod a-w closed
if [ "$(id -u)" -ne 0 ]; then
	refuses 4 'closed/new: Permission denied' \
	    chroma-hnswbuild -o closed/new one
else
	skip 'a directory that is closed' 'root can write everywhere'
fi
run sh -c 'exec chroma-hnswbuild -o new one >/dev/full'
status_is 'a receipt that cannot be written' 4
ok 'a receipt that cannot be written: the index is there' py sound new l2

done_testing
