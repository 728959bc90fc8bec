#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# regex.t - regular expressions: what Chroma 1.5.9 said (data/regex; written by
# chroma/regex.py), said again.
. "${0%/*}/../lib.sh"

for file in "$T_DIR"/data/regex/*.jsonl; do
	ok "$(basename "$file")" "$BUILD_DIR/tests/unit/t_regex" "$file"
done
done_testing
