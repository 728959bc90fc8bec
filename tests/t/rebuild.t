#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The pipelines chroma-rebuild and chroma-commit: plan, question, receipt, what
# becomes of the old indexes, what is left alone.
. "${0%/*}/../lib.sh"

of() { jq -r "$1" out; }
fresh() {
	rm -rf d d.backup kept
	cp -a "${1:-1.5.9}/db" d
	fingerprint d >before
}
unchanged() {
	fingerprint d >after
	same "$1: no byte changes" before after
	ok "$1: no place for old indexes" [ ! -e d.backup ]
}
# but for the time of the directory itself, where something came and went
files_unchanged() {
	fingerprint d | sed '/^\. d /d' >after
	sed -i '/^\. d /d' before
	same "$1: no byte changes" before after
	ok "$1: no place for old indexes" [ ! -e d.backup ]
}
# kb FILE: sizes as N, and the names of segments as UUID
kb() {
	sed -i -e 's/[0-9.]* kB/N kB/g' -e "s|$T_TMP/|./|" -e \
	    's/[0-9a-f]\{8\}-[0-9a-f-]\{27\}/UUID/' "$1"
}
# vectors DIR COLLECTION: ids and vectors of an index, by id
vectors() {
	chroma-hnswdump "$1" -c "$2" | jq -c 'select(.type == "vector") |
	    [.id, .embedding]' | sort
}
DOCS=default_tenant/default_database/docs
persist 1.5.9
persist 0.6.3
persist 0.4.24

# ---- the plan ----

cat >plan <<'END'
acme/wiki/docs
  vectors             24: 6 new, 5 replaced, 2 removed
  applied             up to row 309 of the log, was 291
  index               about N kB, is N kB
  old index           to be kept as ./d.backup/UUID
default_tenant/default_database/all-deleted
  vectors             0: 0 new, 0 replaced, 0 removed
  deleted             25 elements, which go
  applied             up to row 211 of the log
  index               about 627 bytes, is N kB
  old index           to be kept as ./d.backup/UUID
default_tenant/default_database/empty: nothing to do
END
fresh
run chroma-rebuild -n d -c acme/wiki/docs -c all-deleted -c empty
status_is '-n' 0
no_err '-n: silent'
kb out
same '-n: the plan' plan out
unchanged '-n'
run chroma-rebuild d -c acme/wiki/docs -c all-deleted -c empty </dev/null
status_is 'nobody to ask' 2
err_is 'nobody to ask: message' <<'END'
chroma-rebuild: nothing was changed: there is no terminal to ask on; -y goes ahead without asking
END
kb out
same 'nobody to ask: the plan' plan out
unchanged 'nobody to ask'
run chroma-rebuild -n d -c acme/wiki/docs --space=ip --M=8 \
    --ef-construction=50 --ef-search=20 --no-backup
kb out
out_is 'parameters in the plan' <<'END'
acme/wiki/docs
  vectors             24: 6 new, 5 replaced, 2 removed
  space               ip, was cosine
  M                   8, was 16
  ef_construction     50, was 100
  ef_search           20, was 100
  applied             up to row 309 of the log, was 291
  index               about N kB, is N kB
  old index           to be removed
END
run chroma-rebuild -n d -c empty --M=8
out_is 'parameters of a collection without vectors' <<'END'
default_tenant/default_database/empty
  vectors             0: 0 new, 0 replaced, 0 removed
  M                   8, was 16
  applied             up to row none of the log
END
unchanged '-n, parameters'

# ---- what a rebuild does ----

fresh
chroma-walexport -q d | jq -c 'select(.type == "wal")' >log
sqlite3 -readonly d/chroma.sqlite3 'SELECT * FROM embeddings;
    SELECT * FROM embedding_metadata' >records
run chroma-rebuild -y d
status_is 'all of them' 0
no_err 'all of them: silent'
ok 'all of them: receipt' jq -e '.receipt == "chroma-rebuild" and .refused == [] and
    (.collections | length == 7 and ([.[] | select(.installed)] | length == 6)
    and all(.dir == "d")) and (.seconds | type == "number")' out
of '.collections[] | select(.installed) | .backup' | sort >want
find "$T_TMP/d.backup" -mindepth 1 -maxdepth 1 | sort >got
same 'all of them: the old ones are where it says' want got
for b in d.backup/*; do
	ok "old index: as it was: ${b##*/}" diff -r "$b" "1.5.9/db/${b##*/}"
	ok "old index: gone from the directory" [ ! -e "d/${b##*/}" ]
done
chroma-walexport -q d | jq -c 'select(.type == "wal")' >got
same 'the log stays' log got
sqlite3 -readonly d/chroma.sqlite3 'SELECT * FROM embeddings;
    SELECT * FROM embedding_metadata' >got
same 'the records stay' records got
chroma-info d >info
ok 'nothing is deleted, nothing is pending' jq -es 'map(select(.type ==
    "collection" and .dimension)) | length == 6 and all(.index.deleted // 0 |
    . == 0) and all(.healthy)' info
fingerprint d >before
for c in chroma-rebuild chroma-commit; do
	run $c -y d
	status_is "$c again" 0
	ok "$c again: nothing to do" jq -e '.collections |
	    length == 7 and all(.installed | not)' out
	fingerprint d >after
	same "$c again: no byte changes" before after
done
run chroma-rebuild d </dev/null
status_is 'nothing to ask about' 0
ok 'nothing to ask about: says so' grep -qx 'Nothing to do\.' out
n=$(find d.backup -mindepth 1 -maxdepth 1 | wc -l)
ok 'no more old indexes' [ "$n" = 6 ]
vectors d $DOCS >want
run chroma-rebuild -y --force --no-backup -c $DOCS d
ok '--force' jq -e '.collections | length == 1 and all(.installed and
    .backup == null)' out
vectors d $DOCS >got
same '--force: the same vectors' want got

# ---- options ----

fresh
run chroma-rebuild -qy -c $DOCS --backup=kept --threads=1 --wait=1 \
    --tmpdir="$T_TMP" --max-memory=1GiB d
status_is '-q' 0
out_is '-q: nothing' </dev/null
ok '--backup' [ "$(find kept -name header.bin | wc -l)" = 1 ]
ok '--backup: not the other place' [ ! -e d.backup ]
fresh
run chroma-rebuild -y --skip=$DOCS --skip=ip-vectors --no-backup \
    d/chroma.sqlite3
ok '--skip' jq -e '.collections | length == 5 and all(.collection !=
    "ip-vectors")' out
ok '--no-backup' [ ! -e d.backup ]
fresh
run chroma-rebuild -y -c $DOCS --max-memory=1MiB d
status_is '--max-memory' 4
unchanged '--max-memory'
misused 'wants one DIR' chroma-rebuild
misused 'wants one DIR' chroma-commit a b
misused '-c: needs an argument' chroma-rebuild d -c
misused '--M: needs an argument' chroma-rebuild d --M
misused '--M=3: unknown option' chroma-commit d --M=3
misused '--frobnicate: unknown option' chroma-rebuild --frobnicate d
misused '--backup: needs the name of a directory' chroma-rebuild --backup= d
misused 'one --backup, or --no-backup' chroma-rebuild --backup=a --no-backup d
misused 'one --backup, or --no-backup' chroma-rebuild --no-backup --backup=a d
run chroma-rebuild -y -c nobody d
status_is 'an unknown collection' 2
refuses 2 'd/old is inside d, where other tools would delete it' \
    chroma-rebuild -y --backup=d/old -c $DOCS d
unchanged 'a backup inside'
run chroma-rebuild -y --space=l3 d
status_is 'an unknown space' 2
unchanged 'an unknown space'
run chroma-rebuild -y nowhere
status_is 'no directory' 4

# ---- in use, damaged ----

mkfifo hold
holdopen d/chroma.sqlite3 <hold >ready &
exec 9>hold
while [ ! -s ready ]; do sleep 0.05; done
for c in chroma-rebuild chroma-commit; do
	run $c -y d
	status_is "$c: somebody has it" 5
	ok "$c: named" grep -q holdopen err
	files_unchanged "$c: somebody has it"
done
exec 9>&-
wait
seg=$(chroma-hnswdump --limit=0 d -c $DOCS |
    jq -r '.source.collections[0]?.vector_segment // empty')
printf x >"d/$seg/header.bin"
fingerprint "d/$seg" >damaged
for c in chroma-rebuild chroma-commit; do
	run $c -y d
	status_is "$c: one is damaged" 1
	ok "$c: the place" grep -q "$seg/header.bin" err
	ok "$c: it is left out" jq -e '.refused | length == 1' out
	fingerprint "d/$seg" >after
	same "$c: and stays as it was" damaged after
done
ok 'the others are done' [ "$(find d.backup -name header.bin | wc -l)" = 5 ]

# ---- commit ----

for era in 1.5.9 0.6.3 0.4.24; do
	fresh $era
	vectors d $DOCS >old
	run chroma-commit -n d
	status_is "$era: commit -n" 0
	kb out
	ok "$era: two parts" [ "$(grep -cx 'Records:\|Indexes:' out)" = 2 ]
	unchanged "$era: commit -n"
	run chroma-commit -y d
	status_is "$era: commit" 0
	ok "$era: receipt" jq -e '.receipt == "chroma-commit" and
	    .records.receipt == "chroma-walapply" and .refused == [] and
	    ([.collections[] | select(.installed)] | length > 2)' out
	chroma-info d >info
	ok "$era: nothing is pending" jq -es 'map(select(.type == "collection"))
	    | all(.wal_gap == null or .vector_seq_id == .metadata_seq_id or
	    .vector_seq_id >= .wal.newest_seq_id)' info
	vectors d $DOCS >new
	ok "$era: it has got more" [ "$(wc -l <new)" -gt "$(wc -l <old)" ]
	run chroma-commit d </dev/null
	status_is "$era: nothing more" 0
	ok "$era: says so" [ "$(tail -1 out)" = 'Nothing to do.' ]
	run chroma-prune -y d
	status_is "$era: and the log may go" 0
	vectors d $DOCS >after
	same "$era: which the index does not feel" new after
done

# ---- from make ----

fresh
for t in commit rebuild; do
	run make -s -f "$BUILD_DIR/share/chromautils/maintain.mk" $t \
	    DIR=d FLAGS=--no-backup
	status_is "maintain.mk $t" 0
	ok "maintain.mk $t: receipt" jq -e ".receipt == \"chroma-$t\"" out
	run make -s -f "$BUILD_DIR/share/chromautils/maintain.mk" $t
	ok "maintain.mk $t: of what?" grep -q 'DIR=... is missing' err
done
done_testing
