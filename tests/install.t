#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make install puts everything in its place, it runs from there, and make
# uninstall leaves nothing.
. "${0%/*}/lib.sh"

src=$T_DIR
cd "$src/.." || exit 99
dest=$T_TMP/dest
: "${MAKE:=make}" "${BUILD:=release}"
at() { printf '%s' "$dest$1"; }

in_top() { (cd "$src/.." && "$MAKE" -s BUILD="$BUILD" DESTDIR="$dest" "$@"); }

cd "$T_TMP" || exit 99
ok 'make install DESTDIR' in_top install PREFIX=/opt/cu
for p in chroma-info chroma-walexport chroma-walfilter chroma-export; do
	ok "$p is there" test -x "$(at /opt/cu/bin/$p)"
	ok "its manual page is there" test -f "$(at /opt/cu/share/man/man1/$p.1)"
	ok "its completion is there" \
	    test -f "$(at "/opt/cu/share/bash-completion/completions/$p")"
done
for page in man5/chroma-layout.5 man5/chroma-snapshot.5 \
    man5/chroma-stream.5 man7/chromautils.7; do
	ok "$page is there" test -f "$(at /opt/cu/share/man/$page)"
done
ok 'maintain.mk is there' test -f "$(at /opt/cu/share/chromautils/maintain.mk)"
run grep -rlF "$dest" "$dest"
status_is 'no installed file names the staging directory' 1
in_top uninstall PREFIX=/opt/cu
run sh -c "find '$dest' -type f -o -type l | grep ."
status_is 'make uninstall leaves no file' 1
run test -e "$(at /opt/cu/share/chromautils)"
status_is 'nor our own directory' 1

# used from where it is installed, with nothing else in PATH of ours
ok 'make install PREFIX' in_top install DESTDIR= PREFIX="$T_TMP/real"
zstd -dcq "$src/data/persist/1.3.7.tar.zst" | tar -x -f - --strip-components=1
run env PATH=/usr/bin:/bin "$T_TMP/real/bin/chroma-export" db audit.jsonl.zst
status_is 'an installed pipeline finds its programs and its library' 0
ok 'and what it wrote is whole' "$T_TMP/real/bin/chroma-walfilter" --count \
    audit.jsonl.zst
run make -s -f "$T_TMP/real/share/chromautils/maintain.mk" export DIR=db TO=b.zst
status_is 'maintain.mk finds the pipelines beside it' 0
ok 'make uninstall PREFIX' in_top uninstall DESTDIR= PREFIX="$T_TMP/real"
run sh -c "find '$T_TMP/real' -type f -o -type l | grep ."
status_is 'and again nothing is left' 1
done_testing
