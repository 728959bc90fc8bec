/* SPDX-License-Identifier: Apache-2.0 */
/* rewrite.c - a database written anew without some rows of its log. */
#include "chroma/rewrite.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "chroma/tablecopy.h"

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

/* The log: what lies between the ranges that go. */
static int
copy_log(struct db *db, struct prune *p, struct err *e)
{
	struct prune_range r;
	struct db_stmt st;
	int64_t next = INT64_MIN;
	int got;

	if (prune_rewind(p, e) < 0 || tablecopy_log(db, &st,
	    "seq_id BETWEEN ?1 AND ?2", e) < 0)
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

static int
create(struct db *db, struct slice name, struct slice sql, void *arg,
    struct err *e)
{
	struct err why;

	(void)arg;
	if (tablecopy_create(db, name, sql, &why) == 0)
		return 0;
	*e = why;
	return why.status != STATUS_DATA ? -1 : err_data(e, "%s; use "
	    "--reclaim=vacuum", why.msg);
}

static int
copy_table(struct db *db, struct slice name, struct slice unused, void *arg,
    struct err *e)
{
	(void)unused;
	(void)arg;
	return slice_is(name, "embeddings_queue") ? 0 :
	    tablecopy_rows(db, name, "", e);
}

/* Everything but the log. */
static int
copy_tables(struct db *db, struct err *e)
{
	return tablecopy_each(db, "SELECT name, sql FROM old.sqlite_master WHERE "
	    TABLECOPY_TABLES " ORDER BY rowid", create, NULL, e) < 0 ||
	    tablecopy_each(db, "SELECT name, sql FROM old.sqlite_master WHERE "
	    "type = 'index' AND sql IS NOT NULL ORDER BY rowid", create, NULL,
	    e) < 0 ||
	    tablecopy_each(db, "SELECT name, '' FROM old.sqlite_master WHERE "
	    TABLECOPY_TABLES " ORDER BY rowid", copy_table, NULL, e) < 0 ? -1 : 0;
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
	*rw = (struct rewrite){ .fd = fd, .path = strdup(path) };
	if (!rw->path)
		return err_nomem(e);
	if (tablecopy_begin(&rw->db, file, old, rw->path, e) < 0)
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
	tablecopy_name(&sql, name);
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
		r = tablecopy_each(old, "SELECT name, '' FROM main.sqlite_master "
		    "WHERE " TABLECOPY_TABLES, check_table, &c, e);
	db_checkpoint_on_close(&new);
	if (r == 0 && wal_mode)
		r = db_exec(&new, "PRAGMA journal_mode=WAL", e);
	db_close(&new);
	rewrite_stop(rw);
	if (r == 0 && fsync(rw->fd) < 0)
		r = err_system(e, "%s: fsync", err_tail(rw->path));
	return r;
}
