#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A random history, pruned after every batch of operations, beside one that never is.

usage: histories.py WORK SEED [BATCHES]         (python of the Chroma in question)

Each batch runs in a fresh process, on WORK/pruned and on WORK/twin; then chroma-prune -y WORK/pruned.
Both must give the same answers, and what a model says. Where Chroma itself loses a vector,
chroma-prune must refuse that collection as long as the log has the vector; it must refuse no other.
What a Chroma in Python loses it loses in both. One in Rust may lose an update in one of them.
Prints what is wrong; status 0: nothing is.
"""
import json
import os
import random
import sqlite3
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "t")]
from fresh import DEFAULTS, EXACT, VERSION, Store, answers, close, differences, do, fresh  # noqa: E402
from model import Model, Operations  # noqa: E402
from walprune import log  # noqa: E402

DIM = 4
PURGES = VERSION >= (0, 5, 6)   # by itself, if it is told to


class History(Operations):
    """Batches of operations that are hard on an index: on few ids, over and over."""

    def __init__(self, seed):
        super().__init__(Model(), seed, DIM)
        self.deleted = {}
        self.unclear = {}       # see follow()

    def create(self, name):
        space = {"cosine": "cosine", "inner": "ip", "configured": "cosine"}.get(name, "l2")
        batch = self.rng.randint(3, 8)
        sync = batch + self.rng.randint(0, 8)
        op = {"do": "create", "collection": DEFAULTS + [name]}
        if name == "configured":
            op["configuration"] = {"hnsw": {"space": space, "sync_threshold": sync,
                                            "batch_size": batch}}
        elif name != "pending":  # which is never persisted
            op["metadata"] = {"hnsw:space": space, "hnsw:sync_threshold": sync,
                              "hnsw:batch_size": batch}
        self.model.do(op)
        self.deleted[name] = []
        self.unclear[name] = {}
        return op

    def first(self):
        names = ["plain", "cosine", "inner", "pending", "few"]
        return [self.create(n) for n in names + ["configured"] * (VERSION >= (1, 0, 0))]

    def one(self, what, where, ids, **kw):
        self.follow(what, where, ids, kw.get("vectors", True))
        return super().one(what, where, ids, **kw)

    def follow(self, what, where, ids, vectors):
        """An ADD of a live id has no effect. If a change of its metadata comes next and the older
        rows are gone, then nothing in the directory tells which vector is the last one."""
        unclear = self.unclear[where[2]]
        for i in ids:
            if what == "add" and i in self.model.collections[tuple(where)]:
                unclear.setdefault(i, "added")
            elif what == "update" and not vectors:
                if i in unclear:
                    unclear[i] = "unclear"
            else:
                unclear.pop(i, None)

    def batch(self):
        ops = []
        for _ in range(self.rng.randint(2, 12)):
            where = tuple(self.rng.choice(sorted(self.model.collections)))
            ops += self.some(where, self.rng.random())
        return ops

    def some(self, where, dice):
        name, records = where[2], self.model.collections[where]
        few = name == "few"     # never more than two are live: see formats of the index
        most = 2 if few else 6
        if dice < 0.02:
            return [{"do": "drop", "collection": list(where)}, self.create(name)]
        if dice < 0.25 and not (few and records):
            return [self.one("add", where, self.new_ids(self.rng.randint(1, most)))]
        if dice < 0.35 and self.deleted[name]:
            back = self.rng.sample(self.deleted[name], 1)
            return [self.one("add", where, back)]
        if not records:
            return []
        live = self.live(where, most)
        if dice < 0.45:     # of what is there: no effect
            return [self.one("add", where, live)]
        if dice < 0.60:
            return [self.one("update", where, live)]
        if dice < 0.70:
            return [self.one("update", where, live, vectors=False)]
        if dice < 0.80:
            return [self.one("upsert", where, live + ([] if few else self.new_ids(1)))]
        if dice < 0.82:
            live = sorted(records)
        self.deleted[name] = (self.deleted[name] + live)[-6:]
        gone = self.one("delete", where, live)
        if dice < 0.88:
            return [gone]
        # and back at once
        return [gone, self.one(self.rng.choice(["add", "upsert"]), where, live[:2])]


def run_batch(db, ops, read_first):
    store = Store(db)
    if read_first:
        for where in {tuple(op["collection"]) for op in ops if op["do"] not in ("create", "drop")}:
            store.get(where).count()
    return store.do(ops)


def ask(db, names, queries):
    """({name: id}, answers)"""
    store = Store(db)
    return ({n: str(store.get(n.split("/")).id) for n in names},
            store.answers([n.split("/") for n in names], queries))


def purge_off(db):
    con = sqlite3.connect(os.path.join(db, "chroma.sqlite3"))
    with con:
        con.execute("INSERT OR REPLACE INTO embeddings_queue_config (id, config_json_str) VALUES"
                    ' (1, \'{"automatically_purge": false,'
                    ' "_type": "EmbeddingsQueueConfigurationInternal"}\')')
    con.close()


def prune(db):
    """(status, {id of a collection: what the receipt says}, all that it printed)"""
    run = subprocess.run(["chroma-prune", "-y", db], stdin=subprocess.DEVNULL, timeout=60,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
    said = [json.loads(x) for x in run.stdout.splitlines() if x.startswith('{"receipt"')]
    return run.returncode, {c["collection_id"]: c for r in said for c in r["collections"]}, run.stdout


def prunable(db):
    """{id of a collection: number of rows}"""
    out = subprocess.run(["chroma-walexport", "-q", "--prunable", "--embedding=none", db],
                         stdout=subprocess.PIPE, check=True).stdout
    count = {}
    for line in out.splitlines()[1:-1]:
        row = json.loads(line)
        count[row["collection_id"]] = count.get(row["collection_id"], 0) + 1
    return count


def in_log(db, topic, rid, vector):
    return any(row[3].decode().endswith(topic) and row[4].decode() == rid and
               row[5] == struct.pack("<%df" % DIM, *vector) for row in log(db).values())


class Trial:
    def __init__(self, work, seed):
        self.rng = random.Random(seed)
        self.history = History(seed)
        self.pruned, self.twin = (os.path.join(work, d) for d in ("pruned", "twin"))
        for db in (self.pruned, self.twin):
            os.makedirs(db)
        self.astray = set()     # collections that Chroma itself has spoilt
        self.lost = self.refused = self.rows = 0
        self.wrong = []

    def say(self, text):
        self.wrong.append(text)
        print("batch %d: %s" % (self.n, text))

    def both(self, task, *args):
        return [fresh(task, db, *args) for db in (self.pruned, self.twin)]

    def start(self):
        self.n = 0
        self.both(answers, [], [])
        first = self.history.first()
        self.both(do, first[:1])    # there is a database now
        self.off = PURGES and self.rng.random() < 0.8
        if self.off:
            for db in (self.pruned, self.twin):
                purge_off(db)
        self.both(do, first[1:])
        print("# purge %s" % ("off" if self.off else "on" if PURGES else "unknown here"))

    def step(self, n, last):
        self.n = n
        ops = self.history.batch()
        raised = self.both(run_batch, ops, self.rng.random() < 0.5)
        if raised[0] != raised[1]:
            self.say("raised %s, and without a prune %s" % tuple(raised))
        before = log(self.pruned)
        status, said, text = prune(self.pruned)
        self.rows += len(before) - len(log(self.pruned))
        if status not in (0, 1):
            self.say("chroma-prune ended with %d: %s" % (status, text))
        if not last and status == 0 and self.rng.random() < 0.4:
            return
        names = ["/".join(c) for c in self.history.model.collections]
        rest = prunable(self.pruned)
        (ids, a), (ids_there, b) = self.both(ask, names, self.history.vectors(1))
        lost = {name: self.judge(name, ids[name], ids_there[name], a[name], b[name])
                for name in names}
        for text in differences(a, b, () if EXACT else {
                (name, rid) for name in names for rid in lost[name]}):
            self.say("not as without a prune: " + text)
        for name in names:
            c = said.get(ids[name], {"refused": False})
            self.refused += c["refused"]
            unclear = self.history.unclear[name.split("/")[2]]
            if c["refused"] and not lost[name] and name not in self.astray and any(
                    unclear.get(i) != "unclear" for i in c["ids"]):
                self.say("%s: refused, and nothing is lost: %s" % (name, c))
            if not c["refused"] and rest.get(ids[name]):
                self.say("%s: %d rows not pruned: %s" % (name, rest[ids[name]], c))
        if (status == 1) != any(c["refused"] for c in said.values()):
            self.say("status %d: %s" % (status, said))

    def judge(self, name, topic, topic_there, here, there):
        """The ids whose vectors Chroma itself has lost; none may be lost to the prune."""
        records = self.history.model.collections[tuple(name.split("/"))]
        if set(there["records"]) != set(records):
            if name not in self.astray:
                print("# batch %d: %s: Chroma itself has other ids" % (self.n, name))
            self.astray.add(name)
        lost = set()
        for rid, r in records.items():
            def right(said):
                got = said["records"].get(rid, [None])[0]
                return close(got, r["embedding"]) if name.split("/")[2] in ("cosine", "configured") \
                    else got == r["embedding"]
            if right(there) and right(here):
                continue
            lost.add(rid)
            kept = in_log(self.pruned, topic, rid, r["embedding"])
            if right(there) and EXACT:
                self.say("%s: %r has another vector" % (name, rid))
            elif not kept and in_log(self.twin, topic_there, rid, r["embedding"]) and not right(here):
                self.say("%s: %r: Chroma lost its vector, and now the log has" % (name, rid))
        self.lost = max(self.lost, len(lost))
        return lost


def main():
    work, seed = sys.argv[1], int(sys.argv[2])
    batches = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    trial = Trial(work, seed)
    trial.start()
    for n in range(1, batches + 1):
        trial.step(n, n == batches)
        if len(trial.wrong) > 10:
            break
    print("# %d rows pruned, %d refusals, %d vectors lost by Chroma" % (
        trial.rows, trial.refused, trial.lost))
    if not trial.rows and (trial.off or not PURGES):
        trial.say("nothing was ever pruned")
    return bool(trial.wrong)


if __name__ == "__main__":
    sys.exit(main())
