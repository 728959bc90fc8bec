# SPDX-License-Identifier: Apache-2.0
# tests/lib.sh - TAP from POSIX sh.  Each *.t file begins with
#	. "${0%/*}/../lib.sh"
# and ends with `done_testing`.  Runs alone (sh tests/t/x.t) or under prove.
# shellcheck shell=sh

set -u
LC_ALL=C TZ=UTC0
export LC_ALL TZ
T_DIR=$(cd "${0%/*}" && pwd) || exit 99
case $T_DIR in */tests) ;; *) T_DIR=${T_DIR%/*} ;; esac
: "${BUILD_DIR:=$T_DIR/../build/release}"
PATH=$BUILD_DIR/bin:$BUILD_DIR/tests/tools:$PATH
# 86: what no program of ours ends with
ASAN_OPTIONS=abort_on_error=1:detect_leaks=0
UBSAN_OPTIONS=abort_on_error=1:print_stacktrace=1
TSAN_OPTIONS=exitcode=86
export PATH ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS BUILD_DIR
T_TMP=$(mktemp -d) || exit 99
trap 'chmod -R u+rwX "$T_TMP" 2>/dev/null; rm -rf "$T_TMP"' EXIT
cd "$T_TMP" || exit 99
t_n=0

# t_line NAME STATUS: one TAP line.
t_line() {
	t_n=$((t_n + 1))
	if [ "$2" -eq 0 ]; then
		printf 'ok %d - %s\n' "$t_n" "$1"
	else
		printf 'not ok %d - %s\n' "$t_n" "$1"
	fi
}

# run COMMAND...: leaves out, err and $status behind.  Never hangs: after 60 s
# it is killed, which shows as status 137.
run() {
	status=0
	timeout -s KILL 60 "$@" >out 2>err || status=$?
}

# status_is NAME WANT: the last run ended with exactly this status, so that a
# crash (128 + signal) or a missing program (127) is never taken for an error
# that the program reported.
status_is() {
	t_ok=0
	[ "$status" -eq "$2" ] || t_ok=1
	t_line "$1" "$t_ok"
	[ "$t_ok" -eq 0 ] || { printf '# status %s, wanted %s\n' "$status" "$2"
		sed 's/^/# err: /' err; }
}

# out_is NAME / err_is NAME: byte for byte what standard input says.
out_is() { t_same "$1" out; }
err_is() { t_same "$1" err; }
t_same() {
	cat >want
	t_ok=0
	cmp -s want "$2" || t_ok=1
	t_line "$1" "$t_ok"
	[ "$t_ok" -eq 0 ] || diff -u want "$2" | head -40 | sed 's/^/# /'
}

# refuses STATUS MESSAGE COMMAND...: the command ends with exactly this status,
# says exactly this (its name comes before it) and prints nothing.
refuses() {
	t_want=$1
	t_msg=$2
	shift 2
	run "$@"
	printf '%s: %s\n' "${1##*/}" "$t_msg" >want
	t_refused "$1: $t_msg"
}

# misused MESSAGE COMMAND...: the same for a command line that is wrong.
misused() {
	t_want=2
	t_msg=$1
	shift
	run "$@"
	printf "%s: %s\nTry '%s --help'.\n" "${1##*/}" "$t_msg" "${1##*/}" >want
	t_refused "$1: $t_msg"
}

t_refused() {
	t_ok=0
	{ [ "$status" -eq "$t_want" ] && cmp -s want err && [ ! -s out ]; } ||
	    t_ok=1
	t_line "$1" "$t_ok"
	[ "$t_ok" -eq 0 ] || { printf '# status %s, wanted %s\n' "$status" \
	    "$t_want"; diff -u want err | sed 's/^/# /'
		printf '# %s bytes came out\n' "$(wc -c <out)"; }
}

# no_err NAME: the last run said nothing on standard error.
no_err() { err_is "$1" </dev/null; }

# same NAME A B: two files are equal.
same() {
	t_ok=0
	cmp -s "$2" "$3" || t_ok=1
	t_line "$1" "$t_ok"
	[ "$t_ok" -eq 0 ] || cmp "$2" "$3" 2>&1 | sed 's/^/# /'
}

# ok NAME COMMAND...: the command succeeds.
ok() {
	t_name=$1
	shift
	t_ok=0
	"$@" >t_ok.out 2>&1 || t_ok=1
	t_line "$t_name" "$t_ok"
	[ "$t_ok" -eq 0 ] || sed 's/^/# /' t_ok.out
}

# not COMMAND...: for ok.
not() { ! "$@"; }

# begins NAME WHOLE PART: PART is how the file WHOLE begins.
begins() { ok "$1" t_begins "$2" "$3"; }
t_begins() { head -c "$(wc -c <"$2")" "$1" | cmp - "$2"; }

# persist NAME [TO]: unpack tests/data/persist/NAME.tar.zst; the persist dir is
# then TO/db (default: NAME/db), what Chroma says is in it TO/expected.json.
persist() {
	mkdir -p "${2:-$1}" &&
	zstd -dcq "$T_DIR/data/persist/$1.tar.zst" |
	    tar -x -f - -C "${2:-$1}" --strip-components=1
}

# every_persist: the names of all of them.
every_persist() {
	for t_f in "$T_DIR"/data/persist/*.tar.zst; do
		t_f=${t_f##*/}
		printf '%s\n' "${t_f%.tar.zst}"
	done
}

# fingerprint DIR: every name, type, size, mtime and hash in a tree.
fingerprint() {
	(cd "$1" && find . -printf '%p %y %s %T@ %i %m\n' | sort &&
	    find . -type f -print0 | sort -z | xargs -0r sha256sum)
}

# content DIR: everything in its database but the log; log_of DIR: the log.
content() { python3 -B "$T_DIR/t/walprune.py" content "$1"; }
log_of() { python3 -B "$T_DIR/t/walprune.py" log "$1"; }

# skip NAME REASON: one test that cannot be run here.
skip() {
	t_n=$((t_n + 1))
	printf 'ok %d - %s # SKIP %s\n' "$t_n" "$1" "$2"
}

# skip_all REASON: nothing to test here.
skip_all() { printf '1..0 # SKIP %s\n' "$1"; exit 0; }
done_testing() { printf '1..%d\n' "$t_n"; }
