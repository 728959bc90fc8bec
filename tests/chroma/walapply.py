#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""chroma-walapply beside the Chroma in question, on the same pending log.

usage: walapply.py make WORK SEED [all]  a random history in WORK/db, made or gone on with
       walapply.py judge WORK SEED       (python of the Chroma in question)
       walapply.py revive WORK SEED      a Chroma from 1.0 on, that of WORK/db one before 0.5.0

revive: Chroma makes what is missing, writes, and fails on a full-text row that was left behind; then it fails on every
request, until chroma-walapply has applied the log.

all: every record has a document. Python writes null for a document that is left out beside others,
and a Chroma from 1.0 on that meets such a row in the log dies of it, so it cannot be upgraded.

judge: goes on with WORK/db; a copy from half way gets the later rows of the log, by SQL. Of that
there are two copies: one is applied by chroma-walapply, the other one by Chroma, when it is asked.
Then the tables are compared, row for row; Chroma is asked about the first copy as well, which must
not change its tables again, and writes into both. Prints what differs; status 0: nothing does.

Not compared, because Chroma itself has it at random or by the clock:
  created_at of new records; the rowids of max_seq_id, and where Rust writes those of
  embedding_metadata and of the lists (a hash map's order; the order within a list counts);
  the order of keys in schema_str; the pages of the full-text index (what it finds is compared).
Where the two differ on purpose: full-text rows of no record (Chroma 0.4 leaves them when it deletes,
and the upgrade to 0.4.6 makes wrong ones), and what a new record finds under its number.
"""
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]
from fresh import DEFAULTS, VERSION, Store, differences, fresh  # noqa: E402

DIM = 3
NAMES = ["alpha", "beta", "late"]    # in the order of the catalog: record numbers depend on it
RUST = VERSION >= (1, 0, 0)
LISTS = VERSION >= (1, 5, 0)
WORDS = ["", "a", "zwei words", "☃ snow", "\U0001f600 \"quoted\" \\ / \b\n\t\x7f", "x" * 50,
         "d\u00e9j\u00e0 vu", "ab"]
KEYS = ["i", "f", "s", "b", "any", "k e\"y ☃", "n\\l", "list", "other"]


def connect(db):
    return sqlite3.connect(os.path.join(db, "chroma.sqlite3"))


class History:
    """Operations on few ids, of every kind that the client lets through."""

    def __init__(self, seed, every=RUST):
        self.rng, self.every = random.Random(seed), every

    def scalar(self):
        r = self.rng
        return r.choice([r.randrange(-5, 5), 2 ** 53 + 1, -2 ** 63, 2 ** 63 - 1, 0.1, 2.0, -0.0, 1e300,
                         r.random() * 10 ** r.randrange(-20, 20), r.random(), True, False,
                         r.choice(WORDS), r.choice(WORDS)])

    def value(self, nulls):
        r = self.rng
        if nulls and r.random() < 0.25:
            return None
        if LISTS and r.random() < 0.25:
            some = r.choice([[1, 2, 3], [1.5, 2.0], ["b", "a", "☃"], [True, False], [2.5, 1e9], [""],
                             [7], [-0.0]])
            return some[:r.randint(1, len(some))]
        return self.scalar()

    def metadata(self, nulls):
        n = self.rng.choice([0, 1, 1, 2, 3, 5])
        if n == 0:
            return None
        return {k: self.value(nulls) for k in self.rng.sample(KEYS, n)}

    def one(self, name):
        r = self.rng
        ids = ["id %d ☃" % i for i in r.sample(range(25), r.randint(1, 5))]
        what = r.choice(["add", "add", "upsert", "upsert", "update", "update", "update", "delete"])
        op = {"do": what, "collection": DEFAULTS + [name], "ids": ids}
        if what == "delete":
            return op
        metadatas = [self.metadata(what != "add") for _ in ids]
        if any(metadatas):
            op["metadatas"] = metadatas
        if what != "update" or r.random() < 0.6:
            op["embeddings"] = [[r.randrange(-99, 99) / 16 for _ in range(DIM)] for _ in ids]
            if r.random() < 0.7:
                op["documents"] = [r.choice([None, "document %d" % r.randrange(20)] + WORDS)
                                   for _ in ids]
                if self.every or r.random() < 0.5:
                    op["documents"] = [d or "text" for d in op["documents"]]
            if VERSION >= (0, 4, 15) and r.random() < 0.2:
                op["uris"] = ["file:///%d" % r.randrange(9) for _ in ids]
        elif "metadatas" not in op:
            op["metadatas"] = [{"other": 1} for _ in ids]
        return op

    def batch(self, names):
        return [self.one(self.rng.choice(names)) for _ in range(self.rng.randint(3, 25))]


def create(db):
    store = Store(db)
    client = store.client(DEFAULTS)
    there = [c if isinstance(c, str) else c.name for c in client.list_collections()]
    for name in NAMES:
        if name not in there:
            meta = {"hnsw:sync_threshold": 7, "hnsw:batch_size": 3} if name == "alpha" else None
            client.create_collection(name, embedding_function=None, metadata=meta)
    return None


def run(db, ops):
    return Store(db).do(ops)


def ask(db, names=NAMES):
    return Store(db).answers([DEFAULTS + [n] for n in names], [])


def purge_off(db):
    con = connect(db)
    with con:
        if con.execute("SELECT 1 FROM sqlite_master WHERE name = 'embeddings_queue_config'").fetchall():
            con.execute("INSERT OR REPLACE INTO embeddings_queue_config (id, config_json_str) VALUES"
                        ' (1, \'{"automatically_purge": false,'
                        ' "_type": "EmbeddingsQueueConfigurationInternal"}\')')
    con.close()


def make(work, seed, every):
    db, history = os.path.join(work, "db"), History(seed, every)
    os.makedirs(db, exist_ok=True)
    fresh(create, db)
    purge_off(db)
    for _ in range(3):
        fresh(run, db, history.batch(NAMES[:2]))


def lag(behind, db):
    """Give the directory of half way the log of the whole."""
    con = connect(behind)
    con.execute("ATTACH ? AS whole", (os.path.join(db, "chroma.sqlite3"),))
    with con:
        con.execute("INSERT INTO embeddings_queue SELECT * FROM whole.embeddings_queue WHERE seq_id >"
                    " (SELECT coalesce(max(seq_id), 0) FROM main.embeddings_queue)")
        con.execute("UPDATE collections SET dimension = (SELECT dimension FROM whole.collections w"
                    " WHERE w.id = collections.id)")
    con.close()


def tables(db):
    """{table: rows}, without what docstring and shadow tables leave out"""
    con = connect(db)
    con.text_factory = bytes
    names = [n.decode() for (n,) in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    text = next(n for n in names if n in ("embedding_fulltext_search", "embedding_fulltext"))
    said = {}
    for n in names:
        if n.startswith(text) or n in ("acquire_write", "maintenance_log"):
            continue
        columns = [c[1].decode() for c in con.execute("PRAGMA table_info(%s)" % n)]
        order = "rowid" if n == "embedding_metadata_array" or (n == "embedding_metadata" and not RUST) \
            else ", ".join("typeof(%s), %s" % (c, c) for c in columns)
        what = ", ".join("typeof(%s), %s" % (c, c) for c in columns)
        if n == "embedding_metadata" and not RUST:
            what += ", rowid"
        said[n] = con.execute("SELECT %s FROM %s ORDER BY %s" % (what, n, order)).fetchall()
        if n == "embedding_metadata_array":
            said[n].sort(key=lambda r: (r[1], r[3]))
        if n == "collections" and "schema_str" in columns:
            at = 2 * columns.index("schema_str") + 1
            said[n] = [r[:at] + (r[at] and json.loads(r[at]),) + r[at + 1:] for r in said[n]]
        if n == "max_seq_id":   # of vector segments: when Chroma writes an index is its own matter
            metadata = {i for (i,) in con.execute("SELECT id FROM segments WHERE scope = 'METADATA'")}
            said[n] = [r for r in said[n] if r[1] in metadata]
    said["text"] = dict(con.execute("SELECT %s, string_value FROM %s" % (
        "rowid" if text.endswith("search") else "id", text)))
    said["documents"] = dict(con.execute("SELECT id, string_value FROM embedding_metadata"
                                         " WHERE key = 'chroma:document'"))
    # of who was there before, the time stands
    said["created_at"] = {r[0]: r[1] for r in con.execute("SELECT id, created_at FROM embeddings")}
    at = 2 * 4
    said["embeddings"] = [r[:at] + r[at + 2:] for r in said["embeddings"]]
    with con:
        con.execute("INSERT INTO %s (%s) VALUES ('integrity-check')" % (text, text))
    con.close()
    return said


def compare(a, b, what):
    for n in sorted(set(a) | set(b)):
        if n in ("text", "created_at", "documents"):
            continue
        if a.get(n) != b.get(n):
            x, y = a.get(n), b.get(n)
            if isinstance(x, list) and isinstance(y, list):
                x, y = [r for r in x if r not in y], [r for r in y if r not in x]
            yield "%s: %s: %s\n  %s" % (what, n, str(x)[:300], str(y)[:300])
    for number, text in a["text"].items():
        if b["text"].get(number, "none") != text:
            yield "%s: full text of %d: %r, %r" % (what, number, text, b["text"].get(number, "none"))
    for number in set(b["text"]) - set(a["text"]):
        if number in a["documents"]:
            yield "%s: full text of %d is missing" % (what, number)


def walapply(db, *options):
    done = subprocess.run(["chroma-walapply", *options, db], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, encoding="utf-8")
    return done.returncode, done.stdout


class Judge:
    def __init__(self, work, seed):
        self.work, self.wrong = work, []
        self.db, self.behind, self.ours, self.theirs = (os.path.join(work, d) for d in (
            "db", "behind", "ours", "theirs"))
        self.history = History(seed)

    def say(self, texts):
        for text in texts:
            self.wrong.append(text)
            if len(self.wrong) < 6:
                print(text[:700])

    def prepare(self):
        fresh(create, self.db)
        purge_off(self.db)
        fresh(ask, self.db)
        fresh(run, self.db, self.history.batch(NAMES[:2]))
        for d in (self.behind, self.ours, self.theirs):
            shutil.rmtree(d, ignore_errors=True)
        shutil.copytree(self.db, self.behind)
        raised = []
        for _ in range(3):
            raised += fresh(run, self.db, self.history.batch(NAMES))
        print("# %d operations, %d refused by the client" % (len(raised), sum(map(bool, raised))))
        lag(self.behind, self.db)
        for d in (self.ours, self.theirs):
            shutil.copytree(self.behind, d)

    def run(self):
        self.prepare()
        clean = tables(self.behind)
        status, said = walapply(self.ours, "-n")
        plan = json.loads(said.splitlines()[-1])
        if tables(self.ours) != clean:
            self.say(["-n has changed it"])
        status, said = walapply(self.ours)
        receipt = json.loads(said.splitlines()[-1])
        if status or not receipt["wal_entries_applied"]:
            self.say(["chroma-walapply ended with %d: %s" % (status, said)])
        keys = ("applied", "added", "updated", "deleted", "ignored", "metadata_seq_id_after")
        for c, d in zip(plan["collections"], receipt["collections"]):
            if any(c[k] != d[k] for k in keys):
                self.say(["-n said %s, it was %s" % (c, d)])
        print("# %d rows, %s" % (receipt["wal_entries_applied"], [
            [c[k] for k in keys[1:5] + ("repaired",)] for c in receipt["collections"]]))
        a = tables(self.ours)
        theirs = fresh(ask, self.theirs)
        b = tables(self.theirs)
        self.say(compare(a, b, "tables"))
        stale = [n for n, t in a["text"].items() if a["documents"].get(n) != t]
        if VERSION >= (0, 5, 0) and stale and not set(stale) <= set(clean["text"]):
            self.say(["full text of no document: %s" % stale])
        for number, at in clean["created_at"].items():
            if a["created_at"].get(number, at) != b["created_at"].get(number, at):
                self.say(["created_at of %d" % number])
        if walapply(self.ours)[1].count('"applied":0') != len(receipt["collections"]):
            self.say(["a second run finds something"])
        ours = fresh(ask, self.ours)
        self.say(differences(ours, theirs))
        self.say(compare(a, tables(self.ours), "after Chroma has looked"))
        self.go_on()

    def go_on(self):
        ops = self.history.batch(NAMES)
        if fresh(run, self.ours, ops) != fresh(run, self.theirs, ops):
            self.say(["new writes: other errors"])
        self.say(differences(fresh(ask, self.ours), fresh(ask, self.theirs)))
        a, b = tables(self.ours), tables(self.theirs)
        del a["embeddings_queue"], b["embeddings_queue"]    # each has its own time
        self.say(compare(a, b, "after new writes"))


def revive(work, seed):
    db, history = os.path.join(work, "db"), History(seed)
    dead = []
    fresh(create, db)
    for _ in range(9):
        raised = fresh(run, db, history.batch(NAMES[:2]))
        dead = [n for n in NAMES if not answers(db, n)]
        if dead:
            break
    print("# %d operations raised something; dead: %s" % (len(list(filter(None, raised))), dead))
    status, said = walapply(db)
    receipt = json.loads(said.splitlines()[-1])
    print("# status %d, repaired %s" % (status, [c["repaired"] for c in receipt["collections"]]))
    before = tables(db)
    still = [n for n in NAMES if not answers(db, n)]
    wrong = list(compare(before, tables(db), "after Chroma has looked"))
    print("\n".join(wrong), still)
    return bool(not dead or status or wrong or still)


def answers(db, name):
    try:
        return bool(fresh(ask, db, [name]))
    except SystemExit:
        return False


def main():
    what, work, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if what == "make":
        make(work, seed, RUST or "all" in sys.argv)
        return 0
    if what == "revive":
        return revive(work, seed)
    judge = Judge(work, seed)
    judge.run()
    return bool(judge.wrong)


if __name__ == "__main__":
    sys.exit(main())
