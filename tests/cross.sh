#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The index builder on ARM: its modules compiled for it without a warning, the
# kernels' unit test run there, and the same bytes as here out of small builds.
#
# BUILD_DIR=DIR cross.sh	with bench_hnsw and hnswdata in it
#
# Needs a cross compiler (CROSS, aarch64-linux-gnu-gcc; Debian:
# gcc-aarch64-linux-gnu) and, to run, QEMU (qemu-aarch64; Debian: qemu-user).
# What is not SQLite's or zstd's business is compiled: base and index.
set -euo pipefail

: "${BUILD_DIR:?where the programs were built}" "${CROSS:=aarch64-linux-gnu-gcc}"
: "${QEMU:=qemu-aarch64}"
cd "$(dirname "$0")/.."
bench=$BUILD_DIR/tests/bench
to=build/aarch64
for tool in "$CROSS" "$QEMU"; do
	command -v "$tool" >/dev/null || {
		echo "cross.sh: $tool is not there" >&2
		exit 1
	}
done

objects=() parts=()
for source in common/base/*.c common/index/*.c; do
	objects+=("$to/obj/${source%.c}.o")
	# intake reads records, which the parts that are not here do
	[ "$source" = common/index/intake.c ] || parts+=("${objects[-1]}")
done
"${MAKE:-make}" -s CC="$CROSS" b=$to WERROR=1 "${objects[@]}" \
    $to/obj/tests/unit/t_kernel.o $to/obj/tests/bench/bench_hnsw.o
for program in unit/t_kernel bench/bench_hnsw; do
	"$CROSS" -static -o "$to/${program#*/}" $to/obj/tests/$program.o \
	    "${parts[@]}" -lm -pthread
done
echo "compiled for ${CROSS%-gcc}"

work=$(mktemp -d "${TMPDIR:-/tmp}/chroma-cross.XXXXXX")
trap 'rm -rf "$work"' EXIT
"$QEMU" $to/t_kernel >"$work/tap"
grep -q '^ok .*neon' "$work/tap" || {
	echo "cross.sh: the emulator has no dot product instructions" >&2
	exit 1
}
if grep '^not ok' "$work/tap"; then
	exit 1
fi
echo "t_kernel: $(grep -c '^ok' "$work/tap") tests"

# SET COUNT DIM SPACE: dimensions that are no multiple of anything, too
while read -r set count dim space; do
	"$bench/hnswdata" "$set" "$count" 1 "$dim" 1 "$work/base" "$work/query"
	"$bench/bench_hnsw" "$work/base" "$dim" "$space" "$work/here" >"$work/said"
	for kernel in neon portable; do
		CHROMAUTILS_KERNEL=$kernel "$QEMU" $to/bench_hnsw "$work/base" \
		    "$dim" "$space" "$work/there" >"$work/said"
		grep -q "^$kernel " "$work/said"
		diff -r "$work/here" "$work/there"
		rm -r "$work/there"
		echo "$set $count x $dim $space: $kernel gives the same bytes"
	done
	rm -r "$work/here"
done <<'END'
emb 4000 96 cosine
emb 1500 768 cosine
nrm 3000 33 ip
nrm 3000 50 l2
uni 4000 7 l2
dup 4000 65 cosine
tight 4000 128 cosine
END
