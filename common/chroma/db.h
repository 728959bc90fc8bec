/* SPDX-License-Identifier: Apache-2.0 */
/* db.h - SQLite, with errors of our kind.  The only module that includes
 * sqlite3.h. */
#ifndef CHROMA_DB_H
#define CHROMA_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct sqlite3;
struct sqlite3_stmt;

struct db {
	struct sqlite3 *h;
	const char *name;	/* of the file, for messages; borrowed */
	int wait_ms;		/* for locks of others */
	int64_t blocked_ms;	/* since when we wait for one */
	int64_t batch_ms;	/* start of the read now under way; see below */
	bool nomem;		/* for a value: the next step or exec fails */
	bool stranger;		/* opened as DB_UNTRUSTED */
};

/* How a file is opened. */
enum db_mode {
	DB_READ,	/* with SQLite's shared lock while a read goes on */
	DB_IMMUTABLE,	/* without locks: nobody else may have it open */
	DB_PRIVATE,	/* a copy of our own, journals may be applied to it */
	DB_WRITE,	/* to be changed; the only one that changes a byte of
			 * a file that is not ours */
	DB_UNTRUSTED,	/* as DB_IMMUTABLE; the file is a stranger's: no view
			 * and no trigger runs, its schema calls no function,
			 * nothing can be attached, and limits are close.  What
			 * is wrong is said as SQLite says it: it is not for
			 * its reader to mend */
};

/* Open path.  wait_ms: how long a lock of somebody else is waited for.  name
 * must outlive *db.  0, or -1 with *e set. */
ATTR_NODISCARD int db_open(struct db *db, const char *path, const char *name,
    enum db_mode mode, int wait_ms, struct err *e);
/* db->h is NULL afterwards; not if a statement is left, and then it is open
 * still. */
void db_close(struct db *db);

/* SQLite-WAL mode: closing writes a -wal back into the file and removes it (by
 * itself db_close() leaves it as it is). */
void db_checkpoint_on_close(struct db *db);

struct db_stmt {
	struct db *db;
	struct sqlite3_stmt *h;
};

/* Compile sql.  The status of a failure is STATUS_DATA for what the file is
 * (corrupt, a column missing), STATUS_BUSY for a lock, else STATUS_SYSTEM. */
ATTR_NODISCARD int db_prepare(struct db *db, struct db_stmt *st,
    const char *sql, struct err *e);

/* Parameters count from 1. */
void db_bind_i64(struct db_stmt *st, int i, int64_t v);
void db_bind_text(struct db_stmt *st, int i, struct slice text);
void db_bind_blob(struct db_stmt *st, int i, struct slice bytes);
void db_bind_real(struct db_stmt *st, int i, double v);	/* NaN: NULL */
void db_bind_null(struct db_stmt *st, int i);

/* 1: a row; 0: no more; -1 with *e set. */
ATTR_NODISCARD int db_step(struct db_stmt *st, struct err *e);

/* Ready to run again, parameters kept; ends the read and so its lock. */
void db_reset(struct db_stmt *st);
void db_finish(struct db_stmt *st);

/* Run a statement without results (BEGIN, PRAGMA …). */
ATTR_NODISCARD int db_exec(struct db *db, const char *sql, struct err *e);

/* The same, of SQL that was put together; frees it. */
ATTR_NODISCARD int db_exec_buf(struct db *db, struct buf *sql, struct err *e);

/* Rows that the last INSERT, UPDATE or DELETE changed. */
uint64_t db_changes(const struct db *db);

/* The rowid that the last INSERT gave. */
int64_t db_last_rowid(const struct db *db);

/* Another database file in the same connection, "as" before its tables' names,
 * to be read without locks: nobody may change it meanwhile.  Where this process
 * holds a lock on that file, DETACH or db_close() ends it (fcntl(2)).  0, or -1
 * with *e set. */
ATTR_NODISCARD int db_attach(struct db *db, const char *path, const char *as,
    struct err *e);

/* Make what another thread does with db end soon, with an error. */
void db_interrupt(struct db *db);

/* Write a copy of db, page by page, to the empty file at path.  0, or -1 with
 * *e set. */
ATTR_NODISCARD int db_copy(struct db *db, const char *path, struct err *e);

/* Let INSERTs write to sqlite_master and to the tables behind virtual ones,
 * which are refused otherwise: to make a database out of another one. */
void db_schema_writable(struct db *db, bool on);

/* The single integer that sql gives; *v unchanged if it gives no row or NULL.
 * 0, or -1 with *e set. */
ATTR_NODISCARD int db_int(struct db *db, const char *sql, int64_t *v,
    struct err *e);

/* Whether sql gives a row, ?1 and ?2 being these texts (absent: not there).  1,
 * 0, -1 with *e set. */
ATTR_NODISCARD int db_gives(struct db *db, const char *sql, struct slice a,
    struct slice b, struct err *e);

enum db_type { DB_NULL, DB_INTEGER, DB_REAL, DB_TEXT, DB_BLOB };

/* A value as it is stored. */
struct db_value {
	enum db_type type;
	int64_t i;		/* DB_INTEGER */
	double real;		/* DB_REAL */
	struct slice bytes;	/* DB_TEXT, DB_BLOB; else absent */
};

/* Columns count from 0.  Slices are valid until the next step or reset; text
 * of a column is its bytes whatever they are; a text or blob of no bytes is
 * not absent.  Where memory runs out a value is absent or empty, and the next
 * db_step() or db_exec() fails. */
struct db_value db_col(struct db_stmt *st, int i);
enum db_type db_col_type(struct db_stmt *st, int i);
int64_t db_col_i64(struct db_stmt *st, int i);
double db_col_real(struct db_stmt *st, int i);
struct slice db_col_text(struct db_stmt *st, int i);	/* absent for NULL */
struct slice db_col_blob(struct db_stmt *st, int i);

/* Bytes of the database file, as the file system says. */
ATTR_NODISCARD int db_file_size(struct db *db, uint64_t *bytes,
    struct err *e);

/* One BLOB (or text) of one row, to be read in pieces. */
struct db_blob {
	struct db *db;
	struct sqlite3_blob *h;
	uint64_t size;		/* bytes */
};

/* 0, or -1 with *e set; then there is nothing to close. */
ATTR_NODISCARD int db_blob_open(struct db *db, struct db_blob *b,
    const char *table, const char *column, int64_t rowid, struct err *e);
/* n bytes at offset, all of which must be inside it.  0, or -1 with *e set. */
ATTR_NODISCARD int db_blob_read(struct db_blob *b, void *p, size_t n,
    uint64_t offset, struct err *e);
void db_blob_close(struct db_blob *b);

/* Whether a table is there, and a column of it.  1, 0, -1 with *e set. */
ATTR_NODISCARD int db_has_table(struct db *db, const char *table,
    struct err *e);
ATTR_NODISCARD int db_has_column(struct db *db, const char *table,
    const char *column, struct err *e);

/* Short reads, so that a running Chroma never waits long for us: a lock is
 * held no longer than DB_BATCH_MS, or DB_BATCH_BYTES of rows.  db_batch_start()
 * begins the clock; db_batch_over() says that it is time to db_reset(). */
#define DB_BATCH_MS 20
#define DB_BATCH_BYTES ((size_t)1 << 20)
void db_batch_start(struct db *db);
bool db_batch_over(const struct db *db, size_t bytes);

/* Read through a map of the file: a pass over many pages takes half the time.
 * A file that is cut short or cannot be read then ends the process (prog.h,
 * SIGBUS), so not for what must report where it stopped. */
ATTR_NODISCARD int db_map(struct db *db, bool on, struct err *e);

/* Changes whenever somebody else changed the file since we opened it. */
ATTR_NODISCARD int db_version(struct db *db, int64_t *version, struct err *e);

#endif
