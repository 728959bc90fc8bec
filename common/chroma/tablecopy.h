/* SPDX-License-Identifier: Apache-2.0 */
/* tablecopy.h - tables of one database made again in another: as their SQL says,
 * with their rowids (not those that no INTEGER PRIMARY KEY keeps, beside
 * generated columns).
 *
 * The new database is main, the other one is attached as old.
 */
#ifndef CHROMA_TABLECOPY_H
#define CHROMA_TABLECOPY_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "chroma/db.h"

/* Tables of sqlite_master that have rows of their own, as a condition. */
#define TABLECOPY_TABLES "type = 'table' AND rootpage > 0 AND " \
	"name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"

/* Open *db on the empty file at path, to be filled from file, which the caller
 * has locked, or nobody else changes; old is open on it, too.  Encoding, page
 * size and the like are those of old; a transaction is begun, without a
 * journal: a file that is not complete is for nothing.  0, or -1 with *e set;
 * db_close() in either case. */
ATTR_NODISCARD int tablecopy_begin(struct db *db, const char *file,
    struct db *old, const char *path, struct err *e);

/* For each row of sql, which has two columns of text.  All rows are read first:
 * what is done may change what is read.  0, or -1 with *e set, when one call
 * gives that. */
typedef int tablecopy_fn(struct db *db, struct slice a, struct slice b,
    void *arg, struct err *e);
ATTR_NODISCARD int tablecopy_each(struct db *db, const char *sql,
    tablecopy_fn *fn, void *arg, struct err *e);

/* Append a name as SQL has it. */
void tablecopy_name(struct buf *sql, struct slice name);

/* Make the table or index of that name by its statement in sqlite_master.  0,
 * or -1 with *e set. */
ATTR_NODISCARD int tablecopy_create(struct db *db, struct slice name,
    struct slice sql, struct err *e);

/* The rows of old.NAME, into main.NAME; rest: what comes behind FROM, or "".
 * Without it, and with the same indexes on both, this is many times as fast.
 * 0, or -1 with *e set. */
ATTR_NODISCARD int tablecopy_rows(struct db *db, struct slice name,
    const char *rest, struct err *e);

/* The statement that copies rows of the log, where a condition holds.  0, or -1
 * with *e set. */
ATTR_NODISCARD int tablecopy_log(struct db *db, struct db_stmt *st,
    const char *where, struct err *e);

#endif
