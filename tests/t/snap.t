#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# chroma-snap: carve, graft, verify, list; receipts, messages, every option once.
. "${0%/*}/../lib.sh"

of() { jq -r "$1" out; }
# plain: the last receipt without what changes from run to run
plain() {
	jq -c '.seconds = 0' out >plain && mv plain out
}
sql() { sqlite3 "$1/chroma.sqlite3" "$2"; }
# fresh: the persist dir "t", as it was
fresh() { rm -rf t && cp -a db t; }
# empty NAME: no scratch directory is left
empty() { ok "$1: nothing is left in TMPDIR" test -z "$(ls -A tmp)"; }

persist 1.5.9
mv 1.5.9/db db
mkdir tmp
TMPDIR=$T_TMP/tmp
export TMPDIR
fingerprint db >before

# ---- carve ----

run chroma-snap carve -f all.tar db
status_is 'carve -f' 0
no_err 'carve -f: no word'
jq -c '[.receipt, .dir, .file, .bytes, (.collections | length)]' out >out2
mv out2 out
out_is 'its receipt' <<!
["chroma-snap","db","all.tar",$(stat -c %s all.tar),7]
!
run chroma-snap carve db
status_is 'carve to standard output' 0
cp out stdout.tar
ok 'the same but for the time' sh -c 'tar xOf all.tar chroma.sqlite3 >1 &&
    tar xOf stdout.tar chroma.sqlite3 >2 && cmp 1 2'
run chroma-snap carve -q -z -f all.zst db/chroma.sqlite3
status_is 'carve -q -z, DIR by its database' 0
out_is '-q: no receipt' </dev/null
ok '-z: compressed' zstd -tq all.zst
run chroma-snap carve -q --zstd=1 --threads=1 -f 1.zst ./db/
status_is '--zstd=1 --threads=1, a slash behind DIR' 0
run chroma-snap carve -q -o dir db
status_is 'carve -o' 0
tar tf all.tar | cut -d/ -f1 | sort -u | grep -v MANIFEST >want
ls dir >out
same 'a persist dir with the same indexes' want out
run chroma-snap carve -n db
status_is 'carve -n' 0
ok 'says so' test "$(of .dry_run)" = true
run chroma-snap carve -q --log=all -f log.tar db
status_is '--log=all' 0
run chroma-snap carve -q -c acme/wiki/docs --wait=1 --tmpdir=tmp \
    --progress -f one.tar db
status_is '-c, --wait, --tmpdir, --progress' 0
run chroma-snap carve -q --skip=acme/wiki/docs -f six.tar db
status_is '--skip' 0
run chroma-snap list six.tar
ok '--skip: the others' test "$(wc -l <out)" -eq 6
fingerprint db >after
same 'the source is as it was' before after
empty carve

# ---- places ----

refuses 2 'all.tar exists; --force replaces it' \
    chroma-snap carve -f all.tar db
run chroma-snap carve -q --force -f all.tar db
status_is '--force' 0
refuses 2 'dir exists; name a directory that does not' \
    chroma-snap carve -o dir db
refuses 2 'dir exists; name a directory that does not' \
    chroma-snap carve -n -o dir db
for name in -journal -wal -shm; do
	refuses 2 "db/chroma.sqlite3$name: a name of files that belong to the \
database and are removed without asking; choose another" \
	    chroma-snap carve -f "db/chroma.sqlite3$name" db
done
refuses 4 '/nowhere: No such file or directory' \
    chroma-snap carve --tmpdir=/nowhere -f x.tar db
refuses 4 'nowhere: No such file or directory' \
    chroma-snap carve -f x.tar nowhere
empty places

# what is in TMPDIR is nobody else's business
mkfifo fifo
{ head -c 4096 all.tar; sleep 2; tail -c +4097 all.tar; } >fifo &
chroma-snap verify -q fifo &
sleep 1
ok 'verify: a scratch directory of mode 0700' test \
    "$(find tmp -mindepth 1 -maxdepth 1 -printf %m)" = 700
wait
empty verify

# ---- what is wrong with a source ----

first=$(sql db "SELECT s.id FROM segments s JOIN collections c ON c.id =
    s.collection WHERE scope = 'VECTOR' AND c.name = 'docs' AND c.database_id =
    '00000000-0000-0000-0000-000000000000'")
fresh
rm "t/$first/data_level0.bin"
run chroma-snap carve -f bad.tar -c default_tenant/default_database/docs t
status_is 'a damaged index: it goes along' 0
err_is 'with a warning' <<!
chroma-snap: warning: collection docs: its index is damaged: data_level0.bin: \
missing: an incomplete copy, or a write that failed; its whole log goes along
!
ok 'and a note' test "$(of '.collections[0].note')" = "its index is damaged: \
data_level0.bin: missing: an incomplete copy, or a write that failed"
refuses 3 "collection docs: its index is damaged: data_level0.bin: missing: \
an incomplete copy, or a write that failed" chroma-snap verify bad.tar
fresh
rm -r "t/${first:?}"
run chroma-snap carve -q -f gone.tar t
chroma-snap list gone.tar | jq -r 'select(.note) | .name + ": " + .note' >out
out_is 'an index that is gone: a note' <<!
docs: its index is missing
!
fresh
rm "t/$first/length.bin" && mkfifo "t/$first/length.bin"
refuses 3 "$first: length.bin is not a regular file" \
    chroma-snap carve -f x.tar t

fresh
mkdir up && mv "t/$first" up/x
sql t "UPDATE segments SET id = '../up/x' WHERE id = '$first'"
run chroma-snap carve -q -o into t
status_is 'a segment id that leaves DIR' 0
ok 'is not followed' test "$(find into -mindepth 1 -type d | wc -l)" -eq \
    $(($(find dir -mindepth 1 -type d | wc -l) - 1))
rm -rf into up

fresh
sql t "INSERT INTO migrations SELECT dir, 99, '99-x', 'x', 'y' FROM migrations
    WHERE dir = 'sysdb' LIMIT 1"
refuses 3 "t: migrations newer than this program knows (sysdb 99): nothing was \
changed; a newer chromautils may know them" chroma-snap carve -f x.tar t

# as somebody has it open: all is copied, links are followed
fresh
mkdir elsewhere && mv "t/$first" elsewhere/
ln -s "../elsewhere/$first" "t/$first"
python3 -c "
import sqlite3, subprocess
c = sqlite3.connect('t/chroma.sqlite3')
c.execute('SELECT 1 FROM collections').fetchall()
subprocess.run(['chroma-snap', 'carve', '-q', '-f', 'link.tar', 't'],
               check=True)
" 2>err
tar tf link.tar >names.link
tar tf all.tar >names.all
same 'a link, in use: the same members' names.all names.link
rm -r elsewhere

# the journal of a dead one, of which a recovered copy is read
fresh
python3 - <<!
import os, sqlite3
if os.fork() == 0:
    c = sqlite3.connect("t/chroma.sqlite3", isolation_level=None)
    c.execute("PRAGMA cache_size=1")
    c.execute("BEGIN IMMEDIATE")
    c.execute("UPDATE embedding_metadata SET string_value = string_value "
              "|| hex(zeroblob(400))")
    os._exit(os.kill(os.getpid(), 9))
os.wait()
!
ok 'a hot journal' test -s t/chroma.sqlite3-journal
run chroma-snap carve -q --wait=0 --tmpdir=tmp -f hot.tar t
status_is 'a recovered copy is carved' 0
ok 'the same' sh -c 'chroma-snap list hot.tar | jq .records >1
    chroma-snap list all.tar | jq .records >2; cmp 1 2'
empty 'sources'

# ---- verify, list ----

run chroma-snap verify all.tar all.zst
status_is 'verify' 0
jq -c '[.snapshot, .sound, .quick, .collections]' out >out2 && mv out2 out
out_is 'verify: a line each' <<!
["all.tar",true,false,7]
["all.zst",true,false,7]
!
run chroma-snap verify --quick all.tar
ok 'verify --quick' test "$(of .quick)" = true
run chroma-snap verify -q all.tar bad.tar
status_is 'verify: one that is not sound' 3
out_is 'verify -q: no result' </dev/null
run chroma-snap verify --text --tmpdir=tmp --progress one.tar
status_is 'verify --text' 0
ok 'verify --text: what it holds' grep -q 'acme/wiki/docs' out
run chroma-snap list --jsonl all.tar
ok 'list: a line each' test "$(wc -l <out)" -eq 7
ok 'list: each is JSON' python3 -c "
import json
for line in open('out'):
    assert json.loads(line)['type'] == 'collection'"
run chroma-snap list --text -q one.tar
ok 'list --text' grep -q '^acme/wiki/docs' out
run sh -c 'chroma-snap list <one.tar'
ok 'list: standard input' test "$(of .snapshot)" = -

# ---- graft ----

run chroma-snap graft new all.zst
status_is 'graft: a new directory' 0
jq -c '[.receipt, .dir, .created, .backup, (.collections | length)]' out >out2
mv out2 out
out_is 'its receipt' <<!
["chroma-snap","new",true,null,7]
!
fresh
refuses 2 "t has a collection acme/wiki/docs; give it another name with \
--as=NAME, or use --replace" chroma-snap graft t one.tar
run chroma-snap graft --as=copy t one.tar
status_is '--as' 0
ok 'its receipt: name, and what it was' test "$(of '.collections[0] |
    [.collection, .was.collection, .replaced] | join(" ")')" = \
    'copy docs false'
run chroma-snap graft -q --database=other --tenant=corp t one.tar
status_is 'no such database' 2
run chroma-snap graft -q --database=other --tenant=corp --create t one.tar
status_is '--create' 0
run chroma-snap graft --replace --backup=old.tar.zst t one.tar
status_is '--replace --backup' 0
ok 'says so' test "$(of '[.backup, .collections[0].replaced] | join(" ")')" = \
    'old.tar.zst true'
ok 'the backup is sound' chroma-snap verify -q old.tar.zst
run chroma-snap graft -n --replace --no-backup --text --wait=0 --tmpdir=tmp \
    --assume-stopped --progress t one.tar
status_is 'graft -n' 0
ok 'a plan' grep -q 'instead of' out
run chroma-snap graft -q --replace --no-backup t one.tar
status_is '--replace --no-backup' 0
run chroma-snap graft -q --as=copy2 -c default_tenant/default_database/docs \
    t gone.tar
status_is 'graft -c' 0
run chroma-snap graft -q --skip=default_tenant/default_database/docs into \
    all.tar
status_is 'graft --skip' 0
refuses 2 "t/chroma.sqlite3-wal: a name of files that belong to the database \
and are removed without asking; choose another" \
    chroma-snap graft --replace --backup=t/chroma.sqlite3-wal t one.tar

mkdir none
refuses 2 "none/chroma.sqlite3: the name of a database; name the directory" \
    chroma-snap graft none/chroma.sqlite3 one.tar

# a damaged index beside what is asked for is no matter
fresh
rm "t/$first/data_level0.bin"
run chroma-snap carve -q --force -f bad.tar t
fresh
run chroma-snap graft -q --as=good -c acme/wiki/docs t bad.tar
status_is 'a good one beside a damaged one' 0
run chroma-snap graft -q --as=good2 -c default_tenant/default_database/docs \
    t bad.tar
status_is 'the damaged one' 3

# ---- names ----

long=$(printf '%0513d' 1)
for name in '' ab "$long" -abc abc- a..b 10.0.0.1 'a b' "a
b" 'größe' "$(printf 'a\377b')"; do
	refuses 2 "--as: a name that Chroma does not take: 3 to 512 letters, \
digits, \".\", \"_\" and \"-\", a letter or digit first and last, no \"..\", no \
IP address" chroma-snap graft --as="$name" t one.tar
done
for name in '' ab "$(printf 'ab\377')"; do
	refuses 2 "--tenant: a name that Chroma does not take: 3 characters or \
more, in UTF-8" chroma-snap graft --as=abc --create --tenant="$name" t one.tar
done
refuses 2 "--database: a name that Chroma does not take: 3 characters or more, \
in UTF-8" chroma-snap graft --as=abc --create --database= t one.tar
run chroma-snap graft -q --as="${long#?}" t one.tar
status_is '512 digits' 0

# ---- values that no Chroma writes ----

while read -r where value; do
	fresh
	case $where in
	collections.*) sql t "UPDATE collections SET ${where#*.} = $value" ;;
	collection_metadata.key) sql t "INSERT INTO collection_metadata
	    (collection_id, key) SELECT id, $value FROM collections LIMIT 1" ;;
	collection_metadata.*) sql t "INSERT INTO collection_metadata
	    (collection_id, key, ${where#*.}) SELECT id, 'k', $value FROM
	    collections LIMIT 1" ;;
	*) sql t "UPDATE segments SET type = $value" ;;
	esac
	run chroma-snap carve -q --force -f odd.tar t
	refuses 3 "odd.tar: chroma.sqlite3: ${where%%.*}: ${where#*.}: a value \
that no Chroma writes" chroma-snap verify odd.tar
done <<!
collections.dimension 'x'
collections.dimension 1.5
collections.schema_str '{'
collections.schema_str '[]'
collections.schema_str x'7b7d'
collections.config_json_str CAST(x'7b22ff22' AS TEXT)
collection_metadata.key x'6b'
collection_metadata.str_value CAST(x'ff' AS TEXT)
collection_metadata.int_value 'x'
collection_metadata.float_value 'x'
collection_metadata.bool_value 'x'
segments.type x'75'
!

# ---- the command line ----

misused 'carve, graft, verify or list?' chroma-snap
misused "'melt' is not carve, graft, verify or list" chroma-snap melt
misused '--as: not for carve; see chroma-snap graft --help' \
    chroma-snap carve --as=x db
misused '--log: '\''some'\'' is not tail or all' chroma-snap carve --log=some db
misused 'one DIR at a time' chroma-snap carve db db
misused 'one SNAPSHOT at a time' chroma-snap graft t one.tar one.tar
misused '--replace: --backup=FILE keeps what is replaced, --no-backup removes '\
'it; which?' chroma-snap graft --replace t one.tar
misused '--no-backup: only with --replace' chroma-snap graft --no-backup t
for command in carve graft verify list; do
	run chroma-snap "$command" --help
	status_is "$command --help" 0
done
run chroma-snap --version
status_is '--version' 0
run sh -c 'chroma-snap carve db >/dev/full'
status_is 'a full disk' 4
fresh
run sh -c 'chroma-snap graft --as=abc t one.tar >/dev/full'
err_is 'graft: no room for the receipt' <<!
chroma-snap: the collections are in place: <stdout>: write: No space left on \
device
!
empty 'all of it'
done_testing
