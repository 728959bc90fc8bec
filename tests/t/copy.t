#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The pipeline chroma-copy: from directory to directory, by way of a remote
# shell too; failures of either end.
. "${0%/*}/../lib.sh"

of() { jq -r "$1" out; }
# names DIR: its collections, with their records
names() {
	chroma-info -q "$1" | jq -r 'select(.type == "collection") |
	    [.tenant, .database, .name, .records] | join("/")'
}
persist 1.5.9
db=$PWD/1.5.9/db
names "$db" >collections
fingerprint "$db" >before

# ---- here ----

run chroma-copy -n "$db" new
status_is '-n' 0
no_err '-n: silent'
cp out plan
ok '-n: a plan' test -s plan
ok '-n: nothing is there' test ! -e new
run chroma-copy "$db" new </dev/null
status_is 'nobody to ask' 2
err_is 'nobody to ask: message' <<'END'
chroma-copy: nothing was changed: there is no terminal to ask on; -y goes ahead without asking
END
same 'nobody to ask: the plan' plan out
ok 'nobody to ask: nothing is there' test ! -e new
run chroma-copy -y "$db" new
status_is '-y' 0
no_err '-y: silent'
ok '-y: receipt' jq -e '.receipt == "chroma-copy" and .created and
    (.collections | length == 7)' out
names new >out
same 'all collections are there' collections out
run chroma-copy -y -c acme/wiki/docs "$db" new
status_is 'a name that is taken' 2
ok 'a name that is taken: said' grep -q docs err
run chroma-copy -yq -c acme/wiki/docs --as=again "$db" new
status_is '--as, -q' 0
out_is '-q: no receipt' </dev/null
no_err '-q: silent'
names new | sort >out
{ cat collections; sed -n 's|wiki/docs|wiki/again|p' collections; } |
    sort >want.all
same '--as: beside the others' want.all out
run chroma-copy -y -c acme/wiki/docs --replace "$db" new
status_is '--replace' 0
ok '--replace: the old one is kept' chroma-verify -q new.backup/*
run chroma-copy -y -c acme/wiki/docs --as=self new new
status_is 'within one directory' 0
names new >out
ok 'within one directory: there' grep -q '^acme/wiki/self/' out
rm -r new new.backup

# ---- there: a remote shell that is none, in a home of its own ----

mkdir home
cat >rsh <<!
#!/bin/sh
# rsh [-w WORD] HOST STRING
[ "\$1" != -w ] || { echo "\$2" >>$PWD/words; shift 2; }
[ \$# -eq 2 ] || exit 99
echo "\$1" >>$PWD/hosts
cd $PWD/home && exec sh -c "\$2"
!
chmod +x rsh
there() { rm -f hosts; run chroma-copy --rsh="$PWD/rsh" "$@"; }
odd="it's \"odd\" \$HOME \`id\` \\ *"
there -y "$db" "box:$odd"
status_is 'to another machine, an odd name' 0
names "home/$odd" >out
same 'to another machine: all collections' collections out
there -y "me@box:~/$odd" back
status_is 'from another machine' 0
names back >out
same 'from another machine: all collections' collections out
run cat hosts
out_is 'from another machine: which' <<!
me@box
!
rm -r back
mkdir "home/a:b" && cp -a "$db/." home/a:b
there -y 'one:a:b' '[::1]:-d'
status_is 'from one to another' 0
ok 'from one to another: there' test -f home/-d/chroma.sqlite3
sort hosts >out
out_is 'from one to another: which' <<!
::1
one
!
there -yq --tmpdir="$PWD/it's" -c acme/wiki/docs box:a:b x
status_is 'options are words over there' 4
ok 'options are words over there: as they were' grep -qF "it's" err
run chroma-copy --rsh="$PWD/rsh -w x" -y -c empty box:a:b w
status_is '--rsh with arguments' 0
ok '--rsh with arguments: they come' grep -qx x words
there -y ./home/a:b local:z
status_is 'a colon behind a slash' 0
ok 'a colon behind a slash: is of a name' [ "$(cat hosts)" = local ]

printf '#!/bin/sh\n%s "$@" | tee stream\n' "$PWD/rsh" >spy
chmod +x spy
run chroma-copy --rsh="$PWD/spy" -yq box:a:b spied
status_is 'what goes over the net' 0
ok 'what goes over the net is compressed' zstd -tq stream

# ---- failures ----

run chroma-copy --rsh="$PWD/rsh" -y nowhere gone
status_is 'no DIR' 4
ok 'no DIR: said' grep -q '^chroma-snap: nowhere: No such file' err
ok 'no DIR: nothing is there' test ! -e gone
run chroma-copy --rsh=false -y box:x gone
status_is 'no connection' 1
run chroma-copy --rsh=/nowhere/rsh -y box:x gone
status_is 'no remote shell' 4
printf '#!/bin/sh\necho "rsh: no route" >&2\nexit 255\n' >lost
chmod +x lost
run chroma-copy --rsh="$PWD/lost" -y box:x gone
status_is 'no route, from' 4
ok 'no route, from: said' grep -qx 'rsh: no route' err
run chroma-copy --rsh="$PWD/lost" -y "$db" box:x
status_is 'no route, to' 4
ok 'no route: nothing is there' test ! -e gone
printf '#!/bin/sh\n%s "$@" | head -c 20000\necho "rsh: lost" >&2\nexit 255\n' \
    "$PWD/rsh" >lost
run chroma-copy --rsh="$PWD/lost" -y box:a:b gone
status_is 'a connection that is lost' 4
ok 'a connection that is lost: said' grep -qx 'rsh: lost' err
ok 'a connection that is lost: both ends' test "$(wc -l <err)" -eq 2
ok 'a connection that is lost: nothing is there' test ! -e gone
run sh -c "ls -A | grep gone"
out_is 'a connection that is lost: not half of it' </dev/null
printf '#!/bin/sh\n%s "$@" | head -c 20000\n' "$PWD/rsh" >lost
run chroma-copy --rsh="$PWD/lost" -y box:a:b gone
status_is 'one that is lost, and nobody says so' 3
ok 'one that is lost, and nobody says so: nothing is there' test ! -e gone
cp -a "$db" full
there -y box:a:b full
status_is 'refused here' 2
fingerprint full >now
fingerprint "$db" >after
same 'DIR is as it was' before after
there -y full 'box:a:b'
status_is 'refused there' 2

# ---- the command line ----

misused 'wants DIR and DIR2' chroma-copy "$db"
misused 'box:: names no directory' chroma-copy -y box: new
misused ': names no directory' chroma-copy -y "$db" ''
misused '-oProxyCommand=x: not the name of a host' \
    chroma-copy -y -- -oProxyCommand=x:y new
misused '--rsh: needs a command' chroma-copy --rsh= "$db" new
misused '--rsh: needs an argument' chroma-copy --rsh
misused '--nope: unknown option' chroma-copy --nope "$db" new
done_testing
