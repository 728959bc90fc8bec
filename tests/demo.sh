#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The main jobs on a small directory that a real Chroma wrote, in a scratch
# place that is removed at the end.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
PATH=${BUILD_DIR:-$top/build/release}/bin:$PATH
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
zstd -dcq "$top/tests/data/persist/1.3.7-nopurge.tar.zst" | tar -x -f - -C "$tmp"
mv "$tmp"/*/db "$tmp/chroma"
cd "$tmp"

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n# %s\n' "$*"; }
# show LINES COMMAND: the command as one would type it, and its first lines.
show() {
	printf '$ %s\n' "$2"
	bash -c "$2" | cut -c1-110 | { head -n "$1"; cat >/dev/null; }
}

say 'A directory that Chroma 1.3.7 wrote: what is in it, and how does it fare?'
show 34 'chroma-info --text --skip=empty chroma'
say 'The same for scripts'
show 9 "chroma-info chroma | jq -c 'select(.type==\"collection\") | [.name, .records, .space, .index.elements, .index.fragmentation]'"
say 'The write-ahead log as a stream: begin, one record for each row, end'
show 3 'chroma-walexport -c ip-vectors chroma'
say 'Which ids were deleted, and when?'
show 4 "chroma-walexport -c default_tenant/default_database/docs chroma | chroma-walfilter --operation=DELETE | jq -r 'select(.type==\"wal\") | [.created_at, .id] | @tsv'"
say 'How much of the log may go?'
show 1 'chroma-walexport --prunable -b chroma | chroma-walfilter --count'
say 'An audit file, complete or not at all, with its SHA-256 beside it'
show 1 'chroma-export chroma audit.jsonl.zst'
show 2 'ls -s --block-size=1 audit.*; sha256sum -c --quiet audit.jsonl.zst.sha256'
say 'Shrink it: first the plan (without -n and -y, and a question)'
show 30 'chroma-prune -n chroma'
say 'What goes is kept in a file; what is deleted is what that file has'
show 9 "chroma-prune -y --audit=went.jsonl.zst chroma | jq -c '[.wal_entries_purged, .storage_reduction, .reclaim]'"
show 2 'chroma-walfilter --count went.jsonl.zst; chroma-prune -y chroma | jq .wal_entries_purged'
say 'All of the log into the index files: what Chroma would replay at every start'
show 28 'chroma-commit -n -c default -c ip-vectors chroma'
show 9 "chroma-commit -y chroma | jq -c '.collections[] | select(.installed) | [.collection, .elements, .vector_seq_id]'"
say 'An index of another space, with more links; the old one is kept'
show 9 'chroma-rebuild -n -c ip-vectors --space=cosine --M=24 chroma'
show 2 "chroma-rebuild -y -c ip-vectors --space=cosine --M=24 chroma | jq -c '.collections[] | [.space, .M, .recall]'; ls chroma.backup | wc -l"
show 2 "chroma-info -c ip-vectors chroma | jq -c 'select(.type==\"collection\") | [.space, .M, .params_from.space]'"
say 'A snapshot: a tar of a persist dir, read back, with its SHA-256 beside it'
show 1 "chroma-snapshot --keep=14d chroma backup | jq -c '[.file, .bytes, (.collections | length)]'"
show 9 'tar --zstd -tf backup/*.zst | sed "s|.*/|UUID/|" | sort | uniq -c'
say 'One collection of it back, beside the present one; all of it, into a new directory'
show 9 "chroma-restore -y -c ip-vectors --as=as-it-was backup/*.zst chroma | jq -c '.collections[] | [.collection, .was.collection, .records]'"
show 1 'chroma-restore -yq backup/*.zst new && ls new | wc -l'
say 'A stream that was cut short is never taken for a short stream'
printf '$ %s\n' 'zstd -dcq audit.jsonl.zst | head -n 20 | chroma-walfilter --count'
zstd -dcq audit.jsonl.zst 2>/dev/null | head -n 20 |
    chroma-walfilter --count 2>&1 || printf '(status %s)\n' $?
