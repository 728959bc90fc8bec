#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""chroma-prune beside a Chroma that was there before it, or that comes while it works; and
chroma-commit and chroma-rebuild beside one that was there before.

usage: prune_server.py DIR WORK RESULTS         (python of the Chroma in question)

DIR holds db and expected.json and is only copied. RESULTS gets lines "STATUS NAME" (0: good).
"""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "t")]
from fresh import DEFAULTS, VERSION, Store, answers, close, differences, fresh  # noqa: E402
from server import Server  # noqa: E402
from walprune import content, log  # noqa: E402

DOCS = DEFAULTS + ["docs"]
SLOW = 2    # seconds


def fingerprint(db):
    found = {}
    for d, _, names in os.walk(db):
        for n in names:
            path = os.path.join(d, n)
            st = os.stat(path)
            with open(path, "rb") as f:
                found[path] = (st.st_ino, st.st_size, st.st_mtime_ns, st.st_mode,
                               hashlib.sha256(f.read()).hexdigest())
    return found


def judge(name, wrong, text=""):
    lines.append("%d %s\n" % (bool(wrong), name))
    if wrong:
        print("# %s: %s %s" % (name, wrong, text))


class Client:
    """A process that opens the directory and sits there until it is asked to go on."""

    def __init__(self, db):
        self.ready, ready = os.pipe()
        go, self.go = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                col = Store(db).get(DOCS)
                col.count()
                os.write(ready, b"1")
                os.read(go, 1)
                col.add(ids=["added late"], embeddings=[[1] * DIM])
                got = col.get(ids=["added late"], include=["embeddings"])
                status = not close(got["embeddings"][0], [1] * DIM)
            finally:
                os._exit(status)
        os.close(ready)
        os.close(go)

    def wait(self):
        return os.read(self.ready, 1) != b"1"

    def work(self):
        """Add a record. What is wrong, or 0."""
        os.write(self.go, b"1")
        return os.waitpid(self.pid, 0)[1]


class ServerClient:
    """The same of a server."""

    def __init__(self, db):
        self.server = Server(os.path.dirname(db))
        self.pid = self.server.process.pid
        self.col = self.server.client.get_collection("docs", embedding_function=None)
        self.col.count()

    def wait(self):
        return 0

    def work(self):
        try:
            self.col.add(ids=["added late"], embeddings=[[1] * DIM])
            got = self.col.get(ids=["added late"], include=["embeddings"])
            return not close(got["embeddings"][0], [1] * DIM)
        finally:
            self.server.stop()


class Case:
    def __init__(self, name):
        self.name = name
        self.work = os.path.join(WORK, name.replace(" ", "-").replace(":", ""))
        self.db = os.path.join(self.work, "db")
        os.makedirs(self.work)
        subprocess.run(["cp", "-a", os.path.join(BASE, "db"), self.db], check=True)

    def busy(self, status, text, pid, before, after):
        judge(self.name + ": status 5", status != 5, "%d: %s" % (status, text))
        judge(self.name + ": pid and command are named",
              str(pid) not in text or not ("python" in text or "chroma" in text.replace(
                  "chroma-", "").replace("chroma.sqlite3", "")), text)
        judge(self.name + ": nothing changed", sorted(
            k for k in set(before) | set(after) if before.get(k) != after.get(k)))

    def afterwards(self, wrong):
        """The Chroma that was in the way has all, also what it wrote then."""
        judge(self.name + ": Chroma goes on", wrong)
        said = fresh(answers, self.db, NAMES, [])
        got = said["/".join(DOCS)]["records"].pop("added late", None)
        said["/".join(DOCS)]["count"] -= 1
        for key in said["/".join(DOCS)]:
            if isinstance(said["/".join(DOCS)][key], list):
                said["/".join(DOCS)][key] = WANT["/".join(DOCS)][key]
        judge(self.name + ": what it wrote is there",
              not got or not close(got[0], [1] * DIM))
        judge(self.name + ": and all that was", list(differences(said, WANT)))
        done = subprocess.run(["chroma-prune", "-y", self.db], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
        judge(self.name + ": then it is pruned", done.returncode, done.stdout)
        judge(self.name + ": nothing is left behind",
              [n for n in os.listdir(self.db) if n.startswith(".") or "chromautils" in n])


def there_before(kind):
    c = Case(kind.__name__ + " before")
    other = kind(c.db)
    other.wait()
    before, beside = fingerprint(c.db), os.listdir(c.work)
    for command in (["chroma-prune", "--reclaim=rewrite"], ["chroma-prune", "--reclaim=none"],
                    ["chroma-commit"], ["chroma-rebuild", "--force"],
                    ["chroma-rebuild", "--M=20"]):
        done = subprocess.run(command + ["-y", c.db], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
        c.busy(done.returncode, done.stderr, other.pid, before, fingerprint(c.db))
        judge(c.name + ": nothing is beside it", set(os.listdir(c.work)) - set(beside))
    c.afterwards(other.work())


def comes_during(kind, reclaim, call, delay=SLOW):
    """strace lets that call take so long."""
    c = Case("%s during %s: %s" % (kind.__name__, call, reclaim))
    stream, trace = os.path.join(c.work, "stream"), os.path.join(c.work, "trace")
    with open(stream, "wb") as f:
        subprocess.run(["chroma-walexport", "-q", "--prunable", c.db], stdout=f, check=True)
    before, log_before = fingerprint(c.db), log(c.db)
    prune = subprocess.Popen(
        ["strace", "-f", "--seccomp-bpf", "-o", trace, "-e", "trace=" + call, "-e",
         "inject=%s:delay_enter=%ds:when=1" % (call, delay), "chroma-walprune",
         "--reclaim=" + reclaim, c.db, stream],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    for _ in range(1000):
        if os.path.exists(trace) and os.path.getsize(trace):
            break
        time.sleep(0.01)
    other = kind(c.db)
    _, text = prune.communicate()
    wrong = other.wait()
    # (it may have begun to write by now: not to what was there, though)
    after = log(c.db)
    judge(c.name + ": status 5", prune.returncode != 5, "%d: %s" % (prune.returncode, text))
    judge(c.name + ": pid and command are named", "%d (" % other.pid not in text, text)
    judge(c.name + ": all rows are there", after != log_before)
    judge(c.name + ": the same file", os.stat(c.db + "/chroma.sqlite3").st_ino !=
          before[c.db + "/chroma.sqlite3"][0])
    judge(c.name + ": no other left", sorted(
        n for n in os.listdir(c.db) if n.startswith(".") or n not in os.listdir(
            os.path.join(BASE, "db"))))
    c.afterwards(wrong or other.work())


lines = []
BASE, WORK, RESULTS = sys.argv[1:]
with open(os.path.join(BASE, "expected.json"), encoding="utf-8") as expected:
    EXPECTED = json.load(expected)
DIM = EXPECTED["dim"]
NAMES = [[c["tenant"], c["database"], c["name"]] for c in EXPECTED["collections"]]
shutil.copytree(os.path.join(BASE, "db"), os.path.join(WORK, "asked"))
WANT = fresh(answers, os.path.join(WORK, "asked"), NAMES, [])


def main():
    assert content(os.path.join(BASE, "db"))
    there_before(Client)
    comes_during(Client, "rewrite", "fsync")
    comes_during(Client, "rewrite", "renameat2")
    comes_during(Client, "none", "pwrite64")
    comes_during(Client, "vacuum", "pwrite64")
    if VERSION >= (1, 0, 0):
        there_before(ServerClient)
        comes_during(ServerClient, "rewrite", "renameat2", 2 * SLOW)
    with open(RESULTS, "w", encoding="utf-8") as f:
        f.writelines(lines)


if __name__ == "__main__":
    main()
