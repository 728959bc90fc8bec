# SPDX-License-Identifier: Apache-2.0
"""Let the n-th call of a kind fail, for n = 1, 2, 3, ... until none is left.

faults.py OP [-e ERRNO] [-o FILE] [-d DIR] [-p] [-w] [-c] GOOD COMMAND...

Each run must end with 0 and the bytes of GOOD, or with 3 or 4 (5: somebody
else is in the way), one message and no complete output.  GOOD: what the command
prints, or with -o FILE writes there, or with -d DIR the files in DIR, one after the
other; then nothing else may lie beside it.  -p: what comes of a failed run is how GOOD
begins; -c: it may be all of it.  -w: with a warning, begin may say less and
records may be missing.  TEST_LONG=1: more of them.
"""
import os
import shutil
import subprocess
import sys

args = sys.argv[1:]
op, args = args[0], args[1:]
errno, path, directory, flags = "5", None, None, ""
while args[0].startswith("-"):
    if args[0] in ("-p", "-w", "-c"):
        flags, args = flags + args[0], args[1:]
        continue
    if args[0] == "-e":
        errno = args[1]
    elif args[0] == "-d":
        path = directory = args[1]
    else:
        path = args[1]
    args = args[2:]
with open(args[0], "rb") as f:
    good = f.read()
command = args[1:]
name = command[0]
env = dict(os.environ, FAULTIO_OP=op, FAULTIO_ERRNO=errno, FAULTIO_LOG="hit",
           LD_PRELOAD=os.path.join(os.environ["BUILD_DIR"],
                                   "tests/tools/faultio.so"))


def bad(n, what, run):
    print("%s, call %d: %s" % (op, n, what))
    print("status %d, %d bytes: %s" % (run.returncode, len(run.stdout),
                                       run.stderr.decode(errors="replace")))
    sys.exit(1)


def less(out):
    """Whether these are the records of the good stream, or some of them; of
    JSONL only."""
    if not good.startswith(b"{"):
        return True
    have = set(good.split(b"\n")[1:-2])
    lines = out.split(b"\n")
    return lines[0].startswith(b'{"type":"begin"') and \
        lines[-2:] == [b'{"type":"end","records":%d}' % (len(lines) - 3), b""] \
        and all(x in have for x in lines[1:-2])


def whole(path):
    """What lies under that name."""
    if not directory:
        with open(path, "rb") as f:
            return f.read()
    got = b""
    for name in sorted(os.listdir(path)):
        with open(os.path.join(path, name), "rb") as f:
            got += f.read()
    return got


n = hits = 0
step = 1.0
while True:
    # with TEST_LONG every one of the first 200, and then ever fewer
    n = n + max(1, n // 200 * 20) if os.environ.get("TEST_LONG") else max(n + 1, int(step))
    step *= 1.5
    for f in ("hit", path):
        if f and os.path.exists(f):
            shutil.rmtree(f) if f == directory else os.unlink(f)
    run = subprocess.run(command, env=dict(env, FAULTIO_N=str(n)),
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, timeout=60)
    out = run.stdout
    if path and os.path.exists(path):
        out = whole(path)
    elif path:
        out = b""
    lines = run.stderr.decode().split("\n")
    errors = [x for x in lines if x and ": warning: " not in x]
    if run.returncode == 0:
        if out != good and not ("-w" in flags and less(out) and
                                b": warning: " in run.stderr):
            bad(n, "status 0, but not what it should be", run)
        if errors:
            bad(n, "status 0 and a message", run)
    else:
        if run.returncode not in (3, 4, 5):
            bad(n, "this status", run)
        if len(errors) != 1 and op != "write" or \
                any(not x.startswith(name + ": ") for x in errors):
            bad(n, "not one message", run)
        if path and out and out != good:
            bad(n, "half a file", run)
        if not path and out == good and "-c" not in flags:
            bad(n, "a complete stream", run)
        if "-p" in flags and not good.startswith(out):
            bad(n, "not the beginning of it", run)
    if directory and set(os.listdir(os.path.dirname(path))) - {os.path.basename(path)}:
        bad(n, "left beside it: %s" % os.listdir(os.path.dirname(path)), run)
    if os.environ.get("TMPDIR") and os.listdir(os.environ["TMPDIR"]):
        bad(n, "left behind: %s" % os.listdir(os.environ["TMPDIR"]), run)
    hits += os.path.exists("hit")
    if not os.path.exists("hit"):
        if run.returncode != 0:
            bad(n, "nothing failed, but", run)
        break
if not hits:
    print("%s: no call was ever found" % op)
    sys.exit(1)
