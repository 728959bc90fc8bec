#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An apply that is killed, or whose system calls fail, or that has no room,
# leaves each collection as it was or applied, and the next one does the rest.
. "${0%/*}/../lib.sh"

case ${BUILD-release} in asan | tsan)
	skip_all 'strace and a sanitizer are too slow together' ;;
esac
strace -o /dev/null true 2>/dev/null || skip_all 'no strace here'

persist 1.5.9-nopurge
base=1.5.9-nopurge/db
for name in all-deleted ip-vectors; do
	sqlite3 $base/chroma.sqlite3 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL
	    SELECT i + 1 FROM n WHERE i < 400)
	    INSERT INTO embeddings_queue (operation, topic, id, vector, encoding,
	    metadata) SELECT CASE i % 7 WHEN 6 THEN 3 ELSE 2 END,
	    'persistent://default/default/' || c.id, 'k' || i % 300, zeroblob(32),
	    'FLOAT32', json_object('i', i, 'l', json_array(i, 2),
	    'chroma:document', printf('document %d of $name %.*c', i, 300, 'x'))
	    FROM n, collections c WHERE c.name = '$name'"
done
try() { python3 -B "$T_DIR/t/walapply_kill.py" "$@"; }

for how in kill fail; do
	ok "$how" try $how $base
	sed -n '/^#/p' t_ok.out
done
if [ "$(id -u)" -eq 0 ] && unshare -m mount -t tmpfs tmpfs /mnt 2>/dev/null
then
	ok 'no space' unshare -m python3 -B "$T_DIR/t/walapply_kill.py" full $base
	sed -n '/^#/p' t_ok.out
else
	skip 'no space' 'takes the right to mount'
fi

done_testing
