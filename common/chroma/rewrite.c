/* SPDX-License-Identifier: Apache-2.0 */
/* rewrite.c - a database written anew without some rows of its log. */
#include "chroma/rewrite.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

/* Pages of the new file in memory; what is more goes to it at once. */
#define CACHE_KIB 16384

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
	for (i = 0; name.p && i < name.len; i++) {
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
		return exec(db, &sql, e);
	buf_release(&sql);
	return -1;
}

/* A statement that sqlite_master keeps.  SQLite keeps them in one form only,
 * and what has another one was not made by it. */
static int
create(struct db *db, struct slice name, struct slice sql, void *arg,
    struct err *e)
{
	static const char *const head[] = { "CREATE TABLE ", "CREATE INDEX ",
	    "CREATE UNIQUE INDEX " };
	struct buf text = { 0 };
	struct db_stmt st;
	size_t i;
	int r = -1;

	(void)arg;
	for (i = 0; i < 3; i++)
		if (sql.len > strlen(head[i]) &&
		    memcmp(sql.p, head[i], strlen(head[i])) == 0)
			break;
	if (i == 3)
		return err_data(e, "%s: %.*s was not made in a way that this "
		    "program can repeat; use --reclaim=vacuum",
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

/* Whether a query has a row for the table ?1.  1, 0, -1 with *e set. */
static int
is_so(struct db *db, const char *sql, struct slice name, struct err *e)
{
	struct db_stmt st;
	int got;

	if (db_prepare(db, &st, sql, e) < 0)
		return -1;
	db_bind_text(&st, 1, name);
	got = db_step(&st, e);
	db_finish(&st);
	return got;
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
		put_name(sql, db_col_text(&st, 0));
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

/* All rows of a table.  SQLite copies whole records, and the entries of its
 * indexes in their order, where both tables are made alike (the transfer
 * optimization: sqlite3, insert.c, xferOptimization()). */
static int
copy_table(struct db *db, struct slice name, struct slice unused, void *arg,
    struct err *e)
{
	struct buf sql = { 0 }, columns = { 0 };
	int alone, generated, r = 0;

	(void)unused;
	(void)arg;
	if (slice_is(name, "embeddings_queue"))
		return 0;
	alone = is_so(db, UNKEYED, name, e);
	generated = alone < 0 ? -1 : is_so(db, GENERATED, name, e);
	if (generated < 0)
		return -1;
	buf_adds(&sql, "INSERT INTO main.");
	put_name(&sql, name);
	if (alone || generated) {
		r = put_columns(db, name, alone ? "rowid" : "", &columns, e);
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
	put_name(&sql, name);
	return exec(db, &sql, e);
}

static int
copy_between(struct db_stmt *st, int64_t from, int64_t to, struct err *e)
{
	int got;

	db_bind_i64(st, 1, from);
	db_bind_i64(st, 2, to);
	got = db_step(st, e);
	db_reset(st);
	return got;
}

static int
prepare_log(struct db *db, struct db_stmt *st, struct err *e)
{
	struct buf sql = { 0 }, columns = { 0 };
	int r = put_columns(db, slice_str("embeddings_queue"), "", &columns,
	    e);

	buf_adds(&sql, "INSERT INTO main.embeddings_queue");
	put_copy(&sql, &columns);
	buf_adds(&sql, " FROM old.embeddings_queue WHERE seq_id BETWEEN ?1 "
	    "AND ?2");
	if (r == 0)
		r = buf_ok(&sql) ? db_prepare(db, st, buf_str(&sql), e) :
		    err_nomem(e);
	buf_release(&columns);
	buf_release(&sql);
	return r;
}

/* The log: what lies between the ranges that go. */
static int
copy_log(struct db *db, struct prune *p, struct err *e)
{
	struct prune_range r;
	struct db_stmt st;
	int64_t next = INT64_MIN;
	int got;

	if (prune_rewind(p, e) < 0 || prepare_log(db, &st, e) < 0)
		return -1;
	while ((got = prune_next(p, &r, e)) > 0) {
		/* (there is no number below INT64_MIN) */
		if (r.from > next &&
		    copy_between(&st, next, r.from - 1, e) < 0) {
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

/* Everything but the log. */
static int
copy_tables(struct db *db, struct err *e)
{
	return for_each(db, "SELECT name, sql FROM old.sqlite_master WHERE "
	    TABLES " ORDER BY rowid", create, NULL, e) < 0 ||
	    for_each(db, "SELECT name, sql FROM old.sqlite_master WHERE "
	    "type = 'index' AND sql IS NOT NULL ORDER BY rowid", create, NULL,
	    e) < 0 ||
	    for_each(db, "SELECT name, '' FROM old.sqlite_master WHERE "
	    TABLES " ORDER BY rowid", copy_table, NULL, e) < 0 ? -1 : 0;
}

/* What SQLite keeps for itself, and what has no table of its own. */
static int
copy_rest(struct db *db, struct err *e)
{
	int64_t sequences = 0, stats = 0;

	if (db_int(db, "SELECT count(*) FROM old.sqlite_master WHERE name = "
	    "'sqlite_sequence'", &sequences, e) < 0 ||
	    db_int(db, "SELECT count(*) FROM old.sqlite_master WHERE name = "
	    "'sqlite_stat1'", &stats, e) < 0)
		return -1;
	if (sequences && db_exec(db, "DELETE FROM main.sqlite_sequence; "
	    "INSERT INTO main.sqlite_sequence SELECT * FROM "
	    "old.sqlite_sequence", e) < 0)
		return -1;
	if (stats && db_exec(db, "ANALYZE main", e) < 0)
		return -1;
	return db_exec(db, "INSERT INTO main.sqlite_master SELECT * FROM "
	    "old.sqlite_master WHERE type IN ('view', 'trigger') OR "
	    "(type = 'table' AND rootpage = 0)", e);
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
		return exec(db, &sql, e);
	buf_release(&sql);
	return -1;
}

static void *
run(void *arg)
{
	struct rewrite *rw = arg;

	rw->result = copy_tables(&rw->db, &rw->why);
	return NULL;
}

int
rewrite_start(struct rewrite *rw, const char *file, struct db *old,
    const char *path, int fd, struct err *e)
{
	struct buf sql = { 0 };

	*rw = (struct rewrite){ .fd = fd, .path = strdup(path) };
	if (!rw->path)
		return err_nomem(e);
	if (db_open(&rw->db, rw->path, old->name, DB_WRITE, 0, e) < 0 ||
	    set_encoding(&rw->db, old, e) < 0 ||
	    db_attach(&rw->db, file, "old", e) < 0)
		return -1;
	db_schema_writable(&rw->db, true);
	/* killed or not, a file that is not complete is thrown away */
	buf_addf(&sql, "PRAGMA main.journal_mode=OFF; "
	    "PRAGMA main.synchronous=OFF; PRAGMA main.cache_size=-%d; "
	    "PRAGMA foreign_keys=OFF; PRAGMA old.mmap_size=2147418112",
	    CACHE_KIB);
	if (exec(&rw->db, &sql, e) < 0 ||
	    set(&rw->db, "page_size", e) < 0 ||
	    set(&rw->db, "auto_vacuum", e) < 0 ||
	    set(&rw->db, "user_version", e) < 0 ||
	    set(&rw->db, "application_id", e) < 0 ||
	    db_exec(&rw->db, "BEGIN", e) < 0)
		return -1;
	if (pthread_create(&rw->thread, NULL, run, rw) != 0)
		return err_fail(e, "cannot make a thread");
	rw->running = true;
	return 0;
}

static void *
put_on_disk(void *arg)
{
	struct rewrite *rw = arg;

	/* a failure shows in the fsync that counts, in rewrite_check() */
	(void)!fdatasync(rw->fd);
	return NULL;
}

int
rewrite_finish(struct rewrite *rw, struct prune *p, const char *maintenance,
    struct err *e)
{
	pthread_join(rw->thread, NULL);
	rw->running = false;
	if (rw->result < 0) {
		*e = rw->why;
		return -1;
	}
	if (copy_log(&rw->db, p, e) < 0 ||
	    (maintenance && db_exec(&rw->db, maintenance, e) < 0) ||
	    copy_rest(&rw->db, e) < 0 || db_exec(&rw->db, "COMMIT", e) < 0)
		return -1;
	/* the disk works while we check what is on its way to it */
	rw->syncing = pthread_create(&rw->syncer, NULL, put_on_disk, rw) == 0;
	return 0;
}

void
rewrite_stop(struct rewrite *rw)
{
	struct err ignored;

	if (rw->running) {
		db_interrupt(&rw->db);
		pthread_join(rw->thread, NULL);
		rw->running = false;
		(void)!db_exec(&rw->db, "ROLLBACK", &ignored);
	}
	if (rw->syncing)
		pthread_join(rw->syncer, NULL);
	rw->syncing = false;
}

void
rewrite_end(struct rewrite *rw)
{
	rewrite_stop(rw);
	db_close(&rw->db);
	free(rw->path);
	*rw = (struct rewrite){ .fd = -1 };
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
rewrite_check(struct rewrite *rw, struct db *old, const struct prune *p,
    bool wal_mode, struct err *e)
{
	struct db new;
	struct check c = { &new, p };
	int r;

	if (db_open(&new, rw->path, rw->path, DB_WRITE, 0, e) < 0)
		return -1;
	r = db_map(&new, true, e);	/* it is ours */
	if (r == 0)
		r = quick_check(&new, old->name, e);
	if (r == 0)
		r = for_each(old, "SELECT name, '' FROM main.sqlite_master "
		    "WHERE " TABLES, check_table, &c, e);
	db_checkpoint_on_close(&new);
	if (r == 0 && wal_mode)
		r = db_exec(&new, "PRAGMA journal_mode=WAL", e);
	db_close(&new);
	rewrite_stop(rw);
	if (r == 0 && fsync(rw->fd) < 0)
		r = err_system(e, "%s: fsync", err_tail(rw->path));
	return r;
}
