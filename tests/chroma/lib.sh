# SPDX-License-Identifier: Apache-2.0
# tests/chroma/lib.sh - what the tests against real Chromas share.  Read after
# ../lib.sh:	. "$T_DIR/chroma/lib.sh"
# VENVS is the folder that setup.sh fills.  SEED=N repeats a run: what the
# Chromas write is chosen by it, and every test prints it.
# shellcheck shell=sh
: "${VENVS:?the folder with the virtual environments, see tests/chroma/setup.sh}"
case $VENVS in
/*) ;;
*) VENVS=$OLDPWD/$VENVS ;;
esac
# shellcheck source=chromas.sh
. "$T_DIR/chroma/chromas.sh"
ANONYMIZED_TELEMETRY=False CHROMA_TELEMETRY=0 OTEL_SDK_DISABLED=true
DO_NOT_TRACK=1 TOKENIZERS_PARALLELISM=false OMP_NUM_THREADS=1
PYTHONDONTWRITEBYTECODE=1
export ANONYMIZED_TELEMETRY CHROMA_TELEMETRY OTEL_SDK_DISABLED DO_NOT_TRACK \
    TOKENIZERS_PARALLELISM OMP_NUM_THREADS PYTHONDONTWRITEBYTECODE VENVS
: "${SEED:=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}"
printf '# SEED=%s\n' "$SEED"
# Chromas in Python do the same each time, with the same hashes (of which come
# the labels of a batch) and one thread.
PYTHONHASHSEED=$SEED PYTHONPATH=$T_DIR/chroma/site
export PYTHONHASHSEED PYTHONPATH

# with VENV COMMAND...: a script or program with the python of that environment.
# One that is not there is a failure, not something to pass over in silence.
with() {
	c_venv=$VENVS/$1
	shift
	[ -e "$c_venv/ready" ] || {
		printf '%s is not there; make it with tests/chroma/setup.sh\n' \
		    "$c_venv" >&2
		return 1
	}
	timeout -s KILL 180 "$c_venv/bin/python" "$@"
}

# vary: another seed and another dimension at each call, in $seed and $dim.
c_n=0
vary() {
	c_n=$((c_n + 1))
	seed=$((SEED + c_n))
	# shellcheck disable=SC2034
	case $((seed % 4)) in
	0) dim=5 ;;
	1) dim=33 ;;
	2) dim=2 ;;
	*) dim=17 ;;
	esac
}

# make_dir NAME DIR SEED DIM VERSION...: DIR/db made by the first of these
# Chromas, opened, migrated and written to by the others; what the last of them
# says is in it in DIR/expected.json.  PURGE_OFF=1: the log is kept whole.
make_dir() {
	c_name=$1 c_dir=$2 c_seed=$3 c_dim=$4 c_flag=${PURGE_OFF:+--purge-off}
	shift 4
	printf '# %s: seed %s, dimension %s\n' "$c_name" "$c_seed" "$c_dim"
	for c_version; do
		ok "$c_name: made by $c_version" with "$c_version" \
		    "$T_DIR/data/persist/make.py" "$c_dir" "$c_seed" "$c_dim" \
		    ${c_flag:+"$c_flag"}
		c_seed=$((c_seed + 1))
		c_flag=--upgrade
	done
}

# Nothing on standard error but warnings of the log rows that a dropped
# collection left behind.
only_dead_rows() {
	! grep -v 'of no collection that exists; Chroma never reads it; written whole$' \
	    "$1"
}

# check_reading NAME DIR VERSION: what the readers show of DIR/db is what is in
# it, they leave it as it was, and Chroma finds everything afterwards.
check_reading() {
	fingerprint "$2/db" >before
	run chroma-walexport "$2/db"
	status_is "$1: chroma-walexport" 0
	mv out rows.jsonl
	ok "$1: no warning but of dead rows" only_dead_rows err
	ok "$1: records equal rows" \
	    python3 "$T_DIR/t/rows.py" compare "$2/db" rows.jsonl
	run chroma-walexport -q --binary --zstd "$2/db"
	status_is "$1: binary, zstd" 0
	mv out rows.bin.zst
	run chroma-walfilter --jsonl rows.bin.zst
	same "$1: and back" out rows.jsonl
	run chroma-info --deep --jsonl "$2/db"
	status_is "$1: chroma-info" 0
	fingerprint "$2/db" >after
	same "$1: the directory as before" before after
	ok "$1: Chroma $3 finds everything" \
	    with "$3" "$T_DIR/chroma/agree.py" "$2/db" "$2/expected.json"
}

# results NAME: the lines "STATUS WHAT" of the file results as tests
results() {
	while read -r r_status r_what; do
		t_line "$1: $r_what" "$r_status"
	done <results
	rm -f results
}
