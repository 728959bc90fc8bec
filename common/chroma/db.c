/* SPDX-License-Identifier: Apache-2.0 */
/* db.c - SQLite, with errors of our kind. */
#include "chroma/db.h"

#include <sqlite3.h>
#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"

/* "file:" and the path with everything escaped that a URI could misread. */
static void
put_uri(struct buf *b, const char *path, const char *query)
{
	const unsigned char *p = (const unsigned char *)path;

	buf_adds(b, "file:");
	for (; *p; p++)
		if ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
		    (*p >= 'A' && *p <= 'Z') || *p == '/' || *p == '-' ||
		    *p == '.' || *p == '_')
			buf_addc(b, (char)*p);
		else
			buf_addf(b, "%%%02X", *p);
	buf_adds(b, query);
}

/* Whether an error says what the file is, rather than what happened. */
static bool
is_the_files(int rc)
{
	return rc == SQLITE_CORRUPT || rc == SQLITE_ERROR ||
	    rc == SQLITE_SCHEMA || rc == SQLITE_MISMATCH ||
	    rc == SQLITE_TOOBIG || rc == SQLITE_AUTH;
}

static int
failed(struct db *db, int rc, struct err *e)
{
	const char *why = db->h ? sqlite3_errmsg(db->h) : sqlite3_errstr(rc);

	if (db->stranger && is_the_files(rc & 0xff))
		return err_data(e, "%s: %s", err_tail(db->name), why);
	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return err_nomem(e);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_busy(e, "%s: %s by another process; try again, or "
		    "give it time with --wait=SECONDS", err_tail(db->name), why);
	case SQLITE_READONLY:		/* _ROLLBACK, _RECOVERY, _DBMOVED */
		return err_fail(e, "%s: a transaction was interrupted and left "
		    "a journal; start Chroma once, which rolls it back, or "
		    "read a recovered copy with --tmpdir=DIR",
		    err_tail(db->name));
	case SQLITE_NOTADB:
		return err_data(e, "%s: not a SQLite database",
		    err_tail(db->name));
	case SQLITE_CONSTRAINT:
		return err_data(e, "%s: %s", err_tail(db->name), why);
	case SQLITE_CORRUPT:
		return err_data(e, "%s: %s; restore a backup, or salvage the "
		    "rows with sqlite3's .recover", err_tail(db->name), why);
	case SQLITE_ERROR:
	case SQLITE_SCHEMA:
	case SQLITE_MISMATCH:
		return err_data(e, "%s: %s: not the tables of a Chroma that "
		    "this program knows", err_tail(db->name), why);
	default:
		return err_fail(e, "%s: %s", err_tail(db->name), why);
	}
}

/* SQLite's own handler sleeps up to 100 ms, and beside a writer that commits
 * all the time it would hardly ever wake up in a gap.  Asking often does not
 * keep the writer out: its pending lock comes before new readers. */
static int
wait_for_lock(void *arg, int tries)
{
	struct db *db = arg;
	const struct timespec ms = { .tv_nsec = 1000000 };

	if (tries == 0)
		db->blocked_ms = clock_ms();
	if (clock_ms() - db->blocked_ms >= db->wait_ms)
		return 0;
	nanosleep(&ms, NULL);
	return 1;
}

/* What a file of a stranger could make SQLite do, bounded. */
static void
distrust(struct sqlite3 *h)
{
	static const int config[][2] = {
		{ SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
		{ SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
		{ SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0 },
		{ SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0 },
		{ SQLITE_DBCONFIG_DQS_DDL, 0 },
	};
	/* (values may be as long as SQLite was built for) */
	static const int limit[][2] = {
		{ SQLITE_LIMIT_SQL_LENGTH, 64 << 10 },
		{ SQLITE_LIMIT_COLUMN, 64 },
		{ SQLITE_LIMIT_EXPR_DEPTH, 32 },
		{ SQLITE_LIMIT_COMPOUND_SELECT, 8 },
		{ SQLITE_LIMIT_FUNCTION_ARG, 16 },
		{ SQLITE_LIMIT_ATTACHED, 0 },
		{ SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 256 },
		{ SQLITE_LIMIT_VARIABLE_NUMBER, 64 },
		{ SQLITE_LIMIT_TRIGGER_DEPTH, 1 },
		{ SQLITE_LIMIT_WORKER_THREADS, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(config) / sizeof(config[0]); i++)
		sqlite3_db_config(h, config[i][0], config[i][1], NULL);
	for (i = 0; i < sizeof(limit) / sizeof(limit[0]); i++)
		sqlite3_limit(h, limit[i][0], limit[i][1]);
}

int
db_open(struct db *db, const char *path, const char *name, enum db_mode mode,
    int wait_ms, struct err *e)
{
	struct buf uri = { 0 };
	int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, rc, i;
	static const int config[][2] = {
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 },
		{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		{ SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
		{ SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1 },
	};

	/* counting what it allocates is a lock that threads wait for; from the
	 * second time on this is refused, and does nothing */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	*db = (struct db){ .name = name, .stranger = mode == DB_UNTRUSTED };
	put_uri(&uri, path, mode == DB_IMMUTABLE || mode == DB_UNTRUSTED ?
	    "?immutable=1" : "");
	flags |= mode == DB_PRIVATE || mode == DB_WRITE ?
	    SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
	rc = sqlite3_open_v2(buf_str(&uri), &db->h, flags, NULL);
	buf_release(&uri);
	if (rc != SQLITE_OK) {
		failed(db, rc, e);
		db_close(db);
		return -1;
	}
	sqlite3_extended_result_codes(db->h, 1);
	db->wait_ms = wait_ms;
	sqlite3_busy_handler(db->h, wait_for_lock, db);
	for (i = 0; i < 4; i++)
		sqlite3_db_config(db->h, config[i][0], config[i][1], NULL);
	if (db->stranger)
		distrust(db->h);
	/* a page that the file's checks do not catch is caught here; a map
	 * would end the process where the file is cut short */
	if (db_exec(db, db->stranger ? "PRAGMA cell_size_check=ON; "
	    "PRAGMA mmap_size=0" : "PRAGMA cell_size_check=ON", e) < 0) {
		db_close(db);
		return -1;
	}
	return 0;
}

void
db_close(struct db *db)
{
	if (sqlite3_close(db->h) == SQLITE_OK)
		db->h = NULL;
}

void
db_checkpoint_on_close(struct db *db)
{
	sqlite3_db_config(db->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
}

int
db_prepare(struct db *db, struct db_stmt *st, const char *sql, struct err *e)
{
	int rc;

	st->db = db;
	rc = sqlite3_prepare_v2(db->h, sql, -1, &st->h, NULL);
	return rc == SQLITE_OK ? 0 : failed(db, rc, e);
}

void
db_bind_i64(struct db_stmt *st, int i, int64_t v)
{
	sqlite3_bind_int64(st->h, i, v);
}

void
db_bind_text(struct db_stmt *st, int i, struct slice text)
{
	if (sqlite3_bind_text64(st->h, i, text.p, text.len, SQLITE_TRANSIENT,
	    SQLITE_UTF8) != SQLITE_OK)
		st->db->nomem = true;
}

void
db_bind_blob(struct db_stmt *st, int i, struct slice bytes)
{
	if (sqlite3_bind_blob64(st->h, i, bytes.p, bytes.len,
	    SQLITE_TRANSIENT) != SQLITE_OK)
		st->db->nomem = true;
}

void
db_bind_real(struct db_stmt *st, int i, double v)
{
	sqlite3_bind_double(st->h, i, v);
}

void
db_bind_null(struct db_stmt *st, int i)
{
	sqlite3_bind_null(st->h, i);
}

int
db_step(struct db_stmt *st, struct err *e)
{
	int rc;

	if (st->db->nomem)
		return err_nomem(e);
	rc = sqlite3_step(st->h);
	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : failed(st->db, rc, e);
}

void
db_reset(struct db_stmt *st)
{
	sqlite3_reset(st->h);
}

void
db_finish(struct db_stmt *st)
{
	sqlite3_finalize(st->h);
	st->h = NULL;
}

int
db_exec(struct db *db, const char *sql, struct err *e)
{
	int rc = sqlite3_exec(db->h, sql, NULL, NULL, NULL);

	if (db->nomem)
		return err_nomem(e);
	return rc == SQLITE_OK ? 0 : failed(db, rc, e);
}

uint64_t
db_changes(const struct db *db)
{
	return (uint64_t)sqlite3_changes64(db->h);
}

int64_t
db_last_rowid(const struct db *db)
{
	return sqlite3_last_insert_rowid(db->h);
}

int
db_attach(struct db *db, const char *path, const char *as, struct err *e)
{
	struct buf uri = { 0 };
	struct db_stmt st;
	int got = -1;

	put_uri(&uri, path, "?immutable=1");
	if (!buf_ok(&uri)) {
		err_nomem(e);
	} else if (db_prepare(db, &st, "ATTACH ?1 AS ?2", e) == 0) {
		db_bind_text(&st, 1, buf_slice(&uri));
		db_bind_text(&st, 2, slice_str(as));
		got = db_step(&st, e);
		db_finish(&st);
	}
	buf_release(&uri);
	return got;
}

int
db_copy(struct db *db, const char *path, struct err *e)
{
	sqlite3_backup *b;
	struct db to;
	int rc;

	if (db_open(&to, path, path, DB_WRITE, 0, e) < 0)
		return -1;
	rc = sqlite3_exec(to.h, "PRAGMA synchronous=OFF; "
	    "PRAGMA journal_mode=OFF", NULL, NULL, NULL);
	if (rc == SQLITE_OK) {
		b = sqlite3_backup_init(to.h, "main", db->h, "main");
		if (b)
			sqlite3_backup_step(b, -1);
		rc = b ? sqlite3_backup_finish(b) : sqlite3_errcode(to.h);
	}
	if (rc != SQLITE_OK)
		failed(&to, rc, e);
	db_close(&to);
	return rc == SQLITE_OK ? 0 : -1;
}

void
db_interrupt(struct db *db)
{
	sqlite3_interrupt(db->h);
}

void
db_schema_writable(struct db *db, bool on)
{
	sqlite3_db_config(db->h, SQLITE_DBCONFIG_DEFENSIVE, !on, NULL);
	sqlite3_db_config(db->h, SQLITE_DBCONFIG_WRITABLE_SCHEMA, on, NULL);
}

int
db_exec_buf(struct db *db, struct buf *sql, struct err *e)
{
	int r = buf_ok(sql) ? db_exec(db, buf_str(sql), e) : err_nomem(e);

	buf_release(sql);
	return r;
}

int
db_gives(struct db *db, const char *sql, struct slice a, struct slice b,
    struct err *e)
{
	struct db_stmt st;
	int got;

	if (db_prepare(db, &st, sql, e) < 0)
		return -1;
	if (a.p)
		db_bind_text(&st, 1, a);
	if (b.p)
		db_bind_text(&st, 2, b);
	got = db_step(&st, e);
	db_finish(&st);
	return got;
}

int
db_int(struct db *db, const char *sql, int64_t *v, struct err *e)
{
	struct db_stmt st;
	int got;

	if (db_prepare(db, &st, sql, e) < 0)
		return -1;
	got = db_step(&st, e);
	if (got > 0 && db_col_type(&st, 0) != DB_NULL)
		*v = db_col_i64(&st, 0);
	db_finish(&st);
	return got < 0 ? -1 : 0;
}

static enum db_type
type_of(int sqlite_type)
{
	switch (sqlite_type) {
	case SQLITE_INTEGER: return DB_INTEGER;
	case SQLITE_FLOAT: return DB_REAL;
	case SQLITE_TEXT: return DB_TEXT;
	case SQLITE_BLOB: return DB_BLOB;
	default: return DB_NULL;
	}
}

struct db_value
db_col(struct db_stmt *st, int i)
{
	/* one look at the row, then the value itself: allowed while nobody
	 * else uses the connection, as here (SQLITE_OPEN_NOMUTEX) */
	sqlite3_value *v = sqlite3_column_value(st->h, i);
	struct db_value out = { .type = type_of(sqlite3_value_type(v)) };
	const char *p = "";

	switch (out.type) {
	case DB_NULL:
		break;
	case DB_INTEGER:
		out.i = sqlite3_value_int64(v);
		break;
	case DB_REAL:
		out.real = sqlite3_value_double(v);
		break;
	case DB_TEXT:
		p = (const char *)sqlite3_value_text(v);
		out.bytes = slice_of(p, (size_t)sqlite3_value_bytes(v));
		st->db->nomem |= !p;
		break;
	case DB_BLOB:		/* SQLite gives NULL for one of no bytes */
		p = sqlite3_value_blob(v);
		out.bytes = slice_of(p, (size_t)sqlite3_value_bytes(v));
		st->db->nomem |= !p && out.bytes.len > 0;
		break;
	}
	if (!p)
		out.bytes = slice_of("", 0);
	return out;
}

enum db_type
db_col_type(struct db_stmt *st, int i)
{
	return type_of(sqlite3_column_type(st->h, i));
}

int64_t
db_col_i64(struct db_stmt *st, int i)
{
	return sqlite3_column_int64(st->h, i);
}

double
db_col_real(struct db_stmt *st, int i)
{
	return sqlite3_column_double(st->h, i);
}

struct slice
db_col_text(struct db_stmt *st, int i)
{
	const char *p = (const char *)sqlite3_column_text(st->h, i);

	if (!p && sqlite3_errcode(st->db->h) == SQLITE_NOMEM) {
		st->db->nomem = true;
		return (struct slice){ NULL, 0 };
	}
	return slice_of(p, (size_t)sqlite3_column_bytes(st->h, i));
}

struct slice
db_col_blob(struct db_stmt *st, int i)
{
	return db_col(st, i).bytes;
}

int
db_file_size(struct db *db, uint64_t *bytes, struct err *e)
{
	sqlite3_file *f = NULL;
	sqlite3_int64 size = 0;
	int rc = sqlite3_file_control(db->h, "main",
	    SQLITE_FCNTL_FILE_POINTER, &f);

	if (rc == SQLITE_OK && f && f->pMethods)
		rc = f->pMethods->xFileSize(f, &size);
	*bytes = (uint64_t)size;
	return rc == SQLITE_OK ? 0 : failed(db, rc, e);
}

int
db_blob_open(struct db *db, struct db_blob *b, const char *table,
    const char *column, int64_t rowid, struct err *e)
{
	int rc;

	*b = (struct db_blob){ .db = db };
	rc = sqlite3_blob_open(db->h, "main", table, column, rowid, 0, &b->h);
	if (rc != SQLITE_OK)
		return failed(db, rc, e);
	b->size = (uint64_t)sqlite3_blob_bytes(b->h);
	return 0;
}

int
db_blob_read(struct db_blob *b, void *p, size_t n, uint64_t offset,
    struct err *e)
{
	int rc = sqlite3_blob_read(b->h, p, (int)n, (int)offset);

	return rc == SQLITE_OK ? 0 : failed(b->db, rc, e);
}

void
db_blob_close(struct db_blob *b)
{
	sqlite3_blob_close(b->h);
	b->h = NULL;
}

static int
has_row(struct db *db, const char *sql, const char *a, const char *b,
    struct err *e)
{
	struct db_stmt st;
	int got;

	if (db_prepare(db, &st, sql, e) < 0)
		return -1;
	db_bind_text(&st, 1, slice_str(a));
	if (b)
		db_bind_text(&st, 2, slice_str(b));
	got = db_step(&st, e);
	db_finish(&st);
	return got;
}

int
db_has_table(struct db *db, const char *table, struct err *e)
{
	/* no view and no virtual table: those run what a stranger wrote */
	return has_row(db, "SELECT 1 FROM sqlite_master WHERE type = 'table' "
	    "AND rootpage > 0 AND name = ?", table, NULL, e);
}

int
db_has_column(struct db *db, const char *table, const char *column,
    struct err *e)
{
	int r = db_has_table(db, table, e);

	return r <= 0 ? r : has_row(db, "SELECT 1 FROM pragma_table_info(?) "
	    "WHERE name = ?", table, column, e);
}

void
db_batch_start(struct db *db)
{
	db->batch_ms = clock_ms();
}

bool
db_batch_over(const struct db *db, size_t bytes)
{
	return bytes >= DB_BATCH_BYTES || clock_ms() - db->batch_ms >= DB_BATCH_MS;
}

int
db_map(struct db *db, bool on, struct err *e)
{
	return db_exec(db, on ? "PRAGMA mmap_size=2147418112" :
	    "PRAGMA mmap_size=0", e);
}

int
db_version(struct db *db, int64_t *version, struct err *e)
{
	return db_int(db, "PRAGMA data_version", version, e);
}
