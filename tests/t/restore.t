#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The pipeline chroma-restore: plan, question, what is refused, where what is
# replaced goes.
. "${0%/*}/../lib.sh"

of() { jq -r "$1" out; }
fresh() {
	rm -rf d d.backup kept new
	cp -a 1.5.9/db d
	fingerprint d >before
}
# but for the time of the directory itself, where something came and went
files_unchanged() {
	fingerprint d | sed '/^\. /d' >after
	sed '/^\. /d' before >want.files
	same "$1: no byte changes" want.files after
	ok "$1: no place for a backup" [ ! -e d.backup ]
}
# names DIR: its collections, with their records
names() {
	chroma-info -q "$1" | jq -r 'select(.type == "collection") |
	    [.tenant, .database, .name, .records] | join("/")'
}
persist 1.5.9
chroma-snapshot -q -f all.tar.zst 1.5.9/db
chroma-snapshot -q -c acme/wiki/docs -f docs.tar.zst 1.5.9/db
names 1.5.9/db >collections

# ---- into nothing ----

fresh
run chroma-restore -n all.tar.zst new
status_is '-n' 0
no_err '-n: silent'
cp out plan
chroma-snap list --text all.tar.zst >want.list
begins '-n: begins with what the snapshot holds' out want.list
ok '-n: then what would become of it' grep -qx 'new' out
for c in all-deleted configured default empty ip-vectors; do
	ok "-n: names $c" grep -q "$c" out
done
ok '-n: nothing is there' test ! -e new
run chroma-restore all.tar.zst new </dev/null
status_is 'nobody to ask' 2
err_is 'nobody to ask: message' <<'END'
chroma-restore: nothing was changed: there is no terminal to ask on; -y goes ahead without asking
END
same 'nobody to ask: the plan' plan out
ok 'nobody to ask: nothing is there' test ! -e new
run chroma-restore -y all.tar.zst new
status_is '-y' 0
no_err '-y: silent'
ok '-y: receipt' jq -e '.receipt == "chroma-restore" and .created and
    .backup == null and (.collections | length == 7)' out
names new >out
same 'all collections are there' collections out
rm -r new
mkdir new
run chroma-restore -yq -c acme/wiki/docs all.tar.zst new
status_is 'one of them into an empty directory, quietly' 0
out_is '-q: no receipt' </dev/null
names new >out
grep '^acme/wiki/docs/' collections >want.one
same 'one of them' want.one out
rm -r new
run sh -c 'chroma-restore -y - new <all.tar.zst'
status_is 'from a pipe' 0
names new >out
same 'from a pipe: all' collections out
rm -r new
run sh -c 'chroma-restore -n - new <all.tar.zst'
status_is 'from a pipe, -n' 0
ok 'from a pipe, -n: a plan' test -s out
ok 'from a pipe, -n: nothing is there' test ! -e new

# ---- into one that is there ----

fresh
run chroma-restore -y docs.tar.zst d
status_is 'a name that is taken' 2
ok 'a name that is taken: said' grep -q docs err
files_unchanged 'a name that is taken'
run chroma-restore -n docs.tar.zst d
status_is 'a name that is taken, -n' 2
files_unchanged 'a name that is taken, -n'
run chroma-restore -y --as=again docs.tar.zst d
status_is '--as' 0
ok '--as: receipt' jq -e '.created == false and
    .collections[0].collection == "again" and
    .collections[0].was.collection == "docs"' out
{ cat collections; sed 's/docs/again/' want.one; } | sort >want.all
names d | sort >out
same '--as: beside the others' want.all out
fresh
run chroma-restore -y --database=new docs.tar.zst d
status_is 'a database that is missing' 2
files_unchanged 'a database that is missing'
run chroma-restore -y --tenant=ten --database=new --create docs.tar.zst d
status_is '--create' 0
names d >out
ok '--create: there' grep -q '^ten/new/docs/' out

# ---- replacing ----

fresh
run chroma-restore -n --replace docs.tar.zst d
status_is '--replace -n' 0
files_unchanged '--replace -n'
run chroma-restore -y --replace docs.tar.zst d/
status_is '--replace' 0
ok '--replace: receipt' jq -e '.collections[0].replaced' out
kept=$(of .backup)
ok '--replace: the old one is in DIR.backup' \
    expr "$kept" : ".*d\.backup/replaced-[0-9TZ]*\.tar\.zst$"
ok '--replace: a sound snapshot' chroma-verify "$kept"
names d >out
same '--replace: the same collections' collections out
ok '--replace: is of the mode of DIR' \
    [ "$(stat -c %a d)" = "$(stat -c %a d.backup)" ]
fresh
run chroma-restore -y --replace --backup=kept docs.tar.zst d
status_is '--backup' 0
ok '--backup: there' test -f kept/replaced-*.tar.zst
ok '--backup: not there' test ! -e d.backup
fresh
run chroma-restore -y --replace --no-backup docs.tar.zst d
status_is '--no-backup' 0
ok '--no-backup: none' test ! -e d.backup
fresh
run chroma-restore -y --replace --as=fresh docs.tar.zst d
status_is 'nothing to replace' 0
ok 'nothing to replace: no place is left' test ! -e d.backup
fresh
mkdir -p d.backup
: >d.backup/mine
chmod 700 d.backup
run chroma-restore -y --replace docs.tar.zst d
status_is 'a place that is there' 0
ok 'a place that is there: stays as it is' \
    [ "$(stat -c %a d.backup)" = 700 ]
rm -r d.backup
fresh
ln -s d link
for b in d/kept link/kept d; do	# seen before anything is read
	refuses 2 "$b is inside d, where other tools would delete it" \
	    chroma-restore -y --replace --backup=$b docs.tar.zst d
done
refuses 2 "d/x is inside d/chroma.sqlite3, where other tools would delete it" \
    chroma-restore -y --replace --backup=d/x docs.tar.zst d/chroma.sqlite3
run chroma-restore -y --replace --backup=no/where docs.tar.zst d
status_is 'no place for what is replaced' 4
files_unchanged 'no place for what is replaced'

# ---- what is wrong with a snapshot ----

head -c 9000 all.tar.zst >cut.tar.zst
run chroma-restore -y cut.tar.zst new
status_is 'cut short' 3
ok 'cut short: nothing is there' test ! -e new
run chroma-restore -y --as=xyz --replace cut.tar.zst d
status_is 'cut short, into a directory' 3
files_unchanged 'cut short'
cp all.tar.zst other.tar.zst
printf '%064d  other.tar.zst\n' 0 >other.tar.zst.sha256
refuses 3 'other.tar.zst: not what other.tar.zst.sha256 says: damaged, or another file' \
    chroma-restore -y other.tar.zst new
ok 'another sum: nothing is there' test ! -e new
echo nothing >other.tar.zst.sha256
refuses 3 'other.tar.zst.sha256: no SHA-256 in it' \
    chroma-restore -n other.tar.zst new
sed 's/ .*/  renamed/' all.tar.zst.sha256 | tr a-f A-F >other.tar.zst.sha256
run chroma-restore -n other.tar.zst new
status_is 'a file that was renamed, and a sum in capitals' 0

# ---- the command line ----

misused 'wants SNAPSHOT and DIR' chroma-restore all.tar.zst
misused 'DIR is empty' chroma-restore all.tar.zst ''
misused '--nope: unknown option' chroma-restore --nope all.tar.zst new
misused '--as: needs an argument' chroma-restore --as
misused '--backup: needs the name of a directory' \
    chroma-restore --replace --backup= all.tar.zst new
misused 'one --backup, or --no-backup' \
    chroma-restore --replace --backup=x --no-backup all.tar.zst new
misused '--backup and --no-backup are for --replace' \
    chroma-restore --backup=x all.tar.zst new
misused 'a snapshot from standard input: with -n or -y only' \
    chroma-restore - new
misused '1.5.9: not a file; - is standard input' chroma-restore 1.5.9 new
refuses 4 'nowhere: No such file or directory' chroma-restore nowhere new

# ---- somebody has it ----

fingerprint d >before
mkfifo stop ready
holdopen d/chroma.sqlite3 <stop >ready &
holder=$!
exec 8>stop
read -r _ <ready
refuses 5 "d is in use by $holder (holdopen): stop it first" \
    chroma-restore all.tar.zst d
exec 8>&-
wait "$holder"
fingerprint d >after
same 'in use: no byte changes' before after
done_testing
