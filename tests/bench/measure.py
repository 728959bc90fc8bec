#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run commands in turn, several times, and print what they cost.

usage: measure.py [--before COMMAND] RUNS COMMAND...
       measure.py --peak COMMAND

--before: run this, unmeasured, before each of them.

A COMMAND is for bash; its standard output is thrown away. A line for each: median CPU seconds
(user and system, with all it started) and median wall seconds. Status 1 if one fails.

--peak: CPU and wall seconds, and the peak RSS in MiB of each of our programs in it. ru_maxrss will
not do, for it begins with that of the process which started it, and this one is larger than they
are. So the kernel's own high-water mark (VmHWM) is looked at until the program ends.
"""
import glob
import os
import statistics
import subprocess
import sys
import time


def start(command):
    return subprocess.Popen(["bash", "-o", "pipefail", "-c", command], stdout=subprocess.DEVNULL)


def check(command, status):
    if status:
        sys.exit("measure.py: %s: status %d" % (command, os.waitstatus_to_exitcode(status)))


def run(command):
    began = time.monotonic()
    process = start(command)
    _, status, usage = os.wait4(process.pid, 0)
    check(command, status)
    return usage.ru_utime + usage.ru_stime, time.monotonic() - began


def high_water(pid):
    """The name and VmHWM in KiB of a process; None when it is gone."""
    try:
        name = os.path.basename(os.readlink("/proc/%d/exe" % pid))
        with open("/proc/%d/status" % pid, encoding="utf-8") as f:
            fields = dict(line.split(":", 1) for line in f)
        return name, int(fields["VmHWM"].split()[0])
    except (OSError, KeyError):  # ended; a zombie has no memory
        return None


def children(pid):
    found = []
    for path in glob.glob("/proc/%d/task/*/children" % pid):
        try:
            with open(path, encoding="utf-8") as f:
                found += [int(x) for x in f.read().split()]
        except OSError:
            pass
    return found


def peak(command):
    marks = {}
    began = time.monotonic()
    process = start(command)
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        for p in [process.pid] + children(process.pid):
            mark = high_water(p)
            if mark and mark[0].startswith("chroma-"):
                marks[mark[0]] = max(marks.get(mark[0], 0), mark[1])
        time.sleep(0.002)
    check(command, status)
    if not marks:
        sys.exit("measure.py: %s: ended before it was seen" % command)
    print("%.4f %.4f %s" % (usage.ru_utime + usage.ru_stime, time.monotonic() - began, " ".join(
        "%s=%.1f" % (name, kib / 1024) for name, kib in sorted(marks.items()))))


def main():
    if sys.argv[1] == "--peak":
        peak(sys.argv[2])
        return
    before = None
    if sys.argv[1] == "--before":
        before = sys.argv[2]
        del sys.argv[1:3]
    runs, commands = int(sys.argv[1]), sys.argv[2:]
    costs = [[] for _ in commands]
    for _ in range(runs):
        for cost, command in zip(costs, commands):
            if before:
                run(before)
            cost.append(run(command))
    for cost in costs:
        print("%.4f %.4f" % tuple(statistics.median(x) for x in zip(*cost)))


if __name__ == "__main__":
    main()
