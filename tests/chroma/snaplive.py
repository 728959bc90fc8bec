#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""chroma-snap beside a Chroma that has the directory open.

usage: snaplive.py KIND WORK SEED RESULTS SNAPSHOTS     (python of the Chroma in question)

KIND: client (a process with a PersistentClient) or server. It writes all the time; what it writes
follows from SEED and a number, so that every moment is a number of writes. Each snapshot that
chroma-snap carves meanwhile must be of one moment, with every record complete, and Chroma must not
have to wait. RESULTS gets lines "STATUS NAME" (0: good).
"""
import hashlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from fresh import DEFAULTS, VERSION, Store, fresh  # noqa: E402
from model import Model, Operations  # noqa: E402

DIM = 8
REST = 0.02
SLOW = 3    # seconds that a write may take
# the first is written to the index often, the second seldom, the third never
NAMES = {"often": (10, 30), "seldom": (50, 400), "never": (100000, 100000)}
PURGES = (0, 5, 6) <= VERSION


class Writes(Operations):
    """Write number n, after all those before it."""

    def __init__(self, seed):
        super().__init__(Model(), seed, DIM)
        self.count = 0
        for name in NAMES:
            self.model.do({"do": "create", "collection": DEFAULTS + [name]})

    def next(self):
        self.count += 1
        where = DEFAULTS + [self.rng.choice(["often", "often", "seldom", "never"])]
        what = self.rng.choice(["add"] * 5 + ["update", "upsert", "delete"])
        records = self.model.collections[tuple(where)]
        if len(records) < 20 or what == "add":
            return self.one("add", where, self.new_ids(self.rng.randint(1, 6)))
        ids = self.live(where, 3)
        if what == "upsert":
            ids += self.new_ids(2)
        return self.one(what, where, ids)


def make(db):
    store = Store(db)
    for name, (batch, sync) in NAMES.items():
        store.client(DEFAULTS).create_collection(name, embedding_function=None, metadata={
            "hnsw:batch_size": batch, "hnsw:sync_threshold": sync})
        store.get(DEFAULTS + [name]).count()
    return 0


class Remote(Store):
    def __init__(self, client):
        super().__init__(None)
        self.clients[tuple(DEFAULTS)] = client


def write_on(store, seed, stop, path):
    """Until there is something to read."""
    writes, times, said = Writes(seed), [], None
    cols = {name: store.get(DEFAULTS + [name]) for name in NAMES}
    while said is None and not select.select([stop], [], [], REST)[0]:
        op = writes.next()
        args = {k: v for k, v in op.items() if k not in ("collection", "do")}
        began = time.monotonic()
        try:
            getattr(cols[op["collection"][2]], op["do"])(**args)
        except Exception as e:  # of many kinds
            said = repr(e)
        times.append(time.monotonic() - began)
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"raised": said, "times": times}, f)


class Child:
    """A process that does something until it is told to stop."""

    def __init__(self, task, *args):
        stop, self.go = os.pipe()
        ready, self.ready = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.close(self.go)
                task(stop, self.ready, *args)
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        os.close(stop)
        os.close(self.ready)
        os.read(ready, 1)
        os.close(ready)

    def end(self):
        os.close(self.go)
        return os.waitpid(self.pid, 0)[1]


def busy_client(stop, ready, db, seed, path):
    store = Store(db)
    for name in NAMES:
        store.get(DEFAULTS + [name]).count()
    os.write(ready, b"1")
    write_on(store, seed, stop, path)


def busy_remote(stop, ready, client, seed, path):
    os.write(ready, b"1")
    write_on(Remote(client), seed, stop, path)


def idle_client(stop, ready, db):
    store = Store(db)
    store.ask(store.get(DEFAULTS + ["often"]), [[1] * DIM])
    os.write(ready, b"1")
    os.read(stop, 1)


def contents(db):
    store = Store(db)
    return {name: store.records(store.get(DEFAULTS + [name])) for name in NAMES}


# ---- which moment a snapshot is of ----


def states(seed, n):
    """The records after each number of writes, by what identifies them without their vectors."""
    writes, found = Writes(seed), {}
    for k in range(n + 1):
        found.setdefault(digest(plain(writes.model)), []).append(k)
        writes.next()
    return found


def plain(model):
    return {w[2]: {i: [r["metadata"], r["document"]] for i, r in c.items()}
            for w, c in model.collections.items()}


def digest(records):
    return hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()


def moment(said, seed, moments):
    """(number of writes or None, what is wrong)"""
    without = {n: {i: r[1:] for i, r in c.items()} for n, c in said.items()}
    found = moments.get(digest(without))
    if not found:
        return None, ["of no moment: %s" % {n: len(c) for n, c in said.items()}]
    writes, bad = Writes(seed), []
    for _ in range(found[0]):
        writes.next()
    for w, records in writes.model.collections.items():
        for i, r in records.items():
            got = said[w[2]][i][0]
            if got != r["embedding"]:
                bad.append("%s: %r: vector %s, not %s" % (w[2], i, got, r["embedding"]))
    return found[0], bad


# ---- the trial ----


def judge(name, bad):
    lines.append("%d %s: %s\n" % (bool(bad), KIND, name))
    for text in list(bad)[:5]:
        print("# %s: %s" % (name, text))


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, encoding="utf-8", timeout=100)
    return done.returncode, done.stdout


def content(db):
    found = {}
    for d, _, names in os.walk(db):
        for n in names:
            with open(os.path.join(d, n), "rb") as f:
                found[os.path.join(d, n)] = hashlib.sha256(f.read()).hexdigest()
    return found


def carve_all(db, n, rng):
    """Snapshots that there are, and what is wrong."""
    paths, bad, busy = [], [], 0
    for k in range(n):
        time.sleep(rng.uniform(0, 0.4))
        path = os.path.join(WORK, "snapshot%d" % k)
        options = ["--log=all"] * rng.randrange(2) + ["-z"] * rng.randrange(2)
        began = time.monotonic()
        status, text = run("chroma-snap", "carve", "-q", "-f", path, *options, db)
        if status == 0:
            paths.append(path)
        elif status == 5:
            busy += 1
            print("# 5 after %.2f s: %s" % (time.monotonic() - began, text.strip()))
        else:
            bad.append("%d: %s" % (status, text))
    print("# %s: %d snapshots, %d times 5" % (KIND, len(paths), busy))
    judge("carve ends with 0 or 5", bad)
    judge("and sometimes with 0", ["never"] * (not paths))
    return paths


def look_at(paths, n):
    moments, last = states(SEED, n), -1
    bad = {"sound": [], "graft": [], "one moment": [], "in order": []}
    for path in paths:
        status, text = run("chroma-snap", "verify", "-q", path)
        bad["sound"] += [text] * bool(status)
        to = path + ".dir"
        status, text = run("chroma-snap", "graft", "-q", to, path)
        if status:
            bad["graft"].append(text)
            continue
        k, wrong = moment(fresh(contents, to), SEED, moments)
        bad["one moment"] += wrong
        if k is not None:
            bad["in order"] += ["%d after %d" % (k, last)] * (k < last)
            last = k
        if not wrong:
            shutil.rmtree(to)
    print("# %s: the last one is of %d of %d writes" % (KIND, last, n))
    for name, wrong in bad.items():
        judge(name, wrong)
    return moments


def busy(db):
    path, server = os.path.join(WORK, "times"), None
    if KIND == "server":
        from server import Server
        server = Server(WORK)
        child = Child(busy_remote, server.client, SEED, path)
    else:
        child = Child(busy_client, db, SEED, path)
    try:
        time.sleep(1)
        paths = carve_all(db, COUNT, random.Random(SEED))
        judge("the writer lives", [1] * bool(child.end()))
    finally:
        if server:
            server.stop()
    with open(path, encoding="utf-8") as f:
        said = json.load(f)
    slow = max(said["times"])
    print("# %s: %d writes, the slowest %.0f ms" % (KIND, len(said["times"]), 1e3 * slow))
    judge("no write fails", [said["raised"]] * bool(said["raised"]))
    judge("no write waits long", [slow] * (slow > SLOW))
    moments = look_at(paths, len(said["times"]))
    k, bad = moment(fresh(contents, db), SEED, moments)
    judge("Chroma has all", bad or [k] * (k != len(said["times"])))
    return len(said["times"]), moments


def idle(db, n, moments):
    """Somebody has it open, and does nothing."""
    child, path = Child(idle_client, db), os.path.join(WORK, "idle")
    before = content(db)
    status, text = run("chroma-snap", "carve", "-q", "-f", path, db)
    judge("idle: carve", [text] * bool(status))
    for options in (["--as=new", "-c", "often"], ["--replace", "--no-backup"]):
        status, text = run("chroma-snap", "graft", *options, db, path)
        judge("idle: graft %s: 5" % options[0], [text] * (status != 5))
    now = content(db)
    judge("idle: nothing changed", [k for k in sorted(set(before) | set(now))
                                    if before.get(k) != now.get(k)])
    judge("idle: it lives", [1] * bool(child.end()))
    run("chroma-snap", "graft", "-q", path + ".dir", path)
    k, bad = moment(fresh(contents, path + ".dir"), SEED, moments)
    judge("idle: all", bad or [k] * (k != n))


lines = []
KIND, WORK, SEED, RESULTS, COUNT = sys.argv[1:]
SEED, COUNT = int(SEED), int(COUNT)
WORK = os.path.abspath(WORK)


def main():
    db = os.path.join(WORK, "db")
    os.mkdir(db)
    fresh(make, db)
    n, moments = busy(db)
    if KIND == "client":
        idle(db, n, moments)
    with open(RESULTS, "w", encoding="utf-8") as f:
        f.writelines(lines)


if __name__ == "__main__":
    main()
