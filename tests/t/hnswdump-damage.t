#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-hnswdump: a damaged index is refused with the place, and a salvage
# gives what is left of it.
. "${0%/*}/../lib.sh"

py() { python3 -B "$T_DIR/t/hnswdump.py" "$@"; }
# segment DIR COLLECTION
segment() {
	chroma-hnswdump --limit=0 "$1" -c "$2" | jq -r \
	    'select(.type == "begin").source.collections[0].vector_segment'
}

persist 1.5.9 a
D=a/db
cp -r "$D/$(segment "$D" ip-vectors)" ip
cp -r "$D/$(segment "$D" default_tenant/default_database/docs)" cosine

# hurt DIR DAMAGE...: one of hnswdump.py's, or rm FILE; as it was long ago
hurt() {
	h_dir=$1
	shift
	case $1 in
	rm) rm "$h_dir/$2" ;;
	*)
		h_what=$1
		shift
		py "$h_what" "$h_dir" "$@"
		;;
	esac
	touch -d '2020-01-01' "$h_dir"/*
}
# damage SPACE STATUS GRAPH-STATUS RECORDS IDS LEVELS MESSAGE DAMAGE...: of the
# index ip or cos; the statuses are those of a salvage, without and with --graph
damage() {
	d_space=$1 d_plain=$2 d_graph=$3 d_counts="$4 $5 $6" d_msg=$7
	shift 7
	rm -rf x
	cp -r "$d_space" x
	hurt x "$@"
	refuses 3 "$T_TMP/x/$d_msg; --salvage writes what can be read" \
	    chroma-hnswdump x --space="$d_space"
	run chroma-hnswdump x --space="$d_space" --salvage
	status_is "$*: salvage" "$d_plain"
	printf 'chroma-hnswdump: warning: %s\n' "$T_TMP/x/$d_msg" >want
	head -1 err >got
	same "$*: said first" want got
	jq -c 'select(.type == "vector").embedding' out | sort >got
	ok "$*: no vector that was not there" \
	    sh -c "comm -23 got '$d_space.vectors' | (! grep .)"
	ok "$*: partial or not" [ "$(head -1 out | jq .partial)" = \
	    "$([ "$d_plain" -eq 0 ] && echo null || echo true)" ]
	run chroma-hnswdump x --space="$d_space" --salvage --graph
	status_is "$*: salvage with links" "$d_graph"
	ok "$*: what is left" [ "$(jq -rs '.[1:-1] | [length,
	    (map(select(has("id"))) | length),
	    (map(select(has("level"))) | length)] | @tsv' out | tr '\t' ' ')" = \
	    "$d_counts" ]
}
for space in ip cosine; do
	chroma-hnswdump $space --space=$space |
	    jq -c 'select(.type == "vector").embedding' >vectors
	# what is stored, too: for vectors that lost their length
	chroma-hnswdump $space --space=ip |
	    jq -c 'select(.type == "vector").embedding' >>vectors
	sort vectors >$space.vectors
done

damage ip 1 1 45 45 45 'header.bin: +0: persistence version 2: newer than this program, or corrupt' \
    poke header.bin 0 I 2
damage ip 1 1 45 45 45 'header.bin: +28: offsets that do not fit together: corrupt' \
    poke header.bin 4 Q 1
damage ip 0 0 45 45 45 'header.bin: +12: room for 44 elements, but 45 are counted' \
    poke header.bin 12 Q 44
damage ip 1 1 45 45 45 'link_lists.bin: ends at element 45 of 46' \
    poke header.bin 20 Q 46
damage ip 1 1 44 44 44 'link_lists.bin: 360 bytes, of which 356 are links: grown without reason' \
    poke header.bin 20 Q 44
damage ip 1 1 45 45 45 'data_level0.bin: 10800 bytes, but 1000 elements of 108 bytes: truncated' \
    poke header.bin 20 Q 1000
damage ip 1 1 45 45 45 'header.bin: +20: 18446744073709551615 elements: corrupt' \
    poke header.bin 20 Q 18446744073709551615
damage ip 1 1 45 45 45 'header.bin: +28: offsets that do not fit together: corrupt' \
    poke header.bin 28 Q 100
damage ip 1 1 45 45 45 'header.bin: +28: offsets that do not fit together: corrupt' \
    poke header.bin 36 Q 104
damage ip 1 1 45 45 45 'header.bin: +28: offsets that do not fit together: corrupt' \
    poke header.bin 44 Q 64
damage ip 0 1 45 45 45 'header.bin: +52: level 0, entry point 0, but that element has level 1 and the highest is 1: corrupt' \
    poke header.bin 52 i 0
damage ip 1 1 45 45 45 'header.bin: +52: level 65, entry point 0 with 45 elements: corrupt' \
    poke header.bin 52 i 65
damage ip 1 1 45 45 45 'header.bin: +52: level 1, entry point 45 with 45 elements: corrupt' \
    poke header.bin 56 I 45
damage ip 0 0 45 45 45 'header.bin: +52: level 1, entry point 1, but that element has level 0 and the highest is 1: corrupt' \
    poke header.bin 56 I 1
damage ip 1 1 45 45 45 'header.bin: +60: M 8, maxM 9, maxM0 16: corrupt' \
    poke header.bin 60 Q 9
damage ip 1 1 45 45 45 'header.bin: +60: M 8, maxM 8, maxM0 15: corrupt' \
    poke header.bin 68 Q 15
damage ip 1 1 45 45 45 'header.bin: +60: M 7, maxM 8, maxM0 16: corrupt' \
    poke header.bin 76 Q 7
damage ip 0 0 45 45 45 'header.bin: +84: mult 0.5, but with M 8 it is 0.480898' \
    poke header.bin 84 d 0.5
damage ip 1 1 0 0 0 'header.bin: 99 bytes instead of 100: truncated or not an index header' \
    cut header.bin 1
damage ip 1 1 0 0 0 'header.bin: +0: persistence version 0: newer than this program, or corrupt' \
    zero header.bin 0
damage ip 1 1 0 0 0 'header.bin: missing: an incomplete copy, or a write that failed' \
    rm header.bin
damage ip 0 1 45 45 45 'data_level0.bin: element 3: more links than M allows' \
    poke data_level0.bin 3.count H 17
damage ip 0 1 45 45 45 'data_level0.bin: element 3: a link to an element that is not there' \
    poke data_level0.bin 3.link I 45
damage ip 0 1 45 45 45 'data_level0.bin: element 3: a link to itself' \
    poke data_level0.bin 3.link I 3
damage ip 1 1 45 45 45 'data_level0.bin: element 3: flags 0x0002' \
    poke data_level0.bin 3.flags B 2
damage ip 1 1 44 44 44 'index_metadata.pickle: entry 42 of id_to_label: label 5, which only a deleted element has' \
    poke data_level0.bin 3.flags B 1
damage ip 1 1 45 45 45 'data_level0.bin: element 3: flags 0x0100' \
    poke data_level0.bin 3.zero B 1
damage ip 1 1 45 44 45 'data_level0.bin: element 3: label 1, which element 0 has, too' \
    poke data_level0.bin 3.label Q 1
damage ip 1 1 45 44 45 'data_level0.bin: element 3: label 46, but only 45 were given: the next adds overwrite it' \
    poke data_level0.bin 3.label Q 46
damage ip 1 1 45 44 45 'data_level0.bin: element 3: label 18446744073709551615, but only 45 were given: the next adds overwrite it' \
    poke data_level0.bin 3.label Q 18446744073709551615
damage ip 1 1 44 44 44 'data_level0.bin: 4799 bytes, but 45 elements of 108 bytes: truncated' \
    cut data_level0.bin 6001
damage ip 1 1 0 0 0 'data_level0.bin: element 1: label 0, which element 0 has, too' \
    zero data_level0.bin 0
damage ip 1 1 40 40 40 'data_level0.bin: element 41: label 0, which element 40 has, too' \
    zero data_level0.bin 4320
damage ip 1 1 40 40 40 'data_level0.bin: element 41: label 0, which element 40 has, too' \
    sparse data_level0.bin 4320
damage ip 1 1 0 0 0 'data_level0.bin: missing: an incomplete copy, or a write that failed' \
    rm data_level0.bin
damage ip 0 0 45 45 45 'length.bin: 179 bytes, but 45 elements: truncated' \
    cut length.bin 221
damage ip 0 0 45 45 45 'length.bin: missing: an incomplete copy, or a write that failed' \
    rm length.bin
damage ip 0 1 45 45 0 'link_lists.bin: +0: 35 bytes of links for element 0: corrupt' \
    poke link_lists.bin 0 I 35
damage ip 0 1 45 45 45 'link_lists.bin: +0: element 0, level 1: more links than M allows' \
    poke link_lists.bin 4 H 9
damage ip 0 1 45 45 45 'link_lists.bin: +0: element 0, level 1: a link to an element that is not there' \
    poke link_lists.bin 8 I 45
damage ip 0 1 45 45 45 'link_lists.bin: +0: element 0, level 1: a link to an element that is not on that level' \
    poke link_lists.bin 8 I 1
damage ip 0 1 45 45 44 'link_lists.bin: ends at element 44 of 45' \
    cut link_lists.bin 1
damage ip 0 1 45 45 26 'link_lists.bin: 179 bytes, but 45 elements: truncated' \
    cut link_lists.bin 181
damage ip 0 1 45 45 45 'link_lists.bin: 360 bytes, of which 180 are links: grown without reason' \
    zero link_lists.bin 0
damage ip 0 1 45 45 0 'link_lists.bin: missing: an incomplete copy, or a write that failed' \
    rm link_lists.bin
damage ip 1 1 45 0 45 'index_metadata.pickle: +1789: truncated: no end' \
    cut index_metadata.pickle 1
damage ip 1 1 45 0 45 'index_metadata.pickle: +900: instruction 0x00, which Chroma never writes: refused, nothing was executed' \
    zero index_metadata.pickle 900
damage ip 1 1 45 0 45 'index_metadata.pickle: 1790 bytes with a hole in them: corrupt' \
    sparse index_metadata.pickle 0
damage ip 1 1 45 0 45 'index_metadata.pickle: missing, but header.bin counts 45 elements' \
    rm index_metadata.pickle
damage ip 1 1 45 44 45 'data_level0.bin: 1 live elements that no id names' \
    pickle 'p["id_to_label"].pop("id-0")'
damage ip 1 1 45 45 45 'index_metadata.pickle: 1 labels of id_to_label are not in label_to_id' \
    pickle 'p["label_to_id"].pop(1)'
damage ip 1 1 45 45 45 'index_metadata.pickle: entry 45 of id_to_label: label 99, which no element has' \
    pickle 'p["id_to_label"]["x"] = 99'
damage ip 1 1 45 0 45 'index_metadata.pickle: not the metadata of an index: id_to_label, label_to_id or total_elements_added is not in it' \
    pickle 'p.pop("total_elements_added")'
damage ip 0 0 45 45 45 'data_level0.bin: element 40: label 45, but only 44 were given: the next adds overwrite it' \
    pickle 'p["total_elements_added"] = 44'
damage ip 1 1 45 44 45 'index_metadata.pickle: entry 42 of id_to_label: label 5, which another id has, too' \
    pickle 'p["id_to_label"].update({"id-0": 5})'
damage cosine 1 1 61 61 61 'header.bin: +0: persistence version 2: newer than this program, or corrupt' \
    poke header.bin 0 I 2
# the dimension is not that of the header then, for a matrix neither
chroma-hnswdump cosine --space=cosine --npy >want
run chroma-hnswdump x --space=cosine --salvage --npy
status_is 'a bad header: a matrix' 1
same 'a bad header: a matrix: the same' out want
damage cosine 1 1 61 61 61 'length.bin: element 0: a length that is not the one of its vector: corrupt, or not a cosine index' \
    zero length.bin 0
damage cosine 1 1 61 61 61 'length.bin: element 50: a length that is not the one of its vector: corrupt, or not a cosine index' \
    zero length.bin 200
damage cosine 1 1 61 61 61 'length.bin: element 0: a length that is not the one of its vector: corrupt, or not a cosine index' \
    sparse length.bin 0
damage cosine 1 1 61 61 61 'length.bin: 200 bytes, but 66 elements: truncated' \
    cut length.bin 200
damage cosine 1 1 61 61 61 'length.bin: element 5: a length that is not the one of its vector: corrupt, or not a cosine index' \
    poke length.bin 20 f nan
damage cosine 1 1 61 61 61 'length.bin: element 5: a length that is not the one of its vector: corrupt, or not a cosine index' \
    poke length.bin 20 f -1
damage cosine 1 1 61 61 61 'length.bin: element 5: a length that is not the one of its vector: corrupt, or not a cosine index' \
    poke length.bin 20 f inf
damage cosine 1 1 61 61 61 'length.bin: missing: an incomplete copy, or a write that failed' \
    rm length.bin

# another index's file
for f in header.bin data_level0.bin length.bin link_lists.bin \
    index_metadata.pickle; do
	rm -rf x
	cp -r cosine x
	cp ip/$f x/
	touch -d 2020-01-01 x/*
	run chroma-hnswdump x --space=cosine
	status_is "$f of another index" 3
	ok "$f of another index: the place" grep -q "$T_TMP/x/.*\.[a-z]*: " err
	run chroma-hnswdump x --space=cosine --salvage --graph
	status_is "$f of another index: salvage" 1
done
rm -rf x
cp -r cosine x
hurt x poke data_level0.bin 5.vector f 5
refuses 3 "$T_TMP/x/length.bin: element 5: a length that is not the one of its vector: corrupt, or not a cosine index; --salvage writes what can be read" \
    chroma-hnswdump x --space=cosine
refuses 3 "$T_TMP/ip/length.bin: element 0: a length that is not the one of its vector: corrupt, or not a cosine index; --salvage writes what can be read" \
    chroma-hnswdump ip --space=cosine

# all that a salvage says
rm -rf x
cp -r ip x
hurt x zero data_level0.bin 4320
hurt x poke data_level0.bin 3.flags B 2
hurt x pickle 'p["id_to_label"].pop("id-0")'
chroma-hnswdump -q x --space=ip --salvage >out 2>err
err_is '-q: a salvage says nothing' </dev/null
run chroma-hnswdump x --space=ip --salvage --graph
status_is 'much at once' 1
rm -f ids
err_is 'much at once: what is said' <<END
chroma-hnswdump: warning: $T_TMP/x/data_level0.bin: element 3: flags 0x0002
chroma-hnswdump: warning: 5 elements cannot be read
chroma-hnswdump: warning: 1 live elements have no id
chroma-hnswdump: warning: 5 ids have no vector
$(grep 'no vector$' err | grep -v ids)
chroma-hnswdump: warning: 1 entries of index_metadata.pickle contradict others: ids may be at the wrong vector
chroma-hnswdump: warning: 1 elements have marks that no Chroma sets: they may be deleted or not
END
chroma-hnswdump ip --space=ip | tail -6 | jq -r 'select(.label).id' |
    sort >want
sed -n 's/.*warning: id \(.*\): no vector$/\1/p' err | jq -r . | sort >got
same 'much at once: the ids without a vector' want got
run chroma-hnswdump x --space=ip --salvage --npy --ids=ids
status_is 'a salvaged matrix' 1
mv out m.npy
chroma-hnswdump -q x --space=ip --salvage >s.jsonl
ok 'a salvaged matrix: rows and ids' py matrix npy m.npy ids s.jsonl
rm ids

# in a persist dir: the header from the settings, and what is gone altogether
seg=$(segment "$D" ip-vectors)
chroma-hnswdump "$D" -c ip-vectors | jq -c 'select(.type == "vector")' >want.all
for how in 'zero header.bin 0' 'rm header.bin' 'cut header.bin 99'; do
	rm -rf b
	cp -r a b
	# shellcheck disable=SC2086
	hurt "b/db/$seg" $how
	run chroma-hnswdump b/db -c ip-vectors
	status_is "$how: refused" 3
	run chroma-hnswdump b/db -c ip-vectors --salvage
	status_is "$how: salvage" 1
	jq -c 'select(.type == "vector")' out >got
	same "$how: all of it is there" want.all got
	ok "$how: begin" jq -es '.[0].source.index == null and .[0].partial' out
done
hurt "b/db/$seg" rm index_metadata.pickle
run chroma-hnswdump b/db -c ip-vectors --salvage
status_is 'neither header nor pickle' 1
ok 'neither header nor pickle: nothing' jq -es 'length == 2' out
rm -rf "b/db/$seg"
h=$(head -1 out | jq '.source.collections[0].vector_seq_id')
refuses 3 "b/db/$seg/index_metadata.pickle: missing, but the index was persisted up to seq_id $h; --salvage writes what can be read" \
    chroma-hnswdump b/db -c ip-vectors
run chroma-hnswdump b/db -c ip-vectors --salvage
status_is 'no directory: salvage' 1
rm -rf b
cp -r a b
sqlite3 b/db/chroma.sqlite3 "UPDATE collections SET dimension = 9
    WHERE name = 'ip-vectors'"
refuses 3 "b/db/$seg/header.bin: +36: dimension 8, but the collection has 9; --salvage writes what can be read" \
    chroma-hnswdump b/db -c ip-vectors
run chroma-hnswdump b/db -c ip-vectors --salvage
status_is 'another dimension: salvage' 1
sqlite3 b/db/chroma.sqlite3 "UPDATE collections SET dimension = 8;
    UPDATE segments SET type = 'urn:chroma:segment/vector/hnsw-local-memory'"
refuses 3 'collection ip-vectors: its vector segment is of a type that keeps no files' \
    chroma-hnswdump b/db -c ip-vectors
sqlite3 b/db/chroma.sqlite3 "DELETE FROM segments WHERE scope = 'VECTOR'"
refuses 3 'collection ip-vectors: it has no VECTOR segment' \
    chroma-hnswdump b/db -c ip-vectors
# what was never persisted may be incomplete
rm -rf b
cp -r a b
seg=$(segment a/db default)
rm "b/db/$seg"/*level0.bin
run chroma-hnswdump b/db -c default
status_is 'nothing persisted, and a file is missing' 0
no_err 'nothing persisted: silent'
done_testing
