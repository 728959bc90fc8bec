#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run commands in turn, several times, and print what they cost.

usage: measure.py RUNS COMMAND...

A COMMAND is for sh; its standard output is thrown away. A line for each: median CPU seconds (user
and system, with all it started), median wall seconds, greatest peak RSS in MiB. RSS begins at
that of this process, some 10 MiB, from which the command was started. Status 1 if one fails.
"""
import os
import statistics
import subprocess
import sys
import time


def run(command):
    with open(os.devnull, "wb") as null:
        began = time.monotonic()
        process = subprocess.Popen(["bash", "-o", "pipefail", "-c", command], stdout=null)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit("measure.py: %s: status %d" % (command, os.waitstatus_to_exitcode(status)))
    return usage.ru_utime + usage.ru_stime, time.monotonic() - began, usage.ru_maxrss / 1024


def main():
    runs, commands = int(sys.argv[1]), sys.argv[2:]
    costs = [[] for _ in commands]
    for _ in range(runs):
        for cost, command in zip(costs, commands):
            cost.append(run(command))
    for cost in costs:
        cpu, wall, rss = zip(*cost)
        print("%.4f %.4f %.1f" % (statistics.median(cpu), statistics.median(wall), max(rss)))


if __name__ == "__main__":
    main()
