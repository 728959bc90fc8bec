#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The loop with which `chops wal export` writes the log, without the rest of chops.

usage: export_loop.py DIR

Every row of embeddings_queue by seq_id, the vector in base64, one JSON object a line.
"""
import base64
import json
import sqlite3
import sys

con = sqlite3.connect("file:%s/chroma.sqlite3?mode=ro" % sys.argv[1], uri=True)
rows = con.execute("SELECT * FROM embeddings_queue ORDER BY seq_id ASC")
names = [column[0] for column in rows.description]
for row in rows:
    line = {}
    for name, value in zip(names, row):
        line[name] = base64.b64encode(value).decode() if name == "vector" else value
    sys.stdout.write(json.dumps(line) + "\n")
