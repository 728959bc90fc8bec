#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap-index.t - snapshots of directories that lack something: files of an index
# that has nothing, files of one that has, collections.
. "${0%/*}/../lib.sh"

# segment COLLECTION: the directory of its index
segment() {
	chroma-info -q --jsonl db | python3 -c 'import json, sys
for c in map(json.loads, sys.stdin):
    if c["type"] == "collection" and c["name"] == sys.argv[1] and \
            c["tenant"] == "default_tenant":
        print(c["vector_segment"])' "$1"
}

persist 1.5.9

# Nothing was persisted, all is in the log: Chroma makes anew what is missing.
cp -r 1.5.9/db db
seg=$(segment default)
ok 'an index without a pickle' test -s "db/$seg/header.bin" -a \
    ! -e "db/$seg/index_metadata.pickle"
for file in data_level0.bin length.bin link_lists.bin; do
	rm "db/$seg/$file"
	run chroma-snap carve -f s db
	status_is "without $file: carve" 0
	ok "without $file: no warning" test ! -s err
	ok "without $file: no note" grep -q '"note":null' out
	run chroma-snap verify -q s
	status_is "without $file: verify" 0
	for to in absent 1.5.9/db; do
		rm -rf to
		[ "$to" = absent ] || cp -r "$to" to
		run chroma-snap graft -q -c default_tenant/default_database/default \
		    --as=odd to s
		status_is "without $file: graft, $to" 0
		ok "without $file: it is there, $to" \
		    sh -c 'chroma-info -q --jsonl to | grep -q "\"name\":\"odd\""'
	done
	rm -rf s to
done

# Ids and a watermark, and no vectors.
rm -rf db
cp -r 1.5.9/db db
seg=$(segment configured)
rm "db/$seg/data_level0.bin"
run chroma-snap carve -f s db
status_is 'an index that lost its vectors: carve' 0
err_is 'and a warning' <<'EOT'
chroma-snap: warning: collection configured: its index is damaged: data_level0.bin: missing: an incomplete copy, or a write that failed; its whole log goes along
EOT
ok 'and a note' grep -q '"note":"its index is damaged: data_level0.bin: missing' out
refuses 3 'collection configured: its index is damaged: data_level0.bin: missing: an incomplete copy, or a write that failed' \
    chroma-snap verify -q s
rm -f s
ok 'the others alone' chroma-snap carve -q --skip=configured -f s db
ok 'are sound' chroma-snap verify -q s
rm -rf s db

# No collections.
cp -r 1.5.9/db db
python3 - <<'EOT'
import sqlite3
con = sqlite3.connect("db/chroma.sqlite3")
for table in ("collections", "collection_metadata", "segments",
              "segment_metadata", "max_seq_id", "embeddings",
              "embedding_metadata", "embedding_metadata_array",
              "embeddings_queue", "embedding_fulltext_search"):
    con.execute("DELETE FROM " + table)
con.commit()
EOT
rm -rf db/*-*
ok 'no collections: carve' chroma-snap carve -q -f s db
ok 'no collections: verify' chroma-snap verify -q s
refuses 2 'the snapshot has no collections' chroma-snap graft -q 1.5.9/db s
refuses 2 'the snapshot has no collections' chroma-snap graft -q --as=abc to s
ok 'no collections: graft' chroma-snap graft -q to s
run chroma-info -q --jsonl to
ok 'no collections: a directory' grep -q '"collections":0,"records":0' out

done_testing
