#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-walfilter: ids, globs, times, where, --invert, --exit-status, several
# inputs; hostile lines; mistakes on the command line.
# shellcheck disable=SC2016,SC1003
. "${0%/*}/../lib.sh"

# the records below are known by their line here
cat >records <<'END'
{"type":"wal","seq_id":1,"created_at":"2026-01-01 00:00:00","operation":"ADD","id":"a","document":"The cat","metadata":{"k":1,"s":"x"}}
{"type":"wal","seq_id":2,"created_at":"2026-01-01 23:59:59","operation":"UPSERT","id":"b","document":"the CAT","uri":"u","metadata":{"k":1.5}}
{"type":"wal","seq_id":3,"created_at":"2026-01-02 00:00:00","operation":"UPDATE","\u0069\u0064":"a","metadata":{"k":null,"s":"y"}}
{"type":"wal","seq_id":4,"created_at":"2026-01-02 00:00:01","operation":"DELETE","id":"A","metadata":{}}
{"type":"wal","seq_id":5}
{"type":"wal","seq_id":6,"operation":"ADD","id":"","document":null,"metadata":null}
{"type":"wal","seq_id":7,"created_at":"2026-01-03 00:00:00","operation":"ADD","id":"a*b","document":"","metadata":{"k":"1"}}
{"type":"wal","seq_id":8,"operation":"ADD","id":"\u00e9","document":"ca\u0074 \u00e9","metadata":{"\u006b":true}}
{"type":"wal","seq_id":9,"operation":"ADD","id":"\ud800","document":"\ud800 cat","metadata":{"k":[1,2]}}
{"type":"future","id":"a","x":[1]}
{"type":"record","collection":"c","id":"a","document":"cat","metadata":{"k":1}}
{"type":"vector","collection_id":"u","label":0,"id":"b","level":0,"deleted":false,"embedding":[1]}
{"type":"wal","seq_id":13,"operation":"ADD","id":"dup","zz":1,"zz":2,"metadata":{"k":3,"k":1}}
{ "zz" : 1 , "type" : "wal", "seq_id":14 ,"id": "sp ace" , "operation":"ADD", "metadata" : { "k" : 2 } }
{"type":"wal","seq_id":15,"operation":"ADD","id":"a\u0000b","document":"c\u0000cat","metadata":{"\u0000":1}}
{"type":"wal","seq_id":-16,"created_at":"yesterday","operation":"ADD","id":"a\r","metadata":{"k":1e400}}
{"type":"wal","seq_id":9223372036854775807,"created_at":"2026-01-02 00:00:00","operation":"ADD","id":"line\nbreak","metadata":{"k":9223372036854775807}}
END
BEGIN='{"type":"begin","stream":"wal","version":1}'
PARTIAL='{"type":"begin","stream":"wal","version":1,"partial":true}'
{ echo "$BEGIN"; cat records
	echo "{\"type\":\"end\",\"records\":$(wc -l <records)}"; } >s.jsonl
run chroma-walfilter -b s.jsonl
mv out s.bin
zstd -q s.bin s.jsonl
run chroma-walfilter -j s.bin
same 'there and back' s.jsonl out

# stream NUMBER...: these records, as a selection, in want; $n of them
stream() {
	n=$#
	echo "$PARTIAL" >want
	for r; do
		sed -n "${r}p" records >>want
	done
	echo "{\"type\":\"end\",\"records\":$n}" >>want
}

# picks NAME "NUMBER..." OPTION...: the options select these of the records,
# byte for byte, of every form; -v selects the others
picks() {
	p_name=$1 p_want=$2
	shift 2
	# shellcheck disable=SC2086
	stream $p_want
	bad=
	for in in s.jsonl s.bin s.jsonl.zst s.bin.zst; do
		run chroma-walfilter -j "$@" $in
		{ [ "$status" -eq 0 ] && cmp -s want out && [ ! -s err ]; } ||
		    bad="$bad, $in: $(diff want out | head -5) $(cat err)"
	done
	run chroma-walfilter -e --count "$@" s.jsonl
	{ [ "$status" -eq "$((n == 0))" ] && [ "$(cat out)" = "$n" ]; } ||
	    bad="$bad, -e --count: $status, $(cat out)"
	# shellcheck disable=SC2046
	stream $(awk -v want=" $p_want " \
	    '!index(want, " " NR " ") { print NR }' records)
	run chroma-walfilter -v "$@" s.jsonl
	{ [ "$status" -eq 0 ] && cmp -s want out; } ||
	    bad="$bad, -v: $(diff want out | head -5)"
	run chroma-walfilter -j --invert "$@" s.bin
	cmp -s want out || bad="$bad, --invert of the binary form"
	ok "$p_name: $p_want$bad" [ -z "$bad" ]
}
nl='
'

# ---- ids ----

picks '--id' '1 3 10 11' --id=a
picks '--id, several' '1 2 3 10 11 12' --id a --id=b
picks '--id is no pattern' '7' --id='a*b'
picks '--id knows case' '4' --id=A
picks '--id, empty' '6' --id=
picks '--id, no such' '' --id=c --id='a '
picks '--id, UTF-8 of an escape' '8' --id=é
picks '--id, a half of a surrogate pair' '9' --id="$(printf '\355\240\200')"
picks '--id, not UTF-8' '' --id="$(printf '\351')"
picks '--id, a line break' '17' --id="line${nl}break"
picks '--id and --operation' '1' --id=a --operation=ADD,DELETE
picks '--id-glob' '1 3 7 10 11 15 16' --id-glob='a*'
picks '--id-glob, all that have one' '1 2 3 4 6 7 8 9 10 11 12 13 14 15 16 17' \
    --id-glob='*'
picks '--id-glob, a character' '1 2 3 4 8 9 10 11 12' --id-glob='?'
picks '--id-glob, a set' '1 2 3 10 11 12' --id-glob='[a-b]'
picks '--id-glob, a set of others' '4 8 9' --id-glob='[!a-b]'
picks '--id-glob, quoted' '7' --id-glob='a\*b'
picks '--id-glob, in the middle' '7 15' --id-glob='a?b'
picks '--id-glob, empty' '6' --id-glob=
picks '--id-glob, of code points' '8' --id-glob='[à-ï]'
picks '--id-glob, several, of line breaks too' '14 17' --id-glob='s*e' \
    --id-glob='l*k'
picks '--id-glob and --id' '4 13' --id-glob='d*' --id=A

printf 'a\nA\n' >ids
picks '--ids-from' '1 3 4 10 11' --ids-from=ids
printf 'a\nA' >ids
picks '--ids-from, without a last newline' '1 3 4 10 11' --ids-from=ids
: >ids
picks '--ids-from, nothing' '' --ids-from=ids
picks '--ids-from, nothing, and --id' '4' --ids-from=ids --id=A
printf '\n' >ids
picks '--ids-from, an empty line is an empty id' '6' --ids-from=ids
printf 'a\r\nb\r\n' >ids
picks '--ids-from: lines are as they are' '16' --ids-from=ids
printf '\351\nA\n' >ids
picks '--ids-from, not UTF-8' '4' --ids-from=ids
printf ' {"id":"a"}\n[1]\n{\n"id"\nA' >ids
picks '--ids-from: the first line says that it is no JSON' '4' --ids-from=ids
printf 'b\n' >b.ids
picks '--ids-from, twice' '2 4 12' --ids-from=ids --ids-from=b.ids
zstd -q ids
picks '--ids-from, compressed' '4' --ids-from=ids.zst
cat >ids <<'END'
{"id":"\u0061","reason":"x"}
{"collection":"c", "\u0069d" : "\ud800"}
{"id":"a\u0000b"}
END
picks '--ids-from, JSON' '1 3 9 10 11 15' --ids-from=ids
sed 's/$/\r/' ids >dos
picks '--ids-from, JSON with CR LF' '1 3 9 10 11 15' --ids-from=dos
seq 1 100000 >many
picks '--ids-from, many' '4' --ids-from=many --id=A

# as many as a table could hold
for n in 63 64 128 4096; do
	seq 1 $n >ids
	picks "--ids-from, $n" '' --ids-from=ids
done

# damaged MESSAGE LINE: as the second line of such a file
damaged() {
	printf '{"id":"a"}\n%b\n{"id":"b"}\n' "$2" >ids
	refuses 3 "ids:2: $1" chroma-walfilter --ids-from=ids s.jsonl
}
damaged 'no "id" that is a string' '{}'
damaged 'no "id" that is a string' '{"id":1}'
damaged 'no "id" that is a string' '{"id":null}'
damaged '"id" stands twice' '{"id":"a","id":"b"}'
damaged "byte 1: expected '{'" 'a'
damaged "byte 1: expected '{'" ''
damaged 'byte 11: text after the object' '{"id":"a"}x'
damaged 'not UTF-8' '{"id":"\0377"}'
damaged 'byte 9: unterminated string' '{"id":"a'
refuses 4 'nope: No such file or directory' \
    chroma-walfilter --ids-from=nope s.jsonl
refuses 4 '. is a directory; a stream is a file' \
    chroma-walfilter --ids-from=. s.jsonl

# ---- times and seq_ids ----

picks '--since' '3 4 7 17' --since=2026-01-02
picks '--since, to the second' '4 7' --since=2026-01-02T00:00:01Z
picks '--until' '1 2' --until=2026-01-02
picks '--until, to the second' '1' --until=2026-01-01T23:59:59Z
picks '--since and --until' '2 3 17' --since=2026-01-01T23:59:59Z \
    --until=2026-01-02T00:00:01Z
picks 'seq_ids' '17' --from-seq-id=9223372036854775807
picks 'seq_ids below 0' '1 16' --to-seq-id=1
picks 'seq_ids and times' '4 7' --from-seq-id=4 --since=2026-01-02 \
    --to-seq-id=99

# ---- where ----

picks '--where' '1 4 11 13' --where='{"k":1}'
picks '--where, strings' '3 4' --where='{"s":"y"}'
picks '--where, true is not 1' '4 8' --where='{"k":true}'
picks '--where, numbers' '2 4 14 17' \
    --where='{"$and":[{"k":{"$gt":1}},{"k":{"$ne":3}}]}'
picks '--where, complement' '2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17' \
    --where='{"s":{"$ne":"x"}}'
picks '--where, an array' '4 9' --where='{"k":{"$contains":2}}'
picks '--where, a key with NUL' '4 15' --where='{"\u0000":1}'
picks '--where and --operation' '4' --where='{"k":1}' --operation=DELETE
picks '--where and --id' '1 11' --where='{"k":1}' --id=a
picks '--where, the document as a key' '1 4' \
    --where='{"chroma:document":"The cat"}'
picks '--where, the uri as a key' '2 4' --where='{"chroma:uri":"u"}'
picks '--where, #document' '1 4 8 9 11' \
    --where='{"#document":{"$contains":"cat"}}'
picks '--where-document' '1 4 8 9 11' --where-document='{"$contains":"cat"}'
picks '--where-document, complement' '2 3 4 5 6 7 10 12 13 14 15 16 17' \
    --where-document='{"$not_contains":"cat"}'
picks '--where-document, $regex' '1 2 4' \
    --where-document='{"$regex":"(?i)^the c"}'
picks '--where-document, empty is a document' '4 7' \
    --where-document='{"$regex":"^$"}'
picks '--where and --where-document' '1 4 11' --where='{"k":1}' \
    --where-document='{"$contains":"cat"}'

# numbers of the log are read as Chroma reads them, those of get() were
for type in wal record; do
	printf '%s\n' "{\"type\":\"$type\",\"metadata\":{\"k\":365688.91691258556}}"
done >float
run chroma-walfilter --plain --where='{"k":365688.91691258556}' float
head -1 float >want
same '--where, a number that Chroma reads otherwise' want out

# ---- -e, --limit, --count ----

# ends STATUS RECORDS OPTION...
ends() {
	e_want=$1 e_n=$2
	shift 2
	run chroma-walfilter "$@"
	t_ok=1
	[ "$status" -ne "$e_want" ] || [ -s err ] ||
	    [ "$(tail -n 1 out)" != "{\"type\":\"end\",\"records\":$e_n}" ] ||
	    t_ok=0
	t_line "$*: status $e_want" $t_ok
}
ends 0 4 -e --id=a s.jsonl
ends 1 0 -e --id=c s.jsonl
ends 1 0 --exit-status --id=c s.jsonl
ends 0 0 --id=c s.jsonl
ends 1 0 -e --limit=0 s.jsonl
ends 0 1 -e --limit=1 --id=a s.jsonl
ends 1 0 -e --limit=1 --id=c s.jsonl
run chroma-walfilter -e --count --limit=0 s.jsonl
status_is '-e --count --limit=0' 1
run chroma-walfilter -q -e -o none --id=c s.jsonl
status_is '-e -o: status' 1
ok '-e -o: the file is there' [ -s none ]
{ echo "$BEGIN"; head -3 records; } >cut.jsonl
run chroma-walfilter -e --id=c cut.jsonl
status_is '-e of a damaged stream' 3
# what was asked for is there: nothing behind it is read
{ echo "$BEGIN"; head -3 records; echo rubbish; } >behind
for n in 0 1 2 3; do
	run chroma-walfilter --limit=$n behind nope
	status_is "--limit=$n: status" 0
	# shellcheck disable=SC2046
	stream $(seq 1 "$n")
	same "--limit=$n" want out
done
run chroma-walfilter --limit=4 behind
status_is '--limit=4' 3
mkfifo pipe
{ cat cut.jsonl; sleep 20; } >pipe &
timeout 5 chroma-walfilter --limit=1 --id=a pipe >out
t_line '--limit waits for no more' $?
kill $!

# ---- several inputs ----

{ echo "$BEGIN"; sed -n 4,5p records; echo '{"type":"end","records":2}'; } >t.jsonl
run chroma-walfilter -b t.jsonl
mv out t.bin
{ echo "$PARTIAL"; sed -n '1p;3p;10,11p' records
	echo '{"type":"end","records":4}'
	echo "$PARTIAL"; echo '{"type":"end","records":0}'; } >want.two
for pair in 's.jsonl t.jsonl' 's.bin t.jsonl' 's.jsonl t.bin' \
    's.bin.zst t.bin' 's.jsonl.zst t.jsonl'; do
	# shellcheck disable=SC2086
	run chroma-walfilter -j --id=a $pair
	status_is "$pair: status" 0
	same "$pair" want.two out
done
run chroma-walfilter s.bin t.jsonl
mv out two.bin
run chroma-walfilter -b s.jsonl t.bin
same 'the first says the form' two.bin out
run chroma-walfilter s.jsonl - <t.bin
cat s.jsonl t.jsonl >want
same 'standard input among them' want out
run chroma-walfilter --plain s.jsonl records
sed '1d;$d' s.jsonl | cat - records >want
same '--plain, with and without' want out
run chroma-walfilter --count --limit=18 s.jsonl t.jsonl
out_is '--limit over both' <<'END'
18
END
run chroma-walfilter --limit=17 s.jsonl t.jsonl
# shellcheck disable=SC2046
stream $(seq 1 17)
same '--limit ends with the first: no second' want out
: >empty
for second in nope empty cut.jsonl; do
	case $second in
	nope) want=4 msg='nope: No such file or directory' ;;
	empty) want=3 msg='empty: empty: not even a begin record; what should have written it failed' ;;
	*) want=3 msg='cut.jsonl: no end record: truncated after 3 records' ;;
	esac
	run chroma-walfilter t.jsonl $second s.jsonl
	status_is "second is $second: status" $want
	echo "chroma-walfilter: $msg" >want
	same "second is $second: message" want err
	# the end of a stream goes out with the begin of the next
	if [ $second = cut.jsonl ]; then cat t.jsonl cut.jsonl; else sed '$d' t.jsonl
	fi >want
	same "second is $second: what was written" want out
	run chroma-walfilter --count t.jsonl $second s.jsonl
	status_is "second is $second: --count" "$want"
	ok "second is $second: --count prints nothing" [ ! -s out ]
	run chroma-walfilter -o gone t.jsonl $second s.jsonl
	status_is "second is $second: -o" "$want"
	ok "second is $second: no file" [ ! -e gone ]
done
run chroma-walfilter --limit=1 t.jsonl nope
status_is 'what is not needed is not opened' 0
sed 's/"version":1/"version":1,"source":{"collections":[]}/' t.jsonl >named
run chroma-walfilter -c u t.jsonl named
status_is 'a name that the second does not have' 2

# ---- hostile lines ----

# hostile NAME STATUS OPTION...: what is in line, alone in a stream
hostile() {
	h_name=$1 h_want=$2
	shift 2
	{ echo "$BEGIN"; cat line; echo '{"type":"end","records":1}'; } >h.jsonl
	run chroma-walfilter "$@" h.jsonl
	status_is "$h_name, $*" "$h_want"
	[ "$h_want" -ne 0 ] || no_err "$h_name, $*: silent"
}
# passed NAME: the last one came out as it was
passed() {
	sed '1d;$d' out >out.line
	same "$1: as it was" line out.line
}
deep() {
	python3 - "$1" <<'END'
import sys
n = int(sys.argv[1])
print('{"type":"wal","operation":"ADD","id":"a","metadata":{"k":%s1%s}}' %
      ("[" * n, "]" * n))
END
}
deep 50 >line
hostile 'nested' 0 --where='{"k":1}' -v
passed 'nested'
for n in 2000 200000; do
	deep $n >line
	for o in --id=a '--where={"k":1}' --latest; do
		hostile "nested $n times" 3 "$o"
		ok "nested $n times, $o: says where" \
		    grep -q '^chroma-walfilter: h.jsonl:2: ' err
	done
done
python3 -c 'print("{\"type\":\"wal\",\"operation\":\"ADD\",\"id\":\"a\",\"document\":\"%s\"}" % ("x" * 20000000))' >line
hostile 'a line of 20 MB' 0 --where-document='{"$contains":"y"}' -v
passed 'a line of 20 MB'
for bad in '"id":7' '"id":null' '"id":"a","id":"a"' '"id":"a","\u0069d":"a"'; do
	printf '%s\n' "{\"type\":\"wal\",$bad}" >line
	hostile "$bad" 3 --id=a
	hostile "$bad" 3 --id-glob='*'
	hostile "$bad" 0 -v --from-seq-id=0
	passed "$bad"
done
printf '{"type":"wal","metadata":{"k":1,"k":2},"created_at":5}\n' >line
hostile 'a time that is a number' 3 --since=2026-01-01
hostile 'a time that is not asked for' 0 --where='{"k":2}'
passed 'a time that is not asked for'
printf '{"type":"wal","metadata":[]}\n' >line
hostile 'metadata that is a list' 3 --where='{"k":2}'
err_is 'metadata that is a list: says where' <<'END'
chroma-walfilter: h.jsonl:2: metadata: neither an object nor null
END
printf '{"type":"wal","metadata":{"k":NaN}}\n' >line
hostile 'NaN is no JSON' 3 --id=a
printf '{"type":"wal","id":"a\000b"}\n' >line
hostile 'a NUL in a line' 3 --id=a
printf '{"type":"wal","id":"\355\240\200"}\n' >line
hostile 'a surrogate in UTF-8' 3 --id=a
for s in '\ud800\ud800' '\udc00x' '\udc00\ud800' '\uD800x'; do
	printf '%s\n' "{\"type\":\"wal\",\"id\":\"$s\"}" >line
	hostile "$s" 0 --id-glob='??' -e
	passed "$s"
done
printf '%s\n' '{"type":"wal","id":"\ud83d\ude00"}' >line
hostile 'a pair is one character' 0 --id-glob='?' -e
hostile 'a pair is itself' 0 --id='😀' -e
passed 'a pair'
if [ -n "${TEST_LONG-}" ]; then
	python3 - >long.jsonl <<'END'
import sys
w = sys.stdout.write
w('{"type":"begin","stream":"wal","version":1}\n{"type":"wal","id":"a","document":"')
for _ in range(1000):
    w("x" * 1000000)
w('"}\n{"type":"end","records":1}\n')
END
	timeout -s KILL 300 chroma-walfilter -e --count --id=a long.jsonl >out
	t_line 'a line of 1 GB' $?
	rm long.jsonl
else
	skip 'a line of 1 GB' 'TEST_LONG=1 takes time and memory'
fi

# ---- mistakes ----

W=chroma-walfilter
set_msg="a set without its ']', or with a range backwards"
time_msg='is not a time (YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ; UTC)'
word_msg='is none of documents, metadata, ids, embeddings, names'
misused "--id-glob: '[a': $set_msg" $W --id-glob='[a' s.jsonl
misused "--id-glob: '[b-a]': $set_msg" $W --id-glob='[b-a]' s.jsonl
misused "--id-glob: 'a\\': a '\\' with nothing behind it" \
    $W --id-glob='a\' s.jsonl
misused "--since: '2026-13-01' $time_msg" $W --since=2026-13-01 s.jsonl
misused "--until: '' $time_msg" $W --until= s.jsonl
misused '--since is not before --until' \
    $W --since=2026-01-02 --until=2026-01-01 s.jsonl
misused '--since is not before --until' \
    $W --since=2026-01-02 --until=2026-01-02 s.jsonl
misused '--from-seq-id is greater than --to-seq-id' \
    $W --from-seq-id=2 --to-seq-id=1 s.jsonl
misused '--where: byte 2: expected a string' $W --where='{' s.jsonl
misused '--where: byte 1: a filter is an object with one member, not null' \
    $W --where=null s.jsonl
misused '--where: byte 8: a filter has more than one member: put each into an object of its own, in a list under "$and"' \
    $W --where='{"a":1,"b":2}' s.jsonl
misused '--where-document: byte 1: a document filter has no member, but wants exactly one; to select everything, leave the filter out' \
    $W --where-document='{}' s.jsonl
misused '--where: one at most; $and and $or join several' \
    $W --where='{"a":1}' --where='{"a":1}' s.jsonl
misused '--where-document: one at most; $and and $or join several' \
    $W --where-document='{"$contains":"a"}' \
    --where-document='{"$contains":"a"}' s.jsonl
for o in --limit=1 --count --embedding=none; do
	misused '--invert: there is nothing that selects' $W -v $o s.jsonl
done
misused '--invert: there is nothing that selects' \
    $W -v --latest --since=2026-01-01 s.jsonl
misused "--limit: '-1' is not a number from 0 to 9223372036854775807" \
    $W --limit=-1 s.jsonl
misused "--operation: 'add' is none of ADD, UPDATE, UPSERT, DELETE" \
    $W --operation=add s.jsonl
misused "--operation: '' is none of ADD, UPDATE, UPSERT, DELETE" \
    $W --operation=ADD, s.jsonl
misused "--redact: '' $word_msg" $W --redact= s.jsonl
misused "--redact: '' $word_msg" $W --redact=documents, s.jsonl
misused "--redact: 'id' $word_msg" $W --redact=documents,id s.jsonl
for what in ids names documents,names; do
	misused '--redact=ids and --redact=names need --key-file: without a key one could find out what they were by trying' \
	    $W --redact=$what s.jsonl
done
misused '--key-file is for --redact=ids and --redact=names' \
    $W --key-file=records s.jsonl
misused '--key-file is for --redact=ids and --redact=names' \
    $W --key-file=records --redact=documents,metadata,embeddings s.jsonl
misused '--tmpdir is for --latest' $W --tmpdir=. s.jsonl
misused '--count and --output exclude one another' $W --count -o x s.jsonl
misused '--binary and --jsonl exclude one another' $W -bj s.jsonl
misused '--latest: takes no argument' $W --latest=1 s.jsonl
for o in --id --id-glob --ids-from --since --until --where --where-document \
    --redact --key-file --tmpdir; do
	misused "$o: needs an argument" $W s.jsonl $o
done
misused '-x: unknown option' $W -x s.jsonl
misused '--nope: unknown option' $W --nope s.jsonl

done_testing
