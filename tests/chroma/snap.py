#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Snapshots that chroma-snap carves and grafts, in real Chromas.

usage: snap.py BASE WORK SEED RESULTS OPERATION...      (python of the Chroma in question)

BASE holds db and expected.json and is only copied. OPERATION: one of those at the end of this file,
save=DIR, which leaves a snapshot in DIR and what this Chroma says of it, from=DIR, where such a
snapshot of an older Chroma is grafted into BASE, newer=DIR, where that of a newer one is refused, or
chops=DIR, with the snapshots that chops made of BASE, and a list of them. RESULTS gets lines
"STATUS NAME" (0: good).

What is unpacked or grafted must be what it was: all records, filters, parameters, the nearest and
their distances; and so must be all else that is in the directory. Then all of it is written to and
restarted, twice, and must be what a model says. Chroma loses updates by itself (see prune.py), so
what goes wrong then is tried again with other writes, and what fails is what fails each time.
"""
import copy
import json
import os
import random
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from fresh import (DEFAULTS, VERSION, answers, do,  # noqa: E402
                   do_and_answer, fresh, same_results)
from model import Model, Operations  # noqa: E402
from prune import fulltext_in_the_way, wrong, write  # noqa: E402
from rebuild import (Asked, Base, check_filters, collections_of,  # noqa: E402
                     fingerprint, headers, parameters)

TRIES = 3
SHOWN = 5
STRICT = {"contains": set(), "both": set(), "more": VERSION < (0, 5, 0)}
BACK = VERSION >= (0, 5, 5)     # before, Chroma can lose the vector of an id that comes back


def run(*command, **kw):
    done = subprocess.run(command, stdin=kw.pop("stdin", subprocess.DEVNULL), timeout=100,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", **kw)
    return done.returncode, done.stdout


def name_of(where):
    return "/".join(where)


def without_lists(metadata):
    return {k: v for k, v in (metadata or {}).items() if not isinstance(v, list)}


class Source(Base):
    """The directory that everything begins with, and all that it answers."""

    def __init__(self, base, work, seed):
        super().__init__(base, work, seed)
        self.spoilt = any(o["contains"] | o["both"] for o in self.odd.values())
        self.said = fresh(answers, self.copy("asked"), self.names, self.queries)
        shutil.rmtree(os.path.join(self.work, "asked"))

    def state(self):
        return {"queries": self.queries, "seed": self.seed, "dim": self.some.dim, "said": self.said,
                "spaces": self.spaces, "lost": sorted(self.lost), "version": VERSION,
                "headers": self.headers, "parameters": self.parameters,
                "collections": [[list(w), r] for w, r in self.model.collections.items()]}


class Trial:
    """A directory, and what is in it."""

    def __init__(self, base, operation):
        self.base, self.operation = base, operation
        self.at = os.path.join(base.work, "trial")
        self.db = os.path.join(self.at, "db")
        self.stream = os.path.join(self.at, "snapshot")
        os.mkdir(self.at)
        self.some = Operations(Model(), "%d %s" % (base.seed, operation), base.some.dim)
        self.some.n = base.some.n
        self.spaces, self.odd, self.lost = {}, {}, set()
        self.like = {}      # {name: (what was asked before, its name there)}
        self.deleted = {}
        self.listless = set()   # of chops

    def judge(self, name, bad):
        bad = list(bad)
        lines.append("%d %s: %s\n" % (bool(bad), self.operation, name))
        for text in bad[:SHOWN]:
            print("# %s: %s: %s" % (self.operation, name, text))

    def snap(self, name, status, *command, **kw):
        """A command that must end with this status."""
        got, text = run(*command, **kw)
        self.judge(name, ["%d, not %d: %s" % (got, status, text)] * (got != status))
        return text

    # ---- what is in it

    def copy(self):
        """It begins as a copy of the source."""
        subprocess.run(["cp", "-a", self.base.db, self.db], check=True)
        for where in self.base.names:
            self.adopt(where, where, strict=False)

    def adopt(self, new, old, source=None, strict=True):
        """There is a collection now that is as one of the source was."""
        source = source or self.base
        new, old = tuple(new), tuple(old)
        name, was = name_of(new), name_of(old)
        self.some.model.collections[new] = copy.deepcopy(source.model.collections[old])
        self.spaces[name], self.like[name] = source.spaces[was], (source, was)
        self.odd[name] = STRICT if strict else source.odd[was]
        self.lost |= {(name, i) for n, i in source.lost if n == was}

    def names(self):
        return [list(w) for w in self.some.model.collections]

    # ---- how it is asked

    def check(self, said, model, first):
        """(name, what is wrong) of answers"""
        lost = self.lost if first else ()
        for w in self.listless:
            for r in said[name_of(w)]["records"].values():
                r[1] = without_lists(r[1])
            for r in model.collections[w].values():
                r["metadata"] = without_lists(r["metadata"])
        yield "records", [x for x in wrong(said, model, self.spaces) if not any(
            x.startswith("%s: %r: vector " % at) for at in lost)]
        yield "filters", [
            "%s: %s" % (name_of(w), x) for w, r in model.collections.items()
            for x in check_filters(said[name_of(w)], r, self.odd[name_of(w)])
            # what an upgrade has spoilt gets worse with each write
            if first or self.odd[name_of(w)] is STRICT or not self.base.spoilt or "where: " in x]

    def first(self):
        """It is what it was."""
        said = fresh(answers, self.db, self.names(), self.base.queries)
        for name, bad in self.check(said, self.some.model, True):
            self.judge(name, bad)
        self.judge("the nearest as before", self.not_as_before(said))
        self.judge("parameters", self.other_parameters())
        self.judge("healthy", ["%s: %s" % (n, c["notes"]) for n, c in
                               collections_of(self.db).items() if not c["healthy"]])

    def not_as_before(self, said):
        for name, (source, was) in self.like.items():
            for kind in ("query", "filtered"):
                if source is not self.base or "query" not in said[name]:
                    continue
                for a, b in zip(source.said[was][kind], said[name][kind]):
                    if not same_results(a, b):
                        yield "%s: %s: %s, not %s" % (name, kind, b, a)

    def other_parameters(self):
        now, head = fresh(parameters, self.db, self.names()), headers(self.db)
        for name, (source, was) in self.like.items():
            if tuple(name.split("/")) in self.listless:
                continue
            want = source.parameters[was]
            for k in want:
                if now[name][k] != want[k] and source.version == list(VERSION):
                    yield "%s: %s: %s, not %s" % (name, k, now[name][k], want[k])
            if was in source.headers and source.headers[was] != head.get(name):
                yield "%s: header.bin: %s, not %s" % (name, head.get(name), source.headers[was])

    # ---- writes

    def writes(self):
        kept, failed = self.db + ".kept", None
        subprocess.run(["cp", "-a", self.db, kept], check=True)
        for n in range(1, TRIES + 1):
            found = self.write_more(random.Random("%d %s %d" % (self.base.seed, self.operation, n)))
            bad = {name for name in found if found[name]}
            for name in bad:
                for text in found[name][:SHOWN]:
                    print("# %s: try %d: %s: %s" % (self.operation, n, name, text))
            failed = bad if failed is None else failed & bad
            if not failed:
                break
            shutil.rmtree(self.db)
            subprocess.run(["cp", "-a", kept, self.db], check=True)
        for name in found:
            self.judge(name, ["(see above)"] * (name in failed))

    def operations(self, some, deleted):
        """The ids that come back are gone since the last restart at least."""
        documents, back = not fulltext_in_the_way(self.db), []
        for where, ids in deleted.items():
            ids = sorted(set(ids) - set(some.model.collections[where]))[:4] if BACK else []
            for k, i in enumerate(ids):
                back.append(some.one("upsert" if k % 2 else "add", where, [i], documents=documents))
        before = {w: set(r) for w, r in some.model.collections.items()}
        ops = back + write(some, some.model, documents)
        for w, ids in before.items():
            deleted.setdefault(w, []).extend(ids - set(some.model.collections[w]))
        return ops

    def write_more(self, rng):
        """{name of a check: what is wrong}"""
        found, some = {}, copy.deepcopy(self.some)
        some.rng, names, deleted = rng, self.names(), copy.deepcopy(self.deleted)
        queries = some.vectors(8)
        for n in (1, 2):
            ops = self.operations(some, deleted)
            raised, said = fresh(do_and_answer, self.db, ops, names, queries)
            found["writes %d: accepted" % n] = [x for x in raised if x]
            for moment in ("writes", "restart"):
                if moment == "restart":
                    said = fresh(answers, self.db, names, queries)
                for name, bad in self.check(said, some.model, False):
                    found["%s %d: %s" % (moment, n, name)] = list(bad)
                found["%s %d: distances" % (moment, n)] = Asked(
                    said, some.model, self.spaces, queries).distances
        return found

    def end(self):
        shutil.rmtree(self.at)


# ---- a directory of a snapshot ----


def carve(t, *options, source=None):
    """Into t.stream, in one of the ways."""
    source = source or t.base.db
    if t.some.rng.randrange(2):
        t.snap("carve", 0, "chroma-snap", "carve", "-z", "-f", t.stream, *options, source)
    else:
        with open(t.stream, "wb") as f:
            done = subprocess.run(["chroma-snap", "carve", *options, source], stdout=f, timeout=100)
        t.judge("carve", [done.returncode] * bool(done.returncode))
    t.snap("verify", 0, "chroma-snap", "verify", t.stream)


def graft(t, *options):
    t.snap("graft", 0, "chroma-snap", "graft", *options, t.db, t.stream)


def all_of_it(t, wheres=None):
    for where in wheres or t.base.names:
        t.adopt(where, where)
    t.first()
    t.writes()


def unpack(t):
    """With nothing but tar."""
    carve(t)
    os.mkdir(t.db)
    with open(t.stream, "rb") as f:
        zstd = ["--zstd"] * (f.read(4) == b"\x28\xb5\x2f\xfd")
    t.snap("tar", 0, "tar", *zstd, "-xf", t.stream, "-C", t.db)
    all_of_it(t)


def output(t):
    t.snap("carve -o", 0, "chroma-snap", "carve", "-o", t.db, t.base.db)
    all_of_it(t)


def whole_log(t):
    carve(t, "--log=all")
    graft(t)
    all_of_it(t)


def some_of(t, n):
    return t.some.rng.sample(t.base.names, min(n, len(t.base.names)))


def one(t):
    where, = some_of(t, 1)
    print("# one:", *where)
    t.snap("carve -c -o", 0, "chroma-snap", "carve", "-c", name_of(where), "-o", t.db, t.base.db)
    all_of_it(t, [where])


def absent(t):
    carve(t)
    graft(t)
    all_of_it(t)


def empty(t):
    """Some of a snapshot, into a directory that has nothing."""
    wheres = some_of(t, 3)
    os.mkdir(t.db)
    carve(t)
    graft(t, *[x for w in wheres for x in ("-c", name_of(w))])
    all_of_it(t, wheres)


def renamed(t):
    """A directory made of one collection, under another name."""
    where, = some_of(t, 1)
    carve(t, "-c", name_of(where))
    graft(t, "--as=other.name-2")
    t.adopt(where[:2] + ["other.name-2"], where)
    t.first()
    t.writes()


# ---- among others ----


def beside(t):
    """Under other names, twice."""
    t.copy()
    for n, where in enumerate([DEFAULTS + ["many"], DEFAULTS + ["ip-vectors"]] + some_of(t, 2)):
        carve(t, "-c", name_of(where))
        for twice in ("x", "y"):
            name = "%s-%s%d" % (where[2], twice, n)
            graft(t, "--as=" + name)
            t.adopt(where[:2] + [name], where)
        os.unlink(t.stream)
    t.first()
    t.writes()


def deleted(t):
    """What Chroma has deleted comes back, among others that were written to."""
    t.copy()
    gone = some_of(t, 4)
    carve(t)
    graft_after(t, [{"do": "drop", "collection": w} for w in gone], gone)


def graft_after(t, ops, wheres, *options):
    """Everything is written to, then comes this, and then these are as they were."""
    more = t.operations(t.some, t.deleted)
    bad = [x for x in fresh(do, t.db, more + ops) if x]
    t.judge("written to", bad)
    before = copy.deepcopy(t.some)
    graft(t, *options, *[x for w in wheres for x in ("-c", name_of(w))])
    for w in wheres:
        t.adopt(w, w)
    for w in t.names():
        if w not in wheres:
            del t.like[name_of(w)]
            t.lost -= {(n, i) for n, i in t.lost if n == name_of(w)}
    t.first()
    t.writes()
    return before


def replaced(t):
    """The state of the snapshot is back; and then what was replaced is."""
    t.copy()
    carve(t)
    wheres = some_of(t, 5)
    backup = os.path.join(t.at, "backup.tar.zst")
    before = graft_after(t, [], wheres, "--replace", "--backup=" + backup)
    shutil.rmtree(t.db)
    t.snap("the backup", 0, "chroma-snap", "graft", t.db, backup)
    t.some.model.collections = {tuple(w): before.model.collections[tuple(w)] for w in wheres}
    t.like = {}
    t.lost = set()
    said = fresh(answers, t.db, t.names(), t.base.queries)
    for name, bad in t.check(said, t.some.model, False):
        t.judge("the backup: " + name, bad)


def created(t):
    """In databases that are not there."""
    t.copy()
    wheres = [w for w in t.base.names if w[:2] == DEFAULTS]
    carve(t, *[x for w in wheres for x in ("-c", name_of(w))])
    t.snap("a database that is not there", 2, "chroma-snap", "graft", "--database=ж b", t.db,
           t.stream)
    graft(t, "--database=ж b", "--create")
    graft(t, "--tenant=new", "--database=other", "--create")
    for w in wheres:
        t.adopt(["default_tenant", "ж b", w[2]], w)
        t.adopt(["new", "other", w[2]], w)
    t.first()
    t.writes()


# ---- other Chromas ----


class Saved:
    """What an older Chroma said."""

    def __init__(self, at):
        with open(os.path.join(at, "state.json"), encoding="utf-8") as f:
            self.__dict__.update(json.load(f))
        self.stream = os.path.join(at, "snapshot")
        self.model = Model()
        self.model.collections = {tuple(w): r for w, r in self.collections}
        self.lost = {tuple(x) for x in self.lost}
        self.headers = {k: tuple(v) for k, v in self.headers.items()}
        self.odd = {name_of(w): STRICT for w in self.model.collections}


def save(t, at):
    carve(t)
    os.mkdir(at)
    os.rename(t.stream, os.path.join(at, "snapshot"))
    with open(os.path.join(at, "state.json"), "w", encoding="utf-8") as f:
        json.dump(t.base.state(), f)


def older(t, at):
    """Of an older Chroma, into this one's."""
    saved = Saved(at)
    t.copy()
    t.stream = saved.stream
    for n, w in enumerate(saved.model.collections):
        name = "old%d-%s" % (n, w[2])
        graft(t, "--as=" + name, "-c", name_of(w), "--database=older", "--tenant=default_tenant",
              "--create")
        t.adopt(["default_tenant", "older", name], w, saved)
    t.first()
    model = Model()
    model.collections = {w: r for w, r in t.some.model.collections.items()
                         if t.like[name_of(w)][0] is saved}
    said = fresh(answers, t.db, list(model.collections), saved.queries)
    now = Asked(said, model, t.spaces, saved.queries)
    t.judge("distances", now.distances * (not saved.lost))
    t.judge("as many of the nearest found", now.worse_than(Asked(
        saved.said, saved.model, saved.spaces, saved.queries), 0.02))
    t.writes()


def newer(t, at):
    """Of a newer Chroma: refused."""
    t.copy()
    was = fingerprint(t.db)
    t.snap("refused", 3, "chroma-snap", "graft", "--create", "--database=xyz", "-c",
           name_of(DEFAULTS + ["many"]), t.db, os.path.join(at, "snapshot"))
    now = fingerprint(t.db)
    t.judge("nothing changed", [k for k in sorted(set(was) | set(now)) if was.get(k) != now.get(k)
                                and k != t.db])


def chops(t, at):
    """Beside the originals, of which chops made them: without lists, and without what parameters
    are in schema_str."""
    t.copy()
    with open(os.path.join(at, "list"), encoding="utf-8") as f:
        for n, line in enumerate(f):
            name, file, *options = line.split()
            t.stream = os.path.join(at, file)
            t.snap("verify", 0, "chroma-snap", "verify", t.stream)
            graft(t, "--as=chops%d" % n, *options)
            t.adopt(DEFAULTS + ["chops%d" % n], DEFAULTS + [name])
            t.listless.add(tuple(DEFAULTS + ["chops%d" % n]))
    t.first()
    t.writes()


OPERATIONS = {f.__name__: f for f in (unpack, output, whole_log, one, absent, empty, renamed, beside,
                                      deleted, replaced, created)}
OTHERS = {"save": save, "from": older, "newer": newer, "chops": chops}
lines = []


def main():
    source, work, seed, results, *operations = sys.argv[1:]
    Source.version = list(VERSION)
    base = Source(source, os.path.abspath(work), int(seed))
    for operation in operations:
        what, _, at = operation.partition("=")
        t = Trial(base, what)
        if at:
            OTHERS[what](t, at)
        else:
            OPERATIONS[what](t)
        t.end()
    with open(results, "w", encoding="utf-8") as f:
        f.writelines(lines)


if __name__ == "__main__":
    main()
