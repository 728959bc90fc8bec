#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Random regular expressions and texts: Chroma, which asks the Rust crate regex,
# and we take and refuse the same, and match the same.
. "${0%/*}/../lib.sh"
# shellcheck source=lib.sh
. "$T_DIR/chroma/lib.sh"

ask() { with 1.5.9 "$T_DIR/chroma/regex.py" "$@" >asked.jsonl; }

ok 'asked' ask "$SEED" 20
ok '4000 answers' "$BUILD_DIR/tests/unit/t_regex" asked.jsonl
grep '^#' t_ok.out | head -n 40
for file in "$T_DIR"/data/regex/*.jsonl; do
	ok "$(basename "$file"): asked again" ask again "$file"
	same "$(basename "$file"): says the same" asked.jsonl "$file"
done
done_testing
