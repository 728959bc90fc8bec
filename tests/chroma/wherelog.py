#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ask chroma-walfilter which records of a stream filters select.

usage: wherelog.py STREAM FILTERS N

Answers the first N filters as whereprobe.py does, a line each: {"ids": [...]}, or {"error": 2, ...}
where the filter is refused.
"""
import json
import subprocess
import sys


def answer(stream, line):
    options = []
    asked = json.loads(line)
    for name, option in (("where", "--where="), ("where_document", "--where-document=")):
        if asked.get(name) is not None:
            options.append(option + json.dumps(asked[name]))
    for one in asked.get("ids") or []:
        options.append("--id=" + one)
    done = subprocess.run(["chroma-walfilter", "-j", *options, stream], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode == 2:
        return {"error": 2, "message": done.stderr.decode().split("\n")[0]}
    if done.returncode:
        sys.exit("%s: status %d: %s" % (line, done.returncode, done.stderr.decode()))
    records = [json.loads(x) for x in done.stdout.split(b"\n") if x]
    return {"ids": [r["id"] for r in records if r["type"] == "wal"]}


def main():
    stream, filters, most = sys.argv[1:]
    with open(filters, encoding="utf-8", errors="surrogatepass") as f:
        lines = [x for x in f if x.strip() and not x.startswith("//")]
    for line in lines[:int(most)]:
        print(json.dumps(answer(stream, line)))


main()
