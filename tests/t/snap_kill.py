# SPDX-License-Identifier: Apache-2.0
"""End chroma-snap at every system call that changes something, and look what is there.

snap_kill.py CASE HOW   CASE: see the class of each below.  HOW: kill, EIO, ENOSPC, lasting (from the
                        n-th such call on, all fail), alloc (the n-th allocation fails), full (file
                        systems with ever more room; root).  n = 1, 2, ...; without TEST_EVERY=1 some.

In the working directory: old/db and new/db, persist dirs of two eras.  What is worked on is below
w, temporary files go to tmp.  Whatever happened, the target is what it was, or what a run without
faults makes of it; the next run does its work and leaves nothing of the dead one behind.
"""
import errno
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys

from killing import copy, run, tree

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
MARK = "chromautils.unfinished"
EVERY = bool(os.environ.get("TEST_EVERY"))
FAULTIO = os.path.join(os.environ["BUILD_DIR"], "tests/tools/faultio.so")
DATABASE = "chroma.sqlite3"


# ---- what a persist dir says ----

def query(con, sql):
    return con.execute(sql).fetchall()


def known_ids(con):
    """{id: what it is}, of all that a graft may give a new id."""
    ids = {}
    for i, name, tenant in query(con, "SELECT id, name, tenant_id FROM databases"):
        ids[i] = "database %s/%s" % (tenant, name)
    for i, name, database in query(con, "SELECT id, name, database_id FROM collections"):
        ids[i] = "collection %s in %s" % (name, ids[database])
    for i, scope, collection in query(con, "SELECT id, scope, collection FROM segments"):
        ids[i] = "%s of %s" % (scope, ids[collection])
    return ids


def named(text, ids):
    """text with what the ids are in their places."""
    return re.sub(UUID, lambda m: "<%s>" % ids.get(m[0], m[0]), text)


class State:
    """What is in a persist dir, which is opened with SQLite.  rows and indexes without the ids that
    a graft chooses, so that those of two runs are equal; rest: whatever else lies there."""

    def __init__(self, db):
        con = sqlite3.connect(os.path.join(db, DATABASE))
        if query(con, "PRAGMA integrity_check") != [("ok",)]:
            raise AssertionError("%s is damaged" % db)
        with con:
            con.execute("INSERT INTO embedding_fulltext_search (embedding_fulltext_search)"
                        " VALUES ('integrity-check')")
        self.ids = known_ids(con)
        self.rows = {}
        for table, sql in query(con, "SELECT name, sql FROM sqlite_master WHERE type = 'table'"):
            if not table.startswith("sqlite_") and "VIRTUAL TABLE" not in sql and \
                    not table.startswith("embedding_fulltext_search_"):
                self.rows[table] = sorted(named(repr(row), self.ids) for row in query(
                    con, "SELECT * FROM " + table))
        self.rows["text"] = query(con, "SELECT rowid, string_value FROM embedding_fulltext_search")
        vectors = [i for i, in query(con, "SELECT id FROM segments WHERE scope = 'VECTOR'")]
        con.close()
        files = tree(db)
        self.indexes, self.rest = {}, {}
        for name, h in files.items():
            top, _, file = name.partition("/")
            if top in vectors and file not in ("", MARK):
                self.indexes["%s/%s" % (self.ids[top], file)] = h
            elif top != DATABASE and (top not in vectors or file == MARK):
                self.rest[name] = h

    def __eq__(self, other):
        return self.rows == other.rows and self.indexes == other.indexes

    def differs(self, other):
        """In words."""
        return ["%s: %s" % (k, sorted(set(v) ^ set(other.rows.get(k, [])))[:4])
                for k, v in self.rows.items() if v != other.rows.get(k)] + \
               ["%s" % k for k in set(self.indexes) | set(other.indexes)
                if self.indexes.get(k) != other.indexes.get(k)]


def said(db, ids):
    """What our tools say of it, before SQLite has repaired anything: collections and log."""
    got = []
    # (they read a copy where there is a journal)
    for command in (["chroma-info", "-q", "--jsonl"], ["chroma-walexport", "-q"]):
        done = run([*command, "--tmpdir=.", db])
        if done.returncode:
            raise AssertionError("%s: %s" % (command[0], done.stderr.decode()))
        got += [named(line, ids) for line in done.stdout.decode().split("\n")
                if line.startswith('{"type":"collection"') or not line.startswith('{"type":"')]
    return sorted(re.sub('"bytes_allocated":[0-9]+', "", line) for line in got)


# ---- the cases ----

class Case:
    """options: of the command; before() makes base, the w to begin with, and what else is needed;
    note(): w is as it was, or (after) as it is to be; state(): which of both w is; left(): what
    there lies about; next(): does what the next run does."""

    options = ()
    place = "w"         # is on the file system without room

    def __init__(self, how):
        self.how = how
        self.seen = {"before": 0, "after": 0}
        shutil.rmtree("base", ignore_errors=True)
        os.makedirs("base")
        os.makedirs("tmp", exist_ok=True)
        self.before()
        self.begin()
        self.note(False)
        done = run(self.argv())
        if done.returncode:
            self.bad("without faults", done)
        self.note(True)
        self.state("without faults", done)

    def bad(self, what, done=None):
        print("%s, %s: %s" % (type(self).__name__, self.how, what))
        if done is not None:
            print("status %d: %s%s" % (done.returncode, done.stdout.decode(), done.stderr.decode()))
        sys.exit(1)

    def begin(self):
        shutil.rmtree("w", ignore_errors=True)
        shutil.copytree("base", "w", symlinks=True)
        shutil.rmtree("tmp", ignore_errors=True)
        os.mkdir("tmp")

    def snap(self, *args):
        done = run(["chroma-snap", *args])
        if done.returncode:
            self.bad("chroma-snap " + " ".join(args), done)
        return done.stdout

    def carve_renamed(self, source, prefix, to, *options):
        """A snapshot of source, where the names begin with prefix."""
        copy(source, "renamed")
        con = sqlite3.connect("renamed/" + DATABASE)
        with con:
            con.execute("UPDATE collections SET name = ? || name", (prefix,))
        con.close()
        self.snap("carve", "-q", "--force", "-f", to, *options, "renamed")

    def left(self):
        """Names in w and tmp that are not of what is there, but of a run that has not ended."""
        # (SQLite takes away the name of a temporary file right after it is made)
        return ["tmp/" + n for n in os.listdir("tmp") if not n.startswith("etilqs_")]

    # one run

    def env(self, op, code, n):
        env = dict(os.environ, LD_PRELOAD=FAULTIO, FAULTIO_OP=op, FAULTIO_N=str(n),
                   FAULTIO_ERRNO=str(code), FAULTIO_LOG="hit", FAULTIO_LIST="list")
        if self.how in ("kill", "lasting"):
            env["FAULTIO_END"] = self.how
        return env

    def faulty(self, n):
        """The run whose n-th call fails; and its name, None: there were not so many."""
        for name in ("hit", "list"):
            if os.path.exists(name):
                os.unlink(name)
        self.begin()
        op = "alloc" if self.how == "alloc" else "change"
        done = run(self.argv(), env=self.env(op, getattr(errno, self.how, errno.EIO), n))
        if not os.path.exists("hit"):
            return done, None
        if op == "alloc":
            return done, op
        with open("list", encoding="ascii") as f:
            return done, f.read().split()[n - 1]

    def one(self, n):
        done, call = self.faulty(n)
        what = "%s, the %d-th change" % (call, n)
        if (done.returncode == -9) != (self.how == "kill" and call is not None):
            self.bad(what + ": this end", done)
        self.judge(what, done, self.how == "alloc" or self.how in ("EIO", "ENOSPC") and
                   call not in ("unlink", "rmdir"))
        return call

    def judge(self, what, done, clean):
        try:
            state = self.state(what, done)
        except (AssertionError, sqlite3.Error, KeyError) as e:
            self.bad("%s: %r" % (what, e), done)
        self.seen[state] += 1
        text = done.stderr.decode()
        if done.returncode >= 0:
            if done.returncode not in (0, 3, 4, 5) or (done.returncode == 0 and state == "before"):
                self.bad("%s: this status, and it is as %s" % (what, state), done)
            if done.returncode and not text.startswith("chroma-snap: "):
                self.bad(what + ": no message", done)
            if done.returncode and state == "after" and not re.search(self.owns_up, text):
                self.bad(what + ": it is done, and nobody says so", done)
            if clean and self.left() and "cannot be told" not in text:
                self.bad("%s: left behind: %s" % (what, self.left()), done)
        self.next(what, state)

    owns_up = ": the collections are in place|whether the collections .* cannot be told"

    # all runs

    def calls(self):
        """The names of the calls of a run."""
        done, call = self.faulty(10**6)
        if done.returncode or call:
            self.bad("with the tool", done)
        with open("list", encoding="ascii") as f:
            return f.read().split()

    def choose(self, calls):
        """All; or of each kind one in the middle, and those where it is about what counts: where a
        database is brought to the disk, the last names, the last call."""
        if EVERY:
            return range(1, len(calls) + 1)
        chosen = set()
        for name in set(calls):
            where = [n for n, c in enumerate(calls, 1) if c == name]
            # (the same one in every run of the tests)
            chosen.add(where[len(calls) * 7 % len(where)])
            if self.how in ("kill", "EIO"):
                chosen |= {len(calls)} | set(where if name == "fdatasync" else where[-1:] if
                                             name in ("fsync", "rename") else [])
        return sorted(chosen)

    def changes(self):
        for n in self.choose(self.calls()):
            # (pages of a database may be written in another order)
            if self.one(n) is None and n <= 10:
                self.bad("change %d was not met" % n)

    def allocations(self):
        n, step = 1, 1.0
        while self.one(n):
            n += max(1, n // 60) if EVERY else max(1, int(n * .7))

    def full(self):
        statuses = []
        more = 0
        while statuses[-2:] != [0, 0]:
            self.begin()
            os.rename(self.place, "begin")
            os.mkdir(self.place)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", self.place],
                           check=True)
            subprocess.run(["cp", "-a", "begin/.", self.place], check=True)
            shutil.rmtree("begin")
            with open(self.place + "/fill", "wb") as f:
                f.write(bytes(4096 * (os.statvfs(self.place).f_bavail - more)))
            done = run(self.argv())
            os.unlink(self.place + "/fill")
            what = "room for %d pages" % more
            if done.returncode not in (0, 4) or \
                    (done.returncode and not re.search(b"full|space|needs [0-9]+ ", done.stderr)):
                self.bad(what, done)
            self.judge(what, done, True)
            subprocess.run(["umount", self.place], check=True)
            os.rmdir(self.place)
            statuses.append(done.returncode)
            more += 1 if EVERY else 1 + more // 2
        if statuses[0] == 0:
            self.bad("the sizes are not well chosen")

    def all(self):
        if self.how == "full":
            self.full()
        elif self.how == "alloc":
            self.allocations()
        else:
            self.changes()
        print("# %s, %s: %d times as before, %d times done" % (
            type(self).__name__, self.how, self.seen["before"], self.seen["after"]))
        if not self.seen["before"] or (not self.seen["after"] and self.how != "lasting"):
            self.bad("that is not all")


class Graft(Case):
    """Into a directory that is there."""

    target = "new/db"
    given = "w/given.tar"

    def before(self):
        copy(self.target, "base/d")
        self.carve_renamed("old/db", "old-", "base/given.tar")
        self.carve_renamed("old/db", "next-", "next.tar", "-c", "next-ip-vectors")
        self.refs, self.nexts, self.was = {}, {}, tree("base/d")

    def argv(self):
        return ["chroma-snap", "graft", *self.options, "w/d", self.given]

    def graft_next(self):
        return ["chroma-snap", "graft", "-q", "w/d", "next.tar"]

    def note(self, after):
        """w/d is what it was, or what it is to be."""
        state = "after" if after else "before"
        now = State("w/d")
        self.refs[state] = now, said("w/d", now.ids)
        copy("w/d", "kept")
        done = run(self.graft_next())
        if done.returncode:
            self.bad("the next one", done)
        self.nexts[state] = State("w/d")
        shutil.rmtree("w/d")
        os.rename("kept", "w/d")
        if after and now == self.refs["before"][0]:
            self.bad("it does nothing")

    def state(self, what, done):
        copy("w/d", "look")     # SQLite repairs what it opens
        now = State("look")
        state = "before" if now == self.refs["before"][0] else "after"
        ref, words = self.refs[state]
        if not now == ref:
            self.bad("%s: neither old nor new; to the old one: %s; to the new one: %s" % (
                what, now.differs(self.refs["before"][0]), now.differs(ref)), done)
        if said("w/d", now.ids) != words:
            self.bad("%s: our tools say something else of it" % what, done)
        files = tree("w/d")
        for name, h in self.was.items():
            if name.split("/")[0] not in self.retired(state) and name != DATABASE and \
                    files.get(name, 0) != h:
                self.bad("%s: %s was touched" % (what, name), done)
        return state

    def retired(self, state):
        """Names of indexes that may be gone."""
        before, now = self.refs["before"][0], self.refs.get("after")
        if state == "before" or not now:
            return []
        return [i for i in before.ids if os.path.isdir("base/d/" + i) and i not in now[0].ids]

    def left(self):
        names = State("w/d").rest
        return super().left() + [n for n in names if n not in self.was and
                                 not re.match(DATABASE + "-(journal|wal|shm)$", n)]

    def next(self, what, state):
        done = run(self.graft_next())
        if done.returncode:
            self.bad("%s: the next graft" % what, done)
        now = State("w/d")
        if not now == self.nexts[state]:
            self.bad("%s: the next graft makes something else: %s" % (
                what, now.differs(self.nexts[state])), done)
        if self.left():
            self.bad("%s: left behind after the next graft: %s" % (what, self.left()), done)
        for old in self.retired(state):
            rest = {n: h for n, h in now.rest.items() if n.startswith(old + "/")}
            if rest and rest != {n: h for n, h in self.was.items() if n.startswith(old + "/")}:
                self.bad("%s: half of an old index is left: %s" % (what, sorted(rest)), done)


class GraftWal(Graft):
    """Into one whose database is in SQLite's WAL mode."""

    options = ("-c", "old-ip-vectors")

    def before(self):
        super().before()
        con = sqlite3.connect("base/d/" + DATABASE)
        con.execute("PRAGMA journal_mode=WAL")
        con.close()


class GraftAs(Graft):
    """Back to where it is from, under another name."""

    options = ("--as=another",)

    def before(self):
        super().before()
        os.unlink("base/given.tar")
        self.snap("carve", "-q", "-c", "ip-vectors", "-f", "base/given.tar", "new/db")


class GraftCreate(Graft):
    options = ("-c", "old-ip-vectors", "-c", "old-default", "--create", "--tenant=someone",
               "--database=new")


class Replace(Graft):
    options = ("--replace", "--no-backup", "--text")

    def before(self):
        super().before()
        os.unlink("base/given.tar")
        self.snap("carve", "-q", "-c", "ip-vectors", "-c", "all-deleted", "-f", "base/given.tar",
                  "old/db")


class ReplaceBackup(Replace):
    """The backup is there whenever the old ones are not."""

    options = ("--replace", "--backup=w/backup.tar")

    def note(self, after):
        super().note(after)
        if after:
            self.listed = self.listing()

    def listing(self):
        self.snap("verify", "-q", "w/backup.tar")
        return re.sub(b'"created_at":"[^"]*"', b"", self.snap("list", "-j", "w/backup.tar"))

    def state(self, what, done):
        state = super().state(what, done)
        if state == "after" and not os.path.exists("w/backup.tar"):
            self.bad("%s: no backup" % what, done)
        if os.path.exists("w/backup.tar") and self.listing() != self.listed:
            self.bad("%s: another backup" % what, done)
        return state


class Whole(Case):
    """To where no directory is."""

    empty = False
    owns_up = Case.owns_up + "|: fsync of its directory: "

    def before(self):
        if self.empty:
            os.mkdir("base/d")
        self.snap("carve", "-q", "-f", "base/given.tar", "new/db")
        self.ref = None

    def argv(self):
        return ["chroma-snap", "graft", *self.options, "w/d", "w/given.tar"]

    def note(self, after):
        if after:
            self.ref, self.files = State("w/d"), tree("w/d")
            if self.ref.rest:
                self.bad("%s lies there" % sorted(self.ref.rest))

    def state(self, what, done):
        if os.path.exists("w/d") == self.empty and \
                (not self.empty or os.listdir("w/d") == []):
            return "before"
        if not os.path.exists("w/d"):
            self.bad("%s: the directory that was there is gone" % what, done)
        if not self.options and tree("w/d") != self.files:
            self.bad("%s: other files" % what, done)
        if State("w/d") != self.ref:
            self.bad("%s: not what it should be" % what, done)
        return "after"

    def left(self):
        return super().left() + sorted(set(os.listdir("w")) - {"d", "e", "given.tar"})

    def next(self, what, state):
        other = "w/e" if state == "after" else "w/d"
        done = run(["chroma-snap", "graft", "-q", *self.options, other, "w/given.tar"])
        if done.returncode or State(other) != self.ref or (state == "after" and
                                                           State("w/d") != self.ref):
            self.bad("%s: the next graft" % what, done)
        if self.left():
            self.bad("%s: left behind after the next graft: %s" % (what, self.left()), done)


class WholeEmpty(Whole):
    empty = True


class WholeAs(Whole):
    """Which is written anew."""

    options = ("-c", "ip-vectors", "--as=another", "--create", "--tenant=someone",
               "--database=new")


class Carve(Case):
    """Into a file."""

    source = "base/d"
    again = ()

    def before(self):
        copy("new/db", self.source)
        self.was = tree(self.source)
        self.ref = None

    def begin(self):
        shutil.rmtree("w", ignore_errors=True)
        os.mkdir("w")
        for name in os.listdir("base"):
            if name != "d":
                shutil.copy2("base/" + name, "w/" + name)
        shutil.rmtree("tmp", ignore_errors=True)
        os.mkdir("tmp")

    def argv(self):
        return ["chroma-snap", "carve", *self.options, "-f", "w/f.tar", self.source]

    owns_up = "."

    def listing(self):
        self.snap("verify", "-q", "w/f.tar")
        return [{k: v for k, v in json.loads(line).items() if k != "created_at"}
                for line in self.snap("list", "-j", "w/f.tar").split(b"\n")[:-1]]

    def note(self, after):
        if after:
            self.ref = self.listing()

    def state(self, what, done):
        if tree(self.source) != self.was:
            self.bad("%s: the source has changed" % what, done)
        if not os.path.exists("w/f.tar"):
            return "before"
        if self.listing() != self.ref:
            self.bad("%s: another snapshot" % what, done)
        return "after"

    def left(self):
        return super().left() + sorted(set(os.listdir("w")) - {"f.tar"})

    def next(self, what, state):
        done = run(["chroma-snap", "carve", "-q", "--force", "-f", "w/f.tar", self.source])
        if done.returncode or self.state(what + ", then", done) != "after":
            self.bad("%s: the next carve" % what, done)
        if self.left():
            self.bad("%s: left behind after the next carve: %s" % (what, self.left()), done)


class CarveForce(Carve):
    """In the place of another snapshot."""

    options = ("--force",)

    def before(self):
        super().before()
        self.snap("carve", "-q", "-c", "ip-vectors", "-f", "base/f.tar", self.source)
        with open("base/f.tar", "rb") as f:
            self.old = f.read()

    def state(self, what, done):
        if os.path.exists("w/f.tar"):
            with open("w/f.tar", "rb") as f:
                if f.read() == self.old:
                    return "before"
        if super().state(what, done) == "before":
            self.bad("%s: the old file is gone" % what, done)
        return "after"


class CarveHeld(Carve):
    """Of a directory that somebody has open, from a copy."""

    place = "tmp"

    def __init__(self, how):
        self.held = None
        super().__init__(how)

    def before(self):
        super().before()
        self.held = open(os.path.join(self.source, DATABASE), "rb")     # till the end


class CarveDir(Carve):
    """Into a directory."""

    def argv(self):
        return ["chroma-snap", "carve", *self.options, "-o", "w/o", self.source]

    def note(self, after):
        if after:
            self.ref = State("w/o")

    def state(self, what, done):
        if tree(self.source) != self.was:
            self.bad("%s: the source has changed" % what, done)
        for name in ("w/o", "w/p"):
            if os.path.exists(name) and State(name) != self.ref:
                self.bad("%s: not what it should be" % what, done)
        return "after" if os.path.exists("w/o") else "before"

    def left(self):
        return [n for n in super().left() if n not in ("o", "p")]

    def next(self, what, state):
        done = run(["chroma-snap", "carve", "-q", "-o", "w/p" if state == "after" else "w/o",
                    self.source])
        if done.returncode or self.state(what + ", then", done) != "after":
            self.bad("%s: the next carve" % what, done)
        if self.left():
            self.bad("%s: left behind after the next carve: %s" % (what, self.left()), done)


def main():
    os.environ["TMPDIR"] = os.path.abspath("tmp")
    case, how = sys.argv[1:]
    {c.__name__: c for c in (Graft, GraftWal, GraftAs, GraftCreate, Replace, ReplaceBackup, Whole,
                             WholeEmpty, WholeAs, Carve, CarveForce, CarveHeld, CarveDir)}[case](
        how).all()


if __name__ == "__main__":
    main()
