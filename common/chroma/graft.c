/* SPDX-License-Identifier: Apache-2.0 */
/* graft.c - the collections of a snapshot into a persist dir, all or nothing. */
#include "chroma/graft.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"
#include "chroma/carve.h"
#include "chroma/chops.h"
#include "chroma/claim.h"
#include "chroma/repickle.h"
#include "chroma/snapwrite.h"
#include "chroma/textindex.h"
#include "chroma/wal.h"

#define SCRATCH "snapshot"
#define DEFAULT_TENANT "default_tenant"
#define DEFAULT_DATABASE "default_database"
#define NAME_MAX_LEN 512	/* of a collection */
#define SHOWN 20		/* names in a message */

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

/* Names of a query's first column, for a message. */
static void
names(struct db *db, const char *sql, struct buf *out)
{
	struct db_stmt st;
	struct err ignored;
	int n = 0;

	if (db_prepare(db, &st, sql, &ignored) < 0)
		return;
	while (db_step(&st, &ignored) > 0 && n++ < SHOWN) {
		struct slice s = db_col_text(&st, 0);

		buf_addf(out, "%s%.*s", out->len ? ", " : "", (int)s.len, s.p);
	}
	db_finish(&st);
}

/* Whether a query about ?1 and ?2 gives a row: 1, 0, -1 with *e set. */
static int
is_there(struct db *db, const char *sql, const char *a, const char *b,
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

static int
check_database(const struct graft *g, struct db *db,
    const struct graft_of *of, struct err *e)
{
	struct buf there = { 0 };
	int got;

	if (!g->to.era.has_databases)
		return strcmp(of->tenant, DEFAULT_TENANT) == 0 &&
		    strcmp(of->database, DEFAULT_DATABASE) == 0 ? 0 :
		    err_usage(e, "%s is of Chroma %s, which has no databases; "
		    "give --tenant=" DEFAULT_TENANT " --database="
		    DEFAULT_DATABASE, err_tail(g->dir), g->to.era.releases);
	got = is_there(db, "SELECT 1 FROM databases WHERE tenant_id = ?1 AND "
	    "name = ?2", of->tenant, of->database, e);
	if (got != 0 || g->o->create)
		return got < 0 ? -1 : 0;
	names(db, "SELECT tenant_id || '/' || name FROM databases ORDER BY 1",
	    &there);
	err_usage(e, "no database %s/%s; there are %s; make it with --create, "
	    "or name another one with --database and --tenant", of->tenant,
	    of->database, buf_str(&there));
	buf_release(&there);
	return -1;
}

/* The collection of the target that has this name. */
static struct collection *
find_named(const struct graft *g, const struct graft_of *of)
{
	size_t i;

	for (i = 0; i < g->to.n; i++) {
		struct collection *c = &g->to.collection[i];

		if (strcmp(c->name, of->name) == 0 &&
		    strcmp(c->tenant ? c->tenant : DEFAULT_TENANT,
		    of->tenant) == 0 && strcmp(c->database ? c->database :
		    DEFAULT_DATABASE, of->database) == 0)
			return c;
	}
	return NULL;
}

static int
check_name(struct graft *g, struct graft_of *of, struct err *e)
{
	struct collection *there = find_named(g, of);
	const struct graft_of *x;

	for (x = g->of; x < of; x++)
		if (strcmp(x->name, of->name) == 0 &&
		    strcmp(x->tenant, of->tenant) == 0 &&
		    strcmp(x->database, of->database) == 0)
			return err_usage(e, "two collections of the snapshot "
			    "would be %s/%s/%s; choose one with --collection",
			    of->tenant, of->database, of->name);
	of->replaced = there;
	if (!there)
		return 0;
	if (!g->o->replace)
		return err_usage(e, "%s has a collection %s/%s/%s; give it "
		    "another name with --as=NAME, or use --replace",
		    err_tail(g->dir), of->tenant, of->database, of->name);
	if (there->ambiguous)
		return err_data(e, "collection %s: %s", there->name,
		    there->ambiguous);
	there->selected = true;
	g->replaced++;
	return 0;
}

/* The id that it has, unless something in the target has that, or has left it
 * behind. */
static int
choose_id(struct graft *g, struct db *db, struct graft_of *of, struct err *e)
{
	static const char *const used[] = {
		"SELECT 1 FROM collections WHERE id = ?1",
		"SELECT 1 FROM segments WHERE collection = ?1",
		"SELECT 1 FROM collection_metadata WHERE collection_id = ?1",
		"SELECT 1 FROM embeddings_queue WHERE topic = '" TOPIC_HEAD
		    "' || ?1",
	};
	const char *id = of->from->id;
	const struct graft_of *x;
	bool taken = !uuid_is(slice_str(id));
	size_t i;

	for (x = g->of; x < of; x++)
		taken |= strcmp(x->id, id) == 0;
	if (of->replaced && strcmp(of->replaced->id, id) == 0)
		taken = false;
	else
		for (i = 0; !taken && i < sizeof(used) / sizeof(used[0]); i++) {
			int got = is_there(db, used[i], id, NULL, e);

			if (got < 0)
				return -1;
			taken = got;
		}
	if (taken)
		return uuid_new(of->id, e);
	memcpy(of->id, id, UUID_LEN + 1);
	return 0;
}

static void
name_one(const struct graft *g, struct graft_of *of,
    const struct collection *c)
{
	const struct manifest *m = &g->unpack.manifest;
	const struct graft_options *o = g->o;
	size_t i;

	*of = (struct graft_of){ .from = c };
	for (i = 0; i < m->collections; i++)
		if (strcmp(m->collection[i].id, c->id) == 0) {
			of->records = m->collection[i].records;
			of->rows = m->collection[i].rows;
		}
	of->name = o->as ? o->as : c->name;
	of->tenant = o->tenant ? o->tenant : c->tenant ? c->tenant :
	    DEFAULT_TENANT;
	of->database = o->database ? o->database : c->database ? c->database :
	    DEFAULT_DATABASE;
}

static int
check_era(const struct graft *g, struct err *e)
{
	const struct era *to = &g->to.era, *from = &g->from.era;

	return from->sysdb <= to->sysdb && from->metadb <= to->metadb &&
	    from->queue <= to->queue ? 0 : err_data(e, "the snapshot is of "
	    "Chroma %s and %s of %s: open that once with a Chroma of the "
	    "snapshot's, which brings it level, then again", from->releases,
	    err_tail(g->dir), to->releases);
}

/* Which collection becomes which.  db: of the target, whose catalog is g->to;
 * of the snapshot, where the target is to be made. */
static int
plan(struct graft *g, struct db *db, struct err *e)
{
	size_t i, n = 0;

	if (check_era(g, e) < 0)
		return -1;
	free(g->of);
	g->of = calloc(g->n + 1, sizeof(*g->of));
	if (!g->of)
		return err_nomem(e);
	g->replaced = 0;
	for (i = 0; i < g->to.n; i++)
		g->to.collection[i].selected = false;
	for (i = 0; i < g->from.n; i++) {
		struct graft_of *of = &g->of[n];

		if (!g->from.collection[i].selected)
			continue;
		name_one(g, of, &g->from.collection[i]);
		n++;
		if (check_name(g, of, e) < 0 ||
		    check_database(g, db, of, e) < 0)
			return -1;
		if (g->made)
			snprintf(of->id, sizeof(of->id), "%s", of->from->id);
		else if (choose_id(g, db, of, e) < 0)
			return -1;
	}
	return 0;
}

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
		r = plan(g, &pd.db, e);
	persist_close(&pd);
	return r;
}

static bool
alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9');
}

/* Digits and points, as an address has them; a ":" is in no name anyway. */
static bool
is_address(const char *name)
{
	struct in_addr a;

	return inet_pton(AF_INET, name, &a) == 1;
}

/* Chroma's rule for names of collections, of every era (up to 1.0.0 63 were the
 * most; what is longer is found under its name all the same).
 * Source: chromadb/api/segment.py check_index_name(),
 * rust/types/src/validators.rs. */
static bool
good_name(const char *name)
{
	size_t n = strlen(name), i;

	if (n < 3 || n > NAME_MAX_LEN || !alphanumeric(name[0]) ||
	    !alphanumeric(name[n - 1]) || strstr(name, "..") ||
	    is_address(name))
		return false;
	for (i = 0; i < n; i++)
		if (!alphanumeric(name[i]) && !strchr("._-", name[i]))
			return false;
	return true;
}

/* Names that are new: no Chroma would make others. */
static int
check_given(const struct graft_options *o, struct err *e)
{
	const char *const place[] = { "--tenant", o->tenant, "--database",
	    o->database };
	int i;

	if (o->as && !good_name(o->as))
		return err_usage(e, "--as: a name that Chroma does not take: "
		    "3 to %d letters, digits, \".\", \"_\" and \"-\", a "
		    "letter or digit first and last, no \"..\", no IP "
		    "address", NAME_MAX_LEN);
	for (i = 0; i < 4; i += 2) {
		const char *s = place[i + 1];

		if (s && o->create && (!utf8_valid(s, strlen(s)) ||
		    strlen(s) < 3))
			return err_usage(e, "%s: a name that Chroma does not "
			    "take: 3 characters or more, in UTF-8", place[i]);
	}
	return 0;
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
	if (check_given(o, e) < 0 || find_place(g, e) < 0 || read_snapshot(g, in, e) < 0)
		return -1;
	if (!g->made)
		return plan_target(g, e);
	g->to.era = g->from.era;
	return plan(g, &g->pd.db, e);
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
	    out_file(&out, path, false, zstd ? ZIO_LEVEL_DEFAULT : 0, e) < 0)
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
	struct err ignored;
	size_t i;

	(void)!db_exec(db, "ROLLBACK", &ignored);
	if (is_there(db, "SELECT 1 FROM segments WHERE id = ?1",
	    g->of[0].metadata, NULL, &ignored) == 0)
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
	    plan(g, &c->pd.db, e) < 0)
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
sweep(struct claim *c, struct err *e)
{
	struct catalog cat;

	if (catalog_load_tables(&cat, &c->pd.db, e) < 0)
		return -1;
	staging_sweep(c->pd.dirfd, &cat);
	catalog_release(&cat);
	return claim_stamp(c, e);
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
	if (claim_open(&c, g->dir, &co, e) < 0)
		return -1;
	r = sweep(&c, e);
	if (r == 0)
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
