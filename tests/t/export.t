#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The pipeline chroma-export: the audit file, whole or not at all.
. "${0%/*}/../lib.sh"

persist 1.3.7-nopurge
db=1.3.7-nopurge/db
chroma-walexport "$db" >log.jsonl 2>/dev/null
rows=$(($(wc -l <log.jsonl) - 2))
mkdir to

fingerprint "$db" >before
run chroma-export "$db" to/a.jsonl.zst
status_is 'an audit file' 0
no_err 'says nothing on standard error'
cp out receipt
zstd -dcq to/a.jsonl.zst >a.jsonl
same 'is the log' a.jsonl log.jsonl
ok 'its SHA-256 is beside it' sh -c 'cd to && sha256sum -c --status a.jsonl.zst.sha256'
jq -c '[.receipt, .output, .records, .bytes, .sha256]' receipt >out
out_is 'the receipt says so' <<!
["chroma-export","to/a.jsonl.zst",$rows,$(stat -c %s to/a.jsonl.zst),"$(sha256sum <to/a.jsonl.zst | cut -d' ' -f1)"]
!
fingerprint "$db" >after
same 'DIR is as it was' before after

cp to/a.jsonl.zst first
run chroma-export "$db" to/a.jsonl.zst
status_is 'an existing file is refused' 2
err_is 'an existing file: said' <<!
chroma-walfilter: to/a.jsonl.zst exists; --force replaces it
!
same 'and is as it was' first to/a.jsonl.zst
run chroma-export --force --embedding=none "$db" to/a.jsonl.zst
status_is '--force replaces it' 0
run chroma-walfilter --count to/a.jsonl.zst
out_is 'with the new one' <<!
$rows
!
ok 'and the new sum' sh -c 'cd to && sha256sum -c --status a.jsonl.zst.sha256'

run chroma-export "$db" to/b.jsonl
status_is 'a name in .jsonl' 0
same 'is not compressed' to/b.jsonl log.jsonl
run chroma-export -b -q "$db" to/b.bin
status_is 'binary, quietly' 0
out_is 'no receipt' </dev/null
run chroma-walfilter -j to/b.bin
same 'the same log' out log.jsonl
rm to/*
run chroma-export -q "$db" to
run sh -c 'ls to | sed "s/[0-9]\{8\}T[0-9]\{6\}Z/TIME/"'
out_is 'a directory: a file named by the time' <<!
wal-TIME.jsonl.zst
wal-TIME.jsonl.zst.sha256
!
rm to/*

run chroma-export -n "$db" to/c.zst
status_is '-n' 0
out_is '-n says what would be written' <<!
chroma-export: would write $rows rows of $db to to/c.zst
!
run ls to
out_is 'and writes nothing' </dev/null
run chroma-export --collection=acme/wiki/docs --committed "$db" to/c.jsonl
status_is 'selections go through' 0
chroma-walexport -c acme/wiki/docs --committed "$db" >want.log
same 'to the exporter' to/c.jsonl want.log
rm to/*

# ---- refusals: one message, of the stage that failed ----
run chroma-export -c nope "$db" to/c.zst
status_is 'an unknown collection' 2
ok 'one line about it' test "$(wc -l <err)" -eq 1
run chroma-export "$db"
status_is 'no FILE' 2
err_is 'no FILE: said' <<!
chroma-export: wants DIR and FILE
Try 'chroma-export --help'.
!
run chroma-export --nope "$db" to/c.zst
status_is 'an unknown option' 2
run chroma-export -c
status_is 'a missing argument' 2
run chroma-export nowhere to/c.zst
status_is 'no DIR' 4
err_is 'no DIR: said' <<!
chroma-walexport: nowhere: No such file or directory
!
run chroma-export "$db" nowhere/c.zst
status_is 'no place for FILE' 4
err_is 'no place for FILE: said' <<!
chroma-walfilter: nowhere/c.zst: No such file or directory
!
run chroma-export --zstd=77 "$db" to/c.zst
status_is 'a level that zstd does not have' 2
run ls to
out_is 'none of them left a file' </dev/null

# ---- a producer that dies: stand-ins for chroma-walexport ----
# The pipeline runs the programs beside it, so a copy of it beside others.
mkdir -p fake/bin fake/share
cp -r "$BUILD_DIR/share/chromautils" fake/share
cp "$BUILD_DIR/bin/chroma-export" fake/bin
ln -s "$BUILD_DIR/bin/chroma-walfilter" fake/bin
real=$BUILD_DIR/bin/chroma-walexport
fake() {
	{ printf '#!/bin/sh\nreal=%s\n' "$real"; cat; } >fake/bin/chroma-walexport
	chmod +x fake/bin/chroma-walexport
}
fake <<'!'
case $* in *--version*) exec "$real" "$@" ;; esac
"$real" "$@" | head -c 9000
kill -9 $$
!
run fake/bin/chroma-export "$db" to/c.zst
status_is 'a producer killed in the middle' 137
run ls -A to
out_is 'leaves nothing, under no name' </dev/null
fake <<'!'
case $* in *--version*) exec "$real" "$@" ;; esac
"$real" "$@" | head -c 9000
!
run fake/bin/chroma-export "$db" to/c.zst
status_is 'a producer that stops early and says 0' 3
run ls -A to
out_is 'leaves nothing either' </dev/null
fake <<'!'
exec "$real" "$@"
!
printf '#!/bin/sh\nexit 1\n' >fake/bin/sync
chmod +x fake/bin/sync
run env PATH="$PWD/fake/bin:$PATH" fake/bin/chroma-export "$db" to/c.zst
status_is 'no sum could be written' 4
err_is 'no sum: said' <<!
chroma-export: to/c.zst is complete, but to/c.zst.sha256 could not be written
!
rm -f fake/bin/sync to/*

# ---- a consumer on a full disk ----
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=64k none small 2>/dev/null; then
	run chroma-export "$db" small/c.jsonl
	status_is 'a full disk' 4
	err_is 'a full disk: said' <<!
chroma-walfilter: small/c.jsonl: write: No space left on device
!
	run ls -A small
	out_is 'a full disk: no file' </dev/null
	umount small
fi

# ---- make ----
run make -s -f "$BUILD_DIR/share/chromautils/maintain.mk" export DIR="$db" TO=to/m.zst
status_is 'maintain.mk export' 0
ok 'wrote the file' test -s to/m.zst
run make -s -f "$BUILD_DIR/share/chromautils/maintain.mk" export TO=to/n.zst
status_is 'without DIR' 2
run make -s -f "$BUILD_DIR/share/chromautils/maintain.mk" help
status_is 'maintain.mk help' 0
done_testing
