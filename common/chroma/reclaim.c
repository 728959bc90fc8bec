/* SPDX-License-Identifier: Apache-2.0 */
/* reclaim.c - delete rows of a log, and give back the space that they had. */
#include "chroma/reclaim.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

/* Space that SQLite needs beside what it copies. */
#define SLACK ((uint64_t)1 << 20)

/* Rows that go, from which on a copy is begun early. */
#define WORTH_A_THREAD 10000

const char *const reclaim_name[RECLAIMS] = {
	"auto", "none", "vacuum", "rewrite",
};

/* ---- the choice ---- */

static int
sizes(struct db *db, uint64_t *page, uint64_t *pages, uint64_t *unused,
    struct err *e)
{
	int64_t size = 0, count = 0, freelist = 0;

	if (db_int(db, "PRAGMA page_size", &size, e) < 0 ||
	    db_int(db, "PRAGMA page_count", &count, e) < 0 ||
	    db_int(db, "PRAGMA freelist_count", &freelist, e) < 0)
		return -1;
	*page = (uint64_t)size;
	*pages = (uint64_t)count;
	*unused = (uint64_t)freelist;
	return 0;
}

struct need {
	const char *dir;
	uint64_t bytes;
	bool backup;
};

/* Whether there is room in all of these places.  1, 0 and *e says where not,
 * -1 with *e set. */
static int
room(const struct need *n, int count, const char *what, struct err *e)
{
	uint64_t have;
	int i;

	for (i = 0; i < count; i++) {
		if (file_room(n[i].dir, &have, e) < 0)
			return -1;
		if (have >= n[i].bytes)
			continue;
		err_fail(e, "%s needs %llu bytes in %s, which has %llu; free "
		    "some, or choose another %s (nothing was changed)",
		    n[i].backup ? "the file of --backup" : what,
		    (unsigned long long)n[i].bytes, err_tail(n[i].dir),
		    (unsigned long long)have, n[i].backup ? "place for it" :
		    "way with --reclaim");
		return 0;
	}
	return 1;
}

/* The directory that a path lies in; the caller's to free. */
static char *
directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* Whether the old file can be kept by giving it a second name in another
 * directory. */
static bool
linkable(const char *dir, const char *other)
{
	struct stat a, b;

	return dir && other && stat(dir, &a) == 0 && stat(other, &b) == 0 &&
	    a.st_dev == b.st_dev;
}

/* Where one way needs how much. */
static int
needs(const struct reclaim_plan *rp, enum reclaim how, const char *dir,
    const char *backup_dir, const char *tmpdir, uint64_t going,
    struct need n[3])
{
	int k = 0;

	if (backup_dir && (how != RECLAIM_REWRITE || !linkable(dir,
	    backup_dir)))
		n[k++] = (struct need){ backup_dir, rp->bytes + SLACK,
		    true };

	switch (how) {
	case RECLAIM_REWRITE:
		n[k++] = (struct need){ dir, rp->stay + rp->stay / 32 +
		    SLACK, false };
		break;
	case RECLAIM_VACUUM:
		n[k++] = (struct need){ tmpdir, rp->stay + SLACK, false };
		n[k++] = (struct need){ dir, rp->bytes + SLACK, false };
		break;
	default:
		n[k++] = (struct need){ dir, going + SLACK, false };
		break;
	}
	return k;
}

/* What was asked for, or the first that pays and fits.  rewritable: the file
 * can be replaced. */
static int
choose(struct reclaim_plan *rp, enum reclaim want, bool rewritable,
    const char *dir, const char *backup_dir, const char *tmpdir,
    struct err *e)
{
	static const char *const what[RECLAIMS] = { "", "deleting",
	    "VACUUM", "writing the file anew" };
	static const enum reclaim order[] = { RECLAIM_REWRITE, RECLAIM_VACUUM,
	    RECLAIM_NONE };
	uint64_t gain = rp->bytes - rp->stay;
	struct need n[3];
	size_t i;
	int got = 0;

	for (i = 0; i < 3 && got == 0; i++) {
		rp->how = order[i];
		/* a copy of what stays is cheaper than VACUUM from half the
		 * file on; below an eighth neither is worth what it reads and
		 * writes */
		if (want != RECLAIM_AUTO ? want != rp->how :
		    (rp->how == RECLAIM_REWRITE && (!rewritable ||
		    gain * 2 < rp->bytes)) ||
		    (rp->how == RECLAIM_VACUUM && gain * 8 < rp->bytes))
			continue;
		if (rp->how == RECLAIM_NONE && rp->rows == 0)
			return 0;
		got = room(n, needs(rp, rp->how, dir, backup_dir, tmpdir,
		    rp->goes, n), what[rp->how], e);
	}
	return got > 0 ? 0 : -1;
}

static int
choose_at(struct reclaim_plan *rp, const char *file,
    const struct reclaim_options *o, bool rewritable, struct err *e)
{
	const char *tmpdir = o->tmpdir ? o->tmpdir : getenv("TMPDIR");
	char *dir = directory_of(file);
	char *backup_dir = o->backup ? directory_of(o->backup) : NULL;
	int r = -1;

	if (!dir || (o->backup && !backup_dir))
		err_nomem(e);
	else
		r = choose(rp, o->want, rewritable, dir, backup_dir,
		    tmpdir && *tmpdir ? tmpdir : "/tmp", e);
	free(dir);
	free(backup_dir);
	return r;
}

int
reclaim_choose(struct reclaim_plan *rp, struct db *db, const char *file,
    uint64_t rows, uint64_t bytes, const struct reclaim_options *o,
    struct err *e)
{
	uint64_t page, pages, unused, used;

	if (sizes(db, &page, &pages, &unused, e) < 0)
		return -1;
	used = (pages - unused) * page;
	*rp = (struct reclaim_plan){ .bytes = pages * page, .rows = rows,
	    .goes = bytes, .stay = used > bytes ? used - bytes : 0 };
	if (choose_at(rp, file, o, true, e) < 0)
		return -1;
	rp->idle = rows == 0 && (rp->how == RECLAIM_NONE || unused == 0);
	return 0;
}

/* ---- in place ---- */

static int
delete_rows(struct db *db, struct prune *p, struct err *e)
{
	struct prune_range r;
	struct db_stmt st;
	int got;

	if (prune_rewind(p, e) < 0 || db_prepare(db, &st, "DELETE FROM "
	    "embeddings_queue WHERE seq_id BETWEEN ?1 AND ?2", e) < 0)
		return -1;
	while ((got = prune_next(p, &r, e)) > 0) {
		db_bind_i64(&st, 1, r.from);
		db_bind_i64(&st, 2, r.to);
		got = db_step(&st, e);
		db_reset(&st);
		if (got == 0 && db_changes(db) != r.rows)
			got = err_data(e, "%s: seq_ids %lld to %lld are not "
			    "the %llu rows that were looked at; nothing was "
			    "changed", err_tail(db->name), (long long)r.from,
			    (long long)r.to, (unsigned long long)r.rows);
		if (got < 0)
			break;
	}
	db_finish(&st);
	return got;
}

/* The database as it is, under another name, complete or not at all.  Through
 * SQLite: a descriptor of our own would drop its locks when it is closed. */
static int
keep_copy(struct db *db, const char *path, struct err *e)
{
	struct file_new f;
	char *tmp;
	int r = -1;

	if (file_new_begin_named(&f, path, e) < 0)
		return -1;
	tmp = file_new_path(&f);
	if (!tmp)
		err_nomem(e);
	else
		r = db_copy(db, tmp, e);
	free(tmp);
	if (r == 0)
		return file_new_commit(&f, e);
	file_new_abort(&f);
	return -1;
}

/* The row that Chroma's own vacuum adds as well (chroma 0.6.3,
 * chromadb/db/impl/sqlite.py). */
#define MAINTENANCE "INSERT INTO main.maintenance_log " \
	"(operation, timestamp) VALUES ('prune', CURRENT_TIMESTAMP)"

/* A COMMIT failed, *e says how, and was rolled back.  If SQLite could not tell
 * the disk of either, the rows can be gone all the same: then the old file is
 * kept. */
static void
undone(struct db *db, const struct prune *p, const char *backup,
    struct err *e)
{
	const struct err why = *e;
	int64_t rows = -1;

	if (db_int(db, "SELECT count(*) FROM embeddings_queue", &rows, e) == 0 &&
	    (uint64_t)rows == p->rows) {
		*e = why;
		if (backup)
			unlink(backup);
		return;
	}
	err_fail(e, "%.300s; whether the rows are gone is not certain: see to "
	    "the disk, and run again%s%.300s", why.msg, backup ?
	    "; the old file is kept as " : "", backup ? backup : "");
}

static int
in_place(struct claim *c, struct prune *p, const struct reclaim_plan *rp,
    const struct reclaim_options *o, struct err *e)
{
	struct db *db = &c->pd.db;
	struct err ignored, why;
	int r;

	if (o->backup && keep_copy(db, o->backup, e) < 0)
		return -1;
	r = db_map(db, false, e) < 0 ? -1 : db_exec(db, "BEGIN IMMEDIATE", e);
	if (r == 0)
		r = delete_rows(db, p, e);
	if (r == 0 && o->maintenance_log)
		r = db_exec(db, MAINTENANCE, e);
	if (r == 0)
		r = claim_look(c, e);
	if (r == 0)
		r = db_exec(db, "COMMIT", e);
	if (r < 0) {
		(void)!db_exec(db, "ROLLBACK", &ignored);
		undone(db, p, o->backup, e);
		return -1;
	}
	if (rp->how == RECLAIM_VACUUM && db_exec(db, "VACUUM", &why) < 0)
		return err_fail(e, "the rows are gone, but their space could "
		    "not be given back: %s", why.msg);
	return 0;
}

/* ---- a new file ---- */

/* The old file as it is now, where it cannot have a second name.  1 if it was
 * copied, 0 if there is no need to, -1. */
static int
keep_apart(struct claim *c, const char *backup, struct err *e)
{
	char *other = directory_of(backup);
	struct stat a, b;
	bool apart;

	if (!other)
		return err_nomem(e);
	apart = fstat(c->realdir, &a) < 0 || stat(other, &b) < 0 ||
	    a.st_dev != b.st_dev;
	free(other);
	if (!apart)
		return 0;
	return keep_copy(&c->pd.db, backup, e) < 0 ? -1 : 1;
}

/* The new file in the place of the old one. */
static int
put_in_place(struct claim *c, const char *path, const char *backup,
    struct err *e)
{
	int copied = backup ? keep_apart(c, backup, e) : 0;

	if (copied < 0)
		return -1;
	if (claim_look(c, e) == 0 &&
	    claim_replace(c, path, copied ? NULL : backup, e) == 0)
		return 0;
	if (copied)
		unlink(backup);
	return -1;
}

/* 1; 0 where the file cannot be replaced, *e says why; -1. */
static int
begin(struct reclaim_job *j, struct err *e)
{
	struct claim *c = j->claim;
	int fd = -1, r;

	r = claim_replacement(c, &j->path, &fd, e);
	if (r <= 0)
		return r;
	j->begun = true;
	return rewrite_start(&j->rewrite, c->pd.real, &c->pd.db, j->path, fd,
	    e) < 0 ? -1 : 1;
}

/* so many of which make an estimate */
#define SAMPLE 100

/* Bytes of a row of the log, from the oldest ones. */
#define A_ROW "SELECT avg(coalesce(length(vector), 0) + " \
	"coalesce(length(metadata), 0) + 100) FROM (SELECT vector, metadata " \
	"FROM embeddings_queue ORDER BY seq_id LIMIT 64)"

int
reclaim_start(struct reclaim_job *j, struct claim *c, uint64_t rows,
    const struct reclaim_options *o, struct err *e)
{
	struct reclaim_plan rp;
	struct err why;
	struct pages sample;
	int64_t row = 0, page = 0;
	int i;

	*j = (struct reclaim_job){ .claim = c, .o = *o };
	if (rows < WORTH_A_THREAD || c->sqlite_wal || o->want == RECLAIM_NONE ||
	    o->want == RECLAIM_VACUUM)
		return 0;
	if (db_int(&c->pd.db, A_ROW, &row, e) < 0 ||
	    db_int(&c->pd.db, "PRAGMA page_size", &page, e) < 0)
		return -1;
	pages_init(&sample, (uint64_t)page);
	for (i = 0; i < SAMPLE; i++)
		pages_add(&sample, (uint64_t)row);
	if (reclaim_choose(&rp, &c->pd.db, c->pd.real, rows, rows *
	    pages_bytes(&sample) / SAMPLE, o, &why) < 0 ||
	    rp.how != RECLAIM_REWRITE)
		return 0;	/* reclaim_run() will see, and say */
	return begin(j, e) < 0 ? -1 : 0;
}

static int
anew(struct reclaim_job *j, struct prune *p, struct err *e)
{
	struct claim *c = j->claim;
	int r = j->begun ? 1 : begin(j, e);

	if (r <= 0)
		return r;
	if (rewrite_finish(&j->rewrite, p, j->o.maintenance_log ?
	    MAINTENANCE : NULL, e) < 0 ||
	    rewrite_check(&j->rewrite, &c->pd.db, p, c->sqlite_wal, e) < 0)
		return -1;
	/* its descriptor of the old file would look like somebody else's; the
	 * lock goes with it, so from here on it is looking that protects */
	rewrite_end(&j->rewrite);
	j->begun = false;
	return put_in_place(c, j->path, j->o.backup, e) < 0 ? -1 : 1;
}

int
reclaim_run(struct reclaim_job *j, struct prune *p, struct reclaim_plan *rp,
    struct err *e)
{
	int r;

	if (rp->how == RECLAIM_REWRITE) {
		r = anew(j, p, e);
		if (r != 0 || j->o.want == RECLAIM_REWRITE)
			return r > 0 ? 0 : -1;
		if (choose_at(rp, j->claim->pd.real, &j->o, false, e) < 0)
			return -1;
	}
	if (j->begun)
		rewrite_stop(&j->rewrite);
	return in_place(j->claim, p, rp, &j->o, e);
}

void
reclaim_end(struct reclaim_job *j)
{
	if (j->begun)
		rewrite_end(&j->rewrite);
	free(j->path);
	*j = (struct reclaim_job){ 0 };
}
