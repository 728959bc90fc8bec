#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""chroma-hnswbuild --install beside a Chroma that was there before it, or that comes meanwhile.

usage: install_server.py DIR WORK RESULTS         (python of the Chroma in question)

As prune_server.py, which has the Chromas; the index is that of another collection than the one they
write to.
"""
import os
import subprocess
import sys
import time

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__))]
import prune_server  # noqa: E402
from fresh import DEFAULTS, VERSION  # noqa: E402
from install import everything, segment  # noqa: E402
from prune_server import SLOW, Case, Client, ServerClient, fingerprint, judge, lines  # noqa: E402

NAME = "/".join(DEFAULTS + ["ip-vectors"])


class Install(Case):
    def __init__(self, name):
        super().__init__(name)
        self.id = [c["id"] for c in everything_of(self.db) if c.get("name") == "ip-vectors" and
                   c.get("tenant") == DEFAULTS[0]][0]
        self.old = segment(self.db, self.id)
        self.stream = os.path.join(self.work, "stream")
        with open(self.stream, "wb") as f:
            for command in (["chroma-hnswdump", "-b"], ["chroma-walexport", "-qb"]):
                subprocess.run([*command, "-c", self.id, self.db], stdout=f, check=True)

    def command(self):
        return ["chroma-hnswbuild", "-q", "--threads=1", "--install=" + self.db, "-c", self.id,
                "--no-backup", self.stream]


def everything_of(db):
    import json
    done = subprocess.run(["chroma-info", "-q", "--jsonl", db], stdout=subprocess.PIPE, check=True)
    return [json.loads(x) for x in done.stdout.splitlines()]


def there_before(kind):
    c = Install(kind.__name__ + " before")
    other = kind(c.db)
    other.wait()
    before = fingerprint(c.db)
    done = subprocess.run(c.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, encoding="utf-8")
    c.busy(done.returncode, done.stderr, other.pid, before, fingerprint(c.db))
    judge(c.name + ": no directory is left", segment(c.db, c.id) != c.old or
          [n for n in os.listdir(c.db) if n.startswith(".")])
    c.afterwards(other.work())


def comes_during(kind, call, when, want, delay=SLOW):
    """strace lets that call take so long.  want: the status."""
    c = Install("%s during %s %d" % (kind.__name__, call, when))
    trace = os.path.join(c.work, "trace")
    tables = everything(c.db)[0]
    install = subprocess.Popen(
        ["strace", "-f", "--seccomp-bpf", "-o", trace, "-e", "trace=" + call, "-e",
         "inject=%s:delay_enter=%ds:when=%d" % (call, delay, when), *c.command()],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    for _ in range(1000):
        if os.path.exists(trace):
            with open(trace, encoding="utf-8", errors="replace") as f:
                if f.read().count(call + "(") >= when:
                    break
        time.sleep(0.01)
    other = kind(c.db)
    _, text = install.communicate()
    wrong = other.wait()
    now = segment(c.db, c.id)
    judge(c.name + ": status %d" % want, install.returncode != want,
          "%d: %s" % (install.returncode, text))
    if want:
        judge(c.name + ": pid and command are named", "%d (" % other.pid not in text, text)
        judge(c.name + ": the old index", now != c.old)
        after = everything(c.db)[0]
        judge(c.name + ": the same tables", [t for t in tables if t not in after or (
            t.startswith("segment") and tables[t] != after[t])])
    else:
        judge(c.name + ": the new index", now == c.old)
        judge(c.name + ": and it alone", os.path.exists(os.path.join(c.db, c.old)))
    judge(c.name + ": it is there", not os.path.exists(os.path.join(c.db, now)))
    judge(c.name + ": nothing else is", sorted(
        n for n in os.listdir(c.db) if n.startswith(".") or os.path.exists(
            os.path.join(c.db, n, "chromautils.unfinished"))))
    c.afterwards(wrong or other.work())


def main():
    # before the claim; the journal, the name, the commit: under the lock; the old files
    there_before(Client)
    comes_during(Client, "fsync", 1, 5)
    comes_during(Client, "renameat2", 1, 0)
    comes_during(Client, "fdatasync", 1, 0)
    comes_during(Client, "unlinkat", 2, 0)
    if VERSION >= (1, 0, 0):
        there_before(ServerClient)
        comes_during(ServerClient, "renameat2", 1, 0, 2 * SLOW)
        comes_during(ServerClient, "fsync", 1, 5, 4 * SLOW)
    with open(prune_server.RESULTS, "w", encoding="utf-8") as f:
        f.writelines(lines)


if __name__ == "__main__":
    main()
