#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap-chops.t - snapshots that chops made: what is in them, grafted; the
# distance function that some of them do not have.
. "${0%/*}/../lib.sh"

data=$T_DIR/data/chops
where='only for a snapshot of chops that does not say its own'
unit='of norm 1 with a length beside each'
lost() { echo "chops did not save the distance function of collection $1: give --space=l2, ip or cosine"; }
own() { echo "--space: $where; that of collection $1 is $2: chroma-rebuild changes it"; }

# fresh ERA [NAME]: d, a directory of that era with another collection alone
fresh() {
	rm -rf d && chroma-snap carve -q -c "${2:-ip-vectors}" -o d "$1/db" &&
	    fingerprint d >before
}
unchanged() {
	fingerprint d | sed '/^\. /d' >after
	sed '/^\. /d' before >want.files
	same "$1: nothing changes" want.files after
}

# all_of DIR ID: the collection's records, vectors and log, numbers aside
all_of() {
	python3 -B - "$1" "$2" <<!
import json, sqlite3, sys
con = sqlite3.connect("file:%s/chroma.sqlite3?mode=ro&immutable=1" % sys.argv[1], uri=True)
for row in con.execute(
        "SELECT embedding_id, created_at, key, string_value, int_value, float_value, bool_value "
        "FROM segments s JOIN embeddings e ON e.segment_id = s.id "
        "LEFT JOIN embedding_metadata m ON m.id = e.id "
        "WHERE s.collection = ? AND scope = 'METADATA' ORDER BY 1, 3", sys.argv[2:]):
    print(json.dumps(row))
!
	chroma-hnswdump -q -c "$2" "$1" | grep '"type":"vector"'
	chroma-walexport -q -c "$2" "$1" | jq -c 'select(.seq_id) | del(.seq_id)'
}
notes() {
	chroma-info -q -j --deep -c "$2" "$1" |
	    jq -c 'select(.name) | .healthy, .notes'
}
space_of() { chroma-info -q -j -c "$2" "$1" | jq -r 'select(.name) | .space'; }

# spoil FILE NAME: one file of its index is zeros
spoil() {
	python3 -B - "$1" "$2" <<!
import hashlib, sqlite3, sys, zlib
con = sqlite3.connect(sys.argv[1])
data, = con.execute("SELECT data FROM hnsw_segment_data WHERE filename = ?",
                    sys.argv[2:]).fetchone()
data = bytes(len(zlib.decompress(data)))
con.execute("UPDATE hnsw_segment_data SET data = ?, sha256 = ? WHERE filename = ?",
            (zlib.compress(data), hashlib.sha256(data).hexdigest(), sys.argv[2]))
con.commit()
!
}

persist 0.6.3
persist 1.5.9
for f in 0.6.3-docs 1.5.9-docs 1.5.9-default 1.5.9-configured; do
	zstd -dcq "$data/$f.db.zst" >"$f"
done

# ---- what is in them ----

while read -r f records rows bytes; do
	run chroma-snap verify "$f"
	status_is "$f: verify" 0
	no_err "$f: verify: silent"
	jq -c '[.snapshot, .sound, .quick, .collections, .records, .wal_rows]' \
	    out >verified
	same "$f: verify" verified - <<!
["$f",true,false,1,$records,$rows]
!
	run chroma-snap verify --quick "$f"
	status_is "$f: verify --quick" 0
	jq -c '[.sound, .quick, .bytes]' out >verified
	same "$f: verify --quick" verified - <<!
[true,true,$bytes]
!
done <<!
0.6.3-docs 63 11 $(stat -c %s 0.6.3-docs)
1.5.9-docs 63 8 $(stat -c %s 1.5.9-docs)
1.5.9-default 12 12 $(stat -c %s 1.5.9-default)
1.5.9-configured 26 1 $(stat -c %s 1.5.9-configured)
!

run chroma-snap list --text 0.6.3-docs 1.5.9-docs 1.5.9-default 1.5.9-configured
status_is 'list' 0
no_err 'list: silent'
sed -i 's/^\(  made  *\)20.*Z$/\1TIME/' out
out_is 'list --text' <<!
0.6.3-docs
  made                TIME

default_tenant/default_database/docs
  id                  2678811e-f5b8-4618-ab51-b8debbb373bd
  vectors             8 dimensions, cosine, M 16, ef_construction 100, ef_search 100
  records             63
  log                 11 rows, 80 to 90
  index               178.2 kB
1.5.9-docs
  made                TIME

default_tenant/default_database/docs
  id                  96466c58-29bd-4108-a92a-4771538d31d3
  vectors             8 dimensions, cosine, M 16, ef_construction 100, ef_search 100
  records             63
  log                 8 rows, 83 to 90
  index               20.5 kB
1.5.9-default
  made                TIME

default_tenant/default_database/default
  id                  f0f955db-e72c-4466-b4b7-2e2b3587be09
  vectors             8 dimensions, unknown space, M 16, ef_construction 100, ef_search 100
  records             12
  log                 12 rows, 91 to 102
  index               17.7 kB
  - chops did not save its distance function
1.5.9-configured
  made                TIME

default_tenant/default_database/configured
  id                  973c70cc-bab2-4d96-9add-3018731b63e9
  vectors             8 dimensions, unknown space, M 12, ef_construction 64, ef_search 100
  records             26
  log                 1 rows, 271 to 271
  index               15.7 kB
  - chops did not save its distance function
!
run chroma-snap list -j 1.5.9-docs 1.5.9-default
jq -c '[.name, .space, .note]' out >listed
same 'list: a space that is not known is null' listed - <<!
["docs","cosine",null]
["default",null,"chops did not save its distance function"]
!

# ---- grafted ----

# grafted FILE ID SPACE [--space=SPACE]: all of the collection is in d
grafted() {
	fresh "${1%-*}"
	run chroma-snap graft ${4+"$4"} d "$1"
	status_is "$1${4+ $4}: graft" 0
	no_err "$1${4+ $4}: silent"
	jq -c '[.created, (.collections[] | .collection_id, .replaced)]' out >got
	same "$1: receipt" got - <<!
[false,"$2",false]
!
	all_of "${1%-*}/db" "$2" >original
	all_of d "$2" >copy
	ok "$1: something is compared" test -s original
	same "$1: records, vectors and log as in the original" original copy
	space_of d "$2" >space
	same "$1: distance function" space - <<!
$3
!
	notes "${1%-*}/db" "$2" >original
	notes d "$2" >copy
	same "$1: as sound as the original" original copy
	space_of d ip-vectors >space
	same "$1: the other one keeps its own" space - <<!
ip
!
}
docs06=2678811e-f5b8-4618-ab51-b8debbb373bd
docs15=96466c58-29bd-4108-a92a-4771538d31d3
default=f0f955db-e72c-4466-b4b7-2e2b3587be09
configured=973c70cc-bab2-4d96-9add-3018731b63e9
grafted 0.6.3-docs $docs06 cosine
grafted 1.5.9-docs $docs15 cosine
grafted 1.5.9-default $default l2 --space=l2
grafted 1.5.9-configured $configured cosine --space=cosine
python3 -B - >out <<!
import sqlite3
for row in sqlite3.connect("d/chroma.sqlite3").execute(
        "SELECT config_json_str FROM collections WHERE name = 'configured'"):
    print(*row)
!
out_is 'what was given stands in its configuration' <<!
{"vector_index":{"hnsw":{"space":"cosine","ef_construction":64,"ef_search":100,"max_neighbors":12,"resize_factor":1.2,"sync_threshold":1000}},"embedding_function":{"type":"legacy"}}
!
for space in ip cosine; do
	fresh 1.5.9
	run chroma-snap graft -q --space=$space d 1.5.9-default
	status_is "--space=$space, and nothing in the index" 0
	no_err "--space=$space, and nothing in the index: silent"
	space_of d default >space
	same "--space=$space" space - <<!
$space
!
done

# into a newer one
fresh 1.5.9
run chroma-snap graft -q d 0.6.3-docs
status_is 'of 0.6.3 into 1.5.9' 0
space_of d $docs06 >space
same 'of 0.6.3 into 1.5.9: distance function' space - <<!
cosine
!
fresh 0.6.3
run chroma-snap graft d 1.5.9-docs
status_is 'of 1.5.9 into 0.6.3' 3
unchanged 'of 1.5.9 into 0.6.3'

# ---- a distance function that is not known ----

fresh 1.5.9
refuses 2 "$(lost default)" chroma-snap graft d 1.5.9-default
refuses 2 "$(lost configured) (most likely cosine: the vectors of its index are $unit)" \
    chroma-snap graft d 1.5.9-configured
refuses 2 "$(lost configured) (most likely cosine: the vectors of its index are $unit)" \
    chroma-snap graft -n --as=ccc d 1.5.9-configured
for space in l2 ip; do
	run chroma-snap graft -n --space=$space d 1.5.9-configured
	status_is "--space=$space, where it looks like cosine" 0
	err_is "--space=$space, where it looks like cosine" <<!
chroma-snap: warning: --space=$space: but the vectors of its index are $unit, as those of cosine
!
done
run chroma-snap graft -n -q --space=l2 d 1.5.9-configured
no_err '-q: no warning'
unchanged 'refused, or -n'

cp 1.5.9-configured zeros
spoil zeros length.bin
refuses 2 "$(lost configured) (not cosine: the vectors of its index are not $unit)" \
    chroma-snap graft d zeros
refuses 2 "--space=cosine: the vectors in the index of collection configured are not $unit: it is of l2 or ip" \
    chroma-snap graft --space=cosine d zeros
unchanged 'not cosine'
run chroma-snap graft --space=ip d zeros
status_is 'not cosine, --space=ip' 0
no_err 'not cosine, --space=ip: silent'
space_of d configured >space
same 'not cosine, --space=ip: done' space - <<!
ip
!
cp 1.5.9-configured damaged
spoil damaged link_lists.bin
spoil damaged data_level0.bin
fresh 1.5.9
refuses 2 "$(lost configured)" chroma-snap graft d damaged
run chroma-snap graft --space=cosine d damaged
status_is 'a damaged index' 3
unchanged 'a damaged index'

# ---- where --space is out of place ----

refuses 2 "$(own docs cosine)" chroma-snap graft --space=l2 d 1.5.9-docs
refuses 2 "$(own docs cosine)" chroma-snap graft --space=cosine d 1.5.9-docs
fresh 0.6.3
refuses 2 "$(own docs cosine)" chroma-snap graft --space=ip d 0.6.3-docs
chroma-snap carve -q -c ip-vectors -f ip.tar.zst -z 0.6.3/db
refuses 2 "--space: $where; chroma-rebuild changes that of a collection" \
    chroma-snap graft --space=ip --as=xyz d ip.tar.zst
refuses 2 "--space: $where; chroma-rebuild changes that of a collection" \
    chroma-snap graft --space=ip new ip.tar.zst
ok 'nothing is made' test ! -e new
unchanged 'out of place'
refuses 2 "what chops made has no migrations, so no directory can be made of it alone; open new with Chroma once, then again" \
    chroma-snap graft --space=l2 new 1.5.9-default
ok 'no directory of what chops made' test ! -e new
misused "--space: 'L2' is none of l2, ip, cosine" \
    chroma-snap graft --space=L2 d 1.5.9-default
misused '--space: not for carve; see chroma-snap graft --help' \
    chroma-snap carve --space=l2 d
misused '--space: not for list; see chroma-snap graft --help' \
    chroma-snap list --space=l2 1.5.9-default

# ---- the pipeline ----

fresh 1.5.9
run chroma-restore -y 1.5.9-configured d
status_is 'chroma-restore' 2
unchanged 'chroma-restore'
run chroma-restore -n --space cosine 1.5.9-configured d
status_is 'chroma-restore -n --space' 0
unchanged 'chroma-restore -n --space'
run chroma-restore -y --space=cosine 1.5.9-configured d
status_is 'chroma-restore --space' 0
space_of d configured >space
same 'chroma-restore --space: done' space - <<!
cosine
!
done_testing
