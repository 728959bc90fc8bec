# SPDX-License-Identifier: Apache-2.0
"""What a prune may change in a persist dir and what not (program and module).

walprune.py content DIR    everything in the database but the log, as a line for
                           each table and index: rowids, values, types, order
walprune.py log DIR        the rows of the log, as a line for each
"""
import hashlib
import os
import sqlite3
import sys


def connect(db):
    """Read only, so that looking changes nothing."""
    con = sqlite3.connect("file:%s/chroma.sqlite3?mode=ro" %
                          os.path.abspath(db).replace("%", "%25"), uri=True)
    con.text_factory = bytes
    return con


def has_rowid(con, table):
    try:
        con.execute("SELECT rowid FROM %s LIMIT 0" % table)
    except sqlite3.OperationalError:
        return False
    return True


def content(db, rowids=True):
    """{name: what is in it}. rowids=False: only the order of the rows counts."""
    con = connect(db)
    said = {p: con.execute("PRAGMA " + p).fetchone()[0] for p in
            ("page_size", "encoding", "user_version", "application_id", "auto_vacuum",
             "journal_mode")}
    said["quick_check"] = con.execute("PRAGMA quick_check").fetchone()[0]
    for kind, name, sql in con.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%'"):
        name = name.decode()
        said[name] = sql
        if kind != b"table" or name in ("embeddings_queue", "maintenance_log"):
            continue
        if b"VIRTUAL TABLE" in sql:
            continue  # its content is in its shadow tables
        quoted = '"%s"' % name.replace('"', '""')
        h = hashlib.sha256()
        n = 0
        key = "rowid, " if rowids and has_rowid(con, quoted) else ""
        order = " ORDER BY rowid" if has_rowid(con, quoted) else ""
        for row in con.execute("SELECT %s* FROM %s%s" % (key, quoted, order)):
            h.update(repr(row).encode())
            n += 1
        said[name] = (sql, n, h.hexdigest())
    con.close()
    return said


def log(db):
    """{seq_id: the row}"""
    con = connect(db)
    rows = {row[0]: row for row in con.execute(
        "SELECT seq_id, created_at, operation, topic, id, vector, encoding, metadata"
        " FROM embeddings_queue ORDER BY seq_id")}
    con.close()
    return rows


def main():
    what, db = sys.argv[1:]
    for key, value in sorted({"content": content, "log": log}[what](db).items()):
        print(key, value)


if __name__ == "__main__":
    main()
