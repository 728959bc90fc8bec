#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run chroma-walexport and chroma-info over and over beside something that writes.

usage: readers.py DIR SECONDS REPORT [SERVER_PID]

Every run is judged: it ends with 0 and complete output, or with 5 and no end record. A complete
log has no gap in any collection (each was written in one go, and a purge takes the oldest rows),
and goes up to the seq_id that its begin record names. REPORT gets one line of JSON: how often
which status was seen, and what was wrong.
"""
import collections
import json
import subprocess
import sys
import time

WALEXPORT = ["chroma-walexport", "--quiet", "--embedding=none"]


def judge_log(status, lines):
    if status not in (0, 5):
        return "status %d" % status
    end = [n for n, line in enumerate(lines) if b'{"type":"end"' in line[:13]]
    if status == 5:
        return "status 5, and an end record" if end else None
    if end != [len(lines) - 1] or not lines[-1].endswith(b"\n"):
        return "status 0, but the end record is not the last thing"
    if json.loads(lines[-1])["records"] != len(lines) - 2:
        return "the end record counts wrong"
    numbers = {}
    for line in lines[1:-1]:
        row = json.loads(line)
        numbers.setdefault(row["collection"], []).append(row["seq_id"])
    for name, n in numbers.items():
        if n != list(range(n[0], n[0] + len(n))):
            return "rows of %s are missing between %d and %d" % (name, n[0], n[-1])
    last = json.loads(lines[0])["source"]["to_seq_id"]
    if max(n[-1] for n in numbers.values()) != last:
        return "the last row is not %d" % last
    return None


def judge_info(status, lines, server):
    if status == 5:
        return "status 5, and output" if lines else None
    if status:
        return "status %d" % status
    objects = [json.loads(line) for line in lines]
    if [o["type"] for o in objects] != ["store"] + ["collection"] * (len(objects) - 1) or \
            len(objects) != objects[0]["collections"] + 1:
        return "incomplete: %d lines" % len(objects)
    if server and server not in [h["pid"] for h in objects[0]["in_use_by"]]:
        return "the server (%d) is not among %s" % (server, objects[0]["in_use_by"])
    if not all(o["healthy"] for o in objects[1:]):
        return "not healthy: %s" % [o["notes"] for o in objects[1:]]
    return None


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, done.stdout.splitlines(keepends=True), done.stderr.decode()


def main():
    path, seconds, report = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    server = int(sys.argv[4]) if len(sys.argv) > 4 else None
    seen = collections.Counter()
    wrong = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        info = ("info", ["chroma-info", "--jsonl", path])
        for name, command in (("walexport", WALEXPORT + [path]), info, info, info):
            status, lines, errors = run(command)
            bad = judge_log(status, lines) if name == "walexport" else \
                judge_info(status, lines, server)
            seen["%s %d" % (name, status)] += 1
            if bad:
                wrong.append("%s: %s: %s" % (name, bad, errors.strip()))
        with open("/dev/null", "wb") as null:  # all of it, vectors too
            status = subprocess.run(["chroma-walexport", "-q", path], stdout=null).returncode
            seen["walexport (all) %d" % status] += 1
            if status not in (0, 5):
                wrong.append("walexport (all): status %d" % status)
    with open(report, "w", encoding="utf-8") as f:
        json.dump({"seen": seen, "wrong": wrong}, f)


if __name__ == "__main__":
    main()
