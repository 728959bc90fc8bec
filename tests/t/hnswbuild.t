#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-hnswbuild: what records leave, files sound to the byte, the same on
# every processor, every option and mistake, and a directory whole or not at
# all.
. "${0%/*}/../lib.sh"

py() { python3 -B "$T_DIR/t/hnswbuild.py" "$@"; }

# says NAME WANT COMMAND...: it prints WANT, and fails not.
says() {
	t_says=$1 t_what=$2
	shift 2
	t_got=$("$@" 2>says.err)
	t_r=$?
	t_ok=0
	[ $t_r -eq 0 ] && [ "$t_got" = "$t_what" ] || t_ok=1
	t_line "$t_says" $t_ok
	[ $t_ok -eq 0 ] || { printf '# %s, wanted %s\n' "$t_got" "$t_what"
		tail -3 says.err | sed 's/^/# /'; }
}

# stream: rows "SEQ_ID OPERATION ID [VECTOR]" of standard input as one.
stream() {
	echo '{"type":"begin","stream":"wal","version":1}'
	t_rows=0
	while read -r t_seq t_op t_id t_vector; do
		printf '{"type":"wal","seq_id":%s,"operation":"%s","id":"%s"%s}\n' \
		    "$t_seq" "$t_op" "$t_id" \
		    "${t_vector:+,\"embedding\":$t_vector}"
		t_rows=$((t_rows + 1))
	done
	printf '{"type":"end","records":%d}\n' "$t_rows"
}

# elements: rows "LABEL ID VECTOR [true]" as one of vector records.
elements() {
	echo '{"type":"begin","stream":"vector","version":1}'
	t_rows=0
	while read -r t_label t_id t_vector t_deleted; do
		printf '{"type":"vector","label":%s,"id":"%s","deleted":%s,"embedding":%s}\n' \
		    "$t_label" "$t_id" "${t_deleted:-false}" "$t_vector"
		t_rows=$((t_rows + 1))
	done
	printf '{"type":"end","records":%d}\n' "$t_rows"
}

# content DIR SPACE: "id vector" of what is in it, in the order of the labels
content() {
	chroma-hnswdump "$1" --space="$2" | jq -r 'select(.type == "vector") |
	    "\(.id) \(.embedding | tojson)"'
}

# leaves NAME WANT FILE...: built of the files, it has the lines of WANT.
leaves() {
	t_leaves=$1
	printf '%s\n' "$2" | sed '/^$/d' >want.content
	shift 2
	rm -rf made
	run chroma-hnswbuild -q -o made "$@"
	status_is "$t_leaves: status" 0
	no_err "$t_leaves: silent"
	content made l2 >got.content
	same "$t_leaves" want.content got.content
	says "$t_leaves: sound" "$(wc -l <want.content)" sh -c \
	    "python3 -B '$T_DIR/t/hnswbuild.py' sound made l2 | cut -d' ' -f1"
}

# ---- what records leave ----

stream >empty </dev/null
leaves 'nothing' '' empty
stream >one <<END
7 ADD a [1,2]
END
leaves 'one' 'a [1,2]' one
stream >many <<END
1 ADD a [1,0]
2 ADD b [2,0]
3 ADD a [9,9]
4 UPDATE b [3,0]
5 UPDATE c [9,9]
6 UPSERT d [4,0]
7 UPSERT a [5,0]
8 ADD e [6,0]
9 DELETE e
10 DELETE nobody
11 ADD f [7,0]
12 DELETE f
13 ADD f [8,0]
14 UPDATE a
15 UPSERT g
END
MANY='a [5,0]
b [3,0]
d [4,0]
f [8,0]'
run chroma-hnswbuild -o new many
status_is 'every operation: status' 0
no_err 'every operation: silent'
content new l2 | sort >got.content
printf '%s\n' "$MANY" >want.content
same 'every operation' want.content got.content
ok 'every operation: counted' jq -e '.records == 15 and .elements == 4 and
    .dimension == 2 and .copies == 0 and .space == "l2" and .M == 16 and
    .ef_construction == 100 and .ef_search == 100 and .seed == 42 and
    .reachable == 1 and .recall == 1 and .output == "new"' out
ok 'the receipt: its keys' jq -e 'keys_unsorted == ["receipt","output","space",
    "M","ef_construction","ef_search","seed","records","elements","dimension",
    "copies","levels","degree","reachable","recall","bytes","seconds"]' out
ok 'the receipt: bytes' [ "$(jq .bytes out)" -eq "$(cat new/* | wc -c)" ]
says 'every operation: seq_ids' '15 {"a": 7, "b": 4, "d": 6, "f": 13}' \
    py watermark new seq_ids
mv new first
run chroma-hnswbuild -o new many
ok 'twice the same bytes' diff -r first new
rm -rf new
run chroma-hnswbuild -q -o new <many
status_is 'from standard input' 0
ok 'from standard input: -q: no receipt' [ ! -s out ]
ok 'from standard input: the same' diff -r first new
rm -rf new
chroma-walfilter -b many >many.bin
zstd -q -k many
run chroma-hnswbuild -q -o new - <many.zst
ok 'zstd: the same' diff -r first new
rm -rf new
run chroma-hnswbuild -q -o new many.bin
ok 'binary: the same' diff -r first new
rm -rf first new

# a dump, then the log: what it had applied already changes nothing
elements >dump <<END
3 a [5,0]
9 x [1,1]
4 - [9,9] true
END
stream >log <<END
1 ADD a [1,0]
7 UPSERT a [5,0]
8 ADD x [1,1]
END
leaves 'a dump, and rows that it holds' 'a [5,0]
x [1,1]' dump log
stream >log <<END
1 ADD a [1,0]
7 UPSERT a [6,0]
8 ADD y [2,2]
9 DELETE x
END
rm -rf new
run chroma-hnswbuild -q -o new dump log
content new l2 | sort >got.content
printf '%s\n' 'a [6,0]' 'y [2,2]' >want.content
same 'a dump, and newer rows' want.content got.content
cat dump log >both
rm -rf new
run chroma-hnswbuild -q -o new both
content new l2 | sort >got.content
same 'the same in one file' want.content got.content
rm -rf new
run chroma-hnswbuild -q -o new log dump
content new l2 | sort >got.content
printf '%s\n' 'a [5,0]' 'x [1,1]' 'y [2,2]' >want.content
same 'later ones win' want.content got.content
stream >gone <<END
10 DELETE a
11 DELETE x
END
leaves 'all deleted' '' dump gone
ok 'all deleted: the dimension stays' [ "$(od -An -tu8 -j28 -N8 \
    made/header.bin | tr -d ' ')" -eq $((4 + 128 + 8 + 8)) ]
# rows alone do not hold what an index had applied
cat >rows <<END
{"type":"begin","stream":"wal","version":1,"source":{"collections":[{"id":"c","name":"n","vector_seq_id":300}]}}
{"type":"wal","collection_id":"c","seq_id":7,"operation":"ADD","id":"a","embedding":[1]}
{"type":"end","records":1}
END
leaves 'rows of a log' 'a [1]' rows
says 'rows of a log: the watermark is theirs' 7 py watermark made
cat >plain <<'END'
{"type":"begin","stream":"record","version":1}
{"type":"record","id":"é\u0000\n\"","embedding":[0.5],"document":"x"}
{"type":"other","x":1}
{"type":"record","id":"","embedding":[0.25]}
{"type":"end","records":3}
END
rm -rf new
run chroma-hnswbuild -q -o new --space=ip plain
status_is 'plain records, and others' 0
chroma-hnswdump new --space=ip | grep -o '"id":.*,"level\|"emb.*' | sort >got.content
printf '%s\n' '"embedding":[0.25]}' '"embedding":[0.5]}' \
    '"id":"","level' '"id":"é\u0000\n\"","level' >want.content
same 'plain records: ids of any text' want.content got.content
rm -rf new

# ---- vectors of every kind ----

for dim in 1 2 65536; do
	py vectors 3 $dim 1 normal >v
	run chroma-hnswbuild -q -o new v
	status_is "$dim numbers: status" 0
	says "$dim numbers: sound" "3 1 $dim" py sound new l2
	chroma-hnswdump new --space=l2 --embedding=base64 | jq -c \
	    'select(.type == "vector") | [.id, .embedding]' | sort >got.content
	chroma-walfilter --embedding=base64 v | jq -c \
	    'select(.type == "vector") | [.id, .embedding]' | sort >want.content
	same "$dim numbers: the same" want.content got.content
	rm -rf new
done
for kind in normal copies zeros tight norms; do
	py vectors 1500 12 3 $kind >v
	for space in l2 ip cosine; do
		run chroma-hnswbuild --space=$space --threads=2 -o new v
		status_is "$kind, $space: status" 0
		levels=3
		[ $kind != copies ] || levels=2
		[ $kind != zeros ] || levels=1
		says "$kind, $space: sound" "1500 $levels 12" py sound new \
		    $space
		ok "$kind, $space: the receipt" jq -e ".elements == 1500 and
		    .levels == $levels and .reachable == 1 and .recall > 0.85 and
		    (.copies == 0) == ([\"copies\",\"zeros\"] |
		    index(\"$kind\") == null)" out
		rm -rf new
	done
done

# ---- the same bytes on every processor, for any number of threads ----

py vectors 1500 12 3 tight >v
for space in l2 ip cosine; do
	CHROMAUTILS_KERNEL=portable chroma-hnswbuild -q --threads=1 \
	    --space=$space -o first v
	for kernel in portable avx2 avx512vnni neon; do
		for threads in 1 2; do
			run env CHROMAUTILS_KERNEL=$kernel chroma-hnswbuild \
			    -q --threads=$threads --space=$space -o new v
			case $(uname -m)-$kernel in
			x86_64-neon | aarch64-avx*)
				rm -rf new
				continue ;;
			esac
			if grep -q 'KERNEL' err; then
				skip "$kernel" 'not of this processor'
			else
				ok "$space, $kernel, $threads: the same bytes" \
				    diff -r first new
			fi
			rm -rf new
		done
	done
	rm -rf first
done
run chroma-hnswbuild -q --seed=7 -o new v
run chroma-hnswbuild -q --seed=8 -o other v
ok 'another seed, another draw' not cmp -s new/link_lists.bin other/link_lists.bin
rm -rf new other

# ---- dump, build, dump ----

# of records that a DELETE ended there are none; vectors are those of the dump
for name in 1.5.9 0.4.24; do
	persist $name p
	jq -r '.collections[] | [.id, .space] | @tsv' p/expected.json >list
	while read -r id space; do
		chroma-hnswdump -c "$id" p/db >dump
		run chroma-hnswbuild -o new dump
		status_is "$name, $space: status" 0
		# shellcheck disable=SC2016  # of jq
		ok "$name, $space: its parameters" jq -e --slurpfile d dump \
		    '($d[0].source.collections[0]) as $c | .space == $c.space and
		    .M == $c.M and .ef_construction == $c.ef_construction and
		    .ef_search == $c.ef_search' out
		says "$name, $space: sound" "$(jq .elements out)" sh -c \
		    "python3 -B '$T_DIR/t/hnswbuild.py' sound new $space | cut -d' ' -f1"
		content new "$space" | sort >got.content
		jq -r 'select(.type == "vector") |
		    "\(.id) \(.embedding | tojson)"' dump | sort >want.content
		same "$name, $space: the same" want.content got.content
		# Chroma takes rows above it for new
		says "$name, $space: the watermark" "$(head -n 1 dump |
		    jq '.source.collections[0].vector_seq_id // 0')" \
		    py watermark new
		# what the log had before changes nothing
		chroma-walexport --committed -c "$id" p/db >log
		run chroma-hnswbuild -q -o again -c "$id" dump log
		status_is "$name, $space: with its log: status" 0
		chroma-hnswdump new --space="$space" | jq -cS \
		    'select(.type == "vector") | [.id, .embedding]' | sort >want.content
		chroma-hnswdump again --space="$space" | jq -cS \
		    'select(.type == "vector") | [.id, .embedding]' | sort >got.content
		same "$name, $space: the log changes nothing" want.content got.content
		rm -rf new again
	done <list
	rm -rf p
done

done_testing
