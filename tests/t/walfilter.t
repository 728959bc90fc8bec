#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-walfilter: selection, conversion, damaged input, mistakes.
. "${0%/*}/../lib.sh"

mkdir p
persist 1.5.9-nopurge p
run chroma-walexport p/db
mv out all.jsonl
run chroma-walexport -b p/db
mv out all.bin
zstd -q -o all.jsonl.zst all.jsonl
zstd -q -o all.bin.zst all.bin
begin=$(head -1 all.jsonl)

# lines WANT...: the last run gave these records of all.jsonl, byte for byte,
# between a begin that says partial and an end that counts them; WANT is a jq
# condition
lines() {
	{
		printf '%s\n' "$begin" |
		    sed 's/"version":1,/"version":1,"partial":true,/'
		sed '1d;$d' all.jsonl | jq -c "[input_line_number, $2]" |
		    sed -n 's/^\[\([0-9]*\),true\]$/\1p/p' >pick.sed
		[ ! -s pick.sed ] || sed '1d;$d' all.jsonl | sed -n -f pick.sed
		printf '{"type":"end","records":%s}\n' "$(grep -c . pick.sed)"
	} >want.lines
	same "$1" want.lines out
	[ -n "${3-}" ] || ok "$1: some" [ -s pick.sed ]
}

# ---- every form in, every form out ----

for in in all.jsonl all.bin all.jsonl.zst all.bin.zst; do
	case $in in *.jsonl*) own=all.jsonl ;; *) own=all.bin ;; esac
	run chroma-walfilter $in
	status_is "$in: status" 0
	no_err "$in: silent"
	same "$in: the form is inherited, compression is not" $own out
	run chroma-walfilter -j $in
	same "$in -j" all.jsonl out
	run chroma-walfilter --binary $in
	same "$in -b" all.bin out
	run chroma-walfilter -jz $in
	zstd -dcq <out >plain
	same "$in -jz" all.jsonl plain
	run chroma-walfilter -b --zstd=1 $in
	zstd -dcq <out >plain
	same "$in -b --zstd" all.bin plain
	run chroma-walfilter <$in
	same "$in as standard input" $own out
	run chroma-walfilter - <$in
	same "$in as -" $own out
done
# through a pipe that gives a few bytes at a time
dd if=all.bin.zst bs=37 2>/dev/null | chroma-walfilter -j >out
same 'in small pieces' all.jsonl out

# a stream of several zstd frames, one of them empty
{ head -c 5000 all.jsonl | zstd -cq; zstd -cq </dev/null
	tail -c +5001 all.jsonl | zstd -cq; } >frames.zst
run chroma-walfilter frames.zst
same 'several zstd frames' all.jsonl out

# ---- embeddings ----

for form in -j -b; do
	run chroma-walfilter $form --embedding=base64 all.jsonl
	status_is "--embedding=base64 $form: status" 0
	mv out base64
	run chroma-walexport $form --embedding=base64 p/db
	same "--embedding=base64 $form" out base64
	run chroma-walfilter $form --embedding=array base64
	mv out array
	run chroma-walfilter $form all.jsonl
	same "--embedding=array $form" out array
	run chroma-walfilter $form --embedding=none all.bin
	mv out none
	run chroma-walexport $form --embedding=none p/db
	same "--embedding=none $form" out none
	# what is gone does not come back, and begin says so on
	run chroma-walfilter $form --embedding=array none
	same "--embedding=array $form after none" none out
done
run chroma-walfilter --embedding=base64 --operation=DELETE all.jsonl
lines '--embedding and a selection' '.operation == "DELETE"'

# ---- selection ----

mine=$(printf '%s\n' "$begin" | jq -r '.source.collections[] |
    select(.name == "docs" and .tenant != "acme").id')
run chroma-walfilter -c default all.jsonl
status_is '-c: status' 0
no_err '-c: silent'
lines '-c NAME' '.collection == "default"'
run chroma-walfilter --collection=acme/wiki/docs all.jsonl
lines '-c TENANT/DATABASE/NAME' '.tenant == "acme"'
run chroma-walfilter -c "$mine" all.jsonl
lines '-c UUID' ".collection_id == \"$mine\""
run chroma-walfilter -c "$(printf %s "$mine" | tr a-f A-F)" -c default all.jsonl
lines '-c, several' ".collection_id == \"$mine\" or .collection == \"default\""
run chroma-walfilter --skip=default all.jsonl
lines '--skip' '.collection != "default"'
run chroma-walfilter --skip=empty all.jsonl
lines '--skip of an empty one' true
run chroma-walfilter -c empty all.jsonl
lines '-c of an empty one' false none
run chroma-walfilter --operation=ADD all.jsonl
lines '--operation' '.operation == "ADD"'
run chroma-walfilter --operation=UPDATE,DELETE --operation UPSERT all.jsonl
lines '--operation, several' '.operation != "ADD"'
run chroma-walfilter --from-seq-id=100 all.jsonl
lines '--from-seq-id' '.seq_id >= 100'
run chroma-walfilter --to-seq-id=100 all.jsonl
lines '--to-seq-id' '.seq_id <= 100'
run chroma-walfilter --from-seq-id 7 --to-seq-id 7 all.jsonl
lines 'a range of one' '.seq_id == 7'
run chroma-walfilter --operation=DELETE --from-seq-id=50 -c "$mine" all.jsonl
lines 'different kinds AND' ".operation == \"DELETE\" and .seq_id >= 50 and
    .collection_id == \"$mine\""
run chroma-walfilter -j --operation=DELETE all.bin
lines 'of a binary stream' '.operation == "DELETE"'
run chroma-walfilter --operation=DELETE all.bin.zst
mv out some.bin
run chroma-walfilter -j some.bin
lines 'of a binary stream, binary' '.operation == "DELETE"'
run chroma-walfilter -b --operation=DELETE all.jsonl
same 'the same from JSONL' some.bin out

refuses 2 "no collection 'nope' in all.jsonl (its begin record names those that there are)" \
    chroma-walfilter -c nope all.jsonl
refuses 2 "no collection 'nope' in all.bin (its begin record names those that there are)" \
    chroma-walfilter --skip=nope all.bin
refuses 2 "no collection 'nope' in <stdin> (its begin record names those that there are)" \
    chroma-walfilter -c nope - <all.bin
refuses 2 "'docs' is 2 collections in all.jsonl; name one as TENANT/DATABASE/NAME or by its id" \
    chroma-walfilter -c docs all.jsonl

# ---- limit and count ----

for n in 0 1 50; do
	run chroma-walfilter --limit=$n all.jsonl
	status_is "--limit=$n: status" 0
	lines "--limit=$n" "input_line_number <= $n" none
	run chroma-walfilter -j --limit=$n all.bin
	lines "--limit=$n of a binary stream" "input_line_number <= $n" none
done
run chroma-walfilter --limit=2 --operation=DELETE all.jsonl
ok '--limit counts what is selected' [ "$(jq -c 'select(.type != "begin") |
    .operation // .records' out | tr '\n' ' ')" = '"DELETE" "DELETE" 2 ' ]
run chroma-walfilter --limit=1000 all.jsonl
lines '--limit above all' true
# the rest of the input is not looked at
{ head -3 all.jsonl; echo rubbish; } >short
run chroma-walfilter --limit=1 short
status_is '--limit stops reading' 0

run chroma-walfilter --count all.jsonl
status_is '--count: status' 0
echo 289 | cat >want.count
same '--count' want.count out
no_err '--count: silent'
run chroma-walfilter --count all.bin.zst
same '--count of a binary stream' want.count out
run chroma-walfilter --count --operation=DELETE all.jsonl
grep -c '"operation":"DELETE"' all.jsonl >want.count
same '--count of a selection' want.count out
run chroma-walfilter --count --limit=5 all.jsonl
out_is '--count and --limit' <<'END'
5
END

# ---- without begin and end ----

sed '1d;$d' all.jsonl >plain.jsonl
run chroma-walfilter --plain all.jsonl
status_is '--plain: status' 0
same '--plain writes no begin and end' plain.jsonl out
run chroma-walfilter --plain plain.jsonl
same '--plain wants no begin and end' plain.jsonl out
head -100 all.jsonl >cut.jsonl
run chroma-walfilter --plain cut.jsonl
status_is '--plain of what head left: status' 0
sed 1d cut.jsonl >want
same '--plain of what head left' want out
run chroma-walfilter --plain -b all.jsonl
mv out plain.bin
run chroma-walfilter --plain -j plain.bin
same '--plain, binary and back' plain.jsonl out
refuses 3 'plain.bin:+8: no begin record: not a stream of chromautils, or its head is missing (chroma-walfilter --plain reads bare records)' \
    chroma-walfilter plain.bin
run chroma-walfilter --plain --limit=2 all.jsonl
head -2 plain.jsonl >want
same '--plain --limit' want out
run chroma-walfilter --plain -c nope all.jsonl
status_is '--plain: nobody says which collections there are' 0
ok '--plain: nothing' [ ! -s out ]
run chroma-walfilter --plain --count plain.jsonl
out_is '--plain --count' <<'END'
289
END
run chroma-walfilter --plain /dev/null
status_is '--plain of nothing: status' 0
ok '--plain of nothing' [ ! -s out ]
run chroma-walfilter --plain -b /dev/null
printf '\211CHS\r\n\032\001' >want
same '--plain -b of nothing' want out
run chroma-walfilter --plain out
status_is '--plain of an empty binary stream' 0
# what other programs print has no type
printf '%s\n' '{"id":"a","embedding":[1, 2]}' '{"id": "b"}' >bare
run chroma-walfilter --plain bare
status_is '--plain of bare records: status' 0
same '--plain of bare records' bare out
run chroma-walfilter --plain -b bare
mv out bare.bin
run chroma-walfilter --plain -j bare.bin
same '--plain of bare records, binary and back' bare out

# ---- a file as output ----

run chroma-walfilter -o new -z all.jsonl
status_is '-o: status' 0
no_err '-o: silent'
ok '-o: receipt' jq -e '.receipt == "chroma-walfilter" and .output == "new" and
    .records == 289 and (.seconds | type) == "number" and
    keys_unsorted == ["receipt","output","records","bytes","seconds"]' out
ok '-o: bytes' [ "$(jq .bytes out)" = "$(wc -c <new)" ]
zstd -dcq <new >plain
same '-o' all.jsonl plain
cp new before
refuses 2 'new exists; --force replaces it' chroma-walfilter -o new all.bin
same '-o of a file that exists changes nothing' before new
run chroma-walfilter -q --force --output=new all.bin
status_is '-o --force: status' 0
same '-o --force' all.bin new
ok '-q: no receipt' [ ! -s out ]
refuses 2 'p is not a regular file' chroma-walfilter --force -o p all.jsonl
refuses 2 'p exists; --force replaces it' chroma-walfilter -o p all.jsonl
refuses 4 'no/new: No such file or directory' chroma-walfilter -o no/new all.jsonl
refuses 4 'p/: Is a directory' chroma-walfilter -o p/ all.jsonl
ln -s all.jsonl link
refuses 2 'link is not a regular file' chroma-walfilter --force -o link all.bin
ok 'a link is not followed' cmp -s link all.jsonl
# the file that is read may be the one that is replaced
cp all.jsonl self
run chroma-walfilter -q --force -o self -b self
status_is '-o over the input: status' 0
same '-o over the input' all.bin self
# input that is bad: nothing appears
refuses 3 'cut.jsonl: no end record: truncated after 99 records' \
    chroma-walfilter -o gone cut.jsonl
ok 'bad input: no file' [ ! -e gone ]
run chroma-walfilter -q --force -o new cut.jsonl
status_is 'bad input and --force: status' 3
same 'bad input and --force: the old file' all.bin new
ls -A >names
ok 'nothing lies about' not grep -q chromautils- names
# what a dead run left goes, what is not ours stays
: >.new.chromautils-999999999
: >.new.chromautils
run chroma-walfilter -q --force -o new all.jsonl
ok 'the rest of a dead run is removed' [ ! -e .new.chromautils-999999999 ]
ok 'what only looks like it is not' [ -e .new.chromautils ]

# ---- damaged input ----

# broken NAME MESSAGE FILE [WANT [ENDS]]: status 3, the message, and what was
# read comes out without an end: WANT (FILE) up to the damage.  ENDS: a whole
# stream stands before the damage
broken() {
	run chroma-walfilter "$3"
	status_is "$1: status" 3
	printf 'chroma-walfilter: %s\n' "$2" >want.err
	same "$1: message" want.err err
	begins "$1: what came before" "${4-$3}" out
	[ -n "${5-}" ] || ok "$1: no end" not grep -aq '^{"type":"end"' out
	run chroma-walfilter --count "$3"
	status_is "$1: --count" 3
	ok "$1: --count prints nothing" [ ! -s out ]
}
: >empty
broken 'an empty file' 'empty: empty: not even a begin record; what should have written it failed' empty
broken 'no end' 'cut.jsonl: no end record: truncated after 99 records' cut.jsonl
run chroma-walfilter cut.jsonl
same 'no end: all that came' cut.jsonl out
run chroma-walfilter -b cut.jsonl
status_is 'no end, converted: status' 3
mv out cut.bin
broken 'and the next one refuses as well' \
    'cut.bin: no end record: truncated after 99 records' cut.bin
head -c 5000 all.jsonl >half
n=$(wc -l <half)
head -"$n" half >before.half
run chroma-walfilter half
status_is 'cut in a line: status' 3
ok 'cut in a line: message' grep -Eqx \
    "chroma-walfilter: half:$((n + 1)): byte [0-9]+: .+" err
ok 'cut in a line: the lines before it' cmp -s before.half out
sed 60d all.jsonl >fewer
broken 'one is missing' \
    'fewer:290: the end record counts 289 records, but 288 came: truncated or changed on the way' fewer
sed 60p all.jsonl >extra
broken 'one is too many' \
    'extra:292: the end record counts 289 records, but 290 came: truncated or changed on the way' extra
sed 1d all.jsonl >headless
broken 'no begin' 'headless:1: no begin record: not a stream of chromautils, or its head is missing (chroma-walfilter --plain reads bare records)' headless
{ cat cut.jsonl; cat all.jsonl; } >twice
broken 'a stream after one that was cut' 'twice:101: a begin record before the end of the stream before it: that one is truncated' twice
{ cat all.jsonl; tail -1 all.jsonl; } >ends
broken 'two ends' 'ends:292: an end record without a begin' ends ends ends
{ cat all.jsonl; sed -n 5p all.jsonl; } >behind
broken 'a record behind the end' 'behind:292: no begin record: not a stream of chromautils, or its head is missing (chroma-walfilter --plain reads bare records)' behind behind ends
{ head -5 all.jsonl; printf '\n'; } >blank
broken 'an empty line' "blank:6: byte 1: expected '{'" blank
{ head -5 all.jsonl; printf '{"type":"wal","id":"\377"}\n'; } >latin
broken 'not UTF-8' 'latin:6: not UTF-8' latin
{ head -5 all.jsonl; printf '[1]\n'; } >list
broken 'not an object' "list:6: byte 1: expected '{'" list
{ head -5 all.jsonl; printf '{"id":1}\n'; } >typeless
broken 'no type' 'typeless:6: no "type": not a record of a stream' typeless
{ head -5 all.jsonl; printf '{"type":"wal"}x\n'; } >behind2
run chroma-walfilter behind2
status_is 'something behind the object: status' 3
printf '{"type":"begin","stream":"wal","version":2}\n' >newer
broken 'a newer version' 'newer: records of version 2; this program reads version 1' newer /dev/null
printf '{"type":"begin","stream":"wal"}\n' >versionless
broken 'no version' 'versionless: a begin record without a version' versionless /dev/null
printf '%s\n{"type":"end"}\n' "$begin" >countless
broken 'an end without a number' 'countless:2: the end record has no "records"' countless
{ cat all.jsonl all.bin; } >mixed
broken 'two forms' 'mixed:292: a binary stream behind a JSONL one: use one form' mixed mixed ends
sed 's/^{"type":"wal"/{"type":"wal","seq_id":1/' all.jsonl >keys
refuses_keys() {
	run chroma-walfilter --from-seq-id=1 keys
	status_is 'a key that is asked for stands twice: status' 3
	err_is 'a key that is asked for stands twice' <<'END'
chroma-walfilter: keys:2: "seq_id" stands twice
END
	run chroma-walfilter keys
	status_is 'a key that is not: status' 0
	same 'a key that is not' keys out
}
refuses_keys

size=$(wc -c <all.bin)
for n in 1 4 7; do
	head -c $n all.bin >short.bin
	run chroma-walfilter short.bin
	status_is "$n bytes of a binary stream" 3
done
head -c 8 all.bin >short.bin
broken 'the magic alone' 'short.bin: empty: not even a begin record; what should have written it failed' short.bin
for n in 9 15 17 5000 $((size - 1)) $((size - 12)); do
	head -c "$n" all.bin >short.bin
	run chroma-walfilter short.bin
	status_is "$n bytes of a binary stream" 3
	ok "$n bytes: message" grep -qx \
	    'chroma-walfilter: short.bin:+[0-9]*: truncated inside a frame' err
	begins "$n bytes: what came before" all.bin out
done
head -c $((size - 24)) all.bin >short.bin
broken 'a binary stream without its end' \
    'short.bin: no end record: truncated after 289 records' short.bin
sed 's/$/\r/' all.bin >crlf.bin
broken 'line ends changed' 'crlf.bin: its line ends were changed on the way' crlf.bin /dev/null
{ printf '\211CHS\r\n\032\002'; tail -c +9 all.bin; } >v2.bin
broken 'a newer binary form' 'v2.bin: binary form, version 2; this program reads version 1' v2.bin /dev/null
{ cat all.bin; cat all.bin; } >two.bin
run chroma-walfilter -j two.bin
cat all.jsonl all.jsonl >two
same 'binary streams in a row' two out
# one bit, anywhere
python3 - "$size" <<'END'
import random, sys
data = open("all.bin", "rb").read()
random.seed(1)
for n in range(40):
    at = random.randrange(8, len(data)) if n > 8 else 8 + n
    bad = bytearray(data)
    bad[at] ^= 1 << random.randrange(8)
    open("flip%d" % n, "wb").write(bad)
END
bad=
for f in flip*; do
	run chroma-walfilter "$f"
	{ [ "$status" -eq 3 ] && head -c "$(wc -c <out)" all.bin |
	    cmp -s - out; } || bad="$bad $f($status)"
done
ok "one bit flipped is always seen$bad" [ -z "$bad" ]

# two whole frames that changed places
python3 - <<'END'
data = open("all.bin", "rb").read()
frames, at = [], 8
while at < len(data):
    end = at + 12 + int.from_bytes(data[at:at + 4], "little")
    frames.append(data[at:end])
    at = end
frames[5], frames[6] = frames[6], frames[5]
open("swapped.bin", "wb").write(data[:8] + b"".join(frames))
END
run chroma-walfilter swapped.bin
status_is 'two frames that changed places: status' 3
ok 'two frames that changed places: message' grep -qx 'chroma-walfilter: swapped.bin:+[0-9]*: the checksum over the stream does not match: records are missing or changed' err

head -c 3000 all.jsonl.zst >cut.zst
broken 'a cut zstd stream' 'cut.zst: ends in the middle of a zstd frame: truncated' cut.zst all.jsonl
head -c 3 all.jsonl.zst >cut.zst
run chroma-walfilter cut.zst
status_is 'three bytes of a zstd stream' 3
{ head -c 3000 all.jsonl.zst; printf 'xxxx'; tail -c +3005 all.jsonl.zst; } >bad.zst
run chroma-walfilter bad.zst
status_is 'a damaged zstd stream: status' 3
ok 'a damaged zstd stream: message' grep -qx \
    'chroma-walfilter: bad.zst: damaged zstd stream (.*)' err
{ cat all.jsonl.zst; printf 'rubbish'; } >tail.zst
broken 'rubbish behind a zstd stream' 'tail.zst: bytes after the zstd stream that are none' tail.zst all.jsonl ends
head -c 40000000 /dev/zero | zstd -q --long=27 -c >window.zst
broken 'a window that is too large' 'window.zst: compressed with a window above 16 MiB; decompress it with zstd -dc --long=31' window.zst /dev/null

# ---- what it does not know ----

cat >new.jsonl <<'END'
{"type":"begin","stream":"wal","version":1,"x":[1, 2],"source":{}}
{ "type" : "wal", "seq_id":1,"id":"\u0061","extra":{"a":[1]},"embedding":[1.0,2.50],"metadata":{"k": 2.0} }
{"zz":1,"type":"wal","seq_id":2,"operation":"ADD"}
{"type":"future","seq_id":3,"embedding":[ 1 ]}
{"type":"record","id":"x","embedding":"not base64","uri":7}
{"\u0074ype":"wal","seq_id":4,"id":"\ud800"}
{"type":"end","records":5}
END
run chroma-walfilter new.jsonl
status_is 'unknown types and keys: status' 0
same 'unknown types and keys' new.jsonl out
run chroma-walfilter -b new.jsonl
mv out new.bin
run chroma-walfilter -j new.bin
same 'unknown types and keys, binary and back' new.jsonl out
run chroma-walfilter --from-seq-id=3 new.jsonl
out_is 'unknown types are filtered by what they have' <<'END'
{"type":"begin","stream":"wal","version":1,"partial":true,"x":[1, 2],"source":{}}
{"type":"future","seq_id":3,"embedding":[ 1 ]}
{"\u0074ype":"wal","seq_id":4,"id":"\ud800"}
{"type":"end","records":2}
END
run chroma-walfilter --operation=ADD new.bin
mv out some.bin
run chroma-walfilter -j some.bin
out_is 'a record without what is asked for is left out' <<'END'
{"type":"begin","stream":"wal","version":1,"partial":true,"x":[1, 2],"source":{}}
{"zz":1,"type":"wal","seq_id":2,"operation":"ADD"}
{"type":"end","records":1}
END
# "partial" and "embedding" that stand there are not doubled
cat >marked.jsonl <<'END'
{"type":"begin","embedding":"none","version":1,"partial":false,"stream":"wal"}
{"type":"end","records":0}
END
run chroma-walfilter --limit=1 --embedding=none marked.jsonl
out_is 'a mark is not put twice' <<'END'
{"type":"begin","embedding":"none","version":1,"partial":true,"stream":"wal"}
{"type":"end","records":0}
END
mv out marked.two
run chroma-walfilter --limit=1 --embedding=none marked.two
same 'a begin that has all marks is as it was' marked.two out
# a last line without a newline, lines that end as on DOS
printf '%s\n{"type":"wal","seq_id":1}\n{"type":"end","records":1}' "$begin" >nonl
run chroma-walfilter nonl
status_is 'a last line without a newline: status' 0
echo >>nonl
same 'a last line without a newline' nonl out
printf '{"type":"begin","stream":"wal","version":1}\r\n{"type":"wal","seq_id":1}\r\n{"type":"end","records":1}\r\n' >dos
run chroma-walfilter dos
status_is 'CR LF: status' 0
ok 'CR LF: the record as it came' [ "$(grep -c "$(printf '\r')" out)" -eq 2 ]
# frames
python3 -B "$T_DIR/t/frames.py" 18 1 >one.bin
run chroma-walfilter -j one.bin
out_is 'a frame from another program' <<'END'
{"type":"begin","stream":"wal","version":1}
{"type":"record","id":"a"}
{"type":"end","records":1}
END
python3 -B "$T_DIR/t/frames.py" 99 1 >critical.bin
broken 'a critical frame of a new type' 'critical.bin:+68: frames of type 99: newer than this program' critical.bin
python3 -B "$T_DIR/t/frames.py" 99 0 >other.bin
run chroma-walfilter other.bin
status_is 'another frame of a new type: status' 0
same 'another frame of a new type' other.bin out
refuses_other() {
	run chroma-walfilter -j other.bin
	status_is 'which JSONL cannot hold: status' 3
	err_is 'which JSONL cannot hold' <<'END'
chroma-walfilter: other.bin: a frame of type 99 cannot be written as JSONL
END
}
refuses_other
python3 -B "$T_DIR/t/frames.py" 18 2 >flags.bin
broken 'an unknown flag' 'flags.bin:+68: flags 0x2: newer than this program' flags.bin
bad=
n=0
step=61
[ -z "${TEST_LONG:-}" ] || step=1
while [ $n -lt 576 ]; do
	python3 -B "$T_DIR/t/frames.py" stray $n >stray.bin
	run chroma-walfilter -j stray.bin
	case $status in 0 | 3) ;; *) bad="$bad $n($status)" ;; esac
	n=$((n + step))
done
ok "lengths that do not fit$bad" [ -z "$bad" ]

# ---- streams in a row ----

run chroma-walfilter two
status_is 'two streams in a row: status' 0
same 'two streams in a row' two out
cat all.jsonl.zst all.jsonl.zst >two.zst
run chroma-walfilter two.zst
same 'two streams in a row, zstd' two out
run chroma-walfilter -b two
mv out two.bin
run chroma-walfilter -j two.bin
same 'two streams in a row, binary and back' two out
run chroma-walfilter --count two
out_is 'two streams in a row: --count' <<'END'
578
END
run chroma-walfilter --limit=300 two
ok 'two streams in a row: --limit' [ "$(jq -c 'select(.type == "end").records' \
    out | tr '\n' ' ')" = '289 11 ' ]

# ---- help, version, mistakes ----

run chroma-walfilter --help
status_is '--help: status' 0
ok '--help: usage first' \
    [ "$(head -1 out)" = 'usage: chroma-walfilter [options] [file ...]' ]
mv out help
run chroma-walfilter -h
same '-h' help out
ok '--help: not wider than 80 columns' not grep -q '^.\{81\}' help
run chroma-walfilter -V
ok '-V' grep -qx 'chroma-walfilter (chromautils) [0-9.]*' out

misused '-x: unknown option' chroma-walfilter -x
misused '-n: unknown option' chroma-walfilter -n
misused '--where: needs an argument' chroma-walfilter --where
for o in binary count force help jsonl plain progress quiet version; do
	misused "--$o: takes no argument" chroma-walfilter --$o=x
done
for o in collection embedding from-seq-id limit operation output skip \
    to-seq-id; do
	misused "--$o: needs an argument" chroma-walfilter --$o
done
misused '-o: needs an argument' chroma-walfilter -o
misused '--count and --output exclude one another' \
    chroma-walfilter --count -o x all.jsonl
ok 'a mistake writes nothing' [ ! -e x ]
misused '--binary and --jsonl exclude one another' \
    chroma-walfilter -jb all.jsonl
misused "--operation: 'add' is none of ADD, UPDATE, UPSERT, DELETE" \
    chroma-walfilter --operation=add all.jsonl
misused "--operation: '' is none of ADD, UPDATE, UPSERT, DELETE" \
    chroma-walfilter --operation=ADD, all.jsonl
misused "--limit: '-1' is not a number from 0 to 9223372036854775807" \
    chroma-walfilter --limit=-1 all.jsonl
misused '--from-seq-id is greater than --to-seq-id' \
    chroma-walfilter --from-seq-id=2 --to-seq-id=1 all.jsonl
misused "--embedding: 'x' is none of array, base64, none" \
    chroma-walfilter --embedding=x all.jsonl
refuses 4 'not-there: No such file or directory' chroma-walfilter not-there
refuses 4 'p is a directory; a stream is a file' chroma-walfilter p

# ---- what comes behind a complete stream ----
printf '%s\n' '{"type":"begin","stream":"wal","version":1}' \
    '{"type":"wal","seq_id":1}' '{"type":"end","records":1}' >whole
{ cat whole; printf 'rubbish\n'; } >spoilt
run chroma-walfilter spoilt
status_is 'rubbish behind the end' 3
err_is 'rubbish behind the end: said' <<!
chroma-walfilter: spoilt:4: byte 1: expected '{'
!
out_is 'and no end goes out, so that what follows refuses too' <<!
{"type":"begin","stream":"wal","version":1}
{"type":"wal","seq_id":1}
!
chroma-walfilter -b whole >whole.bin
cat whole.bin whole >mixed
run chroma-walfilter mixed
status_is 'JSONL behind binary' 3
err_is 'JSONL behind binary: said' <<!
chroma-walfilter: mixed:+$(stat -c %s whole.bin): a JSONL stream behind a binary one: use one form
!
printf '%s\n' '{"type":"begin","stream":"wal","version":1}' \
    '{"type":"wal","type":"end","seq_id":1}' '{"type":"end","records":1}' >twice
run chroma-walfilter twice
status_is 'a record of two types' 3
err_is 'a record of two types: said' <<!
chroma-walfilter: twice:2: "type" stands twice
!
printf '%s\n' '{"type":"begin","stream":"wal","version":1,"source":{"collections":[{"id":"i","name":"a","tenant":"t","database":"d"}]}}' \
    '{"type":"wal","collection":"a","seq_id":1}' '{"type":"end","records":1}' >named
run chroma-walfilter --count -c typo named
status_is '--count looks at names too' 2
run chroma-walfilter --count -c t/d/a named
status_is '--count of a name that is there' 0
printf '%s\n' '{"type":"begin","stream":"wal","version":2}' '{"type":"end","records":0}' >newer
run chroma-walfilter --count newer
status_is '--count refuses what is newer' 3
err_is '--count refuses what is newer: said' <<!
chroma-walfilter: newer: records of version 2; this program reads version 1
!
printf '%s\n' '{"type":"begin","stream":"wal","version":1}' \
    '{"type":"wal","x":[1, 2],"embedding":[1, 2.50],"id":"a","y":"\u0041"}' \
    '{"type":"end","records":1}' >extra
run chroma-walfilter --embedding=base64 extra
sed -n 2p out >line
mv line out
out_is 'a converted embedding changes nothing else' <<!
{"type":"wal","x":[1, 2],"embedding":"AACAPwAAIEA=","id":"a","y":"\u0041"}
!
done_testing
