#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long a reader keeps a writer of chroma.sqlite3 waiting for its lock.

usage: block.py DIR RESULTS        (python3 alone; DIR is written to)

A process inserts a row at a time in rollback mode, as Chroma does, with short pauses, while
readers run. Its COMMIT does not wait inside SQLite but is tried again and again, so the time from
the first "database is locked" until it goes through is what somebody's lock costs. It does not
wait for the disk either: a slow one would take nearly all of the time, and readers would get
little. RESULTS gets lines "STATUS NAME"; the figures are printed.

The law: nobody is kept waiting longer than 100 ms by a reader, also when the reader's output is
not being read. A reader that the kernel does not run while it has the lock keeps it longer, so on
a busy machine the best of three tries counts.

No waiting proves nothing if nobody read. Without pauses the writer starves the readers, which then
never get a lock to hold. So the runs that ended are counted, readers in a full pipe must have
filled it, and the writer must have met the looping ones.
"""
import array
import fcntl
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import termios
import time

LIMIT = 0.1
GIVE_UP = 1.0
PAUSE = 0.008   # at most, between two transactions
SECONDS = 2.5
TRIES = 3


def write(path, seconds):
    """(locked out, whole commit) of every transaction."""
    con = sqlite3.connect(os.path.join(path, "chroma.sqlite3"), timeout=0, isolation_level=None)
    if con.execute("PRAGMA journal_mode").fetchone()[0] != "delete":
        sys.exit("not in rollback mode")
    con.execute("PRAGMA synchronous = OFF")
    topic, = con.execute("SELECT topic FROM embeddings_queue LIMIT 1").fetchone()
    vector = bytes(4 * 384)
    times = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        _, a = patiently(con, "BEGIN IMMEDIATE")
        con.execute("INSERT INTO embeddings_queue (operation, topic, id, vector, encoding, metadata)"
                    " VALUES (2, ?, 'written meanwhile', ?, 'FLOAT32', NULL)", (topic, vector))
        whole, b = patiently(con, "COMMIT")
        times.append((a + b, whole))
        time.sleep(random.uniform(0, PAUSE))
    con.close()
    return times


def patiently(con, sql):
    """How long the statement took, and how much of that it was locked out."""
    began = time.monotonic()
    locked = None
    while True:
        try:
            con.execute(sql)
            break
        except sqlite3.OperationalError as e:
            if "locked" not in str(e):
                raise
            locked = locked or time.monotonic()
            if time.monotonic() - locked > GIVE_UP:
                con.execute("ROLLBACK")
                break
            time.sleep(0.0002)
    now = time.monotonic()
    return now - began, now - locked if locked else 0.0


class Readers:
    """A command, in a pipe that nobody reads, or over and over for as long as the writer runs."""

    def __init__(self, name, command, path, stuck=False):
        self.name, self.command, self.path, self.stuck = name, command, path, stuck

    def start(self):
        self.runs = tempfile.TemporaryFile()
        loop = 'exec %s "$1"' if self.stuck else 'while :; do %s "$1"; echo $? >&3; done'
        # in a group of its own, so that the loop and what it runs end together
        self.process = subprocess.Popen(
            ["sh", "-c", loop % self.command + " 3>&%d" % self.runs.fileno(), "sh", self.path],
            start_new_session=True, pass_fds=[self.runs.fileno()],
            stdout=subprocess.PIPE if self.stuck else subprocess.DEVNULL)
        if self.stuck:
            time.sleep(0.5)  # the pipe is full in no time

    def stop(self):
        """What is wrong with this as a trial; None if it was a good one."""
        alive = self.process.poll() is None
        waiting = array.array("i", [0])
        if self.stuck:
            fcntl.ioctl(self.process.stdout, termios.FIONREAD, waiting)
        if alive:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.stuck:
            size = fcntl.fcntl(self.process.stdout, fcntl.F_GETPIPE_SZ)
            self.process.stdout.close()
            self.ended = "%d of %d bytes in the pipe" % (waiting[0], size)
            # writers leave less than a page unused
            return None if alive and waiting[0] > size - 4096 else "it was not stuck"
        self.runs.seek(0)
        done = self.runs.read().split()
        self.runs.close()
        self.ended = "%d runs" % len(done)
        if not set(done) <= {b"0", b"5"}:
            return "it ended with %s" % sorted(set(done))
        return None if b"0" in done else "no run of it was complete"


def show(name, times, more=""):
    waits, wholes = (sorted(t) for t in zip(*times))
    n = len(times)
    met = sum(w > 0 for w in waits)
    print("# %-24s %4d commits, %3d locked out: 99 %% %.1f, max %.1f ms;"
          " commit: median %.1f, 99 %% %.1f, max %.1f ms%s" % (
              name, n, met, 1e3 * waits[int(n * .99)], 1e3 * waits[-1], 1e3 * wholes[n // 2],
              1e3 * wholes[int(n * .99)], 1e3 * wholes[-1], more and "; " + more))
    return waits[-1], met


def trial(k, path):
    """(longest wait for the lock, times that it had to wait, what is wrong or None)"""
    k.start()
    try:
        times = write(path, SECONDS)
    finally:
        wrong = k.stop()
    return show(k.name, times, k.ended) + (wrong,)


def main():
    path, results = sys.argv[1:]
    kinds = [
        Readers("walexport, pipe unread", "chroma-walexport -q", path, True),
        Readers("binary, pipe unread", "chroma-walexport -qb", path, True),
        Readers("columns, pipe unread", "chroma-walexport -q --columns", path, True),
        Readers("walexport in a loop", "chroma-walexport -q", path),
        Readers("binary in a loop", "chroma-walexport -qb", path),
        Readers("info in a loop", "chroma-info -j", path),
        Readers("info --deep in a loop", "chroma-info -j --deep", path),
    ]
    with open(results, "w", encoding="utf-8") as f:
        # what is to be seen here can be seen: one long read is enough
        careless = Readers("one query, pipe unread", "sh -c 'exec sqlite3 -readonly"
                           ' "$0/chroma.sqlite3" "SELECT id, metadata FROM embeddings_queue"\'',
                           path, True)
        longest, _, wrong = trial(careless, path)
        f.write("%d a reader that keeps its lock is found out\n" %
                (longest < GIVE_UP or wrong is not None))
        met_loops = 0
        for k in kinds:
            best = None
            for _ in range(TRIES):
                alone, _ = show("nobody reads", write(path, SECONDS / 5))
                beside, met, wrong = trial(k, path)
                if wrong:
                    print("# %s: %s" % (k.name, wrong))
                    continue
                met_loops += 0 if k.stuck else met
                more = beside - alone
                best = more if best is None else min(best, more)
                if best <= LIMIT:
                    break
            f.write("%d %s: it read\n" % (best is None, k.name))
            f.write("%d %s: a writer is locked out for less than 100 ms\n" %
                    (best is None or best > LIMIT, k.name))
        f.write("%d writer and readers met\n" % (met_loops == 0))


if __name__ == "__main__":
    main()
