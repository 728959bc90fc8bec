# SPDX-License-Identifier: Apache-2.0
"""End an install at every system call that changes something, and look what is there.

install_kill.py kill|fail DIR COLLECTION_ID [OPTION ...]   an install in a copy of DIR is killed at
                       (or gets EIO from) the n-th call of a kind, for n = 1, 2, ...; TEST_LONG=1:
                       every n, else some
install_kill.py full DIR COLLECTION_ID [OPTION ...]        on file systems with ever more room (root)

Whatever happened, SQLite opens what is there, and it is what was there before, to the byte, or the
new index is in place and nothing else is different. The next install makes it right and leaves
nothing behind, but perhaps the old index, whole, or its directory, empty.
"""
import os
import re
import shutil
import subprocess
import sys

from install import FILES, everything, folded, index, same_vector, segment, stream, tables
from killing import LONG, Killed, below, copy, on_tmpfs, open_with_sqlite, run, tree

MARK = "chromautils.unfinished"


class Trial(Killed):
    def __init__(self, how, base, collection, *options):
        self.how, self.base, self.id, self.options = how, base, collection, options
        self.label = " ".join(options)
        self.old, self.files = segment(base, collection), tree(base)
        self.said = [r for r in stream("chroma-info", "-q", "--jsonl", base)
                     if r.get("id") == collection][0]
        self.newest = max(self.said["wal"]["newest_seq_id"] or 0, self.said["vector_seq_id"] or 0)
        self.vectors = folded(base, collection)
        self.make_stream(base, "stream")
        copy(base, "d")
        shutil.rmtree("kept", ignore_errors=True)
        done = run(self.install("d", "stream"))
        if done.returncode:
            self.bad("an install without faults", done)
        self.after = tree(os.path.join("d", segment("d", collection)))
        if self.judge("without faults", done) != "after":
            self.bad("an install without faults did nothing", done)
        self.seen = {"before": 0, "after": 0}

    def make_stream(self, db, to):
        with open(to, "wb") as f:
            for c in (["chroma-hnswdump", "--graph", "-b"], ["chroma-walexport", "-qb"]):
                subprocess.run([*c, "-c", self.id, db], stdout=f, check=True)

    def install(self, db, name, *options):
        return ["chroma-hnswbuild", "-q", "--threads=1", "--install=" + db, "-c", self.id,
                *(options or self.options), name]

    def argv(self):
        return self.install("d", "stream")

    def begin(self):
        super().begin()
        shutil.rmtree("kept", ignore_errors=True)

    def judge(self, what, done=None):
        """Look at d. Returns what it is."""
        copy("d", "look")   # SQLite may repair what it opens
        open_with_sqlite("look")
        now, new = tree("look"), segment("look", self.id)
        # the indexes of others are never touched, whatever happens
        ours = (self.old, new, "chroma.sqlite3")
        for name, h in self.files.items():
            if name.split("/")[0] not in ours and now.get(name, 0) != h:
                self.bad("%s: %s was touched" % (what, name), done)
        if run(["chroma-info", "-q", "--jsonl", "look"]).returncode:
            self.bad("%s: chroma-info afterwards" % what, done)
        if new == self.old:
            if everything("look") != everything(self.base):
                self.bad("%s: the old index, but other tables" % what, done)
            if below(now, self.old) != below(self.files, self.old):
                self.bad("%s: the old index is not what it was" % what, done)
            if os.path.exists("kept"):
                self.bad("%s: a backup, and no change" % what, done)
            return "before"
        try:
            tables(self.base, "look", self.old, new, self.newest)
            if sorted(set(os.listdir("look/" + new)) - {MARK}) != FILES:
                self.bad("%s: the new index has %s" % (what, os.listdir("look/" + new)), done)
            got = index("look", self.id)
            if got.keys() != self.vectors.keys() or not all(
                    same_vector(self.vectors[i], got[i], self.said["space"]) for i in got):
                self.bad("%s: other vectors" % what, done)
        except (AssertionError, RuntimeError) as e:
            self.bad("%s: %r" % (what, e), done)
        if "--no-backup" not in self.options:
            kept = tree("kept") if os.path.exists("kept") else below(now, self.old)
            if kept != below(self.files, self.old):
                self.bad("%s: the old index is nowhere, or not whole" % what, done)
        return "after"

    def left(self):
        """Names in d that no install should leave, and that one ended by itself should not."""
        new = segment("d", self.id)
        return [n for n in os.listdir("d") if n not in (new, self.old, "chroma.sqlite3") and
                n not in self.files] + \
               [n for n in tree("d") if n.endswith(MARK)]

    def finish(self, what):
        """What was interrupted can be taken up again."""
        self.judge(what + ", then")
        open_with_sqlite("d")
        self.make_stream("d", "again")
        was = segment("d", self.id)
        done = run(self.install("d", "again", "--no-backup"))
        if done.returncode:
            self.bad("%s: the next install" % what, done)
        new, files = segment("d", self.id), tree("d")
        if new == was or self.left():
            self.bad("%s: left behind after the next install: %s" % (what, self.left()), done)
        if os.path.exists("d/" + was):
            self.bad("%s: the next install left its own" % what, done)
        # (its directory may be, when it was the only thing left to remove)
        if os.path.exists("d/" + self.old) and below(files, self.old) and \
                below(files, self.old) != below(self.files, self.old):
            self.bad("%s: half of the old index is left: %s" % (
                what, sorted(below(files, self.old))), done)
        got = index("d", self.id)
        if got.keys() != self.vectors.keys():
            self.bad("%s: after the next install: other vectors" % what, done)
        tables(self.base, "d", self.old, new, self.newest)

    def judged(self, what, call, done):
        state = self.judge(what, done)
        self.seen[state] += 1
        if self.how == "fail":
            self.ended(what, state, done, not call.startswith("unlink"))
        self.finish(what)

    def ended(self, what, state, done, clean):
        """It ended by itself: with the truth."""
        text = done.stderr.decode()
        if done.returncode not in (0, 3, 4, 5):
            self.bad("%s: this status" % what, done)
        if done.returncode == 0 and state == "before":
            self.bad("%s: status 0, and nothing is done" % what, done)
        if done.returncode and not text.startswith("chroma-hnswbuild: "):
            self.bad("%s: no message" % what, done)
        unknown = "cannot be told" in text
        if done.returncode and state == "after" and not unknown and \
                "new index is in place" not in text:
            self.bad("%s: the new index is in place, and nobody says so" % what, done)
        if clean and not unknown and self.left():
            self.bad("%s: left behind: %s" % (what, self.left()), done)

    def calls(self):
        super().calls()
        print("# %s, %s: %d times the old index, %d times the new one" % (
            self.how, self.label, self.seen["before"], self.seen["after"]))
        if not self.seen["before"] or not self.seen["after"]:
            self.bad("that is not all")

    def full(self):
        """d on a tmpfs that has room for this many pages more."""
        used = sum(-(-os.path.getsize(os.path.join(self.base, n)) // 4096)
                   for n, h in self.files.items() if h)
        statuses = []
        for more in range(0, 45, 1 if LONG else 3):
            done = on_tmpfs(self.base, "%dk" % (4 * (used + more)),
                            self.install("mnt/d", "stream"))
            what = "room for %d pages" % more
            state = self.judge(what, done)
            self.ended(what, state, done, True)
            if (done.returncode == 0) != (state == "after"):
                self.bad("%s: %s" % (what, state), done)
            if done.returncode and not re.search(b"full|space", done.stderr):
                self.bad("%s: no word of it" % what, done)
            statuses.append(done.returncode)
            self.finish(what)
        print("# full, %s: %s" % (self.label, " ".join(map(str, statuses))))
        if statuses[-1] != 0 or statuses[0] != 4:
            self.bad("the sizes are not well chosen")


def main():
    trial = Trial(*sys.argv[1:])
    if trial.how == "full":
        trial.full()
    else:
        trial.calls()


if __name__ == "__main__":
    main()
