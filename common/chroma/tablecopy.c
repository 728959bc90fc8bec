/* SPDX-License-Identifier: Apache-2.0 */
/* tablecopy.c - tables of one database made again in another. */
#include "chroma/tablecopy.h"

#include <string.h>

/* Pages of the new file in memory; what is more goes to it at once. */
#define CACHE_KIB 16384

/* The rows are read to the end first: what is done may change what is read. */
int
tablecopy_each(struct db *db, const char *sql, tablecopy_fn *fn, void *arg,
    struct err *e)
{
	struct buf text = { 0 }, ends = { 0 };
	struct db_stmt st;
	size_t i, at[3] = { 0 };
	int got;

	if (db_prepare(db, &st, sql, e) < 0)
		return -1;
	while ((got = db_step(&st, e)) > 0)
		for (i = 0; i < 2; i++) {
			struct slice s = db_col_text(&st, (int)i);

			buf_add(&text, s.p, s.len);
			buf_add(&ends, &text.len, sizeof(text.len));
		}
	db_finish(&st);
	if (got == 0 && (!buf_ok(&text) || !buf_ok(&ends)))
		got = err_nomem(e);
	for (i = 0; got == 0 && i < ends.len / sizeof(size_t); i += 2) {
		memcpy(at + 1, ends.p + i * sizeof(size_t), 2 * sizeof(size_t));
		got = fn(db, slice_of(text.p + at[0], at[1] - at[0]),
		    slice_of(text.p + at[1], at[2] - at[1]), arg, e);
		at[0] = at[2];
	}
	buf_release(&text);
	buf_release(&ends);
	return got;
}

void
tablecopy_name(struct buf *sql, struct slice name)
{
	size_t i;

	buf_addc(sql, '"');
	for (i = 0; name.p && i < name.len; i++) {
		if (name.p[i] == '"')
			buf_addc(sql, '"');
		buf_addc(sql, name.p[i]);
	}
	buf_addc(sql, '"');
}

/* A property of the file that its tables do not show. */
static int
set(struct db *db, const char *pragma, struct err *e)
{
	struct buf sql = { 0 };
	int64_t v = 0;
	int r;

	buf_addf(&sql, "PRAGMA old.%s", pragma);
	r = db_int(db, buf_str(&sql), &v, e);
	buf_reset(&sql);
	buf_addf(&sql, "PRAGMA main.%s = %lld", pragma, (long long)v);
	if (r == 0)
		return db_exec_buf(db, &sql, e);
	buf_release(&sql);
	return -1;
}

/* A statement that sqlite_master keeps.  SQLite keeps them in one form only,
 * and what has another one was not made by it. */
int
tablecopy_create(struct db *db, struct slice name, struct slice sql,
    struct err *e)
{
	static const char *const head[] = { "CREATE TABLE ", "CREATE INDEX ",
	    "CREATE UNIQUE INDEX " };
	struct buf text = { 0 };
	struct db_stmt st;
	size_t i;
	int r = -1;

	for (i = 0; i < 3; i++)
		if (sql.len > strlen(head[i]) &&
		    memcmp(sql.p, head[i], strlen(head[i])) == 0)
			break;
	if (i == 3)
		return err_data(e, "%s: %.*s was not made in a way that this "
		    "program can repeat",
		    err_tail(db->name), (int)name.len, name.p);
	buf_add(&text, sql.p, sql.len);
	if (!buf_ok(&text)) {
		err_nomem(e);
	} else if (db_prepare(db, &st, buf_str(&text), e) == 0) {
		r = db_step(&st, e);
		db_finish(&st);
	}
	buf_release(&text);
	return r;
}

/* SQLite would number the rows anew in a plain copy: neither a key nor an
 * index. */
#define UNKEYED "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM " \
	"pragma_index_list(?1, 'old')) AND NOT EXISTS (SELECT 1 FROM " \
	"pragma_table_info(?1, 'old') WHERE pk > 0)"

/* SELECT * gives columns that cannot be given values: generated ones. */
#define GENERATED "SELECT 1 FROM pragma_table_xinfo(?1, 'old') " \
	"WHERE hidden > 1 LIMIT 1"

/* The columns of a table that can be given values, behind first, if any. */
static int
put_columns(struct db *db, struct slice name, const char *first,
    struct buf *sql, struct err *e)
{
	struct db_stmt st;
	int got;

	buf_adds(sql, first);

	if (db_prepare(db, &st, "SELECT name FROM pragma_table_info(?1, 'old')",
	    e) < 0)
		return -1;
	db_bind_text(&st, 1, name);
	while ((got = db_step(&st, e)) > 0) {
		if (sql->len)
			buf_addc(sql, ',');
		tablecopy_name(sql, db_col_text(&st, 0));
	}
	db_finish(&st);
	return got;
}

/* (COLUMNS) SELECT COLUMNS */
static void
put_copy(struct buf *sql, const struct buf *columns)
{
	buf_adds(sql, " (");
	buf_add(sql, columns->p, columns->len);
	buf_adds(sql, ") SELECT ");
	buf_add(sql, columns->p, columns->len);
	if (!buf_ok(columns))
		sql->failed = true;
}

/* SQLite copies whole records, and the entries of its
 * indexes in their order, where both tables are made alike (the transfer
 * optimization: sqlite3, insert.c, xferOptimization()). */
int
tablecopy_rows(struct db *db, struct slice name, const char *rest,
    struct err *e)
{
	const struct slice none = { NULL, 0 };
	struct buf sql = { 0 }, columns = { 0 };
	int alone, generated, r = 0;

	alone = db_gives(db, UNKEYED, name, none, e);
	generated = alone < 0 ? -1 : db_gives(db, GENERATED, name, none, e);
	if (generated < 0)
		return -1;
	buf_adds(&sql, "INSERT INTO main.");
	tablecopy_name(&sql, name);
	if (alone || generated) {
		r = put_columns(db, name, alone ? "rowid" : "", &columns,
		    e);
		put_copy(&sql, &columns);
	} else {
		buf_adds(&sql, " SELECT *");
	}
	buf_release(&columns);
	if (r < 0) {
		buf_release(&sql);
		return -1;
	}
	buf_adds(&sql, " FROM old.");
	tablecopy_name(&sql, name);
	buf_addf(&sql, " %s", rest);
	return db_exec_buf(db, &sql, e);
}

int
tablecopy_log(struct db *db, struct db_stmt *st, const char *rest,
    struct err *e)
{
	struct buf sql = { 0 }, columns = { 0 };
	int r = put_columns(db, slice_str("embeddings_queue"), "",
	    &columns, e);

	buf_adds(&sql, "INSERT INTO main.embeddings_queue");
	put_copy(&sql, &columns);
	buf_addf(&sql, " FROM old.embeddings_queue WHERE %s", rest);
	if (r == 0)
		r = buf_ok(&sql) ? db_prepare(db, st, buf_str(&sql), e) :
		    err_nomem(e);
	buf_release(&columns);
	buf_release(&sql);
	return r;
}

/* SQLite attaches only what has the same encoding. */
static int
set_encoding(struct db *db, struct db *old, struct err *e)
{
	struct buf sql = { 0 };
	struct db_stmt st;
	struct slice s;
	int got;

	if (db_prepare(old, &st, "PRAGMA encoding", e) < 0)
		return -1;
	got = db_step(&st, e);
	s = got > 0 ? db_col_text(&st, 0) : slice_str("UTF-8");
	buf_addf(&sql, "PRAGMA encoding='%.*s'", (int)s.len, s.p);
	db_finish(&st);
	if (got >= 0)
		return db_exec_buf(db, &sql, e);
	buf_release(&sql);
	return -1;
}

int
tablecopy_begin(struct db *db, const char *file, struct db *old,
    const char *path, struct err *e)
{
	struct buf sql = { 0 };

	if (db_open(db, path, old->name, DB_WRITE, 0, e) < 0 ||
	    set_encoding(db, old, e) < 0 ||
	    db_attach(db, file, "old", e) < 0)
		return -1;
	db_schema_writable(db, true);
	/* killed or not, a file that is not complete is thrown away */
	buf_addf(&sql, "PRAGMA main.journal_mode=OFF; "
	    "PRAGMA main.synchronous=OFF; PRAGMA main.cache_size=-%d; "
	    "PRAGMA foreign_keys=OFF", CACHE_KIB);
	if (db_exec_buf(db, &sql, e) < 0 ||
	    set(db, "page_size", e) < 0 ||
	    set(db, "auto_vacuum", e) < 0 ||
	    set(db, "user_version", e) < 0 ||
	    set(db, "application_id", e) < 0)
		return -1;
	return db_exec(db, "BEGIN", e);
}
