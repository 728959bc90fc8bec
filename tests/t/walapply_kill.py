# SPDX-License-Identifier: Apache-2.0
"""End an apply at every system call that changes something, and look what is there.

walapply_kill.py kill|fail DIR  chroma-walapply on a copy of DIR is killed at (or gets EIO from) the n-th
                       call of a kind, for n = 1, 2, ...; TEST_LONG=1: every n, else some
walapply_kill.py full DIR       on file systems with ever more room (root)

Two collections of DIR have pending rows. Whatever happened, none, one or both of them are applied,
each as a whole; then another run does the rest and leaves no file of ours behind.
"""
import os
import sqlite3
import sys

from killing import LONG, Killed, copy, names, on_tmpfs, run


def content(db):
    """All that an apply may change, and the log, without the time at which records were made."""
    con = sqlite3.connect(os.path.join(db, "chroma.sqlite3"))
    if con.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
        raise SystemExit("%s is damaged" % db)
    with con:
        con.execute("INSERT INTO embedding_fulltext_search (embedding_fulltext_search)"
                    " VALUES ('integrity-check')")
    said = [con.execute("SELECT * FROM %s ORDER BY 1, 2" % t).fetchall() for t in (
        "(SELECT id, segment_id, embedding_id, seq_id FROM embeddings)", "embedding_metadata",
        "(SELECT rowid, string_value FROM embedding_fulltext_search)",
        "(SELECT id, key, int_value, rowid FROM embedding_metadata_array)", "max_seq_id",
        "collections", "embeddings_queue")]
    con.close()
    return said


class Trial(Killed):
    def __init__(self, how, base):
        self.how, self.base, self.names = how, base, names(base)
        self.states = [content(base)]
        for options in (["--skip=ip-vectors"], []):
            copy(base, "d")
            done = run(["chroma-walapply", *options, "d"])
            self.states.append(content("d"))
            if done.returncode or self.states[-1] in self.states[:-1]:
                self.bad("without faults", done)
        self.seen = [0, 0, 0]

    def argv(self):
        return ["chroma-walapply", "d"]

    def judged(self, what, call, done):
        copy("d", "look")   # SQLite repairs what it opens
        now = content("look")
        if now not in self.states:
            self.bad("%s: half of something" % what, done)
        state = self.states.index(now)
        self.seen[state] += 1
        if done.returncode == 0 and state != 2:
            self.bad("%s: status 0, and not all is done" % what, done)
        if done.returncode > 0 and not done.stderr.startswith(b"chroma-walapply: "):
            self.bad("%s: no message" % what, done)
        if state == 2 and b": the rows are applied, but not all of" in done.stderr:
            return
        said = b"1 of the collections were applied before: " in done.stderr
        certain = b" is applied is not certain: " not in done.stderr
        if done.returncode not in (0, 3, 4, 5, -9, 137) or \
                (done.returncode > 0 and state != said and (certain or state != said + 1)):
            self.bad("%s: state %d" % (what, state), done)
        done = run(["chroma-walapply", "d"])
        if done.returncode or content("d") != self.states[2]:
            self.bad("%s: another run does not do the rest" % what, done)
        if set(names("d")) - set(self.names) - {"./chroma.sqlite3-journal"}:
            self.bad("%s: left behind: %s" % (what, names("d")), done)

    def some(self, count):
        return set(range(1, count, count // 8)) | {2, count - 1, count} if count > 12 else \
            set(range(1, count + 1))

    def full(self):
        for more in range(0, 120, 1 if LONG else 4):
            done = on_tmpfs(self.base, "16m", ["chroma-walapply", "mnt/d"], more)
            if done.returncode not in (0, 4):
                self.bad("room for %d pages" % more, done)
            self.judged("room for %d pages" % more, None, done)


def main():
    trial = Trial(*sys.argv[1:])
    if trial.how == "full":
        trial.full()
    else:
        trial.calls()
    print("# %s: %d times none, %d times one, %d times both" % (trial.how, *trial.seen))
    if not trial.seen[0] or not trial.seen[2]:
        trial.bad("not well chosen")


if __name__ == "__main__":
    main()
