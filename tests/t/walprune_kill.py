# SPDX-License-Identifier: Apache-2.0
"""End a prune at every system call that changes something, and look what is there.

walprune_kill.py kill|fail RECLAIM DIR  a prune of a copy of DIR is killed at (or gets EIO from) the
                       n-th call of a kind, for n = 1, 2, ...; TEST_LONG=1: every n, else some
walprune_kill.py full RECLAIM DIR       on file systems with ever more room (root)

Whatever happened, SQLite opens what is there, nothing but the log is different, and of the log all
rows are there or exactly those that should be; then chroma-prune -y makes it right and leaves no file
of ours behind.
"""
import os
import re
import shutil
import subprocess
import sys

from walprune import content, log

CALLS = ("write", "pwrite64", "writev", "pwritev", "fsync", "fdatasync", "sync_file_range",
         "msync", "ftruncate", "fallocate", "rename", "renameat", "renameat2", "link", "linkat",
         "unlink", "unlinkat", "fchmod", "fchown", "fsetxattr", "fremovexattr", "copy_file_range",
         "mkdir", "flock")
LONG = bool(os.environ.get("TEST_LONG"))


def names(db):
    return sorted(os.path.join(os.path.relpath(d, db), n)
                  for d, ds, fs in os.walk(db) for n in ds + fs)


def copy(a, b):
    shutil.rmtree(b, ignore_errors=True)
    subprocess.run(["cp", "-a", a, b], check=True)


def run(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120)


class Trial:
    def __init__(self, how, reclaim, base):
        self.how, self.reclaim, self.base = how, reclaim, base
        self.before, self.rest, self.names = log(base), content(base, False), names(base)
        with open("stream", "wb") as f:
            f.write(subprocess.run(["chroma-walexport", "-q", "--prunable", base],
                                   stdout=subprocess.PIPE, check=True).stdout)
        copy(base, "d")
        done = run(["chroma-walprune", "--reclaim=" + reclaim, "d", "stream"])
        self.after = log("d")
        if done.returncode or len(self.after) >= len(self.before):
            self.bad("a prune without faults", done)
        self.seen = {"before": 0, "after": 0}

    def bad(self, what, done=None):
        print("%s, %s, %s" % (self.how, self.reclaim, what))
        if done is not None:
            print("status %d: %s%s" % (done.returncode, done.stdout.decode(), done.stderr.decode()))
        sys.exit(1)

    def command(self, *strace):
        # (with --seccomp-bpf, which is faster, strace 6.1 injects no signals)
        fast = [] if self.how == "kill" else ["--seccomp-bpf"]
        return ["strace", "-f", *fast, "-o", "trace", *strace,
                "chroma-walprune", "--reclaim=" + self.reclaim, "d", "stream"]

    def counts(self):
        """How often each call is made."""
        copy(self.base, "d")
        done = run(self.command("-e", "trace=" + ",".join("?" + c for c in CALLS)))
        if done.returncode:
            self.bad("under strace", done)
        n = {}
        with open("trace", encoding="utf-8", errors="replace") as f:
            for line in f:
                m = re.match(r"\d+ +(\w+)\(", line)
                if m:
                    n[m[1]] = n.get(m[1], 0) + 1
        return n

    def judge(self, what, done=None):
        """Look at d. Returns what its log is."""
        copy("d", "look")   # SQLite may repair what it opens
        subprocess.run(["sqlite3", "look/chroma.sqlite3", "SELECT count(*) FROM embeddings_queue"],
                       check=True, stdout=subprocess.DEVNULL)
        now = log("look")
        state = "before" if now == self.before else "after" if now == self.after else None
        if state is None:
            self.bad("%s: %d rows of the log are there, wanted %d or %d" % (
                what, len(now), len(self.before), len(self.after)), done)
        rest = content("look", False)
        if rest != self.rest:
            self.bad("%s: not as before: %s" % (what, [
                (k, self.rest.get(k), rest.get(k)) for k in set(rest) | set(self.rest)
                if rest.get(k) != self.rest.get(k)]), done)
        self.seen[state] += 1
        return state

    def finish(self, what):
        """What was interrupted can be taken up again."""
        done = run(["chroma-prune", "-y", "d"])
        if done.returncode:
            self.bad("%s: chroma-prune -y afterwards" % what, done)
        if log("d") != self.after or content("d", False) != self.rest:
            self.bad("%s: chroma-prune -y did not make it right" % what, done)
        self.clean(what, done, journal="over")

    def clean(self, what, done, journal=None):
        """A run that ended by itself leaves nothing behind, whatever its status; but perhaps a
        journal, where SQLite could not do away with it: one that is over or any."""
        left = set(names("d")) ^ set(self.names)
        if left == {"./chroma.sqlite3-journal"} and journal:
            with open("d/chroma.sqlite3-journal", "rb") as f:
                if journal == "any" or not any(f.read(28)):
                    return  # zeros: SQLite's other way to say that it is over
        if left:
            self.bad("%s: left behind: %s" % (what, sorted(left)), done)

    def one(self, call, n):
        copy(self.base, "d")
        what = "%s %d" % (call, n)
        inject = "signal=KILL" if self.how == "kill" else "error=EIO"
        done = run(self.command("-e", "trace=" + call,
                                "-e", "inject=%s:%s:when=%d" % (call, inject, n)))
        with open("trace", encoding="utf-8", errors="replace") as f:
            hit = ("killed by SIGKILL" if self.how == "kill" else "(INJECTED)") in f.read()
        if not hit:
            self.bad("%s: was not met" % what, done)
        state = self.judge(what, done)
        if self.how == "fail":
            if done.returncode not in (0, 3, 4, 5):
                self.bad("%s: this status" % what, done)
            if done.returncode == 0 and state == "before":
                self.bad("%s: status 0, and nothing is done" % what, done)
            if done.returncode and state == "after" and b"rows are gone" not in done.stderr:
                self.bad("%s: rows are gone, and nobody says so" % what, done)
            if done.returncode and not done.stderr.startswith(b"chroma-walprune: "):
                self.bad("%s: no message" % what, done)
            if not call.startswith("unlink"):
                self.clean(what, done, journal="any")
        self.finish(what)

    def calls(self):
        for call, count in sorted(self.counts().items()):
            chosen = set(range(1, count + 1))
            if not LONG and count > 4:
                chosen = {1, 2, count - 1, count} | {3 * 2**k for k in range(12)} & chosen
            for n in sorted(chosen):
                self.one(call, n)
        print("# %s, %s: %d times the old log, %d times the new one" % (
            self.how, self.reclaim, self.seen["before"], self.seen["after"]))

    def full(self):
        """d on a tmpfs that has room for this many pages more."""
        base = names(self.base)
        used = sum(-(-os.path.getsize(os.path.join(self.base, n)) // 4096) for n in base) + len(base)
        os.makedirs("mnt", exist_ok=True)
        home = os.getcwd()
        statuses = []
        for more in range(0, 420, 1 if LONG else 30):
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dk" % (4 * (used + more)),
                            "tmpfs", "mnt"], check=True)
            copy(self.base, "mnt/d")
            done = run(["chroma-walprune", "--reclaim=" + self.reclaim, "mnt/d", "stream"])
            copy("mnt/d", "d")
            subprocess.run(["umount", "mnt"], check=True, cwd=home)
            what = "room for %d pages" % more
            state = self.judge(what, done)
            if done.returncode not in (0, 4) or (done.returncode == 0) != (state == "after"):
                self.bad("%s: %s" % (what, state), done)
            if done.returncode == 4 and not re.search(
                    b"needs [0-9]+ bytes in .*, which has [0-9]+;|full|space", done.stderr):
                self.bad("%s: no word of it" % what, done)
            self.clean(what, done)
            statuses.append(done.returncode)
            self.finish(what)
        print("# full, %s: %s" % (self.reclaim, " ".join(map(str, statuses))))
        if statuses[-1] != 0 or (self.reclaim != "none" and statuses[0] != 4):
            self.bad("the sizes are not well chosen")


def main():
    trial = Trial(*sys.argv[1:])
    if trial.how == "full":
        trial.full()
    else:
        trial.calls()


if __name__ == "__main__":
    main()
