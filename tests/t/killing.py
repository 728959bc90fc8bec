# SPDX-License-Identifier: Apache-2.0
"""What the tests of runs that are killed, or whose system calls fail, have in common (module)."""
import hashlib
import os
import re
import shutil
import subprocess
import sys

# the calls that change something
CALLS = ("write", "pwrite64", "writev", "pwritev", "fsync", "fdatasync", "sync_file_range",
         "msync", "ftruncate", "fallocate", "rename", "renameat", "renameat2", "link", "linkat",
         "unlink", "unlinkat", "fchmod", "fchown", "fsetxattr", "fremovexattr", "copy_file_range",
         "mkdir", "mkdirat", "flock")
LONG = bool(os.environ.get("TEST_LONG"))


def copy(a, b):
    shutil.rmtree(b, ignore_errors=True)
    subprocess.run(["cp", "-a", a, b], check=True)


def run(command, **more):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120, **more)


def names(db):
    return sorted(os.path.join(os.path.relpath(d, db), n)
                  for d, ds, fs in os.walk(db) for n in ds + fs)


def tree(path):
    """{name: hash}; directories, too."""
    got = {}
    for d, ds, fs in os.walk(path):
        for n in ds:
            got[os.path.relpath(os.path.join(d, n), path)] = None
        for n in fs:
            with open(os.path.join(d, n), "rb") as f:
                got[os.path.relpath(os.path.join(d, n), path)] = hashlib.sha256(f.read()).digest()
    return got


def below(files, name):
    return {k[len(name) + 1:]: v for k, v in files.items() if k.startswith(name + "/")}


def open_with_sqlite(db):
    """So that SQLite repairs what it opens."""
    subprocess.run(["sqlite3", db + "/chroma.sqlite3", "SELECT count(*) FROM segments"],
                   check=True, stdout=subprocess.DEVNULL)


def on_tmpfs(base, size, command, fill=None):
    """Run command, which is about mnt/d, a copy of base on a tmpfs of that size; with fill, that
    many pages are left. What became of it is d afterwards."""
    os.makedirs("mnt", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", "mnt"], check=True)
    copy(base, "mnt/d")
    if fill is not None:
        with open("mnt/fill", "wb") as f:
            f.write(bytes(4096 * (os.statvfs("mnt").f_bavail - fill)))
    done = run(command)
    copy("mnt/d", "d")
    subprocess.run(["umount", "mnt"], check=True)
    return done


class Killed:
    """A command on d, a copy of base, that is killed (how: kill) or gets EIO (fail) at the n-th
    call of a kind. Who is one says: label, argv(), judged()."""

    how = base = label = None

    def argv(self):
        raise NotImplementedError

    def judged(self, what, call, done):
        """Look at d."""
        raise NotImplementedError

    def bad(self, what, done=None):
        print("%s, %s%s" % (self.how, self.label + ", " if self.label else "", what))
        if done is not None:
            print("status %d: %s%s" % (done.returncode, done.stdout.decode(), done.stderr.decode()))
        sys.exit(1)

    def begin(self):
        copy(self.base, "d")

    def traced(self, *strace):
        # (with --seccomp-bpf, which is faster, strace 6.1 injects no signals)
        fast = [] if self.how == "kill" else ["--seccomp-bpf"]
        return run(["strace", "-f", *fast, "-o", "trace", *strace, *self.argv()])

    def counts(self):
        """How often each call is made."""
        self.begin()
        done = self.traced("-e", "trace=" + ",".join("?" + c for c in CALLS))
        if done.returncode:
            self.bad("under strace", done)
        n = {}
        with open("trace", encoding="utf-8", errors="replace") as f:
            for m in filter(None, (re.match(r"\d+ +(\w+)\(", line) for line in f)):
                n[m[1]] = n.get(m[1], 0) + 1
        return n

    def one(self, call, n):
        self.begin()
        what = "%s %d" % (call, n)
        inject = "signal=KILL" if self.how == "kill" else "error=EIO"
        done = self.traced("-e", "trace=" + call, "-e", "inject=%s:%s:when=%d" % (call, inject, n))
        with open("trace", encoding="utf-8", errors="replace") as f:
            hit = ("killed by SIGKILL" if self.how == "kill" else "(INJECTED)") in f.read()
        if not hit:
            self.bad("%s: was not met" % what, done)
        self.judged(what, call, done)

    def some(self, count):
        """Which of so many calls, where not all are tried."""
        every = set(range(1, count + 1))
        if count <= 4:
            return every
        return {1, 2, count - 1, count} | {3 * 2**k for k in range(12)} & every

    def calls(self):
        for call, count in sorted(self.counts().items()):
            for n in sorted(range(1, count + 1) if LONG else self.some(count)):
                self.one(call, n)
