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
import subprocess
import sys

from killing import LONG, Killed, copy, names, on_tmpfs, open_with_sqlite, run
from walprune import content, log


class Trial(Killed):
    def __init__(self, how, reclaim, base):
        self.how, self.reclaim, self.base = how, reclaim, base
        self.label = reclaim
        self.before, self.rest, self.names = log(base), content(base, False), names(base)
        with open("stream", "wb") as f:
            f.write(subprocess.run(["chroma-walexport", "-q", "--prunable", base],
                                   stdout=subprocess.PIPE, check=True).stdout)
        copy(base, "d")
        done = run(self.argv())
        self.after = log("d")
        if done.returncode or len(self.after) >= len(self.before):
            self.bad("a prune without faults", done)
        self.seen = {"before": 0, "after": 0}

    def argv(self, db="d"):
        return ["chroma-walprune", "--reclaim=" + self.reclaim, db, "stream"]

    def judge(self, what, done=None):
        """Look at d. Returns what its log is."""
        copy("d", "look")   # SQLite may repair what it opens
        open_with_sqlite("look")
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

    def judged(self, what, call, done):
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
        super().calls()
        print("# %s, %s: %d times the old log, %d times the new one" % (
            self.how, self.reclaim, self.seen["before"], self.seen["after"]))

    def full(self):
        """d on a tmpfs that has room for this many pages more."""
        base = names(self.base)
        used = sum(-(-os.path.getsize(os.path.join(self.base, n)) // 4096) for n in base) + len(base)
        statuses = []
        for more in range(0, 420, 1 if LONG else 30):
            done = on_tmpfs(self.base, "%dk" % (4 * (used + more)), self.argv("mnt/d"))
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
