#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every record of chroma-walexport is the row that Python's sqlite3 reads, bit
# for bit, in every era; and every form leads back to the same bytes.
. "${0%/*}/../lib.sh"

for name in $(every_persist); do
	persist "$name" p
	fingerprint p/db >before
	run chroma-walexport p/db
	status_is "$name: status" 0
	mv out rows.jsonl
	# what is left of a collection that was dropped is warned of
	grep -cv 'of no collection that exists; Chroma never reads it; written whole$' \
	    err >odd
	ok "$name: no other warning" grep -qx 0 odd

	run chroma-walfilter -b rows.jsonl
	mv out rows.bin
	run chroma-walfilter -j rows.bin
	same "$name: JSONL, binary, JSONL" out rows.jsonl
	run chroma-walexport -q -b p/db
	same "$name: binary at once" out rows.bin
	run chroma-walexport -q -b -z p/db
	mv out rows.bin.zst
	run chroma-walfilter -j rows.bin.zst
	same "$name: binary, zstd, JSONL" out rows.jsonl
	run chroma-walexport -q -z p/db
	mv out rows.jsonl.zst
	run chroma-walfilter -b rows.jsonl.zst
	same "$name: JSONL, zstd, binary" out rows.bin
	run chroma-walexport -q --embedding=base64 p/db
	mv out base64.jsonl
	run chroma-walfilter --embedding=array base64.jsonl
	same "$name: base64, array" out rows.jsonl
	run chroma-walexport -q --columns p/db
	mv out columns
	ok "$name: the rows, in base64 and as columns too" python3 -B \
	    "$T_DIR/t/rows.py" every p/db rows.jsonl base64.jsonl columns
	fingerprint p/db >after
	same "$name: the directory as before" before after
	rm -r p
done

done_testing
