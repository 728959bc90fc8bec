#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Chroma itself has lost, or has not, and what chroma-prune and chroma-commit make of it.

usage: refuse.py WORK RESULTS       (python of the Chroma in question)

RESULTS gets lines "STATUS NAME" (0: good).
"""
import copy
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fresh import DEFAULTS, VERSION, Store, close, do, fresh  # noqa: E402
from histories import DIM, ask, in_log, prunable, prune, purge_off  # noqa: E402

LOSES_IN_A_BATCH = (0, 4, 5) <= VERSION < (0, 5, 5)
WATERMARK_IN_PICKLE = VERSION < (0, 5, 6)
NAMES = ["docs", "other"]


def op(what, ids, value=None, name="docs", **more):
    """On ids; value: the first number of their vectors."""
    o = {"do": what, "collection": DEFAULTS + [name], "ids": ids, **more}
    if value is not None:
        o["embeddings"] = [[value + n / 64, n, 1.5, -2] for n in range(len(ids))]
    return o


def ids(name, n, start=0):
    return ["%s %d" % (name, i) for i in range(start, start + n)]


class Case:
    """A new persist dir with two collections that are written to the index every few records."""

    def __init__(self, work, name, space="l2", batch=5, sync=5):
        self.name, self.db = name, os.path.join(work, name.replace(" ", "-"))
        os.makedirs(self.db)
        fresh(do, self.db, [
            {"do": "create", "collection": DEFAULTS + [n], "metadata": {
                "hnsw:space": space, "hnsw:batch_size": batch, "hnsw:sync_threshold": sync}}
            for n in NAMES])
        if not WATERMARK_IN_PICKLE:
            purge_off(self.db)
        self.do(op("add", ids("other", 20), 1, "other"))

    def do(self, *ops):
        """In one process: what is not persisted by then is forgotten by the index."""
        raised = [r for r in fresh(do, self.db, list(ops)) if r]
        if raised:
            judge(self.name + ": Chroma takes it", raised)

    def ask(self):
        """({name: id}, answers); Chroma applies what is pending."""
        return fresh(ask, self.db, ["/".join(DEFAULTS + [n]) for n in NAMES], [])

    def vector(self, rid):
        _, said = self.ask()
        return said["/".join(DEFAULTS + ["docs"])]["records"][rid][0]

    def prune(self, refused=None):
        """refused: the id that stands in the way, or None."""
        name = self.name + (": refused" if refused else ": not refused")
        status, said, text = prune(self.db)
        by_name = {c["collection"]: c for c in said.values()}
        left = prunable(self.db)
        where = fresh(ask, self.db, ["/".join(DEFAULTS + [n]) for n in NAMES], [])[0]
        left = {n: left.get(where["/".join(DEFAULTS + [n])], 0) for n in NAMES}
        if refused:
            docs = by_name.get("docs", {})
            judge(name, status != 1 or not docs.get("refused"), text)
            judge(name + ", the id is named", refused not in docs.get("ids", []), text)
            judge(name + ", on standard error too", text.count('"%s"' % refused) < 2, text)
            judge(name + ", its rows stay", not left["docs"], text)
        else:
            judge(name, status != 0, text)
            judge(name + ", its rows go", left["docs"], text)
        judge(name + ", the other is pruned", left["other"], text)


def judge(name, wrong, text=""):
    lines.append("%d %s\n" % (bool(wrong), name))
    if wrong:
        print("# %s: %s %s" % (name, wrong, text))


def lost_in_a_batch(work):
    """A delete and an add of one id in one batch: Chroma loses the vector."""
    c = Case(work, "deleted and added at once")
    c.do(op("add", ids("a", 20), 2))
    c.do(op("delete", ["a 3"]), op("add", ["a 3"], 7), op("add", ids("b", 20), 3))
    c.do(op("add", ids("b", 20, 20), 3))
    if not LOSES_IN_A_BATCH:
        judge(c.name + ": Chroma has its vector", c.vector("a 3") != [7, 0, 1.5, -2])
        return c.prune()
    judge(c.name + ": Chroma has lost its vector", c.vector("a 3") is not None)
    c.prune("a 3")
    topic = c.ask()[0]["/".join(DEFAULTS + ["docs"])]
    judge(c.name + ": the log has it", not in_log(c.db, topic, "a 3", [7, 0, 1.5, -2]))
    committed(c)
    # what else helps is to write it once more
    c.do(op("upsert", ["a 3"], 7), op("add", ids("b", 20, 40), 3))
    c.prune()
    judge(c.name + ": and now Chroma has", c.vector("a 3") != [7, 0, 1.5, -2])


def committed(c):
    """chroma-commit finds it in the log, in a copy."""
    c = copy.copy(c)
    c.name, before = c.name + ", then committed", c.db
    c.db += "-committed"
    shutil.copytree(before, c.db)
    said = fresh(vectors, c.db)
    judge(c.name + ": before, Chroma raises", said != "IndexError", said)
    done = subprocess.run(["chroma-commit", "-y", c.db], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
    judge(c.name + ": status 0", done.returncode, done.stdout)
    got = fresh(vectors, c.db)
    judge(c.name + ": Chroma has all", len(got) != 60 or got.get("a 3") != [7, 0, 1.5, -2], got)
    c.prune()
    judge(c.name + ": and it stays", fresh(vectors, c.db) != got)


def vectors(db):
    """{id: vector}, all asked for at once; or what Chroma raised."""
    try:
        got = Store(db).get(DEFAULTS + ["docs"]).get(include=["embeddings"])
    except Exception as e:
        return type(e).__name__
    return {i: [float(x) for x in v] for i, v in zip(got["ids"], got["embeddings"])}


def lost_as_there(work):
    """Deleted and updated at once: a Chroma in Python has it in the index again, though it is gone,
    and takes no notice when it is added. The rows of before are gone by then."""
    for name, after in (("", []), (", its metadata changed", [
            op("update", ["a 3"], metadatas=[{"i": 1}])])):
        c = Case(work, "deleted, updated, added" + name)
        c.do(op("add", ids("a", 20), 2))
        c.do(op("delete", ["a 3"]), op("update", ["a 3"], 7), op("add", ids("b", 20), 3))
        c.prune()
        c.do(op("add", ["a 3"], 9), *after, op("add", ids("b", 20, 20), 3))
        lost = c.vector("a 3") != [9, 0, 1.5, -2]
        print("# %s: Chroma %s" % (c.name, "lost it" if lost else "has it"))
        c.prune("a 3" if lost else None)


def lost_alone(work):
    """An update of the only element: it does not reach the index files."""
    c = Case(work, "updated alone", batch=3, sync=4)
    c.do(op("add", ["a"], 2), *[op("update", ["a"], metadatas=[{"i": n}]) for n in range(5)])
    c.do(op("update", ["a"], 7), *[op("update", ["a"], metadatas=[{"i": n}]) for n in range(9)])
    lost = c.vector("a") != [7, 0, 1.5, -2]
    print("# %s: Chroma %s" % (c.name, "lost it" if lost else "has it"))
    c.do(*[op("update", ["a"], metadatas=[{"i": n}]) for n in range(9)])
    topic = c.ask()[0]["/".join(DEFAULTS + ["docs"])]
    if c.vector("a") != [7, 0, 1.5, -2]:
        c.prune("a")
        judge(c.name + ": the log has it", not in_log(c.db, topic, "a", [7, 0, 1.5, -2]))
    else:
        prune(c.db)
        judge(c.name + ": Chroma has it", c.vector("a") != [7, 0, 1.5, -2])


def older_index(work):
    """The index files are those of an older copy of the directory."""
    c = Case(work, "index of an older copy")
    c.do(op("add", ids("a", 20), 2))
    old = os.path.join(work, "older")
    shutil.copytree(c.db, old)
    c.do(op("update", ["a 4"], 7), op("add", ids("b", 19), 3))
    for d in os.listdir(old):
        if os.path.isdir(os.path.join(old, d)):
            shutil.rmtree(os.path.join(c.db, d))
            shutil.copytree(os.path.join(old, d), os.path.join(c.db, d))
    if not WATERMARK_IN_PICKLE:
        return c.prune("a 4")
    # the watermark is that of the older copy: what the index lacks is pending
    c.prune()
    judge(c.name + ": Chroma has all", c.vector("a 4") != [7, 0, 1.5, -2])


def never_lost(work):
    """What looks odd, and is as it should be."""
    for space in ("l2", "cosine", "ip"):
        c = Case(work, "odd but right, " + space, space)
        c.do(op("add", ids("a", 20), 2), op("add", ids("gone", 20), 3))
        # a row tells the second that it was written in; without it, other records tell
        second = 1.1 if space != "ip" else 0
        time.sleep(second)
        c.do(op("add", ids("a", 5), 9), op("update", ids("a", 3), metadatas=[{"i": 1}] * 3),
             op("delete", ids("gone", 20)), op("upsert", ids("a", 3, 7), 4))
        c.do(op("add", ids("b", 10), 5))
        before = c.ask()
        c.prune()
        # the older rows are gone now
        time.sleep(second)
        c.do(op("add", ids("a", 5), 8), op("update", ids("a", 3), metadatas=[{"i": 2}] * 3))
        c.do(op("add", ids("c", 10), 6))
        c.prune()
        time.sleep(second)
        c.do(op("delete", ids("a", 1)), op("add", ids("c", 10, 10), 6))
        c.do(op("add", ids("a", 1), 6), op("add", ids("c", 10, 20), 6))
        c.prune()
        docs = "/".join(DEFAULTS + ["docs"])
        was, now = (x[1][docs]["records"] for x in (before, c.ask()))
        judge(c.name + ": the vectors are as they were",
              [i for i in was if i != "a 0" and not close(was[i][0], now[i][0])])
    c = Case(work, "all deleted")
    c.do(op("add", ids("a", 20), 2), op("delete", ids("a", 20)))
    c.do(op("add", ids("b", 5), 3), op("delete", ids("b", 5)))
    c.prune()


lines = []


def main():
    work, results = sys.argv[1:]
    for case in (lost_in_a_batch, lost_as_there, lost_alone, older_index, never_lost):
        case(work)
    with open(results, "w", encoding="utf-8") as f:
        f.writelines(lines)


if __name__ == "__main__":
    assert DIM == 4
    main()
