#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A pruned directory, its twin that was not pruned, and the Chroma that wrote both.

usage: prune.py PRUNED TWIN EXPECTED SEED RESULTS       (python of the Chroma in question)

Both must give the same answers, and those of EXPECTED, before and after the same writes, which
must last over two restarts. Both are changed. RESULTS gets lines "STATUS NAME" (0: good).

Chroma loses updates by itself: where a search in its graph does not come across another live
record, hnswlib forgets to write the new vector to the files. The twin tells: what it has lost in the
same way is not held against the prune. In Rust the graph is chance, and so is what it loses. Such a
Chroma gets more than one try on the same two directories, and what fails is what fails each time.
"""
import json
import os
import shutil
import sqlite3
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fresh import EXACT, answers, close, differences, do_and_answer, fresh  # noqa: E402
from model import Model, Operations  # noqa: E402

SHOWN = 10
TRIES = 1 if EXACT else 4
VECTOR = ": vector "


def wrong(said, model, spaces):
    """Where answers are not what the model says."""
    for where, records in model.collections.items():
        name = "/".join(where)
        got = said[name]["records"]
        if said[name]["count"] != len(records):
            yield "%s: count %d, not %d" % (name, said[name]["count"], len(records))
        for i in sorted(set(got) ^ set(records)):
            yield "%s: %s %r" % (name, "missing" if i in records else "not expected", i)
        for i in sorted(set(got) & set(records)):
            vector, metadata, document = got[i]
            r = records[i]
            if vector != r["embedding"] and not (
                    spaces[name] == "cosine" and close(vector, r["embedding"])):
                yield "%s: %r%s%s, not %s" % (name, i, VECTOR, vector, r["embedding"])
            if (metadata or None) != (r["metadata"] or None) or document != r["document"]:
                yield "%s: %r: %s, not %s" % (name, i, got[i][1:], r)


def fulltext_in_the_way(db):
    """See tests/data/persist/make.py: such a Chroma cannot add a document any more."""
    con = sqlite3.connect(os.path.join(db, "chroma.sqlite3"))
    try:
        return con.execute("SELECT EXISTS (SELECT 1 FROM embedding_fulltext_search_content"
                           " WHERE id > (SELECT max(id) FROM embeddings))").fetchone()[0]
    finally:
        con.close()


def newest(db):
    con = sqlite3.connect(os.path.join(db, "chroma.sqlite3"))
    n, = con.execute("SELECT max(seq_id) FROM embeddings_queue").fetchone()
    con.close()
    return n


def write(some, model, documents):
    """Of every kind, on ids old and new, in every collection; more in some than a threshold."""
    ops = []
    for n, where in enumerate(sorted(model.collections)):
        kw = {"documents": documents}
        many = 30 if n % 2 else 2
        new = some.new_ids(many)
        old = some.live(where, 12)
        ops.append(some.one("add", where, new, **kw))
        ops.append(some.one("upsert", where, some.live(where, 4) + some.new_ids(3), **kw))
        ops.append(some.one("update", where, some.live(where, 6), **kw))
        ops.append(some.one("update", where, some.live(where, 3), vectors=False, **kw))
        for ids in (old[:len(old) // 3 + 1], new[:1]):
            ids = [i for i in ids if i in model.collections[where]]
            if ids:
                ops.append(some.one("delete", where, ids))
    return ops


def trial(pruned, twin, expected, seed):
    """{name of a check: what is wrong}"""
    spaces = {"/".join([c["tenant"], c["database"], c["name"]]): c["space"]
              for c in expected["collections"]}
    model = Model.of(expected)
    some = Operations(model, seed, expected["dim"])
    names = [list(c) for c in model.collections]
    queries = some.vectors(3)
    found = {}

    def both(task, *args):
        return [fresh(task, db, *args) for db in (pruned, twin)]

    def compare(name, a, b):
        found[name + ": as without a prune"] = list(differences(a, b))
        lost = {x for x in wrong(b, model, spaces) if VECTOR in x}
        for text in lost:
            print("# %s: not pruned, and lost: %s" % (name, text))
        found[name + ": what was written"] = [
            x for x in wrong(a, model, spaces) if x not in lost]

    compare("first answers", *both(answers, names, queries))
    for n in (1, 2):
        before = newest(pruned)
        ops = write(some, model, not fulltext_in_the_way(pruned))
        (raised, a), (raised_there, b) = both(do_and_answer, ops, names, queries)
        found["writes %d: accepted" % n] = [x for x in raised + raised_there if x]
        compare("writes %d" % n, a, b)
        found["writes %d: seq_ids go on" % n] = \
            [] if before < newest(pruned) == newest(twin) else [newest(pruned), newest(twin)]
        compare("restart %d" % n, *both(answers, names, queries))
    return found


def main():
    *dbs, path, seed, results = sys.argv[1:]
    with open(path, encoding="utf-8") as f:
        expected = json.load(f)
    for db in dbs:
        shutil.copytree(db, db + ".kept")
    failed = None
    for n in range(1, TRIES + 1):
        found = trial(*dbs, expected, int(seed))
        bad = {name for name in found if found[name]}
        failed = bad if failed is None else failed & bad
        for name in found:
            for text in found[name][:SHOWN]:
                print("# try %d: %s: %s" % (n, name, text))
        if not failed:
            break
        for db in dbs:
            shutil.rmtree(db)
            shutil.copytree(db + ".kept", db)
    for db in dbs:
        shutil.rmtree(db + ".kept")
    with open(results, "w", encoding="utf-8") as f:
        f.writelines("%d %s\n" % (name in failed, name) for name in found)


if __name__ == "__main__":
    main()
