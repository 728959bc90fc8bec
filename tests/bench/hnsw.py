#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our index builder beside hnswlib: seconds, recall, and work per query.

usage: BUILD_DIR=DIR VENVS=DIR hnsw.py [options] [SET...]

SET is a name of SETS below, or NAME:COUNTxDIM (emb:100000x768).  --mini=FILE: real embeddings
(.npy, float16 or float32, cosine), whose last ones are the queries; their set is called mini.

What is compared: bench_hnsw of BUILD_DIR; hnswlib as Chroma ships it (VENVS/0.6.3, built for any
x86-64) and hnswlib built here with -march=native (VENVS/hnswlib-native, see setup.sh), with the same
M, ef_construction and threads.  They take turns; CPU and wall seconds are medians.  Ours: the whole
process without the writing.  Theirs: init_index() and add_items() alone, without Python's start and the
reading of the vectors.

Recall@10 is measured against exact distances in float64; what is as near as the tenth counts.  Both
indexes are searched by hnswsearch, which is checked against hnswlib's own answers, and counts distances.
The table has, for ef 10, 50, 100 and 200: the recall of both; the difference in points; and the
difference at equal work: our recall, interpolated, at the number of distances that hnswlib computed
("by links": at as many links read, which is how hnswlib itself counts).

Run it with the Python of VENVS/hnswlib-native, or any that has numpy.
"""
import argparse
import json
import math
import os
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import time

import numpy as np

SETS = {  # generator, count, dimension, space
    "emb": ("emb", 50000, 384, "cosine"),
    "uni": ("uni", 50000, 128, "l2"),
    "gauss": ("gauss", 50000, 384, "l2"),
    "dup": ("dup", 50000, 384, "cosine"),
    "tight": ("tight", 50000, 384, "cosine"),
    "nrm": ("nrm", 50000, 384, "l2"),
    "nrmip": ("nrm", 50000, 384, "ip"),
}
EFS = [10, 12, 15, 20, 30, 50, 70, 100, 150, 200, 300]
SHOWN = [10, 50, 100, 200]
K = 10
BLOCK = 4096


# ---- data ----

class Data:
    def __init__(self, args, name):
        self.name, count = name.partition(":")[::2]
        self.title = name
        self.folder = os.path.join(args.work, name.replace(":", "-"))
        os.makedirs(self.folder, exist_ok=True)
        self.base, self.query = self.path("base.f32"), self.path("query.f32")
        if self.name == "mini":
            self.from_npy(args.mini, args.queries)
        else:
            kind, self.count, self.dim, self.space = SETS[self.name]
            if count:
                self.count, self.dim = map(int, count.split("x"))
            self.made_by([args.tool("hnswdata"), kind, str(self.count), str(args.queries), str(self.dim),
                          str(args.seed), self.base, self.query])

    def path(self, name):
        return os.path.join(self.folder, name)

    def made_by(self, command):
        """Run it, unless what is there was made by the same command, from whatever folder."""
        words = " ".join(os.path.basename(word) for word in command)
        try:
            with open(self.path("made-by"), encoding="utf-8") as f:
                if f.read() == words:
                    return
        except OSError:
            pass
        shutil.rmtree(self.folder)
        os.makedirs(self.folder)
        subprocess.run(command, check=True)
        with open(self.path("made-by"), "w", encoding="utf-8") as f:
            f.write(words)

    def from_npy(self, path, queries):
        if not path:
            sys.exit("hnsw.py: mini: --mini=FILE is needed")
        x = np.load(path).astype(np.float32)
        x.setflags(write=False)
        self.count, self.dim, self.space = len(x) - queries, x.shape[1], "cosine"
        x[:-queries].tofile(self.base)
        x[-queries:].tofile(self.query)
        if os.path.exists(self.path("kth.npy")):
            os.remove(self.path("kth.npy"))

    def vectors(self):
        return np.memmap(self.base, np.float32, "r").reshape(-1, self.dim)

    def queries(self):
        q = np.fromfile(self.query, np.float32).reshape(-1, self.dim).astype(np.float64)
        if self.space == "cosine":
            q /= np.linalg.norm(q, axis=1, keepdims=True)
        return q

    def rows(self, at):
        x = self.vectors()[at].astype(np.float64)
        if self.space == "cosine":
            x /= np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-300)
        return x

    def kth(self):
        """The exact distance of each query's K-th nearest; kept beside the data."""
        if os.path.exists(self.path("kth.npy")):
            return np.load(self.path("kth.npy"))
        q = self.queries()
        square = (q * q).sum(1)[:, None]
        best = np.full((len(q), K), np.inf)
        for first in range(0, self.count, BLOCK):
            x = self.rows(slice(first, first + BLOCK))
            d = q @ x.T
            d = 1 - d if self.space != "l2" else square - 2 * d + (x * x).sum(1)[None]
            best = np.partition(np.concatenate([best, d], 1), K - 1, axis=1)[:, :K]
        best = best.max(1)
        np.save(self.path("kth.npy"), best)
        return best

    def hits(self, labels):
        """How many of the labels (queries x K, from 1) are among the K nearest, for each query."""
        kth, q = self.kth(), self.queries()
        found = labels != 2 ** 64 - 1
        x = self.rows(np.where(found, labels - 1, 0).astype(np.int64))
        if self.space == "l2":
            d = ((x - q[:, None]) ** 2).sum(2)
        else:
            d = 1 - np.einsum("qkd,qd->qk", x, q)
        return (found & (d <= kth[:, None] + 1e-6 * np.abs(kth[:, None]) + 1e-12)).sum(1)


# ---- building ----

def cost(usage):
    return usage.ru_utime + usage.ru_stime


def build_ours(args, data, out, kernel=None, old=None):
    command = [args.tool("bench_hnsw"), data.base, str(data.dim), data.space, out, str(args.M),
               str(args.efc), str(args.threads)] + args.ours
    if old:
        command += ["0"] * (10 - len(command)) + [old]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                               env=dict(os.environ, CHROMAUTILS_KERNEL=kernel) if kernel else None)
    said = process.stdout.read().strip()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit("hnsw.py: bench_hnsw: status %d" % os.waitstatus_to_exitcode(status))
    return cost(usage), time.monotonic() - began, usage.ru_maxrss / 1024, said


def python(args, venv):
    return os.path.join(args.venvs, venv, "bin", "python")


def build_theirs(args, venv, data, out):
    said = subprocess.run(
        [python(args, venv), os.path.abspath(__file__), "--worker=build", data.base, str(data.dim),
         data.space, str(args.M), str(args.efc), str(args.threads), out],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    return tuple(json.loads(said))


def worker_build(base, dim, space, m, efc, threads, out):
    """In a Python with hnswlib.  M and ef_construction by name: their order is not that of Chroma."""
    import hnswlib
    x = np.fromfile(base, np.float32).reshape(-1, int(dim))
    index = hnswlib.Index(space=space, dim=int(dim))
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    index.init_index(max_elements=len(x), M=int(m), ef_construction=int(efc))
    index.add_items(x, ids=np.arange(1, len(x) + 1), num_threads=int(threads))
    wall, usage = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
    if out != "-":
        index.save_index(out)
    print(json.dumps([cost(usage) - cost(before), wall, usage.ru_maxrss / 1024, ""]))


def worker_ask(directory, dim, space, query, threads, out, *efs):
    """What hnswlib itself answers."""
    import hnswlib
    index = hnswlib.Index(space=space, dim=int(dim))
    with open(os.path.join(directory, "header.bin"), "rb") as f:
        count = struct.unpack_from("<Q", f.read(), 20)[0]
    index.load_index(directory, max_elements=count, is_persistent_index=True)
    q = np.fromfile(query, np.float32).reshape(-1, int(dim))
    answers = []
    for ef in efs:
        index.set_ef(int(ef))
        answers.append(index.knn_query(q, k=K, num_threads=int(threads))[0].astype(np.uint64))
    np.save(out, np.array(answers))


def split(path, folder):
    """hnswlib's one file (saveIndex) as the four that Chroma has (persistDirty)."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)

    def put(name, *parts):
        with open(os.path.join(folder, name), "wb") as f:
            for part in parts:
                f.write(part)

    whole = np.memmap(path, np.uint8, "r")
    header = bytes(whole[:96])
    count, size = struct.unpack_from("<QQ", header, 16)
    at, end = 96, 96 + count * size
    put("header.bin", struct.pack("<i", 1), header)
    put("data_level0.bin", whole[at:end])
    put("length.bin", whole[end:end + 4 * count])
    put("link_lists.bin", whole[end + 4 * count:])
    os.remove(path)


# ---- measuring ----

def search(args, data, folder):
    """[ef] -> (hits of each query, distances a query, links a query, microseconds)."""
    done = subprocess.run(
        [args.tool("hnswsearch"), folder, data.space, data.query, str(K)] + [str(ef) for ef in EFS],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    labels = np.frombuffer(done.stdout, np.uint64).reshape(len(EFS), -1, K)
    result = {}
    for ef, found, line in zip(EFS, labels, done.stderr.decode().splitlines()):
        result[ef] = (data.hits(found),) + tuple(float(x) for x in line.split()[1:])
    return result, dict(zip(EFS, labels))


def check(args, data, folder, labels):
    """The share of hnswsearch's answers that chroma-hnswlib gives, too."""
    out = data.path("asked.npy")
    efs = [10, 100]
    subprocess.run([python(args, "0.6.3"), os.path.abspath(__file__), "--worker=ask", folder,
                    str(data.dim), data.space, data.query, str(args.threads), out] + [str(ef) for ef in efs],
                   check=True)
    same = [len(set(map(int, a)) & set(map(int, b))) / K
            for ef, answer in zip(efs, np.load(out)) for a, b in zip(answer, labels[ef])]
    return statistics.mean(same)


def describe(args, folder):
    said = subprocess.run([args.tool("hnswsearch"), folder], check=True, stdout=subprocess.PIPE, text=True)
    return said.stdout.split()


def at_work(result, work, column):
    """Recall at so much work, between two efs by the logarithm of the work; beyond them, prolonged."""
    points = [(math.log(result[ef][column]), result[ef][0].mean() / K) for ef in EFS]
    x = math.log(work)
    i = 1
    while i < len(points) - 1 and points[i][0] < x:
        i += 1
    (x0, y0), (x1, y1) = points[i - 1], points[i]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0 if x1 > x0 else 1)


# ---- the report ----

def line(text):
    print(text, flush=True)


def report(args, data, runs, ours, theirs, graphs):
    """To standard output; what goes into the tables is returned."""
    line("## %s %d x %d %s, M %d, ef_construction %d, %d threads, %d rounds" % (
        data.title, data.count, data.dim, data.space, args.M, args.efc, args.threads, args.rounds))
    median = {who: [statistics.median(x[i] for x in costs) for i in (0, 1, 2)]
              for who, costs in runs.items()}
    for who, costs in runs.items():
        line("%-12s cpu %8.2f s (%.2f-%.2f)  wall %7.2f s  peak %5.0f MiB%s" % (
            who, median[who][0], min(x[0] for x in costs), max(x[0] for x in costs), median[who][1],
            median[who][2], "" if costs[-1][3] else "  ratio cpu %.2f wall %.2f" % tuple(
                median[who][i] / median["ours"][i] for i in (0, 1))))
    line("ours: %s" % runs["ours"][-1][3])
    for who, (count, levels, degree, lost, agreed) in graphs:
        line("%-8s elements %s, levels %s, links %s, unreachable %s, answers as hnswlib's %.4f" % (
            who, count, levels, degree, lost, agreed))
    line("%5s %8s %8s %15s %9s %9s %9s %9s" % ("ef", "ours", "hnswlib", "points", "distances",
                                               "hnswlib's", "at equal", "by links"))
    shown = []
    for ef in SHOWN:
        a, b = ours[ef], theirs[ef]
        delta = (a[0] - b[0]) / K * 100
        equal = [100 * (at_work(ours, b[i], i) - b[0].mean() / K) for i in (1, 2)]
        shown.append([ef, a[0].mean() / K, b[0].mean() / K, delta.mean(),
                      delta.std() / math.sqrt(len(delta)), a[1], b[1]] + equal)
        line("%5d %8.4f %8.4f %+7.2f +-%5.2f %9.0f %9.0f %+9.2f %+9.2f" % tuple(shown[-1]))
    line("lowest: %+.2f points, at equal work %+.2f, by links %+.2f\n" % tuple(
        min(row[i] for row in shown) for i in (3, 7, 8)))
    return {"set": data.name, "count": data.count, "dim": data.dim, "space": data.space, "cost": median,
            "unreachable": [int(g[3]) for _, g in graphs], "links": [float(g[2]) for _, g in graphs],
            "ef": shown}


def tables(rows, out):
    """The tables of docs/BENCH.md. Ratios: CPU by that of each column of ours."""
    who = [w for w in rows[0]["cost"] if w != "ours"]
    out.write("| data | ours, CPU (wall), peak | %s |\n|---|---|%s\n" % (" | ".join(who), "---|" * len(who)))
    for r in rows:
        ours = r["cost"]["ours"]
        cells = ["%s %d x %d %s" % (r["set"], r["count"], r["dim"], r["space"]),
                 "%.2f s (%.2f s), %.0f MiB" % tuple(ours)]
        for w in who:
            c = r["cost"].get(w)
            if not c:
                cells.append("-")
            elif w.startswith("ours"):
                cells.append("%.2f s (%.2f s)" % tuple(c[:2]))
            else:
                cells.append("%.2f s (%.2f s): %s" % (c[0], c[1], " / ".join(
                    "%.1fx" % (c[0] / x[0]) for v, x in r["cost"].items() if v.startswith("ours"))))
        out.write("| %s |\n" % " | ".join(cells))
    out.write("\n| data | %s | links | unreachable |\n|---|%s---|---|\n" % (
        " | ".join("ef %d" % ef for ef in SHOWN), "---|" * len(SHOWN)))
    for name, r in [(n, x) for r in rows for n, x in ((r["set"], r), (r["set"] + ", old graph", r["again"]))]:
        cells = ["%.4f / %.4f, %+.2f (%+.2f)" % (e[1], e[2], e[3], e[7]) for e in r["ef"]]
        out.write("| %s | %s | %s | %s |\n" % (name, " | ".join(cells), " / ".join(            "%.1f" % x for x in r["links"]), " / ".join("%d" % x for x in r["unreachable"])))


def measure(args, data, own):
    """All in turns: what each run cost, and hnswlib's indexes, one of each round.  own: an index of ours."""
    peers = {who: venv for who, venv in {"native": "hnswlib-native", "shipped": "0.6.3"}.items()
             if who in args.peers and os.path.exists(python(args, venv))}
    prefix, runs = "theirs-%d-%d-" % (args.M, args.efc), {"ours": []}
    kept = sorted(data.path(name) for name in os.listdir(data.folder) if name.startswith(prefix))
    again = args.rounds > 0 or not kept
    if again:
        for path in kept:
            shutil.rmtree(path)
        kept = [data.path(prefix + str(i)) for i in range(max(args.rounds, 1))]
    for i in range(max(args.rounds, 1)):
        for kernel in [None] + args.kernels:
            name = "ours" + (", " + kernel if kernel else "")
            runs.setdefault(name, []).append(build_ours(args, data, "-", kernel))
            runs.setdefault(name + ", old graph", []).append(build_ours(args, data, "-", kernel, own))
        for who, venv in peers.items() if again else ():
            keep = who == next(iter(peers))
            runs.setdefault(who, []).append(
                build_theirs(args, venv, data, data.path("saved") if keep else "-"))
            if keep:
                split(data.path("saved"), kept[i])
    return runs, kept


def compare(args, name):
    data = Data(args, name)
    own, again = data.path("ours"), data.path("ours-old-graph")
    for path in own, again:
        shutil.rmtree(path, ignore_errors=True)
    build_ours(args, data, own)
    build_ours(args, data, again, None, own)
    runs, kept = measure(args, data, own)
    graphs, found = [], []
    for path in [own, again] + kept:
        result, labels = search(args, data, path)
        agreed = check(args, data, path, labels) if args.check and len(found) < 3 else float("nan")
        if len(found) < 3:
            graphs.append((["ours", "again", "hnswlib"][len(found)], describe(args, path) + [agreed]))
        found.append(result)
    # hnswlib's indexes differ, as its threads meet: the mean of all of them
    theirs = {ef: tuple(np.mean([r[ef][i] for r in found[2:]], axis=0) for i in range(4)) for ef in EFS}
    row = report(args, data, runs, found[0], theirs, [graphs[0], graphs[2]])
    line("with the old graph:")
    row["again"] = report(args, data, runs, found[1], theirs, graphs[1:])
    return row


def main():
    if len(sys.argv) > 1 and sys.argv[1].startswith("--worker="):
        {"build": worker_build, "ask": worker_ask}[sys.argv[1].split("=")[1]](*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--M", type=int, default=16)
    parser.add_argument("--efc", type=int, default=100)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3,
                        help="0: build ours once, and use the hnswlib index of an earlier run")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mini", help="a .npy of real embeddings")
    parser.add_argument("--peers", default="native,shipped", type=lambda x: x.split(","))
    parser.add_argument("--kernels", default=[], type=lambda x: x.split(","),
                        help="also time ours with these (avx2,portable)")
    parser.add_argument("--tables", metavar="FILE", help="write the tables of docs/BENCH.md to FILE")
    parser.add_argument("--no-check", dest="check", action="store_false")
    parser.add_argument("--ours", default=[], type=str.split, help="more arguments for bench_hnsw")
    parser.add_argument("--work", default=os.path.join(os.environ.get("TMPDIR", "/tmp"), "chroma-hnsw"))
    parser.add_argument("sets", nargs="*", metavar="SET")
    args = parser.parse_args()
    args.venvs = os.environ["VENVS"]
    args.tool = lambda name: os.path.join(os.environ["BUILD_DIR"], "tests", "bench", name)
    rows = []
    for name in args.sets or (["mini"] if args.mini else []) + list(SETS):
        rows.append(compare(args, name))
        if args.tables:
            with open(args.tables, "w", encoding="utf-8") as f:
                tables(rows, f)


if __name__ == "__main__":
    main()
