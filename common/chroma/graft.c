/* SPDX-License-Identifier: Apache-2.0 */
/* graft.c - the collections of a snapshot into a persist dir, all or nothing. */
#include "chroma/graft.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chroma/carve.h"
#include "chroma/chops.h"
#include "chroma/claim.h"
#include "chroma/graftplan.h"
#include "chroma/newnames.h"
#include "chroma/repickle.h"
#include "chroma/snapwrite.h"
#include "chroma/stageclaim.h"
#include "chroma/textindex.h"
#include "chroma/wal.h"

#define SCRATCH "snapshot"

/* ---- the target, from outside ---- */

/* 1: nothing is there, or an empty directory; 0; -1 with *e set. */
static int
is_empty(const char *dir, struct err *e)
{
	struct dirent *d;
	DIR *dp = opendir(dir);
	int n = 0;

	if (!dp)
		return errno == ENOENT ? 1 : errno == ENOTDIR ? 0 :
		    err_system(e, "%s", err_tail(dir));
	while (n < 3 && (d = readdir(dp)))
		n++;
	closedir(dp);
	return n <= 2;
}

/* A place for the snapshot: on the file system of the target, unless that is to
 * stay as it is. */
static int
find_place(struct graft *g, struct err *e)
{
	const char *tmp = g->o->tmpdir ? g->o->tmpdir : getenv("TMPDIR");
	struct persist pd;
	const char *slash = strrchr(g->dir, '/');
	int empty = is_empty(g->dir, e);

	if (empty < 0)
		return -1;
	if (empty && strcmp(slash ? slash + 1 : g->dir, PERSIST_FILE) == 0)
		return err_usage(e, "%s: the name of a database; name the "
		    "directory", err_tail(g->dir));
	g->made = empty;
	if (empty && !g->o->dry_run)
		return dirnew_begin_over(&g->whole, g->dir, e) < 0 ? -1 :
		    dirnew_scratch(&g->scratch, g->whole.dir, SCRATCH, e);
	/* that it is one is said before a long stream is read */
	if (!empty && persist_find(&pd, g->dir, e) < 0) {
		persist_close(&pd);
		return -1;
	}
	if (!empty) {
		free(g->dir);
		g->dir = strdup(pd.dir);
		persist_close(&pd);
		if (!g->dir)
			return err_nomem(e);
	}
	if (!g->o->dry_run)
		tmp = g->dir;
	return dirnew_scratch(&g->scratch, tmp && *tmp ? tmp : "/tmp", SCRATCH,
	    e);
}

/* ---- the snapshot ---- */

static int
check_collection(const struct collection *c, struct err *e)
{
	const char *why = c->ambiguous ? c->ambiguous :
	    !c->vector_segment || !c->metadata_segment ? "it has no segments" :
	    c->metadata.odd || c->vector.odd ? "a watermark that no Chroma of "
	    "its era reads" : c->vector_fault;

	return why ? err_data(e, "collection %s of the snapshot: %s", c->name,
	    why) : 0;
}

/* A row that Chroma chokes on takes other collections with it. */
static int
check_log(struct graft *g, struct err *e)
{
	enum wal_poison poison = POISON_NONE;
	struct buf mem = { 0 };
	struct wal_row row;
	struct record r;
	struct wal w;
	int got;

	if (wal_open(&w, &g->pd.db, INT64_MIN, INT64_MAX, false,
	    false, false, e) < 0)
		return -1;
	wal_use(&w, &g->from);
	while ((got = wal_next(&w, &row, e)) > 0) {
		buf_reset(&mem);
		got = wal_record(&row, &r, &mem, &poison, e);
		if (got < 0 || (poison != POISON_NONE &&
		    poison != POISON_MARKER))
			break;
	}
	if (got >= 0 && poison != POISON_NONE && poison != POISON_MARKER)
		got = err_data(e, "row %" PRId64 " of the log of collection "
		    "%s: %s (%s); graft it into a directory of its own",
		    row.col[WAL_SEQ_ID].i, row.collection->name,
		    wal_poison_what(poison), wal_poison_effect(poison));
	wal_close(&w);
	buf_release(&mem);
	return got < 0 ? -1 : 0;
}

static int
check_indexes(const struct graft *g, struct err *e)
{
	const struct collection *col;
	struct err fault;

	if (unpack_check_indexes(&g->unpack, &g->from, &col, &fault, e) < 0)
		return -1;
	return !fault.status ? 0 : err_data(e, "collection %s of the snapshot: "
	    "its index is damaged: %s; unpack it with tar, and see "
	    "chroma-hnswdump --salvage", col->name, fault.msg);
}

/* The full-text index, where it is not written anew. */
static int
check_text(const struct graft *g, struct err *e)
{
	return textindex_check(g->pd.real, &g->from.era, e);
}

static int
open_snapshot(struct graft *g, struct err *e)
{
	const struct persist_options po = { .tmpdir = g->o->tmpdir };
	size_t i;

	if (persist_open(&g->pd, g->unpack.dir, &po, e) < 0 ||
	    catalog_load(&g->from, &g->pd, e) < 0 ||
	    select_apply(&g->from, &g->o->select, e) < 0 ||
	    check_indexes(g, e) < 0)
		return -1;
	for (i = 0; i < g->from.n; i++) {
		if (!g->from.collection[i].selected)
			continue;
		if (check_collection(&g->from.collection[i], e) < 0)
			return -1;
		g->n++;
	}
	/* (a directory is one without them, too) */
	if (g->n == 0 && (!g->made || g->o->as))
		return err_usage(e, "the snapshot has no collections");
	if (g->o->as && g->n > 1)
		return err_usage(e, "--as: the snapshot has %zu collections; "
		    "which one? --collection=NAME", g->n);
	return g->made ? check_text(g, e) : check_log(g, e);
}

/* What chops made: its distance function is known, and is not what its index
 * cannot be. */
static int
check_space(struct graft *g, struct err *e)
{
	static const char *const hint[] = {
		[CHOPS_UNKNOWN] = "",
		[CHOPS_NOT_COSINE] = " (not cosine: the vectors of its index "
		    "are not of norm 1 with a length beside each)",
		[CHOPS_LIKELY_COSINE] = " (most likely cosine: the vectors of "
		    "its index are of norm 1 with a length beside each)",
	};
	const struct manifest_collection *c = &g->unpack.manifest.collection[0];
	const char *space = g->o->space;
	enum chops_cosine what;

	if (c->space && !space)
		return 0;
	if (chops_cosine(g->unpack.fd, c, &what, e) < 0)
		return -1;
	if (!space)
		return err_usage(e, "chops did not save the distance function "
		    "of collection %s: give --space=l2, ip or cosine%s",
		    c->name, hint[what]);
	if (strcmp(space, "cosine") != 0)
		g->doubtful = what == CHOPS_LIKELY_COSINE;
	else if (what == CHOPS_NOT_COSINE)
		return err_usage(e, "--space=cosine: the vectors in the index "
		    "of collection %s are not of norm 1 with a length beside "
		    "each: it is of l2 or ip", c->name);
	return 0;
}

static int
read_snapshot(struct graft *g, struct in *in, struct err *e)
{
	char *at = dirnew_path(&g->scratch);
	int r;

	g->unpack.space = g->o->space;
	r = at ? unpack_read(&g->unpack, in, at, e) : err_nomem(e);
	free(at);
	if (r == 0 && g->made && g->unpack.chops)
		r = err_usage(e, "what chops made has no migrations, so no "
		    "directory can be made of it alone; open %s with Chroma "
		    "once, then again", err_tail(g->dir));
	if (r == 0 && g->unpack.chops)
		r = check_space(g, e);
	return r < 0 ? -1 : open_snapshot(g, e);
}

/* ---- the plan ---- */

/* Whether a transaction has left a journal, which is applied by a claim. */
static bool
interrupted(const struct graft *g)
{
	struct persist pd;
	struct err ignored;
	struct stat st;
	bool is = persist_find(&pd, g->dir, &ignored) == 0 &&
	    persist_beside(&pd, "-journal", &st) && st.st_size > 0;

	persist_close(&pd);
	return is;
}

/* The target was there: as it is now, which counts for nothing more than a plan
 * until it is claimed. */
static int
plan_target(struct graft *g, struct err *e)
{
	const struct persist_options po = { .tmpdir = g->o->tmpdir,
	    .wait_ms = g->o->wait_ms };
	struct persist pd;
	int r;

	if (!g->o->dry_run && interrupted(g))
		return 0;
	if ((g->o->dry_run ? claim_read : persist_open)(&pd, g->dir, &po,
	    e) < 0)
		return -1;
	r = g->o->backup && persist_reserved(&pd, g->o->backup) ?
	    err_usage(e, "%s: a name of files that belong to the database and "
	    "are removed without asking; choose another",
	    err_tail(g->o->backup)) : catalog_load(&g->to, &pd, e);
	if (r == 0)
		r = era_known(&g->to.era, pd.file, e);
	if (r == 0)
		r = graftplan(g, &pd.db, e);
	persist_close(&pd);
	return r;
}

int
graft_plan(struct graft *g, struct in *in, const char *dir,
    const struct graft_options *o, struct err *e)
{
	g->o = o;
	g->dir = strdup(dir);
	if (!g->dir)
		return err_nomem(e);
	g->unpack.fd = -1;
	g->pd.dirfd = g->scratch.fd = g->whole.fd = -1;
	g->scratch.parent = g->whole.parent = -1;
	if (newnames_check(o->as, o->create ? o->tenant : NULL,
	    o->create ? o->database : NULL, e) < 0 || find_place(g, e) < 0 ||
	    read_snapshot(g, in, e) < 0)
		return -1;
	if (!g->made)
		return plan_target(g, e);
	g->to.era = g->from.era;
	return graftplan(g, &g->pd.db, e);
}

/* ---- a directory that is there ---- */

/* What is replaced, into a file of its own. */
static int
write_backup(struct graft *g, struct carve *cv, struct persist *pd,
    struct err *e)
{
	const char *path = g->o->backup;
	size_t len = strlen(path);
	bool zstd = len > 4 && strcmp(path + len - 4, ".zst") == 0;
	struct snapwrite s = { .pd = pd, .catalog = &g->to, .carve = cv,
	    .scratch = &g->scratch };
	struct out out;
	int r;

	if (carve_begin(cv, pd, &g->to, true, g->o->tmpdir, e) < 0 ||
	    out_file(&out, path, false, zstd ? SNAPWRITE_LEVEL : 0, e) < 0)
		return -1;
	r = snapwrite(&s, &out, e);
	snapwrite_end(&s);
	if (r < 0) {
		out_abort(&out);
		return -1;
	}
	g->backed_up = out_close(&out, e) == 0;
	return g->backed_up ? 0 : -1;
}

/* The five files of an index, from where they were unpacked. */
static int
move_index(const struct graft *g, size_t i, struct err *e)
{
	const char *segment = g->of[i].from->vector_segment;
	int from = openat(g->unpack.fd, segment, O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC), f, r = 0;

	if (from < 0)
		return err_system(e, "%s", segment);
	for (f = 0; r == 0 && f < INDEX_FILES; f++)
		if (renameat(from, index_file_name[f], g->staging[i].dir.fd,
		    index_file_name[f]) < 0 && errno != ENOENT)
			r = err_system(e, "%s/%s", segment, index_file_name[f]);
	close(from);
	return r;
}

static int
stage(struct graft *g, const char *dir, size_t i, struct err *e)
{
	struct graft_of *of = &g->of[i];
	struct stat st;

	if (uuid_new(of->metadata, e) < 0)
		return -1;
	/* (check_indexes() lets no other name pass) */
	if (!index_names_dir(of->from->vector_segment))
		return err_data(e, "segment id '%.80s' names no directory",
		    of->from->vector_segment);
	if (fstatat(g->unpack.fd, of->from->vector_segment, &st,
	    AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? uuid_new(of->vector, e) :
		    err_system(e, "%s", of->from->vector_segment);
	if (staging_begin(&g->staging[i], dir, e) < 0)
		return -1;
	g->has_index[i] = true;
	memcpy(of->vector, g->staging[i].id, sizeof(of->vector));
	return move_index(g, i, e);
}

/* Numbers are known: pickles get theirs, and all goes to the disk. */
static int
finish_staging(struct graft *g, size_t i, struct err *e)
{
	struct staging *s = &g->staging[i];

	return !g->has_index[i] ? 0 : repickle(s->parent, staging_name(s),
	    g->of[i].h, e) < 0 ? -1 : staging_finish(s, NULL, e);
}

/* After a COMMIT that failed: whether the collections are there.  See
 * publish.c. */
static int
undone(struct graft *g, struct db *db, struct err *e)
{
	const struct slice none = { NULL, 0 };
	struct err ignored;
	size_t i;

	(void)!db_exec(db, "ROLLBACK", &ignored);
	if (db_gives(db, "SELECT 1 FROM segments WHERE id = ?1",
	    slice_str(g->of[0].metadata), none, &ignored) == 0)
		return -1;
	g->committed = true;
	for (i = 0; i < g->n; i++)
		if (g->has_index[i])
			staging_leave(&g->staging[i]);
	return err_in(e, "whether the collections are in place cannot be told; "
	    "look at the disk, and at chroma-info");
}

static int
switch_over(struct graft *g, struct graftrows *rows, struct claim *c,
    struct err *e)
{
	struct db *db = &c->pd.db;
	struct err ignored;
	size_t i;
	int r;

	if (db_exec(db, "BEGIN", e) < 0)
		return -1;
	r = graftrows_write(rows, g->o->create, e);
	if (r == 0)
		r = claim_look(c, e);
	for (i = 0; r == 0 && i < g->n; i++)
		if (g->has_index[i])
			r = staging_place(&g->staging[i], e);
	if (r < 0) {
		(void)!db_exec(db, "ROLLBACK", &ignored);
		return -1;
	}
	if (db_exec(db, "COMMIT", e) < 0)
		return undone(g, db, e);
	g->committed = true;
	for (i = 0; i < g->n; i++)
		if (g->has_index[i])
			staging_keep(&g->staging[i]);
	return 0;
}

static int
claimed(struct graft *g, struct claim *c, struct carve *cv, struct err *e)
{
	struct graftrows rows = { .db = &c->pd.db, .to = &g->to,
	    .from = &g->from.era, .n = g->n };
	char *path = NULL;
	size_t i;
	int r;

	catalog_release(&g->to);
	if (catalog_load(&g->to, &c->pd, e) < 0 ||
	    era_known(&g->to.era, c->pd.file, e) < 0 ||
	    graftplan(g, &c->pd.db, e) < 0)
		return -1;
	if (g->replaced && g->o->backup && write_backup(g, cv, &c->pd, e) < 0)
		return -1;
	for (i = 0; i < g->n; i++)
		if (stage(g, c->pd.dir, i, e) < 0)
			return -1;
	if (asprintf(&path, "%s/" PERSIST_FILE, g->unpack.dir) < 0)
		return err_nomem(e);
	rows.of = g->of;
	r = graftrows_number(&rows, path, e);
	free(path);
	for (i = 0; r == 0 && i < g->n; i++)
		r = finish_staging(g, i, e);
	return r < 0 ? -1 : switch_over(g, &rows, c, e);
}

/* Index directories of what was replaced: nobody names them any more. */
static int
retire(struct graft *g, struct err *e)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		if (g->of[i].replaced && g->of[i].replaced->vector_segment &&
		    staging_retire(g->dir, g->of[i].replaced->vector_segment,
		    NULL, e) < 0)
			return err_in(e, "the collections are in place, but an "
			    "old index is still there");
	return 0;
}

static int
commit_rows(struct graft *g, struct err *e)
{
	const struct claim_options co = { .wait_ms = g->o->wait_ms,
	    .assume_stopped = g->o->assume_stopped };
	struct carve cv = { NULL };
	struct claim c;
	int r;

	g->staging = calloc(g->n, sizeof(*g->staging));
	g->has_index = calloc(g->n, sizeof(*g->has_index));
	if (!g->staging || !g->has_index)
		return err_nomem(e);
	if (stageclaim_open(&c, g->dir, &co, e) < 0)
		return -1;
	r = claimed(g, &c, &cv, e);
	claim_close(&c);
	carve_end(&cv);
	return r < 0 ? -1 : retire(g, e);
}

/* ---- a directory that is made ---- */

static bool
as_it_is(const struct graft *g)
{
	return g->n == g->from.n && !g->o->as && !g->o->tenant &&
	    !g->o->database;
}

static int
move_all(struct graft *g, struct err *e)
{
	size_t i;

	if (renameat(g->unpack.fd, PERSIST_FILE, g->whole.fd, PERSIST_FILE) < 0)
		return err_system(e, PERSIST_FILE);
	for (i = 0; i < g->from.n; i++) {
		const char *s = g->from.collection[i].vector_segment;

		if (s && renameat(g->unpack.fd, s, g->whole.fd, s) < 0 &&
		    errno != ENOENT)
			return err_system(e, "%s", s);
	}
	return 0;
}

/* Other names, in the new database. */
static int
rename_all(struct graft *g, struct err *e)
{
	char *dir = dirnew_path(&g->whole), *path = NULL;
	struct db db = { NULL };
	struct graftrows rows = { .db = &db, .to = &g->to, .of = g->of,
	    .n = g->n };
	int r;

	if (!dir || asprintf(&path, "%s/" PERSIST_FILE, dir) < 0) {
		free(dir);
		return err_nomem(e);
	}
	r = db_open(&db, path, path, DB_WRITE, 0, e);
	if (r == 0)
		r = db_exec(&db, "PRAGMA foreign_keys=OFF; BEGIN", e);
	if (r == 0)
		r = graftrows_rename(&rows, e);
	if (r == 0)
		r = db_exec(&db, "COMMIT", e);
	db_close(&db);
	free(path);
	free(dir);
	return r;
}

static int
commit_whole(struct graft *g, struct err *e)
{
	struct carve cv = { NULL };
	struct snapwrite s = { .pd = &g->pd, .catalog = &g->from,
	    .carve = &cv };
	int r;

	if (as_it_is(g)) {
		r = move_all(g, e);
	} else {
		r = carve_begin(&cv, &g->pd, &g->from, true, g->o->tmpdir, e);
		if (r == 0)
			r = snapwrite_dir(&s, &g->whole, e);
		snapwrite_end(&s);
		carve_end(&cv);
		if (r == 0)
			r = rename_all(g, e);
	}
	if (r < 0)
		return -1;
	r = dirnew_commit(&g->whole, e);
	g->committed = r == 0;
	return r;
}

int
graft_commit(struct graft *g, struct err *e)
{
	return g->made ? commit_whole(g, e) : commit_rows(g, e);
}

void
graft_end(struct graft *g)
{
	size_t i;

	for (i = 0; g->staging && g->has_index && i < g->n; i++)
		if (g->has_index[i])
			staging_abort(&g->staging[i]);
	free(g->staging);
	free(g->has_index);
	free(g->of);
	free(g->dir);
	catalog_release(&g->to);
	catalog_release(&g->from);
	if (g->pd.dir)
		persist_close(&g->pd);
	unpack_release(&g->unpack);
	dirnew_abort(&g->scratch);
	dirnew_abort(&g->whole);
}
