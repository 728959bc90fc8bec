#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The pipeline chroma-verify: sums, several snapshots, one status.
. "${0%/*}/../lib.sh"

persist 1.5.9
chroma-snapshot -q -f a.tar.zst 1.5.9/db
chroma-snapshot -q -c empty -f 'b c.tar' 1.5.9/db
head -c 9000 a.tar.zst >cut.tar.zst
cp a.tar.zst sum.tar.zst
sed 's/^./x/; y/x0/01/' a.tar.zst.sha256 >sum.tar.zst.sha256

fingerprint . >before
mkdir place
for how in '' --quick; do
	run chroma-verify $how --tmpdir=place a.tar.zst 'b c.tar'
	status_is "sound $how" 0
	no_err "sound $how: silent"
	jq -c '[.snapshot, .sound, .collections]' out >got && mv got out
	out_is "sound $how: a line each" <<!
["a.tar.zst",true,7]
["b c.tar",true,1]
!
	ok "sound $how: nothing is left" rmdir place
	mkdir place
	run chroma-verify $how cut.tar.zst a.tar.zst
	status_is "cut short $how" 3
	ok "cut short $how: said" grep -q '^chroma-snap: cut.tar.zst: ' err
	jq -c 'select(.sound) | .snapshot' out >got && mv got out
	out_is "cut short $how: the next one is looked at" <<!
"a.tar.zst"
!
	run chroma-verify $how sum.tar.zst a.tar.zst
	status_is "another sum $how" 3
	err_is "another sum $how: said" <<!
chroma-verify: sum.tar.zst: not what sum.tar.zst.sha256 says: damaged, or another file
!
done
run chroma-verify -q a.tar.zst 'b c.tar'
status_is '-q' 0
out_is '-q: nothing' </dev/null
run chroma-verify -q nowhere cut.tar.zst nowhere
status_is 'one that is missing, one that is cut: what is known counts' 3
run chroma-verify -q nowhere a.tar.zst
status_is 'one that is missing' 4
run sh -c 'chroma-verify - <a.tar.zst'
status_is 'standard input' 0
run sh -c 'head -c 5000 a.tar.zst | chroma-verify --quick -'
status_is 'standard input, cut short' 3
run sh -c 'exec chroma-verify a.tar.zst >/dev/full'
status_is 'nobody takes the result' 4
chmod 755 place
cp a.tar.zst ./-a
run chroma-verify --text -- -a
status_is 'a name that begins with -' 0
ok '--text: for people' not jq . out
misused 'wants SNAPSHOT...' chroma-verify
misused '--nope: unknown option' chroma-verify --nope
misused '--tmpdir: needs an argument' chroma-verify --tmpdir

mk=$BUILD_DIR/share/chromautils/maintain.mk
mkdir 'to you' && cp a.tar.zst a.tar.zst.sha256 'to you'
run make -s -f "$mk" verify TO='to you' FLAGS=--quick
status_is 'maintain.mk verify' 0
ok 'maintain.mk verify: all in the directory' \
    [ "$(jq -r .snapshot out)" = 'to you/a.tar.zst' ]
cp cut.tar.zst 'to you'
run make -s -f "$mk" verify TO='to you' FLAGS=-q
status_is 'maintain.mk verify: one is not sound' 2
run make -s -f "$mk" verify TO=a.tar.zst
status_is 'maintain.mk verify, a file' 0
run make -s -f "$mk" verify
ok 'maintain.mk verify: of what?' grep -q 'TO=... is missing' err
done_testing
