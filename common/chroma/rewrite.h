/* SPDX-License-Identifier: Apache-2.0 */
/* rewrite.h - a database written anew without some rows of its log: what goes
 * is not read, journalled or zeroed, only what stays is written.
 *
 * Every table and index, whoever made it, is copied as it is, with its rowids:
 * also the tables behind a full-text index, as plain tables, and views,
 * triggers and virtual tables as what sqlite_master says of them, which
 * nothing runs.  sqlite_stat1 is made anew.
 */
#ifndef CHROMA_REWRITE_H
#define CHROMA_REWRITE_H

#include "base/attr.h"
#include "base/err.h"
#include "chroma/db.h"
#include "chroma/prune.h"

/* Write db, without the rows that the plan names, to the empty file at path,
 * and add to it what is said in maintenance (SQL on its tables, as "new.", or
 * NULL).  db is locked for us and in no transaction.  The file is complete
 * then, but not yet on disk.  0, or -1 with *e set. */
ATTR_NODISCARD int rewrite_copy(struct db *db, struct prune *p,
    const char *path, const char *maintenance, struct err *e);

/* Look at the written file as a stranger would: SQLite's quick_check, and as
 * many rows in each table as there are in db, but for the log.  wal_mode: put it
 * into SQLite-WAL mode first.  0, or -1 with *e set. */
ATTR_NODISCARD int rewrite_check(struct db *db, const struct prune *p,
    const char *path, bool wal_mode, struct err *e);

#endif
