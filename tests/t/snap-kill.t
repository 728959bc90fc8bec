#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A carve or a graft that is killed, or whose calls fail, or that has no room or no
# memory, leaves what was there or what it was to make, and the next one finds
# nothing in its way.
. "${0%/*}/../lib.sh"

case ${BUILD-release} in asan | tsan)
	skip_all 'a sanitizer wants to be loaded first' ;;
esac
[ -e "$BUILD_DIR/tests/tools/faultio.so" ] || skip_all 'faultio.so is not built'

persist 0.4.24 old
persist 1.5.9-nopurge new
try() { python3 -B "$T_DIR/t/snap_kill.py" "$@"; }

# what changes a file does not go past the tool that counts it
if strace -o /dev/null true 2>/dev/null; then
	cp -a new/db d
	chroma-snap carve -q -f one.tar -c ip-vectors d
	run strace -f -o trace -e 'trace=?write,?pwrite64,?writev,?pwritev,?fsync,?fdatasync,?sync_file_range,?msync,?ftruncate,?truncate,?fallocate,?rename,?renameat,?renameat2,?link,?linkat,?symlink,?symlinkat,?unlink,?unlinkat,?rmdir,?fchmod,?fchown,?fchmodat,?fchownat,?chmod,?chown,?utimensat,?utime,?fsetxattr,?fremovexattr,?copy_file_range,?mkdir,?mkdirat,?creat,?open,?openat' \
	    env FAULTIO_OP=change LD_PRELOAD="$BUILD_DIR/tests/tools/faultio.so" \
	    FAULTIO_LIST=calls chroma-snap graft -q --replace \
	    --backup=bak.tar d one.tar
	status_is 'counted: status' 0
	# (without that file itself)
	sed -n '/= -1/d; /+++/d; /^[0-9]* *open/{/O_CREAT/!d; /"calls"/d;}
	    /writev(/{/\\n", iov_len=1/d;}
	    s/^[0-9]* *\([a-z0-9]*\)(.*/\1/
	    s/at2*$//; s/^rmdir$/unlink/; p' trace | sort | uniq -c >seen
	sed 's/at$//; s/^rmdir$/unlink/' calls | sort | uniq -c >want
	same 'all that changes something was counted' seen want
	ok 'a lot of it' [ "$(wc -l <calls)" -gt 150 ]
else
	skip 'all that changes something was counted' 'no strace here'
fi

mounts=false
[ "$(id -u)" -ne 0 ] || ! unshare -m mount -t tmpfs tmpfs /mnt 2>/dev/null ||
	mounts=true
# one line a case: how it is ended, in any run of the tests; with TEST_EVERY=1
# in all ways, at each call (an hour and more)
while read -r case some; do
	[ -z "${TEST_EVERY-}" ] || some='EIO ENOSPC lasting alloc full'
	for how in kill $some; do
		if [ "$how" != full ]; then
			ok "$case: $how" try "$case" "$how"
		elif $mounts; then
			ok "$case: $how" unshare -m python3 -B \
			    "$T_DIR/t/snap_kill.py" "$case" full
		else
			skip "$case: $how" 'takes the right to mount'
			continue
		fi
		sed -n '/^#/p' t_ok.out
	done
done <<'END'
Graft		full
GraftWal	EIO
GraftAs		lasting
GraftCreate	alloc
Replace		ENOSPC alloc
ReplaceBackup	EIO full
Whole		ENOSPC
WholeEmpty	alloc
WholeAs		EIO full
Carve		EIO
CarveForce	lasting
CarveHeld	ENOSPC full
CarveDir	EIO alloc
END

done_testing
