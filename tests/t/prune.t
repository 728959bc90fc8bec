#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The pipeline chroma-prune: the plan, the question, the audit file.
. "${0%/*}/../lib.sh"

q() { sqlite3 -readonly "$1/chroma.sqlite3" "$2"; }
change() { sqlite3 "$1/chroma.sqlite3" "$2"; }
of() { jq -r "$1" out; }
fresh() {
	rm -rf d
	cp -a "$base/db" d
	fingerprint d >before
}
unchanged() {
	fingerprint "${2:-d}" >after
	same "$1: no byte changes" before after
}
audit_files() { find . -maxdepth 1 -name '*audit*'; }
# kb FILE: sizes as N, which depend on the length of names and times
kb() { sed -i 's/[0-9.]* kB/N kB/g' "$1"; }

base=1.5.9-nopurge
persist $base
mine=$(q $base/db "SELECT c.id FROM collections c JOIN databases d
    ON d.id = c.database_id WHERE d.name = 'default_database' AND
    c.name = 'docs'")
chroma-walexport -q --prunable $base/db >all
jq -r 'select(.type == "wal").seq_id' all >go
rows=$(wc -l <go)
numbers() { q "$1" 'SELECT seq_id FROM embeddings_queue ORDER BY 1'; }
numbers $base/db >every
grep -vxF -f go every >stay
# went NAME: from d exactly what is prunable
went() {
	numbers d >left
	same "$1: what may go went" stay left
}
# refuses_as STATUS LINE COMMAND...: for functions, and what a stage says
refuses_as() {
	t_want=$1
	printf '%s\n' "$2" >want
	shift 2
	status=0
	"$@" >out 2>err || status=$?
	t_refused "$*: $(cat want)"
}
cat >plan <<'END'
d
  go                  233 of 289 rows of the log (N kB of data)
  database file       N kB, then about N kB (by VACUUM)
  automatic purge     off; left as it is

acme/wiki/docs
  go                  19 of 38 rows
  stay                1 by rule: the newest that is applied
  stay                18 not in the index files yet

default_tenant/default_database/all-deleted
  go                  49 of 50 rows
  stay                1 by rule: the newest that is applied

default_tenant/default_database/configured
  go                  39 of 40 rows
  stay                1 by rule: the newest that is applied

default_tenant/default_database/default
  go                  0 of 12 rows
  stay                12 not in the index files yet
  - nothing of it is in the index files yet: the log is the only copy of its
    vectors, and committing it (chroma-commit) is what helps

default_tenant/default_database/docs
  go                  82 of 90 rows
  stay                1 by rule: the newest that is applied
  stay                7 not in the index files yet

default_tenant/default_database/empty
  log                 no rows

default_tenant/default_database/ip-vectors
  go                  44 of 59 rows
  stay                1 by rule: the newest that is applied
  stay                14 not in the index files yet
END

# ---- -n, -y, and nobody to ask ----

fresh
for o in -n --dry-run; do
	run chroma-prune $o d
	status_is "$o: status" 0
	no_err "$o: silent"
	kb out
	same "$o: the plan" plan out
	unchanged "$o"
done
run chroma-prune -n -y d
status_is '-n -y: status' 0
kb out
same '-n -y: the plan' plan out
unchanged '-n -y'
run chroma-prune d </dev/null
status_is 'no terminal: status' 2
kb out
same 'no terminal: the plan' plan out
err_is 'no terminal: said' <<'END'
chroma-prune: nothing was changed: there is no terminal to ask on; -y goes ahead without asking
END
unchanged 'no terminal'
for o in -y --yes; do
	fresh
	run chroma-prune $o d
	status_is "$o: status" 0
	no_err "$o: silent"
	went "$o"
	ok "$o: a receipt" jq -e ".receipt == \"chroma-walprune\" and
	    .wal_entries_purged == $rows and .reclaim == \"vacuum\"" out
	ok "$o: and nothing else" [ "$(wc -l <out)" = 1 ]
done
fresh
run chroma-prune -y -q d
status_is '-q: status' 0
no_err '-q: silent'
ok '-q: no receipt' [ ! -s out ]
went '-q'

# ---- a terminal ----

cat >terminal.py <<'END'
import os, pty, sys
answer, command = sys.argv[1], sys.argv[2:]
pid, fd = pty.fork()
if not pid:
    os.execvp(command[0], command)
said = b""
asked = False
while True:
    try:
        got = os.read(fd, 4096)
    except OSError:
        break
    if not got:
        break
    said += got
    if not asked and b"[y/N] " in said:
        asked = True
        os.write(fd, answer.encode() + b"\n" if answer != "^D" else b"\x04")
sys.stdout.buffer.write(said.replace(b"\r\n", b"\n"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
for answer in n '' no yep Yess x ^D; do
	fresh
	run python3 terminal.py "$answer" chroma-prune d
	status_is "a terminal, '$answer': status" 2
	unchanged "a terminal, '$answer'"
	ok "a terminal, '$answer': said" expr "$(tail -1 out)" : \
	    '.*chroma-prune: nothing was changed$'
done
for answer in y Y yes YES; do
	fresh
	run python3 terminal.py "$answer" chroma-prune d
	status_is "a terminal, '$answer': status" 0
	went "a terminal, '$answer'"
done
kb out
{ cat plan; echo 'Go ahead? [y/N] YES'; } >want
begins 'a terminal: the plan and the question' out want
ok 'a terminal: the receipt' [ "$(tail -1 out | jq .wal_entries_purged)" = "$rows" ]

# ---- nothing to do ----

nothing="chroma-prune -y d;chroma-prune d;chroma-prune -n d;chroma-prune -y --audit=audit.jsonl d;chroma-prune --audit=audit.jsonl d"
fresh
chroma-walprune -q --reclaim=vacuum d all
fingerprint d >before
chroma-prune -n d >text
ok 'nothing to do: said' [ "$(tail -1 text)" = 'Nothing to do.' ]
IFS=';'
for command in $nothing; do
	IFS=' '
	# shellcheck disable=SC2086
	run $command </dev/null
	status_is "nothing to do, $command: status" 0
	no_err "nothing to do, $command: silent"
	unchanged "nothing to do, $command"
	case $command in
	*-y*) ok "nothing to do, $command: receipt" \
	    jq -e '.wal_entries_purged == 0' out ;;
	*) same "nothing to do, $command: said" text out ;;
	esac
	ok "nothing to do, $command: no audit file" [ -z "$(audit_files)" ]
done
unset IFS

# ---- the selection and the other options go through ----

fresh
run chroma-prune -y -c acme/wiki/docs --collection=configured d
status_is '-c: status' 0
ok '-c: these' [ "$(of '[.collections[].purged] | @csv')" = 19,39 ]
fresh
run chroma-prune -y --skip acme/wiki/docs --skip="$mine" --reclaim none d
status_is '--skip: status' 0
ok '--skip: the others' [ "$(of '[.collections[].purged] | @csv')" = \
    49,39,0,0,44 ]
ok '--reclaim' [ "$(of .reclaim)" = none ]
for how in rewrite vacuum; do
	fresh
	run chroma-prune -y --reclaim=$how --backup=kept --tmpdir="$PWD" --wait 1 d
	status_is "--backup, --tmpdir, --wait, $how: status" 0
	ok "--backup, $how: receipt" [ "$(of '[.reclaim, .backup] |
	    join(" ")')" = "$how kept" ]
	mkdir copy
	mv kept copy/chroma.sqlite3
	numbers copy >got
	same "--backup, $how: the old one" every got
	rm -rf copy
done
fresh
newest=$(tail -1 every)
change d "INSERT INTO embeddings_queue (seq_id, operation, topic, id, metadata)
    VALUES ($((newest + 1)), 3, 'persistent://default/default/gone', 'x', '{}'),
    ($((newest + 2)), 3, 'persistent://default/default/gone', 'y', '{}')"
cp -a d dead
run chroma-prune -n d
ok 'dead topics: in the plan' grep -q \
    '^  dead topics         2 rows of collections that are gone, of which 0 go, too$' out
run chroma-prune -n --dead-topics d
ok '--dead-topics: in the plan' grep -q \
    '^  dead topics         2 rows of collections that are gone, of which 1 go, too$' out
run chroma-prune -y --dead-topics d
status_is '--dead-topics: status' 0
ok '--dead-topics: but the newest' [ "$(of .dead_topics)" = 1 ]
rm -rf d
cp -a dead d
run chroma-prune -y --dead-topics --audit=dead.jsonl d
status_is '--dead-topics --audit: status' 0
ok '--dead-topics --audit: in the file' grep -q '"id":"x"' dead.jsonl

# ---- a refused collection ----

fresh
change d "UPDATE embeddings_queue SET vector = zeroblob(32) WHERE vector IS NOT
    NULL AND id = (SELECT id FROM embeddings_queue WHERE topic LIKE '%$mine' AND
    id IN (SELECT embedding_id FROM embeddings) GROUP BY id HAVING count(*) = 1
    AND max(seq_id) < 50 LIMIT 1) AND topic LIKE '%$mine'"
id=$(q d 'SELECT id FROM embeddings_queue WHERE vector = zeroblob(32)')
rm -rf bad
cp -a d bad
fingerprint d >before
run chroma-prune -n d
status_is 'refused, -n: status' 0
no_err 'refused, -n: silent'
cp out text
sed -n '/default_database\/docs$/,/^$/p' text >out
out_is 'refused, -n: the plan says why' <<END
default_tenant/default_database/docs
  go                  0 of 90 rows
  stay                1 by rule: the newest that is applied
  stay                7 not in the index files yet
  stay                82 refused, see below
  - 1 id: the log has a newer vector than the index
  - ids: $(printf %s "$id" | jq -R .)

END
unchanged 'refused, -n'
run chroma-prune -y --ids=ids d
status_is 'refused: status' 1
printf 'chroma-walprune: warning: collection docs: none of its rows go (82 would): 1 id: the log has a newer vector than the index: %s\n' "$(printf %s "$id" | jq -R .)" >want
same 'refused: said' want err
ok 'refused: the others went' [ "$(of '.collections[].purged' | paste -sd,)" = \
    19,49,39,0,0,0,44 ]
ok 'refused: --ids' [ "$(jq -r .id ids)" = "$id" ]
chroma-prune -n d >text
fingerprint d >before
run chroma-prune d </dev/null
ok 'refused: nothing left to do: status' [ "$status" = 1 ]
same 'refused: nothing left to do' text out
unchanged 'refused: nothing left to do'
rm -rf d
cp -a bad d
fingerprint d >before
rm -f ids
run chroma-prune -y --all-or-nothing --ids ids d
status_is '--all-or-nothing: status' 3
ok '--all-or-nothing: said' [ "$(tail -1 err)" = \
    'chroma-walprune: 1 of the collections are refused: nothing was changed (--all-or-nothing)' ]
unchanged '--all-or-nothing'
ok '--all-or-nothing: --ids' [ "$(jq -r .id ids)" = "$id" ]
run chroma-prune -y --audit=audit.bad d
status_is 'refused, --audit: status' 1
numbers d >left
grep -vxF -f left every >gone
ok 'refused, --audit: the others went' [ -s gone ]
ok 'refused, --audit: all that went is in the file' [ -z "$(chroma-walfilter -j \
    audit.bad | jq -r 'select(.type == "wal").seq_id' | grep -xF -f gone |
    sort -n | comm -13 - gone)" ]
rm -f audit*

# an option and its argument in one word, as everywhere
run chroma-prune -nc acme/wiki/docs "$base/db"
cp out want.out
run chroma-prune -nqcacme/wiki/docs "$base/db"
status_is '-cNAME: status' 0
same '-cNAME: as -c NAME' want.out out

# ---- files to write ----

# a variable that was never set must not mean: no audit file
for o in audit backup ids; do
	fresh
	misused "--$o: needs the name of a file" chroma-prune -y --$o= d
	misused "--$o: needs the name of a file" chroma-prune -y --$o '' d
	unchanged "--$o="
done
for o in backup ids; do
	for name in chroma.sqlite3-journal chroma.sqlite3-wal \
	    chroma.sqlite3-shm .chroma.sqlite3.chromautils-1; do
		fresh
		refuses_as 2 "chroma-walprune: d/$name: a name of files that belong to the database and are removed without asking; choose another" \
		    chroma-prune -y --$o=d/$name d
		unchanged "--$o=d/$name"
	done
	run chroma-prune -y --$o=chroma.sqlite3-wal d
	status_is "--$o: such a name elsewhere: status" 0
	ok "--$o: such a name elsewhere" [ -f chroma.sqlite3-wal ]
	rm chroma.sqlite3-wal
done

if [ -e /dev/full ]; then
	full() { "$@" >/dev/full; }
	fresh
	refuses_as 4 'chroma-prune: the plan could not be written; nothing was changed' \
	    full chroma-prune -n d
	unchanged 'the plan on a full disk'
	refuses_as 4 'chroma-prune: done, but not all of the receipt could be written' \
	    full chroma-prune -y d
	went 'the receipt on a full disk'
	fresh
	refuses_as 4 'chroma-walprune: the rows are gone, but not all of the receipt was written: <stdout>: write: No space left on device' \
	    full chroma-walprune d all
	fresh
	refuses_as 4 'chroma-config: the settings are changed, but not all of the receipt was written: <stdout>: write: No space left on device' \
	    full chroma-config --purge=auto d
else
	skip 'full output' 'no /dev/full'
fi

# ---- --audit ----

for name in audit.jsonl audit.jsonl.zst; do
	fresh
	rm -f audit*
	run chroma-prune -y --audit=$name d
	status_is "--audit=$name: status" 0
	no_err "--audit=$name: silent"
	ok "--audit=$name: receipt" [ "$(of '[.receipt, .wal_entries_purged] |
	    join(" ")')" = "chroma-walprune $rows" ]
	went "--audit=$name"
	case $name in *.zst) zstd -dcq $name ;; *) cat $name ;; esac >audit
	same "--audit=$name: is what went, vectors and all" all audit
	rm audit
	ok "--audit=$name: its SHA-256 is beside it" sha256sum -c --status $name.sha256
	ok "--audit=$name: nothing else" [ "$(audit_files | wc -l)" = 2 ]
done
# never over an existing one
for made in 'cp all there' 'ln -s nowhere there' 'mkdir there'; do
	rm -rf there
	$made
	fresh
	for o in -y -n; do
		run chroma-prune $o --audit=there d </dev/null
		status_is "$made, $o: status" 2
		err_is "$made, $o: said" <<'END'
chroma-prune: there exists; an audit file is never replaced
END
		unchanged "$made, $o"
	done
done
rm -rf there
run chroma-prune -y --audit=no/where d
status_is '--audit in no directory: status' 4
ok '--audit in no directory: said' [ "$(tail -1 err)" = \
    'chroma-prune: no audit file, so nothing was deleted' ]
unchanged '--audit in no directory'
run chroma-prune -y --audit=d/audit.jsonl d
status_is '--audit in DIR: status' 2
ok '--audit in DIR: no row went' [ "$(numbers d | wc -l)" = "$(wc -l <every)" ]
ok '--audit in DIR: no file' [ ! -e d/audit.jsonl ]
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=20k none small 2>/dev/null; then
	fresh
	run chroma-prune -y --audit=small/audit.jsonl d
	status_is '--audit on a disk that is too small: status' 4
	ok '--audit on a disk that is too small: need and have' grep -qx \
	    'chroma-prune: the audit file needs about [0-9]* bytes in small, which has [0-9]*; nothing was deleted' err
	unchanged '--audit on a disk that is too small'
	fresh
	mount -o remount,size=200k small
	head -c 60000 /dev/zero >small/full
	# somebody takes the room meanwhile
	mkdir -p late/bin late/share
	cp -r "$BUILD_DIR/share/chromautils" late/share
	cp "$BUILD_DIR"/bin/* late/bin
	rm late/bin/chroma-export
	printf '#!/bin/sh\nhead -c 1000000 /dev/zero >small/full 2>/dev/null\nexec %s/bin/chroma-export "$@"\n' "$BUILD_DIR" >late/bin/chroma-export
	chmod +x late/bin/chroma-export
	rm -f small/audit*
	run late/bin/chroma-prune -y --audit=small/audit.jsonl d
	status_is '--audit on a disk that fills up: status' 4
	ok '--audit on a disk that fills up: said' [ "$(tail -1 err)" = \
	    'chroma-prune: no audit file, so nothing was deleted' ]
	ok '--audit on a disk that fills up: no file' [ "$(ls -A small)" = full ]
	unchanged '--audit on a disk that fills up'
	umount small
else
	skip '--audit on a full disk' 'needs root'
fi

# the file is complete, and on disk, before anything is deleted: stand-ins for
# the programs beside the pipeline
mkdir -p fake/bin fake/share
cp -r "$BUILD_DIR/share/chromautils" fake/share
cp "$BUILD_DIR/bin/chroma-prune" "$BUILD_DIR/bin/chroma-export" fake/bin
for p in walexport walfilter walprune; do
	ln -s "$BUILD_DIR/bin/chroma-$p" fake/bin
done
# fake NAME: what it does comes from standard input
fake() {
	rm -f "fake/bin/$1"
	{ printf '#!/bin/sh\nreal=%s/bin/%s\n' "$BUILD_DIR" "$1"; cat; } >"fake/bin/$1"
	chmod +x "fake/bin/$1"
}
unfake() { rm "fake/bin/$1"; ln -s "$BUILD_DIR/bin/$1" fake/bin; }
rm -f audit*
fake chroma-walprune <<'!'
case " $* " in
*" -n "*) ;;
*) [ -e seen ] && exit 99
	{ printf '%s\n' "$*"; cat audit.jsonl; sha256sum -c audit.jsonl.sha256; } >seen 2>&1 ;;
esac
exec "$real" "$@"
!
fresh
run fake/bin/chroma-prune -y --audit=audit.jsonl d
status_is 'the audit file comes first: status' 0
{ sed -n 1p seen; cat all; echo 'audit.jsonl: OK'; } >want
same 'the audit file is complete when the deleting begins' want seen
ok 'and it is what is read' [ "$(sed -n 1p seen | sed 's/.* -- //')" = 'd audit.jsonl' ]
unfake chroma-walprune
# an exporter that fails, dies, or stops early and says nothing
# shellcheck disable=SC2016
for how in 'exit 3' 'kill -9 $$' '"$real" "$@" | head -c 9000; exit 0' 'exit 0'; do
	rm -f audit*
	fake chroma-walexport <<!
case \$* in *--version* | *--identity*) exec "\$real" "\$@" ;; esac
$how
!
	fresh
	run fake/bin/chroma-prune -y --audit=audit.jsonl d
	ok "an exporter that does $how: status" [ "$status" != 0 ]
	ok "an exporter that does $how: said" [ "$(tail -1 err)" = \
	    'chroma-prune: no audit file, so nothing was deleted' ]
	unchanged "an exporter that does $how"
	ok "an exporter that does $how: no file" [ -z "$(audit_files)" ]
	fake chroma-walexport <<!
case \$* in *--version*) exec "\$real" "\$@" ;; esac
$how
!
	run fake/bin/chroma-prune -y d
	ok "an exporter that does $how, no audit: status" [ "$status" != 0 ]
	unchanged "an exporter that does $how, no audit"
done
unfake chroma-walexport
# one whose rows change between the file and the deleting
fake chroma-export <<'!'
"$real" "$@" || exit
sqlite3 d/chroma.sqlite3 "UPDATE embeddings_queue SET id = 'other' WHERE seq_id = 2"
!
rm -f audit*
fresh
run fake/bin/chroma-prune -y --audit=audit.jsonl d
status_is 'rows that are other ones meanwhile: status' 3
numbers d >left
same 'rows that are other ones meanwhile: all stay' every left

# ---- what a killed run left ----

fresh
python3 -c '
import os, signal, sqlite3
c = sqlite3.connect("d/chroma.sqlite3", isolation_level=None)
c.execute("PRAGMA cache_size = 1")
c.execute("BEGIN")
c.execute("DELETE FROM embeddings_queue")
c.execute("UPDATE collections SET name = hex(zeroblob(900)) || id")
os.kill(os.getpid(), signal.SIGKILL)
' 2>/dev/null
ok 'a hot journal: is there' [ -s d/chroma.sqlite3-journal ]
fingerprint d >before
run chroma-prune -n d
status_is 'a hot journal, -n: status' 0
kb out
same 'a hot journal, -n: the plan' plan out
unchanged 'a hot journal, -n'
rm -rf hot
cp -a d hot
run chroma-prune -y d
status_is 'a hot journal: status' 0
went 'a hot journal'
rm -rf d audit*
mv hot d
run chroma-prune -y --audit=audit.jsonl d
status_is 'a hot journal, --audit: status' 0
went 'a hot journal, --audit'
same 'a hot journal, --audit: the file' all audit.jsonl

# ---- mistakes ----

fresh
run chroma-prune --help
status_is '--help: status' 0
ok '--help: usage first' [ "$(head -1 out)" = 'usage: chroma-prune [options] DIR' ]
ok '--help: not wider than 80 columns' not grep -q '^.\{81\}' out
run chroma-prune -V
ok '-V' grep -qx 'chroma-prune (chromautils) [0-9.]*' out
run chroma-prune d -n --
status_is 'options after DIR' 0
misused 'wants one DIR' chroma-prune -y
misused 'wants one DIR' chroma-prune -y d d
misused '--nope: unknown option' chroma-prune --nope d
misused '-x: unknown option' chroma-prune -x d
for o in -c --collection --skip --audit --backup --ids --reclaim --tmpdir --wait; do
	misused "$o: needs an argument" chroma-prune -y $o
done
run chroma-prune -y -c nope d
status_is 'an unknown collection' 2
ok 'an unknown collection: said, once' [ "$(sed 's/;.*//' err)" = \
    "chroma-walexport: no collection 'nope'" ]
for o in -y -n; do
	run chroma-prune $o nowhere
	status_is "no DIR, $o" 4
	err_is "no DIR, $o: said" <<'END'
chroma-walexport: nowhere: No such file or directory
END
done
run chroma-prune -y --reclaim=all d
status_is 'an unknown way' 2
ok 'an unknown way: said' grep -qx "chroma-walprune: --reclaim: 'all' is none of auto, none, vacuum, rewrite" err
unchanged 'mistakes'
cp -a d ./-d
run chroma-prune -n -- -d
status_is 'a DIR that looks like an option' 0
mkfifo hold
holdopen d/chroma.sqlite3 <hold >ready &
holder=$!
exec 9>hold
while ! grep -qs ready ready; do sleep 0.1; done
run chroma-prune -y d
status_is 'somebody has it: status' 5
ok 'somebody has it: named' grep -q "$holder" err
exec 9>&-
wait
unchanged 'somebody has it'

# ---- make ----

mk=$BUILD_DIR/share/chromautils/maintain.mk
fresh
run make -s -f "$mk" prune DIR=d
status_is 'maintain.mk prune: status' 0
ok 'maintain.mk prune: receipt' [ "$(of .wal_entries_purged)" = "$rows" ]
went 'maintain.mk prune'
rm -f audit*
fresh
run make -s -f "$mk" prune DIR=d AUDIT='audit of "x".jsonl' FLAGS=--reclaim=rewrite
status_is 'maintain.mk prune AUDIT: status' 0
same 'maintain.mk prune AUDIT: the file' all 'audit of "x".jsonl'
ok 'maintain.mk prune FLAGS' [ "$(of .reclaim)" = rewrite ]
went 'maintain.mk prune AUDIT'
run make -s -f "$mk" prune
status_is 'maintain.mk prune without DIR' 2
run make -s -f "$mk" prune DIR=bad
status_is 'maintain.mk prune, refused: make fails' 2

done_testing
