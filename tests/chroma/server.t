#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Reading beside something that writes: nobody has to wait longer than 100 ms
# for a reader, also when the reader's output is not being read; a reader that
# is overtaken says so; and the directory is as good as without us.
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

# first without any Chroma: the lock itself, on a log larger than any batch
ok "a directory of 10,000 records" with 1.5.9 "$T_DIR/bench/mkbig.py" big \
    10000 384 --seed "$SEED"
ok "locks" python3 "$T_DIR/chroma/block.py" big results
sed -n '/^#/p' t_ok.out
results locks
rm -rf big

for version in 1.5.9 0.6.3; do
	mkdir work
	ok "$version: server and client" with "$version" \
	    "$T_DIR/chroma/server.py" work "$SEED"
	sed -n '/^#/p' t_ok.out
	[ ! -e work/results ] || mv work/results .
	results "$version"
	ok "$version: Chroma finds everything" with "$version" \
	    "$T_DIR/chroma/agree.py" work/db work/expected.json
	rm -rf work
done

done_testing
