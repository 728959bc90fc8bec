#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What chroma-rebuild and chroma-commit leave, in the Chroma that wrote it.

usage: rebuild.py BASE WORK SEED RESULTS OPERATION...   (python of the Chroma in question)

BASE holds db and expected.json and is only copied. OPERATION: rebuild, commit, commit-prune, l2,
ip, cosine (a rebuild with that space), parameters (a rebuild with others). RESULTS gets lines
"STATUS NAME" (0: good).

After each, all records, filters and counts must be what a model says, the distances those of the
space, and of the true nearest as many found as in a copy that nothing was done to; the same after
more writes and two restarts. Chroma loses updates by itself (see prune.py), and in Rust a graph is
chance. So what goes wrong then is tried again with other writes, and what fails is what fails each
time.
"""
import copy
import json
import os
import random
import shutil
import statistics
import struct
import subprocess
import sys

import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from fresh import (CONTAINS, DEFAULTS, VERSION, Store, answers, do,  # noqa: E402
                   do_and_answer, fresh)
from model import Model, Operations  # noqa: E402
from prune import fulltext_in_the_way, wrong, write  # noqa: E402

TRIES = 3
SHOWN = 5
QUERIES = 24
CHANGED = {"M": 20, "ef_construction": 150, "ef_search": 77}
COMMANDS = {"rebuild": [["chroma-rebuild"]], "commit": [["chroma-commit"]],
            "commit-prune": [["chroma-commit"], ["chroma-prune"]],
            "parameters": [["chroma-rebuild"] + [
                "--%s=%d" % (k.replace("_", "-"), v) for k, v in CHANGED.items()]]}
for _space in ("l2", "ip", "cosine"):
    COMMANDS[_space] = [["chroma-rebuild", "--space=" + _space]]
Store.nearest = 10


# ---- in a fresh process ----


def parameters(db, collections):
    """{name: what Chroma uses, and what it shows}, of each as far as this Chroma lets one see."""
    store, said = Store(db), {}
    for where in collections:
        col = store.get(where)
        said["/".join(where)] = {
            "used": used(store.client(where[:2]), col),
            "configuration": configuration(getattr(col, "configuration_json", None)),
            "metadata": {k: v for k, v in (col.metadata or {}).items() if k.startswith("hnsw:")}}
    return said


def used(client, col):
    """By a segment in Python. In Rust nothing shows but the distances, and header.bin."""
    if VERSION >= (1, 0, 0):
        return {}
    from chromadb.segment import VectorReader
    server = getattr(client, "_server", client)
    p = server._manager.get_segment(col.id, VectorReader)._params
    return {"space": p.space, "M": p.M, "ef_construction": p.construction_ef,
            "ef_search": p.search_ef}


def configuration(said):
    """Of a configuration as JSON."""
    found = (said or {}).get("hnsw") or (said or {}).get("hnsw_configuration") or {}
    return {("M" if k == "max_neighbors" else k): v for k, v in found.items()
            if k in ("space", "M", "max_neighbors", "ef_construction", "ef_search")}


# ---- what it must be ----


class Truth:
    """What a query must say, by comparing all."""

    def __init__(self, records, space):
        self.ids = sorted(records)
        self.records, self.space = records, space
        self.at = {i: n for n, i in enumerate(self.ids)}
        self.vectors = numpy.array([records[i]["embedding"] for i in self.ids])

    def distances(self, q):
        """Those to all, and what a float32 may be off by."""
        q, v = numpy.array(q), self.vectors
        if self.space == "l2":
            d = ((v - q) ** 2).sum(1)
        else:
            if self.space == "cosine":
                q = q / numpy.linalg.norm(q)
                v = v / numpy.linalg.norm(v, axis=1)[:, None]
            d = 1 - v @ q
        return d, 1e-5 * (1 + (numpy.linalg.norm(q) + numpy.linalg.norm(v, axis=1)) ** 2)

    def judge(self, q, found, allowed):
        """(wrong distances, how many of the true nearest are found, how many there are)"""
        d, off = self.distances(q)
        rows = [self.at[i] for i in allowed]
        n = min(Store.nearest, len(rows))
        if not n or isinstance(found, str):
            return [], 0, n
        last = numpy.sort(d[rows])[n - 1]
        bad = [[i, x] for i, x in found if i not in allowed or abs(d[self.at[i]] - x) >
               off[self.at[i]]]
        hits = {i for i, _ in found if i in allowed and d[self.at[i]] <= last + off[self.at[i]]}
        return bad, min(n, len(hits)), n


def number(r):
    i = (r["metadata"] or {}).get("i")
    return i if type(i) is int else None


def filtered(records):
    """What the filters of Store.ask() must give."""
    def has(r, text):
        return text in (r["document"] or "")
    return {"where": [i for i, r in sorted(records.items())
                      if number(r) is not None and number(r) < 20],
            "contains": [i for i, r in sorted(records.items()) if has(r, CONTAINS)],
            "both": [i for i, r in sorted(records.items())
                     if number(r) is not None and number(r) >= 5 and has(r, "d")]}


def check_filters(said, records, spoilt):
    """spoilt: {filter: ids}, of which Chroma's full-text index is wrong by itself; or None: it may
    also say more than there is."""
    if not records:
        return
    for name, want in filtered(records).items():
        odd = set(said[name]) ^ set(want)
        if name != "where":
            odd -= spoilt["contains"] | spoilt["both"]
            if spoilt["more"]:
                odd -= set(said[name])
        if odd:
            yield "%s: %s" % (name, sorted(odd))


def spoilt_text(db, said, records):
    """See check_filters()."""
    want = filtered(records) if records else {"contains": [], "both": []}
    odd = {n: set(said.get(n, [])) ^ set(want[n]) for n in ("contains", "both")}
    odd["more"] = VERSION < (0, 5, 0) or fulltext_in_the_way(db) or any(odd.values())
    return odd


class Asked:
    """Answers, held against a model."""

    def __init__(self, said, model, spaces, queries):
        self.distances, self.shares = [], {}    # shares: {kind: [found of those there are]}
        for where, records in model.collections.items():
            name = "/".join(where)
            if not records:
                continue
            truth = Truth(records, spaces[name])
            for kind, allowed in (("query", sorted(records)),
                                  ("filtered", filtered(records)["where"])):
                for q, found in zip(queries, said[name].get(kind, [])):
                    bad, hits, n = truth.judge(q, found, set(allowed))
                    if bad:
                        self.distances.append("%s: %s: %s" % (name, kind, bad[:3]))
                    if n:
                        self.shares.setdefault(kind, []).append(hits / n)

    def recall(self, kind):
        return statistics.fmean(self.shares.get(kind) or [1])

    def worse_than(self, other, allowed):
        """Where fewer are found than by other of the same queries, by more than allowed and more
        than chance: an index finds one neighbour and misses another, as the seed has it."""
        for kind, shares in self.shares.items():
            lost = [b - a for a, b in zip(shares, other.shares[kind])]
            mean = statistics.fmean(lost)
            chance = 3 * statistics.pstdev(lost) / len(lost) ** .5
            if mean > allowed + chance:
                yield "%s: %.4f, before %.4f (allowed %.2f, chance %.4f)" % (
                    kind, self.recall(kind), other.recall(kind), allowed, chance)


# ---- the directory ----


def fingerprint(db):
    found = {}
    for d, dirs, names in os.walk(db):
        for n in names + dirs:
            path = os.path.join(d, n)
            st = os.stat(path)
            found[path] = (st.st_ino, st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_mode)
    return found


def index_files(db):
    return {k: v for k, v in fingerprint(db).items() if k.endswith((".bin", ".pickle"))}


def collections_of(db):
    """{name: what chroma-info says of it}"""
    out = subprocess.run(["chroma-info", "-q", "--jsonl", db], stdout=subprocess.PIPE,
                         check=True).stdout
    return {"/".join([c["tenant"], c["database"], c["name"]]): c
            for c in map(json.loads, out.splitlines()) if c["type"] == "collection"}


def headers(db):
    """{name: (M, ef_construction)} of those that have an index"""
    found = {}
    for name, c in collections_of(db).items():
        try:
            with open(os.path.join(db, c["vector_segment"], "header.bin"), "rb") as f:
                head = f.read()
        except FileNotFoundError:
            continue
        found[name] = struct.unpack_from("<Q", head, 76) + struct.unpack_from("<Q", head, 92)
    return found


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, encoding="utf-8", timeout=100)
    return done.returncode, done.stdout


# ---- the trials ----


class Base:
    """The directory that everything begins with."""

    def __init__(self, base, work, seed):
        with open(os.path.join(base, "expected.json"), encoding="utf-8") as f:
            expected = json.load(f)
        self.work, self.seed, self.db = work, seed, os.path.join(work, "base", "db")
        shutil.copytree(os.path.join(base, "db"), self.db, symlinks=True)
        self.some = Operations(Model.of(expected), seed, expected["dim"])
        self.model = self.some.model
        self.spaces = {"/".join([c["tenant"], c["database"], c["name"]]): c["space"]
                       for c in expected["collections"]}
        self.enrich(not fulltext_in_the_way(self.db))
        self.names = [list(c) for c in self.model.collections]
        self.queries = self.some.vectors(QUERIES)
        old = self.copy("old")
        said = fresh(answers, old, self.names, self.queries)
        self.odd = {"/".join(w): spoilt_text(self.db, said["/".join(w)], r)
                    for w, r in self.model.collections.items()}
        # where Chroma has lost a vector by itself
        self.lost = {(name, i) for name in said for i, r in said[name]["records"].items()
                     if r[0] is None or not numpy.allclose(r[0], self.model.collections[
                         tuple(name.split("/"))][i]["embedding"], rtol=1e-5, atol=1e-6)}
        for lost in sorted(self.lost):
            print("# lost by Chroma: %s %r" % lost)
        self.asked = Asked(said, self.model, self.spaces, self.queries)
        self.parameters = fresh(parameters, old, self.names)
        self.headers = headers(self.db)

    def enrich(self, documents):
        """Collections beside those of make.py: one that is larger, two that live in the log."""
        one, ops = self.some.one, []
        for name, space, metadata in (
                ("many", "cosine", {"hnsw:space": "cosine", "hnsw:batch_size": 20,
                                    "hnsw:sync_threshold": 50}),
                ("pending", "l2", None), ("pending-deleted", "l2", None)):
            where = tuple(DEFAULTS + [name])
            op = {"do": "create", "collection": list(where)}
            if metadata:
                op["metadata"] = metadata
            self.model.do(op)
            ops.append(op)
            self.spaces["/".join(where)] = space
            kw = {"documents": documents}
            if name == "pending-deleted":
                ids = self.some.new_ids(7)
                ops += [one("add", where, ids, **kw), one("delete", where, ids)]
                continue
            n = 90 if name == "many" else 20
            for _ in range(3):
                ops.append(one("add", where, self.some.new_ids(n), **kw))
                ops.append(one("update", where, self.some.live(where, n // 3), **kw))
                ops.append(one("delete", where, self.some.live(where, n // 4)))
                ids = self.some.live(where, 5) + self.some.new_ids(3)
                ops.append(one("upsert", where, ids, **kw))
        raised = [r for r in fresh(do, self.db, ops) if r]
        if raised:
            sys.exit("Chroma raises %s" % raised)

    def copy(self, name):
        to = os.path.join(self.work, name, "db")
        subprocess.run(["mkdir", os.path.dirname(to)], check=True)
        subprocess.run(["cp", "-a", self.db, to], check=True)
        return to


class Trial:
    def __init__(self, base, operation):
        self.base, self.operation = base, operation
        self.db = base.copy(operation)
        self.spaces = {n: operation if operation in ("l2", "ip", "cosine") else s
                       for n, s in base.spaces.items()}
        # who was cosine once has a vector that was normalised and multiplied again
        self.loose = {n: "cosine" if "cosine" in (s, base.spaces[n]) else s
                      for n, s in self.spaces.items()}
        self.changed = dict(CHANGED) if operation == "parameters" else \
            {} if operation not in ("l2", "ip", "cosine") else {"space": operation}

    def judge(self, name, bad):
        bad = list(bad)
        lines.append("%d %s: %s\n" % (bool(bad), self.operation, name))
        for text in bad[:SHOWN]:
            print("# %s: %s: %s" % (self.operation, name, text))

    def go(self):
        before = set(os.listdir(os.path.dirname(self.db)))
        for program, *options in COMMANDS[self.operation]:
            force = ["--force"] * (self.operation == "rebuild")
            status, text = run(program, "-y", *force, *options, self.db)
            self.judge(program + " ends with 0", [text] * (status != 0))
        self.judge("nothing is left behind", [
            n for n in os.listdir(self.db) if n.startswith(".")] + sorted(
                set(os.listdir(os.path.dirname(self.db))) - before - {"db.backup"}))
        self.again()
        self.pending()
        self.first()
        self.writes()
        shutil.rmtree(os.path.dirname(self.db))

    def again(self):
        was = fingerprint(self.db)
        for program, *options in COMMANDS[self.operation]:
            for yes in (["-y"], []):
                status, text = run(program, *yes, *options, self.db)
                self.judge(" ".join(["again:", program] + yes), [text] * (
                    status != 0 or not yes and "Nothing to do." not in text.splitlines()))
        now = fingerprint(self.db)
        self.judge("again: no byte changes",
                   [k for k in sorted(set(was) | set(now)) if was.get(k) != now.get(k)])

    def pending(self):
        said = collections_of(self.db)
        self.judge("healthy", ["%s: %s" % (n, c["notes"]) for n, c in said.items()
                               if not c["healthy"]])
        deleted = not self.operation.startswith("commit")
        self.judge("the index has all", [
            "%s: %s, %s" % (n, c["not_in_index"], c["index"]) for n, c in said.items()
            if c["not_in_index"] or deleted and c["index"]["deleted"]])
        if self.operation.startswith("commit"):
            self.judge("nothing is pending", ["%s: %s" % (n, c["wal"]) for n, c in said.items()
                                              if c["wal"]["pending"]])
        if self.operation == "commit-prune":
            self.judge("nothing is prunable", ["%s: %s" % (n, c["wal"]) for n, c in said.items()
                                               if c["wal"]["prunable"]])

    def first(self):
        # (of an index without ids Chroma in Rust makes a new one, whatever it finds)
        base, was = self.base, index_files(self.db)
        live = [c["vector_segment"] for c in collections_of(self.db).values() if c["records"]]
        said = fresh(answers, self.db, base.names, base.queries)
        now = index_files(self.db)
        self.judge("opened and asked: the index files stay as they are", [
            k for k in sorted(was) if was[k] != now.get(k) and k.split(os.sep)[-2] in live])
        for name, bad in self.check(said, base.model, base.queries, base.lost):
            self.judge(name, bad)
        a = Asked(said, base.model, self.spaces, base.queries)
        print("# %s: recall %.3f (before %.3f), filtered %.3f (%.3f)" % (
            self.operation, a.recall("query"), base.asked.recall("query"),
            a.recall("filtered"), base.asked.recall("filtered")))
        self.judge("recall", a.worse_than(base.asked, 0.01))
        self.check_parameters()

    def check(self, said, model, queries, lost=()):
        """(name, what is wrong) of answers"""
        yield "records", [x for x in wrong(said, model, self.loose) if not any(
            x.startswith("%s: %r: vector " % at) for at in lost)]
        yield "filters", [
            "%s: %s" % ("/".join(w), x) for w, r in model.collections.items()
            for x in check_filters(said["/".join(w)], r, self.base.odd["/".join(w)])]
        if not lost:
            yield "distances", Asked(said, model, self.spaces, queries).distances

    def check_parameters(self):
        now, base = fresh(parameters, self.db, self.base.names), self.base.parameters
        bad = {"used": [], "configuration": [], "metadata": []}
        short = {"space": "space", "M": "M", "ef_construction": "construction_ef",
                 "ef_search": "search_ef"}
        for name in now:
            for k in bad:
                want = dict(base[name][k])
                for p, v in self.changed.items():
                    p = "hnsw:" + short[p] if k == "metadata" else p
                    if p in want:
                        want[p] = v
                got = dict(now[name][k])
                if self.changed and k == "configuration":   # what was not shown right is shown now
                    want = {p: v for p, v in want.items() if p in self.changed}
                    got = {p: v for p, v in got.items() if p in self.changed}
                if got != want:
                    bad[k].append("%s: %s, not %s" % (name, got, want))
        self.judge("parameters used", bad["used"])
        self.judge("parameters shown by the configuration", bad["configuration"])
        self.judge("parameters shown by the metadata", bad["metadata"])
        self.judge("parameters in header.bin", self.wrong_headers())

    def wrong_headers(self):
        for name, (m, ef) in headers(self.db).items():
            was = self.base.headers.get(name, (None, None))
            want = self.changed.get("M", was[0]), self.changed.get("ef_construction", was[1])
            if not all(w in (None, x) for w, x in zip(want, (m, ef))):
                yield "%s: %s, not %s" % (name, (m, ef), want)

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

    def write_more(self, rng):
        """{name of a check: what is wrong}"""
        base, found = self.base, {}
        some = copy.deepcopy(base.some)
        some.rng, model = rng, some.model
        queries = some.vectors(QUERIES)
        for n in (1, 2):
            ops = write(some, model, not fulltext_in_the_way(self.db))
            raised, said = fresh(do_and_answer, self.db, ops, base.names, queries)
            found["writes %d: accepted" % n] = [x for x in raised if x]
            for moment in ("writes", "restart"):
                if moment == "restart":
                    said = fresh(answers, self.db, base.names, queries)
                for name, bad in self.check(said, model, queries):
                    found["%s %d: %s" % (moment, n, name)] = list(bad)
                a = Asked(said, model, self.spaces, queries)
                found["%s %d: recall" % (moment, n)] = [
                    "%s: %.3f" % (k, a.recall(k)) for k in a.shares
                    if a.recall(k) < base.asked.recall(k) - 0.05]
                print("# %s: %s %d: recall %.3f, filtered %.3f" % (
                    self.operation, moment, n, a.recall("query"), a.recall("filtered")))
            found["restart %d: header.bin" % n] = list(self.wrong_headers())
        found["the indexes have been written"] = [] if index_files(self.db).items() - index_files(
            self.db + ".kept").items() else ["none"]
        return found


lines = []


def main():
    source, work, seed, results, *operations = sys.argv[1:]
    base = Base(source, os.path.abspath(work), int(seed))
    for operation in operations:
        Trial(base, operation).go()
    with open(results, "w", encoding="utf-8") as f:
        f.writelines(lines)


if __name__ == "__main__":
    main()
