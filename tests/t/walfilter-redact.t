#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-walfilter --redact: what was taken out is nowhere, the rest is there.
. "${0%/*}/../lib.sh"

head -c 32 /dev/urandom >key
head -c 32 /dev/urandom >other
redact() { python3 -B "$T_DIR/t/redact.py" "$@"; }

# ---- what Chromas wrote ----

streams=
for p in 1.5.9-nopurge 0.4.24; do
	persist $p
	run chroma-walexport $p/db
	mv out $p.jsonl
	streams="$streams $p.jsonl"
done
{ head -40 1.5.9-nopurge.jsonl; echo '{"type":"end","records":39}'; } >few.jsonl
ok 'every combination of words, of every form' redact same key few.jsonl 0.4.24.jsonl
sed 's/^/# /' t_ok.out

# words OPTION...: of all.jsonl
all=1.5.9-nopurge.jsonl
run chroma-walfilter --redact=ids,names --key-file=key $all
mv out redacted
# distinct FILE EXPRESSION: how many different ones, and how often each
distinct() { sed '1d;$d' "$1" | jq -c "$2" | sort | uniq -c | awk '{ print $1 }' |
    sort -n; }
distinct $all '[.collection_id, .id]' >want
distinct redacted '[.collection_id, .id]' >have
same 'equal ids stay equal, others do not become so' want have
sed '1d;$d' $all | jq -r .id | sort -u >ids
sed '1d;$d' redacted | jq -r .id | sort -u >ids.redacted
ok 'none is what it was' [ -z "$(comm -12 ids ids.redacted)" ]
ok 'all are digests' not grep -vqx '[0-9a-f]\{32\}' ids.redacted
# one that openssl makes
if command -v openssl >/dev/null; then
	id=$(sed -n 2p $all | jq -j .id)
	printf %s "$id" | openssl dgst -sha256 -mac HMAC -macopt \
	    "hexkey:$(od -An -vtx1 key | tr -d ' \n')" |
	    sed 's/.* //; s/^\(.\{32\}\).*/\1/' >want
	sed -n 2p redacted | jq -r .id >have
	same 'the digest is the HMAC-SHA-256 of openssl' want have
else
	skip 'the digest is the HMAC-SHA-256 of openssl' 'no openssl here'
fi
run chroma-walfilter --redact=ids --redact=names --key-file=key $all
same 'words one by one' redacted out
run chroma-walfilter --redact=names,ids,names --key-file=key $all
same 'their order, and twice the same' redacted out
run chroma-walfilter --redact=ids,names --key-file=other $all
ok 'another key, other digests' [ -z "$(sed '1d;$d' out | jq -r .id |
    sort -u | comm -12 - ids.redacted)" ]
ok 'no key in the output' not grep -qaF "$(od -An -vtx1 key | tr -d ' \n')" redacted
# one stream of two months, in two forms
run chroma-walfilter --redact=ids,names --key-file=key --to-seq-id=150 $all
sed '1d;$d' out >months
run chroma-walfilter -b --redact=ids,names --key-file=key --from-seq-id=151 $all
chroma-walfilter -j out | sed '1d;$d' >>months
sed '1d;$d' redacted >want
same 'equal between streams, and forms' want months
# what selects, selects before
run chroma-walfilter --redact=ids,names --key-file=key -c acme/wiki/docs \
    --id-glob='*1*' $all
mv out have
chroma-walfilter -c acme/wiki/docs --id-glob='*1*' $all |
    chroma-walfilter --redact=ids,names --key-file=key >want
# (partial comes before or after redacted)
ok 'selected first' [ "$(sed 1d have)" = "$(sed 1d want)" ]
ok 'and some' [ "$(wc -l <have)" -gt 2 ]
name=$(head -1 redacted | jq -r '.source.collections[0].name')
place=$(head -1 redacted | jq -r '.source.collections[0].tenant + "/" +
    .source.collections[0].database')
run chroma-walfilter -e -c "$place/$name" redacted
status_is 'digests are names as others are' 0

# ---- elements of an index ----

cat >elements <<END
{"type":"begin","stream":"vector","version":1}
{"type":"vector","label":7,"id":"a","level":1,"deleted":false,"length":5,"links":[[2,9],[9]],"embedding":[3,4]}
{"type":"end","records":1}
END
run chroma-walfilter -b elements
mv out elements.bin
for f in elements elements.bin; do
	run chroma-walfilter -j $f
	same "$f: a length and links go through" out elements
	run chroma-walfilter -j --redact=embeddings $f
	sed -n 2p out >have
	echo '{"type":"vector","label":7,"id":"a","level":1,"deleted":false,"links":[[2,9],[9]]}' >want
	same "$f: --redact=embeddings takes the length, too" have want
done

# ---- latest, plain, embeddings, conversion ----

run chroma-walfilter --latest $all
chroma-walfilter --redact=documents,ids --key-file=key out | sed '1d;$d' >want
run chroma-walfilter --latest --redact=documents,ids --key-file=key $all
sed '1d;$d' out >have
same '--latest, and taken out of what it leaves' want have
run chroma-walfilter --redact=ids --key-file=key $all
chroma-walfilter --latest out | sed '1d;$d' | jq -c '[.seq_id,.operation]' |
    sort >have
chroma-walfilter --latest $all | sed '1d;$d' | jq -c '[.seq_id,.operation]' |
    sort >want
same '--latest of what was redacted is what it was' want have
run chroma-walfilter --plain --redact=documents $all
status_is '--plain: status' 0
ok '--plain: records only, redacted' [ "$(grep -c '"document"\|"begin"' out)" -eq 0 ]
run chroma-walfilter --redact=documents --embedding=none $all
chroma-walfilter --redact=documents,embeddings $all >want
ok '--embedding=none as well' [ "$(sed 1d out)" = "$(sed 1d want)" ]
ok '--embedding=none as well: begin' \
    sh -c 'head -1 out | jq -e ".embedding == \"none\" and .redacted == [\"documents\"]"'
run chroma-walfilter --redact=documents --embedding=base64 $all
chroma-walfilter --embedding=base64 $all | chroma-walfilter --redact=documents >want
same '--embedding=base64 as well' want out
run chroma-walfilter --count --redact=documents $all
out_is '--count' <<'END'
289
END

# ---- twice ----

run chroma-walfilter --redact=metadata,ids --key-file=key few.jsonl
mv out once
run chroma-walfilter --redact=documents,metadata once
ok 'twice: the list is of both' \
    sh -c 'head -1 out | jq -e ".redacted == [\"documents\",\"metadata\",\"ids\"]"'
ok 'twice: one list' [ "$(head -1 out | grep -o redacted | wc -l)" -eq 1 ]
ok 'twice: the ids stay' [ "$(jq -c .id once)" = "$(jq -c .id out)" ]
run chroma-walfilter once
same 'without --redact all stays' once out
sed '1s/"redacted":[^]]*]/"redacted":true/' once >strange
run chroma-walfilter --redact=documents strange
ok 'a list that is none' \
    sh -c 'head -1 out | jq -e ".redacted == [\"documents\"]"'

# ---- nothing is anywhere ----

b64() { printf '%s' "$1" | base64 -w 0; }
cat >secret.jsonl <<END
{"type":"begin","stream":"wal","version":1,"x":"SECRETOTHER","y":{"z":"SECRETOTHER"},"source":{"path":"SECRETOTHER","migrations":{"metadb":1,"x":"SECRETOTHER"},"from_seq_id":1,"collections":[{"id":"u","name":"VAPPELLATIONV","tenant":"VAPPELLATIONV","data\u0062ase":"\u0056APPELLATIONV","x":"SECRETOTHER","dimension":["SECRETOTHER"],"metadata":{"a":"SECRETOTHER"}},"SECRETOTHER"],"to_seq_id":9}}
{"type":"wal","tenant":"VAPPELLATIONV","database":"VAPPELLATIONV","collection":"VAPPELLATIONV","collection_id":"u","seq_id":1,"created_at":"x","operation":"ADD","id":"QIDENTIFIERQ","embedding":"WFZFQ1RPUlhWRUNU","document":"a ZPARAGRAPHZ","uri":"ZPARAGRAPHZ","metadata":{"WPROPERTYW":1,"k":"WPROPERTYW","l":["WPROPERTYW"]},"SECRETOTHER":1,"x":"SECRETOTHER"}
{"type":"wal","seq_id":2,"operation":"ADD","id":"\u0051IDENTIFIERQ","document":"\u005aPARAGRAPHZ","metadata":{"k":"WPROPERTYW","chroma:document":"ZPARAGRAPHZ","chroma\u003auri":"ZPARAGRAPHZ"},"\u0072aw":{"id":{"text":"$(b64 'xQIDENTIFIERQ ZPARAGRAPHZ WPROPERTYW')"},"metadata":"ZPARAGRAPHZ WPROPERTYW"}}
{"type":"wal","seq_id":3,"raw":{"id":{"blob":"$(b64 'QIDENTIFIERQ')"},"vector":{"blob":"WFZFQ1RPUlhWRUNU"},"metadata":{"blob":"$(b64 'xxZPARAGRAPHZ')"}}}
{"type":"record","collection":"VAPPELLATIONV","id":"QIDENTIFIERQ","embedding":"WFZFQ1RPUlhWRUNU","document":"ZPARAGRAPHZ","metadata":{"k":"WPROPERTYW"},"distance":"SECRETOTHER"}
{"type":"vector","collection_id":"u","label":1,"id":"QIDENTIFIERQ","level":0,"deleted":false,"embedding":"WFZFQ1RPUlhWRUNU"}
{"type":"wal","seq_id":4,"operation":"UPDATE","id":"QIDENTIFIERQ","document":"ZPARAGRAPHZ","metadata":{"k":"WPROPERTYW"}}
{"type":"end","records":6,"x":"SECRETOTHER"}
END
ok 'nothing of what was taken out is there, and all the rest' \
    redact none key secret.jsonl
sed 's/^/# /' t_ok.out
run chroma-walfilter --redact=documents,metadata,ids,names,embeddings --key-file=key secret.jsonl
ok 'nothing at all' not grep -qi 'secret\|identifierq\|paragraph\|property\|appell\|WFZF\|u005' out
printf '%s\n' '{"type":"begin","stream":"wal","version":1,"source":{"collections":[{"id":"u","name":"c","tenant":null,"database":null}]}}' \
    '{"type":"wal","seq_id":1,"operation":"UPDATE","id":"","document":null,"uri":null,"metadata":null}' \
    '{"type":"wal","seq_id":2,"operation":"UPDATE","id":"a","metadata":{"chroma:document":null}}' \
    '{"type":"end","records":2}' >null.jsonl
run chroma-walfilter --redact=documents null.jsonl
out_is 'absent, not null; what is null else stays so' <<'END'
{"type":"begin","stream":"wal","version":1,"redacted":["documents"],"source":{"collections":[{"id":"u","name":"c","tenant":null,"database":null}]}}
{"type":"wal","seq_id":1,"operation":"UPDATE","id":"","metadata":null}
{"type":"wal","seq_id":2,"operation":"UPDATE","id":"a","metadata":{}}
{"type":"end","records":2}
END
head -c 16 /dev/zero >zero
run chroma-walfilter --redact=ids,names,metadata --key-file=zero null.jsonl
out_is 'an empty id has a digest, null has none' <<'END'
{"type":"begin","stream":"wal","version":1,"redacted":["metadata","ids","names"],"source":{"collections":[{"id":"u","name":"b67fd3e40cb979fc2ce1840f8599e6e9","tenant":null,"database":null}]}}
{"type":"wal","seq_id":1,"operation":"UPDATE","id":"b613679a0814d9ec772f95d778c35fc5","document":null,"uri":null}
{"type":"wal","seq_id":2,"operation":"UPDATE","id":"9615a95d4a336118c435b9cd54c5e864"}
{"type":"end","records":2}
END

# ---- what is refused ----

sed '3s/.*/{"type":"future","x":1}/' null.jsonl >future.jsonl
for o in '' --latest; do
	run chroma-walfilter $o --redact=ids --key-file=key future.jsonl
	status_is "an unknown type $o: status" 3
	ok "an unknown type $o: message" grep -q ': a record of a type that this program does not know: it cannot say what to take out$' err
	ok "an unknown type $o: no end" not grep -q '"end"\|future' out
done
printf '%s\n' '{"type":"wal","id":"a","id":"b"}' >twice
run chroma-walfilter --plain --redact=documents twice
status_is 'a member that stands twice' 3
ok 'a member that stands twice: nothing' [ ! -s out ]

why='a key has 16 to 4096 bytes: head -c 32 /dev/urandom >FILE makes one'
R='chroma-walfilter --redact=ids'
for n in 0 15 4097 100000; do
	head -c $n /dev/zero >k
	# shellcheck disable=SC2086
	refuses 2 "k: $why" $R --key-file=k null.jsonl
done
for n in 16 64 65 4096; do
	head -c $n /dev/zero >k
	# shellcheck disable=SC2086
	run $R --key-file=k null.jsonl
	status_is "a key of $n bytes" 0
	sed -n 2p out | jq -r .id >have
	python3 -c 'import hmac
print(hmac.new(open("k", "rb").read(), b"", "sha256").hexdigest()[:32])' >want
	same "a key of $n bytes: the digest" want have
done
# shellcheck disable=SC2086
{
	refuses 4 'nope: No such file or directory' $R --key-file=nope null.jsonl
	refuses 4 '.: Is a directory' $R --key-file=. null.jsonl
	chmod 0 k
	if [ "$(id -u)" -eq 0 ]; then
		skip 'a key that may not be read' 'root reads everything'
	else
		refuses 4 'k: Permission denied' $R --key-file=k null.jsonl
	fi
}
mkfifo pipe
cat key >pipe &
run chroma-walfilter --redact=ids,names --key-file=pipe $all
same 'a key through a pipe' redacted out

# no program writes it into a persist dir
run chroma-walexport --prunable --identity 1.5.9-nopurge/db
mv out prunable
ok 'there is something to prune' [ "$(wc -l <prunable)" -gt 2 ]
fingerprint 1.5.9-nopurge/db >before
for o in -j -b -z; do
	for w in documents names,ids; do
		run chroma-walfilter $o --redact=$w ${w%documents} prunable
		[ $w = documents ] || run chroma-walfilter $o --redact=$w \
		    --key-file=key prunable
		mv out refused
		refuses 3 'refused: a redacted stream: what it names cannot be told' \
		    chroma-walprune 1.5.9-nopurge/db refused
	done
done
run chroma-walfilter --latest once few.jsonl
mv out refused
refuses 3 'refused: a redacted stream: what it names cannot be told' \
    chroma-walprune 1.5.9-nopurge/db refused
fingerprint 1.5.9-nopurge/db >after
same 'chroma-walprune changed nothing' before after

done_testing
