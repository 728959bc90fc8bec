#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Add records to a collection with a real Chroma, and print how many rows its log has afterwards.

usage: fill.py DIR NAME N          (with the python of that Chroma)

The collection is made if need be, so that its index is written every 20 changes. The ids go on
from what is there.
"""
import os
import sqlite3
import sys

import chromadb
from chromadb.config import Settings

path, name, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
client = chromadb.PersistentClient(path, Settings(anonymized_telemetry=False))
col = client.get_or_create_collection(
    name, metadata={"hnsw:sync_threshold": 20, "hnsw:batch_size": 10}, embedding_function=None)
have = col.count()
for start in range(have, have + n, 10):
    numbers = range(start, min(start + 10, have + n))
    col.add(ids=["fill-%d" % i for i in numbers],
            embeddings=[[i % 7, i % 11, 1] for i in numbers])
if col.count() != have + n:
    sys.exit("%d records, not %d" % (col.count(), have + n))
db = sqlite3.connect("file:%s?mode=ro" % os.path.join(path, "chroma.sqlite3"), uri=True)
print(db.execute("SELECT count(*) FROM embeddings_queue WHERE topic LIKE ?",
                 ("%" + str(col.id),)).fetchone()[0], flush=True)
