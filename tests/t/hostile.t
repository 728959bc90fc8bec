#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Directories and surroundings that mean harm, or were harmed: nothing is lost
# in silence, nothing hangs, nothing of anybody's is touched.
. "${0%/*}/../lib.sh"

persist 0.6.3-nopurge src
# fresh: a copy in d
fresh() { rm -rf d; cp -a src/db d; }

# ---- a damaged seq_id looks like the end of the log to SQLite ----
# rowid FILE HOW: change the rowid of one cell in the middle of a leaf page.
rowid() {
	python3 - "$1" "$2" <<'!'
import sqlite3, sys
path, how = sys.argv[1:]
con = sqlite3.connect(path)
root, = con.execute("SELECT rootpage FROM sqlite_master WHERE name = 'embeddings_queue'").fetchone()
size, = con.execute("PRAGMA page_size").fetchone()
con.close()
b = bytearray(open(path, "rb").read())
page = (root - 1) * size
assert b[page] == 5                       # interior: take the middle child
n = int.from_bytes(b[page + 3:page + 5], "big")
cell = page + int.from_bytes(b[page + 12 + 2 * (n // 2):][:2], "big")
leaf = (int.from_bytes(b[cell:cell + 4], "big") - 1) * size
assert b[leaf] == 13
n = int.from_bytes(b[leaf + 3:leaf + 5], "big")
at = leaf + int.from_bytes(b[leaf + 8 + 2 * (n // 2):][:2], "big")
while b[at] & 0x80:                       # over the length of the payload
    at += 1
at += 1
assert b[at] & 0x80 and not b[at + 1] & 0x80   # two bytes of rowid
b[at:at + 2] = b"\xff\x7f" if how == "high" else b"\x80\x01"
open(path, "wb").write(b)
!
}
for how in high low; do
	fresh
	rowid d/chroma.sqlite3 $how
	for p in chroma-walexport chroma-info; do
		run $p -q d
		status_is "a seq_id too $how: $p" 3
		err_is "a seq_id too $how: $p says" <<!
$p: d/chroma.sqlite3: rows of the log are out of order: the file is damaged; restore a backup, or salvage the rows with sqlite3's .recover
!
		run grep -c '"type":"end"' out
		status_is "a seq_id too $how: $p: no end" 1
	done
	run chroma-export -q d audit.zst
	status_is "a seq_id too $how: no audit file" 3
	ok "a seq_id too $how: really none" not test -e audit.zst
done
fresh
sqlite3 d/chroma.sqlite3 'UPDATE embeddings_queue SET seq_id = 9223372036854775807
    WHERE seq_id = (SELECT max(seq_id) FROM embeddings_queue)'
run chroma-walexport -q d
status_is 'the greatest seq_id there is' 0
run chroma-info -q d
status_is 'the greatest seq_id there is: info' 0

# ---- private copies: what is not ours stays ----
mkdir tmp
cp -a src/db tmp/chromautils-backup
cp -a src/db wal
python3 - <<'!'
import os, sqlite3
con = sqlite3.connect("wal/chroma.sqlite3")
con.execute("PRAGMA journal_mode=WAL")
con.execute("DELETE FROM maintenance_log")
con.execute("INSERT INTO maintenance_log(timestamp, operation) VALUES (1, 'x')")
con.commit()
os._exit(0)
!
touch -d '1 hour ago' tmp/chromautils-backup
fingerprint tmp >before
run chroma-info -q --tmpdir=tmp wal
status_is 'a directory called like a private copy' 0
fingerprint tmp/chromautils-backup >after
(cd tmp && fingerprint chromautils-backup) >before2
same 'is not touched' before2 after
run chroma-info -q --tmpdir=wal wal
status_is 'a private copy does not go into DIR' 2

# ---- output that would harm ----
fresh
run chroma-export -q --force d d/chroma.sqlite3
status_is 'FILE in DIR' 2
err_is 'FILE in DIR: said' <<!
chroma-export: FILE lies in DIR, in which nothing is changed
Try 'chroma-export --help'.
!
run chroma-export -q d d
status_is 'DIR as FILE' 2
chroma-walexport d >log
run chroma-walfilter --force -o d/chroma.sqlite3 log
status_is 'a database under the name of the output' 2
err_is 'a database under the name of the output: said' <<!
chroma-walfilter: d/chroma.sqlite3 is a SQLite database, which --force does not replace
!
same 'and it is as it was' d/chroma.sqlite3 src/db/chroma.sqlite3
mkdir bin
printf '#!/bin/sh\nexit 1\n' >bin/sha256sum
chmod +x bin/sha256sum
run env PATH="$PWD/bin:$PATH" chroma-export -q d sum.zst
status_is 'a SHA-256 that could not be made' 4
ok 'a SHA-256 that could not be made is none' not test -e sum.zst.sha256
touch mine.zst.sha256
run chroma-export -q d mine.zst
status_is 'a .sha256 of something else' 2
ok 'a .sha256 of something else: nothing is written' not test -e mine.zst
run make -s -f "$BUILD_DIR/share/chromautils/maintain.mk" info \
    DIR="x'; touch owned; '"
ok 'a quote in DIR is no shell' not test -e owned

# ---- what would make us wait for ever ----
fresh
mkfifo d/chroma.sqlite3-journal
run timeout 10 chroma-info -q d
status_is 'a FIFO as journal' 3
rm d/chroma.sqlite3-journal
mkfifo .pipe.zst.chromautils-1
run timeout 10 chroma-walfilter -q -o pipe.zst log
status_is 'a FIFO as left-over' 0
sqlite3 d/chroma.sqlite3 "UPDATE embeddings SET segment_id = CAST('abc' AS BLOB)
    WHERE id = 1"
run timeout 10 chroma-info -q d
status_is 'a segment id that is a BLOB' 0
fresh
sqlite3 d/chroma.sqlite3 "ALTER TABLE segment_metadata RENAME TO s;
    CREATE VIEW segment_metadata AS WITH RECURSIVE r(n) AS
    (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT 'x' segment_id, 'hnsw:M' key,
    NULL str_value, n int_value, NULL float_value FROM r"
run timeout 10 chroma-info -q d
status_is 'a view in place of a table' 3

# ---- ids that lead elsewhere, directories that are none ----
fresh
seg=$(sqlite3 d/chroma.sqlite3 "SELECT s.id FROM segments s JOIN collections c
    ON c.id = s.collection WHERE scope = 'VECTOR' AND c.name = 'ip-vectors'")
rm -rf "d/$seg"
: >"d/$seg"
run chroma-walexport -q d
status_is 'a file in place of an index directory: the log is there' 0
run sh -c "chroma-info -q d | jq -r 'select(.name == \"ip-vectors\") | .index.state, .index.fault'"
out_is 'a file in place of an index directory: said' <<!
damaged
cannot be opened as a directory: Not a directory
!
fresh
cp -r "d/$seg" other
sqlite3 d/chroma.sqlite3 "UPDATE segments SET id = '../other' WHERE id = '$seg'"
run sh -c "chroma-info -q d | jq -r 'select(.name == \"ip-vectors\") | .index.fault'"
out_is 'a segment id that leads elsewhere' <<!
segment id '../other' names no directory
!
fresh
sqlite3 d/chroma.sqlite3 "UPDATE max_seq_id SET seq_id = X'ffffffffffffffff'"
run sh -c "chroma-info -q d | jq -c 'select(.type == \"collection\") | .metadata_seq_id'"
ok 'a watermark beyond 63 bits is none' not grep -q '[0-9]' out

# ---- links of the upper levels ----
fresh
python3 - "d/$seg/link_lists.bin" <<'!'
import struct, sys
p = sys.argv[1]
b = bytearray(open(p, "rb").read())
i = 0
while struct.unpack_from("<I", b, i)[0] == 0:
    i += 4
struct.pack_into("<HHI", b, i + 4, 1, 0, 0xfffffff0)
open(p, "wb").write(b)
!
run sh -c "chroma-info -q --deep d | jq -c 'select(.name == \"ip-vectors\") | .healthy, .index.bad_links'"
out_is 'a link of an upper level that leads nowhere' <<!
false
1
!

# ---- little input, much memory ----
fresh
{ printf '\200\2'; head -c 20000000 /dev/zero | tr '\0' N; } >"d/$seg/index_metadata.pickle"
run sh -c "ulimit -v 250000; chroma-info -q d | jq -r 'select(.name == \"ip-vectors\") | .index.fault'"
[ "${BUILD:-}" != asan ] && [ "${BUILD:-}" != tsan ] &&
out_is 'a pickle of nothing but None' <<!
index_metadata.pickle: +1014: more marks and empty values than an index has
!
done_testing
