/* SPDX-License-Identifier: Apache-2.0 */
/* rewrite.c - a database written anew without some rows of its log. */
#include "chroma/rewrite.h"

#include <string.h>

/* Pages of the new file in memory; what is more goes to it at once. */
#define CACHE_KIB 65536

#define TABLES "type = 'table' AND rootpage > 0 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"

/* SELECTs give names or statements; each is done something with. */
typedef int each(struct db *db, struct slice a, struct slice b, void *arg,
    struct err *e);

/* The rows are read to the end first: what is done may change what is read. */
static int
for_each(struct db *db, const char *sql, each *fn, void *arg, struct err *e)
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

/* A name as SQL has it. */
static void
put_name(struct buf *sql, struct slice name)
{
	size_t i;

	buf_addc(sql, '"');
	for (i = 0; i < name.len; i++) {
		if (name.p[i] == '"')
			buf_addc(sql, '"');
		buf_addc(sql, name.p[i]);
	}
	buf_addc(sql, '"');
}

static int
exec(struct db *db, struct buf *sql, struct err *e)
{
	int r = buf_ok(sql) ? db_exec(db, buf_str(sql), e) : err_nomem(e);

	buf_release(sql);
	return r;
}

static int
set(struct db *db, const char *pragma, struct err *e)
{
	struct buf sql = { 0 };
	int64_t v = 0;

	buf_addf(&sql, "PRAGMA main.%s", pragma);
	if (db_int(db, buf_str(&sql), &v, e) < 0) {
		buf_release(&sql);
		return -1;
	}
	buf_reset(&sql);
	buf_addf(&sql, "PRAGMA new.%s = %lld", pragma, (long long)v);
	return exec(db, &sql, e);
}

/* The statement that sqlite_master keeps, on the new database: there it gets
 * the same text.  SQLite keeps them in one form only, and what has another one
 * was not made by it. */
static int
create(struct db *db, struct slice name, struct slice sql, void *arg,
    struct err *e)
{
	static const char *const head[] = { "CREATE TABLE ", "CREATE INDEX ",
	    "CREATE UNIQUE INDEX " };
	struct buf text = { 0 };
	struct db_stmt st;
	size_t i, n;
	int r = -1;

	(void)arg;
	for (i = 0; i < 3; i++) {
		n = strlen(head[i]);
		if (sql.len > n && memcmp(sql.p, head[i], n) == 0)
			break;
	}
	if (i == 3)
		return err_data(e, "%s: %.*s was not made in a way that this "
		    "program can repeat; use --reclaim=vacuum",
		    err_tail(db->name), (int)name.len, name.p);
	buf_add(&text, sql.p, n);
	buf_adds(&text, "new.");
	buf_add(&text, sql.p + n, sql.len - n);
	if (!buf_ok(&text)) {
		err_nomem(e);
	} else if (db_prepare(db, &st, buf_str(&text), e) == 0) {
		r = db_step(&st, e);
		db_finish(&st);
	}
	buf_release(&text);
	return r;
}

/* Whether SQLite would number the rows of a table anew in a plain copy: it has
 * neither a key nor an index.  1, 0, -1 with *e set. */
static int
unkeyed(struct db *db, struct slice name, struct err *e)
{
	struct db_stmt st;
	int got;

	if (db_prepare(db, &st, "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM "
	    "pragma_index_list(?1, 'main')) AND NOT EXISTS (SELECT 1 FROM "
	    "pragma_table_info(?1, 'main') WHERE pk > 0)", e) < 0)
		return -1;
	db_bind_text(&st, 1, name);
	got = db_step(&st, e);
	db_finish(&st);
	return got;
}

/* The columns of a table that can be given values, with a comma before each. */
static int
put_columns(struct db *db, struct slice name, struct buf *sql, struct err *e)
{
	struct db_stmt st;
	int got;

	if (db_prepare(db, &st, "SELECT name FROM pragma_table_info(?1, 'main')",
	    e) < 0)
		return -1;
	db_bind_text(&st, 1, name);
	while ((got = db_step(&st, e)) > 0) {
		buf_addc(sql, ',');
		put_name(sql, db_col_text(&st, 0));
	}
	db_finish(&st);
	return got;
}

/* All rows of a table.  SQLite copies whole records, and the entries of its
 * indexes in their order, where both tables are made alike (the transfer
 * optimization: sqlite3, insert.c, xferOptimization()). */
static int
copy_table(struct db *db, struct slice name, struct slice unused, void *arg,
    struct err *e)
{
	struct buf sql = { 0 }, columns = { 0 };
	int alone;

	(void)unused;
	(void)arg;
	if (slice_is(name, "embeddings_queue"))
		return 0;
	alone = unkeyed(db, name, e);
	if (alone < 0 || (alone > 0 && put_columns(db, name, &columns, e) < 0)) {
		buf_release(&columns);
		return -1;
	}
	buf_adds(&sql, "INSERT INTO new.");
	put_name(&sql, name);
	if (alone > 0) {
		buf_adds(&sql, "(rowid");
		buf_add(&sql, columns.p, columns.len);
		buf_adds(&sql, ") SELECT rowid");
		buf_add(&sql, columns.p, columns.len);
	} else {
		buf_adds(&sql, " SELECT *");
	}
	buf_adds(&sql, " FROM main.");
	put_name(&sql, name);
	if (!buf_ok(&columns))
		sql.failed = true;
	buf_release(&columns);
	return exec(db, &sql, e);
}

static int
copy_between(struct db_stmt *st, int64_t from, int64_t to, struct err *e)
{
	int got;

	if (from > to)
		return 0;
	db_bind_i64(st, 1, from);
	db_bind_i64(st, 2, to);
	got = db_step(st, e);
	db_reset(st);
	return got;
}

/* The log: what lies between the ranges that go. */
static int
copy_log(struct db *db, struct prune *p, struct err *e)
{
	struct prune_range r;
	struct db_stmt st;
	int64_t next = INT64_MIN;
	int got;

	if (prune_rewind(p, e) < 0 ||
	    db_prepare(db, &st, "INSERT INTO new.embeddings_queue SELECT * "
	    "FROM main.embeddings_queue WHERE seq_id BETWEEN ?1 AND ?2", e) < 0)
		return -1;
	while ((got = prune_next(p, &r, e)) > 0) {
		if (copy_between(&st, next, r.from - 1, e) < 0) {
			got = -1;
			break;
		}
		next = r.to + 1;	/* below the newest row: it stays */
	}
	if (got == 0)
		got = copy_between(&st, next, INT64_MAX, e);
	db_finish(&st);
	return got;
}

static int
copy_all(struct db *db, struct prune *p, const char *maintenance,
    struct err *e)
{
	int64_t sequences = 0, stats = 0;

	if (for_each(db, "SELECT name, sql FROM main.sqlite_master WHERE "
	    TABLES " ORDER BY rowid", create, NULL, e) < 0 ||
	    for_each(db, "SELECT name, sql FROM main.sqlite_master WHERE "
	    "type = 'index' AND sql IS NOT NULL ORDER BY rowid", create, NULL,
	    e) < 0 ||
	    for_each(db, "SELECT name, '' FROM main.sqlite_master WHERE "
	    TABLES " ORDER BY rowid", copy_table, NULL, e) < 0 ||
	    copy_log(db, p, e) < 0)
		return -1;
	if (maintenance && db_exec(db, maintenance, e) < 0)
		return -1;
	if (db_int(db, "SELECT count(*) FROM main.sqlite_master WHERE name = "
	    "'sqlite_sequence'", &sequences, e) < 0 ||
	    db_int(db, "SELECT count(*) FROM main.sqlite_master WHERE name = "
	    "'sqlite_stat1'", &stats, e) < 0)
		return -1;
	if (sequences && db_exec(db, "DELETE FROM new.sqlite_sequence; "
	    "INSERT INTO new.sqlite_sequence SELECT * FROM "
	    "main.sqlite_sequence", e) < 0)
		return -1;
	if (stats && db_exec(db, "ANALYZE new", e) < 0)
		return -1;
	return db_exec(db, "INSERT INTO new.sqlite_master SELECT * FROM "
	    "main.sqlite_master WHERE type IN ('view', 'trigger') OR "
	    "(type = 'table' AND rootpage = 0)", e);
}

int
rewrite_copy(struct db *db, struct prune *p, const char *path,
    const char *maintenance, struct err *e)
{
	struct buf sql = { 0 };
	struct err ignored;
	int r = -1;

	if (db_attach(db, path, "new", e) < 0)
		return -1;
	db_schema_writable(db, true);
	/* killed or not, a file that is not complete is thrown away */
	buf_addf(&sql, "PRAGMA new.journal_mode=OFF; "
	    "PRAGMA new.synchronous=OFF; PRAGMA new.cache_size=-%d",
	    CACHE_KIB);
	if (exec(db, &sql, e) == 0 &&
	    set(db, "page_size", e) == 0 && set(db, "auto_vacuum", e) == 0 &&
	    set(db, "user_version", e) == 0 &&
	    set(db, "application_id", e) == 0 && db_exec(db, "BEGIN", e) == 0) {
		r = copy_all(db, p, maintenance, e);
		if (r == 0)
			r = db_exec(db, "COMMIT", e);
		if (r < 0)
			(void)!db_exec(db, "ROLLBACK", &ignored);
	}
	buf_release(&sql);
	db_schema_writable(db, false);
	if (db_exec(db, "DETACH new", r < 0 ? &ignored : e) < 0)
		r = -1;
	return r;
}

/* ---- checking ---- */

static int
count(struct db *db, struct slice name, int64_t *n, struct err *e)
{
	struct buf sql = { 0 };
	int r;

	buf_adds(&sql, "SELECT count(*) FROM main.");
	put_name(&sql, name);
	r = buf_ok(&sql) ? db_int(db, buf_str(&sql), n, e) : err_nomem(e);
	buf_release(&sql);
	return r;
}

struct check {
	struct db *new;
	const struct prune *plan;
};

static int
check_table(struct db *db, struct slice name, struct slice unused, void *arg,
    struct err *e)
{
	const struct check *c = arg;
	int64_t old = 0, new = 0;

	(void)unused;
	if (slice_is(name, "embeddings_queue"))
		old = (int64_t)(c->plan->rows - c->plan->goes);
	else if (count(db, name, &old, e) < 0)
		return -1;
	if (count(c->new, name, &new, e) < 0)
		return -1;
	/* a row may have been added to the maintenance log */
	if (old == new || (slice_is(name, "maintenance_log") &&
	    new == old + 1))
		return 0;
	return err_fail(e, "%s: the copy has %lld rows of %.*s instead of "
	    "%lld; nothing was changed", err_tail(db->name), (long long)new,
	    (int)name.len, name.p, (long long)old);
}

static int
quick_check(struct db *db, const char *name, struct err *e)
{
	struct db_stmt st;
	struct slice s;
	int got;

	if (db_prepare(db, &st, "PRAGMA quick_check(1)", e) < 0)
		return -1;
	got = db_step(&st, e);
	s = got > 0 ? db_col_text(&st, 0) : slice_str("no answer");
	if (got >= 0)
		got = slice_is(s, "ok") ? 0 : err_data(e, "%s: the copy fails "
		    "SQLite's quick_check (%.*s); nothing was changed, but "
		    "look at the original: sqlite3 FILE 'PRAGMA "
		    "integrity_check'", err_tail(name), (int)s.len, s.p);
	db_finish(&st);
	return got;
}

int
rewrite_check(struct db *db, const struct prune *p, const char *path,
    bool wal_mode, struct err *e)
{
	struct db new;
	struct check c = { &new, p };
	int r;

	if (db_open(&new, path, path, DB_WRITE, 0, e) < 0)
		return -1;
	r = db_map(&new, true, e);	/* it is ours */
	if (r == 0)
		r = quick_check(&new, db->name, e);
	if (r == 0)
		r = for_each(db, "SELECT name, '' FROM main.sqlite_master "
		    "WHERE " TABLES, check_table, &c, e);
	if (r == 0 && wal_mode)
		r = db_exec(&new, "PRAGMA journal_mode=WAL", e);
	db_close(&new);
	return r;
}
