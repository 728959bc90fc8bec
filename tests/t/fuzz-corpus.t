#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fuzz-corpus.t - every fuzz target over its corpus, without clang.
. "${0%/*}/../lib.sh"

for dir in "$T_DIR"/fuzz/corpus/*/; do
	name=$(basename "$dir")
	run "$BUILD_DIR/tests/fuzz/fuzz_$name" "$dir"*
	status_is "$name" 0
done
ok 'the corpora are what make-corpus.py writes' \
    sh -c "python3 '$T_DIR/fuzz/make-corpus.py' again &&
    diff -r again '$T_DIR/fuzz/corpus'"
done_testing
