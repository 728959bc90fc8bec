#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-hnswbuild --old: an older index gives candidates, and whatever it is
# like, the new one is sound.
. "${0%/*}/../lib.sh"

py() { python3 -B "$T_DIR/t/hnswbuild.py" "$@"; }

# builds NAME N INDEXDIR FILE: with --old a sound index of N elements
# comes of it, as good as ever.
builds() {
	rm -rf new
	run chroma-hnswbuild --space=l2 --old="$3" -o new "$4"
	status_is "$1: status" 0
	no_err "$1: silent"
	t_sound=$(py sound new l2 2>sound.err)
	[ "${t_sound%% *}" = "$2" ]
	t_line "$1: sound" $?
	ok "$1: as good as ever" jq -e \
	    ".elements == $2 and .reachable == 1 and .recall > 0.95" out
}

# content DIR: ids and vectors, in the order of the ids
content() {
	chroma-hnswdump "$1" --space=l2 | jq -c \
	    'select(.type == "vector") | [.id, .embedding]' | sort
}

py vectors 2000 10 3 normal >v
run chroma-hnswbuild -q --space=l2 -o old v
status_is 'an index' 0
builds 'the same vectors' 2000 old v
content new >got
content old >want.all
same 'the same vectors: all are there' want.all got
ok 'the same vectors: candidates were taken' not cmp -s \
    new/data_level0.bin old/data_level0.bin
ok 'the same vectors: the same upper levels or other ones, not none' \
    [ -s new/link_lists.bin ]

# the links that came with the records are the same candidates
chroma-hnswdump --graph old --space=l2 >linked
chroma-hnswdump old --space=l2 >bare
run chroma-hnswbuild -q --space=l2 -o first linked
status_is 'links of records' 0
run chroma-hnswbuild -q --space=l2 --old=old -o second bare
status_is '--old of bare records' 0
ok 'the same bytes' diff -r first second
run chroma-hnswbuild -q --space=l2 -o third bare
ok 'not those of neither' not cmp -s first/data_level0.bin \
    third/data_level0.bin
rm -rf first second third
run chroma-hnswbuild -q --space=l2 --old=old --threads=1 -o first bare
run chroma-hnswbuild -q --space=l2 --old=old --threads=2 -o second bare
ok 'one thread, two threads: the same bytes' diff -r first second
rm -rf first second

# what it does not know, and what is gone
sed 's/"id":"v/"id":"other/' v >others
builds 'other ids' 2000 old others
mv new first
run chroma-hnswbuild -q --space=l2 -o plain others
ok 'other ids: nothing is taken' diff -r first plain
rm -rf first plain
jq -c 'select(.type != "vector" or (.label % 3 == 0))' v | sed \
    's/"records":2000/"records":666/' >third
builds 'a third of the ids' 666 old third
py vectors 1500 3 9 normal >three
builds 'another dimension' 1500 old three
cat v >added
sed -i '$d' added
py vectors 1000 10 11 normal | sed -n 's/"id":"v/"id":"w/p' >>added
echo '{"type":"end","records":3000}' >>added
builds 'more ids' 3000 old added
py vectors 2 10 3 normal >two
builds 'two' 2 old two
printf '%s\n' '{"type":"begin","stream":"vector","version":1}' \
    '{"type":"end","records":0}' >none
run chroma-hnswbuild -q --space=l2 --old=old -o nothing none
status_is 'nothing' 0
run chroma-hnswbuild -q --space=l2 --old=nothing -o again v
status_is 'an old one without elements' 0
rm -rf nothing again

# with deleted elements, by a real Chroma
persist 1.5.9 p
jq -r '.collections[] | [.id, .space] | @tsv' p/expected.json >list
while read -r id space; do
	dir=$(sqlite3 p/db/chroma.sqlite3 "SELECT id FROM segments WHERE
	    scope = 'VECTOR' AND collection = '$id'")
	[ -d "p/db/$dir" ] || continue
	chroma-hnswdump -c "$id" p/db >dump
	rm -rf new
	run chroma-hnswbuild -q --old="p/db/$dir" -o new dump
	status_is "a real one, $space: status" 0
	ok "a real one, $space: sound" py sound new "$space"
done <list

# ---- damaged ----

# damaged NAME COMMAND: to a copy of it that is; a sound index comes of it
damaged() {
	rm -rf bad
	cp -r old bad
	t_name_=$1
	shift
	"$@"
	rm -rf new
	run chroma-hnswbuild --space=l2 --old=bad -o new v
	status_is "$t_name_: status" 0
	t_sound=$(py sound new l2 2>sound.err)
	[ "${t_sound%% *}" = 2000 ]
	t_line "$t_name_: sound" $?
	content new >got
	same "$t_name_: all are there" want.all got
}

# poke FILE OFFSET BYTES
# shellcheck disable=SC2059	# it is a format
poke() { printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>dd.err; }
size=$((4 + 8 * 16 + 4 * 10 + 8))
said() { ok "$1: said" grep -q \
    '^chroma-hnswbuild: .*bad: .*; what can be read of it is used$' err; }

# shellcheck disable=SC2317  # all of them are called
cut_level0() { truncate -s $((size * 700 + 13)) bad/data_level0.bin; }
damaged 'half of its elements' cut_level0
said 'half of its elements'
# shellcheck disable=SC2317
links_out() { poke bad/data_level0.bin $((size * 5 + 4)) '\377\377\377\377'; }
damaged 'a link to nowhere' links_out
# shellcheck disable=SC2317
many_links() { poke bad/data_level0.bin $((size * 6)) '\377\377'; }
damaged 'more links than there is room for' many_links
# shellcheck disable=SC2317
to_itself() { poke bad/data_level0.bin $((size * 7 + 4)) '\007\0\0\0'; }
damaged 'a link to itself' to_itself
# shellcheck disable=SC2317
noise() {
	python3 -c 'import random; r = random.Random(1)
with open("bad/data_level0.bin", "r+b") as f:
    n = f.seek(0, 2)
    for i in range(20000):
        f.seek(r.randrange(n)); f.write(bytes([r.randrange(256)]))'
}
damaged 'noise' noise
# shellcheck disable=SC2317
no_upper() { rm bad/link_lists.bin; }
damaged 'without link_lists.bin' no_upper
# shellcheck disable=SC2317
empty_level0() { : >bad/data_level0.bin; }
damaged 'an empty data_level0.bin' empty_level0

rm -rf bad new
refuses 4 'nowhere: No such file or directory' \
    chroma-hnswbuild --space=l2 --old=nowhere -o new v
ok 'and nothing is left' [ ! -e new ]
mkdir empty
refuses 4 'empty: no index in it' \
    chroma-hnswbuild --space=l2 --old=empty -o new v
ok 'and nothing is left' [ ! -e new ]

done_testing
